//! Packet filters, compared with the packets that pass and with what `nft` prints of them.

use crate::{Pair, Test};
use hubward_linux::clear::ClearSocket;
use hubward_linux::marks::{CLEAR_MARK, FWMARK};
use hubward_linux::nftables::{Chain, Counted, Hook, Nftables, Rule, Set, Table, Test as Is, Verdict};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("filter::a_table_is_put_in_place_replaced_counted_and_removed", whole_tables),
        ("filter::nothing_passes_between_two_tables_that_both_drop_it", between_tables),
        ("filter::what_a_table_has_is_told_as_nft_calls_it", parts),
        ("filter::each_test_tells_packets_apart", each_test),
        ("filter::sets_of_many_ranges_hold_just_these", sets),
        ("filter::a_batch_that_the_kernel_refuses_changes_nothing", all_or_none),
        ("filter::nft_shows_what_was_meant", as_nft_shows),
    ]
}

const SOON: Duration = Duration::from_millis(20);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn table(rules: Vec<Rule>) -> Table {
    let checks = Chain { name: "checks".into(), hook: None, rules };
    let to_checks = || vec![Rule::new(vec![], Verdict::Jump("checks".into()))];
    let hooked = |name: &str, hook| Chain { name: name.into(), hook: Some(hook), rules: to_checks() };
    let chains = vec![
        checks,
        hooked("forward", Hook::Forward),
        hooked("output", Hook::Output),
        hooked("postrouting", Hook::Postrouting),
    ];
    Table { name: "test_guard".into(), sets: vec![], chains }
}

fn drop_of(tests: Vec<Is>) -> Rule {
    Rule::new(tests, Verdict::Drop).counted("dropped")
}

fn net(text: &str) -> ipnet::Ipv4Net {
    text.parse().unwrap()
}

/// Whether a datagram from port 700 to port 7 of the other namespace arrives there.
fn arrives(pair: &Pair, mark: u32, bytes: usize) -> bool {
    // a program that another test starts holds the socket of before until it begins
    let bind = || (0..100).find_map(|_| UdpSocket::bind((FAR, 7)).map_err(|_| sleep(SOON)).ok());
    let there = pair.b.run(bind).unwrap().expect("the port is in use");
    there.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let here = pair.a.run(|| Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap()).unwrap();
    here.set_reuse_address(true).unwrap();
    here.set_mark(mark).unwrap();
    here.bind(&SocketAddr::from(([192, 0, 2, 1], 700)).into()).unwrap();
    // the sender is notified of what the filter drops
    let _told = here.send_to(&vec![7; bytes], &SocketAddr::from((FAR, 7)).into());
    there.recv(&mut vec![0; bytes]).is_ok()
}

fn open(pair: &Pair) -> Nftables {
    pair.a.run(|| Nftables::open().unwrap()).unwrap()
}

fn whole_tables() {
    let pair = Pair::new();
    let filters = open(&pair);
    assert!(!filters.exists("test_guard").unwrap());
    assert!(!filters.remove("test_guard").unwrap());
    assert_eq!(filters.counters("test_guard").unwrap(), []);
    assert!(arrives(&pair, 0, 10));
    filters.replace(&table(vec![drop_of(vec![Is::destination(net("192.0.2.0/24"))])])).unwrap();
    assert!(filters.exists("test_guard").unwrap() && !filters.exists("test_guar").unwrap());
    assert!(!arrives(&pair, 0, 10));
    let dropped = |packets, bytes| vec![("dropped".to_owned(), Counted { packets, bytes })];
    assert_eq!(filters.counters("test_guard").unwrap(), dropped(1, 38));
    // another in its place, which counts on from what was counted
    let mut rule = drop_of(vec![Is::destination(net("198.51.100.0/24"))]);
    rule.counter = Some(Counted { packets: 41, bytes: 4100 });
    filters.replace(&table(vec![rule])).unwrap();
    assert!(arrives(&pair, 0, 10));
    assert_eq!(filters.counters("test_guard").unwrap(), dropped(41, 4100));
    assert!(filters.remove("test_guard").unwrap());
    assert!(!filters.exists("test_guard").unwrap());
    // the namespaces are apart
    assert!(!pair.b.run(|| Nftables::open().unwrap()).unwrap().exists("test_guard").unwrap());
}

