//! `show crypto session`: what there is with each peer, both phases together.

use super::show_isakmp::capabilities;
use crate::base::date::{age, clock_time};
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, address_and_mask, last_of, left, protocol_name};
use crate::translate;
use crate::views::snapshot::{Flow, Snapshot};
use hubward_config::model::{CryptoMap, MapEntry};
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::snapshot::IsakmpView;
use hubward_proto::path::ISAKMP_PORT;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) fn session(context: &Context, arguments: &Arguments) -> Output {
    let name = || arguments.get("name").unwrap_or_default().to_string();
    let address = arguments.parsed("address")?;
    let only = match address {
        Some(address) if arguments.has("local") => Only::Local(address),
        Some(address) => Only::Remote(address),
        None if arguments.has("username") => Only::User(name()),
        None if arguments.has("group") => Only::Group(name()),
        None if arguments.has("profile") => Only::Profile(name()),
        None => Only::All,
    };
    let depth = match (arguments.has("brief"), arguments.has("detail")) {
        (true, _) => Depth::Brief,
        (_, true) => Depth::Detail,
        (false, false) => Depth::Usual,
    };
    shown(Sessions { snapshot: Arc::clone(&context.snapshot), only, depth })
}

enum Only {
    All,
    Remote(Ipv4Addr),
    Local(Ipv4Addr),
    User(String),
    Group(String),
    Profile(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Brief,
    Usual,
    Detail,
}

#[derive(Clone, Copy, Debug, Serialize)]
enum Status {
    #[serde(rename = "UP-ACTIVE")]
    UpActive,
    #[serde(rename = "UP-IDLE")]
    UpIdle,
    #[serde(rename = "UP-NO-IKE")]
    UpNoIke,
    #[serde(rename = "DOWN-NEGOTIATING")]
    DownNegotiating,
    #[serde(rename = "DOWN")]
    Down,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::UpActive => "UP-ACTIVE",
            Self::UpIdle => "UP-IDLE",
            Self::UpNoIke => "UP-NO-IKE",
            Self::DownNegotiating => "DOWN-NEGOTIATING",
            Self::Down => "DOWN",
        }
    }

    /// `show crypto session brief`
    const fn letters(self) -> &'static str {
        match self {
            Self::UpActive => "UA",
            Self::UpIdle => "UI",
            Self::UpNoIke => "UK",
            Self::DownNegotiating => "DN",
            Self::Down => "D",
        }
    }
}

/// A peer and what there is with it.
#[derive(Debug, Serialize)]
struct SessionRow {
    interface: String,
    username: Option<String>,
    profile: Option<String>,
    group: Option<String>,
    assigned_address: Option<IpAddr>,
    /// Seconds since the peer was authenticated.
    uptime: Option<u64>,
    status: Status,
    peer: IpAddr,
    port: u16,
    phase1_id: Option<String>,
    isakmp_sas: Vec<IsakmpRow>,
    flows: Vec<FlowRow>,
}

#[derive(Debug, Serialize)]
struct IsakmpRow {
    local: IpAddr,
    local_port: u16,
    remote: IpAddr,
    remote_port: u16,
    active: bool,
    capabilities: String,
    conn_id: u32,
    /// Seconds that are left.
    lifetime: u64,
}

#[derive(Debug, Serialize)]
struct FlowRow {
    /// `ip`, or a protocol's name or number
    protocol: String,
    local: IpAddr,
    local_mask: Ipv4Addr,
    /// Of a range that is no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    local_last: Option<IpAddr>,
    local_port: Option<u16>,
    remote: IpAddr,
    remote_mask: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_last: Option<IpAddr>,
    remote_port: Option<u16>,
    /// Both directions counted.
    active_sas: usize,
    /// `crypto map`, `dynamic crypto map`
    origin: &'static str,
    decrypted: u64,
    inbound_drops: u64,
    inbound_kilobytes: u64,
    encrypted: u64,
    outbound_drops: u64,
    outbound_kilobytes: u64,
    /// Seconds that are left.
    lifetime: u64,
}

impl IsakmpRow {
    fn new(sa: &IsakmpView, snapshot: &Snapshot) -> Self {
        Self {
            local: sa.path.local,
            local_port: sa.path.local_port,
            remote: sa.path.remote,
            remote_port: sa.path.remote_port,
            active: sa.peer.is_some() && !sa.deleted,
            capabilities: capabilities(sa),
            conn_id: sa.conn_id.0,
            lifetime: left(sa.expires, snapshot.now),
        }
    }
}

