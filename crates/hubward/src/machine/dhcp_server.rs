//! `ip dhcp pool`: a server on its own thread for each link whose address is in a pool's network.

use crate::base::clock::now;
use crate::base::family::v4;
use crate::base::store::{DHCP_SERVER, Store, wall_clock};
use crate::machine::dhcp_packets::{Stop, Waiting, receive};
use crate::supervise::{self, Heart, Supervisor};
use hubward_config::model::{Addressing, Config, DhcpLease, DhcpPool};
use hubward_linux::link::{self, Link};
use hubward_linux::netlink::Netlink;
use hubward_linux::packet_socket::{BROADCAST, ETHERTYPE_IPV4, Layer, PacketSocket, udp_port_filter};
use hubward_proto::dhcp::server::{Binding, Fixed, FixedClient, Pool, Server};
use hubward_proto::time::Instant;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

/// The default of `lease`.
const LEASE: Duration = Duration::from_secs(86_400);

/// The running servers; they end when this is dropped.
pub(crate) struct Servers {
    running: Vec<Serving>,
    /// The links whose servers could not start.
    waiting: Waiting,
    store: Store,
    supervisor: Arc<Supervisor>,
}

/// A server on its link.
struct Serving {
    interface: String,
    /// The name and index of its link: one that is made again has another index.
    link: (String, u32),
    pool: Pool,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.now();
        // the next server of the link should know its last leases; a disk that hangs blocks nobody
        supervise::join(self.thread.take().into_iter().collect());
    }
}

impl Servers {
    /// Starts with no servers.
    pub(crate) fn new(store: Store, supervisor: Arc<Supervisor>) -> Self {
        Self { running: Vec::new(), waiting: Waiting::default(), store, supervisor }
    }

    /// Whether [`Self::configure`] has something to do on these links: one was made again, so that a
    /// server's socket is of the old one, or has appeared, or it is time to try one with an error again.
    pub(crate) fn misses(&self, links: &[Link], now: Instant) -> bool {
        links.iter().any(|link| {
            let mut old = self.running.iter().map(|serving| &serving.link);
            old.any(|(name, index)| *name == link.name && *index != link.index)
                || self.waiting.for_link(&link.name, now)
        })
    }

    /// Ends the servers whose pool is gone or changed or whose link was made again, starts new ones,
    /// and leaves the rest alone.
    pub(crate) fn configure(
        &mut self,
        config: &Config,
        names: &BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let netlink = Netlink::open()?;
        let mut wanted = Vec::new();
        for configured in config.dhcp_pools.iter().filter(|_| !config.dhcp_off) {
            if configured.host.is_some() && !alone(config, configured) {
                continue;
            }
            match place(config, configured) {
                Some(placed) => wanted.push(placed),
                None => tracing::warn!(
                    "ip dhcp pool {}: no interface has an address in its network",
                    configured.name
                ),
            }
        }
        let links = link::list(&netlink)?;
        let mut waiting = Waiting::tried_at(now());
        let is = |serving: &Serving, placed: &(String, Pool)| {
            serving.interface == placed.0 && serving.pool == placed.1
        };
        self.running.retain(|serving| {
            let kept = wanted.iter().any(|placed| is(serving, placed));
            if kept {
                let (name, index) = &serving.link;
                return !links.iter().any(|link| link.name == *name && link.index != *index);
            }
            tracing::info!(
                "addresses of {} are lent on {} no longer",
                serving.pool.network,
                serving.interface
            );
            false
        });
        for (interface, pool) in wanted {
            let known = |serving: &Serving| serving.interface == interface && serving.pool == pool;
            if self.running.iter().any(known) {
                continue;
            }
            let Some(name) = names.get(&interface) else { continue };
            let Some(index) = links.iter().find(|link| link.name == *name).map(|link| link.index) else {
                waiting.note(name, None);
                continue;
            };
            match self.begin(&interface, (name.clone(), index), &pool) {
                Ok(serving) => self.running.push(serving),
                Err(error) => waiting.note(name, Some(format!("{error:#}"))),
            }
        }
        self.waiting.replace(waiting, "no DHCP server");
        Ok(())
    }

    /// Starts the server of a link.
    fn begin(&self, interface: &str, link: (String, u32), pool: &Pool) -> anyhow::Result<Serving> {
        let socket = PacketSocket::open(link.1, Layer::Network, ETHERTYPE_IPV4, &udp_port_filter(67))?;
        let stop = Stop::default();
        let server = Server::with_bindings(pool.clone(), stored(&self.store, now()));
        let written = Written { store: self.store.clone() };
        let stopped = stop.flag();
        let work = move |heart: &Heart| serve(heart, server, &socket, &written, &stopped);
        let thread = Some(self.supervisor.spawn("dhcp", work)?);
        tracing::info!("addresses of {} are lent on {interface}", pool.network);
        Ok(Serving { interface: interface.to_owned(), link, pool: pool.clone(), stop, thread })
    }
}

