//! What the verbs of the program have in common.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;

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

/// Why a folder for the state or the socket could not be made. The usual ones are root's.
pub(crate) fn no_folder(folder: &Path, error: &std::io::Error) -> String {
    let elsewhere = match error.kind() {
        ErrorKind::PermissionDenied => {
            "; without root's rights, give --state and --socket places of your own"
        }
        _ => "",
    };
    format!("cannot make the folder {}: {error}{elsewhere}", folder.display())
}

/// Connects to the control socket of the gateway that runs.
///
/// # Errors
/// None does, or it is somebody else's.
pub(crate) fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    UnixStream::connect(socket).map_err(|error| {
        let socket = socket.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow::anyhow!(
                "no Hubward runs with the control socket {socket}; start it, or name its socket with --socket"
            ),
            _ => anyhow::Error::new(error).context(format!("cannot talk to Hubward at {socket}")),
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_make_the_usual_folders_is_told_the_options_for_others() {
        let told = |kind: ErrorKind| no_folder(Path::new("/var/lib/hubward"), &kind.into());
        let denied = told(ErrorKind::PermissionDenied);
        assert!(denied.contains("/var/lib/hubward") && denied.contains("--state and --socket"), "{denied}");
        assert!(!told(ErrorKind::StorageFull).contains("--state"));
    }

    /// Neither a missing socket nor one that nobody listens at any more is an error of the system
    /// for the user.
    #[test]
    fn a_gateway_that_does_not_run_is_told_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let told = || format!("{:#}", connect(&socket).unwrap_err());
        let missing = told();
        assert!(missing.starts_with("no Hubward runs with the control socket "), "{missing}");
        assert!(missing.contains("control.sock") && !missing.contains("os error"), "{missing}");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert_eq!(told(), missing);
    }
}
