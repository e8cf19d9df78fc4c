//! NIST's CAVS lists of AES-CBC and 3DES-CBC, the RFCs' HMAC cases, primes and curves.

use crate::{Test, read, unhex};
use hubward_crypto::cipher::{cbc_decrypt, cbc_encrypt};
use hubward_crypto::des::{CbcJob, DesKey, Kind, Width, decrypt_with, encrypt_with};
use hubward_crypto::dh::{DhError, DhPrivate};
use hubward_crypto::mac::hmac;
use hubward_crypto::random::Random;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("nist_aes_cbc", aes),
        ("nist_des_and_3des_cbc", triple_des),
        ("rfc_2202_4231_hmac", macs),
        ("rfc_2409_3526_primes", primes),
        ("rfc_5903_curves", curves),
    ]
}

type Record = BTreeMap<String, String>;

/// The records of a `NAME = VALUE` list, ended by an empty line or the record's repeated name.
fn records(text: &str) -> Vec<Record> {
    let mut all = vec![Record::new()];
    for line in text.lines().map(str::trim) {
        let Some((name, value)) = line.split_once(" = ") else {
            if line.is_empty() || line.starts_with('[') {
                all.push(Record::new());
            }
            continue;
        };
        if all.last().is_some_and(|record| record.contains_key(name)) {
            all.push(Record::new());
        }
        all.last_mut().unwrap().insert(name.to_owned(), value.to_owned());
    }
    all.retain(|record| !record.is_empty());
    all
}

/// Both directions of one case.
fn check(cipher: IkeCipher, key: &[u8], record: &Record) {
    let [iv, plain, encrypted] = ["IV", "PLAINTEXT", "CIPHERTEXT"].map(|name| unhex(&record[name]));
    let mut data = plain.clone();
    cbc_encrypt(cipher, key, &iv, &mut data).unwrap();
    assert_eq!(data, encrypted, "{cipher:?} {record:?}");
    cbc_decrypt(cipher, key, &iv, &mut data).unwrap();
    assert_eq!(data, plain, "{cipher:?} {record:?}");
}

