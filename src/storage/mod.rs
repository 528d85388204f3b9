//! What must survive: accounts, rosters, offline messages and the small things, in one SQLite database.
//!
//! *Writes* are enqueued without waiting and take effect in that order; the [`Commit`] they return is ready after the
//! fsync, and only then may anything be acknowledged. There is one writer ([`writer`]). *Reads* run on connections of
//! their own, go on while the disk is slow, and see what is committed. Where a read must see the caller's own writes,
//! await [`Storage::barrier`] first.
//!
//! One concern per file: its rows, its reads, its writes, its SQL.

mod accounts;
mod archive;
mod archive_ids;
mod archive_owner;
mod archive_places;
mod archive_search;
mod archive_sql;
pub mod backup;
mod batch;
mod blocking;
mod commit;
mod devices;
mod error;
mod handout;
mod history;
mod invites;
mod keys_version;
mod lock;
mod meta;
mod offline;
mod private;
mod pubsub;
mod pubsub_items;
mod push;
mod readers;
mod room_activity;
mod room_hats;
mod rooms;
mod rooms_list;
mod roster;
mod session_mark;
mod sqlite;
mod uploads;
mod vcard;
mod writer;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::Duration,
};

use sqlx::{Connection, SqliteConnection};

use crate::journal::Journal;

pub use self::{
    accounts::{AccountRecord, AccountRow, Credential, InvitedContact, NewInvited, ScramHash},
    archive::{ArchivePage, ArchiveQuery, ArchiveRow, ArchivedMessage, PageFrom},
    archive_ids::{ArchiveId, ArchiveIds},
    archive_owner::{ArchiveOwner, ArchiveShelf},
    archive_search::Unindexed,
    commit::{Commit, Done},
    devices::{DeviceRow, DeviceSeen, DeviceTokens, FastToken, FastUse, Revoked, Witness},
    error::Error,
    history::WriterHistory,
    invites::{Invite, InviteKind, NewInvite, Person},
    lock::{DirLock, LockError},
    offline::{OfflineInfo, OfflineMessage, OfflineRow, OfflineTotal, OfflineUsage},
    private::PrivateUsage,
    pubsub::{NewNode, NodeRow, NodeSummary, SeenNode, SubscriptionRow},
    pubsub_items::{Item, ItemPage, ItemQuery, LastItem, Room, Stored},
    push::PushRow,
    room_hats::{RoomHat, RoomHats},
    rooms::{NewRoom, RoomAffiliation, RoomArchiveRow, RoomCreated, RoomFound, RoomId, RoomListed, RoomRow},
    rooms_list::{RoomBlock, RoomGone, RoomSummary, RoomsFor},
    roster::RosterRow,
    session_mark::SessionMark,
    uploads::{NewSlot, NewUpload, Upload, UploadQuota, UploadUsage},
    vcard::Vcard,
    writer::WriterStats,
};
use self::{
    archive_places::{ChatsGone, Places},
    batch::{BoxFuture, Delete, Op, Work},
    handout::Handout,
    keys_version::KeysVersion,
    readers::{Reader, Readers},
    writer::Queue,
};

/// The name of the database in the data directory.
const DATABASE_FILE: &str = "magpie.db";
/// The name of the journal beside it.
const JOURNAL_FILE: &str = "handout.journal";

/// The name of the session journal there.
const SESSIONS_FILE: &str = "sessions.journal";

/// Of the writer's queue: from here on senders are slowed down, and from there on refused.
const PRESSED_PERCENT: usize = 25;
const NEARLY_FULL_PERCENT: usize = 80;

/// An account of this server. Never given to another one, not even after its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// Where the database is, and its limits.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// The database file; the hand-out journal lies beside it.
    pub path: PathBuf,
    /// Connections for reading, opened when needed.
    pub readers: usize,
    /// Writes that may wait; more are answered [`Error::Busy`].
    pub queue_max: usize,
    /// Bytes these may hold.
    pub queue_bytes_max: usize,
    /// Writes in one transaction.
    pub batch_max: usize,
    /// Size of the database; beyond it writes fail with [`Error::Full`].
    pub size_bytes_max: Option<u64>,
    /// Memory each connection may use to cache pages, in KiB.
    pub cache_kib: usize,
    /// Size at which the hand-out journal is compacted.
    pub journal_bytes_max: u64,
    /// How long handed-out messages may stay in the database, hidden, for their removals to be committed together.
    pub handed_out_delay: Duration,
}

impl StorageOptions {
    /// The usual files in a data directory, the usual limits.
    pub fn in_dir(dir: impl AsRef<Path>) -> Self {
        Self {
            path: dir.as_ref().join(DATABASE_FILE),
            readers: 3,
            queue_max: 16_384,
            queue_bytes_max: 64 << 20,
            batch_max: 512,
            size_bytes_max: None,
            cache_kib: 1024,
            journal_bytes_max: 1 << 20,
            handed_out_delay: Duration::from_millis(500),
        }
    }
}

/// The database. Clones are the same one.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    path: PathBuf,
    queue: Queue,
    readers: Readers,
    handout: Arc<Handout>,
    sessions: Arc<OnceLock<Arc<Journal>>>,
    archive_clock: AtomicI64,
    archive_ids: ArchiveIds,
    chats_gone: ChatsGone,
    keys_version: KeysVersion,
    _temporary: Option<TemporaryDir>,
}

