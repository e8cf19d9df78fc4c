//! A stranger without any key sends as many first messages as the machine gives, from one address,
//! for ten seconds.
//!
//! ```text
//!  hub_lan ── hub ── inet ── spoke ── spoke_lan      a tunnel that reaches its volume limit every two seconds
//!                     └───── client                  sends the flood
//! ```
//!
//! No tunnel ends by it, a tunnel that a packet asks for comes up, and people are answered. How
//! long that takes is printed, not judged.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit};
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{Client, HUB, HUB_HOST, Reference, SPOKE_HOST};
use hubward_interop::wait::{self, secs};

use crate::crash::site::config;
use crate::{Case, case};

mod forged;

pub(crate) const CASES: &[Case] = &[
    case("first_messages_of_a_stranger_end_no_tunnel", &[Need::Hubward, Need::StrongSwan], first_messages),
    case(
        "first_messages_of_forged_addresses_lock_no_branch_out",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("python3")],
        forged::first_messages,
    ),
];

const FLOOD: Duration = secs(10);
/// What leaves the hub's LAN: 1200 bytes each.
const PACKETS_A_SECOND: u32 = 1000;
/// The log's words where a child SA ends by its volume.
const ENDED: &str = "volume limit reached";

/// Main mode, message 1 (RFC 2409, section 5): one proposal that the hub takes. The first eight
/// bytes are the cookie.
fn first_message() -> Vec<u8> {
    let attributes: [[u16; 2]; 6] = [[1, 5], [2, 2], [3, 1], [4, 2], [11, 1], [12, 28_800]];
    let attributes: Vec<u8> = attributes
        .iter()
        .flat_map(|[kind, value]| [(0x8000 | kind).to_be_bytes(), value.to_be_bytes()])
        .flatten()
        .collect();
    let payload = |rest: &[u8]| {
        let length = u16::try_from(rest.len() + 4).unwrap_or_default().to_be_bytes();
        [&[0, 0], &length[..], rest].concat()
    };
    let transform = payload(&[&[1, 1, 0, 0], &attributes[..]].concat());
    let proposal = payload(&[&[1, 1, 0, 1], &transform[..]].concat());
    let sa = payload(&[&[0, 0, 0, 1, 0, 0, 0, 1], &proposal[..]].concat());
    let length = u32::try_from(28 + sa.len()).unwrap_or_default().to_be_bytes();
    [&[0; 16][..], &[1, 0x10, 2, 0], &[0; 4], &length, &sa].concat()
}

/// Sends first messages, each with another cookie, until it is stopped; returns how many.
fn flood(stop: &AtomicBool, sent: &AtomicU64) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("bind")?;
    socket.connect(SocketAddr::from((HUB, 500)))?;
    let mut message = first_message();
    let mut cookie = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        let mut taken = 0;
        for _ in 0..64 {
            cookie += 1;
            message.splice(..8, cookie.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            // where the way is full, the next one may find room
            taken += u64::from(socket.send(&message).is_ok());
        }
        sent.fetch_add(taken, Ordering::Relaxed);
    }
    Ok(())
}

fn first_messages(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    // the shortest volume that IOS takes; the spoke counts none of its own
    let short = edit(
        &config()?,
        "crypto ipsec transform-set",
        "crypto ipsec security-association lifetime kilobytes 2560\ncrypto ipsec transform-set",
    )?;
    let hub = Hubward::start(lab, "hub", &net.hub, &short)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::answered(&net.spoke_lan, HUB_HOST, 3)?;
    let send = format!(
        "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nstart = time.time()\nn = 0\n\
         while True:\n s.sendto(bytes(1200), ('{SPOKE_HOST}', 9))\n n += 1\n \
         time.sleep(max(0, start + n / {PACKETS_A_SECOND} - time.time()))"
    );
    let mut command = net.hub_lan.command("python3");
    command.args(["-c", &send]);
    let _traffic = lab.spawn("traffic", &command)?;
    wait::until("tunnels to be rekeyed by volume", secs(20), || {
        Ok(hub.log().matches("is renewed").count() > 2)
    })?;
    let ended = || hub.log().matches(ENDED).count();
    let before = ended();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| -> Result<()> {
        let flooding = scope.spawn(|| inside(&net.client, || flood(&stop, &sent)));
        let under = under_flood(&net, &hub, &sent);
        stop.store(true, Ordering::Relaxed);
        flooding.join().map_err(|_| anyhow::anyhow!("the flood panicked"))??;
        under
    })?;
    ensure!(
        sent.load(Ordering::Relaxed) > 50_000,
        "hardly a flood: {} messages",
        sent.load(Ordering::Relaxed)
    );
    ensure!(hub.log().contains("too many half-open"), "the hub has not seen the flood");
    ensure!(ended() == before, "{} tunnels ended by their volume under the flood", ended() - before);
    Ok(())
}

fn under_flood(net: &Reference, hub: &Hubward, sent: &AtomicU64) -> Result<()> {
    let start = Instant::now();
    let mut answers = Vec::new();
    while start.elapsed() < FLOOD {
        let asked = Instant::now();
        hub.exec("show crypto isakmp sa")?;
        hub.exec("clear crypto isakmp 4000000")?;
        answers.push(asked.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    let rate = sent.load(Ordering::Relaxed) / start.elapsed().as_secs().max(1);
    answers.sort_unstable();
    println!(
        "{rate} first messages a second; two commands were answered in {:?} (median), {:?} (longest)",
        answers.get(answers.len() / 2),
        answers.last()
    );
    // a packet asks for a tunnel that is not there
    hub.exec("clear crypto sa")?;
    let asked = Instant::now();
    ping::until_answered(&net.hub_lan, SPOKE_HOST, secs(30))?;
    println!("a tunnel that a packet asked for carried after {:?}", asked.elapsed());
    Ok(())
}
