//! Terminal lines, `enable`, and SSH: who may log in to this router, and how.

use super::{Fate, Fold, In, Mode, Row, entry, fate, fold, password, row};
use crate::form::{Cursor, Problem};
use crate::model::{EnablePassword, LineKind, LineLogin, TerminalLine, UserKey};

/// Bytes of a public key in base64; an RSA key of 16384 bits has 2800.
const KEY: usize = 8192;

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "line",
        "{{aux|console|tty|vty} <0-1000:first> [<0-1000:last>]|<0-1000:first> [<0-1000:last>]}",
        line,
    ),
    fold(In::Line, "exec-timeout", "= <0-35791:minutes> [<0-2147483:seconds>]", exec_timeout),
    fold(In::Line, "login", "= [local|authentication <list>]", login),
    fold(In::Line, "password", "= [0|7] <password>", line_password),
    fold(In::Line, "privilege level", "= <0-15:level>", privilege),
    fold(In::Line, "access-class", "<name> {in|out} [vrf-also]", access_class),
    fold(
        In::Line,
        "transport input",
        "= {all|none|{ssh|telnet|rlogin|lapb-ta|mop|pad|udptn|v120}...}",
        transport_input,
    ),
    fold(In::Line, "length", "= <0-512:lines>", length),
    fold(In::Line, "width", "= <0-512:columns>", width),
    fate(In::Line, "transport output", Fate::Inert("users cannot connect from a line to other hosts")),
    fate(In::Line, "transport preferred", Fate::NoOp),
    fate(In::Line, "escape-character", Fate::Inert("sessions have no escape character")),
    fate(In::Line, "logging synchronous", Fate::NoOp),
    fate(In::Line, "stopbits", Fate::Inert("there is no serial port")),
    fate(In::Line, "speed", Fate::Inert("there is no serial port")),
    fate(In::Line, "flowcontrol", Fate::Inert("there is no serial port")),
    fold(In::Line, "exec", "", exec),
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
    fold(In::Global, "enable secret", "[level <0-15:level>] = [0|4|5|8|9] <password>", enable_secret),
    fold(In::Global, "enable password", "[level <0-15:level>] = [0|6|7] <password>", enable_password),
    // a log of a session that is pasted; it takes no more words, or it would take wrong passwords
    // too
    row(In::Global, "enable", "[<0-15:level>]", super::Action::Fate(Fate::NoOp)),
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
    fold(In::PubkeyChain, "username <name>", "", pubkey_user),
    fold(In::PubkeyUser, "username <name>", "", pubkey_user),
    fold(In::PubkeyUser, "key-string", "[<LINE:key>]", key_string),
    fold(In::PubkeyUser, "key-hash", "<algorithm> <hash> [<comment>]", key_hash),
];

fn line(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let kind = match cursor.peek() {
        Some("console") => LineKind::Console,
        Some("vty") => LineKind::Vty,
        _ => LineKind::Other,
    };
    if cursor.peek().is_some_and(|word| word.parse::<u16>().is_err()) {
        cursor.next();
    }
    let problem = cursor.problem("a line's number");
    let first = cursor.number("a line's number", 0..=1000)?;
    let last = cursor.optional_number().unwrap_or(first);
    let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) else { return Err(problem) };
    if last < first {
        return Err(problem);
    }
    if fold.no {
        fold.config.lines.retain(|known| (known.kind, known.first, known.last) != (kind, first, last));
        return Ok(());
    }
    let number = fold.line;
    let place = entry(
        &mut fold.config.lines,
        |known| (known.kind, known.first, known.last) == (kind, first, last),
        || TerminalLine { kind, first, last, line: number, ..TerminalLine::default() },
    );
    fold.mode = Mode::Line(place);
    Ok(())
}

/// The line that the mode is about.
fn changed<'f>(fold: &'f mut Fold<'_>) -> Option<&'f mut TerminalLine> {
    let Mode::Line(place) = fold.mode else { return None };
    fold.config.lines.get_mut(place)
}

fn exec_timeout(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let given = match cursor.peek() {
        None => None,
        Some(_) => {
            let minutes = cursor.number("minutes 0-35791", 0..=35_791)?;
            Some(minutes * 60 + cursor.optional_number().unwrap_or(0))
        }
    };
    let no = fold.no;
    let default = fold.default;
    if let Some(line) = changed(fold) {
        line.exec_timeout = match (default, no) {
            (true, _) => None,
            // as `exec-timeout 0 0`
            (_, true) => Some(0),
            _ => given,
        };
    }
    Ok(())
}

fn login(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, default) = (fold.no, fold.default);
    let login = if cursor.keyword("local") {
        LineLogin::Local
    } else if cursor.keyword("authentication") {
        match cursor.peek() {
            Some(list) => LineLogin::List(list.to_string()),
            None => LineLogin::Password,
        }
    } else {
        LineLogin::Password
    };
    cursor.rest();
    if let Some(line) = changed(fold) {
        line.login = match (default, no) {
            (true, _) => None,
            (_, true) => Some(LineLogin::Nobody),
            _ => Some(login),
        };
    }
    Ok(())
}

fn line_password(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let given = match fold.no {
        true => {
            cursor.rest();
            None
        }
        false => Some(password(cursor, 0)?),
    };
    cursor.finish()?;
    if let Some(line) = changed(fold) {
        line.password = given;
    }
    Ok(())
}

