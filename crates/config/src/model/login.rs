//! Who may log in to this router, and how: users, terminal lines, `enable`, SSH, AAA.

use crate::secret::Password;

/// `username`.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Name.
    pub name: String,
    /// `privilege`.
    pub privilege: Option<u8>,
    /// `password` or `secret`.
    pub password: Option<Password>,
    /// Line.
    pub line: u32,
}

/// Which terminal lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// `line con 0`
    Console,
    /// `line vty`: SSH sessions.
    Vty,
    /// Lines that do not exist here.
    #[default]
    Other,
}

/// How a terminal line authenticates users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineLogin {
    /// `no login`: it does not ask.
    Nobody,
    /// `login`: the line's password.
    Password,
    /// `login local`: users and their passwords.
    Local,
    /// `login authentication LIST`.
    List(String),
}

/// `exec-timeout`: when an idle session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecTimeout {
    /// `exec-timeout 0 0`
    Never,
    /// After this many seconds.
    After(u32),
}

/// `line`: the settings of one or several lines. What several say of a line, the last says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TerminalLine {
    /// Kind.
    pub kind: LineKind,
    /// First line.
    pub first: u16,
    /// Last line.
    pub last: u16,
    /// `exec-timeout`; ten minutes unless given.
    pub exec_timeout: Option<ExecTimeout>,
    /// `login`.
    pub login: Option<LineLogin>,
    /// `password`.
    pub password: Option<Password>,
    /// `privilege level`.
    pub privilege: Option<u8>,
    /// `access-class LIST in`.
    pub access_class: Option<String>,
    /// Whether `transport input` names SSH.
    pub ssh: Option<bool>,
    /// Whether it opens a session at all: `no exec`.
    pub exec: Option<bool>,
    /// `length`, rows of a page.
    pub length: Option<u16>,
    /// `width`, columns.
    pub width: Option<u16>,
    /// Line.
    pub line: u32,
}

/// `enable secret` or `enable password`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnablePassword {
    /// The privilege level that it gives.
    pub level: u8,
    /// Whether it is a `secret`, which counts instead of the `password`.
    pub secret: bool,
    /// The password.
    pub password: Password,
    /// Line.
    pub line: u32,
}

/// `ip ssh`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ssh {
    /// `time-out`: seconds for logging in; 120 unless given.
    pub time_out: Option<u8>,
    /// `authentication-retries`; 3 unless given.
    pub retries: Option<u8>,
    /// `pubkey-chain`.
    pub keys: Vec<UserKey>,
}

/// The public keys of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserKey {
    /// The user.
    pub user: String,
    /// `key-string`: keys in base64 (RFC 4253 section 6.6).
    pub strings: Vec<String>,
    /// `key-hash`: algorithm, and MD5 of the key in hexadecimal.
    pub hashes: Vec<(String, String)>,
    /// Line.
    pub line: u32,
}

/// AAA settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aaa {
    /// `aaa new-model`.
    pub new_model: bool,
    /// `aaa authentication login`.
    pub login: Vec<AaaList>,
    /// `aaa authorization network`.
    pub network: Vec<AaaList>,
}

/// A named list of methods.
#[derive(Clone, Debug, PartialEq)]
pub struct AaaList {
    /// Name.
    pub name: String,
    /// Methods, in order.
    pub methods: Vec<AaaMethod>,
    /// Line.
    pub line: u32,
}

/// One method of a list: who is asked, and in which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AaaMethod {
    /// `local`: the users of this configuration; their names in either case.
    Local,
    /// `local-case`: the same, with their names as they are written.
    LocalCase,
    /// `none`: everybody passes.
    None,
    /// `enable`: the enable password.
    Enable,
    /// `line`: the line's password.
    Line,
    /// `if-authenticated`: whoever has logged in.
    IfAuthenticated,
    /// `krb5`.
    Krb5,
    /// `krb5-telnet`.
    Krb5Telnet,
    /// `ldap`.
    Ldap,
    /// `group NAME`: RADIUS or TACACS+ servers.
    Group(String),
    /// `cache NAME`: what the servers of a group answered before.
    Cache(String),
    /// Another word, in lower case.
    Other(String),
}

impl AaaMethod {
    /// The keywords that stand for a method by themselves.
    pub(crate) const KEYWORDS: &[(&'static str, Self)] = &[
        ("local", Self::Local),
        ("local-case", Self::LocalCase),
        ("none", Self::None),
        ("enable", Self::Enable),
        ("line", Self::Line),
        ("if-authenticated", Self::IfAuthenticated),
        ("krb5", Self::Krb5),
        ("krb5-telnet", Self::Krb5Telnet),
        ("ldap", Self::Ldap),
    ];

    /// Whether the users or groups of this configuration answer.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local | Self::LocalCase)
    }

    /// Whether a server answers, which is not implemented.
    pub const fn asks_a_server(&self) -> bool {
        matches!(self, Self::Group(_) | Self::Krb5 | Self::Ldap)
    }
}
