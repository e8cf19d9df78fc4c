//! How long a message may be, and how many parts it may have.

use super::peer::{self, Bench, Peer, clear, phase1_sa, phase1_transform, quick_mode};
use super::support::{HUB, client_policy, hub_policy, ip, test_group};
use super::{bench, from};
use hubward_crypto::secret::Secret;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, Command, CredentialField, Input, Question};
use hubward_proto::policy::ClientGroup;
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Config, Proposal, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, HEADER_LEN, Writer};
use hubward_proto::wire::registry::{config, exchange, ike, payload, protocol};
use std::net::Ipv4Addr;
use std::sync::Arc;

const NEW: Cookies = Cookies { initiator: Cookie([7; 8]), responder: Cookie::ZERO };

/// Sends a first message of main mode to a hub.
fn first_message(writer: &Writer) -> Bench {
    let mut bench = bench(hub_policy());
    let answer = bench.datagram(from(0), &clear(NEW, exchange::MAIN, writer));
    // exactly one answer: message 2 with the cookie of an SA, or a refusal of two fields
    assert!(answer.len() <= 1);
    assert_eq!(bench.refusals.is_empty(), bench.engine.inspect().isakmp.len() == 1);
    bench
}

fn offers(proposals: &[Proposal]) -> Bench {
    let mut writer = Writer::new();
    writer.push(payload::SA, write_sa(proposals));
    first_message(&writer)
}

/// Proposals of this many transforms each; the hub accepts every transform.
fn proposals_of(counts: impl IntoIterator<Item = usize>) -> Vec<Proposal> {
    counts
        .into_iter()
        .zip(1..)
        .map(|(count, number)| Proposal {
            number,
            protocol: protocol::ISAKMP,
            spi: vec![],
            transforms: (0..count)
                .map(|index| phase1_transform(u8::try_from(index).unwrap(), ike::AUTH_PRESHARED))
                .collect(),
        })
        .collect()
}

pub(crate) fn message_bytes(count: usize) -> Bench {
    let sa = phase1_sa(ike::AUTH_PRESHARED);
    let mut writer = Writer::new();
    let vendor = vec![0; count - HEADER_LEN - (4 + sa.len()) - 4];
    writer.push(payload::SA, sa).push(payload::VENDOR, vendor);
    assert_eq!(HEADER_LEN + writer.bytes().len(), count);
    first_message(&writer)
}

pub(crate) fn payloads(count: usize) -> Bench {
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    for _ in 1..count {
        writer.push(payload::VENDOR, [0; 16]);
    }
    first_message(&writer)
}

pub(crate) fn proposals(count: usize) -> Bench {
    offers(&proposals_of(std::iter::repeat_n(1, count)))
}

pub(crate) fn transforms_of_one_proposal(count: usize) -> Bench {
    offers(&proposals_of([count]))
}

pub(crate) fn transforms_of_all_proposals(count: usize) -> Bench {
    offers(&proposals_of([count / 2, count / 4, count - count / 2 - count / 4]))
}

/// A transform with too many attributes is not considered.
pub(crate) fn attributes(count: usize) -> Bench {
    let mut proposals = proposals_of([1]);
    let attributes = &mut proposals[0].transforms[0].attributes;
    // a lifetime may be repeated
    let life = [Attribute::short(ike::LIFE_TYPE, 1), Attribute::number(ike::LIFE_DURATION, 86_400)];
    let more = life.iter().cycle().take(count - attributes.len()).cloned();
    attributes.extend(more.collect::<Vec<_>>());
    offers(&proposals)
}

pub(crate) fn phase1_nonce(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut writer = Writer::new();
    writer
        .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [5; 128])
        .push(payload::NONCE, vec![1; count])
        .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    bench.datagram(from(0), &clear(NEW, exchange::AGGRESSIVE, &writer));
    bench
}

pub(crate) fn identity(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut name = b"testgroup".to_vec();
    // NULs at the end of a group's name are not part of it
    name.resize(count, 0);
    let mut writer = Writer::new();
    writer
        .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [5; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], name.as_slice()].concat());
    bench.datagram(from(0), &clear(NEW, exchange::AGGRESSIVE, &writer));
    bench
}

