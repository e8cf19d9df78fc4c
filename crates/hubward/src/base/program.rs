//! What the verbs of the program have in common.

/// The control socket, unless `--socket` says otherwise.
pub(crate) const SOCKET: &str = "/run/hubward/control.sock";

/// The exit status of wrong use, `EX_USAGE` of sysexits.h.
pub(crate) const WRONG_USE: u8 = 64;

/// Wrong use of the program: its exit status is 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// The interface of IOS and the links of `--map`: one, or the ports of a bridge.
///
/// # Errors
/// It is not two names, or several links with commas between them.
pub(crate) fn mapping(pair: &str) -> Result<(String, Vec<String>), WrongUse> {
    let halves = pair.split_once('=').filter(|(ios, _)| !ios.is_empty());
    let links = halves.map(|(_, links)| links.split(',').map(str::to_string).collect::<Vec<_>>());
    match (halves, links) {
        (Some((ios, _)), Some(links)) if links.iter().all(|link| !link.is_empty()) => {
            Ok((hubward_config::long_name(ios), links))
        }
        _ => Err(WrongUse(format!("--map takes IOS-NAME=LINUX-NAME, not {pair:?}"))),
    }
}

/// The exit status of a start that this machine was not ready for, `EX_TEMPFAIL` of sysexits.h.
pub(crate) const NOT_YET: u8 = 75;

/// Why this machine is not ready for a valid configuration: a link, a port or a device is missing.
/// Unlike a refused configuration, that may change without an operator.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct NotYet(pub(crate) anyhow::Error);

/// Prints; the reader may be gone (`| head`), which is no fault. `print!` would panic.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = std::io::Write::write_all(&mut out, text.as_bytes());
    let _gone = std::io::Write::flush(&mut out);
}

/// Prints to standard error, whose reader may be gone as well.
pub(crate) fn complain(text: &str) {
    let _gone = std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes());
}
