//! Archives (XEP-0313): how much there is, what it says (for a user who wants it), and its removal.

use super::protocol::{ArchiveRow, ArchivedRow, Failure, OfArchive, Reply};
use super::{local, moment, no_account};
use crate::clock;
use crate::core::Core;
use crate::storage::{AccountId, ArchiveQuery, PageFrom};
use std::sync::Arc;

/// Messages, and their bytes, in one piece of an export.
const EXPORT_ROWS: u32 = 500;
const EXPORT_BYTES: u64 = 1 << 20;

async fn find(core: &Arc<Core>, jid: &str) -> Result<(String, AccountId), Failure> {
    let jid = local(core, jid)?;
    core.storage.barrier().await?;
    let id = core.storage.account(jid.as_str()).await?.ok_or_else(|| no_account(&jid))?.account.id;
    Ok((jid.to_string(), id))
}

pub(super) async fn show(core: &Arc<Core>, asked: &OfArchive) -> Result<Reply, Failure> {
    let (jid, id) = find(core, &asked.jid).await?;
    let messages = core.storage.archive_count(id, &ArchiveQuery::default(), u32::MAX).await?;
    let (first, last) = core.storage.archive_bounds(id).await?.unzip();
    Ok(Reply::Archive(ArchiveRow { jid, messages, first: first.map(moment), last: last.map(moment) }))
}

pub(super) async fn export(core: &Arc<Core>, asked: &OfArchive) -> Result<Reply, Failure> {
    let (_, id) = find(core, &asked.jid).await?;
    let query = ArchiveQuery { after: asked.after, ..ArchiveQuery::default() };
    let page = core.storage.archive_page(id, &query, PageFrom::Oldest, EXPORT_ROWS, EXPORT_BYTES).await?;
    let row = |m: crate::storage::ArchivedMessage| ArchivedRow { id: m.id, stamp: moment(m.id), stanza: m.stanza };
    Ok(Reply::Archived { messages: page.messages.into_iter().map(row).collect(), more: page.more })
}

pub(super) async fn purge(core: &Arc<Core>, asked: &OfArchive) -> Result<Reply, Failure> {
    let (_, id) = find(core, &asked.jid).await?;
    let before = |days: u32| clock::now_micros() - i64::from(days) * MICROS_PER_DAY;
    let before_us = before(asked.older_than_days.unwrap_or(0));
    Ok(Reply::ArchivePurged { messages: core.storage.archive_purge(id, before_us).await? })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
