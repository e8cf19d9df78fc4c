//! What a router does to packets besides routing and IPsec. The kernel does the work; the rules are
//! made from the configuration ([`rules`]), and are one table of nftables that is changed in one
//! transaction. It stays when the program ends, as the guard does: a filter that ends with its
//! program would open what it closes.

pub(crate) mod boot;
pub(crate) mod held;
pub(crate) mod log;
pub(crate) mod pools;
pub(crate) mod reflexive;
pub(crate) mod rules;
mod sweep;
pub(crate) mod translations;

use crate::base::clock::now;
use crate::base::date::Date;
use crate::base::store::wall_clock;
use crate::machine::view::Names;
use crate::supervise::limited;
use anyhow::Context as _;
use hubward_config::Parsed;
use hubward_config::model::{Config, Moment};
use hubward_linux::error::Error;
use hubward_linux::link;
use hubward_linux::marks::INTERFACE_PREFIX;
use hubward_linux::netlink::Netlink;
use hubward_linux::nft;
use hubward_linux::nftables::objects::Shape;
use hubward_linux::nftables::{Counted, Nftables};
use hubward_proto::time::Instant;
use ipnet::Ipv4Net;
use log::{Journal, Said};
use pools::Allocator;
use rules::began::Translation;
use rules::one_to_one::{self, Holdings, MAPS, still_held};
use rules::{Here, Rules, TABLE};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use sweep::Sweep;
use translations::Misses;

/// After what time a removal of connections that failed is tried again.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

/// The table of a gateway.
pub(crate) struct Router {
    /// `None`: the kernel has no packet filter; without filters and translation nothing needs it.
    filters: Option<Nftables>,
    /// What is in the kernel; `None`: it is not known.
    rules: Option<Rules>,
    /// The kernel's number of changes when the table was last known to be whole.
    generation: Option<u32>,
    /// What the kernel made of the rules.
    shape: Option<Shape>,
    /// The minute of the rules, if there are time ranges.
    moment: Moment,
    /// Whether the kernel can follow FTP, TFTP and SIP.
    follows: bool,
    /// The last change failed: when it is tried again.
    stale: Option<Instant>,
    /// Links of interfaces that the configuration no longer has, until they are shut down.
    leaving: Vec<String>,
    /// The names of the links that the table was made for.
    links: BTreeSet<String>,
    /// The translations, joined, under which there may be connections that the one in force would
    /// translate in another way.
    before: Option<Translation>,
    /// The removal of such connections.
    sweep: Option<Sweep>,
    /// It failed: when it is tried again.
    sweep_again: Option<Instant>,
    /// What lines with `log` met.
    journal: Journal,
    /// Gives the addresses of pools without `overload`.
    allocator: Allocator,
}

/// What the rules of a configuration depend on here and now.
pub(crate) fn here<'a>(
    config: &Config,
    names: &'a Names,
    leased: &'a [(String, Ipv4Net)],
    tun: Option<&'a str>,
) -> Here<'a> {
    let moment = Date::local(wall_clock(), &config.clock).minute();
    Here { names, leased, tun, moment, inner_again: inner_again(config), follows: true, leaving: &[] }
}

/// Whether what comes out of a tunnel passes the input list of its interface again.
pub(crate) fn inner_again(config: &Config) -> bool {
    config.version.is_some_and(|release| release < ONCE)
}

/// The first release that filters what comes out of a tunnel once. It was 12.3(8)T, but `version
/// 12.3` does not say which it is.
const ONCE: (u16, u16) = (12, 4);

/// The chains of other programs that may drop what this router forwards, in words: a packet passes
/// only if every table lets it pass.
pub(crate) fn foreign() -> Vec<String> {
    // Hubward's tables are called like its links
    let found = Nftables::open().and_then(|filters| filters.dropping_forwarded(INTERFACE_PREFIX));
    let chains = found.inspect_err(|error| tracing::debug!("{error}")).unwrap_or_default();
    chains.into_iter().map(|chain| format!("another program's {chain}")).collect()
}

