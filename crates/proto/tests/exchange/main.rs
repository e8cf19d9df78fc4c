//! Two engines, message by message; and engines against scripted peers.
//!
//! What trips up IKEv1 implementations, and the test for it. Tests without a module are in this
//! file; `rogue`, `proposal`, `identity`, `transaction`, `fragment` and `admission` without
//! `exchange` are unit tests of `src/ike`; `limits`, `vectors`, `esp` and `simulation` are the
//! other test programs in this folder; `interop` is against strongSwan and vpnc.
//!
//! | trap | test |
//! |---|---|
//! | attributes of a transform in any order (vpnc: key length first) | `proposal::attribute_order_is_free` |
//! | long lists of transforms; a bad one among them | `limits::each_bound_and_one_above_it`, `cisco::impossible_key_lengths` |
//! | a key length of 0 or one that no cipher has, in both phases | `cisco::impossible_key_lengths` |
//! | any lifetime of a peer is accepted, and the shorter one applies, but not one of seconds | `proposal::longer_lifetimes_are_taken_and_shortened`, `offers::lifetimes_of_seconds_or_kilobytes_have_a_floor` |
//! | attributes that nothing here does (ESN, compression, a PRF) must not be echoed | `offers::an_attribute_that_is_not_implemented_is_not_agreed_to`, `offers::phase_1_agrees_to_no_unknown_attribute` |
//! | other DOIs and situations, reserved fields | `offers::situations_dois_and_reserved_fields` |
//! | a peer that gives up in the middle of quick mode | `offers::who_gave_up_is_not_sent_message_2_again` |
//! | a hundred quick modes at once | `offers::a_branch_with_a_hundred_lines_comes_up` |
//! | the responder has its new SA only after message 3 | `overlap::*` |
//! | payload 15 was once NAT-D; unexpected payloads | `cisco::unused_payloads_are_skipped` |
//! | vendor ids with a version or capabilities at their end | `cisco::vendor_ids_of_16_and_20_bytes` |
//! | the XAUTH vendor id of a spoke does not trigger Xauth | `main_mode_and_quick_mode`, `selection::a05_the_map_asks_a_spoke_for_xauth` |
//! | the key is chosen by address before the identity is known | `wrong_preshared_key`, `rogue::a_group_name_in_main_mode_meets_xauth` |
//! | group names with NULs after them | `identity::group_names_lose_their_padding` |
//! | an unknown group cannot be distinguished from a wrong key | `unknown_groups_look_like_known_ones` |
//! | message ids of one random byte, even 0 (vpnc's deletes) | `cisco::an_informational_with_message_id_0` |
//! | IV chains of several message ids at once; the least recently used is dropped | `limits::exchanges_of_iv_chains` |
//! | the chain moves only if the HASH is verified | `rogue::one_bit_of_each_hash`, `rogue::tampered_messages_change_nothing` |
//! | a lost answer: the repetition gets the same one | `every_message_may_be_lost_twice`, `replay::a_refused_quick_mode_is_recognised` |
//! | Xauth, mode-config or deletes before message 6 was processed | `xauth::a_request_before_message_6` |
//! | quick mode or mode-config before Xauth (CVE-2005-1057, 1058) | `rogue::before_xauth_nothing_else_is_answered` |
//! | empty Xauth password | `xauth::an_empty_password` |
//! | trailing NUL in the Xauth password | `xauth::a_trailing_nul_is_no_part_of_the_password` |
//! | wrong passwords on one SA | `xauth::three_tries`, `xauth::the_second_try_is_right` |
//! | a further round of Xauth names no user | `xauth::a_further_round_is_the_same_users` |
//! | acknowledgement without attributes, or with an empty one (strongSwan) | `xauth::an_acknowledgement_needs_no_attributes` |
//! | mode-config attributes that are unknown or asked for twice | `transaction::a29_unknown_attributes_are_left_out`, `transaction::a_repeated_question_has_one_answer` |
//! | a gateway that assigns nonsense | `transaction::hostile_assignments` |
//! | phase 1 rekeyed by the client, with Xauth again and the same address | `renewal::a_client_keeps_its_address_over_phase_1`, `interop: 2h_vpnc_renews_phase_1_and_hub_rekeys_phase_2_protocol_50` |
//! | children outlive the phase 1 that made them | `phase_1_is_renewed_under_its_children`, `rogue::deletes_come_last` |
//! | INITIAL-CONTACT behind a NAT clears one peer only | `liveness::initial_contact_clears_the_same_peer_only` |
//! | many peers behind one NAT | `two_clients_and_a_spoke_behind_one_nat`, `admission::a_crowd_behind_one_nat` |
//! | NAT-D in several dialects, floating ports, ports that change | `nat_floats_to_4500`, `liveness::the_nat_maps_another_port` |
//! | quick mode without identities | `cisco::no_identities_in_quick_mode` |
//! | an address 0.0.0.0 means everything to Unity clients only | `identity::a_host_of_zeros_is_everything_to_unity_clients_only` |
//! | a client's SA to the hub itself, besides the one to everything | `cisco::a_client_opens_an_sa_to_the_hub_itself_first` (the data path: not tested against a Cisco client) |
//! | a client that proposes another client's address | `rogue::a_client_speaks_only_for_its_address` |
//! | rekeys without deletes, or deleted before what they replaced | `replaced::*`, `interop: rekey::strongswan_renews_phase_2_thirty_times` |
//! | crossing rekeys; PFS on one side only | `renewal::crossing_renewals_leave_one_tunnel`, `renewal::missing_pfs_is_refused` |
//! | a fourth message of quick mode (Windows) | `cisco::a_fourth_quick_mode_message` |
//! | an old quick mode, or our own sent back to us | `replay::an_old_quick_mode_makes_no_second_pair`, `replay::our_own_quick_mode_thrown_back`, `replay::message_ids_are_not_forgotten` |
//! | deletes twice, with DOI 0, with our SPI, with both | `cisco::deletes_of_all_kinds` |
//! | deletes of another peer's SAs | `rogue::a_peer_deletes_only_its_own` |
//! | a recorded message from another address moves nothing | `rogue::a_replayed_session_moves_nothing` |
//! | fragmented messages: repeated, out of order, without end | `cisco::messages_in_pieces`, `fragment::*`, `interop: strongswan_sends_fragments` |
//! | LOAD_BALANCE: from port 500, authenticated, bounded | `rogue::a_gateway_sends_its_client_to_another`, `rogue::redirections_are_bounded`, `cisco::a_redirection_in_clear_is_ignored` |
//! | a forged source answers without our cookie | `hostile::a_forged_source_gets_no_diffie_hellman` |
//! | INITIAL-CONTACT late, or replayed on an older SA | `hostile::an_old_initial_contact_ends_nothing_newer` |
//! | an SA without Xauth so far, replacing one with it | `hostile::an_unproven_renewal_deletes_nothing_else`, `hostile::an_unproven_renewal_stops_no_probes` |
//! | another peer's identity behind the same NAT, with forged NAT-D | `hostile::a_neighbour_behind_the_nat_is_somebody_else` |
//! | a spoke that proposes a client's address | `hostile::a_spoke_does_not_take_a_clients_address` |
//! | one source uses up the budget for Diffie-Hellman | `admission::ports_do_not_multiply_a_source`, `admission::third_messages_are_counted` |
//! | a peer's address is forged to lock the peer out | `admission::a_forged_address_is_not_locked_out`, `limits::a_flood_of_first_messages_locks_nobody_out` |
//! | several peers of an entry | `failover::*`, `interop: the_second_peer_serves_when_the_first_is_silent` |
//! | trying several keys for one address in main mode | not handled: the first match is the key, as on IOS |
//! | SHA-256 with 96 bits (old Android, old Linux) | not handled: such packets are refused for their integrity |
//! | hybrid and RSA authentication | not handled: pre-shared keys only |
//! | keepalives 32768 and 32769 of IOS before DPD | not handled: a peer without the DPD vendor id is not probed, and its probes are ignored |
//! | mode-config that the hub pushes (SET) | `push::*` |
//! | NAT-OA and checksums in transport mode behind a NAT | not handled: NAT-OA is skipped |
//! | groups with UDP encapsulation of their own (port 10000) | not handled: the attribute is not answered |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;
mod answers;
mod cisco;
mod failover;
mod fragments;
mod hostile;
mod liveness;
mod meant;
mod offers;
mod outage;
mod overlap;
#[path = "../support/peer.rs"]
mod peer;
mod push;
mod renewal;
mod replaced;
mod replay;
mod selection;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod xauth;

