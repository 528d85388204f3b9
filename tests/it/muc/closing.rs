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
    server.restart_with(|config| config.rooms.destroyed_days = 0);
    let mut stranger = server.login("stranger", "secret", "road");
    knock(&mut stranger, "me", "");
    assert_eq!(condition(&stranger.next()), ("cancel", "gone"), "what was said then holds");
    server.stop();
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
