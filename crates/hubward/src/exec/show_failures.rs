//! `why [PEER|USER]` and `show crypto isakmp failures`: what went wrong, in words.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::base::lockout::LockedOut;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::PRIVILEGED;
use crate::translate;
use crate::views::pulse::Pulse;
use crate::views::snapshot::{Flow, Snapshot};
use crate::why::explanation::Explanation;
use crate::why::failure::Failure;
use crate::why::health::{Finding, Health};
use crate::why::{explain, locked_out, notes, print};
use hubward_config::Parsed;
use hubward_proto::ike::snapshot::IsakmpView;
use hubward_proto::names::Untrusted;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// Failures that `why` explains without a peer or user.
const NEWEST: usize = 3;

/// `show crypto isakmp failures`
pub(super) fn failures(context: &Context, _: &Arguments) -> Output {
    shown(Failures(explained(context, |_| true)))
}

/// `why [PEER|USER]`
pub(super) fn why(context: &Context, arguments: &Arguments) -> Output {
    let who = arguments.get("who").map(str::to_string);
    let about = |failure: &Failure| match &who {
        None => true,
        Some(who) => {
            failure.peer().to_string() == *who || failure.user().is_some_and(|user| user.to_string() == *who)
        }
    };
    let of = |locked: &&LockedOut| match &who {
        None => true,
        Some(who) => {
            let user = locked.whose.user().map(ToString::to_string);
            locked.whose.source().to_string() == *who || user.as_ref() == Some(who)
        }
    };
    // as for `show aaa local user lockout`: strangers type passwords where a name belongs
    let lockouts: &[LockedOut] =
        if context.caller.privilege >= PRIVILEGED { &context.snapshot.lockouts } else { &[] };
    let lockouts = lockouts.iter().filter(of);
    let mut rows = explained(context, about);
    if who.is_none() {
        rows.truncate(NEWEST);
    }
    let solved = rows.iter().all(|row| row.solved.is_some());
    let found = findings(context, who.as_deref());
    let more = if who.is_none() { found.len().saturating_sub(NEWEST) } else { 0 };
    let sound = found.is_empty();
    let shown_of = found.len() - more;
    rows.splice(..0, found.into_iter().take(shown_of));
    // whoever guesses must not hide what is wrong with tunnels
    let lockouts = lockouts.take(if who.is_none() { 1 } else { usize::MAX });
    rows.splice(..0, lockouts.map(|locked| locked_row(context, locked)));
    let standing = match &who {
        Some(who) => standing(&context.snapshot, who, solved, sound),
        None => summary(&context.snapshot),
    };
    let notes = who.as_ref().map_or_else(Vec::new, |who| lifetimes(context, who));
    shown(Why { who, standing, notes, rows, more })
}

/// Whether a flow, an SA or an address is that of somebody: by address, user, or an address behind
/// the peer.
fn is_flow_of(snapshot: &Snapshot, flow: &Flow, who: &str) -> bool {
    let behind = who.parse().is_ok_and(|address| flow.selector.remote.contains(address));
    let of_user = |sa: &Arc<IsakmpView>| sa.user.as_ref().is_some_and(|user| user.to_string() == who);
    let by_user = snapshot.peers.get(&flow.peer).is_some_and(|peer| peer.isakmp.iter().any(of_user));
    flow.path.remote.to_string() == who || by_user || behind
}

fn is_sa_of(snapshot: &Snapshot, sa: &IsakmpView, who: &str) -> bool {
    let of_flow = || {
        let mut flows = snapshot.flows.iter().filter(|flow| is_flow_of(snapshot, flow, who));
        sa.peer.is_some_and(|peer| flows.any(|flow| flow.peer == peer))
    };
    sa.path.remote.to_string() == who
        || sa.user.as_ref().is_some_and(|user| user.to_string() == who)
        || of_flow()
}

