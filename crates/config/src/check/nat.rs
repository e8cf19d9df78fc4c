//! Address translation that takes packets from a crypto map: a router translates first, and what
//! the access list selects by its own addresses has others then.

use super::crossed::{Selecting, meet, selecting};
use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Class;
use crate::model::{Acl, Config};
use crate::parsed::Parsed;
use crate::verdict::lines::{Block, Spelled, blocks};
use crate::verdict::{Flow, selected};
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What a rule translates: sources and destinations.
struct Rule<'p> {
    line: Spelled<'p>,
    flows: Vec<Flow>,
}

pub(super) fn check(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    // without a rule there is nothing to look for
    let is_rule = |line: &crate::document::Line| {
        line.class == Class::Implemented && line.spelled.starts_with("ip nat inside source ")
    };
    if !parsed.document.lines.iter().any(is_rule) {
        return;
    }
    let blocks = blocks(parsed);
    let config = &parsed.config;
    let outside: BTreeSet<String> = blocks
        .iter()
        .filter(|block| block.head.begins("interface") && block.having("ip nat outside").next().is_some())
        .map(Block::interface)
        .collect();
    let bearers = config.interfaces.iter().filter(|interface| outside.contains(&interface.name));
    let maps: BTreeSet<&str> = bearers.filter_map(|interface| interface.crypto_map.as_deref()).collect();
    let translated = |map: &str| maps.contains(map);
    let all: Vec<_> = selecting(config).into_iter().filter(|one| translated(&one.map.name)).collect();
    let pools = clients(config, translated);
    let maps = by_name(&blocks);
    let rules = blocks.iter().map(|block| block.head).filter(|head| head.class == Class::Implemented);
    let mut left = COMPARED;
    for rule in rules.filter_map(|line| rule(config, &maps, line)) {
        let pairs = all.iter().map(|one| one.flows.len()).sum::<usize>().saturating_mul(rule.flows.len());
        left = left.saturating_sub(pairs);
        if left == 0 {
            let message = "there are so many rules of NAT and access lists of crypto maps that not all of them were compared";
            say(found, Severity::Notice, Code::NatFirst, rule.line.line, message.into(), "");
            return;
        }
        crypto_lists(&rule, &all, found);
        client_pools(&rule, &pools, found);
    }
}

/// Pairs of flows that are compared; of more, nobody reads what is said.
const COMPARED: usize = 4_000_000;

/// The entries of route maps by the maps' names.
type RouteMaps<'b> = BTreeMap<&'b str, Vec<&'b Block<'b>>>;

fn by_name<'b>(blocks: &'b [Block<'b>]) -> RouteMaps<'b> {
    let mut maps: RouteMaps<'_> = BTreeMap::new();
    for block in blocks.iter().filter(|block| block.head.begins("route-map")) {
        if let Some(name) = block.head.word(1) {
            maps.entry(name).or_default().push(block);
        }
    }
    maps
}

/// The pools of clients of maps that are on an interface with `ip nat outside`.
fn clients(config: &Config, translated: impl Fn(&str) -> bool) -> Vec<(&str, IpNet)> {
    let serves = |map: &&crate::model::CryptoMap| {
        translated(&map.name) && map.entries.iter().any(|entry| entry.dynamic.is_some())
    };
    if !config.maps.iter().any(|map| serves(&map)) {
        return Vec::new();
    }
    let of_all = config.crypto.address_pool.as_ref().map(|(pool, _)| pool.as_str());
    let named: BTreeSet<&str> =
        config.groups.iter().filter_map(|group| config.pool_of(group)).chain(of_all).collect();
    let pools = config.pools.iter().filter(|pool| named.contains(pool.name.as_str()));
    // both ends of a range stand for all of it
    let ends = pools.flat_map(|pool| [(pool.name.as_str(), pool.low), (pool.name.as_str(), pool.high)]);
    ends.map(|(name, end)| (name, IpNet::from(end))).collect()
}

/// The rule of a line, if what it translates is known.
fn rule<'p>(config: &Config, maps: &RouteMaps<'_>, line: Spelled<'p>) -> Option<Rule<'p>> {
    let words: Vec<_> = line.text.split_whitespace().collect();
    let ["ip", "nat", "inside", "source", of @ ..] = words.as_slice() else { return None };
    let flows = match of {
        ["list", name, ..] => selected(config, list(config, name)?)?,
        ["route-map", name, ..] => by_route_map(config, maps, name)?,
        ["static", of @ ..] => {
            let address = of.iter().find_map(|word| word.parse::<Ipv4Addr>().ok())?;
            let host = match of.first() {
                Some(&"network") => return None,
                _ => Ipv4Net::from(address),
            };
            let all: Flow = (host.into(), Ipv4Net::default().into());
            // a route map may except the peers' networks
            match of.iter().skip_while(|word| **word != "route-map").nth(1) {
                Some(name) => {
                    by_route_map(config, maps, name)?.into_iter().filter_map(|flow| both(flow, all)).collect()
                }
                None => vec![all],
            }
        }
        _ => return None,
    };
    Some(Rule { line, flows })
}

fn list<'c>(config: &'c Config, name: &str) -> Option<&'c Acl> {
    config.acls.iter().find(|acl| acl.name == name)
}

