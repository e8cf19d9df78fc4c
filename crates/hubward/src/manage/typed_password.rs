//! Passwords that are entered in clear text at a console are not stored so, as on IOS: a `secret`
//! is hashed (type 9), and a `password` is obfuscated (type 7) with `service password-encryption`.
//! Passwords in a file stay as written.

use hubward_config::edit::Position;
use hubward_config::spell_out;
use hubward_crypto::password::{encode_type7, encode_type9};
use hubward_linux::random;

/// The line to enter instead of one with a clear-text password; `None` for any other.
pub(crate) fn protect(line: &str, position: &Position, obfuscate: bool) -> Option<String> {
    // in a line's mode, every global command is understood too
    let spelled = spell_out(&format!("line vty 0\n{line}"));
    let spelled = spelled.lines().nth(1)?.trim();
    let words: Vec<&str> = spelled.split_whitespace().collect();
    let (kind, place) = password_in(&words, position)?;
    // the password is the rest of the line, with its blanks
    let (before, rest) = spelled.split_at_checked(offset(spelled, place)?)?;
    let clear = match rest.split_once(char::is_whitespace) {
        Some(("0", clear)) => clear.trim_start(),
        Some(("4" | "5" | "6" | "7" | "8" | "9", _)) => return None,
        _ => rest,
    };
    let random = random::seed().ok()?;
    let stored = match kind {
        Kind::Secret => format!("9 {}", encode_type9(clear.as_bytes(), *random.first_chunk()?).ok()?),
        Kind::Password if obfuscate => format!("7 {}", encode_type7(clear, random.first()? & 15)),
        Kind::Password => return None,
    };
    Some(format!("{before}{stored}"))
}

/// Where a word of a line begins.
fn offset(line: &str, word: usize) -> Option<usize> {
    let starts = line.char_indices().filter(|(place, letter)| {
        let before = line.get(..*place).and_then(|before| before.chars().next_back());
        !letter.is_whitespace() && before.is_none_or(char::is_whitespace)
    });
    starts.map(|(place, _)| place).nth(word)
}

#[derive(Clone, Copy)]
enum Kind {
    Password,
    Secret,
}

/// The kind of the password in a command in full spelling, and its position, including its type if
/// it has one.
fn password_in(words: &[&str], position: &Position) -> Option<(Kind, usize)> {
    let kind = |keyword: &str| match keyword {
        "secret" => Some(Kind::Secret),
        "password" => Some(Kind::Password),
        _ => None,
    };
    match words {
        ["enable", keyword, "level", ..] => Some((kind(keyword)?, 4)),
        ["enable", keyword, ..] => Some((kind(keyword)?, 2)),
        ["password", ..] if position.prompt() == "config-line" => Some((Kind::Password, 1)),
        // after its name, its options come before the password
        ["username", _, options @ ..] => {
            let place = options.iter().position(|word| kind(word).is_some())?;
            Some((kind(options.get(place)?)?, place + 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_config::edit::enter;
    use hubward_crypto::password::verify;

    fn protected(line: &str, obfuscate: bool) -> Option<String> {
        protect(line, &Position::default(), obfuscate)
    }

    #[test]
    fn a_secret_is_hashed() {
        for (line, start, clear) in [
            ("username a privilege 15 secret zebra", "username a privilege 15 secret 9 ", "zebra"),
            ("  usern a sec 0 zebra", "username a secret 9 ", "zebra"),
            ("username a view v secret zebra", "username a view v secret 9 ", "zebra"),
            ("enable secret zebra", "enable secret 9 ", "zebra"),
            ("ena sec level 7 0 zebra", "enable secret level 7 9 ", "zebra"),
            // the rest of the line is the password
            ("username a secret zebra privilege 15", "username a secret 9 ", "zebra privilege 15"),
            ("enable secret 0 zebra  foo", "enable secret 9 ", "zebra  foo"),
        ] {
            let made = protected(line, false).unwrap();
            assert!(!made.contains("zebra"), "{made}");
            let stored = made.strip_prefix(start).unwrap_or_else(|| panic!("{line}: {made}"));
            assert!(verify(9, stored, clear.as_bytes()).unwrap(), "{made}");
        }
        assert_ne!(
            protected("enable secret x", false),
            protected("enable secret x", false),
            "the salt is random"
        );
    }

    #[test]
    fn a_password_is_obfuscated_where_the_configuration_says_so() {
        for (line, start) in [
            ("username a password zebra", "username a password 7 "),
            ("username a privilege 1 pass 0 zebra", "username a privilege 1 password 7 "),
            ("enable password zebra", "enable password 7 "),
        ] {
            assert_eq!(protected(line, false), None);
            let made = protected(line, true).unwrap();
            assert!(verify(7, made.strip_prefix(start).unwrap(), b"zebra").unwrap(), "{made}");
        }
        let vty = enter("", &Position::default(), "line vty 0 4").unwrap().position;
        let made = protect("pass zebra", &vty, true).unwrap();
        assert!(verify(7, made.strip_prefix("password 7 ").unwrap(), b"zebra").unwrap(), "{made}");
        assert_eq!(protected("password zebra", true), None, "no command of the global mode");
    }

    #[test]
    fn what_is_stored_already_stays() {
        for line in [
            "username a secret 5 $1$28772684$iEwNOgGugqO9.bIz5sk8k/",
            "username a password 7 121A0C041104",
            "no username a",
            "username a privilege 15",
            "enable secret",
            "hostname secret",
            "crypto isakmp key zebra address 10.1.1.1",
            "",
        ] {
            assert_eq!(protected(line, true), None, "{line}");
        }
    }
}
