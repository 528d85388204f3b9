//! The elements of SASL (RFC 6120 §6.4, §6.5): reading a client's, printing ours. What they mean is not known here.
//!
//! Base64 is read strictly: one alphabet, padding, no white space, nothing else (RFC 6120 §6.4.2, RFC 4648 §12).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ns;
use crate::xml::Element;
use crate::xml::writer::escape_text;

/// The longest name of a mechanism (RFC 4422 §3.1).
const MECHANISM_BYTES_MAX: usize = 20;

/// One list for variant and element name.
macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// Why authentication failed (RFC 6120 §6.5).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum SaslFailure {
            $($(#[$doc])* $variant,)*
        }

        impl SaslFailure {
            /// All of them, in the order of the RFC.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of its element.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

failures! {
    /// The client asked for it (§6.5.1).
    Aborted "aborted";
    /// The account may not be used for now (§6.5.2).
    AccountDisabled "account-disabled";
    /// The password is too old (§6.5.3).
    CredentialsExpired "credentials-expired";
    /// The mechanism may be used within TLS only (§6.5.4).
    EncryptionRequired "encryption-required";
    /// Not base64 (§6.5.5).
    IncorrectEncoding "incorrect-encoding";
    /// May not act as whom it asks for (§6.5.6).
    InvalidAuthzid "invalid-authzid";
    /// A mechanism that was not offered, or none (§6.5.7).
    InvalidMechanism "invalid-mechanism";
    /// Something is missing, too much or out of order (§6.5.8).
    MalformedRequest "malformed-request";
    /// The mechanism is weaker than the policy for this account (§6.5.9).
    MechanismTooWeak "mechanism-too-weak";
    /// Wrong credentials, or anything that must look the same (§6.5.10).
    NotAuthorized "not-authorized";
    /// The server failed (§6.5.11).
    TemporaryAuthFailure "temporary-auth-failure";
}

impl SaslFailure {
    /// Reads the name of a failure's element.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|failure| failure.as_str() == name)
    }

    /// Appends `<failure/>`, perhaps with an explanation in English.
    pub fn write(self, out: &mut String, text: Option<&str>) {
        out.push_str("<failure xmlns='");
        out.push_str(ns::SASL);
        out.push_str("'><");
        out.push_str(self.as_str());
        out.push_str("/>");
        if let Some(text) = text {
            out.push_str("<text xml:lang='en'>");
            escape_text(out, text);
            out.push_str("</text>");
        }
        out.push_str("</failure>");
    }
}

impl fmt::Display for SaslFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a client sends while it authenticates.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslRequest {
    /// It chose a mechanism (§6.4.2).
    Auth {
        /// The name of the mechanism; well-formed, not necessarily one of ours.
        mechanism: String,
        /// `None` if there was no initial response, which is not the same as an empty one.
        initial: Option<Vec<u8>>,
    },
    /// It answers a challenge (§6.4.3).
    Response(Vec<u8>),
    /// It gives up (§6.4.4).
    Abort,
}

impl fmt::Debug for SaslRequest {
    // Responses hold passwords: they must not reach a log by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth { mechanism, .. } => {
                f.debug_struct("Auth").field("mechanism", mechanism).finish_non_exhaustive()
            }
            Self::Response(_) => f.write_str("Response(..)"),
            Self::Abort => f.write_str("Abort"),
        }
    }
}

impl SaslRequest {
    /// Reads a client's element; `None` if it is none of SASL's. A request has text and no children.
    pub fn from_element(element: &Element, bytes_max: usize) -> Option<Result<Self, SaslFailure>> {
        if element.ns() != ns::SASL {
            return None;
        }
        let request = Self::parse(element.name(), element.get_attr("mechanism"), &element.text_content(), bytes_max)?;
        Some(if element.first_child().is_some() { Err(SaslFailure::MalformedRequest) } else { request })
    }

    /// Reads what an element in [`ns::SASL`] says: its name, its attribute `mechanism` and its text.
    ///
    /// `bytes_max` bounds the decoded response. `None` if the name is none of a client's.
    pub fn parse(
        name: &str,
        mechanism: Option<&str>,
        text: &str,
        bytes_max: usize,
    ) -> Option<Result<Self, SaslFailure>> {
        match name {
            "auth" => Some(Self::auth(mechanism, text, bytes_max)),
            "response" => Some(decode(text, bytes_max).map(Self::Response)),
            "abort" => Some(Ok(Self::Abort)),
            _ => None,
        }
    }

