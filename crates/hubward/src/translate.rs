//! Translates the configuration's model to the engine's policy. What cannot be translated is left
//! out and reported.

use crate::base::family::{v4, v4_address};
use hubward_config::acl;
use hubward_config::model::{self as config, Encryption, Hash, KeyLength, PeerAuthentication};
use hubward_crypto::password;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::path::{DfBit, Mode};
use hubward_proto::policy::Reserved;
use hubward_proto::policy::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The line number in everything that a reload compares, because a line that is added above must
/// not end the tunnels of the lines below it.
const MOVES: u32 = 0;

/// The address of each interface that has one; the primary one if it has several.
pub(crate) type Addresses = BTreeMap<InterfaceId, IpAddr>;

/// A network to which `reverse-route` adds a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReverseRoute {
    pub(crate) net: AddressRange,
    /// The interface whose crypto map contains the command.
    pub(crate) interface: InterfaceId,
    /// The peer to which the route leads, if it is known.
    pub(crate) peer: Option<IpAddr>,
}

#[cfg(test)]
thread_local! {
    /// How many translations this thread has made.
    pub(crate) static TRANSLATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What a configuration means, without what depends on the machine under it: the addresses of
/// interfaces, and what is reserved because of them.
pub(crate) struct Translation {
    policy: Policy,
    /// What could not be translated, a line each.
    pub(crate) left_out: Vec<String>,
}

impl Translation {
    /// Translates a configuration.
    pub(crate) fn of(config: &config::Config) -> Self {
        #[cfg(test)]
        TRANSLATIONS.set(TRANSLATIONS.get() + 1);
        let (policy, left_out) = policy(config, &Addresses::new());
        Self { policy, left_out }
    }

    /// The same, with who gets a network that two peers propose, which no configuration says.
    #[must_use]
    pub(crate) fn with_overlap(mut self, overlap: Overlap) -> Self {
        self.policy.global.overlap = overlap;
        self
    }

    /// The policy of a gateway whose interfaces have no addresses.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy on a machine: with the addresses of the interfaces, and what no peer of a dynamic
    /// entry may get as its side of a tunnel because the machine uses it.
    pub(crate) fn on(&self, addresses: &Addresses, machine: Vec<(AddressRange, Reserved)>) -> Policy {
        let mut policy = self.policy.clone();
        for interface in &mut policy.interfaces {
            interface.address = addresses.get(&interface.id).copied();
        }
        let mut reserved = own(addresses);
        reserved.append(&mut policy.reserved);
        reserved.dedup();
        reserved.extend(machine);
        policy.reserved = reserved;
        policy
    }
}

/// The policy, and what was left out.
pub(crate) fn policy(config: &config::Config, addresses: &Addresses) -> (Policy, Vec<String>) {
    let mut left_out = Vec::new();
    let hostname = config.hostname.clone().unwrap_or_else(|| "Router".into());
    let fqdn = match &config.domain_name {
        Some(domain) => format!("{hostname}.{domain}"),
        None => hostname,
    };
    let keepalive = |keepalive: config::Keepalive| Keepalive {
        interval: Duration::from_secs(keepalive.interval.into()),
        retry: Duration::from_secs(keepalive.retry.into()),
        periodic: keepalive.periodic,
    };
    let mut proposals: Vec<_> =
        config.policies.iter().filter_map(|policy| isakmp_policy(policy, &mut left_out)).collect();
    proposals.sort_by_key(|policy| policy.priority);
    let mut keyrings = vec![Keyring {
        name: "default".into(),
        local_address: None,
        keys: config.default_keys.iter().filter_map(|key| preshared(key, &mut left_out)).collect(),
    }];
    keyrings.extend(config.keyrings.iter().map(|keyring| Keyring {
        name: keyring.name.clone(),
        local_address: keyring.local_address,
        keys: keyring.keys.iter().filter_map(|key| preshared(key, &mut left_out)).collect(),
    }));
    let profiles = config
        .profiles
        .iter()
        .map(|profile| IsakmpProfile {
            name: profile.name.clone(),
            matches: profile.matches.iter().map(identity_match).collect(),
            keyrings: profile.keyrings.clone(),
            xauth_list: profile.xauth_list.clone(),
            authorization_list: profile.authorization_list.clone(),
            group: profile.group.clone(),
            respond: profile.respond,
            initiate: profile.initiate,
            self_identity: profile.self_identity.as_ref().map(|own| match own {
                config::SelfIdentity::Address => SelfIdentity::Address,
                config::SelfIdentity::Fqdn(name) => {
                    SelfIdentity::Fqdn(name.clone().unwrap_or_else(|| fqdn.clone()))
                }
                config::SelfIdentity::UserFqdn(name) => SelfIdentity::UserFqdn(name.clone()),
            }),
            keepalive: profile.keepalive.map(keepalive),
            initiate_aggressive: profile.aggressive,
            local_address: profile.local_address,
            line: MOVES,
        })
        .collect();
    let maps = config.maps.iter().map(|map| Arc::new(crypto_map(config, map, &mut left_out))).collect();
    let interfaces = config
        .interfaces
        .iter()
        .map(|interface| Interface {
            id: InterfaceId(interface.number),
            name: interface.name.clone(),
            address: addresses.get(&InterfaceId(interface.number)).copied(),
            crypto_map: interface.crypto_map.clone().filter(|_| !interface.shutdown),
        })
        .collect();
    let global = Global {
        identity: match config.crypto.identity {
            config::OwnIdentity::Hostname => SelfIdentity::Fqdn(fqdn),
            config::OwnIdentity::Address | config::OwnIdentity::Dn => SelfIdentity::Address,
        },
        keepalive: config.crypto.keepalive.map(keepalive),
        nat_traversal: config.crypto.nat_transparency,
        nat_keepalive: config.crypto.nat_keepalive.map(|seconds| Duration::from_secs(seconds.into())),
        aggressive_mode: config.crypto.aggressive_mode,
        invalid_spi_recovery: config.crypto.invalid_spi_recovery,
        overlap: Overlap::default(),
        application_version: format!("Hubward {}", env!("CARGO_PKG_VERSION")),
        address_pool: config.crypto.address_pool.as_ref().map(|(pool, _)| pool.clone()),
    };
    let (connections, reserved) = (Vec::new(), reserved(config, addresses));
    left_out.extend(unguarded(config));
    (Policy { global, proposals, keyrings, profiles, maps, interfaces, connections, reserved }, left_out)
}

/// What no peer of a dynamic entry gets as its side of a tunnel: this gateway's addresses and
/// networks, its next hops, the peers of static entries, and the pools.
fn reserved(config: &config::Config, addresses: &Addresses) -> Vec<(AddressRange, Reserved)> {
    let host = AddressRange::host;
    let open = || config.interfaces.iter().filter(|interface| !interface.shutdown);
    let nets = || {
        open().flat_map(|interface| match &interface.address {
            config::Addressing::Static(nets) => nets.as_slice(),
            config::Addressing::None | config::Addressing::Secondary(_) | config::Addressing::Dhcp => &[],
        })
    };
    let mut reserved = own(addresses);
    reserved.extend(nets().map(|net| (host(net.addr()), Reserved::Own)));
    reserved.extend(nets().map(|net| (AddressRange::prefix(*net), Reserved::Connected)));
    let hops = config.routes.iter().filter_map(|route| route.next_hop);
    reserved.extend(hops.map(|hop| (host(hop), Reserved::NextHop)));
    let peers = config.maps.iter().flat_map(|map| &map.entries).flat_map(|entry| &entry.peers);
    reserved.extend(peers.map(|peer| (host(*peer), Reserved::Peer)));
    reserved.extend(pool_ranges(config).into_iter().map(|pool| (pool, Reserved::Pool)));
    reserved.dedup();
    reserved
}

/// What the guard cannot keep from leaving unencrypted, because its table is for IPv4 only.
fn unguarded(config: &config::Config) -> Vec<String> {
    let flows = config.closed.flows.iter().filter(|(source, to)| v4(*source).zip(v4(*to)).is_none());
    let flows = flows.map(|(source, to)| {
        format!("packets from {source} to {to}, which a tunnel that is left out would carry, are not guarded: only IPv4 is")
    });
    let pools = config.pools.iter().filter(|pool| v4_address(pool.low).zip(v4_address(pool.high)).is_none());
    let pools = pools.map(|pool| {
        format!("line {}: packets to clients of pool {} are not guarded: only IPv4 is", pool.line, pool.name)
    });
    flows.chain(pools).collect()
}

/// The addresses that the interfaces have.
fn own(addresses: &Addresses) -> Vec<(AddressRange, Reserved)> {
    addresses.values().map(|address| (AddressRange::host(*address), Reserved::Own)).collect()
}

fn secret(
    stored: &hubward_config::secret::Password,
    line: u32,
    left_out: &mut Vec<String>,
) -> Option<Secret> {
    match password::reveal(stored.kind(), stored.expose()) {
        Ok(secret) => Some(secret),
        Err(error) => {
            left_out.push(format!("line {line}: the key is not used: {error}"));
            None
        }
    }
}

fn preshared(key: &config::Key, left_out: &mut Vec<String>) -> Option<PresharedKey> {
    Some(PresharedKey {
        peer: match &key.peer {
            config::KeyPeer::Address(net) => KeyPeer::Address(AddressRange::prefix(*net)),
            config::KeyPeer::Hostname(name) => KeyPeer::Hostname(name.clone()),
        },
        secret: secret(&key.key, key.line, left_out)?,
        no_xauth: key.no_xauth,
        line: key.line,
    })
}

fn isakmp_policy(policy: &config::IsakmpPolicy, left_out: &mut Vec<String>) -> Option<IsakmpPolicy> {
    let cipher = match policy.encryption {
        Encryption::Des => IkeCipher::Des,
        Encryption::TripleDes => IkeCipher::TripleDes,
        Encryption::Aes(KeyLength::Bits128) => IkeCipher::Aes128,
        Encryption::Aes(KeyLength::Bits192) => IkeCipher::Aes192,
        Encryption::Aes(KeyLength::Bits256) => IkeCipher::Aes256,
    };
    let hash = match policy.hash {
        Hash::Md5 => HashAlg::Md5,
        Hash::Sha => HashAlg::Sha1,
        Hash::Sha256 => HashAlg::Sha256,
        Hash::Sha384 => HashAlg::Sha384,
        Hash::Sha512 => HashAlg::Sha512,
    };
    let Some(group) = DhGroup::from_number(policy.group) else {
        left_out.push(format!("line {}: ISAKMP policy {} is never chosen", policy.line, policy.priority));
        return None;
    };
    Some(IsakmpPolicy {
        priority: policy.priority,
        cipher,
        hash,
        authentication: match policy.authentication {
            PeerAuthentication::PreShare => Authentication::PreShared,
            PeerAuthentication::RsaSig | PeerAuthentication::RsaEncr | PeerAuthentication::EcdsaSig => {
                Authentication::RsaSignature
            }
        },
        group,
        lifetime: Duration::from_secs(policy.lifetime.into()),
        line: policy.line,
    })
}

fn identity_match(matched: &config::IdentityMatch) -> IdentityMatch {
    match matched {
        config::IdentityMatch::Group(name) => IdentityMatch::Group(name.clone()),
        config::IdentityMatch::Address(net) => IdentityMatch::Address(AddressRange::prefix(*net)),
        config::IdentityMatch::Host(name) => IdentityMatch::Host(name.clone()),
        config::IdentityMatch::HostDomain(name) => IdentityMatch::HostDomain(name.clone()),
        config::IdentityMatch::User(name) => IdentityMatch::User(name.clone()),
        config::IdentityMatch::UserDomain(name) => IdentityMatch::UserDomain(name.clone()),
    }
}

fn transform_set(set: &config::TransformSet) -> Option<TransformSet> {
    if !set.is_usable() {
        return None;
    }
    let cipher = match set.cipher()? {
        config::EspCipher::Des => EspCipher::Des,
        config::EspCipher::TripleDes => EspCipher::TripleDes,
        config::EspCipher::Aes(KeyLength::Bits128) => EspCipher::Aes128,
        config::EspCipher::Aes(KeyLength::Bits192) => EspCipher::Aes192,
        config::EspCipher::Aes(KeyLength::Bits256) => EspCipher::Aes256,
        config::EspCipher::Gcm(KeyLength::Bits128) => EspCipher::AesGcm128,
        config::EspCipher::Gcm(KeyLength::Bits256) => EspCipher::AesGcm256,
        config::EspCipher::Gcm(KeyLength::Bits192)
        | config::EspCipher::Gmac(_)
        | config::EspCipher::Seal
        | config::EspCipher::Null => return None,
    };
    let auth = set.auth().map(|hash| match hash {
        Hash::Md5 => EspAuth::Md5,
        Hash::Sha => EspAuth::Sha1,
        Hash::Sha256 => EspAuth::Sha256,
        Hash::Sha384 => EspAuth::Sha384,
        Hash::Sha512 => EspAuth::Sha512,
    });
    Some(TransformSet {
        name: set.name.clone(),
        suite: EspSuite::new(cipher, auth)?,
        mode: if set.transport { Mode::Transport } else { Mode::Tunnel },
        line: MOVES,
    })
}

/// The packets that a line of an access list selects: a selector for each SA. None for a remark.
///
/// # Errors
/// Why no SA can have exactly these.
pub(crate) fn selectors(config: &config::Config, entry: &config::AclEntry) -> Result<Vec<Selector>, String> {
    let of = |selector: acl::Selector| Selector {
        local: AddressRange::prefix(selector.source.into()),
        remote: AddressRange::prefix(selector.destination.into()),
        protocol: selector.protocol,
        local_port: selector.source_port,
        remote_port: selector.destination_port,
    };
    Ok(acl::selectors(config, entry)?.into_iter().map(of).collect())
}

/// The selectors of the lines of an access list that permit; of a line for which no SA can be,
/// none.
pub(crate) fn permitted<'a>(
    config: &'a config::Config,
    acl: &'a config::Acl,
) -> impl Iterator<Item = Selector> + 'a {
    let permits = acl.entries.iter().filter(|entry| entry.rule().is_some_and(|rule| rule.permit));
    permits.flat_map(|entry| selectors(config, entry).unwrap_or_default())
}

