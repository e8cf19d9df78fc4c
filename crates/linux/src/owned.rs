//! The marks by which Hubward recognises what it created, and the removal of what a crashed run
//! left.
//!
//! Routes and rules have a protocol number of their own. So do addresses since Linux 5.18; for
//! older kernels, and for links and kernel settings, which have no mark, a [`Ledger`] on disk
//! records what was changed.

use crate::error::{Context, Error};
use crate::marks::{CAPTURE_MASK, FWMARK, INTERFACE_PREFIX, Made, PROTOCOL, RANGE, RULE_PRIORITY, TABLE};
use crate::marks::{POLICY_MASK, POLICY_PRIORITY, is_policy_table};
use crate::netlink::Netlink;
use crate::rule::{Action, Family, Rule};
use crate::sysctl::{self, Setting};
use crate::{address, link, neighbour, privilege, route, rule};
use ipnet::IpNet;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The kinds of links that Hubward makes for interfaces of the configuration.
const MADE_KINDS: [&str; 3] = ["dummy", "vlan", "bridge"];

/// The priority of the rules that capture packets by their sources.
const BY_SOURCE: u32 = RULE_PRIORITY + 1;
/// The priority of the rule behind them.
const BEHIND: u32 = RULE_PRIORITY + 2;

/// The rules around those that capture by sources, in the order in which they must be added: what
/// has [`FWMARK`] or [`crate::marks::CLEAR_MARK`] goes on behind them.
///
/// An inverted rule inverts all of its conditions together, so that one alone cannot say "from these
/// sources, and without the mark".
pub fn exemption(family: Family) -> [Rule; 2] {
    let behind = Rule { action: Action::Nothing, ..Rule::new(family, BEHIND, 0) };
    let marked = Rule {
        mark: Some((FWMARK, CAPTURE_MASK)),
        action: Action::Goto(BEHIND),
        ..Rule::new(family, RULE_PRIORITY, 0)
    };
    [behind, marked]
}

/// A rule that captures what the [`exemption`] does not exempt: packets from a network, or all of
/// them, are looked up in this table before the main table.
pub fn capture_from(source: Option<IpNet>, family: Family, table: u32) -> Rule {
    Rule { source, ..Rule::new(family, BY_SOURCE, table) }
}

/// The same for packets that this machine itself sends, whatever their source is, or will be once
/// they have one.
pub fn capture_own(family: Family, table: u32) -> Rule {
    Rule { arrived_by: Some("lo".to_owned()), ..Rule::new(family, BY_SOURCE, table) }
}

/// The one rule that captures by destination alone: every packet with neither [`FWMARK`] nor
/// [`crate::marks::CLEAR_MARK`] is looked up in [`TABLE`] before the main table.
pub fn capture_rule(family: Family) -> Rule {
    Rule { mark: Some((FWMARK, CAPTURE_MASK)), invert: true, ..Rule::new(family, RULE_PRIORITY, TABLE) }
}

/// The rule by which packets that have [`FWMARK`] or [`crate::marks::CLEAR_MARK`] pass by what is
/// captured of the decisions of policy routing.
pub fn policy_exemption() -> Rule {
    Rule {
        mark: Some((FWMARK, CAPTURE_MASK)),
        action: Action::Goto(POLICY_PRIORITY + 2),
        ..Rule::new(Family::V4, POLICY_PRIORITY, 0)
    }
}

/// A rule that leads the packets of a decision to what is captured of them.
pub fn policy_capture(mark: u32, table: u32) -> Rule {
    Rule { mark: Some((mark, POLICY_MASK)), ..Rule::new(Family::V4, POLICY_PRIORITY + 1, table) }
}

/// A rule that leads the packets of a decision its way.
pub fn policy_way(mark: u32, table: u32) -> Rule {
    Rule { mark: Some((mark, POLICY_MASK)), ..Rule::new(Family::V4, POLICY_PRIORITY + 2, table) }
}

/// Whether a rule belongs to policy routing. Kernels before 4.17 do not keep the protocol of a rule.
fn is_of_policy(rule: &Rule) -> bool {
    let exempts = rule.action == policy_exemption().action && rule.priority == POLICY_PRIORITY;
    let leads = (POLICY_PRIORITY + 1..POLICY_PRIORITY + 3).contains(&rule.priority);
    (exempts || leads && is_policy_table(rule.table)) && matches!(rule.protocol, PROTOCOL | 0)
}

/// What [`sweep`] removed, for the log: one line each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// What was removed or set back, in words.
    pub removed: Vec<String>,
    /// What could not be, with the reason.
    pub failed: Vec<String>,
}

