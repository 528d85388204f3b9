//! XEP-0215: STUN and TURN servers from the settings, with credentials that last for a while.
//!
//! These are made as draft-uberti-behave-turn-rest-00 §2.2 has it and coturn's `use-auth-secret` checks: the user name is
//! the second in which they expire and who asked, the password an HMAC-SHA-1 of it. Nothing is kept for them.

use crate::clock;
use crate::config::{Access, ExternalService};
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::sync::Arc;
use xep_support::formats::date::{self, Precision};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// External services. Only clients of this server come here; others have no business at our relays.
pub struct ExternalServices;

impl Extension for ExternalServices {
    fn about(&self) -> About {
        About::new("XEP-0215", "External Service Discovery", "1.0.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature_if(ns::EXTERNAL_SERVICES, |config| !config.external.services.is_empty())
            .iq(Addressee::Server, IqType::Get, ("services", ns::EXTERNAL_SERVICES), services)
            .iq(Addressee::Server, IqType::Get, ("credentials", ns::EXTERNAL_SERVICES), credentials);
    }
}

/// §3.1, §3.2: all services, or those of one type.
fn services(call: IqCall<'_>) -> Answer {
    let config = call.core.config();
    if config.external.services.is_empty() {
        return Answer::error(StanzaError::service_unavailable());
    }
    let wanted = call.payload.get_attr("type");
    let asker = Asker::new(&call);
    let told = config.external.services.iter().filter(|s| wanted.is_none_or(|kind| kind == s.kind));
    let list = Element::new("services", ns::EXTERNAL_SERVICES).attr_opt("type", wanted);
    Answer::with(list.children(told.map(|service| asker.told(service))))
}

/// §3.3: credentials for the services with this host and type, and port if that is said.
fn credentials(call: IqCall<'_>) -> Answer {
    let config = call.core.config();
    if config.external.services.is_empty() {
        return Answer::error(StanzaError::service_unavailable());
    }
    let mut asked = call.payload.child_elements();
    let (Some(asked), None) = (asked.next(), asked.next()) else { return bad_request("one service is asked for") };
    let (Some(host), Some(kind)) = (asked.get_attr("host"), asked.get_attr("type")) else {
        return bad_request("the service has no host or no type");
    };
    let port = match asked.get_attr("port").map(str::parse::<u16>) {
        Some(Err(_)) => return bad_request("the port is not one"),
        Some(Ok(port)) => Some(port),
        None => None,
    };
    let meant = |s: &&ExternalService| {
        s.kind == kind && s.host.eq_ignore_ascii_case(host) && port.is_none_or(|port| s.port == Some(port))
    };
    let mut meant = config.external.services.iter().filter(meant).filter(|s| s.access != Access::Open).peekable();
    if meant.peek().is_none() {
        return Answer::error(StanzaError::new(Condition::ItemNotFound));
    }
    let asker = Asker::new(&call);
    if asker.is_guest {
        return Answer::error(StanzaError::new(Condition::Forbidden));
    }
    let list = Element::new("credentials", ns::EXTERNAL_SERVICES);
    Answer::with(list.children(meant.map(|service| asker.told(service))))
}

fn bad_request(text: &'static str) -> Answer {
    Answer::error(StanzaError::new(Condition::BadRequest).with_text(text))
}

/// Who wants to know.
struct Asker<'a> {
    jid: &'a str,
    /// Somebody without an account (XEP-0175) learns what there is, and gets no credentials: whoever may be a guest could
    /// use a relay for anything.
    is_guest: bool,
    expires_seconds: i64,
}

impl<'a> Asker<'a> {
    fn new(call: &IqCall<'a>) -> Self {
        let account = &call.client.account;
        let expires_seconds = clock::now_micros() / 1_000_000 + lifetime(call.core);
        Self { jid: account.jid.as_str(), is_guest: account.id.is_none(), expires_seconds }
    }

    /// §2, the table of attributes.
    fn told(&self, service: &ExternalService) -> Element {
        let about = Element::new("service", ns::EXTERNAL_SERVICES)
            .attr("type", service.kind.as_str())
            .attr("host", service.host.as_str())
            .attr_opt("port", service.port.map(|port| port.to_string()))
            .attr_opt("transport", service.transport.as_deref())
            .attr_opt("name", service.name.as_deref());
        let restricted = |about: Element| about.attr("restricted", "true");
        match &service.access {
            Access::Open => about,
            _ if self.is_guest => restricted(about),
            Access::Static { username, password } => {
                restricted(about).attr("username", username.as_str()).attr("password", password.as_str())
            }
            Access::Shared(secret) => {
                let (username, password) = made_for(self.jid, self.expires_seconds, secret);
                let expires = date::format(self.expires_seconds * 1_000_000, Precision::Seconds);
                restricted(about).attr("username", username).attr("password", password).attr("expires", expires)
            }
        }
    }
}

fn lifetime(core: &Core) -> i64 {
    core.config().external.credential_seconds.into()
}

/// A user name in STUN has less than 509 bytes (RFC 8489 §14.3).
const USERNAME_BYTES_MAX: usize = 508;

/// User name and password.
fn made_for(jid: &str, expires_seconds: i64, secret: &str) -> (String, String) {
    let mut username = format!("{expires_seconds}:{jid}");
    let end = (0..=USERNAME_BYTES_MAX.min(username.len())).rev().find(|at| username.is_char_boundary(*at));
    username.truncate(end.unwrap_or_default());
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    let password = STANDARD.encode(mac.finalize().into_bytes());
    (username, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf %s 1700000000:romeo@im.example | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn as_others_compute_it() {
        let (username, password) = made_for("romeo@im.example", 1_700_000_000, "north");
        assert_eq!(
            (username.as_str(), password.as_str()),
            ("1700000000:romeo@im.example", "hjxcc4W160LV62SUWDqex2kBcck=")
        );
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let (username, _) = made_for(&"ä".repeat(1000), 1_700_000_000, "north");
        assert_eq!(username.len(), 507);
        assert!(username.ends_with('ä'));
    }
}
