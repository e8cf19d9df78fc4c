//! How the two ends of an IKE SA prove who they are. Each version computes a hash over what was
//! exchanged in its own way; what makes a proof of that hash, and checks the peer's, is here.

use hubward_crypto::digest::Digest;
use hubward_crypto::mac::equal;
use hubward_crypto::secret::Secret;

/// How the ends of one IKE SA authenticate.
#[derive(Clone, Debug)]
pub(crate) enum Authenticator {
    /// Both ends have the same key. It goes into the hash, which therefore is the proof.
    PreShared(Secret),
}

/// The peer has proved its identity. Only this module creates it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAuthenticated(());

impl Authenticator {
    /// What goes into the derivation of the keys.
    pub(crate) fn key(&self) -> &Secret {
        match self {
            Self::PreShared(key) => key,
        }
    }

    /// Our own proof, for the hash of our side.
    pub(crate) fn prove(&self, hash: &Digest) -> Vec<u8> {
        match self {
            Self::PreShared(_) => hash.to_vec(),
        }
    }

    /// Checks the peer's proof against the hash of its side, in constant time.
    pub(crate) fn check(&self, hash: &Digest, proof: &[u8]) -> Option<PeerAuthenticated> {
        match self {
            Self::PreShared(_) => equal(hash, proof).then_some(PeerAuthenticated(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_crypto::mac::hash;
    use hubward_crypto::suite::HashAlg;

    #[test]
    fn only_the_whole_hash_is_a_proof() {
        let preshared = Authenticator::PreShared(Secret::new(*b"cisco123"));
        let own = hash(HashAlg::Sha1, &[b"exchanged"]);
        let proof = preshared.prove(&own);
        assert!(preshared.check(&own, &proof).is_some());
        for wrong in
            [&proof[..proof.len() - 1], &[], &[proof.clone(), vec![0]].concat(), &vec![0; proof.len()]]
        {
            assert!(preshared.check(&own, wrong).is_none());
        }
        for bit in 0..proof.len() * 8 {
            let mut wrong = proof.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(preshared.check(&own, &wrong).is_none(), "bit {bit}");
        }
    }
}
