//! What the configuration check has to say.

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Accepted, without effect or with a remark.
    Notice,
    /// Works, but hardly as intended or not safely.
    Warning,
    /// The line has no effect although it should.
    Error,
}

/// Stable names of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Accepted without effect, for a known reason.
    Inert,
    /// Known to IOS, not implemented here; something will differ.
    Unsupported,
    /// An access control that is not enforced; stops the start.
    Unenforced,
    /// Changes forwarding and is not implemented.
    Forwarding,
    /// Not a command that we know.
    Unknown,
    /// A known command with a wrong argument.
    Invalid,
    /// A name that nothing defines.
    Dangling,
    /// A name that IOS takes, and that others may not.
    Name,
    /// A dynamic crypto map entry before a static one.
    DynamicFirst,
    /// One of two keys or profiles hides the other.
    Shadowed,
    /// A wildcard key, and peers that may propose any proxy.
    AnyProxy,
    /// A weak algorithm.
    Weak,
    /// Aggressive mode with a pre-shared key.
    AggressivePsk,
    /// A next hop in no connected network.
    OffLink,
    /// A network that is unreachable, because the interface that leads there has no link here.
    Unreachable,
    /// Xauth that would be asked of LAN-to-LAN peers.
    XauthOnLan,
    /// A crypto map entry or profile that lacks a part.
    Incomplete,
    /// A password that is not protected, or is not used.
    Password,
    /// Networks, pools or access lists of which one takes what is meant for the other.
    Overlap,
    /// A translation that takes packets from a crypto access list.
    NatFirst,
    /// An access list with source and destination reversed, or one that selects the tunnel itself.
    Misdirected,
    /// A network mask where a wildcard belongs.
    Wildcard,
    /// A filter that keeps out the packets of the tunnels behind it.
    Starved,
    /// A crypto map on no interface, a dynamic map in no crypto map, or a translation without a side.
    Unapplied,
    /// An ISAKMP policy that no peer can match.
    Unusable,
    /// A login that admits nobody.
    LockedOut,
    /// Something that the engine cannot use and leaves out.
    LeftOut,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 26] = [
        Self::Inert,
        Self::Unsupported,
        Self::Unenforced,
        Self::Forwarding,
        Self::Unknown,
        Self::Invalid,
        Self::Dangling,
        Self::DynamicFirst,
        Self::Shadowed,
        Self::AnyProxy,
        Self::Weak,
        Self::AggressivePsk,
        Self::OffLink,
        Self::Unreachable,
        Self::XauthOnLan,
        Self::Incomplete,
        Self::Password,
        Self::Overlap,
        Self::NatFirst,
        Self::Misdirected,
        Self::Wildcard,
        Self::Starved,
        Self::Unapplied,
        Self::Unusable,
        Self::LockedOut,
        Self::LeftOut,
    ];

    /// The stable name, as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inert => "inert",
            Self::Unsupported => "unsupported",
            Self::Unenforced => "unenforced",
            Self::Forwarding => "forwarding",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Dangling => "dangling",
            Self::Name => "name",
            Self::DynamicFirst => "dynamic-first",
            Self::Shadowed => "shadowed",
            Self::AnyProxy => "any-proxy",
            Self::Weak => "weak",
            Self::AggressivePsk => "aggressive-psk",
            Self::OffLink => "off-link",
            Self::Unreachable => "unreachable",
            Self::XauthOnLan => "xauth-on-lan",
            Self::Incomplete => "incomplete",
            Self::Password => "password",
            Self::Overlap => "overlap",
            Self::NatFirst => "nat-first",
            Self::Misdirected => "misdirected",
            Self::Wildcard => "wildcard",
            Self::Starved => "starved",
            Self::Unapplied => "unapplied",
            Self::Unusable => "unusable",
            Self::LockedOut => "locked-out",
            Self::LeftOut => "left-out",
        }
    }
}

/// One remark on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Its stable name.
    pub code: Code,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first character concerned, from 1.
    pub column: u32,
    /// What happens.
    pub message: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

