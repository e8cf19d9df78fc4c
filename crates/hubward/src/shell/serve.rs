//! Runs one session over any transport: the local console and SSH give what was typed and take what
//! is printed.

use super::filter::Filtering;
use super::pager::crlf;
use super::session::{Effect, Job, Session, Terminal};
use crate::base::clock::now;
use crate::base::console_lines::Occupied;
use crate::base::format::Format;
use crate::exec::answered;
use crate::exec::command::Caller;
use crate::log::monitors::Subscription;
use crate::manage::configure;
use crate::manage::desk::{Answers, Desk};
use crate::shell::enabled::Enabled;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// Ctrl-C and Ctrl-^.
const INTERRUPTS: [u8; 2] = [0x03, 0x1e];
/// How long a wrong password of `enable` takes.
const WRONG: Duration = Duration::from_secs(1);
/// Bytes that may be typed while a command runs.
const AHEAD: usize = 256 * 1024;
/// Bytes of an output that are printed at a time without a pager.
const CHUNK: usize = 16 * 1024;

/// What comes to a session from its transport.
#[derive(Debug)]
pub(crate) enum Input {
    /// Keystrokes.
    Typed(Vec<u8>),
    /// The window has this size now.
    Window(Terminal),
    /// A message of the log, for `terminal monitor`.
    Log(String),
    /// The end of the input. What was typed is run, as long as the output is read.
    Ended,
    /// The transport is gone.
    Gone,
}

/// Checks a password for a privilege level.
pub(crate) type CheckEnable = Box<dyn Fn(u8, &str) -> Enabled + Send>;

/// Who sits at the line, and what the line is like.
pub(crate) struct Login {
    /// Privilege at the start, 0 to 15.
    pub(crate) privilege: u8,
    /// The line, until the session ends.
    pub(crate) place: Occupied,
    /// How long a session may be idle; `None` is for ever.
    pub(crate) exec_timeout: Option<Duration>,
    pub(crate) terminal: Terminal,
    /// What `enable` asks; `None` asks nothing.
    pub(crate) enable: Option<CheckEnable>,
}

/// Runs a session on the calling thread until it closes. The transport sends the input, and finally
/// [`Input::Ended`] or [`Input::Gone`]; log lines arrive the same way.
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
    let mut work = Work {
        inputs,
        out,
        login,
        desk,
        waiting: VecDeque::new(),
        typed_ahead: 0,
        overrun: false,
        watching: None,
    };
    let served = work.talk(&mut session);
    // a user who is gone in the middle of configuration mode has changed the configuration as well
    if session.is_configuring() {
        work.tell_configured();
    }
    served
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
    /// Bytes of it that were typed.
    typed_ahead: usize,
    /// More was typed than can wait.
    overrun: bool,
    /// `terminal monitor`
    watching: Option<Subscription>,
}

