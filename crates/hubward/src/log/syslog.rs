//! Syslog servers (`logging host`): a datagram a message (RFC 3164). What the kernel does not take
//! at once is lost.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::log::line::LogLine;
use hubward_config::model::LogHost;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

/// Facility local7, which IOS uses.
const FACILITY: u16 = 23;
/// Bytes of a datagram (RFC 3164 section 4.1).
const LONGEST: usize = 1024;

/// The socket, once there is a server.
#[derive(Debug, Default)]
pub(crate) struct Syslog(Option<UdpSocket>);

/// The datagram of a message: `<189>Nov 23 09:12:47 Hub %CRYPTO-5-SESSION_STATUS: ...`, on one
/// line, without control characters.
fn datagram(line: &LogLine, hostname: &str) -> Vec<u8> {
    let priority = FACILITY * 8 + u16::from(line.severity());
    let words = line.words(Format::Modern);
    let words: Vec<_> = words.split_whitespace().collect();
    let stamp = Date::new(line.at).stamped(false, false, false);
    let text = format!("<{priority}>{stamp} {hostname} {}", words.join(" "));
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut bytes = text.into_bytes();
    bytes.truncate(LONGEST);
    bytes
}

impl Syslog {
    /// Sends a message to every server; how many it was given to. Never waits.
    pub(crate) fn send(&mut self, hosts: &[LogHost], hostname: &str, line: &LogLine) -> usize {
        if hosts.is_empty() {
            return 0;
        }
        if self.0.is_none() {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
            self.0 = socket.ok().filter(|socket| socket.set_nonblocking(true).is_ok());
        }
        let Some(socket) = &self.0 else { return 0 };
        let bytes = datagram(line, hostname);
        let sent = hosts.iter().filter(|host| {
            let to = SocketAddrV4::new(host.address, host.port);
            socket.send_to(&bytes, to).is_ok_and(|sent| sent == bytes.len())
        });
        sent.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_message_is_one_datagram() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let host = LogHost { address: Ipv4Addr::LOCALHOST, port: server.local_addr().unwrap().port() };
        let at = Duration::from_millis(1_795_425_167_123);
        let mut syslog = Syslog::default();
        let told = |syslog: &mut Syslog, text: &str| {
            let line = LogLine::message(at, "CRYPTO", 5, "SESSION_STATUS", text);
            assert_eq!(syslog.send(&[host], "Hub", &line), 1);
            let mut buffer = [0; 2048];
            let length = server.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(
            told(&mut syslog, "Crypto tunnel 1 is up"),
            "<189>Nov 23 09:12:47 Hub %CRYPTO-5-SESSION_STATUS: Crypto tunnel 1 is up"
        );
        let long = told(&mut syslog, &"\u{1b}[2J long ".repeat(300));
        assert_eq!(long.len(), LONGEST);
        assert!(!long.contains(|c: char| c.is_control()));
        let line = LogLine::message(at, "CRYPTO", 5, "SESSION_STATUS", "");
        assert_eq!(syslog.send(&[], "Hub", &line), 0);
    }
}
