//! Real configurations: every line is kept and accounted for. One trial a file of `HUBWARD_CORPUS`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::document::Class;
use hubward_config::parse;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Heads of lines that must never be left unknown in a file that is a configuration and not a page about one.
const KNOWN: [&str; 8] = [
    "crypto ",
    "aaa ",
    "ip local pool",
    "access-list ",
    "ip route ",
    "ip address ",
    "pre-shared-key",
    "set ",
];

fn files() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("HUBWARD_CORPUS") else { return Vec::new() };
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "txt" || extension == "cfg") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "HUBWARD_CORPUS holds no configuration");
    found
}

fn check(path: &PathBuf) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let parsed = parse(&text);
    if parsed.document.print() != text {
        return Err("a line was lost or changed".into());
    }
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name.contains(".md.") || name.contains("README") || name.contains(".log.") {
        return Ok(());
    }
    for (index, line) in parsed.document.lines.iter().enumerate() {
        let trimmed = line.text.trim().trim_start_matches("no ");
        if line.class == Class::Unknown && KNOWN.iter().any(|head| trimmed.starts_with(head)) {
            return Err(format!("line {}: left unknown: {}", index + 1, line.text).into());
        }
    }
    Ok(())
}

fn table() -> Result<(), Failed> {
    let mut classes: BTreeMap<Class, usize> = BTreeMap::new();
    let mut heads: BTreeMap<String, usize> = BTreeMap::new();
    for path in files() {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        for line in parse(&text).document.lines {
            *classes.entry(line.class).or_default() += 1;
            if matches!(line.class, Class::Unsupported | Class::Unknown) {
                let head: Vec<_> = line.text.split_whitespace().take(2).collect();
                *heads.entry(head.join(" ")).or_default() += 1;
            }
        }
    }
    println!("lines per class: {classes:?}");
    let mut heads: Vec<_> = heads.into_iter().collect();
    heads.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    println!("commonest commands without effect:");
    for (head, count) in heads.iter().take(25) {
        println!("{count:6}  {head}");
    }
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let absent = std::env::var_os("HUBWARD_CORPUS").is_none();
    let mut trials = Vec::new();
    if absent {
        trials.push(Trial::test("corpus (HUBWARD_CORPUS is not set)", || Ok(())).with_ignored_flag(true));
    } else {
        for path in files() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("corpus::{name}"), move || check(&path)));
        }
        trials.push(Trial::test("corpus::table", table));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
