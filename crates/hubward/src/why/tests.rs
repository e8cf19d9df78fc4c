//! Each cause is produced by two gateways whose configurations do not fit, message by message; what the hub says of it must name
//! the first difference and the lines of its own configuration.

use super::{Cause, Explanation, FAILURES, Record, explain};
use crate::{aaa, translate};
use hubward_config::Parsed;
use hubward_proto::esp::inbound::Refused;
use hubward_proto::esp::sa::EntryRef;
use hubward_proto::flow::selector::Flow;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Acquire, Answer, Effect, Input, LeaseError, Question};
use hubward_proto::ike::path::{Encapsulation, InterfaceId, NATT_PORT, Path, VrfId};
use hubward_proto::ike::policy::Policy;
use hubward_proto::time::Instant;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const HUB: &str = include_str!("../../../../examples/hub.cfg");
const SPOKE: &str = include_str!("../../../../examples/spoke.cfg");
const HUB_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
const SPOKE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 102);

/// One gateway.
struct Side {
    parsed: Parsed,
    policy: Arc<Policy>,
    engine: Engine,
    record: Record,
    up: usize,
}

impl Side {
    fn new(text: &str, address: Ipv4Addr, seed: u8) -> Self {
        let parsed = hubward_config::parse(text);
        let outside =
            |interface: &hubward_config::model::Interface| interface.crypto_map.is_some().then_some(address);
        let addresses: Vec<_> = parsed.config.interfaces.iter().map(outside).collect();
        let policy = Arc::new(translate::policy(&parsed.config, &addresses).0);
        let engine = Engine::new(Arc::clone(&policy), [seed; 32], Instant::ORIGIN);
        Self { parsed, policy, engine, record: Record::default(), up: 0 }
    }

    fn interface(&self) -> InterfaceId {
        let found = self.policy.interfaces.iter().find(|interface| interface.crypto_map.is_some());
        found.unwrap().id
    }

    fn explanations(&self) -> Vec<Explanation> {
        self.record.failures().iter().map(|failure| explain(failure, &self.parsed, &self.policy)).collect()
    }
}

/// The way between two gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Nothing gets through.
    Dead,
    /// The spoke is behind a NAT, and UDP 4500 is blocked.
    NatWithout4500,
}

/// The reference hub and spoke.
struct World {
    sides: [Side; 2],
    way: Way,
    now: Instant,
}

impl World {
    fn new(hub: &str, spoke: &str, way: Way) -> Self {
        Self {
            sides: [Side::new(hub, HUB_ADDRESS, 1), Side::new(spoke, SPOKE_ADDRESS, 2)],
            way,
            now: Instant::ORIGIN,
        }
    }

    /// A packet of the spoke's LAN waits for the tunnel, and time passes.
    fn call(hub: &str, spoke: &str, way: Way) -> Self {
        let mut world = Self::new(hub, spoke, way);
        world.again();
        world
    }

