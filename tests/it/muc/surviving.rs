//! Rooms over the end of the server: who can resume (XEP-0198) is in the room again, who cannot is told so.

use super::*;

const SM: &str = "urn:xmpp:sm:3";

/// Can be resumed from now on; with which name.
#[track_caller]
fn enable(client: &mut Client) -> String {
    client.send(&format!("<enable xmlns='{SM}' resume='true'/>"));
    let enabled = client.next();
    assert!(enabled.is("enabled", SM), "{}", enabled.raw);
    enabled.attr("id").expect("an id").to_owned()
}

/// Tells that it has everything it was sent: so many stanzas since then.
#[track_caller]
fn acknowledge(client: &mut Client, h: usize) {
    client.send(&format!("<a xmlns='{SM}' h='{h}'/>"));
    client.send(&format!("<r xmlns='{SM}'/>"));
    while !client.next().is("a", SM) {}
}

/// Has heard that the server has everything it sent: it need not send it again.
#[track_caller]
fn be_acknowledged(client: &mut Client) {
    client.send(&format!("<r xmlns='{SM}'/>"));
    while !client.next().is("a", SM) {}
}

/// Back again, as if nothing had happened.
#[track_caller]
fn resume(server: &TestServer, user: &str, id: &str, h: usize) -> Client {
    let mut client = server.connect_tls();
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256", user, "secret");
    client.open_to_features();
    client.send(&format!("<resume xmlns='{SM}' previd='{id}' h='{h}'/>"));
    let resumed = client.next();
    assert!(resumed.is("resumed", SM), "{}", resumed.raw);
    client
}

/// How many of these count.
fn stanzas(seen: &[El]) -> usize {
    seen.iter().filter(|el| el.ns != SM).count()
}

/// The next stanza that is neither a request for an acknowledgement nor one.
#[track_caller]
fn next(client: &mut Client) -> El {
    loop {
        let el = client.next();
        if el.ns != SM {
            return el;
        }
    }
}

#[test]
fn who_can_resume_is_in_the_room_again() {
    let mut server = TestServer::start();
    for user in ["crone", "hag"] {
        server.account(user, "secret");
    }
    let mut crone = server.login("crone", "secret", "home");
    crone.available();
    let crones = enable(&mut crone);
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    let mut hag = server.login("hag", "secret", "home");
    hag.available();
    let hags = enable(&mut hag);
    let mut seen = stanzas(&enter(&mut hag, "thirdwitch"));
    // She cannot resume.
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    assert_eq!(next(&mut hag).attr("from"), Some(&*format!("{ROOM}/Hecate")));
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='1'><body>one</body></message>"));
    assert_eq!(next(&mut hag).attr("id"), Some("1"));
    seen += 2;
    acknowledge(&mut hag, seen);
    be_acknowledged(&mut crone);
    server.crash();
    let mut hag = resume(&server, "hag", &hags, seen);
    // Who is gone is seen to be gone; nothing comes twice.
    let gone = next(&mut hag);
    assert_eq!((gone.attr("from"), gone.attr("type")), (Some(&*format!("{ROOM}/Hecate")), Some("unavailable")));
    assert_eq!(codes(&gone), ["333"]);
    let mut crone = resume(&server, "crone", &crones, 0);
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='2'><body>two</body></message>"));
    let two = next(&mut hag);
    assert_eq!((two.attr("id"), two.attr("from")), (Some("2"), Some(&*format!("{ROOM}/firstwitch"))));
    hag.send(&format!("<iq to='{ROOM}/thirdwitch' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"));
    assert_eq!(next(&mut hag).attr("type"), Some("result"));
    // Who comes anew sees both.
    let mut hecate = server.login("hecate", "secret", "broom");
    let seen = enter(&mut hecate, "Hecate");
    let from: Vec<_> = seen.iter().filter(|el| el.name == "presence").filter_map(|el| el.attr("from")).collect();
    assert_eq!(from.len(), 3, "{from:?}");
}

/// What was said while she had no connection is given to her after the restart, once.
#[test]
fn what_was_missed() {
    let mut server = TestServer::start();
    server.account("hag", "secret");
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    let mut hag = server.login("hag", "secret", "home");
    hag.available();
    let hags = enable(&mut hag);
    let seen = stanzas(&enter(&mut hag, "thirdwitch"));
    acknowledge(&mut hag, seen);
    drop(hag);
    for n in 1..=3 {
        crone.send(&format!("<message to='{ROOM}' type='groupchat' id='{n}'><body>{n}</body></message>"));
    }
    settle(&mut crone, &mut []);
    server.crash();
    let mut hag = resume(&server, "hag", &hags, seen);
    let mut got = Vec::new();
    hag.send("<iq type='get' id='end' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    loop {
        let el = next(&mut hag);
        if el.attr("id") == Some("end") {
            break;
        }
        got.extend(el.attr("id").filter(|_| el.name == "message").map(str::to_owned));
    }
    assert_eq!(got, ["1", "2", "3"]);
}

/// A temporary room is gone; who was in it is not left in the dark.
#[test]
fn a_temporary_room_is_gone() {
    let mut server = TestServer::start();
    server.account("crone", "secret");
    let mut crone = server.login("crone", "secret", "home");
    crone.available();
    let id = enable(&mut crone);
    create(&mut crone, "firstwitch");
    server.crash();
    let mut crone = resume(&server, "crone", &id, 0);
    loop {
        let el = next(&mut crone);
        if el.attr("type") == Some("unavailable") {
            assert_eq!(
                (el.attr("from"), codes(&el)),
                (Some(&*format!("{ROOM}/firstwitch")), vec!["110".into(), "332".into()])
            );
            break;
        }
    }
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    let el = next(&mut crone);
    assert_eq!(condition(&el), ("cancel", "item-not-found"));
}

/// Who cannot resume and speaks is told that she is not in the room.
#[test]
fn who_cannot_resume_is_told() {
    let mut server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    server.crash();
    let mut crone = server.login("crone", "secret", "desktop");
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    expect_error(&mut crone, "message", "m", ("modify", "not-acceptable"));
}

/// Whom the operator or the room keeps out meanwhile does not come back.
#[test]
fn who_is_kept_out_meanwhile() {
    let mut server = TestServer::start();
    server.account("hag", "secret");
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    let mut hag = server.login("hag", "secret", "home");
    hag.available();
    let hags = enable(&mut hag);
    let seen = stanzas(&enter(&mut hag, "thirdwitch"));
    acknowledge(&mut hag, seen);
    // As the command does it while the server is down.
    let core = server.server().core().clone();
    let block = magpie::storage::RoomBlock { jid: "hag@im.example".into(), since_us: 1, reason: None };
    server.runtime().block_on(core.storage.room_block("conference.im.example", block)).expect("kept out");
    drop(core);
    server.crash();
    let mut hag = resume(&server, "hag", &hags, seen);
    let out = next(&mut hag);
    assert_eq!((out.attr("from"), out.attr("type")), (Some(&*format!("{ROOM}/thirdwitch")), Some("unavailable")));
    assert_eq!(codes(&out), ["110", "307"]);
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    assert_eq!(condition(&next(&mut hag)).1, "not-acceptable");
}
