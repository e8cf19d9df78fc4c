//! The thread `store`, which waits for the disk on behalf of threads that only need something
//! stored: what the guard remembers, and the interfaces' leases by DHCP.

use crate::base::store::Store;
use crate::gateway::asks::alarm::{Alarm, STATE};
use crate::supervise::{BEAT, Heart, Supervisor};
use std::sync::Arc;

/// Starts the thread, and returns the alarm for a disk that does not answer. The thread also
/// retries what could not be stored.
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
            busy.during(STATE, || heart.away(|| store.write_waiting(BEAT)));
        }
    };
    supervisor.spawn("store", work)?;
    Ok(alarm)
}
