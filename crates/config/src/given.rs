//! The arguments of a line by the names that its form gives them. The form has checked them
//! already: what a fold reads here is of the right kind and in its range.

use crate::automaton::{Kind, Matched, Token};
use crate::form::{Problem, Word};
use crate::secret::Password;
use ipnet::IpNet;
use std::net::Ipv4Addr;

/// A line that fits its form. With `no`, a line may end anywhere after the command's name, so every
/// argument may be absent.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    matched: &'a Matched,
    /// The words as typed, for their columns.
    typed: &'a [Word<'a>],
    line: &'a str,
    /// How many words are the command's name, the arguments in it included.
    name: usize,
}

impl<'a> Given<'a> {
    pub(crate) fn new(matched: &'a Matched, typed: &'a [Word<'a>], line: &'a str, name: usize) -> Self {
        Self { matched, typed, line, name }
    }

    /// The places and texts of an argument.
    fn places(&self, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
        let named = move |token: &Token| matches!(token, Token::Argument(_, own) if *own == name);
        let words = self.matched.words.iter().enumerate();
        words.filter(move |(_, (token, _))| named(token)).map(|(place, (_, word))| (place, word.as_str()))
    }

    /// An argument; the first, if the form has several of this name.
    pub(crate) fn word(&self, name: &str) -> Option<&'a str> {
        self.places(name).next().map(|(_, word)| word)
    }

    /// Every argument of this name, in order.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.places(name).map(|(_, word)| word)
    }

    /// An argument's own text; the first, if the form has several of this name.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.word(name).map(str::to_string)
    }

    /// The texts of every argument of this name, in order.
    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        self.words(name).map(str::to_string).collect()
    }

    /// A number. The ranges of the forms fit the types that are asked for.
    pub(crate) fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.word(name)?.parse().ok()?).ok()
    }

    /// An address or mask.
    pub(crate) fn address(&self, name: &str) -> Option<Ipv4Addr> {
        self.word(name)?.parse().ok()
    }

    /// An address with its mask, the address as it is given. Not every mask is one of a network: its
    /// column is where the problem is.
    pub(crate) fn network(&self, address: &str, mask: &str) -> Result<IpNet, Problem> {
        let problem = self.problem(mask, "a network mask");
        let (Some(address), Some(netmask)) = (self.address(address), self.address(mask)) else {
            return Err(problem);
        };
        IpNet::with_netmask(address.into(), netmask.into())
            .map_err(|_| self.no_mask(mask, netmask).unwrap_or(problem))
    }

    /// The length of a prefix: 24 for `/24`.
    pub(crate) fn prefix_length(&self, name: &str) -> Option<u8> {
        self.word(name)?.strip_prefix('/')?.parse().ok()
    }

    /// Every address of this name, in order.
    pub(crate) fn addresses(&self, name: &str) -> impl Iterator<Item = Ipv4Addr> {
        self.words(name).filter_map(|word| word.parse().ok())
    }

    /// An interface's long name, with its number.
    pub(crate) fn interface(&self, name: &str) -> Option<String> {
        let (place, word) = self.places(name).next()?;
        let unit = match self.matched.words.get(place + 1) {
            Some((Token::Argument(Kind::Unit, _), unit)) => unit.as_str(),
            _ => "",
        };
        Some(format!("{word}{unit}"))
    }

    /// The long names of every interface, in order.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for (token, word) in &self.matched.words {
            match (token, out.last_mut()) {
                (Token::Argument(Kind::Interface, _), _) => out.push(word.clone()),
                (Token::Argument(Kind::Unit, _), Some(last)) => last.push_str(word),
                _ => {}
            }
        }
        out
    }

    /// A password with its type, which is the digit in front of it. One that is the rest of the line
    /// may have blanks.
    pub(crate) fn password(&self, name: &str, default: u8) -> Option<Password> {
        let (place, word) = self.places(name).next()?;
        let text = match self.matched.words.get(place) {
            Some((Token::Argument(Kind::Line, _), _)) => self.text(name)?,
            _ => word,
        };
        let before = place.checked_sub(1).and_then(|before| self.matched.words.get(before));
        let kind = match before {
            Some((Token::Keyword(digit), _)) => digit.parse().unwrap_or(default),
            _ => default,
        };
        Some(Password::new(kind, text))
    }

    /// The tokens behind the command's name, with their places and texts, for forms whose words may
    /// come in any order and number.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (usize, &'a Token, &'a str)> {
        let words = self.matched.words.iter().enumerate().skip(self.name);
        words.map(|(place, (token, text))| (place, token, text.as_str()))
    }

    /// Whether a keyword stands behind the command's name.
    pub(crate) fn has(&self, keyword: &str) -> bool {
        self.count(keyword) > 0
    }

    /// How often a keyword stands behind the command's name.
    pub(crate) fn count(&self, keyword: &str) -> usize {
        self.tokens().filter(|(_, token, _)| matches!(token, Token::Keyword(own) if *own == keyword)).count()
    }

    /// What a keyword behind the command's name stands for: the first that is given.
    pub(crate) fn choose<T: Clone>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.tokens().find_map(|(_, token, _)| chosen(token, choices))
    }

    /// The text from an argument to the end of the line, as typed.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let (place, _) = self.places(name).next()?;
        let start = self.typed.get(place)?.column.saturating_sub(1);
        self.line.get(usize::try_from(start).ok()?..).map(str::trim_end)
    }

    /// Whether the line is a whole one of its form: with `no` it may stop before.
    pub(crate) fn is_whole(&self) -> bool {
        self.matched.is_whole
    }

    /// Whether nothing stands behind the command's name.
    pub(crate) fn is_bare(&self) -> bool {
        self.matched.words.len() <= self.name
    }

    /// The problem that an argument is, although it is of the right kind. Where it is absent, the
    /// end of the line is where it was expected.
    pub(crate) fn problem(&self, name: &str, expected: &str) -> Problem {
        self.problem_with(name, 0, expected)
    }

    /// The problem that one of several arguments of a name is; the first has the place 0.
    pub(crate) fn problem_with(&self, name: &str, place: usize, expected: &str) -> Problem {
        let place = self.places(name).nth(place).map_or(usize::MAX, |(place, _)| place);
        self.problem_at(place, expected)
    }

    /// The problem that is told by a sentence, as IOS says it.
    pub(crate) fn said(&self, name: &str, sentence: String) -> Problem {
        Problem { expected: sentence, said: true, ..self.problem(name, "") }
    }

    /// The problem that a mask is if it is a wildcard.
    pub(crate) fn no_mask(&self, name: &str, mask: Ipv4Addr) -> Option<Problem> {
        let meant = Ipv4Addr::from(!u32::from(mask));
        ipnet::ipv4_mask_to_prefix(meant).ok()?;
        let says = format!("{mask} is a wildcard, and a network mask belongs here: {meant}");
        Some(self.said(name, says))
    }

    /// The problem that a line is which ends too early, as only one with `no` can.
    pub(crate) fn missing(&self, expected: &str) -> Problem {
        self.problem_at(usize::MAX, expected)
    }

    /// The problem that the word at a place is, or the end of the line.
    pub(crate) fn problem_at(&self, place: usize, expected: &str) -> Problem {
        let end = u32::try_from(self.line.trim_end().len() + 1).unwrap_or(u32::MAX);
        let column = self.typed.get(place).map_or(end, |word| word.column);
        Problem { column, expected: expected.to_string(), said: false }
    }
}

