//! `archive`: of it, the log of what was typed.

/// `archive`, `log config`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// `logging enable`.
    pub enabled: bool,
    /// `notify syslog`.
    pub notify: bool,
}

impl Archive {
    /// Whether the log says which configuration commands were typed, and by whom.
    pub const fn tells(&self) -> bool {
        self.enabled && self.notify
    }
}
