//! Network masks where a wildcard belongs: `permit 10.1.1.0 255.255.255.0`. A router takes them, and
//! permits other packets than its operator thinks of.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Class;
use crate::parsed::Parsed;
use std::net::Ipv4Addr;

pub(super) fn check(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let lines = &parsed.document.lines;
    for (line, number) in lines.iter().zip(1_u32..).filter(|(line, _)| line.class == Class::Implemented) {
        let head = line.under.and_then(|under| lines.get(under)).map(|head| head.spelled.as_str());
        let is_line = match head {
            None => line.spelled.starts_with("access-list "),
            Some(head) => head.starts_with("ip access-list "),
        };
        let masked = is_line.then(|| masked(&line.spelled)).flatten();
        let Some((address, mask)) = masked else { continue };
        let wildcard = Ipv4Addr::from(!u32::from(mask));
        let message = format!(
            "{mask} is a wildcard here and means {}; the network mask {mask} is the wildcard {wildcard}",
            meaning(address, mask)
        );
        let remedy = format!("write {} {wildcard}, if a network is meant", network(address, mask));
        say(found, Severity::Warning, Code::Wildcard, number, message, remedy);
    }
}

/// The address and the mask of a line that has a network mask for its wildcard. Patterns of hosts are
/// none: `0.0.0.1 255.255.255.0` means the first host of every network.
fn masked(spelled: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let words: Vec<&str> = spelled.split_whitespace().collect();
    // a remark, and the end of a line, have no addresses
    let verb = words.iter().take(3).position(|word| ["permit", "deny"].contains(word))?;
    if words.iter().take(verb).any(|word| *word == "remark") {
        return None;
    }
    let permits = words.get(verb) == Some(&"permit");
    let addresses: Vec<Option<Ipv4Addr>> =
        words.get(verb + 1..)?.iter().map(|word| word.parse().ok()).collect();
    let mut left = addresses.as_slice();
    while let [first, rest @ ..] = left {
        let (Some(address), Some(Some(wildcard))) = (first, rest.first()) else {
            left = rest;
            continue;
        };
        let is_mask = ipnet::ipv4_mask_to_prefix(*wildcard).is_ok_and(|length| (1..32).contains(&length));
        let lost = u32::from(*address) & u32::from(*wildcard);
        let kept = u32::from(*address) & !u32::from(*wildcard);
        // IOS clears the bits that do not count, and prints a network with its mask as 0.0.0.0
        if is_mask && (lost != 0 || kept == 0 && permits) {
            return Some((*address, *wildcard));
        }
        left = rest.get(1..).unwrap_or_default();
    }
    None
}

fn network(address: Ipv4Addr, mask: Ipv4Addr) -> String {
    match u32::from(address) & u32::from(mask) {
        0 => "the network and".into(),
        network => Ipv4Addr::from(network).to_string(),
    }
}

/// What an address with a mask in the place of its wildcard means.
fn meaning(address: Ipv4Addr, mask: Ipv4Addr) -> String {
    let length = u32::from(mask).leading_ones();
    let octets: Vec<String> = address.octets().iter().map(u8::to_string).collect();
    let whole = usize::try_from(length / 8).unwrap_or_default();
    match length % 8 {
        0 => format!("every address that ends in .{}", octets.get(whole..).unwrap_or_default().join(".")),
        _ => format!("every address whose last {} bits are those of {address}", 32 - length),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    fn told(text: &str) -> Vec<String> {
        let told = crate::parse(text).diagnostics;
        told.into_iter().filter(|told| told.code == Code::Wildcard).map(|told| told.message).collect()
    }

    #[test]
    fn a_network_mask_in_the_place_of_a_wildcard_is_told() {
        for (text, says) in [
            ("access-list 10 permit 10.1.1.0 255.255.255.0\n", Some("every address that ends in .0;")),
            (
                "access-list 10 permit 10.1.1.0 255.255.255.0\n",
                Some("255.255.255.0 is the wildcard 0.0.0.255"),
            ),
            ("access-list 101 permit ip any 10.1.0.0 255.255.0.0\n", Some("ends in .0.0;")),
            (
                "ip access-list extended A\n deny tcp 10.1.1.0 255.255.255.240 any eq 80\n",
                Some("last 4 bits"),
            ),
            ("ip access-list standard A\n 15 permit 10.1.1.0 255.255.255.0 log\n", Some("ends in .0;")),
            // as IOS prints it
            ("access-list 10 permit 0.0.0.0 255.255.255.0\n", Some("ends in .0;")),
            ("access-list 10 permit 10.1.1.0 0.0.0.255\n", None),
            ("access-list 10 permit 10.1.1.1 0.0.0.0\n", None),
            ("access-list 10 permit 10.1.1.1 255.255.255.255\n", None),
            // hosts of every network
            ("access-list 10 permit 0.0.0.1 255.255.255.0\n", None),
            ("access-list 101 deny ip any 0.0.0.0 255.255.255.0\n", None),
            ("access-list 101 deny ip any 0.0.0.255 255.255.255.0\n", None),
            ("access-list 10 permit 10.0.0.5 0.255.255.0\n", None),
            ("access-list 101 permit ip host 10.1.1.1 host 255.255.255.255\n", None),
            ("access-list 101 permit udp host 10.1.1.1 host 255.255.255.0\n", None),
            ("access-list 10 remark permit 10.1.1.0 255.255.255.0\n", None),
            ("ip route 10.1.1.0 255.255.255.0 10.0.0.1\n", None),
        ] {
            let told = told(text);
            assert_eq!(told.len(), usize::from(says.is_some()), "{text}: {told:?}");
            assert!(says.is_none_or(|says| told[0].contains(says)), "{text}: {told:?}");
        }
    }
}
