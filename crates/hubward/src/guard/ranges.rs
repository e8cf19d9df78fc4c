//! Sets of IPv4 addresses as the kernel wants them: ranges that neither overlap nor touch.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// First and last address.
pub(crate) type Range = (Ipv4Addr, Ipv4Addr);

/// The addresses of a network.
pub(crate) fn of(net: Ipv4Net) -> Range {
    (net.network(), net.broadcast())
}

/// The same addresses in ranges that neither overlap nor touch, in order.
pub(crate) fn disjoint(ranges: impl IntoIterator<Item = Range>) -> Vec<Range> {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if touches(*before, (first, last)) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Whether two ranges share an address, or one begins right after the other.
pub(crate) fn touches(one: Range, other: Range) -> bool {
    let reaches = |from: Range, to: Range| u32::from(to.0) <= u32::from(from.1).saturating_add(1);
    reaches(one, other) && reaches(other, one)
}

/// Whether all of `inner` is in one of the ranges.
pub(crate) fn holds(ranges: &[Range], inner: Range) -> bool {
    ranges.iter().any(|range| range.0 <= inner.0 && inner.1 <= range.1)
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
    fn ranges_are_joined_where_they_meet() {
        let joined =
            disjoint(["10.2.1.0/24", "10.2.0.0/24", "10.0.0.0/16", "10.0.5.0/24", "0.0.0.0/32"].map(net));
        let told: Vec<_> = joined.into_iter().map(told).collect();
        assert_eq!(told, ["0.0.0.0", "10.0.0.0/16", "10.2.0.0/23"]);
        let everything = disjoint(["128.0.0.0/1", "0.0.0.0/1", "255.255.255.255/32"].map(net));
        assert_eq!(everything, [net("0.0.0.0/0")]);
        assert!(disjoint([]).is_empty());
        let backwards = (Ipv4Addr::new(2, 0, 0, 0), Ipv4Addr::new(1, 0, 0, 0));
        assert!(disjoint([backwards]).is_empty());
        assert_eq!(
            super::told((Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 6))),
            "10.0.0.1-10.0.0.6"
        );
    }
}