/// What `check` and the start say of them.
pub(crate) fn foreign_warnings() -> impl Iterator<Item = String> {
    let told = |chain| {
        format!("{chain}: what it does not let pass is not forwarded, whatever the configuration says")
    };
    foreign().into_iter().map(told)
}

/// Loads rules. The gateway may wait for `nft` longer than it may be silent otherwise.
fn load(text: &str) -> Result<(), Error> {
    limited(|| nft::load(text))
}

impl Router {
    /// Puts the table of a configuration in place of one that an earlier run left, whose counts
    /// continue.
    pub(crate) fn set_up(parsed: &Parsed, here: Here<'_>) -> anyhow::Result<Self> {
        let filters = Nftables::open().inspect_err(|error| tracing::debug!("{error}")).ok();
        let (moment, journal) = (here.moment, Journal::default());
        let mut router = Self {
            filters,
            rules: None,
            generation: None,
            shape: None,
            moment,
            journal,
            allocator: Allocator::default(),
            follows: true,
            stale: None,
            leaving: Vec::new(),
            links: BTreeSet::new(),
            before: None,
            sweep: None,
            sweep_again: None,
        };
        router.set(parsed, here)?;
        Ok(router)
    }

    /// Brings the table in line with a configuration, in one transaction. An error leaves the table
    /// that is there.
    pub(crate) fn set(&mut self, parsed: &Parsed, here: Here<'_>) -> anyhow::Result<()> {
        let links: BTreeSet<String> = here.names.values().cloned().collect();
        let mut leaving = self.leaving.clone();
        if self.rules.as_ref().is_some_and(|rules| !rules.text.is_empty()) {
            leaving.extend(self.links.iter().cloned());
        }
        leaving.retain(|link| !links.contains(link));
        leaving.sort();
        leaving.dedup();
        let here = Here { follows: self.follows, leaving: &leaving, ..here };
        let mut wanted = rules::rules(parsed, here);
        self.moment = here.moment;
        if self.rules.as_ref() == Some(&wanted) {
            (self.links, self.leaving) = (links, leaving);
            return Ok(());
        }
        // what the lines of before met
        self.hear(here.names);
        if let Some(filters) = &self.filters {
            let looked = self.allocator.look(filters);
            looked.unwrap_or_else(|error| tracing::debug!("{error}"));
        }
        let held = self.held(&wanted)?;
        if wanted.text.is_empty() {
            let removed = self.filters.as_ref().map_or(Ok(false), |filters| filters.remove(TABLE));
            // a kernel without a packet filter has no table of an earlier run
            if self.rules.is_some() {
                removed?;
            }
        } else {
            let loaded = self.load(&wanted, &held).or_else(|error| {
                // a kernel may lack what follows FTP
                let plain = rules::rules(parsed, Here { follows: false, ..here });
                let of_helpers = format!("{error:#}").contains("helper");
                if !self.follows || !of_helpers || self.load(&plain, &held).is_err() {
                    return Err(error);
                }
                tracing::warn!(
                    "this kernel does not follow FTP, TFTP and SIP, so their further connections are not translated: {error:#}"
                );
                self.follows = false;
                wanted = plain;
                Ok(())
            });
            loaded.context("the access lists and address translation cannot be put in place")?;
        }
        self.journal.follow(wanted.logged.clone());
        self.allocator.follow(wanted.pools.clone(), held.stays, now());
        let there = self.rules.take().map(|there| there.translation).unwrap_or_default();
        if there != wanted.translation {
            self.may_have_begun_under(there);
        }
        (self.links, self.leaving) = (links, leaving);
        self.rules = Some(wanted);
        self.generation = None;
        // what cannot be read is looked at again within a second
        self.shape = self.filters.as_ref().and_then(|filters| filters.shape(TABLE).ok().flatten());
        Ok(())
    }

