//! The small DHCP server of `ip dhcp pool` (RFC 2131), sans-IO: one pool on one link.

use super::{CLIENT_PORT, COOKIE, FIXED, SERVER_PORT, kind, option};
use crate::time::Instant;
use crate::wire::ip::{self, Ipv4, protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long an offered address is reserved for the client that it was offered to.
const OFFER: Duration = Duration::from_secs(30);

/// The longest time for which an address is not leased after a client found it in use on the link.
const DECLINED: Duration = Duration::from_secs(3600);

/// `ip dhcp pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// `network`.
    pub network: ipnet::Ipv4Net,
    /// Our address on the link, which is the server identifier.
    pub server: Ipv4Addr,
    /// `ip dhcp excluded-address`, inclusive ranges.
    pub excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// `default-router`.
    pub routers: Vec<Ipv4Addr>,
    /// `dns-server`.
    pub dns: Vec<Ipv4Addr>,
    /// `domain-name`.
    pub domain: Option<String>,
    /// `lease`.
    pub lease: Duration,
    /// Whether addresses of the network are leased to any client; otherwise only those of `fixed`
    /// are.
    pub dynamic: bool,
    /// `host`: addresses that belong to one client and are never leased to another.
    pub fixed: Vec<Fixed>,
}

/// An `ip dhcp pool` with `host`. Options that it does not set are those of the pool of its
/// network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// `host`.
    pub address: Ipv4Addr,
    /// Whose it is.
    pub client: FixedClient,
    /// `default-router`.
    pub routers: Vec<Ipv4Addr>,
    /// `dns-server`.
    pub dns: Vec<Ipv4Addr>,
    /// `domain-name`.
    pub domain: Option<String>,
}

/// How the client of a fixed address is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixedClient {
    /// `hardware-address`: any client identifier is accepted.
    Hardware([u8; 6]),
    /// `client-identifier`: option 61, or for a client without one the byte 01 and its hardware
    /// address.
    Identifier(Vec<u8>),
}

/// Who has an address: the client identifier, or the hardware address.
pub type Owner = Vec<u8>;

/// A lease that survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose it is; empty if the address was declined.
    pub owner: Owner,
    /// When it ends; after that the address stays reserved for its owner until another client needs
    /// it.
    pub until: Instant,
}

/// Leases and offers, found by their address, owner and end: a request costs about as much with one
/// as with very many.
#[derive(Debug, Default)]
struct Leases {
    all: BTreeMap<Ipv4Addr, (Owner, Instant)>,
    of: BTreeSet<(Owner, Ipv4Addr)>,
    by_end: BTreeSet<(Instant, Ipv4Addr)>,
}

impl Leases {
    fn get(&self, address: Ipv4Addr) -> Option<&(Owner, Instant)> {
        self.all.get(&address)
    }

    fn insert(&mut self, address: Ipv4Addr, owner: Owner, until: Instant) {
        self.remove(address);
        self.of.insert((owner.clone(), address));
        self.by_end.insert((until, address));
        self.all.insert(address, (owner, until));
    }

    fn remove(&mut self, address: Ipv4Addr) {
        if let Some((owner, until)) = self.all.remove(&address) {
            self.of.remove(&(owner, address));
            self.by_end.remove(&(until, address));
        }
    }

    /// The addresses of an owner, the lowest first.
    fn of(&self, owner: &Owner) -> impl Iterator<Item = Ipv4Addr> {
        let from = (owner.clone(), Ipv4Addr::UNSPECIFIED);
        self.of.range(from..=(owner.clone(), Ipv4Addr::BROADCAST)).map(|(_, address)| *address)
    }

    /// What has ended, the earliest first.
    fn ended(&self, now: Instant) -> impl Iterator<Item = Ipv4Addr> {
        self.by_end.range(..=(now, Ipv4Addr::BROADCAST)).map(|(_, address)| *address)
    }
}

