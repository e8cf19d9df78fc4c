//! The networks on both sides of the tunnels, which determine the routes into the TUN. Several child
//! SAs may join the same networks, and during a rekey two do.

use crate::translate::ReverseRoute;
use hubward_proto::flow::selector::Selector;
use hubward_proto::names::{ChildId, InterfaceId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Which network is behind which child SA.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    behind: BTreeMap<ChildId, Behind>,
    tunnels: BTreeMap<Behind, usize>,
}

/// The networks on both sides of a tunnel, and the interface by which `reverse-route` adds a route to
/// the remote one and the peer to which the route leads, if it does.
type Behind = (Selector, Option<(InterfaceId, IpAddr)>);

impl Networks {
    /// Adds a child SA; returns whether it is the only one between its networks.
    pub(crate) fn add(
        &mut self,
        child: ChildId,
        between: Selector,
        reverse: Option<(InterfaceId, IpAddr)>,
    ) -> bool {
        if self.behind.insert(child, (between, reverse)).is_some() {
            return false;
        }
        let tunnels = self.tunnels.entry((between, reverse)).or_default();
        *tunnels += 1;
        *tunnels == 1
    }

    /// Removes a child SA; returns whether it was the last one between its networks.
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

    /// The networks on both sides of all tunnels.
    pub(crate) fn selected(&self) -> impl Iterator<Item = Selector> {
        self.tunnels.keys().map(|(between, _)| *between)
    }

    /// Those to which `reverse-route` adds a route.
    pub(crate) fn reverse(&self) -> impl Iterator<Item = ReverseRoute> {
        self.tunnels.keys().filter_map(|(between, reverse)| {
            let (interface, peer) = (*reverse)?;
            Some(ReverseRoute { net: between.remote, interface, peer: Some(peer) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::AddressRange;

    fn to(remote: &str) -> Selector {
        Selector::between(AddressRange::ANY_V4, AddressRange::prefix(remote.parse().unwrap()))
    }

    #[test]
    fn a_network_stays_as_long_as_a_tunnel_leads_there() {
        let lan = to("10.2.0.0/16");
        let mut networks = Networks::default();
        assert!(networks.add(ChildId(1), lan, None));
        // a rekey: the new one is added before the old one is removed
        assert!(!networks.add(ChildId(2), lan, None));
        assert!(!networks.add(ChildId(2), lan, None), "the same tunnel twice");
        assert!(!networks.remove(ChildId(1)));
        assert_eq!(networks.selected().collect::<Vec<_>>(), [lan]);
        assert!(networks.remove(ChildId(2)));
        assert!(!networks.remove(ChildId(2)));
        assert_eq!(networks.selected().count(), 0);
    }

    #[test]
    fn a_reverse_route_stays_as_long_as_a_tunnel_makes_it() {
        let lan = to("10.2.0.0/16");
        let mut networks = Networks::default();
        assert!(networks.add(ChildId(1), lan, None));
        let peer: IpAddr = "203.0.113.10".parse().unwrap();
        assert!(networks.add(ChildId(2), lan, Some((InterfaceId(0), peer))), "the first that makes a route");
        assert!(!networks.add(ChildId(3), lan, Some((InterfaceId(0), peer))));
        let route = ReverseRoute { net: lan.remote, interface: InterfaceId(0), peer: Some(peer) };
        assert_eq!(networks.reverse().collect::<Vec<_>>(), [route]);
        assert!(!networks.remove(ChildId(2)));
        assert!(networks.remove(ChildId(3)));
        assert_eq!((networks.reverse().count(), networks.selected().count()), (0, 1));
    }
}
