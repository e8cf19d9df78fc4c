//! `hubward lab`: the reference topology in network namespaces of this machine, with Hubward at all
//! three places.
//!
//! ```text
//!  hub LAN 10.1.1.10 ── hub 10.48.67.181 ── internet ── spoke (DHCP) ── spoke LAN 10.2.2.10
//!                                              └── client 10.51.82.100
//! ```

mod account;
mod place;
mod scene;

use account::Account;
use anyhow::{Context as _, bail};
use clap::Args;
use hubward_linux::icmp::{Outcome, Ping, ping};
use hubward_linux::netns;
use place::Place;
use scene::Scene;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a tunnel may take to carry its first ping.
const PATIENCE: Duration = Duration::from_secs(40);

/// What to do beside.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave everything up until Ctrl-C, and say how to look around.
    #[arg(long)]
    keep: bool,
    /// Record what passes on every link into this folder.
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
}

/// One check.
struct Proof {
    from: &'static str,
    to: Ipv4Addr,
    what: &'static str,
    passed: bool,
}

/// Builds, runs, verifies, and removes everything. Must be called while the process has one thread.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if !netns::can_create() {
        netns::enter_user_namespace().context(
            "the lab needs network namespaces: run it as root, or where user namespaces are allowed",
        )?;
    }
    if !std::path::Path::new("/dev/net/tun").exists() {
        bail!("the lab needs /dev/net/tun, which this machine does not have (modprobe tun)");
    }
    let mut account = Account::begin();
    account.title("Building the network");
    let folder = tempdir()?;
    let scene = Scene::build(&mut account)?;
    let captures = match &arguments.pcap {
        Some(dir) => scene.record(dir)?,
        None => Vec::new(),
    };
    let stops = stops(arguments.keep, folder.clone())?;
    account.title("Starting Hubward at every place");
    let outcome = prove(&scene, &folder, arguments, &mut account);
    for capture in captures {
        let packets = capture.stop()?;
        account.say(&format!("recorded {packets} packets"));
    }
    drop(scene);
    let _left = std::fs::remove_dir_all(&folder);
    drop(stops);
    let proofs = outcome?;
    Ok(verdict(&mut account, &proofs))
}

/// On a signal, removes the folder, which contains passwords, and ends. The gateways end with this
/// process, and the namespaces with them. With `--keep`, Ctrl-C is handled in [`keep`].
fn stops(keep: bool, folder: PathBuf) -> anyhow::Result<tokio::runtime::Runtime> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut kinds = vec![SignalKind::terminate(), SignalKind::hangup()];
    if !keep {
        kinds.push(SignalKind::interrupt());
    }
    let context = runtime.enter();
    for kind in kinds {
        let (mut stop, folder) = (signal(kind)?, folder.clone());
        runtime.spawn(async move {
            if stop.recv().await.is_some() {
                let _left = std::fs::remove_dir_all(&folder);
                std::process::exit(130);
            }
        });
    }
    drop(context);
    Ok(runtime)
}

