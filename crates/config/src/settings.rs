//! Settings of what restricts something and is switched on nowhere: an intrusion prevention system
//! that no interface has, a list of AAA that nothing names. They restrict nothing on a router
//! either, so they stop no start.

use crate::diagnostic::Unenforced;
use crate::verdict::lines::{Block, Spelled};
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

/// Lines that restrict nothing on their own, whatever other lines there are, by how they begin.
const NEVER: &[(&str, &str)] = &[
    ("aaa authentication arap", "AppleTalk does not exist here"),
    ("aaa authentication attempts", "SSH logins have limits of their own"),
    ("aaa authentication nasi", "NASI does not exist here"),
    ("aaa authentication sgbp", "PPP does not exist here"),
    ("aaa authorization configuration", "no configuration is fetched from a server"),
    ("aaa authorization ipmobile", "Mobile IP does not exist here"),
    ("aaa authorization reverse-access", "users cannot connect from a line to other hosts"),
    ("aaa common-criteria", "no minimum length of passwords is enforced"),
    ("aaa memory", "no server is asked"),
    ("aaa nas", "no server is asked"),
    ("aaa password", "no minimum length of passwords is enforced"),
    ("aaa pod", "no server is asked"),
    ("aaa processes", "no server is asked"),
    ("aaa session-mib", "there is no SNMP"),
    ("access-expression", ONLY_IP),
    ("bridge-group", ONLY_IP),
    ("dot1x credentials", OWN),
    ("dot1x logging", REPORTS),
    ("dot1x pae supplicant", OWN),
    ("dot1x supplicant", OWN),
    ("input-address-list", ONLY_IP),
    ("input-type-list", ONLY_IP),
    ("ip admission auth-proxy-audit", REPORTS),
    ("ip admission auth-proxy-banner", REPORTS),
    ("ip arp inspection trust", "exempts the interface from a check"),
    ("ip auth-proxy auth-proxy-audit", REPORTS),
    ("ip auth-proxy auth-proxy-banner", REPORTS),
    ("ip device tracking", "only keeps a table of hosts"),
    ("ip dhcp snooping trust", "exempts the interface from a check"),
    ("ip drp access-group", "DRP does not exist here"),
    ("ip ips memory", "only sets how much memory it takes"),
    ("ip ips notify", REPORTS),
    ("ip rsvp access-group", "RSVP does not exist here"),
    ("ip traffic-export", "packets are not copied to monitors"),
    ("ip urlfilter alert", REPORTS),
    ("ip urlfilter audit-trail", REPORTS),
    ("ip urlfilter source-interface", "no server is asked"),
    ("ip urlfilter urlf-server-log", REPORTS),
    ("ip verify unicast notification", REPORTS),
    ("ipx access-group", ONLY_IP),
    ("output-address-list", ONLY_IP),
    ("output-type-list", ONLY_IP),
];
const ONLY_IP: &str = "only IP is forwarded here";
const OWN: &str = "is for a router that authenticates itself to a switch";
const REPORTS: &str = "only reports";

/// Filters of an interface for multicast.
const MULTICAST: [&str; 4] =
    ["ip igmp access-group", "ip igmp filter", "ip multicast boundary", "ip pim neighbor-filter"];

/// Global commands that have an effect only if a line of another mode has this beginning.
const SWITCHED: &[(&[&str], &[&str], &str)] = &[
    (&["ip ips"], &["ip ips"], "no interface has `ip ips`"),
    (
        &["ip auth-proxy", "ip admission", "aaa authorization auth-proxy", "aaa authentication eou"],
        &["ip auth-proxy", "ip admission"],
        "no interface has `ip auth-proxy` or `ip admission`",
    ),
    (&["vrf selection"], &["ip vrf select"], "no interface has `ip vrf select source`"),
];

