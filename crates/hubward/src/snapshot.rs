//! What every `show` command reads: one copy of the gateway's state.

use crate::apply::InterfaceView;
use crate::dataplane::Drops;
use crate::lease::PoolView;
use crate::routes::Static;
use hubward_config::Parsed;
use hubward_proto::esp::sad::Sad;
use hubward_proto::ike::snapshot::IkeSnapshot;
use hubward_proto::time::Instant;

/// The gateway at one moment.
pub(crate) struct Snapshot<'a> {
    pub(crate) now: Instant,
    pub(crate) parsed: &'a Parsed,
    pub(crate) ike: IkeSnapshot,
    pub(crate) sad: &'a Sad,
    pub(crate) pools: Vec<PoolView>,
    pub(crate) interfaces: Vec<InterfaceView>,
    pub(crate) statics: &'a [Static],
    pub(crate) drops: &'a Drops,
}
