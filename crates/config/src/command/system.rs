//! `hostname`, `username`, services.

use super::{Fate, Fold, In, Row, entry, fate, fold, password};
use crate::form::{Cursor, Problem};
use crate::model::User;

pub(super) const ROWS: &[Row] = &[
    fate(In::Global, "version <release>", Fate::NoOp),
    fold(In::Global, "service password-encryption", "", password_encryption),
    fold(In::Global, "hostname = <name>", "", hostname),
    fold(In::Global, "ip domain-name = <name>", "", domain_name),
    fold(In::Global, "ip domain name = <name>", "", domain_name),
    fate(In::Global, "ip domain lookup", Fate::NoOp),
    fate(In::Global, "ip domain-lookup", Fate::NoOp),
    fold(
        In::Global,
        "username <name>",
        "= [privilege <0-15:level>|{password|secret} [0|4|5|6|7|8|9] <password>|nopassword|{autocommand|access-class|view|one-time|aaa} [<LINE:rest>]]...",
        username,
    ),
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
