//! Errors of the operating system, with what an operator needs to act on them: what was tried, on
//! what, and the kernel's error.

use std::io;
use std::net::SocketAddr;

/// What went wrong between Hubward and the kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call or a kernel request failed.
    #[error("cannot {operation} {object}: {cause}{}", detail.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Os {
        /// What was tried, as a verb phrase ("open", "add route").
        operation: &'static str,
        /// What it was tried on ("/dev/net/tun", "10.2.2.0/24 in table 254").
        object: String,
        /// What the kernel adds to the error number (netlink's extended acknowledgement).
        detail: Option<String>,
        /// The error number. It is part of the text, and so no source of its own.
        cause: io::Error,
    },
    /// Another program (or a second Hubward) owns the UDP port.
    #[error("UDP port {} on {} is already in use by {}; stop it or tell it to use another address", local.port(), local.ip(),
        holder.as_ref().map_or_else(|| "a program that cannot be seen from here (another user's or another container's)".to_owned(), ToString::to_string))]
    PortInUse {
        /// The address that was to be bound.
        local: SocketAddr,
        /// Who has it, as far as /proc shows.
        holder: Option<PortHolder>,
    },
    /// The process lacks a capability.
    #[error("{needed_for} needs {capability}, which this process does not have; start it as root, or give the program the capability (setcap {}+ep, or AmbientCapabilities= in the systemd unit)", capability.to_ascii_lowercase())]
    MissingCapability {
        /// The name as capabilities(7) writes it.
        capability: &'static str,
        /// What cannot be done without.
        needed_for: &'static str,
    },
    /// A program that does a part of the work is not installed.
    #[error("the program {program} is not installed; install the package {package}")]
    MissingProgram {
        /// Its name.
        program: &'static str,
        /// The package that has it, in most distributions.
        package: &'static str,
    },
    /// The program `nft` did not load rules; those that were in force are in force.
    #[error("nft did not load the rules: {complaint}")]
    Rules {
        /// Its first complaint, with the line that it is about.
        complaint: String,
    },
    /// A program that does a part of the work did not end in time, and was stopped; what was in
    /// force is in force.
    #[error("{program} did not end within {seconds} seconds, and was stopped")]
    Slow {
        /// Its name.
        program: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The kernel's answer could not be understood.
    #[error("cannot understand the kernel's answer to {operation}: {reason}")]
    Answer {
        /// The request.
        operation: &'static str,
        /// What was wrong with the answer.
        reason: &'static str,
    },
    /// The caller asked for something that cannot be (a name that is too long, for instance).
    #[error("{object} is not valid: {reason}")]
    Invalid {
        /// The value.
        object: String,
        /// Why it cannot be.
        reason: &'static str,
    },
}

/// The program that owns a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// The name of its main thread (`comm`).
    pub program: String,
    /// Its process identifier.
    pub pid: u32,
}

impl std::fmt::Display for PortHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.program, self.pid)
    }
}

impl Error {
    /// Whether the kernel said that the thing does not exist (an interface, an address, a route).
    pub fn is_not_found(&self) -> bool {
        matches!(self.errno(), Some(libc::ENODEV | libc::ESRCH | libc::ENOENT | libc::EADDRNOTAVAIL))
    }

    /// Whether the kernel said that the thing is there already.
    pub fn is_already_there(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }

    /// Whether the kernel refused for want of a right.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::MissingCapability { .. })
            || matches!(self, Self::Rules { complaint } if complaint.contains("Operation not permitted"))
            || matches!(self.errno(), Some(libc::EPERM | libc::EACCES))
    }

    /// The error number, when the kernel gave one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Os { cause, .. } => cause.raw_os_error(),
            _ => None,
        }
    }
}

/// Gives an [`io::Error`] its operation and object.
pub trait Context<T> {
    /// `operation` is a verb phrase; the object is only made when there is an error.
    fn context(self, operation: &'static str, object: impl std::fmt::Display) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, operation: &'static str, object: impl std::fmt::Display) -> Result<T, Error> {
        self.map_err(|source| Error::Os {
            operation,
            object: object.to_string(),
            detail: None,
            cause: source.into(),
        })
    }
}

/// The result of a C function that says -1 and sets `errno`.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
