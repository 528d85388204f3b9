//! §8.5, §9.2, §9.5, §9.8, §10.5, §10.8: lists, and changes to several of their entries at once, of which all are made or
//! none; §17.4: what is in them; §18.1 number 2: who is told though not there.

use super::*;

/// The attributes of the items of a list, in order of their nicknames and addresses.
#[track_caller]
fn list(client: &mut Client, by: &str) -> Vec<[String; 4]> {
    ask(client, "get", ADMIN, &format!("<item {by}/>"));
    let answer = answer(client);
    let query = answer.find("query", ADMIN).unwrap_or_else(|| panic!("no list: {}", answer.raw));
    let attr = |item: &El, name: &str| item.attr(name).unwrap_or("-").to_owned();
    let row = |item: &El| ["affiliation", "jid", "nick", "role"].map(|name| attr(item, name));
    let mut rows: Vec<_> = query.elements().map(row).collect();
    rows.sort();
    rows
}

fn rows<const N: usize>(rows: [[&str; 4]; N]) -> Vec<[String; 4]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

/// Two more who have come, where one needs voice to speak.
#[track_caller]
fn with_visitors(server: &TestServer, crone: &mut Client) -> (Client, Client) {
    configure(crone, &[("muc#roomconfig_moderatedroom", "1")]);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    let mut sibyl = server.online("sibyl", "cave");
    enter(&mut sibyl, "Sibyl");
    (hecate, sibyl)
}

/// §8.5: voice for several at once.
#[test]
fn the_voice_list() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let (mut hecate, mut sibyl) = with_visitors(&server, &mut crone);
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut hecate, &mut sibyl]);
    set(
        &mut wicca,
        ADMIN,
        "<item nick='Hecate' role='participant'/><item nick='Sibyl' role='participant'><reason>Worthy</reason></item>\
         <item nick='thirdwitch' role='visitor'/>",
    );
    let actor = "<actor nick='secondwitch'/>";
    for (nick, role, why) in [
        ("Hecate", "participant", ""),
        ("Sibyl", "participant", "<reason>Worthy</reason>"),
        ("thirdwitch", "visitor", ""),
    ] {
        crone
            .expect(&shown(nick, &format!("<item affiliation='none' jid='{{any}}' role='{role}'>{actor}{why}</item>")));
    }
    // §17.4 number 5.
    let voice = rows([
        ["none", "hecate@im.example/broom", "Hecate", "participant"],
        ["none", "sibyl@im.example/cave", "Sibyl", "participant"],
    ]);
    assert_eq!(list(&mut wicca, "role='participant'"), voice);
    // One of them cannot be: then none is.
    for (item, error) in [
        ("<item nick='firstwitch' role='visitor'/>", ("cancel", "not-allowed")),
        ("<item nick='nobody' role='visitor'/>", ("cancel", "item-not-found")),
        ("<item nick='Sibyl' role='king'/>", ("modify", "bad-request")),
    ] {
        refused(&mut wicca, "set", ADMIN, &format!("<item nick='Hecate' role='visitor'/>{item}"), error);
    }
    assert_eq!(list(&mut wicca, "role='participant'"), voice);
    crone.expect_nothing();
    // §8.4: what it was is said.
    let second = "<item nick='firstwitch' role='visitor'><reason>Hush</reason></item>";
    ask(&mut wicca, "set", ADMIN, &format!("<item nick='Hecate' role='visitor'/>{second}"));
    wicca.expect(&format!(
        "<iq from='{ROOM}' to='{{jid}}' type='error' id='q'><query xmlns='{ADMIN}'>{second}</query>\
         <error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
}

/// §8.4: whose affiliation is no lower keeps its voice.
#[test]
fn voice_of_ones_equals() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let (_hecate, _sibyl) = with_visitors(&server, &mut crone);
    let members =
        "<item affiliation='member' jid='hag@im.example'/><item affiliation='member' jid='hecate@im.example'/>";
    set(&mut wicca, ADMIN, members);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='moderator'/><item nick='Sibyl' role='participant'/>");
    refused(&mut hag, "set", ADMIN, "<item nick='Hecate' role='visitor'/>", ("cancel", "not-allowed"));
    refused(&mut hag, "set", ADMIN, "<item nick='secondwitch' role='visitor'/>", ("cancel", "not-allowed"));
    set(&mut hag, ADMIN, "<item nick='Sibyl' role='visitor'/>");
    set(&mut wicca, ADMIN, "<item nick='Hecate' role='visitor'/>");
}

