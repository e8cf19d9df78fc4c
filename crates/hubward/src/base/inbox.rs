//! The inbox of the thread that owns the engine: five lanes that are served in turn, so that a
//! flood of datagrams delays nothing else by more than one of them, and nothing but packets from
//! a network is ever dropped.
//!
//! - **Datagrams**: of those that continue an exchange at most [`DATAGRAMS`] wait, of those that
//!   start one as many from [known addresses](KnownAddresses) and as many from others; further ones
//!   are dropped and counted. The three take turns, because anybody can start an exchange, with any
//!   source address. Known addresses share their room fairly ([`FairQueue`]), because some of them
//!   can be guessed.
//! - **News** of the data plane: of those that report the same of the same tunnel only the latest
//!   waits, so that there is a bound without dropping anything; the reader of the kernel's events
//!   waits while too many wait here ([`Inbox::has_room`]).
//! - **Answers**: not more than there are questions.
//! - **DHCP**: at most [`DHCP_PACKETS`] of each link wait; further ones are dropped.
//! - **Requests**: not more than there are users and programs, each of whom waits for its result.

use crate::base::fair::FairQueue;
use crate::base::message::{Datagram, LinkPacket, Message, News, Request, Same};
use hubward_proto::ike::io::{Answer, AskId};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Datagrams of each kind that wait.
pub(crate) const DATAGRAMS: usize = 1024;
/// Packets for the DHCP client of a link that wait.
const DHCP_PACKETS: usize = 64;
/// News that wait before the kernel's events are left with the kernel.
const NEWS: usize = 8192;
/// Datagrams that news let go first because they came earlier. With those that have a turn of their
/// own that makes eight.
const EARLIER: usize = 3;

/// The inbox. Whoever has something for the engine's owner shares it.
#[derive(Default)]
pub(crate) struct Inbox {
    lanes: Mutex<Lanes>,
    filled: Condvar,
    known: Arc<KnownAddresses>,
    /// Datagrams that were dropped since this was looked at.
    dropped: AtomicU64,
}

/// Addresses whose first messages are not lost in a flood from others. The gateway says which they
/// are; each as often as it has a reason, and it bounds the reasons.
#[derive(Default)]
pub(crate) struct KnownAddresses(RwLock<BTreeMap<IpAddr, usize>>);

impl KnownAddresses {
    /// There is one more reason to know this address.
    pub(crate) fn add(&self, address: IpAddr) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner).entry(address).or_default() += 1;
    }

    /// There is one reason less.
    pub(crate) fn remove(&self, address: IpAddr) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(reasons) = known.get_mut(&address) {
            *reasons -= 1;
            if *reasons == 0 {
                known.remove(&address);
            }
        }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(&address)
    }
}

/// What a datagram is to the inbox.
#[derive(Clone, Copy, Default)]
enum Kind {
    /// It continues an exchange.
    #[default]
    Further,
    /// It starts one, from a known address.
    Known,
    /// It starts one, from another address.
    Stranger,
}

/// How many [`Kind`]s there are.
const KINDS: usize = 3;

impl Kind {
    const fn next(self) -> Self {
        match self {
            Self::Further => Self::Known,
            Self::Known => Self::Stranger,
            Self::Stranger => Self::Further,
        }
    }
}

struct Lanes {
    /// With their places in the order of all that has one.
    further: VecDeque<(u64, Datagram)>,
    known: FairQueue<Datagram>,
    strangers: VecDeque<Datagram>,
    /// Which datagrams are looked at first.
    kind: Kind,
    /// By their order.
    news: BTreeMap<u64, News>,
    /// Which messages report the same thing.
    same: BTreeMap<Same, u64>,
    /// The next place.
    next: u64,
    /// Datagrams that were taken since the last news because they came before the next.
    earlier: usize,
    answers: VecDeque<(AskId, Answer)>,
    dhcp: VecDeque<LinkPacket>,
    requests: VecDeque<Request>,
    /// Which lane is looked at first.
    turn: Lane,
    /// Nobody takes anything any more.
    closed: bool,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            further: VecDeque::new(),
            known: FairQueue::new(DATAGRAMS),
            strangers: VecDeque::new(),
            kind: Kind::default(),
            news: BTreeMap::new(),
            same: BTreeMap::new(),
            next: 0,
            earlier: 0,
            answers: VecDeque::new(),
            dhcp: VecDeque::new(),
            requests: VecDeque::new(),
            turn: Lane::default(),
            closed: false,
        }
    }
}

