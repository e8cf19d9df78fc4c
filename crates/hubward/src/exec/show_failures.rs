//! `why [PEER|USER]` and `show crypto isakmp failures`: what went wrong, in words.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::base::lockout::LockedOut;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::exec::who::Who;
use crate::exec::why_summary::{counted, summary};
use crate::manage::desk::{PRIVILEGED, Refusal};
use crate::translate;
use crate::views::snapshot::{Flow, Snapshot};
use crate::why::explanation::Explanation;
use crate::why::failure::Failure;
use crate::why::health::{Finding, Health, ago};
use crate::why::untried::untried;
use crate::why::{explain, locked_out, notes, print};
use hubward_config::Parsed;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

/// Failures that `why` explains without a peer or user.
const NEWEST: usize = 3;

/// `show crypto isakmp failures [since MINUTES]`
pub(super) fn failures(context: &Context, arguments: &Arguments) -> Output {
    let since = since(context, arguments)?;
    shown(Failures(explained(context, |failure| failure.last >= since)))
}

/// What happened before is not asked for.
fn since(context: &Context, arguments: &Arguments) -> Result<Duration, Refusal> {
    let minutes = arguments.parsed::<u64>("minutes")?;
    let ago = minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    Ok(ago.map_or(Duration::ZERO, |ago| context.snapshot.wall.saturating_sub(ago)))
}

/// `why [since MINUTES | [lifetimes] PEER|USER]`
pub(super) fn why(context: &Context, arguments: &Arguments) -> Output {
    let snapshot = &context.snapshot;
    let who = arguments.get("who").map(|name| Who::of(snapshot, name));
    let since = since(context, arguments)?;
    let about =
        |failure: &Failure| failure.last >= since && who.as_ref().is_none_or(|who| who.has_failure(failure));
    let of = |locked: &&LockedOut| {
        who.as_ref().is_none_or(|who| {
            let user = locked.whose.user().map(ToString::to_string);
            who.addresses.contains(&locked.whose.source()) || user.as_deref() == Some(who.name)
        })
    };
    // as for `show aaa local user lockout`: strangers type passwords where a name belongs
    let lockouts: &[LockedOut] =
        if context.caller.privilege >= PRIVILEGED { &snapshot.lockouts } else { &[] };
    let lockouts = lockouts.iter().filter(of);
    let mut rows = explained(context, about);
    // who says since when wants all
    if who.is_none() && since.is_zero() {
        rows.truncate(NEWEST);
    }
    let solved = rows.iter().all(|row| row.solved.is_some());
    let found = findings(context, who.as_ref());
    let more = if who.is_none() { found.len().saturating_sub(NEWEST) } else { 0 };
    let sound = found.is_empty();
    let one_way = |row: &&FailureRow| ["nothing-comes", "nothing-goes"].contains(&row.explanation.cause);
    let silent = found.iter().filter(one_way).count();
    let shown_of = found.len() - more;
    rows.splice(..0, found.into_iter().take(shown_of));
    // whoever guesses must not hide what is wrong with tunnels
    let lockouts = lockouts.take(if who.is_none() { 1 } else { usize::MAX });
    rows.splice(..0, lockouts.map(|locked| locked_row(context, locked)));
    let standing = match &who {
        Some(who) => standing(snapshot, who, solved, sound),
        None => summary(snapshot, silent),
    };
    let notes = who.as_ref().map_or_else(Vec::new, |who| lifetimes(context, who));
    let lifetimes = arguments.has("lifetimes");
    shown(Why { who: who.map(|who| who.name.to_owned()), standing, notes, lifetimes, rows, more })
}

/// What is wrong although nothing was refused, with somebody or at all; that a peer is gone only if
/// it is asked for.
fn findings(context: &Context, who: Option<&Who<'_>>) -> Vec<FailureRow> {
    let snapshot = &context.snapshot;
    let health = Health::of(snapshot);
    let mut found = health.findings(
        |flow| who.is_none_or(|who| who.has_flow(flow)),
        |sa| who.is_none_or(|who| who.has_sa(sa)),
        |address| who.is_none_or(|who| who.addresses.contains(&address)),
    );
    if let Some(who) = who {
        let tried = who.behind.is_some() || snapshot.failures.iter().any(|failure| who.has_failure(failure));
        let nothing = !tried
            && who.histories(snapshot).next().is_none()
            && !snapshot.isakmp.iter().any(|sa| who.has_sa(sa))
            && !snapshot.flows.iter().any(|flow| who.has_flow(flow));
        if nothing && found.is_empty() {
            found.extend(who.addresses.iter().find_map(|address| untried(snapshot, *address)));
        }
        let gone = who.histories(snapshot).filter(|(address, _)| !who.is_here(snapshot, **address));
        found.extend(gone.filter_map(|(address, of)| health.gone(*address, of)));
    }
    let moment = |wall| Date::new(wall).iso();
    let row = |one: Finding| FailureRow {
        peer: one.peer,
        user: one.user.map(|user| user.to_string()),
        first: moment(one.first),
        last: moment(one.last),
        count: one.count,
        solved: None,
        age: Duration::ZERO,
        is_state: true,
        configuration: texts(context, &snapshot.parsed, &one.explanation),
        explanation: one.explanation,
    };
    found.into_iter().map(row).collect()
}

