//! What Hubward does to its machine: routes that lead nowhere, shut interfaces, network cards, a
//! state folder that fails.
//!
//! ```text
//!  hub_lan ── eth1 hub (Hubward) eth0 ── inet ── spoke (strongSwan) ── spoke_lan
//!                                          └ lo: addresses that answer whatever reaches them in clear
//! ```

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::process;
use hubward_interop::topology::{Client, HUB_HOST, Reference, SPOKE_HOST};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("no_route_by_an_absent_interface_leaks", &[Need::Hubward], absent),
    case("null0_drops_before_the_crypto_map", &[Need::Hubward, Need::StrongSwan], null_routes),
    case("a_shut_interface_forwards_nothing_and_comes_back", &[Need::Hubward], shut),
    case("with_a_map_no_other_card_is_taken", &[Need::Hubward], cards),
    case("a_full_or_read_only_disk_stops_nothing", &[Need::Hubward, Need::Tool("vpnc")], full_disk),
    case("broken_state_is_moved_aside", &[Need::Hubward, Need::Tool("vpnc")], broken_state),
    case("a_wildcard_peer_gets_nothing_of_the_hubs", &[Need::Hubward, Need::StrongSwan], greedy),
];

/// A host in a network that only the default route leads to.
const REACHED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The reference network with hosts on the internet that answer unencrypted packets.
fn network(lab: &Lab, hosts: &[Ipv4Addr]) -> Result<Reference> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    for host in hosts {
        net.inet.address("lo", &format!("{host}/32"))?;
    }
    net.inet.ip("route add 10.1.0.0/23 via 10.48.67.181")?;
    Ok(net)
}

fn with_lines(lines: &str) -> Result<String> {
    edit(&hub_cfg()?, "ip classless\n", &format!("ip classless\n{lines}"))
}

fn reload(hub: &Hubward, config: &str) -> Result<()> {
    let before = hub.log().matches("was read again").count();
    hub.reload("hub", config)?;
    wait::until("the configuration to be read again", secs(10), || {
        Ok(hub.log().matches("was read again").count() == before + 1)
    })
}

fn typed(hub: &Hubward, lines: &str) -> Result<()> {
    let said = hub.console(&format!("enable\nconfigure terminal\n{lines}end\nexit\n"))?;
    if said.contains('%') {
        bail!("the console refuses {lines:?}:\n{said}");
    }
    Ok(())
}

fn absent(lab: &Lab) -> Result<()> {
    let closed: Vec<_> = (0..5).map(|n| Ipv4Addr::new(10, 78, n, 1)).collect();
    let net = network(lab, &[closed.as_slice(), &[REACHED]].concat())?;
    let config = with_lines(
        "interface BVI1\n ip address 10.255.7.1 255.255.255.252\nip classless\n\
         ip route 10.78.0.0 255.255.255.0 Dialer1\n\
         ip route 10.78.1.0 255.255.255.0 BVI1 10.255.7.2\n\
         ip route 10.78.2.0 255.255.255.0 10.255.7.2\n\
         ip route 10.99.0.0 255.255.0.0 FastEthernet3/0\n\
         ip route 10.78.3.0 255.255.255.0 10.99.0.9\n\
         ip route 10.78.4.0 255.255.255.0 Dialer1\n\
         ip route 10.78.4.0 255.255.255.0 10.48.66.181 200\n",
    )?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    ping::until_answered(&net.hub_lan, REACHED, secs(10))?;
    for host in &closed {
        ping::unanswered(&net.hub_lan, *host, 2)?;
        let kernel = net.hub.ip(&format!("route show table main match {host} metric 1"))?;
        assert!(kernel.contains("unreachable 10.78."), "{host}: {kernel}");
    }
    let shown = hub.exec("show ip route")?;
    for line in [
        "10.78.0.0/24 is unreachable here, Dialer1",
        "10.78.2.0/24 is unreachable here, BVI1",
        "10.78.3.0/24 is unreachable here, FastEthernet3/0",
    ] {
        assert!(shown.contains(line), "no {line:?} in\n{shown}");
    }
    // reported once, whatever is typed
    typed(&hub, "ip route 10.66.0.0 255.255.0.0 10.1.1.9\n")?;
    typed(&hub, "no ip route 10.66.0.0 255.255.0.0 10.1.1.9\n")?;
    assert_eq!(hub.log().matches("10.78.0.0/24 [1] is unreachable here").count(), 1);
    // the line is removed, and with it the route that replaced it
    typed(&hub, "no ip route 10.78.0.0 255.255.255.0 Dialer1\n")?;
    ping::until_answered(&net.hub_lan, closed[0], secs(5))?;
    hub.stop()?;
    let left = net.hub.ip("route show table main")?;
    assert!(!left.contains("unreachable"), "{left}");
    Ok(())
}

