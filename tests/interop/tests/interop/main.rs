//! Hubward against real peers: the promises, each in network namespaces of its own.
//!
//! `cargo test -p hubward-interop -- FILTER` as root; see `hubward_interop::needs` for what is reported as ignored.

mod harness_selfcheck;

use hubward_interop::lab::{Lab, sweep};
use hubward_interop::needs::{self, BASE, Need};
use libtest_mimic::{Arguments, Failed, Trial};

/// One test: its name, what it needs beyond [`BASE`], and its steps.
pub(crate) struct Case {
    name: &'static str,
    needs: &'static [Need],
    run: fn(&Lab) -> anyhow::Result<()>,
}

/// A table row of a topic file.
pub(crate) const fn case(
    name: &'static str,
    needs: &'static [Need],
    run: fn(&Lab) -> anyhow::Result<()>,
) -> Case {
    Case { name, needs, run }
}

fn main() {
    let arguments = Arguments::from_args();
    if !arguments.list {
        sweep();
    }
    let topics = [("harness_selfcheck", harness_selfcheck::CASES)];
    let trials = topics
        .into_iter()
        .flat_map(|(topic, cases)| cases.iter().map(move |case| trial(topic, case)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(topic: &str, case: &'static Case) -> Trial {
    let name = format!("{topic}::{}", case.name);
    // the trixie root takes minutes to make: only when a test that needs it is about to run
    let cheap = |need: &&Need| **need != Need::Trixie || !needs::required();
    let missing: Vec<String> =
        BASE.iter().chain(case.needs).filter(cheap).filter_map(|need| need.missing()).collect();
    if missing.is_empty() {
        return Trial::test(name, move || run(case));
    }
    let why = missing.join(", ");
    if needs::required() {
        return Trial::test(name, move || Err(Failed::from(format!("{why}, and HUBWARD_REQUIRE is set"))));
    }
    Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)
}

fn run(case: &Case) -> Result<(), Failed> {
    let lab = Lab::new(case.name).map_err(|e| Failed::from(format!("{e:#}")))?;
    match (case.run)(&lab) {
        Ok(()) => {
            lab.forget();
            Ok(())
        }
        Err(e) => Err(Failed::from(format!("{e:#}\n{}", lab.story(60)))),
    }
}
