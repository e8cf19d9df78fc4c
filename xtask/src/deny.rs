//! What is asked of the packages that this workspace needs: their licences, where they come from,
//! which may not be among them, and what is known about those that are (`advisories.rs`).
//! cargo-deny asks the same and more, and takes longer to compile than most steps to run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::step::cargo_command;

/// What is checked is what these need, with all features, tests and build scripts.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

const LICENCES: [&str; 7] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
];

/// One library of C for TLS or cryptography is enough: ring, for AES-GCM alone.
const BANNED: [&str; 2] = ["openssl-sys", "aws-lc-sys"];

/// A package as printed by [`FORMAT`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// A path, a git repository, a registry; empty for crates.io.
    source: String,
    licence: String,
}

/// `NAME vVERSION[ (proc-macro)][ (SOURCE)];LICENCE`
const FORMAT: &str = "{p};{l}";

/// Checks the whole workspace.
pub(crate) fn check() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let mut packages = BTreeSet::new();
    for target in TARGETS {
        let output = cargo_command()
            .args(["tree", "--workspace", "--locked", "--all-features", "--prefix=none"])
            .args(["--target", target, "--format", FORMAT])
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("start cargo")?;
        if !output.status.success() {
            bail!("cargo tree: {}", output.status);
        }
        for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.is_empty()) {
            packages.insert(package(line).with_context(|| format!("cargo tree: {line:?}"))?);
        }
    }
    let mut errors: Vec<String> = packages.iter().flat_map(|package| errors(package, &workspace)).collect();
    let manifest = std::fs::read_to_string(workspace.join("Cargo.toml")).context("read Cargo.toml")?;
    errors.extend(any_version(&manifest));
    errors.extend(crate::advisories::errors()?);
    for warning in doubles(&packages) {
        println!("warning: {warning}");
    }
    for error in &errors {
        println!("error: {error}");
    }
    if !errors.is_empty() {
        bail!("{} dependencies are not in order", errors.len());
    }
    println!("{} packages are in order", packages.len());
    Ok(())
}

fn package(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once(';')?;
    let (name, rest) = package.split_once(" v")?;
    let (version, source) = rest.split_once(' ').unwrap_or((rest, ""));
    let source = source.trim_start_matches("(proc-macro)").trim();
    // the second time that a package is named it has a mark
    let licence = licence.trim_end_matches("(*)").trim_end();
    Some(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        source: source.trim_start_matches('(').trim_end_matches(')').to_owned(),
        licence: licence.to_owned(),
    })
}

/// What is wrong with one package.
fn errors(package: &Package, workspace: &Path) -> Vec<String> {
    let called = format!("{} {}", package.name, package.version);
    let mut errors = Vec::new();
    if BANNED.contains(&package.name.as_str()) {
        errors.push(format!("{called} is banned"));
    }
    if !package.source.is_empty() && !Path::new(&package.source).starts_with(workspace) {
        errors.push(format!("{called} comes from {}", package.source));
    }
    match allowed(&package.licence) {
        Ok(true) => {}
        Ok(false) => errors.push(format!("{called} has the licence {}", package.licence)),
        Err(e) => errors.push(format!("{called} has the licence {:?}: {e}", package.licence)),
    }
    errors
}

/// Packages that are there in several versions.
fn doubles(packages: &BTreeSet<Package>) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let doubles = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    doubles.map(|(name, versions)| format!("{name} is there as {}", versions.join(" and "))).collect()
}

/// Dependencies for which the workspace accepts any version; no package on crates.io does.
fn any_version(manifest: &str) -> Vec<String> {
    let any = manifest.lines().filter(|line| line.contains("= \"*\""));
    any.map(|line| format!("Cargo.toml takes any version: {line}")).collect()
}

/// Whether an SPDX expression can be met with [`LICENCES`]. Cargo's old `/` is an `OR`.
fn allowed(expression: &str) -> Result<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = either(&mut words)?;
    match words.next() {
        None => Ok(verdict),
        Some(word) => bail!("{word:?} is too much"),
    }
}

type Words<'a, 'b> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn either(words: Words) -> Result<bool> {
    let mut verdict = both(words)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= both(words)?;
    }
    Ok(verdict)
}

fn both(words: Words) -> Result<bool> {
    let mut verdict = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words)?;
    }
    Ok(verdict)
}

fn one(words: Words) -> Result<bool> {
    match words.next().context("it ends too early")? {
        "(" => {
            let verdict = either(words)?;
            words.next_if_eq(&")").context("a bracket is not closed")?;
            Ok(verdict)
        }
        word @ (")" | "AND" | "OR" | "WITH") => bail!("{word:?} is in a wrong place"),
        licence => match words.next_if_eq(&"WITH") {
            None => Ok(LICENCES.contains(&licence)),
            Some(_) => {
                let exception = words.next().context("it ends too early")?;
                Ok(LICENCES.contains(&format!("{licence} WITH {exception}").as_str()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors_of(line: &str) -> Vec<String> {
        errors(&package(line).unwrap(), Path::new("/project"))
    }

    #[test]
    fn what_is_in_order_is_not_mentioned() {
        for line in [
            "ours v0.1.0 (/project/crates/ours);MIT OR Apache-2.0",
            "serde_derive v1.0.229 (proc-macro);MIT OR Apache-2.0",
            "macros v1.0.0 (proc-macro) (/project/macros);MIT",
            "subtle v2.6.1;BSD-3-Clause (*)",
        ] {
            assert_eq!(errors_of(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn each_kind_of_violation_is_found() {
        for (line, error) in [
            ("openssl-sys v0.9.1;MIT", "openssl-sys 0.9.1 is banned"),
            ("bad v1.0.0;", "bad 1.0.0 has the licence \"\": it ends too early"),
            ("bad v1.0.0;GPL-3.0 (*)", "bad 1.0.0 has the licence GPL-3.0"),
            (
                "bad v1.0.0 (https://example.org/bad#1a2b);MIT",
                "bad 1.0.0 comes from https://example.org/bad#1a2b",
            ),
            ("bad v1.0.0 (registry `other`);MIT", "bad 1.0.0 comes from registry `other`"),
            ("bad v1.0.0 (proc-macro) (/elsewhere/bad);MIT", "bad 1.0.0 comes from /elsewhere/bad"),
        ] {
            assert_eq!(errors_of(line), [error]);
        }
        let twice = ["a v1.0.0;MIT", "a v1.0.0;MIT (*)", "b v1.0.0;MIT", "b v2.0.0;MIT"];
        let packages = twice.into_iter().filter_map(package).collect();
        assert_eq!(doubles(&packages), ["b is there as 1.0.0 and 2.0.0"]);
        let manifest = "a = \"1.0\"\nb = \"*\"\nc = { version = \"*\" }\n[profile.dev.package.\"*\"]\n";
        assert_eq!(any_version(manifest).len(), 2);
    }

    #[test]
    fn licences_of_expressions() {
        for (expression, verdict) in [
            ("MIT", true),
            ("Zlib", false),
            ("Unlicense/MIT", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("MIT OR GPL-3.0 AND Zlib", true),
            ("(MIT OR GPL-3.0) AND Zlib", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
        ] {
            assert_eq!(allowed(expression).unwrap(), verdict, "{expression}");
        }
        for wrong in ["", "(MIT", "MIT)", "AND MIT", "MIT Zlib", "MIT WITH"] {
            assert!(allowed(wrong).is_err(), "{wrong:?}");
        }
    }
}