/// The kinds of lines that prevent the start because they are not enforced, by the names of
/// `--allow-unenforced`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `ip access-group`.
    AccessGroup,
    /// Lock-and-key lists.
    AccessList,
    /// AAA by servers, and rules of AAA that are not implemented.
    Aaa,
    /// `ip admission`, `ip auth-proxy`, `dot1x`.
    Admission,
    /// What a group requires of its clients.
    ClientPolicy,
    /// What `control-plane` polices.
    ControlPlane,
    /// `set ip access-group`, `set identity`.
    CryptoFilter,
    /// `ip virtual-reassembly drop-fragments`.
    Fragments,
    /// `group-lock`.
    GroupLock,
    /// `ip inspect`.
    Inspect,
    /// `ip ips`.
    Ips,
    /// IPv6 filters, and IPv6 on interfaces that have filters.
    Ipv6,
    /// What restricts the users of a terminal line.
    Line,
    /// `login block-for`.
    Login,
    /// `max-logins`.
    MaxLogins,
    /// `max-users`.
    MaxUsers,
    /// `ip nat`.
    Nat,
    /// `ip tcp intercept`.
    TcpIntercept,
    /// `ip urlfilter`.
    UrlFilter,
    /// `ip verify unicast`.
    Urpf,
    /// What restricts a user of `username`.
    User,
    /// `vrf forwarding` on an interface, which is shut instead.
    Vrf,
    /// The zone-based firewall.
    Zone,
    /// What follows `end`.
    AfterEnd,
    /// Any other.
    Other,
}

/// Kinds by how their lines begin.
const BEGINNINGS: &[(&str, Kind)] = &[
    ("aaa", Kind::Aaa),
    ("access-list", Kind::AccessList),
    ("access-restrict", Kind::ClientPolicy),
    ("authorization", Kind::Line),
    ("dot1x", Kind::Admission),
    ("firewall", Kind::ClientPolicy),
    ("group-lock", Kind::GroupLock),
    ("ip access-group", Kind::AccessGroup),
    ("ip admission", Kind::Admission),
    ("ip audit", Kind::Ips),
    ("ip auth-proxy", Kind::Admission),
    ("ip inspect", Kind::Inspect),
    ("ip ips", Kind::Ips),
    ("ip nat", Kind::Nat),
    ("ip receive", Kind::ControlPlane),
    ("ip tcp intercept", Kind::TcpIntercept),
    ("ip urlfilter", Kind::UrlFilter),
    ("ip verify", Kind::Urpf),
    ("ip virtual-reassembly", Kind::Fragments),
    ("ip vrf", Kind::Vrf),
    ("ipv6", Kind::Ipv6),
    ("login", Kind::Login),
    ("max-logins", Kind::MaxLogins),
    ("max-users", Kind::MaxUsers),
    ("set identity", Kind::CryptoFilter),
    ("set ip access-group", Kind::CryptoFilter),
    ("set vrf", Kind::Vrf),
    ("smartcard-removal-disconnect", Kind::ClientPolicy),
    ("username", Kind::User),
    ("vrf", Kind::Vrf),
    ("zone", Kind::Zone),
    ("zone-member", Kind::Zone),
    ("zone-pair", Kind::Zone),
];

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::Aaa,
        Self::AccessGroup,
        Self::AccessList,
        Self::Admission,
        Self::AfterEnd,
        Self::ClientPolicy,
        Self::ControlPlane,
        Self::CryptoFilter,
        Self::Fragments,
        Self::GroupLock,
        Self::Inspect,
        Self::Ips,
        Self::Ipv6,
        Self::Line,
        Self::Login,
        Self::MaxLogins,
        Self::MaxUsers,
        Self::Nat,
        Self::TcpIntercept,
        Self::UrlFilter,
        Self::Urpf,
        Self::User,
        Self::Vrf,
        Self::Zone,
        Self::Other,
    ];

    /// The stable name, as it is printed and given.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aaa => "aaa",
            Self::AccessGroup => "access-group",
            Self::AccessList => "access-list",
            Self::Admission => "admission",
            Self::AfterEnd => "after-end",
            Self::ClientPolicy => "client-policy",
            Self::ControlPlane => "control-plane",
            Self::CryptoFilter => "crypto-filter",
            Self::Fragments => "fragments",
            Self::GroupLock => "group-lock",
            Self::Inspect => "inspect",
            Self::Ips => "ips",
            Self::Ipv6 => "ipv6",
            Self::Line => "line",
            Self::Login => "login",
            Self::MaxLogins => "max-logins",
            Self::MaxUsers => "max-users",
            Self::Nat => "nat",
            Self::TcpIntercept => "tcp-intercept",
            Self::UrlFilter => "urlfilter",
            Self::Urpf => "urpf",
            Self::User => "user",
            Self::Vrf => "vrf",
            Self::Zone => "zone",
            Self::Other => "other",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of a line that is spelled out, by the line that opens its mode.
    pub fn of(header: Option<&str>, line: &str) -> Self {
        if header.is_some_and(|header| header.starts_with("control-plane")) {
            return Self::ControlPlane;
        }
        // `vrf` of a pool of DHCP is not that of an interface
        if header.is_some_and(|header| header.starts_with("ip dhcp pool")) {
            return Self::Other;
        }
        let begins = |words: &str| {
            let mut own = line.split_whitespace();
            words.split(' ').all(|word| own.next().is_some_and(|own| own.eq_ignore_ascii_case(word)))
        };
        let longest =
            BEGINNINGS.iter().filter(|(words, _)| begins(words)).max_by_key(|(words, _)| words.len());
        longest.map_or(Self::Other, |(_, kind)| *kind)
    }
}

