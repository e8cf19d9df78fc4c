//! `crypto ipsec`, `crypto map`, `crypto dynamic-map`.

use super::ike::{Hash, Keepalive, KeyLength, OwnIdentity};
use super::keywords::keywords;
use std::net::IpAddr;

/// The cipher of a transform set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EspCipher {
    /// DES.
    Des,
    /// Triple DES.
    TripleDes,
    /// AES in CBC mode.
    Aes(KeyLength),
    /// AES-GCM (RFC 4106).
    Gcm(KeyLength),
    /// AES-GMAC (RFC 4543), which encrypts nothing.
    Gmac(KeyLength),
    /// SEAL.
    Seal,
    /// No encryption (RFC 2410).
    Null,
}

impl EspCipher {
    /// Whether the cipher itself shows that a packet was changed, so that no HMAC goes with it.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::Gcm(_) | Self::Gmac(_))
    }

    /// Whether Hubward has it.
    const fn is_implemented(self) -> bool {
        match self {
            Self::Des | Self::TripleDes | Self::Aes(_) => true,
            Self::Gcm(length) => !matches!(length, KeyLength::Bits192),
            Self::Gmac(_) | Self::Seal | Self::Null => false,
        }
    }
}

/// A transform of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// What encrypts.
    Cipher(EspCipher),
    /// ESP with an HMAC.
    Auth(Hash),
    /// AH with an HMAC.
    Ah(Hash),
    /// Compression by LZS.
    Compression,
}

impl Transform {
    /// The keywords, and what they stand for with a key length.
    pub(crate) const fn keywords(length: KeyLength) -> [(&'static str, Self); 18] {
        [
            ("esp-des", Self::Cipher(EspCipher::Des)),
            ("esp-3des", Self::Cipher(EspCipher::TripleDes)),
            ("esp-aes", Self::Cipher(EspCipher::Aes(length))),
            ("esp-gcm", Self::Cipher(EspCipher::Gcm(length))),
            ("esp-gmac", Self::Cipher(EspCipher::Gmac(length))),
            ("esp-seal", Self::Cipher(EspCipher::Seal)),
            ("esp-null", Self::Cipher(EspCipher::Null)),
            ("esp-md5-hmac", Self::Auth(Hash::Md5)),
            ("esp-sha-hmac", Self::Auth(Hash::Sha)),
            ("esp-sha256-hmac", Self::Auth(Hash::Sha256)),
            ("esp-sha384-hmac", Self::Auth(Hash::Sha384)),
            ("esp-sha512-hmac", Self::Auth(Hash::Sha512)),
            ("ah-md5-hmac", Self::Ah(Hash::Md5)),
            ("ah-sha-hmac", Self::Ah(Hash::Sha)),
            ("ah-sha256-hmac", Self::Ah(Hash::Sha256)),
            ("ah-sha384-hmac", Self::Ah(Hash::Sha384)),
            ("ah-sha512-hmac", Self::Ah(Hash::Sha512)),
            ("comp-lzs", Self::Compression),
        ]
    }

    /// The length of the cipher's key, where there is a choice.
    pub const fn key_length(self) -> Option<KeyLength> {
        match self {
            Self::Cipher(EspCipher::Aes(length) | EspCipher::Gcm(length) | EspCipher::Gmac(length)) => {
                Some(length)
            }
            _ => None,
        }
    }

    /// As the configuration writes it, without the key length.
    pub fn keyword(self) -> &'static str {
        let length = self.key_length().unwrap_or(KeyLength::Bits128);
        let keywords = Self::keywords(length);
        keywords.iter().find(|(_, known)| *known == self).map_or("", |(keyword, _)| keyword)
    }

