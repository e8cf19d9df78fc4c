//! A version of IKE that does not exist, beside IKEv1: what `show crypto isakmp sa` and `why` say of
//! it follows from its views and refusals alone.

#[path = "../../../proto/tests/support/made_up_version.rs"]
mod made_up_version;

use super::fixtures::{json, new_hub, text};
use crate::base::format::Format;
use crate::translate;
use crate::views::snapshot::Snapshot;
use crate::why::record::Record;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Effect, Input};
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::time::Instant;
use made_up_version::{HELLO, MadeUp, message};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const HUB: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 33);

/// What the hub of a configuration shows after a peer's first message, some seconds later.
fn after_hello(config: &str, seconds: u64) -> Snapshot {
    let parsed = hubward_config::parse(config);
    let outside = parsed.config.interfaces.iter().find(|interface| interface.crypto_map.is_some());
    let interface = InterfaceId(outside.unwrap().number);
    let addresses = BTreeMap::from([(interface, IpAddr::V4(HUB))]);
    let policy = translate::policy(&parsed.config, &addresses).0;
    let mut engine = Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN);
    engine.add_version(Box::<MadeUp>::default());
    let path = Path {
        local: HUB.into(),
        local_port: 500,
        remote: PEER.into(),
        remote_port: 500,
        interface,
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    engine.handle(Instant::ORIGIN, Input::Datagram { path, bytes: &message([5; 8], [0; 8], HELLO) });
    engine.handle_timeout(Instant::ORIGIN + Duration::from_secs(seconds));
    let mut record = Record::default();
    while let Some(effect) = engine.poll() {
        if let Effect::Event(event) = effect {
            record.event(Duration::from_secs(1_795_425_100), &event);
        }
    }
    let mut snapshot = new_hub();
    snapshot.parsed = Arc::new(parsed);
    snapshot.isakmp = engine.inspect().isakmp.into_iter().map(Arc::new).collect();
    snapshot.failures = record.failures();
    snapshot
}

#[test]
fn its_sa_is_a_line_of_show_crypto_isakmp_sa() {
    let hub = || after_hello(include_str!("../../../../examples/hub.cfg"), 1);
    let shown = text("show crypto isakmp sa", hub(), Format::Modern);
    let line = shown.lines().find(|line| line.contains("192.0.2.33")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("10.48.67.181") && line.contains("MM_NO_STATE") && line.contains("1001"), "{line}");
    assert!(json("show crypto isakmp sa", hub()).contains("192.0.2.33"));
}

#[test]
fn why_explains_its_refusals() {
    let config = include_str!("../../../../examples/hub.cfg");
    let keyless = config.replace("pre-shared-key address 0.0.0.0 0.0.0.0", "pre-shared-key address 10.9.9.9");
    assert_ne!(config, keyless);
    let said = text("why 192.0.2.33", after_hello(&keyless, 1), Format::Modern);
    assert!(said.contains("pre-shared key for 192.0.2.33"), "{said}");
    let silent = text("why 192.0.2.33", after_hello(config, 6), Format::Modern);
    assert!(silent.contains("192.0.2.33 has sent its first message"), "{silent}");
}