fn null_routes(lab: &Lab) -> Result<()> {
    let net = network(lab, &[])?;
    let with = |reverse: &str, routes: &str| -> Result<String> {
        let config = with_lines(&format!(
            "access-list 120 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\nip classless\n{routes}"
        ))?;
        edit(
            &config,
            "crypto map mymap 10 ipsec-isakmp dynamic dynmap\n",
            &format!(
                "crypto map mymap 10 ipsec-isakmp\n set peer 10.100.2.102\n set transform-set myset\n match address 120\n\
                 {reverse}crypto map mymap 60000 ipsec-isakmp dynamic dynmap\n"
            ),
        )
    };
    const NULL: &str = "ip route 10.2.0.0 255.254.0.0 Null0 250\n";
    let mut hub = Hubward::start(lab, "hub", &net.hub, &with("", "")?)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    let up = || -> Result<()> {
        spoke.terminate("hub").ok();
        spoke.initiate("net").map(drop)
    };
    up()?;
    ping::until_answered(&net.hub_lan, SPOKE_HOST, secs(10))?;
    // the SA is there, and the packets never meet it
    reload(&hub, &with("", NULL)?)?;
    ping::unanswered(&net.hub_lan, SPOKE_HOST, 3)?;
    // for a part of the network, before the default route
    reload(&hub, &with("", "ip route 10.2.2.0 255.255.255.0 Null0\n")?)?;
    ping::unanswered(&net.hub_lan, SPOKE_HOST, 3)?;
    // while an SA is up
    reload(&hub, &with(" reverse-route\n", NULL)?)?;
    ping::unanswered(&net.hub_lan, SPOKE_HOST, 2)?;
    up()?;
    ping::until_answered(&net.hub_lan, SPOKE_HOST, secs(10))?;
    // always: a packet makes the hub initiate to the spoke
    spoke.terminate("hub")?;
    reload(&hub, &with(" reverse-route static\n", NULL)?)?;
    ping::until_answered(&net.hub_lan, SPOKE_HOST, secs(15))?;
    // but not past what is more specific
    reload(
        &hub,
        &with(" reverse-route static\n", &format!("{NULL}ip route 10.2.2.0 255.255.255.0 Null0\n"))?,
    )?;
    ping::unanswered(&net.hub_lan, SPOKE_HOST, 3)?;
    hub.stop()
}

fn is_up(ns: &Ns, link: &str) -> Result<bool> {
    Ok(ns.ip(&format!("-o link show {link}"))?.contains(",UP"))
}

