//! Requests to a room (XEP-0045 §17.4 number 1): which one it is, and who answers.

use super::task::{self, BoxedIn, Here};
use super::{SERVICE, admin, blocks, owner, register};
use crate::extension::{Addressee, Answer, Declare, IqCall};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
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
    let from = call.client.jid().as_jid().clone();
    let asked = Asked { bare: call.client.account.jid.clone(), from, kind: call.kind, payload: call.payload };
    Answer::later(async move {
        blocks::check(&core, &room, &asked.bare).await?;
        task::in_room(&core, &room, move |here| work(here, asked)).await
    })
}
