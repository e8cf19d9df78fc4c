//! Which packets.

use ipnet::Ipv4Net;
use std::fmt;

/// Which packets a policy, or an SA, speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    /// Networks of the source.
    pub source: Ipv4Net,
    /// Networks of the destination.
    pub destination: Ipv4Net,
    /// IP protocol; `None` is any.
    pub protocol: Option<u8>,
    /// TCP or UDP port; `None` is any. A fragment counts as having the ports 0.
    pub source_port: Option<u16>,
    /// TCP or UDP port; `None` is any.
    pub destination_port: Option<u16>,
    /// Index of the interface that the packet's route leaves by; 0 is any.
    pub interface: u32,
}

impl Selector {
    /// Every packet between two networks.
    pub const fn between(source: Ipv4Net, destination: Ipv4Net) -> Self {
        Self { source, destination, protocol: None, source_port: None, destination_port: None, interface: 0 }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}{} to ", self.source, port(self.source_port))?;
        write!(f, "{}{}", self.destination, port(self.destination_port))?;
        match self.protocol {
            Some(protocol) => write!(f, " protocol {protocol}"),
            None => Ok(()),
        }
    }
}
