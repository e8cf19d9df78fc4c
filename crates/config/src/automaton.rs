//! Forms compiled, and lines run through them: every form of a mode at once, word by word, as IOS
//! does.

use crate::form::Word;
use crate::interface_name::long_name;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What a position of a form takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A keyword; any unique beginning of it will do.
    Keyword(&'static str),
    /// An argument with its name.
    Argument(Kind, &'static str),
}

/// What an argument may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One word.
    Word,
    /// The name of a host. What could only be a misspelled address is none.
    Host,
    /// The rest of the line.
    Line,
    /// A decimal number in a range.
    Number(u64, u64),
    /// An IPv4 address or mask.
    Address,
    /// The length of a prefix: `/24`.
    PrefixLength,
    /// An IPv4 network with the length of its prefix.
    Prefix,
    /// An interface's name, which has a long form.
    Interface,
    /// The number of an interface that is separate from the name: `FastEthernet 0/0`.
    Unit,
}

/// How well a word fits a token; later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Line,
    Word,
    Value,
    Unit,
    Begins,
    Exact,
}

impl Token {
    fn fit(&self, word: &str) -> Option<Fit> {
        match self {
            Self::Keyword(keyword) if keyword.eq_ignore_ascii_case(word) => Some(Fit::Exact),
            Self::Keyword(keyword) => {
                let begins = keyword.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
                (begins && !word.is_empty()).then_some(Fit::Begins)
            }
            Self::Argument(Kind::Word, _) => Some(Fit::Word),
            Self::Argument(Kind::Host, _) => {
                // no domain at the top is a number
                let top = word.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
                top.contains(|c: char| !c.is_ascii_digit()).then_some(Fit::Word)
            }
            Self::Argument(Kind::Line, _) => Some(Fit::Line),
            Self::Argument(Kind::Number(low, high), _) => {
                let number: u64 = word.parse().ok()?;
                (word.starts_with(|c: char| c.is_ascii_digit()) && (*low..=*high).contains(&number))
                    .then_some(Fit::Value)
            }
            Self::Argument(Kind::Address, _) => word.parse::<Ipv4Addr>().is_ok().then_some(Fit::Value),
            Self::Argument(Kind::PrefixLength, _) => {
                let length: u8 = word.strip_prefix('/')?.parse().ok()?;
                (length <= 32).then_some(Fit::Value)
            }
            Self::Argument(Kind::Prefix, _) => word.parse::<ipnet::Ipv4Net>().is_ok().then_some(Fit::Value),
            Self::Argument(Kind::Unit, _) => {
                let number =
                    word.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<Ipv4Addr>().is_err();
                number.then_some(Fit::Unit)
            }
            Self::Argument(Kind::Interface, _) => {
                word.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(Fit::Word)
            }
        }
    }

    /// How the token is shown in help: `keyword`, `WORD`, `A.B.C.D`, `<1-10000>`.
    pub fn shown(&self) -> String {
        match self {
            Self::Keyword(keyword) => (*keyword).to_string(),
            Self::Argument(Kind::Word | Kind::Host, _) => "WORD".into(),
            Self::Argument(Kind::Line, _) => "LINE".into(),
            Self::Argument(Kind::Number(low, high), _) => format!("<{low}-{high}>"),
            Self::Argument(Kind::Address, _) => "A.B.C.D".into(),
            Self::Argument(Kind::PrefixLength, _) => "/nn".into(),
            Self::Argument(Kind::Prefix, _) => "A.B.C.D/nn".into(),
            Self::Argument(Kind::Interface, _) => "INTERFACE".into(),
            Self::Argument(Kind::Unit, _) => "<0-9>".into(),
        }
    }

    /// The token's own name, by which its help text is found.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keyword(name) | Self::Argument(_, name) => name,
        }
    }
}

/// A compiled form: its tokens, and which may follow which.
#[derive(Clone, Debug, Default)]
pub struct Form {
    tokens: Vec<Token>,
    first: Vec<usize>,
    follow: Vec<Vec<usize>>,
    last: Vec<bool>,
    /// Whether each token belongs to the value of the setting, not to its name.
    value: Vec<bool>,
    /// Whether an empty line fits.
    empty: bool,
}

