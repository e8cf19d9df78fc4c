//! `archive`, `log config`: the log says who typed which command.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::Archive;

const NOT_KEPT: Fate = Fate::Inert("no earlier configurations are kept");
const ONLY_IN_THE_LOG: Fate = Fate::Inert("the commands are in the log alone");

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "archive", "", archive),
    fate(In::Archive, "path", NOT_KEPT),
    fate(In::Archive, "maximum", NOT_KEPT),
    fate(In::Archive, "time-period", NOT_KEPT),
    fate(In::Archive, "write-memory", NOT_KEPT),
    fate(In::Archive, "rollback", NOT_KEPT),
    fate(In::Archive, "export", NOT_KEPT),
    fate(In::Archive, "copy", NOT_KEPT),
    fold(In::Archive, "log config", "", log_config),
    fold(In::ArchiveLog, "logging enable", "", |fold, _| {
        fold.config.archive.enabled = !fold.no;
        Ok(())
    }),
    fate(In::ArchiveLog, "logging persistent", ONLY_IN_THE_LOG),
    fate(In::ArchiveLog, "logging size", ONLY_IN_THE_LOG),
    fate(In::ArchiveLog, "record", ONLY_IN_THE_LOG),
    fate(In::ArchiveLog, "hidekeys", Fate::Inert("keys and passwords are never in the log")),
    fold(In::ArchiveLog, "notify syslog", "= [contenttype {plaintext|xml}]", notify),
];

fn archive(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.archive = Archive::default();
    } else {
        fold.mode = Mode::Archive;
    }
    Ok(())
}

fn log_config(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.archive = Archive::default();
    } else {
        fold.mode = Mode::ArchiveLog;
    }
    Ok(())
}

fn notify(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.archive.notify = !fold.no;
    if given.has("xml") {
        fold.fate = Some(Fate::Inert("the log is plain text"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::document::Class;
    use crate::parse;

    #[test]
    fn commands_are_told_of_where_both_lines_say_so() {
        let tells = |lines: &str| parse(lines).config.archive.tells();
        let whole = "archive\n path flash:x\n log config\n  logging enable\n  notify syslog\n  hidekeys\nhostname A\n";
        assert!(tells(whole));
        assert!(parse(whole).document.lines.iter().all(|line| line.class != Class::Unknown));
        assert_eq!(parse(whole).config.hostname.as_deref(), Some("A"));
        assert!(tells("archive\n log config\n  logging enable\n  notify syslog contenttype plaintext\n"));
        assert!(!tells("archive\n log config\n  logging enable\n"));
        assert!(!tells("archive\n log config\n  notify syslog\n"));
        assert!(!tells(&format!("{whole}no archive\n")));
        // what the global mode has of `logging` stays there
        let host = parse(&format!(
            "{}logging host 10.1.1.10\nlogging buffered 8192\n",
            whole.replace("hostname A\n", "")
        ));
        assert_eq!((host.config.log.hosts.len(), host.config.log.size), (1, Some(8192)));
        // as a terminal has them, without indentation
        assert!(tells("archive\nlog config\nlogging enable\nnotify syslog\n"));
    }
}
