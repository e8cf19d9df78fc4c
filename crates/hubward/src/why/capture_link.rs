//! The IPv4 packet of a captured frame: what is in front of it by the capture's link type.

use pcap_parser::Linktype;

/// Link types (tcpdump.org/linktypes.html) that the reader's library does not name.
const PPP: Linktype = Linktype(9);
const PPP_HDLC: Linktype = Linktype(50);
const PPP_ETHER: Linktype = Linktype(51);
/// EtherTypes.
const IPV4: u16 = 0x0800;
const PPPOE_SESSION: u16 = 0x8864;
/// 802.1Q, 802.1ad, and what was used for the outer tag before 802.1ad.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// IPv4 in PPP (RFC 1332 section 2.1).
const PPP_IPV4: [u8; 2] = [0, 0x21];
const PPP_IPV4_COMPRESSED: [u8; 1] = [0x21];

/// A link type whose frames are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported(pub(super) i32);

/// The IPv4 packet of a frame, if it has one.
pub(super) fn packet(kind: Linktype, frame: &[u8]) -> Result<Option<&[u8]>, Unsupported> {
    Ok(match kind {
        Linktype::ETHERNET => frame.get(12..).and_then(behind_ether_type),
        Linktype::LINUX_SLL => frame.get(14..).and_then(behind_ether_type),
        Linktype::LINUX_SLL2 => {
            let kind = frame.first_chunk::<2>().map(|kind| u16::from_be_bytes(*kind));
            kind.zip(frame.get(20..)).and_then(|(kind, rest)| behind(kind, rest))
        }
        Linktype::NULL | Linktype::LOOP => frame.get(4..),
        PPP | PPP_HDLC => behind_ppp(frame),
        PPP_ETHER => behind_pppoe(frame),
        Linktype::RAW | Linktype::IPV4 => Some(frame),
        // what some systems write for raw IP
        Linktype(12 | 14) => Some(frame),
        Linktype(other) => return Err(Unsupported(other)),
    })
}

fn behind_ether_type(rest: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = rest.split_first_chunk::<2>()?;
    behind(u16::from_be_bytes(*kind), rest)
}

/// What follows an EtherType, after any VLAN tags and the headers of PPPoE.
fn behind(mut kind: u16, mut rest: &[u8]) -> Option<&[u8]> {
    // two tags are the most there are
    for _ in 0..3 {
        match kind {
            IPV4 => return Some(rest),
            PPPOE_SESSION => return behind_pppoe(rest),
            tag if VLAN.contains(&tag) => {
                let ([_, _, high, low], behind) = rest.split_first_chunk::<4>()?;
                kind = u16::from_be_bytes([*high, *low]);
                rest = behind;
            }
            _ => return None,
        }
    }
    None
}

/// Behind the header of PPPoE (RFC 2516 section 4): version and type 1, code 0 in a session. Its
/// length is not needed, because the IP header has one.
fn behind_pppoe(rest: &[u8]) -> Option<&[u8]> {
    match rest.split_first_chunk::<6>()? {
        ([0x11, 0, ..], ppp) => behind_ppp(ppp),
        _ => None,
    }
}

/// Behind the header of PPP, which may have HDLC's address and control field, and whose protocol
/// may be compressed to one byte (RFC 1661 section 6.5).
fn behind_ppp(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(&[0xff, 0x03]).unwrap_or(rest);
    let compressed = rest.strip_prefix(&PPP_IPV4_COMPRESSED);
    compressed.or_else(|| rest.strip_prefix(&PPP_IPV4))
}
