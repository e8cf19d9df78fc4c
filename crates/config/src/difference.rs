//! What differs between two configurations, by section: `show archive config differences`.

use crate::parse::{Said, Trace, read};
use crate::parsed::Numbers;
use std::collections::BTreeMap;

/// A line that only one of two configurations has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lines that open its modes, the outermost first.
    pub section: Vec<String>,
    /// The line, spelled out.
    pub line: String,
    /// Whether the second configuration has it; otherwise the first.
    pub added: bool,
}

/// The lines by which two configurations differ: those of the second in its order, then those of
/// the first in its order. The position of a line in its section makes no difference, nor do blank
/// lines, comments and abbreviations.
pub fn differences(first: &str, second: &str) -> Vec<Difference> {
    let (first, second) = (lines(first), lines(second));
    let mut out = only(&second, &first, true);
    out.extend(only(&first, &second, false));
    out
}

type Placed = (Vec<String>, String);

/// The lines that one has and the other has not, or less often.
fn only(these: &[Placed], others: &[Placed], added: bool) -> Vec<Difference> {
    let mut known: BTreeMap<&Placed, usize> = BTreeMap::new();
    for line in others {
        *known.entry(line).or_default() += 1;
    }
    let mut out = Vec::new();
    for placed in these {
        match known.get_mut(placed) {
            Some(count @ 1..) => *count -= 1,
            _ => {
                let (section, line) = placed.clone();
                out.push(Difference { section, line, added });
            }
        }
    }
    out
}

fn lines(text: &str) -> Vec<Placed> {
    let (_, traces) = read(text, Numbers::Left);
    let said = traces.iter().filter(|trace| trace.said == Said::Line).filter(|trace| {
        let line = trace.spelled.trim();
        !line.is_empty() && !line.starts_with('!') && !line.eq_ignore_ascii_case("exit")
    });
    said.map(|trace| (section(&traces, trace), trace.spelled.trim().to_string())).collect()
}

fn section(traces: &[Trace], trace: &Trace) -> Vec<String> {
    let mut out = Vec::new();
    let mut next = trace.under;
    while let Some(opener) = next.and_then(|place| traces.get(place)) {
        out.push(opener.spelled.trim().to_string());
        next = opener.under;
    }
    out.reverse();
    out
}

/// As IOS prints it: a `+` before what the second has, a `-` before what the first has, under the
/// lines of their sections.
pub fn print(differences: &[Difference]) -> String {
    let mut out = String::new();
    let mut section: &[String] = &[];
    for difference in differences {
        if difference.section != section {
            for (depth, line) in difference.section.iter().enumerate() {
                // a section that is entirely new begins with its own line
                let begun = differences.iter().any(|other| {
                    other.added == difference.added
                        && other.line == *line
                        && difference.section.get(..depth) == Some(&other.section)
                });
                if !begun {
                    out.push_str(&format!("{}{line}\n", " ".repeat(depth)));
                }
            }
            section = &difference.section;
        }
        let sign = if difference.added { '+' } else { '-' };
        out.push_str(&format!("{}{sign}{}\n", " ".repeat(difference.section.len()), difference.line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_in_its_section() {
        let first = "hostname A\ninterface FastEthernet0/0\n ip address dhcp\n shutdown\n!\nip route 0.0.0.0 0.0.0.0 10.0.0.1\nend\n";
        let second = "host B\nip route 0.0.0.0 0.0.0.0 10.0.0.1\ninterface fa0/0\n desc x\n ip addr dhcp\ninterface fa0/1\n shut\n";
        let shown = print(&differences(first, second));
        assert_eq!(
            shown,
            "+hostname B\ninterface FastEthernet0/0\n +description x\n+interface FastEthernet0/1\n +shutdown\n-hostname A\n\
             interface FastEthernet0/0\n -shutdown\n"
        );
    }

    /// A banner may say `end` as well.
    #[test]
    fn a_banner_does_not_end_the_configuration() {
        let with = |name: &str| format!("banner motd #\nwelcome\nend\n#\nhostname {name}\nend\nhostname C\n");
        assert_eq!(print(&differences(&with("A"), &with("B"))), "+hostname B\n-hostname A\n");
    }

    #[test]
    fn the_same_twice_is_no_difference() {
        let text = include_str!("../../../examples/hub.cfg");
        assert_eq!(differences(text, text), []);
        assert_eq!(differences(text, &crate::spell_out(text)), []);
        assert_eq!(differences("hostname A\n", "hostname A\nhostname A\n").len(), 1);
    }
}
