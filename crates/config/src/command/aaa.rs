//! `aaa`.

use super::draft::{Draft, Kept};
use super::mode::{Fate, In};
use super::row::{Fold, Row, fate, fold, opens};
use crate::automaton::Token;
use crate::form::Problem;
use crate::given::{Given, chosen};
use crate::model::{AaaList, AaaMethod};

const TEXTS: Fate = Fate::Inert("logins show texts of their own");

/// What follows the name of a list.
const METHODS: &str = "= {local|local-case|none|enable|line|krb5|krb5-telnet|ldap|if-authenticated|group <group>|cache <cached-group>|<method>}...";

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "aaa new-model", "", new_model),
    fold(In::Global, "aaa authentication login {default|<list>}", METHODS, login),
    fold(In::Global, "aaa authorization network {default|<list>}", METHODS, network),
    fate(In::Global, "aaa session-id", Fate::NoOp),
    fold(In::Global, "aaa authorization exec {default|<list>}", METHODS, |fold, given| {
        asked(fold, given, "users have the privilege that `username` gives them")
    }),
    fold(In::Global, "aaa authentication enable {default|<list>}", METHODS, |fold, given| {
        asked(fold, given, "`enable` asks for the enable password")
    }),
    fate(In::Global, "aaa authentication banner", TEXTS),
    fate(In::Global, "aaa authentication fail-message", TEXTS),
    fate(In::Global, "aaa authentication username-prompt", TEXTS),
    fate(In::Global, "aaa authentication password-prompt", TEXTS),
    fate(
        In::Global,
        "aaa authorization commands",
        Fate::Unenforced("restricts which commands a user may give"),
    ),
    fate(In::Global, "aaa authorization console", Fate::Inert("the local console belongs to root")),
    fate(In::Global, "aaa authentication ppp", Fate::Unsupported("PPP does not exist here")),
    fate(In::Global, "aaa accounting", Fate::Unsupported("nothing is accounted")),
    opens(
        In::Global,
        "aaa group server",
        Fate::Unsupported("lists that name these servers refuse every user"),
    ),
    fate(In::Global, "radius-server", Fate::Unsupported("lists that name RADIUS refuse every user")),
    opens(In::Global, "radius server", Fate::Unsupported("lists that name RADIUS refuse every user")),
    fate(In::Global, "tacacs-server", Fate::Unsupported("lists that name TACACS+ refuse every user")),
    opens(In::Global, "tacacs server", Fate::Unsupported("lists that name TACACS+ refuse every user")),
];

/// A list that has no effect as long as it asks no server.
fn asked(fold: &mut Fold<'_>, given: &Given<'_>, otherwise: &'static str) -> Result<(), Problem> {
    let asks = |method: &AaaMethod| match method {
        AaaMethod::Cache(_) => true,
        AaaMethod::Other(word) => word == "krb5-instance",
        method => method.asks_a_server(),
    };
    fold.fate = Some(match methods(given).iter().any(asks) && !fold.no {
        true => Fate::Unenforced("asks a RADIUS or TACACS+ server, which is not implemented"),
        false => Fate::Inert(otherwise),
    });
    Ok(())
}

fn new_model(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.aaa.new_model = !fold.no;
    Ok(())
}

/// The methods of a list, in order.
fn methods(given: &Given<'_>) -> Vec<AaaMethod> {
    let method = |(_, token, word): (usize, &Token, &str)| match token.name() {
        "group" => matches!(token, Token::Argument(..)).then(|| AaaMethod::Group(word.to_string())),
        "cached-group" => Some(AaaMethod::Cache(word.to_string())),
        "method" => Some(AaaMethod::Other(word.to_ascii_lowercase())),
        _ => chosen(token, AaaMethod::KEYWORDS),
    };
    given.tokens().filter_map(method).collect()
}

/// Replaces a list, or takes it away.
fn change(fold: &mut Fold<'_>, given: &Given<'_>, lists: fn(&mut Draft) -> &mut Kept<String, AaaList>) {
    let name = given.string("list").unwrap_or_else(|| "default".into());
    let list = AaaList { name, methods: methods(given), line: fold.line };
    if list.methods.iter().any(AaaMethod::asks_a_server) && !fold.no {
        fold.fate = Some(Fate::Unenforced("asks a RADIUS or TACACS+ server, which is not implemented"));
    }
    let name = list.name.clone();
    let list = fold.unless_no(Some(list));
    lists(fold.config).replace(name, list);
}

fn login(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    change(fold, given, |draft| &mut draft.logins);
    Ok(())
}

fn network(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    change(fold, given, |draft| &mut draft.networks);
    Ok(())
}
