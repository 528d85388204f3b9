//! Rooms: what each is, who may what there, the lists of a service, and the archive.

use super::*;

const SERVICE: &str = "rooms.example";
const ROMEO: &str = "romeo@montague.example";
const JULIET: &str = "juliet@capulet.example";

fn affiliation(jid: &str, affiliation: u8) -> RoomAffiliation {
    RoomAffiliation { jid: jid.into(), affiliation, ..RoomAffiliation::default() }
}

fn new(name: &str, public: bool) -> NewRoom {
    NewRoom {
        jid: format!("{name}@{SERVICE}"),
        config: format!("config of {name}"),
        listed: RoomListed { public, ..RoomListed::default() },
        creator: ROMEO.into(),
        created_us: 5,
        affiliations: vec![affiliation(ROMEO, 4)],
        subject: None,
        hats: RoomHats::default(),
        version: 0,
    }
}

async fn made(storage: &Storage, name: &str, public: bool) -> RoomId {
    match storage.room_create(new(name, public), 1_000, 1_000).await.unwrap() {
        RoomCreated::Made(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn load(storage: &Storage, name: &str) -> Option<RoomRow> {
    match storage.room_load(&format!("{name}@{SERVICE}")).await.unwrap() {
        RoomFound::Room(row) => Some(*row),
        RoomFound::Gone(_) | RoomFound::None => None,
    }
}

fn names(rooms: &[RoomSummary]) -> Vec<&str> {
    rooms.iter().map(|room| room.jid.split('@').next().unwrap()).collect()
}

#[tokio::test]
async fn a_room_is_one_read() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "coven", true).await;
    let conflict = storage.room_create(new("coven", true), 0, 0).await;
    assert!(matches!(conflict, Err(Error::Conflict)), "{conflict:?}");
    storage.room_set_subject(id, Some(("<message/>".into(), 9))).await.unwrap();
    let listed = RoomListed { public: false, ..RoomListed::default() };
    assert_eq!(storage.room_configure(id, "other".into(), listed.clone(), Vec::new()).await.unwrap(), None);
    storage.room_set_vcard(id, Some(("<vCard/>".into(), vec!["a1".into()]))).await.unwrap();
    let room = load(&storage, "coven").await.unwrap();
    let owner = RoomAffiliation { version: 1, ..affiliation(ROMEO, 4) };
    let expected = RoomRow {
        id,
        jid: format!("coven@{SERVICE}"),
        config: "other".into(),
        creator: ROMEO.into(),
        created_us: 5,
        subject: Some("<message/>".into()),
        subject_us: Some(9),
        affiliations: vec![owner],
        version: 1,
        photos: vec!["a1".into()],
        hats: RoomHats::default(),
        shown_version: 1,
    };
    assert_eq!(room, expected);
    assert_eq!(storage.room_vcard(id).await.unwrap().as_deref(), Some("<vCard/>"));
    storage.room_set_vcard(id, None).await.unwrap();
    assert_eq!((load(&storage, "coven").await.unwrap().photos, storage.room_vcard(id).await.unwrap()), (vec![], None));
    assert_eq!(storage.room_load("nowhere@rooms.example").await.unwrap(), RoomFound::None);
}

/// XEP-0502: by hours, the latest ones.
#[tokio::test]
async fn messages_of_hours() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "coven", true).await;
    for (hour, messages) in [(100, 1), (101, 2), (101, 3), (120, 4)] {
        storage.room_activity_add(id, hour, messages).await.unwrap();
    }
    for (from, to, sum) in [(100, 120, 6), (101, 121, 9), (102, 120, 0)] {
        assert_eq!(storage.room_activity(id, from, to).await.unwrap(), sum, "{from} to {to}");
    }
    storage.room_activity_add(id, 125, 1).await.unwrap();
    assert_eq!(storage.room_activity(id, 0, 126).await.unwrap(), 10, "the first hour is forgotten");
    storage.room_destroy(id, None).await.unwrap();
    storage.room_activity_add(id, 125, 1).await.unwrap();
    assert_eq!(storage.room_activity(id, 0, 126).await.unwrap(), 0);
}

