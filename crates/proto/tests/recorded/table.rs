//! Every state of an SA, every exchange type, and five messages: the one that the engine waits for,
//! the peer's last one again, the one before it, one of an exchange that is new, and the one that it
//! waits for with the wrong protection.

use super::golden;
use super::stories;
use super::story::{Cover, Point};

/// Exchange types: none, those of RFC 2408 and 2409, those of IKEv2, and unassigned and private
/// ones.
const EXCHANGES: [u8; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 31, 32, 33, 34, 35, 36, 37, 38, 240, 255];

fn messages(point: &Point) -> Vec<(&'static str, Vec<u8>)> {
    let mut out = vec![("expected", point.next.bytes())];
    let mut earlier = point.sent.iter().rev();
    out.extend(earlier.next().map(|bytes| ("repeated", bytes.clone())));
    out.extend(earlier.next().map(|bytes| ("earlier", bytes.clone())));
    out.push(("of a new exchange", point.fresh.bytes()));
    let wrong = match point.next.cover {
        Cover::Clear => "expected, flagged as encrypted",
        _ => "expected, in clear",
    };
    out.push((wrong, point.next.wrongly_protected()));
    out
}

#[test]
fn every_message_in_every_state() {
    let mut lines = Vec::new();
    for point in stories::all().iter().filter(|point| point.first) {
        for (name, message) in messages(point) {
            for exchange in EXCHANGES {
                let mut bytes = message.clone();
                bytes[18] = exchange;
                lines.push(format!(
                    "{} | {name}, exchange {exchange} | {}",
                    point.name,
                    point.effect(&bytes)
                ));
            }
        }
    }
    golden::compare("recorded/golden/table.txt", &lines);
}
