//! Groups of VPN clients.

use super::defined::{ACCESS_LIST, LOGIN_LIST, NETWORK_LIST, POOL};
use super::lines::Block;
use super::networks::{of_pool, to};
use super::outcome::{Outcome, Reason, Verdict};
use super::peer_keys::readable;
use super::world::{Applied, World};
use crate::acl::split_networks;
use crate::diagnostic::Code;
use crate::document::Class;
use crate::model::{AaaList, AaaMethod, CryptoMap, EntryTerms, Group, Profile};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn verdicts(world: &World<'_>) -> Vec<Verdict> {
    let of = Of::new(world);
    world.config.groups.iter().map(|group| verdict(world, &of, group)).collect()
}

/// What belongs to a group, by its name.
struct Of<'w, 'p> {
    /// The lines that open it, in small letters.
    blocks: BTreeMap<String, Vec<&'w Block<'p>>>,
    /// The profiles whose clients are its.
    profiles: BTreeMap<&'p str, Vec<&'p Profile>>,
    /// The crypto maps that have entries with a profile, by the profile.
    maps: BTreeMap<&'p str, Vec<&'p CryptoMap>>,
    /// The crypto maps that admit clients without a profile.
    whole: Vec<&'p CryptoMap>,
    /// By dynamic map and profile, whether an entry has a transform set that is defined.
    offers: BTreeMap<(&'p str, Option<&'p str>), bool>,
    /// The transform sets that are defined.
    sets: BTreeSet<&'p str>,
}

/// Crypto maps that are looked at for why none of them admits somebody.
const LOOKED_AT: usize = 8;

impl<'w, 'p> Of<'w, 'p> {
    fn new(world: &'w World<'p>) -> Self {
        let config = world.config;
        let mut blocks: BTreeMap<String, Vec<&Block<'_>>> = BTreeMap::new();
        for block in world.having("crypto isakmp client configuration group") {
            let name = block.head.word(5).unwrap_or_default();
            blocks.entry(name.to_ascii_lowercase()).or_default().push(block);
        }
        let known: BTreeSet<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
        let mut profiles: BTreeMap<&str, Vec<&Profile>> = BTreeMap::new();
        for profile in &config.profiles {
            // as `Config::group_for`
            let named = profile.groups().filter_map(|name| known.get(name).or(known.get("default")).copied());
            for group in named.collect::<BTreeSet<_>>() {
                profiles.entry(group).or_default().push(profile);
            }
        }
        let maps = bound(world);
        let admitting = || config.maps.iter().filter(|map| map.authorization_list.is_some());
        let admits = |map: &&&CryptoMap| {
            is_served(world, &(map, None, map.authorization_list.as_ref(), login_of(map)))
        };
        let whole = match admitting().find(|map| admits(&map)) {
            Some(map) => vec![map],
            None => admitting().take(LOOKED_AT).collect(),
        };
        let sets: BTreeSet<&str> = config.transform_sets.iter().map(|set| set.name.as_str()).collect();
        let mut offers = BTreeMap::new();
        for map in &config.dynamic_maps {
            for entry in &map.entries {
                let key = (map.name.as_str(), entry.terms.profile.as_deref());
                let known = offers.entry(key).or_insert(false);
                *known |= has_set(&sets, &entry.terms);
            }
        }
        Self { blocks, profiles, maps, whole, offers, sets }
    }

    /// Whether an entry by which clients may come has a transform set, or no such entry is known.
    fn offers(&self, map: &CryptoMap, profile: Option<&Profile>) -> bool {
        let profile = profile.map(|profile| profile.name.as_str());
        let mut any = false;
        for entry in &map.entries {
            let offered = match entry.dynamic.as_deref() {
                Some(dynamic) => self.offers.get(&(dynamic, profile)).copied(),
                // one with a peer of its own serves no clients
                None => {
                    let is_its = profile.is_some() && entry.terms.profile.as_deref() == profile;
                    is_its.then(|| has_set(&self.sets, &entry.terms))
                }
            };
            if offered == Some(true) {
                return true;
            }
            any |= offered.is_some();
        }
        !any
    }
}

