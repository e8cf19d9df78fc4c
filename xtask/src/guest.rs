//! Debian's kernel in QEMU: for what the kernel of the machine may not have, ESP (xfrm) first of
//! all.
//!
//! The guest's root is the machine's own, read-only by 9p with an in-memory overlay; its job is a
//! command of this workspace, and its output arrives on the serial console. It is fast with
//! `/dev/kvm` and emulated without.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The package that names Debian's newest kernel.
const KERNEL: &str = "linux-image-amd64";
/// Modules that the guest needs before it has its root.
const EARLY: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];
/// Longer than it takes even without KVM on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1500);
/// A guest that has said nothing by then will not: KVM is there and does not work, as it may be
/// where the machine is a guest itself.
const FIRST_WORD: Duration = Duration::from_secs(15);
/// What the guest says at its end, before the status of the command.
const STATUS: &str = "guest-status:";

/// The first program of the guest: it finds its root and goes there.
const FIRST: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs d /dev
while read module; do insmod /modules/$module || echo "no $module"; done </modules/list
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower
mount -t tmpfs t /upper; mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work o /root
cp /second /root/second
exec switch_root /root /bin/bash /second
"#;

/// The guest's kernel, unpacked.
struct Kernel {
    folder: PathBuf,
    version: String,
}

impl Kernel {
    fn image(&self) -> PathBuf {
        self.folder.join("boot").join(format!("vmlinuz-{}", self.version))
    }

    fn modules(&self) -> PathBuf {
        self.folder.join("lib/modules").join(&self.version)
    }

    /// Downloads Debian's kernel and unpacks it, unless that was done.
    fn get(folder: &Path) -> Result<Self> {
        let unpacked = folder.join("kernel");
        if !unpacked.exists() {
            fs::create_dir_all(folder)?;
            let package = match package_in(folder)? {
                Some(package) => package,
                None => {
                    run(Command::new("apt-get").args(["download", "-q", &newest()?]).current_dir(folder))?;
                    package_in(folder)?.context("apt-get downloaded no kernel")?
                }
            };
            // an interrupted download starts over
            let half = folder.join("unpacking");
            run(Command::new("rm").arg("-rf").arg(&half))?;
            run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&half))?;
            fs::rename(&half, &unpacked)?;
        }
        let modules =
            fs::read_dir(unpacked.join("lib/modules"))?.next().context("a kernel without modules")??;
        let version = modules.file_name().to_string_lossy().into_owned();
        if !modules.path().join("modules.dep").exists() {
            run(Command::new("depmod").arg("-b").arg(&unpacked).arg(&version))?;
        }
        Ok(Self { folder: unpacked, version })
    }

    /// The files of some modules, each after those that it needs.
    fn files_of(&self, modules: &[&str]) -> Result<Vec<PathBuf>> {
        let known = fs::read_to_string(self.modules().join("modules.dep"))?;
        let mut files = Vec::new();
        for module in modules {
            let line = known.lines().find(|line| {
                let file = line.split(':').next().and_then(|path| path.rsplit('/').next());
                file.is_some_and(|file| file.replace('-', "_") == format!("{module}.ko"))
            });
            // what is not a module is part of the kernel
            let Some((file, needs)) = line.and_then(|line| line.split_once(':')) else { continue };
            for path in needs.split_whitespace().rev().chain([file]) {
                let path = self.modules().join(path);
                if !files.contains(&path) {
                    files.push(path);
                }
            }
        }
        Ok(files)
    }
}

fn package_in(folder: &Path) -> Result<Option<PathBuf>> {
    let mut packages = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(packages.find(|path| path.extension().is_some_and(|extension| extension == "deb")))
}

