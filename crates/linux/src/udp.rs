//! UDP sockets of IKE and of ESP in UDP (RFC 3947, RFC 3948): the local address of each datagram is
//! known and chosen.

use crate::batch::{Outgoing, Received, RecvBatch, SendBatch};
use crate::error::{Context, Error, PortHolder};
use crate::socket::{Datagrams, SocketOptions, first, set_option};
use socket2::{Protocol, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;

/// A UDP socket, never blocking; its descriptor can be given to tokio's `AsyncFd` or to poll(2).
#[derive(Debug)]
pub struct UdpSocket {
    datagrams: Datagrams,
    local: SocketAddr,
}

impl UdpSocket {
    /// Binds to `local`; 0.0.0.0 takes every address. Port 0 lets the kernel choose.
    ///
    /// `SO_REUSEADDR` stays off: on Linux it would let two programs bind the same port and one of
    /// them starve. A port that is taken is [`Error::PortInUse`], which names the program that has
    /// it.
    pub fn bind(local: SocketAddr, options: &SocketOptions) -> Result<Self, Error> {
        let datagrams = Datagrams::open(local.ip(), Type::DGRAM, Protocol::UDP, options)?;
        if let Err(error) = datagrams.socket().bind(&local.into()) {
            if error.raw_os_error() == Some(libc::EADDRINUSE) {
                return Err(Error::PortInUse { local, holder: holder_of(local) });
            }
            return Err(error).context("bind UDP", local);
        }
        let bound = datagrams.socket().local_addr().context("read the address of UDP", local)?;
        Ok(Self { datagrams, local: bound.as_socket().unwrap_or(local) })
    }

    /// The address and port it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the kernel cuts datagrams for this socket ([`Outgoing::segment`], Linux 4.18).
    pub fn can_segment(&self) -> bool {
        // 0 is "no segmentation", which a kernel that knows the option takes
        set_option(self.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok()
    }

    /// Lets the kernel gather datagrams of one sender ([`Received::segment`], Linux 5.0). Batches
    /// must have room for 65 535 bytes then.
    pub fn gather(&self, on: bool) -> io::Result<()> {
        set_option(self.as_fd(), libc::SOL_UDP, libc::UDP_GRO, i32::from(on))
    }

    /// Receives what is there, up to the batch's size; `WouldBlock` when there is nothing.
    pub fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        self.datagrams.recv_batch(batch)
    }

    /// Receives into `batch` and gives its first datagram: make the batch with room for one.
    pub fn recv<'b>(&self, batch: &'b mut RecvBatch) -> io::Result<Received<'b>> {
        self.recv_batch(batch)?;
        first(batch)
    }

    /// Sends the first of `messages`, up to the batch's capacity, and returns how many the kernel
    /// accepted. An error concerns the first message (too long for its path with DF set, no route):
    /// skip it and continue with the next.
    pub fn send_batch<'a>(
        &self,
        batch: &mut SendBatch,
        messages: impl IntoIterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        self.datagrams.send_batch(batch, messages)
    }

    /// Sends one datagram, from the given address if there is one, with DF clear: for IKE, whose
    /// messages may be longer than the path's MTU.
    pub fn send_to(&self, data: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        let message =
            Outgoing { data, segment: None, to, from, interface: 0, tos: None, dont_fragment: false };
        match self.send_batch(&mut SendBatch::new(1), [message])? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.datagrams.socket().as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.datagrams.socket().as_raw_fd()
    }
}

/// The program that uses the port: its socket's inode is in the kernel's table, and the process has
/// a descriptor for that inode.
fn holder_of(local: SocketAddr) -> Option<PortHolder> {
    // /proc/net would be the namespace of the main thread, not of this one
    let inodes: Vec<String> = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| inodes_of_port(&table, local.port()))
        .collect();
    let mut processes: Vec<u32> = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    processes.sort_unstable();
    processes.into_iter().find_map(|pid| {
        let process = Path::new("/proc").join(pid.to_string());
        let holds = std::fs::read_dir(process.join("fd")).ok()?.filter_map(Result::ok).any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|target| {
                let target = target.to_string_lossy();
                let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
                inode.is_some_and(|inode| inodes.iter().any(|known| known == inode))
            })
        });
        let program = std::fs::read_to_string(process.join("comm")).ok()?.trim().to_owned();
        holds.then_some(PortHolder { program, pid })
    })
}

/// Inodes of the sockets with this local port, from a table in the form of /proc/net/udp.
fn inodes_of_port(table: &str, port: u16) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (_, local_port) = words.nth(1)?.rsplit_once(':')?;
            let inode = words.nth(7)?;
            (u16::from_str_radix(local_port, 16) == Ok(port)).then(|| inode.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_are_found_by_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            1137: 00000000:01F4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0\n\
            1138: 0100007F:1194 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0\n\
            cut";
        assert_eq!(inodes_of_port(table, 500), ["4711"]);
        assert_eq!(inodes_of_port(table, 4500), ["4712"]);
        assert!(inodes_of_port(table, 501).is_empty());
    }

    #[test]
    fn a_port_that_is_taken_names_this_process() {
        let options = SocketOptions::default();
        let first = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let error = UdpSocket::bind(first.local(), &options).unwrap_err();
        let Error::PortInUse { local, holder: Some(holder) } = &error else { panic!("{error}") };
        assert_eq!(*local, first.local());
        assert_eq!(holder.pid, std::process::id());
        let text = error.to_string();
        assert!(
            text.contains(&format!("UDP port {} on 127.0.0.1 is already in use by", first.local().port())),
            "{text}"
        );
        assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    }

    #[test]
    fn a_batch_keeps_order_addresses_and_tos() {
        let options = SocketOptions::default();
        let receiver = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &options).unwrap();
        let sender = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &options).unwrap();
        let to: SocketAddr = ([127, 0, 0, 9], receiver.local().port()).into();
        let from: IpAddr = [127, 0, 0, 5].into();
        let data: Vec<[u8; 1]> = (0..10).map(|number| [number]).collect();
        let messages = data.iter().enumerate().map(|(index, data)| Outgoing {
            data,
            segment: None,
            to,
            from: Some(from),
            interface: 0,
            tos: Some(0xb8),
            dont_fragment: index % 3 == 0,
        });
        assert_eq!(sender.send_batch(&mut SendBatch::new(16), messages).unwrap(), 10);
        let mut batch = RecvBatch::new(4, 64);
        let mut seen = Vec::new();
        while let Ok(count) = receiver.recv_batch(&mut batch) {
            assert!(count <= 4);
            for datagram in batch.datagrams() {
                assert_eq!(datagram.from, (from, sender.local().port()).into());
                assert_eq!(datagram.to, Some(to.ip()));
                assert_eq!(datagram.interface, 1);
                assert_eq!(datagram.tos, 0xb8);
                assert!(!datagram.truncated);
                seen.push(datagram.data[0]);
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<u8>>());
        assert_eq!(receiver.recv_batch(&mut batch).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(batch.is_empty());
    }

    #[test]
    fn a_long_datagram_is_marked_truncated_and_ipv6_works() {
        let options = SocketOptions::default();
        let socket = UdpSocket::bind("[::1]:0".parse().unwrap(), &options).unwrap();
        socket.send_to(&[7; 100], socket.local(), Some(socket.local().ip())).unwrap();
        let mut batch = RecvBatch::new(1, 60);
        let datagram = socket.recv(&mut batch).unwrap();
        assert!(datagram.truncated);
        assert_eq!(datagram.data.len(), 60);
        assert_eq!(datagram.to, Some(socket.local().ip()));
    }
}
