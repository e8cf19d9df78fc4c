//! The commands, one table a feature. A row is a mode, a form, and what the command does.

mod aaa;
pub(crate) mod acl;
mod client_group;
mod crypto_map;
mod dhcp;
pub(crate) mod draft;
#[cfg(test)]
mod fixture;
mod inert;
mod interface;
pub(crate) mod interface_range;
mod ipsec;
mod isakmp;
mod keyring;
mod line;
mod logging;
mod profile;
mod route;
pub(crate) mod submode;
mod submode_crypto;
mod submode_interface;
mod submode_policy;
mod submode_routing;
mod submode_service;
mod system;
pub(crate) mod table;

use crate::form::Problem;
use crate::given::Given;
use draft::Draft;

/// The mode of a line: the object that the commands of a submode change, by its index in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Global,
    Interface(usize),
    IsakmpPolicy(usize),
    Keyring(usize),
    Profile(usize),
    Group(usize),
    TransformSet(usize),
    CryptoMap(usize, usize),
    DynamicMap(usize, usize),
    Acl(usize),
    StandardAcl(usize),
    Ipv6Acl(usize),
    NetworkGroup(usize),
    ServiceGroup(usize),
    TimeRange(usize),
    DhcpPool(usize),
    Line(usize),
    PubkeyChain,
    PubkeyUser(usize),
    /// A submode whose commands share their parent's fate.
    Opaque(Fate, submode::Sub),
    /// A submode opened by a line that is not a command: nothing under it has an effect.
    Unknown,
}

/// The kinds of modes, for the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum In {
    Global,
    Interface,
    IsakmpPolicy,
    Keyring,
    Profile,
    Group,
    TransformSet,
    CryptoMap,
    DynamicMap,
    Acl,
    StandardAcl,
    Ipv6Acl,
    NetworkGroup,
    ServiceGroup,
    TimeRange,
    DhcpPool,
    Line,
    PubkeyChain,
    PubkeyUser,
}

impl In {
    /// Every kind.
    pub(crate) const ALL: [Self; 19] = [
        Self::Global,
        Self::Interface,
        Self::IsakmpPolicy,
        Self::Keyring,
        Self::Profile,
        Self::Group,
        Self::TransformSet,
        Self::CryptoMap,
        Self::DynamicMap,
        Self::Acl,
        Self::StandardAcl,
        Self::Ipv6Acl,
        Self::NetworkGroup,
        Self::ServiceGroup,
        Self::TimeRange,
        Self::DhcpPool,
        Self::Line,
        Self::PubkeyChain,
        Self::PubkeyUser,
    ];
}

impl Mode {
    /// The kind, for the tables; `None` for modes without commands of their own.
    pub(crate) fn kind(self) -> Option<In> {
        Some(match self {
            Self::Global => In::Global,
            Self::Interface(_) => In::Interface,
            Self::IsakmpPolicy(_) => In::IsakmpPolicy,
            Self::Keyring(_) => In::Keyring,
            Self::Profile(_) => In::Profile,
            Self::Group(_) => In::Group,
            Self::TransformSet(_) => In::TransformSet,
            Self::CryptoMap(..) => In::CryptoMap,
            Self::DynamicMap(..) => In::DynamicMap,
            Self::Acl(_) => In::Acl,
            Self::StandardAcl(_) => In::StandardAcl,
            Self::Ipv6Acl(_) => In::Ipv6Acl,
            Self::NetworkGroup(_) => In::NetworkGroup,
            Self::ServiceGroup(_) => In::ServiceGroup,
            Self::TimeRange(_) => In::TimeRange,
            Self::DhcpPool(_) => In::DhcpPool,
            Self::Line(_) => In::Line,
            Self::PubkeyChain => In::PubkeyChain,
            Self::PubkeyUser(_) => In::PubkeyUser,
            Self::Opaque(..) | Self::Unknown => return None,
        })
    }
}

