//! Lines that are right, and that IOS refuses for what the configuration has already: addresses of
//! one network on two interfaces, routes to the router itself, translations of one address to two hosts.

use super::position::{chain, joined};
use crate::check::{bearer_of, overlap, similar};
use crate::command::Mode;
use crate::model::{Config, NatRule};
use crate::parse::{Trace, read};
use crate::parsed::Numbers;
use std::net::Ipv4Addr;

/// What IOS says of the line of `trace` and does not take it, without the `% ` before it. `config`
/// is the configuration with the line at its end, `traces` are its lines, and `old` those before.
pub(super) fn refused(trace: &Trace, traces: &[Trace], config: &Config, old: &[&str]) -> Option<String> {
    let spelled = trace.spelled.trim();
    let begins = |words: &str| spelled.strip_prefix(words).is_some_and(|rest| rest.starts_with(' '));
    if let Some(Mode::Interface(_)) = chain(traces, trace.under).last().map(|opener| opener.mode) {
        let takes = begins("ip address") || ["no shutdown", "default shutdown"].contains(&spelled);
        let opener = trace.under.and_then(|under| traces.get(under))?;
        let name = opener.spelled.trim().strip_prefix("interface ")?.split_whitespace().next()?;
        let interface = config.interfaces.iter().find(|interface| takes && interface.name == name)?;
        return overlap(config, interface);
    }
    if begins("ip route") {
        // in a file, the network that the address is in is routed
        let mut numbers = spelled.split_whitespace().skip(2).map(|word| word.parse::<Ipv4Addr>().ok());
        let (prefix, mask) = (numbers.next()??, numbers.next()??);
        if u32::from(prefix) & !u32::from(mask) != 0 {
            return Some("Inconsistent address and mask".into());
        }
        // an interface may be named first
        let hop = numbers.take(2).flatten().next()?;
        let own = bearer_of(config, hop.into()).is_some();
        return own.then(|| "Invalid next hop address (it's this router)".into());
    }
    if begins("ip nat inside source static") {
        // what is there already is no second one, whatever is said of it besides
        let known = traces.get(..old.len()).unwrap_or_default();
        let continues = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let is_it = |line: &str| continues(line, spelled) || continues(spelled, line);
        let statics =
            known.iter().filter(|line| line.spelled.trim().starts_with("ip nat inside source static"));
        if statics.map(|line| line.spelled.trim()).any(is_it) {
            return None;
        }
        let NatRule::Static(last) = config.nat.rules.last()? else { return None };
        return similar(config, last);
    }
    let gone = ["no ip nat inside source static", "default ip nat inside source static"];
    if gone.iter().any(|words| begins(words)) {
        let (_, taken) = spelled.split_once(' ')?;
        let known = traces.get(..old.len()).unwrap_or_default();
        // lines that the model does not hold are there as well
        if known.iter().any(|line| line.spelled.trim().starts_with(taken)) {
            return None;
        }
        let (before, _) = read(&joined(old, &[]), Numbers::Left);
        return (before.config.nat.rules == config.nat.rules).then(|| "Translation not found".into());
    }
    None
}
