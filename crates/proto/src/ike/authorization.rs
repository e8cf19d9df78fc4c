//! Authorisation is a value. Quick mode and mode-config take an [`AuthorizedPeer`]; only what this
//! file does makes one (the answer to CVE-2005-1057 and CVE-2005-1058, where a router forgot to
//! ask).

/// The peer may negotiate child SAs and ask for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedPeer {
    user: Option<String>,
}

/// What stands between a proven phase-1 identity and everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Xauth against this login list must pass first.
    Xauth {
        /// `aaa authentication login` list.
        list: String,
    },
    /// Nothing more is asked.
    Open(AuthorizedPeer),
}

/// The AAA list accepted this user, and the peer acknowledged it.
#[derive(Debug)]
pub struct XauthPassed {
    user: String,
}

impl XauthPassed {
    /// To be called with the acknowledgement of a SET that said so, after the list accepted `user`.
    pub(super) fn acknowledged(user: String) -> Self {
        Self { user }
    }
}

impl Gate {
    /// The gate of a peer whose profile (or crypto map) asks for `xauth_list`, or for nothing.
    pub fn of_peer(xauth_list: Option<&String>) -> Self {
        match xauth_list {
            Some(list) => Self::Xauth { list: list.clone() },
            None => Self::Open(AuthorizedPeer { user: None }),
        }
    }

    /// The gate towards a gateway that we called and that proved its identity.
    pub fn of_gateway() -> Self {
        Self::Open(AuthorizedPeer { user: None })
    }

    /// Opens by a passed Xauth.
    pub fn pass(&mut self, proof: XauthPassed) {
        *self = Self::Open(AuthorizedPeer { user: Some(proof.user) });
    }

    /// The token, once there is one.
    pub fn authorized(&self) -> Option<&AuthorizedPeer> {
        match self {
            Self::Open(peer) => Some(peer),
            Self::Xauth { .. } => None,
        }
    }
}

impl AuthorizedPeer {
    /// The Xauth user.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}
