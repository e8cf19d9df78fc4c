//! Input from strangers and users that the program reads, for the fuzz targets. Not part of an
//! interface: nothing else calls it.
//!
//! A target panics when something is wrong: that is what it is for.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc)]

use crate::base::format::Format;
use crate::exec::find;
use crate::manage::configure;
use crate::manage::desk::{Desk, Refusal};
use crate::shell::enabled::Enabled;
use crate::shell::filter;
use crate::shell::session::{Effect, Session, Terminal};
use crate::views::Views;
use crate::why::offline::tell;
use crate::why::recording::Recording;
use crate::{plane, ssh};
use hubward_config::edit;
use hubward_proto::esp::sad::Sad;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A hub with an SSH server.
const HUB: &str = "hostname Hub\nusername admin privilege 15 secret 0 right\ncrypto isakmp policy 10\n encr 3des\n\
                   authentication pre-share\n group 2\ninterface FastEthernet0/0\n ip address 10.48.67.181 255.255.255.0\n\
                   line vty 0 4\n transport input ssh\n login local\nend\n";
/// Bytes that an SSH server may say to a client that has not logged in.
const MODEST: usize = 16 * 1024;
/// Longer than any target needs.
const LONG: Duration = Duration::from_secs(20);

/// A command line with its filter: understood, or refused with words that a terminal takes for
/// text.
pub fn command_line(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let outcome = filter::command(&line).and_then(|(command, filter)| {
        if let Some(filter) = filter {
            let _filtered = filter.apply("crypto isakmp policy 10\n encr 3des\n!\nend\n");
        }
        [1, 15].into_iter().try_for_each(|privilege| find(command, privilege).map(drop))
    });
    let Err(refusal) = outcome else { return };
    if let Refusal::Invalid(place) = refusal {
        assert!(line.get(place..).is_some(), "{line:?} has no place {place}");
    }
    let text = refusal.to_string();
    assert!(text.starts_with("% ") && text.len() < 200, "{text:?}");
    assert!(!text.trim_end().contains(char::is_control), "{text:?}");
}

/// Keystrokes of a session, its first byte the privilege; commands answer with text, and
/// configuration lines change one.
pub fn keystrokes(data: &[u8]) {
    let (first, keys) = data.split_first().unwrap_or((&15, &[]));
    let terminal = Terminal { length: usize::from(first >> 4), width: 80 };
    let mut session = Session::new("Hub", first & 15, terminal, first & 64 != 0);
    let mut running = HUB.to_string();
    let mut written = 0;
    let start = session.start();
    react(&mut session, start, &mut running, &mut written);
    for piece in keys.chunks(usize::from(first >> 5) + 1) {
        if session.is_closed() {
            break;
        }
        let effects = session.bytes(piece);
        react(&mut session, effects, &mut running, &mut written);
    }
    let timed_out = session.timed_out();
    react(&mut session, timed_out, &mut running, &mut written);
    // a key may list every command, and no more
    assert!(written < 20_000 * (keys.len() + 2), "{written} bytes for {} keys", keys.len());
}

/// Carries out what a session asks for, as a gateway would.
fn react(session: &mut Session, effects: Vec<Effect>, running: &mut String, written: &mut usize) {
    let mut pending = std::collections::VecDeque::from(effects);
    while let Some(effect) = pending.pop_front() {
        let more = match effect {
            Effect::Write(text) => {
                let harmless = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\u{7}' | '\u{8}');
                assert!(text.chars().all(harmless), "a terminal would act on {text:?}");
                *written += text.len();
                Vec::new()
            }
            Effect::Run(job) => session.reply(job, Ok("first line\nsecond line\nthird line\n")),
            Effect::Configure(position, line) => {
                let changed =
                    edit::enter(running, &position, &line).map_err(|wrong| configure::refused(wrong, &line));
                let outcome = changed.map(|change| {
                    if let Some(text) = change.text.filter(|text| text.len() < 1 << 16) {
                        *running = text;
                    }
                    configure::Entered {
                        position: change.position,
                        told: String::new(),
                        public: String::new(),
                    }
                });
                session.configured(&line, outcome)
            }
            Effect::Enable { level, password } => {
                let outcome = if password.0.len() == 3 { Enabled::Right } else { Enabled::Wrong };
                session.enabled(level, outcome)
            }
            Effect::LeftConfiguration
            | Effect::Monitor(_)
            | Effect::Format(Format::Modern | Format::Classic) => Vec::new(),
            Effect::Close => return,
        };
        for (place, effect) in more.into_iter().enumerate() {
            pending.insert(place, effect);
        }
    }
}

/// What a client sends to the SSH server, up to its end: the server ends as well, has sent little,
/// and no user is logged in.
pub fn ssh_client(data: &[u8]) {
    let gateway = Arc::default();
    let parsed = Arc::new(hubward_config::parse(HUB));
    let file = PathBuf::from("/nonexistent");
    let views = Views::new(
        parsed,
        Arc::default(),
        Arc::new(Sad::new()),
        Arc::default(),
        Arc::default(),
        plane::Chosen::default(),
        file,
        Arc::default(),
    );
    let desk = Desk { views: Arc::new(views), gateway };
    let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[1; 32])), "").expect("a key");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let said = runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serving = ssh::speak(server, &key, &desk);
        let talking = async {
            let _refused = client.write_all(data).await;
            let _refused = client.shutdown().await;
            let mut said = Vec::new();
            let _ended = client.read_to_end(&mut said).await;
            said
        };
        let both = async { tokio::join!(serving, talking).1 };
        tokio::time::timeout(LONG, both).await
    });
    let said = said.expect("the connection does not end");
    assert!(said.len() <= MODEST, "{} bytes for {}", said.len(), data.len());
    assert!(desk.views.lines.list().is_empty(), "a session");
}

/// A packet capture: explained, or refused.
pub fn capture(data: &[u8]) {
    let Ok(recording) = Recording::read(data) else { return };
    let mut text = Vec::new();
    tell(&recording, &hubward_config::parse(HUB), &mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("what a peer calls itself is escaped");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}
