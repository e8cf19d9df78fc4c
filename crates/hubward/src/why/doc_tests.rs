//! docs/why.md has a section for every cause, and `why` of gateways with the matching fault prints
//! each sentence that it quotes.

use super::world::{CLIENT_ADDRESS, HUB, HUB_ADDRESS, Login, SPOKE, SPOKE_ADDRESS, Side, Way, World, edit};
use crate::why::explanation::Explanation;
use crate::why::failure::Cause;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::attributes::Oddity;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::identity::IdentityError;
use hubward_proto::ike::misfit::{Phase1Misfit, Phase2Misfit, Phase2Offer};
use hubward_proto::ike::proposal::{Phase1Difference, Phase1Offer, Phase2Difference};
use hubward_proto::ike::snapshot::IsakmpState;
use hubward_proto::names::{InterfaceId, Untrusted, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::policy::Reserved;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// One broken network after another, and what is broken in it.
fn networks() -> Vec<(&'static str, World)> {
    let l2l = |more: &str| edit(HUB, "set isakmp-profile L2L", &format!("set isakmp-profile L2L\n  {more}"));
    let with_acl =
        |lines: &str| edit(&l2l("match address 101"), "call rsvp-sync", &format!("{lines}\ncall rsvp-sync"));
    let acl = "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255";
    let branch = "crypto isakmp profile Branch\n  keyring spokes\n  match identity address 0.0.0.0\n";
    let with_branch =
        edit(HUB, "crypto isakmp profile VPNclient\n", &format!("{branch}crypto isakmp profile VPNclient\n"));
    let call = |hub: &str, spoke: &str| World::call(hub, spoke, Way::Open);
    let client = |hub: &str, login| World::connect(hub, login);
    let mut exhausted = client(&edit(HUB, "10.5.5.254", "10.5.5.1"), Login::default());
    exhausted.client(Login::default(), Ipv4Addr::new(10, 51, 82, 101));
    let sha256 = |text: &str| edit(text, "esp-3des esp-sha-hmac", "esp-aes esp-sha256-hmac");
    let packets = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut world = call(&sha256(HUB), &sha256(SPOKE));
        world.packet("10.2.2.10", "10.1.1.10", change);
        world
    };
    let mut outside = call(&with_acl(acl), SPOKE);
    outside.packet("192.168.1.20", "10.1.1.10", |_| {});
    let keepalive = edit(
        HUB,
        "crypto isakmp policy 10",
        "crypto isakmp keepalive 10 3 periodic\ncrypto isakmp policy 10",
    );
    let mut dead = call(&keepalive, SPOKE);
    dead.way = Way::Dead;
    dead.run(Duration::from_secs(120));
    let keyrings = edit(
        &edit(HUB, "key cisco123", "key cisco999"),
        "crypto keyring spokes\n",
        "crypto keyring first\n  pre-shared-key address 10.100.2.102 key cisco123\ncrypto keyring spokes\n",
    );
    vec![
        ("phase 1 encryption", call(HUB, &edit(SPOKE, "encr 3des", "encr aes 256"))),
        ("phase 1 group", call(HUB, &edit(SPOKE, "  group 2", "  group 14"))),
        ("key", call(HUB, &edit(SPOKE, "cisco123", "cisco124"))),
        ("no way back", World::call(HUB, SPOKE, Way::NoWayBack)),
        (
            "no key",
            call(
                &edit(
                    HUB,
                    "pre-shared-key address 0.0.0.0 0.0.0.0",
                    "pre-shared-key address 192.0.2.0 255.255.255.0",
                ),
                SPOKE,
            ),
        ),
        ("another keyring", call(&keyrings, SPOKE)),
        (
            "two profiles",
            call(&edit(&with_branch, "set isakmp-profile L2L", "set isakmp-profile Branch"), SPOKE),
        ),
        (
            "no profile",
            call(
                &edit(
                    HUB,
                    "match identity address 0.0.0.0",
                    "match identity address 192.0.2.0 255.255.255.0",
                ),
                SPOKE,
            ),
        ),
        (
            "no entry for the profile",
            call(&edit(HUB, "set isakmp-profile L2L", "set isakmp-profile VPNclient"), SPOKE),
        ),
        (
            "no entry for the peer",
            call(
                &edit(
                    HUB,
                    "crypto map mymap 10 ipsec-isakmp dynamic dynmap",
                    "crypto map mymap 10 ipsec-isakmp\n  set peer 192.0.2.1\n  set transform-set myset\n  match address 101\naccess-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255",
                ),
                SPOKE,
            ),
        ),
        (
            "networks",
            call(&with_acl("access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.2.0 0.0.0.255"), SPOKE),
        ),
        ("transform set", call(HUB, &edit(SPOKE, "esp-3des esp-sha-hmac", "esp-aes 256 esp-sha-hmac"))),
        ("PFS", call(&l2l("set pfs group14"), SPOKE)),
        (
            "Xauth for a spoke",
            call(
                &edit(
                    HUB,
                    "match identity address 0.0.0.0\n",
                    "match identity address 0.0.0.0\n  client authentication list clientauth\n",
                ),
                SPOKE,
            ),
        ),
        ("password", client(HUB, Login { password: "sesame", ..Login::default() })),
        (
            "login list",
            client(
                &edit(HUB, "client authentication list clientauth", "client authentication list typo"),
                Login::default(),
            ),
        ),
        ("deny", call(&with_acl("access-list 101 deny ip any any"), SPOKE)),
        ("pre-share", call(&edit(HUB, "  authentication pre-share\n", ""), SPOKE)),
        (
            "no set",
            call(&edit(HUB, "myset\n  set isakmp-profile L2L", "typo\n  set isakmp-profile L2L"), SPOKE),
        ),
        ("user", client(HUB, Login { user: "nobody", ..Login::default() })),
        ("group", client(HUB, Login { group: "nosuchgroup", ..Login::default() })),
        (
            "group without a profile",
            client(
                &edit(HUB, "match identity group testgroup", "match identity group others"),
                Login::default(),
            ),
        ),
        ("group password", client(HUB, Login { group_password: "cisco322", ..Login::default() })),
        (
            "aggressive mode",
            client(
                &edit(
                    HUB,
                    "crypto isakmp policy 10",
                    "crypto isakmp aggressive-mode disable\ncrypto isakmp policy 10",
                ),
                Login::default(),
            ),
        ),
        ("pool", exhausted),
        ("no pool", client(&edit(HUB, "ip local pool ippool 10.5.5.1 10.5.5.254\n", ""), Login::default())),
        (
            "no mode-config",
            client(&edit(HUB, "  client configuration address respond\n", ""), Login::default()),
        ),
        ("nobody there", World::call(HUB, SPOKE, Way::Dead)),
        ("4500 blocked", World::call(HUB, SPOKE, Way::NatWithout4500)),
        ("power failure", dead),
        ("96 bits", packets(&|bytes| bytes.truncate(bytes.len() - 4))),
        ("a bad link", packets(&|bytes| bytes[40] ^= 1)),
        ("foreign packets", outside),
        ("lifetime", call(HUB, &edit(SPOKE, "  group 2\n", "  group 2\n  lifetime 28800\n"))),
    ]
}

