//! What clients have been given and the database does not know yet.
//!
//! A client without acknowledgements has an offline message once it was written to the socket. A `kill -9` between that
//! write and the commit of the deletion would deliver it again, so the fact is first appended to a small journal: one
//! `write(2)` into the page cache, which outlives the process. No fsync: after a power failure twice beats never.
//! At the next start the journal's deletions are done first. This done, the deletion itself is in no hurry: reads skip
//! what is owed, and the writer removes it for many accounts at once.
//!
//! Record: account id, then the last message id, both 64 bits little-endian.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{AccountId, batch::Delete, sqlite};

const RECORD_BYTES: usize = 16;
/// Deletions for so many accounts do not wait for more.
pub(super) const FLUSH_ACCOUNTS: usize = 256;
/// Below this the journal is not worth a truncation.
const TRUNCATE_BYTES_MIN: u64 = 64 << 10;

/// The journal, and the deletions not committed yet.
pub(super) struct Handout {
    journal: Mutex<Journal>,
    /// Per account the last id that is gone for its owner. Locked after `journal`, if both; never held over I/O except
    /// in a compaction.
    owed: Mutex<HashMap<AccountId, i64>>,
}

struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Compacted above this.
    bytes_max: u64,
    limit: u64,
    failing: bool,
}

impl Handout {
    /// Opens the journal for appending; its content must have been dealt with.
    pub(super) fn open(path: PathBuf, limit: u64) -> io::Result<Self> {
        let file = open_append(&path)?;
        file.set_len(0)?;
        let limit = limit.max(TRUNCATE_BYTES_MIN);
        let journal = Journal { path, file, bytes: 0, bytes_max: limit, limit, failing: false };
        Ok(Self { journal: Mutex::new(journal), owed: Mutex::default() })
    }

    /// The deletions a journal asks for: the furthest of each account. A torn last record is ignored.
    pub(super) fn read(path: &Path) -> io::Result<Vec<Delete>> {
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            content => content?,
        };
        let (records, _torn) = content.as_chunks::<RECORD_BYTES>();
        let mut furthest: HashMap<AccountId, i64> = HashMap::new();
        for record in records {
            let (account, upto) = record.split_at(RECORD_BYTES / 2);
            let upto = i64::from_le_bytes(upto.try_into().expect("half a record"));
            let account = AccountId(i64::from_le_bytes(account.try_into().expect("half a record")));
            let entry = furthest.entry(account).or_insert(upto);
            *entry = upto.max(*entry);
        }
        Ok(furthest.into_iter().map(|(account, upto_id)| Delete { account, upto_id }).collect())
    }

    /// Notes a hand-out that must survive the end of the process. `true`: the writer has to be told.
    pub(super) fn append(&self, delete: Delete) -> bool {
        let mut journal = lock(&self.journal);
        journal.append(delete);
        // Under the lock of the journal: a truncation must not come between.
        let (before, after) = self.owe(delete);
        if journal.bytes > journal.bytes_max {
            let owed = lock(&self.owed);
            journal.compact(&owed);
        }
        // The first starts the clock, the last makes a batch worth its commit.
        before != after && (after == 1 || after == FLUSH_ACCOUNTS)
    }

    /// Hides the messages from now on, before the deletion is committed; the number of accounts owed to, before and
    /// after.
    pub(super) fn owe(&self, delete: Delete) -> (usize, usize) {
        let mut owed = lock(&self.owed);
        let before = owed.len();
        let upto = owed.entry(delete.account).or_insert(delete.upto_id);
        *upto = delete.upto_id.max(*upto);
        (before, owed.len())
    }

    /// How many accounts are owed a deletion.
    pub(super) fn len(&self) -> usize {
        lock(&self.owed).len()
    }

    /// The last id of an account that is already gone for its owner, if the deletion is still on its way.
    pub(super) fn hidden_upto(&self, account: AccountId) -> i64 {
        lock(&self.owed).get(&account).copied().unwrap_or(0)
    }

    /// These are committed.
    pub(super) fn settled(&self, deletes: impl Iterator<Item = Delete>) {
        let mut deletes = deletes.peekable();
        if deletes.peek().is_none() {
            return;
        }
        let done = {
            let mut owed = lock(&self.owed);
            for delete in deletes {
                if owed.get(&delete.account).is_some_and(|&upto| upto <= delete.upto_id) {
                    owed.remove(&delete.account);
                }
            }
            owed.is_empty()
        };
        if done {
            self.truncate_above(TRUNCATE_BYTES_MIN);
        }
    }

    /// Everything owed.
    pub(super) fn owed(&self) -> Vec<Delete> {
        lock(&self.owed).iter().map(|(&account, &upto_id)| Delete { account, upto_id }).collect()
    }

    /// Empties the journal if nothing is owed.
    pub(super) fn truncate(&self) {
        self.truncate_above(0);
    }

    fn truncate_above(&self, bytes: u64) {
        let mut journal = lock(&self.journal);
        if journal.bytes > bytes && lock(&self.owed).is_empty() {
            let result = journal.file.set_len(0).map(|()| journal.bytes = 0);
            journal.check(result);
        }
    }
}

impl Journal {
    fn append(&mut self, delete: Delete) {
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&delete.account.0.to_le_bytes());
        record[8..].copy_from_slice(&delete.upto_id.to_le_bytes());
        let result = match self.file.write(&record) {
            Ok(RECORD_BYTES) => {
                self.bytes += RECORD_BYTES as u64;
                Ok(())
            }
            // A part of a record would put all later ones out of step.
            Ok(_) => self.file.set_len(self.bytes).and(Err(io::ErrorKind::StorageFull.into())),
            Err(error) => Err(error),
        };
        self.check(result);
    }

    /// Under lasting load some deletion is always on its way; then the journal is replaced by one of these alone.
    fn compact(&mut self, owed: &HashMap<AccountId, i64>) {
        let path = sqlite::beside(&self.path, ".new");
        let result = (|| {
            let mut content = Vec::with_capacity(owed.len() * RECORD_BYTES);
            for (account, upto) in owed {
                content.extend_from_slice(&account.0.to_le_bytes());
                content.extend_from_slice(&upto.to_le_bytes());
            }
            let mut file = open_append(&path)?;
            file.set_len(0)?;
            file.write_all(&content)?;
            fs::rename(&path, &self.path)?;
            self.file = file;
            self.bytes = content.len() as u64;
            Ok(())
        })();
        // Not again at the next record, whether it failed or there simply is that much to keep.
        self.bytes_max = self.limit.max(self.bytes * 2);
        self.check(result);
    }

    /// A journal that cannot be written costs duplicates after a crash, no more: it is reported, once.
    fn check(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, path = %self.path.display(), "the hand-out journal cannot be written");
            }
            Err(_) => {}
        }
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// None of the guarded sections can leave its data half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
