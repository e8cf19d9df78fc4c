//! Keys that many know: what they permit to each of them, in one sentence each.

use hubward_config::model::{Config, IdentityMatch, Key, KeyPeer};

/// One sentence about wildcard keys and one about group keys, if there are any.
pub(super) fn shared(config: &Config) -> Vec<String> {
    let rings = config.keyrings.iter().map(|ring| &ring.keys).chain([&config.default_keys]);
    let is_wildcard = |key: &&Key| matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == 0);
    let wildcards = lines(rings.flatten().filter(is_wildcard).map(|key| key.line));
    let by_group = |matched: &IdentityMatch| matches!(matched, IdentityMatch::Group(_));
    let profiles = config.profiles.iter().filter(|profile| profile.matches.iter().any(by_group));
    let groups = lines(profiles.map(|profile| profile.line));
    let sentences = [
        wildcards.map(|lines| {
            format!(
                "wildcard key ({lines}): whoever knows it can be any branch; give the branches keys of their own, `show crypto weak` lists those that still use it"
            )
        }),
        groups.map(|lines| {
            format!(
                "group key ({lines}): whoever knows it can play the gateway and read users' passwords, and one captured attempt is enough to guess a short one"
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
        [..] => Some(format!("lines {}", lines.join(", "))),
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
            told_of_hub[0].starts_with("wildcard key (line ")
                && told_of_hub[1].starts_with("group key (line ")
        );
        let key = "crypto isakmp key secret address 192.0.2.2\n";
        assert!(told(key).is_empty());
        let ring = "crypto keyring K\n pre-shared-key address 0.0.0.0 0.0.0.0 key a\n";
        let both = told(&format!("{key}{ring}crypto isakmp key x address 0.0.0.0 0.0.0.0\n"));
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("wildcard key (lines 3, 4)"), "{both:?}");
    }
}
