//! Tunnels of kinds that are not implemented at all: they are known by their lines alone.

use super::kinds::{has_no_link, is_tunnel};
use super::lines::{Block, Spelled};
use super::networks::{Flow, of_pool, permitted, to};
use super::outcome::{Outcome, Reason, Verdict};
use super::world::World;
use crate::interface_name::long_name;
use crate::model::InterfaceKind;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn verdicts(world: &World<'_>) -> Vec<Verdict> {
    let mut out = tunnels(world);
    out.extend(undefined(world));
    out.extend(templates(world));
    out.extend(peers(world));
    out.extend(easy_vpn(world));
    out.extend(web_vpn(world));
    out.extend(vpdn(world));
    out
}

fn missing(name: String, head: &Spelled<'_>, mut reasons: Vec<Reason>, otherwise: &str) -> Verdict {
    if reasons.is_empty() {
        reasons.push(Reason::new(head.line, otherwise));
    }
    let outcome = Outcome::of(reasons, Vec::new());
    Verdict { name, line: head.line, outcome, flows: Vec::new(), unknown: false, idle: false }
}

/// What the lines of a tunnel interface say of the tunnel.
fn because(block: &Block<'_>) -> Vec<Reason> {
    let of = ["tunnel", "pseudowire", "ip nhrp"];
    let lines = block.below.iter().filter(|line| of.iter().any(|word| line.begins(word)));
    lines.map(|line| Reason::new(line.line, format!("`{}` is not implemented", line.front()))).collect()
}

/// `interface TunnelN` and its like.
fn tunnels(world: &World<'_>) -> Vec<Verdict> {
    let by_policy: Vec<Vec<&str>> = world
        .having("route-map")
        .flat_map(|block| &block.below)
        .filter(|line| line.begins("set"))
        .map(|line| line.text.split_whitespace().collect())
        .collect();
    // `set [default] interface TunnelN` and `set ip [default] next-hop …` into the tunnel's own
    // network
    let routes_by_policy = |name: &str, own: &[IpNet]| {
        by_policy.iter().any(|words| match words.as_slice() {
            ["set", "interface", to @ ..] | ["set", "default", "interface", to @ ..] => {
                long_name(&to.concat()) == name
            }
            ["set", "ip", to @ ..] => to
                .iter()
                .filter_map(|word| word.parse::<IpAddr>().ok())
                .any(|hop| own.iter().any(|net| net.contains(&hop))),
            _ => false,
        })
    };
    let mut out: Vec<Verdict> = Vec::new();
    for block in world.having("interface") {
        let name = block.interface();
        if !is_tunnel(&name) {
            continue;
        }
        let mut verdict =
            missing(name.clone(), &block.head, because(block), "tunnel interfaces are not implemented");
        verdict.flows = world.routed(&name);
        let over = ["ip ospf", "ip eigrp", "ip rip", "ip router", "ip nhrp", "ip pim"];
        verdict.unknown = world.routing
            || block.having("tunnel mode sdwan").next().is_some()
            || routes_by_policy(&name, &verdict.flows.iter().map(|(_, net)| *net).collect::<Vec<_>>())
            || over.iter().any(|words| block.having(words).next().is_some());
        let model = world.config.interfaces.iter().find(|known| known.name == name);
        if model.is_some_and(|interface| interface.shutdown) {
            verdict.outcome = Outcome::Differs(vec![Reason::new(
                block.head.line,
                "it is shut down, and carries nothing on a router either",
            )]);
            verdict.idle = true;
        }
        // `blocks` has each interface once
        out.push(verdict);
    }
    out
}

/// Tunnel interfaces that routes lead through and that nothing defines.
fn undefined(world: &World<'_>) -> Vec<Verdict> {
    let defined: BTreeSet<_> = world.having("interface").map(Block::interface).collect();
    let mut out: Vec<Verdict> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for route in &world.config.routes {
        let Some(name) = route.interface.as_deref().map(long_name) else { continue };
        if !has_no_link(&name) || defined.contains(&name) {
            continue;
        }
        let reason = Reason::new(route.line, format!("leads through {name}, which is not defined"));
        let place = *places.entry(name.clone()).or_insert(out.len());
        match out.get_mut(place) {
            Some(Verdict { outcome: Outcome::Missing(reasons), .. }) => reasons.push(reason),
            Some(_) => {}
            None => out.push(Verdict {
                flows: world.routed(&name),
                name,
                line: route.line,
                outcome: Outcome::Missing(vec![reason]),
                unknown: false,
                idle: false,
            }),
        }
    }
    out
}

/// The virtual template that a line names.
fn template(line: &Spelled<'_>) -> Option<String> {
    let number = line.text.split_whitespace().nth(1)?;
    number.parse::<u32>().is_ok().then(|| format!("Virtual-Template{number}"))
}

