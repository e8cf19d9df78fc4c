//! The configuration on this machine: which links its interfaces have, and their addresses.

use super::one_to_one::{self, Pool};
use super::packets;
use crate::machine::apply::is_plain;
use crate::machine::faces::LOOPBACK;
use crate::machine::view::Names;
use hubward_config::model::{Addressing, Config, Interface, Moment};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What the rules depend on besides the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// The Linux names of the interfaces.
    pub(crate) names: &'a Names,
    /// Networks of interfaces that DHCP gave, with the interface's name in the configuration.
    pub(crate) leased: &'a [(String, ipnet::Ipv4Net)],
    /// The TUN by which packets go to and come from the tunnels; `None`: the kernel is the data
    /// plane.
    pub(crate) tun: Option<&'a str>,
    /// The minute, for time ranges.
    pub(crate) moment: Moment,
    /// Packets that come out of tunnels pass the input list of the interface again, as in releases
    /// before 12.3(8)T.
    pub(crate) inner_again: bool,
    /// The kernel can follow FTP, TFTP and SIP.
    pub(crate) follows: bool,
    /// Links of interfaces that are no longer in the configuration, and are still up.
    pub(crate) leaving: &'a [String],
}

/// The configuration on this machine.
pub(super) struct Site<'a> {
    pub(super) config: &'a Config,
    pub(super) here: Here<'a>,
}

impl<'a> Site<'a> {
    /// The interfaces that have a link, with its name in quotes. A loopback that shares the machine's
    /// has none of its own: what this machine says to itself is not filtered.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = (&'a Interface, String)> {
        let names = self.here.names;
        let link = |one: &Interface| names.get(&one.name).filter(|link| *link != LOOPBACK).and_then(quoted);
        self.config.interfaces.iter().filter_map(move |one| Some((one, link(one)?)))
    }

    /// Links in quotes, as the value of `iifname` and `oifname`; `None` without any.
    pub(super) fn links(&self, is: impl Fn(&Interface) -> bool, tun: bool) -> Option<String> {
        let of_config = self.interfaces().filter(|(one, _)| is(one)).map(|(_, link)| link);
        let tun = self.tun().filter(|_| tun);
        let links: BTreeSet<String> = of_config.chain(tun).collect();
        (!links.is_empty()).then(|| packets::set(links.into_iter()))
    }

    pub(super) fn tun(&self) -> Option<String> {
        self.here.tun.and_then(quoted)
    }

    /// The interfaces with a crypto map: what goes through a tunnel goes out by one of them.
    pub(super) fn crypto(&self) -> impl Iterator<Item = (&'a Interface, String)> {
        self.interfaces().filter(|(one, _)| one.crypto_map.is_some())
    }

    /// The pools without `overload`.
    pub(super) fn pools(&self) -> Vec<Pool> {
        one_to_one::pools(self.config, self.here.leased.iter().map(|(_, net)| net.addr()))
    }

    /// The address of an interface as it is at the moment.
    pub(super) fn address(&self, name: &str) -> Option<Ipv4Addr> {
        let interface = self.config.interfaces.iter().find(|one| one.name == name)?;
        match &interface.address {
            Addressing::Static(nets) => nets.iter().find_map(|net| match net {
                IpNet::V4(net) => Some(net.addr()),
                IpNet::V6(_) => None,
            }),
            Addressing::Dhcp => {
                self.here.leased.iter().find(|(own, _)| own == name).map(|(_, net)| net.addr())
            }
            Addressing::None | Addressing::Secondary(_) => None,
        }
    }
}

/// The name of a link in quotes. A name that nftables cannot quote gets no rule: no link of a
/// configuration has one, because `--map` refuses it.
pub(super) fn quoted(link: impl AsRef<str>) -> Option<String> {
    let link = link.as_ref();
    is_plain(link).then(|| format!("\"{link}\""))
}
