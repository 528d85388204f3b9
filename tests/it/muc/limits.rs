//! §14.6: what is bounded in rooms, and what is answered then.

use super::*;

/// Rooms one is in at the same time.
#[test]
fn rooms_of_a_session() {
    let server = TestServer::with(|c| c.limits.rooms_per_session_max = 2);
    let mut hag = server.online("hag", "pda");
    let knock_at = |client: &mut Client, room: &str| {
        client.send(&format!("<presence to='{room}@conference.im.example/me' id='join'><x xmlns='{MUC}'/></presence>"));
    };
    for room in ["a", "b"] {
        knock_at(&mut hag, room);
        assert_eq!(codes(&hag.next()), ["110", "201"]);
        hag.next();
    }
    knock_at(&mut hag, "c");
    expect_error(&mut hag, "presence", "join", ("wait", "resource-constraint"));
    // Again into one of them is no third one; and there is a place when she has left one.
    hag.send("<presence to='a@conference.im.example/me' type='unavailable'/>");
    assert_eq!(hag.next().attr("type"), Some("unavailable"));
    knock_at(&mut hag, "c");
    assert_eq!(codes(&hag.next()), ["110", "201"]);
}

/// Persistent rooms one owns; rooms of the service.
#[test]
fn rooms_that_stay() {
    for service in [false, true] {
        let server = TestServer::with(|c| match service {
            true => c.limits.rooms_per_service_max = 1,
            false => c.limits.rooms_per_owner_max = 1,
        });
        let mut crone = server.online("crone", "desktop");
        create(&mut crone, "firstwitch");
        configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
        let heath = "heath@conference.im.example";
        crone.send(&format!("<presence to='{heath}/me'><x xmlns='{MUC}'/></presence>"));
        let persistent = form(&[("muc#roomconfig_persistentroom", "1")]);
        crone.send(&format!("<iq type='set' id='q' to='{heath}'><query xmlns='{OWNER}'>{persistent}</query></iq>"));
        assert_eq!(condition(&answer(&mut crone)), ("wait", "resource-constraint"));
        // One that does not stay is no burden.
        crone.send(&format!("<iq type='set' id='q' to='{heath}'><query xmlns='{OWNER}'>{}</query></iq>", form(&[])));
        assert_eq!(answer(&mut crone).attr("type"), Some("result"));
    }
}

/// Entries in a room's lists, however one gets there.
#[test]
fn affiliations() {
    let server = TestServer::with(|c| c.limits.room_affiliations_max = 3);
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='macbeth@im.example'/>");
    let full = ("wait", "resource-constraint");
    refused(&mut crone, "set", ADMIN, "<item affiliation='member' jid='hag@im.example'/>", full);
    configure(&mut crone, &[("muc#roomconfig_allow_registration", "1")]);
    let register = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/muc#register</value></field>\
        <field var='muc#register_roomnick'><value>thirdwitch</value></field></x>";
    refused(&mut hag, "set", "jabber:iq:register", register, full);
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    crone.send(&format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'><invite to='hag@im.example'/></x></message>"));
    expect_error(&mut crone, "message", "i", full);
    // What is there may change.
    set(&mut crone, ADMIN, "<item affiliation='member' jid='macbeth@im.example'/>");
}

/// What is written about a room or a decision: refused, or shortened.
#[test]
fn texts() {
    let server = TestServer::with(|c| c.limits.room_text_bytes_max = 100);
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let long = "x".repeat(101);
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='s'><subject>{long}</subject></message>"));
    expect_error(&mut crone, "message", "s", ("modify", "not-acceptable"));
    let fields = [("muc#roomconfig_roomname", &*long)];
    refused(&mut crone, "set", OWNER, &form(&fields), ("modify", "not-acceptable"));
    set(&mut crone, ADMIN, &format!("<item nick='thirdwitch' role='none'><reason>{long}</reason></item>"));
    for client in [&mut wicca, &mut hag] {
        let out = client.next();
        let item = out.find("x", USER).and_then(|x| x.elements().next()).expect("an item");
        assert_eq!(item.find("reason", USER).map(|reason| reason.text().len()), Some(100));
    }
}

/// Invitations in one message.
#[test]
fn invitations() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let invites = "<invite to='hag@im.example'/>".repeat(51);
    crone.send(&format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'>{invites}</x></message>"));
    expect_error(&mut crone, "message", "i", ("modify", "policy-violation"));
    settle(&mut crone, &mut []);
    hag.expect_nothing();
}

/// Private messages have a size, too.
#[test]
fn private_messages() {
    let server = TestServer::with(|c| c.limits.room_message_bytes_max = 1_000);
    let (mut crone, _wicca, mut hag) = coven(&server);
    let body = "x".repeat(1_000);
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='m'><body>{body}</body></message>"));
    expect_error(&mut hag, "message", "m", ("modify", "policy-violation"));
    settle(&mut hag, &mut []);
    crone.expect_nothing();
}

/// §10.1.1: nobody makes rooms but who operates the server; what there is can be entered.
#[test]
fn nobody_makes_rooms() {
    let mut server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    server.restart_with(|c| c.rooms.create = magpie::config::RoomCreation::Nobody);
    let mut crone = server.login("crone", "secret", "desktop");
    enter(&mut crone, "firstwitch");
    crone.send(&format!("<presence to='heath@conference.im.example/me' id='join'><x xmlns='{MUC}'/></presence>"));
    expect_error(&mut crone, "presence", "join", ("cancel", "not-allowed"));
    server.stop();
}
