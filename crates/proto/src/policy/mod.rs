//! What the configuration requires of IKE, as plain data. The program makes it from the typed
//! configuration; the engine and the flow tables read it. Order matters: every list is searched
//! from the start.

pub mod reserved;

use crate::flow::selector::{AddressRange, Selector};
use crate::names::{EntryName, InterfaceId, Service};
use crate::path::{DfBit, Mode};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspSuite, HashAlg, IkeCipher};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Everything that the engine needs from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Global `crypto isakmp` and `crypto ipsec` settings.
    pub global: Global,
    /// `crypto isakmp policy`, lowest number first.
    pub proposals: Vec<IsakmpPolicy>,
    /// Keyrings in lookup order: `default` (from `crypto isakmp key`) first, then as configured.
    pub keyrings: Vec<Keyring>,
    /// `crypto isakmp profile`, as configured.
    pub profiles: Vec<IsakmpProfile>,
    /// `crypto map`.
    pub maps: Vec<Arc<CryptoMap>>,
    /// Interfaces, addressed by [`InterfaceId`].
    pub interfaces: Vec<Interface>,
    /// What the VPN client connects to.
    pub connections: Vec<Arc<Connection>>,
    /// Networks that no peer of a dynamic entry may have as its side of a tunnel.
    pub reserved: Vec<(AddressRange, Reserved)>,
}

/// Global settings.
#[derive(Clone, Debug)]
pub struct Global {
    /// `crypto isakmp identity`.
    pub identity: SelfIdentity,
    /// `crypto isakmp keepalive`; with `None`, R-U-THERE is still answered.
    pub keepalive: Option<Keepalive>,
    /// `crypto ipsec nat-transparency udp-encapsulation`.
    pub nat_traversal: bool,
    /// `crypto isakmp nat keepalive`.
    pub nat_keepalive: Option<Duration>,
    /// Cleared by `crypto isakmp aggressive-mode disable`.
    pub aggressive_mode: bool,
    /// `crypto isakmp invalid-spi-recovery`.
    pub invalid_spi_recovery: bool,
    /// Who gets a network that two peers of dynamic entries propose.
    pub overlap: Overlap,
    /// The answer to APPLICATION_VERSION in mode-config.
    pub application_version: String,
    /// `crypto isakmp client configuration address-pool local`: the pool of clients whose group has
    /// none, or that have no group.
    pub address_pool: Option<String>,
}

/// Who gets a network that two peers of dynamic entries propose; not in IOS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// The one that has it, as long as it answers.
    #[default]
    HolderKeeps,
    /// The newest one, as on IOS.
    NewestWins,
}

impl Policy {
    /// An interface by its id.
    pub fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.id == id)
    }

    /// The crypto map of an interface.
    pub fn map_of(&self, id: InterfaceId) -> Option<&Arc<CryptoMap>> {
        let name = self.interface(id)?.crypto_map.as_ref()?;
        self.maps.iter().find(|map| *map.name == **name)
    }

    /// A profile by its name.
    pub fn profile(&self, name: &str) -> Option<&IsakmpProfile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// Whether an interface still has a service: it has the crypto map, is the tunnel interface, or
    /// is where the client's connection leaves.
    pub fn serves(&self, service: &Service, interface: InterfaceId) -> bool {
        match service {
            Service::Entry(entry) | Service::Dynamic { entry, .. } => {
                self.map_of(interface).is_some_and(|map| map.name == entry.map)
            }
            Service::Tunnel(tunnel) => self.interface(*tunnel).is_some(),
            Service::Client(name) => self.connection(name).is_some(),
        }
    }

    /// The terms of what a child SA serves; `None` when the configuration no longer has it.
    pub fn terms(&self, service: &Service) -> Option<&EntryTerms> {
        match service {
            Service::Entry(name) => match &self.entry(name)?.kind {
                MapEntryKind::Static { terms, .. } => Some(terms),
                MapEntryKind::Dynamic { .. } => None,
            },
            Service::Dynamic { entry, template } => match &self.entry(entry)?.kind {
                MapEntryKind::Static { .. } => None,
                MapEntryKind::Dynamic { entries, .. } => {
                    let found = entries.iter().find(|candidate| candidate.sequence == template.sequence)?;
                    Some(&found.terms)
                }
            },
            // no tunnel interface has terms yet
            Service::Tunnel(_) => None,
            Service::Client(name) => self.connection(name).map(|connection| &connection.terms),
        }
    }

    /// An entry of a crypto map by its name.
    pub fn entry(&self, name: &EntryName) -> Option<&MapEntry> {
        let map = self.maps.iter().find(|map| map.name == name.map)?;
        map.entries.iter().find(|entry| entry.sequence == name.sequence)
    }

    fn connection(&self, name: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.name == name)
    }
}

