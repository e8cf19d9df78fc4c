//! `crypto isakmp` and `crypto keyring`: policies, pre-shared keys, profiles, groups of clients.

use crate::secret::Password;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// `crypto isakmp policy`, with IOS's defaults for what is not said.
#[derive(Clone, Debug, PartialEq)]
pub struct IsakmpPolicy {
    /// Number.
    pub priority: u16,
    /// `encr`: des, 3des, aes with key length.
    pub encryption: (String, Option<u16>),
    /// `hash`.
    pub hash: String,
    /// `authentication`.
    pub authentication: String,
    /// `group`.
    pub group: u16,
    /// `lifetime`, seconds.
    pub lifetime: u32,
    /// Line.
    pub line: u32,
}

/// Whose pre-shared key.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
