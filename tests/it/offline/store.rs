//! What is kept and what is not (XEP-0160 §3, XEP-0334 §4).

use super::nothing_left;
use crate::support::TestServer;

/// Sends these to juliet, who is not there; romeo is told nothing. Then she comes, and gets the ones named.
#[track_caller]
fn check(messages: &[&str], kept: &[&str]) {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    for message in messages {
        romeo.send(message);
    }
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence from='{jid}' to='{jid}'/>");
    for id in kept {
        juliet.expect(&format!("<message id='{id}' any-attrs='true'><any/></message>"));
    }
    juliet.expect_nothing();
    juliet.close();
    nothing_left(&server);
}

/// XEP-0160 §3: chat and normal, with all that is in them, in the order of their arrival.
#[test]
fn chat_and_normal_messages_are_kept_in_order() {
    check(
        &[
            "<message to='juliet@im.example' type='chat' id='1'><body>a</body></message>",
            "<message to='juliet@im.example' id='2'><body>b</body></message>",
            "<message to='juliet@im.example' type='normal' id='3'><subject>c</subject></message>",
            "<message to='juliet@im.example/gone' type='chat' id='4'><body>d</body></message>",
            "<message to='juliet@im.example' type='unheard-of' id='5'><body>e</body></message>",
        ],
        &["1", "2", "3", "4", "5"],
    );
}

/// XEP-0160 §3: "messages with a 'type' of headline, groupchat, error SHOULD NOT be stored".
#[test]
fn headlines_and_errors_are_not_kept() {
    check(
        &[
            "<message to='juliet@im.example' type='headline' id='1'><body>a</body></message>",
            "<message to='juliet@im.example' type='headline' id='2'><body>a</body><store xmlns='urn:xmpp:hints'/></message>",
            "<message to='juliet@im.example' type='error' id='3'><body>a</body><error type='cancel'/></message>",
            "<message to='juliet@im.example' type='error' id='4'><store xmlns='urn:xmpp:hints'/><error type='cancel'/></message>",
        ],
        &[],
    );
}

/// RFC 6121 §8.5.2.2.1.
#[test]
fn groupchat_is_refused_not_kept() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example' type='groupchat' id='1'><body>a</body></message>");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    nothing_left(&server);
}

/// XEP-0160 §3: chat states alone are stale when somebody reads them; with content they stay in the message.
#[test]
fn chat_states_alone_are_not_kept() {
    let chat = |id, inside: &str| format!("<message to='juliet@im.example' type='chat' id='{id}'>{inside}</message>");
    let messages = [
        chat(1, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        chat(2, "<gone xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>"),
        chat(3, "<paused xmlns='http://jabber.org/protocol/chatstates'/><no-copy xmlns='urn:xmpp:hints'/>"),
        chat(4, "<active xmlns='http://jabber.org/protocol/chatstates'/><body>hi</body>"),
        chat(5, "<active xmlns='http://jabber.org/protocol/chatstates'/><received xmlns='urn:xmpp:receipts' id='x'/>"),
        chat(6, "<active xmlns='http://jabber.org/protocol/chatstates'/><store xmlns='urn:xmpp:hints'/>"),
    ];
    check(&messages.iter().map(String::as_str).collect::<Vec<_>>(), &["4", "5", "6"]);
}

/// XEP-0160 §3 example: a message is not only what has a body: an invitation, a receipt, something encrypted.
#[test]
fn messages_without_a_body_are_kept() {
    check(
        &[
            "<message to='juliet@im.example' id='1'><x xmlns='jabber:x:conference' jid='balcony@muc.im.example'/></message>",
            "<message to='juliet@im.example' id='2'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='romeo@im.example'/></x></message>",
            "<message to='juliet@im.example' type='chat' id='3'><received xmlns='urn:xmpp:receipts' id='x'/></message>",
            "<message to='juliet@im.example' type='chat' id='4'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>",
        ],
        &["1", "2", "3", "4"],
    );
}

/// XEP-0334 §4: `no-store` forbids it, `no-permanent-store` and `no-copy` do not; hints count only as hints.
#[test]
fn hints_of_the_sender() {
    let body = "<body>hi</body>";
    let chat =
        |id, inside: &str| format!("<message to='juliet@im.example' type='chat' id='{id}'>{body}{inside}</message>");
    let messages = [
        chat(1, "<no-store xmlns='urn:xmpp:hints'/>"),
        chat(2, "<no-permanent-store xmlns='urn:xmpp:hints'/>"),
        chat(3, "<no-copy xmlns='urn:xmpp:hints'/>"),
        chat(4, "<store xmlns='urn:xmpp:hints'/>"),
        chat(5, "<no-store xmlns='urn:example:other'/>"),
        chat(6, "<x xmlns='urn:x'><no-store xmlns='urn:xmpp:hints'/></x>"),
    ];
    check(&messages.iter().map(String::as_str).collect::<Vec<_>>(), &["2", "3", "4", "5", "6"]);
}

/// XEP-0203 §4: from the server's domain, in UTC, with the time of arrival; what is inside is as it was, also a stamp of
/// somebody else's.
#[test]
fn the_stamp_is_the_servers_and_the_rest_is_the_senders() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let inside = "<subject>&lt;s&gt;</subject><body>a &amp; b</body><x xmlns='urn:x' a='&apos;'/>\
        <delay xmlns='urn:xmpp:delay' from='bridge.example' stamp='2002-09-10T23:08:25Z'>long ago</delay>";
    let before = magpie::clock::now_micros();
    romeo.send(&format!("<message to='juliet@im.example/gone' type='chat' id='1' xml:lang='it'>{inside}</message>"));
    romeo.expect_nothing();
    let after = magpie::clock::now_micros();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence any-attrs='true'/>");
    let got = juliet.expect(&format!(
        "<message from='{{romeo}}' to='juliet@im.example/gone' type='chat' id='1' xml:lang='it'>{inside}\
         <delay xmlns='urn:xmpp:delay' from='im.example' stamp='{{stamp}}'><any/></delay></message>"
    ));
    let stamp: jiff::Timestamp = juliet.var("stamp").parse().unwrap_or_else(|e| panic!("{e}: {got:?}"));
    assert!(juliet.var("stamp").ends_with('Z'), "not in UTC: {got:?}");
    // A stamp may leave out fractions of a second.
    assert!((before - 1_000_000..=after).contains(&stamp.as_microsecond()), "{got:?}");
}

/// XEP-0160 §2: what arrives while somebody is there has no stamp.
#[test]
fn delivered_messages_are_not_stamped() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='juliet@im.example' id='1'><body>hi</body></message>");
    juliet.expect("<message from='{romeo}' to='juliet@im.example' id='1'><body>hi</body></message>");
    romeo.expect_nothing();
}