/// Many replacements under packets that old and new drop; the long chain of another program between
/// them gives a packet time to ask one before and one after.
fn between_tables() {
    let pair = Pair::new();
    let filters = open(&pair);
    let of = |name: &str, rules| {
        let chains = vec![Chain { name: "output".into(), hook: Some(Hook::Output), rules }];
        Table { name: name.into(), sets: vec![], chains }
    };
    let to_far = || Is::destination(net("192.0.2.2/32"));
    let closed = |other: u16| {
        of(
            "test_guard",
            vec![
                Rule::new(vec![Is::Protocol(17), Is::DestinationPort(other)], Verdict::Drop),
                drop_of(vec![to_far()]),
            ],
        )
    };
    filters.replace(&closed(9)).unwrap();
    let long = (0..1000u16).map(|n| Rule::new(vec![Is::Protocol(17), Is::SourcePort(n)], Verdict::Return));
    filters.replace(&of("test_long", long.collect())).unwrap();
    let there = pair.b.run(|| UdpSocket::bind((FAR, 7)).unwrap()).unwrap();
    let here = pair.a.run(|| UdpSocket::bind(("192.0.2.1", 7000)).unwrap()).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0u32;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // the sender is notified of what the filter drops
                let _told = here.send_to(&[7; 10], (FAR, 7));
                sent += 1;
            }
            sent
        });
        for n in 0..2000 {
            filters.replace(&closed(9 + n % 2)).unwrap();
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        sender.join().unwrap()
    });
    assert!(sent > 400, "only {sent} packets were sent");
    there.set_read_timeout(Some(SOON)).unwrap();
    let passed = std::iter::from_fn(|| there.recv(&mut [0; 10]).ok()).count();
    assert_eq!(passed, 0, "of {sent} packets");
}

