//! What goes through the TUN, in the network of [`crate::headquarters`]: what a crypto access list
//! may select, as it comes or as it is translated, and nothing else. The rest stays in the kernel.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, binary};
use hubward_interop::inject::datagrams;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens};
use hubward_interop::wait::secs;

use crate::headquarters::{DMZ_HOST, HQ_HOST, MUNICH_HOST, Net, both_ways, munich};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[case(
    "clear_traffic_that_no_tunnel_can_want_does_not_see_the_tun",
    &[Need::Hubward, Need::StrongSwan],
    unwanted,
)];

/// The address by which the web server of the DMZ is reached from outside.
const WEB: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// A host of the DMZ that the branch sees as one of the LAN.
const MOVED: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 20);
const AS_IN_LAN: Ipv4Addr = Ipv4Addr::new(10, 1, 77, 20);
/// The router's address in the LAN.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
const HTTP: u16 = 80;

const CONFIG: &str = "hostname HQ
crypto isakmp policy 10
 encr aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key St4tic-Munich-Key address 203.0.113.10
crypto ipsec transform-set AES esp-aes 256 esp-sha-hmac
crypto map CM 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set AES
 set pfs group14
 match address TO-MUNICH
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.248
 ip nat outside
 crypto map CM
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface GigabitEthernet0/2
 ip address 172.16.10.1 255.255.255.0
 ip nat inside
ip nat inside source list TO-INTERNET interface GigabitEthernet0/0 overload
ip nat inside source static tcp 172.16.10.10 80 198.51.100.3 80
ip nat inside source static 172.16.10.20 10.1.77.20
ip route 0.0.0.0 0.0.0.0 198.51.100.1
ip access-list extended TO-INTERNET
 deny   ip any 10.2.0.0 0.0.255.255
 permit ip 10.1.0.0 0.0.255.255 any
ip access-list extended TO-MUNICH
 permit ip 10.1.0.0 0.0.255.255 10.2.1.0 0.0.0.255
end
";

