//! What main and aggressive mode have in common: the payloads of their messages, and the end of
//! phase 1.

use crate::ike::natt::Dialect;
use crate::ike::proposal::judge_phase1;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, IdentityPayload, PayloadName, Trace, VendorSeen};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::ike::vendor::Vendor;
use crate::policy::{IsakmpPolicy, Phase1Mode};
use crate::wire::ike1::Proposal;
use crate::wire::isakmp::Chain;
use crate::wire::registry::payload;
use std::time::Duration;

// the parts of which both modes' messages consist
impl V1<'_> {
    /// Traces the vendor ids of a message; `key_exchange` tells whether it is the message with the
    /// key exchange.
    pub(super) fn vendor_steps(&mut self, sa: &IsakmpSa, chain: &Chain<'_>, key_exchange: bool) {
        self.steps(sa, || {
            let mut out = Vec::new();
            for body in chain.all(payload::VENDOR) {
                out.push(Trace::Processing(PayloadName::Vendor, 0));
                let known = Vendor::recognise(body);
                match (known, body.get(14)) {
                    (None, Some(_)) if key_exchange && body.len() == 16 => {
                        out.push(Trace::Vendor(VendorSeen::IosBox));
                    }
                    (Some(Vendor::Unity | Vendor::Dpd), _) | (_, None) => {}
                    (_, Some(version)) => out.push(Trace::Vendor(VendorSeen::Unlike(*version))),
                }
                out.extend(known.map(|vendor| Trace::Vendor(VendorSeen::Known(vendor))));
            }
            out
        });
    }

    /// Traces the ID payload of a message, with the type of the payload after it.
    pub(super) fn identity_steps(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
        self.steps(sa, || {
            let place = chain.payloads.iter().position(|part| part.kind == payload::ID);
            let Some((place, part)) = place.and_then(|place| Some((place, chain.payloads.get(place)?)))
            else {
                return Vec::new();
            };
            let next = chain.payloads.get(place + 1).map_or(payload::NONE, |part| part.kind);
            vec![
                Trace::Processing(PayloadName::Id, 0),
                Trace::Identity(IdentityPayload::read(next, part.body)),
            ]
        });
    }

    /// Traces our own ID payload, which is followed by the hash; whether Xauth follows phase 1.
    pub(super) fn own_identity_steps(&mut self, sa: &IsakmpSa, body: &[u8], xauth: bool) {
        self.steps(sa, || {
            let identity = IdentityPayload::read(payload::HASH, body);
            let length = identity.length;
            vec![
                Trace::OwnIdentity { kind: identity.kind, xauth },
                Trace::Identity(identity),
                Trace::IdentityLength(length),
                Trace::Engine(EngineStep::Hmac),
            ]
        });
    }

    /// Traces the comparison of the transforms with our policies.
    pub(super) fn transform_steps(
        &mut self,
        sa: &IsakmpSa,
        policies: &[IsakmpPolicy],
        offered: &[Proposal],
        methods: &[u16],
    ) {
        self.steps(sa, || {
            judge_phase1(policies, offered, methods).into_iter().map(Trace::Phase1Transform).collect()
        });
    }

    /// Traces the receipt of the public value and the nonce.
    pub(super) fn key_exchange_steps(&mut self, sa: &IsakmpSa) {
        self.steps(sa, || {
            vec![
                Trace::Processing(PayloadName::Ke, 0),
                Trace::Engine(EngineStep::Agree),
                Trace::Processing(PayloadName::Nonce, 0),
            ]
        });
    }

    /// Traces that phase 1 has its keys.
    pub(super) fn keys_steps(&mut self, sa: &IsakmpSa) {
        self.steps(sa, || vec![Trace::Engine(EngineStep::Skeyid), Trace::SkeyidGenerated]);
    }

    /// Traces that the peer's hash is correct; `first_contact` tells whether INITIAL-CONTACT came
    /// with it.
    pub(super) fn hash_steps(&mut self, sa: &IsakmpSa, first_contact: bool) {
        let main = sa.mode == Phase1Mode::Main;
        self.steps(sa, || {
            let mut out = vec![Trace::Processing(PayloadName::Hash, 0), Trace::Engine(EngineStep::Hmac)];
            if first_contact {
                out.extend([Trace::InitialContactCame, Trace::Authenticated]);
            }
            if main {
                out.extend([Trace::Authenticated, Trace::AuthenticatedWith]);
            }
            out
        });
    }

    /// Traces the NAT-D payloads of a message and their result.
    pub(super) fn nat_steps(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
        let Some(dialect) = sa.dialect else { return };
        self.steps(sa, || {
            let rfc = dialect == Dialect::Rfc;
            let mut out: Vec<_> = chain.all(dialect.nat_d()).map(|_| Trace::NatPayload { rfc }).collect();
            if sa.nat.any() {
                out.push(Trace::NatFound { local: sa.nat.local, remote: sa.nat.remote });
            }
            out
        });
    }

    /// Traces that our dialect of NAT traversal is announced to the peer.
    pub(super) fn nat_announced_step(&mut self, sa: &IsakmpSa) {
        if let Some(dialect) = sa.dialect {
            self.step(sa, || Trace::NatConstructed(dialect.vendor()));
        }
    }

    /// Traces the search for the key of the peer's address in these keyrings, the default one
    /// first, and the keyring that has it.
    pub(super) fn key_search_steps(&mut self, sa: &IsakmpSa, only: &[String], found: Option<&str>) {
        if !self.traces(sa) {
            return;
        }
        let address = sa.path.remote;
        let mut searched: Vec<(String, bool)> = Vec::new();
        let rings = self.cx.policy.keyrings.iter().map(|keyring| keyring.name.as_str());
        let rings =
            rings.filter(|name| *name != "default" && (only.is_empty() || only.iter().any(|o| o == name)));
        for name in std::iter::once("default").chain(rings) {
            let here = found == Some(name);
            searched.push((name.to_string(), here));
            if here {
                break;
            }
        }
        self.step(sa, || Trace::KeySearch(address, searched));
    }
}

impl V1<'_> {
    /// None of the transforms in a peer's message 1 is accepted.
    pub(crate) fn trace_phase1_refused(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Phase1Refused);
    }

    /// Phase 1 is established with a peer that is not known yet.
    pub(crate) fn trace_peer_added(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::PeerInserted);
    }

    /// Phase 1 is established, and perhaps Xauth must follow.
    pub(crate) fn trace_phase1_complete(&mut self, sa: &IsakmpSa, waits_for_xauth: bool) {
        if sa.mode == Phase1Mode::Aggressive {
            let before = if sa.initiator { Fsm::AggressiveInitiator } else { Fsm::AggressiveResponder };
            self.moves(sa, FsmInput::AggressiveMode, before, Fsm::Phase1Complete);
        }
        if waits_for_xauth {
            self.step(sa, || Trace::NeedXauth);
        }
        let next = if waits_for_xauth { Fsm::XauthStart } else { Fsm::Phase1Complete };
        self.moves(sa, FsmInput::Phase1Complete, Fsm::Phase1Complete, next);
    }

    /// The initiator was told the lifetime that we apply, as it proposed a longer one.
    pub(crate) fn trace_lifetime_notified(&mut self, sa: &IsakmpSa, lifetime: Duration) {
        self.step(sa, || Trace::ResponderLifetime(lifetime.as_secs()));
    }

    /// INITIAL-CONTACT ends what is older than this SA.
    pub(crate) fn trace_older_sas_end(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::InitialContact);
    }
}
