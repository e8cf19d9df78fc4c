//! Builds the gateway and what it depends on: everything that `hubward run` opens, makes or reads
//! before it starts the packet workers and accepts users.

use crate::base::clock::now;
use crate::base::counters::Drops;
use crate::base::inbox::Inbox;
use crate::base::store::{HISTORIES, Store, wall_clock};
use crate::check;
use crate::choices::Choices;
use crate::dataplane::Shared;
use crate::dataplane::offload::Offloads;
use crate::dataplane::port::Ports;
use crate::gateway::Gateway;
use crate::gateway::asks::Asks;
use crate::gateway::drive::Reports;
use crate::gateway::known::KnownPeers;
use crate::gateway::lease::{LeaseStore, Leases};
use crate::gateway::memory::Memory;
use crate::gateway::networks::Networks;
use crate::guard::Guard;
use crate::guard::rules::Here;
use crate::log::events::Log;
use crate::log::logging::Logging;
use crate::machine::apply::{Demand, Machine, Prepared, map_interfaces};
use crate::machine::dhcp::Clients;
use crate::machine::dhcp_server::Servers;
use crate::machine::plan::Carrier;
use crate::plane::Plane;
use crate::router::{self, Router};
use crate::run::arguments::Arguments;
use crate::supervise::Supervisor;
use crate::translate::{self, Translation};
use crate::views::Views;
use arc_swap::ArcSwap;
use hubward_config::Parsed;
use hubward_linux::clear::ClearSocket;
use hubward_linux::esp_raw::EspSocket;
use hubward_linux::marks::{CLEAR_MARK, FWMARK};
use hubward_linux::monitor::Monitor;
use hubward_linux::tun::{Tun, TunOptions};
use hubward_linux::udp::UdpSocket;
use hubward_linux::unreachable::UnreachableSocket;
use hubward_linux::xfrm::Events;
use hubward_linux::{SocketOptions, random};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::tables::Tables;
use hubward_proto::ike::engine::Engine;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8};

/// A gateway, and the parts that the rest of the program shares with it.
pub(crate) struct Built {
    pub(crate) gateway: Gateway,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) isakmp: Arc<UdpSocket>,
    pub(crate) views: Arc<Views>,
    pub(crate) store: Store,
    /// The exit status of the configuration in force.
    pub(crate) status: Arc<AtomicU8>,
    /// What the kernel reports, if it carries the packets.
    pub(crate) events: Option<Events>,
}

