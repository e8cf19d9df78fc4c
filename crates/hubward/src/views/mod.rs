//! State published by the gateway, and the snapshots that readers make of it. The gateway thread
//! replaces what changed; it never makes a snapshot and does not know how many readers there are.

pub(crate) mod pulse;
pub(crate) mod snapshot;

use crate::base::clock::now;
use crate::base::console_lines::Lines;
use crate::base::counters::Drops;
use crate::base::lockout::Lockout;
use crate::dataplane::offload::Offloads;
use crate::log::logging::Logging;
use crate::log::monitors::Monitors;
use crate::machine::view::{Names, Static};
use crate::router::rules::{TABLE, counter};
use crate::router::{reflexive, translations};
use crate::views::pulse::Pulses;
use crate::views::snapshot::{Cleared, Dropped, Flow, Pair, Snapshot, Traffic};
use crate::why::record::Record;
use crate::{guard, plane, translate};
use hubward_config::Parsed;
use hubward_linux::netlink::Netlink;
use hubward_linux::nftables::Nftables;
use hubward_linux::{clock, link, neighbour, route};
use hubward_proto::esp::sad::{Halves, Sad};
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::snapshot::{ChildView, IsakmpView};
use hubward_proto::ike::watch::Change;
use hubward_proto::names::{ChildId, ConnId, Service};
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The shortest time between two snapshots, for each SA that they hold, and the longest at all:
/// making them takes about a hundredth of the time, however many readers there are.
const PAUSE_PER_SA: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// On a busy machine making takes longer than [`QUICK`]: then the pause is so many times as long,
/// up to the slowest. Otherwise each of many readers would get a snapshot of his own.
const QUICK: Duration = Duration::from_millis(20);
const MAKING_SHARE: u32 = 10;
const SLOWEST_PAUSE: Duration = Duration::from_secs(5);

/// The gateway as its readers see it.
pub(crate) struct Views {
    told: Mutex<Told>,
    newest: Mutex<Newest>,
    /// What went wrong with peers.
    failures: Mutex<Record>,
    /// When packets passed last.
    pulses: Mutex<Pulses<FlowName>>,
    /// Counts orders that were carried out: who gave one sees its effect.
    orders: AtomicU64,
    sad: Arc<Sad>,
    drops: Arc<Drops>,
    offloads: Arc<Offloads>,
    plane: plane::Chosen,
    file: PathBuf,
    /// What the file of the startup configuration had in it when we read or wrote it last.
    saved: Mutex<Arc<str>>,
    started: Instant,
    /// What `show ip nat` is made of.
    translations: translations::View,
    /// The log.
    pub(crate) logging: Arc<Logging>,
    /// Who has to wait until a password is checked.
    pub(crate) lockout: Lockout,
    /// Who is logged in.
    pub(crate) lines: Arc<Lines>,
    /// The terminals that watch the log.
    pub(crate) monitors: Arc<Monitors>,
}

/// What the gateway published last.
struct Told {
    parsed: Arc<Parsed>,
    names: Arc<Names>,
    statics: Arc<Vec<Static>>,
    guard: Arc<guard::View>,
    isakmp: BTreeMap<ConnId, Arc<IsakmpView>>,
    children: BTreeMap<ChildId, Arc<ChildView>>,
    in_use: BTreeSet<IpAddr>,
    hits: BTreeMap<(String, Selector), u64>,
    /// What deleted child SAs carried, while another carries the same flow.
    before: BTreeMap<FlowName, Traffic>,
    /// How many child SAs each flow has.
    pairs: BTreeMap<FlowName, usize>,
    /// How many ISAKMP SAs and child SAs each peer has, and when the first came.
    peers: BTreeMap<u64, (Instant, usize)>,
    /// What child SAs had carried when counters were cleared.
    cleared: BTreeMap<ChildId, Cleared>,
    /// What links had carried when counters were cleared, and when that was.
    cleared_links: Option<(Instant, BTreeMap<u32, link::Statistics>)>,
}

/// The same packets for the same peer.
type FlowName = (u64, Service, Selector);

