//! The command reference, `docs/commands.md`, generated from the tables. `HUBWARD_BLESS=1`
//! regenerates it: review the difference.

mod does;

use super::fixtures::difference;
use super::table::{ROWS, Run};
use does::{CONFIGURATION as CONFIGURES, EXEC as DOES};
use hubward_config::reference::{Command, Effect, Mode, No, form_words, reference};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Commands

This file is generated from the program's own tables (`HUBWARD_BLESS=1 cargo test -p hubward exec::reference`), and a test fails
if it differs from them.

A word stands for itself and may be abbreviated as long as it is unambiguous. `[a|b]` is optional, `{a|b}` is a choice, and
whatever is followed by `...` may be repeated. `<name>` is one word, `<1-100:name>` a number, `<A.B.C.D:name>` an address or a
mask, `</nn:name>` the length of a prefix, `<HOST:name>` the name of a host, `<LINE:name>` the rest of the line. Keywords are not
case-sensitive. In the shell, `?` lists what may come next and Tab completes a word.
";

const EXEC: &str = "\
`hubward console` and a login by SSH accept these; `hubward exec` accepts those that need no session (not `terminal length`,
`enable`, `configure terminal` and the like: enter lines of the configuration at the console). *Level* is the lowest privilege
level that may run the command; below it, the command does not exist. The console and `hubward exec` have level 15. *JSON* says
whether `| json` after the command prints its rows as JSON ([show-json.md](show-json.md)).

After every command that prints, `| include`, `| exclude`, `| begin`, `| section` (also `section include`, `section exclude`) and
`| count` with an IOS regular expression select lines.
";

const CONFIGURATION: &str = "\
A line in the configuration file means the same as that line entered after `configure terminal`. Everywhere, `no` before a line
negates a setting, and `default` restores what applies without a line; `do COMMAND` runs a command of exec mode, `exit` leaves a
mode, and `end` or Ctrl-Z leaves configuration mode. `hubward check FILE` reports the effect of every line of a file.

Every line is kept in the running configuration, and each has one of these effects:

- *Works*: does what it does on IOS.
- *Needs nothing*: what it specifies holds anyway.
- *Has no effect*: with the reason why none is needed. `hubward check` reports it as a notice.
- *Is not implemented*: something will differ. A warning.
- *Changes forwarding and is not implemented*: packets take another path, or leave with fewer changes, than on the router. A
  warning, reported first at startup.
- *Restricts access or translates and is not enforced*: an error. The gateway does not start, and the line is refused at the
  console, unless it was started with `--allow-unenforced` for its kind or for this line, which states that you enforce it
  elsewhere.
";

/// A form as it is read, not as it is compiled.
fn readable(form: &str) -> String {
    form.replace("<IF:interface> [<UNIT:unit>]", "<interface>").replace("<IF:", "<")
}

/// A command's keywords, up to the first that is optional or a choice.
fn name(form: &str) -> String {
    let named = form.split(' ').take_while(|word| !word.starts_with(['[', '{']));
    named.filter(|word| !word.starts_with('<')).collect::<Vec<_>>().join(" ")
}

/// What a configuration command does.
fn configures(mode: &Mode, form: &str) -> Option<&'static str> {
    let (_, commands) = CONFIGURES.iter().find(|(title, _)| *title == mode.title)?;
    commands.iter().find(|(known, _)| *known == name(form)).map(|(_, does)| *does)
}

/// The name that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' => Some(c),
            _ => None,
        })
        .collect()
}

/// A heading, its level, and the text below it.
struct Chapter {
    level: usize,
    heading: String,
    text: String,
}

fn chapter(level: usize, heading: &str, text: String) -> Chapter {
    Chapter { level, heading: heading.to_string(), text }
}

/// Every exec command: its form, its level, and whether it has JSON.
fn exec_commands() -> Vec<(&'static str, u8, bool)> {
    let rows = ROWS.iter().map(|row| (row.form, row.privilege, matches!(row.run, Run::Show(_))));
    let own = crate::shell::forms::reference().map(|(form, level)| (form, level, false));
    let mut all: Vec<_> = rows.chain(own).collect();
    all.sort_by_key(|(form, ..)| name(form));
    all
}

