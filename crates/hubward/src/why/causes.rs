//! What a failure means: the verdict, both sides of the comparison, the lines concerned, and what
//! to change.

use super::rivals::{ambiguous, match_for, name_of};
use super::words::{
    cipher, hash, offered_cipher, offered_group, offered_hash, offered_method, offered_mode,
    offered_transform, transform,
};
use super::{clients, proxies};
use crate::why::explanation::{Explanation, line_of, matches_of, profile_line, profile_lines};
use crate::why::failure::{Cause, Failure};
use hubward_config::Parsed;
use hubward_proto::flow::selector::Selector;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::lookup::{self, FoundKey};
use hubward_proto::ike::misfit::{Phase1Misfit, Phase2Misfit};
use hubward_proto::ike::proposal::{Phase1Difference, Phase2Difference};
use hubward_proto::ike::snapshot::IsakmpState;
use hubward_proto::limits;
use hubward_proto::path::NATT_PORT;
use hubward_proto::policy::{Authentication, EntryTerms, IsakmpProfile, MapEntry, MapEntryKind, Policy};
use hubward_proto::wire::registry::notify;
use std::net::IpAddr;
use std::time::Duration;

/// Explains a failure by the configuration in force and the policy made of it.
pub(crate) fn explain(failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    match &failure.cause {
        Cause::Refused(refusal) => refused(refusal, failure, parsed, policy),
        Cause::Password(user) => clients::password(user, failure, parsed, policy),
        Cause::Dead => Explanation::new(
            "peer-dead",
            format!("{peer} has stopped answering (dead peer detection): it is switched off, its address has changed, or the path to it is down."),
        )
        .line(profile_lines(parsed, policy, |profile| profile.keepalive.is_some()))
        .line(line_of(parsed, "crypto isakmp keepalive"))
        .advise(format!("Ping {peer} from here; check whether its provider has assigned it another address."))
        .advise("Here: the tunnel comes up by itself when the peer initiates, or when there is traffic for it."),
        Cause::Integrity { short: true } => Explanation::new(
            "sha256-96",
            format!("Packets of {peer} carry a SHA-256 integrity check value (ICV) of 96 bits instead of 128: its software is older than RFC 4868, or is configured to truncate; the tunnel is up, but no traffic passes."),
        )
        .side("ICV", "96 bits", "128 bits", true)
        .line(set_lines(failure, parsed, policy))
        .advise("There: disable the truncation (strongSwan: `sha256_96 = no`; Linux before 2.6.33 and Android 4 cannot).")
        .advise("Or on both sides: esp-sha-hmac instead of esp-sha256-hmac in the transform set."),
        Cause::Integrity { short: false } => Explanation::new(
            "icv",
            format!("Packets of {peer} fail their integrity check although both sides agreed on the keys: something on the path modifies them."),
        )
        .line(set_lines(failure, parsed, policy))
        .advise("Look for a faulty link or a device that rewrites packets; `show crypto ipsec sa` counts them (#pkts verify failed)."),
        Cause::Outside { inner, agreed, lease } => outside(*inner, agreed, *lease, failure, parsed, policy),
    }
}

/// Packets that do not belong into their tunnel.
fn outside(
    (source, destination): (IpAddr, IpAddr),
    agreed: &Selector,
    lease: Option<IpAddr>,
    failure: &Failure,
    parsed: &Parsed,
    policy: &Policy,
) -> Explanation {
    let peer = failure.peer();
    let theirs = lease.map_or_else(|| agreed.remote.to_string(), |address| address.to_string());
    let source_fits = match lease {
        Some(address) => source == address,
        None => agreed.remote.contains(source),
    };
    let out = Explanation::new(
        "outside-selectors",
        format!("{peer} sends packets into the tunnel that it was not negotiated for, such as one from {source} to {destination}: it was negotiated for {theirs} and {}.", agreed.local),
    )
    .side("source", source.to_string(), theirs, !source_fits)
    .side("destination", destination.to_string(), agreed.local.to_string(), !agreed.local.contains(destination));
    match lease {
        Some(address) => out
            .line(parsed.config.pools.iter().map(|pool| pool.line))
            .advise(format!("There: the client must send from {address}, the address that it was assigned, and route nothing else into the tunnel; networks behind it need a LAN-to-LAN tunnel.")),
        None => out
            .line(acl_lines(parsed, policy, |_| true))
            .advise("There: its crypto access list or its NAT lets other addresses into the tunnel; the two access lists must mirror each other."),
    }
    .advise("Here: `show crypto ipsec sa` shows what was negotiated (local and remote ident).")
}

/// The lines of the transform sets of all entries that could serve a peer.
fn set_lines(failure: &Failure, parsed: &Parsed, policy: &Policy) -> Vec<u32> {
    let terms = all_terms(failure, policy);
    let named =
        |name: &str| terms.iter().any(|(terms, _)| terms.transform_sets.iter().any(|set| set.name == name));
    parsed.config.transform_sets.iter().filter(|set| named(&set.name)).map(|set| set.line).collect()
}

