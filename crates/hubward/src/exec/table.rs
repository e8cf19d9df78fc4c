//! The table of exec commands: what each looks like, what its help says, who may give it, what it does.

use super::*;
use hubward_proto::ike::io::Command;

/// One command.
pub(crate) struct Row {
    /// Words; one in `<>` takes an argument: `<address>`, `<interface>`, `<name>`, `<number>`.
    pub(crate) form: &'static str,
    /// What its last word means.
    #[expect(dead_code, reason = "the shell's `?` prints it")]
    pub(crate) help: &'static str,
    /// The lowest privilege that may give it; for others it does not exist.
    pub(crate) privilege: u8,
    pub(crate) run: Run,
}

/// What a command does.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Shows something of a snapshot.
    Show(fn(&Context, &Arguments) -> Output),
    /// Gives the engine an order.
    Order(fn(&Arguments) -> Result<Command, Refusal>),
}

const fn show(
    form: &'static str,
    help: &'static str,
    privilege: u8,
    show: fn(&Context, &Arguments) -> Output,
) -> Row {
    Row { form, help, privilege, run: Run::Show(show) }
}

const fn order(
    form: &'static str,
    help: &'static str,
    order: fn(&Arguments) -> Result<Command, Refusal>,
) -> Row {
    Row { form, help, privilege: PRIVILEGED, run: Run::Order(order) }
}

