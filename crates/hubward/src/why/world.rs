//! Gateways and clients that talk to each other, message by message, and what the hub notes of it:
//! each test gives them configurations that do not fit.

use super::{explain, lifetime};
use crate::base::store::Store;
use crate::client::profile::Profile;
use crate::gateway::aaa;
use crate::gateway::lease::{LeaseStore, Leases};
use crate::translate;
use crate::why::explanation::Explanation;
use crate::why::record::Record;
use hubward_config::Parsed;
use hubward_crypto::secret::Secret;
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice};
use hubward_proto::esp::outbound::{Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::{ChildSa, Direction};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::{Acquire, Tables};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Answer, Command, CredentialField, Effect, Input, Question};
use hubward_proto::names::{InterfaceId, Service, VrfId};
use hubward_proto::path::{Encapsulation, NATT_PORT, Path};
use hubward_proto::policy::{Interface, Policy};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

pub(super) const HUB: &str = include_str!("../../../../examples/hub.cfg");
pub(super) const SPOKE: &str = include_str!("../../../../examples/spoke.cfg");
pub(super) const HUB_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
pub(super) const SPOKE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 102);
pub(super) const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 51, 82, 100);

/// What a client's user types.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) group: &'static str,
    pub(super) group_password: &'static str,
    pub(super) user: &'static str,
    pub(super) password: &'static str,
}

impl Default for Login {
    /// The reference document's client.
    fn default() -> Self {
        Self { group: "testgroup", group_password: "cisco321", user: "gfullage", password: "gfullage" }
    }
}

/// One gateway or client.
pub(super) struct Side {
    address: Ipv4Addr,
    pub(super) parsed: Parsed,
    pub(super) policy: Arc<Policy>,
    pub(super) engine: Engine,
    pub(super) record: Record,
    pub(super) up: usize,
    /// The newest child SA.
    child: Option<Arc<ChildSa>>,
    leases: Leases,
    login: Option<Login>,
}

impl Side {
    pub(super) fn new(text: &str, address: Ipv4Addr, seed: u8) -> Self {
        let parsed = hubward_config::parse(text);
        let outside = parsed.config.interfaces.iter().filter(|interface| interface.crypto_map.is_some());
        let addresses = outside.map(|interface| (InterfaceId(interface.number), address.into())).collect();
        let policy = translate::policy(&parsed.config, &addresses).0;
        Self::with(parsed, policy, address, seed)
    }

    fn with(parsed: Parsed, policy: Policy, address: Ipv4Addr, seed: u8) -> Self {
        let policy = Arc::new(policy);
        let engine = Engine::new(Arc::clone(&policy), [seed; 32], Instant::ORIGIN);
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&parsed.config.pools);
        Self {
            address,
            parsed,
            policy,
            engine,
            record: Record::default(),
            up: 0,
            child: None,
            leases,
            login: None,
        }
    }

    /// Hubward's own client.
    fn client(login: Login, address: Ipv4Addr, seed: u8) -> Self {
        let profile = Profile {
            name: "work".into(),
            group: Some(login.group.into()),
            group_password: Some(Secret::new(login.group_password)),
            ..Profile::default()
        };
        let outside = InterfaceId(0);
        let connection = profile.connection(HUB_ADDRESS.into(), outside).unwrap();
        let interface =
            Interface { id: outside, name: String::new(), address: Some(address.into()), crypto_map: None };
        let policy = Policy {
            interfaces: vec![interface],
            connections: vec![Arc::new(connection)],
            ..Policy::default()
        };
        let mut side = Self::with(hubward_config::parse(""), policy, address, seed);
        side.login = Some(login);
        side
    }

    fn interface(&self) -> InterfaceId {
        let outside = |interface: &&Interface| interface.crypto_map.is_some();
        self.policy.interfaces.iter().find(outside).map_or(InterfaceId(0), |interface| interface.id)
    }

    /// What `why` prints, the newest first.
    pub(super) fn explanations(&self) -> Vec<Explanation> {
        self.record.failures().iter().map(|failure| explain(failure, &self.parsed, &self.policy)).collect()
    }

    /// The first failure that `why` prints, which must have this cause.
    pub(super) fn said(&self, cause: &str) -> Explanation {
        let all = self.explanations();
        assert_eq!(all.first().map(|first| first.cause), Some(cause), "{all:#?}");
        all[0].clone()
    }

    /// What `why` prints about the lifetimes of established SAs.
    pub(super) fn lifetimes(&self) -> Vec<Explanation> {
        let view = self.engine.inspect();
        lifetime::notes(view.isakmp.iter(), view.children.iter(), &self.parsed, &self.policy)
    }

    fn answer(&mut self, question: Question) -> Answer {
        let config = &self.parsed.config;
        match question {
            Question::Authenticate { list, user, password, .. } => {
                aaa::authenticate(config, &list, &user, &password)
            }
            Question::Authorize { list, group } => aaa::authorize(config, list.as_deref(), &group),
            Question::Lease { pool, owner, wanted } => {
                Answer::Lease(self.leases.lease(&pool, &owner, wanted))
            }
            // a user with a typing error does not try again
            Question::Credentials { again: true, .. } => Answer::Credentials(None),
            Question::Credentials { fields, .. } => {
                let login = self.login.clone().unwrap();
                let typed = |field: CredentialField| match field {
                    CredentialField::User => (field, Secret::new(login.user)),
                    _ => (field, Secret::new(login.password)),
                };
                Answer::Credentials(Some(fields.into_iter().map(typed).collect()))
            }
        }
    }
}