#[derive(Default)]
struct Newest {
    snapshot: Option<Arc<Snapshot>>,
    orders: u64,
    made: u64,
    /// How long making it took.
    took: Duration,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a snapshot with so many SAs, whose making took so long, is given to everybody.
fn pause(size: usize, took: Duration) -> Duration {
    let of_size = (PAUSE_PER_SA * u32::try_from(size).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
    of_size.max((took.saturating_sub(QUICK) * MAKING_SHARE).min(SLOWEST_PAUSE))
}

fn name(view: &ChildView) -> FlowName {
    (view.peer, view.service.clone(), view.sa.selector)
}

impl Told {
    /// A peer has one more ISAKMP SA or child SA.
    fn came(&mut self, peer: u64) {
        self.peers.entry(peer).or_insert_with(|| (now(), 0)).1 += 1;
    }

    /// A peer has one less.
    fn left(&mut self, peer: u64) {
        if let Some((_, sas)) = self.peers.get_mut(&peer) {
            *sas -= 1;
            if *sas == 0 {
                self.peers.remove(&peer);
            }
        }
    }

    fn isakmp(&mut self, id: ConnId, view: Option<IsakmpView>) {
        let peer = view.as_ref().and_then(|view| view.peer);
        let old = match view {
            Some(view) => self.isakmp.insert(id, Arc::new(view)),
            None => self.isakmp.remove(&id),
        };
        let old_peer = old.and_then(|old| old.peer);
        if peer != old_peer {
            // add before removing, so that a continuing peer keeps its first-seen time
            peer.into_iter().for_each(|peer| self.came(peer));
            old_peer.into_iter().for_each(|peer| self.left(peer));
        }
    }

    fn child(&mut self, id: ChildId, view: Option<ChildView>) {
        match view {
            Some(view) => {
                let view = Arc::new(view);
                // whose it is, and its flow, never change
                if self.children.insert(id, Arc::clone(&view)).is_none() {
                    self.came(view.peer);
                    *self.pairs.entry(name(&view)).or_default() += 1;
                }
            }
            None => {
                self.cleared.remove(&id);
                let Some(view) = self.children.remove(&id) else { return };
                self.left(view.peer);
                let name = name(&view);
                if let Some(pairs) = self.pairs.get_mut(&name) {
                    *pairs -= 1;
                    if *pairs == 0 {
                        self.pairs.remove(&name);
                        self.before.remove(&name);
                    }
                }
            }
        }
    }
}

impl Views {
    pub(crate) fn new(
        parsed: Arc<Parsed>,
        names: Arc<Names>,
        sad: Arc<Sad>,
        drops: Arc<Drops>,
        offloads: Arc<Offloads>,
        plane: plane::Chosen,
        file: PathBuf,
        logging: Arc<Logging>,
    ) -> Self {
        logging.configure(&parsed.config);
        let saved = Mutex::new(parsed.document.print().into());
        Self {
            told: Mutex::new(Told {
                parsed,
                names,
                statics: Arc::default(),
                guard: Arc::default(),
                isakmp: BTreeMap::new(),
                children: BTreeMap::new(),
                in_use: BTreeSet::new(),
                hits: BTreeMap::new(),
                before: BTreeMap::new(),
                pairs: BTreeMap::new(),
                peers: BTreeMap::new(),
                cleared: BTreeMap::new(),
                cleared_links: None,
            }),
            newest: Mutex::default(),
            failures: Mutex::default(),
            pulses: Mutex::default(),
            orders: AtomicU64::new(0),
            sad,
            drops,
            offloads,
            plane,
            file,
            saved,
            started: now(),
            translations: translations::View::default(),
            monitors: Arc::clone(&logging.monitors),
            logging,
            lockout: Lockout::default(),
            lines: Arc::default(),
        }
    }

    // ---- what the gateway publishes -------------------------------------------------------------

    /// Another configuration is in force.
    pub(crate) fn configured(&self, parsed: Arc<Parsed>) {
        let mut told = locked(&self.told);
        let lines: BTreeSet<_> = parsed
            .config
            .acls
            .iter()
            .flat_map(|acl| translate::permitted(&parsed.config, acl).map(|line| (&acl.name, line)))
            .collect();
        told.hits.retain(|(acl, line), _| lines.contains(&(acl, *line)));
        self.logging.configure(&parsed.config);
        told.parsed = parsed;
        drop(told);
        self.ordered();
    }

    /// The guard changed, or what peers were granted.
    pub(crate) fn guarded(&self, view: guard::View) {
        locked(&self.told).guard = Arc::new(view);
    }

    /// What of the configuration is on the machine.
    pub(crate) fn installed(&self, names: &Names, statics: &[Static]) {
        let mut told = locked(&self.told);
        if *told.names != *names {
            told.names = Arc::new(names.clone());
        }
        if told.statics.as_slice() != statics {
            told.statics = Arc::new(statics.to_vec());
        }
    }

    /// Where hosts are counted that get no address of a pool of `ip nat`.
    pub(crate) fn nat_misses(&self) -> Arc<translations::Misses> {
        Arc::clone(&self.translations.misses)
    }

    /// `clear ip nat statistics`
    pub(crate) fn clear_nat_statistics(&self) {
        self.translations.peak.clear();
        self.translations.misses.clear();
    }

    /// An order was carried out: readers from now on must see its result.
    pub(crate) fn ordered(&self) {
        self.orders.fetch_add(1, Ordering::Release);
    }

    /// An SA came, changed or went.
    pub(crate) fn changed(&self, change: Change) {
        let mut told = locked(&self.told);
        match change {
            Change::Isakmp(id, view) => told.isakmp(id, view.map(|view| *view)),
            Change::Child(id, view) => told.child(id, view.map(|view| *view)),
        }
    }

    /// A child SA is about to be deleted, and this is what it carried.
    pub(crate) fn carried(&self, child: ChildId, halves: &Halves) {
        let mut told = locked(&self.told);
        let told = &mut *told;
        let Some(view) = told.children.get(&child) else { return };
        let traffic = Traffic::of(halves, now());
        let cleared = told.cleared.get(&child).copied().unwrap_or_default();
        if let Some((acl, line)) = translate::acl_line(&told.parsed.config, &view.service, &view.sa.selector)
        {
            let packets = traffic.packets().saturating_sub(cleared.selected);
            *told.hits.entry((acl.name.clone(), line)).or_default() += packets;
        }
        let name = name(view);
        // the last of its flow leaves nothing behind
        if told.pairs.get(&name).is_some_and(|pairs| *pairs > 1) {
            told.before.entry(name).or_default().add(traffic.since(cleared.counters));
        }
    }

    /// An address was leased to a client.
    pub(crate) fn leased(&self, address: IpAddr) {
        locked(&self.told).in_use.insert(address);
    }

    /// An address is free again.
    pub(crate) fn released(&self, address: IpAddr) {
        locked(&self.told).in_use.remove(&address);
    }

    // ---- what operators clear -------------------------------------------------------------------

    /// `clear crypto sa counters`
    pub(crate) fn clear_sa_counters(&self) {
        let now = now();
        let mut told = locked(&self.told);
        told.before.clear();
        for (id, halves) in self.sad.pairs() {
            told.cleared.entry(id).or_default().counters = Traffic::of(&halves, now);
        }
        drop(told);
        self.ordered();
    }

    /// `clear access-list counters [NAME]`. An error is the kernel's, of the lists that filter.
    pub(crate) fn clear_access_list_counters(&self, only: Option<&str>) -> Result<(), hubward_linux::Error> {
        let now = now();
        let is_meant = |name: &str| only.is_none_or(|only| only == name);
        let mut told = locked(&self.told);
        let told = &mut *told;
        told.hits.retain(|(acl, _), _| !is_meant(acl));
        for (id, halves) in self.sad.pairs() {
            let config = &told.parsed.config;
            let view = told.children.get(&id);
            let line = view.and_then(|view| translate::acl_line(config, &view.service, &view.sa.selector));
            if line.map_or(only.is_none(), |(acl, _)| is_meant(&acl.name)) {
                told.cleared.entry(id).or_default().selected = Traffic::of(&halves, now).packets();
            }
        }
        let lists = told.parsed.config.acls.iter().filter(|list| is_meant(&list.name));
        let counters: Vec<_> = lists.flat_map(counter::names).flatten().collect();
        let filters = Nftables::open()?;
        // most gateways filter nothing
        if filters.exists(TABLE)? {
            filters.reset_counters(TABLE, counters.iter().map(String::as_str))?;
        }
        self.ordered();
        Ok(())
    }

    /// `clear counters`
    pub(crate) fn clear_interface_counters(&self) {
        let links = Netlink::open().and_then(|netlink| link::list(&netlink)).unwrap_or_default();
        let counters = links.into_iter().map(|link| (link.index, link.statistics)).collect();
        locked(&self.told).cleared_links = Some((now(), counters));
        self.ordered();
    }

    /// `clear logging`
    pub(crate) fn clear_log(&self) {
        self.logging.buffer.clear();
        self.ordered();
    }

    /// A look at what the SAs have carried.
    pub(crate) fn look(&self) {
        let now = now();
        let names: Vec<_> = locked(&self.told).children.iter().map(|(id, view)| (name(view), *id)).collect();
        let carried = self.sad.pairs();
        let of = |(name, id): (FlowName, ChildId)| {
            let traffic = carried.get(&id).map(|halves| Traffic::of(halves, now)).unwrap_or_default();
            (name, id, traffic.counts())
        };
        locked(&self.pulses).look(now, names.into_iter().map(of));
    }

    /// What went wrong with peers, to be added to.
    pub(crate) fn failures(&self) -> MutexGuard<'_, Record> {
        locked(&self.failures)
    }

    // ---- what readers get -----------------------------------------------------------------------

    /// The gateway as it is now, or was not longer ago than making a snapshot of its size may be
    /// repeated. After an order that was carried out it is never older than that. Waits for the
    /// time between two snapshots where it must; so it is not for the gateway thread.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let mut newest = locked(&self.newest);
        if let Some(snapshot) = &newest.snapshot {
            let orders = self.orders.load(Ordering::Acquire);
            let pause = pause(snapshot.size(), newest.took);
            let age = now().since(snapshot.now);
            if age < pause {
                if newest.orders == orders {
                    return Arc::clone(snapshot);
                }
                std::thread::sleep(pause - age);
            }
        }
        // before the making: an order that is carried out during it may be missing
        newest.orders = self.orders.load(Ordering::Acquire);
        // the old one is freed first, unless a reader still uses it
        newest.snapshot = None;
        let snapshot = Arc::new(self.make());
        newest.took = now().since(snapshot.now);
        newest.made += 1;
        newest.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    /// How long the newest snapshot is given to everybody.
    #[cfg(test)]
    pub(crate) fn pause(&self) -> Duration {
        let newest = locked(&self.newest);
        pause(newest.snapshot.as_ref().map_or(0, |snapshot| snapshot.size()), newest.took)
    }

    /// The configuration in force.
    pub(crate) fn parsed(&self) -> Arc<Parsed> {
        Arc::clone(&locked(&self.told).parsed)
    }

    /// The file of the startup configuration.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The startup configuration as it was last read or written; if its file differs, it was
    /// edited.
    pub(crate) fn saved(&self) -> Arc<str> {
        Arc::clone(&locked(&self.saved))
    }

    /// The startup configuration was read, or written.
    pub(crate) fn note_saved(&self, text: &str) {
        *locked(&self.saved) = text.into();
    }

    /// How many snapshots were made.
    #[cfg(test)]
    pub(crate) fn made(&self) -> u64 {
        locked(&self.newest).made
    }

    fn make(&self) -> Snapshot {
        self.logging.settle();
        let told = locked(&self.told);
        let parsed = Arc::clone(&told.parsed);
        let guard = Arc::clone(&told.guard);
        let (names, statics) = (Arc::clone(&told.names), Arc::clone(&told.statics));
        let isakmp: Vec<_> = told.isakmp.values().cloned().collect();
        let children: Vec<_> = told.children.values().cloned().collect();
        let (in_use, hits, before) = (told.in_use.clone(), told.hits.clone(), told.before.clone());
        let (cleared, cleared_links) = (told.cleared.clone(), told.cleared_links.clone());
        let since: Vec<_> = told.peers.iter().map(|(peer, (since, _))| (*peer, *since)).collect();
        drop(told);
        let mut flows = flows(children, &before, &self.sad.pairs(), &cleared);
        let pulses = locked(&self.pulses);
        for flow in &mut flows {
            flow.pulse = pulses.of(&(flow.peer, flow.service.clone(), flow.selector));
        }
        drop(pulses);
        let machine = Netlink::open().ok();
        let machine = machine.as_ref();
        let drops = &self.drops;
        let mut interfaces = machine
            .and_then(|netlink| crate::machine::view::interface_views(netlink, &names, &parsed.config).ok())
            .unwrap_or_default();
        let (cleared, counted) = cleared_links.unzip();
        for view in &mut interfaces {
            let before = view.index.and_then(|index| counted.as_ref()?.get(&index));
            view.statistics = view.statistics.since(&before.copied().unwrap_or_default());
        }
        let mut links: BTreeMap<_, _> = machine
            .and_then(|netlink| link::list(netlink).ok())
            .unwrap_or_default()
            .into_iter()
            .map(|link| (link.index, link.name))
            .collect();
        links.extend(interfaces.iter().filter_map(|view| Some((view.index?, view.name.clone()))));
        let moment = now();
        let (failures, histories) = {
            let record = self.failures();
            (record.failures(), record.histories())
        };
        Snapshot {
            now: moment,
            wall: clock::wall(),
            started: self.started,
            startup: std::fs::read_to_string(&self.file).ok(),
            peers: snapshot::peers(since.into_iter(), &isakmp, &flows),
            isakmp,
            flows,
            in_use,
            hits,
            interfaces,
            cleared,
            links,
            routes: machine
                .and_then(|netlink| route::list(netlink).ok())
                .unwrap_or_default()
                .into_iter()
                .filter(|route| route.table == route::MAIN)
                .collect(),
            statics,
            filtered: Nftables::open().and_then(|filters| filters.named_counters(TABLE)).unwrap_or_default(),
            reflexive: reflexive::entries(&parsed.config),
            foreign: machine.map(|_| crate::router::foreign()).unwrap_or_default(),
            translations: self.translations.clone(),
            guard,
            neighbours: machine.and_then(|netlink| neighbour::list(netlink).ok()).unwrap_or_default(),
            drops: Dropped {
                no_sa: drops.no_sa.load(Ordering::Relaxed),
                unknown_spi: drops.unknown_spi.load(Ordering::Relaxed),
                short: drops.short.load(Ordering::Relaxed),
                malformed: drops.malformed.load(Ordering::Relaxed),
                too_big: drops.too_big.load(Ordering::Relaxed),
                send: drops.send.load(Ordering::Relaxed),
            },
            offloads: self.offloads.states(),
            implementations: hubward_crypto::choice::taken(),
            plane: self.plane.clone(),
            log: self.logging.buffer.view(),
            debugging: self.logging.debugging.options(),
            told: self.logging.told(),
            users: self.lines.list(),
            failures,
            histories,
            lockouts: self.lockout.waiting(moment),
            parsed,
        }
    }
}

/// Pairs that carry the same packets, together.
fn flows(
    children: Vec<Arc<ChildView>>,
    before: &BTreeMap<FlowName, Traffic>,
    installed: &BTreeMap<ChildId, Halves>,
    cleared: &BTreeMap<ChildId, Cleared>,
) -> Vec<Flow> {
    let now = now();
    let mut places: BTreeMap<FlowName, usize> = BTreeMap::new();
    let mut flows: Vec<Flow> = Vec::with_capacity(children.len());
    for view in children {
        let name = name(&view);
        let since = cleared.get(&view.sa.id).copied().unwrap_or_default();
        let pair = Pair::new(Arc::clone(&view), installed.get(&view.sa.id), now, &since);
        if let Some(flow) = places.get(&name).and_then(|place| flows.get_mut(*place)) {
            flow.path = view.path;
            flow.pairs.push(pair);
            continue;
        }
        let flow = Flow {
            service: view.service.clone(),
            selector: view.sa.selector,
            path: view.path,
            peer: view.peer,
            before: before.get(&name).copied().unwrap_or_default(),
            pulse: None,
            pairs: vec![pair],
        };
        places.insert(name, flows.len());
        flows.push(flow);
    }
    snapshot::in_order(&mut flows);
    flows
}

#[cfg(test)]
pub(crate) mod tests;
