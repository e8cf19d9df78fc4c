//! What a start does without: tunnels that are left out by their names, and lines that nothing holds and that were allowed.

use crate::files;
use hubward_config::Parsed;
use hubward_config::diagnostic::{Kind, Unenforced, unenforced};
use hubward_config::verdict::{Outcome, Verdict, leave_out, verdicts};
use std::collections::BTreeSet;
use std::path::Path;

/// The options of `check` and `run`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Start without a tunnel, a group or a peer, by the name that `check` prints; its networks are unreachable then. May be
    /// given several times.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Start although a line is not held: a kind of lines such as "nat", a line with its mode such as "interface
    /// GigabitEthernet0/0: ip access-group OUTSIDE-IN in", or @FILE with one of these a line. May be given several times.
    #[arg(long, value_name = "ITEM")]
    allow_unenforced: Vec<String>,
}

/// Wrong use of the program: its exit status is 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    /// Names of verdicts.
    pub(crate) without: Vec<String>,
    /// Lines that need not be held.
    pub(crate) allowed: Allowed,
}

/// Lines that need not be held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    kinds: BTreeSet<Kind>,
    /// Spelled out, with the line that opens the mode: `HEADER: LINE`.
    lines: BTreeSet<String>,
    /// That nothing is kept in when Hubward does not run: `guard`.
    pub(crate) guard: bool,
}

/// What a configuration and the choices come to.
pub(crate) struct Judgement {
    pub(crate) verdicts: Vec<Verdict>,
    /// Names of tunnels that do not exist here and are not left out.
    pub(crate) missing: Vec<String>,
    /// Lines that are not held and not allowed.
    pub(crate) refused: Vec<Unenforced>,
    /// Lines that are not held and allowed.
    pub(crate) allowed: Vec<Unenforced>,
}

impl Choices {
    /// Reads the options.
    ///
    /// # Errors
    /// A file that cannot be read, and a word that is no kind.
    pub(crate) fn of(options: &Options) -> Result<Self, WrongUse> {
        let mut items = Vec::new();
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
        Ok(Self { without: options.without.clone(), allowed })
    }

    /// Judges a configuration, as it was read.
    pub(crate) fn judge(&self, parsed: &Parsed) -> Judgement {
        let verdicts = verdicts(parsed);
        let is_left_out = |verdict: &&Verdict| self.without.contains(&verdict.name);
        let missing = verdicts.iter().filter(|verdict| verdict.outcome.is_missing() && !is_left_out(verdict));
        let missing = missing.map(|verdict| verdict.name.clone()).collect();
        let (allowed, refused) = unenforced(parsed).into_iter().partition(|line| self.allowed.covers(line));
        Judgement { verdicts, missing, refused, allowed }
    }

    /// Takes what is left out from a configuration that was read, closes what it would have carried, and keeps what was
    /// chosen for those who show it.
    ///
    /// # Errors
    /// Names that no tunnel, group or peer has, with those that there are.
    pub(crate) fn apply(&self, parsed: &mut Parsed) -> Result<Judgement, WrongUse> {
        let judgement = self.judge(parsed);
        let unknown = self.put(parsed, &judgement);
        if unknown.is_empty() {
            return Ok(judgement);
        }
        let names: Vec<_> = judgement.verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
        let known = if names.is_empty() { "there are none".into() } else { names.join(", ") };
        Err(WrongUse(format!("no tunnel, group or peer is called {}; known: {known}", unknown.join(", "))))
    }

    /// The same for a configuration that takes the place of a running one: what was left out may be gone meanwhile.
    pub(crate) fn apply_again(&self, parsed: &mut Parsed) -> Judgement {
        let judgement = self.judge(parsed);
        self.put(parsed, &judgement);
        judgement
    }

    fn put(&self, parsed: &mut Parsed, judgement: &Judgement) -> Vec<String> {
        let unknown = leave_out(&mut parsed.config, &judgement.verdicts, &self.without);
        parsed.config.chosen.allowed = judgement.allowed.iter().map(Unenforced::name).collect();
        unknown
    }

    /// The options that make a configuration start, as a shell takes them.
    pub(crate) fn options_for(&self, judgement: &Judgement) -> String {
        let mut out = String::new();
        for name in self.without.iter().chain(&judgement.missing) {
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
        out
    }
}

impl Allowed {
    fn add(&mut self, item: &str) -> Result<(), WrongUse> {
        if item == "guard" {
            self.guard = true;
            return Ok(());
        }
        if let Some(kind) = Kind::named(item) {
            self.kinds.insert(kind);
            return Ok(());
        }
        if !item.trim().contains(char::is_whitespace) {
            let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            let kinds = kinds.join(", ");
            return Err(WrongUse(format!("`{item}` is no kind of lines ({kinds}, guard) and no whole line")));
        }
        self.lines.insert(spelled(item));
        Ok(())
    }

    fn covers(&self, line: &Unenforced) -> bool {
        self.kinds.contains(&line.kind) || self.lines.contains(&spelled(&line.name()))
    }
}

/// An item as it is compared: the commands spelled out, up to where a secret may begin.
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
