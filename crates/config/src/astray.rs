//! Lines that are not understood and seem to restrict something: one that stands outside the mode
//! that has it, under an `interface` that is misspelt for instance, or one with a slip in its
//! keywords. A router refuses them; in a file they were meant, and nothing would be restricted.

use crate::command::says::Says;
use crate::command::submode::names;
use crate::command::table::{Lookup, lookup};
use crate::command::{Action, Fate, In, rows};
use crate::document::{Class, Line};
use crate::form::words;
use crate::parsed::Parsed;
use crate::secret::shown_unread;
use crate::slip::near;
use crate::verdict::kinds::{is_template, is_tunnel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The keywords of a command that restricts, after its first one, and what it does.
type Restriction = (Vec<&'static str>, &'static str);

/// Commands that are implemented and restrict.
const IMPLEMENTED: [(&str, &str); 11] = [
    ("access-class", "restricts who may log in"),
    ("group-lock", "binds users to their groups"),
    ("ip access-group", "filters the interface's packets"),
    ("ip local policy route-map", "decides where the router's own packets go"),
    ("ip nat inside source", "translates addresses"),
    ("ip policy route-map", "decides where the interface's packets go"),
    ("ip verify unicast", "drops packets with forged sources"),
    ("ip vrf forwarding", "puts packets into a VRF"),
    ("set ip access-group", "filters what the tunnel carries"),
    ("shutdown", "shuts an interface"),
    ("vrf forwarding", "puts packets into a VRF"),
];

/// The modes that lines open, by how those begin.
pub(crate) const MODES: [(&str, In); 15] = [
    ("interface", In::Interface),
    ("crypto isakmp policy", In::IsakmpPolicy),
    ("crypto keyring", In::Keyring),
    ("crypto isakmp profile", In::Profile),
    ("crypto isakmp client configuration group", In::Group),
    ("crypto ipsec transform-set", In::TransformSet),
    ("crypto map", In::CryptoMap),
    ("crypto dynamic-map", In::DynamicMap),
    ("ip access-list", In::Acl),
    ("ip dhcp pool", In::DhcpPool),
    ("line", In::Line),
    ("ip ssh pubkey-chain", In::PubkeyChain),
    ("username", In::PubkeyUser),
    ("ip nat pool", In::NatPool),
    ("route-map", In::RouteMap),
];

/// Settings that decide how well traffic is protected: the mode, the keywords, and what they decide.
/// Without such a line a weaker default holds.
const PROTECTING: [(In, &[&str], &str); 5] = [
    (In::IsakmpPolicy, &["encryption"], "decides how the policy encrypts, by default with DES"),
    (In::IsakmpPolicy, &["hash"], "decides the hash of the policy, by default SHA-1"),
    (In::IsakmpPolicy, &["group"], "decides the group of the policy, by default group 1 of 768 bits"),
    (In::CryptoMap, &["set", "pfs"], "demands perfect forward secrecy"),
    (In::DynamicMap, &["set", "pfs"], "demands perfect forward secrecy"),
];

/// By their first keywords.
static RESTRICTIONS: LazyLock<BTreeMap<&'static str, Vec<Restriction>>> = LazyLock::new(|| {
    let of_rows = rows().filter_map(|row| match row.action {
        Action::Fate(Fate::Unenforced(does)) | Action::Opens(Fate::Unenforced(does)) => {
            Some((row.form, does))
        }
        _ => None,
    });
    let mut all: BTreeMap<&'static str, Vec<Restriction>> = BTreeMap::new();
    let mut add = |mut keywords: Vec<&'static str>, does| {
        // a single word that is not one of IOS's own may be the beginning of a sentence
        let tells =
            keywords.len() > 1 || keywords.iter().any(|word| word.contains('-') || *word == "shutdown");
        if tells {
            all.entry(keywords.remove(0)).or_default().push((keywords, does));
        }
    };
    for (form, does) in of_rows.chain(IMPLEMENTED) {
        add(form.split(' ').take_while(|word| !word.starts_with(['<', '='])).collect(), does);
    }
    for (name, says) in names() {
        if let Says::Is(Fate::Unenforced(does)) | Says::Opens(Fate::Unenforced(does), _) = says {
            add(name.iter().copied().take_while(|word| *word != "*").collect(), does);
        }
    }
    all
});

/// How many slips make a keyword of a word; `None` if it is another word. The longer it is, the more
/// it may have.
fn slips(word: &str, keyword: &str) -> Option<usize> {
    let abbreviates =
        word.len() > 2 && keyword.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if abbreviates || word.eq_ignore_ascii_case(keyword) {
        return Some(0);
    }
    let most = match keyword.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    (1..=most).find(|slips| near(word, keyword, *slips))
}

