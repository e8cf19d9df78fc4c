//! The TUN interface, and the whole path of a captured packet that is sent unencrypted.

use crate::{Pair, Test, eventually};
use hubward_linux::clear::ClearSocket;
use hubward_linux::icmp::{Outcome, Ping, ping};
use hubward_linux::marks::{CLEAR_MARK, FWMARK, TABLE};
use hubward_linux::netns::NetNs;
use hubward_linux::owned::{Ledger, capture_rule, sweep};
use hubward_linux::route::{self, Route};
use hubward_linux::rule::{self, Family};
use hubward_linux::tun::{Offload, Tun, TunOptions, VnetHeader};
use hubward_linux::{address, link};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("tun::an_echo_is_answered_through_it", echo),
        ("tun::queues_offloads_and_names", queues),
        ("tun::it_is_up_down_or_gone", state),
        ("tun::a_captured_packet_goes_on_in_clear_and_a_marked_one_is_not_captured", clear),
    ]
}

fn tun_in(namespace: &NetNs, options: &TunOptions) -> Tun {
    namespace.run(|| Tun::create(options).unwrap()).unwrap()
}

/// Makes an echo request its reply. Swapping addresses and lowering the type by 8 leave the
/// checksums right but for that.
fn answer(packet: &mut [u8]) {
    assert_eq!((packet[0], packet[9], packet[20]), (0x45, 1, 8), "an ICMP echo");
    let (source, destination) = packet[12..20].split_at_mut(4);
    source.swap_with_slice(destination);
    packet[20] = 0;
    let sum = u32::from(u16::from_be_bytes([packet[22], packet[23]])) + 0x0800;
    packet[22..24].copy_from_slice(&((sum + (sum >> 16)) as u16).to_be_bytes());
}

/// What a program that lives on its TUN has to notice.
fn state() {
    let namespace = NetNs::create().unwrap();
    let netlink = namespace.netlink().unwrap();
    let tun = tun_in(&namespace, &TunOptions::default());
    let is_up = || namespace.run(|| tun.is_up()).unwrap();
    assert!(!is_up().unwrap());
    link::set_up(&netlink, tun.index(), true).unwrap();
    assert!(is_up().unwrap());
    link::set_up(&netlink, tun.index(), false).unwrap();
    assert!(!is_up().unwrap());
    link::delete(&netlink, tun.index()).unwrap();
    assert!(is_up().unwrap_err().is_not_found());
    let error = tun.read(&mut [0; 100]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::BADFD.raw_os_error()), "{error}");
}

fn echo() {
    let namespace = NetNs::create().unwrap();
    let netlink = namespace.netlink().unwrap();
    let tun = tun_in(&namespace, &TunOptions::default());
    assert_eq!(tun.name(), "hubward0");
    link::set_mtu(&netlink, tun.index(), 1400).unwrap();
    link::set_up(&netlink, tun.index(), true).unwrap();
    address::add(&netlink, tun.index(), "10.99.0.1/24".parse().unwrap()).unwrap();
    let done = AtomicBool::new(false);
    let outcomes = std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let mut buffer = [0; 2000];
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                let Ok((header, packet)) = tun.read(&mut buffer) else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                // IPv6 says hello on its own
                if packet[0] >> 4 != 4 {
                    continue;
                }
                assert_eq!(header, VnetHeader::default());
                answer(packet);
                tun.write(VnetHeader::default(), packet).unwrap();
                count += 1;
            }
            count
        });
        let request = Ping { count: 6, size: 1400, ..Ping::new([10, 99, 0, 2].into()) };
        let outcomes = namespace.run(|| ping(&request, |_| {}).unwrap()).unwrap();
        done.store(true, Ordering::Relaxed);
        assert_eq!(answering.join().unwrap(), 6);
        outcomes
    });
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Reply(_))), "{outcomes:?}");
    drop(tun);
    assert!(link::by_name(&netlink, "hubward0").unwrap_err().is_not_found(), "it goes with its last queue");
}

