//! Quick modes that wait because as many as may be are in progress: a branch with a hundred lines
//! begins a hundred at once. Nothing is lost and nothing is answered twice; what waits is bounded.

use crate::ike::explain::Refusal;
use crate::ike::tables::child::PendingChild;
use crate::limits;
use crate::path::Path;
use crate::wire::isakmp::Header;
use std::collections::VecDeque;

/// A message 1 of the peer whose HASH has verified.
pub(crate) struct Begun {
    pub(crate) path: Path,
    pub(crate) header: Header,
    pub(crate) body: Vec<u8>,
}

/// What waits on an ISAKMP SA, oldest first.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) begun: VecDeque<Begun>,
    pub(crate) wanted: VecDeque<PendingChild>,
}

impl Waiting {
    /// A message of the peer waits; its repetition does not wait beside it. If as many wait as may,
    /// the peer must repeat it.
    pub(crate) fn begin(&mut self, begun: Begun) -> Result<(), Refusal> {
        if self.begun.iter().any(|other| other.header.message_id == begun.header.message_id) {
            return Ok(());
        }
        let bytes: usize = self.begun.iter().map(|begun| begun.body.len()).sum();
        if self.begun.len() >= limits::QUICK_MODES_WAITING
            || bytes + begun.body.len() > limits::QUICK_MODE_BYTES_WAITING
        {
            return Err(Refusal::TooMany);
        }
        self.begun.push_back(begun);
        Ok(())
    }

    /// A child SA that we want waits. One that is wanted already does not wait twice.
    pub(crate) fn want(&mut self, child: PendingChild) -> Result<(), Refusal> {
        if self.wanted.iter().any(|other| other.is_like(&child)) {
            return Ok(());
        }
        if self.wanted.len() >= limits::CHILDREN_PENDING {
            return Err(Refusal::TooMany);
        }
        self.wanted.push_back(child);
        Ok(())
    }

    /// The paths of the peer's messages.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut Path> {
        self.begun.iter_mut().map(|begun| &mut begun.path)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::selector::{AddressRange, Selector};
    use crate::names::{InterfaceId, Service, VrfId};
    use crate::path::Encapsulation;
    use crate::wire::isakmp::Cookie;
    use std::net::{IpAddr, Ipv4Addr};

    fn begun(message_id: u32, bytes: usize) -> Begun {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let path = Path {
            local: address,
            local_port: 500,
            remote: address,
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let header = Header {
            initiator: Cookie::ZERO,
            responder: Cookie::ZERO,
            first: 8,
            exchange: 32,
            flags: 1,
            message_id: 0,
        };
        Begun { path, header: Header { message_id, ..header }, body: vec![0; bytes] }
    }

    /// A branch repeats each of its messages before there is room: none of them loses its place.
    #[test]
    fn a_repetition_takes_no_other_messages_place() {
        let mut waiting = Waiting::default();
        for _ in 0..3 {
            for message_id in 1..=limits::QUICK_MODES_WAITING as u32 {
                assert_eq!(waiting.begin(begun(message_id, 100)), Ok(()), "{message_id}");
            }
        }
        assert_eq!(waiting.begun.len(), limits::QUICK_MODES_WAITING);
        assert_eq!(waiting.begin(begun(u32::MAX, 100)), Err(Refusal::TooMany));
    }

    /// Few long messages are as many bytes as many short ones.
    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let mut waiting = Waiting::default();
        let half = limits::QUICK_MODE_BYTES_WAITING / 2;
        assert_eq!(waiting.begin(begun(1, half)), Ok(()));
        assert_eq!(waiting.begin(begun(2, half + 1)), Err(Refusal::TooMany));
        assert_eq!(waiting.begin(begun(2, half)), Ok(()));
        assert_eq!(waiting.begin(begun(3, 1)), Err(Refusal::TooMany));
        assert_eq!(waiting.begun.len(), 2);
    }

    /// What is wanted twice waits once.
    #[test]
    fn wishes_are_bounded() {
        let mut waiting = Waiting::default();
        let host = |last: u32| AddressRange::host(IpAddr::V4(Ipv4Addr::from(last)));
        let child = |last: u32| PendingChild {
            service: Service::Client("work".into()),
            selector: Selector::between(host(1), host(last)),
            replaces: None,
            unanswered: 0,
        };
        for last in 0..limits::CHILDREN_PENDING as u32 {
            assert_eq!(waiting.want(child(last)), Ok(()));
            assert_eq!(waiting.want(child(last)), Ok(()));
        }
        assert_eq!(waiting.wanted.len(), limits::CHILDREN_PENDING);
        assert_eq!(waiting.want(child(u32::MAX)), Err(Refusal::TooMany));
    }
}
