//! Derives the circuits of `src/des/sbox.rs` from the published tables of the DES (FIPS 46-3), and
//! writes that file.
//!
//! `cargo run --release -p hubward-crypto --example sbox_circuits -- SECONDS [SEED] >
//! crates/crypto/src/des/sbox.rs`
//!
//! SECONDS is for each of the eight boxes. The search follows Matthew Kwan ("Reducing the Gate
//! Count of Bitslice DES", 2000): a wanted function exists already, or is one or two gates away
//! from existing ones, or is combined from the two functions that it is when one input bit is 0 and
//! when it is 1, each of which may be wrong on the other side. Choices are random and repeated many
//! times; the smallest circuit is kept.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a tool that reads nothing from outside")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The boxes S1 to S8: four rows of sixteen.
#[rustfmt::skip]
const TABLES: [[u8; 64]; 8] = [
    [14,4,13,1,2,15,11,8,3,10,6,12,5,9,0,7, 0,15,7,4,14,2,13,1,10,6,12,11,9,5,3,8,
     4,1,14,8,13,6,2,11,15,12,9,7,3,10,5,0, 15,12,8,2,4,9,1,7,5,11,3,14,10,0,6,13],
    [15,1,8,14,6,11,3,4,9,7,2,13,12,0,5,10, 3,13,4,7,15,2,8,14,12,0,1,10,6,9,11,5,
     0,14,7,11,10,4,13,1,5,8,12,6,9,3,2,15, 13,8,10,1,3,15,4,2,11,6,7,12,0,5,14,9],
    [10,0,9,14,6,3,15,5,1,13,12,7,11,4,2,8, 13,7,0,9,3,4,6,10,2,8,5,14,12,11,15,1,
     13,6,4,9,8,15,3,0,11,1,2,12,5,10,14,7, 1,10,13,0,6,9,8,7,4,15,14,3,11,5,2,12],
    [7,13,14,3,0,6,9,10,1,2,8,5,11,12,4,15, 13,8,11,5,6,15,0,3,4,7,2,12,1,10,14,9,
     10,6,9,0,12,11,7,13,15,1,3,14,5,2,8,4, 3,15,0,6,10,1,13,8,9,4,5,11,12,7,2,14],
    [2,12,4,1,7,10,11,6,8,5,3,15,13,0,14,9, 14,11,2,12,4,7,13,1,5,0,15,10,3,9,8,6,
     4,2,1,11,10,13,7,8,15,9,12,5,6,3,0,14, 11,8,12,7,1,14,2,13,6,15,0,9,10,4,5,3],
    [12,1,10,15,9,2,6,8,0,13,3,4,14,7,5,11, 10,15,4,2,7,12,9,5,6,1,13,14,0,11,3,8,
     9,14,15,5,2,8,12,3,7,0,4,10,1,13,11,6, 4,3,2,12,9,5,15,10,11,14,1,7,6,0,8,13],
    [4,11,2,14,15,0,8,13,3,12,9,7,5,10,6,1, 13,0,11,7,4,9,1,10,14,3,5,12,2,15,8,6,
     1,4,11,13,12,3,7,14,10,15,6,8,0,5,9,2, 6,11,13,8,1,4,10,7,9,5,0,15,14,2,3,12],
    [13,2,8,4,6,15,11,1,10,9,3,14,5,0,12,7, 1,15,13,8,10,3,7,4,12,5,6,11,0,14,9,2,
     7,11,4,1,9,12,14,2,0,6,10,13,15,3,5,8, 2,1,14,7,4,10,8,13,15,12,9,0,3,5,6,11],
];

/// The output of a box for its six input bits, the first of which is the highest.
fn look_up(table: &[u8; 64], input: usize) -> u8 {
    table[(input >> 4 & 2 | input & 1) << 4 | input >> 1 & 15]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Input,
    And(u8, u8),
    Or(u8, u8),
    Xor(u8, u8),
    /// The first without the second.
    AndNot(u8, u8),
    Not(u8),
}

