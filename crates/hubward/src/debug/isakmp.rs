//! Lines of `debug crypto isakmp`.

use super::line::{About, Class, Line, Tag};
use super::{engine, ipsec};
use hubward_proto::ike::proposal::{Phase1Difference, Phase2Difference};
use hubward_proto::ike::trace::{
    ConfigAnswer, EngineStep, Fsm, FsmInput, IdentityPayload, PayloadName, Phase1Judged, Phase2Judged, Trace,
    VendorSeen,
};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::wire::attribute::{Attribute, Value};
use hubward_proto::wire::registry::{config, id, ike, ipsec as attribute, notify, protocol};
use std::net::{IpAddr, Ipv4Addr};

/// Names of IOS's states.
fn state(fsm: Fsm) -> String {
    let name = match fsm {
        Fsm::Ready => "IKE_READY",
        Fsm::MainResponder(number) => return format!("IKE_R_MM{number}"),
        Fsm::MainInitiator(number) => return format!("IKE_I_MM{number}"),
        Fsm::AggressiveAaa => "IKE_R_AM_AAA_AWAIT",
        Fsm::AggressiveResponder => "IKE_R_AM2",
        Fsm::AggressiveInitiator => "IKE_I_AM1",
        Fsm::Phase1Complete => "IKE_P1_COMPLETE",
        Fsm::XauthStart => "IKE_XAUTH_AAA_START_LOGIN_AWAIT",
        Fsm::XauthRequested => "IKE_XAUTH_REQ_SENT",
        Fsm::XauthJudged => "IKE_XAUTH_AAA_CONT_LOGIN_AWAIT",
        Fsm::XauthSet => "IKE_XAUTH_SET_SENT",
        Fsm::ConfigAaa => "IKE_CONFIG_AUTHOR_AAA_AWAIT",
        Fsm::QuickReady => "IKE_QM_READY",
        Fsm::QuickSpi => "IKE_QM_SPI_STARVE",
        Fsm::QuickResponder => "IKE_QM_R_QM2",
        Fsm::QuickInitiator => "IKE_QM_I_QM1",
        Fsm::Phase2Complete => "IKE_QM_PHASE2_COMPLETE",
        Fsm::Ending => "IKE_DEST_SA",
    };
    name.into()
}

/// Names of what moves them.
fn input(input: FsmInput) -> &'static str {
    match input {
        FsmInput::MainMode => "IKE_MSG_FROM_PEER, IKE_MM_EXCH",
        FsmInput::AggressiveMode => "IKE_MSG_FROM_PEER, IKE_AM_EXCH",
        FsmInput::QuickMode => "IKE_MSG_FROM_PEER, IKE_QM_EXCH",
        FsmInput::ConfigRequest => "IKE_MSG_FROM_PEER, IKE_CFG_REQUEST",
        FsmInput::ConfigReply => "IKE_MSG_FROM_PEER, IKE_CFG_REPLY",
        FsmInput::ConfigAck => "IKE_MSG_FROM_PEER, IKE_CFG_ACK",
        FsmInput::ProcessMainMode => "IKE_MSG_INTERNAL, IKE_PROCESS_MAIN_MODE",
        FsmInput::ProcessComplete => "IKE_MSG_INTERNAL, IKE_PROCESS_COMPLETE",
        FsmInput::ProcessError => "IKE_MSG_INTERNAL, IKE_PROCESS_ERROR",
        FsmInput::Phase1Complete => "IKE_MSG_INTERNAL, IKE_PHASE1_COMPLETE",
        FsmInput::PresharedKey => "IKE_MSG_FROM_AAA, PRESHARED_KEY_REPLY",
        FsmInput::StartLogin => "IKE_MSG_FROM_AAA, IKE_AAA_START_LOGIN",
        FsmInput::ContinueLogin => "IKE_MSG_FROM_AAA, IKE_AAA_CONT_LOGIN",
        FsmInput::GroupAttributes => "IKE_MSG_FROM_AAA, IKE_AAA_GROUP_ATTR",
        FsmInput::SpiReply => "IKE_MSG_FROM_IPSEC, IKE_SPI_REPLY",
        FsmInput::RequestMain => "IKE_MSG_FROM_IPSEC, IKE_SA_REQ_MM",
        FsmInput::RequestAggressive => "IKE_MSG_FROM_IPSEC, IKE_SA_REQ_AM",
        FsmInput::RequestQuick => "IKE_MSG_INTERNAL, IKE_INIT_QM",
        FsmInput::Delete => "IKE_MSG_INTERNAL, IKE_PHASE1_DEL",
    }
}

