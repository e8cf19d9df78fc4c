//! The engine with input from a stranger, from a peer that knows the pre-shared key, and from a
//! gateway that a client contacted.

use crate::peer::{self, Bench, Peer, quick_mode};
use crate::support::{HUB, Node, World, client_policy, hub_policy, ip, spoke_policy, test_group};
use hubward_crypto::secret::Secret;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Answer, Command, CredentialField, Input, Question};
use hubward_proto::ike::trace::TraceScope;
use hubward_proto::limits;
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Config, Delete, Notify, Proposal, write_sa};
use hubward_proto::wire::isakmp::{HEADER_LEN, Header, Writer};
use hubward_proto::wire::registry::{config, exchange, ipsec, notify, payload, protocol};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const CLIENT: &str = "10.51.82.100";
const SPOKE: &str = "10.100.2.102";

/// Splits data into steps: two bytes that select what happens, a length, and that many bytes.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([what, how, high, low], rest) = data.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        data = rest;
        Some((*what, *how, piece))
    })
}

fn piece(what: u8, how: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&[what, how], &length.to_be_bytes()[..], bytes].concat()
}

fn bench(policy: Policy, seed: u8) -> Bench {
    let mut engine = Engine::new(Arc::new(policy), [seed; 32], Instant::ORIGIN);
    // trace events are made of foreign bytes too
    engine.trace(TraceScope::All);
    Bench::new(engine)
}

/// What must hold after any input: nothing piles up, no secret is printed, and in the end nothing
/// is left.
fn judge(bench: &mut Bench, secrets: &[&str]) {
    let view = bench.engine.inspect();
    assert!(view.isakmp.len() <= limits::HALF_OPEN_PER_SOURCE * 4 + 8, "{} SAs", view.isakmp.len());
    assert!(view.children.len() <= limits::CHILDREN_PER_PEER + 2, "{} pairs", view.children.len());
    for line in &bench.trace {
        for secret in secrets {
            assert!(!line.contains(secret), "{line}");
        }
    }
    bench.input(Input::Command(Command::Shutdown));
    bench.wait(Duration::from_secs(90));
    let view = bench.engine.inspect();
    assert!(view.isakmp.is_empty(), "{} SAs are left", view.isakmp.len());
    assert!(view.children.is_empty(), "{} pairs are left", view.children.len());
    assert!(bench.engine.poll_timeout().is_none(), "a timer is left");
}

// ---- a stranger
// ---------------------------------------------------------------------------------------------------

/// Datagrams from one address. Bits in the first byte of a step: 1 corrects the header's length, 2
/// inserts the last responder cookie seen, 4 sends from another port, 8 lets a second pass.
pub(crate) fn stranger(data: &[u8]) {
    stranger_says(data);
}

fn stranger_says(data: &[u8]) -> Bench {
    let mut bench = bench(hub_policy(), 1);
    let mut cookie: Option<[u8; 8]> = None;
    let (mut received, mut sent) = (0, 0);
    for (what, port, bytes) in pieces(data).take(64) {
        let mut bytes = bytes.to_vec();
        if what & 2 != 0
            && let (Some(cookie), Some(place)) = (cookie, bytes.get_mut(8..16))
        {
            place.copy_from_slice(&cookie);
        }
        if what & 1 != 0 {
            let length = u32::try_from(bytes.len()).unwrap();
            if let Some(place) = bytes.get_mut(24..HEADER_LEN) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        let port = if what & 4 != 0 { 1024 + u16::from(port & 3) } else { 500 };
        received += bytes.len();
        let mut answers = bench.datagram(peer::path(ip(HUB), ip(SPOKE), port), &bytes);
        if let Some((id, Question::Authorize { .. })) = bench.asked.pop() {
            answers.extend(bench.input(Input::Answer { id, answer: Answer::Group(Some(test_group())) }));
        }
        if what & 8 != 0 {
            answers.extend(bench.wait(Duration::from_secs(1)));
        }
        for answer in &answers {
            sent += answer.len();
            cookie = answer.get(8..16).map(|bytes| bytes.try_into().unwrap());
        }
        assert!(answers.len() <= 8, "{} answers to one datagram", answers.len());
    }
    // an answer in aggressive mode has a key exchange, two vendor ids and more that the request may
    // omit
    assert!(sent <= 8 * received + 4096, "{sent} bytes sent for {received}");
    judge(&mut bench, &["cisco123", "cisco321"]);
    bench
}

/// The datagrams of a spoke's and of a client's session with a hub, in both directions.
fn worlds() -> [World; 2] {
    let mut spoke = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
    ]);
    spoke.acquire(1);
    let mut client =
        World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new(CLIENT, client_policy(CLIENT), 2)]);
    client.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    [spoke, client].map(|mut world| {
        world.run(Duration::from_secs(5));
        let last = world.nodes.len() - 1;
        world.input(last, Input::Command(Command::Shutdown));
        world.run(Duration::from_secs(1));
        world
    })
}

