//! Turning copies on and off (§3, §4, §5, §10.1).

use super::{device, enable, received};
use crate::support::{TestServer, settle};

/// §3, §6.2.
#[test]
fn the_feature_is_announced() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for to in ["im.example", "romeo@im.example"] {
        romeo.send(&format!(
            "<iq type='get' id='info' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        ));
        let answer = romeo.next().raw;
        for feature in ["'urn:xmpp:carbons:2'", "'urn:xmpp:carbons:rules:0'"] {
            assert!(answer.contains(feature), "{to}: {answer}");
        }
    }
}

/// §10.1: as often as a client likes.
#[test]
fn on_and_off_as_often_as_one_likes() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = device(&server, "romeo", "orchard");
    let mut balcony = device(&server, "juliet", "balcony");
    let mut phone = server.login("juliet", "secret", "phone");
    let message = "<message from='{romeo}' to='{juliet/balcony}' type='chat'><body>hi</body></message>";
    for on in [false, true, true, false, false, true] {
        let name = if on { "enable" } else { "disable" };
        phone.send(&format!("<iq type='set' id='1'><{name} xmlns='urn:xmpp:carbons:2'/></iq>"));
        phone.expect("<iq type='result' id='1' to='{jid}' from='{opt}'/>");
        romeo.send("<message to='{juliet/balcony}' type='chat'><body>hi</body></message>");
        balcony.expect(message);
        romeo.sync();
        if on {
            phone.expect(&received(message));
        }
        phone.expect_nothing();
    }
}

/// A new session begins without.
#[test]
fn a_session_begins_without_copies() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut balcony = server.online("juliet", "balcony");
    let mut phone = server.login("juliet", "secret", "phone");
    enable(&mut phone);
    phone.close();
    let mut phone = server.login("juliet", "secret", "phone");
    romeo.send("<message to='{juliet/balcony}' type='chat'><body>hi</body></message>");
    balcony.expect("<message from='{romeo}' to='{jid}' type='chat'><body>hi</body></message>");
    settle(&mut romeo, &mut phone);
}

/// §5: nobody else's; and neither word is a question.
#[test]
fn requests_that_are_refused() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for name in ["enable", "disable"] {
        for to in ["juliet@im.example", "nobody@im.example"] {
            romeo.send(&format!("<iq type='set' id='1' to='{to}'><{name} xmlns='urn:xmpp:carbons:2'/></iq>"));
            romeo.expect_stanza_error("iq", "1", "cancel", "not-allowed");
        }
        romeo.send(&format!("<iq type='get' id='2'><{name} xmlns='urn:xmpp:carbons:2'/></iq>"));
        romeo.expect_stanza_error("iq", "2", "cancel", "not-allowed");
    }
}
