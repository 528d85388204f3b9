//! XEP-0313: the archive of an account's messages, and those of [`rooms`]. Those of accounts enter it in the stages Sent and Receive, each side for itself,
//! and are durable before their sender is told anything.

pub mod prefs;
pub mod retract;
pub mod rooms;
pub mod search;

mod answer;
mod decide;
mod query;

pub use answer::metadata_of;

use crate::account::archiving::policy_allows;
use crate::account::resource::Client;
use crate::account::{Account, AccountState, Parcel};
use crate::clock;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, Received};
use crate::hold::Hold;
use crate::journal::{Effect, EffectKind};
use crate::storage::{ArchiveRow, Error, Storage};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::formats::stanza_id;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Facts, IqType};

/// The archive.
pub struct Archive;

impl Extension for Archive {
    fn about(&self) -> About {
        About::new("XEP-0313", "Message Archive Management", "1.1.3")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        for feature in [ns::MAM, ns::MAM_EXTENDED, ns::MAM_GROUPCHAT_FIELD, ns::RSM] {
            d.account_feature_if(feature, |config| config.archive.enabled);
        }
        let (query, metadata) = (("query", ns::MAM), ("metadata", ns::MAM));
        d.sent(Box::new(sent))
            .receive(Box::new(receive))
            .iq(Addressee::OwnAccount, IqType::Get, query, answer::form)
            .iq(Addressee::OwnAccount, IqType::Set, query, answer::query)
            .iq(Addressee::OwnAccount, IqType::Get, metadata, answer::metadata)
            // §8.1: nobody else's.
            .iq(Addressee::OtherAccount, IqType::Get, query, forbidden)
            .iq(Addressee::OtherAccount, IqType::Set, query, forbidden)
            .iq(Addressee::OtherAccount, IqType::Get, metadata, forbidden);
        rooms::declare(d);
    }
}

fn forbidden(_: IqCall<'_>) -> Answer {
    Answer::error(StanzaError::new(Condition::Forbidden))
}

/// What all requests about the archive are refused with while the settings have none.
fn enabled(core: &Core) -> Result<(), StanzaError> {
    if core.config().archive.enabled { Ok(()) } else { Err(StanzaError::new(Condition::ServiceUnavailable)) }
}

/// Stage Sent: into the sender's archive. What one writes to oneself enters it once, when it is received.
fn sent(core: &Arc<Core>, client: &Client, state: &mut AccountState, parcel: &mut Parcel) -> Result<(), StanzaError> {
    let account = &client.account;
    let Some(to) = parcel.stanza.to().filter(|to| to.bare_str() != account.jid.as_str()).cloned() else {
        return Ok(());
    };
    let known = parcel.hold.as_ref().and_then(Hold::effects).and_then(|known| known.archived_as);
    if known.is_some() {
        // Its client did not know when the server was killed, and sends it again (XEP-0198).
        parcel.archived_as = known.map(|id| core.storage.archive_ids().tell(id));
        return Ok(());
    }
    if let Some(row) = row(core, account, state, parcel, &to) {
        if core.storage.is_nearly_full() {
            // Before anybody has it: a message is archived for both or not sent.
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("too much waits for the disk"));
        }
        parcel.archived_as = Some(core.storage.archive_ids().tell(row.id));
        Entry::new(core, account, row, parcel, EffectKind::Sent).write();
    }
    Ok(())
}

/// Stage Receive: into the addressee's archive if nothing refuses it. Its clients learn under which id (§3.5).
fn receive(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, parcel: &mut Parcel) -> Received {
    let Some(from) = parcel.stanza.from().cloned() else { return Received::Pass };
    let known = parcel.hold.as_ref().and_then(Hold::effects).map_or((None, None), |k| (k.received_as, k.told_as));
    if let Some(id) = known.0 {
        tell(core, account, parcel, id);
        return Received::Pass;
    }
    let Some(mut row) = row(core, account, state, parcel, &from) else { return Received::Pass };
    // Somebody was told this id already, and it has not entered the archive.
    row.id = known.1.unwrap_or(row.id);
    tell(core, account, parcel, row.id);
    let entry = Entry::new(core, account, row, parcel, EffectKind::Received);
    Received::Accepted(Box::new(move || entry.write()))
}

