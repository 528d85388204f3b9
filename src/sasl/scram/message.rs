//! The messages of RFC 5802 §7, read to the letter. They borrow from what was received, because the proofs cover those
//! very bytes.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::sasl::{AUTHZID_BYTES_MAX, CLIENT_NONCE_BYTES_MAX, USER_BYTES_MAX, failure::Refusal};

/// What the client says about channel binding (`gs2-cbind-flag`).
#[derive(Debug, Eq, PartialEq)]
pub(in crate::sasl) enum BindingFlag<'m> {
    /// `n`: the client cannot
    Unable,
    /// `y`: the client could, but thinks that we cannot
    NotOffered,
    /// `p=name`: it wants to
    Wanted(&'m str),
}

/// client-first-message
#[derive(Debug)]
pub(in crate::sasl) struct ClientFirst<'m> {
    pub(in crate::sasl) flag: BindingFlag<'m>,
    pub(in crate::sasl) authzid: Option<String>,
    /// Unescaped and prepared
    pub(in crate::sasl) user: String,
    pub(in crate::sasl) nonce: &'m str,
    /// gs2-header, as received
    pub(in crate::sasl) gs2_header: &'m str,
    /// client-first-message-bare, as received
    pub(in crate::sasl) bare: &'m str,
}

impl<'m> ClientFirst<'m> {
    pub(in crate::sasl) fn parse(message: &'m [u8]) -> Result<Self, Refusal> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(Refusal::Grammar("gs2-header"))?;
        let (authzid, bare) = rest.split_once(',').ok_or(Refusal::Grammar("gs2-header"))?;
        let authzid = match authzid.strip_prefix("a=") {
            Some(name) => Some(saslname(name, AUTHZID_BYTES_MAX)?),
            None if authzid.is_empty() => None,
            None => return Err(Refusal::Grammar("authzid")),
        };
        let mut attributes = bare.split(',');
        let user = value(attributes.next(), 'n')?;
        let nonce = value(attributes.next(), 'r')?;
        extensions(attributes)?;
        if nonce.len() > CLIENT_NONCE_BYTES_MAX || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::Grammar("nonce"));
        }
        Ok(Self {
            flag: binding_flag(flag)?,
            authzid,
            user: prepared_user(user)?,
            nonce,
            gs2_header: &message[..message.len() - bare.len()],
            bare,
        })
    }
}

/// client-final-message
#[derive(Debug)]
pub(in crate::sasl) struct ClientFinal<'m> {
    /// gs2-header and channel binding data
    pub(in crate::sasl) channel_binding: Vec<u8>,
    pub(in crate::sasl) nonce: &'m str,
    pub(in crate::sasl) proof: Vec<u8>,
    /// client-final-message-without-proof, as received
    pub(in crate::sasl) without_proof: &'m str,
}

impl<'m> ClientFinal<'m> {
    pub(in crate::sasl) fn parse(message: &'m [u8]) -> Result<Self, Refusal> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(',').ok_or(Refusal::Grammar("client-final-message"))?;
        let proof = value(Some(proof), 'p')?;
        let mut attributes = without_proof.split(',');
        let channel_binding = value(attributes.next(), 'c')?;
        let nonce = value(attributes.next(), 'r')?;
        extensions(attributes)?;
        Ok(Self {
            channel_binding: STANDARD.decode(channel_binding).map_err(|_| Refusal::Grammar("base64 of c="))?,
            nonce,
            proof: STANDARD.decode(proof).map_err(|_| Refusal::Grammar("base64 of p="))?,
            without_proof,
        })
    }
}

/// NUL is in none of the character sets of §7.
fn text(message: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(message).map_err(|_| Refusal::Grammar("UTF-8"))?;
    if text.contains('\0') { Err(Refusal::Grammar("NUL")) } else { Ok(text) }
}

fn binding_flag(flag: &str) -> Result<BindingFlag<'_>, Refusal> {
    match flag {
        "n" => Ok(BindingFlag::Unable),
        "y" => Ok(BindingFlag::NotOffered),
        _ => match flag.strip_prefix("p=") {
            Some(name) if is_binding_name(name) => Ok(BindingFlag::Wanted(name)),
            _ => Err(Refusal::Grammar("gs2-cbind-flag")),
        },
    }
}

/// `cb-name`
fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

/// An attribute that must be here: its value.
fn value(attribute: Option<&str>, name: char) -> Result<&str, Refusal> {
    let (found, value) = attribute.and_then(split_attribute).ok_or(Refusal::Grammar("attribute"))?;
    match found {
        _ if found == name => Ok(value),
        // §5.1: its presence must fail the exchange, wherever it stands.
        'm' => Err(Refusal::MandatoryExtension),
        _ => Err(Refusal::Grammar("attribute missing or out of order")),
    }
}

/// `attr-val`
fn split_attribute(attribute: &str) -> Option<(char, &str)> {
    let (name, value) = attribute.split_once('=')?;
    let mut letters = name.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    (letters.next().is_none() && !value.is_empty()).then_some((letter, value))
}

/// Optional extensions are ignored, as §5.1 says. One that repeats an attribute of the core protocol is none: it would
/// let the two ends read the same message differently.
fn extensions<'m>(attributes: impl Iterator<Item = &'m str>) -> Result<(), Refusal> {
    for attribute in attributes {
        match split_attribute(attribute).ok_or(Refusal::Grammar("extension"))? {
            ('m', _) => return Err(Refusal::MandatoryExtension),
            ('a' | 'n' | 'r' | 'c' | 's' | 'i' | 'p' | 'v' | 'e', _) => return Err(Refusal::Grammar("repetition")),
            _ => {}
        }
    }
    Ok(())
}

/// `saslname`: comma and equals sign are written `=2C` and `=3D`; "if the server receives a username that contains '='
/// not followed by either '2C' or '3D', then the server MUST fail the authentication" (§5.1).
fn saslname(escaped: &str, bytes_max: usize) -> Result<String, Refusal> {
    let mut parts = escaped.split('=');
    let mut name = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Refusal::Grammar("escape in a name")),
        };
        name.push(character);
        name.push_str(rest);
    }
    if name.is_empty() || name.len() > bytes_max { Err(Refusal::Grammar("length of a name")) } else { Ok(name) }
}

fn prepared_user(escaped: &str) -> Result<String, Refusal> {
    let name = saslname(escaped, USER_BYTES_MAX)?;
    let prepared = stringprep::saslprep(&name).map_err(|_| Refusal::Grammar("SASLprep of the user name"))?;
    match prepared.len() {
        1..=USER_BYTES_MAX => Ok(prepared.into_owned()),
        _ => Err(Refusal::Grammar("length of a name")),
    }
}
