//! The gateway's clock.

use hubward_proto::time::Instant;

/// The monotonic clock, which also advances during suspend.
pub(crate) fn now() -> Instant {
    Instant::from_origin(hubward_linux::clock::now())
}
