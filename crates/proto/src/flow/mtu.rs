//! How long an inner packet may be.

use crate::esp::sa::Mode;
use crate::ike::path::Encapsulation;
use hubward_crypto::esp::HEADER_LEN;
use hubward_crypto::suite::EspSuite;

/// Bytes of the longest inner packet whose ESP packet fits into `path_mtu` bytes over IPv4 (`plaintext mtu` of
/// `show crypto ipsec sa`).
pub fn plaintext_mtu(suite: EspSuite, mode: Mode, encapsulation: Encapsulation, path_mtu: usize) -> usize {
    let udp = match encapsulation {
        Encapsulation::Native => 0,
        Encapsulation::Udp => 8,
    };
    let outside = 20 + udp + HEADER_LEN + suite.cipher().iv_len() + suite.icv_len();
    let room = path_mtu.saturating_sub(outside);
    let blocks = room - room % suite.cipher().block_len();
    // pad length and next header are inside; in transport mode the inner IP header stays outside
    let inner_header = match mode {
        Mode::Tunnel => 0,
        Mode::Transport => 20,
    };
    blocks.saturating_sub(2) + inner_header
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_crypto::suite::{EspAuth, EspCipher};

    /// 3DES with SHA-1 in tunnel mode at 1500 bytes: 1446, as IOS shows.
    #[test]
    fn the_reference_suite() {
        let suite = EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap();
        assert_eq!(plaintext_mtu(suite, Mode::Tunnel, Encapsulation::Native, 1500), 1446);
        assert_eq!(plaintext_mtu(suite, Mode::Tunnel, Encapsulation::Udp, 1500), 1438);
    }
}
