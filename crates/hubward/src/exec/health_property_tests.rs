//! Tunnels with faults by chance: `why` never says that all is well while packets are lost, and never
//! names what the fault excludes.

use super::fixtures::{new_hub, text};
use crate::base::format::Format;
use crate::views::pulse::{Counts, EVERY, Pulses};
use hubward_proto::names::ChildId;
use hubward_proto::time::Instant;
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";
/// Steps of the simulation in a second.
const STEPS: u64 = 10;

/// What becomes of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// So many of a hundred of the peer's packets are lost.
    Lossy(u8),
    /// None of the peer's packets comes.
    BlockedIn,
    /// None of ours gets there, so that nobody there answers.
    BlockedOut,
    /// Nobody here answers.
    SilentHere,
    /// The peer's packets fail their integrity check.
    Modified,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::None),
        (10..90u8).prop_map(Fault::Lossy),
        Just(Fault::BlockedIn),
        Just(Fault::BlockedOut),
        Just(Fault::SilentHere),
        Just(Fault::Modified),
    ]
}

/// A tunnel in which hosts ask each other, and what was lost of the peer's packets so that it can be
/// known here: what came later has shown it.
#[derive(Default)]
struct Tunnel {
    counts: Counts,
    /// The peer's last sequence number.
    sent: u32,
    /// When each of the peer's packets was sent, in steps, and whether it came.
    packets: Vec<(u64, bool)>,
}

impl Tunnel {
    fn peer_sends(&mut self, step: u64, fault: Fault, chance: u8) {
        self.sent += 1;
        let comes = match fault {
            Fault::Lossy(percent) => chance % 100 >= percent,
            Fault::BlockedIn => false,
            Fault::None | Fault::BlockedOut | Fault::SilentHere | Fault::Modified => true,
        };
        self.packets.push((step, comes));
        match (comes, fault) {
            (true, Fault::Modified) => self.counts.refused += 1,
            (true, _) => {
                self.counts.inbound += 1;
                self.counts.sequence = self.sent;
            }
            (false, _) => {}
        }
    }

    /// Sent and lost in the last ten seconds before the last packet that came, and the most in a row.
    fn truth(&self, step: u64) -> (u64, u64, u64) {
        let known = self.packets.iter().rposition(|(_, came)| *came).map_or(0, |last| last + 1);
        let (mut sent, mut lost, mut row, mut most) = (0, 0, 0, 0);
        for (at, came) in self.packets.iter().take(known) {
            if at + 10 * STEPS < step {
                continue;
            }
            sent += 1;
            row = if *came { 0 } else { row + 1 };
            lost += u64::from(!came);
            most = most.max(row);
        }
        (sent, lost, most)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn why_is_never_wrong_about_a_tunnel(
        fault in fault(),
        begins in 0..30u64,
        lasts in 12..40u64,
        every in (1..20u64, 1..20u64),
        chances in proptest::collection::vec(any::<u8>(), 1024),
    ) {
        let mut tunnel = Tunnel::default();
        let mut pulses = Pulses::default();
        let origin = Duration::from_secs(100_000);
        let at = |step: u64| Instant::from_origin(origin + Duration::from_millis(step * 1000 / STEPS));
        let end = (begins + lasts) * STEPS;
        for step in 1..=end {
            let now = if step > begins * STEPS { fault } else { Fault::None };
            let chance = chances.get(usize::try_from(step).unwrap() % chances.len()).copied().unwrap_or(0);
            // a host there asks, and is answered; a host here asks, and is answered
            if step % every.0 == 0 {
                let before = tunnel.counts.inbound;
                tunnel.peer_sends(step, now, chance);
                let came = tunnel.counts.inbound > before;
                tunnel.counts.outbound += u64::from(came && now != Fault::SilentHere);
            }
            if step % every.1 == 0 && now != Fault::SilentHere {
                tunnel.counts.outbound += 1;
                if now != Fault::BlockedOut {
                    tunnel.peer_sends(step, now, chance.wrapping_mul(31).wrapping_add(7));
                }
            }
            // with nobody who hears us, hosts there do not go on either
            if step % (EVERY.as_secs() * STEPS) == 0 {
                pulses.look(at(step), std::iter::once(("tunnel", ChildId(1), tunnel.counts)));
            }
        }
        let mut hub = new_hub();
        hub.failures.clear();
        hub.now = at(end);
        let spoke: IpAddr = SPOKE.parse().unwrap();
        hub.flows.iter_mut().find(|flow| flow.path.remote == spoke).unwrap().pulse = pulses.of(&"tunnel");
        let told = text(&format!("why {SPOKE}"), Arc::new(hub), Format::Modern);
        let said = |words: &str| told.contains(words);
        let (sent, lost, row) = tunnel.truth(end);
        let is_lossy = sent > 0 && (lost * 10 >= sent && lost > 0) || row >= 5;
        // what the last look has not seen yet is not known
        let looked = end / (EVERY.as_secs() * STEPS) * (EVERY.as_secs() * STEPS);
        let (_, _, row_then) = tunnel.truth(looked);
        match fault {
            Fault::None => {
                prop_assert!(!said("lost") && !said("but nothing"), "{told}");
                prop_assert!(said("packets have passed in both directions"), "{told}");
            }
            Fault::Lossy(_) => {
                let silent = said("but nothing comes back");
                prop_assert!(
                    !is_lossy || silent || said("lost") || row_then != row,
                    "{lost} of {sent}, {row} in a row:\n{told}"
                );
                prop_assert!(!said("but nothing goes back"), "{told}");
            }
            Fault::BlockedIn | Fault::Modified => {
                let unanswered = lasts.saturating_sub(3) * STEPS / every.1;
                prop_assert!(unanswered < 6 || said("but nothing comes back"), "{told}");
                prop_assert!(!said("but nothing goes back"), "{told}");
                let refused = said("were refused here");
                prop_assert!(!refused || fault == Fault::Modified, "{told}");
            }
            // hosts there still ask, and are answered: only what we ask is not heard
            Fault::BlockedOut => prop_assert!(!said("lost") && !said("but nothing goes back"), "{told}"),
            Fault::SilentHere => {
                let unanswered = lasts.saturating_sub(3) * STEPS / every.0;
                prop_assert!(unanswered < 6 || said("but nothing goes back"), "{told}");
                prop_assert!(!said("but nothing comes back"), "{told}");
            }
        }
    }
}