/// Every exec command.
pub(crate) const ROWS: &[Row] = &[
    show("show access-lists", "List access lists", 1, show_acl::all),
    show("show access-lists <name>", "Access list name or number", 1, show_acl::one),
    show("show archive", "Archive of saved configurations", PRIVILEGED, show_config::archive),
    show("show arp", "ARP table", 1, show_route::arp),
    show("show clock", "Display the system clock", 1, show_system::clock),
    show("show crypto dynamic-map", "Crypto map templates", 1, show_map::dynamic),
    show("show crypto dynamic-map tag <name>", "Name of the template", 1, show_map::dynamic_one),
    show("show crypto engine connections active", "Active crypto engine connections", 1, show_engine::active),
    show(
        "show crypto engine connections dropped-packet",
        "Packets that were dropped",
        1,
        show_engine::dropped,
    ),
    show("show crypto ipsec sa", "IPSEC SA table", 1, show_ipsec::all),
    show("show crypto ipsec sa detail", "Show counter details", 1, show_ipsec::detail),
    show(
        "show crypto ipsec sa interface <interface>",
        "Interface that bears the crypto map",
        1,
        show_ipsec::interface,
    ),
    show(
        "show crypto ipsec sa interface <interface> detail",
        "Show counter details",
        1,
        show_ipsec::interface_detail,
    ),
    show("show crypto ipsec sa map <name>", "Crypto map name", 1, show_ipsec::map),
    show("show crypto ipsec sa map <name> detail", "Show counter details", 1, show_ipsec::map_detail),
    show("show crypto ipsec sa peer <address>", "Peer address", 1, show_ipsec::peer),
    show("show crypto ipsec sa peer <address> detail", "Show counter details", 1, show_ipsec::peer_detail),
    show("show crypto ipsec transform-set", "Crypto transform sets", 1, show_ipsec::transform_sets),
    show("show crypto isakmp key", "Show ISAKMP preshared keys", PRIVILEGED, show_isakmp_config::key),
    show("show crypto isakmp peers", "Show ISAKMP peer structures", 1, show_isakmp::peers),
    show("show crypto isakmp policy", "Show ISAKMP protection suite policy", 1, show_isakmp_config::policy),
    show("show crypto isakmp profile", "Show ISAKMP profiles", 1, show_isakmp_config::profile),
    show("show crypto isakmp sa", "Show ISAKMP Security Associations", 1, show_isakmp::sa),
    show("show crypto isakmp sa detail", "Show ISAKMP SA detail", 1, show_isakmp::detail),
    show("show crypto map", "Crypto maps", 1, show_map::all),
    show(
        "show crypto map interface <interface>",
        "Interface that bears the crypto map",
        1,
        show_map::interface,
    ),
    show("show crypto map tag <name>", "Crypto map name", 1, show_map::one),
    show("show crypto session", "Status of crypto sessions", 1, show_session::all),
    show("show crypto session brief", "One line for each session", 1, show_session::brief),
    show("show crypto session detail", "Detailed status", 1, show_session::detail),
    show("show crypto session remote <address>", "Address of the peer", 1, show_session::remote),
    show("show crypto session remote <address> detail", "Detailed status", 1, show_session::remote_detail),
    show("show crypto session local <address>", "Address of this end", 1, show_session::local),
    show("show crypto session local <address> detail", "Detailed status", 1, show_session::local_detail),
    show("show crypto session username <name>", "Name of the Xauth user", 1, show_session::username),
    show("show crypto session username <name> detail", "Detailed status", 1, show_session::username_detail),
    show("show crypto session isakmp group <name>", "Name of the client group", 1, show_session::group),
    show("show crypto session isakmp group <name> detail", "Detailed status", 1, show_session::group_detail),
    show("show crypto session isakmp profile <name>", "Name of the ISAKMP profile", 1, show_session::profile),
    show(
        "show crypto session isakmp profile <name> detail",
        "Detailed status",
        1,
        show_session::profile_detail,
    ),
    show("show debugging", "State of each debugging option", 1, show_system::debugging),
    show("show interfaces", "Interface status and configuration", 1, show_interface::interfaces),
    show("show interfaces <interface>", "One interface", 1, show_interface::interfaces_one),
    show("show ip access-lists", "List IP access lists", 1, show_acl::all),
    show("show ip access-lists <name>", "Access list name or number", 1, show_acl::one),
    show("show ip arp", "IP ARP table", 1, show_route::arp),
    show("show ip interface", "IP interface status and configuration", 1, show_interface::ip),
    show("show ip interface <interface>", "One interface", 1, show_interface::ip_one),
    show("show ip interface brief", "Brief summary of IP status and configuration", 1, show_interface::brief),
    show(
        "show ip interface <interface> brief",
        "Brief summary of one interface",
        1,
        show_interface::brief_one,
    ),
    show("show ip local pool", "IP Local Pool information", 1, show_pool::all),
    show("show ip local pool <name>", "Pool name", 1, show_pool::one),
    show("show ip route", "IP routing table", 1, show_route::route),
    show("show logging", "Show the contents of logging buffers", 1, show_system::logging),
    show("show privilege", "Show current privilege level", 1, show_system::privilege),
    show("show running-config", "Current operating configuration", PRIVILEGED, show_config::running),
    show(
        "show running-config interface <interface>",
        "One interface",
        PRIVILEGED,
        show_config::running_interface,
    ),
    show("show startup-config", "Contents of startup configuration", PRIVILEGED, show_config::startup),
    show("show users", "Display information about terminal lines", 1, show_system::users),
    show("show version", "System hardware and software status", 1, show_system::version),
    show("write terminal", "Write to terminal", PRIVILEGED, show_config::running),
    order("clear crypto isakmp", "Reset all ISAKMP SAs", |_| Ok(Command::ClearIsakmp { connection: None })),
    order("clear crypto isakmp <number>", "Connection id of the SA", |arguments| {
        Ok(Command::ClearIsakmp { connection: Some(arguments.parsed(0)?) })
    }),
    order("clear crypto sa", "Clear all crypto SAs", |_| Ok(Command::ClearSa { peer: None })),
    order("clear crypto sa peer <address>", "Clear all SAs of a peer", |arguments| {
        Ok(Command::ClearSa { peer: Some(arguments.parsed(0)?) })
    }),
    order("clear crypto session", "Reset all sessions", |_| Ok(Command::ClearSession { peer: None })),
    order("clear crypto session remote <address>", "Address of the peer", |arguments| {
        Ok(Command::ClearSession { peer: Some(arguments.parsed(0)?) })
    }),
];

/// A word of a line and its place in it.
struct Word<'l> {
    place: usize,
    text: &'l str,
}

fn words(line: &str) -> Vec<Word<'_>> {
    let mut place = 0;
    let mut words = Vec::new();
    for text in line.split(' ') {
        if !text.trim().is_empty() {
            words.push(Word { place, text: text.trim() });
        }
        place += text.len() + 1;
    }
    words
}

/// How far a line goes along with a form.
struct Fit {
    /// Words of the line that fit.
    words: usize,
    /// Of these, keywords that are spelled out: where abbreviations fit two forms, the one with more of them is meant.
    exact: usize,
    /// Whether all words of the form are there.
    complete: bool,
    arguments: Arguments,
}

