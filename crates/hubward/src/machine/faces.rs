//! How the interfaces of a configuration stand on this machine: as a card, as a link that Hubward
//! makes, or not at all. Pure.

use hubward_config::model::{Config, Encapsulation, Interface, InterfaceKind};
use hubward_config::parent;
use hubward_linux::marks::INTERFACE_PREFIX;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// The kernel's loopback link. Where the kernel has no dummy links, the addresses of loopback
/// interfaces are on it.
pub(crate) const LOOPBACK: &str = "lo";

/// The Linux names of the configuration's interfaces.
pub(crate) type Names = BTreeMap<String, String>;

/// The links of this machine that interfaces got by `--map`, or in order: one, or the ports of a
/// bridge.
pub(crate) type Cards = BTreeMap<String, Vec<String>>;

/// A link that Hubward makes for an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MadeLink {
    /// For a loopback interface: a link that leads nowhere.
    Dummy,
    /// For a sub-interface: the frames of another link with this VLAN's tag.
    Vlan {
        /// The name of the other link.
        parent: String,
        /// The number in the tag.
        vlan: u16,
    },
    /// For an interface with several cards: a switch.
    Bridge {
        /// The names of the cards.
        ports: Vec<String>,
    },
}

/// The links that Hubward makes, by name.
pub(crate) type MadeLinks = BTreeMap<String, MadeLink>;

/// The kinds of links that the kernel can make, of those that not every kernel can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// For loopback interfaces.
    pub(crate) dummies: bool,
    /// For sub-interfaces.
    pub(crate) vlans: bool,
}

impl Kinds {
    /// All of them.
    pub(crate) const ALL: Self = Self { dummies: true, vlans: true };
}

/// The links of a configuration's interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faces {
    /// Those that were given.
    pub(crate) cards: Cards,
    /// The name of the link of each interface that has one.
    pub(crate) names: Names,
    /// Those that are made.
    pub(crate) made: MadeLinks,
}

impl Faces {
    /// The links of a configuration's interfaces, of which some have cards.
    pub(crate) fn of(config: &Config, cards: Cards, kinds: Kinds) -> Self {
        let mut faces = Self { cards, ..Self::default() };
        // a sub-interface may come before its parent
        let (parts, whole): (Vec<_>, Vec<_>) =
            config.interfaces.iter().partition(|one| one.kind == InterfaceKind::SubInterface);
        for interface in whole.into_iter().chain(parts) {
            let Some((name, made)) = faces.face(interface, kinds) else { continue };
            if let Some(made) = made {
                faces.made.insert(name.clone(), made);
            }
            faces.names.insert(interface.name.clone(), name);
        }
        faces
    }

    /// The link of an interface, and how it is made if it is.
    fn face(&self, interface: &Interface, kinds: Kinds) -> Option<(String, Option<MadeLink>)> {
        match self.cards.get(&interface.name).map(Vec::as_slice) {
            Some([card]) => return Some((card.clone(), None)),
            Some(ports) if interface.kind.takes_ports() && !ports.is_empty() => {
                let made = MadeLink::Bridge { ports: ports.to_vec() };
                return Some((own_name("br", interface), Some(made)));
            }
            _ if interface.shutdown => return None,
            _ => {}
        }
        match (interface.kind, interface.encapsulation) {
            (InterfaceKind::Loopback, _) => match kinds.dummies {
                true => Some((own_name("lo", interface), Some(MadeLink::Dummy))),
                false => Some((LOOPBACK.to_string(), None)),
            },
            (InterfaceKind::SubInterface, Some(Encapsulation { vlan, native })) => {
                let parent = self.names.get(parent(&interface.name)?)?.clone();
                match native {
                    true => Some((parent, None)),
                    false if kinds.vlans => {
                        Some((own_name("v", interface), Some(MadeLink::Vlan { parent, vlan })))
                    }
                    false => None,
                }
            }
            // nothing is made of the others
            _ => None,
        }
    }
}

/// The name of a link that is made: `hubwardlo0` of Loopback0, `hubwardv4` of the sub-interface
/// that is the configuration's fourth interface. A link's name has at most 15 characters.
fn own_name(word: &str, interface: &Interface) -> String {
    let digits = interface.name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = interface.number;
    match interface.kind {
        InterfaceKind::Loopback | InterfaceKind::Vlan if digits.len() <= 5 => {
            format!("{INTERFACE_PREFIX}{word}{digits}")
        }
        InterfaceKind::SubInterface => format!("{INTERFACE_PREFIX}{word}{number}"),
        // the number among the interfaces is not the one of its name
        _ => format!("{INTERFACE_PREFIX}{word}n{number}"),
    }
}

/// An address as it is set on a link. On `lo` the kernel would take all of a network for its own.
pub(crate) fn on_link(link: &str, net: IpNet) -> IpNet {
    match link == LOOPBACK {
        true => IpNet::from(net.addr()),
        false => net,
    }
}

