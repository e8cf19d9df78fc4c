//! The kernel as data plane: child SAs become its SAs, crypto maps and child SAs become its
//! policies, and its notifications become those of packet workers. Only the gateway thread uses it.

use super::plan::{self, LINES, MARK, Name, Net, Plan, Rule, Said, Verdict};
use crate::base::family::v4;
use crate::base::message::News;
use anyhow::{Context as _, anyhow};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_linux::xfrm::{
    Algorithms, Encapsulation as Ports, Event, Limits, Mode, Reqids, Resume, Sa, SaId, SaState, Selector,
    Template, Xfrm,
};
use hubward_proto::esp::inbound::{Notice, Refused};
use hubward_proto::esp::sa::{ChildSa, Direction};
use hubward_proto::esp::sad::{Counted, Sad};
use hubward_proto::flow::selector::{AddressRange, Flow};
use hubward_proto::flow::tables::{Tables, Verdict as Classified};
use hubward_proto::ike::io::Limit;
use hubward_proto::names::{ChildId, InterfaceId};
use hubward_proto::path::{DfBit, Encapsulation, Path};
use hubward_proto::policy::{EntryTerms, MapEntryKind, Policy};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::protocol;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Sequence numbers run out; a rekey starts long before.
const SOFT_PACKETS: u64 = 1 << 31;
const HARD_PACKETS: u64 = (1 << 32) - 2;
/// How often the SAs are read.
const POLL: Duration = Duration::from_secs(1);
/// Reading them takes at most one part in this many of the time.
const POLL_SHARE: u32 = 10;

/// A crypto interface, as Linux has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) address: Option<Ipv4Addr>,
}

/// The crypto interfaces.
pub(crate) type Links = BTreeMap<InterfaceId, Link>;

/// A child SA, as far as it is in the kernel.
struct Pair {
    child: Arc<ChildSa>,
    path: Path,
    net: Net,
    inbound: Option<SaId>,
    outbound: Option<SaId>,
    /// A packet was received.
    seen: bool,
    /// When a move was last reported.
    moved: Option<Instant>,
}

/// What is in the kernel.
pub(crate) struct Kernel {
    xfrm: Xfrm,
    policy: Arc<Policy>,
    pools: Vec<AddressRange>,
    pairs: BTreeMap<ChildId, Pair>,
    owners: BTreeMap<SaId, (ChildId, Direction)>,
    in_force: BTreeMap<Name, Said>,
    /// SAs that are removed once no policy names them.
    leaving: Vec<SaId>,
    poll_at: Instant,
}

impl Kernel {
    /// Removes what a crashed run left.
    pub(crate) fn new(xfrm: Xfrm, now: Instant) -> anyhow::Result<Self> {
        for leftover in xfrm.sweep()? {
            tracing::info!("removed a leftover of an earlier run: {leftover}");
        }
        Ok(Self {
            xfrm,
            policy: Arc::default(),
            pools: Vec::new(),
            pairs: BTreeMap::new(),
            owners: BTreeMap::new(),
            in_force: BTreeMap::new(),
            leaving: Vec::new(),
            poll_at: now,
        })
    }

    /// The socket for requests.
    pub(super) fn xfrm(&self) -> &Xfrm {
        &self.xfrm
    }

    /// Sets another configuration; [`Self::commit`] applies it.
    pub(crate) fn configure(&mut self, policy: Arc<Policy>, pools: Vec<AddressRange>) {
        (self.policy, self.pools) = (policy, pools);
    }

    /// Starts using one SA of a child SA; [`Self::commit`] leads packets to it.
    pub(crate) fn install(&mut self, child: &Arc<ChildSa>, direction: Direction) -> anyhow::Result<()> {
        let net = Net::of(&child.selector, child.lease).ok_or_else(|| {
            anyhow!("its proxy identities are not prefixes, and the kernel supports nothing else")
        })?;
        let path = self.pairs.get(&child.id).map_or(child.path, |pair| pair.path);
        let id = self.add(child, net, &path, direction, None)?;
        let pair = self.pairs.entry(child.id).or_insert_with(|| Pair {
            child: Arc::clone(child),
            path,
            net,
            inbound: None,
            outbound: None,
            seen: false,
            moved: None,
        });
        *pair.half(direction) = Some(id);
        Ok(())
    }

