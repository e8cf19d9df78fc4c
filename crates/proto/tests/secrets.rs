//! No event, refusal, question or view contains a secret in any spelling, whether exchanges succeed
//! or fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use hubward_crypto::secret::Secret;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Answer, Command, CredentialField, Input};
use hubward_proto::ike::trace::TraceScope;
use hubward_proto::policy::{ClientGroup, Policy};
use hubward_proto::print::{Message, Payloads};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::isakmp::{Chain, Writer};
use hubward_proto::wire::registry::{config, exchange, payload};
use peer::{Bench, Peer, quick_mode};
use std::sync::Arc;
use std::time::Duration;
use support::{HUB, client_policy, hub_policy, ip, test_group};

const KEY: &str = "Zq9xPresharedKey41";
const GROUP_KEY: &str = "Yw8vGroupKeyOfAll52";
const PASSWORD: &str = "Xv7uPasswordOfUser63";

/// The forms in which text may contain a secret: plain, in hexadecimal, in base64, as a list of
/// numbers.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    let mut all = vec![hex.clone(), hex.to_uppercase(), list.join(", "), base64(secret)];
    all.extend(String::from_utf8(secret.to_vec()).ok());
    all
}

/// Base64 without the last group, which depends on what follows.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(number >> shift) as usize & 63]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

#[test]
fn base64_is_base64() {
    assert_eq!(base64(b"secret"), "c2VjcmV0");
}

fn hub() -> Bench {
    let mut policy: Policy = hub_policy();
    policy.keyrings[0].keys[0].secret = Secret::new(KEY);
    let mut engine = Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN);
    engine.trace(TraceScope::All);
    Bench::new(engine)
}

fn group() -> Arc<ClientGroup> {
    Arc::new(ClientGroup { key: Secret::new(GROUP_KEY), ..(*test_group()).clone() })
}

/// Everything that an engine returned, and what can be inspected.
fn told(bench: &Bench) -> String {
    let refusals: Vec<String> = bench.refusals.iter().map(ToString::to_string).collect();
    format!("{:?}\n{:?}\n{refusals:?}\n{:?}", bench.trace, bench.engine.inspect(), bench.asked)
}

fn assert_silent(text: &str, secrets: &[&[u8]]) {
    for secret in secrets {
        for spelling in spellings(secret) {
            assert!(spelling.len() > 8, "too short to be found by accident: {spelling}");
            assert!(!text.contains(&spelling), "{spelling} is told");
        }
    }
}

fn of_phase_1(peer: &Peer) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = peer.keys.derived().iter().map(|key| key.to_vec()).collect();
    all.push(peer.keys.encryption().expose().to_vec());
    all
}

