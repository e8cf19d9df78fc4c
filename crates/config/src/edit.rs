//! Lines typed in configuration mode: each changes the document where it belongs, as IOS does.
//!
//! What a typed line means is what it would mean at the end of the file, under the lines that
//! opened its mode: that text is the reference. The document is then changed in place (a setting
//! replaces the one before it, `no` takes lines away, what is new goes next to its like), and the
//! change counts only if the two mean the same; where they do not, the reference itself is the new
//! document. So a line can never mean something else than it would in a file.

use crate::command::acl::said_by_ios;
use crate::command::interface_range::members;
use crate::command::table::{Lookup, lookup};
use crate::command::{In, Mode};
use crate::diagnostic::Code;
use crate::document::Class;
use crate::form::words;
use crate::model::Config;
use crate::parse::{Leaves, Said, Trace, TracedCommand, end_of, protocol_of_standard, reach, read};
use crate::parsed::Numbers;
use crate::source::{Pasted, is_do, pasted};
mod position;
mod refusals;
mod refused;
mod sequence;
mod slips;
mod wrong;

use position::{Opener, chain, entry_lines, joined, without_negation};

pub use crate::blocks::RawEnd;
pub use position::Position;
pub use wrong::Wrong;

/// What a line did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new text of the configuration; `None` if it stays as it is.
    pub text: Option<String>,
    /// Where the typed line is in it, counted from 0; of several interfaces the last one's.
    pub line: Option<usize>,
    /// Where the next line goes.
    pub position: Position,
}

/// Enters a line into the configuration `text`, in the mode of `position`. Raw text belongs to its
/// command: further lines.
///
/// # Errors
/// The line is not a command here; the text does not change.
pub fn enter(text: &str, position: &Position, typed: &str) -> Result<Change, Wrong> {
    // the raw text of a banner may look like anything
    let command = typed.split('\n').next().unwrap_or_default();
    let stays = |position| Ok(Change { text: None, line: None, position });
    let global = Position::default();
    let (command, before, position) = match pasted(command) {
        Pasted::Command(command, before) => (command, before, position),
        // whatever was open, the prompt shows that nothing is any more
        Pasted::Global(command, before) => (command, before, &global),
        Pasted::Nothing => return stays(position.clone()),
        Pasted::Ends => return stays(global),
    };
    let command = command.trim();
    if is_do(command) {
        return stays(position.clone());
    }
    let modes: Vec<Mode> = position.openers.iter().map(|opener| opener.mode).collect();
    if Leaves::of(command, &modes) == Some(Leaves::Typed) {
        let mut position = position.clone();
        position.leave();
        return stays(position);
    }
    let typed = typed.get(before..).unwrap_or_default();
    let mut change = enter_command(text, position, typed).map_err(|wrong| match wrong {
        Wrong::Invalid(place) => Wrong::Invalid(place + before),
        wrong => wrong,
    })?;
    change.position.not_removed = position.still_not_removed(typed);
    Ok(change)
}

/// [`enter`] without what a terminal shows before a command.
fn enter_command(text: &str, position: &Position, typed: &str) -> Result<Change, Wrong> {
    if let Some((before, members)) = range(typed) {
        let openers: Vec<String> = members.iter().map(|name| format!("{before}interface {name}")).collect();
        let global = Position::default();
        let mut change = each(text, openers.iter().map(|opener| (&global, opener.as_str())))?;
        if before.is_empty() {
            let first = openers.first().map_or("", String::as_str);
            change.position = enter_one(change.text.as_deref().unwrap_or(text), &global, first)?.position;
            change.position.range = openers.into_iter().skip(1).collect();
        }
        return Ok(change);
    }
    let first = enter_one(text, position, typed)?;
    let stays = |change: &Change| change.position.openers.starts_with(&position.openers);
    if position.range.is_empty() || !stays(&first) {
        return Ok(first);
    }
    // the same line for each of the other interfaces
    let others: Vec<Position> = position.range.iter().map(|opener| position.beside(opener)).collect();
    let rest = each(first.text.as_deref().unwrap_or(text), others.iter().map(|other| (other, typed)))?;
    let mut next = first.position;
    next.range.clone_from(&position.range);
    Ok(Change { text: rest.text.or(first.text), line: rest.line.or(first.line), position: next })
}

