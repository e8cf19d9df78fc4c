//! IPv4 fragmentation (RFC 791 section 3.2): `crypto ipsec fragmentation before-encryption`, so
//! that the peer need not reassemble ESP packets before it can open them.

use crate::wire::ip::{Ipv4, checksum};

/// Passes the packet in fragments of at most `mtu` bytes to `each`, in order, until `each` refuses
/// one; then it returns false. The fragments are built in `scratch`. Also false if `mtu` has no
/// room for a header and eight bytes.
pub fn fragments(
    packet: &Ipv4<'_>,
    mtu: usize,
    scratch: &mut Vec<u8>,
    mut each: impl FnMut(&Ipv4<'_>) -> bool,
) -> bool {
    // the first fragment has all options, which are at least as long as those of any other
    let room = mtu.saturating_sub(packet.header_len()) / 8 * 8;
    if room == 0 {
        return false;
    }
    let Some(field) = packet.bytes().get(6..8).and_then(|field| field.first_chunk()) else { return false };
    let field = u16::from_be_bytes(*field);
    let (flags, mut offset) = (field & 0xe000, field & 0x1fff);
    let mut pieces = packet.payload().chunks(room).peekable();
    let mut first = true;
    while let Some(piece) = pieces.next() {
        scratch.clear();
        let header = packet.bytes().get(..packet.header_len()).unwrap_or_default();
        match header.split_first_chunk::<20>() {
            Some((fixed, options)) if !first => {
                scratch.extend_from_slice(fixed);
                copied_options(options, scratch);
            }
            _ => scratch.extend_from_slice(header),
        }
        let length = scratch.len();
        let more = if pieces.peek().is_some() { 0x2000 } else { 0 };
        let field = (flags | more | (offset & 0x1fff)).to_be_bytes();
        let total = u16::try_from(length + piece.len()).unwrap_or(u16::MAX).to_be_bytes();
        put(scratch, 0, &[0x40 | (length / 4) as u8]);
        put(scratch, 2, &total);
        put(scratch, 6, &field);
        put(scratch, 10, &[0, 0]);
        let sum = checksum(scratch).to_be_bytes();
        put(scratch, 10, &sum);
        scratch.extend_from_slice(piece);
        if !Ipv4::parse(scratch).is_some_and(|view| each(&view)) {
            return false;
        }
        offset = offset.wrapping_add((piece.len() / 8) as u16);
        first = false;
    }
    true
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

/// The options that every fragment carries: those with the copied flag, padded to four bytes.
fn copied_options(mut options: &[u8], header: &mut Vec<u8>) {
    while let Some(kind) = options.first().copied() {
        let length = match (kind, options.get(1)) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(length)) if *length >= 2 => usize::from(*length),
            _ => break,
        };
        let Some((option, rest)) = options.split_at_checked(length) else { break };
        if kind & 0x80 != 0 {
            header.extend_from_slice(option);
        }
        options = rest;
    }
    header.resize(header.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::{header, protocol};

    fn split(packet: &[u8], mtu: usize) -> Option<Vec<Vec<u8>>> {
        let (mut pieces, mut scratch) = (Vec::new(), Vec::new());
        let view = Ipv4::parse(packet).unwrap();
        fragments(&view, mtu, &mut scratch, |piece| {
            pieces.push(piece.bytes().to_vec());
            true
        })
        .then_some(pieces)
    }

    fn offset_and_more(piece: &[u8]) -> (usize, bool) {
        let field = u16::from_be_bytes([piece[6], piece[7]]);
        (usize::from(field & 0x1fff) * 8, field & 0x2000 != 0)
    }

    #[test]
    fn pieces_fit_and_put_together_are_the_packet() {
        let payload: Vec<u8> = (0..3000u32).map(|byte| byte as u8).collect();
        let (a, b) = ("10.2.2.2".parse().unwrap(), "10.1.1.1".parse().unwrap());
        let mut packet = header(a, b, protocol::UDP, 0x2e, payload.len()).to_vec();
        packet.extend(&payload);
        for mtu in [28, 68, 576, 1300, 1446] {
            let pieces = split(&packet, mtu).unwrap();
            let mut whole: Vec<u8> = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                assert!(piece.len() <= mtu);
                assert_eq!(checksum(&piece[..20]), 0);
                assert_eq!(piece[1], 0x2e);
                assert_eq!(offset_and_more(piece), (whole.len(), index + 1 < pieces.len()));
                whole.extend(&piece[20..]);
            }
            assert_eq!(whole, payload, "{mtu}");
        }
        assert_eq!(split(&packet, 27), None);
    }

    #[test]
    fn a_fragment_is_fragmented_further_and_only_copied_options_go_along() {
        // router alert is copied, record route is not
        let options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0];
        let (a, b) = ("10.2.2.2".parse().unwrap(), "10.1.1.1".parse().unwrap());
        let mut packet = header(a, b, protocol::UDP, 0, options.len() + 100).to_vec();
        packet.extend(options);
        packet.extend([9; 100]);
        packet[0] = 0x48;
        // not the last fragment, at offset 80
        packet[6..8].copy_from_slice(&[0x20, 10]);
        let pieces = split(&packet, 80).unwrap();
        assert_eq!(
            pieces.iter().map(|p| offset_and_more(p)).collect::<Vec<_>>(),
            [(80, true), (128, true), (176, true)]
        );
        assert_eq!(pieces[0][20..32], options);
        assert_eq!((pieces[1][0], &pieces[1][20..24]), (0x46, &options[..4]));
        assert!(pieces.iter().all(|piece| checksum(&piece[..usize::from(piece[0] & 15) * 4]) == 0));
    }
}
