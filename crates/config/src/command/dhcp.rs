//! `ip dhcp pool` and `ip dhcp excluded-address`.

use super::{Action, Fate, Fold, In, Mode, Row, entry};
use crate::form::{Cursor, Problem};
use crate::model::DhcpPool;

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "ip dhcp pool <name>", action: Action::Fold(pool) },
    Row { mode: In::Global, form: "ip dhcp excluded-address", action: Action::Fold(excluded) },
    Row {
        mode: In::Global,
        form: "ip dhcp",
        action: Action::Fate(Fate::Inert("concerns the DHCP server's details")),
    },
    Row { mode: In::DhcpPool, form: "network", action: Action::Fold(network) },
    Row { mode: In::DhcpPool, form: "default-router", action: Action::Fold(routers) },
    Row { mode: In::DhcpPool, form: "dns-server", action: Action::Fold(dns) },
    Row { mode: In::DhcpPool, form: "domain-name <name>", action: Action::Fold(domain) },
    Row { mode: In::DhcpPool, form: "lease", action: Action::Fold(lease) },
    Row {
        mode: In::DhcpPool,
        form: "import all",
        action: Action::Fate(Fate::Unsupported("nothing is imported from another server")),
    },
    Row {
        mode: In::DhcpPool,
        form: "host",
        action: Action::Fate(Fate::Unsupported("fixed addresses are not implemented")),
    },
    Row {
        mode: In::DhcpPool,
        form: "hardware-address",
        action: Action::Fate(Fate::Unsupported("fixed addresses are not implemented")),
    },
    Row {
        mode: In::DhcpPool,
        form: "client-identifier",
        action: Action::Fate(Fate::Unsupported("fixed addresses are not implemented")),
    },
    Row {
        mode: In::DhcpPool,
        form: "option",
        action: Action::Fate(Fate::Unsupported("the option is not sent")),
    },
    Row {
        mode: In::DhcpPool,
        form: "netbios-name-server",
        action: Action::Fate(Fate::Unsupported("the option is not sent")),
    },
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
    let address = cursor.address()?;
    let problem = cursor.problem("a network mask");
    let net = match cursor.next() {
        Some(word) => match word.strip_prefix('/') {
            Some(length) => length.parse().ok().and_then(|length| ipnet::Ipv4Net::new(address, length).ok()),
            None => word.parse().ok().and_then(|mask| ipnet::Ipv4Net::with_netmask(address, mask).ok()),
        },
        None => ipnet::Ipv4Net::new(address, 24).ok(),
    };
    let net = net.ok_or(problem)?.trunc();
    let no = fold.no;
    change(fold, |pool| pool.network = (!no).then_some(net));
    Ok(())
}

fn addresses(cursor: &mut Cursor<'_>) -> Result<Vec<std::net::Ipv4Addr>, Problem> {
    let mut out = Vec::new();
    while cursor.peek().is_some_and(|word| !word.starts_with('!')) {
        out.push(cursor.address()?);
    }
    Ok(out)
}

fn routers(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let routers = addresses(cursor)?;
    change(fold, |pool| pool.routers = routers);
    Ok(())
}

fn dns(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let servers = addresses(cursor)?;
    change(fold, |pool| pool.dns = servers);
    Ok(())
}

fn domain(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    change(fold, |pool| pool.domain = (!no).then_some(name));
    cursor.finish()
}

/// `lease {DAYS [HOURS [MINUTES]] | infinite}`
fn lease(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
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
    let no = fold.no;
    change(fold, |pool| pool.lease = (!no).then_some(seconds));
    Ok(())
}
