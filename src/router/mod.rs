//! Where a stanza goes: `route` is the one switch on an address. What clients send enters by `c2s::from_client`.
//!
//! `route` never waits. A stanza for an account that is not in memory is parked with that account, bounded and in order.

pub mod bounce;
pub mod iq;
pub mod request;

use crate::account::table::{Loaded, ParkLimits, Parked, Wait};
use crate::account::{Account, Parcel};
use crate::clock;
use crate::core::Core;
use crate::delivery;
use crate::extension::BoxFuture;
use crate::hosts::Place;
use crate::storage;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Kind, MessageType, Stanza};

/// What is left to do before the client's next stanza may be looked at.
pub enum Progress {
    /// Nothing.
    Done,
    /// Nothing, but it went to so many accounts: that is paid for like bytes.
    Fanned(usize),
    /// This has to finish first: durable state is changing, or an answer is being made.
    Wait(BoxFuture<()>),
}

/// Sends a stanza to whomever its `to` names. `from` and `to` must be there. Subscription presence does not come this
/// way: it changes durable state and is handled by `im::subscription`.
pub fn route(core: &Arc<Core>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to() else { return };
    let place = core.hosts.place(to);
    if is_answer(&parcel.stanza) && to.resource().is_none() && place != Place::Remote {
        return core.requests.answered(parcel.stanza);
    }
    match place {
        Place::Account => match parcel.stanza.kind() {
            Kind::Message => message_to_account(core, parcel),
            Kind::Presence => delivery::presence::deliver(core, parcel),
            Kind::Iq => iq_to_resource(core, parcel),
        },
        Place::Service(prefix) if to_service(core, prefix, &parcel) => {}
        Place::Service(prefix) if to.local().is_some() && parcel.stanza.kind() != Kind::Presence => {
            match core.registry.within(prefix) {
                Some(hook) => hook(core, parcel),
                None => to_domain(core, parcel),
            }
        }
        Place::Domain | Place::Service(_) => to_domain(core, parcel),
        Place::Remote => to_remote(core, parcel),
    }
}

fn message_to_account(core: &Arc<Core>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to() else { return };
    if let Some(account) = core.accounts.find(to.bare_str()) {
        return delivery::message::deliver(core, &account, parcel);
    }
    let bare = to.bare();
    match core.accounts.find_or_park(&bare, parcel, park_limits(core)) {
        Parked::Here(account, parcel) => delivery::message::deliver(core, &account, parcel),
        Parked::Waits => {}
        Parked::MustLoad => spawn_load(core, bare),
        Parked::Refused(parcel) => {
            tracing::warn!(account = %bare, "too much waits for an account that is being loaded");
            bounce::bounce(core, &parcel, StanzaError::new(Condition::ResourceConstraint));
        }
    }
}

/// RFC 6121 §8.5.3.1, §8.5.3.2.3: an IQ stanza for a full JID goes to that resource or nowhere.
fn iq_to_resource(core: &Arc<Core>, parcel: Parcel) {
    let Some(to) = parcel.stanza.to() else { return };
    if !parcel.ours && is_blocked(core, &parcel.stanza, to) {
        // XEP-0191 §3.3; an answer is dropped.
        return bounce::bounce(core, &parcel, StanzaError::new(Condition::ServiceUnavailable));
    }
    if !may_ask(core, &parcel.stanza, to) {
        return bounce::bounce(core, &parcel, StanzaError::new(Condition::Forbidden));
    }
    let resource = to.resource().and_then(|part| {
        let account = core.accounts.find(to.bare_str())?;
        let state = account.lock();
        state.resource(part).map(|b| b.resource.clone())
    });
    let delivered = resource
        .is_some_and(|r| r.outbox.push(crate::outbox::Item::held(parcel.stanza.clone(), parcel.hold.as_ref())).is_ok());
    if !delivered {
        bounce::bounce(core, &parcel, StanzaError::new(Condition::ServiceUnavailable));
    }
}

/// Has the account it is for blocked its sender? One that is not in memory has no resources either.
fn is_blocked(core: &Core, stanza: &Stanza, to: &Jid) -> bool {
    let Some(from) = stanza.from() else { return false };
    core.accounts.find(to.bare_str()).is_some_and(|account| account.lock().blocks(from))
}

