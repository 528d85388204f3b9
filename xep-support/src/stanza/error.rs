//! Stanza errors (RFC 6120 §8.3): a value for the peer, built by condition, with the type the RFC gives it.
//!
//! The reply that carries one is made in [`crate::stanza`].

use std::borrow::Cow;
use std::fmt;

use crate::ns;
use crate::xml::Element;
use crate::xml::writer::{escape_attr, escape_text};

/// What the sender may do about an error (RFC 6120 §8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Try again after giving credentials.
    Auth,
    /// Do not try again.
    Cancel,
    /// Go on: it was only a warning.
    Continue,
    /// Try again after changing what was sent.
    Modify,
    /// Try again after a while.
    Wait,
}

impl ErrorType {
    /// The value of the attribute `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// Reads the attribute `type`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::Cancel, Self::Continue, Self::Modify, Self::Wait].into_iter().find(|t| t.as_str() == name)
    }
}

/// One list for everything that is known of a condition: its variant, element name, default type and constructor.
macro_rules! conditions {
    ($($(#[$doc:meta])* $variant:ident $name:literal $kind:ident $constructor:ident;)*) => {
        /// The defined conditions (RFC 6120 §8.3.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Condition {
            $($(#[$doc])* $variant,)*
        }

        impl Condition {
            /// All of them, in the order of the RFC.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of its element.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The type the RFC recommends for it.
            pub const fn default_type(self) -> ErrorType {
                match self {
                    $(Self::$variant => ErrorType::$kind,)*
                }
            }
        }

        impl StanzaError {
            $($(#[$doc])* pub const fn $constructor() -> Self {
                Self::new(Condition::$variant)
            })*
        }
    };
}

conditions! {
    /// The sender's stanza cannot be processed as it is (§8.3.3.1).
    BadRequest "bad-request" Modify bad_request;
    /// Something of that name or address exists (§8.3.3.2).
    Conflict "conflict" Cancel conflict;
    /// Nobody here does that (§8.3.3.3).
    FeatureNotImplemented "feature-not-implemented" Cancel feature_not_implemented;
    /// The requester lacks the permission (§8.3.3.4).
    Forbidden "forbidden" Auth forbidden;
    /// The addressee is at another address for good (§8.3.3.5).
    Gone "gone" Cancel gone;
    /// The server failed (§8.3.3.6).
    InternalServerError "internal-server-error" Cancel internal_server_error;
    /// There is no such addressee or item, or the requester may not know (§8.3.3.7).
    ItemNotFound "item-not-found" Cancel item_not_found;
    /// An address breaks the rules for JIDs (§8.3.3.8).
    JidMalformed "jid-malformed" Modify jid_malformed;
    /// The request does not meet a criterion of the addressee (§8.3.3.9).
    NotAcceptable "not-acceptable" Modify not_acceptable;
    /// Nobody may do that (§8.3.3.10).
    NotAllowed "not-allowed" Cancel not_allowed;
    /// The sender has to authenticate first (§8.3.3.11).
    NotAuthorized "not-authorized" Auth not_authorized;
    /// A local policy forbids it (§8.3.3.12).
    PolicyViolation "policy-violation" Modify policy_violation;
    /// The addressee is not there now (§8.3.3.13).
    RecipientUnavailable "recipient-unavailable" Wait recipient_unavailable;
    /// The addressee is at another address for the time being (§8.3.3.14).
    Redirect "redirect" Modify redirect;
    /// The requester has to register first (§8.3.3.15).
    RegistrationRequired "registration-required" Auth registration_required;
    /// The addressee's domain does not exist or cannot be reached by its name (§8.3.3.16).
    RemoteServerNotFound "remote-server-not-found" Cancel remote_server_not_found;
    /// The addressee's domain did not answer in time (§8.3.3.17).
    RemoteServerTimeout "remote-server-timeout" Wait remote_server_timeout;
    /// The server is too busy, or a limit is reached (§8.3.3.18).
    ResourceConstraint "resource-constraint" Wait resource_constraint;
    /// The service is not offered here (§8.3.3.19).
    ServiceUnavailable "service-unavailable" Cancel service_unavailable;
    /// The requester has to subscribe first (§8.3.3.20).
    SubscriptionRequired "subscription-required" Auth subscription_required;
    /// None of the others: an application condition says more (§8.3.3.21).
    UndefinedCondition "undefined-condition" Cancel undefined_condition;
    /// The request came out of order (§8.3.3.22).
    UnexpectedRequest "unexpected-request" Wait unexpected_request;
}

impl Condition {
    /// Reads the name of a condition's element.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.as_str() == name)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What went wrong with a stanza, for its sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{condition}")]
pub struct StanzaError {
    /// The defined condition.
    pub condition: Condition,
    /// What the sender may do.
    pub kind: ErrorType,
    /// An explanation for people, in English.
    pub text: Option<Cow<'static, str>>,
    /// An application condition: the name and namespace of an empty element (§8.3.4).
    pub app: Option<(&'static str, &'static str)>,
    /// An application condition that says more than its name (§8.3.4).
    pub detail: Option<Box<Element>>,
    /// Where the addressee is now: a URI, for `gone` and `redirect` only.
    pub address: Option<Cow<'static, str>>,
}

impl StanzaError {
    /// An error of the type the RFC gives the condition.
    pub const fn new(condition: Condition) -> Self {
        Self { condition, kind: condition.default_type(), text: None, app: None, detail: None, address: None }
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

    /// Adds an application condition with a content.
    #[must_use]
    pub fn with_detail(mut self, detail: Element) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }

    /// Replaces the type: some extensions ask for another one than the RFC.
    #[must_use]
    pub fn with_type(mut self, kind: ErrorType) -> Self {
        self.kind = kind;
        self
    }

    /// Adds the new address to `gone` or `redirect`: a URI such as `xmpp:juliet@example.com`.
    #[must_use]
    pub fn with_address(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.address = Some(uri.into());
        self
    }

    /// Appends the element `<error/>`, which inherits its namespace from the stanza around it.
    pub fn write(&self, out: &mut String) {
        out.push_str("<error type='");
        out.push_str(self.kind.as_str());
        out.push_str("'><");
        out.push_str(self.condition.as_str());
        out.push_str(" xmlns='");
        out.push_str(ns::STANZA_ERRORS);
        match self.address.as_deref().filter(|_| matches!(self.condition, Condition::Gone | Condition::Redirect)) {
            Some(uri) => {
                out.push_str("'>");
                escape_text(out, uri);
                out.push_str("</");
                out.push_str(self.condition.as_str());
                out.push('>');
            }
            None => out.push_str("'/>"),
        }
        if let Some(text) = &self.text {
            out.push_str("<text xmlns='");
            out.push_str(ns::STANZA_ERRORS);
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
        if let Some(detail) = &self.detail {
            // Both content namespaces are inherited by nothing that stands here.
            detail.write(out, "");
        }
        out.push_str("</error>");
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self::new(condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(error: &StanzaError) -> String {
        let mut out = String::new();
        error.write(&mut out);
        out
    }

    #[test]
    fn there_are_22_conditions_and_their_names_are_read_again() {
        assert_eq!(Condition::ALL.len(), 22);
        for &condition in Condition::ALL {
            assert_eq!(Condition::from_name(condition.as_str()), Some(condition));
        }
        assert_eq!(Condition::from_name("text"), None);
        assert_eq!(Condition::from_name(""), None);
    }

    #[test]
    fn default_types() {
        use ErrorType::{Auth, Cancel, Modify, Wait};
        let rows = [
            (StanzaError::bad_request(), Modify),
            (StanzaError::forbidden(), Auth),
            (StanzaError::service_unavailable(), Cancel),
            (StanzaError::resource_constraint(), Wait),
            (StanzaError::unexpected_request(), Wait),
        ];
        for (error, kind) in rows {
            assert_eq!(error.kind, kind, "{error}");
        }
        assert_eq!(ErrorType::from_name("continue"), Some(ErrorType::Continue));
        assert_eq!(ErrorType::from_name("Wait"), None);
    }

    #[test]
    fn printing() {
        assert_eq!(
            printed(&StanzaError::item_not_found()),
            "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        );
        let error = StanzaError::not_acceptable()
            .with_type(ErrorType::Cancel)
            .with_text("a < b & \"c\"\u{1}")
            .with_app("blocked", ns::BLOCKING_ERRORS);
        assert_eq!(
            printed(&error),
            "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>a &lt; b &amp; \"c\"\u{FFFD}</text>\
             <blocked xmlns='urn:xmpp:blocking:errors'/></error>"
        );
    }

    #[test]
    fn an_application_condition_may_have_a_content() {
        let detail = Element::new("unsupported", ns::PUBSUB_ERRORS).attr("feature", "publish");
        let error = StanzaError::feature_not_implemented().with_detail(detail);
        assert_eq!(
            printed(&error),
            "<error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <unsupported xmlns='http://jabber.org/protocol/pubsub#errors' feature='publish'/></error>"
        );
    }

    #[test]
    fn only_gone_and_redirect_have_an_address() {
        assert_eq!(
            printed(&StanzaError::gone().with_address("xmpp:a@b?x&y")),
            "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b?x&amp;y</gone></error>"
        );
        assert_eq!(
            printed(&StanzaError::conflict().with_address("xmpp:a@b")),
            "<error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        );
    }
}
