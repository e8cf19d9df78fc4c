//! From a line to a request: keywords may be cut short as long as they stay unique.

use hubward_proto::ike::io::Command;
use std::net::IpAddr;

/// What a line asks for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Show something.
    Show(Show),
    /// Change something.
    Clear(Command),
}

/// `show` commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// `show version`.
    Version,
    /// `show crypto isakmp sa`.
    IsakmpSa,
    /// `show crypto isakmp sa detail`.
    IsakmpSaDetail,
    /// `show crypto ipsec sa`.
    IpsecSa,
    /// `show crypto session`.
    Session,
    /// `show ip interface [NAME]`.
    IpInterface(Option<String>),
    /// `show ip interface brief`.
    IpInterfaceBrief,
    /// `show ip local pool [NAME]`.
    LocalPool(Option<String>),
    /// `show ip route`.
    IpRoute,
    /// `show running-config`.
    RunningConfig,
    /// `show crypto counters`, an addition: every counter by its name.
    Counters,
}

/// One word of a form.
enum Word {
    /// A keyword.
    Key(&'static str),
    /// Any text.
    Text,
}

use Word::{Key, Text};

type Make = fn(&[&str]) -> Option<Request>;

/// Every command and what it means; arguments come in the order of the `Text` words.
const FORMS: &[(&[Word], Make)] = &[
    (&[Key("show"), Key("version")], |_| Some(Request::Show(Show::Version))),
    (&[Key("show"), Key("running-config")], |_| Some(Request::Show(Show::RunningConfig))),
    (&[Key("show"), Key("crypto"), Key("isakmp"), Key("sa")], |_| Some(Request::Show(Show::IsakmpSa))),
    (&[Key("show"), Key("crypto"), Key("isakmp"), Key("sa"), Key("detail")], |_| {
        Some(Request::Show(Show::IsakmpSaDetail))
    }),
    (&[Key("show"), Key("crypto"), Key("ipsec"), Key("sa")], |_| Some(Request::Show(Show::IpsecSa))),
    (&[Key("show"), Key("crypto"), Key("session")], |_| Some(Request::Show(Show::Session))),
    (&[Key("show"), Key("crypto"), Key("counters")], |_| Some(Request::Show(Show::Counters))),
    (&[Key("show"), Key("ip"), Key("interface")], |_| Some(Request::Show(Show::IpInterface(None)))),
    (&[Key("show"), Key("ip"), Key("interface"), Key("brief")], |_| {
        Some(Request::Show(Show::IpInterfaceBrief))
    }),
    (&[Key("show"), Key("ip"), Key("interface"), Text], |words| {
        Some(Request::Show(Show::IpInterface(Some(hubward_config::long_name(words.first()?)))))
    }),
    (&[Key("show"), Key("ip"), Key("local"), Key("pool")], |_| Some(Request::Show(Show::LocalPool(None)))),
    (&[Key("show"), Key("ip"), Key("local"), Key("pool"), Text], |words| {
        Some(Request::Show(Show::LocalPool(Some((*words.first()?).to_owned()))))
    }),
    (&[Key("show"), Key("ip"), Key("route")], |_| Some(Request::Show(Show::IpRoute))),
    (&[Key("clear"), Key("crypto"), Key("isakmp")], |_| {
        Some(Request::Clear(Command::ClearIsakmp { connection: None }))
    }),
    (&[Key("clear"), Key("crypto"), Key("isakmp"), Text], |words| {
        let connection = Some(words.first()?.parse().ok()?);
        Some(Request::Clear(Command::ClearIsakmp { connection }))
    }),
    (&[Key("clear"), Key("crypto"), Key("sa")], |_| Some(Request::Clear(Command::ClearSa { peer: None }))),
    (&[Key("clear"), Key("crypto"), Key("sa"), Key("peer"), Text], |words| {
        Some(Request::Clear(Command::ClearSa { peer: Some(address(words)?) }))
    }),
    (&[Key("clear"), Key("crypto"), Key("session")], |_| {
        Some(Request::Clear(Command::ClearSession { peer: None }))
    }),
    (&[Key("clear"), Key("crypto"), Key("session"), Key("remote"), Text], |words| {
        Some(Request::Clear(Command::ClearSession { peer: Some(address(words)?) }))
    }),
];

fn address(words: &[&str]) -> Option<IpAddr> {
    words.first()?.parse().ok()
}

impl Request {
    /// Reads a line; the error is what IOS would print.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let given: Vec<&str> = line.split_whitespace().collect();
        let found = FORMS
            .iter()
            .filter_map(|(form, make)| Some((exactness(form, &given)?, form, make)))
            .max_by_key(|(exact, ..)| *exact);
        if let Some((_, form, make)) = found {
            let arguments: Vec<&str> = form
                .iter()
                .zip(&given)
                .filter_map(|(word, text)| matches!(word, Text).then_some(*text))
                .collect();
            return make(&arguments).ok_or_else(|| invalid(line));
        }
        let incomplete =
            FORMS.iter().any(|(form, _)| form.len() > given.len() && exactness_of_start(form, &given));
        Err(if incomplete { "% Incomplete command.\n".into() } else { invalid(line) })
    }
}

fn invalid(line: &str) -> String {
    let printable: String = line.chars().take(120).filter(|character| !character.is_control()).collect();
    format!("% Invalid input detected in \"{printable}\"\n")
}

/// How many keywords a line spells, when it fits a form: a keyword is worth more than any text.
fn exactness(form: &[Word], given: &[&str]) -> Option<usize> {
    if form.len() != given.len() || !exactness_of_start(form, given) {
        return None;
    }
    Some(form.iter().filter(|word| matches!(word, Key(_))).count())
}

fn exactness_of_start(form: &[Word], given: &[&str]) -> bool {
    form.iter().zip(given).all(|(word, text)| match word {
        Key(keyword) => keyword.starts_with(&text.to_ascii_lowercase()),
        Text => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Show {
        match Request::parse(line) {
            Ok(Request::Show(show)) => show,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn keywords_can_be_cut_short() {
        assert_eq!(shown("show crypto isakmp sa"), Show::IsakmpSa);
        assert_eq!(shown("sh cry isa sa det"), Show::IsakmpSaDetail);
        assert_eq!(shown("sh ip int br"), Show::IpInterfaceBrief);
        assert_eq!(shown("show ip interface fa0/0"), Show::IpInterface(Some("FastEthernet0/0".into())));
        assert_eq!(shown("show ip local pool ippool"), Show::LocalPool(Some("ippool".into())));
        assert_eq!(shown("show run"), Show::RunningConfig);
    }

    #[test]
    fn clear_takes_its_arguments() {
        let Ok(Request::Clear(Command::ClearIsakmp { connection: Some(1001) })) =
            Request::parse("clear crypto isakmp 1001")
        else {
            panic!()
        };
        let Ok(Request::Clear(Command::ClearSa { peer: Some(_) })) =
            Request::parse("clear crypto sa peer 10.1.2.3")
        else {
            panic!()
        };
        assert!(Request::parse("clear crypto sa peer nobody").is_err());
    }

    #[test]
    fn a_wrong_or_short_line_is_told() {
        assert_eq!(Request::parse("show crypto").unwrap_err(), "% Incomplete command.\n");
        assert_eq!(Request::parse("reload\u{7}").unwrap_err(), "% Invalid input detected in \"reload\"\n");
        assert_eq!(Request::parse("").unwrap_err(), "% Incomplete command.\n");
    }
}
