//! What the headquarters of [`crate::headquarters`] tells of its filters and its translation: the
//! counts of the lines, the translations and the log are those of what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, UdpSocket};

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::hubward::{Hubward, edit, example};
use hubward_interop::inject::{self, inside};
use hubward_interop::lab::Lab;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::probes::udp;
use hubward_interop::scan::{icmp, packet};
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens, stays_shut};
use hubward_interop::wait::{self, secs};

use crate::headquarters::{DMZ_HOST, HQ, HQ_HOST, MUNICH_HOST, NEEDS, Net, start};
use crate::site::{CLIENT, FORGED, HTTP, WEB, with_munich};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("the_log_tells_the_first_packet_at_once_and_the_rest_after_five_minutes", NEEDS, log),
    case("hit_counts_are_of_the_lines_that_decided", NEEDS, counts),
    case("translations_are_those_of_the_connections", NEEDS, translations),
    case("a_reflexive_list_shows_who_may_answer", NEEDS, reflexive),
];

const GRE: u8 = 47;
const ESP: u8 = 50;
const SCTP: u8 = 132;

/// The packets of each line of `show access-lists` that met some.
fn shown(hq: &Hubward) -> Result<BTreeMap<String, u64>> {
    let (mut list, mut found) = (String::new(), BTreeMap::new());
    for line in hq.exec("show access-lists")?.lines() {
        match line.split_once(" access list ") {
            Some((_, name)) => list = name.to_owned(),
            None if line.ends_with("match)") || line.ends_with("matches)") => {
                let (text, count) = line.rsplit_once(" (").context("no count")?;
                let count = count.split(' ').next().unwrap_or_default().parse()?;
                found.insert(format!("{list} {}", text.trim()), count);
            }
            None => {}
        }
    }
    Ok(found)
}

/// What [`shown`] is to be, of what a capture has; every line has met something.
fn counted(link: &Capture, list: &str, mac: &str, lines: &[(&str, &str)]) -> Result<BTreeMap<String, u64>> {
    let (mut found, mut before) = (BTreeMap::new(), String::new());
    for (line, filter) in lines {
        let filter = format!("ip && eth.dst == {mac} && ({filter}){before}");
        let count = link.fields(&filter, ["frame.number"])?.len();
        ensure!(count > 0, "nothing was sent for {line:?}");
        found.insert(format!("{list} {line}"), count as u64);
        // a line decides what none before it did
        before.push_str(&format!(" && !({})", lines[found.len() - 1].1));
    }
    Ok(found)
}