fn has_set(sets: &BTreeSet<&str>, terms: &EntryTerms) -> bool {
    terms.transform_sets.iter().any(|name| sets.contains(name.as_str()))
}

/// The crypto maps of each profile that an entry names, itself or by its dynamic map: one that is in
/// use, or the first few.
fn bound<'p>(world: &World<'p>) -> BTreeMap<&'p str, Vec<&'p CryptoMap>> {
    let config = world.config;
    let mut named: BTreeMap<&str, Maps<'_>> = BTreeMap::new();
    let mut dynamic: BTreeMap<&str, Maps<'_>> = BTreeMap::new();
    for map in &config.maps {
        let used = matches!(world.applied(&map.name), Applied::Yes);
        for entry in &map.entries {
            let known = match (&entry.dynamic, &entry.terms.profile) {
                (Some(name), _) => dynamic.entry(name),
                (None, Some(profile)) => named.entry(profile),
                (None, None) => continue,
            };
            known.or_default().add(map, used);
        }
    }
    for map in &config.dynamic_maps {
        let Some(by) = dynamic.get(map.name.as_str()) else { continue };
        for profile in map.entries.iter().filter_map(|entry| entry.terms.profile.as_deref()) {
            let known = named.entry(profile).or_default();
            by.maps.iter().for_each(|map| known.add(map, by.used));
        }
    }
    named.into_iter().map(|(profile, known)| (profile, known.maps)).collect()
}

/// Crypto maps of one profile or dynamic map.
#[derive(Default)]
struct Maps<'p> {
    maps: Vec<&'p CryptoMap>,
    /// The only one is in use.
    used: bool,
}

impl<'p> Maps<'p> {
    fn add(&mut self, map: &'p CryptoMap, used: bool) {
        // one that is in use is enough
        if self.used {
            return;
        }
        if used {
            (self.maps, self.used) = (vec![map], true);
        } else if self.maps.len() < LOOKED_AT && self.maps.last().is_none_or(|last| last.name != map.name) {
            self.maps.push(map);
        }
    }
}

/// A way by which clients may come: the crypto map, the profile, and the lists of AAA that admit
/// them.
type Way<'p> = (&'p CryptoMap, Option<&'p Profile>, Option<&'p String>, Option<&'p String>);

fn login_of(map: &CryptoMap) -> Option<&String> {
    map.xauth_list.as_ref().map(|(list, _)| list)
}

/// Why the lists of a way admit nobody here, and which of them are not defined.
fn faults(world: &World<'_>, (_, _, network, login): &Way<'_>, line: u32) -> (Vec<Reason>, Vec<Reason>) {
    let aaa = &world.config.aaa;
    let mut lacking = lists(world, *network, &aaa.network, |method| *method == AaaMethod::Local);
    let checks = |method: &AaaMethod| method.is_local() || *method == AaaMethod::None;
    lacking.extend(lists(world, *login, &aaa.login, checks));
    let named = [(NETWORK_LIST, *network), (LOGIN_LIST, *login)];
    let undefined = named.into_iter().filter_map(|(what, name)| undefined(world, what, name, line));
    (lacking, undefined.collect())
}

fn is_served(world: &World<'_>, way: &Way<'_>) -> bool {
    let (lacking, undefined) = faults(world, way, 0);
    lacking.is_empty() && undefined.is_empty() && matches!(world.applied(&way.0.name), Applied::Yes)
}

