//! What became of each peer: when it was up last, how that ended, and what it sends for SAs that are
//! not there. Bounded: the peer of which nothing has been heard for the longest time is forgotten.

use hubward_proto::ike::event::{Event, EventKind};
use hubward_proto::names::Untrusted;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Peers that are remembered.
pub(crate) const PEERS: usize = 4096;
/// Ends of each peer that are remembered: enough to see that it comes and goes.
const ENDS: usize = 8;

/// How something of a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Since 1970.
    pub(crate) at: Duration,
    /// A tunnel, or a phase 1.
    pub(crate) tunnel: bool,
    /// The engine's word for why.
    pub(crate) reason: &'static str,
}

/// ESP for SPIs that are not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
    /// Reports of such packets; of many in a second only the first few are reported.
    pub(crate) times: u64,
    pub(crate) spi: u32,
}

/// A peer's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// When something was last heard of it, since 1970.
    pub(crate) heard: Duration,
    /// When a phase 1 and a tunnel with it came up last.
    pub(crate) phase1: Option<Duration>,
    pub(crate) tunnel: Option<Duration>,
    /// Its identity, and the user, if one was authenticated.
    pub(crate) identity: Option<Untrusted>,
    pub(crate) user: Option<Untrusted>,
    /// The last ends, the newest last.
    pub(crate) ends: VecDeque<Ended>,
    pub(crate) stray: Option<Stray>,
}

impl History {
    /// How the last thing that ended did.
    pub(crate) fn last_end(&self) -> Option<Ended> {
        self.ends.back().copied()
    }
}

/// Those of all peers. Readers share them.
pub(crate) type Histories = Arc<BTreeMap<IpAddr, History>>;

/// Notes an event of the engine.
pub(super) fn event(histories: &mut Histories, wall: Duration, event: &Event) {
    let Some(path) = event.path else { return };
    match &event.kind {
        EventKind::Phase1Up { identity, .. } => {
            let of = entry(histories, wall, path.remote);
            of.phase1 = Some(wall);
            of.identity = Some(identity.clone());
            // who it is now, Xauth says
            of.user = None;
        }
        EventKind::XauthAccepted { user } => {
            entry(histories, wall, path.remote).user = Some(user.clone());
        }
        EventKind::ChildUp { .. } => {
            let of = entry(histories, wall, path.remote);
            of.tunnel = Some(wall);
            of.stray = None;
        }
        EventKind::ChildDown { reason, .. } => end(histories, wall, path.remote, true, reason),
        EventKind::Phase1Down { reason } => end(histories, wall, path.remote, false, reason),
        _ => {}
    }
}

/// Notes ESP for an SPI that is not known, from an address where a peer was. Strangers can send such
/// packets as well: what they send is not for here.
pub(super) fn stray(histories: &mut Histories, wall: Duration, peer: IpAddr, spi: u32) {
    let of = entry(histories, wall, peer);
    let before = of.stray.map_or((wall, 0), |stray| (stray.first, stray.times));
    of.stray = Some(Stray { first: before.0, last: wall, times: before.1 + 1, spi });
}

fn end(histories: &mut Histories, wall: Duration, peer: IpAddr, tunnel: bool, reason: &'static str) {
    // a rekey ends nothing, and of strangers, whom anybody can play, nothing is remembered
    if reason == "replaced" || !histories.contains_key(&peer) {
        return;
    }
    let of = entry(histories, wall, peer);
    // with its tunnels a phase 1 goes as well: what ended first says why
    let same = of.last_end().is_some_and(|last| !tunnel && wall.saturating_sub(last.at) < CONSEQUENCE);
    if same {
        return;
    }
    if of.ends.len() >= ENDS {
        of.ends.pop_front();
    }
    of.ends.push_back(Ended { at: wall, tunnel, reason });
}

/// For how long the end of a phase 1 is a consequence of the tunnels' end.
const CONSEQUENCE: Duration = Duration::from_secs(2);

fn entry(histories: &mut Histories, wall: Duration, peer: IpAddr) -> &mut History {
    let all = Arc::make_mut(histories);
    if all.len() >= PEERS && !all.contains_key(&peer) {
        let oldest = all.iter().min_by_key(|(_, of)| of.heard).map(|(peer, _)| *peer);
        oldest.and_then(|oldest| all.remove(&oldest));
    }
    let of = all.entry(peer).or_default();
    of.heard = wall;
    of
}