fn counts(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = example("hq-2911.cfg")?;
    let mut hq = start(lab, "hq", &net.hq, &config, &[])?;
    let _web = Echo::start(&net.dmz, HTTP)?;
    let outside = Capture::named(lab, "outside", &net.hq, "eth0")?;
    let dmz = Capture::named(lab, "dmz", &net.hq, "eth2")?;
    hq.exec("clear access-list counters")?;
    ensure!(shown(&hq)?.is_empty(), "counters are left:\n{}", hq.exec("show access-lists")?);

    from_client(&net)?;
    from_dmz(&net)?;
    let mac = |link| net.hq.run(&["cat", &format!("/sys/class/net/{link}/address")]);
    let mut expected = counted(
        &outside,
        "OUTSIDE-IN",
        mac("eth0")?.trim(),
        &[
            (
                "10 permit udp any host 198.51.100.2 eq isakmp",
                "!icmp && ip.dst == 198.51.100.2 && udp.dstport == 500",
            ),
            (
                "20 permit udp any host 198.51.100.2 eq non500-isakmp",
                "!icmp && ip.dst == 198.51.100.2 && udp.dstport == 4500",
            ),
            ("30 permit esp any host 198.51.100.2", "ip.dst == 198.51.100.2 && ip.proto == 50"),
            (
                "40 permit tcp any host 198.51.100.3 eq www",
                "!icmp && ip.dst == 198.51.100.3 && tcp.dstport == 80",
            ),
            ("50 permit icmp any any echo-reply", "icmp.type == 0"),
            ("60 permit icmp any any unreachable", "icmp.type == 3"),
            ("70 permit icmp any any time-exceeded", "icmp.type == 11"),
            ("80 permit icmp any host 198.51.100.2 echo", "ip.dst == 198.51.100.2 && icmp.type == 8"),
            ("90 deny ip any any log", "ip"),
        ],
    )?;
    expected.extend(counted(
        &dmz,
        "DMZ-IN",
        mac("eth2")?.trim(),
        &[
            (
                "10 permit tcp host 172.16.10.10 eq www any established",
                "tcp.srcport == 80 && (tcp.flags.ack == 1 || tcp.flags.reset == 1)",
            ),
            (
                "20 permit udp host 172.16.10.10 host 10.1.1.10 eq domain",
                "ip.src == 172.16.10.10 && ip.dst == 10.1.1.10 && udp.dstport == 53",
            ),
            ("30 deny ip any any log", "ip"),
        ],
    )?);
    let found = shown(&hq)?;
    ensure!(found == expected, "shown: {found:#?}\nsent: {expected:#?}");
    let cleared = |hq: &Hubward, line: &str| -> Result<()> {
        hq.exec(line)?;
        let left: BTreeSet<_> = shown(hq)?.into_keys().collect();
        let expected: BTreeSet<_> =
            expected.keys().filter(|line| line.starts_with("OUTSIDE")).cloned().collect();
        ensure!(left == expected, "after {line}: {left:?}");
        Ok(())
    };

    // the kernel counts on while nobody is there
    hq.process().kill9()?;
    inject::packets(&net.client, &[packet(CLIENT, HQ, ESP, &[0x12; 24]), packet(CLIENT, HQ, GRE, &[0; 24])])?;
    let (hq, _charon) = with_munich(lab, &net, &config)?;
    let found = shown(&hq)?;
    for (line, more) in
        [("OUTSIDE-IN 30 permit esp any host 198.51.100.2", 1), ("OUTSIDE-IN 90 deny ip any any log", 1)]
    {
        let before = expected.get(line).copied().unwrap_or(0);
        ensure!(found.get(line) == Some(&(before + more)), "{line}, {before} before kill -9: {found:#?}");
    }

    // what a tunnel carries is counted by the crypto map's list, and not again by the interface's
    let before = shown(&hq)?;
    ping::answered(&net.munich_lan, HQ_HOST, 5)?;
    ping::answered(&net.lan, MUNICH_HOST, 2)?;
    let mut after = shown(&hq)?;
    // IKE has its own times
    after.retain(|line, _| !line.contains("isakmp"));
    let more: BTreeMap<_, _> = after
        .iter()
        .map(|(line, count)| (line.as_str(), count - before.get(line).copied().unwrap_or(0)))
        .filter(|(_, more)| *more > 0)
        .collect();
    let line = "VPN-MUNICH 10 permit ip 10.1.0.0 0.0.255.255 10.2.1.0 0.0.0.255";
    ensure!(more == BTreeMap::from([(line, 14)]), "7 echoes and their answers: {more:?}");

    hq.exec("clear access-list counters VPN-MUNICH")?;
    ensure!(!shown(&hq)?.contains_key(line), "{line} is still counted");
    cleared(&hq, "clear access-list counters DMZ-IN")
}

