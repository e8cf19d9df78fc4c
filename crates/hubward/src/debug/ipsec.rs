//! Lines of `debug crypto ipsec`: the key engine, which IOS asks for SPIs and passes SAs to.

use super::line::{About, Class, Line, Tag};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::ike::trace::Pair;
use hubward_proto::names::{ChildId, Spi};
use hubward_proto::path::Mode;
use std::net::{IpAddr, Ipv4Addr};

/// The number of ESP for SPIs.
const ESP: u8 = 3;
/// IP protocol of ESP.
const IP_ESP: u8 = 50;

fn ipsec(text: impl Into<String>) -> Line {
    Line::new(Class::Ipsec, Tag::Own, text)
}

/// A transform as a transform set spells it: `esp-3des esp-sha-hmac `.
fn transform(suite: EspSuite) -> String {
    let cipher = match suite.cipher() {
        EspCipher::Des => "esp-des",
        EspCipher::TripleDes => "esp-3des",
        EspCipher::Aes128 => "esp-aes",
        EspCipher::Aes192 => "esp-aes 192",
        EspCipher::Aes256 => "esp-aes 256",
        EspCipher::AesGcm128 => "esp-gcm",
        EspCipher::AesGcm256 => "esp-gcm 256",
    };
    let auth = suite.auth().map(|auth| match auth {
        EspAuth::Md5 => "esp-md5-hmac",
        EspAuth::Sha1 => "esp-sha-hmac",
        EspAuth::Sha256 => "esp-sha256-hmac",
        EspAuth::Sha384 => "esp-sha384-hmac",
        EspAuth::Sha512 => "esp-sha512-hmac",
    });
    auth.map_or_else(|| format!("{cipher} "), |auth| format!("{cipher} {auth} "))
}

/// Bits of an AES key, 0 for what has no choice of lengths.
fn keysize(suite: EspSuite) -> u16 {
    match suite.cipher() {
        EspCipher::Des | EspCipher::TripleDes => 0,
        EspCipher::Aes128 | EspCipher::AesGcm128 => 128,
        EspCipher::Aes192 => 192,
        EspCipher::Aes256 | EspCipher::AesGcm256 => 256,
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Tunnel => "Tunnel",
        Mode::Transport => "Transport",
    }
}

/// `10.1.0.0/255.255.0.0/0/0 (type=4)`; a host with the mask `host`.
fn proxy(range: AddressRange, protocol: Option<u8>, port: Option<u16>, host: Ipv4Addr) -> String {
    let (mask, kind) = match range.to_prefix() {
        Some(net) if net.prefix_len() == 32 => (IpAddr::V4(host), 1),
        Some(net) => (net.netmask(), 4),
        None => (range.last(), 7),
    };
    let (protocol, port) = (protocol.unwrap_or(0), port.unwrap_or(0));
    format!("{}/{mask}/{protocol}/{port} (type={kind})", range.first())
}

/// The connection ids of a child SA, in and out.
fn conn_ids(child: ChildId) -> (u64, u64) {
    let inbound = 1998_u64.saturating_add(child.0.saturating_mul(2));
    (inbound, inbound.saturating_add(1))
}

/// What a key engine message says of the child SA.
struct Message<'a> {
    direction: &'a str,
    selector: &'a Selector,
    suite: EspSuite,
    mode: Mode,
    seconds: u64,
    kilobytes: u64,
    spi: u32,
    conn_id: u64,
    flags: &'a str,
}

fn message(about: About, message: &Message<'_>, host: Ipv4Addr) -> String {
    let Message { direction, selector, suite, seconds, kilobytes, spi, conn_id, flags, .. } = message;
    let local = proxy(selector.local, selector.protocol, selector.local_port, host);
    let remote = proxy(selector.remote, selector.protocol, selector.remote_port, host);
    format!(
        "\n  (key eng. msg.) {direction} local= {}, remote= {}, \n    local_proxy= {local}, \n    remote_proxy= {remote},\n    protocol= ESP, transform= {} ({}), \n    lifedur= {seconds}s and {kilobytes}kb, \n    spi= 0x{spi:X}({spi}), conn_id= {conn_id}, keysize= {}, flags= {flags}",
        about.path.local,
        about.path.remote,
        transform(*suite),
        mode(message.mode),
        keysize(*suite),
    )
}

/// A proposal is compared with the configuration.
pub(super) fn request(about: About, selector: &Selector, suite: EspSuite, mode: Mode) -> Vec<Line> {
    let text = message(
        about,
        &Message {
            direction: "INBOUND",
            selector,
            suite,
            mode,
            seconds: 0,
            kilobytes: 0,
            spi: 0,
            conn_id: 0,
            flags: "0x2",
        },
        Ipv4Addr::BROADCAST,
    );
    vec![ipsec(format!("IPSEC(validate_proposal_request): proposal part #1,{text}"))]
}

