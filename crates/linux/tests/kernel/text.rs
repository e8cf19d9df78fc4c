//! Rules that are loaded as text, and what they leave in the kernel: counters, translated
//! connections, packets in the log.

use crate::{Pair, Test, eventually};
use hubward_linux::conntrack::{Conntrack, Flow, Tuple};
use hubward_linux::nflog::Group;
use hubward_linux::nftables::{Counted, Nftables};
use hubward_linux::{link, nft};
use std::net::{Ipv4Addr, UdpSocket};

pub(crate) fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = vec![
        ("text::packets_in_the_log_have_prefix_bytes_and_where_they_came_from", logged),
        ("text::packets_that_nobody_reads_are_counted", flooded),
    ];
    if nft::program().is_some() {
        tests.extend([
            ("text::rules_are_loaded_as_a_whole_or_not_at_all", whole_or_not as fn()),
            ("text::the_right_to_change_rules_is_handed_on", handed_on),
            ("text::chains_of_other_programs_that_drop_what_is_forwarded", foreign),
            ("text::named_counters_survive_a_change_and_are_reset", counters),
            ("text::a_table_that_somebody_changed_has_another_shape", shapes),
            ("text::translated_connections_are_listed_and_removed", connections),
        ]);
    } else {
        assert!(std::env::var("CI").is_err(), "the package nftables is missing");
    }
    tests
}

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn load(pair: &Pair, text: &str) {
    pair.a.run(|| nft::load(text)).unwrap().unwrap();
}

fn filters(pair: &Pair) -> Nftables {
    pair.a.run(|| Nftables::open().unwrap()).unwrap()
}

/// A socket in namespace a that sends to a port of namespace b.
fn sender(pair: &Pair, from: u16, to: u16) -> UdpSocket {
    let socket = pair.a.run(|| UdpSocket::bind((HERE, from)).unwrap()).unwrap();
    socket.connect((FAR, to)).unwrap();
    socket
}

fn whole_or_not() {
    let pair = Pair::new();
    let filters = filters(&pair);
    let refused =
        "table ip one {\n chain c {\n  accept\n }\n}\ntable ip two {\n chain c {\n  jump nowhere\n }\n}\n";
    let error = pair.a.run(|| nft::load(refused)).unwrap().unwrap_err().to_string();
    assert_eq!(
        error,
        "nft did not load the rules: line 8 (jump nowhere): Could not process rule: No such file or directory"
    );
    assert!(!filters.exists("one").unwrap(), "nothing is in force of what was refused");
    load(&pair, &refused.replace("jump nowhere", "drop"));
    assert!(filters.exists("one").unwrap() && filters.exists("two").unwrap());
    // more text than fits a pipe
    let many: String =
        (0..100).map(|n| format!("  # {}\n  ip saddr 10.0.{n}.7 drop\n", "x".repeat(2000))).collect();
    load(&pair, &format!("table ip one {{\n chain many {{\n{many} }}\n}}\n"));
    assert_eq!(filters.shape("one").unwrap().unwrap().rules, 101);
    // other namespaces have none of it
    assert!(!pair.b.run(|| Nftables::open().unwrap().exists("one").unwrap()).unwrap());
}

/// Of a process that is not root and has the right by a capability that it may hand on to nobody, as
/// a file's capabilities give it.
fn handed_on() {
    use rustix::process::Uid;
    use rustix::thread::{
        CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs,
        set_thread_res_uid,
    };
    let pair = Pair::new();
    let filters = filters(&pair);
    let loaded = pair.a.run(|| {
        set_keep_capabilities(true).unwrap();
        // of this thread alone, which ends after the test
        let other = Some(Uid::from_raw(65534));
        if set_thread_res_uid(other, other, other).is_err() {
            // in a user namespace there is no other user
            return None;
        }
        let wanted = CapabilitySet::NET_ADMIN;
        let sets =
            CapabilitySets { effective: wanted, permitted: wanted, inheritable: CapabilitySet::empty() };
        set_capabilities(None, sets).unwrap();
        set_no_new_privs(true).unwrap();
        let loaded = nft::load("table ip one {\n}\n");
        set_capabilities(
            None,
            CapabilitySets { effective: CapabilitySet::empty(), permitted: CapabilitySet::empty(), ..sets },
        )
        .unwrap();
        Some((loaded, nft::load("table ip two {\n}\n")))
    });
    let Some((loaded, without)) = loaded.unwrap() else { return };
    loaded.unwrap();
    let refused = without.unwrap_err();
    assert!(refused.is_permission(), "{refused}");
    assert!(filters.exists("one").unwrap() && !filters.exists("two").unwrap());
}