/// What a token stands for, if it is one of these keywords.
pub(crate) fn chosen<T: Clone>(token: &Token, choices: &[(&str, T)]) -> Option<T> {
    let Token::Keyword(own) = token else { return None };
    choices.iter().find(|(keyword, _)| keyword == own).map(|(_, choice)| choice.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::{Form, Outcome, run};
    use crate::form::words;

    fn with<T>(form: &'static str, line: &str, name: usize, act: impl FnOnce(Given<'_>) -> T) -> T {
        let form = Form::compile(form);
        let typed = words(line);
        let Outcome::Complete(matched) = run(&[&form], &typed, true) else { panic!("{line}") };
        act(Given::new(&matched, &typed, line, name))
    }

    #[test]
    fn arguments_have_names_and_types() {
        let form = "key [0|6] <key> {address <A.B.C.D:peer> [<A.B.C.D:mask>]|hostname <host>} [no-xauth]";
        with(form, "key 6 abc addr 10.0.0.1 no-x", 1, |given| {
            assert_eq!(given.word("key"), Some("abc"));
            assert_eq!(given.password("key", 0), Some(Password::new(6, "abc")));
            assert_eq!(given.address("peer"), Some(Ipv4Addr::new(10, 0, 0, 1)));
            assert_eq!((given.address("mask"), given.word("host")), (None, None));
            assert!(given.has("no-xauth") && given.has("address") && !given.has("hostname"));
            // the command's own name is not an argument
            assert!(!given.has("key"));
            assert_eq!(given.problem("peer", "x").column, 16);
            assert_eq!(given.problem("mask", "x").column, 29);
        });
        // with `no`, the line may end early
        with(form, "key", 1, |given| {
            assert!(given.is_bare());
            assert_eq!(given.password("key", 0), None);
        });
    }

    #[test]
    fn numbers_interfaces_choices_and_texts() {
        let form =
            "set <IF:interface> [<UNIT:unit>] {des|aes [<128-256:bits>]} <0-9:count>... [text <LINE:text>]";
        with(form, "set fa 0/1 aes 192 1 2 3 text  two  words ", 1, |given| {
            assert_eq!(given.interface("interface").as_deref(), Some("FastEthernet0/1"));
            assert_eq!(given.number::<u16>("bits"), Some(192));
            assert_eq!(given.choose(&[("des", 1), ("aes", 2)]), Some(2));
            assert_eq!(given.words("count").collect::<Vec<_>>(), ["1", "2", "3"]);
            assert_eq!(given.text("text"), Some("two  words"));
        });
        with(form, "set fa0/1 des 4", 1, |given| {
            assert_eq!(given.interface("interface").as_deref(), Some("FastEthernet0/1"));
            assert_eq!(given.choose(&[("des", 1), ("aes", 2)]), Some(1));
            assert_eq!((given.number::<u16>("bits"), given.number::<u8>("count")), (None, Some(4)));
        });
    }
}