/// The server.
#[derive(Debug)]
pub struct Server {
    pool: Pool,
    leases: Leases,
    /// The leases that were granted and not only offered.
    confirmed: BTreeMap<Ipv4Addr, Binding>,
    /// Those of them that changed since [`Server::take_changes`].
    changed: BTreeSet<Ipv4Addr>,
    /// Every lower address of the network was leased, or is never; `None` at the end.
    next: Option<Ipv4Addr>,
    /// Lower addresses that are nobody's again.
    holes: BTreeSet<Ipv4Addr>,
}

impl Server {
    /// Without leases.
    pub fn new(pool: Pool) -> Self {
        let next = Some(pool.network.network());
        Self {
            pool,
            leases: Leases::default(),
            confirmed: BTreeMap::new(),
            changed: BTreeSet::new(),
            next,
            holes: BTreeSet::new(),
        }
    }

    /// With the leases of the previous process. Addresses that the pool no longer leases are
    /// dropped.
    pub fn with_bindings(pool: Pool, bindings: impl IntoIterator<Item = (Ipv4Addr, Binding)>) -> Self {
        let mut server = Self::new(pool);
        for (address, binding) in bindings {
            if server.lends(address) || server.pool.fixed.iter().any(|fixed| fixed.address == address) {
                server.leases.insert(address, binding.owner.clone(), binding.until);
                server.confirmed.insert(address, binding);
            }
        }
        server
    }

    /// The leases to save, so that a restart does not lease an address twice.
    pub fn bindings(&self) -> &BTreeMap<Ipv4Addr, Binding> {
        &self.confirmed
    }

