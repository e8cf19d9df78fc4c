//! The thread `store`, which waits for the disk in the place of whoever only wants something kept:
//! what the guard remembers, and what DHCP leased the interfaces.

use crate::base::store::Store;
use crate::gateway::asks::alarm::Alarm;
use crate::supervise::{BEAT, Heart, Supervisor};
use std::sync::Arc;

/// Starts the thread, and returns what reports that its disk does not answer. It also tries again
/// to keep what could not be kept.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn start(supervisor: &Arc<Supervisor>, store: &Store) -> std::io::Result<Alarm> {
    let (store, alarm) = (store.clone(), Alarm::new("what the guard and DHCP remember is not saved"));
    let busy = alarm.busy();
    store.serve();
    let work = move |heart: &Heart| {
        loop {
            heart.beat();
            busy.during(|| heart.away(|| store.write_waiting(BEAT)));
        }
    };
    supervisor.spawn("store", work)?;
    Ok(alarm)
}
