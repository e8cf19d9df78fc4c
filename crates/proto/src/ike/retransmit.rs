//! Repetition of unanswered messages by the initiator of an exchange; the time between two
//! transmissions doubles up to a bound, so that an exchange continues soon after an interruption of
//! the path, however long that was.

use crate::limits;
use crate::path::Path;
use crate::time::Instant;
use std::time::Duration;

/// A message that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Retransmit {
    /// Where it goes.
    pub(crate) path: Path,
    /// The message.
    pub(crate) bytes: Vec<u8>,
    sent: u32,
    wait: Duration,
    next: Instant,
}

/// What is due for an unanswered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Not yet.
    Wait,
    /// Send again.
    Resend,
    /// It was sent as often as it may be.
    GiveUp,
}

impl Retransmit {
    /// The message was sent once, now.
    pub(crate) fn sent(path: Path, bytes: Vec<u8>, now: Instant) -> Self {
        let wait = limits::FIRST_RETRANSMIT;
        Self { path, bytes, sent: 1, wait, next: now + wait }
    }

    /// When a repetition is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// What is due now; counts a transmission if it returns [`Due::Resend`].
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        if now < self.next {
            return Due::Wait;
        }
        if self.sent == limits::SENDINGS {
            return Due::GiveUp;
        }
        self.sent += 1;
        self.wait = (self.wait * 2).min(limits::LAST_RETRANSMIT);
        self.next = now + self.wait;
        Due::Resend
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{InterfaceId, VrfId};
    use crate::path::Encapsulation;

    /// Fifteen transmissions, five of them in the first ten seconds and then one every five seconds;
    /// the message is given up after 62.5 seconds.
    #[test]
    fn fifteen_sendings() {
        let address = "192.0.2.1".parse().unwrap();
        let path = Path {
            local: address,
            local_port: 500,
            remote: address,
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let mut message = Retransmit::sent(path, vec![1], Instant::ORIGIN);
        let mut sendings = vec![Duration::ZERO];
        loop {
            let now = message.deadline();
            match message.poll(now) {
                Due::Resend => sendings.push(now.since_origin()),
                Due::GiveUp => {
                    assert_eq!((sendings.len(), now.since_origin()), (15, Duration::from_millis(62_500)));
                    let early = sendings.iter().filter(|at| **at < limits::REPEATED_TIME);
                    assert_eq!(early.count(), usize::from(limits::REPEATED_ANSWERS));
                    let gaps = sendings.windows(2).map(|pair| pair[1] - pair[0]);
                    assert_eq!(gaps.max(), Some(limits::LAST_RETRANSMIT));
                    return;
                }
                Due::Wait => panic!("the deadline is due"),
            }
        }
    }
}
