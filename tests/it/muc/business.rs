//! §11.2, §13, §17: rules for addresses, messages, presence and requests, and the end of the service.

use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";

/// §17.1: a room has a name, and a nickname can be seen.
#[test]
fn addresses() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&format!("<presence to='conference.im.example/Hecate' id='join'><x xmlns='{MUC}'/></presence>"));
    expect_error(&mut hecate, "presence", "join", ("modify", "jid-malformed"));
    for nick in [" ", "\u{a0}\u{3000}"] {
        knock(&mut hecate, nick, "");
        expect_error(&mut hecate, "presence", "join", ("modify", "jid-malformed"));
        hag.send(&format!("<presence to='{ROOM}/{nick}' id='n'/>"));
        expect_error(&mut hag, "presence", "n", ("modify", "jid-malformed"));
    }
    settle(&mut hecate, &mut []);
    crone.expect_nothing();
}

/// §17.2 number 3: what is not unlocked yet is no room.
#[test]
fn messages_to_a_locked_room() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    let mut hag = server.online("hag", "pda");
    for (to, kind) in [("", "groupchat"), ("", "normal"), ("/firstwitch", "chat")] {
        hag.send(&format!("<message to='{ROOM}{to}' type='{kind}' id='m'><body>hi</body></message>"));
        expect_error(&mut hag, "message", "m", ("cancel", "item-not-found"));
    }
    for ns in [INFO, ADMIN, "jabber:iq:register"] {
        refused(&mut hag, "get", ns, "", ("cancel", "item-not-found"));
    }
    hag.send(&format!("<message to='{ROOM}/nobody' type='chat' id='m'><body>hi</body></message>"));
    expect_error(&mut hag, "message", "m", ("cancel", "item-not-found"));
    crone.expect_nothing();
}

/// §13, §17.2 number 4: the language and whatever else is in a message comes through.
#[test]
fn what_a_message_says() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let content = "<body>Wann treffen wir drei</body><body xml:lang='en'>When shall we three</body>\
        <html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>Wann</body></html>";
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m' xml:lang='de'>{content}</message>"));
    crone.expect(&format!(
        "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='groupchat' id='m' xml:lang='de'>{content}\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/></message>"
    ));
    // §7.5: a private one need not be a chat, nor say that it is private.
    hag.send(&format!("<message to='{ROOM}/firstwitch' id='p'><body>psst</body></message>"));
    crone.expect(&format!(
        "<message from='{ROOM}/thirdwitch' to='{{jid}}' id='p'><body>psst</body>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'/></message>"
    ));
}

/// §17.3 numbers 1 and 2: neither a way in nor a way out.
#[test]
fn presence_of_other_types() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    for kind in ["probe", "error"] {
        hecate.send(&format!("<presence to='{ROOM}/Hecate' type='{kind}' id='p'><x xmlns='{MUC}'/></presence>"));
        hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='{kind}' id='p'/>"));
    }
    for client in [&mut hecate, &mut hag] {
        let answers = client.sync();
        assert!(answers.iter().all(|el| el.attr("type") == Some("error")), "{answers:?}");
    }
    crone.expect_nothing();
    // She is in the room still, and the other is not.
    for (client, nick, is_in) in [(&mut hag, "thirdwitch", true), (&mut hecate, "Hecate", false)] {
        client.send(&format!("<iq to='{ROOM}/{nick}' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>"));
        assert_eq!(answer(client).attr("type") == Some("result"), is_in);
    }
}

/// §17.3 numbers 6 to 9: what a client says of roles is not passed on, what else it says is; and what it is, is said from now
/// on.
#[test]
fn what_presence_says() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='visitor'/>");
    settle(&mut wicca, &mut [&mut crone, &mut hag]);
    let forged = format!(
        "<x xmlns='{USER}'><item affiliation='owner' role='moderator'/><status code='307'/></x>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
    );
    let tune = "<tune xmlns='urn:x'><title>Dies irae</title></tune>";
    hag.send(&format!("<presence to='{ROOM}/thirdwitch'><status>stirring</status>{forged}{tune}</presence>"));
    let said = |kind: &str, before: &str, x: &str| {
        format!(
            "<presence from='{ROOM}/thirdwitch' to='{{jid}}'{kind}><status>stirring</status>{before}\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{id}}'/><x xmlns='{USER}'>{x}</x></presence>"
        )
    };
    crone.expect(&said("", tune, "<item affiliation='none' jid='{hag}' role='visitor'/>"));
    assert_ne!(crone.var("id"), "forged");
    hag.send(&format!(
        "<presence to='{ROOM}/thirdwitch' type='unavailable'><status>stirring</status>{forged}</presence>"
    ));
    crone.expect(&said(" type='unavailable'", "", "<item affiliation='none' jid='{hag}' role='none'/>"));
}

/// §17.4 number 1, §6.6: what a room does not know, and rooms that are none.
#[test]
fn requests() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    for kind in ["get", "set"] {
        refused(&mut hag, kind, "urn:x", "", ("cancel", "service-unavailable"));
    }
    crone.expect_nothing();
    for what in ["info", "items"] {
        let ns = format!("http://jabber.org/protocol/disco#{what}");
        hag.send(&format!("<iq to='none@conference.im.example/x' type='get' id='q'><query xmlns='{ns}'/></iq>"));
        assert_eq!(condition(&answer(&mut hag)), ("modify", "bad-request"));
    }
    for ns in [OWNER, ADMIN] {
        hag.send(&format!("<iq to='none@conference.im.example' type='get' id='q'><query xmlns='{ns}'/></iq>"));
        assert_eq!(condition(&answer(&mut hag)), ("cancel", "item-not-found"));
    }
}

/// §7.2.18: a room that is none is not made by presence that only tells how somebody is.
#[test]
fn presence_for_no_room() {
    let server = TestServer::start();
    let mut hag = server.online("hag", "pda");
    hag.send(&format!("<presence to='{ROOM}/thirdwitch'/>"));
    assert_eq!(codes(&hag.next()), ["110", "307", "333"]);
    hag.expect_nothing();
    let mut crone = server.online("crone", "desktop");
    assert_eq!(codes(&enter(&mut crone, "firstwitch")[0]), ["110", "201"]);
}

/// §11.2: whoever operates the server turns the service off.
#[test]
fn the_service_ends() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_persistentroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let core = server.server().core().clone();
    server.runtime().block_on(magpie::xep::muc::shut(&core));
    for (client, nick) in [(&mut crone, "firstwitch"), (&mut wicca, "secondwitch"), (&mut hag, "thirdwitch")] {
        client.expect(&format!(
            "<presence from='{ROOM}/{nick}' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
             <item affiliation='none' role='none'/><status code='110'/><status code='332'/></x></presence>"
        ));
        client.expect_nothing();
    }
    // The room is there when the service is.
    let seen = enter(&mut hag, "thirdwitch");
    assert_eq!(codes(&seen[0]), ["110"]);
}
