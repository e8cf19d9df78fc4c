//! Crypto maps: entries that lack a part, that another one hides, or that ask their peers for what
//! they cannot answer.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::Config;

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
