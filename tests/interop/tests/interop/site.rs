//! What the headquarters of [`crate::headquarters`] does to packets besides routing and IPsec: its
//! filters, its translation, and the size of its TCP segments.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon};
use hubward_interop::hubward::{Hubward, edit, example};
use hubward_interop::inject::datagrams;
use hubward_interop::lab::Lab;
use hubward_interop::ping;
use hubward_interop::scan::{self, Found};
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens, stays_shut};
use hubward_interop::wait::{self, secs};

use crate::checked::check;
use crate::headquarters::{
    DMZ_HOST, HAMBURG, HAMBURG_HOST, HQ, HQ_HOST, MUNICH_HOST, NEEDS, Net, both_ways, client, hamburg,
    munich, start,
};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("the_dmz_opens_its_web_server_to_tunnels_and_nothing_else", NEEDS, dmz),
    case("a_branch_that_translates_first_does_not_reach_the_dmz", NEEDS, translated_first),
    case("a_scan_finds_what_the_list_permits_also_after_kill_9", NEEDS, internet),
    case("changes_touch_no_connection_that_they_do_not_concern", NEEDS, changes),
];

/// The address by which the web server is reached from outside.
pub(crate) const WEB: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// The client's own address.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
pub(crate) const HTTP: u16 = 80;

/// Headquarters and Munich, with a tunnel between.
pub(crate) fn with_munich(lab: &Lab, net: &Net, config: &str) -> Result<(Hubward, Charon)> {
    let hq = start(lab, "hq", &net.hq, config, &[])?;
    let charon = Charon::start(lab, "munich", &net.munich, Build::Machine, &munich().conf())?;
    charon.initiate("net")?;
    charon.initiate("dmz")?;
    ping::until_answered(&net.munich_lan, HQ_HOST, secs(10))?;
    Ok((hq, charon))
}

fn dmz(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let (_hq, _charon) = with_munich(lab, &net, &example("hq-2911.cfg")?)?;
    let (_vpnc, address) = client(lab, &net)?;
    net.client.ip(&format!("route add 172.16.10.0/24 dev vpn0 src {address}"))?;
    let in_dmz = Capture::named(lab, "dmz", &net.dmz, "eth0")?;
    let in_lan = Capture::named(lab, "lan", &net.lan, "eth0")?;
    let in_munich = Capture::named(lab, "munich-lan", &net.munich_lan, "eth0")?;

    let web = Echo::start(&net.dmz, HTTP)?;
    let _other = Echo::start(&net.dmz, 8080)?;
    let lan = Echo::start(&net.lan, HTTP)?;
    let branch = Echo::start(&net.munich_lan, HTTP)?;
    opens(&net.munich_lan, DMZ_HOST, HTTP)?;
    opens(&net.client, DMZ_HOST, HTTP)?;
    ensure!(web.peers() == [MUNICH_HOST, address], "the web server was reached from {:?}", web.peers());

    // what the list does not permit to leave the DMZ is no answer
    for from in [&net.munich_lan, &net.client, &net.lan] {
        stays_shut(from, DMZ_HOST, 8080)?;
        ping::unanswered(from, DMZ_HOST, 1)?;
    }
    for to in [HQ_HOST, MUNICH_HOST, UNPROTECTED] {
        stays_shut(&net.dmz, to, HTTP)?;
        ping::unanswered(&net.dmz, to, 1)?;
        datagrams(&net.dmz, (to, 5353), &[b"no".to_vec()])?;
    }
    datagrams(&net.dmz, (HQ_HOST, 53), &[b"a question".to_vec()])?;
    both_ways(&net.lan, HQ_HOST, &net.munich_lan, MUNICH_HOST)?;
    // an error quotes what it is about
    let filter = format!("ip.src == {DMZ_HOST} && !(icmp.type == 3)");
    let names = ["ip.proto", "tcp.srcport", "udp.dstport"];
    let tried = |protocol: &str, port: &str| {
        let of = |frame: &[String; 3]| {
            frame[0] == protocol && (port.is_empty() || frame.contains(&port.to_owned()))
        };
        in_dmz.fields(&filter, names).map(|frames| frames.iter().any(of))
    };
    ensure!(
        tried("6", "8080")? && tried("17", "5353")? && tried("1", "")?,
        "the DMZ has not tried what is to be stopped"
    );
    let passed: BTreeSet<_> =
        in_lan.fields(&filter, names)?.into_iter().map(|frame| frame.join(" ")).collect();
    ensure!(passed == BTreeSet::from(["17  53".to_owned()]), "from the DMZ into the LAN: {passed:?}");
    let passed: BTreeSet<_> =
        in_munich.fields(&filter, names)?.into_iter().map(|frame| frame.join(" ")).collect();
    ensure!(passed == BTreeSet::from(["6 80 ".to_owned()]), "from the DMZ to Munich: {passed:?}");

    // the LAN reaches Munich as itself, and segments fit into the tunnel in both directions
    opens(&net.lan, MUNICH_HOST, HTTP)?;
    opens(&net.munich_lan, HQ_HOST, HTTP)?;
    ensure!(branch.peers() == [HQ_HOST], "Munich was reached from {:?}", branch.peers());
    ensure!(lan.peers() == [MUNICH_HOST], "the LAN was reached from {:?}", lan.peers());
    for (capture, from) in [(&in_munich, HQ_HOST), (&in_lan, MUNICH_HOST)] {
        let filter = format!("ip.src == {from} && tcp.flags.syn == 1");
        let sizes = capture.fields(&filter, ["tcp.flags.ack", "tcp.options.mss_val"])?;
        let answers: BTreeSet<_> = sizes.iter().map(|[ack, _]| ack.clone()).collect();
        ensure!(answers.len() == 2, "not both an offer and an answer from {from}: {sizes:?}");
        ensure!(sizes.iter().all(|[_, size]| size == "1360"), "segment sizes of {from}: {sizes:?}");
    }
    Ok(())
}

