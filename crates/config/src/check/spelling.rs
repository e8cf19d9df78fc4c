//! What a line that is not understood may have been meant as.

use crate::astray::MODES;
use crate::automaton::Token;
use crate::command::In;
use crate::command::table::{Lookup, commands, lookup_named};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Line;
use crate::form::{Word, words};
use crate::meant::meant;
use crate::parsed::Parsed;

/// Lines that are asked after: of thousands, nobody reads the answers.
const ASKED: usize = 200;
/// Words of a line that may have a slip.
const SLIPS: usize = 2;

/// Asks after lines that differ from a command by a slip or two in their keywords.
pub(super) fn check(parsed: &mut Parsed) {
    let lines = &parsed.document.lines;
    let is_unread = |told: &Diagnostic| {
        told.code == Code::Unknown
            || told.code == Code::Unenforced && told.message.contains("or is not understood")
    };
    let unread = parsed.diagnostics.iter_mut().filter(|told| is_unread(told));
    for told in unread.take(ASKED) {
        if let Some(meant) = meant_line(lines, told) {
            told.message.push_str(&format!(" (did you mean `{meant}`?)"));
        }
    }
}

/// The keywords of the command that a line was meant as, up to its first argument.
fn meant_line(lines: &[Line], told: &Diagnostic) -> Option<String> {
    let line = lines.get(usize::try_from(told.line.checked_sub(1)?).ok()?)?;
    let head = line.under.and_then(|under| lines.get(under));
    let all = words(&line.text);
    let negated = all.first().is_some_and(|word| ["no", "default"].contains(&word.text));
    let given = all.get(usize::from(negated)..)?;
    let own = head.and_then(|head| {
        let begins = |(opener, _): &&(&str, In)| {
            head.spelled.strip_prefix(opener).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        MODES.iter().find(begins).map(|(_, mode)| *mode)
    });
    let modes = own.into_iter().chain([In::Global]);
    modes.into_iter().find_map(|mode| corrected(mode, given))
}

/// The beginning of a command that words become with slips undone.
pub(crate) fn corrected(mode: In, given: &[Word<'_>]) -> Option<String> {
    let mut words: Vec<Word<'_>> = given.to_vec();
    let mut last = None;
    for _ in 0..SLIPS {
        let wrong = match lookup_named(mode, &words, false) {
            Lookup::Command(row, _) => {
                return last.map(|last: usize| shown(row.words().max(last + 1), &words));
            }
            // the command is found, and something of it is missing
            Lookup::Incomplete { named: true, .. } => break,
            Lookup::Incomplete { .. } => return None,
            Lookup::Ambiguous(word) | Lookup::Invalid { word, .. } => word,
        };
        let known = expected(mode, words.get(..wrong)?);
        let keyword = meant(words.get(wrong)?.text, known)?;
        words.get_mut(wrong)?.text = keyword;
        last = Some(wrong);
    }
    let last = last?;
    match lookup_named(mode, &words, false) {
        Lookup::Command(row, _) => Some(shown(row.words(), &words)),
        Lookup::Incomplete { named: true, .. } => Some(shown(last + 1, &words)),
        Lookup::Invalid { word, named: true, .. } if word > last => Some(shown(last + 1, &words)),
        _ => None,
    }
}

/// The keywords that a mode's commands may go on with.
fn expected(mode: In, before: &[Word<'_>]) -> Vec<&'static str> {
    let forms: Vec<_> = commands(mode).forms.iter().collect();
    let (tokens, _) = crate::automaton::next(&forms, before);
    let keyword = |token: Token| match token {
        Token::Keyword(keyword) => Some(keyword),
        Token::Argument(..) => None,
    };
    tokens.into_iter().filter_map(keyword).collect()
}

/// So many words, and never what may be a secret.
fn shown(many: usize, words: &[Word<'_>]) -> String {
    let text: Vec<_> = words.iter().take(many.max(1)).map(|word| word.text).collect();
    let text = text.join(" ");
    crate::secret::public_part(&text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    fn asked(text: &str) -> Option<String> {
        let told = crate::parse(text).diagnostics;
        let unread = told.into_iter().find(|told| matches!(told.code, Code::Unknown))?;
        let (_, asked) = unread.message.split_once("did you mean `")?;
        asked.split('`').next().map(str::to_string)
    }

    #[test]
    fn a_keyword_with_a_slip_is_asked_after() {
        for (text, wanted) in [
            ("crypto mapp M 10 ipsec-isakmp\n", Some("crypto map M")),
            ("crypto isakmp polcy 10\n group 2\n", Some("crypto isakmp policy 10")),
            ("crypot map M 10 ipsec-isakmp\n", Some("crypto map M")),
            ("hostnmae A\n", Some("hostname")),
            ("acess-list 101 permit ip any any\n", Some("access-list")),
            ("interfcae FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n", Some("interface")),
            ("interface FastEthernet0/0\n ip adress 10.0.0.1 255.0.0.0\n", Some("ip address")),
            ("interface FastEthernet0/0\n crytpo map M\n", Some("crypto map")),
            ("crypto map M 10 ipsec-isakmp\n set pere 10.0.0.1\n", Some("set peer")),
            ("crypto map M 10 ipsec-isakmp\n match adress 101\n", Some("match address")),
            ("Building configuration...\n", None),
            ("frobnicate the thing\n", None),
        ] {
            let asked = asked(text);
            match wanted {
                None => assert_eq!(asked, None, "{text}"),
                Some(words) => {
                    assert!(asked.as_ref().is_some_and(|asked| asked.starts_with(words)), "{text}: {asked:?}")
                }
            }
        }
    }

    #[test]
    fn no_secret_is_asked_after() {
        for text in
            ["crypto isakmp kye Zq9xDistinct address 10.0.0.1\n", "usernmae a password 0 Zq9xDistinct\n"]
        {
            let told = crate::parse(text).diagnostics;
            assert!(told.iter().all(|told| !told.message.contains("Zq9x")), "{told:?}");
        }
    }
}
