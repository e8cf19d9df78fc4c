//! The SA database. The engine's effects change it in place. Each packet worker follows the changes
//! with its own view ([`crate::esp::view`]), which finds the SA of an SPI or of a flow.

pub use crate::esp::in_use::{Counted, Counters, Reached, Sa};
use crate::esp::sa::{ChildSa, Direction};
use crate::esp::view::{Change, Feed, InboundView, OutboundView};
use crate::flow::mtu::{self};
use crate::flow::tables::Lookup;
use crate::flow::too_big::Told;
use crate::names::{ChildId, InterfaceId};
use crate::path::{Encapsulation, Path};
use crate::time::Instant;
use hubward_crypto::cipher::CryptoError;
use hubward_crypto::esp::EspKeys;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The SAs of all peers.
#[derive(Debug, Default)]
pub struct Sad(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    pairs: BTreeMap<ChildId, Halves>,
    /// Outbound SAs by the peer's SPI, which another peer may have chosen too.
    by_peer_spi: HashMap<u32, Vec<Arc<Sa>>>,
    /// MTUs of the interfaces, where they are known.
    links: BTreeMap<InterfaceId, u16>,
    /// The views that follow the changes. Each outbound view has the SAs of its port. There is a
    /// single inbound view, because it holds the anti-replay windows.
    outbound: Vec<(Lookup, Weak<Feed>)>,
    inbound: Weak<Feed>,
}

/// Both directions of a child SA, as far as they are installed.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    /// From the peer.
    pub inbound: Option<Arc<Sa>>,
    /// To the peer.
    pub outbound: Option<Arc<Sa>>,
}

impl Halves {
    /// The SA of one direction.
    pub fn get(&self, direction: Direction) -> Option<&Arc<Sa>> {
        match direction {
            Direction::Inbound => self.inbound.as_ref(),
            Direction::Outbound => self.outbound.as_ref(),
        }
    }
}

impl Known {
    /// Passes a change to the view of inbound SAs.
    fn tell_inbound(&self, change: Change) {
        if let Some(feed) = self.inbound.upgrade() {
            feed.push(change);
        }
    }

    /// Passes a change to the views that have an SA of this child.
    fn tell(&mut self, direction: Direction, child: &ChildSa, change: Change) {
        match direction {
            Direction::Inbound => self.tell_inbound(change),
            Direction::Outbound => {
                let of_child = child.lookup();
                self.outbound.retain(|(lookup, feed)| match feed.upgrade() {
                    Some(feed) => {
                        if *lookup == of_child {
                            feed.push(change.clone());
                        }
                        true
                    }
                    None => false,
                });
            }
        }
    }

    /// The feed of a new view, filled with the SAs of this direction that belong to it.
    fn feed(&self, direction: Direction, is_own: impl Fn(&ChildSa) -> bool) -> Arc<Feed> {
        let feed = Feed::default();
        let sas = self.pairs.values().filter_map(|halves| halves.get(direction));
        for sa in sas.filter(|sa| is_own(&sa.child)) {
            feed.push(Change::Installed(Arc::clone(sa)));
        }
        Arc::new(feed)
    }

    fn link(&self, interface: InterfaceId) -> u16 {
        self.links.get(&interface).copied().unwrap_or(mtu::LINK)
    }
}

