//! Wrong peers and hostile packets against a running hub that serves
//! another peer meanwhile.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet ── spoke (strongSwan, honest, pinging all the time) ── spoke_lan
//!                                └──── client (the wrong or hostile one)
//! ```
//!
//! Each is refused with a reason in the hub's log, and the honest spoke loses no packet.

use std::process::Command;

use anyhow::{Result, bail};
use hubward_interop::capture::{Capture, exchange};
use hubward_interop::charon::{Build, Charon, Spoke, XauthClient};
use hubward_interop::hubward::{binary, hub_cfg};
use hubward_interop::inject;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping::{self, Running};
use hubward_interop::process;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, SPOKE};
use hubward_interop::vpnc::{NatMode, Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan];
const BOTH: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")];

pub(crate) const CASES: &[Case] = &[
    case("3_wrong_wildcard_key", STRONGSWAN, wrong_wildcard_key),
    case("3_a37_wrong_group_key", BOTH, wrong_group_key),
    case("3_unknown_group", BOTH, unknown_group),
    case("3_a27_wrong_password", BOTH, wrong_password),
    case("3_quick_mode_without_xauth", STRONGSWAN, |lab| without_xauth(lab, false)),
    case("3_mode_config_without_xauth", STRONGSWAN, |lab| without_xauth(lab, true)),
    case("3_inner_source_outside_the_selectors", BOTH, foreign_source),
    case("3_replayed_esp", STRONGSWAN, replayed),
    case("3_cut_and_oversized_messages", STRONGSWAN, malformed),
];

/// A hub with an honest spoke that pings all the time.
struct Honest {
    scene: Scene,
    _spoke: Charon,
    traffic: Running,
}

impl Honest {
    fn start(lab: &Lab) -> Result<Self> {
        let scene = Scene::reference(lab, Client::Direct)?;
        let spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
        let traffic = Running::start(lab, "ping-honest", &scene.net.spoke_lan, HUB_HOST)?;
        Ok(Self { scene, _spoke: spoke, traffic })
    }

    /// What `hubward why` says of the recording so far.
    fn explained(&self, lab: &Lab) -> Result<String> {
        let config = lab.dir().join("why.cfg");
        std::fs::write(&config, hub_cfg()?)?;
        let mut why = Command::new(binary()?);
        why.args(["why", "--pcap"]).arg(self.scene.capture.file()).arg("--config").arg(&config);
        process::run(&mut why, secs(10))
    }

    /// The hub still runs, its log has a line with these words, and the spoke lost nothing.
    fn unharmed(mut self, reason: &[&str]) -> Result<()> {
        if !self.scene.hub.process().alive() {
            bail!("the hub has ended");
        }
        self.scene.hub.expect_log(reason)?;
        // the tunnel works after the attack, not only before it
        wait::until("enough pings to judge", secs(5), || Ok(self.traffic.replies() > 20))?;
        ping::answered(&self.scene.net.spoke_lan, HUB_HOST, 5)?;
        if self.traffic.duplicates() != 0 {
            bail!("the spoke received {} packets twice", self.traffic.duplicates());
        }
        self.traffic.lost_nothing(10)?;
        let _ = self.scene.wire()?;
        Ok(())
    }
}