/// Enters lines one after the other, all of them or none.
fn each<'a>(text: &str, lines: impl Iterator<Item = (&'a Position, &'a str)>) -> Result<Change, Wrong> {
    let mut all = Change { text: None, line: None, position: Position::default() };
    for (position, line) in lines {
        let change = enter_one(all.text.as_deref().unwrap_or(text), position, line)?;
        all.text = change.text.or(all.text);
        (all.line, all.position) = (change.line, change.position);
    }
    Ok(all)
}

/// What `interface range` names, and `default ` if that is before it.
fn range(typed: &str) -> Option<(&str, Vec<String>)> {
    let all = words(typed);
    let (before, _) = without_negation(typed);
    let before = if before.trim().eq_ignore_ascii_case("default") { "default " } else { before };
    let given = if before.is_empty() { &all[..] } else { all.get(1..)? };
    match lookup(In::Global, given, false) {
        Lookup::Command(row, _) if row.form == "interface range" => {
            let start = usize::try_from(given.get(2)?.column.checked_sub(1)?).ok()?;
            Some((before, members(typed.get(start..)?)?))
        }
        _ => None,
    }
}

/// [`enter`] for one place.
fn enter_one(text: &str, position: &Position, typed: &str) -> Result<Change, Wrong> {
    let (command, raw) = typed.split_once('\n').map_or((typed, None), |(command, raw)| (command, Some(raw)));
    if command.trim().is_empty() || command.trim_start().starts_with('!') {
        return Ok(Change { text: None, line: None, position: position.clone() });
    }
    let mut old: Vec<&str> = text.lines().collect();
    let tail = match end_of(text) {
        Some(end) => old.split_off(end),
        None => Vec::new(),
    };
    let (openers, entry) = entry_lines(position, command);
    let whole: Vec<&str> =
        std::iter::once(entry.as_str()).chain(raw.into_iter().flat_map(str::lines)).collect();
    // at the end of the file, whatever mode its last line leaves
    let mut reference = old.clone();
    reference.push("exit");
    reference.extend(openers.iter().map(String::as_str));
    let place = reference.len();
    reference.extend(&whole);
    let (parsed, traces) = read(&joined(&reference, &[]), Numbers::Left);
    let class = parsed.document.lines.get(place).map(|line| line.class);
    // an exec command is none here, although it is no mistake in a file
    if traces.get(place).is_some_and(|trace| trace.said != Said::Line) {
        return Err(Wrong::Invalid(command.len() - command.trim_start().len()));
    }
    let Some(trace) = traces.get(place).filter(|_| class != Some(Class::Unknown)) else {
        return Err(wrong(position, command, &reference, place));
    };
    if let Some(place) = slips::of_mode(position.mode(), command).filter(|_| trace.under.is_none()) {
        return Err(Wrong::Invalid(place));
    }
    if let Some(wrong) = slips::slip(trace, command) {
        return Err(wrong);
    }
    if let Some(said) = refusals::refused(trace, &traces, &parsed.config, &old) {
        return Err(Wrong::Said(said.into()));
    }
    let mut next = Position { openers: chain(&traces, trace.under), ..Position::default() };
    let modes: Vec<Mode> = next.openers.iter().map(|opener| opener.mode).collect();
    let leaves = Leaves::of(command.trim(), &modes) == Some(Leaves::AsCommand);
    if leaves {
        next.openers.pop();
    } else if command.trim_start().starts_with("exit-") {
        return Err(Wrong::Invalid(command.len() - command.trim_start().len()));
    }
    if let Some(mode) = trace.opens {
        next.openers.push(Opener { line: trace.spelled.trim().to_string(), mode });
    }
    let mut editor = Editor { old: &old, traces: &traces, place, entry: &[] };
    // written as its neighbours are, and spelled out
    let entry = format!("{}{}", editor.indentation(), as_ios_writes(command, trace.spelled.trim()));
    let whole: Vec<&str> =
        std::iter::once(entry.as_str()).chain(raw.into_iter().flat_map(str::lines)).collect();
    editor.entry = &whole;
    if let Some(line) = reference.get_mut(place) {
        *line = &entry;
    }
    let means_the_same = |lines: &[&str], same: fn(&Config, &Config) -> bool| {
        let (candidate, _) = read(&joined(lines, &[]), Numbers::Left);
        same(&candidate.config, &parsed.config)
    };
    let spelled = trace.spelled.trim();
    let within = chain(&traces, trace.under).pop();
    if let Some(about) = sequence::about(spelled, within.as_ref()) {
        if means_the_same(&old, Config::eq) {
            return match about.refused(&parsed.config) {
                Some(said) => Err(Wrong::Said(said.into())),
                None => Ok(Change { text: None, line: editor.repeated(), position: next }),
            };
        }
        let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_string).collect();
        let added = about.adds(traces.get(..old.len()).unwrap_or_default(), &parsed.config);
        let added = added.then(|| editor.candidates()).into_iter().flatten().map(owned);
        let anew = sequence::rewritten(&old, &parsed.config, &about, spelled);
        for lines in added.chain(anew) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if means_the_same(&lines, agree) {
                let line = lines.iter().position(|line| line.trim() == spelled);
                let text = Some(joined(&lines, &tail));
                return Ok(Change { text, line, position: next });
            }
        }
    }
    let is_here =
        editor.repeated().filter(|place| opens_mode(&editor, *place) || means_the_same(&old, agree));
    if let Some(line) = is_here {
        return Ok(Change { text: None, line: Some(line), position: next });
    }
    let found = editor.candidates().into_iter().find(|lines| means_the_same(lines, Config::eq));
    let new = found.unwrap_or_else(|| {
        // the last mode ends with the line that opens another, if that is one that only the global
        // mode has
        let direct: Vec<&str> = reference
            .iter()
            .enumerate()
            .filter(|(line, _)| *line != old.len())
            .map(|(_, line)| *line)
            .collect();
        if means_the_same(&direct, Config::eq) { direct } else { reference.clone() }
    });
    let mut line = new.iter().position(|line| std::ptr::eq(line.as_ptr(), entry.as_ptr()));
    // a line that opened the mode already and says more is the one that counts
    if let (true, Some(opened), Some(opener)) = (new == old, editor.opened(), next.openers.last_mut()) {
        opener.line = editor.spelled(opened).to_string();
        line = Some(opened);
    }
    let text = (new != old).then(|| joined(&new, &tail));
    Ok(Change { text, line, position: next })
}