    /// Who has addresses of the pools that are wanted, as the table says, or said before it, or the
    /// pool, was gone.
    fn held(&self, wanted: &Rules) -> anyhow::Result<Kept> {
        let Some(filters) = self.filters.as_ref().filter(|_| !wanted.pools.is_empty()) else {
            return Ok(Kept::default());
        };
        let mut there = held::read(filters, &wanted.pools)?;
        self.allocator.remember(&wanted.pools, &mut there);
        let stays = still_held(&wanted.pools, &there);
        Ok(Kept { stays, there })
    }

    fn load(&mut self, wanted: &Rules, held: &Kept) -> Result<(), Error> {
        let known = self
            .rules
            .as_ref()
            .map(|rules| There { parts: rules.parts.clone(), counters: rules.counters.clone() });
        put(self.filters.as_ref(), known, wanted, held)
    }

    /// Like [`Self::set`]; errors are logged, and it is tried again. Whatever `nft` waits for, the
    /// gateway waits a tenth of its time for it at most.
    pub(crate) fn set_or_tell(&mut self, parsed: &Parsed, here: Here<'_>) {
        let begun = now();
        let set = self.set(parsed, here);
        let took = now().since(begun);
        self.stale = set.is_err().then(|| now() + took * 9);
        if let Err(error) = set {
            tracing::error!("{error:#}; what was there stays in force, and it is tried again");
        }
    }

    /// What remains to be done when the machine is in line with the configuration: links of
    /// interfaces that are gone are forgotten when they are down, and connections that would be
    /// translated in another way now begin again.
    pub(crate) fn settle(&mut self, parsed: &Parsed, here: Here<'_>) {
        let left = self.leaving.len();
        self.leaving.retain(|link| is_up(link));
        if self.leaving.len() < left {
            self.set_or_tell(parsed, here);
        }
        if self.sweep.as_ref().is_some_and(Sweep::is_over)
            && let Some(sweep) = self.sweep.take()
            && let Err(before) = sweep.end()
        {
            self.sweep_failed(before);
        }
        // one at a time: rules that change again wait until it is over
        if self.sweep.is_some() || self.sweep_again.is_some_and(|again| again > now()) {
            return;
        }
        let (Some(before), Some(rules)) = (self.before.take(), &self.rules) else { return };
        if before.is_empty() && rules.translation.is_empty() {
            return;
        }
        match Sweep::begin(&parsed.config, here, &rules.translation, before) {
            Ok(sweep) => (self.sweep, self.sweep_again) = (Some(sweep), None),
            Err(before) => self.sweep_failed(before),
        }
    }

    fn sweep_failed(&mut self, before: Translation) {
        self.may_have_begun_under(before);
        self.sweep_again = Some(now() + SWEEP_AGAIN);
    }

    fn may_have_begun_under(&mut self, rules: Translation) {
        match &mut self.before {
            Some(before) => before.join(rules),
            None => self.before = Some(rules),
        }
    }

    /// Tells what lines with `log` met, as often as the gateway has time.
    pub(crate) fn hear(&mut self, names: &Names) {
        tell(self.journal.read(|index| name_here(names, index), now()));
        for line in self.allocator.hear(self.filters.as_ref(), now()) {
            tracing::warn!("{line}");
        }
    }

