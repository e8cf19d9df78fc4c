//! What the configuration check has to say.

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Accepted, without effect or with a remark.
    Notice,
    /// Works, but hardly as intended or not safely.
    Warning,
    /// The line has no effect although it should.
    Error,
}

/// Stable names of what can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Accepted without effect, for a known reason.
    Inert,
    /// Known to IOS, not implemented here; something will differ.
    Unsupported,
    /// An access control that is not enforced; stops the start.
    Unenforced,
    /// Changes forwarding and is not implemented.
    Forwarding,
    /// Not a command that we know.
    Unknown,
    /// A known command with a wrong argument.
    Invalid,
    /// A name that nothing defines.
    Dangling,
    /// A dynamic crypto map entry in front of a static one.
    DynamicFirst,
    /// Two keys or profiles, of which one hides the other.
    Shadowed,
    /// A wildcard key, and peers that may propose any proxy.
    AnyProxy,
    /// A weak algorithm.
    Weak,
    /// Aggressive mode with a pre-shared key.
    AggressivePsk,
    /// A next hop in no connected network.
    OffLink,
    /// Xauth that would be asked of LAN-to-LAN peers.
    XauthOnLan,
    /// A crypto map entry or profile that lacks a part.
    Incomplete,
    /// A password that is not protected, or is not used.
    Password,
}

impl Code {
    /// The stable name, as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inert => "inert",
            Self::Unsupported => "unsupported",
            Self::Unenforced => "unenforced",
            Self::Forwarding => "forwarding",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Dangling => "dangling",
            Self::DynamicFirst => "dynamic-first",
            Self::Shadowed => "shadowed",
            Self::AnyProxy => "any-proxy",
            Self::Weak => "weak",
            Self::AggressivePsk => "aggressive-psk",
            Self::OffLink => "off-link",
            Self::XauthOnLan => "xauth-on-lan",
            Self::Incomplete => "incomplete",
            Self::Password => "password",
        }
    }
}

/// One remark on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Its stable name.
    pub code: Code,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first character concerned, from 1.
    pub column: u32,
    /// What happens.
    pub message: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}
