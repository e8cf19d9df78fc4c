//! One SSH connection: who it is, and the sessions on it. A session is a vty line.

use super::auth;
use super::limits::Place;
use crate::base::clock::now;
use crate::base::console_lines::{LineName, Occupied};
use crate::base::format::Format;
use crate::exec::command::Caller;
use crate::manage::desk::Desk;
use crate::shell::line;
use crate::shell::pager::crlf;
use crate::shell::serve::{self, Input, Login};
use crate::shell::session::Terminal;
use crate::supervise;
use hubward_config::model::LineLogin;
use hubward_proto::names::Untrusted;
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, Pty};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Messages from the client that wait for its session.
const INPUTS: usize = 64;
/// Channels of one connection whose session has not started.
const CHANNELS: usize = 4;
/// Bytes that a client may be ahead of its session.
const AHEAD: usize = 256 * 1024;
/// How often it is looked whether a session takes more.
const STEP: Duration = Duration::from_millis(5);
/// Bytes of one [`Input::Typed`].
const PIECE: usize = 4096;
/// How long a connection without a session may last.
const IDLE: Duration = Duration::from_secs(60);
/// How long a client may leave output waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of a session's stack.
const STACK: usize = 1024 * 1024;
/// Why a login fails, as IOS says it.
const FAILED: &str = "Login Authentication Failed";
/// Passwords that are checked at a time.
static CHECKS: Semaphore = Semaphore::const_new(2);

/// What is known of the other end.
pub(super) struct Connection {
    from: SocketAddr,
    desk: Desk,
    /// Its place among the unknown, until it has logged in.
    place: Option<Place>,
    known: Arc<AtomicBool>,
    /// One for itself, and one for each of its sessions.
    sessions: Arc<()>,
    /// Passwords that may still be tried.
    tries: u8,
    user: String,
    channels: BTreeMap<ChannelId, Opened>,
}

/// A channel whose session has not started.
struct Opened {
    inputs: Inputs,
    write: ChannelWriteHalf<Msg>,
    terminal: Option<Terminal>,
}

impl Connection {
    /// `tries` is how many passwords its client may give.
    pub(super) fn new(from: SocketAddr, desk: Desk, place: Place, tries: u8) -> Self {
        Self {
            from,
            desk,
            place: Some(place),
            known: Arc::default(),
            sessions: Arc::default(),
            tries,
            user: String::new(),
            channels: BTreeMap::new(),
        }
    }

    /// How the line that this connection would get asks who it is.
    fn login(&self) -> Option<LineLogin> {
        let config = &self.desk.views.parsed().config;
        let first = auth::lines_for(config, self.from.ip()).next();
        first.and_then(|line| match line {
            LineName::Vty(number) => auth::line(config, number).login,
            LineName::Console(_) => None,
        })
    }

