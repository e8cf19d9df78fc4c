//! `hubward check`, and what the remarks on a configuration mean for its start.

mod groups;
mod json;
mod keys;
mod replace;
mod report;
mod screen;
mod start;

pub(crate) use keys::group_keys;
pub(crate) use replace::{gone_in_use, may_replace};
pub(crate) use start::{is_configuration, read, started, status_here, tell};

use crate::base::program::{WrongUse, complain, say};
use crate::choices::{Choices, Options};
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How `check` prints.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Form {
    /// Show every line that differs or has no effect, not only how many there are.
    #[arg(long, conflicts_with = "json")]
    all: bool,
    /// Print one JSON document for each file, on a line of its own (docs/check-json.md).
    #[arg(long)]
    json: bool,
}

/// `hubward check`: the exit status of a file is 0 if everything in it is enforced, 3 if it starts
/// but something differs, and 1 if it does not start or cannot be read; of several files, the worst.
///
/// # Errors
/// The options are not right for one of the files.
pub(crate) fn files(files: &[PathBuf], options: &Options, form: Form) -> anyhow::Result<ExitCode> {
    let choices = Choices::of(options)?;
    // 1 is worse than 3
    let rank = |status: u8| if status == 1 { u8::MAX } else { status };
    let mut worst = 0;
    for (place, file) in files.iter().enumerate() {
        let status = match Report::of(file, &choices) {
            Ok(report) => {
                if form.json {
                    say(&format!("{}\n", json::document(&report)));
                } else {
                    let between = if place > 0 { "\n" } else { "" };
                    let title = if files.len() > 1 {
                        format!("{between}== {} ==\n", report.name)
                    } else {
                        String::new()
                    };
                    say(&(title + &screen::text(&report, form.all)));
                }
                report.status
            }
            Err(wrong) if wrong.is::<WrongUse>() => return Err(wrong),
            Err(error) => {
                match form.json {
                    true => say(&format!("{}\n", json::unread(&name(file), &error))),
                    false => complain(&format!("hubward: {error:#}\n")),
                }
                1
            }
        };
        if rank(status) > rank(worst) {
            worst = status;
        }
    }
    Ok(worst.into())
}

/// How a file is called in messages.
fn name(file: &Path) -> String {
    match report::is_input(file) {
        true => "standard input".into(),
        false => file.display().to_string(),
    }
}
