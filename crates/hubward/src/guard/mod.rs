//! The guard: a table of the kernel's packet filter that drops unencrypted packets that the
//! configuration protects. It is installed before anything is forwarded and stays when the program
//! ends, for whatever reason: a dead gateway protects nothing, so nothing must pass it.

pub(crate) mod granted;
pub(crate) mod mapping;
pub(crate) mod ranges;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use crate::base::clock::now;
use crate::base::store::{GRANTED, Store, wall_clock};
use crate::machine::view::Names;
use crate::translate;
use granted::{Grant, Granted, Place};
use hubward_config::Parsed;
use hubward_config::model::Config;
use hubward_linux::nftables::{Counted, Nftables};
use hubward_proto::dhcp::Lease;
use hubward_proto::esp::sa::ChildSa;
use hubward_proto::names::ChildId;
use hubward_proto::time::Instant;
use ipnet::Ipv4Net;
use ranges::Range;
use rules::{Guarded, Here, Ruleset};
use std::collections::BTreeMap;
use std::time::Duration;

/// What peers are granted reaches the kernel's table within this time, so that the grants of many
/// peers that come up at once are one change. Until then their packets are kept in by the routes
/// into the tunnels alone.
const TOGETHER: Duration = Duration::from_millis(10);

/// What `show crypto guard` is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Why there is none.
    pub(crate) missing: Option<String>,
    pub(crate) guarded: Vec<Guarded>,
    pub(crate) granted: Vec<(Place, Grant)>,
    /// What was dropped, by the rules' comments; `None`: the kernel is asked.
    pub(crate) counts: Option<BTreeMap<String, Counted>>,
}

/// The guard of a gateway.
pub(crate) struct Guard {
    /// `None`: it was said that Hubward may do without.
    filters: Option<Nftables>,
    missing: Option<String>,
    ruleset: Ruleset,
    granted: Granted,
    store: Store,
    /// Places that are granted and not in the kernel's table yet, and since when there are some.
    new: Vec<Place>,
    new_since: Option<Instant>,
    /// Whether readers know it as it is.
    told: bool,
    /// The kernel's number of changes when the table was last known to be whole.
    generation: Option<u32>,
}

impl Guard {
    /// Puts the guard of a configuration in place. What peers were granted before is taken from the
    /// disk, and from the table that is there. Without the kernel's packet filter this is an error,
    /// unless Hubward `may_do_without`.
    pub(crate) fn set_up(
        store: Store,
        may_do_without: bool,
        parsed: &Parsed,
        here: Here<'_>,
    ) -> anyhow::Result<Self> {
        let granted = Granted::load(&store.rows(GRANTED));
        let mut guard = Self {
            filters: None,
            missing: None,
            ruleset: Ruleset::default(),
            granted,
            store,
            new: Vec::new(),
            new_since: None,
            told: false,
            generation: None,
        };
        let tried = Nftables::open().map_err(anyhow::Error::from).and_then(|filters| {
            guard.take_over(&filters)?;
            guard.granted.age(wall_clock());
            guard.filters = Some(filters);
            guard.set(parsed, here)
        });
        match tried {
            Ok(()) => {}
            Err(error) if may_do_without => {
                tracing::warn!(
                    "there is no guard: what the configuration protects leaves unencrypted whenever Hubward is not running: {error:#}"
                );
                guard.filters = None;
                guard.missing = Some(format!("{error:#}"));
            }
            Err(error) => {
                return Err(error.context(
                    "the guard cannot be installed, so what the configuration protects would leave unencrypted whenever Hubward is not running; the kernel needs nf_tables (modprobe nf_tables), or start with \
                     --allow-unenforced guard",
                ));
            }
        }
        Ok(guard)
    }

    /// What was granted in the last moments of a run that was killed is in the kernel alone.
    fn take_over(&mut self, filters: &Nftables) -> anyhow::Result<()> {
        for set in filters.sets(rules::TABLE)? {
            let local = set.name.strip_prefix(rules::GRANTED).and_then(|net| net.parse::<Ipv4Net>().ok());
            let Some(local) = local else { continue };
            for range in set.ranges {
                self.granted.found(local, range, wall_clock());
            }
        }
        Ok(())
    }

