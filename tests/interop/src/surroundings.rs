//! A world around one router, which sees everything that the router sends unencrypted.
//!
//! ```text
//!  lan (a host on each inside card) ── router ── world (every outside card; answers ARP for everybody, and records)
//! ```
//!
//! The world owns every address of the internet, so that a next hop, a peer or a host always
//! exists: what a router would send unencrypted does leave, and is recorded.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use crate::lab::Lab;
use crate::net::Ns;
use crate::probes::{Packets, Recorder, Seen};
use crate::survey::{Carries, Interface, Probe, Survey};

/// A public address that nothing protects: packets to it must be seen outside, or the test sees
/// nothing.
pub const UNPROTECTED: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);

/// The next hop of the inside host's routes where the configuration has no inside card.
const SPARE: &str = "169.254.77";

/// Where probes are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A host behind an inside card.
    Lan,
    /// The router itself.
    Router,
}

/// The router's namespace and what is around it.
#[derive(Debug)]
pub struct Surroundings {
    /// The router's own namespace.
    pub router: Ns,
    lan: Ns,
    /// The world outside.
    pub world: Ns,
    /// `(IOS name, Linux name, outside)` of each card.
    pub cards: Vec<(String, String, bool)>,
    /// The router's name of the link by which an unprotected packet would leave.
    way_out: String,
    /// The host's link, its router's address.
    inside: (String, Ipv4Addr),
    recorder: Recorder,
}

impl Surroundings {
    /// Cables each card of the configuration, in its order: `eth0`, `eth1`, …; outside cards to the
    /// world, inside cards to the host. Where there is none of a kind, the machine has a further
    /// card that the configuration does not know.
    pub fn build(lab: &Lab, survey: &Survey) -> Result<Self> {
        let (router, lan, world) = (lab.ns("router")?, lab.ns("lan")?, lab.ns("world")?);
        world.run(&[
            "sysctl",
            "-qw",
            "net.ipv4.conf.all.accept_local=1",
            "net.ipv4.conf.default.accept_local=1",
            "net.ipv4.icmp_ratelimit=0",
        ])?;
        let mut cards = Vec::new();
        let mut host = None;
        for (number, card) in survey.cards().into_iter().enumerate() {
            let name = format!("eth{number}");
            let outside = survey.is_outside(card);
            let there = if outside { &world } else { &lan };
            router.cable(&name, there, &name)?;
            if outside {
                join_outside(&world, &name, card, survey)?;
            } else if let Some((own, wildcard)) = card.addresses.first().copied() {
                let neighbour = (100..250)
                    .map(|salt| Ipv4Addr::from((u32::from(own) & !wildcard) | (salt & wildcard)))
                    .find(|a| !survey.own(*a))
                    .context("no address for a host of the inside network")?;
                lan.address(&name, &format!("{neighbour}/{}", wildcard.leading_zeros()))?;
                // one inside host, on the first inside network: a probe has whatever source it
                // needs
                if host.is_none() {
                    lan.default_route(own)?;
                    host = Some((name.clone(), own));
                }
            }
            cards.push((card.name.clone(), name, outside));
        }
        let way_out = match cards.iter().find(|(_, _, outside)| *outside) {
            Some((_, name, _)) => name.clone(),
            None => {
                router.cable("uplink", &world, "uplink")?;
                world.address("uplink", "192.0.2.201/30")?;
                router.address("uplink", "192.0.2.202/30")?;
                "uplink".to_owned()
            }
        };
        let inside = match host {
            Some(host) => host,
            None => {
                router.cable("spare", &lan, "spare")?;
                router.address("spare", &format!("{SPARE}.1/24"))?;
                lan.address("spare", &format!("{SPARE}.2/24"))?;
                let own = Ipv4Addr::new(169, 254, 77, 1);
                lan.default_route(own)?;
                ("spare".to_owned(), own)
            }
        };
        // after the addresses: what is not in a network of a card is the world's own
        world.ip("route add local default dev lo table main")?;

        let recorder = Recorder::start(lab, "world", &world)?;
        Ok(Self { router, lan, world, cards, way_out, inside, recorder })
    }