impl Swept {
    fn note(&mut self, what: String, result: Result<(), Error>) {
        match result {
            Ok(()) => self.removed.push(what),
            // it went with its interface or table, or another program removed it
            Err(error) if error.is_not_found() => {}
            Err(error) => self.failed.push(error.to_string()),
        }
    }
}

/// Removes everything in the namespace that has Hubward's marks, and what the ledger names: exactly
/// the leftovers of an earlier run if it is called before anything is created, and all that this
/// run created if it is called at the end. Two Hubwards in one network namespace would sweep each
/// other's things; they also could not share UDP port 500.
pub fn sweep(netlink: &Netlink, ledger: &mut Ledger) -> Result<Swept, Error> {
    sweep_but(netlink, ledger, &[])
}

/// Like [`sweep`], but links with these names stay down if an earlier run set them down: this run
/// shuts them as well, and nothing must pass in between. The ledger keeps the fact that they were
/// up.
pub fn sweep_but(netlink: &Netlink, ledger: &mut Ledger, down: &[String]) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    for rule in rule::list(netlink)? {
        let ours = RULE_PRIORITY..RULE_PRIORITY + RANGE;
        // kernels before 4.17 do not keep the protocol of a rule
        let known = exemption(rule.family).iter().any(|known| known.priority == rule.priority)
            && rule.action != Action::Lookup;
        let marked = rule.protocol == PROTOCOL
            || (rule.protocol == 0 && (known || (TABLE..TABLE + RANGE).contains(&rule.table)));
        if marked && ours.contains(&rule.priority) || is_of_policy(&rule) {
            swept.note(format!("routing rule {}", rule.name()), rule::remove(netlink, &rule));
        }
    }
    for route in route::list(netlink)?.into_iter().filter(|route| route.protocol == PROTOCOL) {
        swept.note(
            format!("route {} in table {}", route.destination, route.table),
            route::remove(netlink, &route),
        );
    }
    for address in address::list(netlink)?.into_iter().filter(|address| address.protocol == PROTOCOL) {
        let result = address::remove(netlink, address.interface, address.net);
        swept.note(format!("address {} of interface {}", address.net, address.interface), result);
    }
    for found in neighbour::proxies(netlink)?.into_iter().filter(|proxy| proxy.protocol == PROTOCOL) {
        let result = neighbour::remove_proxy(netlink, found.interface, found.address);
        swept.note(format!("proxy ARP for {} on interface {}", found.address, found.interface), result);
    }
    let stays = |entry: &Entry| matches!(entry, Entry::Link { interface, .. } if down.contains(interface));
    let (kept, over) = std::mem::take(&mut ledger.entries).into_iter().partition::<Vec<_>, _>(stays);
    ledger.entries = kept;
    for entry in over.into_iter().rev() {
        match entry {
            // one that was down before is not set down: setting it down and up would cost it its
            // carrier
            Entry::Link { up: false, .. } => {}
            Entry::Link { interface, up: true } => {
                let result = link::by_name(netlink, &interface).and_then(|link| match link.up {
                    true => Ok(()),
                    false => link::set_up(netlink, link.index, true),
                });
                swept.note(format!("interface {interface}, which is up again"), result);
            }
            Entry::Address { interface, net } => {
                let result = link::by_name(netlink, &interface)
                    .and_then(|link| address::remove(netlink, link.index, net));
                swept.note(format!("address {net} of interface {interface}"), result);
            }
            Entry::Setting { setting, before } => {
                let result = sysctl::set(&setting, &before).map(drop);
                swept.note(format!("setting {setting:?}, now {before} again"), result);
            }
        }
    }
    for link in link::list(netlink)?.iter().filter(|link| link.name.starts_with(INTERFACE_PREFIX)) {
        let is_left = match link.kind.as_deref() {
            // it vanishes with its process; one that did not was made persistent by another program
            Some("tun") => !link.carrier,
            Some(kind) => MADE_KINDS.contains(&kind),
            None => false,
        };
        if is_left {
            swept.note(format!("interface {}", link.name), link::delete(netlink, link.index));
        }
    }
    ledger.save();
    Ok(swept)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Address {
        interface: String,
        net: IpNet,
    },
    /// Whether a link was up before it was set up or down.
    Link {
        interface: String,
        up: bool,
    },
    Setting {
        setting: Setting,
        before: String,
    },
}

