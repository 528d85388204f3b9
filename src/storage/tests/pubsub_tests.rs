//! Nodes and items.

use super::*;

async fn make(storage: &Storage, owner: &str, name: &str, account: Option<AccountId>) -> Result<Option<i64>, Error> {
    let node = NewNode {
        account,
        owner: owner.into(),
        name: name.into(),
        creator: "a@b".into(),
        created_us: 1,
        config: "{}".into(),
        affiliations: vec![("a@b".into(), 1)],
    };
    storage.pubsub_create(node, 3).await
}

fn item(id: &str, at_us: i64) -> Item {
    Item { id: id.into(), publisher: "a@b".into(), published_us: at_us, payload: format!("<x xmlns='urn:x'>{id}</x>") }
}

const ROOM: Room = Room { items_max: 3, bytes_max: 1 << 20, account: None, reject: false, own_only: false };

/// A node with items "1" to "5", of which the last three are left.
async fn filled() -> (Storage, i64) {
    let storage = Storage::temporary().await.unwrap();
    let node = make(&storage, "s", "n", None).await.unwrap().unwrap();
    for n in 1..=5 {
        let stored = storage.pubsub_store(node, item(&n.to_string(), n), None, ROOM).await.unwrap();
        let removed = if n > 3 { vec![(n - 3).to_string()] } else { Vec::new() };
        assert_eq!(stored, Stored::Done { removed });
    }
    (storage, node)
}

async fn page(storage: &Storage, node: i64, query: ItemQuery) -> (Vec<String>, u64, u64) {
    let page = storage.pubsub_items(node, 10, &query).await.unwrap().unwrap();
    (page.items.into_iter().map(|item| item.id).collect(), page.index, page.count)
}

fn all() -> ItemQuery {
    ItemQuery { after: None, before: None, from: PageFrom::Oldest, items_max: 100, bytes_max: u64::MAX }
}

#[tokio::test]
async fn nodes_have_an_owner_and_a_name() {
    let storage = Storage::temporary().await.unwrap();
    let a = make(&storage, "s", "a", None).await.unwrap().unwrap();
    assert!(matches!(make(&storage, "s", "a", None).await, Err(Error::Conflict)));
    make(&storage, "t", "a", None).await.unwrap().unwrap();
    for name in ["b", "c"] {
        make(&storage, "s", name, None).await.unwrap().unwrap();
    }
    // Three are the limit here; one that exists is a conflict all the same.
    assert_eq!(make(&storage, "s", "d", None).await.unwrap(), None);
    assert!(matches!(make(&storage, "s", "a", None).await, Err(Error::Conflict)));
    assert!(matches!(make(&storage, "u", "a", Some(AccountId(77))).await, Err(Error::NotFound)));

    storage.pubsub_affiliate(a, vec![("a@b".into(), None), ("c@d".into(), Some(4))]).await.unwrap();
    assert!(storage.pubsub_subscribe(a, ("c@d/x", "c@d"), 2, 5, 1).await.unwrap());
    let row = storage.pubsub_node("s", "a").await.unwrap().unwrap();
    assert_eq!(row.affiliations, [("c@d".to_owned(), 4)]);
    assert_eq!(row.subscriptions, [("c@d/x".to_owned(), 2)]);
    assert_eq!(storage.pubsub_affiliations_of("s", "c@d").await.unwrap(), [("a".to_owned(), 4)]);
    assert_eq!(storage.pubsub_affiliations_of("t", "c@d").await.unwrap(), []);
    // One subscription is the limit here.
    assert!(!storage.pubsub_subscribe(a, ("c@d/y", "c@d"), 2, 5, 1).await.unwrap());
    let subscriptions = storage.pubsub_subscriptions_of("s", "c@d").await.unwrap();
    assert_eq!(subscriptions, [SubscriptionRow { node: "a".into(), jid: "c@d/x".into(), state: 2 }]);
    let names = |seen: Vec<SeenNode>| seen.into_iter().map(|node| (node.name, node.affiliation)).collect::<Vec<_>>();
    let seen = names(storage.pubsub_nodes("s", "c@d", "", 2).await.unwrap());
    assert_eq!(seen, [("a".into(), Some(4)), ("b".into(), None)]);
    assert_eq!(names(storage.pubsub_nodes("s", "c@d", "b", 2).await.unwrap()), [("c".into(), None)]);
    let summaries = storage.pubsub_summaries(None, ("s", "b"), 10).await.unwrap();
    assert_eq!(summaries.iter().map(|n| (&*n.owner, &*n.name)).collect::<Vec<_>>(), [("s", "c"), ("t", "a")]);
    assert!(storage.pubsub_delete(a).await.unwrap() && !storage.pubsub_delete(a).await.unwrap());
    assert_eq!(storage.pubsub_subscriptions_of("s", "c@d").await.unwrap(), []);
}

