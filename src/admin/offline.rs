//! Messages that wait: how many, never what they say.

use super::protocol::{Failure, OfflineRow, Reply};
use super::{PAGE_ROWS, load, local, moment, no_account};
use crate::clock;
use crate::core::Core;
use crate::storage::OfflineTotal;
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>, after: &str) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let totals = core.storage.offline_totals(after, PAGE_ROWS).await?;
    let more = totals.len() == PAGE_ROWS as usize;
    let row = |OfflineTotal { jid, usage, oldest_us }| OfflineRow {
        jid,
        messages: usage.count,
        bytes: usage.bytes,
        oldest: Some(moment(oldest_us)),
    };
    Ok(Reply::Offline { accounts: totals.into_iter().map(row).collect(), more })
}

pub(super) async fn of_account(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    core.storage.barrier().await?;
    let id = core.storage.account(jid.as_str()).await?.ok_or_else(|| no_account(&jid))?.account.id;
    let usage = core.storage.offline_count(id).await?;
    let oldest = core.storage.offline_list(id, 0, 1).await?.first().map(|message| moment(message.stamp_us));
    let row = OfflineRow { jid: jid.to_string(), messages: usage.count, bytes: usage.bytes, oldest };
    Ok(Reply::Offline { accounts: vec![row], more: false })
}

pub(super) async fn purge(core: &Arc<Core>, jid: &str, older_than_days: Option<u32>) -> Result<Reply, Failure> {
    let account = load(core, jid).await?;
    let id = account.id.ok_or_else(|| no_account(&account.jid))?;
    let before_us = older_than_days.map(|days| clock::now_micros() - i64::from(days) * MICROS_PER_DAY);
    let commit = {
        // Under the lock, like every message that is stored: what comes later is not meant.
        let _state = account.lock();
        core.storage.offline_purge(id, before_us)
    };
    let gone = commit.await?;
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    account.lock().offline.purged(whole(gone.count), whole(gone.bytes));
    Ok(Reply::OfflinePurged { messages: gone.count, bytes: gone.bytes })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