/// What is wrong although nothing was refused, with somebody or at all; that a peer is gone only if
/// it is asked for.
fn findings(context: &Context, who: Option<&str>) -> Vec<FailureRow> {
    let snapshot = &context.snapshot;
    let health = Health::of(snapshot);
    let is = |of: &dyn Fn(&str) -> bool| who.is_none_or(of);
    let mut found = health.findings(
        |flow| is(&|who| is_flow_of(snapshot, flow, who)),
        |sa| is(&|who| is_sa_of(snapshot, sa, who)),
        |address| is(&|who| address.to_string() == who),
    );
    if let Some(who) = who {
        let here = snapshot.isakmp.iter().any(|sa| !sa.deleted && is_sa_of(snapshot, sa, who))
            || snapshot.flows.iter().any(|flow| is_flow_of(snapshot, flow, who));
        let named = |name: &Option<Untrusted>| name.as_ref().is_some_and(|name| name.to_string() == who);
        let histories = snapshot.histories.iter().filter(|(address, of)| {
            !here && (address.to_string() == who || named(&of.user) || named(&of.identity))
        });
        found.extend(histories.filter_map(|(address, of)| health.gone(*address, of)));
    }
    let moment = |wall| Date::new(wall).iso();
    let row = |one: Finding| FailureRow {
        peer: one.peer,
        user: one.user.map(|user| user.to_string()),
        first: moment(one.first),
        last: moment(one.last),
        count: one.count,
        solved: None,
        is_state: true,
        configuration: texts(context, &snapshot.parsed, &one.explanation),
        explanation: one.explanation,
    };
    found.into_iter().map(row).collect()
}

/// How many tunnels are up, and in how many packets pass.
fn summary(snapshot: &Snapshot) -> Option<String> {
    let flows = &snapshot.flows;
    if flows.is_empty() {
        return None;
    }
    let pulses = || flows.iter().filter_map(|flow| flow.pulse.as_ref());
    let passes = |pulse: &&Pulse| pulse.inbound.last.is_some() && pulse.outbound.last.is_some();
    let both = match pulses().next() {
        Some(_) => format!("; packets have passed in both directions in {}", pulses().filter(passes).count()),
        None => String::new(),
    };
    let peers: BTreeSet<_> = flows.iter().map(|flow| flow.peer).collect();
    let (tunnels, peers) =
        (counted(flows.len(), "tunnel is", "tunnels are"), counted(peers.len(), "peer", "peers"));
    Some(format!("{tunnels} up with {peers}{both}."))
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
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
fn lifetimes(context: &Context, who: &str) -> Vec<(Explanation, Vec<String>)> {
    let snapshot = &context.snapshot;
    let config = &snapshot.parsed.config;
    let (policy, _) = translate::policy(config, &translate::Addresses::new());
    let of = |sa: &&hubward_proto::ike::snapshot::IsakmpView| {
        sa.path.remote.to_string() == who || sa.user.as_ref().is_some_and(|user| user.to_string() == who)
    };
    let isakmp: Vec<_> = snapshot.isakmp.iter().map(AsRef::as_ref).filter(of).collect();
    let children = snapshot.flows.iter().flat_map(|flow| &flow.pairs).map(|pair| pair.view.as_ref());
    let theirs = children.filter(|child| {
        child.path.remote.to_string() == who || isakmp.iter().any(|sa| sa.peer == Some(child.peer))
    });
    let notes = notes(isakmp.iter().copied(), theirs, &snapshot.parsed, &policy);
    let with_texts = |note: Explanation| {
        let texts = texts(context, &snapshot.parsed, &note);
        (note, texts)
    };
    notes.into_iter().map(with_texts).collect()
}

/// The current state of a peer or a user. Tunnels may be up although a later failure is not
/// `solved`: the peer's key has changed since, and phase 1 cannot be established again.
fn standing(snapshot: &Snapshot, who: &str, solved: bool, sound: bool) -> Option<String> {
    // the newest: one that came to nothing may still be there
    let sas = snapshot.isakmp.iter().filter(|sa| !sa.deleted && is_sa_of(snapshot, sa, who));
    let sa = sas.max_by_key(|sa| sa.conn_id);
    let flows = snapshot.flows.iter().filter(|flow| {
        is_flow_of(snapshot, flow, who) || sa.is_some_and(|sa| sa.path.remote == flow.path.remote)
    });
    let flows: Vec<&Flow> = flows.collect();
    match (sa, flows.len()) {
        (None, 0) => None,
        (_, tunnels @ 1..) => Some(format!(
            "{who}: up, {}; {}.",
            counted(tunnels, "tunnel", "tunnels"),
            match (sound, solved) {
                (false, _) => "something is wrong with it".to_owned(),
                (true, false) => "a later failure is not solved yet".to_owned(),
                (true, true) => Health::of(snapshot).passes(&flows),
            }
        )),
        (Some(sa), 0) => {
            Some(format!("{who}: phase 1 is in state {}, and there is no tunnel.", sa.state.ios_name()))
        }
    }
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
        for (note, texts) in &self.notes {
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
        writeln!(out, "  ({times}, the last time {})", row.last)?;
    }
    if let Some(solved) = &row.solved {
        writeln!(out, "  (a tunnel with this peer came up at {solved})")?;
    }
    print::evidence(said, &row.configuration, out)
}
