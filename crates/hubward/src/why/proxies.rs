//! Networks that a peer proposes, compared with the access lists that should mirror them.

use crate::translate;
use crate::why::explanation::Explanation;
use hubward_config::Parsed;
use hubward_config::model::AclEntry;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::policy::{CryptoAcl, CryptoAclLine};
use std::net::IpAddr;

/// No access list of the entries that could serve the peer takes what it proposes. `entries` are
/// their access lists, and their own lines.
pub(super) fn no_mirror(
    peer: IpAddr,
    selector: &Selector,
    entries: &[(Option<&CryptoAcl>, u32)],
    parsed: &Parsed,
) -> Explanation {
    let (theirs, ours) = (selector.remote, selector.local);
    let proposed = format!("{peer} proposes a tunnel between its {theirs} and our {ours}, ");
    let say = |why: String| Explanation::new("proxy-identities", format!("{proposed}{why}."));
    let permit = format!(
        "Here: `permit ip {} {}` in the access list that the entry matches.",
        wildcard(&ours),
        wildcard(&theirs)
    );
    let lines = || {
        let lists = entries.iter().filter_map(|(acl, _)| *acl);
        lists.flat_map(|acl| acl.lines.iter().map(move |line| (acl.name.as_str(), line)))
    };
    // a deny line before the line that would permit it
    let denied = lines().find(|(_, line)| !line.permit && line.selector.covers(selector));
    if let Some((list, line)) = denied {
        let number = acl_line(parsed, list, line);
        let place = number.map_or_else(String::new, |number| format!("line {number} of "));
        return sides(say(format!("but {place}access list {list} denies it")), selector, &line.selector)
            .line(number)
            .advise("Here: move the line that permits it before that one, or remove that one.")
            .advise(permit);
    }
    let permits = lines().filter(|(_, line)| line.permit);
    let Some((list, nearest)) = permits.max_by_key(|(_, line)| nearness(&line.selector, selector)) else {
        let names: Vec<_> = entries.iter().filter_map(|(acl, _)| Some((*acl)?.name.as_str())).collect();
        return say(format!(
            "but the access list {} of the crypto map entry permits nothing or is not configured",
            names.join(", ")
        ))
        .side("networks", format!("{theirs} <-> {ours}"), "", true)
        .line(entries.iter().map(|(_, line)| *line))
        .advise(permit);
    };
    let number = acl_line(parsed, list, nearest);
    let which = number.map_or_else(String::new, |number| format!("The closest line here is {number}. "));
    let out = match nearest.selector == selector.mirrored() {
        true => say(format!("but the line of access list {list} has source and destination reversed")),
        false => say("but no line of a crypto access list mirrors it".into()),
    };
    sides(out, selector, &nearest.selector)
        .line(number)
        .advise(format!("{which}Make the two lists mirror each other: source there is destination here."))
        .advise(permit)
}

/// The comparison of what is proposed with a line.
fn sides(out: Explanation, proposed: &Selector, line: &Selector) -> Explanation {
    out.side(
        "network there",
        proposed.remote.to_string(),
        line.remote.to_string(),
        proposed.remote != line.remote,
    )
    .side("network here", proposed.local.to_string(), line.local.to_string(), proposed.local != line.local)
    .side(
        "protocol",
        number(proposed.protocol),
        number(line.protocol),
        proposed.protocol != line.protocol,
    )
}

/// The line of an access list that selects these packets.
pub(super) fn acl_line(parsed: &Parsed, list: &str, line: &CryptoAclLine) -> Option<u32> {
    let acl = parsed.config.acls.iter().find(|acl| acl.name == list)?;
    let same = |entry: &&AclEntry| {
        entry.rule().is_some_and(|rule| rule.permit == line.permit)
            && translate::selectors(&parsed.config, entry)
                .is_ok_and(|selectors| selectors.contains(&line.selector))
    };
    acl.entries.iter().find(same).map(|entry| entry.line)
}

fn number(protocol: Option<u8>) -> String {
    protocol.map_or_else(|| "ip".into(), |protocol| protocol.to_string())
}

/// How much two selectors have in common: equal ranges, then overlapping ones.
fn nearness(a: &Selector, b: &Selector) -> u8 {
    let side = |a: &AddressRange, b: &AddressRange| match (a == b, a.overlaps(b)) {
        (true, _) => 4,
        (_, true) => 2,
        _ => 0,
    };
    side(&a.local, &b.local) + side(&a.remote, &b.remote) + u8::from(a.protocol == b.protocol)
}

/// A range as an access list writes it.
fn wildcard(range: &AddressRange) -> String {
    match range.to_prefix() {
        Some(ipnet::IpNet::V4(net)) if net.prefix_len() == 0 => "any".into(),
        Some(ipnet::IpNet::V4(net)) if net.prefix_len() == 32 => format!("host {}", net.addr()),
        Some(ipnet::IpNet::V4(net)) => format!("{} {}", net.network(), net.hostmask()),
        _ => range.to_string(),
    }
}
