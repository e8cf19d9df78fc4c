//! Pre-shared keys, and the profiles that choose among them.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Class;
use crate::model::{IdentityMatch, Key, KeyPeer, Profile};
use crate::parsed::Parsed;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

fn wildcard(key: &Key) -> bool {
    matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == 0)
}

/// The VRF of each keyring that has one, by `crypto keyring NAME vrf VRF`.
fn vrfs(parsed: &Parsed) -> BTreeMap<&str, &str> {
    let lines =
        parsed.document.lines.iter().filter(|line| line.under.is_none() && line.class != Class::Blank);
    let words = lines.map(|line| line.spelled.split_whitespace().collect::<Vec<_>>());
    let named = words.filter_map(|words| match words.as_slice() {
        ["crypto", "keyring", name, "vrf", vrf, ..] => Some((*name, *vrf)),
        _ => None,
    });
    named.collect()
}

/// A keyring as it is searched: only peers of the same VRF and local address look into two of them.
struct Ring<'c> {
    name: &'c str,
    vrf: Option<&'c str>,
    local_address: Option<IpAddr>,
    keys: &'c [Key],
}

fn rings(parsed: &Parsed) -> Vec<Ring<'_>> {
    let vrfs = vrfs(parsed);
    let config = &parsed.config;
    let own = config.keyrings.iter().map(|known| {
        let vrf = vrfs.get(known.name.as_str()).copied();
        Ring { name: &known.name, vrf, local_address: known.local_address, keys: &known.keys }
    });
    let default = Ring { name: "default", vrf: None, local_address: None, keys: &config.default_keys };
    std::iter::once(default).chain(own).collect()
}

pub(super) fn keys(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let rings = rings(parsed);
    // the first ring that has a key for a network, by what decides who looks into it
    type Looked<'c> = (Option<&'c str>, Option<IpAddr>);
    let mut first: BTreeMap<(Looked<'_>, IpNet), (usize, u32)> = BTreeMap::new();
    for (index, ring) in rings.iter().enumerate() {
        for key in ring.keys {
            let KeyPeer::Address(net) = &key.peer else { continue };
            // rings that the same peers have looked into before, whichever their address
            let mut looked: Vec<Looked<'_>> = vec![(ring.vrf, None)];
            looked.extend(ring.local_address.map(|address| (ring.vrf, Some(address))));
            let around = (0..=net.prefix_len()).rev().filter_map(|length| {
                let wide = IpNet::new(net.network(), length).ok()?.trunc();
                let found = looked.iter().filter_map(|looked| first.get(&(*looked, wide)));
                found.min().copied()
            });
            // only the first that hides it is reported
            let hidden = around.min_by_key(|(other, _)| *other);
            if let Some((other, line)) = hidden.and_then(|(other, line)| Some((rings.get(other)?.name, line)))
            {
                let name = ring.name;
                let message = format!(
                    "the key of keyring {name} for {net} is never the first match: keyring {other} has one for the same peers in line {line} and is searched before it"
                );
                let remedy = "keep one key for these peers";
                say(found, Severity::Warning, Code::Shadowed, key.line, message, remedy);
            }
        }
        for key in ring.keys {
            if let KeyPeer::Address(net) = &key.peer {
                first.entry(((ring.vrf, ring.local_address), net.trunc())).or_insert((index, key.line));
            }
        }
    }
    let open_entry =
        config.dynamic_maps.iter().flat_map(|map| &map.entries).find(|entry| entry.terms.acl.is_none());
    let wildcards = rings.iter().flat_map(|ring| ring.keys).filter(|key| wildcard(key));
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
    let reversible = rings.iter().flat_map(|ring| ring.keys).filter(|key| key.key.kind() == 6);
    for key in reversible {
        let message =
            "a type 6 key cannot be read without the router's master key; the key is not used".to_string();
        say(found, Severity::Error, Code::Password, key.line, message, "write the key in clear text");
    }
}