/// Failures that are rarer than a wrong configuration: refusals as the engine reports them.
fn refusals() -> Vec<(Ipv4Addr, Refusal)> {
    let silence =
        Refusal::NoAnswer { state: IsakmpState::QmIdle, initiator: false, nat: false, repeated: false };
    let spoke = |refusal| (SPOKE_ADDRESS, refusal);
    let key_exchange =
        Refusal::NoAnswer { state: IsakmpState::MmSaSetup, initiator: true, nat: false, repeated: false };
    let once =
        Refusal::NoAnswer { state: IsakmpState::MmSaSetup, initiator: false, nat: false, repeated: false };
    vec![
        spoke(once),
        spoke(Refusal::PeerError { kind: 14, of_answer: true }),
        spoke(silence),
        (HUB_ADDRESS, key_exchange),
        spoke(Refusal::Hash),
        spoke(Refusal::NotOffered),
        spoke(Refusal::TooFast),
        spoke(Refusal::TooFastTogether),
        spoke(Refusal::TooManyOfSource),
        spoke(Refusal::TooMany),
        spoke(Refusal::TooManyChildren { limit: 258 }),
        spoke(Refusal::NoPhase2Proposal(Box::new(Phase2Misfit {
            offers: vec![Phase2Offer {
                protocol: 3,
                id: 3,
                odd: Some(Oddity::Unknown(11)),
                ..Phase2Offer::default()
            }],
            wanted: vec![("myset".into(), EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap())],
            pfs: None,
            difference: Phase2Difference::Attribute(Oddity::Unknown(11)),
        }))),
        spoke(Refusal::NoPhase1Proposal(Box::new(Phase1Misfit {
            offers: vec![Phase1Offer::default()],
            nearest: Some((Phase1Offer::default(), 10, Phase1Difference::Attribute(Oddity::Unknown(13)))),
        }))),
        spoke(Refusal::Identity(IdentityError::Addresses)),
        spoke(Refusal::KeyOfMany(Untrusted::new("branch7.example.org"))),
        spoke(Refusal::WrongGateway(Untrusted::new("vpn.example.org"))),
        (CLIENT_ADDRESS, Refusal::ForeignAddress("10.3.0.0/16".into())),
        spoke(Refusal::HeldNetwork {
            theirs: AddressRange::prefix("10.2.2.0/24".parse().unwrap()),
            range: AddressRange::prefix("10.2.0.0/16".parse().unwrap()),
            holder: [10, 100, 2, 103].into(),
        }),
        spoke(Refusal::ConfiguredNetwork {
            theirs: AddressRange::prefix("10.2.0.0/16".parse().unwrap()),
            sequence: 10,
        }),
        spoke(Refusal::ReservedNetwork {
            theirs: AddressRange::ANY_V4,
            reserved: AddressRange::ANY_V4,
            kind: Reserved::Everything,
        }),
    ]
}

