//! Names of interfaces.

/// The long name of an interface: `fa0/0`, `FastEthernet 0/0` and `FastEthernet0/0` are one.
pub fn long_name(typed: &str) -> String {
    const KINDS: [&str; 16] = [
        "FastEthernet",
        "GigabitEthernet",
        "TenGigabitEthernet",
        "Ethernet",
        "Serial",
        "Loopback",
        "Tunnel",
        "Vlan",
        "Dialer",
        "ATM",
        "BVI",
        "Port-channel",
        "Virtual-Template",
        "Cellular",
        "Async",
        "Null",
    ];
    let digits = typed.find(|character: char| character.is_ascii_digit()).unwrap_or(typed.len());
    let (kind, number) = typed.split_at(digits);
    let kind = kind.trim();
    let lower = kind.to_ascii_lowercase();
    let found =
        KINDS.iter().find(|known| !lower.is_empty() && known.to_ascii_lowercase().starts_with(&lower));
    format!("{}{number}", found.copied().unwrap_or(kind))
}

/// Whether an interface, by its long name, is one that the router has, not one that the
/// configuration made: `no interface` does not remove it.
pub fn is_hardware(name: &str) -> bool {
    const MADE: [&str; 7] =
        ["Loopback", "Tunnel", "Vlan", "Dialer", "BVI", "Port-channel", "Virtual-Template"];
    !name.contains('.') && !MADE.iter().any(|kind| name.starts_with(kind))
}
