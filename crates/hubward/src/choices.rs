//! What a start leaves out or allows: tunnels that are left out by name, and unenforced lines that
//! were allowed.

mod mapping;

use crate::base::files;
use crate::base::program::{WrongUse, mapping as pair_of};
use crate::choices::mapping::Mapping;
use hubward_config::diagnostic::{Kind, Unenforced};
use hubward_config::model::Config;
use hubward_config::verdict::{Outcome, Verdict, has_no_link, leave_out, verdicts};
use hubward_config::{Parsed, unenforced};
use hubward_proto::policy::Overlap;
use std::collections::BTreeSet;
use std::path::Path;

/// Interfaces that a message names.
const INTERFACES: usize = 16;

/// The options of `check` and `run`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Maps an interface of the configuration to a Linux interface: FastEthernet0/0=eth0, or a VLAN
    /// to several as the ports of a bridge: Vlan1=eth1,eth2. Without any, the Ethernet interfaces
    /// are mapped to the network cards in order. `check` does not check whether this machine has
    /// them.
    #[arg(long = "map", value_name = "IOS=LINUX")]
    pub(crate) map: Vec<String>,
    /// A file (TOML) that says which Linux interface is which, and more about this machine; what
    /// other options say of the same interface counts. See docs/interfaces.md.
    #[arg(long, value_name = "FILE", value_parser = Mapping::read)]
    pub(crate) mapping: Option<Mapping>,
    /// Start without a tunnel, a group or a peer, by the name that `check` prints; its networks are
    /// then unreachable. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<String>,
    /// Start although a line is not enforced: a kind of lines such as "nat", a line with its mode
    /// such as "interface GigabitEthernet0/0: ip inspect FW out", or @FILE with one of
    /// these per line. May be given several times.
    #[arg(long, value_name = "ITEM")]
    pub(crate) allow_unenforced: Vec<String>,
    /// Who gets a network that two peers of a dynamic map propose: the one that has it, as long as
    /// it answers, or the newest, as on IOS. See docs/differences.md.
    #[arg(long, value_enum, default_value_t, value_name = "PEER")]
    pub(crate) overlap: Winner,
}

/// `--overlap`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Winner {
    /// The peer that has the network, as long as it answers.
    #[default]
    Holder,
    /// The newest one, as on IOS.
    Newest,
}

impl From<Winner> for Overlap {
    fn from(winner: Winner) -> Self {
        match winner {
            Winner::Holder => Self::HolderKeeps,
            Winner::Newest => Self::NewestWins,
        }
    }
}

impl Options {
    /// The links of interfaces: those of the mapping file, unless `--map` names the same interface,
    /// and those of `--map`.
    pub(crate) fn maps(&self) -> Vec<String> {
        self.maps_with_places().into_iter().map(|(pair, _)| pair).collect()
    }

    /// The same, and where each of them was given, for messages.
    fn maps_with_places(&self) -> Vec<(String, String)> {
        let of = |pair: &str| pair.split_once('=').map(|(ios, _)| hubward_config::long_name(ios));
        let is_given = |pair: &&String| self.map.iter().any(|given| of(given) == of(pair));
        let of_file = self.mapping.iter().flat_map(|mapping| {
            let place = |line: &usize| format!("{}: line {line}: ", mapping.file);
            mapping.map.iter().zip(mapping.lines.iter().map(place))
        });
        let of_file = of_file.filter(|(pair, _)| !is_given(pair));
        let of_options = self.map.iter().map(|pair| (pair, "--map ".to_string()));
        of_file.chain(of_options).map(|(pair, place)| (pair.clone(), place)).collect()
    }

    /// Whether the mapping file says that something else gives the links their addresses.
    pub(crate) fn keep_addresses(&self) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| mapping.no_addresses)
    }

    fn all_without(&self) -> Vec<String> {
        let of_file = self.mapping.iter().flat_map(|mapping| &mapping.without);
        of_file.chain(&self.without).cloned().collect()
    }
}

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    /// `--map`, as it was given.
    given: Vec<String>,
    /// The interfaces that it names.
    mapped: Vec<String>,
    /// Where each of them was given: `--map `, or the line of a mapping file.
    places: Vec<String>,
    /// Names of verdicts, as they were given.
    pub(crate) without: Vec<String>,
    /// Lines that need not be enforced.
    pub(crate) allowed: Allowed,
    /// Who gets a network that two peers propose.
    pub(crate) overlap: Winner,
}

