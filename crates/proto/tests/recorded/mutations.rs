//! Two thousand mutated messages, always the same ones: half of them changed on the wire, as a
//! stranger does it, half changed before they are sealed, as a peer with the right key does it. A
//! line is the digest of what fifty of them did.

use super::digest;
use super::golden;
use super::stories;
use super::story::Point;
use hubward_crypto::random::Random;

const CASES: usize = 2_000;
const BLOCK: usize = 50;

fn below(random: &mut Random, end: usize) -> usize {
    random.u32() as usize % end.max(1)
}

/// One to four things wrong.
fn mutated(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len());
        let end = bytes.len().min(at + 1 + below(random, 8));
        match below(random, 7) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (end % 8)),
            1 => {
                let value = [0, 1, 4, 0x7f, 0x80, 0xff][below(random, 6)];
                bytes.iter_mut().take(end).skip(at).for_each(|byte| *byte = value);
            }
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let new: Vec<u8> = (at..end).map(|_| (random.u32() & 0xff) as u8).collect();
                bytes.splice(at..at, new);
            }
            4 => {
                let copy = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => bytes.truncate(at),
            // a payload's length, or one beside it
            _ => {
                let length = (bytes.len() - at + below(random, 5)).saturating_sub(2);
                let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
                bytes.iter_mut().skip(at).zip(length).for_each(|(place, byte)| *place = byte);
            }
        }
    }
    bytes
}

/// The header's length becomes that of the message.
fn with_length(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    if let Some(place) = bytes.get_mut(24..28) {
        place.copy_from_slice(&length);
    }
    bytes
}

fn case(random: &mut Random, points: &[Point], number: usize) -> String {
    let point = &points[below(random, points.len())];
    let datagram = if number.is_multiple_of(2) {
        let bytes = mutated(random, point.next.bytes());
        // every fourth keeps its wrong length
        if below(random, 4) == 0 { bytes } else { with_length(bytes) }
    } else {
        let plain = mutated(random, point.next.plain());
        point.next.sealed_plain(plain).0
    };
    format!("{} | {}", point.name, point.effect(&datagram))
}

#[test]
fn two_thousand_mutated_messages() {
    let points = stories::all();
    let mut random = Random::new([7; 32]);
    let mut lines = Vec::new();
    for first in (0..CASES).step_by(BLOCK) {
        let effects: Vec<_> =
            (first..first + BLOCK).map(|number| case(&mut random, &points, number)).collect();
        let refused = effects.iter().filter(|effect| effect.contains("refuses")).count();
        let digest = digest(&[effects.join("\n").as_bytes()]);
        lines.push(format!("cases {first:04} to {:04} | {refused} refused | {digest}", first + BLOCK - 1));
    }
    golden::compare("recorded/golden/mutations.txt", &lines);
}
