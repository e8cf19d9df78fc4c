//! Whose network it is: one that a peer of a dynamic entry proposes may be another peer's already.
//!
//! A key that many branches share proves that somebody is one of them, and not which. So the tunnel
//! that is there keeps its network as long as its peer answers, and whoever else proposes that
//! network, a part of it, or more than it, is refused and reported. If the peer does not answer,
//! the newcomer gets the network: most often it is the same branch, with another address.
//!
//! ```text
//!  newcomer                        gateway                          older peer
//!   quick mode, message 1  -->
//!                                  R-U-THERE  -->                   four times in three seconds, or
//!                                                                   eight in six
//!                                             <--  R-U-THERE-ACK, or any packet that verifies
//!          <--  INVALID-ID-INFORMATION
//!                                                                   nothing:
//!          <--  message 2          its tunnel for that network ends
//! ```
//!
//! A peer that was heard lately is asked for twice as long: most likely its way is only interrupted,
//! and somebody who goes on proposing its network waits for just that. A peer without DPD counts as there if something of it verified in the last ten seconds; one
//! whose phase 1 is gone is asked by a new one. The networks that the access lists of static
//! entries name belong to the peers of those entries, whether they are there or not. With
//! [`Overlap::NewestWins`] all this is left out, as on a router.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::context::Context;
use crate::ike::event::{Event, EventKind, Rival};
use crate::ike::explain::Refusal;
use crate::ike::io::Effect;
use crate::ike::lookup::overlaps;
use crate::ike::sa::{Child, Exchange, IsakmpSa};
use crate::ike::v1::room::V1;
use crate::ike::v1::vendor::Vendor;
use crate::limits;
use crate::names::{ChildId, ConnId, InterfaceId, PeerId, Service};
use crate::path::Path;
use crate::policy::reserved::reserved;
use crate::policy::{CryptoAcl, EntryTerms, MapEntryKind, Overlap, Policy};
use crate::time::Instant;
use crate::wire::isakmp::{Chain, Writer};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Time between two questions to a peer.
const AGAIN: Duration = Duration::from_millis(750);
/// How often a peer is asked before it counts as gone.
const QUESTIONS: u32 = 4;
/// The same for a peer that was heard lately.
const QUESTIONS_LATELY: u32 = 8;
/// What was heard within this time was heard lately.
const LATELY: Duration = Duration::from_secs(15);
/// How long a peer that has answered is not asked again: an attacker may propose its network many
/// times in a second.
const ANSWERED: Duration = Duration::from_secs(2);
/// How long a peer that did not answer counts as gone, unless it is heard: a newcomer may wait for
/// another holder meanwhile, or have many networks.
const GONE: Duration = Duration::from_millis(6750);
/// A peer that cannot be asked counts as there for this time after it was last heard.
const HEARD: Duration = Duration::from_secs(10);
/// How long the answer to a quick mode may be held back in total, if one holder after another has
/// to be asked.
const LONGEST: Duration = Duration::from_secs(12);

/// The networks of all child SAs, and who is being asked about them.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The narrowest prefix around the peer's side of each child SA: its length, its network.
    nets: BTreeSet<(u8, IpAddr, ChildId)>,
    asked: BTreeMap<PeerId, Asked>,
    /// The quick modes that wait for a peer to answer or not.
    waiting: BTreeSet<(PeerId, ConnId, u32)>,
}

/// A peer that is asked whether it is there.
#[derive(Clone, Copy, Debug)]
struct Asked {
    since: Instant,
    /// When to ask again, or to judge.
    next: Instant,
    questions: u32,
    /// How many questions it is asked.
    most: u32,
    verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
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

/// A quick mode whose answer waits until it is known who has the network.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    first: u8,
    payloads: Vec<u8>,
    pub(crate) path: Path,
    since: Instant,
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
    pub(super) fn insert(&mut self, range: &AddressRange, child: ChildId) {
        let (length, network) = prefix(range);
        self.nets.insert((length, network, child));
    }

