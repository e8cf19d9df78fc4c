//! Aggressive mode with a pre-shared key (RFC 2409 section 5.4), as Cisco's clients use it: the
//! identity is a group name.
//!
//! ```text
//! initiator                                     responder
//!   1  SA, KE, Ni, IDii, VIDs            -->
//!                                               (the authorization list is asked for the key)
//!                                        <--  2  SA, KE, Nr, IDir, HASH_R, VIDs, NAT-D, NAT-D
//!   3  { HASH_I, NAT-D, NAT-D [, INITIAL-CONTACT] }  -->      (from port 4500 when there is a NAT)
//! ```

use super::phase1::{
    Finished, PAYLOAD_HEADER, has_initial_contact, initiator_authenticator, initiator_offers, nonce, only,
};
use crate::ike::authenticator::Authenticator;
use crate::ike::explain::Refusal;
use crate::ike::identity::Identity;
use crate::ike::io::Question;
use crate::ike::lookup::{self, Demands};
use crate::ike::misfit::Phase1Misfit;
use crate::ike::natt::Dialect;
use crate::ike::proposal::{choose_phase1, offer_phase1};
use crate::ike::retransmit::Retransmit;
use crate::ike::v1::iv::Phase1Iv;
use crate::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, IsakmpSa, State};
use crate::ike::v1::states::{AggressiveInitiator, AggressiveResponder, Answered, Authorizing};
use crate::names::Untrusted;
use crate::path::Path;
use crate::policy::{ClientGroup, SelfIdentity};
use crate::wire::ike1::{Notify, parse_phase1_sa, write_sa};
use crate::wire::isakmp::{Chain, HEADER_LEN, Header, Writer};
use crate::wire::registry::{exchange, ike, notify, payload};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::secret::Secret;
use std::sync::Arc;

/// Bytes of a nonce of ours.
const NONCE_LEN: usize = 20;

