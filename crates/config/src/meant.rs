//! Which of the names that are known a misspelt one is meant as.

use crate::model::AclKind;
use crate::slip::{distance, near};

/// Slips that a name may have and still be told from others.
const SLIPS: usize = 2;

/// The one name that a misspelt one is meant as: with fewest slips of the known ones, at most two,
/// and fewer than half of its letters. `None` if there is none, or if several are as near.
pub fn meant<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
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

#[cfg(test)]
mod tests {
    use super::{meant, question};

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
