//! What many readers of a hub with many tunnels cost.

use super::*;
use crate::base::format::Format;
use crate::exec::command::Caller;
use crate::manage::desk::Desk;
use crate::shell::socket::filtered;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::names::{InterfaceId, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

const SAS: u32 = 10_000;
const READERS: usize = 100;

fn child(number: u32) -> ChildView {
    let peer = Ipv4Addr::from(0x0A80_0000 + number);
    let path = Path {
        local: Ipv4Addr::new(10, 48, 67, 181).into(),
        local_port: 500,
        remote: peer.into(),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    let service = Service::dynamic("mymap", 10, "dynmap", 10);
    let suite = EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap();
    let half = |spi| Half { spi: Spi(spi), keymat: Secret::new(vec![7; suite.keymat_len()]) };
    let sa = ChildSa {
        id: ChildId(u64::from(number) + 1),
        path,
        service: service.clone(),
        selector: Selector::between(AddressRange::ANY_V4, AddressRange::host(peer.into())),
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(0x1000 + number),
        outbound: half(0x10_0000 + number),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    };
    ChildView {
        sa: Arc::new(sa),
        peer: u64::from(number),
        path,
        conn_id: None,
        service,
        initiator: false,
        offered: Some(Duration::from_secs(3600)),
        superseded: false,
        established: now(),
        expires: now() + Duration::from_secs(3600),
        pfs: None,
        kilobytes: Some(4_608_000),
    }
}

fn views(count: u32) -> Arc<Views> {
    views_of(count, std::path::Path::new("/nonexistent"))
}

fn views_of(count: u32, file: &std::path::Path) -> Arc<Views> {
    let parsed = hubward_config::parse(include_str!("../../../../examples/hub.cfg"));
    let sad = Arc::new(Sad::new());
    let views = Views::new(
        Arc::new(parsed),
        Arc::default(),
        Arc::clone(&sad),
        Arc::default(),
        Arc::default(),
        plane::Chosen::default(),
        file.to_path_buf(),
        Arc::default(),
    );
    for number in 0..count {
        let view = child(number);
        for direction in [Direction::Inbound, Direction::Outbound] {
            sad.install(&view.sa, direction).unwrap();
        }
        views.changed(Change::Child(view.sa.id, Some(Box::new(view))));
    }
    Arc::new(views)
}

/// A gateway without SAs that takes no orders.
pub(crate) fn desk() -> Desk {
    let gateway = Arc::default();
    Desk { views: views(0), gateway }
}

/// The same, whose startup configuration is a file.
pub(crate) fn desk_of(file: &std::path::Path) -> Desk {
    Desk { views: views_of(0, file), ..desk() }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Takes a megabyte, then waits until every reader has one, and then hangs up.
struct Reader<'b> {
    taken: usize,
    all: &'b Barrier,
}

impl Write for Reader<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.taken += bytes.len();
        if self.taken < 1 << 20 {
            return Ok(bytes.len());
        }
        self.all.wait();
        self.all.wait();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A hundred readers in the middle of `show crypto ipsec sa` need no more than 64 MiB together, the
/// snapshot included.
#[test]
fn a_hundred_readers_of_ten_thousand_sas_take_little_memory() {
    // each command in a process of its own: the other tests take memory too, and the allocator
    // keeps what was freed
    const ALONE: &str = "HUBWARD_TEST_ALONE";
    let Some(command) = std::env::var_os(ALONE) else {
        for command in [
            "show crypto ipsec sa",
            "show crypto ipsec sa | json",
            "show crypto session detail",
            "show crypto map",
            "show crypto ipsec sa | exclude nothing like this",
        ] {
            let name = "views::tests::a_hundred_readers_of_ten_thousand_sas_take_little_memory";
            let mut test = std::process::Command::new(std::env::current_exe().unwrap());
            let done = test.args(["--exact", name, "--nocapture"]).env(ALONE, command).output().unwrap();
            let said = [done.stderr, done.stdout].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(done.status.success() && said.contains("1 passed"), "{said}");
            eprintln!("{said}");
        }
        return;
    };
    let command = command.to_str().unwrap();
    let views = views(SAS);
    let gateway = Arc::default();
    let desk = Desk { views: Arc::clone(&views), gateway };
    let (before, made) = (resident(), views.made());
    let all = Barrier::new(READERS + 1);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            let reader = std::thread::Builder::new().stack_size(512 * 1024);
            let (all, desk) = (&all, &desk);
            let read = move || {
                let caller = Caller { privilege: 1, format: Format::Modern, line: None };
                let mut out = io::BufWriter::new(Reader { taken: 0, all });
                // at once, however long it takes to start so many
                all.wait();
                let done = filtered(command, caller, desk, &mut out);
                assert!(done.is_err(), "the reader hung up");
                // the content of the buffer has no destination
                let (_reader, _rest) = out.into_parts();
            };
            reader.spawn_scoped(scope, read).unwrap();
        }
        all.wait();
        all.wait();
        let grown = resident().saturating_sub(before);
        all.wait();
        // on a machine so busy that not all of them begin within the pause between two snapshots,
        // some get a later one
        let more = views.made().saturating_sub(made + 1).min(2) * 20 * 1024;
        eprintln!("{grown} KiB for {READERS} readers of {command}, {more} KiB of them for busy machines");
        assert!(grown < 64 * 1024 + more, "{grown} KiB for {READERS} readers of {command}");
    });
    assert_eq!(views.snapshot().flows.len(), usize::try_from(SAS).unwrap());
}

