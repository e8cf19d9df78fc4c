//! What is known about a connection before the user is asked: the profile and the command line.

use crate::base::files;
use crate::client::arguments::Connect;
use anyhow::{Context as _, anyhow, bail};
use hubward_crypto::password::{decode_pcf, reveal};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::names::InterfaceId;
use hubward_proto::path::{DfBit, Mode};
use hubward_proto::policy::{
    Authentication, Connection, EntryTerms, IsakmpPolicy, Keepalive, Phase1Mode, SelfIdentity, TransformSet,
};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that describes a connection. It has no `Debug`, because it contains passwords.
#[derive(Default)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: String,
    /// The gateway, by name or address.
    pub(crate) gateway: Option<String>,
    /// The group.
    pub(crate) group: Option<String>,
    /// The group's password.
    pub(crate) group_password: Option<Secret>,
    /// The user.
    pub(crate) user: Option<String>,
    /// The user's password.
    pub(crate) password: Option<Secret>,
    /// Main mode.
    pub(crate) main_mode: bool,
    /// Group of phase 1.
    pub(crate) dh_group: Option<u16>,
    /// Group of phase 2.
    pub(crate) pfs: Option<u16>,
    /// The networks to reach through the tunnel; empty: everything.
    pub(crate) networks: Vec<ipnet::Ipv4Net>,
    /// NAT traversal is off.
    pub(crate) no_nat_traversal: bool,
}

/// The client's own profile.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Toml {
    gateway: Option<String>,
    group: Option<String>,
    group_password: Option<String>,
    user: Option<String>,
    password: Option<String>,
    #[serde(default)]
    main_mode: bool,
    dh_group: Option<u16>,
    pfs: Option<u16>,
    #[serde(default)]
    networks: Vec<String>,
    nat_traversal: Option<bool>,
}

/// The profile that the command line names, overridden by the command line's options.
pub(crate) fn read(arguments: &Connect) -> anyhow::Result<Profile> {
    let mut profile = match &arguments.name {
        Some(name) => from_file(&find(name)?)?,
        None => Profile { name: "vpn".to_owned(), ..Profile::default() },
    };
    let first_line = |file: &PathBuf| -> anyhow::Result<Secret> {
        let text = files::read_text(file, files::PROFILE)?;
        Ok(Secret::new(text.lines().next().unwrap_or_default().as_bytes()))
    };
    profile.gateway = arguments.gateway.clone().or(profile.gateway);
    profile.group = arguments.group.clone().or(profile.group);
    profile.user = arguments.user.clone().or(profile.user);
    if let Some(file) = &arguments.group_password_file {
        profile.group_password = Some(first_line(file)?);
    }
    if let Some(file) = &arguments.password_file {
        profile.password = Some(first_line(file)?);
    }
    profile.main_mode |= arguments.main_mode;
    profile.dh_group = arguments.dh_group.or(profile.dh_group);
    profile.pfs = arguments.pfs.or(profile.pfs);
    if !arguments.networks.is_empty() {
        profile.networks.clone_from(&arguments.networks);
    }
    profile.no_nat_traversal |= arguments.no_nat_traversal;
    Ok(profile)
}

/// A profile by its path, or by its name in the usual folders.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    if Path::new(name).is_file() {
        return Ok(PathBuf::from(name));
    }
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".config/hubward"));
    let folders: Vec<PathBuf> = home.into_iter().chain([PathBuf::from("/etc/hubward")]).collect();
    let places =
        folders.iter().flat_map(|folder| ["toml", "pcf"].map(|kind| folder.join(format!("{name}.{kind}"))));
    let found = places.clone().find(|place| place.is_file());
    found.ok_or_else(|| {
        let places: Vec<String> = places.map(|place| place.display().to_string()).collect();
        anyhow!("there is no profile {name}; looked for {}", places.join(", "))
    })
}

fn from_file(file: &Path) -> anyhow::Result<Profile> {
    let bytes = files::read(file, files::PROFILE)?;
    let text = String::from_utf8_lossy(&bytes);
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_pcf = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pcf"))
        || text.lines().any(|line| line.trim().eq_ignore_ascii_case("[main]"));
    let made = if is_pcf { from_pcf(&text) } else { from_toml(&text) };
    let profile = made.with_context(|| format!("cannot use the profile {}", file.display()))?;
    Ok(Profile { name, ..profile })
}

fn from_pcf(text: &str) -> anyhow::Result<Profile> {
    let pcf = hubward_config::pcf::parse(text);
    let password =
        |clear: Option<hubward_config::secret::Password>, encoded: Option<String>| match (clear, encoded) {
            (Some(clear), _) => reveal(clear.kind(), clear.expose()).map(Some),
            (None, Some(encoded)) => decode_pcf(&encoded).map(Some),
            (None, None) => Ok(None),
        };
    Ok(Profile {
        gateway: pcf.host,
        group: pcf.group,
        group_password: password(pcf.group_password, pcf.group_password_encoded)
            .context("its group password cannot be read")?,
        user: pcf.user,
        password: password(pcf.user_password, pcf.user_password_encoded)
            .context("its user password cannot be read")?,
        dh_group: pcf.dh_group,
        no_nat_traversal: !pcf.nat,
        ..Profile::default()
    })
}

