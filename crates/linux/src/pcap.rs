//! Captures: what passes an interface, in a file that Wireshark and tcpdump read (the classic pcap
//! format).

use crate::clock;
use crate::error::{Context, Error};
use crate::link;
use crate::netlink::Netlink;
use crate::packet_socket::{ETHERTYPE_ALL, Layer, PacketSocket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The first header of the packets of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IP header (TUN interfaces).
    RawIp,
}

/// Longer packets are cut to this.
const SNAP_LENGTH: u32 = 262_144;

/// Writes a pcap file.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    output: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header.
    pub fn new(mut output: W, link_type: LinkType) -> io::Result<Self> {
        let link_type: u32 = match link_type {
            LinkType::Ethernet => 1,
            LinkType::RawIp => 101,
        };
        // microseconds, version 2.4, UTC
        for field in [0xa1b2_c3d4, 0x0004_0002, 0, 0, SNAP_LENGTH, link_type] {
            output.write_all(&field.to_le_bytes())?;
        }
        Ok(Self { output })
    }

    /// Writes one packet, of which `packet` was kept and whose length was `full_length` bytes, with
    /// the time since 1970.
    pub fn write(&mut self, date: Duration, packet: &[u8], full_length: usize) -> io::Result<()> {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let seconds = u32::try_from(date.as_secs()).unwrap_or(u32::MAX);
        for field in [seconds, date.subsec_micros(), number(packet.len()), number(full_length)] {
            self.output.write_all(&field.to_le_bytes())?;
        }
        self.output.write_all(packet)
    }

    /// Writes what is still buffered and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// A running capture, on a thread of its own. Dropping it ends it; [`stop`](Self::stop) also
/// returns its result.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<u64>>>,
    name: String,
}

impl Capture {
    /// Begins to record an interface of the thread's network namespace. When this returns, the
    /// socket is open: nothing that is sent afterwards is missed.
    pub fn start(interface: &str, file: &Path) -> Result<Self, Error> {
        let link = link::by_name(&Netlink::open()?, interface)?;
        let socket = PacketSocket::open(link.index, Layer::Link, ETHERTYPE_ALL, &[])?;
        // as many packets as arrive between two turns of the thread; the system's limit applies
        // without CAP_NET_ADMIN
        let _ = crate::socket::set_option(
            std::os::fd::AsFd::as_fd(&socket),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            16 << 20,
        );
        let link_type = if link.mac.is_some() { LinkType::Ethernet } else { LinkType::RawIp };
        let output = File::create(file).context("create", file.display())?;
        let writer = PcapWriter::new(BufWriter::new(output), link_type).context("write", file.display())?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("pcap {interface}"))
            .spawn(move || record(&socket, writer, &flag))
            .context("start", "a capture thread")?;
        Ok(Self { stop, thread: Some(thread), name: file.display().to_string() })
    }

    /// Records what has arrived until now and closes the file; returns the number of packets.
    pub fn stop(mut self) -> Result<u64, Error> {
        self.end().context("write", &self.name)
    }

    fn end(&mut self) -> io::Result<u64> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the capture thread ended badly")),
            None => Ok(0),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn record(
    socket: &PacketSocket,
    mut writer: PcapWriter<BufWriter<File>>,
    stop: &AtomicBool,
) -> io::Result<u64> {
    const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let mut buffer = vec![0; SNAP_LENGTH as usize];
    let mut count = 0;
    loop {
        // read before the socket is emptied, so that the last packets are recorded
        let last = stop.load(Ordering::Acquire);
        loop {
            match socket.recv(&mut buffer) {
                Ok(packet) => {
                    let data = buffer.get(..packet.length).unwrap_or_default();
                    writer.write(clock::wall(), data, packet.full_length)?;
                    count += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // the interface was set down: it may come back
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if last {
            writer.finish()?;
            return Ok(count);
        }
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&TURN)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_the_format_says() {
        let mut writer = PcapWriter::new(Vec::new(), LinkType::RawIp).unwrap();
        writer.write(Duration::new(0x0102_0304, 5_006_000), &[0x45, 0, 0], 60).unwrap();
        let file = writer.finish().unwrap();
        let expected = [
            0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0,
            0, // header
            4, 3, 2, 1, 0x8e, 0x13, 0, 0, 3, 0, 0, 0, 60, 0, 0, 0, 0x45, 0, 0,
        ];
        assert_eq!(file, expected);
    }
}
