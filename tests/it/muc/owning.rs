//! §10.1, §10.2, §10.9: making, configuring and destroying a room.

use super::*;

/// §10.1.3: a reserved room: the form, then the room.
#[test]
fn a_reserved_room() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    ask(&mut crone, "get", OWNER, "");
    let got = answer(&mut crone);
    let x = got.find("query", OWNER).and_then(|q| q.find("x", "jabber:x:data")).expect("a form");
    for var in
        ["roomname", "roomdesc", "persistentroom", "membersonly", "whois", "maxusers", "roomadmins", "roomowners"]
    {
        let var = format!("muc#roomconfig_{var}");
        assert!(x.elements().any(|field| field.attr("var") == Some(&var)), "{var}: {}", got.raw);
    }
    let bad = form(&[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "")]);
    refused(&mut crone, "set", OWNER, &bad, ("modify", "not-acceptable"));
    configure(
        &mut crone,
        &[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_roomadmins", "wicca@im.example")],
    );
    let mut wicca = server.online("wicca", "laptop");
    let seen = enter(&mut wicca, "secondwitch");
    assert!(seen[1].raw.contains("affiliation='admin'"), "{}", seen[1].raw);
}

/// §10.1.3: who does not want the room after all.
#[test]
fn cancelled() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    set(&mut crone, OWNER, "<x xmlns='jabber:x:data' type='cancel'/>");
    refused(&mut crone, "get", OWNER, "", ("cancel", "item-not-found"));
    // Later it only means that nothing changes.
    create(&mut crone, "firstwitch");
    set(&mut crone, OWNER, "<x xmlns='jabber:x:data' type='cancel'/>");
    ask(&mut crone, "get", OWNER, "");
    assert_eq!(answer(&mut crone).attr("type"), Some("result"));
}

/// §10.2: not for others.
#[test]
fn not_for_others() {
    let server = TestServer::start();
    let (_crone, mut wicca, mut hag) = coven(&server);
    for client in [&mut wicca, &mut hag] {
        refused(client, "get", OWNER, "", ("auth", "forbidden"));
        refused(client, "set", OWNER, "<x xmlns='jabber:x:data' type='submit'/>", ("auth", "forbidden"));
        refused(client, "set", OWNER, "<destroy/>", ("auth", "forbidden"));
    }
}

/// §10.2.1: everybody is told what concerns them.
#[test]
fn changes_are_told() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    for (var, value, code) in
        [("roomname", "A Dark Cave", "104"), ("enablelogging", "1", "170"), ("enablelogging", "0", "171")]
    {
        configure(&mut crone, &[(&format!("muc#roomconfig_{var}"), value)]);
        hag.expect(&format!(
            "<message from='{ROOM}' to='{{jid}}' type='groupchat'><x xmlns='{USER}'><status code='{code}'/></x></message>"
        ));
    }
    // The same again is no change.
    configure(&mut crone, &[("muc#roomconfig_roomname", "A Dark Cave")]);
    hag.expect_nothing();
}

/// §9, §10: a room has no more entries than it may, however often its lists are replaced: who is an admin no more stays a
/// member of a room for members.
#[test]
fn no_more_affiliations_than_there_may_be() {
    let server = TestServer::with(|c| c.limits.room_affiliations_max = 3);
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    let lists = |name: &str, admins: &[&str]| {
        let values: String = admins.iter().map(|admin| format!("<value>{admin}@im.example</value>")).collect();
        let admins = format!("<field var='muc#roomconfig_roomadmins'>{values}</field></x>");
        form(&[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_roomname", name)]).replace("</x>", &admins)
    };
    set(&mut crone, OWNER, &lists("One", &["a", "b"]));
    refused(&mut crone, "set", OWNER, &lists("Two", &["c", "d"]), ("wait", "resource-constraint"));
    // Nothing of it was done.
    ask(&mut crone, "get", OWNER, "");
    let now = answer(&mut crone).raw;
    assert!(
        now.contains("<value>One</value>") && now.contains("b@im.example") && !now.contains("d@im.example"),
        "{now}"
    );
    let item = |affiliation: &str, who: &str| format!("<item affiliation='{affiliation}' jid='{who}@im.example'/>");
    refused(&mut crone, "set", ADMIN, &item("member", "c"), ("wait", "resource-constraint"));
    // As many as before are no more.
    set(&mut crone, ADMIN, &format!("{}{}", item("none", "a"), item("outcast", "b")));
    let two = format!("{}{}", item("member", "c"), item("member", "d"));
    refused(&mut crone, "set", ADMIN, &two, ("wait", "resource-constraint"));
    set(&mut crone, OWNER, &lists("Three", &["c"]));
}

/// §10.2: who is no member has to leave a room that is for members only from now on.
#[test]
fn for_members_from_now_on() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    hag.expect(&gone("thirdwitch", "<item affiliation='none' role='none'/><status code='110'/><status code='322'/>"));
    wicca.expect(&gone("thirdwitch", "<item affiliation='none' jid='{hag}' role='none'/><status code='322'/>"));
}

/// §10.9: the end, and where to go.
#[test]
fn destroyed() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(
        &mut crone,
        OWNER,
        "<destroy jid='heath@conference.im.example'><reason>Macbeth doth come.</reason><password>x</password></destroy>",
    );
    for (client, nick) in [(&mut hag, "thirdwitch"), (&mut wicca, "secondwitch")] {
        client.expect(&format!(
            "<presence from='{ROOM}/{nick}' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
             <item affiliation='none' role='none'/><destroy jid='heath@conference.im.example'><password>x</password>\
             <reason>Macbeth doth come.</reason></destroy><status code='110'/></x></presence>"
        ));
        client.expect_nothing();
    }
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    expect_error(&mut hag, "message", "m", ("cancel", "item-not-found"));
    assert_eq!(codes(&enter(&mut hag, "thirdwitch")[0]), ["110", "201"]);
}
