//! What goes wrong with clients: their groups, their users, their addresses.

use super::rivals::readings;
use crate::why::explanation::{Explanation, profile_line};
use crate::why::failure::Failure;
use hubward_config::Parsed;
use hubward_config::meant::meant;
use hubward_config::model::{AaaList, AaaMethod, Group, Pool};
use hubward_proto::ike::identity::Identity;
use hubward_proto::ike::io::LeaseError;
use hubward_proto::ike::lookup;
use hubward_proto::ike::snapshot::IsakmpState;
use hubward_proto::names::Untrusted;
use hubward_proto::path::ISAKMP_PORT;
use hubward_proto::policy::{IsakmpProfile, Policy};
use std::net::IpAddr;

pub(super) fn password(user: &Untrusted, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let asked = profile_of(failure, policy)
        .and_then(|profile| Some((profile.xauth_list.as_ref()?, profile_line(parsed, &profile.name))));
    let lists = &parsed.config.aaa.login;
    if let Some((list, line)) = asked {
        let found = lists.iter().find(|known| known.name == *list);
        let local = |list: &&AaaList| list.methods.iter().any(AaaMethod::is_local);
        if found.filter(local).is_none() {
            let near = meant(list, lists.iter().map(|known| known.name.as_str()));
            let fault = match (found, near) {
                (Some(_), _) => "has no supported method".to_owned(),
                (None, Some(near)) => format!("is not configured ({near} is)"),
                (None, None) => "is not configured".to_owned(),
            };
            return Explanation::new(
                "no-login-list",
                format!("Xauth failed for user {user} from {peer}: the login list {list}, which checks the password, {fault}."),
            )
            .line(line.into_iter().chain(found.map(|found| found.line)))
            .advise(format!("Here: `aaa authentication login {list} local`."));
        }
    }
    let name = user.to_string();
    let known = parsed.config.users.iter().find(|known| known.name.eq_ignore_ascii_case(&name));
    let about = match known {
        Some(known) if known.password.is_some() => {
            format!("wrong password for user {user} from {peer}")
        }
        Some(_) => format!("user {user} from {peer} has no password configured here"),
        None => format!("there is no user {user}, the name that {peer} sent"),
    };
    let near = match known {
        Some(_) => None,
        None => meant(&name, parsed.config.users.iter().map(|user| user.name.as_str())),
    };
    let there = match near {
        Some(meant) => {
            format!("There: enter the user name again ({meant} is probably meant), and the password.")
        }
        None => "There: enter the user name and password again; passwords are case-sensitive.".into(),
    };
    let of_list = lists.iter().filter(|known| asked.is_none_or(|(list, _)| known.name == *list));
    Explanation::new("wrong-password", format!("Xauth failed: {about}."))
        .line(known.map(|user| user.line).into_iter().chain(of_list.map(|list| list.line)))
        .advise(there)
        .advise("Here: set it with `username NAME secret PASSWORD`.")
}

/// The authorization list gave out no group of this name.
pub(super) fn group(group: &Untrusted, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let name = group.to_string();
    let groups = &parsed.config.groups;
    let Some(known) = groups.iter().find(|known| known.name == name) else {
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        let there = match meant(&name, names.iter().copied()) {
            Some(meant) => {
                format!("There: {meant} is probably meant; correct the group name in the client's profile.")
            }
            None => "There: correct the group name in the client's profile; it is case-sensitive.".into(),
        };
        return Explanation::new(
            "unknown-group",
            format!("The client at {peer} asks for group {group}, which is not configured here."),
        )
        .side("client group", name, names.join(", "), true)
        .line(groups.iter().map(|group| group.line))
        .advise(there)
        .advise(format!("Here: `crypto isakmp client configuration group {group}`, and `match identity group {group}` in a profile."));
    };
    let out = |why: String| {
        Explanation::new(
            "group-not-authorized",
            format!("The client at {peer} asks for group {group}, which is configured, {why}."),
        )
        .line([known.line])
    };
    let identity = Identity::KeyId(name.clone().into_bytes());
    let Some(profile) = lookup::profile_for(policy, failure.path.local, &identity) else {
        let lines = policy.profiles.iter().filter_map(|profile| profile_line(parsed, &profile.name));
        return out("but no ISAKMP profile matches it".into()).line(lines).advise(format!(
            "Here: `match identity group {group}` in the profile that is meant for the clients."
        ));
    };
    let line = profile_line(parsed, &profile.name);
    match &profile.authorization_list {
        None => out(format!(
            "but profile {}, which matches it, has no `isakmp authorization list`",
            profile.name
        ))
        .line(line)
        .advise(format!("Here: `isakmp authorization list LIST` in profile {}, and `aaa authorization network LIST local`.", profile.name)),
        Some(list) => {
            let found = parsed.config.aaa.network.iter().find(|known| known.name == *list);
            let fault = if found.is_some() { "does not supply it" } else { "is not configured" };
            out(format!(
                "but the authorization list {list} of profile {}, which must supply it, {fault}",
                profile.name
            ))
            .line(line.into_iter().chain(found.map(|found| found.line)))
            .advise(format!("Here: `aaa authorization network {list} local`, and a `key` in the group."))
        }
    }
}

