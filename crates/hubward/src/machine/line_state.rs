//! The states of the interfaces, and the messages in which IOS tells that one changed. Pure.

use crate::machine::view::Names;
use hubward_config::model::{Config, Interface, InterfaceKind};
use hubward_linux::link::Link;
use hubward_linux::monitor::Change;
use std::collections::BTreeMap;

/// The state of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `shutdown`.
    Shut,
    /// It has no carrier, or its link is gone or set down.
    Down,
    /// It works.
    Up,
}

/// The states that were told, by the interfaces' names. Sub-interfaces are left out, as on IOS
/// without `logging event subif-link-status`.
#[derive(Debug, Default)]
pub(crate) struct LineStates {
    told: BTreeMap<String, State>,
}

impl LineStates {
    /// Notes how the interfaces stand, without a word: what a start finds is no change.
    pub(crate) fn begin(&mut self, config: &Config, names: &Names, links: &[Link]) {
        self.told = now(config, names, links).collect();
    }

    /// The messages for changes of links in their order, so that an interface that went down and
    /// came up again between two looks is told of, and then for what the machine shows now.
    pub(crate) fn follow(
        &mut self,
        config: &Config,
        names: &Names,
        changes: &[Change],
        links: &[Link],
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for change in changes {
            let (link, there) = match change {
                Change::Link(link) => (link, true),
                Change::LinkGone(link) => (link, false),
                _ => continue,
            };
            let of_link = config.interfaces.iter().filter(|one| names.get(&one.name) == Some(&link.name));
            for interface in of_link.filter(|one| is_told_of(one)) {
                let state = state(interface, Some(link).filter(|_| there));
                let is_known = match self.told.get(&interface.name) {
                    None => false,
                    // a link that was opened takes a moment until it works
                    Some(State::Shut) => state == State::Up,
                    Some(_) => true,
                };
                if is_known {
                    self.turn(&interface.name, state, &mut lines);
                }
            }
        }
        let all: Vec<_> = now(config, names, links).collect();
        self.told.retain(|name, _| all.iter().any(|(known, _)| known == name));
        for (name, state) in all {
            self.turn(&name, state, &mut lines);
        }
        lines
    }

    /// The messages for the interfaces that another configuration shuts: its links follow.
    pub(crate) fn shut(&mut self, config: &Config) -> Vec<String> {
        let mut lines = Vec::new();
        for interface in config.interfaces.iter().filter(|one| one.shutdown) {
            if self.told.contains_key(&interface.name) {
                self.turn(&interface.name, State::Shut, &mut lines);
            }
        }
        lines
    }

    fn turn(&mut self, name: &str, new: State, lines: &mut Vec<String>) {
        let old = self.told.insert(name.to_string(), new);
        if old == Some(new) {
            return;
        }
        let (was_up, is_up) = (old == Some(State::Up), new == State::Up);
        let link = match new {
            State::Shut => {
                format!("%LINK-5-CHANGED: Interface {name}, changed state to administratively down")
            }
            State::Down => format!("%LINK-3-UPDOWN: Interface {name}, changed state to down"),
            State::Up => format!("%LINK-3-UPDOWN: Interface {name}, changed state to up"),
        };
        let protocol = (was_up != is_up).then(|| {
            let word = if is_up { "up" } else { "down" };
            format!("%LINEPROTO-5-UPDOWN: Line protocol on Interface {name}, changed state to {word}")
        });
        // a new interface that is down was not up before
        if old.is_none() && !is_up {
            return;
        }
        match new {
            // without a carrier the protocol notices first
            State::Down => lines.extend(protocol.into_iter().chain([link])),
            State::Shut | State::Up => lines.extend(std::iter::once(link).chain(protocol)),
        }
    }
}

fn is_told_of(interface: &Interface) -> bool {
    interface.kind != InterfaceKind::SubInterface
}

/// The states of the interfaces that have links, or are shut.
fn now<'a>(
    config: &'a Config,
    names: &'a Names,
    links: &'a [Link],
) -> impl Iterator<Item = (String, State)> + use<'a> {
    let interfaces = config.interfaces.iter().filter(|one| is_told_of(one));
    interfaces.filter_map(|interface| {
        let name = names.get(&interface.name);
        if name.is_none() && !interface.shutdown {
            return None;
        }
        let link = links.iter().find(|link| Some(&link.name) == name);
        Some((interface.name.clone(), state(interface, link)))
    })
}

