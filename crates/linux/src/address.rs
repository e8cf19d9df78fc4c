//! Addresses of interfaces.

use crate::error::Error;
use crate::marks::{Made, PROTOCOL};
use crate::netlink::{
    Attributes, CREATE, EXCLUSIVE, Message, Netlink, address_of, family, number_at, text_of,
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// `IFA_PROTO` (Linux 5.18): who added the address. Older kernels ignore it.
const IFA_PROTO: u16 = 11;
const HEADER: usize = 8;

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub interface: u32,
    /// The address with the length of its network's prefix.
    pub net: IpNet,
    /// Who added it, as far as the kernel remembers: 0 unknown, [`PROTOCOL`] Hubward.
    pub protocol: u8,
    /// Its label, for an IPv4 alias ("eth0:1").
    pub label: Option<String>,
}

/// `struct ifaddrmsg`.
fn header(interface: u32, net: IpNet) -> Vec<u8> {
    [&[family(net.addr()), net.prefix_len(), 0, 0][..], &interface.to_ne_bytes()].concat()
}

pub(crate) fn parse(kind: u16, body: &[u8]) -> Option<Address> {
    if kind != libc::RTM_NEWADDR && kind != libc::RTM_DELADDR {
        return None;
    }
    let prefix = *body.get(1)?;
    let (mut address, mut local, mut protocol, mut label) = (None, None, 0, None);
    for (kind, data) in Attributes(body.get(HEADER..)?) {
        match kind {
            libc::IFA_ADDRESS => address = address_of(data),
            // on a point-to-point interface IFA_ADDRESS is the other end and this is ours
            libc::IFA_LOCAL => local = address_of(data),
            libc::IFA_LABEL => label = Some(text_of(data)),
            IFA_PROTO => protocol = data.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    let net = IpNet::new(local.or(address)?, prefix).ok()?;
    Some(Address { interface: number_at(body, 4)?, net, protocol, label })
}

/// All addresses of the namespace.
pub fn list(netlink: &Netlink) -> Result<Vec<Address>, Error> {
    let message = Message::new(libc::RTM_GETADDR, 0, &[0; HEADER]);
    netlink.list("list", "the addresses", &message, parse)
}

/// Adds an address, marked as Hubward's where the kernel can. One that is there already is adopted
/// and left as it is.
pub fn add(netlink: &Netlink, interface: u32, net: IpNet) -> Result<Made, Error> {
    add_as(netlink, interface, net, PROTOCOL)
}

/// Adds an address with another protocol number: the lab gives its hosts addresses that a gateway's
/// sweep must not take for leftovers. Protocol 0 belongs to no program.
pub fn add_as(netlink: &Netlink, interface: u32, net: IpNet, protocol: u8) -> Result<Made, Error> {
    let message = Message::new(libc::RTM_NEWADDR, CREATE | EXCLUSIVE, &header(interface, net))
        .address(libc::IFA_LOCAL, net.addr())
        .address(libc::IFA_ADDRESS, net.addr())
        .maybe(broadcast(net), |message, broadcast| message.address(libc::IFA_BROADCAST, broadcast))
        .maybe((protocol != 0).then_some(protocol), |message, protocol| {
            message.attribute(IFA_PROTO, &[protocol])
        });
    match netlink.execute("add address", format!("{net} to interface {interface}"), message) {
        Ok(()) => Ok(Made::New),
        Err(error) if error.is_already_there() => Ok(Made::AlreadyThere),
        Err(error) => Err(error),
    }
}

fn broadcast(net: IpNet) -> Option<IpAddr> {
    match net {
        IpNet::V4(v4) if v4.prefix_len() < 31 && v4.broadcast() != Ipv4Addr::BROADCAST => {
            Some(v4.broadcast().into())
        }
        _ => None,
    }
}

/// Removes an address.
pub fn remove(netlink: &Netlink, interface: u32, net: IpNet) -> Result<(), Error> {
    let message =
        Message::new(libc::RTM_DELADDR, 0, &header(interface, net)).address(libc::IFA_LOCAL, net.addr());
    netlink.execute("remove address", format!("{net} from interface {interface}"), message)
}