impl Entry {
    fn to_line(&self) -> String {
        match self {
            Self::Address { interface, net } => format!("address {net} {interface}\n"),
            Self::Link { interface, up } => format!("link {} {interface}\n", if *up { "up" } else { "down" }),
            Self::Setting { setting, before } => {
                let (name, interface) = match setting {
                    Setting::IpForward => ("ip_forward", "-"),
                    Setting::Ipv6Forward => ("ipv6_forward", "-"),
                    Setting::PingGroupRange => ("ping_group_range", "-"),
                    Setting::XfrmAcquireExpires => ("xfrm_acq_expires", "-"),
                    Setting::RpFilter(interface) => ("rp_filter", interface.as_str()),
                    Setting::DisableIpv6(interface) => ("disable_ipv6", interface.as_str()),
                    Setting::AcceptLocal(interface) => ("accept_local", interface.as_str()),
                    Setting::SendRedirects(interface) => ("send_redirects", interface.as_str()),
                    Setting::ForwardBroadcasts(interface) => ("bc_forwarding", interface.as_str()),
                };
                format!("setting {name} {interface} {before}\n")
            }
        }
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        match (words.next()?, words.next()?, words.next()?, words.next()) {
            ("address", net, interface, None) => {
                Some(Self::Address { interface: interface.to_owned(), net: net.parse().ok()? })
            }
            ("link", state @ ("up" | "down"), interface, None) => {
                Some(Self::Link { interface: interface.to_owned(), up: state == "up" })
            }
            ("setting", name, interface, Some(before)) => {
                let interface = interface.to_owned();
                let setting = match name {
                    "ip_forward" => Setting::IpForward,
                    "ipv6_forward" => Setting::Ipv6Forward,
                    "ping_group_range" => Setting::PingGroupRange,
                    "xfrm_acq_expires" => Setting::XfrmAcquireExpires,
                    "rp_filter" => Setting::RpFilter(interface),
                    "disable_ipv6" => Setting::DisableIpv6(interface),
                    "accept_local" => Setting::AcceptLocal(interface),
                    "send_redirects" => Setting::SendRedirects(interface),
                    "bc_forwarding" => Setting::ForwardBroadcasts(interface),
                    _ => return None,
                };
                Some(Self::Setting { setting, before: before.to_owned() })
            }
            _ => None,
        }
    }
}

/// A small file that records for a later run what this one changed and the kernel does not mark.
/// Each change is recorded before it is made, so that a crash between the two leaves a record of
/// something undone, never a change without a record. If the file cannot be written, the ledger
/// continues in memory, reports why ([`Ledger::unsaved`]), and tries again with the next change.
#[derive(Debug)]
pub struct Ledger {
    path: Option<PathBuf>,
    entries: Vec<Entry>,
    unsaved: Option<String>,
}

impl Ledger {
    /// Reads the ledger of an earlier run, or starts one. A file with invalid lines is moved aside,
    /// and its valid lines are used; one that cannot be read is left alone. The second value
    /// reports either case.
    pub fn open(path: &Path) -> (Self, Option<String>) {
        let begin = |entries| Self { path: Some(path.to_owned()), entries, unsaved: None };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (begin(Vec::new()), None),
            // a folder in its place, for instance
            Err(error) => {
                let moved = set_aside(path);
                return (
                    begin(Vec::new()),
                    Some(format!("cannot read {}: {error}; {moved}", path.display())),
                );
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        // a line without its end may be incomplete
        let lines = text.split_inclusive('\n').map(|line| line.strip_suffix('\n').and_then(Entry::from_line));
        let (entries, whole) = (lines.clone().flatten().collect(), lines.clone().all(|line| line.is_some()));
        let trouble = (!whole).then(|| {
            let moved = set_aside(path);
            format!("{} has lines that Hubward did not write; {moved}; the others are used", path.display())
        });
        let mut ledger = begin(entries);
        if trouble.is_some() {
            ledger.save();
        }
        (ledger, trouble)
    }

    /// A ledger in memory, for namespaces that vanish with the process.
    pub fn in_memory() -> Self {
        Self { path: None, entries: Vec::new(), unsaved: None }
    }

    /// Whether nothing is noted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Why the file is not up to date, if it is not: after a crash something would be left behind.
    pub fn unsaved(&self) -> Option<&str> {
        self.unsaved.as_deref()
    }

    /// Adds an address and notes it, unless it was there already.
    pub fn add_address(&mut self, netlink: &Netlink, interface: &str, net: IpNet) -> Result<Made, Error> {
        let link = link::by_name(netlink, interface)?;
        if address::list(netlink)?.iter().any(|there| there.interface == link.index && there.net == net) {
            return Ok(Made::AlreadyThere);
        }
        let entry = Entry::Address { interface: interface.to_owned(), net };
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
            self.save();
        }
        address::add(netlink, link.index, net)
    }

