//! Networks with what belongs to them, found by an address or a network that they contain: at most
//! as many look-ups as an address has bits, however many networks there are.

use ipnet::IpNet;
use std::collections::BTreeMap;

/// Networks with what belongs to each, in the order in which it was added.
pub(crate) struct Nets<T>(BTreeMap<IpNet, Vec<T>>);

impl<T> Nets<T> {
    pub(crate) fn new(all: impl IntoIterator<Item = (IpNet, T)>) -> Self {
        let mut nets: BTreeMap<IpNet, Vec<T>> = BTreeMap::new();
        for (net, of) in all {
            nets.entry(net.trunc()).or_default().push(of);
        }
        Self(nets)
    }

    /// Whether one of the networks has an address in common with another.
    pub(crate) fn meets(&self, net: IpNet) -> bool {
        let within = || {
            let first = IpNet::new(net.network(), 0).ok()?;
            let last = IpNet::new(net.broadcast(), net.max_prefix_len()).ok()?;
            self.0.range(first..=last).next()
        };
        self.around(net).next().is_some() || within().is_some()
    }

    /// The networks that contain all of another, the narrowest first.
    pub(crate) fn around(&self, net: IpNet) -> impl Iterator<Item = (IpNet, &T)> {
        let wider = (0..=net.prefix_len()).rev().filter_map(move |length| {
            let wide = IpNet::new(net.network(), length).ok()?.trunc();
            Some((wide, self.0.get(&wide)?))
        });
        wider.flat_map(|(net, all)| all.iter().map(move |of| (net, of)))
    }
}

#[cfg(test)]
mod tests {
    use super::Nets;
    use ipnet::IpNet;

    #[test]
    fn the_networks_around_another_are_found_narrowest_first() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let all = ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/16", "10.1.0.0/16", "10.2.0.0/16", "::/0"];
        let nets = Nets::new(all.into_iter().zip(0..).map(|(text, number)| (net(text), number)));
        let around = |text: &str| nets.around(net(text)).map(|(_, of)| *of).collect::<Vec<i32>>();
        assert_eq!(around("10.1.7.0/24"), [2, 3, 1, 0]);
        assert_eq!(around("10.0.0.0/8"), [1, 0]);
        assert_eq!(around("192.0.2.1/32"), [0]);
        assert_eq!(around("2001:db8::/32"), [5]);
        let some = Nets::new(["10.1.0.0/16", "10.2.4.0/24"].into_iter().map(|text| (net(text), ())));
        for (text, meets) in [
            ("10.1.7.0/24", true),
            ("10.0.0.0/8", true),
            ("10.2.0.0/16", true),
            ("10.2.5.0/24", false),
            ("10.2.4.0/24", true),
            ("11.0.0.0/8", false),
            ("::/0", false),
            ("0.0.0.0/0", true),
        ] {
            assert_eq!(some.meets(net(text)), meets, "{text}");
        }
    }
}
