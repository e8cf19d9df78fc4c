//! What the verbs of the program have in common.

/// The control socket, unless `--socket` says otherwise.
pub(crate) const SOCKET: &str = "/run/hubward/control.sock";

/// The exit status of wrong use, `EX_USAGE` of sysexits.h.
pub(crate) const WRONG_USE: u8 = 64;

/// The exit status of a start that this machine was not ready for, `EX_TEMPFAIL` of sysexits.h.
pub(crate) const NOT_YET: u8 = 75;

/// Why this machine is not ready for a configuration that may be started: a link, a port or a device is not there. That may
/// change by itself, and a refused configuration does not.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct NotYet(pub(crate) anyhow::Error);

/// Prints; whoever read it may be gone (`| head`).
pub(crate) fn say(text: &str) {
    let _gone = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
