//! ESP packets of DPDK's test suite, for the suites Hubward implements. The captures of Wireshark
//! are tested with the codecs.

use crate::{Test, json, text, unhex};
use hubward_crypto::esp::{EspKeys, OpenError, OpenJob, open};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![("dpdk_esp_packets", packets)]
}

fn packets(folder: &Path) {
    let file = json(&folder.join("dpdk-esp/esp_packets.json"));
    let mut opened = 0;
    for packet in file["vectors"].as_array().expect("vectors") {
        let name = text(packet, "name");
        let algorithms: Vec<&str> =
            packet["algos"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        let has = |algorithm: &str| algorithms.iter().any(|name| name.ends_with(algorithm));
        let (key, auth_key) = (unhex(text(packet, "key")), unhex(text(packet, "auth_key")));
        let cipher = match key.len() {
            16 if has("AES_GCM") => EspCipher::AesGcm128,
            32 if has("AES_GCM") => EspCipher::AesGcm256,
            16 if has("AES_CBC") => EspCipher::Aes128,
            24 if has("_3DES_CBC") => EspCipher::TripleDes,
            8 if has("_DES_CBC") => EspCipher::Des,
            _ => continue,
        };
        let auth = match () {
            () if has("MD5_HMAC") => Some(EspAuth::Md5),
            () if has("SHA256_HMAC") => Some(EspAuth::Sha256),
            () if has("SHA384_HMAC") => Some(EspAuth::Sha384),
            () if has("SHA512_HMAC") => Some(EspAuth::Sha512),
            () => None,
        };
        // encryption without integrity is not to be had
        let Some(suite) = EspSuite::new(cipher, auth) else { continue };
        let keymat = [key, unhex(text(packet, "salt")), auth_key].concat();
        let keys = EspKeys::new(suite, &keymat).unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = unhex(text(packet, "output"));
        let outer = if output[0] >> 4 == 4 { 20 } else { 40 };
        let run = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let mut jobs = [OpenJob { keys: &keys, packet: &mut bytes, outcome: Err(OpenError::Pending) }];
            open(&mut jobs);
            let outcome = jobs[0].outcome.clone();
            outcome.map(|range| bytes[range].to_vec())
        };
        let plain = run(&output[outer..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        // the single DES packets carry another IP header than the plaintext given with them: the
        // payload counts
        let input = unhex(text(packet, "input"));
        let from = match (cipher, outer) {
            (EspCipher::Des, 20) => 20,
            (EspCipher::Des, _) => 40,
            _ => 0,
        };
        assert!(plain.len() >= input.len() + 2, "{name}");
        assert_eq!(plain[from..input.len()], input[from..], "{name}");
        for place in [outer, outer + 8, output.len() - 1] {
            let mut changed = output.clone();
            changed[place] ^= 0x40;
            assert_eq!(run(&changed[outer..]), Err(OpenError::Icv), "{name}, byte {place}");
        }
        opened += 1;
    }
    assert_eq!(opened, 17);
}
