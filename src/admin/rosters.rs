//! Contact lists, seen and changed for their owners.

use super::protocol::{ContactRow, Failure, FailureKind, Reply, RosterChange, SubscriptionState};
use super::{bare, load};
use crate::account::Account;
use crate::account::roster::{Contact, Subscription};
use crate::core::Core;
use crate::hosts::Place;
use crate::im::presence;
use crate::im::roster::{self, Change};
use crate::router;
use std::sync::Arc;
use xep_support::jid::BareJid;
use xep_support::stanza::error::Condition;

pub(super) async fn show(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let account = load(core, jid).await?;
    let state = account.lock();
    Ok(Reply::Roster(state.roster.items.iter().map(|(jid, contact)| row(jid, contact)).collect()))
}

fn row(jid: &BareJid, contact: &Contact) -> ContactRow {
    let s = contact.subscription;
    ContactRow {
        contact: jid.to_string(),
        name: contact.name.as_deref().map(str::to_owned),
        groups: contact.groups.iter().map(|g| g.to_string()).collect(),
        subscription: match (s.to, s.from) {
            (false, false) => SubscriptionState::None,
            (true, false) => SubscriptionState::To,
            (false, true) => SubscriptionState::From,
            (true, true) => SubscriptionState::Both,
        },
        pending_out: s.pending_out,
        pending_in: s.pending_in,
        approved: s.approved,
        in_roster: contact.listed,
    }
}

/// Both sides must agree about a subscription, or nobody sees anything: a contact that has an account here gets its side
/// set too. Clients see the changes as roster pushes, and presence as if both had agreed to it themselves.
pub(super) async fn add(core: &Arc<Core>, change: RosterChange) -> Result<Reply, Failure> {
    let account = load(core, &change.jid).await?;
    let contact = bare(&change.contact)?;
    if contact == account.jid {
        return Err(Failure::new(FailureKind::BadRequest, "an account is not its own contact"));
    }
    check(core, &change)?;
    let asked = change.subscription.map(subscription);
    let theirs = match (asked, core.hosts.place(contact.as_jid())) {
        (None, _) | (_, Place::Remote) => None,
        (Some(_), Place::Account) => {
            let none = || Failure::new(FailureKind::NotFound, format!("there is no account {contact}"));
            Some(router::load(core, &contact).await?.ok_or_else(none)?)
        }
        (Some(_), Place::Domain | Place::Service(_)) => {
            return Err(Failure::new(FailureKind::BadRequest, "a domain of ours has no presence to subscribe to"));
        }
    };
    let edit = |entry: &mut Contact| {
        entry.listed = true;
        if let Some(name) = &change.name {
            entry.name = (!name.is_empty()).then(|| name.as_str().into());
        }
        if let Some(groups) = &change.groups {
            entry.groups = groups.iter().filter(|g| !g.is_empty()).map(|g| g.as_str().into()).collect();
        }
        set(entry, asked);
    };
    let (before, after) = put(core, &account, &contact, edit).await?;
    if let (Some(theirs), Some(asked)) = (&theirs, asked) {
        let mirrored = Subscription { to: asked.from, from: asked.to, ..Subscription::default() };
        let edit = |entry: &mut Contact| {
            entry.listed |= mirrored.to || mirrored.from;
            set(entry, Some(mirrored));
        };
        let (their_before, their_after) = put(core, theirs, &account.jid, edit).await?;
        tell(core, theirs, &account.jid, their_before, their_after.subscription);
    }
    tell(core, &account, &contact, before, after.subscription);
    Ok(Reply::RosterChanged { contact: row(&contact, &after), other_side: theirs.is_some() })
}

fn subscription(state: SubscriptionState) -> Subscription {
    use SubscriptionState::{Both, From, To};
    Subscription { to: matches!(state, To | Both), from: matches!(state, From | Both), ..Subscription::default() }
}

/// An operator's word settles whatever was pending.
fn set(entry: &mut Contact, asked: Option<Subscription>) {
    if let Some(asked) = asked {
        entry.subscription = asked;
        entry.request = None;
    }
}

fn check(core: &Core, change: &RosterChange) -> Result<(), Failure> {
    let config = core.config();
    let limits = &config.limits;
    let limit = |text: &str| Err(Failure::new(FailureKind::Limit, text));
    if change.name.as_ref().is_some_and(|name| name.len() > limits.roster_name_bytes_max) {
        return limit("the name is longer than limits.roster_name_bytes_max");
    }
    let groups = change.groups.as_deref().unwrap_or_default();
    if groups.len() > limits.roster_groups_max {
        return limit("more groups than limits.roster_groups_max");
    }
    if groups.iter().any(|group| group.len() > limits.roster_group_bytes_max) {
        return limit("a group is longer than limits.roster_group_bytes_max");
    }
    if groups.iter().enumerate().any(|(at, group)| groups[..at].contains(group)) {
        return Err(Failure::new(FailureKind::BadRequest, "a group is named twice"));
    }
    Ok(())
}

/// Changes one entry, on disk and for the clients: the subscription before, the entry afterwards.
async fn put(
    core: &Core,
    account: &Account,
    contact: &BareJid,
    edit: impl FnOnce(&mut Contact),
) -> Result<(Subscription, Contact), Failure> {
    let _turn = account.roster_turn().await;
    let (change, before, after) = {
        let mut state = account.lock();
        let entry = state.roster.items.get(contact).cloned();
        let before = entry.as_ref().map(|c| c.subscription).unwrap_or_default();
        let was_listed = entry.as_ref().is_some_and(|c| c.listed);
        let mut after = entry.unwrap_or_default();
        edit(&mut after);
        if after.listed && !was_listed && state.roster.listed().count() >= core.config().limits.roster_items_max {
            let message = format!("the roster of {} is full (limits.roster_items_max)", account.jid);
            return Err(Failure::new(FailureKind::Limit, message));
        }
        (Change::apply(core, account, &mut state, contact, after.clone()), before, after)
    };
    change.settle(account, contact).await?;
    Ok((before, after))
}

/// RFC 6121 §3.1.5, §3.2.2: who may now see the account sees it, who may not sees it go.
fn tell(core: &Arc<Core>, account: &Account, contact: &BareJid, before: Subscription, after: Subscription) {
    if after.from && !before.from {
        presence::show(core, account, contact);
    }
    if before.from && !after.from {
        presence::withdraw(core, account, contact);
    }
}

pub(super) async fn remove(core: &Arc<Core>, jid: &str, contact: &str) -> Result<Reply, Failure> {
    let account = load(core, jid).await?;
    let contact = bare(contact)?;
    roster::remove(core, &account, &contact).await.map_err(|error| match error.condition {
        Condition::ItemNotFound => {
            Failure::new(FailureKind::NotFound, format!("{contact} is not in the roster of {}", account.jid))
        }
        condition => Failure::new(FailureKind::Failed, condition.as_str()),
    })?;
    Ok(Reply::RosterRemoved { jid: account.jid.to_string(), contact: contact.to_string() })
}
