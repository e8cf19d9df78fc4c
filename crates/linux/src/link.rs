//! Network interfaces.

use crate::error::{Context, Error};
use crate::marks::INTERFACE_PREFIX;
use crate::netlink::{Attributes, CREATE, EXCLUSIVE, Message, Netlink, number_at, text_of};
use std::os::fd::{AsFd, AsRawFd};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What kind of virtual interface it is ("veth", "tun", "bridge"); nothing for hardware.
    pub kind: Option<String>,
    /// It is set up (`no shutdown`).
    pub up: bool,
    /// It works: it is up and has carrier ("line protocol is up").
    pub running: bool,
    /// The link has a carrier (a cable, a program that holds the TUN), whether it is up or not.
    pub carrier: bool,
    /// It is the loopback interface.
    pub loopback: bool,
    /// The index of the link that it is a port of, a bridge for example; 0 if there is none.
    pub master: u32,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its Ethernet address, when it has one.
    pub mac: Option<[u8; 6]>,
    /// What it carried since it was made.
    pub statistics: Statistics,
}

/// Counters of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets received.
    pub packets_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Packets that arrived broken.
    pub errors_in: u64,
    /// Packets that arrived and were not taken.
    pub dropped_in: u64,
    /// Multicast packets received.
    pub multicast_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Packets that could not be sent.
    pub errors_out: u64,
    /// Packets that were dropped instead of sent.
    pub dropped_out: u64,
}

impl Statistics {
    /// What was counted after `before` was.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            packets_in: self.packets_in.saturating_sub(before.packets_in),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            errors_in: self.errors_in.saturating_sub(before.errors_in),
            dropped_in: self.dropped_in.saturating_sub(before.dropped_in),
            multicast_in: self.multicast_in.saturating_sub(before.multicast_in),
            packets_out: self.packets_out.saturating_sub(before.packets_out),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            errors_out: self.errors_out.saturating_sub(before.errors_out),
            dropped_out: self.dropped_out.saturating_sub(before.dropped_out),
        }
    }

    /// `struct rtnl_link_stats64`.
    fn parse(data: &[u8]) -> Self {
        let at = |index: usize| {
            let bytes = data.get(index * 8..).and_then(|rest| rest.first_chunk::<8>());
            bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
        };
        Self {
            packets_in: at(0),
            packets_out: at(1),
            bytes_in: at(2),
            bytes_out: at(3),
            errors_in: at(4),
            errors_out: at(5),
            dropped_in: at(6),
            dropped_out: at(7),
            multicast_in: at(8),
        }
    }
}

const INTERFACE_NAME: u16 = libc::IFLA_IFNAME;
const LINK_INFO: u16 = libc::IFLA_LINKINFO;
/// `IFLA_STATS64`.
const STATISTICS: u16 = 23;
const KIND: u16 = 1;
const DATA: u16 = 2;
const VETH_PEER: u16 = 1;
/// `IFLA_VLAN_ID`.
const VLAN_ID: u16 = 1;

/// `struct ifinfomsg`.
fn header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    [&[0; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &change.to_ne_bytes()].concat()
}

pub(crate) fn parse(kind: u16, body: &[u8]) -> Option<Link> {
    if kind != libc::RTM_NEWLINK && kind != libc::RTM_DELLINK {
        return None;
    }
    let flags = number_at(body, 8)?.cast_signed();
    let mut link = Link {
        index: number_at(body, 4)?,
        name: String::new(),
        kind: None,
        up: flags & libc::IFF_UP != 0,
        running: flags & libc::IFF_RUNNING != 0,
        carrier: true,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        master: 0,
        mtu: 0,
        mac: None,
        statistics: Statistics::default(),
    };
    for (kind, data) in Attributes(body.get(16..)?) {
        match kind {
            INTERFACE_NAME => link.name = text_of(data),
            libc::IFLA_CARRIER => link.carrier = data.first() != Some(&0),
            libc::IFLA_MASTER => link.master = number_at(data, 0)?,
            libc::IFLA_MTU => link.mtu = number_at(data, 0)?,
            libc::IFLA_ADDRESS => link.mac = data.try_into().ok(),
            STATISTICS => link.statistics = Statistics::parse(data),
            LINK_INFO => {
                link.kind = Attributes(data).find(|(kind, _)| *kind == KIND).map(|(_, data)| text_of(data))
            }
            _ => {}
        }
    }
    Some(link)
}

