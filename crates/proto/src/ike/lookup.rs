//! Which key, which profile and which crypto map entry serve a peer: IOS's rules, as pure functions
//! of the policy.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::identity::Identity;
use crate::names::{InterfaceId, Service};
use crate::policy::{
    CryptoAcl, EntryTerms, IdentityMatch, IsakmpProfile, KeyPeer, Keyring, MapEntryKind, Policy, PresharedKey,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A pre-shared key and the keyring that has it.
#[derive(Clone, Copy, Debug)]
pub struct FoundKey<'a> {
    /// The keyring.
    pub keyring: &'a Keyring,
    /// The key.
    pub key: &'a PresharedKey,
}

/// The key for a peer's outer address: keyrings in order, the default one first; within a keyring
/// the longest prefix. `only` restricts the search to a profile's keyrings.
pub fn key_for_address<'a>(
    policy: &'a Policy,
    only: &[String],
    local: IpAddr,
    peer: IpAddr,
) -> Option<FoundKey<'a>> {
    search(policy, only, local, |key| match &key.peer {
        KeyPeer::Address(range) => {
            range.contains(peer).then(|| range.to_prefix().map_or(0, |prefix| prefix.prefix_len()))
        }
        KeyPeer::Hostname(_) => None,
    })
}

/// The key for a peer's FQDN identity, which only aggressive mode reveals in time.
pub fn key_for_hostname<'a>(
    policy: &'a Policy,
    only: &[String],
    local: IpAddr,
    name: &str,
) -> Option<FoundKey<'a>> {
    search(policy, only, local, |key| match &key.peer {
        KeyPeer::Hostname(host) => host.eq_ignore_ascii_case(name).then_some(u8::MAX),
        KeyPeer::Address(_) => None,
    })
}

fn search<'a>(
    policy: &'a Policy,
    only: &[String],
    local: IpAddr,
    fit: impl Fn(&PresharedKey) -> Option<u8>,
) -> Option<FoundKey<'a>> {
    policy
        .keyrings
        .iter()
        .filter(|keyring| only.is_empty() || only.contains(&keyring.name))
        .filter(|keyring| keyring.local_address.is_none_or(|address| address == local))
        .find_map(|keyring| {
            let mut best: Option<(u8, &PresharedKey)> = None;
            for key in &keyring.keys {
                if let Some(length) = fit(key)
                    && best.is_none_or(|(longest, _)| length > longest)
                {
                    best = Some((length, key));
                }
            }
            best.map(|(_, key)| FoundKey { keyring, key })
        })
}

/// The profile that an identity selects: the best match, then configuration order.
pub fn profile_for<'a>(policy: &'a Policy, local: IpAddr, identity: &Identity) -> Option<&'a IsakmpProfile> {
    let mut best: Option<(u8, &IsakmpProfile)> = None;
    for profile in &policy.profiles {
        if profile.local_address.is_some_and(|address| address != local) {
            continue;
        }
        let fit = profile.matches.iter().filter_map(|line| identity.matches(line)).max();
        if let Some(fit) = fit
            && best.is_none_or(|(closest, _)| fit > closest)
        {
            best = Some((fit, profile));
        }
    }
    best.map(|(_, profile)| profile)
}

/// The address of a range that has only one.
pub(crate) fn host_of(range: &AddressRange) -> Option<IpAddr> {
    let prefix = range.to_prefix()?;
    (prefix.prefix_len() == prefix.max_prefix_len()).then(|| prefix.addr())
}

/// The addresses of peers that a policy names: static peers, and hosts with a key of their own.
pub fn named_addresses(policy: &Policy) -> BTreeSet<IpAddr> {
    let entries = policy.maps.iter().flat_map(|map| &map.entries);
    let peers = entries.filter_map(|entry| match &entry.kind {
        MapEntryKind::Static { peers, .. } => Some(peers),
        MapEntryKind::Dynamic { .. } => None,
    });
    let keys = policy.keyrings.iter().flat_map(|keyring| &keyring.keys);
    let hosts = keys.filter_map(|key| match &key.peer {
        KeyPeer::Address(range) => host_of(range),
        KeyPeer::Hostname(_) => None,
    });
    peers.flatten().copied().chain(hosts).collect()
}

/// Whether the configuration means this peer in particular: its key is that of one host, or its
/// profile names this very identity. Whoever sends one message of aggressive mode gets a hash by
/// which the key can be guessed offline; a key of many peers is not shown to everybody who asks.
pub fn is_meant(found: &FoundKey<'_>, profile: Option<&IsakmpProfile>, identity: &Identity) -> bool {
    let of_one = match &found.key.peer {
        KeyPeer::Address(range) => host_of(range).is_some(),
        KeyPeer::Hostname(_) => true,
    };
    let names = |line: &IdentityMatch| match line {
        IdentityMatch::Address(range) => host_of(range).is_some(),
        IdentityMatch::Group(_) | IdentityMatch::Host(_) | IdentityMatch::User(_) => true,
        IdentityMatch::HostDomain(_) | IdentityMatch::UserDomain(_) => false,
    };
    let named = |profile: &IsakmpProfile| {
        profile.matches.iter().any(|line| names(line) && identity.matches(line).is_some())
    };
    of_one || profile.is_some_and(named)
}

