//! `ip access-group`, `ip verify unicast`, `ip tcp adjust-mss`, `ip directed-broadcast`.

use super::list::{Lists, REFUSE, Use};
use super::packets;
use super::site::{Site, quoted};
use super::text::{base, chain, marked};
use crate::guard::ranges;
use hubward_config::model::{Addressing, SourceCheck};
use hubward_linux::marks::{CAPTURE_MASK, CLEAR_MARK, FWMARK};
use ipnet::{IpNet, Ipv4Net};

pub(super) fn chains(site: &Site<'_>, lists: &mut Lists<'_>) -> Vec<String> {
    let mut chains = Vec::new();
    leaving(site, &mut chains);
    input(site, lists, &mut chains);
    output(site, lists, &mut chains);
    mss(site, &mut chains);
    broadcasts(site, lists, &mut chains);
    chains
}

/// Links that are about to be shut down: their interfaces, and with them their lists, are gone from
/// the configuration already.
fn leaving(site: &Site<'_>, chains: &mut Vec<String>) {
    let links: Vec<String> = site.here.leaving.iter().filter_map(quoted).collect();
    if links.is_empty() {
        return;
    }
    let links = packets::set(links.into_iter());
    for (name, hook, by) in [("coming", "prerouting", "iifname"), ("leaving", "postrouting", "oifname")] {
        let head = format!("type filter hook {hook} priority -160; policy accept;");
        chains.push(base(name, &head, &[format!("{by} {links} drop")]));
    }
}

/// What comes in by each interface: its list first, then where it claims to come from.
fn input(site: &Site<'_>, lists: &mut Lists<'_>, chains: &mut Vec<String>) {
    let (mut jumps, mut fragments) = (Vec::new(), Vec::new());
    for (place, (interface, link)) in site.interfaces().enumerate() {
        let mut rules = Vec::new();
        if let Some(name) = &interface.access_in {
            rules.extend(lists.chain(name, Use::Input).map(|list| format!("jump {list}")));
            if lists.asks_fragments(name) {
                let list = lists.chain(name, Use::Fragments);
                fragments
                    .extend(list.map(|list| format!("iifname {link} ip frag-off & 0x1fff != 0 jump {list}")));
            }
        }
        if let Some(check) = &interface.source_check {
            rules.extend(source_check(site, lists, place, check));
        }
        if rules.is_empty() {
            continue;
        }
        let name = format!("in_{place}");
        // of the kernel's own tunnels the inner packet comes again by the same interface
        if site.here.tun.is_none() && interface.crypto_map.is_some() && !site.here.inner_again {
            rules.insert(0, "meta secpath exists return".into());
        }
        chains.push(chain(&name, &rules));
        jumps.push(format!("iifname {link} jump {name}"));
    }
    if let Some(tun) = site.tun().filter(|_| site.here.inner_again) {
        let lists_in = site.crypto().filter_map(|(interface, _)| interface.access_in.clone());
        for name in lists_in {
            jumps.extend(lists.chain(&name, Use::Input).map(|list| format!("iifname {tun} jump {list}")));
        }
    }
    if jumps.is_empty() {
        return;
    }
    let mut refuse = Vec::new();
    let silent = site.links(|one| one.no_unreachables, false);
    refuse.extend(silent.map(|links| format!("iifname {links} drop")));
    refuse.push("limit rate 2/second burst 5 packets reject with icmp type admin-prohibited".into());
    refuse.push("drop".into());
    lists.chains.push(chain(REFUSE, &refuse));
    if !fragments.is_empty() {
        chains.push(base(
            "fragments",
            "type filter hook prerouting priority -450; policy accept;",
            &fragments,
        ));
    }
    chains.push(base("input", "type filter hook prerouting priority -150; policy accept;", &jumps));
}

/// Packets whose source this interface does not lead to. The routes that count are those of the
/// configuration: the mark of Hubward's own packets makes the look-up pass by the routes into the
/// TUN, which a crypto map may have for every address.
fn source_check(site: &Site<'_>, lists: &mut Lists<'_>, place: usize, check: &SourceCheck) -> Vec<String> {
    // a host that asks for its address has none
    let mut rules = vec!["ip saddr 0.0.0.0 ip daddr 255.255.255.255 return".to_owned()];
    if check.allow_self_ping {
        rules.push("fib saddr type local return".into());
    }
    let fails = match check.by_this_interface {
        true => "fib saddr . mark . iif oif missing",
        false => "fib saddr . mark oif missing",
    };
    let mut fails = vec![fails.to_owned()];
    if !check.allow_default {
        let known = ranges::disjoint(known_networks(site).into_iter().map(ranges::of));
        // without any, nothing is known
        fails.push(match known.as_slice() {
            [] => String::new(),
            known => format!("ip saddr != {}", packets::set(known.iter().copied().map(ranges::told))),
        });
    }
    let permitted = check.list.as_ref().and_then(|name| {
        let stop = format!("forged_{place}");
        lists.chains.push(chain(&stop, &["drop".to_owned()]));
        lists.chain(name, Use::Except(stop))
    });
    let verdict = permitted.map_or_else(|| "drop".to_owned(), |list| format!("jump {list}"));
    let checks: Vec<String> =
        fails.into_iter().map(|fail| format!("{fail} {verdict}").trim().into()).collect();
    if site.here.tun.is_none() {
        rules.extend(checks);
        return rules;
    }
    // other programs' marks stay as they are
    let marked = format!("from_{place}");
    let mut of_marked = vec![format!("meta mark set meta mark | {FWMARK:#x}")];
    of_marked.extend(checks.iter().cloned());
    of_marked.push(format!("meta mark set meta mark & {:#x}", !CAPTURE_MASK));
    lists.chains.push(chain(&marked, &of_marked));
    rules.push(format!("meta mark & {CAPTURE_MASK:#x} == 0 goto {marked}"));
    rules.extend(checks);
    rules
}

