//! Lines against forms.

use super::*;
use crate::form::words;

fn outcome(forms: &[&'static str], line: &str) -> Outcome {
    let forms: Vec<Form> = forms.iter().map(|form| Form::compile(form)).collect();
    run(&forms.iter().collect::<Vec<_>>(), &words(line), false)
}

fn canonical(forms: &[&'static str], line: &str) -> String {
    match outcome(forms, line) {
        Outcome::Complete(matched) => matched.canonical(),
        other => panic!("{line}: {other:?}"),
    }
}

const KEY: &str =
    "crypto isakmp key [0|6] <key> {address <A.B.C.D:peer> [<A.B.C.D:mask>]|hostname <host>} [no-xauth]";
const SHOW: &[&str] =
    &["show clock", "show crypto isakmp sa [detail]", "show crypto ipsec sa", "show ip route", "show ipv6"];

#[test]
fn options_choices_and_abbreviations() {
    assert_eq!(
        canonical(&[KEY], "cry isa k cisco123 addr 10.0.0.1 no-x"),
        "crypto isakmp key cisco123 address 10.0.0.1 no-xauth"
    );
    assert_eq!(
        canonical(&[KEY], "crypto isakmp key 6 abc address 10.0.0.0 255.0.0.0"),
        "crypto isakmp key 6 abc address 10.0.0.0 255.0.0.0"
    );
    assert_eq!(canonical(&[KEY], "crypto isakmp key 0 hostname h"), "crypto isakmp key 0 hostname h");
    assert_eq!(canonical(SHOW, "sh cry isa sa det"), "show crypto isakmp sa detail");
    assert_eq!(canonical(SHOW, "sh ip r"), "show ip route");
}

#[test]
fn errors_name_their_word() {
    assert_eq!(outcome(SHOW, "sh c"), Outcome::Ambiguous(1));
    assert!(matches!(outcome(SHOW, "show crypto"), Outcome::Incomplete(_, next) if next.len() == 2));
    let Outcome::Invalid(misfit) = outcome(SHOW, "show crypto foo") else { panic!() };
    assert_eq!(misfit.word, 2);
    assert_eq!(misfit.expected.iter().map(Token::shown).collect::<Vec<_>>(), ["ipsec", "isakmp"]);
    assert!(matches!(outcome(SHOW, "show clock now"), Outcome::Invalid(Misfit { word: 2, .. })));
    assert!(matches!(outcome(SHOW, "hello"), Outcome::Invalid(Misfit { word: 0, .. })));
}

#[test]
fn an_argument_that_begins_like_a_keyword() {
    let forms = &["username <name> [privilege <0-15:level>|{password|secret} [0|7] <password>]..."];
    for line in ["username u password 0 p", "username u secret 7 privilege", "username p password p"] {
        assert_eq!(canonical(forms, line), line);
    }
    assert_eq!(outcome(forms, "username u p 7"), Outcome::Ambiguous(2));
}

/// A line costs in proportion to its length, however many ways there are through it.
#[test]
fn long_lines() {
    let form = Form::compile("list {[log|<option>]...|<LINE:rest>}");
    let line = format!("list {}", "log ".repeat(5000));
    let given = words(&line);
    let forms = [&form];
    let walk = Walk::new(&forms, &given);
    assert!(walk.steps.len() <= 3 * given.len(), "{}", walk.steps.len());
    assert!(matches!(run(&forms, &given, false), Outcome::Complete(matched) if matched.words.len() == 5001));
}

#[test]
fn repetition_and_the_rest_of_the_line() {
    let forms = &["set transform-set <set>...", "description <LINE:text>", "[log|fragments]... end"];
    assert_eq!(canonical(forms, "set transform-set a b c"), "set transform-set a b c");
    assert!(matches!(outcome(forms, "set transform-set"), Outcome::Incomplete(..)));
    assert_eq!(canonical(forms, "desc the ! hub"), "description the ! hub");
    assert_eq!(canonical(forms, "log frag log end"), "log fragments log end");
}

/// A keyword that is spelled out is not the beginning of a text, in the same form.
#[test]
fn a_keyword_before_a_text() {
    let forms = &["enable secret [level <0-15:level>] [0|5] <LINE:password>", "enable <LINE:rest>"];
    assert_eq!(canonical(forms, "ena sec lev 7 5 a b"), "enable secret level 7 5 a b");
    assert_eq!(canonical(forms, "enable secret a level 16"), "enable secret a level 16");
    let own = &[forms[0]];
    for (line, word) in [("enable secret level 16 a", 3), ("enable secret level x", 3)] {
        assert!(
            matches!(outcome(own, line), Outcome::Invalid(Misfit { word: at, .. }) if at == word),
            "{line}"
        );
    }
    assert!(matches!(outcome(own, "enable secret 5"), Outcome::Incomplete(..)));
    // another form may have it
    assert!(matches!(outcome(forms, "enable secret 5"), Outcome::Complete(matched) if matched.form == 1));
}

#[test]
fn a_comment_may_follow_a_whole_command() {
    assert_eq!(canonical(SHOW, "show clock !now"), "show clock");
    assert!(matches!(outcome(SHOW, "show crypto !now"), Outcome::Invalid(Misfit { word: 2, .. })));
}

#[test]
fn numbers_addresses_and_interfaces() {
    let forms = &["policy <1-10000:priority>", "policy default", "interface <IF:name> [<UNIT:unit>]"];
    assert_eq!(canonical(forms, "policy 10"), "policy 10");
    assert_eq!(canonical(forms, "pol def"), "policy default");
    assert!(matches!(outcome(forms, "policy 0"), Outcome::Invalid(Misfit { word: 1, .. })));
    assert!(matches!(outcome(forms, "policy +1"), Outcome::Invalid(Misfit { word: 1, .. })));
    for line in ["int fa0/0", "interface FastEthernet 0/0"] {
        assert_eq!(canonical(forms, line), "interface FastEthernet0/0");
    }
    let route = &["route <IF:interface> [<UNIT:unit>] [<A.B.C.D:hop>] [<1-255:distance>]"];
    for (line, full) in [
        ("route nu0 5", "route Null0 5"),
        ("route nu 0 5", "route Null0 5"),
        ("route fa0/0 1.1.1.1", "route FastEthernet0/0 1.1.1.1"),
    ] {
        assert_eq!(canonical(route, line), full);
    }
}

#[test]
fn what_replaces_what() {
    let forms = &[
        "hash = {md5|sha}",
        "ip route <A.B.C.D:prefix> <A.B.C.D:mask> <A.B.C.D:hop> = [<1-255:distance>]",
        "crypto isakmp key [0|6] <key> address <A.B.C.D:peer> = [no-xauth]",
        "crypto map <name> {<1-65535:sequence> = [ipsec-isakmp]|client {authentication list = <list>|configuration address respond}}",
    ];
    let matched = |line: &str| match outcome(forms, line) {
        Outcome::Complete(matched) => matched,
        other => panic!("{line}: {other:?}"),
    };
    let same = |one: &str, other: &str| matched(one).same_setting(&matched(other));
    assert!(same("hash md5", "hash sha"));
    assert!(same("ip route 10.0.0.0 255.0.0.0 1.1.1.1", "ip route 10.0.0.0 255.0.0.0 1.1.1.1 5"));
    assert!(!same("ip route 10.0.0.0 255.0.0.0 1.1.1.1", "ip route 10.0.0.0 255.0.0.0 1.1.1.2"));
    assert!(same(
        "crypto isakmp key 6 abc address 1.1.1.1",
        "crypto isakmp key xyz address 1.1.1.1 no-xauth"
    ));
    assert!(!same("crypto isakmp key abc address 1.1.1.1", "crypto isakmp key abc address 1.1.1.2"));
    assert!(same("crypto map m 10", "crypto map m 10 ipsec-isakmp"));
    assert!(same("crypto map m client authentication list a", "crypto map m client authentication list b"));
    assert!(!same(
        "crypto map m client authentication list a",
        "crypto map m client configuration address respond"
    ));
}

#[test]
fn the_specific_form_wins_over_the_general_one() {
    let forms = &["logging <LINE:rest>", "logging on"];
    let Outcome::Complete(matched) = outcome(forms, "logging on") else { panic!() };
    assert_eq!(matched.form, 1);
    let Outcome::Complete(matched) = outcome(forms, "logging buffered 4096") else { panic!() };
    assert_eq!(matched.form, 0);
}
