//! Syslog servers (`logging host`): a datagram a message, as IOS writes it. What the kernel does not
//! take at once is lost.

use crate::base::format::Format;
use crate::log::line::{LogLine, Stamps};
use hubward_config::model::{Addressing, Config, LogHost, Origin};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Bytes of a datagram (RFC 3164 section 4.1).
const LONGEST: usize = 1024;

/// What the configuration says of the servers.
#[derive(Debug)]
pub(crate) struct Servers {
    hosts: Vec<LogHost>,
    facility: u8,
    origin: Origin,
    hostname: String,
    /// The address of `logging source-interface`.
    source: Option<Ipv4Addr>,
}

impl Servers {
    pub(crate) fn new(config: &Config) -> Self {
        let log = &config.log;
        let source = log.source.as_ref().and_then(|name| {
            let interface = config.interfaces.iter().find(|one| one.name.eq_ignore_ascii_case(name))?;
            let Addressing::Static(nets) = &interface.address else { return None };
            nets.iter().find_map(|net| match net.addr() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
        });
        Self {
            hosts: log.hosts.clone(),
            facility: log.facility,
            origin: log.origin.clone(),
            hostname: config.hostname.clone().unwrap_or_else(|| "Router".into()),
            source,
        }
    }

    /// What precedes the time of a message that is sent to a server: `Hub: `.
    fn origin(&self, host: LogHost) -> String {
        match &self.origin {
            Origin::None => String::new(),
            Origin::Hostname => format!("{}: ", self.hostname),
            Origin::Text(text) => format!("{text}: "),
            Origin::Address => match self.leaves_from(host) {
                Some(address) => format!("{address}: "),
                None => String::new(),
            },
        }
    }

    /// The address from which a server is reached.
    fn leaves_from(&self, host: LogHost) -> Option<IpAddr> {
        let own = open(self.sender(host.address)).or_else(|| open(any(host.address)))?;
        own.connect((host.address, host.port)).ok()?;
        Some(own.local_addr().ok()?.ip())
    }

    /// The address that datagrams to an address are to be sent from.
    fn sender(&self, to: IpAddr) -> IpAddr {
        match (to, self.source) {
            (IpAddr::V4(_), Some(source)) => source.into(),
            _ => any(to),
        }
    }
}

/// Any address of the family of another.
fn any(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// A socket that sends from an address, if it is one of this machine.
fn open(from: IpAddr) -> Option<UdpSocket> {
    UdpSocket::bind((from, 0)).ok().filter(|socket| socket.set_nonblocking(true).is_ok())
}

/// The socket of each family, with the address that it sends from, once there is a server of it.
#[derive(Debug, Default)]
pub(crate) struct Syslog {
    v4: Option<(IpAddr, UdpSocket)>,
    v6: Option<(IpAddr, UdpSocket)>,
    /// Messages so far.
    count: u64,
}

/// The datagram of a message: `<189>44: Hub: Nov 23 09:12:47.123: %CRYPTO-5-SESSION_STATUS: ...`,
/// on one line, without control characters.
fn datagram(line: &LogLine, stamps: &Stamps, facility: u8, count: u64, origin: &str) -> Vec<u8> {
    let priority = u16::from(facility) * 8 + u16::from(line.severity());
    let words = line.words(Format::Modern);
    let words: Vec<_> = words.split_whitespace().collect();
    let text = format!("<{priority}>{count}: {origin}{}{}", stamps.of(line), words.join(" "));
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate((0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
    text.into_bytes()
}

impl Syslog {
    /// Sends a message to every server; how many it was given to. Never waits.
    pub(crate) fn send(&mut self, servers: &Servers, line: &LogLine, stamps: &Stamps) -> usize {
        if servers.hosts.is_empty() {
            return 0;
        }
        self.count += 1;
        let count = self.count;
        let sent = servers.hosts.iter().filter(|host| {
            let bytes = datagram(line, stamps, servers.facility, count, &servers.origin(**host));
            let Some(socket) = self.socket(host.address, servers) else { return false };
            socket.send_to(&bytes, (host.address, host.port)).is_ok_and(|sent| sent == bytes.len())
        });
        sent.count()
    }

    /// The socket that reaches an address. As long as the address that it is to send from is not one
    /// of this machine, the kernel chooses another.
    fn socket(&mut self, to: IpAddr, servers: &Servers) -> Option<&UdpSocket> {
        let (from, any) = (servers.sender(to), any(to));
        let held = if to.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if held.as_ref().is_none_or(|(bound, _)| *bound != from) {
            let wanted = open(from).map(|socket| (from, socket));
            *held = wanted.or_else(|| open(any).map(|socket| (any, socket)));
        }
        held.as_ref().map(|(_, socket)| socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const AT: Duration = Duration::from_millis(1_795_425_167_123);

    /// A server, and a configuration that sends there.
    fn server(address: IpAddr, text: &str) -> (UdpSocket, Config) {
        let server = UdpSocket::bind((address, 0)).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut config = hubward_config::parse(&format!("hostname Hub\n{text}")).config;
        config.log.hosts = vec![LogHost { address, port: server.local_addr().unwrap().port() }];
        (server, config)
    }

    fn heard(server: &UdpSocket) -> (String, IpAddr) {
        let mut buffer = [0; 2048];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        (String::from_utf8(buffer[..length].to_vec()).unwrap(), from.ip())
    }

    fn line(text: &str) -> LogLine {
        let mut line = LogLine::message(AT, "CRYPTO", 5, "SESSION_STATUS", text);
        line.number = 30;
        line
    }

    #[test]
    fn a_message_is_one_datagram() {
        let (server, config) = server(Ipv4Addr::LOCALHOST.into(), "");
        let (servers, stamps) = (Servers::new(&config), Stamps::new(&config, AT));
        let mut syslog = Syslog::default();
        let mut told = |text: &str| {
            assert_eq!(syslog.send(&servers, &line(text), &stamps), 1);
            heard(&server).0
        };
        assert_eq!(
            told("Crypto tunnel 1 is up"),
            "<189>1: Nov 23 09:12:47.123: %CRYPTO-5-SESSION_STATUS: Crypto tunnel 1 is up"
        );
        let long = told(&"\u{1b}[2J long ".repeat(300));
        assert_eq!(long.len(), LONGEST);
        assert!(long.starts_with("<189>2: ") && !long.contains(|c: char| c.is_control()));
        // no half of a character
        let cut = told(&"\u{fc}".repeat(2000));
        assert!(cut.len() <= LONGEST && cut.ends_with('\u{fc}'), "{cut}");
        let none = Servers::new(&hubward_config::parse("").config);
        assert_eq!(syslog.send(&none, &line(""), &stamps), 0);
    }

    /// What precedes the text is what the configuration says: facility, origin, number, time.
    #[test]
    fn a_message_has_the_head_that_the_configuration_says() {
        for (text, head) in [
            ("logging facility local0", "<133>1: Nov 23 09:12:47.123: "),
            ("logging origin-id hostname", "<189>1: Hub: Nov 23 09:12:47.123: "),
            ("logging origin-id string in Berlin", "<189>1: in Berlin: Nov 23 09:12:47.123: "),
            ("logging origin-id ip", "<189>1: 127.0.0.1: Nov 23 09:12:47.123: "),
            ("service sequence-numbers", "<189>1: 000030: Nov 23 09:12:47.123: "),
            (
                "service sequence-numbers\nlogging origin-id hostname",
                "<189>1: Hub: 000030: Nov 23 09:12:47.123: ",
            ),
            ("service timestamps log datetime year show-timezone", "<189>1: Nov 23 2026 09:12:47 UTC: "),
            (
                "clock timezone CET 1\nservice timestamps log datetime localtime show-timezone",
                "<189>1: Nov 23 10:12:47 CET: ",
            ),
            ("service timestamps log uptime", "<189>1: 00:00:00: "),
            ("no service timestamps", "<189>1: "),
        ] {
            let (server, config) = server(Ipv4Addr::LOCALHOST.into(), text);
            let (servers, stamps) = (Servers::new(&config), Stamps::new(&config, AT));
            assert_eq!(Syslog::default().send(&servers, &line("up"), &stamps), 1);
            assert_eq!(heard(&server).0, format!("{head}%CRYPTO-5-SESSION_STATUS: up"), "{text}");
        }
    }

    /// From the address of the interface, and from another as long as it is not there.
    #[test]
    fn a_message_comes_from_the_interface() {
        let text =
            "interface Loopback0\n ip address 10.0.0.1 255.255.255.255\nlogging source-interface Lo0\n";
        let mut syslog = Syslog::default();
        for (address, from) in
            [("127.0.0.9", "127.0.0.9"), ("192.0.2.99", "127.0.0.1"), ("127.0.0.8", "127.0.0.8")]
        {
            let (server, mut config) = server(Ipv4Addr::LOCALHOST.into(), text);
            // no line gives such an address, and a test has no other
            config.interfaces[0].address = Addressing::Static(vec![format!("{address}/32").parse().unwrap()]);
            let (servers, stamps) = (Servers::new(&config), Stamps::new(&config, AT));
            assert_eq!(syslog.send(&servers, &line("up"), &stamps), 1);
            assert_eq!(heard(&server).1.to_string(), from);
        }
    }

    /// Where the machine has IPv6 at all; a container often has none.
    #[test]
    fn a_server_of_ipv6_has_a_socket_of_its_own() {
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
            return;
        }
        let (other, mut config) = server(Ipv4Addr::LOCALHOST.into(), "");
        let (server, second) = server(Ipv6Addr::LOCALHOST.into(), "");
        config.log.hosts.extend(second.log.hosts);
        let (servers, stamps) = (Servers::new(&config), Stamps::new(&config, AT));
        assert_eq!(Syslog::default().send(&servers, &line("Crypto tunnel 1 is up"), &stamps), 2);
        for socket in [&other, &server] {
            assert!(heard(socket).0.ends_with("Crypto tunnel 1 is up"));
        }
    }
}
