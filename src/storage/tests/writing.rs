//! Group commit: order, failures, limits.

use super::*;

#[tokio::test]
async fn the_order_of_enqueueing_is_the_order_of_effect() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    let juliet = account(&storage, "juliet@capulet.example").await;
    let outcomes = Outcomes::default();

    // Nothing is awaited in between on this single thread, so all of it is one batch.
    let batches = storage.stats().batches;
    for index in 0..100 {
        let to = if index % 3 == 0 { juliet } else { romeo };
        storage.offline_store(message(to, &format!("<m>{index}</m>")), outcomes.note(index));
    }
    let purged = storage.offline_purge(juliet, None);
    storage.offline_store(message(juliet, "later"), outcomes.note(100));
    let first = storage.account_set_last_logout(romeo, 5, Some("gone".into()));
    let second = storage.account_set_last_logout(romeo, 6, None);
    storage.barrier().await.unwrap();

    assert_eq!(storage.stats().batches, batches + 1);
    assert_eq!(storage.stats().largest_batch, 105);
    let order: Vec<_> = outcomes.take().into_iter().map(|(index, result)| result.map(|()| index).unwrap()).collect();
    assert_eq!(order, (0..=100).collect::<Vec<_>>());
    assert_eq!(purged.await.unwrap().count, 34);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(texts(&storage, juliet).await, ["later"]);
    let expected: Vec<_> = (0..100).filter(|index| index % 3 != 0).map(|index| format!("<m>{index}</m>")).collect();
    assert_eq!(texts(&storage, romeo).await, expected);
    let record = storage.account("romeo@montague.example").await.unwrap().unwrap();
    assert_eq!((record.account.last_logout_us, record.account.last_status), (Some(6), None));
    assert_eq!(record.offline_count, 66);
    let stats = storage.stats();
    assert_eq!((stats.queue_depth, stats.queue_bytes, stats.failed_batches), (0, 0, 0));
}

#[tokio::test]
async fn a_failed_operation_leaves_the_others_alone() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    let outcomes = Outcomes::default();

    for index in 0..70 {
        let to = if index == 33 { AccountId(999) } else { romeo };
        storage.offline_store(message(to, "<m/>"), outcomes.note(index));
    }
    let twice = storage.account_create("romeo@montague.example", 1, Vec::new());
    let key = Credential {
        hash: ScramHash::Sha1,
        salt: vec![0, 255],
        iterations: 4096,
        stored_key: vec![1],
        server_key: vec![2],
    };
    // The account is inserted, then its second key fails: nothing of it may stay.
    let half = storage.account_create("half@montague.example", 1, vec![key.clone(), key.clone()]);
    let whole = storage.account_create("whole@montague.example", 1, vec![key.clone()]);

    assert!(matches!(twice.await, Err(Error::Conflict)));
    assert!(matches!(half.await, Err(Error::Conflict)));
    whole.await.unwrap();
    for (index, result) in outcomes.take() {
        assert_eq!(matches!(result, Err(Error::NotFound)), index == 33, "{index}: {result:?}");
    }
    assert_eq!(texts(&storage, romeo).await.len(), 69);
    assert_eq!(storage.account("half@montague.example").await.unwrap(), None);
    let whole = storage.account("whole@montague.example").await.unwrap().unwrap();
    assert_eq!(whole.credentials, [key]);
    assert_eq!(storage.stats().failed_batches, 0);
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let (_dir, mut options) = scratch();
    (options.queue_max, options.queue_bytes_max) = (3, 1000);
    let storage = Storage::open(options).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    let outcomes = Outcomes::default();

    for index in 0..3 {
        storage.offline_store(message(romeo, "<m/>"), outcomes.note(index));
    }
    assert!(outcomes.take().is_empty(), "the writer has not run yet");
    storage.offline_store(message(romeo, "<m/>"), outcomes.note(3));
    let [(3, Err(Error::Busy))] = &outcomes.take()[..] else { panic!("refused at once") };
    assert!(Error::Busy.is_temporary());
    let refused = storage.meta_set("key", vec![1]);
    // What is owed is taken all the same.
    let deleted = storage.offline_delete_upto(romeo, 1);
    storage.barrier().await.unwrap();
    assert!(matches!(refused.await, Err(Error::Busy)));
    deleted.await.unwrap();
    assert_eq!(texts(&storage, romeo).await.len(), 2);

    outcomes.take();
    storage.offline_store(message(romeo, &"x".repeat(2000)), outcomes.note(4));
    let [(4, Err(Error::Busy))] = &outcomes.take()[..] else { panic!("too many bytes") };
    store(&storage, message(romeo, "<m/>")).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (_dir, mut options) = scratch();
    options.size_bytes_max = Some(600 << 10);
    let storage = Storage::open(options).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    let big = "x".repeat(20_000);

    let mut kept = 0;
    let error = loop {
        match store(&storage, message(romeo, &big)).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full) && error.is_temporary(), "{error:?}");
    assert!(kept > 5, "{kept}");
    assert_eq!(storage.offline_count(romeo).await.unwrap().count, kept, "reads go on, and all accepted is there");
    // Several at once: each is told, the small ones too, for they share the commit.
    let outcomes = Outcomes::default();
    for index in 0..3 {
        let text = if index == 1 { &big[..] } else { "<m/>" };
        storage.offline_store(message(romeo, text), outcomes.note(index));
    }
    storage.barrier().await.unwrap();
    assert!(outcomes.take().iter().all(|(_, result)| matches!(result, Err(Error::Full))));
    assert!(storage.stats().failed_batches >= 2);

    let page = storage.offline_page(romeo, 0, 3, u64::MAX).await.unwrap();
    storage.offline_delete_upto(romeo, page[2].id).await.unwrap();
    store(&storage, message(romeo, &big)).await.unwrap();
    assert_eq!(storage.offline_count(romeo).await.unwrap().count, kept - 2);
}

