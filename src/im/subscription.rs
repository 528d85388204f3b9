//! Presence subscriptions (RFC 6121 §3): the user's side, then the contact's, each durable before the next step.
//!
//! The tables are in `transitions`. A subscription stanza changes two rosters; the session that sent it reads nothing
//! further until both are on disk, which keeps its stanzas in order and the later acknowledgement true.

use super::roster::Change;
use super::{invited, presence, to_the_end, transitions};
use crate::account::resource::Client;
use crate::account::roster::Subscription;
use crate::account::{Account, AccountState, blocking};
use crate::core::Core;
use crate::hosts::Place;
use crate::outbox::Item;
use crate::router;
use crate::router::Progress;
use crate::router::bounce::storage_error;
use std::sync::Arc;
use xep_support::jid::BareJid;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{PresenceType, Stanza};

/// Handles `subscribe`, `subscribed`, `unsubscribe` or `unsubscribed` from a client. The stanza's `to` is there.
pub fn from_client(core: &Arc<Core>, client: &Client, kind: PresenceType, mut stanza: Stanza) -> Progress {
    let Some(contact) = stanza.to().map(|to| to.bare()) else { return Progress::Done };
    // §3.1.2: both addresses are bare.
    stanza.set_from(client.account.jid.as_jid().clone());
    stanza.set_to(Some(contact.as_jid().clone()));
    if contact == client.account.jid {
        // A user is subscribed to itself anyway (§4.2.2).
        return Progress::Done;
    }
    if client.account.lock().blocks(contact.as_jid()) {
        core.refuse(client, &stanza, &blocking::refusal());
        return Progress::Done;
    }
    let refusal = match core.hosts.place(contact.as_jid()) {
        _ if client.account.id.is_none() => Some(Condition::NotAllowed),
        Place::Account => None,
        Place::Domain | Place::Service(_) => Some(Condition::ServiceUnavailable),
        Place::Remote => Some(Condition::RemoteServerNotFound),
    };
    if let Some(condition) = refusal {
        core.refuse(client, &stanza, &StanzaError::new(condition));
        return Progress::Done;
    }
    let (everything, client, stanza) = (core.clone(), client.clone(), Arc::new(stanza));
    let work = to_the_end(core, async move {
        if let Err(error) = outbound(&everything, &client.account, &contact, kind, &stanza).await {
            everything.refuse(&client, &stanza, &error);
        }
    });
    Progress::Wait(Box::pin(async move {
        let _ = work.await;
    }))
}

/// The user's side (Appendix A.2), then the contact's.
async fn outbound(
    core: &Arc<Core>,
    account: &Arc<Account>,
    contact: &BareJid,
    kind: PresenceType,
    stanza: &Arc<Stanza>,
) -> Result<(), StanzaError> {
    let turn = account.roster_turn().await;
    let (change, step, before) = {
        let mut state = account.lock();
        let entry = state.roster.items.get(contact).cloned();
        let before = entry.as_ref().map(|c| c.subscription).unwrap_or_default();
        let step = transitions::outbound(kind, before);
        let mut after = entry.unwrap_or_default();
        if !after.listed && step.state != before && asks(kind) {
            if state.roster.listed().count() >= core.config().limits.roster_items_max {
                return Err(StanzaError::new(Condition::ResourceConstraint).with_text("the roster is full"));
            }
            // §3.1.2, §3.4.2: asking or approving puts the contact into the roster.
            after.listed = true;
        }
        after.subscription = step.state;
        if !step.state.pending_in {
            after.request = None;
        }
        (Change::apply(core, account, &mut state, contact, after), step, before)
    };
    change.settle_after(account, contact, |_| ()).await.map_err(|e| failed(account, &e))?;
    drop(turn);
    if kind == PresenceType::Unsubscribed && before.from {
        // §3.2.2: the contact must not keep the last presence it saw.
        presence::withdraw(core, account, contact);
    }
    if step.route {
        inbound(core, &account.jid, contact, kind, stanza).await.map_err(|e| failed(account, &e))?;
    }
    if kind == PresenceType::Subscribed && step.state.from && !before.from {
        // §3.1.5: the contact learns the current presence.
        presence::show(core, account, contact);
    }
    Ok(())
}

fn asks(kind: PresenceType) -> bool {
    matches!(kind, PresenceType::Subscribe | PresenceType::Subscribed)
}

fn failed(account: &Account, error: &crate::storage::Error) -> StanzaError {
    tracing::error!(account = %account.jid, %error, "subscription not stored");
    storage_error(error)
}