/// A failure with its explanation.
#[derive(Clone, Serialize)]
struct FailureRow {
    peer: IpAddr,
    user: Option<String>,
    first: String,
    last: String,
    count: u64,
    /// When a tunnel came up since.
    solved: Option<String>,
    /// It is so now, and no event that is over: its own words say since when.
    #[serde(skip)]
    is_state: bool,
    /// How long ago the last time was.
    #[serde(skip)]
    age: Duration,
    #[serde(flatten)]
    explanation: Explanation,
    /// The lines' texts without secrets, for those who may see the configuration.
    configuration: Vec<String>,
}

fn explained(context: &Context, about: impl Fn(&Failure) -> bool) -> Vec<FailureRow> {
    let snapshot = &context.snapshot;
    let config = &snapshot.parsed.config;
    let (policy, _) = translate::policy(config, &translate::Addresses::new());
    let moment = |wall| Date::new(wall).iso();
    let row = |failure: &Failure| {
        let explanation = explain(failure, &snapshot.parsed, &policy);
        FailureRow {
            peer: failure.peer(),
            user: failure.user().map(ToString::to_string),
            first: moment(failure.first),
            last: moment(failure.last),
            count: failure.count,
            solved: failure.solved.map(moment),
            age: snapshot.wall.saturating_sub(failure.last),
            is_state: false,
            configuration: texts(context, &snapshot.parsed, &explanation),
            explanation,
        }
    };
    snapshot.failures.iter().filter(|failure| about(failure)).map(row).collect()
}

/// A lock-out with its explanation.
fn locked_row(context: &Context, locked: &LockedOut) -> FailureRow {
    let (since, until) = (context.snapshot.wall_at(locked.since), context.snapshot.wall_at(locked.until));
    FailureRow {
        peer: locked.whose.source(),
        user: locked.whose.user().map(ToString::to_string),
        first: Date::new(since).iso(),
        last: Date::new(since).iso(),
        count: locked.failures.into(),
        solved: None,
        age: context.snapshot.wall.saturating_sub(since),
        is_state: false,
        explanation: locked_out(locked, since, until),
        configuration: Vec::new(),
    }
}

/// The texts of the lines concerned, without secrets, if the caller may see the configuration.
fn texts(context: &Context, parsed: &Parsed, explanation: &Explanation) -> Vec<String> {
    match context.caller.privilege >= PRIVILEGED {
        true => explanation.lines.iter().map(|line| print::line(*line, parsed)).collect(),
        false => Vec::new(),
    }
}

/// Remarks on the lifetimes of established SAs with a peer or a user.
fn lifetimes(context: &Context, who: &Who<'_>) -> Vec<(Explanation, Vec<String>)> {
    let snapshot = &context.snapshot;
    let config = &snapshot.parsed.config;
    let (policy, _) = translate::policy(config, &translate::Addresses::new());
    let isakmp = snapshot.isakmp.iter().map(AsRef::as_ref).filter(|sa| who.has_sa(sa));
    let theirs = snapshot.flows.iter().filter(|flow| who.has_flow(flow)).flat_map(|flow| &flow.pairs);
    let theirs = theirs.map(|pair| pair.view.as_ref());
    let notes = notes(isakmp, theirs, &snapshot.parsed, &policy);
    let with_texts = |note: Explanation| {
        let texts = texts(context, &snapshot.parsed, &note);
        (note, texts)
    };
    notes.into_iter().map(with_texts).collect()
}

