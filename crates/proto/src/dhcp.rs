//! The DHCP client of `ip address dhcp` (RFC 2131), sans-IO: it takes packets and the time, and
//! returns what to send and which address to use. The server is in [`server`].

pub mod server;

use crate::time::Instant;
use crate::wire::ip::{self, Ipv4, protocol};
use hubward_crypto::random::Random;
use std::net::Ipv4Addr;
use std::time::Duration;

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Bytes of the fixed part of a message, without the cookie.
const FIXED: usize = 236;

/// Flags of a message whose answer must be broadcast: the client may not have an address yet.
const BROADCAST: [u8; 2] = [0x80, 0];
/// Flags of a message whose answer is sent to the client's address.
const UNICAST: [u8; 2] = [0, 0];

/// How long a client waits after a refusal before it asks again.
const REFUSED: Duration = Duration::from_secs(10);

/// Option codes (RFC 2132).
mod option {
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const DNS: u8 = 6;
    pub(super) const HOST_NAME: u8 = 12;
    pub(super) const DOMAIN: u8 = 15;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const TYPE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const PARAMETERS: u8 = 55;
    pub(super) const RENEW: u8 = 58;
    pub(super) const REBIND: u8 = 59;
    pub(super) const CLIENT_ID: u8 = 61;
    pub(super) const PAD: u8 = 0;
    pub(super) const END: u8 = 255;
}

/// Message types.
mod kind {
    pub(super) const DISCOVER: u8 = 1;
    pub(super) const OFFER: u8 = 2;
    pub(super) const REQUEST: u8 = 3;
    pub(super) const DECLINE: u8 = 4;
    pub(super) const ACK: u8 = 5;
    pub(super) const NAK: u8 = 6;
    pub(super) const RELEASE: u8 = 7;
}

/// The lease that the server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Our address and its network.
    pub address: ipnet::Ipv4Net,
    /// Default router.
    pub router: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// The server that granted it.
    pub server: Ipv4Addr,
}

/// What the driver of the client must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Broadcast this IP packet on the link.
    Send(Vec<u8>),
    /// Send this message from UDP port 68 of our address to port 67 of the server, by the machine's
    /// routes.
    Unicast {
        /// Our address.
        from: Ipv4Addr,
        /// The server.
        to: Ipv4Addr,
        /// What follows the UDP header.
        message: Vec<u8>,
    },
    /// Use this address.
    Bound(Lease),
    /// Stop using the address.
    Lost,
}

#[derive(Clone, Debug)]
enum State {
    Selecting,
    /// INIT-REBOOT and REBOOTING: the client requests its previous address from any server.
    Rebooting {
        address: Ipv4Addr,
    },
    Requesting {
        offered: Ipv4Addr,
        server: Ipv4Addr,
    },
    Bound {
        lease: Lease,
        rebind: Instant,
        expires: Instant,
    },
}

/// The client of one interface.
pub struct Client {
    mac: [u8; 6],
    host_name: String,
    random: Random,
    transaction: u32,
    state: State,
    next: Instant,
    wait: Duration,
    effects: std::collections::VecDeque<Effect>,
}

impl Client {
    /// A client that starts at once.
    pub fn new(mac: [u8; 6], host_name: &str, seed: [u8; 32], now: Instant) -> Self {
        let mut random = Random::new(seed);
        Self {
            mac,
            host_name: host_name.to_string(),
            transaction: random.u32(),
            random,
            state: State::Selecting,
            next: now,
            wait: Duration::from_secs(1),
            effects: std::collections::VecDeque::new(),
        }
    }

    /// Starts with the leased address that the previous process held and did not release (RFC 2131
    /// section 3.2). If no server confirms it within a few seconds, the client starts over with
    /// DISCOVER.
    pub fn reboot(mut self, address: Ipv4Addr) -> Self {
        self.state = State::Rebooting { address };
        self
    }

