//! Each cause is produced by gateways whose configurations do not fit, message by message; what
//! `why` says first of it must name the first difference and the lines of the configuration.
//! Clients are in [`super::client_tests`].

use super::world::{HUB, HUB_ADDRESS, SPOKE, Way, World, differing, edit, line};
use crate::why::failure::Cause;
use crate::why::record::{FAILURES, Record};
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use std::net::Ipv4Addr;
use std::time::Duration;

#[test]
fn a_tunnel_that_comes_up_explains_nothing() {
    let world = World::call(HUB, SPOKE, Way::Open);
    for side in &world.sides {
        assert_eq!((side.up, side.explanations(), side.lifetimes()), (1, vec![], vec![]));
    }
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
    assert!(said.verdict.contains("does not decrypt with the key configured here"), "{}", said.verdict);
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

/// The static entry of a peer would accept its proposal, but the dynamic one before it captures the
/// peer.
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
        order.is_some_and(|advice| advice.contains("the dynamic entry 10 matches 10.100.2.102 before")),
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
    assert!(said.verdict.contains("LAN-to-LAN peer that does not support Xauth"), "{}", said.verdict);
    assert_eq!(differing(&said), [("Xauth", "not done", "required")]);
    assert!(said.lines.contains(&line(&hub, "crypto isakmp profile L2L")), "{:?}", said.lines);
    assert!(said.advice[0].contains("no-xauth"));
    // and what the spoke has to say of it
    let said = world.sides[1].said("xauth-asked");
    assert_eq!(
        said.verdict,
        "10.48.67.181 asks us for a user name and password (Xauth), but a LAN-to-LAN tunnel has neither: it takes us for a VPN client."
    );
    assert_eq!(differing(&said), [("Xauth", "required", "not done")]);
    assert_eq!(said.lines, [line(SPOKE, "crypto isakmp key")]);
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
    let lines = ["crypto ipsec transform-set myset", "crypto dynamic-map dynmap 10"];
    assert_eq!(said.lines, lines.map(|start| line(&hub, start)));
}

#[test]
fn no_crypto_map_entry() {
    let map = "crypto map mymap 10 ipsec-isakmp";
    let own = "  set peer 192.0.2.1\n  set transform-set myset\n  match address 101\naccess-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255";
    let hub = edit(HUB, &format!("{map} dynamic dynmap"), &format!("{map}\n{own}"));
    let said = World::call(&hub, SPOKE, Way::Open).hub("no-crypto-map-entry");
    assert_eq!(
        said.verdict,
        "No crypto map entry matches 10.100.2.102: no `set peer` names it, and there is no dynamic entry."
    );
    assert_eq!(differing(&said), [("peer", "10.100.2.102", "192.0.2.1")]);
    assert_eq!(said.lines, [line(&hub, map)]);
}

/// A hub with one profile more, for branch offices.
fn with_branch(profile: &str) -> String {
    edit(HUB, "crypto isakmp profile VPNclient\n", &format!("{profile}crypto isakmp profile VPNclient\n"))
}

const BRANCH: &str = "crypto isakmp profile Branch\n  keyring spokes\n  match identity address 0.0.0.0\n";

/// Two profiles fit the spoke alike; the first takes it, and the crypto map entry is for the
/// second.
#[test]
fn an_ambiguous_identity() {
    let hub = edit(&with_branch(BRANCH), "set isakmp-profile L2L", "set isakmp-profile Branch");
    let said = World::call(&hub, SPOKE, Way::Open).hub("ambiguous-identity");
    assert_eq!(
        said.verdict,
        "The identity 10.100.2.102 of 10.100.2.102 matches the ISAKMP profiles L2L and Branch equally well; the first in the configuration, L2L, was chosen, and no crypto map entry serves that profile."
    );
    let both = "L2L (address 0.0.0.0/0), Branch (address 0.0.0.0/0)";
    assert_eq!(differing(&said), [("identity", "10.100.2.102", both)]);
    assert_eq!(
        said.lines,
        ["L2L", "Branch"].map(|name| line(&hub, &format!("crypto isakmp profile {name}")))
    );
    assert!(said.advice[0].contains("match identity address 10.100.2.102 255.255.255.255"), "{said:?}");
    // the advice helps
    let hub = edit(
        &hub,
        "Branch\n  keyring spokes\n  match identity address 0.0.0.0",
        "Branch\n  keyring spokes\n  match identity address 10.100.2.102 255.255.255.255",
    );
    assert_eq!(World::call(&hub, SPOKE, Way::Open).sides[0].explanations(), []);
}