fn refused(refusal: &Refusal, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let (peer, path) = (failure.peer(), failure.path);
    let found_key = || lookup::key_for_address(policy, &[], path.local, peer);
    let key_lines = || policy.keyrings.iter().flat_map(|ring| &ring.keys).map(|key| key.line);
    match refusal {
        Refusal::NoPhase1Proposal(misfit) => phase1(misfit, failure, policy),
        Refusal::NoPhase2Proposal(misfit) => phase2(misfit, failure, parsed, policy),
        Refusal::NoCryptoMapEntry { selector, profile } => {
            no_entry(selector, profile.as_deref(), failure, parsed, policy)
        }
        Refusal::NoAnswer {
            state: IsakmpState::MmNoState | IsakmpState::MmSaSetup,
            initiator: false,
            repeated: false,
            ..
        } => one_message(failure),
        Refusal::NoAnswer { state, initiator, nat, .. } => silence(*state, *initiator, *nat, failure, parsed, policy),
        Refusal::WrongPresharedKey => {
            let which = found_key().map_or_else(String::new, |FoundKey { keyring, key }| {
                format!(" The key used here is on line {} (keyring {}).", key.line, keyring.name)
            });
            Explanation::new(
                "wrong-preshared-key",
                format!("The pre-shared keys differ: the message that {peer} encrypted does not decrypt with the key configured here.{which}"),
            )
            .line(found_key().map(|found| found.key.line))
            .advise(format!("Compare the keys character by character: trailing blanks and case matter. Set the same key on both sides for {} and {peer}.", path.local))
            .advise("Keyrings are searched in order, the `crypto isakmp key` lines first, and the longest matching address wins: the key in use may be on another line than you expect.")
        }
        Refusal::NoPresharedKey => Explanation::new(
            "no-preshared-key",
            format!("There is no pre-shared key for {peer}: no keyring line matches its address."),
        )
        .line(key_lines())
        .advise(format!("Here: `crypto isakmp key SECRET address {peer}`, or a `pre-shared-key address` line in the keyring of its profile.")),
        Refusal::KeyOfAnotherKeyring(profile) => another_keyring(profile, failure, parsed, policy),
        Refusal::UnknownGroup(group) => clients::group(group, failure, parsed, policy),
        Refusal::Identity(error) => Explanation::new(
            "identity",
            format!("{peer} sent an identity that cannot be used: {error}."),
        )
        .advise("There: identify by address, host name, user@domain or group."),
        Refusal::WrongGateway(identity) => Explanation::new(
            "wrong-gateway",
            format!("The gateway {peer} proved its key, but its identity is {identity}, which is not the configured one."),
        )
        .advise("Correct the gateway's identity in the client's profile, or the gateway's address."),
        Refusal::AggressiveModeDisabled => {
            let line = line_of(parsed, "crypto isakmp aggressive-mode disable");
            Explanation::new(
                "aggressive-mode",
                format!("{peer} initiates aggressive mode, which is disabled here."),
            )
            .side("phase 1", "aggressive mode", "main mode only", true)
            .line(line)
            .advise("There: use main mode (clients with a group name cannot).")
            .advise("Here: `no crypto isakmp aggressive-mode disable`, and a profile that matches the peer's identity.")
        }
        Refusal::KeyOfMany(identity) => Explanation::new(
            "key-of-many",
            format!("{peer} initiates aggressive mode as {identity}, and the key here is that of many peers: the answer would contain a hash from which the key can be guessed, so no answer is sent."),
        )
        .side("phase 1", "aggressive mode", "main mode, or a key for this peer alone", true)
        .line(found_key().map(|found| found.key.line))
        .advise("There: use main mode.")
        .advise(format!("Here: a key for this peer alone, `crypto isakmp key SECRET address {peer}` or `crypto isakmp key SECRET hostname NAME`; or a profile with `match identity host NAME`, not a whole domain or `address 0.0.0.0`.")),
        Refusal::NotAuthorized => xauth_on_lan(
            format!("{peer} continued without Xauth, which its profile or crypto map requires: it is probably a LAN-to-LAN peer that does not support Xauth."),
            failure,
            parsed,
            policy,
        ),
        Refusal::XauthAsked => Explanation::new(
            "xauth-asked",
            format!("{peer} asks us for a user name and password (Xauth), but a LAN-to-LAN tunnel has neither: it takes us for a VPN client."),
        )
        .side("Xauth", "required", "not done", true)
        .line(found_key().map(|found| found.key.line))
        .advise(format!("There: `no-xauth` after the key for {}, or a profile for us without `client authentication list`.", path.local)),
        Refusal::NoModeConfig => clients::no_mode_config(failure, parsed, policy),
        Refusal::Lease(error) => clients::lease(*error, failure, parsed, policy),
        Refusal::ForeignAddress(theirs) => Explanation::new(
            "foreign-address",
            format!("The client at {peer} proposes {theirs} as its proxy identity, which is not an address that it was assigned."),
        )
        .side("inner address", theirs.clone(), "the address from the pool", true)
        .advise("There: the client must use the address that it was assigned; networks behind it need a LAN-to-LAN tunnel."),
        Refusal::LeasedAddress(theirs) => Explanation::new(
            "foreign-address",
            format!("{peer} proposes {theirs} as its proxy identity, but an address in it is leased to a client."),
        )
        .advise("Here: a crypto ACL in the dynamic map entry says which networks the spokes may have; no spoke's network may lie in an `ip local pool`."),
        Refusal::ReservedNetwork { theirs, reserved, kind } => Explanation::new(
            "reserved-network",
            format!("{peer} proposes {theirs} as its proxy identity, which overlaps {reserved}, {kind}: traffic for that would be diverted to the peer."),
        )
        .side("network there", theirs.to_string(), "none of ours", true)
        .advise("There: the access list must name only networks behind that peer.")
        .advise("Here: if a part of a connected network really is behind peers, name that part in a `match address` of the dynamic map entry."),
        Refusal::HeldNetwork { theirs, range, holder } => Explanation::new(
            "held-network",
            format!("{peer} proposes {theirs} as its proxy identity, but {holder} has {range} and answers, so it keeps it: two branches have one network, or one of the two is not what it says."),
        )
        .side("network there", theirs.to_string(), format!("nothing of {range}"), true)
        .advise(format!("Find out who has the network: `show crypto session remote {holder}`, and what that peer and {peer} are."))
        .advise(format!("Here: if {peer} is right, `clear crypto session remote {holder}` frees the network; a static entry with `set peer` and `match address` reserves it, and a key of its own for each branch keeps others from proposing it."))
        .advise("Here: `hubward run --overlap newest` gives it to the newest, as on IOS."),
        Refusal::ConfiguredNetwork { theirs, sequence } => Explanation::new(
            "configured-network",
            format!("{peer} proposes {theirs} as its proxy identity, but entry {sequence} of the crypto map protects a part of that, and comes first."),
        )
        .side("network there", theirs.to_string(), format!("nothing of entry {sequence}"), true)
        .line(acl_lines(parsed, policy, |entry| entry.sequence == *sequence))
        .advise(format!("There: the access list must name only networks behind {peer}."))
        .advise(format!("Here: if {peer} is the peer of entry {sequence}, add its address there (`set peer {peer}`); a `deny` line in the access list of that entry leaves a network to others."))
        .advise("Here: with `set ip access-group` and without `match address`, a dynamic entry gives nothing of another entry's list even to the peers of that entry."),
        Refusal::PeerError { kind, of_answer: true } => answer_refused(*kind, failure, parsed, policy),
        Refusal::PeerError { kind, of_answer: false } => peer_error(*kind, failure, parsed, policy),
        Refusal::Hash => Explanation::new(
            "hash",
            format!("The HASH of a message from {peer} does not verify: the pre-shared keys differ, or something on the path modifies messages."),
        )
        .line(found_key().map(|found| found.key.line))
        .advise("Compare the keys on both sides."),
        Refusal::NotOffered => Explanation::new(
            "not-offered",
            format!("{peer} selected something that was not proposed to it: its software has a bug, or something on the path modifies messages."),
        ),
        Refusal::TooManyChildren { limit } => Explanation::new(
            "too-many-children",
            format!("{peer} asks for one more tunnel and already has {limit}, the most that one peer may have: each line of its crypto access list takes one."),
        )
        .side("tunnels", "one more", limit.to_string(), true)
        .line(acl_lines(parsed, policy, |_| true))
        .advise("There: fewer and wider lines in its crypto access list.")
        .advise("Here: each line of the crypto access lists of the map allows one more; list the peer's networks in a `match address` of its entry."),
        Refusal::TooFast | Refusal::TooFastTogether | Refusal::TooManyHalfOpen | Refusal::TooManyOfSource => {
            flood(refusal, peer)
        }
        other => Explanation::new("refused", format!("{peer}: {other}.")),
    }
}

