//! What a stream is told it may do (RFC 6120 §4.3.2), before and after login.

use super::Negotiation;
use crate::sasl::Offer;
use crate::xep::register;
use std::fmt::Write;
use xep_support::ns;

impl Negotiation<'_> {
    pub(super) fn features_before_login(&self, offer: &Offer) -> String {
        let mut out = String::from("<stream:features>");
        if self.tls.is_none() {
            // RFC 6120 §5.3.1; with the test switch it stays possible, but is not forced.
            let required = if offer.mechanisms().is_empty() { "<required/>" } else { "" };
            let _ = write!(out, "<starttls xmlns='{}'>{required}</starttls>", ns::TLS);
        }
        if !offer.mechanisms().is_empty() {
            let _ = write!(out, "<mechanisms xmlns='{}'>", ns::SASL);
            for mechanism in offer.mechanisms() {
                let _ = write!(out, "<mechanism>{}</mechanism>", mechanism.name());
            }
            out.push_str("</mechanisms>");
            // XEP-0440 §2.
            let mut bindings = offer.binding_types().peekable();
            if bindings.peek().is_some() {
                let _ = write!(out, "<sasl-channel-binding xmlns='{}'>", ns::SASL_CHANNEL_BINDING);
                for binding in bindings {
                    let _ = write!(out, "<channel-binding type='{}'/>", binding.name());
                }
                out.push_str("</sasl-channel-binding>");
            }
            if register::offered(self.core) {
                let _ = write!(out, "<register xmlns='{}'/>", ns::REGISTER_FEATURE);
                // XEP-0445 §3.
                let _ = write!(out, "<register xmlns='{}'/>", ns::IBR_TOKEN);
            }
        }
        // No idle time: negotiation as a whole is limited, traffic or not.
        write_limits(&mut out, self.core.config().limits.stanza_bytes_before_auth_max, None);
        out.push_str("</stream:features>");
        out
    }

    /// One line for each feature: extensions of the stream add theirs here.
    pub(super) fn features_after_login(&self) -> String {
        let mut out = String::from("<stream:features>");
        let _ = write!(out, "<bind xmlns='{}'><required/></bind>", ns::BIND);
        // COMPAT: clients of RFC 3921 ask for a session; RFC 6121 keeps it as something optional.
        let _ = write!(out, "<session xmlns='{}'><optional/></session>", ns::SESSION);
        let _ = write!(out, "<sm xmlns='{}'/>", ns::SM);
        let _ = write!(out, "<ver xmlns='{}'/><sub xmlns='{}'/>", ns::ROSTER_VERSIONING, ns::PRE_APPROVAL);
        let l = &self.core.config().limits;
        write_limits(&mut out, l.stanza_bytes_max, Some(l.idle_probe_seconds.as_secs()));
        out.push_str("</stream:features>");
        out
    }
}

/// XEP-0478 §2.
fn write_limits(out: &mut String, bytes_max: usize, idle_seconds: Option<u64>) {
    let _ = write!(out, "<limits xmlns='{}'><max-bytes>{bytes_max}</max-bytes>", ns::STREAM_LIMITS);
    if let Some(seconds) = idle_seconds {
        let _ = write!(out, "<idle-seconds>{seconds}</idle-seconds>");
    }
    out.push_str("</limits>");
}
