//! Numbers of the protocol, and those that identify Hubward's own objects.

pub(super) const NEWSA: u16 = 0x10;
pub(super) const DELSA: u16 = 0x11;
pub(super) const GETSA: u16 = 0x12;
pub(super) const NEWPOLICY: u16 = 0x13;
pub(super) const DELPOLICY: u16 = 0x14;
pub(super) const GETPOLICY: u16 = 0x15;
pub(super) const ACQUIRE: u16 = 0x17;
pub(super) const EXPIRE: u16 = 0x18;
pub(super) const UPDPOLICY: u16 = 0x19;
pub(super) const MAPPING: u16 = 0x26;

/// `XFRM_INF`: no limit.
pub(super) const UNLIMITED: u64 = u64::MAX;

/// Request numbers of Hubward's SAs and of its policies' templates ("HW" in the upper half).
#[derive(Debug, Clone, Copy)]
pub struct Reqids;

impl Reqids {
    /// Every SA of Hubward's. The SPI says which policy leads into which SA; the number says that
    /// it is Hubward's.
    pub const SA: u32 = 0x4857_0000;
    /// The first number of templates that no SA matches: they make the kernel send an acquire. Each
    /// has a different number, because the kernel sends one acquire for all templates that it
    /// cannot distinguish.
    pub const ASK: u32 = 0x4857_0001;
    /// The last.
    pub const LAST: u32 = 0x4857_ffff;

    /// Whether a request number is Hubward's.
    pub const fn are_ours(reqid: u32) -> bool {
        reqid >= Self::SA && reqid <= Self::LAST
    }
}

/// Priorities of Hubward's policies; a policy with a lower one is asked first.
#[derive(Debug, Clone, Copy)]
pub struct Priorities;

impl Priorities {
    /// The first.
    pub const FIRST: u32 = 0x4800_0000;
    /// The last.
    pub const LAST: u32 = 0x48ff_ffff;

    /// Whether a priority is Hubward's.
    pub const fn are_ours(priority: u32) -> bool {
        priority >= Self::FIRST && priority <= Self::LAST
    }
}