    /// When [`Self::hear`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.allocator.due(now())
    }

    /// Hosts that get no address of a pool are counted here.
    pub(crate) fn count_misses(&mut self, misses: Arc<Misses>) {
        self.allocator.count(misses);
    }

    /// Periodic work: time ranges begin and end, and what another program removed is restored.
    pub(crate) fn every_second(&mut self, parsed: &Parsed, here: Here<'_>) {
        self.settle(parsed, here);
        tell(self.journal.every_second(now()));
        let there = self.is_whole();
        // of a table that is gone, the allocator knows who had which address
        if there {
            self.allocator.every_second(self.filters.as_ref(), now());
        }
        if !there {
            tracing::warn!(
                "another program removed the access lists and address translation (nftables table {TABLE}) or part of them; they have been restored"
            );
            self.rules = None;
        }
        if self.stale.is_some_and(|again| again > now()) {
            return;
        }
        if !there
            || self.stale.is_some()
            || (here.moment != self.moment && !parsed.config.time_ranges.is_empty())
        {
            self.set_or_tell(parsed, here);
        }
    }

    /// Whether the kernel has the table. It is looked at when anything of the packet filter has
    /// changed.
    fn is_whole(&mut self) -> bool {
        if self.rules.as_ref().is_none_or(|rules| rules.text.is_empty()) {
            return true;
        }
        // an error of the query does not mean that it is gone
        let Some(filters) = &self.filters else { return true };
        let Ok(generation) = filters.generation() else { return true };
        if self.generation == Some(generation) {
            return true;
        }
        let Ok(shape) = filters.shape(TABLE) else { return true };
        let whole = shape.is_some() && shape == self.shape;
        self.generation = whole.then_some(generation);
        whole
    }
}

fn is_up(name: &str) -> bool {
    Netlink::open().and_then(|netlink| link::by_name(&netlink, name)).is_ok_and(|link| link.up)
}

fn tell(said: Vec<Said>) {
    for one in said {
        tracing::info!("{}", one.line());
    }
}

/// The name in the configuration of the interface with this index.
fn name_here(names: &Names, index: u32) -> Option<String> {
    let link = link::name_of(index)?;
    names.iter().find(|(_, known)| **known == link).map(|(name, _)| name.clone())
}

/// Puts rules in the place of those that are there, of which what is `known` need not be read.
///
/// A table that is there is changed, not made anew: a chain that the kernel asks is two chains while
/// it is deleted and made, and a packet can pass between them.
fn put(filters: Option<&Nftables>, known: Option<There>, wanted: &Rules, held: &Kept) -> Result<(), Error> {
    let read = || filters.and_then(|filters| There::read(filters).ok());
    for there in known.map(Some).into_iter().chain([None]) {
        let Some(there) = there.or_else(read).filter(|there| !there.parts.is_empty()) else { break };
        match load(&change(&there, wanted, held)) {
            // another program changed the table
            Err(error @ Error::Rules { .. }) => {
                tracing::info!("the nftables table {TABLE} is not as it was left: {error}");
            }
            // whatever it waited for, it would wait again
            result => return result,
        }
    }
    let counts = filters.and_then(|filters| filters.named_counters(TABLE).ok()).unwrap_or_default();
    load(&whole(wanted, &counts, &held.stays))
}

/// What the kernel's table has.
#[derive(Debug, Default, PartialEq, Eq)]
struct There {
    parts: Vec<String>,
    counters: BTreeSet<String>,
}

impl There {
    fn read(filters: &Nftables) -> Result<Self, Error> {
        let mut parts = filters.parts(TABLE)?;
        parts.extend(filters.objects(TABLE)?);
        Ok(Self { parts, counters: filters.named_counters(TABLE)?.into_keys().collect() })
    }
}

/// Who has addresses of pools.
#[derive(Debug, Default)]
struct Kept {
    /// By the table that is there.
    there: Holdings,
    /// By the pools of the next one.
    stays: Holdings,
}

/// A transaction that makes the table anew; its counters begin at these counts, and hosts keep the
/// addresses that they have.
fn whole(wanted: &Rules, counts: &BTreeMap<String, Counted>, held: &Holdings) -> String {
    let mut text = format!("table ip {TABLE} {{ }}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n");
    for name in &wanted.counters {
        let Counted { packets, bytes } = counts.get(name).copied().unwrap_or_default();
        let _never = writeln!(text, "  counter {name} {{ packets {packets} bytes {bytes} }}");
    }
    let of_pools = wanted.pools.iter().map(|pool| {
        one_to_one::elements(TABLE, pool, held.get(&pool.name).map(Vec::as_slice).unwrap_or_default())
    });
    text + &wanted.text + "}\n" + &of_pools.collect::<String>()
}

