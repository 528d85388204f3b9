//! The hash functions of SCRAM behind one name, chosen at run time.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

/// A hash value or key, on the stack.
pub(super) type Output = SmallVec<[u8; 32]>;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    pub(super) const fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// `H(str)`
    pub(super) fn digest(self, data: &[u8]) -> Output {
        match self {
            Self::Sha1 => Sha1::digest(data).as_slice().into(),
            Self::Sha256 => Sha256::digest(data).as_slice().into(),
        }
    }

    /// `HMAC(key, str)`, the string given in parts
    pub(super) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Output {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, parts),
        }
    }

    /// `Hi(str, salt, i)`
    pub(super) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32) -> Output {
        let mut output = Output::from_elem(0, self.output_bytes());
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut output),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut output),
        }
        output
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Output {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().as_slice().into()
}
