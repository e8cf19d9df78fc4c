//! Protecting and opening ESP packets: 64, 512 and 1400 bytes of plaintext, in batches of 32 as the
//! data path hands them over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hubward_crypto::esp::{EspKeys, HEADER_LEN, OpenError, OpenJob, SealJob, open, seal};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};

const BATCH: usize = 32;

fn suites() -> [(&'static str, EspSuite); 3] {
    [
        ("3des-sha1", EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap()),
        ("aes128-sha1", EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap()),
        ("aes128-gcm", EspSuite::new(EspCipher::AesGcm128, None).unwrap()),
    ]
}

/// Packets whose plaintext, with its trailer, is at least `length` bytes and fills whole blocks.
fn packets(suite: EspSuite, length: usize) -> Vec<Vec<u8>> {
    let cipher = suite.cipher();
    let body = length.next_multiple_of(cipher.block_len());
    (0..BATCH).map(|index| vec![index as u8; HEADER_LEN + cipher.iv_len() + body + suite.icv_len()]).collect()
}

fn seal_all(keys: &EspKeys, packets: &mut [Vec<u8>]) {
    let mut jobs: Vec<_> = packets.iter_mut().map(|packet| SealJob { keys, packet }).collect();
    seal(&mut jobs).unwrap();
}

fn open_all(keys: &EspKeys, packets: &mut [Vec<u8>]) {
    let mut jobs: Vec<_> =
        packets.iter_mut().map(|packet| OpenJob { keys, packet, outcome: Err(OpenError::Pending) }).collect();
    open(&mut jobs);
    assert!(jobs.iter().all(|job| job.outcome.is_ok()));
}

fn esp(criterion: &mut Criterion) {
    for (name, suite) in suites() {
        let keymat: Vec<u8> = (1..=suite.keymat_len()).map(|byte| byte as u8).collect();
        let keys = EspKeys::new(suite, &keymat).unwrap();
        let mut group = criterion.benchmark_group(name);
        for length in [64, 512, 1400] {
            group.throughput(Throughput::Bytes((length * BATCH) as u64));
            let plain = packets(suite, length);
            group.bench_with_input(BenchmarkId::new("seal", length), &plain, |bencher, plain| {
                bencher.iter_batched_ref(
                    || plain.clone(),
                    |packets| seal_all(&keys, packets),
                    BatchSize::SmallInput,
                );
            });
            let mut sealed = plain;
            seal_all(&keys, &mut sealed);
            group.bench_with_input(BenchmarkId::new("open", length), &sealed, |bencher, sealed| {
                bencher.iter_batched_ref(
                    || sealed.clone(),
                    |packets| open_all(&keys, packets),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, esp);
criterion_main!(benches);
