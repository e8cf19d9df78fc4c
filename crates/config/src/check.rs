//! What only the whole configuration shows: dangling names, hidden entries, weak and open spots.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{
    Addressing, Config, Encryption, EntryTerms, EspCipher, Hash, IdentityMatch, Key, KeyPeer,
};
use crate::parsed::Parsed;

pub(crate) fn check(parsed: &mut Parsed) {
    crate::effect::settle(parsed);
    let mut found = Vec::new();
    dangling(&parsed.config, &mut found);
    maps(&parsed.config, &mut found);
    keys(&parsed.config, &mut found);
    profiles(&parsed.config, &mut found);
    weak(&parsed.config, &mut found);
    routes(&parsed.config, &mut found);
    access_classes(&parsed.config, &mut found);
    crate::unreachable::check(&parsed.config, &mut found);
    parsed.diagnostics.extend(found);
}

fn say(
    found: &mut Vec<Diagnostic>,
    severity: Severity,
    code: Code,
    line: u32,
    message: String,
    remedy: impl Into<String>,
) {
    found.push(Diagnostic { severity, code, line, column: 1, message, remedy: remedy.into() });
}

/// A name that one part of a configuration has for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Whose it is: `crypto map M 10`, `interface FastEthernet0/0`.
    pub owner: String,
    /// What it should be: `access list`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// Whether something has that name.
    pub exists: bool,
    /// Whether a tunnel needs it whose crypto map is on an interface.
    pub in_use: bool,
    /// Line, from 1.
    pub line: u32,
}

/// Every name that a part of the VPN has for another.
pub fn references(config: &Config) -> Vec<Reference> {
    let mut out = Vec::new();
    let applied = |map: &str| config.interfaces.iter().any(|i| i.crypto_map.as_deref() == Some(map));
    let mut profiles_in_use = Vec::new();
    let mut of_terms = |out: &mut Vec<Reference>,
                        owner: &str,
                        line: u32,
                        terms: &EntryTerms,
                        in_use: bool| {
        let mut need = |what, name: &String, exists| {
            out.push(Reference { owner: owner.to_string(), what, name: name.clone(), exists, in_use, line });
        };
        for name in &terms.transform_sets {
            need("transform set", name, config.transform_sets.iter().any(|set| set.name == *name));
        }
        if let Some(name) = &terms.acl {
            need("access list", name, config.acls.iter().any(|acl| acl.name == *name));
        }
        if let Some(name) = &terms.profile {
            need("ISAKMP profile", name, config.profiles.iter().any(|profile| profile.name == *name));
            if in_use {
                profiles_in_use.push(name.clone());
            }
        }
    };
    let mut dynamic_in_use = Vec::new();
    for map in &config.maps {
        for entry in &map.entries {
            let (owner, in_use) = (format!("crypto map {} {}", map.name, entry.sequence), applied(&map.name));
            of_terms(&mut out, &owner, entry.line, &entry.terms, in_use);
            if let Some(name) = &entry.dynamic {
                let exists = config.dynamic_maps.iter().any(|map| map.name == *name);
                let (what, name, line) = ("dynamic map", name.clone(), entry.line);
                out.push(Reference { owner, what, name: name.clone(), exists, in_use, line });
                if in_use {
                    dynamic_in_use.push(name);
                }
            }
        }
    }
    for map in &config.dynamic_maps {
        for entry in &map.entries {
            let owner = format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            of_terms(&mut out, &owner, entry.line, &entry.terms, dynamic_in_use.contains(&map.name));
        }
    }
    for profile in &config.profiles {
        let in_use = profiles_in_use.contains(&profile.name);
        let mut need = |what, name: &String, exists| {
            let owner = format!("crypto isakmp profile {}", profile.name);
            out.push(Reference { owner, what, name: name.clone(), exists, in_use, line: profile.line });
        };
        for name in &profile.keyrings {
            let exists = name == "default" || config.keyrings.iter().any(|keyring| keyring.name == *name);
            need("keyring", name, exists);
        }
        if let Some(name) = &profile.xauth_list {
            need("login list", name, config.aaa.login.iter().any(|list| list.name == *name));
        }
        if let Some(name) = &profile.authorization_list {
            need("network list", name, config.aaa.network.iter().any(|list| list.name == *name));
        }
    }
    for group in &config.groups {
        let mut need = |what, name: &String, exists| {
            let owner = format!("group {}", group.name);
            out.push(Reference { owner, what, name: name.clone(), exists, in_use: true, line: group.line });
        };
        if let Some(name) = &group.pool {
            need("local pool", name, config.pools.iter().any(|pool| pool.name == *name));
        }
        if let Some(name) = &group.acl {
            need("access list", name, config.acls.iter().any(|acl| acl.name == *name));
        }
    }
    for interface in &config.interfaces {
        if let Some(name) = &interface.crypto_map {
            let (owner, what) = (format!("interface {}", interface.name), "crypto map");
            let exists = config.maps.iter().any(|map| map.name == *name);
            out.push(Reference {
                owner,
                what,
                name: name.clone(),
                exists,
                in_use: true,
                line: interface.line,
            });
        }
    }
    out
}

