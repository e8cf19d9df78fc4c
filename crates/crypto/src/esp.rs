//! Protecting and opening ESP packets (RFC 4303, 4106), in batches and in place. There is no lower
//! interface for one packet: implementations that process many packets at once replace the loops in
//! [`seal`] and [`open`].

use crate::aes_cbc;
use crate::cipher::CryptoError;
use crate::des::{self, DesKey};
use crate::mac::{HmacKey, equal, sign_each};
use crate::suite::{EspCipher, EspSuite};
use ::cipher::{Array, BlockModeDecrypt, InnerIvInit, KeyInit};
use ring::aead;
use std::ops::Range;

/// Bytes of SPI and sequence number before the IV.
pub const HEADER_LEN: usize = 8;

/// The keys of one direction of an SA with everything computed that can be: using them allocates
/// nothing.
pub struct EspKeys {
    suite: EspSuite,
    cipher: Cipher,
    auth: Option<HmacKey>,
}

enum Cipher {
    Des(Box<DesKey>),
    Aes128(Box<aes::Aes128>),
    Aes192(Box<aes::Aes192>),
    Aes256(Box<aes::Aes256>),
    Gcm(Box<aead::LessSafeKey>, [u8; 4]),
}

impl std::fmt::Debug for EspKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EspKeys({:?})", self.suite)
    }
}

impl EspKeys {
    /// Cuts KEYMAT into cipher key, salt and integrity key (RFC 2409 section 5.5, RFC 4106 section
    /// 8.1).
    pub fn new(suite: EspSuite, keymat: &[u8]) -> Result<Self, CryptoError> {
        fn key<C: KeyInit>(bytes: &[u8]) -> Result<Box<C>, CryptoError> {
            C::new_from_slice(bytes).map(Box::new).map_err(|_| CryptoError::KeyLength)
        }
        if keymat.len() != suite.keymat_len() {
            return Err(CryptoError::KeyLength);
        }
        let (cipher_key, rest) =
            keymat.split_at_checked(suite.cipher().key_len()).ok_or(CryptoError::KeyLength)?;
        let (salt, auth_key) =
            rest.split_at_checked(suite.cipher().salt_len()).ok_or(CryptoError::KeyLength)?;
        let gcm = |algorithm| -> Result<Cipher, CryptoError> {
            let key = aead::UnboundKey::new(algorithm, cipher_key).map_err(|_| CryptoError::KeyLength)?;
            let salt = salt.try_into().map_err(|_| CryptoError::KeyLength)?;
            Ok(Cipher::Gcm(Box::new(aead::LessSafeKey::new(key)), salt))
        };
        let cipher = match suite.cipher() {
            EspCipher::Des | EspCipher::TripleDes => Cipher::Des(Box::new(DesKey::new(cipher_key)?)),
            EspCipher::Aes128 => Cipher::Aes128(key(cipher_key)?),
            EspCipher::Aes192 => Cipher::Aes192(key(cipher_key)?),
            EspCipher::Aes256 => Cipher::Aes256(key(cipher_key)?),
            EspCipher::AesGcm128 => gcm(&aead::AES_128_GCM)?,
            EspCipher::AesGcm256 => gcm(&aead::AES_256_GCM)?,
        };
        let auth = suite.auth().map(|auth| HmacKey::new(auth.hash(), auth_key));
        Ok(Self { suite, cipher, auth })
    }

    /// The algorithms.
    pub fn suite(&self) -> EspSuite {
        self.suite
    }
}

/// One packet to protect: SPI, sequence number, IV, plaintext with its trailer, room for the ICV.
/// For the CBC ciphers the caller has put an unpredictable IV in its place; for GCM a value that
/// never repeats under this key.
#[derive(Debug)]
pub struct SealJob<'a> {
    /// The SA's outbound keys.
    pub keys: &'a EspKeys,
    /// The packet, protected in place.
    pub packet: &'a mut [u8],
}

/// One received ESP packet, opened in place.
#[derive(Debug)]
pub struct OpenJob<'a> {
    /// The SA's inbound keys.
    pub keys: &'a EspKeys,
    /// From the SPI to the ICV.
    pub packet: &'a mut [u8],
    /// Where the plaintext with its trailer is in `packet`, after it has verified.
    pub outcome: Result<Range<usize>, OpenError>,
}

/// Why a packet did not open. The reason is never revealed to peers and senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not opened yet.
    #[error("not opened")]
    Pending,
    /// Too short, or not a whole number of blocks.
    #[error("wrong length")]
    Length,
    /// The integrity check value is wrong.
    #[error("integrity check failed")]
    Icv,
}