impl Work<'_> {
    /// Until the session ends.
    fn talk(&mut self, session: &mut Session) -> io::Result<()> {
        let effects = session.start();
        self.carry_out(session, effects)?;
        let mut typed = Instant::now();
        while !session.is_closed() {
            let input = match self.waiting.pop_front() {
                Some(input) => input,
                None => match self.next(typed) {
                    Ok(input) => input,
                    Err(_) => {
                        let effects = session.timed_out();
                        return self.carry_out(session, effects);
                    }
                },
            };
            match input {
                Input::Ended | Input::Gone => return Ok(()),
                Input::Window(terminal) => session.resize(terminal),
                Input::Log(message) => {
                    let effects = session.monitor(&message);
                    self.carry_out(session, effects)?;
                }
                Input::Typed(bytes) => {
                    self.typed_ahead = self.typed_ahead.saturating_sub(bytes.len());
                    let effects = session.bytes(&bytes);
                    self.carry_out(session, effects)?;
                    typed = Instant::now();
                    self.login.place.touch(now(), session.privilege);
                }
            }
        }
        Ok(())
    }

    /// The log says who has configured.
    fn tell_configured(&self) {
        configure::tell_configured(self.desk, Some(self.login.place.line));
    }

    fn next(&self, typed: Instant) -> Result<Input, RecvTimeoutError> {
        match self.login.exec_timeout {
            None => self.inputs.1.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.inputs.1.recv_timeout(timeout.saturating_sub(typed.elapsed())),
        }
    }

    fn carry_out(&mut self, session: &mut Session, effects: Vec<Effect>) -> io::Result<()> {
        // the consequences of an effect come before the effects after it
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
                    let outcome = check.map_or(Enabled::Right, |check| check(level, &password.0));
                    if outcome == Enabled::Wrong {
                        let who = self.desk.views.lines.who(self.login.place.line);
                        tracing::warn!(
                            "%SYS-5-PRIV_AUTH_FAIL: Authentication to privilege level {level} failed by {who}"
                        );
                        // repeated attempts are delayed
                        std::thread::sleep(WRONG);
                    }
                    session.enabled(level, outcome)
                }
                Effect::Configure(position, line) => {
                    // the line that ends the record is recorded as well
                    let recorded = configure::is_recorded(self.desk);
                    let outcome = configure::enter(self.desk, &position, &line);
                    if let Ok(entered) = &outcome
                        && (recorded || configure::is_recorded(self.desk))
                    {
                        configure::tell_typed(self.desk, self.login.place.line, &entered.public);
                    }
                    session.rename(&hostname(self.desk));
                    session.configured(&line, outcome)
                }
                Effect::LeftConfiguration => {
                    self.tell_configured();
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
        let mut output = Output {
            held: Vec::new(),
            filtering: job.filter.as_ref().map(Filtering::new),
            unpaged: session.is_unpaged(),
            interrupted: false,
            work: self,
        };
        let outcome = answered(&job.line, caller, &Answers::of(&job.answers), desk, &mut output);
        let (mut held, interrupted) = (std::mem::take(&mut output.held), output.interrupted);
        if let (Ok(Ok(())), Some(filtering)) = (&outcome, output.filtering.take()) {
            filtering.finish(&mut held)?;
        }
        let text = String::from_utf8(held)
            .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned());
        session.rename(&hostname(desk));
        if std::mem::take(&mut self.overrun) {
            let mut printed = String::new();
            crlf(&text, &mut printed);
            self.out.write_all(printed.as_bytes())?;
            return Ok(session.overrun());
        }
        match outcome {
            Ok(outcome) => Ok(session.reply(job, outcome.map(|()| text.as_str()))),
            Err(_) if interrupted => Ok(session.interrupted(&text)),
            Err(error) => Err(error),
        }
    }

    /// Handles input while a command runs: keystrokes wait for its end, log lines are printed at
    /// once, and a request to end the command is followed.
    fn listen(&mut self) -> Result<(), Ending> {
        while let Ok(input) = self.inputs.1.try_recv() {
            match input {
                Input::Typed(mut bytes) if bytes.iter().any(|byte| INTERRUPTS.contains(byte)) => {
                    // what was typed ahead is forgotten, as on IOS, and what comes after it counts
                    self.waiting.retain(|input| !matches!(input, Input::Typed(_)));
                    let last = bytes.iter().rposition(|byte| INTERRUPTS.contains(byte));
                    bytes.drain(..last.map_or(0, |last| last + 1));
                    self.typed_ahead = bytes.len();
                    self.overrun = false;
                    if !bytes.is_empty() {
                        self.waiting.push_back(Input::Typed(bytes));
                    }
                    return Err(Ending::Interrupted);
                }
                Input::Typed(bytes) if self.overrun || self.typed_ahead + bytes.len() > AHEAD => {
                    // as much as a paste needs; of one that is longer, nothing after the gap may be
                    // obeyed
                    self.overrun = true;
                    self.out.write_all(b"\x07").map_err(Ending::Broken)?;
                }
                Input::Typed(bytes) => {
                    self.typed_ahead += bytes.len();
                    self.waiting.push_back(Input::Typed(bytes));
                }
                Input::Log(message) => {
                    let mut printed = String::new();
                    crlf(&format!("\n{message}\n"), &mut printed);
                    self.out.write_all(printed.as_bytes()).map_err(Ending::Broken)?;
                }
                Input::Gone => return Err(Ending::Broken(io::ErrorKind::BrokenPipe.into())),
                Input::Window(_) => {
                    // only the last size counts
                    self.waiting.retain(|input| !matches!(input, Input::Window(_)));
                    self.waiting.push_back(input);
                }
                Input::Ended => self.waiting.push_back(input),
            }
        }
        Ok(())
    }
}