/// A line that is not enforced: it prevents the start unless it is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unenforced {
    /// Line, from 1.
    pub line: u32,
    /// What kind of line it is.
    pub kind: Kind,
    /// The line that opens its mode, spelled out.
    pub header: Option<String>,
    /// The line in full spelling, up to where a secret may begin.
    pub text: String,
    /// What it would do.
    pub message: String,
}

impl Unenforced {
    /// How the line is named: `HEADER: LINE`, or the line alone where it is a global one.
    pub fn name(&self) -> String {
        match &self.header {
            Some(header) => format!("{header}: {}", self.text),
            None => self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed::unenforced;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert_eq!(Kind::named("access-groups"), None);
    }

    /// A script may continue with `configure terminal`: a filter in it would be lost silently.
    #[test]
    fn lines_behind_the_first_end_stop_the_start() {
        let before = "hostname a\ninterface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\nend\n";
        for (behind, line) in [
            ("interface FastEthernet0/0\n ip access-group 3 in\nend\nwrite memory\n", Some(5)),
            ("!\nip access-list standard 3\n", Some(6)),
            ("end\n! comment\n\nexit\n", None),
            ("R1#\nR1#exit\nRouter>\n\u{1a}\nwr mem\n", None),
        ] {
            let parsed = crate::parse(&format!("{before}{behind}"));
            let found: Vec<_> = unenforced(&parsed).iter().map(|one| (one.kind, one.line)).collect();
            let expected: Vec<_> = line.map(|line| (Kind::AfterEnd, line)).into_iter().collect();
            assert_eq!(found, expected, "{behind}");
            assert_eq!(parsed.document.print(), format!("{before}{behind}"));
        }
        // the `end` of a banner is none
        let text = "banner motd #\nend\n#\nhostname a\n";
        assert!(unenforced(&crate::parse(text)).is_empty());
    }

    /// A line is named with its mode, so that leave for one interface is none for another.
    #[test]
    fn lines_that_nothing_holds_are_named_with_their_mode() {
        let text = "interface FastEthernet0/0\n ip inspect X in\ninterface FastEthernet0/1\n ip verify source\n\
                    username a access-class 10 password 0 SECRET\n";
        let found: Vec<_> =
            unenforced(&crate::parse(text)).iter().map(|one| (one.kind, one.name())).collect();
        let expected = [
            (Kind::Inspect, "interface FastEthernet0/0: ip inspect X in".to_string()),
            (Kind::Urpf, "interface FastEthernet0/1: ip verify source".to_string()),
            (Kind::User, "username a access-class 10 password".to_string()),
        ];
        assert_eq!(found, expected);
    }
}