/// The client said nothing more after our answer to its first message.
pub(super) fn silent(state: IsakmpState, failure: &Failure, parsed: &Parsed) -> Explanation {
    let port = failure.path.remote_port;
    let out = Explanation::new(
        "silent-in-aggressive-mode",
        format!("The client at {} stopped responding after our first answer: usually its group password differs from the one configured here, which only the client can detect and does not report.", failure.peer()),
    )
    .side("state", "silent", state.ios_name(), true)
    .line(parsed.config.groups.iter().map(|group| group.line))
    .advise("There: enter the group password again; the user's own password is requested only after it matches.")
    .advise("Here: set it with `key` in `crypto isakmp client configuration group`.");
    match port {
        ISAKMP_PORT => out.advise("If it matches: the client may be behind a NAT with UDP 4500 blocked on the path."),
        port => out
            .seen(format!("its packets come from port {port} and not from 500: there is probably a NAT on the path, and its next message goes to UDP 4500"))
            .advise("If it matches: open UDP 4500 in both directions on every firewall on the path."),
    }
}

/// The client requested an address, and nothing here answers such a request.
pub(super) fn no_mode_config(failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let out = |why: String| {
        Explanation::new("no-mode-config", format!("The client at {peer} requests an address, {why}."))
    };
    let silent = |profile: &&IsakmpProfile| !profile.respond;
    match (profile_of(failure, policy).filter(silent), group_of(failure, parsed, policy)) {
        (Some(profile), _) => out(format!("but profile {} does not answer such requests", profile.name))
            .line(profile_line(parsed, &profile.name))
            .advise(format!("Here: `client configuration address respond` in profile {}.", profile.name)),
        (None, Some(group)) if parsed.config.pool_of(group).is_none() => {
            out(format!("but its group {} names no pool", group.name))
                .line([group.line])
                .advise(format!("Here: `pool NAME` in group {}, and `ip local pool NAME FIRST LAST`.", group.name))
        }
        _ => out("but nothing here assigns one".into())
            .line(policy.profiles.iter().filter_map(|profile| profile_line(parsed, &profile.name)))
            .advise("Here: `client configuration address respond` in the profile, and a `pool` in the client's group."),
    }
}

pub(super) fn lease(error: LeaseError, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let config = &parsed.config;
    let group = group_of(failure, parsed, policy);
    // a peer without a group has the pool of all clients
    let of_all = config.crypto.address_pool.as_ref().map(|(pool, _)| pool.as_str());
    let its = group.map_or(of_all, |group| config.pool_of(group));
    let pools: Vec<_> = config.pools.iter().filter(|pool| its.is_none_or(|its| pool.name == its)).collect();
    match error {
        LeaseError::Exhausted => {
            let size = |pool: &&Pool| {
                let all = match (pool.low, pool.high) {
                    (IpAddr::V4(low), IpAddr::V4(high)) => {
                        format!(
                            ", {} in all",
                            u32::from(high).saturating_sub(u32::from(low)).saturating_add(1)
                        )
                    }
                    // too many to be told
                    _ => String::new(),
                };
                format!("{} to {}{all}", pool.low, pool.high)
            };
            Explanation::new(
                "pool-exhausted",
                format!("There is no free address left for the client at {peer}: every address of the pool is in use."),
            )
            .side("addresses", "one more", pools.iter().map(size).collect::<Vec<_>>().join(", "), true)
            .line(pools.iter().map(|pool| pool.line))
            .advise("Here: make the pool larger (`ip local pool NAME FIRST LAST`); `show ip local pool` shows who holds its addresses, `clear crypto session remote A.B.C.D` frees one.")
        }
        LeaseError::NoPool => Explanation::new(
            "no-address",
            format!(
                "The client at {peer} gets no address: its group uses pool {}, which is not configured.",
                its.unwrap_or_default()
            ),
        )
        .line(group.map(|group| group.line))
        .advise("Here: `ip local pool NAME FIRST LAST` with the name that `pool` has in the group."),
        LeaseError::LimitReached => {
            Explanation::new("no-address", format!("The client at {peer} gets no address: {error}."))
                .line(group.map(|group| group.line))
                .advise("Here: `max-users` and `max-logins` of the group.")
        }
        LeaseError::NotIpv4 => {
            Explanation::new("no-address", format!("The client at {peer} gets no address: {error}."))
                .line(pools.iter().map(|pool| pool.line))
                .advise("Here: a pool of IPv4 addresses (`ip local pool NAME FIRST LAST`) for its group.")
        }
        LeaseError::Busy => {
            Explanation::new("no-address", format!("The client at {peer} gets no address: {error}."))
                .advise("Here: look whether the disk of the state folder (`--state`) still answers.")
        }
    }
}

/// The profile that took the peer's identity.
fn profile_of<'p>(failure: &Failure, policy: &'p Policy) -> Option<&'p IsakmpProfile> {
    let mut readings = readings(failure);
    readings.find_map(|identity| lookup::profile_for(policy, failure.path.local, &identity))
}

/// The client's group: its identity, or the one that its profile names.
fn group_of<'c>(failure: &Failure, parsed: &'c Parsed, policy: &Policy) -> Option<&'c Group> {
    let config = &parsed.config;
    let name = failure.identity.as_ref()?.to_string();
    let of_profile = || config.group_for(profile_of(failure, policy)?.group.as_ref()?);
    config.groups.iter().find(|group| group.name == name).or_else(of_profile)
}
