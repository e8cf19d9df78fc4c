//! What comes over the control socket.

use super::table::find;
use crate::manage::desk::Refusal;

/// Every command cut short, changed by a byte, repeated and joined: understood or refused, with
/// nothing in the refusal that a terminal would take for more than text.
#[test]
fn mutated_lines() {
    let lines = [
        "show crypto isakmp sa detail",
        "clear crypto sa peer 192.0.2.1",
        "show ip interface Fa0/0",
        "\u{0}\u{e9}\r\n",
    ];
    for line in lines {
        for (at, _) in line.char_indices() {
            let (head, tail) = line.split_at(at);
            for changed in [
                head.to_string(),
                tail.to_string(),
                format!("{head}\u{0}{tail}"),
                format!("{head} {tail}"),
                format!("{tail} {head}"),
                head.repeat(200),
                format!("{head}{}{tail}", "\u{10ffff}".repeat(50)),
            ] {
                let Err(refusal) = find(&changed, 15).map(|_| ()) else { continue };
                if let Refusal::Invalid(place) = refusal {
                    assert!(changed.get(place..).is_some_and(|rest| !rest.is_empty()), "{changed:?} {place}");
                }
                let text = refusal.to_string();
                assert!(text.starts_with("% ") && text.len() < 120, "{text:?}");
                assert!(!text.trim_end().contains(char::is_control), "{text:?}");
            }
        }
    }
    assert!(find(&"show ".repeat(2000), 15).is_err());
}
