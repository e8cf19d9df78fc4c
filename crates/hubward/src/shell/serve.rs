//! Runs one session over any transport: the local console and SSH give what was typed and take what is printed.

use super::pager::crlf;
use super::session::{Effect, Job, Session, Terminal};
use crate::configure;
use crate::console_lines::Occupied;
use crate::dataplane::now;
use crate::exec::{Answers, Caller, Desk, Format, answered};
use crate::monitors::Subscription;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// Ctrl-C and Ctrl-^.
const INTERRUPTS: [u8; 2] = [0x03, 0x1e];

/// What comes to a session from its transport.
#[derive(Debug)]
pub(crate) enum Input {
    /// Keystrokes.
    Typed(Vec<u8>),
    /// The window has this size now.
    Window(Terminal),
    /// A message of the log, for `terminal monitor`.
    Log(String),
    /// Nothing more is typed. What was typed is done, as long as somebody takes the output.
    Ended,
    /// The transport is gone.
    Gone,
}

/// What becomes of a password given to `enable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enabled {
    /// It is the one of this level.
    Right,
    /// It is not.
    Wrong,
    /// No password is configured for this level: nobody gets there by this line.
    NotSet,
}

/// Checks a password for a privilege level.
pub(crate) type CheckEnable = Box<dyn Fn(u8, &str) -> Enabled + Send>;

/// Who sits at the line, and what the line is like.
pub(crate) struct Login {
    /// Privilege at the start, 0 to 15.
    pub(crate) privilege: u8,
    /// The line, until the session ends.
    pub(crate) place: Occupied,
    /// How long nobody may type; `None` has no end.
    pub(crate) exec_timeout: Option<Duration>,
    pub(crate) terminal: Terminal,
    /// What `enable` asks; `None` asks nothing.
    pub(crate) enable: Option<CheckEnable>,
}

/// Runs a session on the calling thread until it closes. The transport sends what comes, and in the end
/// [`Input::Ended`] or [`Input::Gone`]; what the log tells comes the same way.
///
/// # Errors
/// The transport takes no more output.
pub(crate) fn serve(
    inputs: &(SyncSender<Input>, Receiver<Input>),
    out: &mut dyn Write,
    login: &Login,
    desk: &Desk,
) -> io::Result<()> {
    let hostname = hostname(desk);
    let mut session = Session::new(&hostname, login.privilege, login.terminal, login.enable.is_some());
    let mut work = Work { inputs, out, login, desk, waiting: VecDeque::new(), watching: None };
    let effects = session.start();
    work.carry_out(&mut session, effects)?;
    let mut typed = Instant::now();
    while !session.is_closed() {
        let input = match work.waiting.pop_front() {
            Some(input) => input,
            None => match work.next(typed) {
                Ok(input) => input,
                Err(_) => {
                    let effects = session.timed_out();
                    return work.carry_out(&mut session, effects);
                }
            },
        };
        match input {
            Input::Ended | Input::Gone => return Ok(()),
            Input::Window(terminal) => session.resize(terminal),
            Input::Log(message) => {
                let effects = session.monitor(&message);
                work.carry_out(&mut session, effects)?;
            }
            Input::Typed(bytes) => {
                let effects = session.bytes(&bytes);
                work.carry_out(&mut session, effects)?;
                typed = Instant::now();
                login.place.touch(now(), session.privilege);
            }
        }
    }
    Ok(())
}

/// The name in the prompt.
fn hostname(desk: &Desk) -> String {
    desk.views.parsed().config.hostname.clone().unwrap_or_else(|| "Router".into())
}

/// A session's world.
struct Work<'a> {
    inputs: &'a (SyncSender<Input>, Receiver<Input>),
    out: &'a mut dyn Write,
    login: &'a Login,
    desk: &'a Desk,
    /// What came while a command ran.
    waiting: VecDeque<Input>,
    /// `terminal monitor`
    watching: Option<Subscription>,
}

