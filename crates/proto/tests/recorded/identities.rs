//! The identity types of RFC 2407 section 4.6.2.1 and one that is not assigned, in each place where a
//! peer names one: phase 1 in main and in aggressive mode, to a hub and from a hub, and both proxy
//! identities of quick mode. The peer has the right key.

use super::golden;
use super::stories;
use super::story::Point;
use hubward_proto::wire::registry::payload;

const V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

/// Type, name and value.
fn identities() -> Vec<(u8, &'static str, Vec<u8>)> {
    // C=DE, CN=branch
    let name = b"\x30\x1e\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06branch";
    vec![
        (1, "IPV4_ADDR", vec![10, 2, 2, 2]),
        (2, "FQDN", b"branch.example.net".to_vec()),
        (3, "USER_FQDN", b"user@example.net".to_vec()),
        (4, "IPV4_ADDR_SUBNET", vec![10, 2, 0, 0, 255, 255, 0, 0]),
        (5, "IPV6_ADDR", V6.to_vec()),
        (6, "IPV6_ADDR_SUBNET", [V6, [0xff; 16]].concat()),
        (7, "IPV4_ADDR_RANGE", vec![10, 2, 0, 1, 10, 2, 0, 9]),
        (8, "IPV6_ADDR_RANGE", [V6, V6].concat()),
        (9, "DER_ASN1_DN", name.to_vec()),
        (10, "DER_ASN1_GN", [&b"\x82\x12"[..], b"branch.example.net"].concat()),
        (11, "KEY_ID", b"testgroup".to_vec()),
        (12, "12, not assigned", vec![1, 2, 3, 4]),
        (200, "200, not assigned", vec![1, 2, 3, 4]),
    ]
}

/// The `which`th ID payload of the point's message becomes another; protocol and port stay.
fn replaced(point: &Point, which: usize, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut draft = point.next.clone();
    let mut ids = draft.parts.iter_mut().filter(|part| part.kind == payload::ID);
    let id = ids.nth(which).expect("an ID payload");
    id.body = [&[kind], &id.body[1..4], value].concat();
    draft.bytes()
}

#[test]
fn every_type_of_identity_in_every_place() {
    let points = stories::all();
    let places = [
        ("IDii", "hub with branch: main mode 4 sent", 0),
        ("IDir", "branch with hub: main mode 5 sent", 0),
        ("IDii", "hub with client: no SA", 0),
        ("IDir", "client with hub: aggressive mode 1 sent", 0),
        ("IDci", "hub with branch: phase 1 established", 0),
        ("IDcr", "hub with branch: phase 1 established", 1),
        ("IDci", "hub with client: address assigned", 0),
        ("IDcr", "hub with client: address assigned", 1),
        ("IDci", "branch with hub: quick mode 1 sent", 0),
        ("IDcr", "branch with hub: quick mode 1 sent", 1),
    ];
    let mut lines = Vec::new();
    for (place, state, which) in places {
        let point = points.iter().find(|point| point.name == state && point.first).expect(state);
        for (kind, name, value) in identities() {
            let effect = point.effect(&replaced(point, which, kind, &value));
            lines.push(format!("{state} | {place} of {} | {name} | {effect}", point.next.name));
        }
    }
    golden::compare("recorded/golden/identities.txt", &lines);
}
