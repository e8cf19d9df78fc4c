//! What the configuration protects does not leave unencrypted, however Hubward ends, until an
//! operator releases it.
//!
//! ```text
//!  hub_lan ── hub (forwards, has its addresses and routes of its own) ── to-hub inet ── spoke (strongSwan), client (Hubward)
//!  10.1.1.10                                                           capture
//! ```
//!
//! The hub's addresses, its default route and its forwarding are the machine's, so that every
//! packet that the guard does not keep in is seen outside. Each test ends by seeing just that.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Result, bail};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Client as HubwardClient, Hubward, MAP, binary, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, Reference, SPOKE_HOST};
use hubward_interop::wait::{self, secs};

use crate::machine::SmallDisk;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("static_map_dynamic_list_and_pool_stay_in_until_release", &[Need::Hubward], lists),
    case("a_granted_network_stays_in_until_it_is_cleared", &[Need::Hubward, Need::StrongSwan], granted),
    case(
        "a_grant_of_the_last_moment_before_kill_9_stays_in",
        &[Need::Hubward, Need::StrongSwan],
        last_moment,
    ),
    case("the_boot_guard_needs_no_interfaces_and_guards_what_is_refused", &[Need::Hubward], boot),
    case("a_guard_that_another_program_removed_is_set_again", &[Need::Hubward], flushed),
    case("a_reload_guards_what_is_new_and_frees_what_is_gone", &[Need::Hubward], reload),
    case("without_the_packet_filter_it_starts_only_when_told_so", &[Need::Hubward], unusable),
    case("ctrl_c_at_a_terminal_releases_and_says_so", &[Need::Hubward, Need::Tool("script")], terminal),
    case("forwarding_that_was_off_is_off_again", &[Need::Hubward], forwarding),
    case("the_client_keeps_in_what_it_was_told_to", &[Need::Hubward], client),
];

/// Behind a static entry.
const STATIC: Ipv4Addr = Ipv4Addr::new(10, 4, 4, 10);
/// Behind an entry of the dynamic map with an access list.
const DYNAMIC: Ipv4Addr = Ipv4Addr::new(10, 6, 6, 10);
/// The machine's own addresses are used.
const OWN: &[&str] = &["--no-addresses"];

/// The reference hub, and two entries with access lists.
fn protecting() -> Result<String> {
    let text = edit(
        &hub_cfg()?,
        "crypto map mymap 10 ",
        "\
crypto dynamic-map dynmap 3
  set transform-set myset
  set isakmp-profile L2L
  match address 106
crypto map mymap 5 ipsec-isakmp
  set peer 10.51.82.200
  set transform-set myset
  match address 104
crypto map mymap 10 ",
    )?;
    edit(
        &text,
        "call rsvp-sync\n",
        "\
access-list 104 permit ip 10.1.0.0 0.0.255.255 10.4.0.0 0.0.255.255
access-list 106 permit ip 10.1.0.0 0.0.255.255 10.6.0.0 0.0.255.255
",
    )
}

/// The network, with a capture of the hub's outside wire.
struct Stage {
    net: Reference,
    capture: Capture,
}

impl Stage {
    fn new(lab: &Lab) -> Result<Self> {
        let net = Reference::build(lab, Client::Direct)?;
        net.address_hub()?;
        net.address_spoke()?;
        // a host of the LAN that no access list selects
        net.hub.address("eth1", "192.168.9.1/24")?;
        net.hub_lan.address("eth0", "192.168.9.10/24")?;
        let capture = Capture::start(lab, &net.inet, "to-hub")?;
        // a capture of nothing cannot be read
        ping::answered(&net.inet, HUB, 1)?;
        Ok(Self { net, capture })
    }

    /// How many packets to an address were seen unencrypted outside.
    fn seen(&self, to: Ipv4Addr) -> Result<usize> {
        // what tcpdump has in its hands
        std::thread::sleep(Duration::from_millis(300));
        Ok(self.capture.read()?.frames.iter().filter(|frame| frame.destination == Some(to)).count())
    }

    fn send(&self, from: Option<&str>, to: Ipv4Addr) -> Result<usize> {
        let before = self.seen(to)?;
        let from = from.map(str::parse).transpose()?;
        ping::count_from(&self.net.hub_lan, from, to, 3)?;
        Ok(self.seen(to)? - before)
    }