/// Also what those know who ask for the changes (XEP-0463).
#[tokio::test]
async fn affiliations_change_together_or_not_at_all() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "coven", true).await;
    let with_nick = |jid: &str, nick: &str| RoomAffiliation { nick: Some(nick.into()), ..affiliation(jid, 2) };
    let version = storage.room_set_affiliations(id, vec![with_nick(JULIET, "j"), with_nick("a@b", "a")]).await;
    assert_eq!(version.unwrap(), 3, "each is a version");
    // Somebody else's nickname: nothing of the change happens.
    let taken = storage.room_set_affiliations(id, vec![affiliation("c@d", 1), with_nick(ROMEO, "j")]).await;
    assert!(matches!(taken, Err(Error::Conflict)), "{taken:?}");
    // Two exchange theirs.
    let exchange = vec![with_nick(JULIET, "a"), with_nick("a@b", "j")];
    assert_eq!(storage.room_set_affiliations(id, exchange).await.unwrap(), 5);
    assert_eq!(storage.room_set_affiliations(id, vec![affiliation("a@b", 0)]).await.unwrap(), 6);
    let room = load(&storage, "coven").await.unwrap();
    let now: Vec<_> = room.affiliations.iter().map(|a| (a.jid.as_str(), a.affiliation, a.nick.as_deref())).collect();
    assert_eq!((now, room.version), (vec![(JULIET, 2, Some("a")), (ROMEO, 4, None)], 6));
    let changed = async |since| {
        let changes = storage.room_changes(id, since, true).await.unwrap();
        changes.map(|changes| changes.into_iter().map(|a| (a.jid, a.affiliation)).collect::<Vec<_>>())
    };
    assert_eq!(changed(6).await, Some(vec![]));
    assert_eq!(changed(5).await, Some(vec![("a@b".into(), 0)]));
    assert_eq!(changed(3).await, Some(vec![("a@b".into(), 0), (JULIET.into(), 2)]));
    // Who came after that and is gone again is not named.
    assert_eq!(changed(2).await, Some(vec![(JULIET.into(), 2)]));
    assert_eq!((changed(7).await, changed(0).await, changed(-1).await), (None, None, None));
    let none = storage.room_set_affiliations(RoomId(99), vec![affiliation("a@b", 2)]).await;
    assert!(matches!(none, Err(Error::NotFound)), "{none:?}");
}

/// Who does not see bans sees only that somebody is a member no more.
#[tokio::test]
async fn bans_are_changes_for_some() {
    let storage = Storage::temporary().await.unwrap();
    let RoomCreated::Made(id) = storage.room_create(NewRoom { version: 5, ..new("coven", true) }, 9, 9).await.unwrap()
    else {
        panic!("no room");
    };
    let set = async |jid, is| storage.room_set_affiliations(id, vec![affiliation(jid, is)]).await.unwrap();
    assert_eq!(set(JULIET, 2).await, 6);
    for (jid, is) in [("a@b", 1), (JULIET, 1), ("c@d", 1), ("c@d", 0)] {
        set(jid, is).await;
    }
    let changed = async |since, with_bans| {
        let changes = storage.room_changes(id, since, with_bans).await.unwrap();
        changes.map(|changes| changes.into_iter().map(|a| (a.jid, a.affiliation)).collect::<Vec<_>>())
    };
    assert_eq!(changed(6, false).await, Some(vec![(JULIET.into(), 1)]));
    assert_eq!(changed(5, false).await, Some(vec![]));
    assert_eq!(changed(5, true).await, Some(vec![("a@b".into(), 1), (JULIET.into(), 1)]));
    assert_eq!(changed(9, true).await, Some(vec![("c@d".into(), 0)]));
    assert_eq!((changed(9, false).await, changed(4, true).await), (Some(vec![]), None));
    let room = load(&storage, "coven").await.unwrap();
    assert_eq!((room.version, room.shown_version), (10, 8));
    // Nor is it a change when the ban ends, or there is another one.
    let more = vec![affiliation(JULIET, 0), affiliation(JULIET, 1), affiliation(ROMEO, 3)];
    assert_eq!(storage.room_set_affiliations(id, more).await.unwrap(), 13);
    assert_eq!(changed(8, false).await, Some(vec![(ROMEO.into(), 3)]));
    assert_eq!(storage.room_changes(id, 7, false).await.unwrap().unwrap()[0].version, 8);
    storage.room_set_affiliations(id, vec![affiliation(JULIET, 0)]).await.unwrap();
    assert_eq!(load(&storage, "coven").await.unwrap().shown_version, 13);
}