fn payload(name: PayloadName) -> &'static str {
    match name {
        PayloadName::Sa => "SA",
        PayloadName::Ke => "KE",
        PayloadName::Nonce => "NONCE",
        PayloadName::Id => "ID",
        PayloadName::Hash => "HASH",
        PayloadName::Vendor => "vendor id",
        PayloadName::Delete => "DELETE",
    }
}

fn vendor(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Xauth => "Xauth",
        Vendor::Dpd => "DPD",
        Vendor::Unity => "Unity",
        Vendor::NatT => "NAT-T RFC 3947",
        Vendor::NatTDraft3 => "NAT-T v3",
        Vendor::NatTDraft2Newline | Vendor::NatTDraft2 => "NAT-T v2",
        Vendor::Fragmentation => "IKE Fragmentation",
    }
}

fn nat_vendor(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::NatT => "rfc3947",
        Vendor::NatTDraft3 => "03",
        _ => "02",
    }
}

/// Message ids are printed with a sign.
fn node(message_id: u32) -> i32 {
    i32::from_ne_bytes(message_id.to_ne_bytes())
}

fn role(initiator: bool) -> char {
    if initiator { 'I' } else { 'R' }
}

/// The lines of a step.
pub(super) fn lines(about: About, step: &Trace) -> Vec<Line> {
    let About { conn, path } = about;
    let line = |tag, text: String| Line::new(Class::Isakmp, tag, text);
    let sa = |text: String| vec![line(Tag::Sa(conn), text)];
    let plain = |text: &str| vec![line(Tag::Isakmp, text.to_string())];
    let peer = path.remote;
    match step {
        Trace::Received(at, initiator) => {
            let at = match at {
                Some(at) => format!("({}) {}", role(*initiator), at.ios_name()),
                None => "(N) NEW SA".into(),
            };
            let new = if at.starts_with("(N)") { 0 } else { conn };
            let text = format!(
                "received packet from {peer} dport {} sport {} Global {at}",
                path.local_port, path.remote_port
            );
            vec![line(Tag::Sa(new), text)]
        }
        Trace::Repeated => sa("phase 1 packet is a duplicate of a previous packet.".into()),
        Trace::NewSa => vec![
            line(Tag::Isakmp, format!("local port {}, remote port {}", path.local_port, path.remote_port)),
            line(Tag::Isakmp, format!("insert sa successfully sa = {conn:08X}")),
        ],
        Trace::Sent(at, initiator) => sa(format!(
            "sending packet to {peer} my_port {} peer_port {} ({}) {}",
            path.local_port,
            path.remote_port,
            role(*initiator),
            at.ios_name()
        )),
        Trace::Resent(at, initiator) => vec![
            line(Tag::Sa(conn), format!("retransmitting phase 1 {}...", at.ios_name())),
            line(
                Tag::Sa(conn),
                format!(
                    "sending packet to {peer} my_port {} peer_port {} ({}) {}",
                    path.local_port,
                    path.remote_port,
                    role(*initiator),
                    at.ios_name()
                ),
            ),
        ],
        Trace::Transition { node: of, input: by, old, new } => {
            let of = of.map_or_else(String::new, |of| format!("Node {}, ", node(of)));
            vec![
                line(Tag::Sa(conn), format!("{of}Input = {}", input(*by))),
                line(Tag::Sa(conn), format!("Old State = {}  New State = {}", state(*old), state(*new))),
            ]
        }
        Trace::Processing(PayloadName::Vendor, _) => sa("processing vendor id payload".into()),
        Trace::Processing(name, message_id) => {
            sa(format!("processing {} payload. message ID = {}", payload(*name), node(*message_id)))
        }
        Trace::KeySearch(address, keyrings) => keyrings
            .iter()
            .map(|(keyring, found)| {
                let found = if *found { " : success" } else { "" };
                let text = format!("Looking for a matching key for {address} in {keyring}{found}");
                line(Tag::Isakmp, text)
            })
            .collect(),
        Trace::KeyFound => sa(format!("found peer pre-shared key matching {peer}")),
        Trace::NoKey => sa(format!("No pre-shared key with {peer}!")),
        Trace::LocalKey => vec![line(Tag::Bare(conn), "local preshared key found".into())],
        Trace::KeyringFound(keyring) => sa(format!("Found ADDRESS key in keyring {keyring}")),
        Trace::ProfileScan(profiles) => {
            vec![line(Tag::Spaced, format!("Scanning profiles for xauth ... {}", profiles.join(" ")))]
        }
        Trace::XauthPossible => vec![line(Tag::Bare(conn), "Authentication by xauth preshared".into())],
        Trace::Phase1Transform(judged) => phase1(about, judged),
        Trace::Phase1Refused => vec![
            line(Tag::Sa(conn), "no offers accepted!".into()),
            line(
                Tag::Sa(conn),
                format!("phase 1 SA policy not acceptable! (local {} remote {peer})", path.local),
            ),
        ],
        Trace::Engine(step) => engine::lines(conn, *step),
        Trace::SkeyidGenerated => sa("SKEYID state generated".into()),
        Trace::Vendor(VendorSeen::Known(known)) => sa(format!("vendor ID is {}", vendor(*known))),
        Trace::Vendor(VendorSeen::Unlike(major)) => {
            sa(format!("vendor ID seems Unity/DPD but major {major} mismatch"))
        }
        Trace::Vendor(VendorSeen::IosBox) => sa("speaking to another IOS box!".into()),
        Trace::NatDialect(known) => sa(format!("vendor ID is {}", vendor(*known))),
        Trace::NatConstructed(known) => sa(format!("constructed NAT-T vendor-{} ID", nat_vendor(*known))),
        Trace::NatPayload { rfc } => {
            let number = if *rfc { 20 } else { 17 };
            vec![line(Tag::Tight, format!("received payload type {number}"))]
        }
        Trace::NatFound { local, remote } => {
            let mut out = Vec::new();
            if *local {
                out.extend(sa("NAT found, the node inside NAT".into()));
            }
            if *remote {
                out.extend(sa("NAT found, the node outside NAT".into()));
            }
            out
        }
        Trace::Identity(payload) => sa(identity(payload)),
        Trace::OwnIdentity { kind, xauth } => {
            let name = match *kind {
                id::IPV4_ADDR => "ID_IPV4_ADDR",
                id::FQDN => "ID_FQDN",
                id::USER_FQDN => "ID_USER_FQDN",
                id::KEY_ID => "ID_KEY_ID",
                _ => "another one",
            };
            let xauth = if *xauth { " plus XAUTH" } else { "" };
            sa(format!("SA is doing pre-shared key authentication{xauth} using id type {name}"))
        }
        Trace::IdentityLength(length) => {
            vec![line(Tag::Number(conn), format!("Total payload length: {length}"))]
        }
        Trace::Profile(Some(profile)) => sa(format!("peer matches {profile} profile")),
        Trace::Profile(None) => sa("peer matches *none* of the profiles".into()),
        Trace::ClientSettings => vec![
            line(Tag::Sa(conn), format!("Setting client config settings {conn:08X}")),
            line(Tag::Sa(conn), "(Re)Setting client xauth list  and state".into()),
        ],
        Trace::InitialContactCame => sa(format!(
            "processing NOTIFY INITIAL_CONTACT protocol 1\n        spi 0, message ID = 0, sa = {conn:08X}"
        )),
        Trace::Authenticated => sa("SA authentication status:\n        authenticated".into()),
        Trace::AuthenticatedWith => sa(format!("SA has been authenticated with {peer}")),
        Trace::InitialContact => sa(format!(
            "Process initial contact,\nbring down existing phase 1 and 2 SA's with local {} remote {peer} remote port {}",
            path.local, path.remote_port
        )),
        Trace::AddressReturned => sa("returning IP addr to the address pool".into()),
        Trace::PeerInserted => vec![line(
            Tag::Isakmp,
            format!(
                "Trying to insert a peer {}/{peer}/{}/,  and inserted successfully.",
                path.local, path.remote_port
            ),
        )],
        Trace::NewNode(message_id, at) => {
            vec![line(Tag::Isakmp, format!("set new node {} to {}", node(*message_id), at.ios_name()))]
        }
        Trace::NodeDeleted(message_id, reason) => {
            sa(format!("deleting node {} error FALSE reason \"{reason}\"", node(*message_id)))
        }
        Trace::NodePurged(message_id) => sa(format!("purging node {}", node(*message_id))),
        Trace::ResponderLifetime(seconds) => plain(&format!("Sending phase 1 responder lifetime {seconds}")),
        Trace::NeedXauth => sa("Need XAUTH".into()),
        Trace::AaaAnswered => plain("got callback 1"),
        Trace::XauthAsked(kind) => xauth("request", *kind),
        Trace::XauthReplied(kind) => xauth("reply", *kind),
        Trace::ConfigBegun(message_id) => {
            sa(format!("initiating peer config to {peer}. ID = {}", node(*message_id)))
        }
        Trace::ConfigAnswered(message_id) => {
            sa(format!("responding to peer config from {peer}. ID = {}", node(*message_id)))
        }
        Trace::ConfigCame(message_id) => {
            sa(format!("processing transaction payload from {peer}. message ID = {}", node(*message_id)))
        }
        Trace::ConfigKind(kind) => plain(match *kind {
            config::REQUEST => "Config payload REQUEST",
            config::REPLY => "Config payload REPLY",
            config::SET => "Config payload SET",
            config::ACK => "Config payload ACK",
            _ => "Config payload of an unknown type",
        }),
        Trace::XauthAcknowledged => sa("XAUTH ACK Processed".into()),
        Trace::ConfigAsked(kinds) => {
            let mut out = sa("checking request:".into());
            out.extend(kinds.iter().map(|kind| asked(*kind)));
            out
        }
        Trace::ConfigAddress(wanted, given) => {
            let wanted = wanted.unwrap_or(Ipv4Addr::UNSPECIFIED);
            vec![
                line(Tag::Sa(conn), format!("attributes sent in message:\n        Address: {wanted}")),
                line(Tag::Sa(conn), format!("allocating address {given}")),
                line(Tag::Isakmp, format!("Sending private address: {given}")),
            ]
        }
        Trace::ConfigAnswers(answers) => answers.iter().filter_map(|answer| answered(conn, answer)).collect(),
        Trace::Phase2Transform(judged) => phase2(about, judged),
        Trace::Phase2Refused => vec![
            line(Tag::Isakmp, "IPSec policy invalidated proposal".into()),
            line(
                Tag::Sa(conn),
                format!("phase 2 SA policy not acceptable! (local {} remote {peer})", path.local),
            ),
        ],
        Trace::ProposalRequest(selector, suite, mode) => ipsec::request(about, selector, *suite, *mode),
        Trace::ProxyCheck(map, taken) => ipsec::proxies(map, *taken),
        Trace::SpiAsked => sa("asking for 1 spis from ipsec".into()),
        Trace::SpiGiven(spi) => {
            let mut out = ipsec::spi(about, *spi);
            out.extend(plain("received ke message (2/1)"));
            out
        }
        Trace::PairCreated(pair) => {
            let text = ipsec::creating(about, pair);
            let created = |name: &str| format!("Creating {name} SAs\n{text}");
            vec![line(Tag::Sa(conn), created("IPSec")).classic(created("IPsec"))]
        }
        Trace::PairInstalled(pair) => ipsec::installed(about, pair),
        Trace::PairDeleted(inbound, outbound, suite) => ipsec::deleted(about, *inbound, *outbound, *suite),
        Trace::SaDeleted(at, initiator, reason) => sa(format!(
            "deleting SA reason \"{reason}\" state ({}) {} (peer {peer})",
            role(*initiator),
            at.ios_name()
        )),
        Trace::Dpd { came, ack, sequence } => {
            let name = if *ack { "DPD/R_U_THERE_ACK" } else { "DPD/R_U_THERE" };
            if *came {
                sa(format!("{name} received from peer {peer}, sequence 0x{sequence:X}"))
            } else {
                sa(format!("Sending NOTIFY {name} protocol 1, sequence 0x{sequence:X}"))
            }
        }
        Trace::Notified(kind, protocol, message_id) => sa(format!(
            "processing NOTIFY {} protocol {protocol}\n        spi 0, message ID = {}, sa = {conn:08X}",
            notify::name(*kind),
            node(*message_id)
        )),
    }
}