    fn stays_in(&self, when: &str, to: &[Ipv4Addr]) -> Result<()> {
        for to in to {
            let seen = self.send(None, *to)?;
            if seen > 0 {
                bail!("{when}: {seen} of 3 packets to {to} left in clear");
            }
        }
        Ok(())
    }

    /// What nothing protects passes: the lack of clear text is not that of packets.
    fn others_pass(&self, when: &str) -> Result<()> {
        for (from, to) in [(None, CLIENT), (Some("192.168.9.10"), STATIC)] {
            let seen = self.send(from, to)?;
            if seen != 3 {
                bail!("{when}: {seen} of 3 packets from {from:?} to {to} passed, which nothing protects");
            }
        }
        Ok(())
    }

    fn leaves(&self, when: &str, to: &[Ipv4Addr]) -> Result<()> {
        for to in to {
            let seen = self.send(None, *to)?;
            if seen != 3 {
                bail!("{when}: {seen} of 3 packets to {to} left; what kept them in before?");
            }
        }
        Ok(())
    }
}

fn start(lab: &Lab, stage: &Stage, config: &str) -> Result<Hubward> {
    // the outside address exists and the inside one does not, which does not matter here
    Hubward::start_with(lab, "hub", &stage.net.hub, config, OWN)
}

fn filters(ns: &Ns) -> Result<String> {
    ns.run(&["nft", "list", "ruleset"])
}

fn lists(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let config = protecting()?;
    let protected = [STATIC, DYNAMIC, POOL_FIRST];
    let mut hub = start(lab, &stage, &config)?;
    stage.stays_in("no tunnel is there", &protected)?;
    stage.others_pass("no tunnel is there")?;
    hub.exec("clear crypto sa")?;
    stage.stays_in("after clear crypto sa", &protected)?;
    stage.net.hub.ip("link del hubward0")?;
    stage.stays_in("without the TUN", &protected)?;
    hub.process().kill9()?;
    stage.stays_in("after kill -9", &protected)?;
    stage.others_pass("after kill -9")?;
    let guard = filters(&stage.net.hub)?;

    let mut hub = start(lab, &stage, &config)?;
    stage.stays_in("started again", &protected)?;
    let shown = hub.exec("show crypto guard")?;
    for line in [
        "ip 10.1.0.0/16 to 10.4.0.0/16 by FastEthernet0/0 (mymap 5, access list 104)",
        "(dynmap 3, access list 106)",
    ] {
        assert!(shown.contains(line), "no {line} in\n{shown}");
    }
    let dropped = |line: &str| {
        shown.lines().find(|l| l.contains(line)).map(|l| !l.starts_with("0 ")).unwrap_or_default()
    };
    assert!(dropped("access list 104") && dropped("pool ippool"), "the count began anew:\n{shown}");
    let release = Hubward::release(lab, "hub", &stage.net.hub);
    assert!(release.is_err_and(|error| format!("{error:#}").contains("stop it first")));
    let elsewhere = lab.dir().join("nobody-listens.sock");
    let release = Hubward::release_at(lab, "hub", &stage.net.hub, &elsewhere);
    assert!(release.is_err_and(|error| format!("{error:#}").contains("is running as process")));
    hub.stop()?;
    stage.stays_in("after SIGTERM", &protected)?;
    stage.others_pass("after SIGTERM")?;
    assert_eq!(filters(&stage.net.hub)?.matches(" drop ").count(), guard.matches(" drop ").count());

    let text = Hubward::release(lab, "hub", &stage.net.hub)?;
    for line in ["10.1.0.0/16 to 10.4.0.0/16", "10.1.0.0/16 to 10.6.0.0/16", "any to 10.5.5.1-10.5.5.254"] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    stage.leaves("released", &protected)?;
    let again = Hubward::release(lab, "hub", &stage.net.hub)?;
    assert!(again.contains("There is no guard"), "{again}");
    assert_eq!(filters(&stage.net.hub)?, "");
    Ok(())
}

