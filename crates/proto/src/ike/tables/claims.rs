//! The networks of all child SAs, found by overlap, and the peers that are being asked about them.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::lookup::overlaps;
use crate::ike::tables::child::Child;
use crate::names::{ChildId, ConnId, InterfaceId, PeerId, Service};
use crate::policy::{CryptoAcl, EntryTerms, MapEntryKind, Policy};
use crate::time::Instant;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The networks of all child SAs, and who is being asked about them.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The narrowest prefix around the peer's side of each child SA: its length, its network.
    nets: BTreeSet<(u8, IpAddr, ChildId)>,
    pub(crate) asked: BTreeMap<PeerId, Asked>,
    /// The quick modes that wait for a peer to answer or not.
    pub(crate) waiting: BTreeSet<(PeerId, ConnId, u32)>,
}

/// A peer that is asked whether it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) since: Instant,
    /// When to ask again, or to judge.
    pub(crate) next: Instant,
    pub(crate) questions: u32,
    /// How many questions it is asked.
    pub(crate) most: u32,
    pub(crate) verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    There,
    Gone,
}

/// What holds for a network that a peer proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The peer may have it; so far these others have it, with something of it each, and do not
    /// answer.
    Free(Vec<(PeerId, AddressRange)>),
    /// Another peer has it and is being asked; the answer comes later.
    Asked,
}

