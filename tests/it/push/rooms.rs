//! What is said in rooms to those who are not there.

use super::*;

const ROOM: &str = "balcony@conference.im.example";

fn enter(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    while client.next().find("subject", "jabber:client").is_none() {}
}

fn set(client: &mut Client, ns: &str, inside: &str) {
    client.send(&format!(
        "<iq type='set' id='s' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#{ns}'>{inside}</query></iq>"
    ));
    loop {
        let el = client.next();
        if el.attr("id") == Some("s") {
            assert_eq!(el.attr("type"), Some("result"), "{}", el.raw);
            return;
        }
    }
}

fn configure(client: &mut Client, fields: &[(&str, &str)]) {
    let field =
        |(var, value): &(&str, &str)| format!("<field var='muc#roomconfig_{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    let kind = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>";
    set(client, "owner", &format!("<x xmlns='jabber:x:data' type='submit'>{kind}{fields}</x>"));
}

/// Romeo is in a room of which these are members. They are so before it is for members: nobody is invited.
fn room(romeo: &mut Client, members: &[&str], fields: &[(&str, &str)]) {
    enter(romeo, "romeo");
    configure(romeo, &[]);
    for member in members {
        set(romeo, "admin", &format!("<item affiliation='member' jid='{member}@im.example'/>"));
    }
    configure(romeo, fields);
}

fn say_there(romeo: &mut Client, text: &str) {
    romeo.send(&format!("<message to='{ROOM}' type='groupchat' id='{text}'><body>{text}</body></message>"));
    while romeo.next().attr("id") != Some(text) {}
}

const PRIVATE: [(&str, &str); 2] = [("persistentroom", "1"), ("membersonly", "1")];

/// A member of a room for members who is not there.
#[test]
fn a_member_is_told() {
    let (server, mut service, mut romeo) = with_service(|_| {});
    enabled(&server, "phone", "n").close();
    room(&mut romeo, &["juliet"], &PRIVATE);
    say_there(&mut romeo, "one");
    expect_told(&mut service, "n", "one");
    // Elsewhere only where the owner says so.
    configure(&mut romeo, &[("notifymembers", "never")]);
    say_there(&mut romeo, "two");
    // There, as long as nothing is said, of what mentions it (XEP-0492 §3).
    configure(&mut romeo, &[("membersonly", "0"), ("notifymembers", "always")]);
    say_there(&mut romeo, "three");
    say_there(&mut romeo, "Juliet, four");
    expect_told(&mut service, "n", "Juliet, four");
}

/// These are told, in whatever order.
fn expect_all_told(service: &mut Client, nodes: &[&str], body: &str) {
    let mut seen = Vec::new();
    for _ in nodes {
        let told = notified(service);
        assert_eq!(told.body(), body);
        seen.push(told.node().to_owned());
        accept(service, &told);
    }
    seen.sort();
    assert_eq!(seen, nodes);
}

/// XEP-0492: by the bookmark of the room. The nurse is told of everything, after juliet: then it is decided.
#[test]
fn a_member_switches_it_off() {
    let (server, mut service, mut romeo) = with_service(|_| {});
    server.account("nurse", "secret");
    let mut nurse = server.login("nurse", "secret", "phone");
    enable(&mut nurse, "jid='{push}' node='nurse'", "");
    nurse.close();
    let mut phone = enabled(&server, "phone", "n");
    let keep = |phone: &mut Client, setting: &str| {
        phone.send(&format!(
            "<iq type='set' id='b'><pubsub xmlns='{PUBSUB}'><publish node='urn:xmpp:bookmarks:1'><item id='{ROOM}'>\
             <conference xmlns='urn:xmpp:bookmarks:1'><extensions><notify xmlns='urn:xmpp:notification-settings:1'>\
             <{setting}/></notify></extensions></conference></item></publish></pubsub></iq>"
        ));
        while phone.next().attr("id") != Some("b") {}
    };
    room(&mut romeo, &["juliet", "nurse"], &PRIVATE);
    keep(&mut phone, "never");
    for text in ["one", "juliet"] {
        say_there(&mut romeo, text);
        expect_told(&mut service, "nurse", text);
    }
    keep(&mut phone, "on-mention");
    say_there(&mut romeo, "two");
    expect_told(&mut service, "nurse", "two");
    say_there(&mut romeo, "Juliet, two");
    expect_all_told(&mut service, &["n", "nurse"], "Juliet, two");
    // XEP-0513 §3.2.1.1, §3.5.2: everybody, by who may; not who is to be left alone.
    for (text, group, inside, told) in [
        ("all", "channel", "", &["n", "nurse"][..]),
        ("members", "member", "", &["n", "nurse"]),
        ("owners", "owner", "", &["nurse"]),
        ("Juliet is quiet", "member", "<noping/>", &["nurse"]),
    ] {
        let ns = "urn:xmpp:mentions:0";
        romeo.send(&format!(
            "<message to='{ROOM}' type='groupchat' id='{text}'><body>{text}</body>\
             <mention xmlns='{ns}' mentions='{ns}#{group}'>{inside}</mention></message>"
        ));
        while romeo.next().attr("id") != Some(text) {}
        expect_all_told(&mut service, told, text);
    }
    keep(&mut phone, "always");
    say_there(&mut romeo, "three");
    expect_all_told(&mut service, &["n", "nurse"], "three");
}

/// Who is there sees it; who wrote it knows it; what is no message is none.
#[test]
fn who_is_not_told() {
    let (server, mut service, mut romeo) = with_service(|_| {});
    enabled(&server, "tablet", "t").close();
    let mut juliet = enabled(&server, "phone", "n");
    juliet.available();
    room(&mut romeo, &["juliet"], &PRIVATE);
    enter(&mut juliet, "juliet");
    say_there(&mut romeo, "one");
    expect_told(&mut service, "t", "one");
    juliet.send(&format!("<message to='{ROOM}' type='groupchat' id='own'><body>own</body></message>"));
    while romeo.next().attr("id") != Some("own") {}
    juliet.close();
    while romeo.next().attr("type") != Some("unavailable") {}
    romeo.send(&format!("<message to='{ROOM}' type='groupchat' id='s'><subject>Verona</subject></message>"));
    while romeo.next().attr("id") != Some("s") {}
    say_there(&mut romeo, "two");
    expect_all_told(&mut service, &["n", "t"], "two");
}
