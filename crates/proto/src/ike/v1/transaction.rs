//! Transaction exchanges: XAUTH (draft-beaulieu-ike-xauth-02) and mode-config
//! (draft-dukes-ike-mode-cfg-02).
//!
//! ```text
//! hub                                            client
//!   { HASH, REQUEST(user, password) }      -->
//!                                          <--  { HASH, REPLY(user, password) }     same message id
//!   { HASH, SET(status) }                  -->                                       a new message id
//!                                          <--  { HASH, ACK(status) }
//!
//!                                          <--  { HASH, REQUEST(address, dns, ...) }
//!   { HASH, REPLY(address, dns, ...) }     -->                                       same message id
//! ```

use super::protected::{open, with_hash};
use crate::ike::authorization::XauthPassed;
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::io::{Assignment, CredentialField, Effect, Question};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, Exchange, IsakmpSa};
use crate::limits;
use crate::names::Untrusted;
use crate::path::Path;
use crate::wire::attribute::{Attribute, Value};
use crate::wire::ike1::Config;
use crate::wire::isakmp::{Header, Writer};
use crate::wire::registry::{config, exchange, payload};
use hubward_crypto::secret::Secret;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What a client is told whose password nobody can check now.
const LATER: &str = "The gateway is busy. Please try again later.";