fn tunnel(lab: &Lab, stage: &Stage) -> Result<Charon> {
    let spoke = Charon::start(lab, "spoke", &stage.net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::answered(&stage.net.hub_lan, SPOKE_HOST, 3)?;
    Ok(spoke)
}

fn granted(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let config = hub_cfg()?;
    let mut hub = start(lab, &stage, &config)?;
    let spoke = tunnel(lab, &stage)?;
    let shown = hub.wait_show("show crypto guard", "10.2.0.0/16", secs(3))?;
    assert!(shown.contains("10.100.2.102"), "{shown}");
    hub.exec("clear crypto sa")?;
    drop(spoke);
    stage.stays_in("after clear crypto sa", &[SPOKE_HOST])?;
    stage.others_pass("after clear crypto sa")?;
    hub.process().kill9()?;
    stage.stays_in("after kill -9", &[SPOKE_HOST])?;
    // a refused start, and a file that is not a configuration, leave what was there
    let refused = edit(&config, "  crypto map mymap\n", "  ip inspect FW in\n  crypto map mymap\n")?;
    let prose = "Dear colleague,\nthe configuration of the hub follows tomorrow.\n";
    for text in [refused.as_str(), prose] {
        let (status, out, err) =
            Hubward::once(lab, "hub", &stage.net.hub, text, "run", &[&MAP[..], OWN].concat())?;
        assert!(!status.success(), "{status}\n{out}{err}");
        stage.stays_in("after a start that was refused", &[SPOKE_HOST, POOL_FIRST])?;
    }
    let (status, ..) = Hubward::once(lab, "hub", &stage.net.hub, prose, "guard", &MAP)?;
    assert!(!status.success());
    stage.stays_in("after a guard of prose", &[SPOKE_HOST, POOL_FIRST])?;
    let mut hub = start(lab, &stage, &config)?;
    stage.stays_in("started again", &[SPOKE_HOST])?;
    hub.stop()?;
    stage.stays_in("after SIGTERM", &[SPOKE_HOST])?;
    let hub = start(lab, &stage, &config)?;
    let told = hub.exec("clear crypto guard 10.2.0.0/16")?;
    assert!(told.contains("1 granted network is no longer guarded"), "{told}");
    let shown = hub.exec("show crypto guard")?;
    assert!(!shown.contains("10.2.0.0/16"), "{shown}");
    stage.leaves("cleared", &[SPOKE_HOST])?;
    Ok(())
}

fn last_moment(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let config = hub_cfg()?;
    // if the end came before it was written to the disk, only the kernel's table has the grant
    let disk = SmallDisk::mount(&lab.dir().join("hub").join("varlib"), "size=1m,mode=755")?;
    disk.remount("ro")?;
    let mut hub = start(lab, &stage, &config)?;
    hub.expect_log(&["leases would not outlive a restart", "Read-only file system"])?;
    let spoke = Charon::start(lab, "spoke", &stage.net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    // both ends have the SAs
    ping::answered(&stage.net.hub_lan, SPOKE_HOST, 1)?;
    hub.process().kill9()?;
    drop(spoke);
    assert_eq!(std::fs::read_dir(&disk.0)?.count(), 0, "the disk knows something");
    stage.stays_in("killed at once", &[SPOKE_HOST])?;
    stage.others_pass("killed at once")?;
    let mut hub = start(lab, &stage, &config)?;
    let shown = hub.exec("show crypto guard")?;
    assert!(shown.contains("10.2.0.0/16"), "not taken from the kernel's table:\n{shown}");
    stage.stays_in("started again", &[SPOKE_HOST])?;
    hub.stop()?;
    assert_eq!(std::fs::read_dir(&disk.0)?.count(), 0, "the disk knows something");
    stage.stays_in("and stopped", &[SPOKE_HOST])?;
    Hubward::release(lab, "hub", &stage.net.hub)?;
    stage.leaves("released", &[SPOKE_HOST])
}

fn boot(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let hub_ns = &stage.net.hub;
    // it does not start: its filter is not enforced
    let refused = edit(
        &protecting()?,
        "  crypto map mymap\n!\ninterface",
        "  ip inspect FW in\n  crypto map mymap\n!\ninterface",
    )?;
    let protected = [STATIC, DYNAMIC, POOL_FIRST];
    stage.leaves("before", &protected)?;
    hub_ns.ip("link set eth0 down")?;
    hub_ns.ip("link set eth0 name eth9")?;
    let (status, out, err) = Hubward::once(lab, "hub", hub_ns, &refused, "guard", &MAP)?;
    assert!(status.success() && out.contains("The guard is in place"), "{status}\n{out}{err}");
    hub_ns.ip("link set eth9 name eth0")?;
    hub_ns.ip("link set eth0 up")?;
    hub_ns.default_route(hubward_interop::topology::HUB_ROUTER)?;
    stage.stays_in("guarded", &protected)?;
    stage.others_pass("guarded")?;
    let (status, _, err) = Hubward::once(lab, "hub", hub_ns, &refused, "run", &[&MAP[..], OWN].concat())?;
    assert!(!status.success(), "{status}\n{err}");
    stage.stays_in("after a start that was refused", &protected)?;
    // what a run used is remembered: without --map the guard is the same one
    let mut hub = start(lab, &stage, &protecting()?)?;
    hub.stop()?;
    Hubward::release(lab, "hub", hub_ns)?;
    let (status, out, err) = Hubward::once(lab, "hub", hub_ns, &protecting()?, "guard", &[])?;
    assert!(status.success(), "{status}\n{out}{err}");
    stage.stays_in("guarded by remembered names", &protected)?;
    Hubward::release(lab, "hub", hub_ns)?;
    stage.leaves("released", &protected)?;
    // a start that waits for a link of the inside protects the outside meanwhile
    hub_ns.ip("link set eth1 name eth9")?;
    let asked = [&MAP[..], OWN, &["--guard"]].concat();
    let (status, out, err) = Hubward::once(lab, "hub", hub_ns, &protecting()?, "run", &asked)?;
    assert_eq!(status.code(), Some(75), "{out}{err}");
    assert!(filters(hub_ns)?.contains("hubward_guard"), "{out}{err}");
    Hubward::release(lab, "hub", hub_ns).map(drop)
}

fn flushed(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let hub = start(lab, &stage, &protecting()?)?;
    stage.net.hub.run(&["nft", "flush", "ruleset"])?;
    wait::until("the guard to be back", secs(5), || Ok(filters(&stage.net.hub)?.contains("hubward_guard")))?;
    hub.expect_log(&["another program removed the guard"])
}

fn reload(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let with = protecting()?;
    let without = edit(
        &with,
        "access-list 104 permit ip 10.1.0.0 0.0.255.255 10.4.0.0 0.0.255.255\n",
        "access-list 104 permit ip 10.1.0.0 0.0.255.255 10.8.0.0 0.0.255.255\n",
    )?;
    let hub = start(lab, &stage, &without)?;
    stage.stays_in("as started", &[DYNAMIC])?;
    stage.leaves("as started", &[STATIC])?;
    hub.reload("hub", &with)?;
    wait::until("the reload", secs(5), || Ok(hub.exec("show crypto guard")?.contains("10.4.0.0/16")))?;
    stage.stays_in("after a reload", &[STATIC, DYNAMIC])?;
    stage.leaves("after a reload", &[Ipv4Addr::new(10, 8, 8, 8)])
}

fn unusable(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    // the table of that name is another program's own, as long as that runs
    let mut holder = stage.net.hub.command("sh");
    let hold = "{ echo 'add table ip hubward_guard { flags owner; }'; sleep 1000; } | nft -i";
    let _holder = lab.spawn("holder", holder.args(["-c", hold]))?;
    wait::until("the other program", secs(5), || Ok(filters(&stage.net.hub)?.contains("hubward_guard")))?;
    let config = protecting()?;
    let (status, _, err) =
        Hubward::once(lab, "hub", &stage.net.hub, &config, "run", &[&MAP[..], OWN].concat())?;
    assert!(!status.success() && err.contains("--allow-unenforced guard"), "{status}\n{err}");
    let told = [OWN, &["--allow-unenforced", "guard"]].concat();
    let hub = Hubward::start_with(lab, "hub", &stage.net.hub, &config, &told)?;
    let shown = hub.exec("show crypto guard")?;
    assert!(shown.starts_with("Guard: none (") && !shown.contains("access list"), "{shown}");
    hub.expect_log(&["there is no guard"])
}

fn terminal(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let config = lab.dir().join("terminal.cfg");
    std::fs::write(&config, protecting()?)?;
    let state = lab.dir().join("terminal");
    let socket = lab.dir().join("terminal.sock");
    for (options, released) in [("--guard", false), ("", true)] {
        let line = format!(
            "exec {} run {} {} --no-addresses {options} --state {} --socket {}",
            binary()?.display(),
            config.display(),
            MAP.join(" "),
            state.display(),
            socket.display(),
        );
        let file = lab.dir().join("line.sh");
        std::fs::write(&file, format!("echo $$ > {}\n{line}\n", lab.dir().join("pid").display()))?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700))?;
        let mut command = stage.net.hub.command("script");
        command.args(["-qefc", &format!("sh {}", file.display()), "/dev/null"]);
        let mut run = lab.spawn(&format!("terminal{options}"), &command)?;
        run.wait_log("is ready", secs(20))?;
        let pid = std::fs::read_to_string(lab.dir().join("pid"))?;
        stage.net.hub.run(&["kill", "-INT", pid.trim()])?;
        run.wait_exit(secs(10))?;
        let told = run.log().contains("The guard is removed");
        assert_eq!(told, released, "{}", run.log());
        match released {
            false => stage.stays_in("ended by Ctrl-C with --guard", &[STATIC])?,
            true => stage.leaves("ended by Ctrl-C", &[STATIC])?,
        }
    }
    Ok(())
}

