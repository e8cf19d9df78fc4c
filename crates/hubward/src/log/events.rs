//! The engine's events as log lines: readable text, and IOS's message where there is one. Lines of
//! one kind are limited, so that the disk cannot be filled.

use hubward_proto::esp::inbound::Refused;
use hubward_proto::ike::event::{Event, EventKind, Rival};
use hubward_proto::names::ChildId;
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Lines of one kind in each interval.
const LINES: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(10);
/// Kinds that are distinguished in an interval.
const KINDS: usize = 1000;

/// Writes events, and forgets those that come too often.
#[derive(Default)]
pub(crate) struct Log {
    kinds: BTreeMap<String, (Instant, u32)>,
}

impl Log {
    /// Whether one more line of this kind may be written now.
    fn allows(&mut self, now: Instant, kind: String) -> bool {
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            self.kinds.retain(|_, (since, _)| now.since(*since) <= INTERVAL);
            if self.kinds.len() >= KINDS {
                return false;
            }
        }
        let (since, count) = self.kinds.entry(kind).or_insert((now, 0));
        if now.since(*since) > INTERVAL {
            let left_out = count.saturating_sub(LINES);
            if left_out > 0 {
                tracing::warn!("{left_out} lines like the next one were left out");
            }
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= LINES
    }

    /// The packet path refused a packet of a known SA.
    pub(crate) fn refused_packet(&mut self, now: Instant, child: ChildId, refused: Refused) {
        if !self.allows(now, format!("packet {} {:?}", child.0, std::mem::discriminant(&refused))) {
            return;
        }
        let (code, why) = match refused {
            Refused::Replay => {
                ("PKT_REPLAY_ERR", "replay check failed: its sequence number was seen or is too old")
            }
            Refused::Icv => ("RECVD_PKT_MAC_ERR", "the integrity check failed"),
            Refused::ShortIcv => {
                ("RECVD_PKT_MAC_ERR", "its SHA-256 check value has 96 bits instead of 128; see `why`")
            }
            Refused::Malformed => ("RECVD_PKT_INV_FORMAT", "the inner packet is malformed"),
            Refused::Selector { .. } => {
                ("RECVD_PKT_INV_IDENTITY", "its inner addresses are not those of the tunnel")
            }
            Refused::Encapsulation => {
                ("RECVD_PKT_INV_ENCAPS", "it arrived in UDP for a tunnel of protocol 50, or vice versa")
            }
        };
        tracing::warn!("%CRYPTO-4-{code}: a packet of tunnel {} is refused: {why}", child.0);
    }

    pub(crate) fn event(&mut self, now: Instant, event: &Event) {
        let peer = event.path.map(|path| format!("{}:{}", path.remote, path.remote_port)).unwrap_or_default();
        let conn = event.connection.map(|conn| conn.0).unwrap_or_default();
        let kind = match &event.kind {
            // not by its text: names and numbers in it are the peer's, and each would be a kind of
            // its own
            EventKind::Refused(refusal) => format!("refused {:?}", std::mem::discriminant(refusal)),
            other => format!("{:?}", std::mem::discriminant(other)),
        };
        if !self.allows(now, kind) {
            return;
        }
        match &event.kind {
            EventKind::Phase1Up { identity, profile } => {
                let profile = profile.as_deref().unwrap_or("no profile");
                tracing::info!(conn, peer, "phase 1 is up: {identity} ({profile})");
            }
            EventKind::Phase1Down { reason } => tracing::info!(conn, peer, "phase 1 ended: {reason}"),
            EventKind::XauthAccepted { user } => tracing::info!(conn, peer, "Xauth accepted user {user}"),
            EventKind::XauthRejected { user } => {
                tracing::warn!(conn, peer, "%CRYPTO-6-VPN_TUNNEL_STATUS: Xauth failed for user {user}");
            }
            EventKind::AddressAssigned { address } => {
                tracing::info!(conn, peer, "address {address} assigned")
            }
            EventKind::AttributesNotAnswered { kinds } => {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("0x{kind:04X}")).collect();
                tracing::info!(conn, peer, "mode-config attributes without an answer: {}", kinds.join(" "));
            }
            EventKind::ChildUp { child, service, selector, inbound, outbound, replaces } => {
                let verb = if replaces.is_some() { "renewed" } else { "up" };
                tracing::info!(
                    conn,
                    peer,
                    "%CRYPTO-5-SESSION_STATUS: Crypto tunnel {} is {verb}: {selector} ({service}) SPI in 0x{:08X} out 0x{:08X}",
                    child.0,
                    inbound.0,
                    outbound.0
                );
            }
            EventKind::ChildDown { child, reason } => {
                tracing::info!(
                    conn,
                    peer,
                    "%CRYPTO-5-SESSION_STATUS: Crypto tunnel {} is DOWN: {reason}",
                    child.0
                );
            }
            EventKind::Redirected { gateway } => {
                tracing::info!(conn, peer, "the gateway sends us to {gateway}")
            }
            EventKind::PeerDead => tracing::warn!(conn, peer, "the peer has stopped answering"),
            EventKind::PeerMoved { remote, remote_port } => {
                tracing::info!(conn, peer, "the peer moved to {remote}:{remote_port}");
            }
            EventKind::NetworkContested { newcomer, holder, kept } => {
                let said = contested(newcomer, holder, *kept);
                if *kept { tracing::error!(conn, "{said}") } else { tracing::warn!(conn, "{said}") }
            }
            EventKind::Refused(refusal) => tracing::warn!(conn, peer, "%CRYPTO-4-IKE_REFUSED: {refusal}"),
            EventKind::Trace(_) => {}
        }
    }
}

