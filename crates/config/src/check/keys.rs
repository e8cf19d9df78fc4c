//! Pre-shared keys, and the profiles that choose among them.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Config, IdentityMatch, Key, KeyPeer};

fn wildcard(key: &Key) -> bool {
    matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == 0)
}

pub(super) fn keys(config: &Config, found: &mut Vec<Diagnostic>) {
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

pub(super) fn profiles(config: &Config, found: &mut Vec<Diagnostic>) {
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