/// Encrypts, then authenticates every packet of the batch. A packet whose length does not fit its
/// suite is an error of the caller and named by its place; the others are done.
pub fn seal(jobs: &mut [SealJob<'_>]) -> Result<(), usize> {
    let mut bad = Ok(());
    for (index, job) in jobs.iter_mut().enumerate() {
        if encrypt(job).is_none() {
            bad = Err(index);
        }
    }
    for (cipher, kind) in DES_KINDS {
        if jobs.iter().any(|job| job.keys.suite.cipher() == cipher) {
            des::encrypt(kind, jobs.iter_mut().filter_map(|job| des_job(job.keys, job.packet)));
        }
    }
    // packets of one SA that follow each other are encrypted side by side
    for run in jobs.chunk_by_mut(|a, b| std::ptr::eq(a.keys, b.keys)) {
        let Some(keys) = run.first().map(|job| job.keys) else { continue };
        let packets = run.iter_mut().filter_map(|job| aes_packet(keys, job.packet));
        match &keys.cipher {
            Cipher::Aes128(cipher) => aes_cbc::encrypt(&**cipher, packets),
            Cipher::Aes192(cipher) => aes_cbc::encrypt(&**cipher, packets),
            Cipher::Aes256(cipher) => aes_cbc::encrypt(&**cipher, packets),
            Cipher::Des(_) | Cipher::Gcm(..) => {}
        }
    }
    let bodies = jobs.iter_mut().filter_map(|job| {
        let (body, icv) =
            job.packet.split_at_mut_checked(job.packet.len().checked_sub(job.keys.suite.icv_len())?)?;
        Some((job.keys.auth.as_ref()?, &*body, icv))
    });
    sign_each(bodies, |icv, digest| icv.iter_mut().zip(digest).for_each(|(to, from)| *to = *from));
    bad
}

/// The part of a packet that AES in CBC mode encrypts, with its initialisation vector.
fn aes_packet<'a>(keys: &EspKeys, packet: &'a mut [u8]) -> Option<([u8; 16], &'a mut [u8])> {
    let end = packet.len().checked_sub(keys.suite.icv_len())?;
    let (iv, data) = packet.get_mut(HEADER_LEN..end)?.split_first_chunk_mut::<16>()?;
    Some((*iv, data))
}

/// Checks, then decrypts every packet of the batch.
pub fn open(jobs: &mut [OpenJob<'_>]) {
    let bodies = jobs.iter_mut().filter_map(|OpenJob { keys, packet, outcome }| {
        *outcome = whole(keys, packet);
        let auth = keys.auth.as_ref()?;
        let range = outcome.clone().ok()?;
        // until it is seen to be right
        *outcome = Err(OpenError::Icv);
        let (body, icv) = packet.split_at_checked(range.end)?;
        Some((auth, body, (icv, range, outcome)))
    });
    sign_each(bodies, |(icv, range, outcome), digest| {
        if digest.get(..icv.len()).is_some_and(|ours| equal(ours, icv)) {
            *outcome = Ok(range);
        }
    });
    for job in jobs.iter_mut() {
        if let Ok(range) = &job.outcome
            && let Err(error) = decrypt(job.keys, job.packet, range.clone())
        {
            job.outcome = Err(error);
        }
    }
    for (cipher, kind) in DES_KINDS {
        let is_one = |job: &OpenJob<'_>| job.outcome.is_ok() && job.keys.suite.cipher() == cipher;
        if jobs.iter().any(is_one) {
            let verified = jobs.iter_mut().filter(|job| is_one(job));
            des::decrypt(kind, verified.filter_map(|job| des_job(job.keys, job.packet)));
        }
    }
}

/// Where the plaintext is in a packet whose length is valid.
fn whole(keys: &EspKeys, packet: &[u8]) -> Result<Range<usize>, OpenError> {
    let suite = keys.suite;
    let start = HEADER_LEN + suite.cipher().iv_len();
    let end = packet.len().checked_sub(suite.icv_len()).ok_or(OpenError::Length)?;
    let length = end.checked_sub(start).ok_or(OpenError::Length)?;
    // the shortest plaintext is the two bytes of the trailer
    if length < 2 || !length.is_multiple_of(suite.cipher().block_len()) {
        return Err(OpenError::Length);
    }
    Ok(start..end)
}

/// DES goes over all packets of a batch together.
const DES_KINDS: [(EspCipher, des::Kind); 2] =
    [(EspCipher::Des, des::Kind::Single), (EspCipher::TripleDes, des::Kind::Triple)];

/// The part of a packet that a DES cipher encrypts, when it has one.
fn des_job<'a>(keys: &'a EspKeys, packet: &'a mut [u8]) -> Option<des::CbcJob<'a>> {
    let Cipher::Des(key) = &keys.cipher else { return None };
    let end = packet.len().checked_sub(keys.suite.icv_len())?;
    let (iv, data) = packet.get_mut(HEADER_LEN..end)?.split_first_chunk_mut::<8>()?;
    Some(des::CbcJob { key, iv: *iv, data })
}

/// Encrypts with the cipher that goes packet by packet; of the others only the length is looked at.
fn encrypt(job: &mut SealJob<'_>) -> Option<()> {
    let suite = job.keys.suite;
    let body_end = job.packet.len().checked_sub(suite.icv_len())?;
    let (front, icv) = job.packet.split_at_mut_checked(body_end)?;
    let (header, rest) = front.split_at_mut_checked(HEADER_LEN)?;
    let (iv, data) = rest.split_at_mut_checked(suite.cipher().iv_len())?;
    match &job.keys.cipher {
        Cipher::Gcm(key, salt) => {
            let nonce = gcm_nonce(salt, iv)?;
            let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::from(&*header), data).ok()?;
            icv.copy_from_slice(tag.as_ref());
            Some(())
        }
        _ => data.len().is_multiple_of(suite.cipher().block_len()).then_some(()),
    }
}

