//! Bytes of a terminal to keystrokes.

/// A keystroke, by what IOS does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable character.
    Char(char),
    /// Carriage return, line feed, or both.
    Enter,
    /// `?`: help, now.
    Help,
    /// Tab: complete the word.
    Complete,
    /// Erase the character before the cursor: Backspace, Delete.
    Backspace,
    /// Ctrl-D: erase the character under the cursor.
    Delete,
    /// Ctrl-A.
    Start,
    /// Ctrl-E.
    End,
    /// Ctrl-B, left arrow.
    Left,
    /// Ctrl-F, right arrow.
    Right,
    /// Esc B.
    WordLeft,
    /// Esc F.
    WordRight,
    /// Ctrl-P, up arrow.
    Older,
    /// Ctrl-N, down arrow.
    Newer,
    /// Ctrl-U and Ctrl-X: erase from the start of the line to the cursor.
    KillBefore,
    /// Ctrl-K: erase from the cursor to the end of the line.
    KillAfter,
    /// Ctrl-W: erase the word before the cursor.
    KillWord,
    /// Esc D: erase the word after the cursor.
    KillWordAfter,
    /// Ctrl-Y: insert what was erased last.
    Yank,
    /// Ctrl-T: swap two characters.
    Transpose,
    /// Ctrl-L and Ctrl-R: print the line again.
    Redraw,
    /// Ctrl-C: give the line up.
    Interrupt,
    /// Ctrl-Z: take the line, and leave configuration mode.
    Leave,
}

/// Turns bytes into keys; keeps what an escape sequence or a character that is cut in two leaves
/// over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    state: State,
    /// Something came that is neither a character nor a key.
    broken: bool,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Ground,
    /// After a carriage return: a line feed or a NUL that follows belongs to it.
    Return,
    /// After Ctrl-V: the next character is a character.
    Quoted,
    Escape,
    /// In `ESC [` or `ESC O`, with the parameter bytes so far.
    Sequence(u8),
    /// In a character of several bytes.
    Utf8 {
        bytes: [u8; 4],
        have: usize,
        want: usize,
    },
}

/// Bytes of a control sequence before it is given up.
const SEQUENCE: u8 = 16;