#[tokio::test]
async fn items_in_pages() {
    let (storage, node) = filled().await;
    let s = |ids: &[&str], index| (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), index, 3);
    assert_eq!(page(&storage, node, all()).await, s(&["3", "4", "5"], 0));
    assert_eq!(page(&storage, node, ItemQuery { items_max: 2, ..all() }).await, s(&["3", "4"], 0));
    let newest = ItemQuery { from: PageFrom::Newest, items_max: 2, ..all() };
    assert_eq!(page(&storage, node, newest.clone()).await, s(&["4", "5"], 1));
    let before = ItemQuery { before: Some("5".into()), ..newest.clone() };
    assert_eq!(page(&storage, node, before).await, s(&["3", "4"], 0));
    assert_eq!(page(&storage, node, ItemQuery { after: Some("4".into()), ..all() }).await, s(&["5"], 2));
    // At least one, whatever its size, from either end.
    assert_eq!(page(&storage, node, ItemQuery { bytes_max: 1, ..all() }).await, s(&["3"], 0));
    assert_eq!(page(&storage, node, ItemQuery { bytes_max: 1, ..newest }).await, s(&["5"], 2));
    let gone = ItemQuery { after: Some("1".into()), ..all() };
    assert_eq!(storage.pubsub_items(node, 10, &gone).await.unwrap(), None);
    let ids = ["5".to_owned(), "1".to_owned(), "3".to_owned()];
    let found = storage.pubsub_items_by_id(node, 10, &ids, u64::MAX).await.unwrap();
    assert_eq!(found.iter().map(|item| &*item.id).collect::<Vec<_>>(), ["3", "5"]);
    assert_eq!(storage.pubsub_items_by_id(node, 10, &ids, 1).await.unwrap().len(), 1);
    assert_eq!(storage.pubsub_item_ids(node, 10, 2).await.unwrap(), ["5", "4"]);
}

#[tokio::test]
async fn room_for_items() {
    let (storage, node) = filled().await;
    let store = |id: &str, room: Room| storage.pubsub_store(node, item(id, 9), None, room);
    let reject = Room { reject: true, ..ROOM };
    assert_eq!(store("6", reject.clone()).await.unwrap(), Stored::Full);
    assert_eq!(store("4", reject).await.unwrap(), Stored::Done { removed: Vec::new() });
    assert_eq!(page(&storage, node, all()).await.0, ["3", "5", "4"]);
    let bytes = item("6", 9).payload.len() + 1;
    let sums = || async { storage.pubsub_summary(node).await.unwrap().unwrap() };
    assert_eq!((sums().await.items, sums().await.bytes), (3, 3 * bytes as u64));
    // What gives way makes room.
    let tight = Room { bytes_max: 3 * bytes, ..ROOM };
    assert_eq!(store("6", tight.clone()).await.unwrap(), Stored::Done { removed: vec!["3".into()] });
    let more = Room { items_max: 4, ..tight };
    assert_eq!(store("7", more).await.unwrap(), Stored::TooMuch);
    let others = Item { publisher: "c@d".into(), ..item("6", 9) };
    let own = Room { own_only: true, ..ROOM };
    assert_eq!(storage.pubsub_store(node, others, None, own).await.unwrap(), Stored::NotYours);
    assert!(storage.pubsub_retract(node, "6").await.unwrap() && !storage.pubsub_retract(node, "6").await.unwrap());
    assert_eq!(storage.pubsub_trim(node, 1).await.unwrap(), 1);
    assert_eq!((sums().await.items, sums().await.bytes), (1, bytes as u64));
    storage.pubsub_delete(node).await.unwrap();
    assert!(matches!(store("1", ROOM).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn items_expire() {
    let (storage, node) = filled().await;
    storage.pubsub_configure(node, "{}".into(), Some(Some(7))).await.unwrap();
    // At 10 the one published at 3 is over.
    assert_eq!(page(&storage, node, all()).await, (vec!["4".into(), "5".into()], 0, 2));
    assert_eq!(storage.pubsub_expire(11).await.unwrap(), 2);
    storage.pubsub_configure(node, "{}".into(), Some(None)).await.unwrap();
    assert_eq!(storage.pubsub_expire(i64::MAX).await.unwrap(), 0);
    assert_eq!(page(&storage, node, all()).await.0, ["5"]);
}

/// One question for all nodes of all contacts that show the asker their presence, and of the asker itself.
#[tokio::test]
async fn last_items_of_contacts() {
    let storage = Storage::temporary().await.unwrap();
    for (owner, subscription) in [("juliet@x", 2), ("nurse@x", 1), ("romeo@x", 0)] {
        let id = account(&storage, owner).await;
        let contact = RosterRow {
            contact: "romeo@x".into(),
            subscription,
            groups: vec!["Friends".into()],
            ..RosterRow::default()
        };
        storage.roster_upsert(id, contact, 1).await.unwrap();
        for name in ["a", "b"] {
            let node = make(&storage, owner, name, Some(id)).await.unwrap().unwrap();
            for n in 1..=2 {
                storage.pubsub_store(node, item(&format!("{owner}{n}"), n), None, ROOM).await.unwrap();
            }
        }
    }
    let owners = ["juliet@x", "nurse@x", "romeo@x", "nobody@x"];
    let me = "romeo@x/orchard";
    let mut found = storage.pubsub_last_items(&owners, &["a", "c"], me, 10).await.unwrap();
    found.sort_by(|x, y| x.owner.cmp(&y.owner));
    let seen: Vec<_> = found.iter().map(|last| (&*last.owner, &*last.node, &*last.item.id)).collect();
    assert_eq!(seen, [("juliet@x", "a", "juliet@x2"), ("romeo@x", "a", "romeo@x2")]);
    assert_eq!(found[0].groups, ["Friends"]);
    let juliet = storage.account("juliet@x").await.unwrap().unwrap().account.id;
    // Whom she has blocked gets nothing of hers, and his own as before.
    for entry in [me, "romeo@x", "x"] {
        storage.blocking_add(juliet, &[entry]).await.unwrap();
        assert_eq!(storage.pubsub_last_items(&owners, &["a"], me, 10).await.unwrap().len(), 1, "{entry}");
        storage.blocking_remove(juliet, &[entry]).await.unwrap();
        assert_eq!(storage.pubsub_last_items(&owners, &["a"], me, 10).await.unwrap().len(), 2, "{entry}");
    }
    storage.account_delete(juliet).await.unwrap();
    assert_eq!(storage.pubsub_last_items(&owners, &["a"], me, 10).await.unwrap().len(), 1);
}