/// The same if the first profile requires Xauth of a peer that does not support it.
#[test]
fn an_ambiguous_identity_that_is_asked_for_xauth() {
    let hub = edit(
        &with_branch(BRANCH),
        "keyring spokes\n  match identity address 0.0.0.0\n!",
        "keyring spokes\n  match identity address 0.0.0.0\n  client authentication list clientauth\n!",
    );
    let said = World::call(&hub, SPOKE, Way::Open).hub("ambiguous-identity");
    assert!(
        said.verdict.ends_with("L2L, was chosen, and it requires Xauth, which the peer does not perform."),
        "{said:?}"
    );
    assert_eq!(
        said.lines,
        ["L2L", "Branch"].map(|name| line(&hub, &format!("crypto isakmp profile {name}")))
    );
}

/// The same where the key that opened phase 1 is in the second profile's keyring.
#[test]
fn an_ambiguous_identity_with_two_keyrings() {
    let keyring = "crypto keyring branches\n  pre-shared-key address 10.100.2.0 255.255.255.0 key cisco123\n";
    let branch = edit(BRANCH, "keyring spokes", "keyring branches");
    let hub = edit(&with_branch(&branch), "key cisco123", "key cisco999");
    let hub = edit(&hub, "crypto keyring spokes\n", &format!("{keyring}crypto keyring spokes\n"));
    let said = World::call(&hub, SPOKE, Way::Open).hub("ambiguous-identity");
    assert!(
        said.verdict.ends_with("L2L, was chosen, and its keyring has another key for the peer."),
        "{said:?}"
    );
    assert_eq!(
        said.lines,
        ["L2L", "Branch"].map(|name| line(&hub, &format!("crypto isakmp profile {name}")))
    );
}

/// The key that opened phase 1 is the default keyring's; the profile that took the identity has
/// another.
#[test]
fn a_key_of_another_keyring() {
    let hub = edit(
        &edit(HUB, "key cisco123", "key cisco999"),
        "crypto keyring spokes\n",
        "crypto keyring first\n  pre-shared-key address 10.100.2.102 key cisco123\ncrypto keyring spokes\n",
    );
    let said = World::call(&hub, SPOKE, Way::Open).hub("key-of-another-keyring");
    assert_eq!(
        said.verdict,
        "10.100.2.102 proved a key, but its identity matches profile L2L, whose keyring has another key for it."
    );
    assert_eq!(differing(&said), [("keyring", "first", "spokes")]);
    let lines = [
        "pre-shared-key address 10.100.2.102",
        "pre-shared-key address 0.0.0.0",
        "crypto isakmp profile L2L",
    ];
    assert_eq!(said.lines, lines.map(|start| line(&hub, start)));
}

/// `authentication pre-share` was forgotten: such a policy wants certificates.
#[test]
fn policies_without_pre_share() {
    let hub = edit(HUB, "  authentication pre-share\n", "");
    let said = World::call(&hub, SPOKE, Way::Open).hub("phase1-proposal");
    assert_eq!(
        said.verdict,
        "10.100.2.102 initiates phase 1, but none of our ISAKMP policies has `authentication pre-share`: without that line a policy requires certificates, which are not supported here."
    );
    assert_eq!(said.lines, [line(&hub, "crypto isakmp policy 10")]);

    let policy = "crypto isakmp policy 10\n  encr 3des\n  authentication pre-share\n  group 2\n";
    let said = World::call(&edit(HUB, policy, ""), SPOKE, Way::Open).hub("phase1-proposal");
    assert_eq!(said.verdict, "10.100.2.102 initiates phase 1, but no ISAKMP policy is configured here.");
}

