//! The data of every `show` command: one copy of the gateway's state, which belongs to its readers.
//! It is made off the gateway thread, from what was published to [`crate::views`].

use crate::base::console_lines::UserLine;
use crate::base::lockout::LockedOut;
use crate::dataplane::offload;
use crate::log::buffer::Logged;
use crate::machine::view::{InterfaceView, Static};
use crate::router::rules::one_to_one::{self, Pool};
use crate::router::{reflexive, translations};
use crate::views::pulse::{Counts, Pulse};
use crate::why::failure::Failure;
use crate::why::history::Histories;
use crate::{guard, plane};
use hubward_config::Parsed;
use hubward_linux::neighbour::Neighbour;
use hubward_linux::nftables::Counted;
use hubward_linux::route::Route;
use hubward_proto::esp::sa::Direction;
use hubward_proto::esp::sad::{Halves, Sa};
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::snapshot::{ChildView, IsakmpView};
use hubward_proto::names::{EntryName, Service};
use hubward_proto::path::Path;
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The gateway at one moment. It contains the configuration's secrets, so it has no `Debug`.
pub(crate) struct Snapshot {
    /// The moment.
    pub(crate) now: Instant,
    /// The same as a date: time since 1970, UTC.
    pub(crate) wall: Duration,
    /// When the gateway started.
    pub(crate) started: Instant,
    pub(crate) parsed: Arc<Parsed>,
    /// The configuration file's text now; `None` when it cannot be read.
    pub(crate) startup: Option<String>,
    /// By connection id.
    pub(crate) isakmp: Vec<Arc<IsakmpView>>,
    /// By the crypto map entries that serve them.
    pub(crate) flows: Vec<Flow>,
    /// Who is authenticated, in the order in which they came.
    pub(crate) peers: BTreeMap<u64, Peer>,
    /// Addresses leased to clients.
    pub(crate) in_use: BTreeSet<IpAddr>,
    /// Packets of SAs that are gone, by the crypto access list and the permit line that selected
    /// them.
    pub(crate) hits: BTreeMap<(String, Selector), u64>,
    pub(crate) interfaces: Vec<InterfaceView>,
    /// When the counters of the interfaces were cleared.
    pub(crate) cleared: Option<Instant>,
    /// Names of links by their index: those of the configuration, where it names one, else the
    /// machine's.
    pub(crate) links: BTreeMap<u32, String>,
    /// Routes of the main table.
    pub(crate) routes: Vec<Route>,
    /// The static routes of the configuration.
    pub(crate) statics: Arc<Vec<Static>>,
    /// What the counters of access lists' lines have met, by their names in the kernel.
    pub(crate) filtered: BTreeMap<String, Counted>,
    /// What reflexive access lists know, by their names.
    pub(crate) reflexive: BTreeMap<String, Vec<reflexive::Entry>>,
    /// The chains of other programs that may drop what is forwarded, in words.
    pub(crate) foreign: Vec<String>,
    /// What `show ip nat` is made of.
    pub(crate) translations: translations::View,
    /// What must not leave unencrypted.
    pub(crate) guard: Arc<guard::View>,
    pub(crate) neighbours: Vec<Neighbour>,
    pub(crate) drops: Dropped,
    /// What the kernel does for the packet path, each with its name.
    pub(crate) offloads: [(&'static str, offload::State); 4],
    /// Which implementations do the work of algorithms that have several.
    pub(crate) implementations: [(&'static str, &'static str); 3],
    /// Who carries the packets.
    pub(crate) plane: plane::Chosen,
    pub(crate) log: Logged,
    /// Which debugging is on.
    pub(crate) debugging: crate::debug::Options,
    /// What was logged, and to which destinations.
    pub(crate) told: crate::log::logging::Told,
    /// Who is logged in.
    pub(crate) users: Vec<UserLine>,
    /// What went wrong with peers, the newest first.
    pub(crate) failures: Vec<Failure>,
    /// What became of each peer.
    pub(crate) histories: Histories,
    /// Who is locked out after wrong passwords, the newest first.
    pub(crate) lockouts: Vec<LockedOut>,
}

/// A peer and what there is with it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// When it was first authenticated.
    pub(crate) since: Instant,
    /// Its ISAKMP SAs, oldest first.
    pub(crate) isakmp: Vec<Arc<IsakmpView>>,
    /// Its flows, by their places in the snapshot.
    pub(crate) flows: Vec<usize>,
}

impl Peer {
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, isakmp: Vec::new(), flows: Vec::new() }
    }
}

