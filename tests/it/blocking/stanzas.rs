//! Messages and requests from and to somebody blocked (§3.3, §6).

use super::{block, expect_blocked, friends, unblock};
use crate::support::{TestServer, settle};

const BODY: &str = "<body>hi</body>";

/// §3.3: `service-unavailable`, whatever the address and type; an error is not answered. §3.4: then as before.
#[test]
fn messages_from_somebody_blocked() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.sync();
    for kind in ["chat", "normal", "headline", "groupchat"] {
        for to in ["juliet@im.example", "juliet@im.example/balcony", "juliet@im.example/nowhere"] {
            romeo.send(&format!("<message to='{to}' type='{kind}' id='1'>{BODY}</message>"));
            romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
        }
    }
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    romeo.send(&format!("<message to='{{juliet}}' type='error' id='1'>{error}</message>"));
    romeo.send(
        "<message to='{juliet}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    );
    romeo.expect("<message type='error' from='{juliet}' to='{jid}'><error type='cancel'><any/></error></message>");
    settle(&mut romeo, &mut juliet);
    unblock(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.sync();
    romeo.send(&format!("<message to='juliet@im.example' type='chat'>{BODY}</message>"));
    juliet.expect(&format!("<message from='{{romeo}}' to='juliet@im.example' type='chat'>{BODY}</message>"));
}

/// Neither kept nor archived nor copied; and it makes no difference whether the user is there.
#[test]
fn messages_from_somebody_blocked_leave_no_trace() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    block(&mut juliet, &["romeo@im.example"]);
    let mut shy = server.login("juliet", "secret", "shy");
    shy.send("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    shy.expect("<iq type='result' id='1' to='{jid}' from='{opt}'/>");
    for gone in [false, true] {
        if gone {
            juliet.send("<presence type='unavailable'/>");
            juliet.sync();
        }
        romeo.send(&format!("<message to='{{juliet/balcony}}' type='chat' id='1'>{BODY}</message>"));
        romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='1'>{BODY}</message>"));
        romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
        romeo.expect_nothing();
        juliet.expect_nothing();
        shy.expect_nothing();
    }
    juliet.send("<presence/>");
    juliet.sync();
    juliet.expect_nothing();
    juliet.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    juliet.expect("<iq type='result' id='mam' to='{jid}' from='{opt}'><fin xmlns='urn:xmpp:mam:2' complete='true'><any/></fin></iq>");
}

/// §3.3: what was kept before is not delivered after.
#[test]
fn messages_kept_from_somebody_who_is_blocked_now() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut romeo = server.online("romeo", "orchard");
    let mut nurse = server.online("nurse", "hall");
    for _ in 0..2 {
        romeo.send(&format!("<message to='juliet@im.example' type='chat'>{BODY}</message>"));
        romeo.sync();
        nurse.send(&format!("<message to='juliet@im.example' type='chat'>{BODY}</message>"));
        nurse.sync();
    }
    let mut juliet = server.login("juliet", "secret", "balcony");
    block(&mut juliet, &["romeo@im.example"]);
    juliet.send("<presence/>");
    juliet.expect("<presence from='{jid}' to='{jid}'/>");
    for _ in 0..2 {
        juliet.expect("<message from='{nurse}' to='juliet@im.example' type='chat'><any/></message>");
    }
    juliet.expect_nothing();
}

