//! The structures that SAs, policies and events have in common (linux/xfrm.h). They are written and
//! read field by field; the offsets are those of 64-bit systems, where `__u64` is aligned to eight
//! bytes.

use super::selector::Selector;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// `struct xfrm_selector`.
pub(super) const SELECTOR: usize = 56;
/// `struct xfrm_id`, with its padding.
pub(super) const ID: usize = 24;
/// `struct xfrm_lifetime_cfg`.
pub(super) const LIMITS: usize = 64;
/// `struct xfrm_lifetime_cur`.
pub(super) const CARRIED: usize = 32;

const FAMILY: u16 = libc::AF_INET as u16;

/// Appends to a structure under construction.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_ne_bytes())
    }

    pub(super) fn u16_be(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_ne_bytes())
    }

    pub(super) fn u32_be(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_ne_bytes())
    }

    /// `xfrm_address_t`: sixteen bytes; IPv4 uses the first four.
    pub(super) fn address(self, address: Ipv4Addr) -> Self {
        self.bytes(&address.octets()).bytes(&[0; 12])
    }

    pub(super) fn family(self) -> Self {
        self.u16(FAMILY)
    }

    /// Zeros up to this length.
    pub(super) fn pad(mut self, length: usize) -> Self {
        self.0.resize(length, 0);
        self
    }

    pub(super) fn selector(self, selector: &Selector) -> Self {
        let port = |writer: Self, port: Option<u16>| {
            writer.u16_be(port.unwrap_or(0)).u16(if port.is_some() { u16::MAX } else { 0 })
        };
        let end = self.0.len() + SELECTOR;
        let writer = self.address(selector.destination.network()).address(selector.source.network());
        let writer = port(port(writer, selector.destination_port), selector.source_port);
        let writer = writer
            .family()
            .u8(selector.destination.prefix_len())
            .u8(selector.source.prefix_len())
            .u8(selector.protocol.unwrap_or(0));
        let interface = end - 8;
        writer.pad(interface).u32(selector.interface).pad(end)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields by their offsets; what is not there is `None`.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    pub(super) fn u16_be(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    pub(super) fn u32_be(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(super) fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_ne_bytes)
    }

    pub(super) fn address(self, at: usize) -> Option<Ipv4Addr> {
        self.array::<4>(at).map(Ipv4Addr::from)
    }

    /// The bytes after an offset.
    pub(super) fn from(self, at: usize) -> Option<Reader<'a>> {
        self.0.get(at..).map(Reader)
    }

    /// `None` for a selector of another family, too.
    pub(super) fn selector(self, at: usize) -> Option<Selector> {
        let bytes = self.from(at)?;
        let port = |at: usize| Some((bytes.u16(at + 2)? != 0).then_some(bytes.u16_be(at)?));
        (bytes.u16(40)? == FAMILY).then_some(())?;
        Some(Selector {
            destination: Ipv4Net::new(bytes.address(0)?, bytes.u8(42)?).ok()?.trunc(),
            source: Ipv4Net::new(bytes.address(16)?, bytes.u8(43)?).ok()?.trunc(),
            destination_port: port(32)?,
            source_port: port(36)?,
            protocol: Some(bytes.u8(44)?).filter(|protocol| *protocol != 0),
            interface: bytes.u32(48)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Held against `offsetof` of linux/xfrm.h on x86-64.
    #[test]
    fn a_selector_is_laid_out_as_the_kernel_wants_it() {
        let selector = Selector {
            protocol: Some(6),
            source_port: Some(0x1234),
            interface: 7,
            ..Selector::between("10.1.0.0/16".parse().unwrap(), "10.2.2.0/24".parse().unwrap())
        };
        let bytes = Writer::default().selector(&selector).finish();
        let mut expected = [0u8; 56];
        expected[..4].copy_from_slice(&[10, 2, 2, 0]);
        expected[16..20].copy_from_slice(&[10, 1, 0, 0]);
        expected[36..40].copy_from_slice(&[0x12, 0x34, 0xff, 0xff]);
        expected[40..42].copy_from_slice(&2u16.to_ne_bytes());
        expected[42..45].copy_from_slice(&[24, 16, 6]);
        expected[48..52].copy_from_slice(&7u32.to_ne_bytes());
        assert_eq!(bytes, expected);
        assert_eq!(Reader(&bytes).selector(0), Some(selector));
        assert_eq!(Reader(&bytes[..51]).selector(0), None);
    }
}
