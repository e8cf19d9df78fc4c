//! `show crypto isakmp policy`, `profile` and `key`: what the configuration says of phase 1.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::PRIVILEGED;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{
    Encryption, Hash, IdentityMatch, IsakmpPolicy, Key, KeyLength, KeyPeer, PeerAuthentication,
};
use hubward_crypto::suite::DhGroup;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

pub(super) fn policy(context: &Context, _: &Arguments) -> Output {
    shown(Policies(Arc::clone(&context.snapshot)))
}

pub(super) fn profile(context: &Context, _: &Arguments) -> Output {
    shown(Profiles(Arc::clone(&context.snapshot)))
}

pub(super) fn key(context: &Context, _: &Arguments) -> Output {
    shown(Keys { snapshot: Arc::clone(&context.snapshot), privilege: context.caller.privilege })
}

/// One protection suite.
#[derive(Debug, Serialize)]
struct PolicyRow {
    priority: u16,
    encryption: &'static str,
    key_bits: Option<u16>,
    hash: &'static str,
    authentication: &'static str,
    dh_group: u16,
    /// Seconds.
    lifetime: u32,
}

impl From<&IsakmpPolicy> for PolicyRow {
    fn from(policy: &IsakmpPolicy) -> Self {
        Self {
            priority: policy.priority,
            encryption: policy.encryption.keyword(),
            key_bits: policy.encryption.key_length().map(KeyLength::bits),
            hash: policy.hash.keyword(),
            authentication: policy.authentication.keyword(),
            dh_group: policy.group,
            lifetime: policy.lifetime,
        }
    }
}

struct Policies(Arc<Snapshot>);

impl Policies {
    fn sorted(&self) -> impl Iterator<Item = &IsakmpPolicy> {
        let mut policies: Vec<_> = self.0.parsed.config.policies.iter().collect();
        policies.sort_by_key(|policy| policy.priority);
        policies.into_iter()
    }
}

impl Layout for Policies {
    type Row = PolicyRow;

    fn rows(&self) -> impl Iterator<Item = PolicyRow> {
        self.sorted().map(PolicyRow::from)
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nGlobal IKE policy")?;
        for policy in self.sorted() {
            writeln!(out, "Protection suite of priority {}", policy.priority)?;
            let encryption = match policy.encryption {
                Encryption::Des => "DES - Data Encryption Standard (56 bit keys).".to_string(),
                Encryption::TripleDes => "Three key triple DES".to_string(),
                Encryption::Aes(length) => {
                    format!("AES - Advanced Encryption Standard ({length} bit keys).")
                }
            };
            let hash = match policy.hash {
                Hash::Md5 => "Message Digest 5",
                Hash::Sha => "Secure Hash Standard",
                Hash::Sha256 => "Secure Hash Standard 2 (256 bit)",
                Hash::Sha384 => "Secure Hash Standard 2 (384 bit)",
                Hash::Sha512 => "Secure Hash Standard 2 (512 bit)",
            };
            let authentication = match policy.authentication {
                PeerAuthentication::PreShare => "Pre-Shared Key",
                PeerAuthentication::RsaEncr => "Rivest-Shamir-Adleman Encryption",
                PeerAuthentication::RsaSig | PeerAuthentication::EcdsaSig => {
                    "Rivest-Shamir-Adleman Signature"
                }
            };
            let bits = DhGroup::from_number(policy.group)
                .map_or_else(|| "not implemented".into(), |group| format!("{} bit", group.bits()));
            writeln!(out, "        encryption algorithm:   {encryption}")?;
            writeln!(out, "        hash algorithm:         {hash}")?;
            writeln!(out, "        authentication method:  {authentication}")?;
            writeln!(out, "        Diffie-Hellman group:   #{} ({bits})", policy.group)?;
            writeln!(out, "        lifetime:               {} seconds, no volume limit", policy.lifetime)?;
        }
        Ok(())
    }
}

/// One ISAKMP profile.
#[derive(Debug, Serialize)]
struct ProfileRow {
    name: String,
    /// `ip-address 0.0.0.0 0.0.0.0`, `group testgroup`
    identities: Vec<String>,
    keyrings: Vec<String>,
    /// `client authentication list`
    xauth_list: Option<String>,
    /// `isakmp authorization list`
    authorization_list: Option<String>,
    configuration_address_respond: bool,
    configuration_address_initiate: bool,
    initiate_aggressive: bool,
}

