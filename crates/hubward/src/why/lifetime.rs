//! Lifetimes that differ: no failure, as the shorter one holds, but the reason why a peer that keeps to its own loses the tunnel
//! when the shorter one is over.

use crate::why::explanation::{Explanation, line_of};
use hubward_config::Parsed;
use hubward_proto::ike::snapshot::{ChildView, IsakmpView};
use hubward_proto::policy::{MapEntryKind, Policy};
use std::net::IpAddr;
use std::time::Duration;

/// What there is to say of the lifetimes of SAs that stand, one explanation for each phase and peer.
pub(crate) fn notes<'v>(
    isakmp: impl Iterator<Item = &'v IsakmpView>,
    children: impl Iterator<Item = &'v ChildView>,
    parsed: &Parsed,
    policy: &Policy,
) -> Vec<Explanation> {
    let mut notes: Vec<_> = isakmp.filter(|sa| !sa.deleted).filter_map(|sa| phase1(sa, policy)).collect();
    notes.extend(children.filter(|sa| !sa.superseded).filter_map(|sa| phase2(sa, parsed, policy)));
    notes.dedup();
    notes
}

fn phase1(sa: &IsakmpView, policy: &Policy) -> Option<Explanation> {
    let fits = |known: &&hubward_proto::policy::IsakmpPolicy| {
        (Some(known.cipher), Some(known.hash), Some(known.group)) == (sa.cipher, sa.hash, sa.group)
    };
    let ours = policy.proposals.iter().find(fits)?;
    let kept = sa.expires?.since(sa.created);
    let theirs = wanted(sa.offered, kept, ours.lifetime, sa.initiator)?;
    Some(note(1, sa.path.remote, theirs, ours.lifetime).line([ours.line]).advise(format!(
        "Here: `lifetime {}` in `crypto isakmp policy {}`; or there: {} seconds.",
        theirs.as_secs(),
        ours.priority,
        ours.lifetime.as_secs()
    )))
}

fn phase2(sa: &ChildView, parsed: &Parsed, policy: &Policy) -> Option<Explanation> {
    let ours = policy.terms(&sa.service)?.lifetime;
    let theirs = wanted(sa.offered, sa.expires.since(sa.established), ours, sa.initiator)?;
    let entry = sa.service.map_entry().and_then(|name| policy.entry(name));
    let line = entry.map(|entry| match (&entry.kind, sa.service.template()) {
        (MapEntryKind::Dynamic { entries, .. }, Some(template)) => {
            let own = entries.iter().find(|candidate| candidate.sequence == template.sequence);
            own.map_or(entry.line, |own| own.line)
        }
        _ => entry.line,
    });
    let global = line_of(parsed, "crypto ipsec security-association lifetime seconds");
    Some(note(2, sa.path.remote, theirs, ours).line(line.into_iter().chain(global)).advise(format!(
        "Here: `set security-association lifetime seconds {}` in the crypto map entry; or there: {} seconds.",
        theirs.as_secs(),
        ours.as_secs()
    )))
}

/// What the peer wants, if it is something else. Who begins sees only what the other side shortened.
fn wanted(offered: Option<Duration>, kept: Duration, ours: Duration, initiator: bool) -> Option<Duration> {
    let theirs = if initiator { Some(kept).filter(|kept| *kept < ours) } else { offered };
    theirs.filter(|theirs| *theirs != ours)
}

fn note(phase: u8, peer: IpAddr, theirs: Duration, ours: Duration) -> Explanation {
    let (theirs, ours) = (theirs.as_secs(), ours.as_secs());
    let shorter = theirs.min(ours);
    Explanation::new(
        "lifetime",
        format!("The lifetimes of phase {phase} differ: {peer} wants {theirs} seconds, we want {ours}; the shorter one holds, {shorter} seconds, and that is no fault."),
    )
    .side("lifetime", theirs.to_string(), ours.to_string(), true)
    .advise(format!(
        "Nothing has to change. Only if the tunnel stands still each time that {shorter} seconds are over: then the side with the longer lifetime does not keep to the shorter one; set the same on both sides."
    ))
}
