//! Configurations that other people wrote: a folder of files, some of them prose with
//! configurations in it.
//!
//! `HUBWARD_CORPUS` names the folder. Nothing of it is part of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One configuration.
#[derive(Debug, Clone)]
pub struct Found {
    /// The number in the file's name, and where there are several configurations in it, the line on
    /// which this one starts: `018:337`.
    pub label: String,
    /// The configuration.
    pub text: String,
}

/// The files of the folder, sorted by name; the index is not one of them.
pub fn files() -> Result<Vec<PathBuf>> {
    let folder = std::env::var_os("HUBWARD_CORPUS").context("HUBWARD_CORPUS is not set")?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read {}", Path::new(&folder).display()))? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("HUBWARD_CORPUS names a folder without a configuration");
    }
    Ok(files)
}

/// A short name for a file: the number that its name starts with, else the whole name.
pub fn label(file: &Path) -> String {
    let stem = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match stem.split_once('_') {
        Some((number, _)) if number.bytes().all(|b| b.is_ascii_digit()) => number.to_owned(),
        _ => stem,
    }
}

/// The configurations of a file: the file itself, or, if it is prose, each part that mentions
/// crypto.
pub fn configurations(label: &str, text: &str) -> Vec<Found> {
    let pieces = pieces(text);
    if let [(_, whole)] = pieces.as_slice() {
        return vec![Found { label: label.to_owned(), text: whole.clone() }];
    }
    pieces
        .into_iter()
        .filter(|(_, piece)| piece.lines().any(of_crypto))
        .map(|(line, text)| Found { label: format!("{label}:{line}"), text })
        .collect()
}

/// Whether a line configures something of IPsec, in which mode ever.
fn of_crypto(line: &str) -> bool {
    const OPENERS: [&str; 7] = [
        "crypto map ",
        "crypto isakmp ",
        "crypto ipsec ",
        "crypto ikev2 ",
        "crypto dynamic-map ",
        "crypto gdoi ",
        "tunnel protection ",
    ];
    OPENERS.iter().any(|opener| line.trim_start().starts_with(opener))
}

/// The file cut at its fences, or else at the lines with which its author separated devices; with
/// their line numbers.
fn pieces(text: &str) -> Vec<(usize, String)> {
    let fenced = text.lines().any(|line| line.trim_start().starts_with("```"));
    let mut pieces = vec![(1, Vec::new())];
    let mut inside = !fenced;
    for (number, line) in text.lines().enumerate() {
        if fenced && line.trim_start().starts_with("```") {
            inside = !inside;
            pieces.push((number + 2, Vec::new()));
        } else if !fenced && separates(line) {
            pieces.push((number + 2, Vec::new()));
        } else if inside && let Some((_, lines)) = pieces.last_mut() {
            lines.push(line);
        }
    }
    pieces
        .into_iter()
        .filter(|(_, lines)| lines.iter().any(|line| !line.trim().is_empty()))
        .map(|(number, lines)| (number, without_prompts(&lines)))
        .collect()
}

/// `=====`, `-----`, `!#####`, `HQ -`, `R2:`, `SITE_A`, `! Branch`: the next device's lines follow.
fn separates(line: &str) -> bool {
    let line = line.trim();
    let bar = |text: &str, mark: char| text.len() >= 8 && text.chars().all(|c| c == mark);
    if bar(line, '=') || bar(line, '-') || line.strip_prefix('!').is_some_and(|rest| bar(rest, '#')) {
        return true;
    }
    let word = |text: &str| {
        (1..=10).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = line.strip_suffix(['-', ':']) {
        return word(name.trim_end());
    }
    match line.strip_prefix("! ") {
        Some(comment) => ["Branch", "HQ", "ISP", "R1", "R2"].contains(&comment.trim()),
        None => word(line) && line.starts_with("SITE_"),
    }
}

/// A part in which somebody typed at a router's prompt becomes the lines that were typed in
/// configuration mode; any other is left as it is, except for indentation that all of its lines
/// share.
fn without_prompts(lines: &[&str]) -> String {
    let typed: Vec<&str> = lines.iter().filter_map(|line| after_prompt(line)).collect();
    let kept: Vec<&str> = if typed.is_empty() {
        let shared = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min();
        lines.iter().map(|line| line.get(shared.unwrap_or(0)..).unwrap_or("")).collect()
    } else {
        typed
    };
    let mut text = kept.join("\n");
    text.push('\n');
    text
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `R1(config-if)# crypto map GM` is `crypto map GM`.
fn after_prompt(line: &str) -> Option<&str> {
    let (name, rest) = line.trim_start().split_once('(')?;
    let (mode, command) = rest.split_once(")#")?;
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (word(name) && word(mode)).then(|| command.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_taken_whole_although_it_has_bars_in_comments() {
        let text = "! =========================\n! Interfaces\n! =========================\ninterface Gi0/0\n crypto map M\n";
        let found = configurations("050", text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].label.as_str(), found[0].text.as_str()), ("050", text));
    }

    #[test]
    fn prose_is_cut_at_fences_and_what_was_typed_is_taken_from_behind_the_prompt() {
        let text = "words\n\n  ```text\n  R1# conf t\n  R1(config)# crypto map M 10 gdoi\n  R1(config-crypto-map)# set group G\n  ```\n\n\
                    ```text\nR1# show crypto map\n```\n";
        let found = configurations("038", text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].label, "038:4");
        assert_eq!(found[0].text, "crypto map M 10 gdoi\nset group G\n");
    }

    #[test]
    fn text_without_fences_is_cut_where_the_next_device_begins() {
        let text = "HQ - \ncrypto map A 10 ipsec-isakmp\n-----------------\nBR-\ncrypto map B 10 ipsec-isakmp\n============\nip cef\n";
        let labels: Vec<_> = configurations("058", text).into_iter().map(|found| found.label).collect();
        assert_eq!(labels, ["058:2", "058:5"]);
    }
}
