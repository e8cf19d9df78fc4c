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
mod groups;
pub mod names;
mod read;
mod selectors;
mod text;
mod users;

pub use decide::{Decision, Packet, Ports, Tcp, decide};
pub use groups::{networks, services};
pub use read::{Pattern, PortRange, Reading, read};
pub use selectors::{MOST_SELECTORS, Selector, selectors, split_networks};
pub use text::line as written;
pub use users::{admits, unsure_of_users};

use crate::model::{Acl, AclEntry, Config, ObjectGroup, TimeRange};
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
