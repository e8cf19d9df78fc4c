//! Passwords as IOS stores them, and the obfuscated passwords of Cisco VPN client profiles.

use crate::cipher::cbc_decrypt;
use crate::mac::{equal, hash};
use crate::secret::Secret;
use crate::suite::{HashAlg, IkeCipher};

/// Why a stored password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The text is not of its type's form.
    #[error("the text is not a valid password of its type")]
    Malformed,
    /// Type 6 needs the router's master key, which a configuration does not hold.
    #[error("a type 6 password cannot be read without the master key of the router that wrote it")]
    Type6,
    /// The type cannot be turned back into clear text.
    #[error("a hashed password cannot be turned back into clear text")]
    OneWay,
    /// The type is unknown.
    #[error("unknown password type")]
    UnknownType,
}

const TYPE7_KEY: &[u8; 53] = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";

/// Decodes `password 7 TEXT`, which is obfuscation and no protection.
pub fn decode_type7(text: &str) -> Result<Secret, PasswordError> {
    let (salt, body) = text.split_at_checked(2).ok_or(PasswordError::Malformed)?;
    if !salt.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PasswordError::Malformed);
    }
    let salt: usize = salt.parse().map_err(|_| PasswordError::Malformed)?;
    if salt >= TYPE7_KEY.len() {
        return Err(PasswordError::Malformed);
    }
    let bytes = decode_hex(body).ok_or(PasswordError::Malformed)?;
    let plain: Vec<u8> =
        bytes.iter().zip(TYPE7_KEY.iter().cycle().skip(salt)).map(|(byte, key)| byte ^ key).collect();
    Ok(Secret::new(plain))
}

/// Encodes clear text as type 7 with the given salt (0 to 15 on IOS), as `service
/// password-encryption` does.
pub fn encode_type7(plain: &str, salt: u8) -> String {
    let mut text = format!("{:02}", salt % 53);
    for (byte, key) in plain.bytes().zip(TYPE7_KEY.iter().cycle().skip(usize::from(salt % 53))) {
        text.push_str(&format!("{:02X}", byte ^ key));
    }
    text
}

/// The clear text of a reversible password: type 0 and 7.
pub fn reveal(kind: u8, text: &str) -> Result<Secret, PasswordError> {
    match kind {
        0 => Ok(Secret::new(text.as_bytes())),
        7 => decode_type7(text),
        6 => Err(PasswordError::Type6),
        4 | 5 | 8 | 9 => Err(PasswordError::OneWay),
        _ => Err(PasswordError::UnknownType),
    }
}

/// Checks a password against its stored form: types 0, 4, 5, 7, 8 and 9.
pub fn verify(kind: u8, stored: &str, password: &[u8]) -> Result<bool, PasswordError> {
    let computed = match kind {
        0 => return Ok(same(stored.as_bytes(), password)),
        7 => return Ok(same(decode_type7(stored)?.expose(), password)),
        4 => encode_base64(&hash(HashAlg::Sha256, &[password])),
        5 => {
            let salt = field(stored, "$1$")?.0;
            md5_crypt(password, salt.as_bytes())
        }
        8 => {
            let salt = field(stored, "$8$")?.0;
            let mut key = [0; 32];
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt.as_bytes(), 20_000, &mut key);
            format!("$8${salt}${}", encode_base64(&key))
        }
        9 => type9(password, field(stored, "$9$")?.0)?,
        6 => return Err(PasswordError::Type6),
        _ => return Err(PasswordError::UnknownType),
    };
    Ok(equal(computed.as_bytes(), stored.as_bytes()))
}

/// Compares clear texts by their hashes, so that the time does not tell the length of the stored
/// one from that of a wrong one.
fn same(stored: &[u8], given: &[u8]) -> bool {
    let [stored, given] = [stored, given].map(|text| hash(HashAlg::Sha256, &[text]));
    equal(&stored, &given)
}

