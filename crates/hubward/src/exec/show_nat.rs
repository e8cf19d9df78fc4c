//! `show ip nat translations`, `show ip nat statistics`, `clear ip nat translation`.

use crate::base::date::{age, clock_time};
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{Answers, Desk, Refusal};
use crate::router::held;
use crate::router::translations::{Kind, Place, Translation, Wanted, dynamic_rules, pool, translations};
use crate::views::snapshot::Snapshot;
use hubward_config::acl::names;
use hubward_config::model::{Config, DynamicNat, NatPool, NatSelect, NatSide, NatTo};
use hubward_linux::Error;
use hubward_linux::nftables::Nftables;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// `show ip nat translations`
pub(super) fn table(context: &Context, arguments: &Arguments) -> Output {
    let protocol = ["icmp", "tcp", "udp"].into_iter().find(|protocol| arguments.has(protocol));
    let protocol = protocol.and_then(number);
    let Listed { mut rows, more } = listed(&context.snapshot)?;
    rows.retain(|row| protocol.is_none() || row.protocol == protocol);
    shown(Table { snapshot: Arc::clone(&context.snapshot), rows, more, verbose: arguments.has("verbose") })
}

/// `show ip nat statistics`
pub(super) fn statistics(context: &Context, _: &Arguments) -> Output {
    let Listed { rows, more } = listed(&context.snapshot)?;
    shown(Statistics { snapshot: Arc::clone(&context.snapshot), rows, more })
}

/// `clear ip nat translation …`
pub(super) fn clear(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let place = |address: &str, port: &str| -> Result<Option<Place>, Refusal> {
        let Some(address) = arguments.parsed::<Ipv4Addr>(address)? else { return Ok(None) };
        Ok(Some(Place { address, port: arguments.parsed(port)? }))
    };
    let pair = |first: (&str, &str), second: (&str, &str)| -> Result<Option<(Place, Place)>, Refusal> {
        Ok(place(first.0, first.1)?.zip(place(second.0, second.1)?))
    };
    let protocol = ["tcp", "udp"].into_iter().find(|protocol| arguments.has(protocol));
    let wanted = Wanted {
        protocol: protocol.and_then(number),
        inside: pair(("inside-global", "global-port"), ("inside-local", "local-port"))?,
        outside: pair(("outside-local", "outside-local-port"), ("outside-global", "outside-global-port"))?,
    };
    // addresses first: no connection begins with one that is taken back
    let released = release(desk, &wanted).map_err(|error| pools_unreadable(&error))?;
    let removed = released + wanted.remove().map_err(|error| unreadable(&error))?;
    desk.views.ordered();
    let named = wanted.inside.is_some() || wanted.outside.is_some();
    match removed {
        0 if named => Err(Refusal::Failed("Translation not found".into())),
        _ => Ok(String::new()),
    }
}

/// `clear ip nat statistics`
pub(super) fn clear_statistics(desk: &Desk, _: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    desk.views.clear_nat_statistics();
    desk.views.ordered();
    Ok(String::new())
}

/// Takes addresses of pools from hosts; how many.
fn release(desk: &Desk, wanted: &Wanted) -> Result<usize, Error> {
    let pools = desk.views.snapshot().nat_pools();
    if pools.is_empty() || !wanted.takes_addresses() {
        return Ok(0);
    }
    let filters = Nftables::open()?;
    let there = held::read(&filters, &pools)?;
    let mut released = 0;
    for pool in &pools {
        let held = there.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
        let held: Vec<_> = held.iter().filter(|one| wanted.takes(one)).copied().collect();
        if !held.is_empty() {
            held::release(&filters, pool, &held)?;
        }
        released += held.len();
    }
    Ok(released)
}

fn number(protocol: &str) -> Option<u8> {
    names::PROTOCOLS.iter().find(|(name, _)| *name == protocol).map(|(_, number)| *number)
}

fn unreadable(error: &Error) -> Refusal {
    Refusal::Failed(format!("The kernel's table of connections cannot be used: {error}"))
}

fn pools_unreadable(error: &Error) -> Refusal {
    Refusal::Failed(format!("Who has addresses of pools is not known: {error}"))
}

/// The translations of a gateway.
struct Listed {
    rows: Vec<Translation>,
    /// Connections that are translated too, beyond the number that is read.
    more: usize,
}

