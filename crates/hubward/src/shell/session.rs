//! One user's session: what was typed so far, with which privilege, on what terminal. Bytes in, effects out; no I/O.

use super::configuring;
use super::editor::{Asked, Echo, Editor};
use super::filter::{self, Filter};
use super::key::{Key, Keys};
use super::pager::{Page, Pager, crlf};
use super::serve::Enabled;
use crate::exec::{Format, PRIVILEGED, Question, Refusal, allowed_forms};
use hubward_config::automaton::{self, Form, Matched, Outcome};
use hubward_config::edit::{Position, RawEnd};
use hubward_config::form::words;
use hubward_config::help;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Bytes that may be typed ahead while a command runs.
const AHEAD: usize = 256 * 1024;
/// Wrong passwords before `enable` gives up.
const ENABLE_TRIES: u8 = 3;
/// Ctrl-Z.
const LEAVE: u8 = 0x1a;

/// What a session wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send this to the terminal.
    Write(String),
    /// Run a command, pass its output through the filter, and give it back to [`Session::reply`].
    Run(Job),
    /// Enter a line in a mode of the configuration; what comes of it goes to [`Session::configured`].
    Configure(Position, String),
    /// Configuration mode ended.
    LeftConfiguration,
    /// `terminal monitor` or `terminal no monitor`.
    Monitor(bool),
    /// `terminal show-format`.
    Format(Format),
    /// `enable`: is this the password? The answer goes to [`Session::enabled`].
    Enable {
        /// The privilege that is asked for.
        level: u8,
        password: Password,
    },
    /// The session is over.
    Close,
}

/// A command to be run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) line: String,
    pub(crate) filter: Option<Filter>,
    /// To the questions that it asked so far.
    pub(crate) answers: Vec<String>,
}

/// A password on its way to be checked.
pub(crate) struct Password(pub(crate) String);

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// What a terminal is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Rows of a page; 0 has no end.
    pub(crate) length: usize,
    /// Columns; 0 has no end.
    pub(crate) width: usize,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    hostname: String,
    /// The mode of configuration mode; `None` in exec mode.
    pub(super) configuring: Option<Position>,
    /// 0 to 15.
    pub(crate) privilege: u8,
    /// The layout of `show` commands.
    pub(crate) format: Format,
    terminal: Terminal,
    /// Whether `enable` asks for a password.
    enable_asks: bool,
    keys: Keys,
    pub(super) editor: Editor,
    pub(super) state: State,
    ahead: VecDeque<u8>,
}

#[derive(Debug)]
pub(super) enum State {
    /// A line is being typed.
    Typing,
    /// A command runs.
    Running,
    /// A command asked something; it is given again with the answer.
    Asking {
        job: Job,
        key: bool,
    },
    /// Raw text is typed, behind the command it belongs to.
    Raw {
        end: RawEnd,
        text: String,
    },
    /// ` --More-- `.
    Paging(Pager),
    /// `Password: ` of `enable`; how often it was wrong already.
    Password {
        level: u8,
        wrong: u8,
    },
    /// A password is being checked.
    Checking {
        wrong: u8,
    },
    Closed,
}

