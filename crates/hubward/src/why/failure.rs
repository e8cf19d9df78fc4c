//! What went wrong with a peer.

use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::names::Untrusted;
use hubward_proto::path::Path;
use std::net::IpAddr;
use std::time::Duration;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// IKE refused something.
    Refused(Refusal),
    /// A user was refused.
    Password(Untrusted),
    /// Dead peer detection found the peer gone.
    Dead,
    /// Packets of an SA fail their integrity check.
    Integrity {
        /// Their check value has 96 bits instead of SHA-256's 128.
        short: bool,
    },
    /// Packets of an SA have other inner addresses than it.
    Outside {
        /// Source and destination of the first.
        inner: (IpAddr, IpAddr),
        /// What was agreed on, seen from us.
        agreed: Selector,
        /// The address that a client was given.
        lease: Option<IpAddr>,
    },
}

impl Cause {
    /// Whether this is the same happening once more.
    pub(super) fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Outside { agreed, lease, .. }, Self::Outside { agreed: a, lease: l, .. }) => {
                (agreed, lease) == (a, l)
            }
            _ => self == earlier,
        }
    }
}

/// Something that went wrong with a peer, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The path of the last time.
    pub(crate) path: Path,
    /// When it happened first and last, since 1970.
    pub(crate) first: Duration,
    pub(crate) last: Duration,
    /// How often.
    pub(crate) count: u64,
    pub(crate) cause: Cause,
    /// The identity that the peer proved before.
    pub(crate) identity: Option<Untrusted>,
    /// When a tunnel with this peer came up since.
    pub(crate) solved: Option<Duration>,
}

impl Failure {
    pub(crate) fn peer(&self) -> IpAddr {
        self.path.remote
    }

    /// The user, where one is known.
    pub(crate) fn user(&self) -> Option<&Untrusted> {
        match &self.cause {
            Cause::Password(user) => Some(user),
            _ => None,
        }
    }
}
