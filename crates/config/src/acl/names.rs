//! The names that IOS has for numbers in access lists. Where a number has several names, IOS prints
//! the first.

/// A name of a number.
pub type Name<T> = (&'static str, T);

/// Protocols. `ip` is any.
pub const PROTOCOLS: &[Name<u8>] = &[
    ("ahp", 51),
    ("eigrp", 88),
    ("esp", 50),
    ("gre", 47),
    ("icmp", 1),
    ("igmp", 2),
    ("ipinip", 4),
    ("nos", 94),
    ("ospf", 89),
    ("pcp", 108),
    ("pim", 103),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
];

/// Ports of TCP.
pub const TCP_PORTS: &[Name<u16>] = &[
    ("bgp", 179),
    ("chargen", 19),
    ("cmd", 514),
    ("daytime", 13),
    ("discard", 9),
    ("domain", 53),
    ("drip", 3949),
    ("echo", 7),
    ("exec", 512),
    ("finger", 79),
    ("ftp", 21),
    ("ftp-data", 20),
    ("gopher", 70),
    ("hostname", 101),
    ("ident", 113),
    ("irc", 194),
    ("klogin", 543),
    ("kshell", 544),
    ("login", 513),
    ("lpd", 515),
    ("msrpc", 135),
    ("nntp", 119),
    ("pim-auto-rp", 496),
    ("pop2", 109),
    ("pop3", 110),
    ("smtp", 25),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("talk", 517),
    ("telnet", 23),
    ("time", 37),
    ("uucp", 540),
    ("whois", 43),
    ("www", 80),
];

/// Ports of UDP.
pub const UDP_PORTS: &[Name<u16>] = &[
    ("biff", 512),
    ("bootpc", 68),
    ("bootps", 67),
    ("discard", 9),
    ("dnsix", 195),
    ("domain", 53),
    ("echo", 7),
    ("isakmp", 500),
    ("mobile-ip", 434),
    ("nameserver", 42),
    ("netbios-dgm", 138),
    ("netbios-ns", 137),
    ("netbios-ss", 139),
    ("non500-isakmp", 4500),
    ("ntp", 123),
    ("pim-auto-rp", 496),
    ("rip", 520),
    ("ripv6", 521),
    ("snmp", 161),
    ("snmptrap", 162),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("talk", 517),
    ("tftp", 69),
    ("time", 37),
    ("who", 513),
    ("xdmcp", 177),
];

/// The ports of a protocol; none has names but TCP's and UDP's.
pub fn ports(protocol: Option<u8>) -> &'static [Name<u16>] {
    match protocol {
        Some(6) => TCP_PORTS,
        Some(17) => UDP_PORTS,
        _ => &[],
    }
}

/// Types and codes of ICMP.
pub const ICMP: &[Name<(u8, Option<u8>)>] = &[
    ("administratively-prohibited", (3, Some(13))),
    ("alternate-address", (6, None)),
    ("conversion-error", (31, None)),
    ("dod-host-prohibited", (3, Some(10))),
    ("dod-net-prohibited", (3, Some(9))),
    ("echo", (8, None)),
    ("echo-reply", (0, None)),
    ("general-parameter-problem", (12, Some(0))),
    ("host-isolated", (3, Some(8))),
    ("host-precedence-unreachable", (3, Some(14))),
    ("host-redirect", (5, Some(1))),
    ("host-tos-redirect", (5, Some(3))),
    ("host-tos-unreachable", (3, Some(12))),
    ("host-unknown", (3, Some(7))),
    ("host-unreachable", (3, Some(1))),
    ("information-reply", (16, None)),
    ("information-request", (15, None)),
    ("mask-reply", (18, None)),
    ("mask-request", (17, None)),
    ("mobile-redirect", (32, None)),
    ("net-redirect", (5, Some(0))),
    ("net-tos-redirect", (5, Some(2))),
    ("net-tos-unreachable", (3, Some(11))),
    ("net-unreachable", (3, Some(0))),
    ("network-unknown", (3, Some(6))),
    ("no-room-for-option", (12, Some(2))),
    ("option-missing", (12, Some(1))),
    ("packet-too-big", (3, Some(4))),
    ("parameter-problem", (12, None)),
    ("port-unreachable", (3, Some(3))),
    ("precedence-unreachable", (3, Some(15))),
    ("protocol-unreachable", (3, Some(2))),
    ("reassembly-timeout", (11, Some(1))),
    ("redirect", (5, None)),
    ("router-advertisement", (9, None)),
    ("router-solicitation", (10, None)),
    ("source-quench", (4, None)),
    ("source-route-failed", (3, Some(5))),
    ("time-exceeded", (11, None)),
    ("timestamp-reply", (14, None)),
    ("timestamp-request", (13, None)),
    ("traceroute", (30, None)),
    ("ttl-exceeded", (11, Some(0))),
    ("unreachable", (3, None)),
];

