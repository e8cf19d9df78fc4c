//! Thousands of peers, each with an address of its own, and with an engine of its own while it
//! connects.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_linux::udp::UdpSocket;
use hubward_linux::{RecvBatch, SocketOptions};
use hubward_proto::esp::sa::Direction;
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Effect, Input};
use hubward_proto::names::{InterfaceId, Service, VrfId};
use hubward_proto::path::{Encapsulation, ISAKMP_PORT, Mode, NATT_PORT, Path};
use hubward_proto::policy::{
    Authentication, CryptoAcl, CryptoAclLine, CryptoMap, EntryTerms, Global, Interface, IsakmpPolicy,
    KeyPeer, Keyring, MapEntry, MapEntryKind, Policy, PresharedKey, TransformSet,
};
use hubward_proto::time::Instant;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ike::Group;
use crate::net::{INNER, OUTER, Pair};

/// The word that makes this program run as the initiator in a namespace.
pub(crate) const INITIATE: &str = "initiate";

/// Handshakes in progress at a time.
const UNDER_WAY: usize = 16;

/// Makes every address of the peers local to the first side, and gives the second side a route to
/// them.
pub(crate) fn addresses(pair: &Pair) -> Result<()> {
    pair.ip(0, "route add local 10.64.0.0/16 dev lo")?;
    pair.ip(1, &format!("route add 10.64.0.0/16 via {}", OUTER[0]))?;
    pair.ip(1, &format!("addr add {}/32 dev lo", INNER[1]))?;
    Ok(())
}

/// Lets `count` peers connect, numbered from `first`.
pub(crate) fn run(pair: &Pair, group: Group, first: u32, count: u32) -> Result<()> {
    let program = std::env::current_exe()?;
    let mut command = pair.command(0, program.to_str().context("the program's path")?)?;
    command.args([INITIATE, &group.number().to_string(), &first.to_string(), &count.to_string()]);
    pair.start("initiator", command)?.wait(Duration::from_secs(120))
}

/// The initiator itself: `initiate GROUP FIRST COUNT`.
pub(crate) fn inside(words: &[String]) -> Result<()> {
    let [_, group, first, count] = words else { bail!("{INITIATE} GROUP FIRST COUNT") };
    let group = if group == "2" { DhGroup::Modp1024 } else { DhGroup::Modp2048 };
    let (first, count): (u32, u32) = (first.parse()?, count.parse()?);
    let socket = UdpSocket::bind(([0, 0, 0, 0], ISAKMP_PORT).into(), &SocketOptions::default())?;
    let natt = UdpSocket::bind(([0, 0, 0, 0], NATT_PORT).into(), &SocketOptions::default())?;
    let start = std::time::Instant::now();
    let mut initiator = Initiator { socket, natt, peers: HashMap::new(), start, done: 0 };
    let mut waiting = first..first + count;
    let mut batch = RecvBatch::new(64, 2048);
    while initiator.done < count {
        while initiator.peers.len() < UNDER_WAY
            && let Some(number) = waiting.next()
        {
            initiator.begin(group, number)?;
        }
        let patience = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let sockets = [&initiator.socket, &initiator.natt].map(|socket| PollFd::new(socket, PollFlags::IN));
        let ready = poll(&mut { sockets }, Some(&patience))?;
        if ready == 0 {
            initiator.time_passes()?;
        }
        while initiator.socket.recv_batch(&mut batch).is_ok_and(|count| count > 0) {
            for received in batch.datagrams() {
                let Some(peer) = received.to else { continue };
                initiator.receive(peer, received.from, received.data, Encapsulation::Native)?;
            }
        }
        while initiator.natt.recv_batch(&mut batch).is_ok_and(|count| count > 0) {
            for received in batch.datagrams() {
                if let (Some(peer), Some(message)) = (received.to, received.data.strip_prefix(&[0; 4])) {
                    initiator.receive(peer, received.from, message, Encapsulation::Udp)?;
                }
            }
        }
        if initiator.start.elapsed() > Duration::from_secs(110) {
            bail!("{} of {count} peers are up after {:?}", initiator.done, initiator.start.elapsed());
        }
    }
    Ok(())
}

struct Initiator {
    socket: UdpSocket,
    natt: UdpSocket,
    peers: HashMap<IpAddr, Engine>,
    start: std::time::Instant,
    done: u32,
}

impl Initiator {
    fn now(&self) -> Instant {
        Instant::ORIGIN + self.start.elapsed()
    }

