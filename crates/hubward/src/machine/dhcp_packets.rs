//! DHCP packets, which a thread for each link reads for the clients and for the servers.

use crate::supervise::Heart;
use hubward_proto::time::Instant;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a thread waits for a packet before it checks whether it should end.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// When dropped, ends a reading thread within [`LOOK`], without waiting for it.
#[derive(Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The flag that the thread checks.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Asks the thread to end.
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.now();
    }
}

/// How long after an error a link is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Links whose client or server could not start: they are not there, or there was an error.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The error, by the link's name; none for a link that is not there.
    links: BTreeMap<String, Option<String>>,
    /// When they were tried.
    tried: Instant,
}

impl Waiting {
    /// None wait, of what is tried now.
    pub(super) fn tried_at(now: Instant) -> Self {
        Self { links: BTreeMap::new(), tried: now }
    }

    /// A link is not there, or could not be used for this reason.
    pub(super) fn note(&mut self, link: &str, why: Option<String>) {
        self.links.insert(link.to_owned(), why);
    }

    /// Takes the place of what waited before, and logs the errors that are new.
    pub(super) fn replace(&mut self, new: Self, what: &str) {
        for (link, why) in &new.links {
            if let Some(error) = why
                && self.links.get(link) != Some(why)
            {
                tracing::error!("{what} on {link}: {error}; it is tried again");
            }
        }
        *self = new;
    }

    /// Whether a link that is there now should be tried: at once if it was not there, and later after
    /// an error.
    pub(super) fn for_link(&self, link: &str, now: Instant) -> bool {
        self.links.get(link).is_some_and(|why| why.is_none() || now.since(self.tried) >= AGAIN)
    }
}

/// Passes on every packet until it is stopped. `take` reads one into the buffer and returns its
/// length, or an error if there is none.
pub(super) fn receive(
    heart: &Heart,
    socket: &impl AsFd,
    take: impl Fn(&mut [u8]) -> io::Result<usize>,
    stop: &AtomicBool,
    mut hand_over: impl FnMut(&[u8]),
) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        heart.beat();
        // an interrupted wait counts as a finished one
        let _ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&LOOK));
        while !stop.load(Ordering::Relaxed)
            && let Ok(length) = take(&mut buffer)
        {
            heart.beat();
            hand_over(buffer.get(..length).unwrap_or_default());
        }
    }
    heart.retire();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::inbox::Inbox;
    use crate::base::message::{LinkPacket, Message};
    use crate::supervise::Supervisor;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn what_arrives_is_a_message_and_a_thread_that_is_stopped_ends() {
        let (link, socket) = UnixDatagram::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let (supervisor, gateway, stop) = (Supervisor::new(), Arc::new(Inbox::default()), Stop::default());
        let (to, stopped) = (Arc::clone(&gateway), stop.flag());
        let thread = supervisor.spawn("dhcp-client", move |heart| {
            receive(
                heart,
                &socket,
                |buffer| socket.recv(buffer),
                &stopped,
                |bytes| {
                    to.dhcp(LinkPacket { link: "eth0".into(), bytes: bytes.to_vec() });
                },
            );
        });
        for number in 0..100u8 {
            link.send(&[number; 300]).unwrap();
            let Some(Message::Dhcp(packet)) = gateway.take(Duration::from_secs(20)) else {
                panic!("no packet")
            };
            assert_eq!((&*packet.link, packet.bytes), ("eth0", vec![number; 300]));
        }
        drop(stop);
        thread.unwrap().join().unwrap();
        assert_eq!(supervisor.fault(), None, "it was asked to end");
    }
}
