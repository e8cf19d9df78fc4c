//! What `why` says of real peers that are configured wrongly: the sentence,
//! what differs, and the lines of the configuration by number. Two engines in one process produce
//! the other causes (`crates/hubward/src/why`), SHA-256 check values of 96 bits among them:
//! strongSwan can make those in the kernel alone.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result, bail};
use hubward_interop::charon::{Build, Charon, Spoke, Suite};
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::topology::{CLIENT, Client, HUB_HOST, POOL_FIRST, SPOKE};
use hubward_interop::vpnc::{NatMode, Profile, Vpnc};
use hubward_interop::wait::{self, secs};
use hubward_interop::{ping, process};

use crate::scene::Scene;
use crate::{Case, case};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan];
const VPNC: &[Need] = &[Need::Hubward, Need::Tool("vpnc")];

pub(crate) const CASES: &[Case] = &[
    case("why_4500_blocked", STRONGSWAN, blocked_4500),
    case("why_a_dead_peer", STRONGSWAN, dead_peer),
    case("why_strongswan_does_not_fit", STRONGSWAN, misfits),
    case("why_a_wrong_password", VPNC, wrong_password),
    case("why_an_unknown_group", VPNC, unknown_group),
    case("why_a_wrong_group_password", VPNC, wrong_group_password),
    case("why_an_exhausted_pool", VPNC, exhausted_pool),
    case("why_inner_addresses_outside_the_tunnel", VPNC, outside),
    case("why_lifetimes_that_differ", VPNC, lifetimes),
];

/// One explanation as `why` prints it.
#[derive(Debug)]
struct Said {
    verdict: String,
    /// What differs: its name, theirs and ours, as in the line.
    differing: Vec<String>,
    /// Lines of the configuration: number and text.
    lines: Vec<String>,
}

impl Said {
    /// The first explanation.
    fn first(text: &str) -> Result<Self> {
        let mut lines = text.lines().skip_while(|line| !line.is_empty()).skip(1);
        let verdict = lines.next().with_context(|| format!("nothing is explained:\n{text}"))?.to_owned();
        let mut said = Self { verdict, differing: Vec::new(), lines: Vec::new() };
        let mut in_configuration = false;
        for line in lines {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            match line.strip_prefix("--> ") {
                Some(_) => said.differing.push(words.trim_start_matches("--> ").to_owned()),
                None if line.starts_with(' ') && in_configuration => said.lines.push(words),
                None if line.is_empty() || line.starts_with(' ') => {}
                None => break,
            }
            in_configuration = line == "  Configuration:" || in_configuration && !line.is_empty();
        }
        Ok(said)
    }

    fn expect(&self, verdict: &str, differing: &[&str], lines: &[&str]) {
        assert_eq!(self.verdict, verdict);
        assert_eq!(self.differing, differing);
        assert_eq!(self.lines, lines);
    }
}

/// Waits until `why` prints an explanation that begins like this, and returns it.
fn why(hub: &Hubward, who: impl std::fmt::Display, verdict: &str) -> Result<Said> {
    let text = hub.wait_show(&format!("why {who}"), verdict, secs(50))?;
    let failures = hub.exec("show crypto isakmp failures")?;
    let said = Said::first(&text)?;
    let listed = failures.contains(&said.verdict) || said.verdict.contains("that is not an error");
    if !listed {
        bail!("`show crypto isakmp failures` does not have it:\n{failures}");
    }
    Ok(said)
}

/// A line of a configuration as `why` shows it: its number, and its text without secrets.
fn line(config: &str, shown: &str) -> Result<String> {
    let start = shown.trim_end_matches(" …");
    let place = config.lines().position(|line| line.trim().starts_with(start));
    Ok(format!("{} {shown}", place.with_context(|| format!("{start} is not there"))? + 1))
}

fn refs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A vpnc that does not get in.
fn refused(lab: &Lab, scene: &Scene, profile: &Profile) -> Result<()> {
    Vpnc::start(lab, "vpnc", &scene.net.client, profile)?.wait_refused(secs(45)).map(drop)
}

