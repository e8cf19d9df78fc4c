//! Numbers of the IKEv1 registries (RFC 2407, 2408, 2409, 3706, 3947, the XAUTH and mode-config
//! drafts, Cisco Unity). Phase 1 and phase 2 number the same algorithms differently; the modules
//! keep them apart.

/// Payload types (RFC 2408 section 3.1, RFC 3947, the mode-config draft).
pub mod payload {
    /// No further payload.
    pub const NONE: u8 = 0;
    /// Security association.
    pub const SA: u8 = 1;
    /// Proposal, inside an SA.
    pub const PROPOSAL: u8 = 2;
    /// Transform, inside a proposal.
    pub const TRANSFORM: u8 = 3;
    /// Key exchange.
    pub const KE: u8 = 4;
    /// Identification.
    pub const ID: u8 = 5;
    /// Hash.
    pub const HASH: u8 = 8;
    /// Nonce.
    pub const NONCE: u8 = 10;
    /// Notification.
    pub const NOTIFY: u8 = 11;
    /// Delete.
    pub const DELETE: u8 = 12;
    /// Vendor id.
    pub const VENDOR: u8 = 13;
    /// Attributes: mode-config and XAUTH.
    pub const ATTRIBUTE: u8 = 14;
    /// NAT-D (RFC 3947).
    pub const NAT_D: u8 = 20;
    /// NAT-OA (RFC 3947).
    pub const NAT_OA: u8 = 21;
    /// NAT-D of drafts 00 to 03.
    pub const NAT_D_DRAFT: u8 = 130;
    /// NAT-OA of drafts 00 to 03.
    pub const NAT_OA_DRAFT: u8 = 131;
    /// A fragment of a message.
    pub const FRAGMENT: u8 = 132;
}

/// Exchange types.
pub mod exchange {
    /// Identity protection (main mode).
    pub const MAIN: u8 = 2;
    /// Aggressive mode.
    pub const AGGRESSIVE: u8 = 4;
    /// Informational.
    pub const INFORMATIONAL: u8 = 5;
    /// Transaction: XAUTH and mode-config.
    pub const TRANSACTION: u8 = 6;
    /// Quick mode.
    pub const QUICK: u8 = 32;
}

/// Protocol ids of proposals, notifies and deletes.
pub mod protocol {
    /// ISAKMP.
    pub const ISAKMP: u8 = 1;
    /// AH.
    pub const AH: u8 = 2;
    /// ESP.
    pub const ESP: u8 = 3;
}

/// Phase-1 attributes (RFC 2409 appendix A).
pub mod ike {
    /// Encryption algorithm.
    pub const ENCRYPTION: u16 = 1;
    /// Hash algorithm.
    pub const HASH: u16 = 2;
    /// Authentication method.
    pub const AUTHENTICATION: u16 = 3;
    /// Group description.
    pub const GROUP: u16 = 4;
    /// Life type.
    pub const LIFE_TYPE: u16 = 11;
    /// Life duration.
    pub const LIFE_DURATION: u16 = 12;
    /// Key length in bits.
    pub const KEY_LENGTH: u16 = 14;
    /// The transform id KEY_IKE.
    pub const KEY_IKE: u8 = 1;
    /// The attributes that a transform may have here; every other changes what is agreed on, and is
    /// not implemented.
    pub const KNOWN: [u16; 5] = [ENCRYPTION, HASH, AUTHENTICATION, GROUP, KEY_LENGTH];

    /// The name of an attribute, for people.
    pub const fn attribute(number: u16) -> Option<&'static str> {
        Some(match number {
            ENCRYPTION => "encryption algorithm",
            HASH => "hash algorithm",
            AUTHENTICATION => "authentication method",
            GROUP => "group description",
            5 => "group type",
            6 => "group prime",
            7 | 8 => "group generator",
            9 | 10 => "group curve",
            LIFE_TYPE => "life type",
            LIFE_DURATION => "life duration",
            13 => "PRF",
            KEY_LENGTH => "key length",
            15 => "field size",
            16 => "group order",
            _ => return None,
        })
    }

    /// Authentication by pre-shared key.
    pub const AUTH_PRESHARED: u16 = 1;
    /// Pre-shared key, and the initiator is asked for Xauth.
    pub const AUTH_XAUTH_INIT_PRESHARED: u16 = 65001;
}