/// Some requests tell about presence (XEP-0012 §4). They are not passed on to somebody who has not allowed it; whether
/// that somebody exists makes no difference.
fn may_ask(core: &Core, request: &Stanza, to: &Jid) -> bool {
    let guarded = matches!(request.iq_type(), Some(IqType::Get | IqType::Set))
        && request.children().next().is_some_and(|c| core.registry.is_guarded(c.name(), c.ns()));
    if !guarded {
        return true;
    }
    let Some(from) = request.from() else { return false };
    from.bare_str() == to.bare_str()
        || core.accounts.find(to.bare_str()).is_some_and(|a| a.lock().roster.subscription(from.bare_str()).from)
}

/// A message for a service that wants them: is it taken care of?
fn to_service(core: &Arc<Core>, prefix: &str, parcel: &Parcel) -> bool {
    parcel.stanza.kind() == Kind::Message
        && parcel.stanza.to().is_some_and(Jid::is_domain)
        && core.registry.service_messages(prefix).is_some_and(|hook| hook(core, parcel))
}

/// A stanza for a served domain or one of its services that no handler answers: IQ requests were answered before they came here.
fn to_domain(core: &Arc<Core>, parcel: Parcel) {
    let stanza = &parcel.stanza;
    let answered = match stanza.kind() {
        Kind::Message => !matches!(stanza.message_type(), MessageType::Headline | MessageType::Error),
        Kind::Iq => matches!(stanza.iq_type(), Some(IqType::Get | IqType::Set)),
        Kind::Presence => false,
    };
    if answered {
        bounce::bounce(core, &parcel, StanzaError::new(Condition::ServiceUnavailable));
    }
}

/// We have no way to other servers yet (RFC 6120 §10.4).
fn to_remote(core: &Arc<Core>, parcel: Parcel) {
    bounce::bounce(core, &parcel, StanzaError::new(Condition::RemoteServerNotFound));
}

/// The account, read from storage if it is not in memory; `None` when there is no such account.
pub async fn load(core: &Arc<Core>, jid: &BareJid) -> Loaded {
    let receiver = match core.accounts.find_or_wait(jid) {
        Wait::Here(account) => return Ok(Some(account)),
        Wait::Others(receiver) => receiver,
        Wait::MustLoad(receiver) => {
            spawn_load(core, jid.clone());
            receiver
        }
    };
    receiver.await.unwrap_or(Err(storage::Error::Closed))
}

/// Loading has a task of its own, so that it ends whoever asked for it.
fn spawn_load(core: &Arc<Core>, jid: BareJid) {
    let core = core.clone();
    tokio::spawn(async move {
        let deliver = |found: Result<Option<&Arc<Account>>, &storage::Error>, parcel: Parcel| match found {
            Ok(Some(account)) => delivery::message::deliver(&core, account, parcel),
            Ok(None) => delivery::message::no_such_account(&core, &parcel),
            Err(error) => bounce::bounce(&core, &parcel, bounce::storage_error(error)),
        };
        if let Err(error) = core.accounts.load(&jid, clock::monotonic_seconds(), deliver).await {
            tracing::error!(account = %jid, %error, "account could not be loaded");
        }
    });
}

fn park_limits(core: &Core) -> ParkLimits {
    let limits = &core.config().limits;
    ParkLimits {
        stanzas_max: limits.parked_stanzas_max,
        bytes_max: limits.parked_bytes_max,
        loading_max: limits.accounts_loading_max,
    }
}

/// The result or error of an IQ request.
fn is_answer(stanza: &Stanza) -> bool {
    stanza.kind() == Kind::Iq && !matches!(stanza.iq_type(), Some(IqType::Get | IqType::Set))
}

/// Is it a stanza that carries an error or a result, which must never be answered with an error?
pub fn unanswerable(stanza: &Stanza) -> bool {
    stanza.is_error() || (stanza.kind() == Kind::Iq && stanza.iq_type() == Some(IqType::Result))
}
