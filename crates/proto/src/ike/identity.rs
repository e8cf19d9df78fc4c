//! Identification payloads: a peer's identity in phase 1, its proxy identities in phase 2.

use crate::flow::selector::{AddressRange, Selector};
use crate::limits;
use crate::names::Untrusted;
use crate::policy::{IdentityMatch, SelfIdentity};
use crate::wire::reader::{Reader, Truncated};
use crate::wire::registry::id;
use std::net::{IpAddr, Ipv4Addr};

/// A phase-1 identity. The hashes cover the payload's bytes as received, not this value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// ID_IPV4_ADDR.
    Address(Ipv4Addr),
    /// ID_FQDN.
    Fqdn(String),
    /// ID_USER_FQDN.
    UserFqdn(String),
    /// ID_KEY_ID, the group name of a Cisco client; trailing NULs are removed.
    KeyId(Vec<u8>),
    /// Another type.
    Other(u8, Vec<u8>),
}

/// Why an ID payload cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Too short.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Longer than we accept.
    #[error("an identity of more than {} bytes", limits::IDENTITY_BYTES)]
    TooLong,
    /// The type names no addresses.
    #[error("identity type {0} names no addresses")]
    Type(u8),
    /// A mask with holes, a range upside down, or the address 0.0.0.0.
    #[error("the identity names no usable addresses")]
    Addresses,
}

impl Identity {
    /// Reads a phase-1 ID payload's body; protocol and port are ignored.
    pub fn parse(body: &[u8]) -> Result<Self, IdentityError> {
        let mut reader = Reader::new("an ID payload", body);
        let kind = reader.u8()?;
        let _protocol_and_port = reader.bytes(3)?;
        let data = reader.rest();
        if data.len() > limits::IDENTITY_BYTES {
            return Err(IdentityError::TooLong);
        }
        Ok(match kind {
            id::IPV4_ADDR => {
                let octets: [u8; 4] = data.try_into().map_err(|_| Truncated("an ID payload"))?;
                Self::Address(octets.into())
            }
            id::FQDN => Self::Fqdn(String::from_utf8_lossy(data).into_owned()),
            id::USER_FQDN => Self::UserFqdn(String::from_utf8_lossy(data).into_owned()),
            id::KEY_ID => {
                let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                Self::KeyId(data.get(..end).unwrap_or_default().to_vec())
            }
            other => Self::Other(other, data.to_vec()),
        })
    }

    /// The ID payload's body for one of our own identities: protocol UDP and `port` (500, or 0
    /// after floating to port 4500, as on IOS).
    pub fn write(own: &SelfIdentity, local: IpAddr, port: u16) -> Vec<u8> {
        let (kind, data) = match (own, local) {
            (SelfIdentity::Address, IpAddr::V4(address)) => (id::IPV4_ADDR, address.octets().to_vec()),
            (SelfIdentity::Address, IpAddr::V6(address)) => (5, address.octets().to_vec()),
            (SelfIdentity::Fqdn(name), _) => (id::FQDN, name.clone().into_bytes()),
            (SelfIdentity::UserFqdn(name), _) => (id::USER_FQDN, name.clone().into_bytes()),
            (SelfIdentity::KeyId(name), _) => (id::KEY_ID, name.clone().into_bytes()),
        };
        let mut out = vec![kind, 17];
        out.extend(port.to_be_bytes());
        out.extend(data);
        out
    }

    /// How well a `match identity` line matches: the length of the matching prefix, or `None` if it
    /// does not match.
    pub fn matches(&self, line: &IdentityMatch) -> Option<u8> {
        let fits = |yes: bool| yes.then_some(u8::MAX);
        match (line, self) {
            (IdentityMatch::Group(name), Self::KeyId(group)) => fits(name.as_bytes() == group),
            (IdentityMatch::Address(range), Self::Address(address)) => range
                .contains(IpAddr::V4(*address))
                .then(|| range.to_prefix().map_or(0, |prefix| prefix.prefix_len())),
            (IdentityMatch::Host(name), Self::Fqdn(host)) => fits(name.eq_ignore_ascii_case(host)),
            (IdentityMatch::HostDomain(domain), Self::Fqdn(host)) => {
                fits(host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)))
            }
            (IdentityMatch::User(name), Self::UserFqdn(user)) => fits(name == user),
            (IdentityMatch::UserDomain(domain), Self::UserFqdn(user)) => {
                fits(user.split_once('@').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)))
            }
            _ => None,
        }
    }

    /// The identity for logs and `show`.
    pub fn display(&self) -> Untrusted {
        match self {
            Self::Address(address) => Untrusted::new(address.to_string()),
            Self::Fqdn(name) | Self::UserFqdn(name) => Untrusted::new(name.as_bytes()),
            Self::KeyId(bytes) | Self::Other(_, bytes) => Untrusted::new(bytes.as_slice()),
        }
    }
}

/// The proxy identity of one side of a phase-2 proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Addresses.
    pub range: AddressRange,
    /// Protocol; `None` is any.
    pub protocol: Option<u8>,
    /// Port; `None` is any.
    pub port: Option<u16>,
}

