//! Pools without `overload` on the headquarters' network ([`crate::headquarters`]): inside hosts get
//! addresses for themselves as they ask, keep them and their ports, and are reached by them.

use std::net::{Ipv4Addr, UdpSocket};

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::hubward::{Hubward, edit};
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens, stays_shut};
use hubward_interop::wait::{self, secs};

use crate::headquarters::{HQ_HOST, Net, start};
use crate::site::typed;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("hosts_have_addresses_of_a_pool_for_themselves", &[Need::Hubward], for_themselves),
    case("an_idle_host_gives_its_address_of_a_pool_back", &[Need::Hubward], idle),
];

const CONFIG: &str = "\
version 15.7
hostname R
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.248
 ip nat outside
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface GigabitEthernet0/2
 ip address 172.16.10.1 255.255.255.0
ip route 0.0.0.0 0.0.0.0 198.51.100.1
ip nat pool P 198.51.100.2 198.51.100.4 netmask 255.255.255.248
ip nat inside source list 1 pool P
access-list 1 permit 10.1.1.0 0.0.0.255
";
/// The pool has these two for hosts: the third is the router's own.
const GLOBALS: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 3), Ipv4Addr::new(198, 51, 100, 4)];
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 11);
const THIRD: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 12);

/// What left for the outside from a port: the sources, in their order.
fn seen(wire: &Capture, port: u16) -> Result<Vec<Ipv4Addr>> {
    let filter = format!("udp && !icmp && ip.dst == {UNPROTECTED} && udp.srcport == {port}");
    let sources = wire.fields(&filter, ["ip.src"])?;
    sources.iter().map(|[source]| source.parse().context("an address")).collect()
}

fn send(ns: &Ns, from: Ipv4Addr, port: u16) -> Result<()> {
    let socket =
        inside(ns, || UdpSocket::bind((from, port)).with_context(|| format!("bind to {from}:{port}")))?;
    socket.send_to(b"a datagram", (UNPROTECTED, 9))?;
    Ok(())
}

/// Sends from a port of its own until a datagram is seen outside; the source that it has there.
fn becomes(ns: &Ns, wire: &Capture, from: Ipv4Addr, port: u16) -> Result<Ipv4Addr> {
    wait::until(&format!("datagrams of {from}"), secs(10), || {
        send(ns, from, port)?;
        std::thread::sleep(secs(1) / 4);
        Ok(!seen(wire, port)?.is_empty())
    })?;
    seen(wire, port)?.first().copied().context("a source")
}

fn hosts(net: &Net) -> Result<()> {
    for host in [SECOND, THIRD] {
        net.lan.address("eth0", &format!("{host}/24"))?;
    }
    Ok(())
}

/// The rows of `show ip nat translations` that are pairs of addresses.
fn pairs(hq: &Hubward) -> Result<Vec<String>> {
    let shown = hq.exec("show ip nat translations")?;
    let rows = shown.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(rows.filter(|row| row.starts_with("---")).collect())
}

