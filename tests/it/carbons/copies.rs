//! Who gets a copy, and what it looks like (§7, §8).

use super::{copy, device, enable, received, sent, three};
use crate::support::{TestServer, settle};

/// §7, §8: one message, two copies, and the clients that sent and received it get none.
#[test]
fn both_sides_see_the_conversation() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let mut garden = device(&server, "romeo", "garden");
    romeo.sync();
    let content = "<body>What man art thou?</body><thread>0e31</thread>";
    romeo.send(&format!("<message to='{{juliet/balcony}}' type='chat' id='1' xml:lang='en'>{content}</message>"));
    let message =
        format!("<message from='{{romeo/orchard}}' to='{{juliet/balcony}}' type='chat' id='1'>{content}</message>");
    balcony.expect(&message);
    phone.expect(&received(&message));
    garden.expect(&sent(&message));
    for client in [&mut romeo, &mut balcony, &mut phone, &mut garden] {
        client.expect_nothing();
    }
}

/// §7: to the bare JID every reachable resource has the message itself.
#[test]
fn who_has_the_message_gets_no_copy() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, mut phone) = three(&server);
    romeo.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
    let message = "<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body></message>";
    balcony.expect(message);
    phone.expect(message);
    romeo.expect_nothing();
    balcony.expect_nothing();
    phone.expect_nothing();
}

/// §7: with a negative priority, or not available at all, a resource gets copies and nothing else.
#[test]
fn priority_and_presence_do_not_matter_for_copies() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut balcony = device(&server, "juliet", "balcony");
    let mut shy = device(&server, "juliet", "shy");
    shy.send("<presence><priority>-1</priority></presence>");
    let mut silent = server.login("juliet", "secret", "silent");
    enable(&mut silent);
    shy.sync();
    balcony.sync();
    romeo.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
    let message = "<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body></message>";
    balcony.expect(message);
    shy.expect(&received(message));
    silent.expect(&received(message));
    romeo.expect_nothing();
}

/// §7: nobody can take the message itself; it is kept, and who wants copies has one.
#[test]
fn a_kept_message_is_copied() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut shy = server.login("juliet", "secret", "shy");
    enable(&mut shy);
    romeo.send("<message to='juliet@im.example' type='chat'><body>hi</body></message>");
    let message = "<message from='{romeo}' to='juliet@im.example' type='chat'><body>hi</body>";
    shy.expect(&received(&format!("{message}</message>")));
    let mut balcony = server.login("juliet", "secret", "balcony");
    balcony.send("<presence/>");
    balcony.expect("<presence from='{jid}' to='{jid}'/>");
    balcony.expect(&format!("{message}<delay xmlns='urn:xmpp:delay' from='im.example' stamp='{{any}}'/></message>"));
}

/// What is refused was not sent: nobody sees a copy of it.
#[test]
fn a_refused_message_is_not_copied_to_its_addressee() {
    let server = TestServer::with(|c| c.offline.messages_max = 0);
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut shy = server.login("juliet", "secret", "shy");
    enable(&mut shy);
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    settle(&mut romeo, &mut shy);
}

/// To oneself: one copy for each other client, whichever of them it is for.
#[test]
fn messages_to_oneself_are_copied_once() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut phone = device(&server, "juliet", "phone");
    let mut shy = server.login("juliet", "secret", "shy");
    enable(&mut shy);
    phone.send("<message to='juliet@im.example' type='chat'><body>note</body></message>");
    let note = "<message from='{juliet/phone}' to='juliet@im.example' type='chat'><body>note</body></message>";
    phone.expect(note);
    shy.expect(&received(note));
    phone.expect_nothing();
    shy.expect_nothing();
    // The sender is not available, and has what it sent.
    shy.send("<message to='{juliet/phone}' type='chat'><body>note</body></message>");
    phone.expect("<message from='{juliet/shy}' to='{jid}' type='chat'><body>note</body></message>");
    shy.expect_nothing();
}

/// The copies say under which id each side's archive has the message.
#[test]
fn copies_carry_the_ids_of_the_archive() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    let (mut romeo, mut balcony, mut phone) = three(&server);
    let mut garden = device(&server, "romeo", "garden");
    romeo.sync();
    romeo.send("<message to='{juliet/balcony}' type='chat'><body>hi</body></message>");
    let message = |by: &str, id: &str| {
        format!(
            "<message from='{{romeo/orchard}}' to='{{juliet/balcony}}' type='chat'><body>hi</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='{by}@im.example' id='{{{id}}}'/></message>"
        )
    };
    balcony.expect(&message("juliet", "hers"));
    phone.set_var("hers", &balcony.var("hers"));
    phone.expect(&received(&message("juliet", "hers")));
    garden.expect(&sent(&message("romeo", "his")));
    garden.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    garden
        .expect("<message from='{opt}' to='{jid}'><result xmlns='urn:xmpp:mam:2' id='{his}'><any/></result></message>");
}

/// §8: "irrespective of whether the sending client has carbons enabled". And a client without them gets none.
#[test]
fn the_sender_need_not_want_copies() {
    let server = TestServer::start();
    let mut orchard = server.online("romeo", "orchard");
    let mut old = server.login("romeo", "secret", "old");
    old.available();
    let mut garden = device(&server, "romeo", "garden");
    orchard.sync();
    old.sync();
    garden.sync();
    orchard.send("<message to='nobody@im.example' id='1'><body>hi</body></message>");
    let message = "<message from='{romeo/orchard}' to='nobody@im.example' id='1'><body>hi</body></message>";
    garden.expect(&copy("sent", "", message));
    orchard.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    settle(&mut orchard, &mut old);
}