fn shut(lab: &Lab) -> Result<()> {
    let net = network(lab, &[REACHED])?;
    net.hub_lan.address("lo", "10.66.0.1/32")?;
    net.inet.address("lo", "10.66.0.1/32")?;
    let config = with_lines(
        "ip route 10.66.0.0 255.255.0.0 10.1.1.10\nip route 10.66.0.0 255.255.0.0 10.48.66.181 200\n",
    )?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    ping::until_answered(&net.hub_lan, REACHED, secs(10))?;
    let route = |wanted: &str| {
        wait::until(&format!("the route {wanted}"), secs(10), || {
            Ok(net.hub.ip("route get 10.66.0.1")?.contains(wanted))
        })
    };
    route("via 10.1.1.10")?;

    typed(&hub, "interface FastEthernet0/1\nshutdown\n")?;
    assert!(!is_up(&net.hub, "eth1")?, "the link is still up");
    ping::unanswered(&net.hub_lan, REACHED, 2)?;
    ping::unanswered(&net.inet, Ipv4Addr::new(10, 1, 1, 1), 2)?;
    // as on IOS the route by it goes, and the next best counts
    route("via 10.48.66.181")?;
    let brief = hub.exec("show ip interface brief")?;
    let line = brief.lines().find(|line| line.contains("FastEthernet0/1")).unwrap_or_default();
    assert!(line.contains("10.1.1.1 ") && line.contains("administratively down"), "{brief}");
    let running = hub.exec("show running-config")?;
    assert!(running.contains("ip address 10.1.1.1 255.255.254.0"), "{running}");
    assert!(!hub.exec("show ip route")?.contains("10.1.0.0/23"), "the network is not connected");

    typed(&hub, "interface FastEthernet0/1\nno shutdown\n")?;
    ping::until_answered(&net.hub_lan, REACHED, secs(10))?;
    route("via 10.1.1.10")?;

    // killed while it is shut, started with it shut: it never comes up; at the end it is as it was
    typed(&hub, "interface FastEthernet0/1\nshutdown\n")?;
    hub.process().kill9()?;
    drop(hub);
    assert!(!is_up(&net.hub, "eth1")?);
    let shut =
        edit(&config, "  description Inside interface\n", "  description Inside interface\n  shutdown\n")?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &shut)?;
    assert!(!is_up(&net.hub, "eth1")?, "mapped by name, and shut from the start");
    ping::unanswered(&net.hub_lan, REACHED, 2)?;
    hub.stop()?;
    assert!(is_up(&net.hub, "eth1")?, "it was up before Hubward");
    // a link that nothing maps must not be touched
    net.hub.cable("eth2", &net.inet, "spare")?;
    let spare = "interface FastEthernet1/0\n ip address 10.9.9.1 255.255.255.0\n shutdown\nip classless\n";
    let mut hub = Hubward::start(lab, "hub", &net.hub, &with_lines(spare)?)?;
    assert!(is_up(&net.hub, "eth2")?);
    hub.stop()
}

fn cards(lab: &Lab) -> Result<()> {
    let net = network(lab, &[])?;
    net.hub.cable("eth2", &net.inet, "management")?;
    let config = with_lines(
        "interface FastEthernet1/0\n ip address 10.9.9.1 255.255.255.0\n\
         interface FastEthernet0/1.20\n ip address 10.9.20.1 255.255.255.0\n\
         interface Vlan1\n ip address 10.9.1.1 255.255.255.0\nip classless\n",
    )?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    for line in ["ip route 10.66.0.0 255.255.0.0 10.1.1.9\n", "ip route 10.67.0.0 255.255.0.0 10.1.1.9\n"] {
        typed(&hub, line)?;
    }
    let addresses = net.hub.ip("-4 -o addr show eth2")?;
    assert_eq!(addresses, "", "the card is taken");
    for name in ["FastEthernet1/0", "FastEthernet0/1.20", "Vlan1"] {
        let told = hub.log().matches(&format!("{name} has no interface of this machine")).count();
        assert_eq!(told, 1, "{name}:\n{}", hub.log());
    }
    hub.stop()
}

/// A small disk of its own for a Hubward's `/var/lib`; gone at the end.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    pub(crate) fn mount(folder: &Path, options: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "hubward-test"]).arg(folder);
        process::run(&mut mount, secs(10))?;
        Ok(Self(folder.to_owned()))
    }

    pub(crate) fn remount(&self, options: &str) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        process::run(&mut mount, secs(10)).map(drop)
    }

    /// Writes a file until nothing more fits.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("fill");
        let mut file = std::fs::File::create(&path)?;
        for piece in [&[1; 65_536][..], &[1; 512]] {
            while std::io::Write::write_all(&mut file, piece).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        let _ = process::run(umount.arg("-l").arg(&self.0), secs(10));
    }
}

fn wait_log(hub: &Hubward, text: &str) -> Result<()> {
    wait::until(&format!("{text:?} in the log"), secs(20), || Ok(hub.log().contains(text)))
}

/// What a client's lease is in the pool: it has to be the same after a restart.
fn leased(scene_client: &Ns, lab: &Lab, name: &str) -> Result<Ipv4Addr> {
    let mut vpnc = Vpnc::start(lab, name, scene_client, &Profile::default())?;
    let env = vpnc.wait_up()?;
    ping::until_answered(scene_client, HUB_HOST, secs(15))?;
    Vpnc::address(&env)
}

