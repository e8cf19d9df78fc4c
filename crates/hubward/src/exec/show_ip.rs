//! `show ip …` and `show running-config`.

use crate::snapshot::Snapshot;
use hubward_config::model::Addressing;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

const fn state(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

/// `show ip interface [NAME]`
pub(super) fn interface(snapshot: &Snapshot<'_>, only: Option<&str>) -> String {
    let mut out = String::new();
    let chosen: Vec<_> =
        snapshot.interfaces.iter().filter(|view| only.is_none_or(|name| name == view.name)).collect();
    if chosen.is_empty() {
        return "% Invalid input detected\n".into();
    }
    for view in chosen {
        let link = if view.shutdown { "administratively down" } else { state(view.up) };
        let _ = writeln!(
            out,
            "{} is {link}, line protocol is {}",
            view.name,
            state(view.running && !view.shutdown)
        );
        match view.net {
            Some(net) => {
                let by = if view.dhcp { "DHCP" } else { "setup command" };
                let _ = writeln!(out, "  Internet address is {}/{}", net.addr(), net.prefix_len());
                let _ = writeln!(out, "  Broadcast address is 255.255.255.255\n  Address determined by {by}");
                let _ = writeln!(out, "  MTU is {} bytes", view.mtu);
            }
            None => {
                let _ = writeln!(out, "  Internet protocol processing disabled");
            }
        }
    }
    out
}

/// `show ip interface brief`
pub(super) fn interface_brief(snapshot: &Snapshot<'_>) -> String {
    let mut out = String::from(
        "Interface                  IP-Address      OK? Method Status                Protocol\n",
    );
    for view in &snapshot.interfaces {
        let address = view.net.map_or("unassigned".to_string(), |net| net.addr().to_string());
        let method = match (view.net, view.dhcp) {
            (None, _) => "unset",
            (_, true) => "DHCP",
            (_, false) => "manual",
        };
        let status = if view.shutdown { "administratively down" } else { state(view.up) };
        let protocol = state(view.running && !view.shutdown);
        let _ = writeln!(out, "{:<26} {address:<15} YES {method:<6} {status:<21} {protocol:<8}", view.name);
    }
    out
}

/// `show ip route`: what the configuration asks for.
pub(super) fn route(snapshot: &Snapshot<'_>) -> String {
    let config = &snapshot.parsed.config;
    let mut out = String::from("Codes: C - connected, S - static, * - candidate default\n\n");
    let default = config.routes.iter().find(|route| route.destination.prefix_len() == 0);
    match default.and_then(|route| route.next_hop) {
        Some(hop) => {
            let _ = writeln!(out, "Gateway of last resort is {hop} to network 0.0.0.0\n");
        }
        None => out.push_str("Gateway of last resort is not set\n\n"),
    }
    for route in &config.routes {
        let star = if route.destination.prefix_len() == 0 { "*" } else { " " };
        let _ = write!(out, "S{star}   {} [{}/0]", route.destination, route.distance);
        let connected = route.next_hop.is_some_and(|hop| {
            snapshot.interfaces.iter().filter_map(|view| view.net).any(|net| net.contains(&hop))
        });
        let bearer = config.interfaces.iter().find(|interface| interface.crypto_map.is_some());
        let through = route.interface.clone().or_else(|| {
            let onlink = !connected && bearer.is_some_and(|bearer| bearer.address != Addressing::Dhcp);
            bearer.filter(|_| onlink).map(|bearer| bearer.name.clone())
        });
        match (route.next_hop, through) {
            (Some(hop), Some(interface)) => {
                let _ = writeln!(out, " via {hop}, {interface}");
            }
            (Some(hop), None) => {
                let _ = writeln!(out, " via {hop}");
            }
            (None, interface) => {
                let _ = writeln!(out, " is directly connected, {}", interface.unwrap_or_default());
            }
        }
    }
    for view in &snapshot.interfaces {
        if let Some(net) = view.net {
            let _ = writeln!(out, "C    {} is directly connected, {}", net.trunc(), view.name);
        }
    }
    let dropped = snapshot.drops.no_sa.load(Ordering::Relaxed);
    if dropped > 0 {
        let _ = writeln!(out, "\n{dropped} packets for tunnels that are not up were dropped");
    }
    out
}

/// `show ip local pool`
pub(super) fn local_pool(snapshot: &Snapshot<'_>) -> String {
    let mut out =
        String::from(" Pool                     Begin           End             Free  In use   Blocked\n");
    for pool in &snapshot.pools {
        let size = u32::from(pool.high) - u32::from(pool.low) + 1;
        let free = size.saturating_sub(pool.in_use);
        let _ = writeln!(
            out,
            " {:<24} {:<15} {:<15} {free:>4}  {:>6}   {:>7}",
            pool.name,
            pool.low.to_string(),
            pool.high.to_string(),
            pool.in_use,
            0
        );
    }
    out
}

/// `show running-config`
pub(super) fn running_config(snapshot: &Snapshot<'_>) -> String {
    let text = snapshot.parsed.document.print();
    let ended = if text.ends_with('\n') { text } else { format!("{text}\n") };
    format!("Building configuration...\n\nCurrent configuration : {} bytes\n{ended}", ended.len())
}