/// Something for each line of the outside interface's list.
fn from_client(net: &Net) -> Result<()> {
    let mut packets = Vec::new();
    let mut add = |count: usize, packet: Vec<u8>| packets.extend(std::iter::repeat_n(packet, count));
    add(3, udp((CLIENT, 40_001), (HQ, 500), 1));
    add(2, udp((CLIENT, 40_001), (HQ, 4500), 2));
    add(4, packet(CLIENT, HQ, ESP, &[0x12; 24]));
    // the list is asked before where a packet claims to come from
    add(5, packet(FORGED, HQ, ESP, &[0x12; 24]));
    for (to, kind, count) in
        [(HQ, 0, 1), (WEB, 0, 1), (HQ, 3, 2), (WEB, 11, 3), (HQ, 8, 6), (WEB, 8, 7), (HQ, 13, 1)]
    {
        add(count, icmp(CLIENT, to, kind));
    }
    add(2, packet(CLIENT, HQ, GRE, &[0; 24]));
    add(1, packet(CLIENT, WEB, ESP, &[0x12; 24]));
    add(2, udp((CLIENT, 40_001), (HQ, 53), 3));
    add(1, udp((CLIENT, 40_001), (WEB, 500), 4));
    inject::packets(&net.client, &packets)?;
    opens(&net.client, WEB, HTTP)?.goes_on("counted")?;
    stays_shut(&net.client, WEB, 443)?;
    stays_shut(&net.client, HQ, HTTP)
}

/// And of the DMZ's.
fn from_dmz(net: &Net) -> Result<()> {
    let mut packets = vec![udp((DMZ_HOST, 40_001), (HQ_HOST, 53), 5); 3];
    packets.extend(vec![udp((DMZ_HOST, 40_001), (HQ_HOST, 5353), 6); 2]);
    packets.push(udp((Ipv4Addr::new(172, 16, 10, 11), 40_001), (HQ_HOST, 53), 7));
    packets.push(icmp(DMZ_HOST, HQ_HOST, 8));
    inject::packets(&net.dmz, &packets)?;
    stays_shut(&net.dmz, HQ_HOST, HTTP)
}

/// Sends a datagram from a port, and keeps the socket.
fn datagram(ns: &Ns, port: u16, to: (Ipv4Addr, u16)) -> Result<UdpSocket> {
    inside(ns, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).context("bind")?;
        socket.send_to(b"one", to).context("send")?;
        Ok(socket)
    })
}

