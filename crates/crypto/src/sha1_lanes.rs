//! HMAC-SHA1 of many messages at once, each under its key: each step of the hash depends on the one
//! before it, so the processor works on other messages in the meantime.

#[cfg(target_arch = "x86_64")]
use crate::midstate::{End, bytes};
use crate::midstate::{Midstates, SHA1};
use std::sync::atomic::{AtomicU8, Ordering};

/// The most messages that go together.
pub(crate) const MOST: usize = 16;

/// What does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Lanes {
    /// One message after the other: on every processor.
    One = 1,
    /// Two, with the SHA instructions.
    #[cfg(target_arch = "x86_64")]
    Two,
    /// Sixteen, in AVX-512 registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The number of the one that was chosen, or zero.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Lanes {
    /// All that this processor has, the narrowest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let more = [
            (Self::Two, crate::simd::sha1_two::is_there()),
            (Self::Avx512, crate::simd::sha1_avx512::is_there()),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let more: [(Self, bool); 0] = [];
        std::iter::once(Self::One).chain(more.into_iter().filter(|(_, there)| *there).map(|(lanes, _)| lanes))
    }

    /// The one that was chosen, or else the widest.
    pub(crate) fn chosen() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        let known = || Self::available().find(|lanes| *lanes as u8 == chosen);
        known().or_else(|| Self::available().last()).unwrap_or(Self::One)
    }

    /// Takes this one from now on.
    pub(crate) fn choose(self) {
        CHOSEN.store(self as u8, Ordering::Relaxed);
    }

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "one by one",
            #[cfg(target_arch = "x86_64")]
            Self::Two => "two messages at once",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "sixteen messages at once (AVX-512)",
        }
    }
}

/// Fewer messages than this are processed in pairs: laying out the lanes costs more than it saves.
#[cfg(target_arch = "x86_64")]
const WIDE_FROM: usize = 5;

/// HMAC-SHA1 of each message under its key, in their order.
pub(crate) fn sign(lanes: Lanes, messages: &[(&Midstates<5>, &[u8])], mut done: impl FnMut(&[u8])) {
    match lanes {
        #[cfg(target_arch = "x86_64")]
        Lanes::Avx512 if messages.len() >= WIDE_FROM => {
            messages.chunks(MOST).for_each(|messages| together(messages, wide, &mut done));
        }
        #[cfg(target_arch = "x86_64")]
        Lanes::Two | Lanes::Avx512 if messages.len() > 1 => {
            messages.chunks(2).for_each(|messages| together(messages, two, &mut done));
        }
        _ => messages.iter().for_each(|(key, message)| done(&key.sign(SHA1, &[message]))),
    }
}

/// A message under way: the state, the blocks that are still to be done, and which message it is.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Lane<'a> {
    state: [u32; 5],
    blocks: &'a [[u8; 64]],
    place: usize,
}

