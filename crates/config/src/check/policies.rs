//! ISAKMP policies and transform sets: weak ones, and those that no peer can match.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::Config;

pub(super) fn weak(config: &Config, found: &mut Vec<Diagnostic>) {
    for policy in &config.policies {
        let mut spots = Vec::new();
        if policy.encryption.0 != "aes" {
            spots.push(policy.encryption.0.to_uppercase());
        }
        if policy.hash == "md5" {
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
        let cipher = set.cipher.as_ref().map(|(name, _)| name.as_str());
        if matches!(cipher, Some("des" | "3des")) || set.auth.as_deref() == Some("md5") {
            let message = format!("transform set {} is weak by today's standards", set.name);
            let remedy =
                "when the peers support it, add a set with esp-aes and esp-sha256-hmac before this one";
            say(found, Severity::Notice, Code::Weak, set.line, message, remedy);
        }
    }
}