/// §9.1, §9.2: several bans at once; what they end.
#[test]
fn the_ban_list() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    set(&mut wicca, ADMIN, "<item affiliation='member' jid='hag@im.example' nick='thirdwitch'/>");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut hecate]);
    set(
        &mut wicca,
        ADMIN,
        "<item affiliation='outcast' jid='hag@im.example'><reason>Treason</reason></item>\
         <item affiliation='outcast' jid='hecate@im.example/broom'/>",
    );
    let actor = "<actor nick='secondwitch'/>";
    crone.expect(&gone(
        "thirdwitch",
        &format!("<item affiliation='outcast' jid='{{hag}}' role='none'>{actor}<reason>Treason</reason></item><status code='301'/>{CHANGED}"),
    ));
    crone.expect(&gone(
        "Hecate",
        &format!(
            "<item affiliation='outcast' jid='{{hecate}}' role='none'>{actor}</item><status code='301'/>{CHANGED}"
        ),
    ));
    // §17.4 number 6: bare addresses, no roles, and no nicknames of those.
    let banned = rows([["outcast", "hag@im.example", "-", "-"], ["outcast", "hecate@im.example", "-", "-"]]);
    assert_eq!(list(&mut wicca, "affiliation='outcast'"), banned);
    assert_eq!(list(&mut wicca, "affiliation='member'"), rows([]));
    // §9.1: the nickname she had reserved is free.
    let mut sibyl = server.online("sibyl", "cave");
    enter(&mut sibyl, "thirdwitch");
    // The bans are ended; the one that cannot be begun keeps them all.
    let end = "<item affiliation='none' jid='hag@im.example'/><item affiliation='none' jid='hecate@im.example'/>";
    let own = "<item affiliation='outcast' jid='wicca@im.example'/>";
    refused(&mut wicca, "set", ADMIN, &format!("{end}{own}"), ("cancel", "conflict"));
    assert_eq!(list(&mut wicca, "affiliation='outcast'"), banned);
    set(&mut wicca, ADMIN, end);
    enter(&mut hecate, "Hecate");
}

/// §9.2: a whole domain, but for those who are something to the room.
#[test]
fn a_domain() {
    let server = TestServer::with(|c| c.domains.push("heath.example".into()));
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let elsewhere = |user: &str| {
        server.account(&format!("{user}@heath.example"), "secret");
        let mut client = server.connect();
        client.domain = "heath.example".into();
        client.log_in("SCRAM-SHA-256", user, "secret", "camp");
        client.available();
        client
    };
    set(&mut wicca, ADMIN, "<item affiliation='member' jid='banquo@heath.example'/>");
    let (mut macbeth, mut banquo) = (elsewhere("macbeth"), elsewhere("banquo"));
    enter(&mut macbeth, "Macbeth");
    enter(&mut banquo, "Banquo");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut macbeth, &mut banquo]);
    set(&mut wicca, ADMIN, "<item affiliation='outcast' jid='heath.example'/>");
    let actor = "<actor nick='secondwitch'/></item>";
    macbeth.expect(&gone(
        "Macbeth",
        &format!("<item affiliation='outcast' role='none'>{actor}<status code='110'/><status code='301'/>"),
    ));
    hag.expect(&gone("Macbeth", &format!("<item affiliation='outcast' role='none'>{actor}<status code='301'/>")));
    banquo.expect(&gone("Macbeth", &format!("<item affiliation='outcast' role='none'>{actor}<status code='301'/>")));
    hag.expect_nothing();
    knock(&mut macbeth, "Macbeth", "");
    expect_error(&mut macbeth, "presence", "join", ("auth", "forbidden"));
    enter(&mut banquo, "Banquo");
}

