//! `hubward check`, and what the remarks on a configuration mean for its start.

use crate::files;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use hubward_config::document::Class;
use std::collections::BTreeSet;
use std::path::Path;

/// Reads a configuration; a banner in another character set harms nothing.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = files::read(file, files::CONFIGURATION)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Refuses to put a configuration in the place of a running one: one whose access controls are not enforced, one that lacks an
/// interface, and one with lines that have no effect although they should and that the running one does not have. A router
/// would not have taken such lines from its console either.
pub(crate) fn may_replace(old: &Parsed, new: &Parsed, allow_unenforced: bool) -> Result<(), String> {
    may_start(new, allow_unenforced)?;
    let names = |parsed: &Parsed| parsed.config.interfaces.iter().map(|i| i.name.clone()).collect::<Vec<_>>();
    // SAs know interfaces by their places
    if !names(new).starts_with(&names(old)) {
        return Err("an interface can be removed, or put before another, only by a restart (reload)".into());
    }
    let is_error = |d: &&Diagnostic| d.severity == Severity::Error && d.code != Code::Unenforced;
    let known = |d: &&Diagnostic| old.diagnostics.iter().any(|o| o.code == d.code && o.message == d.message);
    let broken: Vec<_> = new
        .diagnostics
        .iter()
        .filter(is_error)
        .filter(|d| !known(d))
        .map(|d| format!("line {}: {} ({})", d.line, d.message, d.remedy))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
}

/// Prints every remark with its line, and counts the lines of each class. Gives whether the configuration may start.
pub(crate) fn print(name: &str, text: &str, parsed: &Parsed) -> bool {
    let renderer = Renderer::plain();
    for diagnostic in &parsed.diagnostics {
        println!("{}\n", render(&renderer, name, text, diagnostic));
    }
    let count = |class| parsed.document.lines.iter().filter(|line| line.class == class).count();
    println!(
        "{} lines: {} implemented, {} without need of an effect, {} inert, {} not implemented, {} unknown",
        parsed.document.lines.iter().filter(|line| line.class != Class::Blank).count(),
        count(Class::Implemented),
        count(Class::NoOp),
        count(Class::Inert),
        count(Class::Unsupported),
        count(Class::Unknown)
    );
    match may_start(parsed, false) {
        Ok(()) => true,
        Err(refusal) => {
            println!("{refusal}");
            false
        }
    }
}

fn render(renderer: &Renderer, name: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Notice => Level::INFO,
    };
    let number = usize::try_from(diagnostic.line.saturating_sub(1)).unwrap_or(0);
    // a line may hold a key; only what stands in front of it is shown
    let line = text.split('\n').nth(number).unwrap_or_default().trim_end_matches('\r');
    let shown = shown(line);
    // the column is the whole line's, and may be within the sign that stands for the rest
    let column = shown.floor_char_boundary(usize::try_from(diagnostic.column.saturating_sub(1)).unwrap_or(0));
    let end = shown.len().max(column);
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.name()).element(
        Snippet::source(shown.as_str())
            .line_start(usize::try_from(diagnostic.line).unwrap_or(1))
            .path(name)
            .annotation(AnnotationKind::Primary.span(column..end)),
    );
    if !diagnostic.remedy.is_empty() {
        group = group.element(Level::HELP.message(diagnostic.remedy.as_str()));
    }
    renderer.render(&[group]).to_string()
}

/// A line without the secret at its end.
fn shown(line: &str) -> String {
    let public = hubward_config::secret::public_part(line);
    if public.len() == line.len() { line.to_string() } else { format!("{public} …") }
}

/// Refuses a configuration whose access controls would not be enforced.
pub(crate) fn may_start(parsed: &Parsed, allow_unenforced: bool) -> Result<(), String> {
    let open: Vec<_> = parsed.diagnostics.iter().filter(|d| d.code == Code::Unenforced).collect();
    if open.is_empty() || allow_unenforced {
        return Ok(());
    }
    let lines: Vec<_> = open.iter().map(|d| format!("  line {}: {}", d.line, d.message)).collect();
    Err(format!(
        "this configuration restricts access in ways that Hubward does not enforce; it does not start:\n{}\n\
         enforce this elsewhere and start with --allow-unenforced",
        lines.join("\n")
    ))
}

/// Tells the remarks at start, or after a reload those that are new.
pub(crate) fn tell(parsed: &Parsed, before: Option<&Parsed>) {
    for diagnostic in news(parsed, before) {
        match diagnostic.severity {
            Severity::Notice => tracing::info!("line {}: {}", diagnostic.line, diagnostic.message),
            Severity::Warning | Severity::Error => {
                tracing::warn!("line {}: {}", diagnostic.line, diagnostic.message);
            }
        }
    }
}

/// The remarks that were not there before: what changes forwarding first.
fn news<'p>(parsed: &'p Parsed, before: Option<&Parsed>) -> Vec<&'p Diagnostic> {
    // a line that was inserted moves the others, and what is said of them is not new for that
    let said: BTreeSet<_> = before.iter().flat_map(|old| &old.diagnostics).map(essence).collect();
    let mut news: Vec<_> = parsed.diagnostics.iter().filter(|d| !said.contains(&essence(d))).collect();
    news.sort_by_key(|d| d.code != Code::Forwarding);
    news
}

