//! `ip address dhcp`: runs the DHCP client of each such interface over a packet socket, and puts
//! its leases on the links. A thread for each link reads the socket, and the packets reach the
//! clients through the gateway's inbox. The gateway runs their timers.

use crate::base::inbox::Inbox;
use crate::base::message::LinkPacket;
use crate::base::store::{DHCP_CLIENT, Store, wall_clock};
use crate::machine::dhcp_packets::{Stop, Waiting, receive};
use crate::supervise::{Heart, Supervisor};
use hubward_config::model::{Addressing, Config};
use hubward_linux::link::Link;
use hubward_linux::marks::FWMARK;
use hubward_linux::netlink::Netlink;
use hubward_linux::packet_socket::{BROADCAST, ETHERTYPE_IPV4, Layer, PacketSocket, udp_port_filter};
use hubward_linux::udp::UdpSocket;
use hubward_linux::{SocketOptions, link, random};
use hubward_proto::dhcp::{Client, Effect, Lease};
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The clients of all interfaces.
pub(crate) struct Clients {
    running: BTreeMap<String, Running>,
    /// The links whose clients could not start.
    waiting: Waiting,
    /// Leases that were not released, by the link's name: the address, and the end of the lease in
    /// seconds since 1970.
    store: Store,
    supervisor: Arc<Supervisor>,
    gateway: Arc<Inbox>,
}

struct Running {
    client: Client,
    /// The index of the link: one that is made again has another.
    index: u32,
    /// The socket that the link's thread reads.
    socket: Arc<PacketSocket>,
    /// Ends that thread.
    _stop: Stop,
    lease: Option<Lease>,
    /// When the stored lease ends.
    stored: Option<Instant>,
}

/// What changed for an interface (by its Linux name).
pub(crate) enum Change {
    Bound(String, Lease),
    Lost(String, Lease),
}

impl Running {
    /// Releases the lease.
    fn release(&mut self) {
        self.client.release();
        self.stored = None;
        while let Some(Effect::Send(packet)) = self.client.poll() {
            let _lost = self.socket.send(&packet, BROADCAST);
        }
    }
}

impl Clients {
    /// Starts with no clients.
    pub(crate) fn new(store: Store, supervisor: Arc<Supervisor>, gateway: Arc<Inbox>) -> Self {
        Self { running: BTreeMap::new(), waiting: Waiting::default(), store, supervisor, gateway }
    }

    /// Stores the leases that changed, so that the next process asks for the same addresses after a
    /// crash.
    fn remember(&mut self, now: Instant) {
        let mut rows = Vec::new();
        for (name, running) in &mut self.running {
            let expires = running.client.expires();
            if expires == running.stored {
                continue;
            }
            running.stored = expires;
            rows.push((
                name.clone(),
                running.lease.as_ref().zip(expires).map(|(lease, expires)| {
                    let until = (wall_clock() + expires.since(now)).as_secs();
                    [&lease.address.addr().octets()[..], &until.to_be_bytes()].concat()
                }),
            ));
        }
        self.store.write_soon(DHCP_CLIENT, rows);
    }

    fn forget(&self, name: &str) {
        self.store.write_soon(DHCP_CLIENT, vec![(name.to_string(), None)]);
    }

