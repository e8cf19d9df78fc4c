//! However Hubward ends, and whatever fails under it, nothing that its configuration protects
//! leaves unencrypted, and it comes back.
//!
//! ```text
//!  hub_lan ── hub (Hubward, as systemd runs it) ── inet ── spoke (strongSwan; static map) ── 10.2.2.2
//!                                                   ├───── branch (strongSwan; dynamic map) ── 10.3.3.2
//!                                                   └───── client (vpnc)
//! ```
//!
//! The hub's LAN sends to the branches, to the client and to an unused address of the pool, all the
//! time. Each case is tried with SAs, and without: then no peer is reachable and the SAs are
//! cleared. A table shows how long it took, and for how long SAs had existed or been absent. Only
//! the lost DHCP lease is tried once, because every SA ends with the address. Two threads exist
//! only with the kernel as data plane: they fail in the guest of the topic `kernel`.
//!
//! The hub's addresses, two default routes and its forwarding belong to the machine, so that a
//! packet finds its way out whether Hubward runs or not. A flow that nothing protects shows that:
//! it has to be seen outside in every case, and if the program ends, between its end and its
//! return. Finally the guard is removed, and then every protected flow has to be seen as well.

pub(crate) mod site;

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use hubward_interop::hubward::{binary, edit, faults_binary, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::process;
use hubward_interop::service::{Event, Service, Unit, WATCHDOG};
use hubward_interop::tmux::Terminal;
use hubward_interop::topology::{Client, HUB_ROUTER, POOL_SECOND, Reference};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};
use rustix::process::Signal;

use crate::{Case, case, openssh};
use site::{Expect, KERNEL, NOTICED, Row, Site, addressing, config, own, unit, ways_out};

const PEERS: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")];
const FAULTS: &[Need] = &[Need::Hubward, Need::HubwardFaults, Need::StrongSwan, Need::Tool("vpnc")];

const SESSIONS: &[Need] = &[
    Need::Hubward,
    Need::HubwardFaults,
    Need::StrongSwan,
    Need::Tool("vpnc"),
    Need::Tool("tmux"),
    Need::Tool("ssh"),
    Need::Tool("ssh-keygen"),
];

pub(crate) const CASES: &[Case] = &[
    case("a_lost_dhcp_lease_and_what_comes_after", PEERS, lease),
    case("a_full_disk_and_a_corrupt_state", PEERS, state),
    case("killed_stopped_restarted_upgraded", PEERS, ends),
    case("a_packet_thread_panics", FAULTS, packet_threads),
    case("a_serving_thread_panics", FAULTS, serving_threads),
    case("another_serving_thread_panics", FAULTS, more_serving_threads),
    case("a_thread_that_reads_dhcp_panics", FAULTS, dhcp_client),
    case("a_thread_hangs", FAULTS, hangs),
    case("stopped_for_good", PEERS, stopped),
    case("the_tun_is_lost", PEERS, tun),
    case("a_session_panics", SESSIONS, sessions),
    case("a_lost_default_route_and_bad_reloads", PEERS, routes_and_reloads),
    case("a_release_build_cannot_be_made_to_fail", FAULTS, release),
];

/// A fault's marker in a binary: the variable that names the folder of orders.
const MARKER: &[u8] = b"HUBWARD_INJECT_FAULTS";
/// What the log says when the state cannot be written.
const NOT_KEPT: &str = "leases would not outlive a restart";
/// What it says when that is over.
const KEPT: &str = "leases are saved again";

/// Of this signal, which leaves no time for a word, or by what was asked for.
fn ends_with(status: &'static str) -> Expect {
    Expect::Ends { status, told: None, within: NOTICED }
}

/// A package's new file takes the old one's place.
fn upgrade(program: &Path) -> Result<()> {
    let new = program.with_extension("new");
    std::fs::copy(program, &new)?;
    Ok(std::fs::rename(&new, program)?)
}

