//! `show crypto isakmp sa [detail]` and `show crypto isakmp peers`.

use crate::base::date::clock_time;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, left};
use crate::views::snapshot::Snapshot;
use hubward_crypto::suite::{HashAlg, IkeCipher};
use hubward_proto::ike::snapshot::IsakmpView;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) fn sa(context: &Context, arguments: &Arguments) -> Output {
    let sas = Sas(Arc::clone(&context.snapshot));
    if arguments.has("detail") { shown(Detail(sas)) } else { shown(Brief(sas)) }
}

pub(super) fn peers(context: &Context, _: &Arguments) -> Output {
    shown(Peers(Arc::clone(&context.snapshot)))
}

/// One ISAKMP SA.
#[derive(Debug, Serialize)]
struct SaRow {
    conn_id: u32,
    local: IpAddr,
    local_port: u16,
    remote: IpAddr,
    remote_port: u16,
    /// Whether this end began it.
    initiator: bool,
    /// `QM_IDLE`
    state: &'static str,
    /// `ACTIVE`, `ACTIVE (deleted)`
    status: &'static str,
    /// `3des`, `aes`; empty before it is agreed, as what follows.
    encryption: &'static str,
    key_bits: Option<u16>,
    hash: &'static str,
    authentication: &'static str,
    dh_group: Option<u16>,
    /// Seconds that are left.
    lifetime: u64,
    /// Letters: C mode-config, D dead peer detection, N NAT, X Xauth.
    capabilities: String,
    identity: Option<String>,
    profile: Option<String>,
    group: Option<String>,
    user: Option<String>,
    assigned_address: Option<IpAddr>,
}

pub(super) fn cipher(cipher: IkeCipher) -> (&'static str, Option<u16>) {
    match cipher {
        IkeCipher::Des => ("des", None),
        IkeCipher::TripleDes => ("3des", None),
        IkeCipher::Aes128 => ("aes", Some(128)),
        IkeCipher::Aes192 => ("aes", Some(192)),
        IkeCipher::Aes256 => ("aes", Some(256)),
    }
}

pub(super) fn hash(hash: HashAlg) -> &'static str {
    match hash {
        HashAlg::Md5 => "md5",
        HashAlg::Sha1 => "sha",
        HashAlg::Sha256 => "sha256",
        HashAlg::Sha384 => "sha384",
        HashAlg::Sha512 => "sha512",
    }
}

/// The letters of the Cap. column.
pub(super) fn capabilities(sa: &IsakmpView) -> String {
    let letters = [(sa.mode_config, 'C'), (sa.dpd, 'D'), (sa.nat, 'N'), (sa.xauth, 'X')];
    letters.into_iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect()
}

impl SaRow {
    fn new(sa: &IsakmpView, snapshot: &Snapshot) -> Self {
        let (encryption, key_bits) = sa.cipher.map_or(("", None), cipher);
        let text = |untrusted: &hubward_proto::names::Untrusted| untrusted.to_string();
        Self {
            conn_id: sa.conn_id.0,
            local: sa.path.local,
            local_port: sa.path.local_port,
            remote: sa.path.remote,
            remote_port: sa.path.remote_port,
            initiator: sa.initiator,
            state: sa.state.ios_name(),
            status: if sa.deleted { "ACTIVE (deleted)" } else { "ACTIVE" },
            encryption,
            key_bits,
            hash: sa.hash.map_or("", hash),
            authentication: if sa.cipher.is_some() { "psk" } else { "" },
            dh_group: sa.group.map(|group| group.number()),
            lifetime: left(sa.expires, snapshot.now),
            capabilities: capabilities(sa),
            identity: sa.identity.as_ref().map(text),
            profile: sa.profile.clone(),
            group: sa.group_name.clone(),
            user: sa.user.as_ref().map(text),
            assigned_address: sa.assigned,
        }
    }

    /// Responder and initiator.
    fn destination_and_source(&self) -> (String, String) {
        let (local, remote) = (self.local.to_string(), self.remote.to_string());
        if self.initiator { (remote, local) } else { (local, remote) }
    }

    /// IOS 12.3 counts from 1.
    fn small_id(&self) -> u32 {
        self.conn_id.saturating_sub(1000)
    }
}

struct Sas(Arc<Snapshot>);

impl Sas {
    fn rows(&self) -> impl Iterator<Item = SaRow> {
        self.0.isakmp.iter().map(|sa| SaRow::new(sa, &self.0))
    }
}

struct Brief(Sas);

impl Layout for Brief {
    type Row = SaRow;

