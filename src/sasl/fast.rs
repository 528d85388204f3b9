//! Tokens in place of passwords: the mechanisms HT-SHA-256-* (draft-ietf-kitten-sasl-ht) as XEP-0484 uses them.
//!
//! A client proves a token by an HMAC with the token itself as key, so whoever checks the proof must have the token: a
//! hash of it in the database would not do. Instead a token is derived from a secret that lies beside the database and not
//! in it, and from a nonce in the database. Whoever gets hold of the database alone, or of a backup, has no tokens.

use super::ChannelBindings;
use super::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;

/// A mechanism for tokens, strongest first.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum FastMechanism {
    /// Bound to the channel by `tls-exporter` (RFC 9266).
    Exporter,
    /// Bound to the certificate by `tls-server-end-point` (RFC 5929 §4).
    EndPoint,
    /// Not bound.
    Unbound,
}

impl FastMechanism {
    /// All of them. HT-SHA-256-UNIQ is not among them: `tls-unique` does not exist in TLS 1.3 (RFC 8446 §C.5).
    pub const ALL: [Self; 3] = [Self::Exporter, Self::EndPoint, Self::Unbound];

    /// Its name as a SASL mechanism.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exporter => "HT-SHA-256-EXPR",
            Self::EndPoint => "HT-SHA-256-ENDP",
            Self::Unbound => "HT-SHA-256-NONE",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// What the HMAC covers of the channel; `None` if the channel does not have it.
    pub(super) fn binding_data(self, bindings: &ChannelBindings) -> Option<&[u8]> {
        match self {
            Self::Exporter => bindings.tls_exporter.as_ref().map(<[u8; 32]>::as_slice),
            Self::EndPoint => bindings.tls_server_end_point.as_deref(),
            Self::Unbound => Some(&[]),
        }
    }
}

/// Bytes of the secret, of a nonce, and of a proof.
pub const DEVICE_SECRET_BYTES: usize = 32;
/// Random bytes that make a token unique.
pub const TOKEN_NONCE_BYTES: usize = 16;
const PROOF_BYTES: usize = 32;
/// Letters of a device's id: 60 bits, so that no two of an account are the same.
const OCCUPANT_ID_BYTES: usize = 16;
const VERSION_BYTES: usize = 8;
const DEVICE_ID_LETTERS: usize = 12;

/// What device ids and tokens are derived from. It does not leave the server.
pub struct DeviceSecret([u8; DEVICE_SECRET_BYTES]);

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecret(..)")
    }
}

