//! Terminal lines, `enable`, and SSH: who may log in to this router, and how.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, No, Row, fate, fold, name_it, row};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{EnablePassword, ExecTimeout, LineKind, LineLogin, TerminalLine, UserKey};

/// Bytes of a public key in base64; an RSA key of 16384 bits has 2800.
const KEY: usize = 8192;

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "line",
        "{{aux|console|tty|vty} <0-1000:first> [<0-1000:last>]|<0-1000:first> [<0-1000:last>]}",
        line,
    ),
    fold(In::Line, "exec-timeout", "= <0-35791:minutes> [<0-2147483:seconds>]", exec_timeout)
        .no(No::IsASetting),
    fold(In::Line, "login", "= [local|authentication <login-list>]", login).no(No::IsASetting),
    fold(In::Line, "password", "= [0|7] <LINE:password>", line_password),
    fold(In::Line, "privilege level", "= <0-15:level>", privilege),
    fold(In::Line, "access-class", "{= <access-list>} {in|out} = [vrf-also]", access_class),
    fold(
        In::Line,
        "transport input",
        "= {all|none|{ssh|telnet|rlogin|lapb-ta|mop|pad|udptn|v120}...}",
        transport_input,
    )
    .no(No::IsASetting),
    fold(In::Line, "length", "= <0-512:lines>", length),
    fold(In::Line, "width", "= <0-512:columns>", width),
    fate(In::Line, "transport output", Fate::Inert("users cannot connect from a line to other hosts")),
    fate(In::Line, "transport preferred", Fate::NoOp),
    fate(In::Line, "escape-character", Fate::Inert("sessions have no escape character")),
    fate(In::Line, "logging synchronous", Fate::NoOp),
    fate(In::Line, "stopbits", Fate::Inert("there is no serial port")),
    fate(In::Line, "speed", Fate::Inert("there is no serial port")),
    fate(In::Line, "flowcontrol", Fate::Inert("there is no serial port")),
    fold(In::Line, "exec", "", exec).no(No::IsASetting),
    fate(
        In::Line,
        "ipv6 access-class",
        Fate::Unenforced("restricts the addresses from which users may connect"),
    ),
    fate(In::Line, "authorization", Fate::Unenforced("restricts what users of this line may do")),
    fate(In::Line, "session-limit", Fate::Inert("users cannot connect from a line to other hosts")),
    fate(In::Line, "session-timeout", Fate::Inert("`exec-timeout` ends an idle session")),
    fate(In::Line, "history size", Fate::NoOp),
    fate(In::Line, "rotary", Fate::Inert("there are no rotary groups")),
    fate(In::Line, "modem", Fate::Inert("there is no serial port")),
    fold(In::Global, "enable secret", "[level <0-15:level>] = [0|4|5|8|9] <LINE:password>", enable_secret),
    fold(In::Global, "enable password", "[level <0-15:level>] = [0|6|7] <LINE:password>", enable_password),
    // a log of a session that is pasted; it takes no more words, or it would take wrong passwords
    // too
    row(In::Global, "enable", "[<0-15:level>]", super::row::Action::Fate(Fate::NoOp)),
    fold(In::Global, "ip ssh time-out", "= <1-120:seconds>", time_out),
    fold(In::Global, "ip ssh authentication-retries", "= <0-5:count>", retries),
    fate(In::Global, "ip ssh version", Fate::NoOp),
    fate(In::Global, "ip ssh source-interface", Fate::Inert("concerns the router's own SSH client")),
    fate(In::Global, "ip ssh rsa", Fate::Inert("the host key is an Ed25519 key")),
    fate(In::Global, "ip ssh dh", Fate::Inert("key exchange is by Curve25519 or NIST curves")),
    fate(In::Global, "ip ssh logging events", Fate::NoOp),
    fate(In::Global, "ip ssh client", Fate::Inert("there is no SSH client")),
    fate(In::Global, "ip ssh maxstartups", Fate::Inert("concurrent logins have limits of their own")),
    fate(In::Global, "ip ssh server", Fate::Inert("algorithms are chosen by Hubward")),
    fold(In::Global, "ip ssh pubkey-chain", "", pubkey_chain),
    fold(In::PubkeyChain, "username <name>", "", pubkey_user).also(&[In::PubkeyUser]),
    fold(In::PubkeyUser, "key-string", "[<LINE:key>]", key_string),
    fold(In::PubkeyUser, "key-hash", "<algorithm> <hash> [<comment>]", key_hash),
];

