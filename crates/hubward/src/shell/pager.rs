//! ` --More-- `: long output a screen at a time.

use super::key::Key;

/// What the pager prints when it waits.
const MORE: &str = " --More-- ";

/// Output that does not fit the screen.
#[derive(Debug)]
pub(crate) struct Pager {
    text: String,
    /// How much of it was printed, in bytes.
    printed: usize,
    length: usize,
}

/// Whether there is more to come.
#[derive(Debug)]
pub(crate) enum Page {
    /// All was printed, or the reader has had enough.
    Done,
    /// The pager waits for a key.
    More(Pager),
}

impl Pager {
    /// Prints the first screen of a text. `length` 0 has no end.
    pub(crate) fn start(text: &str, length: usize, out: &mut String) -> Page {
        if length == 0 {
            crlf(text, out);
            return Page::Done;
        }
        Self { text: text.to_string(), printed: 0, length }.print(length.saturating_sub(1).max(1), out)
    }

    /// A key at ` --More-- `: space shows a screen, Enter a line, anything else ends it.
    pub(crate) fn key(self, key: Key, out: &mut String) -> Page {
        out.push_str(&"\x08".repeat(MORE.len()));
        out.push_str(&" ".repeat(MORE.len()));
        out.push_str(&"\x08".repeat(MORE.len()));
        let length = self.length;
        match key {
            Key::Char(' ') => self.print(length.saturating_sub(1).max(1), out),
            Key::Enter => self.print(1, out),
            _ => Page::Done,
        }
    }

    fn print(mut self, count: usize, out: &mut String) -> Page {
        let rest = self.text.get(self.printed..).unwrap_or_default();
        for line in rest.split_inclusive('\n').take(count) {
            self.printed += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            out.push_str(line.strip_suffix('\r').unwrap_or(line));
            out.push_str("\r\n");
        }
        if self.printed >= self.text.len() {
            return Page::Done;
        }
        out.push_str(MORE);
        Page::More(self)
    }
}

/// A text with the line ends that a terminal wants.
pub(crate) fn crlf(text: &str, out: &mut String) {
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                out.push_str(line.strip_suffix('\r').unwrap_or(line));
                out.push_str("\r\n");
            }
            None => out.push_str(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: usize) -> String {
        (1..=lines).map(|line| format!("line {line}\n")).collect()
    }

    #[test]
    fn a_screen_a_line_and_the_end() {
        let mut out = String::new();
        let Page::More(pager) = Pager::start(&text(12), 5, &mut out) else { panic!("no pager") };
        assert!(out.ends_with("line 4\r\n --More-- "), "{out:?}");
        out.clear();
        let Page::More(pager) = pager.key(Key::Enter, &mut out) else { panic!("no more") };
        assert!(out.ends_with("line 5\r\n --More-- ") && out.contains("\x08 "), "{out:?}");
        out.clear();
        let Page::More(pager) = pager.key(Key::Char(' '), &mut out) else { panic!("no more") };
        assert!(out.ends_with("line 9\r\n --More-- "));
        out.clear();
        assert!(matches!(pager.key(Key::Char('q'), &mut out), Page::Done));
        assert!(!out.contains("line"));
    }

    #[test]
    fn what_fits_is_not_paged() {
        for (lines, length) in [(4, 5), (0, 24), (1000, 0)] {
            let mut out = String::new();
            assert!(matches!(Pager::start(&text(lines), length, &mut out), Page::Done));
            assert_eq!(out, text(lines).replace('\n', "\r\n"));
        }
    }
}
