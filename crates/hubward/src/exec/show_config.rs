//! `show running-config`, `show startup-config` and `show archive`. They hold secrets: whoever is not privileged gets none of it.

use super::layout::{Format, Layout};
use super::{Arguments, Context, Output, PRIVILEGED, Refusal, shown};
use serde::Serialize;
use std::io::{self, Write};

pub(super) fn running(context: &Context, arguments: &Arguments) -> Output {
    match arguments.interface() {
        Some(name) => running_interface(context, arguments, &name),
        None => {
            let text = context.snapshot.parsed.document.print();
            shown(Listing::new(Source::Running, text, context.caller.privilege)?)
        }
    }
}

fn running_interface(context: &Context, arguments: &Arguments, name: &str) -> Output {
    let parsed = &context.snapshot.parsed;
    let interface = parsed.config.interfaces.iter().find(|interface| interface.name == name);
    let interface = interface.ok_or_else(|| arguments.invalid("interface"))?;
    let first = usize::try_from(interface.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let behind = parsed.document.lines.iter().skip(first.saturating_add(1));
    let mut text = format!("interface {name}\n");
    for line in behind.take_while(|line| line.text.starts_with(' ')) {
        // as IOS indents
        text.push(' ');
        text.push_str(line.text.trim());
        text.push('\n');
    }
    shown(Listing::new(Source::Part, text, context.caller.privilege)?)
}

pub(super) fn startup(context: &Context, _: &Arguments) -> Output {
    let text = context.snapshot.startup.clone();
    let text = text.ok_or_else(|| Refusal::Failed("startup-config is not present".into()))?;
    shown(Listing::new(Source::Startup, text, context.caller.privilege)?)
}

pub(super) fn archive(_: &Context, _: &Arguments) -> Output {
    shown(Archive)
}

/// Bytes that a router of that time keeps its configuration in. A file has no such bound, but who compares configurations
/// (Ansible) leaves the first line out of it only if it is written as IOS does.
const NVRAM: usize = 262_136;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Running,
    /// A part of what is running.
    Part,
    Startup,
}

/// The text of a configuration, `end` included.
struct Listing {
    source: Source,
    text: String,
}

/// A line of a configuration.
#[derive(Serialize)]
struct LineRow {
    number: usize,
    text: String,
}

impl Listing {
    /// Below privilege 15 a configuration does not exist; the table says so already, and this is what it rests on.
    fn new(source: Source, text: String, privilege: u8) -> Result<Self, Refusal> {
        if privilege < PRIVILEGED {
            return Err(Refusal::Invalid(0));
        }
        // what is behind `end` is no configuration
        let end = hubward_config::end_of(&text).unwrap_or(usize::MAX);
        let mut lines: Vec<_> = text.lines().take(end).collect();
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        lines.push("end");
        let mut text = lines.join("\n");
        text.push('\n');
        Ok(Self { source, text })
    }
}

impl Layout for Listing {
    type Row = LineRow;

    fn rows(&self) -> impl Iterator<Item = LineRow> {
        (1..).zip(self.text.lines()).map(|(number, text)| LineRow { number, text: text.to_string() })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let bytes = self.text.len();
        match self.source {
            Source::Startup => writeln!(out, "Using {bytes} out of {} bytes", bytes.max(NVRAM))?,
            Source::Running => {
                writeln!(out, "Building configuration...\n\nCurrent configuration : {bytes} bytes")?;
            }
            Source::Part => {
                writeln!(out, "Building configuration...\n\nCurrent configuration : {bytes} bytes\n!")?;
            }
        }
        for row in self.rows() {
            writeln!(out, "{}", row.text)?;
        }
        writeln!(out)
    }
}

/// Saved configurations are not kept.
struct Archive;

impl Layout for Archive {
    type Row = LineRow;

    fn rows(&self) -> impl Iterator<Item = LineRow> {
        std::iter::empty()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Archive feature not enabled")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A banner may say `end`; what is behind the configuration's own is not shown.
    #[test]
    fn a_banner_does_not_end_the_listing() {
        let text = "banner motd #\nend\n#\nhostname A\n\nEND\nhostname B\n".to_string();
        let listing = Listing::new(Source::Running, text, PRIVILEGED).unwrap();
        assert_eq!(listing.text, "banner motd #\nend\n#\nhostname A\nend\n");
    }
}
