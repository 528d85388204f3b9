//! §7.1, §7.2: entering a room.

use super::*;

/// §7.1, §7.2.2, §7.2.15: presence of the others, one's own, history, subject.
#[test]
fn order_of_events() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='m1'><body>Thrice</body></message>"));
    crone.send(&format!("<message to='{ROOM}' type='groupchat' id='s1'><subject>Spells</subject></message>"));
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "Hecate", "");
    hecate.expect(&shown("firstwitch", "<item affiliation='owner' role='moderator'/>"));
    hecate.expect(&shown("secondwitch", "<item affiliation='admin' role='moderator'/>"));
    hecate.expect(&shown("thirdwitch", "<item affiliation='none' role='participant'/>"));
    hecate.expect(&shown("Hecate", "<item affiliation='none' role='participant'/><status code='110'/>"));
    hecate.expect(&format!(
        "<message from='{ROOM}/firstwitch' to='{{jid}}' type='groupchat' id='m1'><body>Thrice</body>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='{{any}}'/></message>"
    ));
    hecate.expect(&format!(
        "<message from='{ROOM}/firstwitch' to='{{jid}}' type='groupchat' id='s1'><subject>Spells</subject>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='{{any}}'/></message>"
    ));
    hecate.expect_nothing();
    // §7.2.4: moderators see who it is, the others do not.
    let with = "<item affiliation='none' jid='{hecate}' role='participant'/>";
    crone.expect(&shown("Hecate", with));
    wicca.expect(&shown("Hecate", with));
    hag.expect(&shown("Hecate", "<item affiliation='none' role='participant'/>"));
}

/// §10.1.1, §7.2.10, §7.2.15: a new room belongs to who made it, is locked, and has no subject.
#[test]
fn a_new_room() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    let mut hag = server.online("hag", "pda");
    knock(&mut crone, "firstwitch", "");
    let own = "<item affiliation='owner' jid='{crone}' role='moderator'/><status code='110'/><status code='201'/>";
    crone.expect(&shown("firstwitch", &format!("{own}{CURRENT}")));
    crone.expect(&format!("<message from='{ROOM}' to='{{jid}}' type='groupchat'><subject/></message>"));
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("cancel", "item-not-found"));
    set(&mut crone, OWNER, "<x xmlns='jabber:x:data' type='submit'/>");
    enter(&mut hag, "thirdwitch");
}

/// §7.2.1: without a nickname.
#[test]
fn a_nickname_is_needed() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    hag.send(&format!("<presence to='{ROOM}' id='join'><x xmlns='{MUC}'/></presence>"));
    expect_error(&mut hag, "presence", "join", ("modify", "jid-malformed"));
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, &"x".repeat(200), "");
    expect_error(&mut hecate, "presence", "join", ("modify", "not-acceptable"));
}

/// Everybody who enters is given it: presence has a size.
#[test]
fn presence_that_is_too_large() {
    let server = TestServer::with(|c| c.limits.room_presence_bytes_max = 1_000);
    let (mut crone, _wicca, mut hag) = coven(&server);
    let status = format!("<status>{}</status>", "x".repeat(1_000));
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' id='p'>{status}</presence>"));
    expect_error(&mut hag, "presence", "p", ("modify", "policy-violation"));
    // One may go all the same.
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'>{status}</presence>"));
    crone.expect(&gone("thirdwitch", "<item affiliation='none' jid='{hag}' role='none'/>"));
}

/// §7.2.1, §17.3 number 3: who enters again is told everything again.
#[test]
fn entering_again() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    let seen = enter(&mut hag, "thirdwitch");
    let from: Vec<_> =
        seen.iter().filter_map(|el| el.attr("from")).map(|from| from.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(from, ["firstwitch", "secondwitch", "thirdwitch", ROOM]);
    assert_eq!(codes(&seen[2]), ["110"]);
    settle(&mut crone, &mut []);
    hag.expect_nothing();
}

/// §7.2.3: in a non-anonymous room everybody sees who everybody is.
#[test]
fn non_anonymous() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_whois", "anyone")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    assert_eq!(codes(&seen[3]), ["100", "110"]);
    let jids: Vec<_> = seen[..4]
        .iter()
        .map(|el| el.find("x", USER).and_then(|x| x.elements().next()?.attr("jid").map(str::to_owned)))
        .collect();
    assert!(jids.iter().all(Option::is_some), "{jids:?}");
    hag.expect(&shown("Hecate", "<item affiliation='none' jid='{hecate}' role='participant'/>"));
}

