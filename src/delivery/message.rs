//! Messages to a local account: RFC 6121 §8.5 as one `match`.
//!
//! The table of §8.5.4 with our choices where the RFC leaves one:
//!
//! | condition | address | normal | chat | groupchat | headline | error |
//! |---|---|---|---|---|---|---|
//! | no such account | any | error | error | error | error | ignored |
//! | no reachable resource | bare | kept | kept | error | ignored | ignored |
//! | no reachable resource | full, no match | error | kept | error | ignored | ignored |
//! | reachable resources | bare | to all | to all | error | to all | ignored |
//! | reachable resources | full, no match | error | to all | error | ignored | ignored |
//! | any | full, match | delivered | delivered | delivered | delivered | delivered |
//!
//! A resource is *reachable* when it is available with a priority of zero or more. "Error" is `service-unavailable`;
//! "kept" is stage Undelivered: the offline store, or the error if nothing keeps it.

use super::{carbons, offline};
use crate::account::resource::Bound;
use crate::account::{Account, AccountState, Parcel, Replay};
use crate::core::Core;
use crate::extension::{Arrival, Received};
use crate::hold::Hold;
use crate::outbox::{Copies, Item};
use crate::router::bounce::bounce;
use smallvec::SmallVec;
use std::sync::Arc;
use xep_support::formats::delay;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, MessageType, Stanza};

/// What the table says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// To the resource it names.
    Resource,
    /// To every reachable resource.
    Reachable,
    /// Stage Undelivered.
    Keep,
    /// `service-unavailable` to the sender.
    Error,
    /// Nothing.
    Ignore,
}

/// The state of the addressee, as far as the table asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address {
    /// To the bare JID.
    Bare,
    /// To the full JID of a connected resource.
    Match,
    /// To a full JID that is not connected.
    NoMatch,
}

/// RFC 6121 §8.5.4, row by row.
pub fn verdict(kind: MessageType, address: Address, reachable: bool) -> Verdict {
    use Address::{Bare, Match, NoMatch};
    use MessageType::{Chat, Error, Groupchat, Headline, Normal};
    match (kind, address, reachable) {
        (_, Match, _) => Verdict::Resource,
        (Error, Bare | NoMatch, _) => Verdict::Ignore,
        (Groupchat, Bare | NoMatch, _) | (Normal, NoMatch, _) => Verdict::Error,
        (Headline, Bare, true) | (Normal, Bare, true) | (Chat, Bare | NoMatch, true) => Verdict::Reachable,
        (Headline, Bare, false) | (Headline, NoMatch, _) => Verdict::Ignore,
        (Normal, Bare, false) | (Chat, Bare | NoMatch, false) => Verdict::Keep,
    }
}

/// Delivers a message to a local account.
pub fn deliver(core: &Arc<Core>, account: &Arc<Account>, parcel: Parcel) {
    let refused = {
        let mut state = account.lock();
        if state.removed { Some((parcel, unavailable())) } else { deliver_locked(core, account, &mut state, parcel) }
    };
    // Outside the lock: the error may go to this very account.
    if let Some((parcel, error)) = refused {
        bounce(core, &parcel, error);
    }
}

/// The same under the account's lock; what the sender has to be told comes back.
pub fn deliver_locked(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    mut parcel: Parcel,
) -> Option<(Parcel, StanzaError)> {
    if !parcel.ours && parcel.stanza.from().is_some_and(|from| state.blocks(from)) {
        // XEP-0191 §3.3.
        return Some((parcel, unavailable()));
    }
    if parcel
        .hold
        .as_ref()
        .and_then(Hold::effects)
        .is_some_and(|e| e.stored || e.elsewhere || e.read || !e.reached.is_empty())
    {
        again(core, account, state, parcel);
        return None;
    }
    let plan = Plan::of(state, &parcel);
    let accepted = match receive(core, account, state, &mut parcel, &plan) {
        Ok(accepted) => accepted,
        Err(Some(error)) => return Some((parcel, error)),
        Err(None) => return None,
    };
    let refused = carry_out(core, account, state, parcel, &plan);
    if refused.is_none() {
        accepted.into_iter().for_each(|act| act());
    }
    refused
}

