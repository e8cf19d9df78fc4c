//! Hubward against real peers: the promises, each in network namespaces of its own.
//!
//! `cargo test -p hubward-interop -- FILTER` as root; see `hubward_interop::needs` for what is reported as ignored.

#![allow(clippy::indexing_slicing, reason = "a test that finds its own input wrong may stop")]

mod automation;
mod checked;
mod client;
mod closed_corpus;
mod combined;
mod crash;
mod debug;
#[path = "../../../../crates/proto/tests/support/document.rs"]
mod document;
mod document_excused;
mod guard;
mod harness_selfcheck;
mod headquarters;
mod kernel;
mod l2l;
mod machine;
mod nat;
mod negative;
mod openssh;
mod path_mtu;
mod rekey;
mod reload;
mod remote_access;
mod restart;
mod rows;
mod scene;
mod shows;
mod soak;
mod spoke_dhcp;
mod terminal;
mod why;

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
    let everything = [
        // the long ones first, so that they run beside the others
        ("rekey", rekey::CASES),
        ("closed_corpus", closed_corpus::CASES),
        ("headquarters", headquarters::CASES),
        ("crash", crash::CASES),
        ("restart", restart::CASES),
        ("spoke_dhcp", spoke_dhcp::CASES),
        ("soak", soak::CASES),
        ("automation", automation::CASES),
        ("client", client::CASES),
        ("guard", guard::CASES),
        ("harness_selfcheck", harness_selfcheck::CASES),
        ("l2l", l2l::CASES),
        ("machine", machine::CASES),
        ("reload", reload::CASES),
        ("remote_access", remote_access::CASES),
        ("combined", combined::CASES),
        ("debug", debug::CASES),
        ("nat", nat::CASES),
        ("negative", negative::CASES),
        ("openssh", openssh::CASES),
        ("path_mtu", path_mtu::CASES),
        ("rows", rows::CASES),
        ("shows", shows::CASES),
        ("why", why::CASES),
        ("terminal", terminal::CASES),
    ];
    // in Debian's kernel under QEMU, where `cargo ci kernel` sets this
    let in_guest: &[(&str, &[Case])] = &[("kernel", kernel::CASES)];
    let topics = if needs::in_guest() { in_guest } else { &everything };
    let trials =
        topics.iter().flat_map(|(topic, cases)| cases.iter().map(move |case| trial(topic, case))).collect();
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
    let only_data = BASE.iter().chain(case.needs).all(|need| need.is_data() || need.missing().is_none());
    if needs::required() && !only_data {
        return Trial::test(name, move || Err(Failed::from(format!("{why}, and HUBWARD_REQUIRE is set"))));
    }
    Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)
}

fn run(case: &Case) -> Result<(), Failed> {
    let lab = Lab::new(case.name).map_err(|e| Failed::from(format!("{e:#}")))?;
    // an assertion's panic is a failure like another: it too is told with the logs of all that ran
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(&lab)));
    let why = match outcome {
        Ok(Ok(())) => {
            lab.forget();
            return Ok(());
        }
        Ok(Err(e)) => format!("{e:#}"),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panicked".to_owned()),
    };
    Err(Failed::from(format!("{why}\n{}", lab.story(60))))
}
