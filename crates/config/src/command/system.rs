//! `hostname`, `username`, services.

use super::mode::{Fate, In};
use super::row::{Fold, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::User;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "version = <release>", "", version),
    fold(In::Global, "service password-encryption", "", password_encryption),
    fold(In::Global, "hostname = <name>", "", hostname),
    fold(In::Global, "ip domain-name = <name>", "", domain_name),
    fold(In::Global, "ip domain name = <name>", "", domain_name),
    fold(In::Global, "ip arp proxy disable", "", |fold, _| {
        fold.config.proxy_arp_off = !fold.no;
        Ok(())
    }),
    fate(In::Global, "ip domain lookup", Fate::NoOp),
    fate(In::Global, "ip domain-lookup", Fate::NoOp),
    fold(
        In::Global,
        "username <name>",
        "= [privilege <0-15:level>|nopassword|one-time|noescape|nohangup|nocallback-verify|dnis|access-class <access-list>|view <view>|user-maxlinks <count>|aaa attribute list <list>|callback-dialstring <text>|callback-line <text>|callback-rotary <text>|common-criteria-policy <text>|lawful-intercept|mac|serial-number <text>|algorithm-type {md5|scrypt|sha256}]... [{password|secret} [0|4|5|6|7|8|9] <LINE:password>|autocommand <LINE:command>]",
        username,
    ),
];

/// `version MAJOR.MINOR`: the release that printed the configuration.
fn version(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u16>().ok();
    let parts = given.word("release").and_then(|release| release.split_once('.'));
    let release = parts.and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    fold.config.version = fold.unless_no(release);
    fold.fate = Some(Fate::NoOp);
    Ok(())
}

fn password_encryption(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.password_encryption = !fold.no;
    Ok(())
}

fn hostname(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = fold.unless_no(given.string("name"));
    if let Some(name) = &name {
        if !is_host_name(name) {
            let expected = "a name of up to 63 letters, digits and hyphens that begins with a letter and \
                            ends with a letter or a digit";
            return Err(given.problem("name", expected));
        }
        // IOS says that such a name has an illegal character, and takes it
        fold.warning = name.contains('_').then_some("has an underscore, which the DNS does not allow");
    }
    fold.config.hostname = name;
    Ok(())
}

/// Whether a router may have the name: that of a host in the ARPANET (RFC 1035 section 2.3.1), or
/// one with underscores.
fn is_host_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric())
        && name.bytes().all(inner)
}

fn domain_name(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.domain_name = fold.unless_no(given.string("name"));
    Ok(())
}

/// `username NAME [privilege N] [password|secret [TYPE] TEXT]`, where the text is the rest of the
/// line.
fn username(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.word("name").unwrap_or_default();
    if fold.no {
        fold.config.users.remove(name);
        return Ok(());
    }
    if ["autocommand", "access-class", "view", "one-time", "aaa"].iter().any(|word| given.has(word)) {
        fold.fate = Some(Fate::Unenforced("restricts what this user may do"));
    }
    let line = fold.line;
    let make = || User { name: name.to_string(), privilege: None, password: None, line };
    let place = fold.config.users.entry(name.to_string(), make);
    if let Some(user) = fold.config.users.get_mut(place) {
        user.privilege = given.number("level").or(user.privilege);
        user.password = given.password("password", 0).or_else(|| user.password.clone());
        user.line = line;
    }
    Ok(())
}