/// A table whose rule counts what goes to a port of namespace b.
fn counting(port: u16) -> String {
    format!(
        "add table ip router\nadd counter ip router acl_OUT_10\nadd counter ip router acl_OUT_20\n\
         add chain ip router out {{ type filter hook output priority 0; }}\nflush chain ip router out\n\
         add rule ip router out udp dport {port} counter name \"acl_OUT_10\" accept\n"
    )
}

fn counters() {
    let pair = Pair::new();
    let filters = filters(&pair);
    assert!(filters.named_counters("router").unwrap().is_empty());
    load(&pair, &counting(7));
    let socket = sender(&pair, 700, 7);
    let packets = |packets| Counted { packets, bytes: packets * 38 };
    let counted = || {
        let counters = filters.named_counters("router").unwrap();
        assert_eq!(counters.len(), 2, "{counters:?}");
        (counters["acl_OUT_10"], counters["acl_OUT_20"])
    };
    assert_eq!(counted(), (packets(0), packets(0)));
    for count in 1..=3 {
        // the first is answered that nobody listens, which the next one is told
        let _told = socket.send(&[7; 10]);
        let _told = socket.send(&[]).is_ok();
        assert!(counted().0.packets >= count);
    }
    let before = counted();
    load(&pair, &counting(8));
    assert_eq!(counted(), before, "a change of the rules keeps what was counted");
    // another table with a counter of the same name, and none of the names that are not there
    load(&pair, "table ip other {\n counter acl_OUT_10 { packets 5 bytes 50 }\n}\n");
    let reset = filters.reset_counters("router", ["acl_OUT_10", "acl_OUT_30"]).unwrap();
    assert_eq!(reset.into_iter().collect::<Vec<_>>(), [("acl_OUT_10".to_owned(), before.0)]);
    assert_eq!(counted().0, packets(0));
    assert_eq!(filters.named_counters("other").unwrap()["acl_OUT_10"].packets, 5);
}

fn foreign() {
    let pair = Pair::new();
    let filters = filters(&pair);
    assert_eq!(filters.dropping_forwarded("ours").unwrap(), []);
    let forward = |policy: &str, rule: &str| {
        format!("type filter hook forward priority 0; policy {policy};\n  {rule}\n")
    };
    let chain = |name: &str, what: &str| format!(" chain {name} {{\n  {what}\n }}\n");
    let table =
        |name: &str, chains: &[String]| load(&pair, &format!("table {name} {{\n{}}}\n", chains.concat()));
    table("inet fw", &[chain("f", &forward("drop", "accept"))]);
    table("ip ours_1", &[chain("f", &forward("drop", ""))]);
    table("ip leads", &[chain("x", "tcp dport 25 reject"), chain("f", &forward("accept", "jump x"))]);
    table(
        "ip calm",
        &[
            chain("f", &forward("accept", "counter accept")),
            chain("in", "type filter hook input priority 0; policy drop;\n  drop"),
        ],
    );
    table("ip6 other", &[chain("f", &forward("drop", ""))]);
    let mut found: Vec<_> =
        filters.dropping_forwarded("ours").unwrap().iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "table inet fw, chain f at hook forward has policy drop",
            "table ip leads, chain f at hook forward has rules that drop packets",
        ]
    );
}

fn shapes() {
    let pair = Pair::new();
    let filters = filters(&pair);
    assert_eq!(filters.shape("router").unwrap(), None);
    load(&pair, &counting(7));
    let loaded = filters.shape("router").unwrap().unwrap();
    assert_eq!((loaded.chains, loaded.rules), (1, 1));
    load(&pair, "table ip other {\n chain c {\n  drop\n }\n}\n");
    assert_eq!(filters.shape("router").unwrap(), Some(loaded), "other tables are no matter");
    load(&pair, "add chain ip router more\n");
    let more = filters.shape("router").unwrap().unwrap();
    assert_ne!(more, loaded);
    load(&pair, "delete chain ip router more\n");
    assert_eq!(filters.shape("router").unwrap(), Some(loaded));
    // the very same rule, but by somebody else
    load(
        &pair,
        "flush chain ip router out\nadd rule ip router out udp dport 7 counter name \"acl_OUT_10\" accept\n",
    );
    let replaced = filters.shape("router").unwrap().unwrap();
    assert!(replaced != loaded && replaced.rules == 1);
    load(&pair, "flush ruleset\n");
    assert_eq!(filters.shape("router").unwrap(), None);
}

