//! The names that parts of the VPN have for each other, and those that nothing defines.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{
    AclAddress, AclEntry, AclLine, AclProtocol, Config, EntryTerms, IdentityMatch, LineLogin, NatGlobal,
    NatRule, NatSelect, NatTo, ObjectGroup, RouteMatch, StaticNatPair,
};
use crate::parsed::Parsed;
use crate::undecided::maps_in_use;
use crate::verdict::defined::*;
use crate::verdict::lines::{Block, blocks};
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

/// A name that one part of a configuration has for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Whose it is: `crypto map M 10`, `interface FastEthernet0/0`.
    pub owner: String,
    /// What it should be: `access list`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// Whether something has that name.
    pub exists: bool,
    /// Whether a tunnel needs it whose crypto map is on an interface.
    pub in_use: bool,
    /// Line, from 1.
    pub line: u32,
}

impl Reference {
    /// Whether a filter of an interface needs it.
    pub(super) fn is_filter(&self) -> bool {
        self.owner.strip_prefix(FILTER).is_some_and(|owner| owner.starts_with("interface "))
    }
}

/// Every name that a part of the VPN has for another.
pub fn references(config: &Config) -> Vec<Reference> {
    let mut out = Vec::new();
    let defined = Defined::of(config);
    let applied: BTreeSet<_> = config.interfaces.iter().filter_map(|i| i.crypto_map.as_deref()).collect();
    let mut need = |owner: &str, what, name: &str, in_use, line| {
        let (exists, owner, name) = (defined.has(what, name), owner.to_string(), name.to_string());
        out.push(Reference { owner, what, name, exists, in_use, line });
    };
    let mut profiles_in_use = BTreeSet::new();
    let mut dynamic_in_use = BTreeSet::new();
    for map in &config.maps {
        let in_use = applied.contains(map.name.as_str());
        let owner = format!("crypto map {}", map.name);
        if let Some((name, line)) = &map.xauth_list {
            need(&owner, LOGIN_LIST, name, in_use, *line);
        }
        let line = map.entries.first().map_or(0, |entry| entry.line);
        if let Some(name) = &map.authorization_list {
            need(&owner, NETWORK_LIST, name, in_use, line);
        }
        for entry in &map.entries {
            let owner = format!("crypto map {} {}", map.name, entry.sequence);
            for (what, name) in of_terms(&entry.terms) {
                need(&owner, what, name, in_use, entry.line);
            }
            for name in filters_of(&entry.terms) {
                need(&format!("{FILTER}{owner}"), ACCESS_LIST, name, in_use, entry.line);
            }
            if let Some(name) = &entry.dynamic {
                need(&owner, DYNAMIC_MAP, name, in_use, entry.line);
            }
            if in_use {
                profiles_in_use.extend(&entry.terms.profile);
                dynamic_in_use.extend(&entry.dynamic);
            }
        }
    }
    for map in &config.dynamic_maps {
        let in_use = dynamic_in_use.contains(&map.name);
        for entry in &map.entries {
            let owner = format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            for (what, name) in of_terms(&entry.terms) {
                need(&owner, what, name, in_use, entry.line);
            }
            for name in filters_of(&entry.terms) {
                need(&format!("{FILTER}{owner}"), ACCESS_LIST, name, in_use, entry.line);
            }
            if in_use {
                profiles_in_use.extend(&entry.terms.profile);
            }
        }
    }
    for profile in &config.profiles {
        let (owner, line) = (format!("crypto isakmp profile {}", profile.name), profile.line);
        let in_use = profiles_in_use.contains(&profile.name);
        for name in &profile.keyrings {
            need(&owner, KEYRING, name, in_use, line);
        }
        if let Some(name) = &profile.xauth_list {
            need(&owner, LOGIN_LIST, name, in_use, line);
        }
        if let Some(name) = &profile.authorization_list {
            need(&owner, NETWORK_LIST, name, in_use, line);
        }
        if let Some(name) = &profile.group {
            need(&owner, GROUP, name, in_use, line);
        }
        for matched in &profile.matches {
            if let IdentityMatch::Group(name) = matched {
                need(&owner, GROUP, name, false, line);
            }
        }
    }
    if let Some((name, line)) = &config.crypto.address_pool {
        need("crypto isakmp client configuration address-pool", POOL, name, true, *line);
    }
    for group in &config.groups {
        let owner = format!("group {}", group.name);
        if let Some(name) = &group.pool {
            need(&owner, POOL, name, true, group.line);
        }
        if let Some(name) = &group.acl {
            need(&owner, ACCESS_LIST, name, true, group.line);
        }
    }
    for interface in &config.interfaces {
        if let Some(name) = &interface.crypto_map {
            need(&format!("interface {}", interface.name), CRYPTO_MAP, name, true, interface.line);
        }
    }
    for interface in &config.interfaces {
        let (name, line) = (&interface.name, interface.line);
        for list in [&interface.access_in, &interface.access_out].into_iter().flatten() {
            need(&format!("{FILTER}interface {name}"), ACCESS_LIST, list, true, line);
        }
        if let Some(list) = interface.source_check.as_ref().and_then(|check| check.list.as_ref()) {
            need(&format!("{SOURCES}interface {name}"), ACCESS_LIST, list, true, line);
        }
        if let Some(list) = interface.directed_broadcast.as_ref().and_then(|known| known.list.as_ref()) {
            need(&format!("{BROADCASTS}interface {name}"), ACCESS_LIST, list, true, line);
        }
        if let Some(map) = &interface.policy {
            need(&format!("interface {name}"), ROUTE_MAP, map, true, line);
        }
    }
    if let Some(map) = &config.local_policy {
        need("ip local policy", ROUTE_MAP, map, true, 0);
    }
    for rule in &config.nat.rules {
        for (what, name) in of_rule(rule) {
            need(NAT, what, name, true, rule.line());
        }
    }
    let maps = maps_in_use(config);
    for map in config.route_maps.iter().filter(|map| maps.contains(map.name.as_str())) {
        for entry in &map.entries {
            let owner = format!("route-map {} {}", map.name, entry.sequence);
            let lists = entry.matches.iter().filter_map(|one| match one {
                RouteMatch::Address(lists) | RouteMatch::NextHop(lists) => Some(lists),
                _ => None,
            });
            for list in lists.flatten() {
                need(&owner, ACCESS_LIST, list, true, entry.line);
            }
        }
    }
    for line in &config.lines {
        let owner = format!("line {}", line.first);
        if let Some(name) = &line.access_class {
            need(&owner, ACCESS_LIST, name, false, line.line);
        }
        if let Some(LineLogin::List(name)) = &line.login {
            need(&owner, LOGIN_LIST, name, false, line.line);
        }
    }
    let used = out.iter().filter(|one| one.what == ACCESS_LIST && one.in_use);
    let used: BTreeSet<String> = used.map(|one| one.name.clone()).collect();
    out.extend(references_of_lists(config, &used));
    out
}

