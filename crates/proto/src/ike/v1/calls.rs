//! Peers that have sent only message 1 of main mode.
//!
//! Message 1 proves nothing about its sender, who can forge any address, and costs us a few hundred
//! bytes until message 3 proves that the sender receives what we send to that address. So we keep
//! no SA for it, but a record of what message 3 needs, and no timer of its own: the oldest records
//! expire together.
//!
//! Every message 1 is accepted. When there are too many records, the oldest of its class is
//! dropped. A real peer sends message 3 after one round trip, long before its record is the oldest.
//! Known addresses have a class of their own, which a flood from forged addresses does not fill.
//! One address has only some of the records, because somebody who forges it may know that it is
//! known; and when there are too many of known addresses, the address with the most records loses
//! one, so that forging a few of them does not push out the others. Long proposals of strangers are a class too, so that their bytes are bounded.

use crate::ike::natt::Dialect;
use crate::ike::pace::Repeats;
use crate::ike::proposal::Phase1Suite;
use crate::ike::v1::sa::{IsakmpSa, Seen, State};
use crate::ike::v1::states::MainResponder;
use crate::ike::vendor::Vendors;
use crate::limits;
use crate::names::ConnId;
use crate::path::Path;
use crate::policy::Phase1Mode;
use crate::time::Instant;
use crate::wire::isakmp::Cookies;
use crate::wire::isakmp::{Cookie, Header};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What message 3 needs of message 1.
pub(crate) struct Call {
    pub(crate) id: ConnId,
    pub(crate) path: Path,
    cookies: Cookies,
    created: Instant,
    suite: Phase1Suite,
    vendors: Vendors,
    dialect: Option<Dialect>,
    /// The digest of message 1.
    pub(crate) digest: [u8; 32],
    pub(crate) repeats: Repeats,
    class: Class,
    /// Whether `show` commands list it. During a flood there are more than anybody reads.
    pub(crate) shown: bool,
    /// The body of its SA payload, which the hashes of messages 5 and 6 cover.
    sa_body: Box<[u8]>,
}

impl Call {
    /// The record of an SA that has answered message 1.
    pub(crate) fn of(sa: IsakmpSa, digest: [u8; 32], class: Class, now: Instant) -> Option<Self> {
        let State::MainResponder(state) = sa.state else { return None };
        let MainResponder::Proposed { sa_body } = *state else { return None };
        Some(Self {
            id: sa.id,
            path: sa.path,
            cookies: sa.cookies,
            created: sa.created,
            suite: sa.suite?,
            vendors: sa.vendors,
            dialect: sa.dialect,
            digest,
            repeats: Repeats::first(now),
            class,
            shown: false,
            sa_body: sa_body.into_boxed_slice(),
        })
    }

    /// The SA as it was when message 1 was answered.
    pub(crate) fn resume(&self) -> IsakmpSa {
        let mut seen = Seen::default();
        seen.remember(self.digest, 0, None, self.created);
        let state = MainResponder::Proposed { sa_body: self.sa_body.to_vec() };
        IsakmpSa {
            suite: Some(self.suite),
            vendors: self.vendors,
            dialect: self.dialect,
            seen,
            state: State::MainResponder(Box::new(state)),
            ..IsakmpSa::new(self.id, self.path, Phase1Mode::Main, false, self.cookies, self.created)
        }
    }

    pub(crate) fn until(&self) -> Instant {
        self.created + limits::HALF_OPEN_TIME
    }
}

