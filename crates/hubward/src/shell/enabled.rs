//! What becomes of a password for `enable`.
/// What becomes of a password given to `enable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enabled {
    /// It is the one of this level.
    Right,
    /// It is not.
    Wrong,
    /// No password is configured for this level: it cannot be reached by this line.
    NotSet,
}