/// However many read, a snapshot of many SAs is made once a second; one who gave an order does not
/// get an older one.
#[test]
fn snapshots_are_made_once_a_second() {
    let views = views(SAS);
    let begun = std::time::Instant::now();
    views.snapshot();
    let made = views.made();
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                for _ in 0..20 {
                    views.snapshot();
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs();
    assert!(views.made() - made <= seconds + 1, "{} snapshots in {seconds} s", views.made() - made);
    let old = views.snapshot();
    views.changed(Change::Child(ChildId(1), None));
    views.ordered();
    let new = views.snapshot();
    assert_eq!((old.flows.len(), new.flows.len()), (10_000, 9_999));
    assert!(new.now.since(old.now) >= LONGEST_PAUSE);
}

/// Few SAs cost little: there everybody gets the state of the moment.
#[test]
fn a_small_snapshot_is_fresh() {
    let views = views(2);
    assert_eq!(views.snapshot().flows.len(), 2);
    views.changed(Change::Child(ChildId(1), None));
    // on a machine that is busy making takes longer, and so does the pause
    std::thread::sleep(views.pause());
    assert_eq!(views.snapshot().flows.len(), 1);
    let pause = |took| super::pause(2, Duration::from_micros(took));
    assert_eq!(pause(100), PAUSE_PER_SA * 2);
    assert_eq!(pause(21_000), Duration::from_millis(10));
    assert_eq!(pause(10_000_000), SLOWEST_PAUSE);
}

/// The gateway thread's work is the same with a hundred readers as with none.
#[test]
fn readers_cost_the_gateway_thread_nothing() {
    let views = views(SAS);
    let work = || {
        let changes: Vec<_> = (0..5000).map(child).collect();
        let cpu = || {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
        };
        let begun = cpu();
        for view in changes {
            views.changed(Change::Child(view.sa.id, Some(Box::new(view))));
        }
        cpu() - begun
    };
    // a measurement can only be disturbed upwards
    let least = |work: &dyn Fn() -> f64| (0..5).map(|_| work()).fold(f64::MAX, f64::min);
    let alone = least(&work);
    let stop = AtomicBool::new(false);
    let watched = std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    views.snapshot();
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let watched = least(&work);
        stop.store(true, Ordering::Relaxed);
        watched
    });
    assert!(watched < alone * 2.0 + 1000.0, "{watched} µs with readers, {alone} µs without");
}

/// What deleted child SAs carried counts while another carries the flow, and is forgotten with the
/// last.
#[test]
fn a_flow_remembers_what_it_carried() {
    let views = views(1);
    let mut renewed = child(0);
    let mut sa = (*renewed.sa).clone();
    sa.id = ChildId(2);
    renewed.sa = Arc::new(sa);
    views.changed(Change::Child(ChildId(2), Some(Box::new(renewed.clone()))));
    let halves = views.sad.remove(ChildId(1));
    let inbound = halves.inbound.as_ref().unwrap();
    inbound.counters.packets.store(5, Ordering::Relaxed);
    views.carried(ChildId(1), &halves);
    views.changed(Change::Child(ChildId(1), None));
    views.ordered();
    let snapshot = views.snapshot();
    assert_eq!((snapshot.flows.len(), snapshot.flows[0].traffic().inbound.packets), (1, 5));
    assert!(snapshot.peers.contains_key(&0));
    views.carried(ChildId(2), &Halves::default());
    views.changed(Change::Child(ChildId(2), None));
    views.ordered();
    let snapshot = views.snapshot();
    assert!(snapshot.flows.is_empty() && snapshot.peers.is_empty());
    assert!(locked(&views.told).before.is_empty() && locked(&views.told).pairs.is_empty());
}

/// Cleared counters start from zero; counters that a limit depends on continue.
#[test]
fn counters_are_cleared() {
    let views = views(1);
    let sa = views.sad.get(ChildId(1), Direction::Outbound).unwrap();
    let send = |packets: u64| {
        sa.counters.packets.fetch_add(packets, Ordering::Relaxed);
        sa.counters.bytes.fetch_add(packets * 100, Ordering::Relaxed);
    };
    let seen = || {
        let snapshot = views.snapshot();
        let pair = &snapshot.flows[0].pairs[0];
        (pair.outbound.unwrap().packets, pair.outbound.unwrap().bytes, pair.selected)
    };
    send(5);
    views.ordered();
    assert_eq!(seen(), (5, 500, 5));
    views.clear_sa_counters();
    send(1);
    views.ordered();
    assert_eq!(seen(), (1, 600, 6));
    let _ = views.clear_access_list_counters(Some("no such list"));
    assert_eq!(seen(), (1, 600, 6), "other lists keep theirs");
    // without root there is nothing of the kernel to clear
    let _ = views.clear_access_list_counters(None);
    send(2);
    views.ordered();
    assert_eq!(seen(), (3, 800, 2));
    views.logging.buffer.push(crate::log::line::LogLine::new(Duration::ZERO, tracing::Level::INFO, "a line"));
    views.ordered();
    assert_eq!(views.snapshot().log.lines.len(), 1);
    views.clear_log();
    assert!(views.snapshot().log.lines.is_empty());
    assert!(views.snapshot().cleared.is_none());
    views.clear_interface_counters();
    assert!(views.snapshot().cleared.is_some());
}