fn forwarding(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let switch = || {
        Ok::<_, anyhow::Error>(stage.net.hub.run(&["sysctl", "-n", "net.ipv4.ip_forward"])?.trim().to_owned())
    };
    stage.net.hub.run(&["sysctl", "-qw", "net.ipv4.ip_forward=0"])?;
    let mut hub = start(lab, &stage, &protecting()?)?;
    assert_eq!(switch()?, "1");
    hub.process().kill9()?;
    let mut hub = start(lab, &stage, &protecting()?)?;
    assert_eq!(switch()?, "1");
    hub.stop()?;
    assert_eq!(switch()?, "0", "it was off before Hubward");
    // and one that was on stays on
    stage.net.hub.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
    let mut hub = start(lab, &stage, &protecting()?)?;
    hub.stop()?;
    assert_eq!(switch()?, "1");
    Ok(())
}

const CONNECT: [&str; 12] = [
    "--gateway",
    "10.48.67.181",
    "--group",
    "testgroup",
    "--group-password-file",
    "group",
    "--user",
    "gfullage",
    "--password-file",
    "password",
    "--network",
    "10.1.0.0/16",
];
const FILES: [(&str, &str); 2] = [("group", "cisco321\n"), ("password", "gfullage\n")];

fn client(lab: &Lab) -> Result<()> {
    let stage = Stage::new(lab)?;
    let _hub = start(lab, &stage, &hub_cfg()?)?;
    let outside = Capture::start(lab, &stage.net.inet, "to-client")?;
    let seen = || -> Result<usize> {
        std::thread::sleep(Duration::from_millis(300));
        Ok(outside.read()?.frames.iter().filter(|frame| frame.destination == Some(HUB_HOST)).count())
    };
    let arguments = [&CONNECT[..], &["--guard"]].concat();
    let mut guarded = HubwardClient::start(lab, "guarded", &stage.net.client, &arguments, &FILES)?;
    ping::until_answered(&stage.net.client, HUB_HOST, secs(20))?;
    let before = seen()?;
    guarded.process.kill9()?;
    ping::unanswered(&stage.net.client, HUB_HOST, 3)?;
    assert_eq!(seen()?, before, "left in clear after kill -9");
    // another network, and the gateway, are reached
    ping::answered(&stage.net.client, HUB, 2)?;
    let mut again = HubwardClient::start(lab, "again", &stage.net.client, &arguments, &FILES)?;
    ping::until_answered(&stage.net.client, HUB_HOST, secs(40))?;
    again.process.terminate(secs(10))?;
    assert!(again.process.log().contains("hubward release"), "{}", again.process.log());
    ping::count(&stage.net.client, HUB_HOST, 3)?;
    assert_eq!(seen()?, before, "left in clear after SIGTERM");
    let told = Hubward::release(lab, "guarded", &stage.net.client)?;
    assert!(told.contains("10.1.0.0/16"), "{told}");
    ping::count(&stage.net.client, HUB_HOST, 3)?;
    assert_eq!(seen()?, before + 3, "released");
    // without the option there is none
    let mut plain = HubwardClient::start(lab, "plain", &stage.net.client, &CONNECT, &FILES)?;
    ping::until_answered(&stage.net.client, HUB_HOST, secs(40))?;
    plain.process.terminate(secs(10))?;
    assert_eq!(filters(&stage.net.client)?, "");
    Ok(())
}