/// Hashes clear text as type 9 (scrypt), with 14 random bytes.
///
/// # Errors
/// None in practice: scrypt's parameters are constant.
pub fn encode_type9(password: &[u8], random: [u8; 14]) -> Result<String, PasswordError> {
    let mut salt = String::new();
    for byte in random {
        push_letter(&mut salt, u32::from(byte));
    }
    type9(password, &salt)
}

fn type9(password: &[u8], salt: &str) -> Result<String, PasswordError> {
    let mut key = [0; 32];
    let params = scrypt::Params::new(14, 1, 1).map_err(|_| PasswordError::Malformed)?;
    scrypt::scrypt(password, salt.as_bytes(), &params, &mut key).map_err(|_| PasswordError::Malformed)?;
    Ok(format!("$9${salt}${}", encode_base64(&key)))
}

/// Splits `$N$salt$hash` into salt and hash.
fn field<'a>(stored: &'a str, prefix: &str) -> Result<(&'a str, &'a str), PasswordError> {
    stored.strip_prefix(prefix).and_then(|rest| rest.split_once('$')).ok_or(PasswordError::Malformed)
}

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Base64 with crypt's alphabet, most significant bits first, without padding (types 4, 8 and 9).
fn encode_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            push_letter(&mut out, word >> (18 - 6 * place));
        }
    }
    out
}

fn push_letter(out: &mut String, value: u32) {
    if let Some(letter) = ALPHABET.get((value & 63) as usize) {
        out.push(char::from(*letter));
    }
}

/// MD5-crypt, type 5 (`$1$`).
fn md5_crypt(password: &[u8], salt: &[u8]) -> String {
    let salt = salt.get(..8).unwrap_or(salt);
    let inner = hash(HashAlg::Md5, &[password, salt, password]);
    let mut first: Vec<u8> = [password, b"$1$", salt].concat();
    first.extend(inner.iter().cycle().take(password.len()));
    let mut rest = password.len();
    while rest > 0 {
        first.push(if rest & 1 == 1 { 0 } else { password.first().copied().unwrap_or(0) });
        rest >>= 1;
    }
    let mut state = hash(HashAlg::Md5, &[&first]);
    for round in 0..1000 {
        let mut parts: Vec<&[u8]> = Vec::with_capacity(4);
        parts.push(if round % 2 == 1 { password } else { &state });
        if round % 3 != 0 {
            parts.push(salt);
        }
        if round % 7 != 0 {
            parts.push(password);
        }
        parts.push(if round % 2 == 1 { &state } else { password });
        state = hash(HashAlg::Md5, &parts);
    }
    let mut out = format!("$1${}$", String::from_utf8_lossy(salt));
    let byte = |index: usize| u32::from(state.get(index).copied().unwrap_or(0));
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let word = byte(a) << 16 | byte(b) << 8 | byte(c);
        for place in 0..4 {
            push_letter(&mut out, word >> (6 * place));
        }
    }
    push_letter(&mut out, byte(11));
    push_letter(&mut out, byte(11) >> 6);
    out
}

/// Decodes `enc_GroupPwd` and `enc_UserPassword` of a Cisco VPN client profile, which is
/// obfuscation and no protection: 20 bytes of seed, a SHA-1 over the ciphertext, and 3DES-CBC under
/// a key made of the seed.
pub fn decode_pcf(text: &str) -> Result<Secret, PasswordError> {
    let bytes = decode_hex(text.trim()).ok_or(PasswordError::Malformed)?;
    let (seed, rest) = bytes.split_at_checked(20).ok_or(PasswordError::Malformed)?;
    let (digest, body) = rest.split_at_checked(20).ok_or(PasswordError::Malformed)?;
    if body.is_empty() || !equal(&hash(HashAlg::Sha1, &[body]), digest) {
        return Err(PasswordError::Malformed);
    }
    let (iv, key) = pcf_key(seed).ok_or(PasswordError::Malformed)?;
    let mut plain = body.to_vec();
    cbc_decrypt(IkeCipher::TripleDes, &key, &iv, &mut plain).map_err(|_| PasswordError::Malformed)?;
    let padding = usize::from(plain.last().copied().unwrap_or(0));
    let length = plain.len().checked_sub(padding).filter(|_| (1..=8).contains(&padding));
    plain.truncate(length.ok_or(PasswordError::Malformed)?);
    Ok(Secret::new(plain))
}

