//! Commands over the local socket: one line in, its output back.

mod show_crypto;
mod show_ip;
#[cfg(test)]
mod tests;

use crate::gateway::Message;
use crate::snapshot::Snapshot;
use anyhow::Context as _;
use hubward_proto::ike::io::Command;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// Bytes of a command line.
const LINE: u64 = 4096;
/// Ends an answer.
const END: u8 = 0;

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    IsakmpSa,
    IsakmpSaDetail,
    IpsecSa,
    IpInterface,
    IpInterfaceBrief,
    IpRoute,
    IpLocalPool,
    RunningConfig,
    Version,
}

/// What a line asks for.
pub(crate) enum Request {
    /// With the interface that it is limited to.
    Show(Show, Option<String>),
    Order(Command),
}

const SHOWS: [(&str, Show); 10] = [
    ("show crypto isakmp sa", Show::IsakmpSa),
    ("show crypto isakmp sa detail", Show::IsakmpSaDetail),
    ("show crypto ipsec sa", Show::IpsecSa),
    ("show ip interface", Show::IpInterface),
    ("show ip interface brief", Show::IpInterfaceBrief),
    ("show ip route", Show::IpRoute),
    ("show ip local pool", Show::IpLocalPool),
    ("show running-config", Show::RunningConfig),
    ("show version", Show::Version),
    ("write terminal", Show::RunningConfig),
];

/// Whether typed words are (abbreviations of) a form's words.
fn fits(form: &str, typed: &[&str]) -> bool {
    let wanted: Vec<_> = form.split(' ').collect();
    wanted.len() == typed.len()
        && wanted.iter().zip(typed).all(|(wanted, typed)| wanted.starts_with(&typed.to_ascii_lowercase()))
}

/// Commands without arguments that are not `show`.
const CLEARS: [&str; 3] = ["clear crypto isakmp", "clear crypto sa", "clear crypto session"];

/// Understands a line.
pub(crate) fn parse(line: &str) -> Result<Request, String> {
    let typed: Vec<_> = line.split_whitespace().collect();
    let spelled_out = typed.join(" ");
    let mut fitting = SHOWS.iter().map(|(form, _)| *form).chain(CLEARS).filter(|form| fits(form, &typed));
    if let (Some(_), Some(_), false) = (
        fitting.next(),
        fitting.next(),
        SHOWS.iter().any(|(form, _)| *form == spelled_out) || CLEARS.contains(&spelled_out.as_str()),
    ) {
        // every word of it is the beginning of a keyword, so that there is nothing in it to hide or to clean
        return Err(format!("% Ambiguous command:  \"{spelled_out}\"\n"));
    }
    if let Some((_, show)) = SHOWS.iter().find(|(form, _)| fits(form, &typed)) {
        return Ok(Request::Show(*show, None));
    }
    if let [first @ .., last] = typed.as_slice() {
        let peer = last.parse::<IpAddr>().ok();
        if fits("show ip interface", first) {
            return Ok(Request::Show(Show::IpInterface, Some(hubward_config::long_name(last))));
        }
        if fits("clear crypto isakmp", first)
            && let Ok(connection) = last.parse()
        {
            return Ok(Request::Order(Command::ClearIsakmp { connection: Some(connection) }));
        }
        if fits("clear crypto sa peer", first) && peer.is_some() {
            return Ok(Request::Order(Command::ClearSa { peer }));
        }
        if fits("clear crypto session remote", first) && peer.is_some() {
            return Ok(Request::Order(Command::ClearSession { peer }));
        }
    }
    if fits("clear crypto isakmp", &typed) {
        return Ok(Request::Order(Command::ClearIsakmp { connection: None }));
    }
    if fits("clear crypto sa", &typed) {
        return Ok(Request::Order(Command::ClearSa { peer: None }));
    }
    if fits("clear crypto session", &typed) {
        return Ok(Request::Order(Command::ClearSession { peer: None }));
    }
    Err("% Invalid input detected\n".to_string())
}

/// The text of a `show` command.
pub(crate) fn render(show: Show, of: Option<&str>, snapshot: &Snapshot<'_>) -> String {
    match show {
        Show::IsakmpSa => show_crypto::isakmp_sa(snapshot),
        Show::IsakmpSaDetail => show_crypto::isakmp_sa_detail(snapshot),
        Show::IpsecSa => show_crypto::ipsec_sa(snapshot),
        Show::IpInterface => show_ip::interface(snapshot, of),
        Show::IpInterfaceBrief => show_ip::interface_brief(snapshot),
        Show::IpRoute => show_ip::route(snapshot),
        Show::IpLocalPool => show_ip::local_pool(snapshot),
        Show::RunningConfig => show_ip::running_config(snapshot),
        Show::Version => format!("Hubward {}, an IPsec hub for Linux\n", env!("CARGO_PKG_VERSION")),
    }
}

/// Serves the socket: mode 0600, one line a connection.
pub(crate) fn serve(path: &Path, gateway: SyncSender<Message>) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    // a socket that somebody still serves is another gateway's
    if UnixStream::connect(path).is_ok() {
        anyhow::bail!("another Hubward answers at {}", path.display());
    }
    remove_socket(path)?;
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen at {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    std::thread::Builder::new().name("exec".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = answer(stream, &gateway) {
                tracing::debug!("a command was not answered: {error:#}");
            }
        }
    })?;
    Ok(())
}

/// Removes what a gateway that was killed left; anything but a socket is somebody's file.
fn remove_socket(path: &Path) -> anyhow::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(_) => anyhow::bail!("{} is there already and is no socket; give another --socket", path.display()),
        Err(_) => Ok(()),
    }
}

fn answer(mut stream: UnixStream, gateway: &SyncSender<Message>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut line = Vec::new();
    (&stream).take(LINE + 1).read_to_end(&mut line)?;
    if line.len() as u64 > LINE {
        stream.write_all(b"% Invalid input detected\n\0")?;
        anyhow::bail!("a line of more than {LINE} bytes");
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    gateway.send(Message::Exec(String::from_utf8_lossy(&line).into_owned(), sender))?;
    let text = receiver.recv_timeout(Duration::from_secs(10));
    stream.write_all(text.as_deref().unwrap_or("% The gateway is busy; try again\n").as_bytes())?;
    // what comes without this was cut off
    stream.write_all(&[END])?;
    Ok(())
}

/// `hubward exec LINE`: asks the running gateway.
pub(crate) fn ask(path: &Path, line: &str) -> anyhow::Result<String> {
    let mut stream = UnixStream::connect(path)
        .with_context(|| format!("no Hubward answers at {}; is it running?", path.display()))?;
    stream.write_all(line.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    if text.pop() != Some(END) {
        anyhow::bail!("the gateway at {} broke off its answer", path.display());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