/// Phase-2 attributes (RFC 2407 section 4.5) and ESP transforms.
pub mod ipsec {
    /// Life type.
    pub const LIFE_TYPE: u16 = 1;
    /// Life duration.
    pub const LIFE_DURATION: u16 = 2;
    /// PFS group.
    pub const GROUP: u16 = 3;
    /// Encapsulation mode.
    pub const ENCAPSULATION: u16 = 4;
    /// Integrity algorithm.
    pub const AUTHENTICATION: u16 = 5;
    /// Key length in bits.
    pub const KEY_LENGTH: u16 = 6;
    /// The attributes that a transform may have here; every other changes the packets, and is not
    /// implemented.
    pub const KNOWN: [u16; 4] = [GROUP, ENCAPSULATION, AUTHENTICATION, KEY_LENGTH];

    /// The name of an attribute, for people.
    pub const fn attribute(number: u16) -> Option<&'static str> {
        Some(match number {
            LIFE_TYPE => "life type",
            LIFE_DURATION => "life duration",
            GROUP => "group description",
            ENCAPSULATION => "encapsulation mode",
            AUTHENTICATION => "integrity algorithm",
            KEY_LENGTH => "key length",
            7 => "key rounds",
            8 => "compression dictionary size",
            9 => "compression private algorithm",
            10 => "ECN tunnel",
            11 => "extended sequence numbers",
            12 => "authentication key length",
            13 => "signature encoding algorithm",
            14 => "address preservation",
            15 => "SA direction",
            _ => return None,
        })
    }

    /// Seconds, as a life type (in phase 1 too).
    pub const SECONDS: u16 = 1;
    /// Kilobytes, as a life type.
    pub const KILOBYTES: u16 = 2;
}

/// Notify message types.
pub mod notify {
    /// Types from INVALID-PAYLOAD-TYPE up to this number are errors (RFC 2408 section 3.14.1).
    pub const LAST_ERROR: u16 = 8191;
    /// DOI-NOT-SUPPORTED.
    pub const DOI_NOT_SUPPORTED: u16 = 2;
    /// SITUATION-NOT-SUPPORTED.
    pub const SITUATION_NOT_SUPPORTED: u16 = 3;
    /// INVALID-COOKIE.
    pub const INVALID_COOKIE: u16 = 4;
    /// INVALID-SPI.
    pub const INVALID_SPI: u16 = 11;
    /// NO-PROPOSAL-CHOSEN.
    pub const NO_PROPOSAL_CHOSEN: u16 = 14;
    /// PAYLOAD-MALFORMED.
    pub const PAYLOAD_MALFORMED: u16 = 16;
    /// INVALID-ID-INFORMATION.
    pub const INVALID_ID_INFORMATION: u16 = 18;
    /// AUTHENTICATION-FAILED.
    pub const AUTHENTICATION_FAILED: u16 = 24;
    /// RESPONDER-LIFETIME (RFC 2407 section 4.6.3.1).
    pub const RESPONDER_LIFETIME: u16 = 24576;
    /// INITIAL-CONTACT (RFC 2407 section 4.6.3.3).
    pub const INITIAL_CONTACT: u16 = 24578;
    /// R-U-THERE (RFC 3706).
    pub const R_U_THERE: u16 = 36136;
    /// R-U-THERE-ACK (RFC 3706).
    pub const R_U_THERE_ACK: u16 = 36137;

    /// LOAD_BALANCE (Cisco Unity): the address of another gateway.
    pub const LOAD_BALANCE: u16 = 40501;

    /// The name of a notify type, for people.
    pub const fn name(number: u16) -> &'static str {
        match number {
            DOI_NOT_SUPPORTED => "DOI_NOT_SUPPORTED",
            SITUATION_NOT_SUPPORTED => "SITUATION_NOT_SUPPORTED",
            INVALID_COOKIE => "INVALID_COOKIE",
            INVALID_SPI => "INVALID_SPI",
            NO_PROPOSAL_CHOSEN => "NO_PROPOSAL_CHOSEN",
            PAYLOAD_MALFORMED => "PAYLOAD_MALFORMED",
            INVALID_ID_INFORMATION => "INVALID_ID_INFORMATION",
            23 => "INVALID_HASH_INFORMATION",
            AUTHENTICATION_FAILED => "AUTHENTICATION_FAILED",
            RESPONDER_LIFETIME => "RESPONDER_LIFETIME",
            INITIAL_CONTACT => "INITIAL_CONTACT",
            R_U_THERE => "R_U_THERE",
            R_U_THERE_ACK => "R_U_THERE_ACK",
            1..=LAST_ERROR => "an error",
            _ => "a status",
        }
    }
}

