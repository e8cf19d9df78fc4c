//! Security associations: `struct xfrm_usersa_info` and its attributes.

use super::layout::{CARRIED, ID, LIMITS, Reader, SELECTOR, Writer};
use super::numbers::{Reqids, UNLIMITED};
use super::selector::Selector;
use crate::error::Error;
use crate::netlink::{Attributes, Message};
use std::fmt;
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

const INFO: usize = 224;
const AT_ID: usize = SELECTOR;
const AT_SOURCE: usize = AT_ID + ID;
const AT_LIMITS: usize = AT_SOURCE + 16;
const AT_CARRIED: usize = AT_LIMITS + LIMITS;
const AT_STATS: usize = AT_CARRIED + CARRIED;
const AT_REQID: usize = 208;
const AT_FAMILY: usize = 212;

const ALG_CRYPT: u16 = 2;
const ENCAP: u16 = 4;
const LTIME_VAL: u16 = 9;
const REPLAY_VAL: u16 = 10;
const LASTUSED: u16 = 15;
const ALG_AEAD: u16 = 18;
const ALG_AUTH_TRUNC: u16 = 20;
const REPLAY_ESN_VAL: u16 = 23;
const SET_MARK: u16 = 29;

/// `UDP_ENCAP_ESPINUDP` (RFC 3948).
pub(super) const ESP_IN_UDP: u16 = 2;
const NO_PMTU_DISCOVERY: u8 = 4;
/// The kernel's names of algorithms are shorter.
const NAME: usize = 64;

/// What the kernel knows an SA by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaId {
    /// The receiver.
    pub destination: Ipv4Addr,
    /// The receiver's SPI.
    pub spi: u32,
}

impl SaId {
    pub(super) fn message(self, kind: u16, flags: u16) -> Message {
        let id = Writer::default().address(self.destination).u32_be(self.spi).family();
        Message::new(kind, flags, &id.u8(libc::IPPROTO_ESP as u8).pad(24).finish())
    }
}

impl fmt::Display for SaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X} of {}", self.spi, self.destination)
    }
}

/// Tunnel or transport mode (RFC 4301 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The payload alone is wrapped.
    Transport,
    /// The whole inner packet is wrapped.
    Tunnel,
}

impl Mode {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Transport => 0,
            Self::Tunnel => 1,
        }
    }
}

/// Algorithms by the names of the kernel's crypto interface, with their keys.
#[derive(Clone, Copy)]
pub enum Algorithms<'a> {
    /// Encryption and integrity in one.
    Aead {
        /// `rfc4106(gcm(aes))`.
        name: &'a str,
        /// The key, then the salt.
        key: &'a [u8],
        /// Length of the ICV in bits.
        icv_bits: u32,
    },
    /// One algorithm each.
    Pair {
        /// `cbc(des3_ede)`.
        cipher: &'a str,
        /// Its key.
        cipher_key: &'a [u8],
        /// `hmac(sha1)`.
        auth: &'a str,
        /// Its key.
        auth_key: &'a [u8],
        /// What is left of its output, in bits.
        icv_bits: u32,
    },
}

impl fmt::Debug for Algorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aead { name, .. } => f.write_str(name),
            Self::Pair { cipher, auth, .. } => write!(f, "{cipher} {auth}"),
        }
    }
}

/// ESP in UDP: the ports of the outer packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encapsulation {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

/// When the kernel reports that an SA should be rekeyed, and when it stops using it; `None` is
/// never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of inner packets.
    pub soft_bytes: Option<u64>,
    /// Bytes of inner packets.
    pub hard_bytes: Option<u64>,
    /// Packets.
    pub soft_packets: Option<u64>,
    /// Packets.
    pub hard_packets: Option<u64>,
}

/// Where an SA continues that was installed again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resume {
    /// Outbound: the last sequence number used.
    pub sent: u32,
    /// Inbound: the highest sequence number that verified; all below it counts as seen.
    pub received: u32,
    /// Bytes carried.
    pub bytes: u64,
    /// Packets carried.
    pub packets: u64,
}

