//! SSH: the router's vty lines. Each session is a thread that runs the shell of `shell::serve`; the
//! protocol itself is russh's, on one thread of its own.
//!
//! It listens only while a `line vty` has `transport input ssh` and a user could log in: one with
//! an explicit `privilege`, or with a public key. An Xauth user alone is not enough.

mod auth;
mod connection;
mod host_key;
mod limits;
#[cfg(test)]
mod tests;

use auth::opens;

use crate::manage::desk::Desk;
use crate::supervise::{Heart, Supervisor};
use connection::Connection;
use limits::Admission;
use russh::keys::Algorithm;
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};

/// Where the server listens by default.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2222);
/// How often it looks whether the configuration still wants it.
const LOOK: Duration = Duration::from_secs(1);
/// How long every refused attempt takes.
const REFUSAL: Duration = Duration::from_secs(1);
/// Refusals of any kind before a client is disconnected: its query for methods, the keys that its
/// agent tries, and passwords, of which `ip ssh authentication-retries` allows fewer.
const ATTEMPTS: usize = 10;
/// Bytes that a client may send before it is heard; a shell's input is small.
const WINDOW: u32 = 64 * 1024;
/// Bytes of a packet (RFC 4253 section 6.1 asks for 32768 at least).
const PACKET: u32 = 32 * 1024;

/// The orders to the server.
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    /// The folder of the host key.
    pub(crate) state: PathBuf,
}

/// Starts the server's thread. It listens as soon as the configuration opens a line, and stops when
/// it no longer does; sessions continue.
///
/// # Errors
/// The host key cannot be made or read.
pub(crate) fn start(supervisor: &Arc<Supervisor>, settings: Settings, desk: Desk) -> anyhow::Result<()> {
    let key = host_key::load(&settings.state)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    supervisor.spawn("ssh", move |heart: &Heart| {
        let admission = Arc::new(Admission::default());
        let serving = async {
            loop {
                if opens(&desk.views.parsed().config) {
                    listen(&settings, &key, &desk, &admission).await;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                () = serving => {}
                () = heart.beating() => {}
            }
        });
    })?;
    Ok(())
}

/// Listens while the configuration wants it.
async fn listen(settings: &Settings, key: &russh::keys::PrivateKey, desk: &Desk, admission: &Arc<Admission>) {
    let listener = match TcpListener::bind(settings.address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("SSH cannot listen at {}: {error}", settings.address);
            tokio::time::sleep(LOOK * 10).await;
            return;
        }
    };
    let print = key.fingerprint(russh::keys::HashAlg::Sha256);
    tracing::info!("SSH listens at {}, host key {print}", settings.address);
    while opens(&desk.views.parsed().config) {
        match tokio::time::timeout(LOOK, listener.accept()).await {
            Ok(Ok((stream, from))) => accept(stream, from, key, desk, admission),
            // a descriptor too many: the next one may find a place again
            Ok(Err(error)) => {
                tracing::warn!("an SSH connection could not be accepted: {error}");
                tokio::time::sleep(REFUSAL).await;
            }
            Err(_) => {}
        }
    }
    tracing::info!("SSH no longer listens");
}

/// What is offered. Nothing of classic Diffie-Hellman, whose large groups would let strangers keep
/// this thread busy, nothing with SHA-1 or CBC, and no compression.
fn algorithms() -> Preferred {
    let kex = [
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::ECDH_SHA2_NISTP256,
        kex::ECDH_SHA2_NISTP384,
        kex::ECDH_SHA2_NISTP521,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ];
    let ciphers = [
        cipher::CHACHA20_POLY1305,
        cipher::AES_256_GCM,
        cipher::AES_128_GCM,
        cipher::AES_256_CTR,
        cipher::AES_192_CTR,
        cipher::AES_128_CTR,
    ];
    let macs = [mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM, mac::HMAC_SHA512, mac::HMAC_SHA256];
    let keys = Preferred::default().key;
    let keys: Vec<_> = keys.iter().filter(|key| **key != Algorithm::Rsa { hash: None }).cloned().collect();
    Preferred {
        key: keys.into(),
        kex: kex.to_vec().into(),
        cipher: ciphers.to_vec().into(),
        mac: macs.to_vec().into(),
        compression: vec![compression::NONE].into(),
        ..Preferred::default()
    }
}

/// The limits of every connection.
fn protocol(key: &russh::keys::PrivateKey) -> Config {
    Config {
        server_id: SshId::Standard("SSH-2.0-Hubward".into()),
        methods: MethodSet::from(
            &[MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive][..],
        ),
        auth_rejection_time: REFUSAL,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key.clone()],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: 8,
        max_auth_attempts: ATTEMPTS,
        preferred: algorithms(),
        // before it is known who comes; `exec-timeout` ends a session
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        nodelay: true,
        ..Config::default()
    }
}

/// A connection as [`run`] serves it, from a stream that is not a socket: for a fuzz target.
pub(crate) async fn speak(stream: DuplexStream, key: &russh::keys::PrivateKey, desk: &Desk) {
    let from = SocketAddr::from(([127, 0, 0, 1], 1));
    let Some(place) = Arc::<Admission>::default().admit(from.ip()) else { return };
    let connection = Connection::new(from, desk.clone(), place, 3);
    if let Ok(session) = russh::server::run_stream(Arc::new(protocol(key)), stream, connection).await {
        let _ended = session.await;
    }
}

fn accept(
    stream: TcpStream,
    from: SocketAddr,
    key: &russh::keys::PrivateKey,
    desk: &Desk,
    admission: &Arc<Admission>,
) {
    let parsed = desk.views.parsed();
    // a client that is not permitted gets no byte: the access class is checked before the first one
    if !auth::lines_for(&parsed.config, from.ip()).any(|line| !desk.views.lines.is_taken(line)) {
        tracing::info!("%SSH-4-REFUSED: a connection from {from} finds no vty line");
        return;
    }
    let Some(place) = admission.admit(from.ip()) else {
        tracing::info!("%SSH-4-REFUSED: a connection from {from}: too many, or too often");
        return;
    };
    let ssh = &parsed.config.ssh;
    let retries = ssh.retries.unwrap_or(3).max(1);
    let config = protocol(key);
    let grace = Duration::from_secs(u64::from(ssh.time_out.unwrap_or(120)));
    let connection = Connection::new(from, desk.clone(), place, retries);
    let running = tokio::spawn(connection::run(stream, connection, Arc::new(config), grace));
    tokio::spawn(async move {
        if running.await.is_err_and(|error| error.is_panic()) {
            connection::panicked(from);
        }
    });
}
