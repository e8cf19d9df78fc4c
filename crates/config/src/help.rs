//! `?`: what may come next, and what a word may become.

use crate::automaton::{Form, Kind, Token, next};
use crate::command::In;
use crate::command::table::{Commands, commands};
use crate::form::{Word, words};

/// One line of a help listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The keyword, or how the argument is written: `WORD`, `A.B.C.D`, `<1-10000>`; `<cr>` when the
    /// line may end.
    pub token: String,
    /// What it is.
    pub help: &'static str,
}

/// What may come next in a line, for any forms (the configuration's or the exec commands'). After a
/// blank: the next words; within a word: its possible completions.
pub fn choices(forms: &[&Form], line: &str) -> Vec<Choice> {
    let all = words(line);
    let within = !line.is_empty() && !line.ends_with(char::is_whitespace);
    let (before, begun) = match all.split_last() {
        Some((last, before)) if within => (before, last.text),
        _ => (all.as_slice(), ""),
    };
    let (tokens, end) = next(forms, before);
    let mut out: Vec<Choice> = tokens
        .iter()
        .filter(|token| begun.is_empty() || fits(token, begun))
        .map(|token| Choice { token: token.shown(), help: help(token) })
        .collect();
    if end && !within {
        out.push(Choice { token: "<cr>".into(), help: "" });
    }
    out
}

/// The line with its last word completed and a blank after it, if only one keyword begins so.
pub fn complete(forms: &[&Form], line: &str) -> Option<String> {
    let all = words(line);
    let (last, before): (&Word<'_>, &[Word<'_>]) = all.split_last()?;
    if line.ends_with(char::is_whitespace) {
        return None;
    }
    let (tokens, _) = next(forms, before);
    let mut keywords = tokens.iter().filter_map(|token| match token {
        Token::Keyword(keyword) if fits(token, last.text) => Some(*keyword),
        _ => None,
    });
    let only = keywords.next()?;
    if keywords.next().is_some() {
        return None;
    }
    let start = usize::try_from(last.column.saturating_sub(1)).ok()?;
    Some(format!("{}{only} ", line.get(..start)?))
}

fn fits(token: &Token, begun: &str) -> bool {
    match token {
        Token::Keyword(keyword) => {
            keyword.get(..begun.len()).is_some_and(|start| start.eq_ignore_ascii_case(begun))
        }
        Token::Argument(Kind::Number(..), _) => begun.parse::<u64>().is_ok(),
        Token::Argument(Kind::PrefixLength, _) => begun.starts_with('/'),
        Token::Argument(Kind::Address, _) => begun.chars().all(|c| c.is_ascii_digit() || c == '.'),
        Token::Argument(..) => true,
    }
}

/// The words of a form, each once, with what they mean.
pub(crate) fn explained(form: &Form) -> Vec<Choice> {
    let mut out: Vec<Choice> = Vec::new();
    for token in form.tokens() {
        let name = match token {
            Token::Keyword(keyword) => (*keyword).to_string(),
            Token::Argument(_, name) => format!("<{name}>"),
        };
        if out.iter().all(|known| known.token != name) {
            out.push(Choice { token: name, help: help(token) });
        }
    }
    out
}

/// The help text of a keyword or of an argument's name; the same word means the same everywhere, or
/// nearly.
fn help(token: &Token) -> &'static str {
    HELP.binary_search_by_key(&token.name(), |(name, _)| name)
        .ok()
        .and_then(|place| HELP.get(place))
        .map_or("", |(_, text)| text)
}

/// The prompt of a mode, as screen scrapers know it.
pub(crate) fn prompt(mode: In) -> &'static str {
    match mode {
        In::Global => "config",
        In::Interface => "config-if",
        In::IsakmpPolicy => "config-isakmp",
        In::Keyring => "conf-keyring",
        In::Profile => "conf-isa-prof",
        In::Group => "config-isakmp-group",
        In::TransformSet => "cfg-crypto-trans",
        In::CryptoMap | In::DynamicMap => "config-crypto-map",
        In::Acl => "config-ext-nacl",
        In::StandardAcl => "config-std-nacl",
        In::Ipv6Acl => "config-ipv6-acl",
        In::NetworkGroup => "config-network-group",
        In::ServiceGroup => "config-service-group",
        In::TimeRange => "config-time-range",
        In::DhcpPool => "dhcp-config",
        In::Line => "config-line",
        In::PubkeyChain => "conf-ssh-pubkey",
        In::PubkeyUser => "conf-ssh-pubkey-user",
        In::NatPool => "config-ipnat-pool",
        In::RouteMap => "config-route-map",
        In::Archive => "config-archive",
        In::ArchiveLog => "config-archive-log-cfg",
    }
}