    /// Whether a set may have only one of the two.
    pub(crate) const fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Cipher(cipher), Self::Auth(_)) | (Self::Auth(_), Self::Cipher(cipher)) => cipher.is_aead(),
            (Self::Cipher(_), Self::Cipher(_))
            | (Self::Auth(_), Self::Auth(_))
            | (Self::Ah(_), Self::Ah(_))
            | (Self::Compression, Self::Compression) => true,
            _ => false,
        }
    }
}

/// `crypto ipsec transform-set`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransformSet {
    /// Name.
    pub name: String,
    /// Its transforms, at most one of a kind.
    pub transforms: Vec<Transform>,
    /// `mode transport`.
    pub transport: bool,
    /// Line.
    pub line: u32,
}

impl TransformSet {
    /// The cipher.
    pub fn cipher(&self) -> Option<EspCipher> {
        self.transforms.iter().find_map(|transform| match transform {
            Transform::Cipher(cipher) => Some(*cipher),
            _ => None,
        })
    }

    /// The hash of ESP's HMAC.
    pub fn auth(&self) -> Option<Hash> {
        self.transforms.iter().find_map(|transform| match transform {
            Transform::Auth(hash) => Some(*hash),
            _ => None,
        })
    }

    /// Whether Hubward has each of its transforms.
    pub fn is_implemented(&self) -> bool {
        self.transforms.iter().all(|transform| match transform {
            Transform::Cipher(cipher) => cipher.is_implemented(),
            Transform::Auth(_) => true,
            Transform::Ah(_) | Transform::Compression => false,
        })
    }

    /// Whether it can be used here: it encrypts, and shows that a packet was changed.
    pub fn is_usable(&self) -> bool {
        self.is_implemented() && self.cipher().is_some_and(|cipher| cipher.is_aead() || self.auth().is_some())
    }
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
    /// `set ip access-group LIST in`: filters what comes out of the tunnel.
    pub access_in: Option<String>,
    /// `set ip access-group LIST out`: filters what goes into the tunnel.
    pub access_out: Option<String>,
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

impl Volume {
    /// The limit in kilobytes.
    pub const fn kilobytes(self) -> Option<u32> {
        match self {
            Self::Unlimited => None,
            Self::Kilobytes(kilobytes) => Some(kilobytes),
        }
    }
}

impl Default for Volume {
    fn default() -> Self {
        Self::Kilobytes(4_608_000)
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

keywords! {
    /// `crypto ipsec df-bit`.
    #[derive(Default)]
    pub enum DfBit {
        /// As in the inner packet.
        #[default]
        Copy = "copy",
        /// Set.
        Set = "set",
        /// Not set.
        Clear = "clear",
    }
}

/// Global `crypto` settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CryptoGlobal {
    /// `crypto isakmp keepalive`.
    pub keepalive: Option<Keepalive>,
    /// `crypto isakmp nat keepalive`, seconds.
    pub nat_keepalive: Option<u32>,
    /// `crypto isakmp identity`.
    pub identity: OwnIdentity,
    /// Cleared by `crypto isakmp aggressive-mode disable`.
    pub aggressive_mode: bool,
    /// Cleared by `no crypto ipsec nat-transparency udp-encapsulation`.
    pub nat_transparency: bool,
    /// `crypto isakmp invalid-spi-recovery`.
    pub invalid_spi_recovery: bool,
    /// `crypto isakmp client configuration address-pool local`: the pool of clients whose group has
    /// none, and the line.
    pub address_pool: Option<(String, u32)>,
    /// `crypto ipsec df-bit`.
    pub df_bit: DfBit,
    /// `crypto ipsec security-association lifetime seconds`.
    pub seconds: u32,
    /// `crypto ipsec security-association lifetime kilobytes`.
    pub volume: Volume,
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
            identity: OwnIdentity::Address,
            aggressive_mode: true,
            nat_transparency: true,
            invalid_spi_recovery: false,
            address_pool: None,
            df_bit: DfBit::Copy,
            seconds: 3600,
            volume: Volume::default(),
            replay: Replay::default(),
            idle_time: None,
        }
    }
}
