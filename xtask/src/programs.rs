//! The test programs of the whole workspace: compiled in one go, so that nothing is compiled twice
//! with other features, and run side by side, which `cargo test` does not do.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::step::{cargo, cargo_command};
use crate::tally::Tally;

/// What is compiled: all, and the program whose threads fail on order. That one comes with its
/// package's tests.
const SELECTION: [&str; 4] = ["--workspace", "--locked", "--features", "hubward/fault-injection"];

/// The program that `interop` and `kernel` run.
pub(crate) const INTEROP: &str = "interop";

/// The longest: they start first.
const LONG: [&str; 5] = [INTEROP, "hubward", "constant_time", "simulation", "corpus"];

/// One test program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The folder of its package, where it expects to be started.
    folder: PathBuf,
}

/// Compiles all test programs, unless that was done.
pub(crate) fn compile() -> Result<Vec<Program>> {
    println!("$ cargo test {} --no-run", SELECTION.join(" "));
    let mut child = cargo_command()
        .arg("test")
        .args(SELECTION)
        .args(["--no-run", "--message-format=json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start cargo")?;
    let output = child.stdout.take().context("cargo's output")?;
    let mut programs = Vec::new();
    for line in BufReader::new(output).lines() {
        programs.extend(program(&line?));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the tests do not compile: {status}");
    }
    if programs.is_empty() {
        bail!("cargo names no test program");
    }
    Ok(programs)
}

/// A test program from one of cargo's messages.
fn program(message: &str) -> Option<Program> {
    let field = |name: &str| {
        let (_, rest) = message.split_once(&format!("\"{name}\":\""))?;
        rest.split('"').next()
    };
    let profile = message.split_once("\"profile\":{")?.1.split('}').next()?;
    if !message.starts_with("{\"reason\":\"compiler-artifact\"") || !profile.contains("\"test\":true") {
        return None;
    }
    let target = message.split_once("\"target\":{")?.1;
    let name = target.split_once("\"name\":\"")?.1.split('"').next()?;
    Some(Program {
        name: name.to_owned(),
        path: PathBuf::from(field("executable")?),
        folder: Path::new(field("manifest_path")?).parent()?.to_owned(),
    })
}

/// Runs all tests except those that need a built gateway and its peers; those only get what they
/// need from the network. Several programs run at a time, the output of each in one piece.
pub(crate) fn run(at_a_time: usize, tally: &mut Tally) -> Result<()> {
    let mut programs = compile()?;
    programs.sort_by_key(|program| LONG.iter().position(|name| *name == program.name).unwrap_or(LONG.len()));
    let queue = Mutex::new(VecDeque::from(programs));
    let done = Mutex::new((tally, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(program) = { queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() }
                {
                    let outcome = run_one(&program);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    println!("\n     Running {} ({})", program.name, program.path.display());
                    let failed = match outcome {
                        Ok((good, said)) => {
                            print!("{said}");
                            said.lines().for_each(|line| done.0.line(line));
                            !good
                        }
                        Err(e) => {
                            println!("{e:#}");
                            true
                        }
                    };
                    if failed {
                        done.1.push(program.name);
                    }
                }
            });
        }
    });
    let (tally, failed) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let documents = cargo(&[&["test", "--doc"][..], &SELECTION].concat(), &[], tally);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    documents
}

/// Whether all tests of a program passed, and what it said.
fn run_one(program: &Program) -> Result<(bool, String)> {
    let (mut reader, writer) = std::io::pipe().context("make a pipe")?;
    let mut child = {
        let mut command = program.command();
        if program.name == INTEROP {
            command.env("HUBWARD_PREPARE", "1");
        }
        // the writing ends are closed with the command, else the reader would wait for ever
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        command.spawn().with_context(|| format!("start {}", program.path.display()))?
    };
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut said)?;
    Ok((child.wait()?.success(), String::from_utf8_lossy(&said).into_owned()))
}

impl Program {
    /// Starts it as cargo does. All examples were built together with the tests: none has to build
    /// one.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("HUBWARD_EXAMPLES_BUILT", "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_told_from_others() {
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/linux#hubward-linux@0.1.0","manifest_path":"/w/crates/linux/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"kernel","src_path":"/w/crates/linux/tests/kernel.rs","edition":"2024","doc":false,"doctest":false,"test":true},"profile":{"opt_level":"0","debuginfo":"line-tables-only","debug_assertions":true,"overflow_checks":true,"test":true},"features":[],"filenames":["/w/target/debug/deps/kernel-1"],"executable":"/w/target/debug/deps/kernel-1","fresh":true}"#;
        let kernel = Program {
            name: "kernel".to_owned(),
            path: "/w/target/debug/deps/kernel-1".into(),
            folder: "/w/crates/linux".into(),
        };
        assert_eq!(program(message), Some(kernel));
        let not_a_test = message
            .replace("\"overflow_checks\":true,\"test\":true", "\"overflow_checks\":true,\"test\":false");
        assert_eq!(program(&not_a_test), None);
        let library =
            message.replace("\"executable\":\"/w/target/debug/deps/kernel-1\"", "\"executable\":null");
        assert_eq!(program(&library), None);
    }
}
