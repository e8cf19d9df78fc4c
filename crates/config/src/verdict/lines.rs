//! The lines of a configuration by the command that opens their mode.

use crate::command::interface_range::members;
use crate::document::Class;
use crate::interface_name::long_name;
use crate::parsed::Parsed;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Commands that `no` negates without their arguments, because an interface, or the router, has
/// only one of these.
const WHOLE: [&str; 17] = [
    "access-restrict",
    "authentication port-control",
    "crypto map",
    "dot1x port-control",
    "encapsulation",
    "ip address",
    "ip directed-broadcast",
    "ip mtu",
    "ip policy route-map",
    "ip unnumbered",
    "ip verify unicast reverse-path",
    "ip vrf forwarding",
    "ipv6 address",
    "max-logins",
    "max-users",
    "switchport port-security",
    "vrf forwarding",
];

/// One line: its number from 1, and its command spelled out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelled<'p> {
    pub(crate) line: u32,
    pub(crate) text: &'p str,
    pub(crate) class: Class,
}

impl<'p> Spelled<'p> {
    /// A word by its place.
    pub(crate) fn word(&self, place: usize) -> Option<&'p str> {
        self.text.split_whitespace().nth(place)
    }

    /// The line as messages show it: what follows may be a secret.
    pub(crate) fn front(&self) -> String {
        match self.class {
            Class::Unknown => crate::secret::shown_unread(self.text),
            _ => crate::secret::shown(self.text),
        }
    }

    /// Whether a word occurs anywhere in the line.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.text.split_whitespace().any(|own| own == word)
    }

    /// Whether the line begins with these words, in any case: a line that is not a command here is
    /// kept as written.
    pub(crate) fn begins(&self, words: &str) -> bool {
        let mut own = self.text.split_whitespace();
        words.split(' ').all(|word| own.next().is_some_and(|own| own.eq_ignore_ascii_case(word)))
    }
}

/// The lines that begin with `no`, by what they negate. They are looked up, however many there are.
pub(crate) struct Negated(BTreeMap<String, u32>);

impl Negated {
    pub(crate) fn of<'l, 'p: 'l>(lines: impl Iterator<Item = &'l Spelled<'p>>) -> Self {
        let mut last = BTreeMap::new();
        for line in lines {
            let words: Vec<_> = line.text.split_whitespace().map(str::to_ascii_lowercase).collect();
            if let Some(("no", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
                last.insert(rest.join(" "), line.line);
            }
        }
        Self(last)
    }

    /// Whether one of them follows a line and negates it.
    pub(crate) fn takes_back(&self, earlier: &Spelled<'_>) -> bool {
        let after = |words: &str| self.0.get(words).is_some_and(|line| *line > earlier.line);
        if self.0.is_empty() {
            return false;
        }
        let words: Vec<_> = earlier.text.split_whitespace().map(str::to_ascii_lowercase).collect();
        // `no ip access-group in`
        let without_name = || match words.as_slice() {
            [family, command, _, direction] => after(&format!("{family} {command} {direction}")),
            _ => false,
        };
        // what is a whole command without the rest; others are incomplete, and take nothing back
        let is_whole = || {
            let own = words.join(" ");
            let begins = |whole: &&&str| {
                own.strip_prefix(**whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            WHOLE.iter().filter(begins).any(|whole| after(whole))
        };
        after(&words.join(" ")) || without_name() || is_whole()
    }
}

/// A global command with the lines under it, at any depth.
#[derive(Clone, Debug)]
pub(crate) struct Block<'p> {
    pub(crate) head: Spelled<'p>,
    pub(crate) below: Vec<Spelled<'p>>,
    /// The name of the interface that it opens; of a range, each interface has a block of its own.
    name: Option<String>,
}

impl<'p> Block<'p> {
    /// The lines under it that begin with these words.
    pub(crate) fn having(&self, words: &str) -> impl Iterator<Item = &Spelled<'p>> {
        self.below.iter().filter(move |line| line.begins(words))
    }

    /// The second of two different lines that begin with these words, of which the later would
    /// replace the earlier: no router prints that, so the line that opens another entry between
    /// them is missing.
    pub(crate) fn twice(&self, words: &str) -> Option<&Spelled<'p>> {
        let first = self.having(words).next()?;
        if self.having(&format!("no {words}")).next().is_some() {
            return None;
        }
        self.having(words).find(|line| line.text != first.text)
    }

    /// The lines below that a later one takes back: `no` and all of it, or what IOS takes for all
    /// of it.
    pub(crate) fn taken_back(&self) -> BTreeSet<u32> {
        let negated = Negated::of(self.having("no"));
        let taken = self.below.iter().filter(|line| negated.takes_back(line));
        taken.map(|line| line.line).collect()
    }

    /// The first line below that is not understood.
    pub(crate) fn unread(&self) -> Option<&Spelled<'p>> {
        self.below.iter().find(|line| line.class == Class::Unknown)
    }

    /// The name of the interface that it opens.
    pub(crate) fn interface(&self) -> String {
        self.name.clone().unwrap_or_default()
    }

    /// The head and what is below it.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Spelled<'p>> {
        std::iter::once(&self.head).chain(&self.below)
    }
}

/// The interfaces that a line opens.
fn opened(head: &Spelled<'_>) -> Vec<String> {
    let words: Vec<_> = head.text.split_whitespace().skip(1).collect();
    if words.first() == Some(&"range") {
        return members(&words.get(1..).unwrap_or_default().concat()).unwrap_or_default();
    }
    let apart = words.get(1).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let named = words.get(..if apart { 2 } else { 1 }).unwrap_or_default();
    vec![long_name(&named.concat())]
}

/// Every global command in order, an interface that is given again once, with all its lines and
/// those of the ranges that it is in. Comments and blank lines are left out.
pub(crate) fn blocks(parsed: &Parsed) -> Vec<Block<'_>> {
    let lines = &parsed.document.lines;
    let mut out: Vec<Block<'_>> = Vec::new();
    let mut interfaces: BTreeMap<String, usize> = BTreeMap::new();
    // the block of each line, for the lines below it
    let mut places: Vec<Rc<[usize]>> = Vec::with_capacity(lines.len());
    let none: Rc<[usize]> = Rc::from([]);
    for (number, line) in (1..).zip(lines) {
        if line.class == Class::Blank {
            places.push(Rc::clone(&none));
            continue;
        }
        let spelled = Spelled { line: number, text: &line.spelled, class: line.class };
        let above = line.under.and_then(|under| places.get(under)).filter(|above| !above.is_empty());
        let own = match above {
            Some(above) => {
                for place in above.iter() {
                    if let Some(block) = out.get_mut(*place) {
                        block.below.push(spelled);
                    }
                }
                Rc::clone(above)
            }
            None => {
                let mut own = Vec::new();
                let is_interface = line.class != Class::Unknown && spelled.begins("interface");
                // what one part of an interface says of the other counts, whichever comes first
                for name in is_interface.then(|| opened(&spelled)).into_iter().flatten() {
                    own.push(*interfaces.entry(name.clone()).or_insert_with(|| {
                        out.push(Block { head: spelled, below: Vec::new(), name: Some(name) });
                        out.len() - 1
                    }));
                }
                if own.is_empty() {
                    let name =
                        spelled.begins("interface").then(|| opened(&spelled).into_iter().next()).flatten();
                    out.push(Block { head: spelled, below: Vec::new(), name });
                    own.push(out.len() - 1);
                }
                Rc::from(own)
            }
        };
        places.push(own);
    }
    out
}
