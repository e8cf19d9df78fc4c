//! The gateway as `hubward run` builds it, without its packet workers, in a network namespace with
//! two cards.
//!
//! ```text
//!   hub: eth0 192.0.2.1/24 ── eth0 192.0.2.2/24 peer
//!        eth1 10.1.1.1/24  ── eth1
//! ```

use super::*;
use crate::check;
use crate::choices::Choices;
use crate::run::arguments::Arguments;
use crate::run::build::{Built, build};
use crate::supervise::Supervisor;
use crate::translate::TRANSLATIONS;
use clap::Parser as _;
use hubward_linux::address;
use hubward_linux::netns::{self, NetNs};
use hubward_proto::flow::selector::Flow;
use hubward_proto::flow::tables::Verdict;
use ipnet::IpNet;
use std::sync::mpsc::channel;

const CONFIG: &str = "hostname Hub\n\
    crypto isakmp policy 10\n encr aes\n authentication pre-share\n group 14\n\
    crypto isakmp key secret address 192.0.2.2\n\
    crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
    ip access-list extended A\n permit ip 10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255\n\
    crypto map M 10 ipsec-isakmp\n set peer 192.0.2.2\n set transform-set AES\n match address A\n\
    interface FastEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n crypto map M\n\
    interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n\
    ip route 10.2.2.0 255.255.255.0 192.0.2.2\n";

/// The command line of `hubward run`.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

/// What a test gets.
struct Site<'a> {
    gateway: &'a mut Gateway,
    inbox: &'a Inbox,
    peer: &'a NetNs,
}

impl Site<'_> {
    /// The addresses of the cards, as the kernel has them.
    fn addresses(&self) -> Vec<String> {
        let netlink = self.gateway.machine.netlink();
        let cards = [link::by_name(netlink, "eth0").unwrap(), link::by_name(netlink, "eth1").unwrap()];
        let name = |index| cards.iter().find(|card| card.index == index).map(|card| card.name.clone());
        let there = address::list(netlink).unwrap().into_iter();
        let mut found: Vec<_> = there
            .filter(|found| matches!(found.net, IpNet::V4(_)))
            .filter_map(|found| Some(format!("{} {}", name(found.interface)?, found.net)))
            .collect();
        found.sort();
        found
    }

    fn install(&mut self, text: &str) -> Result<(), String> {
        let parsed = Arc::new(hubward_config::parse(text));
        self.gateway.install(parsed, Extent::Lines).map_err(|error| format!("{error:#}"))
    }

    /// `configure replace`
    fn replace(&mut self, text: &str) -> Result<(), String> {
        let parsed = Arc::new(hubward_config::parse(text));
        self.gateway.install(parsed, Extent::Whole).map_err(|error| format!("{error:#}"))
    }

    /// Where a datagram to this address of ours arrives.
    fn path(&self, to: &str, port: u16) -> Option<Path> {
        self.gateway.path("192.0.2.2:500".parse().unwrap(), Some(to.parse().unwrap()), port)
    }
}

/// A TCP connection from the LAN to this address.
fn flow_to(destination: &str) -> Flow {
    Flow {
        source: "10.1.1.5".parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: 6,
        source_port: Some(1024),
        destination_port: Some(22),
    }
}

