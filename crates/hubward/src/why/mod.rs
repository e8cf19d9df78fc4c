//! Why a tunnel is not up: a bounded record of what went wrong, by peer, and its explanation in words.

#[cfg(test)]
mod access_list_tests;
mod attempt;
mod causes;
#[cfg(test)]
mod client_tests;
mod clients;
#[cfg(test)]
mod doc_tests;
mod lifetime;
pub(crate) mod offline;
#[cfg(test)]
mod offline_tests;
#[cfg(test)]
mod packet_tests;
pub(crate) mod print;
mod proxies;
pub(crate) mod recording;
mod rivals;
#[cfg(test)]
mod tests;
mod words;
#[cfg(test)]
mod world;

pub(crate) use causes::{Explanation, explain};
pub(crate) use lifetime::notes;

use hubward_proto::esp::inbound::Refused;
use hubward_proto::esp::sa::ChildSa;
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::event::{ConnId, Event, EventKind, Untrusted};
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::path::Path;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Failures that are remembered; behind that, whichever did not happen for longest is forgotten.
pub(crate) const FAILURES: usize = 128;

/// How long after a failure the peer's complaint or silence on the same SA is its consequence: longer than a half-open SA lives.
const CONSEQUENCES: Duration = Duration::from_secs(90);

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
    fn repeats(&self, earlier: &Self) -> bool {
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

/// The record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    failures: Vec<Failure>,
    /// Identities that peers proved lately, the newest last.
    identities: Vec<(IpAddr, Untrusted)>,
    /// ISAKMP SAs of which something was noted and when, the newest last: that the peer complains or says nothing more is no
    /// news then.
    noted: VecDeque<(ConnId, Duration)>,
}

impl Record {
    /// What went wrong, the newest first.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let mut all = self.failures.clone();
        all.sort_by_key(|failure| std::cmp::Reverse(failure.last));
        all
    }

    /// Notes what the engine tells.
    pub(crate) fn event(&mut self, wall: Duration, event: &Event) {
        let Some(path) = event.path else { return };
        let noted = self.noted.iter().rev().find(|(connection, _)| Some(*connection) == event.connection);
        let known = noted.is_some_and(|(_, then)| wall.saturating_sub(*then) < CONSEQUENCES);
        match &event.kind {
            EventKind::Refused(Refusal::NoAnswer { .. } | Refusal::PeerError { .. }) if known => {}
            EventKind::Refused(refusal) if tells_something(refusal) => {
                self.noted_of(wall, event.connection);
                self.note(wall, path, Cause::Refused(refusal.clone()));
            }
            EventKind::XauthRejected { user } => {
                self.noted_of(wall, event.connection);
                self.note(wall, path, Cause::Password(user.clone()));
            }
            EventKind::PeerDead => self.note(wall, path, Cause::Dead),
            EventKind::Phase1Up { identity, .. } => {
                self.identities.retain(|(peer, _)| *peer != path.remote);
                self.identities.push((path.remote, identity.clone()));
                if self.identities.len() > FAILURES {
                    self.identities.remove(0);
                }
            }
            EventKind::ChildUp { .. } => {
                for failure in self.failures.iter_mut().filter(|failure| failure.peer() == path.remote) {
                    failure.solved = Some(wall);
                }
            }
            _ => {}
        }
    }

    /// Notes that the packet path refused a packet of an SA on this path.
    pub(crate) fn packet(&mut self, wall: Duration, path: Path, sa: &ChildSa, refused: Refused) {
        let cause = match refused {
            Refused::Icv => Cause::Integrity { short: false },
            Refused::ShortIcv => Cause::Integrity { short: true },
            Refused::Selector { source, destination } => {
                let inner = (source.into(), destination.into());
                Cause::Outside { inner, agreed: sa.selector, lease: sa.lease }
            }
            Refused::Replay | Refused::Malformed | Refused::Encapsulation => return,
        };
        self.note(wall, path, cause);
    }

    fn noted_of(&mut self, wall: Duration, connection: Option<ConnId>) {
        self.noted.extend(connection.map(|connection| (connection, wall)));
        if self.noted.len() > FAILURES {
            self.noted.pop_front();
        }
    }

    fn note(&mut self, wall: Duration, path: Path, cause: Cause) {
        let same = |known: &Failure| known.peer() == path.remote && cause.repeats(&known.cause);
        if let Some(known) = self.failures.iter_mut().find(|known| same(known)) {
            known.count += 1;
            (known.last, known.path, known.solved) = (wall, path, None);
            return;
        }
        if self.failures.len() >= FAILURES {
            let oldest = self.failures.iter().enumerate().min_by_key(|(_, known)| known.last);
            if let Some((place, _)) = oldest {
                self.failures.swap_remove(place);
            }
        }
        let known = self.identities.iter().find(|(peer, _)| *peer == path.remote);
        let identity = known.map(|(_, identity)| identity.clone());
        self.failures.push(Failure {
            path,
            first: wall,
            last: wall,
            count: 1,
            cause,
            identity,
            solved: None,
        });
    }
}

/// Stray and repeated messages explain nothing.
fn tells_something(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::UnknownCookies | Refusal::MessageIdUsed(_) | Refusal::Fragment | Refusal::XauthFailed
    )
}