/// Fails unless the program that runs is the one that is installed.
fn runs(site: &Site<'_>, program: &Path) -> Result<()> {
    let runs = std::fs::metadata(format!("/proc/{}/exe", site.service.pid()))?.ino();
    ensure!(runs == std::fs::metadata(program)?.ino(), "the old program runs");
    Ok(())
}

/// `kill -9`, SIGTERM and a start, SIGSTOP for a while, `reload`, and an upgrade.
fn ends(lab: &Lab) -> Result<()> {
    let program = lab.dir().join("hubward-program");
    std::fs::copy(binary()?, &program)?;
    let mut site = Site::build(lab, &unit(&program, config()?), own)?;
    site.both(&[
        Row::new("SIGSTOP for 3 s", Expect::Stays { told: None }, |site| {
            let stopped = Instant::now();
            site.service.signal(Signal::STOP)?;
            std::thread::sleep(secs(3));
            site.could_see("while it stood still", stopped + secs(1), Instant::now())?;
            site.service.signal(Signal::CONT)
        }),
        Row::new("kill -9", ends_with("signal 9"), |site| site.service.signal(Signal::KILL)),
        Row::new("SIGTERM, started again", ends_with("0"), |site| site.service.restart()),
        Row::new("upgrade of the program, restart", ends_with("0"), |site| {
            upgrade(&program)?;
            site.service.restart()
        })
        .check(|site| runs(site, &program)),
        Row::new("reload, the command", Expect::BeginsAnew, |site| site.service.exec("reload").map(drop)),
        Row::new("reload, after an upgrade", Expect::BeginsAnew, |site| {
            upgrade(&program)?;
            site.service.exec("reload").map(drop)
        })
        .check(|site| runs(site, &program)),
    ])?;
    site.finish("killed, stopped, restarted")
}

/// SIGSTOP for good, which only systemd's watchdog can end.
fn stopped(lab: &Lab) -> Result<()> {
    let mut site = Site::build(lab, &unit(&binary()?, config()?), own)?;
    let bites = Expect::Ends { status: "signal 6", told: None, within: WATCHDOG };
    let stop = Row::new("SIGSTOP for good", bites, |site| site.service.signal(Signal::STOP));
    site.both(&[stop.check(|site| {
        // it was fed last before it was stopped; to be ready counts
        let events = site.service.since(site.began - secs(2));
        let bitten = events.iter().rfind(|(_, event)| matches!(event, Event::Bitten)).map(|(at, _)| *at);
        let bitten = bitten.filter(|at| *at > site.began).context("the watchdog did not bite")?;
        let fed =
            |(at, event): &&(Instant, Event)| matches!(event, Event::Fed | Event::Ready) && *at < bitten;
        let last = events.iter().rfind(fed).map(|(at, _)| *at).context("it was never fed")?;
        ensure!(bitten - last >= WATCHDOG, "it was ended although it was fed");
        Ok(())
    })])?;
    site.finish("stopped for good")
}

/// Panics of threads that the program cannot do without.
fn panics(lab: &Lab, config: String, threads: &[&str]) -> Result<()> {
    let mut site = Site::build(lab, &unit(&faults_binary()?, config), own)?;
    let rows: Vec<Row<'_>> = threads.iter().map(|thread| Row::panics(thread)).collect();
    site.both(&rows)?;
    site.finish("panics of threads")
}

/// The threads that carry packets and IKE.
fn packet_threads(lab: &Lab) -> Result<()> {
    panics(lab, config()?, &["esp-out", "gateway", "esp-in", "isakmp"])
}

/// Threads beside them.
fn serving_threads(lab: &Lab) -> Result<()> {
    panics(lab, config()?, &["signals", "aaa", "log", "leases", "files"])
}

/// The other threads beside them.
fn more_serving_threads(lab: &Lab) -> Result<()> {
    let pool = "ip dhcp pool lan\n network 10.1.0.0 255.255.254.0\n!\n";
    let config = edit(&config()?, "ip local pool", &format!("{pool}ip local pool"))?;
    panics(lab, config, &["ssh", "dhcp", "exec", "store", "supervisor"])
}