#[tokio::test]
async fn what_was_taken_away_long_ago_is_forgotten() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "coven", true).await;
    let guests = |affiliated: u8| (0..600).map(move |n| affiliation(&format!("guest{n}@x"), affiliated)).collect();
    let others = |affiliated: u8| (0..600).map(move |n| affiliation(&format!("other{n}@x"), affiliated)).collect();
    for changes in [guests(2), guests(0), others(2), others(0)] {
        storage.room_set_affiliations(id, changes).await.unwrap();
    }
    // The guests went from version 602 on: of the first 200 of them that is not known any more.
    let changes = async |since| storage.room_changes(id, since, true).await.unwrap().map(|changes| changes.len());
    assert_eq!((changes(601).await, changes(800).await), (None, None));
    assert_eq!((changes(801).await, changes(1_801).await), (Some(400), Some(600)));
}

/// Who takes the name of a removed account inherits nothing; a ban outlives the account.
#[tokio::test]
async fn affiliations_go_with_the_account_and_bans_stay() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, JULIET).await;
    let (one, other) = (made(&storage, "one", true).await, made(&storage, "other", true).await);
    storage.room_set_affiliations(one, vec![affiliation(JULIET, 3)]).await.unwrap();
    storage.room_set_affiliations(other, vec![affiliation(JULIET, 1)]).await.unwrap();
    storage.account_delete(juliet).await.unwrap();
    let of = async |name| {
        let room = load(&storage, name).await.unwrap();
        let hers = room.affiliations.iter().find(|a| a.jid == JULIET).map(|a| a.affiliation);
        (hers, room.version, room.shown_version)
    };
    assert_eq!((of("one").await, of("other").await), ((None, 3, 3), (Some(1), 2, 1)));
    assert_eq!(storage.room_changes(one, 2, false).await.unwrap().unwrap()[0].affiliation, 0);
}

#[tokio::test]
async fn lists_are_pages_of_what_one_may_see() {
    let storage = Storage::temporary().await.unwrap();
    for (name, public) in [("d", true), ("b", false), ("a", true), ("c", true), ("e", false)] {
        let id = made(&storage, name, public).await;
        let hers = if name == "b" { 2 } else { 1 };
        storage.room_set_affiliations(id, vec![affiliation(JULIET, hers)]).await.unwrap();
    }
    let elsewhere = NewRoom { jid: "a@other.example".into(), ..new("a", true) };
    storage.room_create(elsewhere, 9, 9).await.unwrap();
    let (all, everybody, hers) = (RoomsFor::Operator, RoomsFor::Everybody, RoomsFor::Member(JULIET));
    let rows = [
        (all, "", 9, vec!["a", "b", "c", "d", "e"]),
        (all, "b", 2, vec!["c", "d"]),
        (everybody, "", 2, vec!["a", "c"]),
        (everybody, "c@rooms.example", 9, vec!["d"]),
        (hers, "", 3, vec!["a", "b", "c"]),
        (hers, "b", 9, vec!["c", "d"]),
    ];
    for (seen_by, after, limit, expected) in rows {
        let page = storage.rooms_page(SERVICE, after, limit, seen_by).await.unwrap();
        assert_eq!(names(&page), expected, "{seen_by:?} {after} {limit}");
    }
    let hidden = &storage.rooms_page(SERVICE, "a", 1, hers).await.unwrap()[0];
    assert_eq!((hidden.affiliation, hidden.config.as_str()), (Some(2), "config of b"));
    let mut counts = Vec::new();
    for seen_by in [all, everybody, hers] {
        counts.push(storage.rooms_count(SERVICE, seen_by).await.unwrap());
    }
    assert_eq!(counts, [5, 3, 4]);
    assert_eq!(storage.rooms_count("nowhere.example", all).await.unwrap(), 0);
}

