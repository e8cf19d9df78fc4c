#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod common;
use hubward_config::document::Class;
use hubward_config::edit::{Position, RawEnd, enter};
use hubward_config::{parse, spell_out};

#[test]
fn scratch() {
    for path in
        common::corpus().into_iter().skip(std::env::var("SKIP").map_or(0, |s| s.parse().unwrap())).take(6)
    {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replace('\r', "");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains(".md.") || name.contains("README") {
            continue;
        }
        let (mut typed, mut position) = (String::new(), Position::default());
        let mut lines = text.lines().take_while(|line| line.trim() != "end");
        println!("==== {name}");
        while let Some(line) = lines.next() {
            let mut entry = line.to_string();
            if let Some(end) = RawEnd::of(line.trim()) {
                for raw in lines.by_ref() {
                    entry.push('\n');
                    entry.push_str(raw);
                    if end.is(raw) {
                        break;
                    }
                }
            }
            if line.trim() == "exit" {
                position.leave();
                continue;
            }
            match enter(&typed, &position, &entry) {
                Ok(change) => {
                    let before = typed.clone();
                    position = change.position;
                    typed = change.text.unwrap_or(typed);
                    if typed.lines().any(|line| line.trim() == "exit")
                        && !before.lines().any(|line| line.trim() == "exit")
                    {
                        println!("EXIT by `{line}`");
                    }
                }
                Err(wrong) => println!("refused {wrong:?}: {line}"),
            }
        }
        // lines of the document typed against those of the file
        let spelled = spell_out(&text);
        let mut a: Vec<_> = spelled
            .lines()
            .map(|l| l.trim().to_string())
            .filter(|l| !l.is_empty() && !l.starts_with('!'))
            .collect();
        let mut b: Vec<_> = typed
            .lines()
            .map(|l| l.trim().to_string())
            .filter(|l| !l.is_empty() && !l.starts_with('!'))
            .collect();
        a.sort();
        b.sort();
        for l in &b {
            if !a.contains(l) {
                println!("NEW `{l}`");
            }
        }
        for l in &a {
            if !b.contains(l) && l != "end" && l != "exit" {
                println!("LOST `{l}`");
            }
        }
        // typed again: nothing changes
        let (mut position, mut again) = (Position::default(), typed.clone());
        let typed_lines = typed.clone();
        let mut lines = typed_lines.lines().take_while(|line| line.trim() != "end");
        while let Some(line) = lines.next() {
            let mut entry = line.to_string();
            if let Some(end) = RawEnd::of(line.trim()) {
                for raw in lines.by_ref() {
                    entry.push('\n');
                    entry.push_str(raw);
                    if end.is(raw) {
                        break;
                    }
                }
            }
            if line.trim() == "exit" {
                position.leave();
                continue;
            }
            match enter(&again, &position, &entry) {
                Ok(change) => {
                    if let Some(t) = &change.text {
                        let d = hubward_config::difference::differences(&again, t);
                        println!("AGAIN `{line}` changes {}", d.len());
                    }
                    position = change.position;
                    again = change.text.unwrap_or(again);
                }
                Err(wrong) => println!("AGAIN refused {wrong:?}: {line}"),
            }
        }
        let _ = Class::Blank;
        let _ = parse("");
    }
}