fn queues() {
    let namespace = NetNs::create().unwrap();
    let netlink = namespace.netlink().unwrap();
    let options = TunOptions { name: Some("hubward-x".to_owned()), multi_queue: true };
    let first = tun_in(&namespace, &options);
    let second = namespace.run(|| first.another_queue().unwrap()).unwrap();
    assert_eq!((second.name(), second.index()), (first.name(), first.index()));
    for offload in [Offload::Checksum, Offload::Tcp, Offload::TcpUdp, Offload::None] {
        first.set_offload(offload).unwrap();
    }
    assert_eq!(first.read(&mut [0; 100]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(link::by_name(&netlink, "hubward-x").unwrap().kind.as_deref(), Some("tun"));
    let single = tun_in(&namespace, &TunOptions::default());
    let error = namespace.run(|| single.another_queue().unwrap_err()).unwrap();
    assert!(error.to_string().contains("make TUN interface hubward0"), "{error}");
    // a sweep does not touch the interfaces that a living process holds, and removes one that was
    // made persistent
    let mut command = std::process::Command::new("ip");
    command.args(["tuntap", "add", "hubward-old", "mode", "tun"]);
    assert!(
        namespace.start_in(&mut command).unwrap().status().unwrap().success(),
        "iproute2 is needed for this test"
    );
    let swept = sweep(&netlink, &mut Ledger::in_memory()).unwrap();
    assert_eq!(swept.removed, ["interface hubward-old"]);
    let names: Vec<String> = link::list(&netlink).unwrap().into_iter().map(|link| link.name).collect();
    assert_eq!(names, ["lo", "hubward-x", "hubward0"]);
}

fn clear() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let tun = tun_in(&pair.a, &TunOptions::default());
    link::set_up(netlink, tun.index(), true).unwrap();
    let far = "198.51.100.0/24".parse().unwrap();
    let main = Route { gateway: Some([192, 0, 2, 2].into()), interface: eth0, ..Route::new(far) };
    route::add(netlink, &main).unwrap();
    route::add(netlink, &Route { interface: tun.index(), table: TABLE, ..Route::new(far) }).unwrap();
    rule::add(netlink, &capture_rule(Family::V4)).unwrap();
    let clear = pair.a.run(|| ClearSocket::open(CLEAR_MARK).unwrap()).unwrap();
    let request = Ping {
        count: 1,
        source: Some([192, 0, 2, 1].into()),
        timeout: Duration::from_millis(100),
        ..Ping::new([198, 51, 100, 1].into())
    };
    let captured = || {
        let mut buffer = [0; 2000];
        while let Ok((_, packet)) = tun.read(&mut buffer) {
            if packet[0] >> 4 == 4 {
                return Some(packet.to_vec());
            }
        }
        None
    };
    // marked: straight through; not marked: captured, and lost unless it is forwarded
    let marked = Ping { mark: Some(FWMARK), timeout: Duration::from_secs(2), ..request.clone() };
    assert!(matches!(pair.a.run(|| ping(&marked, |_| {}).unwrap()).unwrap()[..], [Outcome::Reply(_)]));
    assert_eq!(captured(), None);
    assert_eq!(pair.a.run(|| ping(&request, |_| {}).unwrap()).unwrap(), [Outcome::Timeout]);
    let packet = eventually("the capture", captured);
    assert_eq!((&packet[12..20], packet.len()), (&[192, 0, 2, 1, 198, 51, 100, 1][..], 100));
    // it is sent unencrypted and answered
    let patient = Ping { timeout: Duration::from_secs(2), ..request };
    let outcome = std::thread::scope(|scope| {
        let pinging = scope.spawn(|| pair.a.run(|| ping(&patient, |_| {}).unwrap()).unwrap());
        clear.send(&eventually("the capture", captured)).unwrap();
        pinging.join().unwrap()
    });
    assert!(matches!(outcome[..], [Outcome::Reply(_)]), "{outcome:?}");
    assert_eq!(clear.send(&[0x60; 40]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
