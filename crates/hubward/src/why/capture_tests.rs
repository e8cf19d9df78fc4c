//! Captures as they are recorded on real lines: in other frames, in fragments, in one direction, with
//! losses, and cut short.

use super::offline_tests::{frame, header, holds, packet, pcap, told};
use super::recording::Recording;
use super::world::{HUB, HUB_ADDRESS, Login, SPOKE, SPOKE_ADDRESS, Way, World, edit};
use hubward_proto::wire::ip;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// The frames of a recorded call, as IP packets.
fn packets(world: &World) -> Vec<Vec<u8>> {
    world.wire.iter().map(|(_, path, bytes)| packet(path, bytes)).collect()
}

fn tunnel() -> Vec<Vec<u8>> {
    packets(&World::call(HUB, SPOKE, Way::Open))
}

/// A file of IP packets, one a second.
fn file<'a>(packets: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut file = header(101);
    for (second, packet) in packets.into_iter().enumerate() {
        frame(&mut file, u32::try_from(second).unwrap(), packet);
    }
    file
}

fn explained<'a>(packets: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
    told(&file(packets), HUB)
}

fn without(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "{part:?} is in\n{text}");
    }
}

fn ip_packet(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    [&ip::header(from, to, protocol, 0, payload.len())[..], payload].concat()
}

fn esp(from: Ipv4Addr, to: Ipv4Addr, spi: u32) -> Vec<u8> {
    ip_packet(from, to, ip::protocol::ESP, &[&spi.to_be_bytes()[..], &[7; 60]].concat())
}

fn udp(from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let head: Vec<u8> = [4500, 4500, length, 0].iter().flat_map(|word: &u16| word.to_be_bytes()).collect();
    ip_packet(from, to, ip::protocol::UDP, &[&head, payload].concat())
}

/// A packet in IP fragments of this many bytes.
fn fragments(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let payload = &packet[20..];
    let pieces = payload.chunks(size).enumerate();
    let cut = |(number, piece): (usize, &[u8])| {
        let mut out = ip_packet(SPOKE_ADDRESS, HUB_ADDRESS, ip::protocol::UDP, piece);
        out[12..20].copy_from_slice(&packet[12..20]);
        let more = if number * size + piece.len() < payload.len() { 0x2000 } else { 0 };
        let place = u16::try_from(number * size / 8).unwrap() | more;
        out[4..6].copy_from_slice(&[0, 9]);
        out[6..8].copy_from_slice(&place.to_be_bytes());
        out
    };
    pieces.map(cut).collect()
}

#[test]
fn a_tunnel_works_only_with_its_own_packets_both_ways() {
    let there = esp(SPOKE_ADDRESS, HUB_ADDRESS, 0x1000);
    let back = esp(HUB_ADDRESS, SPOKE_ADDRESS, 0x2000);
    let mut all = tunnel();
    all.extend([there.clone(), there.clone()]);
    let text = explained(&all);
    holds(&text, &["ESP goes from 10.100.2.102 to 10.48.67.181 only", "then from 10.100.2.102: 2 ESP"]);
    without(&text, &["The tunnel works"]);
    all.push(back.clone());
    holds(&explained(&all), &["The tunnel works: there are ESP packets both ways."]);

    // of an older tunnel: its SPIs were in use before
    let mut old = vec![there.clone(), back.clone()];
    old.extend(tunnel());
    old.extend([there.clone(), back.clone()]);
    let text = explained(&old);
    holds(&text, &["the capture has no packet of it"]);
    without(&text, &["The tunnel works"]);

    // and without a quick mode, they are nobody's
    let spoke = edit(SPOKE, "cisco123", "cisco124");
    let mut refused = packets(&World::call(HUB, &spoke, Way::Open));
    refused.extend([there, back]);
    let text = explained(&refused);
    holds(&text, &["the pre-shared keys differ"]);
    without(&text, &["The tunnel works"]);
}

#[test]
fn esp_in_udp_is_neither_ike_nor_a_keepalive() {
    let mut all = tunnel();
    // the last message on 4500 says where the peers are
    let mut last = tunnel().pop().unwrap();
    last[20..24].copy_from_slice(&[0x11, 0x94, 0x11, 0x94]);
    let ike = [&[0; 4], &last[28..]].concat();
    all.push(udp(SPOKE_ADDRESS, HUB_ADDRESS, &ike));
    for _ in 0..3 {
        all.push(udp(SPOKE_ADDRESS, HUB_ADDRESS, &[0xff]));
        all.push(udp(HUB_ADDRESS, SPOKE_ADDRESS, &[0xff]));
    }
    without(&explained(&all), &["The tunnel works"]);
    let packet = |spi: u8| [&[0, 0, 9, spi][..], &[7; 60]].concat();
    all.push(udp(SPOKE_ADDRESS, HUB_ADDRESS, &packet(1)));
    without(&explained(&all), &["The tunnel works"]);
    all.push(udp(HUB_ADDRESS, SPOKE_ADDRESS, &packet(2)));
    holds(&explained(&all), &["The tunnel works", "then from 10.48.67.181: 1 ESP"]);
}

