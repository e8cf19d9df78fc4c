//! `show crypto ipsec sa` and `show crypto ipsec transform-set`.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, address_and_mask, last_of, left};
use crate::translate;
use crate::views::snapshot::{Carried, Flow, Pair, Snapshot, Traffic};
use hubward_config::model::{self, KeyLength, MapEntry, Transform};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::sa::Direction;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::path::{Encapsulation, ISAKMP_PORT, Mode};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) fn sa(context: &Context, arguments: &Arguments) -> Output {
    let only = match (arguments.parsed("address")?, arguments.interface(), arguments.get("name")) {
        (Some(peer), ..) => Only::Peer(peer),
        (_, Some(name), _) => {
            let interfaces = &context.snapshot.parsed.config.interfaces;
            if !interfaces.iter().any(|interface| interface.name == name) {
                return Err(arguments.invalid("interface"));
            }
            Only::Interface(name)
        }
        (.., Some(name)) => Only::Map(name.to_string()),
        (None, None, None) => Only::All,
    };
    shown(Sas { snapshot: Arc::clone(&context.snapshot), only, detail: arguments.has("detail") })
}

/// What the output is limited to.
enum Only {
    All,
    Peer(Ipv4Addr),
    Interface(String),
    Map(String),
}

/// The packets between two networks, and the SAs that carry them: none while nothing does.
#[derive(Debug, Serialize)]
struct FlowRow {
    interface: String,
    crypto_map: String,
    local_address: Option<IpAddr>,
    local: Proxy,
    remote: Proxy,
    /// The peer; several where none of them is connected.
    peers: Vec<IpAddr>,
    peer_port: u16,
    /// An access list of the configuration names the proxies.
    origin_is_acl: bool,
    encaps: u64,
    decaps: u64,
    send_errors: u64,
    recv_errors: u64,
    verify_errors: u64,
    identity_errors: u64,
    replay_errors: u64,
    plaintext_mtu: usize,
    path_mtu: u32,
    /// Of the interface.
    ip_mtu: u32,
    current_outbound_spi: u32,
    /// DH group of perfect forward secrecy.
    pfs_group: Option<u16>,
    inbound: Vec<SaRow>,
    outbound: Vec<SaRow>,
}

/// A side of a flow.
#[derive(Clone, Copy, Debug, Serialize)]
struct Proxy {
    address: IpAddr,
    mask: Ipv4Addr,
    /// Of a range that is no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<IpAddr>,
    protocol: u8,
    port: u16,
}

impl Proxy {
    fn new(range: AddressRange, selector: &Selector, port: Option<u16>) -> Self {
        let (address, mask) = address_and_mask(range);
        Self {
            address,
            mask,
            last: last_of(range),
            protocol: selector.protocol.unwrap_or(0),
            port: port.unwrap_or(0),
        }
    }

    fn text(&self) -> String {
        let last = self.last.map(|last| format!("-{last}")).unwrap_or_default();
        format!("({}{last}/{}/{}/{})", self.address, self.mask, self.protocol, self.port)
    }
}

/// One SA of a child SA.
#[derive(Debug, Serialize)]
struct SaRow {
    spi: u32,
    /// `esp-3des esp-sha-hmac`
    transform: String,
    /// `Tunnel`, `Transport UDP-Encaps`
    settings: &'static str,
    conn_id: u64,
    flow_id: u64,
    /// What is left of the volume, when there is a limit.
    kilobytes: Option<u64>,
    /// What is left of the time.
    seconds: u64,
    iv_bytes: usize,
    /// Packets; 0 without replay detection.
    replay_window: u32,
    packets: u64,
    bytes: u64,
}

impl SaRow {
    fn new(pair: &Pair, direction: Direction, snapshot: &Snapshot) -> Option<Self> {
        let view = &pair.view;
        let (half, carried, second) = match direction {
            Direction::Inbound => (&view.sa.inbound, pair.inbound?, 0),
            Direction::Outbound => (&view.sa.outbound, pair.outbound?, 1),
        };
        let flow_id = 2 * view.sa.id.0 - 1 + second;
        let hard = view.kilobytes.map(|limit| limit.saturating_sub(carried.bytes.div_ceil(1024)));
        Some(Self {
            spi: half.spi.0,
            transform: transform(view.sa.suite),
            settings: match (view.sa.mode, view.path.encapsulation) {
                (Mode::Tunnel, Encapsulation::Native) => "Tunnel",
                (Mode::Tunnel, Encapsulation::Udp) => "Tunnel UDP-Encaps",
                (Mode::Transport, Encapsulation::Native) => "Transport",
                (Mode::Transport, Encapsulation::Udp) => "Transport UDP-Encaps",
            },
            conn_id: 1999 + flow_id,
            flow_id,
            kilobytes: hard,
            seconds: left(Some(view.expires), snapshot.now),
            iv_bytes: view.sa.suite.cipher().iv_len(),
            replay_window: view.sa.replay_window,
            packets: carried.packets,
            bytes: carried.bytes,
        })
    }
}