impl FlowRow {
    fn idle(selector: &Selector, origin: &'static str) -> Self {
        let (local, local_mask) = address_and_mask(selector.local);
        let (remote, remote_mask) = address_and_mask(selector.remote);
        Self {
            protocol: protocol_name(selector.protocol),
            local,
            local_mask,
            local_last: last_of(selector.local),
            local_port: selector.local_port,
            remote,
            remote_mask,
            remote_last: last_of(selector.remote),
            remote_port: selector.remote_port,
            active_sas: 0,
            origin,
            decrypted: 0,
            inbound_drops: 0,
            inbound_kilobytes: 0,
            encrypted: 0,
            outbound_drops: 0,
            outbound_kilobytes: 0,
            lifetime: 0,
        }
    }

    fn new(flow: &Flow, snapshot: &Snapshot) -> Self {
        let traffic = flow.traffic();
        let current = flow.current();
        let limit = current.and_then(|pair| pair.view.kilobytes).unwrap_or(0);
        let rest = |carried: Option<crate::views::snapshot::Carried>| {
            limit.saturating_sub(carried.unwrap_or_default().bytes.div_ceil(1024))
        };
        let halves = |pair: &crate::views::snapshot::Pair| {
            usize::from(pair.inbound.is_some()) + usize::from(pair.outbound.is_some())
        };
        let origin = if flow.service.template().is_some() { "dynamic crypto map" } else { "crypto map" };
        Self {
            active_sas: flow.pairs.iter().map(halves).sum(),
            decrypted: traffic.inbound.packets,
            inbound_drops: traffic.inbound.errors,
            inbound_kilobytes: rest(current.and_then(|pair| pair.inbound)),
            encrypted: traffic.outbound.packets,
            outbound_drops: traffic.outbound.errors,
            outbound_kilobytes: rest(current.and_then(|pair| pair.outbound)),
            lifetime: left(current.map(|pair| pair.view.expires), snapshot.now),
            ..Self::idle(&flow.selector, origin)
        }
    }

    fn side(address: IpAddr, mask: Ipv4Addr, last: Option<IpAddr>) -> String {
        match (mask, last) {
            (_, Some(last)) => format!("range {address} {last}"),
            (Ipv4Addr::BROADCAST, None) => format!("host {address}"),
            (mask, None) => format!("{address}/{mask}"),
        }
    }

    fn text(&self) -> String {
        let port = |port: Option<u16>| port.map_or_else(String::new, |port| format!(" port {port}"));
        format!(
            "permit {} {}{} {}{}",
            self.protocol,
            Self::side(self.local, self.local_mask, self.local_last),
            port(self.local_port),
            Self::side(self.remote, self.remote_mask, self.remote_last),
            port(self.remote_port)
        )
    }
}

struct Sessions {
    snapshot: Arc<Snapshot>,
    only: Only,
    depth: Depth,
}

impl Sessions {
    fn wanted(&self, row: &SessionRow) -> bool {
        match &self.only {
            Only::All => true,
            Only::Remote(address) => row.peer == IpAddr::V4(*address),
            Only::Local(address) => row.isakmp_sas.iter().any(|sa| sa.local == IpAddr::V4(*address)),
            Only::User(name) => row.username.as_ref() == Some(name),
            Only::Group(name) => row.group.as_ref() == Some(name),
            Only::Profile(name) => row.profile.as_ref() == Some(name),
        }
    }

