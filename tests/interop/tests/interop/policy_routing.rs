//! Policy routing between two providers, one of them behind an interface with a crypto map.
//!
//! ```text
//!  lan 10.1.1.10 … .50 ── eth1 router (Hubward) eth0 ── one 198.51.100.1   lo: the same hosts,
//!                                               eth2 ── two 192.0.2.1      which answer on both sides
//! ```

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::topology::{Client, HUB_HOST, Reference, SPOKE_HOST};
use hubward_interop::wait::{self, secs};
use hubward_interop::{ping, process};

use crate::site::typed;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("each_source_leaves_by_its_next_hop", &[Need::Hubward], by_source),
    case("nothing_of_it_is_left", &[Need::Hubward], swept),
    case("the_crypto_map_comes_after_the_decision", &[Need::Hubward, Need::StrongSwan], through_the_tunnel),
];

/// Hosts on the internet.
const ANY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
/// What an entry denies.
const DENIED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 78);
/// To which the router's own packets take the other way.
const OWN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 79);
/// To which there is a route.
const ROUTED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
/// Behind the tunnel, which never comes up; the providers have it, too.
const REMOTE: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 5);

const CONFIG: &str = "\
version 15.7
hostname Router
crypto isakmp policy 10
 encr aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key Secret-Key-1 address 203.0.113.10
crypto ipsec transform-set TS esp-aes 256 esp-sha-hmac
 mode tunnel
crypto map VPN 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set TS
 match address TUNNEL
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.0
 crypto map VPN
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip policy route-map LAN
interface GigabitEthernet0/2
 ip address 192.0.2.2 255.255.255.0
ip local policy route-map OWN
ip route 0.0.0.0 0.0.0.0 198.51.100.1
ip route 203.0.113.80 255.255.255.255 198.51.100.1
ip access-list extended TUNNEL
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
access-list 10 permit 10.1.1.20
access-list 11 permit 10.1.1.30
access-list 12 permit 10.1.1.40
access-list 13 permit 10.1.1.50
access-list 101 permit ip any host 203.0.113.78
access-list 102 permit icmp any host 203.0.113.79
route-map LAN deny 5
 match ip address 101
route-map LAN permit 10
 match ip address 10
 set ip next-hop 192.0.2.1
route-map LAN permit 20
 match ip address 11
 set interface Null0
route-map LAN permit 30
 match ip address 12
 set ip default next-hop 192.0.2.1
route-map LAN permit 40
 match ip address 13
 set ip next-hop 198.51.100.1
route-map OWN permit 10
 match ip address 102
 set ip next-hop 192.0.2.1
end
";

struct Net {
    lan: Ns,
    router: Ns,
    one: Ns,
    two: Ns,
}

const fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 1, number)
}

impl Net {
    fn build(lab: &Lab) -> Result<Self> {
        let net =
            Self { lan: lab.ns("lan")?, router: lab.ns("router")?, one: lab.ns("one")?, two: lab.ns("two")? };
        net.router.cable("eth0", &net.one, "eth0")?;
        net.router.cable("eth1", &net.lan, "eth0")?;
        net.router.cable("eth2", &net.two, "eth0")?;
        for number in [10, 20, 30, 40, 50] {
            net.lan.address("eth0", &format!("{}/24", host(number)))?;
        }
        net.lan.default_route(host(1))?;
        for (provider, address, router) in
            [(&net.one, "198.51.100.1/24", "198.51.100.2"), (&net.two, "192.0.2.1/24", "192.0.2.2")]
        {
            provider.address("eth0", address)?;
            for far in [ANY, DENIED, OWN, ROUTED, REMOTE] {
                provider.address("lo", &format!("{far}/32"))?;
            }
            provider.ip(&format!("route add 10.1.1.0/24 via {router}"))?;
        }
        net.two.ip("route add 198.51.100.0/24 via 192.0.2.2")?;
        // who answers shows in the time to live
        net.two.run(&["sh", "-c", "echo 128 > /proc/sys/net/ipv4/ip_default_ttl"])?;
        Ok(net)
    }

