//! `docs/security.md` names a test for each class of vulnerabilities: each exists.

use std::path::Path;

/// The classes of the table.
const CLASSES: usize = 88;

/// The cells of the table's rows.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let table = text.lines().skip_while(|line| !line.starts_with("| # |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let mut lines = source.lines().map(str::trim_start);
    let begins = [format!("fn {name}("), format!("async fn {name}(")];
    while lines.any(|line| line == "#[test]") {
        let function = lines.by_ref().find(|line| !line.starts_with("#[") && !line.starts_with("//"));
        if function.is_some_and(|line| begins.iter().any(|begin| line.starts_with(begin))) {
            return true;
        }
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
        if tests == "not yet" {
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
fn a_function_that_is_no_test_does_not_count() {
    let source = "#[test]\n#[ignore]\n    fn one() {}\nfn two() {}\n// #[test]\nfn three() {}\n    #[test]\n    fn four() {}\n";
    let found = ["one", "two", "three", "four"].map(|name| has_test(source, name));
    assert_eq!(found, [true, false, false, true]);
}