/// Builds the gateway of a configuration that may be started. `status`: the exit status from the
/// configuration alone.
///
/// # Errors
/// The machine cannot do it, or not yet; everything done until then is undone.
pub(crate) fn build(
    arguments: &Arguments,
    parsed: Parsed,
    status: u8,
    choices: Choices,
    supervisor: &Arc<Supervisor>,
    logging: Arc<Logging>,
) -> anyhow::Result<Built> {
    let given = arguments.options.maps();
    let faces = map_interfaces(&parsed.config, &given, given.is_empty())?;
    let status = Arc::new(AtomicU8::new(check::status_here(status, &parsed.config, &faces.names)));
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let options = SocketOptions { mark: Some(FWMARK), interface: None, buffer: 4 << 20 };
    // the ports first: two gateways must not undo each other's work
    let isakmp = Arc::new(UdpSocket::bind(everywhere(500), &options)?);
    let natt = UdpSocket::bind(everywhere(4500), &options)?;
    let translation = Translation::of(&parsed.config).with_overlap(choices.overlap.into());
    let (plane, chosen) = Plane::choose(arguments.dataplane(), translation.policy(), now())?;
    tracing::info!("the data plane is {}: {}", chosen.name, chosen.why);
    plane.prepare(&isakmp, &natt)?;
    // before anything is requested of it
    let events = if plane.is_kernel() { Some(Events::open()?) } else { None };
    let esp = match plane.is_kernel() {
        true => None,
        false => Some(EspSocket::open(Ipv4Addr::UNSPECIFIED.into(), &options)?),
    };
    let store = Store::open(&arguments.state)?;
    crate::guard::mapping::remember(&arguments.state, &faces.names);
    // before anything is forwarded
    let here = Here { names: &faces.names, leased: &[], absent: &[] };
    let guard = Guard::set_up(store.clone(), choices.allowed.guard, &parsed, here)?;
    let mut machine = Machine::open(
        Some(&arguments.state),
        &parsed.config,
        faces,
        arguments.no_addresses || arguments.options.keep_addresses(),
        given.is_empty(),
    )?;
    // from here on, changes are reported
    let monitor = Monitor::open()?;
    let tun = Tun::create(&TunOptions::default())?;
    if !plane.is_kernel() {
        machine.carry_by(Carrier::Tun { index: tun.index(), name: tun.name().to_string() });
    }
    // before anything is forwarded
    let here = router::here(&parsed.config, machine.names(), &[], machine.tun());
    let mut router = Router::set_up(&parsed, here)?;
    for warning in router::foreign_warnings() {
        tracing::warn!("{warning}");
    }
    let Prepared { faces, addresses, reserved } = machine.prepare(&parsed.config)?;
    machine.adopt(faces, &[]);
    let policy = translation.on(&addresses, reserved);
    for line in &translation.left_out {
        tracing::warn!("{line}");
    }
    let tables = Tables::build(&policy, translate::pool_ranges(&parsed.config));
    let reverse = translate::reverse_routes(&parsed.config);
    machine.apply(Demand { config: &parsed.config, selected: &tables.captured(), reverse: &reverse });
    if let Some(why) = machine.unfounded() {
        anyhow::bail!("{why}");
    }
    let ports = Ports::new(tun, Vec::new());
    let offloads = Arc::new(match plane.is_kernel() {
        true => Offloads::default(),
        false => Offloads::start(&arguments.no_offload(), &ports, &natt),
    });
    let shared = Arc::new(Shared {
        sad: Arc::new(Sad::new()),
        tables: ArcSwap::from_pointee(tables),
        ports,
        natt,
        esp,
        clear: Some(ClearSocket::open(CLEAR_MARK)?),
        unreachable: UnreachableSocket::open()?,
        stop: AtomicBool::new(false),
        drops: Arc::new(Drops::default()),
        offloads,
    });
    let parsed = Arc::new(parsed);
    let views = Arc::new(Views::new(
        Arc::clone(&parsed),
        Arc::new(machine.names().clone()),
        Arc::clone(&shared.sad),
        Arc::clone(&shared.drops),
        Arc::clone(&shared.offloads),
        chosen,
        arguments.file.clone(),
        Arc::clone(&logging),
    ));
    views.failures().remember(&store.rows(HISTORIES), wall_clock());
    router.count_misses(views.nat_misses());
    let inbox = Arc::new(Inbox::default());
    let leases = Leases::open(LeaseStore::Local(store.clone()));
    let asks = Asks::start(supervisor, &parsed.config, leases, &store, &inbox, &views)?;
    let policy = Arc::new(policy);
    let mut engine = Engine::new(Arc::clone(&policy), random::seed()?, now());
    let mut known = KnownPeers::open(store.clone(), inbox.known(), wall_clock());
    known.configured(&policy);
    known.sources().for_each(|source| engine.know(source));
    let mut gateway = Gateway {
        engine,
        parsed,
        translation,
        views: Arc::clone(&views),
        machine,
        shared: Arc::clone(&shared),
        plane,
        isakmp: Arc::clone(&isakmp),
        monitor,
        addresses,
        file: arguments.file.clone(),
        state: arguments.state.clone(),
        log: Log::default(),
        logging,
        reports: Reports::default(),
        guard,
        router,
        networks: Networks::default(),
        known,
        memory: Memory::default(),
        recapture: None,
        capture_again: crate::gateway::CAPTURE_AGAIN,
        choices: Arc::new(choices),
        status: Arc::clone(&status),
        dhcp: Clients::new(store.clone(), Arc::clone(supervisor), Arc::clone(&inbox)),
        lending: Servers::new(store.clone(), Arc::clone(supervisor)),
        asks,
        configured: false,
        heard: Vec::new(),
    };
    gateway.start_dhcp()?;
    gateway.configure_plane(&policy);
    gateway.follow();
    Ok(Built { gateway, inbox, shared, isakmp, views, store, status, events })
}