/// Decrypts with the ciphers that go packet by packet; GCM checks as well.
fn decrypt(keys: &EspKeys, packet: &mut [u8], range: Range<usize>) -> Result<(), OpenError> {
    fn cbc<C: ::cipher::BlockCipherDecrypt>(cipher: &C, iv: &[u8], data: &mut [u8]) -> Result<(), OpenError> {
        let iv = Array::try_from(iv).map_err(|_| OpenError::Length)?;
        let (blocks, _) = Array::slice_as_chunks_mut(data);
        cbc::Decryptor::inner_iv_init(cipher, &iv).decrypt_blocks(blocks);
        Ok(())
    }
    let (header, rest) = packet.split_at_mut_checked(HEADER_LEN).ok_or(OpenError::Length)?;
    let (iv, rest) = rest.split_at_mut_checked(keys.suite.cipher().iv_len()).ok_or(OpenError::Length)?;
    if let Cipher::Gcm(key, salt) = &keys.cipher {
        let nonce = gcm_nonce(salt, iv).ok_or(OpenError::Length)?;
        return key
            .open_in_place(nonce, aead::Aad::from(&*header), rest)
            .map(drop)
            .map_err(|_| OpenError::Icv);
    }
    let data = rest.get_mut(..range.len()).ok_or(OpenError::Length)?;
    match &keys.cipher {
        Cipher::Aes128(cipher) => cbc(&**cipher, iv, data),
        Cipher::Aes192(cipher) => cbc(&**cipher, iv, data),
        Cipher::Aes256(cipher) => cbc(&**cipher, iv, data),
        // done for the whole batch, or done above
        Cipher::Des(_) | Cipher::Gcm(..) => Ok(()),
    }
}

