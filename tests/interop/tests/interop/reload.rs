//! SIGHUP: what a new configuration changes is changed, and a tunnel that it does not change loses
//! no packet.
//!
//! ```text
//!  hub_lan ── eth1 hub (Hubward) eth0 ── inet ── spoke (strongSwan) ── spoke_lan
//!                      eth2                └──── client (strongSwan, a second spoke)
//!                        └── eth0 extra (Hubward as DHCP client, then dnsmasq)
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, bail};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB_HOST, Reference};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "changes_what_changed_and_nothing_else",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("dnsmasq")],
        changes,
    ),
    case("many_under_traffic_lose_nothing", &[Need::Hubward, Need::StrongSwan], many),
    case("configure_replace_leaves_exactly_the_file", &[Need::Hubward, Need::StrongSwan], replaced),
    case("routes_of_the_machine_do_not_win_in_silence", &[Need::Hubward], foreign_routes),
];

/// The position of the third interface in the hub's configuration.
const THIRD: &str = "interface FastEthernet1/0\n no ip address\n";
/// Its Linux name.
const MAP: &[&str] = &["--map", "FastEthernet1/0=eth2"];

fn wait_reloads(hub: &Hubward, count: usize) -> Result<()> {
    wait::until("the configuration to be read again", secs(10), || {
        Ok(hub.log().matches("was read again").count() == count)
    })
}

fn expect(ns: &Ns, question: &str, needle: &str, there: bool) -> Result<()> {
    wait::until(&format!("{needle:?} there={there} in `ip {question}`"), secs(15), || {
        Ok(ns.ip(question)?.contains(needle) == there)
    })
}

fn changes(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    let extra = lab.ns("extra")?;
    net.hub.cable("eth2", &extra, "eth0")?;
    // the DHCP client in `extra` wants an inside interface too
    extra.cable("eth1", &net.inet, "to-extra")?;
    let base = edit(&hub_cfg()?, "ip local pool ippool", &format!("{THIRD}!\nip local pool ippool"))?;
    let mut hub = Hubward::start_with(lab, "hub", &net.hub, &base, MAP)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(10))?;
    let second = Spoke { local: CLIENT, local_net: "10.3.0.0/16".into(), ..Spoke::default() };
    net.client.address("lo", "10.3.3.2/24")?;
    let second = Charon::start(lab, "second", &net.client, Build::Machine, &second.conf())?;
    second.initiate("net")?;
    let traffic = ping::Running::start(lab, "ping", &net.spoke_lan, HUB_HOST)?;

    // an address and a DHCP server, before everything else, so that every line has another number
    let addressed = edit(&base, THIRD, "interface FastEthernet1/0\n ip address 10.9.9.1 255.255.255.0\n")?;
    let pool = "ip dhcp excluded-address 10.9.9.1 10.9.9.9\nip dhcp pool extra\n network 10.9.9.0 255.255.255.0\n!\n";
    hub.reload("hub", &format!("{pool}{addressed}"))?;
    wait_reloads(&hub, 1)?;
    let branch = "interface FastEthernet0/0\n ip address dhcp\ninterface FastEthernet0/1\n no ip address\n";
    let mut client = Hubward::start(lab, "extra", &extra, branch)?;
    client.wait_show("show ip interface FastEthernet0/0", "10.9.9.10", secs(15))?;
    client.stop()?;

    // the pool goes
    hub.reload("hub", &addressed)?;
    wait_reloads(&hub, 2)?;
    hub.expect_log(&["10.9.9.0/24", "no longer"])?;

    // a DHCP client in the place of the address
    extra.address("eth0", "10.9.9.2/24")?;
    let leased = Ipv4Addr::new(10, 9, 9, 50);
    let dhcp = Dnsmasq::start(lab, "dnsmasq", &extra, "eth0", leased, Ipv4Addr::new(10, 9, 9, 2), 3600)?;
    hub.reload("hub", &edit(&base, THIRD, "interface FastEthernet1/0\n ip address dhcp\n")?)?;
    wait_reloads(&hub, 3)?;
    expect(&net.hub, "addr show eth2", "10.9.9.1/24", false)?;
    expect(&net.hub, "addr show eth2", "10.9.9.50/24", true)?;

    // and back, with a route and a user
    let routed = edit(
        &addressed,
        "ip classless\n",
        "username another password 0 x\nip classless\nip route 10.77.0.0 255.255.0.0 10.9.9.2\n",
    )?;
    hub.reload("hub", &routed)?;
    wait_reloads(&hub, 4)?;
    expect(&net.hub, "addr show eth2", "10.9.9.50/24", false)?;
    expect(&net.hub, "addr show eth2", "10.9.9.1/24", true)?;
    expect(&net.hub, "route show", "10.77.0.0/16 via 10.9.9.2", true)?;
    if !dhcp.process.log().contains("DHCPRELEASE") {
        bail!("the lease was not given back");
    }

    // what cannot be used changes nothing
    for (broken, named) in [
        (
            edit(&routed, "ip route 10.77.0.0 255.255.0.0 10.9.9.2", "ip route 10.78.0.0 255.255.0.0")?,
            "ip route",
        ),
        (edit(&routed, "interface FastEthernet1/0", "interface FastEthernet2/0")?, "cannot be removed"),
        (String::new(), "cannot be removed"),
    ] {
        let before = hub.log().matches("the old configuration stays").count();
        hub.reload("hub", &broken)?;
        wait::until("the refusal", secs(10), || {
            Ok(hub.log().matches("the old configuration stays").count() == before + 1)
        })?;
        hub.expect_log(&["the old configuration stays", named])?;
        expect(&net.hub, "route show", "10.77.0.0/16 via 10.9.9.2", true)?;
    }

    // interfaces above all others, and gone again: the numbers of the others do not depend on their
    // places
    let loopback = "interface Loopback0\n no ip address\n!\n";
    let below = "interface Loopback7\n no ip address\n!\nip local pool ippool";
    hub.reload("hub", &format!("{loopback}{}", edit(&routed, "ip local pool ippool", below)?))?;
    wait_reloads(&hub, 5)?;
    hub.reload("hub", &routed)?;
    wait_reloads(&hub, 6)?;

    // another key for the second spoke ends its tunnel and no other
    let rekeyed = edit(
        &routed,
        "  pre-shared-key address 0.0.0.0 0.0.0.0 key cisco123\n",
        "  pre-shared-key address 0.0.0.0 0.0.0.0 key cisco123\n  \
         pre-shared-key address 10.51.82.100 255.255.255.255 key other\n",
    )?;
    let shown = hub.exec("show crypto isakmp sa")?;
    if !shown.contains("10.51.82.100") {
        bail!("the second spoke has no tunnel:\n{shown}");
    }
    hub.reload("hub", &rekeyed)?;
    wait_reloads(&hub, 7)?;
    wait::until("the second spoke's SA to end", secs(10), || {
        let shown = hub.exec("show crypto isakmp sa")?;
        Ok(!shown.lines().any(|line| line.contains("10.51.82.100") && line.contains("ACTIVE")))
    })?;
    traffic.lost_nothing(20)?;
    hub.stop()
}