    /// When the lease ends, if there is one.
    pub fn expires(&self) -> Option<Instant> {
        match &self.state {
            State::Bound { expires, .. } => Some(*expires),
            _ => None,
        }
    }

    /// The next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        self.next
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        match self.state.clone() {
            State::Selecting => {
                self.send(kind::DISCOVER, None, None, Ipv4Addr::UNSPECIFIED);
                self.back_off(now);
            }
            State::Rebooting { address } => {
                if self.wait > Duration::from_secs(4) {
                    self.restart(now);
                    return self.handle_timeout(now);
                }
                self.send(kind::REQUEST, Some(address), None, Ipv4Addr::UNSPECIFIED);
                self.back_off(now);
            }
            State::Requesting { offered, server } => {
                if self.wait > Duration::from_secs(8) {
                    self.restart(now);
                    return;
                }
                self.send(kind::REQUEST, Some(offered), Some(server), Ipv4Addr::UNSPECIFIED);
                self.back_off(now);
            }
            State::Bound { lease, rebind, expires, .. } => {
                if now >= expires {
                    self.effects.push_back(Effect::Lost);
                    self.restart(now);
                    return;
                }
                // first ask the server that granted the lease, then any
                self.transaction = self.random.u32();
                let until = if now < rebind {
                    // RENEWING: by unicast to the server that granted it
                    let (from, to) = (lease.address.addr(), lease.server);
                    let message = self.message(kind::REQUEST, None, None, from, UNICAST);
                    self.effects.push_back(Effect::Unicast { from, to, message });
                    rebind
                } else {
                    // REBINDING: by broadcast to any server
                    self.send(kind::REQUEST, None, None, lease.address.addr());
                    expires
                };
                // half of what remains, but not more often than once a minute (RFC 2131 section
                // 4.4.5)
                let half = until.since(now) / 2;
                self.next = (now + half.max(Duration::from_secs(60))).min(until);
            }
        }
    }

    /// Releases the lease.
    pub fn release(&mut self) {
        if let State::Bound { lease, .. } = &self.state {
            let (address, server) = (lease.address.addr(), lease.server);
            self.send(kind::RELEASE, None, Some(server), address);
        }
    }

    fn restart(&mut self, now: Instant) {
        self.state = State::Selecting;
        self.transaction = self.random.u32();
        self.wait = Duration::from_secs(1);
        self.next = now;
    }

    /// 1, 2, 4 … 64 seconds, each with up to a second more or less (RFC 2131 section 4.1).
    fn back_off(&mut self, now: Instant) {
        let jitter = Duration::from_millis(u64::from(self.random.u32() % 500));
        self.next = now + self.wait + jitter;
        self.wait = (self.wait * 2).min(Duration::from_secs(64));
    }

    /// Broadcasts a message on the link.
    fn send(&mut self, kind: u8, requested: Option<Ipv4Addr>, server: Option<Ipv4Addr>, own: Ipv4Addr) {
        let message = self.message(kind, requested, server, own, BROADCAST);
        let mut packet = ip::header(own, Ipv4Addr::BROADCAST, protocol::UDP, 0, message.len() + 8).to_vec();
        packet.extend(CLIENT_PORT.to_be_bytes());
        packet.extend(SERVER_PORT.to_be_bytes());
        packet.extend(crate::wire::reader::len16(message.len() + 8).to_be_bytes());
        // no UDP checksum, as IPv4 allows
        packet.extend([0, 0]);
        packet.extend(message);
        self.effects.push_back(Effect::Send(packet));
    }

    fn message(
        &self,
        kind: u8,
        requested: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
        own: Ipv4Addr,
        flags: [u8; 2],
    ) -> Vec<u8> {
        let mut message = vec![1, 1, 6, 0];
        message.extend(self.transaction.to_be_bytes());
        message.extend([0, 0]);
        message.extend(flags);
        message.extend(own.octets());
        message.resize(28, 0);
        message.extend(self.mac);
        message.resize(FIXED, 0);
        message.extend(COOKIE);
        message.extend([option::TYPE, 1, kind]);
        message.extend([option::CLIENT_ID, 7, 1]);
        message.extend(self.mac);
        for (code, address) in [(option::REQUESTED, requested), (option::SERVER, server)] {
            if let Some(address) = address {
                message.extend([code, 4]);
                message.extend(address.octets());
            }
        }
        let name = self.host_name.as_bytes().get(..self.host_name.len().min(63)).unwrap_or_default();
        if !name.is_empty() {
            message.extend([option::HOST_NAME, name.len() as u8]);
            message.extend(name);
        }
        message.extend([option::PARAMETERS, 6]);
        message.extend([
            option::MASK,
            option::ROUTER,
            option::DNS,
            option::LEASE,
            option::RENEW,
            option::REBIND,
        ]);
        message.push(option::END);
        message.resize(message.len().max(300), 0);
        message
    }

    /// An IP packet to the client's port was received on the link.
    pub fn handle(&mut self, now: Instant, packet: &[u8]) {
        let Some(message) = Message::parse(packet) else { return };
        if message.transaction != self.transaction || message.mac != self.mac {
            return;
        }
        match (&self.state, message.kind) {
            (State::Selecting, kind::OFFER) => {
                let Some(server) = message.server else { return };
                self.state = State::Requesting { offered: message.own, server };
                self.wait = Duration::from_secs(1);
                self.next = now;
                self.handle_timeout(now);
            }
            // ignore a confirmation of any address but the requested one
            (State::Rebooting { address }, kind::ACK) if message.own != *address => {}
            (State::Requesting { .. } | State::Rebooting { .. } | State::Bound { .. }, kind::ACK) => {
                self.bound(now, &message);
            }
            (State::Rebooting { .. }, kind::NAK) => {
                self.restart(now);
                self.handle_timeout(now);
            }
            (State::Requesting { .. }, kind::NAK) => {
                // a server that offers and refuses in turn must not make us flood the link
                self.restart(now);
                self.next = now + REFUSED;
            }
            // until T2, ignore a NAK from a server that did not grant the lease
            (State::Bound { lease, rebind, .. }, kind::NAK)
                if now < *rebind && message.server.is_some_and(|server| server != lease.server) => {}
            (State::Bound { .. }, kind::NAK) => {
                self.effects.push_back(Effect::Lost);
                self.restart(now);
            }
            _ => {}
        }
    }

    fn bound(&mut self, now: Instant, message: &Message) {
        let server = match &self.state {
            State::Requesting { server, .. } => message.server.unwrap_or(*server),
            State::Bound { lease, .. } => message.server.unwrap_or(lease.server),
            State::Rebooting { .. } => match message.server {
                Some(server) => server,
                None => return,
            },
            State::Selecting => return,
        };
        let usable =
            !message.own.is_unspecified() && !message.own.is_loopback() && !message.own.is_multicast();
        let mask = message.mask.unwrap_or(Ipv4Addr::new(255, 255, 255, 0));
        let Some(address) = ipnet::Ipv4Net::with_netmask(message.own, mask).ok().filter(|_| usable) else {
            return;
        };
        let lease = Lease { address, router: message.router, dns: message.dns.clone(), server };
        let seconds = message.lease.unwrap_or(3600).max(60);
        let total = Duration::from_secs(seconds.into());
        // unless 0 < T1 < T2 <= the lease time, both get their default values (RFC 2131 section
        // 4.4.5)
        let given = message.renew.zip(Some(message.rebind.unwrap_or(seconds / 8 * 7)));
        let (renew, rebind) = given
            .filter(|(renew, rebind)| 0 < *renew && renew < rebind && *rebind <= seconds)
            .map(|(renew, rebind)| (Duration::from_secs(renew.into()), Duration::from_secs(rebind.into())))
            .unwrap_or((total / 2, total * 7 / 8));
        let (renew, rebind) = (now + renew, now + rebind);
        let known = match &self.state {
            State::Bound { lease: known, .. } => Some(known.clone()),
            _ => None,
        };
        if known.as_ref() != Some(&lease) {
            if known.is_some() {
                self.effects.push_back(Effect::Lost);
            }
            self.effects.push_back(Effect::Bound(lease.clone()));
        }
        self.next = renew;
        self.wait = Duration::from_secs(1);
        self.state = State::Bound { lease, rebind, expires: now + total };
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dhcp::Client({:?})", self.state)
    }
}

