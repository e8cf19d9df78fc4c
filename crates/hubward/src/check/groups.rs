//! Remarks grouped by what they are about, so that many lines of one feature are one line of the
//! screen.

use hubward_config::diagnostic::{Diagnostic, Kind};
use hubward_config::document::Line;

/// Remarks on lines of one feature.
pub(super) struct Group {
    /// Its title.
    pub(super) title: String,
    /// The lines, ascending.
    pub(super) lines: Vec<u32>,
    /// What is said of them, each once.
    pub(super) says: Vec<String>,
}

/// Groups remarks by the titles that they get, in the order of their first lines.
pub(super) fn grouped(all: impl IntoIterator<Item = (String, u32, String)>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for (title, line, text) in all {
        let place = *places.entry(title.clone()).or_insert(out.len());
        if place == out.len() {
            out.push(Group { title, lines: Vec::new(), says: Vec::new() });
        }
        let Some(group) = out.get_mut(place) else { continue };
        group.lines.push(line);
        // a group of thousands of different ones says the first few
        if group.says.len() < SAID && !group.says.contains(&text) {
            group.says.push(text);
        }
    }
    for group in &mut out {
        group.lines.sort_unstable();
        group.lines.dedup();
    }
    out
}

/// Sentences that are kept of a group.
const SAID: usize = 16;

/// Ranges of lines that are shown.
const RANGES: usize = 6;

/// Lines as ranges: `112-118, 301`.
pub(super) fn ranges(lines: &[u32]) -> String {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match out.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *line => *last = *line,
            _ => out.push((*line, *line)),
        }
    }
    let shown = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let mut text: Vec<_> = out.iter().take(RANGES).map(shown).collect();
    if out.len() > RANGES {
        text.push("…".into());
    }
    text.join(", ")
}

/// `1 line (7)`, `7 lines (112-118, 301)`.
pub(super) fn counted(lines: &[u32]) -> String {
    let word = if lines.len() == 1 { "line" } else { "lines" };
    format!("{} {word} ({})", lines.len(), ranges(lines))
}

/// What a remark says without the line that it quotes and what all of its kind say.
pub(super) fn essence(message: &str) -> String {
    let own = match message.strip_prefix('`').and_then(|rest| rest.split_once("` ")) {
        Some((_, own)) => own,
        None => message,
    };
    let own = ["is not implemented: ", "has no effect: "]
        .iter()
        .find_map(|start| own.strip_prefix(start))
        .unwrap_or(own);
    let ends =
        [", and that is not enforced", ", and that is not implemented: packets are forwarded without it"];
    let own = ends.iter().find_map(|end| own.strip_suffix(end)).unwrap_or(own);
    own.replace(", and that is not implemented: ", "; ")
}

/// Features by how their lines begin; the first that fits.
const FEATURES: &[(&str, &str)] = &[
    ("aaa", "AAA"),
    ("tacacs", "AAA servers"),
    ("tacacs-server", "AAA servers"),
    ("radius", "AAA servers"),
    ("radius-server", "AAA servers"),
    ("archive", "Other settings"),
    ("alias", "Other settings"),
    ("scheduler", "Other settings"),
    ("banner", "Banners"),
    ("boot", "Hardware"),
    ("boot-start-marker", "Hardware"),
    ("boot-end-marker", "Hardware"),
    ("license", "Hardware"),
    ("multilink", "Hardware"),
    ("redundancy", "Hardware"),
    ("card", "Hardware"),
    ("hw-module", "Hardware"),
    ("duplex", "Hardware"),
    ("speed", "Hardware"),
    ("media-type", "Hardware"),
    ("negotiation", "Hardware"),
    ("service", "Services of the router"),
    ("security", "Logins"),
    ("login", "Logins"),
    ("enable", "Logins"),
    ("ip ssh", "SSH"),
    ("ip domain", "Names"),
    ("ip name-server", "Names"),
    ("ip host", "Names"),
    ("ip tcp", "TCP"),
    ("ip virtual-reassembly", "Fragments"),
    ("ip redirects", "IP of interfaces"),
    ("ip unreachables", "IP of interfaces"),
    ("ip proxy-arp", "IP of interfaces"),
    ("ip source-route", "IP of interfaces"),
    ("ip directed-broadcast", "IP of interfaces"),
    ("ip route-cache", "IP of interfaces"),
    ("object-group", "Object groups"),
    ("cdp", "Neighbours"),
    ("lldp", "Neighbours"),
    ("control-plane", "Control plane"),
    ("bandwidth", "QoS"),
    ("bridge", "Bridging"),
    ("class-map", "QoS"),
    ("policy-map", "QoS"),
    ("service-policy", "QoS"),
    ("fair-queue", "QoS"),
    ("traffic-shape", "QoS"),
    ("rate-limit", "QoS"),
    ("crypto pki", "Certificates"),
    ("crypto ca", "Certificates"),
    ("crypto ikev2", "IKEv2"),
    ("crypto ipsec profile", "Tunnel interfaces"),
    ("crypto gdoi", "GET VPN"),
    ("crypto", "Other crypto lines"),
    ("dialer", "Dialing"),
    ("event manager", "Scripts"),
    ("flow", "NetFlow"),
    ("ip flow", "NetFlow"),
    ("ip flow-export", "NetFlow"),
    ("interface Tunnel", "Tunnel interfaces"),
    ("tunnel", "Tunnel interfaces"),
    ("ip dhcp", "DHCP"),
    ("ip http", "Web server"),
    ("ip inspect", "Firewall"),
    ("ip nat", "NAT"),
    ("ip nhrp", "NHRP"),
    ("ip pim", "Multicast"),
    ("ip igmp", "Multicast"),
    ("ip multicast", "Multicast"),
    ("ip ospf", "Routing protocols"),
    ("ip policy", "Policy routing"),
    ("ip local policy", "Policy routing"),
    ("route-map", "Policy routing"),
    ("ip sla", "Probes and tracking"),
    ("track", "Probes and tracking"),
    ("ip vrf", "VRFs"),
    ("ip route vrf", "VRFs"),
    ("vrf", "VRFs"),
    ("ip route", "Static routes"),
    ("ipv6", "IPv6"),
    ("logging", "Logging"),
    ("ntp", "Time"),
    ("clock", "Time"),
    ("sntp", "Time"),
    ("ppp", "PPP"),
    ("pppoe", "PPP"),
    ("router", "Routing protocols"),
    ("snmp-server", "SNMP"),
    ("standby", "First-hop redundancy"),
    ("vrrp", "First-hop redundancy"),
    ("glbp", "First-hop redundancy"),
    ("spanning-tree", "Switching"),
    ("switchport", "Switching"),
    ("zone", "Zone-based firewall"),
];