/// Also after another title was given.
#[tokio::test]
async fn public_rooms_are_found_by_their_words() {
    let storage = Storage::temporary().await.unwrap();
    let listed = |public, title: &str, description: &str| RoomListed {
        public,
        title: title.into(),
        description: description.into(),
        lang: String::new(),
    };
    let rooms = [
        ("heath", listed(true, "A desert place", "Thunder and lightning")),
        ("coven", listed(true, "A Dark Cave", "in the middle, a boiling cauldron")),
        ("secret", listed(false, "A Dark Secret", "")),
    ];
    for (name, listed) in rooms {
        let room = NewRoom { listed, ..new(name, true) };
        storage.room_create(room, 9, 9).await.unwrap();
    }
    let found = async |words: &[&str], columns, after: &str| {
        let page = storage.rooms_with(SERVICE, words, columns, after, 9).await.unwrap();
        names(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = [true; 3];
    assert_eq!(found(&["DARK"], all, "").await, ["coven"]);
    assert_eq!(found(&["a"], all, "").await, ["coven", "heath"]);
    assert_eq!(found(&["a"], all, "coven").await, ["heath"]);
    assert_eq!(found(&["a", "thun"], all, "").await, ["heath"]);
    assert_eq!(found(&["thunder"], [true, true, false], "").await, [""; 0]);
    assert_eq!(found(&["heath"], [true, false, false], "").await, ["heath"]);
    assert_eq!(found(&["\"x"], all, "").await, [""; 0]);
    let id = load(&storage, "heath").await.unwrap().id;
    storage.room_configure(id, "c".into(), listed(true, "Forres", ""), Vec::new()).await.unwrap();
    assert_eq!((found(&["forres"], all, "").await, found(&["thunder"], all, "").await), (vec!["heath".into()], vec![]));
    storage.room_destroy(id, None).await.unwrap();
    assert!(found(&["forres"], all, "").await.is_empty());
}

#[tokio::test]
async fn there_are_only_so_many_rooms() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "one", true).await;
    assert_eq!(storage.room_create(new("two", true), 1, 9).await.unwrap(), RoomCreated::TooMany);
    assert_eq!(storage.room_create(new("two", true), 9, 1).await.unwrap(), RoomCreated::TooMany);
    assert!(storage.room_destroy(id, None).await.unwrap());
    assert!(!storage.room_destroy(id, None).await.unwrap());
    assert!(matches!(storage.room_create(new("two", true), 1, 1).await.unwrap(), RoomCreated::Made(_)));
}

#[tokio::test]
async fn the_name_of_a_destroyed_room_is_kept() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "coven", true).await;
    let gone = RoomGone { gone_us: 10, until_us: 20, alternate: Some("x@y".into()), reason: None };
    assert!(storage.room_destroy(id, Some(gone.clone())).await.unwrap());
    assert_eq!(storage.room_load("coven@rooms.example").await.unwrap(), RoomFound::Gone(gone.clone()));
    let at = |created_us| NewRoom { created_us, ..new("coven", true) };
    assert_eq!(storage.room_create(at(19), 9, 9).await.unwrap(), RoomCreated::Gone);
    assert_eq!(storage.rooms_gone_expire(19).await.unwrap(), 0);
    assert!(matches!(storage.room_create(at(20), 9, 9).await.unwrap(), RoomCreated::Made(_)));
    assert_eq!(storage.rooms_gone_expire(20).await.unwrap(), 1);
    let id = load(&storage, "coven").await.unwrap().id;
    storage.room_destroy(id, Some(gone)).await.unwrap();
    assert!(storage.room_unbury("coven@rooms.example").await.unwrap());
    assert!(!storage.room_unbury("coven@rooms.example").await.unwrap());
    assert_eq!(storage.room_load("coven@rooms.example").await.unwrap(), RoomFound::None);
}

