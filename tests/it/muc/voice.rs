//! §5.1, §7.13, §8.6: voice that outlasts a visit, and asking for it.

use super::*;

const REQUEST: &str = "http://jabber.org/protocol/muc#request";

/// A form for the room, with these fields.
fn submit(kind: &str, form_type: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<message to='{ROOM}' id='v'><x xmlns='jabber:x:data' type='{kind}'>\
         <field var='FORM_TYPE'><value>{form_type}</value></field>{fields}</x></message>"
    )
}

fn request() -> String {
    submit("submit", REQUEST, &[("muc#role", "participant")])
}

/// A moderated room, and a visitor.
#[track_caller]
fn with_visitor(server: &TestServer) -> (Client, Client, Client) {
    let (mut crone, mut wicca, _) = coven(server);
    configure(&mut crone, &[("muc#roomconfig_moderatedroom", "1")]);
    let mut hecate = server.online("hecate", "broom");
    enter(&mut hecate, "Hecate");
    settle(&mut crone, &mut [&mut wicca, &mut hecate]);
    (crone, wicca, hecate)
}

#[track_caller]
fn leave(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}' type='unavailable'/>"));
    while client.next().attr("type") != Some("unavailable") {}
}

/// The role with which she is in the room.
#[track_caller]
fn role(client: &mut Client) -> String {
    let seen = enter(client, "Hecate");
    let own = seen.iter().find(|el| codes(el).contains(&"110".to_owned())).expect("her own presence");
    let item = own.find("x", USER).and_then(|x| x.elements().next()).expect("an item");
    item.attr("role").unwrap_or_default().to_owned()
}

/// §5.1: who was given voice has it the next time, and who lost it does not have it.
#[test]
fn it_outlasts_a_visit() {
    let server = TestServer::start();
    let (mut crone, _wicca, mut hecate) = with_visitor(&server);
    for (given, later) in [("participant", "participant"), ("visitor", "visitor"), ("moderator", "participant")] {
        set(&mut crone, ADMIN, &format!("<item nick='Hecate' role='{given}'/>"));
        hecate.sync();
        leave(&mut hecate, "Hecate");
        assert_eq!(role(&mut hecate), later, "{given}");
    }
    // What she is to the room decides anew.
    set(&mut crone, ADMIN, "<item nick='Hecate' role='visitor'/>");
    set(&mut crone, ADMIN, "<item affiliation='member' jid='hecate@im.example'/>");
    hecate.sync();
    leave(&mut hecate, "Hecate");
    assert_eq!(role(&mut hecate), "participant");
    // And so does a room that is not moderated any more.
    set(&mut crone, ADMIN, "<item nick='Hecate' role='visitor'/>");
    configure(&mut crone, &[("muc#roomconfig_moderatedroom", "0")]);
    hecate.sync();
    leave(&mut hecate, "Hecate");
    assert_eq!(role(&mut hecate), "participant");
}

/// §5.1.2, §10.2: a room that is not moderated any more; then everybody has voice.
#[test]
fn no_more_moderated() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hecate) = with_visitor(&server);
    configure(&mut crone, &[("muc#roomconfig_moderatedroom", "0")]);
    hecate.expect(&shown("Hecate", "<item affiliation='none' role='participant'/><status code='110'/>"));
    wicca.expect(&shown("Hecate", "<item affiliation='none' jid='{hecate}' role='participant'/>"));
    settle(&mut crone, &mut [&mut hecate]);
    hecate.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>hi</body></message>"));
    assert_eq!(hecate.next().attr("type"), Some("groupchat"));
}

/// §7.13: what is no request, or not wanted.
#[test]
fn requests_that_are_refused() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hecate) = with_visitor(&server);
    for form in [
        submit("submit", REQUEST, &[("muc#role", "moderator")]),
        submit("submit", "urn:x", &[("muc#role", "participant")]),
        format!("<message to='{ROOM}' id='v'><x xmlns='jabber:x:data' type='submit'/></message>"),
    ] {
        hecate.send(&form);
        expect_error(&mut hecate, "message", "v", ("modify", "bad-request"));
    }
    let mut stranger = server.online("stranger", "road");
    stranger.send(&request());
    expect_error(&mut stranger, "message", "v", ("modify", "not-acceptable"));
    // Who takes it back has not asked.
    hecate.send(&submit("cancel", REQUEST, &[]));
    configure(&mut crone, &[("muc#roomconfig_allowvoicerequests", "0")]);
    wicca.sync();
    hecate.sync();
    hecate.send(&request());
    expect_error(&mut hecate, "message", "v", ("auth", "forbidden"));
    wicca.expect_nothing();
}

/// §8.6: the form, and whom its answer is about.
#[test]
fn the_approval() {
    let server = TestServer::start();
    let (mut crone, mut wicca, mut hecate) = with_visitor(&server);
    hecate.send(&request());
    let field = |var: &str, kind: &str, value: &str| {
        format!("<field var='{var}' type='{kind}' label='{{any}}'><value>{value}</value></field>")
    };
    let form = format!(
        "<message from='{ROOM}' to='{{jid}}'><x xmlns='jabber:x:data' type='form'><title>{{any}}</title>\
         <instructions>{{any}}</instructions><field var='FORM_TYPE' type='hidden'><value>{REQUEST}</value></field>\
         {}{}{}{}</x></message>",
        field("muc#role", "list-single", "participant"),
        field("muc#jid", "jid-single", "{hecate}"),
        field("muc#roomnick", "text-single", "Hecate"),
        field("muc#request_allow", "boolean", "false"),
    );
    crone.expect(&form);
    wicca.expect(&form);
    // No is an answer; so is nothing.
    let jid = hecate.jid.clone().expect("bound");
    let decide = |allow: &str, nick: &str, jid: &str| {
        let fields =
            [("muc#role", "participant"), ("muc#jid", jid), ("muc#roomnick", nick), ("muc#request_allow", allow)];
        submit("submit", REQUEST, &fields)
    };
    crone.send(&decide("false", "Hecate", &jid));
    crone.send(&submit("cancel", REQUEST, &[]));
    // She has another nickname by now: it is her all the same.
    hecate.send(&format!("<presence to='{ROOM}/Moon'/>"));
    settle(&mut hecate, &mut [&mut wicca]);
    settle(&mut crone, &mut [&mut wicca]);
    crone.send(&decide("true", "Hecate", &jid));
    hecate.expect(&shown("Moon", "<item affiliation='none' role='participant'/><status code='110'/>"));
    wicca.expect(&shown("Moon", "<item affiliation='none' jid='{hecate}' role='participant'/>"));
    // And nobody, if she has gone.
    hecate.send(&format!("<presence to='{ROOM}/Moon' type='unavailable'/>"));
    settle(&mut crone, &mut [&mut hecate]);
    hecate.sync();
    settle(&mut crone, &mut []);
    crone.send(&decide("true", "Hecate", &jid));
    expect_error(&mut crone, "message", "v", ("cancel", "item-not-found"));
}