impl Sad {
    /// Without SAs.
    pub fn new() -> Self {
        Self::default()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outbound SAs of one port, for the worker that takes packets from it.
    pub fn outbound_view(&self, lookup: Lookup) -> OutboundView {
        let mut known = self.known();
        let feed = known.feed(Direction::Outbound, |child| child.lookup() == lookup);
        known.outbound.push((lookup, Arc::downgrade(&feed)));
        OutboundView::new(lookup, feed)
    }

    /// The inbound SAs, for the packet worker that opens packets. An earlier view loses all its
    /// SAs: two anti-replay windows would let a packet through twice.
    pub fn inbound_view(&self) -> InboundView {
        let mut known = self.known();
        known.tell_inbound(Change::Superseded);
        let feed = known.feed(Direction::Inbound, |_| true);
        known.inbound = Arc::downgrade(&feed);
        InboundView::new(feed)
    }

    /// Starts to use one direction of a child SA.
    pub fn install(&self, child: &Arc<ChildSa>, direction: Direction) -> Result<(), CryptoError> {
        let half = match direction {
            Direction::Inbound => &child.inbound,
            Direction::Outbound => &child.outbound,
        };
        let keys = EspKeys::new(child.suite, half.keymat.expose())?;
        let mut known = self.known();
        let sa = Arc::new(Sa::new(Arc::clone(child), keys, known.link(child.path.interface)));
        let halves = known.pairs.entry(child.id).or_default();
        match direction {
            Direction::Inbound => halves.inbound = Some(Arc::clone(&sa)),
            Direction::Outbound => {
                halves.outbound = Some(Arc::clone(&sa));
                known.by_peer_spi.entry(half.spi.0).or_default().push(Arc::clone(&sa));
            }
        }
        known.tell(direction, child, Change::Installed(sa));
        Ok(())
    }

    /// Forgets both directions of a child SA, and returns them with their counters. The workers use
    /// them until they have finished their current batch.
    pub fn remove(&self, child: ChildId) -> Halves {
        let mut known = self.known();
        let Some(halves) = known.pairs.remove(&child) else { return Halves::default() };
        if let Some(outbound) = &halves.outbound {
            let spi = outbound.child.outbound.spi.0;
            if let Some(list) = known.by_peer_spi.get_mut(&spi) {
                list.retain(|sa| sa.child.id != child);
                if list.is_empty() {
                    known.by_peer_spi.remove(&spi);
                }
            }
        }
        for direction in [Direction::Inbound, Direction::Outbound] {
            if let Some(sa) = halves.get(direction) {
                known.tell(direction, &sa.child, Change::Removed(child));
            }
        }
        halves
    }

    /// Sets the MTU of an interface, for the SAs whose packets leave by it.
    pub fn set_link(&self, interface: InterfaceId, mtu: u16) {
        let mut known = self.known();
        if known.links.insert(interface, mtu) == Some(mtu) {
            return;
        }
        let outbound = known.pairs.values().filter_map(|halves| halves.outbound.as_ref());
        for sa in outbound.filter(|sa| sa.path().interface == interface) {
            sa.path_mtu.set_link(mtu);
        }
    }

    /// A router refused an ESP packet because of its length. It is believed if the packet that it
    /// quotes was sent lately. Returns the child SA and the MTU of its path if that MTU is new.
    pub fn too_big(&self, now: Instant, told: &Told) -> Option<(ChildId, usize)> {
        /// Packets that may be sent before the router's message arrives.
        const LATELY: u32 = 1 << 20;
        let known = self.known();
        let ours = |sa: &&Arc<Sa>| {
            let (path, last) = (sa.path(), sa.last_sequence(Direction::Outbound));
            let port = match path.encapsulation {
                Encapsulation::Native => 0,
                Encapsulation::Udp => path.remote_port,
            };
            (path.local, path.remote, path.encapsulation) == (told.local, told.remote, told.encapsulation)
                && port == told.remote_port
                && (1..=last).contains(&told.sequence)
                && last - told.sequence < LATELY
        };
        let sa = known.by_peer_spi.get(&told.spi)?.iter().find(ours)?;
        sa.path_mtu.learn(now, told.mtu).then(|| (sa.child.id, sa.path_mtu.get(now)))
    }

    /// The outer path of a child changed.
    pub fn repath(&self, child: ChildId, path: Path) {
        let mut known = self.known();
        let link = known.link(path.interface);
        let Some(halves) = known.pairs.get(&child).cloned() else { return };
        for direction in [Direction::Inbound, Direction::Outbound] {
            let Some(sa) = halves.get(direction) else { continue };
            *sa.path.lock().unwrap_or_else(PoisonError::into_inner) = path;
            sa.path_mtu.forget();
            sa.path_mtu.set_link(link);
            known.tell(direction, &sa.child, Change::Moved(child, path));
        }
    }

    /// One direction of a child SA.
    pub fn get(&self, child: ChildId, direction: Direction) -> Option<Arc<Sa>> {
        self.known().pairs.get(&child)?.get(direction).cloned()
    }

    /// All child SAs, for a reader that looks at each of them.
    pub fn pairs(&self) -> BTreeMap<ChildId, Halves> {
        self.known().pairs.clone()
    }
}
