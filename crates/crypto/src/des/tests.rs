//! Against the published tables and vectors, and against another implementation.

use super::sbox::{GATES, s1, s2, s3, s4, s5, s6, s7, s8};
use super::word::Word;
use super::*;
use crate::random::Random;
use ::{cbc, des};
use ::cipher::consts::U8;
use ::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit, KeyInit};
use std::cell::Cell;

/// The rows of FIPS 46-3 once more, packed: the tool that made the circuits has its own copy.
const ROWS: [[u64; 4]; 8] = [
    [0xe4d12fb83a6c5907, 0x0f74e2d1a6cb9538, 0x41e8d62bfc973a50, 0xfc8249175b3ea06d],
    [0xf18e6b34972dc05a, 0x3d47f28ec01a69b5, 0x0e7ba4d158c6932f, 0xd8a13f42b67c05e9],
    [0xa09e63f51dc7b428, 0xd709346a285ecbf1, 0xd6498f30b12c5ae7, 0x1ad069874fe3b52c],
    [0x7de3069a1285bc4f, 0xd8b56f03472c1ae9, 0xa690cb7df13e5284, 0x3f06a1d8945bc72e],
    [0x2c417ab6853fd0e9, 0xeb2c47d150fa3986, 0x421bad78f9c5630e, 0xb8c71e2d6f09a453],
    [0xc1af92680d34e75b, 0xaf427c9561de0b38, 0x9ef528c3704a1db6, 0x432c95fabe17608d],
    [0x4b2ef08d3c975a61, 0xd0b7491ae35c2f86, 0x14bdc37eaf680592, 0x6bd814a7950fe23c],
    [0xd2846fb1a93e50c7, 0x1fd8a374c56b0e92, 0x7b419ce206adf358, 0x21e74a8dfc90356b],
];

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts what is done with it.
#[derive(Clone, Copy)]
struct Counted(u64);

impl Counted {
    fn made(self) -> Self {
        COUNT.with(|count| count.set(count.get() + 1));
        self
    }
}

impl Word for Counted {
    const LANES: usize = 1;

    fn splat(lane: u64) -> Self {
        Self(lane)
    }

    fn load(lanes: &[u64]) -> Self {
        Self(lanes[0])
    }

    fn store(self, lanes: &mut [u64]) {
        lanes[0] = self.0;
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0).made()
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0).made()
    }

    fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0).made()
    }

    fn and_not(self, other: Self) -> Self {
        Self(self.0 & !other.0).made()
    }

    fn up<const N: i32>(self) -> Self {
        Self(self.0 << N)
    }

    fn down<const N: i32>(self) -> Self {
        Self(self.0 >> N)
    }
}

/// Every box, every input, and as many gates as it says.
#[test]
fn the_circuits_are_the_published_tables() {
    let inputs: [Counted; 6] = std::array::from_fn(|bit| {
        Counted((0..64).filter(|row| row >> (5 - bit) & 1 == 1).fold(0, |all, row: u64| all | 1 << row))
    });
    let boxes = [s1, s2, s3, s4, s5, s6, s7, s8];
    COUNT.with(|count| count.set(0));
    for (circuit, rows) in boxes.into_iter().zip(ROWS) {
        let out = circuit(inputs);
        for input in 0..64usize {
            let row = rows[input >> 4 & 2 | input & 1];
            let expected = row >> (60 - 4 * (input >> 1 & 15)) & 15;
            let got = out.iter().fold(0, |all, bit| all << 1 | bit.0 >> input & 1);
            assert_eq!(got, expected, "input {input:#b}");
        }
    }
    assert_eq!(COUNT.with(Cell::get), GATES);
}

