//! The archive: pages, filters, words, and what is removed.

use super::*;

const PEER: &str = "romeo@montague.example";

fn row(account: AccountId, id: i64, peer: &str, text: &str) -> ArchiveRow {
    ArchiveRow {
        owner: account.into(),
        id,
        peer: peer.into(),
        resource: Some("orchard".into()),
        mark: Storage::archive_mark(Some(text)),
        stanza: format!("<message id='{text}'><body>{text}</body></message>").into(),
        subject: None,
    }
}

async fn archive(storage: &Storage, row: ArchiveRow) -> Result<(), Error> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    storage.archive_store(row, Box::new(move |result| drop(sender.send(result))));
    receiver.await.expect("the callback is always called")
}

/// An account with messages 10, 20 … 100, those of even tens with PEER.
async fn filled() -> (Storage, AccountId) {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, "juliet@capulet.example").await;
    for n in 1..=10 {
        let peer = if n % 2 == 0 { PEER } else { "nurse@capulet.example" };
        storage.archive_store(row(juliet, n * 10, peer, &format!("text{n}")), Box::new(|result| result.unwrap()));
    }
    storage.barrier().await.unwrap();
    (storage, juliet)
}

fn ids(page: &ArchivePage) -> Vec<i64> {
    page.messages.iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn pages_from_both_ends_with_every_filter() {
    let (storage, juliet) = filled().await;
    let all = ArchiveQuery::default();
    let peer = ArchiveQuery { peer: Some(PEER.into()), ..all.clone() };
    let ids_of = |ids: &[i64]| ArchiveQuery { ids: Some(ids.to_vec()), ..all.clone() };
    let rows = [
        (all.clone(), PageFrom::Oldest, 3, vec![10, 20, 30], true),
        (all.clone(), PageFrom::Newest, 3, vec![80, 90, 100], true),
        (ArchiveQuery { after: 30, before: 60, ..all.clone() }, PageFrom::Oldest, 9, vec![40, 50], false),
        (ArchiveQuery { after: 80, ..all.clone() }, PageFrom::Oldest, 2, vec![90, 100], false),
        (ArchiveQuery { before: 30, ..all.clone() }, PageFrom::Newest, 2, vec![10, 20], false),
        (peer.clone(), PageFrom::Oldest, 2, vec![20, 40], true),
        (peer.clone(), PageFrom::Newest, 2, vec![80, 100], true),
        (ArchiveQuery { resource: Some("orchard".into()), ..peer.clone() }, PageFrom::Newest, 1, vec![100], true),
        (ArchiveQuery { resource: Some("home".into()), ..peer.clone() }, PageFrom::Newest, 9, vec![], false),
        (ids_of(&[70, 20]), PageFrom::Oldest, 9, vec![20, 70], false),
        (ArchiveQuery { ids: Some(vec![70, 20]), ..peer }, PageFrom::Newest, 9, vec![20], false),
        (ids_of(&[]), PageFrom::Oldest, 9, vec![], false),
        (all.clone(), PageFrom::Oldest, 0, vec![], true),
    ];
    for (query, from, limit, expected, more) in rows {
        let page = storage.archive_page(juliet, &query, from, limit, u64::MAX).await.unwrap();
        assert_eq!((ids(&page), page.more), (expected, more), "{query:?} {from:?} {limit}");
        let count = storage.archive_count(juliet, &query, 1000).await.unwrap();
        assert!(count >= page.messages.len() as u64, "{query:?}");
    }
    assert_eq!(storage.archive_count(juliet, &all, 4).await.unwrap(), 4);
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((10, 100)));
    assert!(storage.archive_knows(juliet, &[10, 90]).await.unwrap());
    assert!(!storage.archive_knows(juliet, &[10, 91]).await.unwrap());
    let page = storage.archive_page(juliet, &all, PageFrom::Oldest, 1, u64::MAX).await.unwrap();
    assert_eq!(page.messages[0].stanza, "<message id='text1'><body>text1</body></message>");
}

