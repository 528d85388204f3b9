//! §17.4 number 3, RFC 6120 §8.2.3: who asks an occupant is answered once, whatever becomes of the one who is asked.

use super::*;

/// Sends a request, which arrives; its id there.
#[track_caller]
fn version(hag: &mut Client, crone: &mut Client, id: &str) -> String {
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='{id}'><query xmlns='jabber:iq:version'/></iq>"));
    asked(crone, "thirdwitch")
}

/// The id of what this occupant asks.
fn asked(crone: &mut Client, by: &str) -> String {
    loop {
        let el = crone.next();
        if el.name == "iq" {
            assert_eq!(el.attr("from"), Some(&*format!("{ROOM}/{by}")), "{}", el.raw);
            return el.attr("id").expect("an id").to_owned();
        }
    }
}

fn reply(client: &mut Client, id: &str) {
    client.send(&format!("<iq to='{ROOM}/thirdwitch' type='result' id='{id}'><query xmlns='jabber:iq:version'/></iq>"));
}

/// The next answer; presence is passed over.
#[track_caller]
fn answered(client: &mut Client, id: &str) -> El {
    loop {
        let el = client.next();
        if el.name == "iq" {
            let expected = (Some(&*format!("{ROOM}/firstwitch")), Some(id));
            assert_eq!((el.attr("from"), el.attr("id")), (expected.0, expected.1), "{}", el.raw);
            return el;
        }
    }
}

/// What the room says for one who will not answer; and nothing more is heard of it.
#[track_caller]
fn given_up(hag: &mut Client, id: &str) {
    let error = answered(hag, id);
    assert_eq!(condition(&error), ("wait", "recipient-unavailable"), "{}", error.raw);
    assert!(hag.sync().iter().all(|el| el.name == "presence"));
}

#[test]
fn of_who_leaves() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let id = version(&mut hag, &mut crone, "v");
    crone.send(&format!("<presence type='unavailable' to='{ROOM}/firstwitch'/>"));
    reply(&mut crone, &id);
    crone.sync();
    given_up(&mut hag, "v");
}

#[test]
fn of_who_is_kicked() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    hag.send(&format!("<iq to='{ROOM}/Hecate' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"));
    settle(&mut hag, &mut []);
    set(&mut wicca, ADMIN, "<item nick='Hecate' role='none'/>");
    let seen = hag.sync();
    let answers: Vec<_> = seen.iter().filter(|el| el.name == "iq").collect();
    assert_eq!(answers.len(), 1, "{seen:?}");
    assert_eq!((answers[0].attr("id"), condition(answers[0])), (Some("v"), ("wait", "recipient-unavailable")));
    drop(crone);
}

/// Its client was not given the request, or was and has not answered.
#[test]
fn of_whose_connection_ends() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    version(&mut hag, &mut crone, "v");
    crone.close();
    given_up(&mut hag, "v");
}

/// Names change; who has asked and who was asked does not.
#[test]
fn over_a_change_of_nickname() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let id = version(&mut hag, &mut crone, "v");
    hag.send(&format!("<presence to='{ROOM}/oldhag'/>"));
    crone.send(&format!("<presence to='{ROOM}/oldcrone'/>"));
    settle(&mut crone, &mut []);
    reply(&mut crone, &id);
    assert_eq!(answered(&mut hag, "v").attr("type"), Some("result"));
}

/// Who has left the room meanwhile waits all the same.
#[test]
fn of_who_asked_and_left() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let id = version(&mut hag, &mut crone, "v");
    hag.send(&format!("<presence type='unavailable' to='{ROOM}/thirdwitch'/>"));
    hag.sync();
    reply(&mut crone, &id);
    assert_eq!(answered(&mut hag, "v").attr("type"), Some("result"));
}

/// Nobody else answers, and nobody twice.
#[test]
fn only_by_who_was_asked() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let id = version(&mut hag, &mut crone, "v");
    reply(&mut wicca, &id);
    settle(&mut wicca, &mut []);
    hag.expect_nothing();
    reply(&mut crone, &id);
    reply(&mut crone, &id);
    settle(&mut crone, &mut []);
    assert_eq!(answered(&mut hag, "v").attr("type"), Some("result"));
    hag.expect_nothing();
}

/// Of those of somebody that one session does not answer, the oldest is given up. Those of others are not.
#[test]
fn too_many() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    wicca.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='w'><query xmlns='jabber:iq:version'/></iq>"));
    settle(&mut wicca, &mut []);
    let id = asked(&mut crone, "secondwitch");
    for n in 0..=100 {
        version(&mut hag, &mut crone, &n.to_string());
    }
    for n in 0..=80 {
        assert_eq!(condition(&answered(&mut hag, &n.to_string())), ("wait", "remote-server-timeout"));
    }
    crone.send(&format!("<iq to='{ROOM}/secondwitch' type='result' id='{id}'><query xmlns='jabber:iq:version'/></iq>"));
    assert_eq!(answered(&mut wicca, "w").attr("type"), Some("result"));
    let long = "x".repeat(1_025);
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='{long}'><query xmlns='jabber:iq:version'/></iq>"));
    expect_error(&mut hag, "iq", &long, ("modify", "policy-violation"));
}

/// A session has ended, and the room has not heard of it yet: nothing is swallowed.
#[test]
fn of_a_session_that_is_just_ending() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    let account = server.server().core().accounts.find("crone@im.example").expect("an account");
    drop(account.lock().resource("desktop").expect("a session").resource.outbox.shut());
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='p'><body>psst</body></message>"));
    expect_error(&mut hag, "message", "p", ("wait", "recipient-unavailable"));
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"));
    expect_error(&mut hag, "iq", "v", ("wait", "recipient-unavailable"));
}

/// XEP-0054: the address in a card is for those who see addresses.
#[test]
fn for_a_card() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    crone.send(
        "<iq type='set' id='c'><vCard xmlns='vcard-temp'><FN>Crone</FN><JABBERID>crone@im.example</JABBERID></vCard></iq>",
    );
    crone.expect("<iq type='result' id='c' to='{jid}'/>");
    for (client, told) in [(&mut hag, false), (&mut wicca, true)] {
        client.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='c'><vCard xmlns='vcard-temp'/></iq>"));
        let card = answered(client, "c").raw;
        assert!(card.contains("<FN>") && card.contains("JABBERID") == told, "{card}");
    }
}
