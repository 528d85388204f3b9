//! §7.4, §8.1, §17.2: messages to all, and the subject.

use super::*;

/// §7.4: everybody gets it, its sender included, with the id it came with.
#[test]
fn to_all() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    hag.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='hysf1v37'><body>'tis time</body><x xmlns='{USER}'><status code='307'/></x>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2000-01-01T00:00:00Z'/><thing xmlns='urn:x'/></message>"
    ));
    for client in [&mut crone, &mut wicca, &mut hag] {
        client.expect(&format!(
            "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='groupchat' id='hysf1v37'><body>'tis time</body>\
             <thing xmlns='urn:x'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/></message>"
        ));
    }
}

/// XEP-0421: the same for all sessions and visits of a user, and nobody else's.
#[test]
fn occupant_ids() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let id = |el: &El| el.find("occupant-id", "urn:xmpp:occupant-id:0").and_then(|o| o.attr("id").map(str::to_owned));
    let mut hecate = server.online("hecate", "broom");
    let first: Vec<_> = enter(&mut hecate, "Hecate")[..4].iter().map(id).collect();
    hecate.send(&format!("<presence to='{ROOM}/Hecate' type='unavailable'/>"));
    settle(&mut crone, &mut [&mut hecate, &mut hag]);
    let again: Vec<_> = enter(&mut hecate, "Moon")[..4].iter().map(id).collect();
    assert_eq!(first, again);
    let different: std::collections::BTreeSet<_> = first.iter().flatten().collect();
    assert_eq!(different.len(), 4);
}

/// §7.4, §17.2 numbers 2 and 3: who is not in the room, and rooms that are none.
#[test]
fn from_outside() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    expect_error(&mut hecate, "message", "m", ("modify", "not-acceptable"));
    hecate.send("<message to='none@conference.im.example' type='groupchat' id='m'><body>hi</body></message>");
    expect_error(&mut hecate, "message", "m", ("cancel", "item-not-found"));
    settle(&mut hecate, &mut []);
    crone.expect_nothing();
}

/// §7.4: a visitor has no voice.
#[test]
fn without_voice() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_moderatedroom", "1")]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    assert!(seen[3].raw.contains("visitor"), "{}", seen[3].raw);
    hecate.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    expect_error(&mut hecate, "message", "m", ("auth", "forbidden"));
}

/// §17.2 number 1: a message to the room that is not for all.
#[test]
fn of_another_type() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<message to='{ROOM}' type='chat' id='m'><body>hi</body></message>"));
    expect_error(&mut hag, "message", "m", ("modify", "bad-request"));
}

/// Messages have a size, and so has the wait.
#[test]
fn too_large() {
    let server = TestServer::with(|c| c.limits.room_message_bytes_max = 1_000);
    let (_crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>{}</body></message>", "x".repeat(1_000)));
    expect_error(&mut hag, "message", "m", ("modify", "policy-violation"));
}

/// §8.1: moderators change the subject, others only if the owner wants it.
#[test]
fn subject() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let change = format!("<message to='{ROOM}' type='groupchat' id='s'><subject>Fire Burn</subject></message>");
    hag.send(&change);
    expect_error(&mut hag, "message", "s", ("auth", "forbidden"));
    wicca.send(&change);
    let reflected = |nick: &str, content: &str| {
        format!(
            "<message from='{ROOM}/{nick}' to='{{jid}}' type='groupchat' id='s'>{content}\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/></message>"
        )
    };
    for client in [&mut crone, &mut wicca, &mut hag] {
        client.expect(&reflected("secondwitch", "<subject>Fire Burn</subject>"));
    }
    configure(&mut crone, &[("muc#roomconfig_changesubject", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='s'><subject/></message>"));
    crone.expect(&reflected("thirdwitch", "<subject/>"));
    // A message with a body is none.
    crone.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='s'><subject>Not this</subject><body>hi</body></message>"
    ));
    settle(&mut crone, &mut []);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter_with(&mut hecate, "Hecate", "<history maxstanzas='0'/>");
    let subject = seen.last().expect("a subject");
    assert_eq!(subject.find("subject", "jabber:client").map(El::text).as_deref(), Some(""));
    assert_eq!(subject.attr("from"), Some(&*format!("{ROOM}/thirdwitch")));
}

/// §18.1.2, §11.1: a client that does not take what it is sent is removed.
#[test]
fn ghosts() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let error = "<error type='cancel'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='error' id='m'>{error}</message>"));
    hag.expect(&gone("thirdwitch", "<item affiliation='none' role='none'/><status code='110'/><status code='333'/>"));
    crone.expect(&gone("thirdwitch", "<item affiliation='none' jid='{hag}' role='none'/><status code='333'/>"));
    // Other errors mean nothing.
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    let error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    hecate.send(&format!("<message to='{ROOM}' type='error' id='m'>{error}</message>"));
    settle(&mut hecate, &mut []);
}