fn tell(core: &Core, account: &Account, parcel: &mut Parcel, id: i64) {
    let mut extra = String::with_capacity(128);
    stanza_id::write(&mut extra, account.jid.as_str(), core.storage.archive_ids().tell(id));
    parcel.add(&extra);
}

/// The row for a message exchanged with `peer`; `None` if it is not archived.
fn row(core: &Core, account: &Account, state: &AccountState, parcel: &mut Parcel, peer: &Jid) -> Option<ArchiveRow> {
    let id = account.id?;
    let policy = {
        let archive = &core.config().archive;
        if !archive.enabled {
            return None;
        }
        archive.default_preference
    };
    let own = account.jid.as_str();
    let decision = decide::worth(parcel.stanza.message_type(), parcel.stanza.facts()).and_then(|why| {
        match &state.archiving {
            Some(prefs) => prefs.allow(own, &state.roster, peer),
            None => policy_allows(policy, own, &state.roster, peer),
        }
        .map(|()| why)
    });
    match decision {
        Ok(why) => tracing::trace!(account = own, why, "archived"),
        Err(why) => {
            tracing::trace!(account = own, why, "not archived");
            return None;
        }
    }
    Some(ArchiveRow {
        owner: id.into(),
        id: core.storage.archive_id(clock::now_micros()),
        peer: peer.bare_str().into(),
        resource: peer.resource().map(Into::into),
        mark: Storage::archive_mark(parcel.stanza.id().as_deref()),
        stanza: parcel.stored(),
        subject: None,
    })
}

/// A message on its way into an archive.
struct Entry {
    core: Arc<Core>,
    account: Arc<Account>,
    row: ArchiveRow,
    parcel: Parcel,
    kind: EffectKind,
}

impl Entry {
    fn new(core: &Arc<Core>, account: &Arc<Account>, row: ArchiveRow, parcel: &Parcel, kind: EffectKind) -> Self {
        let parcel = Parcel::new(parcel.stanza.clone(), parcel.hold.clone());
        Self { core: core.clone(), account: account.clone(), row, parcel, kind }
    }

    /// Gives it to the writer. Under the account's lock, so that rows are written in the order of their ids.
    fn write(self) {
        let Self { core, account, row, parcel, kind } = self;
        let effect = parcel.hold.as_ref().and_then(Hold::cause).map(|cause| Effect { cause, kind, value: row.id });
        let retraction =
            parcel.stanza.facts().contains(Facts::RETRACTION).then(|| (row.owner, row.peer.clone(), row.id));
        account.archive_pending.fetch_add(1, Ordering::Relaxed);
        let (storage, Parcel { stanza, hold, .. }) = (core.storage.clone(), parcel);
        let held = hold.clone();
        let done = move |stored: Result<(), Error>| {
            account.archive_pending.fetch_sub(1, Ordering::Release);
            match stored {
                // With the hold goes what kept the sender's acknowledgement back.
                Ok(()) => drop(held),
                Err(Error::NotFound) => tracing::debug!(account = %account.jid, "archive of an account that is gone"),
                Err(error) => {
                    let failed = core.counters.archive_failed.fetch_add(1, Ordering::Relaxed) + 1;
                    // A full disk fails all of them.
                    if failed.is_power_of_two() {
                        tracing::warn!(account = %account.jid, %error, failed, "messages not archived");
                    }
                }
            }
        };
        storage.archive_store_caused(row, effect, Box::new(done));
        if let Some((owner, peer, id)) = retraction {
            retract::retract(&storage, owner, &peer, id, &stanza, hold);
        }
    }
}