#[test]
fn numbers_count_messages_and_not_repetitions() {
    let all = tunnel();
    let text = explained(&all);
    for number in 1..=6 {
        holds(&text, &[&format!("000 message {number} 10.")]);
    }
    holds(&text, &["quick mode message 1 10.100.2.102", "quick mode message 2 10.48.67.181"]);
    holds(&text, &["quick mode message 3 10.100.2.102"]);
    without(&text, &["message 7", "quick mode message 4", "times"]);

    let repeated: Vec<_> = all.iter().flat_map(|one| [one, one]).collect();
    let text = explained(repeated);
    without(&text, &["message 7", "quick mode message 4"]);
    assert_eq!(text.matches(", 2 times").count(), 9, "{text}");

    // message 3 is not in the file: 4 stays 4
    let text = explained(all.iter().enumerate().filter(|(place, _)| *place != 2).map(|(_, one)| one));
    holds(&text, &["000 message 4 10.48.67.181", "000 message 5 10.100.2.102"]);
    without(&text, &["000 message 3 "]);
    // nor is message 1: the answer tells who asked
    holds(&explained(&all[1..]), &["10.100.2.102 initiates to 10.48.67.181, main mode", " message 2 10.48"]);
    // without either, nobody knows
    holds(&explained(&all[2..]), &["0 attempts", "7 messages belong to no attempt"]);
}

#[test]
fn aggressive_mode_has_three_messages() {
    let text = told(&pcap(&World::connect(HUB, Login::default())), HUB);
    holds(&text, &["aggressive mode", " message 1 10.51", " message 2 10.48", " message 3 10.51"]);
    holds(&text, &["Xauth or mode-config message 1 10.48.67.181", "quick mode message 3 10.51.82.100"]);
    without(&text, &[" message 4 10.51", "quick mode message 4"]);
}

#[test]
fn the_lost_message_and_its_direction() {
    let all = tunnel();
    let at = |numbers: &[usize]| explained(numbers.iter().map(|number| &all[number - 1]));
    holds(
        &at(&[1, 2, 3, 4, 3, 3]),
        &["message 4 is lost on the path from 10.48.67.181 to 10.100.2.102 after the place of the capture"],
    );
    holds(
        &at(&[1, 2, 3, 3, 3]),
        &["Message 3 is sent 3 times, and message 4 never follows", "from 10.100.2.102 to 10.48.67.181"],
    );
    holds(
        &at(&[1, 2, 3, 4, 5, 6, 7, 8, 7, 7]),
        &[
            "Message 1 of quick mode is sent again after message 2: message 2 is lost",
            "Message 3 of quick mode is missing",
        ],
    );
    holds(&at(&[1, 2, 3, 4, 5, 6, 7, 7]), &["Message 1 of quick mode is sent 2 times"]);
    // a loss that was made good
    without(&at(&[1, 1, 2, 3, 4, 5, 6, 7, 8, 9]), &["lost"]);
}

#[test]
fn one_direction_allows_no_conclusion() {
    let all = tunnel();
    let from = |who: Ipv4Addr| explained(all.iter().filter(move |one| one[12..16] == who.octets()));
    let conclusions = ["does not answer", "Phase 1 is up", "lost", "refuses", "Nothing follows", "differ"];
    let text = from(SPOKE_ADDRESS);
    holds(&text, &["The file has only what 10.100.2.102 sent, not what 10.48.67.181 sent", " message 5 "]);
    without(&text, &conclusions);
    let text = from(HUB_ADDRESS);
    holds(&text, &["10.100.2.102 initiates to 10.48.67.181", " message 6 10.48.67.181"]);
    holds(&text, &["The file has only what 10.48.67.181 sent, not what 10.100.2.102 sent"]);
    without(&text, &conclusions);
    // the first message alone may be unanswered
    holds(&explained(&all[..1]), &["does not answer at all", "or the file has only one direction"]);
    let other = esp(HUB_ADDRESS, SPOKE_ADDRESS, 1);
    without(&explained([&all[0], &other]), &["one direction"]);
}

