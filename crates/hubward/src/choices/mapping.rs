//! The mapping file of `--mapping`: which link is which interface, and what else a start needs to
//! know about this machine, in a file beside the configuration.

use crate::base::files;
use crate::dataplane::offload::Offload;
use crate::plane::Choice;
use clap::ValueEnum;
use hubward_config::long_name;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// What a mapping file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Its name; empty until it was read from a file.
    pub(crate) file: String,
    /// As `--map` takes them, in the order of the file.
    pub(crate) map: Vec<String>,
    /// The line of each of them, from 1.
    pub(crate) lines: Vec<usize>,
    /// As `--without` takes them.
    pub(crate) without: Vec<String>,
    /// As `--allow-unenforced` takes them.
    pub(crate) allowed: Vec<String>,
    /// `--no-addresses`.
    pub(crate) no_addresses: bool,
    /// `--ssh`.
    pub(crate) ssh: Option<SocketAddr>,
    /// `--dataplane`.
    pub(crate) dataplane: Option<Choice>,
    /// `--no-offload`.
    pub(crate) no_offload: Vec<Offload>,
}

/// The file. Interfaces have one link, or several as the ports of a bridge.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    interfaces: BTreeMap<toml::Spanned<String>, Links>,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    allow: Allow,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a link's name, or a list of them")]
enum Links {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Options {
    #[serde(default)]
    no_addresses: bool,
    #[serde(default)]
    without: Vec<String>,
    ssh: Option<SocketAddr>,
    #[serde(default, deserialize_with = "named")]
    dataplane: Option<Choice>,
    #[serde(default, deserialize_with = "all_named")]
    no_offload: Vec<Offload>,
}

/// A value by its name, as the option of that name takes it.
fn value<T: ValueEnum, E: serde::de::Error>(name: &str) -> Result<T, E> {
    T::from_str(name, false).map_err(|_| {
        let known = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let known: Vec<_> = known.map(|value| value.get_name().to_string()).collect();
        E::custom(format!("`{name}` is none of {}", known.join(", ")))
    })
}

fn named<'d, D: Deserializer<'d>, T: ValueEnum>(from: D) -> Result<Option<T>, D::Error> {
    value(&String::deserialize(from)?).map(Some)
}

fn all_named<'d, D: Deserializer<'d>, T: ValueEnum>(from: D) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(from)?.iter().map(|name| value(name)).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    /// Kinds of lines that need not be enforced.
    #[serde(default)]
    kinds: Vec<String>,
    /// Lines with their modes.
    #[serde(default)]
    lines: Vec<String>,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is not understood: in words, with the line's number.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let bytes = files::read(Path::new(path), files::CONFIGURATION)
            .map_err(|error| format!("{path}: {error:#}"))?;
        let mapping = Self::of(&String::from_utf8_lossy(&bytes)).map_err(|why| format!("{path}: {why}"))?;
        Ok(Self { file: path.to_string(), ..mapping })
    }

    fn of(text: &str) -> Result<Self, String> {
        let line = |start: usize| text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        let toml: Toml = toml::from_str(text).map_err(|error| {
            format!("line {}: {}", line(error.span().map_or(0, |span| span.start)), error.message())
        })?;
        let mut pairs: Vec<_> = toml.interfaces.into_iter().collect();
        pairs.sort_by_key(|(name, _)| name.span().start);
        let (mut map, mut lines) = (Vec::new(), Vec::new());
        let mut known: Vec<String> = Vec::new();
        for (name, links) in pairs {
            let number = line(name.span().start);
            let ios = long_name(name.get_ref());
            let given = match links {
                Links::One(link) => vec![link],
                Links::Several(links) => links,
            };
            let is_name = |link: &String| {
                !link.is_empty() && !link.contains(|c: char| c.is_whitespace() || matches!(c, '/' | ','))
            };
            if given.is_empty() || !given.iter().all(is_name) {
                return Err(format!("line {number}: {ios} needs the name of a link"));
            }
            if known.contains(&ios) {
                return Err(format!("line {number}: {ios} is mapped already"));
            }
            map.push(format!("{ios}={}", given.join(",")));
            lines.push(number);
            known.push(ios);
        }
        let allowed = toml.allow.kinds.into_iter().chain(toml.allow.lines).collect();
        let Options { no_addresses, without, ssh, dataplane, no_offload } = toml.options;
        let file = String::new();
        Ok(Self { file, map, lines, without, allowed, no_addresses, ssh, dataplane, no_offload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_file_says_what_the_options_would() {
        let text = "# the branch in Lyon\n\n[interfaces]\n\"gi0/0\" = \"enp1s0\"\nVlan1 = [\"enp2s0\", \"enp3s0\"]\n\
            Dialer1 = \"ppp0\"\n\n[options]\nno-addresses = true\nwithout = [\"Tunnel7\"]\n\n[allow]\n\
            kinds = [\"nat\"]\nlines = [\"interface GigabitEthernet0/0: ip access-group OUTSIDE-IN in\"]\n";
        let found = Mapping::of(text).unwrap();
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_string()).collect::<Vec<_>>();
        assert_eq!(found.map, strings(&["GigabitEthernet0/0=enp1s0", "Vlan1=enp2s0,enp3s0", "Dialer1=ppp0"]));
        assert_eq!((found.no_addresses, found.without), (true, strings(&["Tunnel7"])));
        let line = "interface GigabitEthernet0/0: ip access-group OUTSIDE-IN in";
        assert_eq!(found.allowed, strings(&["nat", line]));
        assert_eq!(Mapping::of("").unwrap(), Mapping::default());
    }

    #[test]
    fn a_mapping_file_says_who_carries_packets_and_where_ssh_listens() {
        let text = "[options]\nssh = \"10.1.1.1:22\"\ndataplane = \"auto\"\nno-offload = [\"tun-udp\", \"udp-send\"]\n";
        let found = Mapping::of(text).unwrap();
        assert_eq!(found.ssh, Some("10.1.1.1:22".parse().unwrap()));
        assert_eq!(found.dataplane, Some(Choice::Auto));
        assert_eq!(found.no_offload, [Offload::TunUdp, Offload::UdpSend]);
    }

    /// It is the one of the example beside it, which starts with it.
    #[test]
    fn the_example_fits_the_example_that_it_names() {
        let text = include_str!("../../../../examples/mapping.toml");
        assert!(text.contains("hubward run examples/hamburg.cfg --mapping examples/mapping.toml"));
        let mapping = Mapping::of(text).unwrap();
        assert_eq!((mapping.map.len(), mapping.lines.len(), mapping.allowed.len()), (2, 2, 0));
        let options = crate::choices::Options { mapping: Some(mapping), ..Default::default() };
        let mut parsed = hubward_config::parse(include_str!("../../../../examples/hamburg.cfg"));
        let judgement = crate::choices::Choices::of(&options).unwrap().apply(&mut parsed).unwrap();
        assert!(judgement.missing.is_empty() && judgement.refused.is_empty() && judgement.idle.is_empty());
    }

    #[test]
    fn an_error_names_its_line() {
        for (text, line, word) in [
            ("[interfaces]\nVlan1 = 7\n", 2, "a link's name"),
            ("[interfaces]\n\nVlan1 = \"\"\n", 3, "needs the name of a link"),
            ("[interfaces]\nVlan1 = []\n", 2, "needs the name of a link"),
            ("[interfaces]\nVlan1 = \"eth1,eth2\"\n", 2, "needs the name of a link"),
            ("[interfaces]\nVlan1 = \"eth1\"\nvlan1 = \"eth2\"\n", 3, "mapped already"),
            ("[interfaces]\nVlan1 = \"eth1\"\nVlan1 = \"eth2\"\n", 3, "duplicate"),
            ("[interface]\nVlan1 = \"eth1\"\n", 1, "interface"),
            ("[options]\nno-addresses = true\nno-adresses = true\n", 3, "no-adresses"),
            ("[allow]\nkinds = \"nat\"\n", 2, "sequence"),
            ("[options]\nssh = \"10.1.1.1\"\n", 2, "socket address"),
            ("[options]\ndataplane = \"fast\"\n", 2, "none of user, kernel, auto"),
            ("[options]\nno-offload = [\"tun\"]\n", 2, "none of tun-tcp"),
            ("[interfaces\n", 1, ""),
        ] {
            let why = Mapping::of(text).unwrap_err();
            assert!(why.starts_with(&format!("line {line}: ")) && why.contains(word), "{text}: {why}");
        }
    }
}