/// Records that compete for the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// From known addresses.
    Known,
    /// From others.
    Stranger,
    /// From others, with a long proposal.
    StrangerAtLength,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Known, Self::Stranger, Self::StrangerAtLength];

    /// How many records there may be, and how many bytes their proposals may have.
    const fn room(self) -> (usize, usize) {
        match self {
            Self::Known => (limits::CALLED_KNOWN, limits::CALLED_KNOWN_BYTES),
            Self::Stranger => (limits::CALLED, usize::MAX),
            Self::StrangerAtLength => (limits::CALLED_LONG, limits::CALLED_LONG_BYTES),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    count: usize,
    bytes: usize,
}

/// The records of each known address.
#[derive(Debug, Default)]
struct Crowds {
    of: BTreeMap<IpAddr, BTreeSet<u64>>,
    by_size: BTreeSet<(usize, IpAddr)>,
}

impl Crowds {
    fn insert(&mut self, source: IpAddr, record: u64) {
        self.resize(source, |records| records.insert(record));
    }

    fn remove(&mut self, source: IpAddr, record: u64) {
        self.resize(source, |records| records.remove(&record));
    }

    fn resize(&mut self, source: IpAddr, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let records = self.of.entry(source).or_default();
        self.by_size.remove(&(records.len(), source));
        change(records);
        if records.is_empty() {
            self.of.remove(&source);
        } else {
            self.by_size.insert((records.len(), source));
        }
    }

    /// The oldest record of the address that has the most.
    fn oldest_of_most(&self) -> Option<u64> {
        let (_, source) = self.by_size.last()?;
        self.of.get(source)?.first().copied()
    }
}

/// All records.
#[derive(Default)]
pub(crate) struct Calls {
    /// Boxed, because the nodes of a tree are half empty. The keys ascend with time.
    pub(crate) records: BTreeMap<u64, Box<Call>>,
    next: u64,
    order: BTreeSet<(Class, u64)>,
    of_source: BTreeSet<(IpAddr, u64)>,
    crowd: BTreeMap<IpAddr, usize>,
    known: Crowds,
    by_cookie: BTreeMap<Cookie, u64>,
    by_message: BTreeMap<(IpAddr, Cookie), u64>,
    shown: BTreeMap<ConnId, u64>,
    tallies: BTreeMap<Class, Tally>,
}

impl Calls {
    /// Keeps a record; returns those that made room for it.
    pub(crate) fn insert(&mut self, mut call: Call) -> Vec<Call> {
        let (source, class, bytes) = (call.path.remote, call.class, call.sa_body.len());
        let mut gone = Vec::new();
        if self.crowd.get(&source).is_some_and(|crowd| *crowd >= limits::CALLED_PER_SOURCE) {
            let oldest =
                self.of_source.range((source, 0)..=(source, u64::MAX)).next().map(|(_, number)| *number);
            gone.extend(oldest.and_then(|number| self.remove(number)));
        }
        while self.is_full(class, bytes)
            && let Some(oldest) = self.dispensable(class)
        {
            gone.extend(self.remove(oldest));
        }
        let number = self.next;
        self.next += 1;
        call.shown = self.shown.len() < limits::CALLED_SHOWN;
        if call.shown {
            self.shown.insert(call.id, number);
        }
        self.order.insert((class, number));
        if class == Class::Known {
            self.known.insert(source, number);
        }
        self.of_source.insert((source, number));
        *self.crowd.entry(source).or_default() += 1;
        self.by_cookie.insert(call.cookies.responder, number);
        self.by_message.insert((source, call.cookies.initiator), number);
        let tally = self.tallies.entry(class).or_default();
        *tally = Tally { count: tally.count + 1, bytes: tally.bytes + bytes };
        self.records.insert(number, Box::new(call));
        gone
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Call> {
        let call = *self.records.remove(&number)?;
        let source = call.path.remote;
        self.order.remove(&(call.class, number));
        if call.class == Class::Known {
            self.known.remove(source, number);
        }
        self.of_source.remove(&(source, number));
        if let Some(crowd) = self.crowd.get_mut(&source) {
            *crowd -= 1;
            if *crowd == 0 {
                self.crowd.remove(&source);
            }
        }
        self.by_cookie.remove(&call.cookies.responder);
        self.by_message.remove(&(source, call.cookies.initiator));
        self.shown.remove(&call.id);
        if let Some(tally) = self.tallies.get_mut(&call.class) {
            *tally = Tally { count: tally.count - 1, bytes: tally.bytes - call.sa_body.len() };
        }
        Some(call)
    }

    /// Whether a class has no room for another record with a proposal of this many bytes.
    fn is_full(&self, class: Class, bytes: usize) -> bool {
        let (most, most_bytes) = class.room();
        let tally = self.tallies.get(&class).copied().unwrap_or_default();
        tally.count >= most || tally.bytes.saturating_add(bytes) > most_bytes
    }

    /// The record that makes room for another one of its class. Strangers' addresses are forged at
    /// will, so how many records one of them has says nothing; few know which addresses are known.
    fn dispensable(&self, class: Class) -> Option<u64> {
        match class {
            Class::Known => self.known.oldest_of_most(),
            Class::Stranger | Class::StrangerAtLength => self.oldest(class),
        }
    }

    pub(crate) fn oldest(&self, class: Class) -> Option<u64> {
        self.order.range((class, 0)..=(class, u64::MAX)).next().map(|(_, number)| *number)
    }

    /// The record that a message is for.
    pub(crate) fn find(&self, source: IpAddr, header: &Header) -> Option<u64> {
        if header.responder == Cookie::ZERO {
            self.by_message.get(&(source, header.initiator)).copied()
        } else {
            self.by_cookie.get(&header.responder).copied()
        }
    }

    /// Whether a cookie is in use.
    pub(crate) fn has_cookie(&self, cookie: &Cookie) -> bool {
        self.by_cookie.contains_key(cookie)
    }

    /// When the next record expires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let oldest = Class::ALL.into_iter().filter_map(|class| self.oldest(class));
        oldest.filter_map(|number| self.records.get(&number)).map(|call| call.until()).min()
    }

    /// A record that `show` commands list.
    pub(crate) fn shown(&self, id: ConnId) -> Option<&Call> {
        self.shown.get(&id).and_then(|number| self.records.get(number)).map(Box::as_ref)
    }

    /// The ids of the records that `show` commands list.
    pub(crate) fn shown_ids(&self) -> impl Iterator<Item = ConnId> {
        self.shown.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{InterfaceId, VrfId};
    use crate::path::Encapsulation;
    use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
    use std::time::Duration;

    fn call(number: u32, source: u32, class: Class, bytes: usize) -> Call {
        let cookie = |side: u32| Cookie((u64::from(number) << 8 | u64::from(side)).to_be_bytes());
        let path = Path {
            local: IpAddr::from([192, 0, 2, 1]),
            local_port: 500,
            remote: IpAddr::V4(source.into()),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let suite = Phase1Suite {
            cipher: IkeCipher::TripleDes,
            hash: HashAlg::Sha1,
            group: DhGroup::Modp1024,
            method: 1,
            lifetime: Duration::from_secs(86_400),
            wished: None,
            told: false,
        };
        Call {
            id: ConnId(number),
            path,
            cookies: Cookies { initiator: cookie(1), responder: cookie(2) },
            created: Instant::ORIGIN,
            suite,
            vendors: Vendors::default(),
            dialect: None,
            digest: [0; 32],
            repeats: Repeats::first(Instant::ORIGIN),
            class,
            shown: false,
            sa_body: vec![0; bytes].into(),
        }
    }

    /// With a proposal of one transform, 56 bytes.
    #[test]
    fn a_record_takes_at_most_300_bytes() {
        let size = size_of::<Call>() + 56;
        assert!(size <= 300, "{size} bytes");
    }

    /// Strangers do not push known peers out, nor each other those with longer proposals.
    #[test]
    fn classes_are_apart() {
        let mut calls = Calls::default();
        assert!(calls.insert(call(1, 1, Class::Known, 56)).is_empty());
        assert!(calls.insert(call(2, 2, Class::StrangerAtLength, 500)).is_empty());
        let most = u32::try_from(limits::CALLED).unwrap();
        for number in 0..3 * most {
            let gone = calls.insert(call(10 + number, 10 + number, Class::Stranger, 56));
            let oldest = number.checked_sub(most).map(|number| 10 + number);
            assert_eq!(gone.first().map(|call| call.id.0), oldest);
        }
        assert_eq!(calls.records.len(), limits::CALLED + 2);
        assert!(calls.shown(ConnId(1)).is_some() && calls.shown(ConnId(2)).is_some());
        let long = u32::try_from(limits::CALLED_LONG).unwrap();
        for number in 0..2 * long {
            calls.insert(call(1_000_000 + number, number, Class::StrangerAtLength, 2_000));
            assert!(calls.tallies[&Class::StrangerAtLength].bytes <= limits::CALLED_LONG_BYTES);
        }
        assert!(calls.shown(ConnId(1)).is_some() && calls.shown(ConnId(2)).is_none());
    }

    /// Somebody forges a few known addresses, as many as fill the class: a peer at another one keeps
    /// its record, and so do several behind one NAT.
    #[test]
    fn a_few_forged_known_addresses_push_out_no_other() {
        let mut calls = Calls::default();
        let honest = 100;
        assert!(calls.insert(call(1, 1, Class::Known, 56)).is_empty());
        for number in 2..honest {
            assert!(calls.insert(call(number, 2, Class::Known, 56)).is_empty());
        }
        let most = u32::try_from(limits::CALLED_KNOWN).unwrap();
        for number in 0..3 * most {
            for gone in calls.insert(call(honest + number, 10 + number % 8, Class::Known, 56)) {
                assert!(gone.id.0 >= honest, "{}", gone.id.0);
            }
        }
        assert_eq!(calls.records.len(), limits::CALLED_KNOWN);
        assert!((1..honest).all(|id| calls.shown(ConnId(id)).is_some()));
    }

    /// One address pushes out only itself, and what is removed leaves nothing behind.
    #[test]
    fn one_address_has_some_of_the_records() {
        let mut calls = Calls::default();
        assert!(calls.insert(call(1, 1, Class::Known, 56)).is_empty());
        let most = u32::try_from(limits::CALLED_PER_SOURCE).unwrap();
        for number in 0..2 * most {
            let gone = calls.insert(call(10 + number, 2, Class::Known, 56));
            assert_eq!(
                gone.first().map(|call| call.id.0),
                number.checked_sub(most).map(|number| 10 + number)
            );
        }
        assert_eq!(calls.records.len(), limits::CALLED_PER_SOURCE + 1);
        for number in calls.records.keys().copied().collect::<Vec<_>>() {
            calls.remove(number);
        }
        assert!(calls.order.is_empty() && calls.of_source.is_empty() && calls.crowd.is_empty());
        assert!(calls.known.of.is_empty() && calls.known.by_size.is_empty());
        assert!(calls.by_cookie.is_empty() && calls.by_message.is_empty() && calls.shown.is_empty());
        assert!(calls.tallies.values().all(|tally| *tally == Tally::default()));
    }
}
