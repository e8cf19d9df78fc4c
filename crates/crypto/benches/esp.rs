//! Sealing and opening of ESP packets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hubward_crypto::esp::{EspKeys, HEADER_LEN, OpenError, OpenJob, SealJob, open, seal};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};

fn esp(criterion: &mut Criterion) {
    let suites = [
        ("3des-sha1", EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap()),
        ("aes128-sha1", EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap()),
        ("aes128-gcm", EspSuite::new(EspCipher::AesGcm128, None).unwrap()),
    ];
    for (name, suite) in suites {
        let keymat: Vec<u8> = (0..suite.keymat_len() as u8).collect();
        let keys = EspKeys::new(suite, &keymat).unwrap();
        let mut group = criterion.benchmark_group(name);
        for inner in [64usize, 512, 1400] {
            let plain = (inner + 2).next_multiple_of(suite.cipher().block_len());
            let length = HEADER_LEN + suite.cipher().iv_len() + plain + suite.icv_len();
            let mut packet = vec![0x5a; length];
            group.throughput(Throughput::Bytes(inner as u64));
            group.bench_with_input(BenchmarkId::new("seal", inner), &inner, |bencher, _| {
                bencher.iter(|| seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).unwrap());
            });
            seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).unwrap();
            let sealed = packet.clone();
            group.bench_with_input(BenchmarkId::new("open", inner), &inner, |bencher, _| {
                bencher.iter_batched_ref(
                    || sealed.clone(),
                    |packet| {
                        let mut jobs = [OpenJob { keys: &keys, packet, outcome: Err(OpenError::Pending) }];
                        open(&mut jobs);
                        assert!(jobs[0].outcome.is_ok());
                    },
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, esp);
criterion_main!(benches);
