//! What is left on disk: after a kill, in the journal, in backups.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use super::*;

/// A copy of a data directory as the kernel has it right now: what a killed process leaves.
fn as_if_killed(options: &StorageOptions) -> (TemporaryDir, StorageOptions) {
    let (dir, copy) = scratch();
    for entry in fs::read_dir(options.path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.0.join(entry.file_name())).unwrap();
    }
    (dir, copy)
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    for index in 0..20 {
        store(&storage, message(romeo, &index.to_string())).await.unwrap();
    }
    let (_other, copy) = as_if_killed(&options);
    let reopened = Storage::open(copy).await.unwrap();
    assert_eq!(texts(&reopened, romeo).await, (0..20).map(|index| index.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn handed_out_messages_stay_handed_out_after_a_kill() {
    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    for text in ["one", "two", "three"] {
        store(&storage, message(romeo, text)).await.unwrap();
    }
    let page = storage.offline_page(romeo, 0, 2, u64::MAX).await.unwrap();
    storage.handed_out(romeo, page[1].id);
    // Nothing was awaited since: the deletion is not committed, only the journal knows.
    let (_other, copy) = as_if_killed(&options);
    let mut torn = OpenOptions::new().append(true).open(journal(&copy)).unwrap();
    torn.write_all(&romeo.0.to_le_bytes()).unwrap();
    let reopened = Storage::open(copy.clone()).await.unwrap();
    assert_eq!(texts(&reopened, romeo).await, ["three"]);
    assert_eq!(fs::metadata(journal(&copy)).unwrap().len(), 0);

    // Here, the session's own next read does not see them either, and then they are gone.
    assert_eq!(texts(&storage, romeo).await, ["three"]);
    storage.barrier().await.unwrap();
    assert_eq!(storage.offline_count(romeo).await.unwrap().count, 1);
}

#[tokio::test]
async fn a_journal_of_another_database_does_no_harm() {
    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    store(&storage, message(romeo, "kept")).await.unwrap();
    storage.close().await.unwrap();
    let record = [romeo.0.to_le_bytes(), 5000_i64.to_le_bytes()].concat();
    fs::write(journal(&options), record).unwrap();
    let storage = Storage::open(options).await.unwrap();
    assert_eq!(texts(&storage, romeo).await, ["kept"]);
}

#[test]
fn the_journal_stays_small_and_complete() {
    let (dir, options) = scratch();
    let path = dir.0.join(JOURNAL_FILE);
    let handout = Handout::open(path.clone(), 0).unwrap();
    let size = || fs::metadata(&path).unwrap().len();
    let delete = |account, upto_id| Delete { account: AccountId(account), upto_id };

    // Account 1 is always owed, so the journal is never empty and has to be compacted.
    for round in 1..=10_000 {
        handout.append(delete(1, round * 2));
        handout.append(delete(2, round * 2 + 1));
        handout.settled([delete(2, round * 2 + 1)].into_iter());
    }
    assert!(size() <= 66 << 10, "{}", size());
    let mut left = Handout::read(&path).unwrap();
    left.sort_by_key(|delete| delete.account);
    assert_eq!(left[0], delete(1, 20_000));

    // An older deletion of an account does not settle a newer one.
    handout.settled([delete(1, 19_999)].into_iter());
    assert_eq!(handout.hidden_upto(AccountId(1)), 20_000);
    handout.settled([delete(1, 20_000)].into_iter());
    handout.truncate();
    assert_eq!(size(), 0);
    handout.append(delete(3, 1));
    assert_eq!(Handout::read(&path).unwrap(), [delete(3, 1)]);
    assert_eq!(Handout::read(&options.path).unwrap(), [], "none is an empty one");
}

#[tokio::test]
async fn files_are_private() {
    let (dir, mut options) = scratch();
    options.path = dir.0.join("deeper/magpie.db");
    let storage = Storage::open(options.clone()).await.unwrap();
    storage.meta_set("key", vec![1]).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(options.path.parent().unwrap()), 0o700);
    for path in [options.path.clone(), sqlite::beside(&options.path, "-wal"), journal(&options)] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let copy = dir.0.join("copy.db");
    storage.backup(&copy).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
}

#[tokio::test]
async fn a_backup_is_made_verified_and_restored() {
    let (dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    store(&storage, message(romeo, "kept")).await.unwrap();
    storage
        .roster_upsert(romeo, RosterRow { contact: "juliet@capulet.example".into(), ..Default::default() }, 1)
        .await
        .unwrap();

    let copy = dir.0.join("copy.db");
    let report = storage.backup(&copy).await.unwrap();
    assert_eq!((report.accounts, report.roster_items, report.offline_messages), (1, 1, 1));
    assert_eq!(backup::verify(&copy).await.unwrap(), report);
    assert!(matches!(storage.backup(&copy).await, Err(Error::Conflict)));

    store(&storage, message(romeo, "after the backup")).await.unwrap();
    // Not closed properly: the log of the old database must not leak into the restored one, nor its journal.
    storage.handed_out(romeo, 2);
    let (other, options) = as_if_killed(&options);
    let lock = DirLock::acquire(&other.0).unwrap();
    backup::restore(&copy, &lock).await.unwrap();
    let restored = Storage::open(options.clone()).await.unwrap();
    assert_eq!(texts(&restored, romeo).await, ["kept"]);
    let old = StorageOptions { path: sqlite::beside(&options.path, ".before-restore"), ..options };
    let old = Storage::open(old).await.unwrap();
    assert_eq!(texts(&old, romeo).await, ["kept", "after the backup"]);
}

#[tokio::test]
async fn an_interrupted_restore_is_finished_at_the_next_start() {
    let (dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    account(&storage, "romeo@montague.example").await;
    storage.backup(&sqlite::beside(&options.path, ".restoring")).await.unwrap();
    account(&storage, "later@montague.example").await;
    storage.close().await.unwrap();
    let storage = Storage::open(options).await.unwrap();
    assert_eq!(storage.account_count(None).await.unwrap(), 1);
    drop(dir);
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let (dir, options) = scratch();
    let path = dir.0.join("file");
    for content in [
        &b"not a database at all, only words, but enough of them to fill a header of one hundred bytes, I hope"[..],
        b"",
    ] {
        fs::write(&path, content).unwrap();
        assert!(matches!(backup::verify(&path).await, Err(Error::Invalid(_))), "{content:?}");
    }
    assert!(matches!(backup::verify(&dir.0.join("none")).await, Err(Error::Io(_))));

    // Damaged in the middle.
    let storage = Storage::open(options.clone()).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    store(&storage, message(romeo, &"x".repeat(100_000))).await.unwrap();
    let copy = dir.0.join("copy.db");
    storage.backup(&copy).await.unwrap();
    let mut content = fs::read(&copy).unwrap();
    for byte in &mut content[8192..16384] {
        *byte = 0xff;
    }
    fs::write(&copy, content).unwrap();
    assert!(matches!(backup::verify(&copy).await, Err(Error::Invalid(_))));

    // Of a newer version.
    storage
        .write(0, |connection| {
            Box::pin(async move {
                let sql = "INSERT INTO _sqlx_migrations VALUES (99, 'future', CURRENT_TIMESTAMP, 1, x'00', 0)";
                sqlx::query(sql).execute(connection).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let newer = dir.0.join("newer.db");
    assert!(matches!(storage.backup(&newer).await, Err(Error::Schema(_))));
    assert!(!newer.exists() && !sqlite::beside(&newer, ".partial").exists());
    storage.close().await.unwrap();
    assert!(matches!(Storage::open(options).await, Err(Error::Schema(_))));
}

#[test]
fn a_data_directory_has_one_owner() {
    let (dir, _) = scratch();
    let deeper = dir.0.join("data");
    let lock = DirLock::acquire(&deeper).unwrap();
    let Err(LockError::Held { pid }) = DirLock::acquire(&deeper) else { panic!("it is held") };
    assert_eq!(pid, Some(std::process::id()));
    drop(lock);
    assert_eq!(DirLock::acquire(&deeper).unwrap().dir(), deeper);
}
