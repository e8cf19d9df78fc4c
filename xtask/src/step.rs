//! The steps of `cargo ci` and their order.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::deny;
use crate::gates;
use crate::guest;
use crate::layers;
use crate::programs;
use crate::python;
use crate::tally::Tally;

/// One step, in the order in which they run: what is quick to fail comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Packages,
    Python,
    Guest,
    Fmt,
    Layers,
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
    pub(crate) const ALL: [Self; 13] = [
        Self::Packages,
        Self::Python,
        Self::Guest,
        Self::Fmt,
        Self::Layers,
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
            Self::Guest => "guest",
            Self::Deny => "deny",
            Self::Fmt => "fmt",
            Self::Layers => "layers",
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
    pub(crate) const fn depends_on(self) -> Option<Self> {
        match self {
            Self::Lab | Self::Interop | Self::Kernel => Some(Self::Build),
            _ => None,
        }
    }

    /// Steps that run beside the others, one after the other: they wait for the network, or their
    /// compiler works on another folder.
    pub(crate) const fn runs_beside(self) -> bool {
        matches!(self, Self::Packages | Self::Python | Self::Guest | Self::Build | Self::Gates)
    }

    /// Parallel steps that have to end before this one starts. From `lab` on nothing else may use a
    /// processor.
    pub(crate) const fn waits_for(self) -> &'static [Self] {
        match self {
            Self::Test => &[Self::Packages],
            Self::Lab | Self::Interop | Self::Kernel => &Self::ALL,
            _ => &[],
        }
    }

    /// Whether its counts are of no test program.
    pub(crate) const fn counts_itself(self) -> bool {
        matches!(self, Self::Gates | Self::Layers)
    }

    pub(crate) fn run(self, tally: &mut Tally) -> Result<()> {
        match self {
            Self::Packages => debian::install(),
            Self::Python => python::install(&target()),
            Self::Guest => guest::prepare(&guest_folder()?),
            Self::Deny => deny::check(),
            Self::Fmt => {
                component("fmt", "rustfmt")?;
                cargo(&["fmt", "--all", "--check"], &[], tally)
            }
            Self::Layers => layers::check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), tally),
            Self::Clippy => {
                component("clippy", "clippy")?;
                cargo(
                    &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
                    &[],
                    tally,
                )
            }
            Self::Test => programs::run(threads(), tally),
            Self::Build => {
                let packages = ["--package", "hubward", "--package", "hubward-bench"];
                let what = ["--bin", "hubward", "--bin", "work"];
                cargo(&[&["build", "--release", "--locked"][..], &packages, &what].concat(), &[], tally)
            }
            Self::Gates => gates::check(tally),
            Self::Lab => cargo(&["lab"], &[], tally),
            Self::Interop => interop(tally),
            Self::Kernel => kernel(tally),
        }
    }
}

/// The gateway as it is delivered, and the one whose threads fail on demand, in the variables that
/// the interop tests read.
fn gateways() -> Result<[(&'static str, String); 2]> {
    let built = |name: &'static str, profile: &str, program: &str| -> Result<(&'static str, String)> {
        let path = match std::env::var_os(name) {
            Some(path) => PathBuf::from(path),
            None => target().canonicalize()?.join(profile).join(program),
        };
        Ok((name, path.to_str().with_context(|| format!("{name} is not UTF-8"))?.to_owned()))
    };
    Ok([built("HUBWARD_BIN", "release", "hubward")?, built("HUBWARD_FAULTS_BIN", "debug", "hubward-faults")?])
}

/// The program of the interop tests, compiled.
fn interop_program() -> Result<programs::Program> {
    let mut programs = programs::compile()?.into_iter();
    programs
        .find(|program| program.name == programs::INTEROP)
        .context("cargo names no program of the interop tests")
}

fn interop(tally: &mut Tally) -> Result<()> {
    let mut command = interop_program()?.command();
    command.args(["--color", "never"]).env("HUBWARD_REQUIRE", "1").envs(gateways()?);
    show("interop", &mut command, tally)
}

/// The tests of the kernel as data plane, in a kernel that has ESP.
fn kernel(tally: &mut Tally) -> Result<()> {
    let tests = interop_program()?.path;
    let tests = tests.to_str().context("the target folder's name is not UTF-8")?;
    let gateways = gateways()?;
    let paths = gateways.iter().map(|(_, path)| path.as_str()).chain([tests]);
    if paths.map(Path::new).any(|path| path.starts_with("/tmp")) {
        bail!(
            "the guest has a /tmp of its own and does not see the programs there: the checkout has to be elsewhere"
        );
    }
    let variables = gateways.map(|(name, path)| format!("{name}={path}")).join(" ");
    let command =
        format!("HUBWARD_GUEST=1 HUBWARD_REQUIRE=1 {variables} {tests} --color never --test-threads=2");
    guest::run_in_guest(&guest_folder()?, &command, |line| tally.line(line))
}

fn guest_folder() -> Result<PathBuf> {
    std::fs::create_dir_all(target())?;
    Ok(target().canonicalize()?.join("guest"))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Cargo, without the variables about this program's package: build scripts would take them for a
/// different environment, and rebuild everything that depends on them.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}

/// Runs cargo, shows its output as it comes and counts the tests in it.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)], tally: &mut Tally) -> Result<()> {
    println!("$ cargo {}", arguments.join(" "));
    let mut command = cargo_command();
    command.args(arguments).envs(environment.iter().copied());
    show(&format!("cargo {}", arguments.first().copied().unwrap_or_default()), &mut command, tally)
}

/// Runs a program likewise.
fn show(name: &str, command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let output = child.stdout.take().with_context(|| format!("the output of {name}"))?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.line(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{name}: {status}");
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
