//! Captures of two gateways whose configurations do not fit, written as tcpdump would, read again
//! and explained.

use super::offline::tell;
use super::recording::{Recording, RecordingError};
use super::world::{HUB, Login, SPOKE, Way, World, edit, line};
use hubward_proto::path::{NATT_PORT, Path};
use std::net::IpAddr;

/// A pcap file of raw IP packets (link type 101).
pub(super) fn pcap(world: &World) -> Vec<u8> {
    let mut file = header(101);
    for (time, path, bytes) in &world.wire {
        let seconds = u32::try_from(time.since_origin().as_secs()).unwrap();
        frame(&mut file, seconds, &packet(path, bytes));
    }
    file
}

pub(super) fn header(link: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link] {
        file.extend(u32::to_le_bytes(word));
    }
    file
}

pub(super) fn frame(file: &mut Vec<u8>, seconds: u32, packet: &[u8]) {
    let length = u32::try_from(packet.len()).unwrap();
    for word in [seconds, 0, length, length] {
        file.extend(word.to_le_bytes());
    }
    file.extend(packet);
}

pub(super) fn packet(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (path.local, path.remote) else { panic!("{path:?}") };
    let marker: &[u8] = if path.local_port == NATT_PORT { &[0; 4] } else { &[] };
    let length = u16::try_from(8 + marker.len() + bytes.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + length).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    for word in [path.local_port, path.remote_port, length, 0] {
        packet.extend(word.to_be_bytes());
    }
    [&packet, marker, bytes].concat()
}