/// Sends a subscription stanza in the user's name (a roster item was removed, §2.5.2). Trouble is logged: the user's own
/// side is settled already.
pub async fn tell(core: &Arc<Core>, account: &Arc<Account>, contact: &BareJid, kind: PresenceType) {
    if core.hosts.place(contact.as_jid()) != Place::Account {
        return;
    }
    let stanza = Stanza::presence(kind, Some(account.jid.as_jid()), Some(contact.as_jid()));
    if let Err(error) = inbound(core, &account.jid, contact, kind, &Arc::new(stanza)).await {
        tracing::error!(account = %contact, %error, "subscription change not stored");
    }
}

/// What a contact's subscription stanza does to a local account (Appendix A.3). An unknown account is silent (§3.1.3).
async fn inbound(
    core: &Arc<Core>,
    from: &BareJid,
    to: &BareJid,
    kind: PresenceType,
    stanza: &Arc<Stanza>,
) -> Result<(), crate::storage::Error> {
    let Some(account) = router::load(core, to).await? else { return Ok(()) };
    let welcome = match kind {
        PresenceType::Subscribe => invited::redeem(core, &account, from, stanza).await?,
        _ => None,
    };
    let turn = account.roster_turn().await;
    let (change, step, before, blocked) = {
        let mut state = account.lock();
        let blocked = state.blocks(from);
        if blocked && asks(kind) {
            // XEP-0191 §3.3. What ends a subscription does so all the same, or the rosters would disagree for ever.
            return Ok(());
        }
        let entry = state.roster.items.get(from).cloned();
        let before = entry.as_ref().map(|c| c.subscription).unwrap_or_default();
        let as_if = Subscription { approved: before.approved || welcome.is_some(), ..before };
        let mut step = transitions::inbound(kind, as_if);
        let mut after = entry.unwrap_or_default();
        if let Some(welcome) = &welcome {
            welcome.enter(&mut after, &mut step.state);
        }
        if step.state.pending_in && !before.pending_in {
            let pending = state.roster.items.values().filter(|c| c.subscription.pending_in).count();
            if pending >= core.config().limits.subscription_requests_pending_max {
                tracing::warn!(account = %to, "subscription request dropped: too many are pending");
                return Ok(());
            }
            after.request = Some(request_text(core, stanza));
        }
        if !step.state.pending_in {
            after.request = None;
        }
        after.subscription = step.state;
        (Change::apply(core, &account, &mut state, from, after), step, before, blocked)
    };
    let show = |state: &AccountState| {
        if step.deliver && !blocked {
            show_stanza(state, kind, stanza);
        }
    };
    change.settle_after(&account, from, show).await?;
    drop(turn);
    if step.approve {
        approve(core, &account, from).await?;
    }
    if welcome.is_some() && step.state.pending_out {
        // XEP-0379 §3.5: a request of the user's own.
        let kind = PresenceType::Subscribe;
        let request = Stanza::presence(kind, Some(account.jid.as_jid()), Some(from.as_jid()));
        Box::pin(inbound(core, &account.jid, from, kind, &Arc::new(request))).await?;
    }
    if kind == PresenceType::Unsubscribe && before.from {
        // §3.3.3: the contact has seen the last of the user's presence.
        presence::withdraw(core, &account, from);
    }
    Ok(())
}

/// A request goes to every available resource (§3.1.3), the rest to every interested one (§3.1.6, §3.2.3, §3.3.3).
fn show_stanza(state: &AccountState, kind: PresenceType, stanza: &Arc<Stanza>) {
    for bound in &state.resources {
        let wanted = if kind == PresenceType::Subscribe { bound.presence.is_some() } else { bound.interested };
        if wanted {
            let _ = bound.resource.outbox.push(Item::plain(stanza.clone()));
        }
    }
}

/// Answers a request for the user, who approved it before (§3.1.3, §3.4.2).
async fn approve(core: &Arc<Core>, account: &Arc<Account>, asker: &BareJid) -> Result<(), crate::storage::Error> {
    let kind = PresenceType::Subscribed;
    let answer = Stanza::presence(kind, Some(account.jid.as_jid()), Some(asker.as_jid()));
    Box::pin(inbound(core, &account.jid, asker, kind, &Arc::new(answer))).await?;
    presence::show(core, account, asker);
    Ok(())
}

/// The request as it is shown at each login until it is answered (§3.1.3); without its children if it is too large.
fn request_text(core: &Core, stanza: &Stanza) -> Arc<str> {
    let text = stanza.to_xml();
    if text.len() <= core.config().limits.subscription_request_bytes_max {
        return text.into();
    }
    Stanza::presence(PresenceType::Subscribe, stanza.from(), stanza.to()).to_xml().into()
}