/// What a route map of a single entry selects; of several, it is not known here.
fn by_route_map(config: &Config, maps: &RouteMaps<'_>, name: &str) -> Option<Vec<Flow>> {
    let [entry] = maps.get(name)?.as_slice() else { return None };
    if entry.head.word(2) == Some("deny") || entry.below.iter().any(|line| line.begins("match interface")) {
        return None;
    }
    let lists = entry.having("match ip address").next()?.text.split_whitespace().skip(3);
    let mut flows = Vec::new();
    for name in lists {
        flows.extend(selected(config, list(config, name)?)?);
    }
    Some(flows)
}

/// What two flows have in common.
fn both(one: Flow, other: Flow) -> Option<Flow> {
    let narrow = |one: IpNet, other: IpNet| if one.contains(&other) { other } else { one };
    (meet(one.0, other.0) && meet(one.1, other.1)).then(|| (narrow(one.0, other.0), narrow(one.1, other.1)))
}

fn wildcard(net: IpNet) -> String {
    match net {
        _ if net.prefix_len() == 0 => "any".into(),
        _ if net.prefix_len() == net.max_prefix_len() => format!("host {}", net.addr()),
        _ => format!("{} {}", net.network(), net.hostmask()),
    }
}

fn crypto_lists(rule: &Rule<'_>, all: &[Selecting<'_>], found: &mut Vec<Diagnostic>) {
    for one in all {
        let taken = one.flows.iter().find_map(|flow| rule.flows.iter().find_map(|own| both(*own, *flow)));
        let Some((from, to)) = taken else { continue };
        let message = format!(
            "`{}` translates packets from {from} to {to} before crypto map {}{} sees them: on a router they leave unencrypted",
            rule.line.front(),
            one.name(),
            one.entry.terms.acl.as_ref().map(|list| format!(" (access list {list})")).unwrap_or_default()
        );
        let remedy = except(&rule.line, from, to);
        say(found, Severity::Warning, Code::NatFirst, rule.line.line, message, remedy);
    }
}

fn client_pools(rule: &Rule<'_>, pools: &[(&str, IpNet)], found: &mut Vec<Diagnostic>) {
    // answers to a host that is published go by its own rule
    let to = |net: &IpNet| rule.flows.iter().find(|(_, to)| to.contains(net));
    let taken = pools.iter().find_map(|(name, end)| Some((*name, *end, to(end)?)));
    if let Some((name, end, (from, _))) = taken {
        let message = format!(
            "`{}` translates packets from {from} to the clients of pool {name}: on a router they leave unencrypted",
            rule.line.front()
        );
        say(
            found,
            Severity::Warning,
            Code::NatFirst,
            rule.line.line,
            message,
            except(&rule.line, *from, end),
        );
    }
}