/// What a remark says, whatever the numbers of the lines that it names.
fn essence(remark: &Diagnostic) -> (Code, String) {
    let mut words = Vec::new();
    for word in remark.message.split(' ') {
        let number = words.last().is_some_and(|before| matches!(*before, "line" | "lines"));
        words.push(if number { "" } else { word });
    }
    (remark.code, words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_lines_are_no_news() {
        let text =
            "crypto isakmp key cisco123 address 0.0.0.0 0.0.0.0\ncrypto isakmp policy 10\n encr 3des\n";
        let before = hubward_config::parse(text);
        assert!(!news(&before, None).is_empty());
        let moved = hubward_config::parse(&format!("hostname Hub\n{text}"));
        assert!(news(&moved, Some(&before)).is_empty(), "{:?}", news(&moved, Some(&before)));
        let more = hubward_config::parse(&format!("{text}crypto isakmp policy 20\n encr 3des\n"));
        assert!(news(&more, Some(&before)).iter().all(|d| d.message.contains("20")));
        assert!(!news(&more, Some(&before)).is_empty());
    }

    /// Every beginning of every kind of line, with characters of several bytes and tabs: what is wrong is shown, whatever
    /// the column is and whatever is hidden behind it.
    #[test]
    fn every_beginning_of_a_line_can_be_shown() {
        let lines = [
            "crypto isakmp key x",
            "crypto isakmp key 6 x address 1.1.1.1 255.255.255.255 no-xauth x",
            "crypto isakmp key é address 1.1.1.1",
            "crypto isakmp key \u{1f511} hostname h\u{fc}b.example",
            "username a privilege 15 secret 5 $1$mERr$abc x",
            "enable secret level 7 x y",
            "snmp-server community x RO",
            "tacacs-server key 7 0822455D0A16",
            "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key x",
            "crypto keyring k\n pre-shared-key hostname h key 6 \u{e9}\u{e9} y",
            "crypto isakmp client configuration group g\n\tkey\tx\ty\tz",
            "crypto isakmp client configuration group g\n banner \u{e9}Bonjour",
            "interface FastEthernet0/0\n\tip address 10.0.0.1 255.0.0.0 secondly",
            "interface FastEthernet0/0\n ip ospf message-digest-key 1 md5 x",
            "interface FastEthernet0/0\n description caf\u{e9}\n caf\u{e9} \u{2026}",
            "line vty 0 4\n password \u{e9} x",
            "wpa-psk ascii 0 \u{4e2d}\u{6587}",
            "ip route 10.0.0.0 255.0.0.0 \u{a0}1.1.1.1 300",
            "banner motd \u{4e2d}\nx",
        ];
        let renderer = Renderer::plain();
        for line in lines {
            for end in line.char_indices().map(|(end, _)| end).chain([line.len()]) {
                for tail in ["", "\r", " ", "\t!", "\n!"] {
                    let text = format!("{}{tail}", &line[..end]);
                    for diagnostic in &hubward_config::parse(&text).diagnostics {
                        assert!(!render(&renderer, "x", &text, diagnostic).is_empty());
                    }
                }
            }
        }
    }

    /// Configurations full of secrets, right and wrong: nothing that is told of them holds one.
    #[test]
    fn no_secret_is_told() {
        let secret = "Zq9xDistinct7Secret";
        let lines = [
            "crypto isakmp key {} address 0.0.0.0 0.0.0.0",
            "crypto isakmp key 0 {} address nowhere at all",
            "crypto isakmp key {}",
            "crypto isakmp\tkey\t{}\tfrobnicate",
            "username a password 0 {}",
            "username a password 7 {}",
            "username a privilege 99 secret 5 {}",
            "user a pass {} surplus",
            "enable secret 5 {}",
            "enable password {}",
            "snmp-server community {} RO",
            "tacacs-server host 10.0.0.1 key {}",
            "radius-server key 7 {}",
            "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key {}\n pre-shared-key hostname h key 6 {}\n pre-shared-key address x key {}",
            "crypto isakmp client configuration group g\n key {}\n key 6 {}\n key",
            "interface Dialer1\n ppp chap password 0 {}\n ip ospf message-digest-key 1 md5 {}",
            "key chain x\n key 1\n  key-string {}",
            "wpa-psk ascii 0 {}",
        ];
        for end in ["\n", "\r\n"] {
            let text = lines.join("\n").replace("{}", secret).replace('\n', end);
            let parsed = hubward_config::parse(&text);
            assert!(parsed.diagnostics.len() > 8, "{:?}", parsed.diagnostics);
            let mut told = vec![format!("{:?}", parsed.config), format!("{:?}", parsed.diagnostics)];
            let renderer = Renderer::plain();
            told.extend(parsed.diagnostics.iter().map(|one| render(&renderer, "x", &text, one)));
            told.extend(may_start(&parsed, false).err());
            let (policy, left_out) =
                crate::translate::policy(&parsed.config, &vec![None; parsed.config.interfaces.len()]);
            told.push(format!("{policy:?}"));
            told.extend(left_out);
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for text in told {
                let lower = text.to_lowercase();
                assert!(!lower.contains(&secret.to_lowercase()) && !lower.contains(&hex), "{text}");
            }
        }
    }
}
