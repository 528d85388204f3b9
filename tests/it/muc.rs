//! Rooms (XEP-0045): the service at `conference.im.example`. Like the examples there, these are set in a dark cave.

use crate::support::xml::El;
use crate::support::{Client, TestServer};

mod activity;
mod admin;
mod approving;
mod archive;
mod asking;
mod avatar;
mod business;
mod closing;
mod configuring;
mod declining;
mod discovery;
mod entering;
mod exiting;
mod fields;
mod hats;
mod history;
mod invitations;
mod limits;
mod lists;
mod mentions;
mod messages;
mod moderating;
mod nicknames;
mod owners;
mod owning;
mod persistence;
mod private;
mod registering;
mod retraction;
mod search;
mod surviving;
mod versioning;
mod voice;

const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";
const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// The room.
const ROOM: &str = "coven@conference.im.example";

/// Wants to enter.
#[track_caller]
fn knock(client: &mut Client, nick: &str, x: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}' id='join'><x xmlns='{MUC}'>{x}</x></presence>"));
}

/// Enters, and gives everything up to the subject.
#[track_caller]
fn enter(client: &mut Client, nick: &str) -> Vec<El> {
    enter_with(client, nick, "")
}

#[track_caller]
fn enter_with(client: &mut Client, nick: &str, x: &str) -> Vec<El> {
    knock(client, nick, x);
    let mut seen = Vec::new();
    loop {
        let el = client.next();
        assert_ne!(el.attr("type"), Some("error"), "{}", el.raw);
        let over = el.name == "message" && el.find("subject", "jabber:client").is_some();
        seen.push(el);
        if over {
            return seen;
        }
    }
}

/// Sends a request to the room.
#[track_caller]
fn ask(client: &mut Client, kind: &str, ns: &str, inside: &str) {
    client.send(&format!("<iq type='{kind}' id='q' to='{ROOM}'><query xmlns='{ns}'>{inside}</query></iq>"));
}

/// The answer to the last request, whatever came before it put aside.
#[track_caller]
fn answer(client: &mut Client) -> El {
    loop {
        let el = client.next();
        if el.name == "iq" && matches!(el.attr("id"), Some("q")) {
            return el;
        }
    }
}

/// Changes something.
#[track_caller]
fn set(client: &mut Client, ns: &str, inside: &str) {
    ask(client, "set", ns, inside);
    let answer = answer(client);
    assert_eq!(answer.attr("type"), Some("result"), "{inside}: {}", answer.raw);
}

/// Asks for something that is refused.
#[track_caller]
fn refused(client: &mut Client, kind: &str, ns: &str, inside: &str, error: (&str, &str)) {
    ask(client, kind, ns, inside);
    let answer = answer(client);
    assert_eq!(condition(&answer), error, "{inside}: {}", answer.raw);
}

/// The type and condition of an error.
fn condition(el: &El) -> (&str, &str) {
    let error = el.find("error", "jabber:client").unwrap_or_else(|| panic!("no error: {}", el.raw));
    let condition = error.elements().next().expect("a condition");
    (error.attr("type").unwrap_or_default(), &condition.name)
}

/// An error comes back for what was sent with this id.
#[track_caller]
fn expect_error(client: &mut Client, name: &str, id: &str, error: (&str, &str)) {
    let el = client.next();
    assert_eq!((el.name.as_str(), el.attr("id"), el.attr("type")), (name, Some(id), Some("error")), "{}", el.raw);
    assert_eq!(condition(&el), error, "{}", el.raw);
}

/// Owner of a room that is open to all.
#[track_caller]
fn create(client: &mut Client, nick: &str) {
    enter(client, nick);
    set(client, OWNER, "<x xmlns='jabber:x:data' type='submit'/>");
}

/// Configures the room.
#[track_caller]
fn configure(client: &mut Client, fields: &[(&str, &str)]) {
    set(client, OWNER, &form(fields));
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    let kind = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>";
    format!("<x xmlns='jabber:x:data' type='submit'>{kind}{fields}</x>")
}

/// Three witches in their cave: owner, admin, and somebody.
#[track_caller]
fn coven(server: &TestServer) -> (Client, Client, Client) {
    let mut crone = server.online("crone", "desktop");
    create(&mut crone, "firstwitch");
    set(&mut crone, ADMIN, "<item affiliation='admin' jid='wicca@im.example'/>");
    let mut wicca = server.online("wicca", "laptop");
    enter(&mut wicca, "secondwitch");
    let mut hag = server.online("hag", "pda");
    enter(&mut hag, "thirdwitch");
    settle(&mut crone, &mut [&mut wicca, &mut hag]);
    (crone, wicca, hag)
}

/// Everything that has been done in the room so far has been seen, by all of these.
#[track_caller]
fn settle(first: &mut Client, others: &mut [&mut Client]) {
    first.send(&format!("<iq type='get' id='q' to='{ROOM}'><ping xmlns='urn:xmpp:ping'/></iq>"));
    answer(first);
    first.sync();
    for other in others {
        other.sync();
    }
}

/// Presence as an occupant of the room shows it: what is in `<x/>`.
fn shown(nick: &str, x: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' to='{{jid}}' id='{{opt}}'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/>\
         <x xmlns='{USER}'>{x}</x></presence>"
    )
}

/// The same for who is gone.
fn gone(nick: &str, x: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' to='{{jid}}' type='unavailable' id='{{opt}}'>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{{any}}'/><x xmlns='{USER}'>{x}</x></presence>"
    )
}

/// What presence says of a change, for those who may have the lists (XEP-0463).
const CHANGED: &str = "<mav xmlns='urn:xmpp:muc:affiliations:1' since='{any}' until='{any}'/>";
/// What it says to an occupant about itself.
const CURRENT: &str = "<mav xmlns='urn:xmpp:muc:affiliations:1' until='{any}'/>";

/// The status codes in presence or a message.
fn codes(el: &El) -> Vec<String> {
    let x = el.find("x", USER);
    let all = x.into_iter().flat_map(El::elements).filter(|c| c.name == "status");
    all.filter_map(|c| c.attr("code").map(str::to_owned)).collect()
}
