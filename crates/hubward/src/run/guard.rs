//! `hubward guard` and `hubward release`: the guard for the time in which no gateway runs, and its
//! removal.

use crate::base::family::v4;
use crate::base::program::{complain, mapping, say};
use crate::base::store::Store;
use crate::check;
use crate::choices::Choices;
use crate::guard::mapping::{LINK_NAME, remembered};
use crate::guard::rules::{CLIENT, GRANTED, Here, TABLE};
use crate::guard::{Guard, View, ranges};
use crate::machine::faces::{Cards, Faces, Kinds};
use crate::machine::view::Names;
use crate::plane::Choice;
use crate::router::boot::InForce;
use crate::router::{self, boot};
use crate::run::running::{Running, running};
use anyhow::{Context as _, bail};
use hubward_config::model::{Addressing, Config};
use hubward_config::verdict::leave_out;
use hubward_linux::marks::INTERFACE_PREFIX;
use hubward_linux::netlink::Netlink;
use hubward_linux::nftables::Nftables;
use hubward_linux::privilege::{self, Capability};
use hubward_linux::{address, link};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// `hubward guard FILE`: sets the guard of a configuration and ends. A configuration that would be
/// refused is guarded too, because its packets must not leak while it does not run.
pub(crate) fn guard(arguments: &crate::run::arguments::Arguments) -> anyhow::Result<ExitCode> {
    crate::log::subscribe::log_to_stderr("warn");
    crate::run::rights::confine(&[Capability::NetAdmin], &[&arguments.file], &arguments.state)?;
    let (view, filters) = set(arguments)?;
    match view {
        view if view.missing.is_some() => say("There is no guard.\n"),
        view => say(&format!(
            "The guard is in place: {} of {}, {}.\n",
            counted(view.guarded.len(), "line or pool", "lines and pools"),
            arguments.file.display(),
            counted(view.granted.len(), "granted network", "granted networks")
        )),
    }
    if let InForce::Filters { unknown } = filters {
        say(IN_PLACE);
        for interface in unknown {
            complain(&format!(
                "The link of {interface} is not known (--map {interface}=LINK), so links that the configuration does not name forward nothing.\n"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn counted(number: usize, one: &str, more: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {more}"),
    }
}

/// Sets the guard after a start that was refused, for a service always and otherwise with
/// `--guard`. An existing guard of an earlier run stays as it is.
pub(crate) fn stand_in(arguments: &crate::run::arguments::Arguments) {
    if !arguments.guard && std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    if Nftables::open().and_then(|filters| filters.exists(TABLE)).unwrap_or(false) {
        tracing::warn!(
            "the start is refused, and the guard that is there stays (`hubward release` removes it)"
        );
        return;
    }
    match set(arguments) {
        Ok((view, _)) if view.missing.is_none() => {
            tracing::warn!("the start is refused, and the guard is in place (`hubward release` removes it)");
        }
        Ok(_) => {}
        Err(error) => tracing::error!("the start is refused, and there is no guard: {error:#}"),
    }
}

/// Sets the guard of a configuration that is not running, and its access lists and translation.
fn set(arguments: &crate::run::arguments::Arguments) -> anyhow::Result<(View, InForce)> {
    privilege::require(Capability::NetAdmin, "a guard")?;
    let choices = Choices::of(&arguments.options)?;
    let mut parsed = hubward_config::parse(&check::read(&arguments.file)?);
    if !check::is_configuration(&parsed) {
        bail!(
            "{} is not an IOS configuration; a guard that is there stays as it is",
            arguments.file.display()
        );
    }
    // tunnels that do not exist here are closed, whether the operator chose to start without them
    // or the start would be refused
    let judgement = choices.judge(&parsed);
    let without: Vec<_> = judgement.without.iter().chain(&judgement.missing).cloned().collect();
    leave_out(&mut parsed.config, &judgement.verdicts, &without);
    for name in &judgement.unknown {
        tracing::warn!("no tunnel, group or peer is called {name}");
    }
    let names = names(&parsed.config, &arguments.options.maps(), &arguments.state)?;
    // opening the store fails only if another Hubward has it open
    let store = Store::open(&arguments.state).context("a gateway that runs keeps its own guard")?;
    let netlink = Netlink::open()?;
    let (links, leased) = (link::list(&netlink)?, leased(&netlink, &names, &parsed.config)?);
    let links: Vec<_> = links.into_iter().map(|link| link.name).collect();
    let absent: Vec<_> = names.iter().filter(|(_, linux)| !links.contains(linux)).collect();
    let absent: Vec<_> = absent.into_iter().map(|(ios, _)| ios.clone()).collect();
    let here = Here { names: &names, leased: &[], absent: &absent };
    let tun = (arguments.dataplane() != Choice::Kernel).then(|| format!("{INTERFACE_PREFIX}0"));
    let filters = boot::set_up(parsed.clone(), router::here(&parsed.config, &names, &leased, tun.as_deref()));
    let mut guard = Guard::set_up(store, choices.allowed.guard, &parsed, here)?;
    guard.close(&parsed, here);
    Ok((guard.news().unwrap_or_default(), filters?))
}

/// The addresses that interfaces with `ip address dhcp` have on their links, of a gateway that ran
/// before.
fn leased(netlink: &Netlink, names: &Names, config: &Config) -> anyhow::Result<Vec<(String, Ipv4Net)>> {
    let there = address::list(netlink)?;
    let by_dhcp = config.interfaces.iter().filter(|one| one.address == Addressing::Dhcp);
    let leased = by_dhcp.filter_map(|one| {
        let index = link::index_of(names.get(&one.name)?).ok()?;
        let mut nets =
            there.iter().filter(|address| address.interface == index).filter_map(|one| v4(one.net));
        // an alias of a translation is none
        Some((one.name.clone(), nets.find(|net| net.prefix_len() < 32)?))
    });
    Ok(leased.collect())
}

/// `hubward release`: removes the guard and prints what it kept in.
pub(crate) fn release(socket: &Path) -> anyhow::Result<ExitCode> {
    if UnixStream::connect(socket).is_ok() {
        bail!("Hubward is running and keeps its guard in place; stop it first (systemctl stop hubward)");
    }
    // with another control socket, or before it has one
    if let Some(Running { process, client }) = running() {
        let (who, stop) = if client { ("a VPN client", "end") } else { ("Hubward", "stop") };
        bail!("{who} is running as process {process} and keeps its guard in place; {stop} it first");
    }
    let filters = Nftables::open()?;
    let mut told = None;
    for table in [TABLE, CLIENT] {
        let kept_in = kept_in(&filters, table)?;
        if filters.remove(table)? {
            told.get_or_insert_with(BTreeSet::new).extend(kept_in);
        }
    }
    match told {
        Some(kept_in) => say(&farewell(&kept_in)),
        None => say("There is no guard.\n"),
    }
    if filters.remove(router::rules::TABLE)? {
        say(UNFILTERED);
    }
    Ok(ExitCode::SUCCESS)
}

/// What the router's table does.
const IN_PLACE: &str = "Access lists and address translation are in place.\n";

/// What is open once the router's table is removed.
const UNFILTERED: &str =
    "Access lists and address translation are removed: nothing is filtered or translated any more.\n";

/// `hubward release --show`: prints what the guard keeps in, read from the kernel, whether or not a
/// gateway runs.
pub(crate) fn show() -> anyhow::Result<ExitCode> {
    privilege::require(Capability::NetAdmin, "a look at the guard")?;
    let filters = Nftables::open()?;
    let mut kept = None;
    for table in [TABLE, CLIENT] {
        if filters.exists(table)? {
            kept.get_or_insert_with(BTreeSet::new).extend(kept_in(&filters, table)?);
        }
    }
    let mut text = match &kept {
        None => "There is no guard.\n".to_owned(),
        Some(kept) if kept.is_empty() => "The guard is in place. It keeps nothing in.\n".into(),
        Some(_) => "The guard is in place. These packets do not leave in clear:\n".into(),
    };
    for line in kept.iter().flatten() {
        let _never = writeln!(text, "  {line}");
    }
    if filters.exists(router::rules::TABLE)? {
        text.push_str(IN_PLACE);
    }
    say(&text);
    Ok(ExitCode::SUCCESS)
}

/// If no gateway answers, prints for a user who may know it that the guard still keeps in what the
/// gateway protected.
pub(crate) fn tell_of_a_guard_without_a_gateway(socket: &Path) {
    if UnixStream::connect(socket).is_err()
        && Nftables::open().and_then(|filters| filters.exists(TABLE)).unwrap_or(false)
    {
        complain("The guard is in place; `hubward release --show` says what it keeps in.\n");
    }
}

/// Removes the guard for a user who ended the gateway with Ctrl-C.
pub(crate) fn release_at_the_terminal() {
    let removed = || -> anyhow::Result<Option<BTreeSet<String>>> {
        let filters = Nftables::open()?;
        let kept_in = kept_in(&filters, TABLE)?;
        let removed = filters.remove(TABLE)?.then_some(kept_in);
        if filters.remove(router::rules::TABLE)? {
            complain(UNFILTERED);
        }
        Ok(removed)
    };
    match removed() {
        Ok(Some(kept_in)) => complain(&format!("{}(--guard leaves it in place.)\n", farewell(&kept_in))),
        Ok(None) => {}
        Err(error) => tracing::error!("the guard is left in place: {error:#}"),
    }
}

/// What a table keeps in, in words.
fn kept_in(filters: &Nftables, table: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut kept: BTreeSet<_> = filters.counters(table)?.into_iter().map(|(comment, _)| comment).collect();
    for set in filters.sets(table)? {
        let Some(local) = set.name.strip_prefix(GRANTED) else { continue };
        kept.extend(
            set.ranges
                .into_iter()
                .map(|range| format!("ip {local} to {}, granted to a peer", ranges::told(range))),
        );
    }
    Ok(kept)
}

fn farewell(kept_in: &BTreeSet<String>) -> String {
    if kept_in.is_empty() {
        return "The guard is removed. It kept nothing in.\n".into();
    }
    let mut text =
        "The guard is removed. While Hubward does not run nothing protects these packets, and they leave in \
                    clear:\n"
            .to_owned();
    for line in kept_in {
        let _never = writeln!(text, "  {line}");
    }
    text
}

/// The Linux names of interfaces that need not be there yet: first the given mappings count, then
/// those of the last run. Nothing is guessed, because some cards may be missing. What an unknown
/// interface would carry is closed everywhere.
fn names(config: &Config, given: &[String], state: &Path) -> anyhow::Result<Names> {
    let mut names = remembered(state).unwrap_or_default();
    let mut cards = Cards::new();
    for pair in given {
        let (ios, links) = mapping(pair)?;
        if links.iter().any(|link| link.len() > LINK_NAME) {
            bail!("--map {pair}: a Linux interface has a name of 1 to {LINK_NAME} bytes");
        }
        names.retain(|_, other| !links.contains(other));
        cards.insert(ios, links);
    }
    names.extend(Faces::of(config, cards, Kinds::ALL).names);
    names.retain(|ios, _| config.interfaces.iter().any(|interface| interface.name == *ios));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::mapping::remember;

    #[test]
    fn the_names_of_the_last_run_count_although_the_links_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let config = hubward_config::parse("interface FastEthernet0/0\ninterface FastEthernet0/1\n").config;
        let text = |names: &Names| {
            names.iter().map(|(ios, linux)| format!("{ios}={linux}")).collect::<Vec<_>>().join(" ")
        };
        let was = [("FastEthernet0/0", "wan7"), ("FastEthernet0/1", "lan7"), ("FastEthernet9/9", "gone7")];
        remember(
            folder.path(),
            &was.iter().map(|(ios, linux)| (ios.to_string(), linux.to_string())).collect(),
        );
        let remembered = names(&config, &[], folder.path()).unwrap();
        assert_eq!(text(&remembered), "FastEthernet0/0=wan7 FastEthernet0/1=lan7");
        // the given mappings count first
        let given = ["Fa0/0=lan7".to_owned()];
        assert_eq!(text(&names(&config, &given, folder.path()).unwrap()), "FastEthernet0/0=lan7");
        let empty = tempfile::tempdir().unwrap();
        let given = ["Fa0/0=wan8".to_owned()];
        assert_eq!(names(&config, &given, empty.path()).unwrap()["FastEthernet0/0"], "wan8");
        for wrong in ["Fa0/0", "Fa0/0=", "Fa0/0=sixteen-bytes-up"] {
            assert!(names(&config, &[wrong.to_owned()], empty.path()).is_err(), "{wrong}");
        }
        assert!(names(&config, &[], empty.path()).unwrap().is_empty(), "no card is guessed");
    }

    #[test]
    fn one_line_is_not_one_lines() {
        let told = |number| counted(number, "line or pool", "lines and pools");
        assert_eq!([told(0), told(1), told(2)], ["0 lines and pools", "1 line or pool", "2 lines and pools"]);
    }

    #[test]
    fn a_farewell_names_every_network() {
        let kept = ["ip 10.1.0.0/16 to 10.2.0.0/16 (mymap 10)", "ip any to 10.5.5.0/24"].map(str::to_owned);
        let text = farewell(&kept.into());
        assert!(
            text.contains("clear:\n  ip 10.1.0.0/16 to 10.2.0.0/16 (mymap 10)\n  ip any to 10.5.5.0/24\n"),
            "{text}"
        );
        assert!(farewell(&BTreeSet::new()).contains("nothing"));
    }
}