    /// The leases that were granted or ended since the last time, for whoever saves them; `None`
    /// for those that are nobody's any more.
    pub fn take_changes(&mut self) -> Vec<(Ipv4Addr, Option<Binding>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|address| (address, self.confirmed.get(&address).cloned())).collect()
    }

    fn lend(&mut self, address: Ipv4Addr, owner: Owner, until: Instant) {
        self.keep(address, owner.clone(), until);
        self.confirmed.insert(address, Binding { owner, until });
        self.changed.insert(address);
    }

    fn keep(&mut self, address: Ipv4Addr, owner: Owner, until: Instant) {
        self.holes.remove(&address);
        self.leases.insert(address, owner, until);
    }

    fn forget(&mut self, owner: &Owner) {
        for address in self.leases.of(owner).collect::<Vec<_>>() {
            self.leases.remove(address);
            if self.next.is_none_or(|next| address < next) {
                self.holes.insert(address);
            }
            if self.confirmed.get(&address).is_some_and(|binding| binding.owner == *owner) {
                self.confirmed.remove(&address);
                self.changed.insert(address);
            }
        }
    }

    /// The fixed address of a client.
    fn fixed(&self, request: &Request) -> Option<&Fixed> {
        self.pool.fixed.iter().find(|fixed| match &fixed.client {
            FixedClient::Hardware(mac) => *mac == request.mac,
            FixedClient::Identifier(identifier) => {
                *identifier == request.owner || *identifier == [&[1][..], &request.owner].concat()
            }
        })
    }

    /// Addresses that are leased or offered at this moment.
    pub fn lent(&self, now: Instant) -> Vec<Ipv4Addr> {
        self.leases.all.iter().filter(|(_, (_, until))| *until > now).map(|(address, _)| *address).collect()
    }

    /// An IP packet to the server's port was received on the link; the answer must be broadcast
    /// there.
    pub fn handle(&mut self, now: Instant, packet: &[u8]) -> Option<Vec<u8>> {
        let request = Request::parse(packet)?;
        // a client that names another server does not address us
        let for_us = request.server.is_none_or(|server| server == self.pool.server);
        match request.kind {
            kind::DISCOVER => {
                let address = self.choose(now, &request)?;
                // an offer must not shorten the lease that the client may still hold
                let held = self.leases.get(address).filter(|(owner, _)| *owner == request.owner);
                let until = held.map_or(now + OFFER, |(_, until)| (*until).max(now + OFFER));
                self.keep(address, request.owner.clone(), until);
                Some(self.answer(&request, kind::OFFER, Some(address)))
            }
            kind::REQUEST if for_us => {
                let wanted = request.wanted.or(request.current)?;
                let free = self
                    .leases
                    .get(wanted)
                    .is_none_or(|(owner, until)| *owner == request.owner || *until <= now);
                let allowed = match self.fixed(&request) {
                    Some(fixed) => fixed.address == wanted,
                    None => self.lends(wanted) && free,
                };
                if !allowed {
                    return Some(self.answer(&request, kind::NAK, None));
                }
                self.forget(&request.owner);
                self.lend(wanted, request.owner.clone(), now + self.pool.lease);
                Some(self.answer(&request, kind::ACK, Some(wanted)))
            }
            kind::REQUEST => {
                // it took another server's offer
                self.forget(&request.owner);
                None
            }
            kind::DECLINE if for_us => {
                // another machine uses the address: it is not leased for a while, but only its
                // holder may decline it
                let declined = request.wanted?;
                self.leases.get(declined).filter(|(owner, _)| *owner == request.owner)?;
                self.lend(declined, Owner::new(), now + self.pool.lease.min(DECLINED));
                None
            }
            kind::RELEASE if for_us => {
                // reserved for its owner, but free for others
                for address in self.leases.of(&request.owner).collect::<Vec<_>>() {
                    self.leases.insert(address, request.owner.clone(), now);
                    let confirmed = self.confirmed.get_mut(&address);
                    if let Some(binding) = confirmed.filter(|binding| binding.owner == request.owner) {
                        binding.until = now;
                        self.changed.insert(address);
                    }
                }
                None
            }
            _ => None,
        }
    }

    fn lends(&self, address: Ipv4Addr) -> bool {
        let network = self.pool.network;
        self.pool.dynamic
            && network.contains(&address)
            && !self.pool.fixed.iter().any(|fixed| fixed.address == address)
            && address != network.network()
            && address != network.broadcast()
            && address != self.pool.server
            && !self.pool.excluded.iter().any(|(low, high)| *low <= address && address <= *high)
    }

    /// The client's previous address, else the one that it requests, else the lowest that was never
    /// leased, else the one that has been free for the longest time.
    fn choose(&mut self, now: Instant, request: &Request) -> Option<Ipv4Addr> {
        if let Some(fixed) = self.fixed(request) {
            return Some(fixed.address);
        }
        let own = self.leases.of(&request.owner).next().filter(|own| self.lends(*own));
        let unused = |address: &Ipv4Addr| self.lends(*address) && self.leases.get(*address).is_none();
        own.or_else(|| request.wanted.filter(unused))
            .or_else(|| self.fresh())
            .or_else(|| self.leases.ended(now).find(|address| self.lends(*address)))
    }

    /// The lowest address that was never leased, or is nobody's again.
    fn fresh(&mut self) -> Option<Ipv4Addr> {
        let hole = self.holes.iter().copied().find(|hole| self.lends(*hole));
        // every address is passed once
        while let Some(next) = self.next.filter(|next| !self.lends(*next) || self.leases.get(*next).is_some())
        {
            let above = u32::from(next).checked_add(1).map(Ipv4Addr::from);
            self.next = above.filter(|above| self.pool.network.contains(above));
        }
        hole.or(self.next)
    }

    fn answer(&self, request: &Request, kind: u8, address: Option<Ipv4Addr>) -> Vec<u8> {
        let mut message = vec![2, 1, 6, 0];
        message.extend(request.transaction);
        message.extend([0, 0, 0x80, 0]);
        message.resize(16, 0);
        message.extend(address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
        message.resize(28, 0);
        message.extend(request.mac);
        message.resize(FIXED, 0);
        message.extend(COOKIE);
        message.extend([option::TYPE, 1, kind]);
        addresses(&mut message, option::SERVER, &[self.pool.server]);
        if address.is_some() {
            let seconds = u32::try_from(self.pool.lease.as_secs()).unwrap_or(u32::MAX);
            message.extend([option::LEASE, 4]);
            message.extend(seconds.to_be_bytes());
            addresses(&mut message, option::MASK, &[self.pool.network.netmask()]);
            let fixed = self.fixed(request);
            let of_host = |own: fn(&Fixed) -> &Vec<Ipv4Addr>| fixed.map(own).filter(|own| !own.is_empty());
            addresses(&mut message, option::ROUTER, of_host(|f| &f.routers).unwrap_or(&self.pool.routers));
            addresses(&mut message, option::DNS, of_host(|f| &f.dns).unwrap_or(&self.pool.dns));
            let domain = fixed.and_then(|fixed| fixed.domain.as_ref()).or(self.pool.domain.as_ref());
            let domain = domain.map(String::as_bytes).unwrap_or_default();
            let domain = domain.get(..domain.len().min(255)).unwrap_or_default();
            if !domain.is_empty() {
                message.extend([option::DOMAIN, domain.len() as u8]);
                message.extend(domain);
            }
        }
        message.push(option::END);
        message.resize(message.len().max(300), 0);
        let length = message.len() + 8;
        let mut packet = ip::header(self.pool.server, Ipv4Addr::BROADCAST, protocol::UDP, 0, length).to_vec();
        packet.extend(SERVER_PORT.to_be_bytes());
        packet.extend(CLIENT_PORT.to_be_bytes());
        packet.extend(crate::wire::reader::len16(length).to_be_bytes());
        // no UDP checksum, as IPv4 allows
        packet.extend([0, 0]);
        packet.extend(message);
        packet
    }
}