/// The transforms as IOS names them.
pub(super) fn transform(suite: EspSuite) -> String {
    let cipher = match suite.cipher() {
        EspCipher::Des => "esp-des",
        EspCipher::TripleDes => "esp-3des",
        EspCipher::Aes128 => "esp-aes",
        EspCipher::Aes192 => "esp-192-aes",
        EspCipher::Aes256 => "esp-256-aes",
        EspCipher::AesGcm128 => "esp-gcm",
        EspCipher::AesGcm256 => "esp-gcm 256",
    };
    let auth = match suite.auth() {
        Some(EspAuth::Md5) => " esp-md5-hmac",
        Some(EspAuth::Sha1) => " esp-sha-hmac",
        Some(EspAuth::Sha256) => " esp-sha256-hmac",
        Some(EspAuth::Sha384) => " esp-sha384-hmac",
        Some(EspAuth::Sha512) => " esp-sha512-hmac",
        None => "",
    };
    format!("{cipher}{auth}")
}

/// An interface with a crypto map.
#[derive(Clone, Copy)]
struct Bearer<'a> {
    /// Where it is among the interfaces of the configuration, and of the snapshot.
    place: usize,
    id: InterfaceId,
    name: &'a str,
    map: &'a str,
}

struct Sas {
    snapshot: Arc<Snapshot>,
    only: Only,
    detail: bool,
}

