//! UDP, native ESP, the clear path's socket, ping.

use crate::{Pair, Test, eventually};
use hubward_linux::esp_raw::EspSocket;
use hubward_linux::icmp::{Outcome, Ping, ping};
use hubward_linux::marks::FWMARK;
use hubward_linux::netns::NetNs;
use hubward_linux::route::{self, Route, RouteKind};
use hubward_linux::udp::UdpSocket;
use hubward_linux::{Error, Outgoing, RecvBatch, SendBatch, SocketOptions, link};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("sockets::udp_knows_and_chooses_the_local_address", udp_addresses),
        ("sockets::udp_df_set_fails_and_df_clear_fragments", udp_fragments),
        ("sockets::a_port_in_use_names_the_program", port_in_use),
        ("sockets::esp_batches_pass_both_ways", esp),
        ("sockets::esp_fragments_arrive_whole", esp_fragments),
        ("sockets::ping_is_answered", ping_answered),
        ("sockets::ping_tells_why_not", ping_failures),
        ("sockets::a_missing_capability_is_named", missing_capability),
    ]
}

fn marked() -> SocketOptions {
    SocketOptions { mark: Some(FWMARK), interface: None, buffer: 1 << 20 }
}

fn udp(namespace: &NetNs, local: &str) -> UdpSocket {
    namespace.run(|| UdpSocket::bind(local.parse().unwrap(), &marked()).unwrap()).unwrap()
}

fn outgoing(data: &[u8], to: SocketAddr) -> Outgoing<'_> {
    Outgoing { data, segment: None, to, from: None, interface: 0, tos: None, dont_fragment: false }
}

fn udp_addresses() {
    let pair = Pair::new();
    let (a, b) = (udp(&pair.a, "0.0.0.0:4500"), udp(&pair.b, "0.0.0.0:4500"));
    let eth0_a = link::by_name(&pair.netlink_a, "eth0").unwrap().index;
    let eth0_b = link::by_name(&pair.netlink_b, "eth0").unwrap().index;
    a.send_to(b"hello", "192.0.2.2:4500".parse().unwrap(), None).unwrap();
    let mut batch = RecvBatch::new(32, 2048);
    eventually("the datagram", || b.recv_batch(&mut batch).ok());
    let datagram = batch.datagrams().next().unwrap();
    assert_eq!(datagram.data, b"hello");
    assert_eq!(datagram.from, "192.0.2.1:4500".parse().unwrap());
    assert_eq!((datagram.to, datagram.interface), (Some([192, 0, 2, 2].into()), eth0_b));
    // the answer comes from another address than the kernel would choose
    let chosen: IpAddr = [198, 51, 100, 1].into();
    let payloads: Vec<Vec<u8>> = (0..100u8).map(|number| vec![number; usize::from(number) + 1]).collect();
    let mut sending = SendBatch::new(32);
    let mut sent = 0;
    while sent < payloads.len() {
        sent += b
            .send_batch(
                &mut sending,
                payloads.iter().skip(sent).map(|data| Outgoing {
                    from: Some(chosen),
                    interface: eth0_b,
                    tos: Some(0x2e << 2),
                    ..outgoing(data, "192.0.2.1:4500".parse().unwrap())
                }),
            )
            .unwrap();
    }
    let mut seen = Vec::new();
    eventually("100 datagrams", || {
        a.recv_batch(&mut batch).ok()?;
        for datagram in batch.datagrams() {
            assert_eq!(datagram.from, (chosen, 4500).into());
            assert_eq!((datagram.interface, datagram.tos), (eth0_a, 0x2e << 2));
            seen.push(datagram.data.to_vec());
        }
        (seen.len() == payloads.len()).then_some(())
    });
    assert_eq!(seen, payloads);
}

