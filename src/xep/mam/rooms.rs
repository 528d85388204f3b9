//! The archives of rooms (XEP-0313 §3.3.2, §6.1.2): who may read them, and who may know whose the messages are.

use super::answer::{self, Source};
use super::query::{self as asked, Query};
use crate::core::Core;
use crate::extension::{Addressee, Answer, Declare, IqCall};
use crate::rooms::{Affiliation, Role, RoomState};
use crate::storage::RoomId;
use crate::xep::muc::{self, task};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};

/// What a room that is archived says in service discovery.
pub const FEATURES: [&str; 4] = [ns::MAM, ns::MAM_EXTENDED, ns::FULLTEXT, ns::RSM];

pub(super) fn declare(d: &mut Declare<'_>) {
    let room = Addressee::Within(muc::SERVICE);
    d.iq(room, IqType::Get, ("query", ns::MAM), form).iq(room, IqType::Set, ("query", ns::MAM), query).iq(
        room,
        IqType::Get,
        ("metadata", ns::MAM),
        metadata,
    );
}

/// The key of an archive in which messages of the room are kept, if they are.
pub fn archive_of(state: &RoomState) -> Option<RoomId> {
    state.id.filter(|_| state.config.archive && state.config.persistent)
}

/// May somebody read what is said in a room, by a session of this full JID? The answer is from which message on the real
/// addresses of authors may be known as well.
fn may_read(state: &RoomState, bare: &BareJid, full: &Jid) -> Result<Option<i64>, StanzaError> {
    let role = state.occupants.of_session(full.as_str()).and_then(|slot| state.occupants.at(slot)).map(|o| o.role);
    let affiliation = state.affiliation(bare);
    let may = match affiliation {
        Some(Affiliation::Outcast) => false,
        Some(_) => true,
        // Who may enter, and needs nothing for it that we do not see.
        None => role.is_some() || !(state.config.members_only || state.config.password.is_some() || state.locked),
    };
    if !may {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    if affiliation >= Some(Affiliation::Admin) || role == Some(Role::Moderator) {
        return Ok(Some(i64::MIN));
    }
    // Authors were told who sees their addresses: whoever is in the room, or belongs to it, and not what came before.
    let belongs = role.is_some() || affiliation.is_some();
    let since = state.config.non_anonymous_since_us.unwrap_or(i64::MIN);
    Ok((belongs && state.config.is_non_anonymous()).then_some(since))
}

/// The archive of a room, for somebody who may read it. What was reflected before is in it.
async fn source(core: &Arc<Core>, bare: BareJid, full: Jid, room: &BareJid) -> Result<Source, StanzaError> {
    muc::check_blocked(core, room, &bare).await?;
    let jid = room.clone();
    task::in_room(core, room, move |here| {
        let found = may_read(here.state, &bare, &full).and_then(|authors_from| {
            let owner = archive_of(here.state).ok_or_else(|| StanzaError::new(Condition::ServiceUnavailable))?;
            Ok(Source { owner: owner.into(), jid, authors_from })
        });
        Box::pin(async move { found })
    })
    .await
}

/// §4.1.5.
fn form(call: IqCall<'_>) -> Answer {
    let (core, bare, full, room) = who(&call);
    Answer::later(async move { source(&core, bare, full, &room).await.map(|_| Some(asked::form(false))) })
}

fn who(call: &IqCall<'_>) -> (Arc<Core>, BareJid, Jid, BareJid) {
    let client = call.client;
    (call.core.clone(), client.account.jid.clone(), client.jid().as_jid().clone(), call.to.bare())
}

/// §4.
fn query(call: IqCall<'_>) -> Answer {
    let mut query = match Query::read(&call.payload, call.core.storage.archive_ids()) {
        Ok(query) => query,
        Err(error) => return Answer::error(error),
    };
    let (core, bare, full, room) = who(&call);
    let client = call.client.clone();
    Answer::later(async move {
        client.resource.outbox.room().await;
        let source = source(&core, bare, full, &room).await?;
        if let Some(peer) = query.filter.peer.as_deref() {
            let from = with(&source, peer)?;
            query.filter.after = query.filter.after.max(from.saturating_sub(1));
        }
        answer::answer(&core, &client, &source, query).await
    })
}

/// §4.1.1: only for those who may know the authors, by their real addresses; from which message on.
fn with(source: &Source, peer: &str) -> Result<i64, StanzaError> {
    if peer == source.jid.as_str() {
        let text = "messages are found by the real addresses of their authors";
        return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text(text));
    }
    source.authors_from.ok_or(StanzaError::new(Condition::Forbidden))
}

/// §5.
fn metadata(call: IqCall<'_>) -> Answer {
    let (core, bare, full, room) = who(&call);
    Answer::later(async move {
        let source = source(&core, bare, full, &room).await?;
        answer::ends(&core, source.owner).await.map(Some)
    })
}
