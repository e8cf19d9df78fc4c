//! What address translation must not let pass, on the headquarters' network
//! ([`crate::headquarters`]) with a configuration that does little else: packets of no connection,
//! connections that began under other lines, and the ports that are the router's own.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::hubward::edit;
use hubward_interop::inject::{inside, packets};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::probes::udp;
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens, stays_shut};
use hubward_interop::wait::{self, secs};

use crate::headquarters::{DMZ_HOST, HQ, HQ_HOST, Net, start};
use crate::site::typed;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("what_belongs_to_no_connection_does_not_leave_as_it_is", &[Need::Hubward], of_no_connection),
    case("connections_of_before_begin_again_and_no_others", &[Need::Hubward], began_before),
    case("an_inside_host_does_not_get_the_ports_of_ike", &[Need::Hubward], own_ports),
    case("an_interface_that_is_removed_lets_nothing_pass_before_it_is_down", &[Need::Hubward], leaving),
    case("a_source_check_passes_by_a_crypto_map_for_everything", &[Need::Hubward], source_check),
];

const CONFIG: &str = "\
version 15.7
hostname R
crypto isakmp policy 10
 encr aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key St4tic-Munich-Key address 203.0.113.10
crypto ipsec transform-set T esp-aes 256 esp-sha256-hmac
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set T
 match address 101
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.248
 ip nat outside
 crypto map M
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface GigabitEthernet0/2
 ip address 172.16.10.1 255.255.255.0
ip route 0.0.0.0 0.0.0.0 198.51.100.1
ip nat inside source list 102 interface GigabitEthernet0/0 overload
access-list 101 permit ip 10.1.1.0 0.0.0.255 10.2.1.0 0.0.0.255
access-list 102 deny ip any 10.2.0.0 0.0.255.255
access-list 102 permit ip 10.1.1.0 0.0.0.255 any
";

/// What left with an address that is not seen outside.
fn private(wire: &Capture) -> Result<Vec<[String; 4]>> {
    let from = "(ip.src == 10.0.0.0/8 || ip.src == 172.16.0.0/12)";
    wire.fields(from, ["frame.time_relative", "ip.src", "ip.dst", "ip.proto"])
}

/// An IPv4 packet of the inside host.
fn packet(protocol: u8, body: &[u8]) -> Vec<u8> {
    // a datagram's header, with another protocol and another body behind it
    let mut packet = udp((HQ_HOST, 1), (UNPROTECTED, 1), 0);
    packet.truncate(20);
    packet.extend(body);
    let length = (packet.len() as u16).to_be_bytes();
    packet.splice(2..4, length);
    packet[9] = protocol;
    // the kernel writes this sum
    packet.splice(10..12, [0, 0]);
    packet
}

fn summed(mut body: Vec<u8>, pseudo: &[u8], at: usize) -> Vec<u8> {
    let all: Vec<u8> = pseudo.iter().chain(&body).copied().collect();
    let mut sum: u32 =
        all.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !(sum as u16);
    body.splice(at..at + 2, sum.to_be_bytes());
    body
}

fn tcp(flags: u8, from: u16) -> Vec<u8> {
    let mut body = from.to_be_bytes().to_vec();
    body.extend(80u16.to_be_bytes());
    body.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    let mut pseudo = HQ_HOST.octets().to_vec();
    pseudo.extend(UNPROTECTED.octets());
    pseudo.extend([0, 6, 0, 20]);
    packet(6, &summed(body, &pseudo, 16))
}

fn icmp(kind: u8) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    body.extend([0x41; 24]);
    packet(1, &summed(body, &[], 2))
}

