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
    let mut hag = server.login("hag", "secret", "pda");
    let seen = enter(&mut hag, "thirdwitch");
    assert!(seen[0].raw.contains("affiliation='member'"), "{}", seen[0].raw);
    hag.set_var("bare", "hag@im.example");
    assert_eq!(seen[1].find("body", "jabber:client").map(El::text).as_deref(), Some("Thrice"));
    assert!(seen[1].raw.contains("stanza-id") && seen[1].raw.contains("urn:xmpp:delay"), "{}", seen[1].raw);
    assert_eq!(seen[2].find("subject", "jabber:client").map(El::text).as_deref(), Some("Spells"));
    assert_eq!(seen[2].attr("from"), Some(&*format!("{ROOM}/firstwitch")));
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "ThirdWitch", "");
    expect_error(&mut hecate, "presence", "join", ("cancel", "conflict"));
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

/// A room that nobody is in is on disk and nowhere else; destroyed, not even there.
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
        assert!(std::time::Instant::now() < deadline, "the room stays in memory");
        std::thread::yield_now();
    }
    let seen = enter(&mut crone, "firstwitch");
    assert_eq!(codes(&seen[0]), ["110"]);
    set(&mut crone, OWNER, "<destroy/>");
    knock(&mut crone, "firstwitch", "");
    expect_error(&mut crone, "presence", "join", ("cancel", "gone"));
}
