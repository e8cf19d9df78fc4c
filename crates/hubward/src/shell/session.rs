//! One user's session: what was typed so far, with which privilege, on what terminal. Bytes in,
//! effects out; no I/O.

use super::editor::{Asked, Echo, Editor, Flaw};
use super::filter::{self, Filter};
use super::key::{Key, Keys};
use super::pager::{Page, Pager, crlf};
use super::wrap::wrapped;
use crate::base::format::Format;
use crate::manage::desk::{PRIVILEGED, Question, Refusal};
use crate::shell::enabled::Enabled;
use crate::shell::forms::{Local, configuration_forms, forms, own};
use hubward_config::automaton::{self, Matched, Outcome};
use hubward_config::edit::{Position, RawEnd};
use hubward_config::form::words;
use hubward_config::help;
use std::collections::VecDeque;

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
    /// Enter a line in a mode of the configuration; what comes of it goes to
    /// [`Session::configured`].
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
    /// Raw text is typed, after the command it belongs to.
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

impl Session {
    /// A session of a user with a privilege.
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
        if self.ahead.len() + bytes.len() > AHEAD {
            return self.overrun();
        }
        self.ahead.extend(bytes);
        self.work(&mut work);
        work.effects()
    }

    /// A command ended, or asks something.
    pub(crate) fn reply(&mut self, job: Job, outcome: Result<&str, Refusal>) -> Vec<Effect> {
        let mut work = Work::default();
        match outcome {
            // sentences, which have no columns to keep
            Ok(text) if is_prose(&job, text) => self.print(&wrapped(text, self.terminal.width), &mut work),
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

    /// Ctrl-C ended a command; what it printed after its last flush.
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

    /// More was typed ahead than can wait: what is lost may be in the middle of a line, and nobody
    /// knows what the rest would do. The session ends.
    pub(crate) fn overrun(&mut self) -> Vec<Effect> {
        let mut work = Work::default();
        let told = "\n% More was typed ahead than can wait; the rest is not obeyed, and the session ends\n";
        crlf(told, &mut work.out);
        self.leave_configuration(&mut work);
        self.state = State::Closed;
        self.ahead.clear();
        work.effect(Effect::Close);
        work.effects()
    }

    /// Nobody typed for as long as the line allows.
    pub(crate) fn timed_out(&mut self) -> Vec<Effect> {
        self.state = State::Closed;
        vec![Effect::Write("\r\n".into()), Effect::Close]
    }

    /// Whether output continues without a stop: `terminal length 0`.
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
            let key = self.keys.byte(byte);
            if self.keys.take_broken() && !matches!(self.state, State::Paging(_)) {
                self.editor.spoil(Flaw::NotText, &mut work.out);
            }
            if let Some(key) = key {
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
                    Asked::Refused { why, .. } => self.spoilt(why, work),
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
                    Asked::Refused { why, .. } => self.spoilt(why, work),
                    _ => self.state = State::Asking { job, key: asks_key },
                };
            }
            State::Raw { end, text } => {
                return match self.editor.key(key, &mut work.out) {
                    Asked::Line(line) => self.raw_line(end, text, &line, work),
                    Asked::Refused { line, leave: false, .. } => self.raw_refused(end, &line, work),
                    Asked::Refused { why, .. } => self.spoilt(why, work),
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
            Asked::Refused { line, why, leave } => {
                // what follows a line that opens a mode or a text belongs to it, and is refused too
                let text = RawEnd::of(line.trim()).filter(|_| self.configuring.is_some() && !leave);
                self.configuring = self.configuring.take().map(|position| position.after_refused(&line));
                if leave {
                    self.leave_configuration(work);
                }
                match text {
                    Some(end) => self.raw_refused(end, "", work),
                    None => self.spoilt(why, work),
                }
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
            (Some(position), None) => position.choices(&configuration_forms(), before),
            (_, command) => help::choices(&forms(self.privilege), command.unwrap_or(before)),
        }
    }

    fn completed(&self, line: &str) -> Option<String> {
        match (&self.configuring, line.trim_start().strip_prefix("do ")) {
            (Some(position), None) => position.complete(&configuration_forms(), line),
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

    /// The session's own command that a line is, among all commands. A line that begins like one
    /// and has an error after that is refused here, because only this place knows the position.
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

    /// From now on, another privilege. Configuration mode is not for everybody: `do disable` leaves
    /// it.
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

    /// Tells why a line was not taken as it was typed, and asks for the next.
    fn spoilt(&mut self, why: Flaw, work: &mut Work) {
        self.wrong("", &Refusal::Failed(why.to_string()), work);
    }

    /// Tells why a line is refused, and asks for the next.
    pub(super) fn wrong(&mut self, line: &str, refusal: &Refusal, work: &mut Work) {
        self.tell(line, refusal, work);
        self.prompt("", work);
    }

    /// The error texts of IOS; the caret is under the first wrong character, the prompt counted.
    pub(super) fn tell(&self, line: &str, refusal: &Refusal, work: &mut Work) {
        if let Refusal::Invalid(place) = refusal {
            let before = line.get(..*place).map_or(0, |before| before.chars().count());
            let column = self.prompt_text().chars().count() + before;
            crlf(&format!("{:>1$}\n", "^", column + 1), &mut work.out);
        }
        crlf(&format!("{refusal}\n"), &mut work.out);
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

/// What `?` shows: the words that may come next, with their help; within a word, only what it may
/// become.
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

/// Whether a command prints sentences, for a person.
fn is_prose(job: &Job, text: &str) -> bool {
    let first = job.line.split_whitespace().next();
    first.is_some_and(|word| word.len() > 1 && "why".starts_with(word))
        && job.filter.is_none()
        && !text.starts_with('[')
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
#[path = "session_tests.rs"]
mod tests;
