//! A hub, hundreds of peers with their round trips, and a flood of forged first messages, in virtual
//! time.
//!
//! The other simulated network visits every node for each datagram; this one keeps their timers in
//! order, and gives the hub the flood without a detour over the wire.

use super::{Datagram, HUB, Node, ip};
use hubward_proto::ike::io::Input;
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The hub's index.
pub const HUB_NODE: usize = 0;

/// Forged first messages at a steady rate; each has a cookie of its own.
pub struct Flood {
    message: Vec<u8>,
    every: Duration,
    next: Instant,
    end: Instant,
    number: u64,
    source: Box<dyn Fn(u64) -> Ipv4Addr>,
}

impl Flood {
    /// `rate` a second, for a time.
    pub fn new(
        message: Vec<u8>,
        rate: u32,
        from: Instant,
        time: Duration,
        source: impl Fn(u64) -> Ipv4Addr + 'static,
    ) -> Self {
        let every = Duration::from_secs(1) / rate;
        Self { message, every, next: from, end: from + time, number: 0, source: Box::new(source) }
    }

    fn at(&self) -> Option<Instant> {
        (self.next < self.end).then_some(self.next)
    }

    /// The next message, and where it pretends to come from.
    fn take(&mut self) -> (IpAddr, &[u8]) {
        self.number += 1;
        self.next += self.every;
        // spread, so that the order of cookies is not that of their arrival
        let cookie = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.message[..8].copy_from_slice(&cookie.to_be_bytes());
        ((self.source)(self.number).into(), &self.message)
    }
}

/// One of 100,000 addresses.
pub fn forged(number: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x2c00_0000 + u32::try_from(number.wrapping_mul(7919) % 100_000).unwrap())
}

/// The hub is node 0.
pub struct Field {
    pub now: Instant,
    pub nodes: Vec<Node>,
    trips: Vec<Duration>,
    of_address: BTreeMap<IpAddr, usize>,
    wire: BTreeMap<(Instant, u64), (usize, Datagram)>,
    sent: u64,
    timers: BTreeSet<(Instant, usize)>,
    armed: Vec<Option<Instant>>,
    pub floods: Vec<Flood>,
    /// Bytes that the hub sent to addresses that nobody here has.
    pub reflected: u64,
}

impl Field {
    /// A hub, and peers with their round trips.
    pub fn new(hub: Node, peers: Vec<(Node, Duration)>) -> Self {
        let (mut nodes, mut trips) = (vec![hub], vec![Duration::ZERO]);
        for (node, trip) in peers {
            nodes.push(node);
            trips.push(trip);
        }
        let of_address = nodes.iter().enumerate().map(|(index, node)| (node.address, index)).collect();
        let armed = vec![None; nodes.len()];
        Self {
            now: Instant::ORIGIN + Duration::from_secs(1),
            nodes,
            trips,
            of_address,
            wire: BTreeMap::new(),
            sent: 0,
            timers: BTreeSet::new(),
            armed,
            floods: Vec::new(),
            reflected: 0,
        }
    }

    pub fn input(&mut self, index: usize, input: Input<'_>) {
        let now = self.now;
        self.nodes[index].engine.handle(now, input);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        while let Some(effect) = self.nodes[index].engine.poll() {
            let now = self.now;
            if let Some((path, bytes)) = self.nodes[index].carry_out(now, effect) {
                self.send(index, path, bytes);
            }
        }
        let at = self.nodes[index].engine.poll_timeout().map(|(at, _)| at);
        let old = std::mem::replace(&mut self.armed[index], at);
        if old != at {
            old.map(|old| self.timers.remove(&(old, index)));
            at.map(|at| self.timers.insert((at, index)));
        }
    }

    fn send(&mut self, from: usize, path: Path, bytes: Vec<u8>) {
        let Some(to) = self.of_address.get(&path.remote).copied() else {
            self.reflected += bytes.len() as u64;
            return;
        };
        let datagram = Datagram {
            from: SocketAddr::new(path.local, path.local_port),
            to: SocketAddr::new(path.remote, path.remote_port),
            bytes,
        };
        self.sent += 1;
        let at = self.now + (self.trips[from] + self.trips[to]) / 2;
        self.wire.insert((at, self.sent), (to, datagram));
    }

    fn deliver(&mut self, to: usize, datagram: &Datagram) {
        let path = Path {
            local: datagram.to.ip(),
            local_port: datagram.to.port(),
            remote: datagram.from.ip(),
            remote_port: datagram.from.port(),
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: if datagram.to.port() == 4500 {
                Encapsulation::Udp
            } else {
                Encapsulation::Native
            },
        };
        self.input(to, Input::Datagram { path, bytes: &datagram.bytes });
    }

    fn flood(&mut self, which: usize) {
        let now = self.now;
        let (source, bytes) = self.floods[which].take();
        let path = Path {
            local: ip(HUB),
            local_port: 500,
            remote: source,
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        self.nodes[HUB_NODE].engine.handle(now, Input::Datagram { path, bytes });
        self.drain(HUB_NODE);
        // a line for each refused message would be most of the memory
        self.nodes[HUB_NODE].events.clear();
    }

    /// Runs for a time.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
            let timer = self.timers.first().map(|(at, _)| *at);
            let flood =
                (0..self.floods.len()).filter_map(|index| Some((self.floods[index].at()?, index))).min();
            let next = [wire, timer, flood.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            if wire == Some(next) {
                if let Some((_, (to, datagram))) = self.wire.pop_first() {
                    self.deliver(to, &datagram);
                }
            } else if timer == Some(next) {
                if let Some((_, index)) = self.timers.first().copied() {
                    let now = self.now;
                    self.nodes[index].engine.handle_timeout(now);
                    self.drain(index);
                }
            } else if let Some((_, which)) = flood {
                self.flood(which);
            }
        }
        self.now = end;
    }
}