fn except(line: &Spelled<'_>, from: IpNet, to: IpNet) -> String {
    let rule = format!("`deny ip {} {}`", wildcard(from), wildcard(to));
    match line.has("static") {
        true => format!("let a route map except them: its list needs {rule} before its `permit`"),
        false => format!("put {rule} before the `permit` of the rule's list"),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    const BASE: &str = "\
ip access-list extended VPN
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
crypto map M 10 ipsec-isakmp
 set peer 198.51.100.20
 match address VPN
interface FastEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 ip nat outside
 crypto map M
interface FastEthernet0/1
 ip address 10.1.0.1 255.255.0.0
 ip nat inside
";
    const RULE: &str = "ip nat inside source list NAT interface FastEthernet0/0 overload\n";

    fn told(text: &str) -> Vec<String> {
        let told = crate::parse(text).diagnostics;
        told.into_iter().filter(|told| told.code == Code::NatFirst).map(|told| told.message).collect()
    }

    #[test]
    fn a_rule_that_takes_packets_from_a_crypto_map_is_told() {
        let list = |lines: &str| format!("{BASE}{RULE}ip access-list extended NAT\n{lines}");
        let except = " deny ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
        let permit = " permit ip 10.1.0.0 0.0.255.255 any\n";
        let by_map = RULE.replace("list NAT", "route-map R");
        for (text, takes) in [
            (list(permit), true),
            (list(&format!("{except}{permit}")), false),
            (list(&format!("{permit}{except}")), true),
            (list(" permit ip 10.9.0.0 0.0.255.255 any\n"), false),
            (
                list(
                    " deny ip 10.1.7.0 0.0.0.255 10.2.0.0 0.0.255.255\n permit ip 10.1.0.0 0.0.255.255 any\n",
                ),
                true,
            ),
            // what the rule excepts is not known
            (list(&format!(" deny tcp any any\n{permit}")), false),
            (list(permit).replace(" ip nat outside\n", ""), false),
            (format!("{BASE}{}access-list 1 permit 10.1.0.0 0.0.255.255\n", RULE.replace("NAT", "1")), true),
            (
                list(permit)
                    .replace(RULE, &format!("{by_map}route-map R permit 10\n match ip address NAT\n")),
                true,
            ),
            (
                list(&format!("{except}{permit}"))
                    .replace(RULE, &format!("{by_map}route-map R permit 10\n match ip address NAT\n")),
                false,
            ),
            (format!("{BASE}ip nat inside source static 10.1.0.9 203.0.113.3\n"), true),
            (format!("{BASE}ip nat inside source static tcp 10.1.0.9 80 203.0.113.3 80 extendable\n"), true),
            (format!("{BASE}ip nat inside source static 172.16.0.9 203.0.113.3\n"), false),
        ] {
            let told = told(&text);
            assert_eq!(!told.is_empty(), takes, "{text}: {told:?}");
            assert!(told.iter().all(|told| told.contains("crypto map M 10")), "{told:?}");
        }
    }

    /// What goes back to clients is translated as well.
    #[test]
    fn a_rule_that_takes_what_goes_to_clients_is_told() {
        let clients = "ip local pool P 10.9.9.1 10.9.9.9\ncrypto isakmp client configuration group G\n key g\n pool P\n\
                       crypto dynamic-map D 10\n set transform-set T\ncrypto map M 65000 ipsec-isakmp dynamic D\n";
        let text = |deny: &str| {
            format!(
                "{BASE}{clients}{RULE}ip access-list extended NAT\n{deny} deny ip any 10.2.0.0 0.0.255.255\n permit ip 10.1.0.0 0.0.255.255 any\n"
            )
        };
        let found = told(&text(""));
        assert!(found.len() == 1 && found[0].contains("the clients of pool P"), "{found:?}");
        assert_eq!(told(&text(" deny ip any 10.9.9.0 0.0.0.255\n")), [""; 0]);
        let of_all =
            text("").replace(" pool P\n", "crypto isakmp client configuration address-pool local P\n");
        assert_eq!(told(&of_all), found);
    }
}
