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
/// The bits of a firewall mark that carry the number of what policy routing decided; 0 is nothing.
pub const POLICY_MASK: u32 = 0x0ff0_0000;
/// Where these bits begin.
pub const POLICY_SHIFT: u32 = 20;
/// The priority of the rule by which Hubward's own packets pass by what is captured of decisions. That of
/// the rules that lead packets of a decision to what is captured of them follows, and then that of the
/// rules that lead them its way. All come before the rules that capture everything else.
pub const POLICY_PRIORITY: u32 = 11_089;
/// The routing tables with the ways of decisions: this one and the decision's number.
pub const POLICY_TABLE: u32 = 11_200;
/// The routing tables with what is captured of decisions: this one and the decision's number.
pub const POLICY_CAPTURE_TABLE: u32 = 11_500;
const MOST_DECISIONS: u32 = POLICY_MASK >> POLICY_SHIFT;
/// Whether a routing table belongs to policy routing.
pub const fn is_policy_table(table: u32) -> bool {
    table > POLICY_TABLE && table <= POLICY_TABLE + MOST_DECISIONS
        || table > POLICY_CAPTURE_TABLE && table <= POLICY_CAPTURE_TABLE + MOST_DECISIONS
}
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