impl Proxy {
    /// Reads a phase-2 ID payload's body. The address 0.0.0.0 as a host means everything to Unity
    /// clients and nothing to other peers.
    pub fn parse(body: &[u8], unity: bool) -> Result<Self, IdentityError> {
        let mut reader = Reader::new("an ID payload", body);
        let (kind, protocol, port) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let range = match kind {
            id::IPV4_ADDR => {
                let address = Ipv4Addr::from(reader.array::<4>()?);
                match (address.is_unspecified(), unity) {
                    (false, _) => AddressRange::host(address.into()),
                    (true, true) => AddressRange::ANY_V4,
                    (true, false) => return Err(IdentityError::Addresses),
                }
            }
            id::IPV4_ADDR_SUBNET => {
                let address = u32::from_be_bytes(reader.array()?);
                let mask = u32::from_be_bytes(reader.array()?);
                if mask.leading_ones() + mask.trailing_zeros() != 32 {
                    return Err(IdentityError::Addresses);
                }
                let first = Ipv4Addr::from(address & mask);
                let last = Ipv4Addr::from(address | !mask);
                AddressRange::new(first.into(), last.into()).ok_or(IdentityError::Addresses)?
            }
            id::IPV4_ADDR_RANGE => {
                let first = Ipv4Addr::from(reader.array::<4>()?);
                let last = Ipv4Addr::from(reader.array::<4>()?);
                AddressRange::new(first.into(), last.into()).ok_or(IdentityError::Addresses)?
            }
            other => return Err(IdentityError::Type(other)),
        };
        if !reader.is_empty() {
            return Err(IdentityError::Truncated(Truncated("an ID payload")));
        }
        // nor is 0.0.0.0 usable when it is sent as a subnet or range of one address
        if range == AddressRange::host(Ipv4Addr::UNSPECIFIED.into()) {
            return Err(IdentityError::Addresses);
        }
        Ok(Self { range, protocol: (protocol != 0).then_some(protocol), port: (port != 0).then_some(port) })
    }

    /// The ID payload's body: an address, a subnet, or a range.
    pub fn write(&self) -> Vec<u8> {
        let (kind, data) = match (self.range.first(), self.range.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first == last => {
                (id::IPV4_ADDR, first.octets().to_vec())
            }
            (IpAddr::V4(first), IpAddr::V4(last)) => match self.range.to_prefix() {
                Some(prefix) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.prefix_len())).unwrap_or(0);
                    (id::IPV4_ADDR_SUBNET, [first.octets(), mask.to_be_bytes()].concat())
                }
                None => (id::IPV4_ADDR_RANGE, [first.octets(), last.octets()].concat()),
            },
            // IPv6 selectors are not negotiated yet; they never reach an IKEv1 exchange
            (first, _) => (5, first.to_string().into_bytes()),
        };
        let mut out = vec![kind, self.protocol.unwrap_or(0)];
        out.extend(self.port.unwrap_or(0).to_be_bytes());
        out.extend(data);
        out
    }

    /// Our selector, from our and the peer's proxy identity; the protocols must agree.
    pub fn selector(local: &Self, remote: &Self) -> Option<Selector> {
        let protocol = match (local.protocol, remote.protocol) {
            (Some(ours), Some(theirs)) if ours != theirs => return None,
            (ours, theirs) => ours.or(theirs),
        };
        Some(Selector {
            local: local.range,
            remote: remote.range,
            protocol,
            local_port: local.port,
            remote_port: remote.port,
        })
    }

    /// Both proxy identities of a selector: ours, then the peer's.
    pub fn of(selector: &Selector) -> (Self, Self) {
        (
            Self { range: selector.local, protocol: selector.protocol, port: selector.local_port },
            Self { range: selector.remote, protocol: selector.protocol, port: selector.remote_port },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_round_trip() {
        for text in ["0.0.0.0/0", "10.1.0.0/16", "10.5.5.1/32", "10.0.0.0/31"] {
            let range = AddressRange::prefix(text.parse().unwrap());
            let proxy = Proxy { range, protocol: Some(6), port: Some(80) };
            assert_eq!(Proxy::parse(&proxy.write(), false).unwrap(), proxy, "{text}");
        }
        let range = AddressRange::new("10.0.0.1".parse().unwrap(), "10.0.0.9".parse().unwrap()).unwrap();
        let proxy = Proxy { range, protocol: None, port: None };
        assert_eq!(Proxy::parse(&proxy.write(), false).unwrap(), proxy);
    }

    #[test]
    fn a_host_of_zeros_is_everything_to_unity_clients_only() {
        let body = [1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Proxy::parse(&body, true).unwrap().range, AddressRange::ANY_V4);
        assert_eq!(Proxy::parse(&body, false), Err(IdentityError::Addresses));
    }

    #[test]
    fn masks_with_holes_and_wrong_lengths_are_refused() {
        assert_eq!(
            Proxy::parse(&[4, 0, 0, 0, 10, 0, 0, 0, 255, 0, 255, 0], false),
            Err(IdentityError::Addresses)
        );
        assert_eq!(
            Proxy::parse(&[7, 0, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1], false),
            Err(IdentityError::Addresses)
        );
        assert!(Proxy::parse(&[1, 0, 0, 0, 10, 0, 0], false).is_err());
        assert!(Proxy::parse(&[1, 0, 0, 0, 10, 0, 0, 1, 1], false).is_err());
        assert_eq!(Proxy::parse(b"\x02\0\0\0a.b", false), Err(IdentityError::Type(2)));
    }

    #[test]
    fn group_names_lose_their_padding() {
        let identity = Identity::parse(b"\x0b\x11\x01\xf4testgroup\0\0").unwrap();
        assert!(identity.matches(&IdentityMatch::Group("testgroup".into())).is_some());
        assert!(identity.matches(&IdentityMatch::Group("testgrou".into())).is_none());
    }

    #[test]
    fn identity_length_limit() {
        let mut body = vec![2, 0, 0, 0];
        body.resize(4 + limits::IDENTITY_BYTES, b'a');
        assert!(Identity::parse(&body).is_ok());
        body.push(b'a');
        assert_eq!(Identity::parse(&body), Err(IdentityError::TooLong));
    }
}
