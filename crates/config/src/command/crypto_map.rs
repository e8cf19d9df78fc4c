//! `crypto map` and `crypto dynamic-map`.

use super::ipsec::{given_seconds, given_volume, is_of_time};
use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold, name_it};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{CryptoMap, DynamicEntry, DynamicMap, EntryTerms, GROUPS, MapEntry, Replay};
use std::net::IpAddr;

/// What static and dynamic entries have in common: a row of the first is one of the second too.
const BOTH: &[In] = &[In::DynamicMap];

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "crypto map <name>",
        "{<1-65535:sequence> = [ipsec-isakmp [dynamic <map> [discover]|profile <profile>]|ipsec-manual|gdoi]|client {authentication list = <login-list>|configuration address {initiate|respond}|accounting list = <accounting-list>}|isakmp authorization list = <network-list>|local-address = <IF:interface> [<UNIT:unit>]|isakmp-profile = <profile>|redundancy = <LINE:rest>|gdoi = <LINE:rest>}",
        crypto_map,
    ),
    fold(In::Global, "crypto dynamic-map <name>", "<1-65535:sequence>", dynamic_map),
    fold(In::CryptoMap, "set peer", "{<A.B.C.D:peer>|<HOST:host>} = [dynamic] [default]", set_peer),
    fate(In::DynamicMap, "set peer", Fate::Unsupported("a dynamic entry accepts any peer")),
    fold(In::CryptoMap, "set transform-set", "= <set>...", transform_sets).also(BOTH),
    fold(In::CryptoMap, "set isakmp-profile = <profile>", "", profile).also(BOTH),
    fold(
        In::CryptoMap,
        "set pfs",
        "= [group1|group2|group5|group14|group15|group16|group19|group20|group21|group24]",
        pfs,
    )
    .also(BOTH),
    fold(
        In::CryptoMap,
        "set security-association lifetime",
        "{seconds = <120-2592000:seconds>|days = <1-30:days>|kilobytes = {disable|<2560-4294967295:kilobytes>}}",
        lifetime,
    )
    .also(BOTH),
    fold(In::CryptoMap, "set security-association idle-time", "= <60-86400:seconds> [default]", idle_time)
        .also(BOTH),
    fold(
        In::CryptoMap,
        "set security-association replay",
        "= {disable|window-size {64|128|256|512|1024|2048|4096}}",
        replay,
    )
    .also(BOTH),
    fate(
        In::CryptoMap,
        "set security-association level per-host",
        Fate::Unsupported("one SA for each ACL line, not for each host"),
    )
    .also(BOTH),
    fate(In::CryptoMap, "set security-association dfbit", OF_ALL).also(BOTH),
    fate(In::CryptoMap, "set security-association dummy", OF_ALL).also(BOTH),
    fate(In::CryptoMap, "set security-association ecn", OF_ALL).also(BOTH),
    fold(In::CryptoMap, "match address = <access-list>", "", match_address).also(BOTH),
    fold(In::CryptoMap, "reverse-route", "= [static] [<LINE:options>]", reverse_route).also(BOTH),
    fate(
        In::CryptoMap,
        "set ikev2-profile",
        Fate::Unsupported("IKEv2 is not implemented; the peer is called by IKEv1"),
    ),
    fate(In::DynamicMap, "set ikev2-profile", Fate::Unsupported("IKEv2 is not implemented")),
    fold(In::CryptoMap, "set ip access-group", "{= <access-list>} {in|out}", access_group).also(BOTH),
    fate(In::CryptoMap, "set nat demux", Fate::Unsupported("transport mode of several peers behind one NAT"))
        .also(BOTH),
    fate(In::CryptoMap, "set reverse-route", Fate::Unsupported("reverse routes have distance 1 and no tag"))
        .also(BOTH),
    fate(In::CryptoMap, "set identity", Fate::Unenforced("restricts the entry to certain certificates"))
        .also(BOTH),
    fate(In::CryptoMap, "set session-key", Fate::Unsupported("manual keys are not implemented")),
    fate(In::CryptoMap, "set group", Fate::Unsupported("GET VPN is not implemented")),
    fate(In::CryptoMap, "set df-bit", Fate::Unsupported("the global df-bit applies")),
    fate(In::CryptoMap, "qos pre-classify", Fate::Inert("there is no QoS to classify for")).also(BOTH),
    fate(In::CryptoMap, "responder-only", Fate::Unsupported("the entry may also initiate")),
];