/// The way between two gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// Nothing gets through.
    Dead,
    /// What the hub sends is lost.
    NoWayBack,
    /// The spoke is behind a NAT, and UDP 4500 is blocked.
    NatWithout4500,
}

/// The reference hub, the reference spoke, and clients.
pub(super) struct World {
    pub(super) sides: Vec<Side>,
    pub(super) way: Way,
    now: Instant,
    /// What a capture at the hub's outside interface would hold: each message with its sender's
    /// path.
    pub(super) wire: Vec<(Instant, Path, Vec<u8>)>,
}

impl World {
    fn new(hub: &str, spoke: &str, way: Way) -> Self {
        let sides = vec![Side::new(hub, HUB_ADDRESS, 1), Side::new(spoke, SPOKE_ADDRESS, 2)];
        Self { sides, way, now: Instant::ORIGIN, wire: Vec::new() }
    }

    /// A packet of the spoke's LAN waits for the tunnel, and time passes.
    pub(super) fn call(hub: &str, spoke: &str, way: Way) -> Self {
        let mut world = Self::new(hub, spoke, way);
        world.again();
        world
    }

    /// A client connects, and time passes.
    pub(super) fn connect(hub: &str, login: Login) -> Self {
        let mut world = Self::new(hub, SPOKE, Way::Open);
        world.client(login, CLIENT_ADDRESS);
        world
    }

    /// One more client, at another address.
    pub(super) fn client(&mut self, login: Login, address: Ipv4Addr) {
        let seed = u8::try_from(self.sides.len() + 1).unwrap();
        let mut client = Side::client(login, address, seed);
        let connect = Command::Connect { connection: "work".into() };
        client.engine.handle(self.now, Input::Command(connect));
        self.sides.push(client);
        self.run(Duration::from_secs(120));
    }

    pub(super) fn again(&mut self) {
        let spoke = &mut self.sides[1];
        let interface = spoke.interface();
        let flow = Flow {
            source: IpAddr::V4(Ipv4Addr::new(10, 2, 2, 10)),
            destination: IpAddr::V4(Ipv4Addr::new(10, 1, 1, 10)),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let service = Service::entry("mymap", 10);
        spoke.engine.handle(self.now, Input::Acquire(Acquire { interface, service, acl_line: 0, flow }));
        self.run(Duration::from_secs(120));
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while self.step() {}
            let next = self.sides.iter().filter_map(|side| Some(side.engine.poll_timeout()?.0)).min();
            match next.filter(|next| *next <= end) {
                Some(next) => {
                    self.now = self.now.max(next);
                    for side in &mut self.sides {
                        side.engine.handle_timeout(self.now);
                    }
                }
                None => break,
            }
        }
        self.now = end;
    }

    /// Carries one effect out.
    fn step(&mut self) -> bool {
        for from in 0..self.sides.len() {
            let side = &mut self.sides[from];
            let Some(effect) = side.engine.poll() else { continue };
            match effect {
                Effect::Transmit { path, bytes } => self.carry(from, path, &bytes),
                Effect::Event(event) => {
                    side.up += usize::from(matches!(event.kind, EventKind::ChildUp { .. }));
                    side.record.event(self.now - Instant::ORIGIN, &event);
                }
                Effect::Ask { id, question } => {
                    let answer = side.answer(question);
                    side.engine.handle(self.now, Input::Answer { id, answer });
                }
                Effect::Install { child, .. } => side.child = Some(child),
                Effect::Release { address, .. } => {
                    let _free = side.leases.release(address);
                }
                _ => {}
            }
            return true;
        }
        false
    }