/// Functions of the six inputs as tables of 64 bits, each made by a gate from those before it.
#[derive(Clone)]
struct Circuit {
    tables: Vec<u64>,
    gates: Vec<Gate>,
    /// What the search may still use: the number of functions of the best circuit, less one.
    limit: usize,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

impl Circuit {
    fn new(limit: usize) -> Self {
        let input = |bit: usize| {
            (0..64).filter(|row| row >> (5 - bit) & 1 == 1).fold(0, |table, row| table | 1 << row)
        };
        Self { tables: (0..6).map(input).collect(), gates: vec![Gate::Input; 6], limit }
    }

    fn add(&mut self, gate: Gate) -> Option<u8> {
        if self.gates.len() >= self.limit {
            return None;
        }
        let table = |at: u8| self.tables[usize::from(at)];
        let made = match gate {
            Gate::Input => return None,
            Gate::And(a, b) => table(a) & table(b),
            Gate::Or(a, b) => table(a) | table(b),
            Gate::Xor(a, b) => table(a) ^ table(b),
            Gate::AndNot(a, b) => table(a) & !table(b),
            Gate::Not(a) => !table(a),
        };
        if let Some(there) = self.tables.iter().position(|table| *table == made) {
            return Some(there as u8);
        }
        self.tables.push(made);
        self.gates.push(gate);
        Some(self.gates.len() as u8 - 1)
    }

    /// The gate that makes `want` of two functions where `mask` is set.
    fn one_gate(a: u64, b: u64, want: u64, mask: u64, at: (u8, u8)) -> Option<Gate> {
        let fits = |made: u64| (made ^ want) & mask == 0;
        if fits(a & b) {
            Some(Gate::And(at.0, at.1))
        } else if fits(a | b) {
            Some(Gate::Or(at.0, at.1))
        } else if fits(a ^ b) {
            Some(Gate::Xor(at.0, at.1))
        } else if fits(a & !b) {
            Some(Gate::AndNot(at.0, at.1))
        } else if fits(b & !a) {
            Some(Gate::AndNot(at.1, at.0))
        } else {
            None
        }
    }

    /// A function that is `want` where `mask` is set, without splitting.
    fn near(&mut self, want: u64, mask: u64, random: &mut Random) -> Option<u8> {
        let count = self.tables.len();
        let turn = random.below(count);
        let order = |index: usize| (index + turn) % count;
        for index in 0..count {
            if (self.tables[order(index)] ^ want) & mask == 0 {
                return Some(order(index) as u8);
            }
        }
        if count >= self.limit {
            return None;
        }
        for i in 0..count {
            for j in 0..i {
                let (a, b) = (order(i), order(j));
                if let Some(gate) =
                    Self::one_gate(self.tables[a], self.tables[b], want, mask, (a as u8, b as u8))
                {
                    return self.add(gate);
                }
            }
        }
        if let Some(at) = (0..count).map(order).find(|at| (!self.tables[*at] ^ want) & mask == 0) {
            return self.add(Gate::Not(at as u8));
        }
        if count + 2 > self.limit {
            return None;
        }
        for i in 0..count {
            for j in 0..i {
                let (at, bt) = (order(i), order(j));
                let (a, b) = (self.tables[at], self.tables[bt]);
                let (at, bt) = (at as u8, bt as u8);
                let firsts = [
                    (a & b, Gate::And(at, bt)),
                    (a | b, Gate::Or(at, bt)),
                    (a ^ b, Gate::Xor(at, bt)),
                    (a & !b, Gate::AndNot(at, bt)),
                    (b & !a, Gate::AndNot(bt, at)),
                ];
                for (made, gate) in firsts {
                    // what the second gate may be follows from where the first is too much or too
                    // little
                    let over = made & !want & mask;
                    let under = want & !made & mask;
                    for index in 0..count {
                        let c = self.tables[index];
                        let fits = (made ^ c ^ want) & mask == 0
                            || under == 0
                                && (over & c == 0 && want & !c & mask == 0
                                    || over & !c == 0 && want & c & mask == 0)
                            || over == 0 && under & !c == 0 && c & !want & mask == 0
                            || (c & !made ^ want) & mask == 0;
                        if fits {
                            let first = self.add(gate)?;
                            let (first_table, at) = (self.tables[usize::from(first)], index as u8);
                            let second = Self::one_gate(first_table, c, want, mask, (first, at));
                            if let Some(second) = second {
                                return self.add(second);
                            }
                        }
                    }
                }
            }
        }
        None
    }

