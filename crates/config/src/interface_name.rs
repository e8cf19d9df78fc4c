//! Names of interfaces, and the kind of interface that a name means.

/// What an interface is, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// A socket for an Ethernet cable, of any speed: a network card of the machine, in order or by
    /// `--map`.
    Ethernet,
    /// `GigabitEthernet0/1.20`: a VLAN on the link of the interface before the dot, if it has
    /// `encapsulation dot1Q`.
    SubInterface,
    /// `VlanN`, the untagged side of switch ports: a card by `--map`, or a bridge of several.
    Vlan,
    /// `BVIn`, `BDIn`: like [`Self::Vlan`].
    Bridge,
    /// `LoopbackN`: a link that Hubward makes.
    Loopback,
    /// `NullN`: routes by it drop packets.
    Null,
    /// `TunnelN`: does not exist here.
    Tunnel,
    /// An encapsulation of other kinds (`Virtual-PPP`, `LISP`, `nve`): does not exist here.
    Overlay,
    /// `Virtual-TemplateN`, from which tunnels are made: does not exist here.
    VirtualTemplate,
    /// `Virtual-AccessN`, which is made from a template: does not exist here.
    VirtualAccess,
    /// `DialerN`: a link of the machine only by `--map`.
    Dialer,
    /// `SerialN` and other lines: a link of the machine only by `--map`.
    Serial,
    /// `Port-channelN`: a link of the machine only by `--map` (a bond).
    PortChannel,
    /// `AsyncN`: a link of the machine only by `--map`.
    Async,
    /// `ATMn`: a link of the machine only by `--map`.
    Atm,
    /// `CellularN`: a link of the machine only by `--map`.
    Cellular,
    /// Anything else: a link of the machine only by `--map`.
    #[default]
    Hardware,
}

impl InterfaceKind {
    /// The kind of the interface with this long name.
    pub fn of(name: &str) -> Self {
        kind(name)
    }

    /// Whether the router has it, and the configuration did not make it: `no interface` does not
    /// remove it.
    pub const fn is_hardware(self) -> bool {
        match self {
            Self::Ethernet
            | Self::Serial
            | Self::Async
            | Self::Atm
            | Self::Cellular
            | Self::Hardware
            | Self::Null => true,
            Self::SubInterface
            | Self::Vlan
            | Self::Bridge
            | Self::Loopback
            | Self::Tunnel
            | Self::Overlay
            | Self::VirtualTemplate
            | Self::VirtualAccess
            | Self::Dialer
            | Self::PortChannel => false,
        }
    }

    /// Whether packets by it are encapsulated, and usually encrypted: nothing here replaces it.
    pub const fn is_tunnel(self) -> bool {
        matches!(self, Self::Tunnel | Self::Overlay)
    }

    /// Whether it exists only in software that is not implemented here, so that no link can replace
    /// it: a tunnel interface, a template for some, or what is made from one.
    pub const fn is_absent(self) -> bool {
        self.is_tunnel() || matches!(self, Self::VirtualTemplate | Self::VirtualAccess)
    }

    /// Whether several links of the machine can be its ports.
    pub const fn takes_ports(self) -> bool {
        matches!(self, Self::Vlan | Self::Bridge)
    }

    /// Whether packets can leave a router by it unencrypted: not by a loopback or a tunnel, and not
    /// into nothing.
    pub const fn is_way_out(self) -> bool {
        !self.is_tunnel() && !matches!(self, Self::Loopback | Self::Null)
    }
}