    fn rows(&self) -> impl Iterator<Item = SaRow> {
        self.0.rows()
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Classic => {
                writeln!(out, "dst             src             state           conn-id    slot")?;
                for row in self.rows() {
                    let (destination, source) = row.destination_and_source();
                    writeln!(
                        out,
                        "{destination:<15} {source:<15} {:<15} {:>7} {:>7}",
                        row.state,
                        row.small_id(),
                        0
                    )?;
                }
                Ok(())
            }
            Format::Modern => {
                writeln!(out, "IPv4 Crypto ISAKMP SA")?;
                writeln!(out, "dst             src             state          conn-id status")?;
                for row in self.rows() {
                    let (destination, source) = row.destination_and_source();
                    writeln!(
                        out,
                        "{destination:<15} {source:<15} {:<13} {:>8} {}",
                        row.state, row.conn_id, row.status
                    )?;
                }
                writeln!(out, "\nIPv6 Crypto ISAKMP SA\n")
            }
        }
    }
}

struct Detail(Sas);

impl Layout for Detail {
    type Row = SaRow;

    fn rows(&self) -> impl Iterator<Item = SaRow> {
        self.0.rows()
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Codes: C - IKE configuration mode, D - Dead Peer Detection")?;
        writeln!(out, "       K - Keepalives, N - NAT-traversal")?;
        match format {
            Format::Classic => writeln!(out, "       X - IKE Extended Authentication")?,
            Format::Modern => {
                writeln!(out, "       T - cTCP encapsulation, X - IKE Extended Authentication")?
            }
        }
        writeln!(out, "       psk - Preshared key, rsig - RSA signature")?;
        writeln!(out, "       renc - RSA encryption")?;
        match format {
            Format::Classic => self.classic(out),
            Format::Modern => self.modern(out),
        }
    }
}

impl Detail {
    fn classic(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nC-id  Local           Remote          I-VRF    Encr Hash Auth DH Lifetime Cap.")?;
        for row in self.0.rows() {
            writeln!(
                out,
                "{:<5} {:<15} {:<15} {:<8} {:<4} {:<4} {:<4} {:<2} {:>8} {:<4}",
                row.small_id(),
                row.local.to_string(),
                row.remote.to_string(),
                "",
                row.encryption,
                row.hash,
                // IOS 12.3 has no word for a pre-shared key followed by Xauth
                if row.capabilities.contains('X') { "" } else { row.authentication },
                row.dh_group.unwrap_or(0),
                clock_time(row.lifetime),
                row.capabilities
            )?;
        }
        Ok(())
    }

    fn modern(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "IPv4 Crypto ISAKMP SA\n")?;
        writeln!(
            out,
            "C-id  Local           Remote          I-VRF  Status Encr Hash   Auth DH Lifetime Cap."
        )?;
        for row in self.0.rows() {
            writeln!(
                out,
                "\n{:<5} {:<15} {:<15} {:<6} {:<6} {:<4} {:<6} {:<4} {:<2} {:>8} {:<4}",
                row.conn_id,
                row.local.to_string(),
                row.remote.to_string(),
                "",
                "ACTIVE",
                row.encryption,
                row.hash,
                row.authentication,
                row.dh_group.unwrap_or(0),
                clock_time(row.lifetime),
                row.capabilities
            )?;
            writeln!(out, "       Engine-id:Conn-id =  SW:{}", row.small_id())?;
        }
        writeln!(out, "\nIPv6 Crypto ISAKMP SA\n")
    }
}

/// One peer that is authenticated.
#[derive(Debug, Serialize)]
struct PeerRow {
    remote: IpAddr,
    remote_port: u16,
    local: IpAddr,
    identity: Option<String>,
    profile: Option<String>,
    group: Option<String>,
    user: Option<String>,
}

struct Peers(Arc<Snapshot>);

impl Layout for Peers {
    type Row = PeerRow;

    fn rows(&self) -> impl Iterator<Item = PeerRow> {
        let mut seen = BTreeSet::new();
        // the newest SA of a peer speaks for it
        let mut newest: Vec<_> =
            self.0.isakmp.iter().rev().filter(|sa| sa.peer.is_some_and(|peer| seen.insert(peer))).collect();
        newest.reverse();
        newest.into_iter().map(|sa| {
            let row = SaRow::new(sa, &self.0);
            PeerRow {
                remote: row.remote,
                remote_port: row.remote_port,
                local: row.local,
                identity: row.identity,
                profile: row.profile,
                group: row.group,
                user: row.user,
            }
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            writeln!(out, "Peer: {} Port: {} Local: {}", row.remote, row.remote_port, row.local)?;
            writeln!(out, " Phase1 id: {}", row.identity.as_deref().unwrap_or("none"))?;
        }
        Ok(())
    }
}
