//! `set ip access-group` of crypto map entries, on the headquarters' network ([`crate::headquarters`])
//! with strongSwan in Munich: what comes out of a tunnel, and what goes into it.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::tcp::{Echo, opens, stays_shut};
use hubward_interop::wait::{self, secs};

use crate::headquarters::{HQ_HOST, MUNICH_HOST, Net, munich, start};
use crate::site::typed;
use crate::{Case, case};

const NEEDS: &[Need] = &[Need::Hubward, Need::StrongSwan];

pub(crate) const CASES: &[Case] = &[
    case("a_filter_of_an_entry_holds_in_both_directions_and_after_kill_9", NEEDS, |lab| both(lab, &[])),
    case("a_filter_of_a_dynamic_entry_holds_without_a_crypto_list", NEEDS, dynamic),
];

/// A host of the DMZ, and how the branch sees it.
const MOVED: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 20);
const AS_IN_LAN: Ipv4Addr = Ipv4Addr::new(10, 1, 77, 20);
/// The router's address in the LAN.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);

const CONFIG: &str = "version 15.7
hostname HQ
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
interface GigabitEthernet0/2
 ip address 172.16.10.1 255.255.255.0
 ip nat inside
ip nat inside source static 172.16.10.20 10.1.77.20
ip route 0.0.0.0 0.0.0.0 198.51.100.1
ip access-list extended TO-MUNICH
 permit ip 10.1.0.0 0.0.255.255 10.2.1.0 0.0.0.255
ip access-list extended FROM-BRANCH
 permit tcp any any eq www
 permit tcp any any established
 permit icmp any host 10.1.77.20
ip access-list extended TO-BRANCH
 permit tcp any any established
 permit tcp any any eq 443
 permit icmp host 10.1.77.20 any
end
";

/// One network to one.
fn spoke() -> Spoke {
    Spoke { more: Vec::new(), ..munich() }
}

/// How often a line of an access list matched; 0 if it does not say.
fn matches(hq: &Hubward, list: &str, line: &str) -> Result<u64> {
    let told = hq.exec(&format!("show access-lists {list}"))?;
    let found = told.lines().find(|one| one.contains(line));
    let count = found.and_then(|one| one.rsplit_once('(')).and_then(|(_, rest)| rest.split(' ').next());
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
}

/// What passes with both filters, and what does not.
fn filtered(net: &Net) -> Result<()> {
    opens(&net.munich_lan, HQ_HOST, 80)?.goes_on("into the headquarters")?;
    opens(&net.lan, MUNICH_HOST, 443)?.goes_on("to the branch")?;
    stays_shut(&net.munich_lan, HQ_HOST, 8080)?;
    stays_shut(&net.lan, MUNICH_HOST, 80)?;
    ping::unanswered(&net.munich_lan, HQ_HOST, 1)?;
    ping::unanswered(&net.lan, MUNICH_HOST, 1)?;
    // the lists see the address that the branch sees
    ping::answered(&net.munich_lan, AS_IN_LAN, 2)?;
    // the router's own packets are no exception
    ping::unanswered(&net.munich_lan, ROUTER, 1)?;
    let own = ping::count_from(&net.hq, Some(ROUTER), MUNICH_HOST, 1)?;
    ensure!(own.received == 0, "the router itself reaches the branch: {own:?}");
    Ok(())
}

