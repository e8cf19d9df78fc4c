//! The steps of `cargo ci`, their order, and the table at the end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::gates;
use crate::guest;
use crate::python;
use crate::tally::Tally;

/// One step, in the order in which they run: what is quick to fail comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Packages,
    Python,
    Fmt,
    Deny,
    Clippy,
    Test,
    Build,
    Gates,
    Lab,
    Interop,
    Kernel,
}

impl Step {
    pub(crate) const ALL: [Self; 11] = [
        Self::Packages,
        Self::Python,
        Self::Fmt,
        Self::Deny,
        Self::Clippy,
        Self::Test,
        Self::Build,
        Self::Gates,
        Self::Lab,
        Self::Interop,
        Self::Kernel,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Python => "python",
            Self::Deny => "deny",
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Build => "build",
            Self::Gates => "gates",
            Self::Lab => "lab",
            Self::Interop => "interop",
            Self::Kernel => "kernel",
        }
    }

    /// Steps that make no sense when this earlier one has failed.
    const fn depends_on(self) -> Option<Self> {
        match self {
            Self::Lab | Self::Interop | Self::Kernel => Some(Self::Build),
            _ => None,
        }
    }

    fn run(self, tally: &mut Tally) -> Result<()> {
        match self {
            Self::Packages => debian::install(),
            Self::Python => python::install(&target()),
            Self::Deny => deny(),
            Self::Fmt => {
                component("fmt", "rustfmt")?;
                cargo(&["fmt", "--all", "--check"], &[], tally)
            }
            Self::Clippy => {
                component("clippy", "clippy")?;
                cargo(
                    &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
                    &[],
                    tally,
                )
            }
            Self::Test => {
                let arguments =
                    ["test", "--workspace", "--exclude", "hubward-interop", "--locked", "--no-fail-fast"];
                cargo(&arguments, &[], tally)
            }
            Self::Build => cargo(&["build", "--release", "--package", "hubward", "--locked"], &[], tally),
            Self::Gates => gates::check(tally),
            Self::Lab => cargo(&["lab"], &[], tally),
            Self::Interop => {
                let faults = faults_binary(tally)?;
                // tests that must not lose a packet need a processor when they want one
                let threads = format!("--test-threads={}", threads());
                let arguments =
                    ["test", "--package", "hubward-interop", "--locked", "--no-fail-fast", "--", &threads];
                let program = target().join("release").join("hubward");
                let program = program.to_str().context("the target folder's name is not UTF-8")?;
                let faults = faults.to_str().context("the target folder's name is not UTF-8")?;
                let programs = [("HUBWARD_BIN", program), ("HUBWARD_FAULTS_BIN", faults)];
                cargo(&arguments, &[&[("HUBWARD_REQUIRE", "1")], &programs[..]].concat(), tally)
            }
            Self::Kernel => kernel(tally),
        }
    }
}

/// The program whose threads fail on order, which no release build can be.
fn faults_binary(tally: &mut Tally) -> Result<PathBuf> {
    // as a part of the workspace, because then only it is compiled anew after the step `test`
    let faults = ["build", "--workspace", "--exclude", "hubward-interop", "--locked"];
    let faulty = ["--features", "hubward/fault-injection", "--bin", "hubward-faults"];
    cargo(&[&faults[..], &faulty].concat(), &[], tally)?;
    target()
        .canonicalize()
        .map(|target| target.join("debug").join("hubward-faults"))
        .context("the target folder")
}

