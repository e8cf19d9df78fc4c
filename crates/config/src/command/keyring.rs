//! `crypto keyring`.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold, opens, password};
use crate::form::{Cursor, Problem};
use crate::model::{Key, KeyPeer, Keyring};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "crypto keyring <name>", "= [vrf <vrf>]", keyring),
    fold(
        In::Keyring,
        "pre-shared-key",
        "{address {ipv6 <LINE:peer>|<A.B.C.D:peer> [<A.B.C.D:mask>] = key [0|6] <key>}|hostname <host> = key [0|6] <key>|ipv6 <LINE:peer>}",
        pre_shared_key,
    ),
    fate(In::Keyring, "description", Fate::NoOp),
    fold(In::Keyring, "local-address", "= <address> [<LINE:rest>]", local_address),
    opens(In::Keyring, "rsa-pubkey", Fate::Unsupported("RSA keys are not implemented")),
];

fn keyring(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.keyrings.retain(|keyring| keyring.name != name);
        return Ok(());
    }
    if cursor.keyword("vrf") {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported(
            "VRFs are not implemented; an entry whose peers may use the keyring does not exist here",
        ));
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.keyrings,
        |keyring| keyring.name == name,
        || Keyring { name: name.clone(), line, ..Keyring::default() },
    );
    fold.mode = Mode::Keyring(place);
    cursor.finish()
}

/// `address A [MASK]` or `hostname H`; `None` for `ipv6`.
pub(super) fn key_peer(cursor: &mut Cursor<'_>) -> Result<Option<KeyPeer>, Problem> {
    if cursor.keyword("address") {
        if cursor.keyword("ipv6") {
            cursor.rest();
            return Ok(None);
        }
        let problem = cursor.problem("a network mask");
        let address = cursor.address()?;
        let mask = cursor.optional_address();
        return network(address, mask).map(|net| Some(KeyPeer::Address(net))).ok_or(problem);
    }
    if cursor.keyword("hostname") {
        return Ok(Some(KeyPeer::Hostname(cursor.word("a host name")?.to_string())));
    }
    if cursor.keyword("ipv6") {
        cursor.rest();
        return Ok(None);
    }
    Err(cursor.problem("address or hostname"))
}

/// An address with an optional mask: 0.0.0.0 alone is everything, any other address alone is one
/// host.
pub(super) fn network(address: Ipv4Addr, mask: Option<Ipv4Addr>) -> Option<IpNet> {
    let length = match mask {
        Some(mask) => return IpNet::with_netmask(address.into(), mask.into()).ok().map(|net| net.trunc()),
        None if address.is_unspecified() => 0,
        None => 32,
    };
    IpNet::new(address.into(), length).ok()
}

/// `pre-shared-key {address A [MASK] | hostname H} key [0|6] KEY`
fn pre_shared_key(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let Some(peer) = key_peer(cursor)? else {
        fold.fate = Some(Fate::Unsupported("IPv6 peers are not implemented"));
        return Ok(());
    };
    let key = match cursor.keyword("key") {
        true => Some(password(cursor, 0)?),
        false if fold.no => None,
        false => return Err(cursor.problem("key")),
    };
    let (line, no) = (fold.line, fold.no);
    let Mode::Keyring(place) = fold.mode else { return Ok(()) };
    if let Some(keyring) = fold.config.keyrings.get_mut(place) {
        keyring.keys.retain(|known| known.peer != peer);
        if let (Some(key), false) = (key, no) {
            keyring.keys.push(Key { peer, key, no_xauth: false, line });
        }
    }
    cursor.finish()
}

fn local_address(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        set_local_address(fold, None);
        return Ok(());
    }
    let word = cursor.word("an address or an interface")?;
    let address = word.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    if address.is_none() {
        fold.fate = Some(Fate::Unsupported("only an address restricts a keyring; it serves every interface"));
        cursor.rest();
    }
    set_local_address(fold, address);
    Ok(())
}

fn set_local_address(fold: &mut Fold<'_>, address: Option<IpAddr>) {
    if let Mode::Keyring(place) = fold.mode
        && let Some(keyring) = fold.config.keyrings.get_mut(place)
    {
        keyring.local_address = address;
    }
}
