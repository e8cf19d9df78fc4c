//! `hubward exec`: asks the gateway behind a socket.

use anyhow::{Context as _, bail};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one line, prints the answer, and ends as the gateway says.
pub(crate) fn command(socket: &Path, line: &str) -> anyhow::Result<ExitCode> {
    let (code, text) = ask(socket, line)?;
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the answer")?;
    Ok(ExitCode::from(code))
}

/// Sends one line; gives exit code and text.
pub(crate) fn ask(socket: &Path, line: &str) -> anyhow::Result<(u8, String)> {
    let mut stream = UnixStream::connect(socket).with_context(|| {
        format!("no gateway answers at {}; is `hubward run` running, with this socket?", socket.display())
    })?;
    stream.set_read_timeout(Some(PATIENCE)).context("cannot set a timeout")?;
    writeln!(stream, "{}", line.replace(['\n', '\r'], " ")).context("cannot send the line")?;
    stream.shutdown(Shutdown::Write).context("cannot send the line")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("the gateway did not answer")?;
    let Some((code, text)) = answer.split_once('\n') else { bail!("the gateway gave no answer") };
    let code = code.parse().context("the gateway's answer makes no sense")?;
    Ok((code, text.to_owned()))
}
