//! The memory for an established peer: an IKE SA and a child SA, with what the packet path keeps of
//! them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod counting;
#[path = "../support/mod.rs"]
mod support;

use hubward_proto::esp::inbound::Inbound;
use hubward_proto::esp::outbound::Outbound;
use hubward_proto::esp::sa::Direction;
use hubward_proto::esp::sad::Sad;
use std::net::Ipv4Addr;
use std::time::Duration;
use support::{HUB, Node, World, hub_policy, spoke_policy, tunnel};

/// How many bytes a peer may take.
const LIMIT: usize = 8 * 1024;

/// Runs complete handshakes of this many spokes; then only the hub is left, with the SA database
/// and the views of both workers.
fn hub_with(peers: u32) -> (Node, Sad) {
    let mut hub = Node::new(HUB, hub_policy(), 1);
    for number in 0..peers {
        let address = Ipv4Addr::from_bits(0x0a64_0000 + number + 1).to_string();
        let lan = format!("{}/32", Ipv4Addr::from_bits(0x0a80_0000 + number));
        let mut world = World::new(vec![hub, Node::new(&address, spoke_policy(&address, &lan), 2)]);
        world.acquire_from(1, Ipv4Addr::from_bits(0x0a80_0000 + number).into());
        world.run(Duration::from_secs(1));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
        hub = world.nodes.swap_remove(0);
        hub.events.clear();
    }
    let sad = Sad::new();
    for child in hub.inbound.values() {
        sad.install(child, Direction::Inbound).unwrap();
        sad.install(child, Direction::Outbound).unwrap();
    }
    (hub, sad)
}

#[test]
fn an_established_peer_takes_at_most_8_kib() {
    const FEW: u32 = 20;
    const MANY: u32 = 220;
    let mut taken = Vec::new();
    for peers in [FEW, MANY] {
        let before = counting::live();
        let (hub, sad) = hub_with(peers);
        let engine = counting::live();
        let (mut outbound, mut inbound) = (Outbound::new(&sad, [1; 32]), Inbound::new(&sad));
        outbound.refresh();
        inbound.refresh();
        taken.push((engine - before, counting::live() - before));
        drop((hub, outbound, inbound));
    }
    let of_one = |few: usize, many: usize| (many - few) / (MANY - FEW) as usize;
    let (without, all) = (of_one(taken[0].0, taken[1].0), of_one(taken[0].1, taken[1].1));
    println!("{without} bytes with the SA database, {all} with the views of the packet path");
    assert!(all <= LIMIT, "{all} bytes a peer");
}
