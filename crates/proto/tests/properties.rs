//! What holds for all values: tables compared with linear scans, codecs with themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::Lookup;
use hubward_proto::ike::identity::Proxy;
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::wire::attribute::{Attribute, Value};
use hubward_proto::wire::ike1::{Config, Delete, Notify, Proposal, Transform, parse_sa, write_sa};
use hubward_proto::wire::isakmp::{Cookie, Header};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Addresses that are often equal or adjacent.
fn address() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        (0u8..4, 0u8..4, 0u8..8).prop_map(|(b, c, d)| Ipv4Addr::new(10, b, c, d)),
        any::<u32>().prop_map(Ipv4Addr::from),
    ]
}

fn range() -> impl Strategy<Value = AddressRange> {
    prop_oneof![
        (address(), 0u8..=32).prop_map(|(address, length)| {
            AddressRange::prefix(ipnet::IpNet::new(IpAddr::V4(address), length).unwrap())
        }),
        (address(), address()).prop_map(|(one, other)| {
            AddressRange::new(one.min(other).into(), one.max(other).into()).unwrap()
        }),
    ]
}

fn selector() -> impl Strategy<Value = Selector> {
    let port = || prop::option::weighted(0.3, prop::sample::select(vec![53u16, 80]));
    (range(), range(), prop::option::weighted(0.3, prop::sample::select(vec![6u8, 17])), port(), port())
        .prop_map(|(local, remote, protocol, local_port, remote_port)| Selector {
            local,
            remote,
            protocol,
            local_port,
            remote_port,
        })
}

fn flow() -> impl Strategy<Value = Flow> {
    let port = || prop::option::of(prop::sample::select(vec![53u16, 80, 443]));
    (address(), address(), prop::sample::select(vec![1u8, 6, 17]), port(), port()).prop_map(
        |(source, destination, protocol, source_port, destination_port)| Flow {
            source: source.into(),
            destination: destination.into(),
            protocol,
            source_port,
            destination_port,
        },
    )
}

