//! §7.14: leaving a room, in whatever way.

use super::*;

/// With a last word.
#[test]
fn one_says_so() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'><status>gone</status></presence>"));
    let left = |x: &str| {
        format!(
            "<presence from='{ROOM}/thirdwitch' to='{{jid}}' type='unavailable'><status>gone</status>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'>{x}</x></presence>"
        )
    };
    hag.expect(&left("<item affiliation='none' role='none'/><status code='110'/>"));
    for client in [&mut crone, &mut wicca] {
        client.expect(&left("<item affiliation='none' jid='{hag}' role='none'/>"));
    }
    // She is not told any more, and may come back.
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    settle(&mut crone, &mut []);
    hag.expect_nothing();
    enter(&mut hag, "thirdwitch");
}

/// Unavailable to all is unavailable to the room, and the end of the stream is both.
#[test]
fn the_client_goes() {
    let server = TestServer::start();
    let (mut crone, wicca, mut hag) = coven(&server);
    hag.send("<presence type='unavailable'/>");
    crone.expect(&gone("thirdwitch", "<item affiliation='none' jid='{hag}' role='none'/>"));
    wicca.close();
    crone.expect(&gone("secondwitch", "<item affiliation='admin' jid='{wicca}' role='none'/>"));
}

/// The last one has left: a temporary room is no more.
#[test]
fn the_last_one() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    crone.send(&format!("<presence to='{ROOM}/firstwitch' type='unavailable'/>"));
    crone.sync();
    let mut hag = server.online("hag", "pda");
    let seen = enter(&mut hag, "thirdwitch");
    assert_eq!(codes(&seen[0]), ["110", "201"]);
    assert_eq!(server.server().core().rooms.len(), 1);
    hag.send("<presence type='unavailable'/>");
    refused(&mut hag, "get", "http://jabber.org/protocol/disco#info", "", ("cancel", "item-not-found"));
}

/// §10.1.3: who leaves before the room is configured takes it along.
#[test]
fn before_it_is_configured() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    crone.close();
    let mut hag = server.online("hag", "pda");
    let seen = enter(&mut hag, "thirdwitch");
    assert_eq!(codes(&seen[0]), ["110", "201"]);
}

/// One of two sessions leaves: the other one is seen again, as it was.
#[test]
fn one_session_of_two() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    hag.send(&format!("<presence to='{ROOM}/thirdwitch'><show>dnd</show></presence>"));
    settle(&mut hag, &mut [&mut crone, &mut wicca]);
    let mut home = server.login("hag", "secret", "home");
    enter(&mut home, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut home]);
    home.send(&format!("<presence to='{ROOM}/thirdwitch'><show>away</show></presence>"));
    settle(&mut home, &mut [&mut crone, &mut wicca, &mut hag]);
    home.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    home.sync();
    let shown = |x: &str| {
        format!(
            "<presence from='{ROOM}/thirdwitch' to='{{jid}}' id='{{opt}}'><show>dnd</show>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'>{x}</x></presence>"
        )
    };
    for client in [&mut crone, &mut wicca] {
        client.expect(&shown("<item affiliation='none' jid='hag@im.example/pda' role='participant'/>"));
    }
    hag.expect(&shown("<item affiliation='none' role='participant'/><status code='110'/>"));
    // The one that is not seen leaves silently.
    let mut home = server.login("hag", "secret", "home");
    enter(&mut home, "thirdwitch");
    settle(&mut home, &mut [&mut crone, &mut wicca, &mut hag]);
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    settle(&mut home, &mut []);
    crone.expect_nothing();
}

/// §11.2: the service ends, and with it the stay of who cannot be resumed.
#[test]
fn the_service_ends() {
    let mut server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let other = "heath@conference.im.example/toad";
    hag.send(&format!("<presence to='{other}'><x xmlns='{MUC}'/></presence>"));
    settle(&mut hag, &mut [&mut crone, &mut wicca]);
    server.stop();
    let over = |jid: &str| {
        format!(
            "<presence from='{jid}' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
             <item affiliation='none' role='none'/><status code='110'/><status code='332'/></x></presence>"
        )
    };
    for (client, nick) in [(&mut crone, "firstwitch"), (&mut wicca, "secondwitch"), (&mut hag, "thirdwitch")] {
        client.expect(&over(&format!("{ROOM}/{nick}")));
        if nick == "thirdwitch" {
            client.expect(&over(other));
        }
        client.expect_stream_error("system-shutdown");
    }
}
