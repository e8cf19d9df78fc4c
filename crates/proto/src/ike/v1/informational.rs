//! Informational exchanges: notifications, deletes and dead peer detection (RFC 2408 section 4.8,
//! RFC 3706).
//!
//! ```text
//!   { HASH, N | D }  -->          each message is an exchange of its own
//! ```

use super::protected::open;
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::lifetime::Lifetimes;
use crate::ike::v1::phase1::keepalive_of;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::ike::vendor::Vendor;
use crate::limits;
use crate::names::{PeerId, Spi};
use crate::path::Path;
use crate::time::Instant;
use crate::wire::ike1::{Delete, Notify};
use crate::wire::isakmp::{Cookie, Header};
use crate::wire::registry::{notify, payload, protocol};
use std::time::Duration;

/// How long an initiator's traffic may stay unanswered before it probes the peer.
pub(crate) const UNANSWERED: Duration = Duration::from_secs(10);
/// Time between probes if none is configured.
pub(crate) const RETRY: Duration = Duration::from_secs(2);
/// Number of unanswered probes after which a peer is considered dead.
pub(crate) const PROBES: u32 = 5;

/// How long an SA stays at least whose peer announces that it will end it.
const TIME_TO_RENEW: Duration = Duration::from_secs(10);

impl V1<'_> {
    /// An informational message was received. Without keys it has no effect and is only logged.
    pub(crate) fn informational(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<(), Refusal> {
        // both ends have the same keys: if our own probe were sent back to us, we would answer it,
        // and our answer could count as the peer's
        if self.own.own_informationals.get(&sa.id).is_some_and(|own| own.contains(&header.message_id)) {
            return Err(Refusal::MessageIdUsed(header.message_id));
        }
        let Some(established) = sa.established_mut() else {
            let chain = crate::wire::isakmp::Chain::parse(header.first, body)?;
            let message = chain.first(payload::NOTIFY).and_then(|body| Notify::parse(body).ok());
            return match message {
                Some(message) if message.kind <= notify::LAST_ERROR && !header.encrypted() => {
                    Err(Refusal::PeerError { kind: message.kind, of_answer: !sa.initiator })
                }
                _ => Err(Refusal::Unexpected(header.exchange)),
            };
        };
        Self::must_be_encrypted(header)?;
        let message_id = header.message_id;
        let decrypted =
            established.ivs.decrypt_single(&established.keys, message_id, body).map_err(|_| Refusal::Hash)?;
        let opened = open(&established.keys, header.first, &decrypted, |rest| {
            established.keys.hash1(message_id, rest)
        })?;
        established.dpd.heard = self.cx.now;
        let (peer, expected) = (established.peer, established.dpd.sequence.to_be_bytes());
        self.cx.holder_heard(peer, self.cx.now);
        self.trace_informational_received(sa, message_id);
        let notes: Result<Vec<_>, _> = opened.chain.all(payload::NOTIFY).map(Notify::parse).collect();
        let notes = notes?;
        if notes.iter().any(|note| note.kind == notify::R_U_THERE_ACK && note.data == expected) {
            self.follow(sa, path);
        } else if path != sa.path {
            self.validate_path(sa, path);
        }
        for message in &notes {
            self.trace_notified(sa, message, message_id);
            self.notified(sa, path, message)?;
        }
        // deletes are handled last: they may end the SA that carried the message
        let deletes: Result<Vec<_>, _> = opened.chain.all(payload::DELETE).map(Delete::parse).collect();
        for delete in deletes? {
            self.trace_delete_received(sa, message_id);
            self.deleted(sa, &delete);
        }
        self.trace_informational_handled(sa, message_id);
        Ok(())
    }

    fn notified(&mut self, sa: &mut IsakmpSa, path: Path, message: &Notify) -> Result<(), Refusal> {
        match message.kind {
            notify::R_U_THERE => {
                let answer = Notify { kind: notify::R_U_THERE_ACK, ..message.clone() };
                self.trace_probe_sent(sa, &answer);
                self.notify_by(sa, path, &answer);
            }
            notify::R_U_THERE_ACK => {
                let next = self.next_probe(sa);
                if let Some(established) = sa.established_mut() {
                    established.dpd.unanswered = 0;
                    established.dpd.next = next;
                }
            }
            notify::INITIAL_CONTACT => {
                let Some(established) = sa.established_mut() else { return Ok(()) };
                if established.gate.authorized().is_some() {
                    let peer = established.peer;
                    self.initial_contact(sa, peer);
                } else {
                    established.initial_contact = true;
                }
            }
            notify::LOAD_BALANCE => self.redirected(sa, message)?,
            notify::RESPONDER_LIFETIME => self.responder_lifetime(sa, message),
            notify::INVALID_SPI => return self.spi_is_unknown(sa, message),
            kind if kind <= notify::LAST_ERROR => {
                let of_answer = self.quick_mode_refused(sa, message);
                return Err(Refusal::PeerError { kind, of_answer });
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends a notification on another path than the SA's.
    fn notify_by(&mut self, sa: &mut IsakmpSa, path: Path, message: &Notify) {
        let home = std::mem::replace(&mut sa.path, path);
        self.notify(sa, message);
        sa.path = home;
    }

    /// An unsolicited message was received on another path. It may be replayed, so the SA's path
    /// follows only when a fresh probe is answered from there.
    fn validate_path(&mut self, sa: &mut IsakmpSa, path: Path) {
        if sa.vendors.has(Vendor::Dpd) {
            self.r_u_there(sa, path);
        }
    }

    /// Asks a peer whether it is there, on a path, without counting: no answer has no effect.
    pub(crate) fn r_u_there(&mut self, sa: &mut IsakmpSa, path: Path) {
        let (initiator, responder) = (sa.cookies.initiator, sa.cookies.responder);
        let Some(established) = sa.established_mut() else { return };
        if established.dpd.unanswered == 0 {
            established.dpd.sequence = established.dpd.sequence.wrapping_add(1) & 0x7fff_ffff;
        }
        let sequence = established.dpd.sequence.to_be_bytes();
        let message = Notify::isakmp(notify::R_U_THERE, initiator, responder, sequence);
        self.notify_by(sa, path, &message);
    }

    /// The responder will end the SA earlier than we proposed.
    fn responder_lifetime(&mut self, sa: &mut IsakmpSa, message: &Notify) {
        let seconds = Lifetimes::announced(&message.data).seconds.filter(|seconds| *seconds > 0);
        if let (protocol::ISAKMP, Some(seconds)) = (message.protocol, seconds) {
            let seconds = Duration::from_secs(seconds).max(limits::SHORTEST_PHASE1);
            let (created, now) = (sa.created, self.cx.now);
            if let Some(established) = sa.established_mut() {
                // it may be older than that already, and its successor takes some time
                let expires = (created + seconds).max(now + TIME_TO_RENEW);
                if expires < established.expires {
                    established.expires = expires;
                    established.renew = established.renew.map(|_| (created + seconds * 4 / 5).max(now));
                }
            }
        }
    }

    /// The client's SA that this one replaced by a rekey, while both exist and the client still has
    /// child SAs.
    fn renewed_by(&self, sa: &IsakmpSa, peer: crate::names::PeerId) -> Option<crate::names::ConnId> {
        let client = self.cx.peers.get(&peer).is_some_and(|peer| peer.is_client());
        let carries = self.cx.children_of(peer).any(|child| !child.superseded);
        let older = self.established_with(peer).find(|other| {
            self.is_older(other, sa) && other.established().is_some_and(|e| e.retire.is_none())
        });
        older.filter(|_| client && carries && !sa.initiator).map(|other| other.id)
    }

    fn deleted(&mut self, sa: &mut IsakmpSa, delete: &Delete) {
        let Some(established) = sa.established() else { return };
        let peer = established.peer;
        // until Xauth has passed, a delete can only end the SA that carries it
        let proven = established.gate.authorized().is_some();
        match delete.protocol {
            protocol::ESP if proven => {
                for spi in &delete.spis {
                    let Ok(spi) = <[u8; 4]>::try_from(spi.as_slice()) else { continue };
                    let spi = Spi(u32::from_be_bytes(spi));
                    // the sender gives its inbound SPI, which is our outbound one; some Cisco
                    // devices give our inbound one
                    let found = self
                        .cx
                        .children_of(peer)
                        .find(|child| child.sa.outbound.spi == spi)
                        .or_else(|| self.cx.children_of(peer).find(|child| child.sa.inbound.spi == spi))
                        .map(|child| child.sa.id);
                    if let Some(id) = found {
                        self.forget_quick_mode(sa, id);
                        self.end_child(id, "deleted by the peer", false);
                    }
                }
            }
            protocol::ISAKMP => {
                for spi in &delete.spis {
                    let Ok(cookies) = <[u8; 16]>::try_from(spi.as_slice()) else { continue };
                    let (initiator, responder) = cookies.split_at(8);
                    let cookie = |bytes: &[u8]| Cookie(bytes.try_into().unwrap_or_default());
                    let (initiator, responder) = (cookie(initiator), cookie(responder));
                    if sa.cookies.initiator == initiator && sa.cookies.responder == responder {
                        // vpnc, after it has rekeyed phase 1, names the new SA but means the old
                        // one, and continues to use the new one; when it disconnects, it deletes
                        // the child SAs first
                        match self.renewed_by(sa, peer).filter(|_| proven) {
                            Some(old) => {
                                self.with_sa(old, |_, old| old.dead = true);
                            }
                            None => {
                                self.trace_deleted_by_peer(sa);
                                sa.dead = true;
                            }
                        }
                        continue;
                    }
                    // a delete may name another SA, but only one of the same peer
                    let of_peer = self.cx.sas_of(peer);
                    let other = of_peer.filter_map(|id| self.own.sas.get(&id)).find(|other| {
                        other.cookies.initiator == initiator && other.cookies.responder == responder
                    });
                    let other = other.map(|other| other.id);
                    if let Some(other) = other.filter(|_| proven) {
                        self.with_sa(other, |_, other| other.dead = true);
                    }
                }
            }
            _ => {}
        }
    }

    // ---- dead peer detection
    // ------------------------------------------------------------------------------------

    /// When the first probe after phase 1 is due.
    pub(crate) fn first_probe(&self, sa: &IsakmpSa, now: Instant) -> Option<Instant> {
        let keepalive = keepalive_of(&self.cx.policy, sa).filter(|keepalive| keepalive.periodic)?;
        sa.vendors.has(Vendor::Dpd).then(|| now + keepalive.interval)
    }

    fn next_probe(&self, sa: &IsakmpSa) -> Option<Instant> {
        self.first_probe(sa, self.cx.now)
    }

    /// A probe is due.
    pub(crate) fn probe(&mut self, sa: &mut IsakmpSa) {
        let now = self.cx.now;
        let keepalive = keepalive_of(&self.cx.policy, sa);
        let Some(established) = sa.established_mut() else { return };
        let peer = established.peer;
        let idle = keepalive.map(|keepalive| keepalive.interval);
        if established.dpd.unanswered == 0
            && let Some(idle) = idle
            && let Some(heard) = self.last_heard(peer).max(Some(established.dpd.heard))
            && heard + idle > now
        {
            // periodic probes are postponed while anything else shows that the peer is alive
            established.dpd.next = Some(heard + idle);
            return;
        }
        if established.dpd.unanswered >= PROBES {
            self.peer_dead(sa, peer);
            return;
        }
        established.dpd.unanswered += 1;
        established.dpd.sequence = established.dpd.sequence.wrapping_add(1) & 0x7fff_ffff;
        established.dpd.next = Some(now + keepalive.map_or(RETRY, |keepalive| keepalive.retry));
        let sequence = established.dpd.sequence.to_be_bytes();
        let message = Notify::isakmp(notify::R_U_THERE, sa.cookies.initiator, sa.cookies.responder, sequence);
        self.trace_probe_sent(sa, &message);
        self.notify(sa, &message);
    }

    fn last_heard(&self, peer: PeerId) -> Option<Instant> {
        self.cx.children_of(peer).filter_map(|child| child.last_inbound).max()
    }

    /// Traffic is sent and nothing is received: probe the peer. Without `crypto isakmp keepalive`
    /// only the initiator probes, after ten seconds.
    pub(crate) fn check_liveness(&mut self, peer: PeerId) {
        let ids = self.cx.sas_of(peer);
        let newest = ids.filter_map(|id| self.own.sas.get(&id)).max_by_key(|sa| sa.created).map(|sa| sa.id);
        let Some(id) = newest else { return self.ask_anew(peer) };
        let (last_out, last_in) = self.cx.children_of(peer).fold((None, None), |(out, inn), child| {
            (out.max(child.last_outbound), inn.max(child.last_inbound))
        });
        self.with_sa(id, |v1, sa| {
            let patience = match keepalive_of(&v1.cx.policy, sa) {
                Some(keepalive) => keepalive.interval.min(UNANSWERED),
                None if sa.initiator => UNANSWERED,
                None => return,
            };
            if !sa.vendors.has(Vendor::Dpd) {
                return;
            }
            let now = v1.cx.now;
            let Some(established) = sa.established_mut() else { return };
            let heard = last_in.max(Some(established.dpd.heard)).unwrap_or(established.dpd.heard);
            let unanswered = last_out.is_some_and(|out| out > heard) && now.since(heard) >= patience;
            if unanswered && established.dpd.unanswered == 0 {
                established.dpd.next = Some(now);
                v1.probe(sa);
            }
        });
    }

    fn peer_dead(&mut self, sa: &mut IsakmpSa, peer: PeerId) {
        self.event(Some(sa), EventKind::PeerDead);
        if sa.established().is_some_and(|established| established.gate.authorized().is_none()) {
            // the peer of this SA has not proved that it owns the other SAs
            sa.dead = true;
            return;
        }
        self.cx.pass_over(sa.path.remote, peer);
        self.cx.end_peer_children(peer, "the peer is dead");
        let others: Vec<_> = self
            .own
            .sas
            .values()
            .filter(|other| other.established().is_some_and(|established| established.peer == peer))
            .map(|other| other.id)
            .collect();
        for id in others {
            self.with_sa(id, |_, other| other.dead = true);
        }
        sa.dead = true;
    }

    /// Ends an SA and sends a delete to the peer.
    pub(crate) fn delete_isakmp(&mut self, sa: &mut IsakmpSa, reason: &'static str) {
        if sa.established().is_some() {
            let spi = [sa.cookies.initiator.0, sa.cookies.responder.0].concat();
            self.send_delete(sa, &Delete { protocol: protocol::ISAKMP, spis: vec![spi] });
        }
        self.trace_sa_deleted(sa, reason);
        self.event(Some(sa), EventKind::Phase1Down { reason });
        sa.dead = true;
    }
}
