//! Lines of `debug crypto engine`.

use super::line::{Class, Line, Tag};
use hubward_proto::ike::trace::EngineStep;

fn engine(text: impl Into<String>) -> Line {
    Line::new(Class::Engine, Tag::Own, text)
}

/// The lines of a step of the crypto engine, for the ISAKMP SA of this number.
pub(super) fn lines(conn: u32, step: EngineStep) -> Vec<Line> {
    let of_conn = |what: &str| {
        let modern = format!("CryptoEngine0: {what} for conn id {conn}");
        engine(modern).classic(format!("CryptoEngine0: {what} for conn id {}", super::line::old(conn)))
    };
    match step {
        EngineStep::Group => {
            let status = engine("CRYPTO_ENGINE: Dh phase 1 status: 0");
            vec![engine("CryptoEngine0: generate alg parameter"), status.clone(), status]
        }
        EngineStep::Agree => vec![engine("CryptoEngine0: generate alg parameter")],
        EngineStep::Skeyid => vec![of_conn("create ISAKMP SKEYID")],
        EngineStep::Hmac => vec![of_conn("generate hmac context")],
        EngineStep::ClearDh => vec![of_conn("clear dh number")],
        EngineStep::ValidateProposal => vec![engine("CryptoEngine0: validate proposal")],
        EngineStep::ValidateRequest => vec![engine("CryptoEngine0: validate proposal request")],
        EngineStep::AllocateFlow => vec![engine("CryptoEngine0: ipsec allocate flow")],
    }
}