/// What there is besides what was meant goes, whatever the table was.
fn parts() {
    let pair = Pair::new();
    let filters = open(&pair);
    assert_eq!(filters.parts("test_guard").unwrap(), Vec::<String>::new());
    let text = "table ip test_guard {
        counter c { }
        ct timeout slow { protocol tcp; l3proto ip; policy = { established: 100 }; }
        set s { type ipv4_addr; }
        map m { type ipv4_addr : counter; elements = { 192.0.2.2 : \"c\" }; }
        map v { type inet_service : verdict; elements = { 7 : goto other }; }
        chain other { ip daddr { 192.0.2.3, 192.0.2.4 } accept; }
        chain output { type filter hook output priority 5; counter name ip daddr map @m; udp dport vmap @v; }
        chain forward { type filter hook forward priority 0; drop; }
    }";
    // the helpers need a program
    if hubward_linux::nft::program().is_none() {
        return;
    }
    pair.a.run(|| hubward_linux::nft::load(text)).unwrap().unwrap();
    assert_eq!(
        filters.parts("test_guard").unwrap(),
        ["set s", "map m", "map v", "chain other", "chain output", "chain forward"]
    );
    assert_eq!(filters.objects("test_guard").unwrap(), ["ct timeout slow"]);
    filters.replace(&table(vec![])).unwrap();
    assert_eq!(
        filters.parts("test_guard").unwrap(),
        ["chain forward", "chain checks", "chain output", "chain postrouting"]
    );
}

fn each_test() {
    let pair = Pair::new();
    let filters = open(&pair);
    let udp = || Is::Protocol(17);
    let tests = [
        (vec![], false),
        (vec![Is::LeavesBy("eth0".into())], false),
        (vec![Is::LeavesBy("eth".into())], true),
        (vec![Is::LeavesBy("eth00".into())], true),
        (vec![Is::LeavesByPrefix("eth".into())], false),
        (vec![Is::LeavesByPrefix("hubward".into())], true),
        (vec![Is::Mark(0)], false),
        (vec![Is::Mark(FWMARK)], true),
        (vec![Is::Ipsec], true),
        (vec![udp()], false),
        (vec![Is::Protocol(6)], true),
        (vec![Is::source(net("192.0.2.0/24"))], false),
        (vec![Is::source(net("192.0.2.1/32"))], false),
        (vec![Is::source(net("192.0.2.2/32"))], true),
        (vec![Is::source(net("0.0.0.0/0"))], false),
        (vec![Is::destination(net("192.0.2.2/32"))], false),
        (vec![Is::destination(net("192.0.2.128/25"))], true),
        // don't-care bits in the middle
        (vec![Is::Destination([192, 0, 9, 2].into(), [255, 255, 0, 255].into())], false),
        (vec![Is::Destination([192, 0, 9, 3].into(), [255, 255, 0, 255].into())], true),
        (vec![udp(), Is::SourcePort(700)], false),
        (vec![udp(), Is::SourcePort(7)], true),
        (vec![udp(), Is::DestinationPort(7)], false),
        (vec![udp(), Is::DestinationPort(700)], true),
        (vec![Is::LaterFragment], true),
        (vec![Is::NoLaterFragment, udp(), Is::DestinationPort(7)], false),
        (
            vec![udp(), Is::SourcePort(700), Is::source(net("192.0.2.0/25")), Is::LeavesBy("eth0".into())],
            false,
        ),
    ];
    for (tests, passes) in tests {
        filters.replace(&table(vec![drop_of(tests.clone())])).unwrap();
        assert_eq!(arrives(&pair, 0, 10), passes, "{tests:?}");
    }
    // a later fragment has no ports, and the bytes at that offset are not taken for some
    let ports = drop_of(vec![udp(), Is::NoLaterFragment, Is::DestinationPort(7)]);
    let later = drop_of(vec![udp(), Is::LaterFragment]);
    filters.replace(&table(vec![ports, later])).unwrap();
    let clear = pair.a.run(|| ClearSocket::open(CLEAR_MARK).unwrap()).unwrap();
    let header = [0x45, 0, 0, 28, 0, 7, 0, 1, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let _told = clear.send(&[&header[..], &[0, 7, 0, 7, 0, 8, 0, 0]].concat());
    let counts: Vec<_> =
        filters.counters("test_guard").unwrap().iter().map(|(_, count)| count.packets).collect();
    assert_eq!(counts, [0, 1]);
    // a mark is compared as a whole, but for what policy routing decided
    let marked = Rule::new(vec![Is::Mark(FWMARK)], Verdict::Accept);
    filters.replace(&table(vec![marked, drop_of(vec![])])).unwrap();
    let decided = 0x0ab0_0000;
    for (mark, passes) in [
        (FWMARK, true),
        (FWMARK | decided, true),
        (CLEAR_MARK, false),
        (CLEAR_MARK | decided, false),
        (0x8000_0000 | FWMARK, false),
        (decided, false),
        (0, false),
        (FWMARK + 1, false),
    ] {
        assert_eq!(arrives(&pair, mark, 10), passes, "{mark:#x}");
    }
    // `return` continues after the jump
    let mut returning = table(vec![Rule::new(vec![], Verdict::Return), drop_of(vec![])]);
    filters.replace(&returning).unwrap();
    assert!(arrives(&pair, 0, 10));
    returning.chains[2].rules.push(drop_of(vec![]));
    filters.replace(&returning).unwrap();
    assert!(!arrives(&pair, 0, 10));
}

fn sets() {
    let pair = Pair::new();
    let filters = open(&pair);
    let mut many = table(vec![drop_of(vec![Is::DestinationIn("far".into())])]);
    // every second address of 10.0.0.0/17, more than fits one message
    let every_second =
        (0..16_384u32).map(|n| Ipv4Addr::from(0x0a00_0000 + n * 2)).map(|address| (address, address));
    many.sets = vec![Set { name: "far".into(), ranges: every_second.collect() }];
    filters.replace(&many).unwrap();
    assert!(arrives(&pair, 0, 10));
    assert_eq!(filters.sets("test_guard").unwrap(), many.sets);
    assert_eq!(filters.sets("no_such_table").unwrap(), []);
    let exactly = (FAR, FAR);
    let before = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(192, 0, 2, 1));
    let after = (Ipv4Addr::new(192, 0, 2, 3), Ipv4Addr::BROADCAST);
    filters.add("test_guard", "far", &[exactly]).unwrap();
    assert!(!arrives(&pair, 0, 10));
    // ranges may touch on both sides, but not overlap
    let beside = [(Ipv4Addr::new(192, 0, 2, 3), Ipv4Addr::new(192, 0, 2, 9)), (before.1, before.1)];
    filters.add("test_guard", "far", &beside).unwrap();
    assert!(!arrives(&pair, 0, 10));
    assert!(filters.add("test_guard", "far", &[(before.1, FAR)]).is_err());
    let there = filters.sets("test_guard").unwrap();
    assert_eq!(there[0].ranges[16_384..], [beside[1], exactly, beside[0]]);
    for (ranges, passes) in [
        (vec![before, after], true),
        (vec![before, exactly, after], false),
        (vec![(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)], false),
        (vec![], true),
    ] {
        many.sets[0].ranges = ranges.clone();
        filters.replace(&many).unwrap();
        assert_eq!(filters.sets("test_guard").unwrap(), many.sets);
        assert_eq!(arrives(&pair, 0, 10), passes, "{ranges:?}");
        let mut inverted = many.clone();
        inverted.chains[0].rules = vec![drop_of(vec![Is::DestinationNotIn("far".into())])];
        filters.replace(&inverted).unwrap();
        assert_eq!(arrives(&pair, 0, 10), !passes, "not in {ranges:?}");
    }
}

fn all_or_none() {
    let pair = Pair::new();
    let filters = open(&pair);
    let good = table(vec![drop_of(vec![])]);
    filters.replace(&good).unwrap();
    let bad = table(vec![Rule::new(vec![], Verdict::Jump("nowhere".into()))]);
    let error = filters.replace(&bad).unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("test_guard"), "{error}");
    assert!(!arrives(&pair, 0, 10), "the old table is there");
    let lonely = Ipv4Addr::LOCALHOST;
    assert!(filters.add("test_guard", "no_such_set", &[(lonely, lonely)]).unwrap_err().is_not_found());
    // after an error the next request is understood
    filters.replace(&table(vec![])).unwrap();
    assert!(arrives(&pair, 0, 10));
}

