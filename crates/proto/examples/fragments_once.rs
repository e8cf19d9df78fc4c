//! A half-open peer sends messages in 32 fragments each, as many as a message may have, in some
//! order: `tests/fragment_orders.rs` counts the instructions.
//!
//! `fragments_once ORDER`: `none`, `forward`, `backward`, `last-first`, `outside-in`, `odd-even`,
//! `repeated` (each fragment twice).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/support/peer.rs"]
mod peer;
#[path = "../tests/support/mod.rs"]
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::limits;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use peer::{Bench, clear, path, phase1_sa};
use std::sync::Arc;
use support::{HUB, hub_policy, ip};

/// Messages.
const MESSAGES: u8 = 4;

fn order(name: &str) -> Vec<u8> {
    let all = u8::try_from(limits::FRAGMENTS).unwrap();
    let forward = 1..=all;
    match name {
        "none" => Vec::new(),
        "forward" => forward.collect(),
        "backward" => forward.rev().collect(),
        "last-first" => std::iter::once(all).chain(1..all).collect(),
        "outside-in" => (1..=all / 2).flat_map(|index| [index, all + 1 - index]).collect(),
        "odd-even" => forward.clone().step_by(2).chain(forward.skip(1).step_by(2)).collect(),
        "repeated" => forward.flat_map(|index| [index, index]).collect(),
        other => panic!("no such order: {other}"),
    }
}

fn main() {
    let order = order(&std::env::args().nth(1).expect("an order"));
    let last = u8::try_from(limits::FRAGMENTS).unwrap();
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let from = path(ip(HUB), ip("10.100.2.102"), 500);
    let cookies = Cookies { initiator: Cookie([7; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    let second = bench.datagram(from, &clear(cookies, exchange::MAIN, &writer));
    let (header, _) = Header::parse(&second[0]).unwrap();
    let cookies = Cookies { responder: header.responder, ..cookies };
    for message in 1..=MESSAGES {
        for index in &order {
            let flags = u8::from(*index == last);
            let mut writer = Writer::new();
            writer.push(payload::FRAGMENT, [&[0, message, *index, flags][..], &[0xee; 400]].concat());
            bench.datagram(from, &clear(cookies, exchange::MAIN, &writer));
        }
    }
    println!("{} refusals", bench.refusals.len());
}
