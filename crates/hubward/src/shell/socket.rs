//! The local control socket: a few lines in, their output back. `terminal show-format classic`
//! applies to the lines after it.

use crate::base::clock::now;
use crate::base::console_lines::LineName;
use crate::base::format::Format;
use crate::base::program;
use crate::dataplane;
use crate::exec::command::Caller;
use crate::exec::run;
use crate::manage::desk::{Desk, Outcome, PRIVILEGED, Refusal};
use crate::shell::console::{self, HELLO};
use crate::shell::filter::{self, Filtering};
use crate::shell::line;
use crate::supervise::{self, BEAT, Heart, Supervisor};
use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags};
use std::io::{BufWriter, Read as _, Write};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Ends an answer: what comes without it was cut off.
const END: u8 = 0;
/// Commands at a time.
const AT_ONCE: usize = 128;
/// Bytes of a command's stack: outputs are written as they are made.
const STACK: usize = 512 * 1024;
/// How long a reader may leave its output waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the socket: mode 0600, each connection on a thread of its own.
pub(crate) fn serve(supervisor: &Arc<Supervisor>, path: &Path, desk: Desk) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| anyhow::anyhow!(program::no_folder(folder, &error)))?;
    }
    // a socket that is still served belongs to another gateway
    if UnixStream::connect(path).is_ok() {
        anyhow::bail!("another Hubward answers at {}", path.display());
    }
    remove_socket(path)?;
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen at {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    supervisor.spawn("exec", move |heart| accept(heart, &listener, &desk))?;
    Ok(())
}

/// Takes connections for ever.
fn accept(heart: &Heart, listener: &UnixListener, desk: &Desk) {
    let running = Arc::new(AtomicUsize::new(0));
    loop {
        heart.beat();
        crate::base::wait::wait(&mut [PollFd::new(listener, PollFlags::IN)], dataplane::WAIT);
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => {
                // a descriptor too many: the next one may find a place again
                heart.sleep(BEAT);
                continue;
            }
        };
        if running.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
            running.fetch_sub(1, Ordering::Relaxed);
            let _gone = stream.write_all(b"% Too many commands at once\n\0");
            continue;
        }
        let (desk, counted) = (desk.clone(), Arc::clone(&running));
        let started = std::thread::Builder::new().name("command".into()).stack_size(STACK).spawn(move || {
            if let Some(Err(error)) = supervise::guarded("command", || answer(stream, &desk)) {
                tracing::debug!("a command was not answered: {error:#}");
            }
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Removes what a killed gateway left; anything but a socket is another program's file.
fn remove_socket(path: &Path) -> anyhow::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(_) => anyhow::bail!("{} exists and is not a socket; give another --socket", path.display()),
        Err(_) => Ok(()),
    }
}

/// What comes over a connection: at most one byte more than may be obeyed.
fn said(first: [u8; 1], stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut said = first.to_vec();
    stream.take(line::BYTES as u64).read_to_end(&mut said)?;
    Ok(said)
}

fn answer(mut stream: UnixStream, desk: &Desk) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut first = [0];
    if stream.read(&mut first)? == 1 && first == [HELLO] {
        return console::serve(stream, desk);
    }
    let said = said(first, &mut stream)?;
    let lines = match line::lines(&said) {
        Ok(lines) => lines,
        Err(unfit) => {
            stream.write_all(unfit.to_string().as_bytes())?;
            stream.write_all(&[END])?;
            anyhow::bail!("commands that are none: {}", unfit.to_string().trim_end());
        }
    };
    let last = u16::try_from(AT_ONCE).unwrap_or(u16::MAX);
    let place = desk.views.lines.enter((0..=last).map(LineName::Console), "", "", PRIVILEGED, now());
    let at = place.as_ref().map(|place| place.line);
    let mut caller = Caller { privilege: PRIVILEGED, format: Format::Modern, line: at };
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        match line {
            "terminal show-format classic" => caller.format = Format::Classic,
            "terminal show-format modern" => caller.format = Format::Modern,
            _ => {
                let mut out = BufWriter::new(&stream);
                let outcome = filtered(line, caller, desk, &mut out)?;
                out.flush()?;
                drop(out);
                if let Err(refusal) = outcome {
                    stream.write_all(told(&refusal, line).as_bytes())?;
                    break;
                }
            }
        }
    }
    stream.write_all(&[END])?;
    Ok(())
}

/// The message of a refused line. No prompt precedes it, so the line is printed above the sign at
/// the wrong word.
pub(crate) fn told(refusal: &Refusal, line: &str) -> String {
    match refusal {
        Refusal::Invalid(place) => {
            let blanks = line.get(..*place).unwrap_or(line).chars().count();
            format!("{line}\n{:blanks$}^\n{refusal}", "")
        }
        _ => refusal.to_string(),
    }
}

/// Whether an answer is the refusal of a line.
pub(crate) fn is_refusal(text: &str, line: &str) -> bool {
    let pointed = text.strip_prefix(line).and_then(|rest| rest.strip_prefix('\n'));
    text.starts_with('%') || pointed.is_some_and(|rest| rest.trim_start_matches(' ').starts_with("^\n%"))
}

