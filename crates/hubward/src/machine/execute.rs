//! Carries out the steps of a plan by netlink, and records what could not be done. Everything that
//! Hubward makes is marked or recorded in the ledger, and removed at the end; what was there before
//! is left alone.

use crate::machine::faces::MadeLink;
use crate::machine::plan::{Carrier, Plan, Stage, Step, TUN_MTU};
use crate::machine::view::same;
use hubward_linux::Error;
use hubward_linux::marks::{CAPTURE_TABLES, PROTOCOL};
use hubward_linux::monitor::Change;
use hubward_linux::netlink::Netlink;
use hubward_linux::owned::{self, Ledger};
use hubward_linux::route::{self, MAIN, Route};
use hubward_linux::sysctl::Setting;
use hubward_linux::{link, neighbour, rule};
use std::path::Path;

/// The one place that changes the machine. It knows what it did, and what it could not do.
pub(crate) struct Executor {
    netlink: Netlink,
    ledger: Ledger,
    standing: Plan,
    undone: Vec<Undone>,
    /// Why the ledger's file could not be written, as last logged.
    unsaved: Option<String>,
}

/// A step that could not be carried out, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Undone {
    pub(crate) step: Step,
    pub(crate) why: String,
}

impl Executor {
    /// Removes the leftovers of a run that crashed; these links stay down if that run set them
    /// down. `state`: the folder of the ledger.
    pub(crate) fn open(netlink: Netlink, state: Option<&Path>, shut: &[String]) -> Result<Self, Error> {
        let mut ledger = match state {
            Some(folder) => {
                let (ledger, trouble) = Ledger::open(&folder.join("made"));
                if let Some(trouble) = trouble {
                    tracing::error!(
                        "what an earlier run changed on this machine is not known for certain: {trouble}"
                    );
                }
                ledger
            }
            None => Ledger::in_memory(),
        };
        for removed in owned::sweep_but(&netlink, &mut ledger, shut)?.removed {
            tracing::info!("removed a leftover of an earlier run: {removed}");
        }
        Ok(Self { netlink, ledger, standing: Plan::default(), undone: Vec::new(), unsaved: None })
    }

    pub(crate) fn netlink(&self) -> &Netlink {
        &self.netlink
    }

    /// The current state: the steps that were carried out, as a plan.
    pub(crate) fn standing(&self) -> &Plan {
        &self.standing
    }

    /// Sets the current state to what the machine shows.
    pub(crate) fn stand(&mut self, standing: Plan) {
        self.standing = standing;
    }

    /// Forgets what was done to the link of a carrier: it is gone, or somebody has changed it.
    pub(crate) fn forget_carrier(&mut self, carrier: &Carrier) {
        if let Carrier::Tun { name, .. } = carrier {
            self.standing.tun = None;
            self.standing.settings.remove(&Setting::RpFilter(name.clone()));
        }
    }

    /// What could not be done at the last attempt.
    pub(crate) fn undone(&self) -> &[Undone] {
        &self.undone
    }

    /// Carries out the steps of a plan, see [`in_stages`]. Returns whether the machine must be
    /// looked at again.
    pub(crate) fn carry_out(&mut self, steps: Vec<Step>, undone: &mut Vec<Undone>, round: Round) -> bool {
        let again = in_stages(steps, undone, round, |step| {
            self.carry_out_one(step).map_err(|error| error.to_string())?;
            self.standing.note(step);
            Ok(())
        });
        self.report_unsaved();
        again
    }

    /// Records what the last rounds could not do, and logs what is new: the same failure is logged
    /// once, however often it recurs.
    pub(crate) fn keep(&mut self, undone: Vec<Undone>) {
        for new in undone.iter().filter(|new| !self.undone.contains(new)) {
            new.log();
        }
        self.undone = undone;
    }

    /// Carries out the steps for a new peer, and looks at nothing else. Returns whether all of them
    /// were done.
    pub(crate) fn capture(&mut self, steps: Vec<Step>) -> bool {
        let mut done = true;
        for step in steps {
            if self.standing.has(&step) {
                continue;
            }
            match self.carry_out_one(&step) {
                Ok(()) => self.standing.note(&step),
                // the other routes belong to other peers
                Err(error) => {
                    done = false;
                    let undone = Undone { step, why: error.to_string() };
                    if !self.undone.contains(&undone) {
                        undone.log();
                        self.undone.push(undone);
                    }
                }
            }
        }
        done
    }

