//! What is wrong although nothing was refused: tunnels that carry packets one way only, packets that
//! are lost on the way here, exchanges that hang, peers that hung up, SAs that only the other side
//! has, and two peers with one network. Every verdict comes with what is counted.

use crate::base::date::Date;
use crate::router;
use crate::views::pulse::{Beat, Pulse};
use crate::views::snapshot::{Carried, Flow, Snapshot};
use crate::why::ends::told;
use crate::why::explanation::{Explanation, line_of};
use crate::why::history::{Ended, History};
use crate::why::way::{self, End, Question, Stage, Way, protocol};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::ike::snapshot::{IsakmpState, IsakmpView};
use hubward_proto::names::Untrusted;
use hubward_proto::path::Encapsulation;
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Packets without an answer that are no chance, and how long there must have been none.
const UNANSWERED: u64 = 5;
const SILENT: Duration = Duration::from_secs(8);
/// Whatever moved last longer ago than that does not ask for answers any more.
const LATELY: Duration = Duration::from_secs(120);
/// What was seen within this time is so now.
const NOW: Duration = Duration::from_secs(30);
/// How long an exchange may take without a word about it.
const HANGS: Duration = Duration::from_secs(3);
/// How long before the end of something a failure may be that is its reason.
const BEFORE: Duration = Duration::from_secs(5);
/// What a person types takes longer.
const TYPED: Duration = Duration::from_secs(30);
/// Reports of ESP for an SPI that is not known which are no rest of a rekey, and over what time.
const STRAYS: u64 = 3;
const STRAYING: Duration = Duration::from_secs(2);
/// Packets for which a late one may be behind others (`replay window-size`).
const WINDOWS: [u32; 5] = [64, 128, 256, 512, 1024];

/// Something that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) peer: IpAddr,
    pub(crate) user: Option<Untrusted>,
    /// Since when, and when it was seen last, since 1970.
    pub(crate) first: Duration,
    pub(crate) last: Duration,
    /// How many packets, or how often.
    pub(crate) count: u64,
    pub(crate) explanation: Explanation,
}

const DAY: Duration = Duration::from_secs(86_400);

/// A time that has passed, short: `42 s`, `6 min`.
pub(crate) fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A look at one snapshot.
pub(crate) struct Health<'s> {
    snapshot: &'s Snapshot,
}

impl<'s> Health<'s> {
    pub(crate) const fn of(snapshot: &'s Snapshot) -> Self {
        Self { snapshot }
    }

    /// What is wrong with tunnels and SAs for which `flow` and `sa` are true.
    pub(crate) fn findings(
        &self,
        flow: impl Fn(&Flow) -> bool,
        sa: impl Fn(&IsakmpView) -> bool,
        peer: impl Fn(IpAddr) -> bool,
    ) -> Vec<Finding> {
        let flows = || self.snapshot.flows.iter().filter(|one| flow(one));
        let mut found: Vec<_> = flows().filter_map(|one| self.one_way(one)).collect();
        found.extend(flows().filter_map(|one| self.lost(one)));
        found.extend(flows().filter_map(|one| self.repeated(one)));
        let rivals = self.rivals().into_iter();
        // who is asked about is named first
        let rivals = rivals.filter_map(|(one, two)| match (flow(one), flow(two)) {
            (true, _) => Some((one, two)),
            (false, true) => Some((two, one)),
            (false, false) => None,
        });
        found.extend(rivals.map(|(mine, other)| self.rival(mine, other)));
        let strays = self.snapshot.histories.iter().filter(|(address, _)| peer(**address));
        found.extend(strays.filter_map(|(address, of)| self.stray(*address, of)));
        let hanging = self.snapshot.isakmp.iter().filter(|one| sa(one));
        found.extend(hanging.filter_map(|one| self.hangs(one)));
        found
    }

    fn since(&self, moment: Instant) -> String {
        ago(self.snapshot.now.since(moment))
    }