    fn auth(mechanism: Option<&str>, text: &str, bytes_max: usize) -> Result<Self, SaslFailure> {
        let mechanism = mechanism.filter(|name| is_mechanism(name)).ok_or(SaslFailure::InvalidMechanism)?;
        let initial = if text.is_empty() { None } else { Some(decode(text, bytes_max)?) };
        Ok(Self::Auth { mechanism: mechanism.to_owned(), initial })
    }
}

/// RFC 4422 §3.1: one to twenty upper-case letters, digits, hyphens and underscores.
pub(crate) fn is_mechanism(name: &str) -> bool {
    (1..=MECHANISM_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// The data of an element: base64, or a single `=` for data of no length (RFC 6120 §6.4.2).
///
/// What is longer than `bytes_max` is a malformed request.
pub fn decode(text: &str, bytes_max: usize) -> Result<Vec<u8>, SaslFailure> {
    if text == "=" { Ok(Vec::new()) } else { decode_strictly(text, bytes_max) }
}

/// The same without the `=`, which SASL2 does not need (XEP-0388 §2.2).
pub(crate) fn decode_strictly(text: &str, bytes_max: usize) -> Result<Vec<u8>, SaslFailure> {
    // Four characters are three bytes, fewer only at the end.
    if text.len() / 4 > bytes_max / 3 + 1 {
        return Err(SaslFailure::MalformedRequest);
    }
    let data = STANDARD.decode(text).map_err(|_| SaslFailure::IncorrectEncoding)?;
    if data.len() > bytes_max { Err(SaslFailure::MalformedRequest) } else { Ok(data) }
}

/// Appends `<challenge/>`. Without data the element is empty: there is no challenge that is absent, so nothing to tell apart.
pub fn write_challenge(out: &mut String, data: &[u8]) {
    write_element(out, "challenge", (!data.is_empty()).then_some(data));
}

/// Appends `<success/>`, perhaps with additional data (RFC 6120 §6.4.6): `None` is not the same as empty data.
pub fn write_success(out: &mut String, additional: Option<&[u8]>) {
    write_element(out, "success", additional);
}

fn write_element(out: &mut String, name: &str, data: Option<&[u8]>) {
    out.push('<');
    out.push_str(name);
    out.push_str(" xmlns='");
    out.push_str(ns::SASL);
    match data {
        None => out.push_str("'/>"),
        Some(data) => {
            out.push_str("'>");
            if data.is_empty() {
                out.push('=');
            } else {
                STANDARD.encode_string(data, out);
            }
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auth(mechanism: Option<&str>, text: &str) -> Result<SaslRequest, SaslFailure> {
        SaslRequest::parse("auth", mechanism, text, 100).expect("a request")
    }

    #[test]
    fn there_are_11_failures_and_their_names_are_read_again() {
        assert_eq!(SaslFailure::ALL.len(), 11);
        for &failure in SaslFailure::ALL {
            assert_eq!(SaslFailure::from_name(failure.as_str()), Some(failure));
        }
    }

    #[test]
    fn failures_are_printed() {
        let mut out = String::new();
        SaslFailure::NotAuthorized.write(&mut out, None);
        SaslFailure::AccountDisabled.write(&mut out, Some("ask <us>"));
        assert_eq!(
            out,
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>\
             <failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><account-disabled/>\
             <text xml:lang='en'>ask &lt;us&gt;</text></failure>"
        );
    }

    #[test]
    fn challenge_and_success_are_printed() {
        let challenge = |data: &[u8]| {
            let mut out = String::new();
            write_challenge(&mut out, data);
            out
        };
        let success = |additional: Option<&[u8]>| {
            let mut out = String::new();
            write_success(&mut out, additional);
            out
        };
        assert_eq!(challenge(b"abc"), "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>YWJj</challenge>");
        assert_eq!(challenge(b""), "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        assert_eq!(success(Some(b"v=")), "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj0=</success>");
        assert_eq!(success(Some(b"")), "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</success>");
        assert_eq!(success(None), "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    }

    #[test]
    fn the_initial_response() {
        let with = |initial: Option<&[u8]>| {
            Ok(SaslRequest::Auth { mechanism: "PLAIN".into(), initial: initial.map(<[u8]>::to_vec) })
        };
        assert_eq!(auth(Some("PLAIN"), ""), with(None));
        assert_eq!(auth(Some("PLAIN"), "="), with(Some(b"")));
        assert_eq!(auth(Some("PLAIN"), "AGEAYg=="), with(Some(b"\0a\0b")));
    }

    #[test]
    fn what_is_not_base64() {
        let rows = [
            " ",
            "AGEAYg",
            "AGEAYg=",
            "AGEA Yg==",
            "AGEAYg==\n",
            "\nAGEAYg==",
            "AGEA-_==",
            "AGEAYh==",
            "==",
            "é",
            "=AAA",
            "AA=A",
            "AGEAYg==AGEAYg==",
        ];
        for text in rows {
            assert_eq!(auth(Some("PLAIN"), text), Err(SaslFailure::IncorrectEncoding), "{text:?}");
            let response = SaslRequest::parse("response", None, text, 100).expect("a request");
            assert_eq!(response, Err(SaslFailure::IncorrectEncoding), "{text:?}");
        }
    }

    #[test]
    fn mechanisms() {
        for name in ["PLAIN", "SCRAM-SHA-256-PLUS", "X_1", "ABCDEFGHIJKLMNOPQRST"] {
            assert!(auth(Some(name), "").is_ok(), "{name}");
        }
        for name in ["", "plain", "A B", "ABCDEFGHIJKLMNOPQRSTU", "É", "A<B"] {
            assert_eq!(auth(Some(name), ""), Err(SaslFailure::InvalidMechanism), "{name}");
        }
        assert_eq!(auth(None, ""), Err(SaslFailure::InvalidMechanism));
    }

    #[test]
    fn the_other_requests() {
        assert_eq!(SaslRequest::parse("response", None, "", 9), Some(Ok(SaslRequest::Response(Vec::new()))));
        assert_eq!(SaslRequest::parse("response", None, "=", 9), Some(Ok(SaslRequest::Response(Vec::new()))));
        assert_eq!(SaslRequest::parse("response", None, "YWJj", 9), Some(Ok(SaslRequest::Response(b"abc".to_vec()))));
        assert_eq!(SaslRequest::parse("abort", None, "", 9), Some(Ok(SaslRequest::Abort)));
        assert_eq!(SaslRequest::parse("success", None, "", 9), None);
        let secret = SaslRequest::Response(b"secret".to_vec());
        assert_eq!(format!("{secret:?}"), "Response(..)");
    }

    #[test]
    fn elements() {
        let read = |xml: &str| SaslRequest::from_element(&Element::parse(xml, ns::SASL).expect("XML"), 100);
        assert_eq!(read("<response>YWJj</response>"), Some(Ok(SaslRequest::Response(b"abc".to_vec()))));
        assert!(matches!(
            read("<auth mechanism='PLAIN'>=</auth>"),
            Some(Ok(SaslRequest::Auth { initial: Some(_), .. }))
        ));
        assert_eq!(read("<response>Y<a/>WJj</response>"), Some(Err(SaslFailure::MalformedRequest)));
        assert_eq!(read("<response> YWJj</response>"), Some(Err(SaslFailure::IncorrectEncoding)));
        assert_eq!(read("<auth xmlns='urn:x' mechanism='PLAIN'/>"), None);
        assert_eq!(read("<success/>"), None);
    }

    #[test]
    fn the_limit_counts_decoded_bytes() {
        for max in 1..30 {
            let encode = |len: usize| STANDARD.encode(vec![7; len]);
            assert_eq!(decode(&encode(max), max), Ok(vec![7; max]));
            assert_eq!(decode(&encode(max + 1), max), Err(SaslFailure::MalformedRequest));
            assert_eq!(decode(&encode(max + 1000), max), Err(SaslFailure::MalformedRequest));
        }
    }

    proptest! {
        #[test]
        fn data_is_read_as_it_was_written(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut out = String::new();
            write_success(&mut out, Some(&data));
            let text = out.split(['<', '>']).nth(2).expect("content");
            prop_assert_eq!(decode(text, 64), Ok(data));
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,20}", mechanism in "\\PC{0,24}", max in 0..20_usize) {
            for name in ["auth", "response"] {
                let _ = SaslRequest::parse(name, Some(&mechanism), &text, max);
            }
        }
    }
}