impl V1<'_> {
    /// A transaction message was received.
    pub(crate) fn transaction(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        Self::must_be_encrypted(header)?;
        let message_id = header.message_id;
        let established = sa.established_mut().ok_or(Refusal::Unexpected(header.exchange))?;
        let decrypted =
            established.ivs.decrypt(&established.keys, message_id, body).map_err(|_| Refusal::Hash)?;
        let opened = open(&established.keys, header.first, &decrypted, |rest| {
            established.keys.hash1(message_id, rest)
        })?;
        let message =
            Config::parse(opened.chain.only(payload::ATTRIBUTE).ok_or(Refusal::MissingPayload("ATTR"))?)?;
        let begins = !established.exchanges.contains_key(&message_id);
        if begins && message.kind == config::REQUEST && (is_xauth(&message) || !self.goes_on(sa)) {
            let authorized = sa.established().is_some_and(|it| it.gate.authorized().is_some());
            if !authorized {
                // a repetition of this message must still decrypt, so the IV chain is not advanced
                return Err(Refusal::NotAuthorized);
            }
        }
        let established = sa.established_mut().ok_or(Refusal::Unexpected(header.exchange))?;
        if begins
            && established.exchanges.len().saturating_sub(established.quick_modes()) >= limits::EXCHANGES
        {
            return Err(Refusal::TooMany);
        }
        established.ivs.advance(message_id, &decrypted);
        established.dpd.heard = self.cx.now;
        self.trace_config_received(sa, message_id, &message, begins);
        let exchange = sa.established_mut().and_then(|established| established.exchanges.remove(&message_id));
        if exchange.is_some() {
            // an answer to our request cannot be a replayed message
            self.follow(sa, path);
        }
        match (message.kind, exchange) {
            // the message id identifies the exchange; the identifier inside need not match, because
            // strongSwan's replies to Xauth have another one
            (config::REPLY, Some(Exchange::XauthRequest { user, .. })) => {
                self.trace_xauth_replied(sa, message_id, &message);
                self.xauth_reply(sa, message_id, &message, user)?;
                Ok(None)
            }
            (config::ACK, Some(Exchange::XauthSet { user, .. })) => {
                self.trace_xauth_acknowledged(sa, message_id);
                self.xauth_acknowledged(sa, user);
                Ok(None)
            }
            (config::REPLY, Some(Exchange::ConfigRequest { .. })) => {
                self.assigned(sa, &message)?;
                Ok(None)
            }
            (config::REQUEST, None) if is_xauth(&message) && sa.connection.is_some() => {
                self.xauth_requested(sa, message_id, &message);
                Ok(None)
            }
            (config::REQUEST, None) if is_xauth(&message) => Err(Refusal::XauthAsked),
            (config::SET, None) if message.get(config::XAUTH_STATUS).is_some() && sa.connection.is_some() => {
                self.xauth_status(sa, message_id, &message)
            }
            (config::SET, None) if message.get(config::ADDRESS).is_some() && sa.connection.is_some() => {
                let answer = self.send_config(sa, message_id, config::ACK, &message);
                self.assigned(sa, &message)?;
                Ok(answer)
            }
            (config::ACK, Some(Exchange::ConfigSet { lease, .. })) => {
                self.pushed(sa, lease)?;
                Ok(None)
            }
            (config::REQUEST, None) => {
                let established = sa.established().ok_or(Refusal::Unexpected(header.exchange))?;
                let authorized = established.gate.authorized().cloned().ok_or(Refusal::NotAuthorized)?;
                self.configuration_requested(sa, message_id, &message, &authorized)?;
                Ok(None)
            }
            (_, other) => {
                if let (Some(exchange), Some(established)) = (other, sa.established_mut()) {
                    established.exchanges.insert(message_id, exchange);
                }
                Err(Refusal::Unexpected(header.exchange))
            }
        }
    }

    /// Sends a transaction message and returns it for repetitions.
    pub(crate) fn send_config(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        kind: u8,
        message: &Config,
    ) -> Answer {
        let message = Config { kind, identifier: message.identifier, attributes: message.attributes.clone() };
        let established = sa.established()?;
        let mut writer = Writer::new();
        writer.push(payload::ATTRIBUTE, message.write());
        let plain = with_hash(&writer, |rest| established.keys.hash1(message_id, rest));
        let bytes = Self::seal_exchange(sa, exchange::TRANSACTION, message_id, plain)?;
        self.cx.out.transmit(sa.path, bytes.clone());
        Some((sa.path, bytes))
    }

    /// Initiates a transaction.
    pub(crate) fn begin_config(
        &mut self,
        sa: &mut IsakmpSa,
        message: &Config,
    ) -> Option<(u32, crate::ike::retransmit::Retransmit)> {
        let established = sa.established()?;
        let message_id = self.cx.new_message_id(|id| established.is_in_use(id));
        let (path, bytes) = self.send_config(sa, message_id, message.kind, message)?;
        Some((message_id, crate::ike::retransmit::Retransmit::sent(path, bytes, self.cx.now)))
    }

    // ---- hub: Xauth
    // ---------------------------------------------------------------------------------------------

    /// `{ HASH, REQUEST(user, password) }  -->`
    pub(crate) fn request_xauth(&mut self, sa: &mut IsakmpSa, challenge: Option<(String, &str)>) {
        let identifier = (self.cx.random.u32() & 0xffff) as u16;
        let mut attributes = Vec::new();
        match &challenge {
            Some((_, text)) => {
                attributes.push(Attribute::long(config::XAUTH_MESSAGE, text.as_bytes()));
                attributes.push(Attribute::long(config::XAUTH_USER_PASSWORD, []));
            }
            None => {
                attributes.push(Attribute::long(config::XAUTH_USER_NAME, []));
                attributes.push(Attribute::long(config::XAUTH_USER_PASSWORD, []));
            }
        }
        let message = Config { kind: config::REQUEST, identifier, attributes };
        let again = sa.established().is_some_and(|established| established.xauth_failures > 0);
        if let Some((message_id, retransmit)) = self.begin_config(sa, &message) {
            self.trace_xauth_asked(sa, message_id, &message, again || challenge.is_some());
            let Some(established) = sa.established_mut() else { return };
            established.exchanges.insert(
                message_id,
                Exchange::XauthRequest { user: challenge.map(|(user, _)| user), retransmit },
            );
        }
    }

    /// `<--  { HASH, REPLY(user, password) }`
    fn xauth_reply(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        message: &Config,
        asked: Option<String>,
    ) -> Result<(), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::XauthFailed)?;
        let crate::ike::authorization::Gate::Xauth { list } = &established.gate else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        let list = list.clone();
        let group = established.group.as_ref().map(|group| group.name.clone());
        let text = |kind| message.get(kind).map(Attribute::bytes);
        let user = text(config::XAUTH_USER_NAME).unwrap_or_default();
        let password = [config::XAUTH_USER_PASSWORD, config::XAUTH_PASSCODE, config::XAUTH_ANSWER]
            .into_iter()
            .find_map(text)
            .unwrap_or_default();
        let cancelled = message.get(config::XAUTH_STATUS).and_then(Attribute::as_number) == Some(0);
        let user = xauth_text(user);
        let password = xauth_text(password);
        let (Some(user), Some(password), false) = (user, password, cancelled) else {
            self.send_xauth_status(sa, None);
            return Err(Refusal::XauthFailed);
        };
        // a further round does not ask for a name: it is for the user of the first round
        let user = asked.unwrap_or_else(|| String::from_utf8_lossy(&user).into_owned());
        established.exchanges.insert(message_id, Exchange::XauthCheck { user: user.clone() });
        self.cx.ask(
            sa.id,
            message_id,
            Question::Authenticate {
                list,
                user,
                password: Secret::new(password),
                group,
                from: sa.path.remote,
            },
        );
        Ok(())
    }

    /// The list's verdict. A rejected user is asked again on the same SA until the tries are used
    /// up.
    pub(crate) fn xauth_checked(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        verdict: Result<String, ()>,
    ) -> Result<(), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::XauthFailed)?;
        let Some(Exchange::XauthCheck { user }) = established.exchanges.remove(&message_id) else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        if verdict.is_err() {
            established.xauth_failures += 1;
            let again = established.xauth_failures < limits::XAUTH_TRIES;
            self.event(Some(sa), EventKind::XauthRejected { user: Untrusted::new(user) });
            if again {
                self.request_xauth(sa, None);
                return Ok(());
            }
        }
        self.send_xauth_status(sa, verdict.ok());
        Ok(())
    }

    /// Nobody could check the password now: the user is told so and asked again, as often as a
    /// wrong one would be.
    pub(crate) fn xauth_later(&mut self, sa: &mut IsakmpSa, message_id: u32) -> Result<(), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::XauthFailed)?;
        let Some(Exchange::XauthCheck { user }) = established.exchanges.remove(&message_id) else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        established.xauth_deferred += 1;
        if established.xauth_deferred < limits::XAUTH_TRIES {
            self.request_xauth(sa, Some((user, LATER)));
            return Ok(());
        }
        self.send_xauth_status(sa, None);
        Err(Refusal::Local("the password was not checked: too many logins wait"))
    }

    /// The list requires another round.
    pub(crate) fn xauth_challenged(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        text: &str,
    ) -> Result<(), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::XauthFailed)?;
        let Some(Exchange::XauthCheck { user }) = established.exchanges.remove(&message_id) else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        self.request_xauth(sa, Some((user, text)));
        Ok(())
    }

    /// `{ HASH, SET(status) }  -->`: exactly one attribute, in two bytes; clients refuse anything
    /// else.
    fn send_xauth_status(&mut self, sa: &mut IsakmpSa, user: Option<String>) {
        let identifier = (self.cx.random.u32() & 0xffff) as u16;
        let attributes = vec![Attribute::short(config::XAUTH_STATUS, u16::from(user.is_some()))];
        let message = Config { kind: config::SET, identifier, attributes };
        if let Some((message_id, retransmit)) = self.begin_config(sa, &message) {
            self.trace_xauth_verdict_sent(sa, message_id, &message);
            let Some(established) = sa.established_mut() else { return };
            established.exchanges.insert(message_id, Exchange::XauthSet { user, retransmit });
        }
    }

    /// Whether the peer is authorized: also one that goes on although its acknowledgement of the SET
    /// that reported success has not arrived. Only whoever has the keys of this SA can go on, and
    /// vpnc and Libreswan do not repeat an acknowledgement that was lost.
    pub(crate) fn goes_on(&mut self, sa: &mut IsakmpSa) -> bool {
        let Some(established) = sa.established_mut() else { return false };
        if established.gate.authorized().is_some() {
            return true;
        }
        let passed = |exchange: &Exchange| matches!(exchange, Exchange::XauthSet { user: Some(_), .. });
        let set = established.exchanges.iter().find(|(_, exchange)| passed(exchange)).map(|(id, _)| *id);
        let Some(message_id) = set else { return false };
        if let Some(Exchange::XauthSet { user, .. }) = established.exchanges.remove(&message_id) {
            self.trace_xauth_acknowledged(sa, message_id);
            self.xauth_acknowledged(sa, user);
        }
        sa.established().is_some_and(|established| established.gate.authorized().is_some())
    }

    /// `<--  { HASH, ACK(status) }`: its content does not matter, only that the verdict arrived.
    fn xauth_acknowledged(&mut self, sa: &mut IsakmpSa, user: Option<String>) {
        let Some(user) = user else {
            self.delete_isakmp(sa, "Xauth failed");
            return;
        };
        let Some(established) = sa.established_mut() else { return };
        established.gate.pass(XauthPassed::acknowledged(user.clone()));
        established.xauth_end = None;
        let renewal = established.renewal;
        self.event(Some(sa), EventKind::XauthAccepted { user: Untrusted::new(user.as_bytes()) });
        self.peer_user(sa, &user);
        if renewal {
            // vpnc, when it rekeys phase 1, continues only after another notification that follows
            // Xauth
            self.notify_responder_lifetime(sa);
        }
        self.authorized(sa);
    }

    // ---- client
    // -------------------------------------------------------------------------------------------------

    /// The gateway asks for Xauth: the user is asked.
    fn xauth_requested(&mut self, sa: &mut IsakmpSa, message_id: u32, message: &Config) {
        let fields: Vec<_> = message
            .attributes
            .iter()
            .filter_map(|attribute| {
                Some(match attribute.kind {
                    config::XAUTH_USER_NAME => CredentialField::User,
                    config::XAUTH_USER_PASSWORD => CredentialField::Password,
                    config::XAUTH_PASSCODE => CredentialField::Passcode,
                    config::XAUTH_ANSWER => CredentialField::Answer,
                    config::XAUTH_DOMAIN => CredentialField::Domain,
                    config::XAUTH_NEXT_PIN => CredentialField::NextPin,
                    _ => return None,
                })
            })
            .collect();
        let text =
            [config::XAUTH_MESSAGE, config::XAUTH_CHALLENGE].into_iter().find_map(|kind| message.get(kind));
        let text = text.map(|attribute| Untrusted::new(attribute.bytes()).to_string());
        let Some(connection) = sa.connection.as_ref().map(|connection| connection.name.clone()) else {
            return;
        };
        let Some(established) = sa.established_mut() else { return };
        established.xauth_used = true;
        let again = established.xauth_answered;
        let waiting = Exchange::XauthAnswer { identifier: message.identifier, fields: fields.clone() };
        established.exchanges.insert(message_id, waiting);
        self.cx.ask(sa.id, message_id, Question::Credentials { connection, fields, message: text, again });
    }

    /// `{ HASH, REPLY(user, password) }  -->`
    pub(crate) fn credentials_answered(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        answers: Option<Vec<(CredentialField, Secret)>>,
    ) -> Result<(), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::XauthFailed)?;
        let Some(Exchange::XauthAnswer { identifier, fields }) = established.exchanges.remove(&message_id)
        else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        let Some(answers) = answers else {
            if established.xauth_answered {
                // the gateway rejected the user's credentials, and there are no others
                self.client_rejected(sa);
                return Err(Refusal::XauthFailed);
            }
            self.delete_isakmp(sa, "the user gave up");
            return Ok(());
        };
        established.xauth_answered = true;
        let attributes = fields
            .iter()
            .filter_map(|field| {
                let (_, value) = answers.iter().find(|(answered, _)| answered == field)?;
                let kind = match field {
                    CredentialField::User => config::XAUTH_USER_NAME,
                    CredentialField::Password => config::XAUTH_USER_PASSWORD,
                    CredentialField::Passcode => config::XAUTH_PASSCODE,
                    CredentialField::Answer => config::XAUTH_ANSWER,
                    CredentialField::Domain => config::XAUTH_DOMAIN,
                    CredentialField::NextPin => config::XAUTH_NEXT_PIN,
                };
                Some(Attribute::long(kind, value.expose()))
            })
            .collect();
        let message = Config { kind: config::REPLY, identifier, attributes };
        if let Some(answer) = self.send_config(sa, message_id, config::REPLY, &message) {
            sa.seen.amend(message_id, answer);
        }
        Ok(())
    }

    /// `{ HASH, ACK(status) }  -->`, followed by mode-config. A gateway's claim of success permits
    /// nothing that was not permitted before.
    fn xauth_status(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        message: &Config,
    ) -> Result<Answer, Refusal> {
        let passed = message.get(config::XAUTH_STATUS).and_then(Attribute::as_number) == Some(1);
        let answer = self.send_config(sa, message_id, config::ACK, message);
        if !passed {
            self.event(Some(sa), EventKind::XauthRejected { user: Untrusted::new("") });
            self.client_rejected(sa);
            return Err(Refusal::XauthFailed);
        }
        self.request_configuration(sa);
        Ok(answer)
    }

    /// `{ HASH, REQUEST(address, dns, ...) }  -->`, unless the tunnel's address is already known.
    pub(crate) fn request_configuration(&mut self, sa: &mut IsakmpSa) {
        let Some(established) = sa.established() else { return };
        let known = self.cx.peers.get(&established.peer).and_then(|peer| peer.connection.as_ref());
        if known.is_some_and(|(_, address)| address.is_some()) {
            if let Some(established) = sa.established_mut() {
                established.xauth_end = None;
            }
            self.start_pending(sa);
            return;
        }
        let wanted = [
            config::ADDRESS,
            config::NETMASK,
            config::DNS,
            config::NBNS,
            config::ADDRESS_EXPIRY,
            config::APPLICATION_VERSION,
            config::UNITY_BANNER,
            config::UNITY_SAVE_PASSWORD,
            config::UNITY_DEF_DOMAIN,
            config::UNITY_SPLIT_DNS,
            config::UNITY_SPLIT_INCLUDE,
            config::UNITY_SPLIT_EXCLUDE,
            config::UNITY_PFS,
        ];
        let attributes = wanted
            .into_iter()
            .map(|kind| match kind {
                config::APPLICATION_VERSION => {
                    Attribute::long(kind, self.cx.policy.global.application_version.as_bytes())
                }
                _ => Attribute::long(kind, []),
            })
            .collect();
        let identifier = (self.cx.random.u32() & 0xffff) as u16;
        let message = Config { kind: config::REQUEST, identifier, attributes };
        if let Some((message_id, retransmit)) = self.begin_config(sa, &message)
            && let Some(established) = sa.established_mut()
        {
            established.exchanges.insert(message_id, Exchange::ConfigRequest { retransmit });
        }
    }

    /// `<--  { HASH, REPLY(address, dns, ...) }`
    fn assigned(&mut self, sa: &mut IsakmpSa, message: &Config) -> Result<(), Refusal> {
        let Some(connection) = sa.connection.clone() else { return Err(Refusal::NoModeConfig) };
        if has_too_many_networks(message) {
            self.delete_isakmp(sa, "too many split networks");
            return Err(Refusal::TooManyNetworks);
        }
        let Some(established) = sa.established_mut() else { return Err(Refusal::NoModeConfig) };
        established.config_used = true;
        established.xauth_end = None;
        // whether it was asked for or not, our question is answered
        established.exchanges.retain(|_, exchange| !matches!(exchange, Exchange::ConfigRequest { .. }));
        let peer = established.peer;
        let assignment =
            read_assignment(&connection.name, sa.path.remote, message).ok_or(Refusal::NoModeConfig)?;
        let address = assignment.address;
        if let Some(peer) = self.cx.peers.get_mut(&peer)
            && let Some((_, known)) = &mut peer.connection
        {
            *known = Some(address);
        }
        self.event(Some(sa), EventKind::AddressAssigned { address: address.into() });
        self.cx.out.effect(Effect::Assign(Box::new(assignment)));
        self.client_children(sa, &connection, address);
        Ok(())
    }
}