    pub(super) fn remove(&mut self, range: &AddressRange, child: ChildId) {
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
    fn near(&self, range: AddressRange) -> impl Iterator<Item = ChildId> {
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
fn protects(acl: &CryptoAcl, selector: &Selector) -> bool {
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
/// with a lower sequence number, which on a router would get the packets.
pub(super) fn configured_for(
    policy: &Policy,
    interface: InterfaceId,
    service: &Service,
    peer: IpAddr,
    selector: &Selector,
) -> Option<u16> {
    let Service::Dynamic { entry: own, .. } = service else { return None };
    let entries = &policy.map_of(interface)?.entries;
    let before = entries.iter().filter(|entry| entry.sequence < own.sequence);
    before.into_iter().find_map(|entry| match &entry.kind {
        MapEntryKind::Static { peers, terms: EntryTerms { acl: Some(acl), .. } } => {
            (!peers.contains(&peer) && protects(acl, selector)).then_some(entry.sequence)
        }
        _ => None,
    })
}

impl Context {
    /// The other peers that have something of a network, with what each has; one more than may be
    /// asked at most.
    ///
    /// # Errors
    /// The network overlaps those of so many child SAs that looking at all of them would take long.
    fn holders(
        &self,
        newcomer: PeerId,
        service: &Service,
        selector: &Selector,
    ) -> Result<Vec<(PeerId, AddressRange)>, Refusal> {
        let place = |id: &PeerId| self.peers.get(id).map(|peer| (peer.path.remote, peer.path.remote_port));
        let own = place(&newcomer);
        let mut found: Vec<(PeerId, AddressRange)> = Vec::new();
        let near = self.claims.near(selector.remote).filter_map(|id| self.children.get(&id));
        for (child, number) in near.zip(1..) {
            if number > limits::NETWORKS_COMPARED {
                return Err(Refusal::TooMany);
            }
            let is_new = found.iter().all(|(peer, _)| *peer != child.peer);
            // what is at the same address and port is the same device
            if is_new
                && child.peer != newcomer
                && place(&child.peer) != own
                && contests(&self.policy, child, service, selector)
            {
                found.push((child.peer, child.sa.selector.remote));
            }
            if found.len() > limits::HOLDERS {
                return Ok(found);
            }
        }
        Ok(found)
    }

    /// Whether the configuration does not let a child SA's peer have its network any more: it is
    /// reserved now, or a static entry's.
    pub(super) fn may_not_have(&self, child: &Child) -> bool {
        let (service, selector, path) = (&child.sa.service, &child.sa.selector, &child.path);
        let Some(terms) = self.policy.terms(service).filter(|_| service.template().is_some()) else {
            return false;
        };
        let behind_nat = self.peers.get(&child.peer).is_some_and(|peer| peer.behind_nat);
        if child.sa.lease.is_some() || (selector.remote == AddressRange::host(path.remote) && !behind_nat) {
            return false;
        }
        let static_entry = || configured_for(&self.policy, path.interface, service, path.remote, selector);
        let decides = self.policy.global.overlap == Overlap::HolderKeeps;
        reserved(&self.policy, terms, selector).is_some() || (decides && static_entry().is_some())
    }

    // ---- the answer
    // ---------------------------------------------------------------------------------------------

    /// Something of a peer verified that arrived at this time. What is older than the question does
    /// not answer it.
    pub(crate) fn holder_heard(&mut self, id: PeerId, at: Instant) {
        let answers = |asked: &Asked| asked.verdict.is_none() && at >= asked.since;
        if self.claims.asked.get(&id).is_some_and(answers) {
            // not within this message: the quick modes that wait are other SAs'
            self.timers.arm_holder(id, Some(self.now));
        }
    }
}

impl V1<'_> {
    // ---- the question
    // -------------------------------------------------------------------------------------------

    /// Who has the network that a peer proposes in a quick mode.
    ///
    /// # Errors
    /// It belongs to another peer.
    pub(crate) fn claim_network(
        &mut self,
        sa: &IsakmpSa,
        message_id: u32,
        service: &Service,
        selector: &Selector,
    ) -> Result<Claim, Refusal> {
        let Some(newcomer) = sa.established().map(|established| established.peer) else {
            return Ok(Claim::Free(Vec::new()));
        };
        if service.template().is_none() || self.cx.policy.global.overlap == Overlap::NewestWins {
            return Ok(Claim::Free(Vec::new()));
        }
        let theirs = selector.remote;
        if let Some(sequence) =
            configured_for(&self.cx.policy, sa.path.interface, service, sa.path.remote, selector)
        {
            return Err(Refusal::ConfiguredNetwork { theirs, sequence });
        }
        let holders = self.cx.holders(newcomer, service, selector)?;
        let mut open = Vec::new();
        for (holder, range) in &holders {
            // too many to be asked for one message count as there
            let there = holders.len() > limits::HOLDERS;
            match self.verdict_on(*holder).filter(|_| !there) {
                Some(Verdict::Gone) => {}
                None if !there => open.push(*holder),
                _ => {
                    self.report(sa, *holder, *range, selector, true);
                    let other = self.cx.peers.get(holder).map_or(sa.path.remote, |peer| peer.path.remote);
                    return Err(Refusal::HeldNetwork { theirs, range: *range, holder: other });
                }
            }
        }
        for holder in &open {
            self.cx.claims.waiting.insert((*holder, sa.id, message_id));
            self.ask_holder(*holder);
        }
        if !open.is_empty() {
            return Ok(Claim::Asked);
        }
        Ok(Claim::Free(holders))
    }

    /// A peer gets a network: the tunnels for it of those that did not answer end.
    pub(crate) fn take_over(
        &mut self,
        sa: &IsakmpSa,
        holders: Vec<(PeerId, AddressRange)>,
        service: &Service,
        selector: &Selector,
    ) {
        for (holder, range) in holders {
            self.report(sa, holder, range, selector, false);
            self.lose(holder, service, selector);
        }
    }

    /// Whether a peer is there; `None` if it has to be asked, or is being asked.
    fn verdict_on(&self, id: PeerId) -> Option<Verdict> {
        let heard = self.heard_from(id);
        if let Some(asked) = self.cx.claims.asked.get(&id) {
            let answered = heard.is_some_and(|heard| heard >= asked.since);
            return if answered { Some(Verdict::There) } else { asked.verdict };
        }
        if self.can_be_asked(id) {
            return None;
        }
        let lately = heard.is_some_and(|heard| heard + HEARD > self.cx.now);
        Some(if lately { Verdict::There } else { Verdict::Gone })
    }

    /// When a message or packet of a peer last verified.
    fn heard_from(&self, id: PeerId) -> Option<Instant> {
        let by_ike = self.established_with(id).filter_map(|sa| Some(sa.established()?.dpd.heard)).max();
        by_ike.max(self.cx.children_of(id).filter_map(|child| child.last_inbound).max())
    }

    /// Whether a peer answers R-U-THERE, as far as we know.
    fn can_be_asked(&self, id: PeerId) -> bool {
        self.sa_with_dpd(id).is_some()
            || self.cx.peers.get(&id).is_some_and(|peer| peer.dpd && self.cx.can_call(peer))
    }

    fn sa_with_dpd(&self, id: PeerId) -> Option<ConnId> {
        let newest = self.newest_sa(id)?;
        self.own.sas.get(&newest).filter(|sa| sa.vendors.has(Vendor::Dpd)).map(|sa| sa.id)
    }

    /// Asks a peer, unless it is being asked.
    fn ask_holder(&mut self, id: PeerId) {
        if self.cx.claims.asked.contains_key(&id) {
            return;
        }
        let lately = self.heard_from(id).is_some_and(|heard| heard + LATELY > self.cx.now);
        let most = if lately { QUESTIONS_LATELY } else { QUESTIONS };
        let asked = Asked { since: self.cx.now, next: self.cx.now, questions: 0, most, verdict: None };
        self.cx.claims.asked.insert(id, asked);
        self.question(id);
    }

    fn question(&mut self, id: PeerId) {
        let Some(asked) = self.cx.claims.asked.get_mut(&id) else { return };
        asked.questions += 1;
        asked.next = self.cx.now + AGAIN;
        let (first, next, time) = (asked.questions == 1, asked.next, AGAIN * asked.most);
        self.cx.timers.arm_holder(id, Some(next));
        match self.sa_with_dpd(id) {
            Some(conn) => {
                self.with_sa(conn, |engine, sa| engine.r_u_there(sa, sa.path));
            }
            None if first => self.call_to_ask(id, Vec::new(), time),
            None => {}
        }
    }

    /// It is time to ask again, or to judge.
    pub(super) fn holder_timeout(&mut self, id: PeerId) {
        let answered = self.verdict_on(id) == Some(Verdict::There);
        let Some(asked) = self.cx.claims.asked.get_mut(&id) else { return };
        if asked.verdict.is_some() {
            self.cx.claims.asked.remove(&id);
        } else if answered {
            asked.verdict = Some(Verdict::There);
            self.cx.timers.arm_holder(id, Some(self.cx.now + ANSWERED));
            self.judge(id);
        } else if self.cx.now < asked.next {
            let next = asked.next;
            self.cx.timers.arm_holder(id, Some(next));
        } else if asked.questions < asked.most {
            self.question(id);
        } else {
            asked.verdict = Some(Verdict::Gone);
            self.cx.timers.arm_holder(id, Some(self.cx.now + GONE));
            self.judge(id);
        }
    }

    /// Goes on with the quick modes that waited for a peer.
    fn judge(&mut self, id: PeerId) {
        let of_peer = (id, ConnId(0), 0)..=(id, ConnId(u32::MAX), u32::MAX);
        let waiting: Vec<_> = self.cx.claims.waiting.range(of_peer).copied().collect();
        for wait in waiting {
            self.cx.claims.waiting.remove(&wait);
            let (_, conn, message_id) = wait;
            self.with_sa(conn, |engine, sa| engine.go_on(sa, message_id));
        }
    }

    /// A peer did not answer: its tunnels for a network end.
    fn lose(&mut self, id: PeerId, newcomer: &Service, selector: &Selector) {
        let lost =
            self.cx.children_of(id).filter(|child| contests(&self.cx.policy, child, newcomer, selector));
        let lost: Vec<_> = lost.map(|child| child.sa.id).collect();
        for child in lost {
            self.end_child(child, "another peer has its network, and this one does not answer", true);
        }
    }

    fn report(
        &mut self,
        sa: &IsakmpSa,
        holder: PeerId,
        range: AddressRange,
        selector: &Selector,
        kept: bool,
    ) {
        let Some(peer) = self.cx.peers.get(&holder) else { return };
        let holder = Rival { path: peer.path, identity: peer.identity.display(), network: range };
        let Some(identity) = sa.established().map(|established| established.identity.display()) else {
            return;
        };
        let newcomer = Rival { path: sa.path, identity, network: selector.remote };
        let kind =
            EventKind::NetworkContested { newcomer: Box::new(newcomer), holder: Box::new(holder), kept };
        self.cx.out.effect(Effect::Event(Event { connection: Some(sa.id), path: Some(sa.path), kind }));
    }

    // ---- what waits
    // ---------------------------------------------------------------------------------------------

    /// Holds the answer to message 1 of a quick mode back.
    pub(crate) fn hold(&self, sa: &mut IsakmpSa, message_id: u32, chain: &Chain<'_>) {
        let mut writer = Writer::new();
        for payload in &chain.payloads {
            writer.push(payload.kind, payload.body);
        }
        let (first, payloads) = (writer.first(), writer.bytes());
        let held = Held { first, payloads, path: sa.path, since: self.cx.now };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickHeld(Box::new(held)));
        }
    }

    /// Answers a quick mode that waited, or refuses it, or lets it wait for another peer.
    fn go_on(&mut self, sa: &mut IsakmpSa, message_id: u32) {
        let Some(established) = sa.established_mut() else { return };
        let Some(Exchange::QuickHeld(held)) = established.exchanges.get(&message_id) else { return };
        let held = held.clone();
        established.exchanges.remove(&message_id);
        let Some(authorized) = established.gate.authorized().cloned() else { return };
        let Ok(chain) = Chain::parse(held.first, &held.payloads) else { return };
        let home = std::mem::replace(&mut sa.path, held.path);
        let answered = match held.since + LONGEST > self.cx.now {
            true => self.quick_mode_respond(sa, message_id, &chain, &authorized),
            false => Err(Refusal::TooMany),
        };
        let told = match answered {
            Ok(answer) => answer,
            Err(refusal) => {
                let told = self.quick_mode_reject(sa, &refusal);
                self.refuse(Some(sa), held.path, refusal);
                told
            }
        };
        sa.path = home;
        if let Some(told) = told {
            sa.seen.amend(message_id, told);
        }
        if let Some(established) = sa.established_mut()
            && let Some(Exchange::QuickHeld(again)) = established.exchanges.get_mut(&message_id)
        {
            again.since = held.since;
        }
    }
}

/// Whether a child SA stands in the way of a network that a peer of a dynamic entry proposes.
fn contests(policy: &Policy, child: &Child, newcomer: &Service, selector: &Selector) -> bool {
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
