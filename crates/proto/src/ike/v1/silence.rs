//! Child SAs whose phase 1 is gone: it may end before them. If packets are sent to such a peer and
//! none comes back, nothing can ask the peer whether it still has its SAs. So phase 1 is made anew,
//! and the child SAs with it, which helps a peer that has lost them. If the peer does not answer
//! within the time of dead peer detection, it is dead.

use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::tables::child::{Child, PendingChild};
use crate::ike::v1::informational::{PROBES, RETRY, UNANSWERED};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::ike::v1::states::Meant;
use crate::limits;
use crate::names::{PeerId, Spi};
use crate::path::Path;
use crate::policy::Keepalive;
use crate::wire::ike1::Notify;
use crate::wire::registry::{notify, protocol};
use std::time::Duration;

/// Time between two such attempts for one peer.
const AGAIN: Duration = Duration::from_secs(60);

/// Time between two notifications of a peer about SPIs.
const TELL_AGAIN: Duration = Duration::from_secs(1);
/// Peers at one address that are notified of an SPI.
const NEIGHBOURS: usize = 4;

/// How long packets may stay unanswered before the peer is asked, and how long it has to answer:
/// the times of dead peer detection, or those without `crypto isakmp keepalive`.
fn patience(keepalive: Option<Keepalive>) -> (Duration, Duration) {
    let idle = keepalive.map_or(UNANSWERED, |keepalive| keepalive.interval.min(UNANSWERED));
    (idle, keepalive.map_or(RETRY, |keepalive| keepalive.retry) * PROBES)
}

impl V1<'_> {
    /// A peer without a phase-1 SA: if it is silent, phase 1 is made anew.
    pub(crate) fn ask_anew(&mut self, id: PeerId) {
        let Some(peer) = self.cx.peers.get(&id) else { return };
        // a client's phase 1 is its session
        if self.cx.stopping || peer.is_client() || peer.connection.is_some() {
            return;
        }
        let (path, keepalive) = (peer.path, self.cx.keepalive_with(peer.profile.as_deref()));
        let lately = peer.called.is_some_and(|called| called + AGAIN > self.cx.now);
        let (patience, time) = patience(keepalive);
        if lately || !self.cx.is_silent(id, patience) {
            return;
        }
        if !self.cx.can_call(peer) {
            // a peer that only its name has a key for cannot be called
            if self.cx.is_silent(id, patience + time) {
                self.called_in_vain(path, Meant { peer: id, until: Some(self.cx.now) });
            }
            return;
        }
        let lost = |child: &&Child| child.outbound && !child.superseded;
        let children =
            self.cx.children_of(id).filter(lost).take(limits::EXCHANGES).map(Child::again).collect();
        self.call_to_ask(id, children, time);
    }

    /// Begins phase 1 with a peer to learn whether it is there.
    pub(crate) fn call_to_ask(&mut self, id: PeerId, children: Vec<PendingChild>, time: Duration) {
        let now = self.cx.now;
        let called = self
            .own
            .sas
            .values()
            .any(|sa| sa.established().is_none() && sa.meant.is_some_and(|meant| meant.peer == id));
        let Some(peer) = self.cx.peers.get_mut(&id).filter(|_| !called) else { return };
        peer.called = Some(now);
        let (path, profile) = (peer.path, peer.profile.clone());
        let mut sa = self.caller(path, profile);
        sa.meant = Some(Meant { peer: id, until: Some(now + time) });
        sa.pending = children;
        self.begin(sa);
    }

    /// A phase 1 that was meant for a peer failed. If the time to answer is over, and the peer is
    /// still silent, it is dead.
    pub(crate) fn called_in_vain(&mut self, path: Path, meant: Meant) {
        let id = meant.peer;
        let Some(peer) = self.cx.peers.get(&id) else { return };
        let keepalive = self.cx.keepalive_with(peer.profile.as_deref());
        let probes = keepalive.is_some() || self.cx.children_of(id).any(|child| child.initiator);
        let over = meant.until.is_some_and(|until| until <= self.cx.now);
        let is_back = self.established_with(id).next().is_some();
        // without `crypto isakmp keepalive`, the peer of a tunnel that it initiated is not given up
        if !over || !probes || is_back || !self.cx.is_silent(id, patience(keepalive).0) {
            return;
        }
        self.cx.out.report(None, Some(path), EventKind::PeerDead);
        self.cx.pass_over(path.remote, id);
        self.cx.end_peer_children(id, "the peer is dead");
    }

    /// ESP with an SPI that we do not know came from a peer, or somebody who forged its address: the
    /// peer may use a child SA whose delete was lost. Nobody else can make anything of what it is
    /// told.
    pub(crate) fn tell_of_spi(&mut self, path: &Path, spi: Spi) {
        let now = self.cx.now;
        let there: Vec<_> = self.cx.peers.at(path.remote).map(|(id, _)| id).take(NEIGHBOURS + 1).collect();
        // the packet does not say which of many peers behind a NAT it is from
        if there.len() > NEIGHBOURS {
            return;
        }
        for id in there {
            let Some(conn) = self.newest_sa(id) else { continue };
            let Some(peer) = self.cx.peers.get_mut(&id) else { continue };
            if peer.told.is_some_and(|told| told + TELL_AGAIN > now) {
                continue;
            }
            peer.told = Some(now);
            let spi = spi.0.to_be_bytes().to_vec();
            let data = spi.clone();
            let message = Notify { protocol: protocol::ESP, spi, kind: notify::INVALID_SPI, data };
            self.with_sa(conn, |v1, sa| v1.notify(sa, &message));
        }
    }

    /// INVALID-SPI under a phase-1 SA: the peer does not know a child SA that we use. It is made
    /// anew at once, because it carries nothing.
    pub(crate) fn spi_is_unknown(&mut self, sa: &mut IsakmpSa, message: &Notify) -> Result<(), Refusal> {
        let told = Err(Refusal::PeerError { kind: message.kind, of_answer: false });
        let Some(established) = sa.established().filter(|it| it.gate.authorized().is_some()) else {
            return told;
        };
        let peer = established.peer;
        let spi = |bytes: &[u8]| Some(Spi(u32::from_be_bytes(bytes.first_chunk().copied()?)));
        let named = [spi(&message.data), spi(&message.spi)];
        let lost = self.cx.children_of(peer).find(|child| named.contains(&Some(child.sa.outbound.spi)));
        let Some((id, again)) = lost.map(|child| (child.sa.id, (!child.superseded).then(|| child.again())))
        else {
            return told;
        };
        let is_client = self.cx.peers.get(&peer).is_none_or(|peer| peer.is_client());
        // a client of this gateway makes its child SAs itself
        if let Some(again) = again.filter(|_| !is_client && !self.cx.stopping)
            && let Err(refusal) = self.start_quick_mode(sa, again)
        {
            let path = sa.path;
            self.refuse(Some(sa), path, refusal);
        }
        self.end_child(id, "the peer does not know it", false);
        told
    }
}
