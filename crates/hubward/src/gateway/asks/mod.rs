//! The engine's questions whose answers take time: passwords, client groups, leases. They are
//! answered on separate threads, and the answers arrive through the inbox, so that other messages
//! never wait for a disk or a password.

pub(crate) mod alarm;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod leases;
pub(crate) mod logins;

use crate::base::inbox::Inbox;
use crate::base::store::Store;
use crate::gateway::asks::alarm::Alarm;
use crate::gateway::asks::files::Files;
use crate::gateway::asks::leases::LeaseDesk;
use crate::gateway::asks::logins::{Logins, Work};
use crate::gateway::lease::Leases;
use crate::supervise::Supervisor;
use crate::views::Views;
use hubward_config::model::Config;
use hubward_proto::ike::io::{Answer, AskId, Question};
use std::net::IpAddr;
use std::sync::Arc;

/// What answers the engine's questions.
pub(crate) struct Asks {
    logins: Logins,
    leases: LeaseDesk,
    disk: Alarm,
    /// Where files are written that nobody waits for.
    pub(crate) files: Files,
}

impl Asks {
    /// Starts the threads; their answers go to the gateway as
    /// [`crate::base::message::Message::Answer`].
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn start(
        supervisor: &Arc<Supervisor>,
        config: &Config,
        mut leases: Leases,
        store: &Store,
        gateway: &Arc<Inbox>,
        views: &Arc<Views>,
    ) -> std::io::Result<Self> {
        leases.configure(&config.pools);
        let seen = Arc::clone(views);
        let shown = move |address, in_use| match in_use {
            true => seen.leased(address),
            false => seen.released(address),
        };
        Ok(Self {
            logins: Logins::start(supervisor, config, gateway, views)?,
            leases: LeaseDesk::start(supervisor, leases, gateway, shown)?,
            disk: disk::start(supervisor, store)?,
            files: Files::start(supervisor)?,
        })
    }

    /// Uses another configuration for what is asked from now on.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.logins.configure(config);
        self.leases.configure(&config.pools);
    }

    /// Passes a question on; returns an answer at once only if it is refused.
    pub(crate) fn ask(&self, id: AskId, question: Question) -> Option<Answer> {
        match question {
            Question::Authenticate { list, user, password, from, .. } => {
                self.logins.put(id, Work::Check { list, user, password, from })
            }
            Question::Authorize { list, group } => self.logins.put(id, Work::LookUp { list, group }),
            Question::Lease { pool, owner, wanted } => self.leases.ask(id, pool, owner, wanted),
            // a gateway has no user at a terminal
            Question::Credentials { .. } => Some(Answer::Credentials(None)),
        }
    }

    /// Releases a lease.
    pub(crate) fn release(&self, address: IpAddr) {
        self.leases.release(address);
    }

    /// Called once a second: logs that a thread has waited long for its disk, and that it no longer
    /// waits.
    pub(crate) fn look(&mut self) {
        self.leases.look();
        self.disk.look();
        self.files.look();
    }
}
