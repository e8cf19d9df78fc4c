//! The first lines of `why`: how many tunnels and peers are up, in how many packets pass, and how
//! many peers are gone, come and go, or are weak.

use super::show_weak;
use crate::views::pulse::Pulse;
use crate::views::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whoever was heard within this time counts as gone, and not as somebody of long ago.
const GONE: Duration = Duration::from_secs(86_400);
/// Ends within this time, and how many of them, are coming and going.
const FLAPS: Duration = Duration::from_secs(3600);
const MANY: usize = 3;

/// How it stands in all. `silent`: tunnels in which packets pass one way only. `None`: nothing is up
/// and nobody was here lately.
pub(super) fn summary(snapshot: &Arc<Snapshot>, silent: usize) -> Option<String> {
    let flows = &snapshot.flows;
    let here: BTreeSet<IpAddr> = flows.iter().map(|flow| flow.path.remote).collect();
    let lately = |at: Duration, within| snapshot.wall.saturating_sub(at) < within;
    let histories = &snapshot.histories;
    let gone = histories
        .iter()
        .filter(|(peer, of)| of.tunnel.is_some() && !here.contains(*peer) && lately(of.heard, GONE));
    let gone = gone.count();
    let flapping =
        histories.values().filter(|of| of.ends.iter().filter(|end| lately(end.at, FLAPS)).count() >= MANY);
    let flapping = flapping.count();
    if flows.is_empty() && gone + flapping == 0 {
        return None;
    }
    let pulses = || flows.iter().filter_map(|flow| flow.pulse.as_ref());
    let passes = |pulse: &&Pulse| pulse.inbound.last.is_some() && pulse.outbound.last.is_some();
    let both = match pulses().next() {
        Some(_) => format!("; packets have passed in both directions in {}", pulses().filter(passes).count()),
        None => String::new(),
    };
    let peers: BTreeSet<_> = flows.iter().map(|flow| flow.peer).collect();
    let (tunnels, with) =
        (counted(flows.len(), "tunnel is", "tunnels are"), counted(peers.len(), "peer", "peers"));
    let mut said = format!("{tunnels} up with {with}{both}.");
    let mut more = Vec::new();
    let mut tell = |number: usize, one: &str, many: &str| {
        if number > 0 {
            more.push(counted(number, one, many));
        }
    };
    tell(silent, "tunnel is silent in one direction", "tunnels are silent in one direction");
    tell(gone, "peer of the last day is not here", "peers of the last day are not here");
    tell(flapping, "peer came and went in the last hour", "peers came and went in the last hour");
    tell(
        show_weak::peers(snapshot),
        "peer uses what is weak (`show crypto weak`)",
        "peers use what is weak (`show crypto weak`)",
    );
    if !more.is_empty() {
        said += &format!("\n{}.", more.join("; "));
    }
    Some(said)
}

/// A number with what is counted.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