pub(crate) fn datagrams() -> Vec<Vec<u8>> {
    worlds().iter().flat_map(|world| world.trace.iter().map(|(_, datagram)| datagram.bytes.clone())).collect()
}

pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let to_hub = |world: &World| -> Vec<u8> {
        let toward = world.trace.iter().filter(|(_, datagram)| datagram.to.ip() == ip(HUB));
        toward.flat_map(|(_, datagram)| piece(8, 0, &datagram.bytes)).collect()
    };
    let whole = worlds().iter().map(to_hub).collect();
    [whole, vec![in_pieces()]].concat()
}

/// Main mode up to message 3, which is in three fragments.
fn in_pieces() -> Vec<u8> {
    let [world, _] = worlds();
    let toward = world.trace.iter().filter(|(_, datagram)| datagram.to.ip() == ip(HUB));
    let messages: Vec<_> = toward.map(|(_, datagram)| datagram.bytes.clone()).take(2).collect();
    let (header, _) = Header::parse(&messages[1]).unwrap();
    let header = Header { first: payload::FRAGMENT, ..header };
    let pieces = messages[1].chunks(messages[1].len().div_ceil(3)).zip(1u8..);
    let pieces = pieces.map(|(part, index)| {
        let body = [&[0, 7, index, u8::from(index == 3)], part].concat();
        header.write(&one(payload::FRAGMENT, body).bytes())
    });
    [messages[0].clone()].into_iter().chain(pieces).flat_map(|message| piece(8, 0, &message)).collect()
}

// ---- a peer that knows the key
// --------------------------------------------------------------------------------------

/// Sends what a script says. The first byte of a step selects the exchange and what is wrong with
/// the message; the second its message id, or the time to wait. The rest is the type of the first
/// payload and the payloads.
fn say(bench: &mut Bench, peer: &mut Peer, script: &[u8], answer: fn(Question) -> Answer) {
    for (index, (what, how, bytes)) in pieces(script).take(48).enumerate() {
        let Some((first, rest)) = bytes.split_first() else { continue };
        // a new message id, or one of a few that repeat
        let fresh = 10_000 + u32::try_from(index).unwrap();
        let message_id = if how & 0x80 != 0 { u32::from(how & 3) + 1 } else { fresh };
        let exchange = match what & 3 {
            0 => exchange::QUICK,
            1 => exchange::TRANSACTION,
            2 => exchange::INFORMATIONAL,
            _ => *rest.first().unwrap_or(&exchange::MAIN),
        };
        let message = if what & 0x40 != 0 {
            peer.seal_plain(exchange, message_id, *first, rest.to_vec())
        } else {
            let hash = peer.keys.hash1(message_id, rest);
            peer.seal_with(exchange, message_id, *first, &hash, rest)
        };
        let mut answers = bench.datagram(peer.path, &message);
        if what & 0x20 != 0 {
            answers.extend(bench.wait(Duration::from_millis(u64::from(how) * 250)));
        }
        while let Some((id, question)) = bench.asked.pop() {
            answers.extend(bench.input(Input::Answer { id, answer: answer(question) }));
        }
        assert!(answers.len() <= 64, "{} answers to one message", answers.len());
        for message in &answers {
            assert!(message.len() <= limits::MESSAGE_BYTES, "{} bytes", message.len());
            let (header, _) = Header::parse(message).expect("what we send is well-formed");
            if header.initiator == peer.cookies.initiator && header.encrypted() && message.len() % 8 == 4 {
                peer.open(message);
            }
        }
    }
}

