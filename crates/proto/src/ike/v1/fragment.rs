//! Fragmented messages: Cisco's and Microsoft's IKE fragmentation for IKEv1
//! (draft-ietf-ipsecme-ikev1-fragmentation, payload 132).
//!
//! ```text
//!   header, next payload 132 | generic header | fragment id (2) | index from 1 (1) | flags, 1 = last (1) | part of the message
//! ```
//!
//! Fragments are not authenticated. So they are collected only for an SA whose cookies they carry,
//! which only the peer and those on the path know, and are bounded in number, bytes and time, for
//! each SA and in total. Only one message at a time is collected for an SA, because Libreswan gives
//! all its messages the same id.

use crate::ike::explain::Refusal;
use crate::limits;
use crate::names::ConnId;
use crate::time::Instant;
use crate::wire::reader::Reader;
use std::collections::{BTreeMap, BTreeSet};

const LAST: u8 = 1;

/// What a fragment takes besides its bytes.
const OVERHEAD: usize = 64;

/// The fragments of one message.
#[derive(Clone, Debug, Default)]
struct Pieces {
    id: u16,
    since: Instant,
    last: Option<u8>,
    parts: BTreeMap<u8, Vec<u8>>,
}

impl Pieces {
    /// Takes the body of a fragment payload; returns the message once it is complete.
    fn add(&mut self, body: &[u8], now: Instant) -> Result<Option<Vec<u8>>, Refusal> {
        let mut reader = Reader::new("a fragment", body);
        let (id, index, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let piece = reader.rest();
        if index == 0 || usize::from(index) > limits::FRAGMENTS || piece.is_empty() {
            return Err(Refusal::Fragment);
        }
        let of_another = self.parts.get(&index).is_some_and(|known| known != piece);
        if self.id != id || of_another || now.since(self.since) > limits::FRAGMENT_TIME {
            *self = Self { id, since: now, ..Self::default() };
        }
        let known: usize = self.parts.values().map(Vec::len).sum();
        if known + piece.len() > limits::MESSAGE_BYTES {
            *self = Self::default();
            return Err(Refusal::Fragment);
        }
        // a repetition changes nothing
        self.parts.insert(index, piece.to_vec());
        if flags & LAST != 0 {
            self.last = Some(index);
        }
        if self.last.map(usize::from) != Some(self.parts.len())
            || self.parts.keys().max() != self.last.as_ref()
        {
            return Ok(None);
        }
        Ok(Some(std::mem::take(self).parts.into_values().flatten().collect()))
    }
}

/// SAs whose fragments compete for the same bytes: those of established SAs are not dropped for
/// those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    HalfOpen,
    Established,
}

/// The incomplete messages of all SAs, one for each.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    of: BTreeMap<ConnId, (Class, Pieces)>,
    by_age: BTreeSet<(Class, Instant, ConnId)>,
    bytes: BTreeMap<Class, usize>,
}

impl Pieces {
    /// The memory that they take, about.
    fn cost(&self) -> usize {
        self.parts.values().map(|part| part.len() + OVERHEAD).sum()
    }
}

impl Fragments {
    /// Takes the body of a fragment payload for an SA; returns the message once it is complete.
    pub(crate) fn add(
        &mut self,
        id: ConnId,
        class: Class,
        body: &[u8],
        now: Instant,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut pieces = self.take(id).unwrap_or_default();
        let added = pieces.add(body, now);
        if !pieces.parts.is_empty() {
            self.put(id, class, pieces, now);
        }
        added
    }

    fn take(&mut self, id: ConnId) -> Option<Pieces> {
        let (class, pieces) = self.of.remove(&id)?;
        self.by_age.remove(&(class, pieces.since, id));
        if let Some(bytes) = self.bytes.get_mut(&class) {
            *bytes = bytes.saturating_sub(pieces.cost());
        }
        Some(pieces)
    }

    /// Keeps an incomplete message; those that have become too old, and if need be the oldest, make
    /// room.
    fn put(&mut self, id: ConnId, class: Class, pieces: Pieces, now: Instant) {
        let cost = pieces.cost();
        loop {
            let oldest = self.by_age.range((class, Instant::ORIGIN, ConnId(0))..).next().copied();
            let Some((_, since, oldest)) = oldest.filter(|(of, ..)| *of == class) else { break };
            let used = self.bytes.get(&class).copied().unwrap_or_default();
            if now.since(since) <= limits::FRAGMENT_TIME && used + cost <= limits::FRAGMENTS_BYTES {
                break;
            }
            self.take(oldest);
        }
        self.by_age.insert((class, pieces.since, id));
        *self.bytes.entry(class).or_default() += cost;
        self.of.insert(id, (class, pieces));
    }

