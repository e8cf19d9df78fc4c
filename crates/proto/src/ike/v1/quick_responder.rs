//! Quick mode as responder: which crypto map entry serves the peer, what is chosen, and how the peer
//! is told that nothing is.

use super::phase1::{nonce, only};
use super::protected::with_hash;
use super::quick::halves;
use crate::flow::selector::{AddressRange, Selector};
use crate::ike::authorization::AuthorizedPeer;
use crate::ike::explain::Refusal;
use crate::ike::identity::Proxy;
use crate::ike::lifetime::Lifetimes;
use crate::ike::lookup;
use crate::ike::misfit::Phase2Misfit;
use crate::ike::proposal::{Phase2Choice, Phase2Difference, choose_phase2};
use crate::ike::tables::child::NewChild;
use crate::ike::tables::claims::Claim;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, Exchange, IsakmpSa};
use crate::ike::v1::states::QuickResponder;
use crate::ike::vendor::Vendor;
use crate::limits;
use crate::names::{ChildId, PeerId, Service, Spi};
use crate::policy::EntryTerms;
use crate::policy::reserved::reserved;
use crate::wire::attribute;
use crate::wire::ike1::{Notify, Proposal, parse_sa, write_sa};
use crate::wire::isakmp::{Chain, MessageError, Writer};
use crate::wire::registry::{exchange, notify, payload, protocol};
use hubward_crypto::dh::DhPrivate;

