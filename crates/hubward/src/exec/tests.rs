//! What comes over the control socket.

use super::{LINE, answer, parse};
use crate::gateway::Message;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::sync_channel;

/// Every command cut short, changed by a byte, repeated and joined: understood or refused, with nothing of it in the refusal.
#[test]
fn mutated_lines() {
    let lines = [
        "show crypto isakmp sa detail",
        "clear crypto sa peer 192.0.2.1",
        "show ip interface Fa0/0",
        "\u{0}é\r\n",
    ];
    for line in lines {
        for (at, _) in line.char_indices() {
            let (head, tail) = line.split_at(at);
            for changed in [
                head.to_string(),
                tail.to_string(),
                format!("{head}\u{0}{tail}"),
                format!("{head} {tail}"),
                format!("{tail} {head}"),
                head.repeat(200),
                format!("{head}{}{tail}", "\u{10ffff}".repeat(50)),
            ] {
                if let Err(refusal) = parse(&changed) {
                    let ambiguous = refusal.strip_prefix("% Ambiguous command:  \"");
                    assert!(
                        refusal == "% Invalid input detected\n"
                            || ambiguous.is_some_and(|line| line.trim_end().is_ascii()),
                        "{refusal}"
                    );
                }
            }
        }
    }
    assert!(parse(&"show ".repeat(2000)).is_err());
}

/// As many bytes as a line may have, and one more, which is not waited for and not read.
#[test]
fn the_longest_line() {
    for surplus in [0, 1] {
        let (mut client, server) = UnixStream::pair().unwrap();
        let (sender, receiver) = sync_channel(1);
        let line = "x".repeat(usize::try_from(LINE).unwrap() + surplus);
        client.write_all(line.as_bytes()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let gateway = std::thread::spawn(move || {
            let Ok(Message::Exec(line, answer)) = receiver.recv() else { return None };
            answer.send("answer".to_string()).unwrap();
            Some(line.len())
        });
        let answered = answer(server, &sender);
        drop(sender);
        let read = gateway.join().unwrap();
        let mut text = String::new();
        let _reset = client.read_to_string(&mut text);
        if surplus == 0 {
            answered.unwrap();
            assert_eq!((read, text.as_str()), (Some(line.len()), "answer\0"));
        } else {
            assert_eq!(read, None, "the gateway never sees it");
            assert!(answered.unwrap_err().to_string().contains("4096"));
            assert_eq!(text, "% Invalid input detected\n\0");
        }
    }
}
