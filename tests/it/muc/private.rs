//! §7.5, §6.6, §17.4: from one occupant to another; XEP-0410: pings to oneself.

use super::*;

/// §7.5: to all sessions of the nickname; nobody learns who it is from.
#[test]
fn messages() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut cave = server.login("crone", "secret", "cave");
    enter(&mut cave, "firstwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut cave]);
    hag.send(&format!(
        "<message to='{ROOM}/firstwitch' type='chat' id='p'><body>psst</body><x xmlns='{USER}'/></message>"
    ));
    for client in [&mut crone, &mut cave] {
        client.expect(&format!(
            "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='chat' id='p'><body>psst</body>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'/></message>"
        ));
    }
    settle(&mut hag, &mut [&mut crone]);
    wicca.expect_nothing();
}

/// §7.5: the errors.
#[test]
fn messages_that_are_refused() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let send = |client: &mut Client, kind: &str, nick: &str| {
        client.send(&format!("<message to='{ROOM}/{nick}' type='{kind}' id='p'><body>psst</body></message>"));
    };
    send(&mut hag, "groupchat", "firstwitch");
    expect_error(&mut hag, "message", "p", ("modify", "bad-request"));
    for nick in ["nobody", "FIRSTWITCH"] {
        send(&mut hag, "chat", nick);
        expect_error(&mut hag, "message", "p", ("cancel", "item-not-found"));
    }
    let mut hecate = server.online("hecate", "broom");
    send(&mut hecate, "chat", "firstwitch");
    expect_error(&mut hecate, "message", "p", ("modify", "not-acceptable"));
    // `muc#roomconfig_allowpm`.
    for (allowed, outcome) in [("none", false), ("moderators", true), ("participants", true), ("anyone", true)] {
        configure(&mut crone, &[("muc#roomconfig_allowpm", allowed)]);
        hag.sync();
        send(&mut hag, "chat", "firstwitch");
        if !outcome {
            expect_error(&mut hag, "message", "p", ("auth", "forbidden"));
        }
        send(&mut hag, "chat", "thirdwitch");
        let el = hag.next();
        let expected = matches!(allowed, "participants" | "anyone");
        assert_eq!(el.attr("type") == Some("chat"), expected, "{allowed}: {}", el.raw);
    }
}

/// Who has sent a private message learns that it was refused, and nothing else: no words, no addresses.
#[test]
fn errors_come_back() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='p'><body>psst</body></message>"));
    crone.sync();
    crone.send(&format!(
        "<message to='{ROOM}/thirdwitch' type='error' id='p'><body>psst</body><error type='auth'>\
         <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>hello there</text></error></message>"
    ));
    hag.expect(&format!(
        "<message from='{ROOM}/firstwitch' to='{{jid}}' type='error' id='p'><error type='modify'>\
         <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    // Once, and about nothing but what was sent.
    for id in ["p", "q"] {
        crone.send(&format!(
            "<message to='{ROOM}/thirdwitch' type='error' id='{id}'><error type='auth'>\
             <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        ));
    }
    settle(&mut crone, &mut []);
    hag.expect_nothing();
}

/// What only the room may say is not in what an occupant sends.
#[test]
fn nobody_speaks_for_the_room() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!(
        "<message to='{ROOM}/firstwitch' type='chat' id='p'><body>psst</body>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-10-13T23:58:37Z'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='5'/></message>"
    ));
    crone.expect(&format!(
        "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='chat' id='p'><body>psst</body>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'/></message>"
    ));
}

/// XEP-0191 §3.3: who is blocked does not get through by way of a room either.
#[test]
fn blocked() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    crone.send(&format!(
        "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{ROOM}/thirdwitch'/></block></iq>"
    ));
    crone.sync();
    hag.send(&format!("<message to='{ROOM}/firstwitch' type='chat' id='p'><body>psst</body></message>"));
    expect_error(&mut hag, "message", "p", ("cancel", "service-unavailable"));
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"));
    expect_error(&mut hag, "iq", "v", ("cancel", "service-unavailable"));
    settle(&mut hag, &mut []);
    crone.expect_nothing();
}

/// §17.4 number 3: requests go through the room, and so do their answers; addresses stay hidden.
#[test]
fn requests() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"));
    crone.expect(&format!(
        "<iq from='{ROOM}/thirdwitch' to='{{jid}}' type='get' id='{{id}}'><query xmlns='jabber:iq:version'/></iq>"
    ));
    let id = crone.var("id").to_owned();
    crone.send(&format!(
        "<iq to='{ROOM}/thirdwitch' type='result' id='{id}'><query xmlns='jabber:iq:version'><name>x</name></query></iq>"
    ));
    hag.expect(&format!(
        "<iq from='{ROOM}/firstwitch' to='{{jid}}' type='result' id='v'>\
         <query xmlns='jabber:iq:version'><name>x</name></query></iq>"
    ));
    hag.send(&format!("<iq to='{ROOM}/nobody' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>"));
    expect_error(&mut hag, "iq", "v", ("cancel", "item-not-found"));
}

/// §6.6: not from outside.
#[test]
fn requests_from_outside() {
    let server = TestServer::start();
    let (_crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    for what in ["info", "items"] {
        let ns = format!("http://jabber.org/protocol/disco#{what}");
        hecate.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='d'><query xmlns='{ns}'/></iq>"));
        expect_error(&mut hecate, "iq", "d", ("modify", "bad-request"));
    }
}

/// XEP-0054 by way of the room: the card of the user.
#[test]
fn cards() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='c'><vCard xmlns='vcard-temp'/></iq>"));
    expect_error(&mut hag, "iq", "c", ("cancel", "service-unavailable"));
    crone.send("<iq type='set' id='c'><vCard xmlns='vcard-temp'><FN>Crone</FN></vCard></iq>");
    crone.expect("<iq type='result' id='c' to='{jid}'/>");
    hag.send(&format!("<iq to='{ROOM}/firstwitch' type='get' id='c'><vCard xmlns='vcard-temp'/></iq>"));
    hag.expect(&format!(
        "<iq from='{ROOM}/firstwitch' to='{{jid}}' type='result' id='c'><vCard xmlns='vcard-temp'><FN>Crone</FN></vCard></iq>"
    ));
}

/// XEP-0410: am I in the room?
#[test]
fn pings_to_oneself() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let ping = format!("<iq to='{ROOM}/thirdwitch' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    hag.send(&ping);
    hag.expect(&format!("<iq from='{ROOM}/thirdwitch' to='{{jid}}' type='result' id='p'/>"));
    set(&mut crone, ADMIN, "<item nick='thirdwitch' role='none'/>");
    hag.sync();
    hag.send(&ping);
    expect_error(&mut hag, "iq", "p", ("modify", "not-acceptable"));
    hag.send("<iq to='none@conference.im.example/x' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    expect_error(&mut hag, "iq", "p", ("modify", "not-acceptable"));
}
