//! `logging` and `service timestamps`: where lines of the log go, and how they are stamped.

use std::net::IpAddr;

/// `logging`, `service timestamps`. Levels are severities, 0 (emergencies) to 7 (debugging); `None`
/// is nothing at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `logging buffered`.
    pub buffered: Option<u8>,
    /// Bytes of the buffer, where they are given.
    pub size: Option<u32>,
    /// `logging console`: debugging on standard error.
    pub console: Option<u8>,
    /// `logging monitor`.
    pub monitor: Option<u8>,
    /// `logging trap`.
    pub trap: Option<u8>,
    /// `logging host`.
    pub hosts: Vec<LogHost>,
    /// `service timestamps debug`.
    pub debug_stamp: Stamp,
    /// `service timestamps log`.
    pub log_stamp: Stamp,
    /// `service sequence-numbers`.
    pub sequence_numbers: bool,
    /// `logging facility`, as syslog numbers them.
    pub facility: u8,
    /// `logging origin-id`.
    pub origin: Origin,
    /// `logging source-interface`.
    pub source: Option<String>,
    /// `logging rate-limit`.
    pub rate: Option<RateLimit>,
}

impl LogSettings {
    /// Facility local7.
    pub const FACILITY: u8 = 23;
}

impl Default for LogSettings {
    /// What IOS 15 does without a line.
    fn default() -> Self {
        let stamp = Stamp::Datetime { milliseconds: true, local: false, zone: false, year: false };
        Self {
            buffered: Some(7),
            size: None,
            console: Some(7),
            monitor: Some(7),
            trap: Some(6),
            hosts: Vec::new(),
            debug_stamp: stamp,
            log_stamp: stamp,
            sequence_numbers: false,
            facility: Self::FACILITY,
            origin: Origin::None,
            source: None,
            rate: None,
        }
    }
}

/// A syslog server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHost {
    /// Its address.
    pub address: IpAddr,
    /// Its UDP port.
    pub port: u16,
}

/// `logging origin-id`: what a syslog server is told of where a message comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing.
    #[default]
    None,
    /// `hostname`
    Hostname,
    /// `ip`: the address that the message is sent from.
    Address,
    /// `string TEXT`
    Text(String),
}

/// `logging rate-limit`: how many lines are logged in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `console`: only there.
    pub console: bool,
    /// `all`: debugging as well.
    pub debug: bool,
    /// Lines in a second.
    pub number: u16,
    /// `except`: lines of this severity and more severe ones are always logged.
    pub except: Option<u8>,
}

/// The time stamp of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// None.
    None,
    /// Since the start.
    Uptime,
    /// Date and time.
    Datetime {
        /// `msec`
        milliseconds: bool,
        /// `localtime`: the router's own time instead of UTC.
        local: bool,
        /// `show-timezone`
        zone: bool,
        /// `year`
        year: bool,
    },
}
