//! Quick mode (RFC 2409 section 5.5).
//!
//! ```text
//! initiator                                          responder
//!   1  { HASH(1), SA, Ni [, KE] [, IDci, IDcr] }  -->
//!                        (our inbound SA is installed before message 2 is sent)
//!                                                 <--  2  { HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, N] }
//!   3  { HASH(3) }                                -->
//!                        (our outbound SA is used after message 3 or the first valid ESP packet)
//! ```
//!
//! Nonces are 20 bytes: vpnc writes its own nonce into a payload as long as ours.

use super::phase1::{nonce, only};
use super::protected::{open, with_hash};
use crate::esp::sa::Half;
use crate::flow::selector::{AddressRange, Selector};
use crate::ike::explain::Refusal;
use crate::ike::identity::Proxy;
use crate::ike::lifetime::{self, Lifetimes};
use crate::ike::proposal::{Phase2Suite, Phase2Wish, choose_phase2, offer_phase2};
use crate::ike::tables::child::{NewChild, PendingChild};
use crate::ike::v1::quick_waiting::Begun;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, Exchange, IsakmpSa};
use crate::ike::v1::states::QuickInitiator;
use crate::ike::vendor::Vendor;
use crate::limits;
use crate::names::Spi;
use crate::path::Path;
use crate::policy::{EntryTerms, TransformSet};
use crate::wire::ike1::{Notify, parse_sa, write_sa};
use crate::wire::isakmp::{Chain, Header, Writer};
use crate::wire::registry::{exchange, notify, payload};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::secret::Secret;