impl Sas {
    fn bearers(&self) -> impl Iterator<Item = Bearer<'_>> {
        let interfaces = self.snapshot.parsed.config.interfaces.iter().enumerate();
        interfaces
            .filter_map(|(place, interface)| {
                let id = InterfaceId(interface.number);
                Some(Bearer { place, id, name: &interface.name, map: interface.crypto_map.as_deref()? })
            })
            .filter(|bearer| match &self.only {
                Only::Interface(wanted) => bearer.name == wanted,
                Only::Map(wanted) => bearer.map == wanted,
                Only::All | Only::Peer(_) => true,
            })
    }

    fn address(&self, of: Bearer<'_>) -> Option<IpAddr> {
        let view = self.snapshot.interfaces.get(of.place)?;
        let config = &self.snapshot.parsed.config;
        // the map may have `local-address`
        let end = config.interface(&view.name).and_then(|bearer| config.terminates(bearer));
        let view = match end {
            Some(name) => self.snapshot.interfaces.iter().find(|view| view.name == name)?,
            None => view,
        };
        view.net.map(|net| IpAddr::V4(net.addr()))
    }

    fn mtu(&self, of: Bearer<'_>) -> u32 {
        self.snapshot.interfaces.get(of.place).map_or(1500, |view| view.mtu)
    }

    fn wanted(&self, peer: IpAddr) -> bool {
        !matches!(&self.only, Only::Peer(wanted) if IpAddr::V4(*wanted) != peer)
    }

    /// Flows with SAs, then what static entries permit and no SA carries.
    fn rows_of<'a>(&'a self, bearer: Bearer<'a>) -> impl Iterator<Item = FlowRow> + 'a {
        let flows = self.snapshot.flows.iter();
        let here = move |flow: &&Flow| flow.path.interface == bearer.id;
        let up = flows.filter(here).filter(|flow| self.wanted(flow.path.remote));
        up.map(move |flow| self.row(bearer, flow)).chain(self.idle(bearer))
    }

    fn row(&self, bearer: Bearer<'_>, flow: &Flow) -> FlowRow {
        let Traffic { inbound, outbound } = flow.traffic();
        let selector = &flow.selector;
        let current = flow.current();
        let outgoing = current.and_then(|pair| pair.outbound);
        let mtu = self.mtu(bearer);
        let pairs = |direction| {
            let rows = flow.pairs.iter().filter_map(|pair| SaRow::new(pair, direction, &self.snapshot));
            rows.collect()
        };
        let config = &self.snapshot.parsed.config;
        FlowRow {
            interface: bearer.name.to_string(),
            crypto_map: bearer.map.to_string(),
            local_address: self.address(bearer),
            local: Proxy::new(selector.local, selector, selector.local_port),
            remote: Proxy::new(selector.remote, selector, selector.remote_port),
            peers: vec![flow.path.remote],
            peer_port: flow.path.remote_port,
            origin_is_acl: translate::acl_line(config, &flow.service, selector).is_some(),
            encaps: outbound.packets,
            decaps: inbound.packets,
            send_errors: outbound.errors,
            recv_errors: inbound.errors,
            verify_errors: inbound.verify_errors,
            identity_errors: inbound.identity_errors,
            replay_errors: inbound.replay_errors,
            plaintext_mtu: outgoing.map_or(0, |carried| carried.plaintext_mtu),
            path_mtu: outgoing.map_or(mtu, |carried| u32::try_from(carried.path_mtu).unwrap_or(mtu)),
            ip_mtu: mtu,
            current_outbound_spi: current.map_or(0, |pair| pair.view.sa.outbound.spi.0),
            pfs_group: current.and_then(|pair| pair.view.pfs).map(|group| group.number()),
            inbound: pairs(Direction::Inbound),
            outbound: pairs(Direction::Outbound),
        }
    }

    fn idle(&self, bearer: Bearer<'_>) -> Vec<FlowRow> {
        let config = &self.snapshot.parsed.config;
        let carried: BTreeSet<_> = self
            .snapshot
            .flows
            .iter()
            .filter(|flow| flow.path.interface == bearer.id)
            .filter_map(|flow| match &flow.service {
                Service::Entry(entry) => Some((entry.sequence, flow.selector)),
                _ => None,
            })
            .collect();
        let entries =
            config.maps.iter().filter(|found| found.name == bearer.map).flat_map(|map| &map.entries);
        let mut rows = Vec::new();
        for entry in entries.filter(|entry| entry.dynamic.is_none()) {
            for selector in permitted(config, entry) {
                let peers = entry.peers.clone();
                let of_nobody = !peers.iter().any(|peer| self.wanted(*peer));
                if carried.contains(&(entry.sequence, selector)) || of_nobody {
                    continue;
                }
                let Carried { packets, .. } = Carried::default();
                rows.push(FlowRow {
                    interface: bearer.name.to_string(),
                    crypto_map: bearer.map.to_string(),
                    local_address: self.address(bearer),
                    local: Proxy::new(selector.local, &selector, selector.local_port),
                    remote: Proxy::new(selector.remote, &selector, selector.remote_port),
                    peers,
                    peer_port: ISAKMP_PORT,
                    origin_is_acl: true,
                    encaps: packets,
                    decaps: packets,
                    send_errors: 0,
                    recv_errors: 0,
                    verify_errors: 0,
                    identity_errors: 0,
                    replay_errors: 0,
                    plaintext_mtu: usize::try_from(self.mtu(bearer)).unwrap_or(1500),
                    path_mtu: self.mtu(bearer),
                    ip_mtu: self.mtu(bearer),
                    current_outbound_spi: 0,
                    pfs_group: None,
                    inbound: Vec::new(),
                    outbound: Vec::new(),
                });
            }
        }
        rows
    }
}

/// What the access list of an entry permits.
fn permitted(config: &hubward_config::model::Config, entry: &MapEntry) -> Vec<Selector> {
    let acl = entry.terms.acl.as_ref().and_then(|name| config.acl(name));
    acl.into_iter().flat_map(|acl| translate::permitted(config, acl)).collect()
}

impl Layout for Sas {
    type Row = FlowRow;

    fn rows(&self) -> impl Iterator<Item = FlowRow> {
        self.bearers().flat_map(|bearer| self.rows_of(bearer))
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        for bearer in self.bearers() {
            let mut rows = self.rows_of(bearer).peekable();
            if rows.peek().is_none() && matches!(self.only, Only::Peer(_)) {
                continue;
            }
            let map = bearer.map;
            writeln!(out, "\ninterface: {}", bearer.name)?;
            let address = self.address(bearer).map(|address| address.to_string()).unwrap_or_default();
            match format {
                Format::Classic => writeln!(out, "    Crypto map tag: {map}, local addr. {address}\n")?,
                Format::Modern => writeln!(out, "    Crypto map tag: {map}, local addr {address}\n")?,
            }
            for row in rows {
                match format {
                    Format::Classic => row.classic(out)?,
                    Format::Modern => row.modern(self.detail, out)?,
                }
            }
        }
        Ok(())
    }
}

impl FlowRow {
    fn peer(&self) -> String {
        self.peers.first().map(|peer| peer.to_string()).unwrap_or_default()
    }