/// A security association to be made.
#[derive(Debug, Clone)]
pub struct Sa<'a> {
    /// What it is known by.
    pub id: SaId,
    /// The sender.
    pub source: Ipv4Addr,
    /// Whose it is: [`Reqids`].
    pub reqid: u32,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Algorithms and keys.
    pub algorithms: Algorithms<'a>,
    /// ESP in UDP.
    pub encapsulation: Option<Encapsulation>,
    /// Inbound: packets of the replay window, up to 4096; 0 checks nothing.
    pub replay_window: u32,
    /// Inner packets that it may carry; the kernel checks inbound packets against it.
    pub selector: Option<Selector>,
    /// When it ends.
    pub limits: Limits,
    /// The outer DF bit stays clear; else it is the inner one.
    pub clear_df: bool,
    /// Firewall mark for routing the outer packets.
    pub mark: Option<u32>,
    /// Where it continues.
    pub resume: Option<Resume>,
}

impl<'a> Sa<'a> {
    /// An SA that is like no other but in its algorithms.
    pub const fn new(id: SaId, algorithms: Algorithms<'a>) -> Self {
        Self {
            id,
            source: Ipv4Addr::UNSPECIFIED,
            reqid: Reqids::SA,
            mode: Mode::Tunnel,
            algorithms,
            encapsulation: None,
            replay_window: 0,
            selector: None,
            limits: Limits { soft_bytes: None, hard_bytes: None, soft_packets: None, hard_packets: None },
            clear_df: false,
            mark: None,
            resume: None,
        }
    }

    pub(super) fn message(&self, kind: u16, flags: u16) -> Result<Message, Error> {
        let limit = |limit: Option<u64>| limit.unwrap_or(UNLIMITED);
        let selector = match &self.selector {
            Some(selector) => Writer::default().selector(selector),
            None => Writer::default().pad(SELECTOR),
        };
        let info = selector
            .address(self.id.destination)
            .u32_be(self.id.spi)
            .u8(libc::IPPROTO_ESP as u8)
            .pad(AT_SOURCE)
            .address(self.source)
            .u64(limit(self.limits.soft_bytes))
            .u64(limit(self.limits.hard_bytes))
            .u64(limit(self.limits.soft_packets))
            .u64(limit(self.limits.hard_packets))
            // how long it lives is the key exchange's business
            .pad(AT_REQID)
            .u32(self.reqid)
            .family()
            .u8(self.mode.number())
            // the window is in an attribute: here it would end at 255 packets
            .u8(0)
            .u8(if self.clear_df { NO_PMTU_DISCOVERY } else { 0 })
            .pad(INFO);
        let mut message = Message::new(kind, flags, &info.finish());
        match self.algorithms {
            Algorithms::Aead { name, key, icv_bits } => {
                message = message.attribute(ALG_AEAD, &algorithm(name, key, Some(icv_bits))?);
            }
            Algorithms::Pair { cipher, cipher_key, auth, auth_key, icv_bits } => {
                message = message
                    .attribute(ALG_AUTH_TRUNC, &algorithm(auth, auth_key, Some(icv_bits))?)
                    .attribute(ALG_CRYPT, &algorithm(cipher, cipher_key, None)?);
            }
        }
        if let Some(ports) = self.encapsulation {
            let encapsulation =
                Writer::default().u16(ESP_IN_UDP).u16_be(ports.source_port).u16_be(ports.destination_port);
            message = message.attribute(ENCAP, &encapsulation.pad(24).finish());
        }
        message = message.maybe(self.mark, |message, mark| message.number(SET_MARK, mark));
        let resume = self.resume.unwrap_or_default();
        if self.replay_window > 0 {
            message = message.attribute(REPLAY_ESN_VAL, &window(self.replay_window, resume));
        } else if resume.sent > 0 {
            let state = Writer::default().u32(resume.sent).u32(0).u32(0);
            message = message.attribute(REPLAY_VAL, &state.finish());
        }
        if self.resume.is_some() {
            let carried = Writer::default().u64(resume.bytes).u64(resume.packets).u64(0).u64(0);
            message = message.attribute(LTIME_VAL, &carried.finish());
        }
        Ok(message)
    }
}