    /// The SA is gone.
    pub(crate) fn forget(&mut self, id: ConnId) {
        self.take(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Instant = Instant::from_origin(Duration::from_secs(100));

    fn piece(id: u16, index: u8, flags: u8, bytes: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &[index, flags], bytes].concat()
    }

    /// Fragments in any order, each any number of times, and with the same id for the next message.
    #[test]
    fn order_and_repetitions_do_not_matter() {
        let mut pieces = Pieces::default();
        for text in [b"abcdef", b"ghijkl"] {
            let parts = [piece(1, 1, 0, &text[..2]), piece(1, 2, 0, &text[2..4]), piece(1, 3, 1, &text[4..])];
            for index in [2, 0, 2, 0] {
                assert_eq!(pieces.add(&parts[index], NOW).unwrap(), None);
            }
            assert_eq!(pieces.add(&parts[1], NOW).unwrap().unwrap(), text);
        }
    }

    /// A message that was never complete is not mixed with the next one.
    #[test]
    fn half_a_message_is_forgotten() {
        let mut pieces = Pieces::default();
        pieces.add(&piece(1, 1, 0, b"old"), NOW).unwrap();
        assert_eq!(pieces.add(&piece(1, 1, 0, b"new"), NOW).unwrap(), None);
        assert_eq!(pieces.add(&piece(1, 2, 1, b"er"), NOW).unwrap().unwrap(), b"newer");
        pieces.add(&piece(2, 1, 0, b"late"), NOW).unwrap();
        let later = NOW + limits::FRAGMENT_TIME + Duration::from_secs(1);
        assert_eq!(pieces.add(&piece(2, 2, 1, b"r"), later).unwrap(), None);
        assert_eq!(pieces.add(&piece(3, 2, 1, b"r"), later).unwrap(), None);
    }

    #[test]
    fn fragments_limits() {
        let mut pieces = Pieces::default();
        for nonsense in [piece(1, 0, 0, b"a"), piece(1, 1, 0, b""), vec![0, 1, 1], piece(1, 33, 1, b"a")] {
            assert!(pieces.add(&nonsense, NOW).is_err());
        }
        let most = limits::FRAGMENTS as u8;
        for index in 1..most {
            assert_eq!(pieces.add(&piece(1, index, 0, b"a"), NOW).unwrap(), None);
        }
        assert_eq!(pieces.add(&piece(1, most, 1, b"a"), NOW).unwrap().unwrap().len(), limits::FRAGMENTS);
        let half = vec![0; limits::MESSAGE_BYTES / 2];
        assert_eq!(pieces.add(&piece(1, 1, 0, &half), NOW).unwrap(), None);
        assert!(pieces.clone().add(&piece(1, 2, 1, &half), NOW).unwrap().is_some());
        assert_eq!(pieces.add(&piece(1, 2, 1, &[&half[..], b"x"].concat()), NOW), Err(Refusal::Fragment));
        assert!(pieces.parts.is_empty());
    }

    /// A fragment after the last one keeps the message from being complete.
    #[test]
    fn pieces_behind_the_last() {
        let mut pieces = Pieces::default();
        pieces.add(&piece(1, 3, 0, b"c"), NOW).unwrap();
        pieces.add(&piece(1, 1, 0, b"a"), NOW).unwrap();
        assert_eq!(pieces.add(&piece(1, 2, 1, b"b"), NOW).unwrap(), None);
    }

    fn part(bytes: usize) -> Vec<u8> {
        piece(1, 1, 0, &vec![0; bytes])
    }

    /// However many SAs collect fragments, they take a bounded number of bytes: the oldest make
    /// room. Those of established SAs do not compete with the others.
    #[test]
    fn all_fragments_together_are_bounded() {
        let mut fragments = Fragments::default();
        let most = u32::try_from(limits::FRAGMENTS_BYTES / (8192 + OVERHEAD)).unwrap();
        assert_eq!(fragments.add(ConnId(1), Class::Established, &part(8192), NOW), Ok(None));
        for id in 2..5000 {
            let now = NOW + Duration::from_millis(id.into());
            assert_eq!(fragments.add(ConnId(id), Class::HalfOpen, &part(8192), now), Ok(None));
            assert!(fragments.bytes[&Class::HalfOpen] <= limits::FRAGMENTS_BYTES);
        }
        assert_eq!(fragments.of.len(), 1 + most as usize);
        assert!(fragments.of.contains_key(&ConnId(1)) && fragments.of.contains_key(&ConnId(4999)));
        assert!(!fragments.of.contains_key(&ConnId(4999 - most)));
        // what nobody completes is forgotten when others come
        let later = NOW + Duration::from_secs(60);
        assert_eq!(fragments.add(ConnId(5000), Class::HalfOpen, &part(1), later), Ok(None));
        assert_eq!(fragments.of.len(), 2);
        fragments.forget(ConnId(5000));
        fragments.forget(ConnId(1));
        assert!(fragments.of.is_empty() && fragments.by_age.is_empty());
        assert!(fragments.bytes.values().all(|bytes| *bytes == 0));
    }

    /// A message is complete in an SA's own fragments only.
    #[test]
    fn fragments_of_several_sas_do_not_mix() {
        let mut fragments = Fragments::default();
        let mut add = |id, index, last, text: &[u8]| {
            fragments.add(ConnId(id), Class::HalfOpen, &piece(1, index, last, text), NOW).unwrap()
        };
        assert_eq!(add(1, 1, 0, b"one "), None);
        assert_eq!(add(2, 1, 0, b"two "), None);
        assert_eq!(add(2, 2, 1, b"three").unwrap(), b"two three");
        assert_eq!(add(1, 2, 1, b"four").unwrap(), b"one four");
        assert!(fragments.of.is_empty() && fragments.bytes.values().all(|bytes| *bytes == 0));
    }
}
