//! However Hubward ends, and whatever fails under it, nothing that its configuration protects leaves in clear, and it comes back.
//!
//! ```text
//!  hub_lan ── hub (Hubward, as systemd runs it) ── inet ── spoke (strongSwan; static map) ── 10.2.2.2
//!                                                   ├───── branch (strongSwan; dynamic map) ── 10.3.3.2
//!                                                   └───── client (vpnc)
//! ```
//!
//! The hub's LAN sends to the branches, to the client and to an address of the pool that nobody has, all the time. Each case is
//! tried with SAs, and without: then no peer can be reached and the SAs are cleared. A table tells how long it took.
//!
//! The hub's addresses, two default routes and its forwarding are the machine's, so that a packet finds its way out whether Hubward
//! runs or not. What shows it is a flow that nothing protects: it has to be seen outside in every case, and where the program ends,
//! between its end and its return. In the end the guard is taken away, and then every protected flow has to be seen, too.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{binary, edit, faults_binary, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::process::{self, Proc};
use hubward_interop::service::{Event, Service, Unit, WATCHDOG, status_words};
use hubward_interop::topology::{
    Client, HUB_ROUTER, POOL_FIRST, POOL_SECOND, PRIVATE, Reference, SPOKE_INSIDE,
};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};
use rustix::process::Signal;

use crate::{Case, case};

const PEERS: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")];
const FAULTS: &[Need] = &[Need::Hubward, Need::HubwardFaults, Need::StrongSwan, Need::Tool("vpnc")];

pub(crate) const CASES: &[Case] = &[
    case("a_lost_dhcp_lease_and_what_comes_after", PEERS, lease),
    case("killed_stopped_restarted_upgraded", PEERS, ends),
    case("a_packet_thread_panics", FAULTS, packet_threads),
    case("a_serving_thread_panics", FAULTS, serving_threads),
    case("the_tun_is_lost_or_a_thread_hangs", FAULTS, tun_and_hangs),
    case("a_full_disk_and_a_corrupt_state", PEERS, state),
    case("a_lost_default_route_and_bad_reloads", PEERS, routes_and_reloads),
    case("a_release_build_cannot_be_made_to_fail", FAULTS, release),
];

/// A fault's marker in a binary: the variable that names the folder of orders.
const MARKER: &[u8] = b"HUBWARD_INJECT_FAULTS";
/// What the log says when the state cannot be written.
const NOT_KEPT: &str = "leases would not outlive a restart";
/// What it says when that is over.
const KEPT: &str = "leases are kept again";
/// A part that died is told within this time.
const NOTICED: Duration = secs(2);
/// An address of the pool that no client has.
const IDLE: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 200);
const BRANCH: Ipv4Addr = Ipv4Addr::new(10, 60, 1, 2);
const BRANCH_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 3, 3, 2);
/// A host of the LAN that no access list selects, and somebody on the internet: nothing protects what the one sends to the other.
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 9, 10);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The flows from the LAN that are protected: to the static branch, the dynamic branch, the client, nobody.
const FLOWS: [(&str, Ipv4Addr); 4] =
    [("static", SPOKE_INSIDE), ("dynamic", BRANCH_INSIDE), ("client", POOL_FIRST), ("nobody", IDLE)];
/// The legs of `inet` to the peers.
const LEGS: [&str; 3] = ["to-spoke", "to-branch", "to-client"];
/// Where the configuration has the static entry for the spoke.
const STATIC: &str = "access-list 102 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                      crypto map mymap 5 ipsec-isakmp\n set peer 10.100.2.102\n set transform-set myset\n \
                      set isakmp-profile L2L\n match address 102\n";

fn config() -> Result<String> {
    edit(&hub_cfg()?, "crypto map mymap 10", &format!("{STATIC}crypto map mymap 10"))
}

/// Addresses are the machine's.
fn unit(program: &Path, config: String) -> Unit {
    let mut unit = addressing(program, config);
    unit.arguments.push("--no-addresses".to_owned());
    unit
}

/// Addresses are Hubward's.
fn addressing(program: &Path, config: String) -> Unit {
    let arguments = hubward_interop::hubward::MAP.iter().map(|argument| (*argument).to_owned()).collect();
    Unit { program: program.to_owned(), config, arguments, before: String::new() }
}

