//! A company's headquarters as it comes off the device (`examples/hq-2911.cfg`), with its branches
//! and a client.
//!
//! ```text
//!  lan 10.1.1.10 ── hq (Hubward) 198.51.100.2 ── inet ── 203.0.113.10 munich (strongSwan) ── 10.2.1.10
//!  dmz 172.16.10.10 ─┘                            ├── by DHCP  hamburg (Hubward, examples/hamburg.cfg) ── 10.2.2.10
//!                                                 └── 192.0.2.100 client (vpnc)
//! ```
//!
//! The stateful firewall of these configurations is not Hubward's: it is named by the options that
//! `hubward check` prints. What the filters and the translation do is in [`crate::site`].

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Spoke, Suite};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::{Hubward, edit, example};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::probes::{Packets, Recorder};
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::survey::{Carries, Probe, Survey};
use hubward_interop::vpnc::{NatMode, Profile, Vpnc};
use hubward_interop::wait::secs;

use crate::checked::{Verdict, check};
use crate::{Case, case};

pub(crate) const NEEDS: &[Need] =
    &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc"), Need::Tool("dnsmasq")];

pub(crate) const CASES: &[Case] = &[
    case("headquarters_with_branches_and_a_client", NEEDS, |lab| headquarters(lab, &example("hq-2911.cfg")?)),
    // the route to Null0 stops much of what nothing else would
    case("headquarters_without_a_route_that_drops_private_networks", NEEDS, |lab| {
        headquarters(lab, &edit(&example("hq-2911.cfg")?, "ip route 10.0.0.0 255.0.0.0 Null0 250\n", "")?)
    }),
];

pub(crate) const HQ: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub(crate) const MUNICH: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub(crate) const HAMBURG: Ipv4Addr = Ipv4Addr::new(100, 70, 2, 50);
pub(crate) const HQ_HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 10);
pub(crate) const DMZ_HOST: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 10);
pub(crate) const MUNICH_HOST: Ipv4Addr = Ipv4Addr::new(10, 2, 1, 10);
pub(crate) const HAMBURG_HOST: Ipv4Addr = Ipv4Addr::new(10, 2, 2, 10);
const DMZ: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 16, 10, 0), 24);
/// Which link is which at the branch in Hamburg.
const HAMBURG_CARDS: &[&str] = &["--map", "FastEthernet4=eth0", "--map", "Vlan1=eth1"];
/// Of these, nothing may be the destination of a packet between the gateways.
const PRIVATE: [(Ipv4Addr, u8); 2] = [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12)];

pub(crate) struct Net {
    pub(crate) hq: Ns,
    pub(crate) lan: Ns,
    pub(crate) dmz: Ns,
    pub(crate) inet: Ns,
    pub(crate) munich: Ns,
    pub(crate) munich_lan: Ns,
    pub(crate) hamburg: Ns,
    pub(crate) hamburg_lan: Ns,
    pub(crate) client: Ns,
}

impl Net {
    pub(crate) fn build(lab: &Lab) -> Result<Self> {
        let net = Self {
            hq: lab.ns("hq")?,
            lan: lab.ns("lan")?,
            dmz: lab.ns("dmz")?,
            inet: lab.ns("inet")?,
            munich: lab.ns("munich")?,
            munich_lan: lab.ns("munichlan")?,
            hamburg: lab.ns("hamburg")?,
            hamburg_lan: lab.ns("hamburglan")?,
            client: lab.ns("client")?,
        };
        let inet = &net.inet;
        net.hq.cable("eth0", inet, "to-hq")?;
        inet.address("to-hq", "198.51.100.1/29")?;
        net.hq.cable("eth1", &net.lan, "eth0")?;
        net.lan.address("eth0", "10.1.1.10/24")?;
        net.lan.default_route(Ipv4Addr::new(10, 1, 1, 1))?;
        net.hq.cable("eth2", &net.dmz, "eth0")?;
        net.dmz.address("eth0", "172.16.10.10/24")?;
        net.dmz.default_route(Ipv4Addr::new(172, 16, 10, 1))?;

        net.munich.cable("eth0", inet, "to-munich")?;
        inet.address("to-munich", "203.0.113.1/24")?;
        net.munich.address("eth0", "203.0.113.10/24")?;
        net.munich.default_route(Ipv4Addr::new(203, 0, 113, 1))?;
        net.munich.cable("eth1", &net.munich_lan, "eth0")?;
        net.munich.address("eth1", "10.2.1.1/24")?;
        net.munich_lan.address("eth0", "10.2.1.10/24")?;
        net.munich_lan.default_route(Ipv4Addr::new(10, 2, 1, 1))?;

        net.hamburg.cable("eth0", inet, "to-hamburg")?;
        inet.address("to-hamburg", "100.70.2.1/24")?;
        net.hamburg.cable("eth1", &net.hamburg_lan, "eth0")?;
        net.hamburg_lan.address("eth0", "10.2.2.10/24")?;
        net.hamburg_lan.default_route(Ipv4Addr::new(10, 2, 2, 1))?;

        net.client.cable("eth0", inet, "to-client")?;
        inet.address("to-client", "192.0.2.1/24")?;
        net.client.address("eth0", "192.0.2.100/24")?;
        net.client.default_route(Ipv4Addr::new(192, 0, 2, 1))?;
        // the destination of an unprotected packet
        inet.address("lo", &format!("{UNPROTECTED}/32"))?;
        Ok(net)
    }
}

