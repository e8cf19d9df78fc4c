//! A configuration while it is read. What has a name or a number is found by it, however much there
//! is: a file of one kind of line is read in proportion to its length.

use super::acl::lines::Lines;
use crate::model::{
    AaaList, Acl, AclKind, Config, CryptoMap, DhcpPool, DynamicEntry, DynamicMap, Group, GroupMembers,
    IdentityMatch, Interface, IsakmpPolicy, Key, KeyPeer, Keyring, LineKind, LogHost, MapEntry, NatPool,
    NatRule, NatSelect, NetworkObject, ObjectGroup, Periodic, Pool, Profile, Route, RouteMap, RouteMapEntry,
    ServiceObject, StaticNatPair, TerminalLine, TimeRange, TransformSet, User, UserKey,
};
use ipnet::IpNet;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Deref, DerefMut, RangeInclusive};

/// Items with keys, in the order in which they came. An item keeps its place as long as the
/// configuration is read, whatever is taken away around it.
pub(crate) struct Kept<K, T> {
    items: Vec<Option<T>>,
    places: BTreeMap<K, usize>,
}

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: BTreeMap::new() }
    }
}

impl<K: Ord, T> Kept<K, T> {
    /// The place of the item with a key, made if there is none.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> T) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.items.push(Some(make()));
            self.items.len() - 1
        })
    }

    pub(crate) fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.places.get(key).copied()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.items.get(place)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.items.get_mut(place)?.as_mut()
    }

    /// Takes an item away, and gives its place.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let place = self.places.remove(key)?;
        if let Some(item) = self.items.get_mut(place) {
            *item = None;
        }
        Some(place)
    }

    /// Takes the item with this key away, and puts the new one, if there is one, behind all others.
    pub(crate) fn replace(&mut self, key: K, item: Option<T>) {
        self.remove(&key);
        if let Some(item) = item {
            self.entry(key, || item);
        }
    }

    /// The items in order.
    fn into_items(self) -> Vec<T> {
        self.items.into_iter().flatten().collect()
    }

    pub(crate) fn clear(&mut self) {
        for place in std::mem::take(&mut self.places).into_values() {
            if let Some(item) = self.items.get_mut(place) {
                *item = None;
            }
        }
    }
}

impl<K: Ord + Clone, T> Kept<K, T> {
    /// The keys in a range, in their order.
    pub(crate) fn keys(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = &K> {
        self.places.range(keys).map(|(key, _)| key)
    }

    /// Whether there is an item with a key in a range.
    pub(crate) fn has(&self, keys: RangeInclusive<K>) -> bool {
        self.places.range(keys).next().is_some()
    }

    /// Takes away what has a key from this one on as long as the keys are meant.
    pub(crate) fn remove_from(&mut self, first: K, is_meant: impl Fn(&K) -> bool) {
        let meant: Vec<K> =
            self.places.range(first..).map(|(key, _)| key).take_while(|key| is_meant(key)).cloned().collect();
        for key in meant {
            self.remove(&key);
        }
    }
}

impl<O: Ord + Copy, K: Ord, T> Kept<(O, K), T> {
    /// The items of each owner, in order.
    fn into_owners(mut self) -> BTreeMap<O, Vec<T>> {
        let mut owners: Vec<(usize, O)> =
            self.places.iter().map(|((owner, _), place)| (*place, *owner)).collect();
        owners.sort_unstable_by_key(|(place, _)| *place);
        let mut out: BTreeMap<O, Vec<T>> = BTreeMap::new();
        for (place, owner) in owners {
            out.entry(owner).or_default().extend(self.items.get_mut(place).and_then(Option::take));
        }
        out
    }
}

/// How a route leads to its destination: next hop, interface, and whether DHCP gives the hop.
pub(crate) type Way = (Option<IpAddr>, Option<String>, bool);

/// What is the same in a line of a rule and in the one that takes it away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuleKey {
    Dynamic(NatSelect),
    Static(StaticNatPair, Option<String>),
}

