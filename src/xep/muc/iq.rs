//! Requests to a room (XEP-0045 §17.4 number 1): which one it is, and who answers.

use super::task::{self, BoxedIn, Here};
use super::{SERVICE, admin, blocks, mentioning, owner, register, stored};
use crate::account::Account;
use crate::core::Core;
use crate::extension::{Addressee, Answer, Declare, IqCall};
use std::sync::{Arc, OnceLock};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// Who asks a room what.
pub(super) struct Asked {
    /// The full JID.
    pub(super) from: Jid,
    /// Whose it is.
    pub(super) bare: BareJid,
    /// Get or set.
    pub(super) kind: IqType,
    /// The one child of the request.
    pub(super) payload: Element,
    refused: Arc<OnceLock<Element>>,
}

impl Asked {
    /// §8.4: this is what the request is refused for. Who asks gets it back with the error.
    pub(super) fn refused(&self, item: &Element) {
        // The first one counts.
        drop(self.refused.set(item.clone()));
    }
}

pub(super) fn declare(d: &mut Declare<'_>) {
    let room = Addressee::Within(SERVICE);
    for kind in [IqType::Get, IqType::Set] {
        d.iq(room, kind, ("query", ns::MUC_ADMIN), |call| {
            handle(call, |here, asked| Box::pin(admin::handle(here, asked)))
        })
        .iq(room, kind, ("query", ns::MUC_OWNER), |call| {
            handle(call, |here, asked| Box::pin(owner::handle(here, asked)))
        })
        .iq(room, kind, ("query", ns::REGISTER), |call| {
            handle(call, |here, asked| Box::pin(register::handle(here, asked)))
        })
        .iq(room, kind, ("query", ns::MENTIONS), |call| {
            handle(call, |here, asked| Box::pin(mentioning::handle(here, asked)))
        });
    }
    d.iq(room, IqType::Get, ("ping", ns::PING), |call| handle(call, |_, _| Box::pin(async { Ok(None) })));
}

/// What a handler gives back.
pub(super) type Outcome = Result<Option<Element>, StanzaError>;

/// Does it in the room's turn.
pub(super) fn handle(
    call: IqCall<'_>,
    work: impl for<'a> FnOnce(Here<'a>, Asked) -> BoxedIn<'a, Outcome> + Send + 'static,
) -> Answer {
    if !call.core.config().rooms.enabled {
        return Answer::error(StanzaError::new(Condition::ServiceUnavailable));
    }
    let (core, room) = (call.core.clone(), call.to.bare());
    let account = call.client.account.clone();
    let from = call.client.jid().as_jid().clone();
    let refused = Arc::<OnceLock<Element>>::default();
    let bare = call.client.account.jid.clone();
    let asked = Asked { bare, from, kind: call.kind, payload: call.payload, refused: refused.clone() };
    let (client, request) = (call.client.clone(), call.request.clone());
    Answer::SentLater(Box::pin(async move {
        let error = match turn(&core, &room, account, asked, work).await {
            Ok(payload) => return client.send(Stanza::iq_result(&request, payload)),
            Err(error) => error,
        };
        tracing::debug!(id = request.id().as_deref(), reason = error.condition.as_str(), "request refused");
        let item = refused.get().cloned();
        let Some(item) = item else { return core.refuse(&client, &request, &error) };
        core.counters.stanza_error(error.condition);
        let items = Element::new("query", ns::MUC_ADMIN).child(item);
        request.error_reply_with(items, &error).into_iter().for_each(|reply| client.send(reply));
    }))
}

async fn turn(
    core: &Arc<Core>,
    room: &BareJid,
    account: Arc<Account>,
    asked: Asked,
    work: impl for<'a> FnOnce(Here<'a>, Asked) -> BoxedIn<'a, Outcome> + Send + 'static,
) -> Outcome {
    blocks::check(core, room, &asked.bare).await?;
    task::with_room(core, room, move |core, room, state| {
        Box::pin(async move {
            match state.as_deref_mut() {
                // Whoever takes the name next must not inherit what a last request brings.
                Some(_) if account.lock().removed => Err(StanzaError::new(Condition::NotAuthorized)),
                Some(state) => work(Here { core, room, state }, asked).await,
                // Whoever asks before entering learns where the others went.
                None => Err(stored::check_gone(core, room).await.err().unwrap_or_else(task::no_room)),
            }
        })
    })
    .await?
}
