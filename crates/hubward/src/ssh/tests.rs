//! The server against a client in the same process: who gets in, and for how long.

use super::*;
use crate::views::tests::desk;
use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyBase64 as _};
use russh::{Channel, ChannelMsg};
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

/// A server with a configuration.
struct Server {
    address: SocketAddr,
    desk: Desk,
}

impl Server {
    async fn start(config: &str) -> Self {
        let desk = desk();
        desk.views.configured(Arc::new(hubward_config::parse(config)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), desk: desk.clone() };
        tokio::spawn(async move {
            let (key, admission) = (key(1), Arc::new(Admission::default()));
            loop {
                let (stream, from) = listener.accept().await.unwrap();
                accept(stream, from, &key, &desk, &admission);
            }
        });
        server
    }

    async fn connect(&self) -> Result<Handle<Anyone>, russh::Error> {
        let connecting = client::connect(Arc::default(), self.address, Anyone);
        tokio::time::timeout(LONG, connecting).await.unwrap()
    }

    /// Logs `admin` in and opens a shell.
    async fn shell(&self) -> Shell {
        let mut client = self.connect().await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
        let channel = client.channel_open_session().await.unwrap();
        channel.request_pty(false, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
        channel.request_shell(true).await.unwrap();
        let mut shell = Shell { _client: client, channel, seen: String::new() };
        shell.until("Hub#").await;
        shell
    }
}

struct Shell {
    _client: Handle<Anyone>,
    channel: Channel<client::Msg>,
    seen: String,
}

impl Shell {
    /// Reads until this was printed.
    async fn until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.more().await, "the session ended behind {:?}", self.seen);
        }
    }

    /// Reads until the end.
    async fn end(&mut self) {
        while self.more().await {}
    }

    async fn more(&mut self) -> bool {
        match tokio::time::timeout(LONG, self.channel.wait()).await.unwrap() {
            Some(ChannelMsg::Data { data }) => self.seen.push_str(&String::from_utf8_lossy(&data)),
            Some(ChannelMsg::Close) | None => return false,
            Some(_) => {}
        }
        true
    }

    async fn keys(&self, keys: &str) {
        self.channel.data(keys.as_bytes()).await.unwrap();
    }
}

fn config(more: &str) -> String {
    format!(
        "hostname Hub\nusername admin privilege 15 secret 0 right\nusername vpn password 0 vpn\n{more}\
         line vty 0 4\n transport input ssh\n login local\n"
    )
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_password_opens_a_shell() {
    run(async {
        let server = Server::start(&config("")).await;
        let mut shell = server.shell().await;
        assert_eq!(server.desk.views.lines.list()[0].user, "admin");
        shell.keys("show privilege\r").await;
        shell.until("Current privilege level is 15\r\n").await;
        shell.keys("exit\r").await;
        shell.end().await;
        wait(|| server.desk.views.lines.list().is_empty()).await;
    });
}

async fn wait(mut what: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < LONG);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn every_way_to_log_in() {
    run(async {
        let mine = key(2);
        let text = mine.public_key().public_key_base64();
        let chain = format!("ip ssh pubkey-chain\n username admin\n  key-string\n   {text}\n   exit\n");
        let server = Server::start(&config(&chain)).await;

        let mut client = server.connect().await.unwrap();
        let asked = client.authenticate_keyboard_interactive_start("admin", None).await.unwrap();
        let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = asked else { panic!("{asked:?}") };
        assert_eq!((prompts[0].prompt.as_str(), prompts[0].echo), ("Password: ", false));
        let answered = client.authenticate_keyboard_interactive_respond(vec!["right".into()]).await.unwrap();
        assert!(matches!(answered, KeyboardInteractiveAuthResponse::Success));

        let with = |key: PrivateKey| PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let mut client = server.connect().await.unwrap();
        assert!(!client.authenticate_publickey("admin", with(key(3))).await.unwrap().success());
        assert!(!client.authenticate_publickey("vpn", with(mine.clone())).await.unwrap().success());
        assert!(client.authenticate_publickey("admin", with(mine)).await.unwrap().success());

        // forwarding and subsystems: nothing
        assert!(client.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_err());
        let channel = client.channel_open_session().await.unwrap();
        let mut shell = Shell { _client: client, channel, seen: String::new() };
        shell.channel.request_subsystem(true, "sftp").await.unwrap();
        assert!(matches!(shell.channel.wait().await, Some(ChannelMsg::Failure)));
    });
}

/// Whoever it is, it takes the same time, and after so many passwords the connection ends.
#[test]
fn wrong_passwords_are_counted() {
    run(async {
        let server = Server::start(&config("ip ssh authentication-retries 2\n")).await;
        let mut client = server.connect().await.unwrap();
        for (user, given) in [("admin", "wrong"), ("vpn", "vpn")] {
            let begun = Instant::now();
            let result = client.authenticate_password(user, given).await.unwrap();
            assert!(matches!(result, AuthResult::Failure { .. }), "{user}");
            assert!(begun.elapsed() >= REFUSAL, "{:?}", begun.elapsed());
        }
        let third = client.authenticate_password("admin", "right").await;
        assert!(!third.is_ok_and(|result| result.success()), "the right one comes too late");
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_none("admin").await.is_ok_and(|result| !result.success()));
        assert!(client.authenticate_password("admin", "right").await.unwrap().success(), "a probe is no try");
    });
}