    /// A function that equals `want` where `mask` is set. `bits` are the inputs that have not been
    /// split on yet.
    fn build(&mut self, want: u64, mask: u64, bits: u8, random: &mut Random) -> Option<u8> {
        if let Some(found) = self.near(want, mask, random) {
            return Some(found);
        }
        // a split takes two gates, and each side at least one more or something that is there
        if self.gates.len() + 3 > self.limit {
            return None;
        }
        let left: Vec<u8> = (0..6).filter(|bit| bits >> bit & 1 == 1).collect();
        if left.is_empty() {
            return None;
        }
        let bit = left[random.below(left.len())];
        let rest = bits & !(1 << bit);
        let (one, zero) = (self.tables[usize::from(bit)], !self.tables[usize::from(bit)]);
        match random.below(4) {
            // right where the bit is 0, and changed where it is 1
            0 => {
                let first = self.build(want, mask & zero, rest, random)?;
                let change = want ^ self.tables[usize::from(first)];
                let second = self.build(change, mask & one, rest, random)?;
                let chosen = self.add(Gate::And(second, bit))?;
                self.add(Gate::Xor(first, chosen))
            }
            1 => {
                let first = self.build(want, mask & one, rest, random)?;
                let change = want ^ self.tables[usize::from(first)];
                let second = self.build(change, mask & zero, rest, random)?;
                let chosen = self.add(Gate::AndNot(second, bit))?;
                self.add(Gate::Xor(first, chosen))
            }
            // the opposite where the bit is 1, and changed elsewhere
            2 => {
                let first = self.build(!want, mask & one, rest, random)?;
                let change = want ^ self.tables[usize::from(first)];
                let second = self.build(change, mask & zero, rest, random)?;
                let chosen = self.add(Gate::Or(second, bit))?;
                self.add(Gate::Xor(first, chosen))
            }
            // one side is removed or added
            _ => {
                let first = self.build(want, mask & one, rest, random)?;
                let kept = self.add(Gate::And(first, bit))?;
                let second = self.build(want, mask & zero, rest, random)?;
                let other = self.add(Gate::AndNot(second, bit))?;
                self.add(Gate::Or(kept, other))
            }
        }
    }
}

/// The best circuit found for a box in the given time, with the places of its four outputs.
fn search(table: &[u8; 64], time: Duration, random: &mut Random) -> (Circuit, [u8; 4]) {
    let wants: Vec<u64> = (0..4)
        .map(|bit| {
            (0..64)
                .filter(|row| look_up(table, *row) >> (3 - bit) & 1 == 1)
                .fold(0u64, |all, row| all | 1 << row)
        })
        .collect();
    let begun = Instant::now();
    let mut best: Option<(Circuit, [u8; 4])> = None;
    while best.is_none() || begun.elapsed() < time {
        let limit = best.as_ref().map_or(140, |(circuit, _)| circuit.gates.len() - 1);
        let mut circuit = Circuit::new(limit);
        let mut order = [0usize, 1, 2, 3];
        (1..4).rev().for_each(|at| order.swap(at, random.below(at + 1)));
        let mut outputs = [0; 4];
        let whole = order.iter().all(|output| {
            // of several ways to the next output the shortest is gone
            let ways = (0..TRIES).filter_map(|_| {
                let mut tried = circuit.clone();
                let at = tried.build(wants[*output], u64::MAX, 63, random)?;
                Some((tried, at))
            });
            match ways.min_by_key(|(tried, _)| tried.gates.len()) {
                Some((tried, at)) => {
                    (circuit, outputs[*output]) = (tried, at);
                    true
                }
                None => false,
            }
        });
        if whole {
            let (circuit, outputs) = prune(&circuit, outputs);
            if best.as_ref().is_none_or(|(known, _)| circuit.gates.len() < known.gates.len()) {
                best = Some((circuit, outputs));
            }
        }
    }
    best.unwrap()
}

/// How often each output is tried before the best is kept.
const TRIES: usize = 12;

/// Without the gates that nothing uses.
fn prune(circuit: &Circuit, outputs: [u8; 4]) -> (Circuit, [u8; 4]) {
    let mut used = vec![false; circuit.gates.len()];
    outputs.iter().for_each(|at| used[usize::from(*at)] = true);
    for at in (0..circuit.gates.len()).rev() {
        if used[at] {
            match circuit.gates[at] {
                Gate::Input => {}
                Gate::And(a, b) | Gate::Or(a, b) | Gate::Xor(a, b) | Gate::AndNot(a, b) => {
                    used[usize::from(a)] = true;
                    used[usize::from(b)] = true;
                }
                Gate::Not(a) => used[usize::from(a)] = true,
            }
        }
    }
    let mut pruned = Circuit::new(usize::MAX);
    let mut places: Vec<u8> = (0..6).collect();
    for (at, gate) in circuit.gates.iter().enumerate().skip(6) {
        let to = |old: u8| places[usize::from(old)];
        let place = if !used[at] {
            0
        } else {
            let gate = match *gate {
                Gate::Input => Gate::Input,
                Gate::And(a, b) => Gate::And(to(a), to(b)),
                Gate::Or(a, b) => Gate::Or(to(a), to(b)),
                Gate::Xor(a, b) => Gate::Xor(to(a), to(b)),
                Gate::AndNot(a, b) => Gate::AndNot(to(a), to(b)),
                Gate::Not(a) => Gate::Not(to(a)),
            };
            pruned.add(gate).unwrap()
        };
        places.push(place);
    }
    (pruned, outputs.map(|at| places[usize::from(at)]))
}

fn write(number: usize, circuit: &Circuit, outputs: [u8; 4]) -> String {
    let name = |at: u8| if at < 6 { format!("a{}", at + 1) } else { format!("g{}", at - 5) };
    let gates = circuit.gates.len() - 6;
    let mut text = format!(
        "/// S{number}: {gates} gates.\n#[inline(always)]\npub(super) fn s{number}<W: Word>([a1, a2, a3, a4, a5, a6]: [W; 6]) -> [W; 4] {{\n"
    );
    for (at, gate) in circuit.gates.iter().enumerate().skip(6) {
        let made = match *gate {
            Gate::Input => continue,
            Gate::And(a, b) => format!("{}.and({})", name(a), name(b)),
            Gate::Or(a, b) => format!("{}.or({})", name(a), name(b)),
            Gate::Xor(a, b) => format!("{}.xor({})", name(a), name(b)),
            Gate::AndNot(a, b) => format!("{}.and_not({})", name(a), name(b)),
            Gate::Not(a) => format!("{}.not()", name(a)),
        };
        writeln!(text, "    let {} = {made};", name(at as u8)).unwrap();
    }
    let [a, b, c, d] = outputs.map(name);
    writeln!(text, "    [{a}, {b}, {c}, {d}]\n}}").unwrap();
    text
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let seconds = arguments.next().unwrap_or(60);
    let mut random = Random(arguments.next().unwrap_or(1) | 1 << 40);
    let found: Vec<_> =
        TABLES.iter().map(|table| search(table, Duration::from_secs(seconds), &mut random)).collect();
    let gates: usize = found.iter().map(|(circuit, _)| circuit.gates.len() - 6).sum();
    println!(
        "//! The S-boxes of the DES as circuits: {gates} gates in all. Made by `examples/sbox_circuits.rs`; not to be edited."
    );
    println!("\nuse super::word::Word;\n");
    println!("/// Gates of all eight.\n#[cfg(test)]\npub(super) const GATES: usize = {gates};\n");
    let boxes = found.iter().zip(1..).map(|((circuit, outputs), number)| write(number, circuit, *outputs));
    print!("{}", boxes.collect::<Vec<_>>().join("\n"));
}