/// All interfaces of the namespace, by index.
pub fn list(netlink: &Netlink) -> Result<Vec<Link>, Error> {
    let message = Message::new(libc::RTM_GETLINK, 0, &header(0, 0, 0));
    let mut links = netlink.list("list", "the interfaces", &message, parse)?;
    links.sort_by_key(|link| link.index);
    Ok(links)
}

/// The interface with this name. An error for which [`Error::is_not_found`] is true if there is
/// none.
pub fn by_name(netlink: &Netlink, name: &str) -> Result<Link, Error> {
    check_name(name)?;
    let message = Message::new(libc::RTM_GETLINK, 0, &header(0, 0, 0)).text(INTERFACE_NAME, name);
    get(netlink, format!("interface {name}"), message)
}

/// The interface of this index.
pub fn by_index(netlink: &Netlink, index: u32) -> Result<Link, Error> {
    get(netlink, format!("interface {index}"), Message::new(libc::RTM_GETLINK, 0, &header(index, 0, 0)))
}

fn get(netlink: &Netlink, object: String, message: Message) -> Result<Link, Error> {
    let mut found = None;
    netlink.request("find", &object, message, |kind, body| {
        found = parse(kind, body);
        Ok(())
    })?;
    found.ok_or(Error::Answer { operation: "finding an interface", reason: "no interface in it" })
}

/// The index of the interface of this name, in the thread's namespace.
pub fn index_of(name: &str) -> Result<u32, Error> {
    check_name(name)?;
    let text = std::ffi::CString::new(name).map_err(|_| Error::Invalid {
        object: format!("interface name {name:?}"),
        reason: "it contains a zero byte",
    })?;
    // SAFETY: the pointer is to a string with its zero byte, which outlives the call.
    let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
    if index == 0 {
        return Err(std::io::Error::last_os_error()).context("find interface", name);
    }
    Ok(index)
}

/// The name of the interface of this index, in the thread's namespace.
pub fn name_of(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IFNAMSIZ];
    // SAFETY: the buffer has the length that the function requires, and outlives the call.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    (!found.is_null()).then(|| crate::netlink::text_of(&name))
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() >= libc::IFNAMSIZ {
        return Err(Error::Invalid {
            object: format!("interface name {name:?}"),
            reason: "it must have 1 to 15 characters",
        });
    }
    Ok(())
}

fn change(netlink: &Netlink, operation: &'static str, index: u32, message: Message) -> Result<(), Error> {
    netlink.execute(operation, format!("interface {index}"), message)
}

/// Sets the interface up (`no shutdown`) or down.
pub fn set_up(netlink: &Netlink, index: u32, up: bool) -> Result<(), Error> {
    let flag = libc::IFF_UP.cast_unsigned();
    let message = Message::new(libc::RTM_NEWLINK, 0, &header(index, if up { flag } else { 0 }, flag));
    change(netlink, if up { "set up" } else { "set down" }, index, message)
}

/// Sets the MTU in bytes.
pub fn set_mtu(netlink: &Netlink, index: u32, mtu: u32) -> Result<(), Error> {
    let message = Message::new(libc::RTM_NEWLINK, 0, &header(index, 0, 0)).number(libc::IFLA_MTU, mtu);
    change(netlink, "set the MTU of", index, message)
}

/// Gives the interface another name; it must be down on older kernels.
pub fn rename(netlink: &Netlink, index: u32, name: &str) -> Result<(), Error> {
    check_name(name)?;
    let message = Message::new(libc::RTM_NEWLINK, 0, &header(index, 0, 0)).text(INTERFACE_NAME, name);
    change(netlink, "rename", index, message)
}

/// Makes the interface a port of a bridge; 0 takes it out.
pub fn set_bridge(netlink: &Netlink, index: u32, bridge: u32) -> Result<(), Error> {
    let message = Message::new(libc::RTM_NEWLINK, 0, &header(index, 0, 0)).number(libc::IFLA_MASTER, bridge);
    change(netlink, "bridge", index, message)
}

