//! A unit of work repeated a given number of times, so that `cargo gates` can count its
//! instructions: `work NAME TIMES`.
//!
//! `seal-CIPHER-BYTES` protects cleartext packets, from the policy look-up to the sealed batch;
//! `both-CIPHER-BYTES` opens them as well; `lookup-SAS` finds the SA of a flow among that many;
//! `handshake-GROUP` is a main mode and a quick mode of two engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../../../crates/proto/tests/support/pair.rs"]
mod pair;
#[path = "../../../crates/proto/tests/support/mod.rs"]
mod support;

use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::{Arrived, Inbound};
use hubward_proto::esp::outbound::{Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::Direction;
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Flow};
use hubward_proto::flow::tables::{Lookup, Tables};
use hubward_proto::names::ChildId;
use hubward_proto::path::Encapsulation;
use hubward_proto::time::Instant;
use hubward_proto::wire::ip;
use pair::child;
use std::net::{IpAddr, Ipv4Addr};
use support::{HUB, Node, World, hub_policy, spoke_policy, tunnel};

/// Packets in a batch, as in a super-packet.
const BATCH: usize = 64;

fn suite(name: &str) -> EspSuite {
    match name {
        "gcm" => EspSuite::new(EspCipher::AesGcm128, None),
        "cbc" => EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)),
        "3des" => EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)),
        _ => panic!("no cipher {name}"),
    }
    .unwrap()
}

fn packets(cipher: &str, bytes: usize, times: usize, opens: bool) {
    let sad = Sad::new();
    let child = child(1, suite(cipher), AddressRange::ANY_V4);
    sad.install(&child, Direction::Outbound).unwrap();
    sad.install(&child, Direction::Inbound).unwrap();
    let (mut outbound, mut inbound) = (Outbound::new(&sad, [1; 32]), Inbound::new(&sad));
    let (from, to) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    let packet = [&ip::header(from, to, ip::protocol::UDP, 0, bytes - 20)[..], &vec![5; bytes - 20]].concat();
    let tables = Tables::default();
    let mut carried = Vec::new();
    let mut delivered = 0;
    for _ in 0..times {
        for _ in 0..BATCH {
            assert!(matches!(outbound.push(&tables, Instant::ORIGIN, &packet), Outcome::Queued));
        }
        carried.clear();
        let mut length = 1;
        outbound.seal(|runs| {
            for Sealed { bytes, segment, .. } in runs {
                carried.extend_from_slice(bytes);
                length = *segment;
            }
        });
        if opens {
            let arrived = carried.chunks_mut(length).map(|bytes| Arrived {
                bytes,
                local: None,
                remote: IpAddr::from([192, 0, 2, 2]),
                remote_port: 4500,
                encapsulation: Encapsulation::Udp,
                tos: 0,
            });
            inbound.process(Instant::ORIGIN, arrived, |_, _| delivered += 1);
        }
    }
    assert_eq!(delivered, if opens { times * BATCH } else { 0 });
}

fn look_ups(sas: u32, times: usize) {
    let sad = Sad::new();
    let network = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + (number << 8));
    let suite = suite("gcm");
    for number in 0..sas {
        let remote = AddressRange::prefix(ipnet::Ipv4Net::new(network(number), 24).unwrap().into());
        sad.install(&child(number, suite, remote), Direction::Outbound).unwrap();
    }
    let view = sad.outbound_view(Lookup::BySelector);
    let mut number = 1u32;
    for _ in 0..times * 1000 {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wanted = (number >> 8) % sas;
        let flow = Flow {
            source: IpAddr::from([192, 0, 2, 9]),
            destination: IpAddr::V4(Ipv4Addr::from_bits(network(wanted).to_bits() | 77)),
            protocol: 17,
            source_port: Some(1),
            destination_port: Some(2),
        };
        let found = view.by_flow(&flow, |_| false).unwrap();
        assert_eq!(found.child.id, ChildId(u64::from(wanted)));
    }
}

fn handshakes(group: DhGroup, times: usize) {
    for _ in 0..times {
        let (mut hub, mut spoke) = (hub_policy(), spoke_policy("10.100.2.102", "10.2.0.0/16"));
        hub.proposals[0].group = group;
        spoke.proposals[0].group = group;
        let mut world = World::new(vec![Node::new(HUB, hub, 1), Node::new("10.100.2.102", spoke, 2)]);
        world.acquire(1);
        world.run(std::time::Duration::from_secs(1));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = &arguments[..] else { panic!("work NAME TIMES") };
    let times = times.parse().expect("a number");
    match name.split('-').collect::<Vec<_>>()[..] {
        ["seal", cipher, bytes] => packets(cipher, bytes.parse().expect("a number"), times, false),
        ["both", cipher, bytes] => packets(cipher, bytes.parse().expect("a number"), times, true),
        ["lookup", sas] => look_ups(sas.parse().expect("a number"), times),
        ["handshake", "2"] => handshakes(DhGroup::Modp1024, times),
        ["handshake", "14"] => handshakes(DhGroup::Modp2048, times),
        _ => panic!("no work {name}"),
    }
}