/// How many [`Lane`]s there are.
const LANES: usize = 5;

#[derive(Clone, Copy, Default)]
enum Lane {
    #[default]
    Requests,
    Answers,
    Dhcp,
    News,
    Datagrams,
}

impl Lane {
    const fn next(self) -> Self {
        match self {
            Self::Requests => Self::Answers,
            Self::Answers => Self::Dhcp,
            Self::Dhcp => Self::News,
            Self::News => Self::Datagrams,
            Self::Datagrams => Self::Requests,
        }
    }
}

impl Lanes {
    fn take(&mut self) -> Option<Message> {
        for _ in 0..LANES {
            let lane = self.turn;
            self.turn = lane.next();
            let taken = match lane {
                Lane::Requests => self.requests.pop_front().map(Message::Request),
                Lane::Answers => self.answers.pop_front().map(|(id, answer)| Message::Answer(id, answer)),
                Lane::Dhcp => self.dhcp.pop_front().map(Message::Dhcp),
                Lane::News => self.news(),
                Lane::Datagrams => self.datagram().map(Message::Datagram),
            };
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// News; or an earlier datagram that continues an exchange: the last message of a quick mode
    /// arrives before the first packet. That must not delay news for long.
    fn news(&mut self) -> Option<Message> {
        let (place, _) = self.news.first_key_value()?;
        if self.earlier < EARLIER && self.further.front().is_some_and(|(further, _)| further < place) {
            self.earlier += 1;
            return self.further.pop_front().map(|(_, datagram)| Message::Datagram(datagram));
        }
        self.earlier = 0;
        let (_, news) = self.news.pop_first()?;
        if let Some(same) = news.same() {
            self.same.remove(&same);
        }
        Some(Message::News(news))
    }

    fn datagram(&mut self) -> Option<Datagram> {
        for _ in 0..KINDS {
            let kind = self.kind;
            self.kind = kind.next();
            let taken = match kind {
                Kind::Further => self.further.pop_front().map(|(_, datagram)| datagram),
                Kind::Known => self.known.pop(),
                Kind::Stranger => self.strangers.pop_front(),
            };
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Adds a datagram; returns whether one was dropped.
    fn add(&mut self, kind: Kind, datagram: Datagram) -> bool {
        match kind {
            Kind::Known => return self.known.push(datagram.from.ip(), datagram).is_some(),
            Kind::Stranger if self.strangers.len() < DATAGRAMS => self.strangers.push_back(datagram),
            Kind::Further if self.further.len() < DATAGRAMS => {
                self.further.push_back((self.next, datagram));
                self.next += 1;
            }
            Kind::Stranger | Kind::Further => return true,
        }
        false
    }
}

impl Inbox {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something if it can still be taken; returns whether that is so.
    fn put(&self, put: impl FnOnce(&mut Lanes)) -> bool {
        let mut lanes = self.lanes();
        if lanes.closed {
            return false;
        }
        put(&mut lanes);
        drop(lanes);
        self.filled.notify_one();
        true
    }

    /// The addresses whose first messages have a lane of their own.
    pub(crate) fn known(&self) -> Arc<KnownAddresses> {
        Arc::clone(&self.known)
    }

    /// An IKE message; dropped where too many wait.
    pub(crate) fn datagram(&self, datagram: Datagram) {
        let kind = match datagram.is_first() {
            false => Kind::Further,
            true if self.known.contains(datagram.from.ip()) => Kind::Known,
            true => Kind::Stranger,
        };
        let mut dropped = false;
        self.put(|lanes| dropped = lanes.add(kind, datagram));
        if dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// News of the data plane.
    pub(crate) fn news(&self, news: News) {
        self.put(|lanes| {
            let number = lanes.next;
            let place = news.same().map_or(number, |same| *lanes.same.entry(same).or_insert(number));
            lanes.next += 1;
            lanes.news.insert(place, news);
        });
    }

    /// Whether there is room for another of the kernel's events.
    pub(crate) fn has_room(&self) -> bool {
        self.lanes().news.len() < NEWS
    }

    /// An answer to a question of the engine; false if nothing takes it any longer.
    pub(crate) fn answer(&self, id: AskId, answer: Answer) -> bool {
        self.put(|lanes| lanes.answers.push_back((id, answer)))
    }

    /// A packet for a DHCP client; dropped if too many wait.
    pub(crate) fn dhcp(&self, packet: LinkPacket) {
        self.put(|lanes| {
            // a flood on one link takes nothing from the others
            if lanes.dhcp.iter().filter(|waits| waits.link == packet.link).count() < DHCP_PACKETS {
                lanes.dhcp.push_back(packet);
            }
        });
    }

    /// A request; false if nothing takes it any longer.
    pub(crate) fn request(&self, request: Request) -> bool {
        self.put(|lanes| lanes.requests.push_back(request))
    }

    /// The next message, if there is one within this time.
    pub(crate) fn take(&self, time: Duration) -> Option<Message> {
        let until = Instant::now() + time;
        let mut lanes = self.lanes();
        loop {
            if let Some(message) = lanes.take() {
                return Some(message);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            (lanes, _) = self.filled.wait_timeout(lanes, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing is taken any more: who waits for an answer learns that there will be none.
    pub(crate) fn close(&self) {
        let mut lanes = self.lanes();
        *lanes = Lanes { closed: true, ..Lanes::default() };
    }

    /// Datagrams that were dropped since this was asked last.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::esp::inbound::Notice;
    use hubward_proto::names::ChildId;
    use std::net::Ipv4Addr;
    use std::sync::mpsc::channel;

    fn datagram() -> Datagram {
        let from = (Ipv4Addr::new(192, 0, 2, 1), 500).into();
        Datagram { from, to: None, port: 500, bytes: vec![0; 28] }
    }

    /// How many datagrams are taken before something else is.
    fn before(inbox: &Inbox, is: impl Fn(&Message) -> bool) -> usize {
        (0..DATAGRAMS)
            .take_while(|_| {
                // a flood continues
                inbox.datagram(datagram());
                let taken = inbox.take(Duration::ZERO).unwrap();
                assert!(is(&taken) || matches!(taken, Message::Datagram(_)), "out of turn");
                !is(&taken)
            })
            .count()
    }

    #[test]
    fn a_flood_of_datagrams_delays_nothing_else_and_drops_nothing_else() {
        let inbox = Inbox::default();
        for _ in 0..DATAGRAMS + 100 {
            inbox.datagram(datagram());
        }
        assert_eq!(inbox.dropped(), 100);
        for round in 0..100 {
            assert!(inbox.request(Request::Reload));
            assert!(before(&inbox, |taken| matches!(taken, Message::Request(Request::Reload))) <= 8);
            assert!(inbox.answer(AskId(round), Answer::Credentials(None)));
            assert!(before(&inbox, |taken| matches!(taken, Message::Answer(id, _) if id.0 == round)) <= 8);
            inbox.news(News::Reached(ChildId(7)));
            assert!(before(&inbox, |taken| matches!(taken, Message::News(News::Reached(_)))) <= 8);
        }
        // all at once, and many of each: each lane in its order, none lost
        for number in 0..5000 {
            inbox.request(Request::Reload);
            inbox.answer(AskId(number), Answer::Credentials(None));
            inbox.news(News::Reached(ChildId(number)));
        }
        let (mut requests, mut answers, mut news) = (0, 0, 0);
        while let Some(message) = inbox.take(Duration::ZERO) {
            match message {
                Message::Request(_) => requests += 1,
                Message::Answer(id, _) => {
                    assert_eq!(id.0, answers);
                    answers += 1;
                }
                Message::News(News::Reached(child)) => {
                    assert_eq!(child.0, news);
                    news += 1;
                }
                Message::News(_) | Message::Datagram(_) | Message::Dhcp(_) => {}
            }
        }
        assert_eq!((requests, answers, news), (5000, 5000, 5000));
    }

    /// Whoever floods a link with DHCP fills one lane, which is bounded, and nobody starves:
    /// neither the lane nor the others.
    #[test]
    fn a_flood_of_dhcp_is_bounded_and_a_flood_of_datagrams_starves_no_dhcp() {
        let inbox = Inbox::default();
        let packet = |number: u8| LinkPacket { link: "eth0".into(), bytes: vec![number] };
        for _ in 0..10 * DHCP_PACKETS {
            inbox.dhcp(packet(7));
        }
        assert!(inbox.answer(AskId(1), Answer::Credentials(None)));
        assert!(inbox.request(Request::Reload));
        let first: Vec<_> = (0..3).filter_map(|_| inbox.take(Duration::ZERO)).collect();
        assert_eq!(first.iter().filter(|message| matches!(message, Message::Dhcp(_))).count(), 1);
        inbox.dhcp(LinkPacket { link: "eth1".into(), bytes: Vec::new() });
        let waited: Vec<_> = std::iter::from_fn(|| inbox.take(Duration::ZERO)).collect();
        assert_eq!(waited.len(), DHCP_PACKETS, "one of them is the other link's");
        assert!(matches!(waited.last(), Some(Message::Dhcp(packet)) if &*packet.link == "eth1"));
        for round in 0..50 {
            inbox.dhcp(packet(round));
            let is = |taken: &Message| matches!(taken, Message::Dhcp(packet) if packet.bytes == [round]);
            assert!(before(&inbox, is) <= 8);
        }
    }

    #[test]
    fn a_flood_of_first_messages_drops_no_other() {
        let inbox = Inbox::default();
        let further = |number: u8| Datagram { bytes: [vec![1; 27], vec![number]].concat(), ..datagram() };
        for number in 0..100 {
            for _ in 0..100 {
                inbox.datagram(datagram());
            }
            inbox.datagram(further(number));
        }
        let mut next = 0;
        for taken in 0..=usize::from(u8::MAX) {
            if let Some(Message::Datagram(datagram)) = inbox.take(Duration::ZERO)
                && !datagram.is_first()
            {
                assert_eq!(datagram.bytes.last(), Some(&next));
                next += 1;
                assert!(taken <= usize::from(next) * 2);
            }
        }
        assert_eq!(next, 100);
    }

    /// The last message of a quick mode, then the first packet of its child SA.
    #[test]
    fn news_do_not_overtake_a_message_that_came_before_them() {
        let inbox = Inbox::default();
        let further = || Datagram { bytes: vec![1; 28], ..datagram() };
        for _ in 0..20 {
            inbox.datagram(further());
            inbox.news(News::Reached(ChildId(1)));
            assert!(matches!(inbox.take(Duration::ZERO), Some(Message::Datagram(_))));
            assert!(matches!(inbox.take(Duration::ZERO), Some(Message::News(_))));
        }
        // a flood of them does not hold news up
        for _ in 0..DATAGRAMS {
            inbox.datagram(further());
        }
        for _ in 0..50 {
            inbox.news(News::Reached(ChildId(1)));
            let before = (0..DATAGRAMS)
                .take_while(|_| {
                    inbox.datagram(further());
                    matches!(inbox.take(Duration::ZERO), Some(Message::Datagram(_)))
                })
                .count();
            assert!(before <= 8, "{before}");
        }
    }

    #[test]
    fn of_what_tells_the_same_the_latest_waits_in_the_first_place() {
        let inbox = Inbox::default();
        let moved =
            |last| News::Notice(Notice::Moved(ChildId(1), Ipv4Addr::new(192, 0, 2, last).into(), 4500));
        inbox.news(moved(1));
        inbox.news(News::Reached(ChildId(2)));
        for last in 2..100 {
            inbox.news(moved(last));
            inbox.news(News::Reached(ChildId(2)));
        }
        let first = inbox.take(Duration::ZERO);
        assert!(
            matches!(first, Some(Message::News(News::Notice(Notice::Moved(_, to, _)))) if to == Ipv4Addr::new(192, 0, 2, 99))
        );
        assert!(matches!(inbox.take(Duration::ZERO), Some(Message::News(News::Reached(ChildId(2))))));
        assert!(inbox.take(Duration::ZERO).is_none());
        // it can be reported again
        inbox.news(News::Reached(ChildId(2)));
        assert!(inbox.take(Duration::ZERO).is_some());
    }

    #[test]
    fn who_waits_for_a_gateway_that_ended_learns_it() {
        let inbox = Inbox::default();
        let (done, waits) = channel();
        let order = hubward_proto::ike::io::Command::ClearIsakmp { connection: None };
        assert!(inbox.request(Request::Order(order, done)));
        inbox.close();
        assert!(waits.recv_timeout(Duration::from_secs(5)).is_err());
        assert!(!inbox.request(Request::Reload));
        assert!(!inbox.answer(AskId(1), Answer::Credentials(None)));
        assert!(inbox.take(Duration::ZERO).is_none());
    }

    #[test]
    fn what_comes_wakes_the_one_who_waits() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let other = std::sync::Arc::clone(&inbox);
        let waiting = std::thread::spawn(move || other.take(Duration::from_secs(30)).is_some());
        std::thread::sleep(Duration::from_millis(20));
        inbox.news(News::Reached(ChildId(1)));
        assert!(waiting.join().unwrap());
    }

    fn further(number: u16) -> Datagram {
        Datagram { bytes: [vec![1; 26], number.to_be_bytes().to_vec()].concat(), ..datagram() }
    }

    /// Each of the two kinds has its own bound: at it none is dropped, and of one above it the one
    /// that comes last.
    #[test]
    fn so_many_datagrams_wait() {
        let inbox = Inbox::default();
        for number in 0..DATAGRAMS {
            inbox.datagram(datagram());
            inbox.datagram(further(number as u16));
        }
        assert_eq!(inbox.dropped(), 0);
        inbox.datagram(datagram());
        inbox.datagram(further(DATAGRAMS as u16));
        assert_eq!((inbox.dropped(), inbox.dropped()), (2, 0), "told once");
        let (mut first, mut numbers) = (0, Vec::new());
        while let Some(Message::Datagram(datagram)) = inbox.take(Duration::ZERO) {
            match datagram.is_first() {
                true => first += 1,
                false => numbers.push(u16::from_be_bytes(*datagram.bytes.last_chunk().unwrap())),
            }
        }
        assert_eq!(first, DATAGRAMS);
        assert_eq!(numbers, (0..DATAGRAMS as u16).collect::<Vec<_>>());
    }

    /// Room for the kernel's events, at the bound and one below; what tells the same takes none.
    #[test]
    fn so_many_news_wait_before_the_kernel_keeps_its_events() {
        let inbox = Inbox::default();
        for number in 0..NEWS as u64 {
            assert!(inbox.has_room(), "{number}");
            inbox.news(News::Reached(ChildId(number)));
            inbox.news(News::Reached(ChildId(number)));
        }
        assert!(!inbox.has_room());
        // it is not dropped: who reads the events waits
        inbox.news(News::Reached(ChildId(NEWS as u64)));
        assert!(inbox.take(Duration::ZERO).is_some() && !inbox.has_room());
        assert!(inbox.take(Duration::ZERO).is_some() && inbox.has_room());
        inbox.close();
        assert!(inbox.has_room() && inbox.take(Duration::ZERO).is_none(), "nobody waits for one that ended");
    }

    /// A first message with a number, of an address with a number.
    fn first(from: u32, number: u16) -> Datagram {
        let from = (Ipv4Addr::from_bits(0x0a00_0000 + from), 500).into();
        let bytes = [vec![0; 26], number.to_be_bytes().to_vec()].concat();
        Datagram { from, to: None, port: 500, bytes }
    }

    fn knows(inbox: &Inbox, addresses: std::ops::Range<u32>) {
        addresses.for_each(|address| inbox.known().add(first(address, 0).from.ip()));
    }

    /// What is taken from the inbox, by its address and number.
    fn taken(inbox: &Inbox) -> impl Iterator<Item = (u32, u16)> {
        std::iter::from_fn(|| match inbox.take(Duration::ZERO)? {
            Message::Datagram(Datagram { from: std::net::SocketAddr::V4(from), bytes, .. }) => {
                Some((from.ip().to_bits() - 0x0a00_0000, u16::from_be_bytes(*bytes.last_chunk().unwrap())))
            }
            _ => panic!("not a datagram"),
        })
    }

    /// Strangers fill their own lane only, and while their flood goes on, a known address waits for
    /// two other datagrams at most.
    #[test]
    fn a_flood_of_strangers_drops_no_first_message_of_a_known_address() {
        let inbox = Inbox::default();
        knows(&inbox, 0..8);
        let mut stranger = 1000;
        for number in 0..100 {
            for _ in 0..100 {
                inbox.datagram(first(stranger, 0));
                stranger += 1;
            }
            inbox.datagram(first(u32::from(number) % 8, number));
        }
        assert_eq!(inbox.dropped(), (100 * 100 - DATAGRAMS) as u64);
        let seen: Vec<_> = taken(&inbox).collect();
        let known: Vec<_> = seen.iter().copied().enumerate().filter(|(_, (from, _))| *from < 1000).collect();
        assert_eq!(known.len(), 100);
        for (place, (at, (from, number))) in known.into_iter().enumerate() {
            assert_eq!((usize::from(number), from as usize), (place, place % 8), "in their order");
            assert!(at <= 2 * place + 1, "{at}");
        }
        for number in 0..50 {
            (0..100).for_each(|_| inbox.datagram(further(number)));
            (0..100).for_each(|_| inbox.datagram(first(1000, number)));
            inbox.datagram(first(1, number));
            assert!(taken(&inbox).take(KINDS).any(|(from, _)| from == 1));
        }
    }

    /// The bound of the lane of known addresses, and one above it.
    #[test]
    fn so_many_first_messages_of_known_addresses_wait() {
        let inbox = Inbox::default();
        let known = DATAGRAMS as u32 + 1;
        knows(&inbox, 0..known);
        for from in 0..known - 1 {
            inbox.datagram(first(from, 0));
        }
        assert_eq!(inbox.dropped(), 0);
        inbox.datagram(first(known - 1, 0));
        assert_eq!(inbox.dropped(), 1);
        assert_eq!(
            taken(&inbox).map(|(from, _)| from).collect::<Vec<_>>(),
            (0..known - 1).collect::<Vec<_>>()
        );
    }

    /// Who forges known addresses, one or many, takes only from those.
    #[test]
    fn forged_known_addresses_drop_no_first_message_of_another() {
        for forged in [1, 7, 500] {
            let inbox = Inbox::default();
            knows(&inbox, 0..forged + 20);
            for number in 0..5000 {
                inbox.datagram(first(number % forged, number as u16));
            }
            for from in forged..forged + 20 {
                inbox.datagram(first(from, 7));
            }
            for number in 5000..10_000 {
                inbox.datagram(first(number % forged, number as u16));
            }
            assert_eq!(inbox.dropped(), (10_020 - DATAGRAMS) as u64);
            let seen: Vec<_> = taken(&inbox).collect();
            let others: Vec<_> = seen.iter().enumerate().filter(|(_, (from, _))| *from >= forged).collect();
            assert_eq!(others.len(), 20, "{forged}");
            assert!(others.last().unwrap().0 < forged as usize + 20, "one of each goes before the others");
            let of_first: Vec<_> =
                seen.iter().filter(|(from, _)| *from == 0).map(|(_, number)| *number).collect();
            assert!(of_first.is_sorted() && !of_first.is_empty(), "in their order");
        }
    }

    /// A flood with forged known addresses fills their lane; the others keep theirs and their turn.
    #[test]
    fn a_flood_of_known_addresses_starves_nobody() {
        let inbox = Inbox::default();
        knows(&inbox, 0..2000);
        for from in 0..2000 {
            inbox.datagram(first(from, 0));
        }
        assert_eq!(inbox.dropped(), 2000 - DATAGRAMS as u64);
        for number in 0..100 {
            inbox.datagram(first(5000, number));
            inbox.datagram(further(number));
        }
        assert_eq!(inbox.dropped(), 0);
        let mut strangers = 0;
        let mut continued = 0;
        for _ in 0..3 * 100 {
            match inbox.take(Duration::ZERO) {
                Some(Message::Datagram(datagram)) if !datagram.is_first() => continued += 1,
                Some(Message::Datagram(datagram)) if datagram.from == first(5000, 0).from => strangers += 1,
                _ => {}
            }
        }
        assert_eq!((strangers, continued), (100, 100));
        for round in 0..50 {
            inbox.datagram(first(1, 0));
            assert!(inbox.answer(AskId(round), Answer::Credentials(None)));
            assert!(before(&inbox, |taken| matches!(taken, Message::Answer(id, _) if id.0 == round)) <= 8);
        }
    }

    #[test]
    fn an_address_is_known_as_long_as_there_is_a_reason() {
        let known = KnownAddresses::default();
        let (one, other) = (first(1, 0).from.ip(), first(2, 0).from.ip());
        known.add(one);
        known.add(one);
        known.remove(other);
        known.remove(one);
        assert!(known.contains(one) && !known.contains(other));
        known.remove(one);
        known.remove(one);
        assert!(!known.contains(one) && known.0.read().unwrap().is_empty());
    }
}
