//! Readiness notification for systemd: one datagram to the socket that `NOTIFY_SOCKET` names
//! (sd_notify(3)).

use crate::error::{Context, Error};
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends `state` ("READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STATUS=…", "STOPPING=1") to the
/// service manager. False when there is none.
pub fn notify(state: &str) -> Result<bool, Error> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(path) => notify_at(&path, state).map(|()| true),
        None => Ok(false),
    }
}

fn notify_at(path: &OsStr, state: &str) -> Result<(), Error> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(OsStr::from_bytes(path)),
    };
    let object = path.to_string_lossy();
    let address = address.context("use NOTIFY_SOCKET", &object)?;
    let socket = UnixDatagram::unbound().context("open a socket for", &object)?;
    socket.send_to_addr(state.as_bytes(), &address).context("notify", &object)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_arrives_at_an_abstract_socket() {
        let name = format!("hubward-notify-test-{}", std::process::id());
        let socket =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        notify_at(OsStr::new(&format!("@{name}")), "READY=1").unwrap();
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }

    #[test]
    fn a_socket_that_is_not_there_is_named() {
        let error = notify_at(OsStr::new("/nonexistent/notify"), "READY=1").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/notify"), "{error}");
    }
}
