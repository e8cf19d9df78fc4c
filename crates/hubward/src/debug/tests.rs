//! The reference document's spoke and client against an engine of its hub's configuration: the
//! acceptance rows of its debug output.

use super::*;
use crate::base::format::Format;
use crate::gateway::aaa;
use crate::translate;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Answer, Effect, Input, Question};
use hubward_proto::ike::trace::TraceScope;
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::time::Instant;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

#[path = "../../../proto/tests/support/document.rs"]
mod document;

const HUB: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
const SPOKE: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 102);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 51, 82, 100);

/// An engine and the lists that it asks.
struct Hub {
    engine: Engine,
    config: hubward_config::model::Config,
    now: Instant,
    path: Path,
    lines: Vec<Line>,
    refused: Vec<String>,
}

impl Hub {
    fn new(remote: Ipv4Addr) -> Self {
        let config = hubward_config::parse(include_str!("../../../../examples/hub.cfg")).config;
        let outside = config.interfaces.iter().find(|interface| interface.crypto_map.is_some()).unwrap();
        let outside = InterfaceId(outside.number);
        let (policy, _) = translate::policy(&config, &[(outside, HUB.into())].into());
        let mut engine = Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN);
        engine.trace(TraceScope::All);
        let path = Path {
            local: HUB.into(),
            local_port: 500,
            remote: remote.into(),
            remote_port: 500,
            interface: outside,
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let now = Instant::ORIGIN + Duration::from_secs(1);
        Self { engine, config, now, path, lines: vec![], refused: vec![] }
    }

    fn effects(&mut self) -> Vec<Vec<u8>> {
        let mut said = vec![];
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Transmit { bytes, .. } => said.push(bytes),
                Effect::Event(event) => {
                    if let EventKind::Refused(refusal) = &event.kind {
                        self.refused.push(refusal.to_string());
                    }
                    self.lines.extend(lines(&event));
                }
                Effect::Ask { id, question } => {
                    let answer = match question {
                        Question::Authorize { list, group } => {
                            aaa::authorize(&self.config, list.as_deref(), &group)
                        }
                        Question::Authenticate { user, .. } => Answer::Accepted { user },
                        Question::Lease { .. } => Answer::Lease(Ok(Ipv4Addr::new(10, 5, 5, 1).into())),
                        Question::Credentials { .. } => Answer::Credentials(None),
                    };
                    self.engine.handle(self.now, Input::Answer { id, answer });
                }
                _ => {}
            }
        }
        said
    }

    fn told(&self, format: Format) -> Vec<String> {
        assert_eq!(self.refused, Vec::<String>::new());
        let collapse = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.lines.iter().map(|line| collapse(&line.text(format))).collect()
    }
}

impl document::Hub for Hub {
    fn say(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        self.engine.handle(self.now, Input::Datagram { path: self.path, bytes: message });
        self.effects()
    }

    fn tell(&mut self, message: &[u8]) {
        assert_eq!(self.say(message), Vec::<Vec<u8>>::new());
    }

    fn listen(&mut self) -> Vec<Vec<u8>> {
        self.now = self.engine.poll_timeout().expect("something is due").0;
        self.engine.handle_timeout(self.now);
        self.effects()
    }
}

fn spoke() -> Hub {
    let mut hub = Hub::new(SPOKE);
    document::Speaker::new(&mut hub, SPOKE, HUB, [7; 32]).spoke("cisco123");
    hub
}

fn client() -> Hub {
    let mut hub = Hub::new(CLIENT);
    document::Speaker::new(&mut hub, CLIENT, HUB, [8; 32]).client("testgroup", "cisco321", "mpa", "cisco");
    hub
}

/// Each of `wanted` is there, in this order.
fn in_order(told: &[String], wanted: &[&str]) {
    let mut rest = told.iter();
    for line in wanted {
        assert!(rest.any(|told| told == line), "no {line:?} where it should be in\n{}", told.join("\n"));
    }
}