    /// IOS 12.3.
    fn classic(&self, out: &mut dyn Write) -> io::Result<()> {
        let flags = if self.origin_is_acl { "origin_is_acl," } else { "" };
        let peer = self.peer();
        writeln!(out, "   protected vrf: ")?;
        writeln!(out, "   local  ident (addr/mask/prot/port): {}", self.local.text())?;
        writeln!(out, "   remote ident (addr/mask/prot/port): {}", self.remote.text())?;
        writeln!(out, "   current_peer: {peer}:{}", self.peer_port)?;
        writeln!(out, "     PERMIT, flags={{{flags}}}")?;
        let (encaps, decaps) = (self.encaps, self.decaps);
        writeln!(out, "    #pkts encaps: {encaps}, #pkts encrypt: {encaps}, #pkts digest {encaps}")?;
        writeln!(out, "    #pkts decaps: {decaps}, #pkts decrypt: {decaps}, #pkts verify {decaps}")?;
        compression(out)?;
        writeln!(out, "    #send errors {}, #recv errors {}\n", self.send_errors, self.recv_errors)?;
        let local = self.local_address.map(|address| address.to_string()).unwrap_or_default();
        writeln!(out, "     local crypto endpt.: {local}, remote crypto endpt.: {peer}")?;
        writeln!(out, "     path mtu {}, ip mtu {}", self.path_mtu, self.ip_mtu)?;
        writeln!(out, "     current outbound spi: {:X}\n", self.current_outbound_spi)?;
        for (name, sas) in [("inbound", &self.inbound), ("outbound", &self.outbound)] {
            writeln!(out, "     {name} esp sas:")?;
            for sa in sas {
                writeln!(out, "      spi: 0x{0:X}({0})", sa.spi)?;
                writeln!(out, "        transform: {} ,", sa.transform)?;
                writeln!(out, "        in use settings ={{{}, }}", sa.settings)?;
                let map = &self.crypto_map;
                writeln!(
                    out,
                    "        slot: 0, conn id: {}, flow_id: {}, crypto map: {map}",
                    sa.conn_id, sa.flow_id
                )?;
                sa.timing(out)?;
                writeln!(out, "        IV size: {} bytes", sa.iv_bytes)?;
                writeln!(out, "        replay detection support: {}", sa.replay())?;
            }
            writeln!(out, "\n     {name} ah sas:\n\n     {name} pcp sas:\n")?;
        }
        Ok(())
    }

    fn modern(&self, detail: bool, out: &mut dyn Write) -> io::Result<()> {
        let flags = if self.origin_is_acl { "origin_is_acl," } else { "" };
        let peer = self.peer();
        writeln!(out, "   protected vrf: (none)")?;
        writeln!(out, "   local  ident (addr/mask/prot/port): {}", self.local.text())?;
        writeln!(out, "   remote ident (addr/mask/prot/port): {}", self.remote.text())?;
        writeln!(out, "   current_peer {peer} port {}", self.peer_port)?;
        writeln!(out, "     PERMIT, flags={{{flags}}}")?;
        let (encaps, decaps) = (self.encaps, self.decaps);
        writeln!(out, "    #pkts encaps: {encaps}, #pkts encrypt: {encaps}, #pkts digest: {encaps}")?;
        writeln!(out, "    #pkts decaps: {decaps}, #pkts decrypt: {decaps}, #pkts verify: {decaps}")?;
        compression(out)?;
        match detail {
            false => {
                writeln!(out, "    #send errors {}, #recv errors {}\n", self.send_errors, self.recv_errors)?
            }
            true => self.errors(out)?,
        }
        let local = self.local_address.map(|address| address.to_string()).unwrap_or_default();
        writeln!(out, "     local crypto endpt.: {local}, remote crypto endpt.: {peer}")?;
        writeln!(
            out,
            "     plaintext mtu {}, path mtu {}, ip mtu {}, ip mtu idb {}",
            self.plaintext_mtu, self.path_mtu, self.ip_mtu, self.interface
        )?;
        writeln!(out, "     current outbound spi: 0x{0:X}({0})", self.current_outbound_spi)?;
        match self.pfs_group {
            Some(group) => writeln!(out, "     PFS (Y/N): Y, DH group: group{group}\n")?,
            None => writeln!(out, "     PFS (Y/N): N, DH group: none\n")?,
        }
        for (name, sas) in [("inbound", &self.inbound), ("outbound", &self.outbound)] {
            writeln!(out, "     {name} esp sas:")?;
            for sa in sas {
                writeln!(out, "      spi: 0x{0:X}({0})", sa.spi)?;
                writeln!(out, "        transform: {} ,", sa.transform)?;
                writeln!(out, "        in use settings ={{{}, }}", sa.settings)?;
                writeln!(
                    out,
                    "        conn id: {}, flow_id: SW:{}, sibling_flags 80000040, crypto map: {}",
                    sa.conn_id, sa.flow_id, self.crypto_map
                )?;
                sa.timing(out)?;
                writeln!(out, "        IV size: {} bytes", sa.iv_bytes)?;
                let window = match sa.replay_window {
                    window if detail && window > 0 => format!("  replay window size: {window}"),
                    _ => String::new(),
                };
                writeln!(out, "        replay detection support: {}{window}", sa.replay())?;
                writeln!(out, "        Status: ACTIVE(ACTIVE)")?;
            }
            writeln!(out, "\n     {name} ah sas:\n\n     {name} pcp sas:\n")?;
        }
        Ok(())
    }