fn of_no_connection(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let lan = Capture::named(lab, "lan", &net.lan, "eth0")?;
    let _hq = start(lab, "hq", &net.hq, CONFIG, &[])?;
    let (_inside, _outside) = (Echo::start(&net.lan, 80)?, Echo::start(&net.inet, 80)?);
    opens(&net.lan, UNPROTECTED, 80)?;
    let (fin, rst, ack, syn) = (1, 4, 16, 2);
    let strange = [
        icmp(0),
        icmp(14),
        tcp(rst, 40_001),
        tcp(rst | ack, 40_002),
        tcp(fin, 40_003),
        tcp(syn | ack, 40_004),
        tcp(0, 40_005),
    ];
    packets(&net.lan, &strange)?;
    let sent = lan.fields(&format!("ip.src == {HQ_HOST} && ip.dst == {UNPROTECTED}"), ["ip.proto"])?;
    ensure!(sent.len() >= strange.len(), "the inside host has sent {sent:?}");
    let left = private(&wire)?;
    ensure!(left.is_empty(), "of no connection, with a private address: {left:?}");
    // one that began outside, at an address that is not to be seen there
    net.inet.ip(&format!("route add 10.1.1.0/24 via {HQ}"))?;
    stays_shut(&net.inet, HQ_HOST, 80)?;
    let answers = lan.fields("tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.srcport == 80", ["ip.dst"])?;
    ensure!(!answers.is_empty(), "the inside host has not answered what came from outside");
    // what is as it should be passes, in fragments too
    ping::answered(&net.lan, UNPROTECTED, 2)?;
    net.lan.run(&["ping", "-c", "2", "-W", "2", "-s", "4000", &UNPROTECTED.to_string()])?;
    opens(&net.lan, UNPROTECTED, 80)?.goes_on("after strange packets")?;
    let left = private(&wire)?;
    ensure!(left.is_empty(), "left with a private address: {left:?}");
    Ok(())
}

fn began_before(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let before = edit(CONFIG, " ip nat inside\n", "")?;
    let hq = start(lab, "hq", &net.hq, &before, &[])?;
    net.inet.ip(&format!("route add 10.1.1.0/24 via {HQ}"))?;
    net.inet.ip(&format!("route add 172.16.10.0/24 via {HQ}"))?;
    let (_web, _dmz) = (Echo::start(&net.inet, 80)?, Echo::start(&net.dmz, 80)?);
    // this one is to be translated, and these are not
    let running = ping::Running::start(lab, "outwards", &net.lan, UNPROTECTED)?;
    let mut others = [opens(&net.lan, DMZ_HOST, 80)?, opens(&net.dmz, UNPROTECTED, 80)?];
    let sources = || -> Result<Vec<Ipv4Addr>> {
        let filter = format!("icmp.type == 8 && ip.dst == {UNPROTECTED}");
        let sources = wire.fields(&filter, ["ip.src"])?;
        sources.iter().map(|[source]| source.parse().context("an address")).collect()
    };
    wait::until("pings that are not translated", secs(10), || {
        ensure!(sources()?.contains(&HQ_HOST));
        Ok(true)
    })?;

    typed(&hq, "interface GigabitEthernet0/1\nip nat inside\nexit\n")?;
    wait::until("pings from the router's address", secs(10), || {
        ensure!(sources()?.contains(&HQ));
        Ok(true)
    })?;
    others.iter_mut().try_for_each(|talk| talk.goes_on("ip nat inside"))?;
    typed(&hq, "interface GigabitEthernet0/1\nno ip nat inside\nexit\n")?;
    wait::until("pings that are translated no longer", secs(10), || {
        ensure!(sources()?.last() == Some(&HQ_HOST));
        Ok(true)
    })?;
    typed(&hq, "interface GigabitEthernet0/1\nip nat inside\nexit\n")?;
    wait::until("pings from the router's address again", secs(10), || {
        ensure!(sources()?.last() == Some(&HQ));
        Ok(true)
    })?;
    let mut translated = opens(&net.lan, UNPROTECTED, 80)?;
    typed(&hq, "access-list 102 permit ip host 10.1.1.99 any\n")?;
    typed(&hq, "ip nat inside source static 10.1.1.77 198.51.100.5\n")?;
    std::thread::sleep(Duration::from_millis(1500));
    translated.goes_on("a line that does not concern it")?;

    let other = Ipv4Addr::new(198, 51, 100, 3);
    typed(&hq, &format!("interface GigabitEthernet0/0\nip address {other} 255.255.255.248\nexit\n"))?;
    wait::until("pings from the router's new address", secs(10), || {
        ensure!(sources()?.contains(&other));
        Ok(true)
    })?;
    net.inet.ip(&format!("route replace 172.16.10.0/24 via {other}"))?;
    others.iter_mut().try_for_each(|talk| talk.goes_on("another address"))?;
    let replies = running.replies();
    wait::until("replies", secs(5), || {
        ensure!(running.replies() > replies + 2);
        Ok(true)
    })?;
    let mut sources = sources()?;
    sources.dedup();
    ensure!(sources == [HQ_HOST, HQ, HQ_HOST, HQ, other], "one source after the other: {sources:?}");
    Ok(())
}

