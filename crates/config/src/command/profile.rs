//! `crypto isakmp profile`.

use super::keyring::network;
use super::{Action, Fate, Fold, In, Mode, Row, entry};
use crate::form::{Cursor, Problem};
use crate::model::{IdentityMatch, Profile, SelfIdentity};

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "crypto isakmp profile <name>", action: Action::Fold(profile) },
    Row { mode: In::Profile, form: "description", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Profile, form: "keyring", action: Action::Fold(keyring) },
    Row { mode: In::Profile, form: "match identity", action: Action::Fold(match_identity) },
    Row {
        mode: In::Profile,
        form: "match certificate",
        action: Action::Fate(Fate::Unsupported("certificates are not implemented")),
    },
    Row { mode: In::Profile, form: "client authentication list <list>", action: Action::Fold(xauth_list) },
    Row {
        mode: In::Profile,
        form: "isakmp authorization list <list>",
        action: Action::Fold(authorization_list),
    },
    Row { mode: In::Profile, form: "client configuration address", action: Action::Fold(address) },
    Row {
        mode: In::Profile,
        form: "client configuration group",
        action: Action::Fate(Fate::Unsupported("groups come from the identity")),
    },
    Row { mode: In::Profile, form: "self-identity", action: Action::Fold(self_identity) },
    Row { mode: In::Profile, form: "keepalive", action: Action::Fold(keepalive) },
    Row { mode: In::Profile, form: "initiate mode aggressive", action: Action::Fold(aggressive) },
    Row { mode: In::Profile, form: "local-address", action: Action::Fold(local_address) },
    Row {
        mode: In::Profile,
        form: "vrf",
        action: Action::Fate(Fate::Forwarding("puts the peer's traffic into a VRF")),
    },
    Row {
        mode: In::Profile,
        form: "virtual-template",
        action: Action::Fate(Fate::Forwarding("makes a tunnel interface for each peer")),
    },
    Row {
        mode: In::Profile,
        form: "ca trust-point",
        action: Action::Fate(Fate::Unsupported("certificates are not implemented")),
    },
    Row {
        mode: In::Profile,
        form: "accounting",
        action: Action::Fate(Fate::Unsupported("nothing is accounted")),
    },
    Row { mode: In::Profile, form: "qos-group", action: Action::Fate(Fate::Unsupported("there is no QoS")) },
];

fn profile(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.profiles.retain(|profile| profile.name != name);
        return Ok(());
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.profiles,
        |profile| profile.name == name,
        || Profile { name: name.clone(), line, ..Profile::default() },
    );
    fold.mode = Mode::Profile(place);
    cursor.finish()
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Profile)) {
    if let Mode::Profile(place) = fold.mode
        && let Some(profile) = fold.config.profiles.get_mut(place)
    {
        change(profile);
    }
}

fn keyring(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mut names = vec![cursor.word("a keyring")?.to_string()];
    while let Some(name) = cursor.peek().filter(|word| !word.starts_with('!')) {
        names.push(name.to_string());
        cursor.next();
    }
    let no = fold.no;
    change(fold, |profile| profile.keyrings = if no { Vec::new() } else { names });
    Ok(())
}

fn match_identity(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let found = if cursor.keyword("group") {
        IdentityMatch::Group(cursor.word("a group")?.to_string())
    } else if cursor.keyword("address") {
        if cursor.keyword("ipv6") {
            cursor.rest();
            fold.fate = Some(Fate::Unsupported("IPv6 peers are not implemented"));
            return Ok(());
        }
        let problem = cursor.problem("a network mask");
        let address = cursor.address()?;
        let mask = cursor.optional_address();
        if cursor.peek().is_some_and(|word| !word.starts_with('!')) {
            cursor.rest();
            fold.fate = Some(Fate::Unsupported("VRFs are not implemented; every interface matches"));
        }
        IdentityMatch::Address(network(address, mask).ok_or(problem)?)
    } else if cursor.keyword("host") {
        if cursor.keyword("domain") {
            IdentityMatch::HostDomain(cursor.word("a domain")?.to_string())
        } else {
            IdentityMatch::Host(cursor.word("a host name")?.to_string())
        }
    } else if cursor.keyword("user") {
        if cursor.keyword("domain") {
            IdentityMatch::UserDomain(cursor.word("a domain")?.to_string())
        } else {
            cursor.keyword("fqdn");
            IdentityMatch::User(cursor.word("a user")?.to_string())
        }
    } else {
        return Err(cursor.problem("address, group, host or user"));
    };
    let no = fold.no;
    change(fold, |profile| {
        profile.matches.retain(|known| *known != found);
        if !no {
            profile.matches.push(found);
        }
    });
    cursor.finish()
}

fn xauth_list(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, list) = (fold.no, fold.argument(0));
    change(fold, |profile| profile.xauth_list = (!no).then_some(list));
    cursor.finish()
}

fn authorization_list(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, list) = (fold.no, fold.argument(0));
    change(fold, |profile| profile.authorization_list = (!no).then_some(list));
    cursor.finish()
}

fn address(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    if cursor.keyword("respond") {
        change(fold, |profile| profile.respond = !no);
    } else if cursor.keyword("initiate") {
        fold.fate = Some(Fate::Unsupported("addresses are given when a client asks, not pushed"));
        change(fold, |profile| profile.initiate = !no);
    } else {
        return Err(cursor.problem("respond or initiate"));
    }
    cursor.finish()
}

fn self_identity(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let own = if cursor.keyword("address") {
        SelfIdentity::Address
    } else if cursor.keyword("fqdn") {
        SelfIdentity::Fqdn(cursor.next().map(str::to_string))
    } else if cursor.keyword("user-fqdn") {
        SelfIdentity::UserFqdn(cursor.word("a user FQDN")?.to_string())
    } else if fold.no {
        SelfIdentity::Address
    } else {
        return Err(cursor.problem("address, fqdn or user-fqdn"));
    };
    let no = fold.no;
    change(fold, |profile| profile.self_identity = (!no).then_some(own));
    Ok(())
}

fn keepalive(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let keepalive = if fold.no { None } else { Some(super::isakmp::read_keepalive(cursor)?) };
    change(fold, |profile| profile.keepalive = keepalive);
    Ok(())
}

fn aggressive(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |profile| profile.aggressive = !no);
    cursor.finish()
}

fn local_address(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let word = cursor.word("an address or an interface")?;
    let address = word.parse().ok();
    if address.is_none() {
        fold.fate = Some(Fate::Unsupported("only an address restricts a profile; it serves every interface"));
        cursor.rest();
    }
    let no = fold.no;
    change(fold, |profile| profile.local_address = address.filter(|_| !no));
    Ok(())
}