pub(crate) fn munich() -> Spoke {
    Spoke {
        local: MUNICH,
        remote: HQ,
        key: "St4tic-Munich-Key".into(),
        local_net: "10.2.1.0/24".into(),
        remote_net: "10.1.0.0/16".into(),
        suite: Suite {
            ike: "aes256-sha256-modp2048".into(),
            esp: "aes256-sha1-modp2048".into(),
            ..Suite::default()
        },
        more: vec![("dmz".into(), "10.2.1.0/24".into(), "172.16.10.0/24".into())],
        ..Spoke::default()
    }
}

/// What a configuration may say that is not done: logins, the firewall, and what a packet does not
/// notice.
const NOT_DONE: [&str; 3] = ["inspect", "login", "max-logins"];
/// What is done, so that no line of it may be told.
const DONE: [&str; 6] =
    ["ip nat ", "ip access-group ", "ip verify ", "ip tcp adjust-mss ", "route-map ", "no ip unreachables"];
/// What `check` says of lines that are not done.
const TELLS: [&str; 5] = [
    "this configuration does not start",
    "Goes another way",
    "Allowed, and not enforced",
    "Not implemented",
    "Not understood",
];

/// Fails if a line that is done is told as one that is not.
fn expect_done(config: &str, verdict: &Verdict) -> Result<()> {
    let pairs = verdict.options.windows(2).filter(|pair| pair[0] == "--allow-unenforced");
    let more: Vec<_> = pairs.map(|pair| &pair[1]).filter(|kind| !NOT_DONE.contains(&kind.as_str())).collect();
    ensure!(more.is_empty(), "more than the firewall is to be allowed: {more:?}\n{}", verdict.text);
    let mut tells = false;
    for line in verdict.text.lines() {
        match line.starts_with(' ') {
            false if !line.is_empty() => tells = TELLS.iter().any(|heading| line.starts_with(heading)),
            _ if !tells => {}
            _ => {
                for number in numbers(line) {
                    let told = config.lines().nth(number - 1).unwrap_or_default().trim_start();
                    ensure!(
                        !DONE.iter().any(|done| told.starts_with(done)),
                        "`{told}` is told as not done:\n{}",
                        verdict.text
                    );
                }
            }
        }
    }
    Ok(())
}

/// The numbers in `NAT: 3 lines (43, 51-52): …`.
fn numbers(line: &str) -> Vec<usize> {
    let list = line.split_once(" (").and_then(|(_, rest)| rest.split_once("):"));
    let spans = list.map_or("", |(list, _)| list).split(',').map(str::trim);
    let mut numbers = Vec::new();
    for span in spans {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            numbers.extend(first.max(1)..=last);
        }
    }
    numbers
}

