//! Pings that count what was lost.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::wait::{self, secs};

/// What a series of echo requests came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Requests sent.
    pub sent: u32,
    /// Replies received, duplicates not counted.
    pub received: u32,
}

/// Sends `count` echo requests, five a second, and counts the replies.
pub fn count(ns: &Ns, to: Ipv4Addr, count: u32) -> Result<Score> {
    count_from(ns, None, to, count)
}

/// Like [`count`], from a given source address.
pub fn count_from(ns: &Ns, from: Option<Ipv4Addr>, to: Ipv4Addr, count: u32) -> Result<Score> {
    let mut command = ns.command("ping");
    command.args(["-n", "-i", "0.2", "-W", "1", "-c", &count.to_string()]);
    if let Some(from) = from {
        command.args(["-I", &from.to_string()]);
    }
    let (_, out, err) = process::output(command.arg(to.to_string()), secs(u64::from(count) + 20))?;
    summary(&out).with_context(|| format!("ping {to} from {}: {out}{err}", ns.name()))
}

/// Fails unless every one of `n` echo requests is answered.
pub fn answered(ns: &Ns, to: Ipv4Addr, n: u32) -> Result<()> {
    let score = count(ns, to, n)?;
    if score.received != n {
        bail!("ping {to} from {}: {} of {n} answered", ns.name(), score.received);
    }
    Ok(())
}

/// Fails if any of `n` echo requests is answered.
pub fn unanswered(ns: &Ns, to: Ipv4Addr, n: u32) -> Result<()> {
    let score = count(ns, to, n)?;
    if score.received != 0 {
        bail!("ping {to} from {}: {} of {n} answered, none should be", ns.name(), score.received);
    }
    Ok(())
}

/// Pings until an answer comes: a tunnel that traffic brings up loses the first packets.
pub fn until_answered(ns: &Ns, to: Ipv4Addr, timeout: Duration) -> Result<()> {
    wait::until(&format!("an answer to pings from {} to {to}", ns.name()), timeout, || {
        Ok(count(ns, to, 1)?.received == 1)
    })
}

fn summary(text: &str) -> Option<Score> {
    let line = text.lines().find(|l| l.contains("packets transmitted"))?;
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some(Score { sent: *numbers.first()?, received: *numbers.get(1)? })
}

/// A ping that runs while something else happens: ten echo requests a second.
#[derive(Debug)]
pub struct Running {
    process: Proc,
}

impl Running {
    /// Starts it.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, to: Ipv4Addr) -> Result<Self> {
        Self::every(lab, name, ns, to, Duration::from_millis(100))
    }

    /// Starts it with another time between requests.
    pub fn every(lab: &Lab, name: &str, ns: &Ns, to: Ipv4Addr, gap: Duration) -> Result<Self> {
        Self::every_from(lab, name, ns, None, to, gap)
    }

    /// Like [`Running::every`], from a given source address.
    pub fn every_from(
        lab: &Lab,
        name: &str,
        ns: &Ns,
        from: Option<Ipv4Addr>,
        to: Ipv4Addr,
        gap: Duration,
    ) -> Result<Self> {
        let mut command = ns.command("ping");
        command.args(["-n", "-i", &gap.as_secs_f32().to_string(), "-W", "2"]);
        if let Some(from) = from {
            command.args(["-I", &from.to_string()]);
        }
        Ok(Self { process: lab.spawn(name, command.arg(to.to_string()))? })
    }

    /// Replies so far.
    pub fn replies(&self) -> u32 {
        sequence_numbers(&self.process.log()).len() as u32
    }

    /// Replies that came more than once.
    pub fn duplicates(&self) -> usize {
        self.process.log().lines().filter(|line| line.contains("DUP!")).count()
    }

    /// Ends it and returns the sequence numbers that had no reply. The last three requests are not
    /// judged: they may still be on their way.
    pub fn lost(mut self) -> Result<Vec<u32>> {
        self.process.signal(Signal::INT)?;
        self.process.wait_exit(secs(5))?;
        let text = self.process.log();
        let sent = summary(&text).context("no summary from ping")?.sent;
        let seen = sequence_numbers(&text);
        Ok((1..sent.saturating_sub(2)).filter(|n| seen.binary_search(n).is_err()).collect())
    }

    /// Ends it once `at_least` replies came, and fails if they do not come, or if a single packet
    /// was lost.
    pub fn lost_nothing(self, at_least: u32) -> Result<()> {
        // a test that was quicker than so many pings has not failed
        wait::until(&format!("{at_least} replies"), Duration::from_secs(10), || {
            Ok(self.replies() >= at_least)
        })?;
        let replies = self.replies();
        let lost = self.lost()?;
        if !lost.is_empty() {
            bail!("{} of about {replies} packets lost: sequence numbers {lost:?}", lost.len());
        }
        Ok(())
    }
}

fn sequence_numbers(text: &str) -> Vec<u32> {
    let mut seen: Vec<u32> = text
        .lines()
        .filter(|line| line.contains("bytes from"))
        .filter_map(|line| line.split("icmp_seq=").nth(1)?.split_whitespace().next()?.parse().ok())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_iputils_is_read() {
        let text = "--- 10.1.1.10 ping statistics ---\n4 packets transmitted, 3 received, +1 duplicates, 25% packet loss";
        assert_eq!(summary(text), Some(Score { sent: 4, received: 3 }));
    }

    #[test]
    fn replies_are_counted_once() {
        let text = "64 bytes from 10.1.1.10: icmp_seq=1 ttl=62 time=1 ms\n64 bytes from 10.1.1.10: icmp_seq=3 ttl=62\n\
                    64 bytes from 10.1.1.10: icmp_seq=3 ttl=62 (DUP!)\nno answer yet for icmp_seq=2";
        assert_eq!(sequence_numbers(text), vec![1, 3]);
    }
}
