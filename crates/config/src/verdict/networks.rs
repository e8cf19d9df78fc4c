//! The networks of a tunnel: what it would carry, less what goes another way all the same.

use crate::acl::{Pattern, PortRange};
use crate::model::{Acl, Config, Pool};
use ipnet::{IpNet, IpSubnets, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Sources and destinations.
pub type Flow = (IpNet, IpNet);

/// Pieces into which a network may be cut; where more are needed it stays whole, and more is closed
/// than need be.
const PIECES: usize = 1024;

/// How often lines that deny cut those that permit, in all of a list; where more would be needed,
/// more is closed than need be.
const CUTS: usize = 4_000_000;

/// Everything that goes to a network.
pub(super) fn to(net: IpNet) -> Flow {
    let anywhere = match net {
        IpNet::V4(_) => IpNet::V4(Ipv4Net::default()),
        IpNet::V6(_) => IpNet::V6(Ipv6Net::default()),
    };
    (anywhere, net)
}

/// The part of a network that is outside another.
fn outside(net: IpNet, hole: IpNet) -> Vec<IpNet> {
    if hole.contains(&net) {
        return Vec::new();
    }
    if !net.contains(&hole) {
        return vec![net];
    }
    // the halves that do not contain the hole, from the network down to the hole
    let halves = (net.prefix_len() + 1..=hole.prefix_len()).filter_map(|length| {
        let with = IpNet::new(hole.network(), length).ok()?.trunc();
        with.supernet()?.subnets(length).ok()?.find(|half| *half != with)
    });
    halves.collect()
}

/// The part of a network that is outside all of these.
pub(super) fn less(net: IpNet, holes: &[IpNet]) -> Vec<IpNet> {
    let mut left = vec![net];
    for hole in holes {
        let cut: Vec<_> = left.iter().flat_map(|piece| outside(*piece, *hole)).collect();
        if cut.len() <= PIECES {
            left = cut;
        }
    }
    left
}

/// What an access list permits, by its addresses: a line that says more than addresses counts as if
/// it said no more, and one that denies counts only where it is all that it says.
pub(super) fn permitted(config: &Config, acl: &Acl) -> Vec<Flow> {
    cut(config, acl).0
}

/// Whether lines of an access list that deny cut those that permit into so many networks that not
/// all of them count: what is closed for the list is more than it permits.
pub(crate) fn closes_more(config: &Config, acl: &Acl) -> bool {
    cut(config, acl).1
}

/// [`permitted`] and [`closes_more`]
fn cut(config: &Config, acl: &Acl) -> (Vec<Flow>, bool) {
    let mut denied: Vec<Flow> = Vec::new();
    let mut out = Vec::new();
    let mut known: BTreeSet<Flow> = BTreeSet::new();
    let (mut cuts, mut more) = (0_usize, false);
    for (_, line) in acl.readings(config) {
        for pattern in &line.patterns {
            let flow = (IpNet::V4(pattern.source.covering()), IpNet::V4(pattern.destination.covering()));
            if !line.permit {
                let whole = line.narrower.is_none()
                    && pattern.is_addresses()
                    && pattern.source.prefix().is_some()
                    && pattern.destination.prefix().is_some();
                if whole {
                    denied.push(flow);
                }
                continue;
            }
            if carries_nothing_here(pattern) {
                continue;
            }
            let mut left = vec![flow];
            for (source, destination) in &denied {
                cuts += left.len();
                if cuts > CUTS {
                    more = true;
                    break;
                }
                let cut: Vec<Flow> =
                    left.iter().flat_map(|flow| without(*flow, *source, *destination)).collect();
                if cut.len() <= PIECES {
                    left = cut;
                } else {
                    more = true;
                }
            }
            out.extend(left.into_iter().filter(|flow| known.insert(*flow)));
        }
    }
    (out, more)
}

/// What is left of flows without others; where that would be too many networks, more than is left.
pub(crate) fn less_flows(flows: Vec<Flow>, holes: &[Flow]) -> Vec<Flow> {
    let mut left = flows;
    let mut cuts = 0_usize;
    for (source, destination) in holes {
        cuts += left.len();
        if cuts > CUTS {
            break;
        }
        let cut: Vec<Flow> = left.iter().flat_map(|flow| without(*flow, *source, *destination)).collect();
        if cut.len() <= PIECES.max(left.len()) {
            left = cut;
        }
    }
    left
}

/// L2TP and GRE of this machine to anybody: nothing here sends them, and the addresses alone would
/// close the whole machine.
fn carries_nothing_here(pattern: &Pattern) -> bool {
    const L2TP: Option<PortRange> = Some(PortRange { first: 1701, last: 1701 });
    let tunnels = match pattern.protocol {
        Some(17) => pattern.source_ports == L2TP || pattern.destination_ports == L2TP,
        Some(4 | 47 | 115) => true,
        _ => false,
    };
    let own = pattern.source.prefix().is_some_and(|net| net.prefix_len() == 32);
    tunnels && own && pattern.destination.covering().prefix_len() == 0
}

fn without((source, destination): Flow, from: IpNet, to: IpNet) -> Vec<Flow> {
    let meets = |one: IpNet, other: IpNet| one.contains(&other) || other.contains(&one);
    if !meets(source, from) || !meets(destination, to) {
        return vec![(source, destination)];
    }
    let narrower = if source.contains(&from) { from } else { source };
    let elsewhere = outside(source, from).into_iter().map(|source| (source, destination));
    elsewhere.chain(outside(destination, to).into_iter().map(|to| (narrower, to))).collect()
}

/// The networks that make up the ranges of a pool.
pub(super) fn of_pool<'p>(pools: impl Iterator<Item = &'p Pool>) -> Vec<IpNet> {
    let nets = pools.filter_map(|pool| match (pool.low, pool.high) {
        (IpAddr::V4(low), IpAddr::V4(high)) => Some(IpSubnets::V4(Ipv4Subnets::new(low, high, 0))),
        (IpAddr::V6(low), IpAddr::V6(high)) => Some(IpSubnets::V6(Ipv6Subnets::new(low, high, 0))),
        // there is no such range
        _ => None,
    });
    nets.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// What is left of a network and the holes make up the whole of it, and no more.
    #[test]
    fn a_network_less_holes() {
        let left = less(net("10.0.0.0/8"), &[net("10.1.1.0/24"), net("10.2.0.0/16"), net("192.168.0.0/16")]);
        let inside = |address: &str| {
            left.iter().filter(|net| net.contains(&address.parse::<IpAddr>().unwrap())).count()
        };
        for address in ["10.1.1.0", "10.1.1.255", "10.2.255.1", "11.0.0.0", "192.168.0.1"] {
            assert_eq!(inside(address), 0, "{address}");
        }
        for address in ["10.0.0.0", "10.1.0.255", "10.1.2.0", "10.3.0.0", "10.255.255.255"] {
            assert_eq!(inside(address), 1, "{address}");
        }
        assert!(less(net("10.1.1.0/24"), &[net("10.0.0.0/8")]).is_empty());
        assert_eq!(less(net("0.0.0.0/0"), &[net("128.0.0.0/1")]), [net("0.0.0.0/1")]);
        assert_eq!(less(net("2001:db8::/32"), &[net("2001:db8:8000::/33")]), [net("2001:db8::/33")]);
        assert_eq!(less(net("0.0.0.0/0"), &[net("::/0")]), [net("0.0.0.0/0")], "of the other family");
    }

    #[test]
    fn what_a_list_denies_first_it_does_not_permit() {
        let text = "access-list 101 deny ip 10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255\n\
                    access-list 101 deny tcp any any\n\
                    access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
        let config = crate::parse(text).config;
        let flows = permitted(&config, &config.acls[0]);
        let meets = |from: &str, to: &str| {
            let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
            flows.iter().any(|(source, destination)| source.contains(&from) && destination.contains(&to))
        };
        assert!(!meets("10.1.1.5", "10.2.2.5"));
        assert!(
            meets("10.1.1.5", "10.2.3.5") && meets("10.1.2.5", "10.2.2.5") && !meets("10.3.0.1", "10.2.0.1")
        );
    }

    #[test]
    fn a_range_of_a_pool_is_networks() {
        let pool = |low: &str, high: &str| Pool {
            name: "p".into(),
            low: low.parse().unwrap(),
            high: high.parse().unwrap(),
            line: 1,
        };
        let nets = of_pool([pool("10.5.5.1", "10.5.5.4"), pool("10.6.0.0", "10.6.0.0")].iter());
        assert_eq!(nets, ["10.5.5.1/32", "10.5.5.2/31", "10.5.5.4/32", "10.6.0.0/32"].map(net));
        let nets = of_pool([pool("2001:db8::1", "2001:db8::3"), pool("10.6.0.0", "2001:db8::")].iter());
        assert_eq!(nets, ["2001:db8::1/128", "2001:db8::2/127"].map(net));
    }
}