fn verdict(world: &World<'_>, of: &Of<'_, '_>, group: &Group) -> Verdict {
    let config = world.config;
    let (mut missing, mut differs) = (Vec::new(), Vec::new());
    // the pools of two groups whose lines ended up in one
    let mut fallen = Vec::new();
    let at = |text: String| Reason::new(group.line, text);
    for block in of.blocks.get(&group.name.to_ascii_lowercase()).into_iter().flatten() {
        for line in ["key", "pool", "acl"].iter().filter_map(|words| block.twice(words)) {
            let text = format!(
                "`{}` occurs twice: the line that opens another group seems to be missing",
                line.front()
            );
            missing.push(Reason::new(line.line, text));
        }
        if block.twice("pool").is_some() {
            let names: Vec<_> = block.having("pool").filter_map(|line| line.word(1)).collect();
            fallen = of_pool(config.pools.iter().filter(|pool| names.contains(&pool.name.as_str())));
        }
        for line in &block.below {
            if matches!(line.class, Class::Unsupported | Class::Unknown) {
                differs.extend(world.told(line.line));
            }
        }
    }
    match &group.key {
        Some(key) if !readable(key) => {
            missing.push(at("its key cannot be read without the master key of its router".into()));
        }
        Some(_) => {}
        None => differs.push(at("it has no key".into())),
    }
    let mut pools = Vec::new();
    match config.pool_of(group) {
        Some(name) => {
            pools = of_pool(config.pools.iter().filter(|pool| pool.name == name));
            if pools.is_empty() {
                let question = world.question(POOL, name);
                differs.push(at(format!("pool {name} is not defined; its clients get no address{question}")));
            }
        }
        None => differs.push(at("it has no pool; its clients get no address".into())),
    }
    if let Some(name) = &group.acl {
        match world.acl(name) {
            None => {
                let question = world.question(ACCESS_LIST, name);
                differs.push(at(format!("access list {name} is not defined{question}")));
            }
            Some(acl) => {
                for entry in &acl.entries {
                    if let Err(why) = split_networks(config, entry) {
                        let text =
                            format!("this line of access list {name} cannot be sent to clients: {why}");
                        missing.push(Reason::new(entry.line, text));
                    } else if entry.rule().is_some_and(|rule| !rule.permit) {
                        let text = format!("the deny lines of access list {name} are not sent to clients");
                        differs.push(Reason::new(entry.line, text));
                    }
                }
            }
        }
    }
    served(world, of, group, &mut missing, &mut differs);
    Verdict {
        name: format!("group {}", group.name),
        line: group.line,
        outcome: Outcome::of(missing, differs),
        flows: pools.into_iter().chain(fallen).map(to).collect(),
        unknown: false,
        idle: false,
    }
}

/// Who lets the clients of a group in, and whether that can be here.
fn served(
    world: &World<'_>,
    of: &Of<'_, '_>,
    group: &Group,
    missing: &mut Vec<Reason>,
    differs: &mut Vec<Reason>,
) {
    let profiles: &[&Profile] = of.profiles.get(group.name.as_str()).map_or(&[], Vec::as_slice);
    let mut why_missing = Vec::new();
    let mut why_differs = Vec::new();
    let whole = of.whole.iter().map(|map| (*map, None, map.authorization_list.as_ref(), login_of(map)));
    let mut ways: Vec<Way<'_>> = whole.collect();
    for profile in profiles {
        for line in world.vrfs_of(profile) {
            missing
                .push(Reason::new(line, "its profile puts its clients into a VRF; VRFs are not implemented"));
        }
        for map in of.maps.get(profile.name.as_str()).into_iter().flatten() {
            let (network, login) = (profile.authorization_list.as_ref(), profile.xauth_list.as_ref());
            ways.push((map, Some(profile), network, login));
        }
        for block in world.called(&format!("crypto isakmp profile {}", profile.name)) {
            for line in block.having("virtual-template") {
                why_missing.push(Reason::new(
                    line.line,
                    "its clients connect by a virtual template, which does not exist here",
                ));
            }
        }
    }
    for way in ways {
        let (map, profile, ..) = way;
        let (lacking, undefined) = faults(world, &way, profile.map_or(group.line, |profile| profile.line));
        match world.applied(&map.name) {
            Applied::Yes if lacking.is_empty() && undefined.is_empty() && !of.offers(map, profile) => {
                let text = format!(
                    "no entry of crypto map {} that serves its clients has a transform set that is defined; no tunnel comes up, as on a router",
                    map.name
                );
                why_differs.push(Reason::new(group.line, text));
            }
            Applied::Yes if lacking.is_empty() && undefined.is_empty() => {
                differs.extend_from_slice(world.doubts(&map.name));
                return;
            }
            Applied::Yes => {
                why_missing.extend(lacking);
                why_differs.extend(undefined);
            }
            Applied::NotHere(reasons) => why_missing.extend(reasons),
            Applied::Nowhere(reason) => why_differs.push(reason.unwrap_or_else(|| {
                Reason::new(group.line, format!("crypto map {} is on no interface", map.name))
            })),
        }
    }
    if why_missing.is_empty() && why_differs.is_empty() {
        let text = "no profile and no crypto map in use admits its clients, as on a router";
        why_differs.push(Reason::new(group.line, text));
    }
    missing.extend(why_missing);
    differs.extend(why_differs);
}