    /// Removes an address if it is noted as ours.
    pub fn remove_address(&mut self, netlink: &Netlink, interface: &str, net: IpNet) -> Result<(), Error> {
        let entry = Entry::Address { interface: interface.to_owned(), net };
        if !self.entries.contains(&entry) {
            return Ok(());
        }
        let result =
            link::by_name(netlink, interface).and_then(|link| address::remove(netlink, link.index, net));
        match result {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => self.entries.retain(|other| *other != entry),
        }
        self.save();
        Ok(())
    }

    /// Sets a link up or down and notes how it was.
    pub fn set_link(&mut self, netlink: &Netlink, interface: &str, up: bool) -> Result<(), Error> {
        let link = link::by_name(netlink, interface)?;
        if link.up == up {
            return Ok(());
        }
        let noted =
            |entry: &Entry| matches!(entry, Entry::Link { interface: other, .. } if other == interface);
        if !self.entries.iter().any(noted) {
            self.entries.push(Entry::Link { interface: interface.to_owned(), up: link.up });
            self.save();
        }
        link::set_up(netlink, link.index, up)
    }

    /// Changes a setting of the thread's namespace and notes what it was.
    pub fn set(&mut self, setting: Setting, value: &str) -> Result<(), Error> {
        let before = sysctl::get(&setting)?;
        if before == value {
            return Ok(());
        }
        let noted =
            |entry: &Entry| matches!(entry, Entry::Setting { setting: other, .. } if *other == setting);
        if !self.entries.iter().any(noted) {
            self.entries.push(Entry::Setting { setting: setting.clone(), before });
            self.save();
        }
        sysctl::set(&setting, value).map(drop)
    }

    fn save(&mut self) {
        self.unsaved = self.write().err().map(|error| error.to_string());
    }

    /// Writes a new file next to the old one and replaces it; an empty ledger has no file. It does
    /// not wait until the disk has it: a power failure ends what it is about as well, while a busy
    /// disk takes seconds, for which everything would wait that changes the machine.
    fn write(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.entries.is_empty() {
            return match std::fs::remove_file(path) {
                // no folder, no file
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    Ok(())
                }
                other => other.context("remove", path.display()),
            };
        }
        let fresh = path.with_extension("new");
        let text: String = self.entries.iter().map(Entry::to_line).collect();
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&fresh)?;
            file.write_all(text.as_bytes())?;
            // what is written counts more than who can read it
            let _kept = privilege::leave_to_owner_of_folder(&fresh);
            std::fs::rename(&fresh, path)
        };
        write().context("write", path.display())
    }
}

/// Moves a damaged file aside, for inspection: `NAME.broken-SECONDS`. Returns what happened to it,
/// in words.
pub fn set_aside(path: &Path) -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let named = |number: u64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".broken-{number}"));
        PathBuf::from(name)
    };
    // several in one second
    let aside = (seconds..seconds + 100).map(named).find(|aside| std::fs::symlink_metadata(aside).is_err());
    let aside = aside.unwrap_or_else(|| named(seconds));
    match std::fs::rename(path, &aside) {
        Ok(()) => format!("it is now {}", aside.display()),
        Err(error) => format!("it stays in place, because it cannot be moved: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_lines_read_back_and_others_are_passed_over() {
        let name = || "eth0".to_owned();
        let settings = [
            Setting::IpForward,
            Setting::Ipv6Forward,
            Setting::PingGroupRange,
            Setting::XfrmAcquireExpires,
            Setting::RpFilter(name()),
            Setting::DisableIpv6(name()),
            Setting::ForwardBroadcasts(name()),
            Setting::AcceptLocal(name()),
            Setting::SendRedirects(name()),
        ];
        let mut entries: Vec<_> = settings
            .into_iter()
            .map(|setting| Entry::Setting { setting, before: "1\t0".to_owned() })
            .collect();
        entries.push(Entry::Address { interface: name(), net: "10.1.1.1/24".parse().unwrap() });
        entries.push(Entry::Link { interface: name(), up: true });
        entries.push(Entry::Link { interface: name(), up: false });
        for entry in entries {
            assert_eq!(Entry::from_line(entry.to_line().trim_end_matches('\n')), Some(entry));
        }
        for line in [
            "",
            "address",
            "address x eth0",
            "link sideways eth0",
            "link up",
            "setting ip_forward -",
            "setting other - 1",
            "route 0 0 0",
        ] {
            assert_eq!(Entry::from_line(line), None, "{line}");
        }
    }
}
