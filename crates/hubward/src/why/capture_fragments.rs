//! The IP fragments of a capture are put together (RFC 791 section 3.2), so that an IKE message in
//! several of them is read as one. Memory is bounded, and fragments that overlap are refused.

use hubward_proto::wire::ip::Ipv4;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Datagrams that may be incomplete at one time; the oldest gives way.
const DATAGRAMS: usize = 256;
/// No datagram is longer.
const LONGEST: usize = 65_535;
/// After this time, a fragment with the same number belongs to another datagram.
const PATIENCE: Duration = Duration::from_secs(30);

/// What makes fragments parts of one datagram; they are all of UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    id: u16,
}

/// A datagram of which fragments were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    key: Key,
    /// When its first fragment was recorded, and in which frame.
    pub(super) time: Duration,
    pub(super) frame: u64,
    /// By where they begin.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Where the last one ends, once that is known.
    end: Option<usize>,
    /// A fragment was truncated when it was captured.
    pub(super) cut: bool,
    /// Fragments of it overlap: it is worth nothing.
    pub(super) overlaps: bool,
}

impl Datagram {
    pub(super) fn source(&self) -> Ipv4Addr {
        self.key.source
    }

    pub(super) fn destination(&self) -> Ipv4Addr {
        self.key.destination
    }

    /// What there is from the beginning to the first gap, unless it overlaps. It is empty when the
    /// first fragment is missing.
    pub(super) fn beginning(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (begin, piece) in self.pieces.iter().filter(|_| !self.overlaps) {
            if *begin != bytes.len() {
                break;
            }
            bytes.extend(piece);
        }
        bytes
    }

    fn whole(&self) -> bool {
        let held: usize = self.pieces.values().map(Vec::len).sum();
        // they do not overlap, and none begins or ends behind the end
        !self.overlaps && self.end == Some(held)
    }

    fn take(&mut self, piece: &Piece<'_>) {
        let (begin, end) = (piece.begin, piece.begin + piece.bytes.len());
        // the same fragment again: recorded at two places, or sent twice by a link
        if self.pieces.get(&begin).is_some_and(|known| known == piece.bytes) {
            return;
        }
        let before = self.pieces.range(..=begin).next_back().map_or(0, |(at, bytes)| at + bytes.len());
        let after = self.pieces.range(begin..).next().map_or(LONGEST, |(at, _)| *at);
        let other_end = match (piece.last, self.end) {
            (true, Some(known)) => known != end,
            (true, None) => self.pieces.iter().any(|(at, bytes)| at + bytes.len() > end),
            (false, Some(known)) => end > known,
            (false, None) => false,
        };
        if before > begin || end > after || other_end {
            self.overlaps = true;
            self.pieces.clear();
        }
        if self.overlaps {
            return;
        }
        self.cut |= piece.cut;
        if piece.last && !piece.cut {
            self.end = Some(end);
        }
        self.pieces.insert(begin, piece.bytes.to_vec());
    }
}

/// One fragment.
pub(super) struct Piece<'a> {
    key: Key,
    begin: usize,
    last: bool,
    bytes: &'a [u8],
    cut: bool,
}

impl<'a> Piece<'a> {
    /// Takes a packet as a fragment; `None` if it is a whole one.
    pub(super) fn of(packet: &Ipv4<'a>, cut: bool) -> Option<Self> {
        let [_, _, _, _, id_high, id_low, high, low] = *packet.bytes().first_chunk::<8>()?;
        let begin = usize::from(u16::from_be_bytes([high & 0x1f, low])) * 8;
        let more = high & 0x20 != 0;
        let id = u16::from_be_bytes([id_high, id_low]);
        let key = Key { source: packet.source(), destination: packet.destination(), id };
        (more || begin > 0).then(|| Self { key, begin, last: !more, bytes: packet.payload(), cut })
    }

    /// A fragment that ends behind the longest datagram, or that is none: all but the last are
    /// multiples of 8 bytes.
    fn nonsense(&self) -> bool {
        let uneven = !self.last && !self.cut && !self.bytes.len().is_multiple_of(8);
        self.bytes.is_empty() || uneven || self.begin + self.bytes.len() > LONGEST
    }
}

/// What a fragment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// More are needed.
    Waiting,
    /// The datagram is whole.
    Whole(Datagram),
    /// This one was given up, because it waited too long or too many wait.
    GivenUp(Datagram),
}

/// The datagrams that are incomplete, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragments {
    waiting: VecDeque<Datagram>,
}

impl Fragments {
    /// Takes a fragment.
    pub(super) fn take(&mut self, time: Duration, frame: u64, piece: &Piece<'_>) -> Joined {
        if piece.nonsense() {
            return Joined::Waiting;
        }
        let mut given_up = None;
        let mut place = self.waiting.iter().rposition(|known| known.key == piece.key);
        if let Some(old) = place
            && self.waiting.get(old).is_some_and(|known| time > known.time.saturating_add(PATIENCE))
        {
            given_up = self.waiting.remove(old);
            place = None;
        }
        let place = place.unwrap_or_else(|| {
            if self.waiting.len() >= DATAGRAMS {
                given_up = given_up.take().or_else(|| self.waiting.pop_front());
            }
            let (key, pieces) = (piece.key, BTreeMap::new());
            let (end, cut, overlaps) = (None, false, false);
            self.waiting.push_back(Datagram { key, time, frame, pieces, end, cut, overlaps });
            self.waiting.len() - 1
        });
        if let Some(datagram) = self.waiting.get_mut(place) {
            datagram.take(piece);
            if datagram.whole() {
                // with one fragment, nothing was given up: a datagram of one is no fragment
                return self.waiting.remove(place).map_or(Joined::Waiting, Joined::Whole);
            }
        }
        given_up.map_or(Joined::Waiting, Joined::GivenUp)
    }

    /// What is still incomplete at the end of the file.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = Datagram> + '_ {
        self.waiting.drain(..)
    }
}
