//! `ip dhcp pool` and `ip dhcp excluded-address`.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, No, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{DhcpLease, DhcpPool};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "ip dhcp pool <name>", "", pool),
    fold(In::Global, "ip dhcp excluded-address", "<A.B.C.D:low> [<A.B.C.D:high>]", excluded),
    fold(In::Global, "service dhcp", "", |fold, _| {
        fold.config.dhcp_off = fold.no && !fold.default;
        Ok(())
    })
    .no(No::IsASetting),
    fate(In::Global, "ip dhcp", Fate::Inert("concerns the DHCP server's details")),
    fold(
        In::DhcpPool,
        "network",
        "= <A.B.C.D:address> [<A.B.C.D:mask>|</nn:prefix-length>] [secondary]",
        network,
    ),
    fold(In::DhcpPool, "default-router", "= <A.B.C.D:router>...", routers),
    fold(In::DhcpPool, "dns-server", "= <A.B.C.D:server>...", dns),
    fold(In::DhcpPool, "domain-name = <name>", "", domain),
    fold(In::DhcpPool, "lease", "= {infinite|<0-365:days> [<0-23:hours> [<0-59:minutes>]]}", lease),
    fate(In::DhcpPool, "import all", Fate::Unsupported("nothing is imported from another server")),
    fold(In::DhcpPool, "host", "= <A.B.C.D:address> [<A.B.C.D:mask>|</nn:prefix-length>]", host),
    fold(In::DhcpPool, "hardware-address", "= <hardware> [<kind>]", hardware),
    fold(In::DhcpPool, "client-identifier", "= <identifier>", client_identifier),
    fate(In::DhcpPool, "option", Fate::Unsupported("the option is not sent")),
    fate(In::DhcpPool, "netbios-name-server", Fate::Unsupported("the option is not sent")),
];

fn pool(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.dhcp_pools.remove(&name);
        return Ok(());
    }
    let line = fold.line;
    let make = || DhcpPool { name: name.clone(), line, ..DhcpPool::default() };
    let place = fold.config.dhcp_pools.entry(name.clone(), make);
    fold.mode = Mode::DhcpPool(place);
    Ok(())
}

fn excluded(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Some(low) = given.address("low") else {
        return Err(given.missing("an address A.B.C.D"));
    };
    let high = given.address("high").unwrap_or(low);
    let range = fold.unless_no(Some((low, high)));
    fold.config.dhcp_excluded.replace((low, high), range);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut DhcpPool)) {
    if let Mode::DhcpPool(place) = fold.mode
        && let Some(pool) = fold.config.dhcp_pools.get_mut(place)
    {
        change(pool);
    }
}

/// `ADDRESS [MASK | /N]`; a network of 256 addresses when neither is given. With `no`, nothing need
/// be given.
fn prefix(fold: &Fold<'_>, given: &Given<'_>) -> Result<Option<Ipv4Net>, Problem> {
    let Some(address) = given.address("address").filter(|_| !fold.no) else { return Ok(None) };
    let net = match given.address("mask") {
        Some(mask) => Ipv4Net::with_netmask(address, mask).ok(),
        None => Ipv4Net::new(address, given.prefix_length("prefix-length").unwrap_or(24)).ok(),
    };
    net.map(Some).ok_or_else(|| given.problem("mask", "a network mask"))
}

fn network(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let net = prefix(fold, given)?;
    if given.has("secondary") {
        fold.fate =
            Some(Fate::Unsupported("no addresses of a second network are assigned")).filter(|_| !fold.no);
        return Ok(());
    }
    change(fold, |pool| pool.network = net.map(|net| net.trunc()));
    Ok(())
}

/// `host A [MASK | /N]`
fn host(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let net = prefix(fold, given)?;
    change(fold, |pool| pool.host = net);
    Ok(())
}

/// Bytes in hexadecimal, in groups as IOS writes them: `0100.5e00.5301`, or with colons.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | ':' | '-')).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect::<Option<Vec<u8>>>().filter(|bytes| !bytes.is_empty())
}

/// `hardware-address H.H.H [ethernet | 1]`
fn hardware(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let mac = given.word("hardware").and_then(bytes).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    if mac.is_none() && !fold.no {
        return Err(given.problem("hardware", "a hardware address H.H.H"));
    }
    let mac = fold.unless_no(mac);
    change(fold, |pool| pool.hardware = mac);
    Ok(())
}

/// `client-identifier HH.HHHH…`
fn client_identifier(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let identifier = given.word("identifier").and_then(bytes);
    if identifier.is_none() && !fold.no {
        return Err(given.problem("identifier", "a client identifier in hexadecimal"));
    }
    let identifier = fold.unless_no(identifier);
    change(fold, |pool| pool.client_identifier = identifier);
    Ok(())
}

/// With `no`, the named ones go, or all if none is named.
fn set(list: &mut Vec<Ipv4Addr>, given: Vec<Ipv4Addr>, no: bool) {
    match no {
        false => *list = given,
        true => list.retain(|known| !given.is_empty() && !given.contains(known)),
    }
}

fn routers(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, routers) = (fold.no, given.addresses("router").collect());
    change(fold, |pool| set(&mut pool.routers, routers, no));
    Ok(())
}

fn dns(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, servers) = (fold.no, given.addresses("server").collect());
    change(fold, |pool| set(&mut pool.dns, servers, no));
    Ok(())
}

fn domain(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = fold.unless_no(given.string("name"));
    change(fold, |pool| pool.domain = name);
    Ok(())
}

/// `lease {DAYS [HOURS [MINUTES]] | infinite}`
fn lease(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let part = |name| given.number::<u32>(name).unwrap_or_default();
    let lease = match given.has("infinite") {
        true => DhcpLease::Infinite,
        false => DhcpLease::Seconds(part("days") * 86400 + part("hours") * 3600 + part("minutes") * 60),
    };
    let lease = fold.unless_no(Some(lease));
    change(fold, |pool| pool.lease = lease);
    Ok(())
}
