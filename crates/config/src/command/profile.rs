//! `crypto isakmp profile`.

use super::keyring::network;
use super::{Fate, Fold, In, Mode, Row, entry, fate, fold};
use crate::form::{Cursor, Problem};
use crate::model::{IdentityMatch, Profile, SelfIdentity};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto isakmp profile <name>", "", profile),
    fate(In::Profile, "description", Fate::NoOp),
    fold(In::Profile, "keyring", "= <keyring>...", keyring),
    fold(
        In::Profile,
        "match identity",
        "{group <group>|address {ipv6 <LINE:rest>|<A.B.C.D:address> [<A.B.C.D:mask>] [<vrf>]}|host {domain <domain>|<host>}|user {domain <domain>|fqdn <user>|<user>}}",
        match_identity,
    ),
    fate(In::Profile, "match certificate", Fate::Unsupported("certificates are not implemented")),
    fold(In::Profile, "client authentication list = <list>", "", xauth_list),
    fold(In::Profile, "isakmp authorization list = <list>", "", authorization_list),
    fold(In::Profile, "client configuration address", "{respond|initiate}", address),
    fate(In::Profile, "client configuration group", Fate::Unsupported("groups come from the identity")),
    fold(
        In::Profile,
        "self-identity",
        "= {address [<LINE:rest>]|fqdn [<fqdn>]|user-fqdn <user>}",
        self_identity,
    ),
    fold(
        In::Profile,
        "keepalive",
        "= <10-3600:seconds> [retry] [<2-60:retry>] [periodic|on-demand]",
        keepalive,
    ),
    fold(In::Profile, "initiate mode aggressive", "", aggressive),
    fold(In::Profile, "local-address", "= <address> [<LINE:rest>]", local_address),
    fate(In::Profile, "vrf", Fate::Forwarding("puts the peer's traffic into a VRF")),
    fate(In::Profile, "virtual-template", Fate::Forwarding("makes a tunnel interface for each peer")),
    fate(In::Profile, "ca trust-point", Fate::Unsupported("certificates are not implemented")),
    fate(In::Profile, "accounting", Fate::Unsupported("nothing is accounted")),
    fate(In::Profile, "qos-group", Fate::Unsupported("there is no QoS")),
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
    let mut names = Vec::new();
    while let Some(name) = cursor.peek().filter(|word| !word.starts_with('!')) {
        names.push(name.to_string());
        cursor.next();
    }
    let no = fold.no;
    change(fold, |profile| match (no, names.is_empty()) {
        (false, _) => profile.keyrings = names,
        (true, true) => profile.keyrings.clear(),
        (true, false) => profile.keyrings.retain(|known| !names.contains(known)),
    });
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
            fold.fate = Some(Fate::Unsupported(
                "VRFs are not implemented; an entry whose peers may come by the profile does not exist here",
            ));
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
        fold.fate = Some(Fate::Unsupported("addresses are assigned on request, not pushed"));
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
    if fold.no {
        change(fold, |profile| profile.local_address = None);
        return Ok(());
    }
    let word = cursor.word("an address or an interface")?;
    let address = word.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    if address.is_none() {
        fold.fate = Some(Fate::Unsupported("only an address restricts a profile; it serves every interface"));
        cursor.rest();
    }
    change(fold, |profile| profile.local_address = address);
    Ok(())
}
