//! Vectors that nobody here wrote: Wycheproof and DPDK's ESP packets, from `HUBWARD_VECTORS`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::cipher::cbc_decrypt;
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::esp::{EspKeys, OpenError, OpenJob, SealJob, open, seal};
use hubward_crypto::mac::hmac;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::path::PathBuf;

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn read(file: &str) -> Value {
    let path = PathBuf::from(std::env::var_os("HUBWARD_VECTORS").unwrap()).join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// Every test of a Wycheproof file with its group; gives how many there were.
fn wycheproof(file: &str, mut each: impl FnMut(&Value, &Value) -> bool) -> usize {
    let content = read(&format!("wycheproof/{file}"));
    let mut count = 0;
    for group in content["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            count += usize::from(each(group, test));
        }
    }
    count
}

fn hmacs(file: &str, algorithm: HashAlg) -> Result<(), Failed> {
    let count = wycheproof(file, |_, test| {
        let tag = hex(&test["tag"]);
        let ours = hmac(algorithm, &hex(&test["key"]), &[&hex(&test["msg"])]);
        assert_eq!(ours[..tag.len()] == tag[..], test["result"] == "valid", "{test}");
        true
    });
    println!("{count} cases");
    if count < 100 { Err("too few cases".into()) } else { Ok(()) }
}

fn ecdh(file: &str, group: DhGroup) -> Result<(), Failed> {
    let coordinate = group.public_len() / 2;
    let count = wycheproof(file, |_, test| {
        let public = hex(&test["public"]);
        // IKE has uncompressed points only, without their prefix
        if public.first() != Some(&4) {
            return false;
        }
        let mut private = hex(&test["private"]);
        while private.len() > coordinate {
            assert_eq!(private.remove(0), 0);
        }
        while private.len() < coordinate {
            private.insert(0, 0);
        }
        let ours = DhPrivate::from_private(group, &private).unwrap();
        match (ours.agree(&public[1..]), test["result"].as_str().unwrap()) {
            (Ok(shared), "valid" | "acceptable") => assert!(shared.matches(&hex(&test["shared"])), "{test}"),
            (Err(_), "invalid" | "acceptable") => {}
            (outcome, _) => panic!("{outcome:?} for {test}"),
        }
        true
    });
    println!("{count} cases");
    if count < 100 { Err("too few cases".into()) } else { Ok(()) }
}

/// AES-CBC with PKCS#5 padding, which IKE has not: the valid cases decrypt to their message and its padding.
fn aes_cbc() -> Result<(), Failed> {
    let count = wycheproof("aes_cbc_pkcs5_test.json", |group, test| {
        let cipher = match group["keySize"].as_u64().unwrap() {
            128 => IkeCipher::Aes128,
            192 => IkeCipher::Aes192,
            _ => IkeCipher::Aes256,
        };
        let mut data = hex(&test["ct"]);
        if test["result"] != "valid" || data.is_empty() {
            return false;
        }
        cbc_decrypt(cipher, &hex(&test["key"]), &hex(&test["iv"]), &mut data).unwrap();
        let message = hex(&test["msg"]);
        assert_eq!(data[..message.len()], message, "{test}");
        true
    });
    println!("{count} cases");
    if count < 50 { Err("too few cases".into()) } else { Ok(()) }
}

/// AES-GCM as ESP uses it: 8 bytes in front are authenticated, 4 of the nonce are the salt.
fn aes_gcm() -> Result<(), Failed> {
    let count = wycheproof("aes_gcm_test.json", |group, test| {
        let cipher = match group["keySize"].as_u64().unwrap() {
            128 => EspCipher::AesGcm128,
            256 => EspCipher::AesGcm256,
            _ => return false,
        };
        let (iv, aad) = (hex(&test["iv"]), hex(&test["aad"]));
        if iv.len() != 12 || aad.len() != 8 {
            return false;
        }
        let suite = EspSuite::new(cipher, None).unwrap();
        let keys = EspKeys::new(suite, &[&hex(&test["key"])[..], &iv[..4]].concat()).unwrap();
        let message = hex(&test["msg"]);
        let mut packet = [&aad[..], &iv[4..], &message, &[0; 16]].concat();
        seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).unwrap();
        let expected = [&hex(&test["ct"])[..], &hex(&test["tag"])].concat();
        assert_eq!(packet[16..] == expected[..], test["result"] == "valid", "{test}");
        true
    });
    println!("{count} cases");
    if count == 0 { Err("no case fits".into()) } else { Ok(()) }
}

