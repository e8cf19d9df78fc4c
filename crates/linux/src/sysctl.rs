//! Kernel settings below /proc/sys/net, of the thread's network namespace.

use crate::error::{Context, Error};

/// A setting that Hubward needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Forward IPv4 packets between interfaces.
    IpForward,
    /// Forward IPv6 packets between interfaces.
    Ipv6Forward,
    /// Reverse path filter of an interface ("all", "default" or a name): 0 off, 1 strict, 2 loose.
    /// The kernel uses the greater of "all" and the interface's.
    RpFilter(String),
    /// Keep IPv6 off an interface ("all", "default" or a name).
    DisableIpv6(String),
    /// Accept packets from other interfaces' networks with a local source address.
    AcceptLocal(String),
    /// Tell hosts of a better gateway by ICMP.
    SendRedirects(String),
    /// Forward broadcasts to other networks that come by an interface ("all" or a name); both must
    /// say so.
    ForwardBroadcasts(String),
    /// Groups that may send ICMP echoes without CAP_NET_RAW.
    PingGroupRange,
    /// How many seconds the kernel waits for an SA that it asked for before it asks again.
    XfrmAcquireExpires,
}

impl Setting {
    fn path(&self) -> Result<String, Error> {
        let of_interface = |family: &str, interface: &str, name: &str| {
            if interface.is_empty() || interface == "." || interface == ".." || interface.contains('/') {
                let object = format!("interface name {interface:?}");
                return Err(Error::Invalid { object, reason: "no interface can have it" });
            }
            Ok(format!("/proc/sys/net/{family}/conf/{interface}/{name}"))
        };
        match self {
            Self::IpForward => Ok("/proc/sys/net/ipv4/ip_forward".to_owned()),
            Self::Ipv6Forward => Ok("/proc/sys/net/ipv6/conf/all/forwarding".to_owned()),
            Self::RpFilter(interface) => of_interface("ipv4", interface, "rp_filter"),
            Self::DisableIpv6(interface) => of_interface("ipv6", interface, "disable_ipv6"),
            Self::AcceptLocal(interface) => of_interface("ipv4", interface, "accept_local"),
            Self::SendRedirects(interface) => of_interface("ipv4", interface, "send_redirects"),
            Self::ForwardBroadcasts(interface) => of_interface("ipv4", interface, "bc_forwarding"),
            Self::PingGroupRange => Ok("/proc/sys/net/ipv4/ping_group_range".to_owned()),
            Self::XfrmAcquireExpires => Ok("/proc/sys/net/core/xfrm_acq_expires".to_owned()),
        }
    }
}

/// Reads the setting.
pub fn get(setting: &Setting) -> Result<String, Error> {
    let path = setting.path()?;
    Ok(std::fs::read_to_string(&path).context("read", &path)?.trim().to_owned())
}

/// Sets the setting and returns what it was; nothing is written when it has the value already.
pub fn set(setting: &Setting, value: &str) -> Result<String, Error> {
    let before = get(setting)?;
    if before != value {
        let path = setting.path()?;
        std::fs::write(&path, value).context("write", &path)?;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_settings_and_a_path_cannot_leave_its_folder() {
        assert!(["0", "1", "2"].contains(&get(&Setting::RpFilter("lo".to_owned())).unwrap().as_str()));
        for name in ["..", "../../x", "", "."] {
            assert!(
                get(&Setting::RpFilter(name.to_owned())).unwrap_err().to_string().contains("no interface")
            );
        }
    }
}