fn translated_first(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let wire = Capture::start(lab, &net.inet, "to-hamburg")?;
    let _hq = start(lab, "hq", &net.hq, &example("hq-2911.cfg")?, &[])?;
    let branch = example("hamburg.cfg")?;
    let (_provider, hamburg) = hamburg(lab, &net, &branch)?;
    let web = Echo::start(&net.dmz, HTTP)?;
    ping::until_answered(&net.hamburg_lan, HQ_HOST, secs(25))?;
    both_ways(&net.lan, HQ_HOST, &net.hamburg_lan, HAMBURG_HOST)?;

    let (takes, wants) =
        ("ip nat inside source list 102 ", "access-list 101 permit ip 10.2.2.0 0.0.0.255 172");
    let line = |start: &str| {
        let found = branch.lines().position(|line| line.starts_with(start));
        found.map(|at| format!("line {}", at + 1)).context("the line is not there")
    };
    let file = lab.dir().join("hamburg-checked.cfg");
    let told = unwrapped(&check(&file)?.text);
    for word in ["list 102", "172.16.10.0/24", "crypto map VPN 10", "access list 101"] {
        ensure!(told.contains(word), "check does not say {word:?}:\n{told}");
    }
    let question = format!("why packet {HAMBURG_HOST} {DMZ_HOST} tcp {HTTP}");
    let told = unwrapped(&hamburg.exec(&question)?);
    let left = format!("leaves by FastEthernet4 in clear, as {HAMBURG} to {DMZ_HOST}");
    for word in [&left, "access list 102 line 20", "access list 101", &line(takes)?, &line(wants)?] {
        ensure!(told.contains(word), "{question} does not say {word:?}:\n{told}");
    }
    stays_shut(&net.hamburg_lan, DMZ_HOST, HTTP)?;
    ensure!(web.peers().is_empty(), "the web server was reached from {:?}", web.peers());
    let sources = wire.fields(&format!("ip.dst == {DMZ_HOST} && !icmp"), ["ip.src", "ip.proto"])?;
    let expected = [HAMBURG.to_string(), "6".to_owned()];
    ensure!(
        !sources.is_empty() && sources.iter().all(|one| *one == expected),
        "in clear to the DMZ: {sources:?}"
    );

    let first = "access-list 102 deny   ip 10.2.2.0 0.0.0.255 10.0.0.0";
    let except = "access-list 102 deny   ip 10.2.2.0 0.0.0.255 172.16.10.0 0.0.0.255\n";
    hamburg.reload("hamburg", &edit(&branch, first, &format!("{except}{first}"))?)?;
    wait::until("the connection to open", secs(15), || {
        opens(&net.hamburg_lan, DMZ_HOST, HTTP).map(|_| true)
    })?;
    ensure!(
        web.peers().iter().all(|peer| *peer == HAMBURG_HOST),
        "the web server was reached from {:?}",
        web.peers()
    );
    let told = unwrapped(&hamburg.exec(&question)?);
    ensure!(told.contains("leaves by FastEthernet4, protected, to 198.51.100.2"), "{question}:\n{told}");
    // nothing else was in clear
    let clear = wire.fields("ip.addr == 10.0.0.0/8 && !(icmp.type == 3)", ["ip.src", "ip.dst"])?;
    ensure!(clear.is_empty(), "in clear: {clear:?}");
    Ok(())
}

