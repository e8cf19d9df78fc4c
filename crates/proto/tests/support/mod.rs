//! Engines that talk over a simulated network: a virtual clock, links with loss, reordering and
//! duplication, NATs.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod field;
pub mod traffic;

use hubward_crypto::random::Random;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::esp::sa::{ChildSa, Direction};
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::{Event, EventKind};
use hubward_proto::ike::io::{
    Answer, AskId, Assignment, CredentialField, Effect, Input, LeaseError, LeaseOwner, Question,
};
use hubward_proto::names::{ChildId, InterfaceId, Service, VrfId};
use hubward_proto::path::{Encapsulation, Mode, Path};
use hubward_proto::policy::*;
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub const HUB: &str = "10.48.67.181";

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn net(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

pub fn isakmp_policy() -> IsakmpPolicy {
    IsakmpPolicy {
        priority: 10,
        cipher: IkeCipher::TripleDes,
        hash: HashAlg::Sha1,
        authentication: Authentication::PreShared,
        group: DhGroup::Modp1024,
        lifetime: Duration::from_secs(86400),
        line: 1,
    }
}

pub fn terms() -> EntryTerms {
    EntryTerms {
        transform_sets: vec![TransformSet {
            name: "myset".into(),
            suite: EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap(),
            mode: Mode::Tunnel,
            line: 1,
        }],
        lifetime: Duration::from_secs(3600),
        kilobytes: Some(4_608_000),
        replay_window: 64,
        ..EntryTerms::default()
    }
}

fn interface(address: &str) -> Interface {
    Interface {
        id: InterfaceId(0),
        name: "FastEthernet0/0".into(),
        address: Some(ip(address)),
        crypto_map: Some("mymap".into()),
    }
}

/// The reference document's hub.
pub fn hub_policy() -> Policy {
    let key = PresharedKey {
        peer: KeyPeer::Address(net("0.0.0.0/0")),
        secret: Secret::new(*b"cisco123"),
        no_xauth: false,
        line: 1,
    };
    let entry = |sequence, profile: &str| DynamicEntry {
        sequence,
        terms: EntryTerms { profile: Some(profile.into()), ..terms() },
        line: 1,
    };
    Policy {
        global: Global { application_version: "Hubward".into(), ..Global::default() },
        proposals: vec![isakmp_policy()],
        keyrings: vec![Keyring { name: "spokes".into(), local_address: None, keys: vec![key] }],
        profiles: vec![
            IsakmpProfile {
                name: "L2L".into(),
                matches: vec![IdentityMatch::Address(net("0.0.0.0/0"))],
                keyrings: vec!["spokes".into()],
                ..IsakmpProfile::default()
            },
            IsakmpProfile {
                name: "VPNclient".into(),
                matches: vec![IdentityMatch::Group("testgroup".into())],
                xauth_list: Some("clientauth".into()),
                authorization_list: Some("groupauthor".into()),
                respond: true,
                ..IsakmpProfile::default()
            },
        ],
        maps: vec![Arc::new(CryptoMap {
            name: "mymap".into(),
            entries: vec![MapEntry {
                sequence: 10,
                kind: MapEntryKind::Dynamic {
                    name: "dynmap".into(),
                    entries: vec![entry(5, "VPNclient"), entry(10, "L2L")],
                },
                line: 1,
            }],
            xauth_list: None,
            authorization_list: None,
            respond: false,
            initiate: false,
        })],
        interfaces: vec![interface(HUB)],
        connections: vec![],
        reserved: vec![],
    }
}

pub fn test_group() -> Arc<ClientGroup> {
    Arc::new(ClientGroup {
        name: "testgroup".into(),
        key: Secret::new(*b"cisco321"),
        pool: Some("ippool".into()),
        netmask: None,
        dns: vec![Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(2, 2, 2, 2)],
        wins: vec![Ipv4Addr::new(3, 3, 3, 3), Ipv4Addr::new(4, 4, 4, 4)],
        domain: Some("cisco.com".into()),
        split_dns: vec![],
        split_include: vec![],
        save_password: false,
        pfs: false,
        banner: None,
        backup_gateways: vec![],
    })
}

/// A spoke at `address` with a network of its own.
pub fn spoke_policy(address: &str, lan: &str) -> Policy {
    let acl = CryptoAcl {
        name: "100".into(),
        lines: vec![CryptoAclLine {
            permit: true,
            selector: Selector::between(net(lan), net("10.1.0.0/16")),
            line: 1,
        }],
    };
    let key = PresharedKey {
        peer: KeyPeer::Address(AddressRange::host(ip(HUB))),
        secret: Secret::new(*b"cisco123"),
        no_xauth: false,
        line: 1,
    };
    Policy {
        global: Global::default(),
        proposals: vec![isakmp_policy()],
        keyrings: vec![Keyring { name: "default".into(), local_address: None, keys: vec![key] }],
        profiles: vec![],
        maps: vec![Arc::new(CryptoMap {
            name: "mymap".into(),
            entries: vec![MapEntry {
                sequence: 10,
                kind: MapEntryKind::Static {
                    peers: vec![ip(HUB)],
                    terms: EntryTerms { acl: Some(Arc::new(acl)), ..terms() },
                },
                line: 1,
            }],
            xauth_list: None,
            authorization_list: None,
            respond: false,
            initiate: false,
        })],
        interfaces: vec![interface(address)],
        connections: vec![],
        reserved: vec![],
    }
}

/// A VPN client at `address`.
pub fn client_policy(address: &str) -> Policy {
    let connection = Connection {
        name: "work".into(),
        gateway: ip(HUB),
        interface: InterfaceId(0),
        mode: Phase1Mode::Aggressive,
        identity: SelfIdentity::KeyId("testgroup".into()),
        gateway_identity: None,
        key: Secret::new(*b"cisco321"),
        proposals: vec![isakmp_policy()],
        terms: terms(),
        networks: vec![],
        nat_traversal: true,
        keepalive: None,
    };
    Policy {
        proposals: vec![isakmp_policy()],
        interfaces: vec![Interface { crypto_map: None, ..interface(address) }],
        connections: vec![Arc::new(connection)],
        reserved: vec![],
        ..Policy::default()
    }
}

/// One engine with its surroundings in the program.
pub struct Node {
    pub engine: Engine,
    pub address: IpAddr,
    /// The NAT in front, by its outer address.
    pub nat: Option<IpAddr>,
    /// Xauth users of a hub, and the client's own credentials.
    pub users: Vec<(String, String)>,
    pub pool: Vec<IpAddr>,
    pub leases: BTreeMap<LeaseOwner, IpAddr>,
    pub inbound: BTreeMap<ChildId, Arc<ChildSa>>,
    pub outbound: BTreeMap<ChildId, Arc<ChildSa>>,
    pub assignment: Option<Assignment>,
    pub events: Vec<Event>,
    pub passwords_asked: u32,
    /// The client's user types the same password whenever asked.
    pub insists: bool,
    /// Owners whose leases were released as often as they were granted.
    pub released: Vec<LeaseOwner>,
    /// How often each owner's lease is granted.
    pub holds: BTreeMap<LeaseOwner, u32>,
    /// Which questions are not answered at once.
    pub slow: fn(&Question) -> bool,
    /// Those that are not answered yet.
    pub unanswered: Vec<(AskId, Question)>,
    pub keepalives: u32,
}

impl Node {
    pub fn new(address: &str, policy: Policy, seed: u8) -> Self {
        Self {
            engine: Engine::new(Arc::new(policy), [seed; 32], Instant::ORIGIN),
            address: ip(address),
            nat: None,
            users: vec![("gfullage".into(), "gfullage".into())],
            pool: (1..=254).map(|last| Ipv4Addr::new(10, 5, 5, last).into()).collect(),
            leases: BTreeMap::new(),
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            assignment: None,
            events: vec![],
            passwords_asked: 0,
            insists: false,
            released: vec![],
            holds: BTreeMap::new(),
            slow: |_| false,
            unanswered: vec![],
            keepalives: 0,
        }
    }

    pub fn refusals(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Refused(refusal) => Some(refusal.to_string()),
                _ => None,
            })
            .collect()
    }

    /// Carries out an effect, as the program does; returns what is to be sent.
    pub fn carry_out(&mut self, now: Instant, effect: Effect) -> Option<(Path, Vec<u8>)> {
        match effect {
            Effect::Transmit { path, bytes } => return Some((path, bytes)),
            Effect::NatKeepalive { .. } => self.keepalives += 1,
            Effect::Install { child, direction: Direction::Inbound } => {
                self.inbound.insert(child.id, child);
            }
            Effect::Install { child, direction: Direction::Outbound } => {
                self.outbound.insert(child.id, child);
            }
            Effect::Repath { .. } => {}
            Effect::Remove { child } => {
                self.inbound.remove(&child);
                self.outbound.remove(&child);
            }
            Effect::Ask { id, question } if (self.slow)(&question) => {
                self.unanswered.push((id, question));
            }
            Effect::Ask { id, question } => {
                let answer = self.reply(question);
                self.engine.handle(now, Input::Answer { id, answer });
            }
            Effect::Release { owner, .. } => {
                let holds = self.holds.get_mut(&owner).expect("a lease that was granted");
                *holds = holds.checked_sub(1).expect("a lease that was not released before");
                if *holds == 0 {
                    self.released.push(owner);
                }
            }
            Effect::Assign(assignment) => self.assignment = Some(*assignment),
            Effect::Unassign { .. } => self.assignment = None,
            Effect::Event(event) => self.events.push(event),
        }
        None
    }

    fn reply(&mut self, question: Question) -> Answer {
        match question {
            Question::Authenticate { user, password, .. } => {
                let fits =
                    self.users.iter().any(|(name, pass)| *name == user && password.matches(pass.as_bytes()));
                if fits { Answer::Accepted { user } } else { Answer::Rejected { reason: "no".into() } }
            }
            Question::Authorize { list, group } => {
                Answer::Group((list.is_some() && group == "testgroup").then(test_group))
            }
            Question::Lease { owner, wanted, .. } => {
                *self.holds.entry(owner.clone()).or_default() += 1;
                if let Some(address) = self.leases.get(&owner) {
                    return Answer::Lease(Ok(*address));
                }
                let used: BTreeSet<_> = self.leases.values().copied().collect();
                let free = wanted.into_iter().chain(self.pool.iter().copied()).find(|a| !used.contains(a));
                match free {
                    Some(address) => {
                        self.leases.insert(owner, address);
                        Answer::Lease(Ok(address))
                    }
                    None => Answer::Lease(Err(LeaseError::Exhausted)),
                }
            }
            // like the program, it knows one password and cannot ask for another
            Question::Credentials { again: true, .. } if !self.insists => Answer::Credentials(None),
            Question::Credentials { fields, .. } => {
                self.passwords_asked += 1;
                let (user, password) = self.users[0].clone();
                let value = |field: &CredentialField| match field {
                    CredentialField::User => user.clone(),
                    _ => password.clone(),
                };
                let answers = fields.iter().map(|field| (*field, Secret::new(value(field).into_bytes())));
                Answer::Credentials(Some(answers.collect()))
            }
        }
    }
}

