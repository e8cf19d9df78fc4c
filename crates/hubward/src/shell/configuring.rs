//! A session in configuration mode: each line goes to the configuration at once, by the road of a
//! file.

use super::editor::Echo;
use super::pager::crlf;
use super::session::{Effect, Session, State, Work};
use crate::manage::configure::Entered;
use crate::manage::desk::Refusal;
use hubward_config::edit::RawEnd;

/// Bytes of a raw text.
const RAW: usize = 64 * 1024;

impl Session {
    /// A line was entered in configuration mode.
    pub(super) fn configuration_line(&mut self, line: &str, work: &mut Work) {
        let Some(position) = &mut self.configuring else { return self.prompt("", work) };
        let (first, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match (first.to_ascii_lowercase().as_str(), rest.trim()) {
            ("end", "") => {
                self.leave_configuration(work);
                self.prompt("", work);
            }
            ("exit" | "exi" | "ex", "") => {
                match position.is_global() {
                    true => self.leave_configuration(work),
                    false => position.leave(),
                }
                self.prompt("", work);
            }
            ("do", "") => self.wrong(line, &Refusal::Incomplete, work),
            ("do", command) => {
                // the caret under a wrong word counts what precedes it
                let before = line.len() - line.trim_start().len() + line.trim().len() - command.len();
                self.exec_line(&format!("{}{command}", " ".repeat(before)), work);
            }
            _ => match RawEnd::of(line.trim()) {
                Some(end) => {
                    let told = match &end {
                        RawEnd::Contains(end) => {
                            format!("Enter TEXT message.  End with the character '{end}'.\n")
                        }
                        RawEnd::Line(_) | RawEnd::Leave => String::new(),
                    };
                    crlf(&told, &mut work.out);
                    self.raw(end, line.to_string(), work);
                }
                None => self.configure(line.to_string(), work),
            },
        }
    }

    fn raw(&mut self, end: RawEnd, text: String, work: &mut Work) {
        self.editor.begin("", Echo::Text, "", &mut work.out);
        self.state = State::Raw { end, text };
    }

    /// One more line of a raw text.
    pub(super) fn raw_line(&mut self, end: RawEnd, mut text: String, line: &str, work: &mut Work) {
        // a text that is too long is read to its end: its lines are not commands
        if text.len() <= RAW {
            text.push('\n');
            text.push_str(line);
        }
        match end.is(line) {
            true if text.len() > RAW => {
                self.print("% The text, or a line of it, is too long, or it has control characters\n", work);
            }
            true => self.configure(text, work),
            false => self.raw(end, text, work),
        }
    }

    /// A line of a raw text was not taken as it was typed: the text is read to its end, and
    /// refused.
    pub(super) fn raw_refused(&mut self, end: RawEnd, line: &str, work: &mut Work) {
        self.raw_line(end, " ".repeat(RAW + 1), line, work);
    }

    fn configure(&mut self, line: String, work: &mut Work) {
        let position = self.configuring.clone().unwrap_or_default();
        if let Some(why) = position.belongs_to_refused(&line) {
            return self.wrong(&line, &Refusal::Failed(why), work);
        }
        if let Some(why) = position.rebuilds_refused(&line) {
            self.configuring = Some(position.after_refused(&line));
            return self.wrong(&line, &Refusal::Failed(why), work);
        }
        self.state = State::Running;
        work.effect(Effect::Configure(position, line));
    }

    /// What came of a line: the mode of the next, or why it is refused.
    pub(crate) fn configured(&mut self, line: &str, outcome: Result<Entered, Refusal>) -> Vec<Effect> {
        let mut work = Work::default();
        match outcome {
            Ok(entered) => {
                self.configuring = Some(entered.position);
                crlf(&entered.told, &mut work.out);
                self.prompt("", &mut work);
            }
            Err(refusal) => {
                self.tell(line.lines().next().unwrap_or_default(), &refusal, &mut work);
                self.configuring = self.configuring.take().map(|position| position.after_refused(line));
                self.prompt("", &mut work);
            }
        }
        self.work(&mut work);
        work.effects()
    }

    /// Back to exec mode, if it was left.
    pub(super) fn leave_configuration(&mut self, work: &mut Work) {
        if self.configuring.take().is_some() {
            work.effect(Effect::LeftConfiguration);
        }
    }
}
