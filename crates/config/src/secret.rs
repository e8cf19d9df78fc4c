//! Passwords and keys as the configuration spells them.

use crate::form::words;
use crate::slip::near;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password or key with its type number (0 clear, 5 MD5-crypt, 6 AES, 7 obfuscated, 8 PBKDF2, 9
/// scrypt). `Debug` shows the type only; decoding is the caller's.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password {
    kind: u8,
    text: String,
}

impl Password {
    /// A password of a type, as written.
    pub fn new(kind: u8, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Type number.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// The text as written.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether the text has the form of its type. What does not have it matches no password, and
    /// IOS refuses it.
    pub fn is_well_formed(&self) -> bool {
        let letters = |text: &str, count: usize| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
            text.len() == count && text.bytes().all(is_letter)
        };
        let hashed = |mark: &str, count: usize| {
            let parts = self.text.strip_prefix(mark).and_then(|rest| rest.split_once('$'));
            parts.is_some_and(|(salt, hash)| !salt.is_empty() && letters(hash, count))
        };
        match self.kind {
            0 | 6 => true,
            4 => letters(&self.text, 43),
            5 => hashed("$1$", 22),
            7 => {
                let start = self.text.get(..2).and_then(|start| start.parse::<u8>().ok());
                let is_hex = self.text.bytes().all(|byte| byte.is_ascii_hexdigit());
                start.is_some_and(|start| start < 53) && is_hex && self.text.len().is_multiple_of(2)
            }
            8 => hashed("$8$", 43),
            9 => hashed("$9$", 43),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Password(type {})", self.kind)
    }
}

/// Whether what follows a word is, or may be, a secret: IOS's keywords for them and their
/// abbreviations.
fn announces_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let abbreviates = |keyword: &str| word.len() >= 2 && keyword.starts_with(&word);
    ["k", "key", "md5", "psk", "pmk", "pin", "pkcs12", "pem", "unlock"].contains(&word.as_str())
        || ["password", "secret", "key-string", "community", "passphrase"].into_iter().any(abbreviates)
        || ["-key", "-psk"].into_iter().any(|end| word.ends_with(end))
        || ["passw", "secret", "community", "hmac-"].into_iter().any(|part| word.contains(part))
        || is_slip(&word)
}

/// Whether a word is meant as one that announces a secret.
fn is_slip(word: &str) -> bool {
    // so short a word is many others with one letter changed: `kex`
    let letters = ["e", "k", "y"].iter().all(|letter| word.contains(letter));
    let long = ["password", "key-string", "passphrase", "community", "pre-shared-key"];
    let last = word.rsplit('-').next().unwrap_or(word);
    near(word, "secret", 1)
        || near(last, "key", 1) && (letters || last.len() < 3)
        || long.into_iter().any(|keyword| near(word, keyword, 2))
}

/// Commands that may have a secret, by their first word, or their first two.
const CARRIERS: &[&[&str]] = &[
    &["enable"],
    &["username"],
    &["crypto"],
    &["snmp-server"],
    &["snmp", "mib"],
    &["tacacs-server"],
    &["radius-server"],
    &["tacacs", "server"],
    &["radius", "server"],
    &["key"],
    &["password"],
    &["secret"],
    &["pre-shared-key"],
    &["ip", "ftp"],
    &["ip", "http"],
    &["ip", "nhrp"],
    &["ip", "ospf"],
    &["ip", "rip"],
    &["ntp"],
    &["vtp"],
    &["vpdn"],
    &["ppp"],
    &["standby"],
    &["vrrp"],
    &["glbp"],
];

/// Words after `crypto`, or after it and another word, of commands that have no secret in their
/// line.
const OPEN: [&str; 10] = [
    "map",
    "dynamic-map",
    "keyring",
    "policy",
    "profile",
    "client",
    "keepalive",
    "peer",
    "transform-set",
    "security-association",
];