/// Lines that need not be enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    kinds: BTreeSet<Kind>,
    /// Spelled out, with the line that opens the mode: `HEADER: LINE`.
    lines: BTreeSet<String>,
    /// That nothing is blocked when Hubward is not running: `guard`.
    pub(crate) guard: bool,
}

/// What a configuration and the choices come to.
pub(crate) struct Judgement {
    pub(crate) verdicts: Vec<Verdict>,
    /// Names of tunnels that are left out.
    pub(crate) without: Vec<String>,
    /// Names that were given and that no tunnel, group or peer has.
    pub(crate) unknown: Vec<String>,
    /// Lines that were allowed and that the configuration does not have.
    pub(crate) idle: Vec<String>,
    /// Names of tunnels that do not exist here and are not left out.
    pub(crate) missing: Vec<String>,
    /// Lines that are neither enforced nor allowed.
    pub(crate) refused: Vec<Unenforced>,
    /// Lines that are allowed but not enforced.
    pub(crate) allowed: Vec<Unenforced>,
}

impl Choices {
    /// Reads the options.
    ///
    /// # Errors
    /// A file that cannot be read, and a word that is not a kind.
    pub(crate) fn of(options: &Options) -> Result<Self, WrongUse> {
        let mut items: Vec<String> = Vec::new();
        let of_file = options.mapping.iter().flat_map(|mapping| &mapping.allowed);
        items.extend(of_file.cloned());
        for item in &options.allow_unenforced {
            let Some(file) = item.strip_prefix('@') else {
                items.push(item.clone());
                continue;
            };
            let bytes = files::read(Path::new(file), files::CONFIGURATION)
                .map_err(|error| WrongUse(format!("{file}: {error:#}")))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let given = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('!'));
            items.extend(given.map(str::to_string));
        }
        let mut allowed = Allowed::default();
        for item in items {
            allowed.add(&item)?;
        }
        let (given, places): (Vec<_>, Vec<_>) = options.maps_with_places().into_iter().unzip();
        let mapped = given.iter().map(|pair| Ok(pair_of(pair)?.0)).collect::<Result<_, WrongUse>>()?;
        let (without, overlap) = (options.all_without(), options.overlap);
        Ok(Self { given, mapped, places, without, allowed, overlap })
    }

    /// Refuses links for interfaces that a configuration does not have, or that can have none.
    ///
    /// # Errors
    /// The first of them.
    pub(crate) fn fit(&self, config: &Config) -> Result<(), WrongUse> {
        for (place, (name, given_at)) in self.mapped.iter().zip(&self.places).enumerate() {
            let why = if !config.interfaces.iter().any(|interface| interface.name == *name) {
                format!("the configuration has no such interface; it has {}", with_a_link(config))
            } else if has_no_link(name) {
                "tunnel interfaces and templates do not exist here, and no link can replace one".to_string()
            } else if self.mapped.iter().take(place).any(|before| before == name) {
                "it is mapped already".to_string()
            } else if let Some((link, other)) = self.taken(place) {
                format!("the link {link} is that of {other} already")
            } else {
                continue;
            };
            return Err(WrongUse(format!("{given_at}{name}=…: {why}")));
        }
        Ok(())
    }

    /// A link of the mapping at a place that an earlier one gives to another interface.
    fn taken(&self, place: usize) -> Option<(String, String)> {
        let (_, own) = pair_of(self.given.get(place)?).ok()?;
        let earlier = self.given.iter().take(place).filter_map(|pair| pair_of(pair).ok());
        earlier.into_iter().find_map(|(other, links)| {
            let link = links.into_iter().find(|link| own.contains(link))?;
            Some((link, other))
        })
    }

    /// Judges a configuration, as it was read.
    pub(crate) fn judge(&self, parsed: &Parsed) -> Judgement {
        let verdicts = verdicts(parsed);
        let found: Vec<_> = self.without.iter().map(|given| (given, called(&verdicts, given))).collect();
        let unknown =
            found.iter().filter(|(_, name)| name.is_none()).map(|(given, _)| (*given).clone()).collect();
        let without: Vec<_> = found.into_iter().filter_map(|(_, name)| name).collect();
        let is_left_out = |verdict: &&Verdict| without.contains(&verdict.name);
        let missing = verdicts.iter().filter(|verdict| verdict.outcome.is_missing() && !is_left_out(verdict));
        let missing = missing.map(|verdict| verdict.name.clone()).collect();
        let lines = unenforced(parsed);
        let there: BTreeSet<_> = lines.iter().map(|line| spelled(&line.name())).collect();
        let idle = self.allowed.lines.difference(&there).cloned().collect();
        let (allowed, refused) = lines.into_iter().partition(|line| self.allowed.covers(line));
        Judgement { verdicts, without, unknown, idle, missing, refused, allowed }
    }

    /// Takes what is left out from a configuration that was read, closes what it would have
    /// carried, and keeps what was chosen for those who show it.
    ///
    /// # Errors
    /// Names that no tunnel, group or peer has, with those that there are.
    pub(crate) fn apply(&self, parsed: &mut Parsed) -> Result<Judgement, WrongUse> {
        self.fit(&parsed.config)?;
        let judgement = self.apply_known(parsed);
        if judgement.unknown.is_empty() {
            return Ok(judgement);
        }
        let names: Vec<_> = judgement.verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
        let known = if names.is_empty() { "there are none".into() } else { names.join(", ") };
        let unknown = judgement.unknown.join(", ");
        Err(WrongUse(format!("no tunnel, group or peer has the name {unknown}; known: {known}")))
    }

    /// The same for a start, which continues if a tunnel that was left out is no longer in the
    /// file, and for a configuration that replaces a running one.
    pub(crate) fn apply_known(&self, parsed: &mut Parsed) -> Judgement {
        parsed.config.chosen.mapped.clone_from(&self.mapped);
        if self.overlap == Winner::Newest {
            hubward_config::free_networks(parsed);
        }
        let judgement = self.judge(parsed);
        leave_out(&mut parsed.config, &judgement.verdicts, &judgement.without);
        parsed.config.chosen.allowed = judgement.allowed.iter().map(Unenforced::name).collect();
        hubward_config::say_unreachable(parsed);
        judgement
    }

    /// The options that make a configuration start, as a shell takes them.
    pub(crate) fn options_for(&self, judgement: &Judgement) -> String {
        let mut out = String::new();
        for pair in &self.given {
            out.push_str(&format!(" --map {}", quoted(pair)));
        }
        for name in judgement.without.iter().chain(&judgement.missing) {
            out.push_str(&format!(" --without {}", quoted(name)));
        }
        let mut given = BTreeSet::new();
        let others = judgement.refused.iter().filter(|line| line.kind == Kind::Other).map(Unenforced::name);
        let kinds = self.allowed.kinds.iter().copied();
        let refused = judgement.refused.iter().map(|line| line.kind).filter(|kind| *kind != Kind::Other);
        let kinds = kinds.chain(refused).map(|kind| kind.name().to_string());
        let guard = self.allowed.guard.then(|| "guard".to_string());
        for item in guard.into_iter().chain(kinds).chain(self.allowed.lines.iter().cloned()).chain(others) {
            if given.insert(item.clone()) {
                out.push_str(&format!(" --allow-unenforced {}", quoted(&item)));
            }
        }
        if self.overlap == Winner::Newest {
            out.push_str(" --overlap newest");
        }
        out
    }
}

