//! The network of the topic: its peers, its traffic, the eye outside, and the table of what was
//! done to it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::net::Ns;
use hubward_interop::process::Proc;
use hubward_interop::service::{Service, Unit, status_words};
use hubward_interop::topology::{Client, HUB_ROUTER, POOL_FIRST, PRIVATE, Reference, SPOKE_INSIDE};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};

/// A part that died is reported within this time.
pub(crate) const NOTICED: Duration = secs(2);
/// An address of the pool that no client has.
const IDLE: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 200);
const BRANCH: Ipv4Addr = Ipv4Addr::new(10, 60, 1, 2);
const BRANCH_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 3, 3, 2);
/// A host of the LAN that no access list selects, and a host on the internet: nothing protects what
/// the one sends to the other.
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 9, 10);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The protected flows from the LAN: to the static branch, the dynamic branch, the client, an
/// unused address.
const FLOWS: [(&str, Ipv4Addr); 4] =
    [("static", SPOKE_INSIDE), ("dynamic", BRANCH_INSIDE), ("client", POOL_FIRST), ("nobody", IDLE)];
/// The legs of `inet` to the peers.
const LEGS: [&str; 3] = ["to-spoke", "to-branch", "to-client"];
/// Where the configuration has the static entry for the spoke.
const STATIC: &str = "access-list 102 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                      crypto map mymap 5 ipsec-isakmp\n set peer 10.100.2.102\n set transform-set myset\n \
                      set isakmp-profile L2L\n match address 102\n";

/// The hub's: the reference document's, and a static entry for the spoke.
pub(crate) fn config() -> Result<String> {
    edit(&hub_cfg()?, "crypto map mymap 10", &format!("{STATIC}crypto map mymap 10"))
}

/// Addresses are the machine's.
pub(crate) fn unit(program: &Path, config: String) -> Unit {
    let mut unit = addressing(program, config);
    unit.arguments.push("--no-addresses".to_owned());
    unit
}

/// Addresses are Hubward's.
pub(crate) fn addressing(program: &Path, config: String) -> Unit {
    let arguments = hubward_interop::hubward::MAP.iter().map(|argument| (*argument).to_owned()).collect();
    Unit { program: program.to_owned(), config, arguments, before: String::new() }
}

/// The machine's own ways out, over and above what Hubward makes of the configuration's.
pub(crate) fn ways_out(hub: &Ns) -> Result<()> {
    for metric in [0, 700] {
        hub.ip(&format!("route replace default via {HUB_ROUTER} dev eth0 metric {metric}"))?;
    }
    Ok(())
}

/// The machine has its own addresses and ways out.
pub(crate) fn own(net: &Reference) -> Result<()> {
    net.address_hub()?;
    ways_out(&net.hub)
}

/// What a row must lead to.
#[derive(Clone)]
pub(crate) enum Expect {
    /// It ends with this status, and is restarted; the log says why, if it still could.
    Ends { status: &'static str, told: Option<String>, within: Duration },
    /// It continues, and so do its SAs; the log reports it, if there is something to report.
    Stays { told: Option<&'static str> },
    /// It restarts in the same process.
    BeginsAnew,
}

/// A part of it died.
pub(crate) fn dies(told: &str) -> Expect {
    Expect::Ends { status: "70", told: Some(told.to_owned()), within: NOTICED }
}

/// Something that is done to a site, or asked of it.
type Act<'a> = Box<dyn Fn(&Site<'_>) -> Result<()> + 'a>;

/// Something that is done to a site, what it must lead to, and what must be true then.
pub(crate) struct Row<'a> {
    name: String,
    expect: Expect,
    act: Act<'a>,
    check: Option<Act<'a>>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        expect: Expect,
        act: impl Fn(&Site<'_>) -> Result<()> + 'a,
    ) -> Self {
        Self { name: name.into(), expect, act: Box::new(act), check: None }
    }

    /// The thread of this name panics, and the program ends by that.
    pub(crate) fn panics(thread: &str) -> Self {
        let order = format!("panic-{thread}");
        let told = dies(&format!("%HUBWARD-2-FAULT: the thread {thread} panicked"));
        Self::new(format!("panic in {thread}"), told, move |site| site.service.order(&order))
    }

