//! Crypto maps: entries that lack a part, that another one hides, or that ask their peers for what
//! they cannot answer.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::Config;
use std::collections::BTreeSet;

pub(super) fn maps(config: &Config, found: &mut Vec<Diagnostic>) {
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

/// Crypto maps on no interface that is up, and dynamic maps that no crypto map names: they protect
/// nothing.
pub(super) fn unapplied(config: &Config, found: &mut Vec<Diagnostic>) {
    for map in &config.maps {
        let Some(line) = map.entries.first().map(|entry| entry.line) else { continue };
        let name = &map.name;
        let bearers: Vec<_> =
            config.interfaces.iter().filter(|one| one.crypto_map.as_ref() == Some(name)).collect();
        let message = match bearers.first() {
            None => format!("crypto map {name} is on no interface; it protects nothing"),
            Some(first) if bearers.iter().all(|bearer| bearer.shutdown) => {
                format!("crypto map {name} is on {}, which is shut down; it protects nothing", first.name)
            }
            Some(_) => continue,
        };
        let remedy = format!("put `crypto map {name}` on the interface that leads to its peers");
        say(found, Severity::Warning, Code::Unapplied, line, message, remedy);
    }
    let named: BTreeSet<_> =
        config.maps.iter().flat_map(|map| &map.entries).filter_map(|entry| entry.dynamic.as_ref()).collect();
    for map in config.dynamic_maps.iter().filter(|map| !named.contains(&map.name)) {
        let Some(line) = map.entries.first().map(|entry| entry.line) else { continue };
        let message = format!("dynamic map {} is in no crypto map; it serves nobody", map.name);
        let remedy =
            format!("name it in a crypto map: crypto map NAME 65000 ipsec-isakmp dynamic {}", map.name);
        say(found, Severity::Warning, Code::Unapplied, line, message, remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    #[test]
    fn a_crypto_map_on_no_interface_is_told() {
        let map = "crypto map M 10 ipsec-isakmp\n set peer 198.51.100.20\n";
        let dynamic = "crypto dynamic-map D 10\n set transform-set T\n";
        for (text, wanted) in [
            (map.to_string(), Some("crypto map M is on no interface")),
            (format!("{map}interface FastEthernet0/0\n crypto map M\n"), None),
            (
                format!("{map}interface FastEthernet0/0\n crypto map MM\n"),
                Some("crypto map M is on no interface"),
            ),
            (
                format!("{map}interface FastEthernet0/0\n crypto map M\n shutdown\n"),
                Some("which is shut down"),
            ),
            (
                format!(
                    "{map}interface FastEthernet0/0\n crypto map M\n shutdown\ninterface Dialer1\n crypto map M\n"
                ),
                None,
            ),
            (dynamic.to_string(), Some("dynamic map D is in no crypto map")),
            (
                format!(
                    "{dynamic}crypto map M 9 ipsec-isakmp dynamic D\ninterface FastEthernet0/0\n crypto map M\n"
                ),
                None,
            ),
        ] {
            let told = crate::parse(&text).diagnostics;
            let told: Vec<_> = told.into_iter().filter(|told| told.code == Code::Unapplied).collect();
            assert_eq!(told.len(), usize::from(wanted.is_some()), "{text}: {told:?}");
            assert!(
                told.iter().all(|told| told.message.contains(wanted.unwrap_or_default())),
                "{text}: {told:?}"
            );
        }
    }
}
