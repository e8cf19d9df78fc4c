//! `crypto ipsec`, `crypto map`, `crypto dynamic-map`.

use super::ike::Keepalive;
use std::net::IpAddr;

/// `crypto ipsec transform-set`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransformSet {
    /// Name.
    pub name: String,
    /// Cipher with key length: des, 3des, aes, gcm.
    pub cipher: Option<(String, Option<u16>)>,
    /// Integrity: md5, sha, sha256, sha384, sha512.
    pub auth: Option<String>,
    /// `mode transport`.
    pub transport: bool,
    /// Transforms that are not implemented (AH, compression, NULL).
    pub unsupported: Vec<String>,
    /// Line.
    pub line: u32,
}

/// What static and dynamic entries have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryTerms {
    /// `set transform-set`.
    pub transform_sets: Vec<String>,
    /// `match address`.
    pub acl: Option<String>,
    /// `set isakmp-profile`.
    pub profile: Option<String>,
    /// `set pfs`, the group's number.
    pub pfs: Option<u16>,
    /// `set security-association lifetime seconds`.
    pub seconds: Option<u32>,
    /// `set security-association lifetime kilobytes`.
    pub volume: Option<Volume>,
    /// `set security-association idle-time`.
    pub idle_time: Option<u32>,
    /// `set security-association replay`.
    pub replay: Option<Replay>,
    /// `reverse-route`: a route to what the peer has, while an SA is up.
    pub reverse_route: bool,
    /// `reverse-route static`: the same whether one is up or not.
    pub reverse_route_static: bool,
    /// The entry is left out: nothing is negotiated for it, the packets of its access list must not
    /// use another entry's SA, and a peer that a dynamic entry without a list would have served is
    /// not served by a later entry. Never set in what [`parse`](crate::parse()) returns.
    pub left_out: bool,
}

/// How much an SA may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    /// `disable`: any amount.
    Unlimited,
    /// This many kilobytes.
    Kilobytes(u32),
}

/// `replay {window-size N | disable}`: how far behind the highest sequence number a packet of an SA
/// may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Any number of times.
    Off,
    /// This many packets.
    Window(u32),
}

impl Default for Replay {
    fn default() -> Self {
        Self::Window(64)
    }
}

impl Replay {
    /// What the keywords stand for.
    pub(crate) const KEYWORDS: &[(&'static str, Self)] = &[
        ("disable", Self::Off),
        ("64", Self::Window(64)),
        ("128", Self::Window(128)),
        ("256", Self::Window(256)),
        ("512", Self::Window(512)),
        ("1024", Self::Window(1024)),
        ("2048", Self::Window(2048)),
        ("4096", Self::Window(4096)),
    ];

    /// Packets of the window; 0 without one.
    pub const fn packets(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Window(packets) => packets,
        }
    }
}

/// `crypto dynamic-map`.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicMap {
    /// Name.
    pub name: String,
    /// Entries by number.
    pub entries: Vec<DynamicEntry>,
}

/// An entry of a dynamic map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DynamicEntry {
    /// Number.
    pub sequence: u16,
    /// Terms.
    pub terms: EntryTerms,
    /// Line.
    pub line: u32,
}

/// `crypto map`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CryptoMap {
    /// Name.
    pub name: String,
    /// Entries by number.
    pub entries: Vec<MapEntry>,
    /// `client authentication list`.
    pub xauth_list: Option<(String, u32)>,
    /// `isakmp authorization list`.
    pub authorization_list: Option<String>,
    /// `client configuration address respond`.
    pub respond: bool,
    /// `client configuration address initiate`.
    pub initiate: bool,
    /// `local-address`: the long name of the interface at whose address its tunnels terminate.
    pub local_address: Option<String>,
}

/// An entry of a crypto map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapEntry {
    /// Number.
    pub sequence: u16,
    /// `dynamic NAME`; otherwise the entry is static.
    pub dynamic: Option<String>,
    /// `set peer`.
    pub peers: Vec<IpAddr>,
    /// Terms.
    pub terms: EntryTerms,
    /// Line.
    pub line: u32,
}

impl MapEntry {
    /// Whether it has a peer, a list or transform sets itself; one that points to a dynamic map has
    /// none on a router.
    pub fn has_own_terms(&self) -> bool {
        !self.peers.is_empty() || self.terms.acl.is_some() || !self.terms.transform_sets.is_empty()
    }
}

/// `crypto ipsec df-bit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DfBit {
    /// `copy`.
    #[default]
    Copy,
    /// `set`.
    Set,
    /// `clear`.
    Clear,
}

/// Global `crypto` settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CryptoGlobal {
    /// `crypto isakmp keepalive`.
    pub keepalive: Option<Keepalive>,
    /// `crypto isakmp nat keepalive`, seconds.
    pub nat_keepalive: Option<u32>,
    /// `crypto isakmp identity hostname`.
    pub identity_hostname: bool,
    /// Cleared by `crypto isakmp aggressive-mode disable`.
    pub aggressive_mode: bool,
    /// Cleared by `no crypto ipsec nat-transparency udp-encapsulation`.
    pub nat_transparency: bool,
    /// `crypto isakmp invalid-spi-recovery`.
    pub invalid_spi_recovery: bool,
    /// `crypto ipsec df-bit`.
    pub df_bit: DfBit,
    /// `crypto ipsec security-association lifetime seconds`.
    pub seconds: u32,
    /// `crypto ipsec security-association lifetime kilobytes`; `None` for `disable`.
    pub kilobytes: Option<u32>,
    /// `crypto ipsec security-association replay`.
    pub replay: Replay,
    /// `crypto ipsec security-association idle-time`.
    pub idle_time: Option<u32>,
}

impl Default for CryptoGlobal {
    fn default() -> Self {
        Self {
            keepalive: None,
            nat_keepalive: None,
            identity_hostname: false,
            aggressive_mode: true,
            nat_transparency: true,
            invalid_spi_recovery: false,
            df_bit: DfBit::Copy,
            seconds: 3600,
            kilobytes: Some(4_608_000),
            replay: Replay::default(),
            idle_time: None,
        }
    }
}
