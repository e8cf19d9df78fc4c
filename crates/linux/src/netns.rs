//! Network namespaces without iproute2, as root or, inside a user namespace of one's own, as
//! anybody.

use crate::error::{Context, Error, check};
use crate::netlink::Netlink;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

const CURRENT: &str = "/proc/thread-self/ns/net";

/// A network namespace. It lives as long as this value, a process in it, or an interface's socket
/// keeps it.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

impl NetNs {
    /// The namespace of this thread.
    pub fn current() -> Result<Self, Error> {
        let fd = open(CURRENT, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context("open", CURRENT)?;
        Ok(Self { fd })
    }

    /// Makes an empty namespace with its loopback interface up. Needs CAP_SYS_ADMIN, which
    /// [`enter_user_namespace`] gives.
    pub fn create() -> Result<Self, Error> {
        on_own_thread(|| {
            // SAFETY: unshare takes its flags by value; it concerns this thread only, which ends
            // right after.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).context("make", "a network namespace")?;
            let namespace = Self::current()?;
            crate::link::set_up(&Netlink::open()?, 1, true)?;
            Ok(namespace)
        })
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets opened there stay in it
    /// wherever they go.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_own_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }

    /// Moves the calling thread into the namespace, for good. Threads that it starts afterwards are
    /// in it as well.
    pub fn enter(&self) -> Result<(), Error> {
        set_namespace(self.fd.as_fd()).context("enter", "a network namespace")
    }

    /// A routing socket inside the namespace.
    pub fn netlink(&self) -> Result<Netlink, Error> {
        self.run(Netlink::open)?
    }

    /// A path by which other programs find the namespace while this process lives: `nsenter
    /// --net=PATH`.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.fd.as_raw_fd()))
    }

    /// Makes `command` start inside the namespace, and end (SIGTERM) when the thread that starts it
    /// ends.
    pub fn start_in<'c>(&self, command: &'c mut Command) -> Result<&'c mut Command, Error> {
        let fd = self.fd.try_clone().context("duplicate", "a network namespace")?;
        let begin = move || {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            set_namespace(fd.as_fd())
        };
        // SAFETY: between fork and exec the closure makes two system calls, one on a descriptor
        // that it owns; it allocates nothing.
        Ok(unsafe { command.pre_exec(begin) })
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn set_namespace(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: setns takes a descriptor, which is open, and a flag.
    check(unsafe { libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work).context("start", "a thread")?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Makes the process root of its own user namespace with an empty network namespace, so that it may
/// create namespaces, interfaces and routes there without being root outside. The process must have
/// one thread: call it first in `main`. A process that already has CAP_SYS_ADMIN and CAP_NET_ADMIN
/// does not need it.
pub fn enter_user_namespace() -> Result<(), Error> {
    // SAFETY: these take no arguments and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: unshare takes its flags by value.
    let result = check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) });
    if let Err(error) = result {
        let reason = match error.raw_os_error() {
            Some(libc::EINVAL) => {
                "the process has several threads already, or the kernel has no user namespaces"
            }
            Some(libc::ENOSPC) => "user.max_user_namespaces or user.max_net_namespaces allows no more",
            Some(libc::EPERM | libc::EACCES) => {
                "this system forbids them to ordinary users (kernel.unprivileged_userns_clone or \
                 kernel.apparmor_restrict_unprivileged_userns); start it as root"
            }
            _ => return Err(error).context("make", "a user namespace"),
        };
        let object = "a user namespace".to_owned();
        return Err(Error::Os { operation: "make", object, detail: Some(reason.to_owned()), cause: error });
    }
    let write = |file: &str, text: String| std::fs::write(file, text).context("write", file);
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    crate::link::set_up(&Netlink::open()?, 1, true)
}

/// Whether this process can make network namespaces as it is.
pub fn can_create() -> bool {
    NetNs::create().is_ok()
}
