//! Changes to the running configuration from a console, and saving it to a file. Every change is
//! handled like a file: the gateway reads a new text, compares it with the old one and applies it
//! as a whole, leaving alone what did not change.

use crate::base::console_lines::LineName;
use crate::base::files;
use crate::base::message::{Extent, NotConfigured, Request};
use crate::check;
use crate::gateway::startup::keep;
use crate::manage::desk::{Desk, Refusal};
use crate::manage::typed_password;
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use hubward_config::document::Class;
use hubward_config::edit::{self, Position, Wrong};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the gateway may take for a configuration.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a change is redone because another console's came first.
const ATTEMPTS: usize = 10;

/// Held by who saves.
static SAVING: Mutex<()> = Mutex::new(());

/// What became of a line that was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The mode of the next line.
    pub(crate) position: Position,
    /// Why the line has no effect, for the user; empty if it has one.
    pub(crate) told: String,
    /// The line as the log may show it, in full spelling and without what may be a secret.
    pub(crate) public: String,
}

/// What follows is, or may be, a secret.
const HIDDEN: &str = " *****";

/// A line that was entered as the log may show it. Its own spelling says nothing of where a secret
/// begins: a keyword may be one letter long. So that of the configuration counts, and where there
/// is none, or not all words are read, the first word alone is public.
fn public(parsed: &Parsed, place: Option<usize>, typed: &str) -> String {
    let line = place.and_then(|place| parsed.document.lines.get(place));
    let typed = typed.lines().next().unwrap_or_default().trim();
    match line.filter(|line| line.class == Class::Implemented) {
        Some(line) => {
            let spelled = line.spelled.trim();
            let public = hubward_config::secret::public_part(spelled);
            let hidden = if public.len() < spelled.len() { HIDDEN } else { "" };
            format!("{public}{hidden}")
        }
        None => {
            let mut words = typed.split_whitespace().peekable();
            let negation = words.next_if(|word| ["no", "default"].contains(word));
            let first = words.next();
            let hidden = if words.next().is_some() { HIDDEN } else { "" };
            let shown: Vec<_> = negation.into_iter().chain(first).collect();
            format!("{}{hidden}", shown.join(" "))
        }
    }
}

/// Enters a line in a mode.
pub(crate) fn enter(desk: &Desk, position: &Position, line: &str) -> Result<Entered, Refusal> {
    let obfuscate = desk.views.parsed().config.password_encryption;
    let protected = typed_password::protect(line, position, obfuscate);
    let entered = protected.as_deref().unwrap_or(line);
    let ((position, place, before), parsed) = attempt(desk, Extent::Lines, |running| {
        let text = running.document.print();
        let change = edit::enter(&text, position, entered).map_err(|wrong| {
            // the place is one in what was typed, not in what that became
            let as_typed = protected.as_ref().and_then(|_| edit::enter(&text, position, line).err());
            refused(as_typed.unwrap_or(wrong), line)
        })?;
        let before = Before::of(running, &change);
        Ok((change.text, (change.position, change.line, before)))
    })?;
    let told = place.and_then(|place| idle(&parsed, place)).unwrap_or_default();
    let told = told + &before.news(&parsed, place, line);
    Ok(Entered { position, told, public: public(&parsed, place, line) })
}

/// What is known of a configuration before a line is entered.
pub(crate) struct Before {
    /// What is said of it, and of how many lines.
    said: BTreeMap<(Code, String), usize>,
    /// The rule of translation that the line takes the place of.
    replaced: Option<String>,
}

/// Remarks of a line that its user is told at once: what it does is hardly what was meant.
const DOUBTFUL: [Code; 2] = [Code::Overlap, Code::Wildcard];
/// Lines that a removal is told to leave without effect.
const LEFT: usize = 4;

