//! What a version of IKE is to the engine: a room of its own, which gets the datagrams of its major
//! version and the timers of its SAs, and may touch what is in the [`Context`].
//!
//! IKEv1 is not behind this trait: the engine calls it directly. A room beside it has IKE SAs only:
//! what concerns child SAs (packets that wait for one, rekeys, ends, traffic), and the answers to
//! questions, reach IKEv1 alone. A second version that has them needs the version in the records of
//! peers and child SAs, by which the engine then decides.

use crate::ike::context::Context;
use crate::ike::io::Command;
use crate::ike::snapshot::IsakmpView;
use crate::names::{ConnId, InterfaceId};
use crate::path::Path;
use crate::policy::Policy;

/// A version of IKE beside IKEv1.
pub trait Version {
    /// Its major version, as in the header of its messages.
    fn major(&self) -> u8;

    /// A datagram of this version. Nothing in it has been checked but the version. SAs get their
    /// ids by [`Context::open`]; nothing new is accepted while [`Context::is_stopping`].
    fn datagram(&mut self, context: &mut Context, path: Path, bytes: &[u8]);

    /// The timer of an SA, set by [`Context::arm`], is due.
    fn timeout(&mut self, context: &mut Context, id: ConnId);

    /// An operator's command, or the end of the gateway.
    fn command(&mut self, context: &mut Context, command: &Command);

    /// The configuration changed; this was the old one.
    fn policy_changed(&mut self, context: &mut Context, old: &Policy);

    /// An interface has another address, or none.
    fn address_changed(&mut self, context: &mut Context, interface: InterfaceId);

    /// An SA as `show` commands see it; `None` if this room has none of this id.
    fn view(&self, id: ConnId) -> Option<IsakmpView>;
}

/// The major version of a datagram: the upper half of the byte after both cookies, or SPIs, and the
/// type of the first payload (RFC 2408 section 3.1, RFC 7296 section 3.1).
pub(crate) fn major(bytes: &[u8]) -> Option<u8> {
    bytes.get(17).map(|version| version >> 4)
}
