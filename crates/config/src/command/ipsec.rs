//! `crypto ipsec`.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold, opens, typed};
use crate::form::{Cursor, Problem};
use crate::given::Given;
use crate::model::{DfBit, Replay, TransformSet};

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "crypto ipsec transform-set <name>",
        "= {esp-des|esp-3des|esp-aes [128|192|256]|esp-gcm [128|192|256]|esp-gmac [128|192|256]|esp-null|esp-seal|esp-md5-hmac|esp-sha-hmac|esp-sha256-hmac|esp-sha384-hmac|esp-sha512-hmac|ah-md5-hmac|ah-sha-hmac|ah-sha256-hmac|ah-sha384-hmac|ah-sha512-hmac|comp-lzs}...",
        transform_set,
    ),
    fold(In::TransformSet, "mode", "= {tunnel|transport [require]}", mode),
    fold(
        In::Global,
        "crypto ipsec security-association lifetime",
        "{seconds = <120-2592000:seconds>|kilobytes = {disable|<2560-4294967295:kilobytes>}}",
        lifetime,
    ),
    fold(
        In::Global,
        "crypto ipsec security-association idle-time",
        "= <60-86400:seconds> [default]",
        idle_time,
    ),
    typed(
        In::Global,
        "crypto ipsec security-association replay",
        "= {disable|window-size {64|128|256|512|1024|2048|4096}}",
        replay,
    ),
    fold(In::Global, "crypto ipsec df-bit", "= {clear|copy|set}", df_bit),
    fold(In::Global, "crypto ipsec nat-transparency", "{udp-encapsulation|spi-matching}", nat_transparency),
    fate(
        In::Global,
        "crypto ipsec fragmentation",
        Fate::Inert("packets that are too large are fragmented before encryption"),
    ),
    opens(In::Global, "crypto ipsec profile", Fate::Forwarding("protects tunnel interfaces")),
    opens(
        In::Global,
        "crypto ipsec client ezvpn",
        Fate::Unsupported("the router's own Easy VPN client is `hubward client` here"),
    ),
    fate(In::Global, "crypto ipsec optional", Fate::Unsupported("IPsec is never optional")),
];

fn transform_set(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.transform_sets.retain(|set| set.name != name);
        return Ok(());
    }
    let mut set = TransformSet { name: name.clone(), line: fold.line, ..TransformSet::default() };
    if cursor.peek().is_none() {
        return Err(cursor.problem("a transform"));
    }
    while let Some(word) = cursor.peek().filter(|word| !word.starts_with('!')) {
        let problem = cursor.problem("a transform: esp-…, ah-… or comp-lzs");
        let word = word.to_ascii_lowercase();
        cursor.next();
        match word.as_str() {
            "esp-des" => set.cipher = Some(("des".into(), None)),
            "esp-3des" => set.cipher = Some(("3des".into(), None)),
            "esp-aes" | "esp-gcm" => {
                let bits = match cursor.peek() {
                    Some("128" | "192" | "256") => cursor.number("a key length", 128..=256)? as u16,
                    _ => 128,
                };
                let kind = if word == "esp-aes" { "aes" } else { "gcm" };
                set.cipher = Some((kind.into(), Some(bits)));
                if kind == "gcm" && bits == 192 {
                    set.unsupported.push("esp-gcm 192".into());
                }
            }
            "esp-md5-hmac" => set.auth = Some("md5".into()),
            "esp-sha-hmac" => set.auth = Some("sha".into()),
            "esp-sha256-hmac" => set.auth = Some("sha256".into()),
            "esp-sha384-hmac" => set.auth = Some("sha384".into()),
            "esp-sha512-hmac" => set.auth = Some("sha512".into()),
            other if other.starts_with("ah-") || other.starts_with("comp-") || other.starts_with("esp-") => {
                if matches!(other, "esp-gmac") {
                    cursor.optional_number();
                }
                set.unsupported.push(other.into());
            }
            _ => return Err(problem),
        }
    }
    if !set.unsupported.is_empty() {
        fold.fate =
            Some(Fate::Unsupported("the set has a transform that is not implemented, and is never selected"));
    } else if set.auth.is_none() && set.cipher.as_ref().is_some_and(|(name, _)| name != "gcm") {
        fold.fate =
            Some(Fate::Unsupported("encryption without integrity is not done; the set is never chosen"));
    }
    let place = entry(&mut fold.config.transform_sets, |known| known.name == name, TransformSet::default);
    if let Some(slot) = fold.config.transform_sets.get_mut(place) {
        // entering the transforms again keeps the mode
        *slot = TransformSet { transport: slot.transport, ..set };
    }
    fold.mode = Mode::TransformSet(place);
    Ok(())
}

fn mode(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let transport = if cursor.keyword("transport") {
        cursor.rest();
        !fold.no
    } else if cursor.keyword("tunnel") || fold.no {
        cursor.rest();
        false
    } else {
        return Err(cursor.problem("tunnel or transport"));
    };
    if let Mode::TransformSet(place) = fold.mode
        && let Some(set) = fold.config.transform_sets.get_mut(place)
    {
        set.transport = transport;
    }
    Ok(())
}

fn lifetime(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let crypto = &mut fold.config.crypto;
    if cursor.keyword("seconds") {
        crypto.seconds =
            if fold.no { 3600 } else { cursor.number("seconds 120-2592000", 120..=2_592_000)? };
    } else if cursor.keyword("kilobytes") {
        crypto.kilobytes = if fold.no {
            Some(4_608_000)
        } else if cursor.keyword("disable") {
            None
        } else {
            Some(cursor.number("kilobytes 2560-4294967295", 2560..=u32::MAX)?)
        };
    } else {
        return Err(cursor.problem("seconds or kilobytes"));
    }
    cursor.rest();
    Ok(())
}

fn idle_time(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.crypto.idle_time =
        if fold.no { None } else { Some(cursor.number("seconds 60-86400", 60..=86400)?) };
    cursor.rest();
    Ok(())
}

fn replay(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.replay = fold.unless_no(given.choose(Replay::KEYWORDS)).unwrap_or_default();
    Ok(())
}

fn df_bit(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let bit = if cursor.keyword("clear") {
        DfBit::Clear
    } else if cursor.keyword("set") {
        DfBit::Set
    } else if cursor.keyword("copy") || fold.no {
        DfBit::Copy
    } else {
        return Err(cursor.problem("clear, copy or set"));
    };
    fold.config.crypto.df_bit = if fold.no { DfBit::Copy } else { bit };
    cursor.finish()
}

fn nat_transparency(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if cursor.keyword("udp-encapsulation") || cursor.keyword("udp-encaps") {
        // on unless it is switched off
        fold.config.crypto.nat_transparency = !fold.no || fold.default;
    } else if cursor.keyword("spi-matching") {
        fold.fate = (!fold.no).then_some(Fate::Unsupported("SPI matching is not implemented"));
    } else {
        return Err(cursor.problem("udp-encapsulation or spi-matching"));
    }
    cursor.finish()
}