fn udp_fragments() {
    let pair = Pair::new();
    let (a, b) = (udp(&pair.a, "0.0.0.0:4500"), udp(&pair.b, "0.0.0.0:4500"));
    let (long, short) = ([1; 3000], [2; 100]);
    let to = "192.0.2.2:4500".parse().unwrap();
    let mut sending = SendBatch::new(8);
    let df = |data| Outgoing { dont_fragment: true, ..outgoing(data, to) };
    let error = a.send_batch(&mut sending, [df(&long)]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE, not {error}");
    // an error after the first datagram only shortens the count
    assert_eq!(
        a.send_batch(&mut sending, [outgoing(&long, to), df(&short), df(&long), df(&short)]).unwrap(),
        2
    );
    let mut batch = RecvBatch::new(8, 4096);
    let mut lengths = Vec::new();
    eventually("two datagrams", || {
        b.recv_batch(&mut batch).ok()?;
        lengths.extend(batch.datagrams().map(|datagram| datagram.data.len()));
        (lengths.len() == 2).then_some(())
    });
    assert_eq!(lengths, [3000, 100]);
}

/// Binds UDP `address`, prints that, and ends with its input.
pub(crate) fn hold_port(address: &str) -> ExitCode {
    let _socket = std::net::UdpSocket::bind(address).unwrap();
    io::stdout().write_all(b"!").unwrap();
    io::stdout().flush().unwrap();
    let _ = io::stdin().read(&mut [0]);
    ExitCode::SUCCESS
}

fn port_in_use() {
    let namespace = NetNs::create().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("HUBWARD_TEST_HOLD_PORT", "127.0.0.1:500").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = namespace.start_in(&mut command).unwrap().spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let bind = || UdpSocket::bind("0.0.0.0:500".parse().unwrap(), &marked());
    let error = namespace.run(bind).unwrap().unwrap_err();
    drop(child.stdin.take());
    child.wait().unwrap();
    let Error::PortInUse { holder: Some(holder), .. } = &error else { panic!("{error}") };
    assert_eq!(holder.pid, child.id());
    // the kernel keeps 15 bytes of a program's name
    let file = std::env::current_exe().unwrap();
    let program: String = file.file_name().unwrap().to_string_lossy().chars().take(15).collect();
    let expected = format!("UDP port 500 on 0.0.0.0 is already in use by {program} (process {})", child.id());
    assert!(error.to_string().starts_with(&expected), "{error}");
    namespace.run(bind).unwrap().unwrap();
}

fn esp() {
    let pair = Pair::new();
    let open = |namespace: &NetNs, local: &str| {
        namespace.run(|| EspSocket::open(local.parse().unwrap(), &marked()).unwrap()).unwrap()
    };
    let (a, b) = (open(&pair.a, "0.0.0.0"), open(&pair.b, "192.0.2.2"));
    let packets: Vec<Vec<u8>> = (1..=40u8).map(|number| vec![number; 60 + usize::from(number)]).collect();
    let mut sending = SendBatch::new(64);
    let messages = packets.iter().enumerate().map(|(index, data)| Outgoing {
        from: Some([192, 0, 2, 1].into()),
        tos: Some(3),
        dont_fragment: index % 2 == 1,
        ..outgoing(data, "192.0.2.2:0".parse().unwrap())
    });
    assert_eq!(a.send_batch(&mut sending, messages).unwrap(), packets.len());
    let mut batch = RecvBatch::new(16, 2048);
    let mut seen = Vec::new();
    eventually("40 packets", || {
        b.recv_batch(&mut batch).ok()?;
        for packet in batch.datagrams() {
            assert_eq!(packet.from.ip(), IpAddr::from([192, 0, 2, 1]));
            assert_eq!((packet.to, packet.tos), (Some([192, 0, 2, 2].into()), 3));
            seen.push(packet.data.to_vec());
        }
        (seen.len() == packets.len()).then_some(())
    });
    assert_eq!(seen, packets);
    b.send_batch(&mut sending, [outgoing(b"back again", "192.0.2.1:0".parse().unwrap())]).unwrap();
    eventually("the answer", || a.recv_batch(&mut batch).ok());
    assert_eq!(batch.datagrams().next().unwrap().data, b"back again");
}

fn esp_fragments() {
    let pair = Pair::new();
    let open = |namespace: &NetNs| {
        namespace.run(|| EspSocket::open([0, 0, 0, 0].into(), &SocketOptions::default()).unwrap()).unwrap()
    };
    let (a, b) = (open(&pair.a), open(&pair.b));
    let long: Vec<u8> = (0..4000u32).map(|number| number as u8).collect();
    let to = "192.0.2.2:0".parse().unwrap();
    let mut sending = SendBatch::new(1);
    let error =
        a.send_batch(&mut sending, [Outgoing { dont_fragment: true, ..outgoing(&long, to) }]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(90), "EMSGSIZE, not {error}");
    assert_eq!(a.send_batch(&mut sending, [outgoing(&long, to)]).unwrap(), 1);
    let mut batch = RecvBatch::new(4, 8192);
    eventually("the packet", || b.recv_batch(&mut batch).ok());
    assert_eq!(batch.len(), 1);
    assert_eq!(batch.datagrams().next().unwrap().data, long);
}

fn run_ping(namespace: &NetNs, request: &Ping) -> Vec<Outcome> {
    namespace.run(|| ping(request, |_| {}).unwrap()).unwrap()
}

fn ping_answered() {
    let pair = Pair::new();
    let request = Ping { count: 3, ..Ping::new([192, 0, 2, 2].into()) };
    for size in [28, 100, 1500, 5000] {
        let outcomes =
            run_ping(&pair.a, &Ping { size, source: Some([192, 0, 2, 1].into()), ..request.clone() });
        assert_eq!(outcomes.len(), 3);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Reply(_))), "{size}: {outcomes:?}");
    }
    let own = run_ping(&pair.a, &Ping { count: 1, ..Ping::new([192, 0, 2, 1].into()) });
    assert_eq!(own[0].symbol(), '!');
}

