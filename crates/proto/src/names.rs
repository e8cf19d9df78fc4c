//! Names of things that several rooms speak of. They import nothing.

use std::fmt;

/// Identifies an interface of the configuration as long as the program runs; says nothing of its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceId(pub u16);

/// A routing instance; 0 is the global table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VrfId(pub u16);

/// A security parameter index: chosen by the receiver, never below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spi(pub u32);

/// Names a child SA pair for as long as the gateway runs; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(pub u64);

/// Names a crypto map entry in the running policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryRef {
    /// The crypto map's name; for the VPN client its connection's name.
    pub map: String,
    /// Sequence number in the map.
    pub sequence: u16,
    /// Name and sequence number in the dynamic map behind a dynamic entry.
    pub dynamic: Option<(String, u16)>,
}

/// A peer: what phase-1 SAs and child SAs have in common. Lives as long as one of them does.
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