    fn add(
        &mut self,
        child: &ChildSa,
        net: Net,
        path: &Path,
        direction: Direction,
        resume: Option<Resume>,
    ) -> anyhow::Result<SaId> {
        let (IpAddr::V4(local), IpAddr::V4(remote)) = (path.local, path.remote) else {
            return Err(anyhow!("its peer has no IPv4 address"));
        };
        let inbound = direction == Direction::Inbound;
        let (half, source, destination) = match inbound {
            true => (&child.inbound, remote, local),
            false => (&child.outbound, local, remote),
        };
        let ports = match inbound {
            true => (path.remote_port, path.local_port),
            false => (path.local_port, path.remote_port),
        };
        let id = SaId { destination, spi: half.spi.0 };
        let outbound_only = |limit: Option<u64>| limit.filter(|_| !inbound);
        let inner = net.without_ports();
        let sa = Sa {
            source,
            encapsulation: (path.encapsulation == Encapsulation::Udp)
                .then_some(Ports { source_port: ports.0, destination_port: ports.1 }),
            replay_window: if inbound { child.replay_window } else { 0 },
            selector: Some(if inbound { inner.inward() } else { inner.outward(0) }),
            limits: Limits {
                soft_bytes: if inbound { child.inbound_soft_bytes() } else { child.soft_bytes },
                hard_bytes: child.hard_bytes,
                soft_packets: outbound_only(Some(SOFT_PACKETS)),
                hard_packets: outbound_only(Some(HARD_PACKETS)),
            },
            clear_df: child.df == DfBit::Clear,
            mark: (!inbound).then_some(MARK),
            resume,
            ..Sa::new(id, algorithms(child.suite, half.keymat.expose()).context("its keys are too short")?)
        };
        // the peer may give its new SA the SPI of the one that is about to be removed
        if self.leaving.contains(&id) {
            self.leaving.retain(|leaving| *leaving != id);
            self.forget(id);
        }
        self.xfrm.add_sa(&sa)?;
        self.owners.insert(id, (child.id, direction));
        Ok(id)
    }

    /// The outer path of a child SA changed: its SAs continue under the new addresses.
    pub(crate) fn repath(&mut self, child: ChildId, path: Path) {
        let Some(mut pair) = self.pairs.remove(&child) else { return };
        pair.path = path;
        for direction in [Direction::Inbound, Direction::Outbound] {
            let Some(old) = pair.half(direction).take() else { continue };
            let resume = self.xfrm.sa(old).map(|state| Resume {
                sent: state.sent,
                received: state.received,
                bytes: state.bytes,
                packets: state.packets,
            });
            // before the new one is added, because the inbound SA keeps its key in this map
            self.owners.remove(&old);
            self.forget(old);
            let moved = resume.map_err(anyhow::Error::new).and_then(|resume| {
                self.add(&Arc::clone(&pair.child), pair.net, &path, direction, Some(resume))
            });
            match moved {
                Ok(id) => *pair.half(direction) = Some(id),
                Err(error) => {
                    tracing::error!("tunnel {} cannot be used on its new path: {error:#}", child.0);
                }
            }
        }
        self.pairs.insert(child, pair);
    }

    /// Stops using a child SA with the next [`Self::commit`]; its counters are then in `sad`.
    pub(crate) fn remove(&mut self, child: ChildId, sad: &Sad, now: Instant) {
        let Some(pair) = self.pairs.remove(&child) else { return };
        for id in [pair.inbound, pair.outbound].into_iter().flatten() {
            if let Ok(state) = self.xfrm.sa(id) {
                self.count(&state, sad, now);
            }
            self.owners.remove(&id);
            self.leaving.push(id);
        }
    }

    fn forget(&self, id: SaId) {
        match self.xfrm.remove_sa(id) {
            Err(error) if !error.is_not_found() => tracing::warn!("an SA is left behind: {error}"),
            _ => {}
        }
    }

    /// Brings the policies in line with the configuration, the SAs and the networks not routed via
    /// a crypto interface, then removes the SAs that no policy uses any more.
    pub(crate) fn commit(&mut self, links: &Links, elsewhere: Vec<Ipv4Net>) {
        let mut wanted = Plan { elsewhere, ..self.plan(links) }.policies();
        let (set, gone) = plan::difference(&self.in_force, &wanted);
        for policy in set {
            if let Err(error) = self.xfrm.set_policy(&policy) {
                tracing::error!("packets {policy} do not use their tunnel: {error}");
                wanted.remove(&(policy.direction, policy.selector));
            }
        }
        for (direction, selector) in gone {
            match self.xfrm.remove_policy(direction, &selector) {
                Err(error) if !error.is_not_found() => tracing::warn!("a policy is left behind: {error}"),
                _ => {}
            }
        }
        self.in_force = wanted;
        for id in std::mem::take(&mut self.leaving) {
            self.forget(id);
        }
    }