    fn again(&mut self) {
        let spoke = &mut self.sides[1];
        let interface = spoke.interface();
        let acl = Ipv4Addr::new(10, 2, 2, 10);
        let flow = Flow {
            source: IpAddr::V4(acl),
            destination: IpAddr::V4(Ipv4Addr::new(10, 1, 1, 10)),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let entry = EntryRef { map: "mymap".into(), sequence: 10, dynamic: None };
        spoke.engine.handle(self.now, Input::Acquire(Acquire { interface, entry, acl_line: 0, flow }));
        self.run(Duration::from_secs(120));
    }

    fn run(&mut self, time: Duration) {
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
        for from in 0..2 {
            let Some(effect) = self.sides[from].engine.poll() else { continue };
            match effect {
                Effect::Transmit { path, bytes } => self.carry(from, path, &bytes),
                Effect::Event(event) => {
                    let side = &mut self.sides[from];
                    side.up += usize::from(matches!(
                        event.kind,
                        hubward_proto::ike::event::EventKind::ChildUp { .. }
                    ));
                    side.record.event(Duration::from_secs(1), &event);
                }
                Effect::Ask { id, question } => {
                    let side = &mut self.sides[from];
                    let config = &side.parsed.config;
                    let answer = match question {
                        Question::Authenticate { list, user, password, .. } => {
                            aaa::authenticate(config, &list, &user, &password)
                        }
                        Question::Authorize { list, group } => aaa::authorize(config, &list, &group),
                        Question::Lease { .. } => Answer::Lease(Err(LeaseError::Exhausted)),
                        Question::Credentials { .. } => Answer::Credentials(None),
                    };
                    side.engine.handle(self.now, Input::Answer { id, answer });
                }
                _ => {}
            }
            return true;
        }
        false
    }

    fn carry(&mut self, from: usize, path: Path, bytes: &[u8]) {
        let to = 1 - from;
        let blocked = self.way == Way::NatWithout4500 && path.local_port == NATT_PORT;
        if self.way == Way::Dead || blocked {
            return;
        }
        // behind a NAT, the spoke's source port is another on the way
        let natted = self.way == Way::NatWithout4500;
        let remote_port = if natted && from == 1 { 1024 } else { path.local_port };
        let local_port = if natted && from == 0 { 500 } else { path.remote_port };
        let interface = self.sides[to].interface();
        let path = Path {
            local: path.remote,
            local_port,
            remote: path.local,
            remote_port,
            interface,
            vrf: VrfId(0),
            encapsulation: if local_port == NATT_PORT { Encapsulation::Udp } else { Encapsulation::Native },
        };
        self.sides[to].engine.handle(self.now, Input::Datagram { path, bytes });
    }

    /// What the hub says first of a cause.
    fn hub(&self, cause: &str) -> Explanation {
        Self::said(&self.sides[0], cause)
    }

    fn said(side: &Side, cause: &str) -> Explanation {
        let all = side.explanations();
        let found = all.iter().find(|one| one.cause == cause);
        found.unwrap_or_else(|| panic!("{cause} is not among {all:#?}")).clone()
    }
}

/// The number of a line of the hub's configuration.
fn line(text: &str, start: &str) -> u32 {
    let place = text.lines().position(|line| line.trim().starts_with(start));
    u32::try_from(place.unwrap_or_else(|| panic!("{start} is not there")) + 1).unwrap()
}

fn differing(said: &Explanation) -> Vec<(&str, &str, &str)> {
    let sides = said.sides.iter().filter(|side| side.differs);
    sides.map(|side| (side.what.as_str(), side.theirs.as_str(), side.ours.as_str())).collect()
}

#[test]
fn a_tunnel_that_comes_up_explains_nothing() {
    let world = World::call(HUB, SPOKE, Way::Open);
    assert_eq!(world.sides.each_ref().map(|side| (side.up, side.explanations())), [(1, vec![]), (1, vec![])]);
}

#[test]
fn no_common_phase_1_proposal() {
    for (ours, theirs, what, their_word, our_word) in [
        ("", "encr aes 256", "encryption", "aes 256", "3des"),
        ("", "encr 3des\n  hash md5", "hash", "md5", "sha"),
        ("", "encr 3des\n  group 14", "group", "14", "2"),
    ] {
        let spoke = SPOKE.replace("  group 2\n", "").replace("encr 3des", theirs);
        let spoke = if theirs.contains("group") {
            spoke
        } else {
            spoke.replace(theirs, &format!("{theirs}\n  group 2"))
        };
        let hub = format!("{HUB}{ours}");
        let said = World::call(&hub, &spoke, Way::Open).hub("phase1-proposal");
        let sentence = format!("they offer {their_word}, we want {our_word}.");
        assert!(
            said.verdict.starts_with("No common phase 1 proposal with 10.100.2.102:"),
            "{}",
            said.verdict
        );
        assert!(said.verdict.ends_with(&sentence), "{}", said.verdict);
        assert_eq!(differing(&said), [(what, their_word, our_word)]);
        assert_eq!(said.lines, [line(HUB, "crypto isakmp policy 10")]);
    }
}

#[test]
fn wrong_preshared_key() {
    let spoke = SPOKE.replace("cisco123", "cisco124");
    let said = World::call(HUB, &spoke, Way::Open).hub("wrong-preshared-key");
    assert!(
        said.verdict.contains("does not decrypt with the key that is configured here"),
        "{}",
        said.verdict
    );
    assert!(said.verdict.contains("(keyring spokes)"), "{}", said.verdict);
    assert_eq!(said.lines, [line(HUB, "pre-shared-key address")]);
    let told = format!("{said:?}");
    assert!(!told.contains("cisco12"), "{told}");
}

#[test]
fn no_preshared_key() {
    let hub = HUB
        .replace("pre-shared-key address 0.0.0.0 0.0.0.0", "pre-shared-key address 192.0.2.0 255.255.255.0");
    let said = World::call(&hub, SPOKE, Way::Open).hub("no-preshared-key");
    assert!(said.verdict.contains("no keyring line matches its address"), "{}", said.verdict);
    assert_eq!(said.lines, [line(HUB, "pre-shared-key address")]);
}

#[test]
fn no_profile_matches() {
    let hub = HUB.replace("match identity address 0.0.0.0", "match identity address 192.0.2.0 255.255.255.0");
    let said = World::call(&hub, SPOKE, Way::Open).hub("no-profile");
    assert!(said.verdict.contains("its identity 10.100.2.102 matches no ISAKMP profile"), "{}", said.verdict);
    let [(what, theirs, ours)] = differing(&said)[..] else { panic!("{said:?}") };
    assert_eq!((what, theirs), ("identity", "10.100.2.102"));
    assert!(ours.contains("L2L (address 192.0.2.0/24)"), "{ours}");
    assert!(said.lines.contains(&line(HUB, "crypto isakmp profile L2L")), "{:?}", said.lines);
}

#[test]
fn a_profile_that_no_entry_serves() {
    let hub = HUB.replace("set isakmp-profile L2L", "set isakmp-profile VPNclient");
    let said = World::call(&hub, SPOKE, Way::Open).hub("profile-without-entry");
    assert_eq!(
        said.verdict,
        "10.100.2.102 matches profile L2L, but no crypto map entry serves that profile."
    );
    assert_eq!(differing(&said)[0].1, "L2L");
    assert!(said.lines.contains(&line(HUB, "crypto isakmp profile L2L")), "{:?}", said.lines);
    assert!(said.lines.contains(&line(HUB, "crypto dynamic-map dynmap 10")), "{:?}", said.lines);
    assert!(said.advice[0].contains("set isakmp-profile L2L"));
}

/// The static entry of a peer would take what it offers, but the dynamic one in front of it captures the peer.
#[test]
fn a_static_entry_behind_a_dynamic_one() {
    let hub = HUB.replace(
        "crypto map mymap 10 ipsec-isakmp dynamic dynmap\n",
        "crypto ipsec transform-set strong esp-aes 256 esp-sha-hmac\ncrypto map mymap 10 ipsec-isakmp dynamic dynmap\n\
         crypto map mymap 20 ipsec-isakmp\n  set peer 10.100.2.102\n  set transform-set strong\n  match address 101\n",
    );
    let hub = hub.replace(
        "call rsvp-sync",
        "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\ncall rsvp-sync",
    );
    let spoke = SPOKE.replace("esp-3des esp-sha-hmac", "esp-aes 256 esp-sha-hmac");
    let said = World::call(&hub, &spoke, Way::Open).hub("transform-set");
    assert_eq!(differing(&said), [("encryption", "esp-aes 256", "esp-3des")]);
    let order = said.advice.iter().find(|advice| advice.contains("the static entry 20"));
    assert!(
        order.is_some_and(|advice| advice.contains("dynamic entry 10 in front of it")),
        "{:?}",
        said.advice
    );
    assert!(said.lines.contains(&line(&hub, "crypto map mymap 10")), "{:?}", said.lines);
}

#[test]
fn xauth_hits_a_lan_to_lan_peer() {
    let hub = HUB.replace(
        "  keyring spokes\n  match identity address 0.0.0.0\n",
        "  keyring spokes\n  match identity address 0.0.0.0\n  client authentication list clientauth\n",
    );
    assert_ne!(hub, HUB);
    let world = World::call(&hub, SPOKE, Way::Open);
    let said = world.hub("xauth-on-lan-to-lan");
    assert!(said.verdict.contains("LAN-to-LAN peer that knows no Xauth"), "{}", said.verdict);
    assert_eq!(differing(&said), [("Xauth", "not done", "demanded")]);
    assert!(said.lines.contains(&line(&hub, "crypto isakmp profile L2L")), "{:?}", said.lines);
    assert!(said.advice[0].contains("no-xauth"));
}

#[test]
fn no_common_transform_set() {
    let set = line(HUB, "crypto ipsec transform-set myset");
    for (theirs, what, their_word, our_word) in [
        ("esp-aes 256 esp-sha-hmac", "encryption", "esp-aes 256", "esp-3des"),
        ("esp-3des esp-md5-hmac", "integrity", "esp-md5-hmac", "esp-sha-hmac"),
    ] {
        let spoke = SPOKE.replace("esp-3des esp-sha-hmac", theirs);
        let said = World::call(HUB, &spoke, Way::Open).hub("transform-set");
        assert!(
            said.verdict.ends_with(&format!("they offer {their_word}, we want {our_word}.")),
            "{}",
            said.verdict
        );
        assert_eq!(differing(&said), [(what, their_word, our_word)]);
        assert_eq!(said.lines, [set]);
    }
}

#[test]
fn perfect_forward_secrecy() {
    let hub = HUB.replace("set isakmp-profile L2L", "set isakmp-profile L2L\n  set pfs group14");
    let said = World::call(&hub, SPOKE, Way::Open).hub("pfs");
    assert!(said.verdict.ends_with("they offer none, we want group14."), "{}", said.verdict);
    assert_eq!(differing(&said), [("PFS", "none", "group14")]);
    assert!(said.lines.contains(&line(HUB, "crypto ipsec transform-set myset")));
}

#[test]
fn proxy_identities_that_mirror_no_line() {
    let hub = HUB.replace("set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    let hub = hub.replace(
        "call rsvp-sync",
        "access-list 101 permit ip 10.9.0.0 0.0.255.255 10.8.0.0 0.0.255.255\naccess-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.2.0 0.0.0.255\ncall rsvp-sync",
    );
    let said = World::call(&hub, SPOKE, Way::Open).hub("proxy-identities");
    assert!(said.verdict.contains("between its 10.2.0.0/16 and our 10.1.0.0/16"), "{}", said.verdict);
    assert_eq!(differing(&said), [("network there", "10.2.0.0/16", "10.2.2.0/24")]);
    assert_eq!(said.lines, [line(&hub, "access-list 101 permit ip 10.1.0.0")], "the nearest line");
    assert!(
        said.advice[1].contains("permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255"),
        "{:?}",
        said.advice
    );
}

#[test]
fn no_answer_at_all() {
    let world = World::call(HUB, SPOKE, Way::Dead);
    let said = World::said(&world.sides[1], "no-answer");
    assert_eq!(said.verdict, "10.48.67.181 does not answer at all: nothing came back from its UDP port 500.");
    assert_eq!(said.lines, [line(SPOKE, "crypto isakmp key")]);
    assert_eq!(world.hub_says(), 0, "the hub heard nothing");
}

#[test]
fn a_nat_with_4500_blocked() {
    let mut world = World::call(HUB, SPOKE, Way::NatWithout4500);
    for side in &world.sides {
        let said = World::said(side, "udp-4500-blocked");
        assert!(said.verdict.contains("UDP port 4500 never arrived"), "{}", said.verdict);
        assert!(said.advice[0].starts_with("Open UDP 4500"));
    }
    // and when the tunnel comes up after all, that is told too
    world.way = Way::Open;
    world.again();
    let failures = world.sides[0].record.failures();
    assert!(failures.iter().all(|failure| failure.solved.is_some()), "{failures:#?}");
}

#[test]
fn a_dead_peer() {
    let hub = HUB
        .replace("crypto isakmp policy 10", "crypto isakmp keepalive 10 3 periodic\ncrypto isakmp policy 10");
    let mut world = World::call(&hub, SPOKE, Way::Open);
    assert_eq!(world.sides[0].explanations(), []);
    world.way = Way::Dead;
    world.run(Duration::from_secs(120));
    let said = world.hub("peer-dead");
    assert!(said.verdict.contains("does not answer any more (dead peer detection)"), "{}", said.verdict);
    assert_eq!(said.lines, [line(&hub, "crypto isakmp keepalive")]);
}

impl World {
    fn hub_says(&self) -> usize {
        self.sides[0].explanations().len()
    }
}

fn path(last: u8) -> Path {
    Path {
        local: HUB_ADDRESS.into(),
        local_port: 500,
        remote: Ipv4Addr::new(192, 0, 2, last).into(),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    }
}

/// Packets of the packet path: an integrity check that fails, and addresses outside the tunnel.
#[test]
fn packets_that_fail() {
    let side = Side::new(HUB, HUB_ADDRESS, 1);
    let mut record = Record::default();
    record.packet(Duration::from_secs(1), path(1), Refused::Icv);
    record.packet(Duration::from_secs(2), path(1), Refused::Icv);
    record.packet(Duration::from_secs(3), path(2), Refused::Selector);
    record.packet(Duration::from_secs(4), path(2), Refused::Replay);
    let failures = record.failures();
    let said: Vec<_> = failures.iter().map(|failure| explain(failure, &side.parsed, &side.policy)).collect();
    assert_eq!((failures[0].count, failures[1].count), (1, 2), "the newest first");
    assert_eq!((said[0].cause, said[1].cause), ("outside-selectors", "icv"));
    assert!(said[1].advice[0].contains("96 bits instead of 128"));
}

/// The pool is as large as it is: what a client hears of it is told elsewhere; here, what the operator hears.
#[test]
fn an_exhausted_pool() {
    let side = Side::new(HUB, HUB_ADDRESS, 1);
    let mut record = Record::default();
    record.note(Duration::ZERO, path(1), Cause::Refused(Refusal::Lease(LeaseError::Exhausted)));
    let said = explain(&record.failures()[0], &side.parsed, &side.policy);
    assert_eq!(said.cause, "pool-exhausted");
    assert_eq!(said.lines, [line(HUB, "ip local pool ippool")]);
}

#[test]
fn failures_and_one_more() {
    let mut record = Record::default();
    for number in 0..=FAILURES {
        let peer = path(u8::try_from(number).unwrap());
        record.note(Duration::from_secs(number as u64), peer, Cause::Dead);
    }
    let failures = record.failures();
    assert_eq!(failures.len(), FAILURES);
    assert!(failures.iter().all(|failure| failure.peer() != path(0).remote), "the oldest is forgotten");
}