/// The rows of `show ip nat translations`, their words.
fn rows(hq: &Hubward, line: &str) -> Result<BTreeSet<String>> {
    let text = hq.exec(line)?;
    let rows = text.lines().filter(|line| line.contains('.'));
    Ok(rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
}

fn translations(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let (hq, _charon) = with_munich(lab, &net, &example("hq-2911.cfg")?)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let _web = Echo::start(&net.dmz, HTTP)?;
    let _branch = Echo::start(&net.munich_lan, HTTP)?;
    let fixed = "tcp 198.51.100.3:80 172.16.10.10:80 --- ---".to_owned();
    ensure!(rows(&hq, "show ip nat translations")? == BTreeSet::from([fixed.clone()]), "at the start");
    // the address that answers for the web server is on the link, and is none of the interface's
    ensure!(net.hq.ip("-4 addr show dev eth0")?.contains("198.51.100.3/32"), "nothing answers for {WEB}");
    let told = hq.exec("show ip interface GigabitEthernet0/0")?;
    for line in [
        "Internet address is 198.51.100.2/29",
        "Inbound  access list is OUTSIDE-IN",
        "IP verify source reachable-via RX, allow default",
        "Network address translation is enabled, interface in domain outside",
        "ICMP unreachables are never sent",
    ] {
        ensure!(told.contains(line), "no {line:?} in\n{told}");
    }
    ensure!(!told.contains("Secondary"), "a translation's address is the interface's:\n{told}");

    // outwards, two hosts with the same port
    net.lan.address("eth0", "10.1.1.11/24")?;
    let _first = datagram(&net.lan, 40_100, (UNPROTECTED, 9))?;
    inject::packets(&net.lan, &[udp((Ipv4Addr::new(10, 1, 1, 11), 40_100), (UNPROTECTED, 9), 1)])?;
    ping::answered(&net.lan, UNPROTECTED, 2)?;
    // inwards
    let mut talk = opens(&net.client, WEB, HTTP)?;
    // neither of these is translated: a tunnel, and what no line permits
    opens(&net.lan, MUNICH_HOST, HTTP)?;
    datagram(&net.lan, 40_101, (MUNICH_HOST, 9))?;
    datagram(&net.dmz, 40_102, (UNPROTECTED, 9))?;

    let mut expected = BTreeSet::from([fixed.clone()]);
    let seen = |filter: &str, names: [&str; 2]| -> Result<BTreeSet<[String; 2]>> {
        Ok(wire.fields(filter, names)?.into_iter().collect())
    };
    // what the wire has as source is the inside global address
    let ports = seen("!icmp && ip.src == 198.51.100.2 && udp.dstport == 9", ["ip.src", "udp.srcport"])?;
    ensure!(
        ports.len() == 2 && ports.contains(&[HQ.to_string(), "40100".to_owned()]),
        "on the wire: {ports:?}"
    );
    for [global, port] in ports {
        let local = if port == "40100" { "10.1.1.10" } else { "10.1.1.11" };
        expected.insert(format!("udp {global}:{port} {local}:40100 {UNPROTECTED}:9 {UNPROTECTED}:9"));
    }
    let echoes = seen("icmp.type == 8 && ip.src == 198.51.100.2", ["ip.src", "icmp.ident"])?;
    for [global, id] in &echoes {
        let id = id.parse::<u16>()?;
        expected.insert(format!("icmp {global}:{id} 10.1.1.10:{id} {UNPROTECTED}:{id} {UNPROTECTED}:{id}"));
    }
    let calls = seen("tcp.dstport == 80 && ip.dst == 198.51.100.3", ["ip.src", "tcp.srcport"])?;
    for [from, port] in &calls {
        expected.insert(format!("tcp 198.51.100.3:80 172.16.10.10:80 {from}:{port} {from}:{port}"));
    }
    ensure!((echoes.len(), calls.len()) == (1, 1), "one of each: {echoes:?}, {calls:?}");
    let found = rows(&hq, "show ip nat translations")?;
    ensure!(found == expected, "shown: {found:#?}\non the wire: {expected:#?}");
    for (protocol, count) in [("tcp", 2), ("udp", 2), ("icmp", 1)] {
        let found = rows(&hq, &format!("show ip nat translations {protocol}"))?;
        let of: BTreeSet<_> = expected.iter().filter(|row| row.starts_with(protocol)).cloned().collect();
        ensure!(found == of && found.len() == count, "of {protocol}: {found:?}");
    }

    let told = hq.exec("show ip nat statistics")?;
    for line in [
        "Total active translations: 5 (1 static, 4 dynamic; 5 extended)",
        "Outside interfaces:\n  GigabitEthernet0/0\n",
        "Inside interfaces: \n  GigabitEthernet0/1, GigabitEthernet0/2\n",
        "[Id: 1] route-map NONAT interface GigabitEthernet0/0 refcount 3\n",
    ] {
        ensure!(told.contains(line), "no {line:?} in\n{told}");
    }
    let verbose = hq.exec("show ip nat translations verbose")?;
    ensure!(verbose.matches("Map-Id(In): 1").count() == 3, "three are of the dynamic rule:\n{verbose}");

    // a translation that is cleared is gone, and the connection ends with it
    hq.exec("clear ip nat translation *")?;
    ensure!(rows(&hq, "show ip nat translations")? == BTreeSet::from([fixed]), "after clear");
    talk.goes_on("the static rule translates again")
}

/// A line of the log with what stands before the mnemonic cut off.
fn told(hq: &Hubward) -> Vec<String> {
    let log = hq.log();
    log.lines().filter_map(|line| Some(line[line.find("%SEC-6-")?..].trim().to_owned())).collect()
}

fn log(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let lan = " description LAN\n";
    let config = edit(
        &example("hq-2911.cfg")?,
        lan,
        &format!("{lan} ip access-group 120 in\n ip access-group 20 out\n"),
    )?;
    let lists = "access-list 20 permit any log\naccess-list 120 permit ip host 10.1.1.10 any log-input\n";
    let config =
        edit(&config, "ip access-list standard MGMT\n", &format!("{lists}ip access-list standard MGMT\n"))?;
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    // no errors come back from there
    let listen = |ns, port| inside(ns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).context("bind"));
    let (_dns, _discard) = (listen(&net.lan, 53)?, listen(&net.inet, 9)?);
    let other = Ipv4Addr::new(192, 0, 2, 101);
    let mut packets = vec![udp((CLIENT, 40_001), (HQ, 53), 1); 5];
    packets.push(udp((other, 40_001), (HQ, 53), 2));
    packets.extend(vec![icmp(CLIENT, WEB, 8); 3]);
    packets.push(packet(CLIENT, HQ, GRE, &[0; 24]));
    packets.push(packet(CLIENT, HQ, SCTP, &[0; 24]));
    // what is permitted by a line without `log`
    packets.push(packet(CLIENT, HQ, ESP, &[0; 24]));
    inject::packets(&net.client, &packets)?;
    inject::packets(&net.dmz, &vec![udp((DMZ_HOST, 40_001), (HQ_HOST, 53), 3); 2])?;
    inject::packets(&net.dmz, &[udp((DMZ_HOST, 40_001), (HQ_HOST, 54), 4)])?;
    inject::packets(&net.lan, &[udp((HQ_HOST, 40_001), (UNPROTECTED, 9), 5)])?;
    let mac = net.lan.run(&["cat", "/sys/class/net/eth0/address"])?.trim().replace(':', "");
    let mac = format!("{}.{}.{}", &mac[..4], &mac[4..8], &mac[8..]);
    let mut expected = BTreeSet::from([
        format!("%SEC-6-IPACCESSLOGP: list OUTSIDE-IN denied udp {CLIENT}(40001) -> {HQ}(53), 1 packet"),
        format!("%SEC-6-IPACCESSLOGP: list OUTSIDE-IN denied udp {other}(40001) -> {HQ}(53), 1 packet"),
        format!("%SEC-6-IPACCESSLOGDP: list OUTSIDE-IN denied icmp {CLIENT} -> {WEB} (8/0), 1 packet"),
        format!("%SEC-6-IPACCESSLOGRP: list OUTSIDE-IN denied gre {CLIENT} -> {HQ}, 1 packet"),
        format!("%SEC-6-IPACCESSLOGNP: list OUTSIDE-IN denied 132 {CLIENT} -> {HQ}, 1 packet"),
        format!("%SEC-6-IPACCESSLOGP: list DMZ-IN denied udp {DMZ_HOST}(40001) -> {HQ_HOST}(54), 1 packet"),
        format!("%SEC-6-IPACCESSLOGS: list 20 permitted {DMZ_HOST} 1 packet"),
        format!(
            "%SEC-6-IPACCESSLOGP: list 120 permitted udp {HQ_HOST}(40001) (GigabitEthernet0/1 {mac}) -> {UNPROTECTED}(9), 1 packet"
        ),
    ]);
    let is = |expected: &BTreeSet<String>| {
        let told = told(&hq);
        told.len() == expected.len() && told.iter().all(|line| expected.contains(line))
    };
    wait::until("the first lines", secs(5), || Ok(is(&expected)))
        .with_context(|| format!("told: {:#?}\nexpected: {expected:#?}", told(&hq)))?;
    for line in told(&hq) {
        ensure!(hq.exec("show logging")?.contains(&line), "not in show logging: {line}");
    }

    // what came after it in each flow is told by number, once
    expected.extend([
        format!("%SEC-6-IPACCESSLOGP: list OUTSIDE-IN denied udp {CLIENT}(40001) -> {HQ}(53), 4 packets"),
        format!("%SEC-6-IPACCESSLOGDP: list OUTSIDE-IN denied icmp {CLIENT} -> {WEB} (8/0), 2 packets"),
        format!("%SEC-6-IPACCESSLOGS: list 20 permitted {DMZ_HOST} 1 packet"),
    ]);
    std::thread::sleep(secs(285));
    ensure!(told(&hq).len() == 8, "before five minutes are over: {:#?}", told(&hq));
    std::thread::sleep(secs(30));
    let lines = told(&hq);
    // the one of list 20 says the same twice
    ensure!(
        lines.len() == 11 && lines.iter().collect::<BTreeSet<_>>() == expected.iter().collect(),
        "after five minutes: {lines:#?}\nexpected: {expected:#?}"
    );

    // a flood makes no more lines than the rules let through, and no more than there are flows
    let flood: Vec<_> = (1..=3000).map(|port| udp((CLIENT, port), (HQ, 53), 6)).collect();
    let before = std::time::Instant::now();
    inject::packets(&net.client, &flood)?;
    std::thread::sleep(secs(2));
    let (flood, took) = (told(&hq).len() - lines.len(), before.elapsed().as_secs() as usize + 1);
    ensure!((100..=100 + 100 * took).contains(&flood), "{flood} lines of a flood in {took} seconds");
    Ok(())
}