/// What a command without a fold does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing, as the line itself says.
    NoOp,
    /// Nothing; the reason why that is harmless.
    Inert(&'static str),
    /// Nothing yet; what will differ.
    Unsupported(&'static str),
    /// An access control that is not enforced; what it would do.
    Unenforced(&'static str),
    /// Changes forwarding and is not implemented; what it would do.
    Forwarding(&'static str),
}

impl Action {
    /// Whether it changes the model.
    pub(crate) const fn folds(self) -> bool {
        matches!(self, Self::Fold(_))
    }
}

/// What a row does.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// Changes the model.
    Fold(fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>),
    /// Has this fate; with `no`, which takes away what is not there, none at all.
    Fate(Fate),
    /// Has this fate and opens a submode that shares it.
    Opens(Fate),
}

/// One command: its name, including what distinguishes it from others of that name, and the rest.
/// In both, `=` marks where the value begins: of two lines that agree up to there, the later one
/// replaces the earlier.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) mode: In,
    /// Further modes that have the command.
    pub(crate) also: &'static [In],
    pub(crate) form: &'static str,
    pub(crate) tail: &'static str,
    pub(crate) no: No,
    pub(crate) action: Action,
}

/// What `no` and `default` do to a command that changes the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// Each takes the command away: the model is as it was without it.
    TakesAway,
    /// `no` is a setting too, because the command is on unless it says otherwise or has a value in
    /// any case (`no exec`, `no exec-timeout`); `default` takes either away.
    IsASetting,
    /// `no` takes the command away; `default` leaves what it made, and empties it.
    DefaultEmpties,
}

/// A command that is kept as it is, whatever follows.
pub(crate) const REST: &str = "= [<LINE:rest>]";

/// A command of one mode.
const fn row(mode: In, form: &'static str, tail: &'static str, action: Action) -> Row {
    Row { mode, also: &[], form, tail, no: No::TakesAway, action }
}

/// A command that changes the model, by its named arguments.
const fn fold(
    mode: In,
    form: &'static str,
    tail: &'static str,
    run: fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>,
) -> Row {
    row(mode, form, tail, Action::Fold(run))
}

/// A command without a fold.
const fn fate(mode: In, form: &'static str, fate: Fate) -> Row {
    row(mode, form, REST, Action::Fate(fate))
}

/// A command without a fold that opens a submode.
const fn opens(mode: In, form: &'static str, fate: Fate) -> Row {
    row(mode, form, REST, Action::Opens(fate))
}

impl Row {
    /// The same command in further modes.
    const fn also(self, modes: &'static [In]) -> Self {
        Self { also: modes, ..self }
    }

    /// The same command with another meaning of `no`.
    const fn no(self, no: No) -> Self {
        Self { no, ..self }
    }

    /// Every mode that has the command.
    pub(crate) fn modes(&self) -> impl Iterator<Item = In> {
        std::iter::once(self.mode).chain(self.also.iter().copied())
    }
}

/// The model while it is being built, and the line at hand.
pub(crate) struct Fold<'c> {
    pub(crate) config: &'c mut Draft,
    pub(crate) mode: Mode,
    /// Of `interface range`, the other interfaces that the lines below it are of, by their indexes.
    pub(crate) also: Vec<usize>,
    /// It was preceded by `no` or `default`.
    pub(crate) no: bool,
    /// It was `default`; only for commands whose default is not what `no` leaves.
    pub(crate) default: bool,
    pub(crate) line: u32,
    /// The raw text after the line.
    pub(crate) block: Vec<String>,
    /// Set by a fold whose line is accepted, and is not done as it says.
    pub(crate) fate: Option<Fate>,
    /// Set by a fold whose line is accepted and done; what IOS says of it.
    pub(crate) warning: Option<&'static str>,
}

impl Fold<'_> {
    /// The value of a setting; `no` and `default` leave none.
    pub(crate) fn unless_no<T>(&self, value: Option<T>) -> Option<T> {
        if self.no { None } else { value }
    }
}

/// Every table, searched in this order.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [
        system::ROWS,
        line::ROWS,
        logging::ROWS,
        aaa::ROWS,
        isakmp::ROWS,
        keyring::ROWS,
        profile::ROWS,
        client_group::ROWS,
        ipsec::ROWS,
        crypto_map::ROWS,
        interface::ROWS,
        interface_range::ROWS,
        route::ROWS,
        acl::ROWS,
        acl::GROUP_ROWS,
        acl::TIME_ROWS,
        dhcp::ROWS,
        inert::ROWS,
        #[cfg(test)]
        fixture::ROWS,
    ]
    .into_iter()
    .flatten()
}
