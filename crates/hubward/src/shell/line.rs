//! What may be a command: a text that arrives whole. What is cut off, or has bytes that are no
//! text, is refused as a whole, because the rest of a command may be another command.

/// Bytes of what one connection asks: an SSH command, or the lines on the control socket.
pub(crate) const BYTES: usize = 4096;

/// Why something is no command. Nothing of it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// More than [`BYTES`].
    #[error("% That is longer than {BYTES} bytes; nothing was done\n")]
    TooLong,
    /// A command is one line.
    #[error("% A command is one line; nothing was done\n")]
    SeveralLines,
    /// Not UTF-8, or control characters.
    #[error("% That has control characters, or bytes that are not UTF-8; nothing was done\n")]
    NotText,
}

/// The lines of a text. Each may end with a line feed, or with a carriage return and a line feed.
///
/// # Errors
/// It is too long or no text.
pub(crate) fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = &str>, Unfit> {
    if bytes.len() > BYTES {
        return Err(Unfit::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unfit::NotText)?;
    if text.lines().any(|line| line.contains(|character: char| character.is_control() && character != '\t')) {
        return Err(Unfit::NotText);
    }
    Ok(text.lines())
}

/// The text of one command, without the end of its line.
///
/// # Errors
/// It is too long, no text, or several lines.
pub(crate) fn command(bytes: &[u8]) -> Result<&str, Unfit> {
    let mut lines = lines(bytes)?;
    let first = lines.next().unwrap_or_default();
    match lines.all(|line| line.trim().is_empty()) {
        true => Ok(first),
        false => Err(Unfit::SeveralLines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_command_and_one_byte_more() {
        let text = "x".repeat(BYTES);
        assert_eq!(command(text.as_bytes()), Ok(text.as_str()));
        assert_eq!(command("x".repeat(BYTES + 1).as_bytes()), Err(Unfit::TooLong));
        // what is cut off must not make a text of it
        let cut = [&vec![b' '; BYTES - 1][..], "é".as_bytes()].concat();
        assert_eq!(command(&cut), Err(Unfit::TooLong));
    }

    #[test]
    fn control_characters_and_bytes_that_are_no_text_make_no_command() {
        for bytes in [
            &b"show\0version"[..],
            b"show version\0",
            b"reload\x08\x08\x08\x08\x08\x08show version",
            b"\x1b[Ashow version",
            b"show version\x03",
            b"show\rreload",
            b"show version\x7f",
            b"show \xff version",
            b"show version\xc3",
            b"show\xc2\x85version",
        ] {
            assert_eq!(command(bytes), Err(Unfit::NotText), "{bytes:?}");
            assert!(lines(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(command(b"show\tversion\r\n"), Ok("show\tversion"));
        assert_eq!(command("hostname Café".as_bytes()), Ok("hostname Café"));
        assert_eq!(command(b""), Ok(""));
    }

    #[test]
    fn one_command_is_one_line() {
        assert_eq!(command(b"show version\nreload"), Err(Unfit::SeveralLines));
        assert_eq!(command(b"\nreload"), Err(Unfit::SeveralLines));
        assert_eq!(command(b"show version\n\n"), Ok("show version"));
        assert_eq!(lines(b"a\r\nb\n").unwrap().collect::<Vec<_>>(), ["a", "b"]);
    }
}
