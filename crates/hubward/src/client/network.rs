//! The inner address, the routes into the tunnel and name resolution; all of it is undone at the
//! end.

use crate::base::family::v4;
use crate::guard::rules::{CLIENT, client_rules};
use anyhow::Context as _;
use hubward_linux::marks::{FWMARK, TABLE};
use hubward_linux::netlink::Netlink;
use hubward_linux::nftables::Nftables;
use hubward_linux::owned::{Ledger, capture_rule, sweep};
use hubward_linux::route::{self, Lookup, Route, RouteKind};
use hubward_linux::rule::{self, Family};
use hubward_linux::sysctl::Setting;
use hubward_linux::tun::{Tun, TunOptions};
use hubward_linux::{address, link};
use hubward_proto::ike::io::Assignment;
use ipnet::{IpNet, Ipv4Net};
use std::fs::Permissions;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// MTU of the tunnel: an inner packet of this length in the longest ESP-in-UDP encapsulation fits
/// into 1500 bytes.
const MTU: u32 = 1390;
const RESOLV: &str = "/etc/resolv.conf";
/// The first line of a file that Hubward wrote.
const OURS: &str = "# written by hubward";
const BEFORE: &str = "/etc/resolv.conf.before-hubward";

/// What was changed on this machine.
pub(crate) struct Network {
    netlink: Netlink,
    ledger: Ledger,
    tun: u32,
    address: Option<Ipv4Net>,
    dns: bool,
    /// With `--guard`.
    guard: Option<Guard>,
}

/// What must not leave in clear.
struct Guard {
    filters: Nftables,
    /// The networks behind the tunnel, and those within them that are not routed into it; `None`
    /// until they are known.
    networks: Option<(Vec<Ipv4Net>, Vec<Ipv4Net>)>,
}

impl Network {
    /// Undoes what a crashed run left, and makes the tunnel interface.
    pub(crate) fn open(state: &Path, dns: bool, guard: bool) -> anyhow::Result<(Self, Tun)> {
        if let Err(error) = std::fs::create_dir_all(state) {
            tracing::warn!(
                "after a crash, what was changed would stay: cannot make {}: {error}",
                state.display()
            );
        }
        let netlink = Netlink::open()?;
        let guard = match guard {
            true => Some(Guard { filters: Nftables::open()?, networks: None }),
            false => None,
        };
        let (mut ledger, trouble) = Ledger::open(&state.join("made"));
        if let Some(trouble) = trouble {
            tracing::warn!("what an earlier run changed is not known for certain: {trouble}");
        }
        sweep(&netlink, &mut ledger)?;
        if dns {
            restore_dns()?;
        }
        let tun = Tun::create(&TunOptions::default())?;
        link::set_mtu(&netlink, tun.index(), MTU)?;
        link::set_up(&netlink, tun.index(), true)?;
        let index = tun.index();
        let mut network = Self { netlink, ledger, tun: index, address: None, dns, guard };
        network.ledger.set(Setting::RpFilter(tun.name().to_owned()), "0")?;
        Ok((network, tun))
    }

    /// The address that packets to the gateway leave from.
    pub(crate) fn local_address(&self, gateway: IpAddr) -> anyhow::Result<IpAddr> {
        let how = Lookup { mark: FWMARK, ..Lookup::default() };
        let route = route::lookup(&self.netlink, gateway, how)?;
        route.source.with_context(|| format!("there is no way to {gateway}"))
    }

    /// Applies what the gateway assigned; returns the networks that are now routed through the
    /// tunnel.
    pub(crate) fn assign(
        &mut self,
        assignment: &Assignment,
        networks: &[Ipv4Net],
    ) -> anyhow::Result<Vec<Ipv4Net>> {
        let inner = Ipv4Net::new(assignment.address, 32).context("cannot use the inner address")?;
        if self.address != Some(inner) {
            if let Some(old) = self.address.take() {
                address::remove(&self.netlink, self.tun, IpNet::V4(old))?;
            }
            address::add(&self.netlink, self.tun, IpNet::V4(inner))?;
            self.address = Some(inner);
        }
        let wanted = if !networks.is_empty() {
            networks.to_vec()
        } else if assignment.split_include.is_empty() {
            vec![Ipv4Net::default()]
        } else {
            assignment.split_include.clone()
        };
        let table = self.table(assignment, &wanted)?;
        if let Some(guard) = &mut self.guard {
            let thrown = table.iter().filter(|route| route.kind == RouteKind::Throw);
            let except = thrown.filter_map(|route| v4(route.destination));
            guard.networks = Some((wanted.clone(), except.collect()));
        }
        self.guard(assignment.gateway)?;
        let there = route::list(&self.netlink)?;
        for old in there.iter().filter(|route| route.table == TABLE) {
            if !table.iter().any(|new| new.destination == old.destination && new.kind == old.kind) {
                route::remove(&self.netlink, old)?;
            }
        }
        for new in &table {
            route::replace(&self.netlink, new)?;
        }
        rule::add(&self.netlink, &capture_rule(Family::V4))?;
        if self.dns
            && !assignment.dns.is_empty()
            && let Err(error) = set_dns(Path::new(RESOLV), Path::new(BEFORE), assignment)
        {
            // the tunnel is useful without it
            tracing::warn!("names are not resolved through the tunnel: {error:#}");
        }
        Ok(wanted)
    }

