//! Names that several modules share. This module imports no other.

use std::fmt;
use std::sync::Arc;

/// Identifies an interface of the configuration while the program runs; it does not depend on the
/// interface's position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceId(pub u16);

/// A routing instance; 0 is the global table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VrfId(pub u16);

/// A security parameter index: chosen by the receiver, never below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spi(pub u32);

/// Identifies a child SA while the gateway runs; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(pub u64);

/// An entry of a crypto map, or of a dynamic map, in the running policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryName {
    /// The map's name; shared, because every child SA has it several times.
    pub map: Arc<str>,
    /// The entry's sequence number in it.
    pub sequence: u16,
}

/// What a child SA serves: where in the policy its terms are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// An entry of a crypto map with peers and an access list of its own.
    Entry(EntryName),
    /// A peer of a dynamic map.
    Dynamic {
        /// The entry of the crypto map (`ipsec-isakmp dynamic NAME`).
        entry: EntryName,
        /// The entry of the dynamic map.
        template: EntryName,
    },
    /// A tunnel interface (`tunnel protection ipsec profile`): all packets that are routed to it.
    Tunnel(InterfaceId),
    /// A connection of the VPN client, by its name.
    Client(String),
}

impl Service {
    /// The service of an entry of a crypto map.
    pub fn entry(map: impl Into<Arc<str>>, sequence: u16) -> Self {
        Self::Entry(EntryName { map: map.into(), sequence })
    }

    /// The service of an entry of a dynamic map that an entry of a crypto map refers to.
    pub fn dynamic(
        map: impl Into<Arc<str>>,
        sequence: u16,
        dynamic: impl Into<Arc<str>>,
        of_dynamic: u16,
    ) -> Self {
        Self::Dynamic {
            entry: EntryName { map: map.into(), sequence },
            template: EntryName { map: dynamic.into(), sequence: of_dynamic },
        }
    }

    /// The entry of the crypto map, if it is the service of one.
    pub fn map_entry(&self) -> Option<&EntryName> {
        match self {
            Self::Entry(entry) | Self::Dynamic { entry, .. } => Some(entry),
            Self::Tunnel(_) | Self::Client(_) => None,
        }
    }

    /// The entry of the dynamic map, if it is the service of one.
    pub fn template(&self) -> Option<&EntryName> {
        match self {
            Self::Dynamic { template, .. } => Some(template),
            Self::Entry(_) | Self::Tunnel(_) | Self::Client(_) => None,
        }
    }

    /// The name of the crypto map, if it is the service of one.
    pub fn map(&self) -> Option<&str> {
        self.map_entry().map(|entry| &*entry.map)
    }
}

impl fmt::Display for Service {
    /// For the log: the entry of the crypto map, the connection, or the number of the tunnel
    /// interface.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry) | Self::Dynamic { entry, .. } => write!(f, "{} {}", entry.map, entry.sequence),
            Self::Tunnel(id) => write!(f, "tunnel interface {}", id.0),
            Self::Client(name) => f.write_str(name),
        }
    }
}

/// A peer: what its phase-1 SAs and child SAs have in common. It exists as long as one of them
/// does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerId(pub(crate) u64);

/// Text or bytes from a peer; displays escaped and at most 128 characters long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Untrusted(Vec<u8>);

impl Untrusted {
    /// Wraps what a peer sent.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let mut bytes = bytes.into();
        bytes.truncate(256);
        Self(bytes)
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in String::from_utf8_lossy(&self.0).chars().take(128) {
            if character == ' ' || character.is_alphanumeric() || character.is_ascii_punctuation() {
                write!(f, "{character}")?;
            } else {
                write!(f, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Connection id of an ISAKMP SA, as `show crypto isakmp sa` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u32);
