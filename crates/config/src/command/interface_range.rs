//! `interface range`: the lines below it are those of several interfaces.

use super::interface::open;
use super::mode::In;
use super::row::{Fold, No, Row, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::interface_name::long_name;

pub(super) const ROWS: &[Row] =
    &[fold(In::Global, "interface range", "<LINE:members>", range).no(No::DefaultEmpties)];

/// Interfaces of one range.
const MOST: usize = 256;

fn range(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let members = given.text("members").and_then(members);
    let members = members.ok_or_else(|| given.problem("members", "interfaces, as in `Vlan1 - 4`"))?;
    open(fold, members).map_err(|expected| given.problem("members", expected))
}

/// The interfaces that `interface range` names: `GigabitEthernet0/1 - 3 , Vlan1`. `None` if it names
/// none, or far too many.
pub(crate) fn members(text: &str) -> Option<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    let text: String = text.split_whitespace().collect();
    for part in text.split(',') {
        let (first, last) = match dash(part) {
            Some((first, last)) => (first, Some(last)),
            None => (part, None),
        };
        let digits = first.len() - first.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, number) = first.split_at_checked(first.len() - digits)?;
        let from: usize = number.parse().ok()?;
        let to = match last {
            // the end may be a whole name, or the end of one: `Gi0/1 - Gi0/3`, `Gi0/1 - 0/3`
            Some(last) => {
                let to = last.rsplit(|c: char| !c.is_ascii_digit()).next()?;
                let before = last.get(..last.len() - to.len())?;
                let is_the_same = match before.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    true => long_name(&format!("{before}{number}")) == long_name(first),
                    false => stem.ends_with(before),
                };
                if !is_the_same {
                    return None;
                }
                to.parse().ok()?
            }
            None => from,
        };
        if !stem.starts_with(|c: char| c.is_ascii_alphabetic()) || to < from || to - from >= MOST {
            return None;
        }
        for number in from..=to {
            let name = long_name(&format!("{stem}{number}"));
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    (1..=MOST).contains(&out.len()).then_some(out)
}

/// The two ends of a range. `Port-channel` has a dash of its own.
fn dash(part: &str) -> Option<(&str, &str)> {
    part.match_indices('-').find_map(|(place, _)| {
        let (first, last) = (part.get(..place)?, part.get(place + 1..)?);
        first.ends_with(|c: char| c.is_ascii_digit()).then_some((first, last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_range_names() {
        for (text, names) in [
            ("G0/1 - 3", "GigabitEthernet0/1 GigabitEthernet0/2 GigabitEthernet0/3"),
            ("g0/1-2,fa0/0", "GigabitEthernet0/1 GigabitEthernet0/2 FastEthernet0/0"),
            ("gigabitEthernet 0/1 -2 , gi 0/2", "GigabitEthernet0/1 GigabitEthernet0/2"),
            ("vlan 1 - 2", "Vlan1 Vlan2"),
            ("Port-channel1 - 2", "Port-channel1 Port-channel2"),
            ("Gi0/1 - 0/2", "GigabitEthernet0/1 GigabitEthernet0/2"),
            ("Gi0/1 - GigabitEthernet 0/2", "GigabitEthernet0/1 GigabitEthernet0/2"),
            ("fa0/0.10 - fa0/0.11", "FastEthernet0/0.10 FastEthernet0/0.11"),
        ] {
            assert_eq!(members(text).map(|names| names.join(" ")).as_deref(), Some(names), "{text}");
        }
        for text in [
            "",
            "macro USERS",
            "Vlan",
            "Vlan4 - 1",
            "Vlan1 - 99999",
            "1 - 3",
            "Vlan1 -",
            "Gi0/1 - Gi1/3",
            "Vlan1 - Gi0/5",
            "Gi0/1 - 1/3",
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }

    /// A line below a range is every interface's, whatever they had before; a global line ends it.
    #[test]
    fn the_lines_of_a_range_are_those_of_each_interface() {
        let text = "interface FastEthernet0/1\n ip address 10.0.0.1 255.0.0.0\n shutdown\n!\n\
            interface range FastEthernet0/0 - 2\n description x\n no shutdown\n crypto map M\n!\nhostname A\n";
        let config = crate::parse(text).config;
        let found: Vec<_> = config
            .interfaces
            .iter()
            .map(|one| {
                (one.name.as_str(), one.description.as_deref(), one.shutdown, one.crypto_map.as_deref())
            })
            .collect();
        let all = |name| (name, Some("x"), false, Some("M"));
        let expected = ["FastEthernet0/1", "FastEthernet0/0", "FastEthernet0/2"].map(all);
        assert_eq!(found, expected);
        assert!(config.interfaces.iter().all(|one| one.kind == crate::model::InterfaceKind::Ethernet));
        assert!(
            config.interfaces[0].address != crate::model::Addressing::None
                && config.hostname.as_deref() == Some("A")
        );
        let emptied = crate::parse(&format!("{text}default interface range Fa0/0 - 1\n")).config;
        assert!(emptied.interfaces[0].crypto_map.is_none() && emptied.interfaces[1].crypto_map.is_none());
        assert!(emptied.interfaces[2].crypto_map.is_some());
    }

    /// What one range restricts is not taken back by another.
    #[test]
    fn each_range_restricts_for_itself() {
        let text = "interface range FastEthernet0/0 - 1\n ip ips 3 in\n\
            interface range FastEthernet0/2 - 3\n no ip ips 3 in\n";
        let lines: Vec<_> = crate::unenforced(&crate::parse(text)).iter().map(|one| one.line).collect();
        assert_eq!(lines, [2]);
    }
}