/// Types and codes of ICMP for IPv6.
pub const ICMP6: &[Name<(u8, Option<u8>)>] = &[
    ("beyond-scope", (1, Some(2))),
    ("destination-unreachable", (1, Some(3))),
    ("echo-reply", (129, None)),
    ("echo-request", (128, None)),
    ("header", (4, Some(0))),
    ("hop-limit", (3, Some(0))),
    ("mld-query", (130, None)),
    ("mld-reduction", (132, None)),
    ("mld-report", (131, None)),
    ("nd-na", (136, None)),
    ("nd-ns", (135, None)),
    ("next-header", (4, Some(1))),
    ("no-admin", (1, Some(1))),
    ("no-route", (1, Some(0))),
    ("packet-too-big", (2, None)),
    ("parameter-option", (4, Some(2))),
    ("parameter-problem", (4, None)),
    ("port-unreachable", (1, Some(4))),
    ("reassembly-timeout", (3, Some(1))),
    ("redirect", (137, None)),
    ("renum-command", (138, Some(0))),
    ("renum-result", (138, Some(1))),
    ("renum-seq-number", (138, Some(255))),
    ("router-advertisement", (134, None)),
    ("router-renumbering", (138, None)),
    ("router-solicitation", (133, None)),
    ("time-exceeded", (3, None)),
    ("unreachable", (1, None)),
];

/// Types of IGMP, by their low four bits.
pub const IGMP: &[Name<u8>] =
    &[("dvmrp", 3), ("host-query", 1), ("host-report", 2), ("pim", 4), ("trace", 5)];

/// Values of DSCP.
pub const DSCP: &[Name<u8>] = &[
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("default", 0),
    ("ef", 46),
];

/// Precedences.
pub const PRECEDENCE: &[Name<u8>] = &[
    ("critical", 5),
    ("flash", 3),
    ("flash-override", 4),
    ("immediate", 2),
    ("internet", 6),
    ("network", 7),
    ("priority", 1),
    ("routine", 0),
];

/// Types of service.
pub const TOS: &[Name<u8>] = &[
    ("max-reliability", 2),
    ("max-throughput", 4),
    ("min-delay", 8),
    ("min-monetary-cost", 1),
    ("normal", 0),
];

/// Options of the IP header.
pub const OPTIONS: &[Name<u8>] = &[
    ("add-ext", 147),
    ("com-security", 134),
    ("dps", 151),
    ("encode", 15),
    ("eool", 0),
    ("ext-ip", 145),
    ("ext-security", 133),
    ("finn", 205),
    ("imitd", 144),
    ("lsr", 131),
    ("mtup", 11),
    ("mtur", 12),
    ("no-op", 1),
    ("nsapa", 150),
    ("record-route", 7),
    ("router-alert", 148),
    ("sdb", 149),
    ("security", 130),
    ("ssr", 137),
    ("stream-id", 136),
    ("timestamp", 68),
    ("traceroute", 82),
    ("ump", 152),
    ("visa", 142),
    ("zsu", 10),
];

/// Days of the week, from Monday.
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Months, from January.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What a name stands for; also abbreviated, if only one begins so.
pub fn value<T: Copy + PartialEq>(names: &[Name<T>], typed: &str) -> Option<T> {
    let is = |name: &str| name.eq_ignore_ascii_case(typed);
    if let Some((_, value)) = names.iter().find(|(name, _)| is(name)) {
        return Some(*value);
    }
    let begins = |name: &str| name.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let mut found = names.iter().filter(|(name, _)| !typed.is_empty() && begins(name));
    let (_, first) = found.next()?;
    found.next().is_none().then_some(*first)
}

/// The name of a value; the first, if it has several.
pub fn name<T: PartialEq>(names: &[Name<T>], value: &T) -> Option<&'static str> {
    names.iter().find(|(_, known)| known == value).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        fn check<T>(names: &[Name<T>]) {
            assert!(names.is_sorted_by(|(one, _), (other, _)| one < other));
        }
        check(PROTOCOLS);
        check(TCP_PORTS);
        check(UDP_PORTS);
        check(ICMP);
        check(ICMP6);
        check(IGMP);
        check(DSCP);
        check(PRECEDENCE);
        check(TOS);
        check(OPTIONS);
    }

    #[test]
    fn names_may_be_abbreviated() {
        assert_eq!(value(TCP_PORTS, "www"), Some(80));
        assert_eq!(value(TCP_PORTS, "WW"), Some(80));
        assert_eq!(value(TCP_PORTS, "ftp"), Some(21), "not the beginning of ftp-data");
        assert_eq!(value(TCP_PORTS, "p"), None);
        assert_eq!(value(UDP_PORTS, "www"), None);
        assert_eq!(name(TCP_PORTS, &514), Some("cmd"));
    }
}
