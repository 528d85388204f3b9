//! §7.10, §7.12, §9.9: registering where admins decide, and where nicknames are locked down.

use super::*;

const REGISTER: &str = "jabber:iq:register";
const FORM: &str = "http://jabber.org/protocol/muc#register";

fn field(var: &str, value: &str) -> String {
    format!("<field var='{var}'><value>{value}</value></field>")
}

fn submit(nick: &str) -> String {
    let fields = field("FORM_TYPE", FORM) + &field("muc#register_roomnick", nick);
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// What an admin sends back.
fn decision(who: &str, nick: &str, allow: &str) -> String {
    let fields = [
        field("FORM_TYPE", FORM),
        field("x-muc#register_jid", who),
        field("muc#register_roomnick", nick),
        field("muc#register_allow", allow),
    ];
    format!("<message to='{ROOM}' id='r'><x xmlns='jabber:x:data' type='submit'>{}</x></message>", fields.concat())
}

/// §7.10: a room that is none; the form; who is on the list without a nickname.
#[test]
fn the_form() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    hag.send(&format!("<iq type='get' id='q' to='none@conference.im.example'><query xmlns='{REGISTER}'/></iq>"));
    assert_eq!(condition(&answer(&mut hag)), ("cancel", "item-not-found"));
    // Admins may, whatever the owner wants of others.
    ask(&mut wicca, "get", REGISTER, "");
    wicca.expect(&format!(
        "<iq from='{ROOM}' to='{{jid}}' type='result' id='q'><query xmlns='{REGISTER}'>\
         <x xmlns='jabber:x:data' type='form'><title>{{any}}</title><instructions>{{any}}</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>{FORM}</value></field>\
         <field var='muc#register_roomnick' type='text-single' label='{{any}}'><required/></field></x></query></iq>"
    ));
    for form in [
        submit(""),
        submit("thirdwitch").replace("muc#register<", "urn:x<"),
        submit("thirdwitch").replace("'submit'", "'form'"),
        "<x xmlns='jabber:x:data' type='submit'/>".to_owned(),
    ] {
        refused(&mut wicca, "set", REGISTER, &form, ("modify", "bad-request"));
    }
    // §7.12.
    set(&mut wicca, REGISTER, &submit("secondwitch"));
    ask(&mut wicca, "get", REGISTER, "");
    wicca.expect(&format!(
        "<iq from='{ROOM}' to='{{jid}}' type='result' id='q'><query xmlns='{REGISTER}'><registered/>\
         <username>secondwitch</username></query></iq>"
    ));
    let info = "http://jabber.org/protocol/disco#info";
    wicca.send(&format!("<iq type='get' id='q' to='{ROOM}'><query xmlns='{info}' node='x-roomuser-item'/></iq>"));
    wicca.expect(&format!(
        "<iq from='{ROOM}' to='{{jid}}' type='result' id='q'><query xmlns='{info}' node='x-roomuser-item'>\
         <identity category='conference' type='text' name='secondwitch'/></query></iq>"
    ));
    // An outcast may not.
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hag@im.example'/>");
    refused(&mut hag, "get", REGISTER, "", ("cancel", "not-allowed"));
}

/// A room for members only that lets others ask, and somebody who does.
#[track_caller]
fn closed(server: &TestServer) -> (Client, Client, Client, Client) {
    let (mut crone, mut wicca, mut hag) = coven(server);
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hag@im.example'/>");
    configure(&mut crone, &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_allow_registration", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag, server.online("hecate", "broom"))
}

/// §9.9: all who may decide are asked, once.
#[test]
fn approved() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag, mut hecate) = closed(&server);
    for nick in ["Moon", "Moon"] {
        set(&mut hecate, REGISTER, &submit(nick));
    }
    let field = |var: &str, kind: &str, value: &str| {
        format!("<field var='{var}' type='{kind}' label='{{any}}'><value>{value}</value></field>")
    };
    for client in [&mut crone, &mut wicca] {
        client.expect(&format!(
            "<message from='{ROOM}' to='{{bare}}'><body>{{any}}</body><x xmlns='jabber:x:data' type='form'>\
             <title>{{any}}</title><instructions>{{any}}</instructions>\
             <field var='FORM_TYPE' type='hidden'><value>{FORM}</value></field>{}{}{}</x></message>",
            field("x-muc#register_jid", "jid-single", "hecate@im.example"),
            field("muc#register_roomnick", "text-single", "Moon"),
            field("muc#register_allow", "boolean", "0"),
        ));
        client.expect_nothing();
    }
    // Not yet.
    knock(&mut hecate, "Moon", "");
    expect_error(&mut hecate, "presence", "join", ("auth", "registration-required"));
    // Who does not decide is not asked, nor heard.
    hag.expect_nothing();
    for client in [&mut hag, &mut hecate] {
        client.send(&decision("hecate@im.example", "Moon", "1"));
        expect_error(client, "message", "r", ("auth", "forbidden"));
    }
    wicca.send(&decision("hecate@im.example", "Moon", "1"));
    hecate.expect(&format!(
        "<message from='{ROOM}' to='{{bare}}'><x xmlns='{USER}'><invite from='wicca@im.example'/></x></message>"
    ));
    let seen = enter(&mut hecate, "Moon");
    assert!(seen[3].raw.contains("affiliation='member'"), "{}", seen[3].raw);
    ask(&mut hecate, "get", REGISTER, "");
    assert!(answer(&mut hecate).raw.contains("<username>Moon</username>"));
    // The other one is late.
    settle(&mut wicca, &mut [&mut crone]);
    crone.send(&decision("hecate@im.example", "Moon", "1"));
    settle(&mut crone, &mut []);
    wicca.expect_nothing();
}