impl Keys {
    /// Whether something came since the last question that is neither a character nor a key: bytes
    /// that are not UTF-8, or a control character without a meaning. A line is not the same without
    /// it.
    pub(crate) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// The keystroke that a byte ends, if it ends one.
    pub(crate) fn byte(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Return if matches!(byte, b'\n' | 0) => None,
            State::Ground | State::Return => self.ground(byte),
            State::Quoted => {
                let printable = byte.is_ascii_graphic() || byte == b' ';
                if printable { Some(Key::Char(char::from(byte))) } else { self.ground(byte) }
            }
            State::Escape => match byte {
                b'[' | b'O' => {
                    self.state = State::Sequence(0);
                    None
                }
                b'b' | b'B' => Some(Key::WordLeft),
                b'f' | b'F' => Some(Key::WordRight),
                b'd' | b'D' => Some(Key::KillWordAfter),
                0x7f | 0x08 => Some(Key::KillWord),
                _ => None,
            },
            State::Sequence(read) => match byte {
                b'A' => Some(Key::Older),
                b'B' => Some(Key::Newer),
                b'C' => Some(Key::Right),
                b'D' => Some(Key::Left),
                b'H' => Some(Key::Start),
                b'F' => Some(Key::End),
                0x40..=0x7d => None,
                b'~' => Some(Key::Delete),
                _ if read < SEQUENCE => {
                    self.state = State::Sequence(read + 1);
                    None
                }
                _ => None,
            },
            State::Utf8 { mut bytes, have, want } => {
                if byte & 0xc0 != 0x80 {
                    self.broken = true;
                    return self.ground(byte);
                }
                if let Some(place) = bytes.get_mut(have) {
                    *place = byte;
                }
                if have + 1 < want {
                    self.state = State::Utf8 { bytes, have: have + 1, want };
                    return None;
                }
                let text = bytes.get(..want).and_then(|bytes| std::str::from_utf8(bytes).ok());
                let character = text.and_then(|text| text.chars().next());
                let printable = character.filter(|character| !character.is_control());
                self.broken |= printable.is_none();
                printable.map(Key::Char)
            }
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        let control = |letter: u8| letter & 0x1f;
        Some(match byte {
            b'\r' => {
                self.state = State::Return;
                Key::Enter
            }
            b'\n' => Key::Enter,
            b'?' => Key::Help,
            b'\t' => Key::Complete,
            0x08 | 0x7f => Key::Backspace,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            _ if byte == control(b'a') => Key::Start,
            _ if byte == control(b'b') => Key::Left,
            _ if byte == control(b'c') => Key::Interrupt,
            _ if byte == control(b'd') => Key::Delete,
            _ if byte == control(b'e') => Key::End,
            _ if byte == control(b'f') => Key::Right,
            _ if byte == control(b'k') => Key::KillAfter,
            _ if byte == control(b'l') || byte == control(b'r') => Key::Redraw,
            _ if byte == control(b'n') => Key::Newer,
            _ if byte == control(b'p') => Key::Older,
            _ if byte == control(b't') => Key::Transpose,
            _ if byte == control(b'u') || byte == control(b'x') => Key::KillBefore,
            _ if byte == control(b'v') => {
                self.state = State::Quoted;
                return None;
            }
            _ if byte == control(b'w') => Key::KillWord,
            _ if byte == control(b'y') => Key::Yank,
            _ if byte == control(b'z') => Key::Leave,
            b' '..=b'~' => Key::Char(char::from(byte)),
            0xc2..=0xf4 => {
                let want = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                self.state = State::Utf8 { bytes: [byte, 0, 0, 0], have: 1, want };
                return None;
            }
            // flow control
            _ if byte == control(b'q') || byte == control(b's') => return None,
            _ => {
                self.broken = true;
                return None;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.byte(*byte)).collect()
    }

    #[test]
    fn a_line_end_is_one_key_however_it_is_sent() {
        let one = [Key::Char('a'), Key::Enter, Key::Char('b')];
        assert_eq!(keys(b"a\rb"), one);
        assert_eq!(keys(b"a\nb"), one);
        assert_eq!(keys(b"a\r\nb"), one);
        assert_eq!(keys(b"a\r\0b"), one);
        assert_eq!(keys(b"\r\r\n\n"), [Key::Enter, Key::Enter, Key::Enter]);
    }

    #[test]
    fn arrows_and_unknown_sequences() {
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[D"), [Key::Older, Key::Newer, Key::Right, Key::Left]);
        assert_eq!(keys(b"\x1b[200~x\x1b[5nq"), [Key::Delete, Key::Char('x'), Key::Char('q')]);
        assert_eq!(keys(b"\x1bb\x1bf\x1bz"), [Key::WordLeft, Key::WordRight]);
    }

    #[test]
    fn a_question_mark_is_help_unless_quoted() {
        assert_eq!(keys(b"?\x16?"), [Key::Help, Key::Char('?')]);
    }

    #[test]
    fn characters_of_several_bytes_and_broken_ones() {
        assert_eq!(keys("é€".as_bytes()), [Key::Char('é'), Key::Char('€')]);
        assert_eq!(keys(b"\xc3a\xff\x80b"), [Key::Char('a'), Key::Char('b')]);
        // U+0085 is a control character
        assert_eq!(keys(b"\xc2\x85c"), [Key::Char('c')]);
    }

    #[test]
    fn what_is_neither_a_character_nor_a_key_is_told() {
        for (bytes, broken) in [
            (&b"show version\r"[..], false),
            ("é€\r".as_bytes(), false),
            (b"\x1b[A\x1bOB\r\0\x11\x13", false),
            (b"a\0b", true),
            (b"\xffa", true),
            (b"\xc3a", true),
            (b"\xe2\x82", false),
            (b"\xe2\x82\r", true),
            (b"\x80", true),
            (b"\xed\xa0\x80", true),
            (b"\xc2\x85", true),
            (b"\x1c", true),
        ] {
            let mut keys = Keys::default();
            for byte in bytes {
                let _key = keys.byte(*byte);
            }
            assert_eq!(keys.take_broken(), broken, "{bytes:?}");
            assert!(!keys.take_broken());
        }
    }

    #[test]
    fn an_endless_sequence_ends() {
        let mut bytes = b"\x1b[".to_vec();
        bytes.extend([b'1'; 40]);
        assert!(keys(&bytes).len() >= 20, "the rest is text again");
    }
}