fn tempdir() -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = std::env::temp_dir().join(format!("hubward-lab-{}", std::process::id()));
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn prove(
    scene: &Scene,
    folder: &std::path::Path,
    arguments: &Arguments,
    account: &mut Account,
) -> anyhow::Result<Vec<Proof>> {
    let internet =
        Place::gateway(folder, "internet", &scene.internet, scene::INTERNET_CFG, scene::INTERNET_MAP)?;
    account.say("internet: a router; it assigns the spoke its address by DHCP");
    let hub = Place::gateway(folder, "hub", &scene.hub, scene::HUB_CFG, scene::MAP)?;
    account.say("hub: runs examples/hub.cfg, unchanged");
    let spoke = Place::gateway(folder, "spoke", &scene.spoke, scene::SPOKE_CFG, scene::MAP)?;
    account.say("spoke: runs examples/spoke.cfg, unchanged, and waits for its address");
    for place in [&internet, &hub, &spoke] {
        place.wait_ready()?;
    }
    account.title("The branch: traffic brings its tunnel up");
    account.say("a host in the branch (10.2.2.10) pings a host behind the hub (10.1.1.10);");
    account.say("the spoke's crypto map says that this must be encrypted, so it calls the hub:");
    account.say("main mode with the wildcard key, no Xauth, then quick mode for 10.2.0.0/16 <-> 10.1.0.0/16");
    let mut proofs =
        vec![attempt(&scene.spoke_lan, "spoke LAN", Ipv4Addr::new(10, 1, 1, 10), "branch to hub")];
    proofs.push(attempt(&scene.hub_lan, "hub LAN", Ipv4Addr::new(10, 2, 2, 10), "hub to branch"));
    tell(account, &proofs);
    account.title("The traveller: a VPN client with group, user and password");
    account.say("aggressive mode with the group testgroup, then Xauth asks for user gfullage,");
    account.say("then mode-config gives an address of the pool 10.5.5.1 - 10.5.5.254");
    let client = Place::client(folder, &scene.client)?;
    let from_client = attempt(&scene.client, "client", Ipv4Addr::new(10, 1, 1, 10), "client to hub");
    let to_client = attempt(&scene.hub_lan, "hub LAN", Ipv4Addr::new(10, 5, 5, 1), "hub to client");
    tell(account, [&from_client, &to_client]);
    proofs.extend([from_client, to_client]);
    // the first tunnel must still be up
    proofs.push(attempt(
        &scene.spoke_lan,
        "spoke LAN",
        Ipv4Addr::new(10, 1, 1, 10),
        "branch, with the client up",
    ));
    account.title("What the hub shows");
    for command in [
        "show crypto isakmp sa",
        "show crypto isakmp sa detail",
        "show crypto ipsec sa",
        "show ip local pool",
    ] {
        account.block(&format!("Hub#{command}"), &hub.exec(command)?);
    }
    account.title("What the spoke shows");
    for command in ["show ip interface brief", "show crypto isakmp sa"] {
        account.block(&format!("Spoke#{command}"), &spoke.exec(command)?);
    }
    for proof in proofs.iter().filter(|proof| !proof.passed) {
        account.say(&format!("{} failed; the last lines of the logs:", proof.what));
    }
    if proofs.iter().any(|proof| !proof.passed) {
        for place in [&hub, &spoke, &client] {
            account.block(&place.name, &place.log_tail());
        }
    }
    if arguments.keep {
        keep(scene, &[&hub, &spoke], account)?;
    }
    Ok(proofs)
}

/// Prints how to look around and waits for Ctrl-C.
fn keep(scene: &Scene, gateways: &[&Place], account: &mut Account) -> anyhow::Result<()> {
    account.title("Everything stays up until Ctrl-C");
    let program = std::env::current_exe().context("where is this program?")?;
    for gateway in gateways {
        account.say(&format!(
            "the shell of the {}: {} console --socket {}",
            gateway.name,
            program.display(),
            gateway.socket.display()
        ));
    }
    for (name, namespace) in scene.all() {
        account.say(&format!("a shell at {name}: nsenter --net={} sh", namespace.path().display()));
    }
    if !hubward_linux::privilege::has(hubward_linux::privilege::Capability::SysAdmin)? {
        account.say("(as an ordinary user, enter the lab's user namespace as well)");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")?;
    Ok(())
}

/// Pings until there is an answer, then three more times, and all of these must be answered.
fn attempt(from: &netns::NetNs, name: &'static str, to: Ipv4Addr, what: &'static str) -> Proof {
    let until = Instant::now() + PATIENCE;
    let answered = |count: u16| {
        let one = Ping { count, timeout: Duration::from_secs(1), ..Ping::new(to) };
        let outcomes = from.run(|| ping(&one, |_| {})).and_then(|outcomes| outcomes).unwrap_or_default();
        outcomes.len() == usize::from(count) && outcomes.iter().all(|one| matches!(one, Outcome::Reply(_)))
    };
    let mut first = answered(1);
    while !first && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(300));
        first = answered(1);
    }
    Proof { from: name, to, what, passed: first && answered(5) }
}

fn tell<'a>(account: &mut Account, proofs: impl IntoIterator<Item = &'a Proof>) {
    for proof in proofs {
        account.proof(proof.passed, &format!("{}: {} pings {}", proof.what, proof.from, proof.to));
    }
}

fn verdict(account: &mut Account, proofs: &[Proof]) -> ExitCode {
    account.title("Verdict");
    tell(account, proofs);
    let passed = proofs.iter().all(|proof| proof.passed);
    account.say(if passed {
        "Both tunnels are up and every ping was answered."
    } else {
        "Something does not work; see above."
    });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
