//! `cargo lab`: the reference hub and spoke in network namespaces on this machine, with Hubward in both roles.
//!
//! ```text
//!   hub LAN              hub                      internet                     spoke                spoke LAN
//!   10.1.1.10 ── 10.1.1.1  10.48.67.181 ── 10.48.66.181  10.100.2.3 ── 10.100.2.102  10.2.2.2 ── 10.2.2.10
//! ```

use anyhow::{Context as _, bail};
use hubward_linux::icmp::{Outcome, Ping, ping};
use hubward_linux::netns::{self, NetNs};
use hubward_linux::route::{self, Route};
use hubward_linux::sysctl::{self, Setting};
use hubward_linux::{address, link};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HUB_CONFIG: &str = include_str!("../../../examples/hub.cfg");
const SPOKE_CONFIG: &str = include_str!("../../../examples/spoke.cfg");

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave the network up, and say how to look around.
    #[arg(long)]
    keep: bool,
    /// Show what the gateways log.
    #[arg(long)]
    verbose: bool,
}

/// A place of the network.
struct Place {
    name: &'static str,
    namespace: NetNs,
}

impl Place {
    fn new(name: &'static str) -> anyhow::Result<Self> {
        let namespace = NetNs::create().with_context(|| format!("cannot make the namespace of {name}"))?;
        Ok(Self { name, namespace })
    }

    /// Gives a link an address that is not Hubward's.
    fn address(&self, link: &str, net: &str) -> anyhow::Result<()> {
        let netlink = self.namespace.netlink()?;
        let index = link::by_name(&netlink, link)?.index;
        address::add_as(&netlink, index, net.parse::<Ipv4Net>().map(IpNet::V4)?, 0)?;
        Ok(link::set_up(&netlink, index, true)?)
    }

    fn up(&self, link: &str) -> anyhow::Result<()> {
        let netlink = self.namespace.netlink()?;
        Ok(link::set_up(&netlink, link::by_name(&netlink, link)?.index, true)?)
    }

    fn default_route(&self, gateway: Ipv4Addr) -> anyhow::Result<()> {
        let netlink = self.namespace.netlink()?;
        let route = Route {
            gateway: Some(IpAddr::V4(gateway)),
            protocol: 0,
            ..Route::new(IpNet::V4(Ipv4Net::default()))
        };
        route::add(&netlink, &route)?;
        Ok(())
    }
}

fn cable(a: &Place, a_link: &str, b: &Place, b_link: &str) -> anyhow::Result<()> {
    link::create_veth(&a.namespace.netlink()?, a_link, b_link, Some(&b.namespace))
        .with_context(|| format!("cannot lay the cable from {} to {}", a.name, b.name))
}

/// A gateway that runs, and is ended with the lab.
struct Gateway {
    process: Child,
    socket: PathBuf,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // SIGTERM lets it say goodbye and take its things away
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _status = self.process.wait();
    }
}

