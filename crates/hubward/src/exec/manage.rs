//! `write`, `copy`, `configure replace`, `show archive config differences`, `reload`: what keeps,
//! compares and replaces configurations.

use crate::base::format::Format;
use crate::base::message::{End, Request};
use crate::exec::command::{Arguments, Caller, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::configure::{self, Place};
use crate::manage::desk::{Answers, Desk, Refusal};
use hubward_config::difference::{self, Difference};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// `write [memory]`
pub(super) fn write(desk: &Desk, _: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let told = Place::Startup.save(desk)?;
    Ok(format!("Building configuration...\n{told}[OK]\n"))
}

fn place(arguments: &Arguments, name: &str) -> Result<Place, Refusal> {
    let text = arguments.get(name).unwrap_or_default();
    Place::named(text).ok_or_else(|| arguments.invalid(name))
}

/// `copy running-config {startup-config | flash:NAME}`, `copy startup-config running-config`
pub(super) fn copy(desk: &Desk, arguments: &Arguments, answers: &Answers<'_>) -> Result<String, Refusal> {
    let word = |at: usize, name: &str| {
        let text = arguments.word(at).unwrap_or_default();
        Place::named(text).ok_or_else(|| arguments.invalid(name))
    };
    let (from, to) = (word(1, "from")?, word(2, "to")?);
    let name = match &to {
        Place::Running => "running-config",
        Place::Startup => "startup-config",
        Place::Flash(name) => name,
    };
    match (&from, &to) {
        (Place::Running, Place::Startup | Place::Flash(_)) => {
            let given = answers.line(&format!("Destination filename [{name}]? "))?;
            let to = match (given.as_str(), &to) {
                ("", _) => to,
                (given, Place::Startup) if given == name => to,
                (given, _) => Place::named(&format!("flash:{given}"))
                    .ok_or_else(|| Refusal::Failed(format!("Bad filename - {}", given.escape_debug())))?,
            };
            let told = to.save(desk)?;
            Ok(format!("Building configuration...\n{told}[OK]\n"))
        }
        _ => Err(Refusal::Failed(format!("{from} cannot be copied to {to}; see `configure replace`"))),
    }
}

/// `configure replace FILE [force]`
pub(super) fn replace(
    desk: &Desk,
    caller: Caller,
    arguments: &Arguments,
    answers: &Answers<'_>,
) -> Result<String, Refusal> {
    let text = place(arguments, "file")?.read(desk)?;
    if !arguments.has("force") {
        let question = "This will apply all necessary additions and deletions\n\
            to replace the current running configuration with the\n\
            contents of the specified configuration file, which is\n\
            assumed to be a complete configuration, not a partial\n\
            configuration. Enter Y if you are sure you want to proceed. ? [no]: ";
        if !is_yes(&answers.line(question)?) {
            return Ok("\nRollback aborted\n".into());
        }
    }
    let told = configure::replace(desk, &text, caller.line)?;
    Ok(format!("{told}Total number of passes: 1\nRollback Done\n\n"))
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim().to_ascii_lowercase();
    !answer.is_empty() && "yes".starts_with(&answer)
}

/// `reload`
pub(super) fn reload(desk: &Desk, _: &Arguments, answers: &Answers<'_>) -> Result<String, Refusal> {
    let saved = Place::Startup.read(desk).unwrap_or_default();
    let modified = !difference::differences(&saved, &desk.views.parsed().document.print()).is_empty();
    if modified && answers.yes_or_no("\nSystem configuration has been modified. Save? [yes/no]: ")? {
        Place::Startup.save(desk)?;
    }
    if !answers.confirm("Proceed with reload? [confirm]")? {
        return Ok(String::new());
    }
    tracing::warn!("%SYS-5-RELOAD: Reload requested");
    let gateway = desk.gateway.clone();
    // the user gets an answer before the gateway is gone
    std::thread::Builder::new()
        .name("reload".into())
        .spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            let _gone = gateway.request(Request::Stop(End::Restart));
        })
        .map_err(|_| Refusal::Failed("The gateway does not answer".into()))?;
    Ok(String::new())
}