/// What a peer must do, and may get, after phase 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Xauth against this list is required.
    pub xauth_list: Option<String>,
    /// Groups come from this list.
    pub authorization_list: Option<String>,
    /// The group of peers whose identity names none.
    pub group: Option<String>,
    /// Mode-config is answered.
    pub respond: bool,
    /// An address is pushed.
    pub initiate: bool,
}

/// The requirements of a profile, or of the crypto map for a peer that matched no profile. A key
/// with `no-xauth` waives the map's Xauth requirement.
pub fn demands(
    policy: &Policy,
    interface: InterfaceId,
    profile: Option<&IsakmpProfile>,
    no_xauth: bool,
) -> Demands {
    if let Some(profile) = profile {
        return Demands {
            xauth_list: profile.xauth_list.clone(),
            authorization_list: profile.authorization_list.clone(),
            group: profile.group.clone(),
            respond: profile.respond,
            initiate: profile.initiate,
        };
    }
    let Some(map) = policy.map_of(interface) else { return Demands::default() };
    Demands {
        xauth_list: map.xauth_list.clone().filter(|_| !no_xauth),
        authorization_list: map.authorization_list.clone(),
        group: None,
        respond: map.respond,
        // a peer that is not asked for Xauth by a map that asks is a gateway, not a client
        initiate: map.initiate && !no_xauth,
    }
}

/// Whether anything on this interface requires Xauth, so that proposals with and without it are
/// acceptable before the peer is known.
pub fn xauth_possible(policy: &Policy, interface: InterfaceId) -> bool {
    policy.profiles.iter().any(|profile| profile.xauth_list.is_some())
        || policy.map_of(interface).is_some_and(|map| map.xauth_list.is_some())
}

/// Whether an entry of the interface's crypto map names the peer: it is a gateway, not a client.
pub fn is_named(policy: &Policy, interface: InterfaceId, peer: IpAddr) -> bool {
    policy.map_of(interface).is_some_and(|map| {
        map.entries.iter().any(|entry| match &entry.kind {
            MapEntryKind::Static { peers, .. } => peers.contains(&peer),
            MapEntryKind::Dynamic { .. } => false,
        })
    })
}

/// A crypto map entry that accepts a peer's proxy identities.
#[derive(Clone, Debug)]
pub struct FoundEntry<'a> {
    /// Its name.
    pub service: Service,
    /// Its terms.
    pub terms: &'a EntryTerms,
}

/// All entries that could serve a peer's quick mode, in the order in which IOS tries them. Only the
/// first crypto map entry that accepts the proxy identities is used: a dynamic entry with a lower
/// number than a static one captures the static peer, as on IOS. Within a dynamic map, every entry
/// that accepts the proxy identities is tried.
pub fn entries_for<'a>(
    policy: &'a Policy,
    interface: InterfaceId,
    peer: IpAddr,
    profile: Option<&str>,
    selector: &Selector,
) -> Vec<FoundEntry<'a>> {
    let Some(map) = policy.map_of(interface) else { return Vec::new() };
    let gate = |terms: &EntryTerms| terms.profile.as_deref().is_none_or(|wanted| profile == Some(wanted));
    for entry in &map.entries {
        let found: Vec<_> = match &entry.kind {
            MapEntryKind::Static { peers, terms } => {
                let takes = peers.contains(&peer)
                    && gate(terms)
                    && terms.acl.as_ref().is_some_and(|acl| permits(acl, selector));
                let service = Service::entry(Arc::clone(&map.name), entry.sequence);
                takes.then_some(FoundEntry { service, terms }).into_iter().collect()
            }
            MapEntryKind::Dynamic { name, entries } => entries
                .iter()
                .filter(|candidate| gate(&candidate.terms))
                .filter(|candidate| candidate.terms.acl.as_ref().is_none_or(|acl| permits(acl, selector)))
                .map(|candidate| FoundEntry {
                    service: Service::dynamic(
                        Arc::clone(&map.name),
                        entry.sequence,
                        Arc::clone(name),
                        candidate.sequence,
                    ),
                    terms: &candidate.terms,
                })
                .collect(),
        };
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Whether a crypto ACL permits everything that a selector (seen from our side) selects.
pub fn permits(acl: &CryptoAcl, selector: &Selector) -> bool {
    for line in &acl.lines {
        if line.selector.covers(selector) {
            return line.permit;
        }
        if !line.permit && overlaps(&line.selector, selector) {
            return false;
        }
    }
    false
}

pub(crate) fn overlaps(a: &Selector, b: &Selector) -> bool {
    fn meet<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    a.local.overlaps(&b.local)
        && a.remote.overlaps(&b.remote)
        && meet(a.protocol, b.protocol)
        && meet(a.local_port, b.local_port)
        && meet(a.remote_port, b.remote_port)
}
