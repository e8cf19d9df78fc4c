//! What floods make the engine remember, in bytes: bounded while they last, and given back after
//! them. The allocator counts, so this program runs its tests one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../memory/counting.rs"]
mod counting;
#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/mod.rs"]
mod support;

use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::sync::Mutex;
use std::time::Duration;
use support::field::{Field, Flood, HUB_NODE, forged};
use support::{HUB, Node, hub_policy};

const MIB: usize = 1024 * 1024;
/// Growth while a flood lasts.
const MOST: usize = 32 * MIB;
/// What may be left of it.
const LEFT: usize = MIB / 4;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn first(exchange: u8) -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    if exchange == exchange::MAIN {
        writer.push(payload::SA, peer::phase1_sa(ike::AUTH_PRESHARED));
    } else {
        writer
            .push(payload::SA, peer::phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
            .push(payload::KE, [2; 128])
            .push(payload::NONCE, [1; 20])
            .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    }
    peer::clear(cookies, exchange, &writer)
}

/// The largest fragment of a message, with this responder cookie.
fn fragment(responder: Cookie) -> Vec<u8> {
    let header = Header {
        initiator: Cookie([1; 8]),
        responder,
        first: payload::FRAGMENT,
        exchange: exchange::MAIN,
        flags: 0,
        message_id: 0,
    };
    let mut writer = Writer::new();
    writer.push(payload::FRAGMENT, [&[0, 1, 1, 0][..], &[0; 8_000]].concat());
    header.write(&writer.bytes())
}

/// Floods a hub for five seconds with these messages and rates. Returns the most bytes that it took,
/// and what is left two minutes later.
fn flooded(messages: &[(Vec<u8>, u32)]) -> (usize, usize) {
    flooded_for(messages, Duration::from_secs(5))
}

fn flooded_for(messages: &[(Vec<u8>, u32)], time: Duration) -> (usize, usize) {
    let mut field = Field::new(Node::new(HUB, hub_policy(), 1), Vec::new());
    // a first message from everywhere, so that tables that keep their size have it
    let warm = Duration::from_millis(100);
    for (message, rate) in messages {
        field.floods.push(Flood::new(message.clone(), *rate, field.now, warm, forged));
    }
    field.run(Duration::from_secs(120));
    field.floods.clear();
    let before = counting::live();
    for (message, rate) in messages {
        field.floods.push(Flood::new(message.clone(), *rate, field.now, time, forged));
    }
    let mut most = 0;
    for _ in 0..20 {
        field.run(time / 20);
        most = most.max(counting::live().saturating_sub(before));
    }
    field.run(Duration::from_secs(120));
    let node = &mut field.nodes[HUB_NODE];
    (node.events, node.inbound, node.outbound) = Default::default();
    let left = counting::live().saturating_sub(before);
    println!("{} KiB at most, {} KiB left", most / 1024, left / 1024);
    (most, left)
}

fn assert_bounded(messages: &[(Vec<u8>, u32)]) {
    let _alone = ONE_AT_A_TIME.lock();
    let (most, left) = flooded(messages);
    assert!(most <= MOST, "{} KiB", most / 1024);
    assert!(left <= LEFT, "{} KiB are left", left / 1024);
}

#[test]
fn aggressive_mode_first_messages_take_little_and_give_it_back() {
    assert_bounded(&[(first(exchange::AGGRESSIVE), 400)]);
}

#[test]
fn both_together_take_little_and_give_it_back() {
    assert_bounded(&[(first(exchange::MAIN), 20_000), (first(exchange::AGGRESSIVE), 400)]);
}

/// Long enough that all tables are full several times.
#[test]
fn a_hundred_thousand_a_second_take_little_and_give_it_back() {
    let _alone = ONE_AT_A_TIME.lock();
    let (most, left) = flooded_for(&[(first(exchange::MAIN), 100_000)], Duration::from_secs(1));
    assert!(most <= MOST, "{} KiB", most / 1024);
    assert!(left <= LEFT, "{} KiB are left", left / 1024);
}

/// What fragments add to the memory that a flood of first messages takes anyway.
fn assert_fragments_add_nothing(responder: Cookie) {
    let _alone = ONE_AT_A_TIME.lock();
    let (without, _) = flooded(&[(first(exchange::MAIN), 2_000)]);
    let (with, left) = flooded(&[(first(exchange::MAIN), 2_000), (fragment(responder), 2_000)]);
    assert!(with <= without + MIB, "{} KiB instead of {}", with / 1024, without / 1024);
    assert!(left <= LEFT, "{} KiB are left", left / 1024);
}

/// Each of many half-open SAs is sent the first fragment of a long message, which never becomes
/// whole. Its cookies prove nothing: the responder's is zero, as in a first message.
#[test]
fn fragments_without_our_cookie_take_nothing() {
    assert_fragments_add_nothing(Cookie::ZERO);
}

/// The same with an invented cookie.
#[test]
fn fragments_with_an_invented_cookie_take_nothing() {
    assert_fragments_add_nothing(Cookie([7; 8]));
}