#[tokio::test]
async fn who_is_kept_out_is_remembered() {
    let storage = Storage::temporary().await.unwrap();
    let block =
        |jid: &str, reason: Option<&str>| RoomBlock { jid: jid.into(), since_us: 3, reason: reason.map(str::to_owned) };
    for block in [block("a@b", None), block("x.example", None), block("a@b", Some("again"))] {
        storage.room_block(SERVICE, block).await.unwrap();
    }
    let kept_out = storage.room_blocks(SERVICE).await.unwrap();
    assert_eq!(kept_out, [block("a@b", Some("again")), block("x.example", None)]);
    assert!(storage.room_unblock(SERVICE, "a@b").await.unwrap());
    assert!(!storage.room_unblock(SERVICE, "a@b").await.unwrap());
    assert!(storage.room_blocks("other.example").await.unwrap().is_empty());
}

fn said(room: RoomId, id: i64, sender: &str, text: &str) -> RoomArchiveRow {
    RoomArchiveRow {
        room,
        id,
        sender: sender.into(),
        resource: (sender == ROMEO).then(|| "a b".into()),
        mark: Storage::archive_mark(Some(text)),
        stanza: format!("<message id='{text}'><body>{text}</body></message>").into(),
        subject: None,
    }
}

#[tokio::test]
async fn what_is_said_in_a_room_is_read_page_by_page() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, JULIET).await;
    let (room, other) = (made(&storage, "one", true).await, made(&storage, "other", true).await);
    // The key of an account and of a room may be the same number.
    assert_eq!(juliet.0, room.0);
    let mut commits = Vec::new();
    for n in 1..=100 {
        let sender = if n % 2 == 0 { ROMEO } else { JULIET };
        commits.push(storage.room_archive(said(room, n * 10, sender, &format!("text{n}")), None));
        commits.push(storage.room_archive(said(other, n * 10 + 1, sender, "elsewhere"), None));
    }
    for commit in commits {
        commit.await.unwrap();
    }
    let all = ArchiveQuery::default();
    assert_eq!(storage.archive_count(room, &all, 1_000).await.unwrap(), 100);
    assert_eq!(storage.archive_count(juliet, &all, 1_000).await.unwrap(), 0);
    assert_eq!(storage.archive_bounds(room).await.unwrap(), Some((10, 1000)));
    assert!(storage.archive_knows(room, &[10, 1000]).await.unwrap());
    assert!(!storage.archive_knows(room, &[11]).await.unwrap());
    let page =
        storage.archive_page(room, &ArchiveQuery { after: 500, ..all.clone() }, PageFrom::Oldest, 2, 9_999).await;
    let page = page.unwrap();
    let seen: Vec<_> = page.messages.iter().map(|m| (m.id, m.author.as_deref().unwrap(), m.stanza.as_str())).collect();
    let expected = [
        (510, JULIET, "<message id='text51'><body>text51</body></message>"),
        (520, "romeo@montague.example/a b", "<message id='text52'><body>text52</body></message>"),
    ];
    assert_eq!((seen, page.more), (expected.to_vec(), true));
    let his = ArchiveQuery { peer: Some(ROMEO.into()), ..all };
    assert_eq!(storage.archive_count(room, &his, 1_000).await.unwrap(), 50);
    let last: Vec<i64> = storage.room_archive_last(room, 975, 9, 9_999).await.unwrap().iter().map(|m| m.id).collect();
    assert_eq!(last, [980, 990, 1000]);
    // Moderation names an id; a retraction also its author.
    let tombstone = |_: &str| Some("<gone/>".to_owned());
    assert!(!storage.archive_replace(room, 980, Some(JULIET), tombstone).await.unwrap());
    assert!(storage.archive_replace(room, 980, Some(ROMEO), tombstone).await.unwrap());
    assert!(storage.archive_replace(room, 990, None, tombstone).await.unwrap());
    assert!(!storage.archive_replace(room, 991, None, tombstone).await.unwrap(), "that is in another room");
    let last = storage.room_archive_last(room, 975, 2, 9_999).await.unwrap();
    assert_eq!(last[0].stanza, "<gone/>");
    assert!(last[1].stanza.contains("text100"));
}

