//! What a configuration means, as plain data. Every item knows its line.
//!
//! An address that IOS has in both families is one of either here, although only IPv4 is read yet:
//! who can use but one family says at that place what becomes of the other.

use crate::secret::Password;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `hostname`.
    pub hostname: Option<String>,
    /// `ip domain name`.
    pub domain_name: Option<String>,
    /// `service password-encryption`.
    pub password_encryption: bool,
    /// `logging on`, the default.
    pub logging: Option<bool>,
    /// Where lines of the log go, and how they are stamped.
    pub log: LogSettings,
    /// `username`.
    pub users: Vec<User>,
    /// AAA.
    pub aaa: Aaa,
    /// `interface`, in order.
    pub interfaces: Vec<Interface>,
    /// `ip route`.
    pub routes: Vec<Route>,
    /// `ip local pool`, several lines of a name extend it.
    pub pools: Vec<Pool>,
    /// Access lists by name or number.
    pub acls: Vec<Acl>,
    /// `crypto isakmp policy`, by number.
    pub policies: Vec<IsakmpPolicy>,
    /// `crypto isakmp key`: the keyring called `default`.
    pub default_keys: Vec<Key>,
    /// `crypto keyring`.
    pub keyrings: Vec<Keyring>,
    /// `crypto isakmp profile`.
    pub profiles: Vec<Profile>,
    /// `crypto isakmp client configuration group`.
    pub groups: Vec<Group>,
    /// `crypto ipsec transform-set`.
    pub transform_sets: Vec<TransformSet>,
    /// `crypto dynamic-map`.
    pub dynamic_maps: Vec<DynamicMap>,
    /// `crypto map`.
    pub maps: Vec<CryptoMap>,
    /// Global `crypto` settings.
    pub crypto: CryptoGlobal,
    /// `ip dhcp pool`.
    pub dhcp_pools: Vec<DhcpPool>,
    /// `no service dhcp`: no address is assigned.
    pub dhcp_off: bool,
    /// `line`, in order.
    pub lines: Vec<TerminalLine>,
    /// `enable secret` and `enable password`.
    pub enable: Vec<EnablePassword>,
    /// `ip ssh`.
    pub ssh: Ssh,
    /// `ip dhcp excluded-address`.
    pub dhcp_excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// What the tunnels carried that are left out here; empty in what [`parse`](crate::parse())
    /// gives.
    pub closed: Closed,
    /// What the start was told to leave out or allow; empty in what [`parse`](crate::parse())
    /// returns.
    pub chosen: Chosen,
    /// The first number that no interface has had, see [`Interface::number`].
    pub first_free_number: u16,
}

impl Config {
    /// Numbers the interfaces from 0, in their order.
    pub(crate) fn number_interfaces(&mut self) {
        for (place, interface) in self.interfaces.iter_mut().enumerate() {
            interface.number = u16::try_from(place).unwrap_or(u16::MAX);
        }
        self.first_free_number = u16::try_from(self.interfaces.len()).unwrap_or(u16::MAX);
    }

    /// Gives each interface the number that it has in `before`, and new ones numbers that none has
    /// had: a configuration that takes the place of `before` moves or removes interfaces without
    /// another taking over what belonged to them.
    ///
    /// False if there are no numbers left: after 65,535 interfaces in one run.
    #[must_use]
    pub fn keep_numbers(&mut self, before: &Self) -> bool {
        self.first_free_number = before.first_free_number;
        for interface in &mut self.interfaces {
            let known = before.interfaces.iter().find(|known| known.name == interface.name);
            interface.number = known.map_or(self.first_free_number, |known| known.number);
            if known.is_none() {
                self.first_free_number = self.first_free_number.saturating_add(1);
            }
        }
        self.first_free_number < u16::MAX
    }
}

/// What a start was told to leave out or allow, for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Tunnels and groups that are left out, by the names of their verdicts.
    pub without: Vec<String>,
    /// Lines that are not enforced and were allowed, with the lines that open their modes: `HEADER:
    /// LINE`.
    pub allowed: Vec<String>,
    /// The interfaces to which `--map` gives a link of this machine; without any, the Ethernet
    /// cards are taken in order.
    pub mapped: Vec<String>,
}