    /// Routes into the tunnel. The routes to the gateway, to the networks that this machine is
    /// connected to and to those that the gateway excludes do not change.
    fn table(&self, assignment: &Assignment, wanted: &[Ipv4Net]) -> anyhow::Result<Vec<Route>> {
        let inner = IpAddr::V4(assignment.address);
        let mut table: Vec<Route> = wanted
            .iter()
            .map(|net| Route {
                table: TABLE,
                interface: self.tun,
                source: Some(inner),
                ..Route::new(IpNet::V4(*net))
            })
            .collect();
        let connected = route::list(&self.netlink)?.into_iter().filter(|route| {
            route.table == route::MAIN
                && route.kind == RouteKind::Unicast
                && route.gateway.is_none()
                && route.interface != self.tun
                && route.destination.addr().is_ipv4()
        });
        let outside = connected
            .map(|route| route.destination)
            .chain(assignment.split_exclude.iter().map(|net| IpNet::V4(*net)))
            .chain([IpNet::from(assignment.gateway)]);
        for destination in outside {
            let throw = Route { table: TABLE, kind: RouteKind::Throw, ..Route::new(destination) };
            if !table.iter().any(|route| route.destination == throw.destination) {
                table.push(throw);
            }
        }
        Ok(table)
    }

    /// Guards the networks behind the tunnel, if `--guard` was given. While there is no route to
    /// the gateway, the guard stays as it is.
    pub(crate) fn guard(&self, gateway: IpAddr) -> anyhow::Result<()> {
        let Some(Guard { filters, networks: Some((networks, except)) }) = &self.guard else { return Ok(()) };
        let IpAddr::V4(address) = gateway else { return Ok(()) };
        let how = Lookup { mark: FWMARK, ..Lookup::default() };
        let Ok(way) = route::lookup(&self.netlink, gateway, how) else { return Ok(()) };
        let link = link::by_index(&self.netlink, way.interface)?;
        filters
            .replace(&client_rules(CLIENT, &link.name, address, networks, except))
            .context("the guard cannot be put in place")
    }

    /// Whether a guard outlives this client.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.networks.is_some())
    }

    /// Undoes everything except the guard.
    pub(crate) fn remove(&mut self) {
        if self.dns
            && let Err(error) = restore_dns()
        {
            tracing::warn!("{error:#}");
        }
        match sweep(&self.netlink, &mut self.ledger) {
            Ok(swept) => swept.failed.iter().for_each(|failed| tracing::warn!("left behind: {failed}")),
            Err(error) => tracing::warn!("not everything could be taken back: {error}"),
        }
    }
}

fn set_dns(resolv: &Path, before: &Path, assignment: &Assignment) -> anyhow::Result<()> {
    if std::fs::symlink_metadata(before).is_err() && std::fs::symlink_metadata(resolv).is_ok() {
        std::fs::rename(resolv, before).with_context(|| format!("cannot move {} aside", resolv.display()))?;
    }
    let cannot_write = || format!("cannot write {}", resolv.display());
    std::fs::write(resolv, resolv_conf(assignment)).with_context(cannot_write)?;
    // all users resolve names, and the files of this process are otherwise its own user's
    std::fs::set_permissions(resolv, Permissions::from_mode(0o644)).with_context(cannot_write)
}

fn resolv_conf(assignment: &Assignment) -> String {
    let mut text = format!("{OURS}; the file of before is resolv.conf.before-hubward\n");
    for server in &assignment.dns {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let domains: Vec<&str> =
        assignment.domain.iter().chain(&assignment.split_dns).map(String::as_str).collect();
    if !domains.is_empty() {
        text.push_str(&format!("search {}\n", domains.join(" ")));
    }
    text
}

/// Restores the earlier file, if there was one and it was moved aside.
fn restore_dns() -> anyhow::Result<()> {
    if std::fs::symlink_metadata(BEFORE).is_err() {
        let ours = std::fs::read_to_string(RESOLV).is_ok_and(|text| text.starts_with(OURS));
        if ours {
            std::fs::remove_file(RESOLV).with_context(|| format!("cannot remove {RESOLV}"))?;
        }
        return Ok(());
    }
    if std::fs::symlink_metadata(BEFORE).is_ok() {
        std::fs::rename(BEFORE, RESOLV).with_context(|| format!("cannot put {RESOLV} back"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment() -> Assignment {
        Assignment {
            connection: "vpn".into(),
            gateway: "192.0.2.1".parse().unwrap(),
            address: "10.5.5.1".parse().unwrap(),
            netmask: None,
            dns: vec!["1.1.1.1".parse().unwrap(), "2.2.2.2".parse().unwrap()],
            wins: Vec::new(),
            domain: Some("cisco.com".into()),
            split_dns: Vec::new(),
            split_include: Vec::new(),
            split_exclude: Vec::new(),
            banner: None,
            save_password: false,
            expiry: None,
        }
    }

    #[test]
    fn name_servers_and_domains() {
        let text = resolv_conf(&assignment());
        assert!(text.ends_with("nameserver 1.1.1.1\nnameserver 2.2.2.2\nsearch cisco.com\n"), "{text}");
    }

    /// This process makes files that only its own user can read; this one is for all users.
    #[test]
    fn every_user_can_read_where_names_are_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let (resolv, before) = (folder.path().join("resolv.conf"), folder.path().join("before"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for already in ["# of another program\n", "# written by hubward\n"] {
            std::fs::write(&resolv, already).unwrap();
            std::fs::set_permissions(&resolv, Permissions::from_mode(0o600)).unwrap();
            set_dns(&resolv, &before, &assignment()).unwrap();
            assert_eq!(mode(&resolv), 0o644);
            assert!(std::fs::read_to_string(&resolv).unwrap().contains("nameserver 1.1.1.1"));
        }
        assert_eq!(std::fs::read_to_string(&before).unwrap(), "# of another program\n");
        assert_eq!(mode(&before), 0o600, "it is moved as it was");
    }
}
