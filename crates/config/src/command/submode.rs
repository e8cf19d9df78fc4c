//! The commands of IOS's submodes by name, and the modes that they open.
//!
//! Most of them do nothing here. But a line belongs to the mode that has its command, so the names
//! must be known: `ntp disable` under an interface is the interface's, although there is a global
//! `ntp`. The names are data, in the files beside this one. A row of the command tables wins over a
//! name.

use super::mode::In;
use super::says::{Names, Place, Says};
use super::submode_crypto::{CLIENT_GROUP, CRYPTO};
use super::submode_interface::{INTERFACE, LINE};
use super::submode_policy::POLICY;
use super::submode_routing::ROUTING;
use super::submode_service::{GLOBAL, SERVICE};
use crate::form::Word;
use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::sync::LazyLock;

/// A name that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) says: Says,
    /// Every word is given in full.
    pub(crate) exact: bool,
    /// Words of the name.
    pub(crate) words: usize,
}

/// Names by their words.
type Table = Vec<(Vec<&'static str>, Says)>;

static TABLE: LazyLock<BTreeMap<Place, Table>> = LazyLock::new(|| {
    let mut table: BTreeMap<Place, Table> = BTreeMap::new();
    let mut add = |place, names: &'static [Names]| {
        for (says, names) in names {
            let names = names.split(';').map(|name| name.split_whitespace().collect::<Vec<_>>());
            let names = names.filter(|name| !name.is_empty()).map(|name| (name, *says));
            table.entry(place).or_default().extend(names);
        }
    };
    for (sub, names) in [ROUTING, POLICY, CRYPTO, SERVICE].into_iter().flatten() {
        add(Place::Sub(*sub), names);
    }
    add(Place::Of(In::Global), GLOBAL);
    add(Place::Of(In::Interface), INTERFACE);
    add(Place::Of(In::Line), LINE);
    for (kind, names) in CLIENT_GROUP {
        add(Place::Of(*kind), names);
    }
    table
});

/// Every name, with what it says.
pub(crate) fn names() -> impl Iterator<Item = (&'static [&'static str], Says)> {
    TABLE.values().flatten().map(|(words, says)| (words.as_slice(), *says))
}

/// The shortest beginning of a word that counts as its abbreviation.
const SHORTEST: usize = 2;

/// Names by their words, as a tree: the names that a line may be are found without looking at all.
#[derive(Default)]
struct Node {
    /// What the names that end here say, each with its place among all.
    ends: Vec<(usize, Says)>,
    words: BTreeMap<&'static str, Node>,
    /// After a `*`.
    any: Option<Box<Node>>,
}

static TREES: LazyLock<BTreeMap<Place, Node>> = LazyLock::new(|| {
    let mut trees: BTreeMap<Place, Node> = BTreeMap::new();
    for (place, names) in TABLE.iter() {
        let tree = trees.entry(*place).or_default();
        for (number, (name, says)) in names.iter().enumerate() {
            let mut node = &mut *tree;
            for word in name {
                node = match *word {
                    "*" => node.any.get_or_insert_default(),
                    // made once for the life of the program
                    word => node.words.entry(word.to_ascii_lowercase().leak()).or_default(),
                };
            }
            node.ends.push((number, *says));
        }
    }
    trees
});

/// Finds the name that a line has in a mode: the longest that matches. A complete word is not an
/// abbreviation of another: `ip` is not `ipv6`.
pub(crate) fn find(place: Place, given: &[Word<'_>]) -> Option<Named> {
    // where the words so far lead to, and whether they are given in full
    let mut live: Vec<(&Node, bool)> = vec![(TREES.get(&place)?, true)];
    let mut best = None;
    for (place, typed) in given.iter().enumerate() {
        let typed = typed.text.to_ascii_lowercase();
        let exact =
            || live.iter().filter_map(|(node, exact)| Some((node.words.get(typed.as_str())?, *exact)));
        let any = live.iter().filter_map(|(node, exact)| Some((&**node.any.as_ref()?, *exact)));
        let mut next: Vec<(&Node, bool)> = exact().chain(any).collect();
        if exact().next().is_none() && typed.len() >= SHORTEST {
            for (node, _) in &live {
                let begun = node
                    .words
                    .range::<str, _>((Included(typed.as_str()), Unbounded))
                    .take_while(|(word, _)| word.starts_with(&typed));
                next.extend(begun.map(|(_, node)| (node, false)));
            }
        }
        live = next;
        let ends = live.iter().flat_map(|(node, exact)| node.ends.iter().map(move |end| (*exact, *end)));
        let whole = ends.max_by_key(|(exact, (number, _))| (*exact, *number));
        best = whole.map(|(exact, (_, says))| Named { says, exact, words: place + 1 }).or(best);
        if live.is_empty() {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Fate;
    use crate::form::words;

    /// Every name is found where it is listed, and has the effect that its table says.
    #[test]
    fn every_name_is_found() {
        let mut count = 0;
        for (place, names) in TABLE.iter() {
            for (name, says) in names {
                let line = name.join(" ");
                assert!(line.is_ascii() && !line.contains(['"', '\\']), "{place:?}: `{line}`");
                let found = find(*place, &words(&line));
                let found = found.unwrap_or_else(|| panic!("{place:?}: `{line}`"));
                assert!(found.exact, "{place:?}: `{line}`");
                let known =
                    names.iter().any(|(other, known)| other.join(" ") == line && *known == found.says);
                assert!(found.says == *says || known, "{place:?}: `{line}`: {found:?}");
                count += 1;
            }
        }
        assert!(count > 1500, "{count}");
    }

    #[test]
    fn the_longest_name_that_fits() {
        let says = |line| find(Place::Of(In::Interface), &words(line)).map(|named| named.says);
        assert_eq!(says("ip nat inside source list 1 pool P"), Some(Says::Elsewhere));
        assert!(matches!(says("ip multicast boundary 10"), Some(Says::Is(Fate::Unenforced(_)))));
        assert!(matches!(says("ip acco output-packets"), Some(Says::Is(Fate::Unsupported(_)))));
        assert!(matches!(says("ip wccp 61 redirect in"), Some(Says::Is(Fate::Forwarding(_)))));
        assert_eq!(says("ip wccp 61"), None);
        assert_eq!(says("i accounting"), None);
        // a word that is spelled out is not the beginning of another
        assert_eq!(find(Place::Of(In::Global), &words("ip address")), None);
    }
}