impl Work<'_> {
    fn next(&self, typed: Instant) -> Result<Input, RecvTimeoutError> {
        match self.login.exec_timeout {
            None => self.inputs.1.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.inputs.1.recv_timeout(timeout.saturating_sub(typed.elapsed())),
        }
    }

    fn carry_out(&mut self, session: &mut Session, effects: Vec<Effect>) -> io::Result<()> {
        // what an effect leads to is done before what comes behind it
        let mut pending: VecDeque<Effect> = effects.into();
        while let Some(effect) = pending.pop_front() {
            let more = match effect {
                Effect::Write(text) => {
                    self.out.write_all(text.as_bytes())?;
                    self.out.flush()?;
                    continue;
                }
                Effect::Close => return Ok(()),
                Effect::Enable { level, password } => {
                    let check = self.login.enable.as_ref();
                    session.enabled(level, check.map_or(Enabled::Right, |check| check(level, &password.0)))
                }
                Effect::Configure(position, line) => {
                    let outcome = configure::enter(self.desk, &position, &line);
                    session.rename(&hostname(self.desk));
                    session.configured(&line, outcome)
                }
                Effect::LeftConfiguration => {
                    let who = self.desk.views.lines.who(self.login.place.line);
                    tracing::info!("%SYS-5-CONFIG_I: Configured from console by {who}");
                    continue;
                }
                Effect::Monitor(on) => {
                    self.watching = if on { self.watch(session.format)? } else { None };
                    continue;
                }
                Effect::Format(format) => {
                    if let Some(watching) = &self.watching {
                        watching.format(format);
                    }
                    continue;
                }
                Effect::Run(job) => self.run(session, job)?,
            };
            for (index, effect) in more.into_iter().enumerate() {
                pending.insert(index, effect);
            }
        }
        Ok(())
    }

    fn watch(&self, format: Format) -> io::Result<Option<Subscription>> {
        let sender = self.inputs.0.clone();
        let tell = move |message: &str| {
            // a session that is over listens no more
            let _over = sender.send(Input::Log(message.to_string()));
        };
        self.desk.views.monitors.subscribe(self.login.place.line, format, tell).map(Some)
    }

    fn run(&mut self, session: &mut Session, job: Job) -> io::Result<Vec<Effect>> {
        let (privilege, format) = (session.privilege, session.format);
        let caller = Caller { privilege, format, line: Some(self.login.place.line) };
        let desk = self.desk;
        let mut output =
            Output { held: Vec::new(), streams: job.filter.is_none(), interrupted: false, work: self };
        let outcome = answered(&job.line, caller, &Answers::of(&job.answers), desk, &mut output);
        let (held, interrupted) = (std::mem::take(&mut output.held), output.interrupted);
        let text = String::from_utf8_lossy(&held);
        let text = job.filter.as_ref().map_or_else(|| text.to_string(), |filter| filter.apply(&text));
        session.rename(&hostname(desk));
        match outcome {
            Ok(outcome) => Ok(session.reply(job, outcome.map(|()| text.as_str()))),
            Err(_) if interrupted => Ok(session.interrupted(&text)),
            Err(error) => Err(error),
        }
    }
}

/// Where a command writes. What it flushes is printed at once, unless a filter has to see all of it; what it keeps goes through the
/// pager when it is done.
struct Output<'o, 'w> {
    held: Vec<u8>,
    streams: bool,
    /// Ctrl-C was typed.
    interrupted: bool,
    work: &'o mut Work<'w>,
}

impl Write for Output<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        while let Ok(input) = self.work.inputs.1.try_recv() {
            match &input {
                Input::Typed(bytes) if bytes.iter().any(|byte| INTERRUPTS.contains(byte)) => {
                    // what was typed ahead is forgotten, as on IOS
                    self.work.waiting.clear();
                    self.interrupted = true;
                    return Err(io::Error::other("interrupted"));
                }
                Input::Gone => return Err(io::ErrorKind::BrokenPipe.into()),
                Input::Typed(_) | Input::Window(_) | Input::Log(_) | Input::Ended => {
                    self.work.waiting.push_back(input)
                }
            }
        }
        if self.streams {
            let mut printed = String::new();
            crlf(&String::from_utf8_lossy(&self.held), &mut printed);
            self.held.clear();
            self.work.out.write_all(printed.as_bytes())?;
            self.work.out.flush()?;
        }
        Ok(())
    }
}
