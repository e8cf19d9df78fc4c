//! `show version`, `users`, `logging`, `clock`, `privilege` and `debugging`.

use crate::base::console_lines::{LineName, UserLine};
use crate::base::date::{Date, age_in_words, clock_time, unset_mark};
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::log::line::{Body, LogLine, Stamps};
use crate::views::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

pub(super) fn version(context: &Context, _: &Arguments) -> Output {
    shown(Version(Arc::clone(&context.snapshot)))
}

pub(super) fn clock(context: &Context, _: &Arguments) -> Output {
    shown(Clock(Arc::clone(&context.snapshot)))
}

pub(super) fn privilege(context: &Context, _: &Arguments) -> Output {
    shown(Privilege(context.caller.privilege))
}

pub(super) fn users(context: &Context, _: &Arguments) -> Output {
    shown(Users { snapshot: Arc::clone(&context.snapshot), own: context.caller.line })
}

pub(super) fn logging(context: &Context, _: &Arguments) -> Output {
    shown(Logging(Arc::clone(&context.snapshot)))
}

/// This program and this machine.
#[derive(Debug, Serialize)]
struct VersionRow {
    hostname: String,
    software: &'static str,
    version: &'static str,
    /// Seconds since the gateway started.
    uptime: u64,
    /// When it started.
    started: String,
    image: String,
    kernel: String,
    machine: String,
    /// How many interfaces of each kind the configuration has.
    interfaces: BTreeMap<String, usize>,
    /// Tunnels and groups that the start left out.
    without: Vec<String>,
    /// Lines that are not enforced, as allowed at startup.
    allowed: Vec<String>,
}

struct Version(Arc<Snapshot>);

impl Layout for Version {
    type Row = VersionRow;

    fn rows(&self) -> impl Iterator<Item = VersionRow> {
        let snapshot = &self.0;
        let system = rustix::system::uname();
        let uptime = snapshot.now.since(snapshot.started);
        let mut interfaces = BTreeMap::new();
        for view in &snapshot.interfaces {
            let kind = view.name.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).to_string();
            *interfaces.entry(kind).or_insert(0) += 1;
        }
        let row = VersionRow {
            hostname: snapshot.hostname().to_string(),
            software: "Hubward",
            version: env!("CARGO_PKG_VERSION"),
            uptime: uptime.as_secs(),
            started: Date::new(snapshot.wall.saturating_sub(uptime)).moment(),
            image: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
            kernel: system.release().to_string_lossy().into_owned(),
            machine: system.machine().to_string_lossy().into_owned(),
            interfaces,
            without: snapshot.parsed.config.chosen.without.clone(),
            allowed: snapshot.parsed.config.chosen.allowed.clone(),
        };
        std::iter::once(row)
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            writeln!(out, "{} Software, Version {}, an IPsec gateway for Linux", row.software, row.version)?;
            writeln!(out, "Linux {} on {}\n", row.kernel, row.machine)?;
            writeln!(out, "{} uptime is {}", row.hostname, age_in_words(row.uptime))?;
            writeln!(out, "System started at {}", row.started)?;
            writeln!(out, "System image file is \"{}\"\n", row.image)?;
            for (kind, count) in &row.interfaces {
                writeln!(out, "{count} {kind} interface{}", if *count == 1 { "" } else { "s" })?;
            }
            for name in &row.without {
                writeln!(out, "Left out, and its networks unreachable: {name}")?;
            }
            for line in &row.allowed {
                writeln!(out, "Not held here, as allowed: {line}")?;
            }
        }
        Ok(())
    }
}

struct Clock(Arc<Snapshot>);

/// What time it is.
#[derive(Debug, Serialize)]
struct ClockRow {
    /// ISO 8601.
    time: String,
}

impl Layout for Clock {
    type Row = ClockRow;

    fn rows(&self) -> impl Iterator<Item = ClockRow> {
        std::iter::once(ClockRow { time: Date::new(self.0.wall).iso() })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let date = Date::local(self.0.wall, &self.0.parsed.config.clock);
        writeln!(out, "{}{}", unset_mark(self.0.wall), date.clock())
    }
}

struct Privilege(u8);

/// What the caller may do.
#[derive(Debug, Serialize)]
struct PrivilegeRow {
    level: u8,
}

impl Layout for Privilege {
    type Row = PrivilegeRow;

    fn rows(&self) -> impl Iterator<Item = PrivilegeRow> {
        std::iter::once(PrivilegeRow { level: self.0 })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Current privilege level is {}", self.0)
    }
}

/// A user at a line.
#[derive(Debug, Serialize)]
struct UserRow {
    /// `con 0`, `vty 3`
    line: String,
    user: String,
    /// Seconds since the user typed.
    idle: u64,
    location: String,
    /// Whether it is the line that asks.
    own: bool,
}

struct Users {
    snapshot: Arc<Snapshot>,
    own: Option<LineName>,
}

/// IOS counts lines on: the console, the auxiliary port, then the vty lines.
fn number(line: LineName) -> u16 {
    match line {
        LineName::Console(_) => 0,
        LineName::Vty(number) => number.saturating_add(2),
    }
}

