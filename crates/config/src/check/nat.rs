//! Address translation that takes packets from a crypto map: a router translates first, and what
//! the access list selects by its own addresses has others then. And rules that translate nothing.

use super::crossed::{Selecting, meet, selecting};
use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Acl, Config, NatRule, NatSelect, NatSide, RouteMap, RouteMatch, StaticNatPair};
use crate::parsed::Parsed;
use crate::verdict::{Flow, less_flows, selected};
use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a rule translates: sources and destinations.
struct Rule<'p> {
    rule: &'p NatRule,
    /// The line, as messages show it.
    front: String,
    flows: Vec<Flow>,
}

pub(super) fn check(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    // without a rule there is nothing to look for
    if config.nat.rules.is_empty() {
        return;
    }
    one_sided(parsed, found);
    let mut bearers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for interface in config.interfaces.iter().filter(|interface| interface.nat == Some(NatSide::Outside)) {
        if let Some(map) = &interface.crypto_map {
            bearers.entry(map.as_str()).or_default().insert(interface.name.as_str());
        }
    }
    let all: Vec<_> =
        selecting(config).into_iter().filter(|one| bearers.contains_key(one.map.name.as_str())).collect();
    let pools = clients(config, |map| bearers.contains_key(map));
    let named = Named::of(config);
    let everywhere: BTreeSet<&str> = bearers.values().flatten().copied().collect();
    let mut left = COMPARED;
    for rule in &config.nat.rules {
        let of_pools = named.translates(parsed, rule, &everywhere);
        let own = of_pools.as_ref().map_or(1, |rule| rule.flows.len());
        let pairs = all.iter().map(|one| one.flows.len()).sum::<usize>().saturating_mul(own);
        left = left.saturating_sub(pairs);
        if left == 0 {
            let message = "there are so many rules of NAT and access lists of crypto maps that not all of them were compared";
            say(found, Severity::Notice, Code::NatFirst, rule.line(), message.into(), "");
            return;
        }
        for (map, bearers) in &bearers {
            // only an entry with `match interface` is another one for another interface
            let of_map = match bearers.len() == everywhere.len() {
                true => None,
                false => named.translates(parsed, rule, bearers),
            };
            if let Some(rule) = of_map.as_ref().or(of_pools.as_ref()) {
                crypto_lists(rule, all.iter().filter(|one| one.map.name == *map), found);
            }
        }
        if let Some(rule) = &of_pools {
            client_pools(rule, &pools, found);
        }
    }
}

/// Pairs of flows that are compared; of more, nobody reads what is said.
const COMPARED: usize = 4_000_000;

/// Rules of which nothing comes, because no interface is on one of the sides.
fn one_sided(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let has = |side: NatSide| {
        let mut up = config.interfaces.iter().filter(|one| !one.shutdown && !one.kind.is_absent());
        up.any(|one| one.nat == Some(side) && one.vrf.is_none())
    };
    let missing = match (has(NatSide::Inside), has(NatSide::Outside)) {
        (true, true) => return,
        (true, false) => "no interface has `ip nat outside`",
        (false, true) => "no interface has `ip nat inside`",
        (false, false) => "no interface is inside or outside",
    };
    for rule in &config.nat.rules {
        let message = format!("`{}` translates nothing: {missing}", front(parsed, rule.line()));
        let remedy = "say of the interfaces on which side they are, or remove the line";
        say(found, Severity::Warning, Code::Unapplied, rule.line(), message, remedy);
    }
}

/// A line as messages show it.
pub(super) fn front(parsed: &Parsed, line: u32) -> String {
    let place = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    parsed.document.lines.get(place).map(|line| crate::secret::shown(&line.spelled)).unwrap_or_default()
}

/// The pools of clients of maps that are on an interface with `ip nat outside`.
fn clients(config: &Config, translated: impl Fn(&str) -> bool) -> Vec<(&str, Vec<IpNet>)> {
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
    pools.map(|pool| (pool.name.as_str(), networks(pool.low, pool.high))).collect()
}

/// The networks that are all of a range.
fn networks(low: IpAddr, high: IpAddr) -> Vec<IpNet> {
    match (low, high) {
        (IpAddr::V4(low), IpAddr::V4(high)) => Ipv4Subnets::new(low, high, 0).map(IpNet::from).collect(),
        _ => vec![low.into(), high.into()],
    }
}

/// Lines that one can be asked to write.
const LINES: usize = 2;

/// Networks as few lines write them: themselves, or the one around all of them.
fn around(nets: &[IpNet]) -> Vec<IpNet> {
    let (Some(first), Some(last)) = (nets.first(), nets.last()) else { return Vec::new() };
    let is_around = |net: &IpNet| net.contains(first) && net.contains(last);
    let mut wider = std::iter::successors(Some(*first), IpNet::supernet);
    match wider.find(is_around).filter(|_| nets.len() > LINES) {
        Some(net) => vec![net],
        None => nets.to_vec(),
    }
}