fn wrong_wildcard_key(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let wrong = Spoke {
        local: CLIENT,
        key: "notcisco123".into(),
        local_net: "10.3.0.0/16".into(),
        ..Spoke::default()
    };
    let charon = Charon::start(lab, "wrong", &honest.scene.net.client, Build::Machine, &wrong.conf())?;
    charon.initiate_fails("net", secs(10))?;
    assert_eq!(charon.children()?, 0);
    let said = honest.explained(lab)?;
    for part in [
        "10.51.82.100 initiates to 10.48.67.181, main mode",
        "the pre-shared keys differ",
        "10.100.2.102 initiates to 10.48.67.181, main mode",
        "there are ESP packets both ways",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    honest.unharmed(&["10.51.82.100", "pre-shared key"])
}

fn wrong_group_key(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let profile = Profile { secret: "notcisco321".into(), ..Profile::default() };
    let mut vpnc = Vpnc::start(lab, "vpnc", &honest.scene.net.client, &profile)?;
    let said = vpnc.wait_refused(secs(20))?;
    // vpnc itself sees that the hub's hash is not made with its key, before any user is asked
    if !said.contains("hash comparison failed") && !said.contains("authentication failed") {
        bail!("vpnc gave up for another reason");
    }
    let wire = honest.scene.capture.read()?;
    assert!(wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty(), "the hub went on to Xauth");
    // all that the hub sees is that nothing more comes
    wait::until("the hub to give the client up", secs(60), || {
        Ok(honest.scene.hub.expect_log(&["10.51.82.100", "no answer"]).is_ok())
    })?;
    honest.unharmed(&["10.51.82.100", "no answer"])
}

fn unknown_group(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let profile = Profile { group: "nosuchgroup".into(), ..Profile::default() };
    let mut vpnc = Vpnc::start(lab, "vpnc", &honest.scene.net.client, &profile)?;
    vpnc.wait_refused(secs(40))?;
    let said = honest.explained(lab)?;
    assert!(said.contains("asks for group nosuchgroup, which is not configured here"), "{said}");
    honest.unharmed(&["nosuchgroup"])
}

fn wrong_password(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let profile = Profile { password: "open-sesame".into(), ..Profile::default() };
    let mut vpnc = Vpnc::start(lab, "vpnc", &honest.scene.net.client, &profile)?;
    vpnc.wait_refused(secs(30))?;
    let wire = honest.scene.capture.read()?;
    assert!(!wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty(), "the hub did not ask for Xauth");
    assert!(wire.isakmp(CLIENT, HUB, exchange::QUICK).is_empty(), "the client came as far as quick mode");
    let log = honest.scene.hub.log();
    assert!(!log.contains("open-sesame"), "the password is in the hub's log");
    honest.unharmed(&["gfullage", "wrong password"])
}

/// A client that knows the group key but would do without Xauth: it offers plain pre-shared key
/// authentication, and wants an address or a quick mode at once. The hub does not let it pass even
/// phase 1.
fn without_xauth(lab: &Lab, mode_config: bool) -> Result<()> {
    let honest = Honest::start(lab)?;
    let hostile = XauthClient { user: None, mode_config, ..XauthClient::default() };
    let charon = Charon::start(lab, "hostile", &honest.scene.net.client, Build::Machine, &hostile.conf())?;
    charon.initiate_fails("net", secs(10))?;
    assert_eq!(charon.children()?, 0);
    if let Ok(address) = charon.virtual_ip() {
        bail!("the hub gave {address} to a client without Xauth");
    }
    ping::unanswered(&honest.scene.net.client, HUB_HOST, 2)?;
    honest.unharmed(&["10.51.82.100", "authentication method"])
}

/// vpnc encrypts whatever its interface is given: a client that speaks for an address which is not
/// its own.
fn foreign_source(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let (_vpnc, _env) = honest.scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    let inside = Capture::start(lab, &honest.scene.net.hub_lan, "eth0")?;
    let foreign = std::net::Ipv4Addr::new(10, 5, 5, 77);
    honest.scene.net.client.address("vpn0", "10.5.5.77/32")?;
    let before = honest.scene.capture.read()?.native_esp(CLIENT, HUB);
    let score = ping::count_from(&honest.scene.net.client, Some(foreign), HUB_HOST, 5)?;
    assert_eq!(score.received, 0, "the foreign source was served");
    let after = honest.scene.capture.read()?.native_esp(CLIENT, HUB);
    assert!(after >= before + 5, "the foreign packets were not sent as ESP: {before} then {after}");
    // the client's own address still works
    ping::answered(&honest.scene.net.client, HUB_HOST, 3)?;
    let lan = inside.finish()?;
    if let Some(frame) = lan.frames.iter().find(|f| f.source == Some(foreign)) {
        bail!("frame {} of the foreign source reached the LAN", frame.number);
    }
    if !lan.frames.iter().any(|f| f.source == Some(POOL_FIRST)) {
        bail!("the capture in the LAN saw nothing of the client");
    }
    honest.unharmed(&["refused", "inner addresses"])
}

fn replayed(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    std::thread::sleep(secs(2));
    let mut esp: Vec<Vec<u8>> = inject::recorded(honest.scene.capture.file())?
        .into_iter()
        .filter(|packet| {
            // ESP in UDP 4500: source is the spoke, and the four bytes after the UDP header are an
            // SPI
            packet.get(12..16) == Some(&SPOKE.octets()) && packet.get(9) == Some(&17)
        })
        .filter(|packet| {
            packet.get(22..24) == Some(&4500_u16.to_be_bytes())
                && packet.get(28..32).is_some_and(|marker| marker != [0, 0, 0, 0])
                && packet.len() > 60
        })
        .collect();
    // a capture on a virtual cable has checksums that were never filled in; none is as good as the
    // right one
    for packet in &mut esp {
        if let Some(checksum) = packet.get_mut(26..28) {
            checksum.fill(0);
        }
    }
    if esp.len() < 10 {
        bail!("only {} ESP packets to replay", esp.len());
    }
    let inside = Capture::start(lab, &honest.scene.net.hub_lan, "eth0")?;
    let replies_before = honest.traffic.replies();
    let sent_before = honest.scene.capture.read()?.udp_esp(SPOKE, HUB);
    inject::packets(&honest.scene.net.inet, &esp)?;
    let sent = honest.scene.capture.read()?.udp_esp(SPOKE, HUB) - sent_before;
    assert!(sent >= esp.len(), "of {} replayed packets only {sent} went to the hub", esp.len());
    std::thread::sleep(secs(2));
    let replies = honest.traffic.replies() - replies_before;
    let requests = inside.finish()?.frames.iter().filter(|f| f.destination == Some(HUB_HOST)).count();
    // ten pings a second, and not one of the replayed ones
    assert!(requests <= replies as usize + 15, "{requests} requests came in for {replies} replies");
    honest.unharmed(&["replay"])
}

/// Prefixes of every message of a real negotiation, each with its length field as it was and as it
/// would have to be, and datagrams as long as UDP allows.
fn malformed(lab: &Lab) -> Result<()> {
    let honest = Honest::start(lab)?;
    let messages: Vec<Vec<u8>> = inject::recorded(honest.scene.capture.file())?
        .into_iter()
        .filter(|packet| packet.get(16..20) == Some(&HUB.octets()) && packet.get(9) == Some(&17))
        .filter_map(|packet| {
            let port = packet.get(22..24)?;
            let payload = packet.get(28..)?;
            match u16::from_be_bytes(port.try_into().ok()?) {
                500 => Some(payload.to_vec()),
                4500 => payload.strip_prefix(&[0, 0, 0, 0]).map(<[u8]>::to_vec),
                _ => None,
            }
        })
        .collect();
    if messages.len() < 4 {
        bail!("only {} IKE messages recorded", messages.len());
    }
    let mut evil = Vec::new();
    for message in &messages {
        // every prefix of the header, then each eighth
        for end in (0..message.len()).filter(|end| *end < 40 || end % 8 == 0) {
            let prefix = message.get(..end).unwrap_or_default().to_vec();
            let mut consistent = prefix.clone();
            if let Some(length) = consistent.get_mut(24..28) {
                length.copy_from_slice(&(end as u32).to_be_bytes());
            }
            evil.push(prefix);
            evil.push(consistent);
        }
        let mut oversized = message.clone();
        oversized.resize(60_000, 0xff);
        if let Some(length) = oversized.get_mut(24..28) {
            length.copy_from_slice(&60_000_u32.to_be_bytes());
        }
        evil.push(oversized);
    }
    inject::datagrams(&honest.scene.net.client, (HUB, 500), &evil)?;
    let marked: Vec<Vec<u8>> = evil.iter().take(200).map(|m| [&[0; 4], m.as_slice()].concat()).collect();
    inject::datagrams(&honest.scene.net.client, (HUB, 4500), &marked)?;
    // and ESP of an unknown SPI, short and long
    let noise: Vec<Vec<u8>> = (1..200_usize).map(|n| vec![0xa5; n]).collect();
    inject::datagrams(&honest.scene.net.client, (HUB, 4500), &noise)?;
    wait::until("the console to answer", secs(5), || {
        Ok(honest.scene.hub.exec("show crypto isakmp sa").is_ok())
    })?;
    honest.unharmed(&["10.51.82.100", "malformed"])
}