/// No more than `N` messages; `side_by_side` does what it can of the blocks.
#[cfg(target_arch = "x86_64")]
fn together<const N: usize>(
    messages: &[(&Midstates<5>, &[u8])],
    side_by_side: fn(&mut [Lane<'_>; N]),
    done: &mut impl FnMut(&[u8]),
) {
    // what follows each message's whole blocks, then what follows the key's block and the inner
    // hash
    let mut ends = [const { End::NONE }; N];
    for (end, (_, message)) in ends.iter_mut().zip(messages) {
        *end = End::new(message.as_chunks::<64>().1, 64 + message.len());
    }
    let starts = messages.iter().map(|(key, message)| (key.inner, message.as_chunks::<64>().0));
    let states = go_on(side_by_side, starts);
    let states = go_on(side_by_side, states.into_iter().zip(ends.iter().map(End::blocks)));
    for (end, state) in ends.iter_mut().zip(states).take(messages.len()) {
        *end = End::new(bytes(state).as_flattened(), 64 + 20);
    }
    let starts = messages.iter().zip(&ends).map(|((key, _), end)| (key.outer, end.blocks()));
    let states = go_on(side_by_side, starts);
    states.into_iter().take(messages.len()).for_each(|state| done(bytes(state).as_flattened()));
}

/// Each state after the blocks that follow it.
#[cfg(target_arch = "x86_64")]
fn go_on<'a, const N: usize>(
    side_by_side: fn(&mut [Lane<'_>; N]),
    starts: impl Iterator<Item = ([u32; 5], &'a [[u8; 64]])>,
) -> [[u32; 5]; N] {
    let mut under_way = [Lane { state: [0; 5], blocks: &[], place: N }; N];
    for (place, (lane, (state, blocks))) in under_way.iter_mut().zip(starts).enumerate() {
        *lane = Lane { state, blocks, place };
    }
    side_by_side(&mut under_way);
    let mut states = [[0; 5]; N];
    for mut lane in under_way {
        if !lane.blocks.is_empty() {
            (SHA1.compress)(&mut lane.state, lane.blocks);
        }
        if let Some(state) = states.get_mut(lane.place) {
            *state = lane.state;
        }
    }
    states
}

/// As far as both reach.
#[cfg(target_arch = "x86_64")]
fn two(pair: &mut [Lane<'_>; 2]) {
    let [first, second] = pair;
    let common = first.blocks.len().min(second.blocks.len());
    let mut states = [first.state, second.state];
    if common > 0 && crate::simd::sha1_two::compress_here(&mut states, [first.blocks, second.blocks]) {
        for (lane, state) in pair.iter_mut().zip(states) {
            lane.state = state;
            lane.blocks = lane.blocks.get(common..).unwrap_or_default();
        }
    }
}

/// As far as enough of them reach: the places of those that have ended stay empty.
#[cfg(target_arch = "x86_64")]
fn wide(lanes: &mut [Lane<'_>; MOST]) {
    // the longest come first, and so do those that are not finished
    lanes.sort_unstable_by_key(|lane| std::cmp::Reverse(lane.blocks.len()));
    loop {
        let going = lanes.iter().take_while(|lane| !lane.blocks.is_empty()).count();
        let (going, _) = lanes.split_at_mut(going);
        let ([first, ..], Some(common)) = (&*going, going.last().map(|last| last.blocks.len())) else {
            return;
        };
        // an empty place does the first one's blocks, to no end
        let mut messages = [first.blocks; MOST];
        let mut states = [[0; MOST]; 5];
        for (place, (lane, message)) in going.iter().zip(&mut messages).enumerate() {
            *message = lane.blocks;
            for (words, word) in states.iter_mut().zip(lane.state) {
                words.get_mut(place).into_iter().for_each(|to| *to = word);
            }
        }
        if going.len() < WIDE_FROM || !crate::simd::sha1_avx512::compress_here(&mut states, &messages) {
            return;
        }
        for (place, lane) in going.iter_mut().enumerate() {
            lane.state = states.map(|words| words.get(place).copied().unwrap_or_default());
            lane.blocks = lane.blocks.get(common..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Each number of messages, of lengths of all kinds, each under a key of its own, against one
    /// after the other.
    #[test]
    fn every_number_of_messages() {
        let mut random = Random::new([4; 32]);
        let mut bytes = [0; 2200];
        random.fill(&mut bytes);
        let keys: Vec<Midstates<5>> = (0..=40).map(|key| Midstates::new(SHA1, [key; 64])).collect();
        for lanes in Lanes::available() {
            for count in 0..=40 {
                for try_ in 0..8 {
                    let lengths: Vec<usize> = (0..count)
                        .map(|_| {
                            let mut dice = [0; 2];
                            random.fill(&mut dice);
                            // all alike, a mix of few, and anything
                            match try_ {
                                0..5 => [0, 55, 56, 64, 1400][try_],
                                5 => [100, 1400][usize::from(dice[0] % 2)],
                                _ => usize::from(u16::from_ne_bytes(dice)) % 700,
                            }
                        })
                        .collect();
                    let messages: Vec<(&Midstates<5>, &[u8])> = keys
                        .iter()
                        .zip(&lengths)
                        .map(|(key, length)| (key, &bytes[*length / 2..][..*length]))
                        .collect();
                    let mut signed = Vec::new();
                    sign(lanes, &messages, |digest| signed.push(digest.to_vec()));
                    let expected: Vec<Vec<u8>> =
                        messages.iter().map(|(key, message)| key.sign(SHA1, &[message]).to_vec()).collect();
                    assert_eq!(signed, expected, "{lanes:?}, {lengths:?}");
                }
            }
        }
    }
}
