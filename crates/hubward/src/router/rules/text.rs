//! Chains as text.

use hubward_linux::marks::{CAPTURE_MASK, CLEAR_MARK};
use std::fmt::Write as _;

/// A chain that others jump to.
pub(super) fn chain(name: &str, rules: &[String]) -> String {
    with_head(name, None, rules)
}

/// A chain that the kernel asks.
pub(super) fn base(name: &str, head: &str, rules: &[String]) -> String {
    with_head(name, Some(head), rules)
}

fn with_head(name: &str, head: Option<&str>, rules: &[String]) -> String {
    let mut text = format!("  chain {name} {{\n");
    for rule in head.into_iter().chain(rules.iter().map(String::as_str)) {
        let _never = writeln!(text, "    {rule}");
    }
    text.push_str("  }\n");
    text
}

/// The test for packets of Hubward's own sockets with this mark. The bits above are other programs'.
pub(super) fn marked(mark: u32) -> String {
    format!("meta mark & {:#x} == {mark:#x}", CLEAR_MARK | CAPTURE_MASK)
}