/// Text whose lines ended where the screen did.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `OUTSIDE-IN` permits, of what a scan tries.
fn permitted() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = [
        format!("{HQ} udp 500"),
        format!("{HQ} udp 4500"),
        format!("{HQ} protocol 50"),
        format!("{HQ} icmp 8"),
    ]
    .into();
    all.insert(format!("{WEB} tcp {HTTP}"));
    // echo replies, unreachables and time exceeded to any
    all.extend([HQ, WEB].iter().flat_map(|to| [0, 3, 11].map(|kind| format!("{to} icmp {kind}"))));
    all
}

pub(crate) fn scanned(net: &Net) -> Result<Found> {
    let found = scan::scan(&net.hq, &net.client, CLIENT, &[HQ, WEB])?;
    ensure!(found.passes == permitted(), "{:?} passes, {:?} is permitted", found.passes, permitted());
    ping::answered(&net.client, HQ, 1)?;
    ping::unanswered(&net.client, WEB, 1)?;
    Ok(found)
}

fn internet(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    let config = example("hq-2911.cfg")?;
    let mut hq = start(lab, "hq", &net.hq, &config, &[])?;
    let web = Echo::start(&net.dmz, HTTP)?;

    // outwards
    ping::answered(&net.lan, UNPROTECTED, 3)?;
    let sources = wire.fields(&format!("ip.dst == {UNPROTECTED}"), ["ip.src"])?;
    ensure!(
        sources.len() >= 3 && sources.iter().all(|[source]| *source == HQ.to_string()),
        "to the Internet from {sources:?}"
    );
    // the firewall that would let answers in is not done: what leaves is what counts
    let _ = stays_shut(&net.lan, UNPROTECTED, HTTP);
    let offers =
        wire.fields(&format!("ip.dst == {UNPROTECTED} && tcp"), ["ip.src", "tcp.options.mss_val"])?;
    ensure!(
        !offers.is_empty() && offers.iter().all(|offer| *offer == [HQ.to_string(), "1360".to_owned()]),
        "TCP to the Internet: {offers:?}"
    );
    // what the crypto map may select is not translated, and leaves in no other way
    datagrams(&net.lan, (MUNICH_HOST, 9), &[b"no tunnel is there".to_vec()])?;
    datagrams(&net.lan, (Ipv4Addr::new(10, 9, 9, 20), 9), &[b"nor a client".to_vec()])?;

    // inwards
    let mut talk = opens(&net.client, WEB, HTTP)?;
    ensure!(web.peers() == [CLIENT], "the web server was reached from {:?}", web.peers());
    opens(&net.inet, WEB, HTTP)?;
    let neighbours = net.inet.ip("neigh show dev to-hq")?;
    let link = |address: Ipv4Addr| {
        let own = |line: &&str| line.split_whitespace().next() == Some(&address.to_string());
        let line = neighbours.lines().find(own)?;
        line.split_whitespace().skip_while(|word| *word != "lladdr").nth(1).map(str::to_owned)
    };
    ensure!(link(WEB).is_some() && link(WEB) == link(HQ), "who answers for {WEB}:\n{neighbours}");
    forged(&net, &wire)?;
    let found = scanned(&net)?;
    let answers = BTreeSet::from([format!("{HQ} udp 500"), format!("{WEB} tcp {HTTP}")]);
    ensure!(found.answers.is_superset(&answers), "no answer of some of {answers:?}: {found:?}");
    let more: Vec<_> = found.answers.difference(&answers).filter(|one| !one.ends_with("udp 4500")).collect();
    ensure!(more.is_empty() && found.closed.is_empty(), "a scan finds more: {found:?}");

    // filters and connections are the kernel's
    let ping = ping::Running::start(lab, "ping", &net.lan, UNPROTECTED)?;
    talk.goes_on("before kill -9")?;
    hq.process().kill9()?;
    talk.goes_on("after kill -9")?;
    let dead = scanned(&net)?;
    ensure!(dead.answers == BTreeSet::from([format!("{WEB} tcp {HTTP}")]), "after kill -9: {dead:?}");
    forged(&net, &wire)?;
    let hq = start(lab, "hq", &net.hq, &config, &[])?;
    talk.goes_on("started again")?;
    opens(&net.client, WEB, HTTP)?;
    ensure!(scanned(&net)?.answers == found.answers, "a scan finds something else after a new start");
    ensure!(ping.replies() >= 20, "the translated pings got {} replies", ping.replies());
    // an error quotes another packet: the outer addresses count
    let filter = "ip.addr == 10.0.0.0/8 || ip.addr == 172.16.0.0/12";
    let outer = wire.fields(filter, ["ip.src", "ip.dst", "ip.proto"])?;
    let private = |address: &String| address.starts_with("10.") || address.starts_with("172.16.");
    let own =
        |[source, to, _]: &&[String; 3]| *source != FORGED.to_string() && (private(source) || private(to));
    let clear: Vec<_> = outer.iter().filter(own).collect();
    ensure!(clear.is_empty(), "private addresses outside: {clear:?}");
    drop(hq);
    Ok(())
}

