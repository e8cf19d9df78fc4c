//! Lifetimes that differ: not a failure, because the shorter one applies, but the reason why a peer
//! that ignores it loses the tunnel when the shorter one has passed.

use crate::why::explanation::{Explanation, line_of};
use hubward_config::Parsed;
use hubward_proto::ike::snapshot::{ChildView, IsakmpView};
use hubward_proto::policy::{MapEntryKind, Policy};
use std::net::IpAddr;
use std::time::Duration;

/// Remarks on the lifetimes of established SAs, one explanation for each phase and peer.
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
    let here = match theirs.as_secs() {
        seconds @ 60..=86_400 => {
            format!("Here: `lifetime {seconds}` in `crypto isakmp policy {}`; or there: ", ours.priority)
        }
        // more than the command takes
        _ => "There: ".to_owned(),
    };
    let advice = format!("{here}{} seconds.", ours.lifetime.as_secs());
    Some(note(1, sa.path.remote, theirs, ours.lifetime).line([ours.line]).advise(advice))
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
    let here = match theirs.as_secs() {
        seconds @ 120..=2_592_000 => format!(
            "Here: `set security-association lifetime seconds {seconds}` in the crypto map entry; or there: "
        ),
        _ => "There: ".to_owned(),
    };
    let advice = format!("{here}{} seconds.", ours.as_secs());
    Some(note(2, sa.path.remote, theirs, ours).line(line.into_iter().chain(global)).advise(advice))
}

/// What the peer proposes, if it differs. The initiator only sees what the other side shortened.
fn wanted(offered: Option<Duration>, kept: Duration, ours: Duration, initiator: bool) -> Option<Duration> {
    let theirs = if initiator { Some(kept).filter(|kept| *kept < ours) } else { offered };
    theirs.filter(|theirs| *theirs != ours)
}

fn note(phase: u8, peer: IpAddr, theirs: Duration, ours: Duration) -> Explanation {
    let (theirs, ours) = (theirs.as_secs(), ours.as_secs());
    let shorter = theirs.min(ours);
    Explanation::new(
        "lifetime",
        format!("The lifetimes of phase {phase} differ: {peer} wants {theirs} seconds, we want {ours}; the shorter one, {shorter} seconds, applies; that is not an error."),
    )
    .side("lifetime", theirs.to_string(), ours.to_string(), false)
    .advise(format!(
        "Nothing has to change, unless the tunnel stalls each time {shorter} seconds have passed: then the side with the longer lifetime ignores the shorter one; set the same lifetime on both sides."
    ))
}