/// The current state of a peer or a user. Tunnels may be up although a later failure is not
/// `solved`: the peer's key has changed since, and phase 1 cannot be established again.
fn standing(snapshot: &Snapshot, who: &Who<'_>, solved: bool, sound: bool) -> Option<String> {
    // the newest: one that came to nothing may still be there
    let sas = snapshot.isakmp.iter().filter(|sa| !sa.deleted && who.has_sa(sa));
    let sa = sas.max_by_key(|sa| sa.conn_id);
    let flows: Vec<&Flow> = snapshot.flows.iter().filter(|flow| who.has_flow(flow)).collect();
    let name = match who.behind {
        Some(peer) => format!("{} is behind {peer}, which is", who.name),
        None => format!("{}:", who.name),
    };
    match (sa, flows.len()) {
        (None, 0) => None,
        (_, tunnels @ 1..) => Some(format!(
            "{name} up, {}; {}.{}",
            counted(tunnels, "tunnel", "tunnels"),
            match (sound, solved) {
                (false, _) => "something is wrong with it".to_owned(),
                (true, false) => "a later failure is not solved yet".to_owned(),
                (true, true) => Health::of(snapshot).passes(&flows),
            },
            if sound && solved { longest(&flows) } else { String::new() }
        )),
        (Some(sa), 0) => Some(format!(
            "{}: phase 1 is in state {}, and there is no tunnel.",
            who.name,
            sa.state.ios_name()
        )),
    }
}

/// What no counter tells: packets that are too long for the path and get lost without a word.
fn longest(flows: &[&Flow]) -> String {
    let outbound = flows.iter().flat_map(|flow| &flow.pairs).filter_map(|pair| pair.outbound.as_ref());
    let fits = outbound.map(|carried| carried.plaintext_mtu).filter(|fits| *fits > 0).min();
    let say = |fits| {
        format!(
            "\nThe longest packet that fits has {fits} bytes. If small packets pass and longer ones do not: `ping HOST size {fits} df-bit` shows it, and `ip tcp adjust-mss` on the inside interface helps TCP."
        )
    };
    fits.map(say).unwrap_or_default()
}

struct Failures(Vec<FailureRow>);

impl Layout for Failures {
    type Row = FailureRow;

    fn rows(&self) -> impl Iterator<Item = FailureRow> {
        self.0.iter().cloned()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(out, "No failures since the start.");
        }
        writeln!(out, "{:<20} {:>6} {:<15} Verdict", "Last", "Times", "Peer")?;
        for row in &self.0 {
            let last = row.last.get(..19).unwrap_or(&row.last);
            let solved = if row.solved.is_some() { " (a tunnel came up since)" } else { "" };
            let verdict = &row.explanation.verdict;
            writeln!(out, "{last:<20} {:>6} {:<15} {verdict}{solved}", row.count, row.peer.to_string())?;
        }
        Ok(())
    }
}

struct Why {
    who: Option<String>,
    standing: Option<String>,
    /// Remarks on established SAs, and the texts of their lines.
    notes: Vec<(Explanation, Vec<String>)>,
    /// Whether they are asked for: they are no faults.
    lifetimes: bool,
    rows: Vec<FailureRow>,
    /// What is wrong and not shown.
    more: usize,
}

impl Layout for Why {
    type Row = FailureRow;

    fn rows(&self) -> impl Iterator<Item = FailureRow> {
        self.rows.iter().cloned()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        if let Some(standing) = &self.standing {
            writeln!(out, "{standing}")?;
        }
        if self.rows.is_empty() {
            match (&self.who, &self.standing) {
                (Some(_), Some(_)) => Ok(()),
                (None, _) => writeln!(out, "Nothing has failed since the start."),
                (Some(who), None) => writeln!(
                    out,
                    "Nothing is known of {} here: it has no SA, and nothing has failed since the start.\n  * Does it initiate to the right address? Are UDP 500 and 4500 open on the path?\n  * A packet that arrives shows in `debug crypto isakmp`; one that does not is lost before it reaches this router.",
                    who.escape_debug()
                ),
            }?;
        }
        for row in &self.rows {
            explanation(row, out)?;
        }
        if self.more > 0 {
            writeln!(out, "\n{} more: `why PEER` tells those of a peer.", self.more)?;
        }
        if let (false, false, Some(who)) = (self.lifetimes, self.notes.is_empty(), &self.who) {
            writeln!(out, "\nLifetimes differ, which is no fault: `why lifetimes {}`.", who.escape_debug())?;
        }
        for (note, texts) in self.notes.iter().filter(|_| self.lifetimes) {
            writeln!(out, "\n{}", note.verdict)?;
            print::evidence(note, texts, out)?;
        }
        Ok(())
    }
}

fn explanation(row: &FailureRow, out: &mut dyn Write) -> io::Result<()> {
    let said = &row.explanation;
    writeln!(out, "\n{}", said.verdict)?;
    if !row.is_state {
        let times = if row.count == 1 { "once".to_string() } else { format!("{} times", row.count) };
        writeln!(out, "  ({times}, the last time {}, {} ago)", row.last, ago(row.age))?;
    }
    if let Some(solved) = &row.solved {
        writeln!(out, "  (a tunnel with this peer came up at {solved})")?;
    }
    print::evidence(said, &row.configuration, out)
}
