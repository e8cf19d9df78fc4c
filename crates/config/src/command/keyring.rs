//! `crypto keyring`.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold, opens};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{Key, KeyPeer, Keyring};
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto keyring <name>", "= [vrf <vrf>]", keyring),
    fold(
        In::Keyring,
        "pre-shared-key",
        "{address {ipv6 <LINE:peer-ipv6>|<A.B.C.D:peer> [<A.B.C.D:mask>] = key [0|6] <key>}|hostname <HOST:host> = key [0|6] <key>|ipv6 <LINE:peer-ipv6>}",
        pre_shared_key,
    ),
    fate(In::Keyring, "description", Fate::NoOp).also(&[In::Profile, In::CryptoMap, In::DynamicMap]),
    fold(
        In::Keyring,
        "local-address",
        "= {<A.B.C.D:address>|<IF:interface> [<UNIT:unit>]} [<vrf>]",
        local_address,
    )
    .also(&[In::Profile]),
    opens(In::Keyring, "rsa-pubkey", Fate::Unsupported("RSA keys are not implemented")),
];

fn keyring(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.keyrings.remove(&name);
        return Ok(());
    }
    if given.has("vrf") {
        fold.fate = Some(Fate::Unsupported(
            "VRFs are not implemented; an entry whose peers may use the keyring does not exist here",
        ));
    }
    let line = fold.line;
    let make = || Keyring { name: name.clone(), line, ..Keyring::default() };
    let place = fold.config.keyrings.entry(name.clone(), make);
    fold.mode = Mode::Keyring(place);
    Ok(())
}

/// An address with an optional mask: 0.0.0.0 alone is everything, any other address alone is one
/// host.
pub(super) fn network(given: &Given<'_>, address: &str, mask: &str) -> Result<IpNet, Problem> {
    match (given.address(address), given.word(mask)) {
        (Some(address), None) => Ok(match address.is_unspecified() {
            true => IpNet::V4(Ipv4Net::default()),
            false => IpAddr::V4(address).into(),
        }),
        _ => given.network(address, mask).map(|net| net.trunc()),
    }
}

/// Adds a key to the keys of a keyring, by its place, or takes it away; without a keyring, to that
/// called `default`. A peer has one key: the first stays.
pub(super) fn change_key(
    fold: &mut Fold<'_>,
    given: &Given<'_>,
    keyring: Option<usize>,
) -> Result<(), Problem> {
    let (peer, name) = match given.word("host") {
        Some(host) => (KeyPeer::Hostname(host.to_string()), "host"),
        None if given.has("ipv6") => {
            fold.fate = (!fold.no).then_some(Fate::Unsupported("IPv6 peers are not implemented"));
            return Ok(());
        }
        None if given.word("peer").is_none() => return Err(given.missing("address or hostname")),
        None => (KeyPeer::Address(network(given, "peer", "mask")?), "peer"),
    };
    let (no, line) = (fold.no, fold.line);
    let keys = &mut fold.config.keys;
    if no {
        keys.remove(&(keyring, peer));
        return Ok(());
    }
    let Some(key) = given.password("key", 0) else { return Ok(()) };
    let new = Key { peer: peer.clone(), key, no_xauth: given.has("no-xauth"), line };
    let place = keys.entry((keyring, peer), || new.clone());
    match keys.get(place) {
        Some(known) if (&known.key, known.no_xauth) != (&new.key, new.no_xauth) => {
            Err(given.problem(name, "a peer that has no key yet"))
        }
        _ => Ok(()),
    }
}

/// `pre-shared-key {address A [MASK] | hostname H} key [0|6] KEY`
fn pre_shared_key(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Mode::Keyring(place) = fold.mode else { return Ok(()) };
    change_key(fold, given, Some(place))
}

/// `local-address {ADDRESS | INTERFACE}`, of a keyring or of an ISAKMP profile.
fn local_address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let address = fold.unless_no(given.address("address").map(IpAddr::V4));
    let by_interface = given.word("interface").is_some() && !fold.no;
    match fold.mode {
        Mode::Keyring(place) => {
            if let Some(keyring) = fold.config.keyrings.get_mut(place) {
                keyring.local_address = address;
            }
            fold.fate = by_interface.then_some(Fate::Unsupported(
                "only an address restricts a keyring; it serves every interface",
            ));
        }
        Mode::Profile(place) => {
            if let Some(profile) = fold.config.profiles.get_mut(place) {
                profile.local_address = address;
            }
            fold.fate = by_interface.then_some(Fate::Unsupported(
                "only an address restricts a profile; it serves every interface",
            ));
        }
        _ => {}
    }
    Ok(())
}