impl Before {
    pub(crate) fn of(running: &Parsed, change: &edit::Change) -> Self {
        let said = running.diagnostics.iter().filter(|told| is_news(told.code));
        let mut counts = BTreeMap::new();
        for told in said {
            *counts.entry((told.code, told.message.clone())).or_default() += 1;
        }
        Self { said: counts, replaced: replaced(running, change) }
    }

    /// What the line changed besides what it says, for its user, a sentence a line.
    pub(crate) fn news(&self, now: &Parsed, place: Option<usize>, typed: &str) -> String {
        let removes = ["no ", "default "].iter().any(|word| {
            let start = typed.trim_start().get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        let line_of = |told: &Diagnostic| usize::try_from(told.line.saturating_sub(1)).ok();
        let what = |told: &Diagnostic| (told.code, told.message.clone());
        let mut counts: BTreeMap<(Code, String), usize> = BTreeMap::new();
        for told in now.diagnostics.iter().filter(|told| is_news(told.code)) {
            *counts.entry(what(told)).or_default() += 1;
        }
        // the same may be said of another line
        let is_new = |told: &&Diagnostic| counts.get(&what(told)) > self.said.get(&what(told));
        let mut out: Vec<String> = Vec::new();
        if let Some(replaced) = &self.replaced {
            out.push(format!("this takes the place of \"{replaced}\""));
        }
        for told in now.diagnostics.iter().filter(|told| told.severity >= Severity::Warning).filter(is_new) {
            if DOUBTFUL.contains(&told.code) && place.is_some() && line_of(told) == place {
                out.push(told.message.clone());
            }
            // a line of a list makes a rule of translation take what is a tunnel's
            if told.code == Code::NatFirst {
                out.push(told.message.clone());
            }
            if removes && told.code == Code::Dangling {
                let line = line_of(told).and_then(|line| now.document.lines.get(line));
                let line = line.map(|line| line.spelled.clone()).unwrap_or_default();
                out.push(format!("\"{}\": {}", hubward_config::secret::shown(&line), told.message));
            }
        }
        let more = out.len().saturating_sub(LEFT);
        out.truncate(LEFT);
        if more > 0 {
            out.push(format!("and {more} more"));
        }
        out.iter().map(|sentence| format!("% {}\n", cut(&sentence.replace('`', "\"")))).collect()
    }
}

fn is_news(code: Code) -> bool {
    matches!(code, Code::Dangling | Code::NatFirst) || DOUBTFUL.contains(&code)
}

/// The dynamic rule of translation, of the same list or route map, in whose place a line comes.
fn replaced(running: &Parsed, change: &edit::Change) -> Option<String> {
    const SELECTING: usize = 6;
    let (text, line) = change.text.as_deref().zip(change.line)?;
    let new: Vec<&str> = text.lines().nth(line)?.split_whitespace().collect();
    let selects = new
        .get(..SELECTING)
        .filter(|words| matches!(words, ["ip", "nat", "inside", "source", "list" | "route-map", _]))?;
    let lines = running.document.lines.iter().filter(|line| line.under.is_none());
    let mut old = lines.map(|line| line.spelled.as_str()).filter(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.starts_with(selects) && words != new
    });
    old.next().map(str::to_string)
}

/// Puts another configuration in the place of the running one, and says how many of its lines have
/// no effect. The log says who did it.
pub(crate) fn replace(desk: &Desk, text: &str, by: Option<LineName>) -> Result<String, Refusal> {
    let ((), parsed) = attempt(desk, Extent::Whole, |_| Ok((Some(text.to_string()), ())))?;
    tell_configured(desk, by);
    Ok(summary(&parsed))
}

/// The log says who has changed the running configuration: the user of a line, or, without one,
/// somebody at the control socket.
pub(crate) fn tell_configured(desk: &Desk, by: Option<LineName>) {
    let who = by.map_or_else(|| "control socket".to_owned(), |line| desk.views.lines.who(line));
    tracing::info!("%SYS-5-CONFIG_I: Configured from console by {who}");
}

/// Whether the log is to say who typed what.
pub(crate) fn is_recorded(desk: &Desk) -> bool {
    desk.views.parsed().config.archive.tells()
}

/// The log says who typed a line of the configuration, if `archive` asks for it; never a key or a
/// password, whether `hidekeys` is there or not.
pub(crate) fn tell_typed(desk: &Desk, by: LineName, public: &str) {
    let user = desk.views.lines.list().into_iter().find(|one| one.line == by).map(|one| one.user);
    let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| match by {
        LineName::Console(_) => "console".into(),
        LineName::Vty(_) => "unknown user".into(),
    });
    tracing::info!("%PARSER-5-CFGLOG_LOGGEDCMD: User:{user}  logged command:{public}");
}