    /// Starts a client for each interface that is configured for one and has a link. An address
    /// that is already there is left to the client that set it.
    pub(crate) fn start(
        &mut self,
        config: &Config,
        names: &BTreeMap<String, String>,
        adopted: impl Fn(&str) -> bool,
        now: Instant,
    ) -> anyhow::Result<()> {
        let netlink = Netlink::open()?;
        let remembered = self.store.rows(DHCP_CLIENT);
        let mut waiting = Waiting::tried_at(now);
        for interface in &config.interfaces {
            let Some(name) = names.get(&interface.name) else { continue };
            if interface.address != Addressing::Dhcp || interface.shutdown || self.running.contains_key(name)
            {
                continue;
            }
            if adopted(name) {
                tracing::info!("{} ({name}) has an address already; it is adopted", interface.name);
                continue;
            }
            let link = match link::by_name(&netlink, name) {
                Ok(link) => link,
                Err(error) => {
                    let why = (!error.is_not_found()).then(|| error.to_string());
                    waiting.note(name, why);
                    continue;
                }
            };
            let Some(mac) = link.mac else {
                tracing::warn!("{} ({name}) has no Ethernet address, so no DHCP", interface.name);
                continue;
            };
            let before = remembered.get(name).and_then(|row| still_lent(row));
            match self.begin(config, name, link.index, mac, before, now) {
                Ok(running) => drop(self.running.insert(name.clone(), running)),
                Err(error) => waiting.note(name, Some(format!("{error:#}"))),
            }
        }
        self.waiting.replace(waiting, "no DHCP client");
        Ok(())
    }

    /// Starts the client of a link, which asks for the address that it had before.
    fn begin(
        &self,
        config: &Config,
        name: &str,
        index: u32,
        mac: [u8; 6],
        before: Option<Ipv4Addr>,
        now: Instant,
    ) -> anyhow::Result<Running> {
        let filter = udp_port_filter(68);
        let socket = Arc::new(PacketSocket::open(index, Layer::Network, ETHERTYPE_IPV4, &filter)?);
        let mut client =
            Client::new(mac, config.hostname.as_deref().unwrap_or_default(), random::seed()?, now);
        let stop = self.listen(name, Arc::clone(&socket))?;
        if let Some(address) = before {
            tracing::info!("{name} asks for {address}, which it had before");
            client = client.reboot(address);
        }
        Ok(Running { client, index, socket, _stop: stop, lease: None, stored: None })
    }

    /// Starts the thread that reads a link's packets.
    fn listen(&self, name: &str, socket: Arc<PacketSocket>) -> std::io::Result<Stop> {
        let (stop, gateway, link) = (Stop::default(), Arc::clone(&self.gateway), Arc::<str>::from(name));
        let stopped = stop.flag();
        self.supervisor.spawn("dhcp-client", move |heart: &Heart| {
            let take = |buffer: &mut [u8]| socket.recv(buffer).map(|packet| packet.length);
            receive(heart, &*socket, take, &stopped, |bytes| {
                gateway.dhcp(LinkPacket { link: Arc::clone(&link), bytes: bytes.to_vec() });
            });
        })?;
        Ok(stop)
    }

    /// Handles a packet that arrived on a link; [`Self::step`] returns what follows from it.
    pub(crate) fn packet(&mut self, now: Instant, packet: &LinkPacket) {
        // the client may have ended meanwhile
        if let Some(running) = self.running.get_mut(&*packet.link) {
            running.client.handle(now, &packet.bytes);
        }
    }

    /// Ends the clients of interfaces that have none in another configuration, and their leases.
    pub(crate) fn stop_unwanted(&mut self, config: &Config, names: &BTreeMap<String, String>) -> Vec<Change> {
        let wanted: Vec<_> = config
            .interfaces
            .iter()
            .filter(|interface| interface.address == Addressing::Dhcp && !interface.shutdown)
            .filter_map(|interface| names.get(&interface.name))
            .collect();
        let all = std::mem::take(&mut self.running);
        let (kept, ended) = all.into_iter().partition(|(name, _)| wanted.contains(&name));
        self.running = kept;
        let mut changes = Vec::new();
        for (name, mut running) in ended {
            running.release();
            self.forget(&name);
            changes.extend(running.lease.take().map(|lease| Change::Lost(name, lease)));
        }
        changes
    }

    /// Whether [`Self::start`] has something to do: a link was made again, so that a client's socket
    /// is of the old one, or has appeared, or it is time to try one with an error again.
    pub(crate) fn misses(&self, links: &[Link], now: Instant) -> bool {
        links.iter().any(|link| {
            let running = self.running.get(&link.name);
            running.is_some_and(|running| running.index != link.index)
                || self.waiting.for_link(&link.name, now)
        })
    }