fn privilege(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let level = if fold.no { None } else { Some(cursor.number("a level 0-15", 0..=15)? as u8) };
    cursor.rest();
    if let Some(line) = changed(fold) {
        line.privilege = level;
    }
    Ok(())
}

/// `no exec`: the line opens no session.
fn exec(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let exec = (!fold.default).then_some(!fold.no);
    if let Some(line) = changed(fold) {
        line.exec = exec;
    }
    cursor.finish()
}

/// `access-class LIST in`; what goes out of a line goes nowhere, so that `out` restricts nothing.
fn access_class(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = cursor.word("an access list")?.to_string();
    let inward = fold.no && cursor.peek().is_none() || cursor.keyword("in");
    cursor.rest();
    if !inward {
        fold.fate = Some(Fate::Inert("users cannot connect from a line to other hosts"));
        return Ok(());
    }
    let list = (!fold.no).then_some(name);
    if let Some(line) = changed(fold) {
        line.access_class = list;
    }
    Ok(())
}

fn transport_input(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mut ssh = false;
    while let Some(word) = cursor.next() {
        ssh |= matches!(word, "ssh" | "all");
    }
    let (no, default) = (fold.no, fold.default);
    if let Some(line) = changed(fold) {
        line.ssh = match (default, no) {
            (true, _) => None,
            (_, true) => Some(false),
            _ => Some(ssh),
        };
    }
    Ok(())
}

fn length(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let lines = if fold.no { None } else { Some(cursor.number("lines 0-512", 0..=512)? as u16) };
    cursor.rest();
    if let Some(line) = changed(fold) {
        line.length = lines;
    }
    Ok(())
}

fn width(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let columns = if fold.no { None } else { Some(cursor.number("columns 0-512", 0..=512)? as u16) };
    cursor.rest();
    if let Some(line) = changed(fold) {
        line.width = columns;
    }
    Ok(())
}

fn enable_secret(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    enable(fold, cursor, true)
}

fn enable_password(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    enable(fold, cursor, false)
}

/// `enable {secret|password} [level N] [TYPE] TEXT`
fn enable(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>, secret: bool) -> Result<(), Problem> {
    let level = match cursor.keyword("level") {
        true => cursor.number("a level 0-15", 0..=15)? as u8,
        false => 15,
    };
    if fold.no {
        cursor.rest();
        fold.config.enable.retain(|known| (known.level, known.secret) != (level, secret));
        return Ok(());
    }
    let line = fold.line;
    let given = EnablePassword { level, secret, password: password(cursor, 0)?, line };
    cursor.finish()?;
    let enable = &mut fold.config.enable;
    match enable.iter_mut().find(|known| (known.level, known.secret) == (level, secret)) {
        Some(known) => *known = given,
        None => enable.push(given),
    }
    Ok(())
}

fn time_out(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let seconds = if fold.no { None } else { Some(cursor.number("seconds 1-120", 1..=120)? as u8) };
    fold.config.ssh.time_out = seconds;
    cursor.rest();
    Ok(())
}

fn retries(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let count = if fold.no { None } else { Some(cursor.number("retries 0-5", 0..=5)? as u8) };
    fold.config.ssh.retries = count;
    cursor.rest();
    Ok(())
}

fn pubkey_chain(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if fold.no {
        fold.config.ssh.keys.clear();
    } else {
        fold.mode = Mode::PubkeyChain;
    }
    cursor.finish()
}

fn pubkey_user(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let user = fold.argument(0);
    let keys = &mut fold.config.ssh.keys;
    if fold.no {
        keys.retain(|key| key.user != user);
        return cursor.finish();
    }
    let line = fold.line;
    let place =
        entry(keys, |key| key.user == user, || UserKey { user: user.clone(), line, ..UserKey::default() });
    fold.mode = Mode::PubkeyUser(place);
    cursor.finish()
}

/// `key-string`, and the key in base64 on the lines up to `exit`.
fn key_string(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let problem = cursor.problem("a public key in base64 on the following lines, then exit");
    let given = std::iter::once(cursor.rest()).chain(std::mem::take(&mut fold.block));
    let lines: Vec<String> = given.filter(|line| !matches!(line.trim(), "exit" | "quit" | "")).collect();
    // `ssh-ed25519 AAAA… comment`, or the key alone, in either case cut into lines
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
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if !fold.no && (key.is_empty() || key.len() > KEY || !key.chars().all(is_base64)) {
        return Err(problem);
    }
    let no = fold.no;
    if let Mode::PubkeyUser(place) = fold.mode
        && let Some(user) = fold.config.ssh.keys.get_mut(place)
    {
        if no {
            user.strings.clear();
        } else if !user.strings.contains(&key) {
            user.strings.push(key);
        }
    }
    Ok(())
}

/// `key-hash ALGORITHM HASH [COMMENT]`: the MD5 of the key.
fn key_hash(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let algorithm = cursor.word("an algorithm")?.to_string();
    let problem = cursor.problem("32 hexadecimal digits");
    let hash = cursor.next().unwrap_or_default().to_ascii_uppercase();
    cursor.rest();
    let good = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !good && !fold.no {
        return Err(problem);
    }
    let no = fold.no;
    if let Mode::PubkeyUser(place) = fold.mode
        && let Some(user) = fold.config.ssh.keys.get_mut(place)
    {
        let known = (algorithm, hash);
        user.hashes.retain(|other| *other != known);
        if !no {
            user.hashes.push(known);
        }
    }
    Ok(())
}
