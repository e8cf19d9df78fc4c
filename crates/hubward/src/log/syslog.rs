//! Syslog servers (`logging host`): a datagram a message (RFC 3164). What the kernel does not take
//! at once is lost.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::log::line::LogLine;
use hubward_config::model::LogHost;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Facility local7, which IOS uses.
const FACILITY: u16 = 23;
/// Bytes of a datagram (RFC 3164 section 4.1).
const LONGEST: usize = 1024;

/// The socket of each family, once there is a server of it.
#[derive(Debug, Default)]
pub(crate) struct Syslog {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

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
        let bytes = datagram(line, hostname);
        let sent = hosts.iter().filter(|host| {
            let Some(socket) = self.socket(host.address) else { return false };
            socket.send_to(&bytes, (host.address, host.port)).is_ok_and(|sent| sent == bytes.len())
        });
        sent.count()
    }

    /// The socket that reaches an address.
    fn socket(&mut self, to: IpAddr) -> Option<&UdpSocket> {
        let (held, any) = match to {
            IpAddr::V4(_) => (&mut self.v4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            IpAddr::V6(_) => (&mut self.v6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        if held.is_none() {
            *held = UdpSocket::bind((any, 0)).ok().filter(|socket| socket.set_nonblocking(true).is_ok());
        }
        held.as_ref()
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
        let host = LogHost { address: Ipv4Addr::LOCALHOST.into(), port: server.local_addr().unwrap().port() };
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

    /// Where the machine has IPv6 at all; a container often has none.
    #[test]
    fn a_server_of_ipv6_has_a_socket_of_its_own() {
        let Ok(server) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let hosts = [&other, &server].map(|server| {
            let at = server.local_addr().unwrap();
            LogHost { address: at.ip(), port: at.port() }
        });
        let line = LogLine::message(Duration::ZERO, "CRYPTO", 5, "SESSION_STATUS", "Crypto tunnel 1 is up");
        assert_eq!(Syslog::default().send(&hosts, "Hub", &line), 2);
        let mut buffer = [0; 2048];
        let length = server.recv(&mut buffer).unwrap();
        assert!(buffer[..length].ends_with(b"Crypto tunnel 1 is up"));
    }
}