/// A datagram in flight.
#[derive(Clone, Debug)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// What the network does to datagrams, in parts per 1000.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub loss: u32,
    pub duplicate: u32,
    pub jitter: Duration,
}

/// Decides whether a datagram is delivered.
pub type Filter = Box<dyn FnMut(&Datagram) -> bool>;

/// Engines and the network between them.
pub struct World {
    pub now: Instant,
    pub nodes: Vec<Node>,
    pub link: Link,
    random: Random,
    wire: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    /// NAT mappings: (NAT, inner) to outer port.
    mappings: BTreeMap<(IpAddr, SocketAddr), u16>,
    /// Everything that was sent, for assertions and traces.
    pub trace: Vec<(Instant, Datagram)>,
    /// Called for each datagram: false drops it.
    pub filter: Option<Filter>,
}

impl World {
    pub fn new(nodes: Vec<Node>) -> Self {
        Self {
            now: Instant::ORIGIN + Duration::from_secs(1),
            nodes,
            link: Link::default(),
            random: Random::new([99; 32]),
            wire: BTreeMap::new(),
            sent: 0,
            mappings: BTreeMap::new(),
            trace: vec![],
            filter: None,
        }
    }

    /// The same network, whose loss and jitter are others.
    pub fn with_seed(self, seed: u32) -> Self {
        let mut own = [98; 32];
        own[..4].copy_from_slice(&seed.to_be_bytes());
        Self { random: Random::new(own), ..self }
    }