/// `ID payload` and its parts, a line each.
fn identity(payload: &IdentityPayload) -> String {
    let name = match payload.kind {
        id::IPV4_ADDR => "address",
        id::FQDN => "FQDN name",
        id::USER_FQDN => "USER FQDN",
        id::KEY_ID => "group id",
        _ => "data",
    };
    format!(
        "ID payload \n        next-payload : {}\n        type         : {} \n        {name:<12} : {} \n        protocol     : {} \n        port         : {} \n        length       : {}",
        payload.next, payload.kind, payload.text, payload.protocol, payload.port, payload.length
    )
}

/// A number as IOS prints those of four bytes: `(VPI) of  0x0 0x1 0x51 0x80 `.
fn duration(attribute: &Attribute) -> String {
    match &attribute.value {
        Value::Short(value) => format!("(basic) of {value}"),
        Value::Long(bytes) => {
            let bytes: Vec<_> = bytes.iter().take(8).map(|byte| format!("0x{byte:X}")).collect();
            format!("(VPI) of  {} ", bytes.join(" "))
        }
    }
}

fn number(attribute: &Attribute) -> u64 {
    attribute.as_number().unwrap_or_default()
}

/// `ISAKMP:      encryption 3DES-CBC`
fn attribute_line(text: impl AsRef<str>) -> Line {
    Line::new(Class::Isakmp, Tag::Isakmp, format!("     {}", text.as_ref()))
}