/// A fragment of a form during compilation: what it may begin and end with, and whether it is
/// optional.
struct Piece {
    first: Vec<usize>,
    last: Vec<usize>,
    absent: bool,
}

impl Form {
    /// Compiles a form. What is wrong with it shows in a test that compiles every form there is: an
    /// unclosed bracket ends at the end, and an unknown kind of argument is a word.
    pub fn compile(text: &'static str) -> Self {
        let mut form = Self::default();
        let mut symbols = symbols(text).into_iter().peekable();
        let whole = form.choice(&mut symbols, false);
        form.first = whole.first;
        form.empty = whole.absent;
        form.last = vec![false; form.tokens.len()];
        for place in whole.last {
            if let Some(last) = form.last.get_mut(place) {
                *last = true;
            }
        }
        form
    }

    fn choice(&mut self, symbols: &mut Symbols, value: bool) -> Piece {
        let mut whole = self.sequence(symbols, value);
        while symbols.next_if_eq(&"|").is_some() {
            let other = self.sequence(symbols, value);
            whole.first.extend(other.first);
            whole.last.extend(other.last);
            whole.absent |= other.absent;
        }
        whole
    }

    fn sequence(&mut self, symbols: &mut Symbols, mut value: bool) -> Piece {
        let mut whole = Piece { first: Vec::new(), last: Vec::new(), absent: true };
        while let Some(symbol) = symbols.next_if(|symbol| !["|", "]", "}"].contains(symbol)) {
            let mut piece = match symbol {
                "=" => {
                    value = true;
                    continue;
                }
                "[" | "{" => {
                    let mut inner = self.choice(symbols, value);
                    symbols.next();
                    inner.absent |= symbol == "[";
                    inner
                }
                _ => {
                    self.tokens.push(token(symbol));
                    self.follow.push(Vec::new());
                    self.value.push(value);
                    let place = self.tokens.len() - 1;
                    Piece { first: vec![place], last: vec![place], absent: false }
                }
            };
            if symbols.next_if_eq(&"...").is_some() {
                self.link(&piece.last, &piece.first);
            }
            self.link(&whole.last, &piece.first);
            if whole.absent {
                whole.first.extend(&piece.first);
            }
            if piece.absent {
                piece.last.extend(&whole.last);
            }
            whole.last = piece.last;
            whole.absent &= piece.absent;
        }
        whole
    }

    fn link(&mut self, from: &[usize], to: &[usize]) {
        for place in from {
            if let Some(follow) = self.follow.get_mut(*place) {
                follow.extend(to.iter().filter(|next| !follow.contains(next)).copied().collect::<Vec<_>>());
            }
        }
    }

    /// The tokens that may come after a place; `None` is the start.
    fn next(&self, place: Option<usize>) -> &[usize] {
        match place {
            None => &self.first,
            Some(place) => self.follow.get(place).map_or(&[], Vec::as_slice),
        }
    }

    fn may_end(&self, place: Option<usize>) -> bool {
        match place {
            None => self.empty,
            Some(place) => self.last.get(place).copied().unwrap_or(false),
        }
    }
}

impl Form {
    /// The tokens that a line of the form may begin with.
    pub(crate) fn begins_with(&self) -> impl Iterator<Item = &Token> {
        self.first.iter().filter_map(|place| self.tokens.get(*place))
    }

    /// Every token.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

#[cfg(test)]
impl Form {
    /// Lines of the form: the shortest, one with as much as fits into one, and for each token one
    /// that has it.
    pub(crate) fn lines(&self) -> Vec<Vec<Token>> {
        let mut out = vec![self.shortest()];
        let whole = self.longest(&[]);
        let through = (0..self.tokens.len()).filter_map(|place| self.way(None, &|last| last == place));
        let through = through.filter_map(|way| {
            let end = self.way(way.last().copied(), &|last| self.may_end(Some(last)));
            let ends = self.may_end(way.last().copied());
            Some([way, if ends { Vec::new() } else { end? }].concat())
        });
        for way in std::iter::once(whole).chain(through) {
            let line: Vec<Token> = way.iter().filter_map(|place| self.tokens.get(*place)).cloned().collect();
            if !out.contains(&line) {
                out.push(line);
            }
        }
        out
    }