/// The lines of `open` that have no effect, each with the reason. `unused` says which blocks are
/// interfaces that carry nothing.
pub(crate) fn idle(
    blocks: &[Block<'_>],
    open: &[Unenforced],
    unused: impl Fn(&Block<'_>) -> bool,
) -> BTreeMap<u32, &'static str> {
    let mut out = BTreeMap::new();
    let open: BTreeSet<u32> = open.iter().map(|one| one.line).collect();
    let is_open = |line: &Spelled<'_>| open.contains(&line.line);
    let used: Vec<&Block<'_>> = blocks.iter().filter(|block| !unused(block)).collect();
    let below = || used.iter().flat_map(|block| &block.below);
    let heads = || blocks.iter().map(|block| &block.head);
    for line in blocks.iter().flat_map(Block::lines).filter(|line| is_open(line)) {
        let never = NEVER.iter().find(|(words, _)| line.begins(words));
        out.extend(never.map(|(_, why)| (line.line, *why)));
    }
    if !heads().any(|line| line.begins("ip multicast-routing")) {
        let filters = blocks.iter().flat_map(|block| &block.below).filter(|line| is_open(line));
        let filters = filters.filter(|line| MULTICAST.iter().any(|words| line.begins(words)));
        out.extend(filters.map(|line| (line.line, "there is no `ip multicast-routing`")));
    }
    let mut quiet = |words: &str, why: &'static str| {
        out.extend(heads().filter(|line| line.begins(words) && is_open(line)).map(|line| (line.line, why)));
    };
    for (globals, switches, why) in SWITCHED {
        if !below().any(|line| switches.iter().any(|words| line.begins(words))) {
            globals.iter().for_each(|words| quiet(words, why));
        }
    }
    if !heads().any(|line| line.begins("ip tcp intercept list")) {
        quiet("ip tcp intercept", "there is no `ip tcp intercept list`");
    }
    let looks_at_urls = heads().any(|line| line.begins("ip inspect name") && line.has("urlfilter"));
    if !looks_at_urls || !below().any(|line| line.begins("ip inspect")) {
        quiet("ip urlfilter", "no interface has `ip inspect` with `urlfilter`");
    }
    if !below().any(controls_port) {
        quiet("dot1x", NO_PORT);
        quiet("aaa authentication dot1x", NO_PORT);
    }
    out.extend(ports(blocks, &used));
    out.extend(route_maps(&used, &is_open));
    out.extend(lists(blocks, &is_open));
    // what restricts commands restricts those of configuration mode, and nothing without it
    let restricts = |line: &&Spelled<'_>| line.begins("aaa authorization commands") && is_open(line);
    if heads().filter(restricts).all(|line| out.contains_key(&line.line)) {
        let alone = heads().filter(|line| line.begins("aaa authorization config-commands"));
        out.extend(alone.map(|line| (line.line, "no `aaa authorization commands` restricts anything")));
    }
    let still: BTreeSet<u32> =
        heads().filter(|line| is_open(line) && !out.contains_key(&line.line)).map(|line| line.line).collect();
    out.extend(lines_by_lists(blocks, &still));
    out
}

const NO_PORT: &str = "no port requires its hosts to authenticate (`port-control auto`)";

/// Whether a line makes a port ask its hosts who they are.
fn controls_port(line: &Spelled<'_>) -> bool {
    line.has("port-control") && !line.has("force-authorized")
}

/// Settings of 802.1X of interfaces that let every host in. `used` are the blocks of what carries
/// packets.
fn ports(blocks: &[Block<'_>], used: &[&Block<'_>]) -> impl Iterator<Item = (u32, &'static str)> {
    const OF_PORTS: [&str; 4] = ["dot1x", "authentication", "access-session", "mab"];
    let controls = |block: &Block<'_>| {
        block.below.iter().any(|line| controls_port(line) || line.begins("source template"))
    };
    // a line of a range may be that of a port that asks its hosts, too
    let controlled = used.iter().filter(|block| block.head.begins("interface") && controls(block));
    let controlled: BTreeSet<u32> = controlled.flat_map(|block| &block.below).map(|line| line.line).collect();
    let open_to_all = move |block: &&Block<'_>| block.head.begins("interface") && !controls(block);
    let lines = blocks.iter().filter(open_to_all).flat_map(|block| &block.below);
    lines
        .filter(|line| OF_PORTS.iter().any(|words| line.begins(words)))
        .map(|line| line.line)
        .filter(move |line| !controlled.contains(line))
        .map(|line| (line, NO_PORT))
}

/// What route maps set that no interface and nothing of this machine's own is routed by.
fn route_maps(used: &[&Block<'_>], is_open: &impl Fn(&Spelled<'_>) -> bool) -> Vec<(u32, &'static str)> {
    let mut routed_by: BTreeSet<&str> = BTreeSet::new();
    for line in used.iter().flat_map(|block| block.lines()) {
        let words: Vec<_> = line.text.split_whitespace().collect();
        routed_by.extend(words.windows(3).filter_map(|three| match three {
            ["policy", "route-map", name] => Some(*name),
            _ => None,
        }));
    }
    let mut out = Vec::new();
    for block in used.iter().filter(|block| block.head.begins("route-map")) {
        if block.head.word(1).is_some_and(|name| !routed_by.contains(name)) {
            let lines = block.having("set vrf").filter(|line| is_open(line));
            out.extend(lines.map(|line| (line.line, "nothing is routed by this route map")));
        }
    }
    out
}