    fn begin(&mut self, group: DhGroup, number: u32) -> Result<()> {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a40_0000 + number + 1));
        let lan = IpAddr::V4(Ipv4Addr::from_bits(0x0a80_0000 + number + 1));
        let mut seed = [0; 32];
        for (place, byte) in seed.iter_mut().zip(hubward_linux::random::seed()?) {
            *place = byte;
        }
        let mut engine = Engine::new(Arc::new(policy(group, address, lan)?), seed, self.now());
        let hub: IpAddr = INNER[1].parse()?;
        let flow =
            Flow { source: lan, destination: hub, protocol: 1, source_port: None, destination_port: None };
        let service = Service::entry("map", 10);
        let acquire = Acquire { interface: InterfaceId(0), service, acl_line: 0, flow };
        engine.handle(self.now(), Input::Acquire(acquire));
        self.peers.insert(address, engine);
        self.carry_out(address)
    }

    fn receive(
        &mut self,
        peer: IpAddr,
        from: SocketAddr,
        bytes: &[u8],
        encapsulation: Encapsulation,
    ) -> Result<()> {
        let now = self.now();
        // a peer that is already up has been removed
        let Some(engine) = self.peers.get_mut(&peer) else { return Ok(()) };
        let path = Path {
            local: peer,
            local_port: if encapsulation == Encapsulation::Udp { NATT_PORT } else { ISAKMP_PORT },
            remote: from.ip(),
            remote_port: from.port(),
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation,
        };
        engine.handle(now, Input::Datagram { path, bytes });
        self.carry_out(peer)
    }

    fn time_passes(&mut self) -> Result<()> {
        let now = self.now();
        let late: Vec<IpAddr> = self.peers.keys().copied().collect();
        for peer in late {
            if let Some(engine) = self.peers.get_mut(&peer)
                && engine.poll_timeout().is_some_and(|(at, _)| at <= now)
            {
                engine.handle_timeout(now);
                self.carry_out(peer)?;
            }
        }
        Ok(())
    }

    /// Sends what an engine wants to send, and removes it once it has a tunnel.
    fn carry_out(&mut self, peer: IpAddr) -> Result<()> {
        let mut up = false;
        let Some(engine) = self.peers.get_mut(&peer) else { return Ok(()) };
        while let Some(effect) = engine.poll() {
            match effect {
                Effect::Transmit { path, bytes } => {
                    let to = (path.remote, path.remote_port).into();
                    match path.encapsulation {
                        Encapsulation::Native => self.socket.send_to(&bytes, to, Some(path.local))?,
                        Encapsulation::Udp => {
                            self.natt.send_to(&[&[0; 4], &bytes[..]].concat(), to, Some(path.local))?;
                        }
                    }
                }
                Effect::Install { direction: Direction::Outbound, .. } => up = true,
                _ => {}
            }
        }
        if up {
            self.peers.remove(&peer);
            self.done += 1;
        }
        Ok(())
    }
}

fn policy(group: DhGroup, address: IpAddr, lan: IpAddr) -> Result<Policy> {
    let hub: IpAddr = OUTER[1].parse()?;
    let behind: IpAddr = INNER[1].parse()?;
    let selector = Selector::between(AddressRange::host(lan), AddressRange::host(behind));
    let acl =
        CryptoAcl { name: "100".into(), lines: vec![CryptoAclLine { permit: true, selector, line: 1 }] };
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).context("the suite")?;
    let key = PresharedKey {
        peer: KeyPeer::Address(AddressRange::host(hub)),
        secret: Secret::new(*b"bench"),
        no_xauth: false,
        line: 1,
    };
    let terms = EntryTerms {
        acl: Some(Arc::new(acl)),
        transform_sets: vec![TransformSet { name: "set".into(), suite, mode: Mode::Tunnel, line: 1 }],
        lifetime: Duration::from_secs(3600),
        kilobytes: None,
        replay_window: 64,
        ..EntryTerms::default()
    };
    Ok(Policy {
        global: Global::default(),
        proposals: vec![IsakmpPolicy {
            priority: 10,
            cipher: IkeCipher::Aes128,
            hash: HashAlg::Sha1,
            authentication: Authentication::PreShared,
            group,
            lifetime: Duration::from_secs(86400),
            line: 1,
        }],
        keyrings: vec![Keyring { name: "default".into(), local_address: None, keys: vec![key] }],
        profiles: vec![],
        reserved: vec![],
        maps: vec![Arc::new(CryptoMap {
            name: "map".into(),
            entries: vec![MapEntry {
                sequence: 10,
                kind: MapEntryKind::Static { peers: vec![hub], terms },
                line: 1,
            }],
            xauth_list: None,
            authorization_list: None,
            respond: false,
            initiate: false,
        })],
        interfaces: vec![Interface {
            id: InterfaceId(0),
            name: "FastEthernet0/0".into(),
            address: Some(address),
            crypto_map: Some("map".into()),
        }],
        connections: vec![],
    })
}