/// The threads that are there only where the kernel carries the packets, in the guest of the topic
/// `kernel`.
pub(crate) fn beside_the_kernel(lab: &Lab) -> Result<()> {
    let mut unit = unit(&faults_binary()?, config()?);
    unit.arguments.extend(["--dataplane", "kernel"].map(str::to_owned));
    let mut site = Site::paced(lab, &unit, KERNEL, own)?;
    let brief = site.service.exec("show crypto engine brief")?;
    ensure!(brief.contains("kernel (xfrm)"), "another data plane: {brief}");
    site.both(&[
        Row::panics("isakmp-natt"),
        Row::panics("xfrm"),
        Row::new("kill -9", ends_with("signal 9"), |site| site.service.signal(Signal::KILL)),
    ])?;
    site.finish("threads beside the kernel")
}

/// Threads that serve one person: what they serve ends, and nothing else. Somebody is at a console
/// all the time.
fn sessions(lab: &Lab) -> Result<()> {
    const WORKS: &str = "Current privilege level is 15";
    let home = lab.subdir("keys")?;
    let (key, blob) = openssh::key(&home, "ed25519", &["ed25519"])?;
    let admin = "username admin privilege 15 secret 5 $1$hwrd$WA/ZyrqT9ksAusKpfUWFF/\naaa new-model\n";
    let chain = format!("ip ssh pubkey-chain\n username admin\n{}!\n", openssh::key_string(&blob));
    let mut text = config()?;
    for (from, to) in [
        ("no logging on\n", "logging buffered 65536 informational\n"),
        ("aaa new-model\n", admin),
        ("no ip http server\n", &format!("no ip http server\n{chain}")),
        ("  password 7 121A0C041104\n", "  login local\n  transport input ssh\n"),
    ] {
        text = edit(&text, from, to)?;
    }
    let mut unit = unit(&faults_binary()?, text);
    unit.arguments.extend(["--ssh", "10.1.1.1:22"].map(str::to_owned));
    let mut site = Site::build(lab, &unit, own)?;
    let mut command = Command::new(binary()?);
    command.arg("console").arg("--socket").arg(site.service.socket());
    let other = Terminal::start(lab, "terminal", &command, 100, 24)?;
    other.until_last("Hub#", secs(10))?;
    let goes_on = |_: &Site<'_>| {
        other.clear()?;
        other.line("show privilege")?;
        wait::until("an answer at the other console", secs(5), || Ok(other.screen()?.contains(WORKS)))
    };
    let ssh = |site: &Site<'_>| -> Result<String> {
        let whom = ["admin@10.1.1.1", "show privilege"];
        openssh::client(&site.net.hub_lan, "ssh", &home, &key, &whom).map(|(_, out, _)| out)
    };
    let by_ssh = |order: &'static str| {
        move |site: &Site<'_>| -> Result<()> {
            site.service.order(order)?;
            let out = ssh(site)?;
            ensure!(!out.contains(WORKS), "{order}, and the session has answered: {out}");
            ensure!(ssh(site)?.contains(WORKS), "the next session does not answer");
            Ok(())
        }
    };
    let told = |told| Expect::Stays { told: Some(told) };
    site.both(&[
        Row::new("panic in a command", told("%HUBWARD-3-SESSION: the thread command panicked"), |site| {
            site.service.order("panic-command")?;
            ensure!(site.service.exec("show version").is_err(), "a command that panicked has answered");
            site.service.exec("show version").map(drop)
        })
        .check(goes_on),
        Row::new("panic in a console", told("%HUBWARD-3-SESSION: the thread console panicked"), |site| {
            site.service.order("panic-console")?;
            let shown = site.service.console_for("show privilege\n", 1)?;
            ensure!(!shown.contains(WORKS), "a console that panicked has answered: {shown}");
            let shown = site.service.console_for("show privilege\n", 1)?;
            ensure!(shown.contains(WORKS), "the next console does not answer: {shown}");
            Ok(())
        })
        .check(goes_on),
        Row::new("panic in a monitor", told("%HUBWARD-3-SESSION: the thread monitor panicked"), |site| {
            // what the log says at the end of a configuration
            let told = "%SYS-5-CONFIG_I";
            let typed = "terminal monitor\nconfigure terminal\nend\nshow privilege\n";
            site.service.order("panic-monitor")?;
            let shown = site.service.console_for(typed, 1)?;
            ensure!(shown.contains(WORKS), "its session has ended with it: {shown}");
            ensure!(!shown.contains(told), "a monitor that panicked tells: {shown}");
            let shown = site.service.console_for(typed, 1)?;
            ensure!(shown.contains(told), "the next monitor tells nothing: {shown}");
            Ok(())
        })
        .check(goes_on),
        Row::new("panic in a vty", told("%HUBWARD-3-SESSION: the thread vty panicked"), by_ssh("panic-vty"))
            .check(goes_on),
        Row::new(
            "panic in an SSH connection",
            told("%HUBWARD-3-SESSION: an SSH connection from"),
            by_ssh("panic-connection"),
        )
        .check(goes_on),
    ])?;
    site.finish("panics of threads that serve one person")
}

