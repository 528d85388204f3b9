//! What is copied and what is not (§6.1, §9, §10.3, §11).

use super::{copy, device, received, three};
use crate::support::{TestServer, settle};

const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// §6.1, row by row: the type, the content, is it copied? Both ways.
#[test]
fn eligible_messages() {
    let hint = "<no-copy xmlns='urn:xmpp:hints'/>";
    let private = "<private xmlns='urn:xmpp:carbons:2'/>";
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>";
    let marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
    let direct = "<x xmlns='jabber:x:conference' jid='room@muc.example'/>";
    let event = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
    let body = "<body>hi</body>";
    let invite = format!("<x xmlns='{MUC_USER}'><invite to='a@b'/></x>");
    let from_room = format!("<x xmlns='{MUC_USER}'/>");
    let rows: [(&str, &[&str], bool); 21] = [
        ("chat", &[body], true),
        ("chat", &["<x xmlns='urn:unknown'/>"], true),
        ("chat", &[], true),
        ("chat", &[state], true),
        ("normal", &[body], true),
        ("normal", &[], false),
        ("normal", &["<subject>hi</subject>"], false),
        ("normal", &["<x xmlns='urn:unknown'/>"], false),
        ("normal", &[state], true),
        ("normal", &[receipt], true),
        ("normal", &[marker], true),
        ("normal", &[direct], true),
        ("normal", &[&invite], true),
        ("normal", &[event], false),
        ("headline", &[body], false),
        ("headline", &[event], false),
        ("groupchat", &[body], false),
        ("chat", &[body, private], false),
        ("chat", &[body, private, hint], false),
        ("chat", &[body, hint], false),
        // As a participant of a room would send it; the room sees to its copies.
        ("chat", &[body, &from_room], false),
    ];
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let mut garden = device(&server, "romeo", "garden");
    romeo.sync();
    for (kind, children, copied) in rows {
        let children = children.concat();
        let kind = if kind == "normal" { String::new() } else { format!("type='{kind}'") };
        romeo.send(&format!("<message to='{{juliet/balcony}}' {kind}>{children}</message>"));
        let message = format!("<message from='{{romeo/orchard}}' to='{{juliet/balcony}}' {kind}>{children}</message>");
        balcony.expect(&message);
        if copied {
            phone.expect(&copy("received", &kind, &message));
        }
        // What goes to a room is copied by its type like anything else.
        if copied || children.contains(&from_room) {
            garden.expect(&copy("sent", &kind, &message));
        }
        romeo.expect_nothing();
        phone.expect_nothing();
        garden.expect_nothing();
    }
}

/// §6.1: an error that answers something copied is copied.
#[test]
fn errors_follow_what_they_answer() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut orchard = device(&server, "romeo", "orchard");
    let mut garden = device(&server, "romeo", "garden");
    orchard.sync();
    let rows = [
        ("type='chat'", "<body>hi</body>", true),
        ("type='chat'", "<body>hi</body><private xmlns='urn:xmpp:carbons:2'/>", false),
        ("", "<x xmlns='urn:unknown'/>", false),
        ("type='groupchat'", "<body>hi</body>", false),
    ];
    for (kind, children, copied) in rows {
        orchard.send(&format!("<message to='nobody@im.example' {kind} id='1'>{children}</message>"));
        orchard.expect_stanza_error("message", "1", "cancel", "service-unavailable");
        orchard.expect_nothing();
        let seen = garden.sync();
        assert_eq!(seen.len(), if copied { 2 } else { 0 }, "{seen:?}");
        if copied {
            let error = "<message from='nobody@im.example' to='{romeo/orchard}' type='error' id='1'>\
                         <error type='cancel'><any/></error></message>";
            assert_eq!(garden.matches(&copy("received", "type='error'", error), &seen[1]), Ok(()));
        }
    }
}

/// §6.1: the same for an error that a client sends. One who is away does not miss it.
#[test]
fn errors_of_clients_are_copied() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    for to in ["balcony", "gone"] {
        romeo.send(&format!("<message to='juliet@im.example/{to}' type='error' id='1'>{error}</message>"));
        let message =
            format!("<message from='{{romeo}}' to='juliet@im.example/{to}' type='error' id='1'>{error}</message>");
        let copied = copy("received", "type='error'", &message);
        balcony.expect(if to == "balcony" { &message } else { &copied });
        phone.expect(&copied);
    }
    settle(&mut romeo, &mut balcony);
}

/// §10.3: a copy that comes back goes nowhere.
#[test]
fn errors_of_copies_go_nowhere() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    phone.send(&format!("<message to='juliet@im.example' type='error' id='1'>{error}</message>"));
    phone.expect_nothing();
    balcony.expect_nothing();
    romeo.expect_nothing();
}

/// §7, §11: nobody can make a copy but the server: what looks like one is taken out, and its sender is always known.
#[test]
fn forged_copies() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let inside = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' \
                  from='nurse@im.example/x' to='juliet@im.example/balcony'><body>meet me</body></message></forwarded>";
    for way in ["sent", "received"] {
        let forged = format!("<{way} xmlns='urn:xmpp:carbons:2'>{inside}</{way}>");
        romeo.send(&format!("<message to='juliet@im.example' type='chat'>{forged}<body>hi</body></message>"));
        let message = "<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body></message>";
        balcony.expect(message);
        phone.expect(message);
        // Not among one's own devices either.
        phone.send(&format!("<message to='{{juliet/balcony}}' type='chat'>{forged}</message>"));
        balcony.expect("<message from='{juliet/phone}' to='{jid}' type='chat'/>");
    }
    // As itself a client may forward what it likes.
    romeo.send(&format!("<message to='{{juliet/balcony}}' type='chat'>{inside}</message>"));
    let message = format!("<message from='{{romeo}}' to='{{juliet/balcony}}' type='chat'>{inside}</message>");
    balcony.expect(&message);
    phone.expect(&received(&message));
    settle(&mut romeo, &mut phone);
}