fn child(id: u64, selector: Selector) -> Arc<ChildSa> {
    let suite = EspSuite::new(EspCipher::AesGcm128, None::<EspAuth>).unwrap();
    let half = |spi| Half { spi: Spi(spi), keymat: Secret::new(vec![1; suite.keymat_len()]) };
    let spi = 1000 + u32::try_from(id).unwrap();
    Arc::new(ChildSa {
        id: ChildId(id),
        path: Path {
            local: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            local_port: 500,
            remote: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        },
        service: Service::entry("m", 10),
        selector,
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(spi),
        outbound: half(spi),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}

/// The rule in one sentence: of the SAs that match, the one with the longest remote prefix, the
/// newest among equal ones, ranges last.
fn linear(children: &[Arc<ChildSa>], flow: &Flow) -> Option<ChildId> {
    let rank =
        |child: &ChildSa| child.selector.remote.to_prefix().map_or(-1, |net| i16::from(net.prefix_len()));
    let fitting = children.iter().enumerate().filter(|(_, child)| child.selector.matches(flow));
    fitting.max_by_key(|(index, child)| (rank(child), *index)).map(|(_, child)| child.id)
}

proptest! {
    #[test]
    fn the_table_finds_what_a_scan_finds(
        selectors in prop::collection::vec(selector(), 0..24),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        flows in prop::collection::vec(flow(), 1..24),
    ) {
        let sad = Sad::new();
        let mut following = sad.outbound_view(Lookup::BySelector);
        let mut children: Vec<_> = selectors.into_iter().zip(1..).map(|(selector, id)| child(id, selector)).collect();
        for child in &children {
            sad.install(child, Direction::Outbound).unwrap();
        }
        for index in gone {
            if !children.is_empty() {
                sad.remove(children.remove(index.index(children.len())).id);
            }
        }
        let beginning = sad.outbound_view(Lookup::BySelector);
        // one view that followed every addition and removal, and one that starts now
        following.refresh();
        for (flow, view) in flows.iter().flat_map(|flow| [(flow, &following), (flow, &beginning)]) {
            let found = view.by_flow(flow, |_| false).map(|sa| sa.child.id);
            prop_assert_eq!(found, linear(&children, flow), "{:?}", flow);
        }
    }

    /// A selector that covers another matches everything that the other matches; seen from the
    /// other side, it matches the answers.
    #[test]
    fn selectors_and_flows(one in selector(), other in selector(), flow in flow()) {
        prop_assert_eq!(one.matches(&flow), one.mirrored().matches(&flow.reversed()));
        prop_assert_eq!(one.mirrored().mirrored(), one);
        if one.covers(&other) && other.matches(&flow) {
            prop_assert!(one.matches(&flow), "{:?} {:?} {:?}", one, other, flow);
        }
        prop_assert!(one.covers(&one));
    }

    #[test]
    fn ranges(one in range(), other in range(), address in address()) {
        let address = IpAddr::V4(address);
        let both = one.contains(address) && other.contains(address);
        prop_assert!(!both || (one.overlaps(&other) && other.overlaps(&one)));
        prop_assert!(!one.covers(&other) || one.contains(address) || !other.contains(address));
        if let Some(net) = one.to_prefix() {
            prop_assert_eq!(AddressRange::prefix(net), one);
        }
    }

    #[test]
    fn proxies(range in range(), protocol in prop::option::of(1u8..), port in prop::option::of(1u16..)) {
        prop_assume!(range != AddressRange::host(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let proxy = Proxy { range, protocol, port };
        prop_assert_eq!(Proxy::parse(&proxy.write(), false), Ok(proxy));
    }

    #[test]
    fn headers(parts in any::<([u8; 8], [u8; 8], u8, u8, u8, u32)>(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        let (initiator, responder, first, exchange, flags, message_id) = parts;
        let header =
            Header { initiator: Cookie(initiator), responder: Cookie(responder), first, exchange, flags, message_id };
        let bytes = header.write(&body);
        prop_assert_eq!(Header::parse(&bytes), Ok((header, body.as_slice())));
    }

    #[test]
    fn sa_payloads(proposals in prop::collection::vec(proposal(), 1..8)) {
        prop_assert_eq!(parse_sa(&write_sa(&proposals)), Ok(proposals));
    }

    #[test]
    fn other_payloads(
        numbers in any::<(u8, u16, u8)>(),
        spi in prop::collection::vec(any::<u8>(), 0..=255),
        data in prop::collection::vec(any::<u8>(), 0..80),
        spis in prop::collection::vec(any::<[u8; 4]>(), 1..20),
        attributes in attributes(40),
    ) {
        let (protocol, kind, message) = numbers;
        let notify = Notify { protocol, spi, kind, data };
        prop_assert_eq!(Notify::parse(&notify.write()), Ok(notify));
        let delete = Delete { protocol, spis: spis.iter().map(|spi| spi.to_vec()).collect() };
        prop_assert_eq!(Delete::parse(&delete.write()), Ok(delete));
        let config = Config { kind: message, identifier: kind, attributes };
        prop_assert_eq!(Config::parse(&config.write()), Ok(config));
    }
}

fn attributes(most: usize) -> impl Strategy<Value = Vec<Attribute>> {
    let value = prop_oneof![
        any::<u16>().prop_map(Value::Short),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Long),
    ];
    prop::collection::vec((0u16..0x8000, value).prop_map(|(kind, value)| Attribute { kind, value }), 0..=most)
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let transform = (any::<u8>(), any::<u8>(), attributes(16))
        .prop_map(|(number, id, attributes)| Transform { number, id, attributes });
    (
        any::<u8>(),
        any::<u8>(),
        prop::collection::vec(any::<u8>(), 0..16),
        prop::collection::vec(transform, 0..10),
    )
        .prop_map(|(number, protocol, spi, transforms)| Proposal { number, protocol, spi, transforms })
}
