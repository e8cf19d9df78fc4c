//! One session of the client: the engine, the packet workers and the person at the terminal.

use crate::base::clock::now;
use crate::base::counters::Drops;
use crate::base::inbox::Inbox;
use crate::base::message::{Datagram, End, LinkPacket, News, Request};
use crate::client::arguments::Connect;
use crate::client::credentials::{self, Known};
use crate::client::network::Network;
use crate::client::profile::{self, Profile};
use crate::dataplane::Shared;
use crate::dataplane::offload::Offloads;
use crate::dataplane::port::Ports;
use crate::gateway::drive::{self, Drives, Reports, drive};
use crate::log::events::Log;
use crate::run;
use crate::supervise::{self, FAILED, GATEWAY, Heart, Supervisor};
use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use hubward_linux::esp_raw::EspSocket;
use hubward_linux::marks::FWMARK;
use hubward_linux::monitor::Monitor;
use hubward_linux::terminal::Modes;
use hubward_linux::udp::UdpSocket;
use hubward_linux::unreachable::UnreachableSocket;
use hubward_linux::{SocketOptions, notify, random};
use hubward_proto::esp::inbound::Notice;
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::tables::Tables;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, AskId, Assignment, Command, Effect, Input, Question};
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, NATT_PORT, Path};
use hubward_proto::policy::{Interface, Policy};
use hubward_proto::time::Instant;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The one interface of the client's policy.
const OUTSIDE: InterfaceId = InterfaceId(0);

/// `hubward client connect`.
pub(crate) fn connect(arguments: Connect) -> anyhow::Result<ExitCode> {
    crate::log::subscribe::log_to_stderr("warn");
    let mut profile = profile::read(&arguments)?;
    // before the first thread, because every thread has its own rights
    run::rights::confine(&run::rights::OF_A_GATEWAY, &[], &arguments.state)?;
    let terminal = Modes::of(std::io::stdin());
    let inbox = Arc::new(Inbox::default());
    let asking = Arc::new(AtomicBool::new(true));
    let supervisor = Supervisor::new();
    stop_while_asking(&supervisor, Arc::clone(&asking), terminal.clone())?;
    ask_for_what_is_missing(&mut profile)?;
    asking.store(false, Ordering::Relaxed);
    run::signals(&supervisor, Arc::clone(&inbox))?;
    let gateway = resolve(profile.gateway.as_deref().unwrap_or_default())?;
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let options = SocketOptions { mark: Some(FWMARK), interface: None, buffer: 4 << 20 };
    // the ports come first: two programs must not undo each other's work
    let isakmp = Arc::new(UdpSocket::bind(everywhere(500), &options)?);
    let natt = UdpSocket::bind(everywhere(4500), &options)?;
    let esp = EspSocket::open(Ipv4Addr::UNSPECIFIED.into(), &options)?;
    let (network, tun) = Network::open(&arguments.state, !arguments.no_dns, arguments.guard)?;
    let ports = Ports::new(tun, Vec::new());
    let offloads = Arc::new(Offloads::start(&[], &ports, &natt));
    let shared = Arc::new(Shared {
        sad: Arc::new(Sad::new()),
        tables: ArcSwap::from_pointee(Tables::default()),
        ports,
        natt,
        esp: Some(esp),
        // packets routed into the tunnel never leave in clear
        clear: None,
        unreachable: UnreachableSocket::open()?,
        stop: AtomicBool::new(false),
        drops: Arc::new(Drops::default()),
        offloads,
    });
    let connection = profile.connection(gateway, OUTSIDE)?;
    let mut session = Session {
        engine: Engine::new(Arc::new(Policy::default()), random::seed()?, now()),
        network,
        shared: Arc::clone(&shared),
        isakmp: Arc::clone(&isakmp),
        monitor: Monitor::open()?,
        local: None,
        gateway,
        policy: Policy { connections: vec![Arc::new(connection)], ..Policy::default() },
        known: Known { user: profile.user.clone(), password: profile.password.clone() },
        profile,
        inbox: Arc::clone(&inbox),
        log: Log::default(),
        reports: Reports::default(),
        standing: Standing::default(),
    };
    session.look_at_addresses();
    let workers = run::workers(&supervisor, &shared, &isakmp, &inbox)?;
    run::watch(&supervisor, &shared, Duration::ZERO)?;
    tell(format_args!("Connecting to {gateway} …"));
    let outcome = supervisor.work(GATEWAY, |heart| {
        let outcome = session.run(heart, &inbox);
        heart.retire();
        outcome
    });
    session.network.remove();
    // the user may be typing a password
    if let Some(terminal) = terminal {
        terminal.restore(std::io::stdin());
    }
    supervisor.stop();
    shared.stop.store(true, Ordering::Relaxed);
    supervise::join(workers);
    match supervisor.fault() {
        Some(fault) => {
            tracing::error!("{}", supervise::told(fault));
            Ok(ExitCode::from(FAILED))
        }
        None => outcome.unwrap_or(Ok(ExitCode::from(FAILED))),
    }
}

