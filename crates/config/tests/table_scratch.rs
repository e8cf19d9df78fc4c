#![allow(clippy::unwrap_used)]
#[test]
fn table() {
    let parsed = hubward_config::parse(&std::fs::read_to_string(std::env::var("TABLE").unwrap()).unwrap());
    for line in &parsed.document.lines {
        println!("T {:?} {:?} {}", line.class, line.under, line.text);
    }
    for d in &parsed.diagnostics {
        println!("T {} {}", d.line, d.message);
    }
}
