//! Each concern: what is written is read.

use super::*;

#[tokio::test]
async fn accounts_are_made_listed_changed_and_removed() {
    let storage = Storage::temporary().await.unwrap();
    for jid in ["b@one.example", "a@one.example", "c@two.example", "d@one.example"] {
        account(&storage, jid).await;
    }
    let jids = |rows: Vec<AccountRow>| rows.into_iter().map(|row| row.jid).collect::<Vec<_>>();
    assert_eq!(
        jids(storage.account_list(None, "", 3).await.unwrap()),
        ["a@one.example", "b@one.example", "c@two.example"]
    );
    assert_eq!(
        jids(storage.account_list(Some("one.example"), "a@one.example", 9).await.unwrap()),
        ["b@one.example", "d@one.example"]
    );
    assert_eq!(storage.account_count(None).await.unwrap(), 4);
    assert_eq!(storage.account_count(Some("one.example")).await.unwrap(), 3);
    assert_eq!(storage.account_count(Some("none.example")).await.unwrap(), 0);

    let id = storage.account("a@one.example").await.unwrap().unwrap().account.id;
    let key = |hash, fill: u8| Credential {
        hash,
        salt: vec![fill; 16],
        iterations: 10_000,
        stored_key: (0..32).map(|byte| byte ^ fill).collect(),
        server_key: vec![fill; 20],
    };
    storage.account_set_credentials(id, vec![key(ScramHash::Sha1, 1), key(ScramHash::Sha256, 0xab)]).await.unwrap();
    storage.account_set_credentials(id, vec![key(ScramHash::Sha256, 0xcd)]).await.unwrap();
    storage.account_set_disabled(id, true).await.unwrap();
    let record = storage.account("a@one.example").await.unwrap().unwrap();
    assert_eq!(record.credentials, [key(ScramHash::Sha256, 0xcd)]);
    assert!(record.account.disabled);
    assert!(matches!(
        storage.account_set_credentials(AccountId(99), vec![key(ScramHash::Sha1, 0)]).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(storage.account_set_disabled(AccountId(99), true).await, Err(Error::NotFound)));
    assert!(!format!("{record:?}").contains("205"), "no key in a log");

    // Everything of an account goes with it, and its id is not given out again.
    store(&storage, message(id, "<m/>")).await.unwrap();
    storage.private_set(id, "key", "<x/>").await.unwrap();
    storage.vcard_set(id, Some("<vCard/>"), None, 1).await.unwrap();
    assert!(storage.account_delete(id).await.unwrap());
    assert!(!storage.account_delete(id).await.unwrap());
    assert_eq!(storage.account("a@one.example").await.unwrap(), None);
    assert_eq!(texts(&storage, id).await, [""; 0]);
    assert_eq!(storage.private_get(id, "key").await.unwrap(), None);
    assert_eq!(storage.vcard_get(id).await.unwrap(), None);
    let last = storage.account("d@one.example").await.unwrap().unwrap().account.id;
    storage.account_delete(last).await.unwrap();
    assert!(account(&storage, "d@one.example").await > last);
}

#[tokio::test]
async fn a_roster_comes_back_as_it_was_written() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    assert_eq!(storage.roster_load(romeo).await.unwrap(), []);
    let juliet = RosterRow {
        contact: "juliet@capulet.example".into(),
        name: Some("Juliet \"J\" \\ 𝄞 <&>".into()),
        subscription: 3,
        in_roster: true,
        groups: vec!["Friends, [\"all\"]".into(), "Ü".into()],
        ..RosterRow::default()
    };
    let nurse = RosterRow {
        contact: "nurse@capulet.example".into(),
        pending_in: true,
        approved: true,
        ask: true,
        pending_stanza: Some("<presence type='subscribe'><status>\"hi\"\n</status></presence>".into()),
        ..RosterRow::default()
    };
    storage.roster_upsert(romeo, nurse.clone(), 1).await.unwrap();
    storage.roster_upsert(romeo, RosterRow { name: None, ..juliet.clone() }, 2).await.unwrap();
    storage.roster_upsert(romeo, juliet.clone(), 3).await.unwrap();
    let expected = [RosterRow { version: 3, ..juliet }, RosterRow { version: 1, ..nurse }];
    assert_eq!(storage.roster_load(romeo).await.unwrap(), expected);

    assert!(storage.roster_remove(romeo, "nurse@capulet.example", 4).await.unwrap());
    assert!(!storage.roster_remove(romeo, "nurse@capulet.example", 5).await.unwrap());
    let record = storage.account("romeo@montague.example").await.unwrap().unwrap();
    assert_eq!((record.account.roster_version, record.roster_count), (5, 1));
    let nobody = storage.roster_upsert(AccountId(99), RosterRow::default(), 1);
    assert!(matches!(nobody.await, Err(Error::NotFound)));
}