/// A message that somebody has or has in hand already. When the server was killed its sender did not know, and sends it again
/// (XEP-0198). What is missing is made up for: the archive, and those of several clients that were not given it yet.
fn again(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, mut parcel: Parcel) {
    let plan = Plan { verdict: Verdict::Reachable, reachable: true, behind: false };
    if let Ok(accepted) = receive(core, account, state, &mut parcel, &plan) {
        accepted.into_iter().for_each(|act| act());
    }
    let Some(known) = parcel.hold.as_ref().and_then(Hold::effects) else { return };
    if known.stored || known.elsewhere || !ordered(parcel.stanza.message_type()) {
        return;
    }
    let part = parcel.stanza.to().and_then(|to| to.resource());
    let fate = known.fate.clone().unwrap_or_default();
    if fate.is_moved() {
        return;
    }
    if known.read {
        fate.acknowledged();
    }
    let copies = Copies::beside(parcel.hold.clone(), &fate);
    // Whoever came later asks the archive.
    let left_out = |b: &&Bound| {
        let session = b.resource.outbox.session();
        let meant = part.map_or(b.priority >= 0, |part| b.resource.jid.resource() == part);
        meant && core.journal.is_restored(session) && !known.reached.contains(&session)
    };
    for bound in state.available().filter(left_out) {
        let item = Item { extra: parcel.extra.clone(), ..Item::copy(parcel.stanza.clone(), copies.clone()) };
        if !bound.is_detached() {
            let _ = bound.resource.outbox.push(item);
        } else if !is_fleeting(&parcel.stanza) {
            bound.misses(item);
        }
    }
}

/// Where a message is to go.
struct Plan {
    /// As the table says.
    verdict: Verdict,
    /// Is somebody reachable?
    reachable: bool,
    /// Must it wait behind those that are being handed out?
    behind: bool,
}

impl Plan {
    fn of(state: &AccountState, parcel: &Parcel) -> Self {
        let part = parcel.stanza.to().and_then(|to| to.resource());
        let target = part.and_then(|p| state.resource(p));
        let kind = parcel.stanza.message_type();
        let address = match (part, target) {
            (None, _) => Address::Bare,
            // It may come back (XEP-0198 §5); until then its messages are as safe as those for the account.
            (Some(_), Some(bound)) if bound.is_detached() && ordered(kind) => Address::Bare,
            (Some(_), Some(_)) => Address::Match,
            (Some(_), None) => Address::NoMatch,
        };
        let reachable = state.reachable().next().is_some();
        let verdict = verdict(kind, address, reachable);
        let behind = !state.offline.replay.is_live() && goes_behind(state, parcel, verdict, target);
        Self { verdict, reachable, behind }
    }
}

/// What is to be done once a message was accepted.
type Accepted = SmallVec<[Box<dyn FnOnce() + Send>; 1]>;

/// Stage Receive, for what the account is going to get: what it refuses it has never seen. An error is for the sender.
fn receive(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    parcel: &mut Parcel,
    plan: &Plan,
) -> Result<Accepted, Option<StanzaError>> {
    let mut accepted = Accepted::new();
    if parcel.received || matches!(plan.verdict, Verdict::Error | Verdict::Ignore) {
        return Ok(accepted);
    }
    parcel.received = true;
    for hook in core.registry.receive() {
        match hook(core, account, state, parcel) {
            Received::Pass => {}
            Received::Accepted(act) => accepted.push(act),
            Received::Refused(error) => return Err(Some(error)),
            Received::Dropped(reason) => {
                tracing::debug!(to = %account.jid, reason, "message dropped");
                return Err(None);
            }
        }
    }
    Ok(accepted)
}

