//! Packets that broke other programs, and ordinary ones: each is read or refused, and nothing else
//! happens.

use crate::packets::datagrams;
use crate::{Test, entries, read, unhex};
use hubward_proto::ike::identity::{Identity, Proxy};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::print::Message;
use hubward_proto::wire::ike1::{Config, Delete, Notify, parse_sa, write_sa};
use hubward_proto::wire::isakmp::{Chain, HEADER_LEN, Header, Writer};
use hubward_proto::wire::registry::payload;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("packets_of_tcpdump", tcpdump),
        ("packets_of_libreswan", libreswan),
        ("packets_of_ike_scan", ike_scan),
        ("packets_of_openswan", openswan),
        ("packets_of_wireshark", wireshark),
    ]
}

/// Reads a message as the engine would, and prints it. Payloads that the engine only skips are not
/// checked.
pub(crate) fn read_message(message: &[u8]) -> Result<Header, String> {
    let line = Message(message).to_string();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(line.len() < 256 + message.len() * 16, "{line}");
    let (header, body) = Header::parse(message).map_err(|error| error.to_string())?;
    if !header.encrypted() {
        read_payloads(header.first, body)?;
    }
    Ok(header)
}

/// Reads the payloads of a message in clear or decrypted, each by its type.
pub(crate) fn read_payloads(first: u8, bytes: &[u8]) -> Result<(), String> {
    let chain = Chain::parse(first, bytes).map_err(|error| error.to_string())?;
    assert!(chain.length <= bytes.len());
    let mut writer = Writer::new();
    for payload in &chain.payloads {
        writer.push(payload.kind, payload.body);
        read_payload(payload.kind, payload.body)?;
    }
    // reserved bytes are not kept, everything else is
    let again = writer.bytes();
    let written = Chain::parse(first, &again).unwrap();
    assert_eq!((&written.payloads, written.length), (&chain.payloads, chain.length));
    Ok(())
}

fn read_payload(kind: u8, body: &[u8]) -> Result<(), String> {
    match kind {
        payload::SA => parse_sa(body).map_err(|error| error.to_string()).map(|proposals| {
            assert_eq!(parse_sa(&write_sa(&proposals)).as_ref(), Ok(&proposals));
        }),
        payload::NOTIFY => Notify::parse(body).map_err(|error| error.to_string()).map(|notify| {
            assert_eq!(Notify::parse(&notify.write()), Ok(notify));
        }),
        payload::DELETE => Delete::parse(body).map_err(|error| error.to_string()).map(|delete| {
            assert_eq!(Delete::parse(&delete.write()), Ok(delete));
        }),
        payload::ATTRIBUTE => Config::parse(body).map_err(|error| error.to_string()).map(|config| {
            assert_eq!(Config::parse(&config.write()), Ok(config));
        }),
        payload::ID => {
            // a proxy identity or a phase 1 identity, which only the exchange determines
            if let Ok(proxy) = Proxy::parse(body, false) {
                assert_eq!(Proxy::parse(&proxy.write(), false), Ok(proxy));
            }
            Identity::parse(body).map(|_| ()).map_err(|error| error.to_string())
        }
        payload::VENDOR => {
            let _ = Vendor::recognise(body);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Damages a message in every way in which a byte or a length can be wrong. It must be read or
/// refused; if truncated, it must be refused.
pub(crate) fn damage(message: &[u8]) {
    for length in 0..message.len() {
        assert!(read_message(&message[..length]).is_err(), "cut to {length} bytes: {message:02x?}");
        if length < HEADER_LEN {
            continue;
        }
        let mut cut = message[..length].to_vec();
        cut[24..28].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        let _ = read_message(&cut);
    }
    // only the header of an encrypted message is read
    let encrypted = Header::parse(message).is_ok_and(|(header, _)| header.encrypted());
    for at in 0..if encrypted { HEADER_LEN } else { message.len() } {
        for value in [0, 0x80, 0xff, message[at] ^ 1] {
            let mut changed = message.to_vec();
            changed[at] = value;
            let _ = read_message(&changed);
        }
    }
}

/// Reads and damages every message of a file. Returns how many messages were read and refused.
fn survey(messages: &[Vec<u8>]) -> (usize, usize) {
    let mut counts = (0, 0);
    for message in messages {
        match read_message(message) {
            Ok(_) => counts.0 += 1,
            Err(_) => counts.1 += 1,
        }
        damage(message);
    }
    counts
}

fn survey_capture(path: &Path) -> (usize, usize) {
    let messages: Vec<_> =
        datagrams(path).iter().filter_map(|datagram| datagram.ike().map(<[u8]>::to_vec)).collect();
    survey(&messages)
}

/// Compares the results for a folder's files with what is expected: messages read, messages
/// refused.
fn expect(found: &[(String, (usize, usize))], expected: &[(&str, (usize, usize))]) {
    let found: Vec<_> = found.iter().map(|(name, counts)| (name.as_str(), *counts)).collect();
    assert_eq!(found, expected);
}

fn survey_folder(folder: &Path) -> Vec<(String, (usize, usize))> {
    entries(folder)
        .iter()
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), survey_capture(path)))
        .collect()
}