/// The machine's own ways out, over and above what Hubward makes of the configuration's.
fn ways_out(hub: &Ns) -> Result<()> {
    for metric in [0, 700] {
        hub.ip(&format!("route replace default via {HUB_ROUTER} dev eth0 metric {metric}"))?;
    }
    Ok(())
}

/// The machine has its own addresses and ways out.
fn own(net: &Reference) -> Result<()> {
    net.address_hub()?;
    ways_out(&net.hub)
}

/// What a case must lead to.
#[derive(Clone, Copy)]
enum Expect {
    /// It ends with this status, and is started again; the log tells why, unless nobody could.
    Ends { status: &'static str, told: Option<&'static str>, within: Duration },
    /// It goes on; the log tells, where there is something to tell.
    Stays { told: Option<&'static str> },
}

/// Something that is done to a site.
type Act<'a> = &'a dyn Fn(&Site<'_>) -> Result<()>;

/// A part of it died.
const fn dies(told: &'static str) -> Expect {
    Expect::Ends { status: "70", told: Some(told), within: NOTICED }
}

/// The network, its peers, its traffic, and the table.
struct Site<'a> {
    lab: &'a Lab,
    net: Reference,
    spoke: Charon,
    branch: Charon,
    vpnc: Option<Vpnc>,
    service: Service,
    capture: Capture,
    /// Prints a line for each packet in clear, and for each of the flow that nothing protects.
    outside: Proc,
    /// One for each of [`FLOWS`], and the one that nothing protects.
    flows: Vec<Proc>,
    connected: bool,
    /// Packets in clear that have a line in the table.
    accounted: usize,
    table: String,
    failed: Vec<String>,
}

impl<'a> Site<'a> {
    fn build(lab: &'a Lab, unit: &Unit, prepare: impl FnOnce(&Reference) -> Result<()>) -> Result<Self> {
        let net = Reference::build(lab, Client::Direct)?;
        net.address_spoke()?;
        let branch = lab.ns("branch")?;
        branch.cable("eth0", &net.inet, "to-branch")?;
        net.inet.address("to-branch", "10.60.1.1/24")?;
        branch.address("eth0", "10.60.1.2/24")?;
        branch.address("lo", "10.3.3.2/24")?;
        branch.default_route(Ipv4Addr::new(10, 60, 1, 1))?;
        net.inet.address("lo", &format!("{OUTSIDE}/32"))?;
        net.hub.address("eth1", "192.168.9.1/24")?;
        net.hub_lan.address("eth0", &format!("{OTHER}/24"))?;
        prepare(&net)?;
        let capture = Capture::start(lab, &net.inet, "to-hub")?;
        let outside = watch(lab, &net.inet)?;
        let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
        let other = Spoke { local: BRANCH, local_net: "10.3.0.0/16".into(), ..Spoke::default() };
        let branch = Charon::start(lab, "branch", &branch, Build::Machine, &other.conf())?;
        let service = Service::start(lab, "hub", &net.hub, unit)?;
        // before that nothing tells which networks lie behind the dynamic map
        branch.initiate("net")?;
        let mut flows = Vec::new();
        let other = OTHER.to_string();
        for (name, to, from) in FLOWS.map(|(name, to)| (name, to, &[][..])).into_iter().chain([(
            "outside",
            OUTSIDE,
            &["-I", &other][..],
        )]) {
            let mut command = net.hub_lan.command("ping");
            // as often as the shortest absence of the program asks for
            command.args(["-n", "-i", "0.02", "-W", "1"]).args(from).arg(to.to_string());
            flows.push(lab.spawn(&format!("lan-to-{name}"), &command)?);
        }
        let table = format!(
            "{:<44} {:<4} {:>7} {:>9} {:>7} {:>7} {:>6}\n",
            "case", "SAs", "told", "status", "ready", "back", "clear"
        );
        let vpnc = None;
        let (connected, accounted, failed) = (false, 0, Vec::new());
        let mut this = Self {
            lab,
            net,
            spoke,
            branch,
            vpnc,
            service,
            capture,
            outside,
            flows,
            connected,
            accounted,
            table,
            failed,
        };
        this.connect()?;
        Ok(this)
    }

    /// Packets in clear so far.
    fn clear(&self) -> usize {
        let other = format!("> {OUTSIDE}:");
        let log = self.outside.log();
        log.lines().filter(|line| line.contains(" IP ") && !line.contains(&other)).count()
    }