/// Whether a line opened a mode already that the typed one opens again.
fn opens_mode(editor: &Editor<'_>, line: usize) -> bool {
    editor.traces.get(line).is_some_and(|trace| trace.opens.is_some())
}

/// Whether two configurations mean the same but for the order of what has none.
fn agree(one: &Config, other: &Config) -> bool {
    unordered(one) == unordered(other)
}

fn unordered(config: &Config) -> Config {
    fn sort<T: std::fmt::Debug>(list: &mut [T]) {
        list.sort_by_cached_key(|item| format!("{item:?}"));
    }
    let mut config = config.clone();
    sort(&mut config.routes);
    config.acls.sort_by(|one, other| one.name.cmp(&other.name));
    config.ipv6_acls.sort_by(|one, other| one.name.cmp(&other.name));
    sort(&mut config.pools);
    sort(&mut config.users);
    sort(&mut config.aaa.login);
    sort(&mut config.aaa.network);
    sort(&mut config.default_keys);
    config.keyrings.iter_mut().for_each(|keyring| sort(&mut keyring.keys));
    config.profiles.iter_mut().for_each(|profile| sort(&mut profile.matches));
    for entry in config.maps.iter_mut().flat_map(|map| &mut map.entries) {
        sort(&mut entry.peers);
    }
    config
}

fn spelled_default(trace: &Trace) -> bool {
    trace.spelled.trim_start().starts_with("default ")
}

