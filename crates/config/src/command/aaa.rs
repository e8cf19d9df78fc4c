//! `aaa`.

use super::{Fate, Fold, In, REST, Row, fate, fold, opens};
use crate::form::{Cursor, Problem};
use crate::model::{AaaList, AaaMethod};

const TEXTS: Fate = Fate::Inert("logins show texts of their own");

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "aaa new-model", "", new_model),
    fold(
        In::Global,
        "aaa authentication login <list>",
        "= {local|local-case|none|enable|line|krb5|krb5-telnet|if-authenticated|group <group>|cache <group>|<method>}...",
        login,
    ),
    fold(
        In::Global,
        "aaa authorization network <list>",
        "= {local|local-case|none|enable|line|krb5|krb5-telnet|if-authenticated|group <group>|cache <group>|<method>}...",
        network,
    ),
    fate(In::Global, "aaa session-id", Fate::NoOp),
    fold(In::Global, "aaa authorization exec", REST, |fold, cursor| {
        asked(fold, cursor, "users have the privilege that `username` gives them")
    }),
    fold(In::Global, "aaa authentication enable", REST, |fold, cursor| {
        asked(fold, cursor, "`enable` asks for the enable password")
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
fn asked(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>, otherwise: &'static str) -> Result<(), Problem> {
    let mut asks = false;
    while let Some(word) = cursor.next() {
        asks |= ["group", "cache", "krb5", "krb5-instance", "ldap"].contains(&word);
    }
    fold.fate = Some(match asks && !fold.no {
        true => Fate::Unenforced("asks a RADIUS or TACACS+ server, which is not implemented"),
        false => Fate::Inert(otherwise),
    });
    Ok(())
}

fn new_model(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.aaa.new_model = !fold.no;
    cursor.finish()
}

fn list(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<AaaList, Problem> {
    let name = fold.argument(0);
    let mut methods = Vec::new();
    while let Some(word) = cursor.next() {
        methods.push(match word.to_ascii_lowercase().as_str() {
            "local" => AaaMethod::Local,
            "local-case" => AaaMethod::LocalCase,
            "none" => AaaMethod::None,
            "enable" => AaaMethod::Enable,
            "line" => AaaMethod::Line,
            "if-authenticated" => AaaMethod::IfAuthenticated,
            "krb5" => AaaMethod::Krb5,
            "krb5-telnet" => AaaMethod::Krb5Telnet,
            "ldap" => AaaMethod::Ldap,
            "group" => AaaMethod::Group(cursor.word("a server group")?.to_string()),
            "cache" => AaaMethod::Cache(cursor.word("a server group")?.to_string()),
            other => AaaMethod::Other(other.to_string()),
        });
    }
    if methods.iter().any(AaaMethod::asks_a_server) {
        fold.fate = Some(Fate::Unenforced("asks a RADIUS or TACACS+ server, which is not implemented"));
    }
    Ok(AaaList { name, methods, line: fold.line })
}

fn login(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let list = list(fold, cursor)?;
    fold.config.aaa.login.retain(|known| known.name != list.name);
    if !fold.no {
        fold.config.aaa.login.push(list);
    }
    Ok(())
}

fn network(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let list = list(fold, cursor)?;
    fold.config.aaa.network.retain(|known| known.name != list.name);
    if !fold.no {
        fold.config.aaa.network.push(list);
    }
    Ok(())
}