/// What `match address` and `set …` say for the entry that serves a child SA.
pub(crate) fn terms_of<'c>(config: &'c config::Config, service: &Service) -> Option<&'c config::EntryTerms> {
    match service {
        Service::Entry(name) => {
            let map = config.maps.iter().find(|map| *map.name == *name.map)?;
            map.entries.iter().find(|entry| entry.sequence == name.sequence).map(|entry| &entry.terms)
        }
        Service::Dynamic { template, .. } => {
            let map = config.dynamic_maps.iter().find(|map| *map.name == *template.map)?;
            map.entries.iter().find(|entry| entry.sequence == template.sequence).map(|entry| &entry.terms)
        }
        Service::Tunnel(_) | Service::Client(_) => None,
    }
}

/// The networks to which static entries with `reverse-route static` add a route, whether or not
/// there is an SA, each with its crypto interface.
pub(crate) fn reverse_routes(config: &config::Config) -> Vec<ReverseRoute> {
    // several selectors of a line may lead to one network
    let (mut routes, mut known) = (Vec::new(), BTreeSet::new());
    for interface in &config.interfaces {
        let Some(map) = &interface.crypto_map else { continue };
        let entries = config.maps.iter().filter(|found| found.name == *map).flat_map(|map| &map.entries);
        for entry in entries.filter(|entry| entry.dynamic.is_none() && entry.terms.reverse_route_static) {
            let Some(acl) = entry.terms.acl.as_ref().and_then(|name| config.acl(name)) else { continue };
            let (interface, peer) = (InterfaceId(interface.number), entry.peers.first().copied());
            let nets = permitted(config, acl).map(|selector| selector.remote);
            let wanted = nets.map(|net| ReverseRoute { net, interface, peer });
            routes.extend(wanted.filter(|route| known.insert(*route)));
        }
    }
    routes
}