/// Two peers claim a network: an alarm if both are there, because one of them has no right to it.
fn contested(newcomer: &Rival, holder: &Rival, kept: bool) -> String {
    let of = |rival: &Rival| {
        let (path, identity) = (&rival.path, &rival.identity);
        format!("{}:{} ({identity})", path.remote, path.remote_port)
    };
    let (new, old) = (of(newcomer), of(holder));
    let (wanted, has) = (newcomer.network, holder.network);
    match kept {
        true => format!(
            "%CRYPTO-3-NETWORK_CONTESTED: {new} proposes {wanted}, but {old} has {has} and answers: refused"
        ),
        false => {
            format!("%CRYPTO-4-NETWORK_TAKEN_OVER: {new} gets {wanted}: {old} had {has} and does not answer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::AddressRange;
    use hubward_proto::ike::explain::Refusal;
    use hubward_proto::names::{InterfaceId, Untrusted, VrfId};
    use hubward_proto::path::{Encapsulation, Path};

    /// The alarm names both peers and both networks, and an identity cannot break its line.
    #[test]
    fn an_alarm_names_both_peers_and_their_networks() {
        let rival = |last, name: &str, net: &str| {
            let path = Path {
                local: [203, 0, 113, 1].into(),
                local_port: 500,
                remote: [198, 51, 100, last].into(),
                remote_port: 500,
                interface: InterfaceId(0),
                vrf: VrfId(0),
                encapsulation: Encapsulation::Native,
            };
            let network = AddressRange::prefix(net.parse().unwrap());
            Rival { path, identity: Untrusted::new(name), network }
        };
        let (newcomer, holder) =
            (rival(7, "x\n%SYS-0-X: y", "10.2.2.0/24"), rival(2, "berlin", "10.2.0.0/16"));
        for (kept, code) in
            [(true, "%CRYPTO-3-NETWORK_CONTESTED: "), (false, "%CRYPTO-4-NETWORK_TAKEN_OVER: ")]
        {
            let said = contested(&newcomer, &holder, kept);
            assert!(said.starts_with(code) && said.lines().count() == 1, "{said}");
            for word in ["198.51.100.7", "198.51.100.2", "10.2.2.0/24", "10.2.0.0/16", "berlin"] {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
    }

    #[test]
    fn lines_of_a_kind_and_one_more() {
        let mut log = Log::default();
        let mut allowed = |now, kind: &str| log.allows(now, kind.to_string());
        for _ in 0..LINES {
            assert!(allowed(Instant::ORIGIN, "a"));
        }
        assert!(!allowed(Instant::ORIGIN, "a"));
        assert!(allowed(Instant::ORIGIN, "b"), "another kind has lines of its own");
        assert!(!allowed(Instant::ORIGIN + INTERVAL, "a"));
        assert!(allowed(Instant::ORIGIN + INTERVAL + Duration::from_millis(1), "a"));
    }

    #[test]
    fn kinds_and_one_more() {
        let mut log = Log::default();
        for kind in 0..KINDS {
            assert!(log.allows(Instant::ORIGIN, kind.to_string()));
        }
        assert!(!log.allows(Instant::ORIGIN, "one more".into()));
        assert!(log.allows(Instant::ORIGIN, "0".into()), "a known kind goes on");
        let later = Instant::ORIGIN + INTERVAL + Duration::from_millis(1);
        assert!(log.allows(later, "one more".into()) && log.kinds.len() == 1);
    }

    /// A stranger who names another group in each message is limited like one who repeats himself.
    #[test]
    fn a_name_is_no_kind() {
        let mut log = Log::default();
        for name in 0..100 {
            let refusal = Refusal::UnknownGroup(Untrusted::new(format!("group{name}")));
            log.event(
                Instant::ORIGIN,
                &Event { connection: None, path: None, kind: EventKind::Refused(refusal) },
            );
        }
        assert_eq!(log.kinds.values().map(|(_, count)| *count).collect::<Vec<_>>(), [100]);
    }
}
