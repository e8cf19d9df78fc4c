//! Each payload of each message: missing, doubled, exchanged with its neighbour, a byte shorter, with
//! its reserved byte set, and followed by a payload that nobody knows. The message is sealed, and
//! its hash made, after it was changed, as a peer with the right key does it.

use super::golden;
use super::stories;
use super::story::{Draft, Part, part};
use hubward_proto::wire::registry::payload;

/// A payload type that is not assigned.
const UNKNOWN: u8 = 99;

/// The name of a payload, numbered if there are several of its type.
fn name(parts: &[Part], at: usize) -> String {
    let kind = parts[at].kind;
    let name = match kind {
        payload::SA => "SA",
        payload::KE => "KE",
        payload::ID => "ID",
        payload::HASH => "HASH",
        payload::NONCE => "NONCE",
        payload::NOTIFY => "N",
        payload::DELETE => "D",
        payload::VENDOR => "VID",
        payload::ATTRIBUTE => "ATTR",
        payload::NAT_D => "NAT-D",
        _ => "payload",
    };
    let same = |parts: &[Part]| parts.iter().filter(|part| part.kind == kind).count();
    if same(parts) > 1 { format!("{name} {}", same(&parts[..=at])) } else { name.into() }
}

fn changed(draft: &Draft, at: usize) -> Vec<(&'static str, Draft)> {
    let with = |change: &dyn Fn(&mut Vec<Part>)| {
        let mut draft = draft.clone();
        change(&mut draft.parts);
        draft
    };
    let mut out = vec![
        ("missing", with(&|parts| drop(parts.remove(at)))),
        ("doubled", with(&|parts| parts.insert(at + 1, parts[at].clone()))),
        (
            "a byte shorter",
            with(&|parts| {
                parts[at].body.pop();
            }),
        ),
        ("reserved byte set", with(&|parts| parts[at].reserved = 0x5a)),
        ("an unknown payload after it", with(&|parts| parts.insert(at + 1, part(UNKNOWN, [1, 2, 3, 4])))),
    ];
    if at + 1 < draft.parts.len() {
        out.push(("exchanged with the next", with(&|parts| parts.swap(at, at + 1))));
    }
    out
}

#[test]
fn every_payload_of_every_message() {
    let mut lines = Vec::new();
    for point in stories::all() {
        let said = format!("{} | {}", point.name, point.next.name);
        lines.push(format!("{said} | unchanged | {}", point.effect(&point.next.bytes())));
        for at in 0..point.next.parts.len() {
            for (how, draft) in changed(&point.next, at) {
                let name = name(&point.next.parts, at);
                lines.push(format!("{said} | {name} {how} | {}", point.effect(&draft.bytes())));
            }
        }
    }
    golden::compare("recorded/golden/payloads.txt", &lines);
}