    /// A moment and how long ago that was: `10:14:07 (6 min ago)`.
    fn at(&self, wall: Duration) -> String {
        let age = self.snapshot.wall.saturating_sub(wall);
        let date = Date::new(wall).iso();
        let time = date.get(11..19).unwrap_or(&date);
        let day = date.get(..10).filter(|_| age >= DAY).map(|day| format!("{day} ")).unwrap_or_default();
        format!("{day}{time} UTC ({} ago)", ago(age))
    }

    // ---- one direction --------------------------------------------------------------------------

    fn one_way(&self, flow: &Flow) -> Option<Finding> {
        let pulse = flow.pulse?;
        let asks = |beat: &Beat, other: &Beat| {
            let lately = beat.last.is_some_and(|last| self.snapshot.now.since(last) < LATELY);
            let silent = self.snapshot.now.since(other.last.unwrap_or(pulse.since)) >= SILENT;
            beat.alone >= UNANSWERED && lately && silent
        };
        if asks(&pulse.outbound, &pulse.inbound) {
            return Some(self.nothing_comes(flow, &pulse));
        }
        asks(&pulse.inbound, &pulse.outbound).then(|| self.nothing_goes(flow, &pulse))
    }

    fn finding(&self, flow: &Flow, since: Instant, count: u64, explanation: Explanation) -> Finding {
        let sas = self.snapshot.peers.get(&flow.peer).map(|peer| peer.isakmp.as_slice()).unwrap_or_default();
        Finding {
            peer: flow.path.remote,
            user: sas.iter().find_map(|sa| sa.user.clone()),
            first: self.snapshot.wall_at(since),
            last: self.snapshot.wall,
            count,
            explanation,
        }
    }

    /// Since when a direction is silent, in words.
    fn silent_since(&self, beat: &Beat, pulse: &Pulse) -> (Instant, String) {
        match beat.last {
            Some(last) => (last, format!("since {}", self.at(self.snapshot.wall_at(last)))),
            None => {
                let since = pulse.since;
                (since, format!("since it came up at {}", self.at(self.snapshot.wall_at(since))))
            }
        }
    }

    fn counted(&self, flow: &Flow, pulse: &Pulse) -> Vec<String> {
        let traffic = flow.traffic();
        let last = |beat: &Beat| match beat.last {
            Some(last) => format!("the last {} ago", self.since(last)),
            None => "none since it is watched".to_owned(),
        };
        let mut known = vec![format!(
            "packets sent: {}, {}; received: {}, {}",
            traffic.outbound.packets,
            last(&pulse.outbound),
            traffic.inbound.packets,
            last(&pulse.inbound)
        )];
        let Carried { replay_errors, verify_errors, identity_errors, .. } = traffic.inbound;
        if replay_errors + verify_errors + identity_errors > 0 {
            known.push(format!(
                "received and refused: {replay_errors} came twice or too late, {verify_errors} failed their integrity check, {identity_errors} had other addresses than agreed"
            ));
        }
        known
    }

    /// Packets go into a tunnel, and none comes out of it.
    fn nothing_comes(&self, flow: &Flow, pulse: &Pulse) -> Finding {
        let (peer, Selector { local, remote, .. }) = (flow.path.remote, flow.selector);
        let (since, words) = self.silent_since(&pulse.inbound, pulse);
        let count = pulse.outbound.alone;
        let verdict = format!(
            "The tunnel with {peer} is up, but nothing comes back: {count} packets for {remote} have left {words}, and none has come."
        );
        let mut out = Explanation::new("nothing-comes", verdict);
        out.evidence = self.counted(flow, pulse);
        let esp = match flow.path.encapsulation {
            Encapsulation::Native => format!("protocol 50 (ESP) between {peer} and {}", flow.path.local),
            Encapsulation::Udp => format!("UDP 4500 between {peer} and {}", flow.path.local),
        };
        out = match pulse.inbound.refused {
            0 => out.advise(format!("There: does `show crypto ipsec sa` count packets that it received (pkts decaps)? If not, {esp} is blocked or lost on the way there.")),
            refused => out
                .seen(format!("{refused} packets have come since, and were refused here"))
                .advise("Packets do come, and are refused here: see what is known."),
        };
        out = out.advise(format!("If it counts them and sends none (pkts encaps): the host behind it is silent or its answers go elsewhere. Look there at the host's default gateway, at a NAT line without a `deny` for {local}, and at an access list."));
        out = out.advise(format!("If it sends some: {esp} is blocked or lost on the way here."));
        out = out.advise("What only goes one way (syslog, traps, a stream) has no answers, and needs none.");
        self.finding(flow, since, count, out)
    }