    /// Fails unless the flow that nothing protects was seen outside between the two: the way out was there, and so was the eye.
    fn could_see(&self, what: &str, from: Instant, to: Instant) -> Result<()> {
        let since = |at: Instant| (SystemTime::now() - at.elapsed()).duration_since(UNIX_EPOCH);
        let (from, to) = (since(from)?.as_secs_f64(), since(to)?.as_secs_f64());
        let other = format!("> {OUTSIDE}:");
        wait::until(&format!("what nothing protects, outside, {what}"), secs(1), || {
            Ok(self.outside.log().lines().filter(|line| line.contains(&other)).any(|line| {
                let at = line.split(' ').next().and_then(|at| at.parse::<f64>().ok());
                at.is_some_and(|at| (from..=to).contains(&at))
            }))
        })
        .with_context(|| format!("nothing could be seen in {:.3} s", to - from))
    }

    fn replies(&self, flow: usize) -> usize {
        replies(&self.flows, flow)
    }

    /// Every peer has a tunnel that carries.
    fn connect(&mut self) -> Result<()> {
        for leg in LEGS {
            self.net.inet.ip(&format!("link set {leg} up"))?;
        }
        if let Some(mut old) = self.vpnc.take() {
            old.process().kill9()?;
        }
        let (spoke, branch, flows) = (&self.spoke, &self.branch, &self.flows);
        let vpnc = std::thread::scope(|scope| -> Result<Vpnc> {
            let peers =
                [(spoke, 0), (branch, 1)].map(|(peer, flow)| scope.spawn(move || call(peer, flows, flow)));
            let mut vpnc = Vpnc::start(self.lab, "vpnc", &self.net.client, &Profile::default())?;
            vpnc.wait_up()?;
            for peer in peers {
                peer.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            }
            Ok(vpnc)
        })?;
        self.vpnc = Some(vpnc);
        let before = self.replies(2);
        wait::until("the client's tunnel to carry", secs(15), || Ok(self.replies(2) > before))?;
        self.connected = true;
        Ok(())
    }

    /// No peer can be reached, and there is no SA.
    fn disconnect(&mut self) -> Result<()> {
        for leg in LEGS {
            self.net.inet.ip(&format!("link set {leg} down"))?;
        }
        self.service.exec("clear crypto sa")?;
        self.service.exec("clear crypto isakmp")?;
        self.connected = false;
        let before = self.replies(0);
        std::thread::sleep(Duration::from_millis(200));
        ensure!(self.replies(0) == before, "the spoke answers although there is no way to it");
        Ok(())
    }

    /// Both ways.
    fn both(&mut self, name: &str, expect: Expect, act: impl Fn(&Self) -> Result<()>) -> Result<()> {
        self.with(name, expect, &act)?;
        self.without(name, expect, &act)
    }

    fn with(&mut self, name: &str, expect: Expect, act: impl Fn(&Self) -> Result<()>) -> Result<()> {
        if !self.connected {
            self.connect()?;
        }
        self.case(name, true, expect, &act).with_context(|| format!("{name}, with SAs"))
    }

    fn without(&mut self, name: &str, expect: Expect, act: impl Fn(&Self) -> Result<()>) -> Result<()> {
        self.disconnect()?;
        self.case(name, false, expect, &act).with_context(|| format!("{name}, without SAs"))
    }