/// What a configuration may have besides the base, each where it stands.
const ADDITIONS: &[(&str, &str)] = &[
    ("ip classless\n", "ip route 10.77.0.0 255.255.0.0 10.1.1.9\n"),
    ("ip classless\n", "ip route 10.78.0.0 255.255.0.0 Null0\n"),
    ("ip classless\n", "username somebody password 0 secret\n"),
    ("ip local pool ippool", "interface Loopback9\n ip address 10.99.0.1 255.255.255.0\n!\n"),
    ("ip local pool ippool", "crypto isakmp policy 77\n encr aes\n authentication pre-share\n group 14\n!\n"),
    ("ip local pool ippool", "crypto isakmp key other address 203.0.113.9\n"),
    ("ip local pool ippool", "ip access-list extended UNUSED\n permit ip host 10.1.1.7 any\n!\n"),
];

/// Many reloads with changes by chance, each tenth of which is refused: whoever is not
/// concerned loses no packet and keeps its SAs.
fn many(lab: &Lab) -> Result<()> {
    const RELOADS: u32 = 120;
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    let base = hub_cfg()?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &base)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(10))?;
    let spis = || -> Result<Vec<String>> {
        let shown = hub.exec("show crypto ipsec sa")?;
        Ok(shown.lines().filter(|line| line.contains("spi: ")).map(str::to_owned).collect())
    };
    let before = spis()?;
    let traffic = ping::Running::every(lab, "ping", &net.spoke_lan, HUB_HOST, Duration::from_millis(4))?;
    let mut chance = 2026_u32;
    let (mut taken, mut refused) = (0, 0);
    for number in 1..=RELOADS {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut text = base.clone();
        for (place, (before, addition)) in ADDITIONS.iter().enumerate() {
            if chance >> (16 + place) & 1 == 1 {
                text = edit(&text, before, &format!("{addition}{before}"))?;
            }
        }
        if number % 10 == 0 {
            // without an interface that is there
            text = edit(&text, "interface FastEthernet0/1\n", "interface FastEthernet7/1\n")?;
            refused += 1;
        } else {
            taken += 1;
        }
        hub.reload("hub", &text)?;
        wait::until("the reload", secs(10), || {
            let log = hub.log();
            let is = |text: &str, times: usize| log.matches(text).count() == times;
            Ok(is("was read again", taken) && is("the old configuration stays", refused))
        })?;
    }
    traffic.lost_nothing(1000)?;
    assert_eq!(spis()?, before, "the same SAs");
    hub.stop()
}