/// Why a line has no effect, in one line.
pub(crate) fn idle(parsed: &Parsed, place: usize) -> Option<String> {
    let line = parsed.document.lines.get(place)?;
    // it is used when it is whole
    let head = line.under.and_then(|under| parsed.document.lines.get(under)).unwrap_or(line);
    if head.spelled.starts_with("route-map ") && line.class == Class::Inert {
        return None;
    }
    let told = parsed.diagnostics.iter().find(|told| {
        usize::try_from(told.line) == Ok(place + 1)
            && matches!(told.code, Code::Inert | Code::Unsupported | Code::Unenforced | Code::Forwarding)
    });
    match (line.class, told) {
        (Class::Inert | Class::Unsupported, Some(told)) => {
            Some(format!("% {}\n", cut(&told.message.replace('`', "\""))))
        }
        // it shares the fate of the line that opened its mode
        (Class::Inert | Class::Unsupported, None) if line.under.is_some() => {
            Some("% This has no effect here, as the mode that it is in\n".into())
        }
        _ => None,
    }
}

/// How many lines of a configuration have no effect, by kinds; empty if all have one.
pub(crate) fn summary(parsed: &Parsed) -> String {
    let count =
        |is: &dyn Fn(Class) -> bool| parsed.document.lines.iter().filter(|line| is(line.class)).count();
    let parts = [
        (count(&|class| class == Class::Unsupported), "not implemented", "not implemented"),
        (count(&|class| class == Class::Unknown), "not understood", "not understood"),
        (count(&|class| class == Class::Inert), "needs none", "need none"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(count, ..)| *count > 0).collect();
    let all: usize = parts.iter().map(|(count, ..)| count).sum();
    let each =
        parts.iter().map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
    let each = each.collect::<Vec<_>>().join(", ");
    // the command succeeded, so this is no message with `%`, which tools take for a failure
    match all {
        0 => String::new(),
        1 => format!("1 line has no effect here: {each}\n"),
        _ => format!("{all} lines have no effect here: {each}\n"),
    }
}

/// Makes a new text from the running configuration and applies it; gives what is running then.
fn attempt<T>(
    desk: &Desk,
    extent: Extent,
    make: impl Fn(&Parsed) -> Result<(Option<String>, T), Refusal>,
) -> Result<(T, Arc<Parsed>), Refusal> {
    for _ in 0..ATTEMPTS {
        let base = desk.views.parsed();
        let (text, made) = make(&base)?;
        let Some(text) = text else { return Ok((made, base)) };
        let parsed = Arc::new(hubward_config::parse(&text));
        let (done, outcome) = std::sync::mpsc::channel();
        let unanswered = || Refusal::Failed("The gateway does not answer".into());
        let read = Arc::clone(&parsed);
        if !desk.gateway.request(Request::Configure { base, parsed, extent, done }) {
            return Err(unanswered());
        }
        match outcome.recv_timeout(PATIENCE).map_err(|_| unanswered())? {
            Ok(()) => return Ok((made, read)),
            Err(NotConfigured::Refused(why)) => return Err(Refusal::Failed(why)),
            Err(NotConfigured::Overtaken) => {}
        }
    }
    Err(Refusal::Failed("Another console changes the configuration all the time; try again".into()))
}

/// The message for a line that is not a command.
pub(crate) fn refused(wrong: Wrong, line: &str) -> Refusal {
    match wrong {
        Wrong::Incomplete => Refusal::Incomplete,
        Wrong::Ambiguous => Refusal::Ambiguous(printable(line, 80)),
        Wrong::Invalid(place) => Refusal::Invalid(place),
        Wrong::Said(text) => Refusal::Failed(text.into()),
    }
}

/// What may be repeated to the user who typed it.
fn printable(line: &str, most: usize) -> String {
    line.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect()
}

/// A sentence without the numbers of lines, which nobody sees at a console.
fn unnumbered(text: &str) -> String {
    let mut parts = text.split(" in line ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == part.len() {
            out.push_str(" in line ");
        }
        out.push_str(rest);
    }
    out
}

