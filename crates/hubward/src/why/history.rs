//! What became of each peer: when it was up last, how that ended, and what it sends for SAs that are
//! not there. Bounded: the peer of which nothing has been heard for the longest time is forgotten.
//! It survives a restart.

use crate::base::store::Rows;
use crate::why::ends;
use hubward_proto::ike::event::{Event, EventKind};
use hubward_proto::names::Untrusted;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Peers that are remembered.
pub(crate) const PEERS: usize = 4096;
/// Ends of each peer that are remembered: enough to see that it comes and goes.
const ENDS: usize = 8;
/// For how long a peer is remembered over a restart.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Ends within this time are one: all tunnels of a peer, or of the users behind its address, go
/// together, and with them phase 1.
const TOGETHER: Duration = Duration::from_secs(2);
/// Strays after a longer pause begin anew.
const PAUSE: Duration = Duration::from_secs(60);

/// How something of a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Since 1970.
    pub(crate) at: Duration,
    /// A tunnel, or a phase 1.
    pub(crate) tunnel: bool,
    /// The engine's word for why.
    pub(crate) reason: &'static str,
    /// How many tunnels ended with it.
    pub(crate) tunnels: u32,
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
    /// How the last thing that ended did, if nothing has come up since.
    pub(crate) fn last_end(&self) -> Option<Ended> {
        let since = self.phase1.max(self.tunnel);
        self.ends.back().copied().filter(|end| since.is_none_or(|up| up <= end.at))
    }

    /// When something of it was up last.
    pub(crate) fn up(&self) -> Option<Duration> {
        self.phase1.max(self.tunnel)
    }
}

/// Those of all peers. Readers share them.
pub(crate) type Histories = Arc<BTreeMap<IpAddr, Arc<History>>>;

/// The histories, and of whom the disk has none or an old one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chronicle {
    pub(super) all: Histories,
    unsaved: BTreeSet<IpAddr>,
}

/// Notes an event of the engine.
pub(super) fn event(histories: &mut Chronicle, wall: Duration, event: &Event) {
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
pub(super) fn stray(histories: &mut Chronicle, wall: Duration, peer: IpAddr, spi: u32) {
    let of = entry(histories, wall, peer);
    let before = of.stray.filter(|stray| wall.saturating_sub(stray.last) < PAUSE);
    let before = before.map_or((wall, 0), |stray| (stray.first, stray.times));
    of.stray = Some(Stray { first: before.0, last: wall, times: before.1 + 1, spi });
}

fn end(histories: &mut Chronicle, wall: Duration, peer: IpAddr, tunnel: bool, reason: &'static str) {
    // a rekey ends nothing, and of strangers, whom anybody can play, nothing is remembered
    if reason == "replaced" || !histories.all.contains_key(&peer) {
        return;
    }
    let of = entry(histories, wall, peer);
    let with = of.ends.back_mut().filter(|last| wall.saturating_sub(last.at) < TOGETHER);
    match with {
        // with its tunnels a phase 1 goes as well: what ended first says why
        Some(_) if !tunnel => {}
        Some(last) if last.reason == reason => last.tunnels = last.tunnels.saturating_add(1),
        _ => {
            if of.ends.len() >= ENDS {
                of.ends.pop_front();
            }
            of.ends.push_back(Ended { at: wall, tunnel, reason, tunnels: tunnel.into() });
        }
    }
}

fn entry(histories: &mut Chronicle, wall: Duration, peer: IpAddr) -> &mut History {
    let all = Arc::make_mut(&mut histories.all);
    if all.len() >= PEERS && !all.contains_key(&peer) {
        let oldest = all.iter().min_by_key(|(_, of)| of.heard).map(|(peer, _)| *peer);
        if let Some(oldest) = oldest {
            all.remove(&oldest);
            histories.unsaved.insert(oldest);
        }
    }
    histories.unsaved.insert(peer);
    let of = Arc::make_mut(all.entry(peer).or_default());
    of.heard = wall;
    of
}

// ---- over a restart ---------------------------------------------------------------------------

/// A history as the disk has it; times in seconds since 1970. What is added later has a default.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Stored {
    heard: u64,
    phase1: Option<u64>,
    tunnel: Option<u64>,
    identity: Option<String>,
    user: Option<String>,
    ends: Vec<StoredEnd>,
}

#[derive(Serialize, Deserialize)]
struct StoredEnd {
    at: u64,
    tunnel: bool,
    reason: String,
    tunnels: u32,
}

impl Chronicle {
    /// From the rows on disk. Rows that make no sense, or are too old, are passed over.
    pub(crate) fn load(rows: &Rows, wall: Duration) -> Self {
        let mut chronicle = Self::default();
        let mut all = BTreeMap::new();
        for (name, value) in rows {
            let Ok(peer) = name.parse::<IpAddr>() else { continue };
            let stored = serde_json::from_slice::<Stored>(value).ok();
            let of = stored.map(History::from).filter(|of| wall.saturating_sub(of.heard) < KEPT);
            match of {
                Some(of) if all.len() < PEERS => drop(all.insert(peer, Arc::new(of))),
                _ => drop(chronicle.unsaved.insert(peer)),
            }
        }
        chronicle.all = Arc::new(all);
        chronicle
    }

    /// What the disk does not have yet, and what it has too much.
    pub(crate) fn unsaved(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let peers = std::mem::take(&mut self.unsaved);
        let row = |peer: IpAddr| {
            let of = self.all.get(&peer).map(|of| Stored::from(of.as_ref()));
            (peer.to_string(), of.and_then(|of| serde_json::to_vec(&of).ok()))
        };
        peers.into_iter().map(row).collect()
    }
}