impl V1<'_> {
    /// `1  SA, KE, Ni, IDii, VIDs  -->`
    pub(crate) fn aggressive_begin(&mut self, sa: &mut IsakmpSa) -> Result<(), Refusal> {
        let policy = Arc::clone(&self.cx.policy);
        let authenticator = initiator_authenticator(&policy, sa)?;
        let (policies, method) = initiator_offers(&policy, sa);
        let group = policies.first().ok_or(Refusal::Local("no ISAKMP policy is configured"))?.group;
        let sa_body = write_sa(&offer_phase1(policies, method, Some(group)));
        let private = DhPrivate::generate(group, &mut self.cx.random);
        let nonce = self.cx.random.array::<20>().to_vec();
        let identity = Identity::write(&self.own_identity(sa), sa.path.local, 500);
        let mut writer = Writer::new();
        writer
            .push(payload::SA, sa_body.clone())
            .push(payload::KE, private.public())
            .push(payload::NONCE, nonce.clone())
            .push(payload::ID, identity.clone());
        self.push_initiator_vendors(sa, &mut writer);
        let bytes = Self::phase1_clear(sa, exchange::AGGRESSIVE, &writer);
        self.trace_aggressive_1_sent(sa);
        sa.retransmit = Some(self.cx.transmit_expecting(sa.path, bytes));
        sa.state = State::AggressiveInitiator(Box::new(AggressiveInitiator {
            sa_body,
            identity,
            authenticator,
            private,
            nonce,
        }));
        Ok(())
    }

    /// Message 2, answered by message 3.
    pub(crate) fn aggressive_initiator(
        &mut self,
        sa: &mut IsakmpSa,
        state: &AggressiveInitiator,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        if header.encrypted() {
            return Err(Refusal::Unexpected(header.exchange));
        }
        let chain = Chain::parse(header.first, body)?;
        let answer = parse_phase1_sa(only(&chain, payload::SA, "SA")?)?;
        let policy = Arc::clone(&self.cx.policy);
        let (policies, method) = initiator_offers(&policy, sa);
        self.trace_aggressive_2_received(sa, policies, &answer, method);
        let choice = choose_phase1(policies, &answer, &[method]).map_err(|_| Refusal::NotOffered)?;
        if choice.suite.group != state.private.group() {
            return Err(Refusal::NotOffered);
        }
        let peer_public = only(&chain, payload::KE, "KE")?;
        let nonce_r = nonce(&chain, Some(&state.nonce))?;
        let id_body = only(&chain, payload::ID, "ID")?;
        let hash = only(&chain, payload::HASH, "HASH")?;
        let shared = state.private.agree(peer_public)?;
        let cookies =
            crate::wire::isakmp::Cookies { initiator: sa.cookies.initiator, responder: header.responder };
        let keys = Phase1Keys::derive(&KeyInput {
            hash: choice.suite.hash,
            cipher: choice.suite.cipher,
            cookies,
            key: state.authenticator.key(),
            nonce_i: &state.nonce,
            nonce_r,
            public_i: state.private.public(),
            public_r: peer_public,
            shared: &shared,
        });
        let theirs = keys.auth_hash(&AuthInput {
            own_public: peer_public,
            other_public: state.private.public(),
            own_cookie: cookies.responder,
            other_cookie: cookies.initiator,
            sa: &state.sa_body,
            identity: id_body,
        });
        let authenticated = state.authenticator.check(&theirs, hash).ok_or(Refusal::WrongPresharedKey)?;
        let identity = Identity::parse(id_body)?;
        self.check_gateway(sa, &identity)?;
        sa.cookies = cookies;
        sa.suite = Some(choice.suite);
        self.trace_aggressive_2_accepted(sa, &chain, has_initial_contact(&chain));
        for vendor in chain.all(payload::VENDOR) {
            sa.vendors.note(vendor);
        }
        if sa.connection.as_ref().map_or(policy.global.nat_traversal, |connection| connection.nat_traversal) {
            sa.dialect = Dialect::choose(&sa.vendors);
        }
        Self::judge_nat(sa, choice.suite.hash, &chain, &path);
        // 3  { HASH_I, NAT-D, NAT-D [, INITIAL-CONTACT] }  -->
        let hash = keys.auth_hash(&AuthInput {
            own_public: state.private.public(),
            other_public: peer_public,
            own_cookie: cookies.initiator,
            other_cookie: cookies.responder,
            sa: &state.sa_body,
            identity: &state.identity,
        });
        let first_contact = !self.cx.knows_peer_at(&sa.path);
        Self::float(sa);
        let mut iv = Phase1Iv::new(&keys);
        let mut writer = Writer::new();
        writer.push(payload::HASH, state.authenticator.prove(&hash));
        Self::push_nat_d(sa, choice.suite.hash, &mut writer);
        if first_contact {
            let contact = Notify::isakmp(notify::INITIAL_CONTACT, cookies.initiator, cookies.responder, []);
            writer.push(payload::NOTIFY, contact.write());
        }
        let bytes = Self::phase1_sealed(sa, exchange::AGGRESSIVE, &writer, &keys, &mut iv);
        self.trace_aggressive_3_sent(sa);
        self.cx.out.transmit(sa.path, bytes.clone());
        let answer = Some((sa.path, bytes));
        let profile = self.initiator_profile(sa, &identity);
        let finished = Finished {
            keys,
            iv,
            identity,
            profile,
            demands: Demands::default(),
            group: None,
            initial_contact: false,
            _authenticated: authenticated,
        };
        self.finish_phase1(sa, finished);
        // message 3 is not answered; it is repeated until a protected message proves that it
        // arrived
        sa.retransmit = answer.clone().map(|(path, bytes)| Retransmit::sent(path, bytes, self.cx.now));
        Ok(answer)
    }

    /// Message 1, of this many bytes: determines the peer and its key.
    pub(crate) fn aggressive_first(
        &mut self,
        sa: &mut IsakmpSa,
        header: &Header,
        body: &[u8],
        asked: usize,
    ) -> Result<Answer, Refusal> {
        let policy = Arc::clone(&self.cx.policy);
        if !policy.global.aggressive_mode {
            return Err(Refusal::AggressiveModeDisabled);
        }
        let chain = Chain::parse(header.first, body)?;
        let sa_body = only(&chain, payload::SA, "SA")?;
        let peer_public = only(&chain, payload::KE, "KE")?;
        let nonce_i = nonce(&chain, None)?;
        let id_body = only(&chain, payload::ID, "ID")?;
        let identity = Identity::parse(id_body)?;
        let profile = lookup::profile_for(&policy, sa.path.local, &identity);
        let keyrings = profile.map_or(&[][..], |profile| &profile.keyrings);
        let found = match &identity {
            // the group has the key
            Identity::KeyId(_) => None,
            Identity::Fqdn(name) | Identity::UserFqdn(name) => {
                lookup::key_for_hostname(&policy, keyrings, sa.path.local, name)
                    .or_else(|| lookup::key_for_address(&policy, keyrings, sa.path.local, sa.path.remote))
            }
            _ => lookup::key_for_address(&policy, keyrings, sa.path.local, sa.path.remote),
        };
        if found.is_some_and(|found| !lookup::is_meant(&found, profile, &identity)) {
            return Err(Refusal::KeyOfMany(identity.display()));
        }
        let demands = lookup::demands(&policy, sa.path.interface, profile, false);
        // the group cannot be negotiated: the peer has already sent its public value
        let fitting: Vec<_> =
            policy.proposals.iter().filter(|p| p.group.public_len() == peer_public.len()).cloned().collect();
        // an unknown group must look like one that requires Xauth
        let unknown_group = profile.is_none() && matches!(identity, Identity::KeyId(_));
        let asks_xauth = demands.xauth_list.is_some()
            || (unknown_group && lookup::xauth_possible(&policy, sa.path.interface));
        let method = if asks_xauth { ike::AUTH_XAUTH_INIT_PRESHARED } else { ike::AUTH_PRESHARED };
        let offered = parse_phase1_sa(sa_body)?;
        self.trace_aggressive_1_received(sa, &chain, profile, &demands, &fitting, method);
        let choice = choose_phase1(&fitting, &offered, &[method]).map_err(|_| {
            Refusal::NoPhase1Proposal(Box::new(Phase1Misfit::new(&fitting, &offered, &[method])))
        })?;
        for vendor in chain.all(payload::VENDOR) {
            sa.vendors.note(vendor);
        }
        sa.suite = Some(choice.suite);
        self.trace_aggressive_1_accepted(sa);
        let authorizing = Authorizing {
            asked,
            sa_body: sa_body.to_vec(),
            choice,
            peer_public: peer_public.to_vec(),
            nonce_i: nonce_i.to_vec(),
            id_body: id_body.to_vec(),
            identity,
            profile: profile.map(|profile| profile.name.clone()),
            demands,
        };
        if let Identity::KeyId(group) = &authorizing.identity {
            // without a list every group is unknown; the peer must see no difference, neither in
            // content nor in time
            self.spend(sa)?;
            let list = authorizing.demands.authorization_list.clone();
            let group = String::from_utf8_lossy(group).into_owned();
            sa.state =
                State::AggressiveResponder(Box::new(AggressiveResponder::Authorizing(Box::new(authorizing))));
            self.cx.ask(sa.id, 0, Question::Authorize { list, group });
            return Ok(None);
        }
        self.trace_key_searched(sa, keyrings, found.map(|found| found.keyring.name.as_str()));
        let key = found.ok_or(Refusal::NoPresharedKey)?.key.secret.clone();
        self.spend(sa)?;
        self.aggressive_answer(sa, &authorizing, Authenticator::PreShared(key), None).map(Some)
    }

    /// The authorization list answered. An unknown group gets the same answer as a known one, under
    /// a random key, so that group names cannot be guessed.
    pub(crate) fn group_answered(
        &mut self,
        sa: &mut IsakmpSa,
        group: Option<Arc<ClientGroup>>,
    ) -> Result<(), Refusal> {
        if let State::Established(established) = &mut sa.state {
            // a client in main mode, for whose group the list could not be asked earlier
            let Some(group) = group else {
                let name = established.identity.display();
                self.delete_isakmp(sa, "the client group is not known");
                return Err(Refusal::UnknownGroup(name));
            };
            if let Some(peer) = self.cx.peers.get_mut(&established.peer) {
                peer.group = Some(group.name.clone());
            }
            established.group = Some(group);
            return self.group_known(sa);
        }
        let State::AggressiveResponder(state) = std::mem::replace(&mut sa.state, State::Void) else {
            return Err(Refusal::Unexpected(exchange::AGGRESSIVE));
        };
        let AggressiveResponder::Authorizing(authorizing) = *state else {
            sa.state = State::AggressiveResponder(state);
            return Err(Refusal::Unexpected(exchange::AGGRESSIVE));
        };
        self.trace_group_answered(sa);
        let key = match &group {
            Some(group) => group.key.clone(),
            None => {
                let name = match &authorizing.identity {
                    Identity::KeyId(name) => Untrusted::new(name.as_slice()),
                    other => other.display(),
                };
                let path = sa.path;
                self.refuse(Some(sa), path, Refusal::UnknownGroup(name));
                Secret::new(self.cx.random.array::<32>().to_vec())
            }
        };
        let answer = self
            .aggressive_answer(sa, &authorizing, Authenticator::PreShared(key), group)
            .inspect_err(|_| sa.dead = true)?;
        sa.seen.amend(0, answer);
        Ok(())
    }

    /// `<--  2  SA, KE, Nr, IDir, HASH_R, VIDs, NAT-D, NAT-D`
    fn aggressive_answer(
        &mut self,
        sa: &mut IsakmpSa,
        first: &Authorizing,
        authenticator: Authenticator,
        group: Option<Arc<ClientGroup>>,
    ) -> Result<(Path, Vec<u8>), Refusal> {
        let suite = first.choice.suite;
        let own = first.profile.as_deref().and_then(|name| self.cx.policy.profile(name));
        let own = own.and_then(|profile| profile.self_identity.clone());
        let own = own.unwrap_or_else(|| match &self.cx.policy.global.identity {
            SelfIdentity::KeyId(_) => SelfIdentity::Address,
            other => other.clone(),
        });
        let own_body = Identity::write(&own, sa.path.local, 500);
        let body = write_sa(&first.choice.answer);
        sa.dialect = Dialect::choose(&sa.vendors).filter(|_| self.cx.policy.global.nat_traversal);
        // what the answer must have; without NAT-D, the tunnel of a peer behind a NAT would come up
        // and carry nothing
        let hash_len = suite.hash.output_len();
        let must = [body.len(), suite.group.public_len(), NONCE_LEN, own_body.len(), hash_len];
        let nat = sa.dialect.map(|dialect| [dialect.vendor().bytes().len(), hash_len, hash_len]);
        let payloads = must.into_iter().chain(nat.into_iter().flatten());
        let least = HEADER_LEN + payloads.map(|len| PAYLOAD_HEADER + len).sum::<usize>();
        let room = Self::answer_limit(first.asked).checked_sub(least).ok_or(Refusal::TooShort)?;
        let private = DhPrivate::generate(suite.group, &mut self.cx.random);
        let shared = private.agree(&first.peer_public)?;
        let nonce_r = self.cx.random.array::<NONCE_LEN>();
        let keys = Phase1Keys::derive(&KeyInput {
            hash: suite.hash,
            cipher: suite.cipher,
            cookies: sa.cookies,
            key: authenticator.key(),
            nonce_i: &first.nonce_i,
            nonce_r: &nonce_r,
            public_i: &first.peer_public,
            public_r: private.public(),
            shared: &shared,
        });
        let hash = keys.auth_hash(&AuthInput {
            own_public: private.public(),
            other_public: &first.peer_public,
            own_cookie: sa.cookies.responder,
            other_cookie: sa.cookies.initiator,
            sa: &first.sa_body,
            identity: &own_body,
        });
        let mut writer = Writer::new();
        writer
            .push(payload::SA, body)
            .push(payload::KE, private.public())
            .push(payload::NONCE, nonce_r)
            .push(payload::ID, own_body.clone())
            .push(payload::HASH, authenticator.prove(&hash));
        // the dialect's own vendor id has its place already
        let dialect = sa.dialect.map_or(0, |dialect| PAYLOAD_HEADER + dialect.vendor().bytes().len());
        let room = room + dialect;
        for vendor in Self::responder_vendors(sa, room) {
            writer.push(payload::VENDOR, vendor.bytes());
        }
        Self::push_nat_d(sa, suite.hash, &mut writer);
        let bytes = Self::phase1_clear(sa, exchange::AGGRESSIVE, &writer);
        self.trace_aggressive_2_sent(sa, &own_body, first.demands.xauth_list.is_some());
        self.cx.out.transmit(sa.path, bytes.clone());
        sa.progress = self.cx.now;
        sa.state = State::AggressiveResponder(Box::new(AggressiveResponder::Answered(Box::new(Answered {
            authenticator,
            sa_body: first.sa_body.clone(),
            iv: Phase1Iv::new(&keys),
            keys,
            public: private.public().to_vec(),
            peer_public: first.peer_public.clone(),
            id_body: first.id_body.clone(),
            identity: first.identity.clone(),
            profile: first.profile.clone(),
            demands: first.demands.clone(),
            group,
        }))));
        Ok((sa.path, bytes))
    }

    /// Message 3, which Cisco's clients encrypt; others may leave it in clear.
    pub(crate) fn aggressive_responder(
        &mut self,
        sa: &mut IsakmpSa,
        state: &AggressiveResponder,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let AggressiveResponder::Answered(state) = state else {
            return Err(Refusal::Unexpected(header.exchange));
        };
        let suite = sa.suite.ok_or(Refusal::Local("no proposal agreed"))?;
        let mut iv = state.iv.clone();
        let decrypted;
        let plain = if header.encrypted() {
            decrypted = iv.decrypt(&state.keys, body).map_err(|_| Refusal::WrongPresharedKey)?;
            iv.advance(&decrypted);
            &decrypted.plain
        } else {
            body
        };
        let chain = Chain::parse(header.first, plain).map_err(|_| Refusal::WrongPresharedKey)?;
        let hash = chain.only(payload::HASH).ok_or(Refusal::WrongPresharedKey)?;
        let theirs = state.keys.auth_hash(&AuthInput {
            own_public: &state.peer_public,
            other_public: &state.public,
            own_cookie: sa.cookies.initiator,
            other_cookie: sa.cookies.responder,
            sa: &state.sa_body,
            identity: &state.id_body,
        });
        let authenticated = state.authenticator.check(&theirs, hash).ok_or(Refusal::WrongPresharedKey)?;
        Self::judge_nat(sa, suite.hash, &chain, &path);
        let initial_contact = has_initial_contact(&chain);
        self.trace_aggressive_3_accepted(sa, &chain, initial_contact);
        self.follow(sa, path);
        let finished = Finished {
            keys: state.keys.clone(),
            iv,
            identity: state.identity.clone(),
            profile: state.profile.clone(),
            demands: state.demands.clone(),
            group: state.group.clone(),
            initial_contact,
            _authenticated: authenticated,
        };
        self.finish_phase1(sa, finished);
        Ok(None)
    }
}
