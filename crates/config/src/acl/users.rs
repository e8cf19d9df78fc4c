//! `access-class`: who may log in.
//!
//! Of a user the address is known, and that a session is one of TCP to the port of SSH; which
//! address of the router was called, the port at the user's side and the flags are not looked at.

use super::decide::{Packet, Ports, decide};
use super::read::read;
use crate::model::{Acl, AclAddress, AclEntry, Config, Wildcard};
use std::net::IpAddr;

const TCP: u8 = 6;
const SSH: u16 = 22;

/// Whether a list admits a user from an address. A line that may concern the user and is not known
/// to admits nobody if it permits, and refuses if it denies.
pub fn admits(config: &Config, acl: &Acl, from: IpAddr) -> bool {
    let packet = Packet::new(from, None, TCP, Ports { source: None, destination: Some(SSH) });
    decide(config, acl, &packet).permits()
}

/// The lines of a list of which it is not known whether they concern a user, why, and whether they
/// permit.
pub fn unsure_of_users<'a>(config: &Config, acl: &'a Acl) -> Vec<(&'a AclEntry, String, bool)> {
    let unsure = |entry: &'a AclEntry| {
        let reading = read(config, entry)?;
        let is_tcp = |protocol: Option<u8>| protocol.is_none_or(|protocol| protocol == TCP);
        let mut patterns = reading.patterns.iter().filter(|pattern| is_tcp(pattern.protocol));
        let mut to_ssh = patterns.clone().filter(|pattern| {
            pattern.destination_ports.is_none_or(|ports| (ports.first..=ports.last).contains(&SSH))
        });
        // of other services it says nothing here
        if reading.unknown.is_none() && to_ssh.next().is_none() {
            return None;
        }
        let rule = entry.rule();
        let fragments = rule.is_some_and(|rule| rule.only.fragments);
        let narrower = reading.narrower.clone().filter(|_| !fragments);
        let ports = patterns.any(|pattern| pattern.source_ports.is_some());
        let all = AclAddress::V4(Wildcard::ANY);
        let one = rule.is_some_and(|rule| rule.destination != all);
        let why = reading.unknown.clone().or(narrower);
        let why = why.or_else(|| ports.then(|| "it names ports of the user's side".to_string()));
        let why = why.or_else(|| one.then(|| "it names a destination".to_string()))?;
        Some((entry, why, reading.permit))
    };
    acl.entries.iter().filter_map(unsure).collect()
}