#[tokio::test]
async fn a_page_ends_where_its_bytes_are_used_up() {
    let (storage, juliet) = filled().await;
    let all = ArchiveQuery::default();
    let size = "<message id='text1'><body>text1</body></message>".len() as u64;
    for (bytes, from, expected) in [
        (2 * size, PageFrom::Oldest, vec![10, 20]),
        (2 * size + 1, PageFrom::Newest, vec![90, 100]),
        (1, PageFrom::Oldest, vec![10]),
    ] {
        let page = storage.archive_page(juliet, &all, from, 5, bytes).await.unwrap();
        let first = if from == PageFrom::Newest { vec![100] } else { vec![10] };
        // The newest has a longer text than the others.
        let expected = if from == PageFrom::Newest && bytes < 2 * size + 3 { first } else { expected };
        assert_eq!((ids(&page), page.more), (expected, true), "{bytes} {from:?}");
    }
}

#[tokio::test]
async fn words_are_found_and_forgotten() {
    let (storage, juliet) = filled().await;
    let other = account(&storage, "tybalt@capulet.example").await;
    archive(&storage, row(other, 5, PEER, "text3")).await.unwrap();
    let index = async |limit| {
        let found = storage.archive_unindexed(juliet, limit).await.unwrap();
        let Some(&(_, upto, _)) = found.messages.last() else { return 0 };
        let texts: Vec<_> = found
            .messages
            .iter()
            .map(|(row, _, stanza)| (*row, stanza.len(), stanza.split("<body>").nth(1).unwrap().replace("</", " ")))
            .collect();
        let count = texts.len();
        storage.archive_index(juliet, found.after, upto, texts.clone()).await.unwrap();
        // Somebody who had read the same does nothing.
        storage.archive_index(juliet, found.after, upto, texts).await.unwrap();
        count
    };
    assert_eq!((index(8).await, index(8).await, index(8).await), (8, 2, 0));
    let search = async |text: &str| {
        let words = Storage::archive_words(juliet, text);
        let query = ArchiveQuery { words, ..ArchiveQuery::default() };
        ids(&storage.archive_page(juliet, &query, PageFrom::Oldest, 20, u64::MAX).await.unwrap())
    };
    assert_eq!(search("text3").await, [30]);
    assert_eq!(search("TEXT3").await, [30]);
    assert_eq!(search("body").await, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(search("text3 text4").await, [0; 0]);
    assert_eq!(search("text3\" OR \"text4").await, [0; 0]);
    assert_eq!(Storage::archive_words(juliet, " - \" "), None);

    let judge = |stanza: &str| stanza.contains("text3").then(|| "<message id='text3'/>".to_owned());
    let mark = Storage::archive_mark(Some("text3"));
    assert!(storage.archive_retract(juliet, "nurse@capulet.example", mark, 200, judge).await.unwrap());
    assert_eq!(search("text3").await, [0; 0]);
    storage.archive_purge(juliet, 60).await.unwrap();
    assert_eq!(search("body").await, [60, 70, 80, 90, 100]);
    storage.account_delete(juliet).await.unwrap();
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), None);
    assert_eq!(storage.archive_bounds(other).await.unwrap(), Some((5, 5)));
}

#[tokio::test]
async fn only_what_the_judge_says_is_replaced() {
    let (storage, juliet) = filled().await;
    let mark = Storage::archive_mark(Some("text4"));
    let judge = |_: &str| Some("<gone/>".to_owned());
    assert!(!storage.archive_retract(juliet, PEER, mark, 40, judge).await.unwrap(), "it came later");
    assert!(!storage.archive_retract(juliet, "x@y", mark, 99, judge).await.unwrap(), "somebody else's");
    assert!(!storage.archive_retract(juliet, PEER, mark, 99, |_| None).await.unwrap());
    assert!(storage.archive_retract(juliet, PEER, mark, 99, judge).await.unwrap());
    let query = ArchiveQuery { ids: Some(vec![40]), ..ArchiveQuery::default() };
    let page = storage.archive_page(juliet, &query, PageFrom::Oldest, 9, 99).await.unwrap();
    assert_eq!(page.messages, [ArchivedMessage { id: 40, stanza: "<gone/>".into(), author: None }]);
}

#[tokio::test]
async fn the_oldest_expire_in_steps() {
    let (storage, juliet) = filled().await;
    for id in 1000..3500 {
        storage.archive_store(row(juliet, id, PEER, "x"), Box::new(|result| result.unwrap()));
    }
    assert_eq!(storage.archive_expire(ArchiveShelf::Accounts, 3400).await.unwrap(), 10 + 2400);
    assert_eq!(storage.archive_expire(ArchiveShelf::Accounts, 3400).await.unwrap(), 0);
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((3400, 3499)));
}