fn gcm_nonce(salt: &[u8; 4], iv: &[u8]) -> Option<aead::Nonce> {
    let mut nonce = [0; 12];
    nonce.get_mut(..4)?.copy_from_slice(salt);
    nonce.get_mut(4..)?.copy_from_slice(iv);
    Some(aead::Nonce::assume_unique_for_key(nonce))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::EspAuth;

    fn suites() -> Vec<EspSuite> {
        let mut all = Vec::new();
        for auth in [EspAuth::Md5, EspAuth::Sha1, EspAuth::Sha256, EspAuth::Sha384, EspAuth::Sha512] {
            for cipher in [
                EspCipher::Des,
                EspCipher::TripleDes,
                EspCipher::Aes128,
                EspCipher::Aes192,
                EspCipher::Aes256,
            ] {
                all.push(EspSuite::new(cipher, Some(auth)).unwrap());
            }
        }
        all.push(EspSuite::new(EspCipher::AesGcm128, None).unwrap());
        all.push(EspSuite::new(EspCipher::AesGcm256, None).unwrap());
        all
    }

    #[test]
    fn every_suite_opens_what_it_sealed_and_nothing_else() {
        for suite in suites() {
            let keymat: Vec<u8> = (0..suite.keymat_len() as u8).collect();
            let keys = EspKeys::new(suite, &keymat).unwrap();
            let start = HEADER_LEN + suite.cipher().iv_len();
            let mut packet = vec![0x5a; start + 48 + suite.icv_len()];
            let plain = packet[start..start + 48].to_vec();
            seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).unwrap();
            assert_ne!(packet[start..start + 48], plain);
            for bit in [0, 40, 70, packet.len() * 8 - 1] {
                let mut changed = packet.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let mut jobs =
                    [OpenJob { keys: &keys, packet: &mut changed, outcome: Err(OpenError::Pending) }];
                open(&mut jobs);
                assert_eq!(jobs[0].outcome, Err(OpenError::Icv), "{suite:?} bit {bit}");
            }
            let mut jobs = [OpenJob { keys: &keys, packet: &mut packet, outcome: Err(OpenError::Pending) }];
            open(&mut jobs);
            let range = jobs[0].outcome.clone().unwrap();
            assert_eq!(packet[range], plain);
        }
    }

    /// A batch of all suites, two SAs each and packets of many lengths: a forged or too short
    /// packet is refused, wherever it is in the batch, and everything else opens.
    #[test]
    fn the_forged_ones_of_a_mixed_batch() {
        let keys: Vec<EspKeys> = suites()
            .into_iter()
            .flat_map(|suite| {
                [1, 2].map(|seed| EspKeys::new(suite, &vec![seed; suite.keymat_len()]).unwrap())
            })
            .collect();
        // HMAC-SHA1 is most of them, so that its lanes are full
        let order: Vec<&EspKeys> = (0..120)
            .map(|index| match index % 3 {
                0 => &keys[index / 3 % keys.len()],
                _ => keys
                    .iter()
                    .filter(|keys| keys.suite.auth() == Some(EspAuth::Sha1))
                    .nth(index % 10)
                    .unwrap(),
            })
            .collect();
        let plain = |index: usize| vec![index as u8; 48 * (1 + index % 7)];
        let mut packets: Vec<Vec<u8>> = order
            .iter()
            .enumerate()
            .map(|(index, keys)| {
                let room = vec![7; HEADER_LEN + keys.suite.cipher().iv_len()];
                [room, plain(index), vec![0; keys.suite.icv_len()]].concat()
            })
            .collect();
        let mut jobs: Vec<_> =
            order.iter().zip(&mut packets).map(|(keys, packet)| SealJob { keys, packet }).collect();
        seal(&mut jobs).unwrap();
        for forged in 0..packets.len() {
            let mut packets = packets.clone();
            let short = (forged + 5) % packets.len();
            packets[short].truncate(20);
            let other = (forged + 9) % packets.len();
            // the check value of another packet of the same SA or of another one
            let icv = packets[(other + 3) % packets.len()].last_chunk::<12>().copied();
            let ends = packets[other].last_chunk_mut::<12>();
            ends.into_iter().zip(icv).for_each(|(to, from)| *to = from);
            packets[forged].last_mut().into_iter().for_each(|byte| *byte ^= 0x80);
            let mut jobs: Vec<_> = order
                .iter()
                .zip(&mut packets)
                .map(|(keys, packet)| OpenJob { keys, packet, outcome: Err(OpenError::Pending) })
                .collect();
            open(&mut jobs);
            for (index, job) in jobs.iter().enumerate() {
                let expected = match index {
                    _ if index == short => Err(OpenError::Length),
                    _ if index == forged || index == other => Err(OpenError::Icv),
                    _ => Ok(plain(index)),
                };
                let opened = job.outcome.clone().map(|range| job.packet[range].to_vec());
                assert_eq!(opened, expected, "packet {index}, {forged} is forged");
            }
        }
    }

    /// Every length up to 128 bytes is refused or opened, never a panic (VU#459371).
    #[test]
    fn every_short_length_is_refused() {
        for suite in suites() {
            let keys = EspKeys::new(suite, &vec![1; suite.keymat_len()]).unwrap();
            for length in 0..=128 {
                let mut packet = vec![0; length];
                let mut jobs =
                    [OpenJob { keys: &keys, packet: &mut packet, outcome: Err(OpenError::Pending) }];
                open(&mut jobs);
                assert!(jobs[0].outcome.is_err());
            }
        }
    }

    #[test]
    fn keymat_of_another_length_is_refused() {
        for suite in suites() {
            assert!(EspKeys::new(suite, &vec![1; suite.keymat_len() - 1]).is_err());
            assert!(EspKeys::new(suite, &vec![1; suite.keymat_len() + 1]).is_err());
        }
    }
}
