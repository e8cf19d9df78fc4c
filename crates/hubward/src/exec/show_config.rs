//! `show running-config`, `show startup-config` and `show archive`. They contain secrets, which an
//! unprivileged user does not get.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{PRIVILEGED, Refusal};
use hubward_config::Parsed;
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
    if !parsed.config.interfaces.iter().any(|interface| interface.name == name) {
        return Err(arguments.invalid("interface"));
    }
    let text = interface_part(parsed, name);
    shown(Listing::new(Source::Part, text, context.caller.privilege)?)
}

/// What a configuration says of an interface, as IOS indents it.
fn interface_part(parsed: &Parsed, name: &str) -> String {
    let opener = format!("interface {name}");
    let mut text = format!("{opener}\n");
    for place in hubward_config::lines_under(&parsed.document.print(), &opener) {
        if let Some(line) = parsed.document.lines.get(place) {
            text.push_str(&format!(" {}\n", line.text.trim()));
        }
    }
    text
}

pub(super) fn startup(context: &Context, _: &Arguments) -> Output {
    let text = context.snapshot.startup.clone();
    let text = text.ok_or_else(|| Refusal::Failed("startup-config is not present".into()))?;
    shown(Listing::new(Source::Startup, text, context.caller.privilege)?)
}

pub(super) fn archive(_: &Context, _: &Arguments) -> Output {
    shown(Archive)
}

/// Bytes that a router of that time keeps its configuration in. A file has no such bound, but who
/// compares configurations (Ansible) leaves the first line out of it only if it is written as IOS
/// does.
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
    /// Below privilege 15 a configuration does not exist; the table says so already, and this is
    /// what it rests on.
    fn new(source: Source, text: String, privilege: u8) -> Result<Self, Refusal> {
        if privilege < PRIVILEGED {
            return Err(Refusal::Invalid(0));
        }
        // what follows `end` is not configuration
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

    /// A file need not be indented, and may open an interface again.
    #[test]
    fn an_interface_wherever_it_is_said() {
        let text = "int fa0/0\nip address dhcp\n! a remark\n\n  shutdown\nhostname A\ninterface FastEthernet 0/1\n shutdown\n\
                    exit\ninterface FastEthernet0/0\n description x\nend\n";
        let part = interface_part(&hubward_config::parse(text), "FastEthernet0/0");
        assert_eq!(part, "interface FastEthernet0/0\n ip address dhcp\n shutdown\n description x\n");
    }

    /// A banner may contain `end`; what follows the configuration's own `end` is not shown.
    #[test]
    fn a_banner_does_not_end_the_listing() {
        let text = "banner motd #\nend\n#\nhostname A\n\nEND\nhostname B\n".to_string();
        let listing = Listing::new(Source::Running, text, PRIVILEGED).unwrap();
        assert_eq!(listing.text, "banner motd #\nend\n#\nhostname A\nend\n");
    }
}