/// What there are routes to besides the default route.
fn known_networks(site: &Site<'_>) -> Vec<Ipv4Net> {
    let v4 = |net: &IpNet| match net {
        IpNet::V4(net) => Some(net.trunc()),
        IpNet::V6(_) => None,
    };
    let connected = site.config.interfaces.iter().filter_map(|one| match &one.address {
        Addressing::Static(nets) => Some(nets),
        _ => None,
    });
    let connected = connected.flatten().filter_map(v4);
    let leased = site.here.leased.iter().map(|(_, net)| net.trunc());
    let routes = site.config.routes.iter().filter_map(|route| v4(&route.destination));
    connected.chain(leased).chain(routes.filter(|net| net.prefix_len() > 0)).collect()
}

/// What leaves by each interface, but for what this router itself sends.
fn output(site: &Site<'_>, lists: &mut Lists<'_>, chains: &mut Vec<String>) {
    let mut jumps = Vec::new();
    for (place, (interface, link)) in site.interfaces().enumerate() {
        let Some(list) = interface.access_out.as_ref().and_then(|name| lists.chain(name, Use::Output)) else {
            continue;
        };
        let name = format!("out_{place}");
        let mut rules = Vec::new();
        if interface.crypto_map.is_some() {
            // IKE is this router's own. Old releases filter what goes into a tunnel, later ones
            // what comes of it
            if !site.here.inner_again {
                let esp = marked(FWMARK);
                rules.push(format!("{esp} ip protocol 50 jump {list}"));
                rules.push(format!("{esp} udp sport 4500 @th,64,32 != 0 jump {list}"));
                if site.here.tun.is_none() {
                    rules.push("rt ipsec exists return".into());
                }
            }
            // what no tunnel carries comes back from the data plane
            rules.push(format!("{} jump {list}", marked(CLEAR_MARK)));
        }
        // without an interface by which it came in, it is this router's own
        rules.push("meta iif 0 return".into());
        rules.push(format!("jump {list}"));
        chains.push(chain(&name, &rules));
        jumps.push(format!("oifname {link} jump {name}"));
    }
    if let Some(tun) = site.tun().filter(|_| site.here.inner_again) {
        let lists_out = site.crypto().filter_map(|(interface, _)| interface.access_out.clone());
        for name in lists_out {
            let list = lists.chain(&name, Use::Output);
            jumps.extend(list.map(|list| format!("oifname {tun} meta iif != 0 jump {list}")));
        }
    }
    if !jumps.is_empty() {
        chains.push(base("output", "type filter hook postrouting priority 160; policy accept;", &jumps));
    }
}

/// `ip tcp adjust-mss`, in both directions.
fn mss(site: &Site<'_>, chains: &mut Vec<String>) {
    let rules: Vec<String> = site
        .interfaces()
        .filter_map(|(interface, link)| {
            // what goes through a tunnel leaves by the TUN first
            let tun = site.tun().filter(|_| interface.crypto_map.is_some());
            Some((interface.adjust_mss?, packets::set([link].into_iter().chain(tun))))
        })
        .flat_map(|(size, link)| {
            ["iifname", "oifname"].map(|way| {
                format!(
                    "{way} {link} tcp flags & (syn | rst) == syn tcp option maxseg size > {size} tcp option maxseg size set {size}"
                )
            })
        })
        .collect();
    if !rules.is_empty() {
        chains.push(base("mss", "type filter hook forward priority -150; policy accept;", &rules));
    }
}

/// `ip directed-broadcast`: the interfaces by which broadcasts of their networks may leave.
fn broadcasts(site: &Site<'_>, lists: &mut Lists<'_>, chains: &mut Vec<String>) {
    let mut rules = Vec::new();
    for (interface, link) in site.interfaces() {
        let Some(forwarded) = &interface.directed_broadcast else { continue };
        let pass = format!("broadcast_{}", interface.number);
        let list =
            forwarded.list.as_ref().and_then(|name| lists.chain(name, Use::Select { then: pass.clone() }));
        rules.push(match list {
            Some(list) => {
                chains.push(chain(&pass, &["accept".to_owned()]));
                format!("oifname {link} fib daddr type broadcast jump {list}")
            }
            None => format!("oifname {link} fib daddr type broadcast accept"),
        });
    }
    if site.interfaces().any(|(one, _)| one.directed_broadcast.is_some()) {
        rules.push("fib daddr type broadcast drop".into());
        chains.push(base("broadcasts", "type filter hook forward priority -140; policy accept;", &rules));
    }
}
