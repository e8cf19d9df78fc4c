//! A19 to A25, A30 to A34: `debug crypto` of a live hub. The reference document's two captures, by
//! peers that say what its spoke and its client said; and the same lines with strongSwan and vpnc.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::{edit, hub_cfg};
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::needs::{self, Need};
use hubward_interop::net::Ns;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, SPOKE};
use hubward_interop::vpnc::{NatMode, Profile};

use crate::document::{Hub, Speaker};
use crate::document_excused::{CLIENT_DEBUG, Excused};
use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "a19_a20_a31_a32_a33_the_documents_lan_to_lan_capture",
        &[Need::Reference, Need::Hubward],
        lan_to_lan,
    ),
    case("a21_a22_a23_a24_a25_a30_the_documents_client_capture", &[Need::Reference, Need::Hubward], client),
    case("a_console_of_the_unchanged_hub_watches", &[Need::Hubward], console),
    case(
        "a34_debugging_of_live_peers",
        &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc")],
        live,
    ),
];

/// The hub at the other end of a socket.
struct Wire(UdpSocket);

impl Wire {
    fn open() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 500)).context("bind")?;
        socket.connect((HUB, 500)).context("connect")?;
        Ok(Self(socket))
    }

    /// What comes until nothing comes for a while.
    fn heard(&self, patience: Duration) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut patience = patience;
        let mut buffer = vec![0; 65_536];
        loop {
            assert!(self.0.set_read_timeout(Some(patience)).is_ok());
            let Ok(length) = self.0.recv(&mut buffer) else { return out };
            out.push(buffer[..length].to_vec());
            patience = Duration::from_millis(200);
        }
    }
}

impl Hub for Wire {
    fn say(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        self.tell(message);
        self.heard(Duration::from_secs(5))
    }

    fn tell(&mut self, message: &[u8]) {
        assert!(self.0.send(message).is_ok(), "the hub's port is closed");
    }

    fn listen(&mut self) -> Vec<Vec<u8>> {
        let heard = self.heard(Duration::from_secs(10));
        assert!(!heard.is_empty(), "the hub says nothing");
        heard
    }
}

/// The reference hub, which logs; debugging is on.
fn hub(lab: &Lab, client: Client) -> Result<Scene> {
    let logging = format!("logging host {HUB_HOST}\nlogging trap debugging\n");
    let scene = Scene::with(lab, client, &edit(&hub_cfg()?, "no logging on\n", &logging)?)?;
    for (option, told) in [("isakmp", "ISAKMP"), ("ipsec", "IPSEC"), ("engine", "Engine")] {
        let said = scene.hub.exec(&format!("debug crypto {option}"))?;
        assert_eq!(said.trim_end(), format!("Crypto {told} debugging is on"));
    }
    Ok(scene)
}

/// Talks to the hub from a network namespace, with the random numbers of this run.
fn talk(ns: &Ns, own: Ipv4Addr, talk: impl FnOnce(Speaker<'_>) + Send) -> Result<()> {
    let mut seed = [0; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut seed)?;
    inside(ns, || {
        let mut wire = Wire::open()?;
        talk(Speaker::new(&mut wire, own, HUB, seed));
        Ok(())
    })
}

/// The messages of `show logging` in the layout of IOS 12.3, each on one line, its blanks
/// collapsed, without the time stamp.
fn messages(scene: &Scene) -> Result<Vec<String>> {
    let text = scene.hub.exec("terminal show-format classic\nshow logging")?;
    let (_, log) = text.split_once("Log Buffer (").context("no buffer")?;
    let mut out: Vec<String> = Vec::new();
    for line in log.lines().skip(2).filter(|line| !line.trim().is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        // `Nov 23 09:12:47.123: ISAKMP ...`
        let stamped = words.get(2).is_some_and(|time| time.ends_with(':') && time.matches(':').count() == 3);
        match out.last_mut() {
            _ if stamped => out.push(words[3..].join(" ")),
            Some(last) => *last = format!("{last} {}", words.join(" ")),
            None => bail!("a log that begins with {line:?}"),
        }
    }
    Ok(out)
}

/// What is another in every run. Everything else in a message must be as it is in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Volatile {
    /// Number of an ISAKMP SA.
    Isakmp,
    /// Id of an ESP SA.
    Pair,
    /// Message id.
    Node,
    Spi,
    /// Where IOS has the SA in memory.
    Pointer,
    /// Seconds left to use an address.
    Seconds,
}

