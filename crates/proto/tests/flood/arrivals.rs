//! Twenty branches and clients a second come in while a flood lasts, half of them for the first
//! time.

use super::support::Node;
use super::support::field::{Field, Flood, HUB_NODE};
use super::{HUB, Site, TRIES, TRIPS, TRY, first_main, hub_policy};
use hubward_proto::time::Instant;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How many there are of each: branches that were here before, new branches, clients that were here
/// before, new clients.
const EACH: usize = 15;
/// One comes in after the other.
const PACE: Duration = Duration::from_millis(50);
/// Once the flood is over, everything is as before within this time.
const AFTERWARDS: Duration = Duration::from_secs(35);

/// One of a million addresses.
fn of_a_million(number: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x2c00_0000 + u32::try_from(number.wrapping_mul(7919) % 1_000_000).unwrap())
}

/// Somebody who comes in.
struct Arrival {
    index: usize,
    begun: Instant,
    tries: u32,
    /// When the current try began.
    tried: Instant,
    /// How long it took.
    took: Option<Duration>,
}

/// A hub that has seen every other branch and client before.
fn half_known() -> Site {
    let (spokes, clients) = (EACH * 2, EACH * 2);
    let peers = (1..=spokes + clients).map(|index| {
        let node = Node::new(&Site::address(spokes, index), Site::policy(spokes, index), 1);
        (node, Duration::from_millis(TRIPS[index % TRIPS.len()]))
    });
    let field = Field::new(Node::new(HUB, hub_policy(), 1), peers.collect());
    let mut site = Site { field, spokes, clients, reboots: 0 };
    let known: Vec<_> = site.everybody().into_iter().filter(|index| is_known(*index)).collect();
    assert_eq!(site.come_in(&known, 1), Vec::<usize>::new(), "those come in without a flood");
    site
}

/// Both halves have all round trips.
fn is_known(index: usize) -> bool {
    index.is_multiple_of(2)
}

/// They come in, one after the other, each with so many tries.
fn come_in_at_a_pace(site: &mut Site) -> Vec<Arrival> {
    let mut to_come = site.everybody();
    to_come.reverse();
    // branches and clients by turns
    to_come.sort_by_key(|index| std::cmp::Reverse((index - 1) % site.spokes));
    let mut arrivals: Vec<Arrival> = Vec::new();
    site.reboots += 1;
    loop {
        let now = site.field.now;
        let open = |arrival: &Arrival| arrival.took.is_none();
        for arrival in arrivals.iter_mut().filter(|arrival| open(arrival)) {
            if site.is_up(arrival.index) {
                arrival.took = Some(now.since(arrival.begun));
            } else if now.since(arrival.tried) >= TRY && arrival.tries < TRIES {
                (arrival.tries, arrival.tried) = (arrival.tries + 1, now);
                site.reboots = site.reboots.wrapping_add(1);
                site.reboot(arrival.index);
            }
        }
        match to_come.pop() {
            Some(index) => {
                site.reboot(index);
                arrivals.push(Arrival { index, begun: now, tries: 1, tried: now, took: None });
            }
            None if arrivals.iter().all(|arrival| !open(arrival) || now.since(arrival.tried) >= TRY) => {
                return arrivals;
            }
            None => {}
        }
        site.field.run(PACE);
    }
}

/// How many of a hundred are in, and after what time 95 of a hundred of them were.
fn figures(who: &str, arrivals: &[Arrival], is: impl Fn(usize) -> bool) -> (usize, Duration) {
    let all: Vec<_> = arrivals.iter().filter(|arrival| is(arrival.index)).collect();
    let mut took: Vec<_> = all.iter().filter_map(|arrival| arrival.took).collect();
    took.sort_unstable();
    let most = all.iter().map(|arrival| arrival.tries).max().unwrap_or(0);
    let p95 = took.get(took.len() * 95 / 100).or(took.last()).copied().unwrap_or(Duration::MAX);
    let share = took.len() * 100 / all.len();
    println!("{who}: {} of {} are in, 95 % within {p95:?}, {most} tries at most", took.len(), all.len());
    (share, p95)
}

/// 100,000 first messages of main mode a second from a million forged addresses. The hub forgets
/// strangers after a third of a second then, which is as long as the longest round trip here.
#[test]
fn twenty_a_second_come_in_during_100_000_forged_calls_a_second() {
    const RATE: u32 = 100_000;
    let mut site = half_known();
    let before = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    let from = site.field.now;
    let longest = Duration::from_secs(60);
    site.field.floods.push(Flood::new(first_main(), RATE, from, longest, of_a_million));
    // the tables are full before the first comes
    site.field.run(Duration::from_millis(400));
    let arrivals = come_in_at_a_pace(&mut site);
    let took = site.field.now.since(from);
    assert!(took < longest, "the flood ended before the last came: {took:?}");
    let (known, p95) = figures("known", &arrivals, is_known);
    assert!(known >= 99 && p95 <= Duration::from_secs(5), "known: {known} % in, 95 % within {p95:?}");
    let (unknown, _) = figures("unknown", &arrivals, |index| !is_known(index));
    assert!(unknown >= 90, "unknown: {unknown} %");

    site.field.floods.clear();
    let reflected = site.field.reflected;
    let sent = first_main().len() as u64 * u64::from(RATE) * took.as_millis() as u64 / 1000;
    println!("{sent} bytes sent, {reflected} reflected");
    assert!(reflected * 10 <= sent * 12, "{reflected} bytes for {sent}");

    site.field.run(AFTERWARDS);
    let new = site.everybody().iter().filter(|index| !is_known(**index)).count();
    let left = site.field.nodes[HUB_NODE].engine.inspect().isakmp.len();
    assert!(left <= before + new, "{left} SAs, {before} before, and {new} came");
    let everybody = site.everybody();
    assert!(everybody.iter().all(|index| site.is_up(*index)), "the tunnels stand");
    let out = site.come_in(&everybody, 1);
    assert_eq!(out, Vec::<usize>::new(), "afterwards everybody comes in at the first try");
}