impl From<&History> for Stored {
    fn from(of: &History) -> Self {
        let text = |name: &Option<Untrusted>| name.as_ref().map(ToString::to_string);
        let end = |end: &Ended| StoredEnd {
            at: end.at.as_secs(),
            tunnel: end.tunnel,
            reason: end.reason.to_owned(),
            tunnels: end.tunnels,
        };
        Self {
            heard: of.heard.as_secs(),
            phase1: of.phase1.map(|at| at.as_secs()),
            tunnel: of.tunnel.map(|at| at.as_secs()),
            identity: text(&of.identity),
            user: text(&of.user),
            ends: of.ends.iter().map(end).collect(),
        }
    }
}

impl From<Stored> for History {
    fn from(stored: Stored) -> Self {
        let name = |text: Option<String>| text.map(Untrusted::new);
        let end = |end: StoredEnd| Ended {
            at: Duration::from_secs(end.at),
            tunnel: end.tunnel,
            reason: ends::known(&end.reason),
            tunnels: end.tunnels,
        };
        let skipped = stored.ends.len().saturating_sub(ENDS);
        Self {
            heard: Duration::from_secs(stored.heard),
            phase1: stored.phase1.map(Duration::from_secs),
            tunnel: stored.tunnel.map(Duration::from_secs),
            identity: name(stored.identity),
            user: name(stored.user),
            ends: stored.ends.into_iter().skip(skipped).map(end).collect(),
            stray: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::names::{InterfaceId, VrfId};
    use hubward_proto::path::{Encapsulation, ISAKMP_PORT, Path};

    const WALL: Duration = Duration::from_secs(1_700_000_000);
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn later(seconds: u64) -> Duration {
        WALL + Duration::from_secs(seconds)
    }

    fn up(chronicle: &mut Chronicle, wall: Duration) {
        let path = Path {
            local: "192.0.2.1".parse().unwrap(),
            local_port: ISAKMP_PORT,
            remote: PEER,
            remote_port: ISAKMP_PORT,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let kind = EventKind::XauthAccepted { user: Untrusted::new("hansi") };
        event(chronicle, wall, &Event { path: Some(path), connection: None, kind });
        let of = entry(chronicle, wall, PEER);
        (of.phase1, of.tunnel) = (Some(wall), Some(wall));
    }

    #[test]
    fn it_survives_a_restart() {
        let mut chronicle = Chronicle::default();
        up(&mut chronicle, WALL);
        end(&mut chronicle, later(60), PEER, true, "deleted by the peer");
        stray(&mut chronicle, later(60), PEER, 7);
        let rows: Rows =
            chronicle.unsaved().into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        assert!(chronicle.unsaved().is_empty());
        let mut again = Chronicle::load(&rows, later(100));
        let mut expected = (*chronicle.all[&PEER]).clone();
        expected.stray = None;
        assert_eq!(*again.all[&PEER], expected);
        assert!(again.unsaved().is_empty());
        // what is old, or no history, goes from the disk as well
        let old = Chronicle::load(&rows, later(60) + KEPT).unsaved();
        assert_eq!(old, [(PEER.to_string(), None)]);
        let bad = Rows::from([("192.0.2.9".into(), b"no".to_vec()), ("x".into(), b"{}".to_vec())]);
        let mut bad = Chronicle::load(&bad, WALL);
        assert_eq!((bad.all.len(), bad.unsaved().len()), (0, 1));
    }

    #[test]
    fn what_ends_together_is_one_end() {
        let mut chronicle = Chronicle::default();
        end(&mut chronicle, WALL, PEER, true, "idle");
        assert!(chronicle.all.is_empty(), "a stranger's");
        up(&mut chronicle, WALL);
        for _ in 0..3 {
            end(&mut chronicle, later(60), PEER, true, "deleted by the peer");
        }
        end(&mut chronicle, later(61), PEER, false, "the peer gave it up");
        end(&mut chronicle, later(61), PEER, true, "replaced");
        let expected = Ended { at: later(60), tunnel: true, reason: "deleted by the peer", tunnels: 3 };
        assert_eq!(chronicle.all[&PEER].ends, [expected]);
        assert_eq!(chronicle.all[&PEER].last_end(), Some(expected));
        up(&mut chronicle, later(90));
        assert_eq!(chronicle.all[&PEER].last_end(), None, "it is up again");
        for count in 1..20 {
            end(&mut chronicle, later(100 * count), PEER, true, "idle");
        }
        assert_eq!(chronicle.all[&PEER].ends.len(), ENDS);
    }

    #[test]
    fn strays_after_a_pause_begin_anew() {
        let mut chronicle = Chronicle::default();
        for seconds in [0, 5, 10] {
            stray(&mut chronicle, later(seconds), PEER, 7);
        }
        let stray_of = |chronicle: &Chronicle| chronicle.all[&PEER].stray.unwrap();
        assert_eq!((stray_of(&chronicle).first, stray_of(&chronicle).times), (WALL, 3));
        stray(&mut chronicle, later(100), PEER, 8);
        assert_eq!((stray_of(&chronicle).first, stray_of(&chronicle).times), (later(100), 1));
    }

    #[test]
    fn who_was_silent_for_the_longest_time_is_forgotten() {
        let mut chronicle = Chronicle::default();
        let count = u32::try_from(PEERS).unwrap();
        for n in 0..=count {
            entry(&mut chronicle, later(n.into()), std::net::Ipv4Addr::from(n).into());
        }
        assert_eq!(chronicle.all.len(), PEERS);
        let first: IpAddr = std::net::Ipv4Addr::from(0).into();
        assert!(!chronicle.all.contains_key(&first));
        assert!(chronicle.unsaved().contains(&(first.to_string(), None)));
    }
}