/// A spoke.
pub(crate) fn spoke(data: &[u8]) {
    spoke_says(data);
}

fn spoke_says(data: &[u8]) -> Bench {
    let mut bench = bench(hub_policy(), 1);
    let mut peer = Peer::main_mode(&mut bench, peer::path(ip(HUB), ip(SPOKE), 500), "cisco123", 3);
    say(&mut bench, &mut peer, data, |_| panic!("nothing is asked for a spoke"));
    judge(&mut bench, &["cisco123", "cisco321"]);
    bench
}

/// A client of the group. If the first byte is even, the client has passed Xauth. Otherwise no
/// login succeeds, and nothing may be installed or leased.
pub(crate) fn client(data: &[u8]) {
    if let Some((first, script)) = data.split_first() {
        client_says(*first, script);
    }
}

fn client_says(first: u8, script: &[u8]) -> Bench {
    let mut bench = bench(hub_policy(), 1);
    let path = peer::path(ip(HUB), ip(CLIENT), 500);
    let (mut peer, request) = Peer::aggressive_mode(&mut bench, path, &test_group(), 3);
    if first & 1 == 0 {
        peer.pass_xauth(&mut bench, request);
        say(&mut bench, &mut peer, script, |question| match question {
            Question::Lease { .. } => Answer::Lease(Ok(Ipv4Addr::new(10, 5, 5, 1).into())),
            _ => Answer::Rejected { reason: "no".into() },
        });
    } else {
        say(&mut bench, &mut peer, script, |question| match question {
            Question::Authenticate { .. } => Answer::Rejected { reason: "no".into() },
            other => panic!("asked before Xauth: {other:?}"),
        });
        let installed = bench.trace.iter().find(|line| line.starts_with("Install"));
        assert_eq!(installed, None, "an SA before Xauth");
    }
    judge(&mut bench, &["cisco123", "cisco321"]);
    bench
}

/// A gateway that a client contacted, and that knows the group's pre-shared key. Its messages must
/// not make the client log its password, or accumulate state.
pub(crate) fn gateway(data: &[u8]) {
    gateway_says(data);
}

fn gateway_says(data: &[u8]) -> Bench {
    let mut bench = bench(client_policy(CLIENT), 2);
    let mut call = bench.input(Input::Command(Command::Connect { connection: "work".into() }));
    call.extend(bench.wait(Duration::from_millis(1)));
    let path = peer::path(ip(CLIENT), ip(HUB), 500);
    let mut peer = Peer::gateway(&mut bench, &call[0], path, "cisco321", 3);
    say(&mut bench, &mut peer, data, |_| {
        let fields = [(CredentialField::User, "somebody"), (CredentialField::Password, "hunter2hunter2")];
        Answer::Credentials(Some(fields.map(|(field, text)| (field, Secret::new(text))).to_vec()))
    });
    judge(&mut bench, &["cisco321", "hunter2hunter2"]);
    bench
}

/// A step of a script from the payloads of a message.
fn said(what: u8, how: u8, writer: &Writer) -> Vec<u8> {
    piece(what, how, &[&[writer.first()], writer.bytes().as_slice()].concat())
}

fn one(kind: u8, body: Vec<u8>) -> Writer {
    let mut writer = Writer::new();
    writer.push(kind, body);
    writer
}