    fn carry(&mut self, from: usize, path: Path, bytes: &[u8]) {
        let blocked = self.way == Way::NatWithout4500 && path.local_port == NATT_PORT;
        let lost = self.way == Way::NoWayBack && from == 0;
        let arrives = self.way != Way::Dead && !blocked && !lost;
        // behind a NAT, the spoke's source port differs on the path
        let natted = self.way == Way::NatWithout4500;
        let remote_port = if natted && from == 1 { 1024 } else { path.local_port };
        if from == 0 || arrives {
            self.wire.push((self.now, Path { local_port: remote_port, ..path }, bytes.to_vec()));
        }
        if !arrives {
            return;
        }
        let local_port = if natted && from == 0 { 500 } else { path.remote_port };
        let Some(to) = self.sides.iter_mut().find(|side| path.remote == side.address) else { return };
        let path = Path {
            local: path.remote,
            local_port,
            remote: path.local,
            remote_port,
            interface: to.interface(),
            vrf: VrfId(0),
            encapsulation: if local_port == NATT_PORT { Encapsulation::Udp } else { Encapsulation::Native },
        };
        to.engine.handle(self.now, Input::Datagram { path, bytes });
    }

    /// The spoke sends a packet through the tunnel without holding it against what was agreed on,
    /// and `change` happens to it.
    pub(super) fn packet(&mut self, source: &str, destination: &str, change: impl Fn(&mut Vec<u8>)) {
        let everything = || AddressRange::prefix("0.0.0.0/0".parse().unwrap());
        let mut child = ChildSa::clone(self.sides[1].child.as_ref().unwrap());
        child.selector = Selector::between(everything(), everything());
        let sad = Sad::new();
        sad.install(&Arc::new(child), Direction::Outbound).unwrap();
        let (source, destination): (Ipv4Addr, Ipv4Addr) =
            (source.parse().unwrap(), destination.parse().unwrap());
        let mut packet = ip::header(source, destination, ip::protocol::UDP, 0, 64).to_vec();
        packet.extend([7; 64]);
        let mut outbound = Outbound::new(&sad, [5; 32]);
        let outcome = outbound.push(&Tables::default(), self.now, &packet);
        assert!(matches!(outcome, Outcome::Queued), "{outcome:?}");
        let mut sealed = Vec::new();
        outbound.seal(|batch| sealed.extend(batch.iter().flat_map(Sealed::packets).map(<[u8]>::to_vec)));
        change(&mut sealed[0]);

        let hub = &mut self.sides[0];
        let child = hub.child.as_ref().unwrap();
        let sad = Sad::new();
        sad.install(child, Direction::Inbound).unwrap();
        let (remote, local) = (child.path.remote, Some(child.path.local));
        let (remote_port, encapsulation) = (500, Encapsulation::Native);
        let arrived = sealed.iter_mut().map(|bytes| Arrived {
            bytes,
            remote,
            local,
            remote_port,
            encapsulation,
            tos: 0,
        });
        let mut inbound = Inbound::new(&sad);
        inbound.process(self.now, arrived, |_, _| {});
        for notice in inbound.notices() {
            if let Notice::Refused(_, refused) = notice {
                hub.record.packet(self.now - Instant::ORIGIN, child.path, child, refused);
            }
        }
    }

    /// What the hub says first, which must be this cause.
    pub(super) fn hub(&self, cause: &str) -> Explanation {
        self.sides[0].said(cause)
    }
}

/// The number of a line of a configuration.
pub(super) fn line(text: &str, start: &str) -> u32 {
    let place = text.lines().position(|line| line.trim().starts_with(start));
    u32::try_from(place.unwrap_or_else(|| panic!("{start} is not there")) + 1).unwrap()
}

/// A configuration with something else in it.
pub(super) fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not there");
    text.replace(from, to)
}

/// What does not fit: its name, theirs, ours.
pub(super) fn differing(said: &Explanation) -> Vec<(&str, &str, &str)> {
    let sides = said.sides.iter().filter(|side| side.differs);
    sides.map(|side| (side.what.as_str(), side.theirs.as_str(), side.ours.as_str())).collect()
}