fn ping_failures() {
    let pair = Pair::new();
    let short = Duration::from_millis(50);
    let request = |destination: [u8; 4]| Ping { count: 1, timeout: short, ..Ping::new(destination.into()) };
    assert!(matches!(&run_ping(&pair.a, &request([10, 9, 9, 9]))[..], [Outcome::NotSent(_)]));
    let eth0 = link::by_name(&pair.netlink_a, "eth0").unwrap().index;
    let default = Route {
        gateway: Some([192, 0, 2, 2].into()),
        interface: eth0,
        ..Route::new("0.0.0.0/0".parse().unwrap())
    };
    route::add(&pair.netlink_a, &default).unwrap();
    // b does not forward: silence
    assert_eq!(run_ping(&pair.a, &request([10, 9, 9, 9])), [Outcome::Timeout]);
    pair.b
        .run(|| hubward_linux::sysctl::set(&hubward_linux::sysctl::Setting::IpForward, "1").unwrap())
        .unwrap();
    let patient = |destination| Ping { timeout: Duration::from_secs(2), ..request(destination) };
    let by = [192, 0, 2, 2].into();
    assert_eq!(run_ping(&pair.a, &patient([10, 9, 9, 9])), [Outcome::Unreachable { by, code: 0 }]);
    let prohibit = Route { kind: RouteKind::Prohibit, ..Route::new("10.8.0.0/16".parse().unwrap()) };
    route::add(&pair.netlink_b, &prohibit).unwrap();
    assert_eq!(run_ping(&pair.a, &patient([10, 8, 9, 9])), [Outcome::Unreachable { by, code: 13 }]);
    let long = Ping { size: 1501, dont_fragment: true, ..patient([192, 0, 2, 2]) };
    assert_eq!(run_ping(&pair.a, &long), [Outcome::TooBig { by: None, mtu: None }]);
    // a narrower link after b
    link::create_veth(&pair.netlink_b, "lan0", "lan1", None).unwrap();
    let lan0 = link::by_name(&pair.netlink_b, "lan0").unwrap().index;
    link::set_mtu(&pair.netlink_b, lan0, 1300).unwrap();
    link::set_up(&pair.netlink_b, lan0, true).unwrap();
    route::add(&pair.netlink_b, &Route { interface: lan0, ..Route::new("10.7.0.0/16".parse().unwrap()) })
        .unwrap();
    let long = Ping { size: 1400, dont_fragment: true, ..patient([10, 7, 0, 9]) };
    assert_eq!(run_ping(&pair.a, &long), [Outcome::TooBig { by: Some(by), mtu: Some(1300) }]);
}

fn missing_capability() {
    let namespace = NetNs::create().unwrap();
    let error = namespace
        .run(|| {
            // this thread only
            let none = rustix::thread::CapabilitySet::empty();
            let none = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
            rustix::thread::set_capabilities(None, none).unwrap();
            EspSocket::open([0, 0, 0, 0].into(), &SocketOptions::default()).unwrap_err()
        })
        .unwrap();
    assert!(error.is_permission());
    assert!(error.to_string().starts_with("native ESP (IP protocol 50) needs CAP_NET_RAW"), "{error}");
}
