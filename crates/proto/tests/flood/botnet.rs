//! Attackers who are really at their addresses: they answer message 2, so that message 3 of each
//! costs the hub a Diffie-Hellman exchange.

use super::Site;
use super::main_mode::spare_engine;
use super::peer::{Bench, clear, path, phase1_sa};
use super::support::field::HUB_NODE;
use super::support::{HUB, ip};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::limits;
use hubward_proto::names::ChildId;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Attempts a second.
const RATE: u32 = 2_000;
/// From so many addresses.
const BOTS: u32 = 5_000;
/// They attack in this rhythm.
const STEP: Duration = Duration::from_millis(10);
const BRANCHES: usize = 60;

struct Botnet {
    public: Vec<u8>,
    number: u32,
    /// Diffie-Hellman exchanges that the hub spent: messages 4.
    spent: u32,
}

impl Botnet {
    fn new() -> Self {
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([5; 32]));
        Self { public: private.public().to_vec(), number: 0, spent: 0 }
    }

    /// One attempt: message 1, and message 3 if there is an answer.
    fn attempt(&mut self, bench: &mut Bench) {
        self.number += 1;
        let bot = Ipv4Addr::from_bits(0x2c00_0000 + self.number % BOTS);
        let from = path(ip(HUB), bot.into(), 500);
        let initiator = Cookie((u64::from(self.number) << 32 | 1).to_be_bytes());
        let mut writer = Writer::new();
        writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
        let cookies = Cookies { initiator, responder: Cookie::ZERO };
        let answers = bench.datagram(from, &clear(cookies, exchange::MAIN, &writer));
        let Some(answer) = answers.first() else { return };
        let (header, _) = Header::parse(answer).unwrap();
        let cookies = Cookies { initiator, responder: header.responder };
        let mut writer = Writer::new();
        writer.push(payload::KE, self.public.clone()).push(payload::NONCE, [1; 20]);
        self.spent +=
            u32::try_from(bench.datagram(from, &clear(cookies, exchange::MAIN, &writer)).len()).unwrap();
    }

    /// Attacks for a time, while everybody else goes on.
    fn attack(&mut self, site: &mut Site, time: Duration) {
        let each = RATE * u32::try_from(STEP.as_millis()).unwrap() / 1_000;
        for _ in 0..time.as_millis() / STEP.as_millis() {
            let engine = std::mem::replace(&mut site.field.nodes[HUB_NODE].engine, spare_engine());
            let mut bench = Bench::new(engine);
            bench.now = site.field.now;
            (0..each).for_each(|_| self.attempt(&mut bench));
            site.field.nodes[HUB_NODE].engine = bench.engine;
            // nothing, after which the simulation knows the hub's timers again
            site.field.input(HUB_NODE, Input::InboundSeen { child: ChildId(0) });
            site.field.nodes[HUB_NODE].events.clear();
            site.field.run(STEP);
        }
    }
}

/// The SPIs by which a branch's tunnel is known to both ends.
fn spis(site: &Site, index: usize) -> BTreeSet<u32> {
    let theirs: BTreeSet<_> =
        site.field.nodes[HUB_NODE].inbound.values().map(|child| child.inbound.spi.0).collect();
    let ours = site.field.nodes[index].outbound.values().map(|child| child.outbound.spi.0);
    ours.filter(|spi| theirs.contains(spi)).collect()
}

/// 2,000 attempts a second with real return paths for eight seconds. What the hub spends on them is
/// bounded, and of the established branches all rekey: a third their child SA, a third both phases,
/// and a third come back after a power failure, with their first try.
#[test]
fn two_thousand_real_attackers_a_second_hold_up_no_rekey() {
    let mut site = Site::new(BRANCHES, 0);
    let before = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    let mut botnet = Botnet::new();
    let began = site.field.now;
    // longer than what may be spent at once lasts
    botnet.attack(&mut site, Duration::from_secs(3));
    let old: Vec<_> =
        (0..=BRANCHES).map(|index| if index == 0 { BTreeSet::new() } else { spis(&site, index) }).collect();
    for index in 1..=BRANCHES {
        let child = site.field.nodes[index].outbound.keys().next_back().copied().unwrap();
        match index % 3 {
            0 => site.field.input(index, Input::Expire { child, limit: Limit::Soft }),
            1 => {
                site.field.input(index, Input::Command(Command::ClearIsakmp { connection: None }));
                site.field.input(index, Input::Expire { child, limit: Limit::Soft });
            }
            _ => {
                site.reboots += 1;
                site.reboot(index);
            }
        }
        botnet.attack(&mut site, STEP);
    }
    botnet.attack(&mut site, Duration::from_secs(5));
    let took = site.field.now.since(began);
    let half_open = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len().saturating_sub(before);
    let may = limits::PHASE1_BURST_ALL
        + u32::try_from(took.as_millis() / limits::PHASE1_REFILL_ALL.as_millis()).unwrap();
    println!(
        "{} attempts in {took:?}: {} Diffie-Hellman exchanges of {may} that strangers may have, {half_open} SAs",
        botnet.number, botnet.spent
    );
    assert!(botnet.spent > limits::PHASE1_BURST_ALL, "the attack costs something: {}", botnet.spent);
    assert!(botnet.spent <= may + 1, "{} exchanges", botnet.spent);
    // some of those who have sent message 1 alone are listed
    let most = limits::HALF_OPEN + limits::CALLED_SHOWN + BRANCHES;
    assert!(half_open <= most, "{half_open} half-open SAs");
    let not: Vec<_> = (1..=BRANCHES)
        .filter(|index| spis(&site, *index).is_subset(&old[*index]) || !site.is_up(*index))
        .collect();
    assert_eq!(not, Vec::<usize>::new(), "these branches have no new tunnel");
    site.field.run(Duration::from_secs(35));
    let left = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    // those that were cleared have an old and a new one for a while
    assert!(left <= before + BRANCHES, "{left} SAs are left of {before}");
}