fn connections() {
    let pair = Pair::new();
    load(
        &pair,
        "table ip router {\n chain nat {\n  type nat hook postrouting priority 90\n  udp dport 7 snat to 192.0.2.1:5007\n }\n \
         chain marks {\n  type filter hook output priority 0\n  udp dport 7 ct mark set 0x17\n }\n}\n",
    );
    let conntrack = pair.a.run(|| Conntrack::open().unwrap()).unwrap();
    let ports = |source, destination| Flow::Ports { source, destination };
    let all = |most| conntrack.list(most, |_| true).unwrap();
    let translated = sender(&pair, 700, 7);
    let plain = sender(&pair, 701, 8);
    let _told = (translated.send(b"x"), plain.send(b"x"));
    let found = conntrack.list(10, |connection| connection.is_translated()).unwrap();
    assert_eq!((found.connections.len(), found.more), (1, 0));
    let connection = &found.connections[0];
    let tuple = |source, destination, flow| Tuple { source, destination, protocol: 17, flow };
    assert_eq!(connection.original, tuple(HERE, FAR, ports(700, 7)));
    assert_eq!(connection.reply, tuple(FAR, HERE, ports(7, 5007)));
    assert!(connection.translates_source() && !connection.translates_destination());
    assert!(!connection.is_answered() && !connection.is_assured());
    assert_eq!((connection.mark, connection.zone, connection.helper.as_deref()), (0x17, 0, None));
    assert!((1..=60).contains(&connection.left.as_secs()), "{:?}", connection.left);
    assert_eq!((connection.tcp, connection.is_opening(), connection.is_closing()), (None, false, false));
    // a connection of TCP, of which the receiver is on this machine
    let web = pair.b.run(|| std::net::TcpListener::bind((FAR, 80)).unwrap()).unwrap();
    let client = pair.a.run(|| std::net::TcpStream::connect((FAR, 80)).unwrap()).unwrap();
    let tcp = || conntrack.list(10, |one| one.original.protocol == 6).unwrap().connections;
    assert!(matches!(&tcp()[..], [one] if one.is_answered() && !one.is_opening() && !one.is_closing()));
    drop((client, web));
    eventually("the end of the connection", || tcp().first()?.is_closing().then_some(()));
    let some = all(1);
    assert_eq!((some.connections.len(), some.more), (1, all(100).connections.len() - 1));
    // that one goes, the other stays
    assert!(conntrack.remove(connection).unwrap());
    assert!(!conntrack.remove(connection).unwrap());
    let left: Vec<_> = all(100).connections.into_iter().map(|one| one.original).collect();
    assert!(
        !left.contains(&connection.original) && left.contains(&tuple(HERE, FAR, ports(701, 8))),
        "{left:?}"
    );
    // the next packet begins another; the first call tells that nobody listens
    let _told = (translated.send(b"x"), translated.send(b"x"));
    assert_eq!(conntrack.list(10, |one| one.is_translated()).unwrap().connections.len(), 1);
}

/// nft is needed for rules with `log`; the guard's own tables have none.
fn log_in_b(pair: &Pair) -> Option<Group> {
    nft::program()?;
    let rules = "table ip router {\n chain in {\n  type filter hook input priority 0\n  udp dport 7 log group 5 prefix \"hubward 3\" drop\n }\n}\n";
    pair.b
        .run(|| {
            nft::load(rules).unwrap();
            Some(Group::open(5, 64).unwrap())
        })
        .unwrap()
}

fn logged() {
    let pair = Pair::new();
    let Some(mut group) = log_in_b(&pair) else { return };
    assert!(group.read().unwrap().is_empty());
    let other = pair.b.run(|| Group::open(5, 64)).unwrap();
    assert!(other.is_err(), "a group has one reader");
    let socket = sender(&pair, 700, 7);
    socket.send(&[7; 200]).unwrap();
    let packet = eventually("the report of the packet", || group.read().unwrap().pop());
    assert_eq!(packet.prefix, "hubward 3");
    assert_eq!(packet.bytes.len(), 64);
    assert_eq!(packet.bytes[12..24], [192, 0, 2, 1, 192, 0, 2, 2, 2, 188, 0, 7]);
    let (here, there) =
        (link::by_name(&pair.netlink_a, "eth0").unwrap(), link::by_name(&pair.netlink_b, "eth0").unwrap());
    assert_eq!((packet.input, packet.output), (Some(there.index), None));
    assert_eq!(packet.source, here.mac);
    let name = |index| pair.b.run(|| link::name_of(index)).unwrap();
    assert_eq!((name(there.index).as_deref(), name(there.index + 1000)), (Some("eth0"), None));
    assert_eq!(group.missed(), 0);
}

fn flooded() {
    const MANY: usize = 20_000;
    let pair = Pair::new();
    let Some(mut group) = log_in_b(&pair) else { return };
    let socket = sender(&pair, 700, 7);
    for _ in 0..MANY {
        socket.send(&[7; 20]).unwrap();
    }
    let mut read = 0;
    // one more comes after those that were lost, and tells how many they were
    let missed = eventually("the number of lost packets", || {
        read += group.read().unwrap().len();
        socket.send(&[7; 20]).unwrap();
        let missed = group.missed();
        (missed > 0).then_some(missed)
    });
    assert!(read > 100, "{read}");
    assert!(usize::try_from(missed).unwrap() + read >= MANY - 100, "{missed} lost, {read} read");
}