/// §9.3, §9.5: members come and go together; a reserved nickname is changed, and given back.
#[test]
fn the_member_list() {
    let server = TestServer::start();
    let (_crone, mut wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    set(
        &mut wicca,
        ADMIN,
        "<item affiliation='member' jid='hecate@im.example' nick='Moon'/><item affiliation='member' jid='sibyl@im.example/x'/>\
         <item affiliation='member' jid='hag@im.example'/>",
    );
    let hag = ["member", "hag@im.example", "thirdwitch", "-"];
    let all = rows([hag, ["member", "hecate@im.example", "Moon", "-"], ["member", "sibyl@im.example", "-", "-"]]);
    assert_eq!(list(&mut wicca, "affiliation='member'"), all);
    let taken = "<item affiliation='member' jid='sibyl@im.example' nick='MOON'/>";
    refused(&mut wicca, "set", ADMIN, taken, ("cancel", "conflict"));
    let both = "<item affiliation='none' jid='sibyl@im.example'/>\
        <item affiliation='member' jid='hecate@im.example' nick='Night'/>";
    set(&mut wicca, ADMIN, both);
    assert_eq!(list(&mut wicca, "affiliation='member'"), rows([hag, ["member", "hecate@im.example", "Night", "-"]]));
    // What does not name it leaves it.
    set(&mut wicca, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    assert_eq!(list(&mut wicca, "affiliation='member'")[1][2], "Night");
    set(&mut wicca, ADMIN, "<item affiliation='member' jid='hecate@im.example' nick=''/>");
    assert_eq!(list(&mut wicca, "affiliation='member'")[1][2], "-");
    hecate.sync();
    enter(&mut hecate, "Night");
}

/// §9.4, §9.5: on no list of a members-only room any more, and on it again.
#[test]
fn members_of_a_closed_room() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    let closed = [
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "cauldronburn"),
    ];
    configure(&mut crone, &closed);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut crone, ADMIN, "<item affiliation='none' jid='hag@im.example'><reason>Unworthy</reason></item>");
    // Gone, and nothing before that.
    let out = "<item affiliation='none' role='none'><actor nick='firstwitch'/></item><status code='110'/><status code='321'/>";
    hag.expect(&gone("thirdwitch", out));
    let out = "<item affiliation='none' jid='{hag}' role='none'><actor nick='firstwitch'/></item><status code='321'/>";
    wicca.expect(&gone("thirdwitch", out));
    knock(&mut hag, "thirdwitch", "<password>cauldronburn</password>");
    expect_error(&mut hag, "presence", "join", ("auth", "registration-required"));
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    hag.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}'><x xmlns='{USER}'><invite from='crone@im.example'/>\
         <password>cauldronburn</password></x></message>"
    ));
    enter_with(&mut hag, "thirdwitch", "<password>cauldronburn</password>");
}

/// §9.8.
#[test]
fn the_moderator_list() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='moderator'/>");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut hecate]);
    set(&mut wicca, ADMIN, "<item nick='thirdwitch' role='participant'/><item nick='Hecate' role='moderator'/>");
    let item = |who: &str, role: &str| {
        format!("<item affiliation='none' jid='{{{who}}}' role='{role}'><actor nick='secondwitch'/></item>")
    };
    crone.expect(&shown("thirdwitch", &item("hag", "participant")));
    crone.expect(&shown("Hecate", &item("hecate", "moderator")));
    let all = rows([
        ["admin", "wicca@im.example/laptop", "secondwitch", "moderator"],
        ["none", "hecate@im.example/broom", "Hecate", "moderator"],
        ["owner", "crone@im.example/desktop", "firstwitch", "moderator"],
    ]);
    assert_eq!(list(&mut wicca, "role='moderator'"), all);
    for nick in ["firstwitch", "secondwitch"] {
        let items = format!("<item nick='thirdwitch' role='moderator'/><item nick='{nick}' role='participant'/>");
        refused(&mut wicca, "set", ADMIN, &items, ("cancel", "not-allowed"));
    }
    assert_eq!(list(&mut crone, "role='moderator'"), all);
    // §9.6: a moderator makes none.
    refused(&mut hecate, "set", ADMIN, "<item nick='thirdwitch' role='moderator'/>", ("auth", "forbidden"));
}

