//! Lines of the reference document's samples that cannot be met literally, each with its reason.

/// A line of the document with its blanks collapsed, what replaces it here, and why.
pub(crate) const EXCUSED: &[(&str, &str, &str)] = &[
    (
        "in use settings = {Tunnel, }",
        "in use settings ={Tunnel, }",
        "a slip: the same output has it without the blank too, as IOS prints it",
    ),
    ("inbound pcsp sas:", "inbound pcp sas:", "a slip of the pen for the payload compression protocol"),
    ("outbound pcsp sas:", "outbound pcp sas:", "the same"),
];

/// A message of the document's debug captures that cannot be met literally.
pub(crate) struct Excused {
    /// The message, its blanks collapsed; a `*` at the end makes it a prefix.
    pub(crate) written: &'static str,
    /// Which one of its kind, from 1; 0 for all.
    pub(crate) occurrence: usize,
    /// What replaces it here, if anything does; a `*` at the end makes it a prefix.
    pub(crate) meant: Option<&'static str>,
    /// Why.
    pub(crate) why: &'static str,
}

const fn without(written: &'static str, occurrence: usize, why: &'static str) -> Excused {
    Excused { written, occurrence, meant: None, why }
}

const fn otherwise(written: &'static str, meant: &'static str, why: &'static str) -> Excused {
    Excused { written, occurrence: 0, meant: Some(meant), why }
}

const GROUP_KEY: &str = "a client's key is that of its group: its address is not looked up";
const POINTER: &str = "a pointer, and how IOS counts its references";
const CONTACT: &str = "acted upon when the user has passed Xauth: whoever knows no more than the group's key must not end a session";

/// The client's capture; the LAN-to-LAN one is met line by line.
pub(crate) const CLIENT_DEBUG: &[Excused] = &[
    without("ISAKMP: Looking for a matching key for 10.51.82.100 in default", 0, GROUP_KEY),
    without("ISAKMP: Looking for a matching key for 10.51.82.100 in spokes : success", 0, GROUP_KEY),
    without(
        "ISAKMP: Created a peer struct for 10.51.82.100, peer port 500",
        0,
        "there is a peer only when phase 1 has proved who it is",
    ),
    without("ISAKMP: Locking peer struct 0x644AFC7C, IKE refcount 1*", 0, POINTER),
    without("ISAKMP: Locking peer struct 0x644AFC7C, IPSEC refcount 1*", 0, POINTER),
    without(
        "ISAKMP (0:2): vendor ID seems Unity/DPD but major 215 mismatch",
        0,
        "the vendor id of Xauth has 8 bytes: IOS looks at the 15th, which is of the payload behind it",
    ),
    without(
        "CryptoEngine0: generate alg parameter",
        2,
        "the shared secret is made when the group's key is there, not before",
    ),
    otherwise(
        "ISAKMP (0:2): ID payload next-payload : 10 type : 1 address : 10.48.67.181 protocol : 17 port : 0 length : 12",
        "ISAKMP (0:2): ID payload next-payload : 8 type : 1 address : 10.48.67.181 protocol : 17 port : 500 length : 12",
        "our identity stands behind the nonce, and has port 500 as in main mode",
    ),
    without("ISAKMP (0:2): Process initial contact, bring down existing*", 0, CONTACT),
    without("ISAKMP (0:2): returning IP addr to the address pool", 0, CONTACT),
    without("IPSEC(key_engine): got a queue event...", 1, CONTACT),
    otherwise(
        "CryptoEngine0: clear dh number for conn id 1",
        "CryptoEngine0: clear dh number for conn id 2",
        "a slip: it is the client's SA",
    ),
    otherwise(
        "ISAKMP (0:2): attributes sent in message: Address: 0.2.0.0",
        "ISAKMP (0:2): attributes sent in message: Address: 0.0.0.0",
        "the client names no address: IOS prints bytes of the next attribute",
    ),
    otherwise(
        "ISAKMP: Sending APPLICATION_VERSION string: Cisco*",
        "ISAKMP: Sending APPLICATION_VERSION string: Hubward*",
        "Hubward claims nothing of Cisco's",
    ),
];