fn line(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    const KINDS: [(&str, LineKind); 2] = [("console", LineKind::Console), ("vty", LineKind::Vty)];
    let kind = given.choose(&KINDS).unwrap_or_default();
    let Some(first) = given.number::<u16>("first") else {
        return Err(given.missing("a line's number"));
    };
    let last = given.number("last").unwrap_or(first);
    if last < first {
        return Err(given.problem("last", "a line's number, not below the first"));
    }
    if fold.no {
        fold.config.lines.remove(&(kind, first, last));
        return Ok(());
    }
    let number = fold.line;
    let make = || TerminalLine { kind, first, last, line: number, ..TerminalLine::default() };
    let place = fold.config.lines.entry((kind, first, last), make);
    fold.mode = Mode::Line(place);
    Ok(())
}

/// Changes the line that the mode is about.
fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut TerminalLine)) {
    if let Mode::Line(place) = fold.mode
        && let Some(line) = fold.config.lines.get_mut(place)
    {
        change(line);
    }
}

/// What a line sets where `no` says something too: `default` leaves nothing said.
fn said<T>(fold: &Fold<'_>, value: T, no: T) -> Option<T> {
    match (fold.default, fold.no) {
        (true, _) => None,
        (false, true) => Some(no),
        (false, false) => Some(value),
    }
}

/// `exec-timeout MINUTES [SECONDS]`; `no exec-timeout` is `exec-timeout 0 0`.
fn exec_timeout(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let minutes: u32 = given.number("minutes").unwrap_or_default();
    let seconds = minutes * 60 + given.number::<u32>("seconds").unwrap_or_default();
    let timeout = if seconds == 0 { ExecTimeout::Never } else { ExecTimeout::After(seconds) };
    let timeout = said(fold, timeout, ExecTimeout::Never);
    change(fold, |line| line.exec_timeout = timeout);
    Ok(())
}

fn login(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let login = match (given.has("local"), given.string("login-list")) {
        (true, _) => LineLogin::Local,
        (false, Some(list)) => LineLogin::List(list),
        (false, None) => LineLogin::Password,
    };
    let login = said(fold, login, LineLogin::Nobody);
    change(fold, |line| line.login = login);
    Ok(())
}

fn line_password(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let password = fold.unless_no(given.password("password", 0));
    change(fold, |line| line.password = password);
    Ok(())
}

fn privilege(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let level = fold.unless_no(given.number("level"));
    change(fold, |line| line.privilege = level);
    Ok(())
}

/// `no exec`: the line opens no session.
fn exec(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let exec = said(fold, true, false);
    change(fold, |line| line.exec = exec);
    Ok(())
}

/// `access-class LIST in`; what goes out of a line goes nowhere, so that `out` restricts nothing.
fn access_class(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if given.has("out") {
        fold.fate = Some(Fate::Inert("users cannot connect from a line to other hosts"));
        return Ok(());
    }
    if !given.is_whole() {
        return Err(given.missing("in or out"));
    }
    let (no, given) = (fold.no, given.string("access-list"));
    change(fold, |line| name_it(&mut line.access_class, no, given));
    Ok(())
}

fn transport_input(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let ssh = said(fold, given.has("ssh") || given.has("all"), false);
    change(fold, |line| line.ssh = ssh);
    Ok(())
}

