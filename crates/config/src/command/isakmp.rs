//! `crypto isakmp policy`, `crypto isakmp key` and global ISAKMP settings.

use super::keyring::change_key;
use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold, opens};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{
    Encryption, GROUPS, Hash, IsakmpPolicy, Keepalive, KeyLength, OwnIdentity, PeerAuthentication,
};

/// What follows `keepalive`.
pub(super) const KEEPALIVE: &str = "= <10-3600:seconds> [retry] [<2-60:retry>] [periodic|on-demand]";

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto isakmp policy <1-10000:priority>", "", policy),
    fold(In::IsakmpPolicy, "encryption", "= {des|3des|aes [128|192|256]}", encryption),
    fold(In::IsakmpPolicy, "hash", "= {md5|sha|sha256|sha384|sha512}", hash),
    fold(In::IsakmpPolicy, "authentication", "= {pre-share|rsa-sig|rsa-encr|ecdsa-sig}", authentication),
    fold(In::IsakmpPolicy, "group", "= {1|2|5|14|15|16|19|20|21|24}", group),
    fold(In::IsakmpPolicy, "lifetime", "= <60-86400:seconds>", lifetime),
    fold(
        In::Global,
        "crypto isakmp key",
        "[0|6] <key> {address {ipv6 <LINE:peer-ipv6>|<A.B.C.D:peer> [<A.B.C.D:mask>]}|hostname <HOST:host>|ipv6 <LINE:peer-ipv6>} = [no-xauth]",
        key,
    ),
    fold(In::Global, "crypto isakmp keepalive", KEEPALIVE, keepalive),
    fold(In::Global, "crypto isakmp nat keepalive", "= <5-3600:seconds>", nat_keepalive),
    fold(In::Global, "crypto isakmp identity", "= {address|hostname|dn}", identity),
    fold(In::Global, "crypto isakmp aggressive-mode disable", "", aggressive_mode),
    fold(In::Global, "crypto isakmp invalid-spi-recovery", "", invalid_spi),
    fold(In::Global, "crypto isakmp enable", "", enable),
    fate(In::Global, "crypto isakmp default policy", Fate::NoOp),
    fate(
        In::Global,
        "crypto isakmp fragmentation",
        Fate::Unsupported("IKE messages are not fragmented by IKE"),
    ),
    opens(
        In::Global,
        "crypto isakmp peer",
        Fate::Unsupported("aggressive mode with per-peer attributes is not initiated"),
    ),
    fate(
        In::Global,
        "crypto isakmp xauth timeout",
        Fate::Inert("Xauth has a fixed time limit of 60 seconds"),
    ),
    fold(In::Global, "crypto isakmp client configuration address-pool local = <pool>", "", address_pool),
    fate(In::Global, "crypto isakmp diagnose", Fate::NoOp),
    fate(In::Global, "crypto logging", Fate::Inert("sessions are always logged")),
    fate(In::Global, "crypto call admission limit", Fate::Unsupported("built-in limits apply")),
];

fn policy(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let priority: u16 = given.number("priority").unwrap_or_default();
    if fold.no {
        fold.config.policies.remove(&priority);
        return Ok(());
    }
    let line = fold.line;
    let place = fold.config.policies.entry(priority, || IsakmpPolicy::of_defaults(priority, line));
    fold.mode = Mode::IsakmpPolicy(place);
    Ok(())
}

/// Changes the policy of the mode. What `no` leaves is in `default`, a policy that says nothing.
fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut IsakmpPolicy, IsakmpPolicy)) {
    if let Mode::IsakmpPolicy(place) = fold.mode
        && let Some(policy) = fold.config.policies.get_mut(place)
    {
        change(policy, IsakmpPolicy::of_defaults(policy.priority, policy.line));
    }
}

fn encryption(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let length = given.choose(KeyLength::KEYWORDS).unwrap_or(KeyLength::Bits128);
    let chosen = fold.unless_no(given.choose(&Encryption::keywords(length)));
    change(fold, |policy, default| policy.encryption = chosen.unwrap_or(default.encryption));
    Ok(())
}

fn hash(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let chosen = fold.unless_no(given.choose(Hash::KEYWORDS));
    change(fold, |policy, default| policy.hash = chosen.unwrap_or(default.hash));
    Ok(())
}

fn authentication(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let chosen = fold.unless_no(given.choose(PeerAuthentication::KEYWORDS));
    if chosen != Some(PeerAuthentication::PreShare) {
        fold.fate =
            Some(Fate::Unsupported("only pre-shared keys authenticate a peer; this policy is never chosen"));
    }
    change(fold, |policy, default| policy.authentication = chosen.unwrap_or(default.authentication));
    Ok(())
}

fn group(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let chosen = fold.unless_no(given.choose(GROUPS));
    if chosen == Some(24) {
        fold.fate = Some(Fate::Unsupported("group 24 is not implemented; this policy is never chosen"));
    }
    change(fold, |policy, default| policy.group = chosen.unwrap_or(default.group));
    Ok(())
}

fn lifetime(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let seconds = fold.unless_no(given.number("seconds"));
    change(fold, |policy, default| policy.lifetime = seconds.unwrap_or(default.lifetime));
    Ok(())
}

/// `crypto isakmp key [0|6] KEY {address A [MASK] | hostname H} [no-xauth]`
fn key(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    change_key(fold, given, None)
}

/// `SECONDS [retry] [RETRY] [periodic|on-demand]`
pub(super) fn given_keepalive(fold: &Fold<'_>, given: &Given<'_>) -> Option<Keepalive> {
    let retry = given.number("retry").unwrap_or(2);
    let interval = fold.unless_no(given.number("seconds"))?;
    Some(Keepalive { interval, retry, periodic: given.has("periodic") })
}

fn keepalive(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.keepalive = given_keepalive(fold, given);
    Ok(())
}

fn nat_keepalive(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.nat_keepalive = fold.unless_no(given.number("seconds"));
    Ok(())
}

fn identity(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let identity = fold.unless_no(given.choose(OwnIdentity::KEYWORDS)).unwrap_or_default();
    if identity == OwnIdentity::Dn {
        fold.fate = Some(Fate::Unsupported("certificates are not implemented; the identity is the address"));
    }
    fold.config.crypto.identity = identity;
    Ok(())
}

fn aggressive_mode(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.aggressive_mode = fold.no;
    Ok(())
}

/// ISAKMP is on unless it is switched off for the whole router, which is not done: that must not
/// pass in silence.
fn enable(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.fate = Some(match fold.no && !fold.default {
        true => Fate::Unsupported("ISAKMP stays on; without a crypto map on an interface it serves nobody"),
        false => Fate::NoOp,
    });
    Ok(())
}

fn address_pool(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let pool = fold.unless_no(given.string("pool"));
    fold.config.crypto.address_pool = pool.map(|pool| (pool, fold.line));
    Ok(())
}

fn invalid_spi(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.invalid_spi_recovery = !fold.no;
    Ok(())
}