/// Whether one of the lists of split networks is longer than we accept.
fn has_too_many_networks(message: &Config) -> bool {
    [config::UNITY_SPLIT_INCLUDE, config::UNITY_SPLIT_EXCLUDE].into_iter().any(|kind| {
        let lists = message.attributes.iter().filter(|attribute| attribute.kind == kind);
        lists.map(|list| list.bytes().len() / 14).sum::<usize>() > limits::SPLIT_NETWORKS
    })
}

/// Whether a REQUEST is XAUTH's and not mode-config's.
fn is_xauth(message: &Config) -> bool {
    message
        .attributes
        .iter()
        .any(|attribute| (config::XAUTH_TYPE..=config::XAUTH_ANSWER).contains(&attribute.kind))
}

/// A user name or password: at most 128 bytes, without the NUL that some clients add, and without
/// one inside.
fn xauth_text(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    (bytes.len() <= limits::XAUTH_BYTES && !bytes.contains(&0)).then_some(bytes)
}

/// Reads what a gateway assigned. The gateway is not trusted: lengths are bounded, texts are made
/// printable, and domains are restricted to the characters of host names.
fn read_assignment(connection: &str, gateway: std::net::IpAddr, message: &Config) -> Option<Assignment> {
    fn v4(attribute: &Attribute) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from(<[u8; 4]>::try_from(attribute.bytes()).ok()?))
    }
    fn host_name(attribute: &Attribute) -> Option<String> {
        let text = String::from_utf8(attribute.bytes()).ok()?;
        let fits = !text.is_empty()
            && text.len() <= 255
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
        fits.then_some(text)
    }
    fn networks(attribute: &Attribute) -> Vec<ipnet::Ipv4Net> {
        let Value::Long(bytes) = &attribute.value else { return Vec::new() };
        bytes
            .chunks_exact(14)
            .take(limits::SPLIT_NETWORKS)
            .filter_map(|entry| {
                let address = Ipv4Addr::from(*entry.first_chunk::<4>()?);
                let mask = Ipv4Addr::from(*entry.get(4..)?.first_chunk::<4>()?);
                ipnet::Ipv4Net::with_netmask(address, mask).ok().map(|net| net.trunc())
            })
            .collect()
    }
    let all = |kind| message.attributes.iter().filter(move |attribute| attribute.kind == kind);
    let address = all(config::ADDRESS).find_map(v4)?;
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast() {
        return None;
    }
    let split_dns = all(config::UNITY_SPLIT_DNS)
        .flat_map(|attribute| {
            String::from_utf8_lossy(&attribute.bytes()).split(',').map(str::to_string).collect::<Vec<_>>()
        })
        .filter_map(|name| host_name(&Attribute::long(0, name.trim().as_bytes())))
        .take(64)
        .collect();
    Some(Assignment {
        connection: connection.to_string(),
        gateway,
        address,
        netmask: all(config::NETMASK).find_map(v4),
        dns: all(config::DNS).filter_map(v4).take(8).collect(),
        wins: all(config::NBNS).filter_map(v4).take(8).collect(),
        domain: all(config::UNITY_DEF_DOMAIN).find_map(host_name),
        split_dns,
        split_include: all(config::UNITY_SPLIT_INCLUDE)
            .flat_map(networks)
            .take(limits::SPLIT_NETWORKS)
            .collect(),
        split_exclude: all(config::UNITY_SPLIT_EXCLUDE)
            .flat_map(networks)
            .take(limits::SPLIT_NETWORKS)
            .collect(),
        banner: all(config::UNITY_BANNER).next().map(|attribute| printable(&attribute.bytes())),
        save_password: all(config::UNITY_SAVE_PASSWORD).any(|attribute| attribute.as_number() == Some(1)),
        expiry: all(config::ADDRESS_EXPIRY).find_map(Attribute::as_number).map(Duration::from_secs),
    })
}

/// A banner: at most 1024 characters, without control characters other than line ends.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| *character == '\n' || !character.is_control()).take(1024).collect()
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