    /// Ends the clients whose link was made again, and their leases. The next client of the link
    /// asks for the same address.
    pub(crate) fn stop_stranded(&mut self, links: &[Link]) -> Vec<Change> {
        let ended = self.running.extract_if(.., |name, running| {
            links.iter().any(|link| link.name == *name && link.index != running.index)
        });
        ended.filter_map(|(name, running)| Some(Change::Lost(name, running.lease?))).collect()
    }

    /// The next moment at which a client has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.running.values().map(|running| running.client.poll_timeout()).min()
    }

    /// Does what is due, and returns what changed.
    pub(crate) fn step(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, running) in &mut self.running {
            running.client.handle_timeout(now);
            while let Some(effect) = running.client.poll() {
                match effect {
                    Effect::Send(packet) => {
                        if let Err(error) = running.socket.send(&packet, BROADCAST) {
                            tracing::debug!("DHCP on {name}: {error}");
                        }
                    }
                    Effect::Unicast { from, to, message } => {
                        if let Err(error) = unicast(from, to, &message) {
                            tracing::debug!("DHCP on {name}: {error}");
                        }
                    }
                    Effect::Bound(lease) => {
                        running.lease = Some(lease.clone());
                        changes.push(Change::Bound(name.clone(), lease));
                    }
                    Effect::Lost => {
                        changes.extend(running.lease.take().map(|lease| Change::Lost(name.clone(), lease)))
                    }
                }
            }
        }
        self.remember(now);
        changes
    }

    /// Releases every lease.
    pub(crate) fn release(&mut self) {
        for running in self.running.values_mut() {
            running.release();
        }
        for name in self.running.keys() {
            self.forget(name);
        }
    }
}

/// The address of a stored lease, while it lasts.
fn still_lent(row: &[u8]) -> Option<Ipv4Addr> {
    let (address, until) = row.split_first_chunk::<4>()?;
    let until = u64::from_be_bytes(*until.first_chunk::<8>()?);
    (wall_clock().as_secs() < until).then(|| Ipv4Addr::from(*address))
}

/// Sends a renewal from port 68; the packet socket receives the answer. The mark keeps it out of
/// the tunnels.
fn unicast(from: Ipv4Addr, to: Ipv4Addr, message: &[u8]) -> anyhow::Result<()> {
    let options = SocketOptions { mark: Some(FWMARK), interface: None, buffer: 64 << 10 };
    let socket = UdpSocket::bind(SocketAddr::from((from, 68)), &options)?;
    socket.send_to(message, SocketAddr::from((to, 67)), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_linux::privilege;
    use std::time::Duration;

    /// A link whose socket cannot be opened keeps no other from starting, and both are tried again.
    #[test]
    fn a_link_with_an_error_is_not_forgotten_and_neither_are_those_behind_it() {
        let thread = std::thread::spawn(|| {
            // without capabilities no packet socket opens
            privilege::keep_only(&[]).unwrap();
            let config = hubward_config::parse(
                "interface FastEthernet0/0\n ip address dhcp\ninterface FastEthernet0/1\n ip address dhcp\n",
            );
            let names = [("FastEthernet0/0", "lo"), ("FastEthernet0/1", "absent9")];
            let names: BTreeMap<_, _> =
                names.into_iter().map(|(ios, linux)| (ios.to_string(), linux.to_string())).collect();
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let mut clients = Clients::new(store, Supervisor::new(), Arc::new(Inbox::default()));
            let links = link::list(&Netlink::open().unwrap()).unwrap();
            let at = |seconds: u64| Instant::default() + Duration::from_secs(seconds);
            for begin in [0, 10] {
                clients.start(&config.config, &names, |_| false, at(begin)).unwrap();
                assert!(clients.running.is_empty());
                assert!(!clients.misses(&links, at(begin + 9)), "not each second");
                assert!(clients.misses(&links, at(begin + 10)), "the first link is tried again");
                assert!(clients.waiting.for_link("absent9", at(begin)), "the one behind it may come");
            }
        });
        thread.join().unwrap();
    }
}