/// The TUN is deleted or set down: it is back at once, and no tunnel is made anew.
fn tun(lab: &Lab) -> Result<()> {
    let mut site = Site::build(lab, &unit(&binary()?, config()?), own)?;
    site.both(&[
        Row::new("ip link del hubward0", Expect::Stays { told: Some("hubward0 is gone") }, |site| {
            site.net.hub.ip("link del hubward0").map(drop)
        }),
        Row::new(
            "ip link set hubward0 down",
            Expect::Stays { told: Some("has set hubward0 down") },
            |site| site.net.hub.ip("link set hubward0 down").map(drop),
        ),
    ])?;
    site.finish("the TUN")
}

/// A thread hangs, which the program notices itself before the watchdog does.
fn hangs(lab: &Lab) -> Result<()> {
    let mut site = Site::build(lab, &unit(&faults_binary()?, config()?), own)?;
    let rows = ["gateway", "esp-in"].map(|thread| {
        let (order, told) = (format!("hang-{thread}"), format!("the thread {thread} has not moved for"));
        let hangs = Expect::Ends { status: "70", told: Some(told), within: WATCHDOG };
        Row::new(format!("{thread} hangs"), hangs, move |site| site.service.order(&order)).check(|site| {
            let events = site.service.since(site.began);
            ensure!(!events.iter().any(|(_, event)| matches!(event, Event::Bitten)), "systemd had to end it");
            Ok(())
        })
    });
    site.both(&rows)?;
    site.finish("threads that hang")
}

/// What mends the state folder.
type Mend<'a> = &'a dyn Fn(&Site<'_>) -> Result<()>;

/// Leases are not kept, until what keeps them from it is mended.
fn keeps_again(site: &Site<'_>, mend: impl Fn(&Site<'_>) -> Result<()>) -> Result<()> {
    let before = site.told(KEPT);
    let not_yet = || Ok(site.told(KEPT) == before);
    wait::holds("that leases are not kept", Duration::from_millis(500), not_yet)?;
    mend(site)?;
    wait::until(&format!("{KEPT:?} in the log"), secs(20), || Ok(site.told(KEPT) > before))?;
    let size = std::fs::metadata(site.of_the_service("/var/lib/hubward/leases.redb"))?.len();
    ensure!(size > 0, "the log says that {KEPT}, and there is nothing");
    Ok(())
}