/// The kinds by their names. An abbreviation means the first that it begins.
const KINDS: [(&str, InterfaceKind); 59] = [
    ("FastEthernet", InterfaceKind::Ethernet),
    ("GigabitEthernet", InterfaceKind::Ethernet),
    ("TenGigabitEthernet", InterfaceKind::Ethernet),
    ("Ethernet", InterfaceKind::Ethernet),
    ("Serial", InterfaceKind::Serial),
    ("Loopback", InterfaceKind::Loopback),
    ("Tunnel", InterfaceKind::Tunnel),
    ("Vlan", InterfaceKind::Vlan),
    ("Dialer", InterfaceKind::Dialer),
    ("ATM", InterfaceKind::Atm),
    ("BVI", InterfaceKind::Bridge),
    ("Port-channel", InterfaceKind::PortChannel),
    ("Virtual-Template", InterfaceKind::VirtualTemplate),
    ("Cellular", InterfaceKind::Cellular),
    ("Async", InterfaceKind::Async),
    ("Null", InterfaceKind::Null),
    ("TwoGigabitEthernet", InterfaceKind::Ethernet),
    ("FiveGigabitEthernet", InterfaceKind::Ethernet),
    ("TwentyFiveGigE", InterfaceKind::Ethernet),
    ("TwentyFiveGigabitEthernet", InterfaceKind::Ethernet),
    ("FortyGigabitEthernet", InterfaceKind::Ethernet),
    ("HundredGigE", InterfaceKind::Ethernet),
    ("BDI", InterfaceKind::Bridge),
    ("Virtual-Access", InterfaceKind::VirtualAccess),
    ("Virtual-PPP", InterfaceKind::Overlay),
    ("LISP", InterfaceKind::Overlay),
    ("nve", InterfaceKind::Overlay),
    ("Multilink", InterfaceKind::Serial),
    ("MFR", InterfaceKind::Serial),
    ("BRI", InterfaceKind::Serial),
    ("POS", InterfaceKind::Serial),
    ("Hssi", InterfaceKind::Serial),
    ("Group-Async", InterfaceKind::Async),
    ("Wlan-GigabitEthernet", InterfaceKind::Hardware),
    ("Embedded-Service-Engine", InterfaceKind::Hardware),
    ("Service-Engine", InterfaceKind::Hardware),
    ("Integrated-Service-Engine", InterfaceKind::Hardware),
    ("Content-Engine", InterfaceKind::Hardware),
    ("AppGigabitEthernet", InterfaceKind::Hardware),
    ("TokenRing", InterfaceKind::Hardware),
    ("Fddi", InterfaceKind::Hardware),
    ("wlan-ap", InterfaceKind::Hardware),
    ("VirtualPortGroup", InterfaceKind::Hardware),
    ("FiftyGigE", InterfaceKind::Ethernet),
    ("FourHundredGigE", InterfaceKind::Ethernet),
    ("Tunnel-tp", InterfaceKind::Tunnel),
    ("Tunnel-Template", InterfaceKind::VirtualTemplate),
    ("CTunnel", InterfaceKind::Tunnel),
    ("Overlay", InterfaceKind::Overlay),
    ("pseudowire", InterfaceKind::Overlay),
    ("SSLVPN-VIF", InterfaceKind::Overlay),
    ("ucse", InterfaceKind::Hardware),
    ("IDS-Sensor", InterfaceKind::Hardware),
    ("Analysis-Module", InterfaceKind::Hardware),
    ("NVI", InterfaceKind::Hardware),
    ("vasileft", InterfaceKind::Hardware),
    ("vasiright", InterfaceKind::Hardware),
    ("EFM", InterfaceKind::Hardware),
    ("SM", InterfaceKind::Hardware),
];

/// Whether a name is of a kind that IOS has, as far as it is known here.
pub(crate) fn is_known(name: &str) -> bool {
    let word = word_of(name.split_once('.').map_or(name, |(root, _)| root));
    // this one has a number in its word, so no table of beginnings can have it
    word.eq_ignore_ascii_case("Dot11Radio") || KINDS.iter().any(|(known, _)| known.eq_ignore_ascii_case(word))
}

/// The word of a name before its number.
fn word_of(root: &str) -> &str {
    root.trim_end_matches(|c: char| !c.is_ascii_alphabetic())
}

/// The long name of an interface: `fa0/0`, `FastEthernet 0/0` and `FastEthernet0/0` are one.
pub fn long_name(typed: &str) -> String {
    let digits = typed.find(|character: char| character.is_ascii_digit()).unwrap_or(typed.len());
    let (kind, number) = typed.split_at(digits);
    let kind = kind.trim();
    let lower = kind.to_ascii_lowercase();
    let exact = || KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind));
    let begun = || {
        KINDS.iter().find(|(known, _)| !lower.is_empty() && known.to_ascii_lowercase().starts_with(&lower))
    };
    let found = exact().or_else(begun).map(|(known, _)| *known);
    format!("{}{number}", found.unwrap_or(kind))
}

