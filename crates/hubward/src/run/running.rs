//! Whether a gateway or a client runs in this network namespace, wherever its control socket is.

use std::ffi::OsStr;
use std::fs::read_link;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A process that keeps its own rules of the packet filter in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Its number.
    pub(super) process: u32,
    /// A VPN client, and not a gateway.
    pub(super) client: bool,
}

/// The first that there is, besides this process.
pub(super) fn running() -> Option<Running> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| *process != std::process::id())
        .find_map(|process: u32| {
            let folder = PathBuf::from("/proc").join(process.to_string());
            let words = std::fs::read(folder.join("cmdline")).ok()?;
            let client = is_client(&words)?;
            is_here(&folder).then_some(Running { process, client })
        })
}

/// Whether a command line is that of a client and not of a gateway; `None`: it is of neither.
fn is_client(words: &[u8]) -> Option<bool> {
    let mut words = words.split(|byte| *byte == 0);
    let program = Path::new(OsStr::from_bytes(words.next()?)).file_name()?;
    // a copy of this program may have another name
    let own = std::env::current_exe().ok();
    if program != "hubward" && own.as_deref().and_then(Path::file_name) != Some(program) {
        return None;
    }
    match words.next()? {
        b"run" => Some(false),
        b"client" => Some(true),
        _ => None,
    }
}

/// Whether a process is in this network namespace; one that cannot be looked at counts.
fn is_here(folder: &Path) -> bool {
    let of = |folder: &Path| read_link(folder.join("ns/net")).ok();
    let (here, there) = (of(Path::new("/proc/self")), of(folder));
    there.is_none() || here == there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_what_runs() {
        assert_eq!(is_client(b"/usr/bin/hubward\0run\0hub.cfg\0"), Some(false));
        assert_eq!(is_client(b"hubward\0client\0connect\0hub\0"), Some(true));
        for other in
            [&b"hubward\0release\0"[..], b"hubward\0", b"/bin/sh\0-c\0hubward run\0", b"run\0hubward\0", b""]
        {
            assert_eq!(is_client(other), None, "{other:?}");
        }
        assert!(is_here(Path::new("/proc/self")));
        assert_eq!(running(), running(), "a look changes nothing");
    }
}