/// A transaction that makes one table of another: counters, the entries of reflexive lists and the
/// addresses of hosts stay.
fn change(there: &There, wanted: &Rules, held: &Kept) -> String {
    let mut text = format!("flush table ip {TABLE}\n");
    let outlives = |part: &str| part.strip_prefix("map ").is_none_or(|map| map.starts_with(MAPS));
    let stays = |part: &String| outlives(part) && wanted.parts.contains(part);
    for part in there.parts.iter().filter(|part| !stays(part)) {
        let (kind, name) = part.rsplit_once(' ').unwrap_or_default();
        let _never = writeln!(text, "delete {kind} ip {TABLE} {name}");
    }
    for name in there.counters.difference(&wanted.counters) {
        let _never = writeln!(text, "delete counter ip {TABLE} {name}");
    }
    let _never = writeln!(text, "table ip {TABLE} {{");
    for name in wanted.counters.difference(&there.counters) {
        let _never = writeln!(text, "  counter {name} {{ }}");
    }
    text += &wanted.text;
    text += "}\n";
    for pool in &wanted.pools {
        let of = |held: &Holdings| held.get(&pool.name).cloned().unwrap_or_default();
        let (before, after) = (of(&held.there), of(&held.stays));
        let is_new = !there.parts.contains(&format!("set {}", pool.busy()));
        if before.len() != after.len() || is_new {
            // its maps may be there with what they have
            let _never = writeln!(
                text,
                "flush map ip {TABLE} {0}\nflush map ip {TABLE} {1}",
                pool.outward(),
                pool.inward()
            );
            text += &one_to_one::elements(TABLE, pool, &after);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(parts: &[&str], counters: &[&str]) -> There {
        let all = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        There { parts: all(parts), counters: all(counters).into_iter().collect() }
    }

    fn rules(parts: &[&str], counters: &[&str]) -> Rules {
        Rules {
            text: "  chain a {\n  }\n".into(),
            parts: parts.iter().map(ToString::to_string).collect(),
            counters: counters.iter().map(ToString::to_string).collect(),
            ..Rules::default()
        }
    }

    /// Counters that stay are not touched, so that they go on counting; entries of reflexive lists
    /// stay as well.
    #[test]
    fn a_change_leaves_what_stays() {
        let there = there(&["chain a", "chain b", "map m", "set reflexive_1", "ct timeout tcp"], &["x", "y"]);
        let wanted = rules(&["chain a", "map m", "set reflexive_1", "ct timeout tcp"], &["y", "z"]);
        let text = change(&there, &wanted, &Kept::default());
        let expected = "flush table ip hubward_router\n\
                        delete chain ip hubward_router b\n\
                        delete map ip hubward_router m\n\
                        delete counter ip hubward_router x\n\
                        table ip hubward_router {\n  counter z { }\n  chain a {\n  }\n}\n";
        assert_eq!(text, expected);
    }

    /// Time ranges are in the router's own time.
    #[test]
    fn rules_go_by_the_routers_own_time() {
        let names = Names::default();
        let minute =
            |text: &str| here(&hubward_config::parse(text).config, &names, &[], None).moment.at.minute;
        let (utc, east) = (minute(""), minute("clock timezone IST 5 30\n"));
        // a minute may begin between the two
        let ahead = (east + 1440 - utc) % 1440;
        assert!((330..=331).contains(&ahead), "{ahead}");
    }

    /// A table that is made anew takes the counts of the one before.
    #[test]
    fn counts_continue_in_a_new_table() {
        let counts = BTreeMap::from([("x".to_owned(), Counted { packets: 7, bytes: 420 })]);
        let text = whole(&rules(&["chain a"], &["x", "y"]), &counts, &Holdings::new());
        assert!(
            text.contains("  counter x { packets 7 bytes 420 }\n  counter y { packets 0 bytes 0 }\n"),
            "{text}"
        );
        assert!(text.starts_with("table ip hubward_router { }\ndelete table ip hubward_router\n"), "{text}");
    }
}
