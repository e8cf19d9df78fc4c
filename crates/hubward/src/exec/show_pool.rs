//! `show ip local pool`.

use crate::base::family::v4_address;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::Refusal;
use crate::views::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) fn pools(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    let pools = &context.snapshot.parsed.config.pools;
    if let Some(name) = only.as_ref().filter(|name| !pools.iter().any(|pool| pool.name == **name)) {
        return Err(Refusal::Failed(format!("There is no pool {}", name.escape_debug())));
    }
    shown(Pools { snapshot: Arc::clone(&context.snapshot), only })
}

/// One range of a pool.
#[derive(Debug, Serialize)]
struct PoolRow {
    name: String,
    begin: Ipv4Addr,
    end: Ipv4Addr,
    free: u32,
    in_use: Vec<LeaseRow>,
}

/// A leased address.
#[derive(Debug, Serialize)]
struct LeaseRow {
    address: Ipv4Addr,
    user: Option<String>,
    group: Option<String>,
}

struct Pools {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
}

impl Layout for Pools {
    type Row = PoolRow;

    fn rows(&self) -> impl Iterator<Item = PoolRow> {
        let snapshot = &self.snapshot;
        let pools = snapshot.parsed.config.pools.iter();
        let wanted = pools.filter(|pool| self.only.as_ref().is_none_or(|name| *name == pool.name));
        // of several SAs with one address the newest counts
        let holders: BTreeMap<_, _> =
            snapshot.isakmp.iter().filter_map(|sa| Some((sa.assigned?, sa))).collect();
        // `show ip` shows what is of IPv4
        let wanted = wanted.filter_map(|pool| Some((pool, v4_address(pool.low)?, v4_address(pool.high)?)));
        wanted.map(move |(pool, low, high)| {
            let in_use: Vec<_> = snapshot
                .in_use
                .range(IpAddr::V4(low)..=IpAddr::V4(high))
                .filter_map(|address| {
                    let holder = holders.get(address);
                    Some(LeaseRow {
                        address: v4_address(*address)?,
                        user: holder.and_then(|sa| sa.user.as_ref()).map(|user| user.to_string()),
                        group: holder.and_then(|sa| sa.group_name.clone()),
                    })
                })
                .collect();
            let size = u64::from(u32::from(high)) - u64::from(u32::from(low)) + 1;
            let free = size.saturating_sub(in_use.len() as u64);
            PoolRow {
                name: pool.name.clone(),
                begin: low,
                end: high,
                free: u32::try_from(free).unwrap_or(u32::MAX),
                in_use,
            }
        })
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let blocked = if format == Format::Modern { "   Blocked" } else { "" };
        writeln!(out, " Pool                     Begin           End             Free  In use{blocked}")?;
        for row in self.rows() {
            let blocked = if format == Format::Modern { "         0" } else { "" };
            writeln!(
                out,
                " {:<24} {:<15} {:<15} {:>4}  {:>6}{blocked}",
                row.name,
                row.begin.to_string(),
                row.end.to_string(),
                row.free,
                row.in_use.len()
            )?;
        }
        if self.only.is_none() {
            return Ok(());
        }
        writeln!(out, "Available addresses:")?;
        for row in self.rows() {
            let free = u32::from(row.begin)..=u32::from(row.end);
            for address in free
                .map(Ipv4Addr::from)
                .filter(|address| !self.snapshot.in_use.contains(&IpAddr::V4(*address)))
            {
                writeln!(out, "   {address}")?;
            }
        }
        writeln!(out, "Inuse addresses:")?;
        for lease in self.rows().flat_map(|row| row.in_use) {
            let line = format!("   {:<17} {}", lease.address.to_string(), lease.user.unwrap_or_default());
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