/// What access lists and object groups name. `used` are the lists that tunnels in use need.
fn references_of_lists(config: &Config, used: &BTreeSet<String>) -> Vec<Reference> {
    const GROUP: &str = "object group";
    let groups: BTreeMap<&str, &ObjectGroup> =
        config.object_groups.iter().map(|group| (group.name.as_str(), group)).collect();
    let ranges: BTreeSet<&str> = config.time_ranges.iter().map(|range| range.name.as_str()).collect();
    let mut out: Vec<Reference> = Vec::new();
    for acl in &config.acls {
        let (owner, in_use) = (format!("access list {}", acl.name), used.contains(&acl.name));
        let rules = acl.entries.iter().filter_map(|entry| Some((entry.rule()?, entry.line)));
        for (rule, line) in rules {
            let of = |side: &AclAddress| match side {
                AclAddress::Group(name) => Some(name.clone()),
                _ => None,
            };
            let services = match &rule.protocol {
                AclProtocol::Services(name) => Some(name.clone()),
                AclProtocol::Any | AclProtocol::Number(_) => None,
            };
            let named = [of(&rule.source), of(&rule.destination), services].into_iter().flatten();
            for name in named {
                let exists = groups.contains_key(name.as_str());
                out.push(Reference { owner: owner.clone(), what: GROUP, name, exists, in_use, line });
            }
            if let Some(name) = &rule.only.time_range {
                let (exists, name) = (ranges.contains(name.as_str()), name.clone());
                out.push(Reference { owner: owner.clone(), what: "time range", name, exists, in_use, line });
            }
        }
    }
    let reflect = |entry: &AclEntry| entry.rule().and_then(|rule| Some(rule.reflect.as_ref()?.0.clone()));
    let filled: BTreeSet<String> =
        config.acls.iter().flat_map(|acl| &acl.entries).filter_map(reflect).collect();
    for acl in &config.acls {
        let owner = format!("access list {}", acl.name);
        for entry in &acl.entries {
            let AclLine::Evaluate(name) = &entry.what else { continue };
            let (exists, name) = (filled.contains(name), name.clone());
            // without entries it permits nothing
            let in_use = false;
            out.push(Reference {
                owner: owner.clone(),
                what: REFLEXIVE,
                name,
                exists,
                in_use,
                line: entry.line,
            });
        }
    }
    // a group in a group is in use with it
    let mut left: Vec<String> = out.iter().filter(|one| one.in_use).map(|one| one.name.clone()).collect();
    let mut in_use: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = left.pop() {
        if in_use.insert(name.clone()) {
            left.extend(groups.get(name.as_str()).into_iter().flat_map(|group| group.inner().cloned()));
        }
    }
    for group in &config.object_groups {
        for name in group.inner() {
            out.push(Reference {
                owner: format!("object group {}", group.name),
                what: GROUP,
                name: name.clone(),
                exists: groups.contains_key(name.as_str()),
                in_use: in_use.contains(&group.name),
                line: group.line,
            });
        }
    }
    out
}

