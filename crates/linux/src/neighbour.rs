//! Neighbours: which Ethernet address an IP address has on a link (ARP), and addresses for which
//! this machine answers.

use crate::error::{Context as _, Error};
use crate::marks::PROTOCOL;
use crate::netlink::{Attributes, CREATE, Message, Netlink, address_of, family, number_at, short_at};
use crate::packet_socket::{BROADCAST, ETHERTYPE_ARP, Layer, PacketSocket};
use std::net::{IpAddr, Ipv4Addr};

const HEADER: usize = 12;
const STATE_INCOMPLETE: u16 = 0x01;
const STATE_FAILED: u16 = 0x20;
const STATE_NOARP: u16 = 0x40;
/// `NTF_PROXY`.
const FLAG_PROXY: u8 = 0x08;
/// Who added an entry (Linux 5.0).
const NDA_PROTOCOL: u16 = 12;

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the interface that leads to it.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address; `None` while there is no answer.
    pub mac: Option<[u8; 6]>,
    /// Seconds since the entry was confirmed.
    pub age: u32,
}

/// `struct ndmsg`.
fn parse(kind: u16, body: &[u8]) -> Option<Neighbour> {
    if kind != libc::RTM_NEWNEIGH {
        return None;
    }
    let state = short_at(body, 8)?;
    if state & STATE_NOARP != 0 {
        return None;
    }
    let (mut address, mut mac, mut age) = (None, None, 0);
    for (kind, data) in Attributes(body.get(HEADER..)?) {
        match kind {
            libc::NDA_DST => address = address_of(data),
            libc::NDA_LLADDR => mac = data.try_into().ok(),
            // struct nda_cacheinfo: ticks of 1/100 s since it was confirmed come first
            libc::NDA_CACHEINFO => age = number_at(data, 0)? / 100,
            _ => {}
        }
    }
    let known = state & (STATE_INCOMPLETE | STATE_FAILED) == 0;
    Some(Neighbour { interface: number_at(body, 4)?, address: address?, mac: mac.filter(|_| known), age })
}

/// All neighbours of the namespace.
pub fn list(netlink: &Netlink) -> Result<Vec<Neighbour>, Error> {
    let message = Message::new(libc::RTM_GETNEIGH, 0, &[0; HEADER]);
    netlink.list("list", "the neighbours", &message, parse)
}

/// An address for which this machine answers on a link although it is elsewhere (proxy ARP, RFC
/// 1027).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Index of the interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Who added it ([`PROTOCOL`] is Hubward).
    pub protocol: u8,
}

/// `struct ndmsg` of a proxy entry.
fn proxy_header(interface: u32, address: IpAddr) -> Vec<u8> {
    [&[family(address), 0, 0, 0][..], &interface.to_ne_bytes(), &[0, 0, FLAG_PROXY, 0]].concat()
}

fn parse_proxy(kind: u16, body: &[u8]) -> Option<Proxy> {
    if kind != libc::RTM_NEWNEIGH || body.get(10)? & FLAG_PROXY == 0 {
        return None;
    }
    let (mut address, mut protocol) = (None, 0);
    for (kind, data) in Attributes(body.get(HEADER..)?) {
        match kind {
            libc::NDA_DST => address = address_of(data),
            NDA_PROTOCOL => protocol = data.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    Some(Proxy { interface: number_at(body, 4)?, address: address?, protocol })
}

/// The addresses for which this machine answers.
pub fn proxies(netlink: &Netlink) -> Result<Vec<Proxy>, Error> {
    let mut header = [0; HEADER];
    if let Some(flags) = header.get_mut(10) {
        *flags = FLAG_PROXY;
    }
    netlink.list("list", "the proxy neighbours", &Message::new(libc::RTM_GETNEIGH, 0, &header), parse_proxy)
}

/// Answers for an address on a link. The kernel does so only while its route to the address leaves
/// by another link, and forwards from this one. One that somebody else added stays his.
pub fn add_proxy(netlink: &Netlink, interface: u32, address: IpAddr) -> Result<(), Error> {
    if is_foreign(netlink, interface, address)? {
        return Ok(());
    }
    let message = Message::new(libc::RTM_NEWNEIGH, CREATE, &proxy_header(interface, address))
        .address(libc::NDA_DST, address)
        .attribute(NDA_PROTOCOL, &[PROTOCOL]);
    netlink.execute("answer for", format!("{address} on interface {interface}"), message)
}

/// Whether somebody else lets this machine answer for an address on a link.
fn is_foreign(netlink: &Netlink, interface: u32, address: IpAddr) -> Result<bool, Error> {
    let is = |proxy: &Proxy| (proxy.interface, proxy.address) == (interface, address);
    Ok(proxies(netlink)?.iter().any(|proxy| is(proxy) && proxy.protocol != PROTOCOL))
}

/// Stops answering for an address on a link, unless somebody else lets it.
pub fn remove_proxy(netlink: &Netlink, interface: u32, address: IpAddr) -> Result<(), Error> {
    if is_foreign(netlink, interface, address)? {
        return Ok(());
    }
    let message = Message::new(libc::RTM_DELNEIGH, 0, &proxy_header(interface, address))
        .address(libc::NDA_DST, address);
    netlink.execute("stop answering for", format!("{address} on interface {interface}"), message)
}

/// Announces on a link that an address is at this Ethernet address (a gratuitous ARP request, RFC
/// 5227 section 3), so that neighbours update an entry for the router that had it before. Needs
/// CAP_NET_RAW.
pub fn announce(interface: u32, mac: [u8; 6], address: Ipv4Addr) -> Result<(), Error> {
    let socket = PacketSocket::open(interface, Layer::Network, ETHERTYPE_ARP, &[])?;
    // Ethernet, IPv4, their lengths, a request
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1];
    packet.extend(mac);
    packet.extend(address.octets());
    packet.extend([0; 6]);
    packet.extend(address.octets());
    socket.send(&packet, BROADCAST).context("announce", address)
}