#[tokio::test]
async fn rows_for_an_account_that_is_gone_fail_alone_whatever_is_among_them() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, "juliet@capulet.example").await;
    let outcomes = Outcomes::default();
    for n in 0..20 {
        let id = if n % 5 == 3 { AccountId(99) } else { juliet };
        storage.archive_store(row(id, n, PEER, "x"), outcomes.note(n as usize));
        storage.offline_store(message(id, "<m/>"), outcomes.note(100 + n as usize));
    }
    storage.barrier().await.unwrap();
    let outcomes = outcomes.take();
    assert_eq!(outcomes.len(), 40);
    for (index, outcome) in outcomes {
        assert_eq!(matches!(outcome, Err(Error::NotFound)), index % 5 == 3, "{index}");
    }
    let page = storage.archive_page(juliet, &ArchiveQuery::default(), PageFrom::Oldest, 50, u64::MAX).await.unwrap();
    assert_eq!(page.messages.len(), 16);
}

#[tokio::test]
async fn ids_grow_whatever_the_clock_says() {
    let storage = Storage::temporary().await.unwrap();
    assert_eq!([7, 7, 5, 20].map(|now| storage.archive_id(now)), [7, 8, 9, 20]);

    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let juliet = account(&storage, "juliet@capulet.example").await;
    archive(&storage, row(juliet, 1000, PEER, "x")).await.unwrap();
    storage.archive_set_prefs(juliet, "{}".into()).await.unwrap();
    storage.close().await.unwrap();
    let storage = Storage::open(options).await.unwrap();
    assert_eq!(storage.archive_id(5), 1001);
    let record = storage.account("juliet@capulet.example").await.unwrap().unwrap();
    assert_eq!(record.archive_prefs.as_deref(), Some("{}"));
}

/// The pages of a long archive of two chats, by what was put into it.
#[tokio::test]
async fn moments_are_found_wherever_they_are_in_a_long_archive() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, "juliet@capulet.example").await;
    let other = account(&storage, "tybalt@capulet.example").await;
    let all: Vec<i64> = (1..=150).map(|n| n * 10).collect();
    for &id in &all {
        let peer = if id % 30 == 0 { PEER } else { "nurse@capulet.example" };
        storage.archive_store(row(juliet, id, peer, "x"), Box::new(|result| result.unwrap()));
        storage.archive_store(row(other, id + 1, peer, "x"), Box::new(|result| result.unwrap()));
    }
    storage.barrier().await.unwrap();
    for (after, before) in [(i64::MIN, 310), (0, 320), (309, 655), (310, i64::MAX), (635, 645), (1500, 9999), (900, 9)]
    {
        for peer in [None, Some(PEER.to_owned())] {
            let query = ArchiveQuery { after, before, peer: peer.clone(), ..ArchiveQuery::default() };
            let matching = |id: &&i64| **id > after && **id < before && (peer.is_none() || **id % 30 == 0);
            let expected: Vec<i64> = all.iter().filter(matching).copied().collect();
            let oldest = storage.archive_page(juliet, &query, PageFrom::Oldest, 40, u64::MAX).await.unwrap();
            assert_eq!(ids(&oldest), expected[..expected.len().min(40)], "{query:?}");
            let newest = storage.archive_page(juliet, &query, PageFrom::Newest, 40, u64::MAX).await.unwrap();
            assert_eq!(ids(&newest), expected[expected.len().saturating_sub(40)..], "{query:?}");
            let count = storage.archive_count(juliet, &query, 1000).await.unwrap();
            assert_eq!(count, expected.len() as u64, "{query:?}");
        }
    }
    assert_eq!(storage.archive_purge(juliet, 700).await.unwrap(), 69);
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((700, 1500)));
    assert_eq!(storage.archive_bounds(other).await.unwrap(), Some((11, 1501)));
    assert_eq!(storage.archive_expire(ArchiveShelf::Accounts, 1001).await.unwrap(), 31 + 99);
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((1010, 1500)));
    assert_eq!(storage.archive_bounds(other).await.unwrap(), Some((1001, 1501)));
}

