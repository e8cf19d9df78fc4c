//! Floods of aggressive mode: each first message costs the hub a Diffie-Hellman exchange, and proves
//! nothing about who sent it.

use super::support::field::forged;
use super::{ATTACK, Site, TRIES, TRY, first_aggressive};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Once the flood is over, the client whose address was forged is in within this time.
const AFTERWARDS: Duration = Duration::from_secs(35);

fn one_client(_: u64) -> Ipv4Addr {
    Ipv4Addr::new(10, 51, 82, 1)
}

/// 1,024 first messages of aggressive mode from forged addresses within half a minute, as many as
/// there are places: clients come in.
#[test]
#[ignore = "unanswered aggressive-mode SAs do not give way to others"]
fn a_thousand_aggressive_calls_in_half_a_minute_lock_no_client_out() {
    let mut site = Site::new(0, 40);
    site.flood(first_aggressive(), 103, Duration::from_secs(10), forged);
    site.field.run(Duration::from_secs(10));
    let all = site.everybody();
    let out = site.come_in(&all, TRIES);
    site.assert_in("clients", 40, &out);
}

/// 80 and 400 first messages of aggressive mode a second from forged addresses: clients come in.
#[test]
#[ignore = "unanswered aggressive-mode SAs do not give way to others"]
fn aggressive_floods_of_80_and_400_a_second_lock_no_client_out() {
    for rate in [80, 400] {
        let mut site = Site::new(0, 40);
        let filling = Duration::from_secs(u64::from(1_200 / rate));
        site.flood(first_aggressive(), rate, filling + ATTACK, forged);
        site.field.run(filling);
        let all = site.everybody();
        let out = site.come_in(&all, TRIES);
        site.assert_in(&format!("clients at {rate} a second"), 40, &out);
    }
}

/// Repeats a client's tries for a time; whether it came in.
fn comes_in_within(site: &mut Site, index: usize, time: Duration) -> bool {
    (0..time.as_secs() / TRY.as_secs()).any(|_| site.come_in(&[index], 1).is_empty())
}

/// 32 first messages with one client's address, as many as one address may have half-open: the
/// client comes in half a minute later, and all others at once.
#[test]
fn thirty_two_calls_with_a_clients_address_harm_it_for_half_a_minute_at_most() {
    let mut site = Site::new(0, 20);
    site.flood(first_aggressive(), 32, Duration::from_secs(1), one_client);
    site.field.run(Duration::from_secs(1));
    let others: Vec<_> = (2..=20).collect();
    let out = site.come_in(&others, 1);
    site.assert_in("the other clients", 19, &out);
    assert!(comes_in_within(&mut site, 1, AFTERWARDS), "the client whose address was forged");
}

/// 400 first messages a second with one client's address. Its established tunnel stands; all other
/// clients come in as if nothing were; and it can come in anew 35 s after the flood.
#[test]
fn a_flood_with_a_clients_address_harms_only_that_address_and_only_while_it_lasts() {
    let mut site = Site::new(0, 40);
    site.flood(first_aggressive(), 400, ATTACK, one_client);
    let others: Vec<_> = (2..=40).collect();
    let out = site.come_in(&others, TRIES);
    site.assert_in("the other clients", 39, &out);
    assert!(site.is_up(1), "the tunnel of the client whose address is forged");
    site.field.run(Duration::from_secs(1));
    assert!(comes_in_within(&mut site, 1, AFTERWARDS), "the client whose address was forged");
}

/// Three first messages a second with one client's address, for as long as one likes: the client's
/// tunnel stands, and it comes in anew after the flood.
#[test]
fn three_calls_a_second_with_a_clients_address_do_not_end_its_tunnel() {
    let mut site = Site::new(0, 2);
    site.flood(first_aggressive(), 3, Duration::from_secs(60), one_client);
    site.field.run(Duration::from_secs(60));
    assert!(site.is_up(1), "the tunnel of the client whose address is forged");
    assert!(comes_in_within(&mut site, 1, AFTERWARDS), "the client whose address was forged");
}
