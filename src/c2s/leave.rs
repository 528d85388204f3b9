//! The end of a session: presence withdrawn, the resource unbound, what was not delivered sent another way.

use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::account::{AccountState, Parcel, Replay};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::delivery::{carbons, message};
use crate::hosts;
use crate::im;
use crate::outbox::{Item, Receipt};
use crate::router::bounce::bounce;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::jid::Jid;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{Kind, MessageType, PresenceType, Stanza};

/// Unbinds a resource. A second time for the same one does nothing but see to what that session had in its hands.
pub fn depart(core: &Arc<Core>, client: &Client, reason: CloseReason, unwritten: Vec<Item>, ack: Option<Box<Ack>>) {
    let gone = Arc::new(Stanza::presence(PresenceType::Unavailable, Some(client.jid().as_ref()), None));
    let mut refused = Vec::new();
    let farewell = {
        let mut state = client.account.lock();
        let farewell = im::presence::Farewell::take(core, &mut state, client, &gone);
        let before = state.resources.len();
        state.resources.retain(|b| !Arc::ptr_eq(&b.resource, &client.resource));
        if state.resources.len() < before {
            core.counters.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        client.resource.outbox.close(reason);
        // Under one lock with the withdrawal and the unbinding, so that nothing newer overtakes what was left behind.
        let unacked = ack.into_iter().flat_map(|ack| ack.into_unacked());
        let unacked = unacked.map(|(seq, sent)| (sent.item, Some((seq, sent.at_us))));
        let unsent = unwritten.into_iter().chain(client.resource.outbox.shut()).map(|item| (item, None));
        let left: Vec<(Item, Option<(u32, i64)>)> = unacked.chain(unsent).collect();
        if matches!(state.offline.replay, Replay::Draining)
            && left.iter().any(|(i, _)| matches!(i.receipt, Receipt::Row(_)))
        {
            // These rows stay in the store; whatever is newer goes there too, until they are handed out anew.
            state.offline.replay = Replay::Storing;
        }
        for (item, sent) in left {
            refused.extend(send_elsewhere(core, client, &mut state, item, sent));
        }
        farewell
    };
    // Before its rooms hear that it is gone: by its name they know what an error answers.
    for (parcel, error) in refused {
        bounce(core, &parcel, error);
    }
    if let Some(farewell) = farewell {
        farewell.tell(core, client, &gone);
    }
    let session = client.resource.outbox.session();
    if session != 0 {
        let journal = core.journal.clone();
        client.pending.when_clear(move || journal.note(|batch| batch.gone(session)));
    }
    // A newer session of the same name begins only now: nothing of this one comes after it.
    client.resource.outbox.departed();
    client.account.touch(clock::monotonic_seconds());
    note_device(core, client, reason);
    if client.account.id.is_none() && client.account.lock().resources.is_empty() {
        core.accounts.remove(client.account.jid.as_str());
    }
}

/// A device that was there for long was seen until now. A stop does without: everybody comes back at once.
fn note_device(core: &Core, client: &Client, reason: CloseReason) {
    let (Some(account), Some(device)) = (client.account.id, client.resource.device()) else { return };
    let now_us = clock::now_micros();
    if reason != CloseReason::Shutdown && now_us - client.resource.since_us >= SEEN_STEP_US {
        drop(core.storage.device_touch(account, device, now_us));
    }
}

/// A shorter session is seen well enough by its beginning.
const SEEN_STEP_US: i64 = 60 * 60 * 1_000_000;

/// A message goes to another resource or into the store, a request gets an error, the rest was for this session only.
/// `sent`: it was sent to the client, under which number and when, but the client does not have it.
pub(super) fn send_elsewhere(
    core: &Arc<Core>,
    client: &Client,
    state: &mut AccountState,
    item: Item,
    sent: Option<(u32, i64)>,
) -> Option<(Parcel, StanzaError)> {
    if is_of_a_room(core, &item.stanza) {
        // The session leaves the room anyway.
        return None;
    }
    let shared = matches!(item.receipt, Receipt::Copy(_) | Receipt::Unacked(_));
    let hold = match item.receipt {
        // Still in the store, or in the archive of the room it comes from.
        Receipt::Row(_) | Receipt::Told(_) => return None,
        Receipt::Hold(hold) => Some(hold),
        // Somebody else has it or will have it, or sees to it as we would.
        Receipt::Copy(copies) => copies.given_up()?,
        Receipt::Unacked(share) => match share.given_up() {
            true => None,
            false => return None,
        },
        Receipt::None => None,
    };
    let (stanza, extra) = if is_ours_alone(client, &item.stanza) {
        // Nobody has the message itself (XEP-0280), or nobody else wants this: a page of the archive, say.
        (Arc::new(carbons::original(&item.stanza).filter(|_| shared)?), None)
    } else {
        (item.stanza, item.extra)
    };
    // Until it is somewhere else it must not be forgotten here.
    let hold = hold.or_else(|| sent.map(|(seq, _)| client.pending.hold_moved(seq)));
    let mut parcel = Parcel::new(stanza, hold);
    (parcel.extra, parcel.received, parcel.stamp_us) = (extra, true, sent.map(|(_, at_us)| at_us));
    match parcel.stanza.kind() {
        Kind::Message => message::redeliver_locked(core, &client.account, state, parcel),
        Kind::Iq if !crate::router::unanswerable(&parcel.stanza) && is_a_clients(&parcel.stanza) => {
            Some((parcel, StanzaError::service_unavailable()))
        }
        Kind::Iq | Kind::Presence => None,
    }
}

/// Was it made by the account for this one session?
pub(super) fn is_ours_alone(client: &Client, stanza: &Stanza) -> bool {
    stanza.from().is_some_and(|from| from == client.account.jid.as_jid())
}

/// Something that was said to all in a room (XEP-0045 §7.4), or by the room to those who are there: that names nobody.
fn is_of_a_room(core: &Core, stanza: &Stanza) -> bool {
    let is_there = |from: &Jid| matches!(core.hosts.place(from), hosts::Place::Service(_));
    let is_for_occupants = stanza.message_type() == MessageType::Groupchat || stanza.to().is_none();
    is_for_occupants && stanza.from().is_some_and(is_there)
}

/// A request from a client, which waits for an answer; our own pushes and pings do not.
fn is_a_clients(stanza: &Stanza) -> bool {
    stanza.from().is_some_and(|f| f.resource().is_some())
}