/// The list of a rule of AAA: the kind of rule with the level of commands, the list's name, and its
/// methods.
fn rule<'l>(words: &[&'l str]) -> Option<(Vec<&'l str>, &'l str, Vec<&'l str>)> {
    let length = if words.first() == Some(&"commands") { 2 } else { 1 };
    let (kind, rest) = words.split_at_checked(length)?;
    let (list, methods) = rest.split_first()?;
    Some((kind.to_vec(), list, methods.to_vec()))
}

/// Rules of AAA by lists that nothing names, and those that let everybody do what he may.
fn lists(blocks: &[Block<'_>], is_open: &impl Fn(&Spelled<'_>) -> bool) -> Vec<(u32, &'static str)> {
    const HARMLESS: [&str; 3] = ["if-authenticated", "local", "none"];
    let others = blocks
        .iter()
        .flat_map(|block| block.lines().filter(|line| line.line != block.head.line || !line.begins("aaa")));
    let named: LazyCell<BTreeSet<String>, _> = LazyCell::new(move || {
        others.flat_map(|line| line.text.split_whitespace().map(str::to_ascii_lowercase)).collect()
    });
    let is_named = |list: &str| named.contains(&list.to_ascii_lowercase());
    let mut out = Vec::new();
    for line in blocks.iter().map(|block| &block.head).filter(|line| is_open(line)) {
        let words: Vec<_> = line.text.split_whitespace().collect();
        let ["aaa", "authentication" | "authorization", of @ ..] = words.as_slice() else { continue };
        let Some((kind, list, methods)) = rule(of) else { continue };
        let is_rule =
            ["login", "enable", "network", "exec", "commands"].contains(kind.first().unwrap_or(&""));
        if is_rule && list != "default" && !is_named(list) {
            out.push((line.line, "nothing names this list"));
        } else if kind.first() == Some(&"commands")
            && !methods.is_empty()
            && methods.iter().all(|method| HARMLESS.contains(method))
        {
            out.push((line.line, "lets users run the commands of their level"));
        }
    }
    out
}

