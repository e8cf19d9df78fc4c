//! The engine: every IKE SA of the gateway. Its inputs are events and the time; its outputs are
//! effects.
//!
//! Each version of IKE has a room of its own: IKEv1 is `v1/`, and `version.rs` says what a room is.
//! This file passes inputs on and collects views. What all versions share is in `context/`.

use crate::ike::context::Context;
use crate::ike::io::{Command, Effect, Input, Limit};
use crate::ike::snapshot::{IkeSnapshot, IsakmpView};
use crate::ike::tables::timers::Timer;
use crate::ike::trace::TraceScope;
use crate::ike::v1::room::{Tables, V1};
use crate::ike::version::{Version, major};
use crate::ike::watch::{Change, Watched};
use crate::names::ConnId;
use crate::path::Path;
use crate::policy::Policy;
use crate::time::{Instant, Now};
use std::net::IpAddr;
use std::sync::Arc;

/// Every IKE SA of the gateway.
///
/// Whoever drives it passes each input to [`Self::handle`], calls [`Self::handle_timeout`] at
/// [`Self::poll_timeout`], and after either carries out what [`Self::poll`] returns until it returns
/// `None`, in that order. It has no clock, no socket and no randomness of its own: the same seed and
/// the same inputs give the same effects, byte for byte.
pub struct Engine {
    cx: Context,
    v1: Tables,
    /// The rooms of other versions.
    others: Vec<Box<dyn Version + Send>>,
}

impl Engine {
    /// An engine without SAs. In production `seed` is fresh entropy and is not recorded anywhere.
    pub fn new(policy: Arc<Policy>, seed: [u8; 32], now: Now) -> Self {
        Self { cx: Context::new(policy, seed, now), v1: Tables::default(), others: Vec::new() }
    }

    /// Adds a version of IKE, which no other room has. Its datagrams and timers go to its room from
    /// now on, and what concerns all rooms goes to it as well.
    pub fn add_version(&mut self, room: Box<dyn Version + Send>) {
        let taken = |major| major == 1 || self.others.iter().any(|other| other.major() == major);
        debug_assert!(!taken(room.major()), "a version has one room");
        self.others.push(room);
    }