    /// The shortest way from a place to another, without the first.
    fn way(&self, from: Option<usize>, is_end: &dyn Fn(usize) -> bool) -> Option<Vec<usize>> {
        let mut ways: std::collections::VecDeque<Vec<usize>> = std::collections::VecDeque::from([vec![]]);
        let mut seen = std::collections::BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            if way.last().is_some_and(|last| is_end(*last)) {
                return Some(way);
            }
            for next in self.next(way.last().copied().or(from)) {
                if seen.insert(*next) {
                    ways.push_back([way.as_slice(), &[*next]].concat());
                }
            }
        }
        None
    }

    /// A way with every optional part, and the first of each choice.
    fn longest(&self, way: &[usize]) -> Vec<usize> {
        let last = way.last().copied();
        let later = self.next(last).iter().filter(|next| last.is_none_or(|last| **next > last)).min();
        match later {
            Some(next) => self.longest(&[way, &[*next]].concat()),
            None => way.to_vec(),
        }
    }

    /// The form's tokens in a line that is as short as any.
    pub(crate) fn shortest(&self) -> Vec<Token> {
        let mut ways: std::collections::VecDeque<Vec<usize>> =
            self.first.iter().map(|place| vec![*place]).collect();
        while let Some(way) = ways.pop_front() {
            if self.may_end(way.last().copied()) {
                return way.iter().filter_map(|place| self.tokens.get(*place)).cloned().collect();
            }
            ways.extend(self.next(way.last().copied()).iter().filter(|next| !way.contains(next)).map(
                |next| {
                    let mut longer = way.clone();
                    longer.push(*next);
                    longer
                },
            ));
        }
        Vec::new()
    }
}

type Symbols = std::iter::Peekable<std::vec::IntoIter<&'static str>>;

/// Splits a form into words, brackets, bars, arguments and `...`.
fn symbols(text: &'static str) -> Vec<&'static str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            ' ' | '[' | ']' | '{' | '}' | '|' => 1,
            '<' => rest.find('>').map_or(rest.len(), |end| end + 1),
            '.' if rest.starts_with("...") => 3,
            _ => {
                let end = rest.find(|c: char| " []{}|<".contains(c)).unwrap_or(rest.len());
                rest.get(..end).and_then(|word| word.find("...")).unwrap_or(end).max(1)
            }
        };
        let (symbol, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if symbol != " " {
            out.push(symbol);
        }
        rest = tail;
    }
    out
}

fn token(symbol: &'static str) -> Token {
    let Some(inner) = symbol.strip_prefix('<').map(|inner| inner.strip_suffix('>').unwrap_or(inner)) else {
        return Token::Keyword(symbol);
    };
    let Some((kind, name)) = inner.split_once(':') else { return Token::Argument(Kind::Word, inner) };
    let kind = match kind {
        "A.B.C.D" => Kind::Address,
        "HOST" => Kind::Host,
        "A.B.C.D/nn" => Kind::Prefix,
        "LINE" => Kind::Line,
        "/nn" => Kind::PrefixLength,
        "IF" => Kind::Interface,
        "UNIT" => Kind::Unit,
        range => {
            let bounds =
                range.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
            bounds.map_or(Kind::Word, |(low, high)| Kind::Number(low, high))
        }
    };
    Token::Argument(kind, name)
}

/// One way in which the words so far fit a form.
#[derive(Clone, Debug)]
struct Path {
    form: usize,
    place: Option<usize>,
    /// The last step of the way.
    step: Option<usize>,
    /// How well the words fit, the first one counting most, among all ways of the same length;
    /// higher is better.
    rank: usize,
}

/// A word taken by a token. The ways of a line share their beginnings, so that a line costs in
/// proportion to its length.
#[derive(Clone, Copy, Debug)]
struct Step {
    before: Option<usize>,
    place: usize,
    fit: Fit,
    rank: usize,
}