/// A configuration that is being read. What is not a list is in the [`Config`] itself, whose lists
/// are empty until [`Draft::finish`]; parts of an item are kept by its place.
#[derive(Default)]
pub(crate) struct Draft {
    config: Config,
    pub(crate) users: Kept<String, User>,
    pub(crate) user_keys: Kept<String, UserKey>,
    pub(crate) key_strings: Kept<(usize, String), String>,
    pub(crate) key_hashes: Kept<(usize, (String, String)), (String, String)>,
    pub(crate) logins: Kept<String, AaaList>,
    pub(crate) networks: Kept<String, AaaList>,
    pub(crate) log_hosts: Kept<IpAddr, LogHost>,
    pub(crate) interfaces: Kept<String, Interface>,
    pub(crate) routes: Kept<(IpNet, Way), Route>,
    pub(crate) pools: Kept<(String, IpAddr), Pool>,
    pub(crate) nat_pools: Kept<String, NatPool>,
    pub(crate) nat_ranges: Kept<(usize, (Ipv4Addr, Ipv4Addr)), (Ipv4Addr, Ipv4Addr)>,
    pub(crate) nat_rules: Kept<RuleKey, NatRule>,
    pub(crate) route_maps: Kept<String, RouteMap>,
    pub(crate) route_entries: Kept<(usize, u16), RouteMapEntry>,
    /// `mtu` and `ip mtu` of interfaces.
    pub(crate) mtus: BTreeMap<usize, (Option<u32>, Option<u32>)>,
    pub(crate) acls: Kept<String, Acl>,
    pub(crate) ipv6_acls: Kept<String, Acl>,
    /// The lines of access lists, by whether the list is of IPv6.
    acl_lines: BTreeMap<(bool, usize), Lines>,
    pub(crate) object_groups: Kept<String, ObjectGroup>,
    pub(crate) network_objects: Kept<(usize, NetworkObject), NetworkObject>,
    pub(crate) service_objects: Kept<(usize, ServiceObject), ServiceObject>,
    pub(crate) time_ranges: Kept<String, TimeRange>,
    pub(crate) periods: Kept<(usize, Periodic), Periodic>,
    pub(crate) policies: Kept<u16, IsakmpPolicy>,
    /// The keys of keyrings; those of none are in the keyring `default`.
    pub(crate) keys: Kept<(Option<usize>, KeyPeer), Key>,
    pub(crate) keyrings: Kept<String, Keyring>,
    pub(crate) profiles: Kept<String, Profile>,
    pub(crate) identities: Kept<(usize, IdentityMatch), IdentityMatch>,
    pub(crate) groups: Kept<String, Group>,
    pub(crate) split_dns: Kept<(usize, String), String>,
    pub(crate) backup_gateways: Kept<(usize, String), String>,
    pub(crate) transform_sets: Kept<String, TransformSet>,
    pub(crate) dynamic_maps: Kept<String, DynamicMap>,
    pub(crate) dynamic_entries: Kept<(usize, u16), DynamicEntry>,
    pub(crate) maps: Kept<String, CryptoMap>,
    pub(crate) map_entries: Kept<(usize, u16), MapEntry>,
    pub(crate) peers: Kept<(usize, IpAddr), IpAddr>,
    pub(crate) dhcp_pools: Kept<String, DhcpPool>,
    pub(crate) dhcp_excluded: Kept<(Ipv4Addr, Ipv4Addr), (Ipv4Addr, Ipv4Addr)>,
    pub(crate) lines: Kept<(LineKind, u16, u16), TerminalLine>,
}

impl Deref for Draft {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut Config {
        &mut self.config
    }
}

/// Gives the parts of items to the items, which are in their places still.
fn give<K: Ord, T, P>(to: &mut Kept<K, T>, parts: BTreeMap<usize, P>, give: impl Fn(&mut T, P)) {
    for (place, parts) in parts {
        if let Some(item) = to.get_mut(place) {
            give(item, parts);
        }
    }
}