/// Configuration and affiliations: both or neither.
#[tokio::test]
async fn a_form_is_stored_as_a_whole() {
    let storage = Storage::temporary().await.unwrap();
    let id = made(&storage, "one", true).await;
    let named = |jid: &str| RoomAffiliation { nick: Some("witch".into()), ..affiliation(jid, 2) };
    let configure = |config: &str, changes| storage.room_configure(id, config.into(), RoomListed::default(), changes);
    assert_eq!(configure("first", vec![named(JULIET)]).await.unwrap(), Some(2));
    assert!(matches!(configure("second", vec![named("c@d.example")]).await, Err(Error::Conflict)));
    let room = load(&storage, "one").await.unwrap();
    assert_eq!((room.config.as_str(), room.version, room.affiliations.len()), ("first", 2, 2));
}

/// In one transaction: the archive and the room agree on the subject.
#[tokio::test]
async fn a_subject_is_archived_and_in_force_at_once() {
    let storage = Storage::temporary().await.unwrap();
    let room = made(&storage, "one", true).await;
    let subject = |n: i64| RoomArchiveRow { subject: Some((format!("<{n}/>"), n)), ..said(room, n, ROMEO, "text") };
    let first = storage.room_archive(subject(1), None);
    let message = storage.room_archive(said(room, 2, ROMEO, "text"), None);
    let second = storage.room_archive(subject(3), None);
    let nowhere = storage.room_archive(RoomArchiveRow { room: RoomId(999), ..subject(4) }, None);
    for commit in [first, message, second] {
        commit.await.unwrap();
    }
    assert!(matches!(nowhere.await, Err(Error::NotFound)));
    let RoomFound::Room(found) = storage.room_load(&format!("one@{SERVICE}")).await.unwrap() else { panic!("no room") };
    assert_eq!((found.subject.as_deref(), found.subject_us), (Some("<3/>"), Some(3)));
    let new = NewRoom { jid: format!("two@{SERVICE}"), subject: Some(("<5/>".into(), 5)), ..NewRoom::default() };
    storage.room_create(new, 9, 9).await.unwrap();
    let RoomFound::Room(found) = storage.room_load(&format!("two@{SERVICE}")).await.unwrap() else { panic!("no room") };
    assert_eq!((found.subject.as_deref(), found.subject_us), (Some("<5/>"), Some(5)));
}

#[tokio::test]
async fn what_is_said_in_a_room_goes_in_time_and_with_it() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, JULIET).await;
    let room = made(&storage, "one", true).await;
    for n in 1..=100 {
        storage.room_archive(said(room, n, ROMEO, "text"), None).await.unwrap();
    }
    let row = ArchiveRow {
        owner: juliet.into(),
        id: 5,
        peer: ROMEO.into(),
        resource: None,
        mark: 0,
        stanza: "<message/>".into(),
        subject: None,
    };
    storage.archive_store(row, Box::new(|stored| stored.unwrap()));
    assert_eq!(storage.archive_expire(ArchiveShelf::Rooms, 51).await.unwrap(), 50);
    assert_eq!(storage.archive_expire(ArchiveShelf::Accounts, 5).await.unwrap(), 0);
    assert_eq!(storage.archive_purge(room, 61).await.unwrap(), 10);
    assert_eq!(storage.archive_bounds(room).await.unwrap(), Some((61, 100)));
    storage.room_destroy(room, None).await.unwrap();
    assert_eq!(storage.archive_bounds(room).await.unwrap(), None);
    let late = storage.room_archive(said(room, 200, ROMEO, "late"), None).await;
    assert!(matches!(late, Err(Error::NotFound)), "{late:?}");
    // The next one of the name begins anew.
    let again = made(&storage, "one", true).await;
    assert_ne!(again, room);
    assert_eq!(storage.archive_bounds(again).await.unwrap(), None);
    assert_eq!(storage.archive_bounds(juliet).await.unwrap(), Some((5, 5)));
}