impl Default for Global {
    fn default() -> Self {
        Self {
            identity: SelfIdentity::Address,
            keepalive: None,
            nat_traversal: true,
            nat_keepalive: None,
            aggressive_mode: true,
            invalid_spi_recovery: false,
            overlap: Overlap::default(),
            application_version: String::new(),
            address_pool: None,
        }
    }
}

/// How we identify ourselves in phase 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SelfIdentity {
    /// ID_IPV4_ADDR of the local address.
    #[default]
    Address,
    /// ID_FQDN.
    Fqdn(String),
    /// ID_USER_FQDN.
    UserFqdn(String),
    /// ID_KEY_ID, a client's group name.
    KeyId(String),
}

/// `crypto isakmp keepalive SECONDS [RETRY] [periodic|on-demand]` (RFC 3706).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Idle time before a probe.
    pub interval: Duration,
    /// Time between probes while the peer does not answer.
    pub retry: Duration,
    /// Whether to probe even without traffic.
    pub periodic: bool,
}

/// Phase-1 authentication as configured; whether Xauth is used depends on the peer and not on the
/// policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// `authentication pre-share`.
    PreShared,
    /// `authentication rsa-sig`, not implemented: never matches.
    RsaSignature,
}

/// `crypto isakmp policy N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsakmpPolicy {
    /// Its number; lower is preferred.
    pub priority: u16,
    /// `encryption`.
    pub cipher: IkeCipher,
    /// `hash`, which is also the prf.
    pub hash: HashAlg,
    /// `authentication`.
    pub authentication: Authentication,
    /// `group`.
    pub group: DhGroup,
    /// `lifetime`.
    pub lifetime: Duration,
    /// Line in the configuration, for explanations.
    pub line: u32,
}

/// A set of pre-shared keys.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// Its name; `default` holds the global `crypto isakmp key` lines.
    pub name: String,
    /// `local-address`: serves only SAs with this local address.
    pub local_address: Option<IpAddr>,
    /// Its keys, as configured; the most specific match is used.
    pub keys: Vec<PresharedKey>,
}

/// One pre-shared key.
#[derive(Clone, Debug)]
pub struct PresharedKey {
    /// Whose key.
    pub peer: KeyPeer,
    /// The key.
    pub secret: Secret,
    /// `no-xauth`: never ask this peer for Xauth.
    pub no_xauth: bool,
    /// Line in the configuration.
    pub line: u32,
}

/// By what a pre-shared key is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPeer {
    /// Peers with an outer address in this range.
    Address(AddressRange),
    /// The peer with this FQDN identity.
    Hostname(String),
}

/// `crypto isakmp profile`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IsakmpProfile {
    /// Its name.
    pub name: String,
    /// `match identity …`: one match is enough. A responder never selects a profile without such a
    /// line.
    pub matches: Vec<IdentityMatch>,
    /// `keyring`; empty means all of them.
    pub keyrings: Vec<String>,
    /// `client authentication list`: ask for Xauth and check it against this list.
    pub xauth_list: Option<String>,
    /// `isakmp authorization list`.
    pub authorization_list: Option<String>,
    /// `client configuration group`: the group of peers whose identity names none.
    pub group: Option<String>,
    /// `client configuration address respond`.
    pub respond: bool,
    /// `client configuration address initiate`: push an address once Xauth has passed.
    pub initiate: bool,
    /// `self-identity`.
    pub self_identity: Option<SelfIdentity>,
    /// `keepalive`.
    pub keepalive: Option<Keepalive>,
    /// `initiate mode aggressive`.
    pub initiate_aggressive: bool,
    /// `local-address`.
    pub local_address: Option<IpAddr>,
    /// Line in the configuration.
    pub line: u32,
}

