//! The program `nft`: it loads rules that are written as text, all of them in one transaction or
//! none.

use crate::error::{Context, Error, check};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Where distributions put it. A service need not have these folders in its PATH.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
/// How long it may take: a busy machine with long lists needs seconds, and it waits for a program
/// that changes the rules at the same time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of its complaints that are read: the first counts.
const COMPLAINTS: u64 = 64 * 1024;
/// Letters of a refused line that are repeated in the error.
const QUOTED: usize = 100;

/// Where the program is, if it is installed.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("nft"));
    PLACES.iter().map(PathBuf::from).chain(in_path).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

/// Loads rules into the network namespace of this thread: either all of the text or none of it is
/// in force afterwards. Takes twenty seconds at most ([`Error::Slow`]).
pub fn load(text: &str) -> Result<(), Error> {
    const FILE: &str = "a file in memory for nft";
    let program = program().ok_or(Error::MissingProgram { program: "nft", package: "nftables" })?;
    let in_memory = || memfd_create("nft", MemfdFlags::CLOEXEC).map(File::from).context("make", FILE);
    // files, and no pipes: whatever the program does, no reading and writing waits for it
    let (mut rules, mut complaints) = (in_memory()?, in_memory()?);
    rules.write_all(text.as_bytes()).context("write", FILE)?;
    rules.rewind().context("write", FILE)?;
    let mut command = Command::new(&program);
    command.args(["-f", "-"]).env_clear().stdin(rules).stdout(complaints.try_clone().context("make", FILE)?);
    command.stderr(complaints.try_clone().context("make", FILE)?);
    if needs_ambient() {
        // SAFETY: between fork and exec the closure makes system calls alone; it allocates nothing.
        unsafe { command.pre_exec(hand_on) };
    }
    let mut child = command.spawn().context("start", program.display())?;
    let ended = wait(&mut child, PATIENCE);
    if ended.is_err() {
        // it is waited for, so that no dead process stays
        let _ = child.kill().and_then(|()| child.wait());
    }
    match ended? {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let mut said = String::new();
            complaints.rewind().context("read", FILE)?;
            // what is no text is not the complaint that is looked for
            let _ = complaints.take(COMPLAINTS).read_to_string(&mut said);
            Err(Error::Rules {
                complaint: complaint(&said).unwrap_or_else(|| format!("it ended with {status}")),
            })
        }
        None => {
            let _ = child.kill().and_then(|()| child.wait());
            Err(Error::Slow { program: "nft", seconds: PATIENCE.as_secs() })
        }
    }
}

/// Waits for the end of a program; `None`: it was not there in time.
fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>, Error> {
    const WHAT: &str = "nft";
    let end = Instant::now() + patience;
    let process = Pid::from_child(child);
    let process = pidfd_open(process, PidfdFlags::empty()).context("wait for", WHAT)?;
    loop {
        if let Some(status) = child.try_wait().context("wait for", WHAT)? {
            return Ok(Some(status));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for", WHAT),
        }
    }
}

/// `CAP_NET_ADMIN`.
const NET_ADMIN: CapabilitySet = CapabilitySet::NET_ADMIN;

/// Whether a program that is started would lose this thread's CAP_NET_ADMIN: only root's programs
/// and ambient capabilities keep it. A service of systemd has it as an ambient one, a program with
/// file capabilities has not.
fn needs_ambient() -> bool {
    let has = capabilities(None).is_ok_and(|sets| sets.permitted.contains(NET_ADMIN));
    has && !rustix::process::geteuid().is_root() && !is_ambient()
}

fn is_ambient() -> bool {
    // SAFETY: prctl with these arguments takes numbers, and changes nothing.
    let is = unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_IS_SET,
            NET_ADMIN.bits().trailing_zeros(),
            0,
            0,
        )
    };
    is == 1
}

/// In the child: keeps CAP_NET_ADMIN over the start of the program.
fn hand_on() -> std::io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable |= NET_ADMIN;
    set_capabilities(None, sets)?;
    // SAFETY: prctl with these arguments takes numbers.
    let raised = unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, NET_ADMIN.bits().trailing_zeros(), 0, 0)
    };
    check(raised).map(drop)
}

/// The first complaint: where, what, and the line it is about. The program writes
/// `/dev/stdin:3:8-13: Error: syntax error, unexpected accept`, then the line, then a line that
/// underlines a part of it.
fn complaint(said: &str) -> Option<String> {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = said.lines().map(str::trim).find(|line| line.contains("Error: "));
    let Some(first) = first else { return lines.next().map(cut) };
    let (place, what) = first.split_once("Error: ")?;
    let number = place.strip_prefix("/dev/stdin:").and_then(|place| place.split(':').next());
    let number = number.and_then(|number| number.parse::<usize>().ok()).filter(|number| *number > 0);
    let quoted = lines.skip_while(|line| *line != first).nth(1).filter(|line| !line.starts_with('^'));
    Some(match (number, quoted) {
        (Some(number), Some(quoted)) => format!("line {number} ({}): {}", cut(quoted), cut(what)),
        (Some(number), None) => format!("line {number}: {}", cut(what)),
        (None, _) => cut(what),
    })
}

fn cut(line: &str) -> String {
    line.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_is_told_with_its_line() {
        let said = "\
/dev/stdin:3:7-9: Error: Could not process rule: No such file or directory
 jump nix
      ^^^
/dev/stdin:4:27-30: Error: Could not process rule: No such file or directory
 iifname \"a\" counter name \"qq\" accept
                          ^^^^
";
        let told = complaint(said);
        assert_eq!(
            told.as_deref(),
            Some("line 3 (jump nix): Could not process rule: No such file or directory")
        );
        assert_eq!(
            complaint("netlink: Error: cache failed: Operation not permitted\n").unwrap(),
            "cache failed: Operation not permitted"
        );
        assert_eq!(complaint("\nsh: nothing\nmore").unwrap(), "sh: nothing");
        assert_eq!(complaint("/dev/stdin:7:1-2: Error: bad\n").unwrap(), "line 7: bad");
        assert_eq!(complaint("\n"), None);
        let long = format!("/dev/stdin:2:1-9: Error: bad\n{}\n", "x".repeat(5000));
        assert!(complaint(&long).unwrap().len() < 200);
    }

    #[test]
    fn who_does_not_end_is_not_waited_for_longer() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let begun = Instant::now();
        assert!(wait(&mut child, Duration::from_millis(50)).unwrap().is_none());
        assert!(begun.elapsed() < Duration::from_secs(5));
        child.kill().unwrap();
        assert!(!wait(&mut child, Duration::from_secs(5)).unwrap().unwrap().success());
    }
}
