//! What `hubward check` says of a configuration, and the options that it prints to start with.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hubward_interop::hubward::binary;
use hubward_interop::process;
use hubward_interop::wait::secs;

/// What `hubward check` said of a configuration.
pub(crate) struct Verdict {
    /// Its exit status.
    pub(crate) status: i32,
    /// The options after `start it with:`, split as a shell would split them.
    pub(crate) options: Vec<String>,
    /// Each tunnel, group and peer by its name, with the first word of its verdict.
    pub(crate) tunnels: Vec<(String, Outcome)>,
    /// All that it said.
    pub(crate) text: String,
}

/// What becomes of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Works,
    Differs,
    Missing,
}

impl Verdict {
    /// What it said of a tunnel below its name.
    pub(crate) fn why(&self, tunnel: &str) -> String {
        let mut lines =
            self.text.lines().skip_while(|line| !line.starts_with(&format!("{tunnel}: "))).skip(1);
        let mut out: Vec<String> = Vec::new();
        for line in lines.by_ref().take_while(|line| line.starts_with(' ')) {
            match out.last_mut() {
                // a reason goes on where the screen ended
                Some(reason) if line.starts_with("      ") => {
                    reason.push(' ');
                    reason.push_str(line.trim());
                }
                _ => out.push(line.trim().to_owned()),
            }
        }
        out.join("; ")
    }
}

/// Runs it; fails if it panics or ends with a status that it does not have.
pub(crate) fn check(file: &Path) -> Result<Verdict> {
    let mut command = Command::new(binary()?);
    command.arg("check").arg(file);
    let (status, out, err) = process::output(&mut command, secs(30))?;
    // a shell joins the lines of the command that is printed
    let text = format!("{out}{err}").replace("\\\n", "");
    let status = status.code().with_context(|| format!("check was ended by a signal: {status}\n{text}"))?;
    ensure!(!text.contains("panicked at"), "check panicked:\n{text}");
    ensure!([0, 1, 3].contains(&status), "check's status is {status}:\n{text}");
    let printed = text.lines().find_map(|line| line.trim_start().strip_prefix("start it with:"));
    let options = match printed {
        Some(line) => options_of(line)?,
        None => Vec::new(),
    };
    // 1 is "it does not start like this, but with these options", or no configuration at all
    if status == 1 && options.is_empty() {
        ensure!(
            text.contains("is not an IOS configuration"),
            "status 1 without the options to start it with, and not for want of a configuration:\n{text}"
        );
    }
    Ok(Verdict { status, options, tunnels: text.lines().filter_map(tunnel).collect(), text })
}

/// `OUTSIDE-MAP/10: differs`
fn tunnel(line: &str) -> Option<(String, Outcome)> {
    let (name, outcome) = line.rsplit_once(": ")?;
    let outcome = match outcome {
        "works" => Outcome::Works,
        "differs" => Outcome::Differs,
        "does not exist here" => Outcome::Missing,
        _ => return None,
    };
    (!name.starts_with(' ')).then(|| (name.to_owned(), outcome))
}

/// The options of a printed command, cut as `sh` cuts them: what is printed is meant to be copied
/// into one.
fn options_of(printed: &str) -> Result<Vec<String>> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("set -f; printf '%s\\n' {printed}"));
    let words = process::run(&mut command, secs(5))?;
    let mut words = words.lines().map(String::from);
    ensure!(
        (words.next().as_deref(), words.next().as_deref()) == (Some("hubward"), Some("run"))
            && words.next().is_some(),
        "what check prints is no command to start it with: {printed}"
    );
    Ok(words.collect())
}
