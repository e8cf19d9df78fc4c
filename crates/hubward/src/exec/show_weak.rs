//! `show crypto weak`: what the configuration permits that is no longer strong, and which peers
//! still use it. A line without a peer can go.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{self, Encryption, Hash, Key, KeyPeer, Transform};
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, HashAlg, IkeCipher};
use hubward_proto::ike::snapshot::IsakmpView;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn weak(context: &Context, _: &Arguments) -> Output {
    shown(Weak(Arc::clone(&context.snapshot)))
}

/// How many peers use something that is weak now.
pub(super) fn peers(snapshot: &Arc<Snapshot>) -> usize {
    let found = Weak(Arc::clone(snapshot)).found();
    found.values().flat_map(|found| &found.users).collect::<BTreeSet<_>>().len()
}

/// One weakness and one peer that uses it now, or none.
#[derive(Debug, Serialize)]
struct WeakRow {
    weakness: String,
    /// The lines of the configuration that permit it.
    lines: Vec<u32>,
    peer: Option<IpAddr>,
    identity: Option<String>,
    user: Option<String>,
}

/// What is weak, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weakness {
    WildcardKey,
    GroupKey,
    Des(Phase),
    TripleDes(Phase),
    Md5(Phase),
    /// A Diffie-Hellman group below 2048 bits.
    Group(Phase, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    One,
    Two,
}

impl std::fmt::Display for Weakness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, phase) = match self {
            Self::WildcardKey => return f.write_str("wildcard key: whoever knows it can pose as any branch"),
            Self::GroupKey => {
                return f
                    .write_str("group key: aggressive mode, and whoever knows it can pose as the gateway");
            }
            Self::Des(phase) => ("DES".to_owned(), phase),
            Self::TripleDes(phase) => ("3DES".to_owned(), phase),
            Self::Md5(phase) => ("MD5".to_owned(), phase),
            Self::Group(phase, number) => (format!("Diffie-Hellman group {number}"), phase),
        };
        let phase = match phase {
            Phase::One => "phase 1",
            Phase::Two => "phase 2",
        };
        write!(f, "{name} in {phase}")
    }
}

/// Who uses something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct User {
    peer: IpAddr,
    identity: Option<String>,
    user: Option<String>,
}

impl User {
    fn of(sa: &IsakmpView) -> Self {
        Self {
            peer: sa.path.remote,
            identity: sa.identity.as_ref().map(ToString::to_string),
            user: sa.user.as_ref().map(ToString::to_string),
        }
    }
}

/// What permits a weakness, and who uses it.
#[derive(Debug, Default)]
struct Found {
    lines: BTreeSet<u32>,
    users: BTreeSet<User>,
}

fn is_weak(group: u16) -> bool {
    DhGroup::from_number(group)
        .is_some_and(|group| matches!(group, DhGroup::Modp768 | DhGroup::Modp1024 | DhGroup::Modp1536))
}

fn is_wildcard(key: &Key) -> bool {
    matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == 0)
}

struct Weak(Arc<Snapshot>);

impl Weak {
    /// What the configuration permits.
    fn permitted(&self) -> BTreeMap<Weakness, Found> {
        let config = &self.0.parsed.config;
        let mut found: BTreeMap<Weakness, Found> = BTreeMap::new();
        let mut permits = |weakness: Weakness, line: u32| {
            found.entry(weakness).or_default().lines.insert(line);
        };
        let rings = config.keyrings.iter().map(|ring| &ring.keys).chain([&config.default_keys]);
        for key in rings.flatten().filter(|key| is_wildcard(key)) {
            permits(Weakness::WildcardKey, key.line);
        }
        for line in crate::check::group_keys(&self.0.parsed) {
            permits(Weakness::GroupKey, line);
        }
        for policy in &config.policies {
            match policy.encryption {
                Encryption::Des => permits(Weakness::Des(Phase::One), policy.line),
                Encryption::TripleDes => permits(Weakness::TripleDes(Phase::One), policy.line),
                Encryption::Aes(_) => {}
            }
            if policy.hash == Hash::Md5 {
                permits(Weakness::Md5(Phase::One), policy.line);
            }
            if is_weak(policy.group) {
                permits(Weakness::Group(Phase::One, policy.group), policy.line);
            }
        }
        for set in &config.transform_sets {
            for transform in &set.transforms {
                match transform {
                    Transform::Cipher(model::EspCipher::Des) => permits(Weakness::Des(Phase::Two), set.line),
                    Transform::Cipher(model::EspCipher::TripleDes) => {
                        permits(Weakness::TripleDes(Phase::Two), set.line);
                    }
                    Transform::Auth(Hash::Md5) => permits(Weakness::Md5(Phase::Two), set.line),
                    _ => {}
                }
            }
        }
        let entries = config.maps.iter().flat_map(|map| &map.entries);
        let entries = entries.map(|entry| (entry.line, &entry.terms));
        let dynamic = config.dynamic_maps.iter().flat_map(|map| &map.entries);
        for (line, terms) in entries.chain(dynamic.map(|entry| (entry.line, &entry.terms))) {
            if let Some(group) = terms.pfs.filter(|group| is_weak(*group)) {
                permits(Weakness::Group(Phase::Two, group), line);
            }
        }
        found
    }