/// `match identity` forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityMatch {
    /// `group NAME`: ID_KEY_ID.
    Group(String),
    /// `address A [mask]`: ID_IPV4_ADDR.
    Address(AddressRange),
    /// `host NAME`: ID_FQDN.
    Host(String),
    /// `host domain NAME`: the end of an ID_FQDN.
    HostDomain(String),
    /// `user NAME`: ID_USER_FQDN.
    User(String),
    /// `user domain NAME`: the part after `@`.
    UserDomain(String),
}

/// `crypto isakmp client configuration group`, as an authorization list returns it.
#[derive(Clone, Debug)]
pub struct ClientGroup {
    /// Its name.
    pub name: String,
    /// `key`.
    pub key: Secret,
    /// `pool`.
    pub pool: Option<String>,
    /// `netmask`.
    pub netmask: Option<Ipv4Addr>,
    /// `dns`.
    pub dns: Vec<Ipv4Addr>,
    /// `wins`.
    pub wins: Vec<Ipv4Addr>,
    /// `domain`.
    pub domain: Option<String>,
    /// `split-dns`.
    pub split_dns: Vec<String>,
    /// Networks behind the hub from the `acl`'s permit lines; empty means everything goes through
    /// the tunnel.
    pub split_include: Vec<ipnet::Ipv4Net>,
    /// `save-password`.
    pub save_password: bool,
    /// `pfs`.
    pub pfs: bool,
    /// `banner`.
    pub banner: Option<String>,
    /// `backup-gateway`.
    pub backup_gateways: Vec<String>,
}

impl ClientGroup {
    /// What a client without a group gets: an address and nothing else.
    pub fn nameless() -> Self {
        Self {
            name: String::new(),
            key: Secret::new(Vec::new()),
            pool: None,
            netmask: None,
            dns: Vec::new(),
            wins: Vec::new(),
            domain: None,
            split_dns: Vec::new(),
            split_include: Vec::new(),
            save_password: false,
            pfs: false,
            banner: None,
            backup_gateways: Vec::new(),
        }
    }
}

/// `crypto ipsec transform-set`: one ESP suite and its mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformSet {
    /// Its name.
    pub name: String,
    /// The algorithms.
    pub suite: EspSuite,
    /// `mode`; transport applies only to proxies that are the gateways themselves.
    pub mode: Mode,
    /// Line in the configuration.
    pub line: u32,
}

/// `crypto map NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoMap {
    /// Its name.
    pub name: Arc<str>,
    /// Entries by sequence number.
    pub entries: Vec<MapEntry>,
    /// `crypto map NAME client authentication list`: Xauth for peers without a profile.
    pub xauth_list: Option<String>,
    /// `crypto map NAME isakmp authorization list`.
    pub authorization_list: Option<String>,
    /// `crypto map NAME client configuration address respond`.
    pub respond: bool,
    /// `crypto map NAME client configuration address initiate`.
    pub initiate: bool,
}

/// One numbered entry of a crypto map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// Its sequence number.
    pub sequence: u16,
    /// Static or dynamic.
    pub kind: MapEntryKind,
    /// Line in the configuration.
    pub line: u32,
}

/// What a crypto map entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapEntryKind {
    /// `ipsec-isakmp`: named peers, initiates on traffic.
    Static {
        /// `set peer`, in order.
        peers: Vec<IpAddr>,
        /// Everything else.
        terms: EntryTerms,
    },
    /// `ipsec-isakmp dynamic NAME`: any peer, responder only.
    Dynamic {
        /// The dynamic map's name.
        name: Arc<str>,
        /// The dynamic map's entries by sequence number.
        entries: Vec<DynamicEntry>,
    },
}

/// One numbered entry of a dynamic crypto map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicEntry {
    /// Its sequence number in the dynamic map.
    pub sequence: u16,
    /// Its terms.
    pub terms: EntryTerms,
    /// Line in the configuration.
    pub line: u32,
}