/// Sessions of real peers, and what made tcpdump read beyond its buffers.
fn tcpdump(vectors: &Path) {
    expect(
        &survey_folder(&vectors.join("tcpdump")),
        &[
            ("02-sunrise-sunset-esp.pcap", (0, 0)),
            ("08-sunrise-sunset-aes.pcap", (0, 0)),
            ("08-sunrise-sunset-esp2.pcap", (0, 0)),
            ("ISAKMP_sa_setup.pcap", (9, 0)),
            ("esp_truncated.pcap", (0, 0)),
            ("espudp1.pcap", (0, 0)),
            ("ikev1_id_ipv6_addr_subnet-oobr.pcap", (0, 1)),
            ("ikev2-id-normal.pcap", (0, 1)),
            ("ikev2-id-short.pcap", (0, 1)),
            ("ikev2four.pcap", (0, 21)),
            ("ikev2pI2-segfault.pcapng", (0, 1)),
            ("ikev2pI2.pcap", (0, 2)),
            ("isakmp-3948-oobr-2.pcap", (0, 0)),
            ("isakmp-delete-segfault.pcap", (0, 1)),
            ("isakmp-identification-segfault.pcap", (1, 0)),
            ("isakmp-ikev1_n_print-oobr.pcap", (0, 2)),
            ("isakmp-no-none-np.pcapng", (0, 1)),
            ("isakmp-pointer-loop.pcap", (0, 1)),
            ("isakmp-rfc3948-oobr.pcap", (0, 0)),
            ("isakmp-various-oobr.pcap", (0, 1)),
            ("isakmp4500.pcap", (15, 0)),
            ("isakmpv1-attr-oobr.pcap", (0, 1)),
        ],
    );
}

/// What made pluto crash: wrong payloads first, proposals within proposals, versions.
fn libreswan(vectors: &Path) {
    let folder = vectors.join("libreswan");
    let mut found = survey_folder(&folder);
    let crashes = String::from_utf8(read(&folder.join("known-crash-packets.hex"))).unwrap();
    let crashes: Vec<_> = crashes
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| unhex(line.split_once('\t').unwrap().1))
        .collect();
    found.push(("known-crash-packets.hex".to_owned(), survey(&crashes)));
    found.push(("authip-rogue.raw".to_owned(), survey(&[read(&folder.join("authip-rogue.raw"))])));
    expect(
        &found,
        &[
            ("01-isakmp-broadcast.pcap", (1, 0)),
            ("01-isakmp-vid-first-resp.pcap", (1, 0)),
            ("01-isakmp-vid-first.pcap", (1, 0)),
            ("01-isakmp-vid-second-resp.pcap", (1, 0)),
            ("02-isakmp-vid-first.pcap", (2, 0)),
            ("weirdike-eastwest.pcap-ike.pcap", (1, 0)),
            ("known-crash-packets.hex", (3, 13)),
            ("authip-rogue.raw", (1, 0)),
        ],
    );
}

/// Answers of the gateways of many vendors.
fn ike_scan(vectors: &Path) {
    let folder = vectors.join("ike-scan");
    let mut found = Vec::new();
    for path in
        entries(&folder).iter().filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
    {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = read(path);
        // one of them was captured on port 4500, with its non-ESP marker
        let message = bytes.strip_prefix(&[0; 4]).unwrap_or(&bytes);
        found.push((name, survey(&[message.to_vec()])));
    }
    expect(
        &found,
        &[
            ("pkt-aggr-cert-response.dat", (1, 0)),
            ("pkt-aggr-mode-response.dat", (1, 0)),
            ("pkt-aggressive.dat", (1, 0)),
            ("pkt-checkpoint-notify.dat", (1, 0)),
            // its reserved fields are set
            ("pkt-custom-proposal.dat", (0, 1)),
            ("pkt-default-proposal.dat", (1, 0)),
            ("pkt-ikev2.dat", (0, 1)),
            ("pkt-main-mode-response.dat", (1, 0)),
            ("pkt-main-natt-response.dat", (1, 0)),
            ("pkt-malformed.dat", (0, 1)),
            ("pkt-notify-response.dat", (1, 0)),
            ("pkt-single-trans.dat", (1, 0)),
            ("pkt-v2-notify-response.dat", (0, 1)),
            ("pkt-v2-sainit-response.dat", (0, 1)),
        ],
    );
}

/// Openswan's unit tests.
fn openswan(vectors: &Path) {
    let mut total = (0, 0);
    for folder in entries(&vectors.join("openswan")) {
        for (_, (good, bad)) in survey_folder(&folder) {
            total = (total.0 + good, total.1 + bad);
        }
    }
    // the refused messages are IKEv2's
    assert_eq!(total, (28, 63));
}

/// Wireshark's samples; those of IKEv1 are decrypted in `wireshark.rs`.
fn wireshark(vectors: &Path) {
    expect(
        &survey_folder(&vectors.join("wireshark")),
        &[
            ("esp-bug-12671.pcapng.gz", (0, 0)),
            ("ikev1-bug-12610.pcapng.gz", (16, 0)),
            ("ikev1-bug-12620.pcapng.gz", (10, 0)),
            ("ikev1-certs.pcap", (10, 0)),
            ("ikev2-decrypt-3des-sha1_160.pcap", (0, 6)),
            ("ikev2-decrypt-aes128ccm12-2.pcap", (0, 6)),
            ("ikev2-decrypt-aes128ccm12.pcap", (0, 6)),
            ("ikev2-decrypt-aes192ctr.pcap", (0, 6)),
            ("ikev2-decrypt-aes256cbc.pcapng", (0, 4)),
            ("ikev2-decrypt-aes256ccm16.pcapng", (0, 4)),
            ("ikev2-decrypt-aes256gcm16.pcap", (0, 6)),
            ("ikev2-decrypt-aes256gcm8.pcap", (0, 6)),
        ],
    );
}