fn unwanted(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    net.dmz.address("eth0", &format!("{MOVED}/24"))?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let mut hq = start(lab, &net.hq)?;
    let spoke = Spoke { more: Vec::new(), ..munich() };
    let _charon = Charon::start(lab, "munich", &net.munich, Build::Machine, &spoke.conf())?;
    ping::until_answered(&net.lan, MUNICH_HOST, secs(20))?;

    let tun = Capture::named(lab, "tun", &net.hq, "hubward0")?;
    let through = || -> Result<BTreeSet<(String, String)>> {
        let seen = tun.fields("ip", ["ip.src", "ip.dst"])?;
        Ok(seen.into_iter().map(|[source, to]| (source, to)).collect())
    };
    // the DMZ to a branch, the LAN to the Internet, and the Internet to the DMZ
    let (_web, _far) = (Echo::start(&net.dmz, HTTP)?, Echo::start(&net.inet, 8080)?);
    to_branch(&net.dmz)?;
    ping::answered(&net.lan, UNPROTECTED, 3)?;
    opens(&net.lan, UNPROTECTED, 8080)?.goes_on("to the Internet")?;
    opens(&net.client, WEB, HTTP)?.goes_on("from the Internet")?;
    let clear = wire.fields(&format!("ip.src == {DMZ_HOST} && ip.dst == {MUNICH_HOST}"), ["ip.proto"])?;
    ensure!(clear.len() >= 3, "the DMZ has sent {clear:?} to the branch");
    let seen = through()?;
    ensure!(seen.is_empty(), "through the TUN: {seen:?}");

    // what a tunnel wants, as it comes and as it is translated, also from the router itself
    both_ways(&net.lan, HQ_HOST, &net.munich_lan, MUNICH_HOST)?;
    for (from, source) in [(&net.dmz, MOVED), (&net.hq, ROUTER)] {
        let score = ping::count_from(from, Some(source), MUNICH_HOST, 3)?;
        ensure!(score.received == 3, "{source} to {MUNICH_HOST}: {score:?}");
    }
    ping::answered(&net.munich_lan, AS_IN_LAN, 2)?;
    let pair = |one: Ipv4Addr, other: Ipv4Addr| [(one, other), (other, one)];
    let wanted = [HQ_HOST, AS_IN_LAN, ROUTER].map(|host| pair(host, MUNICH_HOST)).concat();
    let wanted: BTreeSet<_> =
        wanted.into_iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
    let seen = through()?;
    ensure!(seen == wanted, "through the TUN: {seen:?}, of {wanted:?}");

    // what other programs may drop is named
    let question = format!("why packet {HQ_HOST} {MUNICH_HOST} icmp");
    ensure!(!hq.exec(&question)?.contains("another program"), "there is no other program");
    let chain =
        "add table inet fw; add chain inet fw f { type filter hook forward priority 300; policy drop; }";
    net.hq.run(&["nft", chain])?;
    let told = hq.exec(&question)?;
    ensure!(
        told.contains("another program's table inet fw, chain f at hook forward has policy drop"),
        "{told}"
    );
    let file = lab.dir().join("checked.cfg");
    std::fs::write(&file, CONFIG)?;
    let check = format!("{} check {} || true", binary()?.display(), file.display());
    let checked = net.hq.run(&["sh", "-c", &check])?.replace("\n  ", " ");
    ensure!(checked.contains("table inet fw, chain f at hook forward has policy drop"), "{checked}");
    net.hq.run(&["nft", "delete table inet fw"])?;

    // without Hubward the same packets leave, and the others do not
    let sent =
        |filter: &str| wire.fields(&format!("ip.dst == 10.2.0.0/16 && {filter}"), ["ip.src", "ip.dst"]);
    let before = sent("!(icmp.type == 3)")?.len();
    hq.process().kill9()?;
    to_branch(&net.dmz)?;
    for (from, source) in [(&net.dmz, MOVED), (&net.lan, HQ_HOST), (&net.hq, ROUTER)] {
        let score = ping::count_from(from, Some(source), MUNICH_HOST, 2)?;
        ensure!(score.received == 0, "{source} to {MUNICH_HOST} without Hubward: {score:?}");
    }
    ensure!(sent("!(icmp.type == 3)")?.len() >= before + 3, "the DMZ is cut off without Hubward");
    let more = sent(&format!("!(ip.src == {DMZ_HOST})"))?;
    ensure!(more.is_empty(), "in clear: {more:?}");

    // a new start finds what the crash left behind, and an end leaves nothing
    let mut hq = start(lab, &net.hq)?;
    ping::until_answered(&net.lan, MUNICH_HOST, secs(40))?;
    let rules = own_rules(&net.hq)?;
    let distinct: BTreeSet<&String> = rules.iter().collect();
    ensure!(rules.len() > 3 && distinct.len() == rules.len(), "routing rules: {rules:?}");
    hq.stop()?;
    let left = own_rules(&net.hq)?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    let tables = net.hq.ip("route show table all proto 111")?;
    ensure!(tables.is_empty(), "left behind: {tables}");
    Ok(())
}

fn start(lab: &Lab, ns: &Ns) -> Result<Hubward> {
    let mut hubward = Hubward::spawn_exactly(lab, "hq", ns, CONFIG, &[])?;
    hubward.wait_ready()?;
    Ok(hubward)
}

/// Packets of a host whose network no crypto access list names.
fn to_branch(dmz: &Ns) -> Result<()> {
    let score = ping::count_from(dmz, Some(DMZ_HOST), MUNICH_HOST, 2)?;
    ensure!(score.received == 0, "the DMZ reaches the branch");
    datagrams(dmz, (MUNICH_HOST, 9), &[b"in clear".to_vec()])
}

/// The routing rules with the priorities of Hubward's.
fn own_rules(ns: &Ns) -> Result<Vec<String>> {
    let all = ns.ip("rule show")?;
    Ok(all.lines().filter(|line| line.starts_with("111")).map(str::to_owned).collect())
}
