//! Access lists at the console: what is written is what is in force, and no line is written that
//! takes another away.

use super::*;
use crate::acl::written;
use crate::model::Acl;

/// A session, and what it was answered.
struct Console {
    text: String,
    position: Position,
}

impl Console {
    fn at(text: &str) -> Self {
        Self { text: text.into(), position: Position::default() }
    }

    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        if line == "exit" {
            self.position.leave();
            return Ok(());
        }
        let change = enter(&self.text, &self.position, line)?;
        self.position = change.position;
        self.text = change.text.unwrap_or_else(|| self.text.clone());
        Ok(())
    }

    fn lines(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            self.line(line).unwrap_or_else(|wrong| panic!("{line}: {wrong:?}\n{}", self.text));
        }
        self
    }
}

fn config(text: &str) -> Config {
    read(text, Numbers::Left).0.config
}

fn typed(text: &str, lines: &[&str]) -> String {
    Console::at(text).lines(lines).text.clone()
}

#[test]
fn a_list_that_is_taken_away_is_gone_in_every_form() {
    let named = "hostname A\nip access-list extended B\n permit ip any any\nip access-list extended B\n deny udp any any\n";
    let numbered = "hostname A\naccess-list 150 permit tcp any any\naccess-list 150 remark x\naccess-list 150 permit tcp any any\n\
         ip access-list extended 150\n deny ip any any\n";
    for (text, line) in [
        (named, "default ip access-list extended B"),
        (named, "no ip access-list extended B"),
        (numbered, "no access-list 150"),
        (numbered, "default access-list 150"),
        (numbered, "no access-list 150 permit tcp any any"),
        (numbered, "default access-list 150 permit tcp any any"),
        (numbered, "no access-list 150 deny gre any any"),
        (numbered, "no ip access-list extended 150"),
    ] {
        assert_eq!(typed(text, &[line]), "hostname A\n", "{line}");
        // once more, and where there was none
        assert_eq!(typed(text, &[line, line]), "hostname A\n", "{line}");
    }
    // of the other kind there is none
    assert_eq!(typed(named, &["no ip access-list standard B"]), named);
    let v6 = "ipv6 access-list B\n permit ipv6 any any\nip access-list standard B\n permit any\n";
    assert_eq!(typed(v6, &["no ipv6 access-list B"]), "ip access-list standard B\n permit any\n");
}

#[test]
fn a_remark_of_a_numbered_list_goes_alone() {
    let text = "access-list 101 remark first\naccess-list 101 permit ip any any\n";
    let left = "access-list 101 permit ip any any\n";
    assert_eq!(typed(text, &["no access-list 101 remark first"]), left);
    assert_eq!(typed("access-list 101 remark first\n", &["no access-list 101 remark first"]), "");
    let mut console = Console::at(text);
    assert_eq!(
        console.line("no access-list 101 remark other"),
        Err(Wrong::Said("Access-list entry does not exist".into()))
    );
    assert_eq!(console.text, text);
}

#[test]
fn lines_that_do_not_count_do_not_outlive_the_line_that_did() {
    let text = "ip access-list extended B\n permit ip any any\n deny udp any any\n permit ip any any\n";
    for line in ["default 10", "no 10", "no permit ip any any", "default permit ip any any"] {
        let left = typed(text, &["ip access-list extended B", line]);
        let acl = config(&left).acls[0].clone();
        assert_eq!((acl.entries.len(), acl.entries[0].sequence), (1, Some(20)), "{line}\n{left}");
        assert_eq!(left, "ip access-list extended B\n 20 deny udp any any\n", "{line}");
    }
    let mut console = Console::at(text);
    console.lines(&["ip access-list extended B"]);
    for absent in ["no 99", "default 99", "no permit gre any any", "no remark x"] {
        assert_eq!(
            console.line(absent),
            Err(Wrong::Said("Access-list entry does not exist".into())),
            "{absent}"
        );
    }
    assert_eq!(console.text, text);
}