use hubward_proto::ike::io::{Command, Input};
use hubward_proto::ike::snapshot::IsakmpState;
use std::time::Duration;
use support::*;

fn hub_and_spoke() -> World {
    World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("10.100.2.102", spoke_policy("10.100.2.102", "10.2.0.0/16"), 2),
    ])
}

fn hub_and_client() -> World {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("10.51.82.100", client_policy("10.51.82.100"), 2),
    ]);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world
}

/// Exchange types of everything sent so far.
fn exchanges(world: &World) -> Vec<u8> {
    world.trace.iter().map(|(_, datagram)| datagram.bytes[18]).collect()
}

/// ```text
/// spoke  --  MM1, MM3, MM5, QM1, QM3  -->  hub
///        <--     MM2, MM4, MM6, QM2   --
/// ```
#[test]
fn main_mode_and_quick_mode() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    assert_eq!(exchanges(&world), [2, 2, 2, 2, 2, 2, 32, 32, 32]);
    let view = world.nodes[0].engine.inspect();
    assert_eq!(view.isakmp.len(), 1);
    assert_eq!(view.isakmp[0].state, IsakmpState::QmIdle);
    assert_eq!(view.isakmp[0].profile.as_deref(), Some("L2L"));
    assert!(!view.isakmp[0].xauth);
    assert_eq!(view.children.len(), 1);
}

