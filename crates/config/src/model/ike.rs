//! `crypto isakmp` and `crypto keyring`: policies, pre-shared keys, profiles, groups of clients.

use super::keywords::keywords;
use crate::secret::Password;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// The numbers of the Diffie-Hellman groups, by the keywords of `group` and of `set pfs`.
pub(crate) const GROUPS: &[(&str, u16)] = &[
    ("1", 1),
    ("2", 2),
    ("5", 5),
    ("14", 14),
    ("15", 15),
    ("16", 16),
    ("19", 19),
    ("20", 20),
    ("21", 21),
    ("24", 24),
    ("group1", 1),
    ("group2", 2),
    ("group5", 5),
    ("group14", 14),
    ("group15", 15),
    ("group16", 16),
    ("group19", 19),
    ("group20", 20),
    ("group21", 21),
    ("group24", 24),
];

keywords! {
    /// `crypto isakmp identity`: as whom the router presents itself in main mode.
    #[derive(Default)]
    pub enum OwnIdentity {
        /// By its address.
        #[default]
        Address = "address",
        /// By its name.
        Hostname = "hostname",
        /// By its certificate's distinguished name.
        Dn = "dn",
    }
}

keywords! {
    /// The length of an AES key.
    pub enum KeyLength {
        /// 128 bits.
        Bits128 = "128",
        /// 192 bits.
        Bits192 = "192",
        /// 256 bits.
        Bits256 = "256",
    }
}

impl KeyLength {
    /// In bits.
    pub const fn bits(self) -> u16 {
        match self {
            Self::Bits128 => 128,
            Self::Bits192 => 192,
            Self::Bits256 => 256,
        }
    }
}

/// `encryption`, in an ISAKMP policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// DES.
    #[default]
    Des,
    /// Triple DES.
    TripleDes,
    /// AES in CBC mode.
    Aes(KeyLength),
}

impl Encryption {
    /// The keywords, and what they stand for with a key length.
    pub(crate) const fn keywords(length: KeyLength) -> [(&'static str, Self); 3] {
        [("des", Self::Des), ("3des", Self::TripleDes), ("aes", Self::Aes(length))]
    }

    /// As the configuration writes it, without the key length.
    pub const fn keyword(self) -> &'static str {
        let [(des, _), (triple, _), (aes, _)] = Self::keywords(KeyLength::Bits128);
        match self {
            Self::Des => des,
            Self::TripleDes => triple,
            Self::Aes(_) => aes,
        }
    }

    /// The key length, where there is a choice.
    pub const fn key_length(self) -> Option<KeyLength> {
        match self {
            Self::Des | Self::TripleDes => None,
            Self::Aes(length) => Some(length),
        }
    }
}

keywords! {
    /// `hash`, in an ISAKMP policy; the hash of a transform's HMAC.
    pub enum Hash {
        /// MD5.
        Md5 = "md5",
        /// SHA-1.
        Sha = "sha",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

keywords! {
    /// `authentication`, in an ISAKMP policy.
    pub enum PeerAuthentication {
        /// By a pre-shared key.
        PreShare = "pre-share",
        /// By an RSA signature.
        RsaSig = "rsa-sig",
        /// By nonces that are encrypted by RSA.
        RsaEncr = "rsa-encr",
        /// By an ECDSA signature.
        EcdsaSig = "ecdsa-sig",
    }
}

/// `crypto isakmp policy`, with IOS's defaults for what is not said.
#[derive(Clone, Debug, PartialEq)]
pub struct IsakmpPolicy {
    /// Number.
    pub priority: u16,
    /// `encryption`.
    pub encryption: Encryption,
    /// `hash`.
    pub hash: Hash,
    /// `authentication`.
    pub authentication: PeerAuthentication,
    /// `group`: the number of a Diffie-Hellman group (RFC 2409, 3526, 5903).
    pub group: u16,
    /// `lifetime`, seconds.
    pub lifetime: u32,
    /// Line.
    pub line: u32,
}

impl IsakmpPolicy {
    /// What a policy is that says nothing.
    pub(crate) const fn of_defaults(priority: u16, line: u32) -> Self {
        Self {
            priority,
            encryption: Encryption::Des,
            hash: Hash::Sha,
            authentication: PeerAuthentication::RsaSig,
            group: 1,
            lifetime: 86400,
            line,
        }
    }
}

/// Whose pre-shared key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPeer {
    /// An address or a network; 0.0.0.0 is everybody (of IPv4).
    Address(IpNet),
    /// A host name.
    Hostname(String),
}

/// A pre-shared key.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Whose.
    pub peer: KeyPeer,
    /// The key.
    pub key: Password,
    /// `no-xauth`.
    pub no_xauth: bool,
    /// Line.
    pub line: u32,
}