fn carry_out(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    parcel: Parcel,
    plan: &Plan,
) -> Option<(Parcel, StanzaError)> {
    if plan.behind {
        // What is parked comes here again.
        let parks = matches!(state.offline.replay, Replay::Parking(_));
        let due = if parks { None } else { carbons::due(account, state, &parcel, |b| takes_stored(state, b)) };
        return carbons::send_unless_refused(due, offline::queue_behind(core, account, state, parcel));
    }
    let kind = parcel.stanza.message_type();
    let message = state.push.is_some().then(|| parcel.stanza.clone());
    let due = carbons::due(account, state, &parcel, |b| gets(&parcel, plan.verdict, b));
    // The originals and the copies know of each other.
    let copies = due.as_ref().filter(|_| ordered(kind)).map(|_| Copies::new(waits(&parcel).cloned()));
    let left = match plan.verdict {
        Verdict::Resource => {
            let target = parcel.stanza.to().and_then(|to| state.resource(to.resource()?));
            let pushed = target.is_some_and(|b| push(b, &parcel, copies.as_ref()));
            if pushed { None } else { Some(parcel) }
        }
        Verdict::Reachable => push_to_all(state, parcel, copies.clone()),
        Verdict::Keep => Some(parcel),
        Verdict::Error => return Some((parcel, unavailable())),
        Verdict::Ignore => None,
    };
    let refused = match left {
        None => {
            due.into_iter().for_each(|due| due.send(copies.as_ref()));
            if let Some(message) = message {
                arrived(core, account, state, &message, plan.verdict);
            }
            return None;
        }
        // A client that is being cut off for slowness is as good as gone.
        Some(parcel) if plan.verdict == Verdict::Resource => {
            undelivered(core, account, state, kind, plan.reachable, parcel)
        }
        Some(parcel) => offline::undelivered(core, account, state, parcel),
    };
    carbons::send_unless_refused(due, refused)
}

/// Stage Arrived for a message that resources got.
fn arrived(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, message: &Stanza, verdict: Verdict) {
    let named = message.to().and_then(|to| state.resource(to.resource()?)).filter(|_| verdict == Verdict::Resource);
    let waits = named.filter(|b| b.is_detached()).map(|b| b.resource.clone());
    let arrival = waits.as_ref().map_or(Arrival::Delivered, |waits| Arrival::Waits(waits.jid.resource()));
    core.registry.run_arrived(core, account, state, message, arrival);
}

/// Does this resource get the message itself?
fn gets(parcel: &Parcel, verdict: Verdict, bound: &Bound) -> bool {
    match verdict {
        Verdict::Resource => parcel.stanza.to().is_some_and(|to| to == bound.resource.jid.as_jid()),
        // One that comes back gets it then.
        Verdict::Reachable | Verdict::Keep => bound.takes_messages(),
        Verdict::Error => true,
        Verdict::Ignore => false,
    }
}

/// The same for a message that goes into the store while others are being handed out of it.
fn takes_stored(state: &AccountState, bound: &Bound) -> bool {
    bound.takes_messages() && bound.is_detached()
        || state.reachable().last().is_some_and(|taker| Arc::ptr_eq(&taker.resource, &bound.resource))
}

/// Messages whose order matters and which may be in the store.
pub(super) fn ordered(kind: MessageType) -> bool {
    matches!(kind, MessageType::Chat | MessageType::Normal)
}

/// While stored messages are being handed out: must this one wait behind them? Not if it is for a resource that gets none
/// of them, and not if it must not be stored: then it comes too early rather than never.
fn goes_behind(state: &AccountState, parcel: &Parcel, verdict: Verdict, target: Option<&Bound>) -> bool {
    let way = match verdict {
        Verdict::Keep | Verdict::Reachable => true,
        Verdict::Resource => match (target, state.reachable().last()) {
            (Some(named), Some(taker)) => Arc::ptr_eq(&named.resource, &taker.resource),
            _ => false,
        },
        Verdict::Error | Verdict::Ignore => false,
    };
    way && ordered(parcel.stanza.message_type()) && !is_fleeting(&parcel.stanza)
}

