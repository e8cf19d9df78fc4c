//! The pre-shared keys of a configuration, found by the peer, however many there are.

use crate::model::{Config, Key, KeyPeer};
use crate::nets::Nets;
use crate::secret::Password;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The keyring of keys that are in none.
const DEFAULT: &str = "default";

/// A key for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundKey {
    Readable,
    /// There is one, in this line, that cannot be read.
    Unreadable(u32),
    None,
}

/// Whether a key is known without the master key of its router.
pub(super) fn readable(key: &Password) -> bool {
    matches!(key.kind(), 0 | 7)
}

/// What several keys give: one that is readable, or else the last, by its place among all keys.
#[derive(Clone, Copy)]
struct Sum {
    place: usize,
    found: FoundKey,
}

impl Sum {
    const NONE: Self = Self { place: 0, found: FoundKey::None };

    fn of(place: usize, key: &Key) -> Self {
        let found = if readable(&key.key) { FoundKey::Readable } else { FoundKey::Unreadable(key.line) };
        Self { place, found }
    }

    fn and(self, other: Self) -> Self {
        match (self.found, other.found) {
            (FoundKey::Readable, _) | (_, FoundKey::None) => self,
            (_, FoundKey::Readable) | (FoundKey::None, _) => other,
            _ if self.place > other.place => self,
            _ => other,
        }
    }
}

/// The keys of a keyring, or of all.
struct Ring {
    /// By the networks of their peers.
    nets: Nets<Sum>,
    /// Those for host names, too.
    of_anybody: Sum,
}

impl Ring {
    fn new<'c>(keys: impl Iterator<Item = (usize, &'c Key)>) -> Self {
        let mut nets: BTreeMap<IpNet, Sum> = BTreeMap::new();
        let mut of_anybody = Sum::NONE;
        for (place, key) in keys {
            let one = Sum::of(place, key);
            of_anybody = of_anybody.and(one);
            // host names are not resolved
            if let KeyPeer::Address(net) = &key.peer {
                let known = nets.entry(net.trunc()).or_insert(Sum::NONE);
                *known = known.and(one);
            }
        }
        Self { nets: Nets::new(nets), of_anybody }
    }

    fn sum(&self, peer: Option<IpAddr>) -> Sum {
        let Some(peer) = peer else { return self.of_anybody };
        self.nets.around(peer.into()).fold(Sum::NONE, |sum, (_, one)| sum.and(*one))
    }
}

/// The keys of a configuration.
pub(super) struct PeerKeys<'c> {
    all: Ring,
    by_name: BTreeMap<&'c str, Ring>,
    /// Of each network, the first key with the place of its keyring.
    first: Nets<(usize, &'c Key)>,
}

impl<'c> PeerKeys<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        let rings = config.keyrings.iter().map(|ring| (ring.name.as_str(), &ring.keys));
        let rings: Vec<_> = std::iter::once((DEFAULT, &config.default_keys)).chain(rings).collect();
        let keys = rings.iter().enumerate().flat_map(|(ring, (name, keys))| {
            let name = *name;
            keys.iter().map(move |key| (ring, name, key))
        });
        let keys: Vec<(usize, &str, &Key)> = keys.collect();
        let mut of_name: BTreeMap<&str, Vec<(usize, &Key)>> = BTreeMap::new();
        let mut first: BTreeMap<IpNet, (usize, &Key)> = BTreeMap::new();
        for (place, (ring, name, key)) in keys.iter().enumerate() {
            of_name.entry(name).or_default().push((place, key));
            if let KeyPeer::Address(net) = &key.peer {
                first.entry(net.trunc()).or_insert((*ring, key));
            }
        }
        Self {
            all: Ring::new(keys.iter().enumerate().map(|(place, (_, _, key))| (place, *key))),
            by_name: of_name.into_iter().map(|(name, keys)| (name, Ring::new(keys.into_iter()))).collect(),
            first: Nets::new(first),
        }
    }

    /// A key for a peer, or for anybody, in the keyrings of these names; without names in all.
    pub(super) fn found(&self, peer: Option<IpAddr>, rings: &[String]) -> FoundKey {
        if rings.is_empty() {
            return self.all.sum(peer).found;
        }
        let rings = rings.iter().filter_map(|name| self.by_name.get(name.as_str()));
        rings.fold(Sum::NONE, |sum, ring| sum.and(ring.sum(peer))).found
    }

    /// The key that a peer has without a profile: the best of the first keyring that has one.
    pub(super) fn used(&self, peer: IpAddr) -> Option<&'c Key> {
        // of several in a keyring, the narrowest comes first
        self.first
            .around(peer.into())
            .map(|(_, found)| found)
            .min_by_key(|(ring, _)| *ring)
            .map(|(_, key)| *key)
    }

    /// The first key for exactly this peer.
    pub(super) fn of_host(&self, peer: IpAddr) -> Option<&'c Key> {
        let host = IpNet::from(peer);
        self.first.around(host).next().filter(|(net, _)| *net == host).map(|(_, (_, key))| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const KEYS: &str = "crypto isakmp key 6 HIDDEN address 198.51.100.0 255.255.255.0
crypto isakmp key CLEAR hostname branch.example
crypto keyring A
 pre-shared-key address 192.0.2.0 255.255.255.0 key 6 HIDDEN
 pre-shared-key address 192.0.2.1 key CLEAR
crypto keyring B
 pre-shared-key address 192.0.2.1 key OTHER
 pre-shared-key address 192.0.2.2 key 6 HIDDEN
 pre-shared-key address 0.0.0.0 0.0.0.0 key 6 HIDDEN
";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Of keys that cannot be read the last is blamed, whatever its network; one that can be read
    /// is enough.
    #[test]
    fn a_key_is_found_in_the_keyrings_that_are_searched() {
        let config = parse(KEYS).config;
        let keys = PeerKeys::new(&config);
        for (peer, rings, expected) in [
            (Some("192.0.2.1"), &[][..], FoundKey::Readable),
            (Some("192.0.2.2"), &[], FoundKey::Unreadable(9)),
            (Some("192.0.2.2"), &["B", "A"], FoundKey::Unreadable(9)),
            (Some("192.0.2.2"), &["A"], FoundKey::Unreadable(4)),
            (Some("198.51.100.7"), &["default"], FoundKey::Unreadable(1)),
            (Some("198.51.100.7"), &["A"], FoundKey::None),
            (Some("203.0.113.1"), &["default", "A"], FoundKey::None),
            (None, &["default"], FoundKey::Readable),
            (None, &["none"], FoundKey::None),
        ] {
            let rings: Vec<String> = rings.iter().map(|name| (*name).to_string()).collect();
            assert_eq!(keys.found(peer.map(address), &rings), expected, "{peer:?} in {rings:?}");
        }
    }

    /// The first keyring with a key for a peer is the one that is used, and in it the narrowest key.
    #[test]
    fn the_key_that_is_used_is_of_the_first_keyring() {
        let config = parse(KEYS).config;
        let keys = PeerKeys::new(&config);
        let lines = |peer| {
            let line = |key: Option<&Key>| key.map(|key| key.line);
            (line(keys.used(address(peer))), line(keys.of_host(address(peer))))
        };
        assert_eq!(lines("192.0.2.1"), (Some(5), Some(5)));
        assert_eq!(lines("192.0.2.2"), (Some(4), Some(8)));
        assert_eq!(lines("198.51.100.7"), (Some(1), None));
        assert_eq!(lines("203.0.113.1"), (Some(9), None));
    }
}
