//! Texts that are compared with files in the repository. `HUBWARD_BLESS=1` writes the files again:
//! review the difference.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

/// At most so many differences are printed.
const SHOWN: usize = 20;

/// Compares lines with those of `tests/<file>`.
pub fn compare(file: &str, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let made: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    if std::env::var_os("HUBWARD_BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept == made {
        return;
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (kept.lines().collect(), lines.iter().map(String::as_str).collect());
    let gone = before.difference(&after).take(SHOWN).map(|line| format!("- {line}"));
    let new = after.difference(&before).take(SHOWN).map(|line| format!("+ {line}"));
    let shown: Vec<_> = gone.chain(new).collect();
    panic!(
        "{} differs:\n{}\n`HUBWARD_BLESS=1` with this test writes the file again; review the difference",
        path.display(),
        shown.join("\n")
    );
}