/// Worth something now or never: a hint says so, or it is but a chat state.
pub(super) fn is_fleeting(stanza: &Stanza) -> bool {
    let facts = stanza.facts();
    facts.contains(Facts::NO_STORE)
        || facts.contains(Facts::CHAT_STATE) && !facts.intersects(Facts::BODY | Facts::ENCRYPTED | Facts::OTHER)
}

fn undelivered(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    kind: MessageType,
    reachable: bool,
    parcel: Parcel,
) -> Option<(Parcel, StanzaError)> {
    match verdict(kind, Address::NoMatch, reachable) {
        Verdict::Ignore => None,
        Verdict::Error if kind == MessageType::Groupchat => Some((parcel, unavailable())),
        _ => offline::undelivered(core, account, state, parcel),
    }
}

fn push(bound: &Bound, parcel: &Parcel, copies: Option<&Arc<Copies>>) -> bool {
    let item = match copies {
        Some(copies) => Item::copy(parcel.stanza.clone(), copies.clone()),
        None => Item::held(parcel.stanza.clone(), waits(parcel)),
    };
    bound.resource.outbox.push(Item { extra: parcel.extra.clone(), ..item }).is_ok()
}

/// Only for what would be kept does its sender wait until somebody has read it.
fn waits(parcel: &Parcel) -> Option<&Hold> {
    parcel.hold.as_ref().filter(|_| ordered(parcel.stanza.message_type()))
}

/// To every reachable resource; the parcel comes back if none could take it. Several copies know of each other: one that is
/// not written goes another way only if no other one was.
fn push_to_all(state: &AccountState, parcel: Parcel, copies: Option<Arc<Copies>>) -> Option<Parcel> {
    let mut reachable = state.reachable();
    let (Some(first), second) = (reachable.next(), reachable.next()) else { return Some(parcel) };
    let several = second.is_some() || missing(state, &parcel).next().is_some();
    let copies = copies.or_else(|| several.then(|| Copies::new(waits(&parcel).cloned())));
    let mut pushed = false;
    for bound in [first].into_iter().chain(second).chain(reachable) {
        pushed |= push(bound, &parcel, copies.as_ref());
    }
    if !pushed {
        return Some(parcel);
    }
    let copies = copies?;
    for bound in missing(state, &parcel) {
        // Its sender does not wait for it; if it never comes back, somebody else has it.
        bound.misses(Item { extra: parcel.extra.clone(), ..Item::copy(parcel.stanza.clone(), copies.clone()) });
    }
    None
}

/// Resources without a connection that get what others are given when they come back (XEP-0198 §5).
fn missing<'a>(state: &'a AccountState, parcel: &Parcel) -> impl Iterator<Item = &'a Bound> {
    let kept = ordered(parcel.stanza.message_type()) && !is_fleeting(&parcel.stanza);
    state.available().filter(move |b| kept && b.is_detached() && b.priority >= 0)
}

/// RFC 6121 §8.5.1: nobody of this name here.
pub fn no_such_account(core: &Arc<Core>, parcel: &Parcel) {
    bounce(core, parcel, unavailable());
}

fn unavailable() -> StanzaError {
    StanzaError::new(Condition::ServiceUnavailable)
}

/// A message that reached a session's outbox but not its client. It has been accepted, so it is not refused any more
/// where that can be helped: whatever its address, another resource takes it, or the store.
pub fn redeliver_locked(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    parcel: Parcel,
) -> Option<(Parcel, StanzaError)> {
    let kind = parcel.stanza.message_type();
    if !ordered(kind) || state.removed {
        return None;
    }
    let may_wait = !is_fleeting(&parcel.stanza);
    let parcel = if state.offline.replay.is_live() || !may_wait {
        let mut parcel = parcel;
        if let Some(stamp_us) = parcel.stamp_us
            && state.reachable().next().is_some()
        {
            let mut delay = String::new();
            delay::write(&mut delay, Some(account.jid.domain()), stamp_us);
            parcel.add(&delay);
        }
        push_to_all(state, parcel, None)?
    } else {
        // What is stored is older; what is parked is newer.
        parcel
    };
    offline::undelivered(core, account, state, parcel)
}
