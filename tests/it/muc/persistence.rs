//! Rooms that stay: with their configuration, their people, their subject and what was said.

use super::*;

/// Over a restart.
#[test]
fn over_a_restart() {
    let mut server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_roomname", "A Dark Cave")]);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example' nick='thirdwitch'/>");
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='s'><subject>Spells</subject></message>"));
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>Thrice</body></message>"));
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    server.restart();
    // Her nickname is hers, though she is not there.
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "ThirdWitch", "");
    expect_error(&mut hecate, "presence", "join", ("cancel", "conflict"));
    let mut hag = server.login("hag", "secret", "pda");
    let seen = enter(&mut hag, "thirdwitch");
    assert!(seen[0].raw.contains("affiliation='member'"), "{}", seen[0].raw);
    hag.set_var("bare", "hag@im.example");
    assert_eq!(seen[1].find("body", "jabber:client").map(El::text).as_deref(), Some("Thrice"));
    assert!(seen[1].raw.contains("stanza-id") && seen[1].raw.contains("urn:xmpp:delay"), "{}", seen[1].raw);
    assert_eq!(seen[2].find("subject", "jabber:client").map(El::text).as_deref(), Some("Spells"));
    assert_eq!(seen[2].attr("from"), Some(&*format!("{ROOM}/firstwitch")));
    server.stop();
}

/// XEP-0359: what is reflected has the id of the archive, the same for all.
#[test]
fn archived_messages_have_ids() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    hag.sync();
    crone.sync();
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    let id = |el: &El| {
        let id = el.find("stanza-id", "urn:xmpp:sid:0").unwrap_or_else(|| panic!("no id: {}", el.raw));
        assert_eq!(id.attr("by"), Some(ROOM));
        id.attr("id").map(str::to_owned)
    };
    assert_eq!(id(&crone.next()), id(&hag.next()));
}

/// A room that nobody is in is, after a moment, on disk and nowhere else; destroyed, not even there.
#[test]
fn a_quiet_room_is_not_in_memory() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    crone.send(&format!("<presence to='{ROOM}/firstwitch' type='unavailable'/>"));
    crone.expect(&gone("firstwitch", "<item affiliation='owner' jid='{jid}' role='none'/><status code='110'/>"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !server.server().core().rooms.is_empty() {
        server.server().core().rooms.forget_lingering();
        assert!(std::time::Instant::now() < deadline, "the room stays in memory");
        std::thread::yield_now();
    }
    let seen = enter(&mut crone, "firstwitch");
    assert_eq!(codes(&seen[0]), ["110"]);
    set(&mut crone, OWNER, "<destroy/>");
    knock(&mut crone, "firstwitch", "");
    expect_error(&mut crone, "presence", "join", ("cancel", "gone"));
}

/// A room nobody is in is read once for several questions, and is what it was.
#[test]
fn an_empty_room_is_asked() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_roomname", "Cave")]);
    for client in [&mut crone, &mut wicca, &mut hag] {
        client.send("<presence type='unavailable'/>");
        client.sync();
    }
    let rooms = &server.server().core().rooms;
    for _ in 0..2 {
        ask(&mut hag, "get", "http://jabber.org/protocol/disco#info", "");
        assert!(answer(&mut hag).raw.contains("Cave"));
        assert!(hag.sync().is_empty());
        set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
        rooms.forget_lingering();
        ask(&mut crone, "get", ADMIN, "<item affiliation='member'/>");
        assert!(answer(&mut crone).raw.contains("hag@im.example"));
    }
    // It may not rest yet when the answer is there.
    while !rooms.is_empty() {
        rooms.forget_lingering();
        crone.sync();
    }
    crone.send("<presence/>");
    enter(&mut crone, "firstwitch");
    rooms.forget_lingering();
    assert_eq!(rooms.len(), 1, "somebody is in it");
}