/// §7.2.5.
#[test]
fn a_password() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let fields = [("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")];
    configure(&mut crone, &fields);
    let mut hecate = server.online("hecate", "broom");
    for x in ["", "<password>wrong</password>"] {
        knock(&mut hecate, "Hecate", x);
        expect_error(&mut hecate, "presence", "join", ("auth", "not-authorized"));
    }
    enter_with(&mut hecate, "Hecate", "<password>cauldronburn</password>");
}

/// §7.2.6.
#[test]
fn members_only() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "Hecate", "");
    expect_error(&mut hecate, "presence", "join", ("auth", "registration-required"));
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    // §9.5: a new member is invited.
    hecate.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}'><x xmlns='{USER}'><invite from='crone@im.example'/></x></message>"
    ));
    enter(&mut hecate, "Hecate");
}

/// §7.2.7, §9.2: banned, by name or by domain.
#[test]
fn banned() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hecate@im.example'/>");
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "Hecate", "");
    expect_error(&mut hecate, "presence", "join", ("auth", "forbidden"));
}

/// §7.2.8: a nickname belongs to one user, whatever its case; but to all sessions of that one.
#[test]
fn nickname_conflict() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    for nick in ["firstwitch", "FirstWitch"] {
        knock(&mut hecate, nick, "");
        expect_error(&mut hecate, "presence", "join", ("cancel", "conflict"));
    }
    let mut cave = server.login("hag", "secret", "cave");
    let seen = enter(&mut cave, "thirdwitch");
    assert_eq!(codes(&seen[2]), ["110"]);
    hag.expect(&shown("thirdwitch", "<item affiliation='none' role='participant'/><status code='110'/>"));
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut cave]);
    // What is said reaches both, and both may speak.
    cave.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    for client in [&mut hag, &mut cave, &mut crone, &mut wicca] {
        client.expect(&format!(
            "<message from='{ROOM}/thirdwitch' to='{{jid}}' type='groupchat' id='m'><body>hi</body><any/></message>"
        ));
    }
    // The one that was seen goes: who sees addresses sees the other one, for the rest nothing has changed.
    cave.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    cave.expect(&gone("thirdwitch", "<item affiliation='none' role='none'/><status code='110'/>"));
    settle(&mut cave, &mut []);
    for client in [&mut crone, &mut wicca] {
        client.expect(&shown("thirdwitch", "<item affiliation='none' jid='{hag/pda}' role='participant'/>"));
    }
    for client in [&mut hag, &mut crone] {
        client.expect_nothing();
    }
}

/// §7.2.9: as many as the owner wants; admins find a place.
#[test]
fn max_users() {
    let server = TestServer::start();
    let (mut crone, mut wicca, _hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_maxusers", "3")]);
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "Hecate", "");
    expect_error(&mut hecate, "presence", "join", ("wait", "service-unavailable"));
    wicca.send(&format!("<presence to='{ROOM}/secondwitch' type='unavailable'/>"));
    settle(&mut crone, &mut [&mut wicca]);
    enter(&mut hecate, "Hecate");
    enter(&mut wicca, "secondwitch");
}

/// §7.2.11, §10.1.1: who may make rooms.
#[test]
fn making_rooms_may_be_restricted() {
    let server = TestServer::with(|c| c.rooms.create = magpie::config::RoomCreation::Admins);
    let mut hag = server.online("hag", "pda");
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("cancel", "not-allowed"));
    let server = TestServer::with(|c| {
        c.rooms.create = magpie::config::RoomCreation::Admins;
        c.admins = vec!["hag@im.example".to_owned()];
    });
    let mut hag = server.online("hag", "pda");
    enter(&mut hag, "thirdwitch");
}

/// §7.2.12.
#[test]
fn public_logging() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_enablelogging", "1")]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    assert_eq!(codes(&seen[3]), ["110", "170"]);
}