/// Runs a test with a gateway of this configuration; does nothing if namespaces are not permitted
/// and not required.
fn with_gateway(name: &str, config: &str, test: impl FnOnce(Site<'_>) + Send) {
    if !netns::can_create() {
        let required = std::env::var_os("HUBWARD_REQUIRE").is_some();
        assert!(!required, "this process may make no network namespaces, and HUBWARD_REQUIRE is set");
        println!("skipped: this process may make no network namespaces");
        return;
    }
    let (hub, peer) = (NetNs::create().unwrap(), NetNs::create().unwrap());
    let (here, there) = (hub.netlink().unwrap(), peer.netlink().unwrap());
    for card in ["eth0", "eth1"] {
        link::create_veth(&here, card, card, Some(&peer)).unwrap();
        link::set_up(&there, link::by_name(&there, card).unwrap().index, true).unwrap();
    }
    let outside = link::by_name(&there, "eth0").unwrap().index;
    address::add_as(&there, outside, "192.0.2.2/24".parse().unwrap(), 0).unwrap();
    let folder = std::env::temp_dir().join(format!("hubward-gateway-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("hub.cfg");
    std::fs::write(&file, config).unwrap();
    let line = ["run", file.to_str().unwrap(), "--state", folder.to_str().unwrap()];
    let maps = ["--map", "FastEthernet0/0=eth0", "--map", "FastEthernet0/1=eth1"];
    let Line { arguments } = Line::parse_from(line.into_iter().chain(maps));
    hub.run(|| {
        let choices = Choices::of(&arguments.options).unwrap();
        let (supervisor, logging) = (Supervisor::new(), Arc::new(Logging::default()));
        let (parsed, status) = check::started(&file, config, &choices).unwrap();
        let built = build(&arguments, parsed, status, choices, &supervisor, logging).unwrap();
        let Built { mut gateway, inbox, store, .. } = built;
        test(Site { gateway: &mut gateway, inbox: &inbox, peer: &peer });
        supervisor.stop();
        store.close();
    })
    .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A whole configuration may do without an interface that was in use: then its card is as one without
/// a configuration on a router, down and without an address, and back again it is as before. By a
/// change of lines this is refused.
#[test]
fn an_interface_that_a_whole_configuration_lacks_is_shut() {
    with_gateway("whole", CONFIG, |mut site| {
        let card = |site: &Site<'_>, name: &str| link::by_name(site.gateway.machine.netlink(), name).unwrap();
        let crypto = "interface FastEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n crypto map M\n";
        let inside = "interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n";
        for (gone, down, left) in
            [(inside, "eth1", "eth0 192.0.2.1/24"), (crypto, "eth0", "eth1 10.1.1.1/24")]
        {
            let without = CONFIG.replace(gone, "");
            let refused = site.install(&without).unwrap_err();
            assert!(refused.contains("cannot be removed"), "{refused}");
            assert!(card(&site, down).up);
            site.replace(&without).unwrap();
            assert_eq!(site.addresses(), [left]);
            assert!(!card(&site, down).up, "{down}");
            assert_eq!(site.gateway.parsed.document.print(), without);
            // and it stays so until it has an interface again
            site.replace(&without.replace("hostname Hub", "hostname Other")).unwrap();
            assert!(!card(&site, down).up, "{down}");
            site.replace(CONFIG).unwrap();
            assert!(card(&site, down).up, "{down}");
            assert_eq!(site.addresses(), ["eth0 192.0.2.1/24", "eth1 10.1.1.1/24"]);
        }
        for text in ["", "Dear colleague,\nthe router is new.\n"] {
            assert!(site.replace(text).unwrap_err().contains("no configuration"), "{text}");
        }
        assert_eq!(site.gateway.parsed.document.print(), CONFIG);
    });
}

/// IKE belongs to the crypto interface that has the address, and to no other.
#[test]
fn a_datagram_belongs_to_the_interface_that_has_its_address() {
    with_gateway("path", CONFIG, |site| {
        let path = site.path("192.0.2.1", 500).unwrap();
        assert_eq!((path.interface, path.encapsulation), (InterfaceId(0), Encapsulation::Native));
        let behind_nat = site.path("192.0.2.1", 4500).unwrap();
        assert_eq!((behind_nat.local_port, behind_nat.encapsulation), (4500, Encapsulation::Udp));
        for (to, why) in [("10.1.1.1", "no crypto map"), ("192.0.2.9", "nobody's"), ("127.0.0.1", "nobody's")]
        {
            assert_eq!(site.path(to, 500), None, "{to}: {why}");
        }
        assert_eq!(site.gateway.path("192.0.2.2:500".parse().unwrap(), None, 500), None);
    });
}

/// A reload translates once, and so does the start; what is refused before resolving is not
/// translated.
#[test]
fn a_reload_translates_once() {
    with_gateway("once", CONFIG, |mut site| {
        assert_eq!(TRANSLATIONS.get(), 1, "the start");
        site.install(&CONFIG.replace("hostname Hub", "hostname Other")).unwrap();
        assert_eq!(TRANSLATIONS.get(), 2, "a reload");
        site.install("hostname Hub\n").unwrap_err();
        assert_eq!(TRANSLATIONS.get(), 2, "a refusal");
        let before = site.gateway.addresses.clone();
        let dynamic = CONFIG.replace("ip address 10.1.1.1 255.255.255.0", "ip address dhcp");
        site.install(&dynamic).unwrap();
        assert_eq!(TRANSLATIONS.get(), 3, "a reload");
        let card = link::by_name(site.gateway.machine.netlink(), "eth1").unwrap().index;
        address::add_as(site.gateway.machine.netlink(), card, "10.1.1.8/24".parse().unwrap(), 0).unwrap();
        site.gateway.addresses_may_have_changed();
        assert_ne!(site.gateway.addresses, before, "it is another address");
        assert_eq!(TRANSLATIONS.get(), 3, "addresses");
    });
}

/// A configuration that is refused leaves the machine, the tables and the running configuration as
/// they are.
#[test]
fn what_is_refused_changes_nothing() {
    with_gateway("refused", CONFIG, |mut site| {
        let (parsed, tables) = (Arc::clone(&site.gateway.parsed), site.gateway.shared.tables.load_full());
        let addresses = site.addresses();
        assert_eq!(addresses, ["eth0 192.0.2.1/24", "eth1 10.1.1.1/24"]);
        for (from, to) in [
            // each together with an address that changes
            (" set peer 192.0.2.2\n", ""),
            ("interface FastEthernet0/0", "interface FastEthernet0/7"),
            ("ip route 10.2.2.0 255.255.255.0 192.0.2.2", "ip route 10.2.2.0 255.255.0.255 192.0.2.2"),
        ] {
            let text = CONFIG.replace(from, to).replace("10.1.1.1 255", "10.1.1.9 255");
            assert_ne!(text, CONFIG);
            site.install(&text).unwrap_err();
            assert!(Arc::ptr_eq(&parsed, &site.gateway.parsed), "{to}");
            assert!(Arc::ptr_eq(&tables, &site.gateway.shared.tables.load_full()), "{to}");
            assert_eq!(site.addresses(), addresses, "{to}");
        }
        // what the machine cannot do is also refused before anything is changed
        let netlink = site.gateway.machine.netlink();
        link::delete(netlink, link::by_name(netlink, "eth1").unwrap().index).unwrap();
        let refused =
            site.install(&CONFIG.replace("ip address 192.0.2.1", "ip address 192.0.2.7")).unwrap_err();
        assert!(refused.contains("eth1"), "{refused}");
        assert!(Arc::ptr_eq(&parsed, &site.gateway.parsed));
        assert!(Arc::ptr_eq(&tables, &site.gateway.shared.tables.load_full()));
        assert!(site.path("192.0.2.1", 500).is_some());
    });
}

/// An address of an interface that another program set stays: IKE is answered there although the
/// configuration no longer has it.
#[test]
fn an_address_of_somebody_else_is_known_after_a_reload() {
    with_gateway("adopted", CONFIG, |mut site| {
        site.install(&CONFIG.replace("ip address 10.1.1.1 255.255.255.0", "no ip address")).unwrap();
        assert_eq!(site.addresses(), ["eth0 192.0.2.1/24"]);
        let card = link::by_name(site.gateway.machine.netlink(), "eth1").unwrap().index;
        address::add_as(site.gateway.machine.netlink(), card, "10.1.1.1/24".parse().unwrap(), 0).unwrap();
        // the gateway finds its address already set, and later gives it up
        let second = CONFIG.replace("10.1.1.1 255.255.255.0\n", "10.1.1.1 255.255.255.0\n crypto map M\n");
        site.install(&second).unwrap();
        assert!(site.path("10.1.1.1", 500).is_some());
        site.install(&second.replace("ip address 10.1.1.1 255.255.255.0", "ip address dhcp")).unwrap();
        assert_eq!(site.addresses(), ["eth0 192.0.2.1/24", "eth1 10.1.1.1/24"]);
        assert!(site.path("10.1.1.1", 500).is_some(), "nobody took it away");
    });
}

/// What changes is changed, and what does not is left alone: ids of interfaces do not depend on
/// their places.
#[test]
fn a_reload_changes_what_changed() {
    with_gateway("changes", CONFIG, |mut site| {
        let path = site.path("192.0.2.1", 500);
        let above = "interface Loopback0\n no ip address\n";
        let inside = CONFIG.replace("10.1.1.1 255", "10.1.1.7 255");
        for (text, addresses) in [
            (format!("{above}{inside}"), ["eth0 192.0.2.1/24", "eth1 10.1.1.7/24"]),
            (CONFIG.to_string(), ["eth0 192.0.2.1/24", "eth1 10.1.1.1/24"]),
        ] {
            site.install(&text).unwrap();
            assert_eq!(site.addresses(), addresses);
            assert_eq!(site.path("192.0.2.1", 500), path);
        }
        let flow = flow_to("10.3.3.3");
        let verdict = |site: &Site<'_>| site.gateway.shared.tables.load().classify(&flow);
        assert!(matches!(verdict(&site), Verdict::Clear));
        let wider =
            " permit ip 10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255\n permit ip 10.1.1.0 0.0.0.255 host 10.3.3.3\n";
        site.install(&CONFIG.replace(" permit ip 10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255\n", wider)).unwrap();
        assert!(matches!(verdict(&site), Verdict::Protect(_)));
    });
}

/// A line that was typed under another configuration than the one in force is not put in force.
#[test]
fn a_change_of_what_is_no_longer_in_force_is_overtaken() {
    with_gateway("overtaken", CONFIG, |site| {
        let configure = |gateway: &mut Gateway, base: &Arc<Parsed>, text: &str| {
            let (done, outcome) = channel();
            let (base, parsed) = (Arc::clone(base), Arc::new(hubward_config::parse(text)));
            assert!(
                gateway.request(Request::Configure { base, parsed, extent: Extent::Lines, done }).is_none()
            );
            outcome.recv().unwrap()
        };
        let first = Arc::clone(&site.gateway.parsed);
        let other = CONFIG.replace("hostname Hub", "hostname Other");
        assert_eq!(configure(site.gateway, &first, &other), Ok(()));
        assert_eq!(configure(site.gateway, &first, CONFIG), Err(NotConfigured::Overtaken));
        assert_eq!(site.gateway.parsed.config.hostname.as_deref(), Some("Other"));
        let second = Arc::clone(&site.gateway.parsed);
        let refused = configure(site.gateway, &second, "hostname Hub\n");
        assert!(matches!(refused, Err(NotConfigured::Refused(why)) if why.contains("FastEthernet0/0")));
    });
}

/// Orders are answered once they are carried out, and a stop ends the loop.
#[test]
fn requests_are_answered() {
    with_gateway("requests", CONFIG, |site| {
        let (done, answer) = channel();
        assert!(site.gateway.request(Request::Order(Command::ClearSa { peer: None }, done)).is_none());
        answer.recv().unwrap();
        assert!(matches!(site.gateway.request(Request::Stop(End::Interrupt)), Some(End::Interrupt)));
    });
}

/// From a waiting packet to the first message on the wire.
#[test]
fn a_packet_that_waits_makes_the_gateway_call_its_peer() {
    with_gateway("acquire", CONFIG, |site| {
        let socket = site.peer.run(|| std::net::UdpSocket::bind("192.0.2.2:500")).unwrap().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let flow = flow_to("10.2.2.5");
        let verdict = site.gateway.shared.tables.load().classify(&flow);
        let Verdict::Protect(acquire) = verdict else { panic!("it is not protected") };
        site.gateway.news(News::Acquire(acquire));
        assert!(site.gateway.turn().unwrap().is_none());
        let mut message = [0; 2048];
        let (length, from) = socket.recv_from(&mut message).unwrap();
        assert_eq!(from, "192.0.2.1:500".parse().unwrap());
        // RFC 2408 section 3.1: no responder cookie yet, identity protection
        assert!(length > 28 && message[8..16] == [0; 8] && message[18] == 2, "{:02x?}", &message[..28]);
    });
}

/// Another engine at the peer's address, whose messages arrive at once.
struct Caller {
    engine: Engine,
    socket: std::net::UdpSocket,
}

impl Caller {
    fn new(site: &Site<'_>, config: &str) -> Self {
        let addresses = [(InterfaceId(0), "192.0.2.2"), (InterfaceId(1), "10.2.2.1")]
            .map(|(id, address)| (id, address.parse().unwrap()));
        let policy = Translation::of(&hubward_config::parse(config).config).on(&addresses.into(), Vec::new());
        let socket = site.peer.run(|| std::net::UdpSocket::bind("192.0.2.2:500")).unwrap().unwrap();
        socket.set_nonblocking(true).unwrap();
        let tables = Tables::build(&Arc::new(policy.clone()), Vec::new());
        let flow = Flow {
            source: "10.2.2.5".parse().unwrap(),
            destination: "10.1.1.5".parse().unwrap(),
            ..flow_to("10.1.1.5")
        };
        let Verdict::Protect(acquire) = tables.classify(&flow) else { panic!("it is not protected") };
        let mut engine = Engine::new(Arc::new(policy), [7; 32], now());
        engine.handle(now(), Input::Acquire(acquire));
        Self { engine, socket }
    }

    /// Gives the gateway what this end sends, without the gateway's answers.
    fn call(&mut self, site: &mut Site<'_>) -> bool {
        let mut called = false;
        while let Some(effect) = self.engine.poll() {
            if let Effect::Transmit { bytes, .. } = effect {
                let from = "192.0.2.2:500".parse().unwrap();
                let to = Some("192.0.2.1".parse().unwrap());
                site.gateway.datagram(Datagram { from, to, port: 500, bytes });
                called = true;
            }
        }
        called
    }

    /// Talks until both ends have nothing more to say.
    fn talk(&mut self, site: &mut Site<'_>) {
        while self.call(site) {
            site.gateway.effects();
            let mut bytes = [0; 4096];
            while let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
                let path = Path {
                    local: "192.0.2.2".parse().unwrap(),
                    local_port: 500,
                    remote: from.ip(),
                    remote_port: from.port(),
                    interface: InterfaceId(0),
                    vrf: VrfId(0),
                    encapsulation: Encapsulation::Native,
                };
                self.engine.handle(now(), Input::Datagram { path, bytes: &bytes[..length] });
            }
        }
    }
}

/// The peer's end of [`CONFIG`].
fn peer_config() -> String {
    CONFIG
        .replace("192.0.2.1", "HUB")
        .replace("192.0.2.2", "192.0.2.1")
        .replace("HUB", "192.0.2.2")
        .replace("10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255", "10.2.2.0 0.0.0.255 10.1.1.0 0.0.0.255")
        .replace("ip address 10.1.1.1", "ip address 10.2.2.1")
        .replace("ip route 10.2.2.0", "ip route 10.1.1.0")
}

/// First messages of a peer have their own lane in the inbox: while the configuration names its
/// address, and once it has authenticated from there.
#[test]
fn the_inbox_knows_peers_of_the_configuration_and_those_that_authenticated() {
    let anybody =
        CONFIG.replace("key secret address 192.0.2.2", "key secret address 0.0.0.0 0.0.0.0").replace(
            "crypto map M 10 ipsec-isakmp\n set peer 192.0.2.2\n set transform-set AES\n match address A\n",
            "crypto dynamic-map D 10\n set transform-set AES\n crypto map M 10 ipsec-isakmp dynamic D\n",
        );
    with_gateway("known", CONFIG, |mut site| {
        let known = site.inbox.known();
        let knows = |address: &str| known.contains(address.parse().unwrap());
        assert!(knows("192.0.2.2") && !knows("192.0.2.3"));
        site.install(&CONFIG.replace("192.0.2.2\n", "192.0.2.3\n")).unwrap();
        assert!(!knows("192.0.2.2") && knows("192.0.2.3"));
        site.install(&anybody).unwrap();
        assert!(!knows("192.0.2.2") && !knows("192.0.2.3"));
        let mut caller = Caller::new(&site, &peer_config());
        assert!(caller.call(&mut site));
        site.gateway.effects();
        assert!(!knows("192.0.2.2"), "it has said only what it wants");
        drop(caller);
        Caller::new(&site, &peer_config()).talk(&mut site);
        assert!(knows("192.0.2.2"));
    });
}

/// What the log is given, each with what `look` says at that moment.
struct Listener<F>(Arc<std::sync::Mutex<Vec<(String, usize)>>>, F);

impl<S: tracing::Subscriber, F: Fn() -> usize + 'static> tracing_subscriber::Layer<S> for Listener<F> {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((text.0, (self.1)()));
    }
}

/// How long writing a log takes tells a stranger nothing about what was found wrong: the answer has
/// left before.
#[test]
fn an_answer_leaves_before_anything_is_written_about_it() {
    use tracing_subscriber::layer::SubscriberExt as _;
    with_gateway("timing", CONFIG, |mut site| {
        // nothing that the hub takes
        let mut caller = Caller::new(&site, &peer_config().replace("group 14", "group 5"));
        assert!(caller.call(&mut site));
        let (heard, socket) = (Arc::default(), caller.socket.try_clone().unwrap());
        let arrived = move || socket.peek_from(&mut [0; 64]).map_or(0, |(length, _)| length);
        let log = tracing_subscriber::registry().with(Listener(Arc::clone(&heard), arrived));
        tracing::subscriber::with_default(log, || site.gateway.effects());
        let heard = heard.lock().unwrap();
        let about: Vec<_> = heard.iter().filter(|(text, _)| text.contains("192.0.2.2")).collect();
        assert!(!about.is_empty(), "{heard:?}");
        assert!(about.iter().all(|(_, arrived)| *arrived > 0), "{about:?}");
    });
}

/// Keys of the configuration, and those of the SAs, in each spelling of a number.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    let mut all = vec![hex.to_uppercase(), hex, list.join(", ")];
    all.extend(String::from_utf8(secret.to_vec()).ok());
    all
}

