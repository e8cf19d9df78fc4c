//! Fragmented messages: Cisco's and Microsoft's IKE fragmentation for IKEv1
//! (draft-ietf-ipsecme-ikev1-fragmentation, payload 132).
//!
//! ```text
//!   header, next payload 132 | generic header | fragment id (2) | index from 1 (1) | flags, 1 = last (1) | part of the message
//! ```
//!
//! Fragments are not authenticated. So they are bounded in number, bytes and time, and are
//! collected only for an existing SA. Only one message at a time is collected, because Libreswan
//! gives all its messages the same id.

use crate::ike::engine::Engine;
use crate::ike::explain::Refusal;
use crate::ike::sa::IsakmpSa;
use crate::limits;
use crate::path::Path;
use crate::time::Instant;
use crate::wire::isakmp::{Chain, Header};
use crate::wire::reader::Reader;
use crate::wire::registry::payload;
use std::collections::BTreeMap;

const LAST: u8 = 1;

/// The fragments of one message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
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

impl Engine {
    /// A fragment for an existing SA; returns the message if this fragment completes it.
    pub(super) fn fragment(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let now = self.now;
        let whole = Chain::parse(header.first, body)
            .map_err(Refusal::from)
            .and_then(|chain| chain.only(payload::FRAGMENT).ok_or(Refusal::Fragment))
            .and_then(|piece| sa.pieces.add(piece, now));
        match whole {
            Ok(whole) => {
                let inner = whole.as_deref().and_then(|whole| Header::parse(whole).ok());
                let fits = inner.is_none_or(|(inner, _)| inner.first != payload::FRAGMENT);
                whole.filter(|_| fits)
            }
            Err(refusal) => {
                self.refuse(Some(sa), path, refusal);
                None
            }
        }
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
}