fn cipher(number: u64) -> String {
    match number {
        1 => "DES-CBC".into(),
        5 => "3DES-CBC".into(),
        7 => "AES-CBC".into(),
        other => format!("{other}?"),
    }
}

fn hash(number: u64) -> String {
    match number {
        1 => "MD5".into(),
        2 => "SHA".into(),
        4 => "SHA256".into(),
        5 => "SHA384".into(),
        6 => "SHA512".into(),
        other => format!("{other}?"),
    }
}

fn method(number: u64) -> String {
    match number {
        1 => "pre-share".into(),
        2 => "DSS".into(),
        3 => "RSA sig".into(),
        4 => "RSA encr".into(),
        65001 => "XAUTHInitPreShared".into(),
        65005 => "XAUTHInitRSA".into(),
        other => format!("{other}?"),
    }
}

fn life_type(number: u64) -> &'static str {
    match number {
        1 => "seconds",
        2 => "kilobytes",
        _ => "an unknown unit",
    }
}

/// A transform of phase 1 and its judgement.
fn phase1(about: About, judged: &Phase1Judged) -> Vec<Line> {
    let sa = |text: &str| Line::new(Class::Isakmp, Tag::Sa(about.conn), text);
    let mut out = vec![sa(&format!(
        "Checking ISAKMP transform {} against priority {} policy",
        judged.number, judged.priority
    ))];
    for attribute in &judged.attributes {
        let value = number(attribute);
        let text = match attribute.kind {
            ike::ENCRYPTION => format!("encryption {}", cipher(value)),
            ike::HASH => format!("hash {}", hash(value)),
            ike::AUTHENTICATION => format!("auth {}", method(value)),
            ike::GROUP => format!("default group {value}"),
            ike::LIFE_TYPE => format!("life type in {}", life_type(value)),
            ike::LIFE_DURATION => format!("life duration {}", duration(attribute)),
            ike::KEY_LENGTH => format!("keylength of {value}"),
            other => format!("unknown attribute {other}"),
        };
        out.push(attribute_line(text));
    }
    let next = if judged.more { 3 } else { 0 };
    match judged.differs {
        None => out.push(sa(&format!("atts are acceptable. Next payload is {next}"))),
        Some(difference) => {
            out.push(sa(match difference {
                Phase1Difference::Encryption => "Encryption algorithm offered does not match policy!",
                Phase1Difference::Hash => "Hash algorithm offered does not match policy!",
                Phase1Difference::Authentication => "Authentication method offered does not match policy!",
                Phase1Difference::Group => "Diffie-Hellman group offered does not match policy!",
                Phase1Difference::Attribute(_) => "Attributes offered are not supported!",
            }));
            out.push(sa(&format!("atts are not acceptable. Next payload is {next}")));
        }
    }
    out
}

