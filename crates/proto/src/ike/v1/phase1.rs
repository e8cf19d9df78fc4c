//! What main and aggressive mode have in common: the parts of their messages, and what happens once
//! phase 1 is established.

use crate::ike::authenticator::{Authenticator, PeerAuthenticated};
use crate::ike::authorization::Gate;
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::identity::Identity;
use crate::ike::io::Question;
use crate::ike::lifetime::Margins;
use crate::ike::lookup::{self, Demands};
use crate::ike::natt::{Dialect, NatState, nat_d};
use crate::ike::v1::iv::Phase1Iv;
use crate::ike::v1::keys::Phase1Keys;
use crate::ike::v1::quick_waiting::Waiting;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Dpd, Established, IsakmpSa, MessageIds, State};
use crate::ike::vendor::Vendor;
use crate::limits;
use crate::path::{Encapsulation, NATT_PORT, Path};
use crate::policy::{ClientGroup, IsakmpPolicy, Keepalive, Policy};
use crate::wire::ike1::Notify;
use crate::wire::isakmp::{Chain, Header, Writer};
use crate::wire::registry::{ike, notify, payload};
use hubward_crypto::suite::HashAlg;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The time that a peer has to process our last phase-1 message before we send the first Xauth
/// request.
const XAUTH_DELAY: Duration = Duration::from_millis(80);

/// Length of a payload's generic header.
pub(crate) const PAYLOAD_HEADER: usize = 4;
/// How long before its end phase 1 is rekeyed at the latest, by its initiator and its responder.
const MARGINS: Margins = Margins { initiator: Duration::from_secs(120), responder: Duration::from_secs(60) };

/// Everything that a finished phase 1 hands over.
pub(crate) struct Finished {
    pub(crate) keys: Phase1Keys,
    pub(crate) iv: Phase1Iv,
    pub(crate) identity: Identity,
    pub(crate) profile: Option<String>,
    pub(crate) demands: Demands,
    pub(crate) group: Option<Arc<ClientGroup>>,
    /// The peer sent INITIAL-CONTACT.
    pub(crate) initial_contact: bool,
    /// It has proved its identity.
    pub(crate) _authenticated: PeerAuthenticated,
}

/// What an initiator authenticates with: the pre-shared key of its connection, or that of the
/// peer's address in
/// the keyrings of the profile that its crypto map entry names.
pub(crate) fn initiator_authenticator(policy: &Policy, sa: &IsakmpSa) -> Result<Authenticator, Refusal> {
    if let Some(connection) = &sa.connection {
        return Ok(Authenticator::PreShared(connection.key.clone()));
    }
    let profile = sa.wanted_profile.as_deref().and_then(|name| policy.profile(name));
    let only = profile.map_or(&[][..], |profile| &profile.keyrings);
    let found = lookup::key_for_address(policy, only, sa.path.local, sa.path.remote);
    let key = found.ok_or(Refusal::NoPresharedKey)?.key.secret.clone();
    Ok(Authenticator::PreShared(key))
}

/// What an initiator proposes for phase 1, and its authentication method.
pub(crate) fn initiator_offers<'a>(policy: &'a Policy, sa: &'a IsakmpSa) -> (&'a [IsakmpPolicy], u16) {
    match &sa.connection {
        Some(connection) => (&connection.proposals, ike::AUTH_XAUTH_INIT_PRESHARED),
        None => (&policy.proposals, ike::AUTH_PRESHARED),
    }
}

/// The keepalive that applies: the profile's, the connection's, or the global one.
pub(crate) fn keepalive_of(policy: &Policy, sa: &IsakmpSa) -> Option<Keepalive> {
    if let Some(connection) = &sa.connection {
        return connection.keepalive;
    }
    let profile = sa.established().and_then(|established| established.profile.as_deref());
    profile
        .and_then(|name| policy.profile(name))
        .and_then(|profile| profile.keepalive)
        .or(policy.global.keepalive)
}