impl Draft {
    /// The lists of a family.
    pub(crate) fn lists(&mut self, kind: AclKind) -> &mut Kept<String, Acl> {
        match kind {
            AclKind::Standard | AclKind::Extended => &mut self.acls,
            AclKind::Ipv6 => &mut self.ipv6_acls,
        }
    }

    /// The lines of a list, by its place.
    pub(crate) fn lines_of(&mut self, kind: AclKind, place: usize) -> &mut Lines {
        self.acl_lines.entry((kind == AclKind::Ipv6, place)).or_default()
    }

    /// The configuration as it was read.
    pub(crate) fn finish(mut self) -> Config {
        for ((ipv6, place), lines) in self.acl_lines {
            let lists = if ipv6 { &mut self.ipv6_acls } else { &mut self.acls };
            if let Some(acl) = lists.get_mut(place) {
                acl.entries = lines.finish();
            }
        }
        give(&mut self.user_keys, self.key_strings.into_owners(), |user, strings| user.strings = strings);
        give(&mut self.user_keys, self.key_hashes.into_owners(), |user, hashes| user.hashes = hashes);
        give(&mut self.object_groups, self.network_objects.into_owners(), |group, objects| {
            group.members = GroupMembers::Network(objects);
        });
        give(&mut self.object_groups, self.service_objects.into_owners(), |group, objects| {
            group.members = GroupMembers::Service(objects);
        });
        give(&mut self.time_ranges, self.periods.into_owners(), |range, periods| range.periodic = periods);
        let mut keys = self.keys.into_owners();
        let default_keys = keys.remove(&None).unwrap_or_default();
        let keys = keys.into_iter().filter_map(|(ring, keys)| Some((ring?, keys))).collect();
        give(&mut self.keyrings, keys, |ring, keys| ring.keys = keys);
        give(&mut self.profiles, self.identities.into_owners(), |profile, all| profile.matches = all);
        give(&mut self.groups, self.split_dns.into_owners(), |group, names| group.split_dns = names);
        give(&mut self.groups, self.backup_gateways.into_owners(), |group, all| group.backup_gateways = all);
        give(&mut self.map_entries, self.peers.into_owners(), |entry, peers| entry.peers = peers);
        give(&mut self.maps, self.map_entries.into_owners(), |map, entries| map.entries = entries);
        give(&mut self.dynamic_maps, self.dynamic_entries.into_owners(), |map, all| map.entries = all);
        give(&mut self.nat_pools, self.nat_ranges.into_owners(), |pool, ranges| pool.ranges = ranges);
        give(&mut self.route_maps, self.route_entries.into_owners(), |map, mut entries| {
            entries.sort_by_key(|entry| entry.sequence);
            map.entries = entries;
        });
        // what the link takes is the most that a packet may have
        give(&mut self.interfaces, self.mtus, |interface, (link, ip)| interface.mtu = ip.or(link));
        let mut config = self.config;
        config.nat.pools = self.nat_pools.into_items();
        config.nat.rules = self.nat_rules.into_items();
        config.ssh.keys = self.user_keys.into_items();
        config.aaa.login = self.logins.into_items();
        config.aaa.network = self.networks.into_items();
        config.log.hosts = self.log_hosts.into_items();
        Config {
            users: self.users.into_items(),
            interfaces: self.interfaces.into_items(),
            routes: self.routes.into_items(),
            pools: self.pools.into_items(),
            route_maps: self.route_maps.into_items(),
            acls: self.acls.into_items(),
            ipv6_acls: self.ipv6_acls.into_items(),
            object_groups: self.object_groups.into_items(),
            time_ranges: self.time_ranges.into_items(),
            policies: self.policies.into_items(),
            default_keys,
            keyrings: self.keyrings.into_items(),
            profiles: self.profiles.into_items(),
            groups: self.groups.into_items(),
            transform_sets: self.transform_sets.into_items(),
            dynamic_maps: self.dynamic_maps.into_items(),
            maps: self.maps.into_items(),
            dhcp_pools: self.dhcp_pools.into_items(),
            dhcp_excluded: self.dhcp_excluded.into_items(),
            lines: self.lines.into_items(),
            ..config
        }
    }
}