    /// Whether the key of a peer at an address is a wildcard key: the most specific of its keyrings
    /// counts.
    fn has_wildcard_key(&self, sa: &IsakmpView) -> bool {
        let config = &self.0.parsed.config;
        let profile = sa.profile.as_ref();
        let profile = profile.and_then(|name| config.profiles.iter().find(|known| known.name == *name));
        let only = profile.map_or(&[][..], |profile| &profile.keyrings);
        // the global keys are a keyring of this name, and are searched first
        let all = std::iter::once(("default", None, &config.default_keys))
            .chain(config.keyrings.iter().map(|ring| (ring.name.as_str(), ring.local_address, &ring.keys)));
        let mut rings = all
            .filter(|(name, ..)| only.is_empty() || only.iter().any(|only| only == name))
            .filter(|(_, local, _)| local.is_none_or(|local| local == sa.path.local))
            .map(|(_, _, keys)| keys);
        let name = sa.identity.as_ref().map(ToString::to_string).unwrap_or_default();
        let length = |key: &Key| match &key.peer {
            KeyPeer::Address(net) => net.contains(&sa.path.remote).then(|| net.prefix_len()),
            KeyPeer::Hostname(host) => host.eq_ignore_ascii_case(&name).then_some(u8::MAX),
        };
        let best = rings.find_map(|keys| keys.iter().filter_map(length).max());
        best == Some(0)
    }

    fn found(&self) -> BTreeMap<Weakness, Found> {
        let mut found = self.permitted();
        let mut uses = |weakness: Weakness, user: &User| {
            found.entry(weakness).or_default().users.insert(user.clone());
        };
        let established = self.0.isakmp.iter().filter(|sa| sa.peer.is_some() && !sa.deleted);
        let mut names: BTreeMap<u64, User> = BTreeMap::new();
        for sa in established {
            let user = User::of(sa);
            names.extend(sa.peer.map(|peer| (peer, user.clone())));
            if sa.group_name.is_some() {
                uses(Weakness::GroupKey, &user);
            } else if self.has_wildcard_key(sa) {
                uses(Weakness::WildcardKey, &user);
            }
            match sa.cipher {
                Some(IkeCipher::Des) => uses(Weakness::Des(Phase::One), &user),
                Some(IkeCipher::TripleDes) => uses(Weakness::TripleDes(Phase::One), &user),
                _ => {}
            }
            if sa.hash == Some(HashAlg::Md5) {
                uses(Weakness::Md5(Phase::One), &user);
            }
            if let Some(group) = sa.group.map(DhGroup::number).filter(|group| is_weak(*group)) {
                uses(Weakness::Group(Phase::One, group), &user);
            }
        }
        for pair in self.0.flows.iter().flat_map(|flow| &flow.pairs) {
            let view = &pair.view;
            let nameless = || User { peer: view.path.remote, identity: None, user: None };
            let user = names.get(&view.peer).cloned().unwrap_or_else(nameless);
            match view.sa.suite.cipher() {
                EspCipher::Des => uses(Weakness::Des(Phase::Two), &user),
                EspCipher::TripleDes => uses(Weakness::TripleDes(Phase::Two), &user),
                _ => {}
            }
            if view.sa.suite.auth() == Some(EspAuth::Md5) {
                uses(Weakness::Md5(Phase::Two), &user);
            }
            if let Some(group) = view.pfs.map(DhGroup::number).filter(|group| is_weak(*group)) {
                uses(Weakness::Group(Phase::Two, group), &user);
            }
        }
        found
    }
}

impl Layout for Weak {
    type Row = WeakRow;

    fn rows(&self) -> impl Iterator<Item = WeakRow> {
        self.found().into_iter().flat_map(|(weakness, found)| {
            let lines: Vec<_> = found.lines.into_iter().collect();
            let row = move |user: Option<User>| WeakRow {
                weakness: weakness.to_string(),
                lines: lines.clone(),
                peer: user.as_ref().map(|user| user.peer),
                identity: user.as_ref().and_then(|user| user.identity.clone()),
                user: user.and_then(|user| user.user),
            };
            let nobody = found.users.is_empty().then_some(None);
            found.users.into_iter().map(Some).chain(nobody).map(row).collect::<Vec<_>>()
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let found = self.found();
        if found.is_empty() {
            return writeln!(out, "Nothing in the configuration is known to be weak");
        }
        for (weakness, found) in found {
            writeln!(out, "{weakness}")?;
            let lines: Vec<_> = found.lines.iter().map(u32::to_string).collect();
            let lines = match &lines[..] {
                [] => "of lines that are gone".to_owned(),
                [line] => format!("line {line}"),
                lines => format!("lines {}", lines.join(", ")),
            };
            match found.users.len() {
                0 => writeln!(out, "  {lines}: no peer uses it now")?,
                1 => writeln!(out, "  {lines}: 1 peer uses it now")?,
                count => writeln!(out, "  {lines}: {count} peers use it now")?,
            }
            for User { peer, identity, user } in found.users {
                let names = [identity, user].into_iter().flatten().collect::<Vec<_>>().join("  ");
                writeln!(out, "{}", format!("    {:<17} {names}", peer.to_string()).trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{hub, text};
    use crate::base::format::Format;

    /// The reference hub has a wildcard key and a group key, 3DES and group 2; who uses which is
    /// told.
    #[test]
    fn each_weakness_is_told_with_the_peers_that_use_it() {
        let text = text("show crypto weak", hub(), Format::Modern);
        for told in ["wildcard key", "group key"] {
            assert!(text.contains(told), "{told}: {text}");
        }
        let of_group = text.lines().skip_while(|line| !line.starts_with("group key")).nth(1);
        assert!(of_group.is_some_and(|line| line.starts_with("  line 34:")), "the key's line: {text}");
        assert!(text.contains("uses it now") || text.contains("use it now"), "{text}");
    }
}