/// What must not leave this machine unencrypted because the tunnel that would carry it is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Sources and destinations that are unreachable, by whichever interface.
    pub flows: Vec<(IpNet, IpNet)>,
    /// A tunnel's networks are not known (a routing protocol ran over it, or its access list cannot
    /// be read): no private destination (RFC 1918, RFC 6598) and no network of the configuration
    /// leaves by an outside interface, unless a route of the configuration other than the default
    /// leads there.
    pub private: bool,
}

/// `logging`, `service timestamps`. Levels are severities, 0 (emergencies) to 7 (debugging); `None`
/// is nothing at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `logging buffered`.
    pub buffered: Option<u8>,
    /// Bytes of the buffer, where they are given.
    pub size: Option<u32>,
    /// `logging console`: debugging on standard error.
    pub console: Option<u8>,
    /// `logging monitor`.
    pub monitor: Option<u8>,
    /// `logging trap`.
    pub trap: Option<u8>,
    /// `logging host`.
    pub hosts: Vec<LogHost>,
    /// `service timestamps debug`.
    pub debug_stamp: Stamp,
    /// `service timestamps log`.
    pub log_stamp: Stamp,
}

impl Default for LogSettings {
    /// What IOS 15 does without a line.
    fn default() -> Self {
        let stamp = Stamp::Datetime { milliseconds: true, zone: false, year: false };
        Self {
            buffered: Some(7),
            size: None,
            console: Some(7),
            monitor: Some(7),
            trap: Some(6),
            hosts: Vec::new(),
            debug_stamp: stamp,
            log_stamp: stamp,
        }
    }
}

/// A syslog server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHost {
    /// Its address.
    pub address: IpAddr,
    /// Its UDP port.
    pub port: u16,
}

/// The time stamp of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// None.
    None,
    /// Since the start.
    Uptime,
    /// Date and time.
    Datetime {
        /// `msec`
        milliseconds: bool,
        /// `show-timezone`
        zone: bool,
        /// `year`
        year: bool,
    },
}

/// `username`.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Name.
    pub name: String,
    /// `privilege`.
    pub privilege: Option<u8>,
    /// `password` or `secret`.
    pub password: Option<Password>,
    /// Line.
    pub line: u32,
}

/// Which terminal lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    /// `line con 0`
    Console,
    /// `line vty`: SSH sessions.
    Vty,
    /// Lines that do not exist here.
    #[default]
    Other,
}

/// How a terminal line authenticates users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineLogin {
    /// `no login`: it does not ask.
    Nobody,
    /// `login`: the line's password.
    Password,
    /// `login local`: users and their passwords.
    Local,
    /// `login authentication LIST`.
    List(String),
}

/// `line`: the settings of one or several lines. What several say of a line, the last says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TerminalLine {
    /// Kind.
    pub kind: LineKind,
    /// First line.
    pub first: u16,
    /// Last line.
    pub last: u16,
    /// `exec-timeout` in seconds; 0 has no end, `None` is 600.
    pub exec_timeout: Option<u32>,
    /// `login`.
    pub login: Option<LineLogin>,
    /// `password`.
    pub password: Option<Password>,
    /// `privilege level`.
    pub privilege: Option<u8>,
    /// `access-class LIST in`.
    pub access_class: Option<String>,
    /// Whether `transport input` names SSH.
    pub ssh: Option<bool>,
    /// Whether it opens a session at all: `no exec`.
    pub exec: Option<bool>,
    /// `length`, rows of a page.
    pub length: Option<u16>,
    /// `width`, columns.
    pub width: Option<u16>,
    /// Line.
    pub line: u32,
}

/// `enable secret` or `enable password`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnablePassword {
    /// The privilege level that it gives.
    pub level: u8,
    /// Whether it is a `secret`, which counts instead of the `password`.
    pub secret: bool,
    /// The password.
    pub password: Password,
    /// Line.
    pub line: u32,
}

/// `ip ssh`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ssh {
    /// `time-out`: seconds for logging in; 120 unless given.
    pub time_out: Option<u8>,
    /// `authentication-retries`; 3 unless given.
    pub retries: Option<u8>,
    /// `pubkey-chain`.
    pub keys: Vec<UserKey>,
}

/// The public keys of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserKey {
    /// The user.
    pub user: String,
    /// `key-string`: keys in base64 (RFC 4253 section 6.6).
    pub strings: Vec<String>,
    /// `key-hash`: algorithm, and MD5 of the key in hexadecimal.
    pub hashes: Vec<(String, String)>,
    /// Line.
    pub line: u32,
}

