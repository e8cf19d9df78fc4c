//! By which marks, numbers and names Hubward knows what is its own on a machine.

/// Protocol number of Hubward's routes, rules and addresses (`ip route show proto 111`).
pub const PROTOCOL: u8 = 111;
/// Firewall mark of Hubward's own sockets, so that its IKE and ESP packets are not captured by its
/// own table ("HW").
pub const FWMARK: u32 = 0x4857;
/// Firewall mark of what Hubward sends unencrypted: its lower half exempts it from capture, as
/// [`FWMARK`] does, and the rest distinguishes it from IKE and ESP, the only packets that the guard
/// ignores.
pub const CLEAR_MARK: u32 = 0x1_0000 | FWMARK;
/// The bits of a firewall mark that keep a packet from being captured.
pub const CAPTURE_MASK: u32 = 0xffff;
/// Routing table of the prefixes that are captured whatever the source of a packet is.
pub const TABLE: u32 = 11_100;
/// The routing tables of captured prefixes: [`TABLE`], and one for each set of sources.
pub const CAPTURE_TABLES: std::ops::Range<u32> = TABLE..TABLE + 80;
/// First of the priorities of Hubward's routing rules.
pub const RULE_PRIORITY: u32 = 11_100;
/// How many priorities, and how many tables, are Hubward's.
pub const RANGE: u32 = 100;
/// Start of the name of every interface that Hubward makes.
pub const INTERFACE_PREFIX: &str = "hubward";
/// Whether something was made or was there before; what was there is adopted and never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was created by this call: the caller that created it removes it.
    New,
    /// It was there already.
    AlreadyThere,
}
