//! `show crypto …` in the layouts of modern IOS.

use crate::snapshot::Snapshot;
use hubward_crypto::suite::{EspAuth, EspCipher, HashAlg, IkeCipher};
use hubward_proto::esp::sa::{Direction, Mode};
use hubward_proto::esp::sad::Sa;
use hubward_proto::flow::mtu::plaintext_mtu;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::path::Encapsulation;
use hubward_proto::ike::snapshot::{ChildView, IsakmpView};
use hubward_proto::time::Instant;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `show crypto isakmp sa`
pub(super) fn isakmp_sa(snapshot: &Snapshot<'_>) -> String {
    let mut out = String::from(
        "IPv4 Crypto ISAKMP SA\ndst             src             state          conn-id status\n",
    );
    for sa in &snapshot.ike.isakmp {
        let (destination, source) = ends(sa);
        let status = if sa.deleted { "ACTIVE (deleted)" } else { "ACTIVE" };
        let _ = writeln!(
            out,
            "{destination:<15} {source:<15} {:<13} {:>8} {status}",
            sa.state.ios_name(),
            sa.conn_id.0
        );
    }
    out.push_str("\nIPv6 Crypto ISAKMP SA\n\n");
    out
}

/// Responder and initiator.
fn ends(sa: &IsakmpView) -> (String, String) {
    let (local, remote) = (sa.path.local.to_string(), sa.path.remote.to_string());
    if sa.initiator { (remote, local) } else { (local, remote) }
}

const LEGEND: &str = "Codes: C - IKE configuration mode, D - Dead Peer Detection
       K - Keepalives, N - NAT-traversal
       T - cTCP encapsulation, X - IKE Extended Authentication
       psk - Preshared key, rsig - RSA signature
       renc - RSA encryption
IPv4 Crypto ISAKMP SA

C-id  Local           Remote          I-VRF  Status Encr Hash   Auth DH Lifetime Cap.
";

/// `show crypto isakmp sa detail`
pub(super) fn isakmp_sa_detail(snapshot: &Snapshot<'_>) -> String {
    let mut out = String::from(LEGEND);
    for sa in &snapshot.ike.isakmp {
        let cipher = sa.cipher.map_or("", |cipher| match cipher {
            IkeCipher::Des => "des",
            IkeCipher::TripleDes => "3des",
            IkeCipher::Aes128 | IkeCipher::Aes192 | IkeCipher::Aes256 => "aes",
        });
        let hash = sa.hash.map_or("", |hash| match hash {
            HashAlg::Md5 => "md5",
            HashAlg::Sha1 => "sha",
            HashAlg::Sha256 => "sha256",
            HashAlg::Sha384 => "sha384",
            HashAlg::Sha512 => "sha512",
        });
        let capabilities: String = [(sa.mode_config, 'C'), (sa.dpd, 'D'), (sa.nat, 'N'), (sa.xauth, 'X')]
            .into_iter()
            .filter(|(has, _)| *has)
            .map(|(_, letter)| letter)
            .collect();
        let _ = writeln!(
            out,
            "\n{:<5} {:<15} {:<15} {:<6} {:<6} {:<4} {:<6} {:<4} {:<2} {:>8} {:<4}\n       Engine-id:Conn-id =  SW:{}",
            sa.conn_id.0,
            sa.path.local.to_string(),
            sa.path.remote.to_string(),
            "",
            "ACTIVE",
            cipher,
            hash,
            "psk",
            sa.group.map_or(0, |group| group.number()),
            remaining(sa.expires, snapshot.now),
            capabilities,
            sa.conn_id.0.saturating_sub(1000)
        );
    }
    out.push_str("\nIPv6 Crypto ISAKMP SA\n\n");
    out
}

