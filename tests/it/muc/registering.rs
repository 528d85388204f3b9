//! §7.10: becoming a member by oneself; XEP-0500: slow mode.

use super::*;

const REGISTER: &str = "jabber:iq:register";

fn submit(nick: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>http://jabber.org/protocol/muc#register</value></field>\
         <field var='muc#register_roomnick'><value>{nick}</value></field></x>"
    )
}

#[test]
fn registering() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    // Only where the owner wants it.
    refused(&mut hag, "get", REGISTER, "", ("cancel", "not-allowed"));
    refused(&mut hag, "set", REGISTER, &submit("thirdwitch"), ("cancel", "not-allowed"));
    configure(&mut crone, &[("muc#roomconfig_allow_registration", "1")]);
    hag.sync();
    ask(&mut hag, "get", REGISTER, "");
    let form = answer(&mut hag);
    assert!(form.raw.contains("muc#register_roomnick"), "{}", form.raw);
    refused(&mut hag, "set", REGISTER, "", ("modify", "bad-request"));
    refused(&mut hag, "set", REGISTER, &submit(" "), ("modify", "bad-request"));
    refused(&mut hag, "set", REGISTER, &submit("secondwitch"), ("cancel", "conflict"));
    ask(&mut hag, "set", REGISTER, &submit("oldhag"));
    hag.expect(&shown("thirdwitch", "<item affiliation='member' role='participant'/><status code='110'/>"));
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    ask(&mut hag, "get", REGISTER, "");
    let mine = answer(&mut hag);
    let query = mine.find("query", REGISTER).expect("an answer");
    assert!(query.find("registered", REGISTER).is_some(), "{}", mine.raw);
    assert_eq!(query.find("username", REGISTER).map(El::text).as_deref(), Some("oldhag"));
    // The nickname is hers.
    let mut hecate = server.online("hecate", "broom");
    knock(&mut hecate, "OldHag", "");
    expect_error(&mut hecate, "presence", "join", ("cancel", "conflict"));
    refused(&mut hecate, "set", REGISTER, &submit("oldhag"), ("cancel", "conflict"));
    // And no more.
    ask(&mut hag, "set", REGISTER, "<remove/>");
    hag.expect(&shown("thirdwitch", "<item affiliation='none' role='participant'/><status code='110'/>"));
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    enter(&mut hecate, "oldhag");
}

/// XEP-0500 §6: whoever has spoken waits, under whatever nickname; admins do not.
#[test]
fn slow_mode() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_slow_mode_duration", "1000")]);
    settle(&mut crone, &mut [&mut hag]);
    let say = |client: &mut Client, id: &str| {
        client.send(&format!("<message to='{ROOM}' type='groupchat' id='{id}'><body>hi</body></message>"));
    };
    say(&mut hag, "1");
    assert_eq!((hag.next().attr("id"), hag.sync().len()), (Some("1"), 0));
    say(&mut hag, "2");
    expect_error(&mut hag, "message", "2", ("wait", "policy-violation"));
    hag.send(&format!("<presence to='{ROOM}/thirdwitch' type='unavailable'/>"));
    settle(&mut crone, &mut [&mut hag]);
    enter(&mut hag, "oldhag");
    say(&mut hag, "3");
    expect_error(&mut hag, "message", "3", ("wait", "policy-violation"));
    // What is no message does not count.
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='4'>{composing}</message>"));
    assert_eq!(hag.next().attr("id"), Some("4"));
    for id in ["5", "6"] {
        say(&mut crone, id);
        assert_eq!(hag.next().attr("id"), Some(id));
    }
}

/// RFC 7622 §3.4: a nickname is reserved as clients will send it.
#[test]
fn nicknames_are_reserved_in_one_form() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_allow_registration", "1"), ("muc#roomconfig_reservednicks", "1")]);
    hag.sync();
    // In two characters, and in one.
    let (apart, together) = ("ha\u{301}g", "h\u{e1}g");
    set(&mut hag, REGISTER, &submit(apart));
    ask(&mut hag, "get", REGISTER, "");
    let query = answer(&mut hag);
    let query = query.find("query", REGISTER).expect("an answer");
    assert_eq!(query.find("username", REGISTER).map(El::text).as_deref(), Some(together));
    hag.send(&format!("<presence type='unavailable' to='{ROOM}/thirdwitch'/>"));
    hag.sync();
    let seen = enter(&mut hag, together);
    let own = seen.iter().rfind(|el| el.name == "presence").expect("her own presence");
    assert_eq!(codes(own), ["110"], "not renamed");
    // None that no address can have, and none for two.
    let long = "x".repeat(1_024);
    let item = |jid: &str, nick: &str| format!("<item affiliation='member' jid='{jid}@im.example' nick='{nick}'/>");
    refused(&mut crone, "set", ADMIN, &item("a", &long), ("modify", "not-acceptable"));
    refused(&mut crone, "set", ADMIN, &(item("a", "toad") + &item("b", "Toad")), ("cancel", "conflict"));
    refused(&mut crone, "set", ADMIN, &item("a", "H\u{c1}G"), ("cancel", "conflict"));
    set(&mut crone, ADMIN, &(item("a", "toad") + &item("b", "newt")));
    // One that is given up is free.
    set(&mut crone, ADMIN, &item("a", "frog"));
    set(&mut crone, ADMIN, &item("c", "toad"));
}