    /// Brings the table in line with a configuration, in one step. An error leaves the table that
    /// is there.
    pub(crate) fn set(&mut self, parsed: &Parsed, here: Here<'_>) -> anyhow::Result<()> {
        self.replace(parsed, here)?;
        // the table has every grant; where that failed, the new ones wait for the next time
        self.new.clear();
        self.new_since = None;
        Ok(())
    }

    fn replace(&mut self, parsed: &Parsed, here: Here<'_>) -> anyhow::Result<()> {
        let wanted = rules::rules(parsed, here, &self.granted);
        let Some(filters) = &self.filters else {
            self.ruleset = wanted;
            return Ok(());
        };
        if wanted == self.ruleset && filters.exists(rules::TABLE)? {
            return Ok(());
        }
        let mut table = wanted.table.clone();
        rules::count_on(&mut table, &filters.counters(rules::TABLE)?);
        filters.replace(&table)?;
        self.ruleset = wanted;
        self.told = false;
        Ok(())
    }

    /// A tunnel is there: of entries that name no networks what the peer got is remembered.
    pub(crate) fn installed(&mut self, config: &Config, child: &ChildSa) {
        let named = translate::terms_of(config, &child.service).is_none_or(|terms| terms.acl.is_some());
        if named || child.lease.is_some() {
            return;
        }
        let Some(place) = granted::place(child.selector.local, child.selector.remote) else { return };
        if translate::pool_ranges(config).iter().any(|pool| pool.covers(&child.selector.remote)) {
            return;
        }
        if self.granted.add(child.id, place, child.path.remote, wall_clock()) {
            self.new.push(place);
            self.new_since.get_or_insert_with(now);
        }
        self.told = false;
    }

    /// A tunnel is gone; its networks stay closed.
    pub(crate) fn removed(&mut self, child: ChildId) {
        self.granted.remove(child, wall_clock());
        self.told = false;
    }

