//! The line that is being typed: keys in, what the terminal must be sent out. It needs nothing of a
//! terminal but backspace, so that it works on every one, and on a log of the session too.

use super::key::Key;
use std::collections::VecDeque;

/// Characters of a line; IOS takes 254. A longer line is refused as a whole.
pub(super) const LINE: usize = 1024;
/// Lines of history; IOS keeps 20.
const HISTORY: usize = 20;

/// What a key asks of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing but what was echoed.
    Nothing,
    /// A whole line.
    Line(String),
    /// A whole line, after which configuration mode ends.
    Leave(String),
    /// A line of which something was not taken, with what was taken of it: it must not be obeyed.
    Refused {
        line: String,
        why: Flaw,
        /// Configuration mode ends after it.
        leave: bool,
    },
    /// Help for the line up to here.
    Help(String),
    /// Completion of the last word of this.
    Complete(String),
    /// The line was given up.
    Interrupt,
}

/// Why a line is not what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// More than [`LINE`] characters.
    #[error("the line is longer than {LINE} characters; nothing was done")]
    TooLong,
    /// Bytes that are not UTF-8, or control characters.
    #[error("the line has control characters, or bytes that are not UTF-8; nothing was done")]
    NotText,
}

/// Whether typed characters are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    Shown,
    /// A password.
    Hidden,
    /// An answer or raw text: shown, but no command.
    Text,
}

/// A line editor with history.
#[derive(Debug)]
pub(crate) struct Editor {
    prompt: String,
    echo: Echo,
    line: Vec<char>,
    /// Why the line is not what was typed, until something of it is erased: then whoever types
    /// looks at it.
    flaw: Option<Flaw>,
    cursor: usize,
    killed: Vec<char>,
    history: VecDeque<String>,
    /// Where in the history the line comes from, from 1 for the newest; 0 for the line that is
    /// being typed.
    place: usize,
    /// The line that was being typed when the history was entered.
    draft: Vec<char>,
    /// Columns; 0 has no end.
    width: usize,
    /// First character that is shown, and how many columns are used after the prompt.
    first: usize,
    shown: usize,
    /// Column of the cursor, after the prompt.
    column: usize,
}

impl Editor {
    pub(crate) fn new() -> Self {
        Self {
            prompt: String::new(),
            echo: Echo::Shown,
            line: Vec::new(),
            flaw: None,
            cursor: 0,
            killed: Vec::new(),
            history: VecDeque::new(),
            place: 0,
            draft: Vec::new(),
            width: 80,
            first: 0,
            shown: 0,
            column: 0,
        }
    }

    /// `terminal width`; 0 has no end.
    pub(crate) fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Starts a line after a prompt, with text that is typed already.
    pub(crate) fn begin(&mut self, prompt: &str, echo: Echo, typed: &str, out: &mut String) {
        self.prompt = prompt.to_string();
        self.echo = echo;
        self.line = typed.chars().collect();
        self.flaw = None;
        self.cursor = self.line.len();
        self.place = 0;
        self.print(out);
    }

    /// Commands of this session, newest last.
    pub(crate) fn history(&self) -> impl Iterator<Item = &str> {
        self.history.iter().map(String::as_str)
    }

    /// Prints prompt and line again at the start of a line.
    pub(crate) fn print(&mut self, out: &mut String) {
        out.push_str(&self.prompt);
        (self.first, self.shown, self.column) = (0, 0, 0);
        self.show(0, out);
    }