fn fit(form: &str, words: &[Word<'_>]) -> Fit {
    let mut fit = Fit { words: 0, exact: 0, complete: true, arguments: Arguments::default() };
    for wanted in form.split(' ') {
        let Some(word) = words.get(fit.words) else {
            fit.complete = false;
            return fit;
        };
        if wanted.starts_with('<') {
            let mut text = word.text.to_string();
            let next = words.get(fit.words + 1).map(|next| next.text);
            // `FastEthernet 0/0`
            let split_name =
                wanted == "<interface>" && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
            if let Some(number) =
                next.filter(|next| split_name && next.starts_with(|c: char| c.is_ascii_digit()))
            {
                text.push_str(number);
                fit.words += 1;
            }
            fit.arguments.0.push((word.place, text));
        } else if wanted == word.text.to_ascii_lowercase() {
            fit.exact += 1;
        } else if !wanted.starts_with(&word.text.to_ascii_lowercase()) {
            fit.complete = false;
            return fit;
        }
        fit.words += 1;
    }
    fit
}

/// The command that a line is, for somebody of a privilege.
pub(crate) fn find(line: &str, privilege: u8) -> Result<(&'static Row, Arguments), Refusal> {
    let words = words(line);
    let allowed = ROWS.iter().filter(|row| row.privilege <= privilege);
    let fits: Vec<_> = allowed.map(|row| (row, fit(row.form, &words))).collect();
    // a keyword goes before an argument, one spelled out before an abbreviation
    let whole = fits.iter().filter(|(_, fit)| fit.complete && fit.words == words.len());
    let best = whole.clone().map(|(_, fit)| (std::cmp::Reverse(fit.arguments.0.len()), fit.exact)).max();
    let mut chosen =
        whole.filter(|(_, fit)| Some((std::cmp::Reverse(fit.arguments.0.len()), fit.exact)) == best);
    match (chosen.next(), chosen.next()) {
        (Some((row, _)), None) => return Ok((row, fit(row.form, &words).arguments)),
        (Some(_), Some(_)) => {
            let printable = line.trim().chars().filter(|c| !c.is_control()).take(80);
            return Err(Refusal::Ambiguous(printable.collect()));
        }
        (None, _) => {}
    }
    let furthest = fits.iter().map(|(_, fit)| fit.words).max().unwrap_or(0);
    match words.get(furthest) {
        None => Err(Refusal::Incomplete),
        Some(word) => Err(Refusal::Invalid(word.place)),
    }
}

impl Row {
    /// The command, spelled out, with its arguments.
    pub(crate) fn spelled(&self, arguments: &Arguments) -> String {
        let mut given = arguments.0.iter();
        let words: Vec<_> = self
            .form
            .split(' ')
            .map(|word| match word.starts_with('<') {
                true => given.next().map_or(word, |(_, text)| text.as_str()),
                false => word,
            })
            .collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(line: &str, privilege: u8) -> Result<String, Refusal> {
        find(line, privilege).map(|(row, arguments)| row.spelled(&arguments))
    }

    #[test]
    fn abbreviations_find_their_command() {
        for (typed, meant) in [
            ("sh cry isa sa det", "show crypto isakmp sa detail"),
            ("sh ip int br", "show ip interface brief"),
            ("show ip int fa0/0", "show ip interface fa0/0"),
            ("show ip int FastEthernet 0/0 br", "show ip interface FastEthernet0/0 brief"),
            ("show run", "show running-config"),
            ("sh cry ips sa", "show crypto ipsec sa"),
            ("SHOW CRYPTO SESSION REMOTE 10.1.1.1", "show crypto session remote 10.1.1.1"),
            ("cle cry sess", "clear crypto session"),
            ("wr t", "write terminal"),
            ("show  version ", "show version"),
        ] {
            assert_eq!(form(typed, 15).as_deref(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(form("show crypto", 15), Err(Refusal::Incomplete));
        assert_eq!(form("show crypto foo", 15), Err(Refusal::Invalid(12)));
        assert_eq!(form("show crypto isakmp sa x", 15), Err(Refusal::Invalid(22)));
        assert_eq!(form("show ip a", 15), Err(Refusal::Ambiguous("show ip a".into())));
        assert_eq!(form("foo", 15), Err(Refusal::Invalid(0)));
    }

    /// As on IOS, what a privilege does not allow does not exist.
    #[test]
    fn a_low_privilege_sees_no_secret_and_gives_no_order() {
        for line in
            ["show running-config", "show startup-config", "show crypto isakmp key", "clear crypto sa"]
        {
            assert!(matches!(form(line, 1), Err(Refusal::Invalid(_))), "{line}");
            assert!(form(line, 15).is_ok(), "{line}");
        }
        assert!(form("show crypto isakmp sa", 1).is_ok());
    }

    #[test]
    fn forms_are_in_order_and_none_is_there_twice() {
        let mut forms: Vec<_> = ROWS.iter().map(|row| row.form).collect();
        let count = forms.len();
        forms.sort_unstable();
        forms.dedup();
        assert_eq!(forms.len(), count);
    }
}
