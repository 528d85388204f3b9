//! Copies and clients that go away or lose their connection (XEP-0198): nothing is lost, nothing comes twice.

use super::{device, enable, received, sent, three};
use crate::support::{Client, TestServer};
use std::time::{Duration, Instant};

const MESSAGE: &str = "<message from='{romeo}' to='{juliet/balcony}' type='chat' id='1'><body>hi</body></message>";

/// Juliet on her phone with copies and stream management; `{sm}` is the SM-ID.
fn managed(server: &TestServer) -> Client {
    let mut phone = device(server, "juliet", "phone");
    phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    phone.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
    phone
}

/// Waits until the resources of this user, and those among them without a connection, are so many.
fn until(server: &TestServer, user: &str, wanted: (usize, usize)) {
    let begun = Instant::now();
    loop {
        let is = server.server().core().accounts.find(user).map_or((0, 0), |account| {
            let state = account.lock();
            (state.resources.len(), state.resources.iter().filter(|b| b.is_detached()).count())
        });
        if is == wanted {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{is:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn resume(server: &TestServer, id: &str, h: u32) -> Client {
    let mut client = server.connect_tls();
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256", "juliet", "secret");
    client.open_to_features();
    client.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
    client.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{{any}}'/>"));
    client.set_var("jid", "juliet@im.example/phone");
    client.set_var("bare", "juliet@im.example");
    client
}

/// A client without a connection gets copies when it comes back, with the time they were made.
#[test]
fn copies_wait_for_who_comes_back() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut balcony = device(&server, "juliet", "balcony");
    let phone = managed(&server);
    let id = phone.var("sm");
    drop(phone);
    until(&server, "juliet@im.example", (2, 1));
    balcony.sync();
    romeo.send("<message to='{juliet/balcony}' type='chat' id='1'><body>hi</body></message>");
    balcony.expect(MESSAGE);
    balcony.send("<message to='{romeo}' type='chat' id='2'><body>ho</body></message>");
    balcony.expect_nothing();
    let mut phone = resume(&server, &id, 0);
    phone.expect(&late(&received(MESSAGE)));
    let reply = "<message from='{juliet/balcony}' to='{romeo}' type='chat' id='2'><body>ho</body></message>";
    phone.expect(&late(&sent(reply)));
    phone.expect("<r xmlns='urn:xmpp:sm:3'/>");
    phone.expect_nothing();
}

const STAMP: &str = "<delay xmlns='urn:xmpp:delay' from='juliet@im.example' stamp='{any}'/></message>";

/// A copy that comes late.
fn late(copy: &str) -> String {
    format!("{}{STAMP}", copy.strip_suffix("</message>").expect("its end"))
}

/// What waits for a client without a connection survives `kill -9`, in the order in which it came.
#[test]
fn copies_survive_a_kill() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut balcony = device(&server, "juliet", "balcony");
    let phone = managed(&server);
    let id = phone.var("sm");
    drop(phone);
    until(&server, "juliet@im.example", (2, 1));
    balcony.sync();
    romeo.send("<message to='{juliet/balcony}' type='chat' id='1'><body>hi</body></message>");
    balcony.expect(MESSAGE);
    balcony.send("<message to='{romeo}' type='chat' id='2'><body>ho</body></message>");
    let reply = "<message from='{juliet/balcony}' to='{romeo}' type='chat' id='2'><body>ho</body></message>";
    romeo.expect(reply);
    romeo.send("<message to='juliet@im.example' type='chat' id='3'><body>hey</body></message>");
    let third = "<message from='{romeo}' to='juliet@im.example' type='chat' id='3'><body>hey</body></message>";
    balcony.expect(third);
    // Nobody will miss a chat state.
    romeo.send(
        "<message to='{juliet/balcony}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    );
    romeo.sync();
    server.crash();
    let mut phone = resume(&server, &id, 0);
    phone.expect(&late(&received(MESSAGE)));
    phone.expect(&late(&sent(reply)));
    phone.expect(third);
    phone.expect("<r xmlns='urn:xmpp:sm:3'/>");
    phone.expect_nothing();
}

/// A client that was not told that its message was handled sends it again. Its copy does not come twice.
#[test]
fn what_is_sent_again_after_a_kill_is_copied_once() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let phone = managed(&server);
    let id = phone.var("sm");
    drop(phone);
    until(&server, "juliet@im.example", (1, 1));
    let mut balcony = device(&server, "juliet", "balcony");
    balcony.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    balcony.expect("<enabled xmlns='urn:xmpp:sm:3' id='{balcony}' resume='true' max='{any}'/>");
    let balconys = balcony.var("balcony");
    let messages =
        ["1", "2", "3"].map(|id| format!("<message to='{{romeo}}' type='chat' id='{id}'><body>{id}</body></message>"));
    balcony.send(&messages.concat());
    let said = |id: &str| {
        format!("<message from='{{juliet/balcony}}' to='{{romeo}}' type='chat' id='{id}'><body>{id}</body></message>")
    };
    ["1", "2", "3"].iter().for_each(|id| drop(romeo.expect(&said(id))));
    server.crash();
    let mut balcony = server.connect_tls();
    balcony.open_to_features();
    balcony.authenticate("SCRAM-SHA-256", "juliet", "secret");
    balcony.open_to_features();
    balcony.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{balconys}' h='0'/>"));
    let resumed = balcony.next();
    let handled: usize = resumed.attr("h").and_then(|h| h.parse().ok()).expect("a count");
    // Its presence, which was sent before, was not counted.
    balcony.send(&messages[handled..].concat());
    balcony.send("<r xmlns='urn:xmpp:sm:3'/>");
    while balcony.next().name != "a" {}
    let mut phone = resume(&server, &id, 0);
    let mut copies = Vec::new();
    phone.send("<iq type='get' id='end' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>");
    loop {
        let el = phone.next();
        match el.name.as_str() {
            "iq" => break,
            "message" => copies.push(el.raw.clone()),
            _ => {}
        }
    }
    assert_eq!(copies.len(), 3, "{copies:?}");
    for (copy, id) in copies.iter().zip(["1", "2", "3"]) {
        assert!(copy.contains(&format!("<body>{id}</body>")), "{copy}");
    }
}

/// The message itself waits in the store for the only client that takes messages; no copy besides.
#[test]
fn what_waits_in_the_store_is_no_copy() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let phone = managed(&server);
    let id = phone.var("sm");
    drop(phone);
    until(&server, "juliet@im.example", (1, 1));
    romeo.send("<message to='juliet@im.example' type='chat' id='1'><body>hi</body></message>");
    romeo.sync();
    let mut phone = resume(&server, &id, 0);
    phone.expect(
        "<message from='{romeo}' to='juliet@im.example' type='chat' id='1'><body>hi</body>\
         <delay xmlns='urn:xmpp:delay' from='im.example' stamp='{any}'/></message>",
    );
    phone.expect("<r xmlns='urn:xmpp:sm:3'/>");
    phone.expect_nothing();
}

/// Somebody has read the copy; that the message itself was never acknowledged does not bring it a second time.
#[test]
fn who_has_the_copy_does_not_get_the_message_as_well() {
    let server = TestServer::with(|c| c.limits.resume_seconds_max = Duration::from_millis(1));
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut balcony = device(&server, "juliet", "balcony");
    let mut phone = managed(&server);
    balcony.sync();
    romeo.send("<message to='{juliet/phone}' type='chat' id='1'><body>hi</body></message>");
    let message = "<message from='{romeo}' to='{juliet/phone}' type='chat' id='1'><body>hi</body></message>";
    phone.expect(message);
    balcony.expect(&received(message));
    drop(phone);
    until(&server, "juliet@im.example", (1, 0));
    balcony.expect("<presence type='unavailable' from='{juliet/phone}' to='{jid}'/>");
    balcony.expect_nothing();
}

/// Nobody acknowledged either: the message is kept, as itself.
#[test]
fn a_message_that_nobody_read_is_kept() {
    let server = TestServer::with(|c| c.limits.resume_seconds_max = Duration::from_secs(600));
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let phone = managed(&server);
    let mut shy = server.login("juliet", "secret", "shy");
    enable(&mut shy);
    shy.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    shy.expect("<enabled xmlns='urn:xmpp:sm:3' id='{shy}' resume='true' max='{any}'/>");
    romeo.send("<message to='{juliet/phone}' type='chat' id='1'><body>hi</body></message>");
    let message = "<message from='{romeo}' to='{juliet/phone}' type='chat' id='1'><body>hi</body>";
    shy.expect(&received(&format!("{message}</message>")));
    drop(phone);
    drop(shy);
    until(&server, "juliet@im.example", (2, 2));
    // Sessions that bind under the same names end them for good.
    server.login("juliet", "secret", "phone");
    server.login("juliet", "secret", "shy");
    let mut balcony = server.login("juliet", "secret", "balcony");
    balcony.send("<presence/>");
    balcony.expect("<presence from='{jid}' to='{jid}'/>");
    balcony.expect(&format!("{message}<delay xmlns='urn:xmpp:delay' from='im.example' stamp='{{any}}'/></message>"));
    balcony.expect_nothing();
}

/// A copy is not kept when its client is gone.
#[test]
fn copies_are_not_stored() {
    let server = TestServer::start();
    let (mut romeo, mut balcony, phone) = three(&server);
    drop(phone);
    until(&server, "juliet@im.example", (1, 0));
    balcony.sync();
    romeo.send("<message to='{juliet/balcony}' type='chat' id='1'><body>hi</body></message>");
    balcony.expect(MESSAGE);
    romeo.sync();
    balcony.close();
    let mut phone = server.login("juliet", "secret", "phone");
    phone.send("<presence/>");
    phone.expect("<presence from='{jid}' to='{jid}'/>");
    phone.expect_nothing();
}