/// What rules name.
struct Named<'c> {
    config: &'c Config,
    lists: BTreeMap<&'c str, &'c Acl>,
    maps: BTreeMap<&'c str, &'c RouteMap>,
}

impl<'c> Named<'c> {
    fn of(config: &'c Config) -> Self {
        Self {
            config,
            lists: config.acls.iter().map(|acl| (acl.name.as_str(), acl)).collect(),
            maps: config.route_maps.iter().map(|map| (map.name.as_str(), map)).collect(),
        }
    }

    /// What a rule translates of what leaves by one of some interfaces, if that is known.
    fn translates<'p>(&self, parsed: &Parsed, rule: &'p NatRule, out: &BTreeSet<&str>) -> Option<Rule<'p>> {
        let flows = match rule {
            NatRule::Dynamic(dynamic) => match &dynamic.which {
                NatSelect::List(name) => selected(self.config, self.lists.get(name.as_str())?)?,
                NatSelect::RouteMap(name) => self.by_route_map(name, out)?,
            },
            NatRule::Static(fixed) => {
                let local = match &fixed.what {
                    StaticNatPair::Host { local, .. } | StaticNatPair::Port { local, .. } => {
                        Ipv4Net::from(*local)
                    }
                    StaticNatPair::Network { local, .. } => *local,
                };
                let all: Flow = (local.into(), Ipv4Net::default().into());
                // a route map may except the peers' networks
                match &fixed.route_map {
                    Some(name) => {
                        let flows = self.by_route_map(name, out)?.into_iter();
                        flows.filter_map(|flow| both(flow, all)).collect()
                    }
                    None => vec![all],
                }
            }
        };
        Some(Rule { rule, front: front(parsed, rule.line()), flows })
    }

    /// What a route map permits: the first entry that matches decides.
    fn by_route_map(&self, name: &str, out: &BTreeSet<&str>) -> Option<Vec<Flow>> {
        let (mut flows, mut denied): (Vec<Flow>, Vec<Flow>) = (Vec::new(), Vec::new());
        for entry in &self.maps.get(name)?.entries {
            let mut own: Vec<Flow> = vec![(Ipv4Net::default().into(), Ipv4Net::default().into())];
            let mut concerns = true;
            for one in &entry.matches {
                match one {
                    RouteMatch::Address(lists) => {
                        let lists = lists.iter().map(|list| self.selects(list, entry.permit));
                        own = lists.collect::<Option<Vec<_>>>()?.concat();
                    }
                    RouteMatch::Interface(names) => {
                        let is_meant = |out: &&str| names.iter().any(|name| name == out);
                        // an entry that denies on some of them leaves the others
                        concerns =
                            if entry.permit { out.iter().any(is_meant) } else { out.iter().all(is_meant) };
                    }
                    RouteMatch::Length(..) | RouteMatch::NextHop(_) | RouteMatch::Other(_) => return None,
                }
            }
            match (concerns, entry.permit) {
                (false, _) => {}
                (true, true) => flows.extend(less_flows(own, &denied)),
                (true, false) => denied.extend(own),
            }
        }
        Some(flows)
    }

    /// What a list of a route map selects. Of an entry that denies, it must be known whole.
    fn selects(&self, name: &str, permit: bool) -> Option<Vec<Flow>> {
        let acl = *self.lists.get(name)?;
        let is_whole = || {
            let mut lines = acl.readings(self.config);
            lines.all(|(_, line)| line.is_exact() && line.patterns.iter().all(|one| one.is_addresses()))
        };
        if permit || is_whole() { selected(self.config, acl) } else { None }
    }
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

fn crypto_lists<'a, 'c: 'a>(
    rule: &Rule<'_>,
    all: impl Iterator<Item = &'a Selecting<'c>>,
    found: &mut Vec<Diagnostic>,
) {
    for one in all {
        let taken = one.flows.iter().find_map(|flow| rule.flows.iter().find_map(|own| both(*own, *flow)));
        let Some((from, to)) = taken else { continue };
        let message = format!(
            "`{}` translates packets from {from} to {to} before crypto map {}{} sees them: on a router they leave unencrypted",
            rule.front,
            one.name(),
            one.entry.terms.acl.as_ref().map(|list| format!(" (access list {list})")).unwrap_or_default()
        );
        let remedy = except(rule.rule, from, &[to]);
        say(found, Severity::Warning, Code::NatFirst, rule.rule.line(), message, remedy);
    }
}