fn as_nft_shows() {
    let pair = Pair::new();
    let filters = open(&pair);
    let mut shown = table(vec![
        Rule::new(vec![Is::Mark(FWMARK)], Verdict::Accept),
        Rule::new(vec![Is::Ipsec], Verdict::Accept),
        drop_of(vec![
            Is::LeavesBy("eth0".into()),
            Is::Protocol(17),
            Is::source(net("10.1.0.0/16")),
            Is::DestinationIn("far".into()),
            Is::DestinationPort(53),
        ]),
    ]);
    let edge = |last| (Ipv4Addr::new(10, 2, 0, 0), Ipv4Addr::new(10, 2, 255, last));
    shown.sets = vec![Set { name: "far".into(), ranges: vec![edge(255)] }];
    filters.replace(&shown).unwrap();
    let mut nft = Command::new("nft");
    nft.args(["list", "table", "ip", "test_guard"]);
    let Ok(output) = pair.a.start_in(&mut nft).unwrap().output() else {
        assert!(std::env::var("CI").is_err(), "the package nftables is missing");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "type ipv4_addr",
        "elements = { 10.2.0.0/16 }",
        "meta mark & 0xf00fffff == 0x00004857 accept",
        "rt ipsec exists accept",
        "oifname \"eth0\" ip saddr 10.1.0.0/16 ip daddr @far udp dport 53 counter packets 0 bytes 0 drop \
         comment \"dropped\"",
        "type filter hook forward priority filter; policy accept;",
        "type filter hook postrouting priority 150; policy accept;",
        "jump checks",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}