/// Whether a pool with `host` needs a server of its own: no pool with `network` contains its
/// address, and it is the first such pool of its link.
fn alone(config: &Config, configured: &DhcpPool) -> bool {
    let Some(address) = configured.host.map(|host| host.addr()) else { return false };
    let in_network =
        config.dhcp_pools.iter().any(|pool| pool.network.is_some_and(|net| net.contains(&address)));
    let link = |pool: &DhcpPool| place(config, pool).map(|(interface, _)| interface);
    let first = config.dhcp_pools.iter().find(|pool| pool.host.is_some() && link(pool) == link(configured));
    !in_network && first.is_some_and(|first| first.name == configured.name)
}

/// A pool with `host`, for the server of its network.
fn host(configured: &DhcpPool, network: Ipv4Net) -> Option<Fixed> {
    let address = configured.host?.addr();
    let client = match (&configured.client_identifier, configured.hardware) {
        (Some(identifier), _) => FixedClient::Identifier(identifier.clone()),
        (None, Some(mac)) => FixedClient::Hardware(mac),
        (None, None) => return None,
    };
    let options = (configured.routers.clone(), configured.dns.clone(), configured.domain.clone());
    let (routers, dns, domain) = options;
    network.contains(&address).then_some(Fixed { address, client, routers, dns, domain })
}

/// The interface that a pool serves, and the pool as the server knows it.
fn place(config: &Config, configured: &DhcpPool) -> Option<(String, Pool)> {
    let dynamic = configured.network;
    let inside = configured.host.map(|host| host.addr());
    let (interface, address) = config.interfaces.iter().find_map(|interface| match &interface.address {
        Addressing::Static(nets) if !interface.shutdown => {
            let serves = |net: &Ipv4Net| {
                dynamic.is_some_and(|network| network.contains(&net.addr()))
                    || inside.is_some_and(|host| net.contains(&host))
            };
            // DHCP is for IPv4 only
            nets.iter().copied().filter_map(v4).find(serves).map(|net| (interface, net))
        }
        _ => None,
    })?;
    let network = dynamic.unwrap_or(address).trunc();
    let fixed = config.dhcp_pools.iter().filter_map(|pool| host(pool, network)).collect();
    let pool = Pool {
        network,
        server: address.addr(),
        excluded: config.dhcp_excluded.clone(),
        routers: configured.routers.clone(),
        dns: configured.dns.clone(),
        domain: configured.domain.clone(),
        lease: match configured.lease {
            None => LEASE,
            // as the protocol writes it
            Some(DhcpLease::Infinite) => Duration::from_secs(u32::MAX.into()),
            Some(DhcpLease::Seconds(seconds)) => Duration::from_secs(seconds.into()),
        },
        dynamic: dynamic.is_some(),
        fixed,
    };
    Some((interface.name.clone(), pool))
}

/// The leases as they are in the database.
struct Written {
    store: Store,
}

impl Written {
    /// Stores what changed: by address, the end in seconds since 1970, then the owner. A client
    /// learns of its lease only after that.
    fn update(&self, now: Instant, changes: Vec<(Ipv4Addr, Option<Binding>)>) {
        let row = |binding: Binding| {
            let until = (wall_clock() + binding.until.since(now)).as_secs();
            [&until.to_be_bytes()[..], &binding.owner].concat()
        };
        let rows: Vec<_> =
            changes.into_iter().map(|(address, binding)| (address.to_string(), binding.map(row))).collect();
        self.store.write(DHCP_SERVER, &rows);
    }
}

/// The leases that an earlier server stored; expired ones are kept for their owners.
fn stored(store: &Store, now: Instant) -> Vec<(Ipv4Addr, Binding)> {
    store
        .rows(DHCP_SERVER)
        .into_iter()
        .filter_map(|(address, row)| {
            let (until, owner) = row.split_first_chunk::<8>()?;
            let left = Duration::from_secs(u64::from_be_bytes(*until)).saturating_sub(wall_clock());
            Some((address.parse().ok()?, Binding { owner: owner.to_vec(), until: now + left }))
        })
        .collect()
}

fn serve(heart: &Heart, mut server: Server, socket: &PacketSocket, written: &Written, stop: &AtomicBool) {
    let take = |buffer: &mut [u8]| socket.recv(buffer).map(|packet| packet.length);
    receive(heart, socket, take, stop, |bytes| {
        let answer = server.handle(now(), bytes);
        heart.away(|| written.update(now(), server.take_changes()));
        if let Some(answer) = answer
            && let Err(error) = socket.send(&answer, BROADCAST)
        {
            tracing::debug!("a DHCP answer was not sent: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_serves_the_link_that_lies_in_its_network() {
        let text = "ip dhcp excluded-address 10.2.2.1 10.2.2.9\nip dhcp pool lan\n network 10.2.2.0 255.255.255.0\n \
                    default-router 10.2.2.2\ninterface FastEthernet0/1\n ip address 10.2.2.2 255.255.255.0\n";
        let config = hubward_config::parse(text).config;
        let (interface, pool) = place(&config, &config.dhcp_pools[0]).unwrap();
        assert_eq!(interface, "FastEthernet0/1");
        assert_eq!(pool.network.to_string(), "10.2.2.0/24");
        assert_eq!(pool.excluded.len(), 1);
        assert_eq!(pool.lease, LEASE);
    }
}
