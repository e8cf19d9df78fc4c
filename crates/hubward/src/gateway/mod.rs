//! The gateway: the one thread that owns the engine, the document and the machine. Messages in,
//! effects out.

pub(crate) mod aaa;
pub(crate) mod asks;
pub(crate) mod drive;
pub(crate) mod known;
pub(crate) mod lease;
pub(crate) mod memory;
pub(crate) mod networks;
mod pool;
pub(crate) mod resolved;
pub(crate) mod startup;

use crate::base::clock::now;
use crate::base::family::v4_address;
use crate::base::inbox::Inbox;
use crate::base::message::{Datagram, End, Extent, LinkPacket, News, NotConfigured, Request};
use crate::base::store::wall_clock;
use crate::check;
use crate::choices::Choices;
use crate::dataplane::Shared;
use crate::gateway::asks::Asks;
use crate::gateway::asks::files::Kind;
use crate::gateway::drive::{Drives, Reports, drive};
use crate::gateway::known::KnownPeers;
use crate::gateway::memory::Memory;
use crate::gateway::networks::Networks;
use crate::gateway::resolved::{Ready, Resolved};
use crate::guard::rules::Here;
use crate::guard::{self, Guard};
use crate::log::events::Log;
use crate::log::logging::Logging;
use crate::machine::apply::{Demand, Machine, More};
use crate::machine::dhcp;
use crate::machine::dhcp_server::Servers;
use crate::machine::plan::Carrier;
use crate::plane::Plane;
use crate::plane::kernel::{Link, Links};
use crate::router::{self, Router};
use crate::supervise::{self, Heart};
use crate::translate::{self, Addresses, ReverseRoute, Translation};
use crate::views::Views;
use hubward_config::Parsed;
use hubward_linux::monitor::{Change, Monitor};
use hubward_linux::udp::UdpSocket;
use hubward_linux::{clock, link};
use hubward_proto::esp::inbound::Notice;
use hubward_proto::esp::sa::Direction;
use hubward_proto::flow::selector::Selector;
use hubward_proto::flow::tables::Tables;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Effect, Input};
use hubward_proto::names::{InterfaceId, Spi, VrfId};
use hubward_proto::path::{Encapsulation, ISAKMP_PORT, NATT_PORT, Path};
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Everything that the gateway owns.
pub(crate) struct Gateway {
    pub(crate) engine: Engine,
    pub(crate) parsed: Arc<Parsed>,
    /// What it means, independent of the addresses.
    pub(crate) translation: Translation,
    /// The state that it publishes.
    pub(crate) views: Arc<Views>,
    pub(crate) machine: Machine,
    pub(crate) shared: Arc<Shared>,
    pub(crate) plane: Plane,
    pub(crate) isakmp: Arc<UdpSocket>,
    pub(crate) monitor: Monitor,
    pub(crate) addresses: Addresses,
    pub(crate) file: std::path::PathBuf,
    /// The folder for what survives a restart.
    pub(crate) state: std::path::PathBuf,
    pub(crate) log: Log,
    pub(crate) logging: Arc<Logging>,
    pub(crate) reports: Reports,
    /// What keeps cleartext in.
    pub(crate) guard: Guard,
    /// Access lists of interfaces and address translation.
    pub(crate) router: Router,
    /// The networks behind the tunnels.
    pub(crate) networks: Networks,
    pub(crate) known: KnownPeers,
    pub(crate) memory: Memory,
    /// When to remove the routes of tunnels that are gone, or to retry what the machine did not
    /// accept.
    pub(crate) recapture: Option<Instant>,
    /// How long to wait before the retry after the next failure.
    pub(crate) capture_again: Duration,
    /// What the start options leave out.
    pub(crate) choices: Arc<Choices>,
    /// The exit status of the configuration in force: whether something in it behaves differently
    /// from IOS.
    pub(crate) status: Arc<AtomicU8>,
    pub(crate) dhcp: dhcp::Clients,
    pub(crate) lending: Servers,
    /// What answers the engine's questions.
    pub(crate) asks: Asks,
    /// Another configuration is in force since the interfaces were last looked at.
    pub(crate) configured: bool,
    /// What changed on the machine since it was last brought in line.
    pub(crate) heard: Vec<Change>,
}

