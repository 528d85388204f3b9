//! `from` and `to` of messages (RFC 6120 §8.1.1, §8.1.2, §10; RFC 6121 §8).

use crate::support::{Client, TestServer, settle};

/// RFC 6120 §8.1.2.1: whoever the client says it is, the addressee sees who it is.
#[test]
fn from_is_stamped_with_the_full_address() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    for from in ["", " from='romeo@im.example'", " from='{jid}'"] {
        romeo.send(&format!("<message to='juliet@im.example' id='1'{from}><body>hi</body></message>"));
        juliet
            .expect("<message from='romeo@im.example/orchard' to='juliet@im.example' id='1'><body>hi</body></message>");
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.1.2.1, §4.9.3.9: somebody else, another resource of the own account, the server: none of it passes.
#[test]
fn a_forged_from_ends_the_stream_and_nothing_is_delivered() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    server.account("romeo", "secret");
    let mut other = server.login("romeo", "secret", "garden");
    let forged = ["juliet@im.example", "romeo@im.example/garden", "im.example", "", "@", "romeo@other.example"];
    for from in forged {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(&format!("<message to='juliet@im.example' from='{from}'><body>hi</body></message>"));
        romeo.send_bytes_if_open(b"<message to='juliet@im.example'><body>behind it</body></message>");
        romeo.expect_stream_error("invalid-from");
    }
    juliet.expect_nothing();
    other.expect_nothing();
}

/// RFC 6120 §8.1.2.1: that `to` is malformed as well is no excuse.
#[test]
fn a_forged_from_with_a_malformed_to_ends_the_stream() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for stanza in
        ["<message to='@' from='juliet@im.example'/>", "<iq type='get' id='1' to='@' from='@'><x xmlns='urn:x'/></iq>"]
    {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(stanza);
        romeo.expect_stream_error("invalid-from");
    }
}

/// RFC 6120 §10.3.1: as if it were addressed to the sender's own bare address.
#[test]
fn a_message_without_to_is_for_the_own_account() {
    let server = TestServer::start();
    let mut orchard = server.online("romeo", "orchard");
    let mut garden = server.login("romeo", "secret", "garden");
    garden.available();
    orchard.sync();
    garden.send("<message id='1' type='chat'><body>note to myself</body></message>");
    let pattern =
        "<message id='1' type='chat' from='romeo@im.example/garden' to='{opt}'><body>note to myself</body></message>";
    garden.expect(pattern);
    orchard.expect(pattern);
    settle(&mut garden, &mut orchard);
}

/// RFC 6121 §8.5: one's own account is an account like any other.
#[test]
fn messages_to_the_own_bare_and_full_address() {
    let server = TestServer::start();
    let mut orchard = server.online("romeo", "orchard");
    let mut garden = server.login("romeo", "secret", "garden");
    garden.available();
    orchard.sync();
    garden.send("<message id='1' to='romeo@im.example'><body>all of me</body></message>");
    for client in [&mut garden, &mut orchard] {
        client.expect(
            "<message id='1' from='romeo@im.example/garden' to='romeo@im.example'><body>all of me</body></message>",
        );
    }
    garden.send("<message id='2' to='{romeo/orchard}'><body>you there</body></message>");
    garden.send("<message id='3' to='{jid}'><body>me</body></message>");
    garden.expect("<message id='3' from='{jid}' to='{jid}'><body>me</body></message>");
    orchard.expect("<message id='2' from='romeo@im.example/garden' to='{jid}'><body>you there</body></message>");
    settle(&mut garden, &mut orchard);
}

/// RFC 6121 §8.5.2.2: without presence the own message is kept like anybody's.
#[test]
fn a_message_to_oneself_while_unavailable_is_kept() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<message id='1'><body>later</body></message>");
    romeo.expect_nothing();
    romeo.send("<presence/>");
    romeo.expect("<presence from='{jid}' to='{jid}'/>");
    romeo.expect("<message id='1' from='{jid}' to='{opt}'><body>later</body><delay xmlns='urn:xmpp:delay' any-attrs='true'/></message>");
    romeo.expect_nothing();
}

