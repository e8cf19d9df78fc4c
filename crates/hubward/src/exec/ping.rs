//! `ping`: echoes through the tunnels, as packets of this router's own go.

use crate::exec::command::{Arguments, Context};
use crate::manage::desk::Refusal;
use hubward_linux::icmp::{self, Outcome, Ping};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

pub(super) fn ping(
    context: &Context,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> crate::manage::desk::Outcome {
    match wanted(context, arguments) {
        Ok((ping, count)) => send(&ping, count, out).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// What to send, and how often.
fn wanted(context: &Context, arguments: &Arguments) -> Result<(Ping, u32), Refusal> {
    let destination = arguments.parsed("address")?.ok_or(Refusal::Incomplete)?;
    let mut ping = Ping { count: 1, dont_fragment: arguments.has("df-bit"), ..Ping::new(destination) };
    if let Some(size) = arguments.parsed("size")? {
        ping.size = size;
    }
    if let Some(seconds) = arguments.parsed("seconds")? {
        ping.timeout = Duration::from_secs(seconds);
    }
    ping.source = source(context, arguments)?;
    Ok((ping, arguments.parsed("count")?.unwrap_or(5)))
}

/// `source`: an address of ours, or an interface that has one.
fn source(context: &Context, arguments: &Arguments) -> Result<Option<Ipv4Addr>, Refusal> {
    let views: Vec<_> = context.snapshot.interfaces.iter().filter(|view| !view.shutdown).collect();
    let refused =
        || Refusal::Failed("Invalid source address- IP address not on any of our up interfaces".to_string());
    if let Some(address) = arguments.parsed::<Ipv4Addr>("source")? {
        let nets = views.iter().flat_map(|view| view.net.iter().chain(&view.secondary));
        return nets.map(|net| net.addr()).find(|own| *own == address).map(Some).ok_or_else(refused);
    }
    let Some(name) = arguments.interface() else { return Ok(None) };
    let known = context.snapshot.interfaces.iter().any(|view| view.name == name);
    let view = views.iter().find(|view| view.name == name);
    let view = view.ok_or_else(|| if known { refused() } else { arguments.invalid("interface") })?;
    view.net.map(|net| Some(net.addr())).ok_or_else(refused)
}

fn send(ping: &Ping, count: u32, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Type escape sequence to abort.")?;
    writeln!(
        out,
        "Sending {count}, {}-byte ICMP Echos to {}, timeout is {} seconds:",
        ping.size,
        ping.destination,
        ping.timeout.as_secs()
    )?;
    if let Some(source) = ping.source {
        writeln!(out, "Packet sent with a source address of {source} ")?;
    }
    if ping.dont_fragment {
        writeln!(out, "Packet sent with the DF bit set")?;
    }
    let (mut replies, mut least, mut most, mut total) = (0_u64, u128::MAX, 0, 0);
    let mut sent = 0;
    for number in 1..=count {
        sent = number;
        // one at a time, so that a closed connection ends it
        let outcomes = icmp::ping(ping, |_| {}).map_err(io::Error::other);
        let outcome = match outcomes {
            Ok(outcomes) => outcomes.into_iter().next().unwrap_or(Outcome::Timeout),
            Err(error) => Outcome::NotSent(error.to_string()),
        };
        if let Outcome::Reply(time) = &outcome {
            let time = time.as_millis().max(1);
            (replies, least, most, total) = (replies + 1, least.min(time), most.max(time), total + time);
        }
        write!(out, "{}", outcome.symbol())?;
        if number % 70 == 0 && number < count {
            writeln!(out)?;
        }
        // the escape sequence ends it, and it reports its result; if the user is gone, that fails
        // again
        if out.flush().is_err() {
            break;
        }
    }
    writeln!(out)?;
    let percent = (replies * 100).checked_div(sent.into()).unwrap_or(0);
    write!(out, "Success rate is {percent} percent ({replies}/{sent})")?;
    if let Some(average) = total.checked_div(u128::from(replies)) {
        write!(out, ", round-trip min/avg/max = {least}/{average}/{most} ms")?;
    }
    writeln!(out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader who flushes so often without an error.
    struct Reader {
        text: String,
        flushes: usize,
        hangs_up: bool,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes = self.flushes.saturating_sub(1);
            let fails = if self.hangs_up { self.flushes == 0 } else { self.flushes == 1 };
            if fails { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_host_that_answers() {
        let ping = Ping { count: 1, ..Ping::new(Ipv4Addr::LOCALHOST) };
        let mut out = Vec::new();
        send(&ping, 72, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "Sending 72, 100-byte ICMP Echos to 127.0.0.1, timeout is 2 seconds:");
        assert_eq!((lines[2], lines[3]), ("!".repeat(70).as_str(), "!!"));
        assert!(lines[4].starts_with("Success rate is 100 percent (72/72), round-trip min/avg/max = 1/"));
        let mut gone = Reader { text: String::new(), flushes: 4, hangs_up: true };
        assert!(send(&ping, u32::MAX, &mut gone).is_err(), "a reader who hangs up ends it");
        let mut interrupts = Reader { flushes: 5, hangs_up: false, ..gone };
        interrupts.text.clear();
        send(&ping, u32::MAX, &mut interrupts).unwrap();
        assert!(
            interrupts.text.contains("\n!!!!\nSuccess rate is 100 percent (4/4), "),
            "{}",
            interrupts.text
        );
    }

    #[test]
    fn a_host_that_is_not_there() {
        let ping = Ping { timeout: Duration::ZERO, count: 1, ..Ping::new(Ipv4Addr::new(127, 0, 0, 1)) };
        // not one of this machine's addresses: it cannot send from it
        let ping = Ping { source: Some(Ipv4Addr::new(192, 0, 2, 77)), ..ping };
        let mut out = Vec::new();
        send(&ping, 2, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Packet sent with a source address of 192.0.2.77 \n..\n"), "{text}");
        assert!(text.ends_with("Success rate is 0 percent (0/2)\n"), "{text}");
    }
}
