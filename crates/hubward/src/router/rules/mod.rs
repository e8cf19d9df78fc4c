//! What a router does to packets besides routing and IPsec, as a table of nftables: access lists of
//! interfaces, address translation, source checks, MSS. A function of the configuration, the Linux
//! names and addresses of its interfaces, and the time of day.
//!
//! Where the chains are in the kernel, from the arrival of a packet to its departure:
//!
//! | chain | hook | priority | what |
//! |---|---|---|---|
//! | `fragments` | prerouting | -450 | lists with `fragments`, before fragments are put together |
//! | `untracked` | prerouting | -300 | ESP for this router makes no connection |
//! | `input` | prerouting | -150 | `ip access-group … in`, `ip verify unicast` |
//! | `published` | prerouting | -105 | static translations of what comes from outside |
//! | `mss` | forward | -150 | `ip tcp adjust-mss` |
//! | `broadcasts` | forward | -140 | `ip directed-broadcast` |
//! | `translate` | postrouting | 95 | translations of what goes outside |
//! | `output` | postrouting | 160 | `ip access-group … out` |
//! | `own` | output | -300 | what Hubward itself sends is translated already |

pub(crate) mod counter;
mod filter;
pub(crate) mod list;
mod nat;
mod packets;

use crate::machine::view::Names;
use hubward_config::Parsed;
use hubward_config::model::{Addressing, Config, Interface, Moment};
use ipnet::IpNet;
use list::{Lists, LoggedLine};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The table.
pub(crate) const TABLE: &str = "hubward_router";

/// What the rules depend on besides the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// The Linux names of the interfaces.
    pub(crate) names: &'a Names,
    /// Networks of interfaces that DHCP gave, with the interface's name in the configuration.
    pub(crate) leased: &'a [(String, ipnet::Ipv4Net)],
    /// The TUN by which packets go to and come from the tunnels; `None`: the kernel is the data
    /// plane.
    pub(crate) tun: Option<&'a str>,
    /// The minute, for time ranges.
    pub(crate) moment: Moment,
    /// Packets that come out of tunnels pass the input list of the interface again, as in releases
    /// before 12.3(8)T.
    pub(crate) inner_again: bool,
}

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
}

/// The table of a configuration.
pub(crate) fn rules(parsed: &Parsed, here: Here<'_>) -> Rules {
    let config = &parsed.config;
    let site = Site { config, here };
    let mut lists = Lists::new(config, here.moment);
    let mut chains = filter::chains(&site, &mut lists);
    chains.extend(nat::chains(&site, &mut lists));
    if chains.is_empty() {
        return Rules::default();
    }
    let mut text = String::new();
    for part in lists.objects.iter().chain(&lists.chains).chain(&chains) {
        text.push_str(part);
    }
    let parts = text.lines().filter_map(part).collect();
    Rules { text, parts, counters: lists.counters, logged: lists.logged }
}

/// The name of a chain, map or set that a line begins.
fn part(line: &str) -> Option<String> {
    let line = line.strip_prefix("  ")?.strip_suffix(" {")?;
    (!line.starts_with(' ')).then(|| line.to_owned())
}

/// A chain that others jump to.
fn chain(name: &str, rules: &[String]) -> String {
    with_head(name, None, rules)
}

/// A chain that the kernel asks.
fn base(name: &str, head: &str, rules: &[String]) -> String {
    with_head(name, Some(head), rules)
}

fn with_head(name: &str, head: Option<&str>, rules: &[String]) -> String {
    let mut text = format!("  chain {name} {{\n");
    for rule in head.into_iter().chain(rules.iter().map(String::as_str)) {
        let _never = writeln!(text, "    {rule}");
    }
    text.push_str("  }\n");
    text
}

/// The configuration on this machine.
struct Site<'a> {
    config: &'a Config,
    here: Here<'a>,
}

impl<'a> Site<'a> {
    /// The interfaces that have a link, with its name in quotes.
    fn interfaces(&self) -> impl Iterator<Item = (&'a Interface, String)> {
        let names = self.here.names;
        self.config.interfaces.iter().filter_map(|one| Some((one, quoted(names.get(&one.name)?)?)))
    }

    /// Links in quotes, as the value of `iifname` and `oifname`; `None` without any.
    fn links(&self, is: impl Fn(&Interface) -> bool, tun: bool) -> Option<String> {
        let of_config = self.interfaces().filter(|(one, _)| is(one)).map(|(_, link)| link);
        let tun = self.tun().filter(|_| tun);
        let links: BTreeSet<String> = of_config.chain(tun).collect();
        (!links.is_empty()).then(|| packets::set(links.into_iter()))
    }

    fn tun(&self) -> Option<String> {
        self.here.tun.and_then(quoted)
    }

    /// The interfaces with a crypto map: what goes through a tunnel goes out by one of them.
    fn crypto(&self) -> impl Iterator<Item = (&'a Interface, String)> {
        self.interfaces().filter(|(one, _)| one.crypto_map.is_some())
    }

    /// The address of an interface as it is at the moment.
    fn address(&self, name: &str) -> Option<Ipv4Addr> {
        let interface = self.config.interfaces.iter().find(|one| one.name == name)?;
        match &interface.address {
            Addressing::Static(nets) => nets.iter().find_map(|net| match net {
                IpNet::V4(net) => Some(net.addr()),
                IpNet::V6(_) => None,
            }),
            Addressing::Dhcp => {
                self.here.leased.iter().find(|(own, _)| own == name).map(|(_, net)| net.addr())
            }
            Addressing::None | Addressing::Secondary(_) => None,
        }
    }
}

/// The name of a link in quotes. A name that nftables cannot quote gets no rule: no link of a
/// configuration has one, because `--map` refuses it.
fn quoted(link: impl AsRef<str>) -> Option<String> {
    let link = link.as_ref();
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '*');
    link.chars().all(plain).then(|| format!("\"{link}\""))
}
