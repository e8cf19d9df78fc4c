//! A child SA and the flows that it carries, for measurements of the packet path.

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::EspSuite;
use hubward_proto::esp::sa::{ChildSa, Half};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use std::net::IpAddr;
use std::sync::Arc;

/// A child SA whose two directions have the same keys, so that it opens what it seals.
pub(crate) fn child(number: u32, suite: EspSuite, remote: AddressRange) -> Arc<ChildSa> {
    let half = || Half { spi: Spi(0x1000 + number), keymat: Secret::new(vec![7; suite.keymat_len()]) };
    let host = |last| IpAddr::from([192, 0, 2, last]);
    Arc::new(ChildSa {
        id: ChildId(u64::from(number)),
        path: Path {
            local: host(1),
            local_port: 4500,
            remote: host(2),
            remote_port: 4500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Udp,
        },
        service: Service::entry("mymap", 10),
        selector: Selector::between(AddressRange::ANY_V4, remote),
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(),
        outbound: half(),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}
