//! `docs/security.md` names a test for each class of vulnerabilities: each exists.

use std::path::{Path, PathBuf};

/// The classes of the table.
const CLASSES: usize = 88;

/// The cells of the table's rows.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let table = text.lines().skip_while(|line| !line.starts_with("| # |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Whether a source has a test of this name that is run.
fn has_test(source: &str, name: &str) -> bool {
    // a row of the interop tests' tables is run by its name
    if source.lines().any(|line| line.trim_start().starts_with(&format!("case(\"{name}\","))) {
        return true;
    }
    let begins = [format!("fn {name}("), format!("async fn {name}(")];
    let mut attributes = Vec::new();
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[") || line.starts_with("//") {
            attributes.push(line);
            continue;
        }
        if begins.iter().any(|begin| line.starts_with(begin)) {
            // a test that is left out shows nothing
            return attributes.contains(&"#[test]")
                && !attributes.iter().any(|line| line.starts_with("#[ignore") || line.contains("ignore)]"));
        }
        attributes.clear();
    }
    false
}

#[test]
fn each_class_of_vulnerabilities_has_a_row_and_each_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let rows = rows(&text);
    assert_eq!(rows.len(), CLASSES);
    let mut missing = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let [number, class, does, tests] = row[..] else { panic!("{row:?}") };
        assert_eq!(number, (place + 1).to_string());
        assert!(!class.is_empty() && !does.is_empty(), "{row:?}");
        // what Hubward does not have
        if tests == "nothing to test" {
            continue;
        }
        for test in tests.split(", ") {
            let named = test.strip_prefix('`').and_then(|test| test.strip_suffix('`'));
            let (file, name) =
                named.and_then(|test| test.split_once("::")).unwrap_or_else(|| panic!("{test}"));
            let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            if !has_test(&source, name) {
                missing.push(format!("{number}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_function_that_is_no_test_or_is_left_out_does_not_count() {
    let source = "#[test]\n#[ignore = \"slow\"]\n    fn one() {}\nfn two() {}\n// #[test]\nfn three() {}\n    #[test]\n    fn four() {}\n#[ignore]\n#[test]\nfn five() {}\n#[cfg_attr(miri, ignore)]\n#[test]\nfn six() {}\n";
    let found = ["one", "two", "three", "four", "five", "six"].map(|name| has_test(source, name));
    assert_eq!(found, [false, false, false, true, false, false]);
    let source = "    case(\"one\", &[Need::Hubward], one),\n    // case(\"two\", &[], two),\n";
    assert_eq!(["one", "two"].map(|name| has_test(source, name)), [true, false]);
}

/// systemd's sandbox lets through what the program calls to give up rights: otherwise no service
/// starts. Later lines of a unit change what earlier ones say.
#[test]
fn the_services_may_give_up_their_rights() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    for unit in ["hubward.service", "hubward-guard.service"] {
        let text = std::fs::read_to_string(root.join(unit)).unwrap();
        let filters: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")).collect();
        let [allowed @ .., refused, last] = &filters[..] else { panic!("{unit}: {filters:?}") };
        assert!(allowed == ["@system-service"] && refused.starts_with('~'), "{unit}: {filters:?}");
        for call in ["capset", "prlimit64", "setrlimit"] {
            assert!(last.split(' ').any(|word| word == call), "{unit} refuses {call}");
        }
    }
}

/// The sources of the crates that are delivered, each without its tests.
fn sources() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => below(&path, found),
                false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
                false => {}
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        below(&entry.unwrap().path().join("src"), &mut paths);
    }
    paths.sort();
    let of_tests =
        |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    let code = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_string())
    };
    paths.iter().filter(|path| !of_tests(path)).map(code).collect()
}

/// No text of a packet or a user reaches a shell, because none is started: only this program
/// itself, when it restarts and in `hubward lab`, and `nft`, which reads its rules from a file.
#[test]
fn no_program_but_this_one_and_nft_is_started() {
    let starts = |text: &str| {
        ["Command::new(", "libc::system(", "libc::exec", "posix_spawn"].iter().any(|call| text.contains(call))
    };
    let named: Vec<_> =
        sources().into_iter().filter(|(_, text)| starts(text)).map(|(name, _)| name).collect();
    assert_eq!(named, ["hubward/src/lab/place.rs", "hubward/src/run/mod.rs", "linux/src/nft.rs"]);
}

/// The protocols and the program have no unsafe code; system calls and vector instructions do.
#[test]
fn unsafe_code_is_in_system_calls_and_vector_instructions_alone() {
    let sources = sources();
    let with = |mark: &str| {
        let found = sources.iter().filter(|(_, text)| text.contains(mark)).map(|(name, _)| name.as_str());
        found.collect::<Vec<_>>()
    };
    let forbidden = with("forbid(unsafe_code)");
    for name in ["config/src/lib.rs", "hubward/src/lib.rs", "hubward/src/main.rs", "proto/src/lib.rs"] {
        assert!(forbidden.contains(&name), "{name}");
    }
    let allowed = with("allow(unsafe_code)");
    assert!(allowed.contains(&"linux/src/lib.rs"));
    let vectors = |name: &&str| name.starts_with("crypto/src/simd/") || *name == "linux/src/lib.rs";
    assert!(allowed.iter().all(vectors), "{allowed:?}");
}