/// Whether several interfaces have this link: `lo` of loopback interfaces, or a card whose untagged
/// frames are a sub-interface's. Such an interface has only the addresses that the configuration
/// gives it.
pub(crate) fn is_shared(names: &Names, link: &str) -> bool {
    link == LOOPBACK || names.values().filter(|name| *name == link).take(2).count() == 2
}

/// Whether an interface decides if its link is up: not one whose parent has the same link, and
/// nobody shuts `lo`.
pub(crate) fn turns_link(names: &Names, interface: &Interface) -> bool {
    let Some(link) = names.get(&interface.name) else { return false };
    let is_parents = || {
        let parent = parent(&interface.name).and_then(|parent| names.get(parent));
        parent == Some(link)
    };
    link != LOOPBACK && !is_parents()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faces(text: &str, cards: &[(&str, &[&str])], dummies: bool) -> Faces {
        let cards = cards
            .iter()
            .map(|(ios, links)| ((*ios).to_string(), links.iter().map(|link| (*link).to_string()).collect()));
        let kinds = Kinds { dummies, vlans: true };
        Faces::of(&hubward_config::parse(text).config, cards.collect(), kinds)
    }

    fn shown(faces: &Faces) -> Vec<String> {
        let made = |link: &String| match faces.made.get(link) {
            None => String::new(),
            Some(made) => format!(" {made:?}"),
        };
        faces.names.iter().map(|(ios, link)| format!("{ios}={link}{}", made(link))).collect()
    }

    #[test]
    fn a_kernel_without_vlans_leaves_the_tagged_ones_out() {
        let text = "interface FastEthernet0/0.20\n encapsulation dot1Q 20\n\
            interface FastEthernet0/0.1\n encapsulation dot1Q 1 native\ninterface FastEthernet0/0\n";
        let config = hubward_config::parse(text).config;
        let cards = || Cards::from([("FastEthernet0/0".to_string(), vec!["eth0".to_string()])]);
        let all = shown(&Faces::of(&config, cards(), Kinds::ALL));
        let tagged = "FastEthernet0/0.20=hubwardv0 Vlan { parent: \"eth0\", vlan: 20 }";
        assert_eq!(all, ["FastEthernet0/0=eth0", "FastEthernet0/0.1=eth0", tagged]);
        let some = shown(&Faces::of(&config, cards(), Kinds { vlans: false, ..Kinds::ALL }));
        assert_eq!(some, all[..2]);
    }

    #[test]
    fn each_kind_of_interface_gets_its_link() {
        let outside = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n";
        let card: &[(&str, &[&str])] = &[("GigabitEthernet0/0", &["eth0"])];
        // the configuration, whether there are dummy links, and the links besides eth0
        type Row<'a> = (&'a str, &'a [(&'a str, &'a [&'a str])], bool, &'a [&'a str]);
        let rows: &[Row] = &[
            ("interface Loopback0\n", &[], true, &["Loopback0=hubwardlo0 Dummy"]),
            ("interface Loopback0\n", &[], false, &["Loopback0=lo"]),
            ("interface Loopback0\n", &[("Loopback0", &["eth7"])], true, &["Loopback0=eth7"]),
            ("interface Loopback0\n shutdown\n", &[], true, &[]),
            ("interface Loopback2147483647\n", &[], true, &["Loopback2147483647=hubwardlon1 Dummy"]),
            ("interface Vlan1\n ip address 10.1.1.1 255.255.255.0\n", &[], true, &[]),
            ("interface Vlan1\n", &[("Vlan1", &["eth1"])], true, &["Vlan1=eth1"]),
            (
                "interface Vlan1\n",
                &[("Vlan1", &["eth1", "eth2"])],
                true,
                &["Vlan1=hubwardbr1 Bridge { ports: [\"eth1\", \"eth2\"] }"],
            ),
            (
                "interface BVI7\n",
                &[("BVI7", &["eth1", "eth2"])],
                true,
                &["BVI7=hubwardbrn1 Bridge { ports: [\"eth1\", \"eth2\"] }"],
            ),
            // nothing is made of what is not given
            ("interface Dialer1\n ip address negotiated\n", &[], true, &[]),
            ("interface Dialer1\n", &[("Dialer1", &["ppp0"])], true, &["Dialer1=ppp0"]),
            ("interface Tunnel7\n ip address 10.7.0.1 255.255.255.0\n", &[], true, &[]),
            ("interface GigabitEthernet0/0.20\n ip address 10.1.1.1 255.255.255.0\n", &[], true, &[]),
        ];
        for (text, more, dummies, wanted) in rows {
            let cards = [card, more].concat();
            let mut found = shown(&faces(&format!("{outside}{text}"), &cards, *dummies));
            found.retain(|line| line != "GigabitEthernet0/0=eth0");
            assert_eq!(found, *wanted, "{text}");
        }
    }
}