    fn case(
        &mut self,
        name: &str,
        with: bool,
        expect: Expect,
        act: &dyn Fn(&Self) -> Result<()>,
    ) -> Result<()> {
        let (clear, pid) = (self.clear(), self.service.pid());
        if clear > self.accounted {
            self.failed.push(format!("before {name}, when SAs came or went: {}", clear - self.accounted));
        }
        let (told, within) = match expect {
            Expect::Ends { told, within, .. } => (told, within),
            Expect::Stays { told } => (told, NOTICED),
        };
        let before = told.map_or(0, |told| self.service.log().matches(told).count());
        let then = Instant::now();
        act(self)?;
        let acted = Instant::now();
        let mut row = format!("{name:<44} {:<4}", if with { "yes" } else { "no" });
        let after = |at: Instant| format!("{:.1} s", at.saturating_duration_since(then).as_secs_f32());
        let told_after = match told {
            Some(told) => {
                wait::until(&format!("{told:?} in the log"), within, || {
                    Ok(self.service.log().matches(told).count() > before)
                })?;
                after(Instant::now())
            }
            None => "-".to_owned(),
        };
        match expect {
            Expect::Ends { status, .. } => {
                // told, then up to three seconds for goodbyes
                let (at, ended) = self.service.ended_since(then, within + secs(3))?;
                ensure!(status_words(ended) == status, "it ended with {}, not {status}", status_words(ended));
                let ready = self.service.ready_since(then, secs(10))?;
                self.could_see("while the program was gone", at, ready)?;
                self.connected = false;
                // of what has no time for a word, systemd tells
                let told_after = told.map_or_else(|| after(at), |_| told_after);
                let _ = write!(row, " {told_after:>7} {status:>9} {:>7}", after(ready));
            }
            Expect::Stays { .. } => {
                let _ = write!(row, " {told_after:>7} {:>9} {:>7}", "-", "-");
            }
        }
        let back =
            if with {
                let answered = self.replies(0);
                wait::until("the static branch to answer again", secs(15), || {
                    Ok(self.replies(0) > answered + 2)
                })?;
                after(Instant::now())
            } else {
                // what the LAN sends must find no way
                std::thread::sleep(Duration::from_millis(500));
                "-".to_owned()
            };
        if matches!(expect, Expect::Stays { .. }) {
            self.could_see("after it", acted, Instant::now())?;
            ensure!(self.service.pid() == pid, "it was started anew");
        }
        self.accounted = self.clear();
        let clear = self.accounted - clear;
        let _ = writeln!(self.table, "{row} {back:>7} {clear:>6}");
        if clear > 0 {
            self.failed.push(format!("{name}, {} SAs: {clear}", if with { "with" } else { "without" }));
        }
        Ok(())
    }

