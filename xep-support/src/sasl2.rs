//! The elements of SASL2 (XEP-0388 §2): reading a client's, printing ours. What they mean is not known here.
//!
//! Unlike in RFC 6120 data stands in elements of its own, so that an empty element is empty data and no `=` is needed.
//! Base64 is read strictly, but for white space around it, which the examples of the XEP have.

use crate::ns;
use crate::sasl::{SaslFailure, decode_strictly, is_mechanism};
use crate::xml::Element;
use crate::xml::writer::escape_text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a client sends while it authenticates.
#[derive(Debug)]
pub enum Sasl2Request {
    /// It begins (§2.3).
    Authenticate(Box<Authenticate>),
    /// It answers a challenge (§2.5).
    Response(ResponseData),
    /// It gives up (§4.5).
    Abort,
    /// It chooses a task (§2.6.3).
    Next(String),
    /// It goes on with one.
    TaskData(Element),
}

/// Decoded data of a client. It holds passwords, which must not reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseData(pub Vec<u8>);

impl fmt::Debug for ResponseData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseData(..)")
    }
}

/// `<authenticate/>`.
#[derive(Debug)]
pub struct Authenticate {
    /// The name of the mechanism; well-formed, not necessarily one of ours.
    pub mechanism: String,
    /// `None` if there was no initial response, which is not the same as an empty one.
    pub initial: Option<ResponseData>,
    /// What the client says about itself.
    pub agent: Option<UserAgent>,
    /// Everything in other namespaces: what is wanted together with authentication.
    pub inline: Vec<Element>,
}

/// `<user-agent/>` (§2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent {
    /// Identifies the installation: a UUID, in lower case.
    pub id: Option<String>,
    /// The software.
    pub software: Option<String>,
    /// What it runs on.
    pub device: Option<String>,
}

impl Sasl2Request {
    /// Reads a client's element; `None` if it is none of a client's in SASL2. `bytes_max` bounds decoded data.
    pub fn from_element(element: &Element, bytes_max: usize) -> Option<Result<Self, SaslFailure>> {
        if element.ns() != ns::SASL2 {
            return None;
        }
        Some(match element.name() {
            "authenticate" => Authenticate::read(element, bytes_max).map(|a| Self::Authenticate(Box::new(a))),
            "response" if element.first_child().is_some() => Err(SaslFailure::MalformedRequest),
            "response" => data(element, bytes_max).map(Self::Response),
            "abort" => Ok(Self::Abort),
            "next" => match element.get_attr("task").filter(|task| is_mechanism(task)) {
                Some(task) => Ok(Self::Next(task.to_owned())),
                None => Err(SaslFailure::MalformedRequest),
            },
            "task-data" => Ok(Self::TaskData(element.clone())),
            _ => return None,
        })
    }
}

impl Authenticate {
    fn read(element: &Element, bytes_max: usize) -> Result<Self, SaslFailure> {
        let mechanism =
            element.get_attr("mechanism").filter(|m| is_mechanism(m)).ok_or(SaslFailure::InvalidMechanism)?;
        let mut read = Self { mechanism: mechanism.to_owned(), initial: None, agent: None, inline: Vec::new() };
        for child in element.child_elements() {
            if child.ns() != ns::SASL2 {
                read.inline.push(child.clone());
                continue;
            }
            let again = match child.name() {
                "initial-response" => read.initial.replace(data(child, bytes_max)?).is_some(),
                "user-agent" => read.agent.replace(UserAgent::read(child)?).is_some(),
                // What a later version may add.
                _ => false,
            };
            if again {
                return Err(SaslFailure::MalformedRequest);
            }
        }
        Ok(read)
    }

    /// The one element of this name, if there is one; more than one are a malformed request.
    pub fn inline(&self, name: &str, ns: &str) -> Result<Option<&Element>, SaslFailure> {
        let mut found = self.inline.iter().filter(|e| e.is(name, ns));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(SaslFailure::MalformedRequest),
            (first, None) => Ok(first),
        }
    }
}