/// `authorization …` of terminal lines by lists that restrict nothing. `still` are the global lines
/// that do.
fn lines_by_lists(blocks: &[Block<'_>], still: &BTreeSet<u32>) -> Vec<(u32, &'static str)> {
    // whether a rule of a kind and a name restricts something
    let mut rules: BTreeMap<(Vec<&str>, &str), bool> = BTreeMap::new();
    for head in blocks.iter().map(|block| &block.head).filter(|head| head.begins("aaa authorization")) {
        let of: Vec<_> = head.text.split_whitespace().skip(2).collect();
        if let Some((kind, name, _)) = rule(&of) {
            *rules.entry((kind, name)).or_default() |= still.contains(&head.line);
        }
    }
    let mut out = Vec::new();
    for line in
        blocks.iter().filter(|block| block.head.begins("line")).flat_map(|b| b.having("authorization"))
    {
        let words: Vec<_> = line.text.split_whitespace().skip(1).collect();
        let Some((kind, list, _)) = rule(&words) else { continue };
        if rules.get(&(kind, list)) == Some(&false) {
            out.push((line.line, "its list restricts nothing"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::parsed::unenforced;

    /// The lines that stop the start.
    fn open(text: &str) -> Vec<u32> {
        let parsed = crate::parse(&format!("hostname a\n{text}"));
        unenforced(&parsed).iter().map(|one| one.line).collect()
    }

    const PORT: &str = "interface FastEthernet0/0\n";

    /// Each setting alone stops nothing, and with what switches it on it does.
    #[test]
    fn a_setting_stops_the_start_only_where_it_is_switched_on() {
        for (setting, switch) in [
            ("ip ips fail closed", format!("{PORT} ip ips N in\n")),
            ("ip ips name N", format!("{PORT} ip ips N in\n")),
            ("ip auth-proxy name P http", format!("{PORT} ip auth-proxy P\n")),
            ("ip auth-proxy max-login-attempts 3", format!("{PORT} ip auth-proxy P\n")),
            ("ip admission name P proxy http", format!("{PORT} ip admission P\n")),
            ("ip admission name P proxy http", "fallback profile F\n ip admission P in\n".into()),
            ("aaa authorization auth-proxy default group radius", format!("{PORT} ip admission P\n")),
            ("aaa authentication eou default group radius", format!("{PORT} ip admission P\n")),
            ("ip tcp intercept mode watch", "ip tcp intercept list 101\n".into()),
            ("ip tcp intercept max-incomplete high 900", "ip tcp intercept list 101\n".into()),
            ("dot1x system-auth-control", format!("{PORT} dot1x port-control auto\n")),
            ("dot1x system-auth-control", format!("{PORT} authentication port-control auto\n")),
            ("dot1x system-auth-control", "template T\n access-session port-control auto\n".into()),
            ("aaa authentication dot1x default group radius", format!("{PORT} dot1x port-control auto\n")),
            (
                "ip urlfilter exclusive-domain deny .example.com",
                format!("{PORT} ip inspect FW out\nip inspect name FW http urlfilter\n"),
            ),
            ("vrf selection source 10.0.0.0 255.0.0.0 vrf G", format!("{PORT} ip vrf select source\n")),
            ("route-map R permit 10\n set vrf G", format!("{PORT} ip policy route-map R\n")),
            ("route-map R permit 10\n set vrf G", "ip local policy route-map R\n".into()),
            ("aaa authentication login L group radius", "line vty 0 4\n login authentication L\n".into()),
            (
                "aaa authentication login L group radius",
                "crypto isakmp profile P\n client authentication list l\n".into(),
            ),
            ("aaa authorization network L group radius", "crypto map M isakmp authorization list L\n".into()),
            ("aaa authorization exec L group radius", "line vty 0 4\n authorization exec L\n".into()),
            (
                "aaa authorization config-commands",
                "aaa authorization commands 15 default group tacacs+\n".into(),
            ),
        ] {
            assert_eq!(open(&format!("{setting}\n")), [], "{setting}");
            let own = 1 + setting.lines().count() as u32;
            assert!(open(&format!("{setting}\n{switch}")).contains(&own), "{setting}, {switch}");
        }
    }

    /// The switch counts only where the interface carries packets.
    #[test]
    fn a_switch_of_an_interface_that_is_shut_is_none() {
        for switch in ["ip ips N in", "dot1x port-control auto", "ip admission P"] {
            let text = "ip ips name N\ndot1x system-auth-control\nip admission name P proxy http\n";
            assert_eq!(open(&format!("{text}{PORT} shutdown\n {switch}\n")), [], "{switch}");
            assert_eq!(open(&format!("{text}interface Tunnel7\n {switch}\n")), [], "{switch}");
            assert_eq!(open(&format!("{text}{PORT} {switch}\n")).len(), 2, "{switch}");
        }
    }

    #[test]
    fn what_only_reports_or_has_nothing_to_restrict_stops_no_start() {
        for line in [
            "ip ips notify log",
            "ip urlfilter audit-trail",
            "ip auth-proxy auth-proxy-banner file flash:x",
            "aaa nas port extended",
            "aaa authentication attempts login 3",
            "aaa authorization commands 15 default local if-authenticated",
        ] {
            let on = format!(
                "ip inspect name FW http urlfilter\n{line}\n{PORT} ip ips N in\n ip auth-proxy P\n ip inspect FW in\n"
            );
            assert_eq!(open(&on), [5, 6, 7], "{line}");
        }
        for line in [
            "ip verify unicast notification threshold 900",
            "ip dhcp snooping trust",
            "ip multicast boundary 10",
            "dot1x pae supplicant",
            "authentication periodic",
            "authentication port-control force-authorized",
            "mab",
        ] {
            assert_eq!(open(&format!("{PORT} {line}\n")), [], "{line}");
        }
    }

    #[test]
    fn what_restricts_still_stops_the_start() {
        for (text, lines) in [
            ("aaa authorization commands 15 default group tacacs+ local\n", vec![2]),
            ("aaa authorization commands 15 default\n", vec![2]),
            ("aaa local authentication attempts max-fail 5\n", vec![2]),
            ("aaa authentication login default group radius\n", vec![2]),
            ("aaa authorization exec V local\nline vty 0 4\n authorization exec V\n", vec![]),
            ("aaa authorization exec V group radius\nline vty 0 4\n authorization exec V\n", vec![2, 4]),
            ("line vty 0 4\n authorization exec V\n", vec![3]),
            ("line vty 0 4\n authorization exec\n", vec![3]),
            (
                "interface FastEthernet0/0\n dot1x pae authenticator\n authentication port-control auto\n",
                vec![3, 4],
            ),
            ("interface FastEthernet0/0\n mab\n source template T\n", vec![3]),
            // a port of a range that lets every host in does not speak for the others
            (
                "interface range FastEthernet0/0 - 1\n dot1x pae authenticator\ninterface FastEthernet0/1\n authentication port-control auto\n",
                vec![3, 5],
            ),
            (
                "interface range FastEthernet0/0 - 1\n dot1x pae authenticator\ninterface FastEthernet0/1\n authentication port-control auto\n shutdown\n",
                vec![],
            ),
            ("interface FastEthernet0/0\n ip multicast boundary 10\nip multicast-routing\n", vec![3]),
            ("interface FastEthernet0/0\n ip dhcp snooping limit rate 5\n", vec![3]),
            ("interface FastEthernet0/0\n ip verify source\n", vec![3]),
        ] {
            assert_eq!(open(text), lines, "{text}");
        }
    }
}
