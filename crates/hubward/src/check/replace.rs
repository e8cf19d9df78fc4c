//! Whether a configuration may replace a running one: at the console, and by a reload.

use super::start::{is_configuration, is_different, may_start, shown, status};
use crate::base::message::Extent;
use crate::choices::{Choices, Judgement};
use hubward_config::Parsed;
use hubward_config::check::Reference;
use hubward_config::diagnostic::{Code, Diagnostic, Severity, Unenforced};
use hubward_config::document::Class;
use hubward_config::is_hardware;
use hubward_config::model::{AaaMethod, Config, Interface};
use hubward_config::verdict::{Reason, Verdict};

/// Reasons that a refusal shows of one tunnel.
const SHOWN: usize = 3;

/// Refuses to replace a running configuration with one that has unenforced lines that were not
/// allowed, a tunnel that does not exist here, or lines that should have an effect but have none
/// and that the running one does not have, or that lacks a part of a tunnel in use.
/// A router would not have accepted such lines from its console either. A configuration that is
/// accepted gets its choices, and the exit status of the program under it is returned.
///
/// A whole configuration may lose and lack what one that is edited may not: it takes the place of
/// every other if it would start.
///
/// The message reports what the change makes worse, without line numbers: an operator who entered a
/// line has not seen the whole text.
pub(crate) fn may_replace(
    old: &Parsed,
    new: &mut Parsed,
    choices: &Choices,
    extent: Extent,
) -> Result<u8, String> {
    let judgement = choices.apply_known(new);
    let before = choices.judge(old);
    let mut worse = no_longer_here(&before, &judgement);
    let refused_before: Vec<_> = before.refused.iter().map(Unenforced::name).collect();
    for line in judgement.refused.iter().filter(|line| !refused_before.contains(&line.name())) {
        worse.push(format!("`{}` is not accepted: {} ({})", line.name(), line.message, line.kind.name()));
    }
    if !worse.is_empty() {
        return Err(worse.join("; "));
    }
    // what was not allowed before either: the rule of a start
    may_start(&judgement)?;
    if extent == Extent::Whole {
        return match is_configuration(new) {
            true => Ok(status(new, &judgement)),
            false => {
                Err("this is no configuration: it is empty, or most of its lines are not commands".into())
            }
        };
    }
    if let Some(name) = gone_in_use(&old.config, &new.config).first() {
        return Err(match is_hardware(name) {
            true => format!(
                "the interface {name} cannot be removed; `shutdown`, `no ip address` or `default interface` ends what it does"
            ),
            false => {
                format!("the interface {name} cannot be removed before `no crypto map` or `shutdown`")
            }
        });
    }
    let lost = hubward_config::check::lost(&old.config, &new.config);
    if !lost.is_empty() {
        let first = lost.first().map(change_instead).unwrap_or_default();
        let lost = lost
            .iter()
            .map(|one| format!("{} needs the {} {}, which is not defined", one.owner, one.what, one.name));
        return Err(format!("{}{first}", lost.collect::<Vec<_>>().join("; ")));
    }
    let mut emptied = hubward_config::check::emptied(&old.config, &new.config);
    if emptied.is_empty() {
        emptied = ended(old, &before, new, &judgement);
    }
    if !emptied.is_empty() {
        let remedy = "enter the new one first, or remove everything that it belongs to";
        return Err(format!("{}; {remedy}", emptied.join("; ")));
    }
    let is_error = |d: &&Diagnostic| d.severity == Severity::Error && d.code != Code::Unenforced;
    let known = |d: &&Diagnostic| old.diagnostics.iter().any(|o| o.code == d.code && o.message == d.message);
    let broken: Vec<_> = new
        .diagnostics
        .iter()
        .filter(is_error)
        .filter(|d| !known(d))
        .map(|d| format!("`{}`: {} ({})", text_of(new, d.line), d.message, d.remedy))
        .collect();
    if broken.is_empty() { Ok(status(new, &judgement)) } else { Err(broken.join("; ")) }
}