    /// Peers that are authenticated, in the order in which they came.
    fn up(&self) -> impl Iterator<Item = SessionRow> {
        let snapshot = &self.snapshot;
        snapshot.peers.values().filter_map(move |peer| {
            let sas = &peer.isakmp;
            let flows: Vec<_> = peer.flows.iter().filter_map(|place| snapshot.flows.get(*place)).collect();
            let live = sas.iter().rev().find(|sa| !sa.deleted);
            let path = live.or(sas.last()).map(|sa| sa.path).or(flows.first().map(|flow| flow.path))?;
            let view = live.or(sas.last());
            let untrusted = |text: &hubward_proto::names::Untrusted| text.to_string();
            Some(SessionRow {
                interface: snapshot.interface_name(&path).to_string(),
                username: view.and_then(|sa| sa.user.as_ref()).map(untrusted),
                profile: view.and_then(|sa| sa.profile.clone()),
                group: view.and_then(|sa| sa.group_name.clone()),
                assigned_address: view.and_then(|sa| sa.assigned),
                uptime: Some(snapshot.now.since(peer.since).as_secs()),
                status: match (live.is_some(), flows.is_empty()) {
                    (true, false) => Status::UpActive,
                    (true, true) => Status::UpIdle,
                    (false, false) => Status::UpNoIke,
                    (false, true) => Status::Down,
                },
                peer: path.remote,
                port: path.remote_port,
                phase1_id: view.and_then(|sa| sa.identity.as_ref()).map(untrusted),
                isakmp_sas: sas.iter().map(|sa| IsakmpRow::new(sa, snapshot)).collect(),
                flows: flows.iter().map(|flow| FlowRow::new(flow, snapshot)).collect(),
            })
        })
    }

    /// Static peers without an SA, and peers that are not authenticated yet.
    fn down(&self) -> Vec<SessionRow> {
        let snapshot = &self.snapshot;
        let config = &snapshot.parsed.config;
        let up: BTreeSet<_> = snapshot
            .flows
            .iter()
            .map(|flow| flow.path.remote)
            .chain(snapshot.isakmp.iter().filter(|sa| sa.peer.is_some()).map(|sa| sa.path.remote))
            .collect();
        let mut rows: Vec<SessionRow> = Vec::new();
        for interface in &config.interfaces {
            let Some(name) = &interface.crypto_map else { continue };
            let Some(map) = config.maps.iter().find(|map| map.name == *name) else { continue };
            for (entry, peer) in static_peers(map) {
                if !up.contains(&peer) {
                    rows.push(self.idle(&interface.name, entry, peer));
                }
            }
        }
        for sa in snapshot.isakmp.iter().filter(|sa| sa.peer.is_none()) {
            let row = IsakmpRow::new(sa, snapshot);
            if let Some(known) = rows.iter_mut().find(|known| known.peer == sa.path.remote) {
                known.status = Status::DownNegotiating;
                known.isakmp_sas.push(row);
                continue;
            }
            rows.push(SessionRow {
                interface: snapshot.interface_name(&sa.path).to_string(),
                status: Status::DownNegotiating,
                port: sa.path.remote_port,
                isakmp_sas: vec![row],
                ..SessionRow::nothing(sa.path.remote)
            });
        }
        rows
    }

    fn idle(&self, interface: &str, entry: &MapEntry, peer: IpAddr) -> SessionRow {
        let config = &self.snapshot.parsed.config;
        let acl = entry.terms.acl.as_ref().and_then(|name| config.acl(name));
        let lines = acl.into_iter().flat_map(|acl| translate::permitted(config, acl));
        SessionRow {
            interface: interface.to_string(),
            flows: lines.map(|selector| FlowRow::idle(&selector, "crypto map")).collect(),
            ..SessionRow::nothing(peer)
        }
    }
}

fn static_peers(map: &CryptoMap) -> impl Iterator<Item = (&MapEntry, IpAddr)> {
    let entries = map.entries.iter().filter(|entry| entry.dynamic.is_none());
    entries.flat_map(|entry| entry.peers.iter().map(move |peer| (entry, *peer)))
}

impl SessionRow {
    fn nothing(peer: IpAddr) -> Self {
        Self {
            interface: String::new(),
            username: None,
            profile: None,
            group: None,
            assigned_address: None,
            uptime: None,
            status: Status::Down,
            peer,
            port: ISAKMP_PORT,
            phase1_id: None,
            isakmp_sas: Vec::new(),
            flows: Vec::new(),
        }
    }
}

impl Layout for Sessions {
    type Row = SessionRow;

    fn rows(&self) -> impl Iterator<Item = SessionRow> {
        self.up().chain(self.down()).filter(|row| self.wanted(row))
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        if self.depth == Depth::Brief {
            return self.brief(out);
        }
        writeln!(out, "Crypto session current status\n")?;
        if self.depth == Depth::Detail {
            writeln!(out, "Code: C - IKE Configuration mode, D - Dead Peer Detection     ")?;
            writeln!(out, "K - Keepalives, N - NAT-traversal, T - cTCP encapsulation     ")?;
            writeln!(out, "X - IKE Extended Authentication, F - IKE Fragmentation")?;
            writeln!(out, "R - IKE Auto Reconnect, U - IKE Dynamic Route Update")?;
            writeln!(out, "S - SIP VPN\n")?;
        }
        for row in self.rows() {
            row.text(self.depth == Depth::Detail, out)?;
        }
        Ok(())
    }
}

