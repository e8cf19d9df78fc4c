//! Keys that many know: what they permit to each of them, in one sentence each.

use hubward_config::Parsed;
use hubward_config::model::{IdentityMatch, Key, KeyPeer};
use std::collections::BTreeSet;

/// As many lines of keys as are named; of more, only how many they are.
const NAMED: usize = 8;

/// One sentence about pre-shared keys of more than one peer and one about group keys, if there are
/// any.
pub(super) fn shared(parsed: &Parsed) -> Vec<String> {
    let config = &parsed.config;
    let rings = config.keyrings.iter().map(|ring| &ring.keys).chain([&config.default_keys]);
    let is_of_many =
        |key: &&Key| matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() < net.max_prefix_len());
    let many = lines(rings.flatten().filter(is_of_many).map(|key| key.line));
    let groups = lines(group_keys(parsed).into_iter());
    let sentences = [
        many.map(|lines| {
            format!(
                "key of many peers ({lines}): whoever knows it can pose as any branch, and propose any networks where its dynamic map entry has no `match address`; give the branches keys of their own, `show crypto weak` lists those that still use it"
            )
        }),
        groups.map(|lines| {
            format!(
                "group key ({lines}): whoever knows it can pose as the gateway and read users' passwords, and one captured attempt is enough to guess a short one"
            )
        }),
    ];
    sentences.into_iter().flatten().collect()
}

/// The lines of the keys of groups that a profile admits; of a group whose key is not in the
/// configuration, the line of the profile.
pub(crate) fn group_keys(parsed: &Parsed) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for profile in &parsed.config.profiles {
        for matched in &profile.matches {
            let IdentityMatch::Group(name) = matched else { continue };
            let group = parsed.config.groups.iter().find(|group| group.name == *name);
            let group = group.filter(|group| group.key.is_some());
            found.insert(group.and_then(|group| key_of(parsed, group.line)).unwrap_or(profile.line));
        }
    }
    found
}

/// The line of the key in the mode that a line opens; of several, the last counts.
fn key_of(parsed: &Parsed, opener: u32) -> Option<u32> {
    let opener = usize::try_from(opener).ok()?.checked_sub(1)?;
    let lines = parsed.document.lines.iter().enumerate();
    let mut keys = lines.filter(|(_, line)| line.under == Some(opener) && line.spelled.starts_with("key "));
    let (place, _) = keys.next_back()?;
    u32::try_from(place + 1).ok()
}

fn lines(lines: impl Iterator<Item = u32>) -> Option<String> {
    let lines: Vec<_> = lines.map(|line| line.to_string()).collect();
    match &lines[..] {
        [] => None,
        [line] => Some(format!("line {line}")),
        [..] => {
            let named = lines.get(..NAMED).unwrap_or(&lines).join(", ");
            let more = lines.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("lines {named}{more}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        shared(&hubward_config::parse(text))
    }

    #[test]
    fn keys_that_many_know_are_told_in_two_sentences() {
        let told_of_hub = told(include_str!("../../../../examples/hub.cfg"));
        assert_eq!(told_of_hub.len(), 2, "{told_of_hub:?}");
        assert!(
            told_of_hub[0].starts_with("key of many peers (line ")
                && told_of_hub[1].starts_with("group key (line ")
        );
        // the lines of the keys, not those of the profiles that use them
        assert!(told_of_hub[0].contains("(line 25)") && told_of_hub[1].contains("(line 34)"));
        let elsewhere = "crypto isakmp profile P\n match identity group G\n";
        assert!(told(elsewhere)[0].contains("(line 1)"), "its key is not here");
        let group = "crypto isakmp client configuration group G\n pool P\n key secret\n dns 192.0.2.1\n";
        assert!(told(&format!("{elsewhere}{group}"))[0].contains("(line 5)"));
        let key = "crypto isakmp key secret address 192.0.2.2\n";
        assert!(told(key).is_empty());
        let ring = "crypto keyring K\n pre-shared-key address 0.0.0.0 0.0.0.0 key a\n";
        let both = told(&format!("{key}{ring}crypto isakmp key x address 0.0.0.0 0.0.0.0\n"));
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("key of many peers (lines 3, 4)"), "{both:?}");
    }

    /// A key of a network is one of many too; of very many keys, not every line is named.
    #[test]
    fn each_key_that_is_not_of_one_host_counts_and_the_lines_are_bounded() {
        assert!(told("crypto isakmp key x address ipv6 2001:db8::1/128\n").is_empty());
        let network = told("crypto isakmp key x address 10.0.0.0 255.255.255.0\n");
        assert!(network[0].starts_with("key of many peers (line 1)"), "{network:?}");
        let keys: String = (0..100)
            .map(|number| format!("crypto isakmp key x address 10.0.{number}.0 255.255.255.0\n"))
            .collect();
        let told = told(&keys);
        assert!(told[0].contains("(lines 1, 2, 3, 4, 5, 6, 7, 8 and 92 more)"), "{told:?}");
    }
}