#[test]
fn a_list_is_written_once() {
    let text = typed("", &["ip access-list standard 10", "exit", "ip access-list standard 10"]);
    assert_eq!(text, "ip access-list standard 10\n");
    let text = typed(&text, &["access-list 10 permit any", "ip access-list standard 10"]);
    assert_eq!(text, "ip access-list standard 10\n permit any\n");
    let text = typed("access-list 10 permit 10.0.0.1\n", &["ip access-list standard 10", "permit 10.0.0.2"]);
    assert_eq!(text, "access-list 10 permit 10.0.0.1\naccess-list 10 permit 10.0.0.2\n");
    // what is there behind numbered lines is not written again
    let numbered = "ip access-list extended B\n 5 permit ip any any\n 7 deny udp any any\n";
    assert_eq!(typed(numbered, &["ip access-list extended B", "permit ip any any"]), numbered);
    assert_eq!(
        typed(
            "ip access-list extended B\n permit ip any any\n deny udp any any\n",
            &["ip access-list extended B", "15 remark x"]
        ),
        "ip access-list extended B\n 10 permit ip any any\n 15 remark x\n 20 deny udp any any\n"
    );
}

#[test]
fn lines_without_what_they_need_are_refused() {
    let text = "ip access-list extended B\n permit ip any any\n";
    for (line, wrong) in [
        ("ip access-list resequence NOPE 100 5", Wrong::Said("Access list does not exist".into())),
        ("ip access-list resequence B 0 10", Wrong::Invalid(28)),
        ("ip access-list resequence B 5", Wrong::Incomplete),
        ("ip access-list resequence B", Wrong::Incomplete),
        ("ip access-list resequence", Wrong::Incomplete),
        ("ip access-list", Wrong::Incomplete),
        ("ip access-list extended", Wrong::Incomplete),
        ("ip access-list standard", Wrong::Incomplete),
        ("time-range", Wrong::Incomplete),
        ("object-group network", Wrong::Incomplete),
        ("access-list 101 remark", Wrong::Incomplete),
    ] {
        let mut console = Console::at(text);
        let is_incomplete = wrong == Wrong::Incomplete;
        assert_eq!(console.line(line), Err(wrong), "{line}");
        assert_eq!(console.text, text);
        let offered = console.position.choices(&[], &format!("{line} "));
        assert!(
            !is_incomplete || !offered.iter().any(|choice| choice.token == "<cr>"),
            "{line}: {offered:?}"
        );
    }
    let mut console = Console::at(text);
    console.lines(&["ip access-list extended B"]);
    assert_eq!(console.line("remark"), Err(Wrong::Incomplete));
    // of the logging of lists
    assert!(typed("", &["ip access-list log-update threshold 5"]).contains("threshold"));
}

// ---- any sequence of commands ---------------------------------------------------------------------

/// A generator of numbers that are the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

/// How a list is opened, its name, whether it has lines of `access-list`, and what a line says.
const LISTS: [(&str, &str, bool, &str); 5] = [
    ("ip access-list extended 101", "101", true, "permit ip host 10.0.0.# any"),
    ("ip access-list standard 10", "10", true, "permit 10.0.0.#"),
    ("ip access-list extended A", "A", false, "deny tcp host 10.0.0.# any"),
    ("ip access-list standard S", "S", false, "deny 10.0.0.#"),
    ("ipv6 access-list V", "V", false, "permit ipv6 host 2001:DB8::# any"),
];

/// The lines that a list should have, with their numbers; `None` if there should be no list.
type Should = Option<Vec<(u32, String)>>;

fn is(acl: &Acl) -> Vec<(u32, String)> {
    let rules = acl.entries.iter().filter(|entry| !entry.is_remark());
    rules.map(|entry| (entry.sequence.unwrap(), written(entry, acl.kind))).collect()
}

/// What IOS makes of a line of a list; `Err` if it refuses it.
fn add(should: &mut Should, number: Option<u32>, rule: &str) -> Result<(), ()> {
    let rules = should.get_or_insert_default();
    if rules.iter().any(|(own, said)| said == rule && number.is_none_or(|number| number == *own)) {
        return Ok(());
    }
    if number.is_some_and(|number| rules.iter().any(|(own, _)| *own == number)) {
        return Err(());
    }
    if !rules.iter().any(|(_, said)| said == rule) {
        let next = rules.last().map_or(10, |(last, _)| last + 10);
        rules.push((number.unwrap_or(next), rule.to_string()));
        rules.sort();
    }
    Ok(())
}