pub(super) fn told(file: &[u8], config: &str) -> String {
    let recording = Recording::read(file).unwrap();
    let mut text = Vec::new();
    tell(&recording, &hubward_config::parse(config), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The report on an attempt of a spoke that is recorded and then judged by the hub's configuration.
fn call(hub: &str, spoke: &str, way: Way) -> String {
    told(&pcap(&World::call(hub, spoke, way)), hub)
}

pub(super) fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_tunnel_that_comes_up() {
    let text = call(HUB, SPOKE, Way::Open);
    let policy = format!("it selects ISAKMP policy 10 (line {}).", line(HUB, "crypto isakmp policy 10"));
    holds(
        &text,
        &["1 attempt.", "10.100.2.102 initiates to 10.48.67.181, main mode", &policy, "Phase 1 is up"],
    );
    holds(&text, &["A tunnel was negotiated, but the capture has no packet of it"]);
}

#[test]
fn no_common_proposal_is_explained_as_the_hub_would() {
    let spoke = edit(SPOKE, "encr 3des", "encr aes 256");
    let text = call(HUB, &spoke, Way::Open);
    holds(
        &text,
        &[
            "This hub says: No common phase 1 proposal with 10.100.2.102:",
            "they offer aes 256, we want 3des.",
        ],
    );
    holds(&text, &[&format!("{:>5}  crypto isakmp policy 10", line(HUB, "crypto isakmp policy 10"))]);
}

/// The recording is of another hub, which accepted the attempt.
#[test]
fn another_hub_would_have_answered_otherwise() {
    let file = pcap(&World::call(HUB, SPOKE, Way::Open));
    holds(
        &told(&file, &edit(HUB, "group 2", "group 14")),
        &["No common phase 1 proposal", "they offer 2, we want 14"],
    );
    let elsewhere = edit(HUB, "ip address 10.48.67.181", "ip address 192.0.2.1");
    holds(
        &told(&file, &elsewhere),
        &["10.48.67.181 is not an address of this configuration", "it selects ISAKMP policy 10"],
    );
    let caller = edit(SPOKE, "ip address dhcp", "ip address 10.100.2.102 255.255.255.0");
    holds(&told(&file, &caller), &["This configuration is the initiator's", "Phase 1 is up"]);
}

#[test]
fn an_unknown_group_and_a_missing_key() {
    let login = Login { group: "nosuchgroup", ..Login::default() };
    let world = World::connect(HUB, login);
    holds(
        &told(&pcap(&world), HUB),
        &["aggressive mode", "asks for group nosuchgroup, which is not configured here"],
    );
    let file = pcap(&World::call(HUB, SPOKE, Way::Open));
    let without = edit(HUB, "pre-shared-key address 0.0.0.0 0.0.0.0", "pre-shared-key address 192.0.2.7");
    holds(&told(&file, &without), &["This hub says:", "no pre-shared key"]);
}

#[test]
fn a_wrong_key_is_guessed_and_its_line_shown_without_it() {
    let spoke = edit(SPOKE, "cisco123", "cisco124");
    let text = call(HUB, &spoke, Way::Open);
    holds(
        &text,
        &["the pre-shared keys differ", &format!("{:>5}    pre-shared-key", line(HUB, "pre-shared-key"))],
    );
    assert!(!text.contains("cisco12"), "{text}");
}

#[test]
fn a_blocked_port_and_a_deaf_hub() {
    let text = call(HUB, SPOKE, Way::NatWithout4500);
    holds(
        &text,
        &[
            "10.100.2.102 is behind a NAT",
            "Message 5 is missing: it should be sent on UDP 4500, which is probably blocked.",
        ],
    );
    let mut world = World::call(HUB, SPOKE, Way::Open);
    world.wire.retain(|(_, path, _)| path.local == IpAddr::V4(super::world::SPOKE_ADDRESS));
    world.wire.truncate(1);
    holds(&told(&pcap(&world), HUB), &["10.48.67.181 does not answer at all"]);
}

#[test]
fn a_refused_quick_mode() {
    let spoke = edit(SPOKE, "esp-3des", "esp-aes");
    holds(&call(HUB, &spoke, Way::Open), &["Phase 1 is up", "10.48.67.181 refuses quick mode"]);
}

#[test]
fn what_is_no_capture_and_what_is_cut() {
    let read = |bytes: &[u8]| Recording::read(bytes);
    assert!(matches!(read(b""), Err(RecordingError::NoCapture)));
    assert!(matches!(read(b"crypto isakmp policy 10\n encr 3des\n"), Err(RecordingError::NoCapture)));
    let mut unknown = header(147);
    frame(&mut unknown, 0, &[0; 60]);
    assert!(matches!(read(&unknown), Err(RecordingError::LinkType(147))));

    let whole = pcap(&World::call(HUB, SPOKE, Way::Open));
    for length in 0..whole.len() {
        if let Ok(recording) = read(&whole[..length]) {
            assert!(recording.messages.len() <= 9);
        }
    }
    let cut = read(&whole[..whole.len() - 1]).unwrap();
    assert!(cut.incomplete && cut.messages.len() + 1 == read(&whole).unwrap().messages.len());
    assert!(told(&whole[..whole.len() - 1], HUB).contains("The capture is truncated"));
}

/// Ethernet with a VLAN tag, and both of Linux's cooked formats.
#[test]
fn frames_of_several_kinds() {
    let world = World::call(HUB, SPOKE, Way::Open);
    let (_, path, bytes) = &world.wire[0];
    let packet = packet(path, bytes);
    for (link, head) in [
        (1, [&[2; 12][..], &[8, 0]].concat()),
        (1, [&[2; 12][..], &[0x81, 0, 0, 7, 8, 0]].concat()),
        (113, [&[0; 14][..], &[8, 0]].concat()),
        (276, [&[8, 0][..], &[0; 18]].concat()),
        (0, vec![2, 0, 0, 0]),
    ] {
        let mut file = header(link);
        frame(&mut file, 1, &[head, packet.clone()].concat());
        let recording = Recording::read(&file[..]).unwrap();
        assert_eq!((recording.frames, recording.messages.len()), (1, 1), "link type {link}");
        assert_eq!(recording.messages[0].bytes, *bytes);
    }
}