/// The tests of the kernel as data plane, in a kernel that has ESP.
fn kernel(tally: &mut Tally) -> Result<()> {
    let built = || target().canonicalize().map(|target| target.join("release").join("hubward"));
    let program = std::env::var_os("HUBWARD_BIN").map_or_else(built, |path| Ok(PathBuf::from(path)))?;
    let faults = faults_binary(tally)?;
    let output = cargo_command()
        .args(["test", "--package", "hubward-interop", "--locked", "--no-run", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo")?;
    if !output.status.success() {
        bail!("the tests do not compile");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let tests = messages
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next())
        .find(|path| path.contains("/deps/interop-"))
        .context("cargo names no test program")?;
    if [Path::new(tests), &program, &faults].iter().any(|path| path.starts_with("/tmp")) {
        bail!(
            "the guest has a /tmp of its own and does not see the programs there: the checkout has to be elsewhere"
        );
    }
    let programs = format!("HUBWARD_BIN={} HUBWARD_FAULTS_BIN={}", program.display(), faults.display());
    let command =
        format!("HUBWARD_GUEST=1 HUBWARD_REQUIRE=1 {programs} {tests} --color never --test-threads=2");
    guest::run_in_guest(&target().canonicalize()?.join("guest"), &command, |line| tally.line(line))
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Cargo, without what it told this program of its package: build scripts would take that for another surrounding, and build all
/// that hangs on them again.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}

/// Runs cargo, shows its output as it comes and counts the tests in it.
fn cargo(arguments: &[&str], environment: &[(&str, &str)], tally: &mut Tally) -> Result<()> {
    println!("$ cargo {}", arguments.join(" "));
    let mut child = cargo_command()
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start cargo")?;
    let output = child.stdout.take().context("cargo's output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.line(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo {}: {status}", arguments.first().copied().unwrap_or_default());
    }
    Ok(())
}

fn component(subcommand: &str, component: &str) -> Result<()> {
    let there = cargo_command()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        bail!("cargo {subcommand} is missing: rustup component add {component}");
    }
    Ok(())
}

/// `cargo deny`, installed first if it is not there; a debug build of it compiles in half the time and is quick enough.
fn deny() -> Result<()> {
    let mut tally = Tally::default();
    let there = cargo_command()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        cargo(&["install", "--locked", "--debug", "cargo-deny"], &[], &mut tally)?;
    }
    cargo(
        &["deny", "--color", "never", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
        &[],
        &mut tally,
    )
}

enum Outcome {
    Passed,
    Failed(String),
    NotRun(&'static str),
}

/// Runs steps and remembers how each went.
#[derive(Default)]
pub(crate) struct Runner {
    done: Vec<(Step, Outcome, Duration, Tally)>,
}

impl Runner {
    /// Runs one step.
    pub(crate) fn run(&mut self, step: Step) {
        println!("\n===== {} =====", step.name());
        let blocked = step.depends_on().filter(|earlier| {
            self.done.iter().any(|(s, outcome, ..)| s == earlier && !matches!(outcome, Outcome::Passed))
        });
        let start = Instant::now();
        let mut tally = Tally::default();
        let outcome = match blocked {
            Some(earlier) => Outcome::NotRun(earlier.name()),
            None => match step.run(&mut tally) {
                Ok(()) => Outcome::Passed,
                Err(e) => Outcome::Failed(format!("{e:#}")),
            },
        };
        if let Outcome::Failed(why) = &outcome {
            println!("{} failed: {why}", step.name());
        }
        self.done.push((step, outcome, start.elapsed(), tally));
    }

    /// Prints the table and the closing line. `complete` says that all data folders were given: then a skipped test
    /// is a failure.
    pub(crate) fn conclude(self, complete: bool) -> ExitCode {
        println!("\n{:<10} {:>7}  {:>6} {:>6} {:>7}  outcome", "step", "time", "passed", "failed", "skipped");
        let mut total = Tally::default();
        let mut good = true;
        for (step, outcome, time, tally) in &self.done {
            let text = match outcome {
                Outcome::Passed => "ok".to_owned(),
                Outcome::Failed(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
                Outcome::NotRun(earlier) => format!("NOT RUN: {earlier} failed"),
            };
            good &= matches!(outcome, Outcome::Passed);
            let seconds = time.as_secs();
            println!(
                "{:<10} {:>4}:{:02}  {:>6} {:>6} {:>7}  {text}",
                step.name(),
                seconds / 60,
                seconds % 60,
                tally.passed,
                tally.failed,
                tally.skipped
            );
            total.add(tally);
            // a step that fails without a failed test still counts in the closing line
            if matches!(outcome, Outcome::Failed(_)) && tally.failed == 0 {
                total.failed += 1;
            }
        }
        for name in &total.failed_names {
            println!("failed: {name}");
        }
        for name in &total.skipped_names {
            println!("skipped: {name}");
        }
        if complete && total.skipped > 0 {
            println!("all data folders are given, so no test may be skipped");
            good = false;
        }
        println!();
        println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