/// `crypto keyring`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keyring {
    /// Name.
    pub name: String,
    /// Keys.
    pub keys: Vec<Key>,
    /// `local-address`.
    pub local_address: Option<IpAddr>,
    /// Line.
    pub line: u32,
}

/// `match identity`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityMatch {
    /// `group`.
    Group(String),
    /// `address`.
    Address(IpNet),
    /// `host`.
    Host(String),
    /// `host domain`.
    HostDomain(String),
    /// `user`.
    User(String),
    /// `user domain`.
    UserDomain(String),
}

/// `self-identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfIdentity {
    /// `address`.
    Address,
    /// `fqdn`, with or without a name.
    Fqdn(Option<String>),
    /// `user-fqdn`.
    UserFqdn(String),
}

/// `keepalive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Seconds.
    pub interval: u32,
    /// Seconds between retries.
    pub retry: u32,
    /// `periodic`.
    pub periodic: bool,
}

/// `crypto isakmp profile`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// `keyring`.
    pub keyrings: Vec<String>,
    /// `match identity`.
    pub matches: Vec<IdentityMatch>,
    /// `client authentication list`.
    pub xauth_list: Option<String>,
    /// `isakmp authorization list`.
    pub authorization_list: Option<String>,
    /// `client configuration group`: the group of peers whose identity names none.
    pub group: Option<String>,
    /// `client configuration address respond`.
    pub respond: bool,
    /// `client configuration address initiate`.
    pub initiate: bool,
    /// `self-identity`.
    pub self_identity: Option<SelfIdentity>,
    /// `keepalive`.
    pub keepalive: Option<Keepalive>,
    /// `initiate mode aggressive`.
    pub aggressive: bool,
    /// `local-address`.
    pub local_address: Option<IpAddr>,
    /// Line.
    pub line: u32,
}

impl Profile {
    /// The names of the groups whose clients it takes: of `match identity group`, and of `client
    /// configuration group`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let matched = self.matches.iter().filter_map(|matched| match matched {
            IdentityMatch::Group(name) => Some(name),
            _ => None,
        });
        matched.chain(&self.group).map(String::as_str)
    }
}

/// `crypto isakmp client configuration group`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// `key`.
    pub key: Option<Password>,
    /// `dns`.
    pub dns: Vec<Ipv4Addr>,
    /// `wins`.
    pub wins: Vec<Ipv4Addr>,
    /// `domain`.
    pub domain: Option<String>,
    /// `split-dns`.
    pub split_dns: Vec<String>,
    /// `pool`.
    pub pool: Option<String>,
    /// `acl`.
    pub acl: Option<String>,
    /// `netmask`.
    pub netmask: Option<Ipv4Addr>,
    /// `save-password`.
    pub save_password: bool,
    /// `include-local-lan`.
    pub include_local_lan: bool,
    /// `pfs`.
    pub pfs: bool,
    /// `backup-gateway`.
    pub backup_gateways: Vec<String>,
    /// `banner`.
    pub banner: Option<String>,
    /// `max-users`.
    pub max_users: Option<u32>,
    /// `max-logins`.
    pub max_logins: Option<u32>,
    /// `group-lock`.
    pub group_lock: bool,
    /// Line.
    pub line: u32,
}