#[test]
fn a_transform_set_that_is_not_there() {
    let hub = edit(HUB, "myset\n  set isakmp-profile L2L", "typo\n  set isakmp-profile L2L");
    let said = World::call(&hub, SPOKE, Way::Open).hub("transform-set");
    assert_eq!(
        said.verdict,
        "Phase 1 with 10.100.2.102 is up, but its crypto map entry names no configured transform set."
    );
    assert_eq!(said.lines, [line(&hub, "crypto dynamic-map dynmap 10")]);
}

/// Two groups: neither side is reported to have none.
#[test]
fn two_groups_of_perfect_forward_secrecy() {
    let hub = edit(HUB, "set isakmp-profile L2L", "set isakmp-profile L2L\n  set pfs group5");
    let spoke = edit(SPOKE, "set transform-set myset", "set transform-set myset\n  set pfs group2");
    let said = World::call(&hub, &spoke, Way::Open).hub("pfs");
    assert_eq!(differing(&said), [("PFS", "group2", "group5")]);
    assert_eq!(said.advice, ["Here: `set pfs group2` in the crypto map entry; or there: group 5."]);
}

/// The advice for a peer whose identity is its name.
#[test]
fn a_name_that_no_profile_matches() {
    let name = "ip domain name example.com\ncrypto isakmp identity hostname\ncrypto isakmp policy 10";
    let spoke = edit(SPOKE, "crypto isakmp policy 10", name);
    let said = World::call(HUB, &spoke, Way::Open).hub("no-profile");
    assert_eq!(differing(&said)[0].1, "Spoke.example.com");
    assert!(said.advice[0].starts_with("Here: `match identity host Spoke.example.com`"), "{said:?}");
}

#[test]
fn lifetimes_that_differ() {
    let phase1 = edit(SPOKE, "  group 2\n", "  group 2\n  lifetime 3600\n");
    let phase2 = edit(
        SPOKE,
        "crypto ipsec transform-set",
        "crypto ipsec security-association lifetime seconds 1800\ncrypto ipsec transform-set",
    );
    // the spoke's is shorter: the hub knows it from the proposal; the hub's is shorter: the spoke
    // is notified
    let policy = line(HUB, "crypto isakmp policy 10");
    let global = line(&phase2, "crypto ipsec security-association");
    for (hub, spoke, of, phase, theirs, ours, lines) in [
        (HUB, phase1.as_str(), 0, 1, "3600", "86400", vec![policy]),
        (
            &edit(HUB, "  group 2\n", "  group 2\n  lifetime 3600\n"),
            SPOKE,
            1,
            1,
            "3600",
            "86400",
            vec![line(SPOKE, "crypto isakmp policy 10")],
        ),
        (
            &edit(HUB, "  group 2\n", "  group 2\n  lifetime 3600\n"),
            SPOKE,
            0,
            1,
            "86400",
            "3600",
            vec![policy],
        ),
        (HUB, phase2.as_str(), 0, 2, "1800", "3600", vec![line(HUB, "crypto dynamic-map dynmap 10")]),
        (
            &edit(
                HUB,
                "set isakmp-profile L2L",
                "set isakmp-profile L2L\n  set security-association lifetime seconds 1200",
            ),
            &phase2,
            1,
            2,
            "1200",
            "1800",
            vec![global, line(&phase2, "crypto map mymap 10")],
        ),
    ] {
        let world = World::call(hub, spoke, Way::Open);
        let side = &world.sides[of];
        // the tunnel is up, and this is not a failure
        assert_eq!((side.up, side.explanations()), (1, vec![]));
        let [said] = &side.lifetimes()[..] else { panic!("{:#?}", side.lifetimes()) };
        let peer = ["10.100.2.102", "10.48.67.181"][of];
        let shorter = theirs.parse::<u32>().unwrap().min(ours.parse().unwrap());
        assert_eq!(said.cause, "lifetime");
        assert_eq!(
            said.verdict,
            format!(
                "The lifetimes of phase {phase} differ: {peer} wants {theirs} seconds, we want {ours}; the shorter one, {shorter} seconds, applies; that is not an error."
            )
        );
        // they differ, and nothing is wrong: no arrow
        let sides: Vec<_> =
            said.sides.iter().map(|side| (side.theirs.as_str(), side.ours.as_str(), side.differs)).collect();
        assert_eq!(sides, [(theirs, ours, false)]);
        assert_eq!(said.lines, lines);
    }
}

