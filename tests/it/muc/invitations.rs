//! §7.8: invitations by the room, and who says no; §7.13, §8.6: asking for voice.

use super::*;

fn invite(to: &str) -> String {
    format!(
        "<message to='{ROOM}' id='i'><x xmlns='{USER}'><invite to='{to}'><reason>Hey</reason></invite></x></message>"
    )
}

/// §7.8.2.
#[test]
fn invited_and_refused() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let fields = [("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")];
    configure(&mut crone, &fields);
    crone.sync();
    let mut hecate = server.online("hecate", "broom");
    crone.send(&invite("hecate@im.example"));
    hecate.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}' id='i'><x xmlns='{USER}'><invite from='crone@im.example'>\
         <reason>Hey</reason></invite><password>cauldronburn</password></x></message>"
    ));
    hecate.send(&format!(
        "<message to='{ROOM}' id='d'><x xmlns='{USER}'><decline to='crone@im.example'><reason>No</reason></decline></x></message>"
    ));
    crone.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}' id='d'><x xmlns='{USER}'><decline from='hecate@im.example'>\
         <reason>No</reason></decline></x></message>"
    ));
}

/// §7.9: a chat of two becomes one of three.
#[test]
fn a_chat_goes_on() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    crone.send(&format!(
        "<message to='{ROOM}' id='i'><x xmlns='{USER}'><invite to='{{hecate}}'><continue thread='e0ffe'/></invite>\
         <invite to='hag@im.example'/></x></message>"
    ));
    hecate.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}' id='i'><x xmlns='{USER}'><invite from='crone@im.example'>\
         <continue thread='e0ffe'/></invite></x></message>"
    ));
}

/// §7.8.2, §9.5: the errors.
#[test]
fn that_are_refused() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    crone.send(&invite("nobody@im.example"));
    expect_error(&mut crone, "message", "i", ("cancel", "item-not-found"));
    crone.send(&invite("@"));
    expect_error(&mut crone, "message", "i", ("modify", "jid-malformed"));
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&invite("hag@im.example"));
    expect_error(&mut hecate, "message", "i", ("modify", "not-acceptable"));
    // A refusal is no way to write to others in the name of the room, nor to find out who is there.
    hecate.send(&format!(
        "<message to='{ROOM}' id='i'><x xmlns='{USER}'><decline to='hecate@im.example'/></x></message>"
    ));
    hecate
        .send(&format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'><decline to='crone@im.example'/></x></message>"));
    assert!(hecate.sync().is_empty());
    settle(&mut crone, &mut []);
    hecate.expect_nothing();
    // Members-only: admins invite, and who is invited becomes a member; others only if the owner wants it.
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    hag.send(&invite("hecate@im.example"));
    expect_error(&mut hag, "message", "i", ("auth", "forbidden"));
    knock(&mut hecate, "Hecate", "");
    expect_error(&mut hecate, "presence", "join", ("auth", "registration-required"));
    configure(&mut crone, &[("muc#roomconfig_allowinvites", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    hag.send(&invite("hecate@im.example"));
    assert!(hecate.next().raw.contains("invite"));
    enter(&mut hecate, "Hecate");
}

/// §7.13, §8.6: a visitor asks, a moderator gives.
#[test]
fn voice() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_moderatedroom", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    settle(&mut hecate, &mut [&mut crone, &mut wicca, &mut hag]);
    let request = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>\
        <field var='muc#role'><value>participant</value></field>";
    let form = |fields: &str| {
        format!("<message to='{ROOM}' id='v'><x xmlns='jabber:x:data' type='submit'>{fields}</x></message>")
    };
    hecate.send(&form(request));
    let asked = crone.next();
    let x = asked.find("x", "jabber:x:data").expect("a form");
    let value = |var: &str| {
        let field =
            x.elements().find(|f| f.attr("var") == Some(var)).and_then(|f| f.elements().find(|v| v.name == "value"));
        field.map(El::text)
    };
    assert_eq!(value("muc#roomnick").as_deref(), Some("Hecate"));
    assert_eq!(value("muc#jid").as_deref(), Some("hecate@im.example/broom"));
    assert_eq!(value("muc#request_allow").as_deref(), Some("false"));
    assert!(wicca.next().raw.contains("muc#request_allow"));
    // The moderators have heard it.
    hecate.send(&form(request));
    expect_error(&mut hecate, "message", "v", ("wait", "policy-violation"));
    let approval = format!(
        "{request}<field var='muc#roomnick'><value>Hecate</value></field>\
         <field var='muc#request_allow'><value>true</value></field>"
    );
    // Not by herself.
    hecate.send(&form(&approval));
    expect_error(&mut hecate, "message", "v", ("auth", "forbidden"));
    crone.send(&form(&approval));
    hecate.expect(&shown("Hecate", "<item affiliation='none' role='participant'/><status code='110'/>"));
    hag.expect(&shown("Hecate", "<item affiliation='none' role='participant'/>"));
    // Who has it need not ask.
    hecate.send(&form(request));
    expect_error(&mut hecate, "message", "v", ("modify", "bad-request"));
}