fn transaction(kind: u8, attributes: Vec<Attribute>) -> Writer {
    one(payload::ATTRIBUTE, Config { kind, identifier: 7, attributes }.write())
}

fn informational() -> Vec<u8> {
    let about = |kind, data: &[u8]| Notify {
        protocol: protocol::ISAKMP,
        spi: vec![9; 16],
        kind,
        data: data.to_vec(),
    };
    let notifies = [
        about(notify::R_U_THERE, &[0, 0, 0, 1]),
        about(notify::R_U_THERE_ACK, &[0, 0, 0, 1]),
        about(notify::INITIAL_CONTACT, &[]),
        about(notify::RESPONDER_LIFETIME, &[0x80, 1, 0, 1, 0x80, 2, 2, 0x58]),
        // the longest lifetime that can be written
        about(notify::RESPONDER_LIFETIME, &[&[0x80, 11, 0, 1, 0, 12, 0, 8], &[0xff; 8][..]].concat()),
        about(notify::NO_PROPOSAL_CHOSEN, &[]),
    ];
    let deletes = [
        Delete { protocol: protocol::ESP, spis: vec![vec![1, 2, 3, 4], vec![5, 6, 7, 8]] },
        Delete { protocol: protocol::ISAKMP, spis: vec![vec![9; 16]] },
    ];
    let notifies = notifies.iter().map(|notify| said(2, 0, &one(payload::NOTIFY, notify.write())));
    let deletes = deletes.iter().map(|delete| said(2, 0, &one(payload::DELETE, delete.write())));
    notifies.chain(deletes).flatten().collect()
}

pub(crate) fn spoke_scripts() -> Vec<Vec<u8>> {
    let net = |third| [10, third, 0, 0, 255, 255, 0, 0];
    let quick = |spi, nonce: &[u8]| said(0x20, 4, &quick_mode(spi, nonce, net(2), net(1)));
    vec![
        [quick(0x1001, &[1; 20]), quick(0x1002, &[2; 20]), informational()].concat(),
        [informational(), quick(0x1001, &[1; 20]), said(0, 0x81, &one(payload::NOTIFY, vec![]))].concat(),
        (0..20).flat_map(|index| quick(0x2000 + index, &[3; 16])).collect(),
        said(0x20, 4, &endless_quick_mode()),
    ]
}

/// Quick mode with the longest lifetime and the largest volume that can be written.
fn endless_quick_mode() -> Writer {
    let mut transform = peer::phase2_transform(1);
    transform.attributes.truncate(0);
    for life in [ipsec::SECONDS, ipsec::KILOBYTES] {
        transform.attributes.push(Attribute::short(ipsec::LIFE_TYPE, life));
        transform.attributes.push(Attribute::long(ipsec::LIFE_DURATION, [0xff; 8]));
    }
    transform.attributes.push(Attribute::short(ipsec::ENCAPSULATION, 1));
    transform.attributes.push(Attribute::short(ipsec::AUTHENTICATION, 2));
    let spi = vec![0, 0, 0x30, 1];
    let sa = write_sa(&[Proposal { number: 1, protocol: protocol::ESP, spi, transforms: vec![transform] }]);
    let mut writer = Writer::new();
    writer
        .push(payload::SA, sa)
        .push(payload::NONCE, [5; 20])
        .push(payload::ID, [4, 0, 0, 0, 10, 2, 0, 0, 255, 255, 0, 0])
        .push(payload::ID, [4, 0, 0, 0, 10, 1, 0, 0, 255, 255, 0, 0]);
    writer
}