/// The only payload of a type, or the refusal that names it.
pub(crate) fn only<'a>(chain: &Chain<'a>, kind: u8, name: &'static str) -> Result<&'a [u8], Refusal> {
    chain.only(kind).ok_or(Refusal::MissingPayload(name))
}

/// A peer's nonce; it must have a length that RFC 2409 allows and differ from ours.
pub(crate) fn nonce<'a>(chain: &Chain<'a>, ours: Option<&[u8]>) -> Result<&'a [u8], Refusal> {
    let nonce = only(chain, payload::NONCE, "nonce")?;
    if !limits::NONCE_BYTES.contains(&nonce.len()) || ours == Some(nonce) {
        return Err(Refusal::Nonce);
    }
    Ok(nonce)
}

/// Whether an INITIAL-CONTACT notification is among the payloads.
pub(crate) fn has_initial_contact(chain: &Chain<'_>) -> bool {
    chain
        .all(payload::NOTIFY)
        .filter_map(|body| Notify::parse(body).ok())
        .any(|message| message.kind == notify::INITIAL_CONTACT)
}

/// The parts of a path that NAT-D payloads cover.
fn ends(path: &Path) -> (SocketAddr, SocketAddr) {
    (SocketAddr::new(path.local, path.local_port), SocketAddr::new(path.remote, path.remote_port))
}