/// Prints for the person at the terminal. The terminal may be gone, and an error must not keep
/// anything from being undone.
fn tell(text: std::fmt::Arguments<'_>) {
    let _gone = writeln!(std::io::stdout(), "{text}");
}

/// While the first questions are asked, nothing has been changed yet: Ctrl-C turns the terminal's
/// echo back on and ends the program.
fn stop_while_asking(
    supervisor: &Arc<Supervisor>,
    asking: Arc<AtomicBool>,
    terminal: Option<Modes>,
) -> anyhow::Result<()> {
    let stopped = Arc::new(Inbox::default());
    run::signals(supervisor, Arc::clone(&stopped))?;
    std::thread::Builder::new().name("asking".into()).spawn(move || {
        while stopped.take(Duration::from_secs(3600)).is_none() {}
        if asking.load(Ordering::Relaxed) {
            if let Some(terminal) = terminal {
                terminal.restore(std::io::stdin());
            }
            std::process::exit(130);
        }
    })?;
    Ok(())
}

/// Asks at the terminal for what neither the profile nor the command line gives.
fn ask_for_what_is_missing(profile: &mut Profile) -> anyhow::Result<()> {
    if profile.gateway.is_none() {
        profile.gateway = Some(credentials::line("Gateway")?);
    }
    if profile.group.is_none() && !profile.main_mode {
        profile.group = Some(credentials::line("Group")?);
    }
    if profile.group_password.is_none() {
        profile.group_password = Some(credentials::hidden("Group password")?);
    }
    Ok(())
}

fn resolve(gateway: &str) -> anyhow::Result<IpAddr> {
    let found = (gateway, 500).to_socket_addrs().with_context(|| format!("cannot find {gateway}"))?;
    found
        .map(|address| address.ip())
        .find(IpAddr::is_ipv4)
        .ok_or_else(|| anyhow!("{gateway} has no IPv4 address"))
}

struct Session {
    engine: Engine,
    network: Network,
    shared: Arc<Shared>,
    isakmp: Arc<UdpSocket>,
    monitor: Monitor,
    local: Option<IpAddr>,
    gateway: IpAddr,
    policy: Policy,
    profile: Profile,
    known: Known,
    inbox: Arc<Inbox>,
    log: Log,
    reports: Reports,
    standing: Standing,
}

/// How the tunnel stands, for the person at the terminal.
#[derive(Debug, Default)]
struct Standing {
    /// There is an address, so there is a tunnel to lose.
    connected: bool,
    /// It was lost since the last look.
    lost: bool,
    /// The gateway refused this user.
    refused: bool,
}

impl Standing {
    /// The tunnel has an address.
    fn up(&mut self) {
        (self.connected, self.lost) = (true, false);
    }

    /// Its address is gone.
    fn down(&mut self) {
        self.lost |= std::mem::take(&mut self.connected);
    }

    /// Whether to say that the tunnel is being tried again: once after a loss, and not of a refused
    /// user, for whom nothing is tried again.
    fn tries_again(&mut self) -> bool {
        std::mem::take(&mut self.lost) && !self.refused
    }
}

