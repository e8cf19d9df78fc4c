//! AES-CBC encryption of several packets at once: each block of a packet waits for the one before
//! it, and a processor that is given blocks of other packets meanwhile encrypts several times as
//! fast. How many it takes is the AES implementation's to say, which is chosen for the processor at
//! run time.

use ::cipher::consts::U16;
use ::cipher::typenum::Unsigned as _;
use ::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, ParBlocks,
};

/// Packets encrypted side by side, at most.
const MOST: usize = 64;

/// Encrypts whole blocks in place, each packet under its initialisation vector; bytes after the
/// last whole block do not change.
pub(crate) fn encrypt<'a, C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>>(
    cipher: &C,
    packets: impl Iterator<Item = ([u8; 16], &'a mut [u8])>,
) {
    cipher.encrypt_with_backend(Packets(packets));
}

struct Packets<I>(I);

impl<I> BlockSizeUser for Packets<I> {
    type BlockSize = U16;
}

/// A packet under encryption: what of it is left.
type Lane<'a> = std::slice::IterMut<'a, [u8; 16]>;

impl<'a, I: Iterator<Item = ([u8; 16], &'a mut [u8])>> BlockCipherEncClosure for Packets<I> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let width = B::ParBlocksSize::USIZE.min(MOST);
        let mut packets = self
            .0
            .map(|(iv, data)| (iv, data.as_chunks_mut::<16>().0.iter_mut()))
            .filter(|(_, blocks)| blocks.len() > 0);
        let mut lanes: [Lane<'_>; MOST] = std::array::from_fn(|_| [].iter_mut());
        // the last block of each packet, to which the next one is added
        let mut chain = ParBlocks::<B>::default();
        let mut count = 0;
        loop {
            for ((lane, block), (iv, blocks)) in
                lanes.iter_mut().zip(&mut chain).take(width).skip(count).zip(&mut packets)
            {
                (*lane, *block) = (blocks, iv.into());
                count += 1;
            }
            let Some(steps) = lanes.iter().take(count).map(ExactSizeIterator::len).min() else { return };
            if count == 1 {
                if let ([lane, ..], Some(block)) = (&mut lanes, chain.first_mut()) {
                    for place in lane {
                        add(block, place);
                        backend.encrypt_block_inplace(block);
                        *place = (*block).into();
                    }
                }
                count = 0;
                continue;
            }
            for _ in 0..steps {
                for (block, lane) in chain.iter_mut().zip(&lanes).take(count) {
                    if let Some(place) = lane.as_slice().first() {
                        add(block, place);
                    }
                }
                // if it is half empty, a batch of a hardware implementation takes longer than its
                // blocks one by one, which overlap as well; in software, where a batch has at most
                // 4, each of them would take as long as the batch
                if count * 2 > width || width <= 4 {
                    backend.encrypt_par_blocks_inplace(&mut chain);
                } else if let Some(blocks) = chain.get_mut(..count) {
                    backend.encrypt_tail_blocks_inplace(blocks);
                }
                for (block, lane) in chain.iter().zip(&mut lanes).take(count) {
                    if let Some(place) = lane.next() {
                        *place = (*block).into();
                    }
                }
            }
            // the place of a packet that has ended is taken by the last of those under way
            let mut place = 0;
            while place < count {
                if lanes.get(place).is_some_and(|lane| lane.len() > 0) {
                    place += 1;
                    continue;
                }
                count -= 1;
                lanes.swap(place, count);
                chain.swap(place, count);
            }
        }
    }
}

#[inline(always)]
fn add(block: &mut Block<Packets<()>>, plain: &[u8; 16]) {
    let sum = u128::from_ne_bytes((*block).into()) ^ u128::from_ne_bytes(*plain);
    *block = sum.to_ne_bytes().into();
}

#[cfg(test)]
mod tests {
    use crate::random::Random;
    use ::cipher::{Array, BlockModeEncrypt, InnerIvInit, KeyInit};

    /// Each number of packets, of lengths of all kinds, against the mode that goes packet by
    /// packet.
    #[test]
    fn every_number_of_packets() {
        let mut random = Random::new([1; 32]);
        let cipher = aes::Aes128::new(&[7; 16].into());
        for count in 0..=70 {
            let mut packets: Vec<([u8; 16], Vec<u8>)> = (0..count)
                .map(|index| {
                    let mut iv = [0; 16];
                    random.fill(&mut iv);
                    let mut data = vec![0; usize::from(iv[0] % 12) * 16 + index % 3];
                    random.fill(&mut data);
                    (iv, data)
                })
                .collect();
            let mut expected = packets.clone();
            for (iv, data) in &mut expected {
                let blocks = Array::slice_as_chunks_mut(data).0;
                cbc::Encryptor::inner_iv_init(&cipher, &(*iv).into()).encrypt_blocks(blocks);
            }
            super::encrypt(&cipher, packets.iter_mut().map(|(iv, data)| (*iv, &mut data[..])));
            assert_eq!(packets, expected, "{count} packets");
        }
    }
}