/// A source that no packet from outside may have.
pub(crate) const FORGED: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 99);

/// What claims to come from inside does not pass, though the list permits some of it.
fn forged(net: &Net, wire: &Capture) -> Result<()> {
    let passed = scan::forged(&net.hq, &net.client, FORGED, &[HQ, WEB])?;
    ensure!(
        !wire.fields(&format!("ip.src == {FORGED}"), ["ip.dst"])?.is_empty(),
        "the forged packets did not come"
    );
    ensure!(passed.is_empty(), "forged sources pass: {passed:?}");
    Ok(())
}

fn changes(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = example("hq-2911.cfg")?;
    let (hq, _charon) = with_munich(lab, &net, &config)?;
    let (_web, _tls) = (Echo::start(&net.dmz, HTTP)?, Echo::start(&net.dmz, 443)?);
    let (_lan, _branch) = (Echo::start(&net.lan, HTTP)?, Echo::start(&net.munich_lan, HTTP)?);
    let mut talks = [
        opens(&net.munich_lan, DMZ_HOST, HTTP)?,
        opens(&net.lan, MUNICH_HOST, HTTP)?,
        opens(&net.munich_lan, HQ_HOST, HTTP)?,
        opens(&net.client, WEB, HTTP)?,
        opens(&net.inet, WEB, HTTP)?,
    ];
    let outwards = ping::Running::start(lab, "outwards", &net.lan, UNPROTECTED)?;
    let tunnel = ping::Running::start(lab, "tunnel", &net.munich_lan, HQ_HOST)?;
    let mut go_on = |when: &str| talks.iter_mut().try_for_each(|talk| talk.goes_on(when));
    go_on("before all changes")?;
    stays_shut(&net.client, WEB, 443)?;

    let (management, web) =
        (" permit 10.1.1.0 0.0.0.255\n deny   any log\n", " permit tcp any host 198.51.100.3 eq www\n");
    let steps =
        [(management, " permit 10.1.2.0 0.0.0.255\n"), (web, " permit tcp any host 198.51.100.3 eq 8443\n")];
    let mut changed = config.clone();
    for (count, (place, line)) in steps.into_iter().enumerate() {
        changed = edit(&changed, place, &format!("{line}{place}"))?;
        hq.reload("hq", &changed)?;
        wait::until("the configuration to be read again", secs(10), || {
            Ok(hq.log().matches("was read again").count() == count + 1)
        })?;
        go_on(line)?;
    }

    let publish = "ip nat inside source static tcp 172.16.10.10 443 198.51.100.3 443 extendable";
    typed(
        &hq,
        "ip access-list extended DMZ-IN\n15 permit tcp host 172.16.10.10 eq 443 any established\nexit\n",
    )?;
    go_on("a line more for the DMZ")?;
    typed(&hq, &format!("{publish}\n"))?;
    go_on("another static translation")?;
    stays_shut(&net.client, WEB, 443)?;
    typed(&hq, "ip access-list extended OUTSIDE-IN\n5 permit tcp any host 198.51.100.3 eq 443\nexit\n")?;
    let mut third = opens(&net.client, WEB, 443)?;
    go_on("a line more for what comes from outside")?;
    typed(&hq, "ip access-list extended DMZ-IN\nno 10\nexit\n")?;
    third.goes_on("the web server is closed")?;
    stays_shut(&net.client, WEB, HTTP)?;
    typed(
        &hq,
        "ip access-list extended DMZ-IN\n10 permit tcp host 172.16.10.10 eq www any established\nexit\n",
    )?;
    go_on("the web server is open again")?;
    typed(&hq, "ip access-list extended OUTSIDE-IN\nno 5\nexit\n")?;
    typed(&hq, &format!("no {publish}\n"))?;
    stays_shut(&net.client, WEB, 443)?;
    go_on("all as before")?;
    outwards.lost_nothing(20)?;
    tunnel.lost_nothing(20)
}

/// Types lines in configuration mode.
pub(crate) fn typed(hubward: &Hubward, lines: &str) -> Result<()> {
    let said = hubward.console(&format!("configure terminal\n{lines}end\nexit\n"))?;
    let refuses = |line: &str| line.contains('%') && !line.ends_with("they leave unencrypted");
    ensure!(!said.lines().any(|line| refuses(line.trim_end())), "the console refuses {lines:?}:\n{said}");
    Ok(())
}