    /// When what was granted has to be in the kernel's table.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.new_since.map(|since| since + TOGETHER)
    }

    /// Brings what was granted since into the kernel's table, in one step.
    pub(crate) fn commit(&mut self, parsed: &Parsed, here: Here<'_>) {
        self.new_since = None;
        let mut by_set: BTreeMap<Ipv4Net, Vec<Range>> = BTreeMap::new();
        for (local, range) in std::mem::take(&mut self.new) {
            by_set.entry(local).or_default().push(range);
        }
        // most overlap no other, and are added; if one does, the set is rebuilt
        let mut all = false;
        for (local, new) in by_set {
            all |= !self.add(local, new);
        }
        if all {
            self.set_or_tell(parsed, here);
        }
    }

    /// Adds networks to a set; `false`: the table has to be rebuilt.
    fn add(&mut self, local: Ipv4Net, new: Vec<Range>) -> bool {
        let name = rules::set_of(local);
        let Some(set) = self.ruleset.table.sets.iter_mut().find(|set| set.name == name) else { return false };
        let mut missing = Vec::with_capacity(new.len());
        for range in ranges::disjoint(new) {
            let at = set.ranges.partition_point(|there| there.0 <= range.0);
            let beside = set.ranges.get(at.saturating_sub(1)..).unwrap_or_default();
            let mut beside = beside.iter().take(2).filter(|there| ranges::overlap(**there, range));
            match beside.next() {
                Some(there) if there.0 <= range.0 && range.1 <= there.1 => {}
                Some(_) => return false,
                None => missing.push(range),
            }
        }
        if missing.is_empty() {
            return true;
        }
        // an error: another program removed the table, or changed it
        if self.filters.as_ref().is_some_and(|filters| filters.add(rules::TABLE, &name, &missing).is_err()) {
            return false;
        }
        for range in missing {
            let at = set.ranges.partition_point(|there| there.0 <= range.0);
            set.ranges.insert(at, range);
        }
        true
    }

    /// Like [`Self::set`]; errors are logged, and it is tried again.
    pub(crate) fn set_or_tell(&mut self, parsed: &Parsed, here: Here<'_>) {
        if let Err(error) = self.set(parsed, here) {
            tracing::error!("the guard could not be changed, and stays as it was: {error:#}");
            // it is tried again within a second
            self.ruleset = Ruleset::default();
        }
    }

    /// Periodic work: expires old grants, writes new ones to disk, and restores a table that
    /// another program removed.
    pub(crate) fn every_second(&mut self, parsed: &Parsed, here: Here<'_>) {
        let (gone, surplus) = self.granted.age(wall_clock());
        if surplus > 0 {
            tracing::warn!(
                "more than {} networks were granted to peers: the {surplus} oldest are no longer guarded",
                granted::MOST
            );
        }
        self.told &= gone.is_empty();
        let there = self.is_whole();
        if !there {
            tracing::warn!(
                "another program removed the guard (nftables table {}) or part of it; it has been restored",
                rules::TABLE
            );
            self.ruleset = Ruleset::default();
        }
        if !there || !gone.is_empty() || self.ruleset == Ruleset::default() {
            self.set_or_tell(parsed, here);
        }
        self.save();
    }

    /// Whether the kernel has the table with all its rules. It is looked at when anything of the
    /// packet filter has changed.
    fn is_whole(&mut self) -> bool {
        // an error of the query does not mean that it is gone
        let Some(Ok(generation)) = self.filters.as_ref().map(Nftables::generation) else { return true };
        if self.generation == Some(generation) {
            return true;
        }
        let counters = self.filters.as_ref().map(|filters| filters.counters(rules::TABLE));
        let Some(Ok(there)) = counters else { return true };
        let rules = self.ruleset.table.chains.iter().flat_map(|chain| &chain.rules);
        let whole = there.len() == rules.filter(|rule| rule.counter.is_some()).count()
            && self.filters.as_ref().is_some_and(|filters| filters.exists(rules::TABLE).unwrap_or(true));
        self.generation = whole.then_some(generation);
        whole
    }

    /// Writes down what the store does not have yet.
    fn save(&mut self) {
        let rows = self.granted.unsaved();
        self.store.write_soon(GRANTED, rows);
    }

    /// Forgets granted networks that share an address with this one, or all, but not where a tunnel
    /// is; how many.
    pub(crate) fn clear(&mut self, net: Option<Ipv4Net>, parsed: &Parsed, here: Here<'_>) -> usize {
        let count = self.granted.clear(net);
        self.set_or_tell(parsed, here);
        self.save();
        self.told = false;
        count
    }

    /// What there is to show, when it is not what readers know.
    pub(crate) fn news(&mut self) -> Option<View> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        Some(View {
            missing: self.missing.clone(),
            guarded: self.ruleset.guarded.clone(),
            granted: self.granted.iter().map(|(place, grant)| (*place, grant.clone())).collect(),
            counts: None,
        })
    }

    /// Writes down what is not yet, in the kernel's table too: the end.
    pub(crate) fn close(&mut self, parsed: &Parsed, here: Here<'_>) {
        self.commit(parsed, here);
        self.save();
    }
}

/// The networks that DHCP gave interfaces, by the interfaces' names in the configuration.
pub(crate) fn leased(names: &Names, leases: &BTreeMap<String, Lease>) -> Vec<(String, Ipv4Net)> {
    let of = |(ios, linux): (&String, &String)| Some((ios.clone(), leases.get(linux)?.address));
    names.iter().filter_map(of).collect()
}

impl View {
    /// What was dropped, by the rules' comments.
    pub(crate) fn counts(&self) -> BTreeMap<String, Counted> {
        if let Some(counts) = &self.counts {
            return counts.clone();
        }
        let mut sums: BTreeMap<String, Counted> = BTreeMap::new();
        let counted = Nftables::open().and_then(|filters| filters.counters(rules::TABLE)).unwrap_or_default();
        for (comment, count) in counted {
            let sum = sums.entry(comment).or_default();
            sum.packets += count.packets;
            sum.bytes += count.bytes;
        }
        sums
    }
}
