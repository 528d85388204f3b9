//! §9.1 to §9.5, §10.3 to §10.8: affiliations.

use super::*;

/// §9.1, §9.2: a ban.
#[test]
fn ban() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut wicca, ADMIN, "<item affiliation='outcast' jid='hag@im.example'><reason>Treason</reason></item>");
    let why = "<actor nick='secondwitch'/><reason>Treason</reason></item>";
    hag.expect(&gone(
        "thirdwitch",
        &format!("<item affiliation='outcast' role='none'>{why}<status code='110'/><status code='301'/>"),
    ));
    crone.expect(&gone(
        "thirdwitch",
        &format!("<item affiliation='outcast' jid='{{hag}}' role='none'>{why}<status code='301'/>{CHANGED}"),
    ));
    knock(&mut hag, "thirdwitch", "");
    expect_error(&mut hag, "presence", "join", ("auth", "forbidden"));
    ask(&mut wicca, "get", ADMIN, "<item affiliation='outcast'/>");
    let list = answer(&mut wicca);
    let item = list.find("query", ADMIN).and_then(|q| q.elements().next()).expect("a ban");
    assert_eq!(
        (item.attr("affiliation"), item.attr("jid"), item.attr("nick")),
        (Some("outcast"), Some("hag@im.example"), None)
    );
    assert_eq!(item.find("reason", ADMIN).map(El::text).as_deref(), Some("Treason"));
    // §9.2: the whole domain, but for those who are something to the room.
    set(&mut wicca, ADMIN, "<item affiliation='none' jid='hag@im.example'/>");
    enter(&mut hag, "thirdwitch");
    crone.sync();
    refused(&mut wicca, "set", ADMIN, "<item affiliation='outcast' jid='im.example'/>", ("cancel", "conflict"));
    refused(
        &mut wicca,
        "set",
        ADMIN,
        "<item affiliation='member' jid='elsewhere.example'/>",
        ("modify", "bad-request"),
    );
    set(&mut wicca, ADMIN, "<item affiliation='outcast' jid='elsewhere.example'/>");
}

/// §9.1, §9.2: who cannot be banned; then nobody is.
#[test]
fn bans_that_are_refused() {
    let server = TestServer::start();
    let (_crone, mut wicca, mut hag) = coven(&server);
    let ban = |who: &str| format!("<item affiliation='outcast' jid='{who}@im.example'/>");
    refused(&mut hag, "set", ADMIN, &ban("wicca"), ("auth", "forbidden"));
    refused(&mut wicca, "set", ADMIN, &ban("crone"), ("cancel", "not-allowed"));
    refused(&mut wicca, "set", ADMIN, &ban("wicca"), ("cancel", "conflict"));
    refused(&mut wicca, "set", ADMIN, &(ban("hag") + &ban("crone")), ("cancel", "not-allowed"));
    refused(&mut hag, "get", ADMIN, "<item affiliation='outcast'/>", ("auth", "forbidden"));
    enter(&mut hag, "thirdwitch");
}

/// §9.3 to §9.5: members.
#[test]
fn members() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(
        &mut wicca,
        ADMIN,
        "<item affiliation='member' jid='hag@im.example' nick='thirdwitch'><reason>Worthy</reason></item>",
    );
    let why = "<actor nick='secondwitch'/><reason>Worthy</reason></item>";
    hag.expect(&shown(
        "thirdwitch",
        &format!("<item affiliation='member' role='participant'>{why}<status code='110'/>"),
    ));
    crone.expect(&shown(
        "thirdwitch",
        &format!("<item affiliation='member' jid='{{hag}}' role='participant'>{why}{CHANGED}"),
    ));
    ask(&mut wicca, "get", ADMIN, "<item affiliation='member'/>");
    let list = answer(&mut wicca);
    assert!(list.raw.contains("nick='thirdwitch'") && !list.raw.contains("role="), "{}", list.raw);
    refused(&mut hag, "get", ADMIN, "<item affiliation='member'/>", ("auth", "forbidden"));
    refused(&mut hag, "set", ADMIN, "<item affiliation='member' jid='hecate@im.example'/>", ("auth", "forbidden"));
    // The nickname is hers now, and nobody else's.
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "ThirdWitch", "");
    expect_error(&mut hecate, "presence", "join", ("cancel", "conflict"));
    enter(&mut hag, "thirdwitch");
    // §9.4: no member any more; in a members-only room that means out.
    set(&mut wicca, ADMIN, "<item affiliation='none' jid='hag@im.example'/>");
    let none = "<item affiliation='none' role='participant'><actor nick='secondwitch'/></item><status code='110'/>";
    hag.expect(&shown("thirdwitch", none));
    set(&mut wicca, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut wicca, ADMIN, "<item affiliation='none' jid='hag@im.example'/>");
    let out = "<item affiliation='none' role='none'><actor nick='secondwitch'/></item><status code='110'/><status code='321'/>";
    hag.expect(&gone("thirdwitch", out));
}

