//! Every message of every folder of packets, thrown at a gateway that listens: from a stranger and
//! from the address of a branch that has a tunnel. Nothing breaks, the answers are hardly
//! longer than the message, and the tunnel stands. The time of the slowest message is printed.

use crate::packets::datagrams;
use crate::peer::{Bench, Peer, path};
use crate::support::{HUB, hub_policy, ip};
use crate::{Test, entries, read, unhex};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Answer, Question};
use hubward_proto::print::Message;
use hubward_proto::time::Instant;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("a_gateway_listens_to_captures_and_crashes", captures),
        ("a_gateway_listens_to_the_corpus_of_openiked", openiked),
    ]
}

/// A gateway with the tunnel of one branch.
struct Listening {
    bench: Bench,
    branch: Peer,
    strangers: u32,
    /// Between two messages, so that none is refused for those before it.
    pause: Duration,
    slowest: (Duration, String),
    /// Bytes received and sent.
    bytes: (usize, usize),
    messages: usize,
    answers: usize,
}

impl Listening {
    fn new(pause: Duration) -> Self {
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let from = path(ip(HUB), ip("10.100.2.102"), 500);
        let mut branch = Peer::main_mode(&mut bench, from, "cisco123", 2);
        assert!(branch.quick_mode(
            &mut bench,
            77,
            [10, 2, 0, 0, 255, 255, 0, 0],
            [10, 1, 0, 0, 255, 255, 0, 0]
        ));
        Self {
            bench,
            branch,
            strangers: 0,
            pause,
            slowest: Default::default(),
            bytes: (0, 0),
            messages: 0,
            answers: 0,
        }
    }

    fn hear(&mut self, name: &str, message: &[u8]) {
        self.strangers += 1;
        let stranger: IpAddr = Ipv4Addr::from_bits(0x2c00_0000 + self.strangers).into();
        // from the address of the branch too: by its cookies it is not the branch's
        for remote in [stranger, ip("10.100.2.102")] {
            self.bench.wait(self.pause);
            let from = path(ip(HUB), remote, 500);
            let began = std::time::Instant::now();
            let mut sent = self.bench.datagram(from, message);
            let took = began.elapsed();
            if took > self.slowest.0 {
                self.slowest = (took, format!("{name}: {}", Message(message)));
            }
            while let Some((id, question)) = self.bench.asked.pop() {
                let answer = match question {
                    Question::Authorize { .. } => Answer::Group(None),
                    Question::Authenticate { .. } => Answer::Rejected { reason: "no".into() },
                    other => panic!("{name}: a stranger is asked about: {other:?}"),
                };
                sent.extend(self.bench.input(hubward_proto::ike::io::Input::Answer { id, answer }));
            }
            let bytes: usize = sent.iter().map(Vec::len).sum();
            assert!(
                bytes * 10 <= message.len() * 12,
                "{name}: {bytes} bytes for {}: {}",
                message.len(),
                Message(message)
            );
            assert!(sent.len() <= 1, "{name}: {} answers to one message", sent.len());
            self.bytes = (self.bytes.0 + message.len(), self.bytes.1 + bytes);
            (self.messages, self.answers) = (self.messages + 1, self.answers + sent.len());
            self.bench.trace.clear();
            self.bench.refusals.clear();
        }
    }

    /// What the half-open SAs send by themselves counts too; then the branch's tunnel still stands.
    fn end(mut self, messages: usize) {
        let later: usize = self.bench.wait(Duration::from_secs(120)).iter().map(Vec::len).sum();
        println!(
            "{} messages, {} answers, {:?} bytes and {later} later; the slowest took {:?}: {}",
            self.messages, self.answers, self.bytes, self.slowest.0, self.slowest.1
        );
        assert!((self.bytes.1 + later) * 10 <= self.bytes.0 * 12);
        assert_eq!(self.messages, messages * 2);
        let view = self.bench.engine.inspect();
        assert_eq!((view.isakmp.len(), view.children.len()), (1, 1), "the branch's SAs, and no other");
        let renewed = [[10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]];
        assert!(self.branch.quick_mode(&mut self.bench, 78, renewed[0], renewed[1]), "the branch rekeys");
    }
}

/// Messages of captures in a folder, and in the folders in it.
fn of_folder(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for path in entries(folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            of_folder(&path, found);
        } else if name.contains(".pcap") {
            let messages = datagrams(&path);
            found.extend(messages.iter().filter_map(|one| Some((name.clone(), one.ike()?.to_vec()))));
        } else if name.ends_with(".dat") || name.ends_with(".raw") {
            let bytes = read(&path);
            found.push((name, bytes.strip_prefix(&[0; 4]).unwrap_or(&bytes).to_vec()));
        } else if name == "known-crash-packets.hex" {
            let text = String::from_utf8(read(&path)).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            found.extend(lines.map(|line| (name.clone(), unhex(line.split_once('\t').unwrap().1))));
        }
    }
}

/// What other programs crashed on, and sessions of many vendors.
fn captures(vectors: &Path) {
    let mut found = Vec::new();
    for folder in ["tcpdump", "libreswan", "ike-scan", "openswan", "wireshark"] {
        let before = found.len();
        of_folder(&vectors.join(folder), &mut found);
        assert!(found.len() > before, "{folder} has no messages");
    }
    let mut gateway = Listening::new(Duration::from_secs(3));
    found.iter().for_each(|(name, message)| gateway.hear(name, message));
    gateway.end(found.len());
}

/// The files of an archive (POSIX.1-1988 ustar): each has a header of 512 bytes with its name and
/// its length in octal.
fn files_of(archive: &[u8]) -> Vec<(String, &[u8])> {
    let (mut files, mut rest) = (Vec::new(), archive);
    while let Some((header, behind)) = rest.split_at_checked(512) {
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_matches(['\0', ' ']).to_owned()
        };
        let Ok(length) = usize::from_str_radix(&text(124..136), 8) else { break };
        if header[156] == b'0' {
            files.push((text(0..100), &behind[..length]));
        }
        rest = behind.get(length.next_multiple_of(512)..).unwrap_or_default();
    }
    files
}

/// The inputs with which OpenIKED is fuzzed: messages of IKEv2, most of them damaged, as they are
/// and with the version and exchange of IKEv1, so that more than the header is read.
fn openiked(vectors: &Path) {
    let archive = read(&vectors.join("openiked-fuzz/corpus.tar.gz"));
    let files = files_of(&archive);
    assert!(files.len() > 15_000, "{} files", files.len());
    // all together take less than the lifetime of a tunnel
    let mut gateway = Listening::new(Duration::from_millis(20));
    let mut count = 0;
    for (name, bytes) in files.iter().filter(|(_, bytes)| bytes.len() >= 28) {
        let mut as_version_1 = bytes.to_vec();
        as_version_1[8..16].fill(0);
        (as_version_1[17], as_version_1[18], as_version_1[19]) =
            (0x10, if count % 2 == 0 { 2 } else { 4 }, 0);
        as_version_1[20..24].fill(0);
        as_version_1[24..28].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        // a payload of IKEv2 that begins a message is an SA of IKEv1
        as_version_1[16] = 1;
        for message in [bytes.to_vec(), as_version_1] {
            gateway.hear(name, &message);
            count += 1;
        }
    }
    gateway.end(count);
}