#[test]
fn one_retry_leaves_room_for_a_probe() {
    run(async {
        let server = Server::start(&config("ip ssh authentication-retries 0\n")).await;
        let mut client = server.connect().await.unwrap();
        client.authenticate_none("admin").await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
    });
}

#[test]
fn the_access_class_comes_before_the_first_byte() {
    run(async {
        let list = "access-list 10 permit 192.0.2.0 0.0.0.255\n";
        let text = format!("{}{}", config(list), " access-class 10 in\n");
        let server = Server::start(&text).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let mut bytes = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes);
        let _closed = tokio::time::timeout(LONG, read).await.unwrap();
        assert!(bytes.is_empty(), "{bytes:?}");
    });
}

/// S11: five vty lines, and the sixth session is refused; one that ends makes room.
#[test]
fn s11_the_sixth_is_refused() {
    run(async {
        let server = Server::start(&config("")).await;
        let mut shells = Vec::new();
        for _ in 0..5 {
            shells.push(server.shell().await);
        }
        assert!(server.connect().await.is_err());
        let mut first = shells.remove(0);
        first.keys("exit\r").await;
        first.end().await;
        wait(|| server.desk.views.lines.list().len() == 4).await;
        server.shell().await;
    });
}

/// S12: an idle session ends after `exec-timeout`; keystrokes postpone it.
#[test]
fn s12_the_exec_timeout_ends_a_session() {
    run(async {
        let server = Server::start(&format!("{} exec-timeout 0 2\n", config(""))).await;
        let mut shell = server.shell().await;
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        shell.keys("x").await;
        shell.end().await;
        let lasted = begun.elapsed();
        assert!(lasted >= Duration::from_millis(3400) && lasted < LONG / 2, "{lasted:?}");
        wait(|| server.desk.views.lines.list().is_empty()).await;
    });
}

/// A paste in very many packets, while its echo comes back: nothing is lost, and neither direction
/// waits for the other.
#[test]
fn s13_a_paste_in_small_packets() {
    run(async {
        let server = Server::start(&config("")).await;
        let mut shell = server.shell().await;
        shell.keys("terminal length 0\r").await;
        // a client that does not read what it got sends nothing either
        let mut keys = shell.channel.make_writer();
        tokio::spawn(async move {
            for number in 0..1500 {
                keys.write_all(format!("!{number}\r").as_bytes()).await.unwrap();
            }
            keys.write_all(b"exit\r").await.unwrap();
        });
        shell.end().await;
        for number in 0..1500 {
            assert!(shell.seen.contains(&format!("Hub#!{number}\r\n")), "{number} is lost");
        }
    });
}

#[test]
fn one_command() {
    run(async {
        let server = Server::start(&config("")).await;
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
        let channel = client.channel_open_session().await.unwrap();
        channel.exec(true, "show privilege | include level").await.unwrap();
        let mut shell = Shell { _client: client, channel, seen: String::new() };
        shell.end().await;
        assert_eq!(shell.seen, "Current privilege level is 15\n");
        let channel = shell._client.channel_open_session().await.unwrap();
        channel.exec(true, "show frob").await.unwrap();
        (shell.channel, shell.seen) = (channel, String::new());
        shell.end().await;
        // the sign stands below the wrong word
        let pointed = "show frob\n     ^\n% Invalid input detected at '^' marker.\n";
        assert!(shell.seen.replace("\r\n", "\n").contains(pointed), "{}", shell.seen);
    });
}

/// `ssh router < commands`: the client has nothing more to say long before the output is there.
#[test]
fn what_is_piped_in_is_done() {
    run(async {
        let routes: String = (0..4000)
            .map(|number| {
                format!("ip route 172.16.{}.{} 255.255.255.255 10.0.0.1\n", number / 250, number % 250)
            })
            .collect();
        let server = Server::start(&config(&routes)).await;
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
        let channel = client.channel_open_session().await.unwrap();
        channel.request_shell(true).await.unwrap();
        let mut shell = Shell { _client: client, channel, seen: String::new() };
        shell.keys("show running-config\nshow privilege\n").await;
        shell.channel.eof().await.unwrap();
        shell.end().await;
        assert!(
            shell.seen.contains("172.16.15.249 255.255.255.255 10.0.0.1\r\n"),
            "{} bytes",
            shell.seen.len()
        );
        assert!(shell.seen.contains("Current privilege level is 15\r\n"));
    });
}