/// The public part of a line that is not understood. If a keyword may be misspelt or missing, the
/// start of a secret is unknown for a command that may have one, so only its first two words are
/// shown.
pub fn public_part_of_unread(line: &str) -> &str {
    let public = public_part(line);
    let all = words(line);
    let negated = all.first().is_some_and(|word| ["no", "default"].contains(&word.text));
    let own = all.get(usize::from(negated)..).unwrap_or_default();
    let is_meant = |place: usize, keyword: &str| {
        own.get(place).is_some_and(|word| {
            let lower = word.text.to_ascii_lowercase();
            lower.len() > 2 && keyword.starts_with(&lower)
                || lower == keyword
                || keyword == "map" && near(&lower, keyword, 1)
                // shorter ones are too many other words: `vpn`
                || keyword.len() > 5 && near(&lower, keyword, 2)
        })
    };
    let carries = |carrier: &&[&str]| carrier.iter().enumerate().all(|(place, word)| is_meant(place, word));
    let is_open = || is_meant(0, "crypto") && OPEN.iter().any(|word| is_meant(1, word) || is_meant(2, word));
    if !CARRIERS.iter().any(carries) || is_open() {
        return public;
    }
    let Some(second) = own.get(1) else { return public };
    let start = usize::try_from(second.column.saturating_sub(1)).unwrap_or(0);
    let end = start.saturating_add(second.text.len()).min(public.len());
    line.get(..end).unwrap_or_default()
}

/// Families that announce secrets by words that are harmless elsewhere: a word of theirs, and what
/// announces the secret after it.
const FAMILIES: &[(&str, &[&str])] = &[
    ("standby", &["authentication"]),
    ("vrrp", &["authentication"]),
    ("glbp", &["authentication"]),
    ("hsrp", &["authentication"]),
    ("nhrp", &["authentication"]),
    ("authentication", &["text"]),
    ("snmp-server", &["host", "sha", "priv", "user"]),
    // IPsec of OSPF by keys that are written down
    ("ospf", &["spi"]),
    ("ospfv3", &["spi"]),
    ("area", &["spi"]),
    ("license", &["0", "7"]),
    ("gsm", &["profile"]),
    ("cellular", &["profile"]),
];

/// Where a word with a user name and password before an `@` stops being public:
/// `ftp://user:password@host`.
fn before_user(word: &str) -> Option<usize> {
    let (user, _) = word.rsplit_once('@')?;
    let start = user.find("://").map_or(0, |place| place + "://".len());
    user.get(start..)?.contains(':').then_some(start)
}

/// The part of a configuration line before any secret: what a message, a log or a screen may show.
pub fn public_part(line: &str) -> &str {
    let words = words(line);
    // of a keyring's key, the peer may be shown: the key itself follows its own word
    let whose = match words.as_slice() {
        [first, of, ..] if first.text.eq_ignore_ascii_case("pre-shared-key") => {
            ["address", "hostname"].contains(&of.text) && words.iter().any(|word| word.text == "key")
        }
        _ => false,
    };
    let skipped = match words.as_slice() {
        // a number that both ends of a tunnel write into their packets
        [first, key, ..]
            if first.text.eq_ignore_ascii_case("tunnel") && key.text.eq_ignore_ascii_case("key") =>
        {
            2
        }
        _ => usize::from(whose),
    };
    let mut families: Vec<&[&str]> = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let start = usize::try_from(word.column.saturating_sub(1)).unwrap_or(0);
        if let Some(user) = before_user(word.text) {
            return line.get(..start.saturating_add(user)).unwrap_or_default();
        }
        let lower = word.text.to_ascii_lowercase();
        let also = |known: &&str| lower.len() > 2 && known.starts_with(&lower) || **known == lower;
        let in_family = families.iter().copied().flatten().any(also);
        if place >= skipped && (announces_secret(word.text) || in_family) {
            return line.get(..start.saturating_add(word.text.len())).unwrap_or_default();
        }
        let own = FAMILIES
            .iter()
            .filter(|(family, _)| lower.len() > 3 && family.starts_with(&lower) || *family == lower);
        families.extend(own.map(|(_, words)| *words));
    }
    line
}

/// The letters of a line that a message shows.
const SHOWN: usize = 72;

/// A line as messages show it: all its words before any secret, and only the first of a very long
/// one.
pub fn shown(line: &str) -> String {
    shortened(public_part(line))
}

/// A line that is not understood as messages show it.
pub(crate) fn shown_unread(line: &str) -> String {
    let public = public_part_of_unread(line);
    let is_cut = public.len() < public_part(line).len();
    format!("{}{}", shortened(public), if is_cut { " …" } else { "" })
}

/// A line whose command is known and that goes wrong at a column: where only a number is wrong, or
/// more is expected, its keywords are read, and all up to the secret is public.
pub(crate) fn shown_half_read(line: &str, column: u32) -> String {
    let all = words(line);
    let wrong = all.iter().find(|word| word.column == column);
    let is_read = wrong.is_none_or(|word| word.text.chars().all(|digit| digit.is_ascii_digit()));
    if is_read { shown(line) } else { shown_unread(line) }
}