/// ```text
/// client  --  AM1, AM3, XAUTH REPLY, XAUTH ACK, CFG REQUEST, QM1, QM3  -->  hub
///         <--  AM2, XAUTH REQUEST, XAUTH SET, CFG REPLY, QM2            --
/// ```
#[test]
fn aggressive_mode_xauth_and_mode_config() {
    let mut world = hub_and_client();
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    assert_eq!(exchanges(&world), [4, 4, 4, 6, 6, 6, 6, 6, 6, 32, 32, 32]);
    let assignment = world.nodes[1].assignment.clone().unwrap();
    assert_eq!(assignment.address.to_string(), "10.5.5.1");
    assert_eq!(assignment.dns.len(), 2);
    assert_eq!(assignment.wins.len(), 2);
    assert_eq!(assignment.domain.as_deref(), Some("cisco.com"));
    assert!(assignment.split_include.is_empty());
    assert!(assignment.expiry.unwrap() <= Duration::from_secs(86400));
    let view = world.nodes[0].engine.inspect();
    assert!(view.isakmp[0].xauth && view.isakmp[0].mode_config);
    assert_eq!(view.isakmp[0].user.as_ref().unwrap().to_string(), "gfullage");
}

/// A27: after a wrong password there is no configuration and no child SA.
#[test]
fn a27_wrong_password() {
    let mut world = hub_and_client();
    world.nodes[1].users[0].1 = "wrong".into();
    world.run(Duration::from_secs(90));
    assert!(world.nodes[1].assignment.is_none());
    assert!(world.nodes[0].inbound.is_empty());
    assert!(world.nodes[0].engine.inspect().isakmp.is_empty());
    assert_eq!(world.nodes[1].passwords_asked, 1, "a refused password is not tried again");
}

/// A37: with a wrong group key the client refuses message 2 and does not ask for a password.
#[test]
fn a37_wrong_group_key() {
    let mut world = hub_and_client();
    let mut policy = client_policy("10.51.82.100");
    let mut connection = (*policy.connections[0]).clone();
    connection.key = hubward_crypto::secret::Secret::new(*b"wrong");
    policy.connections = vec![connection.into()];
    world.nodes[1] = Node::new("10.51.82.100", policy, 3);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(20));
    assert!(world.nodes[1].refusals().iter().any(|text| text.contains("pre-shared keys differ")));
    assert_eq!(world.nodes[1].passwords_asked, 0);
    assert!(world.nodes[0].inbound.is_empty());
}

/// An unknown group is answered with the same messages of the same lengths as a known one.
#[test]
fn unknown_groups_look_like_known_ones() {
    let lengths = |group: &str| {
        let mut world = hub_and_client();
        let mut policy = client_policy("10.51.82.100");
        let mut connection = (*policy.connections[0]).clone();
        connection.key = hubward_crypto::secret::Secret::new(*b"guessed!");
        connection.identity = hubward_proto::policy::SelfIdentity::KeyId(group.into());
        policy.connections = vec![connection.into()];
        world.nodes[1] = Node::new("10.51.82.100", policy, 3);
        world.trace.clear();
        world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
        world.run(Duration::from_millis(300));
        world.trace.iter().map(|(_, datagram)| datagram.bytes.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths("testgroup"), lengths("nosuchgrp"));
}

/// A wrong wildcard key is noticed in message 5, which does not decrypt to anything valid.
#[test]
fn wrong_preshared_key() {
    let mut world = hub_and_spoke();
    let mut policy = spoke_policy("10.100.2.102", "10.2.0.0/16");
    policy.keyrings[0].keys[0].secret = hubward_crypto::secret::Secret::new(*b"wrong");
    world.nodes[1] = Node::new("10.100.2.102", policy, 2);
    world.acquire(1);
    world.run(Duration::from_secs(100));
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("pre-shared keys differ")));
    for node in &world.nodes {
        assert!(node.inbound.is_empty());
        assert!(node.engine.inspect().isakmp.is_empty(), "half-open SAs are forgotten");
    }
}

