//! The engine's events as log lines: readable text, and IOS's message where there is one. A
//! refusal that is repeated is written once and counted, so that nobody can fill the disk.

use crate::log::repeats::{Line, Repeats, Same};
use hubward_proto::esp::inbound::Refused;
use hubward_proto::ike::event::{Event, EventKind, Rival};
use hubward_proto::names::ChildId;
use hubward_proto::time::Instant;
use tracing::Level;

/// Different lines about refusals in a period: of one address, and of all. Strangers can cause them.
const REFUSALS: (usize, usize) = (8, 1000);
/// Lines in a period about peers that have authenticated: of one address and kind, and of all.
const OTHERS: (usize, usize) = (100, 4000);

/// Writes events, and counts those that are repeated.
pub(crate) struct Log {
    refusals: Repeats,
    others: Repeats,
}

impl Default for Log {
    fn default() -> Self {
        let of = |same, (most_of_source, most)| Repeats::new(same, most_of_source, most);
        Self { refusals: of(Same::Counted, REFUSALS), others: of(Same::Written, OTHERS) }
    }
}

impl Drop for Log {
    /// What was counted is written before there is nobody left to do it.
    fn drop(&mut self) {
        self.refusals.all().iter().chain(&self.others.all()).for_each(write);
    }
}

fn write(Line { level, conn, peer, text }: &Line) {
    match (*level, peer.is_empty()) {
        (Level::ERROR, true) => tracing::error!("{text}"),
        (Level::ERROR, false) => tracing::error!(conn, peer, "{text}"),
        (Level::WARN, true) => tracing::warn!("{text}"),
        (Level::WARN, false) => tracing::warn!(conn, peer, "{text}"),
        (_, true) => tracing::info!("{text}"),
        (_, false) => tracing::info!(conn, peer, "{text}"),
    }
}

impl Log {
    /// Writes how often lines were repeated whose periods have ended.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.refusals.ended(now).iter().chain(&self.others.ended(now)).for_each(write);
    }

    /// The packet path refused a packet of a known SA.
    pub(crate) fn refused_packet(&mut self, now: Instant, child: ChildId, refused: Refused) {
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
        let source = format!("tunnel {}", child.0);
        let text = format!("%CRYPTO-4-{code}: a packet of {source} is refused: {why}");
        let line = Line { level: Level::WARN, conn: 0, peer: String::new(), text };
        if self.refusals.comes(now, source, "packet", &line) {
            write(&line);
        }
    }

    pub(crate) fn event(&mut self, now: Instant, event: &Event) {
        let Some(Said { kind, level, text }) = said(&event.kind) else { return };
        let peer = event.path.map(|path| format!("{}:{}", path.remote, path.remote_port)).unwrap_or_default();
        let conn = event.connection.map(|conn| conn.0).unwrap_or_default();
        // whoever may send from an address has all of its ports
        let source = event.path.map_or_else(|| "no peer".into(), |path| path.remote.to_string());
        let line = Line { level, conn, peer, text };
        let repeats = if kind == REFUSED { &mut self.refusals } else { &mut self.others };
        if repeats.comes(now, source, kind, &line) {
            write(&line);
        }
    }
}

/// What a stranger can cause.
const REFUSED: &str = "refused";

/// The line of an event.
struct Said {
    kind: &'static str,
    level: Level,
    text: String,
}

