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
        source: arguments.parsed("source")?.ok_or(Refusal::Incomplete)?,
        destination: arguments.parsed("destination")?.ok_or(Refusal::Incomplete)?,
        protocol: number(arguments)?,
        source_port: arguments.parsed("source-port")?,
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
        End::Leaves { interface } if !way.source_known => {
            format!("leaves by {interface} in clear, as an address of a pool, to {}", way.destination)
        }
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
        Name::MapFilter => "an access list of the crypto map entry denies it",
        Name::InputFilter => "an access list denies it as it comes in",
        Name::OutputFilter => "an access list denies it as it leaves",
        Name::PolicyRouting => "policy routing leads it nowhere",
        Name::Route => "no route leads there",
        Name::Sa => "there is no SA to protect it",
        Name::Decryption => "it must be protected, and is not",
        Name::SourceCheck => "its source does not belong to the interface",
        Name::Nat => "there is no address to translate it to",
        Name::Arrival | Name::CryptoMap | Name::Departure => "here",
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{interface, snapshot, text};
    use crate::machine::view::AddressedBy;

    const CONFIG: &str = "\
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.0
 ip access-group IN in
 ip access-group OUT out
 ip nat outside
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
ip access-list extended OUT
 permit udp any any reflect ANSWERS
 permit ip any any
ip access-list extended IN
 permit icmp any any echo
 evaluate ANSWERS
 deny ip any any
access-list 1 permit 10.1.1.0 0.0.0.255
ip nat pool SEVERAL 203.0.113.10 203.0.113.20 netmask 255.255.255.0
";

    fn told(config: &str, question: &str) -> String {
        let told = text(
            &format!("why packet {question}"),
            snapshot(
                config,
                vec![
                    interface(2, "GigabitEthernet0/0", Some("203.0.113.2/24"), AddressedBy::Configuration),
                    interface(3, "GigabitEthernet0/1", Some("10.1.1.1/24"), AddressedBy::Configuration),
                ],
            ),
            Format::Modern,
        );
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What a line with `reflect` let out may be answered, and nothing else.
    #[test]
    fn an_answer_passes_because_the_packet_opened_the_way() {
        let nat = format!("{CONFIG}ip nat inside source list 1 interface GigabitEthernet0/0 overload\n");
        for config in [CONFIG, &nat] {
            let udp = told(config, "10.1.1.10 203.0.113.77 udp 53 from 1024");
            let opened = "access list IN line 20, `evaluate ANSWERS`, opened by the packet that it answers, permits it";
            assert!(udp.contains(opened), "{udp}");
            assert!(udp.contains("The answer: leaves by GigabitEthernet0/1 in clear"), "{udp}");
            // the line behind it permits it as well, and opens nothing
            let tcp = told(config, "10.1.1.10 203.0.113.77 tcp 53 from 1024");
            let denied =
                "access list IN line 30, `deny ip any any`, unless ANSWERS knows it as an answer, denies it";
            assert!(tcp.contains(denied) && tcp.contains("The answer: is dropped"), "{tcp}");
        }
        let from_outside = told(CONFIG, "203.0.113.77 10.1.1.10 udp 53");
        assert!(from_outside.contains("unless ANSWERS knows it as an answer, denies it"), "{from_outside}");
    }

    /// Which address of a pool it is nobody knows before.
    #[test]
    fn a_pool_is_no_address() {
        let rule = "ip nat inside source list 1 pool SEVERAL overload\n";
        let pool = told(&format!("{CONFIG}{rule}"), "10.1.1.10 203.0.113.77 udp 53");
        let end = "leaves by GigabitEthernet0/0 in clear, as an address of a pool, to 203.0.113.77";
        assert!(pool.contains(end), "{pool}");
        // for itself, a host gets the next one
        let alone =
            told(&format!("{CONFIG}{}", rule.replace(" overload", "")), "10.1.1.10 203.0.113.77 udp 53");
        assert!(alone.contains("gets the next free address of pool SEVERAL by its first packet"), "{alone}");
        assert!(!alone.contains("an address of a pool, to"), "{alone}");
    }
}