/// Spells a line out but for the words that IOS itself abbreviates in what it writes: `encr 3des`,
/// `line con 0`.
fn as_ios_writes(typed: &str, spelled: &str) -> String {
    const SHORT: [&str; 2] = ["encr", "con"];
    let mut typed = typed.split_whitespace();
    let words = spelled.split(' ').map(|word| match typed.next() {
        Some(short) if SHORT.contains(&short) && word.starts_with(short) => short,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The error of a line that is not a command.
fn wrong(position: &Position, command: &str, reference: &[&str], place: usize) -> Wrong {
    let all = words(command);
    let (before, _) = without_negation(command);
    let given = if before.is_empty() { &all[..] } else { all.get(1..).unwrap_or_default() };
    let offset = |column: u32| usize::try_from(column.saturating_sub(1)).unwrap_or(0);
    if let Some((word, _)) = protocol_of_standard(given, position.mode()) {
        return Wrong::Invalid(given.get(word).map_or(0, |word| offset(word.column)));
    }
    let modes = position.mode().into_iter().filter(|mode| *mode != In::Global).chain([In::Global]);
    let found = modes.map(|mode| lookup(mode, given, !before.is_empty()));
    // of two that came as far, the mode's own
    let best = found.reduce(|own, global| if reach(&global) > reach(&own) { global } else { own });
    match best {
        Some(Lookup::Incomplete { .. }) => Wrong::Incomplete,
        Some(Lookup::Ambiguous(_)) => Wrong::Ambiguous,
        Some(Lookup::Invalid { word, .. }) => match given.get(word) {
            Some(word) => Wrong::Invalid(offset(word.column)),
            None => Wrong::Incomplete,
        },
        // the command is known, and does not take its argument
        Some(Lookup::Command(..)) | None => {
            let (parsed, _) = read(&joined(reference, &[]), Numbers::Kept);
            let remark = parsed
                .diagnostics
                .iter()
                .find(|remark| usize::try_from(remark.line) == Ok(place + 1) && remark.code == Code::Invalid);
            let problem = remark.and_then(|remark| remark.message.rsplit_once("` has no effect: "));
            let problem = problem.map(|(_, problem)| problem);
            let expected = problem.and_then(|problem| problem.split_once(" is expected here"));
            match (expected, problem) {
                (Some((expected, _)), _) => {
                    if let Some(said) = said_by_ios(expected) {
                        return Wrong::Said(said.into());
                    }
                }
                // a sentence
                (None, Some(problem)) => return Wrong::Said(problem.to_string().into()),
                (None, None) => {}
            }
            let entry = reference.get(place).copied().unwrap_or_default();
            let moved = entry.len() - entry.trim_start().len();
            let start = command.len() - command.trim_start().len();
            let at = remark.map_or(0, |remark| offset(remark.column)).saturating_sub(moved) + start;
            if at >= command.trim_end().len() { Wrong::Incomplete } else { Wrong::Invalid(at) }
        }
    }
}

/// How many lines of one command are tried one by one.
const FEW: usize = 4;

/// Finds where in the document a line belongs.
struct Editor<'a> {
    /// The document before, without `end`.
    old: &'a [&'a str],
    /// Of the document before, and of the reference after it.
    traces: &'a [Trace],
    /// The typed line's place in the reference.
    place: usize,
    /// The typed line, with its raw text.
    entry: &'a [&'a str],
}

impl<'a> Editor<'a> {
    /// The line that the typed one repeats, if nothing after it changes what it sets.
    fn repeated(&self) -> Option<usize> {
        let spelled = self.traces.get(self.place)?.spelled.trim();
        let (_, name) = without_negation(spelled);
        if self.entry.len() > 1 || name.len() != spelled.len() {
            return None;
        }
        let place = self.section().filter(|line| self.spelled(*line) == spelled).last()?;
        let changed = |line: usize| self.sets_the_same(line) || self.is_undone_by(line, name);
        (!self.section().any(|line| line > place && changed(line))).then_some(place)
    }

    /// The line that opened the mode of the typed one before.
    fn opened(&self) -> Option<usize> {
        self.traces.get(self.place).filter(|trace| trace.opens.is_some())?;
        self.section().filter(|line| self.sets_the_same(*line) && opens_mode(self, *line)).last()
    }