    /// Whether a change of the machine is only what this made for the tunnels, as it still stands:
    /// no reason to look at the machine.
    pub(crate) fn caused(&self, change: &Change) -> bool {
        let standing = |route: &Route| match (route.protocol, route.table) {
            (PROTOCOL, MAIN) => Some(self.standing.reverse.get(&route.destination)),
            (PROTOCOL, table) if CAPTURE_TABLES.contains(&table) => {
                Some(self.standing.captured.get(&(table, route.destination)))
            }
            _ => None,
        };
        let is_static = |route: &Route| self.standing.routes.iter().any(|known| same(known, route));
        match change {
            Change::Route(route) => standing(route).flatten().is_some_and(|there| same(there, route)),
            Change::RouteGone(route) => {
                standing(route).is_some_and(|there| there.is_none()) && !is_static(route)
            }
            _ => false,
        }
    }

    fn carry_out_one(&mut self, step: &Step) -> Result<(), Error> {
        let (netlink, ledger) = (&self.netlink, &mut self.ledger);
        match step {
            Step::LinkDown(name) => gone_is_done(ledger.set_link(netlink, name, false)),
            Step::UnmakeLink(name) => {
                gone_is_done(link::by_name(netlink, name).and_then(|link| link::delete(netlink, link.index)))
            }
            Step::MakeLink(name, made) => make(netlink, name, made),
            Step::JoinBridge { port, bridge } => {
                let bridge = link::by_name(netlink, bridge)?.index;
                link::set_bridge(netlink, link::by_name(netlink, port)?.index, bridge)
            }
            Step::LinkUp(name) => ledger.set_link(netlink, name, true),
            Step::AddressAway(name, net) => ledger.remove_address(netlink, name, *net),
            Step::AddressOn(name, net) => ledger.add_address(netlink, name, *net).map(drop),
            Step::Set(setting, value) => ledger.set(setting.clone(), value),
            Step::OpenTun(index) => {
                link::set_mtu(netlink, *index, TUN_MTU).and_then(|()| link::set_up(netlink, *index, true))
            }
            Step::AddRule(rule) => rule::add(netlink, rule).map(drop),
            Step::RuleAway(rule) => gone_is_done(rule::remove(netlink, rule)),
            Step::RouteOn(route) => route::prepend(netlink, route).map(drop),
            Step::RouteAway(route) | Step::Release(route) => gone_is_done(route::remove(netlink, route)),
            Step::FilterSources(name, filter) => ledger.set(Setting::RpFilter(name.clone()), filter.value()),
            Step::Capture(route) => route::replace(netlink, route),
            Step::ReverseOn(route) => route::prepend(netlink, route).map(drop),
            Step::ReverseAway(route) => gone_is_done(route::remove(netlink, route)),
            Step::AnswerOn((name, address)) => link::by_name(netlink, name)
                .and_then(|link| neighbour::add_proxy(netlink, link.index, *address)),
            Step::AnswerAway((name, address)) => gone_is_done(
                link::by_name(netlink, name)
                    .and_then(|link| neighbour::remove_proxy(netlink, link.index, *address)),
            ),
        }
    }

    /// Logs that the ledger's file cannot be written, or can be written again.
    fn report_unsaved(&mut self) {
        let unsaved = self.ledger.unsaved().map(str::to_string);
        if unsaved == self.unsaved {
            return;
        }
        match &unsaved {
            Some(why) => tracing::error!(
                "{why}; after a crash, what Hubward changed on this machine would stay. It is tried again with every change"
            ),
            None => tracing::info!("what Hubward changes on this machine is written down again"),
        }
        self.unsaved = unsaved;
    }
}

/// Whether a change looks at the machine once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Another look follows.
    More,
    /// No other look follows, so everything is tried.
    Last,
}

/// Carries out steps in order, and adds those that fail to `undone`. A step that is already in
/// `undone` is not tried again. A failure does not stop the other steps of its stage. The later
/// stages build on what failed, so they wait for another plan if there is another round. Returns
/// whether there should be one.
fn in_stages(
    steps: Vec<Step>,
    undone: &mut Vec<Undone>,
    round: Round,
    mut carry_out: impl FnMut(&Step) -> Result<(), String>,
) -> bool {
    let mut failed: Option<Stage> = None;
    let mut again = false;
    for step in steps {
        if undone.iter().any(|known| known.step == step) {
            continue;
        }
        if round == Round::More && failed.is_some_and(|stage| stage < step.stage()) {
            return true;
        }
        again |= step.changes_routes();
        if let Err(why) = carry_out(&step) {
            failed.get_or_insert(step.stage());
            undone.push(Undone { step, why });
        }
    }
    again
}

/// Makes a link.
fn make(netlink: &Netlink, name: &str, made: &MadeLink) -> Result<(), Error> {
    // another link with this VLAN is not ours, whatever it is called
    let there_is_done = |result: Result<(), Error>| match result {
        Err(error) if error.is_already_there() => {
            let kind = match made {
                MadeLink::Dummy => "dummy",
                MadeLink::Vlan { .. } => "vlan",
                MadeLink::Bridge { .. } => "bridge",
            };
            let ours = link::by_name(netlink, name).is_ok_and(|link| link.kind.as_deref() == Some(kind));
            if ours { Ok(()) } else { Err(error) }
        }
        other => other,
    };
    match made {
        MadeLink::Dummy => there_is_done(link::create_dummy(netlink, name)),
        MadeLink::Vlan { parent, vlan } => {
            let parent = link::by_name(netlink, parent)?.index;
            there_is_done(link::create_vlan(netlink, name, parent, *vlan))
        }
        MadeLink::Bridge { .. } => there_is_done(link::create_bridge(netlink, name)),
    }
}