/// The state folder is on a small disk that fills up, or is full or read-only, and its content is
/// not a database.
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
    // the next run reports what is wrong with the state
    let killed = |told: Option<&str>| {
        let told = told.map(str::to_owned);
        Expect::Ends { status: "signal 9", told, within: secs(5) }
    };
    let kill = |site: &Site<'_>| site.service.signal(Signal::KILL);
    let fill = |site: &Site<'_>| -> Result<()> {
        let disk = site.of_the_service("/var/lib/fill");
        // as much as there is room for
        let _full = std::fs::write(&disk, vec![0; 4 << 20]);
        ensure!(std::fs::write(disk.with_extension("more"), [0; 8192]).is_err(), "the disk is not full");
        Ok(())
    };
    let free = |site: &Site<'_>| Ok(std::fs::remove_file(site.of_the_service("/var/lib/fill"))?);
    site.both(&[Row::new("the disk gets full", Expect::Stays { told: None }, fill)])?;
    // a new client gets an address; it is stored if the database has room, and otherwise the log
    // says that it cannot be
    let full = SystemTime::now();
    site.net.inet.ip("link set to-client up")?;
    site.end_client()?;
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
        site.both(&[Row::new(format!("started with a state that is {name}"), killed(told), kill)])?;
        site.connect()?;
    }
    std::fs::remove_file(kept.join("leases.redb"))?;
    let writable = |site: &Site<'_>| -> Result<()> {
        let mut mount = Command::new("nsenter");
        mount.args(["-m", "-t", &site.service.pid().to_string(), "mount", "-o", "remount,rw", "/var/lib"]);
        process::run(&mut mount, secs(5)).map(drop)
    };
    let cases: [(_, _, Mend<'_>); 2] = [
        ("on a full disk", "head -c 4M /dev/zero > /var/lib/fill", &free),
        ("read-only", "mount -o remount,ro /var/lib", &writable),
    ];
    for (name, disk, mend) in cases {
        std::fs::write(site.service.dir().join("disk"), format!("{disk}\n"))?;
        let name = format!("started with a state that is {name}");
        site.both(&[Row::new(name, killed(Some(NOT_KEPT)), kill)])?;
        site.connect()?;
        keeps_again(&site, mend)?;
    }
    site.finish("the state")
}

/// The uplink is lost and comes back; a reload that is refused.
fn routes_and_reloads(lab: &Lab) -> Result<()> {
    let config = config()?;
    let mut site = Site::build(lab, &unit(&binary()?, config.clone()), own)?;
    let dangling = edit(&config, " set isakmp-profile L2L\n match", " set isakmp-profile NOBODY\n match")?;
    let unenforced = edit(&config, "  crypto map mymap\n", "  crypto map mymap\n  ip inspect FW in\n")?;
    let syntax = edit(&config, "ip route 0.0.0.0 0.0.0.0 10.48.66.181", "ip route 0.0.0.0 0.0.0.0")?;
    let prose = "Dear colleague,\nthe configuration of the hub follows tomorrow.\n".to_owned();
    let stays = || Expect::Stays { told: Some("the old configuration stays") };
    let mut rows = vec![
        Row::new("ip route del default", Expect::Stays { told: None }, |site| {
            site.net.hub.ip("route del default").map(drop)
        }),
        Row::new("the outside link is down for 2 s", Expect::Stays { told: None }, |site| {
            site.net.hub.ip("link set eth0 down")?;
            std::thread::sleep(secs(2));
            site.net.hub.ip("link set eth0 up")?;
            ways_out(&site.net.hub)
        }),
    ];
    rows.extend(
        [
            ("reload: a line is wrong", syntax),
            ("reload: a profile is missing", dangling),
            ("reload: a line is not enforced", unenforced),
            ("reload: prose", prose),
            ("reload: nothing", String::new()),
        ]
        .map(|(name, text)| Row::new(name, stays(), move |site| site.service.reload(&text))),
    );
    rows.push(Row::new("reload: the file is missing", stays(), |site| {
        std::fs::remove_file(site.service.dir().join("hubward.cfg"))?;
        site.service.signal(Signal::HUP)
    }));
    site.both(&rows)?;
    site.finish("routes and reloads")
}