/// §9.9: who was let in without an answer, and put out again, may ask again.
#[test]
fn asking_again() {
    let server = TestServer::start();
    let (mut crone, _wicca, _hag, mut hecate) = closed(&server);
    set(&mut hecate, REGISTER, &submit("Moon"));
    assert!(crone.next().raw.contains("muc#register_allow"));
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    set(&mut crone, ADMIN, "<item affiliation='none' jid='hecate@im.example'/>");
    assert!(hecate.next().raw.contains("<invite "));
    assert_eq!(codes(&hecate.next()), ["101"]);
    set(&mut hecate, REGISTER, &submit("Moon"));
    assert!(crone.next().raw.contains("muc#register_allow"));
}

/// §7.10, §9.9: what is refused, of requests and of answers.
#[test]
fn refused_and_refusals() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag, mut hecate) = closed(&server);
    refused(&mut hecate, "set", REGISTER, &submit("firstwitch"), ("cancel", "conflict"));
    set(&mut hag, REGISTER, &submit("thirdwitch"));
    refused(&mut hecate, "set", REGISTER, &submit("ThirdWitch"), ("cancel", "conflict"));
    set(&mut hecate, REGISTER, &submit("Moon"));
    // No is said to nobody.
    wicca.sync();
    wicca.send(&decision("hecate@im.example", "Moon", "0"));
    settle(&mut wicca, &mut [&mut crone]);
    hecate.expect_nothing();
    set(&mut hecate, REGISTER, &submit("Moon"));
    crone.expect_nothing();
    for (who, nick, allow, error) in [
        ("hecate@im.example", "Moon", "perhaps", ("modify", "bad-request")),
        ("hecate@im.example", "", "1", ("modify", "bad-request")),
        ("im.example", "Moon", "1", ("modify", "jid-malformed")),
        ("hecate@im.example", "thirdwitch", "1", ("cancel", "conflict")),
    ] {
        wicca.send(&decision(who, nick, allow));
        expect_error(&mut wicca, "message", "r", error);
    }
    set(&mut crone, ADMIN, "<item affiliation='outcast' jid='hecate@im.example'/>");
    wicca.sync();
    wicca.send(&decision("hecate@im.example", "Moon", "1"));
    expect_error(&mut wicca, "message", "r", ("cancel", "not-allowed"));
}

/// §7.2.2, §7.6, §7.10: who has registered a nickname has that one and no other, where the owner wants it so.
#[test]
fn locked_down() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hag) = coven(&server);
    configure(&mut crone, &[("muc#roomconfig_reservednicks", "1"), ("muc#roomconfig_allow_registration", "1")]);
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    // It is hers at once, and everybody is told whose idea that was.
    ask(&mut hag, "set", REGISTER, &submit("oldhag"));
    let member = |to_self: &str, code: &str, more: &str| {
        format!("<item affiliation='member'{more} role='participant'/>{to_self}<status code='{code}'/>")
    };
    let own = "<status code='110'/>";
    hag.expect(&shown("thirdwitch", &format!("<item affiliation='member' role='participant'/>{own}")));
    hag.expect(&gone("thirdwitch", &member(own, "303", " nick='oldhag'")));
    hag.expect(&shown("oldhag", &member(own, "210", "")));
    assert_eq!(answer(&mut hag).attr("type"), Some("result"));
    wicca.expect(&shown("thirdwitch", "<item affiliation='member' jid='{hag}' role='participant'/>"));
    wicca.expect(&gone("thirdwitch", &member("", "303", " jid='{hag}' nick='oldhag'")));
    wicca.expect(&shown("oldhag", &member("", "210", " jid='{hag}'")));
    // §7.6.
    hag.send(&format!("<presence to='{ROOM}/younghag' id='n'/>"));
    expect_error(&mut hag, "presence", "n", ("modify", "not-acceptable"));
    hag.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    assert_eq!(hag.next().attr("from"), Some(&*format!("{ROOM}/oldhag")));
    // §7.2.2.
    hag.send(&format!("<presence to='{ROOM}/oldhag' type='unavailable'/>"));
    settle(&mut wicca, &mut [&mut crone]);
    hag.sync();
    let seen = enter(&mut hag, "younghag");
    assert_eq!(
        (seen[2].attr("from"), codes(&seen[2])),
        (Some(&*format!("{ROOM}/oldhag")), vec!["110".into(), "210".into()])
    );
    // Who has none may have any.
    crone.send(&format!("<presence to='{ROOM}/elder'/>"));
    settle(&mut crone, &mut []);
    wicca.sync();
    let mut hecate = server.online("hecate", "broom");
    assert!(enter(&mut hecate, "Hecate").iter().any(|el| el.attr("from") == Some(&*format!("{ROOM}/elder"))));
}
