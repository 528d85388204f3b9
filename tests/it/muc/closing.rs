//! Rooms that are gone or closed, and users a service keeps out.

use super::*;
use magpie::storage::RoomBlock;

const SERVICE: &str = "conference.im.example";

fn persistent(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, mut wicca, mut hag) = coven(server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag)
}

/// RFC 6120 §8.3.3.5: clients go on trying to enter, and must not make a room of somebody else by that.
#[test]
fn the_name_of_a_destroyed_room_is_kept() {
    let mut server = TestServer::start();
    let (mut crone, _wicca, _hag) = persistent(&server);
    let alternate = "heath@conference.im.example";
    set(&mut crone, OWNER, &format!("<destroy jid='{alternate}'><reason>moved</reason></destroy>"));
    let mut stranger = server.online("stranger", "road");
    knock(&mut stranger, "me", "");
    let refused = stranger.next();
    assert_eq!((refused.attr("type"), condition(&refused)), (Some("error"), ("cancel", "gone")), "{}", refused.raw);
    assert!(
        refused.raw.contains("xmpp:heath@conference.im.example?join") && refused.raw.contains("moved"),
        "{}",
        refused.raw
    );
    // Who asks before entering is told the same.
    refused_info(&mut stranger);
    server.restart_with(|config| config.rooms.destroyed_days = 0);
    let mut stranger = server.login("stranger", "secret", "road");
    knock(&mut stranger, "me", "");
    assert_eq!(condition(&stranger.next()), ("cancel", "gone"), "what was said then holds");
    server.stop();
}

#[track_caller]
fn refused_info(client: &mut Client) {
    refused(client, "get", "http://jabber.org/protocol/disco#info", "", ("cancel", "gone"));
}

#[test]
fn without_the_setting_names_are_free_at_once() {
    let server = TestServer::with(|config| config.rooms.destroyed_days = 0);
    let (mut crone, _wicca, _hag) = persistent(&server);
    set(&mut crone, OWNER, "<destroy/>");
    let mut stranger = server.online("stranger", "road");
    enter(&mut stranger, "me");
}

fn keep_out(server: &TestServer, jid: &str) {
    let block = RoomBlock { jid: jid.into(), since_us: 1, reason: Some("spam".into()) };
    let core = server.server().core().clone();
    server.runtime().block_on(magpie::xep::muc::keep_out(&core, SERVICE, block)).expect("kept out");
}

/// A user is put out of all rooms and does not get into any.
#[test]
fn a_user_is_kept_out() {
    let mut server = TestServer::start();
    let (_crone, _wicca, mut hag) = persistent(&server);
    hag.sync();
    keep_out(&server, "hag@im.example");
    let out = hag.next();
    assert!(out.raw.contains("unavailable") && out.raw.contains("307") && out.raw.contains("spam"), "{}", out.raw);
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("auth", "forbidden"));
    hag.send(&format!("<presence to='other@{SERVICE}/me' id='join'><x xmlns='{MUC}'/></presence>"));
    expect_error(&mut hag, "presence", "join", ("auth", "forbidden"));
    // Over a restart as well.
    server.restart();
    let mut hag = server.login("hag", "secret", "pda");
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("auth", "forbidden"));
    let core = server.server().core().clone();
    let was = server.runtime().block_on(magpie::xep::muc::let_in(&core, SERVICE, "hag@im.example"));
    assert!(was.expect("let in"));
    enter(&mut hag, "thirdwitch");
    server.stop();
}

/// Nobody gets into a room that is closed.
#[test]
fn a_room_is_closed() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = persistent(&server);
    hag.sync();
    crone.sync();
    keep_out(&server, ROOM);
    assert!(crone.next().raw.contains("unavailable"));
    knock(&mut crone, "firstwitch", "");
    let mut seen = crone.next();
    while seen.attr("id") != Some("join") {
        seen = crone.next();
    }
    assert_eq!(condition(&seen), ("auth", "forbidden"));
}

/// Nobody finds what nobody may enter, and who is kept out finds nothing.
#[test]
fn what_is_closed_is_not_listed() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = persistent(&server);
    let list = |client: &mut Client| {
        client.sync();
        let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        client.send(&format!("<iq type='get' id='q' to='{SERVICE}'>{query}</iq>"));
        answer(client)
    };
    assert!(list(&mut hag).raw.contains(ROOM));
    keep_out(&server, ROOM);
    assert!(!list(&mut hag).raw.contains(ROOM));
    refused(&mut crone, "get", "http://jabber.org/protocol/disco#info", "", ("auth", "forbidden"));
    keep_out(&server, "hag@im.example");
    assert_eq!(condition(&list(&mut hag)), ("auth", "forbidden"));
    hag.send(&format!(
        "<iq type='get' id='q' to='{SERVICE}'><search xmlns='urn:xmpp:channel-search:0:search'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>urn:xmpp:channel-search:0:search-params</value></field>\
         <field var='all'><value>true</value></field></x></search></iq>"
    ));
    assert_eq!(condition(&answer(&mut hag)), ("auth", "forbidden"));
}

/// Who is kept out does not register, and reads no card; nobody invites him.
#[test]
fn a_user_who_is_kept_out_has_nothing_to_do_with_rooms() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = persistent(&server);
    configure(&mut crone, &[("muc#roomconfig_allow_registration", "1")]);
    keep_out(&server, "hag@im.example");
    hag.sync();
    for ns in ["jabber:iq:register", "http://jabber.org/protocol/disco#info"] {
        refused(&mut hag, "get", ns, "", ("auth", "forbidden"));
    }
    hag.send(&format!("<iq type='get' id='q' to='{ROOM}'><vCard xmlns='vcard-temp'/></iq>"));
    assert_eq!(condition(&answer(&mut hag)), ("auth", "forbidden"));
    let decline = "<decline to='crone@im.example'/>";
    hag.send(&format!("<message to='{ROOM}' id='d'><x xmlns='{USER}'>{decline}</x></message>"));
    expect_error(&mut hag, "message", "d", ("auth", "forbidden"));
    crone.sync();
    let invite = "<invite to='hag@im.example'/>";
    crone.send(&format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'>{invite}</x></message>"));
    expect_error(&mut crone, "message", "i", ("cancel", "not-allowed"));
    hag.expect_nothing();
}

/// §10.9: a reason is kept with the name of the room, and is not longer than others.
#[test]
fn the_reason_of_a_destruction_is_cut() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = persistent(&server);
    let reason = "x".repeat(5_000);
    set(&mut crone, OWNER, &format!("<destroy><reason>{reason}</reason></destroy>"));
    let mut stranger = server.online("stranger", "road");
    knock(&mut stranger, "me", "");
    let told = stranger.next().raw;
    assert!(told.contains(&reason[..4_096]) && !told.contains(&reason[..4_097]), "{}", told.len());
}