fn full_disk(lab: &Lab) -> Result<()> {
    let net = network(lab, &[])?;
    let disk = SmallDisk::mount(&lab.dir().join("hub").join("varlib"), "size=8m,mode=755")?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let fill = disk.fill()?;
    // a lease grows the database: the client gets in all the same
    typed(&hub, "ip route 10.66.0.0 255.255.0.0 10.1.1.9\n")?;
    let address = leased(&net.client, lab, "vpnc-full")?;
    std::fs::remove_file(fill)?;
    // if it was noticed, it is over within the time of a retry
    if hub.log().contains("leases would not outlive a restart") {
        wait_log(&hub, "leases are saved again")?;
    }
    hub.stop()?;
    drop(hub);
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    assert_eq!(leased(&net.client, lab, "vpnc-again")?, address);
    hub.stop()?;
    drop(hub);
    // full before it starts
    std::fs::remove_dir_all(disk.0.join("hubward"))?;
    let fill = disk.fill()?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    wait_log(&hub, "leases would not outlive a restart")?;
    hub.expect_log(&["No space left on device"])?;
    let address = leased(&net.client, lab, "vpnc-third")?;
    std::fs::remove_file(fill)?;
    wait_log(&hub, "leases are saved again")?;
    hub.stop()?;
    drop(hub);
    // read-only: what was kept is known, and the client has its address again
    disk.remount("ro")?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    wait_log(&hub, "leases would not outlive a restart")?;
    hub.expect_log(&["Read-only file system"])?;
    assert_eq!(leased(&net.client, lab, "vpnc-fourth")?, address);
    hub.stop()
}

fn broken_state(lab: &Lab) -> Result<()> {
    let net = network(lab, &[])?;
    let state = lab.dir().join("hub").join("varlib").join("hubward");
    std::fs::create_dir_all(&state)?;
    for (name, bytes) in [
        ("leases.redb", &b"\xff\xfeno database"[..]),
        ("made", b"\0\0\xff"),
        ("ssh_host_ed25519_key", b"-----BEGIN OPENSSH"),
    ] {
        std::fs::write(state.join(name), bytes)?;
    }
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let aside = || -> Result<Vec<String>> {
        let names = std::fs::read_dir(&state)?.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.collect::<std::io::Result<Vec<_>>>()?;
        Ok(names
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|n| n.contains(".broken-"))
            .collect())
    };
    assert_eq!(aside()?.len(), 3, "{:?}\n{}", aside()?, hub.log());
    for name in ["leases.redb.broken-", "made.broken-", "ssh_host_ed25519_key.broken-"] {
        hub.expect_log(&["ERROR", name])?;
    }
    let address = leased(&net.client, lab, "vpnc")?;
    hub.process().kill9()?;
    drop(hub);
    // cut in the middle by a power failure
    let database = std::fs::read(state.join("leases.redb"))?;
    std::fs::write(state.join("leases.redb"), database.get(..database.len() / 3).unwrap_or_default())?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    assert_eq!(aside()?.len(), 4, "{:?}\n{}", aside()?, hub.log());
    hub.stop()?;
    drop(hub);
    // and where the whole folder is a file
    std::fs::remove_dir_all(&state)?;
    std::fs::write(&state, "a file")?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    hub.expect_log(&["ERROR", "/var/lib/hubward is not a folder"])?;
    assert_eq!(leased(&net.client, lab, "vpnc-memory")?, address, "the first of the pool");
    hub.stop()?;
    assert_eq!(std::fs::read_to_string(&state)?, "a file");
    Ok(())
}

fn greedy(lab: &Lab) -> Result<()> {
    let net = network(lab, &[])?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    for (number, (side, what)) in [
        ("0.0.0.0/0", "all addresses"),
        ("10.1.1.10/32", "a network connected to this gateway"),
        ("10.48.66.181/32", "a next hop of this gateway"),
        ("10.5.5.0/24", "an address pool of the configuration"),
        ("127.0.0.0/8", "addresses that no network has"),
    ]
    .into_iter()
    .enumerate()
    {
        let spoke = Spoke { local_net: side.into(), ..Spoke::default() };
        let spoke = Charon::start(lab, &format!("s{number}"), &net.spoke, Build::Machine, &spoke.conf())?;
        spoke.initiate_fails("net", secs(8))?;
        hub.expect_log(&[what])?;
        let why = hub.exec("why")?;
        assert!(why.contains("as its proxy identity") && why.contains(what), "{why}");
    }
    let spoke = Charon::start(lab, "honest", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(10))?;
    hub.stop()
}
