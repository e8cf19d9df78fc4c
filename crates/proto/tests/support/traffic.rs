//! Inner traffic over the test network: what the data plane would report to the engines, and how
//! many packets found no SA.

use super::{Node, World};
use hubward_proto::esp::sa::ChildSa;
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::io::Input;
use hubward_proto::names::ChildId;
use hubward_proto::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Packets over every tunnel, in both directions.
#[derive(Debug)]
pub struct Traffic {
    /// Seconds between two packets of a tunnel.
    pub every: u64,
    /// Packets whose receiver had the SA.
    pub delivered: u64,
    /// Packets whose receiver did not have the SA.
    pub lost: u64,
    pub seen: BTreeSet<(usize, ChildId)>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { every: 1, delivered: 0, lost: 0, seen: BTreeSet::new() }
    }
}

/// The child SAs whose outbound SA is in use: the newest for each selector.
pub fn in_use(node: &Node) -> Vec<Arc<ChildSa>> {
    let mut newest = BTreeMap::<Selector, Arc<ChildSa>>::new();
    for child in node.outbound.values() {
        newest.insert(child.selector, Arc::clone(child));
    }
    newest.into_values().collect()
}

impl Traffic {
    /// Runs the world for some seconds with traffic.
    pub fn run(&mut self, world: &mut World, seconds: u64) {
        for _ in 0..seconds / self.every {
            world.run(Duration::from_secs(self.every));
            for index in 0..world.nodes.len() {
                for child in in_use(&world.nodes[index]) {
                    self.packet(world, index, &child);
                }
            }
        }
    }

    fn packet(&mut self, world: &mut World, sender: usize, child: &ChildSa) {
        let now = world.now;
        let sent = Input::Traffic { child: child.id, last_inbound: None, last_outbound: Some(now) };
        world.input(sender, sent);
        let there = |node: &Node| {
            let near = node.address == child.path.remote || node.nat == Some(child.path.remote);
            let mut halves = near.then(|| node.inbound.values()).into_iter().flatten();
            halves.find(|theirs| theirs.inbound.spi == child.outbound.spi).map(|theirs| theirs.id)
        };
        let found = world.nodes.iter().enumerate().find_map(|(index, node)| Some((index, there(node)?)));
        let Some((receiver, theirs)) = found else {
            self.lost += 1;
            if let Some(index) = world.nodes.iter().position(|node| node.address == child.path.remote) {
                let path = Path { local: child.path.remote, remote: child.path.local, ..child.path };
                world.input(index, Input::UnknownSpi { path, spi: child.outbound.spi });
            }
            return;
        };
        self.delivered += 1;
        if self.seen.insert((receiver, theirs)) {
            world.input(receiver, Input::InboundSeen { child: theirs });
        }
        let got = Input::Traffic { child: theirs, last_inbound: Some(now), last_outbound: None };
        world.input(receiver, got);
    }
}