fn said(event: &EventKind) -> Option<Said> {
    let (kind, level, text) = match event {
        EventKind::Phase1Up { identity, profile } => {
            let profile = profile.as_deref().unwrap_or("no profile");
            ("phase 1 up", Level::INFO, format!("phase 1 is up: {identity} ({profile})"))
        }
        EventKind::Phase1Down { reason } => ("phase 1 down", Level::INFO, format!("phase 1 ended: {reason}")),
        EventKind::XauthAccepted { user } => ("Xauth", Level::INFO, format!("Xauth accepted user {user}")),
        EventKind::XauthRejected { user } => {
            let text = format!("%CRYPTO-6-VPN_TUNNEL_STATUS: Xauth failed for user {user}");
            (REFUSED, Level::WARN, text)
        }
        EventKind::AddressAssigned { address } => {
            ("address", Level::INFO, format!("address {address} assigned"))
        }
        EventKind::AttributesNotAnswered { kinds } => {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("0x{kind:04X}")).collect();
            let text = format!("mode-config attributes without an answer: {}", kinds.join(" "));
            ("attributes", Level::INFO, text)
        }
        EventKind::ChildUp { child, service, selector, inbound, outbound, replaces } => {
            let verb = if replaces.is_some() { "renewed" } else { "up" };
            let text = format!(
                "%CRYPTO-5-SESSION_STATUS: Crypto tunnel {} is {verb}: {selector} ({service}) SPI in 0x{:08X} out 0x{:08X}",
                child.0, inbound.0, outbound.0
            );
            ("child up", Level::INFO, text)
        }
        EventKind::ChildDown { child, reason } => {
            let text = format!("%CRYPTO-5-SESSION_STATUS: Crypto tunnel {} is DOWN: {reason}", child.0);
            ("child down", Level::INFO, text)
        }
        EventKind::Redirected { gateway } => {
            ("redirected", Level::INFO, format!("the gateway sends us to {gateway}"))
        }
        EventKind::PeerDead => ("dead", Level::WARN, "the peer has stopped answering".to_string()),
        EventKind::PeerMoved { remote, remote_port } => {
            ("moved", Level::INFO, format!("the peer moved to {remote}:{remote_port}"))
        }
        EventKind::NetworkContested { newcomer, holder, kept } => {
            let level = if *kept { Level::ERROR } else { Level::WARN };
            ("contested", level, contested(newcomer, holder, *kept))
        }
        EventKind::Refused(refusal) => (REFUSED, Level::WARN, format!("%CRYPTO-4-IKE_REFUSED: {refusal}")),
        EventKind::Trace(_) => return None,
    };
    Some(Said { kind, level, text })
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
    use crate::log::repeats::PERIOD;
    use hubward_proto::flow::selector::AddressRange;
    use hubward_proto::ike::explain::Refusal;
    use hubward_proto::names::{InterfaceId, Untrusted, VrfId};
    use hubward_proto::path::{Encapsulation, Path};

    fn path(last: u8) -> Path {
        Path {
            local: [203, 0, 113, 1].into(),
            local_port: 500,
            remote: [198, 51, 100, last].into(),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        }
    }

    /// The alarm names both peers and both networks, and an identity cannot break its line.
    #[test]
    fn an_alarm_names_both_peers_and_their_networks() {
        let rival = |last, name: &str, net: &str| {
            let network = AddressRange::prefix(net.parse().unwrap());
            Rival { path: path(last), identity: Untrusted::new(name), network }
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

    fn refused(log: &mut Log, path: Option<Path>, group: &str) {
        let refusal = Refusal::UnknownGroup(Untrusted::new(group.to_string()));
        let kind = EventKind::Refused(refusal);
        log.event(Instant::ORIGIN, &Event { connection: None, path, kind });
    }

    /// A stranger who names another group in each message is limited like one who repeats himself,
    /// and a peer at another address is heard all the same.
    #[test]
    fn a_stranger_does_not_fill_the_log() {
        use crate::base::format::Format;
        use tracing_subscriber::layer::SubscriberExt as _;
        let logging = std::sync::Arc::new(crate::log::logging::Logging::default());
        let layer = crate::log::layer::BufferLayer(std::sync::Arc::clone(&logging));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let mut log = Log::default();
            for name in 0..100 {
                refused(&mut log, Some(path(7)), &format!("group{name}"));
            }
            for _ in 0..100 {
                refused(&mut log, Some(path(8)), "group");
            }
            log.tick(Instant::ORIGIN + PERIOD);
            refused(&mut log, Some(path(9)), "last");
            refused(&mut log, Some(path(9)), "last");
        });
        let lines = logging.buffer.view().lines;
        let words: Vec<_> = lines.iter().map(|line| line.words(Format::Modern)).collect();
        let counted = |peer: &str| words.iter().filter(|line| line.contains(peer)).count();
        assert_eq!(counted("(peer 198.51.100.7:500)"), REFUSALS.0);
        assert_eq!(counted("92 lines about 198.51.100.7 left out"), 1, "{words:#?}");
        assert_eq!(counted("(peer 198.51.100.8:500)"), 2);
        assert_eq!(
            words.get(REFUSALS.0).map(String::as_str),
            Some("%CRYPTO-4-IKE_REFUSED: client group group is not known (peer 198.51.100.8:500)")
        );
        assert_eq!(counted("is not known; repeated 99 times in 1 s (peer 198.51.100.8:500)"), 1);
        assert_eq!(counted("is not known; repeated once in 1 s (peer 198.51.100.9:500)"), 1, "at the end");
    }
}