/// Why a command does not continue.
#[derive(Debug)]
enum Ending {
    /// Ctrl-C.
    Interrupted,
    /// The terminal takes nothing more.
    Broken(io::Error),
}

/// Where a command writes. What it flushes is printed at once; what it keeps goes through the pager
/// when it is done. Without a pager, a long output is printed as it is written.
struct Output<'o, 'w> {
    held: Vec<u8>,
    filtering: Option<Filtering<'o>>,
    unpaged: bool,
    /// Ctrl-C was typed.
    interrupted: bool,
    work: &'o mut Work<'w>,
}

impl Output<'_, '_> {
    fn listen(&mut self) -> io::Result<()> {
        self.work.listen().map_err(|ending| match ending {
            Ending::Interrupted => {
                self.interrupted = true;
                io::Error::other("interrupted")
            }
            Ending::Broken(error) => error,
        })
    }

    /// Prints this many bytes from the beginning of the buffer.
    fn print(&mut self, count: usize) -> io::Result<()> {
        let mut printed = String::new();
        crlf(&String::from_utf8_lossy(self.held.get(..count).unwrap_or_default()), &mut printed);
        self.held.drain(..count.min(self.held.len()));
        self.work.out.write_all(printed.as_bytes())?;
        self.work.out.flush()
    }
}