    fn plan(&self, links: &Links) -> Plan {
        let mut plan = Plan::default();
        for pair in self.pairs.values() {
            let Some(link) = links.get(&pair.path.interface) else { continue };
            let verdict = match (pair.outbound, pair.path.local) {
                (Some(id), IpAddr::V4(source)) => Verdict::Sa(Template {
                    source,
                    destination: id.destination,
                    spi: id.spi,
                    reqid: Reqids::SA,
                    mode: Mode::Tunnel,
                }),
                _ => Verdict::InboundOnly,
            };
            plan.sas.push(Rule { interface: link.index, net: pair.net, verdict });
        }
        for (interface, link) in links {
            let Some(map) = self.policy.map_of(*interface) else { continue };
            for entry in &map.entries {
                let may_call = matches!(&entry.kind, MapEntryKind::Static { peers, .. } if !peers.is_empty());
                let (terms, peer): (Vec<_>, _) = match &entry.kind {
                    MapEntryKind::Static { peers, terms } => (vec![terms], peers.first()),
                    MapEntryKind::Dynamic { entries, .. } => {
                        (entries.iter().map(|entry| &entry.terms).collect(), None)
                    }
                };
                // entries that are left out come before SAs with wider proxy identities, which
                // belong to other entries
                let left_out = |terms: &&&EntryTerms| !may_call && terms.transform_sets.is_empty();
                let lists = terms.iter().filter(left_out).filter_map(|terms| terms.acl.as_ref());
                let nets = lists.flat_map(|acl| &acl.lines).filter(|line| line.permit);
                plan.left_out.extend(nets.filter_map(|line| Net::of(&line.selector, None)).map(|net| Rule {
                    interface: link.index,
                    net,
                    verdict: Verdict::Block,
                }));
                for line in terms.iter().filter_map(|terms| terms.acl.as_ref()).flat_map(|acl| &acl.lines) {
                    let Some(net) = Net::of(&line.selector, None) else { continue };
                    let number = u32::try_from(plan.lines.len()).unwrap_or(u32::MAX).min(LINES as u32);
                    let verdict = match (peer, link.address) {
                        (Some(IpAddr::V4(peer)), Some(source)) => Verdict::Ask(Template {
                            source,
                            destination: *peer,
                            spi: 0,
                            reqid: Reqids::ASK + number,
                            mode: Mode::Tunnel,
                        }),
                        _ => Verdict::Block,
                    };
                    plan.lines.push(Rule { interface: link.index, net, verdict });
                }
            }
            for range in &self.pools {
                let prefixes = hubward_proto::flow::tables::prefixes([*range]);
                let block =
                    |net| Rule { interface: link.index, net: Net::all_to(net), verdict: Verdict::Block };
                plan.pools.extend(prefixes.into_iter().filter_map(v4).map(block));
            }
        }
        plan
    }

    /// What an event means for the gateway.
    pub(crate) fn told(&mut self, event: Event, tables: &Tables, now: Instant) -> Option<News> {
        match event {
            Event::Acquire { flow, reqid } if Reqids::are_ours(reqid) => {
                match tables.classify(&flow_of(&flow)) {
                    Classified::Protect(acquire) => Some(News::Acquire(acquire)),
                    Classified::Drop | Classified::Clear => None,
                }
            }
            Event::Expire { state, hard } => {
                let (child, _) = self.owners.get(&state.id)?;
                Some(News::Limit(*child, if hard { Limit::Hard } else { Limit::Soft }))
            }
            Event::Moved { destination, spi, source, port } => {
                let (child, _) = self.owners.get(&SaId { destination, spi })?;
                let pair = self.pairs.get_mut(child)?;
                // the kernel reports this for every packet; a peer is followed at most once a
                // second
                if pair.moved.is_some_and(|last| last + POLL > now) {
                    return None;
                }
                pair.moved = Some(now);
                Some(News::Notice(Notice::Moved(*child, source.into(), port)))
            }
            Event::Acquire { .. } => None,
            Event::Lost => {
                tracing::debug!("events of the kernel's SAs were lost");
                self.poll_at = now;
                None
            }
        }
    }