/// What the session does itself.
const LOCAL: [(&str, Local); 13] = [
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
enum Local {
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

/// The session's own commands and the lowest privilege that may give each, for the command reference.
#[cfg(test)]
pub(crate) fn reference() -> impl Iterator<Item = (&'static str, u8)> {
    LOCAL.iter().map(|(form, local)| (*form, if matches!(local, Local::Configure) { PRIVILEGED } else { 0 }))
}

/// The session's own commands of a privilege.
fn own(privilege: u8) -> impl Iterator<Item = (Local, &'static Form)> {
    let rows = LOCAL.iter().map(|(_, local)| *local).zip(LOCAL_FORMS.iter());
    rows.filter(move |(local, _)| privilege >= PRIVILEGED || !matches!(local, Local::Configure))
}

/// Every command of a privilege: the session's own first.
pub(super) fn forms(privilege: u8) -> Vec<&'static Form> {
    own(privilege).map(|(_, form)| form).chain(allowed_forms(privilege)).collect()
}

impl Session {
    /// A session of somebody with a privilege.
    pub(crate) fn new(hostname: &str, privilege: u8, terminal: Terminal, enable_asks: bool) -> Self {
        let mut editor = Editor::new();
        editor.set_width(terminal.width);
        Self {
            hostname: hostname.to_string(),
            configuring: None,
            privilege,
            format: Format::Modern,
            terminal,
            enable_asks,
            keys: Keys::default(),
            editor,
            state: State::Typing,
            ahead: VecDeque::new(),
        }
    }

    /// Prints the first prompt.
    pub(crate) fn start(&mut self) -> Vec<Effect> {
        let mut work = Work::default();
        self.prompt("", &mut work);
        work.effects()
    }

    /// Bytes came from the terminal.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Vec<Effect> {
        let mut work = Work::default();
        let room = AHEAD.saturating_sub(self.ahead.len());
        self.ahead.extend(bytes.iter().take(room));
        self.work(&mut work);
        work.effects()
    }

    /// A command ended, or asks something.
    pub(crate) fn reply(&mut self, job: Job, outcome: Result<&str, Refusal>) -> Vec<Effect> {
        let mut work = Work::default();
        match outcome {
            Ok(text) => self.print(text, &mut work),
            Err(Refusal::Ask(Question { text, key })) => {
                let (above, question) = text.rsplit_once('\n').unwrap_or(("", &text));
                if !above.is_empty() {
                    crlf(&format!("{above}\n"), &mut work.out);
                }
                self.editor.begin(question, Echo::Text, "", &mut work.out);
                self.state = State::Asking { job, key };
            }
            Err(refusal) => self.wrong(&job.line, &refusal, &mut work),
        }
        self.work(&mut work);
        work.effects()
    }

    /// A line of the log: printed above what is being typed.
    pub(crate) fn monitor(&mut self, message: &str) -> Vec<Effect> {
        let mut work = Work::default();
        match self.state {
            // a page is not torn apart; the buffer has the message
            State::Paging(_) | State::Closed => {}
            State::Running => crlf(&format!("{message}\n"), &mut work.out),
            _ => {
                crlf(&format!("\n{message}\n"), &mut work.out);
                self.editor.print(&mut work.out);
            }
        }
        work.effects()
    }

    /// Another name in the prompt.
    pub(crate) fn rename(&mut self, hostname: &str) {
        if self.hostname != hostname {
            self.hostname = hostname.to_string();
        }
    }

    /// Ctrl-C ended a command; what it printed behind its last flush.
    pub(crate) fn interrupted(&mut self, text: &str) -> Vec<Effect> {
        let mut work = Work::default();
        self.ahead.clear();
        crlf(text, &mut work.out);
        work.out.push_str("\r\n");
        self.prompt("", &mut work);
        work.effects()
    }

    /// What became of the password that `enable` asked for.
    pub(crate) fn enabled(&mut self, level: u8, outcome: Enabled) -> Vec<Effect> {
        let mut work = Work::default();
        let wrong = match self.state {
            State::Checking { wrong } => wrong + 1,
            _ => 1,
        };
        match outcome {
            Enabled::Right => {
                self.privilege = level;
                self.prompt("", &mut work);
            }
            Enabled::NotSet => self.print("% No password set\n", &mut work),
            Enabled::Wrong if wrong < ENABLE_TRIES => self.ask_password(level, wrong, &mut work),
            Enabled::Wrong => self.print("% Bad secrets\n\n", &mut work),
        }
        self.work(&mut work);
        work.effects()
    }

    /// Nobody typed for as long as the line allows.
    pub(crate) fn timed_out(&mut self) -> Vec<Effect> {
        self.state = State::Closed;
        vec![Effect::Write("\r\n".into()), Effect::Close]
    }

    /// Whether output goes on without a stop: `terminal length 0`.
    pub(crate) fn is_unpaged(&self) -> bool {
        self.terminal.length == 0
    }

    /// Whether it is in configuration mode.
    pub(crate) fn is_configuring(&self) -> bool {
        self.configuring.is_some()
    }

    /// Whether it is over.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The window has another size. What `terminal length 0` and `terminal width 0` said stays.
    pub(crate) fn resize(&mut self, terminal: Terminal) {
        if self.terminal.width != 0 {
            self.terminal.width = terminal.width;
            self.editor.set_width(terminal.width);
        }
        if self.terminal.length != 0 {
            self.terminal.length = terminal.length;
        }
    }

    /// Takes what was typed, until something must be waited for.
    pub(super) fn work(&mut self, work: &mut Work) {
        while !matches!(self.state, State::Running | State::Checking { .. } | State::Closed) {
            let Some(byte) = self.ahead.pop_front() else { return };
            if let Some(key) = self.keys.byte(byte) {
                self.key(key, work);
            }
        }
    }

    fn key(&mut self, key: Key, work: &mut Work) {
        match std::mem::replace(&mut self.state, State::Typing) {
            State::Paging(pager) => {
                return match pager.key(key, &mut work.out) {
                    Page::More(pager) => self.state = State::Paging(pager),
                    Page::Done => self.prompt("", work),
                };
            }
            State::Password { level, wrong } => {
                return match self.editor.key(key, &mut work.out) {
                    Asked::Line(password) => {
                        self.state = State::Checking { wrong };
                        work.effect(Effect::Enable { level, password: Password(password) });
                    }
                    Asked::Interrupt | Asked::Leave(_) => self.prompt("", work),
                    _ => self.state = State::Password { level, wrong },
                };
            }
            State::Asking { job, key: true } => {
                work.out.push_str("\r\n");
                return match key {
                    Key::Interrupt | Key::Leave => self.prompt("", work),
                    Key::Char(character) => self.answer(job, character.to_string(), work),
                    _ => self.answer(job, String::new(), work),
                };
            }
            State::Asking { job, key: asks_key } => {
                return match self.editor.key(key, &mut work.out) {
                    Asked::Line(answer) => self.answer(job, answer, work),
                    Asked::Interrupt | Asked::Leave(_) => self.prompt("", work),
                    _ => self.state = State::Asking { job, key: asks_key },
                };
            }
            State::Raw { end, text } => {
                return match self.editor.key(key, &mut work.out) {
                    Asked::Line(line) => self.raw_line(end, text, &line, work),
                    Asked::Interrupt | Asked::Leave(_) => self.prompt("", work),
                    _ => self.state = State::Raw { end, text },
                };
            }
            State::Typing | State::Running | State::Checking { .. } | State::Closed => {}
        }
        match self.editor.key(key, &mut work.out) {
            Asked::Nothing => {}
            Asked::Line(line) => self.line(&line, work),
            Asked::Leave(line) => {
                // the line counts, and then configuration mode ends
                if self.configuring.is_some() && !line.trim().is_empty() {
                    self.ahead.push_front(LEAVE);
                    return self.line(&line, work);
                }
                self.leave_configuration(work);
                self.prompt("", work);
            }
            Asked::Interrupt => {
                self.leave_configuration(work);
                self.prompt("", work);
            }
            Asked::Help(before) => {
                let within = before.ends_with(|last: char| !last.is_whitespace());
                crlf(&listing(&self.choices(&before), within), &mut work.out);
                self.editor.print(&mut work.out);
            }
            Asked::Complete(line) => {
                let completed = self.completed(&line).unwrap_or(line);
                work.out.push_str("\r\n");
                self.prompt(&completed, work);
            }
        }
    }

    fn choices(&self, before: &str) -> Vec<help::Choice> {
        match (&self.configuring, before.trim_start().strip_prefix("do ")) {
            (Some(position), None) => position.choices(&configuring::forms(), before),
            (_, command) => help::choices(&forms(self.privilege), command.unwrap_or(before)),
        }
    }

    fn completed(&self, line: &str) -> Option<String> {
        match (&self.configuring, line.trim_start().strip_prefix("do ")) {
            (Some(position), None) => position.complete(&configuring::forms(), line),
            (Some(_), Some(command)) => {
                Some(format!("do {}", help::complete(&forms(self.privilege), command)?))
            }
            (None, _) => help::complete(&forms(self.privilege), line),
        }
    }

    fn answer(&mut self, mut job: Job, answer: String, work: &mut Work) {
        job.answers.push(answer);
        self.run(job, work);
    }

    pub(super) fn run(&mut self, job: Job, work: &mut Work) {
        self.state = State::Running;
        work.effect(Effect::Run(job));
    }

    /// A line was entered.
    fn line(&mut self, line: &str, work: &mut Work) {
        if line.trim().is_empty() || line.trim_start().starts_with('!') {
            return self.prompt("", work);
        }
        match self.configuring {
            Some(_) => self.configuration_line(line, work),
            None => self.exec_line(line, work),
        }
    }

    /// A command of exec mode was entered.
    pub(super) fn exec_line(&mut self, line: &str, work: &mut Work) {
        let (command, filter) = match filter::command(line) {
            Ok(split) => split,
            Err(refusal) => return self.wrong(line, &refusal, work),
        };
        match self.own(command) {
            Err(refusal) => self.wrong(line, &refusal, work),
            Ok(Some((Local::History, _))) => {
                let text: String = self.editor.history().map(|line| format!("  {line}\n")).collect();
                let text = filter.map_or_else(|| text.clone(), |filter| filter.apply(&text));
                self.print(&text, work);
            }
            Ok(Some((local, matched))) => self.local(local, &matched, work),
            Ok(None) => self.run(Job { line: command.to_string(), filter, answers: Vec::new() }, work),
        }
    }

    /// The session's own command that a line is, among all commands there are. What begins like one and is wrong behind that
    /// is refused here: nobody else knows where.
    fn own(&self, line: &str) -> Result<Option<(Local, Matched)>, Refusal> {
        let words = words(line);
        match automaton::run(&forms(self.privilege), &words, false) {
            Outcome::Complete(matched) => {
                Ok(own(self.privilege).nth(matched.form).map(|(local, _)| (local, matched)))
            }
            Outcome::Incomplete(..) => Err(Refusal::Incomplete),
            Outcome::Invalid(misfit) if !line.contains('|') => {
                let column = words.get(misfit.word).map(|word| word.column.saturating_sub(1));
                let place = column.and_then(|column| usize::try_from(column).ok());
                Err(Refusal::Invalid(place.unwrap_or(0)))
            }
            Outcome::Invalid(_) | Outcome::Ambiguous(_) => Ok(None),
        }
    }

    fn local(&mut self, local: Local, matched: &Matched, work: &mut Work) {
        let number = |name| matched.argument(name).and_then(|text| text.parse::<usize>().ok());
        let level = || number("level").and_then(|level| u8::try_from(level).ok());
        match local {
            Local::Configure => {
                self.configuring = Some(Position::default());
                let text = "Enter configuration commands, one per line.  End with CNTL/Z.\n";
                return self.print(text, work);
            }
            Local::Monitor(on) => work.effect(Effect::Monitor(on)),
            Local::Exit => {
                self.leave_configuration(work);
                self.state = State::Closed;
                self.ahead.clear();
                return work.effect(Effect::Close);
            }
            Local::Disable => self.privileged(level().unwrap_or(1).min(self.privilege), work),
            Local::Enable => {
                let level = level().unwrap_or(PRIVILEGED);
                if self.enable_asks && level > self.privilege {
                    return self.ask_password(level, 0, work);
                }
                self.privileged(level, work);
            }
            Local::Length => self.terminal.length = number("lines").unwrap_or(self.terminal.length),
            Local::Width => {
                self.terminal.width = number("columns").unwrap_or(self.terminal.width);
                self.editor.set_width(self.terminal.width);
            }
            Local::Format(format) => {
                self.format = format;
                work.effect(Effect::Format(format));
            }
            Local::History => {}
        }
        self.prompt("", work);
    }

    /// From now on, another privilege. Configuration mode is not for everybody: `do disable` leaves it.
    fn privileged(&mut self, level: u8, work: &mut Work) {
        self.privilege = level;
        if level < PRIVILEGED {
            self.leave_configuration(work);
        }
    }

    fn ask_password(&mut self, level: u8, wrong: u8, work: &mut Work) {
        self.state = State::Password { level, wrong };
        self.editor.begin("Password: ", Echo::Hidden, "", &mut work.out);
    }

    /// Prints a text through the pager, then the prompt.
    pub(super) fn print(&mut self, text: &str, work: &mut Work) {
        match Pager::start(text, self.terminal.length, &mut work.out) {
            Page::Done => self.prompt("", work),
            Page::More(pager) => self.state = State::Paging(pager),
        }
    }

    /// The error texts of IOS; the caret stands under the first wrong character, the prompt counted.
    pub(super) fn wrong(&mut self, line: &str, refusal: &Refusal, work: &mut Work) {
        if let Refusal::Invalid(place) = refusal {
            let before = line.get(..*place).map_or(0, |before| before.chars().count());
            let column = self.prompt_text().chars().count() + before;
            crlf(&format!("{:>1$}\n", "^", column + 1), &mut work.out);
        }
        crlf(&format!("{refusal}\n"), &mut work.out);
        self.prompt("", work);
    }

    pub(super) fn prompt_text(&self) -> String {
        match &self.configuring {
            // IOS leaves no more of a long name
            Some(position) => {
                let name: String = self.hostname.chars().take(20).collect();
                format!("{name}({})#", position.prompt())
            }
            None => format!("{}{}", self.hostname, if self.privilege > 1 { '#' } else { '>' }),
        }
    }

    pub(super) fn prompt(&mut self, typed: &str, work: &mut Work) {
        self.state = State::Typing;
        let prompt = self.prompt_text();
        self.editor.begin(&prompt, Echo::Shown, typed, &mut work.out);
    }
}