/// Letters of a sentence that is told of a line.
const SENTENCE: usize = 400;

/// A sentence, without what is too long of it: no word is cut.
fn cut(text: &str) -> String {
    let text = printable(&unnumbered(&text.replace('\u{2026}', "...")), usize::MAX);
    match text.get(..SENTENCE).and_then(|start| start.rsplit_once(' ')) {
        Some((start, _)) if text.len() > SENTENCE => format!("{start} ..."),
        _ => text,
    }
}

/// A place where a configuration is kept, as IOS names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `running-config`, `system:running-config`
    Running,
    /// `startup-config`, `nvram:startup-config`: the file that the gateway was started with.
    Startup,
    /// `flash:NAME`: a file next to it.
    Flash(String),
}

impl Place {
    /// Reads a name. A file's is plain: it cannot lead out of the folder.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "running-config" | "system:running-config" => return Some(Self::Running),
            "startup-config" | "nvram:startup-config" | "nvram:" => return Some(Self::Startup),
            _ => {}
        }
        let name = ["flash:", "bootflash:", "disk0:"].iter().find_map(|device| {
            text.get(..device.len()).filter(|start| start.eq_ignore_ascii_case(device))?;
            text.get(device.len()..)
        })?;
        let name = name.trim_start_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let good = !name.is_empty() && !name.starts_with('.') && name.len() <= 64 && name.chars().all(plain);
        good.then(|| Self::Flash(name.to_string()))
    }

    fn path(&self, desk: &Desk) -> Option<PathBuf> {
        match self {
            Self::Running => None,
            Self::Startup => Some(desk.views.file().to_path_buf()),
            Self::Flash(name) => Some(desk.views.file().with_file_name(name)),
        }
    }

    /// The configuration that is there.
    pub(crate) fn read(&self, desk: &Desk) -> Result<String, Refusal> {
        let Some(path) = self.path(desk) else { return Ok(desk.views.parsed().document.print()) };
        let text = check::read(&path)
            .map_err(|_| Refusal::Failed(format!("Error opening {self} (No such file or directory)")))?;
        match self {
            Self::Flash(_) if !is_configuration(&text) => {
                Err(Refusal::Failed(format!("Error opening {self} (Not a configuration)")))
            }
            _ => Ok(text),
        }
    }

    /// Keeps the running configuration there: the whole of it, or, if anything goes wrong, what was
    /// there before. What there is to say of it, as lines.
    pub(crate) fn save(&self, desk: &Desk) -> Result<String, Refusal> {
        let Some(path) = self.path(desk) else { return Ok(String::new()) };
        // the folder may hold the files of others
        if matches!(self, Self::Flash(_)) && std::fs::symlink_metadata(&path).is_ok() {
            let there = files::read(&path, files::CONFIGURATION);
            if !there.is_ok_and(|bytes| is_configuration(&String::from_utf8_lossy(&bytes))) {
                let why = "(File is there and is not a configuration)";
                return Err(Refusal::Failed(format!("Error writing {self} {why}")));
            }
        }
        // of two who save at once, the later one saves what is newer
        let _saving = SAVING.lock().unwrap_or_else(PoisonError::into_inner);
        let text = desk.views.parsed().document.print();
        let failed = |error: anyhow::Error| {
            tracing::error!("the configuration was not saved: {error:#}");
            Refusal::Failed(format!("Error writing {self} ({})", error.root_cause()))
        };
        let is_startup = path == desk.views.file();
        let told = if is_startup { keep_edited(desk, &path, &text).map_err(failed)? } else { String::new() };
        files::replace(&path, text.as_bytes()).map_err(failed)?;
        if is_startup {
            desk.views.note_saved(&text);
        }
        // the next snapshot shows it
        desk.views.ordered();
        Ok(told)
    }
}