impl Sessions {
    fn brief(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Status: A- Active, U - Up, D - Down, I - Idle, S - Standby, N - Negotiating")?;
        writeln!(out, "        K - No IKE\nivrf = (none)")?;
        writeln!(
            out,
            "           Peer            I/F          Username          Group/Phase1_id        Uptime Status"
        )?;
        for row in self.rows() {
            let name = row.group.as_deref().or(row.phase1_id.as_deref()).unwrap_or_default();
            let uptime = row.uptime.map(age).unwrap_or_default();
            writeln!(
                out,
                "{:>15} {:>14} {:>17} {name:>24} {uptime:>13} {:>4}",
                row.peer.to_string(),
                short_name(&row.interface),
                row.username.as_deref().unwrap_or_default(),
                row.status.letters()
            )?;
        }
        Ok(())
    }
}

/// `FastEthernet0/0` is `Fa0/0` where room is scarce.
fn short_name(name: &str) -> String {
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    format!("{}{number}", name.chars().take(2).collect::<String>())
}

impl SessionRow {
    fn text(&self, detail: bool, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Interface: {}", self.interface)?;
        let texts = [("Username", &self.username), ("Profile", &self.profile), ("Group", &self.group)];
        for (name, value) in texts {
            if let Some(value) = value {
                writeln!(out, "{name}: {value}")?;
            }
        }
        if let Some(address) = self.assigned_address {
            writeln!(out, "Assigned address: {address}")?;
        }
        if let (true, Some(uptime)) = (detail, self.uptime) {
            writeln!(out, "Uptime: {}", age(uptime))?;
        }
        writeln!(out, "Session status: {}     ", self.status.name())?;
        if detail {
            writeln!(out, "Peer: {} port {} fvrf: (none) ivrf: (none)", self.peer, self.port)?;
            writeln!(out, "      Phase1_id: {}", self.phase1_id.as_deref().unwrap_or("(none)"))?;
            writeln!(out, "      Desc: (none)")?;
        } else {
            writeln!(out, "Peer: {} port {}", self.peer, self.port)?;
        }
        for sa in &self.isakmp_sas {
            sa.text(detail, out)?;
        }
        for flow in &self.flows {
            writeln!(out, "  IPSEC FLOW: {} ", flow.text())?;
            writeln!(out, "        Active SAs: {}, origin: {}", flow.active_sas, flow.origin)?;
            if detail {
                writeln!(
                    out,
                    "        Inbound:  #pkts dec'ed {} drop {} life (KB/Sec) {}/{}",
                    flow.decrypted, flow.inbound_drops, flow.inbound_kilobytes, flow.lifetime
                )?;
                writeln!(
                    out,
                    "        Outbound: #pkts enc'ed {} drop {} life (KB/Sec) {}/{}",
                    flow.encrypted, flow.outbound_drops, flow.outbound_kilobytes, flow.lifetime
                )?;
            }
        }
        writeln!(out)
    }
}

impl IsakmpRow {
    fn text(&self, detail: bool, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  Session ID: 0  ")?;
        writeln!(
            out,
            "  IKEv1 SA: local {}/{} remote {}/{} {} ",
            self.local,
            self.local_port,
            self.remote,
            self.remote_port,
            if self.active { "Active" } else { "Inactive" }
        )?;
        if detail {
            let letters = if self.capabilities.is_empty() { "(none)" } else { &self.capabilities };
            writeln!(
                out,
                "          Capabilities:{letters} connid:{} lifetime:{}",
                self.conn_id,
                clock_time(self.lifetime)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::AddressRange;

    #[test]
    fn hosts_and_networks_are_written_as_on_ios() {
        let selector = Selector {
            protocol: Some(6),
            remote_port: Some(22),
            ..Selector::between(AddressRange::ANY_V4, AddressRange::host("10.5.5.1".parse().unwrap()))
        };
        assert_eq!(
            FlowRow::idle(&selector, "crypto map").text(),
            "permit tcp 0.0.0.0/0.0.0.0 host 10.5.5.1 port 22"
        );
        assert_eq!(short_name("FastEthernet0/0"), "Fa0/0");
    }
}