impl V1<'_> {
    /// A phase-1 message with payloads in clear.
    pub(crate) fn phase1_clear(sa: &IsakmpSa, exchange: u8, writer: &Writer) -> Vec<u8> {
        let header = Header {
            initiator: sa.cookies.initiator,
            responder: sa.cookies.responder,
            first: writer.first(),
            exchange,
            flags: 0,
            message_id: 0,
        };
        header.write(&writer.bytes())
    }

    /// A phase-1 message with encrypted payloads.
    pub(crate) fn phase1_sealed(
        sa: &IsakmpSa,
        exchange: u8,
        writer: &Writer,
        keys: &Phase1Keys,
        iv: &mut Phase1Iv,
    ) -> Vec<u8> {
        let mut header = Self::protected_header(sa, exchange, 0);
        header.first = writer.first();
        header.write(&iv.encrypt(keys, writer.bytes()))
    }

    /// Vendor ids of an initiator's first message.
    pub(crate) fn push_initiator_vendors(&self, sa: &IsakmpSa, writer: &mut Writer) {
        let nat = sa
            .connection
            .as_ref()
            .map_or(self.cx.policy.global.nat_traversal, |connection| connection.nat_traversal);
        if nat {
            for vendor in [Vendor::NatT, Vendor::NatTDraft3, Vendor::NatTDraft2Newline, Vendor::NatTDraft2] {
                writer.push(payload::VENDOR, vendor.bytes());
            }
        }
        if sa.connection.is_some() {
            writer.push(payload::VENDOR, Vendor::Xauth.bytes());
            writer.push(payload::VENDOR, Vendor::Unity.bytes());
        }
        writer.push(payload::VENDOR, Vendor::Dpd.bytes());
    }

    /// How many bytes the answer to a first message may have. Its sender may have forged the
    /// address to which we answer.
    pub(crate) const fn answer_limit(asked: usize) -> usize {
        asked * limits::ANSWER_TENTHS / 10
    }

    /// Vendor ids of a responder's first message: the NAT traversal dialect that both support, and
    /// our other capabilities, in so far as there is room: first those that the peer announced too.
    pub(crate) fn responder_vendors(sa: &IsakmpSa, mut room: usize) -> Vec<Vendor> {
        let dialect = sa.dialect.map(Dialect::vendor);
        let matter = [Vendor::Dpd, Vendor::Xauth, Vendor::Unity];
        let (shared, others): (Vec<_>, Vec<_>) =
            matter.into_iter().partition(|vendor| sa.vendors.has(*vendor));
        let mut fitting = dialect.into_iter().chain(shared).chain(others).collect::<Vec<_>>();
        fitting.retain(|vendor| {
            let left = room.checked_sub(PAYLOAD_HEADER + vendor.bytes().len());
            room = left.unwrap_or(room);
            left.is_some()
        });
        let order = [Vendor::Dpd, Vendor::Unity, Vendor::Xauth];
        dialect.into_iter().chain(order).filter(|vendor| fitting.contains(vendor)).collect()
    }

    /// Our NAT-D payloads: the peer's address as we see it, then ours.
    pub(crate) fn push_nat_d(sa: &IsakmpSa, hash: HashAlg, writer: &mut Writer) {
        let Some(dialect) = sa.dialect else { return };
        let (local, remote) = ends(&sa.path);
        writer.push(dialect.nat_d(), nat_d(hash, sa.cookies, remote).to_vec());
        writer.push(dialect.nat_d(), nat_d(hash, sa.cookies, local).to_vec());
    }

    /// Evaluates the peer's NAT-D payloads, which cover the path on which the message was received.
    pub(crate) fn judge_nat(sa: &mut IsakmpSa, hash: HashAlg, chain: &Chain<'_>, path: &Path) {
        let Some(dialect) = sa.dialect else { return };
        let hashes: Vec<_> = chain.all(dialect.nat_d()).collect();
        if hashes.len() >= 2 {
            let (local, remote) = ends(path);
            sa.nat = NatState::judge(hash, sa.cookies, local, remote, &hashes);
        }
    }

    /// The initiator floats to port 4500 when there is a NAT (RFC 3947 section 4).
    pub(crate) fn float(sa: &mut IsakmpSa) {
        if sa.nat.any() && sa.path.encapsulation == Encapsulation::Native {
            sa.path.local_port = NATT_PORT;
            sa.path.remote_port = NATT_PORT;
            sa.path.encapsulation = Encapsulation::Udp;
        }
    }

    /// The identity's port: 500, or 0 once floated, as IOS sends it.
    pub(crate) fn identity_port(path: &Path) -> u16 {
        if path.encapsulation == Encapsulation::Udp { 0 } else { 500 }
    }

    /// Phase 1 is established.
    pub(crate) fn finish_phase1(&mut self, sa: &mut IsakmpSa, finished: Finished) {
        let now = self.cx.now;
        let lifetime = sa.suite.map_or(Duration::from_secs(86400), |suite| suite.lifetime);
        let gate = if sa.initiator {
            Gate::of_gateway()
        } else {
            Gate::of_peer(finished.demands.xauth_list.as_ref())
        };
        let waits_for_xauth = gate.authorized().is_none();
        let (peer, renewal) = self.join_peer(sa, &finished);
        let renew_after = MARGINS.renewal(lifetime, sa.initiator, self.cx.random.u32());
        let client = matches!(finished.identity, Identity::KeyId(_)) || waits_for_xauth;
        let renew = (!client || sa.initiator).then(|| now + renew_after);
        let nat_keepalive = (sa.nat.local).then(|| now + self.nat_keepalive_interval());
        let mut established = Established {
            keys: finished.keys,
            ivs: finished.iv.finish(),
            message_ids: MessageIds::default(),
            peer,
            identity: finished.identity,
            profile: finished.profile,
            demands: finished.demands,
            group: finished.group,
            gate,
            exchanges: std::collections::BTreeMap::new(),
            waiting: Waiting::default(),
            expires: now + lifetime,
            renew,
            xauth_start: waits_for_xauth.then(|| now + XAUTH_DELAY),
            xauth_end: match (&sa.connection, waits_for_xauth) {
                // a client gives its user that time to answer, and the gateway the same time to
                // continue
                (Some(_), _) => Some(now + limits::XAUTH_TIME * 2),
                (None, true) => Some(now + limits::XAUTH_TIME),
                (None, false) => None,
            },
            initial_contact: finished.initial_contact,
            renewal,
            xauth_used: waits_for_xauth,
            xauth_answered: false,
            xauth_failures: 0,
            xauth_deferred: 0,
            config_used: false,
            dpd: Dpd { sequence: self.cx.random.u32() & 0x7fff_ffff, heard: now, ..Dpd::default() },
            retire: None,
            nat_keepalive,
        };
        established.dpd.next = self.first_probe(sa, now);
        self.event(
            Some(sa),
            EventKind::Phase1Up {
                identity: established.identity.display(),
                profile: established.profile.clone(),
            },
        );
        sa.retransmit = None;
        sa.state = State::Established(Box::new(established));
        if sa.suite.is_some_and(|suite| suite.told) && !sa.initiator {
            self.notify_responder_lifetime(sa);
        }
        self.trace_phase1_complete(sa, waits_for_xauth);
        self.ask_for_group(sa);
        if !waits_for_xauth {
            self.authorized(sa);
        }
    }

    /// In main mode a client's group is known only now, with its identity; the key was looked up by
    /// its address. `client configuration group` of the profile names the group of peers whose
    /// identity is none.
    fn ask_for_group(&mut self, sa: &IsakmpSa) {
        let Some(established) = sa.established().filter(|it| it.group.is_none() && !sa.initiator) else {
            return;
        };
        let group = match (&established.demands.group, &established.identity) {
            (Some(group), _) => group.clone(),
            (None, Identity::KeyId(group)) => String::from_utf8_lossy(group).into_owned(),
            (None, _) => return,
        };
        if let Some(list) = established.demands.authorization_list.clone() {
            self.cx.ask(sa.id, 0, Question::Authorize { list: Some(list), group });
        }
    }

    /// The peer is authorised for everything now.
    pub(crate) fn authorized(&mut self, sa: &mut IsakmpSa) {
        self.cx.know(sa.path.remote);
        let Some(established) = sa.established_mut() else { return };
        let peer = established.peer;
        let first_contact = std::mem::take(&mut established.initial_contact);
        // not earlier: a client that does not pass Xauth on a new SA keeps the old one, including
        // its probes
        self.retire_older(sa.id, peer);
        if first_contact {
            self.initial_contact(sa, peer);
        }
        self.push_address(sa);
        if sa.connection.is_some() {
            // the gateway starts Xauth; if Xauth is not agreed, we continue by ourselves
            let expects_xauth = sa.suite.is_some_and(|suite| suite.method == ike::AUTH_XAUTH_INIT_PRESHARED);
            if !expects_xauth {
                self.request_configuration(sa);
            }
            return;
        }
        self.start_pending(sa);
    }

    /// Initiates the child SAs that waited for phase 1.
    pub(crate) fn start_pending(&mut self, sa: &mut IsakmpSa) {
        for child in std::mem::take(&mut sa.pending) {
            if let Err(refusal) = self.start_quick_mode(sa, child) {
                let path = sa.path;
                self.refuse(Some(sa), path, refusal);
            }
        }
    }

    /// Sends RESPONDER-LIFETIME as a separate informational exchange: the peer proposed a longer
    /// lifetime.
    pub(crate) fn notify_responder_lifetime(&mut self, sa: &IsakmpSa) {
        let Some(suite) = sa.suite else { return };
        let mut data = Vec::new();
        let seconds = u32::try_from(suite.lifetime.as_secs()).unwrap_or(u32::MAX);
        crate::wire::attribute::write(
            &[
                crate::wire::attribute::Attribute::short(ike::LIFE_TYPE, 1),
                crate::wire::attribute::Attribute::long(ike::LIFE_DURATION, seconds.to_be_bytes()),
            ],
            &mut data,
        );
        let message =
            Notify::isakmp(notify::RESPONDER_LIFETIME, sa.cookies.initiator, sa.cookies.responder, data);
        self.notify(sa, &message);
        self.trace_lifetime_notified(sa, suite.lifetime);
    }

    /// `crypto isakmp nat keepalive`, or the 20 seconds of RFC 3948; used when we are behind the
    /// NAT.
    pub(crate) fn nat_keepalive_interval(&self) -> Duration {
        self.cx.policy.global.nat_keepalive.unwrap_or(Duration::from_secs(20))
    }

    /// Refuses an unencrypted message where it must be encrypted.
    pub(crate) fn must_be_encrypted(header: &Header) -> Result<(), Refusal> {
        if header.encrypted() { Ok(()) } else { Err(Refusal::NotEncrypted) }
    }
}
