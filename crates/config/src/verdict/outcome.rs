//! What a verdict says.

use super::networks::Flow;

/// One tunnel, group or peer of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its name: `Tunnel7`, `OUTSIDE-MAP/10`, `DYN/20`, `group REMOTE-USERS`.
    pub name: String,
    /// The line that opens it, from 1.
    pub line: u32,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The packets that it would carry, as far as they are known.
    pub flows: Vec<Flow>,
    /// It carries networks that the configuration does not name: a routing protocol runs over it,
    /// its access list cannot be read, or its peers say what they are.
    pub unknown: bool,
    /// It carries nothing on a router either (it is shut, or its crypto map is on no interface that
    /// is up): that does not stop the start, but what it would carry is closed.
    pub idle: bool,
}

/// What becomes of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works as on a router.
    Works,
    /// It exists and something is different, or it would not come up on a router either.
    Differs(Vec<Reason>),
    /// It does not exist here.
    Missing(Vec<Reason>),
}

/// Why a tunnel differs or is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The line that is to blame, from 1.
    pub line: u32,
    /// What is the matter with it.
    pub text: String,
}

impl Reason {
    pub(super) fn new(line: u32, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

impl Outcome {
    /// The verdict of what was found: what makes it missing counts more than what makes it
    /// different.
    pub(super) fn of(mut missing: Vec<Reason>, mut differs: Vec<Reason>) -> Self {
        for reasons in [&mut missing, &mut differs] {
            reasons.sort();
            reasons.dedup();
        }
        match (missing.is_empty(), differs.is_empty()) {
            (true, true) => Self::Works,
            (true, false) => Self::Differs(differs),
            (false, _) => {
                missing.extend(differs);
                Self::Missing(missing)
            }
        }
    }

    /// Why; empty when it works.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Works => &[],
            Self::Differs(reasons) | Self::Missing(reasons) => reasons,
        }
    }

    /// Whether the tunnel does not exist here, so that the configuration starts only without it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

impl Verdict {
    /// Two things of one name (a static and a dynamic entry) are left out together.
    pub(super) fn join(&mut self, other: Self) {
        let split = |outcome: &Outcome| match outcome {
            Outcome::Missing(reasons) => (reasons.clone(), Vec::new()),
            _ => (Vec::new(), outcome.reasons().to_vec()),
        };
        let ((mut missing, mut differs), (more, also)) = (split(&self.outcome), split(&other.outcome));
        missing.extend(more);
        differs.extend(also);
        self.outcome = Outcome::of(missing, differs);
        self.flows.extend(other.flows);
        self.unknown |= other.unknown;
        self.idle &= other.idle;
    }
}
