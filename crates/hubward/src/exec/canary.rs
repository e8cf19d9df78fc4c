//! Secrets that nothing but the text of the configuration may show: every `show` command, in both
//! layouts and as JSON, is searched for them.

use super::fixtures::{answer, json_of, new_hub, text_of};
use super::golden::plain;
use crate::base::format::Format;
use crate::manage::desk::PRIVILEGED;
use crate::views::snapshot::Snapshot;
use std::sync::Arc;

/// Each has a place where a router has a secret.
const CANARIES: [&str; 6] = [
    "Zq9xWildcardKey41",
    "Yw8vGroupKeyOfAll52",
    "Xv7uPasswordOfUser63",
    "Wu6tEnableSecret74",
    "Vt5sAdminPassword85",
    "Us4rKeyOfOneBranch96",
];

/// Commands whose output is configuration.
const OF_THE_CONFIGURATION: [&str; 5] = [
    "show archive config differences",
    "show crypto isakmp key",
    "show running-config",
    "show startup-config",
    "write terminal",
];

fn hub() -> Snapshot {
    let [wildcard, group, user, enable, admin, branch] = CANARIES;
    let text = include_str!("../../../../examples/hub.cfg")
        .replace("cisco123", wildcard)
        .replace("cisco321", group)
        .replace("password 7 0201024E070A0E2649", &format!("password 0 {user}"));
    let more = format!(
        "enable secret 0 {enable}\nusername admin privilege 15 secret 0 {admin}\n\
         crypto isakmp key {branch} address 192.0.2.77\n"
    );
    let mut hub = new_hub();
    hub.parsed = Arc::new(hubward_config::parse(&format!("{more}{text}")));
    hub
}

/// The forms in which a text may be spelled.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let mut all = vec![secret.to_string(), hex.to_uppercase(), hex, list.join(", "), list.join(",")];
    // without the salt, which is chosen anew
    let salts = 0..=15;
    all.extend(salts.map(|salt| hubward_crypto::password::encode_type7(secret, salt)));
    all
}

#[test]
fn no_output_but_the_configuration_has_a_secret() {
    let hub = Arc::new(hub());
    for secret in CANARIES {
        let mut lines = hub.parsed.document.lines.iter();
        assert!(lines.any(|line| line.text.contains(secret)), "{secret} is in the configuration");
    }
    for child in hub.flows.iter().flat_map(|flow| &flow.pairs) {
        assert!(!child.view.sa.inbound.keymat.is_empty(), "an SA has keys");
    }
    let keys: Vec<Vec<u8>> = hub
        .flows
        .iter()
        .flat_map(|flow| &flow.pairs)
        .flat_map(|pair| [&pair.view.sa.inbound, &pair.view.sa.outbound])
        .map(|half| half.keymat.expose().to_vec())
        .collect();
    for command in plain() {
        if OF_THE_CONFIGURATION.iter().any(|known| command.starts_with(known)) {
            continue;
        }
        let Ok(shown) = answer(command, Arc::clone(&hub), PRIVILEGED) else { continue };
        let outputs =
            [text_of(&*shown, Format::Modern), text_of(&*shown, Format::Classic), json_of(&*shown, command)];
        for output in outputs {
            for secret in CANARIES {
                for spelling in spellings(secret) {
                    assert!(!output.contains(&spelling), "`{command}` shows {spelling}: {output}");
                }
            }
            for key in &keys {
                let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(!output.to_lowercase().contains(&hex), "`{command}` shows a key of an SA");
            }
        }
    }
}