    /// The documents that may be the new one, the best first.
    fn candidates(&self) -> Vec<Vec<&'a str>> {
        let Some(trace) = self.traces.get(self.place) else { return Vec::new() };
        let (_, name) = without_negation(trace.spelled.trim());
        let negated = name.len() != trace.spelled.trim().len();
        let folds = trace.command.as_ref().is_some_and(|command| command.folds);
        let heads = trace.command.as_ref().is_some_and(|command| command.heads);
        let restricts = trace.command.as_ref().is_some_and(|command| command.restricts);
        let like: Vec<usize> = self.section().filter(|line| self.sets_the_same(*line)).collect();
        if spelled_default(trace) {
            return self.defaults(name, &like);
        }
        if negated {
            let gone: Vec<usize> =
                self.section().filter(|line| self.begins(*line, name) || like.contains(line)).collect();
            let without = self.without(&gone);
            let known = self.section().any(|line| self.spelled(line) == trace.spelled.trim());
            let noted = match known {
                true => without.clone(),
                false => self.with(&gone, None),
            };
            // of few lines of one command, the one that is meant: `no ip access-group in`
            let of_row: Vec<usize> = self.section().filter(|line| self.is_of_the_row(*line)).collect();
            let few = of_row.len() <= FEW;
            let each = of_row.iter().filter(|_| few).map(|line| self.without(&[*line]));
            // a setting that is back to its default needs no line, and neither does a removal of what
            // is not there; what has no effect shows nowhere else
            let unchanged = (folds || restricts).then(|| self.old.to_vec());
            return match folds || heads || restricts || !gone.is_empty() {
                true => [without].into_iter().chain(each).chain(unchanged).chain([noted]).collect(),
                false => vec![noted],
            };
        }
        let undone: Vec<usize> = self.section().filter(|line| self.is_undone_by(*line, name)).collect();
        let same = self.section().filter(|line| self.spelled(*line) == trace.spelled.trim()).last();
        // a line that opens a mode and says less than before: `crypto map M 10`
        let kept = (trace.opens.is_some() && !like.is_empty()).then(|| self.old.to_vec());
        let changed = match (same, like.last()) {
            (Some(_), _) if undone.is_empty() && self.entry.len() == 1 => {
                vec![self.old.to_vec(), self.with(&[], None)]
            }
            (Some(place), _) | (None, Some(&place)) => {
                vec![self.with(&undone, Some(place)), self.with(&[undone, vec![place]].concat(), None)]
            }
            (None, None) => vec![self.with(&undone, None)],
        };
        kept.into_iter().chain(changed).collect()
    }

    /// The documents after `default`, which IOS never writes down: what the command opened is
    /// emptied and stays, or what it set goes, and so does its `no`. `like` are lines that set the
    /// same as `name`.
    fn defaults(&self, name: &str, like: &[usize]) -> Vec<Vec<&'a str>> {
        let heads: Vec<usize> =
            self.section().filter(|line| self.begins(*line, name) && opens_mode(self, *line)).collect();
        let says = |line: usize| !self.spelled(line).is_empty() && !self.spelled(line).starts_with('!');
        let below = |line: &usize| !heads.contains(line) && says(*line) && self.is_within(*line, &heads);
        let emptied = (0..self.old.len()).filter(below).collect::<Vec<usize>>();
        let sets =
            |line: &usize| self.begins(*line, name) || like.contains(line) || self.is_undone_by(*line, name);
        let gone: Vec<usize> = self.section().filter(sets).collect();
        let emptied = (!heads.is_empty()).then(|| self.without(&emptied));
        // a removal of what is not there changes nothing
        emptied.into_iter().chain([self.without(&gone), self.old.to_vec()]).collect()
    }

    /// The white space before the typed line.
    fn indentation(&self) -> String {
        let Some(trace) = self.traces.get(self.place).filter(|trace| trace.under.is_some()) else {
            return String::new();
        };
        let neighbour = self.section().find_map(|line| self.traces.get(line));
        let depth = chain(self.traces, trace.under).len();
        neighbour.map_or_else(
            || " ".repeat(depth),
            |neighbour| {
                let text = neighbour.spelled.as_str();
                text.get(..text.len() - text.trim_start().len()).unwrap_or_default().to_string()
            },
        )
    }

    /// The commands of the typed line's section.
    fn section(&self) -> impl Iterator<Item = usize> + '_ {
        let home =
            self.traces.get(self.place).map(|trace| chain(self.traces, trace.under)).unwrap_or_default();
        (0..self.old.len()).filter(move |line| {
            self.traces.get(*line).is_some_and(|trace| {
                let text = trace.spelled.trim();
                let is_command = !text.is_empty() && !text.starts_with('!') && text != "exit";
                is_command
                    && trace.said == Said::Line
                    && !self.is_raw(trace)
                    && chain(self.traces, trace.under) == home
            })
        })
    }

    fn is_raw(&self, trace: &Trace) -> bool {
        let command = trace.under.and_then(|under| self.traces.get(under));
        command.is_some_and(|command| command.opens.is_none())
    }

    fn spelled(&self, line: usize) -> &str {
        self.traces.get(line).map_or("", |trace| trace.spelled.trim())
    }

    fn command(&self, line: usize) -> Option<&TracedCommand> {
        self.traces.get(line)?.command.as_ref()
    }

    /// Whether the typed line replaces another one.
    fn sets_the_same(&self, line: usize) -> bool {
        let (Some(old), Some(new)) = (self.command(line), self.command(self.place)) else { return false };
        new.folds && !old.negated && old.mode == new.mode && old.matched.same_setting(&new.matched)
    }

    /// Whether a line is the same command, whatever its arguments are.
    fn is_of_the_row(&self, line: usize) -> bool {
        let (Some(old), Some(new)) = (self.command(line), self.command(self.place)) else { return false };
        new.folds && !old.negated && old.mode == new.mode && old.matched.form == new.matched.form
    }

    /// Whether a line begins with the words after `no`.
    fn begins(&self, line: usize, name: &str) -> bool {
        let spelled = self.spelled(line);
        spelled.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Whether a line is the `no` of the typed one.
    fn is_undone_by(&self, line: usize, name: &str) -> bool {
        let (before, undone) = without_negation(self.spelled(line));
        let rest = name.strip_prefix(undone);
        !before.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Whether a line is under one of these, or is one.
    fn is_within(&self, line: usize, of: &[usize]) -> bool {
        let mut next = Some(line);
        while let Some(place) = next {
            if of.contains(&place) {
                return true;
            }
            next = self.traces.get(place).and_then(|trace| trace.under);
        }
        false
    }

    fn without(&self, gone: &[usize]) -> Vec<&'a str> {
        let kept = self.old.iter().enumerate().filter(|(line, _)| !self.is_within(*line, gone));
        kept.map(|(_, text)| *text).collect()
    }

    /// The document with the typed line in the place of another, or where it belongs.
    fn with(&self, gone: &[usize], replaces: Option<usize>) -> Vec<&'a str> {
        let behind = self.last_like_it();
        let mut out = Vec::new();
        if behind.is_none() && replaces.is_none() {
            out.extend(self.entry);
        }
        for (line, text) in self.old.iter().enumerate() {
            let raw_of_it =
                self.traces.get(line).is_some_and(|trace| trace.under == replaces && self.is_raw(trace));
            if replaces == Some(line) {
                out.extend(self.entry);
            } else if !(self.is_within(line, gone) || replaces.is_some() && raw_of_it) {
                out.push(*text);
            }
            if replaces.is_none() && behind == Some(line) {
                out.extend(self.entry);
            }
        }
        out
    }

    /// The line after which a new one is inserted: the last of its command, else the last with its
    /// first word, else the last.
    fn last_like_it(&self) -> Option<usize> {
        let is_global = self.traces.get(self.place).is_some_and(|trace| trace.under.is_none());
        // `exit-address-family` stays the last of its mode
        let (ends, section): (Vec<usize>, Vec<usize>) =
            self.section().partition(|line| self.spelled(*line).starts_with("exit-"));
        let form = self.command(self.place).map(|command| command.matched.form);
        let first = |line| without_negation(self.spelled(line)).1.split(' ').next();
        let same_form =
            |line: &&usize| form.is_some() && self.command(**line).map(|c| c.matched.form) == form;
        let same_word = |line: &&usize| first(**line) == first(self.place);
        let last = match is_global {
            true => {
                let like =
                    section.iter().rev().find(same_form).or_else(|| section.iter().rev().find(same_word));
                like.or(section.last()).copied()
            }
            // the section's own opener comes before its first line
            false => section.last().copied().or_else(|| self.opener()),
        };
        let last = last?;
        let said = |line: &usize| {
            let text = self.spelled(*line);
            let says = !text.is_empty() && !text.starts_with('!') && !ends.contains(line);
            says && self.is_within(*line, &[last])
        };
        (0..self.old.len()).rev().find(said).or(Some(last))
    }

    /// The line of the document that opens the typed line's section.
    fn opener(&self) -> Option<usize> {
        let under = self.traces.get(self.place)?.under?;
        let trace = self.traces.get(under)?;
        let home = chain(self.traces, trace.under);
        (0..self.old.len()).rev().find(|line| {
            self.spelled(*line) == trace.spelled.trim()
                && self
                    .traces
                    .get(*line)
                    .is_some_and(|old| old.opens.is_some() && chain(self.traces, old.under) == home)
        })
    }
}

#[cfg(test)]
mod list_tests;

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
