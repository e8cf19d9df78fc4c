//! How tunnels and phases 1 end: the engine's words for it as sentences, and what to do.

/// The engine's word, what it means, and what to do.
const ENDS: &[(&str, &str, &str)] = &[
    (
        "deleted by the peer",
        "the peer deleted it",
        "There: its log says why. A user who disconnects, an idle timer, a reload or its administrator delete tunnels.",
    ),
    (
        "the client disconnected",
        "the client disconnected",
        "Nothing is wrong here: the user, or the client's idle timer, has ended it.",
    ),
    (
        "lifetime expired",
        "its lifetime had passed, and no new one was negotiated",
        "It comes up again with the next packet for it, or when the peer asks. If it does not, that fails, and `why` says so.",
    ),
    (
        "idle",
        "nothing was sent through it for the idle time",
        "It comes up again with the next packet for it.",
    ),
    (
        "the peer is dead",
        "the peer did not answer dead peer detection",
        "Ping it from here: it is switched off, has another address, or the path to it is down.",
    ),
    (
        "the peer started anew",
        "the peer started anew, and the old ones were for nothing",
        "It has restarted, or lost its SAs.",
    ),
    (
        "the peer does not know it",
        "the peer said that it does not know it",
        "It has restarted, or lost its SAs.",
    ),
    ("cleared", "somebody cleared it here", "The log says who (`show logging`)."),
    ("the configuration changed", "the configuration here changed", "The log says what (`show logging`)."),
    (
        "the local address changed",
        "the address of this router changed",
        "It comes up again from the new one.",
    ),
    (
        "Xauth took too long",
        "no user name and password came in time",
        "There: the client must answer the question for user name and password within its time.",
    ),
    ("Xauth failed", "the user was refused", "Ask with the user's name: `why USER`."),
    ("the user gave up", "the user gave up", "There: try again with the right password."),
    ("no inner address", "there was no address for the client", "Here: `show ip local pool`."),
    ("no answer", "the peer stopped answering", "Ping it from here."),
    (
        "no third message",
        "the peer did not confirm it",
        "There: its log says why it gave up in the middle of phase 2.",
    ),
    ("the peer gave it up", "the peer gave it up", "There: its log says why."),
    (
        "volume limit reached",
        "its volume limit was reached before a new one was there",
        "Here: a higher `crypto ipsec security-association lifetime kilobytes`, or `crypto ipsec security-association lifetime kilobytes disable`.",
    ),
    (
        "another peer has its network, and this one does not answer",
        "another peer has its network now, and this one did not answer",
        "Find out which of the two has it: `show crypto session`.",
    ),
    ("disconnected", "it was disconnected", "Connect again."),
];

/// Of an end whose word is not known any more: an earlier version wrote it.
const OTHER: &str = "how is not remembered";

/// The word of the table for a word that was read from a disk.
pub(super) fn known(word: &str) -> &'static str {
    ENDS.iter().find(|(known, ..)| *known == word).map_or(OTHER, |(known, ..)| known)
}

/// An end as a sentence, and what to do.
pub(super) fn told(reason: &'static str) -> (&'static str, &'static str) {
    let found = ENDS.iter().find(|(known, ..)| *known == reason);
    found.map_or((reason, "The log says more (`show logging`)."), |(_, because, advice)| (because, advice))
}
