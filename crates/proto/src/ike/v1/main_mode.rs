//! Main mode with a pre-shared key (RFC 2409 section 5.4).
//!
//! ```text
//! initiator                                   responder
//!   1  SA, VIDs                          -->
//!                                        <--  2  SA, VIDs
//!   3  KE, Ni, NAT-D, NAT-D              -->
//!                                        <--  4  KE, Nr, NAT-D, NAT-D
//!   5  { IDii, HASH_I [, INITIAL-CONTACT] } ->          (from port 4500 when there is a NAT)
//!                                        <--  6  { IDir, HASH_R }
//! ```

use super::phase1::{Finished, has_initial_contact, initiator_authenticator, initiator_offers, nonce, only};
use crate::ike::authenticator::Authenticator;
use crate::ike::explain::Refusal;
use crate::ike::identity::Identity;
use crate::ike::lookup;
use crate::ike::misfit::Phase1Misfit;
use crate::ike::natt::Dialect;
use crate::ike::proposal::{Phase1Suite, choose_phase1, offer_phase1};
use crate::ike::v1::iv::Phase1Iv;
use crate::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, IsakmpSa, State};
use crate::ike::v1::states::{MainInitiator, MainResponder};
use crate::path::Path;
use crate::policy::SelfIdentity;
use crate::wire::ike1::{Notify, Proposal, parse_phase1_sa, write_sa};
use crate::wire::isakmp::{Chain, HEADER_LEN, Header, Writer};
use crate::wire::registry::{exchange, ike, notify, payload};
use hubward_crypto::dh::DhPrivate;
use std::sync::Arc;

/// The authentication methods that a responder accepts, which does not know the peer yet.
const fn main_mode_methods(may_ask_for_xauth: bool) -> &'static [u16] {
    if may_ask_for_xauth {
        &[ike::AUTH_PRESHARED, ike::AUTH_XAUTH_INIT_PRESHARED]
    } else {
        &[ike::AUTH_PRESHARED]
    }
}