impl DeviceSecret {
    /// Of random bytes that outlive restarts.
    pub fn new(bytes: [u8; DEVICE_SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The name of an installation of a client within an account. It is the same each time, and does not tell what the
    /// client identified itself with (XEP-0386 §3.2.1).
    pub fn device_id(&self, account: &str, agent_id: &str) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let hash = Hash::Sha256.hmac(&self.0, &[b"device\0", account.as_bytes(), b"\0", agent_id.as_bytes()]);
        hash.iter().take(DEVICE_ID_LETTERS).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
    }

    /// The name of an account within a room (XEP-0421): the same each time, another one in another room, and it tells nothing.
    pub fn occupant_id(&self, room: &str, account: &str) -> String {
        let hash = Hash::Sha256.hmac(&self.0, &[b"occupant\0", room.as_bytes(), b"\0", account.as_bytes()]);
        hash.iter().take(OCCUPANT_ID_BYTES).fold(String::with_capacity(2 * OCCUPANT_ID_BYTES), |mut out, byte| {
            let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or_default();
            out.extend([digit(byte >> 4), digit(byte & 15)]);
            out
        })
    }

    /// What proves that a version of the affiliations of a room was told, to who sees this much of them (XEP-0463).
    pub fn room_version(&self, room: &str, created_us: i64, sight: u8, version: i64) -> String {
        let (created, version) = (created_us.to_be_bytes(), version.to_be_bytes());
        let parts = [b"version\0", room.as_bytes(), b"\0", &created[..], &[sight], &version];
        let hash = Hash::Sha256.hmac(&self.0, &parts);
        hash.iter().take(VERSION_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The token that belongs to this nonce, mechanism and device, as text.
    pub fn token(&self, account: i64, device: &str, mechanism: FastMechanism, nonce: &[u8]) -> String {
        let account = account.to_be_bytes();
        let parts = [b"token\0", &account[..], device.as_bytes(), b"\0", mechanism.name().as_bytes(), b"\0", nonce];
        URL_SAFE_NO_PAD.encode(Hash::Sha256.hmac(&self.0, &parts))
    }
}

/// The one message of a client: who it is, and the proof that it has the token.
pub struct TokenProof<'m> {
    /// The name of its account.
    pub user: &'m str,
    proof: &'m [u8],
}

impl<'m> TokenProof<'m> {
    /// `authcid NUL HMAC`.
    pub fn parse(message: &'m [u8]) -> Option<Self> {
        let at = message.iter().position(|byte| *byte == 0)?;
        let (user, proof) = (std::str::from_utf8(&message[..at]).ok()?, &message[at + 1..]);
        let good = (1..=super::USER_BYTES_MAX).contains(&user.len()) && proof.len() == PROOF_BYTES;
        good.then_some(Self { user, proof })
    }

    /// Was the proof made with this token over this channel? Gives what proves the same to the client.
    pub fn verify(&self, token: &str, binding_data: &[u8]) -> Option<Vec<u8>> {
        let expected = Hash::Sha256.hmac(token.as_bytes(), &[b"Initiator", binding_data]);
        let proven: bool = expected.ct_eq(self.proof).into();
        proven.then(|| Hash::Sha256.hmac(token.as_bytes(), &[b"Responder", binding_data]).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(user: &str, token: &str, binding: &[u8]) -> Vec<u8> {
        let proof = Hash::Sha256.hmac(token.as_bytes(), &[b"Initiator", binding]);
        [user.as_bytes(), b"\0", &proof].concat()
    }

    #[test]
    fn a_token_is_proved_on_its_channel_only() {
        let sent = message("romeo", "token", b"channel");
        let proof = TokenProof::parse(&sent).expect("a message");
        assert_eq!(proof.user, "romeo");
        let answer = proof.verify("token", b"channel").expect("proven");
        assert_eq!(answer, Hash::Sha256.hmac(b"token", &[b"Responderchannel"]).to_vec());
        assert!(proof.verify("token", b"other").is_none());
        assert!(proof.verify("other", b"channel").is_none());
    }

    #[test]
    fn what_is_no_message() {
        let good = message("romeo", "token", b"");
        for bad in [&good[..good.len() - 1], &good[6..], &good[5..], b"", b"\0", b"romeo"] {
            assert!(TokenProof::parse(bad).is_none(), "{bad:?}");
        }
        assert!(TokenProof::parse(&message(&"a".repeat(2000), "t", b"")).is_none());
        assert!(TokenProof::parse(&[&[0xff][..], &good[5..]].concat()).is_none());
    }

    #[test]
    fn everything_that_differs_makes_another_token() {
        let secret = DeviceSecret::new([7; DEVICE_SECRET_BYTES]);
        let token = secret.token(1, "a", FastMechanism::Exporter, &[1]);
        assert_eq!(token, secret.token(1, "a", FastMechanism::Exporter, &[1]));
        assert_ne!(token, secret.token(2, "a", FastMechanism::Exporter, &[1]));
        assert_ne!(token, secret.token(1, "b", FastMechanism::Exporter, &[1]));
        assert_ne!(token, secret.token(1, "a", FastMechanism::Unbound, &[1]));
        assert_ne!(token, secret.token(1, "a", FastMechanism::Exporter, &[2]));
        let other = DeviceSecret::new([8; DEVICE_SECRET_BYTES]);
        assert_ne!(token, other.token(1, "a", FastMechanism::Exporter, &[1]));
        assert_ne!(secret.device_id("a@x", "1"), secret.device_id("b@x", "1"));
        assert_eq!(secret.device_id("a@x", "1").len(), DEVICE_ID_LETTERS);
    }

    #[test]
    fn names_are_read_again() {
        for mechanism in FastMechanism::ALL {
            assert_eq!(FastMechanism::from_name(mechanism.name()), Some(mechanism));
        }
        assert_eq!(FastMechanism::from_name("HT-SHA-256-UNIQ"), None);
    }
}