impl Write for Output<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.filtering {
            Some(filtering) => filtering.write(bytes, &mut self.held)?,
            None => self.held.extend_from_slice(bytes),
        }
        if self.unpaged && self.held.len() >= CHUNK {
            self.listen()?;
            // whole lines: nothing is cut in two
            let lines = self.held.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            self.print(lines)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.listen()?;
        match self.filtering {
            Some(_) => Ok(()),
            None => self.print(self.held.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::console_lines::LineName;
    use std::sync::mpsc::sync_channel;

    fn login(desk: &Desk, length: usize) -> Login {
        let place = desk.views.lines.enter([LineName::Console(0)], "", "", 15, now()).unwrap();
        let terminal = Terminal { length, width: 80 };
        Login { privilege: 15, place, exec_timeout: None, terminal, enable: None }
    }

    /// What is typed and logged while a command runs takes no more than so much memory, and Ctrl-C
    /// is still heard.
    #[test]
    fn a_command_that_goes_on_and_on_collects_nothing() {
        let desk = crate::views::tests::desk();
        let login = login(&desk, 24);
        let inputs = sync_channel(2000);
        let mut printed = Vec::new();
        let mut work = Work {
            inputs: &inputs,
            out: &mut printed,
            login: &login,
            desk: &desk,
            waiting: VecDeque::new(),
            typed_ahead: 0,
            overrun: false,
            watching: None,
        };
        let mut output =
            Output { held: Vec::new(), filtering: None, unpaged: false, interrupted: false, work: &mut work };
        for _ in 0..1000 {
            inputs.0.send(Input::Typed(vec![b'x'; 4096])).unwrap();
            inputs.0.send(Input::Log("%SYS-5-X: line".into())).unwrap();
            inputs.0.send(Input::Window(Terminal { length: 24, width: 80 })).unwrap();
            output.write_all(b"!").unwrap();
            output.flush().unwrap();
        }
        let waiting: usize = output
            .work
            .waiting
            .iter()
            .map(|input| match input {
                Input::Typed(bytes) => bytes.len(),
                _ => 1,
            })
            .sum();
        assert!(waiting <= AHEAD + 1, "{waiting} bytes wait");
        inputs.0.send(Input::Typed(vec![0x03])).unwrap();
        assert!(output.flush().is_err());
        assert!(output.interrupted);
        assert!(!output.work.waiting.iter().any(|input| matches!(input, Input::Typed(_))));
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(printed.matches("\r\n%SYS-5-X: line\r\n").count(), 1000, "the log is told meanwhile");
    }

    /// A paste that is longer than what can wait: nothing behind the gap is obeyed, because a piece
    /// of a line may be another command.
    #[test]
    fn a_paste_with_a_gap_ends_the_session() {
        let desk = crate::views::tests::desk();
        let login = login(&desk, 24);
        let inputs = sync_channel(2000);
        inputs.0.send(Input::Typed(b"ping 127.0.0.1 repeat 3 timeout 1\r".to_vec())).unwrap();
        for _ in 0..(AHEAD / 4096 + 9) {
            inputs.0.send(Input::Typed(b"show privilege\r".repeat(273))).unwrap();
        }
        inputs.0.send(Input::Typed(b"x\rshow users\r".to_vec())).unwrap();
        inputs.0.send(Input::Ended).unwrap();
        let mut printed = Vec::new();
        serve(&inputs, &mut printed, &login, &desk).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.ends_with("is not obeyed, and the session ends\r\n"), "{printed}");
        assert!(!printed.contains("show users") && printed.contains("Success rate"), "{printed}");
    }

    /// Ctrl-C in a piece: what follows it is a line of its own.
    #[test]
    fn what_follows_an_interrupt_is_obeyed_whole() {
        let desk = crate::views::tests::desk();
        let login = login(&desk, 24);
        let inputs = sync_channel(20);
        inputs.0.send(Input::Typed(b"ping 127.0.0.1 repeat 900 timeout 1\r".to_vec())).unwrap();
        inputs.0.send(Input::Typed(b"show us\x03show privilege\r".to_vec())).unwrap();
        inputs.0.send(Input::Ended).unwrap();
        let mut printed = Vec::new();
        serve(&inputs, &mut printed, &login, &desk).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("#show privilege\r\nCurrent privilege level is 15\r\n"), "{printed}");
    }

    /// Without a pager a long output goes to the terminal as it is made, filtered or not, and
    /// Ctrl-C ends it.
    #[test]
    fn a_long_output_is_not_collected() {
        let desk = crate::views::tests::desk();
        let login = login(&desk, 0);
        let inputs = sync_channel(2);
        let filter = super::super::filter::command("x | include a").unwrap().1;
        for filter in [None, filter.as_ref()] {
            let mut printed = Vec::new();
            let mut work = Work {
                inputs: &inputs,
                out: &mut printed,
                login: &login,
                desk: &desk,
                waiting: VecDeque::new(),
                typed_ahead: 0,
                overrun: false,
                watching: None,
            };
            let filtering = filter.map(Filtering::new);
            let mut output =
                Output { held: Vec::new(), filtering, unpaged: true, interrupted: false, work: &mut work };
            for number in 0..100_000 {
                writeln!(output, "a line {number}").unwrap();
                assert!(output.held.len() < 2 * CHUNK, "{} bytes are held", output.held.len());
            }
            inputs.0.send(Input::Typed(b"\x03".to_vec())).unwrap();
            let told = (0..10_000).find(|_| writeln!(output, "a line more").is_err());
            assert!(told.is_some() && output.interrupted);
            let printed = String::from_utf8(printed).unwrap();
            let lines: Vec<_> = printed.split_terminator("\r\n").take(100_000).collect();
            assert!(lines.iter().enumerate().all(|(number, line)| *line == format!("a line {number}")));
        }
    }

    /// Guessing the password of `enable` takes its time.
    #[test]
    fn a_wrong_enable_password_takes_its_time() {
        let desk = crate::views::tests::desk();
        let mut login = login(&desk, 0);
        login.privilege = 1;
        let right = |_: u8, given: &str| if given == "right" { Enabled::Right } else { Enabled::Wrong };
        login.enable = Some(Box::new(right));
        let inputs = sync_channel(4);
        inputs.0.send(Input::Typed(b"enable\nguess\nright\nshow privilege\n".to_vec())).unwrap();
        inputs.0.send(Input::Ended).unwrap();
        let mut printed = Vec::new();
        let begun = Instant::now();
        serve(&inputs, &mut printed, &login, &desk).unwrap();
        assert!(begun.elapsed() >= WRONG);
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("Current privilege level is 15") && !printed.contains("guess"), "{printed}");
    }
}