#[test]
fn xauth_that_nobody_answers() {
    let world = World::connect(HUB, Login::default());
    let all = packets(&world);
    let exchange = |packet: &Vec<u8>| packet[28 + 18];
    let asked = all.iter().position(|one| exchange(one) == 6).unwrap();
    let mut silent = all[..=asked].to_vec();
    silent.extend([all[asked].clone(), all[asked].clone()]);
    holds(
        &explained(&silent),
        &["Xauth is never answered: 10.48.67.181 asks 10.51.82.100 for user and password, sent 3 times"],
    );
    let wrong = World::connect(HUB, Login { password: "sesame", ..Login::default() });
    holds(&explained(&packets(&wrong)), &["usually the user's password was refused"]);
    // no quick mode after the address was given
    let quick = all.iter().position(|one| exchange(one) == 32).unwrap();
    holds(&explained(&all[..quick]), &["There is no quick mode after Xauth and mode-config"]);
}

#[test]
fn a_refusal_of_quick_mode_is_only_that() {
    let refused = packets(&World::call(HUB, &edit(SPOKE, "esp-3des", "esp-aes"), Way::Open));
    holds(
        &explained(&refused),
        &[
            "10.48.67.181 refuses quick mode: there is no common transform set, PFS differs,",
            "the file does not show which",
            "too few for a key exchange of a MODP group",
        ],
    );
}

#[test]
fn fragments_are_put_together() {
    let all = tunnel();
    let with = |pieces: &[Vec<u8>]| {
        let mut changed = all.clone();
        changed.splice(2..3, pieces.iter().cloned());
        changed
    };
    let pieces = fragments(&all[2], 80);
    assert!(pieces.len() > 2);
    let whole = Recording::read(&file(&all)[..]).unwrap();
    let bytes = |recording: &Recording| -> Vec<Vec<u8>> {
        recording.messages.iter().map(|one| one.bytes.clone()).collect()
    };
    let mut backwards = pieces.clone();
    backwards.reverse();
    let twice: Vec<_> = pieces[..1].iter().chain(&pieces).cloned().collect();
    for order in [&pieces, &backwards, &twice] {
        let joined = Recording::read(&file(&with(order))[..]).unwrap();
        assert_eq!(bytes(&joined), bytes(&whole));
    }
    let text = explained(&with(&pieces[..1]));
    holds(&text, &["A fragment of message 3 from 10.100.2.102 is missing", " message 3 10.100.2.102"]);
    let text = explained(&with(&pieces[1..]));
    holds(&text, &["1 UDP datagrams are without their first IP fragment"]);
    // the second says something else about the end of the first
    let mut overlapping = pieces.clone();
    overlapping[1][7] -= 1;
    let text = explained(&with(&overlapping));
    holds(&text, &["1 UDP datagrams were refused because their IP fragments overlap"]);
    without(&text, &["000 message 3 "]);
}

/// Memory is bounded: the oldest datagrams give way, and each is told.
#[test]
fn a_flood_of_fragments_is_bounded() {
    let first = fragments(&tunnel()[2], 80).remove(0);
    let flood: Vec<_> = (0..2000_u16)
        .map(|id| {
            let mut one = first.clone();
            one[4..6].copy_from_slice(&id.to_be_bytes());
            one
        })
        .collect();
    let mut file = header(101);
    for one in &flood {
        frame(&mut file, 1, one);
    }
    let recording = Recording::read(&file[..]).unwrap();
    assert_eq!((recording.frames, recording.messages.len()), (2000, 2000));
}

#[test]
fn frames_of_access_lines() {
    let packet = &tunnel()[0];
    let length = u16::try_from(packet.len() + 2).unwrap().to_be_bytes();
    let pppoe = [&[0x11, 0, 0, 1][..], &length, &[0, 0x21]].concat();
    let ethernet = [2; 12];
    let frames: [(u32, Vec<u8>); 9] = [
        (1, [&ethernet[..], &[0x88, 0x64], &pppoe].concat()),
        (1, [&ethernet[..], &[0x81, 0, 0, 7, 0x88, 0x64], &pppoe].concat()),
        (1, [&ethernet[..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 8, 0]].concat()),
        (1, [&ethernet[..], &[0x91, 0, 0, 9, 0x81, 0, 0, 7, 8, 0]].concat()),
        (113, [&[0; 14][..], &[0x81, 0, 0, 7, 8, 0]].concat()),
        (276, [&[0x81, 0][..], &[0; 18], &[0, 7, 8, 0]].concat()),
        (9, vec![0xff, 3, 0, 0x21]),
        (9, vec![0x21]),
        (51, pppoe.clone()),
    ];
    for (link, head) in frames {
        let mut file = header(link);
        let whole = [&head[..], packet].concat();
        frame(&mut file, 1, &whole);
        let recording = Recording::read(&file[..]).unwrap();
        assert_eq!(recording.messages.len(), 1, "link type {link}, {head:?}");
        for length in 0..whole.len() {
            let mut file = header(link);
            frame(&mut file, 1, &whole[..length]);
            assert_eq!(Recording::read(&file[..]).unwrap().messages.len(), 0, "{length} of {link}");
        }
    }
}