/// The restriction that a line means, with how many slips it has.
fn meant(line: &str) -> Option<(usize, String, &'static str)> {
    let given = words(line);
    let (first, rest) = given.split_first()?;
    let exact = RESTRICTIONS.get_key_value(first.text);
    let near = RESTRICTIONS.iter().filter(|_| exact.is_none());
    let mut best: Option<(usize, String, &'static str)> = None;
    for (keyword, restrictions) in exact.into_iter().chain(near) {
        let Some(own) = slips(first.text, keyword) else { continue };
        for (others, does) in restrictions.iter().filter(|(others, _)| others.len() <= rest.len()) {
            let others_slips: Option<Vec<usize>> =
                others.iter().zip(rest).map(|(keyword, word)| slips(word.text, keyword)).collect();
            let Some(total) = others_slips.map(|slips| own + slips.iter().sum::<usize>()) else { continue };
            // `shutdown` is all of its line
            let is_whole = *keyword != "shutdown" || rest.is_empty();
            if total <= 2 && is_whole && best.as_ref().is_none_or(|(least, ..)| total < *least) {
                let name = std::iter::once(keyword).chain(others).copied().collect::<Vec<_>>().join(" ");
                best = Some((total, name, does));
            }
        }
    }
    best
}

/// The lines that seem to restrict something and are not understood, each with what to say of it.
pub(crate) fn restrictions(parsed: &Parsed) -> BTreeMap<u32, String> {
    let lines = &parsed.document.lines;
    // what is known in its place, with a wrong argument, is told as that
    let unread = |told: &&crate::diagnostic::Diagnostic| told.code != crate::diagnostic::Code::Unknown;
    let wrong: BTreeSet<u32> = parsed.diagnostics.iter().filter(unread).map(|told| told.line).collect();
    let shut: BTreeSet<&str> =
        parsed.config.interfaces.iter().filter(|own| own.shutdown).map(|own| own.name.as_str()).collect();
    // where nothing passes, nothing is to be restricted
    let is_idle = |line: &Line| {
        let head = line.under.and_then(|under| lines.get(under));
        let name = head.and_then(|head| head.spelled.strip_prefix("interface "));
        name.is_some_and(|name| shut.contains(name) || is_tunnel(name) || is_template(name))
    };
    let found = (1..)
        .zip(lines)
        .filter(|(number, line)| line.class == Class::Unknown && !wrong.contains(number) && !is_idle(line));
    let found = found.filter_map(|(number, line)| {
        let (slips, name, does) = meant(&line.spelled)?;
        if is_of_meant_mode(lines, line, &name) {
            return None;
        }
        let shown = shown_unread(&line.spelled);
        let text = match slips {
            0 => format!("`{shown}` is not in the mode of such lines: it {does}, and that is not enforced"),
            _ => format!("`{shown}` is not understood: `{name}` {does}, and that is not enforced"),
        };
        Some((number, text))
    });
    found.collect()
}

/// The mode that a line opens, or was to open.
fn opens(head: &Line) -> Option<In> {
    let given = words(&head.spelled);
    let is_meant = |opener: &str| {
        let keywords: Vec<&str> = opener.split(' ').collect();
        keywords.len() <= given.len()
            && keywords.iter().zip(&given).all(|(keyword, word)| slips(word.text, keyword).is_some())
    };
    MODES.iter().find(|(opener, _)| is_meant(opener)).map(|(_, mode)| *mode)
}

fn head<'l>(lines: &'l [Line], line: &Line) -> Option<&'l Line> {
    lines.get(line.under?)
}

/// Whether a line under a misspelt one is a command of the mode that was meant, and another one than
/// the restriction it looks like: `group 2` of a policy is no `group-lock`.
fn is_of_meant_mode(lines: &[Line], line: &Line, restriction: &str) -> bool {
    let misspelt = head(lines, line).filter(|head| head.class == Class::Unknown);
    let Some(mode) = misspelt.and_then(opens) else { return false };
    match lookup(mode, &words(&line.spelled), false) {
        Lookup::Command(row, _) => !row.form.starts_with(restriction),
        _ => false,
    }
}