/// These words precede something volatile.
const BEHIND: &[(&str, Volatile)] = &[
    ("ISAKMP (0:", Volatile::Isakmp),
    ("ISAKMP (0/", Volatile::Isakmp),
    ("ISAKMP (", Volatile::Isakmp),
    (" for conn id ", Volatile::Isakmp),
    ("message ID = ", Volatile::Node),
    (": Node ", Volatile::Node),
    ("new node ", Volatile::Node),
    ("deleting node ", Volatile::Node),
    ("purging node ", Volatile::Node),
    (". ID = ", Volatile::Node),
    ("getting spi ", Volatile::Spi),
    ("has spi ", Volatile::Spi),
    ("spi= ", Volatile::Spi),
    ("conn_id ", Volatile::Pair),
    ("conn_id= ", Volatile::Pair),
    (", sa = ", Volatile::Pointer),
    ("successfully sa = ", Volatile::Pointer),
    ("config settings ", Volatile::Pointer),
    ("left to use the address: ", Volatile::Seconds),
];

/// A message with its volatile values removed, and those values; zeros stay, because they mean that
/// there is none.
fn shape(message: &str) -> (String, Vec<(Volatile, u32)>) {
    let (mut out, mut values) = (String::new(), Vec::new());
    let mut rest = message;
    while !rest.is_empty() {
        let behind = BEHIND.iter().find(|(words, _)| rest.starts_with(words));
        if let Some((words, kind)) = behind
            && let Some((value, length)) = number(&rest[words.len()..], *kind)
            && value != 0
        {
            out += words;
            out.push('#');
            values.push((*kind, value));
            rest = &rest[words.len() + length..];
            continue;
        }
        let next = rest.chars().next().map_or(0, char::len_utf8);
        out += &rest[..next];
        rest = &rest[next..];
    }
    (out, values)
}

/// A number at the beginning of a text and its length: with a sign, in hexadecimal, or in
/// hexadecimal followed by the decimal.
fn number(text: &str, kind: Volatile) -> Option<(u32, usize)> {
    let until = |text: &str, fits: fn(char) -> bool| text.find(|c| !fits(c)).unwrap_or(text.len());
    if kind == Volatile::Pointer {
        let length = until(text, |c| c.is_ascii_hexdigit());
        return (length == 8).then_some((1, length));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        let length = until(hex, |c| c.is_ascii_hexdigit());
        let value = u32::from_str_radix(&hex[..length], 16).ok()?;
        let decimal = format!("({value})");
        let both = hex[length..].starts_with(&decimal);
        return Some((value, 2 + length + if both { decimal.len() } else { 0 }));
    }
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches(['-', ' ']);
    let length = until(digits, |c| c.is_ascii_digit());
    let value: i64 = digits[..length].parse().ok()?;
    let value = u32::try_from(value & 0xffff_ffff).ok()?;
    let value = if negative { value.wrapping_neg() } else { value };
    Some((value, text.len() - digits.len() + length))
}