pub(crate) fn client_scripts() -> Vec<Vec<u8>> {
    let asked = [
        config::ADDRESS,
        config::NETMASK,
        config::DNS,
        config::NBNS,
        config::UNITY_BANNER,
        config::UNITY_DEF_DOMAIN,
        config::UNITY_SPLIT_INCLUDE,
        config::APPLICATION_VERSION,
    ];
    let request = transaction(config::REQUEST, asked.map(|kind| Attribute::long(kind, [])).to_vec());
    let login = transaction(
        config::REPLY,
        vec![
            Attribute::long(config::XAUTH_USER_NAME, *b"user"),
            Attribute::long(config::XAUTH_USER_PASSWORD, *b"password"),
        ],
    );
    let status = transaction(config::SET, vec![Attribute::short(config::XAUTH_STATUS, 1)]);
    let quick = quick_mode(0x1001, &[1; 20], [10, 5, 5, 1, 255, 255, 255, 255], [0; 8]);
    let all = [
        said(0x21, 0x81, &request),
        said(0x21, 0x82, &login),
        said(0x21, 0x83, &status),
        said(0x20, 4, &quick),
        informational(),
    ];
    vec![[&[0], all.concat().as_slice()].concat(), [&[1], all.concat().as_slice()].concat()]
}

pub(crate) fn gateway_scripts() -> Vec<Vec<u8>> {
    let request = transaction(
        config::REQUEST,
        vec![
            Attribute::long(config::XAUTH_USER_NAME, []),
            Attribute::long(config::XAUTH_USER_PASSWORD, []),
            Attribute::long(config::XAUTH_MESSAGE, *b"Enter your password"),
        ],
    );
    let status = transaction(config::SET, vec![Attribute::short(config::XAUTH_STATUS, 1)]);
    let given = vec![
        Attribute::long(config::ADDRESS, [10, 5, 5, 1]),
        Attribute::long(config::DNS, [10, 1, 1, 1]),
        Attribute::long(config::UNITY_DEF_DOMAIN, *b"example.com"),
        Attribute::long(config::UNITY_BANNER, *b"Welcome"),
        Attribute::long(config::UNITY_SPLIT_INCLUDE, [10, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]),
        Attribute::number(config::ADDRESS_EXPIRY, 86_400),
    ];
    let script = [
        said(0x21, 1, &request),
        said(0x21, 2, &status),
        said(0x21, 3, &transaction(config::SET, given.clone())),
        said(0x21, 3, &transaction(config::REPLY, given)),
        informational(),
    ];
    vec![script.concat(), [script[1].clone(), script[2].clone()].concat()]
}

/// The payloads of all of these, for the target that reads payloads.
pub(crate) fn plaintexts() -> Vec<Vec<u8>> {
    let scripts = [spoke_scripts(), client_scripts(), gateway_scripts()].concat();
    let mut out: Vec<Vec<u8>> = Vec::new();
    for script in scripts {
        let script = if script[0] <= 1 { &script[1..] } else { &script[..] };
        out.extend(pieces(script).map(|(_, _, bytes)| bytes.to_vec()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds get as far as they should, so that their mutations start there.
    #[test]
    fn seeds_reach_the_end() {
        let did = |bench: &Bench, what: &str| bench.trace.iter().any(|line| line.starts_with(what));
        for script in spoke_scripts().iter().filter(|script| script[0] == 0x20) {
            assert!(did(&spoke_says(script), "Install"));
        }
        // message 2 answers the first message, message 4 the fragments
        let pieces = stranger_says(&in_pieces());
        let sent = pieces.trace.iter().filter(|line| line.starts_with("Transmit")).count();
        assert!(sent == 2, "{sent}: {:?}", pieces.refusals);
        let [passed, refused] = [0, 1].map(|index| {
            let script = &client_scripts()[index];
            client_says(script[0], &script[1..])
        });
        assert!(did(&passed, "Install") && passed.trace.iter().any(|line| line.contains("AddressAssigned")));
        assert!(refused.refusals.len() > 2, "{:?}", refused.refusals);
        let gateway = gateway_says(&gateway_scripts()[0]);
        assert!(did(&gateway, "Assign"), "{:?}", gateway.refusals);
        assert!(gateway.trace.iter().any(|line| line.contains("Credentials")));
    }
}