    /// Reads the counters when due; returns what they show: the first packet received, an SA that
    /// is gone, packets dropped.
    pub(crate) fn poll(&mut self, sad: &Sad, clock: impl Fn() -> Instant) -> Vec<News> {
        let now = clock();
        if self.poll_at > now {
            return Vec::new();
        }
        let states = match self.xfrm.sas() {
            Ok(states) => states,
            Err(error) => {
                tracing::warn!("the SAs could not be read: {error}");
                self.poll_at = now + POLL;
                return Vec::new();
            }
        };
        let mut messages = Vec::new();
        let mut there = BTreeSet::new();
        for state in &states {
            there.insert(state.id);
            messages.extend(self.count(state, sad, now));
        }
        // the kernel removes an SA at its hard limit, and another program may have flushed all SAs
        let gone = self.owners.iter().filter(|(id, _)| !there.contains(id));
        messages.extend(gone.map(|(_, (child, _))| News::Limit(*child, Limit::Hard)));
        let took = clock().since(now);
        self.poll_at = now + POLL.max(took * POLL_SHARE);
        messages
    }

    fn count(&mut self, state: &SaState, sad: &Sad, now: Instant) -> Vec<News> {
        let Some((child, direction)) = self.owners.get(&state.id).copied() else { return Vec::new() };
        let Some(sa) = sad.get(child, direction) else { return Vec::new() };
        let counted = Counted {
            packets: state.packets,
            bytes: state.bytes,
            replay_errors: u64::from(state.replayed) + u64::from(state.late),
            verify_errors: u64::from(state.forged),
            sequence: if direction == Direction::Inbound { state.received } else { state.sent },
        };
        let counters = &sa.counters;
        let replayed = counters.replay_errors.load(Ordering::Relaxed) < counted.replay_errors;
        let forged = counters.verify_errors.load(Ordering::Relaxed) < counted.verify_errors;
        sa.counted(now, direction, counted);
        let mut messages = Vec::new();
        let pair = self.pairs.get_mut(&child);
        if let Some(pair) =
            pair.filter(|pair| direction == Direction::Inbound && !pair.seen && counted.packets > 0)
        {
            pair.seen = true;
            messages.push(Notice::Seen(child));
        }
        if replayed {
            messages.push(Notice::Refused(child, Refused::Replay));
        }
        if forged {
            messages.push(Notice::Refused(child, Refused::Icv));
        }
        messages.into_iter().map(News::Notice).collect()
    }
}

/// Everything is removed, however the gateway ends.
impl Drop for Kernel {
    fn drop(&mut self) {
        if let Err(error) = self.xfrm.sweep() {
            tracing::warn!("not all SAs and policies could be removed: {error}");
        }
    }
}

impl Pair {
    fn half(&mut self, direction: Direction) -> &mut Option<SaId> {
        match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound => &mut self.outbound,
        }
    }
}

fn flow_of(packet: &Selector) -> Flow {
    let protocol = packet.protocol.unwrap_or(0);
    // for other protocols the kernel has other values there, such as ICMP's type and code
    let has_ports = matches!(protocol, protocol::TCP | protocol::UDP);
    Flow {
        source: packet.source.addr().into(),
        destination: packet.destination.addr().into(),
        protocol,
        source_port: packet.source_port.filter(|_| has_ports),
        destination_port: packet.destination_port.filter(|_| has_ports),
    }
}

