//! `why packet FROM TO …`: the way of a packet through this router, there and back.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{PRIVILEGED, Refusal};
use crate::router;
use crate::why::way::{self, End, Journey, Name, Question, Stage, Way, protocol};
use std::io::{self, Write};

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Where the sentences begin.
const INDENT: usize = 13;

/// `why packet FROM TO [PROTOCOL [PORT] [from PORT] [established]]`
pub(super) fn packet(context: &Context, arguments: &Arguments) -> Output {
    let question = Question {
        source: arguments.parsed("from")?.ok_or(Refusal::Incomplete)?,
        destination: arguments.parsed("to")?.ok_or(Refusal::Incomplete)?,
        protocol: number(arguments)?,
        source_port: arguments.parsed("sport")?,
        destination_port: arguments.parsed("port")?,
        established: arguments.has("established"),
    };
    let snapshot = &context.snapshot;
    let journey = way::journey(snapshot, router::inner_again(&snapshot.parsed.config), &question);
    // lines of the configuration are for those who may see it
    let lines = context.caller.privilege >= PRIVILEGED;
    shown(Told { question, journey, lines, foreign: snapshot.foreign.clone() })
}

fn number(arguments: &Arguments) -> Result<u8, Refusal> {
    Ok(match () {
        () if arguments.has("tcp") => protocol::TCP,
        () if arguments.has("udp") => protocol::UDP,
        () if arguments.has("esp") => protocol::ESP,
        () => arguments.parsed("protocol")?.unwrap_or(protocol::ICMP),
    })
}

struct Told {
    question: Question,
    journey: Journey,
    lines: bool,
    /// What else may drop a packet that is forwarded.
    foreign: Vec<String>,
}

impl Layout for Told {
    type Row = Journey;

    fn rows(&self) -> impl Iterator<Item = Journey> {
        std::iter::once(self.journey.clone())
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let Question { source, destination, .. } = self.question;
        writeln!(out, "From {source} to {destination}: {}", verdict(&self.journey.there))?;
        self.stages(&self.journey.there, out)?;
        let Some(back) = &self.journey.back else { return Ok(()) };
        writeln!(out, "\nThe answer: {}", verdict(back))?;
        self.stages(back, out)?;
        for (place, chain) in self.foreign.iter().enumerate() {
            writeln!(out, "{}Not looked at: {chain}", if place == 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Told {
    fn stages(&self, way: &Way, out: &mut dyn Write) -> io::Result<()> {
        for Stage { stage, says, line, passes } in &way.stages {
            let line = line.filter(|_| self.lines).map(|line| format!(" (line {line})")).unwrap_or_default();
            let sign = if *passes { ' ' } else { '!' };
            let text = format!("{says}{line}");
            let mut width = usize::MAX;
            write!(out, "{sign} {:<10}", stage.word())?;
            for word in text.split(' ') {
                if width.saturating_add(word.len() + 1) > COLUMNS - INDENT && width != usize::MAX {
                    write!(out, "\n{:INDENT$}{word}", "")?;
                    width = word.len();
                } else {
                    write!(out, " {word}")?;
                    width = if width == usize::MAX { word.len() } else { width + word.len() + 1 };
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// A sentence for the end.
fn verdict(way: &Way) -> String {
    match &way.end {
        End::Leaves { interface } => {
            format!("leaves by {interface} in clear, as {} to {}", way.source, way.destination)
        }
        End::Protected { interface, peer: Some(peer) } => {
            format!("leaves by {interface}, protected, to {peer}")
        }
        End::Protected { interface, peer: None } => {
            format!("would leave by {interface}, protected, once the tunnel is up")
        }
        End::Local => "is for this router itself".into(),
        End::Dropped { at } => format!("is dropped ({})", dropped(*at)),
    }
}

const fn dropped(at: Name) -> &'static str {
    match at {
        Name::InputFilter => "an access list denies it as it comes in",
        Name::OutputFilter => "an access list denies it as it leaves",
        Name::Route => "no route leads there",
        Name::Sa => "there is no SA to protect it",
        Name::Decryption => "it must be protected, and is not",
        Name::SourceCheck => "its source does not belong to the interface",
        Name::Nat => "there is no address to translate it to",
        Name::Arrival | Name::CryptoMap | Name::Departure => "here",
    }
}
