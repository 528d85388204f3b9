//! Messages to all (XEP-0045 §7.4) and the subject (§8.1).

use super::mentioning::Filter;
use super::task::{self, Here, Pace, give};
use super::{absent, activity, history, moderate, rules};
use crate::account::Parcel;
use crate::account::resource::Client;
use crate::clock;
use crate::core::Core;
use crate::hold::Hold;
use crate::outbox::{Item, Receipt};
use crate::rooms::{Affiliation, Kept, Role, Room, RoomState, Subject};
use crate::router::bounce::{bounce, storage_error};
use crate::storage::Commit;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::stanza::{Child, Facts, MessageType, Stanza};
use xep_support::xml::writer::escape_attr;

/// A message to all, ready to be sent to them.
struct Reflected {
    /// As it came, with the sender's hold.
    parcel: Parcel,
    /// As it goes out.
    stanza: Arc<Stanza>,
    at_us: i64,
    is_subject: bool,
    is_kept: bool,
    /// Its id in the archive of the room.
    id: Option<i64>,
}

/// A message that is reflected when what came before it is and its commit is there, if it has one.
pub(super) struct Staged {
    commit: Option<Commit<()>>,
    message: Reflected,
}

impl Staged {
    /// Can it be reflected without waiting?
    fn is_ready(&self) -> bool {
        self.commit.as_ref().is_none_or(Commit::is_decided)
    }
}

/// Messages that are reflected together at most: a busy room gives everybody several at once, which costs each of them one
/// turn and one write. And their bytes, which have to fit into everybody's outbox.
const BATCH_MESSAGES_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 128 * 1024;

/// Is it to all occupants?
pub(super) fn is_for_all(parcel: &Parcel) -> bool {
    parcel.stanza.message_type() == MessageType::Groupchat && parcel.stanza.to().is_some_and(Jid::is_bare)
}

/// Checks a message to all and makes what the occupants get. `None`: there is nothing to do, as its sender has been told, or
/// it was done before a restart.
pub(super) fn accept(mut here: Here<'_>, parcel: Parcel) -> Option<Staged> {
    if parcel.hold.as_ref().and_then(Hold::effects).is_some_and(|known| known.received_as.is_some()) {
        // It was in the archive when the server was killed; who was there has been given it from there.
        return None;
    }
    let checked = check(&here, &parcel.stanza).and_then(|(slot, is_subject)| {
        wait(&mut here, slot, &parcel.stanza)?;
        Ok((slot, is_subject))
    });
    let (slot, is_subject) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            bounce(here.core, &parcel, error);
            return None;
        }
    };
    let at_us = task::now_us();
    let is_kept = is_worth_keeping(&parcel.stanza, here.state.id.is_some());
    let occupant = here.state.occupants.at(slot)?;
    let mut tail = String::with_capacity(160);
    write_occupant_id(&mut tail, &occupant.id);
    let mentions = Filter::of(&parcel.stanza, occupant.role, here.state.config.mentions);
    let stays = |child: &Child<'_>| !is_ours(child, here.room.jid.as_str()) && mentions.passes(child);
    let mut stanza = parcel.stanza.rebuilt(stays, &tail);
    stanza.set_from(occupant.jid.clone());
    let (stanza, commit, id) = match history::archive(&here, &parcel, stanza, at_us, [is_kept, is_subject]) {
        history::Archived::Not(stanza) => (stanza, None, None),
        history::Archived::Queued(stanza, commit, id) => (stanza, Some(commit), id),
    };
    let message = Reflected { parcel, stanza: Arc::new(stanza), at_us, is_subject, is_kept, id };
    Some(Staged { commit, message })
}

/// Who it is from, and whether it changes the subject (§7.2.15).
fn check(here: &Here<'_>, stanza: &Stanza) -> Result<(u32, bool), StanzaError> {
    let from = stanza.from().map_or("", Jid::as_str);
    let slot = here.state.occupants.of_session(from).ok_or_else(|| rules::not_in_room(here.state))?;
    let role = here.state.occupants.at(slot).map_or(Role::Visitor, |occupant| occupant.role);
    let limits = &here.core.config().limits;
    if stanza.inner().len() > limits.room_message_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("too large for a room"));
    }
    if here.core.storage.is_nearly_full() {
        return Err(StanzaError::new(Condition::ResourceConstraint));
    }
    let facts = stanza.facts();
    let is_subject =
        facts.contains(Facts::SUBJECT) && !facts.contains(Facts::BODY) && !stanza.has_child("thread", ns::CLIENT);
    if is_subject {
        let may = role == Role::Moderator || (here.state.config.change_subject && role == Role::Participant);
        if !may {
            return Err(StanzaError::new(Condition::Forbidden));
        }
        if stanza.inner().len() > limits.room_text_bytes_max {
            return Err(StanzaError::new(Condition::NotAcceptable).with_text("too long for a subject"));
        }
    } else if role == Role::Visitor {
        return Err(StanzaError::new(Condition::Forbidden).with_text("Voice is needed to speak here."));
    }
    Ok((slot, is_subject))
}

/// XEP-0500 §6: who has just spoken, under whatever nickname, waits.
fn wait(here: &mut Here<'_>, slot: u32, stanza: &Stanza) -> Result<(), StanzaError> {
    let seconds = here.state.config.slow_mode_seconds;
    if seconds == 0 || !stanza.facts().contains(Facts::BODY) {
        return Ok(());
    }
    let Some(occupant) = here.state.occupants.at(slot) else { return Ok(()) };
    let is_admin = occupant.affiliation >= Some(Affiliation::Admin);
    if is_admin || here.state.spoke.may_speak(&occupant.bare, clock::monotonic_ms(), u64::from(seconds) * 1_000) {
        return Ok(());
    }
    let text = format!("There are at least {seconds} seconds between two messages of yours in this room.");
    Err(StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait).with_text(text))
}