/// A suite by the kernel's names; `None` if the keying material is shorter than it needs.
pub(super) fn algorithms(suite: EspSuite, keymat: &[u8]) -> Option<Algorithms<'_>> {
    let cipher = suite.cipher();
    let name = match cipher {
        EspCipher::Des => "cbc(des)",
        EspCipher::TripleDes => "cbc(des3_ede)",
        EspCipher::Aes128 | EspCipher::Aes192 | EspCipher::Aes256 => "cbc(aes)",
        EspCipher::AesGcm128 | EspCipher::AesGcm256 => "rfc4106(gcm(aes))",
    };
    let icv_bits = u32::try_from(suite.icv_len() * 8).ok()?;
    let keymat = keymat.get(..suite.keymat_len())?;
    let (cipher_key, auth_key) = keymat.split_at_checked(cipher.key_len() + cipher.salt_len())?;
    Some(match suite.auth() {
        None => Algorithms::Aead { name, key: cipher_key, icv_bits },
        Some(auth) => Algorithms::Pair {
            cipher: name,
            cipher_key,
            auth: match auth {
                EspAuth::Md5 => "hmac(md5)",
                EspAuth::Sha1 => "hmac(sha1)",
                EspAuth::Sha256 => "hmac(sha256)",
                EspAuth::Sha384 => "hmac(sha384)",
                EspAuth::Sha512 => "hmac(sha512)",
            },
            auth_key,
            icv_bits,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's names, and how KEYMAT is cut: cipher key, salt, integrity key (RFC 4303 has
    /// them in this order).
    #[test]
    fn a_suite_has_the_kernels_names_and_its_keys() {
        let of = |cipher, auth| EspSuite::new(cipher, auth).unwrap();
        for (suite, name, auth, keys, icv) in [
            (of(EspCipher::Des, Some(EspAuth::Md5)), "cbc(des)", Some("hmac(md5)"), (8, 16), 96),
            (
                of(EspCipher::TripleDes, Some(EspAuth::Sha1)),
                "cbc(des3_ede)",
                Some("hmac(sha1)"),
                (24, 20),
                96,
            ),
            (of(EspCipher::Aes128, Some(EspAuth::Sha1)), "cbc(aes)", Some("hmac(sha1)"), (16, 20), 96),
            (of(EspCipher::Aes192, Some(EspAuth::Sha256)), "cbc(aes)", Some("hmac(sha256)"), (24, 32), 128),
            (of(EspCipher::Aes256, Some(EspAuth::Sha384)), "cbc(aes)", Some("hmac(sha384)"), (32, 48), 192),
            (of(EspCipher::Aes256, Some(EspAuth::Sha512)), "cbc(aes)", Some("hmac(sha512)"), (32, 64), 256),
            (of(EspCipher::AesGcm128, None), "rfc4106(gcm(aes))", None, (20, 0), 128),
            (of(EspCipher::AesGcm256, None), "rfc4106(gcm(aes))", None, (36, 0), 128),
        ] {
            // one byte more than it takes
            let keymat: Vec<u8> = (0..).take(keys.0 + keys.1 + 1).collect();
            let (first, second) = keymat[..keys.0 + keys.1].split_at(keys.0);
            match (algorithms(suite, &keymat).unwrap(), auth) {
                (Algorithms::Aead { name: said, key, icv_bits }, None) => {
                    assert_eq!((said, key, icv_bits), (name, first, icv), "{suite:?}");
                }
                (Algorithms::Pair { cipher, cipher_key, auth: said, auth_key, icv_bits }, Some(auth)) => {
                    assert_eq!((cipher, said, icv_bits), (name, auth, icv), "{suite:?}");
                    assert_eq!((cipher_key, auth_key), (first, second), "{suite:?}");
                }
                (other, _) => panic!("{suite:?}: {other:?}"),
            }
            assert!(algorithms(suite, &keymat[..keys.0 + keys.1 - 1]).is_none(), "{suite:?}: too short");
        }
    }

    /// For protocols other than TCP and UDP, the kernel puts other values where the ports are.
    #[test]
    fn only_tcp_and_udp_have_ports() {
        for (protocol, expected) in [
            (Some(protocol::TCP), (Some(1024), Some(80))),
            (Some(protocol::UDP), (Some(1024), Some(80))),
            (Some(1), (None, None)),
            (Some(132), (None, None)),
            (None, (None, None)),
        ] {
            let packet = Selector {
                source: Ipv4Addr::new(10, 1, 1, 1).into(),
                destination: Ipv4Addr::new(10, 2, 2, 2).into(),
                protocol,
                source_port: Some(1024),
                destination_port: Some(80),
                interface: 3,
            };
            let flow = flow_of(&packet);
            assert_eq!((flow.source_port, flow.destination_port), expected, "{protocol:?}");
            assert_eq!(flow.protocol, protocol.unwrap_or(0));
            let ends = (IpAddr::from([10, 1, 1, 1]), IpAddr::from([10, 2, 2, 2]));
            assert_eq!((flow.source, flow.destination), ends);
        }
    }
}