    /// Packets come out of a tunnel, and none goes back.
    fn nothing_goes(&self, flow: &Flow, pulse: &Pulse) -> Finding {
        let (peer, Selector { local, remote, .. }) = (flow.path.remote, flow.selector);
        let (since, words) = self.silent_since(&pulse.outbound, pulse);
        let count = pulse.inbound.alone;
        let verdict = format!(
            "The tunnel with {peer} is up, but nothing goes back: {count} packets for {local} have come {words}, and nothing was sent to {remote}."
        );
        let mut out = Explanation::new("nothing-goes", verdict);
        out.evidence = self.counted(flow, pulse);
        let silent = self.silent_hosts(local);
        if !silent.is_empty() {
            out.evidence.push(format!("no answer to ARP: {}", silent.join(", ")));
        }
        out = self.on_the_way(flow, out);
        out = out.advise(format!("Here: does the host answer at all (`ping HOST` from here), and does it send what is for {remote} to this router (its default gateway or a route)?"));
        out = out.advise("A firewall of the host that lets only its own network in is as silent.");
        self.finding(flow, since, count, out)
    }

    /// Hosts of a range that do not answer ARP, and that somebody asks for.
    fn silent_hosts(&self, range: AddressRange) -> Vec<String> {
        let silent = self.snapshot.neighbours.iter().filter(|one| one.mac.is_none());
        let silent = silent.filter(|one| range.contains(one.address));
        silent.take(4).map(|one| one.address.to_string()).collect()
    }

    /// What the configuration does to packets of this tunnel on their way in, and to their answers.
    fn on_the_way(&self, flow: &Flow, mut out: Explanation) -> Explanation {
        let Some((local, remote)) = self.hosts(flow.selector) else { return out };
        let inner_again = router::inner_again(&self.snapshot.parsed.config);
        let kind = flow.selector.protocol.unwrap_or(protocol::ICMP);
        let question = Question {
            source: remote,
            destination: local,
            protocol: kind,
            icmp: None,
            source_port: None,
            destination_port: None,
            // in the middle of a connection, for lists that let in answers alone
            established: kind == protocol::TCP,
            length: None,
            input: None,
        };
        let journey = way::journey(self.snapshot, inner_again, &question);
        if let Some((says, line)) = stopped(&journey.there, false) {
            out.evidence.push(format!("a packet from {remote} to {local} {says}"));
            out.lines.extend(line);
        }
        if let Some((says, line)) = journey.back.as_ref().and_then(|back| stopped(back, true)) {
            out.evidence.push(format!("the answer from {local} to {remote} {says}"));
            out.lines.extend(line);
        }
        let more = format!("`why packet {local} {remote}` shows the way of an answer, stage by stage.");
        out.advise(more)
    }