/// How long a route may outlive its tunnel, so that many that end together are removed at once.
const RECAPTURE: Duration = Duration::from_millis(100);

/// The time before a failed change of the machine is retried; it doubles each time, up to a minute.
pub(crate) const CAPTURE_AGAIN: Duration = Duration::from_secs(1);

impl Drives for Gateway {
    fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    fn deadline(&self) -> Option<Instant> {
        [self.dhcp.poll_timeout(), self.recapture, self.guard.due(), self.router.due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn datagram(&mut self, datagram: Datagram) {
        let Some(path) = self.path(datagram.from, datagram.to, datagram.port) else { return };
        self.engine.handle(now(), Input::Datagram { path, bytes: &datagram.bytes });
    }

    fn news(&mut self, news: News) {
        match news {
            News::Acquire(acquire) => self.engine.handle(now(), Input::Acquire(acquire)),
            News::Reached(child) => self.reports.reached(&mut self.engine, &self.shared.sad, child),
            News::Limit(child, limit) => self.engine.handle(now(), Input::Expire { child, limit }),
            News::Kernel(event) => {
                if let Plane::Kernel(kernel) = &mut self.plane
                    && let Some(news) = kernel.told(event, &self.shared.tables.load(), now())
                {
                    self.news(news);
                }
            }
            News::Notice(Notice::Seen(child)) => self.engine.handle(now(), Input::InboundSeen { child }),
            News::Notice(Notice::Moved(child, remote, remote_port)) => {
                self.engine.handle(now(), Input::PeerMoved { child, remote, remote_port });
            }
            News::Notice(Notice::Refused(child, refused)) => {
                self.log.refused_packet(now(), child, refused);
                if let Some(sa) = self.shared.sad.get(child, Direction::Inbound) {
                    self.views.failures().packet(clock::wall(), sa.path(), &sa.child, refused);
                }
            }
            News::Notice(Notice::UnknownSpi { spi, local, remote, encapsulation }) => {
                let port = if encapsulation == Encapsulation::Udp { NATT_PORT } else { ISAKMP_PORT };
                let Some(path) = self.path(SocketAddr::new(remote, port), local, port) else { return };
                if self.known.is_known(remote) {
                    self.views.failures().stray(clock::wall(), remote, spi);
                }
                self.engine.handle(now(), Input::UnknownSpi { path, spi: Spi(spi) });
            }
            News::Notice(Notice::NearlyExhausted(_) | Notice::Exhausted(_)) => {}
        }
    }

    fn dhcp(&mut self, packet: LinkPacket) {
        self.dhcp.packet(now(), &packet);
    }

    fn request(&mut self, request: Request) -> Option<End> {
        match request {
            Request::Order(command, done) => {
                self.engine.handle(now(), Input::Command(command));
                self.effects();
                self.views.ordered();
                // the requester may be gone
                let _gone = done.send(());
            }
            Request::Trace(scope, done) => {
                self.engine.trace(scope);
                // the requester may be gone
                let _gone = done.send(());
            }
            Request::ClearGuard(net, done) => {
                let count = self.with_guard(|guard, parsed, here| guard.clear(net, parsed, here));
                self.tell_of_the_guard();
                // the requester may be gone
                let _gone = done.send(count);
            }
            Request::Reload => self.reload(),
            Request::Configure { base, parsed, extent, done } => {
                let outcome = match Arc::ptr_eq(&base, &self.parsed) {
                    true => self
                        .install(parsed, extent)
                        .map_err(|error| NotConfigured::Refused(format!("{error:#}"))),
                    false => Err(NotConfigured::Overtaken),
                };
                self.effects();
                // the requester may be gone
                let _gone = done.send(outcome);
            }
            Request::Stop(end) => return Some(end),
        }
        None
    }

    fn turn(&mut self) -> anyhow::Result<Option<End>> {
        self.leases_of_interfaces();
        self.effects();
        self.router.hear(self.machine.names());
        self.log.tick(now());
        Ok(None)
    }

    fn every_second(&mut self) {
        self.look_around();
        self.memory.look(now());
    }
}

impl Gateway {
    /// Runs until it is stopped or another part of the program fails; then sends deletes to every
    /// peer and undoes everything that was set up.
    pub(crate) fn run(mut self, heart: &Heart, inbox: &Inbox) -> End {
        self.views.installed(self.machine.names(), &self.machine.statics);
        self.link_mtus();
        self.machine.begin_lines(&self.parsed.config);
        self.machine.announce();
        self.tell_of_the_guard();
        let end = drive(&mut self, heart, inbox).unwrap_or_else(|error| {
            tracing::error!("{error:#}");
            End::Failed
        });
        if let (End::Failed, Some(fault)) = (end, heart.supervisor().fault()) {
            tracing::error!("{}", supervise::told(fault));
        }
        inbox.close();
        heart.supervisor().stop();
        self.engine.handle(now(), Input::Command(Command::Shutdown));
        self.effects();
        self.with_guard(Guard::close);
        // after a restart the leases are found again, as after a crash
        if end != End::Failed {
            self.dhcp.release();
        }
        end
    }

    /// Handles the leases that DHCP granted or ended.
    fn leases_of_interfaces(&mut self) {
        for change in self.dhcp.step(now()) {
            self.lease_changed(change);
            self.follow();
            self.addresses_may_have_changed();
        }
    }

    /// Records a lease, and updates the guard. The machine follows with its next plan.
    fn lease_changed(&mut self, change: dhcp::Change) {
        match change {
            dhcp::Change::Bound(name, lease) => {
                tracing::info!(
                    "%DHCP-6-ADDRESS_ASSIGN: Interface {name} assigned DHCP address {}",
                    lease.address
                );
                self.machine.leases.insert(name, lease);
            }
            dhcp::Change::Lost(name, lease) => {
                tracing::warn!("{name} lost its DHCP address {}", lease.address);
                self.machine.leases.remove(&name);
            }
        }
        self.with_guard(Guard::set_or_tell);
        self.with_router(Router::set_or_tell);
    }

    /// The path of a datagram: the interface with a crypto map at whose address it arrived. Several
    /// interfaces whose map has a `local-address` share that one, and the peer is served by the one
    /// that leads to it.
    fn path(&self, from: SocketAddr, to: Option<IpAddr>, port: u16) -> Option<Path> {
        let to = to?;
        let bearers = self.parsed.config.interfaces.iter().filter(|interface| interface.crypto_map.is_some());
        let ids = bearers.map(|interface| InterfaceId(interface.number));
        let mut ids = ids.filter(|id| self.addresses.get(id) == Some(&to));
        let (first, second) = (ids.next()?, ids.next());
        let led = second.and_then(|second| {
            let bearer = self.machine.bearer_to(from.ip())?;
            [first, second].into_iter().chain(ids).find(|id| *id == bearer)
        });
        let interface = led.unwrap_or(first);
        Some(Path {
            local: to,
            local_port: port,
            remote: from.ip(),
            remote_port: from.port(),
            interface,
            vrf: VrfId(0),
            encapsulation: if port == NATT_PORT { Encapsulation::Udp } else { Encapsulation::Native },
        })
    }

    fn effects(&mut self) {
        let mut routes_changed = false;
        let (mut new, mut new_reverse) = (Vec::new(), Vec::new());
        let mut told = Vec::new();
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Transmit { path, bytes } => {
                    drive::transmit(&self.isakmp, &self.shared.natt, &path, &bytes);
                }
                Effect::NatKeepalive { path } => drive::keep_nat_open(&self.shared.natt, &path),
                Effect::Install { child, direction } => {
                    self.known.here(child.id, child.path.remote);
                    if let Err(error) = self.shared.sad.install(&child, direction) {
                        tracing::error!("tunnel {} cannot be used: {error}", child.id.0);
                    }
                    if let Plane::Kernel(kernel) = &mut self.plane
                        && let Err(error) = kernel.install(&child, direction)
                    {
                        tracing::error!("tunnel {} cannot be used: {error:#}", child.id.0);
                    }
                    routes_changed |= self.plane.is_kernel();
                    if direction == Direction::Outbound {
                        self.guard.installed(&self.parsed.config, &child);
                    }
                    // also if it could not be installed: what should be protected must not leave in
                    // clear
                    if direction == Direction::Outbound {
                        let remote = child.selector.remote;
                        let terms = translate::terms_of(&self.parsed.config, &child.service);
                        let reverse = terms.is_some_and(|terms| terms.reverse_route);
                        let reverse = reverse.then_some((child.path.interface, child.path.remote));
                        let between = Selector::between(child.selector.local, remote);
                        if self.networks.add(child.id, between, reverse) {
                            new.push(between);
                            new_reverse.extend(reverse.map(|(interface, peer)| ReverseRoute {
                                net: remote,
                                interface,
                                peer: Some(peer),
                            }));
                        }
                    }
                }
                Effect::Repath { child, path } => {
                    self.known.here(child, path.remote);
                    self.shared.sad.repath(child, path);
                    if let Plane::Kernel(kernel) = &mut self.plane {
                        kernel.repath(child, path);
                        routes_changed = true;
                    }
                }
                Effect::Remove { child } => {
                    if let Plane::Kernel(kernel) = &mut self.plane {
                        kernel.remove(child, &self.shared.sad, now());
                    }
                    let halves = self.shared.sad.remove(child);
                    self.views.carried(child, &halves);
                    self.reports.forget(child);
                    self.guard.removed(child);
                    self.known.gone(child);
                    let gone = self.networks.remove(child);
                    if self.plane.is_kernel() {
                        routes_changed = true;
                    } else if gone {
                        self.capture_within(RECAPTURE);
                    }
                }
                Effect::Ask { id, question } => {
                    // most answers arrive as messages
                    if let Some(answer) = self.asks.ask(id, question) {
                        self.engine.handle(now(), Input::Answer { id, answer });
                    }
                }
                Effect::Release { address, .. } => self.asks.release(address),
                Effect::Assign(_) | Effect::Unassign { .. } => {}
                Effect::Event(event) => told.push(event),
            }
        }
        // an answer must not tell by its time what is written about it, such as that a group is
        // not known
        for event in told {
            match event.kind {
                EventKind::Trace(_) => self.logging.step(event),
                _ => {
                    if let (EventKind::Phase1Up { .. }, Some(path)) = (&event.kind, &event.path) {
                        self.known.note(path.remote, wall_clock());
                    }
                    self.views.failures().event(clock::wall(), &event);
                    self.log.event(now(), &event);
                }
            }
        }
        if self.guard.due().is_some_and(|at| at <= now()) {
            self.with_guard(Guard::commit);
        }
        if routes_changed || self.recapture.is_some_and(|at| at <= now()) {
            self.follow();
        } else if !new.is_empty() {
            match self.machine.capture_more(&new, &new_reverse) {
                More::Done => {}
                More::Everything => self.follow(),
                // whatever failed, all of them are looked at again
                More::Undone => self.capture_within(CAPTURE_AGAIN),
            }
        }
        while let Some(change) = self.engine.poll_view() {
            self.views.changed(change);
        }
    }

