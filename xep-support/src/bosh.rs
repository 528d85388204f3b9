//! The `<body/>` of BOSH (XEP-0124 §6, XEP-0206): reading a client's, printing ours. What follows from it is not known here.
//!
//! What a client sends is checked as a whole, and its payloads are cut out so that each stands alone: it says itself in
//! which namespace it is, whatever was declared around it.

mod answer;
mod payload;

pub use answer::{Answer, Condition, Created, Kind, Opened};

use crate::ns;
use crate::stream::skip_declaration;
use crate::xml::XmlError;
use crate::xml::check::{StreamContext, walk};
use payload::Cutter;

/// The largest rid (§13.1): what a double still counts exactly.
pub const RID_MAX: u64 = (1 << 53) - 1;

/// Bounds of what one body may be.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Levels of one payload.
    pub depth_max: usize,
    /// Attributes of one element.
    pub attributes_max: usize,
    /// Payloads in one body.
    pub payloads_max: usize,
}

/// Why a body cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No XML, no `<body/>`, or an attribute that is not what it must be: bad-request.
    #[error("not a body")]
    Malformed,
    /// More of something than allowed: policy-violation.
    #[error("beyond a limit")]
    Limit,
}

impl From<XmlError> for BodyError {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::NotWellFormed | XmlError::RestrictedXml => Self::Malformed,
            _ => Self::Limit,
        }
    }
}

/// What a client's `<body/>` says. Addresses are as the client wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The number of the request (§13).
    pub rid: u64,
    /// The session; none begins one (§7.1).
    pub sid: Option<String>,
    /// The domain.
    pub to: Option<String>,
    /// Who the client says it is.
    pub from: Option<String>,
    /// The language of the stream.
    pub lang: Option<String>,
    /// The highest version of BOSH it speaks.
    pub ver: Option<(u32, u32)>,
    /// Seconds it lets us wait.
    pub wait: Option<u32>,
    /// Requests it lets us hold.
    pub hold: Option<u32>,
    /// The type of the answers (§7.1).
    pub content: Option<String>,
    /// Up to which rid it has the answers; 1 in the first request: it will say so.
    pub ack: Option<u64>,
    /// §14.4.
    pub key: Option<String>,
    /// §14.5.
    pub newkey: Option<String>,
    /// Seconds of silence it asks for (§9).
    pub pause: Option<u32>,
    /// It ends the session (§12).
    pub terminates: bool,
    /// A stream of several (§15), which nobody offered it.
    pub stream: Option<String>,
    /// XEP-0206 §5: a new stream begins.
    pub restart: bool,
    /// XEP-0206 §3.
    pub xmpp_version: Option<String>,
    /// The payloads, one after the other.
    pub payload: String,
    /// How many these are.
    pub payloads: usize,
}

impl Body {
    /// Reads the body of an HTTP request.
    pub fn parse(bytes: &[u8], limits: BodyLimits) -> Result<Self, BodyError> {
        let text = std::str::from_utf8(bytes).map_err(|_| BodyError::Malformed)?;
        let blank = [' ', '\t', '\r', '\n'];
        let text = skip_declaration(text.trim_matches(blank)).map_err(|_| BodyError::Malformed)?;
        let context = StreamContext::new("").with_limits(limits.depth_max + 1, limits.attributes_max);
        let mut cutter = Cutter::new(text, limits.payloads_max);
        walk(text, &context, &mut cutter)?;
        cutter.finish()
    }

    /// Nothing but a question for what there is (§10, §11).
    pub fn is_empty(&self) -> bool {
        self.payloads == 0 && !self.restart && self.pause.is_none() && !self.terminates
    }

    /// Takes up an attribute of the wrapper.
    fn set(&mut self, ns: &str, name: &str, value: &str) -> Result<(), BodyError> {
        let text = || Some(value.to_owned());
        match (ns, name) {
            ("", "rid") => {
                self.rid = number(value).filter(|rid| (1..=RID_MAX).contains(rid)).ok_or(BodyError::Malformed)?
            }
            ("", "sid") => self.sid = text(),
            ("", "to") => self.to = text().filter(|to| !to.is_empty()),
            ("", "from") => self.from = text(),
            ("", "ver") => self.ver = Some(version(value).ok_or(BodyError::Malformed)?),
            ("", "wait") => self.wait = Some(small(value)?),
            ("", "hold") => self.hold = Some(small(value)?),
            ("", "content") => self.content = text(),
            ("", "ack") => self.ack = Some(number(value).ok_or(BodyError::Malformed)?),
            ("", "key") => self.key = text(),
            ("", "newkey") => self.newkey = text(),
            ("", "pause") => self.pause = Some(small(value)?),
            // `error`: XEP-0124 §16.2, a client may report one as well. There is nothing to be done about it.
            ("", "type") => self.terminates = value == "terminate",
            ("", "stream") => self.stream = text(),
            (ns::XML, "lang") => self.lang = text().filter(|lang| !lang.is_empty()),
            (ns::XBOSH, "restart") => self.restart = matches!(value, "true" | "1"),
            (ns::XBOSH, "version") => self.xmpp_version = text(),
            _ => {}
        }
        Ok(())
    }
}

/// Digits and nothing else; `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A number that may be larger than anybody needs: then it is the largest there is.
fn small(text: &str) -> Result<u32, BodyError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { Ok(text.parse().unwrap_or(u32::MAX)) } else { Err(BodyError::Malformed) }
}

/// `major.minor` (§7.1).
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((small(major).ok()?, small(minor).ok()?))
}

#[cfg(test)]
mod tests;
