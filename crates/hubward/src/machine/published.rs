//! Addresses for which address translation answers: the kernel has them as further addresses of the
//! interface whose network they are in, as IOS has aliases.

use crate::base::family::v4;
use crate::machine::faces::Names;
use hubward_config::model::{Addressing, Config, NatGlobal, NatRule, NatSide, NatTo, StaticNatPair};
use hubward_proto::dhcp::Lease;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Addresses of one rule; a pool that has more is answered for up to there.
const MOST: usize = 1024;

/// The links and their further addresses.
pub(super) fn addresses(
    config: &Config,
    names: &Names,
    leases: &BTreeMap<String, Lease>,
) -> Vec<(String, IpNet)> {
    let mut outside: Vec<(&String, Vec<Ipv4Net>)> = Vec::new();
    for interface in config.interfaces.iter().filter(|one| !one.shutdown && one.nat == Some(NatSide::Outside))
    {
        let Some(link) = names.get(&interface.name) else { continue };
        let nets = match &interface.address {
            Addressing::Static(nets) => nets.iter().copied().filter_map(v4).collect(),
            Addressing::Dhcp => leases.get(link).map(|lease| lease.address).into_iter().collect(),
            Addressing::None | Addressing::Secondary(_) => Vec::new(),
        };
        outside.push((link, nets));
    }
    let own: BTreeSet<Ipv4Addr> = outside.iter().flat_map(|(_, nets)| nets).map(Ipv4Net::addr).collect();
    let link_of = |address: &Ipv4Addr| {
        let on = outside.iter().find(|(_, nets)| nets.iter().any(|net| net.contains(address)));
        on.map(|(link, _)| (*link).clone())
    };
    let usable = |address: &Ipv4Addr| {
        !own.contains(address)
            && outside.iter().flat_map(|(_, nets)| nets).all(|net| {
                net.prefix_len() >= 31 || (*address != net.network() && *address != net.broadcast())
            })
    };
    let wanted: BTreeSet<Ipv4Addr> = published(config).into_iter().filter(usable).collect();
    wanted
        .into_iter()
        .filter_map(|address| Some((link_of(&address)?, Ipv4Net::from(address).into())))
        .collect()
}

/// Addresses of which [`addresses`] may have put some on a link, as they are there; an address that
/// an interface has itself is none of them.
pub(super) fn aliases(config: &Config) -> BTreeSet<Ipv4Net> {
    let mut found: BTreeSet<_> = published(config).into_iter().map(Ipv4Net::from).collect();
    for interface in &config.interfaces {
        if let Addressing::Static(nets) = &interface.address {
            found = &found - &nets.iter().copied().filter_map(v4).collect();
        }
    }
    found
}

/// Every address as which something inside is seen outside.
fn published(config: &Config) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    for rule in &config.nat.rules {
        match rule {
            NatRule::Static(rule) if rule.no_alias => {}
            NatRule::Static(rule) => match &rule.what {
                StaticNatPair::Host { global: NatGlobal::Address(address), .. }
                | StaticNatPair::Port { global: NatGlobal::Address(address), .. } => found.push(*address),
                StaticNatPair::Network { global, .. } => found.extend(global.hosts().take(MOST)),
                StaticNatPair::Host { .. } | StaticNatPair::Port { .. } => {}
            },
            NatRule::Dynamic(rule) => {
                let NatTo::Pool(name) = &rule.to else { continue };
                let pool = config.nat.pools.iter().find(|pool| pool.name == *name);
                let ranges = pool.into_iter().flat_map(|pool| &pool.ranges);
                let all = ranges.flat_map(|(first, last)| u32::from(*first)..=u32::from(*last));
                found.extend(all.take(MOST).map(Ipv4Addr::from));
            }
        }
    }
    found
}
