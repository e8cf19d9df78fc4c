//! Names of algorithms as the configuration writes them, for both sides of a comparison.

use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::ike::misfit::Phase2Offer;

/// `encryption` of phase 1, by its number and key length (RFC 2409 appendix A).
pub(super) fn offered_cipher(offered: Option<(u64, Option<u64>)>) -> String {
    match offered {
        Some((1, _)) => "des".into(),
        Some((5, _)) => "3des".into(),
        Some((7, None)) => "aes 128".into(),
        Some((7, Some(bits))) => format!("aes {bits}"),
        Some((2, _)) => "IDEA".into(),
        Some((3, _)) => "Blowfish".into(),
        Some((6, _)) => "CAST".into(),
        Some((number, _)) => format!("number {number}"),
        None => "nothing".into(),
    }
}

pub(super) fn cipher(cipher: IkeCipher) -> &'static str {
    match cipher {
        IkeCipher::Des => "des",
        IkeCipher::TripleDes => "3des",
        IkeCipher::Aes128 => "aes 128",
        IkeCipher::Aes192 => "aes 192",
        IkeCipher::Aes256 => "aes 256",
    }
}

pub(super) fn offered_hash(offered: Option<u64>) -> String {
    match offered {
        Some(1) => "md5".into(),
        Some(2) => "sha".into(),
        Some(3) => "Tiger".into(),
        Some(4) => "sha256".into(),
        Some(5) => "sha384".into(),
        Some(6) => "sha512".into(),
        Some(number) => format!("number {number}"),
        None => "nothing".into(),
    }
}

pub(super) fn hash(hash: HashAlg) -> &'static str {
    match hash {
        HashAlg::Md5 => "md5",
        HashAlg::Sha1 => "sha",
        HashAlg::Sha256 => "sha256",
        HashAlg::Sha384 => "sha384",
        HashAlg::Sha512 => "sha512",
    }
}

/// Authentication methods (RFC 2409 appendix A; draft-beaulieu-ike-xauth).
pub(super) fn offered_method(offered: Option<u64>) -> String {
    match offered {
        Some(1) => "pre-share".into(),
        Some(3) => "rsa-sig (certificates)".into(),
        Some(65001) => "pre-share with Xauth".into(),
        Some(65005) => "rsa-sig with Xauth".into(),
        Some(64221) => "hybrid (certificate here, Xauth there)".into(),
        Some(number) => format!("number {number}"),
        None => "nothing".into(),
    }
}

pub(super) fn offered_group(offered: Option<u64>) -> String {
    offered.map_or_else(|| "none".into(), |number| number.to_string())
}

/// A transform of phase 2 as a transform set writes it (RFC 2407 section 4.4.4).
pub(super) fn offered_transform(offer: &Phase2Offer) -> (String, String) {
    let bits = offer.bits.map_or(String::new(), |bits| format!(" {bits}"));
    let cipher = match (offer.protocol, offer.id) {
        (2, _) => "AH".into(),
        (4, _) => "compression".into(),
        (_, 2) => "esp-des".into(),
        (_, 3) => "esp-3des".into(),
        (_, 11) => "esp-null".into(),
        (_, 12) => format!("esp-aes{bits}"),
        (_, 20) => format!("esp-gcm{bits}"),
        (_, id) => format!("transform {id}{bits}"),
    };
    let integrity = match offer.authentication {
        Some(1) => "esp-md5-hmac".into(),
        Some(2) => "esp-sha-hmac".into(),
        Some(5) => "esp-sha256-hmac".into(),
        Some(6) => "esp-sha384-hmac".into(),
        Some(7) => "esp-sha512-hmac".into(),
        Some(number) => format!("number {number}"),
        None => "none".into(),
    };
    (cipher, integrity)
}

pub(super) fn transform(suite: EspSuite) -> (String, String) {
    let cipher = match suite.cipher() {
        EspCipher::Des => "esp-des",
        EspCipher::TripleDes => "esp-3des",
        EspCipher::Aes128 => "esp-aes 128",
        EspCipher::Aes192 => "esp-aes 192",
        EspCipher::Aes256 => "esp-aes 256",
        EspCipher::AesGcm128 => "esp-gcm 128",
        EspCipher::AesGcm256 => "esp-gcm 256",
    };
    let integrity = match suite.auth() {
        Some(EspAuth::Md5) => "esp-md5-hmac",
        Some(EspAuth::Sha1) => "esp-sha-hmac",
        Some(EspAuth::Sha256) => "esp-sha256-hmac",
        Some(EspAuth::Sha384) => "esp-sha384-hmac",
        Some(EspAuth::Sha512) => "esp-sha512-hmac",
        None => "none",
    };
    (cipher.into(), integrity.into())
}

/// Encapsulation modes, those of NAT traversal too.
pub(super) fn offered_mode(offered: Option<u64>) -> String {
    match offered {
        Some(1 | 3 | 61443) => "tunnel".into(),
        Some(2 | 4 | 61444) => "transport".into(),
        Some(number) => format!("number {number}"),
        None => "none".into(),
    }
}