impl UserAgent {
    fn read(element: &Element) -> Result<Self, SaslFailure> {
        let id = match element.get_attr("id") {
            Some(id) if is_uuid(id) => Some(id.to_ascii_lowercase()),
            Some(_) => return Err(SaslFailure::MalformedRequest),
            None => None,
        };
        let text = |name| {
            let text = element.find(name, ns::SASL2)?.text_content();
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Ok(Self { id, software: text("software"), device: text("device") })
    }
}

/// `8-4-4-4-12` hexadecimal digits (§8).
fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    text.split('-').count() == lengths.len()
        && text.split('-').zip(lengths).all(|(part, length)| part.len() == length && hex(part))
}

/// The base64 text of an element (§2.2).
pub fn data(element: &Element, bytes_max: usize) -> Result<ResponseData, SaslFailure> {
    if element.first_child().is_some() {
        return Err(SaslFailure::MalformedRequest);
    }
    let text = element.text_content();
    decode_strictly(text.trim_matches([' ', '\t', '\r', '\n']), bytes_max).map(ResponseData)
}

/// Appends `<challenge/>`.
pub fn write_challenge(out: &mut String, challenge: &[u8]) {
    out.push_str("<challenge xmlns='");
    out.push_str(ns::SASL2);
    out.push_str("'>");
    STANDARD.encode_string(challenge, out);
    out.push_str("</challenge>");
}

/// Appends `<failure/>` (§2.6.2), perhaps with an application-specific condition as XML, and an explanation in English.
pub fn write_failure(out: &mut String, failure: SaslFailure, specific: &str, text: Option<&str>) {
    out.push_str("<failure xmlns='");
    out.push_str(ns::SASL2);
    out.push_str("'><");
    out.push_str(failure.as_str());
    out.push_str(" xmlns='");
    out.push_str(ns::SASL);
    out.push_str("'/>");
    out.push_str(specific);
    if let Some(text) = text {
        out.push_str("<text xml:lang='en'>");
        escape_text(out, text);
        out.push_str("</text>");
    }
    out.push_str("</failure>");
}

/// Appends `<success/>` (§2.6.1) with `inline` inside, which is XML.
pub fn write_success(out: &mut String, additional: Option<&[u8]>, authorization_identifier: &str, inline: &str) {
    out.push_str("<success xmlns='");
    out.push_str(ns::SASL2);
    out.push_str("'>");
    write_additional(out, additional);
    out.push_str("<authorization-identifier>");
    escape_text(out, authorization_identifier);
    out.push_str("</authorization-identifier>");
    out.push_str(inline);
    out.push_str("</success>");
}

/// Appends `<continue/>` with one task (§2.6.3, XEP-0480 §2.2).
pub fn write_continue(out: &mut String, additional: Option<&[u8]>, task: &str, text: &str) {
    out.push_str("<continue xmlns='");
    out.push_str(ns::SASL2);
    out.push_str("'>");
    write_additional(out, additional);
    out.push_str("<tasks><task>");
    escape_text(out, task);
    out.push_str("</task></tasks><text xml:lang='en'>");
    escape_text(out, text);
    out.push_str("</text></continue>");
}

