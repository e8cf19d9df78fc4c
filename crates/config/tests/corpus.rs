//! Real configurations: every line is kept and accounted for. One trial a file of `HUBWARD_CORPUS`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::difference::differences;
use hubward_config::document::Class;
use hubward_config::edit::{Position, RawEnd, enter};
use hubward_config::model::Route;
use hubward_config::parse;
use hubward_config::source::decode;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::{BTreeMap, BTreeSet};
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

/// What was typed behind a prompt in a session's log (`R1#`, `R1>`, `R1(config-if)#`), after the mode
/// of configuration that it shows.
fn prompted(line: &str) -> Option<(Option<&str>, &str)> {
    let name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let (before, typed) = line.trim_start().split_once(['#', '>'])?;
    let typed_starts = typed.trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '^');
    let (mode, host) = match before.split_once('(') {
        Some((host, mode)) => (Some(mode.strip_suffix(')').filter(|mode| name(mode))?), host),
        None => (None, before),
    };
    (name(host) && (typed_starts || mode.is_some())).then_some((mode, typed.trim_start()))
}

/// Who types at a console, as a session of Hubward answers: `exit` leaves one mode, `end` all of
/// them, and no line under a refused one goes elsewhere.
#[derive(Default)]
struct Console {
    running: String,
    /// Of configuration mode; `None` at the exec prompt.
    position: Option<Position>,
    /// What was typed of a text whose end has not come yet.
    raw: Option<(RawEnd, String)>,
}

impl Console {
    /// Types a line; an error is that it is refused.
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some((end, mut text)) = self.raw.take() {
            text.push('\n');
            text.push_str(line);
            if !end.is(line) {
                self.raw = Some((end, text));
                return Ok(());
            }
            return self.enter(&text);
        }
        let word = line.trim().to_ascii_lowercase();
        let Some(position) = &mut self.position else {
            let mut words = word.split(' ');
            if words.next().is_some_and(|first| first.starts_with("conf")) && words.count() <= 1 {
                self.position = Some(Position::default());
            }
            return Ok(());
        };
        match word.as_str() {
            "end" | "^z" => self.position = None,
            "exit" if position.is_global() => self.position = None,
            "exit" => position.leave(),
            _ if word.starts_with("do ") => {}
            _ => match RawEnd::of(line.trim()) {
                Some(end) => self.raw = Some((end, line.to_string())),
                None => return self.enter(line),
            },
        }
        Ok(())
    }

    fn enter(&mut self, entry: &str) -> Result<(), String> {
        let position = self.position.take().unwrap_or_default();
        if let Some(why) = position.belongs_to_refused(entry) {
            self.position = Some(position);
            return Err(why);
        }
        if let Some(why) = position.rebuilds_refused(entry) {
            self.position = Some(position.after_refused(entry));
            return Err(why);
        }
        match enter(&self.running, &position, entry) {
            Ok(change) => {
                self.running = change.text.unwrap_or_else(|| std::mem::take(&mut self.running));
                self.position = Some(change.position);
                Ok(())
            }
            Err(wrong) => {
                self.position = Some(position.after_refused(entry));
                Err(format!("{wrong:?}"))
            }
        }
    }
}

/// What a configuration means, whichever lines of the file it is in.
fn meaning(text: &str) -> String {
    let mut config = parse(text).config;
    // IOS shows routes and lists in an order of its own; which was entered first means nothing
    config.routes.sort_by_cached_key(|route| format!("{:?}", Route { line: 0, ..route.clone() }));
    config.acls.sort_by(|one, other| one.name.cmp(&other.name));
    let shown = format!("{config:#?}");
    // `line: 5`, and the line of a map's list: `("EZVPN", 5)`
    let is_number = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        !line.is_empty() && line.chars().all(|c| c.is_ascii_digit())
    };
    let (mut out, mut before) = (String::new(), "");
    for line in shown.lines() {
        let of_a_list = is_number(line) && before.trim().starts_with('"');
        if !of_a_list && !line.trim().starts_with("line: ") {
            out.push_str(line);
            out.push('\n');
        }
        before = line;
    }
    out
}

/// Typed at a console line by line, a file means what it means when it is loaded.
fn type_in(text: &str) -> Result<(), Failed> {
    let loaded = parse(text);
    let is_log = text.lines().any(|line| prompted(line).is_some());
    let mut console = Console { position: Some(Position::default()), ..Console::default() };
    let mut refused = BTreeSet::new();
    for (index, line) in loaded.document.lines.iter().enumerate() {
        let whole = line.text.as_str();
        let typed = match prompted(whole).filter(|_| console.raw.is_none()) {
            Some((mode, typed)) => {
                // the prompt says where who typed this was
                match (mode, console.position.is_some()) {
                    (Some("config"), _) => console.position = Some(Position::default()),
                    (Some(_), false) => console.line("configure terminal")?,
                    (None, true) => console.line("end")?,
                    _ => {}
                }
                typed
            }
            // what a command printed is not typed, nor is what a terminal shows around it
            None if is_log && line.class == Class::Blank => continue,
            None => whole,
        };
        // an `exit` too many leaves configuration mode, as the prompt shows
        if console.position.is_none() && line.class != Class::Blank {
            console.line("configure terminal")?;
        }
        if let Err(why) = console.line(typed) {
            // IOS refuses them as well: what is no command, commands of exec mode, and those of
            // a mode that is not open
            let is_astray = loaded.diagnostics.iter().any(|told| {
                usize::try_from(told.line) == Ok(index + 1)
                    && told.message.contains("is not in the mode of such lines")
            });
            // what a command without effect printed in a log, read as lines under it
            let is_printed = || {
                let under = line.under.and_then(|under| loaded.document.lines.get(under));
                is_log && typed == whole && under.is_some_and(|under| under.class != Class::Implemented)
            };
            // a page shows several routers, and one refuses what another has
            let of_another = [" overlaps with ", "similar static entry", "(it's this router)"];
            if of_another.iter().any(|words| why.contains(words)) {
                refused.insert(index);
                continue;
            }
            let is_none = matches!(line.class, Class::Unknown | Class::Blank);
            if !(is_none || is_astray || is_printed()) {
                return Err(format!("line {} is refused: {whole}: {why}", index + 1).into());
            }
        }
    }
    let without: Vec<&str> = text
        .lines()
        .enumerate()
        .map(|(index, line)| if refused.contains(&index) { "" } else { line })
        .collect();
    let (typed, loaded) = (meaning(&console.running), meaning(&without.join("\n")));
    let (typed, loaded): (Vec<_>, Vec<_>) = (typed.lines().collect(), loaded.lines().collect());
    let Some(place) =
        (0..typed.len().max(loaded.len())).find(|place| typed.get(*place) != loaded.get(*place))
    else {
        return Ok(());
    };
    let near = |lines: &[&str]| {
        lines.iter().skip(place.saturating_sub(12)).take(24).copied().collect::<Vec<_>>().join("\n")
    };
    Err(format!("typed in, it means\n…{}…\nand not\n…{}…", near(&typed), near(&loaded)).into())
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
        trials.push(Trial::test(format!("corpus::typed::{name}"), move || type_in(&text)));
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
