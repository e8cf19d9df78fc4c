//! `why packet FROM TO …`: the way of a packet through this router, there and back.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{PRIVILEGED, Refusal};
use crate::router;
use crate::why::way::{self, End, Journey, Name, Question, Stage, Way, protocol};
use hubward_config::acl::names;
use std::io::{self, Write};

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Where the sentences begin.
const INDENT: usize = 13;

/// `why packet FROM TO [PROTOCOL [PORT] [from PORT] [established]] [input INTERFACE] [length BYTES]`
pub(super) fn packet(context: &Context, arguments: &Arguments) -> Output {
    let protocol = number(arguments)?;
    let question = Question {
        source: arguments.parsed("source")?.ok_or(Refusal::Incomplete)?,
        destination: arguments.parsed("destination")?.ok_or(Refusal::Incomplete)?,
        protocol,
        icmp: icmp(arguments)?,
        source_port: port(arguments, "source-port", protocol)?,
        destination_port: port(arguments, "port", protocol)?,
        established: arguments.has("established"),
        length: arguments.parsed("packet-length")?,
        input: arguments.interface(),
    };
    let snapshot = &context.snapshot;
    let is_there = |name: &String| snapshot.parsed.config.interfaces.iter().any(|one| one.name == *name);
    if !question.input.iter().all(is_there) {
        return Err(arguments.invalid("interface"));
    }
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

/// A port, by its number or by the name that access lists have for it.
fn port(arguments: &Arguments, argument: &str, protocol: u8) -> Result<Option<u16>, Refusal> {
    let Some(given) = arguments.get(argument) else { return Ok(None) };
    let found = given.parse().ok().or_else(|| names::value(names::ports(Some(protocol)), given));
    found.map(Some).ok_or_else(|| arguments.invalid(argument))
}

/// Type and code of ICMP, by their numbers or by the name that access lists have for them.
fn icmp(arguments: &Arguments) -> Result<Option<(u8, u8)>, Refusal> {
    let Some(given) = arguments.get("icmp-type") else { return Ok(None) };
    let number = given.parse().ok().map(|kind| (kind, None));
    let found = number.or_else(|| names::value(names::ICMP, given));
    let (kind, code) = found.ok_or_else(|| arguments.invalid("icmp-type"))?;
    Ok(Some((kind, arguments.parsed("icmp-code")?.or(code).unwrap_or(0))))
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
        Name::Nat => "it must not leave untranslated",
        Name::Arrival | Name::CryptoMap | Name::Departure => "here",
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{answer, interface, snapshot, text};
    use crate::machine::view::AddressedBy;
    use crate::manage::desk::{PRIVILEGED, Refusal};
    use crate::router::reflexive::Entry;
    use crate::views::snapshot::Snapshot;
    use std::sync::Arc;
    use std::time::Duration;

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

    fn two(config: &str) -> Snapshot {
        let interface = |index, name, net| interface(index, name, Some(net), AddressedBy::Configuration);
        snapshot(
            config,
            vec![
                interface(2, "GigabitEthernet0/0", "203.0.113.2/24"),
                interface(3, "GigabitEthernet0/1", "10.1.1.1/24"),
            ],
        )
    }

    fn told(config: &str, question: &str) -> String {
        let told = text(&format!("why packet {question}"), two(config), Format::Modern);
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Where the caret of a question is that means nothing.
    fn refused(config: &str, question: &str) -> Option<usize> {
        match answer(&format!("why packet {question}"), two(config), PRIVILEGED) {
            Err(Refusal::Invalid(place)) => Some(place),
            _ => None,
        }
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
        // what the kernel knows
        let mut now = two(CONFIG);
        let entry = Entry {
            protocol: 17,
            source: [203, 0, 113, 77].into(),
            destination: [10, 1, 1, 10].into(),
            ports: Some((53, 1024)),
            packets: 1,
            left: Duration::from_secs(10),
        };
        now.reflexive.insert("ANSWERS".into(), vec![entry]);
        let now = Arc::new(now);
        for (port, opens) in [(1024, true), (1025, false)] {
            let question = format!("why packet 203.0.113.77 10.1.1.10 udp {port} from 53");
            let told = text(&question, Arc::clone(&now), Format::Modern);
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(told.contains("opened by a packet before it, permits it"), opens, "{told}");
        }
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

    /// What a list chooses that has a line of unknown meaning is dropped behind that line, and not
    /// before it.
    #[test]
    fn what_a_list_cannot_decide_does_not_leave_as_it_is() {
        let list = "ip access-list extended TO\n permit udp any any\n deny ip object-group NOSUCH any\n permit ip any any\n";
        let map = "route-map RM permit 10\n match ip address TO\n";
        let to = "interface GigabitEthernet0/0 overload\n";
        let by_list = format!("ip nat inside source list TO {to}");
        let by_map = format!("{map}ip nat inside source route-map RM {to}");
        let published = format!("{map}ip nat inside source static 10.1.1.10 203.0.113.10 route-map RM\n");
        let policy = format!(
            "{map} set ip next-hop 203.0.113.1\ninterface GigabitEthernet0/1\n ip policy route-map RM\n"
        );
        for (rule, how) in [
            (by_list, "it must not leave untranslated"),
            (by_map, "it must not leave untranslated"),
            (published, "it must not leave untranslated"),
            (policy, "policy routing leads it nowhere"),
        ] {
            let config = format!("{CONFIG}{list}{rule}");
            let tcp = told(&config, "10.1.1.10 203.0.113.77 tcp 80");
            assert!(tcp.contains(&format!("is dropped ({how})")), "{rule}\n{tcp}");
            let line =
                "access list TO line 20, `deny ip object-group NOSUCH any`, of which not everything is known";
            assert!(tcp.contains(line), "{rule}\n{tcp}");
            let udp = told(&config, "10.1.1.10 203.0.113.77 udp 53");
            assert!(udp.contains("leaves by GigabitEthernet0/0 in clear"), "{rule}\n{udp}");
        }
    }

    /// How long a packet is only the question can say.
    #[test]
    fn a_route_map_may_ask_for_the_length() {
        let config = format!(
            "{CONFIG}route-map LONG permit 10\n match length 1000 1500\n set interface Null0\ninterface GigabitEthernet0/1\n ip policy route-map LONG\n"
        );
        let open = told(&config, "10.1.1.10 203.0.113.77 udp 53");
        let unless = "route map LONG 10 matches it if it has 1000 to 1500 bytes (`length` says how many)";
        assert!(open.contains(unless) && open.contains("leaves by GigabitEthernet0/0"), "{open}");
        let long = told(&config, "10.1.1.10 203.0.113.77 udp 53 length 1400");
        assert!(long.contains("is dropped (policy routing leads it nowhere)"), "{long}");
        let short = told(&config, "10.1.1.10 203.0.113.77 udp 53 length 999");
        assert!(short.contains("leaves by GigabitEthernet0/0") && !short.contains("LONG 10"), "{short}");
    }

    #[test]
    fn ports_and_messages_have_their_names() {
        let config = "\
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.0
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip access-group IN in
ip access-list extended IN
 permit tcp any any eq www
 permit udp any eq ntp any
 permit icmp any any unreachable
 permit icmp any any 3 4
";
        for (question, line) in [
            ("tcp www", Some(10)),
            ("tcp 80", Some(10)),
            ("tcp smtp", None),
            ("udp 53 from ntp", Some(20)),
            ("icmp port-unreachable", Some(30)),
            ("icmp 3 1", Some(30)),
            ("icmp", None),
            ("icmp echo-reply", None),
        ] {
            let told = told(config, &format!("10.1.1.10 203.0.113.77 {question}"));
            let by = line.map_or("no line permits it".into(), |line| format!("access list IN line {line}, "));
            assert!(told.contains(&by), "{question}: {told}");
        }
        for wrong in ["tcp wwww", "udp www", "icmp ekko", "tcp 80000", "udp 53 from zz"] {
            let question = format!("10.1.1.10 203.0.113.77 {wrong}");
            let place = "why packet ".len() + question.rfind(' ').unwrap() + 1;
            assert_eq!(refused(config, &question), Some(place), "{wrong}");
        }
    }

    /// Where a packet really comes in, nobody but the question knows.
    #[test]
    fn a_packet_may_come_in_where_its_source_is_not() {
        let forged = "10.1.1.10 10.1.1.20 input gigabitethernet 0/0";
        let told_of = told(CONFIG, forged);
        assert!(told_of.contains("by GigabitEthernet0/0, as asked"), "{told_of}");
        assert!(told_of.contains("access list IN line 10"), "{told_of}");
        let checked = CONFIG.replace(
            " ip access-group IN in\n",
            " ip access-group IN in\n ip verify unicast source reachable-via rx\n",
        );
        let dropped = told(&checked, forged);
        assert!(dropped.contains("is dropped (its source does not belong to the interface)"), "{dropped}");
        assert!(refused(CONFIG, "10.1.1.10 10.1.1.20 input Tunnel7").is_some());
    }
}