/// The names that a tunnel in use needs, that a new configuration does not define, and that were
/// defined in the old one: such a change would end tunnels by accident.
pub fn lost(old: &Config, new: &Config) -> Vec<Reference> {
    let before = references(old);
    let was_whole = |lost: &Reference| {
        let same = || before.iter().filter(|known| known.owner == lost.owner && known.what == lost.what);
        same().next().is_some() && same().all(|known| known.exists)
    };
    references(new).into_iter().filter(|one| !one.exists && one.in_use && was_whole(one)).collect()
}

/// What parts of the VPN in use would lose the last of although they stay themselves: a crypto map
/// entry that was whole its peers, transform sets, access list or that list's last `permit`; a
/// keyring its keys; a profile its `match identity`. As sentences. Whoever means to end a tunnel
/// removes the whole entry.
pub fn emptied(old: &Config, new: &Config) -> Vec<String> {
    let applied = |config: &Config, map: &str| {
        config.interfaces.iter().any(|interface| interface.crypto_map.as_deref() == Some(map))
    };
    let permits = |config: &Config, terms: &EntryTerms| {
        let list = terms.acl.as_ref().and_then(|name| config.acls.iter().find(|acl| acl.name == *name));
        list.is_some_and(|acl| acl.entries.iter().any(|entry| entry.permit))
    };
    let is_list = |config: &Config, name: &String| config.acls.iter().any(|acl| acl.name == *name);
    let mut out = Vec::new();
    let mut lose = |owner: String, part: &str| out.push(format!("{owner} would lose its last {part}"));
    let mut dynamic_in_use = Vec::new();
    for map in old.maps.iter().filter(|map| applied(old, &map.name) && applied(new, &map.name)) {
        let now = new.maps.iter().find(|other| other.name == map.name);
        for entry in &map.entries {
            dynamic_in_use.extend(&entry.dynamic);
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now.filter(|now| now.dynamic.is_none() && entry.dynamic.is_none()) else {
                continue;
            };
            // one that is still being typed has no tunnel to lose
            if entry.peers.is_empty() || entry.terms.transform_sets.is_empty() || !permits(old, &entry.terms)
            {
                continue;
            }
            let owner = || format!("crypto map {} {}", map.name, entry.sequence);
            if now.peers.is_empty() {
                lose(owner(), "`set peer`");
            }
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            match &now.terms.acl {
                None => lose(owner(), "`match address`"),
                Some(name) if is_list(new, name) && !permits(new, &now.terms) => {
                    lose(format!("access list {name} of {}", owner()), "`permit`");
                }
                Some(_) => {}
            }
        }
    }
    for map in old.dynamic_maps.iter().filter(|map| dynamic_in_use.contains(&&map.name)) {
        let now = new.dynamic_maps.iter().find(|other| other.name == map.name);
        for entry in map.entries.iter().filter(|entry| !entry.terms.transform_sets.is_empty()) {
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now else { continue };
            let owner = || format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            if let Some(name) = &now.terms.acl
                && is_list(new, name)
                && !permits(new, &now.terms)
                && (entry.terms.acl.is_none() || permits(old, &entry.terms))
            {
                lose(format!("access list {name} of {}", owner()), "`permit`");
            }
        }
    }
    // a peer may come to any of them
    if old.interfaces.iter().any(|i| i.crypto_map.as_ref().is_some_and(|map| applied(new, map))) {
        for keyring in old.keyrings.iter().filter(|keyring| !keyring.keys.is_empty()) {
            if new.keyrings.iter().any(|now| now.name == keyring.name && now.keys.is_empty()) {
                lose(format!("crypto keyring {}", keyring.name), "key");
            }
        }
        for profile in old.profiles.iter().filter(|profile| !profile.matches.is_empty()) {
            if new.profiles.iter().any(|now| now.name == profile.name && now.matches.is_empty()) {
                lose(format!("crypto isakmp profile {}", profile.name), "`match identity`");
            }
        }
    }
    out
}

