//! Vendor ids: how peers announce their capabilities.

/// What a vendor id announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vendor {
    /// XAUTH, draft 06.
    Xauth,
    /// Dead peer detection, RFC 3706.
    Dpd,
    /// Cisco Unity.
    Unity,
    /// NAT traversal, RFC 3947.
    NatT,
    /// NAT traversal, draft 03.
    NatTDraft3,
    /// NAT traversal, draft 02 hashed with a newline, which is what Windows and IOS send.
    NatTDraft2Newline,
    /// NAT traversal, draft 02.
    NatTDraft2,
    /// IKE fragmentation.
    Fragmentation,
}

const TABLE: [(Vendor, &[u8]); 8] = [
    (Vendor::Xauth, &[0x09, 0x00, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12]),
    (
        Vendor::Dpd,
        &[0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00],
    ),
    (
        Vendor::Unity,
        &[0x12, 0xf5, 0xf2, 0x8c, 0x45, 0x71, 0x68, 0xa9, 0x70, 0x2d, 0x9f, 0xe2, 0x74, 0xcc, 0x01, 0x00],
    ),
    (
        Vendor::NatT,
        &[0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f],
    ),
    (
        Vendor::NatTDraft3,
        &[0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56],
    ),
    (
        Vendor::NatTDraft2Newline,
        &[0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f],
    ),
    (
        Vendor::NatTDraft2,
        &[0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48],
    ),
    (
        Vendor::Fragmentation,
        &[0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3],
    ),
];

impl Vendor {
    /// The bytes on the wire.
    pub fn bytes(self) -> &'static [u8] {
        TABLE.iter().find(|(vendor, _)| *vendor == self).map_or(&[], |(_, bytes)| bytes)
    }

    /// Recognises a vendor id. The last two bytes of Unity's and DPD's are a version; fragmentation
    /// may carry four bytes of capabilities.
    pub fn recognise(body: &[u8]) -> Option<Self> {
        TABLE
            .iter()
            .find(|(vendor, bytes)| match vendor {
                Self::Unity | Self::Dpd => body.len() == 16 && body.get(..14) == bytes.get(..14),
                Self::Fragmentation => body.len() <= 20 && body.starts_with(bytes),
                _ => body == *bytes,
            })
            .map(|(vendor, _)| *vendor)
    }
}

const fn bit(vendor: Vendor) -> u8 {
    1 << vendor as u8
}

/// The vendor ids that a peer announced in phase 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vendors(u8);

impl Vendors {
    /// Remembers a vendor id payload.
    pub fn note(&mut self, body: &[u8]) {
        self.0 |= Vendor::recognise(body).map_or(0, bit);
    }

    /// Whether it was announced.
    pub fn has(&self, vendor: Vendor) -> bool {
        self.0 & bit(vendor) != 0
    }
}
