//! The control socket: mode 0600, and only for the gateway's own user and root.
//!
//! A connection carries one request line; the answer is the exit code on a line of its own, then the text.

use crate::exec::{Reply, Request};
use anyhow::Context as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// Bytes of a request line.
const LINE: u64 = 4096;
/// Time for a request line to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request on its way to the gateway.
pub(crate) struct Call {
    /// What is asked.
    pub(crate) request: Request,
    /// Where the answer goes.
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// Removes the socket when the gateway ends.
pub(crate) struct Listening {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens the socket and serves it until the handle is dropped.
pub(crate) fn listen(path: &Path, gateway: mpsc::Sender<Call>) -> anyhow::Result<Listening> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // a socket that nobody answers at is left over from a crash
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            anyhow::bail!("another gateway answers at {}", path.display());
        }
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot open the socket {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", path.display()))?;
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let gateway = gateway.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, gateway).await {
                            tracing::debug!("control socket: {error:#}");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!("control socket: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(Listening { path: path.to_owned(), task })
}

async fn serve(mut stream: UnixStream, gateway: mpsc::Sender<Call>) -> anyhow::Result<()> {
    let peer = stream.peer_cred().context("who is asking")?.uid();
    let own = rustix::process::geteuid().as_raw();
    if peer != 0 && peer != own {
        return send(&mut stream, &Reply::refused("% Only root and the gateway's own user may ask\n")).await;
    }
    let mut line = String::new();
    let (reader, _) = stream.split();
    let reading = async { BufReader::new(reader.take(LINE)).read_line(&mut line).await };
    tokio::time::timeout(PATIENCE, reading).await.context("no line came")??;
    let reply = match Request::parse(line.trim()) {
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            gateway.send(Call { request, reply }).await.context("the gateway has ended")?;
            answer.await.context("the gateway has ended")?
        }
        Err(text) => Reply::refused(text),
    };
    send(&mut stream, &reply).await
}

async fn send(stream: &mut UnixStream, reply: &Reply) -> anyhow::Result<()> {
    stream.write_all(format!("{}\n{}", reply.code, reply.text).as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}
