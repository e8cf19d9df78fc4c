//! What was on the wire between the gateways: recorded by tcpdump, read by tshark.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::wait::secs;

/// ISAKMP exchange types, RFC 2408 section 3.1 and the IANA registry.
pub mod exchange {
    /// Main mode (identity protection).
    pub const MAIN: u8 = 2;
    /// Aggressive mode.
    pub const AGGRESSIVE: u8 = 4;
    /// Informational.
    pub const INFORMATIONAL: u8 = 5;
    /// Transaction: Xauth and mode-config.
    pub const TRANSACTION: u8 = 6;
    /// Quick mode.
    pub const QUICK: u8 = 32;
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Proc,
    file: PathBuf,
}

/// One frame, as tshark dissected its outer headers.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Frame number in the capture file.
    pub number: u32,
    /// Seconds since the first frame.
    pub time: f64,
    /// Outer source.
    pub source: Option<Ipv4Addr>,
    /// Outer destination.
    pub destination: Option<Ipv4Addr>,
    /// IP protocol of the outer header.
    pub protocol: u8,
    /// UDP ports, if UDP.
    pub ports: Option<(u16, u16)>,
    /// SPI, if the frame is ESP (bare or in UDP).
    pub spi: Option<String>,
    /// ISAKMP exchange type, if IKE.
    pub exchange: Option<u8>,
    /// ISAKMP initiator and responder cookies, if IKE.
    pub cookies: Option<(String, String)>,
    /// ISAKMP message id, if IKE.
    pub message_id: Option<String>,
}

impl Capture {
    /// Starts to record everything that passes `interface` of `ns`, and waits until tcpdump
    /// listens.
    pub fn start(lab: &Lab, ns: &Ns, interface: &str) -> Result<Self> {
        Self::named(lab, interface, ns, interface)
    }

    /// Like [`Capture::start`], with another name than that of the interface.
    pub fn named(lab: &Lab, name: &str, ns: &Ns, interface: &str) -> Result<Self> {
        let file = lab.dir().join(format!("{name}.pcap"));
        let mut command = ns.command("tcpdump");
        command
            .args(["-U", "--immediate-mode", "-n", "-i", interface, "-s", "0", "-Z", "root", "-w"])
            .arg(&file);
        let mut tcpdump = lab.spawn(&format!("tcpdump-{name}"), &command)?;
        tcpdump.wait_log("listening on", secs(10))?;
        Ok(Self { tcpdump, file })
    }

    /// The capture file.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Ends the recording and has tshark read it.
    pub fn finish(mut self) -> Result<Wire> {
        // frames of the last moment are still in the kernel's ring
        std::thread::sleep(std::time::Duration::from_millis(500));
        self.tcpdump.signal(Signal::INT)?;
        self.tcpdump.wait_exit(secs(5))?;
        self.read()
    }

    /// Fields of the frames so far that a display filter of tshark selects, as it prints them.
    pub fn fields<const N: usize>(&self, filter: &str, names: [&str; N]) -> Result<Vec<[String; N]>> {
        // frames of the last moment are still in the kernel's ring
        std::thread::sleep(std::time::Duration::from_millis(300));
        let mut command = Command::new("tshark");
        command.args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", "-Y", filter]);
        for name in names {
            command.args(["-e", name]);
        }
        let (_, out, err) = process::output(command.arg("-r").arg(&self.file), secs(60))?;
        if err.contains("was unexpected in this context") || err.contains("is neither a field") {
            bail!("tshark does not understand {filter:?}: {err}");
        }
        let cut = |line: &str| line.split('|').map(|f| f.trim().to_owned()).collect::<Vec<_>>();
        Ok(out.lines().filter_map(|line| cut(line).try_into().ok()).collect())
    }

    /// Reads what has been recorded so far, without ending the recording.
    pub fn read(&self) -> Result<Wire> {
        const FIELDS: [&str; 12] = [
            "frame.number",
            "frame.time_relative",
            "ip.src",
            "ip.dst",
            "ip.proto",
            "udp.srcport",
            "udp.dstport",
            "esp.spi",
            "isakmp.exchangetype",
            "isakmp.ispi",
            "isakmp.rspi",
            "isakmp.messageid",
        ];
        let mut command = Command::new("tshark");
        command.args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", "-r"]).arg(&self.file);
        for field in FIELDS {
            command.args(["-e", field]);
        }
        // a capture that is still being written ends in an incomplete frame; tshark then exits with
        // 2 after all complete ones
        let (_, out, err) = process::output(&mut command, secs(60))?;
        let frames: Vec<Frame> = out.lines().filter_map(frame).collect();
        if frames.is_empty() {
            bail!("tshark found no frame in {}: {err}", self.file.display());
        }
        Ok(Wire { frames })
    }
}

fn frame(line: &str) -> Option<Frame> {
    let mut field = line.split('|').map(str::trim);
    // an absent field is an empty one; the columns after it keep their place
    let mut next = || field.next().filter(|f| !f.is_empty());
    let number = next()?.parse().ok()?;
    let time = next()?.parse().ok()?;
    let source = next().and_then(|f| f.parse().ok());
    let destination = next().and_then(|f| f.parse().ok());
    let protocol = next().and_then(|f| f.parse().ok()).unwrap_or(0);
    let source_port = next().and_then(|f| f.parse().ok());
    let destination_port = next().and_then(|f| f.parse().ok());
    let spi = next().map(String::from);
    let exchange = next().and_then(|f| f.parse().ok());
    let initiator = next().map(String::from);
    let responder = next().map(String::from);
    let message_id = next().map(String::from);
    Some(Frame {
        number,
        time,
        source,
        destination,
        protocol,
        ports: source_port.zip(destination_port),
        spi,
        exchange,
        cookies: initiator.zip(responder),
        message_id,
    })
}