/// Mode-config messages and attributes, XAUTH and Unity attributes.
pub mod config {
    /// ISAKMP_CFG_REQUEST.
    pub const REQUEST: u8 = 1;
    /// ISAKMP_CFG_REPLY.
    pub const REPLY: u8 = 2;
    /// ISAKMP_CFG_SET.
    pub const SET: u8 = 3;
    /// ISAKMP_CFG_ACK.
    pub const ACK: u8 = 4;
    /// INTERNAL_IP4_ADDRESS.
    pub const ADDRESS: u16 = 1;
    /// INTERNAL_IP4_NETMASK.
    pub const NETMASK: u16 = 2;
    /// INTERNAL_IP4_DNS.
    pub const DNS: u16 = 3;
    /// INTERNAL_IP4_NBNS.
    pub const NBNS: u16 = 4;
    /// INTERNAL_ADDRESS_EXPIRY.
    pub const ADDRESS_EXPIRY: u16 = 5;
    /// APPLICATION_VERSION.
    pub const APPLICATION_VERSION: u16 = 7;
    /// XAUTH_TYPE.
    pub const XAUTH_TYPE: u16 = 16520;
    /// XAUTH_USER_NAME.
    pub const XAUTH_USER_NAME: u16 = 16521;
    /// XAUTH_USER_PASSWORD.
    pub const XAUTH_USER_PASSWORD: u16 = 16522;
    /// XAUTH_PASSCODE.
    pub const XAUTH_PASSCODE: u16 = 16523;
    /// XAUTH_MESSAGE.
    pub const XAUTH_MESSAGE: u16 = 16524;
    /// XAUTH_CHALLENGE.
    pub const XAUTH_CHALLENGE: u16 = 16525;
    /// XAUTH_DOMAIN.
    pub const XAUTH_DOMAIN: u16 = 16526;
    /// XAUTH_STATUS.
    pub const XAUTH_STATUS: u16 = 16527;
    /// XAUTH_NEXT_PIN.
    pub const XAUTH_NEXT_PIN: u16 = 16528;
    /// XAUTH_ANSWER.
    pub const XAUTH_ANSWER: u16 = 16529;
    /// UNITY_BANNER.
    pub const UNITY_BANNER: u16 = 28672;
    /// UNITY_SAVE_PASSWD.
    pub const UNITY_SAVE_PASSWORD: u16 = 28673;
    /// UNITY_DEF_DOMAIN.
    pub const UNITY_DEF_DOMAIN: u16 = 28674;
    /// UNITY_SPLIT_DNS.
    pub const UNITY_SPLIT_DNS: u16 = 28675;
    /// UNITY_SPLIT_INCLUDE.
    pub const UNITY_SPLIT_INCLUDE: u16 = 28676;
    /// UNITY_SPLIT_EXCLUDE, include-local-lan.
    pub const UNITY_SPLIT_EXCLUDE: u16 = 28678;
    /// UNITY_PFS.
    pub const UNITY_PFS: u16 = 28679;
    /// UNITY_BACKUP_SERVERS.
    pub const UNITY_BACKUP_SERVERS: u16 = 28681;
}

/// Identification types (RFC 2407 section 4.6.2.1).
pub mod id {
    /// ID_IPV4_ADDR.
    pub const IPV4_ADDR: u8 = 1;
    /// ID_FQDN.
    pub const FQDN: u8 = 2;
    /// ID_USER_FQDN.
    pub const USER_FQDN: u8 = 3;
    /// ID_IPV4_ADDR_SUBNET.
    pub const IPV4_ADDR_SUBNET: u8 = 4;
    /// ID_IPV4_ADDR_RANGE.
    pub const IPV4_ADDR_RANGE: u8 = 7;
    /// ID_KEY_ID.
    pub const KEY_ID: u8 = 11;
}