/// Moves the interface to another network namespace. Its addresses and routes are lost.
pub fn move_to(netlink: &Netlink, index: u32, namespace: impl AsFd) -> Result<(), Error> {
    let fd = namespace.as_fd().as_raw_fd().cast_unsigned();
    let message = Message::new(libc::RTM_NEWLINK, 0, &header(index, 0, 0)).number(libc::IFLA_NET_NS_FD, fd);
    change(netlink, "move to another namespace", index, message)
}

/// Removes a virtual interface (and, of a veth, its peer).
pub fn delete(netlink: &Netlink, index: u32) -> Result<(), Error> {
    change(netlink, "remove", index, Message::new(libc::RTM_DELLINK, 0, &header(index, 0, 0)))
}

/// Makes a virtual cable: `name` here, `peer` in `namespace` (or here too).
pub fn create_veth(
    netlink: &Netlink,
    name: &str,
    peer: &str,
    namespace: Option<&dyn AsFd>,
) -> Result<(), Error> {
    check_name(name)?;
    check_name(peer)?;
    let fd = namespace.map(|namespace| namespace.as_fd().as_raw_fd().cast_unsigned());
    let message = Message::new(libc::RTM_NEWLINK, CREATE | EXCLUSIVE, &header(0, 0, 0))
        .text(INTERFACE_NAME, name)
        .nested(LINK_INFO, &[], |info| {
            info.text(KIND, "veth").nested(DATA, &[], |data| {
                data.nested(VETH_PEER, &header(0, 0, 0), |other| {
                    other
                        .text(INTERFACE_NAME, peer)
                        .maybe(fd, |other, fd| other.number(libc::IFLA_NET_NS_FD, fd))
                })
            })
        });
    netlink.execute("make", format!("veth {name} to {peer}"), message)
}

/// Makes an Ethernet switch.
pub fn create_bridge(netlink: &Netlink, name: &str) -> Result<(), Error> {
    create_plain(netlink, name, "bridge")
}

/// Makes a link that leads nowhere, for addresses of the machine itself.
pub fn create_dummy(netlink: &Netlink, name: &str) -> Result<(), Error> {
    create_plain(netlink, name, "dummy")
}

/// Whether the kernel has dummy links. Tried by making one, which is removed at once.
pub fn has_dummies(netlink: &Netlink) -> bool {
    let name = format!("{INTERFACE_PREFIX}probe");
    match create_dummy(netlink, &name) {
        // one is left of a program that was killed just then
        Err(error) if !error.is_already_there() => return false,
        _ => {}
    }
    // two programs that start at once remove it once
    let _gone = by_name(netlink, &name).and_then(|link| delete(netlink, link.index));
    true
}

/// Makes the link of the frames that carry the tag of this VLAN (IEEE 802.1Q, 1 to 4094) on another
/// link.
pub fn create_vlan(netlink: &Netlink, name: &str, parent: u32, vlan: u16) -> Result<(), Error> {
    check_name(name)?;
    let message = Message::new(libc::RTM_NEWLINK, CREATE | EXCLUSIVE, &header(0, 0, 0))
        .text(INTERFACE_NAME, name)
        .number(libc::IFLA_LINK, parent)
        .nested(LINK_INFO, &[], |info| {
            info.text(KIND, "vlan").nested(DATA, &[], |data| data.attribute(VLAN_ID, &vlan.to_ne_bytes()))
        });
    netlink.execute("make", format!("VLAN {vlan} of interface {parent} as {name}"), message)
}

/// Whether the kernel has VLANs. Tried on a link that does not exist: the kernel looks for the kind
/// first.
pub fn has_vlans(netlink: &Netlink) -> bool {
    let nowhere = i32::MAX.cast_unsigned();
    let tried = create_vlan(netlink, &format!("{INTERFACE_PREFIX}probe"), nowhere, 1);
    tried.is_err_and(|error| error.is_not_found())
}

fn create_plain(netlink: &Netlink, name: &str, kind: &str) -> Result<(), Error> {
    check_name(name)?;
    let message = Message::new(libc::RTM_NEWLINK, CREATE | EXCLUSIVE, &header(0, 0, 0))
        .text(INTERFACE_NAME, name)
        .nested(LINK_INFO, &[], |info| info.text(KIND, kind));
    netlink.execute("make", format!("{kind} {name}"), message)
}
