//! The narration of `debug`: what is traced of each message, apart from what is done with it.

use crate::ike::event::EventKind;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, IdentityPayload, PayloadName, Trace, VendorSeen};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::ike::vendor::Vendor;
use crate::wire::isakmp::Chain;
use crate::wire::registry::payload;

impl V1<'_> {
    /// Whether the steps of this SA are traced.
    pub(crate) fn traces(&self, sa: &IsakmpSa) -> bool {
        self.cx.out.tracing.covers(sa.path.remote)
    }

    /// Traces a step of an SA, if its peer is traced.
    pub(crate) fn step(&mut self, sa: &IsakmpSa, trace: impl FnOnce() -> Trace) {
        if self.traces(sa) {
            self.event(Some(sa), EventKind::Trace(Box::new(trace())));
        }
    }

    /// Traces several steps.
    pub(crate) fn steps(&mut self, sa: &IsakmpSa, traces: impl FnOnce() -> Vec<Trace>) {
        if self.traces(sa) {
            for trace in traces() {
                self.event(Some(sa), EventKind::Trace(Box::new(trace)));
            }
        }
    }

    /// Traces a change of the SA's state machine.
    pub(crate) fn moves(&mut self, sa: &IsakmpSa, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: None, input, old, new });
    }

    /// Traces a change of a quick mode's state machine.
    pub(crate) fn node_moves(&mut self, sa: &IsakmpSa, node: u32, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: Some(node), input, old, new });
    }

    /// A step of the crypto engine.
    pub(crate) fn engine_step(&mut self, sa: &IsakmpSa, step: EngineStep) {
        self.step(sa, || Trace::Engine(step));
    }

    /// Traces the vendor ids of a message; `key_exchange` tells whether it is the message with the
    /// key exchange.
    pub(crate) fn vendor_steps(&mut self, sa: &IsakmpSa, chain: &Chain<'_>, key_exchange: bool) {
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

    /// Traces the ID payload of a phase-1 message, with the type of the payload after it.
    pub(crate) fn identity_step(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
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

    /// Traces our own ID payload.
    pub(crate) fn own_identity_steps(&mut self, sa: &IsakmpSa, next: u8, body: &[u8], xauth: bool) {
        self.steps(sa, || {
            let identity = IdentityPayload::read(next, body);
            let length = identity.length;
            vec![
                Trace::OwnIdentity { kind: identity.kind, xauth },
                Trace::Identity(identity),
                Trace::IdentityLength(length),
                Trace::Engine(EngineStep::Hmac),
            ]
        });
    }

    /// Traces the search for the key of the peer's address in these keyrings, the default one
    /// first.
    pub(crate) fn key_search_steps(&mut self, sa: &IsakmpSa, only: &[String], found: Option<&str>) {
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