/// Help for a configuration line, in the mode with a prompt; `no` and `default` at the beginning
/// are skipped.
pub fn configuration_choices(prompt: &str, line: &str) -> Vec<Choice> {
    let (forms, line) = configuration(prompt, line);
    choices(&forms, line)
}

/// Completes a configuration line, in the mode with a prompt.
pub fn configuration_complete(prompt: &str, line: &str) -> Option<String> {
    let (forms, rest) = configuration(prompt, line);
    let before = line.get(..line.len() - rest.len())?;
    complete(&forms, rest).map(|completed| format!("{before}{completed}"))
}

fn configuration<'l>(prompt: &str, line: &'l str) -> (Vec<&'static Form>, &'l str) {
    let own = In::ALL.into_iter().find(|mode| self::prompt(*mode) == prompt).unwrap_or(In::Global);
    let Commands { forms, .. } = commands(own);
    let lower = line.trim_start().to_ascii_lowercase();
    let negated = ["no ", "default "].iter().find(|word| lower.starts_with(**word));
    let rest = negated.map_or(line, |word| line.trim_start().get(word.len()..).unwrap_or_default());
    (forms.iter().collect(), rest)
}

/// Help texts by keyword or argument, sorted.
const HELP: &[(&str, &str)] = &[
    ("*", "All"),
    ("+ack", "ACK is set"),
    ("+fin", "FIN is set"),
    ("+psh", "PSH is set"),
    ("+rst", "RST is set"),
    ("+syn", "SYN is set"),
    ("+urg", "URG is set"),
    ("-ack", "ACK is not set"),
    ("-fin", "FIN is not set"),
    ("-psh", "PSH is not set"),
    ("-rst", "RST is not set"),
    ("-syn", "SYN is not set"),
    ("-urg", "URG is not set"),
    ("3des", "Three key triple DES"),
    ("Friday", "Friday"),
    ("Monday", "Monday"),
    ("Saturday", "Saturday"),
    ("Sunday", "Sunday"),
    ("Thursday", "Thursday"),
    ("Tuesday", "Tuesday"),
    ("Wednesday", "Wednesday"),
    ("aaa", "Authentication, Authorization and Accounting"),
    ("absolute", "From one moment to another"),
    ("access-class", "Addresses from which a user may come"),
    ("access-group", "An access list that filters"),
    ("access-list", "Access list of addresses, protocols and ports"),
    ("access-lists", "Access lists"),
    ("accounting", "Accounting"),
    ("accounting-list", "A list of `aaa accounting`"),
    ("ack", "ACK is set"),
    ("acl", "Networks that clients reach through the tunnel"),
    ("active", "What is in use"),
    ("add-route", "Add a route to the addresses"),
    ("address", "An address"),
    ("address-pool", "The pool of clients whose group has none"),
    ("adjust-mss", "The greatest segment of TCP"),
    ("aes", "AES - Advanced Encryption Standard"),
    ("aggressive", "Aggressive mode"),
    ("aggressive-mode", "Aggressive mode"),
    ("ah-md5-hmac", "AH with HMAC-MD5"),
    ("ah-sha-hmac", "AH with HMAC-SHA-1"),
    ("ah-sha256-hmac", "AH with HMAC-SHA-256"),
    ("ah-sha384-hmac", "AH with HMAC-SHA-384"),
    ("ah-sha512-hmac", "AH with HMAC-SHA-512"),
    ("ahp", "Authentication Header Protocol"),
    ("alerts", "Severity 1"),
    ("algorithm", "ssh-rsa and the like"),
    ("algorithm-type", "How the secret is hashed"),
    ("all", "Everything"),
    ("allow-default", "The default route counts"),
    ("allow-self-ping", "The router may ping itself"),
    ("any", "Any host"),
    ("archive", "Archive of saved configurations"),
    ("arp", "ARP table"),
    ("arp-ping", "Find the hosts that are gone by ARP"),
    ("attribute", "Attributes of AAA"),
    ("auth", "With an authentication header"),
    ("authentication", "How the peer or the user is authenticated"),
    ("authentication-retries", "Passwords that a login may try"),
    ("authorization", "Where group policies come from"),
    ("autocommand", "A command run at login"),
    ("aux", "Auxiliary line"),
    ("backup-gateway", "A gateway that clients try next"),
    ("banner", "A text shown to clients"),
    ("beacon", "A beacon"),
    ("brief", "One line for each"),
    ("buffered", "Keep lines of the log"),
    ("bytes", "Bytes"),
    ("cache", "Cached answers of a server group"),
    ("cache-size", "Size of the cache of free addresses"),
    ("cached-group", "Cached answers of this server group"),
    ("callback-dialstring", "Where to call the user back"),
    ("callback-line", "The line by which to call back"),
    ("callback-rotary", "The lines by which to call back"),
    ("clear", "Clear it"),
    ("client", "Clients that dial in"),
    ("client-identifier", "A DHCP client by its identifier"),
    ("clock", "The time"),
    ("columns", "Columns; 0 for no limit"),
    ("command", "A command of exec mode"),
    ("comment", "A comment"),
    ("common-criteria-policy", "A policy for the password"),
    ("comp-lzs", "Compression by LZS"),
    ("condition", "Only for some peers"),
    ("config", "Configurations"),
    ("configuration", "Mode configuration"),
    ("configure", "Enter configuration mode, or replace the configuration"),
    ("connection", "Connection id of an SA"),
    ("connections", "Connections of the crypto engine"),
    ("console", "Console line"),
    ("contenttype", "How messages are written"),
    ("continue", "Go on with another entry"),
    ("cookie", "A word that messages repeat"),
    ("copy", "Copy it from the inner packet"),
    ("count", "Number"),
    ("counters", "Counters"),
    ("critical", "Severity 2"),
    ("cron", "Cron"),
    ("crypto", "Encryption"),
    ("daemon", "System daemons"),
    ("daily", "Every day"),
    ("date", "Once, on these dates"),
    ("datetime", "Date and time"),
    ("days", "Days"),
    ("debug", "Turn debugging on"),
    ("debug-condition", "The peers that debugging is for"),
    ("debugging", "Debugging options that are on"),
    ("default", "The default"),
    ("default-router", "Default routers for DHCP clients"),
    ("deny", "Exclude what matches"),
    ("des", "DES - Data Encryption Standard (56 bit keys)"),
    ("description", "A text for people"),
    ("dest-option-type", "Type of a destination option"),
    ("destination", "Destination address"),
    ("destination-eq", "Port, or its name"),
    ("destination-first", "Lowest port"),
    ("destination-group", "Group of addresses"),
    ("destination-gt", "Port, or its name"),
    ("destination-host", "IPv6 address"),
    ("destination-last", "Highest port"),
    ("destination-lt", "Port, or its name"),
    ("destination-name", "Name of a host"),
    ("destination-neq", "Port, or its name"),
    ("destination-prefix", "IPv6 prefix X:X:X:X::X/<0-128>"),
    ("destination-wildcard", "Bits that need not match"),
    ("detail", "In detail"),
    ("df-bit", "The outer don't-fragment bit"),
    ("dfbit", "The outer don't-fragment bit"),
    ("dhcp", "Address by DHCP"),
    ("differences", "Lines that only one of two configurations has"),
    ("directed-broadcast", "Forward broadcasts to the network"),
    ("disable", "Disable it"),
    ("discover", "Discover the peer"),
    ("distance", "Distance of the route"),
    ("dn", "The certificate's distinguished name"),
    ("dnis", "No password when the call came by DNIS"),
    ("dns", "DNS servers for clients"),
    ("dns-server", "DNS servers for DHCP clients"),
    ("dns-timeout", "Of DNS"),
    ("do", "Run a command of exec mode"),
    ("domain", "Domain of clients"),
    ("domain-name", "Domain"),
    ("dot1Q", "IEEE 802.1Q"),
    ("drop-fragments", "Drop fragments instead"),
    ("dropped-packet", "Packets that were dropped"),
    ("dscp", "Differentiated services code point"),
    ("dummy", "Dummy packets"),
    ("dynamic", "Entries made from a template"),
    ("dynamic-map", "Templates for peers whose address is not known"),
    ("ecdsa-sig", "Elliptic curve signature"),
    ("ecn", "Explicit congestion notification"),
    ("eigrp", "Cisco's EIGRP"),
    ("emergencies", "Severity 0"),
    ("enable", "The enable password"),
    ("encapsulation", "The encapsulation of frames"),
    ("encryption", "Encryption algorithm of the protection suite"),
    ("end", "Leave configuration mode"),
    ("end-day", "Day of the month"),
    ("end-month", "Month"),
    ("end-time", "Time hh:mm"),
    ("end-week", "Which of the month: 1 to 4, first or last"),
    ("end-weekday", "Day of the week"),
    ("end-year", "Year"),
    ("engine", "The crypto engine"),
    ("eq", "Only this port"),
    ("errors", "Severity 3"),
    ("esp", "Encapsulating Security Payload"),
    ("esp-3des", "ESP with 3DES"),
    ("esp-aes", "ESP with AES-CBC"),
    ("esp-des", "ESP with DES"),
    ("esp-gcm", "ESP with AES-GCM"),
    ("esp-gmac", "ESP with AES-GMAC"),
    ("esp-md5-hmac", "ESP with HMAC-MD5"),
    ("esp-null", "ESP without encryption"),
    ("esp-seal", "ESP with SEAL"),
    ("esp-sha-hmac", "ESP with HMAC-SHA-1"),
    ("esp-sha256-hmac", "ESP with HMAC-SHA-256"),
    ("esp-sha384-hmac", "ESP with HMAC-SHA-384"),
    ("esp-sha512-hmac", "ESP with HMAC-SHA-512"),
    ("established", "Established TCP connections"),
    ("evaluate", "Entries of a reflexive list"),
    ("every", "How often"),
    ("except", "Severities that are not limited"),
    ("excluded-address", "Addresses that DHCP does not assign"),
    ("exec", "Sessions on this line"),
    ("exec-timeout", "End an idle session"),
    ("exit", "Leave this mode"),
    ("extendable", "The inside host may have further addresses"),
    ("extended", "Extended access list"),
    ("facility", "Facility of syslog"),
    ("fail-attempts", "Wrong passwords that are remembered"),
    ("failures", "What went wrong with peers, and why"),
    ("file", "running-config, startup-config or flash:NAME"),
    ("fin", "FIN is set"),
    ("finrst-timeout", "Of TCP after FIN or RST"),
    ("first", "First line"),
    ("flow-label", "Flow label"),
    ("force", "Without asking"),
    ("forced", "Although it is in use"),
    ("forwarding", "The table that the interface belongs to"),
    ("fqdn", "Fully qualified domain name"),
    ("fragments", "Fragments that are not the first"),
    ("from", "Port from which it comes"),
    ("gateway", "Name or address of the gateway"),
    ("gdoi", "Group Domain of Interpretation"),
    ("global-port", "Port outside"),
    ("gre", "Generic Routing Encapsulation"),
    ("group", "Diffie-Hellman group, or client group"),
    ("group-object", "The members of another group"),
    ("group1", "Diffie-Hellman group 1"),
    ("group14", "Diffie-Hellman group 14"),
    ("group15", "Diffie-Hellman group 15"),
    ("group16", "Diffie-Hellman group 16"),
    ("group19", "Diffie-Hellman group 19"),
    ("group2", "Diffie-Hellman group 2"),
    ("group20", "Diffie-Hellman group 20"),
    ("group21", "Diffie-Hellman group 21"),
    ("group24", "Diffie-Hellman group 24"),
    ("group5", "Diffie-Hellman group 5"),
    ("gt", "Only greater ports"),
    ("guard", "What must not leave unencrypted"),
    ("hardware", "Address on the wire, H.H.H"),
    ("hardware-address", "A DHCP client by its address on the wire"),
    ("hash", "Hash algorithm of the protection suite"),
    ("hbh", "With a hop-by-hop header"),
    ("high", "Last address"),
    ("hop", "Next hop"),
    ("host", "A single host"),
    ("host-domain", "Domain of the peers' host names"),
    ("hostname", "Name of this router"),
    ("hours", "Hours"),
    ("hours-offset", "Hours from UTC, from -23 to 23"),
    ("icmp", "Internet Control Message Protocol"),
    ("icmp-code", "ICMP code"),
    ("icmp-name", "ICMP type by name"),
    ("icmp-timeout", "Of ICMP"),
    ("icmp-type", "ICMP type"),
    ("id", "Its number or name"),
    ("identifier", "Identifier in hexadecimal"),
    ("identity", "Identity"),
    ("idle-time", "Delete SAs that are idle for this time"),
    ("if-authenticated", "Any authenticated user"),
    ("igmp", "Internet Group Management Protocol"),
    ("igmp-type", "IGMP type"),
    ("in", "Incoming"),
    ("infinite", "For ever"),
    ("informational", "Severity 6"),
    ("initiate", "Push addresses to clients"),
    ("input", "Protocols by which a user may come; interface by which a packet comes"),
    ("inside", "The inside of address translation"),
    ("inside-global", "The address that is seen outside"),
    ("inside-local", "The address of the inside host"),
    ("interface", "An interface"),
    ("interfaces", "Status and counters of interfaces"),
    ("invalid-spi-recovery", "Initiate to a peer that sends an unknown SPI"),
    ("ip", "IP"),
    ("ipinip", "IP in IP"),
    ("ipsec", "IPsec policy"),
    ("ipsec-isakmp", "SAs are negotiated by IKE"),
    ("ipsec-manual", "Manual keys"),
    ("ipv4", "An IPv4 address"),
    ("ipv6", "IPv6"),
    ("isakmp", "ISAKMP policy"),
    ("isakmp-profile", "Only for peers of this ISAKMP profile"),
    ("keepalive", "Dead peer detection"),
    ("kern", "Kernel"),
    ("key", "Pre-shared key"),
    ("key-hash", "A public key by its MD5"),
    ("key-string", "A public key in base64"),
    ("keyring", "Pre-shared keys by peer"),
    ("kilobytes", "Lifetime in kilobytes"),
    ("kind", "Kind of hardware"),
    ("krb5", "Kerberos 5"),
    ("krb5-telnet", "Kerberos 5 for Telnet"),
    ("l2-src", "The link address of the source, too"),
    ("lapb-ta", "LAPB terminal adapter"),
    ("last", "Last line"),
    ("lawful-intercept", "A user for lawful interception"),
    ("ldap", "LDAP"),
    ("lease", "Duration of a lease"),
    ("length", "Rows of a page; bytes of a packet"),
    ("level", "Level"),
    ("lifetime", "Lifetime"),
    ("lifetimes", "Lifetimes that differ"),
    ("line", "A terminal line"),
    ("lines", "Rows; 0 for no paging"),
    ("list", "A list of methods"),
    ("local", "Local"),
    ("local-address", "The local address"),
    ("local-case", "Local users, with case-sensitive names"),
    ("local-port", "Port of the inside host"),
    ("local0", "Local use"),
    ("local1", "Local use"),
    ("local2", "Local use"),
    ("local3", "Local use"),
    ("local4", "Local use"),
    ("local5", "Local use"),
    ("local6", "Local use"),
    ("local7", "Local use"),
    ("localtime", "In local time"),
    ("lockout", "Users who are locked out after wrong passwords"),
    ("log", "Log what matches"),
    ("log-input", "Log what matches, with its interface"),
    ("logging", "Logging"),
    ("login", "Users that log in"),
    ("login-list", "A list of `aaa authentication login`"),
    ("longest", "The greatest length"),
    ("low", "First address"),
    ("lpr", "Line printer system"),
    ("lt", "Only lesser ports"),
    ("mac", "A user that is a device"),
    ("mail", "Mail system"),
    ("map", "A crypto map"),
    ("mapping-id", "The number of the translation"),
    ("mask", "Network mask"),
    ("match", "What must match"),
    ("match-all", "All of these flags"),
    ("match-any", "One of these flags"),
    ("match-host", "The host part of the address stays"),
    ("match-in-vrf", "Within a VRF"),
    ("max-fragments", "Most fragments of a packet"),
    ("max-reassemblies", "Most packets that are being reassembled"),
    ("md5", "Message Digest 5"),
    ("members", "Interfaces, as in Vlan1 - 4"),
    ("memory", "Save the running configuration"),
    ("method", "A method"),
    ("minutes", "Minutes"),
    ("minutes-offset", "Minutes from UTC, besides the hours"),
    ("mobility", "With a mobility header"),
    ("mobility-type", "Type of mobility"),
    ("mode", "Mode"),
    ("monitor", "Show messages of the log at this terminal"),
    ("mop", "DEC MOP"),
    ("msec", "With milliseconds"),
    ("mtu", "The greatest packet"),
    ("multicast", "For multicast only"),
    ("name", "A name"),
    ("nat", "Address translation, or NAT traversal"),
    ("nat-transparency", "NAT traversal"),
    ("native", "Frames without a tag"),
    ("negotiated", "Address by PPP"),
    ("neq", "All ports but this"),
    ("netmask", "Mask sent to clients"),
    ("network", "Network, or services such as IPsec"),
    ("network-list", "A list of `aaa authorization network`"),
    ("never", "Without end"),
    ("new-model", "AAA instead of line passwords"),
    ("news", "USENET news"),
    ("next-hop", "The next hop"),
    ("no", "Negate a command"),
    ("no-alias", "Do not answer ARP for the address"),
    ("no-payload", "Leave what is inside of packets alone"),
    ("no-xauth", "No extended authentication for this peer"),
    ("nocallback-verify", "No verification after a callback"),
    ("noescape", "No escape character"),
    ("nohangup", "No hangup after the autocommand"),
    ("none", "No check"),
    ("nopassword", "No password"),
    ("nos", "KA9Q IP in IP"),
    ("notifications", "Severity 5"),
    ("notify", "Tell of each command"),
    ("number", "Number"),
    ("object", "A tracked object"),
    ("object-group", "A group of addresses or services"),
    ("oer", "With routing by measurement"),
    ("offset", "Minutes that clocks are put forward"),
    ("on", "Enable logging"),
    ("on-demand", "Send DPD messages only when traffic goes unanswered"),
    ("one-time", "One login only"),
    ("option", "What else must match"),
    ("options", "Further options"),
    ("origin-id", "What says where a message comes from"),
    ("ospf", "OSPF"),
    ("out", "Outgoing"),
    ("outside", "The outside of address translation"),
    ("outside-global", "Outside address, as it is"),
    ("outside-global-port", "Its port, as it is"),
    ("outside-local", "Outside address, as the inside sees it"),
    ("outside-local-port", "Its port, as the inside sees it"),
    ("overload", "Many hosts share an address"),
    ("packet", "The way of a packet through this router"),
    ("packet-length", "Bytes with the IP header"),
    ("pad", "X.3 PAD"),
    ("password", "A password"),
    ("password-encryption", "Obfuscate passwords"),
    ("pcp", "Payload Compression Protocol"),
    ("peer", "The peer's address"),
    ("peer-ipv6", "IPv6 address of the peer"),
    ("peers", "Peers that are authenticated"),
    ("per-host", "An SA for each host"),
    ("percent", "Percent"),
    ("percentage", "Share of the reassemblies that another use may have"),
    ("periodic", "Send DPD messages periodically"),
    ("permanent", "Keep the route when its interface is down"),
    ("permit", "Include what matches"),
    ("pfs", "Perfect forward secrecy"),
    ("pim", "Protocol Independent Multicast"),
    ("ping", "Send echoes"),
    ("plaintext", "Plain text"),
    ("policy", "Protection suite for ISAKMP, or policy routing"),
    ("pool", "A pool of addresses"),
    ("port", "Port"),
    ("pre-share", "Pre-shared key"),
    ("pre-shared-key", "A pre-shared key"),
    ("precedence", "Precedence"),
    ("prefix", "Destination network"),
    ("prefix-length", "Length of the network's prefix"),
    ("priority", "Priority of the protection suite; the lowest number comes first"),
    ("privilege", "Privilege of the user"),
    ("profile", "An ISAKMP profile"),
    ("protocol", "Protocol number"),
    ("proxy", "Answering ARP for others"),
    ("proxy-arp", "Answer ARP for addresses that are elsewhere"),
    ("psh", "PSH is set"),
    ("pubkey-chain", "Public keys of users"),
    ("range", "Only a range of ports"),
    ("rate-limit", "Messages per second"),
    ("reachable-via", "By which interface the source is reachable"),
    ("recurring", "Every year"),
    ("recycle", "When addresses are reused"),
    ("redirects", "Send ICMP redirects"),
    ("redundancy", "Shared with another router"),
    ("reflect", "Reflexive list for the answers"),
    ("release", "Release of IOS"),
    ("reload", "Restart with the startup configuration"),
    ("remark", "A text for people"),
    ("remote", "The peer"),
    ("repeat", "How many"),
    ("replace", "Replace the running configuration"),
    ("replay", "Anti-replay"),
    ("require", "Never tunnel mode"),
    ("resequence", "Number the lines anew"),
    ("reset", "Debug all peers again"),
    ("respond", "Answer clients that ask for an address"),
    ("rest", "Options"),
    ("retry", "Seconds between retries"),
    ("reverse-path", "By the interface of the packet"),
    ("reverse-route", "Route to what the peer has"),
    ("reversible", "What comes from outside begins translations, too"),
    ("rlogin", "Rlogin"),
    ("rotary", "In turns"),
    ("route", "Static route"),
    ("route-map", "A route map"),
    ("router", "Address of a router"),
    ("routing", "Routing"),
    ("routing-type", "Type of routing header"),
    ("rsa-encr", "Encrypted nonces"),
    ("rsa-sig", "RSA signature"),
    ("rst", "RST is set"),
    ("running", "running-config"),
    ("running-config", "The configuration in force"),
    ("rx", "By the interface of the packet"),
    ("sa", "Security associations"),
    ("save-password", "Clients may save the password"),
    ("scrypt", "Scrypt"),
    ("sctp", "Stream Control Transmission Protocol"),
    ("second", "The second configuration"),
    ("second-dot1q", "A second tag"),
    ("secondary", "A further address"),
    ("seconds", "Lifetime in seconds"),
    ("secret", "A hashed password"),
    ("security-association", "Parameters of security associations"),
    ("self-identity", "Identity that this router sends"),
    ("sequence", "Sequence of the entry"),
    ("sequence-numbers", "Number every line of the log"),
    ("serial-number", "The serial number of a device"),
    ("server", "Address of a server"),
    ("service", "Services"),
    ("services", "Group of services"),
    ("session", "SAs with each peer"),
    ("set", "Set values"),
    ("severity", "Severity"),
    ("sha", "Secure Hash Standard"),
    ("sha256", "Secure Hash Standard 2 (256 bit)"),
    ("sha384", "Secure Hash Standard 2 (384 bit)"),
    ("sha512", "Secure Hash Standard 2 (512 bit)"),
    ("shortest", "The smallest length"),
    ("show", "Show the state of the gateway"),
    ("show-timezone", "With the time zone"),
    ("shutdown", "Shut the interface down"),
    ("since", "Only what happened in the last minutes"),
    ("size", "Size"),
    ("source", "Source address"),
    ("source-eq", "Port, or its name"),
    ("source-first", "Lowest port"),
    ("source-group", "Group of addresses"),
    ("source-gt", "Port, or its name"),
    ("source-host", "IPv6 address"),
    ("source-interface", "Interface whose address messages are sent from"),
    ("source-last", "Highest port"),
    ("source-lt", "Port, or its name"),
    ("source-name", "Name of a host"),
    ("source-neq", "Port, or its name"),
    ("source-port", "Port of the source"),
    ("source-prefix", "IPv6 prefix X:X:X:X::X/<0-128>"),
    ("source-wildcard", "Bits that need not match"),
    ("spi-matching", "Match SPIs behind NAT"),
    ("split-dns", "A domain resolved through the tunnel"),
    ("ssh", "Secure Shell"),
    ("standard", "Standard access list"),
    ("start", "Start"),
    ("start-day", "Day of the month"),
    ("start-month", "Month"),
    ("start-time", "Time hh:mm"),
    ("start-week", "Which of the month: 1 to 4, first or last"),
    ("start-weekday", "Day of the week"),
    ("start-year", "Year"),
    ("startup", "startup-config or flash:NAME"),
    ("startup-config", "The configuration file"),
    ("static", "Always the same"),
    ("statistics", "How many there are"),
    ("step", "Distance between the numbers"),
    ("string", "A text"),
    ("summer-time", "Summer time"),
    ("syn", "SYN is set"),
    ("syn-timeout", "Of TCP after SYN"),
    ("sys10", "System use"),
    ("sys11", "System use"),
    ("sys12", "System use"),
    ("sys13", "System use"),
    ("sys14", "System use"),
    ("sys9", "System use"),
    ("syslog", "Syslog"),
    ("tag", "Tag of the route"),
    ("tcp", "Transmission Control Protocol"),
    ("tcp-timeout", "Of TCP"),
    ("tcp-udp", "TCP and UDP"),
    ("telnet", "Telnet"),
    ("terminal", "To this terminal"),
    ("text", "A text"),
    ("time-out", "Seconds for logging in"),
    ("time-range", "When the line counts"),
    ("timeout", "How long to wait"),
    ("timestamps", "Time stamps of the log"),
    ("timezone", "Time zone"),
    ("to", "Where it goes"),
    ("tos", "Type of service"),
    ("track", "Only while an object is up"),
    ("transform-set", "Transforms and mode"),
    ("translation", "Translations"),
    ("translations", "Translations"),
    ("transport", "Transport mode"),
    ("trap", "Send to a syslog server"),
    ("ttl", "Time to live"),
    ("ttl-eq", "Time to live"),
    ("ttl-first", "Lowest time to live"),
    ("ttl-gt", "Time to live"),
    ("ttl-last", "Highest time to live"),
    ("ttl-lt", "Time to live"),
    ("ttl-neq", "Time to live"),
    ("tty", "Terminal line"),
    ("tunnel", "Tunnel mode"),
    ("type", "How addresses are assigned"),
    ("udp", "User Datagram Protocol"),
    ("udp-encapsulation", "ESP in UDP"),
    ("udp-timeout", "Of UDP"),
    ("udptn", "UDPTN"),
    ("undebug", "Turn debugging off"),
    ("undetermined-transport", "Whose protocol cannot be found"),
    ("unicast", "Unicast packets"),
    ("unit", "Its number"),
    ("unreachables", "Send ICMP unreachables"),
    ("uptime", "Time since the start"),
    ("urg", "URG is set"),
    ("user", "A user"),
    ("user-domain", "Domain of the peers' user names"),
    ("user-fqdn", "user@domain"),
    ("user-maxlinks", "Most links of the user"),
    ("username", "A local user"),
    ("users", "Who is logged in"),
    ("uucp", "UUCP system"),
    ("v120", "V.120"),
    ("verbose", "Everything"),
    ("verify", "Check the source"),
    ("version", "The version"),
    ("view", "A view"),
    ("virtual-reassembly", "Reassembly of fragments"),
    ("vlan", "A VLAN's number"),
    ("vrf", "A VRF"),
    ("vrf-also", "From VRFs as well"),
    ("vty", "Virtual terminal"),
    ("warnings", "Severity 4"),
    ("weak", "What is weak, and the peers that use it"),
    ("weekdays", "Monday to Friday"),
    ("weekend", "Saturday and Sunday"),
    ("who", "Address of a peer, or name of a user"),
    ("why", "Why a tunnel is not up"),
    ("width", "Columns of the terminal"),
    ("wildcard", "Bits that need not match"),
    ("window-size", "Size of the window"),
    ("wins", "WINS servers for clients"),
    ("write", "Write the configuration"),
    ("xml", "XML"),
    ("year", "With the year"),
    ("zone", "Name of the time zone"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(prompt: &str, line: &str) -> Vec<String> {
        configuration_choices(prompt, line).into_iter().map(|choice| choice.token).collect()
    }

    #[test]
    fn help_texts_are_sorted() {
        assert!(HELP.is_sorted_by_key(|(name, _)| *name));
    }

    fn unexplained(token: &Token) -> bool {
        // a number stands for itself
        help(token).is_empty() && !token.name().chars().all(|c| c.is_ascii_digit())
    }

    /// Every word of a command that has its effect is explained.
    #[test]
    fn every_word_has_its_help() {
        let mut missing = std::collections::BTreeSet::new();
        for mode in In::ALL {
            let Commands { rows, forms, .. } = commands(mode);
            for (row, form) in rows.iter().zip(forms) {
                if row.action.folds() {
                    missing.extend(form.tokens().iter().filter(|token| unexplained(token)).map(Token::name));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_may_come_next() {
        assert_eq!(listed("config-isakmp", "hash "), ["md5", "sha", "sha256", "sha384", "sha512"]);
        assert_eq!(listed("config-isakmp", "encr aes "), ["128", "192", "256", "<cr>"]);
        assert_eq!(listed("config-isakmp", "h"), ["hash"]);
        assert_eq!(listed("config", "crypto isakmp policy "), ["<1-10000>"]);
        assert_eq!(listed("config-if", "ip address 10.1.1.1 "), ["A.B.C.D"]);
        assert_eq!(listed("config-if", "no ip addr 10.1.1.1 255.0.0.0 "), ["secondary", "<cr>"]);
        assert!(listed("config", "nonsense ").is_empty());
    }

    #[test]
    fn what_a_word_may_become() {
        assert_eq!(configuration_complete("config-isakmp", "encr").as_deref(), Some("encryption "));
        assert_eq!(configuration_complete("config", "no crypto isak").as_deref(), Some("no crypto isakmp "));
        assert_eq!(configuration_complete("config", "crypto i"), None);
        assert_eq!(configuration_complete("config-isakmp", "hash sha25").as_deref(), Some("hash sha256 "));
    }
}
