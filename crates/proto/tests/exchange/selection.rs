//! Which crypto map entry serves a peer, and which peer is asked for Xauth.

use super::hub_and_spoke;
use super::support::*;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::names::Service;
use hubward_proto::policy::{
    CryptoAcl, CryptoAclLine, DynamicEntry, EntryTerms, KeyPeer, MapEntry, MapEntryKind, Policy,
    PresharedKey, TransformSet,
};
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";

/// A hub without profiles, whose map has a static entry for the spoke and a dynamic one, with these
/// sequence numbers.
fn hub_with_both(static_sequence: u16, dynamic_sequence: u16) -> Policy {
    let mut policy = hub_policy();
    policy.profiles.clear();
    let line = CryptoAclLine {
        permit: true,
        selector: Selector::between(net("10.1.0.0/16"), net("10.2.0.0/16")),
        line: 1,
    };
    let acl = Arc::new(CryptoAcl { name: "101".into(), lines: vec![line] });
    let mut entries = vec![
        MapEntry {
            sequence: static_sequence,
            kind: MapEntryKind::Static {
                peers: vec![ip(SPOKE)],
                terms: EntryTerms { acl: Some(acl), ..terms() },
            },
            line: 1,
        },
        MapEntry {
            sequence: dynamic_sequence,
            kind: MapEntryKind::Dynamic {
                name: "dynmap".into(),
                entries: vec![DynamicEntry { sequence: 5, terms: terms(), line: 1 }],
            },
            line: 1,
        },
    ];
    entries.sort_by_key(|entry| entry.sequence);
    Arc::make_mut(&mut policy.maps[0]).entries = entries;
    policy
}

fn tunnel_with(policy: Policy) -> World {
    let mut world = hub_and_spoke();
    world.nodes[0] = Node::new(HUB, policy, 1);
    world.acquire(1);
    world.run(Duration::from_secs(3));
    world
}

/// A10: a static entry before the dynamic one serves its peer.
#[test]
fn a10_static_before_dynamic() {
    let world = tunnel_with(hub_with_both(10, 65535));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    assert_eq!(world.nodes[0].engine.inspect().children[0].service, Service::entry("mymap", 10));
}

/// A11: a dynamic entry before the static one captures the static peer, as on IOS.
#[test]
fn a11_dynamic_before_static() {
    let world = tunnel_with(hub_with_both(20, 10));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    let clone = Service::dynamic("mymap", 10, "dynmap", 5);
    assert_eq!(world.nodes[0].engine.inspect().children[0].service, clone);
}

/// A05: without profiles, `crypto map client authentication list` asks a spoke for Xauth too, and
/// the spoke cannot answer.
#[test]
fn a05_the_map_asks_a_spoke_for_xauth() {
    let mut policy = hub_with_both(10, 65535);
    Arc::make_mut(&mut policy.maps[0]).xauth_list = Some("clientauth".into());
    let world = tunnel_with(policy);
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty()));
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("must pass Xauth")));
}

/// A06: `crypto isakmp key ... no-xauth` excepts the spoke.
#[test]
fn a06_no_xauth_excepts_a_spoke() {
    let mut policy = hub_with_both(10, 65535);
    Arc::make_mut(&mut policy.maps[0]).xauth_list = Some("clientauth".into());
    let key = PresharedKey {
        peer: KeyPeer::Address(AddressRange::host(ip(SPOKE))),
        no_xauth: true,
        ..policy.keyrings[0].keys[0].clone()
    };
    policy.keyrings[0].keys.push(key);
    let world = tunnel_with(policy);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    assert!(!world.nodes[0].engine.inspect().isakmp[0].xauth);
}

/// `set isakmp-profile` of the only entry that could serve the peer names another profile, so the
/// peer is refused.
#[test]
fn an_entry_of_another_profile_serves_nobody_else() {
    let mut policy = hub_policy();
    policy.profiles.remove(0);
    let world = tunnel_with(policy);
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty()));
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("no crypto map entry serves")));
}

/// What a left-out dynamic entry would have accepted is refused, and not served by the entry after
/// it. What its profile or transform sets do not match is passed to the next entry, as on a router.
#[test]
fn an_entry_that_is_left_out_refuses_whom_it_would_have_served() {
    let of = |left_out: EntryTerms| {
        let mut policy = hub_policy();
        let entries =
            [(5, EntryTerms { left_out: true, ..left_out }), (10, EntryTerms { profile: None, ..terms() })];
        let entries = entries.map(|(sequence, terms)| DynamicEntry { sequence, terms, line: 1 });
        let kind = MapEntryKind::Dynamic { name: "dynmap".into(), entries: entries.into() };
        Arc::make_mut(&mut policy.maps[0]).entries = vec![MapEntry { sequence: 10, kind, line: 1 }];
        tunnel_with(policy)
    };
    let another = TransformSet {
        suite: EspSuite::new(EspCipher::Aes256, Some(EspAuth::Sha1)).unwrap(),
        ..terms().transform_sets[0].clone()
    };
    for (left_out, served) in [
        (terms(), false),
        (EntryTerms { transform_sets: vec![], ..terms() }, false),
        (EntryTerms { profile: Some("OTHER".into()), ..terms() }, true),
        (EntryTerms { transform_sets: vec![another], ..terms() }, true),
    ] {
        let world = of(left_out.clone());
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), served, "{left_out:?}");
        let refused =
            world.nodes[0].refusals().iter().any(|text| text.contains("no crypto map entry serves"));
        assert_ne!(refused, served, "{left_out:?}");
        if served {
            let service = &world.nodes[0].engine.inspect().children[0].service;
            assert_eq!(service.template().map(|template| template.sequence), Some(10));
        }
    }
}