/// Each message is lost once, then twice: the tunnel still comes up.
#[test]
fn every_message_may_be_lost_twice() {
    for victim in 0..9 {
        for times in 1..=2 {
            let mut world = hub_and_spoke();
            let mut seen = Vec::<Vec<u8>>::new();
            let mut dropped = 0;
            world.filter = Some(Box::new(move |datagram| {
                let index = seen.iter().position(|bytes| *bytes == datagram.bytes).unwrap_or_else(|| {
                    seen.push(datagram.bytes.clone());
                    seen.len() - 1
                });
                if index == victim && dropped < times {
                    dropped += 1;
                    return false;
                }
                true
            }));
            world.acquire(1);
            world.run(Duration::from_secs(20));
            assert!(tunnel(&world.nodes[1], &world.nodes[0]), "message {victim} lost {times} times");
            assert_eq!(world.nodes[0].inbound.len(), 1, "message {victim} lost {times} times");
        }
    }
}

/// With a NAT in between, both sides float to port 4500, and ESP is sent in UDP.
#[test]
fn nat_floats_to_4500() {
    let mut world = hub_and_spoke();
    world.nodes[1].nat = Some(ip("192.0.2.7"));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    let child = world.nodes[0].inbound.values().next().unwrap();
    assert_eq!(child.path.encapsulation, hubward_proto::path::Encapsulation::Udp);
    assert!(child.path.remote_port >= 20_000);
}

/// Phase 2 is rekeyed before its end; the old child SA stays until the new one is in use on both
/// sides.
#[test]
fn phase_2_is_renewed() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let first = *world.nodes[1].outbound.keys().next().unwrap();
    for _ in 0..72 {
        let now = world.now;
        for node in 0..2 {
            for child in world.nodes[node].outbound.keys().copied().collect::<Vec<_>>() {
                let input = Input::Traffic { child, last_inbound: Some(now), last_outbound: Some(now) };
                world.input(node, input);
            }
        }
        world.run(Duration::from_secs(50));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    }
    assert!(!world.nodes[1].outbound.contains_key(&first));
    assert_eq!(world.nodes[0].inbound.len(), 1);
}

/// Phase 1 is rekeyed while child SAs are in use; they keep their keys.
#[test]
fn phase_1_is_renewed_under_its_children() {
    let mut world = hub_and_spoke();
    let shorten = |mut policy: hubward_proto::policy::Policy| {
        policy.proposals[0].lifetime = Duration::from_secs(300);
        policy
    };
    world.nodes[0] = Node::new(HUB, shorten(hub_policy()), 1);
    world.nodes[1] = Node::new("10.100.2.102", shorten(spoke_policy("10.100.2.102", "10.2.0.0/16")), 2);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let child = *world.nodes[1].outbound.keys().next().unwrap();
    let conn = world.nodes[1].engine.inspect().isakmp[0].conn_id;
    world.run(Duration::from_secs(600));
    assert!(world.nodes[1].outbound.contains_key(&child), "the child outlives its phase 1");
    let view = world.nodes[1].engine.inspect();
    assert!(!view.isakmp.is_empty() && view.isakmp.iter().all(|sa| sa.conn_id != conn));
}

/// Deletes reach the other side, and nothing is left there.
#[test]
fn shutdown_leaves_nothing_behind() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    world.input(1, Input::Command(Command::Shutdown));
    world.run(Duration::from_secs(1));
    for node in &world.nodes {
        assert!(node.inbound.is_empty() && node.outbound.is_empty());
        assert!(node.engine.inspect().isakmp.is_empty());
    }
}

/// Two clients and a spoke behind one NAT have tunnels of their own and addresses of their own.
#[test]
fn two_clients_and_a_spoke_behind_one_nat() {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("192.168.77.10", client_policy("192.168.77.10"), 2),
        Node::new("192.168.77.11", client_policy("192.168.77.11"), 3),
        Node::new("192.168.77.12", spoke_policy("192.168.77.12", "10.2.0.0/16"), 4),
    ]);
    for node in 1..=3 {
        world.nodes[node].nat = Some(ip("10.51.82.100"));
    }
    for node in 1..=2 {
        world.input(node, Input::Command(Command::Connect { connection: "work".into() }));
    }
    world.acquire(3);
    world.run(Duration::from_secs(5));
    for node in 1..=3 {
        assert!(tunnel(&world.nodes[node], &world.nodes[0]), "node {node}: {:?}", world.nodes[0].refusals());
    }
    let addresses: Vec<_> =
        (1..=2).map(|node| world.nodes[node].assignment.clone().unwrap().address).collect();
    assert_ne!(addresses[0], addresses[1]);
}

/// The same seed and the same inputs give the same bytes.
#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = || {
        let mut world = hub_and_spoke();
        world.link = Link { loss: 100, duplicate: 50, jitter: Duration::from_millis(100) };
        world.acquire(1);
        world.run(Duration::from_secs(30));
        world.trace.iter().map(|(at, datagram)| (*at, datagram.bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
