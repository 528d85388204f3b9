//! The client's half of SCRAM (RFC 5802, RFC 7677), written from the RFC and sharing nothing with the server.

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// `SCRAM-SHA-1`, `SCRAM-SHA-256-PLUS` …
    pub(crate) fn of(mechanism: &str) -> Option<Self> {
        match mechanism.strip_suffix("-PLUS").unwrap_or(mechanism) {
            "SCRAM-SHA-1" => Some(Self::Sha1),
            "SCRAM-SHA-256" => Some(Self::Sha256),
            _ => None,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    pub(crate) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(data).finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(data).finalize().into_bytes().to_vec()
            }
        }
    }

    pub(crate) fn salted(self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password.as_bytes(), salt, rounds).to_vec(),
            Self::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, rounds).to_vec(),
        }
    }
}

/// One exchange. The fields may be bent between the steps to make a client that lies.
pub(crate) struct Scram {
    pub(crate) hash: Hash,
    pub(crate) user: String,
    pub(crate) password: String,
    /// `n,,`, `y,,`, `p=tls-exporter,,`, `n,a=romeo@im.example,` …
    pub(crate) gs2: String,
    /// The channel's data for a `p=` header, otherwise empty.
    pub(crate) binding: Vec<u8>,
    pub(crate) nonce: String,
    server_first: String,
    auth_message: String,
}

impl Scram {
    pub(crate) fn new(hash: Hash, user: &str, password: &str) -> Self {
        let mut random = [0u8; 18];
        getrandom::fill(&mut random).unwrap();
        Self {
            hash,
            user: user.to_owned(),
            password: password.to_owned(),
            gs2: "n,,".to_owned(),
            binding: Vec::new(),
            nonce: BASE64.encode(random),
            server_first: String::new(),
            auth_message: String::new(),
        }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user.replace('=', "=3D").replace(',', "=2C"), self.nonce)
    }

    pub(crate) fn first(&self) -> String {
        format!("{}{}", self.gs2, self.first_bare())
    }

    /// The value of one attribute of the server's first message.
    pub(crate) fn server_said(&self, key: char) -> Option<&str> {
        self.server_first.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
    }

    /// Takes the server's first message and gives the client's last one.
    pub(crate) fn last(&mut self, server_first: &str) -> String {
        self.server_first = server_first.to_owned();
        let nonce = self.server_said('r').expect("server nonce").to_owned();
        assert!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len(), "not our nonce: {server_first}");
        let bound = [self.gs2.as_bytes(), &self.binding].concat();
        let without_proof = format!("c={},r={nonce}", BASE64.encode(bound));
        self.auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = self.hash.hmac(&self.salted(), b"Client Key");
        let signature = self.hash.hmac(&self.hash.digest(&client_key), self.auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        format!("{without_proof},p={}", BASE64.encode(proof))
    }

    /// Whether the server proved that it knows the account, too.
    pub(crate) fn verify(&self, server_last: &str) -> bool {
        let server_key = self.hash.hmac(&self.salted(), b"Server Key");
        let signature = self.hash.hmac(&server_key, self.auth_message.as_bytes());
        server_last == format!("v={}", BASE64.encode(signature))
    }

    fn salted(&self) -> Vec<u8> {
        let salt = BASE64.decode(self.server_said('s').expect("salt")).expect("salt in base64");
        let rounds = self.server_said('i').and_then(|i| i.parse().ok()).expect("iteration count");
        self.hash.salted(&self.password, &salt, rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 §5 and RFC 7677 §3: the published exchanges.
    #[test]
    fn published_exchanges() {
        let first_sha1 = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let mut scram = Scram::new(Hash::Sha1, "user", "pencil");
        scram.nonce = "fyko+d2lbbFgONRv9qkxdawL".into();
        assert_eq!(scram.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        assert!(scram.last(first_sha1).ends_with(",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="));
        assert!(scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));

        let first_sha256 = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let mut scram = Scram::new(Hash::Sha256, "user", "pencil");
        scram.nonce = "rOprNGfwEbeRWgbNEkqO".into();
        assert!(scram.last(first_sha256).ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        assert!(scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
    }
}