/// Bounds on what one address, or all together, may initiate: nobody is blocked for a time.
fn flood(refusal: &Refusal, peer: IpAddr) -> Explanation {
    let out = Explanation::new(
        "flood",
        format!("Too many attempts: {refusal}. Legitimate peers retry by themselves."),
    );
    let (burst, known) = (limits::PHASE1_BURST, limits::KNOWN_TIME.as_secs() / 3600);
    let a_second = |refill: Duration| Duration::from_secs(1).div_duration_f64(refill).round();
    let (new, here) = (a_second(limits::PHASE1_REFILL), a_second(limits::PHASE1_REFILL_KNOWN));
    let (burst_all, all) = (limits::PHASE1_BURST_ALL, a_second(limits::PHASE1_REFILL_ALL));
    let half_open = limits::HALF_OPEN_TIME.as_secs();
    match refusal {
        Refusal::TooFast => out.advise(format!("Here: nothing is blocked, and there is nothing to clear. {peer} may initiate {burst} times at once, and then {new} times a second, or {here} if a peer there was established within {known} hours; the next attempt within that is answered.")),
        Refusal::TooFastTogether => out
            .advise(format!("Here: nothing is blocked, and there is nothing to clear. Addresses where no peer was established within {known} hours may together initiate {burst_all} times at once, and then {all} times a second; so may the others. {peer} is answered as soon as one of its attempts is within that."))
            .advise("Probably somebody floods this router, or very many peers lost their tunnels at once: `show crypto isakmp sa` lists who is half-open. Filter a flood in front of this router."),
        Refusal::TooManyOfSource => out
            .advise(format!("Here: `show crypto isakmp sa` lists the SAs of {peer}, and `clear crypto session remote {peer}` ends them."))
            .advise("There: something initiates again and again without deleting what it had."),
        _ => out.advise(format!("Here: nothing is blocked. An attempt that its peer does not continue makes room after {half_open} s at the latest; `show crypto isakmp sa` lists them.")),
    }
}

