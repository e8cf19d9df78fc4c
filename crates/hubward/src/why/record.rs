//! The bounded record of what went wrong, by peer.

use crate::base::store::Rows;
use crate::why::failure::{Cause, Failure};
use crate::why::history::{self, Chronicle, Histories};
use hubward_proto::esp::inbound::Refused;
use hubward_proto::esp::sa::ChildSa;
use hubward_proto::ike::event::{Event, EventKind};
use hubward_proto::ike::explain::Refusal;
use hubward_proto::names::{ConnId, Untrusted};
use hubward_proto::path::Path;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Failures that are remembered; beyond that, the one that has not occurred for the longest time is
/// forgotten.
pub(crate) const FAILURES: usize = 128;

/// For how long the peer's complaint or silence on the same SA is a consequence of a failure:
/// longer than the lifetime of a half-open SA.
const CONSEQUENCES: Duration = Duration::from_secs(90);

/// The record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    failures: Vec<Failure>,
    /// Identities that peers proved lately, the newest last.
    identities: Vec<(IpAddr, Untrusted)>,
    /// ISAKMP SAs with a recorded failure and its time, the newest last: a later complaint or
    /// silence of the peer is not a failure of its own.
    noted: VecDeque<(ConnId, Duration)>,
    histories: Chronicle,
}

impl Record {
    /// What went wrong, the newest first.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let mut all = self.failures.clone();
        all.sort_by_key(|failure| std::cmp::Reverse(failure.last));
        all
    }

    /// What became of each peer.
    pub(crate) fn histories(&self) -> Histories {
        Histories::clone(&self.histories.all)
    }

    /// Takes over what became of peers before a restart.
    pub(crate) fn remember(&mut self, rows: &Rows, wall: Duration) {
        self.histories = Chronicle::load(rows, wall);
    }

    /// What became of peers and is not on the disk yet.
    pub(crate) fn unsaved(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        self.histories.unsaved()
    }

    /// Notes ESP for an SPI that is not known, from an address where a peer was.
    pub(crate) fn stray(&mut self, wall: Duration, peer: IpAddr, spi: u32) {
        history::stray(&mut self.histories, wall, peer, spi);
    }

    /// Records an event of the engine.
    pub(crate) fn event(&mut self, wall: Duration, event: &Event) {
        history::event(&mut self.histories, wall, event);
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

    pub(super) fn note(&mut self, wall: Duration, path: Path, cause: Cause) {
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
