//! Carries out the steps of a plan by netlink, and keeps what could not be done. Everything that is made is marked or written
//! in the ledger and removed again; what was there is left alone.

use crate::machine::plan::{Plan, Stage, Step, TUN_MTU};
use crate::machine::view::same;
use hubward_linux::Error;
use hubward_linux::netlink::Netlink;
use hubward_linux::owned::{self, Ledger};
use hubward_linux::route::{self, Route};
use hubward_linux::sysctl::Setting;
use hubward_linux::{link, rule};
use std::path::Path;

/// Does what plans say, and knows what stands.
pub(crate) struct Executor {
    netlink: Netlink,
    ledger: Ledger,
    standing: Plan,
    undone: Vec<Undone>,
    /// Why the ledger's file is not as it should be, as it was told.
    unsaved: Option<String>,
}

/// A step that could not be made, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Undone {
    pub(crate) step: Step,
    pub(crate) why: String,
}

impl Executor {
    /// Removes the leftovers of a run that ended badly; these links stay down if that run set them down. `state`: the folder
    /// of the ledger.
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

    /// What was done and not undone.
    pub(crate) fn standing(&self) -> &Plan {
        &self.standing
    }

    /// The same, corrected by what the machine shows.
    pub(crate) fn stand(&mut self, standing: Plan) {
        self.standing = standing;
    }

    /// What could not be done when it was tried last.
    pub(crate) fn undone(&self) -> &[Undone] {
        &self.undone
    }

    /// Makes the steps, those aside that were `tried` in vain, and adds to these the ones that fail. One that fails keeps
    /// none of its own stage from being made, and all later stages are left for another plan unless this is the `last` one.
    /// Whether the machine has to be looked at again.
    pub(crate) fn carry_out(&mut self, steps: Vec<Step>, tried: &mut Vec<Undone>, last: bool) -> bool {
        let mut failed: Option<Stage> = None;
        let mut again = false;
        for step in steps {
            if tried.iter().any(|undone| undone.step == step) {
                continue;
            }
            if !last && failed.is_some_and(|stage| stage < step.stage()) {
                again = true;
                break;
            }
            again |= step.changes_routes();
            match self.make(&step) {
                Ok(()) => self.standing.note(&step),
                Err(error) => {
                    failed.get_or_insert(step.stage());
                    tried.push(Undone { step, why: error.to_string() });
                }
            }
        }
        self.tell_unsaved();
        again
    }

    /// What could not be done is told once, for as long as it is so.
    pub(crate) fn settle(&mut self, undone: Vec<Undone>) {
        for new in undone.iter().filter(|new| !self.undone.contains(new)) {
            new.tell();
        }
        self.undone = undone;
    }

    /// Routes of Hubward's own table more, of a peer that came: nothing else is looked at. Whether all of them were made.
    pub(crate) fn capture(&mut self, routes: Vec<Route>) -> bool {
        let mut done = true;
        for route in routes {
            if self.standing.captured.get(&route.destination).is_some_and(|old| same(&route, old)) {
                continue;
            }
            let step = Step::Capture(route);
            match self.make(&step) {
                Ok(()) => self.standing.note(&step),
                // the others are other peers'
                Err(error) => {
                    done = false;
                    let undone = Undone { step, why: error.to_string() };
                    if !self.undone.contains(&undone) {
                        undone.tell();
                        self.undone.push(undone);
                    }
                }
            }
        }
        done
    }

    fn make(&mut self, step: &Step) -> Result<(), Error> {
        let (netlink, ledger) = (&self.netlink, &mut self.ledger);
        match step {
            Step::LinkDown(name) => gone_is_done(ledger.set_link(netlink, name, false)),
            Step::LinkUp(name) => ledger.set_link(netlink, name, true),
            Step::AddressAway(name, net) => ledger.remove_address(netlink, name, *net),
            Step::AddressOn(name, net) => ledger.add_address(netlink, name, *net).map(drop),
            Step::Set(setting, value) => ledger.set(setting.clone(), value),
            Step::OpenTun(index) => {
                link::set_mtu(netlink, *index, TUN_MTU).and_then(|()| link::set_up(netlink, *index, true))
            }
            Step::AddRule(rule) => rule::add(netlink, rule).map(drop),
            Step::RouteOn(route) => route::prepend(netlink, route).map(drop),
            Step::RouteAway(route) | Step::Release(route) => gone_is_done(route::remove(netlink, route)),
            Step::Guard(name, filter) => ledger.set(Setting::RpFilter(name.clone()), filter.value()),
            Step::Capture(route) => route::replace(netlink, route),
        }
    }

    /// Tells that the ledger's file cannot be written, or can again.
    fn tell_unsaved(&mut self) {
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

/// What is not there any more needs nobody to remove it.
fn gone_is_done(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

impl Undone {
    /// The route of the main table that the kernel did not take.
    pub(crate) fn refused(&self) -> Option<&Route> {
        match &self.step {
            Step::RouteOn(route) => Some(route),
            _ => None,
        }
    }

    fn tell(&self) {
        let why = &self.why;
        match &self.step {
            Step::AddressAway(name, net) => {
                tracing::warn!("the address {net} of {name} is left behind: {why}")
            }
            Step::RouteOn(route) => {
                let hop = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
                tracing::warn!("the route to {}{hop} is not installed: {why}", route.destination);
            }
            Step::RouteAway(route) | Step::Release(route) => {
                tracing::warn!("the route to {} is left behind: {why}", route.destination);
            }
            Step::Capture(_) | Step::Guard(..) => {
                tracing::error!("the routes into the tunnel could not be set: {why}");
            }
            Step::LinkDown(_)
            | Step::LinkUp(_)
            | Step::AddressOn(..)
            | Step::Set(..)
            | Step::OpenTun(_)
            | Step::AddRule(_) => {
                tracing::error!("not everything of the new configuration could be applied: {why}");
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