fn start(place: &Place, folder: &Path, config: &str, verbose: bool) -> anyhow::Result<Gateway> {
    let file = folder.join(format!("{}.cfg", place.name));
    std::fs::write(&file, config)?;
    let socket = folder.join(format!("{}.sock", place.name));
    let log = std::fs::File::create(folder.join(format!("{}.log", place.name)))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("run")
        .arg(&file)
        .args(["--map", "FastEthernet0/0=outside", "--map", "FastEthernet0/1=inside", "--socket"])
        .arg(&socket)
        .arg("--state")
        .arg(folder.join(format!("{}.state", place.name)))
        .stdin(Stdio::null())
        .stderr(if verbose { Stdio::inherit() } else { Stdio::from(log) });
    place.namespace.start_in(&mut command)?;
    let process = command.spawn().with_context(|| format!("cannot start the {}", place.name))?;
    let mut gateway = Gateway { process, socket };
    let patience = Instant::now() + Duration::from_secs(20);
    while crate::exec::ask(&gateway.socket, "show version").is_err() {
        if gateway.process.try_wait()?.is_some() || Instant::now() > patience {
            let log = folder.join(format!("{}.log", place.name));
            bail!("the {} did not start: {}", place.name, std::fs::read_to_string(log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(gateway)
}

/// Echoes from one place to an address: how many came back.
fn answered(place: &Place, destination: Ipv4Addr, count: u16) -> anyhow::Result<u16> {
    let echoes = Ping { count, interval: Duration::from_millis(200), ..Ping::new(destination) };
    let outcomes = place.namespace.run(|| ping(&echoes, |_| {}))??;
    let back = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Reply { .. })).count();
    Ok(u16::try_from(back).unwrap_or(u16::MAX))
}

/// Builds the network, brings the tunnel up, looks at it, and says whether all is well.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    if !netns::can_create() {
        netns::enter_user_namespace()?;
    }
    let folder = std::env::temp_dir().join(format!("hubward-lab-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("1. The network: hub, internet, spoke, and a host behind each gateway.");
    let (hub, spoke, internet) = (Place::new("hub")?, Place::new("spoke")?, Place::new("internet")?);
    let (hub_lan, spoke_lan) = (Place::new("hub-lan")?, Place::new("spoke-lan")?);
    cable(&hub, "outside", &internet, "to-hub")?;
    cable(&spoke, "outside", &internet, "to-spoke")?;
    cable(&hub, "inside", &hub_lan, "eth0")?;
    cable(&spoke, "inside", &spoke_lan, "eth0")?;
    internet.address("to-hub", "10.48.67.161/27")?;
    // the reference hub's next hop lies outside its network; the router answers for it all the same
    internet.address("to-hub", "10.48.66.181/32")?;
    internet.address("to-spoke", "10.100.2.3/24")?;
    internet.namespace.run(|| sysctl::set(&Setting::IpForward, "1"))??;
    // what the provider's DHCP server would have given
    spoke.address("outside", "10.100.2.102/24")?;
    hub_lan.address("eth0", "10.1.1.10/23")?;
    spoke_lan.address("eth0", "10.2.2.10/24")?;
    for place in [&hub, &spoke] {
        place.up("inside")?;
        place.up("outside")?;
    }
    hub_lan.default_route(Ipv4Addr::new(10, 1, 1, 1))?;
    spoke_lan.default_route(Ipv4Addr::new(10, 2, 2, 2))?;

    println!("2. Hubward runs the reference hub's configuration, unchanged, and the spoke's.");
    let hub_gateway = start(&hub, &folder, HUB_CONFIG, arguments.verbose)?;
    let spoke_gateway = start(&spoke, &folder, SPOKE_CONFIG, arguments.verbose)?;

    println!("3. A host behind the spoke pings a host behind the hub; that brings the tunnel up.");
    let first = answered(&spoke_lan, Ipv4Addr::new(10, 1, 1, 10), 5)?;
    println!("   10.2.2.10 -> 10.1.1.10: {first} of 5 echoes answered");
    println!("4. And the other way round.");
    let second = answered(&hub_lan, Ipv4Addr::new(10, 2, 2, 10), 5)?;
    println!("   10.1.1.10 -> 10.2.2.10: {second} of 5 echoes answered\n");
    let mut tunnel_is_up = false;
    for line in ["show crypto isakmp sa", "show crypto ipsec sa"] {
        let text = crate::exec::ask(&hub_gateway.socket, line)?;
        println!("Hub#{line}\n{text}");
        tunnel_is_up |= text.contains("QM_IDLE");
    }
    if arguments.keep {
        println!("The network stays up until you press Enter. To look around:");
        for place in [&hub, &spoke, &internet, &hub_lan, &spoke_lan] {
            println!("  {:<10} nsenter --net={}", place.name, place.namespace.path().display());
        }
        println!("  hubward exec --socket {} \"show crypto isakmp sa detail\"", hub_gateway.socket.display());
        std::io::stdin().read_line(&mut String::new())?;
    }
    drop((spoke_gateway, hub_gateway));
    let good = tunnel_is_up && first == 5 && second == 5;
    println!(
        "Verdict: {}",
        if good {
            "the tunnel is up and every echo was answered."
        } else {
            "something is wrong; the logs are kept."
        }
    );
    if good {
        std::fs::remove_dir_all(&folder)?;
    } else {
        println!("Logs: {}", folder.display());
    }
    Ok(good)
}
