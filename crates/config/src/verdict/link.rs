//! Protection other than IPsec by a crypto map or a tunnel interface: MACsec, SD-WAN, and frames
//! that are carried to another router under the protection of a crypto map.

use super::kinds::is_tunnel;
use super::lines::{Block, Spelled};
use super::outcome::{Outcome, Reason, Verdict};
use super::world::{Applied, World};
use crate::acl::Pattern;
use crate::interface_name::long_name;
use crate::model::{Config, Interface};
use std::net::Ipv4Addr;

/// How the name of an interface's MACsec begins.
const MACSEC: &str = "macsec ";

pub(super) fn verdicts(world: &World<'_>) -> Vec<Verdict> {
    let mut out = macsec(world);
    out.extend(sdwan(world));
    out.extend(xconnect(world));
    out
}

/// What does not exist here because of these lines; nothing if there are none, or if their
/// interface is shut, as one in a VRF is here: what a cable carried takes the other ways that there
/// are, on a router too.
fn missing(world: &World<'_>, name: String, interface: &str, reasons: Vec<Reason>) -> Option<Verdict> {
    let line = reasons.first()?.line;
    let is_shut = |known: &Interface| known.name == interface && (known.shutdown || known.vrf.is_some());
    if world.config.interfaces.iter().any(is_shut) {
        return None;
    }
    let outcome = Outcome::of(reasons, Vec::new());
    Some(Verdict { name, line, outcome, flows: Vec::new(), unknown: false, idle: false })
}

fn because<'l>(lines: impl Iterator<Item = &'l Spelled<'l>>, text: &str) -> Vec<Reason> {
    lines.map(|line| Reason::new(line.line, text)).collect()
}

/// Whether an interface is this one or one of its sub-interfaces.
fn is_part(name: &str, of: &str) -> bool {
    name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `macsec` and `mka …` on an interface: nothing leaves a router there that is not encrypted.
fn macsec(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in world.having("interface") {
        let name = block.interface();
        if is_tunnel(&name) {
            continue;
        }
        // one line is enough to blame
        let lines = block.below.iter().filter(|line| line.begins("macsec") || line.begins("mka")).take(1);
        let text = "MACsec is not implemented; if this machine's link has MACsec of its own, remove the line";
        let Some(mut verdict) = missing(world, format!("{MACSEC}{name}"), &name, because(lines, text)) else {
            continue;
        };
        let parts = world.config.interfaces.iter().filter(|interface| is_part(&interface.name, &name));
        verdict.flows = parts.flat_map(|interface| world.routed(&interface.name)).collect();
        out.push(verdict);
    }
    out
}

/// Shuts an interface that is left out because of its MACsec: the guard passes packets that leave
/// by an inside interface, so making its networks unreachable would not be enough.
pub(super) fn shut(config: &mut Config, name: &str) {
    let Some(name) = name.strip_prefix(MACSEC) else { return };
    for interface in config.interfaces.iter_mut().filter(|interface| is_part(&interface.name, name)) {
        interface.shutdown = true;
    }
}

/// `tunnel-interface` with `encapsulation ipsec` under `sdwan`: the controllers announce the
/// networks behind it. The interface's own packets are not encrypted on a router either.
fn sdwan(world: &World<'_>) -> Vec<Verdict> {
    let is_sdwan = |block: &&Block<'_>| block.having("tunnel mode sdwan").next().is_some();
    // those have a verdict of their own
    let named: Vec<String> = world
        .having("interface")
        .filter(is_sdwan)
        .flat_map(|block| block.having("tunnel source"))
        .map(|line| long_name(&line.text.split_whitespace().skip(2).collect::<String>()))
        .collect();
    let mut out = Vec::new();
    for block in world.having("sdwan").chain(world.having("interface")) {
        let mut name = block.head.begins("interface").then(|| block.interface());
        let mut is_tunnel = false;
        for line in &block.below {
            if line.begins("interface") {
                name = Some(long_name(&line.text.split_whitespace().skip(1).collect::<String>()));
                is_tunnel = false;
            }
            is_tunnel |= line.begins("tunnel-interface");
            let Some(name) = name.as_ref().filter(|name| is_tunnel && !named.contains(name)) else {
                continue;
            };
            if line.begins("encapsulation ipsec") {
                let reasons = because(std::iter::once(line), "SD-WAN is not implemented");
                let verdict = missing(world, format!("sdwan {name}"), name, reasons);
                out.extend(verdict.map(|verdict| Verdict { unknown: true, ..verdict }));
            }
        }
    }
    out
}

/// `xconnect`, under this or a newer name, to a peer to which a crypto map protects the traffic.
/// Without a crypto map the frames are unencrypted on a router as well.
fn xconnect(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in &world.blocks {
        let (name, interface, word) = if block.head.begins("interface") {
            let name = block.interface();
            let word = if name.starts_with("pseudowire") { "neighbor" } else { "xconnect" };
            (name.clone(), name, word)
        } else if block.head.begins("l2vpn xconnect context") {
            (block.head.word(3).unwrap_or_default().to_string(), String::new(), "member")
        } else {
            continue;
        };
        let protected = |line: &&Spelled<'_>| {
            let peer = line.word(1).and_then(|word| word.parse::<Ipv4Addr>().ok());
            peer.is_some_and(|peer| is_selected(world, peer))
        };
        let text = "frames are not carried to other routers, with or without the protection of a crypto map";
        let reasons = because(block.having(word).filter(protected), text);
        if let Some(mut verdict) = missing(world, format!("xconnect {name}"), &interface, reasons) {
            verdict.flows = world.routed(&interface);
            out.push(verdict);
        }
    }
    out
}

/// Whether an entry of a crypto map selects what L2TPv3 sends to a peer.
fn is_selected(world: &World<'_>, peer: Ipv4Addr) -> bool {
    const L2TP: [u8; 2] = [115, 17];
    let selects = |line: &Pattern| {
        line.destination.covering().contains(&peer)
            && line.protocol.is_none_or(|protocol| L2TP.contains(&protocol))
    };
    let config = world.config;
    let maps = config.maps.iter().filter(|map| !matches!(world.applied(&map.name), Applied::Nowhere(_)));
    let mut lists = maps.flat_map(|map| &map.entries).flat_map(|entry| {
        let dynamic = config.dynamic_maps.iter().filter(|known| entry.dynamic.as_ref() == Some(&known.name));
        let terms = dynamic.flat_map(|map| &map.entries).map(|entry| &entry.terms);
        terms.chain([&entry.terms]).filter_map(|terms| terms.acl.as_ref())
    });
    lists.any(|name| {
        let acl = config.acls.iter().find(|acl| acl.name == *name);
        let lines = acl.iter().flat_map(|acl| acl.readings(config)).filter(|(_, line)| line.permit);
        lines.flat_map(|(_, line)| line.patterns).any(|pattern| selects(&pattern))
    })
}
