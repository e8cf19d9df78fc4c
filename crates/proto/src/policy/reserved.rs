//! Networks that no peer of a dynamic crypto map entry may have as its side of a tunnel, whatever
//! it proposes. Otherwise any peer with the key that all branches share could take over the traffic
//! of this gateway's own hosts, of its next hop, or of everything.

use crate::flow::selector::{AddressRange, Selector};
use crate::policy::{EntryTerms, Policy, Reserved};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 6890 and RFC 5771: this network, loopback, multicast, reserved and broadcast.
const SPECIAL: [(IpAddr, IpAddr); 6] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(0, 255, 255, 255))),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255))),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), IpAddr::V4(Ipv4Addr::BROADCAST)),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::LOCALHOST)),
    (
        IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)),
        IpAddr::V6(Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff)),
    ),
    // IPv4 in IPv6
    (
        IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)),
        IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xffff, 0xffff)),
    ),
];

/// The reserved network that the peer's side of a proposed tunnel overlaps, if any. `terms` are
/// those of the dynamic entry that would serve it. A part of a connected network is permitted if
/// the line of the entry's access list that covers it is itself only a part of that network: the
/// operator configured it there.
pub fn reserved(
    policy: &Policy,
    terms: &EntryTerms,
    selector: &Selector,
) -> Option<(AddressRange, Reserved)> {
    let remote = &selector.remote;
    let special = SPECIAL.iter().filter_map(|(first, last)| AddressRange::new(*first, *last));
    if remote.covers(&AddressRange::ANY_V4) {
        return Some((AddressRange::ANY_V4, Reserved::Everything));
    }
    if let Some(range) = special.into_iter().find(|range| range.overlaps(remote)) {
        return Some((range, Reserved::Special));
    }
    let mut lines = terms.acl.iter().flat_map(|acl| &acl.lines).filter(|line| line.permit);
    let line = lines.find(|line| line.selector.covers(selector)).map(|line| line.selector.remote);
    let found = policy.reserved.iter().find(|(range, kind)| {
        let named = line.is_some_and(|line| range.covers(&line) && *range != line);
        range.overlaps(remote) && !(named && *kind == Reserved::Connected)
    });
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CryptoAcl, CryptoAclLine};
    use std::sync::Arc;

    fn range(text: &str) -> AddressRange {
        AddressRange::prefix(text.parse().unwrap())
    }

    fn policy() -> Policy {
        Policy {
            reserved: vec![
                (range("10.1.1.1/32"), Reserved::Own),
                (range("10.1.0.0/23"), Reserved::Connected),
                (range("198.51.100.1/32"), Reserved::NextHop),
                (range("203.0.113.10/32"), Reserved::Peer),
                (range("10.9.9.10/31"), Reserved::Pool),
            ],
            ..Policy::default()
        }
    }

    #[test]
    fn a_wildcard_peer_never_gets_what_is_ours_or_everybodys() {
        for (remote, wanted) in [
            ("0.0.0.0/0", Some(Reserved::Everything)),
            ("0.0.0.0/1", Some(Reserved::Special)),
            ("128.0.0.0/1", Some(Reserved::Special)),
            ("127.0.0.1/32", Some(Reserved::Special)),
            ("127.0.0.0/8", Some(Reserved::Special)),
            ("224.0.0.5/32", Some(Reserved::Special)),
            ("255.255.255.255/32", Some(Reserved::Special)),
            ("::/0", Some(Reserved::Special)),
            ("ff02::/16", Some(Reserved::Special)),
            ("10.1.1.1/32", Some(Reserved::Own)),
            ("10.1.1.10/32", Some(Reserved::Connected)),
            ("10.1.0.0/16", Some(Reserved::Own)),
            ("10.0.0.0/8", Some(Reserved::Own)),
            ("198.51.100.0/24", Some(Reserved::NextHop)),
            ("203.0.113.10/32", Some(Reserved::Peer)),
            ("10.9.9.0/24", Some(Reserved::Pool)),
            ("10.9.9.11/32", Some(Reserved::Pool)),
            ("10.2.0.0/16", None),
            ("10.1.2.0/24", None),
            ("198.51.100.2/32", None),
            ("10.9.9.12/32", None),
            ("2001:db8::/32", None),
        ] {
            let selector = Selector::between(range("10.1.0.0/16"), range(remote));
            let found = reserved(&policy(), &EntryTerms::default(), &selector);
            assert_eq!(found.map(|(_, kind)| kind), wanted, "{remote}");
        }
    }

    #[test]
    fn an_access_list_may_give_away_a_part_of_a_connected_network() {
        let with = |remote: &str| {
            let selector = Selector::between(range("10.0.0.0/8"), range(remote));
            let lines = vec![CryptoAclLine { permit: true, selector, line: 0 }];
            EntryTerms {
                acl: Some(Arc::new(CryptoAcl { name: "101".into(), lines })),
                ..EntryTerms::default()
            }
        };
        for (line, remote, wanted) in [
            ("10.1.0.128/25", "10.1.0.128/25", None),
            ("10.1.0.128/25", "10.1.0.200/32", None),
            // not the network itself, nor a part of it under a wider line, nor our address in it
            ("10.1.0.0/23", "10.1.0.0/23", Some(Reserved::Own)),
            ("10.1.0.0/23", "10.1.0.200/32", Some(Reserved::Connected)),
            ("10.0.0.0/8", "10.1.0.200/32", Some(Reserved::Connected)),
            ("10.1.1.0/24", "10.1.1.1/32", Some(Reserved::Own)),
        ] {
            let selector = Selector::between(range("10.0.0.0/8"), range(remote));
            let found = reserved(&policy(), &with(line), &selector);
            assert_eq!(found.map(|(_, kind)| kind), wanted, "{line} {remote}");
        }
    }
}
