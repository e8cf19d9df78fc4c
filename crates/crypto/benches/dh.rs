//! Diffie-Hellman: our public value, and the shared secret.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;

fn dh(criterion: &mut Criterion) {
    let mut random = Random::new([1; 32]);
    let groups =
        [DhGroup::Modp1024, DhGroup::Modp1536, DhGroup::Modp2048, DhGroup::Modp4096, DhGroup::Ecp256];
    for group in groups {
        let peer = DhPrivate::generate(group, &mut random);
        let us = DhPrivate::generate(group, &mut random);
        let number = group.number();
        criterion.bench_function(&format!("group {number}, public value"), |bencher| {
            bencher.iter(|| DhPrivate::generate(group, &mut random));
        });
        criterion.bench_function(&format!("group {number}, shared secret"), |bencher| {
            bencher.iter(|| us.agree(peer.public()).unwrap());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = dh
}
criterion_main!(benches);
