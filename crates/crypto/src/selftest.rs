//! The self test at start-up: one known answer for every algorithm that can be proposed or
//! accepted.
//!
//! The HMAC answers are those of RFC 2202 and RFC 4231, test case 2. The others are SHA-256 digests
//! of what OpenSSL and Python's integers make of the inputs described below, so that a group of
//! 4096 bits takes one line as well.

use crate::cipher::{cbc_decrypt, cbc_encrypt};
use crate::dh::DhPrivate;
use crate::esp::{EspKeys, HEADER_LEN, OpenError, OpenJob, SealJob, open, seal};
use crate::mac::{hash, hmac};
use crate::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};

/// The algorithm that did not give its known answer; nothing may be negotiated then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the self test of {0} failed")]
pub struct SelfTestError(pub &'static str);

/// Runs one vector for each algorithm: hashes first, for the answers of the others are digests.
///
/// # Errors
/// The first algorithm whose answer is wrong.
pub fn selftest() -> Result<(), SelfTestError> {
    for (algorithm, name, answer) in HMAC {
        verdict(name, answer, &mac_answer(algorithm))?;
    }
    for (cipher, name, answer) in IKE {
        verdict(name, answer, &ike_answer(cipher).unwrap_or_default())?;
    }
    for (cipher, name, answer) in ESP {
        verdict(name, answer, &esp_answer(cipher).unwrap_or_default())?;
    }
    for (group, name, answer) in DH {
        verdict(name, answer, &dh_answer(group).unwrap_or_default())?;
    }
    Ok(())
}

fn verdict(name: &'static str, answer: &str, computed: &str) -> Result<(), SelfTestError> {
    if computed == answer { Ok(()) } else { Err(SelfTestError(name)) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes `first`, `first` + 1 and so on.
fn count(first: u8, len: usize) -> Vec<u8> {
    (0..len).scan(first, |next, _| Some(std::mem::replace(next, next.wrapping_add(1)))).collect()
}

fn mac_answer(algorithm: HashAlg) -> String {
    hex(&hmac(algorithm, b"Jefe", &[b"what do ya want ", b"for nothing?"]))
}

/// Key 1, 2, 3...; IV 0, 1, 2...; 48 bytes 0, 1, 2... encrypted, hashed, and decrypted again.
fn ike_answer(cipher: IkeCipher) -> Option<String> {
    let (key, iv, plain) = (count(1, cipher.key_len()), count(0, cipher.block_len()), count(0, 48));
    let mut data = plain.clone();
    cbc_encrypt(cipher, &key, &iv, &mut data).ok()?;
    let answer = hex(&hash(HashAlg::Sha256, &[&data]));
    cbc_decrypt(cipher, &key, &iv, &mut data).ok()?;
    (data == plain).then_some(answer)
}

/// Packets of a batch: enough for whatever takes several at once.
const BATCH: usize = 20;

/// KEYMAT 1, 2, 3...; a batch of packets 0, 1, 2... with 48 bytes of plaintext, sealed (with
/// HMAC-SHA-1-96 where the cipher needs an integrity algorithm), hashed, and opened again; those
/// with a changed ICV must not open.
fn esp_answer(cipher: EspCipher) -> Option<String> {
    let auth = if cipher.is_aead() { None } else { Some(EspAuth::Sha1) };
    let suite = EspSuite::new(cipher, auth)?;
    let keys = EspKeys::new(suite, &count(1, suite.keymat_len())).ok()?;
    let plain = count(0, HEADER_LEN + cipher.iv_len() + 48 + suite.icv_len());
    let mut packets = vec![plain.clone(); BATCH];
    seal(&mut packets.iter_mut().map(|packet| SealJob { keys: &keys, packet }).collect::<Vec<_>>()).ok()?;
    let sealed = packets.first()?.clone();
    let alike = packets.iter().all(|packet| *packet == sealed);
    for forged in packets.iter_mut().skip(1).step_by(3) {
        *forged.last_mut()? ^= 1;
    }
    let job = |packet| OpenJob { keys: &keys, packet, outcome: Err(OpenError::Pending) };
    let mut jobs: Vec<_> = packets.iter_mut().map(|packet| job(packet)).collect();
    open(&mut jobs);
    let right = jobs.iter().enumerate().all(|(index, job)| match &job.outcome {
        Err(error) => index % 3 == 1 && *error == OpenError::Icv,
        Ok(range) => index % 3 != 1 && job.packet.get(range.clone()) == plain.get(range.clone()),
    });
    (alike && right).then(|| hex(&hash(HashAlg::Sha256, &[&sealed])))
}

/// Private value 1, 2, 3...: our public value and the secret shared with ourselves, hashed.
fn dh_answer(group: DhGroup) -> Option<String> {
    let len = match group {
        DhGroup::Modp3072 => 40,
        DhGroup::Modp4096 | DhGroup::Ecp384 => 48,
        DhGroup::Ecp521 => 66,
        _ => 32,
    };
    let half = DhPrivate::from_private(group, &count(1, len))?;
    let shared = half.agree(half.public()).ok()?;
    Some(hex(&hash(HashAlg::Sha256, &[half.public(), shared.expose()])))
}

type Vector<A> = (A, &'static str, &'static str);

const HMAC: [Vector<HashAlg>; 5] = [
    (HashAlg::Md5, "HMAC-MD5", "750c783e6ab0b503eaa86e310a5db738"),
    (HashAlg::Sha1, "HMAC-SHA-1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (HashAlg::Sha256, "HMAC-SHA-256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        HashAlg::Sha384,
        "HMAC-SHA-384",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    ),
    (
        HashAlg::Sha512,
        "HMAC-SHA-512",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
];

const IKE: [Vector<IkeCipher>; 5] = [
    (IkeCipher::Des, "DES for IKE", "0badf1110ce349a951827cc38a2a625ba8fddcfbbb910b8ebaafd7ac7f355fe4"),
    (
        IkeCipher::TripleDes,
        "3DES for IKE",
        "dedf033097e068c70c127ad87191eefa0a75c6b4b190c45a62b3c786b25d2af6",
    ),
    (
        IkeCipher::Aes128,
        "AES-CBC 128 for IKE",
        "c287724817baf147030502689b1dd310e070618327922a68e306ec2b5d155121",
    ),
    (
        IkeCipher::Aes192,
        "AES-CBC 192 for IKE",
        "a3e0540e0911db4f1e854db2447e7c306fff381f42508416625b0e29c7a73105",
    ),
    (
        IkeCipher::Aes256,
        "AES-CBC 256 for IKE",
        "f566989bd44ef76096ac1240f6986915db84a0ab1ad576803fb56bb1cdbf33f2",
    ),
];

const ESP: [Vector<EspCipher>; 7] = [
    (EspCipher::Des, "DES for ESP", "1ba584ad88a477f6376941f63ce8fa9dff13e6ecbe25fe618df82595aca79692"),
    (
        EspCipher::TripleDes,
        "3DES for ESP",
        "fb49d08aec147fc0ef41c27a5cb737cf6bafe8b61845deeef712cf2b30e8b7c4",
    ),
    (
        EspCipher::Aes128,
        "AES-CBC 128 for ESP",
        "03c567eabc5751f2b299d59af7bc9b24736d94af850734152d35f857e6438cf8",
    ),
    (
        EspCipher::Aes192,
        "AES-CBC 192 for ESP",
        "297e65f046dffed8f710ddace0c84c94aaa087a14c4226114f78396e88450345",
    ),
    (
        EspCipher::Aes256,
        "AES-CBC 256 for ESP",
        "e4526dba66ba8a8fd7cdec3dadb1a4b65975f54af59c4e49cdd0be5298f02ab1",
    ),
    (
        EspCipher::AesGcm128,
        "AES-GCM 128 for ESP",
        "6f3c968a3b6bf372b806b3ec25dd578bd539b83ea1cda7f27f604378f9b825e6",
    ),
    (
        EspCipher::AesGcm256,
        "AES-GCM 256 for ESP",
        "87d7580fa856fee953dd9cf3a3bf945c01ae7569a3df1c41bfc199f256d509e5",
    ),
];

const DH: [Vector<DhGroup>; 9] = [
    (
        DhGroup::Modp768,
        "Diffie-Hellman group 1",
        "60300905f20d1ad29e4f7ad07e9a4605b20f6c21a83d0a16f46ae072e8e8f010",
    ),
    (
        DhGroup::Modp1024,
        "Diffie-Hellman group 2",
        "3875cb992bb3b3319b72843d092f050f13644f59a523ff2591d2bb928b8236b3",
    ),
    (
        DhGroup::Modp1536,
        "Diffie-Hellman group 5",
        "902de76bebef5c7f294bcc06266e85eb35116a1c146fd984e29559f02cf34504",
    ),
    (
        DhGroup::Modp2048,
        "Diffie-Hellman group 14",
        "ff4614529a4b87a9bf42c35495f8459b540a7871e9a0db7fad0e78b20cb54b8d",
    ),
    (
        DhGroup::Modp3072,
        "Diffie-Hellman group 15",
        "33009dadf7a08002c046411bb84a949c16c72186046f90fbd68662df4af29deb",
    ),
    (
        DhGroup::Modp4096,
        "Diffie-Hellman group 16",
        "55c6c4518d3b89351b8ee798a0629c31dc15b700d8c101f65b81d0632cd1fa5b",
    ),
    (
        DhGroup::Ecp256,
        "Diffie-Hellman group 19",
        "62ef1d7c51012caae50a1bd5f4e31e8a202ea5943b5680b655ebdcb27167bf45",
    ),
    (
        DhGroup::Ecp384,
        "Diffie-Hellman group 20",
        "5bdc5c0aafacd918f4d4f937cadbc66281455322791febcf04ad48d4dd818bdb",
    ),
    (
        DhGroup::Ecp521,
        "Diffie-Hellman group 21",
        "2b64b89f744c68673cbb27fb861c01f9b30f6f808e3ac6638985d68a6f1e29fb",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_gives_its_answer() {
        assert_eq!(selftest(), Ok(()));
    }

    /// A wrong answer is noticed and names its algorithm.
    #[test]
    fn a_wrong_answer_names_the_algorithm() {
        let error = verdict("HMAC-MD5", HMAC[1].2, &mac_answer(HashAlg::Md5)).unwrap_err();
        assert_eq!(error.to_string(), "the self test of HMAC-MD5 failed");
        assert!(verdict("AES", IKE[2].2, &ike_answer(IkeCipher::Aes256).unwrap()).is_err());
        assert!(verdict("group 2", DH[1].2, &dh_answer(DhGroup::Modp768).unwrap()).is_err());
    }
}