/// With the kernel as data plane, too ([`crate::kernel`]).
pub(crate) fn both(lab: &Lab, options: &[&str]) -> Result<()> {
    let net = Net::build(lab)?;
    net.dmz.address("eth0", &format!("{MOVED}/24"))?;
    net.dmz.ip(&format!("route replace default via 172.16.10.1 src {MOVED}"))?;
    let mut hq = start(lab, "hq", &net.hq, CONFIG, options)?;
    let _charon = Charon::start(lab, "munich", &net.munich, Build::Machine, &spoke().conf())?;
    let (_one, _two) = (Echo::start(&net.lan, 80)?, Echo::start(&net.lan, 8080)?);
    let (_three, _four) = (Echo::start(&net.munich_lan, 80)?, Echo::start(&net.munich_lan, 443)?);
    ping::until_answered(&net.lan, MUNICH_HOST, secs(20))?;
    opens(&net.munich_lan, HQ_HOST, 8080)?;
    opens(&net.lan, MUNICH_HOST, 80)?;

    // one direction, then the other: what is typed holds at once
    let entry = "crypto map CM 10 ipsec-isakmp\n";
    typed(&hq, &format!("{entry}set ip access-group FROM-BRANCH in\nexit\n"))?;
    stays_shut(&net.munich_lan, HQ_HOST, 8080)?;
    opens(&net.munich_lan, HQ_HOST, 80)?;
    // what goes out is not filtered, and its answers come in
    opens(&net.lan, MUNICH_HOST, 80)?;
    ping::unanswered(&net.lan, MUNICH_HOST, 1)?;
    typed(&hq, &format!("{entry}set ip access-group TO-BRANCH out\nexit\n"))?;
    let (lan, branch) = (
        Capture::named(lab, "lan", &net.lan, "eth0")?,
        Capture::named(lab, "branch", &net.munich_lan, "eth0")?,
    );
    let before = matches(&hq, "FROM-BRANCH", "eq www")?;
    filtered(&net)?;
    let came = lan.fields(&format!("ip.src == {MUNICH_HOST}"), ["ip.proto", "tcp.srcport", "tcp.dstport"])?;
    let fits = |ports: &[String; 3]| ports[0] == "6" && (ports[1] == "443" || ports[2] == "80");
    ensure!(!came.is_empty() && came.iter().all(fits), "out of the tunnel: {came:?}");
    let filter = format!("ip.src == {HQ_HOST} || ip.src == {ROUTER}");
    let went = branch.fields(&filter, ["ip.proto", "tcp.srcport", "tcp.dstport"])?;
    let fits = |ports: &[String; 3]| ports[0] == "6" && (ports[1] == "80" || ports[2] == "443");
    ensure!(!went.is_empty() && went.iter().all(fits), "into the tunnel: {went:?}");

    // one SYN for each connection
    let counted = matches(&hq, "FROM-BRANCH", "eq www")?;
    ensure!(counted > before, "{before} and then {counted} packets to the web server");
    for (list, line) in [("TO-BRANCH", "eq 443"), ("TO-BRANCH", "established"), ("FROM-BRANCH", "icmp")] {
        ensure!(matches(&hq, list, line)? > 0, "{list} counts nothing for {line}");
    }
    let map = hq.exec("show crypto map")?;
    ensure!(map.contains("IN list FROM-BRANCH") && map.contains("OUT list TO-BRANCH"), "{map}");
    for (question, says) in [
        (
            format!("why packet {MUNICH_HOST} {HQ_HOST} tcp 80"),
            "access list FROM-BRANCH line 10, `permit tcp any any eq www` permits it",
        ),
        (
            format!("why packet {MUNICH_HOST} {HQ_HOST} tcp 8080"),
            "access list FROM-BRANCH: no line permits it",
        ),
        (
            format!("why packet {HQ_HOST} {MUNICH_HOST} tcp 443"),
            "access list TO-BRANCH line 20, `permit tcp any any eq 443` permits it",
        ),
        (format!("why packet {HQ_HOST} {MUNICH_HOST} icmp"), "access list TO-BRANCH: no line permits it"),
    ] {
        let told = hq.exec(&question)?.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(
            told.contains("map filter") && told.contains(says),
            "{question} does not say {says:?}:\n{told}"
        );
    }

    // a line more, and one less
    typed(&hq, "ip access-list extended FROM-BRANCH\n5 permit tcp any any eq 8080\nexit\n")?;
    opens(&net.munich_lan, HQ_HOST, 8080)?;
    typed(&hq, "ip access-list extended FROM-BRANCH\nno 5\nexit\n")?;
    stays_shut(&net.munich_lan, HQ_HOST, 8080)?;
    hq.console("copy running-config startup-config\n\nexit\n")?;
    let saved = hq.saved()?;
    ensure!(saved.contains("set ip access-group TO-BRANCH out"), "{saved}");

    hq.process().kill9()?;
    let there = net.hq.run(&["nft", "list", "table", "ip", "hubward_router"])?;
    for chain in ["chain out_of_tunnels ", "chain into_tunnels "] {
        ensure!(there.contains(chain), "{chain} is gone after kill -9:\n{there}");
    }
    drop(hq);
    let hq = start(lab, "hq", &net.hq, &saved, options)?;
    wait::until("the tunnel to come again", secs(60), || Ok(opens(&net.lan, MUNICH_HOST, 443).is_ok()))?;
    filtered(&net)?;

    typed(&hq, &format!("{entry}no set ip access-group FROM-BRANCH in\nexit\n"))?;
    typed(&hq, &format!("{entry}no set ip access-group TO-BRANCH out\nexit\n"))?;
    ping::answered(&net.munich_lan, HQ_HOST, 2)?;
    opens(&net.lan, MUNICH_HOST, 80)?;
    Ok(())
}

fn dynamic(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = edit(
        CONFIG,
        "crypto map CM 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n set pfs group14\n match address TO-MUNICH\n",
        "crypto dynamic-map D 10\n set transform-set AES\n set pfs group14\n set ip access-group FROM-BRANCH in\n\
         crypto map CM 10 ipsec-isakmp dynamic D\n",
    )?;
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    let charon = Charon::start(lab, "munich", &net.munich, Build::Machine, &spoke().conf())?;
    charon.initiate("net")?;
    let (_one, _two) = (Echo::start(&net.lan, 80)?, Echo::start(&net.lan, 8080)?);
    wait::until("the connection to open", secs(15), || Ok(opens(&net.munich_lan, HQ_HOST, 80).is_ok()))?;
    stays_shut(&net.munich_lan, HQ_HOST, 8080)?;
    ping::unanswered(&net.munich_lan, HQ_HOST, 1)?;
    ensure!(matches(&hq, "FROM-BRANCH", "eq www")? > 0, "nothing is counted");
    let told = hq.exec(&format!("why packet {MUNICH_HOST} {HQ_HOST} tcp 8080"))?;
    ensure!(told.contains("map filter"), "{told}");
    // another entry whose packets cannot be told apart is refused
    let said = hq.console(
        "configure terminal\ncrypto dynamic-map D 20\nset transform-set AES\nset ip access-group TO-BRANCH in\nend\nexit\n",
    )?;
    ensure!(said.contains('%') && said.contains("match address"), "the console takes it:\n{said}");
    stays_shut(&net.munich_lan, HQ_HOST, 8080)?;
    Ok(())
}