/// A user that the configuration loses after the login gets no further session.
#[test]
fn a_lost_user_gets_no_session() {
    run(async {
        let server = Server::start(&config("")).await;
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
        let without = config("").replace("username admin", "username other");
        server.desk.views.configured(Arc::new(hubward_config::parse(&without)));
        let channel = client.channel_open_session().await.unwrap();
        channel.request_shell(true).await.unwrap();
        let mut shell = Shell { _client: client, channel, seen: String::new() };
        shell.end().await;
        assert_eq!(shell.seen, "");
    });
}

/// What a client gives as one command, and what comes back.
async fn told_of(server: &Server, command: &[u8]) -> String {
    let mut client = server.connect().await.unwrap();
    assert!(client.authenticate_password("admin", "right").await.unwrap().success());
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    let mut shell = Shell { _client: client, channel, seen: String::new() };
    shell.end().await;
    shell.seen
}

/// The longest command is obeyed; of a longer one not even its beginning is.
#[test]
fn a_command_that_is_too_long_is_not_cut_and_obeyed() {
    run(async {
        let server = Server::start(&config("")).await;
        let padded = |bytes: usize| format!("{:bytes$}", "show privilege").into_bytes();
        assert_eq!(told_of(&server, &padded(4096)).await, "Current privilege level is 15\n");
        for bytes in [4097, 5000, 20_000] {
            let told = told_of(&server, &padded(bytes)).await;
            assert_eq!(told, "% That is longer than 4096 bytes; nothing was done\n", "{bytes}");
        }
    });
}

#[test]
fn several_lines_and_control_characters_are_no_command() {
    run(async {
        let server = Server::start(&config("")).await;
        let told = told_of(&server, b"show privilege\nshow clock").await;
        assert_eq!(told, "% A command is one line; nothing was done\n");
        for command in [&b"show privilege\0"[..], b"show\x08 privilege", b"show privilege\xff"] {
            let told = told_of(&server, command).await;
            assert!(told.starts_with("% That has control characters"), "{command:?}: {told}");
        }
        assert_eq!(told_of(&server, b"show privilege\r\n").await, "Current privilege level is 15\n");
    });
}

/// Environment variables are refused, and no size of a window is too odd.
#[test]
fn the_environment_and_sizes_of_windows() {
    run(async {
        let server = Server::start(&config("")).await;
        for (columns, rows) in [(0, 0), (1, 1), (u32::MAX, u32::MAX)] {
            let mut client = server.connect().await.unwrap();
            assert!(client.authenticate_password("admin", "right").await.unwrap().success());
            let mut channel = client.channel_open_session().await.unwrap();
            channel.set_env(true, "LD_PRELOAD", "x\0y").await.unwrap();
            assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
            channel.request_pty(false, "\x1b[2J", columns, rows, 0, 0, &[]).await.unwrap();
            channel.request_shell(false).await.unwrap();
            let mut shell = Shell { _client: client, channel, seen: String::new() };
            shell.keys("show privilege\rexit\r").await;
            shell.end().await;
            assert!(shell.seen.contains("Current privilege level is 15"), "{columns}: {}", shell.seen);
        }
    });
}

/// After three wrong passwords, on as many connections as anybody likes, the right one is answered
/// like a wrong one for a while; another user of that address gets in.
#[test]
fn guessing_a_password_locks_out_the_guesser_for_seconds() {
    run(async {
        let more = "username bert privilege 1 secret 0 berts\n";
        let server = Server::start(&config(more)).await;
        let lockout = &server.desk.views.lockout;
        let from = std::net::IpAddr::from([127, 0, 0, 1]);
        for _ in 0..3 {
            let mut client = server.connect().await.unwrap();
            assert!(!client.authenticate_password("admin", "guess").await.unwrap().success());
        }
        // more of them, so that the wait outlasts a pause of the machine; with the three it is a minute
        let last = crate::base::clock::now();
        (0..5).for_each(|_| lockout.failed(from, "admin", last));
        assert_eq!(lockout.wait(from, "admin", last), Some(Duration::from_secs(60)));
        let mut client = server.connect().await.unwrap();
        let begun = Instant::now();
        assert!(!client.authenticate_password("admin", "right").await.unwrap().success());
        assert!(begun.elapsed() >= REFUSAL, "it takes as long as a wrong one");
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_password("bert", "berts").await.unwrap().success());
        // with the failures forgotten, the right one passes
        lockout.passed(from, "admin", crate::base::clock::now());
        let mut client = server.connect().await.unwrap();
        assert!(client.authenticate_password("admin", "right").await.unwrap().success());
    });
}