    /// Lets a node's interesting traffic ask for a tunnel.
    pub fn acquire(&mut self, node: usize) {
        self.acquire_from(node, ip("10.2.2.10"));
    }

    /// The same for traffic of one host.
    pub fn acquire_from(&mut self, node: usize, source: IpAddr) {
        let flow = Flow {
            source,
            destination: ip("10.1.1.10"),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let service = Service::entry("mymap", 10);
        let acquire = Acquire { interface: InterfaceId(0), service, acl_line: 0, flow };
        self.input(node, Input::Acquire(acquire));
    }

    /// Answers the first question that was not answered at once.
    pub fn answer(&mut self, node: usize) {
        let (id, question) = self.nodes[node].unanswered.remove(0);
        let answer = self.nodes[node].reply(question);
        self.input(node, Input::Answer { id, answer });
    }

    pub fn input(&mut self, node: usize, input: Input<'_>) {
        self.nodes[node].engine.handle(self.now, input);
        self.drain(node);
    }

    /// Carries out what a node's engine wants.
    pub fn drain(&mut self, index: usize) {
        while let Some(effect) = self.nodes[index].engine.poll() {
            if let Some((path, bytes)) = self.nodes[index].carry_out(self.now, effect) {
                let from = SocketAddr::new(path.local, path.local_port);
                let to = SocketAddr::new(path.remote, path.remote_port);
                self.send(index, Datagram { from, to, bytes });
            }
        }
    }

    fn send(&mut self, index: usize, mut datagram: Datagram) {
        if let Some(nat) = self.nodes[index].nat {
            let next = 20_000 + u16::try_from(self.mappings.len()).unwrap();
            let port = *self.mappings.entry((nat, datagram.from)).or_insert(next);
            datagram.from = SocketAddr::new(nat, port);
        }
        self.trace.push((self.now, datagram.clone()));
        if let Some(filter) = &mut self.filter
            && !filter(&datagram)
        {
            return;
        }
        let copies = if self.random.u32() % 1000 < self.link.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            if self.random.u32() % 1000 < self.link.loss {
                continue;
            }
            let jitter = self.link.jitter.mul_f64(f64::from(self.random.u32() % 1000) / 1000.0);
            self.sent += 1;
            let at = self.now + Duration::from_millis(10) + jitter;
            self.wire.insert((at, self.sent), datagram.clone());
        }
    }