impl V1<'_> {
    pub(crate) fn wish<'a>(sa: &IsakmpSa, terms: &'a EntryTerms, selector: &Selector) -> Phase2Wish<'a> {
        let gateways = selector.local == AddressRange::host(sa.path.local)
            && selector.remote == AddressRange::host(sa.path.remote);
        Phase2Wish {
            sets: &terms.transform_sets,
            pfs: terms.pfs,
            lifetime: terms.lifetime,
            kilobytes: terms.kilobytes,
            udp: sa.udp_dialect(),
            transport_possible: gateways,
        }
    }

    pub(crate) fn new_spi(&mut self) -> Spi {
        loop {
            let spi = self.cx.random.u32();
            if spi >= 256 && !self.cx.by_spi.contains_key(&spi) {
                return Spi(spi);
            }
        }
    }

    /// `1  { HASH(1), SA, Ni [, KE], IDci, IDcr }  -->`
    pub(crate) fn start_quick_mode(&mut self, sa: &mut IsakmpSa, child: PendingChild) -> Result<(), Refusal> {
        let established = sa.established().ok_or(Refusal::Local("phase 1 is not through"))?;
        if established.gate.authorized().is_none() {
            return Err(Refusal::NotAuthorized);
        }
        // the peer of a dynamic entry has its network because it proposed it, and another one that
        // is at its address does not have it
        let meant = sa.meant.map(|meant| meant.peer) == Some(established.peer);
        let replaced = child.replaces.and_then(|id| self.cx.children.get(&id));
        if child.service.template().is_some()
            && !meant
            && replaced.is_none_or(|old| old.peer != established.peer)
        {
            return Err(Refusal::Local("another peer than the one that was called has answered"));
        }
        let same = |exchange: &Exchange| match exchange {
            Exchange::QuickInitiator(other) => other.child.is_like(&child),
            _ => false,
        };
        if established.exchanges.values().any(same) {
            return Ok(());
        }
        if established.quick_modes() >= limits::QUICK_MODES {
            let Some(established) = sa.established_mut() else { return Ok(()) };
            return established.waiting.want(child);
        }
        let mut terms = self
            .cx
            .policy
            .terms(&child.service)
            .cloned()
            .ok_or(Refusal::Local("the crypto map entry is gone"))?;
        if let Some(old) = child.replaces.and_then(|id| self.cx.children.get(&id)) {
            // a rekey proposes only the suite in use: a client accepts a single transform
            let set = TransformSet { name: String::new(), suite: old.sa.suite, mode: old.sa.mode, line: 0 };
            terms.transform_sets = vec![set];
            terms.pfs = old.pfs;
        }
        let spi = self.new_spi();
        let private = terms.pfs.map(|group| DhPrivate::generate(group, &mut self.cx.random));
        let nonce = self.cx.random.array::<20>().to_vec();
        let (local, remote) = Proxy::of(&child.selector);
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&offer_phase2(&Self::wish(sa, &terms, &child.selector), spi)));
        writer.push(payload::NONCE, nonce.clone());
        if let Some(private) = &private {
            writer.push(payload::KE, private.public());
        }
        writer.push(payload::ID, local.write()).push(payload::ID, remote.write());
        let established = sa.established().ok_or(Refusal::Local("phase 1 is not through"))?;
        let message_id = self.cx.new_message_id(|id| established.is_in_use(id));
        let plain = with_hash(&writer, |rest| established.keys.hash1(message_id, rest));
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, plain)
            .ok_or(Refusal::Local("phase 1 is not through"))?;
        self.trace_quick_1_sent(sa, message_id);
        let retransmit = self.cx.transmit_expecting(sa.path, bytes);
        let state = QuickInitiator { child, retransmit, terms, spi, nonce, private };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickInitiator(Box::new(state)));
        }
        self.use_message_id(sa, message_id);
        Ok(())
    }

    /// A quick mode starts. Phase 1 is rekeyed in time, before the list of remembered ids is full.
    /// If that does not happen, the SA ends, because a forgotten id could be used twice.
    fn use_message_id(&mut self, sa: &mut IsakmpSa, message_id: u32) {
        let now = self.cx.now;
        let Some(established) = sa.established_mut() else { return };
        established.message_ids.insert(message_id);
        if established.message_ids.runs_out() {
            established.renew = established.renew.map(|_| now);
        }
        if established.message_ids.is_full() {
            established.retire = Some(now + limits::FIRST_RETRANSMIT * 4);
        }
    }

    /// A quick mode message was received.
    pub(crate) fn quick_mode(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        Self::must_be_encrypted(header)?;
        let message_id = header.message_id;
        // 0 is the message id of phase 1 (RFC 2408 section 3.1)
        if message_id == 0 {
            return Err(Refusal::Unexpected(header.exchange));
        }
        let established = sa.established_mut().ok_or(Refusal::Unexpected(header.exchange))?;
        let decrypted =
            established.ivs.decrypt(&established.keys, message_id, body).map_err(|_| Refusal::Hash)?;
        let keys = established.keys.clone();
        match established.exchanges.get(&message_id) {
            None if established.message_ids.contains(message_id) => Err(Refusal::MessageIdUsed(message_id)),
            None => {
                let opened = open(&keys, header.first, &decrypted, |rest| keys.hash1(message_id, rest))?;
                // check authorisation before acting on anything in the message
                if !self.goes_on(sa) {
                    return Err(Refusal::NotAuthorized);
                }
                let established = sa.established_mut().ok_or(Refusal::Unexpected(header.exchange))?;
                let authorized = established.gate.authorized().cloned().ok_or(Refusal::NotAuthorized)?;
                if established.message_ids.is_full() {
                    return Err(Refusal::TooMany);
                }
                if established.quick_modes() >= limits::QUICK_MODES {
                    // the message is genuine; it is handled when one of the others is over
                    established.waiting.begin(Begun { path, header: *header, body: body.to_vec() })?;
                    return Ok(None);
                }
                established.ivs.advance(message_id, &decrypted);
                established.dpd.heard = self.cx.now;
                self.use_message_id(sa, message_id);
                self.trace_quick_1_received(sa, message_id);
                // message 1 may be a recorded one: the answer goes to where it came from, but the
                // SA's path follows only message 3, which proves that the peer is there now
                let home = std::mem::replace(&mut sa.path, path);
                let answered = self.quick_mode_respond(sa, message_id, &opened.chain, &authorized);
                if let Err(refusal) = &answered
                    && let Some(told) = self.quick_mode_reject(sa, refusal)
                {
                    sa.seen.amend(message_id, told);
                }
                sa.path = home;
                answered
            }
            Some(Exchange::QuickInitiator(state)) => {
                let opened =
                    open(&keys, header.first, &decrypted, |rest| keys.hash2(message_id, &state.nonce, rest))?;
                established.ivs.advance(message_id, &decrypted);
                established.dpd.heard = self.cx.now;
                let Some(Exchange::QuickInitiator(state)) = established.exchanges.remove(&message_id) else {
                    return Err(Refusal::Unexpected(header.exchange));
                };
                self.follow(sa, path);
                self.trace_quick_2_received(sa, message_id);
                let answered = self.quick_mode_answered(sa, message_id, &state, &opened.chain);
                if answered.is_err() {
                    self.quick_mode_failed(sa, &state);
                }
                answered
            }
            Some(Exchange::QuickResponder(state)) => {
                let nonces = (state.nonce_i.clone(), state.nonce_r.clone());
                open(&keys, header.first, &decrypted, |_| keys.hash3(message_id, &nonces.0, &nonces.1))?;
                let child = state.child;
                established.exchanges.remove(&message_id);
                established.ivs.forget(message_id);
                established.dpd.heard = self.cx.now;
                self.follow(sa, path);
                self.trace_quick_3_received(sa);
                self.cx.use_outbound(child);
                self.trace_quick_answered(sa, message_id, child);
                Ok(None)
            }
            Some(_) => Err(Refusal::Unexpected(header.exchange)),
        }
    }

    /// `3  { HASH(3) }  -->`
    fn quick_mode_answered(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        state: &QuickInitiator,
        chain: &Chain<'_>,
    ) -> Result<Answer, Refusal> {
        let established = sa.established().ok_or(Refusal::Unexpected(exchange::QUICK))?;
        let keys = established.keys.clone();
        let peer = established.peer;
        let answer = parse_sa(only(chain, payload::SA, "SA")?)?;
        let nonce_r = nonce(chain, Some(&state.nonce))?;
        let mut choice = choose_phase2(&Self::wish(sa, &state.terms, &state.child.selector), &answer)
            .map_err(|_| Refusal::NotOffered)?;
        if choice.suite.pfs != state.terms.pfs {
            return Err(Refusal::NotOffered);
        }
        let shared = match (&state.private, chain.only(payload::KE)) {
            (Some(private), Some(public)) => Some(private.agree(public)?),
            (Some(_), None) => return Err(Refusal::MissingPayload("KE")),
            (None, _) => None,
        };
        let ids: Vec<_> = chain.all(payload::ID).collect();
        if let [ours, theirs] = ids.as_slice() {
            // the answer must contain the proxy identities that we proposed
            let unity = sa.vendors.has(Vendor::Unity);
            let (local, remote) = (Proxy::parse(ours, unity)?, Proxy::parse(theirs, unity)?);
            let answered = Proxy::selector(&local, &remote);
            if answered.is_none_or(|answered| answered != state.child.selector) {
                return Err(Refusal::NotOffered);
            }
        } else if !ids.is_empty() {
            return Err(Refusal::NotOffered);
        }
        for body in chain.all(payload::NOTIFY) {
            let message = Notify::parse(body)?;
            if message.kind == notify::RESPONDER_LIFETIME {
                let announced = Lifetimes::announced(&message.data);
                if let Some(seconds) = announced.seconds {
                    choice.suite.lifetime = lifetime::shortened(choice.suite.lifetime, seconds);
                }
                choice.suite.kilobytes =
                    lifetime::granted_volume(announced.kilobytes, choice.suite.kilobytes);
            }
        }
        self.trace_quick_2_accepted(sa, &state.terms, &state.child.selector, &answer, &choice);
        let (inbound, outbound) =
            halves(&keys, &choice.suite, state.spi, (&state.nonce, nonce_r), shared.as_ref());
        let lease = self.cx.peers.get(&peer).and_then(|peer| peer.lease.as_ref()).map(|lease| lease.address);
        let new = NewChild {
            service: state.child.service.clone(),
            terms: state.terms.clone(),
            selector: state.child.selector,
            suite: choice.suite,
            offered: Lifetimes::of(&choice.transform),
            inbound,
            outbound,
            replaces: state.child.replaces.or_else(|| self.cx.replaced_by(peer, &state.child.selector)),
            initiator: true,
        };
        let child = self.cx.install_child((peer, sa.id, sa.path), new, lease);
        let hash = keys.hash3(message_id, &state.nonce, nonce_r);
        let mut writer = Writer::new();
        writer.push(payload::HASH, hash.to_vec());
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, writer.bytes())
            .ok_or(Refusal::Unexpected(exchange::QUICK))?;
        self.cx.child_up(child);
        // the peer may not have its SA before message 3: a child SA in use goes on a little longer
        let at_once = !self.cx.hands_over_later(child);
        if at_once {
            self.cx.use_outbound(child);
        }
        self.trace_quick_3_sent(sa);
        self.cx.out.transmit(sa.path, bytes.clone());
        if let Some(established) = sa.established_mut() {
            established.ivs.forget(message_id);
        }
        self.trace_quick_initiated(sa, message_id, at_once.then_some(child));
        Ok(Some((sa.path, bytes)))
    }
}

/// The keys of both directions: the KEYMAT of a direction depends on its receiver's SPI.
pub(crate) fn halves(
    keys: &crate::ike::v1::keys::Phase1Keys,
    suite: &Phase2Suite,
    own: Spi,
    nonces: (&[u8], &[u8]),
    shared: Option<&Secret>,
) -> (Half, Half) {
    let half = |spi: Spi| Half { spi, keymat: keys.keymat(suite.suite, spi.0, nonces, shared) };
    (half(own), half(suite.spi))
}
