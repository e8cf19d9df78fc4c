//! The loop that drives an engine, for the gateway and for the VPN client: one message or deadline
//! at a time, and what both do in the same way.

use crate::base::clock::now;
use crate::base::inbox::Inbox;
use crate::base::message::{Datagram, End, LinkPacket, Message, News, Request};
use crate::supervise::{BEAT, Heart};
use hubward_linux::random;
use hubward_linux::udp::UdpSocket;
use hubward_proto::esp::sad::{Halves, Reached, Sa, Sad};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Input, Limit};
use hubward_proto::names::ChildId;
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The shortest time between two log lines about dropped datagrams.
const DROPS_LOGGED: Duration = Duration::from_secs(60);

/// The owner of an engine that the loop drives.
pub(crate) trait Drives {
    /// The engine.
    fn engine(&mut self) -> &mut Engine;

    /// When the owner's own work is due, apart from the engine's timers and
    /// [`Drives::every_second`].
    fn deadline(&self) -> Option<Instant>;

    /// An IKE message arrived.
    fn datagram(&mut self, datagram: Datagram);

    /// The data plane reports something.
    fn news(&mut self, news: News);

    /// A packet for a DHCP client arrived.
    fn dhcp(&mut self, packet: LinkPacket);

    /// Handles a request; returns the end if that was requested.
    fn request(&mut self, request: Request) -> Option<End>;

    /// Called once after each message or deadline: carries out the engine's effects. Returns the
    /// end if they lead to it.
    ///
    /// # Errors
    /// The owner cannot continue.
    fn turn(&mut self) -> anyhow::Result<Option<End>>;

    /// Called about once a second.
    fn every_second(&mut self);
}

/// Drives the engine until the end, which is [`End::Failed`] if another part of the program died or
/// hangs.
///
/// # Errors
/// [`Drives::turn`] cannot continue.
pub(crate) fn drive(it: &mut impl Drives, heart: &Heart, inbox: &Inbox) -> anyhow::Result<End> {
    let mut second = now();
    let (mut dropped, mut logged) = (0, None);
    loop {
        heart.beat();
        if let Some(end) = it.turn()? {
            return Ok(end);
        }
        if heart.supervisor().fault().is_some() {
            return Ok(End::Failed);
        }
        let engine = it.engine().poll_timeout().map(|(at, _)| at);
        let deadline = [engine, it.deadline()].into_iter().flatten().fold(second, Instant::min);
        match inbox.take(deadline.since(now()).min(BEAT)) {
            Some(Message::Datagram(datagram)) => it.datagram(datagram),
            Some(Message::News(news)) => it.news(news),
            Some(Message::Answer(id, answer)) => it.engine().handle(now(), Input::Answer { id, answer }),
            Some(Message::Dhcp(packet)) => it.dhcp(packet),
            Some(Message::Request(request)) => {
                if let Some(end) = it.request(request) {
                    return Ok(end);
                }
            }
            None => {}
        }
        if it.engine().poll_timeout().is_some_and(|(at, _)| at <= now()) {
            it.engine().handle_timeout(now());
        }
        if second > now() {
            continue;
        }
        second = now() + Duration::from_secs(1);
        // reseed, so that a leaked generator state or a cloned machine does not predict future keys
        match random::seed() {
            Ok(entropy) => it.engine().handle(now(), Input::Reseed(entropy)),
            Err(error) => tracing::debug!("no fresh entropy: {error}"),
        }
        it.every_second();
        dropped += inbox.dropped();
        if dropped > 0 && logged.is_none_or(|last| last + DROPS_LOGGED <= now()) {
            tracing::warn!("{dropped} IKE messages were dropped: more came than could be answered");
            (dropped, logged) = (0, Some(now()));
        }
    }
}

/// Sends an IKE message.
pub(crate) fn transmit(isakmp: &UdpSocket, natt: &UdpSocket, path: &Path, bytes: &[u8]) {
    let to = SocketAddr::new(path.remote, path.remote_port);
    let sent = match path.encapsulation {
        Encapsulation::Native => isakmp.send_to(bytes, to, Some(path.local)),
        Encapsulation::Udp => natt.send_to(&[&[0; 4], bytes].concat(), to, Some(path.local)),
    };
    if let Err(error) = sent {
        // the engine retransmits what is not answered
        tracing::debug!("an IKE message to {to} was not sent: {error}");
    }
}

/// Sends a NAT keepalive (RFC 3948, section 2.3).
pub(crate) fn keep_nat_open(natt: &UdpSocket, path: &Path) {
    let to = SocketAddr::new(path.remote, path.remote_port);
    let _lost = natt.send_to(&[0xff], to, Some(path.local));
}

/// What the engine knows about the traffic of the child SAs: limits and the first packet are
/// levels, read here from the SAs and reported to the engine once.
#[derive(Default)]
pub(crate) struct Reports(BTreeMap<ChildId, Report>);

#[derive(Default)]
struct Report {
    /// When the last packet was received and sent.
    last: (Option<Instant>, Option<Instant>),
    reached: Reached,
}

impl Reports {
    /// Reports all child SAs: what they carried since the last time, and what they reached.
    pub(crate) fn all(&mut self, engine: &mut Engine, sad: &Sad) {
        for (child, halves) in sad.pairs() {
            let report = self.0.entry(child).or_default();
            let last = |sa: &Option<Arc<Sa>>| sa.as_ref().and_then(|sa| sa.counters.last());
            let seen = (last(&halves.inbound), last(&halves.outbound));
            // unanswered traffic must continue to be checked
            let unanswered = seen.1 > seen.0;
            if seen != (None, None) && (report.last != seen || unanswered) {
                report.last = seen;
                engine.handle(now(), Input::Traffic { child, last_inbound: seen.0, last_outbound: seen.1 });
            }
            report.reached(engine, child, &halves);
        }
    }

    /// Reports that a child SA reached a level.
    pub(crate) fn reached(&mut self, engine: &mut Engine, sad: &Sad, child: ChildId) {
        let half = |direction| sad.get(child, direction);
        use hubward_proto::esp::sa::Direction::{Inbound, Outbound};
        let halves = Halves { inbound: half(Inbound), outbound: half(Outbound) };
        if halves.inbound.is_some() || halves.outbound.is_some() {
            self.0.entry(child).or_default().reached(engine, child, &halves);
        }
    }

    /// A child SA is gone.
    pub(crate) fn forget(&mut self, child: ChildId) {
        self.0.remove(&child);
    }
}

impl Report {
    fn reached(&mut self, engine: &mut Engine, child: ChildId, halves: &Halves) {
        let of = |sa: &Option<Arc<Sa>>| sa.as_ref().map(|sa| sa.reached()).unwrap_or_default();
        let (inbound, outbound) = (of(&halves.inbound), of(&halves.outbound));
        let known = std::mem::replace(
            &mut self.reached,
            Reached {
                seen: inbound.seen,
                soft: inbound.soft || outbound.soft,
                hard: inbound.hard || outbound.hard,
            },
        );
        let reached = self.reached;
        if reached.seen && !known.seen {
            engine.handle(now(), Input::InboundSeen { child });
        }
        if reached.hard && !known.hard {
            engine.handle(now(), Input::Expire { child, limit: Limit::Hard });
        } else if reached.soft && !known.soft {
            engine.handle(now(), Input::Expire { child, limit: Limit::Soft });
        }
    }
}