/// Removing what is already gone counts as done.
fn gone_is_done(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

impl Undone {
    /// The route of the main table that the kernel did not accept.
    pub(crate) fn refused(&self) -> Option<&Route> {
        match &self.step {
            Step::RouteOn(route) => Some(route),
            _ => None,
        }
    }

    fn log(&self) {
        let why = &self.why;
        match &self.step {
            Step::AddressAway(name, net) => {
                tracing::warn!("the address {net} of {name} is left behind: {why}")
            }
            Step::RouteOn(route) => {
                let hop = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
                tracing::warn!("the route to {}{hop} is not installed: {why}", route.destination);
            }
            Step::RouteAway(route) | Step::Release(route) | Step::ReverseAway(route) => {
                tracing::warn!("the route to {} is left behind: {why}", route.destination);
            }
            Step::ReverseOn(route) => {
                tracing::warn!("the route of reverse-route to {} is not installed: {why}", route.destination);
            }
            Step::AnswerOn((name, address)) => {
                tracing::warn!("nobody answers for {address} on {name}: {why}");
            }
            Step::AnswerAway((name, address)) => {
                tracing::warn!("this machine still answers for {address} on {name}: {why}");
            }
            Step::RuleAway(_) => tracing::warn!("a routing rule is left behind: {why}"),
            Step::Capture(_) => tracing::error!("the routes into the tunnel could not be set: {why}"),
            Step::FilterSources(name, _) => {
                tracing::error!("the reverse path filter of {name} could not be set: {why}");
            }
            Step::LinkDown(_)
            | Step::UnmakeLink(_)
            | Step::MakeLink(..)
            | Step::JoinBridge { .. }
            | Step::LinkUp(_)
            | Step::AddressOn(..)
            | Step::Set(..)
            | Step::OpenTun(_)
            | Step::AddRule(_) => {
                tracing::error!("not everything of the configuration is in force: {why}");
            }
        }
    }
}

/// Removes everything that was made, however the gateway ends.
impl Drop for Executor {
    fn drop(&mut self) {
        match owned::sweep(&self.netlink, &mut self.ledger) {
            Ok(swept) => {
                for failed in swept.failed {
                    tracing::warn!("left behind: {failed}");
                }
            }
            Err(error) => tracing::warn!("not everything could be removed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        let route = |net: &str| Route::new(net.parse().unwrap());
        vec![
            Step::LinkUp("eth0".into()),
            Step::LinkUp("eth1".into()),
            Step::RouteOn(route("10.7.0.0/16")),
            Step::RouteOn(route("10.8.0.0/16")),
            Step::Capture(route("10.2.0.0/16")),
        ]
    }

    /// Carries out all steps, of which those at these positions fail, and returns the positions of
    /// those that were tried.
    fn round(undone: &mut Vec<Undone>, round: Round, fail: &[usize]) -> (Vec<usize>, bool) {
        let all = steps();
        let mut tried = Vec::new();
        let again = in_stages(all.clone(), undone, round, |step| {
            let place = all.iter().position(|known| known == step).unwrap();
            tried.push(place);
            if fail.contains(&place) { Err("refused".into()) } else { Ok(()) }
        });
        (tried, again)
    }

    #[test]
    fn what_builds_on_a_failure_waits_for_another_plan() {
        let mut undone = Vec::new();
        assert_eq!(round(&mut undone, Round::More, &[0]), (vec![0, 1], true), "the other link came up");
        assert_eq!(round(&mut undone, Round::More, &[0, 3]), (vec![1, 2, 3], true));
        assert_eq!(round(&mut undone, Round::Last, &[0, 3]).0, [1, 2, 4], "none is tried twice");
        assert_eq!(
            undone.iter().map(|undone| undone.step.clone()).collect::<Vec<_>>(),
            [steps()[0].clone(), steps()[3].clone()]
        );
        // in the last round everything is tried
        assert_eq!(round(&mut Vec::new(), Round::Last, &[0, 3]).0, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn only_what_changes_the_main_table_asks_for_another_look() {
        let of = |step: &Step| in_stages(vec![step.clone()], &mut Vec::new(), Round::More, |_| Ok(()));
        let all = steps();
        assert_eq!(all.iter().map(of).collect::<Vec<_>>(), [true, true, true, true, false]);
        assert!(!in_stages(Vec::new(), &mut Vec::new(), Round::More, |_| Ok(())));
    }
}