    /// A host of each side: one that is there, or the first address.
    fn hosts(&self, selector: Selector) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let own = |address: IpAddr| {
            let mut nets =
                self.snapshot.interfaces.iter().flat_map(|one| one.net.iter().chain(&one.secondary));
            nets.any(|net| IpAddr::from(net.addr()) == address)
        };
        let known = self.snapshot.neighbours.iter().find(|one| selector.local.contains(one.address));
        let first = |range: AddressRange| {
            let IpAddr::V4(first) = range.first() else { return None };
            let candidates = (0..4).map(|step| Ipv4Addr::from(u32::from(first).saturating_add(step)));
            let single = range.first() == range.last();
            let mut usable =
                candidates.skip(usize::from(!single)).filter(|one| range.contains((*one).into()));
            usable.find(|one| single || !own((*one).into()))
        };
        let local = match known.map(|one| one.address) {
            Some(IpAddr::V4(address)) => Some(address),
            _ => first(selector.local),
        };
        local.zip(first(selector.remote))
    }

    // ---- on the way here ------------------------------------------------------------------------

    /// Whether what was seen then is so now.
    fn is_recent(&self, moment: Instant) -> bool {
        self.snapshot.now.since(moment) < NOW
    }

    fn lost(&self, flow: &Flow) -> Option<Finding> {
        let pulse = flow.pulse?;
        let peer = flow.path.remote;
        let (moment, recent) = pulse.ills.lossy.filter(|(at, _)| self.is_recent(*at))?;
        let count = recent.lost;
        let verdict = format!(
            "Packets of {peer} are lost on the way here: of {} that it sent in about 10 seconds until {}, {count} have not arrived.",
            recent.sent,
            self.at(self.snapshot.wall_at(moment))
        );
        let out = Explanation::new("lost-on-the-way", verdict)
            .seen("the sequence numbers of its packets have gaps; what it refused itself would have no numbers")
            .advise(format!("Look for a full or faulty link or a policer on the path: `ping {peer} repeat 100` from here loses packets too."))
            .advise("There: its counters of output drops on the outside interface.")
            .advise("If the processor of this machine is busy, its sockets may drop them as well.");
        Some(self.finding(flow, moment, count, out))
    }

    fn repeated(&self, flow: &Flow) -> Option<Finding> {
        let (moment, recent) = flow.pulse?.ills.repeated.filter(|(at, _)| self.is_recent(*at))?;
        let (peer, count) = (flow.path.remote, recent.repeated);
        let verdict = format!(
            "{count} packets of {peer} were dropped because they came twice or too late, of {} that came in about 10 seconds until {}: the path repeats or reorders them.",
            recent.came,
            self.at(self.snapshot.wall_at(moment))
        );
        let parsed = &self.snapshot.parsed;
        let window = flow.pairs.iter().map(|pair| pair.view.sa.replay_window).max().unwrap_or_default();
        let mut out = Explanation::new("replayed", verdict)
            .line(line_of(parsed, "crypto ipsec security-association replay"))
            .seen(format!("the anti-replay window is {window} packets"))
            .advise("Priority queues behind the encryption reorder packets: classify before encrypting (there `qos pre-classify`), or let late packets in.");
        if let Some(wider) = WINDOWS.into_iter().find(|wider| *wider > window) {
            out = out.advise(format!("Here: `crypto ipsec security-association replay window-size {wider}` admits packets that come up to {wider} later than others."));
        }
        Some(self.finding(flow, moment, count, out))
    }

    // ---- what only one side has -----------------------------------------------------------------

    /// Tunnels of different peers to the same addresses, by twos.
    fn rivals(&self) -> Vec<(&'s Flow, &'s Flow)> {
        let mut by_networks: BTreeMap<Selector, &Flow> = BTreeMap::new();
        let mut found = Vec::new();
        for flow in &self.snapshot.flows {
            let first = *by_networks.entry(flow.selector).or_insert(flow);
            if first.peer != flow.peer {
                found.push((first, flow));
            }
        }
        found
    }

    fn rival(&self, flow: &Flow, other: &Flow) -> Finding {
        let moved = |flow: &Flow| flow.pulse.and_then(|pulse| pulse.outbound.last);
        let used = [flow, other].into_iter().max_by_key(|one| moved(one)).filter(|one| moved(one).is_some());
        let Selector { local, remote, .. } = flow.selector;
        let up = |flow: &Flow| {
            let since = flow.pairs.first().map_or(self.snapshot.now, |pair| pair.view.established);
            format!("{} has it since {}", self.named(flow), self.at(self.snapshot.wall_at(since)))
        };
        let verdict = format!(
            "Two peers have a tunnel for the same network, {remote}: {} and {}.",
            self.named(flow),
            self.named(other)
        );
        let mut out = Explanation::new("two-peers-one-network", verdict).seen(up(flow)).seen(up(other));
        out = match used {
            Some(used) => out.seen(format!("what {local} sends there goes to {} now", self.named(used))),
            None => out.seen(format!("{local} has sent nothing there yet")),
        };
        let out = out.advise(
            "Either two branches have one LAN, or one of the two is an old address of the same branch.",
        );
        let out = match flow.path.remote == other.path.remote {
            false => out.advise(format!(
                "Here: `clear crypto session remote {}` ends the one that is wrong.",
                other.path.remote
            )),
            true => out.advise(
                "Both come from one address: `clear crypto session` would end both, so end the wrong one there.",
            ),
        };
        let since = flow.pairs.first().map_or(self.snapshot.now, |pair| pair.view.established);
        self.finding(flow, since, 1, out)
    }

    /// A peer by its address, and by its user or identity where the address is not its own alone.
    fn named(&self, flow: &Flow) -> String {
        let address = flow.path.remote;
        let sas = self.snapshot.peers.get(&flow.peer).map(|peer| peer.isakmp.as_slice()).unwrap_or_default();
        let name = sas.iter().find_map(|sa| sa.user.as_ref().or(sa.identity.as_ref()));
        match name.map(ToString::to_string).filter(|name| *name != address.to_string()) {
            Some(name) => format!("{name} at {address}"),
            None => address.to_string(),
        }
    }

    fn stray(&self, peer: IpAddr, of: &History) -> Option<Finding> {
        let stray = of.stray.filter(|stray| {
            stray.times >= STRAYS
                && stray.last.saturating_sub(stray.first) >= STRAYING
                && self.snapshot.wall.saturating_sub(stray.last) < LATELY
        })?;
        let verdict = format!(
            "{peer} sends packets for an SA that does not exist here (SPI 0x{:08x}), the last {} ago: it does not know that the SA is gone.",
            stray.spi,
            ago(self.snapshot.wall.saturating_sub(stray.last))
        );
        let mut out = Explanation::new("unknown-spi", verdict);
        let started = self.snapshot.wall_at(self.snapshot.started);
        out = match of.last_end().filter(|end| end.tunnel) {
            Some(end) => {
                out.seen(format!("its last tunnel ended here at {}: {}", self.at(end.at), told(end.reason).0))
            }
            None if of.tunnel.is_none_or(|up| up < started) => out.seen(format!(
                "this router started at {} and has had no tunnel with it since",
                self.at(started)
            )),
            None => out,
        };
        let parsed = &self.snapshot.parsed;
        let recovery = line_of(parsed, "crypto isakmp invalid-spi-recovery");
        out = match recovery {
            Some(line) => out.line([line]).advise("Here: `crypto isakmp invalid-spi-recovery` is on, so this router sets up a phase 1 to tell it; it must have its address and key."),
            None => out.advise("Here: `crypto isakmp invalid-spi-recovery` lets this router tell it."),
        };
        let out = out.advise("There: `clear crypto sa peer` with our address; dead peer detection (`crypto isakmp keepalive 10`) finds it without a person.");
        Some(Finding {
            peer,
            user: of.user.clone(),
            first: stray.first,
            last: stray.last,
            count: stray.times,
            explanation: out,
        })
    }

    // ---- exchanges ------------------------------------------------------------------------------

    fn hangs(&self, sa: &IsakmpView) -> Option<Finding> {
        let age = self.snapshot.now.since(sa.created);
        let patience = if sa.state == IsakmpState::ConfXauth { TYPED } else { HANGS };
        if sa.deleted || sa.state == IsakmpState::QmIdle || age < patience {
            return None;
        }
        let peer = sa.path.remote;
        if self.is_explained(peer, self.snapshot.wall_at(sa.created)) {
            return None;
        }
        let verdict = format!(
            "Phase 1 with {peer} has not come further than {} for {}: {}.",
            sa.state.ios_name(),
            ago(age),
            waits(sa)
        );
        let mut out = Explanation::new("hangs", verdict);
        if sa.nat {
            out = out.seen("there is a NAT on the path, so the next messages use UDP 4500");
        }
        let out = out.advise("It is given up after some time, and then `why` says what it came to.");
        Some(Finding {
            peer,
            user: sa.user.clone(),
            first: self.snapshot.wall_at(sa.created),
            last: self.snapshot.wall,
            count: 1,
            explanation: out,
        })
    }

    /// Whether something was refused since a moment, or just before it, and is not solved: that says
    /// more.
    fn is_explained(&self, peer: IpAddr, since: Duration) -> bool {
        let mut failures = self.snapshot.failures.iter();
        failures.any(|one| one.peer() == peer && one.solved.is_none() && one.last + BEFORE >= since)
    }

    // ---- where nothing is wrong now -------------------------------------------------------------

    /// That a peer is not here any more, and why.
    pub(crate) fn gone(&self, peer: IpAddr, of: &History) -> Option<Finding> {
        let last = of.last_end();
        let at = last.map(|end| end.at).or_else(|| of.up())?;
        if self.is_explained(peer, at) {
            return None;
        }
        let who = match &of.user {
            Some(user) => format!("{user} at {peer}"),
            None => peer.to_string(),
        };
        let started = self.snapshot.wall_at(self.snapshot.started);
        let (verdict, advice) = match last {
            Some(Ended { at, tunnel, reason, .. }) => {
                let (because, advice) = told(reason);
                let what = if tunnel { "its last tunnel" } else { "its phase 1" };
                let verdict =
                    format!("{who} has no SA here now: {what} ended at {}: {because}.", self.at(at));
                (verdict, advice)
            }
            None if at < started => (
                format!(
                    "{who} has no SA here now: its SAs ended when this router started at {}.",
                    self.at(started)
                ),
                "It comes back when it notices (dead peer detection), or with the next packet for it.",
            ),
            None => (
                format!("{who} has no SA here now; it was up last at {}.", self.at(at)),
                "The log says more (`show logging`).",
            ),
        };
        let mut out = Explanation::new("ended", verdict);
        if let Some(elsewhere) = self.elsewhere(peer, of) {
            out = out.seen(format!("it is here from {elsewhere} now"));
        }
        let moments = [("phase 1", of.phase1), ("a tunnel", of.tunnel)];
        for (name, moment) in moments.into_iter().filter_map(|(name, moment)| Some((name, moment?))) {
            out = out.seen(format!("{name} with it came up last at {}", self.at(moment)));
        }
        if let Some(identity) = &of.identity {
            out = out.seen(format!("it was {identity}"));
        }
        if let (Some(last), Some(first)) = (last, of.ends.front().filter(|_| of.ends.len() > 2)) {
            if last.tunnels > 1 {
                out = out.seen(format!("{} tunnels ended together", last.tunnels));
            }
            out =
                out.seen(format!("it has come and gone {} times since {}", of.ends.len(), self.at(first.at)));
        }
        let out = out.advise(advice);
        Some(Finding { peer, user: of.user.clone(), first: at, last: at, count: 1, explanation: out })
    }

    /// Another address from which who left a history is here.
    fn elsewhere(&self, peer: IpAddr, of: &History) -> Option<IpAddr> {
        let same = |sa: &IsakmpView| match (&of.user, &of.identity) {
            (Some(user), _) => sa.user.as_ref() == Some(user),
            (None, Some(identity)) => sa.user.is_none() && sa.identity.as_ref() == Some(identity),
            (None, None) => false,
        };
        let mut sas = self.snapshot.isakmp.iter().filter(|sa| !sa.deleted && sa.path.remote != peer);
        sas.find(|sa| same(sa)).map(|sa| sa.path.remote)
    }

    /// That packets pass, as far as that is known.
    pub(crate) fn passes(&self, flows: &[&Flow]) -> String {
        let last =
            |of: fn(&Pulse) -> Beat| flows.iter().filter_map(|flow| of(flow.pulse.as_ref()?).last).max();
        let (inbound, outbound) = (last(|pulse| pulse.inbound), last(|pulse| pulse.outbound));
        let recent = flows.iter().filter_map(|flow| Some(flow.pulse?.lately()));
        let (lost, sent) = recent.fold((0, 0), |(lost, sent), of| (lost + of.lost, sent + of.sent));
        let mut lost = match lost {
            0 => String::new(),
            _ => format!("; {lost} of its {sent} last packets were lost on the way here"),
        };
        let outages = flows.iter().filter_map(|flow| flow.pulse?.ills.outage);
        let outage = outages.max().filter(|(at, _)| self.snapshot.now.since(*at) < LATELY);
        if let Some((at, count)) = outage {
            let until = self.at(self.snapshot.wall_at(at));
            lost += &format!("; {count} of its packets in a row were lost on the way here before {until}");
        }
        match (inbound, outbound) {
            (Some(inbound), Some(outbound)) => format!(
                "packets have passed in both directions, the last came {} and left {} ago{}",
                self.since(inbound),
                self.since(outbound),
                lost
            ),
            (Some(inbound), None) => {
                format!("packets have come, the last {} ago, and none has left", self.since(inbound))
            }
            (None, Some(outbound)) => {
                format!("packets have left, the last {} ago, and none has come", self.since(outbound))
            }
            (None, None) => {
                // before the first look
                let (came, left) = flows
                    .iter()
                    .map(|flow| flow.traffic())
                    .fold((0, 0), |(came, left), of| (came + of.inbound.packets, left + of.outbound.packets));
                match (came, left) {
                    (0, 0) => "no packet has passed yet, so whether some would is not known".to_owned(),
                    _ => format!("{came} packets have come and {left} have left"),
                }
            }
        }
    }
}