/// IV and key that a profile's seed leads to.
fn pcf_key(seed: &[u8]) -> Option<([u8; 8], Vec<u8>)> {
    let mut seed: [u8; 20] = seed.try_into().ok()?;
    let iv = *seed.first_chunk::<8>()?;
    let [.., last] = &mut seed;
    *last = last.wrapping_add(1);
    let first = hash(HashAlg::Sha1, &[&seed]);
    let [.., last] = &mut seed;
    *last = last.wrapping_add(2);
    let second = hash(HashAlg::Sha1, &[&seed]);
    let mut key = first.to_vec();
    key.extend_from_slice(second.get(..4)?);
    Some((iv, key))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    // the standard library would take a sign for a digit
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::cbc_encrypt;

    /// A36: the reference configuration's passwords decode, and encode to the same text with the
    /// same salt.
    #[test]
    fn a36_type_7() {
        for (text, plain, salt) in [("0201024E070A0E2649", "gfullage", 2), ("121A0C041104", "cisco", 12)] {
            assert_eq!(decode_type7(text).unwrap().expose(), plain.as_bytes());
            assert_eq!(encode_type7(plain, salt), text);
            assert!(verify(7, text, plain.as_bytes()).unwrap());
            assert!(!verify(7, text, b"wrong").unwrap());
        }
        for bad in ["", "0", "0x12", "99AA", "0201024E070A0E264", "02é1"] {
            assert_eq!(decode_type7(bad).unwrap_err(), PasswordError::Malformed, "{bad}");
        }
    }

    /// The hashes that hashcat publishes for "hashcat".
    #[test]
    fn one_way_types() {
        let type8 = "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk";
        let type9 = "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6";
        let type4 = "2btjjy78REtmYkkW0csHUbJZOstRXoWdX1mGrmmfeHI";
        assert!(verify(8, type8, b"hashcat").unwrap());
        assert!(verify(9, type9, b"hashcat").unwrap());
        assert!(verify(4, type4, b"hashcat").unwrap());
        assert!(!verify(9, type9, b"hashcaT").unwrap());
        let made = encode_type9(b"hashcat", [0xff; 14]).unwrap();
        assert!(made.starts_with("$9$zzzzzzzzzzzzzz$") && made.len() == type9.len(), "{made}");
        assert!(verify(9, &made, b"hashcat").unwrap() && !verify(9, &made, b"hashcaT").unwrap());
        assert!(verify(5, "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", b"hashcat").unwrap());
        assert!(!verify(5, "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", b"x").unwrap());
        assert_eq!(verify(5, "plain", b"x"), Err(PasswordError::Malformed));
        assert_eq!(verify(6, "plain", b"x"), Err(PasswordError::Type6));
    }

    #[test]
    fn pcf_passwords() {
        let seed: Vec<u8> = (100..120).collect();
        let (iv, key) = pcf_key(&seed).unwrap();
        let mut body = b"cisco321".to_vec();
        body.extend([8; 8]);
        cbc_encrypt(IkeCipher::TripleDes, &key, &iv, &mut body).unwrap();
        let bytes = [seed, hash(HashAlg::Sha1, &[&body]).to_vec(), body].concat();
        let text: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(decode_pcf(&text).unwrap().expose(), b"cisco321");
        assert!(decode_pcf(&text.replace('7', "8")).is_err());
        assert!(decode_pcf("").is_err());
    }
}