/// `struct xfrm_algo`, or with the length of the ICV `struct xfrm_algo_auth` and `struct
/// xfrm_algo_aead`.
fn algorithm(name: &str, key: &[u8], icv_bits: Option<u32>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let invalid = |reason| Error::Invalid { object: format!("algorithm {name:?}"), reason };
    if name.len() >= NAME || name.contains('\0') {
        return Err(invalid("its name is too long"));
    }
    let bits = u32::try_from(key.len() * 8).map_err(|_| invalid("its key is too long"))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(NAME + 8 + key.len()));
    bytes.extend_from_slice(name.as_bytes());
    bytes.resize(NAME, 0);
    bytes.extend_from_slice(&bits.to_ne_bytes());
    if let Some(icv) = icv_bits {
        bytes.extend_from_slice(&icv.to_ne_bytes());
    }
    bytes.extend_from_slice(key);
    Ok(bytes)
}

/// `struct xfrm_replay_state_esn`, used for its long window; the sequence numbers stay 32 bits
/// long. The window of a continued SA is full: what may have been seen counts as seen.
fn window(packets: u32, resume: Resume) -> Vec<u8> {
    let words = packets.div_ceil(32);
    let state = Writer::default().u32(words).u32(resume.sent).u32(resume.received).u32(0).u32(0).u32(packets);
    let seen = if resume.received > 0 { u32::MAX } else { 0 };
    (0..words).fold(state, |state, _| state.u32(seen)).finish()
}

/// What an SA of the kernel has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaState {
    /// What it is known by.
    pub id: SaId,
    /// The sender.
    pub source: Ipv4Addr,
    /// Whose it is.
    pub reqid: u32,
    /// Bytes of inner packets.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets older than the window.
    pub late: u32,
    /// Packets seen before.
    pub replayed: u32,
    /// Packets whose integrity check failed.
    pub forged: u32,
    /// Outbound: the last sequence number used.
    pub sent: u32,
    /// Inbound: the highest sequence number that verified.
    pub received: u32,
    /// When it was used last, in seconds since 1970.
    pub last_used: Option<u64>,
}

impl SaState {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let info = Reader(body.get(..INFO)?);
        (info.u16(AT_FAMILY)? == libc::AF_INET as u16 && info.u8(AT_ID + 20)? == libc::IPPROTO_ESP as u8)
            .then_some(())?;
        let mut state = Self {
            id: SaId { destination: info.address(AT_ID)?, spi: info.u32_be(AT_ID + 16)? },
            source: info.address(AT_SOURCE)?,
            reqid: info.u32(AT_REQID)?,
            bytes: info.u64(AT_CARRIED)?,
            packets: info.u64(AT_CARRIED + 8)?,
            late: info.u32(AT_STATS)?,
            replayed: info.u32(AT_STATS + 4)?,
            forged: info.u32(AT_STATS + 8)?,
            sent: 0,
            received: 0,
            last_used: None,
        };
        for (kind, data) in Attributes(body.get(INFO..)?) {
            let data = Reader(data);
            match kind {
                REPLAY_VAL => (state.sent, state.received) = (data.u32(0)?, data.u32(4)?),
                REPLAY_ESN_VAL => (state.sent, state.received) = (data.u32(4)?, data.u32(8)?),
                LASTUSED => state.last_used = data.u64(0),
                _ => {}
            }
        }
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Messages;

    fn message(sa: &Sa<'_>) -> Vec<u8> {
        sa.message(0x10, 0).unwrap().to_bytes(1)[16..].to_vec()
    }

    fn attribute(body: &[u8], wanted: u16) -> Option<Vec<u8>> {
        Attributes(&body[INFO..]).find(|(kind, _)| *kind == wanted).map(|(_, data)| data.to_vec())
    }