/// Every sentence that is printed for those, by its cause.
fn sentences() -> BTreeSet<(&'static str, String)> {
    let mut said = BTreeSet::new();
    for (name, world) in networks() {
        assert!(
            world.sides.iter().any(|side| !(side.explanations().is_empty() && side.lifetimes().is_empty())),
            "{name}"
        );
        for side in &world.sides {
            said.extend(
                side.explanations().into_iter().chain(side.lifetimes()).map(|one| (one.cause, one.verdict)),
            );
        }
    }
    let mut hub = Side::new(HUB, HUB_ADDRESS, 1);
    for (remote, refusal) in refusals() {
        let path = Path {
            local: HUB_ADDRESS.into(),
            local_port: 500,
            remote: remote.into(),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        hub.record.note(Duration::ZERO, path, Cause::Refused(refusal));
    }
    let all = hub.explanations().into_iter().chain(super::lockout::of_all_kinds());
    said.extend(all.map(|one| (one.cause, one.verdict)));
    said
}

const PAGE: &str = include_str!("../../../../docs/why.md");
const JSON: &str = include_str!("../../../../docs/show-json.md");

/// The sections of the page and what they quote.
fn sections() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut sections = BTreeMap::new();
    let mut current = "";
    for line in PAGE.lines() {
        if let Some(cause) = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`')) {
            current = cause;
            assert!(sections.insert(cause, Vec::new()).is_none(), "{cause} has two sections");
        }
        if let Some(quoted) = line.strip_prefix("> ") {
            sections.get_mut(current).unwrap().push(quoted);
        }
    }
    sections
}

/// What is wrong where nothing was refused: its sentences need a whole gateway, and are checked where
/// `why` is a command (`exec/health_tests.rs`).
const HEALTH: [&str; 2] = [include_str!("health.rs"), include_str!("untried.rs")];

/// The causes that the code can name: the first argument of each `Explanation::new`, and what a
/// `match` gives it.
fn causes() -> BTreeSet<&'static str> {
    let sources = [
        include_str!("causes.rs"),
        include_str!("clients.rs"),
        HEALTH[0],
        HEALTH[1],
        include_str!("lifetime.rs"),
        include_str!("lockout.rs"),
        include_str!("proxies.rs"),
        include_str!("rivals.rs"),
    ];
    let new = sources.into_iter().flat_map(|text| text.split("Explanation::new(").skip(1));
    let literal = |text: &'static str| text.trim_start().strip_prefix('"')?.split('"').next();
    new.filter_map(literal).chain(["pfs", "transform-set"]).collect()
}

#[test]
fn every_cause_has_a_section_and_every_sentence_is_said() {
    let (sections, said) = (sections(), sentences());
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), causes());
    for (cause, quotes) in &sections {
        assert!(!quotes.is_empty(), "{cause} quotes nothing");
        if HEALTH.iter().any(|text| text.contains(&format!("Explanation::new(\"{cause}\""))) {
            continue;
        }
        for quote in quotes {
            assert!(said.contains(&(*cause, (*quote).to_string())), "{quote}\nis not among\n{said:#?}");
        }
    }
}

/// The values of `cause` in the JSON are the same ones.
#[test]
fn the_json_names_every_cause() {
    let list = JSON.split("`cause`: one of").nth(1).and_then(|rest| rest.split("`verdict`").next()).unwrap();
    let named: BTreeSet<_> = list.split('`').skip(1).step_by(2).collect();
    let mut failures = causes();
    // no failure, and so in no row
    failures.remove("lifetime");
    assert_eq!(named, failures);
}

#[test]
fn the_example_is_what_is_printed() {
    let example = PAGE.split("```\n").nth(1).unwrap();
    let world =
        World::call(HUB, &edit(SPOKE, "esp-3des esp-sha-hmac", "esp-aes 256 esp-sha-hmac"), Way::Open);
    let said: Explanation = world.hub("transform-set");
    let lines = said.lines.iter().map(|number| HUB.lines().nth(*number as usize - 1).unwrap().to_string());
    let mut out = format!("{}\n", said.verdict).into_bytes();
    super::print::evidence(&said, &lines.collect::<Vec<_>>(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), example);
}