fn state(interface: &Interface, link: Option<&Link>) -> State {
    match link {
        _ if interface.shutdown => State::Shut,
        Some(link) if link.running => State::Up,
        _ => State::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::seen::link_of_test;

    fn link(name: &str, running: bool) -> Link {
        Link { running, carrier: running, ..link_of_test(2, name) }
    }

    /// The message without the interface: `link down`, `protocol up`, `shut`.
    fn short(lines: &[String]) -> Vec<String> {
        let short = |line: &String| {
            let line = line.replace("%LINK-3-UPDOWN: Interface FastEthernet0/0, changed state to", "link");
            let line = line.replace(
                "%LINEPROTO-5-UPDOWN: Line protocol on Interface FastEthernet0/0, changed state to",
                "protocol",
            );
            let shut = "%LINK-5-CHANGED: Interface FastEthernet0/0, changed state to administratively down";
            line.replace(shut, "shut")
        };
        lines.iter().map(short).collect()
    }

    #[test]
    fn links_that_change_are_told_of_as_ios_does() {
        let config = |more: &str| {
            hubward_config::parse(&format!(
                "interface FastEthernet0/0\n{more}interface FastEthernet0/0.7\n encapsulation dot1Q 7\n"
            ))
            .config
        };
        let names: Names = [("FastEthernet0/0", "eth0"), ("FastEthernet0/0.7", "hubwardv1")]
            .map(|(a, b)| (a.into(), b.into()))
            .into();
        let (open, shut) = (config(""), config(" shutdown\n"));
        let changed = |running| Change::Link(link("eth0", running));
        // the configuration before and after, whether the link worked, what happened, whether it
        // works, and the messages
        type Row<'a> = (&'a str, [&'a Config; 2], bool, Vec<Change>, bool, &'a [&'a str]);
        let rows: [Row; 9] = [
            ("nothing", [&open, &open], true, vec![], true, &[]),
            (
                "the cable is pulled",
                [&open, &open],
                true,
                vec![changed(false)],
                false,
                &["protocol down", "link down"],
            ),
            ("and plugged", [&open, &open], false, vec![changed(true)], true, &["link up", "protocol up"]),
            (
                "both between two looks",
                [&open, &open],
                true,
                vec![changed(false), changed(true)],
                true,
                &["protocol down", "link down", "link up", "protocol up"],
            ),
            (
                "the news was lost",
                [&open, &open],
                true,
                vec![Change::Lost],
                false,
                &["protocol down", "link down"],
            ),
            (
                "the card is gone",
                [&open, &open],
                true,
                vec![Change::LinkGone(link("eth0", true))],
                false,
                &["protocol down", "link down"],
            ),
            ("shutdown", [&open, &shut], true, vec![changed(false)], false, &["shut", "protocol down"]),
            ("no shutdown", [&shut, &open], false, vec![changed(true)], true, &["link up", "protocol up"]),
            ("without a cable", [&shut, &open], false, vec![], false, &["link down"]),
        ];
        for (name, [before, after], was, changes, is, wanted) in rows {
            let mut states = LineStates::default();
            states.begin(before, &names, &[link("eth0", was), link("hubwardv1", was)]);
            let mut lines = states.shut(after);
            let now = [link("eth0", is), link("hubwardv1", is)];
            lines.extend(states.follow(after, &names, &changes, &now));
            assert_eq!(short(&lines), wanted, "{name}");
            assert!(states.follow(after, &names, &[], &now).is_empty(), "{name}: told once");
        }
    }

    #[test]
    fn a_loopback_that_is_made_comes_up() {
        let before = hubward_config::parse("hostname a\n").config;
        let after = hubward_config::parse("interface Loopback0\n").config;
        let names: Names = [("Loopback0".into(), "hubwardlo0".into())].into();
        let mut states = LineStates::default();
        states.begin(&before, &names, &[]);
        assert_eq!(states.follow(&after, &names, &[], &[]), [""; 0], "it is down until its link is made");
        let up = states.follow(&after, &names, &[], &[link("hubwardlo0", true)]);
        assert_eq!(
            up,
            [
                "%LINK-3-UPDOWN: Interface Loopback0, changed state to up",
                "%LINEPROTO-5-UPDOWN: Line protocol on Interface Loopback0, changed state to up"
            ]
        );
        assert!(states.follow(&before, &Names::new(), &[], &[]).is_empty(), "it is gone");
    }
}
