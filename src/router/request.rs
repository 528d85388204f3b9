//! Asking somebody else: an IQ request of ours, and its answer.

use super::route;
use crate::account::Parcel;
use crate::core::Core;
use std::sync::Arc;
use std::time::Duration;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// Sends a request and waits for the result: its payload, or the error; `remote-server-timeout` when nobody answers in
/// time, `resource-constraint` when too many of ours wait already. `from` is a domain, a service or an account of ours;
/// to a full JID a request goes as it is, whoever may not see its presence must not be able to cause one.
pub async fn ask(
    core: &Arc<Core>,
    from: &Jid,
    to: &Jid,
    kind: IqType,
    payload: Element,
    time_limit: Duration,
) -> Result<Option<Element>, StanzaError> {
    ask_whole(core, from, to, kind, payload, time_limit).await.map(|answer| answer.payload())
}

/// The same for who wants the whole answer.
pub async fn ask_whole(
    core: &Arc<Core>,
    from: &Jid,
    to: &Jid,
    kind: IqType,
    payload: Element,
    time_limit: Duration,
) -> Result<Arc<Stanza>, StanzaError> {
    let Some(request) = core.requests.begin(to) else { return Err(StanzaError::new(Condition::ResourceConstraint)) };
    let stanza = match kind {
        IqType::Set => Stanza::iq_set(Some(from), Some(to), request.id(), payload),
        _ => Stanza::iq_get(Some(from), Some(to), request.id(), payload),
    };
    route(core, Parcel::new(Arc::new(stanza), None));
    match tokio::time::timeout(time_limit, request.answer()).await {
        Ok(Some(answer)) if answer.iq_type() == Some(IqType::Result) => Ok(answer),
        Ok(Some(answer)) => Err(error_of(&answer)),
        Ok(None) | Err(_) => Err(StanzaError::new(Condition::RemoteServerTimeout)),
    }
}

/// RFC 6120 §8.3: what an error says; `undefined-condition` if that is not to be found.
fn error_of(answer: &Stanza) -> StanzaError {
    let error = answer.child("error", ns::CLIENT);
    let named = |e: &Element| e.child_elements().find_map(|c| Condition::from_name(c.name()));
    let condition = error.as_ref().and_then(named).unwrap_or(Condition::UndefinedCondition);
    let kind = error.as_ref().and_then(|e| e.get_attr("type")).and_then(ErrorType::from_name);
    let error = StanzaError::new(condition);
    match kind {
        Some(kind) => error.with_type(kind),
        None => error,
    }
}
