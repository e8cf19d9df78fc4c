//! `show ip …` and `show running-config`.

use crate::routes::Static;
use crate::snapshot::Snapshot;
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

/// `show ip route`: of the static routes to a network those with the lowest distance, as they are installed.
pub(super) fn route(snapshot: &Snapshot<'_>) -> String {
    let mut out = String::from("Codes: C - connected, S - static, * - candidate default\n\n");
    let best = |chosen: &&Static| {
        chosen.hidden.is_none()
            && !snapshot.statics.iter().any(|other| {
                other.route.destination == chosen.route.destination
                    && other.hidden.is_none()
                    && other.distance < chosen.distance
            })
    };
    let installed: Vec<_> = snapshot.statics.iter().filter(best).collect();
    let default = installed.iter().find(|chosen| chosen.route.destination.prefix_len() == 0);
    match default.and_then(|chosen| chosen.route.gateway) {
        Some(hop) => {
            let _ = writeln!(out, "Gateway of last resort is {hop} to network 0.0.0.0\n");
        }
        None => out.push_str("Gateway of last resort is not set\n\n"),
    }
    for chosen in installed {
        let route = &chosen.route;
        let star = if route.destination.prefix_len() == 0 { "*" } else { " " };
        let _ = write!(out, "S{star}   {} [{}/0]", route.destination, chosen.distance);
        let _ = match (route.gateway, &chosen.interface) {
            (Some(hop), Some(interface)) => writeln!(out, " via {hop}, {interface}"),
            (Some(hop), None) => writeln!(out, " via {hop}"),
            (None, interface) => {
                writeln!(out, " is directly connected, {}", interface.as_deref().unwrap_or_default())
            }
        };
    }
    for view in &snapshot.interfaces {
        if let Some(net) = view.net {
            let _ = writeln!(out, "C    {} is directly connected, {}", net.trunc(), view.name);
        }
    }
    for (route, why) in snapshot.statics.iter().filter_map(|chosen| Some((chosen, chosen.hidden.as_ref()?))) {
        let _ = writeln!(out, "\n{} [{}/0] is not used: {why}", route.route.destination, route.distance);
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