fn dangling(config: &Config, found: &mut Vec<Diagnostic>) {
    for Reference { what, name, line, .. } in references(config).into_iter().filter(|one| !one.exists) {
        let message = format!("the {what} {name} is not defined; until it is, this has no effect");
        say(found, Severity::Warning, Code::Dangling, line, message, format!("define {what} {name}"));
    }
}

/// Lists of `access-class` with a line that is not understood: a user whom that line may deny is
/// refused.
fn access_classes(config: &Config, found: &mut Vec<Diagnostic>) {
    for line in &config.lines {
        let Some(acl) =
            line.access_class.as_ref().and_then(|name| config.acls.iter().find(|a| a.name == *name))
        else {
            continue;
        };
        for entry in acl.entries.iter().filter(|entry| entry.inexact) {
            let becomes =
                if entry.permit { "it admits nobody" } else { "it refuses everyone whom it may match" };
            let message = format!(
                "line {} of access list {} cannot be applied exactly: {becomes} on this terminal line",
                entry.line, acl.name
            );
            let remedy = "name addresses in a standard list";
            say(found, Severity::Warning, Code::Unsupported, line.line, message, remedy);
        }
    }
}

fn maps(config: &Config, found: &mut Vec<Diagnostic>) {
    for map in &config.maps {
        let mut entries: Vec<_> = map.entries.iter().collect();
        entries.sort_by_key(|entry| entry.sequence);
        let first_dynamic = entries.iter().find(|entry| entry.dynamic.is_some());
        for entry in &entries {
            if entry.dynamic.is_some() {
                continue;
            }
            if entry.peers.is_empty() || entry.terms.acl.is_none() || entry.terms.transform_sets.is_empty() {
                let message = format!(
                    "crypto map {} {} lacks a peer, an access list or a transform set and stays disabled",
                    map.name, entry.sequence
                );
                say(found, Severity::Warning, Code::Incomplete, entry.line, message, "complete the entry");
            }
            if let Some(dynamic) = first_dynamic
                && dynamic.sequence < entry.sequence
            {
                let message = format!(
                    "crypto map {} {} is dynamic and is before the static entry {}: the dynamic entry captures the \
                     static peer, whose tunnel then fails or gets the wrong terms",
                    map.name, dynamic.sequence, entry.sequence
                );
                let remedy = format!(
                    "give the dynamic entry the highest sequence number, such as crypto map {} 65000",
                    map.name
                );
                say(found, Severity::Warning, Code::DynamicFirst, entry.line, message, remedy);
            }
        }
        if let Some((list, line)) = &map.xauth_list {
            let lan_keys = config.default_keys.iter().chain(config.keyrings.iter().flat_map(|k| &k.keys));
            if let Some(key) = lan_keys.into_iter().find(|key| !key.no_xauth) {
                let message = format!(
                    "crypto map {} asks every peer without an ISAKMP profile for Xauth (list {list}); LAN-to-LAN peers that use \
                     the key of line {} cannot answer and fail",
                    map.name, key.line
                );
                say(
                    found,
                    Severity::Warning,
                    Code::XauthOnLan,
                    *line,
                    message,
                    "put `no-xauth` after the key, or use ISAKMP profiles",
                );
            }
        }
    }
}

fn wildcard(key: &Key) -> bool {
    matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == 0)
}

fn keys(config: &Config, found: &mut Vec<Diagnostic>) {
    let rings: Vec<(&str, &[Key])> = std::iter::once(("default", config.default_keys.as_slice()))
        .chain(config.keyrings.iter().map(|keyring| (keyring.name.as_str(), keyring.keys.as_slice())))
        .collect();
    for (index, (name, later)) in rings.iter().enumerate() {
        for key in *later {
            let KeyPeer::Address(net) = &key.peer else { continue };
            // only the first that hides it is reported
            let hides = rings.iter().take(index).find_map(|(other_name, earlier)| {
                let other = earlier.iter().find(|other| match &other.peer {
                    KeyPeer::Address(wide) => wide.contains(net),
                    KeyPeer::Hostname(_) => false,
                })?;
                Some((other_name, other))
            });
            if let Some((other_name, other)) = hides {
                let message = format!(
                    "the key of keyring {name} for {net} is never the first match: keyring {other_name} has one for the same peers in line {} and is searched before it",
                    other.line
                );
                say(
                    found,
                    Severity::Warning,
                    Code::Shadowed,
                    key.line,
                    message,
                    "keep one key for these peers",
                );
            }
        }
    }
    let open_entry =
        config.dynamic_maps.iter().flat_map(|map| &map.entries).find(|entry| entry.terms.acl.is_none());
    let wildcards = rings.iter().flat_map(|(_, keys)| keys.iter()).filter(|key| wildcard(key));
    if let Some(entry) = open_entry {
        for key in wildcards {
            let message = format!(
                "anyone who knows this wildcard key may propose any networks: the dynamic map entry of line {} has no \
                 `match address`",
                entry.line
            );
            let remedy = "name the branches' networks in an access list and put `match address` into the dynamic map entry";
            say(found, Severity::Notice, Code::AnyProxy, key.line, message, remedy);
        }
    }
    let reversible = rings.iter().flat_map(|(_, keys)| keys.iter()).filter(|key| key.key.kind() == 6);
    for key in reversible {
        let message =
            "a type 6 key cannot be read without the router's master key; the key is not used".to_string();
        say(found, Severity::Error, Code::Password, key.line, message, "write the key in clear text");
    }
}