/// The key that opened the exchange was found by address in all keyrings; the profile looks into
/// its own.
fn another_keyring(profile: &str, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let (peer, local) = (failure.peer(), failure.path.local);
    let used = lookup::key_for_address(policy, &[], local, peer);
    let keyrings = policy.profile(profile).map_or(&[][..], |profile| &profile.keyrings);
    let wanted = lookup::key_for_address(policy, keyrings, local, peer);
    let better = |rival: &IsakmpProfile| used.is_some_and(|used| rival.keyrings.contains(&used.keyring.name));
    let consequence = "and its keyring has another key for the peer";
    if let Some(explanation) = ambiguous(failure, parsed, policy, profile, consequence, better) {
        return explanation;
    }
    let name =
        |found: Option<FoundKey<'_>>| found.map_or_else(|| "none".into(), |found| found.keyring.name.clone());
    Explanation::new(
        "key-of-another-keyring",
        format!("{peer} proved a key, but its identity matches profile {profile}, whose keyring has another key for it."),
    )
    .side("keyring", name(used), name(wanted), true)
    .line([used, wanted].into_iter().flatten().map(|found| found.key.line))
    .line(profile_line(parsed, profile))
    .advise(format!("Here: give profile {profile} the keyring that has the peer's key, or give the peer the key of that keyring."))
}

fn phase1(misfit: &Phase1Misfit, failure: &Failure, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let Some((offer, priority, difference)) = &misfit.nearest else {
        let lines = policy.proposals.iter().map(|known| known.line);
        let none = "Here: `crypto isakmp policy 10`, with the peer's encryption, hash and group, and `authentication pre-share`.";
        let shared = policy.proposals.iter().any(|known| known.authentication == Authentication::PreShared);
        return match (policy.proposals.is_empty(), shared) {
            (true, _) => Explanation::new(
                "phase1-proposal",
                format!("{peer} initiates phase 1, but no ISAKMP policy is configured here."),
            )
            .advise(none),
            (false, false) => Explanation::new(
                "phase1-proposal",
                format!("{peer} initiates phase 1, but none of our ISAKMP policies has `authentication pre-share`: without that line a policy requires certificates, which are not supported here."),
            )
            .line(lines)
            .advise("Here: `authentication pre-share` in the policy."),
            (false, true) => Explanation::new(
                "phase1-proposal",
                format!("{peer} initiates phase 1 without a usable proposal."),
            )
            .advise("There: configure an ISAKMP policy; the peer's log says why it sends none."),
        };
    };
    let nearest = policy.proposals.iter().find(|known| known.priority == *priority);
    let ours = nearest.map_or_else(Default::default, |known| {
        (cipher(known.cipher), hash(known.hash), known.group.number().to_string())
    });
    let theirs = (
        offered_cipher(offer.encryption),
        offered_hash(offer.hash),
        offered_method(offer.method),
        offered_group(offer.group),
    );
    let (their_word, our_word) = match difference {
        Phase1Difference::Encryption => (theirs.0.as_str(), ours.0),
        Phase1Difference::Hash => (theirs.1.as_str(), ours.1),
        Phase1Difference::Authentication => (theirs.2.as_str(), "pre-share"),
        Phase1Difference::Group => (theirs.3.as_str(), ours.2.as_str()),
        Phase1Difference::Attribute(_) => return odd_attribute(1, &difference.to_string(), failure),
    };
    let is = |one: Phase1Difference| *difference == one;
    let verdict = format!(
        "No common phase 1 proposal with {peer}: the closest of our policies is {priority}, and there the {difference} differs: they offer {their_word}, we want {our_word}."
    );
    let mut out = Explanation::new("phase1-proposal", verdict.clone())
        .side("encryption", theirs.0.clone(), ours.0, theirs.0 != ours.0)
        .side("hash", theirs.1.clone(), ours.1, theirs.1 != ours.1)
        .side("authentication", theirs.2.clone(), "pre-share", is(Phase1Difference::Authentication))
        .side("group", theirs.3.clone(), ours.2.clone(), theirs.3 != ours.2)
        .line(policy.proposals.iter().map(|known| known.line));
    if misfit.offers.len() > 1 {
        for (number, offer) in misfit.offers.iter().enumerate() {
            let all = [
                offered_cipher(offer.encryption),
                offered_hash(offer.hash),
                offered_method(offer.method),
                format!("group {}", offered_group(offer.group)),
            ];
            out = out.side(&format!("offer {}", number + 1), all.join(", "), "", false);
        }
    }
    if is(Phase1Difference::Authentication) {
        return out
            .advise("If they offer Xauth: nothing here requires it (`client authentication list` in a profile or crypto map). If they want certificates: only pre-shared keys are supported.");
    }
    out.advise(format!(
        "Here: `crypto isakmp policy N` with `encryption {}`, `hash {}`, `authentication pre-share`, `group {}`.",
        theirs.0, theirs.1, theirs.3
    ))
    .advise(format!(
        "Or there: offer encryption {}, hash {}, group {} as in policy {priority}.",
        ours.0, ours.1, ours.2
    ))
}

