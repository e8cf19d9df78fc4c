//! The modes of the configuration, and what becomes of commands that change nothing in them.

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
    NatPool(usize),
    RouteMap(usize, usize),
    Archive,
    ArchiveLog,
    /// A submode whose commands share their parent's fate.
    Opaque(Fate, Sub),
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
    NatPool,
    RouteMap,
    Archive,
    ArchiveLog,
}

impl In {
    /// Every kind.
    pub(crate) const ALL: [Self; 23] = [
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
        Self::NatPool,
        Self::RouteMap,
        Self::Archive,
        Self::ArchiveLog,
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
            Self::NatPool(_) => In::NatPool,
            Self::RouteMap(..) => In::RouteMap,
            Self::Archive => In::Archive,
            Self::ArchiveLog => In::ArchiveLog,
            Self::Opaque(..) | Self::Unknown => return None,
        })
    }
}

/// The modes whose commands are known by name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sub {
    /// Its commands are not known: everything that is indented under it is its own.
    Anything,
    /// Opened by a command that is not known to open a mode; the lines indented under it are its
    /// own unless they are known elsewhere.
    Loose,
    // routing
    Router,
    RouterFamily,
    RouterInterface,
    RouterTemplate,
    Vrf,
    VrfFamily,
    KeyChain,
    Key,
    // policies
    ClassMap,
    PolicyMap,
    PolicyClass,
    PolicyAction,
    ParameterMap,
    Zone,
    ZonePair,
    ObjectGroup,
    ControlPlane,
    Acl6,
    // crypto
    Trustpoint,
    CertificateMap,
    CertificateChain,
    PkiServer,
    PubkeyRing,
    Pubkey,
    IpsecProfile,
    IsakmpPeer,
    Ezvpn,
    Ikev2Proposal,
    Ikev2Policy,
    Ikev2Keyring,
    Ikev2Peer,
    Ikev2Profile,
    Ikev2Authorization,
    Ikev2Client,
    Gdoi,
    GdoiServer,
    GdoiSa,
    Identity,
    // the parts of an interface
    Pvc,
    ServiceInstance,
    Xconnect,
    // services
    Sla,
    Track,
    Applet,
    AaaServers,
    AaaServer,
    AttributeList,
    Flow,
    DhcpClass,
    Dhcp6Pool,
    Kron,
    View,
    Redundancy,
    Controller,
    Vlan,
    Vpdn,
    PppoeGroup,
    L2tpClass,
    Monitor,
    MonitorPart,
    Voice,
    Webvpn,
    CallHome,
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