#[test]
fn a19_the_states_of_a_lan_to_lan_tunnel() {
    let told = spoke().told(Format::Classic);
    let states: Vec<_> =
        told.iter().filter_map(|line| line.split_once("New State = ")).map(|(_, new)| new).collect();
    let expected = "IKE_R_MM1 IKE_R_MM1 IKE_R_MM2 IKE_R_MM3 IKE_R_MM3 IKE_R_MM4 IKE_R_MM5 IKE_R_MM5 \
        IKE_P1_COMPLETE IKE_P1_COMPLETE IKE_QM_SPI_STARVE IKE_QM_R_QM2 IKE_QM_PHASE2_COMPLETE";
    assert_eq!(states.join(" "), expected);
}

#[test]
fn a20_the_search_for_the_key_and_the_profile() {
    in_order(
        &spoke().told(Format::Classic),
        &[
            "ISAKMP: Looking for a matching key for 10.100.2.102 in default",
            "ISAKMP: Looking for a matching key for 10.100.2.102 in spokes : success",
            "ISAKMP (0:1) local preshared key found",
            "ISAKMP : Scanning profiles for xauth ... L2L VPNclient",
            "ISAKMP (0:1) Authentication by xauth preshared",
            "ISAKMP (0:1): peer matches L2L profile",
            "ISAKMP (0:1): Found ADDRESS key in keyring spokes",
        ],
    );
}

#[test]
fn a21_the_states_of_a_client() {
    let told = client().told(Format::Classic);
    let mut states: Vec<_> = told.iter().filter_map(|line| line.split_once("New State = ")).collect();
    states.dedup();
    let states: Vec<_> = states.into_iter().map(|(_, new)| new.trim_start_matches("IKE_")).collect();
    let expected = "R_AM_AAA_AWAIT R_AM2 P1_COMPLETE XAUTH_AAA_START_LOGIN_AWAIT XAUTH_REQ_SENT \
        XAUTH_AAA_CONT_LOGIN_AWAIT XAUTH_SET_SENT P1_COMPLETE P1_COMPLETE CONFIG_AUTHOR_AAA_AWAIT \
        P1_COMPLETE P1_COMPLETE QM_SPI_STARVE QM_R_QM2 QM_PHASE2_COMPLETE";
    assert_eq!(states.join(" "), expected);
    in_order(&told, &["ISAKMP (0:1): Need XAUTH", "ISAKMP (0:1): XAUTH ACK Processed"]);
}

#[test]
fn a22_the_group_is_an_identity_of_17_bytes() {
    let identity = "ISAKMP (0:1): ID payload next-payload : 13 type : 11 group id : testgroup protocol : 17 port : 500 length : 17";
    in_order(&client().told(Format::Classic), &[identity]);
}

#[test]
fn a23_vendor_ids_are_recognised() {
    let known =
        ["Xauth", "DPD", "NAT-T v2", "Unity"].map(|name| format!("ISAKMP (0:1): vendor ID is {name}"));
    in_order(&client().told(Format::Classic), &known.each_ref().map(String::as_str));
    let ios = "ISAKMP (0:1): speaking to another IOS box!";
    in_order(&spoke().told(Format::Classic), &["ISAKMP (0:1): processing vendor id payload", ios]);
    assert!(!client().told(Format::Classic).iter().any(|line| line == ios));
}

#[test]
fn a24_the_ninth_transform_is_taken() {
    let told = client().told(Format::Classic);
    in_order(
        &told,
        &[
            "ISAKMP (0:1): Checking ISAKMP transform 8 against priority 10 policy",
            "ISAKMP (0:1): Encryption algorithm offered does not match policy!",
            "ISAKMP (0:1): atts are not acceptable. Next payload is 3",
            "ISAKMP (0:1): Checking ISAKMP transform 9 against priority 10 policy",
            "ISAKMP (0:1): atts are acceptable. Next payload is 3",
        ],
    );
    assert!(!told.iter().any(|line| line.contains("ISAKMP transform 10")), "it goes on");
}

#[test]
fn a25_the_client_hears_of_the_shorter_lifetime() {
    in_order(&client().told(Format::Classic), &["ISAKMP: Sending phase 1 responder lifetime 86400"]);
    assert!(!spoke().told(Format::Classic).iter().any(|line| line.contains("responder lifetime")));
}