fn profiles(config: &Config, found: &mut Vec<Diagnostic>) {
    for (index, profile) in config.profiles.iter().enumerate() {
        if profile.matches.is_empty() {
            let message = format!("profile {} has no `match identity` and is never selected", profile.name);
            say(found, Severity::Warning, Code::Incomplete, profile.line, message, "add `match identity`");
        }
        for matched in &profile.matches {
            let hides = config.profiles.iter().take(index).find(|earlier| earlier.matches.contains(matched));
            if let Some(earlier) = hides {
                let message = format!(
                    "profile {} matches the same identities as profile {} in line {}, which comes first and hides it",
                    profile.name, earlier.name, earlier.line
                );
                say(
                    found,
                    Severity::Warning,
                    Code::Shadowed,
                    profile.line,
                    message,
                    "match different identities",
                );
            }
        }
        let by_group = profile.matches.iter().any(|matched| matches!(matched, IdentityMatch::Group(_)));
        if by_group {
            let message = format!(
                "clients of profile {} use aggressive mode with a group key: anyone who captures one attempt can guess group keys offline",
                profile.name
            );
            say(
                found,
                Severity::Notice,
                Code::AggressivePsk,
                profile.line,
                message,
                "use a long random group key, and Xauth as here",
            );
        }
    }
}

fn weak(config: &Config, found: &mut Vec<Diagnostic>) {
    for policy in &config.policies {
        let mut spots = Vec::new();
        if !matches!(policy.encryption, Encryption::Aes(_)) {
            spots.push(policy.encryption.keyword().to_uppercase());
        }
        if policy.hash == Hash::Md5 {
            spots.push("MD5".into());
        }
        if policy.group < 14 {
            spots.push(format!("group {}", policy.group));
        }
        if !spots.is_empty() {
            let message = format!(
                "ISAKMP policy {} is weak by today's standards: {}",
                policy.priority,
                spots.join(", ")
            );
            let remedy =
                "when the peers support it, add a policy with aes, sha256 and group 14 before this one";
            say(found, Severity::Notice, Code::Weak, policy.line, message, remedy);
        }
    }
    for set in &config.transform_sets {
        let cipher = set.cipher();
        if matches!(cipher, Some(EspCipher::Des | EspCipher::TripleDes)) || set.auth() == Some(Hash::Md5) {
            let message = format!("transform set {} is weak by today's standards", set.name);
            let remedy =
                "when the peers support it, add a set with esp-aes and esp-sha256-hmac before this one";
            say(found, Severity::Notice, Code::Weak, set.line, message, remedy);
        }
    }
}

fn routes(config: &Config, found: &mut Vec<Diagnostic>) {
    let dhcp = config.interfaces.iter().any(|interface| interface.address == Addressing::Dhcp);
    for route in &config.routes {
        let Some(hop) = route.next_hop else { continue };
        let connected = config.interfaces.iter().any(|interface| match &interface.address {
            Addressing::Static(nets) => nets.iter().any(|net| net.contains(&hop)),
            _ => false,
        });
        let routed = config.routes.iter().any(|other| {
            other != route && other.destination.prefix_len() > 0 && other.destination.contains(&hop)
        });
        // the next hop may be in the network that an interface with DHCP gets
        if !connected && !routed && !dhcp && route.interface.is_none() {
            let bearer = config.interfaces.iter().find(|interface| interface.crypto_map.is_some());
            let message = match bearer {
                Some(bearer) => format!(
                    "next hop {hop} is in no connected network; the route is installed on-link by {}, which has the crypto map",
                    bearer.name
                ),
                None => format!("next hop {hop} is in no connected network; the route stays inactive"),
            };
            say(
                found,
                Severity::Warning,
                Code::OffLink,
                route.line,
                message,
                "check the next hop and the interface's mask",
            );
        }
    }
}