/// Starts Hubward with the options that `check` prints, and these.
pub(crate) fn start(lab: &Lab, name: &str, ns: &Ns, config: &str, more: &[&str]) -> Result<Hubward> {
    let file = lab.dir().join(format!("{name}-checked.cfg"));
    std::fs::write(&file, config)?;
    let verdict = check(&file)?;
    let left_out: Vec<_> = verdict.options.iter().filter(|option| option.starts_with("--without")).collect();
    ensure!(left_out.is_empty(), "a tunnel of {name} does not exist here:\n{}", verdict.text);
    expect_done(config, &verdict)?;
    let options: Vec<&str> = verdict.options.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut hubward = Hubward::spawn_exactly(lab, name, ns, config, &options)?;
    hubward.wait_ready()?;
    Ok(hubward)
}

/// The branch with an address by DHCP, and the provider that gives it.
pub(crate) fn hamburg(lab: &Lab, net: &Net, config: &str) -> Result<(Dnsmasq, Hubward)> {
    let gateway = Ipv4Addr::new(100, 70, 2, 1);
    let provider = Dnsmasq::start(lab, "provider", &net.inet, "to-hamburg", HAMBURG, gateway, 3600)?;
    Ok((provider, start(lab, "hamburg", &net.hamburg, config, HAMBURG_CARDS)?))
}

/// The client, and the address that it was given; it reaches the LAN.
pub(crate) fn client(lab: &Lab, net: &Net) -> Result<(Vpnc, Ipv4Addr)> {
    let profile = Profile {
        gateway: HQ,
        group: "REMOTE-USERS".into(),
        secret: "Gr0upK3y!".into(),
        user: "bert".into(),
        password: "bert1234".into(),
        nat: NatMode::Natt,
        ..Profile::default()
    };
    let mut vpnc = Vpnc::start(lab, "vpnc", &net.client, &profile)?;
    let address = Vpnc::address(&vpnc.wait_up()?)?;
    ping::until_answered(&net.client, HQ_HOST, secs(15))?;
    Ok((vpnc, address))
}

fn headquarters(lab: &Lab, config: &str) -> Result<()> {
    let net = Net::build(lab)?;
    let capture = Capture::start(lab, &net.inet, "to-hq")?;
    let recorder = Recorder::start(lab, "inet", &net.inet)?;
    let branch = example("hamburg.cfg")?;
    let mut hq = start(lab, "hq", &net.hq, config, &[])?;
    let (_provider, mut hamburg) = hamburg(lab, &net, &branch)?;
    let mut charon = Charon::start(lab, "munich", &net.munich, Build::Machine, &munich().conf())?;

    charon.initiate("net")?;
    charon.initiate("dmz")?;
    both_ways(&net.lan, HQ_HOST, &net.munich_lan, MUNICH_HOST)?;
    ping::until_answered(&net.hamburg_lan, HQ_HOST, secs(25))?;
    both_ways(&net.lan, HQ_HOST, &net.hamburg_lan, HAMBURG_HOST)?;
    let (mut vpnc, address) = client(lab, &net)?;
    both_ways(&net.lan, HQ_HOST, &net.client, address)?;
    // all at once
    both_ways(&net.lan, HQ_HOST, &net.munich_lan, MUNICH_HOST)?;
    both_ways(&net.lan, HQ_HOST, &net.hamburg_lan, HAMBURG_HOST)?;

    // the other ends fall silent; Hamburg first loses its headquarters' answers, then its SAs, then
    // Hubward itself
    let hq_probes = with_hosts(Survey::read(config).probes(), &[MUNICH_HOST, HAMBURG_HOST, address]);
    let mut hamburg_probes = with_hosts(Survey::read(&branch).probes(), &[HQ_HOST]);
    // its list 102 translates what goes to the DMZ before the crypto map could select it
    hamburg_probes.retain(|probe| !inside(DMZ, probe.destination));
    let mut volleys = Volleys::default();
    vpnc.process().kill9()?;
    charon.process().kill9()?;
    let at_hq = Site { router: &net.hq, host: &net.lan, source: HQ_HOST, probes: &hq_probes };
    let at_hamburg =
        Site { router: &net.hamburg, host: &net.hamburg_lan, source: HAMBURG_HOST, probes: &hamburg_probes };
    volleys.fire(&at_hq, "at headquarters with SAs whose peers are gone")?;
    hq.exec("clear crypto sa")?;
    hq.exec("clear crypto isakmp")?;
    volleys.fire(&at_hq, "at headquarters after clear crypto sa")?;
    hq.process().kill9()?;
    volleys.fire(&at_hq, "at headquarters after kill -9")?;
    volleys.fire(&at_hamburg, "at the branch whose headquarters is gone")?;
    hamburg.exec("clear crypto sa")?;
    hamburg.exec("clear crypto isakmp")?;
    volleys.fire(&at_hamburg, "at the branch after clear crypto sa")?;
    hamburg.process().kill9()?;
    volleys.fire(&at_hamburg, "at the branch after kill -9")?;

    volleys.judge(recorder)?;
    let wire = capture.finish()?;
    let clear: Vec<_> = wire
        .frames
        .iter()
        .filter(|frame| frame.destination.is_some_and(|to| PRIVATE.iter().any(|net| inside(*net, to))))
        .collect();
    ensure!(clear.is_empty(), "packets for private networks between the gateways: {clear:?}");
    wire.expect_udp_esp(HQ, MUNICH, 8)?;
    wire.expect_native_esp(HQ, HAMBURG, 8)
}