/// The algorithms fit, but the proposal has an attribute that nothing here does: whoever accepted it
/// would agree to it.
fn odd_attribute(phase: u8, attribute: &str, failure: &Failure) -> Explanation {
    let peer = failure.peer();
    Explanation::new(
        "attribute",
        format!("The phase {phase} proposal of {peer} has the algorithms that are required here, but also {attribute}: a proposal with it is not chosen."),
    )
    .side("attribute", attribute.split(',').next().unwrap_or_default(), "none", true)
    .advise("There: offer the same proposal without this attribute.")
}

fn phase2(misfit: &Phase2Misfit, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    if misfit.wanted.is_empty() {
        let bare = |(terms, _): &&(EntryTerms, u32)| terms.transform_sets.is_empty();
        return Explanation::new(
            "transform-set",
            format!("Phase 1 with {peer} is up, but its crypto map entry names no configured transform set."),
        )
        .line(all_terms(failure, policy).iter().filter(bare).map(|(_, line)| *line))
        .advise(
            "Here: `set transform-set NAME` in the entry, with the name of a `crypto ipsec transform-set`.",
        );
    }
    let pfs = misfit.pfs.map_or_else(|| "none".to_string(), |group| format!("group{}", group.number()));
    let offer = misfit.offers.first().cloned().unwrap_or_default();
    let (cipher, integrity) = offered_transform(&offer);
    let group = offer.group.map_or_else(|| "none".to_string(), |number| format!("group{number}"));
    let (our_cipher, our_integrity) =
        misfit.wanted.first().map_or_else(Default::default, |(_, suite)| transform(*suite));
    let is = |one: Phase2Difference| misfit.difference == one;
    let (their_word, our_word) = match misfit.difference {
        Phase2Difference::Cipher => (cipher.clone(), our_cipher.clone()),
        Phase2Difference::Integrity => (integrity.clone(), our_integrity.clone()),
        Phase2Difference::Pfs => (group.clone(), pfs.clone()),
        Phase2Difference::Mode => (offered_mode(offer.mode), "the other mode".to_string()),
        Phase2Difference::Protocol => (cipher.clone(), "ESP".to_string()),
        Phase2Difference::Attribute(_) => {
            return odd_attribute(2, &misfit.difference.to_string(), failure).side(
                "encryption",
                cipher,
                our_cipher,
                false,
            );
        }
    };
    let (cause, what) = match misfit.difference {
        Phase2Difference::Pfs => ("pfs", "the requirements for perfect forward secrecy"),
        _ => ("transform-set", "the transform sets"),
    };
    let mut out = Explanation::new(
        cause,
        format!("Phase 1 with {peer} is up, but {what} do not agree: the {} differs, they offer {their_word}, we want {our_word}.", misfit.difference),
    )
    .side("encryption", cipher.clone(), our_cipher.clone(), cipher != our_cipher)
    .side("integrity", integrity.clone(), our_integrity.clone(), integrity != our_integrity)
    .side("mode", offered_mode(offer.mode), "", is(Phase2Difference::Mode))
    // more than none is no hindrance
    .side("PFS", group.clone(), pfs.clone(), is(Phase2Difference::Pfs) || misfit.pfs.is_some() && group != pfs)
    .line(misfit.wanted.iter().filter_map(|(name, _)| {
        parsed.config.transform_sets.iter().find(|set| set.name == *name).map(|set| set.line)
    }));
    if is(Phase2Difference::Pfs) {
        let demand = |(terms, _): &&(EntryTerms, u32)| misfit.pfs.is_some() && terms.pfs == misfit.pfs;
        out = out.line(all_terms(failure, policy).iter().filter(demand).map(|(_, line)| *line));
    }
    for (number, offer) in misfit.offers.iter().enumerate().skip(1) {
        let (cipher, integrity) = offered_transform(offer);
        out = out.side(&format!("offer {}", number + 1), format!("{cipher} {integrity}"), "", false);
    }
    for (name, suite) in misfit.wanted.iter().skip(1) {
        let (cipher, integrity) = transform(*suite);
        out = out.side(&format!("set {name}"), "", format!("{cipher} {integrity}"), false);
    }
    if let Some((behind, front, line)) = behind_dynamic(failure, policy) {
        out = out.line([line]).advise(format!(
            "Check the order: the dynamic entry {front} matches {peer} before the static entry {behind} that is for it. Give the dynamic entry the highest sequence number."
        ));
    }
    match misfit.difference {
        Phase2Difference::Pfs => out.advise(match offer.group {
            Some(number) => match misfit.pfs {
                Some(ours) => format!("Here: `set pfs group{number}` in the crypto map entry; or there: group {}.", ours.number()),
                None => format!("There: another group; group {number} is not supported here."),
            },
            None => "There: enable PFS with the group required here; or here: `no set pfs`.".to_string(),
        }),
        _ => out.advise(format!(
            "Here: `crypto ipsec transform-set NAME {cipher} {integrity}`, and name it in `set transform-set` of the entry; or there: use what is required here."
        )),
    }
}

