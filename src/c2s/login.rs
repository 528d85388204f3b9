//! Logging in: SASL on a stream (RFC 6120 §6) here, SASL2 and what can be had together with it (XEP-0388) below.

mod bind2;
mod device;
mod exchange;
mod fast;
mod guess;
pub(super) mod sasl2;
mod upgrade;

use super::negotiate::Negotiation;
use crate::account::Account;
use crate::close::CloseReason;
use crate::sasl::Offer;
use exchange::Profile;
use std::sync::Arc;
use xep_support::sasl::{self, SaslFailure, SaslRequest};
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

/// One attempt. `None`: it failed, the client was told and may try again.
pub(super) async fn authenticate(
    n: &mut Negotiation<'_>,
    offer: &Arc<Offer>,
    element: &Element,
) -> Result<Option<Arc<Account>>, CloseReason> {
    let bytes_max = n.core.config().limits.sasl_bytes_max;
    let used = element.get_attr("mechanism").unwrap_or_default();
    let outcome = match SaslRequest::from_element(element, bytes_max) {
        Some(Ok(SaslRequest::Auth { mechanism, initial })) => {
            exchange::run(n, Profile::Rfc6120, offer, &mechanism, initial.as_deref()).await?
        }
        Some(Ok(_)) => Err(SaslFailure::MalformedRequest),
        Some(Err(failure)) => Err(failure),
        None => return Err(super::channel::refused(StreamCondition::UnsupportedStanzaType)),
    };
    let mut out = String::new();
    let proven = match outcome {
        Ok(proven) => proven,
        Err(failure) => {
            failed(n, used, failure);
            failure.write(&mut out, None);
            n.channel.send(&out).await?;
            return Ok(None);
        }
    };
    n.core.counters.logins.note(used, None);
    sasl::write_success(&mut out, proven.additional.as_deref());
    n.channel.send(&out).await?;
    Ok(Some(proven.account))
}

fn failed(n: &Negotiation<'_>, mechanism: &str, failure: SaslFailure) {
    n.core.counters.logins.note(mechanism, Some(failure));
    tracing::info!(outcome = failure.as_str(), "authentication failed");
}