#[tokio::test]
async fn a_failed_deletion_is_hidden_and_made_good() {
    let (_dir, mut options) = scratch();
    options.size_bytes_max = Some(600 << 10);
    options.handed_out_delay = Duration::ZERO;
    let storage = Storage::open(options).await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    store(&storage, message(romeo, "first")).await.unwrap();
    store(&storage, message(romeo, "second")).await.unwrap();
    let first = storage.offline_page(romeo, 0, 1, 0).await.unwrap()[0].id;

    // Together with a message that does not fit, the deletion fails.
    storage.handed_out(romeo, first);
    let outcomes = Outcomes::default();
    storage.offline_store(message(romeo, &"x".repeat(1 << 20)), outcomes.note(0));
    storage.barrier().await.unwrap();
    assert_eq!(texts(&storage, romeo).await, ["second"]);
    assert_eq!(storage.0.handout.hidden_upto(romeo), first);
    // The next batch does it, whatever it is about: even a barrier.
    storage.barrier().await.unwrap();
    assert_eq!(storage.0.handout.hidden_upto(romeo), 0);
    assert_eq!(texts(&storage, romeo).await, ["second"]);
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_the_rest() {
    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let queued = storage.meta_set("key", vec![1]);
    storage.close().await.unwrap();
    queued.await.unwrap();
    assert!(matches!(storage.meta_set("key", vec![2]).await, Err(Error::Closed)));
    assert!(matches!(store(&storage, message(AccountId(1), "<m/>")).await, Err(Error::Closed)));
    assert!(matches!(storage.meta_get("key").await, Err(Error::Closed)));
    assert!(matches!(storage.close().await, Err(Error::Closed)));
    assert!(!sqlite::beside(&options.path, "-wal").exists(), "the log is folded in");
    let storage = Storage::open(options).await.unwrap();
    assert_eq!(storage.meta_get("key").await.unwrap(), Some(vec![1]));
}

#[tokio::test]
async fn a_panicking_callback_does_not_stop_the_writer() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    storage.offline_store(message(romeo, "<m/>"), Box::new(|_| panic!("a bug")));
    store(&storage, message(romeo, "<m/>")).await.unwrap();
    assert_eq!(storage.offline_count(romeo).await.unwrap(), OfflineUsage { count: 2, bytes: 8 });
}

#[test]
fn an_operation_that_is_never_run_is_answered_too() {
    let outcomes = Outcomes::default();
    drop(Op::Store(message(AccountId(1), "<m/>"), commit::Completion::new(outcomes.note(0), None)));
    let [(0, Err(Error::Closed))] = &outcomes.take()[..] else { panic!("answered once") };
}

#[tokio::test]
async fn hand_outs_of_many_are_removed_together() {
    let storage = Storage::temporary().await.unwrap();
    let mut ids = Vec::new();
    for index in 0..handout::FLUSH_ACCOUNTS {
        ids.push(account(&storage, &format!("user{index}@one.example")).await);
    }
    for &id in &ids {
        storage.offline_store(message(id, "<m/>"), Box::new(|result| result.unwrap()));
    }
    storage.barrier().await.unwrap();
    let (last, first) = ids.split_last().unwrap();
    let batches = storage.stats().batches;
    for (&id, index) in first.iter().zip(1..) {
        storage.handed_out(id, index);
        storage.barrier().await.unwrap();
    }
    assert_eq!(storage.stats().batches, batches, "none is worth a commit of its own");
    assert_eq!(texts(&storage, ids[0]).await.len(), 0);
    storage.handed_out(*last, i64::try_from(ids.len()).unwrap());
    storage.barrier().await.unwrap();
    assert_eq!(storage.stats().batches, batches + 1);
    assert_eq!(storage.0.handout.len(), 0);
}
