//! The networks behind the tunnels, which the routes into the TUN follow. Several tunnels may lead to the same network, and
//! while one is rekeyed two do.

use hubward_proto::esp::sa::ChildId;
use hubward_proto::flow::selector::AddressRange;
use std::collections::BTreeMap;

/// What lies behind which tunnel.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    behind: BTreeMap<ChildId, AddressRange>,
    tunnels: BTreeMap<AddressRange, usize>,
}

impl Networks {
    /// A tunnel is there; whether it is the only one to its network.
    pub(crate) fn add(&mut self, child: ChildId, remote: AddressRange) -> bool {
        if self.behind.insert(child, remote).is_some() {
            return false;
        }
        let tunnels = self.tunnels.entry(remote).or_default();
        *tunnels += 1;
        *tunnels == 1
    }

    /// A tunnel is gone; whether it was the last one to its network.
    pub(crate) fn remove(&mut self, child: ChildId) -> bool {
        let Some(remote) = self.behind.remove(&child) else { return false };
        let Some(tunnels) = self.tunnels.get_mut(&remote) else { return false };
        *tunnels -= 1;
        let last = *tunnels == 0;
        if last {
            self.tunnels.remove(&remote);
        }
        last
    }

    /// All of them.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        self.tunnels.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_stays_as_long_as_a_tunnel_leads_there() {
        let lan = AddressRange::prefix("10.2.0.0/16".parse().unwrap());
        let mut networks = Networks::default();
        assert!(networks.add(ChildId(1), lan));
        // rekeyed: the new one before the old one goes
        assert!(!networks.add(ChildId(2), lan));
        assert!(!networks.add(ChildId(2), lan), "the same tunnel twice");
        assert!(!networks.remove(ChildId(1)));
        assert_eq!(networks.ranges().collect::<Vec<_>>(), [lan]);
        assert!(networks.remove(ChildId(2)));
        assert!(!networks.remove(ChildId(2)));
        assert_eq!(networks.ranges().count(), 0);
    }
}