/// What works where a list or a route map must not be missing for a moment.
fn change_instead(lost: &Reference) -> String {
    let by_line = match lost.what {
        "access list" => {
            format!("change its lines (`ip access-list extended {}`, `no 10`, `15 permit ...`)", lost.name)
        }
        "route map" => {
            format!("change its entries (`route-map {} permit 10`, `no match ...`, `match ...`)", lost.name)
        }
        _ => return String::new(),
    };
    format!("; {by_line}, or all at once by `configure replace flash:FILE`")
}

/// The tunnels that would not exist here any more, or not yet, each with what is new of its
/// reasons.
fn no_longer_here(before: &Judgement, after: &Judgement) -> Vec<String> {
    let mut out = Vec::new();
    for verdict in after.verdicts.iter().filter(|verdict| after.missing.contains(&verdict.name)) {
        let old = before.verdicts.iter().find(|old| old.name == verdict.name);
        let known = |reason: &&Reason| {
            old.is_some_and(|old| old.outcome.reasons().iter().any(|old| old.text == reason.text))
        };
        let why: Vec<_> = verdict.outcome.reasons().iter().filter(|reason| !known(reason)).collect();
        if !why.is_empty() {
            let why: Vec<_> = why.into_iter().take(SHOWN).map(|reason| reason.text.as_str()).collect();
            out.push(format!("{} would not exist here: {}", verdict.name, why.join("; ")));
        }
    }
    out
}

/// The interfaces in use that the new configuration no longer names. No router loses a physical one
/// by a change of lines, and a truncated file must not end everything that uses it. The link of one
/// with a crypto map would no longer be guarded, so whoever accepts the loss shuts it.
pub(crate) fn gone_in_use(old: &Config, new: &Config) -> Vec<String> {
    let in_use = |one: &&Interface| {
        // what has no link here carries nothing
        let addressed = is_hardware(&one.name) && !one.address.is_none() && old.has_link(&one.name);
        !one.shutdown && (one.crypto_map.is_some() || addressed)
    };
    let stays = |name: &str| new.interfaces.iter().any(|interface| interface.name == name);
    let gone = old.interfaces.iter().filter(in_use).filter(|one| !stays(&one.name));
    gone.map(|one| one.name.clone()).collect()
}

/// The tunnels and groups that came up before and would not any more, although they stay. Whoever
/// takes a crypto map from its interface, or shuts that, means it.
fn ended(old: &Parsed, before: &Judgement, new: &Parsed, after: &Judgement) -> Vec<String> {
    let mut out = Vec::new();
    for now in after.verdicts.iter().filter(|now| !now.idle && !after.without.contains(&now.name)) {
        let was = before.verdicts.iter().find(|was| was.name == now.name && !was.idle);
        if !was.is_some_and(|was| faults(old, was).is_empty()) {
            continue;
        }
        let faults = faults(new, now);
        if !faults.is_empty() {
            out.push(format!("{} would no longer work: {}", now.name, faults.join("; ")));
        }
    }
    // users are asked for where a list is local
    let local = |parsed: &Parsed| {
        let config = &parsed.config;
        let lists = config.maps.iter().filter_map(|map| map.xauth_list.as_ref().map(|(list, _)| list));
        let lists = lists.chain(config.profiles.iter().filter_map(|profile| profile.xauth_list.as_ref()));
        let is_local = |name: &String| {
            let mut known = config.aaa.login.iter().filter(|list| list.name == *name);
            known.any(|list| list.methods.iter().any(AaaMethod::is_local))
        };
        lists.into_iter().any(is_local)
    };
    if local(old) && local(new) && !old.config.users.is_empty() && new.config.users.is_empty() {
        out.push("the clients of this gateway would lose the last `username`".into());
    }
    out
}

/// Why a tunnel does not come up: its reasons but for lines that are not implemented, and routes to
/// `Null0`, which are orders.
fn faults<'v>(parsed: &Parsed, verdict: &'v Verdict) -> Vec<&'v str> {
    let told = |reason: &Reason| {
        parsed.diagnostics.iter().any(|told| {
            is_different(told)
                && told.line == reason.line
                && (told.message == reason.text || reason.line != verdict.line)
        })
    };
    let routed = |reason: &Reason| parsed.config.routes.iter().any(|route| route.line == reason.line);
    let reasons = verdict.outcome.reasons().iter();
    reasons.filter(|reason| !told(reason) && !routed(reason)).map(|reason| reason.text.as_str()).collect()
}

