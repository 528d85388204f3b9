//! The archive and the offline store (XEP-0160): both have it, and a client can tell that it is the same.

use super::{query, say, server};

/// Handed out once, with the id it has in the archive and the time it came.
#[test]
fn a_kept_message_has_its_archive_id() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    say(&mut romeo, "juliet@im.example", "hello");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let ids = query(&mut juliet, "").ids();
    assert_eq!(ids.len(), 1);
    juliet.set_var("id", &ids[0]);
    juliet.send("<presence/>");
    juliet.expect("<presence from='{jid}' to='{opt}'/>");
    juliet.expect(
        "<message from='{romeo}' to='juliet@im.example' type='chat' id='hello'><body>hello</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='{id}'/>\
         <delay xmlns='urn:xmpp:delay' from='im.example' stamp='{any}Z'/></message>",
    );
    juliet.expect_nothing();
    assert_eq!(query(&mut juliet, "").ids(), ids);
    juliet.close();
    let mut later = server.login("juliet", "secret", "chamber");
    assert!(later.available().iter().all(|el| el.name != "message"));
}

/// After a restart the id is still the same.
#[test]
fn it_survives_a_restart() {
    let mut server = server();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    say(&mut romeo, "juliet@im.example", "hello");
    drop(romeo);
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    let ids = query(&mut juliet, "").ids();
    juliet.send("<presence/>");
    juliet.expect("<presence from='{jid}' to='{opt}'/>");
    let message = juliet.next();
    let id = message.find("stanza-id", "urn:xmpp:sid:0").and_then(|el| el.attr("id"));
    assert_eq!(id, Some(ids[0].as_str()));
}