/// Flows are in the order of the entries that serve them, and for one entry in the order in which
/// they came up.
pub(crate) fn in_order(flows: &mut [Flow]) {
    let place = |flow: &Flow| {
        let sequence = |entry: &EntryName| entry.sequence;
        (flow.service.map_entry().map(sequence), flow.service.template().map(sequence))
    };
    flows.sort_by_key(place);
}

/// Who each SA and flow belongs to.
pub(crate) fn peers(
    since: impl Iterator<Item = (u64, Instant)>,
    isakmp: &[Arc<IsakmpView>],
    flows: &[Flow],
) -> BTreeMap<u64, Peer> {
    let mut peers: BTreeMap<_, _> = since.map(|(peer, since)| (peer, Peer::new(since))).collect();
    for sa in isakmp {
        if let Some(peer) = sa.peer.and_then(|peer| peers.get_mut(&peer)) {
            peer.isakmp.push(Arc::clone(sa));
        }
    }
    for (place, flow) in flows.iter().enumerate() {
        if let Some(peer) = peers.get_mut(&flow.peer) {
            peer.flows.push(place);
        }
    }
    peers
}

/// Packets that no SA counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dropped {
    /// Cleartext for a tunnel that is not up.
    pub(crate) no_sa: u64,
    /// ESP for an unknown SPI.
    pub(crate) unknown_spi: u64,
    /// Received, and too short for ESP.
    pub(crate) short: u64,
    /// Not an IPv4 packet.
    pub(crate) malformed: u64,
    /// Longer than the path takes, and not to be fragmented.
    pub(crate) too_big: u64,
    /// The kernel did not take it.
    pub(crate) send: u64,
}

/// Inner packets between the same addresses with the same peer, and the child SAs that carry them:
/// two during a rekey.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) service: Service,
    pub(crate) selector: Selector,
    pub(crate) path: Path,
    /// The peer's number.
    pub(crate) peer: u64,
    /// What deleted child SAs carried.
    pub(crate) before: Traffic,
    /// When packets passed last; `None`: nobody has looked yet.
    pub(crate) pulse: Option<Pulse>,
    /// Oldest first; never empty.
    pub(crate) pairs: Vec<Pair>,
}

/// A child SA.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) view: Arc<ChildView>,
    pub(crate) inbound: Option<Carried>,
    pub(crate) outbound: Option<Carried>,
    /// Packets in both directions, for the access list that selected them.
    pub(crate) selected: u64,
}

/// What one SA of a child SA carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    pub(crate) replay_errors: u64,
    pub(crate) verify_errors: u64,
    pub(crate) identity_errors: u64,
    /// Outbound the last sequence number used, inbound the highest that verified.
    pub(crate) last_sequence: u32,
    /// Outbound: bytes of the longest ESP packet, and of the longest packet in one, that the path
    /// takes now.
    pub(crate) path_mtu: usize,
    pub(crate) plaintext_mtu: usize,
}

impl Carried {
    fn of(sa: &Sa, direction: Direction, now: Instant) -> Self {
        let counters = &sa.counters;
        Self {
            packets: counters.packets.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            errors: counters.errors.load(Ordering::Relaxed),
            replay_errors: counters.replay_errors.load(Ordering::Relaxed),
            verify_errors: counters.verify_errors.load(Ordering::Relaxed),
            identity_errors: counters.identity_errors.load(Ordering::Relaxed),
            last_sequence: sa.last_sequence(direction),
            path_mtu: sa.path_mtu(now),
            plaintext_mtu: sa.plaintext_mtu(now),
        }
    }

    /// Without what was counted before. Bytes stay: they count towards the SA's limit.
    fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            errors: self.errors.saturating_sub(before.errors),
            replay_errors: self.replay_errors.saturating_sub(before.replay_errors),
            verify_errors: self.verify_errors.saturating_sub(before.verify_errors),
            identity_errors: self.identity_errors.saturating_sub(before.identity_errors),
            ..self
        }
    }

    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.replay_errors += other.replay_errors;
        self.verify_errors += other.verify_errors;
        self.identity_errors += other.identity_errors;
        (self.last_sequence, self.path_mtu, self.plaintext_mtu) =
            (other.last_sequence, other.path_mtu, other.plaintext_mtu);
    }
}

