//! Whom the service keeps out, by order of who operates it: of all its rooms, or, if it is a room, everybody.

use super::exit;
use super::shapes::Notice;
use super::task::{Here, in_room};
use crate::core::Core;
use crate::rooms::is_on;
use crate::router::bounce::refused;
use crate::storage::{self, RoomBlock};
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::error::{Condition, StanzaError};

/// The list of a service.
async fn list(core: &Core, service: &str) -> Result<Arc<BTreeSet<String>>, storage::Error> {
    match core.rooms.blocks.of(service) {
        Some(list) => Ok(list),
        None => read(core, service).await,
    }
}

async fn read(core: &Core, service: &str) -> Result<Arc<BTreeSet<String>>, storage::Error> {
    let rows = core.storage.room_blocks(service).await?;
    Ok(core.rooms.blocks.set(service, rows.into_iter().map(|block| block.jid).collect()))
}

/// May this user have to do with this service?
///
/// # Errors
/// The refusal.
pub(super) async fn check_service(core: &Core, service: &str, user: &BareJid) -> Result<(), StanzaError> {
    let list = list(core, service).await.map_err(refused("rooms"))?;
    if is_on(&list, user) {
        return Err(StanzaError::new(Condition::Forbidden).with_text("This service is closed for you."));
    }
    Ok(())
}

/// May this user have to do with this room, as far as the service is concerned?
///
/// # Errors
/// The refusal.
pub async fn check(core: &Core, room: &BareJid, user: &BareJid) -> Result<(), StanzaError> {
    check_service(core, room.domain(), user).await?;
    let list = list(core, room.domain()).await.map_err(refused("rooms"))?;
    if list.contains(room.as_str()) {
        return Err(StanzaError::new(Condition::Forbidden).with_text("This room is closed."));
    }
    Ok(())
}

/// Keeps somebody out from now on, who is put out of all rooms of the service; or closes a room.
///
/// # Errors
/// The database cannot be written.
pub async fn keep_out(core: &Arc<Core>, service: &str, block: RoomBlock) -> Result<(), storage::Error> {
    let jid = block.jid.clone();
    let reason = block.reason.clone();
    core.storage.room_block(service, block).await?;
    read(core, service).await?;
    tracing::info!(service, jid, reason, "kept out of the rooms of a service");
    let Ok(jid) = Jid::parse(&jid) else { return Ok(()) };
    for room in core.rooms.all().into_iter().filter(|room| room.jid.domain() == service) {
        let (jid, reason) = (jid.clone(), reason.clone());
        let put_out = in_room(core, &room.jid, move |here| Box::pin(put_out(here, jid, reason)));
        // Without a room there is nobody in it.
        drop(put_out.await);
    }
    Ok(())
}

async fn put_out(mut here: Here<'_>, jid: Jid, reason: Option<String>) -> Result<(), StanzaError> {
    let notice = Notice { reason, ..Notice::codes([307]) };
    if here.room.jid.as_jid() == &jid {
        exit::end(&mut here, &notice).await;
        return Ok(());
    }
    for slot in here.state.occupants.of_user(&jid) {
        exit::remove(&mut here, slot, &notice).await;
    }
    Ok(())
}

/// Lets it in again; `false` if it was not kept out.
///
/// # Errors
/// The database cannot be written.
pub async fn let_in(core: &Arc<Core>, service: &str, jid: &str) -> Result<bool, storage::Error> {
    let was = core.storage.room_unblock(service, jid).await?;
    read(core, service).await?;
    if was {
        tracing::info!(service, jid, "let into the rooms of a service again");
    }
    Ok(was)
}

/// The names of the rooms of a service that are closed: no list shows them.
pub(super) async fn closed(core: &Core, service: &str) -> Result<BTreeSet<String>, StanzaError> {
    let list = list(core, service).await.map_err(refused("rooms"))?;
    let room = |jid: &String| jid.split_once('@').filter(|(_, at)| *at == service).map(|(name, _)| name.to_owned());
    Ok(list.iter().filter_map(room).collect())
}