    /// A key was struck.
    pub(crate) fn key(&mut self, key: Key, out: &mut String) -> Asked {
        match key {
            Key::Char(character) => self.insert(&[character], out),
            Key::Enter => {
                let flaw = self.flaw;
                let line = self.take(out);
                return flaw.map_or(Asked::Line(line.clone()), |why| Asked::Refused {
                    line,
                    why,
                    leave: false,
                });
            }
            Key::Leave => {
                let flaw = self.flaw;
                let line = self.take_with("^Z", out);
                return flaw.map_or(Asked::Leave(line.clone()), |why| Asked::Refused {
                    line,
                    why,
                    leave: true,
                });
            }
            Key::Interrupt => {
                self.take_with("^C", out);
                return Asked::Interrupt;
            }
            Key::Help if self.echo != Echo::Shown => self.insert(&['?'], out),
            Key::Help => {
                // the whole line is kept; help is for the text before the cursor
                let before: String = self.line.iter().take(self.cursor).collect();
                out.push_str("?\r\n");
                (self.first, self.shown, self.column) = (0, 0, 0);
                return Asked::Help(before);
            }
            Key::Complete if self.echo == Echo::Shown && self.cursor == self.line.len() => {
                return Asked::Complete(self.line.iter().collect());
            }
            Key::Complete => {}
            Key::Backspace => self.cut(self.cursor.saturating_sub(1), self.cursor, false, out),
            Key::Delete => self.cut(self.cursor, self.cursor + 1, false, out),
            Key::KillBefore => self.cut(0, self.cursor, true, out),
            Key::KillAfter => self.cut(self.cursor, self.line.len(), true, out),
            Key::KillWord => self.cut(self.word_before(), self.cursor, true, out),
            Key::KillWordAfter => self.cut(self.cursor, self.word_after(), true, out),
            Key::Yank => self.insert(&self.killed.clone(), out),
            Key::Start => self.go(0, out),
            Key::End => self.go(self.line.len(), out),
            Key::Left => self.go(self.cursor.saturating_sub(1), out),
            Key::Right => self.go(self.cursor + 1, out),
            Key::WordLeft => self.go(self.word_before(), out),
            Key::WordRight => self.go(self.word_after(), out),
            Key::Older => self.recall(self.place + 1, out),
            Key::Newer => self.recall(self.place.saturating_sub(1), out),
            Key::Transpose => {
                let place =
                    if self.cursor == self.line.len() { self.cursor.saturating_sub(1) } else { self.cursor };
                if place > 0 && place < self.line.len() {
                    self.line.swap(place - 1, place);
                    self.cursor = place + 1;
                    self.show(place - 1, out);
                }
            }
            Key::Redraw => {
                out.push_str("\r\n");
                self.print(out);
            }
        }
        Asked::Nothing
    }

    /// Something was typed that the line cannot hold.
    pub(crate) fn spoil(&mut self, why: Flaw, out: &mut String) {
        out.push('\x07');
        self.flaw.get_or_insert(why);
    }

    /// The typed text, without taking it.
    #[cfg(test)]
    fn typed(&self) -> String {
        self.line.iter().collect()
    }

    fn take(&mut self, out: &mut String) -> String {
        self.take_with("", out)
    }

