//! The selectors of a line of a crypto access list.
//!
//! An SA of IKEv1 is for one network on each side, one protocol or all, and one port or all on each
//! side (RFC 2407, 4.6.2). What is more than that becomes several selectors, each of which gets an
//! SA of its own. `deny` lines are not negotiated, so ranges of ports are taken apart there; a
//! `permit` line with a range of ports would need an SA for each port, which no other gateway
//! proposes, and is refused.

use super::read::{Pattern, PortRange, read};
use crate::model::{AclAddress, AclConditions, AclEntry, AclProtocol, AclRule, Config};
use ipnet::Ipv4Net;

/// Selectors that one line may expand to.
pub const MOST_SELECTORS: usize = 64;

/// What an SA can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    /// Source network.
    pub source: Ipv4Net,
    /// Destination network.
    pub destination: Ipv4Net,
    /// IP protocol; `None` is any.
    pub protocol: Option<u8>,
    /// Source port; `None` is any.
    pub source_port: Option<u16>,
    /// Destination port; `None` is any.
    pub destination_port: Option<u16>,
}

/// The selectors of a line, in their order; none for a remark.
///
/// # Errors
/// Why no SA can be for exactly what the line selects.
pub fn selectors(config: &Config, entry: &AclEntry) -> Result<Vec<Selector>, String> {
    // nearly every line is one selector, and shows ask for thousands
    if let Some(selector) = entry.rule().and_then(plain) {
        return Ok(vec![selector]);
    }
    let Some(reading) = read(config, entry) else { return Ok(Vec::new()) };
    if let Some(why) = reading.unknown.or(reading.narrower) {
        return Err(why);
    }
    let mut out: Vec<Selector> = Vec::new();
    for pattern in &reading.patterns {
        add(pattern, reading.permit, &mut out)?;
    }
    Ok(out)
}

/// The selector of a line that says nothing but a protocol and a network on each side.
fn plain(rule: &AclRule) -> Option<Selector> {
    let AclRule { permit: _, protocol, source, source_ports, destination, destination_ports, .. } = rule;
    let AclRule { header, only, log: _, reflect: _, .. } = rule;
    let (AclAddress::V4(source), AclAddress::V4(destination)) = (source, destination) else { return None };
    let protocol = match protocol {
        AclProtocol::Any => None,
        AclProtocol::Number(number) => Some(*number),
        AclProtocol::Services(_) => return None,
    };
    let says_more = source_ports.is_some() || destination_ports.is_some() || header.is_some();
    if says_more || *only != AclConditions::default() {
        return None;
    }
    let (source, destination) = source.prefix().zip(destination.prefix())?;
    Some(Selector { source, destination, protocol, source_port: None, destination_port: None })
}

/// The networks of a line of a split tunnel's access list: its sources. Clients learn networks and
/// nothing else, so a line that says more than addresses cannot be sent; its destination, the
/// clients' side, is not looked at, as on IOS. None for a remark.
///
/// # Errors
/// Why the line cannot be sent.
pub fn split_networks(config: &Config, entry: &AclEntry) -> Result<Vec<Ipv4Net>, String> {
    let Some(reading) = read(config, entry) else { return Ok(Vec::new()) };
    if let Some(why) = reading.unknown.or(reading.narrower) {
        return Err(why);
    }
    let mut out: Vec<Ipv4Net> = Vec::new();
    for pattern in &reading.patterns {
        if !pattern.is_addresses() {
            return Err("it names a protocol or ports".to_string());
        }
        let more = || format!("it expands to more than {MOST_SELECTORS} networks");
        for net in pattern.source.prefixes(MOST_SELECTORS).ok_or_else(more)? {
            if out.contains(&net) {
                continue;
            }
            if out.len() == MOST_SELECTORS {
                return Err(more());
            }
            out.push(net);
        }
    }
    Ok(out)
}

fn add(pattern: &Pattern, permit: bool, out: &mut Vec<Selector>) -> Result<(), String> {
    let more = || format!("it expands to more than {MOST_SELECTORS} selectors");
    let has_ports = pattern.source_ports.is_some() || pattern.destination_ports.is_some();
    if has_ports && !matches!(pattern.protocol, Some(6 | 17)) {
        return Err("ports are read of TCP and UDP only".to_string());
    }
    let source_ports = ports(pattern.source_ports, permit).ok_or_else(|| unported(permit))?;
    let destination_ports = ports(pattern.destination_ports, permit).ok_or_else(|| unported(permit))?;
    let sources = pattern.source.prefixes(MOST_SELECTORS).ok_or_else(more)?;
    let destinations = pattern.destination.prefixes(MOST_SELECTORS).ok_or_else(more)?;
    for source in &sources {
        for destination in &destinations {
            for source_port in &source_ports {
                for destination_port in &destination_ports {
                    let selector = Selector {
                        source: *source,
                        destination: *destination,
                        protocol: pattern.protocol,
                        source_port: *source_port,
                        destination_port: *destination_port,
                    };
                    if out.contains(&selector) {
                        continue;
                    }
                    if out.len() == MOST_SELECTORS {
                        return Err(more());
                    }
                    out.push(selector);
                }
            }
        }
    }
    Ok(())
}

/// The single ports of a range; `None` if they cannot be had.
fn ports(range: Option<PortRange>, permit: bool) -> Option<Vec<Option<u16>>> {
    let Some(PortRange { first, last }) = range else { return Some(vec![None]) };
    let count = usize::from(last.saturating_sub(first)) + 1;
    match (count, permit) {
        (65_536, _) => Some(vec![None]),
        (1, _) => Some(vec![Some(first)]),
        (2..=MOST_SELECTORS, false) => Some((first..=last).map(Some).collect()),
        _ => None,
    }
}

fn unported(permit: bool) -> String {
    match permit {
        true => "IKEv1 negotiates one port or all, not a range of ports".to_string(),
        false => format!("it expands to more than {MOST_SELECTORS} selectors"),
    }
}
