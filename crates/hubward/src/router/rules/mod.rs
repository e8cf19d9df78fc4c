//! What a router does to packets besides routing and IPsec, as a table of nftables: access lists of
//! interfaces, address translation, source checks, MSS. A function of the configuration, the Linux
//! names and addresses of its interfaces, and the time of day.
//!
//! Where the chains are in the kernel, from the arrival of a packet to its departure:
//!
//! | chain | hook | priority | what |
//! |---|---|---|---|
//! | `coming`, `leaving` | pre- and postrouting | -160 | links of interfaces that are gone |
//! | `fragments` | prerouting | -450 | lists with `fragments`, before fragments are put together |
//! | `untracked` | prerouting | -300 | ESP and IKE for this router make no connection |
//! | `connections` | prerouting | -190 | times of translations, FTP, TFTP, SIP |
//! | `out_of_tunnels` | prerouting | -155 | `set ip access-group … in` of crypto map entries |
//! | `input` | prerouting | -150 | `ip access-group … in`, `ip verify unicast` |
//! | `policy_sources` | prerouting | -145 | sources of what comes in where policy routing leads out |
//! | `published` | prerouting | -105 | static translations of what comes from outside |
//! | `by_policy` | prerouting | -95 | `ip policy`: marks for the routing |
//! | `mss` | forward | -150 | `ip tcp adjust-mss` |
//! | `broadcasts` | forward | -140 | `ip directed-broadcast` |
//! | `translate` | postrouting | 95 | translations of what goes outside |
//! | `leaks` | postrouting | 115 | what would be translated, and was not |
//! | `into_tunnels` | postrouting | 155 | `set ip access-group … out` of crypto map entries |
//! | `output` | postrouting | 160 | `ip access-group … out` |
//! | `own` | output | -300 | what Hubward itself sends is translated already |
//! | `local_policy` | output | -150 | `ip local policy` |

pub(crate) mod began;
mod connections;
pub(crate) mod counter;
mod filter;
pub(crate) mod list;
mod nat;
pub(crate) mod one_to_one;
mod packets;
mod policy;
mod site;
#[cfg(test)]
mod tests;
mod text;
mod tunnels;

use began::Translation;
use hubward_config::Parsed;
use list::Lists;
pub(crate) use list::{LoggedLine, is_closed};
pub(crate) use nat::is_own_port;
use one_to_one::Pool;
pub(crate) use site::Here;
use site::Site;
use std::collections::BTreeSet;

/// The table.
pub(crate) const TABLE: &str = "hubward_router";

/// The table and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Objects and chains, in the language of nftables; empty: there is nothing to do.
    pub(crate) text: String,
    /// The names of what the text has besides counters, to remove them: `chain x`, `map y`.
    pub(crate) parts: Vec<String>,
    /// The counters.
    pub(crate) counters: BTreeSet<String>,
    /// The lines with `log`.
    pub(crate) logged: Vec<LoggedLine>,
    /// What of it is address translation.
    pub(crate) translation: Translation,
    /// Pools whose addresses hosts have for themselves.
    pub(crate) pools: Vec<Pool>,
}

/// The table of a configuration.
pub(crate) fn rules(parsed: &Parsed, here: Here<'_>) -> Rules {
    let config = &parsed.config;
    let site = Site { config, here };
    let mut lists = Lists::new(config, here.moment);
    let mut chains = filter::chains(&site, &mut lists);
    let others = lists.chains.len();
    let of_nat = nat::chains(&site, &mut lists);
    let selecting = lists.chains.iter().skip(others);
    let translation = Translation::of(&site, selecting.chain(&of_nat).map(String::as_str).collect());
    chains.extend(of_nat);
    chains.extend(policy::chains(&site, &mut lists));
    chains.extend(tunnels::chains(&site, &mut lists));
    if chains.is_empty() {
        return Rules::default();
    }
    let mut text = String::new();
    for part in lists.objects.iter().chain(&lists.chains).chain(&chains) {
        text.push_str(part);
    }
    let parts = text.lines().filter_map(part).collect();
    let pools = if translation.is_empty() { Vec::new() } else { site.pools() };
    Rules { text, parts, counters: lists.counters, logged: lists.logged, translation, pools }
}

/// The name of a chain, map or set that a line begins.
fn part(line: &str) -> Option<String> {
    let line = line.strip_prefix("  ")?.strip_suffix(" {")?;
    (!line.starts_with(' ')).then(|| line.to_owned())
}