/// A capture that tshark has read.
#[derive(Debug, Clone)]
pub struct Wire {
    /// All frames in order.
    pub frames: Vec<Frame>,
}

/// IP protocol numbers of the outer header.
const ESP: u8 = 50;
const UDP: u8 = 17;

impl Wire {
    fn between(&self, a: Ipv4Addr, b: Ipv4Addr) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |f| {
            let ends = (f.source, f.destination);
            ends == (Some(a), Some(b)) || ends == (Some(b), Some(a))
        })
    }

    /// Bare ESP frames (IP protocol 50) from `a` to `b`.
    pub fn native_esp(&self, a: Ipv4Addr, b: Ipv4Addr) -> usize {
        self.between(a, b).filter(|f| f.source == Some(a) && f.protocol == ESP && f.spi.is_some()).count()
    }

    /// ESP frames in UDP port 4500 from `a` to `b`.
    pub fn udp_esp(&self, a: Ipv4Addr, b: Ipv4Addr) -> usize {
        self.between(a, b)
            .filter(|f| f.source == Some(a) && f.protocol == UDP && f.spi.is_some())
            .filter(|f| f.ports.is_some_and(|(s, d)| s == 4500 || d == 4500))
            .count()
    }

    /// Fails unless at least `n` ESP packets went each way between `a` and `b`, all of them bare
    /// (protocol 50).
    pub fn expect_native_esp(&self, a: Ipv4Addr, b: Ipv4Addr, n: usize) -> Result<()> {
        let (there, back) = (self.native_esp(a, b), self.native_esp(b, a));
        let udp = self.udp_esp(a, b) + self.udp_esp(b, a);
        if there < n || back < n || udp != 0 {
            bail!("{a} <-> {b}: {there}/{back} ESP of protocol 50 (want {n} each), {udp} in UDP (want none)");
        }
        Ok(())
    }

    /// Fails unless at least `n` ESP packets went each way between `a` and `b`, all of them in UDP
    /// port 4500.
    pub fn expect_udp_esp(&self, a: Ipv4Addr, b: Ipv4Addr, n: usize) -> Result<()> {
        let (there, back) = (self.udp_esp(a, b), self.udp_esp(b, a));
        let native = self.native_esp(a, b) + self.native_esp(b, a);
        if there < n || back < n || native != 0 {
            bail!(
                "{a} <-> {b}: {there}/{back} ESP in UDP 4500 (want {n} each), {native} of protocol 50 (want none)"
            );
        }
        Ok(())
    }

    /// Fails if a frame carries a private inner address in its outer header: traffic that should be
    /// in a tunnel.
    pub fn expect_no_cleartext(&self, private: &[(Ipv4Addr, u8)]) -> Result<()> {
        let inside = |a: Option<Ipv4Addr>| a.is_some_and(|a| private.iter().any(|net| contains(*net, a)));
        match self.frames.iter().find(|f| inside(f.source) || inside(f.destination)) {
            Some(f) => {
                bail!(
                    "frame {} is cleartext: {:?} -> {:?}, protocol {}",
                    f.number,
                    f.source,
                    f.destination,
                    f.protocol
                )
            }
            None => Ok(()),
        }
    }

    /// ISAKMP messages of one exchange type between two addresses, from `a` to `b` only.
    pub fn isakmp(&self, a: Ipv4Addr, b: Ipv4Addr, exchange: u8) -> Vec<&Frame> {
        self.between(a, b).filter(|f| f.source == Some(a) && f.exchange == Some(exchange)).collect()
    }

    /// Distinct ISAKMP SAs (by initiator cookie) seen between two addresses.
    pub fn isakmp_sas(&self, a: Ipv4Addr, b: Ipv4Addr) -> usize {
        let mut cookies: Vec<&str> =
            self.between(a, b).filter_map(|f| f.cookies.as_ref().map(|(i, _)| i.as_str())).collect();
        cookies.sort_unstable();
        cookies.dedup();
        cookies.len()
    }

    /// Distinct SPIs used from `a` to `b`, in order of first use.
    pub fn spis(&self, a: Ipv4Addr, b: Ipv4Addr) -> Vec<String> {
        let mut spis: Vec<String> = Vec::new();
        for spi in self.between(a, b).filter(|f| f.source == Some(a)).filter_map(|f| f.spi.clone()) {
            if !spis.contains(&spi) {
                spis.push(spi);
            }
        }
        spis
    }
}

fn contains((net, length): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
    u32::from(net) & mask == u32::from(address) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let lan = (Ipv4Addr::new(10, 2, 0, 0), 16);
        assert!(contains(lan, Ipv4Addr::new(10, 2, 255, 1)));
        assert!(!contains(lan, Ipv4Addr::new(10, 3, 0, 1)));
        assert!(contains((Ipv4Addr::UNSPECIFIED, 0), Ipv4Addr::new(1, 2, 3, 4)));
    }

    #[test]
    fn a_line_of_tshark_with_empty_fields() {
        let f = frame("7|1.25|10.48.67.181|10.100.2.102|50|||0x0a0b0c0d||||").unwrap();
        assert_eq!((f.number, f.protocol, f.spi.as_deref(), f.exchange), (7, 50, Some("0x0a0b0c0d"), None));
    }
}
