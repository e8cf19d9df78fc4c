//! Recorded negotiations of strongSwan, Libreswan and vpnc, with their keys.

use crate::malformed::{damage, read_message, read_payloads};
use crate::packets::{Datagram, datagrams};
use crate::transcript::{Hashes, Opened, Session};
use crate::{Test, entries, read, unhex};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::ike::v1::keys::Phase1Keys;
use hubward_proto::wire::ike1::parse_sa;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header};
use hubward_proto::wire::registry::{exchange, payload};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("captures_decrypt_and_verify", decrypt_and_verify),
        ("captures_derive_the_esp_keys", esp_keys),
        ("captures_are_read_whole", read_whole),
        ("captures_damaged_are_read_or_refused", damaged),
    ]
}

/// The capture in which the spoke's pre-shared key differs from the hub's; the hub's keys are
/// known.
const WRONG_KEY: &str = "neg-l2l-psk";

struct Capture {
    name: String,
    folder: PathBuf,
    datagrams: Vec<Datagram>,
}

fn captures(root: &Path) -> Vec<Capture> {
    let captures: Vec<_> = entries(root)
        .into_iter()
        .filter(|folder| folder.join("capture.pcap").exists())
        .map(|folder| Capture {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            datagrams: datagrams(&folder.join("capture.pcap")),
            folder,
        })
        .collect();
    assert!(!captures.is_empty(), "{} holds no captures", root.display());
    captures
}

/// What a peer logged of an ISAKMP SA.
#[derive(Default)]
struct Logged<'a> {
    values: BTreeMap<&'a str, Vec<u8>>,
    cookies: Option<Cookies>,
}

/// The ISAKMP SAs of a `keys.txt`, and the keys of its ESP SAs by SPI.
type Log<'a> = (Vec<Logged<'a>>, BTreeMap<u32, Vec<u8>>);

fn log(text: &str) -> Log<'_> {
    let mut sas: BTreeMap<&str, Logged<'_>> = BTreeMap::new();
    let mut esp = BTreeMap::new();
    for line in text.lines() {
        let Some((name, line)) = line.strip_prefix("IKE_SA ").and_then(|rest| rest.split_once("]  ")) else {
            continue;
        };
        let words: Vec<_> = line.split_whitespace().collect();
        let sa = sas.entry(name).or_default();
        match words.as_slice() {
            ["cookies", .., initiator, responder] => {
                let cookie = |text| Cookie(unhex(text).try_into().unwrap());
                sa.cookies = Some(Cookies { initiator: cookie(initiator), responder: cookie(responder) });
            }
            ["ESP", _, spi, cipher, auth] => {
                let value = |word: &str, name| unhex(word.strip_prefix(name).unwrap());
                let spi = u32::from_be_bytes(value(spi, "spi=").try_into().unwrap());
                esp.insert(spi, [value(cipher, "3des="), value(auth, "hmac-sha1=")].concat());
            }
            ["shared", "Diffie", "Hellman", "secret", value] => drop(sa.values.insert("g^xy", unhex(value))),
            ["encryption", "key", "Ka", value] => drop(sa.values.insert("Ka", unhex(value))),
            ["initial", "IV", value] => drop(sa.values.insert("IV", unhex(value))),
            [name, value] if name.starts_with("SKEYID") => drop(sa.values.insert(name, unhex(value))),
            _ => {}
        }
    }
    (sas.into_values().filter(|sa| sa.cookies.is_some()).collect(), esp)
}

/// Pre-shared keys as the captures' descriptions name them: "PSKs: wildcard …, group name/…;".
fn pre_shared_keys(readme: &str) -> Vec<String> {
    let line = readme.lines().find_map(|line| line.strip_prefix("PSKs: wildcard ")).unwrap();
    let (wildcard, rest) = line.split_once(", group ").unwrap();
    let group = rest.split_once('/').unwrap().1.split(';').next().unwrap();
    vec![wildcard.to_owned(), group.to_owned()]
}

struct Known {
    session: Session,
    keys: Phase1Keys,
}

/// Derives the keys of each recorded ISAKMP SA from pre-shared key, nonces and g^xy, and compares
/// them with the log.
fn known(capture: &Capture) -> (Vec<Known>, BTreeMap<u32, Vec<u8>>) {
    let text = |file| String::from_utf8(read(&capture.folder.join(file))).unwrap();
    let (readme, keys) = (text("README.md"), text("keys.txt"));
    let (logged, esp) = log(&keys);
    let sessions = logged.iter().map(|logged| {
        let session = Session::gather(&capture.datagrams, logged.cookies.unwrap()).unwrap_or_else(|| {
            panic!("{}: the messages of {:?} are not there", capture.name, logged.cookies)
        });
        let keys = pre_shared_keys(&readme)
            .iter()
            .map(|key| session.keys(key, &logged.values["g^xy"]))
            .find(|keys| keys.derived()[0] == logged.values["SKEYID"])
            .unwrap_or_else(|| panic!("{}: no pre-shared key gives SKEYID", capture.name));
        let derived = keys.derived();
        assert_eq!(derived[1], logged.values["SKEYID_d"], "{}", capture.name);
        assert_eq!(derived[2], logged.values["SKEYID_a"], "{}", capture.name);
        assert_eq!(keys.encryption().expose(), logged.values["Ka"], "{}", capture.name);
        assert_eq!(keys.first_iv(), logged.values["IV"], "{}", capture.name);
        Known { session, keys }
    });
    (sessions.collect(), esp)
}

