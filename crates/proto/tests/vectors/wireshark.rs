//! Wireshark's IKEv1 transcripts, published with the cipher's key alone: decryption, IV chains,
//! padding and payloads.

use crate::packets::{datagrams, packets};
use crate::transcript::{Hashes, Opened, Session};
use crate::{Test, read, unhex};
use hubward_crypto::esp::{EspKeys, OpenError, OpenJob, open};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::print::Payloads;
use hubward_proto::wire::ike1::Config;
use hubward_proto::wire::ip::Ipv4;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header};
use hubward_proto::wire::registry::{config, payload};
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("wireshark_main_mode_with_xauth", main_mode),
        ("wireshark_aggressive_mode_with_xauth", aggressive_mode),
        ("wireshark_main_mode_with_certificates", certificates),
        ("wireshark_esp_packets_open", esp),
    ]
}

fn transcript(vectors: &Path, file: &str, hash: HashAlg, cipher: IkeCipher) -> Vec<Opened> {
    let datagrams = datagrams(&vectors.join("wireshark").join(file));
    let cookies = datagrams
        .iter()
        .filter_map(|datagram| Header::parse(datagram.ike()?).ok())
        .find(|(header, _)| header.responder != Cookie::ZERO)
        .map(|(header, _)| Cookies { initiator: header.initiator, responder: header.responder })
        .unwrap();
    let table = String::from_utf8(read(&vectors.join("wireshark/ikev1_decryption_table.tmpl"))).unwrap();
    let key = table
        .lines()
        .filter_map(|line| line.split_once(','))
        .find(|(cookie, _)| unhex_cookie(cookie) == Some(cookies.initiator))
        .map(|(_, key)| unhex(key))
        .expect("the table has no key for this transcript");
    let session = Session::gather(&datagrams, cookies).unwrap();
    assert_eq!((session.hash, session.cipher), (hash, cipher));
    assert_eq!(key.len(), cipher.key_len());
    let keys = session.keys("unknown", &[]).with_encryption(Secret::new(key));
    session.open(&keys, Hashes::Unknown).into_iter().map(Result::unwrap).collect()
}

fn unhex_cookie(text: &str) -> Option<Cookie> {
    (text.len() == 16).then(|| Cookie(unhex(text).try_into().unwrap()))
}

/// Each message as the log prints it.
fn lines(opened: &[Opened]) -> Vec<String> {
    opened
        .iter()
        .map(|message| {
            let chain =
                hubward_proto::wire::isakmp::Chain::parse(message.header.first, &message.plain).unwrap();
            let side = if message.from_initiator { "I" } else { "R" };
            let exchange = message.header.to_string();
            let exchange = exchange.split(' ').nth(2).unwrap().to_owned();
            format!("{side} {exchange} {}", Payloads(&chain))
        })
        .collect()
}

/// The mode-config message among a message's payloads.
fn mode_config(message: &Opened) -> Config {
    Config::parse(message.first(payload::ATTRIBUTE).unwrap()).unwrap()
}

