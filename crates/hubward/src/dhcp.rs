//! `ip address dhcp`: runs the DHCP client of each such interface over a packet socket, and puts its leases on the links.

use hubward_config::model::{Addressing, Config};
use hubward_linux::netlink::Netlink;
use hubward_linux::packet_socket::{BROADCAST, ETHERTYPE_IPV4, Layer, PacketSocket, udp_port_filter};
use hubward_linux::{link, random};
use hubward_proto::dhcp::{Client, Effect, Lease};
use hubward_proto::time::Instant;
use std::collections::BTreeMap;

/// The clients of all interfaces.
#[derive(Default)]
pub(crate) struct Clients(BTreeMap<String, Running>);

struct Running {
    client: Client,
    socket: PacketSocket,
    lease: Option<Lease>,
}

/// What changed for an interface (by its Linux name).
pub(crate) enum Change {
    Bound(String, Lease),
    Lost(String, Lease),
}

impl Clients {
    /// A client for each interface that wants one and has a link. An address that is there already is another client's work
    /// and is left to it.
    pub(crate) fn start(
        &mut self,
        config: &Config,
        names: &BTreeMap<String, String>,
        adopted: impl Fn(&str) -> bool,
        now: Instant,
    ) -> anyhow::Result<()> {
        let netlink = Netlink::open()?;
        let host_name = config.hostname.clone().unwrap_or_default();
        for interface in &config.interfaces {
            let Some(name) = names.get(&interface.name) else { continue };
            if interface.address != Addressing::Dhcp || interface.shutdown || self.0.contains_key(name) {
                continue;
            }
            if adopted(name) {
                tracing::info!("{} ({name}) has an address already; it is adopted", interface.name);
                continue;
            }
            let link = link::by_name(&netlink, name)?;
            let Some(mac) = link.mac else {
                tracing::warn!("{} ({name}) has no Ethernet address, so no DHCP", interface.name);
                continue;
            };
            let socket =
                PacketSocket::open(link.index, Layer::Network, ETHERTYPE_IPV4, &udp_port_filter(68))?;
            let client = Client::new(mac, &host_name, random::seed()?, now);
            self.0.insert(name.clone(), Running { client, socket, lease: None });
        }
        Ok(())
    }

    /// The next moment at which a client has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().map(|running| running.client.poll_timeout()).min()
    }

    /// Takes what arrived, does what is due, and tells what changed.
    pub(crate) fn step(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut buffer = [0; 2048];
        for (name, running) in &mut self.0 {
            while let Ok(packet) = running.socket.recv(&mut buffer) {
                running.client.handle(now, buffer.get(..packet.length).unwrap_or_default());
            }
            running.client.handle_timeout(now);
            while let Some(effect) = running.client.poll() {
                match effect {
                    Effect::Send(packet) => {
                        if let Err(error) = running.socket.send(&packet, BROADCAST) {
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
        changes
    }

    /// Gives every lease back.
    pub(crate) fn release(&mut self) {
        for running in self.0.values_mut() {
            running.client.release();
            while let Some(Effect::Send(packet)) = running.client.poll() {
                let _lost = running.socket.send(&packet, BROADCAST);
            }
        }
    }

    /// Whether any client waits for packets, so that the gateway looks often.
    pub(crate) fn waiting(&self) -> bool {
        self.0.values().any(|running| running.lease.is_none())
    }
}
