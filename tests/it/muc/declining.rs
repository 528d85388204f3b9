//! §7.8.2, §9.5, XEP-0249: invitations and refusals that are not what they should be, and direct ones.

use super::*;

fn decline(to: &str) -> String {
    format!("<message to='{ROOM}' id='d'><x xmlns='{USER}'><decline to='{to}'/></x></message>")
}

fn invite(to: &str) -> String {
    format!("<message to='{ROOM}' id='i'><x xmlns='{USER}'><invite to='{to}'/></x></message>")
}

/// The refusals of refusals.
#[test]
fn refusals() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&decline("@"));
    expect_error(&mut hecate, "message", "d", ("modify", "jid-malformed"));
    hecate.send(&decline("crone@im.example").replace(" to='crone@im.example'", ""));
    expect_error(&mut hecate, "message", "d", ("modify", "jid-malformed"));
    hecate.send(&decline("crone@im.example").replace("coven@", "none@"));
    expect_error(&mut hecate, "message", "d", ("cancel", "item-not-found"));
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hecate@im.example'/>");
    hecate.send(&decline("crone@im.example"));
    expect_error(&mut hecate, "message", "d", ("auth", "forbidden"));
    crone.expect_nothing();
}

/// To the one session that was invited, and what she says to the one who did.
#[test]
fn a_full_address() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    let mut moon = server.login("hecate", "secret", "moon");
    moon.available();
    hecate.sync();
    crone.send(&invite("hecate@im.example/broom"));
    assert!(hecate.next().raw.contains("<invite from='crone@im.example'"));
    settle(&mut crone, &mut []);
    moon.expect_nothing();
    hecate.send(&decline("crone@im.example/desktop"));
    crone.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}' id='d'><x xmlns='{USER}'><decline from='hecate@im.example'/></x></message>"
    ));
}

/// Who is banned is not invited; who invites need not know why nothing comes of it.
#[test]
fn outcasts() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hecate@im.example'/>");
    crone.send(&invite("hecate@im.example"));
    expect_error(&mut crone, "message", "i", ("cancel", "not-allowed"));
    hag.sync();
    hag.send(&invite("hecate@im.example"));
    settle(&mut hag, &mut []);
    hag.expect_nothing();
    hecate.expect_nothing();
}

/// An invitation without anybody, to a room that is none, of a service, or by somebody who is not in it.
#[test]
fn invitations_that_are_none() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    for (to, error) in [
        ("im.example", ("modify", "jid-malformed")),
        ("hag@elsewhere.example", ("cancel", "item-not-found")),
        ("x@conference.im.example", ("cancel", "item-not-found")),
    ] {
        crone.send(&invite(to));
        expect_error(&mut crone, "message", "i", error);
    }
    crone.send(&invite("hag@im.example").replace("coven@", "none@"));
    expect_error(&mut crone, "message", "i", ("cancel", "item-not-found"));
}

/// §9.5: of a members-only room only by those who are in it, and a member that is none any more is invited in vain.
#[test]
fn to_a_closed_room() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    wicca.send(&invite("hecate@im.example"));
    assert!(hecate.next().raw.contains("<invite from='wicca@im.example'"));
    set(&mut wicca, ADMIN, "<item affiliation='none' jid='hecate@im.example'/>");
    assert_eq!(codes(&hecate.next()), ["101"]);
    knock(&mut hecate, "Hecate", "");
    expect_error(&mut hecate, "presence", "join", ("auth", "registration-required"));
}

/// XEP-0249: a message like others, which the room knows nothing of.
#[test]
fn direct() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    let x = format!(
        "<x xmlns='jabber:x:conference' jid='{ROOM}' password='cauldronburn' reason='Hey' continue='true' thread='e0ffe'/>"
    );
    hag.send(&format!("<message to='hecate@im.example' id='i'>{x}</message>"));
    hecate.expect(&format!("<message from='{{hag}}' to='hecate@im.example' id='i'>{x}</message>"));
    enter(&mut hecate, "Hecate");
}
