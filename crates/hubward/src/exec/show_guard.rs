//! `show crypto guard`, `clear crypto guard`: what must not leave unencrypted, and what peers were
//! granted.

use crate::base::date::age;
use crate::base::format::Format;
use crate::base::message::Request;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::guard::rules::{Kind, TABLE};
use crate::guard::{granted, ranges};
use crate::manage::desk::{Answers, Desk, PATIENCE, Refusal};
use crate::views::snapshot::Snapshot;
use ipnet::Ipv4Net;
use serde::Serialize;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) fn guard(context: &Context, _: &Arguments) -> Output {
    shown(Guard(Arc::clone(&context.snapshot)))
}

/// `clear crypto guard [A.B.C.D[/LENGTH]]`
pub(super) fn clear(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let network = |text: &str| {
        let host = || text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
        text.parse::<Ipv4Net>().ok().or_else(host).ok_or_else(|| arguments.invalid("network"))
    };
    let net = arguments.get("network").map(network).transpose()?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let sent = desk.gateway.request(Request::ClearGuard(net, sender));
    let count = sent.then(|| receiver.recv_timeout(PATIENCE).ok()).flatten();
    let count = count.ok_or_else(|| Refusal::Failed("The gateway does not answer".into()))?;
    desk.views.ordered();
    Ok(match count {
        0 => "No granted network without a tunnel is known there\n".into(),
        1 => "1 granted network is no longer guarded\n".into(),
        count => format!("{count} granted networks are no longer guarded\n"),
    })
}

/// Something that is guarded, or a network that was granted.
#[derive(Debug, Default, Serialize)]
struct GuardRow {
    /// `access-list`, `pool`, `granted`, `left-out`, `private`; `granted-network` for each of them,
    /// `missing` without a guard.
    kind: &'static str,
    interface: Option<String>,
    from: Option<String>,
    packets: Option<String>,
    dropped_packets: Option<u64>,
    dropped_bytes: Option<u64>,
    local: Option<String>,
    network: Option<String>,
    tunnels: Option<usize>,
    age: Option<u64>,
    last_peer: Option<Ipv4Addr>,
}

struct Guard(Arc<Snapshot>);

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::AccessList => "access-list",
        Kind::Pool => "pool",
        Kind::Granted => "granted",
        Kind::LeftOut => "left-out",
        Kind::Private => "private",
    }
}

impl Layout for Guard {
    type Row = GuardRow;

    fn rows(&self) -> impl Iterator<Item = GuardRow> {
        let (view, wall) = (&self.0.guard, self.0.wall);
        let counts = view.counts();
        let missing = view.missing.iter().map(|why| GuardRow {
            kind: "missing",
            from: Some(why.clone()),
            ..GuardRow::default()
        });
        let guarded = view.guarded.iter().filter(|_| view.missing.is_none()).map(move |one| {
            let count = counts.get(&one.comment).copied().unwrap_or_default();
            GuardRow {
                kind: name(one.kind),
                interface: one.interface.clone(),
                from: Some(one.from.clone()),
                packets: Some(one.packets.clone()),
                dropped_packets: Some(count.packets),
                dropped_bytes: Some(count.bytes),
                ..GuardRow::default()
            }
        });
        let granted = view.granted.iter().map(move |((local, range), grant)| GuardRow {
            kind: "granted-network",
            local: Some(local.to_string()),
            network: Some(ranges::told(*range)),
            tunnels: Some(grant.tunnels),
            age: Some(if grant.tunnels > 0 { 0 } else { wall.saturating_sub(grant.seen).as_secs() }),
            last_peer: grant.peer,
            ..GuardRow::default()
        });
        missing.chain(guarded).chain(granted)
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        match &self.0.guard.missing {
            Some(why) => writeln!(out, "Guard: none ({why})")?,
            None => writeln!(out, "Guard: in place (nftables table ip {TABLE})")?,
        }
        writeln!(out, "\nDropped     Must not leave in clear")?;
        for row in self.rows() {
            let (Some(packets), Some(from)) = (row.packets, row.from) else { continue };
            let by = row.interface.map(|name| format!(" by {name}")).unwrap_or_default();
            writeln!(out, "{:<11} {packets}{by} ({from})", row.dropped_packets.unwrap_or_default())?;
        }
        writeln!(
            out,
            "\nGranted networks: {} of at most {}, each for {} days after its last tunnel",
            self.0.guard.granted.len(),
            granted::MOST,
            granted::REMEMBERED.as_secs() / 86_400
        )?;
        if self.0.guard.granted.is_empty() {
            return Ok(());
        }
        writeln!(out, "{:<18} {:<31} Tunnels  Last tunnel  Last peer", "From", "To")?;
        for row in self.rows() {
            let (Some(local), Some(network)) = (row.local, row.network) else { continue };
            let tunnels = row.tunnels.unwrap_or_default();
            let last = if tunnels > 0 { "now".to_owned() } else { age(row.age.unwrap_or_default()) };
            let peer = row.last_peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
            writeln!(out, "{local:<18} {network:<31} {tunnels:>7}  {last:<11}  {peer}")?;
        }
        Ok(())
    }
}