/// The names that the terms of an entry have.
fn of_terms(terms: &EntryTerms) -> impl Iterator<Item = (&'static str, &String)> {
    let sets = terms.transform_sets.iter().map(|name| (TRANSFORM_SET, name));
    let list = terms.acl.iter().map(|name| (ACCESS_LIST, name));
    let profile = terms.profile.iter().map(|name| (PROFILE, name));
    sets.chain(list).chain(profile)
}

/// A list that lines with `reflect` fill.
const REFLEXIVE: &str = "reflexive list";

/// The owner of what a rule of address translation names.
pub(super) const NAT: &str = "ip nat inside source";

/// How owners begin that are filters, and those of the checks that a list makes exceptions of.
const FILTER: &str = "the filter of ";
const SOURCES: &str = "the check of sources of ";
const BROADCASTS: &str = "the broadcasts of ";

/// The lists that filter what an entry's tunnel carries.
fn filters_of(terms: &EntryTerms) -> impl Iterator<Item = &String> {
    terms.access_in.iter().chain(&terms.access_out)
}

/// The names that a rule of address translation has.
fn of_rule(rule: &NatRule) -> Vec<(&'static str, &String)> {
    match rule {
        NatRule::Dynamic(rule) => {
            let which = match &rule.which {
                NatSelect::List(name) => (ACCESS_LIST, name),
                NatSelect::RouteMap(name) => (ROUTE_MAP, name),
            };
            let to = match &rule.to {
                NatTo::Interface(name) => (INTERFACE, name),
                NatTo::Pool(name) => (NAT_POOL, name),
            };
            vec![which, to]
        }
        NatRule::Static(rule) => {
            let global = match &rule.what {
                StaticNatPair::Host { global, .. } | StaticNatPair::Port { global, .. } => Some(global),
                StaticNatPair::Network { .. } => None,
            };
            let interface = global.and_then(|global| match global {
                NatGlobal::Interface(name) => Some((INTERFACE, name)),
                NatGlobal::Address(_) => None,
            });
            let map = rule.route_map.as_ref().map(|name| (ROUTE_MAP, name));
            map.into_iter().chain(interface).collect()
        }
    }
}