fn listed(snapshot: &Snapshot) -> Result<Listed, Refusal> {
    let listing = snapshot.translations.listing().map_err(|error| unreadable(&error))?;
    let of = |name: &str| snapshot.interfaces.iter().find(|one| one.name == name)?.net.map(|net| net.addr());
    let pools = snapshot.nat_pools();
    let held = snapshot.translations.holdings(&pools).map_err(|error| pools_unreadable(&error))?;
    let rows = translations(
        &snapshot.parsed.config,
        of,
        &listing.connections,
        (&held, snapshot.translations.kernels()),
    );
    Ok(Listed { rows, more: listing.more })
}

/// The line below a list that is not complete.
fn tell_left_out(more: usize, out: &mut dyn Write) -> io::Result<()> {
    match more {
        0 => Ok(()),
        1 => writeln!(out, "% 1 more translation is left out"),
        more => writeln!(out, "% {more} more translations are left out"),
    }
}

/// A translation.
#[derive(Debug, Serialize)]
struct TableRow {
    /// `tcp`, `udp`, `icmp`, another, or nothing for a pair of addresses.
    protocol: Option<String>,
    inside_global: String,
    inside_local: String,
    outside_local: Option<String>,
    outside_global: Option<String>,
    /// `static`, `dynamic`
    kind: &'static str,
    /// The number of the rule in `show ip nat statistics`.
    mapping: Option<usize>,
    /// Seconds since it began, where the kernel notes it.
    age: Option<u64>,
    /// Seconds that it stays without a packet.
    timeout: Option<u64>,
    /// Seconds that are left of them.
    left: Option<u64>,
    /// Packets in both directions, where the kernel counts them.
    packets: Option<u64>,
}

struct Table {
    snapshot: Arc<Snapshot>,
    rows: Vec<Translation>,
    more: usize,
    verbose: bool,
}

impl Table {
    /// Seconds since a translation began.
    fn age(&self, row: &Translation) -> Option<u64> {
        let began = std::time::Duration::from_nanos(row.began?);
        Some(self.snapshot.wall.saturating_sub(began).as_secs())
    }

    /// The lines below a translation.
    fn details(&self, row: &Translation, out: &mut dyn Write) -> io::Result<()> {
        let flags = match row.kind {
            Kind::Static if row.is_extended() => "extended, static",
            Kind::Static => "static",
            Kind::Connection if row.closing => "extended, timing-out",
            Kind::Connection => "extended",
            Kind::Simple => "none",
        };
        let (create, used, timeout) = match row.timeout {
            // its last packet started the time anew
            Some((of, left)) => {
                let used = of.saturating_sub(left).as_secs();
                let left = format!(", left {}", clock_time(left.as_secs()));
                (self.age(row).unwrap_or(used).max(used), used, format!("{}{left}", of.as_millis()))
            }
            None => {
                let since = self.snapshot.now.since(self.snapshot.started).as_secs();
                (since, since, "0".to_owned())
            }
        };
        let map = row.rule.map(|rule| format!("Map-Id(In): {rule}, ")).unwrap_or_default();
        writeln!(out, "    create {}, use {} timeout:{timeout}, {map}", age(create), age(used))?;
        writeln!(out, "    flags: \n{flags}, use_count: 0, entry-id: 0, lc_entries: 0")
    }
}

impl Layout for Table {
    type Row = TableRow;