/// What `?` shows: the words that may come next, with their help; within a word, only what it may become.
fn listing(choices: &[help::Choice], within: bool) -> String {
    let keyword = |choice: &help::Choice| choice.token.starts_with(|first: char| first.is_ascii_lowercase());
    if choices.is_empty() {
        return "% Unrecognized command\n".to_string();
    }
    let width = choices.iter().map(|choice| choice.token.chars().count()).max().unwrap_or(0);
    if within && choices.iter().all(keyword) {
        let words: Vec<&str> = choices.iter().map(|choice| choice.token.as_str()).collect();
        let rows = words.chunks((80 / (width + 2)).max(1));
        return rows.map(|row| row.join("  ") + "\n").collect::<String>() + "\n";
    }
    let line = |choice: &help::Choice| {
        let line = format!("  {:width$}  {}", choice.token, choice.help);
        format!("{}\n", line.trim_end())
    };
    choices.iter().map(line).collect::<String>() + "\n"
}

/// Output and effects in the order in which they came up.
#[derive(Default)]
pub(super) struct Work {
    pub(super) out: String,
    done: Vec<Effect>,
}

impl Work {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.flush();
        self.done.push(effect);
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            self.done.push(Effect::Write(std::mem::take(&mut self.out)));
        }
    }

    pub(super) fn effects(mut self) -> Vec<Effect> {
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_config::edit;

    /// A session whose commands answer with `answer`.
    struct Talk {
        session: Session,
        answer: String,
        screen: String,
        ran: Vec<String>,
        answers: Vec<String>,
        running: String,
        left: usize,
        closed: bool,
    }

    impl Talk {
        fn begin(length: usize, answer: &str) -> Self {
            let session = Session::new("Hub", PRIVILEGED, Terminal { length, width: 80 }, false);
            let mut talk = Self {
                session,
                answer: answer.into(),
                screen: String::new(),
                ran: Vec::new(),
                answers: Vec::new(),
                running: "hostname Hub\ninterface FastEthernet0/0\n ip address dhcp\nend\n".into(),
                left: 0,
                closed: false,
            };
            let effects = talk.session.start();
            talk.done(effects);
            talk
        }

        fn done(&mut self, effects: Vec<Effect>) {
            for effect in effects {
                match effect {
                    Effect::Write(text) => self.screen.push_str(&text),
                    Effect::Run(job) => {
                        self.ran.push(job.line.clone());
                        let filter = job.filter.as_ref();
                        let text = filter.map_or(self.answer.clone(), |filter| filter.apply(&self.answer));
                        let question = |text: &str, key| Refusal::Ask(Question { text: text.into(), key });
                        let outcome = match (job.line.as_str(), job.answers.as_slice()) {
                            ("show foo", _) => Err(Refusal::Invalid(5)),
                            ("reload", []) => Err(question("\nSave? [yes/no]: ", false)),
                            ("reload", [_]) => Err(question("Proceed with reload? [confirm]", true)),
                            ("reload", answers) => {
                                self.answers = answers.to_vec();
                                Ok(text.as_str())
                            }
                            _ => Ok(text.as_str()),
                        };
                        let effects = self.session.reply(job, outcome);
                        self.done(effects);
                    }
                    Effect::Configure(position, line) => {
                        let change = edit::enter(&self.running, &position, &line);
                        let outcome = change.map_err(|wrong| match wrong {
                            edit::Wrong::Invalid(place) => Refusal::Invalid(place),
                            _ => Refusal::Incomplete,
                        });
                        let outcome = outcome.map(|change| {
                            self.running = change.text.unwrap_or(std::mem::take(&mut self.running));
                            change.position
                        });
                        let effects = self.session.configured(&line, outcome);
                        self.done(effects);
                    }
                    Effect::LeftConfiguration => self.left += 1,
                    Effect::Monitor(_) | Effect::Format(_) => {}
                    Effect::Enable { level, password } => {
                        let outcome = if password.0 == "right" { Enabled::Right } else { Enabled::Wrong };
                        let effects = self.session.enabled(level, outcome);
                        self.done(effects);
                    }
                    Effect::Close => self.closed = true,
                }
            }
        }

        /// What the keys add to the screen.
        fn keys(&mut self, bytes: &[u8]) -> String {
            let before = self.screen.len();
            let effects = self.session.bytes(bytes);
            self.done(effects);
            self.screen[before..].to_string()
        }
    }

    #[test]
    fn a_command_its_output_and_the_next_prompt() {
        let mut talk = Talk::begin(24, "one\ntwo\n");
        assert_eq!(talk.screen, "Hub#");
        assert_eq!(talk.keys(b"show version\r"), "show version\r\none\r\ntwo\r\nHub#");
        assert_eq!(talk.keys(b"show version | i tw\r"), "show version | i tw\r\ntwo\r\nHub#");
        assert_eq!(talk.keys(b"\r! a remark\r"), "\r\nHub#! a remark\r\nHub#");
        assert_eq!(talk.ran, ["show version", "show version"]);
    }

    #[test]
    fn the_caret_stands_under_the_wrong_word() {
        let mut talk = Talk::begin(24, "");
        let shown = talk.keys(b"show foo\r");
        assert_eq!(shown, "show foo\r\n         ^\r\n% Invalid input detected at '^' marker.\r\n\r\nHub#");
        let shown = talk.keys(b"show version | frob x\r");
        assert!(shown.contains("\r\n                   ^\r\n% Invalid input"), "{shown}");
        assert!(talk.keys(b"show version |\r").contains("% Incomplete command.\r\n"));
        // behind what only the session knows
        let shown = talk.keys(b"terminal frob\r");
        assert!(shown.contains("\r\n             ^\r\n% Invalid input"), "{shown}");
        assert!(talk.keys(b"terminal length\r").contains("% Incomplete command.\r\n"));
        talk.keys(b"conf t\r");
        let shown = talk.keys(b"do show foo\r");
        assert!(shown.contains("\r\n                    ^\r\n% Invalid input"), "{shown}");
        talk.keys(b"end\r");
        assert!(talk.keys(b"show version | i (\r").contains("% Failed to compile regular expression"));
    }

    /// The lines of a banner are no commands, however many there are.
    #[test]
    fn a_text_that_is_too_long_is_no_commands() {
        let mut talk = Talk::begin(0, "");
        talk.keys(b"configure terminal\r");
        let before = talk.running.clone();
        talk.keys(b"banner motd #\r");
        for _ in 0..200 {
            talk.keys(format!("hostname {}\r", "x".repeat(500)).as_bytes());
        }
        let shown = talk.keys(b"hostname Mine\r#\r");
        assert!(shown.ends_with("% The text is too long\r\nHub(config)#"), "{shown}");
        assert_eq!(talk.running, before);
    }

    /// Whoever gives up the privilege that configuration mode needs is in it no longer.
    #[test]
    fn no_configuration_with_a_lower_privilege() {
        for lower in ["do disable", "do enable 1", "do disable 14", "do exit"] {
            let mut talk = Talk::begin(24, "");
            talk.keys(b"configure terminal\r");
            talk.keys(format!("{lower}\r").as_bytes());
            let before = talk.running.clone();
            let shown = talk.keys(b"hostname Mine\r");
            assert!(!shown.contains("(config)"), "{lower}: {shown}");
            assert_eq!((talk.running.as_str(), talk.left), (before.as_str(), 1), "{lower}");
        }
    }

    #[test]
    fn help_and_completion() {
        let mut talk = Talk::begin(24, "");
        let shown = talk.keys(b"terminal ?");
        assert!(shown.contains("  length") && shown.contains("  show-format"), "{shown}");
        assert!(shown.ends_with("Hub#terminal "), "the line is printed again: {shown}");
        assert!(talk.keys(b"sho\t").ends_with("\r\nHub#terminal show-format "));
        assert!(talk.keys(b"\x15frob?").contains("% Unrecognized command"));
    }

    #[test]
    fn modes_and_terminals() {
        let mut talk = Talk::begin(5, &"line\n".repeat(8));
        assert!(talk.keys(b"show version\r").ends_with(" --More-- "));
        assert!(talk.keys(b"q").ends_with("Hub#"));
        assert!(!talk.keys(b"terminal length 0\rshow version\r").contains("--More--"));
        assert!(talk.keys(b"disable\r").ends_with("\r\nHub>"));
        assert_eq!(talk.session.privilege, 1);
        assert!(talk.keys(b"ena\r").ends_with("\r\nHub#"));
        talk.keys(b"terminal show-format classic\r");
        assert_eq!(talk.session.format, Format::Classic);
        assert!(talk.keys(b"show hist\r").contains("  terminal length 0\r\n  show version\r\n"));
        talk.keys(b"exit\rshow version\r");
        assert!(talk.closed);
        assert_eq!(talk.ran.len(), 2, "what is typed behind exit is nobody's");
    }

    #[test]
    fn configuration_mode_and_its_prompts() {
        let mut talk = Talk::begin(24, "out\n");
        let shown = talk.keys(b"conf t\r");
        let banner = "Enter configuration commands, one per line.  End with CNTL/Z.\r\n";
        assert_eq!(shown, format!("conf t\r\n{banner}Hub(config)#"));
        assert!(talk.keys(b"int fa0/0\r").ends_with("Hub(config-if)#"));
        assert!(talk.keys(b"desc outside\r").ends_with("outside\r\nHub(config-if)#"));
        assert!(talk.keys(b"crypto isakmp policy 5\r").ends_with("Hub(config-isakmp)#"));
        assert!(talk.keys(b"do sh ver\r").ends_with("out\r\nHub(config-isakmp)#"));
        assert!(talk.keys(b"exit\r").ends_with("Hub(config)#"));
        let shown = talk.keys(b"crypto frob\r");
        assert!(shown.contains("\r\n                   ^\r\n% Invalid input detected"), "{shown}");
        let shown = talk.keys(b"int?");
        assert_eq!(shown, "int?\r\ninterface\r\n\r\nHub(config)#int");
        talk.keys(b"\x15");
        assert!(talk.keys(b"?").contains("  exit"), "the shell's own commands are listed too");
        assert!(talk.keys(b"do show vers?").contains("\r\nversion\r\n"));
        let shown = talk.keys(b"\x15crypto i?");
        assert!(shown.contains("\r\nidentity  ikev2  ipsec  isakmp\r\n"), "{shown}");
        assert!(talk.keys(b"\x15crypto isak\t").ends_with("Hub(config)#crypto isakmp "));
        assert!(talk.keys(b"\x15host Other\x1a").ends_with("Hub#"), "the line counts, and the mode ends");
        assert!(talk.running.contains("hostname Other\n") && talk.running.contains(" description outside\n"));
        assert!(talk.keys(b"conf t\rexit\r").ends_with("Hub#"));
        assert!(talk.keys(b"conf t\rint fa0/0\rend\r").ends_with("Hub#"));
        assert_eq!(talk.left, 3);
        talk.keys(b"disable\rconf t\r");
        assert!(talk.session.configuring.is_none(), "not below privilege 15");
    }

    #[test]
    fn raw_text_is_taken_up_to_its_end() {
        let mut talk = Talk::begin(24, "");
        let shown = talk.keys(b"conf t\rbanner motd #\rWho are you?\rexit\r#\rend\r");
        assert!(shown.contains("Enter TEXT message.  End with the character '#'.\r\n"), "{shown}");
        assert!(talk.running.contains("banner motd #\nWho are you?\nexit\n#\n"), "{}", talk.running);
        assert!(shown.ends_with("Hub#"));
    }

    #[test]
    fn questions_are_answered_in_turn() {
        let mut talk = Talk::begin(24, "gone\n");
        assert!(talk.keys(b"reload\r").ends_with("\r\nSave? [yes/no]: "));
        assert!(talk.keys(b"no\r").ends_with("\r\nProceed with reload? [confirm]"));
        assert!(talk.keys(b"y").ends_with("\r\ngone\r\nHub#"));
        assert_eq!(talk.answers, ["no", "y"]);
        assert!(talk.keys(b"reload\r\x03").ends_with("Hub#"));
        assert!(!talk.keys(b"show history\r").contains("no\r\n"), "an answer is no command");
    }

    #[test]
    fn the_log_does_not_disturb_the_line() {
        let mut talk = Talk::begin(24, "");
        talk.keys(b"show ver");
        let effects = talk.session.monitor("%SYS-5-X: one\ntwo");
        talk.done(effects);
        assert!(talk.screen.ends_with("\r\n%SYS-5-X: one\r\ntwo\r\nHub#show ver"), "{}", talk.screen);
    }

    #[test]
    fn enable_asks_three_times() {
        let mut talk = Talk::begin(24, "");
        talk.session.enable_asks = true;
        talk.keys(b"disable\r");
        assert!(
            talk.keys(b"enable\rright\rshow priv\rdisable\r").contains("Hub#show priv\r\n"),
            "typed ahead"
        );
        let shown = talk.keys(b"enable\rwrong\r");
        assert_eq!(shown, "enable\r\nPassword: \r\nPassword: ", "a password is not shown");
        assert!(talk.keys(b"right\r").ends_with("Hub#"));
        let shown = talk.keys(b"disable\renable\ra\rb\rc\r");
        assert!(shown.ends_with("Password: \r\n% Bad secrets\r\n\r\nHub>"), "{shown}");
        assert!(!talk.keys(b"show history\r").contains("right"));
    }

    #[test]
    fn a_paste_is_taken_line_by_line() {
        let mut talk = Talk::begin(0, "x\n");
        let paste = "show version\n".repeat(500);
        talk.keys(paste.as_bytes());
        assert_eq!(talk.ran.len(), 500);
    }
}
