//! `aaa`.

use super::{Action, Fate, Fold, In, Row};
use crate::form::{Cursor, Problem};
use crate::model::AaaList;

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "aaa new-model", action: Action::Fold(new_model) },
    Row { mode: In::Global, form: "aaa authentication login <list>", action: Action::Fold(login) },
    Row { mode: In::Global, form: "aaa authorization network <list>", action: Action::Fold(network) },
    Row { mode: In::Global, form: "aaa session-id", action: Action::Fate(Fate::NoOp) },
    Row {
        mode: In::Global,
        form: "aaa authorization exec",
        action: Action::Fate(Fate::Inert("there are no remote lines yet: nobody is given a shell by them")),
    },
    Row {
        mode: In::Global,
        form: "aaa authorization commands",
        action: Action::Fate(Fate::Unenforced("restricts which commands a user may give")),
    },
    Row {
        mode: In::Global,
        form: "aaa authorization console",
        action: Action::Fate(Fate::Inert("the local console belongs to root")),
    },
    Row {
        mode: In::Global,
        form: "aaa authentication enable",
        action: Action::Fate(Fate::Inert("there are no remote lines yet")),
    },
    Row {
        mode: In::Global,
        form: "aaa authentication ppp",
        action: Action::Fate(Fate::Unsupported("PPP does not exist here")),
    },
    Row {
        mode: In::Global,
        form: "aaa accounting",
        action: Action::Fate(Fate::Unsupported("nothing is accounted")),
    },
    Row {
        mode: In::Global,
        form: "aaa group server",
        action: Action::Opens(Fate::Unsupported("lists that name these servers refuse every user")),
    },
    Row {
        mode: In::Global,
        form: "radius-server",
        action: Action::Fate(Fate::Unsupported("lists that name RADIUS refuse every user")),
    },
    Row {
        mode: In::Global,
        form: "radius server",
        action: Action::Opens(Fate::Unsupported("lists that name RADIUS refuse every user")),
    },
    Row {
        mode: In::Global,
        form: "tacacs-server",
        action: Action::Fate(Fate::Unsupported("lists that name TACACS+ refuse every user")),
    },
    Row {
        mode: In::Global,
        form: "tacacs server",
        action: Action::Opens(Fate::Unsupported("lists that name TACACS+ refuse every user")),
    },
    Row {
        mode: In::Global,
        form: "enable secret",
        action: Action::Fate(Fate::Inert("the local console belongs to root and needs no enable")),
    },
    Row {
        mode: In::Global,
        form: "enable password",
        action: Action::Fate(Fate::Inert("the local console belongs to root and needs no enable")),
    },
];

fn new_model(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.aaa.new_model = !fold.no;
    cursor.finish()
}

fn list(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<AaaList, Problem> {
    let name = fold.argument(0);
    let mut methods = Vec::new();
    while let Some(word) = cursor.next() {
        let word = word.to_ascii_lowercase();
        if word == "group" {
            methods.push(format!("group {}", cursor.word("a server group")?));
        } else {
            methods.push(word);
        }
    }
    let elsewhere = |method: &String| method.starts_with("group") || method == "krb5" || method == "ldap";
    if methods.iter().any(elsewhere) {
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
