//! What enters an archive (XEP-0313 §6.1.1, XEP-0334).

use super::{MAM, query, say, server};
use crate::support::{TestServer, settle};

/// §3: both sides have it, each as it was, and each knows when.
#[test]
fn a_message_is_in_both_archives() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    romeo.send(
        "<message to='juliet@im.example/balcony' type='chat' id='m1' xml:lang='en'><body>Call me but &lt;love&gt;</body>\
         <x xmlns='urn:x'><y/></x></message>",
    );
    settle_with(&mut romeo, &mut juliet);
    for client in [&mut romeo, &mut juliet] {
        client.send(&format!("<iq type='set' id='q'><query xmlns='{MAM}'/></iq>"));
        client.expect(
            "<message from='{bare}' to='{jid}'><result xmlns='urn:xmpp:mam:2' id='{any}'>\
             <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='{any}Z'/>\
             <message xmlns='jabber:client' from='{romeo}' to='{juliet}' type='chat' id='m1'>\
             <body>Call me but &lt;love&gt;</body><x xmlns='urn:x'><y/></x></message></forwarded></result></message>",
        );
        client.expect(
            "<iq type='result' id='q' from='{opt}' to='{opt}'><fin xmlns='urn:xmpp:mam:2' complete='true'>\
             <set xmlns='http://jabber.org/protocol/rsm'><first>{id}</first><last>{id}</last><count>1</count></set>\
             </fin></iq>",
        );
        client.set_var("id", "");
    }
}

fn settle_with(sender: &mut crate::support::Client, receiver: &mut crate::support::Client) {
    sender.expect_nothing();
    receiver.sync();
}

/// What a second device needs is kept, a chat state alone is not, and hints are followed.
#[test]
fn what_is_worth_keeping_is_kept() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let hint = |name: &str| format!("<{name} xmlns='urn:xmpp:hints'/>");
    let rows = [
        ("<body>x</body>".to_owned(), true),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'><payload/></encrypted>".to_owned(), true),
        ("<received xmlns='urn:xmpp:receipts' id='1'/>".to_owned(), true),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>".to_owned(), true),
        ("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>!</reaction></reactions>".to_owned(), true),
        ("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>".to_owned(), true),
        ("<paused xmlns='http://jabber.org/protocol/chatstates'/>".to_owned(), false),
        ("<body>x</body>".to_owned() + &hint("no-store"), false),
        ("<body>x</body>".to_owned() + &hint("no-permanent-store"), false),
        ("<x xmlns='urn:x'/>".to_owned(), false),
        ("<x xmlns='urn:x'/>".to_owned() + &hint("store"), true),
    ];
    let mut expected = Vec::new();
    for (n, (children, kept)) in rows.iter().enumerate() {
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='m{n}'>{children}</message>"));
        if *kept {
            expected.push(format!("m{n}"));
        }
    }
    for kind in ["headline", "groupchat", "error"] {
        let to = "juliet@im.example/balcony";
        romeo.send(&format!("<message to='{to}' type='{kind}' id='{kind}'><body>x</body></message>"));
    }
    settle_with(&mut romeo, &mut juliet);
    for client in [&mut romeo, &mut juliet] {
        let found = query(client, "");
        let ids: Vec<_> = found.messages().iter().map(|el| el.attr("id").unwrap().to_owned()).collect();
        assert_eq!(ids, expected);
    }
}

/// §6.1.1: once, however many resources got it; and once if it was to oneself.
#[test]
fn a_message_is_archived_once() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut balcony = server.online("juliet", "balcony");
    let mut chamber = server.login("juliet", "secret", "chamber");
    chamber.available();
    say(&mut romeo, "juliet@im.example", "both");
    balcony.sync();
    chamber.sync();
    assert_eq!(query(&mut balcony, "").bodies(), ["both"]);
    romeo.send("<message to='romeo@im.example' type='chat' id='n'><body>note</body></message>");
    romeo.expect(
        "<message from='{romeo}' to='romeo@im.example' type='chat' id='n'><body>note</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='romeo@im.example' id='{any}'/></message>",
    );
    assert_eq!(query(&mut romeo, "").bodies(), ["both", "note"]);
}

/// §6.1: what the addressee refused it has never seen; its sender has said it.
#[test]
fn what_is_refused_is_not_in_the_archive_of_who_refused_it() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    romeo.send("<message to='juliet@im.example/nowhere' type='normal' id='m'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "m", "cancel", "service-unavailable");
    romeo.send("<message to='nobody@im.example' type='chat' id='n'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "n", "cancel", "service-unavailable");
    settle(&mut romeo, &mut juliet);
    assert_eq!(query(&mut juliet, "").results.len(), 0);
    assert_eq!(query(&mut romeo, "").results.len(), 2);
}

/// The same with a full offline store.
#[test]
fn what_does_not_fit_into_the_offline_store_is_not_archived() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.offline.messages_max = 1;
    });
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    say(&mut romeo, "juliet@im.example", "kept");
    romeo.send("<message to='juliet@im.example' type='chat' id='n'><body>too much</body></message>");
    romeo.expect_stanza_error("message", "n", "cancel", "service-unavailable");
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(query(&mut juliet, "").bodies(), ["kept"]);
}

/// An archive outlives the server.
#[test]
fn an_archive_survives_a_restart() {
    let mut server = server();
    let (romeo, juliet) = super::conversation(&server, 3);
    drop((romeo, juliet));
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(query(&mut juliet, "").bodies(), super::numbers(1..=3));
}

/// Turned off, there is nothing to ask and nothing is added.
#[test]
fn without_an_archive_a_message_is_what_was_sent() {
    let server = TestServer::with(|c| c.archive.enabled = false);
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    romeo.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
    juliet.expect("<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body></message>");
    juliet.send(&format!("<iq type='set' id='q'><query xmlns='{MAM}'/></iq>"));
    juliet.expect_stanza_error("iq", "q", "cancel", "service-unavailable");
    juliet.send(
        "<iq type='get' id='d' to='juliet@im.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let info = juliet.next();
    assert!(!info.raw.contains(MAM), "{info:?}");
}