/// Whether a line begins with some words, the last one of which may be a beginning: `interface
/// Tunnel` is one of `interface Tunnel7`.
fn begins(line: &str, words: &str) -> bool {
    let Some(rest) = line.get(..words.len()).filter(|start| start.eq_ignore_ascii_case(words)) else {
        return false;
    };
    let behind = line.get(rest.len()..).unwrap_or_default().chars().next();
    behind.is_none_or(|next| next.is_whitespace() || next.is_ascii_digit())
}

/// The feature of a line, or of the line that opens its mode.
pub(super) fn feature(lines: &[Line], number: u32) -> String {
    let line = usize::try_from(number).ok().and_then(|number| lines.get(number.checked_sub(1)?));
    let Some(line) = line else { return "Other".into() };
    let plain = |line: &Line| {
        let text = line.spelled.trim_start();
        text.strip_prefix("no ").unwrap_or(text).to_string()
    };
    let known = |line: &Line| {
        let text = plain(line);
        FEATURES.iter().find(|(words, _)| begins(&text, words)).map(|(_, name)| (*name).to_string())
    };
    let head = line.under.and_then(|under| lines.get(under));
    if head.is_some_and(|head| begins(&head.spelled, "line")) {
        return "Terminal lines".into();
    }
    if begins(&line.spelled, "interface") && !begins(&line.spelled, "interface Tunnel") {
        return "Interfaces".into();
    }
    known(line).or_else(|| head.and_then(known)).unwrap_or_else(|| {
        // names and numbers are not the command's
        let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let text = plain(line);
        let words: Vec<_> = text.split_whitespace().take_while(is_word).take(2).collect();
        match words.is_empty() {
            true => "Other".into(),
            false => format!("`{}`", words.join(" ")),
        }
    })
}

/// What lines of a kind are about.
pub(super) const fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::AccessGroup => "Packet filters",
        Kind::AccessList => "Lock-and-key lists",
        Kind::Aaa => "AAA",
        Kind::Admission => "Admission control",
        Kind::ClientPolicy => "Requirements of clients",
        Kind::ControlPlane => "Control plane",
        Kind::CryptoFilter => "Filters of crypto maps",
        Kind::Fragments => "Fragments",
        Kind::GroupLock => "Group lock",
        Kind::Inspect => "Stateful firewall",
        Kind::Ips => "Intrusion prevention",
        Kind::Ipv6 => "IPv6",
        Kind::Line => "Terminal lines",
        Kind::Login => "Limits of logins",
        Kind::MaxLogins => "Sessions of a user",
        Kind::MaxUsers => "Users of a group",
        Kind::Nat => "NAT",
        Kind::TcpIntercept => "TCP intercept",
        Kind::UrlFilter => "URL filter",
        Kind::Urpf => "Forged sources",
        Kind::User => "Users",
        Kind::Vrf => "VRFs",
        Kind::Zone => "Zone-based firewall",
        Kind::AfterEnd => "Lines after `end`",
        Kind::Other => "Other",
    }
}

/// The words of a remark that those of one kind have in common: without names and numbers.
pub(super) fn sort_of(told: &Diagnostic) -> String {
    let words = told
        .message
        .split_whitespace()
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    format!("{} {}", told.code.name(), words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_as_ranges() {
        assert_eq!(counted(&[301]), "1 line (301)");
        assert_eq!(counted(&[112, 113, 114, 301]), "4 lines (112-114, 301)");
        let many: Vec<u32> = (0..20).map(|number| number * 2).collect();
        assert_eq!(ranges(&many), "0, 2, 4, 6, 8, 10, …");
    }

    #[test]
    fn a_line_has_the_feature_of_its_words_or_of_its_mode() {
        let text = "frob nicate 7\nrouter ospf 1\n network 10.0.0.0 0.255.255.255 area 0\nip dhcp pool P\n option 42 ip 10.0.0.1\n\
                    interface Tunnel7\n delay 7\nno ip nat service sip\n";
        let lines = hubward_config::parse(text).document.lines;
        let features: Vec<_> = (1..=8).map(|number| feature(&lines, number)).collect();
        let routing = "Routing protocols";
        let tunnels = "Tunnel interfaces";
        assert_eq!(features, ["`frob nicate`", routing, routing, "DHCP", "DHCP", tunnels, tunnels, "NAT"]);
    }
}