    /// Gives the router a default route by its outside card if its configuration has none, so that
    /// packets that are not blocked do leave. Returns whether there is a usable default route.
    pub fn let_leak(&self) -> Result<bool> {
        let now = self.router.ip("route show default")?;
        if now.trim().is_empty() {
            self.router.ip(&format!("route add default dev {} metric 4000", self.way_out))?;
            return Ok(true);
        }
        Ok(!now.lines().any(|line| line.starts_with("unreachable") || line.starts_with("blackhole")))
    }

    /// Sends one packet for each probe, one millisecond apart; `number` of the first, the others
    /// follow.
    pub fn send(&self, from: Place, survey: &Survey, probes: &[Probe], number: usize) -> Result<()> {
        let default = self.inside_source(survey)?;
        let mut packets = Packets::default();
        for (at, probe) in probes.iter().enumerate() {
            let source = match (from, probe.source) {
                // a packet from outside with an address of the router itself is dropped before
                // anything else examines it
                (Place::Lan, Some(source)) if survey.own(source) => continue,
                (Place::Lan, source) => source.or(Some(default)),
                (Place::Router, source) => source,
            };
            packets.add(probe, source, number + at);
        }
        match from {
            Place::Lan => packets.send(&self.lan, Some(&self.inside.0)),
            Place::Router => packets.send(&self.router, None),
        }
    }

    /// An unused address of the inside network.
    fn inside_source(&self, survey: &Survey) -> Result<Ipv4Addr> {
        let (_, router) = self.inside;
        (60..250)
            .map(|host| {
                let [a, b, c, _] = router.octets();
                Ipv4Addr::new(a, b, c, host)
            })
            .find(|a| !survey.own(*a) && *a != router)
            .context("no address for an inside host")
    }

    /// A packet that nothing protects, from the inside host if the configuration leaves that
    /// unencrypted, else from the router.
    pub fn unprotected(&self, survey: &Survey) -> Result<Vec<(Place, Probe)>> {
        let source = self.inside_source(survey)?;
        let probe = Probe {
            why: "nothing: it has to be seen".into(),
            source: None,
            destination: UNPROTECTED,
            carries: Carries::Udp(40_077),
        };
        let mut all = vec![(Place::Router, probe.clone())];
        if !survey.is_protected(source, UNPROTECTED) {
            all.push((Place::Lan, probe));
        }
        Ok(all)
    }

    /// Ends the recording: which probes came out unencrypted.
    pub fn finish(self) -> Result<Vec<Seen>> {
        self.recorder.finish()
    }
}

/// The world's end of an outside card: the next hop's address, or another of the network; where the
/// card's address comes by DHCP, that of a provider.
fn join_outside(world: &Ns, link: &str, card: &Interface, survey: &Survey) -> Result<()> {
    if card.dhcp {
        return world.address(link, "203.0.113.1/24");
    }
    let Some((own, wildcard)) = card.addresses.first().copied() else { return Ok(()) };
    let in_network = |a: Ipv4Addr| u32::from(a) & !wildcard == u32::from(own) & !wildcard && a != own;
    let hop = survey.routes.iter().filter_map(|route| route.hop).find(|hop| in_network(*hop));
    let other = || {
        let at = |salt: u32| Ipv4Addr::from((u32::from(own) & !wildcard) | (salt & wildcard));
        [254, 1, 2, 3].map(at).into_iter().find(|a| *a != own && u32::from(*a) & wildcard != wildcard)
    };
    match hop.or_else(other) {
        Some(there) => world.address(link, &format!("{there}/{}", wildcard.leading_zeros())),
        None => Ok(()),
    }
}
