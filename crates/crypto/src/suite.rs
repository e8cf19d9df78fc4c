//! The closed sets of algorithms Hubward implements. A value of one of these types is always
//! usable: numbers from the wire become one only through `hubward-proto`'s registries.

/// A cipher that protects IKE messages (RFC 2409 appendix A, RFC 3602).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IkeCipher {
    /// DES-CBC, 56-bit key.
    Des,
    /// 3DES-CBC, 168-bit key.
    TripleDes,
    /// AES-CBC with a 128-bit key.
    Aes128,
    /// AES-CBC with a 192-bit key.
    Aes192,
    /// AES-CBC with a 256-bit key.
    Aes256,
}

impl IkeCipher {
    /// Key length in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes => 24,
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Block (and IV) length in bytes.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }
}

/// A hash, used alone, as HMAC and as the IKE prf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlg {
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlg {
    /// Output length in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A Diffie-Hellman group, by its IKE number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DhGroup {
    /// Group 1, MODP 768 (RFC 2409).
    Modp768,
    /// Group 2, MODP 1024 (RFC 2409).
    Modp1024,
    /// Group 5, MODP 1536 (RFC 3526).
    Modp1536,
    /// Group 14, MODP 2048 (RFC 3526).
    Modp2048,
    /// Group 15, MODP 3072 (RFC 3526).
    Modp3072,
    /// Group 16, MODP 4096 (RFC 3526).
    Modp4096,
    /// Group 19, NIST P-256 (RFC 5903).
    Ecp256,
    /// Group 20, NIST P-384 (RFC 5903).
    Ecp384,
    /// Group 21, NIST P-521 (RFC 5903).
    Ecp521,
}

impl DhGroup {
    /// The group's IANA number, as in `group 14`.
    pub const fn number(self) -> u16 {
        match self {
            Self::Modp768 => 1,
            Self::Modp1024 => 2,
            Self::Modp1536 => 5,
            Self::Modp2048 => 14,
            Self::Modp3072 => 15,
            Self::Modp4096 => 16,
            Self::Ecp256 => 19,
            Self::Ecp384 => 20,
            Self::Ecp521 => 21,
        }
    }

    /// The group with this IANA number, when it is implemented.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Modp768,
            2 => Self::Modp1024,
            5 => Self::Modp1536,
            14 => Self::Modp2048,
            15 => Self::Modp3072,
            16 => Self::Modp4096,
            19 => Self::Ecp256,
            20 => Self::Ecp384,
            21 => Self::Ecp521,
            _ => return None,
        })
    }

    /// Length in bytes of a public value on the wire (ECP: both coordinates, RFC 5903 section 6).
    pub const fn public_len(self) -> usize {
        match self {
            Self::Modp768 => 96,
            Self::Modp1024 => 128,
            Self::Modp1536 => 192,
            Self::Modp2048 => 256,
            Self::Modp3072 => 384,
            Self::Modp4096 => 512,
            Self::Ecp256 => 64,
            Self::Ecp384 => 96,
            Self::Ecp521 => 132,
        }
    }

    /// Modulus or field size in bits, as `show crypto isakmp policy` prints it.
    pub const fn bits(self) -> u16 {
        match self {
            Self::Modp768 => 768,
            Self::Modp1024 => 1024,
            Self::Modp1536 => 1536,
            Self::Modp2048 => 2048,
            Self::Modp3072 => 3072,
            Self::Modp4096 => 4096,
            Self::Ecp256 => 256,
            Self::Ecp384 => 384,
            Self::Ecp521 => 521,
        }
    }
}

/// An ESP cipher (RFC 2405, 2451, 3602, 4106).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EspCipher {
    /// DES-CBC.
    Des,
    /// 3DES-CBC.
    TripleDes,
    /// AES-CBC, 128-bit key.
    Aes128,
    /// AES-CBC, 192-bit key.
    Aes192,
    /// AES-CBC, 256-bit key.
    Aes256,
    /// AES-GCM with 16-byte ICV, 128-bit key.
    AesGcm128,
    /// AES-GCM with 16-byte ICV, 256-bit key.
    AesGcm256,
}

impl EspCipher {
    /// Key length in bytes, without the GCM salt.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes => 24,
            Self::Aes128 | Self::AesGcm128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 | Self::AesGcm256 => 32,
        }
    }

    /// Bytes of salt that follow the key in KEYMAT (RFC 4106 section 8.1).
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 4 } else { 0 }
    }

    /// Bytes of IV before every packet's ciphertext.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes | Self::AesGcm128 | Self::AesGcm256 => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// The ciphertext is a multiple of this many bytes (4 for the counter modes, RFC 4303 section
    /// 2.4).
    pub const fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::AesGcm128 | Self::AesGcm256 => 4,
        }
    }

    /// Whether the cipher itself authenticates and takes no [`EspAuth`].
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AesGcm128 | Self::AesGcm256)
    }
}

/// An ESP integrity algorithm (RFC 2403, 2404, 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EspAuth {
    /// HMAC-MD5-96.
    Md5,
    /// HMAC-SHA-1-96.
    Sha1,
    /// HMAC-SHA-256-128.
    Sha256,
    /// HMAC-SHA-384-192.
    Sha384,
    /// HMAC-SHA-512-256.
    Sha512,
}

impl EspAuth {
    /// The hash under the HMAC; its output length is the key length.
    pub const fn hash(self) -> HashAlg {
        match self {
            Self::Md5 => HashAlg::Md5,
            Self::Sha1 => HashAlg::Sha1,
            Self::Sha256 => HashAlg::Sha256,
            Self::Sha384 => HashAlg::Sha384,
            Self::Sha512 => HashAlg::Sha512,
        }
    }

    /// Key length in bytes.
    pub const fn key_len(self) -> usize {
        self.hash().output_len()
    }

    /// Length in bytes of the truncated ICV on the wire.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha256 => 16,
            Self::Sha384 => 24,
            Self::Sha512 => 32,
        }
    }
}

/// The algorithms of an ESP SA. There is no encryption without integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EspSuite {
    cipher: EspCipher,
    auth: Option<EspAuth>,
}

impl EspSuite {
    /// Combines a cipher with its integrity algorithm: an AEAD takes none, every other cipher needs
    /// one.
    pub const fn new(cipher: EspCipher, auth: Option<EspAuth>) -> Option<Self> {
        if cipher.is_aead() == auth.is_none() { Some(Self { cipher, auth }) } else { None }
    }

    /// The cipher.
    pub const fn cipher(self) -> EspCipher {
        self.cipher
    }

    /// The integrity algorithm; `None` for an AEAD.
    pub const fn auth(self) -> Option<EspAuth> {
        self.auth
    }

    /// Length in bytes of the ICV that ends every packet.
    pub const fn icv_len(self) -> usize {
        match self.auth {
            Some(auth) => auth.icv_len(),
            None => 16,
        }
    }

    /// Bytes of KEYMAT one direction needs: cipher key, salt, integrity key.
    pub const fn keymat_len(self) -> usize {
        let auth = match self.auth {
            Some(auth) => auth.key_len(),
            None => 0,
        };
        self.cipher.key_len() + self.cipher.salt_len() + auth
    }
}
