//! Addresses of peers that we know. Whoever floods the gateway forges addresses or has them from
//! elsewhere; the places that are kept for known addresses are therefore not his to fill.

use crate::ike::lookup;
use crate::limits;
use crate::policy::Policy;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The addresses from which somebody authenticated lately, and those that the configuration names.
#[derive(Default)]
pub(crate) struct Known {
    authenticated: BTreeMap<IpAddr, Instant>,
    by_time: BTreeSet<(Instant, IpAddr)>,
    /// Static peers, and hosts with a key of their own.
    configured: BTreeSet<IpAddr>,
    /// The policy from which `configured` was made.
    policy: Option<Arc<Policy>>,
}

impl Known {
    /// Somebody authenticated from this address.
    pub(crate) fn note(&mut self, source: IpAddr, now: Instant) {
        if let Some(before) = self.authenticated.insert(source, now) {
            self.by_time.remove(&(before, source));
        }
        self.by_time.insert((now, source));
        while let Some((at, oldest)) = self.by_time.first().copied() {
            let old = now.since(at) > limits::KNOWN_TIME;
            if !old && self.by_time.len() <= limits::KNOWN_SOURCES {
                break;
            }
            self.by_time.remove(&(at, oldest));
            self.authenticated.remove(&oldest);
        }
    }

    pub(crate) fn has_authenticated(&self, source: IpAddr, now: Instant) -> bool {
        self.authenticated.get(&source).is_some_and(|at| now.since(*at) <= limits::KNOWN_TIME)
    }

    /// Whether a policy names this address. A policy is searched once.
    pub(crate) fn is_configured(&mut self, policy: &Arc<Policy>, source: IpAddr) -> bool {
        if !self.policy.as_ref().is_some_and(|known| Arc::ptr_eq(known, policy)) {
            self.configured = lookup::named_addresses(policy);
            self.policy = Some(Arc::clone(policy));
        }
        self.configured.contains(&source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Instant = Instant::from_origin(Duration::from_secs(1));

    fn source(number: usize) -> IpAddr {
        IpAddr::V4(u32::try_from(number).unwrap().into())
    }

    #[test]
    fn an_address_is_known_for_a_day() {
        let mut known = Known::default();
        known.note(source(1), NOW);
        known.note(source(2), NOW + Duration::from_secs(3600));
        known.note(source(1), NOW + Duration::from_secs(7200));
        let has = |known: &Known, number, at| known.has_authenticated(source(number), at);
        let day_later = NOW + Duration::from_secs(3600) + limits::KNOWN_TIME;
        assert!(has(&known, 1, day_later) && has(&known, 2, day_later) && !has(&known, 3, day_later));
        let later = day_later + Duration::from_secs(1);
        assert!(has(&known, 1, later) && !has(&known, 2, later));
        known.note(source(3), later);
        assert_eq!((known.authenticated.len(), known.by_time.len()), (2, 2), "what is old is forgotten");
    }

    #[test]
    fn the_oldest_known_address_makes_room() {
        let mut known = Known::default();
        for number in 0..=limits::KNOWN_SOURCES {
            known.note(source(number), NOW + Duration::from_millis(number as u64));
        }
        assert_eq!(
            (known.authenticated.len(), known.by_time.len()),
            (limits::KNOWN_SOURCES, limits::KNOWN_SOURCES)
        );
        let later = NOW + Duration::from_secs(60);
        assert!(!known.has_authenticated(source(0), later) && known.has_authenticated(source(1), later));
    }
}
