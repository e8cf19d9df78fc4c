//! `hostname`, `username`, services, lines.

use super::{Action, Fate, Fold, In, Mode, Row, entry, password};
use crate::form::{Cursor, Problem};
use crate::model::User;

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "version <release>", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "service timestamps", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "service password-encryption", action: Action::Fold(password_encryption) },
    Row { mode: In::Global, form: "hostname <name>", action: Action::Fold(hostname) },
    Row { mode: In::Global, form: "ip domain-name <name>", action: Action::Fold(domain_name) },
    Row { mode: In::Global, form: "ip domain name <name>", action: Action::Fold(domain_name) },
    Row { mode: In::Global, form: "ip domain lookup", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "ip domain-lookup", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "logging on", action: Action::Fold(logging) },
    Row { mode: In::Global, form: "username <name>", action: Action::Fold(username) },
    Row { mode: In::Global, form: "line", action: Action::Fold(line) },
    Row { mode: In::Line, form: "exec-timeout", action: Action::Fate(Fate::NoOp) },
    Row {
        mode: In::Line,
        form: "login",
        action: Action::Fate(Fate::Inert("there are no remote lines yet: nobody logs in by one")),
    },
    Row {
        mode: In::Line,
        form: "password",
        action: Action::Fate(Fate::Inert("there are no remote lines yet: nobody logs in by one")),
    },
    Row {
        mode: In::Line,
        form: "escape-character",
        action: Action::Fate(Fate::Inert("the local console has its own escape character")),
    },
    Row {
        mode: In::Line,
        form: "access-class",
        action: Action::Fate(Fate::Unenforced("restricts who may log in by this line")),
    },
    Row {
        mode: In::Line,
        form: "transport",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row { mode: In::Line, form: "logging synchronous", action: Action::Fate(Fate::NoOp) },
    Row {
        mode: In::Line,
        form: "privilege level",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row { mode: In::Line, form: "stopbits", action: Action::Fate(Fate::Inert("there is no serial port")) },
    Row { mode: In::Line, form: "speed", action: Action::Fate(Fate::Inert("there is no serial port")) },
    Row { mode: In::Line, form: "flowcontrol", action: Action::Fate(Fate::Inert("there is no serial port")) },
    Row { mode: In::Line, form: "exec", action: Action::Fate(Fate::Inert("there are no remote lines yet")) },
    Row {
        mode: In::Line,
        form: "authorization",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row {
        mode: In::Line,
        form: "session-timeout",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row { mode: In::Line, form: "history size", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Line, form: "length", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Line, form: "width", action: Action::Fate(Fate::NoOp) },
    Row {
        mode: In::Line,
        form: "rotary",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row { mode: In::Line, form: "modem", action: Action::Fate(Fate::Inert("there is no serial port")) },
];

fn password_encryption(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.password_encryption = !fold.no;
    cursor.finish()
}

fn hostname(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.hostname = (!fold.no).then(|| fold.argument(0));
    cursor.finish()
}

fn domain_name(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.domain_name = (!fold.no).then(|| fold.argument(0));
    cursor.finish()
}

fn logging(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.logging = Some(!fold.no);
    cursor.finish()
}

fn line(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let problem = cursor.problem("con, aux, vty or a number");
    let known = ["con", "console", "aux", "vty", "tty"];
    let kind = cursor.word("con, aux, vty or a number")?;
    if !known.iter().any(|name| crate::form::is(kind, name)) && kind.parse::<u32>().is_err() {
        return Err(problem);
    }
    fold.mode = Mode::Line;
    Ok(())
}

/// `username NAME [privilege N] [password|secret [TYPE] TEXT]`
fn username(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.users.retain(|user| user.name != name);
        return Ok(());
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.users,
        |user| user.name == name,
        || User { name: name.clone(), privilege: None, password: None, line },
    );
    let mut privilege = None;
    let mut secret = None;
    while let Some(word) = cursor.peek() {
        if crate::form::is(word, "privilege") {
            cursor.next();
            privilege = Some(cursor.number("a level 0-15", 0..=15)? as u8);
        } else if crate::form::is(word, "password") || crate::form::is(word, "secret") {
            cursor.next();
            secret = Some(password(cursor, 0)?);
        } else if crate::form::is(word, "nopassword") {
            cursor.next();
        } else if ["autocommand", "access-class", "view", "one-time", "aaa"]
            .iter()
            .any(|k| crate::form::is(word, k))
        {
            fold.fate = Some(Fate::Unenforced("restricts what this user may do"));
            cursor.rest();
        } else {
            return Err(cursor.problem("privilege, password or secret"));
        }
    }
    if let Some(user) = fold.config.users.get_mut(place) {
        user.privilege = privilege.or(user.privilege);
        user.password = secret.or_else(|| user.password.clone());
        user.line = line;
    }
    Ok(())
}