    fn rows(&self) -> impl Iterator<Item = TableRow> {
        self.rows.iter().map(|row| TableRow {
            protocol: row.is_extended().then(|| row.protocol_name()),
            inside_global: row.inside_global.to_string(),
            inside_local: row.inside_local.to_string(),
            outside_local: row.outside.map(|(local, _)| local.to_string()),
            outside_global: row.outside.map(|(_, global)| global.to_string()),
            kind: if row.is_dynamic() { "dynamic" } else { "static" },
            mapping: row.rule,
            age: self.age(row),
            timeout: row.timeout.map(|(of, _)| of.as_secs()),
            left: row.timeout.map(|(_, left)| left.as_secs()),
            packets: row.packets,
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        if !self.rows.is_empty() {
            writeln!(out, "Pro Inside global      Inside local       Outside local      Outside global")?;
        }
        for row in &self.rows {
            let first = format!("{} {}", row.protocol_name(), row.inside_global);
            let outside =
                |place: Option<Place>| place.map_or_else(|| "---".to_owned(), |place| place.to_string());
            let (local, global) = row.outside.unzip();
            let (inside, local, global) = (row.inside_local.to_string(), outside(local), outside(global));
            writeln!(out, "{first:<22} {inside:<18} {local:<18} {global}")?;
            if self.verbose {
                self.details(row, out)?;
            }
        }
        tell_left_out(self.more, out)
    }

    fn left_out(&self) -> usize {
        self.more
    }
}

/// All of it, in one row.
#[derive(Debug, Serialize)]
struct StatisticsRow {
    total: usize,
    #[serde(rename = "static")]
    fixed: usize,
    dynamic: usize,
    extended: usize,
    peak: usize,
    /// Seconds since there were the most.
    peak_age: u64,
    outside: Vec<String>,
    inside: Vec<String>,
    /// Packets of the translations that are there now, where the kernel counts them.
    hits: Option<u64>,
    mappings: Vec<MappingRow>,
}

/// A dynamic rule.
#[derive(Debug, Serialize)]
struct MappingRow {
    id: usize,
    access_list: Option<String>,
    route_map: Option<String>,
    interface: Option<String>,
    pool: Option<PoolRow>,
    /// Translations that it has made.
    translations: usize,
}

#[derive(Debug, Serialize)]
struct PoolRow {
    name: String,
    netmask: Ipv4Addr,
    ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    match_host: bool,
    addresses: u64,
    allocated: usize,
    /// How often a host got none.
    misses: u64,
}

struct Statistics {
    snapshot: Arc<Snapshot>,
    rows: Vec<Translation>,
    more: usize,
}

impl Statistics {
    fn row(&self) -> StatisticsRow {
        let (config, rows) = (&self.snapshot.parsed.config, &self.rows);
        let count = |is: &dyn Fn(&Translation) -> bool| rows.iter().filter(|row| is(row)).count();
        let now = self.snapshot.now;
        // of those that are left out no more is known than that a connection made them
        let total = rows.len().saturating_add(self.more);
        let (peak, at) = self.snapshot.translations.peak.note(total, now);
        let side = |side| {
            let of = config.interfaces.iter().filter(|one| one.nat == Some(side));
            of.map(|one| one.name.clone()).collect()
        };
        let rules = dynamic_rules(config);
        StatisticsRow {
            total,
            fixed: count(&|row| !row.is_dynamic()),
            dynamic: count(&|row| row.is_dynamic()).saturating_add(self.more),
            extended: count(&|row| row.is_extended()).saturating_add(self.more),
            peak,
            peak_age: now.since(at).as_secs(),
            outside: side(NatSide::Outside),
            inside: side(NatSide::Inside),
            hits: rows.iter().filter_map(|row| row.packets).reduce(u64::saturating_add),
            mappings: (1..).zip(rules).map(|(id, rule)| self.mapping(config, id, rule)).collect(),
        }
    }

    fn mapping(&self, config: &Config, id: usize, rule: &DynamicNat) -> MappingRow {
        let of_rule = || self.rows.iter().filter(move |row| row.rule == Some(id));
        let in_use: BTreeSet<_> = of_rule().map(|row| row.inside_global.address).collect();
        let (access_list, route_map) = match &rule.which {
            NatSelect::List(name) => (Some(name.clone()), None),
            NatSelect::RouteMap(name) => (None, Some(name.clone())),
        };
        let interface = match &rule.to {
            NatTo::Interface(name) => Some(name.clone()),
            NatTo::Pool(_) => None,
        };
        let misses = |pool: &NatPool| self.snapshot.translations.misses.of(&pool.name);
        let pool = pool(config, rule).map(|pool| PoolRow::new(pool, in_use.len(), misses(pool)));
        MappingRow { id, access_list, route_map, interface, pool, translations: of_rule().count() }
    }
}

impl PoolRow {
    fn new(pool: &NatPool, allocated: usize, misses: u64) -> Self {
        let addresses = |(first, last): &(Ipv4Addr, Ipv4Addr)| {
            u64::from(u32::from(*last)).saturating_sub(u32::from(*first).into()) + 1
        };
        let net = ipnet::Ipv4Net::new(Ipv4Addr::UNSPECIFIED, pool.prefix_length);
        Self {
            name: pool.name.clone(),
            netmask: net.map_or(Ipv4Addr::BROADCAST, |net| net.netmask()),
            ranges: pool.ranges.clone(),
            match_host: pool.match_host,
            addresses: pool.ranges.iter().map(addresses).sum(),
            allocated,
            misses,
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, " pool {}: netmask {}", self.name, self.netmask)?;
        for (first, last) in &self.ranges {
            writeln!(out, "\tstart {first} end {last}")?;
        }
        let kind = if self.match_host { "match-host" } else { "generic" };
        let (all, allocated) = (self.addresses, u64::try_from(self.allocated).unwrap_or(u64::MAX));
        let share = allocated.saturating_mul(100).checked_div(all).unwrap_or(0);
        writeln!(
            out,
            "\ttype {kind}, total addresses {all}, allocated {allocated} ({share}%), misses {}",
            self.misses
        )
    }
}

impl MappingRow {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "[Id: {}]", self.id)?;
        let parts = [
            ("access-list", &self.access_list),
            ("route-map", &self.route_map),
            ("interface", &self.interface),
            ("pool", &self.pool.as_ref().map(|pool| pool.name.clone())),
        ];
        for (word, name) in parts {
            if let Some(name) = name {
                write!(out, " {word} {name}")?;
            }
        }
        writeln!(out, " refcount {}", self.translations)?;
        self.pool.as_ref().map_or(Ok(()), |pool| pool.text(out))
    }
}