fn name(line: LineName) -> String {
    match line {
        // IOS has one console; here it may be open several times
        LineName::Console(_) => "con 0".into(),
        LineName::Vty(number) => format!("vty {number}"),
    }
}

impl Users {
    fn row(&self, user: &UserLine) -> UserRow {
        UserRow {
            line: name(user.line),
            user: user.user.clone(),
            idle: self.snapshot.now.since(user.typed).as_secs(),
            location: user.location.clone(),
            own: self.own == Some(user.line),
        }
    }
}

impl Layout for Users {
    type Row = UserRow;

    fn rows(&self) -> impl Iterator<Item = UserRow> {
        self.snapshot.users.iter().map(|user| self.row(user))
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "    Line       User       Host(s)              Idle       Location")?;
        for (user, row) in self.snapshot.users.iter().zip(self.rows()) {
            let line = format!(
                "{}{:>3} {:<10} {:<10} {:<20} {} {}",
                if row.own { '*' } else { ' ' },
                number(user.line),
                row.line,
                row.user,
                "idle",
                clock_time(row.idle),
                row.location
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out, "\n  Interface    User               Mode         Idle     Peer Address\n")
    }
}

/// A line of the log.
#[derive(Debug, Serialize)]
struct LogRow {
    /// ISO 8601.
    time: String,
    /// None for debugging.
    facility: Option<String>,
    severity: u8,
    /// None for debugging.
    mnemonic: Option<String>,
    text: String,
}

/// A severity's name.
fn severity(number: u8) -> &'static str {
    match number {
        0 => "emergencies",
        1 => "alerts",
        2 => "critical",
        3 => "errors",
        4 => "warnings",
        5 => "notifications",
        6 => "informational",
        _ => "debugging",
    }
}

struct Logging(Arc<Snapshot>);

impl Logging {
    fn on(&self) -> bool {
        self.0.parsed.config.logging != Some(false)
    }

    fn lines(&self) -> impl Iterator<Item = &Arc<LogLine>> {
        self.0.log.lines.iter().filter(|_| self.on())
    }
}

impl Layout for Logging {
    type Row = LogRow;

    fn rows(&self) -> impl Iterator<Item = LogRow> {
        self.lines().map(|line| {
            let (facility, mnemonic, text) = match &line.body {
                Body::Message { facility, mnemonic, text, .. } => {
                    (Some(facility.clone()), Some(mnemonic.clone()), text.clone())
                }
                Body::Debug(debug) => (None, None, debug.text(Format::Modern).into_owned()),
            };
            let (time, severity) = (Date::new(line.at).iso(), line.severity());
            LogRow { time, facility, severity, mnemonic, text }
        })
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let (state, count) = if self.on() { ("enabled", self.0.log.messages) } else { ("disabled", 0) };
        writeln!(
            out,
            "Syslog logging: {state} ({} messages dropped, {} messages rate-limited, 0 flushes, 0 overruns, xml disabled, filtering disabled)",
            self.0.told.dropped, self.0.told.limited
        )?;
        writeln!(out, "\nNo Active Message Discriminator.\n\n\n\nNo Inactive Message Discriminator.\n\n")?;
        let (settings, told) = (&self.0.parsed.config.log, &self.0.told);
        let kinds = [
            ("Console logging: ", settings.console, told.console),
            ("Monitor logging: ", settings.monitor, told.monitor),
            ("Buffer logging:  ", settings.buffered, count),
        ];
        for (kind, level, count) in kinds {
            let Some(level) = level else {
                writeln!(out, "    {kind}disabled")?;
                continue;
            };
            let level = severity(level);
            writeln!(out, "    {kind}level {level}, {count} messages logged, xml disabled,")?;
            writeln!(out, "                     filtering disabled")?;
        }
        writeln!(out, "    Exception Logging: size (0 bytes)")?;
        writeln!(out, "    Count and timestamp logging messages: disabled")?;
        writeln!(out, "    Persistent logging: disabled\n")?;
        writeln!(out, "No active filter modules.\n")?;
        match settings.trap {
            Some(level) => {
                let level = severity(level);
                writeln!(out, "    Trap logging: level {level}, {} message lines logged", told.trap)?;
                for host in &settings.hosts {
                    let place = format!("{}  (udp port {}, audit disabled,", host.address, host.port);
                    writeln!(out, "        Logging to {place}")?;
                    writeln!(out, "              link up),")?;
                    writeln!(out, "              {} message lines logged,", told.trap)?;
                    writeln!(out, "              0 message lines rate-limited,")?;
                    writeln!(out, "              0 message lines dropped-by-MD,")?;
                    writeln!(out, "              xml disabled, sequence number disabled")?;
                    writeln!(out, "              filtering disabled")?;
                }
                writeln!(out)?;
            }
            None => writeln!(out, "    Trap logging: disabled\n")?,
        }
        writeln!(out, "Log Buffer ({} bytes):\n", self.0.log.size)?;
        let running = self.0.now.since(self.0.started);
        let stamps = Stamps::new(&self.0.parsed.config, self.0.wall.saturating_sub(running));
        for line in self.lines() {
            writeln!(out, "{}", line.text(format, &stamps))?;
        }
        Ok(())
    }
}