/// The proxy identities are compared with a crypto map, both of them.
pub(super) fn proxies(map: &str, taken: bool) -> Vec<Line> {
    let proxy = ipsec(format!("IPSEC(kei_proxy): head = {map}, map->ivrf = , kei->ivrf = "));
    let mut out = vec![proxy.clone(), proxy];
    if !taken {
        out.push(ipsec("IPSEC(validate_transform_proposal): proxy identities not supported"));
    }
    out
}

fn queue() -> Line {
    ipsec("IPSEC(key_engine): got a queue event...")
}

/// An SPI is given.
pub(super) fn spi(about: About, spi: Spi) -> Vec<Line> {
    let (local, remote) = (about.path.local, about.path.remote);
    let from = format!("for SA \n        from {local} to {remote} for prot {ESP}");
    vec![queue(), ipsec(format!("IPSEC(spi_response): getting spi {} {from}", spi.0))]
}

/// A child SA is installed.
pub(super) fn installed(about: About, pair: &Pair) -> Vec<Line> {
    let (conn_in, conn_out) = conn_ids(pair.child);
    let initialize = |direction, spi: Spi, conn_id, flags| {
        let said = Message {
            direction,
            selector: &pair.selector,
            suite: pair.suite,
            mode: pair.mode,
            seconds: pair.seconds.unwrap_or(0),
            kilobytes: pair.kilobytes.unwrap_or(0),
            spi: spi.0,
            conn_id,
            flags,
        };
        // IOS 12.3 printed no mask of a host here
        let text = |host| format!("IPSEC(initialize_sas): ,{}", message(about, &said, host));
        ipsec(text(Ipv4Addr::BROADCAST)).classic(text(Ipv4Addr::UNSPECIFIED))
    };
    let created = |destination: IpAddr, spi: Spi, conn_id| {
        ipsec(format!(
            "IPSEC(create_sa): sa created,\n  (sa) sa_dest= {destination}, sa_prot= {IP_ESP}, \n    sa_spi= 0x{:X}({}), \n    sa_trans= {}, sa_conn_id= {conn_id}",
            spi.0,
            spi.0,
            transform(pair.suite)
        ))
    };
    let mut out = vec![
        queue(),
        initialize("INBOUND", pair.inbound, conn_in, "0x2"),
        initialize("OUTBOUND", pair.outbound, conn_out, "0xA"),
    ];
    out.extend(proxies(&pair.map, true));
    out.push(ipsec(format!(
        "IPSEC(add mtree): src {}, dest {}, dest_port {}",
        pair.selector.local.first(),
        pair.selector.remote.first(),
        pair.selector.remote_port.unwrap_or(0)
    )));
    out.push(created(about.path.local, pair.inbound, conn_in));
    out.push(created(about.path.remote, pair.outbound, conn_out));
    out
}

/// A child SA ends.
pub(super) fn deleted(about: About, inbound: Spi, outbound: Spi, suite: EspSuite) -> Vec<Line> {
    let deleted = |destination: IpAddr, spi: Spi| {
        ipsec(format!(
            "IPSEC(delete_sa): deleting SA,\n  (sa) sa_dest= {destination}, sa_prot= {IP_ESP}, \n    sa_spi= 0x{:X}({}), \n    sa_trans= {}",
            spi.0,
            spi.0,
            transform(suite)
        ))
    };
    vec![queue(), deleted(about.path.local, inbound), deleted(about.path.remote, outbound)]
}

/// What phase 1 says of a new child SA, in the words of `debug crypto isakmp`, without the first
/// line.
pub(super) fn creating(about: About, pair: &Pair) -> String {
    let (conn_in, conn_out) = conn_ids(pair.child);
    let (local, remote) = (about.path.local, about.path.remote);
    let (ours, theirs) = (pair.selector.local.first(), pair.selector.remote.first());
    let mut life = String::new();
    if let Some(seconds) = pair.seconds {
        life += &format!("        lifetime of {seconds} seconds\n");
    }
    if let Some(kilobytes) = pair.kilobytes {
        life += &format!("        lifetime of {kilobytes} kilobytes\n");
    }
    // IOS prints the peer's SPI with a sign
    let out = i32::from_ne_bytes(pair.outbound.0.to_ne_bytes());
    let out = if out < 0 { format!("- {}", out.unsigned_abs()) } else { out.to_string() };
    format!(
        "        inbound SA from {remote} to {local} (f/i)  0/ 0\n        (proxy {theirs} to {ours})\n        has spi 0x{:X} and conn_id {conn_in} and flags 2\n{life}        has client flags 0x0\n        outbound SA from {local} to {remote} (f/i)  0/ 0\n        (proxy {ours} to {theirs} )\n        has spi {out} and conn_id {conn_out} and flags A\n{life}        has client flags 0x0",
        pair.inbound.0
    )
}
