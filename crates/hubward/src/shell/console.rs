//! `hubward console`: a session in the gateway, at the terminal of a user who may open the control
//! socket.
//!
//! The first byte of such a connection is [`HELLO`]. Behind it the terminal's end sends frames of a
//! kind, a length in two bytes, and so many bytes: [`TYPED`] what was typed, [`WINDOW`] columns and
//! rows. The gateway sends what is to be printed.

use super::serve::{self, Input, Login};
use super::session::Terminal;
use crate::base::clock::now;
use crate::base::console_lines::LineName;
use crate::base::program;
use crate::manage::desk::{Desk, PRIVILEGED};
use crate::supervise;
use hubward_linux::terminal::{RawMode, is_terminal, size};
use std::io::{Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

/// Starts a console's connection; no command line begins with it.
pub(crate) const HELLO: u8 = 1;
/// Keystrokes.
const TYPED: u8 = b'i';
/// Columns and rows, two bytes each; zero has no end.
const WINDOW: u8 = b'w';
/// Bytes of a frame.
const FRAME: usize = 4096;
/// Frames that wait while a command runs.
const INPUTS: usize = 64;
/// Consoles at a time.
const CONSOLES: u16 = 15;

/// The gateway's end: runs a session until it ends or its terminal is gone. `stream` is after the
/// first byte.
pub(crate) fn serve(mut stream: UnixStream, desk: &Desk) -> anyhow::Result<()> {
    let Some(place) =
        desk.views.lines.enter((0..=CONSOLES).map(LineName::Console), "", "", PRIVILEGED, now())
    else {
        stream.write_all(b"% All consoles are in use\r\n")?;
        return Ok(());
    };
    // a person thinks as long as he likes
    stream.set_read_timeout(None)?;
    let Some(Frame::Window(terminal)) = Frame::read(&mut stream)? else {
        anyhow::bail!("a console that does not begin with its size");
    };
    let inputs = sync_channel(INPUTS);
    let sender = inputs.0.clone();
    let mut typing = stream.try_clone()?;
    std::thread::Builder::new().name("console".into()).spawn(move || {
        supervise::guarded("console", || {
            // whatever ends the frames ends the session
            while let Ok(Some(frame)) = Frame::read(&mut typing) {
                let input = match frame {
                    Frame::Typed(bytes) => Input::Typed(bytes),
                    Frame::Window(terminal) => Input::Window(terminal),
                };
                if sender.send(input).is_err() {
                    return;
                }
            }
        });
        let _over = sender.send(Input::Ended);
    })?;
    // a user who may open the socket may do everything, so `enable` asks for nothing
    let login = Login { privilege: PRIVILEGED, place, exec_timeout: None, terminal, enable: None };
    let served = serve::serve(&inputs, &mut stream, &login, desk);
    // wakes the thread that reads
    let _gone = stream.shutdown(std::net::Shutdown::Both);
    Ok(served?)
}

enum Frame {
    Typed(Vec<u8>),
    Window(Terminal),
}

impl Frame {
    /// The next frame; `None` at the end.
    fn read(stream: &mut impl Read) -> anyhow::Result<Option<Self>> {
        let mut head = [0; 3];
        match stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let [kind, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        anyhow::ensure!(length <= FRAME, "a frame of {length} bytes");
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        match (kind, body.as_slice()) {
            (TYPED, _) => Ok(Some(Self::Typed(body))),
            (WINDOW, [c1, c2, r1, r2]) => Ok(Some(Self::Window(Terminal {
                width: usize::from(u16::from_be_bytes([*c1, *c2])),
                length: usize::from(u16::from_be_bytes([*r1, *r2])),
            }))),
            _ => anyhow::bail!("a frame of kind {kind} with {length} bytes"),
        }
    }
}

fn send(stream: &mut impl Write, kind: u8, body: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&[kind], &length[..], body].concat())
}

/// Columns and rows of standard input's terminal; no end where it is none.
fn window() -> [u8; 4] {
    let (columns, rows) = size(std::io::stdin()).unwrap_or((0, 0));
    let ([c1, c2], [r1, r2]) = (columns.to_be_bytes(), rows.to_be_bytes());
    [c1, c2, r1, r2]
}

/// The terminal's end: `hubward console`. Without a terminal, the input is treated as typed, there
/// is no pager, and the end of the input ends the session.
pub(crate) fn open(path: &Path) -> anyhow::Result<ExitCode> {
    let mut stream = program::connect(path)?;
    stream.write_all(&[HELLO])?;
    send(&mut stream, WINDOW, &window())?;
    let stdin = std::io::stdin();
    let raw = is_terminal(&stdin).then(|| RawMode::enter(stdin.as_fd())).transpose()?;
    if raw.is_some() {
        follow_window(stream.try_clone()?)?;
    }
    let mut typing = stream.try_clone()?;
    std::thread::Builder::new().name("typing".into()).spawn(move || {
        let mut bytes = vec![0; FRAME];
        let mut stdin = std::io::stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut bytes) {
            if send(&mut typing, TYPED, bytes.get(..count).unwrap_or_default()).is_err() {
                return;
            }
        }
        let _gone = typing.shutdown(std::net::Shutdown::Write);
    })?;
    let mut out = std::io::stdout();
    let mut bytes = vec![0; FRAME];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        // a terminal that is gone ends the session
        if out.write_all(bytes.get(..count).unwrap_or_default()).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    drop(raw);
    Ok(ExitCode::SUCCESS)
}

/// Tells the gateway when the window changes its size.
fn follow_window(mut stream: UnixStream) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("window".into()).spawn(move || {
        runtime.block_on(async move {
            let kind = tokio::signal::unix::SignalKind::window_change();
            let Ok(mut changes) = tokio::signal::unix::signal(kind) else { return };
            while changes.recv().await.is_some() && send(&mut stream, WINDOW, &window()).is_ok() {}
        });
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(frames: &[(u8, &[u8])]) -> String {
        let (mut client, server) = UnixStream::pair().unwrap();
        let gateway = std::thread::spawn(move || serve(server, &crate::views::tests::desk()));
        for (kind, body) in frames {
            // the gateway may have ended the session already
            let _gone = send(&mut client, *kind, body);
        }
        let _gone = client.shutdown(std::net::Shutdown::Write);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        let _refused = gateway.join().unwrap();
        text
    }

    #[test]
    fn a_session_over_the_socket() {
        let text = talk(&[(WINDOW, &[0, 80, 0, 24]), (TYPED, b"show priv\r"), (TYPED, b"sh cry\rexit\r")]);
        assert!(text.contains("#show priv\r\nCurrent privilege level is 15\r\n"), "{text}");
        assert!(text.contains("#sh cry\r\n% Incomplete command.\r\n\r\n"), "{text}");
    }

    /// A script that is piped in ends before its commands do.
    #[test]
    fn what_was_typed_before_the_end_is_done() {
        let ping = b"ping 127.0.0.1 repeat 2 timeout 1\rshow privilege\r";
        let text = talk(&[(WINDOW, &[0, 80, 0, 24]), (TYPED, ping)]);
        assert!(text.contains("Current privilege level is 15"), "{text}");
    }

    #[test]
    fn what_is_no_console_is_shown_the_door() {
        assert_eq!(talk(&[(TYPED, b"show version\r")]), "");
        assert!(talk(&[(WINDOW, &[0, 80, 0, 24]), (b'z', b"")]).ends_with('#'));
    }
}