/// Virtual templates that a profile makes tunnels from.
fn templates(world: &World<'_>) -> Vec<Verdict> {
    let mut named: Vec<(String, Spelled<'_>, Vec<Flow>)> = Vec::new();
    for opener in ["crypto isakmp profile", "crypto ikev2 profile", "crypto ssl profile"] {
        for block in world.having(opener) {
            for line in block.having("virtual-template") {
                if let Some(name) = template(line) {
                    named.push((name, *line, clients(world, block)));
                }
            }
        }
    }
    let mut out: Vec<Verdict> = Vec::new();
    for block in world.having("interface") {
        let name = block.interface();
        let is_vpn = block.head.has("type") || block.having("tunnel").next().is_some();
        let is_named = named.iter().any(|(known, ..)| *known == name);
        if InterfaceKind::of(&name) != InterfaceKind::VirtualTemplate
            || !(is_vpn || is_named)
            || out.iter().any(|v| v.name == name)
        {
            continue;
        }
        let mut verdict =
            missing(name.clone(), &block.head, because(block), "virtual templates are not implemented");
        verdict.flows = world.routed(&name);
        verdict.unknown = true;
        out.push(verdict);
    }
    for (name, line, flows) in named {
        let place = out.iter().position(|known| known.name == name).unwrap_or_else(|| {
            out.push(missing(name, &line, Vec::new(), "virtual templates are not implemented"));
            out.len() - 1
        });
        if let Some(verdict) = out.get_mut(place) {
            verdict.flows.extend(flows);
            verdict.unknown = true;
            let named =
                Reason::new(line.line, "makes a tunnel interface for each peer, which is not implemented");
            verdict.outcome = match std::mem::replace(&mut verdict.outcome, Outcome::Works) {
                Outcome::Missing(mut reasons) => {
                    reasons.push(named);
                    Outcome::of(reasons, Vec::new())
                }
                other => other,
            };
        }
    }
    out
}

/// The pools of a profile's clients.
fn clients(world: &World<'_>, block: &Block<'_>) -> Vec<Flow> {
    let name = block.head.word(3);
    let profile = world.config.profiles.iter().find(|profile| Some(profile.name.as_str()) == name);
    let Some(profile) = profile.filter(|_| block.head.begins("crypto isakmp")) else { return Vec::new() };
    let groups: Vec<_> = profile.groups().filter_map(|name| world.config.group_for(name)).collect();
    let mut names: Vec<_> = groups.iter().filter_map(|group| world.config.pool_of(group)).collect();
    // those of peers without a group
    if groups.is_empty() && (profile.respond || profile.initiate) {
        names.extend(world.config.crypto.address_pool.as_ref().map(|(pool, _)| pool.as_str()));
    }
    pool_flows(world, &names)
}

fn pool_flows(world: &World<'_>, names: &[&str]) -> Vec<Flow> {
    let pools = world.config.pools.iter().filter(|pool| names.contains(&pool.name.as_str()));
    of_pool(pools).into_iter().map(to).collect()
}

/// `crypto isakmp peer …` with attributes for aggressive mode.
fn peers(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in world.having("crypto isakmp peer") {
        let lines = block.having("set aggressive-mode");
        let text = "aggressive mode with per-peer attributes is not implemented";
        let reasons: Vec<_> = lines.map(|line| Reason::new(line.line, text)).collect();
        // `crypto isakmp peer address 10.0.0.1 [vrf X]`
        let Some(peer) = block.head.word(4).filter(|_| !reasons.is_empty()) else { continue };
        let mut verdict = missing(format!("peer {peer}"), &block.head, reasons, "");
        let entries = world.config.maps.iter().flat_map(|map| &map.entries);
        let own = entries.filter(|entry| peer.parse().is_ok_and(|peer| entry.peers.contains(&peer)));
        for name in own.filter_map(|entry| entry.terms.acl.as_ref()) {
            if let Some(acl) = world.config.acls.iter().find(|acl| acl.name == *name) {
                verdict.flows.extend(permitted(world.config, acl));
                verdict.unknown |= acl.may_permit_unknown(world.config);
            }
        }
        out.push(verdict);
    }
    out
}

/// The router's own Easy VPN client.
fn easy_vpn(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in world.having("crypto ipsec client ezvpn") {
        let Some(name) = block.head.word(4) else { continue };
        let text = "the router's own Easy VPN client is `hubward client` here";
        let mut verdict = missing(format!("ezvpn {name}"), &block.head, Vec::new(), text);
        // its server announces the networks behind it
        verdict.unknown = true;
        out.push(verdict);
    }
    out
}

/// SSL VPN: `webvpn gateway`, `webvpn context`, `crypto ssl profile`.
fn web_vpn(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for (opener, words) in [("webvpn gateway", 2), ("webvpn context", 2), ("crypto ssl profile", 3)] {
        for block in world.having(opener) {
            let Some(name) = block.head.word(words) else { continue };
            let shown = opener.strip_prefix("crypto ").unwrap_or(opener);
            let mut verdict =
                missing(format!("{shown} {name}"), &block.head, Vec::new(), "SSL VPN is not implemented");
            for line in block.lines().filter(|line| line.text.contains("address-pool")) {
                let words: Vec<_> = line.text.split_whitespace().map(|word| word.trim_matches('"')).collect();
                verdict.flows.extend(pool_flows(world, &words));
            }
            verdict.unknown = opener == "crypto ssl profile";
            out.push(verdict);
        }
    }
    out
}

/// L2TP and PPTP; `vpdn-group`s for PPPoE are not VPNs.
fn vpdn(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in world.having("vpdn-group") {
        let Some(name) = block.head.word(1) else { continue };
        let protocols: Vec<_> = block.having("protocol").filter_map(|line| line.word(1)).collect();
        if !protocols.is_empty() && protocols.iter().all(|protocol| *protocol == "pppoe") {
            continue;
        }
        let text = "L2TP and PPTP are not implemented";
        let mut verdict = missing(format!("vpdn-group {name}"), &block.head, Vec::new(), text);
        let templates: Vec<_> = block.having("virtual-template").filter_map(template).collect();
        for interface_block in world.having("interface") {
            if templates.contains(&interface_block.interface()) {
                for line in interface_block.having("peer default ip address pool") {
                    let pools: Vec<_> = line.text.split_whitespace().skip(5).collect();
                    verdict.flows.extend(pool_flows(world, &pools));
                }
            }
        }
        verdict.unknown = verdict.flows.is_empty();
        out.push(verdict);
    }
    out
}