fn transform(protocol: u8, id: u8) -> String {
    match (protocol, id) {
        (protocol::ESP, 2) => "ESP_DES".into(),
        (protocol::ESP, 3) => "ESP_3DES".into(),
        (protocol::ESP, 11) => "ESP_NULL".into(),
        (protocol::ESP, 12) => "ESP_AES ".into(),
        (protocol::ESP, 20) => "ESP_GCM".into(),
        (protocol::AH, 2) => "AH_MD5".into(),
        (protocol::AH, 3) => "AH_SHA".into(),
        (4, 3) => "IPPCP LZS".into(),
        (_, other) => format!("{other}?"),
    }
}

fn integrity(number: u64) -> String {
    match number {
        1 => "HMAC-MD5".into(),
        2 => "HMAC-SHA".into(),
        5 => "HMAC-SHA256".into(),
        6 => "HMAC-SHA384".into(),
        7 => "HMAC-SHA512".into(),
        other => format!("{other}?"),
    }
}

fn encapsulation(number: u64) -> String {
    let name = match number {
        1 => "Tunnel",
        2 => "Transport",
        3 | 61443 => "Tunnel-UDP",
        4 | 61444 => "Transport-UDP",
        _ => "?",
    };
    format!("encaps is {number} ({name})")
}

/// A transform of phase 2 and its judgement.
fn phase2(about: About, judged: &Phase2Judged) -> Vec<Line> {
    let sa = |text: String| Line::new(Class::Isakmp, Tag::Sa(about.conn), text);
    let plain = |text: String| Line::new(Class::Isakmp, Tag::Isakmp, text);
    let mut out = vec![
        sa(format!("Checking IPSec proposal {}", judged.proposal)),
        plain(format!("transform {}, {}", judged.number, transform(judged.protocol, judged.id))),
        plain("  attributes in transform:".into()),
    ];
    if let Some(first) = out.first_mut() {
        *first = first.clone().classic(format!("Checking IPsec proposal {}", judged.proposal));
    }
    for offered in &judged.attributes {
        let value = number(offered);
        let text = match offered.kind {
            attribute::LIFE_TYPE => format!("SA life type in {}", life_type(value)),
            attribute::LIFE_DURATION => format!("SA life duration {}", duration(offered)),
            attribute::GROUP => format!("group is {value}"),
            attribute::ENCAPSULATION => encapsulation(value),
            attribute::AUTHENTICATION => format!("authenticator is {}", integrity(value)),
            attribute::KEY_LENGTH => format!("key length is {value}"),
            other => format!("unknown attribute {other}"),
        };
        out.push(attribute_line(text));
    }
    out.extend(engine::lines(about.conn, EngineStep::ValidateProposal));
    let next = if judged.more { 3 } else { 0 };
    match judged.differs {
        None => out.push(sa("atts are acceptable.".into())),
        Some(difference) => {
            let why = match difference {
                Phase2Difference::Protocol => "protocol not supported",
                Phase2Difference::Cipher => "encryption algorithm not supported",
                Phase2Difference::Integrity => "integrity algorithm not supported",
                Phase2Difference::Mode => "encapsulation mode not supported",
                Phase2Difference::Pfs => "PFS group not supported",
                Phase2Difference::Attribute(_) => "attribute not supported",
            };
            let proposal = format!(
                "IPSEC(validate_proposal): transform proposal (prot {}, trans {}): {why}",
                judged.protocol, judged.id
            );
            out.push(Line::new(Class::Ipsec, Tag::Own, proposal));
            out.push(sa(format!("atts not acceptable. Next payload is {next}")));
        }
    }
    out
}