impl Layout for Statistics {
    type Row = StatisticsRow;

    fn rows(&self) -> impl Iterator<Item = StatisticsRow> {
        std::iter::once(self.row())
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let row = self.row();
        let StatisticsRow { total, fixed, dynamic, extended, .. } = row;
        writeln!(
            out,
            "Total active translations: {total} ({fixed} static, {dynamic} dynamic; {extended} extended)"
        )?;
        let modern = format == Format::Modern;
        if modern {
            writeln!(out, "Peak translations: {}, occurred {} ago", row.peak, age(row.peak_age))?;
        }
        for (side, interfaces) in
            [("Outside interfaces:", &row.outside), ("Inside interfaces: ", &row.inside)]
        {
            writeln!(out, "{side}")?;
            if !interfaces.is_empty() {
                writeln!(out, "  {}", interfaces.join(", "))?;
            }
        }
        let hits = row.hits.unwrap_or(0);
        writeln!(out, "Hits: {hits}  Misses: 0")?;
        if modern {
            writeln!(out, "CEF Translated packets: {hits}, CEF Punted packets: 0")?;
        }
        writeln!(out, "Expired translations: 0")?;
        writeln!(out, "Dynamic mappings:")?;
        if !row.mappings.is_empty() {
            writeln!(out, "-- Inside Source")?;
        }
        row.mappings.iter().try_for_each(|mapping| mapping.text(out))?;
        if modern {
            writeln!(out, "\nTotal doors: 0\nAppl doors: 0\nNormal doors: 0\nQueued Packets: 0")?;
        }
        tell_left_out(self.more, out)
    }

    fn left_out(&self) -> usize {
        self.more
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{json, new_router, text};

    /// What a table longer than the bound lacks is told by every form of the commands.
    #[test]
    fn what_is_left_out_is_told() {
        let short = || {
            let mut router = new_router();
            router.translations.connections.as_mut().unwrap().more = 1234;
            router
        };
        let shown = text("show ip nat translations", short(), Format::Modern);
        let said = "% 1234 more translations are left out\n";
        assert_eq!(shown, text("show ip nat translations", new_router(), Format::Modern) + said);
        assert!(json("show ip nat translations", short()).contains("\"left_out\": 1234,"));
        assert!(!json("show ip nat translations", new_router()).contains("left_out"));
        let total = |text: String| -> usize {
            let line = text.lines().next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
            line.parse().unwrap()
        };
        let [few, all] =
            [new_router(), short()].map(|router| text("show ip nat statistics", router, Format::Modern));
        assert!(all.ends_with(said), "{all}");
        assert_eq!(total(all), total(few) + 1234);
    }
}