/// A line of a configuration, without a secret.
fn text_of(parsed: &Parsed, line: u32) -> String {
    let place = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = parsed.document.lines.get(place);
    line.map(|line| shown(line.text.trim(), line.class == Class::Unknown)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::start::DIFFERS;
    use crate::check::start::tests::RUNNING;
    use crate::choices::{Options, Winner};

    fn replaced(before: &str, after: &str) -> Result<(), String> {
        let old = hubward_config::parse(before);
        let mut new = hubward_config::parse(after);
        may_replace(&old, &mut new, &Choices::default(), Extent::Lines).map(drop)
    }

    /// Where static entries do not keep their networks, neither the console nor a reload brings a
    /// filter that peers of its dynamic entry could pass by.
    #[test]
    fn a_filter_of_the_rest_is_not_accepted_with_overlap_newest() {
        let before = "interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.248\n crypto map M\n\
                      crypto map M 10 ipsec-isakmp\n set peer 198.51.100.20\n match address 110\n\
                      crypto map M 65000 ipsec-isakmp dynamic D\ncrypto dynamic-map D 10\n\
                      access-list 110 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                      access-list 120 permit tcp any any eq 80\n";
        let after = before.replace("map D 10\n", "map D 10\n set ip access-group 120 in\n");
        let wanted = "`crypto dynamic-map D 10: set ip access-group 120 in` is not accepted";
        for overlap in [Winner::Holder, Winner::Newest] {
            let choices = Choices::of(&Options { overlap, ..Options::default() }).unwrap();
            for extent in [Extent::Lines, Extent::Whole] {
                let (old, mut new) = (hubward_config::parse(before), hubward_config::parse(&after));
                let said = may_replace(&old, &mut new, &choices, extent).err().unwrap_or_default();
                assert_eq!(said.contains(wanted), overlap == Winner::Newest, "{said}");
            }
        }
    }

    /// A configuration in which a tunnel in use has lost a part is refused as a whole.
    #[test]
    fn a_tunnel_in_use_loses_no_part_by_a_reload() {
        assert_eq!(replaced(RUNNING, RUNNING), Ok(()));
        for (from, to, lost) in [
            ("crypto dynamic-map D 10\n set transform-set AES\n", "", "dynamic map D"),
            ("transform-set AES esp", "transform-set ASE esp", "transform set AES"),
            ("set transform-set AES\n set isa", "set transform-set NEW\n set isa", "transform set NEW"),
            ("crypto keyring K", "crypto keyring L", "keyring K"),
            ("crypto isakmp profile P", "crypto isakmp profile Q", "ISAKMP profile P"),
            ("access-list 101", "access-list 102", "access list 101"),
            (" crypto map M\n", " crypto map N\n", "crypto map N"),
        ] {
            let after = RUNNING.replace(from, to);
            assert_ne!(after, RUNNING);
            let refused = replaced(RUNNING, &after).unwrap_err();
            assert!(refused.contains(lost) && refused.contains("not defined"), "{refused}");
            // what the running one lacks already stays as it is
            assert_eq!(replaced(&after, &after), Ok(()), "{lost}");
        }
    }

    /// A list of translation may be replaced by a paste, as on IOS; where something needs it, the
    /// refusal says what works.
    #[test]
    fn a_list_of_translation_may_be_removed_and_that_of_a_tunnel_says_what_works_instead() {
        let rule = "access-list 120 permit ip 10.1.0.0 0.0.255.255 any\n\
                    ip nat inside source list 120 interface FastEthernet0/0 overload\n";
        let running = format!("{RUNNING}{rule}");
        let without = |list: &str| {
            let lines = running.lines().filter(|line| !line.starts_with(&format!("access-list {list} ")));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        assert_eq!(replaced(&running, &without("120")), Ok(()));
        let refused = replaced(&running, &without("101")).unwrap_err();
        for words in
            ["needs the access list 101", "`ip access-list extended 101`", "configure replace flash:"]
        {
            assert!(refused.contains(words), "{words}: {refused}");
        }
    }

    /// Interfaces may be inserted before others and removed; physical ones stay, so that a
    /// truncated file ends nothing.
    #[test]
    fn interfaces_come_and_go_by_a_reload() {
        let above = format!("interface Loopback0\n ip address 10.9.0.1 255.255.255.255\n{RUNNING}");
        assert_eq!(replaced(RUNNING, &above), Ok(()));
        assert_eq!(replaced(&above, RUNNING), Ok(()));
        let renamed = RUNNING.replace("interface FastEthernet0/0", "interface FastEthernet0/9");
        for text in [renamed.as_str(), "hostname cut\n", ""] {
            let refused = replaced(RUNNING, text).unwrap_err();
            assert!(refused.contains("FastEthernet0/0 cannot be removed"), "{refused}");
        }
        // what has no link here is no physical one
        let typed = format!("{RUNNING}interface Serial0/0\n ip address 10.77.0.1 255.255.255.0\n");
        assert_eq!(replaced(&typed, RUNNING), Ok(()));
        // the link of a made one stays, and what its map protects would leave by it
        let second = format!("{RUNNING}interface Dialer1\n ip address negotiated\n crypto map M\n");
        let refused = replaced(&second, RUNNING).unwrap_err();
        assert!(refused.contains("Dialer1 cannot be removed before `no crypto map`"), "{refused}");
        for ended in [" no crypto map M\n", " shutdown\n"] {
            let ended = format!("{second}{ended}");
            assert_eq!(replaced(&second, &ended), Ok(()), "{ended}");
            assert_eq!(replaced(&ended, RUNNING), Ok(()), "{ended}");
        }
    }

    /// The lines below a missing or misspelt line belong to nothing, or to the entry before it.
    #[test]
    fn an_entry_that_loses_its_first_line_by_a_reload_is_refused() {
        let second = "crypto map M 20 ipsec-isakmp\n set peer 203.0.113.20\n set transform-set AES\n match address 102\n";
        let running = RUNNING.replace("crypto map M 65000", &format!("{second}crypto map M 65000"));
        assert_eq!(replaced(&running, &running), Ok(()));
        for (from, to, name) in [
            ("crypto map M 20 ipsec-isakmp\n", "", "M/10"),
            ("crypto map M 20", "crypto mpa M 20", "crypto mpa M 20"),
            ("crypto map M 10 ipsec-isakmp\n", "", "set peer 203.0.113.10"),
            ("crypto map M 10", "crypto mpa M 10", "crypto mpa M 10"),
            ("crypto dynamic-map D", "crypto dynamic-mpa D", "crypto dynamic-mpa D 10"),
        ] {
            let refused = replaced(&running, &running.replace(from, to)).unwrap_err();
            assert!(refused.contains(&format!("{name} would not exist here")), "{name}: {refused}");
        }
    }

    /// A configuration in which an entry in use stays and has lost the last of something it needs
    /// is refused as a whole.
    #[test]
    fn a_tunnel_in_use_is_not_emptied_by_a_reload() {
        let permit = "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
        let named = RUNNING.replace("access-list 101 permit", "ip access-list extended 101\n permit");
        let sets = "10.2.0.0 0.0.255.255\ncrypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n";
        for (running, from, to, lost) in [
            (
                RUNNING,
                permit,
                "access-list 101 deny ip any any\n",
                "access list 101 of crypto map M 10 would lose its last `permit`",
            ),
            (&named, " permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n", "", "last `permit`"),
            (RUNNING, " match address 101\n", "", "crypto map M 10 would lose its last `match address`"),
            (RUNNING, " set peer 203.0.113.10\n", "", "crypto map M 10 would lose its last `set peer`"),
            (
                RUNNING,
                sets,
                &sets.replace(" set transform-set AES\n", ""),
                "crypto map M 10 would lose its last `set transform-set`",
            ),
            (
                RUNNING,
                "D 10\n set transform-set AES\n",
                "D 10\n",
                "crypto dynamic-map D 10 would lose its last `set transform-set`",
            ),
            (
                RUNNING,
                " pre-shared-key address 203.0.113.10 key k\n",
                "",
                "crypto keyring K would lose its last key",
            ),
            (
                RUNNING,
                " match identity address 203.0.113.10\n",
                "",
                "crypto isakmp profile P would lose its last `match identity`",
            ),
        ] {
            let after = running.replace(from, to);
            assert_ne!(after, running, "{lost}");
            let refused = replaced(running, &after).unwrap_err();
            assert!(refused.contains(lost), "{refused}");
            assert_eq!(replaced(&after, running), Ok(()), "{lost}");
        }
        // removing the whole entry is intentional
        let entry = "crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n set isakmp-profile P\n match address 101\n";
        let without = RUNNING.replace(entry, "");
        assert_ne!(without, RUNNING);
        assert_eq!(replaced(RUNNING, &without), Ok(()));
        // what is not whole yet may lose what it has
        let more = format!("{RUNNING}crypto map M 20 ipsec-isakmp\n set peer 203.0.113.20\n");
        assert_eq!(replaced(&more, &more.replace(" set peer 203.0.113.20\n", "")), Ok(()));
    }

    /// The last key by `crypto isakmp key` was removed silently.
    #[test]
    fn what_a_tunnel_cannot_come_up_without_is_not_taken_away() {
        let text = |keys: &str, more: &str| {
            format!(
                "{keys}crypto isakmp policy 10\n authentication pre-share\n group 14\n encr aes\n\
                 crypto isakmp policy 20\n authentication pre-share\n group 14\n encr aes\n\
                 crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
                 access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                 crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n match address 101\n\
                 {more}interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map M\n"
            )
        };
        let dynamic =
            "crypto dynamic-map D 10\n set transform-set AES\ncrypto map M 65000 ipsec-isakmp dynamic D\n";
        let clients = "aaa new-model\naaa authentication login U local\naaa authorization network G local\n\
                       username ada password 0 x\nip local pool P 10.9.9.1 10.9.9.9\n\
                       crypto isakmp client configuration group staff\n key g\n pool P\n\
                       crypto dynamic-map D 10\n set transform-set AES\n\
                       crypto map M client authentication list U\ncrypto map M isakmp authorization list G\n\
                       crypto map M client configuration address respond\ncrypto map M 65000 ipsec-isakmp dynamic D\n";
        let own = "crypto isakmp key k address 203.0.113.10\n";
        let any = "crypto isakmp key k address 0.0.0.0 0.0.0.0\n";
        let by_name = "crypto isakmp key k hostname branch.example\n";
        let only_branches = format!("{by_name}crypto isakmp key k address 203.0.113.10 no-xauth\n");
        for (running, gone, refused) in [
            (text(own, ""), own, true),
            (text(any, ""), any, true),
            (text(any, dynamic), any, true),
            // another one still serves it
            (text(&format!("{own}{any}"), ""), own, false),
            (text(&format!("{own}{any}"), ""), any, false),
            // of the names only the last one
            (text(&only_branches, dynamic), by_name, false),
            (
                text(own, ""),
                "crypto isakmp policy 20\n authentication pre-share\n group 14\n encr aes\n",
                false,
            ),
            (text(own, ""), "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n", true),
            (text(own, ""), " ip address 198.51.100.2 255.255.255.248\n", true),
            (text(own, clients), "ip local pool P 10.9.9.1 10.9.9.9\n", true),
            (text(own, clients), " pool P\n", true),
            (text(own, clients), " key g\n", true),
            (text(own, clients), "aaa authentication login U local\n", true),
            (text(own, clients), "aaa authorization network G local\n", true),
            (text(own, clients), "username ada password 0 x\n", true),
            // who does that means it
            (text(own, ""), " crypto map M\n", false),
        ] {
            let after = running.replacen(gone, "", 1);
            assert_ne!(after, running, "{gone}");
            assert_eq!(replaced(&running, &running), Ok(()), "{running}");
            let done = replaced(&running, &after);
            assert_eq!(done.is_err(), refused, "{gone}: {done:?}");
            if let Err(why) = done {
                assert!(!why.contains("--without") && !why.contains("line "), "{gone}: {why}");
            }
            assert_eq!(replaced(&after, &running), Ok(()), "{gone}");
        }
        // both policies
        let none = text(own, "").replace("crypto isakmp policy", "!");
        assert!(replaced(&text(own, ""), &none).unwrap_err().contains("M/10 would not exist here"));
    }

    /// What was typed is refused for what it does, in words for who typed it.
    #[test]
    fn a_refusal_at_the_console_names_what_the_change_makes_worse_and_nothing_else() {
        let weak = RUNNING.replace(" match address 101\n", " match address 101\n set nat demux\n");
        let tunnel = format!("{weak}interface Tunnel7\n tunnel source FastEthernet0/0\n");
        let why = replaced(&weak, &tunnel).unwrap_err();
        assert_eq!(why, "Tunnel7 would not exist here: `tunnel source FastEthernet0/0` is not implemented");
        let filter = format!("{weak} ip inspect FW in\n");
        let why = replaced(&weak, &filter).unwrap_err();
        assert!(why.starts_with("`interface FastEthernet0/0: ip inspect FW in` is not accepted: "), "{why}");
        for word in ["--without", "--allow", "line ", "does not start", "nat demux"] {
            assert!(!why.contains(word), "{word}: {why}");
        }
        // a reason that it had before is not said again
        let list = weak.replace("10.2.0.0 0.0.255.255", "10.2.0.0 0.0.255.255 log fragments");
        let why = replaced(&weak, &list).unwrap_err();
        assert!(why.starts_with("M/10 would not exist here: ") && !why.contains("nat demux"), "{why}");
    }

    /// Lines that no tunnel in use needs may be entered in any order.
    #[test]
    fn an_entry_that_is_being_typed_may_lack_its_parts() {
        let more = format!(
            "{RUNNING}crypto map M 20 ipsec-isakmp\n match address LATER\n set transform-set LATER\n"
        );
        assert_eq!(replaced(RUNNING, &more), Ok(()));
        let beside = format!("{RUNNING}crypto map OTHER 10 ipsec-isakmp\n match address LATER\n");
        assert_eq!(replaced(RUNNING, &beside), Ok(()));
        assert_eq!(replaced(RUNNING, &RUNNING.replace(" crypto map M\n", "")), Ok(()), "that is an order");
    }

    /// The program ends with what the configuration in force comes to, not the one of its start.
    #[test]
    fn another_configuration_has_an_exit_status_of_its_own() {
        let hub = include_str!("../../../../examples/hub.cfg");
        let old = hubward_config::parse(hub);
        let status = |text: &str| {
            may_replace(&old, &mut hubward_config::parse(text), &Choices::default(), Extent::Lines).unwrap()
        };
        assert_eq!(status(hub), 0);
        assert_eq!(status(&hub.replace("ip classless\n", "ip classless\nip policy frobnicate\n")), DIFFERS);
    }

    /// What is not allowed at the start is refused at the console too, and what is allowed is not.
    #[test]
    fn a_new_line_that_nothing_holds_is_refused_at_the_console() {
        let filtered = format!("{RUNNING} ip inspect FW in\n");
        assert!(replaced(RUNNING, &filtered).unwrap_err().contains("inspect"));
        let tunnel = format!("{RUNNING}interface Tunnel7\n tunnel source FastEthernet0/0\n");
        assert!(replaced(RUNNING, &tunnel).unwrap_err().contains("Tunnel7 would not exist here"));
        let list = RUNNING.replace("10.2.0.0 0.0.255.255", "10.2.0.0 0.0.255.255 log fragments");
        assert!(replaced(RUNNING, &list).unwrap_err().contains("M/10 would not exist here"));
    }
}
