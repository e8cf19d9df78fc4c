//! A packet worker's view of the SA database: its own copy, which it reads without a lock and
//! updates between two batches.

use crate::esp::in_use::Sa;
use crate::esp::replay::ReplayWindow;
use crate::flow::index::SelectorIndex;
use crate::flow::selector::{AddressRange, Flow, Selector};
use crate::flow::tables::Lookup;
use crate::names::{ChildId, Service};
use crate::path::Path;
use slab::Slab;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A change that the gateway made.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Installed(Arc<Sa>),
    Removed(ChildId),
    Moved(ChildId, Path),
    /// Another view has replaced this one.
    Superseded,
}

/// The changes that a view has not applied yet.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    any: AtomicBool,
    changes: Mutex<Vec<Change>>,
}

impl Feed {
    pub(crate) fn push(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        self.any.store(true, Ordering::Release);
    }

    /// Takes all changes, in order. It costs next to nothing if there are none.
    fn take(&self) -> Vec<Change> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut changes)
    }
}

/// An outbound SA in a worker's view.
#[derive(Debug)]
pub(crate) struct OutboundSa {
    pub(crate) sa: Arc<Sa>,
    pub(crate) path: Path,
    serial: u64,
}

/// The outbound SAs of one port, to find the one that carries a packet.
#[derive(Debug)]
pub struct OutboundView {
    feed: Arc<Feed>,
    lookup: Lookup,
    sas: Slab<OutboundSa>,
    by_child: HashMap<ChildId, usize>,
    /// For a port that finds its SAs by selector: the SAs whose remote side is a prefix, and those
    /// whose remote side is another range.
    prefixes: SelectorIndex<Place>,
    ranges: SelectorIndex<Place>,
    /// For a port that finds its SAs by its interface: their places, the newest last.
    of_interface: Vec<usize>,
    installed: u64,
}

/// The place of an SA, and its number in the order of installation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    serial: u64,
    at: usize,
}

impl OutboundView {
    /// `feed` has only the SAs of this port.
    pub(crate) fn new(lookup: Lookup, feed: Arc<Feed>) -> Self {
        let mut view = Self {
            feed,
            lookup,
            sas: Slab::new(),
            by_child: HashMap::new(),
            of_interface: Vec::new(),
            prefixes: SelectorIndex::default(),
            ranges: SelectorIndex::default(),
            installed: 0,
        };
        view.refresh();
        view
    }

    /// Applies the changes that the gateway made. Places found before the call are invalid after
    /// it.
    pub fn refresh(&mut self) {
        for change in self.feed.take() {
            match change {
                Change::Installed(sa) => self.install(sa),
                Change::Removed(child) => self.remove(child),
                Change::Moved(child, path) => {
                    if let Some(sa) = self.by_child.get(&child).and_then(|at| self.sas.get_mut(*at)) {
                        sa.path = path;
                    }
                }
                Change::Superseded => {}
            }
        }
    }

    fn install(&mut self, sa: Arc<Sa>) {
        let (child, path) = (sa.child.id, sa.path());
        // an SA that is installed again replaces the earlier one
        self.remove(child);
        let serial = self.installed;
        self.installed += 1;
        let selector = selector_of(&sa);
        let at = self.sas.insert(OutboundSa { sa, path, serial });
        self.by_child.insert(child, at);
        match self.lookup {
            Lookup::ByInterface(_) => self.of_interface.push(at),
            Lookup::BySelector => {
                if let Some(selector) = selector {
                    self.index(&selector).insert(&selector, Place { serial, at });
                }
            }
        }
    }

    fn remove(&mut self, child: ChildId) {
        let Some(at) = self.by_child.remove(&child) else { return };
        let Some(gone) = self.sas.try_remove(at) else { return };
        match self.lookup {
            Lookup::ByInterface(_) => self.of_interface.retain(|place| *place != at),
            Lookup::BySelector => {
                if let Some(selector) = selector_of(&gone.sa) {
                    self.index(&selector).remove(&selector, |place| place.serial == gone.serial);
                }
            }
        }
    }

    fn index(&mut self, selector: &Selector) -> &mut SelectorIndex<Place> {
        match selector.remote.to_prefix() {
            Some(_) => &mut self.prefixes,
            None => &mut self.ranges,
        }
    }

    /// Which SAs are in the view.
    pub(crate) fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// The place of the SA that carries a flow. By selector, it is the one with the longest remote
    /// prefix, of equal ones the newest; `denied` returns whether a crypto map entry denies the
    /// flow. By interface, it is the newest.
    pub(crate) fn find(&self, flow: &Flow, denied: impl Fn(&Service) -> bool) -> Option<usize> {
        match self.lookup {
            Lookup::BySelector => self.find_by_selector(flow, denied),
            Lookup::ByInterface(_) => self.of_interface.last().copied(),
        }
    }