/// RFC 6121 §8.3: the server as such reads no messages; headlines and errors it ignores.
#[test]
fn messages_to_the_domain() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for to in ["im.example", "im.example/node"] {
        for kind in ["normal", "chat", "groupchat"] {
            romeo.send(&format!("<message to='{to}' type='{kind}' id='1'><body>hi</body></message>"));
            let error = romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
            assert_eq!(error.attr("from"), Some(to));
        }
        romeo.send(&format!("<message to='{to}' type='headline' id='2'><body>hi</body></message>"));
        romeo.send(&format!("<message to='{to}' type='error' id='3'><error type='cancel'/></message>"));
    }
    romeo.expect_nothing();
}

/// RFC 6120 §8.3.3.16, §10.4: no way to other servers; the answer comes from the address that was tried.
#[test]
fn messages_to_other_domains_are_refused() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for to in ["juliet@capulet.example", "juliet@capulet.example/balcony", "capulet.example", "a@sub.im.example"] {
        romeo.send(&format!("<message to='{to}' id='1' type='chat'><body>hi</body></message>"));
        let error = romeo.expect_stanza_error("message", "1", "cancel", "remote-server-not-found");
        assert_eq!((error.attr("from"), error.attr("to")), (Some(to), romeo.jid.as_deref()));
        romeo.send(&format!("<message to='{to}' id='2' type='error'><error type='cancel'/></message>"));
    }
    romeo.expect_nothing();
}

/// RFC 6120 §8.3.3.8: the answer goes to the sender, not to the malformed address; the stream lives.
#[test]
fn a_malformed_to_is_answered() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let long = format!("{}@im.example", "x".repeat(1024));
    let malformed = [
        "",
        "@",
        "juliet@",
        "@im.example",
        "juliet@im.example/",
        "jul iet@im.example",
        "juliet@im@example",
        "a@-/",
        &long,
    ];
    for to in malformed {
        romeo.send(&format!("<message to='{to}' id='1' type='chat'><body>hi</body></message>"));
        let error = romeo.expect_stanza_error("message", "1", "modify", "jid-malformed");
        assert_eq!(error.attr("to").unwrap_or("romeo@im.example/orchard"), "romeo@im.example/orchard", "{to}");
        romeo.send(&format!("<message to='{to}' id='2' type='error'><error type='cancel'/></message>"));
    }
    romeo.send("<message to='juliet@im.example' id='3'/>");
    juliet.expect("<message to='juliet@im.example' id='3' from='{romeo}'/>");
    settle(&mut romeo, &mut juliet);
}

/// RFC 7622 §3: addresses are compared after preparation.
#[test]
fn equal_addresses_in_different_spelling() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    for to in [
        "JULIET@im.example",
        "juliet@IM.Example",
        "juliet@im.example.",
        "Juliet@im.example/balcony",
        "ｊuliet@im.example",
    ] {
        romeo.send(&format!("<message to='{to}' id='1'><body>hi</body></message>"));
        juliet.expect("<message to='{any}' id='1' from='{romeo}'><body>hi</body></message>");
    }
    // The resource is compared as it is (RFC 7622 §3.4).
    romeo.send("<message to='juliet@im.example/Balcony' id='2'><body>hi</body></message>");
    romeo.expect_stanza_error("message", "2", "cancel", "service-unavailable");
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.3.1: an error is never answered, whatever becomes of it.
#[test]
fn errors_are_never_answered() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let nobody =
        ["nobody@im.example", "nobody@im.example/x", "juliet@im.example", "juliet@im.example/gone", "im.example"];
    for to in nobody {
        romeo.send(&format!(
            "<message to='{to}' type='error' id='1'><body>x</body><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        ));
    }
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(juliet.available().len(), 1, "her own presence and nothing kept");
}

/// RFC 6121 §5.2.2: a type the server does not know is `normal`.
#[test]
fn an_unknown_type_is_normal() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let send = |romeo: &mut Client, to: &str| {
        romeo.send(&format!("<message to='{to}' type='x-letter' id='1'><body>hi</body></message>"));
    };
    send(&mut romeo, "juliet@im.example");
    juliet.expect("<message to='juliet@im.example' type='{any}' id='1' from='{romeo}'><body>hi</body></message>");
    send(&mut romeo, "juliet@im.example/gone");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    send(&mut romeo, "nobody@im.example");
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    settle(&mut romeo, &mut juliet);
    juliet.close();
    send(&mut romeo, "juliet@im.example");
    romeo.expect_nothing();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence any-attrs='true'/>");
    juliet.expect("<message to='juliet@im.example' type='{any}' id='1' from='{romeo}'><body>hi</body><delay xmlns='urn:xmpp:delay' any-attrs='true'/></message>");
}