    /// Prints the table; fails if a packet was in clear on the outside, as tshark sees it too, or if no flow would have been in
    /// clear without the guard.
    fn finish(self, what: &str) -> Result<()> {
        println!("{what}\n{}", self.table);
        let wire = self.capture.finish()?;
        ensure!(wire.frames.len() > 50, "hardly anything was on the wire: {} frames", wire.frames.len());
        ensure!(self.failed.is_empty(), "packets in clear: {}\n{}", self.failed.join("; "), self.table);
        wire.expect_no_cleartext(&PRIVATE)?;
        drop(self.service);
        self.net.hub.run(&["nft", "delete", "table", "ip", "hubward_guard"])?;
        for (name, to) in FLOWS {
            let line = format!("> {to}:");
            wait::until(&format!("the flow to {name}, outside, without the guard"), secs(5), || {
                Ok(self.outside.log().lines().any(|seen| seen.contains(&line)))
            })?;
        }
        Ok(())
    }
}

fn replies(flows: &[Proc], flow: usize) -> usize {
    flows.get(flow).map_or(0, |flow| flow.log().matches("bytes from").count())
}

/// Has a peer begin anew until its tunnel carries: its SAs may be with a hub that is gone, and both ends may call at a time.
fn call(peer: &Charon, flows: &[Proc], flow: usize) -> Result<()> {
    let mut last = Ok(());
    for _ in 0..4 {
        let _none = peer.swanctl(&["--terminate", "--ike", "hub", "--force", "--timeout", "1"], secs(5));
        let before = replies(flows, flow);
        let called = peer.swanctl(&["--initiate", "--child", "net", "--timeout", "4"], secs(8));
        last = wait::until("the tunnel to carry", secs(3), || Ok(replies(flows, flow) > before));
        if last.is_ok() {
            return Ok(());
        }
        last = last.with_context(|| format!("{called:?}"));
    }
    last
}

/// Tells of each packet of the protected networks on the outside wire at once, by which it is known what let it out, and of what
/// nothing protects; when it was, in seconds since 1970, comes first.
fn watch(lab: &Lab, inet: &Ns) -> Result<Proc> {
    let mut filter = format!("dst host {OUTSIDE}");
    for (network, length) in PRIVATE {
        let _ = write!(filter, " or net {network}/{length}");
    }
    let mut command = inet.command("tcpdump");
    command.args([
        "-l",
        "-tt",
        "--immediate-mode",
        "-n",
        "-q",
        "-i",
        "to-hub",
        "-Z",
        "root",
        &format!("ip and ({filter})"),
    ]);
    let mut process = lab.spawn("in-clear", &command)?;
    process.wait_log("listening on", secs(10))?;
    Ok(process)
}

/// `kill -9`, SIGTERM and a start, SIGSTOP for a while and for good, `reload`, and an upgrade.
fn ends(lab: &Lab) -> Result<()> {
    let program = lab.dir().join("hubward-program");
    std::fs::copy(binary()?, &program)?;
    let mut site = Site::build(lab, &unit(&program, config()?), own)?;
    let ends = |status, told| Expect::Ends { status, told, within: NOTICED };
    site.both("kill -9", ends("signal 9", None), |site| site.service.signal(Signal::KILL))?;
    site.both("SIGTERM, started again", ends("0", None), |site| site.service.restart())?;
    site.both("upgrade of the program, restart", ends("0", None), |site| {
        // as a package does it: the new file takes the old one's place
        let new = program.with_extension("new");
        std::fs::copy(&program, &new)?;
        std::fs::rename(&new, &program)?;
        site.service.restart()
    })?;
    let runs = std::fs::metadata(format!("/proc/{}/exe", site.service.pid()))?.ino();
    ensure!(runs == std::fs::metadata(&program)?.ino(), "the old program runs");
    site.both("SIGSTOP for 3 s", Expect::Stays { told: None }, |site| {
        let stopped = Instant::now();
        site.service.signal(Signal::STOP)?;
        std::thread::sleep(secs(3));
        site.could_see("while it stood still", stopped + secs(1), Instant::now())?;
        site.service.signal(Signal::CONT)
    })?;
    site.both("reload, the command", Expect::Stays { told: Some("is ready") }, |site| {
        site.service.exec("reload").map(drop)
    })?;
    site.without("reload, after an upgrade", Expect::Stays { told: Some("is ready") }, |site| {
        let new = program.with_extension("new");
        std::fs::copy(&program, &new)?;
        std::fs::rename(&new, &program)?;
        site.service.exec("reload").map(drop)
    })?;
    let runs = std::fs::metadata(format!("/proc/{}/exe", site.service.pid()))?.ino();
    ensure!(runs == std::fs::metadata(&program)?.ino(), "the old program runs after reload");
    let stopped = Instant::now();
    let stop = |site: &Site<'_>| site.service.signal(Signal::STOP);
    site.with("SIGSTOP for good", Expect::Ends { status: "signal 6", told: None, within: WATCHDOG }, stop)?;
    let events = site.service.since(stopped);
    let bitten = events.iter().find(|(_, event)| matches!(event, Event::Bitten)).map(|(at, _)| *at);
    let bitten = bitten.context("the watchdog did not bite")?;
    let fed = |(at, event): &&(Instant, Event)| matches!(event, Event::Fed) && *at < bitten;
    let last = events.iter().rfind(fed).map_or(stopped, |(at, _)| *at);
    ensure!(bitten - last >= WATCHDOG, "it was ended although it was fed");
    site.finish("killed, stopped, restarted")
}

/// The threads that carry packets and IKE.
fn packet_threads(lab: &Lab) -> Result<()> {
    let mut site = Site::build(lab, &unit(&faults_binary()?, config()?), own)?;
    for thread in ["esp-out", "gateway", "esp-in", "isakmp"] {
        let order = format!("panic-{thread}");
        let act = |site: &Site<'_>| site.service.order(&order);
        let told = dies("%HUBWARD-2-FAULT");
        match thread {
            "esp-out" | "gateway" => site.both(&format!("panic in {thread}"), told, act)?,
            _ => site.with(&format!("panic in {thread}"), told, act)?,
        }
        site.service_told(&format!("the thread {thread} panicked"))?;
    }
    site.finish("panics of packet threads")
}

/// The threads beside them; and those that serve one person, which end nothing else.
fn serving_threads(lab: &Lab) -> Result<()> {
    let pool = "ip dhcp pool lan\n network 10.1.0.0 255.255.254.0\n!\n";
    let config = edit(&config()?, "ip local pool", &format!("{pool}ip local pool"))?;
    let mut site = Site::build(lab, &unit(&faults_binary()?, config), own)?;
    for (thread, with) in [
        ("signals", true),
        ("aaa", false),
        ("log", true),
        ("exec", false),
        ("ssh", true),
        ("dhcp", false),
        ("supervisor", true),
    ] {
        let order = format!("panic-{thread}");
        let act = |site: &Site<'_>| site.service.order(&order);
        let name = format!("panic in {thread}");
        match with {
            true => site.with(&name, dies("%HUBWARD-2-FAULT"), act)?,
            false => site.without(&name, dies("%HUBWARD-2-FAULT"), act)?,
        }
        site.service_told(&format!("the thread {thread} panicked"))?;
    }
    site.with("panic in a command", Expect::Stays { told: Some("%HUBWARD-3-SESSION") }, |site| {
        site.service.order("panic-command")?;
        ensure!(site.service.exec("show version").is_err(), "a command that panicked has answered");
        site.service.exec("show version").map(drop)
    })?;
    site.finish("panics of threads that serve")
}

/// The TUN is deleted or set down; a thread hangs, which the program notices itself before the watchdog does.
fn tun_and_hangs(lab: &Lab) -> Result<()> {
    let mut site = Site::build(lab, &unit(&faults_binary()?, config()?), own)?;
    site.both("ip link del hubward0", dies("hubward0 is gone"), |site| {
        site.net.hub.ip("link del hubward0").map(drop)
    })?;
    site.both("ip link set hubward0 down", dies("has set hubward0 down"), |site| {
        site.net.hub.ip("link set hubward0 down").map(drop)
    })?;
    for thread in ["gateway", "esp-in"] {
        let order = format!("hang-{thread}");
        let then = Instant::now();
        let hangs = Expect::Ends { status: "70", told: Some("has not moved for"), within: WATCHDOG };
        site.with(&format!("{thread} hangs"), hangs, |site| site.service.order(&order))?;
        let events = site.service.since(then);
        ensure!(!events.iter().any(|(_, event)| matches!(event, Event::Bitten)), "systemd had to end it");
    }
    site.finish("the TUN, and threads that hang")
}

impl Site<'_> {
    fn service_told(&self, what: &str) -> Result<()> {
        ensure!(self.service.log().contains(what), "the log does not say that {what}");
        Ok(())
    }

