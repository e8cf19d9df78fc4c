//! Slips of the pen: words that are meant as others.

/// Whether a word is a keyword with at most so many slips: a letter that is missing, too much or
/// another, or two that changed their places. Only a word of more letters than slips is one.
pub(crate) fn near(word: &str, keyword: &str, slips: usize) -> bool {
    let letters = |text: &str| text.chars().count();
    let (own, wanted) = (letters(word), letters(keyword));
    if own <= slips || own.abs_diff(wanted) > slips || lacks(word, keyword) > slips {
        return false;
    }
    let word: Vec<char> = word.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let keyword: Vec<char> = keyword.chars().collect();
    distance(&word, &keyword) <= slips
}

/// How many different letters of a keyword a word lacks: each is a slip at least. Most words are
/// told apart by this alone.
fn lacks(word: &str, keyword: &str) -> usize {
    let letters =
        |text: &str| text.bytes().fold(0_u128, |all, byte| all | 1 << (byte.to_ascii_lowercase() & 127));
    // a letter of two bytes may count twice
    if !word.is_ascii() || !keyword.is_ascii() {
        return 0;
    }
    let missing = letters(keyword) & !letters(word);
    missing.count_ones().try_into().unwrap_or(0)
}

/// The slips that make one word of another, row by row of the usual table.
pub(crate) fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
    for (line, letter) in one.iter().enumerate() {
        let mut row = vec![line + 1];
        for (place, wanted) in other.iter().enumerate() {
            let replaced = at(&last, place) + usize::from(letter != wanted);
            let mut best = replaced.min(at(&last, place + 1) + 1).min(at(&row, place) + 1);
            if let (Some(line), Some(place)) = (line.checked_sub(1), place.checked_sub(1))
                && one.get(line) == Some(wanted)
                && other.get(place) == Some(letter)
            {
                best = best.min(at(&before, place) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, other.len())
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_word_with_a_slip_is_near() {
        for (word, keyword, slips, is_near) in [
            ("map", "map", 1, true),
            ("mpa", "map", 1, true),
            ("MPA", "map", 1, true),
            ("ma", "map", 1, true),
            ("maap", "map", 1, true),
            ("mab", "map", 1, true),
            ("pam", "map", 1, false),
            ("m", "map", 2, false),
            ("acess-list", "access-list", 1, true),
            ("acess-lsit", "access-list", 2, true),
            ("acess-lsit", "access-list", 1, false),
            ("access-group", "access-list", 2, false),
            ("secert", "secret", 1, true),
            ("secure", "secret", 1, false),
            ("\u{e9}ap", "map", 1, true),
        ] {
            assert_eq!(near(word, keyword, slips), is_near, "{word}");
        }
    }
}
