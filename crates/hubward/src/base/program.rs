//! What the verbs of the program have in common.

/// The control socket, unless `--socket` says otherwise.
pub(crate) const SOCKET: &str = "/run/hubward/control.sock";

/// The exit status of wrong use, `EX_USAGE` of sysexits.h.
pub(crate) const WRONG_USE: u8 = 64;

/// Prints; whoever read it may be gone (`| head`).
pub(crate) fn say(text: &str) {
    let _gone = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
