//! How many connections may be in the login phase, in total and from one address, and how often one
//! address may connect. An address of IPv6 is its network of 64 bits, as for passwords.

use crate::base::lockout::Source;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections on which nobody has logged in yet.
pub(super) const UNKNOWN: usize = 32;
/// Of these, from one address: what an automation station opens at once.
pub(super) const UNKNOWN_FROM_ONE: usize = 10;
/// Connections that one address may open at once, and then one per [`REFILL`].
pub(super) const BURST: u32 = 30;
const REFILL: Duration = Duration::from_millis(500);
/// Addresses that are distinguished; beyond that, the one that was not seen for the longest time is
/// forgotten.
const ADDRESSES: usize = 1024;

/// Decides who may connect.
#[derive(Debug, Default)]
pub(super) struct Admission(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    unknown: BTreeMap<Source, usize>,
    begun: BTreeMap<Source, (u32, Instant)>,
}

/// A place among those who are not known yet; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    from: Source,
}

impl Admission {
    /// Lets a connection in, or not.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        self.admit_at(from, Instant::now())
    }

    fn admit_at(self: &Arc<Self>, from: IpAddr, now: Instant) -> Option<Place> {
        let from = Source::of(from);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = state.unknown.values().sum();
        if all >= UNKNOWN || state.unknown.get(&from).is_some_and(|count| *count >= UNKNOWN_FROM_ONE) {
            return None;
        }
        if state.begun.len() >= ADDRESSES && !state.begun.contains_key(&from) {
            let oldest = state.begun.iter().min_by_key(|(_, (_, since))| *since).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                state.begun.remove(&oldest);
            }
        }
        let (tokens, since) = state.begun.entry(from).or_insert((BURST, now));
        let refilled = now.duration_since(*since).as_millis() / REFILL.as_millis();
        let refilled = u32::try_from(refilled).unwrap_or(BURST);
        if refilled > 0 {
            (*tokens, *since) = (tokens.saturating_add(refilled).min(BURST), now);
        }
        *tokens = tokens.checked_sub(1)?;
        *state.unknown.entry(from).or_default() += 1;
        Some(Place { admission: Arc::clone(self), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = state.unknown.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                state.unknown.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> IpAddr {
        IpAddr::from([10, 0, u8::try_from(number / 256).unwrap(), u8::try_from(number % 256).unwrap()])
    }

    #[test]
    fn so_many_unknown_ones_and_one_more() {
        let admission = Arc::new(Admission::default());
        let mut places: Vec<_> =
            (0..UNKNOWN_FROM_ONE).map(|_| admission.admit(address(1)).unwrap()).collect();
        assert!(admission.admit(address(1)).is_none());
        let rest = UNKNOWN - UNKNOWN_FROM_ONE;
        places.extend((0..rest).map(|number| admission.admit(address(number + 2)).unwrap()));
        assert!(admission.admit(address(999)).is_none());
        places.pop();
        assert!(admission.admit(address(999)).is_some(), "who leaves makes room");
    }

    #[test]
    fn so_often_and_once_more() {
        let admission = Arc::new(Admission::default());
        let now = Instant::now();
        for _ in 0..BURST {
            assert!(admission.admit_at(address(1), now).is_some());
        }
        assert!(admission.admit_at(address(1), now).is_none());
        assert!(admission.admit_at(address(2), now).is_some(), "another address has a measure of its own");
        assert!(admission.admit_at(address(1), now + REFILL).is_some());
        assert!(admission.admit_at(address(1), now + REFILL).is_none());
    }

    #[test]
    fn addresses_and_one_more() {
        let admission = Arc::new(Admission::default());
        let now = Instant::now();
        for number in 0..=ADDRESSES {
            assert!(
                admission.admit_at(address(number), now + Duration::from_millis(number as u64)).is_some()
            );
        }
        let state = admission.0.lock().unwrap();
        assert_eq!(state.begun.len(), ADDRESSES);
        assert!(!state.begun.contains_key(&Source::of(address(0))));
    }

    /// A machine has as many addresses as it likes in its network of 64 bits.
    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let admission = Arc::new(Admission::default());
        let of = |network: u16, host: usize| {
            let host = u16::try_from(host).unwrap();
            IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host])
        };
        let places: Vec<_> =
            (0..UNKNOWN_FROM_ONE + 5).filter_map(|host| admission.admit(of(1, host))).collect();
        assert_eq!(places.len(), UNKNOWN_FROM_ONE);
        assert!(admission.admit(of(2, 1)).is_some(), "another network has a measure of its own");
        drop(places);
        assert!(admission.admit(of(1, 77)).is_some());
    }
}