/// The package that [`KERNEL`] depends on.
fn newest() -> Result<String> {
    let output = Command::new("apt-cache").args(["depends", KERNEL]).output().context("start apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    Ok(format!("linux-image-{}", name.with_context(|| format!("apt knows no {KERNEL}: run apt-get update"))?))
}

/// The initial file system of the guest.
fn first_files(folder: &Path, kernel: &Kernel, command: &str) -> Result<PathBuf> {
    let root = folder.join("initrd");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for name in ["bin", "dev", "lower", "upper", "root", "modules"] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("busybox-static is missing")?;
    let mut list = String::new();
    for file in kernel.files_of(&EARLY)? {
        let name = file.file_name().context("a module without a name")?;
        fs::copy(&file, root.join("modules").join(name))?;
        list.push_str(&format!("{}\n", name.to_string_lossy()));
    }
    fs::write(root.join("modules/list"), list)?;
    let modules = kernel.folder.join("lib/modules").canonicalize()?;
    fs::write(
        root.join("second"),
        format!(
            "mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev\n\
             mkdir -p /dev/pts /dev/shm /lib/modules; mount -t devpts d /dev/pts; mount -t tmpfs t /dev/shm\n\
             mount --bind {} /lib/modules\n\
             for folder in /run /tmp /var/lib; do mount -t tmpfs t $folder; done\n\
             export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n\
             ip link set lo up; for module in tun veth nf_tables xfrm_user esp4 authenc echainiv seqiv des_generic; do modprobe $module; done\n\
             echo \"guest: Linux $(uname -r) is up\"\n\
             timeout 60 swanctl --version >/dev/null 2>&1\n{command}\necho {STATUS} $?\n\
             echo o >/proc/sysrq-trigger; sleep 60\n",
            modules.display()
        ),
    )?;
    fs::write(root.join("init"), FIRST)?;
    run(Command::new("chmod").arg("755").arg(root.join("init")))?;
    let archive = folder.join("initrd.cpio");
    run(Command::new("sh")
        .args(["-c", "find . | cpio --quiet -o -H newc >\"$1\"", "sh"])
        .arg(&archive)
        .current_dir(&root))?;
    Ok(archive)
}

/// Gets what [`run_in_guest`] takes from the network.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let kernel = Kernel::get(folder)?;
    println!("{} is there", kernel.image().display());
    Ok(())
}

/// Runs a shell command in the guest; each line that it says goes to `said`. Fails when the command
/// does, or takes too long.
pub(crate) fn run_in_guest(folder: &Path, command: &str, mut said: impl FnMut(&str)) -> Result<()> {
    let kernel = Kernel::get(folder)?;
    let archive = first_files(folder, &kernel, command)?;
    if Path::new("/dev/kvm").exists() {
        match boot(&kernel, &archive, "kvm", FIRST_WORD, &mut said)? {
            Ended::Mute => println!("KVM does not work here; without it this takes longer"),
            Ended::Status(status) => return judge(status),
        }
    }
    match boot(&kernel, &archive, "tcg,thread=multi", PATIENCE, &mut said)? {
        Ended::Mute => bail!("the guest ended without a word"),
        Ended::Status(status) => judge(status),
    }
}

/// How a guest ended.
enum Ended {
    /// It said nothing at all.
    Mute,
    /// With the status of its command, if it came so far.
    Status(Option<i32>),
}

fn judge(status: Option<i32>) -> Result<()> {
    match status {
        Some(0) => Ok(()),
        Some(code) => bail!("the guest's command ended with {code}"),
        None => {
            bail!("the guest ended in the middle of its command, or took more than {} s", PATIENCE.as_secs())
        }
    }
}

fn boot(
    kernel: &Kernel,
    archive: &Path,
    accelerator: &str,
    first_word: Duration,
    said: &mut impl FnMut(&str),
) -> Result<Ended> {
    let mut qemu = Command::new("qemu-system-x86_64")
        .args(["-accel", accelerator, "-cpu", "max,-arch-capabilities", "-m", "2048", "-smp", "2"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(archive)
        .args(["-append", "console=ttyS0 panic=-1 quiet"])
        .args(["-fsdev", "local,id=h,path=/,security_model=none,readonly=on,multidevs=remap"])
        .args(["-device", "virtio-9p-pci,fsdev=h,mount_tag=host"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start qemu-system-x86_64")?;
    let console = qemu.stdout.take().context("the guest's console")?;
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let start = Instant::now();
    let (mut ended, mut deadline) = (Ended::Mute, first_word);
    while let Ok(line) = lines.recv_timeout(deadline.saturating_sub(start.elapsed())) {
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        println!("{line}");
        std::io::stdout().flush()?;
        said(line);
        deadline = PATIENCE;
        let status = line.strip_prefix(STATUS).and_then(|code| code.trim().parse().ok());
        match &mut ended {
            Ended::Status(known) => *known = status.or(*known),
            Ended::Mute => ended = Ended::Status(status),
        }
    }
    // it is off already, or will not turn itself off
    let _ended = qemu.kill();
    qemu.wait()?;
    let _panicked = reader.join();
    Ok(ended)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