/// `configure replace` to another configuration and back, with a tunnel that both have: what runs is
/// exactly the file each time, and the tunnel loses no packet. A configuration without the tunnel and
/// without the inside interface ends both, and back again both work.
fn replaced(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let charon = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let hub = &scene.hub;
    let file = |name: &str| hub.socket().with_file_name(name);
    let base = hub_cfg()?;
    let mut other = base.clone();
    for (place, lines) in ADDITIONS {
        other = edit(&other, place, &format!("{lines}{place}"))?;
    }
    let other = edit(&other, "hostname Hub\n", "hostname Other\n")?;
    let small =
        "hostname Small\n!\ninterface FastEthernet0/0\n ip address 10.48.67.181 255.255.255.224\n!\nend\n";
    for (name, text) in [("base.cfg", base.as_str()), ("other.cfg", &other), ("small.cfg", small)] {
        std::fs::write(file(name), text)?;
    }
    let replace = |name: &str| -> Result<()> {
        let told = hub.exec(&format!("configure replace flash:{name} force"))?;
        assert!(told.contains("Rollback Done"), "{told}");
        hub.exec("copy running-config flash:now.cfg")?;
        let (running, wanted) =
            (std::fs::read_to_string(file("now.cfg"))?, std::fs::read_to_string(file(name))?);
        assert_eq!(running, wanted, "what runs is not {name}");
        Ok(())
    };
    let traffic = ping::Running::start(lab, "ping", &scene.net.spoke_lan, HUB_HOST)?;
    for name in ["other.cfg", "base.cfg", "other.cfg", "base.cfg"] {
        replace(name)?;
        std::thread::sleep(secs(1));
    }
    traffic.lost_nothing(20)?;

    // an interface that a configuration does not name any more has no address, and is down
    replace("small.cfg")?;
    expect(&scene.net.hub, "addr show eth1", "10.1.1.1/23", false)?;
    expect(&scene.net.hub, "link show eth1", "state DOWN", true)?;
    let shown = hub.exec("show crypto ipsec sa")?;
    assert!(!shown.contains("10.2.2.0"), "{shown}");
    replace("base.cfg")?;
    expect(&scene.net.hub, "addr show eth1", "10.1.1.1/23", true)?;
    // the hub has nothing of the branch any more, and the branch does not know
    charon.terminate("hub")?;
    charon.initiate("net")?;
    ping::until_answered(&scene.net.spoke_lan, HUB_HOST, secs(15))
}

/// A default route of the machine with metric 0 gives way to one of the configuration, and is back
/// afterwards; if it does not give way, that is reported.
fn foreign_routes(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.hub.address("eth0", "10.48.67.181/27")?;
    net.hub.ip("route add default via 10.48.67.170")?;
    // the reference hub's next hop is in no network: it must not remove the machine's default route
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    hub.expect_log(&["0.0.0.0/0 via 10.48.66.181", "is not used", "10.48.67.170"])?;
    let shown = hub.exec("show ip route")?;
    assert!(shown.contains("is not used"), "{shown}");
    assert!(!shown.contains("via 10.48.66.181, "), "{shown}");
    // a next hop that is there wins; the one with distance 200 floats below it
    let better = edit(
        &hub_cfg()?,
        "ip route 0.0.0.0 0.0.0.0 10.48.66.181\n",
        "ip route 0.0.0.0 0.0.0.0 10.1.1.10 200\nip route 0.0.0.0 0.0.0.0 10.48.67.161\n",
    )?;
    hub.reload("hub", &better)?;
    wait_reloads(&hub, 1)?;
    expect(&net.hub, "route get 192.0.2.1", "via 10.48.67.161", true)?;
    let shown = hub.exec("show ip route")?;
    assert!(shown.contains("0.0.0.0/0 [1/0] via 10.48.67.161, FastEthernet0/0"), "{shown}");
    assert!(!shown.contains("10.1.1.10"), "a floating route is shown only when it is used:\n{shown}");
    // the link of the best one goes down: IOS would use the floating one, and so do we once the
    // machine's own is gone
    net.hub.ip("route del default via 10.48.67.170")?;
    net.inet.ip("link set to-hub down")?;
    expect(&net.hub, "route get 192.0.2.1", "via 10.1.1.10", true)?;
    net.inet.ip("link set to-hub up")?;
    expect(&net.hub, "route get 192.0.2.1", "via 10.48.67.161", true)?;
    net.hub.ip("route append default via 10.48.67.170 metric 50")?;
    let mut hub = hub;
    hub.stop()?;
    expect(&net.hub, "route get 192.0.2.1", "via 10.48.67.170", true)
}