#[tokio::test]
async fn offline_messages_come_in_order_and_in_pages() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    let juliet = account(&storage, "juliet@capulet.example").await;
    for index in 0..10_i64 {
        let text = format!("<m>{index} ä\n'\"</m>");
        let row = OfflineRow { stamp_us: 100 - index, ..message(romeo, &text) };
        storage.offline_store(row, Box::new(|result| result.unwrap()));
        storage.offline_store(message(juliet, "<other/>"), Box::new(|result| result.unwrap()));
    }
    storage.barrier().await.unwrap();
    let bytes = "<m>0 ä\n'\"</m>".len() as u64;
    assert_eq!(storage.offline_count(romeo).await.unwrap(), OfflineUsage { count: 10, bytes: bytes * 10 });

    let first = storage.offline_page(romeo, 0, 4, u64::MAX).await.unwrap();
    assert_eq!(first.iter().map(|message| message.stamp_us).collect::<Vec<_>>(), [100, 99, 98, 97]);
    assert_eq!(first[3].stanza, "<m>3 ä\n'\"</m>");
    // By bytes: three fit, not four; and one always comes.
    let second = storage.offline_page(romeo, first[3].id, 100, bytes * 4 - 1).await.unwrap();
    assert_eq!(second.iter().map(|message| message.stamp_us).collect::<Vec<_>>(), [96, 95, 94]);
    assert_eq!(storage.offline_page(romeo, 0, 100, 1).await.unwrap().len(), 1);
    let listed = storage.offline_list(romeo, second[2].id, 2).await.unwrap();
    assert_eq!(listed.iter().map(|info| (info.stamp_us, info.bytes)).collect::<Vec<_>>(), [(93, bytes), (92, bytes)]);

    storage.offline_delete_upto(romeo, listed[1].id).await.unwrap();
    let rest = storage.offline_page(romeo, 0, 100, u64::MAX).await.unwrap();
    assert_eq!(rest.iter().map(|message| message.stamp_us).collect::<Vec<_>>(), [91]);
    let totals = storage.offline_totals("", 10).await.unwrap();
    let shown: Vec<_> = totals.iter().map(|t| (t.jid.as_str(), t.usage.count, t.oldest_us)).collect();
    assert_eq!(shown, [("juliet@capulet.example", 10, 7), ("romeo@montague.example", 1, 91)]);
    assert_eq!(storage.offline_totals("juliet@capulet.example", 10).await.unwrap(), totals[1..]);
    assert_eq!(storage.offline_purge(romeo, Some(91)).await.unwrap().count, 0);
    assert_eq!(storage.offline_purge(romeo, None).await.unwrap(), totals[1].usage);
    assert_eq!(storage.offline_page(romeo, 0, 100, u64::MAX).await.unwrap(), []);
    assert_eq!(storage.offline_count(juliet).await.unwrap().count, 10);
}

#[tokio::test]
async fn many_deletions_of_one_batch_are_merged() {
    let (_dir, mut options) = scratch();
    options.handed_out_delay = Duration::ZERO;
    let storage = Storage::open(options).await.unwrap();
    let mut ids = Vec::new();
    for index in 0..75 {
        ids.push(account(&storage, &format!("user{index:02}@one.example")).await);
    }
    for &id in ids.iter().chain(&ids) {
        storage.offline_store(message(id, "<m/>"), Box::new(|result| result.unwrap()));
    }
    storage.barrier().await.unwrap();
    for &id in &ids {
        let last = storage.offline_page(id, 0, 9, u64::MAX).await.unwrap()[usize::from(id != ids[0])].id;
        // Out of order, and repeated: the furthest counts.
        storage.handed_out(id, last);
        storage.handed_out(id, last - 1);
    }
    storage.barrier().await.unwrap();
    assert_eq!(texts(&storage, ids[0]).await.len(), 1);
    for &id in &ids[1..] {
        assert_eq!(storage.0.handout.hidden_upto(id), 0);
        assert_eq!(texts(&storage, id).await.len(), 0);
    }
}

#[tokio::test]
async fn what_has_expired_is_forgotten() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    for index in 0..2500 {
        let expires_us = (index % 5 != 0).then_some(index);
        storage.offline_store(OfflineRow { expires_us, ..message(romeo, "<m/>") }, Box::new(|result| result.unwrap()));
    }
    assert_eq!(storage.offline_expire(1999).await.unwrap(), 1600);
    assert_eq!(storage.offline_expire(1999).await.unwrap(), 0);
    assert_eq!(storage.offline_count(romeo).await.unwrap().count, 900);
}

#[tokio::test]
async fn small_things_are_kept() {
    let storage = Storage::temporary().await.unwrap();
    let romeo = account(&storage, "romeo@montague.example").await;
    storage.private_set(romeo, "{exodus:prefs}exodus", "<exodus/>").await.unwrap();
    storage.private_set(romeo, "{exodus:prefs}exodus", "<exodus>ü</exodus>").await.unwrap();
    storage.private_set(romeo, "{other}x", "<x/>").await.unwrap();
    assert_eq!(storage.private_get(romeo, "{exodus:prefs}exodus").await.unwrap().unwrap(), "<exodus>ü</exodus>");
    assert_eq!(storage.private_usage(romeo).await.unwrap(), PrivateUsage { keys: 2, bytes: 23 });

    storage.vcard_set(romeo, Some("<vCard/>"), None, 5).await.unwrap();
    assert_eq!(storage.vcard_get(romeo).await.unwrap(), Some(Vcard { xml: "<vCard/>".into(), updated_us: 5 }));
    storage.vcard_set(romeo, None, None, 6).await.unwrap();
    assert_eq!(storage.vcard_get(romeo).await.unwrap(), None);

    assert_eq!(storage.meta_init("secret", vec![1]).await.unwrap(), [1]);
    assert_eq!(storage.meta_init("secret", vec![2]).await.unwrap(), [1]);
    storage.meta_set("secret", vec![3]).await.unwrap();
    assert_eq!(storage.meta_get("secret").await.unwrap(), Some(vec![3]));
    assert_eq!(storage.meta_get("none").await.unwrap(), None);
}
