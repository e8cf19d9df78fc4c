//! A line that comes again and again is written once, and then how often it came; and nobody fills
//! the log.

use hubward_proto::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tracing::Level;

/// How long a line is counted after it was written.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// A line of the log that is about a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: Level,
    /// The number of its phase-1 SA: each attempt has another.
    pub(super) conn: u32,
    /// Its address and port; empty if the text says who it is.
    pub(super) peer: String,
    pub(super) text: String,
}

impl Line {
    fn same(&self, other: &Self) -> bool {
        (&self.peer, &self.text) == (&other.peer, &other.text)
    }
}

/// What becomes of a line that is the same as one of its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    /// It is counted.
    Counted,
    /// It is written: a tunnel that is up, down and up again is up.
    Written,
}

/// The lines of a period. Those of one source and kind are limited, so that nobody fills the log by
/// a line that is different each time, and so are all together.
pub(super) struct Repeats {
    same: Same,
    /// Lines that are written of one source and kind.
    most_of_source: usize,
    /// Lines that are written.
    most: usize,
    sources: BTreeMap<(String, &'static str), Source>,
    /// The sources in the order in which their periods end.
    ends: VecDeque<(Instant, (String, &'static str))>,
    /// The lines of all sources.
    held: usize,
    /// Since when lines are left out because there are too many, and how many.
    left_out: Option<(Instant, u64)>,
}

/// The lines of one source and kind, and how many more were left out.
#[derive(Default)]
struct Source {
    lines: Vec<Held>,
    left_out: u64,
}

struct Held {
    line: Line,
    first: Instant,
    last: Instant,
    repeats: u64,
}

impl Repeats {
    pub(super) fn new(same: Same, most_of_source: usize, most: usize) -> Self {
        let (sources, ends) = (BTreeMap::new(), VecDeque::new());
        Self { same, most_of_source, most, sources, ends, held: 0, left_out: None }
    }

    /// A line comes: whether it is to be written now.
    pub(super) fn comes(&mut self, now: Instant, source: String, kind: &'static str, line: &Line) -> bool {
        let key = (source, kind);
        let held = self.sources.get_mut(&key);
        if let Some(known) = held {
            let mut others = known.lines.iter_mut().filter(|_| self.same == Same::Counted);
            if let Some(same) = others.find(|held| held.line.same(line)) {
                (same.last, same.repeats) = (now, same.repeats.saturating_add(1));
                return false;
            }
            if known.lines.len() >= self.most_of_source {
                known.left_out = known.left_out.saturating_add(1);
                return false;
            }
        }
        if self.held >= self.most {
            let (_, count) = self.left_out.get_or_insert((now, 0));
            *count = count.saturating_add(1);
            return false;
        }
        if !self.sources.contains_key(&key) {
            self.ends.push_back((now + PERIOD, key.clone()));
        }
        let held = Held { line: line.clone(), first: now, last: now, repeats: 0 };
        self.sources.entry(key).or_default().lines.push(held);
        self.held += 1;
        true
    }

    /// What is to be written of the periods that have ended.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<Line> {
        let mut out = Vec::new();
        while let Some((_, key)) = self.ends.pop_front_if(|(end, _)| *end <= now) {
            let Some(source) = self.sources.remove(&key) else { continue };
            self.held = self.held.saturating_sub(source.lines.len());
            self.tell(&key.0, source, &mut out);
        }
        if self.left_out.is_some_and(|(since, _)| since + PERIOD <= now) {
            self.tell_left_out(&mut out);
        }
        out
    }

    /// What is to be written of all periods, because there is no later.
    pub(super) fn all(&mut self) -> Vec<Line> {
        let mut out = Vec::new();
        self.ends.clear();
        self.held = 0;
        for ((name, _), source) in std::mem::take(&mut self.sources) {
            self.tell(&name, source, &mut out);
        }
        self.tell_left_out(&mut out);
        out
    }

    fn tell(&self, name: &str, source: Source, out: &mut Vec<Line>) {
        for Held { line, first, last, repeats } in source.lines {
            if repeats > 0 {
                // a part of a second counts as one
                let seconds = last.since(first).as_secs() + 1;
                let times = if repeats == 1 { "once".into() } else { format!("{repeats} times") };
                out.push(Line { text: format!("{}; repeated {times} in {seconds} s", line.text), ..line });
            }
        }
        if source.left_out > 0 {
            out.push(left_out(source.left_out, &format!(" about {name}"), self.most_of_source));
        }
    }

    fn tell_left_out(&mut self, out: &mut Vec<Line>) {
        if let Some((_, count)) = self.left_out.take() {
            out.push(left_out(count, "", self.most));
        }
    }
}

fn left_out(count: u64, about: &str, most: usize) -> Line {
    let lines = if count == 1 { "line" } else { "lines" };
    let text = format!(
        "%HUBWARD-4-LOG_DROPPED: {count} {lines}{about} left out: more than {most} in {} s",
        PERIOD.as_secs()
    );
    Line { level: Level::WARN, conn: 0, peer: String::new(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(peer: &str, text: &str) -> Line {
        Line { level: Level::WARN, conn: 1, peer: peer.into(), text: text.into() }
    }

    fn at(milliseconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(milliseconds)
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| format!("{} ({})", line.text, line.peer)).collect()
    }

    #[test]
    fn what_is_repeated_is_written_once_and_counted_at_the_end() {
        let mut repeats = Repeats::new(Same::Counted, 4, 100);
        let mut comes = |now, peer: &str, text: &str| {
            repeats.comes(now, "192.0.2.7".into(), "refused", &Line { conn: 7, ..line(peer, text) })
        };
        assert!(comes(at(0), "192.0.2.7:500", "no key"));
        for second in 1..=8 {
            assert!(!comes(at(second * 1000), "192.0.2.7:500", "no key"));
        }
        assert!(comes(at(2000), "192.0.2.7:500", "no policy"), "another reason");
        assert!(comes(at(2000), "192.0.2.7:4500", "no key"), "another peer behind the same address");
        assert!(!comes(at(9000), "192.0.2.7:4500", "no key"));
        assert!(repeats.ended(at(9999)).is_empty());
        let told = [
            "no key; repeated 8 times in 9 s (192.0.2.7:500)",
            "no key; repeated once in 8 s (192.0.2.7:4500)",
        ];
        assert_eq!(texts(repeats.ended(at(10_000))), told);
        assert!(repeats.ended(at(60_000)).is_empty() && repeats.held == 0);
        // it begins anew
        assert!(repeats.comes(at(60_000), "192.0.2.7".into(), "refused", &line("192.0.2.7:500", "no key")));
    }

    /// No line about a peer is lost because of what others do.
    #[test]
    fn peers_do_not_share_a_limit() {
        let mut repeats = Repeats::new(Same::Counted, 2, 100);
        for peer in 0..50 {
            let peer = format!("192.0.2.{peer}");
            for _ in 0..1000 {
                repeats.comes(at(0), peer.clone(), "refused", &line(&peer, "no key"));
            }
            assert!(repeats.comes(at(1), peer.clone(), "refused", &line(&peer, "no policy")));
        }
        let told = texts(repeats.ended(at(10_000)));
        assert_eq!(told.len(), 50);
        assert!(told.iter().all(|line| line.starts_with("no key; repeated 999 times in 1 s (")));
    }

    /// A source whose lines are different each time is limited, and the others lose nothing by it.
    #[test]
    fn one_source_does_not_fill_the_log() {
        let mut repeats = Repeats::new(Same::Counted, 2, 100);
        let written = (0..1000)
            .filter(|name| {
                repeats.comes(at(0), "192.0.2.7".into(), "refused", &line("a", &format!("group {name}")))
            })
            .count();
        assert_eq!((written, repeats.held), (2, 2));
        let told = "%HUBWARD-4-LOG_DROPPED: 998 lines about 192.0.2.7 left out: more than 2 in 10 s ()";
        assert_eq!(texts(repeats.ended(at(10_000))), [told]);
    }

    /// Senders that forge their addresses are limited together, and that is told.
    #[test]
    fn all_sources_together_do_not_fill_the_memory() {
        let mut repeats = Repeats::new(Same::Counted, 2, 100);
        let written = (0..1000)
            .filter(|peer| {
                repeats.comes(at(0), format!("peer {peer}"), "refused", &line("", &format!("{peer}")))
            })
            .count();
        assert_eq!((written, repeats.sources.len(), repeats.ends.len()), (100, 100, 100));
        let told = "%HUBWARD-4-LOG_DROPPED: 900 lines left out: more than 100 in 10 s ()";
        assert_eq!(texts(repeats.ended(at(10_000))), [told]);
        assert_eq!((repeats.held, repeats.sources.len(), repeats.ends.len()), (0, 0, 0));
    }

    /// What is no refusal is written each time, up to a limit.
    #[test]
    fn a_change_of_state_is_written_each_time() {
        let mut repeats = Repeats::new(Same::Written, 3, 100);
        let comes = (0..5).map(|_| repeats.comes(at(0), "a".into(), "up", &line("a", "phase 1 is up")));
        assert_eq!(comes.collect::<Vec<_>>(), [true, true, true, false, false]);
        let told = "%HUBWARD-4-LOG_DROPPED: 2 lines about a left out: more than 3 in 10 s ()";
        assert_eq!(texts(repeats.ended(at(10_000))), [told]);
    }

    #[test]
    fn the_end_of_the_program_tells_the_rest() {
        let mut repeats = Repeats::new(Same::Counted, 2, 100);
        for _ in 0..3 {
            repeats.comes(at(0), "a".into(), "refused", &line("a", "no key"));
        }
        assert_eq!(texts(repeats.all()), ["no key; repeated 2 times in 1 s (a)"]);
        assert!(repeats.all().is_empty());
    }
}
