//! The layouts of IOS in which text can be shown.

/// Which layout of IOS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// That of IOS 15.
    #[default]
    Modern,
    /// That of IOS 12.3 (`terminal show-format classic`), where it is another.
    Classic,
}