/// The crypto access list of an entry, and the permit line that selected an SA's packets.
pub(crate) fn acl_line<'c>(
    config: &'c config::Config,
    service: &Service,
    of: &Selector,
) -> Option<(&'c config::Acl, Selector)> {
    let name = terms_of(config, service)?.acl.as_ref()?;
    let acl = config.acl(name)?;
    let permits = || permitted(config, acl);
    let line = permits().find(|line| line == of).or_else(|| permits().find(|line| line.covers(of)))?;
    Some((acl, line))
}

fn crypto_acl(config: &config::Config, acl: &config::Acl, left_out: &mut Vec<String>) -> CryptoAcl {
    let mut lines = Vec::new();
    for entry in &acl.entries {
        match selectors(config, entry) {
            Ok(selectors) => {
                let permit = entry.rule().is_some_and(|rule| rule.permit);
                let of = |selector| CryptoAclLine { permit, selector, line: MOVES };
                lines.extend(selectors.into_iter().map(of));
            }
            Err(why) => {
                left_out.push(format!(
                    "line {}: access list {} says more than one SA can hold: {why}; the whole list protects nothing",
                    entry.line, acl.name
                ));
                // without this line, the others would mean something else
                lines.clear();
                break;
            }
        }
    }
    CryptoAcl { name: acl.name.clone(), lines }
}