/// The reason why a list of methods that is named but not defined admits nobody.
pub(super) fn undefined(
    world: &World<'_>,
    what: &'static str,
    name: Option<&String>,
    line: u32,
) -> Option<Reason> {
    let aaa = &world.config.aaa;
    let lists = if what == LOGIN_LIST { &aaa.login } else { &aaa.network };
    // without a line, `default` is the default behaviour of IOS
    let name = name.filter(|name| *name != "default" && lists.iter().all(|list| list.name != **name))?;
    let question = world.question(what, name);
    let text = format!("AAA list {name} is not defined; it admits nobody, as on a router{question}");
    Some(Reason::new(line, text))
}

/// The problem of a list of methods none of which is supported here.
fn lists(
    world: &World<'_>,
    name: Option<&String>,
    lists: &[AaaList],
    can: impl Fn(&AaaMethod) -> bool,
) -> Vec<Reason> {
    let Some(list) = name.and_then(|name| lists.iter().find(|list| list.name == *name)) else {
        return Vec::new();
    };
    if list.methods.iter().any(can) {
        return Vec::new();
    }
    let told =
        world.parsed.diagnostics.iter().find(|told| told.line == list.line && told.code == Code::Unenforced);
    let text = told.map_or_else(
        || format!("no method of AAA list {} is supported here", list.name),
        |told| told.message.clone(),
    );
    vec![Reason::new(list.line, text)]
}

#[cfg(test)]
mod tests {
    use crate::parse;
    use crate::verdict::{Outcome, Verdict, verdicts};

    const GROUP: &str = "\
aaa new-model
aaa authentication login X local
aaa authorization network N local
ip local pool P 10.5.5.0 10.5.5.255
ip local pool Q 10.6.6.0 10.6.6.255
crypto isakmp client configuration group staff
 key g
 pool P
crypto isakmp profile C
 match identity group staff
 client authentication list X
 isakmp authorization list N
 client configuration address respond
crypto ipsec transform-set T esp-aes esp-sha-hmac
crypto dynamic-map D 10
 set transform-set T
 set isakmp-profile C
crypto map M 10 ipsec-isakmp dynamic D
interface FastEthernet0/0
 ip address 198.51.100.2 255.255.255.248
 crypto map M
";
    const OF_ALL: &str = "crypto isakmp client configuration address-pool local Q\n";

    fn of(text: &str, name: &str) -> Verdict {
        verdicts(&parse(text)).into_iter().find(|verdict| verdict.name == name).expect("a verdict")
    }

    fn closes(text: &str) -> Vec<String> {
        of(text, "group staff").flows.iter().map(|(_, to)| to.to_string()).collect()
    }

