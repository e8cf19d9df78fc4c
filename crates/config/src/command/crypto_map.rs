//! `crypto map` and `crypto dynamic-map`.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold};
use crate::form::{Cursor, Problem, is};
use crate::model::{CryptoMap, DynamicEntry, DynamicMap, EntryTerms, MapEntry, Volume};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "crypto map <name>",
        "{<1-65535:sequence> = [ipsec-isakmp [dynamic <map> [discover]|profile <profile>]|ipsec-manual|gdoi]|client {authentication list = <list>|configuration address {initiate|respond}|accounting list = <list>}|isakmp authorization list = <list>|local-address = <IF:interface> [<UNIT:unit>]|isakmp-profile = <profile>|redundancy = <LINE:rest>|gdoi = <LINE:rest>}",
        crypto_map,
    ),
    fold(In::Global, "crypto dynamic-map <name>", "<1-65535:sequence>", dynamic_map),
    fold(In::CryptoMap, "set peer", "<peer> = [dynamic] [default]", set_peer),
    fate(In::CryptoMap, "description", Fate::NoOp),
    fate(In::DynamicMap, "description", Fate::NoOp),
    fate(In::DynamicMap, "set peer", Fate::Unsupported("a dynamic entry accepts any peer")),
    fold(In::CryptoMap, "set transform-set", "= <set>...", transform_set),
    fold(In::DynamicMap, "set transform-set", "= <set>...", transform_set),
    fold(In::CryptoMap, "set isakmp-profile = <name>", "", profile),
    fold(In::DynamicMap, "set isakmp-profile = <name>", "", profile),
    fold(
        In::CryptoMap,
        "set pfs",
        "= [group1|group2|group5|group14|group15|group16|group19|group20|group21|group24]",
        pfs,
    ),
    fold(
        In::DynamicMap,
        "set pfs",
        "= [group1|group2|group5|group14|group15|group16|group19|group20|group21|group24]",
        pfs,
    ),
    fold(
        In::CryptoMap,
        "set security-association",
        "{lifetime {seconds = <120-2592000:seconds>|kilobytes = {disable|<2560-4294967295:kilobytes>}}|idle-time = <60-86400:seconds> [default]|replay = {disable|window-size {64|128|256|512|1024|2048|4096}}|level = per-host|dfbit = {clear|copy|set}|dummy = <LINE:rest>|ecn = <LINE:rest>}",
        association,
    ),
    fold(
        In::DynamicMap,
        "set security-association",
        "{lifetime {seconds = <120-2592000:seconds>|kilobytes = {disable|<2560-4294967295:kilobytes>}}|idle-time = <60-86400:seconds> [default]|replay = {disable|window-size {64|128|256|512|1024|2048|4096}}|level = per-host|dfbit = {clear|copy|set}|dummy = <LINE:rest>|ecn = <LINE:rest>}",
        association,
    ),
    fold(In::CryptoMap, "match address = <acl>", "", match_address),
    fold(In::DynamicMap, "match address = <acl>", "", match_address),
    fold(In::CryptoMap, "reverse-route", "= [<LINE:rest>]", reverse_route),
    fold(In::DynamicMap, "reverse-route", "= [<LINE:rest>]", reverse_route),
    fate(
        In::CryptoMap,
        "set ikev2-profile",
        Fate::Unsupported("IKEv2 is not implemented; the peer is called by IKEv1"),
    ),
    fate(In::DynamicMap, "set ikev2-profile", Fate::Unsupported("IKEv2 is not implemented")),
    fate(In::CryptoMap, "set ip access-group", Fate::Unenforced("filters what comes out of the tunnel")),
    fate(In::DynamicMap, "set ip access-group", Fate::Unenforced("filters what comes out of the tunnel")),
    fate(In::CryptoMap, "set nat demux", Fate::Unsupported("transport mode of several peers behind one NAT")),
    fate(
        In::DynamicMap,
        "set nat demux",
        Fate::Unsupported("transport mode of several peers behind one NAT"),
    ),
    fate(In::CryptoMap, "set reverse-route", Fate::Unsupported("reverse routes have distance 1 and no tag")),
    fate(In::DynamicMap, "set reverse-route", Fate::Unsupported("reverse routes have distance 1 and no tag")),
    fate(In::CryptoMap, "set identity", Fate::Unenforced("restricts the entry to certain certificates")),
    fate(In::DynamicMap, "set identity", Fate::Unenforced("restricts the entry to certain certificates")),
    fate(In::CryptoMap, "set session-key", Fate::Unsupported("manual keys are not implemented")),
    fate(In::CryptoMap, "set group", Fate::Unsupported("GET VPN is not implemented")),
    fate(In::CryptoMap, "set df-bit", Fate::Unsupported("the global df-bit applies")),
    fate(In::CryptoMap, "qos pre-classify", Fate::Inert("there is no QoS to classify for")),
    fate(In::DynamicMap, "qos pre-classify", Fate::Inert("there is no QoS to classify for")),
    fate(In::CryptoMap, "responder-only", Fate::Unsupported("the entry may also initiate")),
];