fn from_toml(text: &str) -> anyhow::Result<Profile> {
    // the error's own text would quote the line, which may contain a password
    let toml: Toml = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
        anyhow!("line {}: {}", line.unwrap_or(1), error.message())
    })?;
    let networks = toml
        .networks
        .iter()
        .map(|network| network.parse().with_context(|| format!("{network} is not a network")))
        .collect::<anyhow::Result<_>>()?;
    Ok(Profile {
        name: String::new(),
        gateway: toml.gateway,
        group: toml.group,
        group_password: toml.group_password.map(|password| Secret::new(password.into_bytes())),
        user: toml.user,
        password: toml.password.map(|password| Secret::new(password.into_bytes())),
        main_mode: toml.main_mode,
        dh_group: toml.dh_group,
        pfs: toml.pfs,
        networks,
        no_nat_traversal: toml.nat_traversal == Some(false),
    })
}

/// The proposals to a gateway, strongest first.
const CIPHERS: [(IkeCipher, EspCipher); 3] = [
    (IkeCipher::Aes256, EspCipher::Aes256),
    (IkeCipher::Aes128, EspCipher::Aes128),
    (IkeCipher::TripleDes, EspCipher::TripleDes),
];
const HASHES: [(HashAlg, EspAuth); 3] =
    [(HashAlg::Sha256, EspAuth::Sha256), (HashAlg::Sha1, EspAuth::Sha1), (HashAlg::Md5, EspAuth::Md5)];

impl Profile {
    /// The connection for the engine, once everything that is needed has been asked for.
    pub(crate) fn connection(&self, gateway: IpAddr, interface: InterfaceId) -> anyhow::Result<Connection> {
        let Some(key) = self.group_password.clone() else { bail!("the group's password is missing") };
        let number = self.dh_group.unwrap_or(2);
        let group = DhGroup::from_number(number)
            .ok_or_else(|| anyhow!("Diffie-Hellman group {number} is not implemented"))?;
        let pfs = self
            .pfs
            .map(|number| {
                DhGroup::from_number(number).ok_or_else(|| anyhow!("PFS group {number} is not implemented"))
            })
            .transpose()?;
        let pairs = || CIPHERS.iter().flat_map(|cipher| HASHES.iter().map(move |hash| (cipher, hash)));
        let proposals = pairs().zip(1..).map(|((cipher, hash), priority)| IsakmpPolicy {
            priority,
            cipher: cipher.0,
            hash: hash.0,
            authentication: Authentication::PreShared,
            group,
            lifetime: Duration::from_secs(86_400),
            line: 0,
        });
        let transform_sets = pairs().filter_map(|(cipher, hash)| {
            let suite = EspSuite::new(cipher.1, Some(hash.1))?;
            Some(TransformSet { name: "client".to_owned(), suite, mode: Mode::Tunnel, line: 0 })
        });
        let identity = match (&self.group, self.main_mode) {
            (Some(group), false) => SelfIdentity::KeyId(group.clone()),
            (_, true) => SelfIdentity::Address,
            (None, false) => bail!("the group's name is missing"),
        };
        Ok(Connection {
            name: self.name.clone(),
            gateway,
            interface,
            mode: if self.main_mode { Phase1Mode::Main } else { Phase1Mode::Aggressive },
            identity,
            gateway_identity: None,
            key,
            proposals: proposals.collect(),
            terms: EntryTerms {
                transform_sets: transform_sets.collect(),
                acl: None,
                profile: None,
                pfs,
                lifetime: Duration::from_secs(3600),
                kilobytes: None,
                idle_time: None,
                replay_window: 64,
                reverse_route: false,
                df: DfBit::Copy,
                left_out: false,
                filters_rest: false,
            },
            networks: self.networks.clone(),
            nat_traversal: !self.no_nat_traversal,
            keepalive: Some(Keepalive {
                interval: Duration::from_secs(10),
                retry: Duration::from_secs(3),
                periodic: true,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cisco_profile() {
        let profile =
            from_pcf("[main]\nHost=192.0.2.1\nGroupName=g\nGroupPwd=secret\nEnableNat=0\n").unwrap();
        assert_eq!(profile.gateway.as_deref(), Some("192.0.2.1"));
        assert_eq!(profile.group_password.as_ref().unwrap().expose(), b"secret");
        assert!(profile.no_nat_traversal);
        let connection = profile.connection("192.0.2.1".parse().unwrap(), InterfaceId(0)).unwrap();
        assert_eq!(connection.identity, SelfIdentity::KeyId("g".into()));
        assert_eq!(connection.proposals.len(), 9);
    }

    #[test]
    fn an_own_profile() {
        let profile = from_toml(
            "gateway = \"vpn.example.org\"\ngroup = \"g\"\ngroup-password = \"x\"\nnetworks = [\"10.0.0.0/8\"]\ndh-group = 14\n",
        )
        .unwrap();
        assert_eq!(profile.networks.len(), 1);
        assert_eq!(profile.dh_group, Some(14));
    }

    #[test]
    fn an_error_in_a_profile_does_not_quote_it() {
        let error = from_toml("group-password = \"hush\"\ngroup-password = \"hush\"\n").err().unwrap();
        assert!(!format!("{error:#}").contains("hush"));
        let error = from_toml("gatway = \"x\"\n").err().unwrap();
        assert!(format!("{error:#}").contains("gatway"), "{error:#}");
    }
}