    /// The counters of `detail`.
    fn errors(&self, out: &mut dyn Write) -> io::Result<()> {
        let other = self.recv_errors - self.verify_errors - self.identity_errors - self.replay_errors;
        writeln!(out, "    #pkts no sa (send) 0, #pkts invalid sa (rcv) 0")?;
        writeln!(
            out,
            "    #pkts encaps failed (send) {}, #pkts decaps failed (rcv) {other}",
            self.send_errors
        )?;
        writeln!(out, "    #pkts invalid prot (recv) 0, #pkts verify failed: {}", self.verify_errors)?;
        writeln!(
            out,
            "    #pkts invalid identity (recv) {}, #pkts invalid len (rcv) 0",
            self.identity_errors
        )?;
        writeln!(out, "    #pkts replay rollover (send): 0, #pkts replay rollover (rcv) 0")?;
        writeln!(out, "    ##pkts replay failed (rcv): {}", self.replay_errors)?;
        writeln!(out, "    #pkts tagged (send): 0, #pkts untagged (rcv): 0")?;
        writeln!(out, "    #pkts not tagged (send): 0, #pkts not untagged (rcv): 0")?;
        writeln!(out, "    #pkts internal err (send): 0, #pkts internal err (recv) 0\n")
    }
}

fn compression(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    #pkts compressed: 0, #pkts decompressed: 0")?;
    writeln!(out, "    #pkts not compressed: 0, #pkts compr. failed: 0")?;
    writeln!(out, "    #pkts not decompressed: 0, #pkts decompress failed: 0")
}

impl SaRow {
    fn timing(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.kilobytes {
            Some(kilobytes) => writeln!(
                out,
                "        sa timing: remaining key lifetime (k/sec): ({kilobytes}/{})",
                self.seconds
            ),
            None => writeln!(out, "        sa timing: remaining key lifetime (sec): {}", self.seconds),
        }
    }

    fn replay(&self) -> &'static str {
        if self.replay_window == 0 { "N" } else { "Y" }
    }
}

pub(super) fn transform_sets(context: &Context, _: &Arguments) -> Output {
    shown(TransformSets(Arc::clone(&context.snapshot)))
}

/// One transform set.
#[derive(Debug, Serialize)]
struct TransformSetRow {
    name: String,
    /// `esp-3des`, `esp-sha-hmac`
    transforms: Vec<String>,
    mode: &'static str,
}

struct TransformSets(Arc<Snapshot>);

/// The transforms of a set as the configuration spells them.
pub(super) fn transforms(set: &model::TransformSet) -> Vec<String> {
    let mut transforms = set.transforms.clone();
    transforms.sort_by_key(|transform| match transform {
        Transform::Cipher(_) => 0,
        Transform::Auth(_) => 1,
        Transform::Ah(_) | Transform::Compression => 2,
    });
    let shown = transforms.iter().map(|transform| match (transform, transform.key_length()) {
        (_, None | Some(KeyLength::Bits128)) => transform.keyword().to_string(),
        (Transform::Cipher(model::EspCipher::Aes(length)), _) => format!("esp-{length}-aes"),
        (_, Some(length)) => format!("{} {length}", transform.keyword()),
    });
    shown.collect()
}

impl Layout for TransformSets {
    type Row = TransformSetRow;

    fn rows(&self) -> impl Iterator<Item = TransformSetRow> {
        self.0.parsed.config.transform_sets.iter().map(|set| TransformSetRow {
            name: set.name.clone(),
            transforms: transforms(set),
            mode: if set.transport { "Transport" } else { "Tunnel" },
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            writeln!(out, "Transform set {}: {{ {}  }} ", row.name, row.transforms.join(" "))?;
            writeln!(out, "   will negotiate = {{ {},  }}, ", row.mode)?;
        }
        Ok(())
    }
}