/// A tunnel that comes up, one that fails, and all debugging: neither the log nor what the commands
/// show has a key.
#[test]
fn the_log_of_a_session_with_debugging_has_no_key() {
    use crate::debug::{Class, Switch};
    use hubward_proto::ike::trace::TraceScope;
    use tracing_subscriber::layer::SubscriberExt as _;
    const KEY: &str = "Zq9xPresharedKey41";
    let config = CONFIG.replace("key secret", &format!("key {KEY}"));
    with_gateway("canary", &config, |mut site| {
        for class in [Class::Isakmp, Class::Ipsec, Class::Engine] {
            site.gateway.logging.debugging.switch(Switch::On(class));
        }
        site.gateway.engine.trace(TraceScope::All);
        let heard = Arc::default();
        let log = tracing_subscriber::registry()
            .with(crate::log::layer::BufferLayer(Arc::clone(&site.gateway.logging)))
            .with(Listener(Arc::clone(&heard), || 0));
        let mut secrets = vec![KEY.as_bytes().to_vec()];
        tracing::subscriber::with_default(log, || {
            let right = peer_config().replace("key secret", &format!("key {KEY}"));
            let mut caller = Caller::new(&site, &right);
            caller.talk(&mut site);
            let children = site.gateway.engine.inspect().children;
            assert_eq!(children.len(), 1, "a tunnel is up");
            for half in [&children[0].sa.inbound, &children[0].sa.outbound] {
                secrets.push(half.keymat.expose().to_vec());
            }
            drop(caller);
            // the wrong key
            Caller::new(&site, &peer_config()).talk(&mut site);
        });
        let views = &site.gateway.views;
        let lines = views.logging.buffer.view().lines;
        let mut text: String = lines.iter().map(|line| format!("{line:?}\n")).collect();
        text += &format!("{:?} {:?}", heard.lock().unwrap(), views.failures().failures());
        assert!(text.contains("ISAKMP") && lines.len() > 50, "{} lines", lines.len());
        for secret in secrets {
            for spelling in spellings(&secret) {
                assert!(spelling.len() > 8 && !text.contains(&spelling), "{spelling} is told");
            }
        }
    });
}

