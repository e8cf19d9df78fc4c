//! Passwords and keys as the configuration spells them.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password or key with its type number (0 clear, 5 MD5-crypt, 6 AES, 7 obfuscated, 8 PBKDF2, 9 scrypt). `Debug` shows
/// the type only; decoding is the caller's.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password {
    kind: u8,
    text: String,
}

impl Password {
    /// A password of a type, as written.
    pub fn new(kind: u8, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Type number.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// The text as written.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Password(type {})", self.kind)
    }
}