/// What a line is among some forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a whole command.
    Complete(Matched),
    /// It is the beginning of a command of this form, or of others; what may come next.
    Incomplete(usize, Vec<Token>),
    /// The word at this place is the beginning of several keywords.
    Ambiguous(usize),
    /// The word at this place fits nothing.
    Invalid(Misfit),
}

/// A word that fits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its place among the words.
    pub word: usize,
    /// A form that fits up to here.
    pub form: usize,
    /// What would have matched; empty for a first word.
    pub expected: Vec<Token>,
}

/// A line that fits a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The form, by its place among those asked.
    pub form: usize,
    /// Each word's token and the word spelled out: keywords in full, arguments as given.
    pub words: Vec<(Token, String)>,
    /// How many of the words name the setting; the rest are its value. Secrets are never part of
    /// the name.
    name: Vec<usize>,
    /// Whether every keyword was given in full.
    pub spelled_out: bool,
    /// Whether the form may end here; a line with `no` may stop before.
    pub(crate) is_whole: bool,
}

/// Spelled-out words as a line.
pub(crate) fn canonical(words: &[(Token, String)]) -> String {
    let mut out = String::new();
    for (token, word) in words {
        // the number of `FastEthernet 0/0` belongs to its name
        if !out.is_empty() && token.name() != "unit" {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

impl Matched {
    /// The spelled-out line.
    pub fn canonical(&self) -> String {
        canonical(&self.words)
    }

    /// Whether two lines set the same thing, so that the later one replaces the earlier. Meaningful
    /// for lines of one mode.
    pub fn same_setting(&self, other: &Self) -> bool {
        let name = |matched: &Self| {
            let words: Vec<_> =
                matched.name.iter().filter_map(|place| matched.words.get(*place)).cloned().collect();
            canonical(&words)
        };
        self.form == other.form && name(self) == name(other)
    }

    /// The argument of a name, if it was given.
    pub fn argument(&self, name: &str) -> Option<&str> {
        let named = |token: &Token| matches!(token, Token::Argument(_, given) if *given == name);
        self.words.iter().find(|(token, _)| named(token)).map(|(_, word)| word.as_str())
    }

    /// Whether a keyword was given.
    pub fn has(&self, keyword: &str) -> bool {
        self.words.iter().any(|(token, _)| *token == Token::Keyword(intern(token, keyword)))
    }
}

/// The token's own keyword when it is this one, else something no keyword is.
fn intern(token: &Token, keyword: &str) -> &'static str {
    match token {
        Token::Keyword(own) if *own == keyword => own,
        _ => "",
    }
}

/// Runs words through forms. `prefix` lets a line that stops within a form pass, as `no` does.
pub fn run(forms: &[&Form], words: &[Word<'_>], prefix: bool) -> Outcome {
    run_asking(forms, words, prefix, |_, _| true)
}

/// [`run`] for one who does not always ask what was expected: that depends on a form that fits up to
/// the word at a place.
pub(crate) fn run_asking(
    forms: &[&Form],
    words: &[Word<'_>],
    prefix: bool,
    asks: impl Fn(usize, usize) -> bool,
) -> Outcome {
    let walk = Walk::new(forms, words);
    let expected = |form, place| if asks(form, place) { walk.expected() } else { Vec::new() };
    if let Some(place) = walk.failed {
        let form = walk.live.first().map_or(0, |path| path.form);
        // a line that begins like no command often belongs to another mode; a list of every command
        // does not help
        let expected = if place == 0 { Vec::new() } else { expected(form, place) };
        return Outcome::Invalid(Misfit { word: place, form, expected });
    }
    if let Some(place) = walk.ambiguous() {
        return Outcome::Ambiguous(place);
    }
    let ends = |path: &&Path| walk.form(path).is_some_and(|form| form.may_end(path.place)) || prefix;
    let best = walk.live.iter().filter(ends).max_by(|a, b| {
        // of two that fit as well, the one that may end here, then the earlier form
        let ended = |path: &Path| walk.form(path).is_some_and(|form| form.may_end(path.place));
        a.rank.cmp(&b.rank).then(ended(a).cmp(&ended(b))).then(b.form.cmp(&a.form))
    });
    match best {
        Some(path) => {
            let is_whole = walk.ends(path);
            Outcome::Complete(Matched { is_whole, ..walk.matched(path) })
        }
        None => {
            let form = walk.live.first().map_or(0, |path| path.form);
            Outcome::Incomplete(form, expected(form, words.len()))
        }
    }
}

/// What may come next after some words: each token once, and whether the line may end here.
pub fn next(forms: &[&Form], words: &[Word<'_>]) -> (Vec<Token>, bool) {
    let walk = Walk::new(forms, words);
    if walk.failed.is_some() {
        return (Vec::new(), false);
    }
    let end = walk.live.iter().any(|path| walk.form(path).is_some_and(|form| form.may_end(path.place)));
    (walk.expected(), end)
}

struct Walk<'a> {
    forms: &'a [&'a Form],
    words: &'a [Word<'a>],
    live: Vec<Path>,
    steps: Vec<Step>,
    /// The first word that fits nothing.
    failed: Option<usize>,
}

impl<'a> Walk<'a> {
    fn new(forms: &'a [&'a Form], words: &'a [Word<'a>]) -> Self {
        let start = (0..forms.len()).map(|form| Path { form, place: None, step: None, rank: 0 }).collect();
        let mut walk = Self { forms, words, live: start, steps: Vec::new(), failed: None };
        for (index, word) in words.iter().enumerate() {
            let live = walk.step(index, word.text);
            // a comment may follow a complete command
            let comment = word.text.starts_with('!') && walk.live.iter().any(|path| walk.ends(path));
            if live.is_empty() || (comment && !live.iter().any(|path| walk.in_line(path))) {
                if !comment || index == 0 {
                    walk.failed = Some(index);
                } else {
                    walk.live.retain(|path| {
                        walk.forms.get(path.form).is_some_and(|form| form.may_end(path.place))
                    });
                }
                break;
            }
            walk.live = live;
        }
        walk
    }

    fn form(&self, path: &Path) -> Option<&'a Form> {
        self.forms.get(path.form).copied()
    }

    fn ends(&self, path: &Path) -> bool {
        self.form(path).is_some_and(|form| form.may_end(path.place))
    }

    fn in_line(&self, path: &Path) -> bool {
        let token = self.form(path).and_then(|form| form.tokens.get(path.place?));
        matches!(token, Some(Token::Argument(Kind::Line, _)))
    }

    fn step(&mut self, index: usize, word: &str) -> Vec<Path> {
        let before = index.checked_sub(1).and_then(|before| self.words.get(before));
        let numbered = before.is_some_and(|word| word.text.ends_with(|c: char| c.is_ascii_digit()));
        // each way with its last step
        let mut out: Vec<(Path, Step)> = Vec::new();
        for path in &self.live {
            let Some(form) = self.form(path) else { continue };
            let stays = self.in_line(path).then_some(path.place).flatten();
            for place in form.next(path.place).iter().copied().chain(stays) {
                let Some(fit) = form.tokens.get(place).and_then(|token| token.fit(word)) else { continue };
                // a name that has its number takes no second one
                if fit == Fit::Unit && numbered {
                    continue;
                }
                let step = Step { before: path.step, place, fit, rank: path.rank };
                let next = (Path { place: Some(place), ..path.clone() }, step);
                // one way to each place of a form is enough: the best
                // (the ways of a form stand side by side)
                let own = out.iter_mut().rev().take_while(|(known, _)| known.form == path.form);
                match own.into_iter().find(|(known, _)| known.place == Some(place)) {
                    Some(known) if (known.1.rank, known.1.fit) < (step.rank, fit) => *known = next,
                    Some(_) => {}
                    None => out.push(next),
                }
            }
        }
        // a keyword that is spelled out is not the beginning of another
        if out.iter().any(|(_, step)| step.fit == Fit::Exact) {
            out.retain(|(_, step)| step.fit != Fit::Begins);
        }
        // nor of a text that could stand there: `enable secret level 16 x` has a wrong level
        let spelled_out: Vec<_> = out
            .iter()
            .filter(|(_, step)| step.fit == Fit::Exact)
            .map(|(path, step)| (path.form, step.before))
            .collect();
        out.retain(|(path, step)| step.fit != Fit::Line || !spelled_out.contains(&(path.form, step.before)));
        let mut ranks: Vec<_> = out.iter().map(|(_, step)| (step.rank, step.fit)).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let mut live = Vec::with_capacity(out.len());
        for (path, step) in out {
            let rank = ranks.partition_point(|rank| *rank < (step.rank, step.fit));
            live.push(Path { step: Some(self.steps.len()), rank, ..path });
            self.steps.push(Step { rank, ..step });
        }
        live
    }

    /// The steps of a way, from the first.
    fn taken(&self, path: &Path) -> Vec<Step> {
        let last = path.step.and_then(|step| self.steps.get(step));
        let before = |step: &&Step| step.before.and_then(|before| self.steps.get(before));
        let mut taken: Vec<Step> = std::iter::successors(last, before).copied().collect();
        taken.reverse();
        taken
    }

    /// The first word that several keywords begin with, among the paths that match best up to it:
    /// in `password 0 p` the `0` is a type, so that `p` is the password, and not also a keyword
    /// after a password `0`.
    fn ambiguous(&self) -> Option<usize> {
        let best = self.taken(self.live.iter().max_by_key(|path| path.rank)?);
        let ways: Vec<_> = self.live.iter().map(|path| (self.form(path), self.taken(path))).collect();
        (0..best.len()).find(|index| {
            let mut keywords = ways.iter().filter_map(|(form, taken)| {
                let step = taken.get(*index)?;
                let token = form.as_ref()?.tokens.get(step.place)?;
                let as_good = best.get(*index).is_some_and(|best| best.rank == step.rank);
                (step.fit == Fit::Begins && as_good).then(|| token.name())
            });
            let first = keywords.next();
            keywords.any(|keyword| Some(keyword) != first)
        })
    }

    /// What may come next, each once, keywords first.
    fn expected(&self) -> Vec<Token> {
        let mut out: BTreeMap<(bool, String), Token> = BTreeMap::new();
        for path in &self.live {
            let Some(form) = self.form(path) else { continue };
            for token in form.next(path.place).iter().filter_map(|place| form.tokens.get(*place)) {
                let key = (matches!(token, Token::Argument(..)), token.shown());
                out.entry(key).or_insert_with(|| token.clone());
            }
        }
        out.into_values().collect()
    }

    fn matched(&self, path: &Path) -> Matched {
        let mut words: Vec<(Token, String)> = Vec::new();
        let mut name: Vec<usize> = Vec::new();
        let taken = self.taken(path);
        for (Step { place, .. }, word) in taken.iter().zip(self.words) {
            let Some(token) = self.form(path).and_then(|form| form.tokens.get(*place)) else { continue };
            let text = match token {
                Token::Keyword(keyword) => (*keyword).to_string(),
                Token::Argument(Kind::Interface, _) => long_name(word.text),
                Token::Argument(..) => word.text.to_string(),
            };
            let secret = matches!(token.name(), "key" | "password") && matches!(token, Token::Argument(..));
            if secret {
                // nor is the type before it
                name.pop_if(|last: &mut usize| {
                    *last + 1 == words.len()
                        && matches!(words.get(*last), Some((Token::Keyword(kind), _)) if kind.len() == 1)
                });
            }
            let value = self.form(path).and_then(|form| form.value.get(*place)).copied().unwrap_or(false);
            if !value && !secret {
                name.push(words.len());
            }
            words.push((token.clone(), text));
        }
        let spelled_out = taken.iter().all(|step| step.fit != Fit::Begins);
        Matched { form: path.form, words, name, spelled_out, is_whole: true }
    }
}

#[cfg(test)]
#[path = "automaton_tests.rs"]
mod tests;
