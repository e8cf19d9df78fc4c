//! A failure in words, and the lines of the configuration that it names.

use hubward_config::Parsed;
use hubward_proto::policy::{IsakmpProfile, Policy};
use serde::Serialize;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Side {
    pub(crate) what: String,
    pub(crate) theirs: String,
    pub(crate) ours: String,
    /// This is what does not fit.
    pub(crate) differs: bool,
}

/// A failure in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    /// The kind of failure, for scripts.
    pub(crate) cause: &'static str,
    /// One sentence.
    pub(crate) verdict: String,
    /// What they offered, what we want.
    pub(crate) sides: Vec<Side>,
    /// What is counted or known, a sentence each.
    pub(crate) evidence: Vec<String>,
    /// Lines of the configuration concerned, by number.
    pub(crate) lines: Vec<u32>,
    /// What to change, here or there.
    pub(crate) advice: Vec<String>,
}

impl Explanation {
    pub(super) fn new(cause: &'static str, verdict: String) -> Self {
        Self { cause, verdict, ..Self::default() }
    }

    pub(super) fn side(
        mut self,
        what: &str,
        theirs: impl Into<String>,
        ours: impl Into<String>,
        differs: bool,
    ) -> Self {
        let (what, theirs, ours) = (what.to_string(), theirs.into(), ours.into());
        self.sides.push(Side { what, theirs, ours, differs });
        self
    }

    pub(super) fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    pub(super) fn line(mut self, lines: impl IntoIterator<Item = u32>) -> Self {
        self.lines.extend(lines.into_iter().filter(|line| *line > 0));
        self.lines.sort_unstable();
        self.lines.dedup();
        self
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }
}

/// The line of a profile. The policy knows no lines of what tunnels hang on: a line more at the top
/// of a file must not end them.
pub(super) fn profile_line(parsed: &Parsed, name: &str) -> Option<u32> {
    parsed.config.profiles.iter().find(|profile| profile.name == name).map(|profile| profile.line)
}

/// The lines of the profiles for which `holds` is true.
pub(super) fn profile_lines<'p>(
    parsed: &'p Parsed,
    policy: &'p Policy,
    holds: impl Fn(&IsakmpProfile) -> bool + 'p,
) -> impl Iterator<Item = u32> + 'p {
    let profiles = policy.profiles.iter().filter(move |profile| holds(profile));
    profiles.filter_map(|profile| profile_line(parsed, &profile.name))
}

/// The first line of a command, as it is spelled out.
pub(super) fn line_of(parsed: &Parsed, command: &str) -> Option<u32> {
    let begins =
        |text: &str| text.strip_prefix(command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let place = parsed.document.lines.iter().position(|line| begins(line.text.trim()))?;
    u32::try_from(place + 1).ok()
}

/// The identities that profiles match.
pub(super) fn matches_of<'p>(profiles: impl IntoIterator<Item = &'p IsakmpProfile>) -> String {
    use hubward_proto::policy::IdentityMatch;
    let shown = profiles.into_iter().flat_map(|profile| {
        profile.matches.iter().map(move |one| {
            let text = match one {
                IdentityMatch::Group(name) => format!("group {name}"),
                IdentityMatch::Address(range) => format!("address {range}"),
                IdentityMatch::Host(name) => format!("host {name}"),
                IdentityMatch::HostDomain(name) => format!("host domain {name}"),
                IdentityMatch::User(name) => format!("user {name}"),
                IdentityMatch::UserDomain(name) => format!("user domain {name}"),
            };
            format!("{} ({text})", profile.name)
        })
    });
    shown.collect::<Vec<_>>().join(", ")
}