    /// How often the log says so.
    fn told(&self, what: &str) -> usize {
        self.service.log().matches(what).count()
    }

    /// A file as the program sees it.
    fn of_the_service(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.service.pid()))
    }

    /// Leases are not kept, until what keeps them from it is mended.
    fn keeps_again(&self, mend: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let before = self.told(KEPT);
        wait::holds(
            "that leases are not kept",
            Duration::from_millis(500),
            || Ok(self.told(KEPT) == before),
        )?;
        mend(self)?;
        wait::until(&format!("{KEPT:?} in the log"), secs(20), || Ok(self.told(KEPT) > before))?;
        let size = std::fs::metadata(self.of_the_service("/var/lib/hubward/leases.redb"))?.len();
        ensure!(size > 0, "the log says that {KEPT}, and there is nothing");
        Ok(())
    }
}

/// The state folder is on a small disk that gets full, or is full or read-only, and what is in it is no database.
fn state(lab: &Lab) -> Result<()> {
    let second = "username second password 0 second\n";
    let mut unit =
        unit(&binary()?, edit(&config()?, "username gfullage", &format!("{second}username gfullage"))?);
    // a disk of the service's own, gone with it; what the run before left is there again
    unit.before =
        "mkdir -p \"$d/kept\" && mount -t tmpfs -o size=2m tmpfs /var/lib && mkdir -p /var/lib/hubward && \
                   cp -a \"$d/kept/.\" /var/lib/hubward/ || exit\n[ ! -e \"$d/disk\" ] || . \"$d/disk\""
            .to_owned();
    let mut site = Site::build(lab, &unit, own)?;
    let kept = site.service.dir().join("kept");
    // what is wrong with the state is told by the run that comes then
    let killed = |told| Expect::Ends { status: "signal 9", told, within: secs(5) };
    let kill = |site: &Site<'_>| site.service.signal(Signal::KILL);
    let fill = |site: &Site<'_>| -> Result<()> {
        let disk = site.of_the_service("/var/lib/fill");
        // as much as there is room for
        let _full = std::fs::write(&disk, vec![0; 4 << 20]);
        ensure!(std::fs::write(disk.with_extension("more"), [0; 8192]).is_err(), "the disk is not full");
        Ok(())
    };
    let free = |site: &Site<'_>| Ok(std::fs::remove_file(site.of_the_service("/var/lib/fill"))?);
    site.both("the disk gets full", Expect::Stays { told: None }, fill)?;
    // a client that was never here gets an address; that is written where the database has room, or else it is told that it cannot
    let full = SystemTime::now();
    site.net.inet.ip("link set to-client up")?;
    drop(site.vpnc.take());
    let profile = Profile { user: "second".into(), password: "second".into(), ..Profile::default() };
    let mut vpnc = Vpnc::start(lab, "vpnc-second", &site.net.client, &profile)?;
    let address = Vpnc::address(&vpnc.wait_up()?)?;
    ensure!(address == POOL_SECOND, "the second client has {address}");
    drop(vpnc);
    let keeps = || site.told(NOT_KEPT) == site.told(KEPT);
    let database = site.of_the_service("/var/lib/hubward/leases.redb");
    wait::until("the lease to be written, or the log to tell that it is not", secs(5), || {
        Ok(!keeps() || std::fs::metadata(&database)?.modified()? > full)
    })?;
    free(&site)?;
    wait::until("leases to be kept again", secs(20), || Ok(keeps()))?;
    site.connect()?;
    std::fs::create_dir_all(&kept)?;
    for (name, content, told) in
        [("empty", &b""[..], None), ("corrupt", &[0x5a; 9000][..], Some("Leases that it knew are forgotten"))]
    {
        std::fs::write(kept.join("leases.redb"), content)?;
        site.both(&format!("started with a state that is {name}"), killed(told), kill)?;
        site.connect()?;
    }
    std::fs::remove_file(kept.join("leases.redb"))?;
    let writable = |site: &Site<'_>| -> Result<()> {
        let mut mount = std::process::Command::new("nsenter");
        mount.args(["-m", "-t", &site.service.pid().to_string(), "mount", "-o", "remount,rw", "/var/lib"]);
        process::run(&mut mount, secs(5)).map(drop)
    };
    let cases: [(_, _, Act<'_>); 2] = [
        ("on a full disk", "head -c 4M /dev/zero > /var/lib/fill", &free),
        ("read-only", "mount -o remount,ro /var/lib", &writable),
    ];
    for (name, disk, mend) in cases {
        std::fs::write(site.service.dir().join("disk"), format!("{disk}\n"))?;
        site.both(&format!("started with a state that is {name}"), killed(Some(NOT_KEPT)), kill)?;
        site.connect()?;
        site.keeps_again(mend)?;
    }
    site.finish("the state")
}

