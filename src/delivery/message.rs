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

use super::offline;
use crate::account::resource::Bound;
use crate::account::{Account, AccountState, Parcel};
use crate::core::Core;
use crate::extension::Received;
use crate::hold::Hold;
use crate::outbox::{Copies, Item};
use crate::router::bounce::bounce;
use smallvec::SmallVec;
use std::sync::Arc;
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
        return offline::queue_behind(core, account, state, parcel);
    }
    let kind = parcel.stanza.message_type();
    match plan.verdict {
        Verdict::Resource => {
            let target = parcel.stanza.to().and_then(|to| state.resource(to.resource()?));
            let pushed = target.is_some_and(|b| push(b, &parcel));
            // A client that is being cut off for slowness is as good as gone.
            if pushed { None } else { undelivered(core, account, state, kind, plan.reachable, parcel) }
        }
        Verdict::Reachable => match push_to_all(state, parcel) {
            None => None,
            Some(parcel) => offline::undelivered(core, account, state, parcel),
        },
        Verdict::Keep => offline::undelivered(core, account, state, parcel),
        Verdict::Error => Some((parcel, unavailable())),
        Verdict::Ignore => None,
    }
}

/// Messages whose order matters and which may be in the store.
fn ordered(kind: MessageType) -> bool {
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
fn is_fleeting(stanza: &Stanza) -> bool {
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

fn push(bound: &Bound, parcel: &Parcel) -> bool {
    let item = Item { extra: parcel.extra.clone(), ..Item::held(parcel.stanza.clone(), waits(parcel)) };
    bound.resource.outbox.push(item).is_ok()
}

/// Only for what would be kept does its sender wait until somebody has read it.
fn waits(parcel: &Parcel) -> Option<&Hold> {
    parcel.hold.as_ref().filter(|_| ordered(parcel.stanza.message_type()))
}

/// To every reachable resource; the parcel comes back if none could take it. Several copies know of each other: one that is
/// not written goes another way only if no other one was.
fn push_to_all(state: &AccountState, parcel: Parcel) -> Option<Parcel> {
    let mut reachable = state.reachable();
    let first = reachable.next();
    let (Some(first), second) = (first, reachable.next()) else { return Some(parcel) };
    let Some(second) = second else {
        return if push(first, &parcel) { None } else { Some(parcel) };
    };
    let mut pushed = false;
    let copies = Copies::new(waits(&parcel).cloned());
    for bound in [first, second].into_iter().chain(reachable) {
        let item = Item { extra: parcel.extra.clone(), ..Item::copy(parcel.stanza.clone(), copies.clone()) };
        pushed |= bound.resource.outbox.push(item).is_ok();
    }
    if pushed { None } else { Some(parcel) }
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
        push_to_all(state, parcel)?
    } else {
        // What is stored is older; what is parked is newer.
        parcel
    };
    offline::undelivered(core, account, state, parcel)
}
