//! Waiting for descriptors.

use rustix::event::{PollFd, Timespec, poll};

pub(crate) fn wait(fds: &mut [PollFd<'_>], milliseconds: i64) {
    let timeout = Timespec { tv_sec: milliseconds / 1000, tv_nsec: (milliseconds % 1000) * 1_000_000 };
    // an interrupted wait is a wait that ended
    let _ready = poll(fds, Some(&timeout));
}