/// AAA settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aaa {
    /// `aaa new-model`.
    pub new_model: bool,
    /// `aaa authentication login`.
    pub login: Vec<AaaList>,
    /// `aaa authorization network`.
    pub network: Vec<AaaList>,
}

/// A named list of methods.
#[derive(Clone, Debug, PartialEq)]
pub struct AaaList {
    /// Name.
    pub name: String,
    /// Methods, in order.
    pub methods: Vec<AaaMethod>,
    /// Line.
    pub line: u32,
}

/// One method of a list: who is asked, and in which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AaaMethod {
    /// `local`: the users of this configuration; their names in either case.
    Local,
    /// `local-case`: the same, with their names as they are written.
    LocalCase,
    /// `none`: everybody passes.
    None,
    /// `enable`: the enable password.
    Enable,
    /// `line`: the line's password.
    Line,
    /// `if-authenticated`: whoever has logged in.
    IfAuthenticated,
    /// `krb5`.
    Krb5,
    /// `krb5-telnet`.
    Krb5Telnet,
    /// `ldap`.
    Ldap,
    /// `group NAME`: RADIUS or TACACS+ servers.
    Group(String),
    /// `cache NAME`: what the servers of a group answered before.
    Cache(String),
    /// Another word, in lower case.
    Other(String),
}

impl AaaMethod {
    /// Whether the users or groups of this configuration answer.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local | Self::LocalCase)
    }

    /// Whether a server answers, which is not implemented.
    pub const fn asks_a_server(&self) -> bool {
        matches!(self, Self::Group(_) | Self::Krb5 | Self::Ldap)
    }
}

/// How an interface gets its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `no ip address`.
    #[default]
    None,
    /// `ip address A M`, with secondaries.
    Static(Vec<IpNet>),
    /// `ip address dhcp`.
    Dhcp,
}

/// `interface`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    /// Long name.
    pub name: String,
    /// Identifies the interface as long as the program runs, whatever is added, moved or removed
    /// around it ([`Config::keep_numbers`]).
    pub number: u16,
    /// `description`.
    pub description: Option<String>,
    /// Address.
    pub address: Addressing,
    /// `shutdown`.
    pub shutdown: bool,
    /// `crypto map`.
    pub crypto_map: Option<String>,
    /// `vrf forwarding`, `ip vrf forwarding`: not the global table.
    pub vrf: Option<String>,
    /// `ip mtu` or `mtu`.
    pub mtu: Option<u32>,
    /// Line.
    pub line: u32,
}

/// `ip route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Destination.
    pub destination: IpNet,
    /// Next hop.
    pub next_hop: Option<IpAddr>,
    /// Interface; `dhcp` for any that DHCP gives a router.
    pub interface: Option<String>,
    /// `INTERFACE dhcp`: the next hop is the router that DHCP gave that interface.
    pub by_dhcp: bool,
    /// Administrative distance.
    pub distance: u8,
    /// Line.
    pub line: u32,
}

/// One range of `ip local pool`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Lowest address; of the same family as the highest.
    pub low: IpAddr,
    /// Highest address.
    pub high: IpAddr,
    /// Line.
    pub line: u32,
}

/// An access list.
#[derive(Clone, Debug, PartialEq)]
pub struct Acl {
    /// Number or name.
    pub name: String,
    /// Lines in order.
    pub entries: Vec<AclEntry>,
    /// Line.
    pub line: u32,
}

/// An address with don't-care bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// Address.
    pub address: Ipv4Addr,
    /// Don't-care bits.
    pub wildcard: Ipv4Addr,
}

impl Wildcard {
    /// `any`.
    pub const ANY: Self = Self { address: Ipv4Addr::UNSPECIFIED, wildcard: Ipv4Addr::BROADCAST };

    /// The prefix, when the don't-care bits are the last ones.
    pub fn prefix(&self) -> Option<ipnet::Ipv4Net> {
        let bits = u32::from(self.wildcard);
        if bits.leading_zeros() + bits.trailing_ones() != 32 {
            return None;
        }
        let length = u8::try_from(bits.leading_zeros()).ok()?;
        ipnet::Ipv4Net::new(self.address, length).ok().map(|net| net.trunc())
    }

