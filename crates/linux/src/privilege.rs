//! What the process may do, and what it gives up: a gateway has keys, so it leaves no core dump,
//! keeps no right that it does not use, and gains none.

use crate::error::{Context, Error, check};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set, set_capabilities,
};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The capabilities that Hubward asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_ADMIN`: TUN, addresses, routes, rules, marks.
    NetAdmin,
    /// `CAP_NET_RAW`: native ESP, the clear path, DHCP before there is an address.
    NetRaw,
    /// `CAP_NET_BIND_SERVICE`: ports below 1024 (IKE has 500).
    NetBindService,
    /// `CAP_SYS_ADMIN`: entering network namespaces.
    SysAdmin,
    /// `CAP_CHOWN`: giving a file that is written anew its owner back.
    Chown,
    /// `CAP_FOWNER`: the permissions of files of other users.
    Fowner,
    /// `CAP_DAC_OVERRIDE`: files of other users, whatever their permissions.
    DacOverride,
}

impl Capability {
    /// The name as capabilities(7) writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Chown => "CAP_CHOWN",
            Self::Fowner => "CAP_FOWNER",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
        }
    }

    fn bit(self) -> u32 {
        match self {
            Self::Chown => 0,
            Self::DacOverride => 1,
            Self::Fowner => 3,
            Self::NetBindService => 10,
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
            Self::SysAdmin => 21,
        }
    }

    fn set(self) -> CapabilitySet {
        CapabilitySet::from_bits_retain(1 << self.bit())
    }
}

/// Whether this thread has the capability in effect (in its own user namespace).
pub fn has(capability: Capability) -> Result<bool, Error> {
    const FILE: &str = "/proc/thread-self/status";
    let status = std::fs::read_to_string(FILE).context("read", FILE)?;
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or(Error::Answer { operation: "reading the capabilities", reason: "no CapEff line" })?;
    Ok(set & (1 << capability.bit()) != 0)
}

/// Refuses with a sentence that says what is missing and what to do about it.
pub fn require(capability: Capability, needed_for: &'static str) -> Result<(), Error> {
    if has(capability)? {
        return Ok(());
    }
    Err(Error::MissingCapability { capability: capability.name(), needed_for })
}

/// No core dump and no debugger of the same user: memory holds keys. After this `/proc/self`
/// belongs to root, so enter user namespaces before.
pub fn forbid_core_dumps() -> Result<(), Error> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .context("set to zero", "the core dump limit")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("forbid", "core dumps")
}

/// Gives up every capability but these, in every set, and the way to get one back: the bounding set
/// loses the others too, and no program that is started gains rights. Those that are kept are kept
/// over the start of another program, as far as the kernel lets them.
///
/// Only threads that are started afterwards are concerned: call it before the first. What this
/// thread does not have it does not get.
pub fn keep_only(kept: &[Capability]) -> Result<(), Error> {
    let wanted = kept.iter().fold(CapabilitySet::empty(), |set, capability| set | capability.set());
    // the bounding set needs CAP_SETPCAP: first, while it is there
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if wanted.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // more than the kernel knows
            Err(Errno::INVAL) => break,
            // who may not change the set has nothing that it would let through: no new privileges
            Err(Errno::PERM) => break,
            Err(error) => return Err(error).context("leave", "capabilities to nobody"),
        }
    }
    let had = capabilities(None).context("read", "the capabilities")?;
    let sets = CapabilitySets {
        effective: had.effective & wanted,
        permitted: had.permitted & wanted,
        inheritable: had.inheritable & wanted,
    };
    // a sandbox may refuse the call, and with nothing to give up it is not needed
    if sets != had {
        set_capabilities(None, sets).context("give up", "capabilities")?;
    }
    forbid_new_privileges()
}

/// Whether the user under which this process runs gets at a file or folder without any capability.
/// It must be his, and every folder on the way there must be his or open to everybody. For what does
/// not exist, the same holds of the folder in which it would be made.
pub fn is_own(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let there = path.ancestors().find_map(|part| Some((part, std::fs::canonicalize(part).ok()?)));
    let Some((part, real)) = there else { return false };
    let user = rustix::process::geteuid().as_raw();
    let look = |part: &Path| rustix::fs::stat(part).ok().map(|stat| (stat.st_uid == user, stat.st_mode));
    // to make a file one must write and search its folder
    let needed = if part == path { 0o400 } else { 0o300 };
    look(&real).is_some_and(|(own, mode)| own && mode & needed == needed)
        && real.ancestors().skip(1).all(|folder| {
            look(folder).is_some_and(|(own, mode)| if own { mode & 0o100 != 0 } else { mode & 0o001 != 0 })
        })
}

/// Gives a file that root has just made in a folder of another user to him: a service finds in its
/// folder what root left there, and can read it.
pub fn leave_to_owner_of_folder(file: &Path) -> std::io::Result<()> {
    let owner = |of: &Path| std::fs::metadata(of).map(|of| (of.uid(), of.gid()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (user, group) = owner(folder.unwrap_or(Path::new(".")))?;
    if !rustix::process::geteuid().is_root() || owner(file)?.0 == user {
        return Ok(());
    }
    std::os::unix::fs::chown(file, Some(user), Some(group))
}

/// Lets a program that is started in the place of this one have no open file but standard input and
/// the two outputs.
pub fn close_at_exec() -> Result<(), Error> {
    // SAFETY: close_range takes numbers, and with this flag closes nothing yet.
    let marked =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    check(libc::c_int::try_from(marked).unwrap_or(-1)).map(drop).context("close", "files at a restart")
}

/// No program started from here gains rights by a set-user-id bit or file capabilities
/// (`PR_SET_NO_NEW_PRIVS`).
pub fn forbid_new_privileges() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true).context("forbid", "new privileges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named_with_its_remedy() {
        let error = Error::MissingCapability {
            capability: Capability::NetAdmin.name(),
            needed_for: "a TUN interface",
        };
        let text = error.to_string();
        assert!(text.starts_with("a TUN interface needs CAP_NET_ADMIN"), "{text}");
        assert!(text.contains("setcap cap_net_admin+ep"), "{text}");
    }

    #[test]
    fn core_dumps_and_new_privileges_can_be_forbidden() {
        forbid_core_dumps().unwrap();
        forbid_new_privileges().unwrap();
        let limits = std::fs::read_to_string("/proc/thread-self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }

    /// A set of capabilities of this thread.
    fn set_of(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
    }

    /// Whoever starts it: afterwards neither this thread nor one that it starts has more, nor a way
    /// to get it.
    #[test]
    fn what_is_not_kept_is_in_no_set_of_this_thread_and_its_children() {
        let thread = std::thread::spawn(|| {
            let (had, bounds) = (set_of("CapPrm"), set_of("CapBnd"));
            keep_only(&[Capability::NetAdmin, Capability::NetRaw]).unwrap();
            let wanted = 1 << 12 | 1 << 13;
            let look = move || {
                for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
                    assert_eq!(set_of(set) & !wanted, 0, "{set}");
                }
                assert_eq!(set_of("CapPrm"), had & wanted, "what is kept is kept");
                // without CAP_SETPCAP (bit 8) the bounds stay, and nothing can reach them
                let within = if had & (1 << 8) != 0 { bounds & wanted } else { bounds };
                assert_eq!(set_of("CapBnd"), within);
                let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
                assert!(status.contains("NoNewPrivs:\t1"), "{status}");
            };
            look();
            std::thread::spawn(look).join().unwrap();
            // a second time, with nothing left to give up
            keep_only(&[Capability::NetAdmin]).unwrap();
            assert_eq!(set_of("CapPrm"), had & (1 << 12));
            assert!(!has(Capability::NetRaw).unwrap());
        });
        thread.join().unwrap();
    }

    /// Has the kernel refuse a system call of this thread and its children, as systemd does.
    fn refuse_call(number: libc::c_long) {
        let statement =
            |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut program = [
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number as u32),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: the kernel copies the program, which lives until the call returns.
        let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    /// A service that has what it keeps, and no more, starts in a sandbox that lets nobody change
    /// capabilities. Who would keep too much does not start.
    #[test]
    fn a_sandbox_that_refuses_capset_is_no_obstacle_with_nothing_to_give_up() {
        let thread = std::thread::spawn(|| {
            keep_only(&[Capability::NetAdmin]).unwrap();
            refuse_call(libc::SYS_capset);
            keep_only(&[Capability::NetAdmin]).unwrap();
            keep_only(&[Capability::NetAdmin, Capability::NetRaw]).unwrap();
            assert_eq!(keep_only(&[]).is_err(), set_of("CapPrm") != 0);
        });
        thread.join().unwrap();
    }

    #[test]
    fn files_of_others_are_told_from_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_own(folder.path()) && is_own(&folder.path().join("absent").join("more")));
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(is_own(Path::new("/proc/1")), user == 0);
        assert_eq!(is_own(Path::new("/absent")), user == 0, "it would be made in a folder of root");
    }

    /// Every folder on the way counts, also behind a symbolic link, and for what is yet to be made.
    #[test]
    fn ones_own_file_behind_a_closed_folder_of_another_user_is_not_ones_own() {
        use std::os::unix::fs::PermissionsExt as _;
        if rustix::process::geteuid().as_raw() != 0 {
            // nobody else can make files of another user
            return;
        }
        let top = tempfile::tempdir().unwrap();
        let home = top.path().join("home");
        let (file, link) = (home.join("hub.cfg"), top.path().join("link"));
        std::fs::create_dir(&home).unwrap();
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mode = |mode| std::fs::set_permissions(&home, std::fs::Permissions::from_mode(mode)).unwrap();
        let own =
            || [&home, &file, &link, &home.join("new"), &home.join("new/made")].map(|path| is_own(path));
        mode(0o700);
        assert_eq!(own(), [true; 5]);
        mode(0o500);
        assert_eq!(own(), [true, true, true, false, false], "nothing can be made there");
        std::os::unix::fs::chown(&home, Some(1), None).unwrap();
        for closed in [0o700, 0o750] {
            mode(closed);
            assert_eq!(own(), [false; 5], "{closed:o}");
        }
        mode(0o755);
        assert_eq!(own(), [false, true, true, false, false]);
        std::os::unix::fs::chown(&file, Some(1), None).unwrap();
        assert_eq!(own(), [false; 5]);
    }

    #[test]
    fn what_root_makes_in_the_folder_of_a_service_is_the_services() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        leave_to_owner_of_folder(&file).unwrap();
        let before = std::fs::metadata(&file).unwrap();
        assert_eq!(before.uid(), rustix::process::geteuid().as_raw());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(1), Some(2)).unwrap();
            leave_to_owner_of_folder(&file).unwrap();
            let after = std::fs::metadata(&file).unwrap();
            assert_eq!((after.uid(), after.gid(), after.mode()), (1, 2, before.mode()));
        }
        assert!(leave_to_owner_of_folder(&folder.path().join("absent")).is_err());
    }

    /// No descriptor goes to a program that takes this one's place, in a process of its own because
    /// it concerns them all.
    #[test]
    fn a_restart_inherits_no_files() {
        use std::os::fd::AsRawFd as _;
        let file = std::fs::File::open("/dev/null").unwrap();
        let open = rustix::io::fcntl_dupfd_cloexec(&file, 100).unwrap();
        rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
        close_at_exec().unwrap();
        assert_eq!(
            rustix::io::fcntl_getfd(&open).unwrap(),
            rustix::io::FdFlags::CLOEXEC,
            "{}",
            open.as_raw_fd()
        );
    }
}
