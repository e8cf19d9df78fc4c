//! `show route-map` and `show ip policy`.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::router::rules::counter;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{RouteMap, RouteMapEntry, RouteMatch, RouteSet};
use serde::Serialize;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// `show route-map [NAME]`
pub(super) fn route_maps(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    let config = &context.snapshot.parsed.config;
    if let Some(name) = &only
        && !config.route_maps.iter().any(|map| map.name == *name)
    {
        return Err(crate::manage::desk::Refusal::Failed(format!("route-map {name} not found")));
    }
    shown(RouteMaps { snapshot: Arc::clone(&context.snapshot), only })
}

/// `show ip policy`
pub(super) fn policies(context: &Context, _: &Arguments) -> Output {
    shown(Policies(Arc::clone(&context.snapshot)))
}

/// An entry of a route map.
#[derive(Debug, Serialize)]
struct EntryRow {
    route_map: String,
    sequence: u16,
    permit: bool,
    /// What must match, as IOS shows it.
    matches: Vec<String>,
    sets: Vec<String>,
    /// What policy routing found that it means.
    packets: u64,
    bytes: u64,
}

struct RouteMaps {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
}

impl RouteMaps {
    fn row(&self, map: &RouteMap, entry: &RouteMapEntry) -> EntryRow {
        let counted = self.snapshot.filtered.get(&counter::of_entry(&map.name, entry.sequence));
        EntryRow {
            route_map: map.name.clone(),
            sequence: entry.sequence,
            permit: entry.permit,
            matches: entry.matches.iter().map(matching).collect(),
            sets: entry.sets.iter().map(setting).collect(),
            packets: counted.map_or(0, |counted| counted.packets),
            bytes: counted.map_or(0, |counted| counted.bytes),
        }
    }
}

fn matching(one: &RouteMatch) -> String {
    match one {
        RouteMatch::Address(lists) => format!("ip address (access-lists): {} ", lists.join(" ")),
        RouteMatch::NextHop(lists) => format!("ip next-hop (access-lists): {} ", lists.join(" ")),
        RouteMatch::Length(shortest, longest) => format!("length {shortest} {longest}"),
        RouteMatch::Interface(names) => format!("interface {} ", names.join(" ")),
        RouteMatch::Other(text) => text.clone(),
    }
}

fn setting(one: &RouteSet) -> String {
    let hops = |hops: &[Ipv4Addr]| hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match one {
        RouteSet::NextHop(these) => format!("ip next-hop {}", hops(these)),
        RouteSet::DefaultNextHop(these) => format!("ip default next-hop {}", hops(these)),
        RouteSet::Interface(names) => format!("interface {}", names.join(" ")),
        RouteSet::DefaultInterface(names) => format!("default interface {}", names.join(" ")),
        RouteSet::Other(text) => text.clone(),
    }
}

impl Layout for RouteMaps {
    type Row = EntryRow;

    fn rows(&self) -> impl Iterator<Item = EntryRow> {
        let maps = self.snapshot.parsed.config.route_maps.iter();
        let wanted = maps.filter(|map| self.only.as_ref().is_none_or(|name| *name == map.name));
        wanted.flat_map(move |map| map.entries.iter().map(move |entry| self.row(map, entry)))
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            let verb = if row.permit { "permit" } else { "deny" };
            writeln!(out, "route-map {}, {verb}, sequence {}", row.route_map, row.sequence)?;
            for (head, clauses) in [("Match", &row.matches), ("Set", &row.sets)] {
                writeln!(out, "  {head} clauses:")?;
                for clause in clauses {
                    writeln!(out, "    {clause}")?;
                }
            }
            writeln!(out, "  Policy routing matches: {} packets, {} bytes", row.packets, row.bytes)?;
        }
        Ok(())
    }
}

/// What a route map routes by policy.
#[derive(Debug, Serialize)]
struct PolicyRow {
    /// `None`: what this router itself sends.
    interface: Option<String>,
    route_map: String,
}

struct Policies(Arc<Snapshot>);

impl Layout for Policies {
    type Row = PolicyRow;

    fn rows(&self) -> impl Iterator<Item = PolicyRow> {
        let config = &self.0.parsed.config;
        let own = config.local_policy.iter().map(|map| PolicyRow { interface: None, route_map: map.clone() });
        own.chain(config.interfaces.iter().filter_map(|one| {
            Some(PolicyRow { interface: Some(one.name.clone()), route_map: one.policy.clone()? })
        }))
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Interface      Route map")?;
        for row in self.rows() {
            writeln!(out, "{:<14} {}", row.interface.as_deref().unwrap_or("local"), row.route_map)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{json, snapshot, text};
    use crate::router::rules::counter;
    use hubward_linux::nftables::Counted;

    const CONFIG: &str = "\
interface GigabitEthernet0/1
 ip policy route-map OUT
ip local policy route-map OWN
route-map OUT deny 5
 match ip address 7
route-map OUT permit 10
 match ip address 101 WEB
 match length 3 200
 set ip next-hop 192.0.2.1 192.0.2.9
 set interface Null0
route-map OWN permit 10
 set ip default next-hop 192.0.2.1
 set default interface GigabitEthernet0/2
";

    #[test]
    fn route_maps_are_shown_as_ios_shows_them() {
        let mut shown = snapshot(CONFIG, Vec::new());
        let counted = Counted { packets: 12, bytes: 1008 };
        shown.filtered.insert(counter::of_entry("OUT", 10), counted);
        let one = "\
route-map OWN, permit, sequence 10
  Match clauses:
  Set clauses:
    ip default next-hop 192.0.2.1
    default interface GigabitEthernet0/2
  Policy routing matches: 0 packets, 0 bytes
";
        let all = "\
route-map OUT, deny, sequence 5
  Match clauses:
    ip address (access-lists): 7 
  Set clauses:
  Policy routing matches: 0 packets, 0 bytes
route-map OUT, permit, sequence 10
  Match clauses:
    ip address (access-lists): 101 WEB 
    length 3 200
  Set clauses:
    ip next-hop 192.0.2.1 192.0.2.9
    interface Null0
  Policy routing matches: 12 packets, 1008 bytes
";
        assert_eq!(text("show route-map OWN", snapshot(CONFIG, Vec::new()), Format::Modern), one);
        let row = json("show route-map OWN", snapshot(CONFIG, Vec::new()));
        assert!(row.to_string().contains("192.0.2.1"), "{row}");
        assert_eq!(text("show route-map", shown, Format::Modern), format!("{all}{one}"));
    }

    #[test]
    fn policies_are_shown_by_interface() {
        let shown = text("show ip policy", snapshot(CONFIG, Vec::new()), Format::Modern);
        let expected = "Interface      Route map\nlocal          OWN\nGigabitEthernet0/1 OUT\n";
        assert_eq!(shown, expected);
    }
}
