//! Identities that fit more than one ISAKMP profile alike: IOS takes the first configured and says
//! nothing.

use crate::why::explanation::{Explanation, matches_of, profile_line};
use crate::why::failure::Failure;
use hubward_config::Parsed;
use hubward_proto::ike::identity::Identity;
use hubward_proto::ike::lookup;
use hubward_proto::policy::{IsakmpProfile, Policy};
use std::net::IpAddr;

/// Profiles that fit the peer's identity as well as `taken`, which took it.
fn rivals<'p>(failure: &Failure, policy: &'p Policy, taken: &IsakmpProfile) -> Vec<&'p IsakmpProfile> {
    let fit = |profile: &IsakmpProfile, identity: &Identity| {
        let here = profile.local_address.is_none_or(|address: IpAddr| address == failure.path.local);
        let fits = profile.matches.iter().filter_map(|line| identity.matches(line)).max();
        fits.filter(|_| here)
    };
    let took = |identity: &Identity| {
        lookup::profile_for(policy, failure.path.local, identity)
            .is_some_and(|found| found.name == taken.name)
    };
    let Some(identity) = readings(failure).find(took) else { return Vec::new() };
    let equal =
        |other: &&IsakmpProfile| other.name != taken.name && fit(other, &identity) == fit(taken, &identity);
    policy.profiles.iter().filter(equal).collect()
}

/// What the peer's identity may be: the record keeps its text and not its type.
pub(super) fn readings(failure: &Failure) -> impl Iterator<Item = Identity> {
    let text = name_of(failure);
    let named = [
        Identity::Fqdn(text.clone()),
        Identity::UserFqdn(text.clone()),
        Identity::KeyId(text.clone().into()),
    ];
    text.parse().ok().map(Identity::Address).into_iter().chain(named)
}

/// What `match identity` needs to match the peer.
pub(super) fn match_for(failure: &Failure) -> String {
    let name = name_of(failure);
    match (name.parse::<IpAddr>(), name.split_once('@')) {
        (Ok(address), _) => format!("address {address} 255.255.255.255"),
        (Err(_), Some(_)) => format!("user {name}"),
        (Err(_), None) => format!("host {name}"),
    }
}

/// The peer's identity, if it is known; otherwise its address, which is the identity of most peers.
pub(super) fn name_of(failure: &Failure) -> String {
    failure.identity.as_ref().map_or_else(|| failure.peer().to_string(), ToString::to_string)
}

/// The explanation, if a profile that would have served the peer better has the same right to it.
pub(super) fn ambiguous(
    failure: &Failure,
    parsed: &Parsed,
    policy: &Policy,
    taken: &str,
    consequence: &str,
    better: impl Fn(&IsakmpProfile) -> bool,
) -> Option<Explanation> {
    let taken = policy.profile(taken)?;
    let rival = rivals(failure, policy, taken).into_iter().find(|rival| better(rival))?;
    let name = name_of(failure);
    let verdict = format!(
        "The identity {name} of {} matches the ISAKMP profiles {} and {} equally well; the first in the configuration, {}, was chosen, {consequence}.",
        failure.peer(),
        taken.name,
        rival.name,
        taken.name
    );
    let lines = [taken, rival].map(|profile| profile_line(parsed, &profile.name));
    let out = Explanation::new("ambiguous-identity", verdict)
        .side("identity", name.clone(), matches_of([taken, rival]), true)
        .line(lines.into_iter().flatten());
    Some(out.advise(format!(
        "Here: give profile {} a more specific match than {} has, such as `match identity address {} 255.255.255.255`; or configure {} first.",
        rival.name,
        taken.name,
        failure.peer(),
        rival.name
    )))
}
