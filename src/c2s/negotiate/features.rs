//! What a stream is told it may do (RFC 6120 §4.3.2), before and after login.

use super::Negotiation;
use crate::sasl::Offer;
use crate::xep::{caps, register};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use xep_support::ns;

impl Negotiation<'_> {
    /// What this client may do now, and under which version (XEP-0509 §2.1).
    pub(super) fn features_before_login(&mut self, offer: &Offer) -> String {
        let mut out = String::from("<stream:features>");
        if self.may_start_tls() {
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
            if offer.has_sasl2() {
                self.write_sasl2(&mut out, offer);
            }
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
        if offer.has_sasl2() {
            let version = STANDARD.encode(&Sha256::digest(out.as_bytes())[..CONFIG_VERSION_BYTES]);
            let _ = write!(out, "<config-version xmlns='{}' scheme='opaque' value='{version}'/>", ns::CONFIG_VERSION);
            self.config_version = Some(version);
        }
        out.push_str("</stream:features>");
        out
    }

    /// XEP-0388 §2.1, with what can be had together with authentication.
    fn write_sasl2(&self, out: &mut String, offer: &Offer) {
        let _ = write!(out, "<authentication xmlns='{}'>", ns::SASL2);
        for mechanism in offer.mechanisms() {
            let _ = write!(out, "<mechanism>{}</mechanism>", mechanism.name());
        }
        let _ = write!(out, "<inline><sm xmlns='{}'/><bind xmlns='{}'><inline>", ns::SM, ns::BIND2);
        for feature in self.core.registry.inline_features().chain([ns::SM]) {
            let _ = write!(out, "<feature var='{feature}'/>");
        }
        out.push_str("</inline></bind>");
        if !offer.fast().is_empty() {
            let _ = write!(out, "<fast xmlns='{}'>", ns::FAST);
            for mechanism in offer.fast() {
                let _ = write!(out, "<mechanism>{}</mechanism>", mechanism.name());
            }
            out.push_str("</fast>");
        }
        out.push_str("</inline>");
        for task in offer.upgrades() {
            let _ = write!(out, "<upgrade xmlns='{}'>{}</upgrade>", ns::SASL_UPGRADE, task.name());
        }
        out.push_str("</authentication>");
    }

    /// One line for each feature: extensions of the stream add theirs here. A client that has a session already has no use
    /// for some of them; one with stream management on must not be led to resume (XEP-0198 §3: once on a stream).
    pub(in crate::c2s) fn features_after_login(&self, has_session: bool, is_managed: bool) -> String {
        let mut out = String::from("<stream:features>");
        if !has_session {
            write_binding(&mut out);
        }
        if !is_managed {
            let _ = write!(out, "<sm xmlns='{}'/>", ns::SM);
        }
        let _ = write!(out, "<csi xmlns='{}'/>", ns::CSI);
        let _ = write!(out, "<ver xmlns='{}'/><sub xmlns='{}'/>", ns::ROSTER_VERSIONING, ns::PRE_APPROVAL);
        self.host.iter().for_each(|host| out.push_str(&caps::stream_features(self.core, host)));
        let l = &self.core.config().limits;
        write_limits(&mut out, l.stanza_bytes_max, Some(l.idle_probe_seconds.as_secs()));
        out.push_str("</stream:features>");
        out
    }
}

/// So much of a hash tells one offer from another.
const CONFIG_VERSION_BYTES: usize = 12;

fn write_binding(out: &mut String) {
    let _ = write!(out, "<bind xmlns='{}'><required/></bind>", ns::BIND);
    // COMPAT: clients of RFC 3921 ask for a session; RFC 6121 keeps it as something optional.
    let _ = write!(out, "<session xmlns='{}'><optional/></session>", ns::SESSION);
}

/// XEP-0478 §2.
fn write_limits(out: &mut String, bytes_max: usize, idle_seconds: Option<u64>) {
    let _ = write!(out, "<limits xmlns='{}'><max-bytes>{bytes_max}</max-bytes>", ns::STREAM_LIMITS);
    if let Some(seconds) = idle_seconds {
        let _ = write!(out, "<idle-seconds>{seconds}</idle-seconds>");
    }
    out.push_str("</limits>");
}
