//! The table for the time before the gateway runs, in as far as it can be made without one: what it
//! cannot filter it does not pass.
//!
//! | not known then | what becomes of it |
//! |---|---|
//! | the link of an interface with a filter or a translation | nothing is forwarded by links that the configuration does not name |
//! | an address by DHCP | what would be translated to it is dropped |
//! | the time, whose clock may be wrong | a line with a time range permits nothing, and always denies |

use super::held;
use super::rules::one_to_one::still_held;
use super::rules::{Here, Rules, TABLE, rules};
use super::{Kept, put};
use crate::machine::apply::is_plain;
use crate::machine::faces::LOOPBACK;
use anyhow::Context as _;
use hubward_config::Parsed;
use hubward_config::model::{Config, Interface};
use hubward_linux::nftables::{Chain, Hook, Nftables, Rule, Table, Verdict};
use std::collections::BTreeSet;

/// What was put in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InForce {
    /// The configuration neither filters nor translates.
    Nothing,
    /// All of it that can be known.
    Filters {
        /// Interfaces whose link is not known.
        unknown: Vec<String>,
    },
}

/// Puts the table of a configuration in place. If that fails, nothing is forwarded any more.
pub(crate) fn set_up(mut parsed: Parsed, here: Here<'_>) -> anyhow::Result<InForce> {
    // nobody is there who would change the table when a range begins or ends
    parsed.config.time_ranges.clear();
    let filters = Nftables::open()?;
    let unknown = unknown(&parsed.config, here);
    let wanted = with_unknown(rules(&parsed, here), &unknown, here);
    if wanted.text.is_empty() {
        filters.remove(TABLE)?;
        return Ok(InForce::Nothing);
    }
    let there = held::read(&filters, &wanted.pools).unwrap_or_default();
    let held = Kept { stays: still_held(&wanted.pools, &there), there };
    let loaded = put(Some(&filters), None, &wanted, &held).or_else(|error| {
        // a kernel may lack what follows FTP
        let plain = with_unknown(rules(&parsed, Here { follows: false, ..here }), &unknown, here);
        put(Some(&filters), None, &plain, &held).map_err(|_| error)
    });
    if let Err(error) = loaded {
        filters.replace(&closed()).context("nothing filters, and forwarding cannot be stopped")?;
        return Err(error).context(
            "the access lists and address translation cannot be put in place, so nothing is forwarded (`hubward release` changes that)",
        );
    }
    Ok(InForce::Filters { unknown })
}

/// The interfaces that filter or translate and whose link is not known.
fn unknown(config: &Config, here: Here<'_>) -> Vec<String> {
    let acts = |one: &Interface| {
        let lists = [&one.access_in, &one.access_out, &one.policy];
        lists.into_iter().any(Option::is_some) || one.source_check.is_some() || one.nat.is_some()
    };
    let unknown = config.interfaces.iter().filter(|one| !one.shutdown && acts(one));
    unknown.filter(|one| !here.names.contains_key(&one.name)).map(|one| one.name.clone()).collect()
}

/// The rules, and one by which links that are not known forward nothing.
fn with_unknown(mut made: Rules, unknown: &[String], here: Here<'_>) -> Rules {
    if unknown.is_empty() {
        return made;
    }
    let known: BTreeSet<&str> = here.names.values().map(String::as_str).chain(here.tun).collect();
    // what cannot be quoted is not known
    let known = known.into_iter().filter(|link| is_plain(link)).chain([LOOPBACK]);
    let known = known.map(|link| format!("\"{link}\""));
    let known = known.collect::<Vec<_>>().join(", ");
    made.parts.push("chain unknown_links".into());
    made.text += &format!(
        "  chain unknown_links {{\n    type filter hook forward priority -145; policy accept;\n    iifname != {{ {known} }} drop\n    oifname != {{ {known} }} drop\n  }}\n"
    );
    made
}

/// A table that forwards nothing. It needs no program.
fn closed() -> Table {
    let rules = vec![Rule::new(Vec::new(), Verdict::Drop)];
    let chains = vec![Chain { name: "closed".into(), hook: Some(Hook::Forward), rules }];
    Table { name: TABLE.into(), sets: Vec::new(), chains }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::view::Names;
    use crate::router;
    use hubward_config::parse;

    const HQ: &str = include_str!("../../../../examples/hq-2911.cfg");

    fn made(text: &str, links: &[(&str, &str)]) -> (Vec<String>, String) {
        let names: Names = links.iter().map(|(ios, linux)| ((*ios).into(), (*linux).into())).collect();
        let mut parsed = parse(text);
        parsed.config.time_ranges.clear();
        let here = router::here(&parsed.config, &names, &[], Some("hubward0"));
        let unknown = unknown(&parsed.config, here);
        let text = with_unknown(rules(&parsed, here), &unknown, here).text;
        (unknown, text)
    }

    #[test]
    fn links_that_are_not_known_forward_nothing() {
        let all =
            [("GigabitEthernet0/0", "wan"), ("GigabitEthernet0/1", "lan"), ("GigabitEthernet0/2", "dmz")];
        let (unknown, text) = made(HQ, &all);
        assert!(unknown.is_empty() && !text.contains("unknown_links"), "{unknown:?}\n{text}");
        let (unknown, text) = made(HQ, &all[..2]);
        assert_eq!(unknown, ["GigabitEthernet0/2"]);
        let known = "{ \"hubward0\", \"lan\", \"wan\", \"lo\" } drop\n";
        for way in ["iifname", "oifname"] {
            assert!(text.contains(&format!("    {way} != {known}")), "{text}");
        }
        // what is known is filtered nevertheless
        assert!(text.contains("iifname \"wan\" jump in_0"), "{text}");
        // an interface that does nothing does not count
        let (unknown, text) = made("interface GigabitEthernet0/7\n ip address 10.7.0.1 255.255.0.0\n", &[]);
        assert_eq!((unknown.len(), text.as_str()), (0, ""));
    }

    /// A line that holds now would go on holding until somebody is there.
    #[test]
    fn a_time_range_opens_nothing() {
        let text = "\
interface GigabitEthernet0/0
 ip address 10.1.1.1 255.255.255.0
 ip access-group L in
ip access-list extended L
 permit tcp any any eq 80 time-range ALWAYS
 deny udp any any eq 53 time-range NEVER
 permit udp any any
time-range ALWAYS
 periodic daily 0:00 to 23:59
time-range NEVER
 absolute end 0:01 1 January 2001
";
        let (_, text) = made(text, &[("GigabitEthernet0/0", "eth0")]);
        assert!(!text.contains("dport 80") && text.contains("dport 53 counter"), "{text}");
    }

    /// What would be translated to an address that is not known is dropped.
    #[test]
    fn a_translation_without_an_address_drops() {
        let text = "\
interface GigabitEthernet0/0
 ip address dhcp
 ip nat outside
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
access-list 1 permit any
ip nat inside source list 1 interface GigabitEthernet0/0 overload
";
        let (_, text) = made(text, &[("GigabitEthernet0/0", "eth0"), ("GigabitEthernet0/1", "eth1")]);
        assert!(text.contains("chain to_0 {\n    drop\n"), "{text}");
    }
}