/// The interfaces of a configuration that can have links, for a message.
fn with_a_link(config: &Config) -> String {
    let all = config.interfaces.iter().map(|interface| interface.name.as_str());
    let all: Vec<_> = all.filter(|name| !has_no_link(name)).collect();
    let named = all.get(..INTERFACES).unwrap_or(&all).join(", ");
    match all.len().checked_sub(INTERFACES) {
        _ if all.is_empty() => "none".to_string(),
        Some(more @ 1..) => format!("{named} and {more} more"),
        _ => named,
    }
}

/// The verdict with a name as the user wrote it: lower case and short interface names are accepted
/// if they are unambiguous.
fn called(verdicts: &[Verdict], given: &str) -> Option<String> {
    let names = || verdicts.iter().map(|verdict| &verdict.name);
    if let Some(exact) = names().find(|name| *name == given) {
        return Some(exact.clone());
    }
    // `macsec Gi0/1`
    let long = match given.rsplit_once(' ') {
        Some((kind, interface)) => format!("{kind} {}", hubward_config::long_name(interface)),
        None => hubward_config::long_name(given),
    };
    let mut alike =
        names().filter(|name| name.eq_ignore_ascii_case(given) || name.eq_ignore_ascii_case(&long));
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
}

impl Allowed {
    fn add(&mut self, item: &str) -> Result<(), WrongUse> {
        if item == "guard" {
            self.guard = true;
            return Ok(());
        }
        // lines of no kind of their own have nothing in common that leave could be given for
        let named = |kind: &Kind| *kind != Kind::Other;
        if let Some(kind) = Kind::named(item).filter(named) {
            self.kinds.insert(kind);
            return Ok(());
        }
        if !item.trim().contains(char::is_whitespace) {
            let kinds: Vec<_> = Kind::ALL.iter().filter(|kind| named(kind)).map(|kind| kind.name()).collect();
            let kinds = kinds.join(", ");
            return Err(WrongUse(format!(
                "`{item}` is neither a kind of lines ({kinds}, guard) nor a whole line"
            )));
        }
        self.lines.insert(spelled(item));
        Ok(())
    }

