//! Documents name only what exists: every path in every Markdown file of the repository.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use std::fs;
use std::path::{Path, PathBuf};

/// Endings of names that are those of files of this repository.
const ENDINGS: [&str; 10] =
    [".rs", ".toml", ".cfg", ".md", ".service", ".txt", ".py", ".tsv", ".conf", ".yml"];

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                walk(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}

/// The paths that a document names, each with its line: in backticks, and where links lead.
fn named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let quoted = line.split('`').skip(1).step_by(2);
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for word in quoted.flat_map(|quoted| quoted.split([' ', ',', ':', '(', ')', '='])).chain(links) {
            let is_link = word.contains("://") || word.starts_with(['/', '~', '<', '@', '$', '-'])
                // what commands make
                || word.starts_with("target/");
            let is_pattern = word.contains(['*', '{', '<', '$', '…']);
            let is_path =
                word.trim_end_matches('/').contains('/') && !word.starts_with('.') || word.contains('.');
            let ends = ENDINGS.iter().any(|ending| word.ends_with(ending));
            let folder =
                ["crates/", "docs/", "tests/", "xtask/", "examples/", "packaging/", "fuzz/", "bench/"];
            if !is_link
                && !is_pattern
                && is_path
                && (ends || folder.iter().any(|begin| word.starts_with(begin)))
            {
                found.push((number + 1, word.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_path_in_every_document_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut files = Vec::new();
    walk(&root, &mut files);
    let inside: Vec<String> =
        files.iter().map(|file| file.strip_prefix(&root).unwrap().display().to_string()).collect();
    let exists = |document: &Path, word: &str| {
        let word = word.trim_start_matches("./");
        let near = document.parent().unwrap().join(word);
        // crates are left out if a path is in one: `proto/src/ike/io.rs`; a single name is resolved
        // by the text before it
        near.exists()
            || root.join(word).exists()
            || root.join("crates").join(word).exists()
            || inside.iter().any(|file| file.ends_with(&format!("/{word}")))
            || inside.iter().any(|file| file.contains(&format!("/{}/", word.trim_end_matches('/'))))
    };
    let (mut documents, mut paths, mut missing) = (0, 0, Vec::new());
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        documents += 1;
        let text = fs::read_to_string(file).unwrap();
        for (line, word) in named(&text) {
            paths += 1;
            if !exists(file, &word) {
                missing.push(format!("{}:{line}: {word}", file.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(documents > 10 && paths > 50, "{documents} documents name {paths} paths");
    assert!(missing.is_empty(), "documents name what does not exist:\n{}", missing.join("\n"));
}
