//! The database and what is in it.

use super::page::Page;
use crate::core::Core;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

const MICROS_PER_SECOND: f64 = 1e6;

pub(super) async fn write(page: &mut Page, core: &Core) {
    let (stats, history) = (core.storage.stats(), core.storage.history());
    page.gauge("magpie_storage_queue_writes", "Writes that wait for the disk.").is(stats.queue_depth);
    page.gauge("magpie_storage_queue_bytes", "Bytes of these.").is(stats.queue_bytes);
    page.gauge("magpie_storage_commit_age_seconds", "For how long the commit under way has been; 0: there is none.")
        .is(history.under_way_us as f64 / MICROS_PER_SECOND);
    page.counter("magpie_storage_writes_total", "Writes that were committed or have failed.").is(stats.ops);
    page.counter("magpie_storage_failed_batches_total", "Commits that failed.").is(stats.failed_batches);
    page.histogram(
        "magpie_storage_commit_seconds",
        "How long commits took, the disk's part included.",
        &history.commit_us,
        MICROS_PER_SECOND,
    );
    page.histogram("magpie_storage_batch_writes", "How many writes a commit had.", &history.batch_writes, 1.0);
    let file = core.storage.path();
    page.gauge("magpie_storage_bytes", "Size of the database with its log.")
        .is(size(file) + size(&file.with_extension("db-wal")));
    let counters = &core.counters;
    page.counter("magpie_offline_stored_total", "Messages put into the offline store.")
        .is(counters.offline_stored.load(Relaxed));
    page.counter("magpie_archive_failures_total", "Messages that could not be archived.")
        .is(counters.archive_failed.load(Relaxed));
    // What cannot be read is left out: a figure that is wrong is worse.
    if let Ok(messages) = core.storage.offline_count_all().await {
        page.gauge("magpie_offline_messages", "Messages waiting for people who are away.").is(messages);
    }
    if let Ok(accounts) = core.storage.account_count(None).await {
        page.gauge("magpie_accounts", "Accounts that exist.").is(accounts);
    }
    if let Ok(total) = core.storage.upload_total().await {
        page.gauge("magpie_upload_files", "Files that are kept.").is(total.files);
        page.gauge("magpie_upload_bytes", "Bytes of these.").is(total.bytes);
    }
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |data| data.len())
}