const OF_ALL: Fate = Fate::Unsupported("the global setting applies");

fn crypto_map(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    let Some(sequence) = given.number("sequence") else {
        if given.is_bare() {
            fold.config.maps.remove(&name);
            return Ok(());
        }
        return map_wide(fold, given, &name);
    };
    if fold.no {
        if let Some(map) = fold.config.maps.place(&name) {
            fold.config.map_entries.remove(&(map, sequence));
        }
        drop_empty(fold, &name);
        return Ok(());
    }
    if given.has("ipsec-manual") || given.has("gdoi") {
        fold.fate = Some(Fate::Unsupported("only ipsec-isakmp entries are implemented"));
    } else if given.has("profile") {
        fold.fate = Some(Fate::Unsupported("IPsec profiles in crypto maps are not implemented"));
    }
    let line = fold.line;
    let map_place = map_of(fold, &name);
    let make = || MapEntry { sequence, line, ..MapEntry::default() };
    let place = fold.config.map_entries.entry((map_place, sequence), make);
    if let Some(found) = fold.config.map_entries.get_mut(place) {
        found.dynamic = given.string("map").or_else(|| found.dynamic.take());
    }
    fold.mode = Mode::CryptoMap(map_place, place);
    Ok(())
}

/// The map of a name, made if there is none.
fn map_of(fold: &mut Fold<'_>, name: &str) -> usize {
    let make = || CryptoMap { name: name.to_string(), ..CryptoMap::default() };
    fold.config.maps.entry(name.to_string(), make)
}

/// A map without entries and settings is not a map.
fn drop_empty(fold: &mut Fold<'_>, name: &str) {
    let empty = CryptoMap { name: name.to_string(), ..CryptoMap::default() };
    let Some(place) = fold.config.maps.place(name) else { return };
    let has_entries = fold.config.map_entries.has((place, 0)..=(place, u16::MAX));
    if !has_entries && fold.config.maps.get(place) == Some(&empty) {
        fold.config.maps.remove(name);
    }
}

/// What holds for a whole map: `client …`, `isakmp …`, `local-address …`.
fn map_wide(fold: &mut Fold<'_>, given: &Given<'_>, name: &str) -> Result<(), Problem> {
    let (no, line) = (fold.no, fold.line);
    let (login, network) = (given.string("login-list"), given.string("network-list"));
    let interface = fold.unless_no(given.interface("interface"));
    let place = map_of(fold, name);
    let Some(map) = fold.config.maps.get_mut(place) else { return Ok(()) };
    let fate = if given.has("accounting") {
        Some("nothing is accounted")
    } else if given.has("authentication") {
        let mut list = map.xauth_list.take();
        if !no || login.is_none() || list.as_ref().map(|(name, _)| name) == login.as_ref() {
            list = login.filter(|_| !no).map(|list| (list, line));
        }
        map.xauth_list = list;
        None
    } else if given.has("authorization") {
        name_it(&mut map.authorization_list, no, network);
        None
    } else if given.has("respond") {
        map.respond = !no;
        None
    } else if given.has("initiate") {
        map.initiate = !no;
        None
    } else if given.has("local-address") {
        map.local_address = interface;
        None
    } else {
        Some("not implemented for a whole map")
    };
    fold.fate = fate.filter(|_| !no).map(Fate::Unsupported);
    if no {
        drop_empty(fold, name);
    }
    Ok(())
}