/// The headquarters with a list that opens ways for answers, and nothing else that would let them in.
fn reflexive(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let lines = "ip access-list extended OUT\n permit tcp any any reflect ANSWERS timeout 120\n permit udp any any reflect ANSWERS\n permit icmp any any reflect ANSWERS\n permit ip any any\n";
    let outside = "ip access-list extended OUTSIDE-IN\n";
    let config = edit(&example("hq-2911.cfg")?, outside, &format!("{lines}{outside} evaluate ANSWERS\n"))?;
    let config = edit(&config, " permit icmp any any echo-reply\n", "")?;
    let group = " ip access-group OUTSIDE-IN in\n";
    let config = edit(&config, group, &format!("{group} ip access-group OUT out\n"))?;
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    let _server = Echo::start(&net.inet, 7007)?;
    let entries = || -> Result<Vec<String>> {
        let text = hq.exec("show access-lists ANSWERS")?;
        Ok(text.lines().skip(1).map(|line| line.trim().to_owned()).collect())
    };
    ensure!(entries()?.is_empty(), "nobody has asked: {:?}", entries()?);
    stays_shut(&net.inet, HQ, 7007)?;

    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    ping::answered(&net.lan, UNPROTECTED, 3)?;
    let mut talk = opens(&net.lan, UNPROTECTED, 7007)?;
    talk.goes_on("through the hole that it made")?;
    let count = |filter: &str| wire.fields(filter, ["frame.number"]).map(|frames| frames.len());
    let ports = wire.fields("tcp.dstport == 7007 && ip.src == 198.51.100.2", ["tcp.srcport"])?;
    let [port] = ports.first().context("no TCP outside")?;
    let tcp = count(&format!("ip.addr == {UNPROTECTED} && tcp.port == 7007"))?;
    let icmp = count(&format!("ip.addr == {UNPROTECTED} && icmp"))?;
    let found = entries()?;
    let expected = [
        format!("permit icmp host {UNPROTECTED} host {HQ} ({icmp} matches) (time left "),
        format!("permit tcp host {UNPROTECTED} eq 7007 host {HQ} eq {port} ({tcp} matches) (time left "),
    ];
    ensure!(
        found.len() == 2 && found.iter().zip(&expected).all(|(line, start)| line.starts_with(start.as_str())),
        "shown: {found:#?}\non the wire: {expected:#?}"
    );
    let left =
        |line: &String| line.rsplit_once("left ").and_then(|(_, left)| left.strip_suffix(')')?.parse().ok());
    let left: Vec<u32> = found.iter().filter_map(left).collect();
    ensure!((290..=300).contains(&left[0]) && (110..=120).contains(&left[1]), "times left: {left:?}");
    let told = hq.exec(&format!("why packet {HQ_HOST} {UNPROTECTED} udp 53 from 1024"))?;
    let told: Vec<_> = told.split_whitespace().collect();
    ensure!(told.join(" ").contains("opened by the packet that it answers, permits it"), "{told:?}");
    Ok(())
}