/// The map-wide forms: `client …`, `isakmp …`, `local-address …`.
fn map_wide(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>, name: &str) -> Result<bool, Problem> {
    let (no, line) = (fold.no, fold.line);
    if no && fold.config.maps.iter().all(|map| map.name != name) {
        cursor.rest();
        return Ok(true);
    }
    let place = entry(
        &mut fold.config.maps,
        |map| map.name == name,
        || CryptoMap { name: name.to_string(), ..CryptoMap::default() },
    );
    let mut fate = None;
    let Some(map) = fold.config.maps.get_mut(place) else { return Ok(false) };
    if cursor.keyword("client") {
        if cursor.keyword("authentication") {
            cursor.keyword("list");
            map.xauth_list = if no { None } else { Some((cursor.word("a list")?.to_string(), line)) };
        } else if cursor.keyword("configuration") {
            cursor.keyword("address");
            if cursor.keyword("respond") {
                map.respond = !no;
            } else if cursor.keyword("initiate") {
                map.initiate = !no;
                fate = (!no).then_some(Fate::Unsupported("addresses are assigned on request, not pushed"));
            } else {
                return Err(cursor.problem("respond or initiate"));
            }
        } else {
            cursor.rest();
            fate = Some(Fate::Unsupported("nothing is accounted"));
        }
    } else if cursor.keyword("isakmp") {
        cursor.keyword("authorization");
        cursor.keyword("list");
        map.authorization_list = if no { None } else { Some(cursor.word("a list")?.to_string()) };
    } else if cursor.keyword("local-address") {
        cursor.rest();
        fate =
            Some(Fate::Unsupported("tunnels terminate at the address of the interface with the crypto map"));
    } else if cursor
        .peek()
        .is_some_and(|word| is(word, "isakmp-profile") || is(word, "redundancy") || is(word, "gdoi"))
    {
        cursor.rest();
        fate = Some(Fate::Unsupported("not implemented for a whole map"));
    } else {
        return Ok(false);
    }
    fold.fate = fate.filter(|_| !no);
    Ok(true)
}

fn crypto_map(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    let Some(sequence) = cursor.peek() else {
        if fold.no {
            fold.config.maps.retain(|map| map.name != name);
            return Ok(());
        }
        return Err(cursor.problem("a sequence number 1-65535"));
    };
    if sequence.parse::<u32>().is_err() {
        return match map_wide(fold, cursor, &name)? {
            true => Ok(()),
            false => Err(cursor.problem("a sequence number 1-65535, client, isakmp or local-address")),
        };
    }
    let sequence = cursor.number("a sequence number 1-65535", 1..=65535)? as u16;
    let line = fold.line;
    if fold.no {
        for map in fold.config.maps.iter_mut().filter(|map| map.name == name) {
            map.entries.retain(|entry| entry.sequence != sequence);
        }
        // a map without entries is not a map
        let empty = CryptoMap { name: name.clone(), ..CryptoMap::default() };
        fold.config.maps.retain(|map| *map != empty);
        cursor.rest();
        return Ok(());
    }
    let map_place = entry(
        &mut fold.config.maps,
        |map| map.name == name,
        || CryptoMap { name: name.clone(), ..CryptoMap::default() },
    );
    let Some(map) = fold.config.maps.get_mut(map_place) else { return Ok(()) };
    let mut dynamic = None;
    let mut fate = None;
    if cursor.keyword("ipsec-isakmp") {
        if cursor.keyword("dynamic") {
            dynamic = Some(cursor.word("a dynamic map")?.to_string());
            cursor.rest();
        } else if cursor.keyword("profile") {
            cursor.rest();
            fate = Some(Fate::Unsupported("IPsec profiles in crypto maps are not implemented"));
        }
    } else if let Some(word) = cursor.peek() {
        if !is(word, "ipsec-manual") && !is(word, "gdoi") {
            return Err(cursor.problem("ipsec-isakmp"));
        }
        cursor.rest();
        fate = Some(Fate::Unsupported("only ipsec-isakmp entries are implemented"));
    }
    let place = entry(
        &mut map.entries,
        |entry| entry.sequence == sequence,
        || MapEntry { sequence, line, ..MapEntry::default() },
    );
    if let Some(found) = map.entries.get_mut(place) {
        found.dynamic = dynamic.or_else(|| found.dynamic.clone());
    }
    fold.fate = fate;
    fold.mode = Mode::CryptoMap(map_place, place);
    cursor.finish()
}