/// What becomes of a packet that should go through a tunnel, if it does not; `answer`: it should
/// leave by the tunnel, otherwise it came by it.
fn stopped(way: &Way, answer: bool) -> Option<(String, Option<u32>)> {
    let last = |stages: &[Stage]| stages.iter().rev().find(|stage| !stage.passes).cloned();
    match &way.end {
        End::Dropped { .. } => {
            let stage = last(&way.stages)?;
            Some((format!("is dropped here: {}", stage.says), stage.line))
        }
        End::Leaves { interface } if answer => {
            let nat = way.stages.iter().find(|stage| stage.stage == way::Name::Nat);
            let by = nat.map(|stage| format!(" ({})", stage.says)).unwrap_or_default();
            let line = nat.and_then(|stage| stage.line);
            Some((format!("would leave by {interface} in clear{by}"), line))
        }
        End::Leaves { .. } | End::Protected { .. } | End::Local => None,
    }
}

/// For what a phase 1 waits.
const fn waits(sa: &IsakmpView) -> &'static str {
    match (sa.state, sa.initiator) {
        (IsakmpState::MmNoState | IsakmpState::AgNoState | IsakmpState::AgInitExch, true) => {
            "our first message has no answer"
        }
        (IsakmpState::MmNoState | IsakmpState::AgNoState, false) => {
            "its first message came, and our answer is under way"
        }
        (IsakmpState::MmSaSetup, true) => {
            "the peer has chosen a proposal, and does not answer our key exchange"
        }
        (IsakmpState::MmSaSetup, false) => "our answer is not answered: it may be lost on the way back",
        (IsakmpState::MmKeyExch, true) => {
            "the peer does not answer our identity: its key may differ from ours"
        }
        (IsakmpState::MmKeyExch, false) if sa.nat => {
            "the peer's identity does not come: its key may differ from ours, or UDP 4500 is blocked"
        }
        (IsakmpState::MmKeyExch, false) => "the peer's identity does not come: its key may differ from ours",
        (IsakmpState::AgInitExch, false) if sa.nat => {
            "our answer is not answered: the group password may differ, or UDP 4500 is blocked"
        }
        (IsakmpState::AgInitExch, false) => {
            "our answer is not answered: the group password may differ, or it is lost on the way back"
        }
        (IsakmpState::ConfXauth, _) => "user name and password are awaited",
        (IsakmpState::ConfAddr, _) => "the client does not ask for an address",
        (IsakmpState::QmIdle, _) => "it is up",
    }
}
