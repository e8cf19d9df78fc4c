//! The sum under the Internet checksum (RFC 1071). It keeps no secret; it is here because the fast
//! way to it is with instructions of the processor, which are this crate's to use.

/// The sum of 32-bit words in the machine's byte order, the last one filled up with zeros: in one's
/// complement, and halved often enough, it is that of 16-bit words. Of no more than 2^32 bytes.
#[inline]
pub fn of_words(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut sum = if blocks.is_empty() { 0 } else { of_blocks(blocks) };
    let (pairs, rest) = rest.as_chunks::<8>();
    for pair in pairs {
        let both = u64::from_ne_bytes(*pair);
        sum += (both & 0xffff_ffff) + (both >> 32);
    }
    let (word, rest) = rest.as_chunks::<4>();
    sum += word.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum::<u64>();
    match *rest {
        [a] => sum + u64::from(u32::from_ne_bytes([a, 0, 0, 0])),
        [a, b] => sum + u64::from(u32::from_ne_bytes([a, b, 0, 0])),
        [a, b, c] => sum + u64::from(u32::from_ne_bytes([a, b, c, 0])),
        _ => sum,
    }
}

fn of_blocks(blocks: &[[u8; 64]]) -> u64 {
    // a header is no longer than this, and is summed before the vector units are warm
    #[cfg(target_arch = "x86_64")]
    if blocks.len() > 1
        && let Some(sum) = crate::simd::sum_avx2::sum_here(blocks)
    {
        return sum;
    }
    portable(blocks)
}

fn portable(blocks: &[[u8; 64]]) -> u64 {
    let fold = |sum: u64| (sum & 0xffff_ffff) + (sum >> 32);
    let add = |block: &[u8; 64]| {
        // a chain of additions with carry, which is as fast as small vectors and wants none
        let (words, _) = block.as_chunks::<8>();
        let (total, carry) = words
            .iter()
            .fold((0u64, false), |(total, carry), word| total.carrying_add(u64::from_ne_bytes(*word), carry));
        fold(total) + u64::from(carry)
    };
    blocks.iter().map(add).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length, beginning at every place, against the plain way.
    #[test]
    fn sums_are_those_of_the_plain_way() {
        let fold = |mut sum: u64| {
            while sum >> 16 != 0 {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            sum
        };
        let bytes: Vec<u8> = (0..600u32).map(|byte| (byte * 151 + byte / 7) as u8 | 0x81).collect();
        for start in 0..8 {
            for end in start..bytes.len() {
                let plain: u64 = bytes[start..end]
                    .chunks(2)
                    .map(|pair| u64::from(u16::from_ne_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
                    .sum();
                assert_eq!(fold(of_words(&bytes[start..end])), fold(plain), "{start}..{end}");
                let blocks = bytes[start..end].as_chunks::<64>().0;
                assert_eq!(fold(portable(blocks)), fold(of_blocks(blocks)), "{start}..{end}");
            }
        }
        assert_eq!(fold(of_words(&[0xff; 65_534])), 0xffff, "the most that a packet can have");
    }
}