pub(crate) fn phase2_nonce(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
    let writer = quick_mode(
        0x1234_5678,
        &vec![1; count],
        [10, 2, 0, 0, 255, 255, 0, 0],
        [10, 1, 0, 0, 255, 255, 0, 0],
    );
    let message = peer.seal(exchange::QUICK, 77, &writer);
    bench.datagram(from(0), &message);
    bench
}

pub(crate) fn config_attributes(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
    let attributes = vec![Attribute::long(config::DNS, []); count];
    let message = Config { kind: config::REQUEST, identifier: 1, attributes };
    let mut writer = Writer::new();
    writer.push(payload::ATTRIBUTE, message.write());
    let sealed = peer.seal(exchange::TRANSACTION, 77, &writer);
    bench.datagram(from(0), &sealed);
    // a spoke has no mode-config; what counts here is that the message was read
    bench.refusals.retain(|refusal| *refusal != Refusal::NoModeConfig);
    bench
}

fn xauth(user: usize, password: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let (mut peer, message_id) = Peer::aggressive_mode(&mut bench, from(0), &test_group(), 3);
    let attributes = vec![
        Attribute::long(config::XAUTH_USER_NAME, vec![b'u'; user]),
        Attribute::long(config::XAUTH_USER_PASSWORD, vec![b'p'; password]),
    ];
    let reply = Config { kind: config::REPLY, identifier: 1, attributes };
    let mut writer = Writer::new();
    writer.push(payload::ATTRIBUTE, reply.write());
    let sealed = peer.seal(exchange::TRANSACTION, message_id, &writer);
    bench.datagram(from(0), &sealed);
    assert_eq!(bench.asked.len(), usize::from(bench.refusals.is_empty()), "only what fits is checked");
    bench
}

pub(crate) fn xauth_user(count: usize) -> Bench {
    xauth(count, 8)
}

pub(crate) fn xauth_password(count: usize) -> Bench {
    xauth(8, count)
}

/// A client whose gateway, another engine, assigns this many networks.
pub(crate) fn split_networks(count: usize) -> Bench {
    let networks = (0..count).map(|index| {
        let address = Ipv4Addr::from(0x0a00_0000 + (u32::try_from(index).unwrap() << 8));
        ipnet::Ipv4Net::new(address, 24).unwrap()
    });
    let group = Arc::new(ClientGroup { split_include: networks.collect(), ..(*test_group()).clone() });
    let address = ip("10.51.82.100");
    let mut hub = bench(hub_policy());
    let client = Engine::new(Arc::new(client_policy("10.51.82.100")), [2; 32], Instant::ORIGIN);
    let mut client = Bench::new(client);
    let (to_hub, to_client) = (peer::path(ip(HUB), address, 500), peer::path(address, ip(HUB), 500));
    let mut messages = client.input(Input::Command(Command::Connect { connection: "work".into() }));
    // until the networks are assigned or refused
    while !client.trace.iter().any(|line| line.starts_with("Assign(")) && client.refusals.is_empty() {
        let mut back = Vec::new();
        for message in messages.drain(..) {
            back.extend(hub.datagram(to_hub, &message));
        }
        back.extend(hub.wait(std::time::Duration::from_millis(100)));
        while let Some((id, question)) = hub.asked.pop() {
            let answer = match question {
                Question::Authorize { .. } => Answer::Group(Some(Arc::clone(&group))),
                Question::Authenticate { user, .. } => Answer::Accepted { user },
                _ => Answer::Lease(Ok(Ipv4Addr::new(10, 5, 5, 1).into())),
            };
            back.extend(hub.input(Input::Answer { id, answer }));
        }
        for message in back {
            messages.extend(client.datagram(to_client, &message));
        }
        messages.extend(client.wait(std::time::Duration::from_millis(100)));
        while let Some((id, _)) = client.asked.pop() {
            let fields = [(CredentialField::User, "u"), (CredentialField::Password, "p")];
            let fields = fields.map(|(field, text)| (field, Secret::new(text))).to_vec();
            messages.extend(client.input(Input::Answer { id, answer: Answer::Credentials(Some(fields)) }));
        }
    }
    let assigned = client.trace.iter().any(|line| line.starts_with("Assign("));
    assert_eq!(assigned, client.refusals.is_empty(), "{:?} {:?}", client.refusals, hub.refusals);
    client
}