/// What the refused side reports: not that there is no answer.
#[test]
fn a_peer_that_refuses() {
    let spoke = edit(SPOKE, "encr 3des", "encr aes 256");
    let said = World::call(HUB, &spoke, Way::Open).sides[1].said("peer-error");
    assert_eq!(
        said.verdict,
        "10.48.67.181 rejects our request: it reports NO_PROPOSAL_CHOSEN, so it accepts none of our ISAKMP policies."
    );
    assert_eq!(
        differing(&said),
        [("policy 10", "refused", "aes 256, sha, pre-share, group 2, lifetime 86400")]
    );
    assert_eq!(said.lines, [line(SPOKE, "crypto isakmp policy 10")]);

    let spoke = edit(SPOKE, "esp-3des esp-sha-hmac", "esp-aes 256 esp-sha-hmac");
    let said = World::call(HUB, &spoke, Way::Open).sides[1].said("peer-error");
    assert!(
        said.verdict
            .ends_with("so it accepts none of our transform sets, or requires a different PFS setting."),
        "{said:?}"
    );
    assert_eq!(said.lines, [line(SPOKE, "crypto ipsec transform-set myset")]);

    let hub = edit(HUB, "set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    let hub = edit(
        &hub,
        "call rsvp-sync",
        "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.2.0 0.0.0.255\ncall rsvp-sync",
    );
    let said = World::call(&hub, SPOKE, Way::Open).sides[1].said("peer-error");
    assert!(
        said.verdict.ends_with(
            "its access list does not mirror ours, or none of its crypto map entries or profiles is for us."
        ),
        "{said:?}"
    );
    assert_eq!(said.lines, [line(SPOKE, "access-list 100 permit")]);
}

#[test]
fn no_answer_at_all() {
    let world = World::call(HUB, SPOKE, Way::Dead);
    let said = world.sides[1].said("no-answer");
    assert_eq!(said.verdict, "10.48.67.181 does not answer at all: nothing came back from its UDP port 500.");
    assert_eq!(said.lines, [line(SPOKE, "crypto isakmp key")]);
    assert_eq!(world.sides[0].explanations().len(), 0, "the hub heard nothing");
}

#[test]
fn every_difference_is_marked() {
    let phase1 = edit(&edit(SPOKE, "encr 3des", "encr aes 256"), "  group 2", "  group 14");
    let said = World::call(HUB, &phase1, Way::Open).hub("phase1-proposal");
    assert_eq!(differing(&said), [("encryption", "aes 256", "3des"), ("group", "14", "2")]);
    let phase2 = edit(SPOKE, "esp-3des esp-sha-hmac", "esp-aes 256 esp-md5-hmac");
    let said = World::call(HUB, &phase2, Way::Open).hub("transform-set");
    assert_eq!(
        differing(&said),
        [("encryption", "esp-aes 256", "esp-3des"), ("integrity", "esp-md5-hmac", "esp-sha-hmac")]
    );
}

/// Where no key is in use yet, none differs.
#[test]
fn the_way_back_and_not_the_key() {
    let world = World::call(HUB, SPOKE, Way::NoWayBack);
    let said = world.hub("no-way-back");
    assert!(said.verdict.contains("lost on the way back") && !said.verdict.contains("key"), "{said:#?}");
    assert!(said.advice[0].contains("`show ip route`"), "{said:#?}");
    assert_eq!(world.sides[1].said("no-answer").lines, [line(SPOKE, "crypto isakmp key")]);
}

#[test]
fn a_nat_with_4500_blocked() {
    let mut world = World::call(HUB, SPOKE, Way::NatWithout4500);
    for side in &world.sides {
        let said = side.said("udp-4500-blocked");
        assert!(said.verdict.contains("nothing arrived on UDP port 4500"), "{}", said.verdict);
        assert!(said.advice[0].starts_with("Open UDP 4500"));
    }
    // and if the tunnel comes up after all, that is reported as well
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
    assert!(said.verdict.contains("has stopped answering (dead peer detection)"), "{}", said.verdict);
    assert_eq!(said.lines, [line(&hub, "crypto isakmp keepalive")]);
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