    fn find_by_selector(&self, flow: &Flow, denied: impl Fn(&Service) -> bool) -> Option<usize> {
        let allowed =
            |place: &Place| self.sas.get(place.at).is_some_and(|found| !denied(&found.sa.child.service));
        let newest = |index: &SelectorIndex<Place>, by_length: bool| {
            let mut best: Option<(u8, Place)> = None;
            for (length, place) in index.matching(flow) {
                if best.is_some_and(|(longest, _)| by_length && longest != length) {
                    break;
                }
                if best.is_none_or(|(_, best)| place.serial > best.serial) && allowed(&place) {
                    best = Some((length, place));
                }
            }
            best.map(|(_, place)| place.at)
        };
        newest(&self.prefixes, true).or_else(|| newest(&self.ranges, false))
    }

    /// The SA that carries a flow.
    pub fn by_flow(&self, flow: &Flow, denied: impl Fn(&Service) -> bool) -> Option<&Arc<Sa>> {
        self.find(flow, denied).and_then(|at| self.get(at)).map(|found| &found.sa)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&OutboundSa> {
        self.sas.get(at)
    }
}

/// What an SA carries: the part of its selector that is for the leased address, if there is one.
/// `None` if nothing is left.
fn selector_of(sa: &Sa) -> Option<Selector> {
    let selector = sa.child.selector;
    match sa.child.lease {
        None => Some(selector),
        Some(lease) if selector.remote.contains(lease) => {
            Some(Selector { remote: AddressRange::host(lease), ..selector })
        }
        Some(_) => None,
    }
}

/// An inbound SA in a worker's view, with its anti-replay window.
#[derive(Debug)]
pub(crate) struct InboundSa {
    pub(crate) sa: Arc<Sa>,
    pub(crate) path: Path,
    pub(crate) replay: ReplayWindow,
    /// The port that its packets go to.
    pub(crate) lookup: Lookup,
}

/// The inbound SAs, to find the one of an SPI.
#[derive(Debug)]
pub struct InboundView {
    feed: Arc<Feed>,
    sas: Slab<InboundSa>,
    by_spi: HashMap<u32, usize>,
    by_child: HashMap<ChildId, usize>,
}

impl InboundView {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        let mut view = Self { feed, sas: Slab::new(), by_spi: HashMap::new(), by_child: HashMap::new() };
        view.refresh();
        view
    }

    /// Applies the changes that the gateway made. Places found before the call are invalid after
    /// it.
    pub fn refresh(&mut self) {
        for change in self.feed.take() {
            match change {
                Change::Installed(sa) => self.install(sa),
                Change::Removed(child) => self.remove(child),
                Change::Moved(child, path) => {
                    if let Some(sa) = self.by_child.get(&child).and_then(|at| self.sas.get_mut(*at)) {
                        sa.path = path;
                    }
                }
                Change::Superseded => {
                    self.sas.clear();
                    self.by_spi.clear();
                    self.by_child.clear();
                }
            }
        }
    }

    fn install(&mut self, sa: Arc<Sa>) {
        let (child, spi, path) = (sa.child.id, sa.child.inbound.spi.0, sa.path());
        self.remove(child);
        let replay = ReplayWindow::behind(sa.child.replay_window, sa.highest.load(Ordering::Relaxed));
        let lookup = sa.child.lookup();
        let at = self.sas.insert(InboundSa { sa, path, replay, lookup });
        self.by_spi.insert(spi, at);
        self.by_child.insert(child, at);
    }

    fn remove(&mut self, child: ChildId) {
        let Some(at) = self.by_child.remove(&child) else { return };
        let Some(gone) = self.sas.try_remove(at) else { return };
        let spi = gone.sa.child.inbound.spi.0;
        if self.by_spi.get(&spi) == Some(&at) {
            self.by_spi.remove(&spi);
        }
    }

    pub(crate) fn find(&self, spi: u32) -> Option<usize> {
        self.by_spi.get(&spi).copied()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&InboundSa> {
        self.sas.get(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut InboundSa> {
        self.sas.get_mut(at)
    }

    /// The SA of an SPI.
    pub fn by_spi(&self, spi: u32) -> Option<&Arc<Sa>> {
        self.find(spi).and_then(|at| self.get(at)).map(|found| &found.sa)
    }
}
