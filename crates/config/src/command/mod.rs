//! The commands, one table a feature. A row is a mode, a form, and what the command does.

mod aaa;
mod acl;
mod client_group;
mod crypto_map;
mod dhcp;
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

use crate::form::{Cursor, Problem};
use crate::given::Given;
use crate::model::Config;
use crate::secret::Password;

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
    /// Extended, or standard.
    Acl(usize, bool),
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
    DhcpPool,
    Line,
    PubkeyChain,
    PubkeyUser,
}

impl In {
    /// Every kind.
    pub(crate) const ALL: [Self; 14] = [
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
            Self::Acl(..) => In::Acl,
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
        matches!(self, Self::Fold(_) | Self::Cursor(_))
    }
}

/// What a row does.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// Changes the model.
    Fold(fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>),
    /// Changes the model, and reads the words behind the form itself: gives way to `Fold`.
    Cursor(fn(&mut Fold<'_>, &mut Cursor<'_>) -> Result<(), Problem>),
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
    pub(crate) form: &'static str,
    pub(crate) tail: &'static str,
    pub(crate) action: Action,
}

/// A command that is kept as it is, whatever follows.
pub(crate) const REST: &str = "= [<LINE:rest>]";

/// A command that changes the model.
const fn fold(
    mode: In,
    form: &'static str,
    tail: &'static str,
    run: fn(&mut Fold<'_>, &mut Cursor<'_>) -> Result<(), Problem>,
) -> Row {
    Row { mode, form, tail, action: Action::Cursor(run) }
}

/// A command that changes the model, by its named arguments.
const fn typed(
    mode: In,
    form: &'static str,
    tail: &'static str,
    run: fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>,
) -> Row {
    Row { mode, form, tail, action: Action::Fold(run) }
}

/// A command without a fold.
const fn fate(mode: In, form: &'static str, fate: Fate) -> Row {
    Row { mode, form, tail: REST, action: Action::Fate(fate) }
}

/// A command without a fold that opens a submode.
const fn opens(mode: In, form: &'static str, fate: Fate) -> Row {
    Row { mode, form, tail: REST, action: Action::Opens(fate) }
}

/// The model while it is being built, and the line at hand.
pub(crate) struct Fold<'c> {
    pub(crate) config: &'c mut Config,
    pub(crate) mode: Mode,
    /// Of `interface range`, the other interfaces that the lines below it are of, by their indexes.
    pub(crate) also: Vec<usize>,
    /// It was preceded by `no` or `default`.
    pub(crate) no: bool,
    /// It was `default`; only for commands whose default is not what `no` leaves.
    pub(crate) default: bool,
    pub(crate) line: u32,
    /// Arguments of the form.
    pub(crate) arguments: Vec<String>,
    /// The rest of the line as written, for texts with spaces.
    pub(crate) raw: String,
    /// The raw text after the line.
    pub(crate) block: Vec<String>,
    /// Set by a fold whose line is accepted but has a remark.
    pub(crate) fate: Option<Fate>,
}

impl Fold<'_> {
    /// The value of a setting; `no` and `default` leave none.
    pub(crate) fn unless_no<T>(&self, value: Option<T>) -> Option<T> {
        if self.no { None } else { value }
    }

    pub(crate) fn argument(&self, index: usize) -> String {
        self.arguments.get(index).cloned().unwrap_or_default()
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
        dhcp::ROWS,
        inert::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// `[0|5|6|7|8|9] TEXT`
pub(crate) fn password(cursor: &mut Cursor<'_>, default: u8) -> Result<Password, Problem> {
    let first = cursor.word("a password")?;
    match (first, cursor.peek()) {
        ("0" | "4" | "5" | "6" | "7" | "8" | "9", Some(text)) => {
            let kind = first.parse().unwrap_or(default);
            cursor.next();
            Ok(Password::new(kind, text))
        }
        _ => Ok(Password::new(default, first)),
    }
}

/// Finds the item with a key, or makes it.
pub(crate) fn entry<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    match list.iter().position(is) {
        Some(place) => place,
        None => {
            list.push(make());
            list.len() - 1
        }
    }
}
