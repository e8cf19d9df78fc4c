//! Who carries the packets: Hubward's own workers, or the kernel if it supports everything in the
//! configuration.

mod fit;
pub(crate) mod kernel;
mod plan;
#[cfg(test)]
mod tests;

use crate::base::inbox::Inbox;
use crate::base::message::News;
use crate::dataplane;
use crate::supervise::Heart;
use anyhow::Context as _;
use hubward_linux::udp::UdpSocket;
use hubward_linux::xfrm::{self, Events, Xfrm};
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use kernel::Kernel;
use rustix::event::{PollFd, PollFlags};
use std::fmt;

/// `--dataplane`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// Hubward's own packet workers, behind a TUN.
    User,
    /// The kernel's ESP (xfrm); where it cannot do what the configuration says, Hubward does not
    /// start.
    Kernel,
    /// The kernel's ESP where it can do all that the configuration says, else Hubward's own packet
    /// workers.
    Auto,
}

/// Who carries the packets.
pub(crate) enum Plane {
    User,
    Kernel(Box<Kernel>),
}

/// The kernel was chosen, and does not support the configuration.
#[derive(Debug, thiserror::Error)]
#[error("--dataplane kernel")]
pub(crate) struct Unfit;

/// Which data plane was chosen, and why, for `show crypto engine brief`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) name: Name,
    pub(crate) why: String,
}

/// The name of a data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    User,
    Kernel,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user space",
            Self::Kernel => "kernel (xfrm)",
        })
    }
}

impl Default for Chosen {
    fn default() -> Self {
        Self { name: Name::User, why: "--dataplane user, the default".into() }
    }
}

impl Plane {
    /// Sets up the chosen plane, if it supports the policy.
    pub(crate) fn choose(choice: Choice, policy: &Policy, now: Instant) -> anyhow::Result<(Self, Chosen)> {
        let kernel = match choice {
            Choice::User => {
                sweep();
                return Ok((Self::User, Chosen::default()));
            }
            Choice::Kernel | Choice::Auto => Self::kernel(policy, now),
        };
        match (kernel, choice) {
            (Ok(plane), Choice::Auto) => {
                let why = "the kernel supports all that the configuration needs".into();
                Ok((plane, Chosen { name: Name::Kernel, why }))
            }
            (Ok(plane), _) => Ok((plane, Chosen { name: Name::Kernel, why: "--dataplane kernel".into() })),
            (Err(error), Choice::Auto) => {
                sweep();
                Ok((Self::User, Chosen { name: Name::User, why: format!("{error:#}") }))
            }
            (Err(error), _) => Err(error).context(Unfit),
        }
    }

    fn kernel(policy: &Policy, now: Instant) -> anyhow::Result<Self> {
        fit::fits(policy)?;
        let xfrm = Xfrm::open().context("this kernel does not support ESP")?;
        fit::probe(policy, &xfrm)?;
        Ok(Self::Kernel(Box::new(Kernel::new(xfrm, now)?)))
    }

    /// Whether another policy can replace the one in force without a change of plane.
    pub(crate) fn can_do(&self, policy: &Policy) -> anyhow::Result<()> {
        match self {
            Self::User => Ok(()),
            Self::Kernel(kernel) => {
                fit::fits(policy)?;
                fit::probe(policy, kernel.xfrm())
            }
        }
    }

    /// Whether the kernel carries the packets.
    pub(crate) fn is_kernel(&self) -> bool {
        matches!(self, Self::Kernel(_))
    }

    /// Leaves ESP to the kernel, and keeps IKE out of its policies.
    pub(crate) fn prepare(&self, isakmp: &UdpSocket, natt: &UdpSocket) -> anyhow::Result<()> {
        if self.is_kernel() {
            xfrm::exempt(isakmp)?;
            xfrm::exempt(natt)?;
            xfrm::encapsulate(natt)?;
        }
        Ok(())
    }
}

/// Removes what a killed run with the kernel's plane left: its policies would keep packets from the
/// TUN.
fn sweep() {
    // a kernel without xfrm has no leftovers
    let Ok(xfrm) = Xfrm::open() else { return };
    match xfrm.sweep() {
        Ok(removed) => {
            for leftover in removed {
                tracing::info!("removed a leftover of an earlier run: {leftover}");
            }
        }
        Err(error) => tracing::debug!("leftovers of the kernel's data plane were not looked for: {error}"),
    }
}

/// Passes on the kernel's events until `stopped`.
pub(crate) fn listen(heart: &Heart, mut events: Events, gateway: &Inbox, stopped: impl Fn() -> bool) {
    while !stopped() {
        heart.beat();
        if !gateway.has_room() {
            // the kernel queues some events, and reports when others were lost
            std::thread::sleep(std::time::Duration::from_millis(1));
            continue;
        }
        crate::base::wait::wait(&mut [PollFd::new(&events, PollFlags::IN)], dataplane::WAIT);
        match events.read() {
            Ok(news) => {
                for event in news {
                    gateway.news(News::Kernel(event));
                }
            }
            Err(error) => {
                tracing::warn!("the kernel's notifications about SAs could not be read: {error}");
                heart.sleep(std::time::Duration::from_secs(1));
            }
        }
    }
}
