//! `crypto isakmp client configuration group`.

use super::mode::{Fate, In, Mode};
use super::row::{Action, Fold, Row, fate, fold, name_it, row};
use crate::blocks::delimited;
use crate::form::Problem;
use crate::given::Given;
use crate::model::Group;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto isakmp client configuration group <name>", "", group),
    fold(In::Group, "key", "= [0|6|7] <key>", key),
    fold(In::Group, "dns", "= <A.B.C.D:server>...", dns),
    fold(In::Group, "wins", "= <A.B.C.D:server>...", wins),
    fold(In::Group, "domain = <domain>", "", domain),
    fold(In::Group, "split-dns <domain>", "", split_dns),
    fold(In::Group, "pool = <pool>", "", pool),
    fold(In::Group, "acl = <access-list>", "", acl),
    fold(In::Group, "netmask", "= <A.B.C.D:mask>", netmask),
    fold(In::Group, "save-password", "", save_password),
    fate(
        In::Group,
        "include-local-lan",
        Fate::Unsupported("the exception for the client's own LAN is not sent"),
    ),
    fold(In::Group, "pfs", "", pfs),
    fold(In::Group, "backup-gateway <gateway>", "", backup_gateway),
    fold(In::Group, "banner", "= <LINE:text>", banner),
    row(
        In::Group,
        "max-users",
        "= <LINE:count>",
        Action::Fate(Fate::Unenforced("limits the sessions of the group")),
    ),
    row(
        In::Group,
        "max-logins",
        "= <LINE:count>",
        Action::Fate(Fate::Unenforced("limits the sessions of a user")),
    ),
    fate(In::Group, "group-lock", Fate::Unenforced("ties users to their group")),
    fate(In::Group, "firewall", Fate::Unenforced("requires a firewall on the client")),
    row(
        In::Group,
        "access-restrict",
        "= <LINE:interface>",
        Action::Fate(Fate::Unenforced("restricts the interface by which clients may connect")),
    ),
    fate(In::Group, "crypto aaa attribute list", Fate::Unsupported("the list's attributes are not sent")),
    fate(In::Group, "auto-update", Fate::Unsupported("clients are not updated")),
    fate(In::Group, "configuration", Fate::Unsupported("clients are not configured by URL")),
    fate(In::Group, "browser-proxy", Fate::Unsupported("no proxy is sent to clients")),
    fate(In::Group, "dhcp", Fate::Unsupported("addresses come from the pool")),
    fate(
        In::Group,
        "smartcard-removal-disconnect",
        Fate::Unenforced("ends a session when the smartcard is removed"),
    ),
];

fn group(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.groups.remove(&name);
        return Ok(());
    }
    let line = fold.line;
    let make = || Group { name: name.clone(), line, ..Group::default() };
    let place = fold.config.groups.entry(name.clone(), make);
    fold.mode = Mode::Group(place);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Group)) {
    if let Mode::Group(place) = fold.mode
        && let Some(group) = fold.config.groups.get_mut(place)
    {
        change(group);
    }
}

fn key(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let key = fold.unless_no(given.password("key", 0));
    change(fold, |group| group.key = key);
    Ok(())
}

fn dns(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let servers = fold.unless_no(Some(given.addresses("server").collect())).unwrap_or_default();
    change(fold, |group| group.dns = servers);
    Ok(())
}

fn wins(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let servers = fold.unless_no(Some(given.addresses("server").collect())).unwrap_or_default();
    change(fold, |group| group.wins = servers);
    Ok(())
}

fn domain(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = fold.unless_no(given.string("domain"));
    change(fold, |group| group.domain = name);
    Ok(())
}

fn split_dns(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("domain").unwrap_or_default();
    if let Mode::Group(group) = fold.mode {
        let added = fold.unless_no(Some(name.clone()));
        fold.config.split_dns.replace((group, name), added);
    }
    Ok(())
}

fn pool(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("pool"));
    change(fold, |group| name_it(&mut group.pool, no, given));
    Ok(())
}

fn acl(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("access-list"));
    change(fold, |group| name_it(&mut group.acl, no, given));
    Ok(())
}

fn netmask(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let mask = fold.unless_no(given.address("mask"));
    change(fold, |group| group.netmask = mask);
    Ok(())
}

fn save_password(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |group| group.save_password = !no);
    Ok(())
}

fn pfs(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |group| group.pfs = !no);
    Ok(())
}

fn backup_gateway(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let gateway = given.string("gateway").unwrap_or_default();
    if let Mode::Group(group) = fold.mode {
        let added = fold.unless_no(Some(gateway.clone()));
        fold.config.backup_gateways.replace((group, gateway), added);
    }
    Ok(())
}

/// `banner D TEXT D`, where D is any character; the text may continue over several lines.
fn banner(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let first = given.text("text").unwrap_or_default();
    let lines = std::iter::once(first).chain(fold.block.iter().map(|line| line.trim_end()));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = delimited(&text).map(|(text, _)| text.trim().to_string());
    if text.is_none() && !fold.no {
        return Err(given.problem("text", "a delimiter, the text, and the delimiter"));
    }
    let banner = fold.unless_no(text);
    change(fold, |group| group.banner = banner);
    Ok(())
}
