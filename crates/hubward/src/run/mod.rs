//! `hubward run`: brings everything up, runs the gateway, and takes everything down again.

pub(crate) mod arguments;
pub(crate) mod build;
pub(crate) mod guard;
pub(crate) mod rights;
mod running;

use crate::base::files::folder;
use crate::base::inbox::Inbox;
use crate::base::message::{End, Request};
use crate::base::program::{NotYet, WrongUse};
use crate::base::store::{HISTORIES, Store};
use crate::check;
use crate::choices::Choices;
use crate::dataplane::{self, Shared};
use crate::log::logging::Logging;
use crate::log::subscribe::subscribe;
use crate::manage::desk::Desk;
use crate::plane::{self};
use crate::run::arguments::Arguments;
use crate::run::build::{Built, build};
use crate::run::rights::{OF_A_GATEWAY, confine};
use crate::supervise::{self, GATEWAY, Heart, Supervisor};
use crate::views::{Views, pulse};
use hubward_config::Parsed;
use hubward_linux::privilege::Capability;
use hubward_linux::udp::UdpSocket;
use hubward_linux::xfrm::Events;
use hubward_linux::{notify, privilege, random};
use hubward_proto::path::{ISAKMP_PORT, NATT_PORT};
use std::cell::Cell;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs until it is stopped; returns whether the program should restart, and the exit status if
/// not.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<(End, ExitCode)> {
    let choices = Choices::of(&arguments.options)?;
    // before the first thread, because every thread has its own rights
    let (file, socket) = (&arguments.file, &arguments.socket);
    let kept = confine(&OF_A_GATEWAY, &[file, folder(file), socket, folder(socket)], &arguments.state)?;
    let supervisor = Supervisor::new();
    let logging = Logging::start(&supervisor);
    subscribe("info", Arc::clone(&logging));
    tracing::info!("Capabilities kept: {kept}");
    privilege::require(Capability::NetAdmin, "a gateway")?;
    privilege::require(Capability::NetRaw, "a gateway")?;
    hubward_crypto::choice::choose(&hubward_linux::clock::now);
    hubward_crypto::selftest::selftest()?;
    let text = check::read(&arguments.file)?;
    let started = check::started(&arguments.file, &text, &choices);
    let (parsed, status) = started.inspect_err(|_| crate::run::guard::stand_in(arguments))?;
    bring_up(arguments, parsed, status, choices, supervisor, logging).map_err(|error| {
        crate::run::guard::stand_in(arguments);
        // wrong mappings, and what a data plane does not support, will not change with time
        match error.is::<WrongUse>() || error.is::<plane::Unfit>() {
            true => error,
            false => NotYet(error).into(),
        }
    })
}

/// Brings up a configuration that may be started, and runs it.
fn bring_up(
    arguments: &Arguments,
    parsed: Parsed,
    status: u8,
    choices: Choices,
    supervisor: Arc<Supervisor>,
    logging: Arc<Logging>,
) -> anyhow::Result<(End, ExitCode)> {
    let built = build(arguments, parsed, status, choices, &supervisor, logging)?;
    let Built { mut gateway, inbox, shared, isakmp, views, store, status, events } = built;
    let workers = match events {
        Some(events) => workers_beside_the_kernel(&supervisor, &shared, &isakmp, &inbox, events)?,
        None => workers(&supervisor, &shared, &isakmp, &inbox)?,
    };
    gateway.engine.watch();
    let looked_at = Arc::clone(&views);
    let kept = store.clone();
    supervisor.spawn("pulse", move |heart| {
        loop {
            for _ in 0..LOOKS_A_WRITE {
                heart.sleep(pulse::EVERY);
                looked_at.look();
            }
            keep_histories(&looked_at, &kept);
        }
    })?;
    let last = Arc::clone(&views);
    let desk = Desk { views, gateway: Arc::clone(&inbox) };
    crate::ssh::start(
        &supervisor,
        crate::ssh::Settings { address: arguments.ssh(), state: arguments.state.clone() },
        desk.clone(),
    )?;
    crate::shell::socket::serve(&supervisor, &arguments.socket, desk)?;
    signals(&supervisor, Arc::clone(&inbox))?;
    watch(&supervisor, &shared, RESTORED)?;
    tracing::info!("Hubward {} is ready", env!("CARGO_PKG_VERSION"));
    let _unsupervised = notify::notify("READY=1");
    let end = supervisor.work(GATEWAY, |heart| {
        let end = gateway.run(heart, &inbox);
        heart.retire();
        end
    });
    // a gateway that panicked could not log it itself
    if let (None, Some(fault)) = (end, supervisor.fault()) {
        tracing::error!("{}", supervise::told(fault));
    }
    let end = end.unwrap_or(End::Failed);
    shared.stop.store(true, Ordering::Relaxed);
    // if the disk hangs, the supervisor ends the program
    keep_histories(&last, &store);
    store.close();
    supervise::join(workers);
    let _gone = std::fs::remove_file(&arguments.socket);
    if end == End::Interrupt && !arguments.guard && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        crate::run::guard::release_at_the_terminal();
    }
    Ok((end, status.load(Ordering::Relaxed).into()))
}

/// How many looks at the tunnels there are for one write of what became of peers.
const LOOKS_A_WRITE: u32 = 15;

fn keep_histories(views: &Views, store: &Store) {
    let rows = views.failures().unsaved();
    store.write_soon(HISTORIES, rows);
}

