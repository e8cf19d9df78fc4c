//! `crypto isakmp client configuration group`.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold, password};
use crate::blocks::delimited;
use crate::form::{Cursor, Problem};
use crate::model::Group;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto isakmp client configuration group <name>", "", group),
    fold(In::Group, "key", "= [0|6|7] <key>", key),
    fold(In::Group, "dns", "= <A.B.C.D:server>...", dns),
    fold(In::Group, "wins", "= <A.B.C.D:server>...", wins),
    fold(In::Group, "domain = <name>", "", domain),
    fold(In::Group, "split-dns <name>", "", split_dns),
    fold(In::Group, "pool = <name>", "", pool),
    fold(In::Group, "acl = <name>", "", acl),
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
    fate(In::Group, "max-users", Fate::Unenforced("limits the sessions of the group")),
    fate(In::Group, "max-logins", Fate::Unenforced("limits the sessions of a user")),
    fate(In::Group, "group-lock", Fate::Unenforced("ties users to their group")),
    fate(In::Group, "firewall", Fate::Unenforced("requires a firewall on the client")),
    fate(
        In::Group,
        "access-restrict",
        Fate::Unenforced("restricts the interface by which clients may connect"),
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

fn group(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.groups.retain(|group| group.name != name);
        return Ok(());
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.groups,
        |group| group.name == name,
        || Group { name: name.clone(), line, ..Group::default() },
    );
    fold.mode = Mode::Group(place);
    cursor.finish()
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Group)) {
    if let Mode::Group(place) = fold.mode
        && let Some(group) = fold.config.groups.get_mut(place)
    {
        change(group);
    }
}

fn key(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let key = if fold.no { None } else { Some(password(cursor, 0)?) };
    change(fold, |group| group.key = key);
    Ok(())
}

fn addresses(fold: &Fold<'_>, cursor: &mut Cursor<'_>) -> Result<Vec<std::net::Ipv4Addr>, Problem> {
    let mut out = Vec::new();
    while cursor.peek().is_some_and(|word| !word.starts_with('!')) {
        out.push(cursor.address()?);
    }
    if out.is_empty() && !fold.no {
        return Err(cursor.problem("an address A.B.C.D"));
    }
    Ok(if fold.no { Vec::new() } else { out })
}

fn dns(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let servers = addresses(fold, cursor)?;
    change(fold, |group| group.dns = servers);
    Ok(())
}

fn wins(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let servers = addresses(fold, cursor)?;
    change(fold, |group| group.wins = servers);
    Ok(())
}

fn domain(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |group| group.domain = (!no).then_some(name));
    cursor.finish()
}

fn split_dns(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |group| {
        group.split_dns.retain(|known| *known != name);
        if !no {
            group.split_dns.push(name);
        }
    });
    cursor.finish()
}

fn pool(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |group| group.pool = (!no).then_some(name));
    cursor.finish()
}

fn acl(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |group| group.acl = (!no).then_some(name));
    cursor.finish()
}

fn netmask(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mask = if fold.no { None } else { Some(cursor.address()?) };
    change(fold, |group| group.netmask = mask);
    Ok(())
}

fn save_password(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |group| group.save_password = !no);
    cursor.finish()
}

fn pfs(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |group| group.pfs = !no);
    cursor.finish()
}

fn backup_gateway(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, gateway) = (fold.no, fold.argument(0));
    change(fold, |group| {
        group.backup_gateways.retain(|known| *known != gateway);
        if !no {
            group.backup_gateways.push(gateway);
        }
    });
    cursor.finish()
}

/// `banner D TEXT D`, where D is any character; the text may continue over several lines.
fn banner(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let missing = cursor.problem("a delimiter, the text, and the delimiter");
    cursor.rest();
    let lines = std::iter::once(fold.raw.trim_end()).chain(fold.block.iter().map(|line| line.trim_end()));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = delimited(&text).map(|(text, _)| text.trim().to_string());
    let banner = match (fold.no, text) {
        (true, _) => None,
        (false, Some(text)) => Some(text),
        (false, None) => return Err(missing),
    };
    change(fold, |group| group.banner = banner);
    Ok(())
}