/// DPDK's packets of the suites that we implement open, and a changed byte is refused.
fn dpdk() -> Result<(), Failed> {
    let mut opened = 0;
    for vector in read("dpdk-esp/esp_packets.json")["vectors"].as_array().unwrap() {
        let algorithms: Vec<_> =
            vector["algos"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let has = |part: &str| algorithms.iter().any(|algorithm| algorithm.ends_with(part));
        let key = hex(&vector["key"]);
        let auth = match (has("SHA1_HMAC"), has("SHA256_HMAC"), has("SHA384_HMAC"), has("SHA512_HMAC")) {
            (true, ..) => Some(EspAuth::Sha1),
            (_, true, ..) => Some(EspAuth::Sha256),
            (_, _, true, _) => Some(EspAuth::Sha384),
            (.., true) => Some(EspAuth::Sha512),
            _ if has("MD5_HMAC") => Some(EspAuth::Md5),
            _ => None,
        };
        let cipher = match key.len() {
            16 if has("AES_CBC") => EspCipher::Aes128,
            24 if has("AES_CBC") => EspCipher::Aes192,
            32 if has("AES_CBC") => EspCipher::Aes256,
            8 if has("DES_CBC") => EspCipher::Des,
            24 if has("3DES_CBC") => EspCipher::TripleDes,
            16 if has("AES_GCM") => EspCipher::AesGcm128,
            32 if has("AES_GCM") => EspCipher::AesGcm256,
            _ => continue,
        };
        let Some(suite) = EspSuite::new(cipher, auth) else { continue };
        let digest = vector["digest_length"].as_array().and_then(|all| all.last()).and_then(Value::as_u64);
        if digest != Some(suite.icv_len() as u64) {
            continue;
        }
        let salt = if cipher.is_aead() { hex(&vector["salt"]) } else { Vec::new() };
        let auth_key = if cipher.is_aead() { Vec::new() } else { hex(&vector["auth_key"]) };
        let Ok(keys) = EspKeys::new(suite, &[key, salt, auth_key].concat()) else { continue };
        let output = hex(&vector["output"]);
        let header = usize::from(output[0] & 15) * 4;
        let start = if output[9] == 17 { header + 8 } else { header };
        if output[0] >> 4 != 4 || !(output[9] == 50 || output[9] == 17) {
            continue;
        }
        let mut packet = output[start..].to_vec();
        let mut changed = packet.clone();
        let mut jobs = [OpenJob { keys: &keys, packet: &mut packet, outcome: Err(OpenError::Pending) }];
        open(&mut jobs);
        let range = jobs[0].outcome.clone().unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
        let input = hex(&vector["input"]);
        // the TTL of the tunnelled packet may differ by what the gateway takes off; the payload is the same
        assert_eq!(packet[range][20..input.len()], input[20..], "{}", vector["name"]);
        changed[20] ^= 1;
        let mut jobs = [OpenJob { keys: &keys, packet: &mut changed, outcome: Err(OpenError::Pending) }];
        open(&mut jobs);
        assert_eq!(jobs[0].outcome, Err(OpenError::Icv));
        opened += 1;
    }
    println!("{opened} packets");
    if opened < 5 { Err(format!("only {opened} packets fit our suites").into()) } else { Ok(()) }
}

/// A test and its name.
type Named = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    let arguments = Arguments::from_args();
    let absent = std::env::var_os("HUBWARD_VECTORS").is_none();
    let trials: Vec<Named> = vec![
        ("wycheproof::hmac_sha1", || hmacs("hmac_sha1_test.json", HashAlg::Sha1)),
        ("wycheproof::hmac_sha256", || hmacs("hmac_sha256_test.json", HashAlg::Sha256)),
        ("wycheproof::hmac_sha384", || hmacs("hmac_sha384_test.json", HashAlg::Sha384)),
        ("wycheproof::hmac_sha512", || hmacs("hmac_sha512_test.json", HashAlg::Sha512)),
        ("wycheproof::ecdh_p256", || ecdh("ecdh_secp256r1_ecpoint_test.json", DhGroup::Ecp256)),
        ("wycheproof::ecdh_p384", || ecdh("ecdh_secp384r1_ecpoint_test.json", DhGroup::Ecp384)),
        ("wycheproof::ecdh_p521", || ecdh("ecdh_secp521r1_ecpoint_test.json", DhGroup::Ecp521)),
        ("wycheproof::aes_cbc", aes_cbc),
        ("wycheproof::aes_gcm", aes_gcm),
        ("dpdk::esp_packets", dpdk),
    ];
    let trials = trials
        .into_iter()
        .map(|(name, test)| {
            let name = if absent { format!("{name} (HUBWARD_VECTORS is not set)") } else { name.to_string() };
            Trial::test(name, test).with_ignored_flag(absent)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