fn addresses(message: &mut Vec<u8>, code: u8, addresses: &[Ipv4Addr]) {
    let kept = addresses.get(..addresses.len().min(8)).unwrap_or_default();
    if !kept.is_empty() {
        message.extend([code, 4 * kept.len() as u8]);
        message.extend(kept.iter().flat_map(|address| address.octets()));
    }
}

/// A message of a client.
struct Request {
    transaction: [u8; 4],
    mac: [u8; 6],
    owner: Owner,
    kind: u8,
    /// Its current address.
    current: Option<Ipv4Addr>,
    wanted: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
}

impl Request {
    fn parse(packet: &[u8]) -> Option<Self> {
        let view = Ipv4::parse(packet)?;
        if view.protocol() != protocol::UDP || view.flow().destination_port != Some(SERVER_PORT) {
            return None;
        }
        let body = view.payload().get(8..)?;
        let (fixed, rest) = body.split_at_checked(FIXED)?;
        let mut options = rest.strip_prefix(&COOKIE)?;
        // only a request from Ethernet that was not relayed
        let relay = fixed.get(24..28)?;
        if fixed.get(..3)? != [1, 1, 6] || relay != [0; 4] {
            return None;
        }
        let mac: [u8; 6] = *fixed.get(28..)?.first_chunk()?;
        let current = Ipv4Addr::from(*fixed.get(12..)?.first_chunk::<4>()?);
        let mut request = Self {
            transaction: *fixed.get(4..)?.first_chunk()?,
            mac,
            owner: mac.to_vec(),
            kind: 0,
            current: Some(current).filter(|current| !current.is_unspecified()),
            wanted: None,
            server: None,
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
            let address = value.first_chunk::<4>().copied().map(Ipv4Addr::from);
            match *code {
                option::TYPE => request.kind = *value.first()?,
                option::REQUESTED => request.wanted = address,
                option::SERVER => request.server = address,
                option::CLIENT_ID if !value.is_empty() => request.owner = value.to_vec(),
                _ => {}
            }
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Client, Effect, Lease};
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn server() -> Server {
        Server::new(Pool {
            network: "10.100.2.0/24".parse().unwrap(),
            server: Ipv4Addr::new(10, 100, 2, 3),
            excluded: vec![(Ipv4Addr::new(10, 100, 2, 1), Ipv4Addr::new(10, 100, 2, 101))],
            routers: vec![Ipv4Addr::new(10, 100, 2, 3)],
            dns: vec![Ipv4Addr::new(1, 1, 1, 1)],
            domain: Some("example.org".into()),
            lease: Duration::from_secs(600),
            dynamic: true,
            fixed: Vec::new(),
        })
    }

    /// A fixed address belongs to its client, whatever the client and others request.
    #[test]
    fn a_fixed_address_is_one_clients() {
        let mac = [2, 0, 0, 0, 0, 9];
        let address = Ipv4Addr::new(10, 100, 2, 102);
        let by_hardware = FixedClient::Hardware(mac);
        let by_identifier = FixedClient::Identifier(vec![1, 2, 0, 0, 0, 0, 9]);
        for client in [by_hardware, by_identifier] {
            let mut server = server();
            let router = vec![Ipv4Addr::new(10, 100, 2, 4)];
            server.pool.fixed =
                vec![Fixed { address, client, routers: router, dns: Vec::new(), domain: None }];
            let mut other = Client::new([2, 0, 0, 0, 0, 1], "", [7; 32], at(0));
            assert_eq!(talk(&mut server, &mut other, at(0))[0].address.addr().octets()[3], 103);
            let lease = talk(&mut server, &mut Client::new(mac, "", [8; 32], at(0)), at(0)).remove(0);
            assert_eq!(lease.address.addr(), address);
            assert_eq!(lease.router, Some(Ipv4Addr::new(10, 100, 2, 4)), "its own option");
            assert_eq!(lease.dns, [Ipv4Addr::new(1, 1, 1, 1)], "the network's option");
            // a client that requests another's fixed address is refused and gets a different one
            let mut thief = Client::new([2, 0, 0, 0, 0, 3], "", [9; 32], at(1)).reboot(address);
            assert_eq!(talk(&mut server, &mut thief, at(1))[0].address.addr().octets()[3], 104);
        }
    }

    /// What this thread has used of the processor: other programs do not count.
    fn processor_time() -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    /// A network of hosts that all come, renew and go: a table that is searched for each packet
    /// would take minutes. No address is given twice.
    #[test]
    fn twenty_thousand_clients_cost_as_much_each_as_one() {
        let mut pool = server().pool;
        pool.network = "10.64.0.0/16".parse().unwrap();
        pool.server = Ipv4Addr::new(10, 64, 0, 1);
        pool.excluded = vec![(Ipv4Addr::new(10, 64, 0, 0), Ipv4Addr::new(10, 64, 3, 255))];
        let mut server = Server::new(pool);
        let client = |number: u32, second| {
            let [_, _, high, low] = number.to_be_bytes();
            Client::new([2, 0, 0, 0, high, low], "", [high ^ low; 32], at(second))
        };
        let mut given = BTreeSet::new();
        let mut quarters = Vec::new();
        for second in [0, 100] {
            for number in 0..20_000 {
                if number % 5_000 == 0 {
                    quarters.push(processor_time());
                }
                let lease = talk(&mut server, &mut client(number, second), at(second)).remove(0);
                assert_eq!(given.insert(lease.address.addr()), second == 0, "{number}");
            }
            assert_eq!(server.take_changes().len(), 20_000);
        }
        assert_eq!(given.first(), Some(&Ipv4Addr::new(10, 64, 4, 0)), "the lowest that is not excluded");
        assert_eq!(given.last(), Some(&Ipv4Addr::new(10, 64, 82, 31)), "and no gap");
        let cost = |quarter: usize| quarters[quarter + 1] - quarters[quarter];
        assert!(cost(3) < cost(0) * 4, "the first 5,000: {:?}, the last: {:?}", cost(0), cost(3));
    }

    /// What is saved is what changed, and nothing is saved twice.
    #[test]
    fn changes_are_told_once() {
        let mut server = server();
        let mut client = Client::new([2, 0, 0, 0, 0, 1], "", [7; 32], at(0));
        let address = talk(&mut server, &mut client, at(0))[0].address.addr();
        let changes = server.take_changes();
        assert!(
            matches!(&changes[..], [(changed, Some(binding))] if *changed == address && binding.until == at(600))
        );
        assert!(server.take_changes().is_empty());
        let owner = server.confirmed[&address].owner.clone();
        server.forget(&owner);
        assert_eq!(server.take_changes(), [(address, None)]);
        // what is nobody's again is the lowest
        let mut other = Client::new([2, 0, 0, 0, 0, 2], "", [8; 32], at(1));
        assert_eq!(talk(&mut server, &mut other, at(1))[0].address.addr(), address);
    }

    /// Leases survive a restart, except those of addresses that were excluded in the meantime.
    #[test]
    fn leases_outlive_a_restart() {
        let mut before = server();
        let mac = [2, 0, 0, 0, 0, 1];
        talk(&mut before, &mut Client::new(mac, "", [7; 32], at(0)), at(0));
        talk(&mut before, &mut Client::new([2, 0, 0, 0, 0, 2], "", [8; 32], at(0)), at(0));
        let kept = before.bindings().clone();
        assert_eq!(kept.len(), 2);
        let mut after = Server::with_bindings(before.pool.clone(), kept.clone());
        // an unknown client gets a free address, and the returning client gets its own
        let mut stranger = Client::new([2, 0, 0, 0, 0, 3], "", [9; 32], at(10));
        assert_eq!(talk(&mut after, &mut stranger, at(10))[0].address.addr().octets()[3], 104);
        let mut again = Client::new(mac, "", [6; 32], at(10)).reboot(Ipv4Addr::new(10, 100, 2, 102));
        assert_eq!(talk(&mut after, &mut again, at(10))[0].address.addr().octets()[3], 102);
        let mut excluding = before.pool.clone();
        excluding.excluded.push((Ipv4Addr::new(10, 100, 2, 102), Ipv4Addr::new(10, 100, 2, 103)));
        let mut after = Server::with_bindings(excluding, kept);
        assert!(after.bindings().is_empty());
        let mut again = Client::new(mac, "", [5; 32], at(10)).reboot(Ipv4Addr::new(10, 100, 2, 102));
        assert_eq!(talk(&mut after, &mut again, at(10))[0].address.addr().octets()[3], 104);
    }

    /// Runs our own client against the server until neither has anything to send.
    fn talk(server: &mut Server, client: &mut Client, now: Instant) -> Vec<Lease> {
        let mut bound = Vec::new();
        client.handle_timeout(now);
        while let Some(effect) = client.poll() {
            match effect {
                Effect::Send(packet) => {
                    if let Some(answer) = server.handle(now, &packet) {
                        client.handle(now, &answer);
                    }
                }
                Effect::Bound(lease) => bound.push(lease),
                Effect::Unicast { .. } | Effect::Lost => {}
            }
        }
        bound
    }

    #[test]
    fn our_own_client_gets_the_first_address_that_is_not_excluded() {
        let mut server = server();
        let mut client = Client::new([2, 0, 0, 0, 0, 1], "Spoke", [7; 32], at(0));
        let leases = talk(&mut server, &mut client, at(0));
        assert_eq!(leases.len(), 1);
        assert_eq!(leases[0].address.to_string(), "10.100.2.102/24");
        assert_eq!(leases[0].router, Some(Ipv4Addr::new(10, 100, 2, 3)));
        let mut other = Client::new([2, 0, 0, 0, 0, 2], "", [8; 32], at(1));
        assert_eq!(talk(&mut server, &mut other, at(1))[0].address.addr(), Ipv4Addr::new(10, 100, 2, 103));
        assert_eq!(server.lent(at(2)).len(), 2);
        assert!(server.lent(at(1000)).is_empty());
    }

    #[test]
    fn a_client_gets_its_address_again() {
        let mut server = server();
        for time in [0, 5000] {
            let mut first = Client::new([2, 0, 0, 0, 0, 1], "", [7; 32], at(time));
            assert_eq!(talk(&mut server, &mut first, at(time))[0].address.addr().octets()[3], 102);
            let mut second = Client::new([2, 0, 0, 0, 0, 2], "", [8; 32], at(time));
            assert_eq!(talk(&mut server, &mut second, at(time))[0].address.addr().octets()[3], 103);
            first.release();
            while let Some(Effect::Send(packet)) = first.poll() {
                assert!(server.handle(at(time), &packet).is_none());
            }
        }
    }

    /// The packets that a client sends when its timer is due.
    fn due(client: &mut Client, now: Instant) -> Vec<Vec<u8>> {
        client.handle_timeout(now);
        let mut sent = Vec::new();
        while let Some(effect) = client.poll() {
            if let Effect::Send(packet) = effect {
                sent.push(packet);
            }
        }
        sent
    }

    /// A DISCOVER alone does not shorten the lease that its client still holds (RFC 2131 section
    /// 4.3.1).
    #[test]
    fn a_discover_does_not_shorten_a_lease() {
        let mut server = server();
        let mac = [2, 0, 0, 0, 0, 1];
        talk(&mut server, &mut Client::new(mac, "", [7; 32], at(0)), at(0));
        let mut again = Client::new(mac, "", [8; 32], at(10));
        for packet in due(&mut again, at(10)) {
            assert!(server.handle(at(10), &packet).is_some());
        }
        assert_eq!(server.lent(at(100)).len(), 1, "lent until second 600");
    }

    /// An address that the client found in use on the link (DHCPDECLINE) is not offered again (RFC
    /// 2131 section 4.3.3).
    #[test]
    fn a_declined_address_is_not_offered_again() {
        let mut server = server();
        let mac = [2, 0, 0, 0, 0, 1];
        let mut client = Client::new(mac, "", [7; 32], at(0));
        let discover = due(&mut client, at(0)).remove(0);
        let offer = server.handle(at(0), &discover).unwrap();
        client.handle(at(0), &offer);
        let Some(Effect::Send(request)) = client.poll() else { panic!("no request") };
        let ack = server.handle(at(0), &request).unwrap();
        client.handle(at(0), &ack);
        let Some(Effect::Bound(first)) = client.poll() else { panic!("no lease") };
        // a DECLINE names the address and the server as a REQUEST does; only the type differs
        let mut decline = request;
        decline[28 + FIXED + 4 + 2] = kind::DECLINE;
        let mut stranger = decline.clone();
        // the last byte of the client identifier
        stranger[28 + FIXED + 4 + 3 + 8] ^= 1;
        assert!(server.handle(at(1), &stranger).is_none());
        let kept = talk(&mut server, &mut Client::new(mac, "", [8; 32], at(1)), at(1)).remove(0);
        assert_eq!(first.address, kept.address, "nobody declines for another");
        assert!(server.handle(at(1), &decline).is_none());
        let second = talk(&mut server, &mut Client::new(mac, "", [9; 32], at(2)), at(2)).remove(0);
        assert_ne!(first.address, second.address);
    }

    #[test]
    fn nonsense_is_not_answered() {
        let mut server = server();
        for length in 0..400 {
            assert!(server.handle(at(0), &vec![0x45; length]).is_none());
        }
    }
}