struct Profiles(Arc<Snapshot>);

impl Layout for Profiles {
    type Row = ProfileRow;

    fn rows(&self) -> impl Iterator<Item = ProfileRow> {
        self.0.parsed.config.profiles.iter().map(|profile| ProfileRow {
            name: profile.name.clone(),
            identities: profile
                .matches
                .iter()
                .map(|matched| match matched {
                    IdentityMatch::Group(name) => format!("group {name}"),
                    IdentityMatch::Address(net) => format!("ip-address {} {}", net.addr(), net.netmask()),
                    IdentityMatch::Host(name) => format!("fqdn {name}"),
                    IdentityMatch::HostDomain(name) => format!("fqdn domain {name}"),
                    IdentityMatch::User(name) => format!("user {name}"),
                    IdentityMatch::UserDomain(name) => format!("user domain {name}"),
                })
                .collect(),
            keyrings: profile.keyrings.clone(),
            xauth_list: profile.xauth_list.clone(),
            authorization_list: profile.authorization_list.clone(),
            configuration_address_respond: profile.respond,
            configuration_address_initiate: profile.initiate,
            initiate_aggressive: profile.aggressive,
        })
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            match format {
                Format::Classic => writeln!(out, "ISAKMP PROFILE {}", row.name)?,
                Format::Modern => writeln!(out, "IKEv1 PROFILE {}", row.name)?,
            }
            writeln!(out, "   Identities matched are:")?;
            for identity in &row.identities {
                writeln!(out, "    {identity}")?;
            }
            writeln!(out, "   Certificate maps matched are:")?;
            let keyrings = if row.keyrings.is_empty() { "<all>".into() } else { row.keyrings.join(" ") };
            writeln!(out, "   keyring(s): {keyrings}")?;
            writeln!(out, "   trustpoint(s): <all>")?;
            if let Some(list) = &row.xauth_list {
                writeln!(out, "   client authentication list: {list}")?;
            }
            if let Some(list) = &row.authorization_list {
                writeln!(out, "   isakmp authorization list: {list}")?;
            }
        }
        Ok(())
    }
}

/// One pre-shared key.
#[derive(Serialize)]
struct KeyRow {
    keyring: String,
    /// A host name, or an address.
    peer: String,
    mask: Option<String>,
    /// As the configuration spells it.
    key: String,
    /// 0 clear, 6 encrypted.
    key_type: u8,
    no_xauth: bool,
}

struct Keys {
    snapshot: Arc<Snapshot>,
    privilege: u8,
}

impl Keys {
    fn row(&self, keyring: &str, key: &Key) -> KeyRow {
        let (peer, mask) = match &key.peer {
            KeyPeer::Address(net) => (net.addr().to_string(), Some(net.netmask().to_string())),
            KeyPeer::Hostname(name) => (name.clone(), None),
        };
        let secret = if self.privilege >= PRIVILEGED { key.key.expose() } else { "<removed>" };
        KeyRow {
            keyring: keyring.to_string(),
            peer,
            mask,
            key: secret.to_string(),
            key_type: key.key.kind(),
            no_xauth: key.no_xauth,
        }
    }
}

impl Layout for Keys {
    type Row = KeyRow;

    fn rows(&self) -> impl Iterator<Item = KeyRow> {
        let config = &self.snapshot.parsed.config;
        let default = config.default_keys.iter().map(|key| self.row("default", key));
        let keyrings = config.keyrings.iter();
        default.chain(keyrings.flat_map(|ring| ring.keys.iter().map(|key| self.row(&ring.name, key))))
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Keyring      Hostname/Address                            Preshared Key\n")?;
        for row in self.rows() {
            let peer = match (&row.mask, row.peer.as_str()) {
                (None, name) => name.to_string(),
                (Some(mask), address) if mask == "255.255.255.255" => address.to_string(),
                (Some(mask), address) => format!("{address:<15}[{mask:<15}]"),
            };
            // an encrypted key must not be taken for a clear one
            let key = if row.key_type == 0 { row.key } else { format!("{} {}", row.key_type, row.key) };
            writeln!(out, "{:<12} {peer:<43} {key}", row.keyring)?;
        }
        Ok(())
    }
}
