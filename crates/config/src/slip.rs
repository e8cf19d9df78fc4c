//! Slips of the pen: words that are meant as others.

use crate::model::AclKind;

/// Slips that a name or keyword may have and still be told from others.
const SLIPS: usize = 2;

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

/// The one name that a misspelt one is meant as: with fewest slips of the known ones, at most two,
/// and fewer than half of its letters. `None` if there is none, or if several are as near.
pub(crate) fn meant<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let lower: Vec<char> = name.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    let mut is_clear = false;
    for candidate in known {
        let other = candidate.to_lowercase();
        if candidate == name || !near(name, &other, SLIPS) && other != name.to_lowercase() {
            continue;
        }
        let slips = distance(&lower, &other.chars().collect::<Vec<_>>());
        // a number is meant only as one of its kind, with one slip
        if is_number(name) && (!is_number(candidate) || slips > 1 || kind(name) != kind(candidate)) {
            continue;
        }
        if slips * 2 >= lower.len() {
            continue;
        }
        match best {
            Some((least, known)) if slips > least || known == candidate => {}
            Some((least, _)) if slips == least => is_clear = false,
            _ => (best, is_clear) = (Some((slips, candidate)), true),
        }
    }
    best.filter(|_| is_clear).map(|(_, candidate)| candidate)
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|digit| digit.is_ascii_digit())
}

/// Which access lists have a number.
fn kind(number: &str) -> Option<AclKind> {
    number.parse().ok().and_then(AclKind::of_number)
}

/// The question that a message ends with: ` (did you mean NAME?)`, or nothing.
pub(crate) fn question<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    meant(name, known).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default()
}

/// The slips that make one word of another, row by row of the usual table.
fn distance(one: &[char], other: &[char]) -> usize {
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
    use super::{meant, near, question};

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

    /// A name is meant only if no other is as near.
    #[test]
    fn a_misspelt_name_has_one_clear_candidate() {
        for (name, known, wanted) in [
            ("mapp", &["map", "other"][..], Some("map")),
            ("testgruop", &["testgroup", "staff"], Some("testgroup")),
            ("clientaut", &["clientauth", "clientgroup"], Some("clientauth")),
            ("vpn", &["VPN"], Some("VPN")),
            ("BRANCH-1", &["BRANCH-2", "BRANCH-3"], None),
            ("BRANCH-1", &["BRANCH-2"], Some("BRANCH-2")),
            ("BRANCH-1", &["BRANCH-2", "BRANCH-2"], Some("BRANCH-2")),
            ("101", &["102"], Some("102")),
            ("10", &["11"], None),
            // a list of another kind, or of another number altogether
            ("150", &["10"], None),
            ("150", &["199"], None),
            ("199", &["1999"], None),
            ("1150", &["150"], None),
            ("150", &["105", "10"], Some("105")),
            ("101", &["110", "11"], Some("110")),
            ("A", &["B"], None),
            ("AB", &["CD"], None),
            ("nothing", &["alike"], None),
            ("same", &["same"], None),
            ("stra\u{df}e", &["strasse"], Some("strasse")),
        ] {
            assert_eq!(meant(name, known.iter().copied()), wanted, "{name}");
        }
        assert_eq!(question("mapp", ["map"]), " (did you mean map?)");
        assert_eq!(question("mapp", ["x"]), "");
    }
}