fn aes(folder: &Path) {
    let folder = folder.join("pyca/ciphers/AES/CBC");
    let mut cases = 0;
    for (cipher, bits) in [(IkeCipher::Aes128, 128), (IkeCipher::Aes192, 192), (IkeCipher::Aes256, 256)] {
        for list in ["GFSbox", "KeySbox", "MMT", "VarKey", "VarTxt"] {
            for record in records(&read(&folder.join(format!("CBC{list}{bits}.rsp")))) {
                if record.contains_key("KEY") {
                    check(cipher, &unhex(&record["KEY"]), &record);
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 1500, "{cases}");
}

/// Three equal keys are single DES (RFC 2405 by way of RFC 2451), so the same cases serve both.
fn triple_des(folder: &Path) {
    let folder = folder.join("pyca/ciphers/3DES/CBC");
    let (mut three, mut one) = (0, 0);
    let mut cases = Vec::new();
    for list in ["MMT1", "MMT2", "MMT3", "invperm", "permop", "subtab", "varkey", "vartext"] {
        for record in records(&read(&folder.join(format!("TCBC{list}.rsp")))) {
            let keys = match record.get("KEYs") {
                Some(keys) => vec![unhex(keys); 3],
                None if record.contains_key("KEY1") => {
                    ["KEY1", "KEY2", "KEY3"].iter().map(|name| unhex(&record[*name])).collect()
                }
                None => continue,
            };
            check(IkeCipher::TripleDes, &keys.concat(), &record);
            cases.push((keys.concat(), record.clone()));
            three += 1;
            if keys[0] == keys[1] && keys[1] == keys[2] {
                check(IkeCipher::Des, &keys[0], &record);
                cases.push((keys[0].clone(), record.clone()));
                one += 1;
            }
        }
    }
    assert!(three > 400 && one > 400, "{three} {one}");
    bit_sliced(&cases);
}

/// The packet path's own implementation, in registers of each width: every case alone, and all of
/// them together.
fn bit_sliced(cases: &[(Vec<u8>, Record)]) {
    let keys: Vec<DesKey> = cases.iter().map(|(key, _)| DesKey::new(key).unwrap()).collect();
    let field =
        |name: &str| -> Vec<Vec<u8>> { cases.iter().map(|(_, record)| unhex(&record[name])).collect() };
    let (ivs, plain, encrypted) = (field("IV"), field("PLAINTEXT"), field("CIPHERTEXT"));
    for width in Width::available() {
        for together in [1, cases.len()] {
            let (mut there, mut back) = (plain.clone(), encrypted.clone());
            let mut at = 0;
            for (there, back) in there.chunks_mut(together).zip(back.chunks_mut(together)) {
                for (data, decrypts) in [(there, false), (back, true)] {
                    for kind in [Kind::Single, Kind::Triple] {
                        let jobs = data.iter_mut().zip(at..).map(|(data, case)| CbcJob {
                            key: &keys[case],
                            iv: ivs[case][..].try_into().unwrap(),
                            data,
                        });
                        if decrypts {
                            decrypt_with(width, kind, jobs)
                        } else {
                            encrypt_with(width, kind, jobs)
                        }
                    }
                }
                at += together;
            }
            assert!(there == encrypted && back == plain, "{width:?}, {together} together");
        }
    }
}

fn macs(folder: &Path) {
    for (file, algorithm) in [
        ("rfc-2202-md5.txt", HashAlg::Md5),
        ("rfc-2202-sha1.txt", HashAlg::Sha1),
        ("rfc-4231-sha256.txt", HashAlg::Sha256),
        ("rfc-4231-sha384.txt", HashAlg::Sha384),
        ("rfc-4231-sha512.txt", HashAlg::Sha512),
    ] {
        let records = records(&read(&folder.join("pyca/HMAC").join(file)));
        assert!(records.len() >= 6, "{file}");
        for record in records {
            let computed = hmac(algorithm, &unhex(&record["Key"]), &[&unhex(&record["Msg"])]);
            assert_eq!(*computed, unhex(&record["MD"]), "{file} {record:?}");
        }
    }
}

/// A public value of p-2 is taken, p-1 and p are refused: our prime is the document's.
fn primes(folder: &Path) {
    let mut primes: Vec<Vec<u8>> = records(&read(&folder.join("pyca/asymmetric/DH/rfc3526.txt")))
        .iter()
        .filter_map(|record| record.get("P"))
        .map(|prime| unhex(prime))
        .collect();
    let oakley = read(&folder.join("rfc/rfc2409-section6-oakley-groups.txt"));
    let (first, rest) = oakley.split_once("6.2 Second").expect("section 6.2");
    let (second, _) = rest.split_once("6.3 Third").expect("section 6.3");
    for section in [first, second] {
        let words = section.split_whitespace();
        let words: Vec<&str> = words
            .filter(|word| word.len() == 8 && word.bytes().all(|b| b"0123456789ABCDEF".contains(&b)))
            .collect();
        primes.push(unhex(&words.concat()));
    }
    let mut random = Random::new([1; 32]);
    let mut checked = Vec::new();
    for number in [1, 2, 5, 14, 15, 16] {
        let group = DhGroup::from_number(number).unwrap();
        let us = DhPrivate::generate(group, &mut random);
        let Some(prime) = primes.iter().find(|prime| prime.len() == group.public_len()) else { continue };
        let less = |difference: u8| {
            let mut value = prime.clone();
            *value.last_mut().unwrap() -= difference;
            value
        };
        assert!(us.agree(&less(2)).is_ok(), "group {number}");
        assert_eq!(us.agree(&less(1)).unwrap_err(), DhError::Value, "group {number}");
        assert_eq!(us.agree(prime).unwrap_err(), DhError::Value, "group {number}");
        checked.push(number);
    }
    assert_eq!(checked, [1, 2, 5, 14, 15, 16]);
}

/// The values of RFC 5903 section 8: both public values and the shared secret of each group.
fn curves(folder: &Path) {
    let text = read(&folder.join("rfc/rfc5903-section8-ecp.txt"));
    let (_, text) = text.split_once("8.1.  ").expect("section 8.1");
    let (first, rest) = text.split_once("8.2.  ").expect("section 8.2");
    let (second, third) = rest.split_once("8.3.  ").expect("section 8.3");
    for (group, section) in [(DhGroup::Ecp256, first), (DhGroup::Ecp384, second), (DhGroup::Ecp521, third)] {
        let size = group.public_len() / 2;
        let value = |label: &str| {
            let (_, after) =
                section.split_once(&format!("\n{label}:\n")).unwrap_or_else(|| panic!("{label}"));
            let digits =
                after.split_whitespace().take_while(|word| word.bytes().all(|b| b.is_ascii_hexdigit()));
            let digits = digits.collect::<String>();
            unhex(digits.get(..2 * size).unwrap_or_else(|| panic!("{label} is short: {digits}")))
        };
        let (initiator, responder) = (
            DhPrivate::from_private(group, &value("i")).unwrap(),
            DhPrivate::from_private(group, &value("r")).unwrap(),
        );
        assert_eq!(initiator.public(), [value("gix"), value("giy")].concat());
        assert_eq!(responder.public(), [value("grx"), value("gry")].concat());
        assert!(initiator.agree(responder.public()).unwrap().matches(&value("girx")));
        assert!(responder.agree(initiator.public()).unwrap().matches(&value("girx")));
    }
}