fn shortened(public: &str) -> String {
    let mut out = String::new();
    for word in public.split_whitespace() {
        if !out.is_empty() && out.len() + word.len() >= SHOWN {
            out.push_str(" …");
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        // one word may be as long as the line
        out.extend(word.chars().take(SHOWN));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{public_part, public_part_of_unread};

    /// Commands of IOS with secrets, implemented here or not, each with its mode.
    const SECRETS: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "crypto isakmp key SECRET address 10.0.0.1",
                "crypto isakmp key 6 SECRET hostname x",
                "crypto pki import T pkcs12 flash:x SECRET",
                "crypto pki export T pem terminal 3des SECRET",
                "crypto key encrypt write rsa name K passphrase SECRET",
                "enable password SECRET",
                "enable secret 5 SECRET",
                "enable algorithm-type scrypt secret SECRET",
                "username u password 0 SECRET",
                "username u privilege 15 secret 9 SECRET",
                "username u pass SECRET",
                "tacacs-server key SECRET",
                "tacacs-server host 10.0.0.1 key 7 SECRET",
                "radius-server key SECRET",
                "radius-server host 10.0.0.1 auth-port 1812 key SECRET",
                "snmp-server community SECRET RO",
                "snmp-server host 10.0.0.1 SECRET",
                "snmp-server host 10.0.0.1 version 2c SECRET",
                "snmp-server user u g v3 auth md5 SECRET priv des SECRET",
                "snmp-server user u g v3 encrypted auth sha SECRET",
                "snmp mib community-map SECRET context c",
                "ntp authentication-key 1 md5 SECRET 7",
                "ip ftp password 7 SECRET",
                "ip http client password SECRET",
                "ip wccp 61 password SECRET",
                "ip msdp password peer 10.0.0.1 SECRET",
                "mpls ldp neighbor 10.0.0.1 password SECRET",
                "mpls ldp password required for 1 SECRET",
                "vtp password SECRET",
                "key config-key password-encrypt SECRET",
                "ip host x SECRET:SECRET@y",
                "boot host ftp://user:SECRET@10.0.0.1/x",
                "chat-script C \"\" \"Password:\" SECRET",
                "cts credentials id x password SECRET",
                "vpdn l2tp tunnel password SECRET",
                "bogus password SECRET",
                "bogus secret SECRET",
                "bogus shared-key SECRET",
            ],
        ),
        (
            "interface FastEthernet0/0",
            &[
                "ip nhrp authentication SECRET",
                "ip nhrp auth SECRET",
                "ipv6 nhrp authentication SECRET",
                "ip ospf authentication-key SECRET",
                "ip ospf message-digest-key 1 md5 SECRET",
                "ipv6 ospf authentication ipsec spi 256 md5 SECRET",
                "ipv6 ospf encryption ipsec spi 256 esp aes-cbc 128 SECRET sha1 SECRET",
                "ospfv3 authentication ipsec spi 500 sha1 SECRET",
                "isis password SECRET level-1",
                "ip rsvp authentication key SECRET",
                "ip rip authentication text SECRET",
                "standby 1 authentication SECRET",
                "standby 1 authentication md5 key-string SECRET",
                "vrrp 1 authentication text SECRET",
                "glbp 1 authentication md5 key-string 7 SECRET",
                "glbp 1 auth text SECRET",
                "ppp chap password 0 SECRET",
                "ppp pap sent-username u password SECRET",
                "ppp eap password SECRET",
                "encryption key 1 size 128bit SECRET transmit-key",
                "wpa-psk ascii SECRET",
                "sap pmk SECRET",
            ],
        ),
        ("interface Tunnel7", &["ip nhrp authentication SECRET"]),
        ("key chain K", &["key-string SECRET", "key-string 7 SECRET"]),
        ("router bgp 1", &["neighbor 10.0.0.1 password SECRET", "neighbor P password 7 SECRET"]),
        ("router isis", &["area-password SECRET", "domain-password SECRET"]),
        ("router eigrp X", &["authentication mode hmac-sha-256 SECRET"]),
        (
            "router ospf 1",
            &[
                "area 0 virtual-link 10.0.0.1 authentication-key SECRET",
                "area 0 virtual-link 10.0.0.1 message-digest-key 1 md5 SECRET",
                "area 1 authentication ipsec spi 256 md5 SECRET",
            ],
        ),
        ("line vty 0 4", &["password SECRET", "password 7 SECRET"]),
        ("radius server R", &["key SECRET", "pac key SECRET"]),
        ("tacacs server T", &["key 7 SECRET"]),
        ("aaa group server radius G", &["server-private 10.0.0.1 key SECRET"]),
        ("aaa server radius dynamic-author", &["client 10.0.0.1 server-key SECRET"]),
        ("crypto isakmp client configuration group G", &["key SECRET", "key 6 SECRET"]),
        (
            "crypto keyring K",
            &["pre-shared-key address 10.0.0.1 key SECRET", "pre-shared-key hostname x key SECRET"],
        ),
        ("crypto isakmp peer address 10.0.0.1", &["set aggressive-mode password SECRET"]),
        (
            "crypto ikev2 keyring K",
            &["pre-shared-key SECRET", "pre-shared-key local SECRET", "pre-shared-key hex SECRET"],
        ),
        ("crypto ikev2 profile P", &["authentication local pre-share key SECRET"]),
        (
            "crypto map M 10 ipsec-manual",
            &["set session-key inbound esp 256 cipher SECRET authenticator SECRET"],
        ),
        ("crypto ipsec client ezvpn E", &["group G key SECRET", "username u password SECRET"]),
        ("crypto pki trustpoint T", &["password SECRET", "enrollment url http://u:SECRET@10.0.0.1"]),
        ("vpdn-group 1", &["l2tp tunnel password 0 SECRET"]),
        ("l2tp-class L", &["password SECRET", "digest secret SECRET hash sha"]),
        ("dot11 ssid S", &["wpa-psk ascii 0 SECRET"]),
        (
            "sip-ua",
            &[
                "credentials username u password SECRET realm x",
                "authentication username u password 7 SECRET",
            ],
        ),
        ("ephone 1", &["username u password SECRET", "pin SECRET"]),
        ("controller Cellular 0", &["lte sim unlock SECRET"]),
        ("ip sla 1", &["http get http://u:SECRET@10.0.0.1", "ftp get ftp://u:SECRET@10.0.0.1/x"]),
        ("archive", &["path ftp://u:SECRET@10.0.0.1/x"]),
        ("call-home", &["mail-server u:SECRET@10.0.0.1 priority 1"]),
        ("ip ddns update method D", &["add http://u:SECRET@example.com/x"]),
        ("parameter-map type content-scan global", &["license 0 SECRET"]),
        ("ldap server L", &["bind authenticate root-dn cn=x password SECRET"]),
        ("bogus mode", &["key SECRET", "password SECRET", "shared-secret SECRET"]),
    ];

    /// The same with a keyword that is misspelt or missing, which the secret itself must not look
    /// like.
    const MISSPELT: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "enable secert XYZZY",
                "enable secert 5 XYZZY",
                "enable pasword XYZZY",
                "enbale secret XYZZY",
                "enbale scrt XYZZY",
                "username admin pasword XYZZY",
                "username admin privilege 15 scrt XYZZY",
                "usrename admin privilege 15 pw XYZZY",
                "username admin privilege 15 XYZZY",
                "crypto isakmp kye XYZZY address 10.0.0.1",
                "crypto isakmp keey XYZZY address 10.0.0.1",
                "crypto isakmp address 10.0.0.1 XYZZY",
                "crypto iskamp kay XYZZY address 10.0.0.1",
                "cyrpto isakmp kye XYZZY address 10.0.0.1",
                "snmp-server comunity XYZZY RO",
                "snmp-sever communty XYZZY RO",
                "tacacs-server kye XYZZY",
                "tacacs-server host 10.0.0.1 kye XYZZY",
                "radius-server host 10.0.0.1 kye XYZZY",
                "key config-kye password-encrypt XYZZY",
                "key confg-key pw XYZZY",
                "ip ftp pasword XYZZY",
                "ip http client pasword XYZZY",
                "ntp authentication-kye 1 mdd5 XYZZY",
            ],
        ),
        ("line vty 0 4", &["pasword XYZZY", "passwrod 7 XYZZY"]),
        (
            "crypto keyring K",
            &["pre-shared-key address 10.0.0.1 kye XYZZY", "pre-shared-kye address 10.0.0.1 kay XYZZY"],
        ),
    ];

    #[test]
    fn no_diagnostic_contains_a_secret_of_any_command() {
        let hidden = |what: &str, said: &str| {
            assert!(!said.contains("SECRET") && !said.contains("XYZZY"), "{what}: {said}");
        };
        let well_spelt = SECRETS.iter().flat_map(|(_, lines)| *lines);
        well_spelt.for_each(|line| hidden(line, public_part(line)));
        for (mode, lines) in SECRETS.iter().chain(MISSPELT) {
            for line in *lines {
                hidden(line, public_part_of_unread(line));
                let mode = if mode.is_empty() { String::new() } else { format!("{mode}\n ") };
                // also with an error after it, negated, abbreviated, and after `end`
                for line in [
                    format!("{mode}{line}"),
                    format!("{mode}{line} bogus words"),
                    format!("{mode}no {line}"),
                    format!("hostname a\nend\n{line}"),
                ] {
                    let parsed = crate::parse(&format!("{line}\n"));
                    for told in &parsed.diagnostics {
                        hidden(&line, &told.message);
                        hidden(&line, &told.remedy);
                    }
                    for one in crate::parsed::unenforced(&parsed) {
                        hidden(&line, &one.name());
                    }
                    for verdict in crate::verdict::verdicts(&parsed) {
                        hidden(&line, &verdict.name);
                        verdict.outcome.reasons().iter().for_each(|reason| hidden(&line, &reason.text));
                    }
                }
            }
        }
    }

    /// The part of an unknown line that cannot contain a secret is shown.
    #[test]
    fn of_an_unknown_line_as_much_is_shown_as_is_surely_no_secret() {
        for (line, public) in [
            ("crypto isakmp bogus SECRET address 10.0.0.1", "crypto isakmp"),
            ("no username bob bogus SECRET", "no username bob"),
            (" enable bogus SECRET", " enable bogus"),
            ("enable", "enable"),
            ("VPN to the office", "VPN to the office"),
            ("crypto mpa CM 10 ipsec-isakmp", "crypto mpa CM 10 ipsec-isakmp"),
            ("crypto isakmp polcy 20", "crypto isakmp polcy 20"),
            ("ip acess-list extended VPN", "ip acess-list extended VPN"),
            ("bogus line of some words", "bogus line of some words"),
        ] {
            assert_eq!(public_part_of_unread(line), public, "{line}");
        }
        assert_eq!(super::shown_unread("username a bogus SECRET"), "username a …");
    }

    #[test]
    fn secrets_are_cut_off() {
        for line in [
            "crypto isakmp key SECRET address 0.0.0.0",
            "crypto isakmp k SECRET",
            " pre-shared-key address 10.0.0.1 key SECRET",
            "username x password 0 SECRET",
            "username\tx\tpass\t0\tSECRET",
            "enable sec 5 SECRET",
            " key-string SECRET",
            "snmp-server community SECRET RO",
            " ip ospf message-digest-key 1 md5 SECRET",
            "ntp authentication-key 1 md5 SECRET",
            " wpa-psk ascii 0 SECRET",
            "ENABLE PASSWORD SECRET",
            " standby 1 authentication SECRET",
            " vrrp 1 auth text SECRET",
            "snmp-server host 10.0.0.1 version 2c SECRET",
            "snmp-server user a b v3 auth sha SECRET priv aes 128 SECRET",
        ] {
            assert!(!public_part(line).contains("SECRET"), "{line}: {}", public_part(line));
        }
        for (line, shown) in [
            (
                " pre-shared-key address 0.0.0.0 0.0.0.0 key SECRET",
                " pre-shared-key address 0.0.0.0 0.0.0.0 key",
            ),
            (" pre-shared-key hostname hub.example key 6 SECRET", " pre-shared-key hostname hub.example key"),
            (" pre-shared-key address SECRET", " pre-shared-key"),
        ] {
            assert_eq!(public_part(line), shown);
        }
        for line in [
            " authentication pre-share",
            " tunnel key 100",
            " ip ospf authentication message-digest",
            " crypto isakmp client configuration group G",
            "aaa authentication login default local",
            "interface FastEthernet0/0",
            " set peer 10.0.0.1",
            "crypto keyring spokes",
            "ip ssh server algorithm kex diffie-hellman-group14-sha1",
            "secure boot-image",
            "é\u{a0}x",
        ] {
            assert_eq!(public_part(line), line);
        }
    }
}