/// §10.3 to §10.8: owners and admins; a full address stands for a bare one.
#[test]
fn the_lists_of_owners_and_admins() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(
        &mut crone,
        ADMIN,
        "<item affiliation='owner' jid='hecate@im.example/broom'><reason>Worthy</reason></item>\
         <item affiliation='admin' jid='hag@im.example/pda'/>",
    );
    let crone_too = ["owner", "crone@im.example", "firstwitch", "-"];
    assert_eq!(list(&mut crone, "affiliation='owner'"), rows([crone_too, ["owner", "hecate@im.example", "-", "-"]]));
    let admins =
        rows([["admin", "hag@im.example", "thirdwitch", "-"], ["admin", "wicca@im.example", "secondwitch", "-"]]);
    assert_eq!(list(&mut crone, "affiliation='admin'"), admins);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    // §10.4, §10.7.
    set(
        &mut crone,
        ADMIN,
        "<item affiliation='admin' jid='hecate@im.example'/><item affiliation='none' jid='hag@im.example'/>",
    );
    wicca.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}'><x xmlns='{USER}'>\
         <item affiliation='admin' jid='hecate@im.example' role='none'/></x></message>"
    ));
    let lost = "<item affiliation='none' jid='{hag}' role='participant'><actor nick='firstwitch'/></item>";
    wicca.expect(&shown("thirdwitch", lost));
    assert_eq!(list(&mut crone, "affiliation='owner'"), rows([crone_too]));
    // §10.5: together they would leave nobody who owns it; alone she may not either.
    let none = "<item affiliation='member' jid='hag@im.example'/><item affiliation='admin' jid='crone@im.example'/>";
    refused(&mut crone, "set", ADMIN, none, ("cancel", "conflict"));
    assert_eq!(list(&mut crone, "affiliation='member'"), rows([]));
    let other = "<item affiliation='owner' jid='wicca@im.example'/><item affiliation='admin' jid='crone@im.example'/>";
    set(&mut crone, ADMIN, other);
    assert_eq!(list(&mut wicca, "affiliation='owner'"), rows([["owner", "wicca@im.example", "secondwitch", "-"]]));
}

/// What is no list.
#[test]
fn lists_that_are_none() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    for by in ["affiliation='none'", "role='none'", "affiliation='king'", "affiliation='member' role='visitor'"] {
        refused(&mut crone, "get", ADMIN, &format!("<item {by}/>"), ("modify", "bad-request"));
    }
    let to = "none@conference.im.example";
    crone.send(&format!("<iq type='get' id='q' to='{to}'><query xmlns='{ADMIN}'><item role='visitor'/></query></iq>"));
    assert_eq!(condition(&answer(&mut crone)), ("cancel", "item-not-found"));
}

/// §18.1 number 2: status 101 for who is not in the room; not for who was nothing to it and is banned.
#[test]
fn who_is_not_there_is_told() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag) = coven(&server);
    let mut hecate = server.online("hecate", "broom");
    let told = |affiliation: &str| {
        format!(
            "<message from='{ROOM}' to='{{bare}}'><x xmlns='{USER}'>\
             <item affiliation='{affiliation}' jid='{{bare}}' role='none'/><status code='101'/></x>\
             <no-store xmlns='urn:xmpp:hints'/></message>"
        )
    };
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hecate@im.example'/>");
    for affiliation in ["none", "member", "admin", "outcast"] {
        set(&mut crone, ADMIN, &format!("<item affiliation='{affiliation}' jid='hecate@im.example'/>"));
        hecate.expect(&told(affiliation));
    }
    hecate.expect_nothing();
}
