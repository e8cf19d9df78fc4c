//! `show crypto engine`: who does the packets, and every SA with its algorithms and counters.

use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::views::snapshot::{Pair, Snapshot};
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::esp::sa::Direction;
use hubward_proto::ike::snapshot::IsakmpView;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn brief(context: &Context, _: &Arguments) -> Output {
    shown(Brief(Arc::clone(&context.snapshot)))
}

/// A property of the crypto engine.
#[derive(Debug, Serialize)]
struct BriefRow {
    part: &'static str,
    state: String,
}

struct Brief(Arc<Snapshot>);

impl Layout for Brief {
    type Row = BriefRow;

    fn rows(&self) -> impl Iterator<Item = BriefRow> {
        let engine = [
            ("crypto engine name", "Hubward"),
            ("crypto engine type", "software"),
            ("crypto engine state", "installed"),
        ];
        let engine = engine.map(|(part, state)| BriefRow { part, state: state.to_owned() });
        let offloads = self.0.offloads.map(|(part, state)| BriefRow { part, state: state.to_string() });
        let plane = &self.0.plane;
        let plane = [
            BriefRow { part: "data plane", state: plane.name.to_string() },
            BriefRow { part: "data plane because", state: plane.why.clone() },
        ];
        let implementations = self.0.implementations;
        let implementations = implementations.map(|(part, state)| BriefRow { part, state: state.to_owned() });
        engine.into_iter().chain(plane).chain(offloads).chain(implementations)
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for BriefRow { part, state } in self.rows() {
            writeln!(out, "{part:>26}:  {state}")?;
        }
        Ok(())
    }
}

pub(super) fn active(context: &Context, _: &Arguments) -> Output {
    shown(Connections(Arc::clone(&context.snapshot)))
}

pub(super) fn dropped(context: &Context, _: &Arguments) -> Output {
    shown(Dropped(Arc::clone(&context.snapshot)))
}

/// Packets that were dropped before any SA could count them.
#[derive(Debug, Serialize)]
struct DroppedRow {
    reason: &'static str,
    packets: u64,
}

struct Dropped(Arc<Snapshot>);

impl Layout for Dropped {
    type Row = DroppedRow;

    fn rows(&self) -> impl Iterator<Item = DroppedRow> {
        let drops = &self.0.drops;
        let rows = [
            ("no SA for a packet to send", drops.no_sa),
            ("unknown SPI received", drops.unknown_spi),
            ("not an IPv4 packet", drops.malformed),
            ("too long for the path", drops.too_big),
            ("not taken by the kernel", drops.send),
        ];
        // rare, and no router has it: shown once it has happened
        let short = (drops.short > 0).then_some(("too short for ESP", drops.short));
        rows.into_iter().chain(short).map(|(reason, packets)| DroppedRow { reason, packets })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Drop Count  Reason")?;
        for row in self.rows() {
            writeln!(out, "{:>10}  {}", row.packets, row.reason)?;
        }
        Ok(())
    }
}

/// An ISAKMP SA, or one SA of a child SA.
#[derive(Debug, Serialize)]
struct ConnectionRow {
    id: u64,
    /// `IKE`, `IPsec`
    kind: &'static str,
    /// `3DES+SHA`
    algorithm: String,
    encrypted: u64,
    decrypted: u64,
    /// The last sequence number, outbound used and inbound verified.
    last_sequence: u32,
    address: IpAddr,
    interface: String,
}

fn ike_algorithm(sa: &IsakmpView) -> String {
    let hash = match sa.hash {
        Some(HashAlg::Md5) => "MD5",
        Some(HashAlg::Sha1) => "SHA",
        Some(HashAlg::Sha256) => "SHA256",
        Some(HashAlg::Sha384) => "SHA384",
        Some(HashAlg::Sha512) => "SHA512",
        None => return String::new(),
    };
    let cipher = match sa.cipher {
        Some(IkeCipher::Des) => "DES",
        Some(IkeCipher::TripleDes) => "3DES",
        Some(IkeCipher::Aes128) => "AES",
        Some(IkeCipher::Aes192) => "AES192",
        Some(IkeCipher::Aes256) => "AES256",
        None => return String::new(),
    };
    format!("{hash}+{cipher}")
}

