//! Where the program's own events go.

use crate::log::layer::BufferLayer;
use crate::log::logging::Logging;
use crate::log::stderr::Stderr;
use std::sync::Arc;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Logs go to standard error; `HUBWARD_LOG` says how much, as in RUST_LOG.
pub(crate) fn log_to_stderr(usual: &str) {
    subscribe(usual, Arc::default());
}

/// The same, and to the log.
pub(crate) fn subscribe(usual: &str, logging: Arc<Logging>) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HUBWARD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(|| Stderr)
        // it would print them, and panic if that fails
        .log_internal_errors(false)
        // the same text in a terminal, a file and the journal
        .with_ansi(false)
        .with_target(false);
    tracing_subscriber::registry().with(filter).with(stderr).with(BufferLayer(logging)).init();
}