/// The narrowest prefix around a range.
fn prefix(range: &AddressRange) -> (u8, IpAddr) {
    let length = match (range.first(), range.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
        (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
        _ => 0,
    };
    let length = u8::try_from(length).unwrap_or(0);
    (length, network(range.first(), length).unwrap_or(range.first()))
}

/// The prefix of a length that contains an address; `None` if its family has no such length.
fn network(address: IpAddr, length: u8) -> Option<IpAddr> {
    IpNet::new(address, length).ok().map(|net| net.network())
}

impl Claims {
    pub(crate) fn insert(&mut self, range: &AddressRange, child: ChildId) {
        let (length, network) = prefix(range);
        self.nets.insert((length, network, child));
    }

    pub(crate) fn remove(&mut self, range: &AddressRange, child: ChildId) {
        let (length, network) = prefix(range);
        self.nets.remove(&(length, network, child));
    }

    /// The shortest length in use from `least` on.
    fn length_from(&self, least: u8) -> Option<u8> {
        let lowest = (least, IpAddr::V4(Ipv4Addr::UNSPECIFIED), ChildId(0));
        self.nets.range(lowest..).next().map(|(length, ..)| *length)
    }

    /// The child SAs whose prefix overlaps that of a range, in the order of prefix lengths. One
    /// look-up for each length in use.
    pub(crate) fn near(&self, range: AddressRange) -> impl Iterator<Item = ChildId> {
        let lengths = std::iter::successors(self.length_from(0), |length| self.length_from(length + 1));
        lengths.filter_map(move |length| Some((length, network(range.first(), length)?))).flat_map(
            move |(length, first)| {
                let nets = (length, first, ChildId(0))..=(length, range.last(), ChildId(u64::MAX));
                self.nets.range(nets).map(|(.., child)| *child)
            },
        )
    }
}

/// Whether an access list protects some of what a selector selects.
pub(crate) fn protects(acl: &CryptoAcl, selector: &Selector) -> bool {
    for line in &acl.lines {
        if !line.permit && line.selector.covers(selector) {
            return false;
        }
        if line.permit && overlaps(&line.selector, selector) {
            return true;
        }
    }
    false
}

/// The static entry to whose peers a network belongs that a peer of a dynamic entry proposes: one
/// with a lower sequence number, which on a router would get the packets. Its own peers may have the
/// network by a dynamic entry too, but not by one whose packets must be told from those of a static one.
pub(crate) fn configured_for(
    policy: &Policy,
    interface: InterfaceId,
    service: &Service,
    peer: IpAddr,
    selector: &Selector,
) -> Option<u16> {
    let Service::Dynamic { entry: own, .. } = service else { return None };
    let entries = &policy.map_of(interface)?.entries;
    let to_none = policy.terms(service).is_some_and(|terms| terms.filters_rest);
    let before = entries.iter().filter(|entry| entry.sequence < own.sequence);
    before.into_iter().find_map(|entry| match &entry.kind {
        MapEntryKind::Static { peers, terms: EntryTerms { acl: Some(acl), .. } } => {
            ((to_none || !peers.contains(&peer)) && protects(acl, selector)).then_some(entry.sequence)
        }
        _ => None,
    })
}

/// Whether a child SA stands in the way of a network that a peer of a dynamic entry proposes.
pub(crate) fn contests(policy: &Policy, child: &Child, newcomer: &Service, selector: &Selector) -> bool {
    let own = &child.sa.selector;
    match &child.sa.service {
        _ if !own.remote.overlaps(&selector.remote) => false,
        // whatever our side is: a host that is behind one peer is not behind another
        Service::Dynamic { .. } => true,
        // within a map, the order of its entries has decided
        Service::Entry(entry) if newcomer.map_entry().is_some_and(|other| other.map == entry.map) => false,
        // a tunnel for everything is a default, beside which others have their networks
        Service::Entry(_) => {
            let acl = policy.terms(&child.sa.service).and_then(|terms| terms.acl.as_ref());
            own.remote != AddressRange::ANY_V4 && acl.is_some_and(|acl| protects(acl, selector))
        }
        Service::Client(_) => own.remote != AddressRange::ANY_V4,
        Service::Tunnel(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range() -> impl Strategy<Value = AddressRange> {
        let few = prop::sample::select(vec![0x0a00_0000_u32, 0x0a01_0100, 0x0a01_0180, 0xc0a8_0000]);
        (few, 0_u32..=32, 0_u32..700, any::<bool>()).prop_map(|(base, length, span, is_prefix)| {
            if is_prefix {
                let net = ipnet::Ipv4Net::new(base.into(), length as u8).unwrap();
                return AddressRange::prefix(net.trunc().into());
            }
            let address = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits));
            AddressRange::new(address(base), address(base + span)).unwrap()
        })
    }

    proptest! {
        /// Against a plain list: no network that overlaps is missed, while some come and go.
        #[test]
        fn finds_every_network_that_overlaps(
            nets in proptest::collection::vec((range(), any::<bool>()), 1..40),
            asked in proptest::collection::vec(range(), 1..20),
        ) {
            let mut claims = Claims::default();
            for ((net, _), id) in nets.iter().zip(0..) {
                claims.insert(net, ChildId(id));
            }
            for ((net, _), id) in nets.iter().zip(0..).filter(|((_, goes), _)| *goes) {
                claims.remove(net, ChildId(id));
            }
            let stay: Vec<_> = nets.iter().zip(0..).filter(|((_, goes), _)| !goes).collect();
            for asked in asked {
                let near: BTreeSet<_> = claims.near(asked).collect();
                for ((net, _), id) in &stay {
                    prop_assert!(!net.overlaps(&asked) || near.contains(&ChildId(*id)), "{net} {asked}");
                }
                prop_assert!(near.len() <= stay.len());
            }
        }
    }

    #[test]
    fn the_families_do_not_mix() {
        let mut claims = Claims::default();
        let net = |text: &str| AddressRange::prefix(text.parse().unwrap());
        claims.insert(&net("2001:db8::/32"), ChildId(1));
        claims.insert(&net("10.0.0.0/8"), ChildId(2));
        claims.insert(&net("2001:db8:1::1/128"), ChildId(3));
        let near = |text: &str| claims.near(net(text)).collect::<Vec<_>>();
        assert_eq!(near("10.1.0.0/16"), [ChildId(2)]);
        assert_eq!(near("2001:db8:1::/48"), [ChildId(1), ChildId(3)]);
        assert_eq!(near("10.0.0.0/7"), [ChildId(2)]);
        assert!(near("11.0.0.0/8").is_empty() && near("::/32").is_empty());
    }
}