    async fn password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        self.tries = self.tries.checked_sub(1).ok_or(russh::Error::Disconnect)?;
        let (parsed, login) = (self.desk.views.parsed(), self.login());
        let (name, given) = (user.to_string(), password.to_string());
        let Ok(_turn) = CHECKS.acquire().await else { return Ok(Auth::reject()) };
        let (source, lockout) = (self.from.ip(), &self.desk.views.lockout);
        // the answer is the same as to a wrong one, and takes as long
        if let Some(wait) = lockout.wait(source, user, now()) {
            let seconds = wait.as_secs() + 1;
            return Ok(self.outcome(user, Err(format!("too many failures; not checked for {seconds} s"))));
        }
        let check = move || auth::password(&parsed.config, login.as_ref(), &name, &given);
        let passed = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        match passed {
            true => lockout.passed(source, user, now()),
            false => lockout.failed(source, user, now()),
        }
        Ok(self.outcome(user, if passed { Ok(()) } else { Err(FAILED.to_string()) }))
    }

    fn outcome(&mut self, user: &str, passed: Result<(), String>) -> Auth {
        let name = Untrusted::new(user.as_bytes());
        let source = self.from.ip();
        if let Err(reason) = passed {
            tracing::warn!(
                "%SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: {name}] [Source: {source}] [reason: {reason}]"
            );
            return Auth::reject();
        }
        tracing::info!("%SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: {name}] [Source: {source}]");
        self.user = user.to_string();
        Auth::Accept
    }

    /// Takes a vty line for a session.
    fn enter(&self) -> Option<(u16, Occupied, auth::Rights)> {
        let config = &self.desk.views.parsed().config;
        let (user, source) = (&self.user, self.from.ip().to_string());
        // the configuration may have lost the user since the login
        auth::user(config, user)?;
        let lines = auth::lines_for(config, self.from.ip());
        let place = self.desk.views.lines.enter(lines, user, &source, 1, now())?;
        let LineName::Vty(number) = place.line else { return None };
        let rights = auth::rights(config, user, number);
        place.touch(now(), rights.privilege);
        Some((number, place, rights))
    }

    /// Runs something on a thread of its own, for a channel; afterwards the channel is closed.
    fn begin(
        &mut self,
        id: ChannelId,
        body: impl FnOnce(Inputs, &mut Output, Option<Terminal>) + Send + 'static,
    ) -> bool {
        let Some(Opened { inputs, write, terminal }) = self.channels.remove(&id) else { return false };
        let runtime = tokio::runtime::Handle::current();
        let session = Arc::clone(&self.sessions);
        let mut output = Output { runtime: runtime.clone(), write: Box::pin(write.make_writer()) };
        let started = std::thread::Builder::new().name("vty".into()).stack_size(STACK).spawn(move || {
            supervise::guarded("vty", || body(inputs, &mut output, terminal));
            runtime.block_on(async {
                let _gone = write.exit_status(0).await;
                let _gone = write.eof().await;
                let _gone = write.close().await;
            });
            drop(session);
        });
        started.is_ok()
    }

    fn shell(&mut self, id: ChannelId) -> bool {
        let Some((_, place, rights)) = self.enter() else { return false };
        let (desk, from, user) = (self.desk.clone(), self.from.ip(), self.user.clone());
        self.begin(id, move |inputs, output, terminal| {
            let window = terminal.unwrap_or(Terminal { length: 0, width: 0 });
            let terminal = Terminal {
                length: rights.length.map_or(window.length, usize::from),
                width: rights.width.map_or(window.width, usize::from),
            };
            let (privilege, exec_timeout) = (rights.privilege, rights.exec_timeout);
            let enable = Some(auth::Enable::check(&desk, from, &user));
            let login = Login { privilege, place, exec_timeout, terminal, enable };
            if let Err(error) = serve::serve(&inputs, output, &login, &desk) {
                tracing::debug!("an SSH session ended: {error}");
            }
        })
    }

    /// One command, without a pager.
    fn command(&mut self, id: ChannelId, line: String) -> bool {
        let Some((_, place, rights)) = self.enter() else { return false };
        let desk = self.desk.clone();
        self.begin(id, move |_inputs, output, terminal| {
            let caller =
                Caller { privilege: rights.privilege, format: Format::Modern, line: Some(place.line) };
            let mut output = Terminated { output, crlf: terminal.is_some() };
            if let Err(error) = once(&line, caller, &desk, &mut output) {
                tracing::debug!("an SSH command was not answered: {error}");
            }
        })
    }
}

/// Gives a command, with its filter.
fn once(line: &str, caller: Caller, desk: &Desk, out: &mut dyn Write) -> io::Result<()> {
    match crate::shell::socket::filtered(line, caller, desk, out)? {
        Ok(()) => Ok(()),
        Err(refusal) => out.write_all(crate::shell::socket::told(&refusal, line).as_bytes()),
    }
}

/// A session's two ends of its input.
type Inputs = (SyncSender<Input>, Receiver<Input>);

/// Passes on what the client sends. A slow session must not stop the connection, which carries its
/// own output as well: what it has not read yet waits here, and only a client that is far ahead has
/// to wait. One that stays so is disconnected.
async fn forward(mut read: ChannelReadHalf, inputs: SyncSender<Input>) {
    let mut waiting: VecDeque<Input> = VecDeque::new();
    let mut moved = tokio::time::Instant::now();
    loop {
        let ahead: usize = waiting.iter().map(size).sum();
        tokio::select! {
            message = read.wait(), if ahead < AHEAD => match message {
                Some(ChannelMsg::Data { data }) => {
                    waiting.extend(data.chunks(PIECE).map(|piece| Input::Typed(piece.to_vec())));
                }
                Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                    waiting.push_back(Input::Window(window(col_width, row_height)));
                }
                // a script that is piped in ends before its commands do
                Some(ChannelMsg::Eof) => waiting.push_back(Input::Ended),
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            },
            () = tokio::time::sleep(STEP), if !waiting.is_empty() => {}
        }
        while let Some(input) = waiting.pop_front() {
            match inputs.try_send(input) {
                Ok(()) => moved = tokio::time::Instant::now(),
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => {
                    waiting.push_front(back);
                    break;
                }
            }
        }
        if ahead >= AHEAD && moved.elapsed() >= PATIENCE {
            waiting.clear();
            break;
        }
    }
    drop(read);
    for input in waiting.into_iter().chain([Input::Gone]) {
        if !put(&inputs, input).await {
            return;
        }
    }
}

/// What an input counts for.
fn size(input: &Input) -> usize {
    match input {
        // a packet of one byte costs more than the byte
        Input::Typed(bytes) => bytes.len() + 64,
        _ => 64,
    }
}