fn length(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let lines = fold.unless_no(given.number("lines"));
    change(fold, |line| line.length = lines);
    Ok(())
}

fn width(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let columns = fold.unless_no(given.number("columns"));
    change(fold, |line| line.width = columns);
    Ok(())
}

fn enable_secret(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    enable(fold, given, true);
    Ok(())
}

fn enable_password(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    enable(fold, given, false);
    Ok(())
}

/// `enable {secret|password} [level N] [TYPE] TEXT`
fn enable(fold: &mut Fold<'_>, given: &Given<'_>, secret: bool) {
    let (level, line) = (given.number("level").unwrap_or(15), fold.line);
    let password = fold.unless_no(given.password("password", 0));
    let enable = &mut fold.config.enable;
    let place = enable.iter().position(|known| (known.level, known.secret) == (level, secret));
    let new = password.map(|password| EnablePassword { level, secret, password, line });
    match place {
        Some(place) => drop(enable.splice(place..=place, new)),
        None => enable.extend(new),
    }
}

fn time_out(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.ssh.time_out = fold.unless_no(given.number("seconds"));
    Ok(())
}

fn retries(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.ssh.retries = fold.unless_no(given.number("count"));
    Ok(())
}

fn pubkey_chain(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.user_keys.clear();
    } else {
        fold.mode = Mode::PubkeyChain;
    }
    Ok(())
}

fn pubkey_user(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (user, line) = (given.string("name").unwrap_or_default(), fold.line);
    let keys = &mut fold.config.user_keys;
    if fold.no {
        keys.remove(&user);
        return Ok(());
    }
    let make = || UserKey { user: user.clone(), line, ..UserKey::default() };
    let place = keys.entry(user.clone(), make);
    fold.mode = Mode::PubkeyUser(place);
    Ok(())
}

/// `key-string`, and the key in base64 on the lines up to `exit`.
fn key_string(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    let first = given.text("key").unwrap_or_default().to_string();
    let given_lines = std::iter::once(first).chain(std::mem::take(&mut fold.block));
    let lines: Vec<String> =
        given_lines.filter(|line| !matches!(line.trim(), "exit" | "quit" | "")).collect();
    let key = public_key(&lines);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if !no && (key.is_empty() || key.len() > KEY || !key.chars().all(is_base64)) {
        return Err(given.problem("key", "a public key in base64 on the following lines, then exit"));
    }
    let Mode::PubkeyUser(user) = fold.mode else { return Ok(()) };
    if no {
        fold.config.key_strings.remove_from((user, String::new()), |(own, _)| *own == user);
    } else {
        fold.config.key_strings.entry((user, key.clone()), || key);
    }
    Ok(())
}

/// A key in base64: `ssh-ed25519 AAAA… comment`, or the key alone, in either case cut into lines.
fn public_key(lines: &[String]) -> String {
    let mut key = String::new();
    for (index, line) in lines.iter().enumerate() {
        let mut words = line.split_whitespace().peekable();
        let is_algorithm = |word: &&str| word.starts_with("ssh-") || word.starts_with("ecdsa-");
        if index == 0 && words.next_if(is_algorithm).is_some() {
            key.push_str(words.next().unwrap_or_default());
            if words.next().is_some() {
                // a comment ends it
                break;
            }
        } else {
            key.extend(words);
        }
    }
    key
}

/// `key-hash ALGORITHM HASH [COMMENT]`: the MD5 of the key.
fn key_hash(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    let algorithm = given.string("algorithm").unwrap_or_default();
    let hash = given.word("hash").unwrap_or_default().to_ascii_uppercase();
    let good = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !good && !no {
        return Err(given.problem("hash", "32 hexadecimal digits"));
    }
    if let Mode::PubkeyUser(user) = fold.mode {
        let known = (algorithm, hash);
        let added = fold.unless_no(Some(known.clone()));
        fold.config.key_hashes.replace((user, known), added);
    }
    Ok(())
}