/// What was proposed is logged; the router's own 3600 seconds and 4608000 kilobytes apply.
#[test]
fn a30_the_clients_lifetime_is_told_and_not_kept() {
    let hub = client();
    let told = hub.told(Format::Classic);
    assert!(told.iter().any(|line| line.contains("lifedur= 2147483s and 0kb")));
    let created = told.iter().find(|line| line.contains("Creating IPsec SAs")).unwrap();
    assert_eq!(created.matches("lifetime of 2147483 seconds has client flags").count(), 2, "{created}");
    let children = hub.engine.inspect().children;
    let child = children.first().unwrap();
    assert_eq!(child.kilobytes, Some(4_608_000));
    assert_eq!(child.expires.since(child.established), Duration::from_secs(3600));
}

#[test]
fn a31_the_spokes_offer_is_taken() {
    in_order(
        &spoke().told(Format::Classic),
        &[
            "ISAKMP: encaps is 1 (Tunnel)",
            "ISAKMP: SA life duration (basic) of 3600",
            "ISAKMP: SA life duration (VPI) of 0x0 0x46 0x50 0x0",
            "ISAKMP: authenticator is HMAC-SHA",
            "ISAKMP (0:1): atts are acceptable.",
        ],
    );
}

#[test]
fn a32_connection_ids_and_flags() {
    let told = spoke().told(Format::Classic);
    let created = told.iter().find(|line| line.contains("Creating IPsec SAs")).unwrap();
    assert!(created.contains("and conn_id 2000 and flags 2"), "{created}");
    assert!(created.contains("has spi 1757151497 and conn_id 2001 and flags A"), "{created}");
}

#[test]
fn a33_the_map_and_the_tree() {
    let proxy = "IPSEC(kei_proxy): head = mymap, map->ivrf = , kei->ivrf =";
    let tree = "IPSEC(add mtree): src 10.1.0.0, dest 10.2.0.0, dest_port 0";
    in_order(&spoke().told(Format::Classic), &[proxy, proxy, proxy, proxy, tree]);
}

/// The same texts after the tag of newer IOS.
#[test]
fn the_modern_tag_has_the_connection_id_of_show() {
    let told = spoke().told(Format::Modern);
    in_order(
        &told,
        &[
            "ISAKMP:(0):received packet from 10.100.2.102 dport 500 sport 500 Global (N) NEW SA",
            "ISAKMP:(1001):Old State = IKE_READY New State = IKE_R_MM1",
            "CryptoEngine0: create ISAKMP SKEYID for conn id 1001",
            "ISAKMP:(1001):Total payload length: 12",
            "IPSEC(key_engine): got a queue event...",
        ],
    );
    let names = client().told(Format::Modern);
    in_order(&names, &["ISAKMP: MODECFG_BANNER", "ISAKMP:(1001):MODECFG_BANNER is not configured"]);
}

/// Lines of several lines are indented as IOS indents them.
#[test]
fn blocks_keep_their_indents() {
    let hub = spoke();
    let identity = hub.lines.iter().find(|line| line.text.starts_with("ID payload")).unwrap();
    assert!(identity.text.contains(
        "\n        next-payload : 8\n        type         : 1 \n        address      : 10.100.2.102 "
    ));
    let encryption = hub.lines.iter().find(|line| line.text.contains("encryption")).unwrap();
    assert_eq!(encryption.text(Format::Classic), "ISAKMP:      encryption 3DES-CBC");
}

/// A peer's identity cannot control a terminal.
#[test]
fn a_hostile_identity_is_escaped() {
    use hubward_proto::ike::trace::{IdentityPayload, Trace};
    use hubward_proto::names::{ConnId, Untrusted};
    let payload = IdentityPayload {
        next: 8,
        kind: 11,
        text: Untrusted::new("a\u{1b}[2J\nIPSEC(forged)\u{9b}"),
        protocol: 17,
        port: 500,
        length: 30,
    };
    let kind = EventKind::Trace(Box::new(Trace::Identity(payload)));
    let path = Some(Hub::new(CLIENT).path);
    let told = lines(&Event { connection: Some(ConnId(1001)), path, kind });
    let text = told[0].text(Format::Modern);
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}
