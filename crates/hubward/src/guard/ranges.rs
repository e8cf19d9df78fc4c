//! Sets of IPv4 addresses as the kernel wants them: ranges that do not overlap.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// First and last address.
pub(crate) type Range = (Ipv4Addr, Ipv4Addr);

/// The addresses of a network.
pub(crate) fn of(net: Ipv4Net) -> Range {
    (net.network(), net.broadcast())
}

/// The same addresses in ranges that do not overlap, in order. Ranges that only touch stay apart,
/// so that the network of a new branch beside another's changes nothing that is there.
pub(crate) fn disjoint(ranges: impl IntoIterator<Item = Range>) -> Vec<Range> {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if overlap(*before, (first, last)) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Whether two ranges share an address.
pub(crate) fn overlap(one: Range, other: Range) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

/// Whether all of `inner` is in these ranges, which do not overlap and are in order.
pub(crate) fn hold(ranges: &[Range], inner: Range) -> bool {
    let (mut next, last) = (u32::from(inner.0), u32::from(inner.1));
    for (from, to) in ranges.iter().map(|(from, to)| (u32::from(*from), u32::from(*to))) {
        if from <= next && next <= to {
            if last <= to {
                return true;
            }
            next = to + 1;
        }
    }
    false
}

/// The smallest network that has both addresses.
pub(crate) fn around((first, last): Range) -> Ipv4Net {
    let length = (u32::from(first) ^ u32::from(last)).leading_zeros();
    let net = u8::try_from(length).ok().and_then(|length| Ipv4Net::new(first, length).ok());
    net.unwrap_or_default().trunc()
}

/// A range in words: a network where it is one.
pub(crate) fn told(range: Range) -> String {
    let net = around(range);
    match (of(net) == range, range.0 == range.1) {
        (true, true) => range.0.to_string(),
        (true, false) => net.to_string(),
        (false, _) => format!("{}-{}", range.0, range.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Range {
        of(text.parse().unwrap())
    }

    #[test]
    fn ranges_are_joined_where_they_overlap() {
        let joined =
            disjoint(["10.2.1.0/24", "10.2.0.0/24", "10.0.0.0/16", "10.0.5.0/24", "0.0.0.0/32"].map(net));
        let told: Vec<_> = joined.into_iter().map(told).collect();
        assert_eq!(told, ["0.0.0.0", "10.0.0.0/16", "10.2.0.0/24", "10.2.1.0/24"]);
        let everything = disjoint(["128.0.0.0/1", "0.0.0.0/1", "255.255.255.255/32"].map(net));
        assert_eq!(everything, [net("0.0.0.0/1"), net("128.0.0.0/1")]);
        assert!(disjoint([]).is_empty());
        let backwards = (Ipv4Addr::new(2, 0, 0, 0), Ipv4Addr::new(1, 0, 0, 0));
        assert!(disjoint([backwards]).is_empty());
        assert_eq!(
            super::told((Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 6))),
            "10.0.0.1-10.0.0.6"
        );
    }

    #[test]
    fn what_several_ranges_hold_together() {
        let ranges = disjoint(["10.2.0.0/24", "10.2.1.0/24", "10.2.3.0/24", "128.0.0.0/1"].map(net));
        for held in ["10.2.0.0/24", "10.2.0.7/32", "10.2.0.0/23", "128.0.0.0/1", "255.255.255.255/32"] {
            assert!(hold(&ranges, net(held)), "{held}");
        }
        for not in ["10.2.0.0/22", "10.2.2.0/23", "10.1.0.0/16", "0.0.0.0/0", "127.255.255.255/32"] {
            assert!(!hold(&ranges, net(not)), "{not}");
        }
        assert!(!hold(&[], net("10.2.0.0/24")));
    }
}