    /// IKEv1, with the context.
    pub(crate) fn v1(&mut self) -> V1<'_> {
        V1 { cx: &mut self.cx, own: &mut self.v1 }
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        self.cx.now = now;
        match input {
            Input::Datagram { path, bytes } => self.datagram(path, bytes),
            Input::Acquire(acquire) => self.v1().acquire(&acquire),
            Input::Answer { id, answer } => self.v1().answer(id, answer),
            Input::Expire { child, limit: Limit::Soft } => self.v1().rekey_child(child),
            Input::Expire { child, limit: Limit::Hard } => {
                self.v1().end_child(child, "volume limit reached", true)
            }
            Input::InboundSeen { child } => self.v1().inbound_seen(child),
            Input::Traffic { child, last_inbound, last_outbound } => {
                self.v1().traffic(child, last_inbound, last_outbound)
            }
            Input::PeerMoved { child, remote, remote_port } => {
                self.v1().child_moved(child, remote, remote_port)
            }
            Input::UnknownSpi { path, spi } => self.v1().unknown_spi(path, spi),
            Input::Moved { interface, address } => {
                self.cx.set_address(interface, address);
                self.others.iter_mut().for_each(|room| room.address_changed(&mut self.cx, interface));
                self.v1().address_changed(interface, address);
            }
            Input::Policy(policy) => {
                let old = self.cx.set_policy(policy);
                self.others.iter_mut().for_each(|room| room.policy_changed(&mut self.cx, &old));
                self.v1().policy_changed(&old);
            }
            Input::Command(command) => self.command(command),
            Input::Reseed(entropy) => self.cx.random.reseed(entropy),
        }
    }

    fn datagram(&mut self, path: Path, bytes: &[u8]) {
        let version = major(bytes);
        match self.others.iter_mut().find(|room| Some(room.major()) == version) {
            Some(room) => room.datagram(&mut self.cx, path, bytes),
            // also what is of no version: IKEv1 refuses it
            None => self.v1().datagram(path, bytes),
        }
    }

    fn command(&mut self, command: Command) {
        if matches!(command, Command::Shutdown) {
            self.cx.stop();
        }
        for room in &mut self.others {
            room.command(&mut self.cx, &command);
        }
        self.v1().command(command);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.cx.now = now;
        while let Some(timer) = self.cx.timers.due(now) {
            match timer {
                Timer::Isakmp(id) => self.v1().isakmp_due(id),
                Timer::Calls => self.v1().calls_timeout(),
                Timer::Child(id) => self.v1().child_timeout(id),
                Timer::Holder(id) => self.v1().holder_timeout(id),
                Timer::Reconnect(name) => self.v1().reconnect_timeout(&name),
                Timer::Version(major, id) => {
                    if let Some(room) = self.others.iter_mut().find(|room| room.major() == major) {
                        room.timeout(&mut self.cx, id);
                    }
                }
            }
        }
    }

    /// The next moment at which [`Self::handle_timeout`] has something to do, and what for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (at, timer) = self.cx.timers.next()?;
        let reason = match timer {
            Timer::Isakmp(id) => self.v1.waits_for(*id),
            Timer::Calls => "phase 1: first message forgotten",
            Timer::Child(_) => "child SA",
            Timer::Holder(_) => "holder of a network",
            Timer::Reconnect(_) => "reconnect",
            Timer::Version(..) => "IKE SA",
        };
        Some((at, reason))
    }

    /// The next effect to carry out.
    pub fn poll(&mut self) -> Option<Effect> {
        self.cx.out.poll()
    }

    /// Sets which peers are traced from now on.
    pub fn trace(&mut self, scope: TraceScope) {
        self.cx.out.tracing = scope;
    }

    /// A peer has authenticated from this address: while strangers flood the gateway, it still gets
    /// in from there. Also for addresses that are known from before a restart.
    pub fn know(&mut self, source: IpAddr) {
        self.cx.know(source);
    }

    // ---- views
    // ------------------------------------------------------------------------------------------

    /// The state, for `show` and tests.
    pub fn inspect(&self) -> IkeSnapshot {
        let mut isakmp: Vec<_> = self.v1.views(&self.cx).collect();
        isakmp.extend(self.cx.elsewhere.keys().filter_map(|id| self.view(*id)));
        isakmp.sort_by_key(|view| view.conn_id);
        IkeSnapshot { isakmp, children: self.cx.children.values().map(|child| child.view()).collect() }
    }

    fn view(&self, id: ConnId) -> Option<IsakmpView> {
        match self.cx.elsewhere.get(&id) {
            Some(major) => self.others.iter().find(|room| room.major() == *major)?.view(id),
            None => self.v1.view(&self.cx, id),
        }
    }

    /// From now on, changes are remembered until [`Self::poll_view`] returns them. Existing SAs
    /// count as changed.
    pub fn watch(&mut self) {
        let v1 = self.v1.sas.keys().copied().chain(self.v1.calls.shown_ids());
        self.cx.out.watched = Some(Watched {
            isakmp: v1.chain(self.cx.elsewhere.keys().copied()).collect(),
            children: self.cx.children.keys().copied().collect(),
        });
    }

    /// The next SA that changed; `None` when all were reported, or [`Self::watch`] was not called.
    pub fn poll_view(&mut self) -> Option<Change> {
        let watched = self.cx.out.watched.as_mut()?;
        if let Some(id) = watched.isakmp.pop_first() {
            return Some(Change::Isakmp(id, self.view(id).map(Box::new)));
        }
        let id = watched.children.pop_first()?;
        Some(Change::Child(id, self.cx.children.get(&id).map(|child| Box::new(child.view()))))
    }
}