/// Whether a session still listens.
async fn put(inputs: &SyncSender<Input>, mut input: Input) -> bool {
    loop {
        match inputs.try_send(input) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => input = back,
        }
        tokio::time::sleep(STEP).await;
    }
}

/// A client that does not know its window has none.
fn window(columns: u32, rows: u32) -> Terminal {
    let size = |value: u32| usize::try_from(value).unwrap_or(0).min(512);
    Terminal { length: size(rows), width: size(columns) }
}

/// Where a session writes: as much as the client's window takes.
struct Output {
    runtime: tokio::runtime::Handle,
    write: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = &mut self.write;
        let sent = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, write.write(bytes)).await });
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends lines as a terminal needs it.
struct Terminated<'o> {
    output: &'o mut Output,
    crlf: bool,
}

impl Write for Terminated<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.crlf {
            true => {
                let mut text = String::new();
                crlf(&String::from_utf8_lossy(bytes), &mut text);
                self.output.write_all(text.as_bytes()).map(|()| bytes.len())
            }
            false => self.output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Serves a connection until it ends. Whoever has not logged in after `grace` is cut off.
pub(super) async fn run(stream: TcpStream, connection: Connection, config: Arc<Config>, grace: Duration) {
    let from = connection.from;
    let (known, sessions) = (Arc::clone(&connection.known), Arc::downgrade(&connection.sessions));
    // a second hold on the socket: the first belongs to the protocol, whatever state that is in
    let Ok((stream, hold)) = twice(stream) else { return };
    let served = async {
        match russh::server::run_stream(config, stream, connection).await {
            Ok(session) => session.await,
            Err(error) => Err(error),
        }
    };
    tokio::pin!(served);
    let late = async {
        tokio::time::sleep(grace).await;
        if !known.load(Ordering::Relaxed) {
            return "nobody logged in";
        }
        // the protocol's own share is one
        let mut unused = Duration::ZERO;
        while unused < IDLE {
            tokio::time::sleep(LOOK).await;
            unused = if sessions.strong_count() > 1 { Duration::ZERO } else { unused + LOOK };
        }
        "there is no session"
    };
    tokio::select! {
        ended = &mut served => {
            match ended {
                Ok(()) => {}
                // the protocol has a task of its own, and this is the only sign when it panics
                Err(russh::Error::Join(_)) => panicked(from),
                Err(error) => tracing::debug!("the SSH connection from {from} ended: {error}"),
            }
        }
        why = late => {
            tracing::info!("%SSH-4-TIMEOUT: {why} from {from}");
            let _gone = hold.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Tells of a connection that died.
pub(super) fn panicked(from: SocketAddr) {
    tracing::error!("%HUBWARD-3-SESSION: an SSH connection from {from} panicked; the others continue");
}

fn twice(stream: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let stream = stream.into_std()?;
    let hold = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, hold))
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.password(user, password).await
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let given = response.and_then(|mut answers| answers.next());
        match given {
            None => Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("Password: "), false)]),
            }),
            Some(given) => self.password(user, &String::from_utf8_lossy(&given)).await,
        }
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let config = &self.desk.views.parsed().config;
        Ok(if auth::key(config, user, offer.public_key) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let public: &PublicKey = key.public_key;
        let passed = auth::key(&self.desk.views.parsed().config, user, public);
        Ok(self.outcome(user, if passed { Ok(()) } else { Err(FAILED.to_string()) }))
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), Self::Error> {
        self.known.store(true, Ordering::Relaxed);
        self.place = None;
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        #[cfg(any(test, feature = "fault-injection"))]
        supervise::injection::point("connection");
        if self.channels.len() < CHANNELS {
            let id = channel.id();
            let (read, write) = channel.split();
            let inputs = sync_channel(INPUTS);
            tokio::spawn(forward(read, inputs.0.clone()));
            self.channels.insert(id, Opened { inputs, write, terminal: None });
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.channels.get_mut(&id) {
            Some(opened) => {
                opened.terminal = Some(window(columns, rows));
                session.channel_success(id)
            }
            None => session.channel_failure(id),
        }
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        match self.shell(id) {
            true => session.channel_success(id),
            false => refuse(id, session),
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    /// No SFTP, no NETCONF: the client is notified, and does not wait.
    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let begun = match line::command(command) {
            Ok(line) => self.command(id, line.to_string()),
            // no line is needed to say so
            Err(unfit) => self.begin(id, move |_inputs, output, _terminal| {
                let _gone = output.write_all(unfit.to_string().as_bytes());
            }),
        };
        match begun {
            true => session.channel_success(id),
            false => refuse(id, session),
        }
    }
}

/// No vty line is free, or the channel has its session already.
fn refuse(id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
    session.channel_failure(id)?;
    session.disconnect(Disconnect::TooManyConnections, "% All vty lines are in use", "")
}
