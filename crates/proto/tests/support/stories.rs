//! The negotiations: the hub with a branch and with a VPN client, a branch with its hub, a VPN client
//! with its gateway, and both sides of quick mode with PFS.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use super::peer::{path, phase1_sa, phase2_transform};
use super::story::{Draft, Point, Proof, Story, Told, body, hash_part, part};
use super::support::{HUB, client_policy, hub_policy, ip, spoke_policy};
use hubward_crypto::suite::DhGroup;
use hubward_proto::flow::selector::Flow;
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::io::Command;
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::policy::{MapEntryKind, Policy};
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Delete, Proposal, parse_sa, write_sa};
use hubward_proto::wire::isakmp::Cookie;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::registry::{config, exchange, ike, ipsec, notify, payload, protocol};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub const SPOKE: &str = "10.100.2.102";
pub const CLIENT: &str = "10.51.82.100";
/// Proxy identities: the branch's network, the hub's, the client's address, everything.
pub const LAN: [u8; 12] = [4, 0, 0, 0, 10, 2, 0, 0, 255, 255, 0, 0];
pub const HUB_LAN: [u8; 12] = [4, 0, 0, 0, 10, 1, 0, 0, 255, 255, 0, 0];
pub const LEASE: [u8; 8] = [1, 0, 0, 0, 10, 5, 5, 1];
pub const EVERYTHING: [u8; 12] = [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An ID payload's body: the address, UDP port 500.
pub fn identity(address: &str) -> Vec<u8> {
    let IpAddr::V4(address) = ip(address) else { panic!("an IPv4 address") };
    [&[1, 17, 1, 244], &address.octets()[..]].concat()
}

/// The points of all.
pub fn all() -> Vec<Point> {
    [hub_and_spoke(), hub_and_client(), spoke_and_hub(), client_and_gateway(), pfs()].concat()
}

fn xauth_reply() -> Vec<Attribute> {
    vec![
        Attribute::long(config::XAUTH_USER_NAME, *b"gfullage"),
        Attribute::long(config::XAUTH_USER_PASSWORD, *b"gfullage"),
    ]
}

fn mode_config_request() -> Vec<Attribute> {
    [config::ADDRESS, config::NETMASK, config::DNS, config::NBNS, config::UNITY_DEF_DOMAIN]
        .map(|kind| Attribute::long(kind, []))
        .to_vec()
}

/// Both sides require PFS.
fn with_pfs(mut policy: Policy) -> Policy {
    let pfs = Some(DhGroup::Modp1024);
    for map in &mut policy.maps {
        for entry in &mut Arc::make_mut(map).entries {
            match &mut entry.kind {
                MapEntryKind::Static { terms, .. } => terms.pfs = pfs,
                MapEntryKind::Dynamic { entries, .. } => {
                    entries.iter_mut().for_each(|entry| entry.terms.pfs = pfs);
                }
            }
        }
    }
    policy
}

// ---- pieces
// -------------------------------------------------------------------------------------------------------

/// How a message is sent: with a point before it or without.
fn step(told: bool) -> impl Fn(&mut Story, &str, Draft) -> Vec<Vec<u8>> {
    move |story, state, draft| if told { story.says(state, draft) } else { story.sends(draft) }
}

/// Main mode up to message 6; the first time (`told`) with INITIAL-CONTACT and a point before each
/// message of the peer.
fn main_mode(story: &mut Story, told: bool) {
    let step = step(told);
    let cookie = Cookie(story.random.array());
    story.cookies = Cookies { initiator: cookie, responder: Cookie::ZERO };
    (story.keys, story.iv, story.ivs) = (None, None, None);
    let sa = phase1_sa(ike::AUTH_PRESHARED);
    let vendors = [Vendor::NatT, Vendor::Dpd].map(|vendor| part(payload::VENDOR, vendor.bytes()));
    let first = story.clear(exchange::MAIN, [vec![part(payload::SA, sa.clone())], vendors.to_vec()].concat());
    let answers = step(story, "no SA", first.named("main mode 1"));
    story.cookies.responder = story.read(&answers).0.responder;
    let (private, nonce_i) = (story.private(), story.random.array::<20>());
    let parts = vec![part(payload::KE, private.public()), part(payload::NONCE, nonce_i)];
    let third = story.clear(exchange::MAIN, [parts, story.nat_d()].concat());
    let answers = step(story, "main mode 2 sent", third.named("main mode 3"));
    let (_, said) = story.read(&answers);
    let (theirs, nonce_r) = (body(&said, payload::KE), body(&said, payload::NONCE));
    story.derive(b"cisco123", &private, &theirs, (&nonce_i, &nonce_r), true);
    let id = identity(SPOKE);
    let proof = Proof::Identity {
        own_public: private.public().to_vec(),
        other_public: theirs,
        own: story.cookies.initiator,
        other: story.cookies.responder,
        sa,
        id: id.clone(),
    };
    let mut parts = vec![part(payload::ID, id), hash_part()];
    if told {
        parts.push(story.notify(notify::INITIAL_CONTACT, &[]).parts.remove(0));
    }
    let fifth = story.phase1(exchange::MAIN, parts, proof);
    let answers = step(story, "main mode 4 sent", fifth.named("main mode 5"));
    story.open_phase1(&answers[0]);
    story.through();
}

/// The SA payload of quick mode: what is in `sa`, with another SPI.
fn with_spi(sa: &[u8], spi: u32) -> Vec<u8> {
    let mut proposals = parse_sa(sa).unwrap();
    proposals.truncate(1);
    proposals[0].spi = spi.to_be_bytes().to_vec();
    write_sa(&proposals)
}

/// Message 1 of quick mode, the nonce in it, and the message id.
fn quick_1(story: &mut Story, spi: u32, own: &[u8], remote: &[u8]) -> (Draft, [u8; 20], u32) {
    quick_1_with(story, spi, own, remote, false)
}

fn quick_1_with(story: &mut Story, spi: u32, own: &[u8], remote: &[u8], pfs: bool) -> (Draft, [u8; 20], u32) {
    let (message_id, nonce) = (story.new_message_id(), story.random.array::<20>());
    let mut transforms = vec![phase2_transform(1)];
    if pfs {
        transforms[0].attributes.push(Attribute::short(ipsec::GROUP, 2));
    }
    let spi = spi.to_be_bytes().to_vec();
    let sa = write_sa(&[Proposal { number: 1, protocol: protocol::ESP, spi, transforms }]);
    let mut parts = vec![part(payload::SA, sa), part(payload::NONCE, nonce)];
    if pfs {
        parts.push(part(payload::KE, story.private().public()));
    }
    parts.extend([part(payload::ID, own), part(payload::ID, remote)]);
    let draft = story.later(exchange::QUICK, message_id, parts, Proof::Following).named("quick mode 1");
    (draft, nonce, message_id)
}

/// Message 3 of quick mode; `answers` has message 2.
fn quick_3(story: &mut Story, nonce_i: [u8; 20], answers: &[Vec<u8>]) -> Draft {
    let (header, said) = story.open_only(answers, exchange::QUICK);
    let proof = Proof::Closing(nonce_i.to_vec(), body(&said, payload::NONCE));
    story.later(exchange::QUICK, header.message_id, vec![], proof).named("quick mode 3")
}

/// Message 2 of quick mode; `answers` has the engine's message 1.
fn quick_2(story: &mut Story, answers: &[Vec<u8>], spi: u32) -> Draft {
    let (header, said) = story.open_only(answers, exchange::QUICK);
    let nonce = story.random.array::<20>();
    let mut parts =
        vec![part(payload::SA, with_spi(&body(&said, payload::SA), spi)), part(payload::NONCE, nonce)];
    if said.iter().any(|(kind, _)| *kind == payload::KE) {
        parts.push(part(payload::KE, story.private().public()));
    }
    let ids = said.iter().filter(|(kind, _)| *kind == payload::ID);
    parts.extend(ids.map(|(kind, body)| part(*kind, body.clone())));
    let proof = Proof::Answering(body(&said, payload::NONCE));
    story.later(exchange::QUICK, header.message_id, parts, proof).named("quick mode 2")
}

fn probe(story: &mut Story) -> Draft {
    story.notify(notify::R_U_THERE, &[0, 0, 0, 9]).named("R-U-THERE")
}

/// Informational messages that have an effect.
fn informational(story: &mut Story, state: &str, spi: u32) {
    let notifies = [
        ("R-U-THERE", notify::R_U_THERE, &[0, 0, 0, 9][..]),
        ("R-U-THERE-ACK", notify::R_U_THERE_ACK, &[0, 0, 0, 0]),
        ("INITIAL-CONTACT", notify::INITIAL_CONTACT, &[]),
        ("NO-PROPOSAL-CHOSEN", notify::NO_PROPOSAL_CHOSEN, &[]),
        ("AUTHENTICATION-FAILED", notify::AUTHENTICATION_FAILED, &[]),
        ("RESPONDER-LIFETIME", notify::RESPONDER_LIFETIME, &[0x80, 11, 0, 1, 0x80, 12, 2, 0x58]),
        ("LOAD-BALANCE", notify::LOAD_BALANCE, &[10, 48, 67, 182]),
    ];
    for (name, kind, data) in notifies {
        let draft = story.notify(kind, data).named(name);
        story.may_say(state, &draft);
    }
    for (name, delete) in deletes(story, spi) {
        let draft = story.informational(part(payload::DELETE, delete.write())).named(name);
        story.may_say(state, &draft);
    }
}

fn deletes(story: &Story, spi: u32) -> [(&'static str, Delete); 2] {
    let cookies = [story.cookies.initiator.0, story.cookies.responder.0].concat();
    [
        (
            "delete of the child SA",
            Delete { protocol: protocol::ESP, spis: vec![spi.to_be_bytes().to_vec()] },
        ),
        ("delete of the ISAKMP SA", Delete { protocol: protocol::ISAKMP, spis: vec![cookies] }),
    ]
}

// ---- the hub
// ------------------------------------------------------------------------------------------------------

pub fn hub_and_spoke() -> Vec<Point> {
    let mut story = Story::new("hub with branch", hub_policy(), path(ip(HUB), ip(SPOKE), 500));
    main_mode(&mut story, true);
    let early = story.config(0x77, config::REQUEST, mode_config_request()).named("mode-config request");
    let (first, nonce_i, _) = quick_1(&mut story, 0x1001, &LAN, &HUB_LAN);
    story.may_say("phase 1 established", &first);
    story.may_say("phase 1 established", &early);
    let answers = story.sends(first);
    let third = quick_3(&mut story, nonce_i, &answers);
    story.says("quick mode 2 sent", third);
    let state = "tunnel up";
    let next = probe(&mut story);
    story.may_say(state, &next);
    informational(&mut story, state, 0x1001);
    let mut points = Vec::new();

    let mut deleted = story.fork();
    let (_, delete) = deletes(&deleted, 0x1001)[1].clone();
    let delete = deleted.informational(part(payload::DELETE, delete.write()));
    deleted.sends(delete);
    let next = probe(&mut deleted);
    deleted.may_say("ISAKMP SA deleted by the branch", &next);
    points.extend(deleted.points);

    let mut cleared = story.fork();
    cleared.tell(Told::Command(Command::ClearIsakmp { connection: None }));
    let next = probe(&mut cleared);
    cleared.may_say("ISAKMP SA cleared", &next);
    points.extend(cleared.points);

    let mut stopping = story.fork();
    stopping.tell(Told::Command(Command::Shutdown));
    let next = probe(&mut stopping);
    stopping.may_say("stopping", &next);
    points.extend(stopping.points);

    // the branch has negotiated phase 1 again
    let mut replaced = story.fork();
    let old = (replaced.cookies, replaced.keys.clone(), replaced.ivs.clone(), replaced.sent.clone());
    main_mode(&mut replaced, false);
    let next = probe(&mut replaced);
    replaced.may_say("phase 1 rekeyed, on the new SA", &next);
    (replaced.cookies, replaced.keys, replaced.ivs, replaced.sent) = old;
    let next = probe(&mut replaced);
    replaced.may_say("phase 1 rekeyed, on the old SA", &next);
    points.extend(replaced.points);

    let child = story.stage.engine.inspect().children[0].sa.id;
    let answers = story.tell(Told::Expire(child));
    let second = quick_2(&mut story, &answers, 0x1002);
    story.says("hub's quick mode 1 sent", second);
    let next = probe(&mut story);
    story.may_say("hub's quick mode 3 sent", &next);
    [story.points, points].concat()
}

pub fn hub_and_client() -> Vec<Point> {
    let mut story = Story::new("hub with client", hub_policy(), path(ip(HUB), ip(CLIENT), 500));
    let cookie = Cookie(story.random.array());
    story.cookies = Cookies { initiator: cookie, responder: Cookie::ZERO };
    let sa = phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED);
    let (private, nonce_i) = (story.private(), story.random.array::<20>());
    let id = [&[11, 17, 1, 244], &b"testgroup"[..]].concat();
    let mut parts = vec![
        part(payload::SA, sa.clone()),
        part(payload::KE, private.public()),
        part(payload::NONCE, nonce_i),
        part(payload::ID, id.clone()),
    ];
    let vendors = [Vendor::Xauth, Vendor::Dpd, Vendor::Unity, Vendor::NatT];
    parts.extend(vendors.map(|vendor| part(payload::VENDOR, vendor.bytes())));
    let first = story.clear(exchange::AGGRESSIVE, parts).named("aggressive mode 1");
    story.says("no SA", first.clone());
    story.may_say("the group is asked for", &first);
    let answers = story.answer();
    let (header, said) = story.read(&answers);
    story.cookies.responder = header.responder;
    let (theirs, nonce_r) = (body(&said, payload::KE), body(&said, payload::NONCE));
    story.derive(b"cisco321", &private, &theirs, (&nonce_i, &nonce_r), true);
    let proof = Proof::Identity {
        own_public: private.public().to_vec(),
        other_public: theirs,
        own: story.cookies.initiator,
        other: story.cookies.responder,
        sa,
        id,
    };
    let contact = story.notify(notify::INITIAL_CONTACT, &[]).parts.remove(0);
    let parts = [vec![hash_part()], story.nat_d(), vec![contact]].concat();
    let third = story.phase1(exchange::AGGRESSIVE, parts, proof).named("aggressive mode 3");
    story.says("aggressive mode 2 sent", third);
    story.through();

    let request_id = story.new_message_id();
    let request = |story: &Story| {
        story.config(request_id, config::REQUEST, mode_config_request()).named("mode-config request")
    };
    let early = request(&story);
    story.may_say("phase 1 established, Xauth not started", &early);
    let answers = story.tell(Told::Wait(Duration::from_millis(200)));
    let (header, _) = story.open_only(&answers, exchange::TRANSACTION);
    let reply = story.config(header.message_id, config::REPLY, xauth_reply()).named("Xauth reply");
    story.may_say("Xauth requested", &reply);
    let early = request(&story);
    story.may_say("Xauth requested", &early);
    let (early, ..) = quick_1(&mut story, 0x1001, &LEASE, &EVERYTHING);
    story.may_say("Xauth requested", &early);
    let state = "Xauth requested";
    informational(&mut story, state, 0x1001);
    story.sends(reply);
    let (early, ..) = quick_1(&mut story, 0x1001, &LEASE, &EVERYTHING);
    story.may_say("the user is checked", &early);
    let answers = story.answer();
    let (header, _) = story.open_only(&answers, exchange::TRANSACTION);
    let status = vec![Attribute::short(config::XAUTH_STATUS, 1)];
    let ack = story.config(header.message_id, config::ACK, status).named("Xauth acknowledgement");
    story.says("Xauth status sent", ack);
    let asked = request(&story);
    story.says("Xauth passed", asked);
    let (early, ..) = quick_1(&mut story, 0x1001, &LEASE, &EVERYTHING);
    story.may_say("an address is asked for", &early);
    let answers = story.answer();
    story.open_only(&answers, exchange::TRANSACTION);
    let (first, nonce_i, _) = quick_1(&mut story, 0x1001, &LEASE, &EVERYTHING);
    let answers = story.says("address assigned", first);
    let third = quick_3(&mut story, nonce_i, &answers);
    story.says("quick mode 2 sent", third);
    let next = probe(&mut story);
    story.may_say("tunnel up", &next);
    informational(&mut story, "tunnel up", 0x1001);
    let child = story.stage.engine.inspect().children[0].sa.id;
    let answers = story.tell(Told::Expire(child));
    let second = quick_2(&mut story, &answers, 0x1002);
    story.may_say("hub's quick mode 1 sent", &second);
    story.points
}

// ---- those that initiate
// ------------------------------------------------------------------------------------------------

/// A packet of the branch needs a tunnel; main mode as its hub. Returns the engine's answer to
/// message 6.
fn answered_main_mode(story: &mut Story, told: bool) -> Vec<Vec<u8>> {
    let step = step(told);
    let flow = Flow {
        source: ip("10.2.2.10"),
        destination: ip("10.1.1.10"),
        protocol: 1,
        source_port: None,
        destination_port: None,
    };
    let service = Service::entry("mymap", 10);
    let acquire = Acquire { interface: InterfaceId(0), service, acl_line: 0, flow };
    let answers = story.tell(Told::Acquire(acquire));
    let (header, said) = story.read(&answers);
    let (sa, cookie) = (body(&said, payload::SA), Cookie(story.random.array()));
    story.cookies = Cookies { initiator: header.initiator, responder: cookie };
    let vendors = [Vendor::NatT, Vendor::Dpd].map(|vendor| part(payload::VENDOR, vendor.bytes()));
    let second =
        story.clear(exchange::MAIN, [vec![part(payload::SA, sa.clone())], vendors.to_vec()].concat());
    let answers = step(story, "main mode 1 sent", second.named("main mode 2"));
    let (_, said) = story.read(&answers);
    let (theirs, nonce_i) = (body(&said, payload::KE), body(&said, payload::NONCE));
    let (private, nonce_r) = (story.private(), story.random.array::<20>());
    let parts = vec![part(payload::KE, private.public()), part(payload::NONCE, nonce_r)];
    let fourth = story.clear(exchange::MAIN, [parts, story.nat_d()].concat());
    let answers = step(story, "main mode 3 sent", fourth.named("main mode 4"));
    story.derive(b"cisco123", &private, &theirs, (&nonce_i, &nonce_r), false);
    story.open_phase1(&answers[0]);
    let id = identity(HUB);
    let proof = Proof::Identity {
        own_public: private.public().to_vec(),
        other_public: theirs,
        own: story.cookies.responder,
        other: story.cookies.initiator,
        sa,
        id: id.clone(),
    };
    let parts = vec![part(payload::ID, id), hash_part()];
    let sixth = story.phase1(exchange::MAIN, parts, proof).named("main mode 6");
    let answers = step(story, "main mode 5 sent", sixth);
    story.through();
    answers
}

pub fn spoke_and_hub() -> Vec<Point> {
    let policy = spoke_policy(SPOKE, "10.2.0.0/16");
    let mut story = Story::new("branch with hub", policy, path(ip(SPOKE), ip(HUB), 500));
    let answers = answered_main_mode(&mut story, true);
    let second = quick_2(&mut story, &answers, 0x2001);
    story.says("quick mode 1 sent", second);
    let state = "tunnel up";
    let next = probe(&mut story);
    story.may_say(state, &next);
    informational(&mut story, state, 0x2001);
    let (first, nonce_i, _) = quick_1(&mut story, 0x2002, &HUB_LAN, &LAN);
    let answers = story.says(state, first);
    let third = quick_3(&mut story, nonce_i, &answers);
    story.says("hub's quick mode answered", third);
    let next = probe(&mut story);
    story.may_say("child SA rekeyed by the hub", &next);
    story.points
}

pub fn client_and_gateway() -> Vec<Point> {
    let mut story = Story::new("client with hub", client_policy(CLIENT), path(ip(CLIENT), ip(HUB), 500));
    story.tell(Told::Command(Command::Connect { connection: "work".into() }));
    // it begins with the next timer
    let answers = story.tell(Told::Wait(Duration::from_millis(10)));
    let (header, said) = story.read(&answers);
    let (sa, cookie) = (body(&said, payload::SA), Cookie(story.random.array()));
    story.cookies = Cookies { initiator: header.initiator, responder: cookie };
    let (theirs, nonce_i) = (body(&said, payload::KE), body(&said, payload::NONCE));
    let (private, nonce_r) = (story.private(), story.random.array::<20>());
    story.derive(b"cisco321", &private, &theirs, (&nonce_i, &nonce_r), false);
    let id = identity(HUB);
    let proof = Proof::Identity {
        own_public: private.public().to_vec(),
        other_public: theirs,
        own: story.cookies.responder,
        other: story.cookies.initiator,
        sa: sa.clone(),
        id: id.clone(),
    };
    let mut parts = vec![
        part(payload::SA, sa),
        part(payload::KE, private.public()),
        part(payload::NONCE, nonce_r),
        part(payload::ID, id),
        hash_part(),
    ];
    let vendors = [Vendor::Unity, Vendor::Xauth, Vendor::Dpd, Vendor::NatT];
    parts.extend(vendors.map(|vendor| part(payload::VENDOR, vendor.bytes())));
    parts.extend(story.nat_d());
    let second = Draft { proof, ..story.clear(exchange::AGGRESSIVE, parts) }.named("aggressive mode 2");
    let answers = story.says("aggressive mode 1 sent", second);
    story.open_phase1(&answers[0]);
    story.through();

    let asked = [config::XAUTH_USER_NAME, config::XAUTH_USER_PASSWORD].map(|kind| Attribute::long(kind, []));
    let message_id = story.new_message_id();
    let request = story.config(message_id, config::REQUEST, asked.to_vec()).named("Xauth request");
    story.may_say("aggressive mode 3 sent", &request);
    let set_id = story.new_message_id();
    let status = |story: &Story| {
        let passed = vec![Attribute::short(config::XAUTH_STATUS, 1)];
        story.config(set_id, config::SET, passed).named("Xauth status")
    };
    let early = status(&story);
    story.may_say("aggressive mode 3 sent", &early);
    informational(&mut story, "aggressive mode 3 sent", 0x2001);
    story.sends(request);
    let early = status(&story);
    story.may_say("the user is asked", &early);
    let answers = story.answer();
    story.open_only(&answers, exchange::TRANSACTION);
    let passed = status(&story);
    let answers = story.says("Xauth reply sent", passed);
    // the acknowledgement, then the request for an address
    let mut opened = Vec::new();
    for bytes in answers.iter().filter(|bytes| bytes[18] == exchange::TRANSACTION) {
        opened.push(story.open(bytes).0);
    }
    let request_id = opened.last().expect("a mode-config request").message_id;
    let given = vec![
        Attribute::long(config::ADDRESS, [10, 5, 5, 1]),
        Attribute::long(config::DNS, [10, 1, 1, 1]),
        Attribute::long(config::UNITY_DEF_DOMAIN, *b"example.com"),
    ];
    let reply = story.config(request_id, config::REPLY, given).named("mode-config reply");
    let answers = story.says("mode-config requested", reply);
    let second = quick_2(&mut story, &answers, 0x2001);
    story.says("quick mode 1 sent", second);
    let next = probe(&mut story);
    story.may_say("tunnel up", &next);
    informational(&mut story, "tunnel up", 0x2001);
    story.points
}

/// Quick mode with PFS, which the hub answers and the branch initiates.
pub fn pfs() -> Vec<Point> {
    let mut hub = Story::new("hub with branch, PFS", with_pfs(hub_policy()), path(ip(HUB), ip(SPOKE), 500));
    main_mode(&mut hub, false);
    let (first, nonce_i, _) = quick_1_with(&mut hub, 0x1001, &LAN, &HUB_LAN, true);
    let answers = hub.says("phase 1 established", first);
    let third = quick_3(&mut hub, nonce_i, &answers);
    hub.says("quick mode 2 sent", third);
    let policy = with_pfs(spoke_policy(SPOKE, "10.2.0.0/16"));
    let mut branch = Story::new("branch with hub, PFS", policy, path(ip(SPOKE), ip(HUB), 500));
    let answers = answered_main_mode(&mut branch, false);
    let second = quick_2(&mut branch, &answers, 0x2001);
    branch.may_say("quick mode 1 sent", &second);
    [hub.points, branch.points].concat()
}
