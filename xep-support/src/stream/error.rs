//! Stream errors (RFC 6120 §4.9): none can be recovered from, the stream is closed after one.

use std::borrow::Cow;
use std::fmt;

use crate::ns;
use crate::xml::writer::{escape_attr, escape_text};

/// One list for variant and element name.
macro_rules! conditions {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// The defined conditions (RFC 6120 §4.9.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum StreamCondition {
            $($(#[$doc])* $variant,)*
        }

        impl StreamCondition {
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

conditions! {
    /// XML that cannot be processed (§4.9.3.1).
    BadFormat "bad-format";
    /// A prefix that is not bound as it must be, or not at all (§4.9.3.2).
    BadNamespacePrefix "bad-namespace-prefix";
    /// A new stream has taken the place of this one (§4.9.3.3).
    Conflict "conflict";
    /// The peer was silent for too long (§4.9.3.4).
    ConnectionTimeout "connection-timeout";
    /// The domain is served here no longer (§4.9.3.5).
    HostGone "host-gone";
    /// The domain is not served here (§4.9.3.6).
    HostUnknown "host-unknown";
    /// A stanza between servers without `to` or `from` (§4.9.3.7).
    ImproperAddressing "improper-addressing";
    /// The server failed (§4.9.3.8).
    InternalServerError "internal-server-error";
    /// A `from` that is not the peer's (§4.9.3.9).
    InvalidFrom "invalid-from";
    /// A namespace of stream or content that is not one of XMPP's (§4.9.3.10).
    InvalidNamespace "invalid-namespace";
    /// XML that is not valid, to a peer that validates (§4.9.3.11).
    InvalidXml "invalid-xml";
    /// Data before authentication (§4.9.3.12).
    NotAuthorized "not-authorized";
    /// XML that is not well-formed (§4.9.3.13).
    NotWellFormed "not-well-formed";
    /// A limit or another local rule was broken (§4.9.3.14).
    PolicyViolation "policy-violation";
    /// A server needed for authentication cannot be reached (§4.9.3.15).
    RemoteConnectionFailed "remote-connection-failed";
    /// The stream must be made anew, with new credentials or certificates (§4.9.3.16).
    Reset "reset";
    /// Too busy to serve this stream (§4.9.3.17).
    ResourceConstraint "resource-constraint";
    /// A comment, processing instruction, DTD or entity (§4.9.3.18).
    RestrictedXml "restricted-xml";
    /// Another host serves this domain (§4.9.3.19).
    SeeOtherHost "see-other-host";
    /// The server is going down (§4.9.3.20).
    SystemShutdown "system-shutdown";
    /// None of the others: an application condition says more (§4.9.3.21).
    UndefinedCondition "undefined-condition";
    /// The stream is not in UTF-8 (§4.9.3.22).
    UnsupportedEncoding "unsupported-encoding";
    /// A required feature is not supported (§4.9.3.23).
    UnsupportedFeature "unsupported-feature";
    /// A first-level element that is not understood (§4.9.3.24).
    UnsupportedStanzaType "unsupported-stanza-type";
    /// A version of XMPP that is not spoken here (§4.9.3.25).
    UnsupportedVersion "unsupported-version";
}

impl StreamCondition {
    /// Reads the name of a condition's element.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.as_str() == name)
    }
}

impl fmt::Display for StreamCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What ends a stream, for the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{condition}")]
pub struct StreamError {
    /// The defined condition.
    pub condition: StreamCondition,
    /// An explanation for people, in English.
    pub text: Option<Cow<'static, str>>,
    /// An application condition: the name and namespace of an empty element (§4.9.4).
    pub app: Option<(&'static str, &'static str)>,
    /// The host and port to connect to, for `see-other-host` only.
    pub host: Option<Cow<'static, str>>,
}

impl StreamError {
    /// An error that says nothing but its condition.
    pub const fn new(condition: StreamCondition) -> Self {
        Self { condition, text: None, app: None, host: None }
    }

    /// Adds an explanation for people. It must not tell what the peer may not know.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds an application condition.
    #[must_use]
    pub fn with_app(mut self, name: &'static str, ns: &'static str) -> Self {
        self.app = Some((name, ns));
        self
    }

    /// Adds where to connect instead: a host, perhaps with port, as §4.9.3.19 wants it.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<Cow<'static, str>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Appends `<stream:error>`. The prefix `stream` must be bound by our header.
    pub fn write(&self, out: &mut String) {
        out.push_str("<stream:error>");
        self.write_content(out);
        out.push_str("</stream:error>");
    }

    /// Appends the error with a namespace declaration of its own, for a stream without header (RFC 7395 §3.4).
    pub fn write_standalone(&self, out: &mut String) {
        out.push_str("<stream:error xmlns:stream='");
        out.push_str(ns::STREAM);
        out.push_str("'>");
        self.write_content(out);
        out.push_str("</stream:error>");
    }

    fn write_content(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.condition.as_str());
        out.push_str(" xmlns='");
        out.push_str(ns::STREAM_ERRORS);
        match self.host.as_deref().filter(|_| self.condition == StreamCondition::SeeOtherHost) {
            Some(host) => {
                out.push_str("'>");
                escape_text(out, host);
                out.push_str("</see-other-host>");
            }
            None => out.push_str("'/>"),
        }
        if let Some(text) = &self.text {
            out.push_str("<text xmlns='");
            out.push_str(ns::STREAM_ERRORS);
            out.push_str("' xml:lang='en'>");
            escape_text(out, text);
            out.push_str("</text>");
        }
        if let Some((name, ns)) = self.app {
            out.push('<');
            out.push_str(name);
            out.push_str(" xmlns='");
            escape_attr(out, ns);
            out.push_str("'/>");
        }
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self::new(condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_25_conditions_and_their_names_are_read_again() {
        assert_eq!(StreamCondition::ALL.len(), 25);
        for &condition in StreamCondition::ALL {
            assert_eq!(StreamCondition::from_name(condition.as_str()), Some(condition));
        }
        assert_eq!(StreamCondition::from_name("text"), None);
    }

    #[test]
    fn printing() {
        let rows = [
            (
                StreamError::new(StreamCondition::HostUnknown),
                "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ),
            (
                StreamError::new(StreamCondition::PolicyViolation).with_text("a<b").with_app("stanza-too-big", "urn:x"),
                "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>a&lt;b</text>\
                 <stanza-too-big xmlns='urn:x'/></stream:error>",
            ),
            (
                StreamError::new(StreamCondition::SeeOtherHost).with_host("[2001:db8::1]:5222"),
                "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222\
                 </see-other-host></stream:error>",
            ),
            (
                StreamError::new(StreamCondition::Reset).with_host("ignored"),
                "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ),
        ];
        for (error, expected) in rows {
            let mut out = String::new();
            error.write(&mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        StreamError::new(StreamCondition::Reset).write_standalone(&mut out);
        assert!(out.starts_with("<stream:error xmlns:stream='http://etherx.jabber.org/streams'><reset "));
    }
}