fn kind(name: &str) -> InterfaceKind {
    let (root, part) = match name.split_once('.') {
        Some((root, _)) => (root, true),
        None => (name, false),
    };
    let word = word_of(root);
    let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind);
    let kind = known.unwrap_or(InterfaceKind::Hardware);
    match part && !kind.is_absent() {
        true => InterfaceKind::SubInterface,
        false => kind,
    }
}

/// The interface that a sub-interface is a part of: `GigabitEthernet0/1` of `GigabitEthernet0/1.20`.
pub fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(parent, _)| parent)
}

/// Whether an interface, by its long name, is one that the router has, not one that the
/// configuration made: `no interface` does not remove it.
pub fn is_hardware(name: &str) -> bool {
    InterfaceKind::of(name).is_hardware()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_of_the_kind_that_its_name_means() {
        use InterfaceKind::*;
        for (typed, long, kind) in [
            ("fa0/0", "FastEthernet0/0", Ethernet),
            ("gi 0/0/1", "GigabitEthernet0/0/1", Ethernet),
            ("e0", "Ethernet0", Ethernet),
            ("te1/1", "TenGigabitEthernet1/1", Ethernet),
            ("TwentyFiveGigE1/0/1", "TwentyFiveGigE1/0/1", Ethernet),
            ("hu1/0/1", "HundredGigE1/0/1", Ethernet),
            ("gi0/1.20", "GigabitEthernet0/1.20", SubInterface),
            ("po1.30", "Port-channel1.30", SubInterface),
            ("s0/0/0:15", "Serial0/0/0:15", Serial),
            ("lo0", "Loopback0", Loopback),
            ("tu7", "Tunnel7", Tunnel),
            ("tunnel7", "Tunnel7", Tunnel),
            ("vl1", "Vlan1", Vlan),
            ("di1", "Dialer1", Dialer),
            ("atm0/0.1", "ATM0/0.1", SubInterface),
            ("bvi1", "BVI1", Bridge),
            ("bdi20", "BDI20", Bridge),
            ("po1", "Port-channel1", PortChannel),
            ("virtual-template2", "Virtual-Template2", VirtualTemplate),
            ("vi2", "Virtual-Template2", VirtualTemplate),
            ("Virtual-Access2", "Virtual-Access2", VirtualAccess),
            ("Virtual-PPP1", "Virtual-PPP1", Overlay),
            ("lisp0.5", "LISP0.5", Overlay),
            ("nve1", "nve1", Overlay),
            ("ce0/0/0", "Cellular0/0/0", Cellular),
            ("a1", "ATM1", Atm),
            ("as1", "Async1", Async),
            ("nu0", "Null0", Null),
            ("Wlan-GigabitEthernet8", "Wlan-GigabitEthernet8", Hardware),
            ("Dot11Radio0", "Dot11Radio0", Hardware),
            ("Something9", "Something9", Hardware),
            ("FiftyGigE1/0/1", "FiftyGigE1/0/1", Ethernet),
            ("CTunnel1", "CTunnel1", Tunnel),
            ("Tunnel-tp1", "Tunnel-tp1", Tunnel),
            ("pseudowire1", "pseudowire1", Overlay),
        ] {
            assert_eq!(long_name(typed), long, "{typed}");
            assert_eq!(InterfaceKind::of(&long_name(typed)), kind, "{typed}");
        }
        assert_eq!(parent("GigabitEthernet0/1.20"), Some("GigabitEthernet0/1"));
        assert_eq!(parent("Loopback0"), None);
    }

    #[test]
    fn an_interface_of_no_known_kind_is_told() {
        for (line, known) in [
            ("interface FastEthernet0/0", true),
            ("interface Gi0/0/1.20", true),
            ("interface Dot11Radio0", true),
            ("interface FastEthrnet0/0", false),
            ("interface Foo0", false),
            ("no interface Foo0", true),
        ] {
            let told = crate::parse(&format!("{line}\n")).diagnostics;
            let told = told.iter().any(|told| told.message.contains("of no kind"));
            assert_eq!(told, !known, "{line}");
        }
    }
}
