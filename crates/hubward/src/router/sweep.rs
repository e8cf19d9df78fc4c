//! The removal of connections that the kernel still translates by rules that are no longer in force.
//! Where it has very many connections this takes seconds, so a thread of its own does it.

use super::held;
use super::rules::Here;
use super::rules::began::{Judge, Translation};
use super::rules::one_to_one::{self, Holdings};
use crate::machine::view::Names;
use crate::supervise;
use hubward_config::model::{Config, Moment};
use hubward_config::policy_routing;
use hubward_linux::conntrack::{Conntrack, MOST};
use hubward_linux::error::Error;
use hubward_linux::link;
use hubward_linux::marks::FWMARK;
use hubward_linux::netlink::Netlink;
use hubward_linux::nftables::Nftables;
use hubward_linux::route::{self, Lookup, RouteKind};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread::JoinHandle;

/// A removal that is under way.
pub(super) struct Sweep {
    /// What a panicking thread leaves is `None`.
    thread: JoinHandle<Option<Result<usize, Error>>>,
    /// The rules under which the connections may have begun.
    before: Translation,
}

/// What is needed for it, apart from everything that may change meanwhile.
struct Work {
    config: Config,
    names: Names,
    leased: Vec<(String, Ipv4Net)>,
    tun: Option<String>,
    moment: Moment,
    now: Translation,
    before: Translation,
}

impl Sweep {
    /// Begins it. An error gives back `before`: the system has no thread left.
    pub(super) fn begin(
        config: &Config,
        here: Here<'_>,
        now: &Translation,
        before: Translation,
    ) -> Result<Self, Translation> {
        let work = Work {
            config: config.clone(),
            names: here.names.clone(),
            leased: here.leased.to_vec(),
            tun: here.tun.map(str::to_owned),
            moment: here.moment,
            now: now.clone(),
            before: before.clone(),
        };
        let thread = std::thread::Builder::new().name("translations".into());
        match thread.spawn(move || supervise::guarded("translations", || work.begin_again())) {
            Ok(thread) => Ok(Self { thread, before }),
            Err(error) => {
                tracing::warn!("connections may still be translated as before: {error}");
                Err(before)
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Tells what came of it. An error gives back under which rules there may still be connections.
    pub(super) fn end(self) -> Result<(), Translation> {
        match self.thread.join().ok().flatten() {
            Some(Ok(0)) => Ok(()),
            Some(Ok(1)) => {
                tracing::info!(
                    "a connection that began before `ip nat` was what it is now is no longer translated as it was"
                );
                Ok(())
            }
            Some(Ok(count)) => {
                tracing::info!(
                    "{count} connections that began before `ip nat` was what it is now are no longer translated as they were"
                );
                Ok(())
            }
            Some(Err(error)) => {
                tracing::warn!("connections may still be translated as before: {error}");
                Err(self.before)
            }
            // the panic was told
            None => Err(self.before),
        }
    }
}

impl Work {
    /// Removes the connections that are outdated; how many there were. If policy routing may lead
    /// them out by another link than the routes, those stay that are right for one of the links.
    fn begin_again(&self) -> Result<usize, Error> {
        let Self { config, names, leased, tun, moment, now, before } = self;
        let here = Here {
            names,
            leased,
            tun: tun.as_deref(),
            moment: *moment,
            inner_again: false,
            follows: true,
            leaving: &[],
        };
        let pools = one_to_one::pools(config, leased.iter().map(|(_, net)| net.addr()));
        let held = match pools.is_empty() {
            true => Holdings::new(),
            false => held::read(&Nftables::open()?, &pools)?,
        };
        let judge = Judge::new(config, here, now, before, &held);
        let by_policy = !policy_routing::numbers(config).is_empty();
        let (conntrack, netlink) = (Conntrack::open()?, Netlink::open()?);
        // sources by the routes of the configuration, destinations by those into the TUN too
        let (mut comes, mut goes) = (BTreeMap::new(), BTreeMap::new());
        let leads = |known: &mut BTreeMap<Ipv4Addr, Option<String>>, address: Ipv4Addr, mark: u32| {
            known.entry(address).or_insert_with(|| link_to(&netlink, address, mark)).clone()
        };
        let listing = conntrack.list(MOST, |connection| {
            let mut comes = |address| leads(&mut comes, address, FWMARK);
            let by_routes = judge.is_outdated(connection, &mut comes, |address| leads(&mut goes, address, 0));
            let mut others = judge.links_outside().filter(|_| by_policy && by_routes);
            by_routes && others.all(|link| judge.is_outdated(connection, &mut comes, |_| Some(link.clone())))
        })?;
        let mut removed = 0;
        for connection in &listing.connections {
            removed += usize::from(conntrack.remove(connection)?);
        }
        // the kernel may have more of them than are read at once
        if listing.more > 0 && removed > 0 {
            removed += self.begin_again()?;
        }
        Ok(removed)
    }
}

/// The link by which the routes lead to an address, if it is another machine's.
fn link_to(netlink: &Netlink, address: Ipv4Addr, mark: u32) -> Option<String> {
    let how = Lookup { mark, ..Lookup::default() };
    let route = route::lookup(netlink, address.into(), how).ok()?;
    (route.kind == RouteKind::Unicast).then(|| link::name_of(route.interface)).flatten()
}
