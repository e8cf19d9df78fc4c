//! Keys that many know: what they permit to each of them, in one sentence each.

use hubward_config::model::{Config, IdentityMatch, Key, KeyPeer};

/// As many lines of keys as are named; of more, only how many they are.
const NAMED: usize = 8;

/// One sentence about pre-shared keys of more than one peer and one about group keys, if there are
/// any.
pub(super) fn shared(config: &Config) -> Vec<String> {
    let rings = config.keyrings.iter().map(|ring| &ring.keys).chain([&config.default_keys]);
    let is_of_many =
        |key: &&Key| matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() < net.max_prefix_len());
    let many = lines(rings.flatten().filter(is_of_many).map(|key| key.line));
    let by_group = |matched: &IdentityMatch| matches!(matched, IdentityMatch::Group(_));
    let profiles = config.profiles.iter().filter(|profile| profile.matches.iter().any(by_group));
    let groups = lines(profiles.map(|profile| profile.line));
    let sentences = [
        many.map(|lines| {
            format!(
                "key of many peers ({lines}): whoever knows it can pose as any branch; give the branches keys of their own, `show crypto weak` lists those that still use it"
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
        shared(&hubward_config::parse(text).config)
    }

    #[test]
    fn keys_that_many_know_are_told_in_two_sentences() {
        let told_of_hub = told(include_str!("../../../../examples/hub.cfg"));
        assert_eq!(told_of_hub.len(), 2, "{told_of_hub:?}");
        assert!(
            told_of_hub[0].starts_with("key of many peers (line ")
                && told_of_hub[1].starts_with("group key (line ")
        );
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