fn write_additional(out: &mut String, additional: Option<&[u8]>) {
    if let Some(data) = additional {
        out.push_str("<additional-data>");
        STANDARD.encode_string(data, out);
        out.push_str("</additional-data>");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(xml: &str) -> Option<Result<Sasl2Request, SaslFailure>> {
        Sasl2Request::from_element(&Element::parse(xml, ns::SASL2).expect("XML"), 100)
    }

    fn authenticate(xml: &str) -> Result<Authenticate, SaslFailure> {
        match read(xml) {
            Some(Ok(Sasl2Request::Authenticate(request))) => Ok(*request),
            Some(Err(failure)) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_with_everything() {
        let request = authenticate(
            "<authenticate mechanism='PLAIN'><initial-response>\n  AGEAYg==\n</initial-response>\
             <user-agent id='D4565FA7-4d72-4749-b3d3-740edbf87770'><software>Dino</software><device> Phone </device>\
             </user-agent><bind xmlns='urn:xmpp:bind:0'/></authenticate>",
        );
        let request = request.expect("well-formed");
        assert_eq!(request.initial, Some(ResponseData(b"\0a\0b".to_vec())));
        let agent = request.agent.as_ref().expect("one");
        assert_eq!(agent.id.as_deref(), Some("d4565fa7-4d72-4749-b3d3-740edbf87770"));
        assert_eq!((agent.software.as_deref(), agent.device.as_deref()), (Some("Dino"), Some("Phone")));
        assert!(request.inline("bind", ns::BIND2).is_ok_and(|bind| bind.is_some()));
        assert!(request.inline("resume", ns::SM).is_ok_and(|resume| resume.is_none()));
        assert!(!format!("{request:?}").contains("97, 0"), "no password in a log");
    }

    #[test]
    fn what_is_refused() {
        let rows = [
            ("<authenticate/>", SaslFailure::InvalidMechanism),
            ("<authenticate mechanism='plain'/>", SaslFailure::InvalidMechanism),
            (
                "<authenticate mechanism='PLAIN'><initial-response>=</initial-response></authenticate>",
                SaslFailure::IncorrectEncoding,
            ),
            (
                "<authenticate mechanism='PLAIN'><initial-response>AG EA</initial-response></authenticate>",
                SaslFailure::IncorrectEncoding,
            ),
            (
                "<authenticate mechanism='PLAIN'><initial-response><a/></initial-response></authenticate>",
                SaslFailure::MalformedRequest,
            ),
            (
                "<authenticate mechanism='PLAIN'><initial-response/><initial-response/></authenticate>",
                SaslFailure::MalformedRequest,
            ),
            ("<authenticate mechanism='PLAIN'><user-agent id='1'/></authenticate>", SaslFailure::MalformedRequest),
            (
                "<authenticate mechanism='PLAIN'><user-agent/><user-agent/></authenticate>",
                SaslFailure::MalformedRequest,
            ),
            ("<next/>", SaslFailure::MalformedRequest),
            ("<response>é</response>", SaslFailure::IncorrectEncoding),
        ];
        for (xml, failure) in rows {
            assert_eq!(read(xml).map(|r| r.err()), Some(Some(failure)), "{xml}");
        }
        assert!(read("<success/>").is_none());
        assert!(read("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>").is_none());
        let twice = authenticate("<authenticate mechanism='A'><x xmlns='u'/><x xmlns='u'/></authenticate>");
        assert!(twice.expect("read").inline("x", "u").is_err());
    }

    #[test]
    fn no_initial_response_is_not_an_empty_one() {
        let initial = |xml: &str| authenticate(xml).expect("well-formed").initial;
        assert_eq!(initial("<authenticate mechanism='PLAIN'/>"), None);
        let empty = "<authenticate mechanism='PLAIN'><initial-response/></authenticate>";
        assert_eq!(initial(empty), Some(ResponseData(Vec::new())));
    }

    #[test]
    fn answers_are_printed() {
        let mut out = String::new();
        write_challenge(&mut out, b"abc");
        write_failure(&mut out, SaslFailure::Aborted, "<x xmlns='u'/>", Some("a<b"));
        write_success(&mut out, Some(b""), "a@b/<", "<y/>");
        write_continue(&mut out, None, "UPGR-X", "why");
        assert_eq!(
            out,
            "<challenge xmlns='urn:xmpp:sasl:2'>YWJj</challenge>\
             <failure xmlns='urn:xmpp:sasl:2'><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><x xmlns='u'/>\
             <text xml:lang='en'>a&lt;b</text></failure>\
             <success xmlns='urn:xmpp:sasl:2'><additional-data></additional-data>\
             <authorization-identifier>a@b/&lt;</authorization-identifier><y/></success>\
             <continue xmlns='urn:xmpp:sasl:2'><tasks><task>UPGR-X</task></tasks><text xml:lang='en'>why</text></continue>"
        );
    }

    proptest! {
        #[test]
        fn only_a_uuid_is_one(text in "[0-9a-fA-F-]{30,40}") {
            let parts: Vec<_> = text.split('-').map(str::len).collect();
            prop_assert_eq!(is_uuid(&text), parts == [8, 4, 4, 4, 12]);
        }

        #[test]
        fn garbage_never_panics(name in "(authenticate|response|next|task-data)", text in "[ a-zA-Z0-9=+/]{0,30}") {
            let _ = read(&format!("<{name} mechanism='PLAIN' task='X'>{text}</{name}>"));
        }
    }
}