fn decrypt_and_verify(root: &Path) {
    let mut exchanges: BTreeMap<u8, usize> = BTreeMap::new();
    let mut sas = 0;
    for capture in captures(root) {
        for Known { session, keys } in known(&capture).0 {
            sas += 1;
            for result in session.open(&keys, Hashes::Check) {
                if capture.name == WRONG_KEY {
                    // garbage: it does not parse as a chain of payloads, or the hash is wrong
                    assert!(result.is_err(), "a message under another key was believed");
                    break;
                }
                let opened = result.unwrap_or_else(|error| panic!("{}: {error}", capture.name));
                *exchanges.entry(opened.header.exchange).or_default() += 1;
                read_payloads(opened.header.first, &opened.plain)
                    .unwrap_or_else(|error| panic!("{}: {}: {error}", capture.name, opened.header));
                prefixes(&opened);
            }
        }
    }
    assert!(sas >= 20, "only {sas} ISAKMP SAs with keys");
    for kind in [
        exchange::MAIN,
        exchange::AGGRESSIVE,
        exchange::INFORMATIONAL,
        exchange::TRANSACTION,
        exchange::QUICK,
    ] {
        assert!(exchanges.get(&kind).is_some_and(|count| *count >= 10), "exchange {kind}: {exchanges:?}");
    }
}

/// A truncated decrypted message is refused, unless only padding is missing.
fn prefixes(opened: &Opened) {
    let length: usize = opened.payloads.iter().map(|(_, body)| body.len() + 4).sum();
    for end in 0..opened.plain.len() {
        let read = read_payloads(opened.header.first, &opened.plain[..end]);
        assert_eq!(read.is_ok(), end >= length, "{} cut to {end} of {length} bytes", opened.header);
    }
}

/// KEYMAT of every ESP SA whose quick mode was recorded.
fn esp_keys(root: &Path) {
    let suite = EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap();
    let mut checked = 0;
    for capture in captures(root).iter().filter(|capture| capture.name != WRONG_KEY) {
        let (sessions, mut esp) = known(capture);
        for Known { session, keys } in sessions {
            let opened: Vec<_> = session.open(&keys, Hashes::Check).into_iter().map(Result::unwrap).collect();
            let quick: Vec<_> =
                opened.iter().filter(|message| message.header.exchange == exchange::QUICK).collect();
            for first in &quick {
                let id = first.header.message_id;
                let mut messages = quick.iter().filter(|message| message.header.message_id == id);
                let (Some(one), Some(two)) = (messages.next(), messages.next()) else { continue };
                assert!(
                    one.first(payload::KE).is_none(),
                    "{}: PFS needs a secret that is not logged",
                    capture.name
                );
                let nonces = [one, two].map(|message| message.first(payload::NONCE).unwrap());
                for message in [one, two] {
                    let proposals = parse_sa(message.first(payload::SA).unwrap()).unwrap();
                    let spi = u32::from_be_bytes(proposals[0].spi.as_slice().try_into().unwrap());
                    if let Some(expected) = esp.remove(&spi) {
                        let keymat = keys.keymat(suite, spi, (nonces[0], nonces[1]), None);
                        assert_eq!(keymat.expose(), expected, "{}: SPI {spi:08x}", capture.name);
                        checked += 1;
                    }
                }
            }
        }
        assert!(esp.is_empty(), "{}: no quick mode for {esp:02x?}", capture.name);
    }
    assert!(checked >= 20);
}

/// Every message is read, those of IKEv2 are refused for their version, and there are as many as
/// tshark counted.
fn read_whole(root: &Path) {
    for capture in captures(root) {
        let summary = String::from_utf8(read(&capture.folder.join("summary.txt"))).unwrap();
        let counted = summary.lines().filter(|line| line.contains(" ISAKMP ")).count();
        let messages: Vec<_> = capture.datagrams.iter().filter_map(Datagram::ike).collect();
        assert_eq!(messages.len(), counted, "{}", capture.name);
        for message in messages {
            let read = read_message(message);
            if message[17] == 0x20 {
                assert_eq!(read.unwrap_err(), "ISAKMP version 0x20", "{}", capture.name);
            } else {
                read.unwrap_or_else(|error| panic!("{}: {error}: {message:02x?}", capture.name));
            }
        }
    }
}

/// Every proper prefix of every message is refused, and no wrong byte does harm.
fn damaged(root: &Path) {
    for capture in captures(root) {
        let mut messages: Vec<_> = capture.datagrams.iter().filter_map(Datagram::ike).collect();
        messages.sort_unstable();
        messages.dedup();
        for message in messages.into_iter().filter(|message| Header::parse(message).is_ok()) {
            damage(message);
        }
    }
}