/// `hh:mm:ss` until a moment.
fn remaining(until: Option<Instant>, now: Instant) -> String {
    let seconds = until.map_or(0, |until| until.since(now).as_secs());
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `show crypto ipsec sa`
pub(super) fn ipsec_sa(snapshot: &Snapshot<'_>) -> String {
    let mut out = String::new();
    for (index, interface) in snapshot.parsed.config.interfaces.iter().enumerate() {
        let Some(map) = &interface.crypto_map else { continue };
        let _ = writeln!(out, "\ninterface: {}", interface.name);
        let address =
            snapshot.interfaces.get(index).and_then(|view| view.net).map(|net| net.addr().to_string());
        let _ = writeln!(out, "    Crypto map tag: {map}, local addr {}\n", address.unwrap_or_default());
        let children =
            snapshot.ike.children.iter().filter(|child| usize::from(child.path.interface.0) == index);
        for child in children.filter(|child| !child.superseded) {
            flow(&mut out, snapshot, &interface.name, map, child);
        }
    }
    out
}

fn flow(out: &mut String, snapshot: &Snapshot<'_>, interface: &str, map: &str, child: &ChildView) {
    let half = |direction| snapshot.sad.get(child.sa.id, direction);
    let (inbound, outbound) = (half(Direction::Inbound), half(Direction::Outbound));
    let packets =
        |sa: &Option<Arc<Sa>>| sa.as_ref().map_or(0, |sa| sa.counters.packets.load(Ordering::Relaxed));
    let errors =
        |sa: &Option<Arc<Sa>>| sa.as_ref().map_or(0, |sa| sa.counters.errors.load(Ordering::Relaxed));
    let (encaps, decaps) = (packets(&outbound), packets(&inbound));
    let selector = child.sa.selector;
    let ident = |range: AddressRange, port: Option<u16>| {
        let mask = range.to_prefix().map_or(Ipv4Addr::BROADCAST, |prefix| match prefix {
            ipnet::IpNet::V4(net) => net.netmask(),
            ipnet::IpNet::V6(_) => Ipv4Addr::BROADCAST,
        });
        format!("({}/{mask}/{}/{})", range.first(), selector.protocol.unwrap_or(0), port.unwrap_or(0))
    };
    let from_acl = child.entry.dynamic.is_none();
    let flags = if from_acl { "origin_is_acl," } else { "" };
    let port = child.path.remote_port;
    let _ = writeln!(out, "   protected vrf: (none)");
    let _ = writeln!(
        out,
        "   local  ident (addr/mask/prot/port): {}",
        ident(selector.local, selector.local_port)
    );
    let _ = writeln!(
        out,
        "   remote ident (addr/mask/prot/port): {}",
        ident(selector.remote, selector.remote_port)
    );
    let _ = writeln!(out, "   current_peer {} port {port}", child.path.remote);
    let _ = writeln!(out, "     PERMIT, flags={{{flags}}}");
    let _ = writeln!(out, "    #pkts encaps: {encaps}, #pkts encrypt: {encaps}, #pkts digest: {encaps}");
    let _ = writeln!(out, "    #pkts decaps: {decaps}, #pkts decrypt: {decaps}, #pkts verify: {decaps}");
    let _ = writeln!(out, "    #pkts compressed: 0, #pkts decompressed: 0");
    let _ = writeln!(out, "    #pkts not compressed: 0, #pkts compr. failed: 0");
    let _ = writeln!(out, "    #pkts not decompressed: 0, #pkts decompress failed: 0");
    let _ = writeln!(out, "    #send errors {}, #recv errors {}\n", errors(&outbound), errors(&inbound));
    let _ = writeln!(
        out,
        "     local crypto endpt.: {}, remote crypto endpt.: {}",
        child.path.local, child.path.remote
    );
    let mtu = plaintext_mtu(child.sa.suite, child.sa.mode, child.path.encapsulation, 1500);
    let _ = writeln!(out, "     plaintext mtu {mtu}, path mtu 1500, ip mtu 1500, ip mtu idb {interface}");
    let spi = child.sa.outbound.spi.0;
    let _ = writeln!(out, "     current outbound spi: 0x{spi:X}({spi})");
    let pfs = child
        .pfs
        .map_or("N, DH group: none".to_string(), |group| format!("Y, DH group: group{}", group.number()));
    let _ = writeln!(out, "     PFS (Y/N): {pfs}\n");
    for (direction, name) in [(Direction::Inbound, "inbound"), (Direction::Outbound, "outbound")] {
        let _ = writeln!(out, "     {name} esp sas:");
        half_of(out, snapshot, map, child, direction, half(direction).as_ref());
        let _ = writeln!(out, "\n     {name} ah sas:\n\n     {name} pcp sas:\n");
    }
}

fn half_of(
    out: &mut String,
    snapshot: &Snapshot<'_>,
    map: &str,
    child: &ChildView,
    direction: Direction,
    sa: Option<&Arc<Sa>>,
) {
    let spi = match direction {
        Direction::Inbound => child.sa.inbound.spi.0,
        Direction::Outbound => child.sa.outbound.spi.0,
    };
    let mode = match (child.sa.mode, child.path.encapsulation) {
        (Mode::Tunnel, Encapsulation::Native) => "Tunnel, ",
        (Mode::Tunnel, Encapsulation::Udp) => "Tunnel UDP-Encaps, ",
        (Mode::Transport, Encapsulation::Native) => "Transport, ",
        (Mode::Transport, Encapsulation::Udp) => "Transport UDP-Encaps, ",
    };
    let carried = sa.map_or(0, |sa| sa.counters.bytes.load(Ordering::Relaxed)) / 1024;
    let kilobytes = child.kilobytes.unwrap_or(0).saturating_sub(carried);
    let seconds = child.expires.since(snapshot.now).as_secs();
    let conn = 2 * child.sa.id.0 - u64::from(direction == Direction::Inbound);
    let replay = if child.sa.replay_window == 0 { "N" } else { "Y" };
    let _ = writeln!(out, "      spi: 0x{spi:X}({spi})");
    let _ = writeln!(out, "        transform: {} ,", transform(child));
    let _ = writeln!(out, "        in use settings ={{{mode}}}");
    let _ = writeln!(
        out,
        "        conn id: {}, flow_id: SW:{conn}, sibling_flags 80000046, crypto map: {map}",
        2000 + conn
    );
    let _ = writeln!(out, "        sa timing: remaining key lifetime (k/sec): ({kilobytes}/{seconds})");
    let _ = writeln!(out, "        IV size: {} bytes", child.sa.suite.cipher().iv_len());
    let _ = writeln!(out, "        replay detection support: {replay}");
    let _ = writeln!(out, "        Status: ACTIVE(ACTIVE)");
}

/// The transforms as IOS names them.
fn transform(child: &ChildView) -> String {
    let cipher = match child.sa.suite.cipher() {
        EspCipher::Des => "esp-des",
        EspCipher::TripleDes => "esp-3des",
        EspCipher::Aes128 => "esp-aes",
        EspCipher::Aes192 => "esp-192-aes",
        EspCipher::Aes256 => "esp-256-aes",
        EspCipher::AesGcm128 => "esp-gcm",
        EspCipher::AesGcm256 => "esp-gcm 256",
    };
    let auth = match child.sa.suite.auth() {
        Some(EspAuth::Md5) => " esp-md5-hmac",
        Some(EspAuth::Sha1) => " esp-sha-hmac",
        Some(EspAuth::Sha256) => " esp-sha256-hmac",
        Some(EspAuth::Sha384) => " esp-sha384-hmac",
        Some(EspAuth::Sha512) => " esp-sha512-hmac",
        None => "",
    };
    format!("{cipher}{auth}")
}
