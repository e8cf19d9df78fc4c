//! The maximum length of an inner packet, and of a packet on the path of an SA.

use crate::path::{Encapsulation, Mode};
use crate::time::Instant;
use hubward_crypto::esp::HEADER_LEN;
use hubward_crypto::suite::EspSuite;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

/// The MTU in bytes of a link whose MTU is not known.
pub const LINK: u16 = 1500;
/// Minimum path MTU in bytes, whatever a router reports: every host must accept this length (RFC
/// 791).
pub const FLOOR: u16 = 576;
/// How many seconds a router's report is valid (RFC 1191 section 6.3).
pub const AGE: u64 = 600;

/// Bytes of the longest inner packet whose ESP packet fits into `path_mtu` bytes over IPv4
/// (`plaintext mtu` of `show crypto ipsec sa`).
pub fn plaintext_mtu(suite: EspSuite, mode: Mode, encapsulation: Encapsulation, path_mtu: usize) -> usize {
    let udp = match encapsulation {
        Encapsulation::Native => 0,
        Encapsulation::Udp => 8,
    };
    let outside = 20 + udp + HEADER_LEN + suite.cipher().iv_len() + suite.icv_len();
    let room = path_mtu.saturating_sub(outside);
    let blocks = room - room % suite.cipher().block_len();
    // pad length and next header are encrypted; in transport mode the inner IP header is not
    let inner_header = match mode {
        Mode::Tunnel => 0,
        Mode::Transport => 20,
    };
    blocks.saturating_sub(2) + inner_header
}

/// The MTU of an SA's path: the link's, or less while a router's report is valid.
#[derive(Debug)]
pub struct PathMtu {
    link: AtomicU16,
    /// The upper 16 bits are the MTU in bytes; the lower ones are the second in which it expires.
    learned: AtomicU64,
}

impl PathMtu {
    const SECONDS: u64 = (1 << 48) - 1;

    /// Only the MTU of the link is known.
    pub fn new(link: u16) -> Self {
        Self { link: AtomicU16::new(link), learned: AtomicU64::new(0) }
    }

    /// Sets the MTU of the outgoing link.
    pub fn set_link(&self, link: u16) {
        self.link.store(link, Ordering::Relaxed);
    }

    /// Forgets what routers reported, because the path has changed.
    pub fn forget(&self) {
        self.learned.store(0, Ordering::Relaxed);
    }

    /// The current maximum length of a packet in bytes, IP header included.
    pub fn get(&self, now: Instant) -> usize {
        let link = self.link.load(Ordering::Relaxed);
        let learned = self.learned.load(Ordering::Relaxed);
        let holds = learned & Self::SECONDS > now.since_origin().as_secs();
        usize::from(if holds { link.min((learned >> 48) as u16) } else { link })
    }

    /// Learns that a router forwards at most `mtu` bytes; true if that is new. The result is never
    /// below [`FLOOR`].
    pub fn learn(&self, now: Instant, mtu: u16) -> bool {
        let mtu = mtu.max(FLOOR);
        let less = usize::from(mtu) < self.get(now);
        if less {
            let until = (now.since_origin().as_secs() + AGE) & Self::SECONDS;
            self.learned.store(u64::from(mtu) << 48 | until, Ordering::Relaxed);
        }
        less
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_crypto::suite::{EspAuth, EspCipher};
    use std::time::Duration;

    /// 3DES with SHA-1 in tunnel mode at 1500 bytes: 1446, as IOS shows.
    #[test]
    fn the_reference_suite() {
        let suite = EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap();
        assert_eq!(plaintext_mtu(suite, Mode::Tunnel, Encapsulation::Native, 1500), 1446);
        assert_eq!(plaintext_mtu(suite, Mode::Tunnel, Encapsulation::Udp, 1500), 1438);
    }

    #[test]
    fn a_path_mtu_shrinks_to_the_floor_at_most_and_ages_out() {
        let mtu = PathMtu::new(1500);
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        assert_eq!(mtu.get(at(0)), 1500);
        assert!(mtu.learn(at(5), 1300));
        assert_eq!(mtu.get(at(6)), 1300);
        assert!(!mtu.learn(at(7), 1400), "it grows by age only");
        assert!(mtu.learn(at(8), 68));
        assert_eq!(mtu.get(at(8 + AGE - 1)), usize::from(FLOOR));
        assert_eq!(mtu.get(at(8 + AGE)), 1500);
        assert!(mtu.learn(at(1000), 1300));
        mtu.set_link(1200);
        assert_eq!(mtu.get(at(1000)), 1200, "the link is the limit too");
        mtu.forget();
        mtu.set_link(1500);
        assert_eq!(mtu.get(at(1000)), 1500);
    }
}
