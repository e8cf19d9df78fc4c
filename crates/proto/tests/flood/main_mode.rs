//! Floods of main mode, and both modes at once.

use super::peer::{Bench, clear, path, phase1_sa};
use super::support::field::{HUB_NODE, forged};
use super::support::{HUB, ip};
use super::{ATTACK, Site, TRIES, TRY, first_aggressive, first_main};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::io::Input;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::net::Ipv4Addr;
use std::time::Duration;

/// 20,000 first messages of main mode and 400 of aggressive mode a second, from 100,000 forged
/// addresses: branches and clients come in.
#[test]
fn a_flood_of_both_modes_locks_nobody_out() {
    let mut site = Site::new(200, 200);
    site.flood(first_main(), 20_000, ATTACK, forged);
    site.flood(first_aggressive(), 400, ATTACK, forged);
    let all = site.everybody();
    let out = site.come_in(&all, TRIES);
    let (spokes, clients): (Vec<_>, Vec<_>) = out.into_iter().partition(|index| *index <= 200);
    site.assert_in("branches", 200, &spokes);
    site.assert_in("clients", 200, &clients);
}

/// 60,000 first messages of main mode a second: branches that are 60 and 150 ms away come in.
#[test]
fn a_flood_of_60_000_a_second_locks_no_branch_out() {
    let mut site = Site::new(50, 0);
    site.flood(first_main(), 60_000, ATTACK, forged);
    let honest: Vec<_> = site.everybody().into_iter().filter(|index| matches!(index % 5, 2 | 3)).collect();
    let out = site.come_in(&honest, TRIES);
    site.assert_in("branches 60 and 150 ms away", honest.len(), &out);
}

/// 6,000 first messages of main mode a second with a branch's own address: the branch comes in,
/// whatever its round trip.
#[test]
fn a_branch_whose_address_is_forged_comes_in() {
    let mut out = Vec::new();
    for victim in 1..=5 {
        let mut site = Site::new(5, 0);
        let address = Ipv4Addr::new(10, 100, 2, victim);
        site.flood(first_main(), 6_000, ATTACK, move |_| address);
        out.extend(site.come_in(&[usize::from(victim)], TRIES));
    }
    assert_eq!(out, Vec::<usize>::new(), "these branches are not in");
}

/// 80 real addresses with 32 half-open SAs each: attackers who answer message 2, so that each SA
/// costs the hub a Diffie-Hellman exchange. Branches come in with their first try.
#[test]
fn eighty_addresses_with_32_half_open_sas_each_lock_no_branch_out() {
    let mut site = Site::new(40, 0);
    let engine = std::mem::replace(&mut site.field.nodes[HUB_NODE].engine, spare_engine());
    let mut bench = Bench::new(engine);
    bench.now = site.field.now;
    let private = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([5; 32]));
    let mut half_open = 0;
    for attacker in 0..80u8 {
        let from = path(ip(HUB), Ipv4Addr::new(44, 1, 1, attacker).into(), 500);
        for number in 0..32u8 {
            let initiator = Cookie([attacker, number, 1, 2, 3, 4, 5, 6]);
            let mut writer = Writer::new();
            writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
            let cookies = Cookies { initiator, responder: Cookie::ZERO };
            let answers = bench.datagram(from, &clear(cookies, exchange::MAIN, &writer));
            let Some(answer) = answers.first() else { continue };
            let (header, _) = Header::parse(answer).unwrap();
            let cookies = Cookies { initiator, responder: header.responder };
            let mut writer = Writer::new();
            writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
            half_open += bench.datagram(from, &clear(cookies, exchange::MAIN, &writer)).len();
        }
    }
    assert!(half_open > 1_000, "{half_open} half-open SAs");
    site.field.nodes[HUB_NODE].engine = bench.engine;
    let all = site.everybody();
    let out = site.come_in(&all, 1);
    site.assert_in("branches", 40, &out);
}

pub(super) fn spare_engine() -> hubward_proto::ike::engine::Engine {
    let policy = std::sync::Arc::new(super::support::hub_policy());
    hubward_proto::ike::engine::Engine::new(policy, [9; 32], hubward_proto::time::Instant::ORIGIN)
}

/// What is half-open is bounded while a flood lasts, and gone half a minute after it.
#[test]
fn what_a_flood_leaves_behind_is_gone_half_a_minute_later() {
    let mut site = Site::new(5, 5);
    let before = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    site.flood(first_main(), 20_000, TRY, forged);
    site.flood(first_aggressive(), 400, TRY, forged);
    site.field.run(TRY);
    let during = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    println!("{before} SAs before, {during} during the flood");
    assert!(during <= before + hubward_proto::limits::HALF_OPEN + 1, "{during} SAs");
    site.field.run(Duration::from_secs(35));
    assert_eq!(site.field.nodes[HUB_NODE].engine.inspect().isakmp.len(), before);
    let all = site.everybody();
    assert!(all.iter().all(|index| site.is_up(*index)), "the tunnels stand");
}

/// The hub sends no more than it is sent: a forged address is not hit harder than by the attacker
/// himself.
#[test]
fn a_flood_is_not_amplified() {
    let mut site = Site::new(1, 1);
    site.flood(first_main(), 2_000, TRY, forged);
    site.field.run(TRY);
    let sent = first_main().len() as u64 * 2_000 * TRY.as_secs();
    site.field.run(Duration::from_secs(60));
    let reflected = site.field.reflected;
    println!("{sent} bytes sent, {reflected} reflected");
    assert!(reflected * 10 <= sent * 12, "{reflected} bytes for {sent}");
}

/// The same first message a thousand times: at most five answers in ten seconds.
#[test]
fn a_repeated_first_message_is_answered_five_times() {
    let mut bench = Bench::new(spare_engine());
    let from = path(ip(HUB), ip("44.1.1.1"), 500);
    let mut answers = 0;
    for _ in 0..1_000 {
        answers += bench.input(Input::Datagram { path: from, bytes: &first_main() }).len();
        answers += bench.wait(Duration::from_millis(10)).len();
    }
    assert!(answers <= 5, "{answers} answers");
}