impl V1<'_> {
    /// `1  SA, VIDs -->`
    pub(crate) fn main_mode_begin(&mut self, sa: &mut IsakmpSa) -> Result<(), Refusal> {
        let policy = Arc::clone(&self.cx.policy);
        let authenticator = initiator_authenticator(&policy, sa)?;
        let (policies, method) = initiator_offers(&policy, sa);
        let sa_body = write_sa(&offer_phase1(policies, method, None));
        let mut writer = Writer::new();
        writer.push(payload::SA, sa_body.clone());
        self.push_initiator_vendors(sa, &mut writer);
        let bytes = Self::phase1_clear(sa, exchange::MAIN, &writer);
        self.trace_main_1_sent(sa);
        sa.retransmit = Some(self.cx.transmit_expecting(sa.path, bytes));
        sa.state = State::MainInitiator(Box::new(MainInitiator::Proposed { sa_body, authenticator }));
        Ok(())
    }

    /// Messages 2, 4 and 6.
    pub(crate) fn main_mode_initiator(
        &mut self,
        sa: &mut IsakmpSa,
        state: &MainInitiator,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        match state {
            MainInitiator::Proposed { sa_body, authenticator } => {
                // <--  2  SA, VIDs
                if header.encrypted() {
                    return Err(Refusal::Unexpected(header.exchange));
                }
                let chain = Chain::parse(header.first, body)?;
                let answer = parse_phase1_sa(only(&chain, payload::SA, "SA")?)?;
                let policy = Arc::clone(&self.cx.policy);
                let (policies, method) = initiator_offers(&policy, sa);
                self.trace_main_2_received(sa, &chain, policies, &answer, method);
                let choice = choose_phase1(policies, &answer, &[method]).map_err(|_| Refusal::NotOffered)?;
                for vendor in chain.all(payload::VENDOR) {
                    sa.vendors.note(vendor);
                }
                if sa.connection.as_ref().map_or(policy.global.nat_traversal, |c| c.nat_traversal) {
                    sa.dialect = Dialect::choose(&sa.vendors);
                }
                sa.suite = Some(choice.suite);
                sa.cookies.responder = header.responder;
                // 3  KE, Ni, NAT-D, NAT-D  -->
                let private = DhPrivate::generate(choice.suite.group, &mut self.cx.random);
                let nonce = self.cx.random.array::<20>().to_vec();
                let mut writer = Writer::new();
                writer.push(payload::KE, private.public()).push(payload::NONCE, nonce.clone());
                Self::push_nat_d(sa, choice.suite.hash, &mut writer);
                let bytes = Self::phase1_clear(sa, exchange::MAIN, &writer);
                self.trace_main_3_sent(sa);
                sa.retransmit = Some(self.cx.transmit_expecting(sa.path, bytes.clone()));
                let (sa_body, authenticator) = (sa_body.clone(), authenticator.clone());
                sa.state = State::MainInitiator(Box::new(MainInitiator::Exchanged {
                    sa_body,
                    authenticator,
                    private,
                    nonce,
                }));
                Ok(Some((sa.path, bytes)))
            }
            MainInitiator::Exchanged { sa_body, authenticator, private, nonce: nonce_i } => {
                // <--  4  KE, Nr, NAT-D, NAT-D
                if header.encrypted() {
                    return Err(Refusal::Unexpected(header.exchange));
                }
                let suite = sa.suite.ok_or(Refusal::Local("no proposal agreed"))?;
                let chain = Chain::parse(header.first, body)?;
                let peer_public = only(&chain, payload::KE, "KE")?;
                let nonce_r = nonce(&chain, Some(nonce_i))?;
                let shared = private.agree(peer_public)?;
                for vendor in chain.all(payload::VENDOR) {
                    sa.vendors.note(vendor);
                }
                Self::judge_nat(sa, suite.hash, &chain, &path);
                self.trace_main_4_accepted(sa, &chain);
                Self::float(sa);
                let keys = Phase1Keys::derive(&KeyInput {
                    hash: suite.hash,
                    cipher: suite.cipher,
                    cookies: sa.cookies,
                    key: authenticator.key(),
                    nonce_i,
                    nonce_r,
                    public_i: private.public(),
                    public_r: peer_public,
                    shared: &shared,
                });
                // 5  { IDii, HASH_I [, INITIAL-CONTACT] }  -->
                let identity =
                    Identity::write(&self.own_identity(sa), sa.path.local, Self::identity_port(&sa.path));
                let hash = keys.auth_hash(&AuthInput {
                    own_public: private.public(),
                    other_public: peer_public,
                    own_cookie: sa.cookies.initiator,
                    other_cookie: sa.cookies.responder,
                    sa: sa_body,
                    identity: &identity,
                });
                self.trace_main_5_sent(sa, &identity);
                let mut iv = Phase1Iv::new(&keys);
                let mut writer = Writer::new();
                writer.push(payload::ID, identity).push(payload::HASH, authenticator.prove(&hash));
                if !self.cx.knows_peer_at(&sa.path) {
                    let contact = Notify::isakmp(
                        notify::INITIAL_CONTACT,
                        sa.cookies.initiator,
                        sa.cookies.responder,
                        [],
                    );
                    writer.push(payload::NOTIFY, contact.write());
                }
                let bytes = Self::phase1_sealed(sa, exchange::MAIN, &writer, &keys, &mut iv);
                sa.retransmit = Some(self.cx.transmit_expecting(sa.path, bytes.clone()));
                sa.state = State::MainInitiator(Box::new(MainInitiator::Identified {
                    sa_body: sa_body.clone(),
                    authenticator: authenticator.clone(),
                    keys: Box::new(keys),
                    iv,
                    public: private.public().to_vec(),
                    peer_public: peer_public.to_vec(),
                }));
                Ok(Some((sa.path, bytes)))
            }
            MainInitiator::Identified { sa_body, authenticator, keys, iv, public, peer_public } => {
                // <--  6  { IDir, HASH_R }
                Self::must_be_encrypted(header)?;
                let decrypted = iv.decrypt(keys, body).map_err(|_| Refusal::WrongPresharedKey)?;
                let chain =
                    Chain::parse(header.first, &decrypted.plain).map_err(|_| Refusal::WrongPresharedKey)?;
                let hash = chain.only(payload::HASH).ok_or(Refusal::WrongPresharedKey)?;
                let id_body = only(&chain, payload::ID, "ID")?;
                self.trace_identity_received(sa, &chain);
                let theirs = keys.auth_hash(&AuthInput {
                    own_public: peer_public,
                    other_public: public,
                    own_cookie: sa.cookies.responder,
                    other_cookie: sa.cookies.initiator,
                    sa: sa_body,
                    identity: id_body,
                });
                let authenticated = authenticator.check(&theirs, hash).ok_or(Refusal::Hash)?;
                let identity = Identity::parse(id_body)?;
                self.check_gateway(sa, &identity)?;
                let mut iv = iv.clone();
                iv.advance(&decrypted);
                self.follow(sa, path);
                let profile = self.initiator_profile(sa, &identity);
                let initial_contact = has_initial_contact(&chain);
                self.trace_main_6_accepted(sa, profile.as_deref(), initial_contact);
                let finished = Finished {
                    keys: (**keys).clone(),
                    iv,
                    identity,
                    profile,
                    demands: lookup::Demands::default(),
                    group: None,
                    initial_contact,
                    _authenticated: authenticated,
                };
                self.finish_phase1(sa, finished);
                Ok(None)
            }
        }
    }

    /// `<--  2  SA, VIDs`, to a message 1 of this many bytes.
    pub(crate) fn main_mode_first(
        &mut self,
        sa: &mut IsakmpSa,
        header: &Header,
        body: &[u8],
        asked: usize,
    ) -> Result<(), Refusal> {
        let chain = Chain::parse(header.first, body)?;
        let sa_body = only(&chain, payload::SA, "SA")?;
        let offered = parse_phase1_sa(sa_body)?;
        let policy = Arc::clone(&self.cx.policy);
        let found = lookup::key_for_address(&policy, &[], sa.path.local, sa.path.remote);
        let methods = main_mode_methods(lookup::xauth_possible(&policy, sa.path.interface));
        let keyring = found.map(|found| found.keyring.name.as_str());
        self.trace_main_1_received(sa, &chain, keyring, &offered, methods);
        if found.is_none() {
            return Err(Refusal::NoPresharedKey);
        }
        let choice = choose_phase1(&policy.proposals, &offered, methods).map_err(|_| {
            Refusal::NoPhase1Proposal(Box::new(Phase1Misfit::new(&policy.proposals, &offered, methods)))
        })?;
        for vendor in chain.all(payload::VENDOR) {
            sa.vendors.note(vendor);
        }
        sa.suite = Some(choice.suite);
        if policy.global.nat_traversal {
            sa.dialect = Dialect::choose(&sa.vendors);
        }
        let bytes = Self::main_mode_second(sa, &choice.answer, asked);
        self.trace_main_2_sent(sa);
        self.cx.out.transmit(sa.path, bytes);
        sa.state = State::MainResponder(Box::new(MainResponder::Proposed { sa_body: sa_body.to_vec() }));
        Ok(())
    }

    fn main_mode_second(sa: &IsakmpSa, answer: &[Proposal], asked: usize) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(answer));
        let room = Self::answer_limit(asked).saturating_sub(HEADER_LEN + writer.bytes().len());
        for vendor in Self::responder_vendors(sa, room) {
            writer.push(payload::VENDOR, vendor.bytes());
        }
        Self::phase1_clear(sa, exchange::MAIN, &writer)
    }

    /// Message 2 once more, for a repetition of message 1; `None` if another configuration would
    /// now choose something else.
    pub(crate) fn main_mode_again(
        &self,
        sa: &IsakmpSa,
        header: &Header,
        body: &[u8],
        asked: usize,
    ) -> Option<Vec<u8>> {
        let chain = Chain::parse(header.first, body).ok()?;
        let offered = parse_phase1_sa(chain.only(payload::SA)?).ok()?;
        let methods = main_mode_methods(lookup::xauth_possible(&self.cx.policy, sa.path.interface));
        let choice = choose_phase1(&self.cx.policy.proposals, &offered, methods).ok()?;
        let same = sa.suite == Some(choice.suite);
        same.then(|| Self::main_mode_second(sa, &choice.answer, asked))
    }

    /// Messages 3 and 5.
    pub(crate) fn main_mode_responder(
        &mut self,
        sa: &mut IsakmpSa,
        state: &MainResponder,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let suite = sa.suite.ok_or(Refusal::Local("no proposal agreed"))?;
        match state {
            MainResponder::Proposed { sa_body } => {
                if header.encrypted() {
                    return Err(Refusal::Unexpected(header.exchange));
                }
                self.main_mode_exchange(sa, suite, sa_body, path, header, body)
            }
            MainResponder::Exchanged { sa_body, keys, iv, authenticator, public, peer_public } => {
                Self::must_be_encrypted(header)?;
                // 5  { IDii, HASH_I [, INITIAL-CONTACT] }  -->
                let decrypted = iv.decrypt(keys, body).map_err(|_| Refusal::WrongPresharedKey)?;
                let chain =
                    Chain::parse(header.first, &decrypted.plain).map_err(|_| Refusal::WrongPresharedKey)?;
                let hash = chain.only(payload::HASH).ok_or(Refusal::WrongPresharedKey)?;
                let id_body = chain.only(payload::ID).ok_or(Refusal::WrongPresharedKey)?;
                self.trace_identity_received(sa, &chain);
                let theirs = keys.auth_hash(&AuthInput {
                    own_public: peer_public,
                    other_public: public,
                    own_cookie: sa.cookies.initiator,
                    other_cookie: sa.cookies.responder,
                    sa: sa_body,
                    identity: id_body,
                });
                let authenticated = authenticator.check(&theirs, hash).ok_or(Refusal::Hash)?;
                let identity = Identity::parse(id_body)?;
                let policy = Arc::clone(&self.cx.policy);
                // the peer is known only now: bind the profile, and look up the key again in its
                // keyrings
                let profile = lookup::profile_for(&policy, path.local, &identity);
                let keyrings = profile.map_or(&[][..], |profile| &profile.keyrings);
                let found = lookup::key_for_address(&policy, keyrings, path.local, path.remote);
                self.trace_peer_bound(sa, profile, found.map(|found| found.keyring.name.as_str()));
                let same = found.filter(|found| found.key.secret.matches(authenticator.key().expose()));
                let Some(found) = same else {
                    let name = profile.map_or_else(String::new, |profile| profile.name.clone());
                    return Err(Refusal::KeyOfAnotherKeyring(name));
                };
                let demands = lookup::demands(&policy, path.interface, profile, found.key.no_xauth);
                let initial_contact = has_initial_contact(&chain);
                self.trace_main_5_accepted(sa, &found.keyring.name, initial_contact);
                let mut iv = iv.clone();
                iv.advance(&decrypted);
                self.follow(sa, path);
                // <--  6  { IDir, HASH_R }
                let own = profile.and_then(|profile| profile.self_identity.clone());
                let own = own.unwrap_or_else(|| policy.global.identity.clone());
                let own_body = Identity::write(&own, sa.path.local, Self::identity_port(&sa.path));
                let hash = keys.auth_hash(&AuthInput {
                    own_public: public,
                    other_public: peer_public,
                    own_cookie: sa.cookies.responder,
                    other_cookie: sa.cookies.initiator,
                    sa: sa_body,
                    identity: &own_body,
                });
                self.trace_main_6_sent(sa, &own_body, demands.xauth_list.is_some());
                let mut writer = Writer::new();
                writer.push(payload::ID, own_body).push(payload::HASH, authenticator.prove(&hash));
                let bytes = Self::phase1_sealed(sa, exchange::MAIN, &writer, keys, &mut iv);
                self.cx.out.transmit(sa.path, bytes.clone());
                let answer = Some((sa.path, bytes));
                let finished = Finished {
                    keys: (**keys).clone(),
                    iv,
                    identity,
                    profile: profile.map(|profile| profile.name.clone()),
                    demands,
                    group: None,
                    initial_contact,
                    _authenticated: authenticated,
                };
                self.finish_phase1(sa, finished);
                Ok(answer)
            }
        }
    }

    /// `3  KE, Ni, NAT-D, NAT-D  -->` and `<--  4  KE, Nr, NAT-D, NAT-D`
    fn main_mode_exchange(
        &mut self,
        sa: &mut IsakmpSa,
        suite: Phase1Suite,
        sa_body: &[u8],
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        let chain = Chain::parse(header.first, body)?;
        let peer_public = only(&chain, payload::KE, "KE")?;
        let nonce_i = nonce(&chain, None)?;
        // the identity is still hidden, so use the key of the peer's address
        let policy = Arc::clone(&self.cx.policy);
        let found =
            lookup::key_for_address(&policy, &[], path.local, path.remote).ok_or(Refusal::NoPresharedKey)?;
        self.spend(sa)?;
        let private = DhPrivate::generate(suite.group, &mut self.cx.random);
        let shared = private.agree(peer_public)?;
        for vendor in chain.all(payload::VENDOR) {
            sa.vendors.note(vendor);
        }
        Self::judge_nat(sa, suite.hash, &chain, &path);
        self.trace_main_3_accepted(sa, &chain, &found.keyring.name);
        let nonce_r = self.cx.random.array::<20>();
        let keys = Phase1Keys::derive(&KeyInput {
            hash: suite.hash,
            cipher: suite.cipher,
            cookies: sa.cookies,
            key: &found.key.secret,
            nonce_i,
            nonce_r: &nonce_r,
            public_i: peer_public,
            public_r: private.public(),
            shared: &shared,
        });
        let mut writer = Writer::new();
        writer.push(payload::KE, private.public()).push(payload::NONCE, nonce_r);
        Self::push_nat_d(sa, suite.hash, &mut writer);
        let bytes = Self::phase1_clear(sa, exchange::MAIN, &writer);
        self.trace_main_4_sent(sa);
        self.cx.out.transmit(sa.path, bytes.clone());
        sa.state = State::MainResponder(Box::new(MainResponder::Exchanged {
            sa_body: sa_body.to_vec(),
            iv: Phase1Iv::new(&keys),
            keys: Box::new(keys),
            authenticator: Authenticator::PreShared(found.key.secret.clone()),
            public: private.public().to_vec(),
            peer_public: peer_public.to_vec(),
        }));
        Ok(Some((sa.path, bytes)))
    }

    /// How we identify ourselves as an initiator.
    pub(crate) fn own_identity(&self, sa: &IsakmpSa) -> SelfIdentity {
        if let Some(connection) = &sa.connection {
            return connection.identity.clone();
        }
        let profile = sa.wanted_profile.as_deref().and_then(|name| self.cx.policy.profile(name));
        let own = profile.and_then(|profile| profile.self_identity.clone());
        own.unwrap_or_else(|| self.cx.policy.global.identity.clone())
    }

    /// The profile of an SA that we initiated: that of its entry, else the one that the peer's
    /// identity matches.
    pub(crate) fn initiator_profile(&self, sa: &IsakmpSa, identity: &Identity) -> Option<String> {
        sa.wanted_profile.clone().or_else(|| {
            lookup::profile_for(&self.cx.policy, sa.path.local, identity).map(|profile| profile.name.clone())
        })
    }

    /// A client's gateway must have the identity that the user configured, before any password is
    /// sent to it (CVE-2015-4171).
    pub(crate) fn check_gateway(&self, sa: &IsakmpSa, identity: &Identity) -> Result<(), Refusal> {
        let wanted = sa.connection.as_ref().and_then(|connection| connection.gateway_identity.as_ref());
        match wanted {
            Some(wanted) if identity.display().to_string() != *wanted => {
                Err(Refusal::WrongGateway(identity.display()))
            }
            _ => Ok(()),
        }
    }
}