/// Somebody may have edited the startup configuration since it was read, and not reloaded it yet:
/// that is not lost when it is overwritten.
fn keep_edited(desk: &Desk, path: &Path, text: &str) -> anyhow::Result<String> {
    let Ok(there) = check::read(path) else { return Ok(String::new()) };
    if there == *desk.views.saved() || there == text || there.trim().is_empty() {
        return Ok(String::new());
    }
    let name = keep(path, ".edited", &there)?;
    tracing::warn!("the startup configuration was edited since it was read; what was there is in {name}");
    Ok(format!("% The file was edited since it was read; what was there is now flash:{name}\n"))
}

/// Whether a file is what `flash:` is for, or empty. Keys, settings and lists of users are none.
fn is_configuration(text: &str) -> bool {
    text.trim().is_empty() || check::is_configuration(&hubward_config::parse(text))
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("system:running-config"),
            Self::Startup => f.write_str("nvram:startup-config"),
            Self::Flash(name) => write!(f, "flash:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk;
    use crate::gateway::startup;

    /// The position of a wrong word is that in the typed line, although its password was hashed.
    #[test]
    fn what_is_wrong_before_a_password_has_its_place() {
        let desk = crate::views::tests::desk();
        for line in ["  username  a privilege 16 secret zebra foo", "enable  secret level 16 zebra foo"] {
            let refused = enter(&desk, &Position::default(), line);
            assert_eq!(refused, Err(Refusal::Invalid(line.find("16").unwrap())), "{line}");
        }
    }

    /// Who typed what is in the log, and no key, whatever the configuration says of that.
    /// A line as the log shows it, after others.
    fn shown(before: &str, modes: &[&str], line: &str) -> String {
        let mut text = before.to_owned();
        let mut position = Position::default();
        for mode in modes {
            let change = edit::enter(&text, &position, mode).unwrap();
            text = change.text.unwrap_or(text);
            position = change.position;
        }
        let change = edit::enter(&text, &position, line).unwrap_or_else(|_| panic!("{line} is refused"));
        let parsed = hubward_config::parse(&change.text.unwrap_or(text));
        public(&parsed, change.line, line)
    }

    #[test]
    fn the_log_says_what_was_typed() {
        for (line, expected) in [
            ("ip route 10.9.0.0 255.255.0.0 192.0.2.1", "ip route 10.9.0.0 255.255.0.0 192.0.2.1"),
            ("hostn Berlin", "hostname Berlin"),
            (" username bob privilege 15 secret Zebra41", "username bob privilege 15 secret *****"),
            ("no hostname", "no hostname"),
            ("no ip route 10.9.0.0 255.255.0.0 192.0.2.1", "no ip *****"),
        ] {
            assert_eq!(shown("ip route 10.9.0.0 255.255.0.0 192.0.2.1\n", &[], line), expected);
        }
    }

    /// However short its keywords are.
    #[test]
    fn the_log_says_no_secret() {
        for (modes, line) in [
            (&[][..], "cry isa key Zebra41 add 10.0.0.1"),
            (&[], "username bob p Zebra41"),
            (&[], "username bob s 0 Zebra41"),
            (&[], "enable s Zebra41"),
            (&[], "enable p Zebra41"),
            (&["line vty 0 4"], "p Zebra41"),
            (&["line vty 0 4"], "no p Zebra41"),
            (&["crypto keyring K"], "pre add 10.0.0.1 k Zebra41"),
            (&["crypto isakmp client configuration group G"], "k Zebra41"),
            (&[], "snmp-server h 10.1.1.1 Zebra41"),
            (&[], "snmp-server com Zebra41"),
            (&["interface Tunnel1"], "ip nhrp au Zebra41"),
            (&[], "ntp authen 1 md Zebra41"),
            (&[], "no username bob p Zebra41"),
            (&[], "banner motd #\nZebra41\n#"),
        ] {
            let told = shown("", modes, line);
            assert!(!told.contains("Zebra"), "{line}: {told}");
        }
    }

    /// `flash:` is for configurations: another file in their folder is neither shown nor replaced.
    #[test]
    fn what_is_no_configuration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let desk = crate::views::tests::desk_of(&folder.path().join("hub.cfg"));
        let running = desk.views.parsed().document.print();
        let flash = |name: &str| Place::named(&format!("flash:{name}")).unwrap();
        for (name, text) in [
            ("shadow", "root:$6$abc:19000:0:99999:7:::\ndaemon:*:19000::::::\n"),
            ("key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n"),
            ("settings.toml", "[ssh]\naddress = \"0.0.0.0:22\"\n"),
            ("binary", "\u{0}\u{1}\n"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
            assert!(matches!(flash(name).read(&desk), Err(Refusal::Failed(_))), "{name}");
            assert!(matches!(flash(name).save(&desk), Err(Refusal::Failed(_))), "{name}");
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
        for name in ["new.cfg", "old.cfg", "empty"] {
            if name != "new.cfg" {
                let text = if name == "empty" {
                    ""
                } else {
                    "hostname Old\n! not a command:\nfrobnicate\nip routing\n"
                };
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            flash(name).save(&desk).unwrap();
            assert_eq!(flash(name).read(&desk).as_ref(), Ok(&running));
        }
    }

    /// Saving does not undo what was written to the file in the meantime.
    #[test]
    fn an_edited_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (file, edited) = (folder.path().join("hub.cfg"), folder.path().join("hub.cfg.edited"));
        let desk = crate::views::tests::desk_of(&file);
        assert_eq!(Place::Startup.save(&desk).as_deref(), Ok(""), "there is no file yet");
        assert_eq!(Place::Startup.save(&desk).as_deref(), Ok(""));
        assert!(!edited.exists());
        std::fs::write(&file, "hostname Edited\n").unwrap();
        let told = Place::Startup.save(&desk).unwrap();
        assert!(told.contains("flash:hub.cfg.edited"), "{told}");
        assert_eq!(std::fs::read_to_string(&edited).unwrap(), "hostname Edited\n");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), desk.views.parsed().document.print());
        std::fs::remove_file(&edited).unwrap();
        assert_eq!(Place::Startup.save(&desk).as_deref(), Ok(""));
        // it was read again since
        std::fs::write(&file, "hostname Edited\n").unwrap();
        desk.views.note_saved("hostname Edited\n");
        assert_eq!(Place::Startup.save(&desk).as_deref(), Ok(""));
        assert!(!edited.exists());
    }

    /// Reading the file again does not silently undo what was typed in the meantime.
    #[test]
    fn an_unsaved_configuration_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (file, unsaved) = (folder.path().join("hub.cfg"), folder.path().join("hub.cfg.unsaved"));
        let desk = crate::views::tests::desk_of(&file);
        let saved = desk.views.saved().to_string();
        let keep = |running: &str, text: &str| {
            let save = startup::unsaved(&desk.views, running.into(), text);
            save.map(|save| save()).is_some()
        };
        assert!(!keep(&saved, "hostname Edited\n"), "nothing was typed");
        assert!(!keep("hostname Typed\n", "hostname Typed\n"), "it is in the file");
        assert!(keep("hostname Typed\n", "hostname Edited\n"));
        assert_eq!(std::fs::read_to_string(&unsaved).unwrap(), "hostname Typed\n");
    }

    /// A disk that returns an error at the last moment: `write memory` says so, the file is the old
    /// one as a whole, nothing is left beside it, and what runs is still unsaved.
    #[test]
    fn a_disk_error_while_saving_is_told_and_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.cfg");
        std::fs::write(&file, "hostname Old\n").unwrap();
        let desk = crate::views::tests::desk_of(&file);
        desk.views.note_saved("hostname Old\n");
        for (error, words) in [(5, "Input/output error"), (28, "No space left on device"), (30, "Read-only")]
        {
            disk::order(folder.path(), Duration::ZERO, Some(error));
            let refused = Place::Startup.save(&desk).unwrap_err().to_string();
            assert!(
                refused.starts_with("% Error writing nvram:startup-config (") && refused.contains(words),
                "{refused}"
            );
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "hostname Old\n");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
            assert_eq!(&*desk.views.saved(), "hostname Old\n");
        }
        disk::order(folder.path(), Duration::ZERO, None);
        assert_eq!(Place::Startup.save(&desk).as_deref(), Ok(""));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), *desk.views.saved());
    }

    #[test]
    fn places_have_the_names_of_ios() {
        assert_eq!(Place::named("running-config"), Some(Place::Running));
        assert_eq!(Place::named("NVRAM:startup-config"), Some(Place::Startup));
        assert_eq!(Place::named("flash:/backup.cfg"), Some(Place::Flash("backup.cfg".into())));
        for name in [
            "flash:",
            "flash:../x",
            "flash:.profile",
            "flash:a/b",
            "/etc/passwd",
            "tftp://10.0.0.1/x",
            "flash:é",
        ] {
            assert_eq!(Place::named(name), None, "{name}");
        }
    }

    /// What a typed line says, and what it does besides.
    fn told(text: &str, lines: &[&str]) -> String {
        let mut running = hubward_config::parse(text);
        let (mut position, mut told) = (Position::default(), String::new());
        for line in lines {
            let change = edit::enter(&running.document.print(), &position, line).unwrap();
            let before = Before::of(&running, &change);
            if let Some(text) = &change.text {
                running = hubward_config::parse(text);
            }
            told = change.line.and_then(|place| idle(&running, place)).unwrap_or_default();
            told += &before.news(&running, change.line, line);
            position = change.position;
        }
        told
    }

    const NAT: &str = "interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.0\n ip nat outside\n\
                       interface FastEthernet0/1\n ip nat inside\naccess-list 1 permit any\n\
                       ip nat inside source list 1 interface FastEthernet0/0 overload\n";

    #[test]
    fn a_removal_says_what_has_no_effect_without_it() {
        assert_eq!(
            told(NAT, &["no access-list 1"]),
            "% \"ip nat inside source list 1 interface FastEthernet0/0 overload\": the access list 1 is not defined; \
             until it is, this has no effect\n"
        );
        assert_eq!(told(NAT, &["no access-list 1", "access-list 1 permit any"]), "");
        assert_eq!(told(NAT, &["no access-list 1", "no ip http server"]), "", "it is said once");
    }

    #[test]
    fn a_rule_that_takes_the_place_of_another_says_so() {
        let told = |line: &str| told(NAT, &[line]);
        let says = told("ip nat inside source list 1 pool P");
        let words = "takes the place of \"ip nat inside source list 1 interface FastEthernet0/0 overload\"";
        assert!(says.contains(words), "{says}");
        assert_eq!(told("ip nat inside source list 1 interface FastEthernet0/0 overload"), "");
        assert_eq!(told("ip nat inside source list 2 interface FastEthernet0/0 overload"), "");
    }

    #[test]
    fn a_network_mask_for_a_wildcard_is_told_at_once() {
        let says = told(NAT, &["access-list 7 permit 10.1.1.0 255.255.255.0"]);
        assert!(says.starts_with("% 255.255.255.0 is a wildcard here and means every address"), "{says}");
        assert_eq!(told(NAT, &["access-list 7 permit 10.1.1.0 0.0.0.255"]), "");
        let second =
            ["access-list 7 permit 10.1.1.0 255.255.255.0", "access-list 8 permit 10.1.1.0 255.255.255.0"];
        assert_eq!(told(NAT, &second), says, "the same of another line");
    }

    /// The remark stands at the rule, and the line is one of its list.
    #[test]
    fn a_line_that_makes_a_rule_take_what_is_a_tunnels_says_so() {
        let text = "crypto map M 10 ipsec-isakmp\n set peer 198.51.100.20\n match address VPN\n\
                    ip access-list extended VPN\n permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                    ip access-list extended NAT\n 10 deny ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n \
                    20 permit ip 10.1.0.0 0.0.255.255 any\n\
                    interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.0\n ip nat outside\n crypto map M\n\
                    interface FastEthernet0/1\n ip nat inside\n\
                    ip nat inside source list NAT interface FastEthernet0/0 overload\n";
        let list = "ip access-list extended NAT";
        let says = told(text, &[list, "no 10"]);
        assert!(says.contains("before crypto map M 10 (access list VPN) sees them"), "{says}");
        assert_eq!(told(text, &[list, "30 permit ip 10.3.0.0 0.0.255.255 any"]), "");
    }

    #[test]
    fn a_sentence_has_no_numbers_of_lines_and_its_cut_sign() {
        assert_eq!(cut("what `ip nat \u{2026}` in line 291 publishes"), "what `ip nat ...` publishes");
        assert_eq!(cut("what stands in line with it"), "what stands in line with it");
    }

    /// The map comes first, and then its use.
    #[test]
    fn a_route_map_that_is_being_typed_is_not_said_to_have_no_effect() {
        for lines in [
            &["route-map R permit 10"][..],
            &["route-map R permit 10", "match ip address 1", "set ip next-hop 10.1.1.1"],
        ] {
            assert_eq!(told(NAT, lines), "", "{lines:?}");
        }
    }

    #[test]
    fn a_long_sentence_is_cut_between_words() {
        let long = "word ".repeat(200);
        let said = cut(&long);
        assert!(said.len() <= SENTENCE + 4 && said.ends_with("word ..."), "{said}");
        assert_eq!(cut("a short one"), "a short one");
    }

    /// Of a whole configuration the lines without effect are counted by kinds. Words that tools take
    /// for a failure do not occur.
    #[test]
    fn the_lines_without_effect_are_counted() {
        let told = |text: &str| summary(&hubward_config::parse(text));
        assert_eq!(told("hostname A\n!\nend\n"), "");
        assert_eq!(told("hostname A\nntp server 192.0.2.1\n"), "1 line has no effect here: 1 needs none\n");
        assert_eq!(
            told("hostname A\nntp server 192.0.2.1\nrouter rip\n network 10.0.0.0\nfrobnicate\n"),
            "4 lines have no effect here: 2 not implemented, 1 not understood, 1 needs none\n"
        );
        let text = include_str!("../../../../examples/hq-2911.cfg");
        let parsed = hubward_config::parse(text);
        for place in 0..parsed.document.lines.len() {
            let told = idle(&parsed, place).unwrap_or_default().to_ascii_lowercase();
            for word in ["not found", "invalid", "incomplete", "ambiguous", "% error", "timed out"] {
                assert!(!told.contains(word), "{told}");
            }
            assert!(told.lines().count() <= 1, "{told}");
        }
    }
}