fn dynamic_map(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no && cursor.peek().is_none() {
        fold.config.dynamic_maps.retain(|map| map.name != name);
        return Ok(());
    }
    let sequence = cursor.number("a sequence number 1-65535", 1..=65535)? as u16;
    let line = fold.line;
    if fold.no {
        for map in fold.config.dynamic_maps.iter_mut().filter(|map| map.name == name) {
            map.entries.retain(|entry| entry.sequence != sequence);
        }
        fold.config.dynamic_maps.retain(|map| map.name != name || !map.entries.is_empty());
        return Ok(());
    }
    let map_place = entry(
        &mut fold.config.dynamic_maps,
        |map| map.name == name,
        || DynamicMap { name: name.clone(), entries: Vec::new() },
    );
    let Some(map) = fold.config.dynamic_maps.get_mut(map_place) else { return Ok(()) };
    let place = entry(
        &mut map.entries,
        |entry| entry.sequence == sequence,
        || DynamicEntry { sequence, line, ..DynamicEntry::default() },
    );
    fold.mode = Mode::DynamicMap(map_place, place);
    cursor.finish()
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut EntryTerms)) {
    let terms = match fold.mode {
        Mode::CryptoMap(map, place) => fold
            .config
            .maps
            .get_mut(map)
            .and_then(|map| map.entries.get_mut(place))
            .map(|entry| &mut entry.terms),
        Mode::DynamicMap(map, place) => fold
            .config
            .dynamic_maps
            .get_mut(map)
            .and_then(|map| map.entries.get_mut(place))
            .map(|entry| &mut entry.terms),
        _ => None,
    };
    if let Some(terms) = terms {
        change(terms);
    }
}

fn set_peer(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let word = cursor.word("a peer")?;
    let Ok(peer) = word.parse::<Ipv4Addr>().map(IpAddr::V4) else {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported("a peer must be an address; names are not resolved"));
        return Ok(());
    };
    // the first peer is tried first again whenever the tunnel has gone, whether it is the default
    // or not
    let _default = cursor.keyword("default");
    if let Mode::CryptoMap(map, place) = fold.mode
        && let Some(found) = fold.config.maps.get_mut(map).and_then(|map| map.entries.get_mut(place))
    {
        found.peers.retain(|known| *known != peer);
        if !fold.no {
            found.peers.push(peer);
        }
    }
    cursor.finish()
}

fn transform_set(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mut names = Vec::new();
    while let Some(name) = cursor.peek().filter(|word| !word.starts_with('!')) {
        names.push(name.to_string());
        cursor.next();
    }
    if names.is_empty() && !fold.no {
        return Err(cursor.problem("a transform set"));
    }
    let no = fold.no;
    change(fold, |terms| terms.transform_sets = if no { Vec::new() } else { names });
    Ok(())
}

fn profile(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |terms| terms.profile = (!no).then_some(name));
    cursor.finish()
}

fn pfs(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let problem = cursor.problem("group1, group2, group5, group14, …");
    let group = match cursor.next() {
        None => 1,
        Some(word) => {
            let number = word.strip_prefix("group").and_then(|number| number.parse().ok()).ok_or(problem)?;
            if number == 24 {
                fold.fate = Some(Fate::Unsupported("group 24 is not implemented; the entry serves nobody"));
            }
            number
        }
    };
    let no = fold.no;
    change(fold, |terms| terms.pfs = (!no).then_some(group));
    Ok(())
}

fn association(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    if cursor.keyword("lifetime") {
        if cursor.keyword("seconds") {
            let seconds =
                if no { None } else { Some(cursor.number("seconds 120-2592000", 120..=2_592_000)?) };
            change(fold, |terms| terms.seconds = seconds);
        } else if cursor.keyword("kilobytes") {
            let volume = match no {
                true => None,
                false if cursor.keyword("disable") => Some(Volume::Unlimited),
                false => Some(Volume::Kilobytes(cursor.number("kilobytes", 2560..=u32::MAX)?)),
            };
            change(fold, |terms| terms.volume = volume);
        } else {
            return Err(cursor.problem("seconds or kilobytes"));
        }
    } else if cursor.keyword("idle-time") {
        let idle = if no { None } else { Some(cursor.number("seconds 60-86400", 60..=86400)?) };
        change(fold, |terms| terms.idle_time = idle);
    } else if cursor.keyword("replay") {
        let size = if no { None } else { Some(super::ipsec::read_replay(cursor)?) };
        change(fold, |terms| terms.replay_window = size);
    } else if no {
        // there is nothing to negate
    } else if cursor.keyword("level") {
        fold.fate = Some(Fate::Unsupported("one SA for each ACL line, not for each host"));
    } else if cursor.keyword("dfbit") || cursor.keyword("dummy") || cursor.keyword("ecn") {
        fold.fate = Some(Fate::Unsupported("the global setting applies"));
    } else {
        return Err(cursor.problem("lifetime, idle-time or replay"));
    }
    cursor.rest();
    Ok(())
}

fn match_address(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |terms| terms.acl = (!no).then_some(name));
    cursor.finish()
}

fn reverse_route(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    let fixed = cursor.keyword("static");
    if cursor.peek().is_some() && !no {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported("reverse routes lead out by the crypto map's interface"));
    }
    change(fold, |terms| {
        terms.reverse_route = !no;
        terms.reverse_route_static = !no && fixed;
    });
    Ok(())
}
