//! Known advisories about the packages of Cargo.lock. `cargo ci` has no way to the database of
//! RustSec: it compares with `xtask/advisories.toml`, a dated extract with every advisory about a
//! package that the workspace has, fixed or not. `cargo advisories` writes it anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// After this time a warning asks for a newer extract.
const OLD: Duration = Duration::from_secs(180 * 24 * 3600);
/// Advisories that concern a package but not this program, with the reason.
const EXCUSED: [(&str, &str); 1] = [(
    "RUSTSEC-2023-0071",
    "the time of RSA operations with a private key: of this package only signatures are checked, with public keys",
)];

const HEAD: &str = "# Advisories of RustSec about the packages of Cargo.lock, fixed ones as well: a lock that goes back to a\n\
                    # version that has one is found. Written by `cargo advisories`; `cargo ci deny` compares.\n";

/// `xtask/advisories.toml`
#[derive(Debug, Default, Deserialize, Serialize)]
struct Extract {
    /// When the database had it, in seconds since 1970 and for readers.
    time: u64,
    date: String,
    commit: String,
    /// The packages that were looked up.
    packages: BTreeSet<String>,
    #[serde(default)]
    advisory: Vec<Advisory>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Advisory {
    id: String,
    package: String,
    title: String,
    /// `unmaintained`, `unsound` or `notice`, if it is not a vulnerability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    informational: Option<String>,
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// The head of an advisory in the database.
#[derive(Debug, Deserialize)]
struct Entry {
    advisory: EntryHead,
    #[serde(default)]
    versions: EntryVersions,
}

#[derive(Debug, Deserialize)]
struct EntryHead {
    id: String,
    package: String,
    informational: Option<String>,
    withdrawn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct EntryVersions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

/// A package of Cargo.lock; without a source it is one of this workspace.
#[derive(Clone, Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("advisories.toml")
}

fn locked() -> Result<Vec<Locked>> {
    let text = std::fs::read_to_string(workspace().join("Cargo.lock")).context("read Cargo.lock")?;
    let lock: Lock = toml::from_str(&text).context("Cargo.lock")?;
    Ok(lock.package.into_iter().filter(|package| package.source.is_some()).collect())
}

/// What the packages of Cargo.lock are known for. Warnings are printed.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn errors() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file()).context("read xtask/advisories.toml")?;
    let extract: Extract = toml::from_str(&text).context("xtask/advisories.toml")?;
    let (errors, warnings) = compare(&extract, &locked()?);
    let age = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(Duration::from_secs(extract.time));
    let old = format!("xtask/advisories.toml is of {}: `cargo advisories` writes a newer one", extract.date);
    for warning in warnings.into_iter().chain((age > OLD).then_some(old)) {
        println!("warning: {warning}");
    }
    println!("{} advisories of {} are known", extract.advisory.len(), extract.date);
    Ok(errors)
}

/// Errors and warnings.
fn compare(extract: &Extract, locked: &[Locked]) -> (Vec<String>, Vec<String>) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for package in locked {
        let called = format!("{} {}", package.name, package.version);
        if !extract.packages.contains(&package.name) {
            errors.push(format!("{called} is not in xtask/advisories.toml: `cargo advisories` looks it up"));
        }
        for advisory in extract.advisory.iter().filter(|advisory| advisory.package == package.name) {
            if EXCUSED.iter().any(|(id, _)| *id == advisory.id) {
                continue;
            }
            match (advisory.concerns(&package.version), advisory.informational.as_deref()) {
                (Ok(false), _) => {}
                (Ok(true), Some(kind @ ("unmaintained" | "notice"))) => {
                    warnings.push(format!("{called} is {kind}: {}, {}", advisory.id, advisory.title));
                }
                (Ok(true), _) => errors.push(format!("{called} has {}: {}", advisory.id, advisory.title)),
                (Err(error), _) => errors.push(format!("{called}, {}: {error:#}", advisory.id)),
            }
        }
    }
    (errors, warnings)
}