fn check(bench: &Bench, peer: &Peer) {
    let text = told(bench);
    // the text that is searched is not empty
    assert!(text.contains("Phase1Up") && text.contains("Refused"), "{text}");
    assert_silent(&text, &[KEY.as_bytes(), GROUP_KEY.as_bytes(), PASSWORD.as_bytes()]);
    let derived = of_phase_1(peer);
    assert_silent(&text, &derived.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_silent(&format!("{:?}", peer.keys), &derived.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn a_spoke_with_the_right_and_a_wrong_message() {
    let mut bench = hub();
    let path = peer::path(ip(HUB), ip("10.100.2.102"), 500);
    let mut peer = Peer::main_mode(&mut bench, path, KEY, 3);
    let writer = quick_mode(0x1001, &[1; 20], [10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]);
    let message = peer.seal(exchange::QUICK, 77, &writer);
    bench.datagram(path, &message);
    let mut wrong = peer.seal(exchange::QUICK, 78, &writer);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    bench.datagram(path, &wrong);
    check(&bench, &peer);
    // the keys of the child SA, too
    let children = bench.engine.inspect().children;
    assert_eq!(children.len(), 1);
    let keys = [&children[0].sa.inbound.keymat, &children[0].sa.outbound.keymat].map(Secret::expose);
    assert_silent(&told(&bench), &keys);
}

#[test]
fn a_client_whose_password_is_refused() {
    let mut bench = hub();
    let path = peer::path(ip(HUB), ip("10.51.82.100"), 500);
    let (mut peer, request) = Peer::aggressive_mode(&mut bench, path, &group(), 3);
    let login = vec![
        Attribute::long(config::XAUTH_USER_NAME, *b"user"),
        Attribute::long(config::XAUTH_USER_PASSWORD, PASSWORD.as_bytes()),
    ];
    // the login in a message that makes no sense, and in one that is printed
    let misplaced = peer.config(999, config::SET, login.clone());
    bench.datagram(path, &misplaced);
    let message = peer.config(request, config::REPLY, login.clone());
    bench.datagram(path, &message);
    let (id, question) = bench.asked.pop().expect("the login list is asked");
    assert_silent(&format!("{question:?}"), &[PASSWORD.as_bytes()]);
    bench.input(Input::Answer { id, answer: Answer::Rejected { reason: "wrong password".into() } });
    bench.wait(Duration::from_secs(90));
    check(&bench, &peer);
    let mut writer = Writer::new();
    let reply = hubward_proto::wire::ike1::Config { kind: config::REPLY, identifier: 1, attributes: login };
    writer.push(payload::ATTRIBUTE, reply.write());
    let bytes = writer.bytes();
    let chain = Chain::parse(payload::ATTRIBUTE, &bytes).unwrap();
    let printed = format!("{} {}", Payloads(&chain), Message(&message));
    assert!(printed.contains("ATTR"), "{printed}");
    assert_silent(&printed, &[PASSWORD.as_bytes()]);
}

#[test]
fn a_client_and_its_own_password() {
    let mut policy = client_policy("10.51.82.100");
    let mut connection = (*policy.connections[0]).clone();
    connection.key = Secret::new(GROUP_KEY);
    policy.connections = vec![Arc::new(connection)];
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [2; 32], Instant::ORIGIN));
    bench.engine.trace(TraceScope::All);
    bench.input(Input::Command(Command::Connect { connection: "work".into() }));
    let mut call = bench.take();
    call.extend(bench.wait(Duration::from_millis(1)));
    let path = peer::path(ip("10.51.82.100"), ip(HUB), 500);
    let mut peer = Peer::gateway(&mut bench, &call[0], path, GROUP_KEY, 3);
    let asked =
        vec![Attribute::long(config::XAUTH_USER_NAME, []), Attribute::long(config::XAUTH_USER_PASSWORD, [])];
    let request = peer.config(5, config::REQUEST, asked);
    bench.datagram(path, &request);
    let (id, _) = bench.asked.pop().expect("the user is asked");
    let fields = [(CredentialField::User, "user"), (CredentialField::Password, PASSWORD)];
    let fields = fields.map(|(field, text)| (field, Secret::new(text))).to_vec();
    let input = Input::Answer { id, answer: Answer::Credentials(Some(fields)) };
    assert_silent(&format!("{input:?}"), &[PASSWORD.as_bytes()]);
    let reply = bench.input(input);
    let (_, plain) = peer.open(&reply[0]);
    let at = plain.windows(PASSWORD.len()).position(|bytes| bytes == PASSWORD.as_bytes());
    assert!(at.is_some(), "the gateway gets it");
    let status = peer.config(6, config::SET, vec![Attribute::short(config::XAUTH_STATUS, 0)]);
    bench.datagram(path, &status);
    let nonsense = peer.config(7, config::REPLY, vec![]);
    bench.datagram(path, &nonsense);
    bench.wait(Duration::from_secs(5));
    check(&bench, &peer);
}

/// A policy and its parts are printed without their keys.
#[test]
fn a_policy_is_printed_without_its_keys() {
    let mut policy = hub_policy();
    policy.keyrings[0].keys[0].secret = Secret::new(KEY);
    let text = format!("{policy:?} {:?}", group());
    assert_silent(&text, &[KEY.as_bytes(), GROUP_KEY.as_bytes()]);
}