fn esp_algorithm(suite: EspSuite) -> String {
    let cipher = match suite.cipher() {
        EspCipher::Des => "DES",
        EspCipher::TripleDes => "3DES",
        EspCipher::Aes128 => "AES",
        EspCipher::Aes192 => "AES192",
        EspCipher::Aes256 => "AES256",
        EspCipher::AesGcm128 => "AES-GCM",
        EspCipher::AesGcm256 => "AES-GCM256",
    };
    let auth = match suite.auth() {
        Some(EspAuth::Md5) => "+MD5",
        Some(EspAuth::Sha1) => "+SHA",
        Some(EspAuth::Sha256) => "+SHA256",
        Some(EspAuth::Sha384) => "+SHA384",
        Some(EspAuth::Sha512) => "+SHA512",
        None => "",
    };
    format!("{cipher}{auth}")
}

struct Connections(Arc<Snapshot>);

impl Connections {
    fn half(&self, pair: &Pair, direction: Direction) -> Option<ConnectionRow> {
        let (carried, second) = match direction {
            Direction::Inbound => (pair.inbound?, 0),
            Direction::Outbound => (pair.outbound?, 1),
        };
        let outbound = direction == Direction::Outbound;
        Some(ConnectionRow {
            // as `show crypto ipsec sa` numbers them
            id: 1998 + 2 * pair.view.sa.id.0 + second,
            kind: "IPsec",
            algorithm: esp_algorithm(pair.view.sa.suite),
            encrypted: if outbound { carried.packets } else { 0 },
            decrypted: if outbound { 0 } else { carried.packets },
            last_sequence: carried.last_sequence,
            address: pair.view.path.local,
            interface: self.0.interface_name(&pair.view.path).to_string(),
        })
    }
}

impl Layout for Connections {
    type Row = ConnectionRow;

    fn rows(&self) -> impl Iterator<Item = ConnectionRow> {
        let snapshot = &self.0;
        let agreed = snapshot.isakmp.iter().filter(|sa| sa.cipher.is_some());
        let isakmp = agreed.map(|sa| ConnectionRow {
            id: sa.conn_id.0.into(),
            kind: "IKE",
            algorithm: ike_algorithm(sa),
            encrypted: 0,
            decrypted: 0,
            last_sequence: 0,
            address: sa.path.local,
            interface: snapshot.interface_name(&sa.path).to_string(),
        });
        let pairs = snapshot.flows.iter().flat_map(|flow| &flow.pairs);
        isakmp.chain(pairs.flat_map(|pair| {
            [Direction::Inbound, Direction::Outbound]
                .into_iter()
                .filter_map(|direction| self.half(pair, direction))
        }))
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Classic => {
                writeln!(
                    out,
                    "\n  ID Interface            IP-Address      State  Algorithm           Encrypt  Decrypt"
                )?;
                for row in self.rows() {
                    writeln!(
                        out,
                        "{:>4} {:<20} {:<15} {:<6} {:<18} {:>8} {:>8}",
                        row.id,
                        row.interface,
                        row.address.to_string(),
                        "set",
                        row.algorithm,
                        row.encrypted,
                        row.decrypted
                    )?;
                }
            }
            Format::Modern => {
                writeln!(out, "Crypto Engine Connections\n")?;
                writeln!(out, "   ID  Type    Algorithm           Encrypt  Decrypt LastSeqN IP-Address")?;
                for row in self.rows() {
                    writeln!(
                        out,
                        "{:>5}  {:<7} {:<18} {:>8} {:>8} {:>8} {}",
                        row.id,
                        row.kind,
                        row.algorithm,
                        row.encrypted,
                        row.decrypted,
                        row.last_sequence,
                        row.address
                    )?;
                }
            }
        }
        writeln!(out)
    }
}
