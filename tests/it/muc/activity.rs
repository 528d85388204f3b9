//! XEP-0502: how much is said in a room.

use super::*;
use magpie::storage::{NewRoom, RoomAffiliation, RoomCreated, RoomId, RoomListed};
use std::time::SystemTime;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const HOUR_US: i64 = 3_600_000_000;

/// The field, if it is there.
fn activity(client: &mut Client) -> Option<String> {
    ask(client, "get", INFO, "");
    let answer = answer(client);
    let form = answer.find("query", INFO).and_then(|query| query.find("x", "jabber:x:data")).expect("a form");
    let field = form.elements().find(|f| f.attr("var") == Some("{urn:xmpp:muc-activity}message-activity"))?;
    assert_eq!((field.attr("type"), field.attr("label")), (Some("text-single"), Some("Messages per hour")));
    Some(field.find("value", "jabber:x:data").expect("a value").text())
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_micros()).expect("a moment")
}

/// A public room that the crone made so many hours ago.
fn old_room(server: &TestServer, hours: i64) -> RoomId {
    let storage = &server.server().core().storage;
    let crone = RoomAffiliation { jid: "crone@im.example".into(), affiliation: 4, ..RoomAffiliation::default() };
    let room = NewRoom {
        jid: ROOM.into(),
        config: "{\"persistent\":true}".into(),
        listed: RoomListed { public: true, ..RoomListed::default() },
        creator: "crone@im.example".into(),
        created_us: now_us() - hours * HOUR_US,
        affiliations: vec![crone],
        ..NewRoom::default()
    };
    match server.runtime().block_on(storage.room_create(room, 10, 10)) {
        Ok(RoomCreated::Made(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// There were so many messages, so many hours ago.
fn said(server: &TestServer, room: RoomId, hours_ago: i64, messages: u32) {
    let hour = now_us() / HOUR_US - hours_ago;
    let storage = &server.server().core().storage;
    server.runtime().block_on(storage.room_activity_add(room, hour, messages)).expect("stored");
    // Behind the back of the room, which is read anew.
    while !server.server().core().rooms.is_empty() {
        server.server().core().rooms.forget_lingering();
        std::thread::yield_now();
    }
}

/// §3.1: the mean of a day, or of as long as there is the room.
#[test]
fn messages_per_hour() {
    let server = TestServer::start();
    let room = old_room(&server, 100);
    let mut hag = server.online("hag", "pda");
    assert_eq!(activity(&mut hag).as_deref(), Some("0.00"));
    said(&server, room, 30, 1_000);
    said(&server, room, 5, 36);
    said(&server, room, 2, 12);
    assert_eq!(activity(&mut hag).as_deref(), Some("2.00"));
}

/// §3.1, §9: only of a persistent room that everybody can find and enter; there is no value that means nothing.
#[test]
fn not_of_every_room() {
    let server = TestServer::start();
    let room = old_room(&server, 100);
    said(&server, room, 5, 24);
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    assert_eq!(activity(&mut crone).as_deref(), Some("1.00"));
    for (var, off, on) in [("membersonly", "1", "0"), ("publicroom", "0", "1"), ("passwordprotectedroom", "1", "0")] {
        let var = format!("muc#roomconfig_{var}");
        configure(&mut crone, &[(&var, off), ("muc#roomconfig_roomsecret", "x")]);
        assert_eq!(activity(&mut crone), None, "{var}");
        configure(&mut crone, &[(&var, on), ("muc#roomconfig_roomsecret", "x")]);
        assert!(activity(&mut crone).is_some(), "{var}");
    }
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "0")]);
    assert_eq!(activity(&mut crone), None);
}

/// §3.1: a room that has just been made has no data.
#[test]
fn too_young() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    assert_eq!(activity(&mut crone), None);
}

/// §4: what is said counts once, and what is no message does not. It is stored when nobody is there any more.
#[test]
fn what_counts() {
    let server = TestServer::start();
    let room = old_room(&server, 100);
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    for inside in [
        "<body>one</body>",
        "<body>two</body>",
        "<subject>three</subject>",
        "<body>four</body><replace xmlns='urn:xmpp:message-correct:0' id='m'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>",
    ] {
        crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m'>{inside}</message>"));
        assert_eq!(crone.next().attr("type"), Some("groupchat"), "{inside}");
    }
    crone.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='pm'><body>five</body></message>"));
    crone.sync();
    crone.send(&format!("<presence to='{ROOM}/firstwitch' type='unavailable'/>"));
    assert_eq!(crone.next().attr("type"), Some("unavailable"));
    // It is put away when nothing waits in its inbox any more, and asked again after that.
    while server.server().core().rooms.find(ROOM).is_some() {
        server.server().core().rooms.forget_lingering();
        std::thread::yield_now();
    }
    let storage = &server.server().core().storage;
    server.runtime().block_on(storage.barrier()).expect("written");
    let hour = now_us() / HOUR_US;
    let counted = server.runtime().block_on(storage.room_activity(room, hour - 1, hour + 1));
    assert_eq!(counted.expect("read"), 2);
}