#[test]
fn what_is_written_is_what_is_in_force() {
    for seed in 1..=24_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut console = Console::at("hostname A\n!\nline vty 0 4\n!\nend\n");
        let mut should: Vec<Should> = vec![None; LISTS.len()];
        let mut typed = Vec::new();
        for _ in 0..40 {
            let place = dice.roll(LISTS.len());
            let (opener, name, numbered, said) = LISTS[place];
            let no = ["no", "default"][dice.roll(2)];
            let rule = said.replace('#', &(1 + dice.roll(5)).to_string());
            let number = [3, 10, 15, 20, 30, 40][dice.roll(6)];
            let known = should[place].is_some();
            let list = &mut should[place];
            let mut within = Vec::new();
            let expected: Result<(), ()> = match dice.roll(14) {
                0 => {
                    *list = None;
                    within.push(format!("{no} {opener}"));
                    Ok(())
                }
                1 if numbered => {
                    *list = None;
                    let rest = ["", &format!(" {rule}")][dice.roll(2)].to_string();
                    within.push(format!("{no} access-list {name}{rest}"));
                    Ok(())
                }
                2..=4 if numbered => {
                    within.push(format!("access-list {name} {rule}"));
                    add(list, None, &rule)
                }
                5 if !opener.starts_with("ipv6") => {
                    within.push(format!("ip access-list resequence {name} {number} 7"));
                    for ((own, _), next) in list.iter_mut().flatten().zip(0..) {
                        *own = number + 7 * next;
                    }
                    if known { Ok(()) } else { Err(()) }
                }
                6 if numbered && known => {
                    within.push(format!("access-list {name} remark about {}", dice.roll(2)));
                    Ok(())
                }
                kind => {
                    list.get_or_insert_default();
                    within.push(opener.to_string());
                    let rules = list.get_or_insert_default();
                    let before = rules.len();
                    match kind {
                        7 => {
                            rules.retain(|(own, _)| *own != number);
                            within.push(format!("{no} {number}"));
                            if rules.len() == before { Err(()) } else { Ok(()) }
                        }
                        8 => {
                            rules.retain(|(_, said)| *said != rule);
                            within.push(format!("{no} {rule}"));
                            if rules.len() == before { Err(()) } else { Ok(()) }
                        }
                        9 | 10 => {
                            let word = if name == "V" && dice.roll(2) == 0 { "sequence " } else { "" };
                            within.push(format!("{word}{number} {rule}"));
                            add(list, Some(number), &rule)
                        }
                        11 => {
                            within.push(format!("remark note {}", dice.roll(2)));
                            Ok(())
                        }
                        _ => {
                            within.push(rule.clone());
                            add(list, None, &rule)
                        }
                    }
                }
            };
            let (last, openers) = within.split_last().unwrap();
            for line in openers {
                console.line(line).unwrap();
            }
            let before = console.text.clone();
            let around: Vec<String> =
                console.position.openers.iter().map(|opener| opener.line.clone()).collect();
            let got = console.line(last);
            typed.extend(within.clone());
            let context =
                format!("seed {seed}\n{}\n-----\n{before}-----\n{}", typed.join("\n"), console.text);
            assert_eq!(got.is_ok(), expected.is_ok(), "{got:?} {context}");
            match got {
                Err(_) => assert_eq!(console.text, before, "{context}"),
                // what the line would mean in a file
                Ok(()) => {
                    let file =
                        format!("{}exit\n{}\n{last}\n", before.replace("end\n", ""), around.join("\n"));
                    assert!(agree(&config(&console.text), &config(&file)), "{context}");
                }
            }
            let is_gone = ["no ", "default ", "exit", "ip access-list resequence"];
            let stray =
                console.text.lines().find(|line| is_gone.iter().any(|word| line.trim().starts_with(word)));
            assert_eq!(stray, None, "{context}");
            let now = config(&console.text);
            let lists: Vec<&Acl> = now.acls.iter().chain(&now.ipv6_acls).collect();
            for ((opener, name, ..), should) in LISTS.iter().zip(&should) {
                let own = lists.iter().find(|acl| acl.name == *name);
                assert_eq!(own.map(|acl| is(acl)), *should, "{name} {context}");
                let opened = console.text.lines().filter(|line| line == opener).count();
                assert!(opened <= 1, "{context}");
            }
            let says = ["permit ", "deny ", "remark "];
            let lines =
                console.text.lines().filter(|line| says.iter().any(|word| line.contains(word))).count();
            assert_eq!(lines, lists.iter().map(|acl| acl.entries.len()).sum::<usize>(), "{context}");
        }
    }
}