/// `tcpdump -s` keeps the headers: that is enough to count, and not enough to judge.
#[test]
fn truncated_packets_are_counted_and_told() {
    let mut all = tunnel();
    all.extend([esp(SPOKE_ADDRESS, HUB_ADDRESS, 1), esp(HUB_ADDRESS, SPOKE_ADDRESS, 2)]);
    // the shortest of the messages is 80 bytes long
    for snap in 0..80 {
        let mut file = header(101);
        for packet in &all {
            let kept = packet.len().min(snap);
            for word in [1, 0, kept, packet.len()] {
                file.extend(u32::try_from(word).unwrap().to_le_bytes());
            }
            file.extend(&packet[..kept]);
        }
        let text = told(&file, HUB);
        without(&text, &["does not answer at all"]);
        if snap >= 60 {
            holds(&text, &["9 packets were truncated", "message 1 from 10.100.2.102 was truncated"]);
            holds(&text, &["The tunnel works", "quick mode message 3"]);
        }
    }
}

/// All four forms of the classic file, and both of pcapng.
#[test]
fn files_of_every_byte_order_and_precision() {
    let packet = &tunnel()[0];
    let length = u32::try_from(packet.len()).unwrap();
    let block = |big: bool, kind: u32, body: &[u8]| {
        let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let padded = body.len().next_multiple_of(4);
        let total = u32::try_from(padded + 12).unwrap();
        let padding = vec![0; padded - body.len()];
        [&word(kind)[..], &word(total), body, &padding, &word(total)].concat()
    };
    for big in [false, true] {
        let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut files = Vec::new();
        for (magic, units) in [(0xa1b2_c3d4, 500_000), (0xa1b2_3c4d, 500_000_000)] {
            let mut file = word(magic).to_vec();
            file.extend([half(2), half(4)].concat());
            for value in [0, 0, 262_144, 101, 7, units, length, length] {
                file.extend(word(value));
            }
            file.extend(packet);
            files.push(file);
        }
        let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
        let interface = [&half(101)[..], &half(0), &word(0)].concat();
        let head = [word(0), word(0), word(7_500_000), word(length), word(length)].concat();
        let blocks = [
            block(big, 0x0a0d_0d0a, &section),
            block(big, 1, &interface),
            block(big, 6, &[&head, &packet[..]].concat()),
        ];
        files.push(blocks.concat());
        for (number, file) in files.iter().enumerate() {
            let recording = Recording::read(&file[..]).unwrap();
            let times: Vec<_> = recording.messages.iter().map(|one| one.time.as_millis()).collect();
            assert_eq!(times, [7500], "file {number}, big-endian: {big}");
            for length in 0..file.len() {
                if let Err(error) = Recording::read(&file[..length]) {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}

/// What real peers said to each other.
#[test]
fn captures_of_real_peers() {
    let Some(folder) = std::env::var_os("HUBWARD_CAPTURES").map(PathBuf::from) else {
        assert!(std::env::var_os("HUBWARD_REQUIRE").is_none(), "HUBWARD_CAPTURES is not set");
        return;
    };
    for (name, parts) in [
        ("neg-esp-prop", &["10.48.67.181 refuses quick mode", " message 6 10.48.67.181"][..]),
        ("neg-selectors", &["10.48.67.181 refuses quick mode", "no access list mirrors the networks"]),
        (
            "neg-l2l-psk",
            &["the pre-shared keys differ", " message 5 10.100.2.102:4500 -> 10.48.67.181:4500, 3 times"],
        ),
        ("neg-group-psk", &["usually its group key (pre-shared key) differs", " message 2 10.48.67.181"]),
        ("neg-xauth-pw", &["usually the user's password was refused", " message 3 10.51.82.100"]),
        ("l2l-strongswan-main-kernel-esp", &["The tunnel works", "quick mode message 3 10.100.2.102"]),
        (
            "ra-vpnc-none-kernel-esp",
            &["The tunnel works", "aggressive mode", "quick mode message 3 10.51.82.100"],
        ),
        ("ra-vpnc-natt", &["aggressive mode", "quick mode message 3 10.51.82.100"]),
        ("ikev2-openiked-kernel-esp", &["0 attempts", "messages are not IKEv1"]),
    ] {
        let file = std::fs::read(folder.join(name).join("capture.pcap")).unwrap();
        let text = told(&file, HUB);
        for part in parts {
            assert!(text.contains(part), "{name}: {part:?} is not in\n{text}");
        }
    }
}