/// The access list of an entry that is left out. A line that is more specific than an SA can be
/// closes too much rather than too little, as in the guard. Of a line whose addresses are not all
/// known, those that are known are closed.
fn closing_acl(config: &config::Config, acl: &config::Acl) -> CryptoAcl {
    let widened = |pattern: &acl::Pattern| Selector {
        local: AddressRange::prefix(pattern.source.covering().into()),
        remote: AddressRange::prefix(pattern.destination.covering().into()),
        protocol: pattern.protocol,
        local_port: None,
        remote_port: None,
    };
    let mut lines: Vec<CryptoAclLine> = Vec::new();
    for (entry, reading) in acl.readings(config) {
        let selectors = match selectors(config, entry) {
            Ok(selectors) => selectors,
            Err(_) if reading.permit => reading.patterns.iter().map(widened).collect(),
            Err(_) => Vec::new(),
        };
        for selector in selectors {
            let line = CryptoAclLine { permit: reading.permit, selector, line: MOVES };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    CryptoAcl { name: acl.name.clone(), lines }
}

fn terms(config: &config::Config, terms: &config::EntryTerms, left_out: &mut Vec<String>) -> EntryTerms {
    let set =
        |name: &String| config.transform_sets.iter().find(|set| set.name == *name).and_then(transform_set);
    let mut sets: Vec<_> = terms.transform_sets.iter().filter_map(set).collect();
    // not every transform set of it is known, so it refuses every proposal
    if terms.left_out && sets.len() < terms.transform_sets.len() {
        sets.clear();
    }
    // an access list that is named but not defined permits nothing; it must not turn into
    // "anything"
    let acl = terms.acl.as_ref().map(|name| {
        let empty = || CryptoAcl { name: name.clone(), lines: Vec::new() };
        Arc::new(match config.acl(name) {
            None => empty(),
            Some(acl) if terms.left_out => closing_acl(config, acl),
            Some(acl) => crypto_acl(config, acl, left_out),
        })
    });
    let crypto = &config.crypto;
    EntryTerms {
        transform_sets: sets,
        acl,
        profile: terms.profile.clone(),
        pfs: terms.pfs.and_then(DhGroup::from_number),
        lifetime: Duration::from_secs(terms.seconds.unwrap_or(crypto.seconds).into()),
        kilobytes: terms.volume.unwrap_or(crypto.volume).kilobytes().map(u64::from),
        idle_time: terms.idle_time.or(crypto.idle_time).map(|seconds| Duration::from_secs(seconds.into())),
        replay_window: terms.replay.unwrap_or(crypto.replay).packets(),
        reverse_route: terms.reverse_route,
        df: match crypto.df_bit {
            config::DfBit::Copy => DfBit::Copy,
            config::DfBit::Set => DfBit::Set,
            config::DfBit::Clear => DfBit::Clear,
        },
        left_out: terms.left_out,
        filters_rest: terms.acl.is_none() && (terms.access_in.is_some() || terms.access_out.is_some()),
    }
}

fn crypto_map(config: &config::Config, map: &config::CryptoMap, left_out: &mut Vec<String>) -> CryptoMap {
    let mut entries: Vec<_> = map
        .entries
        .iter()
        .filter_map(|entry| {
            let kind = match &entry.dynamic {
                Some(name) => {
                    let dynamic = config.dynamic_maps.iter().find(|dynamic| dynamic.name == *name)?;
                    let mut entries: Vec<_> = dynamic
                        .entries
                        .iter()
                        .map(|entry| DynamicEntry {
                            sequence: entry.sequence,
                            terms: terms(config, &entry.terms, left_out),
                            line: entry.line,
                        })
                        .collect();
                    entries.sort_by_key(|entry| entry.sequence);
                    MapEntryKind::Dynamic { name: name.as_str().into(), entries }
                }
                None => MapEntryKind::Static {
                    peers: entry.peers.clone(),
                    terms: terms(config, &entry.terms, left_out),
                },
            };
            Some(MapEntry { sequence: entry.sequence, kind, line: entry.line })
        })
        .collect();
    entries.sort_by_key(|entry| entry.sequence);
    CryptoMap {
        name: map.name.as_str().into(),
        entries,
        xauth_list: map.xauth_list.as_ref().map(|(list, _)| list.clone()),
        authorization_list: map.authorization_list.clone(),
        respond: map.respond,
        initiate: map.initiate,
    }
}

/// A client group as `aaa authorization network LIST local` returns it: the one of this name, or the
/// one named `default`, which is for the clients whose group is not configured.
pub(crate) fn client_group(config: &config::Config, name: &str) -> Option<ClientGroup> {
    let group = config.group_for(name)?;
    let key = group.key.as_ref()?;
    let key = password::reveal(key.kind(), key.expose()).ok()?;
    let acl = group.acl.as_ref().and_then(|name| config.acl(name));
    let permits =
        acl.iter().flat_map(|acl| &acl.entries).filter(|e| e.rule().is_some_and(|rule| rule.permit));
    // of a line that cannot be sent, the group's verdict says so
    let split_include =
        permits.flat_map(|entry| acl::split_networks(config, entry).unwrap_or_default()).collect();
    Some(ClientGroup {
        // as the client knows it
        name: name.to_string(),
        key,
        pool: group.pool.clone(),
        netmask: group.netmask,
        dns: group.dns.clone(),
        wins: group.wins.clone(),
        domain: group.domain.clone(),
        split_dns: group.split_dns.clone(),
        split_include,
        save_password: group.save_password,
        pfs: group.pfs,
        banner: group.banner.clone(),
        backup_gateways: group.backup_gateways.clone(),
    })
}

/// The ranges of all local pools.
pub(crate) fn pool_ranges(config: &config::Config) -> Vec<AddressRange> {
    let ranges = config.pools.iter().filter_map(|pool| AddressRange::new(pool.low, pool.high));
    ranges.collect()
}

#[cfg(test)]
mod table_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_config::verdict::{leave_out, verdicts};
    use hubward_proto::flow::selector::Flow;
    use hubward_proto::flow::tables::{Tables, Verdict};
    use std::net::Ipv4Addr;

    #[test]
    fn what_the_guard_cannot_close_is_told() {
        let mut config = config::Config::default();
        let net = |text: &str| text.parse::<ipnet::IpNet>().unwrap();
        config.closed.flows =
            vec![(net("0.0.0.0/0"), net("10.2.0.0/16")), (net("::/0"), net("2001:db8:2::/48"))];
        let range = |low: &str, high: &str| (low.parse().unwrap(), high.parse().unwrap());
        for (low, high) in [range("10.5.5.1", "10.5.5.9"), range("2001:db8:5::1", "2001:db8:5::9")] {
            config.pools.push(config::Pool { name: "p".into(), low, high, line: 7 });
        }
        let [flow, pool] = &Translation::of(&config).left_out[..] else { panic!("two sentences") };
        assert!(flow.contains("from ::/0 to 2001:db8:2::/48") && flow.contains("not guarded"), "{flow}");
        assert!(pool.starts_with("line 7: ") && pool.contains("not guarded"), "{pool}");
    }

    /// A gateway translates once, and adds the addresses to the policy when it knows them.
    #[test]
    fn addresses_can_be_given_later() {
        let text = "hostname R1\ninterface FastEthernet0/0\n ip address dhcp\n crypto map M\n\
            interface FastEthernet0/1\n ip address 10.1.0.1 255.255.0.0\n\
            interface FastEthernet0/2\n ip address 10.1.0.1 255.255.0.0\n shutdown\n\
            ip route 0.0.0.0 0.0.0.0 198.51.100.1\n\
            crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n";
        let config = hubward_config::parse(text).config;
        let translation = Translation::of(&config);
        let (dhcp, lan) = (Ipv4Addr::new(198, 51, 100, 2), Ipv4Addr::new(10, 1, 0, 1));
        let rows: &[&[(u16, Ipv4Addr)]] = &[&[], &[(0, dhcp), (1, lan)], &[(1, lan)], &[(0, lan), (1, lan)]];
        for row in rows {
            let addresses = row.iter().map(|(number, address)| (InterfaceId(*number), IpAddr::V4(*address)));
            let addresses = addresses.collect();
            let machine = (AddressRange::host(IpAddr::V4(Ipv4Addr::LOCALHOST)), Reserved::NextHop);
            let (mut wanted, _) = policy(&config, &addresses);
            wanted.reserved.push(machine);
            let found = translation.on(&addresses, vec![machine]);
            assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{addresses:?}");
        }
    }

    /// A dynamic entry without an access list stays, to refuse what it would have accepted: what
    /// its transform sets match if all are known, and every proposal otherwise. An entry with
    /// unknown transform sets must not be passed over.
    #[test]
    fn a_dynamic_entry_that_is_left_out_refuses() {
        for (named, kept) in [("AES", 1), ("AH", 0), ("AES AH", 0), ("NOPE", 0)] {
            let text = format!(
                "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
                 crypto ipsec transform-set AH ah-sha-hmac esp-aes\n\
                 crypto dynamic-map D 20\n set transform-set {named}\n set isakmp-profile P\n set pfs group14\n\
                 crypto dynamic-map D 30\n set transform-set AES\n\
                 crypto map M 65000 ipsec-isakmp dynamic D\n"
            );
            let mut parsed = hubward_config::parse(&text);
            let all = verdicts(&parsed);
            assert!(leave_out(&mut parsed.config, &all, &["D/20".to_string()]).is_empty());
            let (policy, _) = policy(&parsed.config, &Addresses::new());
            let MapEntryKind::Dynamic { entries, .. } = &policy.maps[0].entries[0].kind else { panic!() };
            let [refusing, serving] = entries.as_slice() else { panic!("{named}: {entries:?}") };
            assert!(refusing.terms.left_out && !serving.terms.left_out, "{named}");
            assert_eq!(refusing.terms.transform_sets.len(), kept, "{named}");
            assert_eq!(refusing.terms.profile.as_deref(), Some("P"), "{named}: whom else it would not serve");
            assert!(refusing.terms.pfs.is_some() && refusing.terms.acl.is_none(), "{named}");
        }
    }

    /// From the file to the packet: what `--without M/10` leaves out is sent neither in clear nor
    /// to the peer of the wider entry, even if its access list is more specific than an SA can be,
    /// and the list is not reported at each start.
    #[test]
    fn what_is_left_out_does_not_go_to_another_peer() {
        for line in [
            "permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255",
            "permit tcp 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255 range 20 25",
            "permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.253.255",
        ] {
            let text = format!(
                "crypto isakmp policy 10\n encr aes\n authentication pre-share\n group 14\n\
                 crypto isakmp key k address 0.0.0.0 0.0.0.0\n\
                 crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
                 ip access-list extended A\n {line}\n\
                 ip access-list extended B\n permit ip 10.1.0.0 0.0.255.255 10.0.0.0 0.255.255.255\n\
                 crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n match address A\n\
                 crypto map M 20 ipsec-isakmp\n set peer 203.0.113.20\n set transform-set AES\n match address B\n\
                 interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map M\n"
            );
            let mut parsed = hubward_config::parse(&text);
            let all = verdicts(&parsed);
            assert!(leave_out(&mut parsed.config, &all, &["M/10".to_string()]).is_empty());
            let (policy, complaints) =
                policy(&parsed.config, &[(InterfaceId(0), Ipv4Addr::new(198, 51, 100, 2).into())].into());
            assert!(complaints.is_empty(), "{complaints:?}");
            let tables = Tables::build(&policy, Vec::new());
            let flow = |destination: [u8; 4]| Flow {
                source: Ipv4Addr::new(10, 1, 1, 1).into(),
                destination: Ipv4Addr::from(destination).into(),
                protocol: 6,
                source_port: Some(1024),
                destination_port: Some(22),
            };
            let wide = Service::entry("M", 20);
            assert!(matches!(tables.classify(&flow([10, 2, 1, 1])), Verdict::Drop), "{line}");
            assert!(tables.denies(&wide, &flow([10, 2, 1, 1])), "{line}");
            let Verdict::Protect(acquire) = tables.classify(&flow([10, 9, 1, 1])) else { panic!("{line}") };
            assert_eq!(acquire.service, wide);
            assert!(!tables.denies(&wide, &flow([10, 9, 1, 1])), "{line}");
        }
    }
}