fn exec_chapters() -> Vec<Chapter> {
    let all = exec_commands();
    let mut chapters = vec![chapter(2, "Exec commands", EXEC.to_string())];
    for (heading, is) in [
        ("The session", (|form| session(form)) as fn(&str) -> bool),
        ("show and why", |form| form.starts_with("show") || form.starts_with("why")),
        ("clear", |form| form.starts_with("clear")),
        ("debug", debugs),
        ("Configuration and operation", |form| {
            !(session(form)
                || debugs(form)
                || ["show", "why", "clear"].iter().any(|word| form.starts_with(word)))
        }),
    ] {
        let mut text = String::from("| Command | Level | JSON | |\n|---|---|---|---|\n");
        for (form, level, json) in all.iter().filter(|(form, ..)| is(form)) {
            let does = DOES.iter().find(|(known, _)| *known == name(form)).map_or("", |(_, does)| does);
            let form = readable(form).replace('|', "\\|");
            let json = if *json { "yes" } else { "" };
            let _ = writeln!(text, "| `{form}` | {level} | {json} | {does} |");
        }
        chapters.push(chapter(3, heading, text));
    }
    chapters
}

fn session(form: &str) -> bool {
    let first = form.split(' ').next().unwrap_or_default();
    ["terminal", "enable", "disable", "exit", "logout", "quit"].contains(&first) || form == "show history"
}

fn debugs(form: &str) -> bool {
    form.starts_with("debug") || form.starts_with("undebug") || form.starts_with("no debug")
}

fn configuration_chapters(modes: &[Mode]) -> Vec<Chapter> {
    let mut chapters = vec![chapter(2, "Configuration commands", CONFIGURATION.to_string())];
    for mode in modes {
        let mut text = format!("Prompt `({})#`, entered by `{}`.\n", mode.prompt, mode.entered_by);
        let of = |is: fn(&Effect) -> bool| mode.commands.iter().filter(move |command| is(&command.effect));
        let works: Vec<_> = of(|effect| *effect == Effect::Implemented).collect();
        if !works.is_empty() {
            text.push_str("\n**Works**\n\n");
            for command in works {
                let does = configures(mode, &command.form).unwrap_or_default();
                let no = match command.no {
                    No::TakesAway => "",
                    No::IsASetting => {
                        " `no` is a setting of its own; `default` restores what applies without a line."
                    }
                    No::DefaultEmpties => " `default` empties it.",
                };
                let _ = writeln!(text, "- `{}`  \n  {does}{no}", readable(&command.form));
            }
        }
        for (title, is) in [
            (
                "Restricts access and is not enforced",
                (|effect| matches!(effect, Effect::Unenforced(_))) as fn(&Effect) -> bool,
            ),
            ("Changes forwarding and is not implemented", |effect| matches!(effect, Effect::Forwarding(_))),
            ("Is not implemented", |effect| matches!(effect, Effect::Unsupported(_))),
            ("Has no effect", |effect| matches!(effect, Effect::Inert(_))),
            ("Needs nothing", |effect| *effect == Effect::NoOp),
        ] {
            text.push_str(&fated(title, of(is)));
        }
        chapters.push(chapter(3, mode.title, text));
    }
    chapters
}

/// Commands that have no effect of their own, those of a reason together.
fn fated<'a>(title: &str, commands: impl Iterator<Item = &'a Command>) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for command in commands {
        let reason = match command.effect {
            Effect::Implemented | Effect::NoOp => "",
            Effect::Inert(reason)
            | Effect::Unsupported(reason)
            | Effect::Unenforced(reason)
            | Effect::Forwarding(reason) => reason,
        };
        let behind = if command.opens { " (and its mode)" } else { "" };
        let form = format!("`{}`{behind}", readable(&command.form));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, forms)) => forms.push(form),
            None => reasons.push((reason, vec![form])),
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let mut text = format!("\n**{title}**\n\n");
    for (reason, mut forms) in reasons {
        forms.sort();
        let forms = forms.join(", ");
        let _ = match reason {
            "" => writeln!(text, "- {forms}"),
            _ => writeln!(text, "- {forms}: {reason}"),
        };
    }
    text
}