#[tokio::test]
async fn a_chat_goes_with_its_last_message_and_may_begin_again() {
    let (storage, juliet) = filled().await;
    let chats = async || -> i64 {
        let mut reader = storage.reader().await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM archive_chats").fetch_one(&mut *reader).await.unwrap()
    };
    assert_eq!(chats().await, 2);
    assert_eq!(storage.archive_purge(juliet, 100).await.unwrap(), 9);
    assert_eq!(chats().await, 1);
    archive(&storage, row(juliet, 110, "nurse@capulet.example", "again")).await.unwrap();
    assert_eq!(chats().await, 2);
    let query = ArchiveQuery { peer: Some("nurse@capulet.example".into()), ..ArchiveQuery::default() };
    let page = storage.archive_page(juliet, &query, PageFrom::Oldest, 9, u64::MAX).await.unwrap();
    assert_eq!(ids(&page), [110]);

    let deleted = storage.account_delete(juliet);
    let late = archive(&storage, row(juliet, 120, PEER, "late")).await;
    assert!(matches!(late, Err(Error::NotFound)), "{late:?}");
    assert!(deleted.await.unwrap());
    assert_eq!(chats().await, 0);
    assert_eq!(storage.stats().failed_batches, 0);
}

/// A database as version 2 of the schema left it.
async fn of_version_2(options: &StorageOptions) {
    let mut connection = sqlite::open_writer(options).await.unwrap();
    let earlier = sqlite::migrations().iter().filter(|migration| migration.version <= 2).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(earlier).run(&mut connection).await.unwrap();
    for account in ["juliet@capulet.example", "romeo@montague.example"] {
        let insert = sqlx::query("INSERT INTO accounts (jid, domain, created_us) VALUES ($1, '', 0)").bind(account);
        insert.execute(&mut connection).await.unwrap();
    }
    for id in 1..=100 {
        let (account, peer) = if id % 2 == 0 { (1, PEER) } else { (2, "juliet@capulet.example") };
        let text = format!("text{id}");
        sqlx::query(
            "INSERT INTO archive (account_id, id, peer, resource, mark, stanza) VALUES ($1, $2, $3, 'orchard', $4, $5)",
        )
        .bind(account)
        .bind(id)
        .bind(if id % 10 == 0 { "nurse@capulet.example" } else { peer })
        .bind(Storage::archive_mark(Some(&text)))
        .bind(format!("<message id='{text}'><body>{text}</body></message>"))
        .execute(&mut connection)
        .await
        .unwrap();
    }
    for sql in [
        "INSERT INTO archive_words (rowid, owner, body) SELECT row_id, 'a1', 'stale' FROM archive WHERE account_id = 1",
        "INSERT INTO archive_indexed (account_id, upto_id) VALUES (1, 100)",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_archive_of_an_older_version_is_carried_over() {
    let (_dir, options) = scratch();
    sqlite::prepare_file(&options.path).unwrap();
    of_version_2(&options).await;
    let storage = Storage::open(options).await.unwrap();
    let (juliet, romeo) = (AccountId(1), AccountId(2));
    let query = |peer: Option<&str>| ArchiveQuery { peer: peer.map(Into::into), ..ArchiveQuery::default() };
    let page = async |account, query: &ArchiveQuery| {
        storage.archive_page(account, query, PageFrom::Oldest, 100, u64::MAX).await.unwrap()
    };
    assert_eq!(ids(&page(juliet, &query(None)).await), (1..=50).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(ids(&page(romeo, &query(None)).await), (0..50).map(|n| n * 2 + 1).collect::<Vec<_>>());
    let nurse = page(juliet, &query(Some("nurse@capulet.example"))).await;
    assert_eq!(ids(&nurse), (1..=10).map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(nurse.messages[0].stanza, "<message id='text10'><body>text10</body></message>");
    let resource = ArchiveQuery { resource: Some("orchard".into()), ..query(Some(PEER)) };
    assert_eq!(page(juliet, &resource).await.messages.len(), 40);

    // The words are to be indexed again.
    let words = Storage::archive_words(juliet, "stale");
    assert_eq!(page(juliet, &ArchiveQuery { words, ..query(None) }).await, ArchivePage::default());
    assert_eq!(storage.archive_unindexed(juliet, 100).await.unwrap().messages.len(), 50);

    let mark = Storage::archive_mark(Some("text4"));
    assert!(storage.archive_retract(juliet, PEER, mark, 99, |_| Some("<gone/>".to_owned())).await.unwrap());
    assert_eq!(storage.archive_id(5), 101);
    archive(&storage, row(juliet, 101, PEER, "new")).await.unwrap();
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((2, 101)));
    assert_eq!(storage.archive_purge(juliet, i64::MAX).await.unwrap(), 51);
    storage.account_delete(juliet).await.unwrap();
    assert_eq!(page(romeo, &query(None)).await.messages.len(), 50);
}
