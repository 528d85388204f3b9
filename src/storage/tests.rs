//! The storage as a whole, on real files.

mod archive_tests;
mod data;
mod devices_tests;
mod files;
mod invite_tests;
mod pubsub_tests;
mod rooms_tests;
mod writing;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::*;

/// A data directory of its own.
pub(super) fn scratch() -> (TemporaryDir, StorageOptions) {
    let dir = TemporaryDir::new().expect("a temporary directory");
    let options = StorageOptions::in_dir(&dir.0);
    (dir, options)
}

async fn account(storage: &Storage, jid: &str) -> AccountId {
    storage.account_create(jid, 1, Vec::new()).await.unwrap()
}

fn message(account: AccountId, text: &str) -> OfflineRow {
    OfflineRow { account, stamp_us: 7, expires_us: None, stanza: Arc::from(text) }
}

/// Stores and waits for the commit.
async fn store(storage: &Storage, row: OfflineRow) -> Result<(), Error> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    storage.offline_store(row, Box::new(move |result| drop(sender.send(result))));
    receiver.await.expect("the callback is always called")
}

async fn texts(storage: &Storage, account: AccountId) -> Vec<String> {
    let page = storage.offline_page(account, 0, 1000, u64::MAX).await.unwrap();
    page.into_iter().map(|message| message.stanza).collect()
}

/// Collects outcomes in the order in which they are announced.
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<Vec<Outcome>>>);

type Outcome = (usize, Result<(), Error>);

impl Outcomes {
    fn note(&self, index: usize) -> Done {
        let outcomes = self.clone();
        Box::new(move |result| outcomes.0.lock().unwrap().push((index, result)))
    }

    fn take(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    use sqlx::{Executor, SqlSafeStr};

    let (_dir, options) = scratch();
    Storage::open(options.clone()).await.unwrap().close().await.unwrap();
    let mut connection = sqlite::open_writer(&options).await.unwrap();
    let files = [
        accounts::STATEMENTS,
        roster::STATEMENTS,
        offline::STATEMENTS,
        private::STATEMENTS,
        vcard::STATEMENTS,
        invites::STATEMENTS,
        meta::STATEMENTS,
        session_mark::STATEMENTS,
        backup::STATEMENTS,
        archive_sql::STATEMENTS,
        rooms::STATEMENTS,
        room_hats::STATEMENTS,
        room_activity::STATEMENTS,
        rooms_list::STATEMENTS,
        pubsub::STATEMENTS,
        pubsub_items::STATEMENTS,
        &pubsub_items::statements(),
        archive_ids::STATEMENTS,
        &archive_places::statements(),
        &archive_search::statements(),
        push::STATEMENTS,
        devices::STATEMENTS,
        blocking::STATEMENTS,
        uploads::STATEMENTS,
    ];
    for sql in files.concat().into_iter().chain(batch::statements()).chain(archive_sql::statements()) {
        if let Err(error) = (&mut connection).prepare(sql.into_sql_str()).await {
            panic!("{error}: {sql}");
        }
    }
}

#[tokio::test]
async fn hot_statements_use_their_indexes() {
    let storage = Storage::temporary().await.unwrap();
    let hot = [
        batch::statements(),
        archive_sql::statements(),
        archive_places::statements(),
        archive_search::statements(),
        archive_sql::STATEMENTS.to_vec(),
        rooms::STATEMENTS.to_vec(),
        room_hats::STATEMENTS.to_vec(),
        vec![offline::STATEMENTS[0], accounts::STATEMENTS[0], roster::STATEMENTS[0], devices::STATEMENTS[0]],
    ];
    for sql in hot.concat() {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&mut *storage.reader().await.unwrap()).await.unwrap();
        for (.., step) in rows {
            let scans = step.strip_prefix("SCAN ").is_some_and(|rest| {
                let table = rest.split(' ').next().unwrap_or_default();
                let tables = [
                    "offline",
                    "o",
                    "accounts",
                    "a",
                    "roster",
                    "credentials",
                    "archive",
                    "archive_chats",
                    "room_archive",
                    "room_archive_chats",
                    "rooms",
                    "room_affiliations",
                    "room_hats",
                    "room_hats_worn",
                    "r",
                    "c",
                    "m",
                    "push",
                    "d",
                    "t",
                ];
                tables.contains(&table)
            });
            assert!(!scans, "{step}: {sql}");
        }
    }
}

#[test]
fn a_multi_row_statement_is_chosen_by_size() {
    let chosen = |rows| sqlite::ROWS[sqlite::fitting(rows)];
    assert_eq!([1, 7, 8, 63, 64, 255, 256, 1000].map(chosen), [1, 1, 8, 8, 64, 64, 256, 256]);
    let [.., eight, one] = sqlite::many_rows("X VALUES", 2, "Y");
    assert_eq!(one, "X VALUES (?,?) Y");
    assert_eq!(eight.matches("(?,?)").count(), 8);
}

#[tokio::test]
async fn readers_are_opened_when_needed() {
    let storage = Storage::temporary().await.unwrap();
    assert_eq!(storage.0.readers.idle(), 0);
    storage.account_count(None).await.unwrap();
    assert_eq!(storage.0.readers.idle(), 1);
}

/// Where a database of `options` keeps its journal.
fn journal(options: &StorageOptions) -> PathBuf {
    options.path.with_file_name(JOURNAL_FILE)
}