/// Every keyword and argument of the commands that work, and what it means.
fn words(modes: &[Mode]) -> Chapter {
    let mut all: BTreeMap<String, &'static str> = BTreeMap::new();
    let exec = exec_commands().into_iter().flat_map(|(form, ..)| form_words(form));
    let configuration =
        modes.iter().flat_map(|mode| &mode.commands).flat_map(|command| command.words.clone());
    for choice in exec.chain(configuration).filter(|choice| !choice.help.is_empty()) {
        all.insert(choice.token, choice.help);
    }
    let mut text =
        String::from("What `?` says of the words of the commands that work.\n\n| Word | |\n|---|---|\n");
    for (word, help) in all {
        let _ = writeln!(text, "| `{word}` | {help} |");
    }
    chapter(2, "Words", text)
}

fn made() -> String {
    let modes = reference();
    let mut chapters = exec_chapters();
    chapters.extend(configuration_chapters(&modes));
    chapters.push(words(&modes));
    let mut out = format!("{HEAD}\n");
    for Chapter { level, heading, .. } in &chapters {
        let _ = writeln!(out, "{}- [{heading}](#{})", "  ".repeat(level - 2), anchor(heading));
    }
    for Chapter { level, heading, text } in &chapters {
        let _ = write!(out, "\n{} {heading}\n\n{text}", "#".repeat(*level));
    }
    out
}

#[test]
fn the_command_reference_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let made = made();
    if std::env::var_os("HUBWARD_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/commands.md is not what the tables say; {}\n`HUBWARD_BLESS=1 cargo test -p hubward --lib \
         exec::reference` writes it; review the difference",
        difference(&kept, &made)
    );
}

#[test]
fn every_exec_command_is_described_once() {
    let names: BTreeSet<String> = exec_commands().iter().map(|(form, ..)| name(form)).collect();
    let described: Vec<_> = DOES.iter().map(|(known, _)| (*known).to_string()).collect();
    let known: BTreeSet<String> = described.iter().cloned().collect();
    let missing: Vec<_> = names.difference(&known).collect();
    let needless: Vec<_> = known.difference(&names).collect();
    assert!(
        missing.is_empty() && needless.is_empty(),
        "crates/hubward/src/exec/reference/does.rs, EXEC: no sentence for {missing:?}; no command for \
         {needless:?}"
    );
    let place = described.iter().zip(&names).find(|(is, should)| is != should);
    assert!(
        described.len() == names.len() && place.is_none(),
        "crates/hubward/src/exec/reference/does.rs, EXEC: each command once, sorted: (is, should be) {place:?}"
    );
}

#[test]
fn every_configuration_command_that_works_is_described_once() {
    let mut all = Vec::new();
    for mode in reference() {
        let works = mode.commands.iter().filter(|command| command.effect == Effect::Implemented);
        let names: BTreeSet<String> = works.map(|command| name(&command.form)).collect();
        all.extend(names.into_iter().map(|name| (mode.title, name)));
    }
    let described = CONFIGURES
        .iter()
        .flat_map(|(title, commands)| commands.iter().map(|(name, _)| (*title, (*name).to_string())));
    assert_eq!(described.collect::<Vec<_>>(), all);
}

/// Two headings of one name would have one link.
#[test]
fn every_heading_has_its_own_link() {
    let modes = reference();
    let headings: Vec<_> = exec_chapters()
        .into_iter()
        .chain(configuration_chapters(&modes))
        .map(|c| anchor(&c.heading))
        .collect();
    let different: BTreeSet<_> = headings.iter().collect();
    assert_eq!(different.len(), headings.len());
}
