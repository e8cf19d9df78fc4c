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
}

impl Default for LogSettings {
    /// What IOS 15 does without a line.
    fn default() -> Self {
        let stamp = Stamp::Datetime { milliseconds: true, zone: false, year: false };
        Self {
            buffered: Some(7),
            size: None,
            console: Some(7),
            monitor: Some(7),
            trap: Some(6),
            hosts: Vec::new(),
            debug_stamp: stamp,
            log_stamp: stamp,
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
        /// `show-timezone`
        zone: bool,
        /// `year`
        year: bool,
    },
}
