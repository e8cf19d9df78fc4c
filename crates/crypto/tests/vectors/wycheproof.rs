//! Wycheproof: the answers of valid cases, and that the invalid ones are refused.

use crate::{Test, json, text, unhex};
use hubward_crypto::cipher::{cbc_decrypt, cbc_encrypt};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::esp::{EspKeys, OpenError, OpenJob, SealJob, open, seal};
use hubward_crypto::mac::{equal, hmac};
use hubward_crypto::suite::{DhGroup, EspCipher, EspSuite, HashAlg, IkeCipher};
use serde_json::Value;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("wycheproof_hmac", macs),
        ("wycheproof_ecdh_p256", ecdh_p256),
        ("wycheproof_ecdh_p384", ecdh_p384),
        ("wycheproof_ecdh_p521", ecdh_p521),
        ("wycheproof_aes_gcm", gcm),
        ("wycheproof_aes_cbc", cbc),
    ]
}

/// Runs `check` on every case (with its group) of a file and sees that every case of the file came
/// by.
fn cases(folder: &Path, file: &str, mut check: impl FnMut(&Value, &Value)) {
    let file = json(&folder.join("wycheproof").join(file));
    let mut seen = 0;
    for group in file["testGroups"].as_array().expect("testGroups") {
        for case in group["tests"].as_array().expect("tests") {
            check(group, case);
            seen += 1;
        }
    }
    assert!(seen > 0 && Some(seen) == file["numberOfTests"].as_u64());
}

fn macs(folder: &Path) {
    for (file, algorithm) in [
        ("hmac_sha1_test.json", HashAlg::Sha1),
        ("hmac_sha256_test.json", HashAlg::Sha256),
        ("hmac_sha384_test.json", HashAlg::Sha384),
        ("hmac_sha512_test.json", HashAlg::Sha512),
    ] {
        cases(folder, file, |group, case| {
            let length = group["tagSize"].as_u64().unwrap() as usize / 8;
            let computed = hmac(algorithm, &unhex(text(case, "key")), &[&unhex(text(case, "msg"))]);
            let accepted = equal(&computed[..length], &unhex(text(case, "tag")));
            assert_eq!(accepted, text(case, "result") == "valid", "{file}: {case}");
        });
    }
}

fn ecdh_p256(folder: &Path) {
    ecdh(folder, "ecdh_secp256r1_ecpoint_test.json", DhGroup::Ecp256, 32);
}

fn ecdh_p384(folder: &Path) {
    ecdh(folder, "ecdh_secp384r1_ecpoint_test.json", DhGroup::Ecp384, 48);
}

fn ecdh_p521(folder: &Path) {
    ecdh(folder, "ecdh_secp521r1_ecpoint_test.json", DhGroup::Ecp521, 66);
}

fn ecdh(folder: &Path, file: &str, group: DhGroup, private_len: usize) {
    cases(folder, file, |_, case| {
        let digits = unhex(text(case, "private"));
        let digits: Vec<u8> = digits.into_iter().skip_while(|byte| *byte == 0).collect();
        let mut private = vec![0; private_len - digits.len()];
        private.extend(digits);
        let us = DhPrivate::from_private(group, &private).unwrap_or_else(|| panic!("{file}: {case}"));
        let encoded = unhex(text(case, "public"));
        // IKE carries both coordinates and no format byte; any other format goes in as it is
        let peer = encoded.strip_prefix(&[4]).unwrap_or(&encoded);
        let shared = us.agree(peer);
        if text(case, "result") == "valid" {
            let shared = shared.unwrap_or_else(|error| panic!("{file}: {error}: {case}"));
            assert!(shared.matches(&unhex(text(case, "shared"))), "{file}: {case}");
        } else {
            // "acceptable" are compressed points, which IKE does not know
            assert!(shared.is_err(), "{file}: accepted {case}");
        }
    });
}

/// The cases that are ESP packets: 8 bytes of SPI and sequence number, 12 of salt and IV, keys of
/// 128 and 256 bits. Every other case whose ciphertext fits ESP has another AAD and so must not
/// open with ours.
fn gcm(folder: &Path) {
    let (mut opened, mut refused) = (0, 0);
    cases(folder, "aes_gcm_test.json", |group, case| {
        let cipher = match group["keySize"].as_u64() {
            Some(128) => EspCipher::AesGcm128,
            Some(256) => EspCipher::AesGcm256,
            _ => return,
        };
        let (iv, aad, body) = (unhex(text(case, "iv")), unhex(text(case, "aad")), unhex(text(case, "ct")));
        if iv.len() != 12 || body.len() < 4 || !body.len().is_multiple_of(4) {
            return;
        }
        let keymat = [&unhex(text(case, "key"))[..], &iv[..4]].concat();
        let keys = EspKeys::new(EspSuite::new(cipher, None).unwrap(), &keymat).unwrap();
        let fits = aad.len() == 8;
        let header = if fits { aad } else { vec![0; 8] };
        let mut packet = [&header, &iv[4..], &body, &unhex(text(case, "tag"))].concat();
        let mut jobs = [OpenJob { keys: &keys, packet: &mut packet, outcome: Err(OpenError::Pending) }];
        open(&mut jobs);
        let outcome = jobs[0].outcome.clone();
        if fits && text(case, "result") == "valid" {
            assert_eq!(packet[outcome.unwrap()], unhex(text(case, "msg")), "{case}");
            let sealed = [&header, &iv[4..], &body, &unhex(text(case, "tag"))].concat();
            packet[sealed.len() - 16..].fill(0);
            seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).unwrap();
            assert_eq!(packet, sealed, "{case}");
            opened += 1;
        } else {
            assert_eq!(outcome, Err(OpenError::Icv), "{case}");
            refused += 1;
        }
    });
    assert!(opened > 0 && refused > 50, "{opened} opened, {refused} refused");
}

/// CBC itself has no padding: valid cases are decrypted and encrypted with theirs, invalid ones
/// must decrypt to something without valid padding.
fn cbc(folder: &Path) {
    cases(folder, "aes_cbc_pkcs5_test.json", |group, case| {
        let cipher = match group["keySize"].as_u64() {
            Some(128) => IkeCipher::Aes128,
            Some(192) => IkeCipher::Aes192,
            _ => IkeCipher::Aes256,
        };
        let (key, iv, ciphertext) =
            (unhex(text(case, "key")), unhex(text(case, "iv")), unhex(text(case, "ct")));
        let mut data = ciphertext.clone();
        assert_eq!(cbc_decrypt(cipher, &key, &iv, &mut data), Ok(()), "{case}");
        let padding = usize::from(data.last().copied().unwrap_or(0));
        let padded = (1..=16).contains(&padding)
            && padding <= data.len()
            && data.iter().rev().take(padding).all(|byte| usize::from(*byte) == padding);
        assert_eq!(padded, text(case, "result") == "valid", "{case}");
        if padded {
            assert_eq!(data[..data.len() - padding], unhex(text(case, "msg")), "{case}");
        }
        cbc_encrypt(cipher, &key, &iv, &mut data).unwrap();
        assert_eq!(data, ciphertext, "{case}");
    });
}
