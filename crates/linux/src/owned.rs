//! The marks by which Hubward knows its own: whatever it makes in the kernel carries one of these.

/// Protocol number of Hubward's routes and rules (`ip route show proto 111`); rtnetlink(7) leaves it to user programs.
pub const PROTOCOL: u8 = 111;
/// Firewall mark of Hubward's own sockets, so that its IKE and ESP packets are not captured by its own table ("HW").
pub const FWMARK: u32 = 0x4857;
/// Routing table of the captured prefixes (the proxies) of the global routing instance. VRFs count up from here.
pub const TABLE: u32 = 11_100;
/// Priority of the rule that sends Hubward's own marked packets past [`TABLE`].
pub const RULE_PRIORITY_EXEMPT: u32 = 11_100;
/// Priority of the rule that looks [`TABLE`] up.
pub const RULE_PRIORITY_CAPTURE: u32 = 11_110;
/// Start of the name of every interface that Hubward makes.
pub const INTERFACE_PREFIX: &str = "hubward";
