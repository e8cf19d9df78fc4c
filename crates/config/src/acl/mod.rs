//! What uses make of access lists. The model holds every line whole; each use looks at a list
//! through one of these views, which says for each line what the use can hold, and where it cannot:
//! no line ever disappears from a list.
//!
//! - [`decide()`]: which line decides about a packet. What is not known of the packet, or of the
//!   line, is answered so that nobody is let in by it.
//! - [`read()`]: the addresses, protocols and ports of a line, with object groups expanded, and what
//!   they do not say of it.
//! - [`admits()`]: who may log in by a line with `access-class`.
//! - [`split_networks()`]: the networks that clients learn from a line of a split tunnel's list.
//! - [`selectors()`]: the selectors that IKEv1 negotiates for a line of a crypto access list.

mod decide;
pub mod names;
mod read;
mod selectors;
mod text;
mod users;

pub use decide::{Decision, Packet, Ports, Tcp, decide};
pub use read::{Pattern, PortRange, Reading, read};
pub use selectors::{MOST_SELECTORS, Selector, selectors, split_networks};
pub use text::line as written;
pub use users::{admits, unsure_of_users};

use crate::model::{Acl, AclEntry, Config, GroupMembers, NetworkObject, ObjectGroup, ServiceObject};
use crate::model::{ServicePorts, TimeRange};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

impl Config {
    /// The IPv4 access list of a name or number.
    pub fn acl(&self, name: &str) -> Option<&Acl> {
        self.acls.iter().find(|acl| acl.name == name)
    }

    /// An object group.
    pub fn object_group(&self, name: &str) -> Option<&ObjectGroup> {
        self.object_groups.iter().find(|group| group.name == name)
    }

    /// A time range.
    pub fn time_range(&self, name: &str) -> Option<&TimeRange> {
        self.time_ranges.iter().find(|range| range.name == name)
    }
}

impl Acl {
    /// Its lines that select packets, each with what its addresses, protocols and ports are.
    pub fn readings<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = (&'a AclEntry, Reading)> {
        self.entries.iter().filter_map(|entry| Some((entry, read(config, entry)?)))
    }

    /// The destinations of its `permit` lines, each line's once; those that are a network.
    pub fn permitted_destinations<'a>(&'a self, config: &'a Config) -> Vec<(&'a AclEntry, Ipv4Net)> {
        let mut out: Vec<(&AclEntry, Ipv4Net)> = Vec::new();
        for (entry, reading) in self.readings(config).filter(|(_, reading)| reading.permit) {
            let nets: BTreeSet<_> =
                reading.patterns.iter().filter_map(|pattern| pattern.destination.prefix()).collect();
            out.extend(nets.into_iter().map(|net| (entry, net)));
        }
        out
    }

    /// Whether it has a `permit` line of which it is not known which packets it selects.
    pub fn may_permit_unknown(&self, config: &Config) -> bool {
        self.readings(config).any(|(_, reading)| reading.permit && reading.unknown.is_some())
    }
}

/// The members of a group of addresses, with those of the groups in it.
/// Then what is not known of it: it is not defined, or has a line that cannot be read.
fn networks<'c>(config: &'c Config, name: &str) -> (Vec<&'c NetworkObject>, Option<String>) {
    let mut out = Vec::new();
    let mut unknown = None;
    walk(config, name, &mut unknown, &mut |group, unknown| {
        let GroupMembers::Network(members) = &group.members else {
            *unknown = Some(format!("object group {} is not one of addresses", group.name));
            return Vec::new();
        };
        let mut inner = Vec::new();
        for member in members {
            match member {
                NetworkObject::Group(name) => inner.push(name.clone()),
                NetworkObject::Unread => *unknown = Some(unread(group)),
                NetworkObject::Name(host) => {
                    *unknown =
                        Some(format!("the address of {host} in object group {} is not known", group.name));
                }
                NetworkObject::Net(_) | NetworkObject::Range(..) => out.push(member),
            }
        }
        inner
    });
    (out, unknown)
}

/// The members of a group of services, with those of the groups in it.
fn services<'c>(config: &'c Config, name: &str) -> (Vec<&'c ServicePorts>, Option<String>) {
    let mut out = Vec::new();
    let mut unknown = None;
    walk(config, name, &mut unknown, &mut |group, unknown| {
        let GroupMembers::Service(members) = &group.members else {
            *unknown = Some(format!("object group {} is not one of services", group.name));
            return Vec::new();
        };
        let mut inner = Vec::new();
        for member in members {
            match member {
                ServiceObject::Group(name) => inner.push(name.clone()),
                ServiceObject::Unread => *unknown = Some(unread(group)),
                ServiceObject::Service(service) => out.push(service),
            }
        }
        inner
    });
    (out, unknown)
}

fn unread(group: &ObjectGroup) -> String {
    format!("a line of object group {} is not understood", group.name)
}

/// Visits a group and the groups in it, each once. `visit` gives the names of those.
fn walk<'c>(
    config: &'c Config,
    name: &str,
    unknown: &mut Option<String>,
    visit: &mut impl FnMut(&'c ObjectGroup, &mut Option<String>) -> Vec<String>,
) {
    let mut seen: Vec<String> = Vec::new();
    let mut left = vec![name.to_string()];
    while let Some(name) = left.pop() {
        if seen.contains(&name) {
            continue;
        }
        match config.object_group(&name) {
            Some(group) => left.extend(visit(group, unknown)),
            None => *unknown = Some(format!("object group {name} is not defined")),
        }
        seen.push(name);
    }
}
