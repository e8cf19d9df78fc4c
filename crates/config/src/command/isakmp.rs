//! `crypto isakmp policy`, `crypto isakmp key` and global ISAKMP settings.

use super::keyring::key_peer;
use super::{Fate, Fold, In, Mode, Row, entry, fate, fold, opens, password};
use crate::form::{Cursor, Problem};
use crate::model::{IsakmpPolicy, Keepalive, Key};

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
        "[0|6] <key> {address {ipv6 <LINE:peer>|<A.B.C.D:peer> [<A.B.C.D:mask>]}|hostname <host>|ipv6 <LINE:peer>} = [no-xauth]",
        key,
    ),
    fold(
        In::Global,
        "crypto isakmp keepalive",
        "= <10-3600:seconds> [retry] [<2-60:retry>] [periodic|on-demand]",
        keepalive,
    ),
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
    fate(
        In::Global,
        "crypto isakmp client configuration address-pool",
        Fate::Unsupported("a pool is chosen by the client's group"),
    ),
    fate(In::Global, "crypto isakmp diagnose", Fate::NoOp),
    fate(In::Global, "crypto logging", Fate::Inert("sessions are always logged")),
    fate(In::Global, "crypto call admission limit", Fate::Unsupported("built-in limits apply")),
];

fn policy(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let problem = cursor.problem("a priority 1-10000");
    let priority: u16 =
        fold.argument(0).parse().ok().filter(|number| (1..=10000).contains(number)).ok_or(problem)?;
    if fold.no {
        fold.config.policies.retain(|policy| policy.priority != priority);
        return cursor.finish();
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.policies,
        |policy| policy.priority == priority,
        || IsakmpPolicy {
            priority,
            encryption: ("des".into(), None),
            hash: "sha".into(),
            authentication: "rsa-sig".into(),
            group: 1,
            lifetime: 86400,
            line,
        },
    );
    fold.mode = Mode::IsakmpPolicy(place);
    cursor.finish()
}

fn at<'f>(fold: &'f mut Fold<'_>) -> Option<&'f mut IsakmpPolicy> {
    let Mode::IsakmpPolicy(place) = fold.mode else { return None };
    fold.config.policies.get_mut(place)
}

fn choice(cursor: &mut Cursor<'_>, known: &[&str]) -> Result<String, Problem> {
    let problem = cursor.problem(&known.join(", "));
    let word = cursor.word("a word")?.to_ascii_lowercase();
    known.iter().find(|name| **name == word).map(|name| (*name).to_string()).ok_or(problem)
}

fn encryption(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let chosen = if fold.no {
        cursor.rest();
        ("des".to_string(), None)
    } else {
        let name = choice(cursor, &["des", "3des", "aes"])?;
        let bits = match (name.as_str(), cursor.peek()) {
            ("aes", Some("128" | "192" | "256")) => Some(cursor.number("128, 192 or 256", 128..=256)? as u16),
            ("aes", _) => Some(128),
            _ => None,
        };
        (name, bits)
    };
    if let Some(policy) = at(fold) {
        policy.encryption = chosen;
    }
    cursor.finish()
}

fn hash(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let chosen =
        if fold.no { "sha".into() } else { choice(cursor, &["md5", "sha", "sha256", "sha384", "sha512"])? };
    if let Some(policy) = at(fold) {
        policy.hash = chosen;
    }
    Ok(())
}

fn authentication(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let chosen = if fold.no {
        "rsa-sig".to_string()
    } else {
        let problem = cursor.problem("pre-share, rsa-sig, rsa-encr or ecdsa-sig");
        let word = cursor.word("a method")?;
        let known = ["pre-share", "rsa-sig", "rsa-encr", "ecdsa-sig"];
        known
            .iter()
            .find(|name| crate::form::is(word, name))
            .map(|name| (*name).to_string())
            .ok_or(problem)?
    };
    if chosen != "pre-share" {
        fold.fate =
            Some(Fate::Unsupported("only pre-shared keys authenticate a peer; this policy is never chosen"));
    }
    if let Some(policy) = at(fold) {
        policy.authentication = chosen;
    }
    Ok(())
}

fn group(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let number = if fold.no {
        cursor.rest();
        1
    } else {
        cursor.number("a group: 1, 2, 5, 14, 15, 16, 19, 20, 21 or 24", 1..=24)? as u16
    };
    if number == 24 {
        fold.fate = Some(Fate::Unsupported("group 24 is not implemented; this policy is never chosen"));
    }
    if let Some(policy) = at(fold) {
        policy.group = number;
    }
    cursor.finish()
}

fn lifetime(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let seconds = if fold.no {
        cursor.rest();
        86400
    } else {
        cursor.number("seconds 60-86400", 60..=86400)?
    };
    if let Some(policy) = at(fold) {
        policy.lifetime = seconds;
    }
    cursor.finish()
}

/// `crypto isakmp key [0|6] KEY {address A [MASK] | hostname H} [no-xauth]`
fn key(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let key = password(cursor, 0)?;
    let Some(peer) = key_peer(cursor)? else {
        fold.fate = Some(Fate::Unsupported("IPv6 peers are not implemented"));
        return Ok(());
    };
    let no_xauth = cursor.keyword("no-xauth");
    fold.config.default_keys.retain(|known| known.peer != peer);
    if !fold.no {
        fold.config.default_keys.push(Key { peer, key, no_xauth, line: fold.line });
    }
    cursor.finish()
}

/// `SECONDS [RETRY] [periodic|on-demand]`
pub(super) fn read_keepalive(cursor: &mut Cursor<'_>) -> Result<Keepalive, Problem> {
    let interval = cursor.number("seconds 10-3600", 10..=3600)?;
    cursor.keyword("retry");
    let retry = match cursor.peek().and_then(|word| word.parse::<u32>().ok()) {
        Some(_) => cursor.number("seconds 2-60", 2..=60)?,
        None => 2,
    };
    let periodic = cursor.keyword("periodic");
    if !periodic {
        cursor.keyword("on-demand");
    }
    Ok(Keepalive { interval, retry, periodic })
}

fn keepalive(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.crypto.keepalive = None;
        return Ok(());
    }
    fold.config.crypto.keepalive = Some(read_keepalive(cursor)?);
    cursor.finish()
}

fn nat_keepalive(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.crypto.nat_keepalive = None;
        return Ok(());
    }
    fold.config.crypto.nat_keepalive = Some(cursor.number("seconds 5-3600", 5..=3600)?);
    cursor.finish()
}

fn identity(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.crypto.identity_hostname = false;
        return Ok(());
    }
    let problem = cursor.problem("address, hostname or dn");
    let word = cursor.word("address, hostname or dn")?;
    if crate::form::is(word, "dn") {
        fold.fate = Some(Fate::Unsupported("certificates are not implemented; the identity is the address"));
    } else if !crate::form::is(word, "address") && !crate::form::is(word, "hostname") {
        return Err(problem);
    }
    fold.config.crypto.identity_hostname = crate::form::is(word, "hostname");
    cursor.finish()
}

fn aggressive_mode(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.crypto.aggressive_mode = fold.no;
    cursor.finish()
}

/// ISAKMP is on unless it is switched off for the whole router, which is not done: that must not
/// pass in silence.
fn enable(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.fate = Some(match fold.no && !fold.default {
        true => Fate::Unsupported("ISAKMP stays on; without a crypto map on an interface it serves nobody"),
        false => Fate::NoOp,
    });
    cursor.finish()
}

fn invalid_spi(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.crypto.invalid_spi_recovery = !fold.no;
    cursor.finish()
}
