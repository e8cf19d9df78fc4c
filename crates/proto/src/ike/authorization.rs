//! Authorisation is a value. Quick mode and mode-config take an [`AuthorizedPeer`], and only the
//! code in this file creates one (the answer to CVE-2005-1057 and CVE-2005-1058, where a router did
//! not check).

/// The peer may negotiate child SAs and ask for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedPeer {
    user: Option<String>,
}

/// The authorisation state of a peer whose phase-1 identity is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Xauth against this login list must pass first.
    Xauth {
        /// `aaa authentication login` list.
        list: String,
    },
    /// Nothing more is required.
    Open(AuthorizedPeer),
}

/// The AAA list accepted this user, and the peer acknowledged it.
#[derive(Debug)]
pub struct XauthPassed {
    user: String,
}

impl XauthPassed {
    /// Call this when the peer has acknowledged the SET that reported success, after the list
    /// accepted `user`.
    pub(super) fn acknowledged(user: String) -> Self {
        Self { user }
    }
}

impl Gate {
    /// The gate of a peer whose profile (or crypto map) requires `xauth_list`, or nothing.
    pub fn of_peer(xauth_list: Option<&String>) -> Self {
        match xauth_list {
            Some(list) => Self::Xauth { list: list.clone() },
            None => Self::Open(AuthorizedPeer { user: None }),
        }
    }

    /// The gate for a gateway to which we initiated and that proved its identity.
    pub fn of_gateway() -> Self {
        Self::Open(AuthorizedPeer { user: None })
    }

    /// Opens the gate after Xauth passed.
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