/// The way out is lost and comes back; a reload that cannot be taken.
fn routes_and_reloads(lab: &Lab) -> Result<()> {
    let config = config()?;
    let mut site = Site::build(lab, &unit(&binary()?, config.clone()), own)?;
    site.both("ip route del default", Expect::Stays { told: None }, |site| {
        site.net.hub.ip("route del default").map(drop)
    })?;
    site.with("the outside link is down for 2 s", Expect::Stays { told: None }, |site| {
        site.net.hub.ip("link set eth0 down")?;
        std::thread::sleep(secs(2));
        site.net.hub.ip("link set eth0 up")?;
        ways_out(&site.net.hub)
    })?;
    let dangling = edit(&config, " set isakmp-profile L2L\n match", " set isakmp-profile NOBODY\n match")?;
    let unenforced =
        edit(&config, "  crypto map mymap\n", "  crypto map mymap\n  ip access-group OUTSIDE-IN in\n")?;
    let unenforced = format!("ip access-list extended OUTSIDE-IN\n deny ip any any\n{unenforced}");
    let syntax = edit(&config, "ip route 0.0.0.0 0.0.0.0 10.48.66.181", "ip route 0.0.0.0 0.0.0.0")?;
    let prose = "Dear colleague,\nthe configuration of the hub follows tomorrow.\n".to_owned();
    for (name, with, text) in [
        ("reload: a line is wrong", true, syntax),
        ("reload: a profile is missing", false, dangling),
        ("reload: a line is not enforced", true, unenforced),
        ("reload: prose", false, prose),
        ("reload: nothing", true, String::new()),
    ] {
        let stays = Expect::Stays { told: Some("the old configuration stays") };
        let act = |site: &Site<'_>| site.service.reload(&text);
        if with { site.with(name, stays, act)? } else { site.without(name, stays, act)? }
    }
    site.with(
        "reload: the file is missing",
        Expect::Stays { told: Some("the old configuration stays") },
        |site| {
            std::fs::remove_file(site.service.dir().join("hubward.cfg"))?;
            site.service.signal(Signal::HUP)
        },
    )?;
    site.finish("routes and reloads")
}

