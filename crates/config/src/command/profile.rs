//! `crypto isakmp profile`.

use super::isakmp::{KEEPALIVE, given_keepalive};
use super::keyring::network;
use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold, name_it};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{IdentityMatch, Profile, SelfIdentity};

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto isakmp profile <name>", "= [accounting <accounting-list>]", profile),
    fold(In::Profile, "keyring", "= <keyring>...", keyring),
    fold(
        In::Profile,
        "match identity",
        "{group <group>|address {ipv6 <LINE:peer-ipv6>|<A.B.C.D:address> [<A.B.C.D:mask>] [<vrf>]}|host {domain <host-domain>|<HOST:host>}|user {domain <user-domain>|fqdn <user>|<user>}}",
        match_identity,
    ),
    fate(In::Profile, "match certificate", Fate::Unsupported("certificates are not implemented")),
    fold(In::Profile, "client authentication list = <login-list>", "", xauth_list),
    fold(In::Profile, "isakmp authorization list = <network-list>", "", authorization_list),
    fold(In::Profile, "client configuration address", "{respond|initiate}", address),
    fold(In::Profile, "client configuration group = <group>", "", group),
    fold(
        In::Profile,
        "self-identity",
        "= {address [<LINE:rest>]|fqdn [<fqdn>]|user-fqdn <user>}",
        self_identity,
    ),
    fold(In::Profile, "keepalive", KEEPALIVE, keepalive),
    fold(In::Profile, "initiate mode aggressive", "", aggressive),
    fate(In::Profile, "vrf", Fate::Forwarding("puts the peer's traffic into a VRF")),
    fate(In::Profile, "virtual-template", Fate::Forwarding("makes a tunnel interface for each peer")),
    fate(In::Profile, "ca trust-point", Fate::Unsupported("certificates are not implemented")),
    fate(In::Profile, "accounting", Fate::Unsupported("nothing is accounted")),
    fate(In::Profile, "qos-group", Fate::Unsupported("there is no QoS")),
];

fn profile(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.profiles.remove(&name);
        return Ok(());
    }
    fold.fate = given.has("accounting").then_some(Fate::Unsupported("nothing is accounted"));
    let line = fold.line;
    let make = || Profile { name: name.clone(), line, ..Profile::default() };
    let place = fold.config.profiles.entry(name.clone(), make);
    fold.mode = Mode::Profile(place);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Profile)) {
    if let Mode::Profile(place) = fold.mode
        && let Some(profile) = fold.config.profiles.get_mut(place)
    {
        change(profile);
    }
}

/// `keyring NAME …`; `no` takes the named ones away, or all.
fn keyring(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, names) = (fold.no, given.strings("keyring"));
    change(fold, |profile| match no {
        false => profile.keyrings = names,
        true => profile.keyrings.retain(|known| !names.is_empty() && !names.contains(known)),
    });
    Ok(())
}

/// What an argument of `match identity` is.
type Kind = fn(String) -> IdentityMatch;

/// The arguments of `match identity` but an address.
const KINDS: [(&str, Kind); 5] = [
    ("group", IdentityMatch::Group),
    ("host", IdentityMatch::Host),
    ("host-domain", IdentityMatch::HostDomain),
    ("user", IdentityMatch::User),
    ("user-domain", IdentityMatch::UserDomain),
];

fn match_identity(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if given.has("ipv6") {
        fold.fate = (!fold.no).then_some(Fate::Unsupported("IPv6 peers are not implemented"));
        return Ok(());
    }
    let found = if given.word("address").is_some() {
        IdentityMatch::Address(network(given, "address", "mask")?)
    } else {
        let found = KINDS.iter().find_map(|(name, kind)| given.string(name).map(kind));
        found.ok_or_else(|| given.missing("address, group, host or user"))?
    };
    if given.word("vrf").is_some() && !fold.no {
        fold.fate = Some(Fate::Unsupported(
            "VRFs are not implemented; an entry whose peers may come by the profile does not exist here",
        ));
    }
    if let Mode::Profile(profile) = fold.mode {
        let added = fold.unless_no(Some(found.clone()));
        fold.config.identities.replace((profile, found), added);
    }
    Ok(())
}

fn xauth_list(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("login-list"));
    change(fold, |profile| name_it(&mut profile.xauth_list, no, given));
    Ok(())
}

fn authorization_list(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("network-list"));
    change(fold, |profile| name_it(&mut profile.authorization_list, no, given));
    Ok(())
}

fn address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    if given.has("respond") {
        change(fold, |profile| profile.respond = !no);
    } else if given.has("initiate") {
        change(fold, |profile| profile.initiate = !no);
    } else {
        return Err(given.missing("respond or initiate"));
    }
    Ok(())
}

fn group(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = fold.unless_no(given.string("group"));
    change(fold, |profile| profile.group = name);
    Ok(())
}

fn self_identity(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let own = match (given.string("user"), given.has("fqdn")) {
        (Some(user), _) => SelfIdentity::UserFqdn(user),
        (None, true) => SelfIdentity::Fqdn(given.string("fqdn")),
        (None, false) => SelfIdentity::Address,
    };
    let own = fold.unless_no(Some(own));
    change(fold, |profile| profile.self_identity = own);
    Ok(())
}

fn keepalive(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let keepalive = given_keepalive(fold, given);
    change(fold, |profile| profile.keepalive = keepalive);
    Ok(())
}

fn aggressive(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |profile| profile.aggressive = !no);
    Ok(())
}