fn reference(key: &[u8], iv: [u8; 8], data: &mut [u8], decrypts: bool) {
    fn go<C>(key: &[u8], iv: [u8; 8], data: &mut [u8], decrypts: bool)
    where
        C: KeyInit
            + ::cipher::BlockCipherEncrypt
            + ::cipher::BlockCipherDecrypt
            + BlockSizeUser<BlockSize = U8>,
    {
        let (blocks, iv) = (Array::slice_as_chunks_mut(data).0, Array::from(iv));
        let cipher = C::new_from_slice(key).unwrap();
        if decrypts {
            cbc::Decryptor::<C>::inner_iv_init(cipher, &iv).decrypt_blocks(blocks);
        } else {
            cbc::Encryptor::<C>::inner_iv_init(cipher, &iv).encrypt_blocks(blocks);
        }
    }
    match key.len() {
        8 => go::<des::Des>(key, iv, data, decrypts),
        _ => go::<des::TdesEde3>(key, iv, data, decrypts),
    }
}

/// A packet of random blocks, its IV, and the key that it is under.
struct Packet {
    key: usize,
    iv: [u8; 8],
    data: Vec<u8>,
}

fn packets(random: &mut Random, count: usize, keys: usize, blocks: usize) -> Vec<Packet> {
    let number = |random: &mut Random| {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        u64::from_le_bytes(bytes) as usize
    };
    (0..count)
        .map(|_| {
            let mut packet = Packet {
                key: number(random) % keys,
                iv: [0; 8],
                data: vec![0; number(random) % (blocks + 1) * 8],
            };
            random.fill(&mut packet.iv);
            random.fill(&mut packet.data);
            packet
        })
        .collect()
}

fn random_keys(random: &mut Random, lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths
        .iter()
        .map(|length| {
            let mut key = vec![0; *length];
            random.fill(&mut key);
            key
        })
        .collect()
}

/// Both directions of a batch against the reference.
fn check(width: Width, raw: &[Vec<u8>], packets: &mut [Packet]) {
    let keys: Vec<DesKey> = raw.iter().map(|key| DesKey::new(key).unwrap()).collect();
    let plain: Vec<Vec<u8>> = packets.iter().map(|packet| packet.data.clone()).collect();
    for decrypts in [false, true] {
        let mut expected = plain.clone();
        for (data, packet) in expected.iter_mut().zip(&*packets) {
            reference(&raw[packet.key], packet.iv, data, decrypts);
        }
        for (packet, plain) in packets.iter_mut().zip(&plain) {
            packet.data.clone_from(plain);
        }
        for kind in [Kind::Single, Kind::Triple] {
            let jobs = packets.iter_mut().map(|packet| CbcJob {
                key: &keys[packet.key],
                iv: packet.iv,
                data: &mut packet.data,
            });
            if decrypts { decrypt_with(width, kind, jobs) } else { encrypt_with(width, kind, jobs) }
        }
        for (index, (packet, expected)) in packets.iter().zip(&expected).enumerate() {
            assert_eq!(packet.data, *expected, "{width:?}, packet {index}, decrypts: {decrypts}");
        }
    }
}

/// Each number of packets up to two full passes, with one key and with many of both kinds.
#[test]
fn every_number_of_lanes() {
    let mut random = Random::new([1; 32]);
    for width in Width::available() {
        for count in 1..=2 * width.blocks() {
            let raw = random_keys(&mut random, &[24]);
            check(width, &raw, &mut packets(&mut random, count, 1, 3));
            let raw = random_keys(&mut random, &[24, 8, 24, 8, 24]);
            check(width, &raw, &mut packets(&mut random, count, 5, 3));
        }
    }
}

/// A million packets, of each width its share.
#[test]
fn a_million_packets() {
    let mut random = Random::new([2; 32]);
    let mut done = 0;
    while done < 1_000_000 {
        for width in Width::available() {
            let raw = random_keys(&mut random, &[24, 8, 24]);
            let keys = 1 + done % 3;
            check(width, &raw, &mut packets(&mut random, 5000, keys, if done % 5 == 0 { 20 } else { 3 }));
            done += 5000;
        }
    }
}

#[test]
fn a_key_has_8_or_24_bytes_and_is_not_shown() {
    assert!(DesKey::new(&[1; 16]).is_err() && DesKey::new(&[]).is_err() && DesKey::new(&[1; 9]).is_err());
    assert_eq!(format!("{:?}", DesKey::new(&[1; 8]).unwrap()), "DesKey");
}