/// The line of an interface, or the global one, that has a name.
fn line_of(blocks: &[Block<'_>], owner: &str, name: &str) -> Option<u32> {
    const WITH_NAMES: [&str; 4] = ["ip access-group", "ip directed-broadcast", "ip policy", "ip verify"];
    if owner == "ip local policy" {
        let mut heads = blocks.iter().map(|block| &block.head);
        return heads.rfind(|line| line.begins(owner) && line.has(name)).map(|line| line.line);
    }
    let (_, interface) = owner.split_once("interface ")?;
    let of_block = blocks.iter().filter(|block| block.interface() == interface);
    let mut lines = of_block.flat_map(|block| &block.below);
    let is_it = |line: &&crate::verdict::lines::Spelled<'_>| {
        WITH_NAMES.iter().any(|words| line.begins(words)) && line.has(name)
    };
    lines.find(is_it).map(|line| line.line)
}

/// Names that are asked after: in a file in which nothing is defined, more would take long and help
/// nobody.
const ASKED: usize = 200;

pub(super) fn dangling(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let defined = Defined::of(config);
    let blocks = LazyCell::new(|| blocks(parsed));
    let missing = references(config).into_iter().filter(|one| !one.exists);
    for (place, Reference { owner, what, name, line, .. }) in missing.enumerate() {
        let question = if place < ASKED { defined.question(what, &name) } else { String::new() };
        let becomes = match what {
            LOGIN_LIST if owner.starts_with("line") => "nobody can log in there",
            LOGIN_LIST | NETWORK_LIST => "it admits nobody",
            GROUP => "no client can come with it",
            ACCESS_LIST if owner.starts_with("line") => "nobody is admitted there",
            // a line of an access list that is not known whole does not disappear from it
            "object group" | "time range" => {
                "until it is, what uses the list takes this line as one that may concern any packet"
            }
            ACCESS_LIST if owner.starts_with(FILTER) => "until it is, every packet passes, as on a router",
            ACCESS_LIST if owner.starts_with(SOURCES) => "until it is, no packet is excepted",
            ACCESS_LIST if owner.starts_with(BROADCASTS) => "until it is, none is forwarded",
            REFLEXIVE => "no line with `reflect` fills it, and no packet is permitted by this one",
            INTERFACE | NAT_POOL => "until it is, nothing is translated to it",
            _ => "until it is, this has no effect",
        };
        // the model knows the line that opens an interface
        let line = match owner.contains("interface ") && what != CRYPTO_MAP || line == 0 {
            true if place < ASKED => line_of(&blocks, &owner, &name).unwrap_or(line),
            _ => line,
        };
        let message = format!("the {what} {name} is not defined; {becomes}{question}");
        let remedy = match what {
            REFLEXIVE => format!("let a `permit` of the other direction end in `reflect {name}`"),
            _ => format!("define {what} {name}"),
        };
        say(found, Severity::Warning, Code::Dangling, line, message, remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    const WHOLE: &str = "\
aaa new-model
aaa authentication login clientauth local
aaa authorization network clientgroup local
ip local pool clientpool 10.9.9.1 10.9.9.9
crypto keyring branches
 pre-shared-key address 198.51.100.20 key k
crypto isakmp client configuration group testgroup
 key g
 pool clientpool
 acl splitlist
crypto isakmp client configuration address-pool local clientpool
crypto isakmp profile remote
 keyring branches
 client configuration group testgroup
 match identity group testgroup
 client authentication list clientauth
 isakmp authorization list clientgroup
crypto ipsec transform-set strong esp-aes esp-sha-hmac
ip access-list extended crypted
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
ip access-list standard splitlist
 permit 10.1.0.0 0.0.255.255
ip access-list standard managers
 permit 10.1.0.0 0.0.255.255
crypto dynamic-map roaming 10
 set transform-set strong
 set isakmp-profile remote
crypto map mymap 10 ipsec-isakmp
 set peer 198.51.100.20
 set transform-set strong
 match address crypted
crypto map mymap client authentication list clientauth
crypto map mymap isakmp authorization list clientgroup
crypto map mymap 65000 ipsec-isakmp dynamic roaming
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 crypto map mymap
line vty 0 4
 access-class managers in
 login authentication clientauth
";

    fn dangling(text: &str) -> Vec<String> {
        let told = crate::parse(text).diagnostics;
        told.into_iter().filter(|told| told.code == Code::Dangling).map(|told| told.message).collect()
    }

    #[test]
    fn a_reflexive_list_that_nothing_fills_is_told() {
        let evaluates = "ip access-list extended A\n evaluate BACK\n";
        let told = dangling(evaluates);
        assert!(told.len() == 1 && told[0].contains("reflexive list BACK"), "{told:?}");
        let reflects = "ip access-list extended B\n permit tcp any any reflect BACK\n";
        assert_eq!(dangling(&format!("{evaluates}{reflects}")), [""; 0]);
        let other = dangling(&format!("{evaluates}{}", reflects.replace("BACK", "BACKS")));
        assert_eq!(other.len(), 1, "{other:?}");
    }

    /// A number of another kind, or one that is far, is not asked after.
    #[test]
    fn a_number_is_not_taken_for_that_of_another_list() {
        let rule = "ip nat inside source list 150 interface FastEthernet0/0\ninterface FastEthernet0/0\n";
        for (list, asks) in [("10", false), ("199", false), ("151", true), ("1500", false)] {
            let told = dangling(&format!(
                "{rule}access-list {list} permit {}\n",
                if list.len() == 3 { "ip any any" } else { "any" }
            ));
            assert_eq!(told.iter().any(|told| told.contains("did you mean")), asks, "{list}: {told:?}");
        }
    }

    /// Each name once with a slip, in each place that has one.
    #[test]
    fn a_name_with_a_slip_is_asked_after_wherever_it_is_used() {
        assert_eq!(dangling(WHOLE), [""; 0]);
        for (right, wrong, name) in [
            (" crypto map mymap", " crypto map mymapp", "mymap"),
            ("match identity group testgroup", "match identity group testgruop", "testgroup"),
            (" client authentication list clientauth", " client authentication list clientaut", "clientauth"),
            (
                "mymap client authentication list clientauth",
                "mymap client authentication list clinetauth",
                "clientauth",
            ),
            (
                " isakmp authorization list clientgroup",
                " isakmp authorization list clientgruop",
                "clientgroup",
            ),
            ("login authentication clientauth", "login authentication clientuth", "clientauth"),
            ("access-class managers", "access-class mangers", "managers"),
            (
                "\n client configuration group testgroup",
                "\n client configuration group tesgroup",
                "testgroup",
            ),
            ("address-pool local clientpool", "address-pool local clientpol", "clientpool"),
            ("\n pool clientpool", "\n pool clientpol", "clientpool"),
            (" acl splitlist", " acl spiltlist", "splitlist"),
            ("\n keyring branches", "\n keyring brnaches", "branches"),
            ("set transform-set strong", "set transform-set strogn", "strong"),
            ("set isakmp-profile remote", "set isakmp-profile remot", "remote"),
            ("match address crypted", "match address cryptd", "crypted"),
            ("dynamic roaming", "dynamic raoming", "roaming"),
        ] {
            let text = WHOLE.replacen(right, wrong, 1);
            assert_ne!(text, WHOLE, "{right}");
            let told = dangling(&text);
            let asks = format!("(did you mean {name}?)");
            assert!(!told.is_empty() && told.iter().all(|told| told.ends_with(&asks)), "{wrong}: {told:?}");
        }
        // what is not near is not asked after
        let told = dangling(&WHOLE.replace("\n pool clientpool", "\n pool elsewhere"));
        assert!(told.len() == 1 && !told[0].contains("did you mean"), "{told:?}");
    }
}