/// Peers in a copy of the state folder, as a gateway would find them that starts now.
fn known_on_disk(state: &std::path::Path) -> usize {
    use crate::base::store::{KNOWN, Store};
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(state).unwrap().map_while(Result::ok) {
        // one that is renamed meanwhile is found next time
        let _ = std::fs::copy(file.path(), copy.path().join(file.file_name()));
    }
    Store::open(copy.path()).unwrap().rows(KNOWN).len()
}

/// A disk that does not answer: reloads, changed addresses and known peers wait for it on threads of
/// their own, and the gateway thread on none. Once it answers, it gets everything.
#[test]
fn a_disk_that_does_not_answer_holds_up_no_tunnel() {
    use crate::base::disk;
    with_gateway("slow-disk", CONFIG, |mut site| {
        let (file, state) = (site.gateway.file.clone(), site.gateway.state.clone());
        assert!(file.starts_with(&state), "one gate for both");
        // it opens by itself if a step waits for it, and then that is told
        let gate = disk::close(&state);
        // what was typed and not saved is kept beside the file
        site.install(&CONFIG.replace("hostname Hub", "hostname Typed")).unwrap();
        let moved = CONFIG.replace("10.1.1.1 255", "10.1.1.7 255").replace("192.0.2.1 255", "192.0.2.7 255");
        std::fs::write(&file, &moved).unwrap();
        site.gateway.try_reload().unwrap();
        assert_eq!(site.addresses(), ["eth0 192.0.2.7/24", "eth1 10.1.1.7/24"]);
        for peer in 0..50u8 {
            site.gateway.known.note([198, 51, 100, peer].into(), wall_clock());
        }
        site.gateway.asks.look();
        site.gateway.with_guard(Guard::every_second);
        assert!(site.gateway.turn().unwrap().is_none());
        let unsaved = file.with_extension("cfg.unsaved");
        assert!(!unsaved.exists(), "the gate is closed");
        gate.open();
        // each is written when the disk has it
        let stored = || {
            let typed = std::fs::read_to_string(&unsaved).is_ok_and(|text| text.contains("hostname Typed"));
            let known = known_on_disk(&state);
            (typed, known) == (true, 50)
        };
        let end = now() + Duration::from_secs(60);
        while !stored() && now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(stored());
    });
}