impl Drives for Session {
    fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn datagram(&mut self, datagram: Datagram) {
        let Datagram { from, to, port, bytes } = datagram;
        // a client accepts messages from its gateway only
        if Some(from.ip()) != Some(self.gateway) || to != self.local {
            return;
        }
        let Some(local) = to else { return };
        let path = Path {
            local,
            local_port: port,
            remote: from.ip(),
            remote_port: from.port(),
            interface: OUTSIDE,
            vrf: VrfId(0),
            encapsulation: if port == NATT_PORT { Encapsulation::Udp } else { Encapsulation::Native },
        };
        self.engine.handle(now(), Input::Datagram { path, bytes: &bytes });
    }

    fn news(&mut self, news: News) {
        match news {
            News::Acquire(acquire) => self.engine.handle(now(), Input::Acquire(acquire)),
            News::Reached(child) => self.reports.reached(&mut self.engine, &self.shared.sad, child),
            News::Notice(Notice::Moved(child, remote, remote_port)) => {
                self.engine.handle(now(), Input::PeerMoved { child, remote, remote_port });
            }
            // a client does not use the kernel's data plane, and records no refusals
            News::Limit(..) | News::Kernel(_) | News::Notice(_) => {}
        }
    }

    /// A client does not manage the addresses of its machine.
    fn dhcp(&mut self, _: LinkPacket) {}

    fn request(&mut self, request: Request) -> Option<End> {
        match request {
            Request::Stop(end) => Some(end),
            // SIGHUP: the terminal is gone
            Request::Reload => Some(End::Stop),
            // a client serves no requests
            Request::Order(..) | Request::Trace(..) | Request::ClearGuard(..) | Request::Configure { .. } => {
                None
            }
        }
    }

    fn turn(&mut self) -> anyhow::Result<Option<End>> {
        self.effects()?;
        self.log.tick(now());
        if self.standing.tries_again() {
            tell(format_args!("The tunnel is down; trying again. What belongs into it waits."));
        }
        Ok(self.standing.refused.then_some(End::Stop))
    }

    fn every_second(&mut self) {
        self.reports.all(&mut self.engine, &self.shared.sad);
        match self.monitor.read() {
            Ok(changes) if changes.is_empty() => {}
            Ok(_) => self.look_at_addresses(),
            Err(error) => tracing::debug!("the kernel's news could not be read: {error}"),
        }
    }
}

impl Session {
    fn run(&mut self, heart: &Heart, inbox: &Inbox) -> anyhow::Result<ExitCode> {
        let name = self.profile.name.clone();
        self.engine.handle(now(), Input::Command(Command::Connect { connection: name.clone() }));
        // a fault of another part is reported after everything has been undone
        drive(self, heart, inbox)?;
        heart.supervisor().stop();
        self.engine.handle(now(), Input::Command(Command::Disconnect { connection: name }));
        self.engine.handle(now(), Input::Command(Command::Shutdown));
        self.effects()?;
        tell(format_args!("Disconnected."));
        if self.network.is_guarded() {
            tell(format_args!(
                "What went through the tunnel still does not leave in clear; `hubward release` ends that."
            ));
        }
        Ok(if self.standing.refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn effects(&mut self) -> anyhow::Result<()> {
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Transmit { path, bytes } => {
                    // not the configured one if a gateway redirected us
                    self.gateway = path.remote;
                    drive::transmit(&self.isakmp, &self.shared.natt, &path, &bytes);
                }
                Effect::NatKeepalive { path } => drive::keep_nat_open(&self.shared.natt, &path),
                Effect::Install { child, direction } => self.shared.sad.install(&child, direction)?,
                Effect::Repath { child, path } => self.shared.sad.repath(child, path),
                Effect::Remove { child } => {
                    self.shared.sad.remove(child);
                    self.reports.forget(child);
                }
                Effect::Ask { id, question } => self.ask(id, question),
                Effect::Assign(assignment) => self.assigned(&assignment)?,
                Effect::Unassign { .. } => self.standing.down(),
                Effect::Release { .. } => {}
                Effect::Event(event) => match event.kind {
                    EventKind::Refused(Refusal::XauthFailed) => {
                        tell(format_args!("The gateway refuses this user or password."));
                        self.standing.refused = true;
                    }
                    // told by the refusal after it, in words for a user; the gateway does not
                    // repeat the name that it refuses
                    EventKind::XauthRejected { .. } => {}
                    _ => self.log.event(now(), &event),
                },
            }
        }
        Ok(())
    }

