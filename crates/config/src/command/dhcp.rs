//! `ip dhcp pool` and `ip dhcp excluded-address`.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold};
use crate::form::{Cursor, Problem};
use crate::model::DhcpPool;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "ip dhcp pool <name>", "", pool),
    fold(In::Global, "ip dhcp excluded-address", "<A.B.C.D:low> [<A.B.C.D:high>]", excluded),
    fold(In::Global, "service dhcp", "", |fold, cursor| {
        fold.config.dhcp_off = fold.no && !fold.default;
        cursor.finish()
    }),
    fate(In::Global, "ip dhcp", Fate::Inert("concerns the DHCP server's details")),
    fold(In::DhcpPool, "network", "= <A.B.C.D:network> [<mask>]", network),
    fold(In::DhcpPool, "default-router", "= <A.B.C.D:router>...", routers),
    fold(In::DhcpPool, "dns-server", "= <A.B.C.D:server>...", dns),
    fold(In::DhcpPool, "domain-name = <name>", "", domain),
    fold(In::DhcpPool, "lease", "= {infinite|<0-365:days> [<0-23:hours>] [<0-59:minutes>]}", lease),
    fate(In::DhcpPool, "import all", Fate::Unsupported("nothing is imported from another server")),
    fold(In::DhcpPool, "host", "= <A.B.C.D:address> [<mask>]", host),
    fold(In::DhcpPool, "hardware-address", "= <address> [<kind>]", hardware),
    fold(In::DhcpPool, "client-identifier", "= <identifier>", client_identifier),
    fate(In::DhcpPool, "option", Fate::Unsupported("the option is not sent")),
    fate(In::DhcpPool, "netbios-name-server", Fate::Unsupported("the option is not sent")),
];

fn pool(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.dhcp_pools.retain(|pool| pool.name != name);
        return Ok(());
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.dhcp_pools,
        |pool| pool.name == name,
        || DhcpPool { name: name.clone(), line, ..DhcpPool::default() },
    );
    fold.mode = Mode::DhcpPool(place);
    cursor.finish()
}

fn excluded(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let low = cursor.address()?;
    let high = cursor.optional_address().unwrap_or(low);
    fold.config.dhcp_excluded.retain(|known| *known != (low, high));
    if !fold.no {
        fold.config.dhcp_excluded.push((low, high));
    }
    cursor.finish()
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut DhcpPool)) {
    if let Mode::DhcpPool(place) = fold.mode
        && let Some(pool) = fold.config.dhcp_pools.get_mut(place)
    {
        change(pool);
    }
}

fn network(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        change(fold, |pool| pool.network = None);
        return Ok(());
    }
    let net = prefix(cursor)?.trunc();
    change(fold, |pool| pool.network = Some(net));
    Ok(())
}

/// An address with a mask, a prefix length, or neither.
fn prefix(cursor: &mut Cursor<'_>) -> Result<ipnet::Ipv4Net, Problem> {
    let address = cursor.address()?;
    let problem = cursor.problem("a network mask");
    let net = match cursor.next() {
        Some(word) => match word.strip_prefix('/') {
            Some(length) => length.parse().ok().and_then(|length| ipnet::Ipv4Net::new(address, length).ok()),
            None => word.parse().ok().and_then(|mask| ipnet::Ipv4Net::with_netmask(address, mask).ok()),
        },
        None => ipnet::Ipv4Net::new(address, 24).ok(),
    };
    net.ok_or(problem)
}

/// `host A [MASK | /N]`
fn host(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        change(fold, |pool| pool.host = None);
        return Ok(());
    }
    let net = prefix(cursor)?;
    change(fold, |pool| pool.host = Some(net));
    Ok(())
}

/// Bytes in hexadecimal, in groups as IOS writes them: `0100.5e00.5301`, or with colons.
fn bytes(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<Vec<u8>, Problem> {
    let problem = cursor.problem(expected);
    let digits: String = cursor.word(expected)?.chars().filter(|c| !matches!(c, '.' | ':' | '-')).collect();
    let pairs: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
        .map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    pairs.filter(|bytes| !bytes.is_empty()).ok_or(problem)
}

/// `hardware-address H.H.H [ethernet | 1]`
fn hardware(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        change(fold, |pool| pool.hardware = None);
        return Ok(());
    }
    let problem = cursor.problem("a hardware address H.H.H");
    let mac: [u8; 6] = bytes(cursor, "a hardware address H.H.H")?.try_into().map_err(|_| problem)?;
    cursor.rest();
    change(fold, |pool| pool.hardware = Some(mac));
    Ok(())
}

/// `client-identifier HH.HHHH…`
fn client_identifier(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        change(fold, |pool| pool.client_identifier = None);
        return Ok(());
    }
    let identifier = bytes(cursor, "a client identifier in hexadecimal")?;
    cursor.rest();
    change(fold, |pool| pool.client_identifier = Some(identifier));
    Ok(())
}

fn addresses(cursor: &mut Cursor<'_>) -> Result<Vec<std::net::Ipv4Addr>, Problem> {
    let mut out = Vec::new();
    while cursor.peek().is_some_and(|word| !word.starts_with('!')) {
        out.push(cursor.address()?);
    }
    Ok(out)
}

/// With `no`, the named ones go, or all if none is named.
fn set(list: &mut Vec<std::net::Ipv4Addr>, given: Vec<std::net::Ipv4Addr>, no: bool) {
    match (no, given.is_empty()) {
        (false, _) => *list = given,
        (true, true) => list.clear(),
        (true, false) => list.retain(|known| !given.contains(known)),
    }
}

fn routers(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, routers) = (fold.no, addresses(cursor)?);
    change(fold, |pool| set(&mut pool.routers, routers, no));
    Ok(())
}

fn dns(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, servers) = (fold.no, addresses(cursor)?);
    change(fold, |pool| set(&mut pool.dns, servers, no));
    Ok(())
}

fn domain(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |pool| pool.domain = (!no).then_some(name));
    cursor.finish()
}

/// `lease {DAYS [HOURS [MINUTES]] | infinite}`
fn lease(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        change(fold, |pool| pool.lease = None);
        return Ok(());
    }
    let seconds = if cursor.keyword("infinite") {
        u32::MAX
    } else {
        let days = cursor.number("days 0-365", 0..=365)?;
        let hours = cursor.optional_number().unwrap_or(0);
        let minutes = cursor.optional_number().unwrap_or(0);
        days.saturating_mul(86400)
            .saturating_add(hours.saturating_mul(3600))
            .saturating_add(minutes.saturating_mul(60))
    };
    change(fold, |pool| pool.lease = Some(seconds));
    Ok(())
}
