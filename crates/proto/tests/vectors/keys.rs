//! Key derivation and authentication hashes.

use crate::{Test, read, unhex};
use hubward_crypto::mac::hmac;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{HashAlg, IkeCipher};
use hubward_proto::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use hubward_proto::wire::isakmp::Cookie;
use hubward_proto::wire::isakmp::Cookies;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("cavs_ikev1_pre_shared_key", cavs_pre_shared_key),
        ("cavs_ikev1_signature", cavs_signature),
        ("aggressive_hash_r", aggressive_hash_r),
    ]
}

/// NIST's cases for pre-shared keys: four hashes, g^xy of 256 to 8192 bits.
fn cavs_pre_shared_key(vectors: &Path) {
    cavs(&vectors.join("nss-cavs-ike/ikev1_psk.fax.gz"), |case| {
        (case.bytes("pre-shared-key"), case.bytes("Ni"), case.bytes("Nr"))
    });
}

/// NIST's cases for signatures. There SKEYID is prf(Ni | Nr, g^xy), which is what the derivation
/// for pre-shared keys gives for the key Ni | Nr, the nonce g^xy and an empty nonce. The keys
/// derived from SKEYID are the same in both methods.
fn cavs_signature(vectors: &Path) {
    cavs(&vectors.join("nss-cavs-ike/ikev1_dsa.fax.gz"), |case| {
        ([case.bytes("Ni"), case.bytes("Nr")].concat(), case.bytes("g^xy"), Vec::new())
    });
}

struct Case<'a>(BTreeMap<&'a str, &'a str>);

impl Case<'_> {
    fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.0.get(name).unwrap_or_else(|| panic!("a case without {name}")))
    }

    fn cookie(&self, name: &str) -> Cookie {
        Cookie(self.bytes(name).try_into().unwrap())
    }
}

/// Runs a list; `inputs` returns the key and both nonces.
fn cavs(path: &Path, inputs: impl Fn(&Case<'_>) -> (Vec<u8>, Vec<u8>, Vec<u8>)) {
    let text = String::from_utf8(read(path)).unwrap();
    let mut hash = HashAlg::Sha1;
    let mut case = Case(BTreeMap::new());
    let mut cases = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        match line {
            "[SHA-1]" => hash = HashAlg::Sha1,
            "[SHA-256]" => hash = HashAlg::Sha256,
            "[SHA-384]" => hash = HashAlg::Sha384,
            "[SHA-512]" => hash = HashAlg::Sha512,
            _ => {}
        }
        assert!(!line.starts_with("[SHA-224"), "a hash that IKEv1 has no number for");
        let Some((name, value)) = line.split_once(" = ").filter(|_| !line.starts_with(['[', '#'])) else {
            continue;
        };
        case.0.insert(name, value);
        if name == "SKEYID_e" {
            check(hash, &case, &inputs(&case));
            *cases.entry(hash).or_insert(0) += 1;
            case.0.clear();
        }
    }
    let expected = [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512];
    assert_eq!(cases.keys().copied().collect::<Vec<_>>(), expected, "{}", path.display());
    assert_eq!(cases.values().sum::<u32>(), 1700, "{}", path.display());
}

fn check(hash: HashAlg, case: &Case<'_>, (key, nonce_i, nonce_r): &(Vec<u8>, Vec<u8>, Vec<u8>)) {
    let derive = |cipher| {
        Phase1Keys::derive(&KeyInput {
            hash,
            cipher,
            cookies: Cookies { initiator: case.cookie("CKY_I"), responder: case.cookie("CKY_R") },
            key: &Secret::new(key.clone()),
            nonce_i,
            nonce_r,
            public_i: &[],
            public_r: &[],
            shared: &Secret::new(case.bytes("g^xy")),
        })
    };
    let keys = derive(IkeCipher::Aes128);
    let count = &case.0["COUNT"];
    for (derived, name) in keys.derived().into_iter().zip(["SKEYID", "SKEYID_d", "SKEYID_a"]) {
        assert_eq!(derived, case.bytes(name), "{name} of {hash:?} case {count}");
    }
    // SKEYID_e is checked through the cipher's key: its first bytes if it is long enough, otherwise
    // expanded by the prf
    let skeyid_e = case.bytes("SKEYID_e");
    assert_eq!(keys.encryption().expose(), &skeyid_e[..16], "Ka of {hash:?} case {count}");
    let ka = match hash {
        HashAlg::Sha1 => {
            let first = hmac(hash, &skeyid_e, &[&[0]]);
            [&first[..], &hmac(hash, &skeyid_e, &[&first])[..12]].concat()
        }
        _ => skeyid_e[..32].to_vec(),
    };
    assert_eq!(derive(IkeCipher::Aes256).encryption().expose(), ka, "long Ka of {hash:?} case {count}");
}

/// HASH_R of aggressive mode with MD5 and SHA-1, as password crackers publish them; another key
/// must not verify.
fn aggressive_hash_r(vectors: &Path) {
    let text = String::from_utf8(read(&vectors.join("ikev1-aggressive-hash_r.txt"))).unwrap();
    let mut cases = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (psk, rest) = line.split_once('\t').unwrap();
        let values: Vec<_> = rest.split('\t').next().unwrap().split(':').map(unhex).collect();
        let [public_r, public_i, cookie_r, cookie_i, sa, identity, nonce_i, nonce_r, hash_r] =
            values.try_into().unwrap();
        let cookies = Cookies {
            initiator: Cookie(cookie_i.try_into().unwrap()),
            responder: Cookie(cookie_r.try_into().unwrap()),
        };
        let keys = |psk: &str| {
            Phase1Keys::derive(&KeyInput {
                hash: if hash_r.len() == 16 { HashAlg::Md5 } else { HashAlg::Sha1 },
                cipher: IkeCipher::TripleDes,
                cookies,
                key: &Secret::new(psk),
                nonce_i: &nonce_i,
                nonce_r: &nonce_r,
                public_i: &public_i,
                public_r: &public_r,
                // HASH_R depends on SKEYID alone, which does not depend on g^xy
                shared: &Secret::new([1; 128]),
            })
        };
        let auth = AuthInput {
            own_public: &public_r,
            other_public: &public_i,
            own_cookie: cookies.responder,
            other_cookie: cookies.initiator,
            sa: &sa,
            identity: &identity,
        };
        assert_eq!(&*keys(psk).auth_hash(&auth), &hash_r[..], "{line}");
        assert_ne!(&*keys("another").auth_hash(&auth), &hash_r[..], "{line}");
        cases += 1;
    }
    assert_eq!(cases, 4);
}