fn dynamic_map(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    let sequence = given.number("sequence");
    if fold.no {
        let Some(map) = fold.config.dynamic_maps.place(&name) else { return Ok(()) };
        if let Some(sequence) = sequence {
            fold.config.dynamic_entries.remove(&(map, sequence));
        }
        if sequence.is_none() || !fold.config.dynamic_entries.has((map, 0)..=(map, u16::MAX)) {
            fold.config.dynamic_maps.remove(&name);
        }
        return Ok(());
    }
    let (sequence, line) = (sequence.unwrap_or_default(), fold.line);
    let make = || DynamicMap { name: name.clone(), entries: Vec::new() };
    let map_place = fold.config.dynamic_maps.entry(name.clone(), make);
    let make = || DynamicEntry { sequence, line, ..DynamicEntry::default() };
    let place = fold.config.dynamic_entries.entry((map_place, sequence), make);
    fold.mode = Mode::DynamicMap(map_place, place);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut EntryTerms)) {
    let config = &mut *fold.config;
    let terms = match fold.mode {
        Mode::CryptoMap(_, place) => config.map_entries.get_mut(place).map(|entry| &mut entry.terms),
        Mode::DynamicMap(_, place) => config.dynamic_entries.get_mut(place).map(|entry| &mut entry.terms),
        _ => None,
    };
    if let Some(terms) = terms {
        change(terms);
    }
}

/// `set peer PEER [default]`. The first peer is tried first again whenever the tunnel has gone,
/// whether it is the default or not.
fn set_peer(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let peer = given.address("peer").map(IpAddr::V4);
    if given.word("host").is_some() && !fold.no {
        fold.fate = Some(Fate::Unsupported("a peer must be an address; names are not resolved"));
    }
    let added = fold.unless_no(peer);
    if let (Mode::CryptoMap(_, entry), Some(peer)) = (fold.mode, peer) {
        fold.config.peers.replace((entry, peer), added);
    }
    Ok(())
}

fn transform_sets(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let sets = fold.unless_no(Some(given.strings("set"))).unwrap_or_default();
    change(fold, |terms| terms.transform_sets = sets);
    Ok(())
}

fn profile(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("profile"));
    change(fold, |terms| name_it(&mut terms.profile, no, given));
    Ok(())
}

fn pfs(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let group = fold.unless_no(Some(given.choose(GROUPS).unwrap_or(1)));
    if group == Some(24) {
        fold.fate = Some(Fate::Unsupported("group 24 is not implemented; the entry serves nobody"));
    }
    change(fold, |terms| terms.pfs = group);
    Ok(())
}

/// `set security-association lifetime {seconds N | days N | kilobytes {N | disable}}`
fn lifetime(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if is_of_time(given) {
        let seconds = fold.unless_no(given_seconds(given));
        change(fold, |terms| terms.seconds = seconds);
    } else {
        let volume = fold.unless_no(given_volume(given)?);
        change(fold, |terms| terms.volume = volume);
    }
    Ok(())
}

fn idle_time(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let seconds = fold.unless_no(given.number("seconds"));
    change(fold, |terms| terms.idle_time = seconds);
    Ok(())
}

fn replay(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let replay = fold.unless_no(given.choose(Replay::KEYWORDS));
    change(fold, |terms| terms.replay = replay);
    Ok(())
}

fn match_address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("access-list"));
    change(fold, |terms| name_it(&mut terms.acl, no, given));
    Ok(())
}

/// `set ip access-group LIST {in|out}`
fn access_group(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, list) = (fold.no, given.string("access-list"));
    let is_in = match given.choose(&[("in", true), ("out", false)]) {
        Some(is_in) => is_in,
        None => return Err(given.missing("in or out")),
    };
    change(fold, |terms| {
        let filter = if is_in { &mut terms.access_in } else { &mut terms.access_out };
        if !no {
            *filter = list;
        } else if *filter == list {
            *filter = None;
        }
    });
    Ok(())
}

fn reverse_route(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, is_static) = (fold.no, given.has("static"));
    if given.word("options").is_some() && !no {
        fold.fate = Some(Fate::Unsupported("reverse routes lead out by the crypto map's interface"));
    }
    change(fold, |terms| {
        terms.reverse_route = !no;
        terms.reverse_route_static = !no && is_static;
    });
    Ok(())
}