    fn take_with(&mut self, mark: &str, out: &mut String) -> String {
        self.go(self.line.len(), out);
        out.push_str(mark);
        out.push_str("\r\n");
        (self.first, self.shown, self.column) = (0, 0, 0);
        let line: String = std::mem::take(&mut self.line).into_iter().collect();
        self.cursor = 0;
        self.place = 0;
        let whole = self.flaw.take().is_none();
        let worth_keeping = self.echo == Echo::Shown && whole && !line.trim().is_empty();
        if worth_keeping && self.history.back() != Some(&line) {
            self.history.push_back(line.clone());
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        line
    }

    fn insert(&mut self, characters: &[char], out: &mut String) {
        let room = LINE.saturating_sub(self.line.len());
        if characters.len() > room {
            self.spoil(Flaw::TooLong, out);
        }
        let from = self.cursor;
        for character in characters.iter().take(room) {
            self.line.insert(self.cursor.min(self.line.len()), *character);
            self.cursor += 1;
        }
        self.show(from, out);
    }

    fn cut(&mut self, from: usize, to: usize, keep: bool, out: &mut String) {
        let (from, to) = (from.min(self.line.len()), to.min(self.line.len()));
        if from >= to {
            return;
        }
        let cut: Vec<char> = self.line.drain(from..to).collect();
        self.flaw = None;
        if keep && self.echo != Echo::Hidden {
            self.killed = cut;
        }
        self.cursor = from;
        self.show(from, out);
    }

    fn go(&mut self, to: usize, out: &mut String) {
        self.cursor = to.min(self.line.len());
        self.show(self.line.len(), out);
    }

    fn recall(&mut self, place: usize, out: &mut String) {
        if self.echo == Echo::Hidden || place > self.history.len() || place == self.place {
            return;
        }
        if self.place == 0 {
            self.draft = self.line.clone();
        }
        self.place = place;
        self.flaw = None;
        self.line = match place.checked_sub(1) {
            None => std::mem::take(&mut self.draft),
            Some(back) => {
                self.history.iter().rev().nth(back).map(|line| line.chars().collect()).unwrap_or_default()
            }
        };
        self.cursor = self.line.len();
        self.show(0, out);
    }

    fn word_before(&self) -> usize {
        let before = self.line.get(..self.cursor).unwrap_or_default();
        let blanks = before.iter().rev().take_while(|character| **character == ' ').count();
        let word = before.iter().rev().skip(blanks).take_while(|character| **character != ' ').count();
        self.cursor - blanks - word
    }

    fn word_after(&self) -> usize {
        let after = self.line.get(self.cursor..).unwrap_or_default();
        let blanks = after.iter().take_while(|character| **character == ' ').count();
        let word = after.iter().skip(blanks).take_while(|character| **character != ' ').count();
        self.cursor + blanks + word
    }

    /// Brings the screen in line with the line, which is unchanged before `from`.
    fn show(&mut self, from: usize, out: &mut String) {
        if self.echo == Echo::Hidden {
            return;
        }
        let room = match self.width {
            0 => usize::MAX,
            width => width.saturating_sub(self.prompt.chars().count() + 2).max(8),
        };
        // a line that is too long slides under the prompt, as far as keeps the cursor in view
        let first = match () {
            () if self.line.len() <= room => 0,
            () if self.cursor < self.first => self.cursor.saturating_sub(room / 2),
            () if self.cursor > self.first + room => self.cursor - room + room / 4,
            () => self.first,
        };
        let from = if first == self.first { from.max(first) } else { first };
        self.first = first;
        let window: Vec<char> = self.line.iter().skip(first).take(room).copied().collect();
        let unchanged = (from - first).min(window.len());
        if unchanged < window.len() || window.len() < self.shown {
            self.move_to(unchanged, &window, out);
            out.extend(window.iter().skip(unchanged));
            let blanks = self.shown.saturating_sub(window.len());
            out.extend(std::iter::repeat_n(' ', blanks));
            self.column = window.len() + blanks;
            self.shown = window.len();
        }
        self.move_to(self.cursor - first, &window, out);
    }

    fn move_to(&mut self, column: usize, window: &[char], out: &mut String) {
        out.extend(std::iter::repeat_n('\x08', self.column.saturating_sub(column)));
        out.extend(window.iter().skip(self.column).take(column.saturating_sub(self.column)));
        self.column = column;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::key::Keys;

    /// A terminal of one row that knows printable characters, backspace, CR and LF.
    #[derive(Default)]
    struct Screen {
        row: Vec<char>,
        column: usize,
    }

    impl Screen {
        fn feed(&mut self, text: &str) {
            for character in text.chars() {
                match character {
                    '\x08' => self.column -= 1,
                    '\r' => self.column = 0,
                    '\n' => (self.row, self.column) = (Vec::new(), 0),
                    '\x07' => {}
                    _ => {
                        if self.column == self.row.len() {
                            self.row.push(character);
                        } else {
                            self.row[self.column] = character;
                        }
                        self.column += 1;
                    }
                }
            }
        }

        fn text(&self) -> String {
            self.row.iter().collect::<String>().trim_end().to_string()
        }
    }

    fn typed(editor: &mut Editor, screen: &mut Screen, bytes: &[u8]) -> Vec<Asked> {
        let mut keys = Keys::default();
        let mut asked = Vec::new();
        for key in bytes.iter().filter_map(|byte| keys.byte(*byte)) {
            let mut out = String::new();
            asked.push(editor.key(key, &mut out));
            screen.feed(&out);
        }
        asked.retain(|asked| *asked != Asked::Nothing);
        asked
    }

    fn begun(prompt: &str, width: usize) -> (Editor, Screen) {
        let (mut editor, mut screen) = (Editor::new(), Screen::default());
        editor.set_width(width);
        let mut out = String::new();
        editor.begin(prompt, Echo::Shown, "", &mut out);
        screen.feed(&out);
        (editor, screen)
    }

    #[test]
    fn editing_keys_do_what_they_do_on_ios() {
        for (bytes, expected) in [
            (&b"show versoin\x08\x08\x08ion"[..], "show version"),
            (b"how version\x01s", "show version"),
            (b"show ip\x17crypto", "show crypto"),
            (b"abc def\x01\x1bf\x0b", "abc"),
            (b"garbage\x15show", "show"),
            (b"sohw\x02\x02\x14", "show"),
            (b"abc\x02\x02\x04", "ac"),
            (b"one two\x17\x15\x19 x", "one  x"),
            (b"abc\x1b[D\x1b[DX\x1b[CY", "aXbYc"),
        ] {
            let (mut editor, mut screen) = begun("Hub#", 80);
            typed(&mut editor, &mut screen, bytes);
            let shown = screen.text();
            assert_eq!(
                shown.strip_prefix("Hub#"),
                Some(editor.typed().trim_end()),
                "the screen lies after {bytes:?}"
            );
            if expected != "one  x" {
                assert_eq!(editor.typed(), expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn the_screen_never_lies() {
        // every key after every other, on a narrow terminal, with the cursor compared too
        let keys: Vec<Vec<u8>> = [1u8, 2, 4, 5, 6, 8, 11, 14, 16, 20, 21, 23, 24, 25]
            .iter()
            .map(|key| vec![*key])
            .chain([b"word ".to_vec(), b"x".to_vec(), b"a longer piece of text".to_vec(), b"\x1bb".to_vec()])
            .collect();
        let mut seed = 7u32;
        for width in [20, 30, 80, 0] {
            let (mut editor, mut screen) = begun("Hub(config)#", width);
            for _ in 0..3000 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let pick = &keys[(seed >> 16) as usize % keys.len()];
                typed(&mut editor, &mut screen, pick);
                let shown = screen.text();
                let window: String = editor.line.iter().skip(editor.first).take(editor.shown).collect();
                assert_eq!(shown, format!("Hub(config)#{window}").trim_end());
                assert_eq!(screen.column, 12 + editor.cursor - editor.first);
                assert!(width == 0 || screen.column < width.max(24), "column {}", screen.column);
            }
        }
    }

    #[test]
    fn history_goes_back_and_forth_and_keeps_the_draft() {
        let (mut editor, mut screen) = begun("Hub#", 80);
        typed(&mut editor, &mut screen, b"first\rsecond\rsecond\r   \rdra");
        assert_eq!(editor.history().collect::<Vec<_>>(), ["first", "second"]);
        typed(&mut editor, &mut screen, b"\x10\x10\x10");
        assert_eq!(editor.typed(), "first");
        typed(&mut editor, &mut screen, b"\x0e\x0e");
        assert_eq!(editor.typed(), "dra");
    }

    #[test]
    fn a_password_is_neither_shown_nor_remembered() {
        let (mut editor, mut screen) = begun("Hub#", 80);
        let mut out = String::new();
        editor.begin("Password: ", Echo::Hidden, "", &mut out);
        screen.feed("\n");
        screen.feed(&out);
        let asked = typed(&mut editor, &mut screen, b"sec?ret");
        assert_eq!(screen.text(), "Password:");
        assert!(asked.is_empty());
        assert_eq!(typed(&mut editor, &mut screen, b"\r"), [Asked::Line("sec?ret".into())]);
        assert_eq!(editor.history().count(), 0);
    }

    #[test]
    fn help_keeps_the_line_and_a_line_has_an_end() {
        let (mut editor, mut screen) = begun("Hub#", 80);
        assert_eq!(typed(&mut editor, &mut screen, b"show c?"), [Asked::Help("show c".into())]);
        assert_eq!(editor.typed(), "show c");
        let long = vec![b'a'; 5000];
        typed(&mut editor, &mut screen, &long);
        assert_eq!(editor.typed().len(), LINE);
    }

    /// As many characters as a line takes, and one more, with which it is no line; somebody who
    /// erases the end sees what he has.
    #[test]
    fn a_line_that_is_too_long_is_not_cut_and_obeyed() {
        let (mut editor, mut screen) = begun("Hub#", 80);
        let long = |characters: usize| "a".repeat(characters);
        let asked = typed(&mut editor, &mut screen, format!("{}\r", long(LINE)).as_bytes());
        assert_eq!(asked, [Asked::Line(long(LINE))]);
        for (end, leave) in [("\r", false), ("\x1a", true)] {
            let asked = typed(&mut editor, &mut screen, format!("{}{end}", long(LINE + 1)).as_bytes());
            assert_eq!(asked, [Asked::Refused { line: long(LINE), why: Flaw::TooLong, leave }]);
        }
        assert_eq!(editor.history().count(), 1, "what was refused is not kept");
        let mended = format!("{}\x08b\r", long(LINE + 9));
        let asked = typed(&mut editor, &mut screen, mended.as_bytes());
        assert_eq!(asked, [Asked::Line(long(LINE - 1) + "b")]);
        // a line after a refused one is a line
        typed(&mut editor, &mut screen, format!("{}\r", long(LINE + 1)).as_bytes());
        assert_eq!(typed(&mut editor, &mut screen, b"x\r"), [Asked::Line("x".into())]);
        // as much again by Ctrl-Y
        let asked = typed(&mut editor, &mut screen, format!("{}\x15\x19\x19\r", long(LINE)).as_bytes());
        assert!(matches!(asked[..], [Asked::Refused { .. }]));
    }
}