/// Every message of a capture occurs, in its order, except for those that are excused. A volatile
/// value stands for the same value everywhere.
fn compare(capture: &str, excused: &[Excused], ours: &[String]) -> Result<usize> {
    let fits = |pattern: &str, line: &str| match pattern.strip_suffix('*') {
        Some(beginning) => line.starts_with(beginning),
        None => line == pattern,
    };
    let mut bound: BTreeMap<(Volatile, u32), u32> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut used = vec![false; excused.len()];
    let mut rest = ours.iter();
    let mut met = 0;
    for line in capture.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let count = seen.entry(line).or_default();
        *count += 1;
        let excuse = excused.iter().position(|excuse| {
            fits(excuse.written, line) && (excuse.occurrence == 0 || excuse.occurrence == *count)
        });
        let wanted = match excuse.map(|place| (place, &excused[place])) {
            Some((place, excuse)) => {
                assert!(!excuse.why.is_empty());
                used[place] = true;
                let Some(meant) = excuse.meant else { continue };
                meant
            }
            None => line,
        };
        let (beginning, open) =
            wanted.strip_suffix('*').map_or((wanted, false), |beginning| (beginning, true));
        let (wanted, values) = shape(beginning);
        let found = rest.by_ref().find(|told| {
            let (told, theirs) = shape(told);
            let same_shape = if open { told.starts_with(&wanted) } else { told == wanted };
            same_shape
                && theirs.len() >= values.len()
                && values.iter().zip(&theirs).all(|(value, (_, told))| match value {
                    (Volatile::Pointer | Volatile::Seconds, _) => true,
                    known => bound.get(known).is_none_or(|bound| bound == told),
                })
        });
        let Some(found) = found else { bail!("after {met} messages, no {line:?} in\n{}", ours.join("\n")) };
        for (value, (_, told)) in values.iter().zip(shape(found).1) {
            bound.insert(*value, told);
        }
        met += 1;
    }
    for (excuse, used) in excused.iter().zip(used) {
        assert!(used, "the capture has no {:?}", excuse.written);
    }
    Ok(met)
}

fn lan_to_lan(lab: &Lab) -> Result<()> {
    let capture = needs::reference("debug-lan-to-lan.txt").context("no capture")?;
    let scene = hub(lab, Client::Direct)?;
    talk(&scene.net.spoke, SPOKE, |speaker| speaker.spoke("cisco123"))?;
    scene.hub.wait_show("show logging", "IPSEC(create_sa)", Duration::from_secs(5))?;
    assert_eq!(compare(&capture, &[], &messages(&scene)?)?, 120);
    Ok(())
}

fn client(lab: &Lab) -> Result<()> {
    let capture = needs::reference("debug-client.txt").context("no capture")?;
    let scene = hub(lab, Client::Direct)?;
    talk(&scene.net.client, CLIENT, |speaker| {
        speaker.client("testgroup", "cisco321", "gfullage", &Profile::default().password);
    })?;
    scene.hub.wait_show("show logging", "IPSEC(create_sa)", Duration::from_secs(5))?;
    let ours = messages(&scene)?;
    assert_eq!(compare(&capture, CLIENT_DEBUG, &ours)?, 197, "207 messages, 10 of them excused");
    // what was postponed until Xauth is done then
    let place = |text: &str| ours.iter().position(|line| line.contains(text)).context(text.to_string());
    assert!(place("Process initial contact")? > place("XAUTH ACK Processed")?);
    // the requested lifetime is logged; our own applies
    let sa = scene.hub.exec("show crypto ipsec sa | json")?;
    assert!(sa.contains("\"seconds\": 35"), "3600 seconds, a few of them gone: {sa}");
    Ok(())
}

/// `no logging on`, as `hub.cfg` has it, does not affect the console: a user there sees a spoke
/// initiate.
fn console(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let seen = std::thread::scope(|scope| {
        let console = scope.spawn(|| scene.hub.console_for("terminal monitor\ndebug crypto isakmp\n", 6));
        scene.hub.wait_show("show debugging", "Crypto ISAKMP debugging is on", Duration::from_secs(5))?;
        talk(&scene.net.spoke, SPOKE, |speaker| speaker.spoke("cisco123"))?;
        console.join().map_err(|_| anyhow::anyhow!("the console's thread panicked"))?
    })?;
    let line = "ISAKMP:(1001):Old State = IKE_READY  New State = IKE_R_MM1";
    assert!(seen.contains(line), "{seen}");
    assert!(!seen.contains("IPSEC("), "{seen}");
    assert!(!scene.hub.exec("show logging")?.contains(line));
    Ok(())
}