/// §3.3: `service-unavailable` for requests to the account and to its clients; answers are dropped.
#[test]
fn requests_from_somebody_blocked() {
    let (server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    juliet.sync();
    romeo.sync();
    let questions = [
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='jabber:iq:version'/>",
    ];
    for away in [false, true] {
        if away {
            juliet.send("<presence type='unavailable'/>");
            juliet.sync();
        }
        for question in questions {
            for to in ["juliet@im.example", "juliet@im.example/balcony", "juliet@im.example/nowhere"] {
                romeo.send(&format!("<iq type='get' id='1' to='{to}'>{question}</iq>"));
                romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
            }
        }
        romeo.send("<iq type='result' id='1' to='{juliet/balcony}'/>");
        settle(&mut romeo, &mut juliet);
    }
    // Nobody of the account is in memory.
    drop(juliet);
    let mut server = server;
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<iq type='get' id='1' to='juliet@im.example'><vCard xmlns='vcard-temp'/></iq>");
    romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
}

/// §3.3: nothing goes out, and the user is told why.
#[test]
fn stanzas_to_somebody_blocked() {
    let (_server, mut romeo, mut juliet) = friends();
    block(&mut juliet, &["romeo@im.example"]);
    romeo.sync();
    for to in ["romeo@im.example", "romeo@im.example/orchard"] {
        for kind in ["chat", "normal", "headline", "groupchat"] {
            juliet.send(&format!("<message to='{to}' type='{kind}' id='m'>{BODY}</message>"));
            expect_blocked(&mut juliet, "message", "m", to);
        }
        juliet.send(&format!("<iq type='get' id='i' to='{to}'><query xmlns='jabber:iq:version'/></iq>"));
        expect_blocked(&mut juliet, "iq", "i", to);
        for kind in ["", "type='unavailable'", "type='probe'"] {
            juliet.send(&format!("<presence {kind} id='p' to='{to}'/>"));
            expect_blocked(&mut juliet, "presence", "p", to);
        }
        // What must not be answered is dropped.
        juliet.send(&format!("<message to='{to}' type='error'/><iq type='result' id='r' to='{to}'/>"));
    }
    juliet.expect_nothing();
    romeo.expect_nothing();
}

/// The refused message is neither archived nor copied.
#[test]
fn a_message_to_somebody_blocked_leaves_no_trace() {
    let server = TestServer::with(|c| c.archive.enabled = true);
    server.account("romeo", "secret");
    let mut juliet = server.online("juliet", "balcony");
    let mut phone = server.login("juliet", "secret", "phone");
    phone.send("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    phone.expect("<iq type='result' id='1' to='{jid}' from='{opt}'/>");
    block(&mut juliet, &["romeo@im.example"]);
    juliet.send(&format!("<message to='romeo@im.example' type='chat' id='m'>{BODY}</message>"));
    expect_blocked(&mut juliet, "message", "m", "romeo@im.example");
    juliet.expect_nothing();
    assert!(phone.sync().iter().all(|el| !el.raw.contains("<sent")));
    juliet.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    juliet.expect("<iq type='result' id='mam' to='{jid}' from='{opt}'><fin xmlns='urn:xmpp:mam:2' complete='true'><any/></fin></iq>");
}

/// §6: one resource, all of them, everybody of a domain.
#[test]
fn what_an_entry_stands_for() {
    let server = TestServer::with(|c| c.domains.push("other.example".to_owned()));
    server.account("iago@other.example", "secret");
    let mut orchard = server.online("romeo", "orchard");
    let mut garden = server.login("romeo", "secret", "garden");
    let mut juliet = server.online("juliet", "balcony");
    let rows = [
        ("romeo@im.example/garden", false, true),
        ("romeo@im.example", true, true),
        ("im.example/garden", false, false),
        ("other.example", false, false),
        ("im.example", true, true),
    ];
    for (entry, orchard_is, garden_is) in rows {
        block(&mut juliet, &[entry]);
        for (client, blocked) in [(&mut orchard, orchard_is), (&mut garden, garden_is)] {
            client.send(&format!("<message to='{{juliet}}' type='chat' id='1'>{BODY}</message>"));
            if blocked {
                client.expect_stanza_error("message", "1", "cancel", "service-unavailable");
            } else {
                let message = "<message from='{any}' to='{jid}' type='chat' id='1'><body>hi</body></message>";
                juliet.expect(message);
            }
            settle(client, &mut juliet);
        }
        unblock(&mut juliet, &[]);
    }
    block(&mut juliet, &["other.example"]);
    juliet.send(&format!("<message to='iago@other.example' type='chat' id='m'>{BODY}</message>"));
    expect_blocked(&mut juliet, "message", "m", "iago@other.example");
}

/// §5: neither from one's own devices nor from the server one talks to, even with a list that says so.
#[test]
fn nobody_is_cut_off_from_oneself() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut phone = server.login("juliet", "secret", "phone");
    phone.available();
    juliet.sync();
    block(&mut juliet, &["juliet@im.example", "juliet@im.example/phone", "im.example"]);
    phone.send(&format!("<message to='{{juliet/balcony}}' type='chat'>{BODY}</message>"));
    juliet.expect(&format!("<message from='{{juliet/phone}}' to='{{jid}}' type='chat'>{BODY}</message>"));
    juliet.send(&format!("<message to='{{juliet/phone}}' type='chat'>{BODY}</message>"));
    phone.expect(&format!("<message from='{{juliet/balcony}}' to='{{jid}}' type='chat'>{BODY}</message>"));
    juliet.send("<presence><show>away</show></presence>");
    phone.expect("<presence from='{juliet/balcony}' to='{jid}'><show>away</show></presence>");
    juliet.expect("<presence from='{jid}' to='{jid}'><show>away</show></presence>");
    juliet.send("<iq type='get' id='1' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    juliet.expect("<iq type='result' id='1' from='im.example' to='{jid}'/>");
    // The server still says what became of a message.
    juliet.send(&format!("<message to='nobody@other.example' type='chat' id='1'>{BODY}</message>"));
    juliet.expect_stanza_error("message", "1", "cancel", "remote-server-not-found");
}
