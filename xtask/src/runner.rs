//! Runs steps: one after the other, and in parallel those that mostly wait for the network or use
//! the processors that the compiler leaves free. The output of a parallel step is kept in a file
//! and printed in one piece, between two of the others.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::step::{Step, target};
use crate::tally::Tally;

enum Outcome {
    Passed,
    Failed(String),
    NotRun(&'static str),
}

/// A step that has ended.
struct Done {
    step: Step,
    outcome: Outcome,
    time: Duration,
    tally: Tally,
}

/// Steps that run beside the others.
struct Beside {
    left: Vec<Step>,
    ended: Receiver<(Step, Duration, Result<Tally>)>,
}

/// Runs steps and remembers how each went.
pub(crate) struct Runner {
    done: Vec<Done>,
    beside: Beside,
    start: Instant,
}

impl Runner {
    /// Runs the chosen steps. A single one needs no other beside it.
    pub(crate) fn run(chosen: &[Step]) -> Self {
        let several = chosen.len() > 1;
        let (aside, ours): (Vec<Step>, Vec<Step>) =
            chosen.iter().partition(|step| several && step.runs_beside());
        let mut this = Self { done: Vec::new(), beside: Beside::start(&aside), start: Instant::now() };
        for step in ours {
            this.print_ended(step.waits_for());
            this.run_one(step);
        }
        this.print_ended(&Step::ALL);
        this
    }

    fn run_one(&mut self, step: Step) {
        println!("\n===== {} =====", step.name());
        let start = Instant::now();
        let mut tally = Tally::default();
        let outcome = match step.depends_on().and_then(|earlier| self.failed(earlier)) {
            Some(earlier) => Outcome::NotRun(earlier.name()),
            None => step.run(&mut tally).into(),
        };
        self.note(step, outcome, start.elapsed(), tally);
    }

    fn failed(&self, step: Step) -> Option<Step> {
        let failed = |done: &Done| done.step == step && !matches!(done.outcome, Outcome::Passed);
        self.done.iter().any(failed).then_some(step)
    }

    fn note(&mut self, step: Step, outcome: Outcome, time: Duration, tally: Tally) {
        if let Outcome::Failed(why) = &outcome {
            println!("{} failed: {why}", step.name());
        }
        self.done.push(Done { step, outcome, time, tally });
    }

    /// Prints what has ended beside, and waits for those of `needed` that have not.
    fn print_ended(&mut self, needed: &[Step]) {
        loop {
            let ended = if self.beside.left.iter().any(|step| needed.contains(step)) {
                self.beside.ended.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.beside.ended.try_recv()
            };
            let (step, time, result) = match ended {
                Ok(ended) => ended,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    // their thread has ended without a word of these
                    for step in std::mem::take(&mut self.beside.left) {
                        let lost = Outcome::Failed("it ended without an outcome".to_owned());
                        self.note(step, lost, Duration::ZERO, Tally::default());
                    }
                    return;
                }
            };
            self.beside.left.retain(|left| *left != step);
            println!("\n===== {} (ran in parallel) =====", step.name());
            match std::fs::read(log(step)) {
                Ok(said) => print!("{}", String::from_utf8_lossy(&said)),
                Err(e) => println!("{}: {e}", log(step).display()),
            }
            let (outcome, tally) = match result {
                Ok(tally) => (Outcome::Passed, tally),
                Err(e) => {
                    let tally = e.downcast_ref::<Failed>().map(|failed| failed.0.clone()).unwrap_or_default();
                    (Outcome::Failed(format!("{e:#}")), tally)
                }
            };
            self.note(step, outcome, time, tally);
        }
    }

    /// Prints the table and the closing line. `complete` says that all data folders were given:
    /// then a skipped test is a failure.
    pub(crate) fn conclude(self, complete: bool) -> ExitCode {
        println!("\n{:<10} {:>7}  {:>6} {:>6} {:>7}  outcome", "step", "time", "passed", "failed", "skipped");
        let mut total = Tally::default();
        let mut good = true;
        for Done { step, outcome, time, tally } in &self.done {
            let text = match outcome {
                Outcome::Passed => "ok".to_owned(),
                Outcome::Failed(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
                Outcome::NotRun(earlier) => format!("NOT RUN: {earlier} failed"),
            };
            good &= matches!(outcome, Outcome::Passed);
            println!(
                "{:<10} {:>7}  {:>6} {:>6} {:>7}  {text}",
                step.name(),
                minutes(*time),
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
        println!("{:<10} {:>7}", "in all", minutes(self.start.elapsed()));
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

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(e) => Self::Failed(format!("{e:#}")),
        }
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// Tests of a step that failed beside the others.
#[derive(Debug)]
struct Failed(Tally, String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Failed {}

impl Beside {
    /// Starts a thread that runs them one after the other.
    fn start(steps: &[Step]) -> Self {
        let (sender, ended) = channel();
        let mut queue = VecDeque::from(steps.to_vec());
        std::thread::spawn(move || {
            while let Some(step) = queue.pop_front() {
                let start = Instant::now();
                let result = run_aside(step);
                if sender.send((step, start.elapsed(), result)).is_err() {
                    return;
                }
            }
        });
        Self { left: steps.to_vec(), ended }
    }
}

/// Where a step that runs beside others writes.
fn log(step: Step) -> PathBuf {
    target().join("ci").join(format!("{}.log", step.name()))
}

/// Runs a step as a program of its own, because its output is also that of the programs that it
/// starts.
fn run_aside(step: Step) -> Result<Tally> {
    let path = log(step);
    std::fs::create_dir_all(target().join("ci"))?;
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["step", step.name()])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("start a step")?;
    let status = child.wait()?;
    let said = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut tally = Tally::default();
    said.lines().for_each(|line| tally.line(line));
    if status.success() {
        return Ok(tally);
    }
    let Some(why) = said.lines().rev().find_map(|line| line.strip_prefix(WHY)) else {
        bail!("{} ended: {status}", step.name());
    };
    Err(Failed(tally, why.to_owned()).into())
}

/// The prefix of the reason why a parallel step failed.
const WHY: &str = "why: ";

/// The program that [`run_aside`] starts: a step whose counts are printed in the format of cargo's
/// tests.
pub(crate) fn step(step: Step) -> ExitCode {
    let mut tally = Tally::default();
    let result = step.run(&mut tally);
    if step.counts_itself() {
        let Tally { passed, failed, skipped, .. } = tally;
        println!(
            "test result: {}. {passed} passed; {failed} failed; {skipped} ignored",
            if result.is_ok() { "ok" } else { "FAILED" }
        );
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let why = format!("{e:#}");
            println!("{why}");
            println!("{WHY}{}", why.lines().next().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}
