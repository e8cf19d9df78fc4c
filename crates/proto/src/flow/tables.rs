//! What the configuration says of cleartext that leaves by an interface with a crypto map, as an immutable table.

use crate::esp::sa::EntryRef;
use crate::flow::selector::{AddressRange, Flow};
use crate::ike::io::Acquire;
use crate::ike::path::InterfaceId;
use crate::ike::policy::{CryptoAcl, CryptoAclLine, MapEntryKind, Policy};

/// What to do with a packet that no SA carries.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Keep it and ask for an SA.
    Protect(Acquire),
    /// Never send it in clear.
    Drop,
    /// The configuration does not protect it.
    Clear,
}

/// The policy of all interfaces that bear a crypto map.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    maps: Vec<(InterfaceId, Vec<Rule>)>,
    /// Addresses of client pools: without an SA they are unreachable, never sent in clear.
    pools: Vec<AddressRange>,
    /// Where the routes lead, the longest prefix first; only where several interfaces bear a crypto map.
    exits: Vec<Exit>,
}

/// A route: what it leads to, and the interface with a crypto map by which it leaves, if it is one.
pub type Exit = (ipnet::IpNet, Option<InterfaceId>);

#[derive(Clone, Debug)]
struct Rule {
    entry: EntryRef,
    acl: std::sync::Arc<CryptoAcl>,
    initiates: bool,
}

impl Tables {
    /// From the policy and the ranges of `ip local pool`.
    pub fn build(policy: &Policy, pools: Vec<AddressRange>) -> Self {
        let mut maps = Vec::new();
        for interface in &policy.interfaces {
            let Some(map) = policy.map_of(interface.id) else { continue };
            let mut rules = Vec::new();
            for entry in &map.entries {
                match &entry.kind {
                    MapEntryKind::Static { terms, .. } => rules.extend(terms.acl.clone().map(|acl| Rule {
                        entry: EntryRef { map: map.name.clone(), sequence: entry.sequence, dynamic: None },
                        acl,
                        initiates: true,
                    })),
                    MapEntryKind::Dynamic { name, entries } => {
                        for dynamic in entries {
                            rules.extend(dynamic.terms.acl.clone().map(|acl| Rule {
                                entry: EntryRef {
                                    map: map.name.clone(),
                                    sequence: entry.sequence,
                                    dynamic: Some((name.clone(), dynamic.sequence)),
                                },
                                acl,
                                initiates: false,
                            }));
                        }
                    }
                }
            }
            maps.push((interface.id, rules));
        }
        Self { maps, pools, exits: Vec::new() }
    }

    /// Whether several interfaces bear a crypto map, so that the routes decide between them.
    pub fn needs_exits(&self) -> bool {
        self.maps.len() > 1
    }

    /// The same tables with other routes; `None` when the routes are those already known. Of equal prefixes the first counts.
    pub fn with_exits(&self, mut exits: Vec<Exit>) -> Option<Self> {
        exits.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.prefix_len()));
        (exits != self.exits).then(|| Self { exits, ..self.clone() })
    }

    /// Whether a packet to this destination leaves by this interface, as far as is known.
    fn leaves_by(&self, destination: std::net::IpAddr, interface: InterfaceId) -> bool {
        let exit = self.exits.iter().find(|(prefix, _)| prefix.contains(&destination));
        exit.is_none_or(|(_, exit)| *exit == Some(interface))
    }

    /// Walks the entries in order: `permit` protects, `deny` goes on to the next entry, nothing leaves it in clear.
    pub fn classify(&self, flow: &Flow) -> Verdict {
        for (interface, rules) in &self.maps {
            if !self.leaves_by(flow.destination, *interface) {
                continue;
            }
            for rule in rules {
                let hit = rule.acl.lines.iter().enumerate().find(|(_, line)| hits(line, flow));
                let Some((index, _)) = hit.filter(|(_, line)| line.permit) else { continue };
                if !rule.initiates {
                    return Verdict::Drop;
                }
                return Verdict::Protect(Acquire {
                    interface: *interface,
                    entry: rule.entry.clone(),
                    acl_line: index,
                    flow: *flow,
                });
            }
        }
        if self.pools.iter().any(|pool| pool.contains(flow.destination)) {
            Verdict::Drop
        } else {
            Verdict::Clear
        }
    }

    /// Whether the entry's ACL denies a flow: then it is not for the entry's SAs either, though the selector of a wider line
    /// that permits has it.
    pub fn denies(&self, entry: &EntryRef, flow: &Flow) -> bool {
        let mut rules = self.maps.iter().flat_map(|(_, rules)| rules).filter(|rule| rule.entry == *entry);
        let first = rules.next().and_then(|rule| rule.acl.lines.iter().find(|line| hits(line, flow)));
        first.is_some_and(|line| !line.permit)
    }

    /// Everything that must be captured even without an SA: what the static entries permit, and the pools.
    pub fn captured(&self) -> Vec<AddressRange> {
        let permits = self
            .maps
            .iter()
            .flat_map(|(_, rules)| rules)
            .flat_map(|rule| &rule.acl.lines)
            .filter(|line| line.permit)
            .map(|line| line.selector.remote);
        permits.chain(self.pools.iter().copied()).collect()
    }

    /// Whether a cleartext packet from outside should have been encrypted: a permit line covers the answer to it.
    pub fn should_be_encrypted(&self, flow: &Flow) -> bool {
        let answer = flow.reversed();
        self.maps.iter().flat_map(|(_, rules)| rules).any(|rule| {
            let hit = rule.acl.lines.iter().find(|line| hits(line, &answer));
            hit.is_some_and(|line| line.permit)
        })
    }
}