    fn start(&self, lab: &Lab) -> Result<Hubward> {
        let mut router = Hubward::spawn_exactly(lab, "router", &self.router, CONFIG, &[])?;
        router.wait_ready()?;
        Ok(router)
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    One,
    Two,
    Nobody,
}

fn answers(from: &Ns, source: Option<Ipv4Addr>, to: Ipv4Addr) -> Result<By> {
    let mut command = from.command("ping");
    command.args(["-n", "-W", "1", "-c", "2", "-i", "0.2"]);
    if let Some(source) = source {
        command.args(["-I", &source.to_string()]);
    }
    let (_, out, _) = process::output(command.arg(to.to_string()), secs(20))?;
    let ttl = out.split("ttl=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u8>().ok());
    Ok(match ttl {
        None => By::Nobody,
        Some(..=64) => By::One,
        Some(_) => By::Two,
    })
}

fn expect(net: &Net, rows: &[(u8, Ipv4Addr, By)]) -> Result<()> {
    for (source, to, by) in rows {
        let found = answers(&net.lan, Some(host(*source)), *to)?;
        ensure!(found == *by, "from .{source} to {to}: {found:?} answers, and {by:?} should");
    }
    Ok(())
}

fn by_source(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let router = net.start(lab)?;
    let wire = Capture::named(lab, "one", &net.one, "eth0")?;
    wait::until("the first answer", secs(10), || Ok(answers(&net.lan, Some(host(10)), ANY)? == By::One))?;
    expect(
        &net,
        &[
            (20, ANY, By::Two),
            (20, DENIED, By::One),
            (30, ANY, By::Nobody),
            (30, DENIED, By::One),
            (40, ANY, By::Two),
            (40, ROUTED, By::One),
            (50, ANY, By::One),
            // the crypto map of the interface to which the decision leads sees it, and no other
            (10, REMOTE, By::Nobody),
            (50, REMOTE, By::Nobody),
            (20, REMOTE, By::Two),
            // the router itself is not routed by policy
            (30, Ipv4Addr::new(198, 51, 100, 2), By::One),
        ],
    )?;
    ensure!(answers(&net.router, None, OWN)? == By::Two, "the router's own packets");
    ensure!(answers(&net.router, None, ANY)? == By::One, "the router's other packets");
    let clear = wire.fields(&format!("ip.dst == {REMOTE} && !(icmp.type == 3)"), ["ip.src"])?;
    ensure!(clear.is_empty(), "in clear by the crypto interface: {clear:?}");

    let shown = router.exec("show route-map LAN")?;
    let counts: Vec<&str> = shown.lines().filter(|line| line.contains("Policy routing matches")).collect();
    let counted = counts.iter().map(|line| !line.contains(" 0 packets")).collect::<Vec<_>>();
    ensure!(counted == [false, true, true, true, true], "which entries counted:\n{shown}");
    let shown = router.exec("show ip policy")?;
    ensure!(shown.contains("local          OWN") && shown.contains("GigabitEthernet0/1 LAN"), "{shown}");
    for (from, to, said) in [
        (20, ANY, ["route map LAN 10", "leaves by GigabitEthernet0/2 in clear"]),
        (20, DENIED, ["route map LAN 5", "leaves by GigabitEthernet0/0 in clear"]),
        (30, ANY, ["route map LAN 20", "policy routing leads it nowhere"]),
        (40, ROUTED, ["there is a route to", "leaves by GigabitEthernet0/0 in clear"]),
        (50, REMOTE, ["route map LAN 40", "would leave by GigabitEthernet0/0, protected"]),
        (20, REMOTE, ["route map LAN 10", "leaves by GigabitEthernet0/2 in clear"]),
    ] {
        let told = router.exec(&format!("why packet {} {to} icmp", host(from)))?;
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(said.iter().all(|said| told.contains(said)), "from .{from} to {to}:\n{told}");
    }

    // a next hop that is gone leaves its packets to the routes
    net.two.ip("link set eth0 down")?;
    wait::until("the routes to decide", secs(10), || Ok(answers(&net.lan, Some(host(20)), ANY)? == By::One))?;
    expect(&net, &[(40, ANY, By::One), (30, ANY, By::Nobody)])?;
    net.two.ip("link set eth0 up")?;
    net.two.ip("route replace 10.1.1.0/24 via 192.0.2.2")?;
    wait::until("the next hop to be there again", secs(10), || {
        Ok(answers(&net.lan, Some(host(20)), ANY)? == By::Two)
    })?;

    // lines that are typed
    typed(&router, "route-map LAN permit 20\nno set interface Null0\nset ip next-hop 192.0.2.1\nexit\n")?;
    wait::until("the new decision", secs(5), || Ok(answers(&net.lan, Some(host(30)), ANY)? == By::Two))?;
    typed(&router, "interface GigabitEthernet0/1\nno ip policy route-map LAN\nexit\n")?;
    wait::until("the end of the policy", secs(5), || Ok(answers(&net.lan, Some(host(20)), ANY)? == By::One))?;
    expect(&net, &[(30, ANY, By::One), (40, ANY, By::One)])
}

/// The rules and tables of policy routing, without those of the namespace.
fn left(router: &Ns) -> Result<String> {
    let mut left = String::new();
    for line in router.ip("rule show")?.lines().filter(|line| line.contains("fwmark")) {
        let _ = writeln!(left, "{line}");
    }
    let routes = router.ip("route show table all proto 111")?;
    let own = ["table 112", "table 113", "table 114", "table 115", "table 116", "table 117"];
    for line in routes.lines().filter(|line| own.iter().any(|table| line.contains(table))) {
        let _ = writeln!(left, "{line}");
    }
    Ok(left)
}

fn swept(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let mut router = net.start(lab)?;
    wait::until("the policy", secs(10), || Ok(answers(&net.lan, Some(host(20)), ANY)? == By::Two))?;
    let before = left(&net.router)?;
    let decisions = before.lines().filter(|line| line.contains("11091:") || line.contains("11090:")).count();
    // four ways, and what the crypto map sees of one
    ensure!(decisions == 5, "{decisions} rules:\n{before}");

    router.process().kill9()?;
    ensure!(left(&net.router)?.contains("11091:"), "the kernel has forgotten");
    // another configuration does not decide so any more
    let fewer = edit(CONFIG, " set interface Null0\n", " set ip next-hop 192.0.2.1\n")?;
    let mut router = Hubward::spawn_exactly(lab, "router", &net.router, &fewer, &[])?;
    router.wait_ready()?;
    wait::until("the policy again", secs(10), || Ok(answers(&net.lan, Some(host(30)), ANY)? == By::Two))?;
    let again = left(&net.router)?;
    ensure!(!again.contains("blackhole"), "of the run that was killed:\n{again}");
    ensure!(again.lines().count() < before.lines().count(), "before:\n{before}\nafter:\n{again}");

    // what another program removes is there again
    net.router.run(&["sh", "-c", "while ip rule del prio 11091; do :; done 2> /dev/null"])?;
    net.router.ip("addr add 192.0.2.77/24 dev eth2")?;
    wait::until("the rules again", secs(10), || Ok(answers(&net.lan, Some(host(20)), ANY)? == By::Two))?;
    router.stop()?;
    let after = left(&net.router)?;
    ensure!(after.is_empty(), "left behind:\n{after}");
    Ok(())
}

/// What a decision leads to the crypto interface is protected, although the routes would drop it; and
/// what comes out of the tunnel has the policy of that interface.
fn through_the_tunnel(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    let led = host(20);
    net.hub_lan.address("eth0", &format!("{led}/23"))?;
    let lines = "\
access-list 20 permit 10.1.1.20
access-list 120 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
access-list 121 permit ip host 10.2.2.10 host 10.1.1.20
route-map IN permit 10
 match ip address 20
 set ip next-hop 10.48.67.161
route-map OUT permit 10
 match ip address 121
 set interface Null0
interface FastEthernet0/1
 ip policy route-map IN
ip route 10.2.0.0 255.255.0.0 Null0
";
    let config = edit(&hub_cfg()?, "ip classless\n", &format!("ip classless\n{lines}"))?;
    let config = edit(
        &config,
        "crypto map mymap 10 ipsec-isakmp dynamic dynmap\n",
        "crypto map mymap 10 ipsec-isakmp\n set peer 10.100.2.102\n set transform-set myset\n match address 120\n\
         crypto map mymap 60000 ipsec-isakmp dynamic dynmap\n",
    )?;
    let wire = Capture::start(lab, &net.inet, "to-hub")?;
    let hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    let replies = |from: Ipv4Addr| -> Result<u32> {
        Ok(ping::count_from(&net.hub_lan, Some(from), SPOKE_HOST, 3)?.received)
    };
    wait::until("an answer through the tunnel", secs(15), || Ok(replies(led)? == 3))?;
    let other = replies(HUB_HOST)?;
    ensure!(other == 0, "{other} answers to what the routes drop");

    typed(&hub, "interface FastEthernet0/0\nip policy route-map OUT\nexit\n")?;
    wait::until("the policy of the crypto interface", secs(5), || Ok(replies(led)? == 0))?;
    ensure!(hub.exec("show route-map OUT")?.contains(", permit, sequence 10"), "the map is shown");
    typed(&hub, "interface FastEthernet0/0\nno ip policy route-map OUT\nexit\n")?;
    wait::until("the end of it", secs(5), || Ok(replies(led)? == 3))?;
    let clear = wire.fields("ip.addr == 10.2.2.10 && !(icmp.type == 3)", ["ip.src", "ip.dst"])?;
    ensure!(clear.is_empty(), "in clear: {clear:?}");
    Ok(())
}