/// With strongSwan and vpnc; with a condition; and silence when it is off.
fn live(lab: &Lab) -> Result<()> {
    let scene = hub(lab, Client::Direct)?;
    let syslog = inside(&scene.net.hub_lan, || UdpSocket::bind((HUB_HOST, 514)).context("bind"))?;
    let debugging = scene.hub.exec("show debugging")?;
    for line in
        ["Crypto ISAKMP debugging is on", "Crypto IPSEC debugging is on", "Crypto Engine debugging is on"]
    {
        assert!(debugging.contains(line), "{debugging}");
    }
    let _spoke = scene.spoke(lab, Build::Trixie, &Spoke::default())?;
    let told = messages(&scene)?;
    in_order(
        &told,
        &[
            "New State = IKE_R_MM1",
            "New State = IKE_R_MM2",
            "New State = IKE_R_MM3",
            "New State = IKE_R_MM4",
            "New State = IKE_R_MM5",
            "peer matches L2L profile",
            "SA has been authenticated with 10.100.2.102",
            "New State = IKE_P1_COMPLETE",
            "New State = IKE_QM_SPI_STARVE",
            "New State = IKE_QM_R_QM2",
            "Creating IPsec SAs inbound SA from 10.100.2.102 to 10.48.67.181",
            "New State = IKE_QM_PHASE2_COMPLETE",
            "IPSEC(add mtree): src 10.1.0.0, dest 10.2.0.0, dest_port 0",
        ],
    )?;
    let modern = scene.hub.exec("show logging")?;
    let ready = ": ISAKMP:(1001):Old State = IKE_READY  New State = IKE_R_MM1\n";
    assert!(modern.contains(ready), "{modern}");
    let stderr = scene.hub.log();
    assert!(stderr.contains("ISAKMP:(1001):Old State = IKE_READY  New State = IKE_R_MM1"), "not on stderr");
    assert!(!told.iter().any(|line| line.contains("cisco123")), "the key is in the log");

    // the syslog server behind the hub has it as well: local7, debugging
    syslog.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut buffer = [0; 2048];
    loop {
        let length = syslog.recv(&mut buffer).context("nothing like it came by syslog")?;
        let datagram = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if datagram.ends_with(": ISAKMP:(1001):Old State = IKE_READY New State = IKE_R_MM1") {
            assert!(datagram.starts_with("<191>"), "{datagram}");
            break;
        }
    }

    // another peer than the one that it is for
    scene.hub.exec("clear logging")?;
    scene.hub.exec(&format!("debug crypto condition peer ipv4 {SPOKE}"))?;
    let (vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    let told = messages(&scene)?;
    assert!(!told.iter().any(|line| line.contains("New State")), "{}", told.join("\n"));
    drop(vpnc);
    scene.hub.exec("clear crypto session")?;
    scene.hub.exec("debug crypto condition reset")?;
    scene.hub.exec("clear logging")?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    let told = messages(&scene)?;
    in_order(
        &told,
        &[
            "group id : testgroup",
            "peer matches VPNclient profile",
            "New State = IKE_R_AM_AAA_AWAIT",
            "New State = IKE_R_AM2",
            "New State = IKE_P1_COMPLETE",
            "Need XAUTH",
            "New State = IKE_XAUTH_REQ_SENT",
            "New State = IKE_XAUTH_AAA_CONT_LOGIN_AWAIT",
            "XAUTH ACK Processed",
            "New State = IKE_CONFIG_AUTHOR_AAA_AWAIT",
            "Sending private address: 10.5.5.1",
            "New State = IKE_QM_PHASE2_COMPLETE",
        ],
    )?;
    assert!(!told.iter().any(|line| line.contains("cisco321")), "the group's key is in the log");
    let off = scene.hub.exec("undebug all")?;
    assert_eq!(off.trim_end(), "All possible debugging has been turned off");
    assert_eq!(scene.hub.exec("show debugging")?.trim(), "");
    scene.hub.exec("clear logging")?;
    scene.hub.exec("clear crypto session")?;
    assert!(!messages(&scene)?.iter().any(|line| line.starts_with("ISAKMP") || line.starts_with("IPSEC")));
    Ok(())
}

fn in_order(told: &[String], wanted: &[&str]) -> Result<()> {
    let mut rest = told.iter();
    for text in wanted {
        if !rest.any(|line| line.contains(text)) {
            bail!("no {text:?} where it should be in\n{}", told.join("\n"));
        }
    }
    Ok(())
}