/// What static and dynamic entries have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryTerms {
    /// `set transform-set`, in order of preference.
    pub transform_sets: Vec<TransformSet>,
    /// `match address`.
    pub acl: Option<Arc<CryptoAcl>>,
    /// `set isakmp-profile`: serves only phase-1 SAs that matched this profile.
    pub profile: Option<String>,
    /// `set pfs`.
    pub pfs: Option<DhGroup>,
    /// Lifetime of child SAs.
    pub lifetime: Duration,
    /// Volume limit of child SAs in kilobytes.
    pub kilobytes: Option<u64>,
    /// `set security-association idle-time`.
    pub idle_time: Option<Duration>,
    /// `set security-association replay window-size`; 0 where replay checking is disabled.
    pub replay_window: u32,
    /// `reverse-route`. The engine only compares it: if an entry gains or loses it, its tunnels
    /// end, and the next ones are installed with a route or without.
    pub reverse_route: bool,
    /// `crypto ipsec df-bit`.
    pub df: DfBit,
    /// The entry only refuses: a peer whose proposal its transform sets accept gets no child SA,
    /// neither from this entry nor from one after it. Without transform sets, every proposal is
    /// refused.
    pub left_out: bool,
    /// Without `match address`, and what passes its tunnels is filtered. The packet filter knows its
    /// packets by what no static entry's access list names, so that belongs to no peer of it.
    pub filters_rest: bool,
}

/// A crypto ACL: what to protect, seen from this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoAcl {
    /// Its number or name.
    pub name: String,
    /// Lines in order; the first that matches decides.
    pub lines: Vec<CryptoAclLine>,
}

/// One line of a crypto ACL; each permit line gets an SA of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoAclLine {
    /// `permit` protects; `deny` continues with the next crypto map entry.
    pub permit: bool,
    /// The source is our side, the destination the peer's.
    pub selector: Selector,
    /// Line in the configuration.
    pub line: u32,
}

/// An interface, as far as IKE is concerned.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number in [`crate::path::Path`].
    pub id: InterfaceId,
    /// Its IOS name.
    pub name: String,
    /// Its current address; `None` until DHCP has one.
    pub address: Option<IpAddr>,
    /// Name of its crypto map.
    pub crypto_map: Option<String>,
}

/// Phase-1 mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase1Mode {
    /// Main mode: identities hidden.
    Main,
    /// Aggressive mode: three messages, identities visible.
    Aggressive,
}

/// What the VPN client role connects to.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// The gateway, resolved.
    pub gateway: IpAddr,
    /// The interface by which it leaves.
    pub interface: InterfaceId,
    /// Aggressive mode with a group name, or main mode.
    pub mode: Phase1Mode,
    /// How we identify ourselves: [`SelfIdentity::KeyId`] of the group in aggressive mode.
    pub identity: SelfIdentity,
    /// The required identity of the gateway; `None` accepts any gateway that proves the key.
    pub gateway_identity: Option<String>,
    /// The group's key.
    pub key: Secret,
    /// Proposals for phase 1, best first.
    pub proposals: Vec<IsakmpPolicy>,
    /// Proposals for phase 2, best first, with lifetimes.
    pub terms: EntryTerms,
    /// Networks to reach when the gateway sends no split-include list; empty means all.
    pub networks: Vec<ipnet::Ipv4Net>,
    /// NAT traversal.
    pub nat_traversal: bool,
    /// Dead peer detection.
    pub keepalive: Option<Keepalive>,
}

/// Why a network is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reserved {
    /// 0.0.0.0/0.
    Everything,
    /// Loopback, multicast and the like.
    Special,
    /// An address of an interface.
    Own,
    /// The network of an interface.
    Connected,
    /// The next hop of `ip route`, or the router from DHCP.
    NextHop,
    /// `set peer`.
    Peer,
    /// `ip local pool`.
    Pool,
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "all addresses",
            Self::Special => "addresses that no network has",
            Self::Own => "an address of this gateway",
            Self::Connected => "a network connected to this gateway",
            Self::NextHop => "a next hop of this gateway",
            Self::Peer => "a peer of the configuration",
            Self::Pool => "an address pool of the configuration",
        })
    }
}