/// Whether a line speaks of a flow. Of a later fragment a `deny` line with ports says nothing, as on IOS: it cannot know.
fn hits(line: &CryptoAclLine, flow: &Flow) -> bool {
    line.selector.matches(flow) && (line.permit || !flow.is_later_fragment() || !line.selector.has_ports())
}

/// The remote ranges of selectors, as prefixes: what the routes into the tunnel must hold.
pub fn prefixes(ranges: impl IntoIterator<Item = AddressRange>) -> Vec<ipnet::IpNet> {
    let mut out = Vec::new();
    for range in ranges {
        match (range.to_prefix(), range.first(), range.last()) {
            (Some(prefix), _, _) => out.push(prefix),
            (None, std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) => {
                out.extend(ipnet::Ipv4Subnets::new(first, last, 0).map(ipnet::IpNet::V4));
            }
            (None, std::net::IpAddr::V6(first), std::net::IpAddr::V6(last)) => {
                out.extend(ipnet::Ipv6Subnets::new(first, last, 0).map(ipnet::IpNet::V6));
            }
            _ => {}
        }
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Two interfaces whose maps protect the same networks: the route decides which of them calls its peer.
    #[test]
    fn the_route_decides_between_two_maps() {
        let range = |text: &str| AddressRange::prefix(text.parse().unwrap());
        let selector = crate::flow::selector::Selector::between(range("10.1.0.0/16"), range("10.2.0.0/16"));
        let rule = |map: &str| Rule {
            entry: EntryRef { map: map.into(), sequence: 10, dynamic: None },
            acl: Arc::new(CryptoAcl {
                name: "100".into(),
                lines: vec![CryptoAclLine { permit: true, selector, line: 0 }],
            }),
            initiates: true,
        };
        let tables = Tables {
            maps: vec![(InterfaceId(0), vec![rule("first")]), (InterfaceId(1), vec![rule("second")])],
            ..Tables::default()
        };
        assert!(tables.needs_exits());
        let flow = Flow {
            source: "10.1.1.1".parse().unwrap(),
            destination: "10.2.2.2".parse().unwrap(),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let called = |tables: &Tables| match tables.classify(&flow) {
            Verdict::Protect(acquire) => Some(acquire.interface),
            _ => None,
        };
        assert_eq!(called(&tables), Some(InterfaceId(0)), "no route is known");
        let default = ("0.0.0.0/0".parse().unwrap(), Some(InterfaceId(0)));
        let branch = ("10.2.0.0/16".parse().unwrap(), Some(InterfaceId(1)));
        let tables = tables.with_exits(vec![default, branch]).unwrap();
        assert_eq!(called(&tables), Some(InterfaceId(1)));
        assert!(tables.with_exits(vec![default, branch]).is_none(), "nothing new");
        let tables = tables.with_exits(vec![default]).unwrap();
        assert_eq!(called(&tables), Some(InterfaceId(0)));
        let inside = ("10.2.2.0/24".parse().unwrap(), None);
        assert_eq!(called(&tables.with_exits(vec![default, inside]).unwrap()), None, "it leaves elsewhere");
    }
}
