//! Where the gateway is, and the tokens that open it.

use std::net::{Ipv4Addr, SocketAddr};

use domain::{OpId, RunId};
use secrets::Secret;

/// What a token begins with, so that one can be told where it turns up.
const PREFIX: &str = "lhg";

/// The gateway's address and what makes its tokens. A token is of one attempt: it names
/// its run and turn, and is proven by a code that only this home can make. So nothing about
/// it has to be kept, and it is good again after a restart.
#[derive(Clone)]
pub struct Door {
    port: u16,
    secret: Secret,
}

impl Door {
    /// The gateway at this port of the loopback interface. Whoever knows `secret` can make
    /// tokens.
    pub fn new(port: u16, secret: Secret) -> Self {
        Self { port, secret }
    }

    /// Where it is listened at.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The same as an agent takes it: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The token of a run's turn.
    pub fn token(&self, run: RunId, op: OpId) -> Secret {
        let proof = self.proof(run, op).to_hex();
        Secret::new(format!("{PREFIX}-{}-{}-{proof}", run.0.simple(), op.0))
    }

    /// Whose token this is; None if it is none of ours.
    pub(crate) fn owner(&self, token: &str) -> Option<(RunId, OpId)> {
        let mut parts = token.split('-');
        let (prefix, run, op, proof) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if prefix != PREFIX || parts.next().is_some() {
            return None;
        }
        let run = RunId(uuid::Uuid::try_parse(run).ok()?);
        let op = OpId(op.parse().ok()?);
        let proof = blake3::Hash::from_hex(proof).ok()?;
        // Hashes are compared in constant time.
        (proof == self.proof(run, op)).then_some((run, op))
    }

    fn proof(&self, run: RunId, op: OpId) -> blake3::Hash {
        let context = "longhaul 2026-11 gateway token";
        let key = blake3::derive_key(context, self.secret.expose().as_bytes());
        let mut subject = run.0.as_bytes().to_vec();
        subject.extend(op.0.to_be_bytes());
        blake3::keyed_hash(&key, &subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(secret: &str) -> Door {
        Door::new(1, Secret::new(secret))
    }

    #[test]
    fn a_token_is_good_for_its_attempt_in_its_home_and_for_nothing_else() {
        let (one, other) = (door("one"), door("other"));
        let run = RunId(uuid::Uuid::from_u128(7));
        let token = one.token(run, OpId(3));
        let token = token.expose();
        assert_eq!(one.owner(token), Some((run, OpId(3))));
        assert_eq!(
            door("one").owner(token),
            Some((run, OpId(3))),
            "after a restart"
        );
        assert_eq!(other.owner(token), None);
        for bad in [
            token.replace("-3-", "-4-"),
            token[..token.len() - 1].to_owned(),
            format!("{token}-"),
            format!("{token}0"),
            token.to_uppercase(),
            "sk-test-key-not-real".to_owned(),
            String::new(),
        ] {
            assert_eq!(one.owner(&bad), None, "{bad}");
        }
    }
}