/// A hub whose outside address comes by DHCP (Hubward sets it, and the route that comes with it),
/// and another Hubward that leases it for a minute.
fn by_dhcp(program: &Path) -> Result<(Unit, Unit)> {
    let lending = "hostname isp\nip dhcp excluded-address 10.48.67.160 10.48.67.180\nip dhcp pool hub\n \
                   network 10.48.67.160 255.255.255.224\n default-router 10.48.67.161\n lease 0 0 1\n\
                   interface FastEthernet0/0\n ip address 10.48.67.161 255.255.255.224\n";
    let arguments = ["--map", "FastEthernet0/0=to-hub"].map(str::to_owned).to_vec();
    let lender = Unit { program: binary()?, config: lending.to_owned(), arguments, before: String::new() };
    let config = edit(&config()?, "ip address 10.48.67.181 255.255.255.224", "ip address dhcp")?;
    let config = edit(&config, "ip route 0.0.0.0 0.0.0.0 10.48.66.181\n", "")?;
    Ok((addressing(program, config), lender))
}

/// An address of the machine's own that keeps another way out when the leased one goes.
const OTHER_ADDRESS: &str = "172.16.9.2/24 dev eth0";

/// The machine has another way out by the same link.
fn other_way(net: &Reference) -> Result<()> {
    net.hub.ip(&format!("addr add {OTHER_ADDRESS}"))?;
    net.hub.ip(&format!("route add default via {HUB_ROUTER} dev eth0 onlink metric 700")).map(drop)
}

/// The thread that reads the packets of an interface with `ip address dhcp`: the program is started
/// again, and gets the address that it had.
fn dhcp_client(lab: &Lab) -> Result<()> {
    let (hub, lender) = by_dhcp(&faults_binary()?)?;
    let net = Reference::build(lab, Client::Direct)?;
    let _lends = Service::start(lab, "isp", &net.inet, &lender)?;
    net.hub.address("eth1", "10.1.1.1/23")?;
    let service = Service::start(lab, "hub", &net.hub, &hub)?;
    let leased = |times| move |log: &str| log.matches("assigned DHCP address 10.48.67.181").count() == times;
    wait::until("a lease", secs(20), || Ok(leased(1)(&service.log())))?;
    let then = Instant::now();
    service.order("panic-dhcp-client")?;
    wait::until("the lease of before", secs(30), || Ok(leased(2)(&service.log())))?;
    let log = service.log();
    for told in
        ["%HUBWARD-2-FAULT: the thread dhcp-client panicked", "asks for 10.48.67.181, which it had before"]
    {
        ensure!(log.matches(told).count() == 1, "{told:?} is not in the log once:\n{log}");
    }
    let ended = service.since(then).into_iter().filter(|(_, event)| matches!(event, Event::Ended(_))).count();
    ensure!(ended == 1, "it has ended {ended} times");
    Ok(())
}

/// The outside address comes by DHCP from another Hubward that dies.
fn lease(lab: &Lab) -> Result<()> {
    const MINUTE: Duration = secs(60);
    let (hub, lender) = by_dhcp(&binary()?)?;
    let mut running = None;
    let prepare = |net: &Reference| -> Result<()> {
        running = Some(Service::start(lab, "isp", &net.inet, &lender)?);
        net.hub.address("eth1", "10.1.1.1/23")?;
        Ok(())
    };
    let mut site = Site::build(lab, &hub, prepare)?;
    let told = "lost its DHCP address";
    other_way(&site.net)?;
    // a provider that is gone
    drop(running);
    let then = Instant::now();
    wait::until("the lease to end", MINUTE + secs(10), || Ok(site.service.log().contains(told)))?;
    let lost = then.elapsed();
    // the LAN keeps sending
    let gone = Instant::now();
    std::thread::sleep(secs(2));
    site.could_see("without the lease", gone, Instant::now())?;
    let clear = site.clear();
    let _ = writeln!(site.table, "the lease is lost after {:.0} s; in clear: {clear}", lost.as_secs_f32());
    ensure!(clear == 0, "{clear} packets in clear when the lease was lost");
    // with its address the route goes, too
    site.net.hub.ip(&format!("addr del {OTHER_ADDRESS}"))?;
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

/// The program that is delivered does not know what the test build obeys; the test build shows that
/// looking for it finds it.
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
