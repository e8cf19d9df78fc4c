//! Whether an address is known.

use crate::ike::context::Context;
use std::net::IpAddr;

impl Context {
    /// Whether a peer is, or lately was, at this address, or the configuration names it.
    pub(crate) fn is_known(&mut self, source: IpAddr) -> bool {
        self.peers.at(source).next().is_some()
            || self.known.has_authenticated(source, self.now)
            || self.known.is_configured(&self.policy, source)
    }

    /// A peer has authenticated from this address: while strangers flood the gateway, it still gets
    /// in from there. Also for addresses that are known from before a restart.
    pub(crate) fn know(&mut self, source: IpAddr) {
        self.known.note(source, self.now);
    }
}