fn wrong_password(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    refused(lab, &scene, &Profile { password: "open-sesame".into(), ..Profile::default() })?;
    let lines = [
        line(&config, "username gfullage password …")?,
        line(&config, "aaa authentication login clientauth local")?,
    ];
    // by the user's name as by the address
    for who in ["gfullage", "10.51.82.100"] {
        why(&scene.hub, who, "Xauth failed")?.expect(
            "Xauth failed: wrong password for user gfullage from 10.51.82.100.",
            &[],
            &refs(&lines),
        );
    }
    // and on the command line
    let hubward = |words: &[&str]| {
        let mut command = Command::new(hubward_interop::hubward::binary()?);
        command.arg("why").args(words).arg("--socket").arg(scene.hub.socket());
        process::run(&mut command, secs(10))
    };
    for who in [None, Some("gfullage"), Some("10.51.82.100")] {
        let console = scene.hub.exec(&format!("why {}", who.unwrap_or_default()))?;
        let words: Vec<_> = who.into_iter().collect();
        assert_eq!(hubward(&words)?, console);
        assert!(console.contains("wrong password for user gfullage"), "{console}");
    }
    assert!(hubward(&["192.0.2.9"])?.starts_with("Nothing is known of 192.0.2.9 here"));
    let all = scene.hub.exec("why")?;
    assert!(!all.contains("open-sesame") && !all.contains("0201024E"), "{all}");
    Ok(())
}

fn unknown_group(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    refused(lab, &scene, &Profile { group: "nosuchgroup".into(), ..Profile::default() })?;
    why(&scene.hub, CLIENT, "asks for group")?.expect(
        "The client at 10.51.82.100 asks for group nosuchgroup, which is not configured here.",
        &["client group nosuchgroup testgroup"],
        &refs(&[line(&config, "crypto isakmp client configuration group testgroup")?]),
    );
    Ok(())
}

fn wrong_group_password(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    refused(lab, &scene, &Profile { secret: "notcisco321".into(), ..Profile::default() })?;
    why(&scene.hub, CLIENT, "stopped responding")?.expect(
        "The client at 10.51.82.100 stopped responding after our first answer: usually its group password differs from the one configured here, which only the client can detect and does not report.",
        &["state silent AG_INIT_EXCH"],
        &refs(&[line(&config, "crypto isakmp client configuration group testgroup")?]),
    );
    Ok(())
}

/// A pool of one address, and two clients.
fn exhausted_pool(lab: &Lab) -> Result<()> {
    let config = edit(&hub_cfg()?, "ippool 10.5.5.1 10.5.5.254", "ippool 10.5.5.1 10.5.5.1")?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let second = lab.ns("second")?;
    second.cable("eth0", &scene.net.inet, "to-second")?;
    scene.net.inet.address("to-second", "10.51.83.1/24")?;
    second.address("eth0", "10.51.83.100/24")?;
    second.default_route(Ipv4Addr::new(10, 51, 83, 1))?;
    let (_first, _) = scene.vpnc(lab, &Profile::default())?;
    Vpnc::start(lab, "vpnc-second", &second, &Profile::default())?.wait_refused(secs(45))?;
    why(&scene.hub, "10.51.83.100", "no free address")?.expect(
        "There is no free address left for the client at 10.51.83.100: every address of the pool is in use.",
        &["addresses one more 10.5.5.1 to 10.5.5.1, 1 in all"],
        &refs(&[line(&config, "ip local pool ippool 10.5.5.1 10.5.5.1")?]),
    );
    // the first client keeps what it has
    ping::answered(&scene.net.client, HUB_HOST, 3)
}