/// `show archive config differences [FILE [FILE]]`: what the second has and the first has not, and
/// the other way round. Without a second file it is the running configuration, without a first the
/// startup configuration.
pub(super) fn differences(context: &Context, arguments: &Arguments) -> Output {
    let snapshot = &context.snapshot;
    let text = |name: &str, usual: Place| {
        let place = if arguments.get(name).is_some() { place(arguments, name)? } else { usual };
        match place {
            Place::Running => Ok(snapshot.parsed.document.print()),
            // a gateway whose file is gone has nothing saved
            Place::Startup => Ok(snapshot.startup.clone().unwrap_or_default()),
            Place::Flash(_) => place.read(&context.desk),
        }
    };
    let (first, second) = (text("file", Place::Startup)?, text("second", Place::Running)?);
    shown(Differences(difference::differences(&first, &second)))
}

struct Differences(Vec<Difference>);

/// A line that only one configuration has.
#[derive(Serialize)]
struct DifferenceRow {
    section: Vec<String>,
    line: String,
    added: bool,
}

impl Layout for Differences {
    type Row = DifferenceRow;

    fn rows(&self) -> impl Iterator<Item = DifferenceRow> {
        self.0.iter().map(|difference| DifferenceRow {
            section: difference.section.clone(),
            line: difference.line.clone(),
            added: difference.added,
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "!Contextual Config Diffs:")?;
        if self.0.is_empty() {
            writeln!(out, "!No changes were found")?;
        }
        write!(out, "{}", difference::print(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::console_lines::LineName;
    use crate::base::message::Message;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What was configured is not thrown away by a hasty Enter.
    #[test]
    fn reload_asks_until_it_is_told() {
        let given = |answers: &[&str]| {
            let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
            Answers::of(&answers).yes_or_no("\nSave? [yes/no]: ")
        };
        assert_eq!(given(&["Y"]), Ok(true));
        assert_eq!(given(&["", "maybe", "no"]), Ok(false));
        assert_eq!(given(&["", "yes"]), Ok(true));
        let Err(Refusal::Ask(question)) = given(&[""]) else { panic!("Enter is no answer") };
        assert_eq!(question.text, "% Please answer 'yes' or 'no'.\nSave? [yes/no]: ");
        assert_eq!(Answers::usual().yes_or_no("Save?"), Ok(false));
    }

    /// A whole configuration is not put in the place of another unseen: the log has the user and
    /// the line, as after configuration mode.
    #[test]
    fn the_log_says_who_has_replaced_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let desk = crate::views::tests::desk_of(&folder.path().join("hub.cfg"));
        // the example has `no logging on`
        desk.views.logging.configure(&hubward_config::model::Config::default());
        std::fs::write(folder.path().join("new.cfg"), "hostname New\nip routing\n").unwrap();
        std::fs::write(folder.path().join("prose"), "Dear colleague,\nthe router is new.\n").unwrap();
        let inbox = desk.gateway.clone();
        let gateway = std::thread::spawn(move || {
            for _ in 0..2 {
                while let Some(message) = inbox.take(Duration::from_secs(20)) {
                    if let Message::Request(Request::Configure { done, .. }) = message {
                        done.send(Ok(())).unwrap();
                        break;
                    }
                }
            }
        });
        let log = tracing_subscriber::registry()
            .with(crate::log::layer::BufferLayer(std::sync::Arc::clone(&desk.views.logging)));
        tracing::subscriber::with_default(log, || {
            let given = |line: &str, by: Option<LineName>| {
                let caller = Caller { privilege: 15, format: Format::Modern, line: by };
                crate::exec::run(line, caller, &desk, &mut Vec::new()).unwrap()
            };
            let by = Some(LineName::Vty(3));
            assert!(given("configure replace flash:prose force", by).is_err());
            assert_eq!(given("configure replace flash:new.cfg force", by), Ok(()));
            assert_eq!(given("configure replace flash:new.cfg force", None), Ok(()));
        });
        gateway.join().unwrap();
        let lines = desk.views.logging.buffer.view().lines;
        let shown: String = lines.iter().map(|line| format!("{line:?}\n")).collect();
        assert_eq!(shown.matches("CONFIG_I").count(), 2, "{shown}");
        for who in ["Configured from console by vty3", "Configured from console by control socket"] {
            assert_eq!(shown.matches(who).count(), 1, "{shown}");
        }
    }
}
