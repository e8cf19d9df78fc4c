//! Floods of first messages with forged addresses: branches and clients that have been here before
//! come in nevertheless. Virtual time, the real engine, round trips of 0 to 300 ms.
//!
//! A peer loses power and restarts without any SA. It has three tries of four seconds while the flood
//! lasts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod aggressive;
mod arrivals;
mod botnet;
mod main_mode;
#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/mod.rs"]
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::policy::Policy;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use support::field::{Field, Flood, HUB_NODE};
use support::*;

/// Round trips, dealt out in turn.
const TRIPS: [u64; 5] = [0, 30, 60, 150, 300];
const TRIES: u32 = 3;
const TRY: Duration = Duration::from_secs(4);
/// How often it is looked whether all are in.
const LOOK: Duration = Duration::from_millis(250);
/// Longer than three tries.
const ATTACK: Duration = Duration::from_secs(15);

/// Message 1 of main mode.
fn first_main() -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer.push(payload::SA, peer::phase1_sa(ike::AUTH_PRESHARED));
    peer::clear(cookies, exchange::MAIN, &writer)
}

/// Message 1 of aggressive mode for the group that there is.
fn first_aggressive() -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer
        .push(payload::SA, peer::phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    peer::clear(cookies, exchange::AGGRESSIVE, &writer)
}

/// A hub that knows its peers.
struct Site {
    field: Field,
    spokes: usize,
    clients: usize,
    reboots: u8,
}

impl Site {
    /// Everybody has a tunnel.
    fn new(spokes: usize, clients: usize) -> Self {
        let peers = (1..=spokes + clients).map(|index| {
            let node = Node::new(&Self::address(spokes, index), Self::policy(spokes, index), 1);
            (node, Duration::from_millis(TRIPS[index % TRIPS.len()]))
        });
        let field = Field::new(Node::new(HUB, hub_policy(), 1), peers.collect());
        let mut site = Self { field, spokes, clients, reboots: 0 };
        let all = site.everybody();
        assert_eq!(site.come_in(&all, 1), Vec::<usize>::new(), "everybody comes in without a flood");
        site
    }

    fn address(spokes: usize, index: usize) -> String {
        if index <= spokes { format!("10.100.2.{index}") } else { format!("10.51.82.{}", index - spokes) }
    }

    fn policy(spokes: usize, index: usize) -> Policy {
        let address = Self::address(spokes, index);
        if index <= spokes {
            spoke_policy(&address, &format!("10.2.{index}.0/24"))
        } else {
            client_policy(&address)
        }
    }

    fn everybody(&self) -> Vec<usize> {
        (1..=self.spokes + self.clients).collect()
    }

    fn is_up(&self, index: usize) -> bool {
        tunnel(&self.field.nodes[index], &self.field.nodes[HUB_NODE])
    }

    /// The peer loses power and restarts without any SA.
    fn reboot(&mut self, index: usize) {
        let mut seed = [self.reboots; 32];
        seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let now = self.field.now;
        let node = &mut self.field.nodes[index];
        node.engine = Engine::new(Arc::new(Self::policy(self.spokes, index)), seed, now);
        node.inbound.clear();
        node.outbound.clear();
        node.assignment = None;
        if index > self.spokes {
            self.field.input(index, Input::Command(Command::Connect { connection: "work".into() }));
        } else {
            let source = ip(&format!("10.2.{index}.10"));
            self.field.input(index, Input::Acquire(acquire(source)));
        }
    }

    /// Each of these gets so many tries; returns those that are not in after the last one.
    fn come_in(&mut self, who: &[usize], tries: u32) -> Vec<usize> {
        let mut out = who.to_vec();
        for _ in 0..tries {
            self.reboots += 1;
            for index in &out {
                self.reboot(*index);
                self.field.run(Duration::from_millis(2));
            }
            for _ in 0..TRY.as_millis() / LOOK.as_millis() {
                self.field.run(LOOK);
                out.retain(|index| !self.is_up(*index));
                if out.is_empty() {
                    return out;
                }
            }
        }
        out
    }

    fn flood(
        &mut self,
        message: Vec<u8>,
        rate: u32,
        time: Duration,
        source: impl Fn(u64) -> Ipv4Addr + 'static,
    ) {
        let from = self.field.now;
        self.field.floods.push(Flood::new(message, rate, from, time, source));
    }

    /// At most one in a hundred of these is not in.
    fn assert_in(&self, who: &str, all: usize, out: &[usize]) {
        println!("{who}: {} of {all} are not in: {out:?}", out.len());
        assert!(out.len() * 100 <= all, "{who}: {} of {all} are not in: {out:?}", out.len());
    }
}

/// A packet of a branch's host that needs a tunnel.
fn acquire(source: std::net::IpAddr) -> hubward_proto::flow::tables::Acquire {
    use hubward_proto::flow::selector::Flow;
    use hubward_proto::names::{InterfaceId, Service};
    let flow =
        Flow { source, destination: ip("10.1.1.10"), protocol: 1, source_port: None, destination_port: None };
    let service = Service::entry("mymap", 10);
    hubward_proto::flow::tables::Acquire { interface: InterfaceId(0), service, acl_line: 0, flow }
}