    /// What is asked in the end.
    pub(crate) fn check(mut self, check: impl Fn(&Site<'_>) -> Result<()> + 'a) -> Self {
        self.check = Some(Box::new(check));
        self
    }
}

/// What carries the packets, and how quick the machine is.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Of the branches.
    esp: Build,
    /// Of each flow, in seconds: as often as the shortest absence of the program asks for.
    interval: &'static str,
    /// What waits are multiplied by.
    patience: u32,
}

/// Hubward and the branches carry packets themselves.
pub(crate) const USER_SPACE: Pace = Pace { esp: Build::Machine, interval: "0.02", patience: 1 };
/// The kernel does, of a machine that may be emulated.
pub(crate) const KERNEL: Pace = Pace { esp: Build::Kernel, interval: "0.1", patience: 5 };

/// What is known of the peers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peers {
    /// Every tunnel carries.
    Connected,
    /// No peer is reachable, and there is no SA.
    Away,
    /// They have to find out.
    Unknown,
}

/// The network, its peers, its traffic, and the table.
pub(crate) struct Site<'a> {
    lab: &'a Lab,
    pub(crate) net: Reference,
    spoke: Charon,
    branch: Charon,
    vpnc: Option<Vpnc>,
    pub(crate) service: Service,
    capture: Capture,
    /// Prints a line for each unencrypted packet, and for each of the flow that nothing protects.
    outside: Proc,
    /// One for each of [`FLOWS`], and the one that nothing protects.
    flows: Vec<Proc>,
    pace: Pace,
    peers: Peers,
    /// When the row began.
    pub(crate) began: Instant,
    /// Unencrypted packets that have a line in the table.
    accounted: usize,
    pub(crate) table: String,
    failed: Vec<String>,
}

impl<'a> Site<'a> {
    pub(crate) fn build(
        lab: &'a Lab,
        unit: &Unit,
        prepare: impl FnOnce(&Reference) -> Result<()>,
    ) -> Result<Self> {
        Self::paced(lab, unit, USER_SPACE, prepare)
    }

