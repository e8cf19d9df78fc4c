//! Sentences on a screen: lines that are longer than it continue below their text, and commands in
//! them (between backticks) stay in one piece where that is possible.

/// No line is broken for a screen that is narrower.
const NARROWEST: usize = 40;

/// The text for a screen with so many columns; 0: it has no end.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    if columns < NARROWEST {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        match body.chars().count() <= columns {
            true => out.push_str(body),
            false => wrap(body, columns, &mut out),
        }
        out.push_str(end);
    }
    out
}

fn wrap(line: &str, columns: usize, out: &mut String) {
    let indent = line.chars().take_while(|character| *character == ' ').count();
    let rest = line.trim_start();
    // below the text of a list
    let hanging = if rest.starts_with("* ") { indent + 2 } else { indent.min(columns / 2) };
    let mut used = 0;
    let mut begun = false;
    for piece in pieces(line) {
        let width = piece.chars().count();
        if begun && used + width > columns {
            let kept = out.trim_end_matches(' ').len();
            out.truncate(kept);
            out.push('\n');
            out.push_str(&" ".repeat(hanging));
            used = hanging;
            let piece = piece.trim_start();
            out.push_str(piece);
            used += piece.chars().count();
        } else {
            out.push_str(piece);
            used += width;
        }
        begun |= !piece.trim().is_empty();
    }
}

/// What must not be broken: words with the blanks before them, and what is between backticks.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut quoted = false;
        let mut word = false;
        let end = rest.char_indices().find(|(_, character)| {
            match character {
                '`' => (quoted, word) = (!quoted, true),
                ' ' if word && !quoted => return true,
                ' ' => {}
                _ => word = true,
            }
            false
        });
        let (piece, behind) = rest.split_at(end.map_or(rest.len(), |(place, _)| place));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_continue_below_their_text() {
        let text = "  * There: does `show crypto ipsec sa` count packets that it received?\nshort\n";
        let expected = "  * There: does `show crypto ipsec sa`\n    count packets that it received?\nshort\n";
        assert_eq!(wrapped(text, 40), expected);
        assert_eq!(wrapped(text, 0), text);
        assert_eq!(wrapped(text, 200), text);
    }

    #[test]
    fn nothing_is_lost() {
        let long = "x".repeat(90);
        for text in [
            "a table   with  blanks   that is much longer than the screen is wide, and ends\n",
            "-->  side by side                        and more                     there\n",
            "an `open quote that never ends and goes on for more than one line of the screen\n",
            "\n\n   \n",
            "",
            "no newline at the end of the line that is longer than the narrowest screen",
            long.as_str(),
        ] {
            for columns in [40, 41, 57, 80] {
                let wrapped = wrapped(text, columns);
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&wrapped), words(text), "{columns}");
                let longest = wrapped.lines().map(|line| line.chars().count()).max().unwrap_or_default();
                assert!(longest <= columns || text.contains('`') || text.len() == 90, "{columns}: {wrapped}");
            }
        }
    }
}