impl V1<'_> {
    /// `<--  2  { HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, N] }`
    pub(crate) fn quick_mode_respond(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        chain: &Chain<'_>,
        authorized: &AuthorizedPeer,
    ) -> Result<Answer, Refusal> {
        let established = sa.established().ok_or(Refusal::Unexpected(exchange::QUICK))?;
        let keys = established.keys.clone();
        let (peer, profile) = (established.peer, established.profile.clone());
        let offered = parse_sa(only(chain, payload::SA, "SA")?)?;
        let nonce_i = nonce(chain, None)?;
        let unity = sa.vendors.has(Vendor::Unity);
        let ids: Vec<_> = chain.all(payload::ID).collect();
        let selector = match ids.as_slice() {
            [] => Selector::between(AddressRange::host(sa.path.local), AddressRange::host(sa.path.remote)),
            [theirs, ours] => {
                let (remote, local) = (Proxy::parse(theirs, unity)?, Proxy::parse(ours, unity)?);
                Proxy::selector(&local, &remote).ok_or(Refusal::MissingPayload("matching ID"))?
            }
            _ => return Err(Refusal::MissingPayload("ID")),
        };
        let lease = self.check_client_selector(peer, &selector, authorized)?;
        let replaces = self.cx.replaced_by(peer, &selector);
        self.room_for_child(sa, peer, replaces.is_some())?;
        let (found, choice) = if let Some(connection) = &sa.connection {
            // a gateway that rekeys our child SA proposes the selector of the one in use
            if replaces.is_none() {
                return Err(no_entry(&selector, None));
            }
            let service = Service::Client(connection.name.clone());
            let choice = choose_phase2(&Self::wish(sa, &connection.terms, &selector), &offered)
                .map_err(|difference| misfit(&connection.terms, &offered, difference))?;
            ((service, connection.terms.clone()), choice)
        } else {
            let chosen = self.choose_entry(sa, profile.as_deref(), &selector, &offered);
            let served = chosen.as_ref().ok().map(|((_, terms), choice)| (terms, choice));
            self.trace_quick_1_compared(sa, profile.as_deref(), &selector, &offered, served);
            chosen?
        };
        let (service, terms) = found;
        // not checked for a client's leased address, nor for the outer address of a peer without
        // NAT
        let own =
            lease.is_some() || (selector.remote == AddressRange::host(sa.path.remote) && !sa.nat.remote);
        if service.template().is_some()
            && !own
            && let Some((range, kind)) = reserved(&self.cx.policy, &terms, &selector)
        {
            return Err(Refusal::ReservedNetwork { theirs: selector.remote, reserved: range, kind });
        }
        let public = chain.first(payload::KE).map(|_| only(chain, payload::KE, "KE")).transpose()?;
        // without the group of the public value, the two sides would compute different keys
        if public.is_some() != choice.suite.pfs.is_some() {
            return Err(misfit(&terms, &offered, Phase2Difference::Pfs));
        }
        let silent = match own {
            true => {
                self.claim_own_address(sa, &service, &terms, &selector)?;
                Vec::new()
            }
            false => match self.claim_network(sa, message_id, &service, &selector)? {
                Claim::Free(silent) => silent,
                Claim::Asked => {
                    self.hold(sa, message_id, chain);
                    return Ok(None);
                }
            },
        };
        self.trace_quick_1_accepted(sa, message_id, chain);
        let private = choice.suite.pfs.map(|group| DhPrivate::generate(group, &mut self.cx.random));
        let shared = match (&private, public) {
            (Some(private), Some(public)) => Some(private.agree(public)?),
            _ => None,
        };
        let nonce_r = self.cx.random.array::<20>().to_vec();
        let spi = self.new_spi();
        self.trace_spi_given(sa, spi);
        let (inbound, outbound) = halves(&keys, &choice.suite, spi, (nonce_i, &nonce_r), shared.as_ref());
        // only now is everything in the message checked
        self.take_over(sa, silent, &service, &selector);
        let new = NewChild {
            service,
            selector,
            suite: choice.suite,
            offered: Lifetimes::of(&choice.transform),
            inbound,
            outbound,
            replaces,
            initiator: false,
            terms,
        };
        // install the inbound SA before sending message 2: the peer may send ESP as soon as it has
        // that
        let child = self.cx.install_child((peer, sa.id, sa.path), new, lease);
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&choice.answer(spi))).push(payload::NONCE, nonce_r.clone());
        if let Some(private) = &private {
            writer.push(payload::KE, private.public());
        }
        for id in ids {
            writer.push(payload::ID, id);
        }
        if !choice.suite.told.is_empty() {
            writer.push(payload::NOTIFY, responder_lifetime(choice.suite.told, spi).write());
        }
        let plain = with_hash(&writer, |rest| keys.hash2(message_id, nonce_i, rest));
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, plain)
            .ok_or(Refusal::Unexpected(exchange::QUICK))?;
        self.trace_quick_2_sent(sa, message_id);
        let retransmit = self.cx.transmit_expecting(sa.path, bytes.clone());
        let state = QuickResponder { child, retransmit, nonce_i: nonce_i.to_vec(), nonce_r };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickResponder(Box::new(state)));
        }
        Ok(Some((sa.path, bytes)))
    }

    /// The first entry, in IOS's order, whose transform sets accept one of the proposals.
    fn choose_entry(
        &self,
        sa: &IsakmpSa,
        profile: Option<&str>,
        selector: &Selector,
        offered: &[Proposal],
    ) -> Result<((Service, EntryTerms), Phase2Choice), Refusal> {
        let policy = &self.cx.policy;
        let entries = lookup::entries_for(policy, sa.path.interface, sa.path.remote, profile, selector);
        let mut closest = None;
        for found in entries {
            let choice = choose_phase2(&Self::wish(sa, found.terms, selector), offered);
            if found.terms.left_out && (choice.is_ok() || found.terms.transform_sets.is_empty()) {
                return Err(no_entry(selector, profile));
            }
            match choice {
                Ok(choice) => {
                    return Ok(((found.service, found.terms.clone()), choice));
                }
                Err(difference) => {
                    if closest.as_ref().is_none_or(|(nearest, _)| difference > *nearest) {
                        closest = Some((difference, found.terms));
                    }
                }
            }
        }
        Err(closest.map_or_else(
            || no_entry(selector, profile),
            |(difference, terms)| misfit(terms, offered, difference),
        ))
    }

    /// A client may propose only its assigned address as its proxy identity, and no other peer may
    /// propose that address. Old Cisco clients open a second SA to the hub itself, which this rule
    /// permits; the inner source of a packet must be the assigned address in any case.
    fn check_client_selector(
        &self,
        peer: PeerId,
        selector: &Selector,
        authorized: &AuthorizedPeer,
    ) -> Result<Option<std::net::IpAddr>, Refusal> {
        let Some(known) = self.cx.peers.get(&peer) else { return Ok(None) };
        let address = known.lease.as_ref().map(|lease| lease.address);
        match address {
            Some(address) if selector.remote != AddressRange::host(address) => {
                Err(Refusal::ForeignAddress(selector.remote.to_string()))
            }
            // a peer with an Xauth user or a group is a client and needs an address first
            None if known.connection.is_none() && (authorized.user().is_some() || known.group.is_some()) => {
                let reachable = self.static_client(selector);
                if reachable { Ok(None) } else { Err(Refusal::ForeignAddress(selector.remote.to_string())) }
            }
            // of equal selectors the newest gets the traffic: a spoke that proposes a client's
            // address would take over the client's traffic
            None if self.is_leased_to_another(peer, selector) => {
                Err(Refusal::LeasedAddress(selector.remote.to_string()))
            }
            address => Ok(address),
        }
    }

    /// Whether the peer's side of a selector is exactly the address leased to another peer.
    fn is_leased_to_another(&self, peer: PeerId, selector: &Selector) -> bool {
        let address = selector.remote.first();
        selector.remote == AddressRange::host(address) && self.cx.peers.leased(address).any(|id| id != peer)
    }

    /// Without mode-config, a client's proxy identity is accepted only if a crypto ACL of a dynamic
    /// map permits it.
    fn static_client(&self, selector: &Selector) -> bool {
        self.cx.policy.maps.iter().flat_map(|map| &map.entries).any(|entry| match &entry.kind {
            crate::policy::MapEntryKind::Static { .. } => false,
            crate::policy::MapEntryKind::Dynamic { entries, .. } => entries
                .iter()
                .any(|entry| entry.terms.acl.as_ref().is_some_and(|acl| lookup::permits(acl, selector))),
        })
    }

    /// Notifies the peer why its quick mode is refused; nothing of its message is copied into the
    /// answer.
    pub(crate) fn quick_mode_reject(&mut self, sa: &IsakmpSa, refusal: &Refusal) -> Answer {
        let kind = match refusal {
            // there is no notify for a full table; this one ends the attempt
            Refusal::NoPhase2Proposal(_) | Refusal::TooManyChildren { .. } | Refusal::TooMany => {
                notify::NO_PROPOSAL_CHOSEN
            }
            Refusal::Malformed(MessageError::Doi(_)) => notify::DOI_NOT_SUPPORTED,
            Refusal::Malformed(MessageError::Situation(_)) => notify::SITUATION_NOT_SUPPORTED,
            Refusal::NoCryptoMapEntry { .. }
            | Refusal::ForeignAddress(_)
            | Refusal::LeasedAddress(_)
            | Refusal::ReservedNetwork { .. }
            | Refusal::ConfiguredNetwork { .. }
            | Refusal::HeldNetwork { .. }
            | Refusal::Identity(_) => notify::INVALID_ID_INFORMATION,
            _ => notify::PAYLOAD_MALFORMED,
        };
        let message = Notify { protocol: protocol::ISAKMP, spi: Vec::new(), kind, data: Vec::new() };
        self.notify(sa, &message)
    }

    /// Whether the peer may have one more child SA. A rekey replaces one, so it is never refused
    /// for the number of those in use; of those that were replaced, the oldest ends at once if
    /// there are far too many.
    fn room_for_child(&mut self, sa: &IsakmpSa, peer: PeerId, rekey: bool) -> Result<(), Refusal> {
        let limit = self.cx.children_limit(sa.path.interface);
        let (mut standing, mut replaced, mut half_made) = (0, 0, 0);
        for child in self.cx.children_of(peer) {
            standing += usize::from(!child.superseded);
            replaced += usize::from(child.superseded);
            half_made += usize::from(!child.superseded && !child.outbound && !child.initiator);
        }
        if standing >= limit && !rekey {
            return Err(Refusal::TooManyChildren { limit });
        }
        if half_made >= limits::HALF_MADE {
            return Err(Refusal::TooMany);
        }
        let kept = self.cx.children_kept(sa.path.interface, standing);
        if standing + replaced >= kept + limits::EXCHANGES {
            let oldest = self.cx.children_of(peer).find(|child| child.superseded).map(|child| child.sa.id);
            if let Some(oldest) = oldest {
                self.end_child(oldest, "replaced", false);
            }
        }
        Ok(())
    }

    /// The peer refuses something. If a single quick mode of ours is in progress, it is over; if
    /// there are several, the SPI identifies it. Otherwise the peer gives up a quick mode of its
    /// own that we have answered.
    pub(crate) fn quick_mode_refused(&mut self, sa: &mut IsakmpSa, message: &Notify) -> bool {
        let Some(established) = sa.established_mut() else { return false };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (id, exchange) in &established.exchanges {
            match exchange {
                Exchange::QuickInitiator(quick) => ours.push((*id, quick.spi.0.to_be_bytes())),
                Exchange::QuickResponder(quick) => theirs.push((*id, quick.child)),
                _ => {}
            }
        }
        let named = |spi: &[u8]| message.spi == spi;
        let given_up = theirs.iter().find(|(_, child)| {
            let child = self.cx.children.get(child);
            child.is_some_and(|child| {
                named(&child.sa.outbound.spi.0.to_be_bytes()) || named(&child.sa.inbound.spi.0.to_be_bytes())
            })
        });
        if let Some((_, child)) = given_up {
            self.quick_mode_given_up(sa, *child);
            return true;
        }
        let refused = match ours.as_slice() {
            [(only, _)] => Some(*only),
            several => several.iter().find(|(_, spi)| named(spi)).map(|(id, _)| *id),
        };
        if let Some(id) = refused {
            if let Some(Exchange::QuickInitiator(quick)) = established.exchanges.remove(&id) {
                self.quick_mode_failed(sa, &quick);
            }
        } else if let ([], [(_, child)]) = (ours.as_slice(), theirs.as_slice()) {
            self.quick_mode_given_up(sa, *child);
            return true;
        }
        false
    }

    /// The peer does not finish the quick mode that made this child SA: message 2 is not sent
    /// again, not even if message 1 is repeated, and the child SA ends.
    pub(crate) fn quick_mode_given_up(&mut self, sa: &mut IsakmpSa, child: ChildId) {
        self.forget_quick_mode(sa, child);
        self.end_child(child, "the peer gave it up", false);
    }

    /// Forgets the quick mode that made a child SA, if it is still in progress on this SA.
    pub(crate) fn forget_quick_mode(&mut self, sa: &mut IsakmpSa, child: ChildId) {
        let Some(established) = sa.established_mut() else { return };
        let made = |exchange: &Exchange| match exchange {
            Exchange::QuickResponder(quick) => quick.child == child,
            _ => false,
        };
        let id = established.exchanges.iter().find(|(_, exchange)| made(exchange)).map(|(id, _)| *id);
        if let Some(id) = id {
            established.exchanges.remove(&id);
            established.ivs.forget(id);
            sa.seen.withdraw(id);
        }
    }
}

fn no_entry(selector: &Selector, profile: Option<&str>) -> Refusal {
    Refusal::NoCryptoMapEntry { selector: *selector, profile: profile.map(str::to_string) }
}

fn misfit(terms: &EntryTerms, offered: &[Proposal], difference: Phase2Difference) -> Refusal {
    Refusal::NoPhase2Proposal(Box::new(Phase2Misfit::new(terms, offered, difference)))
}

/// RESPONDER-LIFETIME (RFC 2407 section 4.6.3.1) in message 2.
fn responder_lifetime(told: Lifetimes, spi: Spi) -> Notify {
    let mut data = Vec::new();
    attribute::write(&told.attributes(), &mut data);
    Notify {
        protocol: protocol::ESP,
        spi: spi.0.to_be_bytes().to_vec(),
        kind: notify::RESPONDER_LIFETIME,
        data,
    }
}