    /// Schedules another look at the machine after this time, unless one is due earlier.
    fn capture_within(&mut self, time: Duration) {
        let at = now() + time;
        self.recapture = Some(self.recapture.map_or(at, |due| due.min(at)));
    }

    /// Brings the machine in line with its links, the leases, and the tunnels.
    pub(crate) fn follow(&mut self) {
        self.bring_in_line(Machine::follow);
    }

    /// Brings the machine in line with the configuration and the networks behind the tunnels, then
    /// the data plane and the published state with the machine. What could not be done is retried.
    fn bring_in_line(&mut self, act: impl FnOnce(&mut Machine, Demand<'_>)) {
        let tried_again = self.recapture.take().is_some_and(|at| at <= now());
        let config = &self.parsed.config;
        let mut selected = self.shared.tables.load().captured();
        selected.extend(self.networks.selected());
        let mut reverse = translate::reverse_routes(config);
        reverse.extend(self.networks.reverse());
        act(&mut self.machine, Demand { config, selected: &selected, reverse: &reverse });
        match self.machine.undone() {
            None => self.capture_again = CAPTURE_AGAIN,
            Some(_) => {
                if tried_again {
                    self.capture_again = (self.capture_again * 2).min(Duration::from_secs(60));
                }
                self.capture_within(self.capture_again);
            }
        }
        self.views.installed(self.machine.names(), &self.machine.statics);
        let links = self.links();
        if let Plane::Kernel(kernel) = &mut self.plane {
            kernel.commit(&links, self.machine.elsewhere());
        }
        let tables = self.shared.tables.load();
        if !tables.needs_exits() {
            return;
        }
        if let Some(new) = tables.with_exits(self.machine.exits()) {
            self.shared.tables.store(Arc::new(new));
        }
    }

    /// The crypto interfaces, as Linux has them now.
    fn links(&self) -> Links {
        let mut links = Links::new();
        for interface in &self.parsed.config.interfaces {
            if interface.crypto_map.is_some()
                && let Some(name) = self.machine.names().get(&interface.name)
                && let Ok(link) = link::by_name(self.machine.netlink(), name)
            {
                let id = InterfaceId(interface.number);
                let address = self.addresses.get(&id).copied().and_then(v4_address);
                links.insert(id, Link { index: link.index, address });
            }
        }
        links
    }

    /// Gives the kernel the policy of the configuration, if the kernel carries the packets.
    pub(crate) fn configure_plane(&mut self, policy: &Arc<Policy>) {
        if let Plane::Kernel(kernel) = &mut self.plane {
            kernel.configure(Arc::clone(policy), translate::pool_ranges(&self.parsed.config));
        }
    }

    fn look_around(&mut self) {
        if let Plane::Kernel(kernel) = &mut self.plane {
            for news in kernel.poll(&self.shared.sad, now) {
                self.news(news);
            }
        }
        self.restore_ports();
        self.asks.look();
        self.reports.all(&mut self.engine, &self.shared.sad);
        self.with_guard(Guard::every_second);
        self.tell_of_the_guard();
        self.with_router(Router::every_second);
        self.hear();
        let changes = std::mem::take(&mut self.heard);
        if !self.machine.caused(&changes) {
            self.link_mtus();
            self.machine.announce();
            // a link that went down or came up, or a route that another program removed
            if !self.addresses_may_have_changed() {
                self.follow();
            }
            self.follow_links_with_dhcp();
        }
    }

    /// Makes a port's TUN again that somebody removed, and sets one up that somebody set down. The
    /// SAs stay. If it cannot be done, the supervisor ends the program.
    fn restore_ports(&mut self) {
        if self.plane.is_kernel() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        for port in shared.ports.iter() {
            let Err(why) = port.check() else { continue };
            let made = match port.restore() {
                Ok(made) => made,
                Err(error) => {
                    tracing::error!("%HUBWARD-3-TUN: {why}, and cannot be made again: {error}");
                    continue;
                }
            };
            let tun = port.tun();
            self.machine.carry_by(Carrier::Tun { index: tun.index(), name: tun.name().to_string() });
            self.follow();
            match (port.check(), made) {
                (Ok(()), true) => tracing::error!("%HUBWARD-3-TUN: {why}: Hubward has made it again"),
                (Ok(()), false) => tracing::error!("%HUBWARD-3-TUN: {why}: Hubward has set it up again"),
                (Err(still), _) => tracing::error!("%HUBWARD-3-TUN: {still}, and cannot be set up"),
            }
        }
    }

    /// Starts the DHCP clients and servers of links that appeared or were made again.
    fn follow_links_with_dhcp(&mut self) {
        let links = self.machine.links();
        if (self.dhcp.misses(&links, now()) || self.lending.misses(&links, now()))
            && let Err(error) = self.start_dhcp()
        {
            tracing::error!("DHCP could not be started: {error:#}");
        }
    }

    /// Reads what changed on the machine, and tells of the links among it.
    fn hear(&mut self) {
        let changes = match self.monitor.read() {
            Ok(changes) => changes,
            Err(error) => {
                tracing::debug!("the kernel's news could not be read: {error}");
                return;
            }
        };
        if !changes.is_empty() || self.configured {
            let lines = self.machine.lines(&self.parsed.config, &changes);
            self.configured &= lines.is_none();
            tell_of_lines(&lines.unwrap_or_default());
        }
        self.heard.extend(changes);
    }

    /// Calls `act` with the guard, which depends on the configuration and on the names and networks
    /// here.
    fn with_guard<T>(&mut self, act: impl FnOnce(&mut Guard, &Parsed, Here<'_>) -> T) -> T {
        let leased = guard::leased(self.machine.names(), &self.machine.leases);
        let here = Here { names: self.machine.names(), leased: &leased, absent: &[] };
        act(&mut self.guard, &self.parsed, here)
    }

    /// Calls `act` with the router's table, which depends on the same.
    fn with_router<T>(&mut self, act: impl FnOnce(&mut Router, &Parsed, router::rules::Here<'_>) -> T) -> T {
        let leased = guard::leased(self.machine.names(), &self.machine.leases);
        let here = router::here(&self.parsed.config, self.machine.names(), &leased, self.machine.tun());
        act(&mut self.router, &self.parsed, here)
    }

    fn tell_of_the_guard(&mut self) {
        if let Some(news) = self.guard.news() {
            self.views.guarded(news);
        }
    }

    /// Reads the MTUs of the outside interfaces.
    fn link_mtus(&self) {
        let machine = &self.machine;
        let views =
            crate::machine::view::interface_views(machine.netlink(), machine.names(), &self.parsed.config);
        let views = views.unwrap_or_default();
        for (interface, view) in self.parsed.config.interfaces.iter().zip(&views) {
            let mtu = u16::try_from(view.mtu).unwrap_or(u16::MAX);
            self.shared.sad.set_link(InterfaceId(interface.number), mtu);
        }
    }

    /// Handles that DHCP or an administrator may have given an interface another address.
    /// Returns whether one did; then the machine has followed.
    fn addresses_may_have_changed(&mut self) -> bool {
        let Ok((addresses, reserved)) = self.machine.addresses(&self.parsed.config) else { return false };
        for known in &self.parsed.config.interfaces {
            let interface = InterfaceId(known.number);
            let address = addresses.get(&interface).copied();
            if self.addresses.get(&interface).copied() != address {
                tracing::info!(
                    "{} has another address: {}",
                    known.name,
                    address.map_or("none".into(), |new| new.to_string())
                );
                self.engine.handle(now(), Input::Moved { interface, address });
            }
        }
        if self.addresses == addresses {
            return false;
        }
        self.addresses = addresses;
        // an address by DHCP is never a peer's side of a tunnel
        let policy = self.translation.on(&self.addresses, reserved);
        self.known.configured(&policy);
        self.engine.handle(now(), Input::Policy(Arc::new(policy)));
        self.follow();
        true
    }

    /// SIGHUP. A configuration that can be used is applied, and what it does not change is left
    /// alone; with any other, the old one stays in force.
    fn reload(&mut self) {
        if let Err(error) = self.try_reload() {
            tracing::error!("the old configuration stays: {error:#}");
            return;
        }
        tracing::info!("the configuration was read again");
    }

    fn try_reload(&mut self) -> anyhow::Result<()> {
        let text = check::read(&self.file)?;
        let before = Arc::clone(&self.parsed);
        let parsed = hubward_config::parse(&text);
        if !check::is_configuration(&parsed) {
            anyhow::bail!("{} is not an IOS configuration", self.file.display());
        }
        self.install(Arc::new(parsed), Extent::Lines)?;
        if let Some(save) = startup::unsaved(&self.views, before.document.print(), &text) {
            self.asks.files.later(Kind::Unsaved, save);
        }
        self.views.note_saved(&text);
        Ok(())
    }

    /// Puts a configuration in force; what it does not change is left alone. On an error the
    /// previous one stays in force completely.
    fn install(&mut self, parsed: Arc<Parsed>, extent: Extent) -> anyhow::Result<()> {
        let resolved = self.resolve(parsed, extent)?;
        let ready = self.prepare(resolved)?;
        self.apply(ready);
        Ok(())
    }

    /// Determines what the configuration means, and whether it may replace the one in force.
    fn resolve(&self, parsed: Arc<Parsed>, extent: Extent) -> anyhow::Result<Resolved> {
        let (parsed, status) = accept(&self.parsed, parsed, &self.choices, extent)?;
        Ok(Resolved::new(parsed, status, self.choices.overlap.into()))
    }

    /// Checks that the machine and the data plane can do it. The guard and the router's table come
    /// last, because they are the first change: they close what must not pass meanwhile.
    fn prepare(&mut self, resolved: Resolved) -> anyhow::Result<Ready> {
        let machine = self.machine.prepare(&resolved.parsed.config)?;
        self.plane.can_do(resolved.translation.policy())?;
        let leased = guard::leased(&machine.faces.names, &self.machine.leases);
        let here = Here { names: &machine.faces.names, leased: &leased, absent: &[] };
        self.guard.set(&resolved.parsed, here)?;
        let here = router::here(&resolved.parsed.config, &machine.faces.names, &leased, self.machine.tun());
        if let Err(error) = self.router.set(&resolved.parsed, here) {
            self.with_guard(Guard::set_or_tell);
            return Err(error);
        }
        Ok(Ready { resolved, machine })
    }

    /// This cannot fail: what the machine does not accept is logged and retried, and the rest is in
    /// force.
    fn apply(&mut self, ready: Ready) {
        let Ready { resolved: Resolved { parsed, translation, status }, machine } = ready;
        // what happened until now happened to the interfaces of the old one
        self.hear();
        let gone = check::gone_in_use(&self.parsed.config, &parsed.config);
        let (state, names) = (self.state.clone(), machine.faces.names.clone());
        self.asks.files.later(Kind::Names, move || guard::mapping::remember(&state, &names));
        check::tell(&parsed, Some(&self.parsed));
        self.parsed = parsed;
        self.translation = translation;
        self.status
            .store(check::status_here(status, &self.parsed.config, &machine.faces.names), Ordering::Relaxed);
        self.asks.configure(&self.parsed.config);
        self.machine.adopt(machine.faces, &gone);
        tell_of_lines(&self.machine.shut_lines(&self.parsed.config));
        self.configured = true;
        // a lease is removed before the address that replaces it is set
        for change in self.dhcp.stop_unwanted(&self.parsed.config, self.machine.names()) {
            self.lease_changed(change);
        }
        for line in &self.translation.left_out {
            tracing::warn!("{line}");
        }
        self.addresses = machine.addresses;
        let policy = Arc::new(self.translation.on(&self.addresses, machine.reserved));
        let tables = Tables::build(&policy, translate::pool_ranges(&self.parsed.config));
        // until the machine is in line, its routes lead where they led before; a single crypto interface
        // needs no routes, and would keep these
        let led = tables.needs_exits().then(|| tables.with_exits(self.machine.exits())).flatten();
        self.shared.tables.store(Arc::new(led.unwrap_or(tables)));
        self.configure_plane(&policy);
        self.bring_in_line(Machine::apply);
        if let Err(error) = self.start_dhcp() {
            tracing::error!("DHCP could not be started: {error:#}");
        }
        self.known.configured(&policy);
        self.engine.handle(now(), Input::Policy(policy));
        // an address that Hubward did not set stays, although the configuration no longer has it
        self.addresses_may_have_changed();
        self.with_router(Router::settle);
        self.views.configured(Arc::clone(&self.parsed));
    }

    /// Starts the DHCP clients and servers that are not running yet or whose link was made again,
    /// and ends the servers that should not run.
    pub(crate) fn start_dhcp(&mut self) -> anyhow::Result<()> {
        for change in self.dhcp.stop_stranded(&self.machine.links()) {
            self.lease_changed(change);
            self.follow();
            self.addresses_may_have_changed();
        }
        let machine = &self.machine;
        let clients = if machine.keeps_addresses() {
            Ok(())
        } else {
            let adopted = |name: &str| machine.has_address(name);
            self.dhcp.start(&self.parsed.config, machine.names(), adopted, now())
        };
        // the one without the other is useful too
        let servers = self.lending.configure(&self.parsed.config, machine.names());
        clients.and(servers)
    }
}

/// What a configuration means in the place of the running one, and the exit status of the program
/// under it.
pub(crate) fn accept(
    running: &Parsed,
    parsed: Arc<Parsed>,
    choices: &Choices,
    extent: Extent,
) -> anyhow::Result<(Parsed, u8)> {
    let mut parsed = Arc::unwrap_or_clone(parsed);
    if !parsed.config.keep_numbers(&running.config) {
        anyhow::bail!("there were too many interfaces since the start; only a restart makes room");
    }
    let status = check::may_replace(running, &mut parsed, choices, extent).map_err(anyhow::Error::msg)?;
    Ok((parsed, status))
}

/// Logs that interfaces went up or down.
fn tell_of_lines(lines: &[String]) {
    for line in lines {
        tracing::warn!("{line}");
    }
}

#[cfg(test)]
mod tests;