impl Storage {
    /// Opens the database, makes it when there is none, brings its schema up to date and settles what an earlier
    /// process handed out last.
    ///
    /// # Errors
    /// The files cannot be made or read, or the database is not one of ours or of a newer version.
    pub async fn open(options: StorageOptions) -> Result<Self, Error> {
        Self::open_in(options, None).await
    }

    /// An empty database in a directory of its own, removed together with the last clone: for tests and measurements.
    ///
    /// # Errors
    /// As for [`Storage::open`].
    pub async fn temporary() -> Result<Self, Error> {
        let dir = TemporaryDir::new()?;
        Self::open_in(StorageOptions::in_dir(&dir.0), Some(dir)).await
    }

    async fn open_in(options: StorageOptions, temporary: Option<TemporaryDir>) -> Result<Self, Error> {
        let journal = options.path.with_file_name(JOURNAL_FILE);
        backup::finish_restore(&options.path)?;
        sqlite::prepare_file(&options.path)?;
        let mut connection = sqlite::open_writer(&options).await?;
        sqlite::migrations().run(&mut connection).await?;
        replay(&mut connection, &journal).await?;
        let archive_clock = AtomicI64::new(archive_sql::last_id(&mut connection).await?);
        let archive_ids = ArchiveIds::open(&mut connection).await?;
        let handout = Arc::new(Handout::open(journal, options.journal_bytes_max)?);
        let readers = Readers::new(sqlite::reader_options(&options), options.readers);
        let path = options.path.clone();
        let chats_gone = ChatsGone::default();
        let places = Places::new(chats_gone.clone());
        let sessions = Arc::default();
        let queue = Queue::start(options, connection, Arc::clone(&handout), places, Arc::clone(&sessions));
        let inner = Inner {
            path,
            queue,
            readers,
            handout,
            sessions,
            archive_clock,
            archive_ids,
            chats_gone,
            keys_version: KeysVersion::default(),
            _temporary: temporary,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Ready when every write enqueued before is committed or has failed. Fails only when closed, and costs nothing when
    /// nothing waits.
    pub fn barrier(&self) -> Commit<()> {
        let (answer, commit) = Commit::pair();
        self.0.queue.submit(Op::Barrier(answer));
        commit
    }

    /// Writes what is queued, refuses anything later, folds the log into the database and closes it.
    ///
    /// # Errors
    /// It was closed before.
    pub async fn close(&self) -> Result<(), Error> {
        let (answer, commit) = Commit::pair();
        // The last connection to close empties the log; that shall be the writer's.
        self.0.readers.close().await;
        self.0.queue.submit(Op::Close(answer));
        commit.await
    }

    /// Does so much wait for the disk that whoever brings more should wait as well ([`Storage::barrier`])?
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.0.queue.is_filled(PRESSED_PERCENT)
    }

    /// Does so much wait that nothing new should be begun, so that what has begun still finds room?
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.0.queue.is_filled(NEARLY_FULL_PERCENT)
    }

    /// How the writer is doing.
    #[must_use]
    pub fn stats(&self) -> WriterStats {
        self.0.queue.stats()
    }

    /// How commits have gone since the start.
    #[must_use]
    pub fn history(&self) -> WriterHistory {
        self.0.queue.history()
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Enqueues statements that take effect together or not at all. `bytes`: what `work` holds in memory.
    fn write<T, F>(&self, bytes: usize, work: F) -> Commit<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        let (answer, commit) = Commit::pair();
        self.0.queue.submit(Op::Task(Box::new(Work::new(bytes, work, answer))));
        commit
    }

    /// The same for what decides who may log in. [`keys_version`](Self::keys_version) changes when it is enqueued, and once
    /// more when it is done.
    fn write_keys<T, F>(&self, bytes: usize, work: F) -> Commit<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        let (answer, commit) = Commit::pair();
        let work = Work::new(bytes, work, answer).changing(self.0.keys_version.change());
        self.0.queue.submit(Op::Task(Box::new(work)));
        commit
    }

    /// What was read of keys after this number was asked for is in force as long as the number is the same.
    #[must_use]
    pub fn keys_version(&self) -> u64 {
        self.0.keys_version.current()
    }

    async fn reader(&self) -> Result<Reader<'_>, Error> {
        self.0.readers.get().await
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.0.path).finish()
    }
}

/// Does the deletions the journal of an earlier process asks for.
async fn replay(connection: &mut SqliteConnection, journal: &Path) -> Result<(), Error> {
    /// Ids beyond the last one given out come from another database: such a record would delete what is to come.
    const LAST_ID: &str = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'offline'";

    let mut deletes = Handout::read(journal)?;
    if deletes.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let last_id: i64 = sqlx::query_scalar(LAST_ID).fetch_one(&mut *transaction).await?;
    deletes.retain(|Delete { upto_id, .. }| *upto_id <= last_id);
    batch::delete(&mut transaction, &deletes).await?;
    transaction.commit().await?;
    tracing::info!(accounts = deletes.len(), "settled the offline messages handed out before the last stop");
    Ok(())
}

/// A directory that goes away with its owner.
struct TemporaryDir(PathBuf);

impl TemporaryDir {
    fn new() -> Result<Self, Error> {
        let random = getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))?;
        let dir = std::env::temp_dir().join(format!("magpie-{}-{random:016x}", std::process::id()));
        fs::create_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // Left behind in the worst case; there is nobody to tell.
        drop(fs::remove_dir_all(&self.0));
    }
}