/// vpnc encrypts whatever its interface receives: here the packets of a network behind the client.
fn outside(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let (_vpnc, _) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    scene.net.client.address("vpn0", "192.168.1.20/32")?;
    let score = ping::count_from(&scene.net.client, Some(Ipv4Addr::new(192, 168, 1, 20)), HUB_HOST, 3)?;
    assert_eq!(score.received, 0);
    let said = why(&scene.hub, CLIENT, "was not negotiated for")?;
    assert_eq!(
        said.verdict,
        format!(
            "10.51.82.100 sends packets into the tunnel that it was not negotiated for, such as one from 192.168.1.20 to 10.1.1.10: it was negotiated for {POOL_FIRST} and 0.0.0.0/0."
        )
    );
    assert_eq!(said.differing, ["source 192.168.1.20 10.5.5.1"]);
    assert_eq!(said.lines, [line(&config, "ip local pool ippool 10.5.5.1 10.5.5.254")?]);
    Ok(())
}

/// vpnc proposes 2147483 seconds: the tunnel is up, nothing failed, and `why` says which lifetime
/// applies.
fn lifetimes(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let (_vpnc, _) = scene.vpnc(lab, &Profile::default())?;
    why(&scene.hub, "lifetimes gfullage", "lifetimes of phase 1 differ")?.expect(
        "The lifetimes of phase 1 differ: 10.51.82.100 wants 2147483 seconds, we want 86400; the shorter one, 86400 seconds, applies; that is not an error.",
        &[],
        &refs(&[line(&config, "crypto isakmp policy 10")?]),
    );
    let text = scene.hub.exec("why gfullage")?;
    assert!(text.ends_with("\nLifetimes differ, which is no fault: `why lifetimes gfullage`.\n"), "{text}");
    let text = scene.hub.exec("why lifetimes gfullage")?;
    // the command takes no more than 86400
    assert!(!text.contains("`lifetime 2147483`"), "{text}");
    assert!(text.starts_with("gfullage: up, 1 tunnel; ") && !text.contains("is wrong"), "{text}");
    assert!(
        text.contains("The lifetimes of phase 2 differ: 10.51.82.100 wants 2147483 seconds, we want 3600;"),
        "{text}"
    );
    assert!(scene.hub.exec("why")?.ends_with("Nothing has failed since the start.\n"));
    Ok(())
}

/// A NAT, and a firewall that lets UDP 500 through and forgets 4500.
fn blocked_4500(lab: &Lab) -> Result<()> {
    let config = hub_cfg()?;
    let scene = Scene::with(lab, Client::BehindNat, &config)?;
    let inet = &scene.net.inet;
    inet.run(&["nft", "add table ip wall"])?;
    inet.run(&["nft", "add chain ip wall forward { type filter hook forward priority 0; }"])?;
    inet.run(&["nft", "add rule ip wall forward udp dport 4500 drop"])?;
    let spoke =
        Spoke { local: Ipv4Addr::new(192, 168, 77, 10), local_net: "10.3.0.0/16".into(), ..Spoke::default() };
    let charon = Charon::start(lab, "natspoke", &scene.net.client, Build::Machine, &spoke.conf())?;
    charon.initiate_fails("net", secs(20))?;
    why(&scene.hub, CLIENT, "UDP port 4500")?.expect(
        "There is a NAT between here and 10.51.82.100, and nothing arrived on UDP port 4500: the port is probably blocked on the path.",
        &["state silent MM_KEY_EXCH"],
        &[],
    );
    Ok(())
}

/// A peer whose power fails.
fn dead_peer(lab: &Lab) -> Result<()> {
    let keepalive = "crypto isakmp keepalive 10 2 periodic";
    let config =
        edit(&hub_cfg()?, "crypto isakmp policy 10\n", &format!("{keepalive}\ncrypto isakmp policy 10\n"))?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let mut charon = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    charon.process().kill9()?;
    why(&scene.hub, SPOKE, "dead peer detection")?.expect(
        "10.100.2.102 has stopped answering (dead peer detection): it is switched off, its address has changed, or the path to it is down.",
        &[],
        &refs(&[line(&config, keepalive)?]),
    );
    Ok(())
}

