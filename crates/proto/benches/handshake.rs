//! A whole handshake of two engines: main mode with a pre-shared key, then quick mode.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use hubward_crypto::suite::DhGroup;
use std::time::Duration;
use support::{HUB, Node, World, hub_policy, spoke_policy, tunnel};

fn handshake(criterion: &mut Criterion) {
    for (name, dh) in [("group 2", DhGroup::Modp1024), ("group 14", DhGroup::Modp2048)] {
        criterion.bench_function(&format!("main and quick mode, both ends, {name}"), |bencher| {
            bencher.iter(|| {
                let mut hub = hub_policy();
                let mut spoke = spoke_policy("10.100.2.102", "10.2.0.0/16");
                hub.proposals[0].group = dh;
                spoke.proposals[0].group = dh;
                let mut world = World::new(vec![Node::new(HUB, hub, 1), Node::new("10.100.2.102", spoke, 2)]);
                world.acquire(1);
                world.run(Duration::from_secs(1));
                assert!(tunnel(&world.nodes[1], &world.nodes[0]));
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = handshake
}
criterion_main!(benches);