/// A message of a server.
struct Message {
    transaction: u32,
    mac: [u8; 6],
    own: Ipv4Addr,
    kind: u8,
    mask: Option<Ipv4Addr>,
    router: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    lease: Option<u32>,
    renew: Option<u32>,
    rebind: Option<u32>,
}

impl Message {
    /// Parses a whole IP packet; the checksum is not verified, because a local sender may not have
    /// filled it in.
    fn parse(packet: &[u8]) -> Option<Self> {
        let view = Ipv4::parse(packet)?;
        let flow = view.flow();
        if view.protocol() != protocol::UDP || flow.destination_port != Some(CLIENT_PORT) {
            return None;
        }
        let body = view.payload().get(8..)?;
        let (fixed, rest) = body.split_at_checked(FIXED)?;
        let mut options = rest.strip_prefix(&COOKIE)?;
        let word = |at: usize| fixed.get(at..)?.first_chunk::<4>().copied();
        if fixed.first() != Some(&2) {
            return None;
        }
        let mut message = Self {
            transaction: u32::from_be_bytes(word(4)?),
            own: word(16)?.into(),
            mac: *fixed.get(28..)?.first_chunk()?,
            kind: 0,
            mask: None,
            router: None,
            dns: Vec::new(),
            server: None,
            lease: None,
            renew: None,
            rebind: None,
        };
        while let Some((code, rest)) = options.split_first() {
            if *code == option::PAD {
                options = rest;
                continue;
            }
            if *code == option::END {
                break;
            }
            let (length, rest) = rest.split_first()?;
            let (value, rest) = rest.split_at_checked(usize::from(*length))?;
            options = rest;
            let first = value.first_chunk::<4>().copied();
            let address = first.map(Ipv4Addr::from);
            let number = first.map(u32::from_be_bytes);
            match *code {
                option::TYPE => message.kind = *value.first()?,
                option::MASK => message.mask = address,
                option::ROUTER => message.router = address,
                option::DNS => {
                    message.dns = value
                        .chunks_exact(4)
                        .filter_map(|c| c.first_chunk::<4>().copied())
                        .map(Into::into)
                        .collect();
                }
                option::SERVER => message.server = address,
                option::LEASE => message.lease = number,
                option::RENEW => message.renew = number,
                option::REBIND => message.rebind = number,
                _ => {}
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// A server's answer to a packet of the client's.
    fn answer(request: &[u8], kind: u8, own: &str, lease: u32) -> Vec<u8> {
        let own: Ipv4Addr = own.parse().unwrap();
        let mut message = request[28..28 + FIXED].to_vec();
        message[0] = 2;
        message[16..20].copy_from_slice(&own.octets());
        message.extend(COOKIE);
        message.extend([option::TYPE, 1, kind, option::SERVER, 4, 10, 100, 2, 3]);
        message.extend([
            option::MASK,
            4,
            255,
            255,
            255,
            0,
            option::ROUTER,
            4,
            10,
            100,
            2,
            3,
            option::LEASE,
            4,
        ]);
        message.extend(lease.to_be_bytes());
        message.push(option::END);
        let server = Ipv4Addr::new(10, 100, 2, 3);
        let mut packet =
            ip::header(server, Ipv4Addr::BROADCAST, protocol::UDP, 0, message.len() + 8).to_vec();
        packet.extend([0, 67, 0, 68]);
        packet.extend(((message.len() + 8) as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(message);
        packet
    }

    fn sent(client: &mut Client) -> Vec<u8> {
        match client.poll() {
            Some(Effect::Send(packet)) => packet,
            // as it would be seen on the wire
            Some(Effect::Unicast { message, .. }) => [vec![0; 28], message].concat(),
            other => panic!("{other:?}"),
        }
    }

    fn bind(client: &mut Client, now: Instant, address: &str) -> Lease {
        client.handle_timeout(now);
        let discover = sent(client);
        client.handle(now, &answer(&discover, kind::OFFER, address, 600));
        let request = sent(client);
        client.handle(now, &answer(&request, kind::ACK, address, 600));
        match client.poll() {
            Some(Effect::Bound(lease)) => lease,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lease_is_taken_renewed_and_lost() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        let lease = bind(&mut client, start, "10.100.2.102");
        assert_eq!(lease.address.to_string(), "10.100.2.102/24");
        let renew = client.poll_timeout();
        assert_eq!(renew, start + Duration::from_secs(300));
        client.handle_timeout(renew);
        let request = sent(&mut client);
        client.handle(renew, &answer(&request, kind::ACK, "10.100.2.102", 600));
        assert_eq!(client.poll(), None, "nothing changed");
        let mut now = renew;
        while client.poll_timeout() < renew + Duration::from_secs(601) {
            now = client.poll_timeout();
            client.handle_timeout(now);
            if client.effects.contains(&Effect::Lost) {
                return;
            }
        }
        panic!("never lost, {now:?}");
    }

    /// RFC 2131 section 4.4.5: from T1 by unicast to the server that granted the lease, from T2 by
    /// broadcast to any server.
    #[test]
    fn a_renewal_is_sent_to_the_lender_and_a_rebinding_to_everybody() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        let lease = bind(&mut client, start, "10.100.2.102");
        let rebind = start + Duration::from_secs(600 * 7 / 8);
        let (mut unicasts, mut broadcasts) = (0, 0);
        while client.poll_timeout() < start + Duration::from_secs(600) {
            let now = client.poll_timeout();
            client.handle_timeout(now);
            match client.poll() {
                Some(Effect::Unicast { from, to, message }) => {
                    assert!(now < rebind);
                    assert_eq!((from, to), (lease.address.addr(), lease.server));
                    assert_eq!(message[10..12], UNICAST);
                    assert_eq!(message[12..16], from.octets());
                    unicasts += 1;
                }
                Some(Effect::Send(packet)) => {
                    assert!(now >= rebind);
                    assert_eq!(packet[28 + 12..28 + 16], lease.address.addr().octets());
                    broadcasts += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(unicasts > 1 && broadcasts > 0, "{unicasts} {broadcasts}");
    }

    /// RFC 2131 sections 3.2 and 4.3.2: the previous address is requested without naming a server.
    #[test]
    fn after_a_restart_the_address_of_last_time_is_asked_for() {
        let start = Instant::ORIGIN;
        let last = Ipv4Addr::new(10, 100, 2, 102);
        let fresh = || Client::new(MAC, "Spoke", [1; 32], start).reboot(last);
        let mut client = fresh();
        client.handle_timeout(start);
        let request = sent(&mut client);
        assert_eq!(request[28 + FIXED + 4 + 2], kind::REQUEST);
        assert!(request.windows(6).any(|at| at == [option::REQUESTED, 4, 10, 100, 2, 102]));
        assert!(!request.windows(2).any(|at| at == [option::SERVER, 4]), "no server is named");
        client.handle(start, &answer(&request, kind::ACK, "10.100.2.103", 600));
        assert_eq!(client.poll(), None, "another address was not asked for");
        client.handle(start, &answer(&request, kind::ACK, "10.100.2.102", 600));
        assert!(matches!(client.poll(), Some(Effect::Bound(lease)) if lease.address.addr() == last));
        // the client starts over at once if refused, and within ten seconds if not answered
        let mut client = fresh();
        client.handle_timeout(start);
        let request = sent(&mut client);
        client.handle(start, &answer(&request, kind::NAK, "0.0.0.0", 0));
        assert_eq!(sent(&mut client)[28 + FIXED + 4 + 2], kind::DISCOVER);
        let mut client = fresh();
        let mut kinds = Vec::new();
        while client.poll_timeout() < start + Duration::from_secs(10) {
            client.handle_timeout(client.poll_timeout());
            kinds.push(sent(&mut client)[28 + FIXED + 4 + 2]);
        }
        assert_eq!(kinds.first(), Some(&kind::REQUEST));
        assert_eq!(kinds.last(), Some(&kind::DISCOVER), "{kinds:?}");
    }

    #[test]
    fn another_address_replaces_the_first() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        bind(&mut client, start, "10.100.2.102");
        let renew = client.poll_timeout();
        client.handle_timeout(renew);
        let request = sent(&mut client);
        client.handle(renew, &answer(&request, kind::NAK, "0.0.0.0", 0));
        assert_eq!(client.poll(), Some(Effect::Lost));
        assert_eq!(bind(&mut client, renew, "10.100.2.103").address.addr().to_string(), "10.100.2.103");
    }

    /// A server that offers and then refuses must not make us flood the link (RFC 2131 section 3.1,
    /// item 5).
    #[test]
    fn refusals_are_answered_slowly() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        let mut sent = 0;
        client.handle_timeout(start);
        while let Some(effect) = client.poll() {
            let Effect::Send(packet) = effect else { continue };
            sent += 1;
            assert!(sent < 20, "more than 20 messages in no time");
            let discover = packet[28 + FIXED + 4 + 2] == kind::DISCOVER;
            let reply = if discover { kind::OFFER } else { kind::NAK };
            client.handle(start, &answer(&packet, reply, "10.100.2.102", 600));
            client.handle_timeout(start);
        }
    }

    /// Before T2, only the server that granted the lease may revoke it: others do not know it.
    #[test]
    fn another_servers_refusal_takes_no_lease_away() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        bind(&mut client, start, "10.100.2.102");
        let renew = client.poll_timeout();
        client.handle_timeout(renew);
        let request = sent(&mut client);
        let mut refusal = answer(&request, kind::NAK, "0.0.0.0", 0);
        let server = refusal.windows(6).position(|at| at == [option::SERVER, 4, 10, 100, 2, 3]).unwrap();
        refusal[server + 5] = 99;
        client.handle(renew, &refusal);
        assert_eq!(client.poll(), None);
    }

    /// T1 = 0 makes no sense: an acknowledged renewal must not be followed by the next one at once.
    #[test]
    fn a_renewal_time_of_zero_is_not_believed() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        client.handle_timeout(start);
        let discover = sent(&mut client);
        client.handle(start, &answer(&discover, kind::OFFER, "10.100.2.102", 600));
        let request = sent(&mut client);
        let mut ack = answer(&request, kind::ACK, "10.100.2.102", 600);
        ack.pop();
        ack.extend([option::RENEW, 4, 0, 0, 0, 0, option::END]);
        let length = ack.len() as u16;
        ack[2..4].copy_from_slice(&length.to_be_bytes());
        client.handle(start, &ack);
        assert!(matches!(client.poll(), Some(Effect::Bound(_))));
        assert!(client.poll_timeout() > start, "the next renewal is due at once");
    }

    #[test]
    fn other_clients_answers_are_left_alone() {
        let start = Instant::ORIGIN;
        let mut client = Client::new(MAC, "Spoke", [1; 32], start);
        client.handle_timeout(start);
        let discover = sent(&mut client);
        let mut offer = answer(&discover, kind::OFFER, "10.100.2.102", 600);
        offer[28 + 4] ^= 1;
        client.handle(start, &offer);
        assert_eq!(client.poll(), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut client = Client::new(MAC, "Spoke", [1; 32], Instant::ORIGIN);
            client.handle(Instant::ORIGIN, &bytes);
        }
    }
}