/// strongSwan with another suite, another key and other networks, one after the other at one
/// address: each time the newest failure is the one of now.
fn misfits(lab: &Lab) -> Result<()> {
    let acl = "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.3.3.0 0.0.0.255";
    let config =
        edit(&hub_cfg()?, "set isakmp-profile L2L\n", "set isakmp-profile L2L\n  match address 101\n")?;
    let config = edit(&config, "call rsvp-sync\n", &format!("{acl}\ncall rsvp-sync\n"))?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let spoke = Spoke { local: CLIENT, local_net: "10.3.3.0/24".into(), ..Spoke::default() };
    let suite = |ike: &str, esp: &str| Suite { ike: ike.into(), esp: esp.into(), ..Suite::default() };
    let phase1 = |ike: &str| Spoke { suite: suite(ike, "3des-sha1"), ..spoke.clone() };
    let phase2 = |esp: &str| Spoke { suite: suite("3des-sha1-modp1024", esp), ..spoke.clone() };
    let no_proposal =
        "No common phase 1 proposal with 10.51.82.100: the closest of our policies is 10, and there the";
    let no_set = "Phase 1 with 10.51.82.100 is up, but the transform sets do not agree: the";
    let (policy, set) = ("crypto isakmp policy 10", "crypto ipsec transform-set myset esp-3des esp-sha-hmac");
    for (number, (wrong, verdict, differing, at)) in [
        (
            phase1("aes256-sha1-modp1024"),
            format!("{no_proposal} encryption differs: they offer aes 256, we want 3des."),
            "encryption aes 256 3des",
            policy,
        ),
        (
            phase1("3des-sha1-modp2048"),
            format!("{no_proposal} Diffie-Hellman group differs: they offer 14, we want 2."),
            "group 14 2",
            policy,
        ),
        (
            Spoke { key: "notcisco123".into(), ..spoke.clone() },
            format!(
                "The pre-shared keys differ: the message that 10.51.82.100 encrypted does not decrypt with the key configured here. The key used here is on line {} (keyring spokes).",
                line(&config, "pre-shared-key address 0.0.0.0")?.split(' ').next().unwrap_or_default()
            ),
            "",
            "pre-shared-key address 0.0.0.0 0.0.0.0 key …",
        ),
        (
            phase2("aes128-sha1"),
            format!("{no_set} cipher differs, they offer esp-aes 128, we want esp-3des."),
            "encryption esp-aes 128 esp-3des",
            set,
        ),
        (
            phase2("3des-md5"),
            format!("{no_set} integrity algorithm differs, they offer esp-md5-hmac, we want esp-sha-hmac."),
            "integrity esp-md5-hmac esp-sha-hmac",
            set,
        ),
        (
            Spoke { local_net: "10.3.0.0/16".into(), ..spoke.clone() },
            "10.51.82.100 proposes a tunnel between its 10.3.0.0/16 and our 10.1.0.0/16, but no line of a crypto access list mirrors it.".into(),
            "network there 10.3.0.0/16 10.3.3.0/24",
            acl,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("wrong-{number}");
        let charon = Charon::start(lab, &name, &scene.net.client, Build::Machine, &wrong.conf())?;
        charon.initiate_fails("net", secs(8))?;
        let mut text = String::new();
        wait::until("why to tell of it first", secs(10), || {
            text = scene.hub.exec(&format!("why {CLIENT}"))?;
            Ok(Said::first(&text).is_ok_and(|said| said.verdict == verdict))
        })
        .with_context(|| format!("{verdict} is not what is said first:\n{text}"))?;
        let differing: Vec<_> = Some(differing).filter(|text| !text.is_empty()).into_iter().collect();
        Said::first(&text)?.expect(&verdict, &differing, &refs(&[line(&config, at)?]));
    }
    // and what matches comes up, which is printed with each
    scene.net.client.address("lo", "10.3.3.1/32")?;
    let charon = Charon::start(lab, "right", &scene.net.client, Build::Machine, &spoke.conf())?;
    charon.initiate("net")?;
    let text = scene.hub.wait_show(&format!("why {CLIENT}"), "up, 1 tunnel", secs(5))?;
    let solved = text.matches("a tunnel with this peer came up at").count();
    assert_eq!(solved, text.matches(", the last time ").count(), "{text}");
    Ok(())
}