/// The profiles whose peers `match identity address` takes from a VRF: two VRFs may use the same
/// addresses.
fn profiles_of_vrfs(parsed: &Parsed) -> BTreeMap<&str, &str> {
    let lines = &parsed.document.lines;
    let is_address = |word: &str| word.parse::<IpAddr>().is_ok();
    let found = lines.iter().filter_map(|line| {
        let mut words = line.spelled.split_whitespace();
        let is_match = ["match", "identity", "address"].iter().all(|word| words.next() == Some(word));
        let vrf = words.find(|word| !is_address(word)).filter(|word| is_match && !word.starts_with('!'))?;
        let head = lines.get(line.under?)?.spelled.strip_prefix("crypto isakmp profile ")?;
        Some((head, vrf))
    });
    found.collect()
}

pub(super) fn profiles(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let vrfs = profiles_of_vrfs(parsed);
    let mut first: BTreeMap<String, &Profile> = BTreeMap::new();
    for profile in &parsed.config.profiles {
        if profile.matches.is_empty() {
            let message = format!("profile {} has no `match identity` and is never selected", profile.name);
            say(found, Severity::Warning, Code::Incomplete, profile.line, message, "add `match identity`");
        }
        for matched in &profile.matches {
            let vrf = match matched {
                IdentityMatch::Address(_) => vrfs.get(profile.name.as_str()),
                _ => None,
            };
            let earlier = *first.entry(format!("{matched:?} {vrf:?}")).or_insert(profile);
            if earlier.name != profile.name {
                let message = format!(
                    "profile {} matches the same identities as profile {} in line {}, which comes first and hides it",
                    profile.name, earlier.name, earlier.line
                );
                let remedy = "match different identities";
                say(found, Severity::Warning, Code::Shadowed, profile.line, message, remedy);
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

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    fn shadowed(text: &str) -> Vec<u32> {
        let told = crate::parse(text).diagnostics;
        told.into_iter().filter(|told| told.code == Code::Shadowed).map(|told| told.line).collect()
    }

    /// Only keyrings that the same peers look into hide each other's keys.
    #[test]
    fn a_keyring_of_a_vrf_is_not_shadowed_by_a_global_one() {
        let global = "crypto isakmp key a address 0.0.0.0 0.0.0.0\n";
        let key = " pre-shared-key address 198.51.100.20 key b\n";
        for (text, lines) in [
            (format!("{global}crypto keyring K\n{key}"), vec![3]),
            (format!("{global}crypto keyring K vrf RED\n{key}"), vec![]),
            (format!("crypto keyring J vrf RED\n{key}crypto keyring K vrf RED\n{key}"), vec![4]),
            (format!("crypto keyring J vrf RED\n{key}crypto keyring K vrf BLUE\n{key}"), vec![]),
            (format!("crypto keyring J vrf RED\n{key}crypto keyring K\n{key}"), vec![]),
            (
                format!(
                    "crypto keyring J\n local-address 192.0.2.1\n{key}crypto keyring K\n local-address 192.0.2.2\n{key}"
                ),
                vec![],
            ),
            (
                format!(
                    "crypto keyring J\n local-address 192.0.2.1\n{key}crypto keyring K\n local-address 192.0.2.1\n{key}"
                ),
                vec![6],
            ),
            (format!("crypto keyring J\n local-address 192.0.2.1\n{key}crypto keyring K\n{key}"), vec![]),
            (format!("crypto keyring J\n{key}crypto keyring K\n local-address 192.0.2.1\n{key}"), vec![5]),
        ] {
            assert_eq!(shadowed(&text), lines, "{text}");
        }
    }

    #[test]
    fn a_profile_of_a_vrf_is_not_hidden_by_a_global_one() {
        let profiles = |one: &str, other: &str| {
            let profile = |name: &str, vrf: &str| {
                format!(
                    "crypto isakmp profile {name}\n match identity address 198.51.100.20 255.255.255.255{vrf}\n"
                )
            };
            shadowed(&(profile("A", one) + &profile("B", other)))
        };
        assert_eq!(profiles("", ""), [3]);
        assert_eq!(profiles(" RED", " RED"), [3]);
        assert_eq!(profiles("", " RED"), [0_u32; 0]);
        assert_eq!(profiles(" RED", ""), [0_u32; 0]);
        assert_eq!(profiles(" RED", " BLUE"), [0_u32; 0]);
    }
}
