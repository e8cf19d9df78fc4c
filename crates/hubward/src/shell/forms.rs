//! The commands that the shell itself understands, outside and in configuration mode.

use crate::base::format::Format;
use crate::exec::allowed_forms;
use crate::manage::desk::PRIVILEGED;
use hubward_config::automaton::Form;
use std::sync::LazyLock;

/// What the session does itself.
pub(super) const LOCAL: [(&str, Local); 13] = [
    ("configure terminal", Local::Configure),
    ("disable [<0-15:level>]", Local::Disable),
    ("enable [<0-15:level>]", Local::Enable),
    ("exit", Local::Exit),
    ("logout", Local::Exit),
    ("quit", Local::Exit),
    ("show history", Local::History),
    ("terminal length <0-512:lines>", Local::Length),
    ("terminal monitor", Local::Monitor(true)),
    ("terminal no monitor", Local::Monitor(false)),
    ("terminal show-format classic", Local::Format(Format::Classic)),
    ("terminal show-format modern", Local::Format(Format::Modern)),
    ("terminal width <0-512:columns>", Local::Width),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Local {
    Configure,
    Disable,
    Enable,
    Exit,
    Format(Format),
    History,
    Length,
    Monitor(bool),
    Width,
}

static LOCAL_FORMS: LazyLock<Vec<Form>> =
    LazyLock::new(|| LOCAL.iter().map(|(form, _)| Form::compile(form)).collect());

/// The session's own commands and the lowest privilege that may give each, for the command
/// reference.
#[cfg(test)]
pub(crate) fn reference() -> impl Iterator<Item = (&'static str, u8)> {
    LOCAL.iter().map(|(form, local)| (*form, if matches!(local, Local::Configure) { PRIVILEGED } else { 0 }))
}

/// The session's own commands of a privilege.
pub(super) fn own(privilege: u8) -> impl Iterator<Item = (Local, &'static Form)> {
    let rows = LOCAL.iter().map(|(_, local)| *local).zip(LOCAL_FORMS.iter());
    rows.filter(move |(local, _)| privilege >= PRIVILEGED || !matches!(local, Local::Configure))
}

/// Every command of a privilege: the session's own first.
pub(super) fn forms(privilege: u8) -> Vec<&'static Form> {
    own(privilege).map(|(_, form)| form).chain(allowed_forms(privilege)).collect()
}

static FORMS: LazyLock<Vec<Form>> =
    LazyLock::new(|| ["do <LINE:command>", "end", "exit"].iter().map(|form| Form::compile(form)).collect());

/// What the shell understands in every mode of the configuration.
pub(super) fn configuration_forms() -> Vec<&'static Form> {
    FORMS.iter().collect()
}
