//! `crypto isakmp client configuration group`.

use super::{Action, Fate, Fold, In, Mode, Row, entry, password};
use crate::form::{Cursor, Problem};
use crate::model::Group;

pub(super) const ROWS: &[Row] = &[
    Row {
        mode: In::Global,
        form: "crypto isakmp client configuration group <name>",
        action: Action::Fold(group),
    },
    Row { mode: In::Group, form: "key", action: Action::Fold(key) },
    Row { mode: In::Group, form: "dns", action: Action::Fold(dns) },
    Row { mode: In::Group, form: "wins", action: Action::Fold(wins) },
    Row { mode: In::Group, form: "domain <name>", action: Action::Fold(domain) },
    Row { mode: In::Group, form: "split-dns <name>", action: Action::Fold(split_dns) },
    Row { mode: In::Group, form: "pool <name>", action: Action::Fold(pool) },
    Row { mode: In::Group, form: "acl <name>", action: Action::Fold(acl) },
    Row { mode: In::Group, form: "netmask", action: Action::Fold(netmask) },
    Row { mode: In::Group, form: "save-password", action: Action::Fold(save_password) },
    Row {
        mode: In::Group,
        form: "include-local-lan",
        action: Action::Fate(Fate::Unsupported("clients are not told to leave their own LAN out")),
    },
    Row { mode: In::Group, form: "pfs", action: Action::Fold(pfs) },
    Row { mode: In::Group, form: "backup-gateway <gateway>", action: Action::Fold(backup_gateway) },
    Row { mode: In::Group, form: "banner", action: Action::Fold(banner) },
    Row {
        mode: In::Group,
        form: "max-users",
        action: Action::Fate(Fate::Unenforced("limits the sessions of the group")),
    },
    Row {
        mode: In::Group,
        form: "max-logins",
        action: Action::Fate(Fate::Unenforced("limits the sessions of a user")),
    },
    Row {
        mode: In::Group,
        form: "group-lock",
        action: Action::Fate(Fate::Unenforced("ties users to their group")),
    },
    Row {
        mode: In::Group,
        form: "firewall",
        action: Action::Fate(Fate::Unenforced("demands a firewall on the client")),
    },
    Row {
        mode: In::Group,
        form: "access-restrict",
        action: Action::Fate(Fate::Unenforced("restricts the interface by which clients come")),
    },
    Row {
        mode: In::Group,
        form: "crypto aaa attribute list",
        action: Action::Fate(Fate::Unsupported("the list's attributes are not sent")),
    },
    Row {
        mode: In::Group,
        form: "auto-update",
        action: Action::Fate(Fate::Unsupported("clients are not updated")),
    },
    Row {
        mode: In::Group,
        form: "configuration",
        action: Action::Fate(Fate::Unsupported("clients are not configured by URL")),
    },
    Row {
        mode: In::Group,
        form: "browser-proxy",
        action: Action::Fate(Fate::Unsupported("clients are not told of a proxy")),
    },
    Row {
        mode: In::Group,
        form: "dhcp",
        action: Action::Fate(Fate::Unsupported("addresses come from the pool")),
    },
    Row {
        mode: In::Group,
        form: "smartcard-removal-disconnect",
        action: Action::Fate(Fate::Unenforced("ends a session when the smartcard is taken out")),
    },
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

/// `banner D TEXT D`, where D is any character.
fn banner(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    cursor.rest();
    let text = fold.raw.trim().to_string();
    let text = match text.strip_prefix("^C") {
        Some(rest) => rest.trim_end_matches("^C").to_string(),
        None => {
            let delimiter = text.chars().next().unwrap_or(' ');
            text.trim_matches(delimiter).to_string()
        }
    };
    let no = fold.no;
    change(fold, |group| group.banner = (!no).then(|| text.trim().to_string()));
    Ok(())
}