    /// The smallest network that contains every matching address.
    pub fn covering(&self) -> ipnet::Ipv4Net {
        let length = u8::try_from(u32::from(self.wildcard).leading_zeros()).unwrap_or(0);
        ipnet::Ipv4Net::new(self.address, length)
            .map_or_else(|_| ipnet::Ipv4Net::default(), |net| net.trunc())
    }
}

/// One line of an access list.
#[derive(Clone, Debug, PartialEq)]
pub struct AclEntry {
    /// `permit` or `deny`.
    pub permit: bool,
    /// IP protocol; `None` is `ip`.
    pub protocol: Option<u8>,
    /// Source.
    pub source: Wildcard,
    /// Destination; `any` in a standard list.
    pub destination: Wildcard,
    /// `eq` on the source side.
    pub source_port: Option<u16>,
    /// `eq` on the destination side.
    pub destination_port: Option<u16>,
    /// Whether the line has conditions that this model cannot express (ranges, flags), or is not a
    /// command at all: it must not be used for crypto, and nobody may be admitted because of it.
    pub inexact: bool,
    /// Whether not even its addresses are known (object groups, host names): they are `any` here,
    /// and the line may mean less.
    pub vague: bool,
    /// Its sequence number, if it has one.
    pub number: Option<u32>,
    /// Line.
    pub line: u32,
}

impl AclEntry {
    /// A line that speaks of every packet.
    pub(crate) const fn of_all(permit: bool, line: u32) -> Self {
        Self {
            permit,
            protocol: None,
            source: Wildcard::ANY,
            destination: Wildcard::ANY,
            source_port: None,
            destination_port: None,
            inexact: false,
            vague: false,
            number: None,
            line,
        }
    }
}

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
    /// `set security-association replay window-size`; 0 for `disable`.
    pub replay_window: Option<u32>,
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
    /// `crypto ipsec security-association replay window-size`; 0 for `disable`.
    pub replay_window: u32,
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
            replay_window: 64,
            idle_time: None,
        }
    }
}

/// `ip dhcp pool`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DhcpPool {
    /// Name.
    pub name: String,
    /// `network`.
    pub network: Option<ipnet::Ipv4Net>,
    /// `host`, with its network's mask.
    pub host: Option<ipnet::Ipv4Net>,
    /// `hardware-address`.
    pub hardware: Option<[u8; 6]>,
    /// `client-identifier`.
    pub client_identifier: Option<Vec<u8>>,
    /// `default-router`.
    pub routers: Vec<Ipv4Addr>,
    /// `dns-server`.
    pub dns: Vec<Ipv4Addr>,
    /// `domain-name`.
    pub domain: Option<String>,
    /// `lease`, seconds.
    pub lease: Option<u32>,
    /// Line.
    pub line: u32,
}

#[cfg(test)]
mod tests {
    /// What is inserted, moved or removed around an interface leaves its number alone, and no
    /// number comes back to another.
    #[test]
    fn an_interface_keeps_its_number() {
        let parse = |names: &str| {
            let lines = names.split_whitespace().map(|name| format!("interface {name}\n"));
            crate::parse(&lines.collect::<String>()).config
        };
        let numbers = |config: &super::Config| {
            let of = |one: &super::Interface| format!("{}={}", one.name, one.number);
            config.interfaces.iter().map(of).collect::<Vec<_>>().join(" ")
        };
        let mut running = parse("FastEthernet0/0 FastEthernet0/1");
        for (typed, expected) in [
            ("FastEthernet0/0 FastEthernet0/1", "FastEthernet0/0=0 FastEthernet0/1=1"),
            ("Loopback0 FastEthernet0/0 FastEthernet0/1", "Loopback0=2 FastEthernet0/0=0 FastEthernet0/1=1"),
            ("FastEthernet0/1 FastEthernet0/0 Loopback0", "FastEthernet0/1=1 FastEthernet0/0=0 Loopback0=2"),
            ("FastEthernet0/0 FastEthernet0/1", "FastEthernet0/0=0 FastEthernet0/1=1"),
            ("Loopback1 FastEthernet0/0 FastEthernet0/1", "Loopback1=3 FastEthernet0/0=0 FastEthernet0/1=1"),
        ] {
            let mut next = parse(typed);
            assert!(next.keep_numbers(&running));
            assert_eq!(numbers(&next), expected);
            running = next;
        }
    }
}