    /// Whoever may log in and finds no entry with a transform set has no tunnel.
    #[test]
    fn a_group_whose_entries_have_no_transform_set_does_not_work() {
        let hub = include_str!("../../../../examples/hub.cfg");
        for (text, group, entry) in [(GROUP, "group staff", "D/10"), (hub, "group testgroup", "dynmap/10")] {
            let text = format!("{text}crypto isakmp key k address 0.0.0.0 0.0.0.0\n");
            assert_eq!(of(&text, group).outcome, Outcome::Works);
            for set in ["set transform-set mysett", "description none"] {
                let line = |line: &str| match line.trim().starts_with("set transform-set") {
                    true => format!(" {set}\n"),
                    false => format!("{line}\n"),
                };
                let wrong: String = text.lines().map(line).collect();
                let Outcome::Differs(reasons) = of(&wrong, group).outcome else { panic!("{group}: {set}") };
                assert!(reasons[0].text.starts_with("no entry of crypto map"), "{reasons:?}");
                assert_ne!(of(&wrong, entry).outcome, Outcome::Works);
            }
        }
    }

    #[test]
    fn the_pool_of_all_clients_is_closed_with_a_group_that_does_not_exist_here() {
        let radius = GROUP.replace("network N local", "network N group radius");
        assert!(matches!(of(&radius, "group staff").outcome, Outcome::Missing(_)));
        assert_eq!(closes(&radius), ["10.5.5.0/24"]);
        assert_eq!(closes(&format!("{radius}{OF_ALL}")), ["10.5.5.0/24"], "its own comes first");
        let without = radius.replace(" pool P\n", "");
        assert_eq!(closes(&without), [""; 0]);
        assert_eq!(closes(&format!("{without}{OF_ALL}")), ["10.6.6.0/24"]);
    }

    #[test]
    fn a_group_has_the_pool_of_all_clients() {
        let without = GROUP.replace(" pool P\n", "");
        let text = format!("{without}{OF_ALL}");
        assert_eq!(of(&text, "group staff").outcome, Outcome::Works);
        assert!(matches!(of(&without, "group staff").outcome, Outcome::Differs(_)));
        let undefined = text.replace("ip local pool Q", "ip local pool R");
        assert!(matches!(of(&undefined, "group staff").outcome, Outcome::Differs(_)));
    }

    #[test]
    fn a_profile_admits_the_clients_of_the_group_that_it_names() {
        let by_name = "match identity address 0.0.0.0\n client configuration group staff";
        let text = GROUP.replace("match identity group staff", by_name);
        assert_eq!(of(&text, "group staff").outcome, Outcome::Works);
        let other = text
            .replace("configuration group staff\n client auth", "configuration group other\n client auth");
        assert!(matches!(of(&other, "group staff").outcome, Outcome::Differs(_)));
        let radius = text.replace("network N local", "network N group radius");
        assert!(matches!(of(&radius, "group staff").outcome, Outcome::Missing(_)));
    }

    /// A virtual template takes the addresses of its profile's clients with it.
    #[test]
    fn the_pools_of_a_profile_that_makes_tunnels_are_closed() {
        let template = "client configuration address respond\n virtual-template 1";
        let text = GROUP.replace("client configuration address respond", template);
        let of_template = |text: &str| -> Vec<String> {
            of(text, "Virtual-Template1").flows.iter().map(|(_, to)| to.to_string()).collect()
        };
        assert_eq!(of_template(&text), ["10.5.5.0/24"]);
        let named = text.replace("match identity group staff", "client configuration group staff");
        assert_eq!(of_template(&named), ["10.5.5.0/24"]);
        let of_all = format!("{named}{OF_ALL}").replace(" pool P\n", "");
        assert_eq!(of_template(&of_all), ["10.6.6.0/24"]);
        assert_eq!(of_template(&of_all.replace(" client configuration group staff\n", "")), ["10.6.6.0/24"]);
    }
}
