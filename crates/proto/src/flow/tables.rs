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
}

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
        Self { maps, pools }
    }

    /// Walks the entries in order: `permit` protects, `deny` goes on to the next entry, nothing leaves it in clear.
    pub fn classify(&self, flow: &Flow) -> Verdict {
        for (interface, rules) in &self.maps {
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
