//! Hubward against real peers: the promises, each in network namespaces of its own.
//!
//! `cargo test -p hubward-interop -- FILTER` as root; see `hubward_interop::needs` for what is
//! reported as ignored.
//!
//! Most trials wait most of the time, for a lifetime to end or a peer to give up: so several run
//! for each processor, but of those that want one for themselves ([`BUSY`]) no more than there are.
//! `--test-threads=1` runs one after the other.

#![allow(clippy::indexing_slicing, reason = "a test that finds its own input wrong may stop")]

mod automation;
mod branches;
mod captured;
mod checked;
mod client;
mod closed_corpus;
mod combined;
mod crash;
mod debug;
#[path = "../../../../crates/proto/tests/support/document.rs"]
mod document;
mod document_excused;
mod flood;
mod guard;
mod harness_selfcheck;
mod headquarters;
mod health;
mod interfaces;
mod kernel;
mod l2l;
mod loss;
mod machine;
mod map_filters;
mod model;
mod nat;
mod negative;
mod openssh;
mod pace;
mod path_mtu;
mod policy_routing;
mod pools;
mod privileges;
mod rekey;
mod reload;
mod remote_access;
mod restart;
mod rows;
mod scene;
mod shows;
mod site;
mod site_boot;
mod site_changes;
mod site_shown;
mod soak;
mod spoke_dhcp;
mod terminal;
mod translation;
mod why;

use std::sync::Arc;

use hubward_interop::lab::{Lab, sweep};
use hubward_interop::needs::{self, BASE, Need};
use hubward_interop::{libreswan, trixie};
use libtest_mimic::{Arguments, Failed, Trial};
use pace::Pace;

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

/// Trials that keep a processor busy, and those that measure loss, throughput or how long something
/// takes: by the beginning of their names. [`crate::pace`] never has more of them run than there
/// are processors.
const BUSY: &[&str] = &[
    "automation::",
    "closed_corpus::",
    "crash::",
    "flood::",
    "headquarters::",
    "kernel::",
    "l2l::tcp_",
    "model::",
    "path_mtu::",
    "rekey::a_volume_",
    "rekey::strongswan_renews_phase_2_thirty_times",
    "site::",
    "site_changes::",
    "soak::",
];

/// Trials at a time for each processor.
const AT_A_TIME: usize = 3;

fn main() {
    // `cargo ci test` has made beforehand what takes minutes and no trial; whether it is there the
    // trials find out
    if std::env::var_os("HUBWARD_PREPARE").is_some() {
        match trixie::root() {
            Ok(root) => println!("the Debian trixie root is {}", root.display()),
            Err(e) => println!("no Debian trixie root: {e:#}"),
        }
        match libreswan::root() {
            Ok(root) => println!("Libreswan is in {}", root.display()),
            Err(e) => println!("no Libreswan: {e:#}"),
        }
        return;
    }
    let mut arguments = Arguments::from_args();
    if !arguments.list {
        sweep();
    }
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = *arguments.test_threads.get_or_insert(processors * AT_A_TIME);
    let everything = [
        // the long ones first, so that they run beside the others
        ("rekey", rekey::CASES),
        ("closed_corpus", closed_corpus::CASES),
        ("headquarters", headquarters::CASES),
        ("site", site::CASES),
        ("site_changes", site_changes::CASES),
        ("translation", translation::CASES),
        ("pools", pools::CASES),
        ("site_shown", site_shown::CASES),
        ("site_boot", site_boot::CASES),
        ("policy_routing", policy_routing::CASES),
        ("crash", crash::CASES),
        ("restart", restart::CASES),
        ("loss", loss::CASES),
        ("spoke_dhcp", spoke_dhcp::CASES),
        ("soak", soak::CASES),
        ("automation", automation::CASES),
        ("captured", captured::CASES),
        ("client", client::CASES),
        ("guard", guard::CASES),
        ("harness_selfcheck", harness_selfcheck::CASES),
        ("interfaces", interfaces::CASES),
        ("l2l", l2l::CASES),
        ("machine", machine::CASES),
        ("map_filters", map_filters::CASES),
        ("model", model::CASES),
        ("reload", reload::CASES),
        ("remote_access", remote_access::CASES),
        ("combined", combined::CASES),
        ("debug", debug::CASES),
        ("nat", nat::CASES),
        ("flood", flood::CASES),
        ("negative", negative::CASES),
        ("openssh", openssh::CASES),
        ("path_mtu", path_mtu::CASES),
        ("privileges", privileges::CASES),
        ("rows", rows::CASES),
        ("shows", shows::CASES),
        ("health", health::CASES),
        ("why", why::CASES),
        ("terminal", terminal::CASES),
    ];
    // in Debian's kernel under QEMU, where `cargo ci kernel` sets this
    let in_guest: &[(&str, &[Case])] = &[("kernel", kernel::CASES)];
    let topics = if needs::in_guest() { in_guest } else { &everything };
    let pace = Arc::new(Pace::new(processors.min(threads)));
    let all = topics
        .iter()
        .flat_map(|(topic, cases)| cases.iter().map(move |case| (format!("{topic}::{}", case.name), case)));
    let (busy, waiting): (Vec<_>, Vec<_>) = all.partition(|(name, _)| is_busy(name));
    let trials =
        pace::spread(busy, waiting).into_iter().map(|(name, case)| trial(name, case, &pace)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    pace.tell_longest();
    conclusion.exit();
}

fn is_busy(name: &str) -> bool {
    BUSY.iter().any(|busy| name.starts_with(busy))
}

fn trial(name: String, case: &'static Case, pace: &Arc<Pace>) -> Trial {
    // roots take up to minutes to make: only when a test that needs one is about to run
    let cheap = |need: &&Need| !matches!(**need, Need::Trixie | Need::Libreswan) || !needs::required();
    let missing: Vec<String> =
        BASE.iter().chain(case.needs).filter(cheap).filter_map(|need| need.missing()).collect();
    if missing.is_empty() {
        let (pace, named) = (Arc::clone(pace), name.clone());
        return Trial::test(name, move || pace.run(&named, is_busy(&named), || run(case)));
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
    // an assertion's panic is a failure like any other: it is also reported with the logs of all
    // programs
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
