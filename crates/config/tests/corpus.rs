//! Real configurations: every line is kept and accounted for. One trial a file of `HUBWARD_CORPUS`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::difference::differences;
use hubward_config::document::Class;
use hubward_config::edit::{Position, RawEnd, enter};
use hubward_config::parse;
use hubward_config::source::decode;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Heads of lines that must never be left unknown in a file that is a configuration and not a page
/// about one.
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

/// Whether a file is a page about configurations, or a log of a terminal, with other text between
/// the commands.
fn is_page(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    name.contains(".md.") || name.contains("README") || name.contains(".log.")
}

/// Whether a text is, at least in part, the log of a session: `R1#show version`.
fn has_prompts(text: &str) -> bool {
    let is_prompt = |line: &str| {
        let (host, command) = line.split_once('#').unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_()".contains(c);
        !host.is_empty() && host.chars().all(is_name) && command.starts_with(|c: char| c.is_ascii_lowercase())
    };
    text.lines().any(is_prompt)
}

/// Entered line by line in configuration mode, a configuration means the same as in a file; a line
/// that is not a command is refused.
fn type_in(text: &str) -> Result<(), Failed> {
    let unknown: Vec<_> = parse(text)
        .document
        .lines
        .into_iter()
        .filter(|line| matches!(line.class, Class::Unknown | Class::Blank))
        .collect();
    let (mut typed, mut position) = (String::new(), Position::default());
    let mut lines = text.lines().take_while(|line| line.trim() != "end");
    let mut understood = String::new();
    while let Some(line) = lines.next() {
        let mut entry = line.to_string();
        if let Some(end) = RawEnd::of(line.trim()) {
            for raw in lines.by_ref() {
                entry.push('\n');
                entry.push_str(raw);
                if end.is(raw) {
                    break;
                }
            }
        }
        if line.trim() == "exit" {
            position = Position::default();
            understood.push_str(line);
            understood.push('\n');
        } else if let Ok(change) = enter(&typed, &position, &entry) {
            // a router does not keep a line twice
            let again = change.text.is_none() && change.position == position && change.line.is_some();
            position = change.position;
            typed = change.text.unwrap_or(typed);
            if again && understood.lines().any(|known| known.trim() == line.trim()) {
                continue;
            }
        } else if unknown.iter().all(|unknown| unknown.text != line) {
            return Err(format!("refused: {line}").into());
        } else {
            continue;
        }
        understood.push_str(&entry);
        understood.push('\n');
    }
    // items know their lines, which are others now
    let meaning = |text: &str| {
        let shown = format!("{:?}", parse(text).config);
        // `line: 5`, and the line of a map's list: `("EZVPN", 5)`
        let parts = shown.replace("\", ", "line: ");
        let parts = parts.split("line: ").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        parts.collect::<Vec<_>>().join("line: ")
    };
    let (typed, understood) = (meaning(&typed), meaning(&understood));
    match typed.bytes().zip(understood.bytes()).position(|(a, b)| a != b) {
        None if typed.len() == understood.len() => Ok(()),
        place => {
            let from = place.unwrap_or_default().saturating_sub(200);
            let near = |text: &str| text.chars().skip(from).take(300).collect::<String>();
            Err(format!("typed in, it means\n…{}…\nand not\n…{}…", near(&typed), near(&understood)).into())
        }
    }
}

fn read(path: &PathBuf) -> String {
    decode(&std::fs::read(path).unwrap()).unwrap()
}

/// In the place of any other configuration one leaves nothing of it: what is added and taken away
/// is what makes the one of the other, and what is left prints and means what it did.
fn replace(paths: &[PathBuf]) -> Result<(), Failed> {
    type Counted = BTreeMap<(Vec<String>, String), usize>;
    let count = |text: &str| {
        let mut lines: Counted = BTreeMap::new();
        for one in differences("", text) {
            *lines.entry((one.section, one.line)).or_default() += 1;
        }
        lines
    };
    let texts: Vec<_> = paths.iter().map(read).collect();
    let said: Vec<_> = texts.iter().map(|text| count(text)).collect();
    for ((first, before), from) in texts.iter().zip(&said).zip(paths) {
        for ((second, after), to) in texts.iter().zip(&said).zip(paths) {
            let mut lines = before.clone();
            for change in differences(first, second) {
                let line = (change.section, change.line);
                if change.added {
                    *lines.entry(line).or_default() += 1;
                } else {
                    match lines.get_mut(&line) {
                        Some(count @ 2..) => *count -= 1,
                        Some(_) => drop(lines.remove(&line)),
                        None => {
                            let (from, to) = (from.display(), to.display());
                            let why = format!("{from} to {to}: {line:?} is not there to be taken away");
                            return Err(why.into());
                        }
                    }
                }
            }
            if lines != *after {
                return Err(format!("{} does not become {}", from.display(), to.display()).into());
            }
        }
    }
    // what takes the place of another is read as it is: it prints and means the same
    for (text, path) in texts.iter().zip(paths) {
        let parsed = parse(text);
        if parsed.document.print() != *text || parse(&parsed.document.print()) != parsed {
            return Err(format!("{}: what is printed is not what was read", path.display()).into());
        }
    }
    Ok(())
}

fn check(path: &PathBuf) -> Result<(), Failed> {
    let raw = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    for text in [&raw, &read(path)] {
        if parse(text).document.print() != *text {
            return Err("a line was lost or changed".into());
        }
    }
    let parsed = parse(&read(path));
    if is_page(path) {
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
    for path in common::corpus() {
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
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let paths = [common::configurations(&examples), common::corpus()].concat();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = read(path);
        // prompts say which lines of a session's log are output; who types them sees no prompt
        if !(is_page(path) && has_prompts(&text)) {
            trials.push(Trial::test(format!("corpus::typed::{name}"), move || type_in(&text)));
        }
        let path = path.clone();
        trials.push(Trial::test(format!("corpus::{name}"), move || check(&path)));
    }
    trials.push(Trial::test("corpus::replaced", move || replace(&paths)));
    if absent {
        trials.push(Trial::test("corpus (HUBWARD_CORPUS is not set)", || Ok(())).with_ignored_flag(true));
    } else {
        trials.push(Trial::test("corpus::table", table));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