    pub(crate) fn paced(
        lab: &'a Lab,
        unit: &Unit,
        pace: Pace,
        prepare: impl FnOnce(&Reference) -> Result<()>,
    ) -> Result<Self> {
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
        let spoke = Charon::start(lab, "spoke", &net.spoke, pace.esp, &Spoke::default().conf())?;
        let other = Spoke { local: BRANCH, local_net: "10.3.0.0/16".into(), ..Spoke::default() };
        let branch = Charon::start(lab, "branch", &branch, pace.esp, &other.conf())?;
        let service = Service::start(lab, "hub", &net.hub, unit)?;
        // until then the networks behind the dynamic map are unknown
        branch.initiate("net")?;
        let mut flows = Vec::new();
        let other = OTHER.to_string();
        for (name, to, from) in FLOWS.map(|(name, to)| (name, to, &[][..])).into_iter().chain([(
            "outside",
            OUTSIDE,
            &["-I", &other][..],
        )]) {
            let mut command = net.hub_lan.command("ping");
            command.args(["-n", "-i", pace.interval, "-W", "1"]).args(from).arg(to.to_string());
            flows.push(lab.spawn(&format!("lan-to-{name}"), &command)?);
        }
        let table = format!(
            "{:<44} {:<4} {:>7} {:>9} {:>7} {:>7} {:>6} {:>7}\n",
            "case", "SAs", "told", "status", "ready", "back", "clear", "before"
        );
        let vpnc = None;
        let (peers, accounted, failed) = (Peers::Unknown, 0, Vec::new());
        let began = Instant::now();
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
            pace,
            peers,
            began,
            accounted,
            table,
            failed,
        };
        this.connect()?;
        Ok(this)
    }

    /// Unencrypted packets so far.
    pub(crate) fn clear(&self) -> usize {
        let other = format!("> {OUTSIDE}:");
        let log = self.outside.log();
        log.lines().filter(|line| line.contains(" IP ") && !line.contains(&other)).count()
    }

    /// Fails unless the flow that nothing protects was seen outside between the two: the way out
    /// was there, and so was the eye.
    pub(crate) fn could_see(&self, what: &str, from: Instant, to: Instant) -> Result<()> {
        let since = |at: Instant| (SystemTime::now() - at.elapsed()).duration_since(UNIX_EPOCH);
        let (from, to) = (since(from)?.as_secs_f64(), since(to)?.as_secs_f64());
        let other = format!("> {OUTSIDE}:");
        wait::until(&format!("what nothing protects, outside, {what}"), self.patience(1), || {
            Ok(self.outside.log().lines().filter(|line| line.contains(&other)).any(|line| {
                let at = line.split(' ').next().and_then(|at| at.parse::<f64>().ok());
                at.is_some_and(|at| (from..=to).contains(&at))
            }))
        })
        .with_context(|| format!("nothing could be seen in {:.3} s", to - from))
    }

    fn patience(&self, seconds: u64) -> Duration {
        secs(seconds) * self.pace.patience
    }

    fn replies(&self, flow: usize) -> usize {
        replies(&self.flows, flow)
    }

    /// Every peer has a tunnel that carries.
    pub(crate) fn connect(&mut self) -> Result<()> {
        for leg in LEGS {
            self.net.inet.ip(&format!("link set {leg} up"))?;
        }
        self.end_client()?;
        let (spoke, branch, flows, pace) = (&self.spoke, &self.branch, &self.flows, self.pace);
        let vpnc = std::thread::scope(|scope| -> Result<Vpnc> {
            let peers = [(spoke, 0), (branch, 1)]
                .map(|(peer, flow)| scope.spawn(move || call(peer, flows, flow, pace)));
            let mut vpnc = Vpnc::start(self.lab, "vpnc", &self.net.client, &Profile::default())?;
            vpnc.wait_up()?;
            for peer in peers {
                peer.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            }
            Ok(vpnc)
        })?;
        self.vpnc = Some(vpnc);
        let before = self.replies(2);
        wait::until("the client's tunnel to carry", self.patience(15), || Ok(self.replies(2) > before))?;
        self.peers = Peers::Connected;
        Ok(())
    }

    /// The client's program ends at once: its own farewell would wait five seconds for an answer.
    pub(crate) fn end_client(&mut self) -> Result<()> {
        self.vpnc.take().map_or(Ok(()), |mut vpnc| vpnc.process().kill9())
    }

    /// No peer is reachable, and there is no SA.
    fn disconnect(&mut self) -> Result<()> {
        for leg in LEGS {
            self.net.inet.ip(&format!("link set {leg} down"))?;
        }
        self.service.exec("clear crypto sa")?;
        self.service.exec("clear crypto isakmp")?;
        self.peers = Peers::Away;
        let before = self.replies(0);
        std::thread::sleep(Duration::from_millis(200));
        ensure!(self.replies(0) == before, "the spoke answers although there is no way to it");
        Ok(())
    }

    /// Each row with SAs, then each without: no peer comes back in between, so that one delete is
    /// enough for all of them.
    pub(crate) fn both(&mut self, rows: &[Row<'_>]) -> Result<()> {
        rows.iter().try_for_each(|row| self.with(row))?;
        rows.iter().try_for_each(|row| self.without(row))
    }

    pub(crate) fn with(&mut self, row: &Row<'_>) -> Result<()> {
        let begun = Instant::now();
        let what = || format!("{}, with SAs", row.name);
        if self.peers != Peers::Connected {
            self.connect().with_context(what)?;
        }
        self.row(row, true, begun).with_context(what)
    }

    fn without(&mut self, row: &Row<'_>) -> Result<()> {
        let begun = Instant::now();
        let what = || format!("{}, without SAs", row.name);
        if self.peers != Peers::Away {
            self.disconnect().with_context(what)?;
        }
        self.row(row, false, begun).with_context(what)
    }

    fn row(&mut self, row: &Row<'_>, with: bool, begun: Instant) -> Result<()> {
        let Row { name, expect, act, check } = row;
        let (clear, pid) = (self.clear(), self.service.pid());
        if clear > self.accounted {
            self.failed.push(format!("before {name}, when SAs came or went: {}", clear - self.accounted));
        }
        let (told, within) = match expect {
            Expect::Ends { told, within, .. } => (told.as_deref(), *within * self.pace.patience),
            Expect::Stays { told } => (*told, NOTICED * self.pace.patience),
            Expect::BeginsAnew => (Some("is ready"), NOTICED * self.pace.patience),
        };
        let before = told.map_or(0, |told| self.told(told));
        let then = Instant::now();
        self.began = then;
        act(self)?;
        let acted = Instant::now();
        let mut line = format!("{name:<44} {:<4}", if with { "yes" } else { "no" });
        let after = |at: Instant| format!("{:.1} s", at.saturating_duration_since(then).as_secs_f32());
        let told_after = match told {
            Some(told) => {
                wait::until(&format!("{told:?} in the log"), within, || Ok(self.told(told) > before))?;
                after(Instant::now())
            }
            None => "-".to_owned(),
        };
        match expect {
            Expect::Ends { status, .. } => {
                // reported, then up to three seconds for deletes
                let (at, ended) = self.service.ended_since(then, within + self.patience(3))?;
                ensure!(
                    status_words(ended) == *status,
                    "it ended with {}, not {status}",
                    status_words(ended)
                );
                let ready = self.service.ready_since(then, self.patience(10))?;
                self.could_see("while the program was gone", at, ready)?;
                // if it had no time to log, systemd reports it
                let told_after = told.map_or_else(|| after(at), |_| told_after);
                let _ = write!(line, " {told_after:>7} {status:>9} {:>7}", after(ready));
            }
            Expect::Stays { .. } | Expect::BeginsAnew => {
                let _ = write!(line, " {told_after:>7} {:>9} {:>7}", "-", "-");
            }
        }
        let stays = matches!(expect, Expect::Stays { .. });
        let back = if with {
            // the hub initiates to the static branch itself; no other peer comes back before it
            // finds out that the SAs are gone
            let flows = if stays { &[0, 1, 2][..] } else { &[0] };
            let answered: Vec<usize> = flows.iter().map(|flow| self.replies(*flow)).collect();
            wait::until("the peers to answer again", self.patience(15), || {
                Ok(flows.iter().zip(&answered).all(|(flow, before)| self.replies(*flow) > before + 2))
            })?;
            if !stays {
                self.peers = Peers::Unknown;
            }
            after(Instant::now())
        } else {
            // what the LAN sends must find no way
            std::thread::sleep(Duration::from_millis(300));
            "-".to_owned()
        };
        if !matches!(expect, Expect::Ends { .. }) {
            self.could_see("after it", acted, Instant::now())?;
            ensure!(self.service.pid() == pid, "it was started anew");
        }
        if let Some(check) = check {
            check(self)?;
        }
        self.accounted = self.clear();
        let clear = self.accounted - clear;
        let made = format!("{:.1} s", (then - begun).as_secs_f32());
        let _ = writeln!(self.table, "{line} {back:>7} {clear:>6} {made:>7}");
        if clear > 0 {
            self.failed.push(format!("{name}, {} SAs: {clear}", if with { "with" } else { "without" }));
        }
        Ok(())
    }

    /// How often the log has it.
    pub(crate) fn told(&self, what: &str) -> usize {
        self.service.log().matches(what).count()
    }

    /// A file as the program sees it.
    pub(crate) fn of_the_service(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.service.pid()))
    }

    /// Prints the table; fails if a packet was unencrypted on the outside, as tshark sees it as
    /// well, or if no flow would have been unencrypted without the guard.
    pub(crate) fn finish(mut self, what: &str) -> Result<()> {
        self.end_client()?;
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

/// Lets a peer start over until its tunnel carries traffic, unless it does already: its SAs may be
/// with a hub that is gone, and both sides may initiate at the same time.
fn call(peer: &Charon, flows: &[Proc], flow: usize, pace: Pace) -> Result<()> {
    let carries = |within: Duration| {
        let before = replies(flows, flow);
        wait::until("the tunnel to carry", within * pace.patience, || Ok(replies(flows, flow) > before))
    };
    let mut last = carries(Duration::from_millis(150));
    for _ in 0..4 {
        if last.is_ok() {
            break;
        }
        let timeout = secs(8) * pace.patience;
        let _none = peer.swanctl(&["--terminate", "--ike", "hub", "--force", "--timeout", "1"], timeout);
        let limit = (4 * pace.patience).to_string();
        let called = peer.swanctl(&["--initiate", "--child", "net", "--timeout", &limit], timeout);
        last = carries(secs(3)).with_context(|| format!("{called:?}"));
    }
    last
}

/// Reports each packet of the protected networks on the outside wire at once, so that its cause is
/// known, and packets of the unprotected flow; each report starts with the time, in seconds since
/// 1970.
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
    process.wait_log("listening on", secs(30))?;
    Ok(process)
}