/// Restarts the program in the same process, so that a supervisor such as systemd does not notice.
/// Returns only with an error.
pub(crate) fn restart() -> anyhow::Error {
    let program = std::env::current_exe().ok().and_then(|path| in_place(&path));
    let program = program.unwrap_or_else(|| "/proc/self/exe".into());
    // sockets and files are opened anew; nothing that was inherited is passed on
    if let Err(error) = privilege::close_at_exec() {
        tracing::warn!("{error}");
    }
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
    anyhow::Error::new(error).context("the program could not begin anew")
}

/// The program at the path from which this one was started, so that an upgrade takes effect. The
/// kernel marks the path of a file that was replaced as deleted.
fn in_place(path: &Path) -> Option<PathBuf> {
    let name = path.to_str().map(|text| text.strip_suffix(" (deleted)").unwrap_or(text));
    name.map(PathBuf::from).filter(|path| path.exists())
}

/// The time that the gateway has to restore a port.
const RESTORED: Duration = Duration::from_secs(5);

/// Starts watching the threads, and the ports if packets go through them. A port may be out of
/// order for as long as `patience`.
pub(crate) fn watch(
    supervisor: &Arc<Supervisor>,
    shared: &Arc<Shared>,
    patience: Duration,
) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    // if the kernel carries the packets, the port is not even up
    let kernel = shared.esp.is_none();
    let failed = Cell::new(0);
    supervisor.start(move || {
        let state = if kernel { Ok(()) } else { shared.ports.check() };
        failed.set(if state.is_ok() { 0 } else { failed.get() + 1 });
        if failed.get() > supervise::looks(patience) { state } else { Ok(()) }
    })
}

/// Starts the packet workers: one for each port, one for received ESP, one for IKE.
pub(crate) fn workers(
    supervisor: &Arc<Supervisor>,
    shared: &Arc<Shared>,
    isakmp: &Arc<UdpSocket>,
    gateway: &Arc<Inbox>,
) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    let mut workers = Vec::new();
    for port in shared.ports.iter() {
        // a seed for each: two workers must not draw the same IVs
        let seed = random::seed()?;
        let (shared, port, gateway) = (Arc::clone(shared), Arc::clone(port), Arc::clone(gateway));
        let name = port.worker();
        let outgoing = move |heart: &Heart| dataplane::outgoing::run(heart, &shared, &port, &gateway, seed);
        workers.push(supervisor.spawn(&name, outgoing)?);
    }
    let (in_shared, in_gateway) = (Arc::clone(shared), Arc::clone(gateway));
    let incoming = move |heart: &Heart| dataplane::incoming::run(heart, &in_shared, &in_gateway);
    workers.push(supervisor.spawn("esp-in", incoming)?);
    workers.push(isakmp_worker(supervisor, shared, isakmp, gateway)?);
    Ok(workers)
}

fn isakmp_worker(
    supervisor: &Arc<Supervisor>,
    shared: &Arc<Shared>,
    isakmp: &Arc<UdpSocket>,
    gateway: &Arc<Inbox>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let (shared, gateway, socket) = (Arc::clone(shared), Arc::clone(gateway), Arc::clone(isakmp));
    supervisor.spawn("isakmp", move |heart| dataplane::isakmp(heart, &shared, &socket, ISAKMP_PORT, &gateway))
}

/// The same if the kernel carries the packets: IKE on both ports, and the kernel's notifications.
fn workers_beside_the_kernel(
    supervisor: &Arc<Supervisor>,
    shared: &Arc<Shared>,
    isakmp: &Arc<UdpSocket>,
    gateway: &Arc<Inbox>,
    events: Events,
) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    let (in_shared, in_gateway) = (Arc::clone(shared), Arc::clone(gateway));
    let (news_shared, news_gateway) = (Arc::clone(shared), Arc::clone(gateway));
    let stopped = move || news_shared.stop.load(Ordering::Relaxed);
    Ok(vec![
        supervisor.spawn("isakmp-natt", move |heart| {
            dataplane::isakmp(heart, &in_shared, &in_shared.natt, NATT_PORT, &in_gateway)
        })?,
        isakmp_worker(supervisor, shared, isakmp, gateway)?,
        supervisor.spawn("xfrm", move |heart| plane::listen(heart, events, &news_gateway, stopped))?,
    ])
}

/// SIGTERM and SIGINT stop the program; SIGHUP reads the configuration again.
pub(crate) fn signals(supervisor: &Arc<Supervisor>, gateway: Arc<Inbox>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    supervisor.spawn("signals", move |heart: &Heart| {
        runtime.block_on(async {
            let (terminate, interrupt, hangup) = (
                signal(SignalKind::terminate()),
                signal(SignalKind::interrupt()),
                signal(SignalKind::hangup()),
            );
            let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = (terminate, interrupt, hangup)
            else {
                tracing::error!("signals cannot be received");
                return;
            };
            loop {
                let request = tokio::select! {
                    _ = terminate.recv() => Request::Stop(End::Stop),
                    _ = interrupt.recv() => Request::Stop(End::Interrupt),
                    _ = hangup.recv() => Request::Reload,
                    () = heart.beating() => return,
                };
                let stop = matches!(request, Request::Stop(_));
                if stop {
                    // from here on the time until the end is bounded, whatever the gateway does
                    heart.supervisor().stop();
                    heart.retire();
                }
                let _gone = gateway.request(request);
                if stop {
                    return;
                }
            }
        });
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_is_found_where_the_old_program_was() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("hubward");
        let replaced = folder.path().join("hubward (deleted)");
        assert_eq!(in_place(&replaced), None, "deleted, and nothing in its place");
        std::fs::write(&program, "new").unwrap();
        assert_eq!(in_place(&replaced), Some(program.clone()));
        assert_eq!(in_place(&program), Some(program));
    }
}
