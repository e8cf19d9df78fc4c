//! The networks behind the tunnels, which determine the routes into the TUN. Several child SAs may
//! lead to the same network, and during a rekey two do.

use crate::translate::ReverseRoute;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::names::{ChildId, InterfaceId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Which network is behind which child SA.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    behind: BTreeMap<ChildId, Behind>,
    tunnels: BTreeMap<Behind, usize>,
}

/// A network behind a tunnel, and the interface by which `reverse-route` adds a route to it and the
/// peer to which the route leads, if it does.
type Behind = (AddressRange, Option<(InterfaceId, IpAddr)>);

impl Networks {
    /// Adds a child SA; returns whether it is the only one to its network.
    pub(crate) fn add(
        &mut self,
        child: ChildId,
        remote: AddressRange,
        reverse: Option<(InterfaceId, IpAddr)>,
    ) -> bool {
        if self.behind.insert(child, (remote, reverse)).is_some() {
            return false;
        }
        let tunnels = self.tunnels.entry((remote, reverse)).or_default();
        *tunnels += 1;
        *tunnels == 1
    }

    /// Removes a child SA; returns whether it was the last one to its network.
    pub(crate) fn remove(&mut self, child: ChildId) -> bool {
        let Some(behind) = self.behind.remove(&child) else { return false };
        let Some(tunnels) = self.tunnels.get_mut(&behind) else { return false };
        *tunnels -= 1;
        let last = *tunnels == 0;
        if last {
            self.tunnels.remove(&behind);
        }
        last
    }

    /// All networks.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        self.tunnels.keys().map(|(range, _)| *range)
    }

    /// Those to which `reverse-route` adds a route.
    pub(crate) fn reverse(&self) -> impl Iterator<Item = ReverseRoute> {
        self.tunnels.keys().filter_map(|(net, reverse)| {
            let (interface, peer) = (*reverse)?;
            Some(ReverseRoute { net: *net, interface, peer: Some(peer) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_stays_as_long_as_a_tunnel_leads_there() {
        let lan = AddressRange::prefix("10.2.0.0/16".parse().unwrap());
        let mut networks = Networks::default();
        assert!(networks.add(ChildId(1), lan, None));
        // a rekey: the new one is added before the old one is removed
        assert!(!networks.add(ChildId(2), lan, None));
        assert!(!networks.add(ChildId(2), lan, None), "the same tunnel twice");
        assert!(!networks.remove(ChildId(1)));
        assert_eq!(networks.ranges().collect::<Vec<_>>(), [lan]);
        assert!(networks.remove(ChildId(2)));
        assert!(!networks.remove(ChildId(2)));
        assert_eq!(networks.ranges().count(), 0);
    }

    #[test]
    fn a_reverse_route_stays_as_long_as_a_tunnel_makes_it() {
        let lan = AddressRange::prefix("10.2.0.0/16".parse().unwrap());
        let mut networks = Networks::default();
        assert!(networks.add(ChildId(1), lan, None));
        let peer: IpAddr = "203.0.113.10".parse().unwrap();
        assert!(networks.add(ChildId(2), lan, Some((InterfaceId(0), peer))), "the first that makes a route");
        assert!(!networks.add(ChildId(3), lan, Some((InterfaceId(0), peer))));
        let route = ReverseRoute { net: lan, interface: InterfaceId(0), peer: Some(peer) };
        assert_eq!(networks.reverse().collect::<Vec<_>>(), [route]);
        assert!(!networks.remove(ChildId(2)));
        assert!(networks.remove(ChildId(3)));
        assert_eq!((networks.reverse().count(), networks.ranges().count()), (0, 1));
    }
}
