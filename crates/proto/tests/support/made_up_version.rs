//! A version of IKE that does not exist, major version 3, made of nothing but what the crate offers
//! to everybody. Its first message is answered when it says hello and there is a key for its sender;
//! within five seconds a second message must follow, which makes the SA complete.
#![allow(dead_code, reason = "each test that has this module uses some of it")]

use hubward_proto::ike::context::Context;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::Command;
use hubward_proto::ike::lookup::key_for_address;
use hubward_proto::ike::snapshot::{IsakmpState, IsakmpView};
use hubward_proto::ike::version::Version;
use hubward_proto::names::{ConnId, InterfaceId};
use hubward_proto::path::Path;
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const MAJOR: u8 = 3;
pub(crate) const HELLO: u8 = 1;
pub(crate) const THANKS: u8 = 2;
/// How long the second message may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

struct Sa {
    path: Path,
    own: [u8; 8],
    created: Instant,
    complete: bool,
}

/// The room of this version.
#[derive(Default)]
pub(crate) struct MadeUp {
    sas: BTreeMap<ConnId, Sa>,
}

/// A message of it: both SPIs, the version where every version of IKE has it, and what it says.
pub(crate) fn message(initiator: [u8; 8], responder: [u8; 8], says: u8) -> Vec<u8> {
    let mut bytes = [initiator, responder].concat();
    bytes.extend([0, MAJOR << 4, says, 0, 0, 0, 0, 0, 0, 0, 0, 28]);
    bytes
}

impl MadeUp {
    fn end(&mut self, context: &mut Context, id: ConnId) {
        self.sas.remove(&id);
        context.close(id);
    }

    fn end_all(&mut self, context: &mut Context, ends: impl Fn(&Path) -> bool) {
        let ids: Vec<_> = self.sas.iter().filter(|(_, sa)| ends(&sa.path)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.end(context, id));
    }

    fn hello(&mut self, context: &mut Context, path: Path, initiator: [u8; 8]) {
        if context.is_stopping() {
            return;
        }
        if key_for_address(context.policy(), &[], path.local, path.remote).is_none() {
            return context.out().refuse(None, path, Refusal::NoPresharedKey);
        }
        let id = context.open(MAJOR);
        let own = context.random().array();
        context.out().transmit(path, message(initiator, own, HELLO));
        self.sas.insert(id, Sa { path, own, created: context.now(), complete: false });
        context.arm(id, Some(context.now() + PATIENCE));
    }
}

impl Version for MadeUp {
    fn major(&self) -> u8 {
        MAJOR
    }

    fn datagram(&mut self, context: &mut Context, path: Path, bytes: &[u8]) {
        let says = bytes.get(18).copied();
        let (Some((initiator, rest)), Some(says)) = (bytes.split_first_chunk::<8>(), says) else { return };
        let Some((responder, _)) = rest.split_first_chunk::<8>() else { return };
        match (self.sas.iter_mut().find(|(_, sa)| sa.own == *responder), says) {
            (None, HELLO) if *responder == [0; 8] => self.hello(context, path, *initiator),
            (Some((id, sa)), THANKS) if sa.path == path => {
                sa.complete = true;
                let id = *id;
                context.arm(id, None);
                context.out().isakmp_changed(id);
            }
            _ => context.out().refuse(None, path, Refusal::UnknownCookies),
        }
    }

    fn timeout(&mut self, context: &mut Context, id: ConnId) {
        let Some(sa) = self.sas.get(&id) else { return };
        let state = IsakmpState::MmNoState;
        context.out().refuse(
            Some(id),
            sa.path,
            Refusal::NoAnswer { state, initiator: false, nat: false, repeated: true },
        );
        self.end(context, id);
    }

    fn command(&mut self, context: &mut Context, command: &Command) {
        let ends = |id: &ConnId, sa: &Sa| match command {
            Command::ClearIsakmp { connection } => connection.is_none_or(|number| number == id.0),
            Command::ClearSession { peer } => peer.is_none_or(|peer| peer == sa.path.remote),
            Command::Shutdown => true,
            _ => false,
        };
        let ids: Vec<_> = self.sas.iter().filter(|(id, sa)| ends(id, sa)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.end(context, id));
    }

    fn policy_changed(&mut self, context: &mut Context, old: &Policy) {
        let policy = context.policy().clone();
        let has_key =
            |policy: &Policy, path: &Path| key_for_address(policy, &[], path.local, path.remote).is_some();
        self.end_all(context, |path| has_key(old, path) && !has_key(&policy, path));
    }

    fn address_changed(&mut self, context: &mut Context, interface: InterfaceId) {
        let address = context.policy().interface(interface).and_then(|interface| interface.address);
        self.end_all(context, |path| path.interface == interface && Some(path.local) != address);
    }

    fn view(&self, id: ConnId) -> Option<IsakmpView> {
        let sa = self.sas.get(&id)?;
        Some(IsakmpView {
            conn_id: id,
            peer: None,
            created: sa.created,
            path: sa.path,
            initiator: false,
            state: if sa.complete { IsakmpState::QmIdle } else { IsakmpState::MmNoState },
            deleted: false,
            cipher: None,
            hash: None,
            group: None,
            expires: None,
            lifetime: None,
            offered: None,
            identity: None,
            profile: None,
            group_name: None,
            user: None,
            assigned: None,
            mode_config: false,
            xauth: false,
            dpd: false,
            nat: false,
        })
    }
}
