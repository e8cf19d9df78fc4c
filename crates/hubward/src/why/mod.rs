//! Why a tunnel is not up: a bounded record of what went wrong, by peer, and its explanation in words.

mod causes;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use causes::{Explanation, explain};

use hubward_proto::esp::inbound::Refused;
use hubward_proto::ike::event::{Event, EventKind, Untrusted};
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::path::Path;
use std::net::IpAddr;
use std::time::Duration;

/// Failures that are remembered; behind that, whichever did not happen for longest is forgotten.
pub(crate) const FAILURES: usize = 128;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// IKE refused something.
    Refused(Refusal),
    /// A user was refused.
    Password(Untrusted),
    /// Dead peer detection found the peer gone.
    Dead,
    /// Packets of an SA fail in the packet path.
    Packets(Refused),
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
        match &event.kind {
            EventKind::Refused(refusal) if tells_something(refusal) => {
                self.note(wall, path, Cause::Refused(refusal.clone()));
            }
            EventKind::XauthRejected { user } => self.note(wall, path, Cause::Password(user.clone())),
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
    pub(crate) fn packet(&mut self, wall: Duration, path: Path, refused: Refused) {
        if matches!(refused, Refused::Icv | Refused::Selector) {
            self.note(wall, path, Cause::Packets(refused));
        }
    }

    fn note(&mut self, wall: Duration, path: Path, cause: Cause) {
        let same = |known: &Failure| known.peer() == path.remote && known.cause == cause;
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