/// Bug 12610: AES-256, SHA-256, group 2, Xauth with a pre-shared key, mode-config, quick mode.
fn main_mode(vectors: &Path) {
    let opened = transcript(vectors, "ikev1-bug-12610.pcapng.gz", HashAlg::Sha256, IkeCipher::Aes256);
    let expected = [
        "I main ID(192.168.0.100 17/500) HASH(32)",
        "R main ID(moon.localdomain 0/0) HASH(32)",
        "R transaction HASH(32) ATTR(REQUEST id=0x0000 XAUTH_USER_NAME[0] XAUTH_USER_PASSWORD[0])",
        "I informational HASH(32) NOTIFY(ISAKMP 24578 INITIAL_CONTACT)",
        "I transaction HASH(32) ATTR(REPLY id=0x0000 XAUTH_USER_NAME[3] XAUTH_USER_PASSWORD[4])",
        "R transaction HASH(32) ATTR(SET id=0x0000 XAUTH_STATUS[2])",
        "I transaction HASH(32) ATTR(ACK id=0x0000 XAUTH_STATUS[2])",
        "I transaction HASH(32) ATTR(REQUEST id=0xa4c1 ADDRESS[0] NETMASK[0] DNS[0] NBNS[0] BANNER[0] \
         DEF_DOMAIN[0] SPLIT_DNS[0] SPLIT_INCLUDE[0] SPLIT_EXCLUDE[0] APPLICATION_VERSION[0])",
        "R transaction HASH(32) ATTR(REPLY id=0xa4c1 ADDRESS[4] SPLIT_INCLUDE[14])",
        "I quick HASH(32) SA(#1 ESP spi=070883c2 1:12 lifetype=1 life=28800 mode=1 keylen=256 auth=5 \
         +2:12 lifetype=1 life=28800 mode=1 keylen=256 auth=2 +3:12 lifetype=1 life=28800 mode=1 \
         keylen=256 auth=1 +4:12 lifetype=1 life=28800 mode=1 keylen=128 auth=5 +8 more) NONCE(16) \
         ID(10.1.1.1 0/0) ID(0.0.0.0/0.0.0.0 0/0)",
        "R quick HASH(32) SA(#1 ESP spi=c254fe64 1:12 keylen=128 auth=2 mode=1 lifetype=1 life=28800) \
         NONCE(32) ID(10.1.1.1 0/0) ID(0.0.0.0/0.0.0.0 0/0)",
        "I quick HASH(32)",
    ];
    assert_eq!(lines(&opened), expected);
    let reply = mode_config(&opened[4]);
    assert_eq!(reply.get(config::XAUTH_USER_NAME).unwrap().bytes(), b"mpa");
    assert_eq!(reply.get(config::XAUTH_USER_PASSWORD).unwrap().bytes(), b"mpa\0");
    assert_eq!(mode_config(&opened[5]).get(config::XAUTH_STATUS).unwrap().as_number(), Some(1));
    let assigned = mode_config(&opened[8]);
    assert_eq!(assigned.get(config::ADDRESS).unwrap().bytes(), [10, 1, 1, 1]);
    let split = assigned.get(config::UNITY_SPLIT_INCLUDE).unwrap().bytes();
    assert_eq!(split, [10, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    // the padding of the first message is longer than necessary
    let length: usize = opened[0].payloads.iter().map(|(_, body)| body.len() + 4).sum();
    assert_eq!(opened[0].plain.len() - length, 32);
}

/// Bug 12620: the third message of aggressive mode is in clear.
fn aggressive_mode(vectors: &Path) {
    let opened = transcript(vectors, "ikev1-bug-12620.pcapng.gz", HashAlg::Sha256, IkeCipher::Aes256);
    let expected = [
        "I informational HASH(32) NOTIFY(ISAKMP 24578 INITIAL_CONTACT)",
        "R transaction HASH(32) ATTR(REQUEST id=0x0000 XAUTH_USER_NAME[0] XAUTH_USER_PASSWORD[0])",
        "I transaction HASH(32) ATTR(REPLY id=0x0000 XAUTH_USER_NAME[3] XAUTH_USER_PASSWORD[4])",
        "R transaction HASH(32) ATTR(SET id=0x0000 XAUTH_STATUS[2])",
        "I transaction HASH(32) ATTR(ACK id=0x0000 XAUTH_STATUS[2])",
        "I transaction HASH(32) ATTR(REQUEST id=0x478d ADDRESS[0] NETMASK[0] DNS[0] NBNS[0] BANNER[0] \
         DEF_DOMAIN[0] SPLIT_DNS[0] SPLIT_INCLUDE[0] SPLIT_EXCLUDE[0] APPLICATION_VERSION[0])",
        "R transaction HASH(32) ATTR(REPLY id=0x478d ADDRESS[4] SPLIT_INCLUDE[14])",
    ];
    assert_eq!(lines(&opened), expected);
}

/// A certificate exchange, which we do not support, is still decrypted and read.
fn certificates(vectors: &Path) {
    let opened = transcript(vectors, "ikev1-certs.pcap", HashAlg::Md5, IkeCipher::TripleDes);
    let expected = [
        "I main ID(192.168.12.118 0/0) payload-6(1494) payload-7(83) payload-9(128)",
        "R main ID(172.16.1.103 0/0) payload-6(1626) payload-9(256)",
        "I quick HASH(16) SA(#0 ESP spi=95f9fa06 0:3 group=2 mode=1 lifetype=1 life=3600 auth=1) \
         NONCE(16) KE(128) ID(192.168.12.118 0/0) ID(1.1.1.1 0/0)",
        "R quick HASH(16) SA(#0 ESP spi=cd876adf 0:3 group=2 mode=1 lifetype=1 life=3600 auth=1) \
         NONCE(16) KE(128) ID(192.168.12.118 0/0) ID(1.1.1.1 0/0)",
        "I quick HASH(16)",
    ];
    assert_eq!(lines(&opened), expected);
}

/// The six ESP packets of bug 12671, with the keys of Wireshark's own table: they open, and a
/// changed one does not.
fn esp(vectors: &Path) {
    let table = String::from_utf8(read(&vectors.join("wireshark/esp_sa.tmpl"))).unwrap();
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let keys: Vec<_> = table
        .lines()
        .map(|line| line.split(',').map(|field| field.trim_matches('"')).collect::<Vec<_>>())
        .map(|fields| {
            assert!(fields[4].starts_with("AES-CBC") && fields[6].starts_with("HMAC-SHA-1-96"));
            let hex = |field: &str| unhex(field.strip_prefix("0x").unwrap());
            (hex(fields[3]), EspKeys::new(suite, &[hex(fields[5]), hex(fields[7])].concat()).unwrap())
        })
        .collect();
    let mut opened = 0;
    for packet in packets(&vectors.join("wireshark/esp-bug-12671.pcapng.gz")) {
        let payload = &packet[usize::from(packet[0] & 15) * 4..];
        let esp = match packet[9] {
            50 => payload,
            17 => &payload[8..],
            _ => continue,
        };
        let Some((_, keys)) = keys.iter().find(|(spi, _)| esp.starts_with(spi)) else { continue };
        let mut changed = esp.to_vec();
        changed[30] ^= 1;
        let mut whole = esp.to_vec();
        let mut jobs = [
            OpenJob { keys, packet: &mut whole, outcome: Err(OpenError::Pending) },
            OpenJob { keys, packet: &mut changed, outcome: Err(OpenError::Pending) },
        ];
        open(&mut jobs);
        let range = jobs[0].outcome.clone().expect("the packet opens");
        assert_eq!(jobs[1].outcome, Err(OpenError::Icv));
        let inner = Ipv4::parse(&whole[range]).expect("an IPv4 packet inside");
        let pair = [inner.source().to_string(), inner.destination().to_string()];
        assert!(pair.contains(&"10.1.1.1".into()) && pair.contains(&"10.1.0.10".into()), "{pair:?}");
        opened += 1;
    }
    assert_eq!(opened, 6);
}
