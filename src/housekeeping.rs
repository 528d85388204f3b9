//! What a running server does from time to time: forgets accounts nobody uses, deletes expired messages, looks at its
//! certificates.

use crate::clock;
use crate::core::Core;
use crate::net::tls::CertStore;
use crate::ops::invitations::REMEMBERED_US;
use crate::storage::ArchiveShelf;
use crate::uploads;
use crate::xep::{bookmarks, offline};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often there is a turn.
const TURN: Duration = Duration::from_secs(30);
/// An account nobody has used for so long leaves memory.
const ACCOUNT_IDLE_SECONDS: u32 = 300;
/// Expired messages are looked for in every so many turns.
const EXPIRE_TURNS: u64 = 20;
/// Certificates are looked at in every so many turns.
const CERTIFICATE_TURNS: u64 = 2 * 60 * 12;
/// From so many days before its end on, a certificate is mentioned.
const CERTIFICATE_DAYS: i64 = 14;
/// The wall clock may differ so much from the time that has passed before it is thought to have been set.
const CLOCK_JUMP_US: i64 = 3_600_000_000;

/// Runs until the server stops.
pub async fn run(core: Arc<Core>, certs: Arc<CertStore>, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        () = bookmarks::convert_old_lists(&core) => {}
        _ = stopping.wait_for(|s| *s) => return,
    }
    let mut clock = ClockWatch::new();
    for turn in 0u64.. {
        tokio::select! {
            () = tokio::time::sleep(TURN) => {}
            _ = stopping.wait_for(|s| *s) => return,
        }
        let cached_max = core.config().limits.accounts_cached_max;
        core.accounts.sweep(clock::monotonic_seconds().saturating_sub(ACCOUNT_IDLE_SECONDS), cached_max);
        core.remembered.sweep(clock::monotonic_ms());
        core.rooms.forget_lingering();
        if turn % EXPIRE_TURNS == 0 && !clock.has_jumped() {
            expire(&core).await;
            uploads::sweep(&core).await;
            forget_devices(&core).await;
        }
        if turn % CERTIFICATE_TURNS == 0 {
            mention_old_certificates(&certs);
        }
    }
}

async fn expire(core: &Arc<Core>) {
    expire_archive(core).await;
    match core.storage.pubsub_expire(clock::now_micros()).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "expired items of nodes deleted"),
        Err(error) => tracing::error!(%error, "expired items of nodes not deleted"),
    }
    match core.storage.upload_expire(clock::now_micros()).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "expired uploads deleted"),
        Err(error) => tracing::error!(%error, "expired uploads not deleted"),
    }
    match core.storage.invite_expire(clock::now_micros() - REMEMBERED_US).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "invitations of long ago forgotten"),
        Err(error) => tracing::error!(%error, "old invitations not forgotten"),
    }
    match offline::expire(core, clock::now_micros()).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "expired offline messages deleted"),
        Err(error) => tracing::error!(%error, "expired offline messages not deleted"),
    }
}

/// Tokens of the past, and devices nobody has seen for long.
async fn forget_devices(core: &Core) {
    let now_us = clock::now_micros();
    let before_us = now_us - i64::from(core.config().auth.device_days) * MICROS_PER_DAY;
    match core.storage.devices_expire(now_us - TOKEN_REMEMBERED_US, before_us).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "devices not seen for long forgotten"),
        Err(error) => tracing::error!(%error, "old devices not forgotten"),
    }
}

/// So long a token that has ended is still recognised, and its client told why it does not get in.
const TOKEN_REMEMBERED_US: i64 = 7 * MICROS_PER_DAY;

fn mention_old_certificates(certs: &CertStore) {
    let now_s = clock::now_micros() / 1_000_000;
    for entry in certs.entries() {
        let days = (entry.not_after().as_second() - now_s).div_euclid(86_400);
        if days < CERTIFICATE_DAYS {
            tracing::warn!(file = %entry.chain_path().display(), until = %entry.not_after(), days, "certificate ends soon");
        }
    }
}

/// A clock that was set wrong must not delete anything: expiry waits until it has agreed with itself for a while.
struct ClockWatch {
    wall_us: i64,
    monotonic_ms: u64,
}

impl ClockWatch {
    fn new() -> Self {
        Self { wall_us: clock::now_micros(), monotonic_ms: clock::monotonic_ms() }
    }

    /// Has it been set since the last question?
    fn has_jumped(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        let passed_us = i64::try_from(self.monotonic_ms - before.monotonic_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        let jump_us = self.wall_us.saturating_sub(before.wall_us).saturating_sub(passed_us);
        let jumped = jump_us.abs() > CLOCK_JUMP_US;
        if jumped {
            tracing::warn!(seconds = jump_us / 1_000_000, "the clock was set; expired messages are left alone for now");
        }
        jumped
    }
}

/// What is older than the settings want kept.
async fn expire_archive(core: &Core) {
    let shelves = {
        let config = core.config();
        [(ArchiveShelf::Accounts, config.archive.retention_days), (ArchiveShelf::Rooms, config.rooms.retention_days)]
    };
    for (shelf, days) in shelves.into_iter().filter(|(_, days)| *days > 0) {
        match core.storage.archive_expire(shelf, clock::now_micros() - i64::from(days) * MICROS_PER_DAY).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(?shelf, count, days, "old messages deleted from the archive"),
            Err(error) => tracing::error!(?shelf, %error, "old messages not deleted from the archive"),
        }
    }
    match core.storage.rooms_gone_expire(clock::now_micros()).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "names of destroyed rooms are free again"),
        Err(error) => tracing::error!(%error, "names of destroyed rooms not freed"),
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