    /// The NAT forgets its mappings, as after a restart.
    pub fn forget_mappings(&mut self, nat: IpAddr) {
        let shift = |port: &mut u16| *port += 5_000;
        self.mappings.iter_mut().filter(|((known, _), _)| *known == nat).for_each(|(_, port)| shift(port));
    }

    /// The NAT exchanges two of its ports, as after a restart.
    pub fn swap_mappings(&mut self, nat: IpAddr, one: u16, two: u16) {
        for ((known, _), port) in &mut self.mappings {
            if *known == nat && [one, two].contains(port) {
                *port = if *port == one { two } else { one };
            }
        }
    }

    /// Puts an attacker's datagram on the wire.
    pub fn inject(&mut self, datagram: Datagram) {
        self.sent += 1;
        self.wire.insert((self.now, self.sent), datagram);
    }

    fn deliver(&mut self, mut datagram: Datagram) {
        let mapping = self
            .mappings
            .iter()
            .find(|((nat, _), port)| *nat == datagram.to.ip() && **port == datagram.to.port())
            .map(|((_, inner), _)| *inner);
        if let Some(inner) = mapping {
            datagram.to = inner;
        }
        let Some(index) = self.nodes.iter().position(|node| node.address == datagram.to.ip()) else { return };
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
        self.input(index, Input::Datagram { path, bytes: &datagram.bytes });
    }

    /// Runs the world for a time.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let datagram = self.wire.first_key_value().map(|((at, _), _)| *at);
            let timer =
                self.nodes.iter().filter_map(|node| node.engine.poll_timeout()).map(|(at, _)| at).min();
            let Some(next) = [datagram, timer].into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if let Some(entry) = self.wire.first_entry()
                && entry.key().0 <= self.now
            {
                let datagram = entry.remove();
                self.deliver(datagram);
                continue;
            }
            for index in 0..self.nodes.len() {
                if self.nodes[index].engine.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                    self.nodes[index].engine.handle_timeout(self.now);
                    self.drain(index);
                }
            }
        }
        self.now = end;
    }
}

/// Whether the newest child SAs of two nodes have the same keys in opposite directions.
pub fn tunnel(a: &Node, b: &Node) -> bool {
    a.outbound.values().any(|ours| {
        b.inbound.values().any(|theirs| {
            ours.outbound.spi == theirs.inbound.spi
                && ours.outbound.keymat.matches(theirs.inbound.keymat.expose())
                && ours.inbound.keymat.matches(theirs.outbound.keymat.expose())
                && b.outbound.contains_key(&theirs.id)
        })
    })
}