/// What `why packet` says, in one line.
fn why(hq: &Hubward, packet: &str) -> Result<String> {
    Ok(hq.exec(&format!("why packet {packet}"))?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn for_themselves(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    hosts(&net)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let lan = Capture::named(lab, "lan", &net.lan, "eth0")?;
    let mut hq = start(lab, "hq", &net.hq, CONFIG, &[])?;
    let _web = Echo::start(&net.lan, 80)?;
    let foretold = |from: Ipv4Addr| why(&hq, &format!("{from} {UNPROTECTED} udp 9 from 7777"));
    ensure!(foretold(HQ_HOST)?.contains("translated to 198.51.100.3"), "{}", foretold(HQ_HOST)?);
    stays_shut(&net.inet, GLOBALS[0], 80)?;

    // in the order in which they ask, and by their own ports, those of IKE among them
    ensure!(becomes(&net.lan, &wire, HQ_HOST, 500)? == GLOBALS[0]);
    ensure!(becomes(&net.lan, &wire, SECOND, 4500)? == GLOBALS[1]);
    for (port, source) in [(4500, GLOBALS[1]), (501, GLOBALS[0])] {
        let from = if source == GLOBALS[0] { HQ_HOST } else { SECOND };
        send(&net.lan, from, port)?;
        std::thread::sleep(secs(1) / 2);
        let seen = seen(&wire, port)?;
        ensure!(!seen.is_empty() && seen.iter().all(|one| *one == source), "{port}: {seen:?}");
    }
    let both = ["--- 198.51.100.3 10.1.1.10 --- ---", "--- 198.51.100.4 10.1.1.11 --- ---"];
    ensure!(pairs(&hq)? == both, "{:?}", pairs(&hq)?);

    // the third gets none, and nothing of it leaves
    ensure!(foretold(THIRD)?.contains("pool P is exhausted"), "{}", foretold(THIRD)?);
    for _ in 0..3 {
        send(&net.lan, THIRD, 502)?;
        std::thread::sleep(secs(1) / 2);
    }
    ensure!(seen(&wire, 502)?.is_empty(), "left: {:?}", seen(&wire, 502)?);
    let failed =
        "%IPNAT-4-ADDR_ALLOC_FAILURE: Address allocation failed for 10.1.1.12, pool P might be exhausted";
    ensure!(hq.log().matches(failed).count() == 1, "{}", hq.log());
    let statistics = hq.exec("show ip nat statistics")?;
    ensure!(statistics.contains("total addresses 3, allocated 2 (66%), misses "), "{statistics}");
    ensure!(!statistics.contains("misses 0"), "{statistics}");

    // who has one is reached by it
    let called = why(&hq, &format!("{UNPROTECTED} {} tcp 80", GLOBALS[1]))?;
    ensure!(called.contains("10.1.1.11 has 198.51.100.4 of pool P"), "{called}");
    let mut talk = opens(&net.inet, GLOBALS[1], 80)?;
    talk.goes_on("a call from outside")?;
    let reached = lan.fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", ["ip.dst"])?;
    ensure!(reached.last() == Some(&[SECOND.to_string()]), "{reached:?}");

    // another line, a reload and a restart change nothing of it
    typed(&hq, "ip nat inside source static 10.1.1.77 198.51.100.6\n")?;
    ensure!(pairs(&hq)?.len() == 3, "{:?}", pairs(&hq)?);
    hq.reload("hq", &edit(CONFIG, "hostname R\n", "hostname S\n")?)?;
    wait::until("the configuration without the static line", secs(10), || Ok(pairs(&hq)? == both))?;
    talk.goes_on("a reload")?;
    hq.stop()?;
    drop(hq);
    let hq = start(lab, "hq-again", &net.hq, CONFIG, &[])?;
    ensure!(pairs(&hq)? == both, "{:?}", pairs(&hq)?);
    talk.goes_on("a restart")?;
    send(&net.lan, SECOND, 503)?;
    ensure!(becomes(&net.lan, &wire, SECOND, 503)? == GLOBALS[1]);

    // what is cleared is for the next one
    let other = hq.exec("clear ip nat translation inside 198.51.100.4 10.1.1.12");
    ensure!(other.is_err_and(|error| error.to_string().contains("Translation not found")));
    hq.exec("clear ip nat translation inside 198.51.100.4 10.1.1.11")?;
    ensure!(becomes(&net.lan, &wire, THIRD, 504)? == GLOBALS[1]);
    send(&net.lan, SECOND, 505)?;
    std::thread::sleep(secs(1) / 2);
    ensure!(seen(&wire, 505)?.is_empty(), "left: {:?}", seen(&wire, 505)?);
    opens(&net.inet, GLOBALS[1], 80)?;
    let reached = lan.fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", ["ip.dst"])?;
    ensure!(reached.last() == Some(&[THIRD.to_string()]), "{reached:?}");
    hq.exec("clear ip nat translation *")?;
    ensure!(pairs(&hq)?.is_empty(), "{:?}", pairs(&hq)?);

    // an address that leaves the pool is taken from its host
    ensure!(becomes(&net.lan, &wire, SECOND, 506)? == GLOBALS[0]);
    typed(&hq, "ip nat pool P 198.51.100.4 198.51.100.4 netmask 255.255.255.248\n")?;
    ensure!(becomes(&net.lan, &wire, SECOND, 507)? == GLOBALS[1]);
    let left = wire.fields("ip.src == 10.0.0.0/8", ["frame.time_relative", "ip.src", "ip.dst"])?;
    ensure!(left.is_empty(), "left with a private address: {left:?}");
    Ok(())
}

fn idle(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    hosts(&net)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let config = format!("{CONFIG}ip nat translation timeout 3\nip nat translation udp-timeout 3\n");
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    ensure!(becomes(&net.lan, &wire, HQ_HOST, 700)? == GLOBALS[0]);
    let _web = Echo::start(&net.inet, 80)?;
    // this one has a connection
    ensure!(becomes(&net.lan, &wire, SECOND, 701)? == GLOBALS[1]);
    net.lan.ip("route replace default via 10.1.1.1 src 10.1.1.11")?;
    let mut talk = opens(&net.lan, UNPROTECTED, 80)?;
    wait::until("an address that is free again", secs(90), || {
        Ok(pairs(&hq)? == ["--- 198.51.100.4 10.1.1.11 --- ---"])
    })?;
    talk.goes_on("the time of an idle host")?;
    ensure!(becomes(&net.lan, &wire, THIRD, 702)? == GLOBALS[0]);
    Ok(())
}