/// A peer's static entry, the dynamic one before it, and the latter's line.
fn behind_dynamic(failure: &Failure, policy: &Policy) -> Option<(u16, u16, u32)> {
    let map = policy.map_of(failure.path.interface)?;
    let dynamic = map.entries.iter().find(|entry| matches!(entry.kind, MapEntryKind::Dynamic { .. }))?;
    let names_peer = |kind: &MapEntryKind| match kind {
        MapEntryKind::Static { peers, .. } => peers.contains(&failure.peer()),
        MapEntryKind::Dynamic { .. } => false,
    };
    let own =
        map.entries.iter().find(|entry| entry.sequence > dynamic.sequence && names_peer(&entry.kind))?;
    Some((own.sequence, dynamic.sequence, dynamic.line))
}

/// The peers that the crypto map's entries name.
fn peers_of(failure: &Failure, policy: &Policy) -> String {
    let entries = policy.map_of(failure.path.interface).into_iter().flat_map(|map| &map.entries);
    let peers = entries.flat_map(|entry| match &entry.kind {
        MapEntryKind::Static { peers, .. } => peers.as_slice(),
        MapEntryKind::Dynamic { .. } => &[],
    });
    peers.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Terms of all entries that could serve a peer, with their lines.
fn all_terms(failure: &Failure, policy: &Policy) -> Vec<(EntryTerms, u32)> {
    let Some(map) = policy.map_of(failure.path.interface) else { return Vec::new() };
    let mut out = Vec::new();
    for entry in &map.entries {
        match &entry.kind {
            MapEntryKind::Static { peers, terms } if peers.contains(&failure.peer()) => {
                out.push((terms.clone(), entry.line));
            }
            MapEntryKind::Static { .. } => {}
            MapEntryKind::Dynamic { entries, .. } => {
                out.extend(entries.iter().map(|entry| (entry.terms.clone(), entry.line)));
            }
        }
    }
    out
}

/// The lines of the access lists that some crypto map entries match.
fn acl_lines(parsed: &Parsed, policy: &Policy, which: impl Fn(&MapEntry) -> bool) -> Vec<u32> {
    let entries = policy.maps.iter().flat_map(|map| &map.entries).filter(|entry| which(entry));
    let terms = entries.flat_map(|entry| match &entry.kind {
        MapEntryKind::Static { terms, .. } => vec![terms],
        MapEntryKind::Dynamic { entries, .. } => entries.iter().map(|entry| &entry.terms).collect(),
    });
    let lists = terms.filter_map(|terms| terms.acl.as_ref());
    lists
        .flat_map(|acl| {
            let permits = acl.lines.iter().filter(|line| line.permit);
            permits.filter_map(|line| proxies::acl_line(parsed, &acl.name, line))
        })
        .collect()
}

fn no_entry(
    selector: &Selector,
    profile: Option<&str>,
    failure: &Failure,
    parsed: &Parsed,
    policy: &Policy,
) -> Explanation {
    let peer = failure.peer();
    let terms = all_terms(failure, policy);
    if terms.is_empty() {
        return Explanation::new(
            "no-crypto-map-entry",
            format!("No crypto map entry matches {peer}: no `set peer` names it, and there is no dynamic entry."),
        )
        .side("peer", peer.to_string(), peers_of(failure, policy), true)
        .line(policy.map_of(failure.path.interface).into_iter().flat_map(|map| &map.entries).map(|entry| entry.line))
        .advise(format!("Here: a crypto map entry with `set peer {peer}`, or a dynamic map for peers whose address is not known."));
    }
    let open = |(terms, _): &&(EntryTerms, u32)| {
        terms.profile.as_deref().is_none_or(|wanted| profile == Some(wanted))
    };
    let usable: Vec<_> = terms.iter().filter(open).collect();
    if usable.is_empty() {
        let lines = terms.iter().map(|(_, line)| *line);
        let identity = name_of(failure);
        let mut wanted: Vec<_> = terms.iter().filter_map(|(terms, _)| terms.profile.clone()).collect();
        wanted.dedup();
        return match profile {
            None => Explanation::new(
                "no-profile",
                format!("{peer} proved its key, but its identity {identity} matches no ISAKMP profile, and every crypto map entry requires one."),
            )
            .side("identity", identity, matches_of(&policy.profiles), true)
            .line(profile_lines(parsed, policy, |_| true).chain(lines))
            .advise(format!("Here: `match identity {}` in the profile that is meant for it.", match_for(failure))),
            Some(profile) => ambiguous(
                failure,
                parsed,
                policy,
                profile,
                "and no crypto map entry serves that profile",
                |rival| wanted.contains(&rival.name),
            )
            .unwrap_or_else(|| Explanation::new(
                "profile-without-entry",
                format!("{peer} matches profile {profile}, but no crypto map entry serves that profile."),
            )
            .side("profile", profile, wanted.join(", "), true)
            .line(profile_line(parsed, profile).into_iter().chain(lines))
            .advise(format!("Here: `set isakmp-profile {profile}` in the crypto map entry or dynamic map entry that is meant for the peer."))),
        };
    }
    let lists: Vec<_> = usable.iter().map(|(terms, line)| (terms.acl.as_deref(), *line)).collect();
    proxies::no_mirror(peer, selector, &lists, parsed)
}

/// The peer sent its first message once and nothing else.
fn one_message(failure: &Failure) -> Explanation {
    let peer = failure.peer();
    Explanation::new(
        "one-message",
        format!("{peer} has sent one first message, and did not go on: it neither repeated it nor answered our answer."),
    )
    .side("state", "sent one message", IsakmpState::MmSaSetup.ios_name(), false)
    .advise("Scanners and monitors do that, and nothing is wrong then.")
    .advise(format!("If {peer} is a peer of yours: its packets get lost on the way here after the first, or it has given up at once; its log says which."))
}

/// The peer refuses our answer to what it proposed itself.
fn answer_refused(kind: u16, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let phase2 = failure.identity.is_some();
    let (chosen, lines): (_, Vec<u32>) = match phase2 {
        true => {
            ("one of its proposals for the tunnel", set_lines(failure, parsed, policy).into_iter().collect())
        }
        false => ("one of its ISAKMP proposals", policy.proposals.iter().map(|ours| ours.line).collect()),
    };
    Explanation::new(
        "answer-refused",
        format!("{peer} proposed, we took {chosen}, and {peer} rejects our answer: it reports {}.", notify::name(kind)),
    )
    .line(lines)
    .advise("What it proposed fits here, so our transform sets and policies are not the reason.")
    .advise("There: its log says what it did not like in the answer: the lifetime that came back, a key or an identity, an address of ours that it does not expect, or a proposal that it has changed since.")
}

/// The peer refuses what we proposed. It does not say which part; what we proposed is all the
/// evidence there is.
fn peer_error(kind: u16, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let peer = failure.peer();
    let phase2 = failure.identity.is_some();
    let key = lookup::key_for_address(policy, &[], failure.path.local, peer).map(|found| found.key.line);
    let out = |meaning: &str| {
        Explanation::new(
            "peer-error",
            format!("{peer} rejects our request: it reports {}{meaning}.", notify::name(kind)),
        )
    };
    match kind {
        notify::NO_PROPOSAL_CHOSEN if !phase2 => policy
            .proposals
            .iter()
            .fold(out(", so it accepts none of our ISAKMP policies"), |out, known| {
                let ours = format!(
                    "{}, {}, pre-share, group {}, lifetime {}",
                    cipher(known.cipher),
                    hash(known.hash),
                    known.group.number(),
                    known.lifetime.as_secs()
                );
                out.side(&format!("policy {}", known.priority), "refused", ours, true).line([known.line])
            })
            .advise("There: a policy equal to one of ours; its `debug crypto isakmp` shows what differs. Some peers refuse a lifetime that is longer than their own.")
            .advise("Here: a `crypto isakmp policy` equal to the peer's, including the lifetime."),
        notify::NO_PROPOSAL_CHOSEN => out(", so it accepts none of our transform sets, or requires a different PFS setting")
            .line(set_lines(failure, parsed, policy))
            .advise("Compare the transform sets, `set pfs` and the lifetimes of both sides; its `debug crypto ipsec` shows what differs."),
        notify::INVALID_ID_INFORMATION => out(", so nothing there matches our networks: its access list does not mirror ours, or none of its crypto map entries or profiles is for us")
            .line(acl_lines(parsed, policy, |_| true))
            .advise("Compare the crypto access lists: source there is destination here, with the same masks. If they match: `why` there, or its log, says what else it requires."),
        notify::AUTHENTICATION_FAILED if !phase2 => out(", so the pre-shared keys differ")
            .line(key)
            .advise("Compare the pre-shared keys character by character."),
        _ => out("").advise("There: its log says why."),
    }
}

fn xauth_on_lan(verdict: String, failure: &Failure, parsed: &Parsed, policy: &Policy) -> Explanation {
    let asks = profile_lines(parsed, policy, |profile| profile.xauth_list.is_some());
    let key = lookup::key_for_address(policy, &[], failure.path.local, failure.peer());
    let demanding = policy.profiles.iter().filter(|profile| profile.xauth_list.is_some());
    let consequence = "and it requires Xauth, which the peer does not perform";
    let plain = |rival: &IsakmpProfile| rival.xauth_list.is_none();
    let rivalry = demanding.map(|taken| ambiguous(failure, parsed, policy, &taken.name, consequence, plain));
    if let Some(explanation) = rivalry.flatten().next() {
        return explanation;
    }
    Explanation::new("xauth-on-lan-to-lan", verdict)
        .side("Xauth", "not done", "required", true)
        .line(asks.chain(key.map(|found| found.key.line)))
        .advise(format!("Here: `no-xauth` after the peer's key (`crypto isakmp key SECRET address {} no-xauth`), or a profile of its own without `client authentication list`.", failure.peer()))
}

fn silence(
    state: IsakmpState,
    initiator: bool,
    nat: bool,
    failure: &Failure,
    parsed: &Parsed,
    policy: &Policy,
) -> Explanation {
    let peer = failure.peer();
    let key = lookup::key_for_address(policy, &[], failure.path.local, peer).map(|found| found.key.line);
    match state {
        IsakmpState::ConfXauth => xauth_on_lan(
            format!("{peer} does not answer the Xauth request: it is probably a LAN-to-LAN peer that does not support Xauth (or a user who has not typed a password)."),
            failure,
            parsed,
            policy,
        ),
        IsakmpState::MmNoState | IsakmpState::AgNoState | IsakmpState::AgInitExch if initiator => Explanation::new(
            "no-answer",
            format!("{peer} does not answer at all: nothing came back from its UDP port 500."),
        )
        .line(key)
        .advise(format!("Ping {peer} from here. If it answers: UDP 500 (and 4500, and protocol 50) must be open on the path and at the peer, and IKE must run there."))
        .advise("The peer may also refuse silently: its log says whether our message arrived."),
        _ if nat || failure.path.remote_port == NATT_PORT => Explanation::new(
            "udp-4500-blocked",
            format!("There is a NAT between here and {peer}, and nothing arrived on UDP port 4500: the port is probably blocked on the path."),
        )
        .side("state", "silent", state.ios_name(), true)
        .advise("Open UDP 4500 in both directions on every firewall on the path; port 500 alone is not enough behind a NAT."),
        IsakmpState::AgNoState | IsakmpState::AgInitExch => {
            clients::silent(state, failure, parsed)
        }
        // no key is in use yet
        IsakmpState::MmNoState | IsakmpState::MmSaSetup if !initiator => Explanation::new(
            "no-way-back",
            format!("{peer} has sent its first message, and our answer is not answered: it is lost on the way back, or does not leave by the interface by which the message came."),
        )
        .side("state", "repeats, or silent", state.ios_name(), true)
        .advise(format!("Here: does the route to {peer} lead out by the interface with the crypto map (`show ip route`), and is `--map` right about which card that is?"))
        .advise(format!("On the path: UDP 500 from {} to {peer} must be open, also where only the other direction has been needed.", failure.path.local)),
        IsakmpState::MmNoState | IsakmpState::MmSaSetup => Explanation::new(
            "silent-before-keys",
            format!("{peer} has chosen one of our proposals and then stopped answering ({}), before any key is used: our next message or its answer is lost.", state.ios_name()),
        )
        .side("state", "silent", state.ios_name(), true)
        .advise("These messages are larger than the first: a device on the path may drop large or fragmented UDP packets.")
        .advise("There: its log says whether our key exchange arrived, and what it made of it."),
        IsakmpState::MmKeyExch => Explanation::new(
            "silent-in-phase1",
            format!("{peer} stopped answering in the middle of phase 1 ({}): usually the pre-shared keys differ, and the peer does not report it.", state.ios_name()),
        )
        .side("state", "silent", state.ios_name(), true)
        .line(key)
        .advise("Compare the pre-shared keys. If they are the same: a device on the path drops large or fragmented UDP packets."),
        _ => Explanation::new(
            "no-answer-in-phase2",
            format!("{peer} stopped answering ({}) after phase 1 was established.", state.ios_name()),
        )
        .side("state", "silent", state.ios_name(), true)
        .advise("Its log says why; `show crypto isakmp sa` shows whether phase 1 is still established."),
    }
}
