//! What every stanza from a client passes: the checks of RFC 6120 §8.1 and the stamping of `from`, then on to whoever
//! handles its kind.

use crate::account::Parcel;
use crate::account::resource::Client;
use crate::close::CloseReason;
use crate::core::Core;
use crate::im;
use crate::router::bounce::bounce;
use crate::router::{Progress, iq, route};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{Kind, MessageType, Stanza};
use xep_support::stream::StreamCondition;

/// Handles one stanza of a bound client. An error ends its stream.
pub(super) fn handle(core: &Arc<Core>, client: &Client, mut stanza: Stanza) -> Result<Progress, CloseReason> {
    check_from(client, &stanza)?;
    match stanza.kind() {
        Kind::Message => {
            stanza.set_from(client.jid().as_jid().clone());
            if stanza.to().is_none() {
                // RFC 6120 §10.3.1: as if it were addressed to the sender's own bare JID.
                stanza.set_to(Some(client.account.jid.as_jid().clone()));
            }
            let hold = (stanza.message_type() != MessageType::Error).then(|| client.pending.hold());
            let refused = core.registry.submit().iter().find_map(|hook| hook(core, client, &mut stanza).err());
            let mut parcel = Parcel::new(Arc::new(stanza), hold);
            // What is said to a room is paid for like presence: a fan-out is dear.
            let fans_out = parcel.stanza.message_type() == MessageType::Groupchat;
            let fanned = parcel.stanza.to().filter(|_| fans_out).map_or(0, |to| core.rooms.fan_out(to));
            match refused.or_else(|| sent(core, client, &mut parcel)) {
                None => {
                    let archived = parcel.archived_as.is_some();
                    route(core, parcel);
                    if archived && core.storage.is_pressed() {
                        return Ok(wait_for_disk(core));
                    }
                }
                Some(error) => bounce(core, &parcel, error),
            }
            Ok(if fanned > 0 { Progress::Fanned(fanned.div_ceil(ROOM_SHARE)) } else { Progress::Done })
        }
        Kind::Presence => Ok(im::presence::from_client(core, client, stanza)),
        Kind::Iq => {
            stanza.set_from(client.jid().as_jid().clone());
            Ok(iq::from_client(core, client, stanza))
        }
    }
}

/// Everybody in a room gets the same text: that costs so much less than presence for so many accounts.
const ROOM_SHARE: usize = 4;

/// A message reaches its addressee faster than the disk: who sends more than that is read more slowly.
fn wait_for_disk(core: &Core) -> Progress {
    let committed = core.storage.barrier();
    Progress::Wait(Box::pin(async move { drop(committed.await) }))
}

/// Stage Sent. What its client has to be told comes back.
fn sent(core: &Arc<Core>, client: &Client, parcel: &mut Parcel) -> Option<StanzaError> {
    let mut state = client.account.lock();
    core.registry.sent().iter().find_map(|hook| hook(core, client, &mut state, parcel).err())
}

/// RFC 6120 §8.1.2.1: a client may leave `from` out or say who it is; anything else ends the stream.
pub(super) fn check_from(client: &Client, stanza: &Stanza) -> Result<(), CloseReason> {
    let acceptable = |from: &Jid| from == client.jid().as_jid() || from == client.account.jid.as_jid();
    match stanza.from() {
        Some(from) if !acceptable(from) => {
            Err(CloseReason::Refused(StreamCondition::InvalidFrom, "the 'from' address is not yours"))
        }
        _ => Ok(()),
    }
}