/// The outside address comes by DHCP (Hubward sets it, and the route that comes with it), from another Hubward that lends for a minute, and dies.
fn lease(lab: &Lab) -> Result<()> {
    const MINUTE: Duration = secs(60);
    let lending = "hostname isp\nip dhcp excluded-address 10.48.67.160 10.48.67.180\nip dhcp pool hub\n \
                   network 10.48.67.160 255.255.255.224\n default-router 10.48.67.161\n lease 0 0 1\n\
                   interface FastEthernet0/0\n ip address 10.48.67.161 255.255.255.224\n";
    let arguments = ["--map", "FastEthernet0/0=to-hub"].map(str::to_owned).to_vec();
    let lender = Unit { program: binary()?, config: lending.to_owned(), arguments, before: String::new() };
    let config = edit(&config()?, "ip address 10.48.67.181 255.255.255.224", "ip address dhcp")?;
    let config = edit(&config, "ip route 0.0.0.0 0.0.0.0 10.48.66.181\n", "")?;
    let mut running = None;
    let prepare = |net: &Reference| -> Result<()> {
        running = Some(Service::start(lab, "isp", &net.inet, &lender)?);
        net.hub.address("eth1", "10.1.1.1/23")?;
        Ok(())
    };
    let mut site = Site::build(lab, &addressing(&binary()?, config), prepare)?;
    let told = "lost its DHCP address";
    // the machine has another way out by the same link, with an address that keeps it when the leased one goes
    let address = "172.16.9.2/24 dev eth0";
    let other_way = |net: &Reference| -> Result<()> {
        net.hub.ip(&format!("addr add {address}"))?;
        net.hub.ip(&format!("route add default via {HUB_ROUTER} dev eth0 onlink metric 700")).map(drop)
    };
    other_way(&site.net)?;
    // a provider that is gone
    drop(running);
    let then = Instant::now();
    wait::until("the lease to end", MINUTE + secs(10), || Ok(site.service.log().contains(told)))?;
    let lost = then.elapsed();
    // the LAN goes on sending
    let gone = Instant::now();
    std::thread::sleep(secs(2));
    site.could_see("without the lease", gone, Instant::now())?;
    let clear = site.clear();
    let _ = writeln!(site.table, "the lease is lost after {:.0} s; in clear: {clear}", lost.as_secs_f32());
    ensure!(clear == 0, "{clear} packets in clear when the lease was lost");
    // with its address the route goes, too
    site.net.hub.ip(&format!("addr del {address}"))?;
    let _again = Service::start(lab, "isp2", &site.net.inet, &lender)?;
    let then = Instant::now();
    wait::until("another lease", secs(70), || {
        Ok(site.service.log().matches("assigned DHCP address").count() > 1)
    })?;
    let leased = then.elapsed();
    site.connect()?;
    let _ = writeln!(
        site.table,
        "another lease after {:.0} s, every tunnel after {:.0} s; in clear: {}",
        leased.as_secs_f32(),
        then.elapsed().as_secs_f32(),
        site.clear()
    );
    other_way(&site.net)?;
    site.finish("a lost lease")
}

/// The program that is delivered does not know what the test build obeys; the test build shows that looking for it finds it.
fn release(lab: &Lab) -> Result<()> {
    let knows = |program: &Path| -> Result<bool> {
        let bytes = std::fs::read(program)?;
        Ok(bytes.windows(MARKER.len()).any(|window| window == MARKER))
    };
    ensure!(knows(&faults_binary()?)?, "the test build lacks the marker: looking for it proves nothing");
    ensure!(!knows(&binary()?)?, "{} can be made to fail", binary()?.display());
    let net = Reference::build(lab, Client::Direct)?;
    let then = Instant::now();
    let service = Service::start(lab, "hub", &net.hub, &unit(&binary()?, hub_cfg()?))?;
    let orders = ["panic-esp-out", "panic-gateway", "hang-isakmp"];
    orders.iter().try_for_each(|order| service.order(order))?;
    wait::holds("the program that is delivered", secs(3), || {
        Ok(!service.since(then).iter().any(|(_, event)| matches!(event, Event::Ended(_))))
    })?;
    let untouched = orders.iter().all(|order| service.dir().join("faults").join(order).exists());
    ensure!(untouched, "it looks at orders to fail");
    if cfg!(debug_assertions) && !binary()?.ends_with("release/hubward") {
        println!("{} is no release build; `cargo ci` gives one", binary()?.display());
    }
    Ok(())
}