    const TRIPLE_DES: Algorithms<'_> = Algorithms::Pair {
        cipher: "cbc(des3_ede)",
        cipher_key: &[1; 24],
        auth: "hmac(sha1)",
        auth_key: &[2; 20],
        icv_bits: 96,
    };

    fn example() -> Sa<'static> {
        let id = SaId { destination: Ipv4Addr::new(10, 48, 67, 181), spi: 0x0102_0304 };
        Sa {
            source: Ipv4Addr::new(10, 100, 2, 102),
            encapsulation: Some(Encapsulation { source_port: 0x1194, destination_port: 0x1195 }),
            replay_window: 65,
            limits: Limits { soft_bytes: Some(1000), ..Limits::default() },
            clear_df: true,
            ..Sa::new(id, TRIPLE_DES)
        }
    }

    /// Held against `offsetof` of linux/xfrm.h on x86-64.
    #[test]
    fn an_sa_is_laid_out_as_the_kernel_wants_it() {
        let body = message(&example());
        let mut expected = [0u8; INFO];
        expected[56..60].copy_from_slice(&[10, 48, 67, 181]);
        expected[72..77].copy_from_slice(&[1, 2, 3, 4, 50]);
        expected[80..84].copy_from_slice(&[10, 100, 2, 102]);
        expected[96..104].copy_from_slice(&1000u64.to_ne_bytes());
        expected[104..128].fill(0xff);
        expected[208..212].copy_from_slice(&0x4857_0000u32.to_ne_bytes());
        expected[212..214].copy_from_slice(&2u16.to_ne_bytes());
        expected[214..217].copy_from_slice(&[1, 0, 4]);
        assert_eq!(body[..INFO], expected);

        let auth = attribute(&body, 20).unwrap();
        assert_eq!(auth.len(), 64 + 4 + 4 + 20);
        assert_eq!(&auth[..11], b"hmac(sha1)\0");
        assert_eq!(auth[64..72], [160u32.to_ne_bytes(), 96u32.to_ne_bytes()].concat());
        assert_eq!(auth[72..], [2; 20]);
        let cipher = attribute(&body, 2).unwrap();
        assert_eq!(cipher.len(), 64 + 4 + 24);
        assert_eq!(&cipher[..14], b"cbc(des3_ede)\0");
        assert_eq!(cipher[64..68], 192u32.to_ne_bytes());
        assert_eq!(cipher[68..], [1; 24]);
        let encapsulation = attribute(&body, 4).unwrap();
        assert_eq!(encapsulation[..6], [&2u16.to_ne_bytes()[..], &[0x11, 0x94, 0x11, 0x95]].concat());
        assert_eq!(encapsulation.len(), 24);
        let window = attribute(&body, 23).unwrap();
        let words = [3u32, 0, 0, 0, 0, 65, 0, 0, 0];
        assert_eq!(window, words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>());
        assert!(attribute(&body, 9).is_none() && attribute(&body, 10).is_none());
    }

    #[test]
    fn an_aead_has_its_salt_behind_its_key_and_no_second_algorithm() {
        let key = [3; 20];
        let gcm = Algorithms::Aead { name: "rfc4106(gcm(aes))", key: &key, icv_bits: 128 };
        let body = message(&Sa::new(example().id, gcm));
        let aead = attribute(&body, 18).unwrap();
        assert_eq!(aead[64..72], [160u32.to_ne_bytes(), 128u32.to_ne_bytes()].concat());
        assert_eq!(aead[72..], key);
        for other in [2, 4, 20, 23] {
            assert!(attribute(&body, other).is_none());
        }
        assert_eq!(format!("{gcm:?} {TRIPLE_DES:?}"), "rfc4106(gcm(aes)) cbc(des3_ede) hmac(sha1)");
    }

    #[test]
    fn an_sa_that_goes_on_repeats_no_number_and_takes_none_again() {
        let resume = Some(Resume { sent: 7, received: 9, bytes: 100, packets: 3 });
        let body = message(&Sa { resume, ..example() });
        let window = attribute(&body, 23).unwrap();
        assert_eq!(window[4..12], [7u32.to_ne_bytes(), 9u32.to_ne_bytes()].concat());
        assert!(window[24..].iter().all(|byte| *byte == 0xff));
        assert_eq!(attribute(&body, 9).unwrap()[..16], [100u64.to_ne_bytes(), 3u64.to_ne_bytes()].concat());
        let body = message(&Sa { resume, replay_window: 0, ..example() });
        assert_eq!(attribute(&body, 10).unwrap()[..4], 7u32.to_ne_bytes());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let resume = Some(Resume { sent: 7, received: 9, bytes: 0, packets: 0 });
        let bytes = Sa { resume, ..example() }.message(0x10, 0).unwrap().to_bytes(1);
        let answer = Messages(&bytes).next().unwrap();
        let state = SaState::parse(answer.body).unwrap();
        assert_eq!((state.id, state.source), (example().id, example().source));
        assert_eq!((state.sent, state.received, state.reqid), (7, 9, 0x4857_0000));
        assert_eq!(state.id.to_string(), "0x01020304 of 10.48.67.181");
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        let long = "x".repeat(64);
        let gcm = Algorithms::Aead { name: &long, key: &[], icv_bits: 128 };
        assert!(Sa::new(example().id, gcm).message(0x10, 0).is_err());
    }
}