/// The lines that were to protect traffic better than the default does, and are not understood,
/// unless the same is set by another line of their mode.
pub(crate) fn unprotecting(parsed: &Parsed) -> Vec<(u32, String)> {
    let lines = &parsed.document.lines;
    let says = |line: &Line, keywords: &[&str]| {
        let given = words(&line.spelled);
        keywords.len() <= given.len()
            && keywords.iter().zip(&given).all(|(keyword, word)| slips(word.text, keyword).is_some())
    };
    let unread = (1..).zip(lines).filter(|(_, line)| line.class == Class::Unknown);
    let found = unread.filter_map(|(number, line)| {
        let head = head(lines, line).filter(|head| head.class != Class::Unknown)?;
        let mode = opens(head)?;
        let (_, keywords, does) =
            PROTECTING.iter().find(|(of, keywords, _)| *of == mode && says(line, keywords))?;
        let is_set = lines
            .iter()
            .any(|other| other.under == line.under && other.class != Class::Unknown && says(other, keywords));
        let (shown, name) = (shown_unread(&line.spelled), keywords.join(" "));
        (!is_set).then(|| {
            (number, format!("`{shown}` is not understood: `{name}` {does}, and that is not enforced"))
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use crate::parsed::unenforced;

    /// The lines that stop the start.
    fn stops(text: &str) -> Vec<u32> {
        unenforced(&crate::parse(text)).iter().map(|one| one.line).collect()
    }

    const PORT: &str = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n";

    #[test]
    fn a_misspelt_restriction_stops_the_start() {
        for line in [
            "ip acess-group 101 in",
            "ip access-grup 101 in",
            "ip accss-gruop 101 in",
            "ip insepct FW in",
            "ip verfiy unicast reverse-path",
            "ip polcy route-map P",
            "ip policy rout-map P",
            "zone-memebr security INSIDE",
            "ip natt inside source list 1 interface FastEthernet0/0",
            "shutdwon",
        ] {
            assert_eq!(stops(&format!("{PORT} {line}\n")), [3], "{line}");
        }
        for line in ["acess-class 10 in", "access-calss 10 in"] {
            assert_eq!(stops(&format!("line vty 0 4\n {line}\n")), [2], "{line}");
        }
        for line in
            ["aaa autorization exec default group tacacs+", "zone-piar security A source B destination C"]
        {
            assert_eq!(stops(&format!("hostname a\n{line}\n")), [2], "{line}");
        }
    }

    /// A weaker default would hold without a word.
    #[test]
    fn a_misspelt_line_that_protects_stops_the_start() {
        for line in
            ["encr 3dess", "encryption aes 265", "encrytion 3des", "hash sha265", "group 144", "gruop 2"]
        {
            assert_eq!(stops(&format!("crypto isakmp policy 10\n {line}\n")), [2], "{line}");
        }
        for head in ["crypto map M 10 ipsec-isakmp", "crypto dynamic-map D 10"] {
            assert_eq!(stops(&format!("{head}\n set pfs groop5\n")), [2], "{head}");
        }
        for text in [
            "crypto isakmp policy 10\n encr 3dess\n encr 3des\n",
            "crypto isakmp policy 10\n no encr 3dess\n",
            "crypto isakmp policy 10\n lifetime 5\n",
        ] {
            assert_eq!(stops(text), [], "{text}");
        }
    }

    /// The lines under a misspelt one are those of the mode that was meant.
    #[test]
    fn a_line_under_a_misspelt_one_is_told_as_what_it_is_there() {
        let policy = "crypto isakmp polcy 10\n encr 3des\n group 2\n";
        assert_eq!(stops(policy), []);
        let told = crate::parse(policy).diagnostics;
        assert!(told[0].message.contains("(did you mean `crypto isakmp policy 10`?)"), "{told:?}");
        // but a restriction of the mode that was meant is one
        assert_eq!(stops("crypto isakmp client configuraton group G\n group-lock\n"), [2]);
        assert_eq!(stops("interfcae FastEthernet0/0\n ip access-group 101 in\n"), [2]);
    }

    /// As behind a line that ended the mode, or under one that is misspelt.
    #[test]
    fn a_restriction_that_no_open_mode_has_stops_the_start() {
        for line in ["ip access-group 101 in", "shutdown", "zone-member security A", "access-class 10 in"] {
            assert_eq!(stops(&format!("hostname a\n{line}\n")), [2], "{line}");
            assert_eq!(stops(&format!("interfcae FastEthernet0/0\n {line}\n")), [2], "{line}");
            assert_eq!(stops(&format!("{PORT}hostname b\n {line}\n")), [4], "{line}");
        }
    }

    #[test]
    fn what_restricts_nothing_stops_no_start() {
        for line in [
            "no ip acess-group 101 in",
            "no shutdwon",
            "ip adress 10.0.0.1 255.0.0.0",
            "frobnicate",
            "descripton shutdown",
            "shutdown the port of the lobby first",
            "Authentication is by certificate",
        ] {
            assert_eq!(stops(&format!("{PORT} {line}\n")), [], "{line}");
            assert_eq!(stops(&format!("hostname a\n{line}\n")), [], "{line}");
        }
        assert_eq!(stops(&format!("{PORT} shutdown\n ip acess-group 101 in\n")), []);
        assert_eq!(stops("crypto isakmp policy 10\n authentication preshare\n"), []);
    }

    /// What the list would have said is not known, so whoever it restricts is not let in by it.
    #[test]
    fn a_list_with_a_misspelt_line_is_not_the_list_that_was_meant() {
        for text in [
            "acess-list 10 deny host 10.9.9.9\naccess-list 10 permit any\n",
            "ip acess-list standard L\n deny host 10.9.9.9\nip access-list standard L\n permit any\n",
        ] {
            let config = crate::parse(text).config;
            let unread = |acl: &crate::model::Acl| {
                acl.entries.iter().any(|entry| matches!(entry.what, crate::model::AclLine::Unread { .. }))
            };
            assert!(config.acls.iter().all(unread), "{text}: {:?}", config.acls);
        }
    }
}
