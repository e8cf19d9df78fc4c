//! TCP connections between namespaces: a server that sends back what it gets, and who reaches it.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::inject::inside;
use crate::net::Ns;
use crate::wait::secs;

/// How long a connection may take to open.
const OPENS: Duration = secs(3);
/// How long an answer may take: several retransmissions.
const ANSWERS: Duration = secs(8);
/// How often a thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// A server that sends back what it gets. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Echo {
    over: Arc<AtomicBool>,
    peers: Arc<Mutex<Vec<Ipv4Addr>>>,
    listener: Option<JoinHandle<()>>,
}

impl Echo {
    /// Listens on a port of all addresses of a namespace.
    pub fn start(ns: &Ns, port: u16) -> Result<Self> {
        let listener = inside(ns, || {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).with_context(|| format!("listen on port {port}"))
        })?;
        listener.set_nonblocking(true)?;
        let over = Arc::new(AtomicBool::new(false));
        let peers: Arc<Mutex<Vec<Ipv4Addr>>> = Arc::default();
        let (end, seen) = (Arc::clone(&over), Arc::clone(&peers));
        let listener = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, from)) => {
                        if let IpAddr::V4(from) = from.ip() {
                            seen.lock().unwrap_or_else(PoisonError::into_inner).push(from);
                        }
                        let end = Arc::clone(&end);
                        std::thread::spawn(move || send_back(stream, &end));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Ok(Self { over, peers, listener: Some(listener) })
    }

    /// The addresses from which it was reached, in their order.
    pub fn peers(&self) -> Vec<Ipv4Addr> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn send_back(mut stream: TcpStream, over: &AtomicBool) {
    // what was accepted from a listener that does not wait does not wait either
    let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(LOOK)));
    let mut bytes = [0; 4096];
    while ready.is_ok() && !over.load(Ordering::Relaxed) {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(length) => {
                if stream.write_all(bytes.get(..length).unwrap_or_default()).is_err() {
                    return;
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// An open connection to an [`Echo`].
#[derive(Debug)]
pub struct Talk {
    stream: TcpStream,
    what: String,
    said: u32,
}

impl Talk {
    /// Says something and hears it again.
    pub fn goes_on(&mut self, when: &str) -> Result<()> {
        self.said += 1;
        let said = format!("{} {}\n", self.what, self.said);
        let mut heard = vec![0; said.len()];
        self.stream
            .write_all(said.as_bytes())
            .and_then(|()| self.stream.read_exact(&mut heard))
            .with_context(|| format!("{when}: the connection {} does not go on", self.what))?;
        ensure!(heard == said.as_bytes(), "{when}: the connection {} carries something else", self.what);
        Ok(())
    }
}

/// Connects from a namespace, and hears an answer.
pub fn opens(ns: &Ns, to: Ipv4Addr, port: u16) -> Result<Talk> {
    let what = format!("from {} to {to}:{port}", ns.name());
    let stream = connect(ns, to, port).with_context(|| format!("connect {what}"))?;
    stream.set_read_timeout(Some(ANSWERS))?;
    stream.set_write_timeout(Some(ANSWERS))?;
    let mut talk = Talk { stream, what, said: 0 };
    talk.goes_on("just opened")?;
    Ok(talk)
}

/// Fails if a connection opens.
pub fn stays_shut(ns: &Ns, to: Ipv4Addr, port: u16) -> Result<()> {
    ensure!(connect(ns, to, port).is_err(), "a connection from {} to {to}:{port} opens", ns.name());
    Ok(())
}

fn connect(ns: &Ns, to: Ipv4Addr, port: u16) -> Result<TcpStream> {
    inside(ns, || TcpStream::connect_timeout(&SocketAddr::from((to, port)), OPENS).context("not opened"))
}