fn xauth(verb: &str, kind: u16) -> Vec<Line> {
    let name = match kind {
        config::XAUTH_TYPE => "XAUTH_TYPE_V2",
        config::XAUTH_USER_NAME => "XAUTH_USER_NAME_V2",
        config::XAUTH_USER_PASSWORD => "XAUTH_USER_PASSWORD_V2",
        config::XAUTH_PASSCODE => "XAUTH_PASSCODE_V2",
        config::XAUTH_MESSAGE => "XAUTH_MESSAGE_V2",
        config::XAUTH_CHALLENGE => "XAUTH_CHALLENGE_V2",
        config::XAUTH_DOMAIN => "XAUTH_DOMAIN_V2",
        config::XAUTH_STATUS => "XAUTH_STATUS_V2",
        config::XAUTH_NEXT_PIN => "XAUTH_NEXT_PIN_V2",
        config::XAUTH_ANSWER => "XAUTH_ANSWER_V2",
        _ => "of an unknown type",
    };
    vec![Line::new(Class::Isakmp, Tag::Own, format!("ISAKMP/xauth: {verb} attribute {name}"))]
}

/// An attribute's name: that of IOS 15, and whether IOS 12.3(6a) knew it too.
fn config_name(kind: u16) -> Option<(&'static str, bool)> {
    Some(match kind {
        config::ADDRESS => ("IP4_ADDRESS", true),
        config::NETMASK => ("IP4_NETMASK", true),
        config::DNS => ("IP4_DNS", true),
        config::NBNS => ("IP4_NBNS", true),
        config::ADDRESS_EXPIRY => ("ADDRESS_EXPIRY", true),
        config::APPLICATION_VERSION => ("APPLICATION_VERSION", true),
        config::UNITY_DEF_DOMAIN => ("DEFAULT_DOMAIN", true),
        config::UNITY_SPLIT_INCLUDE => ("SPLIT_INCLUDE", true),
        config::UNITY_BANNER => ("MODECFG_BANNER", false),
        config::UNITY_SAVE_PASSWORD => ("MODECFG_SAVEPWD", false),
        config::UNITY_SPLIT_DNS => ("SPLIT_DNS", false),
        config::UNITY_SPLIT_EXCLUDE => ("INCLUDE_LOCAL_LAN", false),
        config::UNITY_PFS => ("PFS", false),
        config::UNITY_BACKUP_SERVERS => ("BACKUP_SERVER", false),
        _ => return None,
    })
}