impl Advisory {
    /// Whether a version has what the advisory is about.
    fn concerns(&self, version: &str) -> Result<bool> {
        let version = Version::parse(version)?;
        for requirement in self.patched.iter().chain(&self.unaffected) {
            let requirement = VersionReq::parse(requirement).with_context(|| requirement.clone())?;
            if requirement.matches(&version) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a file of the database; `None` if the advisory was withdrawn.
    fn read(text: &str) -> Result<Option<Self>> {
        let rest = text.trim_start().strip_prefix("```toml").context("no head")?;
        let (head, body) = rest.split_once("```").context("the head has no end")?;
        let Entry { advisory, versions } = toml::from_str(head)?;
        let title = body.lines().find_map(|line| line.strip_prefix("# ")).context("no title")?;
        Ok(advisory.withdrawn.is_none().then(|| Self {
            id: advisory.id,
            package: advisory.package,
            title: title.trim().to_string(),
            informational: advisory.informational,
            patched: versions.patched,
            unaffected: versions.unaffected,
        }))
    }
}

/// `cargo advisories [FOLDER]`: FOLDER is a checkout of the database; without one it is cloned.
pub(crate) fn command(arguments: impl Iterator<Item = String>) -> ExitCode {
    let outcome = match &arguments.collect::<Vec<_>>()[..] {
        [] => clone().and_then(|folder| refresh(&folder)),
        [folder] => refresh(Path::new(folder)),
        _ => {
            eprintln!("usage: cargo advisories [FOLDER]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn clone() -> Result<PathBuf> {
    let folder = crate::step::target().join("advisory-db");
    let _absent = std::fs::remove_dir_all(&folder);
    let status = Command::new("git").args(["clone", "--depth", "1", DATABASE]).arg(&folder).status();
    if !status.context("start git")?.success() {
        bail!("{DATABASE} cannot be cloned");
    }
    Ok(folder)
}

fn refresh(folder: &Path) -> Result<()> {
    let said = |format: &str| -> Result<String> {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(folder).args(["log", "-1", format]).output().context("start git")?;
        if !output.status.success() {
            bail!("{} is no checkout of {DATABASE}", folder.display());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_string())
    };
    let packages: BTreeSet<_> = locked()?.into_iter().map(|package| package.name).collect();
    let mut extract = Extract {
        time: said("--format=%ct")?.parse()?,
        date: said("--format=%cs")?,
        commit: said("--format=%H")?,
        packages,
        advisory: Vec::new(),
    };
    for package in &extract.packages {
        let Ok(files) = std::fs::read_dir(folder.join("crates").join(package)) else { continue };
        let mut paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let text = std::fs::read_to_string(path)?;
            extract.advisory.extend(Advisory::read(&text).with_context(|| path.display().to_string())?);
        }
    }
    std::fs::write(file(), format!("{HEAD}{}", toml::to_string_pretty(&extract)?))
        .context("write xtask/advisories.toml")?;
    println!("{} advisories about {} packages", extract.advisory.len(), extract.packages.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0154\"\npackage = \"russh\"\n\
                         date = \"2026-05-15\"\ncategories = [\"denial-of-service\"]\n\n[versions]\n\
                         patched = [\">=0.60.3\", \">= 0.59.9, < 0.60\"]\nunaffected = [\"<0.2\"]\n```\n\n\
                         # Unbounded allocation\n\nText.\n";

    fn package(name: &str, version: &str) -> Locked {
        Locked { name: name.into(), version: version.into(), source: Some("registry".into()) }
    }

    #[test]
    fn versions_that_have_a_fault_are_told_from_others() {
        let advisory = Advisory::read(ENTRY).unwrap().unwrap();
        assert_eq!(
            (advisory.id.as_str(), advisory.title.as_str()),
            ("RUSTSEC-2026-0154", "Unbounded allocation")
        );
        for (version, concerned) in [
            ("0.1.9", false),
            ("0.2.0", true),
            ("0.59.8", true),
            ("0.59.10", false),
            ("0.60.2", true),
            ("0.60.3", false),
            ("1.0.0", false),
        ] {
            assert_eq!(advisory.concerns(version).unwrap(), concerned, "{version}");
        }
        let withdrawn = ENTRY.replace("date =", "withdrawn = \"2026-06-01\"\ndate =");
        assert!(Advisory::read(&withdrawn).unwrap().is_none());
        assert!(Advisory::read("# no head").is_err());
    }

    #[test]
    fn a_lock_with_a_known_fault_or_an_unknown_package_is_refused() {
        let advisory = Advisory::read(ENTRY).unwrap().unwrap();
        let unmaintained = Advisory {
            package: "old".into(),
            informational: Some("unmaintained".into()),
            patched: Vec::new(),
            unaffected: Vec::new(),
            ..advisory.clone()
        };
        let extract = Extract {
            packages: ["russh", "old"].map(String::from).into(),
            advisory: vec![advisory, unmaintained],
            ..Extract::default()
        };
        let told = |name, version| compare(&extract, &[package(name, version)]);
        assert_eq!(told("russh", "0.65.1"), (vec![], vec![]));
        let (errors, warnings) = told("russh", "0.60.2");
        assert_eq!(errors, ["russh 0.60.2 has RUSTSEC-2026-0154: Unbounded allocation"]);
        assert!(warnings.is_empty());
        assert!(told("new", "1.0.0").0[0].starts_with("new 1.0.0 is not in xtask/advisories.toml"));
        let (errors, warnings) = told("old", "1.0.0");
        assert_eq!((errors.len(), warnings.len()), (0, 1));
    }

    /// What is checked in is what Cargo.lock needs.
    #[test]
    fn the_extract_covers_the_lock() {
        assert_eq!(errors().unwrap(), Vec::<String>::new());
    }
}