    fn covers(&self, line: &Unenforced) -> bool {
        self.kinds.contains(&line.kind) || self.lines.contains(&spelled(&line.name()))
    }
}

/// An item for comparison: commands in full spelling, up to any secret.
fn spelled(item: &str) -> String {
    let global =
        || hubward_config::secret::public_part(item).split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((header, line)) = item.split_once(": ") else {
        return hubward_config::spell_out(&global()).trim().to_string();
    };
    let text = hubward_config::spell_out(&format!("{}\n {}", header.trim(), line.trim()));
    match text.split_once('\n') {
        Some((header, line)) => {
            let line = hubward_config::secret::public_part(line);
            format!("{}: {}", header.trim(), line.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        None => global(),
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Whether a tunnel is not as on a router.
pub(crate) fn differs(verdict: &Verdict) -> bool {
    verdict.outcome != Outcome::Works
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(without: &[&str], allow: &[&str]) -> Choices {
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect();
        let (without, allow_unenforced) = (strings(without), strings(allow));
        Choices::of(&Options { without, allow_unenforced, ..Options::default() }).unwrap()
    }

    const FILTERS: &str = "interface FastEthernet0/0\n ip inspect OUT in\n ip verify source\n\
                           interface FastEthernet0/1\n ip inspect IN in\nlogin block-for 120 attempts 5 within 60\n";

    fn refused(given: &Choices, text: &str) -> Vec<u32> {
        given.judge(&hubward_config::parse(text)).refused.iter().map(|line| line.line).collect()
    }

    /// Leave for one kind or one line is none for others.
    #[test]
    fn what_is_allowed_is_allowed_alone() {
        assert_eq!(refused(&choices(&[], &[]), FILTERS), [2, 3, 5, 6]);
        assert_eq!(refused(&choices(&[], &["inspect"]), FILTERS), [3, 6]);
        assert_eq!(refused(&choices(&[], &["urpf", "login"]), FILTERS), [2, 5]);
        let line = "interface FastEthernet0/0: ip inspect OUT in";
        assert_eq!(refused(&choices(&[], &[line]), FILTERS), [3, 5, 6]);
        assert_eq!(refused(&choices(&[], &["int fa0/0:  ip  inspect OUT in "]), FILTERS), [3, 5, 6]);
        assert_eq!(refused(&choices(&[], &["login block-for 120 attempts 5 within 60"]), FILTERS), [2, 3, 5]);
        assert_eq!(
            refused(&choices(&[], &["login block-for 60 attempts 5 within 60"]), FILTERS),
            [2, 3, 5, 6]
        );
    }

    /// It is part of the command that `check` prints, and of the policy that a reload makes.
    #[test]
    fn who_gets_a_contested_network_is_kept() {
        for (overlap, wanted, printed) in [
            (Winner::Holder, Overlap::HolderKeeps, ""),
            (Winner::Newest, Overlap::NewestWins, " --overlap newest"),
        ] {
            let given = Choices::of(&Options { overlap, ..Options::default() }).unwrap();
            let parsed = hubward_config::parse("hostname Hub\n");
            assert_eq!(given.options_for(&given.judge(&parsed)), printed);
            let translation = crate::translate::Translation::of(&parsed.config);
            assert_eq!(translation.with_overlap(given.overlap.into()).policy().global.overlap, wanted);
        }
    }

    /// A filter of what no static entry's list names is not one of what peers of a dynamic entry get
    /// of that with `--overlap newest`.
    #[test]
    fn the_newest_may_have_what_a_filter_is_not_asked_about() {
        let text = "interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.248\n crypto map M\n\
                    crypto dynamic-map D 10\n set ip access-group LIMITED in\n\
                    crypto map M 10 ipsec-isakmp\n set peer 198.51.100.20\n match address 110\n\
                    crypto map M 65000 ipsec-isakmp dynamic D\n\
                    access-list 110 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                    ip access-list extended LIMITED\n permit tcp any any eq 80\n";
        let of = |overlap, allow: &[&str]| {
            let allow_unenforced = allow.iter().map(|word| (*word).to_string()).collect();
            let options = Options { overlap, allow_unenforced, ..Options::default() };
            let judgement = Choices::of(&options).unwrap().apply_known(&mut hubward_config::parse(text));
            judgement.refused.iter().map(|line| (line.kind, line.line)).collect::<Vec<_>>()
        };
        assert_eq!(of(Winner::Holder, &[]), []);
        assert_eq!(of(Winner::Newest, &[]), [(Kind::CryptoFilter, 5)]);
        assert_eq!(of(Winner::Newest, &["crypto-filter"]), []);
    }

    #[test]
    fn a_file_allows_a_line_each() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "! ours\nurpf\n\ninterface FastEthernet0/1: ip inspect IN in\n").unwrap();
        let given = choices(&[], &[&format!("@{}", file.path().display())]);
        assert_eq!(refused(&given, FILTERS), [2, 6]);
        let missing = Options { allow_unenforced: vec!["@/nowhere/at/all".into()], ..Options::default() };
        assert!(Choices::of(&missing).is_err());
    }

    #[test]
    fn a_word_that_is_no_kind_is_wrong_use() {
        for word in ["access-groups", "", "all", "other"] {
            let given = Options { allow_unenforced: vec![word.into()], ..Options::default() };
            let Err(WrongUse(why)) = Choices::of(&given) else { panic!("{word}") };
            assert!(why.contains("access-group, ") && !why.contains("other,"), "{why}");
        }
    }

    #[test]
    fn a_name_that_no_tunnel_has_is_told_with_those_that_there_are() {
        let mut parsed = hubward_config::parse("interface Tunnel7\n tunnel source FastEthernet0/0\n");
        let Err(WrongUse(why)) = choices(&["Tunnel8"], &[]).apply(&mut parsed) else { panic!() };
        assert!(why.contains("the name Tunnel8; known: Tunnel7"), "{why}");
        let judgement = choices(&["Tunnel7", "Tunnel8"], &[]).apply_known(&mut parsed);
        assert_eq!(judgement.unknown, ["Tunnel8"], "a start goes on");
        let judgement = choices(&["Tunnel7"], &[]).apply(&mut parsed).unwrap();
        assert!(judgement.missing.is_empty());
        assert_eq!(parsed.config.chosen.without, ["Tunnel7"]);
        // a tunnel that went out of the file meanwhile makes no reload fail
        let mut later = hubward_config::parse("hostname Hub\n");
        assert!(choices(&["Tunnel7"], &[]).apply_known(&mut later).missing.is_empty());
    }

    #[test]
    fn a_tunnel_is_left_out_by_a_short_name_or_in_small_letters() {
        let text = "interface Tunnel1\n tunnel source FastEthernet0/0\ninterface Tunnel11\n tunnel source FastEthernet0/0\n\
                    crypto isakmp client configuration group Staff\n key 6 AbCd\n\
                    crypto map Cm 10 ipsec-manual\ncrypto map CM 10 ipsec-manual\n";
        for (given, wanted) in [
            ("tunnel1", &["Tunnel1"][..]),
            ("Tu1", &["Tunnel1"]),
            ("tu11", &["Tunnel11"]),
            ("group staff", &["group Staff"]),
            ("Cm/10", &["Cm/10"]),
            // that may be two
            ("cm/10", &[]),
            ("Tu", &[]),
        ] {
            let judgement = choices(&[given], &[]).judge(&hubward_config::parse(text));
            assert_eq!(judgement.without, wanted, "{given}");
            assert_eq!(judgement.unknown.is_empty(), !wanted.is_empty(), "{given}");
            assert!(wanted.iter().all(|name| !judgement.missing.contains(&(*name).to_string())));
        }
    }

    #[test]
    fn an_allowed_line_that_the_configuration_does_not_have_is_told() {
        let gone = "interface FastEthernet0/7: ip inspect OUT in";
        let there = "int fa0/0: ip inspect OUT in";
        let judgement = choices(&[], &[gone, there]).judge(&hubward_config::parse(FILTERS));
        assert_eq!(judgement.idle, [gone]);
    }

    #[test]
    fn a_map_of_no_two_names_or_of_no_interface_is_wrong_use() {
        for wrong in ["GigabitEthernet0/0", "=eth0", "Gi0/0=", ""] {
            assert!(
                Choices::of(&Options { map: vec![wrong.into()], ..Options::default() }).is_err(),
                "{wrong}"
            );
        }
        let config =
            hubward_config::parse("interface FastEthernet0/0\ninterface Tunnel1\ninterface Vlan1\n").config;
        for (given, fits) in [
            (&["Fa0/0=eth0"][..], true),
            (&["FastEthernet9/9=eth0"], false),
            (&["Tunnel1=eth0"], false),
            (&["Fa0/0=eth0", "fa0/0=eth1"], false),
            // one link for two interfaces
            (&["Fa0/0=eth0", "Vlan1=eth0"], false),
            (&["Vlan1=eth1,eth0", "Fa0/0=eth0"], false),
            (&["Vlan1=eth1,eth2", "Fa0/0=eth0"], true),
        ] {
            let map = given.iter().map(|pair| (*pair).to_string()).collect();
            let choices = Choices::of(&Options { map, ..Options::default() }).unwrap();
            assert_eq!(choices.fit(&config).is_ok(), fits, "{given:?}");
        }
    }

    /// The name may be of another router, or misspelt: the message says where it stands and what
    /// there is.
    #[test]
    fn an_interface_that_is_not_there_is_told_with_its_place_and_with_those_that_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# ours\n[interfaces]\nVlan1 = \"eth1\"\n\"gi0/0\" = \"eth0\"\n")
            .unwrap();
        let path = file.path().display().to_string();
        let config =
            hubward_config::parse("interface FastEthernet4\ninterface Vlan1\ninterface Tunnel1\n").config;
        let told = |options: Options| Choices::of(&options).unwrap().fit(&config).unwrap_err().to_string();
        let mapping = Some(Mapping::read(&path).unwrap());
        let why = "the configuration has no such interface; it has FastEthernet4, Vlan1";
        assert_eq!(
            told(Options { mapping: mapping.clone(), ..Options::default() }),
            format!("{path}: line 4: GigabitEthernet0/0=…: {why}")
        );
        // the option of the same interface replaces the line, and is what is wrong then
        let map = vec!["Gi0/0=eth2".to_string()];
        let given = told(Options { mapping, map, ..Options::default() });
        assert_eq!(given, format!("--map GigabitEthernet0/0=…: {why}"));
        let many: String = (0..18).map(|number| format!("interface FastEthernet0/{number}\n")).collect();
        let listed = with_a_link(&hubward_config::parse(&many).config);
        assert!(listed.ends_with("FastEthernet0/15 and 2 more"), "{listed}");
    }

    /// With the options that are printed nothing is missing and nothing refused any more.
    #[test]
    fn the_options_that_are_printed_make_it_start() {
        let text = format!(
            "{FILTERS}interface Tunnel7\n tunnel source FastEthernet0/0\ncrypto isakmp client configuration group it's\n \
             key 6 AbCd\nline vty 0 4\n authorization exec CON\n"
        );
        let parsed = hubward_config::parse(&text);
        let given = choices(&[], &["interface FastEthernet0/0: ip inspect OUT in"]);
        let printed = given.options_for(&given.judge(&parsed));
        let words = shell(&printed);
        let of = |option: &str| -> Vec<String> {
            words.chunks(2).filter(|pair| pair[0] == option).map(|pair| pair[1].clone()).collect()
        };
        let options = Options {
            map: of("--map"),
            without: of("--without"),
            allow_unenforced: of("--allow-unenforced"),
            ..Options::default()
        };
        assert!(options.without.contains(&"group it's".to_string()), "{printed}");
        let judgement = Choices::of(&options).unwrap().judge(&parsed);
        assert!(judgement.missing.is_empty() && judgement.refused.is_empty(), "{printed}");
    }

    /// The words that a shell makes of a line.
    fn shell(line: &str) -> Vec<String> {
        let script = format!("for word in {line}; do printf '%s\\n' \"$word\"; done");
        let done = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        String::from_utf8(done.stdout).unwrap().lines().map(str::to_string).collect()
    }
}