fn inside((net, length): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    (u32::from(net) ^ u32::from(address)) >> (32 - u32::from(length)) == 0
}

pub(crate) fn both_ways(here: &Ns, mine: Ipv4Addr, there: &Ns, theirs: Ipv4Addr) -> Result<()> {
    ping::until_answered(here, theirs, secs(10))?;
    ping::answered(here, theirs, 3)?;
    ping::answered(there, mine, 3)
}

/// The probes of a configuration, and some for hosts that were there a moment ago.
fn with_hosts(mut probes: Vec<Probe>, hosts: &[Ipv4Addr]) -> Vec<Probe> {
    assert!(probes.len() > 1, "the configuration protects more than that: {probes:?}");
    probes.extend(hosts.iter().map(|host| Probe {
        why: format!("{host}, which was reached through a tunnel"),
        source: None,
        destination: *host,
        carries: Carries::Udp(40_077),
    }));
    probes
}

struct Site<'a> {
    router: &'a Ns,
    host: &'a Ns,
    source: Ipv4Addr,
    probes: &'a [Probe],
}

/// What was sent, so that what is seen can be identified.
#[derive(Default)]
struct Volleys {
    sent: Vec<Sent>,
}

struct Sent {
    what: String,
    may_be_seen: bool,
}

impl Volleys {
    /// A packet for each probe from the site's host, and what its ACL selects from the router too;
    /// then one that nothing protects.
    fn fire(&mut self, site: &Site<'_>, when: &str) -> Result<()> {
        let (mut from_host, mut from_router) = (Packets::default(), Packets::default());
        for probe in site.probes {
            let source = probe.source.unwrap_or(site.source);
            from_host.add(
                probe,
                Some(source),
                self.number(format!("{when}: {} from a host", probe.why), false),
            );
            let what = format!("{when}: {} from the router", probe.why);
            from_router.add(probe, Some(source), self.number(what, false));
        }
        let open = Probe {
            why: "nothing".into(),
            source: None,
            destination: UNPROTECTED,
            carries: Carries::Udp(40_077),
        };
        from_host.add(
            &open,
            Some(site.source),
            self.number(format!("{when}: unprotected, from a host"), true),
        );
        from_router.add(&open, None, self.number(format!("{when}: unprotected, from the router"), true));
        from_host.send(site.host, Some("eth0"))?;
        from_router.send(site.router, None)?;
        // what was kept for an SA must not come out when there is none
        std::thread::sleep(Duration::from_millis(1500));
        Ok(())
    }

    fn number(&mut self, what: String, may_be_seen: bool) -> usize {
        self.sent.push(Sent { what, may_be_seen });
        self.sent.len() - 1
    }

    fn judge(&self, recorder: Recorder) -> Result<()> {
        let seen = recorder.finish()?;
        let mut wrong = Vec::new();
        for (number, sent) in self.sent.iter().enumerate() {
            match (seen.iter().find(|seen| seen.probe == number), sent.may_be_seen) {
                (Some(seen), false) => wrong.push(format!("in clear: {} ({})", sent.what, seen.text)),
                (None, true) => wrong.push(format!("not seen at all: {}", sent.what)),
                _ => {}
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}