/// An attribute that a client asks for.
fn asked(kind: u16) -> Line {
    let unknown = format!("   UNKNOWN Unknown Attr: 0x{kind:X}");
    let line = |text| Line::new(Class::Isakmp, Tag::Isakmp, text);
    match config_name(kind) {
        Some((name, true)) => line(format!("   {name}")),
        Some((name, false)) => line(format!("   {name}")).classic(unknown),
        None => line(unknown),
    }
}

/// What becomes of an attribute that a client asked for: what is known and not configured passes in
/// silence.
fn answered(conn: u32, answer: &ConfigAnswer) -> Option<Line> {
    let attribute = match answer {
        ConfigAnswer::Sent(attribute) => attribute,
        ConfigAnswer::Left(kind) => {
            let unknown = format!("Unknown Attr: UNKNOWN (0x{kind:X})");
            let line = |text: String| Line::new(Class::Isakmp, Tag::Slash(conn), text);
            return match config_name(*kind) {
                Some((_, true)) => None,
                Some((name, false)) => Some(line(format!("{name} is not configured")).classic(unknown)),
                None => Some(line(unknown)),
            };
        }
    };
    let bytes = attribute.bytes();
    let address = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let name = config_name(attribute.kind).map_or("UNKNOWN", |(name, _)| name);
    let text = match (attribute.kind, address) {
        (config::DNS | config::NBNS, Ok(address)) => format!("Sending {name} server address: {address}"),
        (config::NETMASK, Ok(mask)) => format!("Sending subnet mask: {mask}"),
        (config::ADDRESS_EXPIRY, _) => {
            format!("Sending {name} seconds left to use the address: {}", number(attribute))
        }
        (config::UNITY_DEF_DOMAIN, _) => format!("Sending {name} default domain name: {text}"),
        (config::APPLICATION_VERSION, _) => format!("Sending {name} string: {text}"),
        (config::UNITY_SPLIT_INCLUDE, _) => format!("Sending {name}, {} networks", bytes.len() / 14),
        (config::UNITY_SPLIT_DNS | config::UNITY_BACKUP_SERVERS, _) => format!("Sending {name}: {text}"),
        _ => format!("Sending {name}"),
    };
    Some(Line::new(Class::Isakmp, Tag::Isakmp, text))
}
