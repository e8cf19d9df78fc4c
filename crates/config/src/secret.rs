//! Passwords and keys as the configuration spells them.

use crate::form::words;
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

/// Whether what follows a word is, or may be, a secret: IOS's keywords for them and their abbreviations.
fn announces_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let abbreviates = |keyword: &str| word.len() >= 2 && keyword.starts_with(&word);
    ["k", "key", "md5", "psk"].contains(&word.as_str())
        || ["password", "secret", "key-string", "community", "passphrase"].into_iter().any(abbreviates)
        || word.ends_with("-key")
        || word.ends_with("-psk")
}

/// The front of a configuration line up to where a secret may begin: what a message, a log or a screen may show.
pub fn public_part(line: &str) -> &str {
    let words = words(line);
    // of a keyring's key, whose it is may be seen: the key itself is behind its own word
    let whose = match words.as_slice() {
        [first, of, ..] if first.text.eq_ignore_ascii_case("pre-shared-key") => {
            ["address", "hostname"].contains(&of.text) && words.iter().any(|word| word.text == "key")
        }
        _ => false,
    };
    // these families name secrets by words that are none elsewhere
    let family = words.iter().map(|word| word.text.to_ascii_lowercase()).find(|word| word != "no");
    let more: &[&str] = match family.as_deref() {
        Some("standby" | "vrrp" | "glbp") => &["authentication"],
        Some("snmp-server") => &["host", "sha", "priv"],
        _ => &[],
    };
    let also =
        |word: &str| more.iter().any(|known| word.len() > 2 && known.starts_with(&word.to_ascii_lowercase()));
    let mut behind = words.into_iter().skip(usize::from(whose));
    let secret = behind.find(|word| announces_secret(word.text) || also(word.text));
    let end = secret.map_or(line.len(), |word| {
        usize::try_from(word.column.saturating_sub(1)).unwrap_or(0).saturating_add(word.text.len())
    });
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::public_part;

    #[test]
    fn secrets_are_cut_off() {
        for line in [
            "crypto isakmp key SECRET address 0.0.0.0",
            "crypto isakmp k SECRET",
            " pre-shared-key address 10.0.0.1 key SECRET",
            "username x password 0 SECRET",
            "username\tx\tpass\t0\tSECRET",
            "enable sec 5 SECRET",
            " key-string SECRET",
            "snmp-server community SECRET RO",
            " ip ospf message-digest-key 1 md5 SECRET",
            "ntp authentication-key 1 md5 SECRET",
            " wpa-psk ascii 0 SECRET",
            "ENABLE PASSWORD SECRET",
            " standby 1 authentication SECRET",
            " vrrp 1 auth text SECRET",
            "snmp-server host 10.0.0.1 version 2c SECRET",
            "snmp-server user a b v3 auth sha SECRET priv aes 128 SECRET",
        ] {
            assert!(!public_part(line).contains("SECRET"), "{line}: {}", public_part(line));
        }
        for (line, shown) in [
            (
                " pre-shared-key address 0.0.0.0 0.0.0.0 key SECRET",
                " pre-shared-key address 0.0.0.0 0.0.0.0 key",
            ),
            (" pre-shared-key hostname hub.example key 6 SECRET", " pre-shared-key hostname hub.example key"),
            (" pre-shared-key address SECRET", " pre-shared-key"),
        ] {
            assert_eq!(public_part(line), shown);
        }
        for line in [
            " authentication pre-share",
            "interface FastEthernet0/0",
            " set peer 10.0.0.1",
            "crypto keyring spokes",
            "é\u{a0}x",
        ] {
            assert_eq!(public_part(line), line);
        }
    }
}
