//! What `show` reads: one picture of everything at one moment. Renderings are pure functions of it.

use hubward_config::document::Document;
use hubward_config::model::Config;
use hubward_proto::esp::sa::ChildId;
use hubward_proto::ike::policy::Policy;
use hubward_proto::ike::snapshot::IkeSnapshot;
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Everything there is to show.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The moment it was taken.
    pub(crate) now: Instant,
    /// When the gateway started.
    pub(crate) started: Instant,
    /// Every line of the configuration.
    pub(crate) document: Arc<Document>,
    /// What it means.
    pub(crate) config: Arc<Config>,
    /// What of it concerns IKE.
    pub(crate) policy: Arc<Policy>,
    /// ISAKMP SAs and child SAs.
    pub(crate) ike: IkeSnapshot,
    /// What each child SA pair carried.
    pub(crate) traffic: BTreeMap<ChildId, Traffic>,
    /// The configuration's interfaces, in its order.
    pub(crate) interfaces: Vec<InterfaceView>,
    /// Connected and static routes and those of the tunnels.
    pub(crate) routes: Vec<RouteView>,
    /// `ip local pool`, one for each range.
    pub(crate) pools: Vec<PoolView>,
    /// Counters of the program and of the data plane, in alphabetical order.
    pub(crate) counters: Vec<(&'static str, u64)>,
}

/// What the two halves of a child SA carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// To the peer.
    pub(crate) outbound: HalfTraffic,
    /// From the peer.
    pub(crate) inbound: HalfTraffic,
}

/// What one half carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HalfTraffic {
    /// Packets protected or opened.
    pub(crate) packets: u64,
    /// Bytes of inner packets.
    pub(crate) bytes: u64,
    /// Packets that failed.
    pub(crate) errors: u64,
    /// The last sequence number sent, or the highest that verified.
    pub(crate) sequence: u32,
}

/// How an address came about, as `show ip interface` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressSource {
    /// There is none in the configuration.
    Unset,
    /// The configuration says it.
    Configuration,
    /// By DHCP.
    Dhcp,
}

/// One interface of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceView {
    /// Long name.
    pub(crate) name: String,
    /// The Linux interface; `None` where there is no such hardware here.
    pub(crate) link: Option<String>,
    /// `shutdown`.
    pub(crate) shutdown: bool,
    /// Set up.
    pub(crate) up: bool,
    /// Has carrier.
    pub(crate) running: bool,
    /// MTU in bytes.
    pub(crate) mtu: u32,
    /// Addresses, the primary one first.
    pub(crate) addresses: Vec<ipnet::Ipv4Net>,
    /// How the primary address came about.
    pub(crate) source: AddressSource,
    /// The crypto map it bears.
    pub(crate) crypto_map: Option<String>,
}

/// The letter of a route in `show ip route`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteSource {
    /// C: a network of an interface.
    Connected,
    /// S: `ip route`, DHCP's default route, or reverse route injection.
    Static,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteView {
    /// Its prefix.
    pub(crate) destination: ipnet::Ipv4Net,
    /// Where it is from.
    pub(crate) source: RouteSource,
    /// Administrative distance.
    pub(crate) distance: u8,
    /// Next hop.
    pub(crate) next_hop: Option<Ipv4Addr>,
    /// The interface, by its long name in the configuration.
    pub(crate) interface: Option<String>,
}

/// One range of an `ip local pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolView {
    /// The pool's name.
    pub(crate) name: String,
    /// Lowest address.
    pub(crate) low: Ipv4Addr,
    /// Highest address.
    pub(crate) high: Ipv4Addr,
    /// Addresses in use now, in order.
    pub(crate) in_use: Vec<Ipv4Addr>,
}