/// What only a room may say, and what it says by itself.
pub(super) fn is_ours(child: &Child<'_>, room: &str) -> bool {
    let named = |attr: &str| child.parse().and_then(|el| Jid::parse(el.get_attr(attr)?).ok());
    match (child.ns(), child.name()) {
        (ns::MUC_USER | ns::MUC, _) | (ns::OCCUPANT_ID, _) => true,
        (ns::SID, "stanza-id") => named("by").is_some_and(|by| by.bare_str() == room),
        (ns::DELAY, "delay") => named("from").is_some_and(|from| from.bare_str() == room),
        _ => false,
    }
}

/// XEP-0421 §3.
pub(super) fn write_occupant_id(out: &mut String, id: &str) {
    out.push_str("<occupant-id xmlns='");
    out.push_str(ns::OCCUPANT_ID);
    out.push_str("' id='");
    escape_attr(out, id);
    out.push_str("'/>");
}

/// For who enters later, and for the archive: what says something, and is not to be forgotten at once. Where there is an
/// archive, all that is said goes in, whatever it hints: without an id nobody could take it back (XEP-0425).
fn is_worth_keeping(stanza: &Stanza, is_archived: bool) -> bool {
    const WORTH: [Facts; 9] = [
        Facts::BODY,
        Facts::SUBJECT,
        Facts::STORE,
        Facts::ENCRYPTED,
        Facts::REACTIONS,
        Facts::CORRECTION,
        Facts::RETRACTION,
        Facts::FALLBACK,
        Facts::MARKER,
    ];
    let facts = stanza.facts();
    let is_hidden = facts.intersects(Facts::NO_STORE | Facts::NO_PERMANENT_STORE);
    (!is_hidden || is_archived && facts.contains(Facts::BODY)) && WORTH.iter().any(|fact| facts.contains(*fact))
}

/// Waits until the first of these messages is committed, and reflects it and those behind it for which nobody need wait. If
/// one is not committed, its sender is told.
pub(super) async fn settle(
    core: &Arc<Core>,
    room: &Arc<Room>,
    state: &mut Option<Box<RoomState>>,
    staged: &mut VecDeque<Staged>,
) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while staged.front().is_some_and(|next| batch.is_empty() || next.is_ready())
        && let Some(next) = staged.pop_front()
    {
        if let Some(Err(error)) = async { Some(next.commit?.await) }.await {
            tracing::error!(%error, "a message could not be archived");
            bounce(core, &next.message.parcel, storage_error(&error));
            continue;
        }
        bytes += next.message.stanza.size();
        // What it does besides comes before the next one.
        let is_last = next.message.is_subject || next.message.stanza.facts().contains(Facts::RETRACTION);
        batch.push(next.message);
        if is_last || batch.len() >= BATCH_MESSAGES_MAX || bytes >= BATCH_BYTES_MAX {
            break;
        }
    }
    if let Some(state) = state.as_deref_mut() {
        reflect(Here { core, room, state }, batch).await;
    }
}

/// Gives messages to everybody who is there.
async fn reflect(here: Here<'_>, messages: Vec<Reflected>) {
    let Here { core, room, state } = here;
    for message in &messages {
        keep(core, state, message);
    }
    let deliveries = state.occupants.sessions() * messages.len();
    core.rooms.counters.reflected.fetch_add(messages.len() as u64, Relaxed);
    core.rooms.counters.deliveries.fetch_add(deliveries as u64, Relaxed);
    let asleep = give_all(state, &messages).await;
    for Reflected { parcel, stanza, .. } in messages {
        if let Some(from) = parcel.stanza.from() {
            if stanza.facts().contains(Facts::RETRACTION) {
                moderate::retracted(&mut Here { core, room, state }, from, &stanza).await;
            }
            absent::tell(core, room, state, &from.bare(), &stanza, &asleep);
        }
        // Only now is it done with.
        drop(parcel);
    }
}

/// For those who come later.
fn keep(core: &Arc<Core>, state: &mut RoomState, message: &Reflected) {
    activity::count(core, state, &message.stanza, message.at_us);
    let (stanza, at_us) = (message.stanza.clone(), message.at_us);
    if message.is_subject {
        state.subject = Some(Subject { stanza, at_us });
    } else if message.is_kept {
        let (stanzas_max, bytes_max) = {
            let limits = &core.config().limits;
            (limits.room_history_stanzas_max, limits.room_history_bytes_max)
        };
        state.history.add(Kept { at_us, stanza, extra: None }, stanzas_max, bytes_max);
    }
}

/// All of them to each session. Those that are away come back.
async fn give_all(state: &RoomState, messages: &[Reflected]) -> Vec<Client> {
    let (mut asleep, mut pace, count) = (Vec::new(), Pace::default(), messages.len() as u32);
    for occupant in state.occupants.iter() {
        for seat in &occupant.seats {
            let resource = seat.resource();
            let items = messages.iter().map(|message| {
                let receipt = message.id.map_or(Receipt::None, Receipt::Told);
                let to = Some(resource.jid.as_jid().clone());
                Item { stanza: message.stanza.clone(), to, extra: None, receipt }
            });
            if resource.outbox.push_all(items) {
                asleep.push(seat.client.clone());
            }
            pace.steps(count).await;
        }
    }
    asleep
}

/// Sends a stanza from the room to all.
pub(super) async fn announce(here: &mut Here<'_>, stanza: Stanza) {
    let stanza = Arc::new(stanza);
    let mut pace = Pace::default();
    for slot in 0..here.state.occupants.slots() {
        let Some(occupant) = here.state.occupants.at(slot) else { continue };
        for seat in &occupant.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
}
