//! `crypto ipsec`.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, No, Row, fate, fold, opens};
use crate::form::Problem;
use crate::given::{Given, chosen};
use crate::model::{CryptoGlobal, DfBit, KeyLength, Replay, Transform, TransformSet, Volume};

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
        "{seconds = <120-2592000:seconds>|days = <1-30:days>|kilobytes = {disable|<2560-4294967295:kilobytes>}}",
        lifetime,
    ),
    fold(
        In::Global,
        "crypto ipsec security-association idle-time",
        "= <60-86400:seconds> [default]",
        idle_time,
    ),
    fold(
        In::Global,
        "crypto ipsec security-association replay",
        "= {disable|window-size {64|128|256|512|1024|2048|4096}}",
        replay,
    ),
    fold(In::Global, "crypto ipsec df-bit", "= {clear|copy|set}", df_bit),
    fold(In::Global, "crypto ipsec nat-transparency udp-encapsulation", "", udp_encapsulation)
        .no(No::IsASetting),
    fate(
        In::Global,
        "crypto ipsec nat-transparency spi-matching",
        Fate::Unsupported("SPI matching is not implemented"),
    ),
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

fn transform_set(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.transform_sets.remove(&name);
        return Ok(());
    }
    let transforms = given_transforms(given)?;
    let set = TransformSet { name: name.clone(), transforms, line: fold.line, transport: false };
    if !set.is_implemented() {
        fold.fate =
            Some(Fate::Unsupported("the set has a transform that is not implemented, and is never selected"));
    } else if set.cipher().is_some() && !set.is_usable() {
        fold.fate =
            Some(Fate::Unsupported("encryption without integrity is not done; the set is never chosen"));
    }
    let place = fold.config.transform_sets.entry(name, TransformSet::default);
    if let Some(slot) = fold.config.transform_sets.get_mut(place) {
        // entering the transforms again keeps the mode
        *slot = TransformSet { transport: slot.transport, ..set };
    }
    fold.mode = Mode::TransformSet(place);
    Ok(())
}

/// The transforms of a line. As on IOS, a set has one of a kind, and no HMAC beside a cipher that
/// shows itself that a packet was changed.
fn given_transforms(given: &Given<'_>) -> Result<Vec<Transform>, Problem> {
    let mut transforms: Vec<Transform> = Vec::new();
    let mut words = given.tokens().peekable();
    while let Some((place, token, _)) = words.next() {
        let length = words.peek().and_then(|(_, next, _)| chosen(next, KeyLength::KEYWORDS));
        let keywords = Transform::keywords(length.unwrap_or(KeyLength::Bits128));
        let Some(transform) = chosen(token, &keywords) else { continue };
        if transforms.iter().any(|known| known.excludes(transform)) {
            return Err(given.problem_at(place, "a transform that goes with those before it"));
        }
        transforms.push(transform);
    }
    Ok(transforms)
}

fn mode(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let transport = given.has("transport") && !fold.no;
    if let Mode::TransformSet(place) = fold.mode
        && let Some(set) = fold.config.transform_sets.get_mut(place)
    {
        set.transport = transport;
    }
    Ok(())
}

/// `crypto ipsec security-association lifetime {seconds N | days N | kilobytes {N | disable}}`
fn lifetime(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let default = CryptoGlobal::default();
    if is_of_time(given) {
        fold.config.crypto.seconds = fold.unless_no(given_seconds(given)).unwrap_or(default.seconds);
    } else {
        fold.config.crypto.volume = fold.unless_no(given_volume(given)?).unwrap_or(default.volume);
    }
    Ok(())
}

/// Whether a lifetime is one of time: `seconds N` or `days N`.
pub(super) fn is_of_time(given: &Given<'_>) -> bool {
    given.has("seconds") || given.has("days")
}

/// The seconds of `seconds N` or `days N`; none, with `no`.
pub(super) fn given_seconds(given: &Given<'_>) -> Option<u32> {
    let days = given.number::<u32>("days");
    given.number("seconds").or(days.map(|days| days.saturating_mul(86_400)))
}

/// `kilobytes {N | disable}`; neither, with `no`.
pub(super) fn given_volume(given: &Given<'_>) -> Result<Option<Volume>, Problem> {
    match (given.has("kilobytes"), given.has("disable")) {
        (false, _) => Err(given.missing("seconds or kilobytes")),
        (true, true) => Ok(Some(Volume::Unlimited)),
        (true, false) => Ok(given.number("kilobytes").map(Volume::Kilobytes)),
    }
}

fn idle_time(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.idle_time = fold.unless_no(given.number("seconds"));
    Ok(())
}

fn replay(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.replay = fold.unless_no(given.choose(Replay::KEYWORDS)).unwrap_or_default();
    Ok(())
}

fn df_bit(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.df_bit = fold.unless_no(given.choose(DfBit::KEYWORDS)).unwrap_or_default();
    Ok(())
}

/// On unless it is switched off.
fn udp_encapsulation(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.crypto.nat_transparency = !fold.no || fold.default;
    Ok(())
}
