//! `set ip access-group` of crypto map entries: what comes out of tunnels before anything else is done
//! to it, and what goes into them when it is translated already. The crypto access lists say which
//! entry a packet belongs to ([`hubward_config::crypto_filters`]).

use super::list::{Lists, Use};
use super::site::Site;
use super::text::{base, chain};
use hubward_config::acl::Selector;
use hubward_config::crypto_filters::{Asked, Line, Way, asked};

pub(super) fn chains(site: &Site<'_>, lists: &mut Lists<'_>) -> Vec<String> {
    let mut chains = Vec::new();
    for (way, name, hook) in [
        (Way::In, "out_of_tunnels", "prerouting priority -155"),
        (Way::Out, "into_tunnels", "postrouting priority 155"),
    ] {
        let Some(through) = through(site, way) else { continue };
        let mut jumps = Vec::new();
        for (place, one) in asked(site.config, way).iter().enumerate() {
            let name = format!("{name}_{place}");
            if of_filter(lists, way, one, &name, &mut chains) {
                jumps.push(format!("{through} jump {name}"));
            }
        }
        if !jumps.is_empty() {
            chains.push(base(name, &format!("type filter hook {hook}; policy accept;"), &jumps));
        }
    }
    chains
}

/// The test for what passes a tunnel; `None`: nothing does. With the kernel as data plane, what comes
/// out of a tunnel comes in again by the interface that ESP came by, which need not be that of the
/// crypto map, and what goes into one leaves by that of the crypto map twice.
fn through(site: &Site<'_>, way: Way) -> Option<String> {
    if let Some(tun) = site.tun() {
        return Some(match way {
            Way::In => format!("iifname {tun}"),
            Way::Out => format!("oifname {tun}"),
        });
    }
    let links = site.links(|one| one.crypto_map.is_some(), false)?;
    Some(match way {
        Way::In => "meta secpath exists".to_owned(),
        Way::Out => format!("oifname {links} rt ipsec exists"),
    })
}

/// The chain that leads packets to a filter, and those behind it; `false`: the filter permits
/// everything. What the filter denies is dropped without an answer.
fn of_filter(
    lists: &mut Lists<'_>,
    way: Way,
    asked: &Asked<'_>,
    name: &str,
    chains: &mut Vec<String>,
) -> bool {
    let Some(filter) = lists.chain(asked.filter, Use::Output) else { return false };
    let ask = format!("goto {filter}");
    let mut made = Chain { name, rules: Vec::new(), more: Vec::new() };
    // from the last one: a `deny` line refers to the list behind its own
    if let Some(others) = &asked.rest {
        made.rules.push(ask.clone());
        for lines in others.iter().rev() {
            made.prepend(way, lines, true, "return");
        }
    }
    for lines in asked.selects.iter().rev() {
        // an SA for a whole `permit` line brings what an earlier `deny` line excludes, too
        made.prepend(way, lines, way == Way::Out, &ask);
    }
    chains.extend(made.more);
    chains.push(chain(name, &made.rules));
    true
}

/// A chain that is made from its end.
struct Chain<'n> {
    name: &'n str,
    rules: Vec<String>,
    /// Chains that it goes to.
    more: Vec<String>,
}

impl Chain<'_> {
    /// Puts the lines of a list before what is there: what it permits has this verdict, and the rest
    /// goes on.
    fn prepend(&mut self, way: Way, lines: &[Line], denies: bool, verdict: &str) {
        let mut next = "return".to_owned();
        let has_deny = denies && lines.iter().any(|line| !line.permit);
        if has_deny && !self.rules.is_empty() {
            let name = format!("{}_{}", self.name, self.more.len());
            next = format!("goto {name}");
            let rest = std::mem::replace(&mut self.rules, vec![next.clone()]);
            self.more.push(chain(&name, &rest));
        }
        let mut rules = Vec::new();
        for line in lines.iter().filter(|line| line.permit || denies) {
            let verdict = if line.permit { verdict } else { &next };
            rules.extend(
                asks(way, line).into_iter().map(|ask| format!("{ask} {verdict}").trim_start().to_owned()),
            );
        }
        rules.append(&mut self.rules);
        self.rules = rules;
    }
}

/// The tests for what a line selects: one, and if it names ports one for later fragments, which have
/// none. A `deny` line with ports does not mean those.
fn asks(way: Way, line: &Line) -> Vec<String> {
    let Selector { source, destination, protocol, source_port, destination_port } = &line.selector;
    let (from, to, from_port, to_port) = match way {
        Way::Out => (source, destination, source_port, destination_port),
        Way::In => (destination, source, destination_port, source_port),
    };
    let mut tests = Vec::new();
    for (side, net) in [("saddr", from), ("daddr", to)] {
        if net.prefix_len() > 0 {
            tests.push(format!("ip {side} {net}"));
        }
    }
    tests.extend(protocol.map(|protocol| format!("ip protocol {protocol}")));
    let addresses = tests.join(" ");
    tests.extend(from_port.map(|port| format!("th sport {port}")));
    tests.extend(to_port.map(|port| format!("th dport {port}")));
    let has_ports = from_port.is_some() || to_port.is_some();
    let fragments = (has_ports && line.permit).then(|| format!("{addresses} ip frag-off & 0x1fff != 0"));
    std::iter::once(tests.join(" ")).chain(fragments).collect()
}