fn client_pools(rule: &Rule<'_>, pools: &[(&str, Vec<IpNet>)], found: &mut Vec<Diagnostic>) {
    let taken = |nets: &[IpNet]| {
        rule.flows.iter().find(|(_, to)| nets.iter().any(|net| meet(*to, *net))).map(|(from, _)| *from)
    };
    let taken = pools.iter().find_map(|(name, nets)| Some((*name, nets, taken(nets)?)));
    if let Some((name, nets, from)) = taken {
        let message = format!(
            "`{}` translates packets from {from} to the clients of pool {name}: on a router they leave unencrypted",
            rule.front
        );
        let remedy = except(rule.rule, from, &around(nets));
        say(found, Severity::Warning, Code::NatFirst, rule.rule.line(), message, remedy);
    }
}

fn except(rule: &NatRule, from: IpNet, to: &[IpNet]) -> String {
    let lines = to.iter().map(|to| format!("`deny ip {} {}`", wildcard(from), wildcard(*to)));
    let line = lines.collect::<Vec<_>>().join(" and ");
    match rule {
        NatRule::Static(_) => {
            format!("let a route map except them: its list needs {line} before its `permit`")
        }
        NatRule::Dynamic(_) => format!("put {line} before the `permit` of the rule's list"),
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
        let lists = "ip access-list extended NAT\n permit ip 10.1.0.0 0.0.255.255 any\n\
                     ip access-list extended X\n permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
        let by_entries = |entries: &str| format!("{BASE}{by_map}{lists}{entries}");
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
            (format!("{BASE}ip nat inside source static network 10.1.7.0 203.0.113.0 /24\n"), true),
            // entries of a route map: the first that matches decides
            (
                by_entries(
                    "route-map R deny 10\n match ip address X\nroute-map R permit 20\n match ip address NAT\n",
                ),
                false,
            ),
            (
                by_entries(
                    "route-map R permit 20\n match ip address NAT\nroute-map R deny 30\n match ip address X\n",
                ),
                true,
            ),
            (
                by_entries(
                    "route-map R permit 20\n match ip address NAT\nroute-map R deny 10\n match ip address X\n",
                ),
                false,
            ),
            (by_entries("route-map R permit 20\n"), true),
            (by_entries("route-map R deny 10\n"), false),
            // only what leaves by the interface with the crypto map is taken from it
            (
                by_entries(
                    "route-map R permit 10\n match ip address NAT\n match interface FastEthernet0/0\n",
                ),
                true,
            ),
            (
                by_entries(
                    "route-map R permit 10\n match ip address NAT\n match interface FastEthernet0/1\n",
                ),
                false,
            ),
            // which packets the entry means is not known
            (by_entries("route-map R permit 10\n match ip address NAT\n match tag 5\n"), false),
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
        // all of the pool is to be excepted
        let ends = text(" deny ip any host 10.9.9.1\n deny ip any host 10.9.9.9\n");
        assert_eq!(told(&ends), found);
        let remedy = |text: &str| {
            let told = crate::parse(text).diagnostics;
            told.into_iter().find(|told| told.code == Code::NatFirst).map(|told| told.remedy)
        };
        for (pool, lines) in [
            ("10.9.9.1 10.9.9.9", "`deny ip 10.1.0.0 0.0.255.255 10.9.9.0 0.0.0.15`"),
            ("10.9.9.0 10.9.9.255", "`deny ip 10.1.0.0 0.0.255.255 10.9.9.0 0.0.0.255`"),
            ("10.9.9.9", "`deny ip 10.1.0.0 0.0.255.255 host 10.9.9.9`"),
        ] {
            let text = text("").replace("10.9.9.1 10.9.9.9", pool);
            assert!(
                remedy(&text).is_some_and(|remedy| remedy.contains(lines)),
                "{pool}: {:?}",
                remedy(&text)
            );
        }
        let of_all =
            text("").replace(" pool P\n", "crypto isakmp client configuration address-pool local P\n");
        assert_eq!(told(&of_all), found);
    }

    /// On a router such a rule translates nothing either.
    #[test]
    fn a_rule_without_a_side_is_told() {
        let text = format!("{BASE}{RULE}access-list 1 permit any\n");
        let told = |text: &str| {
            let told = crate::parse(text).diagnostics;
            told.into_iter()
                .filter(|told| told.code == Code::Unapplied)
                .map(|told| told.message)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&text), [""; 0]);
        for (without, missing) in [
            (vec![" ip nat inside\n"], "no interface has `ip nat inside`"),
            (vec![" ip nat outside\n"], "no interface has `ip nat outside`"),
            (vec![" ip nat inside\n", " ip nat outside\n"], "no interface is inside or outside"),
        ] {
            let text = without.iter().fold(text.clone(), |text, line| text.replace(line, ""));
            let told = told(&text);
            assert!(told.len() == 1 && told[0].ends_with(missing), "{told:?}");
        }
    }
}
