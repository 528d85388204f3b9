//! IQ stanzas (RFC 6120 §8.2.3): a request goes to the handler of its addressee and namespace, or to a full JID; it gets
//! exactly one answer.

use super::Progress;
use super::bounce::storage_error;
use super::route;
use crate::account::Parcel;
use crate::account::blocking;
use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::registry::IqFound;
use crate::extension::{Addressee, Answer, IqCall, IqResult};
use crate::hosts::Place;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};

/// Handles an IQ stanza of a bound client, `from` stamped.
pub fn from_client(core: &Arc<Core>, client: &Client, stanza: Stanza) -> Progress {
    let kind = match check(&stanza) {
        Ok(kind) => kind,
        Err(condition) => {
            refuse(core, client, &stanza, StanzaError::new(condition));
            return Progress::Done;
        }
    };
    if stanza.to().is_some_and(|to| client.account.lock().blocks(to)) {
        // XEP-0191 §3.3; an answer is dropped.
        refuse(core, client, &stanza, blocking::refusal());
        return Progress::Done;
    }
    let stanza = Arc::new(stanza);
    let Some(addressee) = addressee(core, client, &stanza) else {
        route(core, Parcel::new(stanza, Some(client.pending.hold())));
        return Progress::Done;
    };
    if !matches!(kind, IqType::Get | IqType::Set) {
        // An answer to a request of ours. For a ping or a roster push nobody waits.
        core.requests.answered(stanza);
        return Progress::Done;
    }
    let asked = stanza.to().filter(|_| addressee == Addressee::OtherAccount).map(|to| to.bare());
    let is_loaded = asked.as_ref().is_none_or(|asked| core.accounts.find(asked.as_str()).is_some());
    if client.pending.is_clear() && is_loaded {
        return answer(core, client, kind, addressee, stanza);
    }
    // The answer acknowledges what the client sent before: that must be safe first.
    let (core, client) = (core.clone(), client.clone());
    Progress::Wait(Box::pin(async move {
        client.pending.cleared().await;
        // Whoever is asked may have blocked who asks.
        if let Some(asked) = asked
            && let Err(error) = super::load(&core, &asked).await
        {
            return refuse(&core, &client, &stanza, storage_error(&error));
        }
        if let Progress::Wait(rest) = answer(&core, &client, kind, addressee, stanza) {
            rest.await;
        }
    }))
}

/// RFC 6120 §8.2.3: an `id`, a known type, exactly one child in a request and at most one in a result.
fn check(stanza: &Stanza) -> Result<IqType, Condition> {
    let kind = stanza.iq_type().ok_or(Condition::BadRequest)?;
    let children = stanza.children().len();
    let well_formed = match kind {
        IqType::Get | IqType::Set => children == 1,
        IqType::Result => children <= 1,
        IqType::Error => true,
    };
    if stanza.id().is_none() || !well_formed { Err(Condition::BadRequest) } else { Ok(kind) }
}

/// Is it for us to answer, and on whose behalf?
fn addressee(core: &Core, client: &Client, stanza: &Stanza) -> Option<Addressee> {
    let Some(to) = stanza.to() else { return Some(Addressee::OwnAccount) };
    if to.resource().is_some() {
        return None;
    }
    match core.hosts.place(to) {
        Place::Domain => Some(Addressee::Server),
        Place::Account if to == client.account.jid.as_jid() => Some(Addressee::OwnAccount),
        Place::Account => Some(Addressee::OtherAccount),
        Place::Service(prefix) if to.local().is_none() => Some(Addressee::Service(prefix)),
        Place::Service(prefix) => Some(Addressee::Within(prefix)),
        Place::Remote => None,
    }
}

fn answer(core: &Arc<Core>, client: &Client, kind: IqType, addressee: Addressee, request: Arc<Stanza>) -> Progress {
    if addressee == Addressee::OtherAccount && request.to().is_some_and(|to| super::is_blocked(core, &request, to)) {
        return finish(core, client, &request, Err(StanzaError::new(Condition::ServiceUnavailable)));
    }
    let found = match request.children().next() {
        Some(child) => core.registry.iq(addressee, kind, child.name(), child.ns()),
        None => IqFound::Nobody,
    };
    let handler = match found {
        IqFound::Handler(handler) => handler,
        IqFound::WrongType => return finish(core, client, &request, Err(StanzaError::new(Condition::NotAllowed))),
        IqFound::Nobody => return finish(core, client, &request, Err(StanzaError::new(Condition::ServiceUnavailable))),
    };
    let Some(payload) = request.payload() else {
        return finish(core, client, &request, Err(StanzaError::new(Condition::BadRequest)));
    };
    let own: &Jid = client.account.jid.as_jid();
    let to = request.to().unwrap_or(own);
    match handler(IqCall { core, client, kind, addressee, to, payload, request: &request }) {
        Answer::Now(result) => finish(core, client, &request, result),
        Answer::Sent => Progress::Done,
        Answer::SentLater(future) => Progress::Wait(future),
        Answer::Later(future) => {
            let (core, client) = (core.clone(), client.clone());
            Progress::Wait(Box::pin(async move {
                let result = future.await;
                finish(&core, &client, &request, result);
            }))
        }
    }
}

fn finish(core: &Core, client: &Client, request: &Stanza, result: IqResult) -> Progress {
    match result {
        Ok(payload) => client.send(Stanza::iq_result(request, payload)),
        Err(error) => refuse(core, client, request, error),
    }
    Progress::Done
}

fn refuse(core: &Core, client: &Client, request: &Stanza, error: StanzaError) {
    tracing::debug!(id = request.id().as_deref(), reason = error.condition.as_str(), "request refused");
    core.refuse(client, request, &error);
}