/// What both directions carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) inbound: Carried,
    pub(crate) outbound: Carried,
}

impl Traffic {
    pub(crate) fn of(halves: &Halves, now: Instant) -> Self {
        Self {
            inbound: halves
                .inbound
                .as_ref()
                .map(|sa| Carried::of(sa, Direction::Inbound, now))
                .unwrap_or_default(),
            outbound: halves
                .outbound
                .as_ref()
                .map(|sa| Carried::of(sa, Direction::Outbound, now))
                .unwrap_or_default(),
        }
    }

    /// For the look at when packets passed.
    pub(crate) fn counts(&self) -> Counts {
        let Self { inbound, outbound } = self;
        let refused = inbound.replay_errors + inbound.verify_errors + inbound.identity_errors;
        Counts {
            inbound: inbound.packets,
            outbound: outbound.packets,
            sequence: inbound.last_sequence,
            refused: refused.max(inbound.errors),
            repeated: inbound.replay_errors,
        }
    }

    /// Packets in both directions.
    pub(crate) fn packets(&self) -> u64 {
        self.inbound.packets + self.outbound.packets
    }

    /// Without what was counted before.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { inbound: self.inbound.since(before.inbound), outbound: self.outbound.since(before.outbound) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.inbound.add(other.inbound);
        self.outbound.add(other.outbound);
    }
}

impl Pair {
    /// What both SAs carried since the counters were cleared.
    pub(crate) fn new(
        view: Arc<ChildView>,
        halves: Option<&Halves>,
        now: Instant,
        cleared: &Cleared,
    ) -> Self {
        let traffic = halves.map(|halves| Traffic::of(halves, now)).unwrap_or_default();
        let all = traffic.packets();
        let Traffic { inbound, outbound } = traffic.since(cleared.counters);
        Self {
            inbound: halves.and_then(|halves| halves.inbound.as_ref()).map(|_| inbound),
            outbound: halves.and_then(|halves| halves.outbound.as_ref()).map(|_| outbound),
            selected: all.saturating_sub(cleared.selected),
            view,
        }
    }
}

/// What a child SA had carried when its counters were cleared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cleared {
    /// `clear crypto sa counters`
    pub(crate) counters: Traffic,
    /// Packets at `clear access-list counters`.
    pub(crate) selected: u64,
}

impl Flow {
    /// What all its child SAs carried, including the deleted ones.
    pub(crate) fn traffic(&self) -> Traffic {
        let mut all = self.before;
        for pair in &self.pairs {
            all.add(Traffic {
                inbound: pair.inbound.unwrap_or_default(),
                outbound: pair.outbound.unwrap_or_default(),
            });
        }
        all
    }

    /// The child SA that outbound packets use.
    pub(crate) fn current(&self) -> Option<&Pair> {
        self.pairs
            .iter()
            .rev()
            .find(|pair| !pair.view.superseded && pair.outbound.is_some())
            .or(self.pairs.last())
    }
}

impl Snapshot {
    /// The pools of `ip nat` whose addresses hosts have for themselves.
    pub(crate) fn nat_pools(&self) -> Vec<Pool> {
        let nets = self.interfaces.iter().flat_map(|one| one.net.iter().chain(&one.secondary));
        one_to_one::pools(&self.parsed.config, nets.map(|net| net.addr()))
    }

    /// How many SAs it has: the cost of making it and of its readers grows with them.
    pub(crate) fn size(&self) -> usize {
        self.isakmp.len() + self.flows.len()
    }

    /// A moment as a date: time since 1970, UTC.
    pub(crate) fn wall_at(&self, moment: Instant) -> Duration {
        match moment >= self.now {
            true => self.wall + moment.since(self.now),
            false => self.wall.saturating_sub(self.now.since(moment)),
        }
    }

    /// The name of an interface of the configuration.
    pub(crate) fn interface_name(&self, path: &Path) -> &str {
        let mut interfaces = self.parsed.config.interfaces.iter();
        let found = interfaces.find(|interface| interface.number == path.interface.0);
        found.map_or("", |interface| &interface.name)
    }

    /// `hostname`, or the default name of IOS.
    pub(crate) fn hostname(&self) -> &str {
        self.parsed.config.hostname.as_deref().unwrap_or("Router")
    }
}
