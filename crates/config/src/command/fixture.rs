//! A command that no router has: what a new one costs, and what follows for it without a word more.
//! Its row is in the tables of the tests only.

use super::mode::In;
use super::row::{Fold, Row, fold};
use crate::diagnostic::Code;
use crate::edit::{Position, Wrong, enter};
use crate::form::Problem;
use crate::given::Given;
use crate::help::{configuration_choices, configuration_complete};
use crate::reference::{Effect, reference};
use crate::{parse, spell_out};

pub(super) const ROWS: &[Row] =
    &[fold(In::Global, "beacon <name>", "= every <1-60:seconds> [to <A.B.C.D:server>]", beacon)];

fn beacon(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (name, seconds) = (given.word("name"), given.number::<u8>("seconds"));
    let server = given.address("server");
    fold.config.domain_name = fold.unless_no(Some(format!("{name:?} {seconds:?} {server:?}")));
    Ok(())
}

const LINE: &str = "beacon north every 5 to 10.0.0.1";

#[test]
fn a_command_is_one_row_and_one_fold() {
    let fold = include_str!("fixture.rs").split("\n\n").find(|part| part.starts_with("fn beacon")).unwrap();
    assert!(fold.lines().count() <= 10, "{fold}");
    let config = parse(LINE).config;
    assert_eq!(config.domain_name.as_deref(), Some("Some(\"north\") Some(5) Some(10.0.0.1)"));
}

#[test]
fn no_default_and_spelling_follow() {
    assert_eq!(spell_out("no beac north ev 5"), "no beacon north every 5");
    assert_eq!(spell_out("Beac North ev 5 t 10.0.0.1 ! comment"), "beacon North every 5 to 10.0.0.1");
    let document = parse("beac north ev 5 ! comment\n").document;
    assert_eq!(document.print(), "beac north ev 5 ! comment\n");
    for undone in ["no beacon north", "default beacon north every 5"] {
        assert_eq!(parse(&format!("{LINE}\n{undone}\n")).config.domain_name, None, "{undone}");
    }
}

#[test]
fn help_and_completion_follow() {
    let listed = |line: &str| {
        let choices = configuration_choices("config", line);
        assert!(
            choices.iter().all(|choice| choice.token == "<cr>" || !choice.help.is_empty()),
            "{choices:?}"
        );
        choices.into_iter().map(|choice| choice.token).collect::<Vec<_>>()
    };
    assert_eq!(listed("beac"), ["beacon"]);
    assert_eq!(listed("beacon north every "), ["<1-60>"]);
    assert_eq!(listed("no beacon north every 5 "), ["to", "<cr>"]);
    assert_eq!(listed("beacon north every 5 to "), ["A.B.C.D"]);
    assert_eq!(configuration_complete("config", "beac").as_deref(), Some("beacon "));
    assert_eq!(configuration_complete("config", "beacon north e").as_deref(), Some("beacon north every "));
}

#[test]
fn the_caret_follows() {
    for (line, column, expected) in [
        ("beacon north every 61", 20, "<1-60>"),
        ("beacon north every 5 to here", 25, "A.B.C.D"),
        ("beacon north every", 19, "<1-60>"),
        ("beacon north often", 14, "every"),
    ] {
        let remark = parse(line).diagnostics.remove(0);
        assert_eq!((remark.code, remark.column), (Code::Invalid, column), "{line}");
        assert!(remark.message.contains(&format!("{expected} is expected here")), "{}", remark.message);
        let wrong = enter("", &Position::default(), line).unwrap_err();
        let is_end = usize::try_from(column) == Ok(line.len() + 1);
        let caret = usize::try_from(column - 1).unwrap();
        assert_eq!(wrong, if is_end { Wrong::Incomplete } else { Wrong::Invalid(caret) }, "{line}");
    }
}

#[test]
fn the_console_and_the_reference_follow() {
    let mut text = String::new();
    for (typed, expected) in [
        ("beac north ev 5", "beacon north every 5\n"),
        ("beac north ev 7 t 10.0.0.1", "beacon north every 7 to 10.0.0.1\n"),
        ("no beac north", ""),
    ] {
        text = enter(&text, &Position::default(), typed).unwrap().text.unwrap();
        assert_eq!(text, expected, "{typed}");
    }
    let global = reference().into_iter().find(|mode| mode.prompt == "config").unwrap();
    let entry = global.commands.into_iter().find(|command| command.form.starts_with("beacon")).unwrap();
    assert_eq!(entry.form, "beacon <name> every <1-60:seconds> [to <A.B.C.D:server>]");
    assert_eq!(entry.effect, Effect::Implemented);
    assert!(entry.words.iter().all(|word| !word.help.is_empty()), "{:?}", entry.words);
}
