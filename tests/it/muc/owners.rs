//! §10.1.3, §10.2, §10.9: how a room ends, and what the lists in its configuration do.

use super::*;

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";

/// A form that lists these.
fn lists(lists: &[(&str, &[&str])]) -> String {
    let field = |(var, users): &(&str, &[&str])| {
        let values: String = users.iter().map(|user| format!("<value>{user}@im.example</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    form(&[]).replace("</x>", &(lists.iter().map(field).collect::<String>() + "</x>"))
}

/// §10.1.3: whoever goes before the room is configured ends it, and is told so.
#[test]
fn who_leaves_a_locked_room() {
    let server = TestServer::with(|c| c.rooms.default_persistent = true);
    let mut crone = server.online("crone", "desktop");
    for last_word in
        [format!("<presence to='{ROOM}/firstwitch' type='unavailable'/>"), "<presence type='unavailable'/>".into()]
    {
        crone.available();
        assert_eq!(codes(&enter(&mut crone, "firstwitch")[0]), ["110", "201"]);
        crone.send(&last_word);
        let x = "<item affiliation='owner' jid='{jid}' role='none'/><destroy/><status code='110'/>";
        let told = loop {
            let el = crone.next();
            if el.attr("from").is_some_and(|from| from.starts_with(ROOM)) {
                break el;
            }
        };
        crone.matches(&gone("firstwitch", x), &told).expect("the end");
        refused(&mut crone, "get", OWNER, "", ("cancel", "item-not-found"));
    }
}

/// §10.1.3: the same, if she does not want it any more.
#[test]
fn who_cancels() {
    let server = TestServer::start();
    let mut crone = server.online("crone", "desktop");
    enter(&mut crone, "firstwitch");
    ask(&mut crone, "set", OWNER, "<x xmlns='jabber:x:data' type='cancel'/>");
    let ended = format!(
        "<presence from='{ROOM}/firstwitch' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
         <item affiliation='none' role='none'/><destroy/><status code='110'/></x></presence>"
    );
    crone.expect(&ended);
    assert_eq!(answer(&mut crone).attr("type"), Some("result"));
    let mut hag = server.online("hag", "pda");
    assert_eq!(codes(&enter(&mut hag, "thirdwitch")[0]), ["110", "201"]);
}

/// §10.2: who is an admin by the list, and who is not any more.
#[test]
fn the_list_of_admins() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, OWNER, &lists(&[(ADMINS, &["hag"])]));
    hag.expect(&shown("secondwitch", "<item affiliation='none' role='participant'/>"));
    hag.expect(&shown("thirdwitch", "<item affiliation='admin' jid='{jid}' role='moderator'/><status code='110'/>"));
    wicca.expect(&shown("secondwitch", "<item affiliation='none' role='participant'/><status code='110'/>"));
    wicca.expect(&shown("thirdwitch", "<item affiliation='admin' role='moderator'/>"));
    // Where that matters, she stays a member.
    set(&mut crone, OWNER, &lists(&[(ADMINS, &["wicca", "hag"])]));
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    ask(&mut crone, "set", OWNER, &lists(&[(ADMINS, &[])]));
    for nick in ["thirdwitch", "secondwitch"] {
        let item = "<item affiliation='member' jid='{any}' role='participant'/>";
        crone.expect(&shown(nick, &format!("{item}{CHANGED}")));
    }
    assert_eq!(answer(&mut crone).attr("type"), Some("result"));
}

/// §10.2: the same of owners; somebody must be one.
#[test]
fn the_list_of_owners() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    set(&mut crone, OWNER, &lists(&[(OWNERS, &["crone", "hag"])]));
    wicca.expect(&shown("thirdwitch", "<item affiliation='owner' jid='{hag}' role='moderator'/>"));
    // An admin from now on.
    set(&mut crone, OWNER, &lists(&[(OWNERS, &["crone"])]));
    wicca.expect(&shown("thirdwitch", "<item affiliation='admin' jid='{hag}' role='moderator'/>"));
    // Unless the list of those says otherwise.
    set(&mut crone, OWNER, &lists(&[(OWNERS, &["crone", "hag"])]));
    wicca.expect(&shown("thirdwitch", "<item affiliation='owner' jid='{hag}' role='moderator'/>"));
    set(&mut crone, OWNER, &lists(&[(OWNERS, &["crone"]), (ADMINS, &["wicca"])]));
    wicca.expect(&shown("thirdwitch", "<item affiliation='none' jid='{hag}' role='participant'/>"));
    wicca.expect_nothing();
    refused(&mut crone, "set", OWNER, &lists(&[(OWNERS, &[])]), ("cancel", "conflict"));
    refused(&mut crone, "set", OWNER, &lists(&[(OWNERS, &["@"])]), ("modify", "not-acceptable"));
    let domain = lists(&[(OWNERS, &["x"])]).replace("x@im.example", "im.example");
    refused(&mut crone, "set", OWNER, &domain, ("modify", "not-acceptable"));
    // She may go if another stays.
    set(&mut crone, OWNER, &lists(&[(OWNERS, &["hag"])]));
    refused(&mut crone, "get", OWNER, "", ("auth", "forbidden"));
    hag.sync();
    ask(&mut hag, "get", OWNER, "");
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
}

/// §10.9: without a word; by an owner who is not there; and what is no venue.
#[test]
fn the_end() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    refused(&mut crone, "set", OWNER, "<destroy jid='@'/>", ("modify", "jid-malformed"));
    let mut cave = server.login("crone", "secret", "cave");
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    set(&mut cave, OWNER, "<destroy/>");
    for (client, nick) in [(&mut crone, "firstwitch"), (&mut wicca, "secondwitch"), (&mut hag, "thirdwitch")] {
        client.expect(&format!(
            "<presence from='{ROOM}/{nick}' to='{{jid}}' type='unavailable'><x xmlns='{USER}'>\
             <item affiliation='none' role='none'/><destroy/><status code='110'/></x></presence>"
        ));
        client.expect_nothing();
    }
    refused(&mut cave, "set", OWNER, "<destroy/>", ("cancel", "item-not-found"));
}

/// §8.2: one may go by kicking oneself; all sessions of a nickname go together.
#[test]
fn kicks() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    let mut cave = server.login("hag", "secret", "cave");
    enter(&mut cave, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag, &mut cave]);
    set(&mut crone, ADMIN, "<item nick='thirdwitch' role='none'/>");
    let actor = "<item affiliation='none' role='none'><actor nick='firstwitch'/></item>";
    for client in [&mut hag, &mut cave] {
        client.expect(&gone("thirdwitch", &format!("{actor}<status code='110'/><status code='307'/>")));
    }
    wicca.sync();
    ask(&mut wicca, "set", ADMIN, "<item nick='secondwitch' role='none'/>");
    let own = "<item affiliation='admin' jid='{jid}' role='none'><actor nick='secondwitch'/></item>";
    wicca.expect(&gone("secondwitch", &format!("{own}<status code='110'/><status code='307'/>")));
    assert_eq!(answer(&mut wicca).attr("type"), Some("result"));
}