    /// A person types slowly, so the question is asked on its own thread.
    fn ask(&mut self, id: AskId, question: Question) {
        let inbox = Arc::clone(&self.inbox);
        let Question::Credentials { fields, message, again, .. } = question else {
            self.engine.handle(now(), Input::Answer { id, answer: Answer::Credentials(None) });
            return;
        };
        let password = self.known.password.clone().filter(|_| !again);
        let known = Known { user: self.known.user.clone(), password };
        let asking = std::thread::Builder::new().name("ask".into()).spawn(move || {
            let answers = credentials::answers(&known, &fields, message.as_deref());
            let _gone = inbox.answer(id, Answer::Credentials(answers));
        });
        if let Err(error) = asking {
            tracing::error!("cannot ask: {error}");
        }
    }

    fn assigned(&mut self, assignment: &Assignment) -> anyhow::Result<()> {
        self.standing.up();
        let networks = self.network.assign(assignment, &self.profile.networks)?;
        let through: Vec<String> = networks
            .iter()
            .map(|net| if net.prefix_len() == 0 { "everything".to_owned() } else { net.to_string() })
            .collect();
        tell(format_args!(
            "Connected. Your address is {}; through the tunnel: {}.",
            assignment.address,
            through.join(", ")
        ));
        let dns: Vec<String> = assignment.dns.iter().map(ToString::to_string).collect();
        if !dns.is_empty() {
            let domain = assignment.domain.as_deref().map(|domain| format!(", domain {domain}"));
            tell(format_args!("Name servers: {}{}.", dns.join(", "), domain.unwrap_or_default()));
        }
        if let Some(banner) = &assignment.banner {
            tell(format_args!("\n{banner}\n"));
        }
        let _unsupervised = notify::notify("READY=1");
        Ok(())
    }

    /// The address towards the gateway may have changed, with the network or the lease.
    fn look_at_addresses(&mut self) {
        let local = self.network.local_address(self.gateway).ok();
        if local == self.local && !self.policy.interfaces.is_empty() {
            return;
        }
        let known_before = !self.policy.interfaces.is_empty();
        self.local = local;
        if let Err(error) = self.network.guard(self.gateway) {
            tracing::error!("the guard is as it was before: {error:#}");
        }
        self.policy.interfaces =
            vec![Interface { id: OUTSIDE, name: "outside".to_owned(), address: local, crypto_map: None }];
        let input = if known_before {
            Input::Moved { interface: OUTSIDE, address: local }
        } else {
            Input::Policy(Arc::new(self.policy.clone()))
        };
        self.engine.handle(now(), input);
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;

    /// Nobody is told that something is tried again when the next line says that it has ended.
    #[test]
    fn a_refused_user_is_not_told_that_the_tunnel_is_tried_again() {
        let mut standing = Standing { refused: true, ..Standing::default() };
        standing.down();
        assert!(!standing.tries_again(), "there was no tunnel");
        standing.up();
        standing.down();
        assert!(!standing.tries_again());
    }

    #[test]
    fn a_lost_tunnel_is_told_once() {
        let mut standing = Standing::default();
        assert!(!standing.tries_again());
        standing.up();
        assert!(!standing.tries_again());
        standing.down();
        assert!(standing.tries_again());
        standing.down();
        assert!(!standing.tries_again(), "it was not up in between");
        // with a new address at once there is nothing to tell
        standing.up();
        standing.down();
        standing.up();
        assert!(!standing.tries_again());
    }
}