/// §7.2.14: how much of the history.
#[test]
fn history() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    for n in 1..=5 {
        crone.send(&format!("<message to='{ROOM}' type='groupchat' id='{n}'><body>{n}</body></message>"));
    }
    settle(&mut crone, &mut []);
    let mut hecate = server.online("hecate", "broom");
    let future = "2222-01-01T00:00:00Z";
    let rows = [
        ("", vec!["1", "2", "3", "4", "5"]),
        ("<history maxstanzas='2'/>", vec!["4", "5"]),
        ("<history maxchars='0'/>", vec![]),
        ("<history maxchars='65000' maxstanzas='3'/>", vec!["3", "4", "5"]),
        ("<history seconds='1000' maxstanzas='1'/>", vec!["5"]),
        (&format!("<history since='{future}'/>"), vec![]),
        ("<history since='1970-01-01T00:00:00Z'/>", vec!["1", "2", "3", "4", "5"]),
    ];
    for (x, expected) in rows {
        let seen = enter_with(&mut hecate, "Hecate", x);
        let bodies: Vec<_> = seen.iter().filter_map(|el| Some(el.find("body", "jabber:client")?.text())).collect();
        assert_eq!(bodies, expected, "{x}");
    }
}

/// §7.2.18, XEP-0410: presence of somebody who is not in the room.
#[test]
fn presence_of_a_stranger() {
    let server = TestServer::start();
    let (_crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    hecate.send(&format!("<presence to='{ROOM}/Hecate'/>"));
    hecate.expect(&format!(
        "<presence from='{ROOM}/Hecate' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
         <item affiliation='none' role='none'><reason>{{any}}</reason></item>\
         <status code='110'/><status code='307'/><status code='333'/></x></presence>"
    ));
    // §17.3 number 5.
    hecate.send(&format!("<presence to='{ROOM}/Hecate' type='unavailable'/>"));
    hecate.expect_nothing();
}

/// `muc#roomconfig_presencebroadcast`: those who are not shown see the others.
#[test]
fn presence_that_is_not_broadcast() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_presencebroadcast", "moderator")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    let seen = enter(&mut hecate, "Hecate");
    let from: Vec<_> = seen.iter().filter_map(|el| el.attr("from")).collect();
    assert_eq!(from, [&format!("{ROOM}/firstwitch"), &format!("{ROOM}/secondwitch"), &format!("{ROOM}/Hecate"), ROOM]);
    settle(&mut crone, &mut []);
    wicca.expect_nothing();
    hag.expect_nothing();
}

/// §7.2.6 to §7.2.11: a refusal says that it is about a room, by which clients know it.
#[test]
fn a_refusal_has_the_element_of_rooms() {
    let server = TestServer::start();
    let (_crone, _wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "firstwitch", "<password>secret</password>");
    let refusal = |nick: &str| {
        format!(
            "<presence from='{ROOM}/{nick}' to='{{jid}}' type='error' id='join'><x xmlns='{MUC}'/>\
             <error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        )
    };
    hecate.expect(&refusal("firstwitch"));
    // §7.6.
    hag.send(&format!("<presence to='{ROOM}/secondwitch' id='join'/>"));
    hag.expect(&refusal("secondwitch"));
}

/// Rooms that are nowhere but in memory are bounded as well.
#[test]
fn too_many_temporary_rooms() {
    let server = TestServer::with(|config| config.limits.rooms_per_owner_max = 2);
    let mut crone = server.online("crone", "desktop");
    let enter = |client: &mut Client, room: &str| {
        let join = format!("<x xmlns='{MUC}'/>");
        client.send(&format!("<presence to='{room}@conference.im.example/witch' id='{room}'>{join}</presence>"));
        let seen = client.sync();
        seen.iter().find(|el| el.attr("type") == Some("error")).map(|el| condition(el).1.to_owned())
    };
    assert_eq!(["a", "b"].map(|room| enter(&mut crone, room)), [None, None]);
    assert_eq!(enter(&mut crone, "c").as_deref(), Some("resource-constraint"));
    // One has ended, and one is stored: both count no more.
    crone.send("<presence to='a@conference.im.example/witch' type='unavailable'/>");
    let persistent = form(&[("muc#roomconfig_persistentroom", "1")]);
    crone.send(&format!(
        "<iq type='set' id='q' to='b@conference.im.example'><query xmlns='{OWNER}'>{persistent}</query></iq>"
    ));
    assert_eq!(answer(&mut crone).attr("type"), Some("result"));
    assert_eq!(["a", "c"].map(|room| enter(&mut crone, room)), [None, None]);
    assert_eq!(enter(&mut crone, "d").as_deref(), Some("resource-constraint"));
}
