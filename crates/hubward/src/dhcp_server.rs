//! `ip dhcp pool`: a server on each link whose address lies in a pool's network, on a thread of its own.

use crate::dataplane::now;
use hubward_config::model::{Addressing, Config, DhcpPool};
use hubward_linux::link;
use hubward_linux::netlink::Netlink;
use hubward_linux::packet_socket::{BROADCAST, ETHERTYPE_IPV4, Layer, PacketSocket, udp_port_filter};
use hubward_proto::dhcp::server::{Pool, Server};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// `lease` when it is not said.
const LEASE: Duration = Duration::from_secs(86_400);

/// The running servers; they end when this is dropped.
#[derive(Default)]
pub(crate) struct Servers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

impl Servers {
    /// Starts the servers of a configuration.
    pub(crate) fn start(config: &Config, names: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let netlink = Netlink::open()?;
        let mut servers = Self::default();
        for configured in &config.dhcp_pools {
            let Some((interface, pool)) = place(config, configured) else {
                tracing::warn!(
                    "ip dhcp pool {}: no interface has an address in its network",
                    configured.name
                );
                continue;
            };
            let Some(name) = names.get(&interface) else { continue };
            let index = link::by_name(&netlink, name)?.index;
            let socket = PacketSocket::open(index, Layer::Network, ETHERTYPE_IPV4, &udp_port_filter(67))?;
            tracing::info!(
                "ip dhcp pool {}: addresses of {} are lent on {interface}",
                configured.name,
                pool.network
            );
            let (server, stop) = (Server::new(pool), Arc::clone(&servers.stop));
            let thread = std::thread::Builder::new().name("dhcp".into());
            servers.threads.push(thread.spawn(move || serve(server, &socket, &stop))?);
        }
        Ok(servers)
    }
}

/// The interface that a pool serves, and the pool as the server knows it.
fn place(config: &Config, configured: &DhcpPool) -> Option<(String, Pool)> {
    let network = configured.network?;
    let (interface, address) = config.interfaces.iter().find_map(|interface| match &interface.address {
        Addressing::Static(nets) if !interface.shutdown => {
            nets.iter().find(|net| network.contains(&net.addr())).map(|net| (interface, net.addr()))
        }
        _ => None,
    })?;
    let pool = Pool {
        network: network.trunc(),
        server: address,
        excluded: config.dhcp_excluded.clone(),
        routers: configured.routers.clone(),
        dns: configured.dns.clone(),
        domain: configured.domain.clone(),
        lease: configured.lease.map_or(LEASE, |seconds| Duration::from_secs(seconds.into())),
    };
    Some((interface.name.clone(), pool))
}

fn serve(mut server: Server, socket: &PacketSocket, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        // an interrupted wait is a wait that ended
        let _ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&patience));
        while let Ok(packet) = socket.recv(&mut buffer) {
            let bytes = buffer.get(..packet.length).unwrap_or_default();
            if let Some(answer) = server.handle(now(), bytes)
                && let Err(error) = socket.send(&answer, BROADCAST)
            {
                tracing::debug!("a DHCP answer was not sent: {error}");
            }
        }
    }
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