fn own_ports(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let (wire, lan) =
        (Capture::start(lab, &net.inet, "to-hq")?, Capture::named(lab, "lan", &net.lan, "eth0")?);
    let _hq = start(lab, "hq", &net.hq, CONFIG, &[])?;
    let socket = |ns: &Ns, own: SocketAddrV4| {
        inside(ns, || UdpSocket::bind(own).with_context(|| format!("bind to {own}")))
    };
    for port in [500, 4500] {
        let inside = socket(&net.lan, SocketAddrV4::new(HQ_HOST, port))?;
        inside.send_to(b"from inside", (UNPROTECTED, port))?;
        let outside = socket(&net.inet, SocketAddrV4::new(UNPROTECTED, port))?;
        std::thread::sleep(Duration::from_millis(300));
        outside.send_to(b"for the router", (HQ, port))?;
    }
    let sent = wire.fields(&format!("udp && !icmp && ip.dst == {UNPROTECTED}"), ["ip.src", "udp.srcport"])?;
    let ports: BTreeSet<&str> = sent.iter().map(|[_, port]| port.as_str()).collect();
    ensure!(sent.len() >= 2 && sent.iter().all(|[source, _]| *source == HQ.to_string()), "{sent:?}");
    ensure!(!ports.contains("500") && !ports.contains("4500"), "the inside host is seen as {sent:?}");
    let came =
        lan.fields(&format!("udp && !icmp && ip.src == {UNPROTECTED}"), ["udp.srcport", "udp.dstport"])?;
    ensure!(came.is_empty(), "the inside host got what is for the router: {came:?}");
    Ok(())
}

fn leaving(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let closed = " ip address 172.16.10.1 255.255.255.0\n ip access-group NONE in\n";
    let config = edit(CONFIG, " ip address 172.16.10.1 255.255.255.0\n", closed)?
        + "ip access-list extended NONE\n permit tcp any host 10.1.1.99\n";
    let interface = format!("interface GigabitEthernet0/2\n{closed}");
    let without = edit(&config, &interface, "")?;
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    let wire = Capture::start(lab, &net.lan, "eth0")?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let sender = scope.spawn(|| -> Result<()> {
            let socket = inside(&net.dmz, || UdpSocket::bind("0.0.0.0:0").context("bind"))?;
            while !over.load(Ordering::Relaxed) {
                // without a route while the link is down
                let _ = socket.send_to(b"closed", (HQ_HOST, 9));
                std::thread::sleep(Duration::from_micros(300));
            }
            Ok(())
        });
        let becomes = |config: &str, state: &str| {
            std::fs::write(hq.socket().with_file_name("next.cfg"), config)?;
            let told = hq.exec("configure replace flash:next.cfg force")?;
            ensure!(told.contains("Rollback Done"), "{told}");
            wait::until(&format!("eth2 to be {state}"), secs(10), || {
                Ok(net.hq.ip("link show dev eth2")?.contains(&format!("state {state}")))
            })
        };
        let done = (0..4).try_for_each(|_| {
            std::thread::sleep(Duration::from_millis(300));
            becomes(&without, "DOWN")?;
            becomes(&config, "UP")
        });
        over.store(true, Ordering::Relaxed);
        sender.join().ok().context("the sender panicked")??;
        done
    })?;
    let passed = wire.fields(&format!("udp && ip.src == {DMZ_HOST}"), ["frame.time_relative"])?;
    ensure!(passed.is_empty(), "{} packets that the list denies passed", passed.len());
    // it is as open as before
    typed(&hq, "ip access-list extended NONE\n1 permit icmp any any\nexit\n")?;
    ping::until_answered(&net.dmz, HQ_HOST, secs(10))
}

fn source_check(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = edit(
        CONFIG,
        " ip nat outside\n",
        " ip nat outside\n ip verify unicast source reachable-via rx allow-default\n",
    )?;
    let all = "access-list 101 permit ip 10.1.1.0 0.0.0.255 any\n";
    let config = edit(&config, "access-list 101 permit ip 10.1.1.0 0.0.0.255 10.2.1.0 0.0.0.255\n", all)?;
    let _hq = start(lab, "hq", &net.hq, &config, &[])?;
    ping::until_answered(&net.client, HQ, secs(5))?;
    ping::answered(&net.inet, HQ, 2)?;
    // what claims to come from inside does not pass
    let passed = hubward_interop::scan::forged(&net.hq, &net.client, Ipv4Addr::new(10, 1, 1, 99), &[HQ])?;
    ensure!(passed.is_empty(), "forged sources pass: {passed:?}");
    let passed = hubward_interop::scan::forged(&net.hq, &net.client, Ipv4Addr::new(192, 0, 2, 99), &[HQ])?;
    ensure!(!passed.is_empty(), "nothing passes");
    Ok(())
}
