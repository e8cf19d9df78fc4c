//! What the packet path adds to the bare cipher, and how long look-ups take among few and many SAs:
//! `cargo bench -p hubward-proto --bench packet_path`. What is compared runs in turns, so that
//! whatever else the machine does meets both.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/support/pair.rs"]
mod pair;

use hubward_crypto::suite::{EspCipher, EspSuite};
use hubward_proto::esp::outbound::{Outbound, Outcome};
use hubward_proto::esp::sa::Direction;
use hubward_proto::esp::sad::Sad;
use hubward_proto::esp::view::OutboundView;
use hubward_proto::flow::segment::{Segments, Transport};
use hubward_proto::flow::selector::{AddressRange, Flow};
use hubward_proto::flow::tables::{Lookup, Tables};
use hubward_proto::time::Instant as Moment;
use hubward_proto::wire::ip::{self, Ipv4};
use pair::child;
use ring::aead;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// Packets of a batch, as a super-packet brings them.
const BATCH: usize = 44;
/// Bytes of an inner packet.
const BYTES: usize = 1400;
const ROUNDS: usize = 2000;

fn gcm() -> EspSuite {
    EspSuite::new(EspCipher::AesGcm128, None).unwrap()
}

/// What so many of a hundred values do not exceed.
fn percentile(values: &mut [u64], part: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() - 1) * part / 100]
}

/// A super-packet of TCP.
fn super_packet() -> Vec<u8> {
    let (from, to) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    let payload = (BYTES - 52) * BATCH;
    let mut tcp = vec![5; 32 + payload];
    tcp[12] = 0x80;
    [&ip::header(from, to, ip::protocol::TCP, 0, tcp.len())[..], &tcp].concat()
}

/// The same packets sealed by the cipher alone, by the packet path one by one, and by the packet
/// path as a super-packet.
fn overhead() {
    let sad = Sad::new();
    sad.install(&child(1, gcm(), AddressRange::ANY_V4), Direction::Outbound).unwrap();
    let (mut outbound, tables) = (Outbound::new(&sad, [1; 32]), Tables::default());
    let whole = super_packet();
    let segments = Segments::new(Ipv4::parse(&whole).unwrap(), Transport::Tcp, (BYTES - 52) as u16).unwrap();
    let packets: Vec<Vec<u8>> = (0..BATCH)
        .map(|index| {
            let mut packet = Vec::new();
            segments.write(index, 0, &mut packet);
            assert_eq!(packet.len(), BYTES);
            packet
        })
        .collect();
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &[7; 16]).unwrap());
    // header, IV, packet, padding and trailer, check value
    let mut bare = vec![0u8; (8 + 8 + BYTES + 4 + 16) * BATCH];
    let mut times: [Vec<u64>; 3] = Default::default();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        for (number, packet) in bare.chunks_exact_mut(8 + 8 + BYTES + 4 + 16).enumerate() {
            let (header, rest) = packet.split_at_mut(16);
            let (data, icv) = rest.split_at_mut(BYTES + 4);
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&((round * BATCH + number) as u64).to_be_bytes());
            let nonce = aead::Nonce::assume_unique_for_key(nonce);
            let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::from(&header[..8]), data).unwrap();
            icv.copy_from_slice(tag.as_ref());
        }
        black_box(&mut bare);
        times[0].push(begun.elapsed().as_nanos() as u64);
        let begun = Instant::now();
        for packet in &packets {
            assert!(matches!(outbound.push(&tables, Moment::ORIGIN, packet), Outcome::Queued));
        }
        outbound.seal(|runs| assert!(!black_box(runs).is_empty()));
        times[1].push(begun.elapsed().as_nanos() as u64);
        let begun = Instant::now();
        assert!(matches!(outbound.push_segments(&tables, Moment::ORIGIN, &segments), Outcome::Queued));
        outbound.seal(|runs| assert!(!black_box(runs).is_empty()));
        times[2].push(begun.elapsed().as_nanos() as u64);
    }
    println!(
        "sealing {BATCH} packets of {BYTES} bytes with AES-128-GCM, median of {ROUNDS}, nanoseconds a packet:"
    );
    let medians = times.map(|mut times| percentile(&mut times, 50) as f64 / BATCH as f64);
    for (name, median) in ["the cipher alone", "packet by packet", "one super-packet"].iter().zip(medians) {
        println!("  {name:<18} {median:>7.1}  {:+.1} %", (median / medians[0] - 1.0) * 100.0);
    }
}

fn view(sas: u32) -> OutboundView {
    let sad = Sad::new();
    for number in 0..sas {
        let remote = AddressRange::prefix(ipnet::Ipv4Net::new(network(number), 24).unwrap().into());
        sad.install(&child(number, gcm(), remote), Direction::Outbound).unwrap();
    }
    sad.outbound_view(Lookup::BySelector)
}

fn network(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + (number << 8))
}

/// Each look-up timed for itself, for flows in no order, among 1,000 and 100,000 SAs.
fn look_ups() {
    let tables = [1000, 100_000].map(|sas| (sas, view(sas)));
    let mut times = [Vec::new(), Vec::new()];
    let mut number = 1u32;
    for _ in 0..200_000 {
        for ((sas, view), times) in tables.iter().zip(&mut times) {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let flow = Flow {
                source: IpAddr::from([192, 0, 2, 9]),
                destination: IpAddr::V4(Ipv4Addr::from_bits(network((number >> 8) % sas).to_bits() | 77)),
                protocol: 17,
                source_port: Some(1),
                destination_port: Some(2),
            };
            let begun = Instant::now();
            black_box(view.by_flow(&flow, |_| false).unwrap());
            times.push(begun.elapsed().as_nanos() as u64);
        }
    }
    println!("look-up of the SA for a flow, each timed alone, nanoseconds with the clock's own:");
    for ((sas, _), mut times) in tables.iter().zip(times) {
        let [middle, high, higher] = [50, 90, 99].map(|part| percentile(&mut times, part));
        println!("  among {sas:>6} SAs: median {middle}, p90 {high}, p99 {higher}");
    }
}

fn main() {
    overhead();
    look_ups();
}
