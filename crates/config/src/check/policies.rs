//! ISAKMP policies and transform sets: weak ones, and those that no peer can match.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Class;
use crate::model::{Config, Encryption, EspCipher, Hash, IsakmpPolicy};
use crate::parsed::Parsed;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn weak(config: &Config, found: &mut Vec<Diagnostic>) {
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

/// The numbers of the policies that say how they authenticate.
fn authenticating(parsed: &Parsed) -> BTreeSet<&str> {
    let lines = &parsed.document.lines;
    let said =
        lines.iter().filter(|line| line.class != Class::Blank && line.spelled.starts_with("authentication "));
    let heads = said.filter_map(|line| lines.get(line.under?));
    heads.filter_map(|head| head.spelled.strip_prefix("crypto isakmp policy ")).collect()
}

/// What a policy asks of a peer: two that ask the same are one.
fn asked(policy: &IsakmpPolicy) -> String {
    format!("{:?} {:?} {:?} {:?}", policy.encryption, policy.hash, policy.authentication, policy.group)
}

/// Policies that no peer can use: without a line that says how, a policy authenticates by RSA
/// signatures, and of two that ask the same only the first is chosen.
pub(super) fn unusable(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let said = authenticating(parsed);
    let mut known: BTreeMap<String, &IsakmpPolicy> = BTreeMap::new();
    let mut policies: Vec<_> = parsed.config.policies.iter().collect();
    policies.sort_by_key(|policy| policy.priority);
    for policy in policies {
        let number = policy.priority;
        if !said.contains(number.to_string().as_str()) {
            let message = format!(
                "ISAKMP policy {number} does not say `authentication`, so it is rsa-sig: no peer with a pre-shared key can match it"
            );
            let remedy = "put `authentication pre-share` into the policy";
            say(found, Severity::Warning, Code::Unusable, policy.line, message, remedy);
        }
        let first = *known.entry(asked(policy)).or_insert(policy);
        if first.priority != number {
            let message = format!(
                "ISAKMP policy {number} is never chosen: policy {} asks for the same and comes before it",
                first.priority
            );
            say(found, Severity::Notice, Code::Unusable, policy.line, message, "remove one of the two");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    #[test]
    fn a_policy_that_no_peer_can_match_is_told() {
        let psk = " authentication pre-share\n";
        for (text, lines) in [
            ("crypto isakmp policy 10\n encr aes\n group 14\n".to_string(), vec![1]),
            (format!("crypto isakmp policy 10\n encr aes\n group 14\n{psk}"), vec![]),
            (format!("crypto isakmp policy 10\n encr aes\n no{psk}"), vec![1]),
            ("crypto isakmp policy 10\n authentication rsa-sig\n".to_string(), vec![]),
            (format!("crypto isakmp policy 10\n{psk}crypto isakmp policy 20\n{psk} lifetime 300\n"), vec![3]),
            (format!("crypto isakmp policy 20\n{psk}crypto isakmp policy 10\n{psk}"), vec![1]),
            (format!("crypto isakmp policy 10\n{psk}crypto isakmp policy 20\n{psk} hash md5\n"), vec![]),
        ] {
            let told = crate::parse(&text).diagnostics;
            let told = told.into_iter().filter(|told| told.code == Code::Unusable);
            assert_eq!(told.map(|told| told.line).collect::<Vec<_>>(), lines, "{text}");
        }
    }
}
