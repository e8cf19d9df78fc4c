#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[test]
fn table() {
    let opener = std::env::var("OPENER").ok();
    for line in std::fs::read_to_string(std::env::var("TABLE").unwrap()).unwrap().lines() {
        let (opener, line) = match line.split_once(" :: ") {
            Some((o, l)) => (Some(o.to_string()), l),
            None => (opener.clone(), line),
        };
        let text = match &opener {
            Some(o) => format!("{o}\n {line}\n"),
            None => format!("{line}\n"),
        };
        let parsed = hubward_config::parse(&text);
        let at = usize::from(opener.is_some());
        let told: Vec<_> = parsed
            .diagnostics
            .iter()
            .filter(|d| d.line as usize == at + 1)
            .map(|d| format!("{:?}: {}", d.code, d.message))
            .collect();
        println!(
            "T {:?} | {} {line} | {}",
            parsed.document.lines[at].class,
            opener.unwrap_or_default(),
            told.join(" / ")
        );
    }
}