#[tokio::test]
async fn words_are_found_in_rooms() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, JULIET).await;
    let room = made(&storage, "one", true).await;
    storage.room_archive(said(room, 7, ROMEO, "cauldron"), None).await.unwrap();
    let found = storage.archive_unindexed(room, 9).await.unwrap();
    let (row, upto, stanza) = &found.messages[0];
    storage.archive_index(room, found.after, *upto, vec![(*row, stanza.len(), "a cauldron".into())]).await.unwrap();
    assert!(storage.archive_unindexed(room, 9).await.unwrap().messages.is_empty());
    let search = async |owner: ArchiveOwner| {
        let query = ArchiveQuery { words: Storage::archive_words(owner, "Cauldron"), ..ArchiveQuery::default() };
        storage.archive_page(owner, &query, PageFrom::Oldest, 9, 9_999).await.unwrap().messages.len()
    };
    assert_eq!((search(room.into()).await, search(juliet.into()).await), (1, 0));
    storage.archive_replace(room, 7, None, |_| Some("<gone/>".into())).await.unwrap();
    assert_eq!(search(room.into()).await, 0);
}

/// An id is given once, whichever archive had the last one.
#[tokio::test]
async fn ids_go_on_where_rooms_ended() {
    let (_dir, options) = scratch();
    let storage = Storage::open(options.clone()).await.unwrap();
    let room = made(&storage, "one", true).await;
    storage.room_archive(said(room, 1_000, ROMEO, "x"), None).await.unwrap();
    storage.close().await.unwrap();
    assert_eq!(Storage::open(options).await.unwrap().archive_id(5), 1_001);
}

/// Hats come with the room, and go with it, with the hat, and with the account of who wears them.
#[tokio::test]
async fn hats_are_worn() {
    let storage = Storage::temporary().await.unwrap();
    let juliet = account(&storage, JULIET).await;
    let hat = |uri: &str, title: &str| RoomHat { uri: uri.into(), title: title.into(), hue: None };
    let worn = |who: &str, uri: &str| (who.to_owned(), uri.to_owned());
    let first = RoomHats { hats: vec![hat("urn:a", "A")], worn: vec![worn(JULIET, "urn:a")] };
    let RoomCreated::Made(id) =
        storage.room_create(NewRoom { hats: first.clone(), ..new("coven", true) }, 9, 9).await.unwrap()
    else {
        panic!("no room");
    };
    let hats = async || load(&storage, "coven").await.unwrap().hats;
    assert_eq!(hats().await, first);
    let purple = RoomHat { hue: Some("285".into()), ..hat("urn:a", "Purple") };
    storage.room_set_hat(id, purple.clone()).await.unwrap();
    storage.room_set_hat(id, hat("urn:b", "B")).await.unwrap();
    for uri in ["urn:a", "urn:b", "urn:b"] {
        storage.room_wear_hat(id, ROMEO.into(), uri.into(), true).await.unwrap();
    }
    storage.room_wear_hat(id, ROMEO.into(), "urn:a".into(), false).await.unwrap();
    let expected = vec![worn(JULIET, "urn:a"), worn(ROMEO, "urn:b")];
    assert_eq!(hats().await, RoomHats { hats: vec![purple, hat("urn:b", "B")], worn: expected });
    let none = storage.room_wear_hat(id, ROMEO.into(), "urn:c".into(), true).await;
    assert!(matches!(none, Err(Error::NotFound)), "{none:?}");
    storage.account_delete(juliet).await.unwrap();
    assert_eq!(hats().await.worn, [worn(ROMEO, "urn:b")]);
    storage.room_destroy_hat(id, "urn:b".into()).await.unwrap();
    assert_eq!((hats().await.hats.len(), hats().await.worn.len()), (1, 0));
    storage.room_destroy(id, None).await.unwrap();
    let gone = storage.room_set_hat(id, hat("urn:a", "A")).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
}