/// §7.11, §9.5: in a non-anonymous room members see the list.
#[test]
fn member_list_for_members() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_whois", "anyone")]);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    for (affiliation, who) in [("owner", "crone"), ("admin", "wicca"), ("member", "hag")] {
        ask(&mut hag, "get", ADMIN, &format!("<item affiliation='{affiliation}'/>"));
        let list = answer(&mut hag);
        assert!(list.raw.contains(&format!("{who}@im.example")), "{}", list.raw);
    }
    refused(&mut hag, "get", ADMIN, "<item affiliation='outcast'/>", ("auth", "forbidden"));
}

/// §10.3 to §10.8: owners and admins are made by owners.
#[test]
fn owners_and_admins() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let make = |what: &str, who: &str| format!("<item affiliation='{what}' jid='{who}@im.example'/>");
    for (what, who) in [("admin", "hag"), ("owner", "hag"), ("none", "crone"), ("owner", "wicca")] {
        refused(&mut wicca, "set", ADMIN, &make(what, who), ("auth", "forbidden"));
    }
    for list in ["owner", "admin"] {
        refused(&mut wicca, "get", ADMIN, &format!("<item affiliation='{list}'/>"), ("auth", "forbidden"));
        ask(&mut crone, "get", ADMIN, &format!("<item affiliation='{list}'/>"));
        assert_eq!(answer(&mut crone).attr("type"), Some("result"));
    }
    set(&mut crone, ADMIN, &make("admin", "hag"));
    let actor = "<actor nick='firstwitch'/></item>";
    hag.expect(&shown(
        "thirdwitch",
        &format!("<item affiliation='admin' jid='{{jid}}' role='moderator'>{actor}<status code='110'/>"),
    ));
    // §10.5: somebody must own it.
    refused(&mut crone, "set", ADMIN, &make("admin", "crone"), ("cancel", "conflict"));
    set(&mut crone, ADMIN, &make("owner", "wicca"));
    set(&mut crone, ADMIN, &make("none", "crone"));
    settle(&mut hag, &mut [&mut crone]);
    // §10.4, §10.7: what one was by office is lost with it.
    refused(&mut crone, "set", ADMIN, &make("none", "hag"), ("auth", "forbidden"));
    set(&mut wicca, ADMIN, &make("none", "hag"));
    crone
        .expect(&shown("thirdwitch", "<item affiliation='none' role='participant'><actor nick='secondwitch'/></item>"));
}

/// §9.3, §9.4, §10.3: of somebody who is not there, a message tells those who see addresses; of a ban, moderators alone.
#[test]
fn affiliations_of_those_who_are_not_there() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let make = |what: &str| format!("<item affiliation='{what}' jid='hecate@im.example'/>");
    let told = |what: &str| {
        format!(
            "<message from='{ROOM}' to='{{jid}}'><x xmlns='{USER}'>\
             <item affiliation='{what}' jid='hecate@im.example' role='none'/></x></message>"
        )
    };
    for what in ["member", "outcast", "none"] {
        set(&mut crone, ADMIN, &make(what));
        wicca.expect(&told(what));
    }
    settle(&mut crone, &mut []);
    hag.expect_nothing();
    configure(&mut crone, &[("muc#roomconfig_whois", "anyone"), ("muc#roomconfig_membersonly", "0")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    for (what, seen) in [("member", Some("member")), ("outcast", Some("none")), ("none", None), ("outcast", None)] {
        set(&mut crone, ADMIN, &make(what));
        // They may have the lists, so they are told the versions of them.
        wicca.expect(&told(what).replace("<item", &format!("{CHANGED}<item")));
        settle(&mut crone, &mut []);
        if let Some(seen) = seen {
            hag.expect(&told(seen).replace("<item", &format!("{CHANGED}<item")));
        }
        hag.expect_nothing();
    }
    // What does not change is no news.
    set(&mut crone, ADMIN, &make("outcast"));
    settle(&mut crone, &mut []);
    wicca.expect_nothing();
}

/// A long list is read by who wants to know, not told one by one.
#[test]
fn many_changes_at_once_are_not_told() {
    let server = TestServer::start();
    let (mut crone, mut wicca, _hag) = coven(&server);
    let items = |most: usize| -> String {
        (0..most).map(|n| format!("<item affiliation='member' jid='witch{n}@im.example'/>")).collect()
    };
    set(&mut crone, ADMIN, &items(51));
    settle(&mut crone, &mut []);
    wicca.expect_nothing();
}

/// An invitation to a room for members makes a member, and all who see addresses know (§7.8.2).
#[test]
fn who_is_invited_is_a_member() {
    let server = TestServer::start();
    let (mut crone, mut wicca, _hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    server.account("hecate", "secret");
    settle(&mut crone, &mut [&mut wicca]);
    crone.send(&format!("<message to='{ROOM}'><x xmlns='{USER}'><invite to='hecate@im.example'/></x></message>"));
    wicca.expect(&format!(
        "<message from='{ROOM}' to='{{jid}}'><x xmlns='{USER}'>\
         <item affiliation='member' jid='hecate@im.example' role='none'/></x></message>"
    ));
}