/// Runs a command, with the output filter after it.
pub(crate) fn filtered(line: &str, caller: Caller, desk: &Desk, out: &mut dyn Write) -> Outcome {
    let (command, filter) = match filter::command(line) {
        Ok((command, Some(filter))) => (command, filter),
        Ok((command, None)) => return run(command, caller, desk, out),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut through = Through { filtering: Filtering::new(&filter), out };
    let outcome = run(command, caller, desk, &mut through)?;
    if outcome.is_ok() {
        through.filtering.finish(through.out)?;
    }
    Ok(outcome)
}

/// A filtered output.
struct Through<'a> {
    filtering: Filtering<'a>,
    out: &'a mut dyn Write,
}

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.filtering.write(bytes, self.out)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// `hubward exec LINE`: asks the running gateway.
pub(crate) fn ask(path: &Path, format: Format, line: &str) -> anyhow::Result<String> {
    let mut stream = program::connect(path)?;
    let classic = if format == Format::Classic { "terminal show-format classic\n" } else { "" };
    let mut text = Vec::new();
    let talked = stream
        .write_all([classic, line].concat().as_bytes())
        .and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    // a gateway that refuses the connection answers and hangs up without listening: its word
    // counts, not the broken pipe
    let talked = stream.read_to_end(&mut text).and(talked);
    if text.pop() != Some(END) {
        talked?;
        anyhow::bail!("the gateway at {} did not finish its answer", path.display());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks over a connection as `hubward exec` does, without its limits.
    fn answered(said: &[u8]) -> String {
        let (mut client, server) = UnixStream::pair().unwrap();
        let gateway = std::thread::spawn(move || answer(server, &crate::views::tests::desk()));
        client.write_all(said).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        // a gateway that refuses does not read the rest
        let _reset = client.read_to_string(&mut text);
        let _refused = gateway.join().unwrap();
        text.trim_end_matches('\0').to_string()
    }

    /// As many bytes as a connection may bring, and one more: then nothing is obeyed, whatever
    /// stands in front.
    #[test]
    fn a_command_that_is_too_long_is_refused_as_a_whole() {
        let command = "show privilege\n";
        let text = |bytes: usize| format!("{command}{}", " ".repeat(bytes - command.len()));
        assert_eq!(answered(text(line::BYTES).as_bytes()), "Current privilege level is 15\n");
        for bytes in [line::BYTES + 1, line::BYTES + 2, 3 * line::BYTES] {
            let refused = answered(text(bytes).as_bytes());
            assert!(refused.starts_with("% That is longer than 4096 bytes; nothing"), "{bytes}: {refused}");
        }
    }

    /// A control character in a later line: the lines before it are not obeyed either.
    #[test]
    fn lines_with_control_characters_are_refused_together() {
        for said in [&b"show privilege\nshow\0 clock"[..], b"show privilege\n\xff", b"show privilege\x08"] {
            let refused = answered(said);
            assert!(refused.starts_with("% That has control characters"), "{said:?}: {refused}");
            assert!(is_refusal(&refused, ""), "{refused}");
        }
    }

    /// `hubward exec` said that there was a sign, and showed none.
    #[test]
    fn the_sign_stands_below_the_wrong_word_and_the_status_knows_it() {
        let line = "show ip rout x";
        let text = told(&Refusal::Invalid(13), line);
        assert_eq!(text, "show ip rout x\n             ^\n% Invalid input detected at '^' marker.\n");
        assert!(is_refusal(&text, line) && is_refusal("% Incomplete command.\n", line));
        assert!(!is_refusal("show ip rout x\n", line) && !is_refusal("a\n ^\n% b\n", line));
    }

    /// Nobody but its user gets at the socket, and nothing else that stands there is removed for it,
    /// not even by a link.
    #[test]
    fn the_socket_is_for_its_user_alone_and_takes_the_place_of_no_file() {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let (path, file, link) =
            (folder.path().join("new/control.sock"), folder.path().join("file"), folder.path().join("link"));
        let supervisor = Supervisor::new();
        let serve = |path: &Path| serve(&supervisor, path, crate::views::tests::desk());
        serve(&path).unwrap();
        let socket = std::fs::symlink_metadata(&path).unwrap();
        assert!(socket.file_type().is_socket());
        assert_eq!(socket.permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "kept").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for taken in [&file, &link] {
            assert!(serve(taken).is_err(), "{}", taken.display());
            assert_eq!(std::fs::read_to_string(taken).unwrap(), "kept");
        }
    }

    /// As many commands at a time as there may be, and one more, which is refused; when one ends
    /// there is room again.
    #[test]
    fn commands_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let supervisor = Supervisor::new();
        serve(&supervisor, &path, crate::views::tests::desk()).unwrap();
        let mut open: Vec<_> = (0..AT_ONCE).map(|_| UnixStream::connect(&path).unwrap()).collect();
        let refused = ask(&path, Format::Modern, "show privilege").unwrap();
        assert_eq!(refused, "% Too many commands at once\n");
        open.pop();
        // a place is free a moment after its command has answered
        let when_free = |format, lines| {
            let mut tries = (0..250).map(|_| {
                std::thread::sleep(Duration::from_millis(20));
                ask(&path, format, lines).unwrap()
            });
            tries.find(|text| *text != refused).expect("there is no room though a command ended")
        };
        assert_eq!(when_free(Format::Modern, "show privilege"), "Current privilege level is 15\n");
        let both = when_free(Format::Classic, "show privilege\nshow nothing\nshow privilege");
        let at = "% Invalid input detected at '^' marker.\n";
        assert_eq!(both, format!("Current privilege level is 15\nshow nothing\n     ^\n{at}"));
        let filtered = "show privilege | exclude level\nshow privilege | count 15\nshow privilege | x";
        assert_eq!(
            when_free(Format::Modern, filtered),
            format!("Number of lines which match regexp = 1\nshow privilege | x\n                 ^\n{at}")
        );
        assert!(serve(&supervisor, &path, crate::views::tests::desk()).is_err(), "another gateway's socket");
    }
}
