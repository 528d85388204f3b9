//! IQ semantics (RFC 6120 §8.2.3, §10.3, §10.5; RFC 6121 §8.5): every request gets exactly one answer, nothing else any.

use crate::support::{Client, TestServer, settle};

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

/// Whom a request of romeo's can go to without leaving the server. `juliet` is there, `tybalt` is not, `nobody` is none.
const ADDRESSEES: [&str; 9] = [
    "",
    "to='im.example'",
    "to='romeo@im.example'",
    "to='romeo@im.example/gone'",
    "to='juliet@im.example'",
    "to='juliet@im.example/gone'",
    "to='tybalt@im.example'",
    "to='nobody@im.example'",
    "to='nobody@im.example/x'",
];

fn verona() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.account("tybalt", "secret");
    let juliet = server.online("juliet", "balcony");
    let romeo = server.online("romeo", "orchard");
    (server, romeo, juliet)
}

/// RFC 6120 §8.2.3 rule 1.
#[test]
fn a_request_without_id_is_a_bad_request() {
    let (_server, mut romeo, mut juliet) = verona();
    for to in ADDRESSEES.into_iter().chain(["to='juliet@im.example/balcony'", "to='capulet.example'"]) {
        romeo.send(&format!("<iq type='get' {to}>{PING}</iq>"));
        romeo.expect(
            "<iq type='error' from='{opt}' to='{opt}'><any/><error type='modify'>\
             <bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error></iq>",
        );
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.2.3 rule 2.
#[test]
fn a_missing_or_unknown_type_is_a_bad_request() {
    let (_server, mut romeo, mut juliet) = verona();
    for to in ADDRESSEES.into_iter().chain(["to='juliet@im.example/balcony'"]) {
        for kind in ["", "type=''", "type='Get'", "type='query'"] {
            romeo.send(&format!("<iq {kind} id='1' {to}>{PING}</iq>"));
            romeo.expect_stanza_error("iq", "1", "modify", "bad-request");
        }
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.2.3 rule 3: exactly one child.
#[test]
fn a_request_has_exactly_one_child() {
    let (_server, mut romeo, mut juliet) = verona();
    for to in ADDRESSEES.into_iter().chain(["to='juliet@im.example/balcony'"]) {
        for (kind, inside) in [
            ("get", ""),
            ("set", "text"),
            ("get", &format!("{PING}{PING}")),
            ("set", "<a xmlns='urn:a'/><b xmlns='urn:b'/>"),
        ] {
            romeo.send(&format!("<iq type='{kind}' id='1' {to}>{inside}</iq>"));
            romeo.expect_stanza_error("iq", "1", "modify", "bad-request");
        }
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.4, §10.3.3, §10.5.3.3, RFC 6121 §8.5.1, §8.5.2.2.3, §8.5.3.2.3: nobody understands it, and the answer does
/// not tell who is there.
#[test]
fn an_unknown_request_is_service_unavailable() {
    let (_server, mut romeo, mut juliet) = verona();
    for to in ADDRESSEES {
        for kind in ["get", "set"] {
            for payload in
                ["<x xmlns='urn:example:unknown'/>", "<ping xmlns='urn:xmpp:Ping'/>", "<query/>", "<x xmlns=''/>"]
            {
                romeo.send(&format!("<iq type='{kind}' id='1' {to}>{payload}</iq>"));
                let error = romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
                let address = to.trim_start_matches("to='").trim_end_matches('\'');
                assert_eq!(error.attr("from").unwrap_or(""), address, "{error:?}");
            }
        }
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6121 §8.5.1, XEP-0199 §4.2: an account that does not exist looks like one that does.
#[test]
fn a_ping_to_somebody_elses_account_tells_nothing() {
    let (_server, mut romeo, mut juliet) = verona();
    for to in ["nobody@im.example", "tybalt@im.example", "juliet@im.example"] {
        romeo.send(&format!("<iq type='get' id='1' to='{to}'>{PING}</iq>"));
        let error = romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
        assert_eq!(error.attr("from"), Some(to));
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.3.3.10: the payload is known, but nobody may do that with it.
#[test]
fn the_wrong_type_for_a_known_payload_is_refused() {
    let (_server, mut romeo, _) = verona();
    let wrong = [
        ("set", "to='im.example'", PING),
        ("set", "", PING),
        ("set", "to='im.example'", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("set", "to='im.example'", "<query xmlns='jabber:iq:version'/>"),
        ("set", "to='im.example'", "<time xmlns='urn:xmpp:time'/>"),
        ("set", "to='im.example'", "<query xmlns='jabber:iq:last'/>"),
    ];
    for (kind, to, payload) in wrong {
        romeo.send(&format!("<iq type='{kind}' id='1' {to}>{payload}</iq>"));
        romeo.expect_stanza_error("iq", "1", "cancel", "not-allowed");
    }
    romeo.expect_nothing();
}

/// RFC 6121 §8.5.3.1: to a resource that is there, whatever its presence; it alone answers.
#[test]
fn a_request_to_a_resource_is_answered_by_it() {
    let (server, mut romeo, mut juliet) = verona();
    let mut silent = server.login("juliet", "secret", "silent");
    romeo.send("<iq type='get' id='a&lt;1' to='juliet@im.example/balcony' xml:lang='it'><q xmlns='urn:q' a='&amp;'>x<r/></q></iq>");
    juliet.expect(
        "<iq type='get' id='a&lt;1' to='{jid}' from='{romeo}' xml:lang='it'><q xmlns='urn:q' a='&amp;'>x<r/></q></iq>",
    );
    juliet.send("<iq type='result' id='a&lt;1' to='{romeo}'><q xmlns='urn:q'>y</q></iq>");
    romeo.expect(
        "<iq type='result' id='a&lt;1' to='{jid}' from='juliet@im.example/balcony'><q xmlns='urn:q'>y</q></iq>",
    );
    romeo.send("<iq type='set' id='2' to='juliet@im.example/silent'><ping xmlns='urn:xmpp:ping'/></iq>");
    silent.expect("<iq type='set' id='2' to='{jid}' from='{romeo}'><ping xmlns='urn:xmpp:ping'/></iq>");
    silent.send(
        "<iq type='error' id='2' to='{romeo}'><ping xmlns='urn:xmpp:ping'/><error type='cancel'>\
         <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    romeo.expect(
        "<iq type='error' id='2' to='{jid}' from='juliet@im.example/silent'><ping xmlns='urn:xmpp:ping'/>\
         <error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    silent.expect_nothing();
    settle(&mut juliet, &mut romeo);
}

/// RFC 6121 §8.5.3.1: one's own full address is a resource like any other.
#[test]
fn a_request_to_oneself_comes_back() {
    let (_server, mut romeo, _) = verona();
    romeo.send("<iq type='get' id='1' to='{jid}'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.expect("<iq type='get' id='1' to='{jid}' from='{jid}'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.expect_nothing();
}

/// RFC 6120 §8.2.3 rule 4: a result or error is never answered, wherever it goes and whatever is wrong with it.
#[test]
fn results_and_errors_are_never_answered() {
    let (_server, mut romeo, mut juliet) = verona();
    let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    for to in ADDRESSEES.into_iter().chain(["to='capulet.example'", "to='@'"]) {
        for id in ["", "id='1'"] {
            romeo.send(&format!("<iq type='result' {id} {to}/>"));
            romeo.send(&format!("<iq type='result' {id} {to}>{PING}</iq>"));
            romeo.send(&format!("<iq type='result' {id} {to}>{PING}{PING}</iq>"));
            romeo.send(&format!("<iq type='error' {id} {to}>{error}</iq>"));
            romeo.send(&format!("<iq type='error' {id} {to}/>"));
        }
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.3.3.16.
#[test]
fn requests_to_other_domains_are_refused() {
    let (_server, mut romeo, _) = verona();
    for to in ["capulet.example", "juliet@capulet.example", "juliet@capulet.example/balcony"] {
        romeo.send(&format!("<iq type='get' id='1' to='{to}'>{PING}</iq>"));
        let error = romeo.expect_stanza_error("iq", "1", "cancel", "remote-server-not-found");
        assert_eq!(error.attr("from"), Some(to));
    }
    romeo.expect_nothing();
}

/// RFC 6120 §8.2.3 rule 5, §10.1: one answer each, of every kind, in the order of the requests.
#[test]
fn many_requests_get_one_answer_each_in_order() {
    let (_server, mut romeo, _) = verona();
    let kinds = [
        (format!("to='im.example'>{PING}"), "result"),
        ("to='nobody@im.example'><vCard xmlns='vcard-temp'/>".to_owned(), "error"),
        ("><query xmlns='jabber:iq:roster'/>".to_owned(), "result"),
        ("to='im.example'><x xmlns='urn:x'/>".to_owned(), "error"),
        ("><vCard xmlns='vcard-temp'/>".to_owned(), "result"),
        ("to='tybalt@im.example'><query xmlns='http://jabber.org/protocol/disco#items'/>".to_owned(), "result"),
        ("to='tybalt@im.example'><query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned(), "error"),
    ];
    let input: String =
        (0..700).map(|n| format!("<iq type='get' id='{n}' {}</iq>", kinds[n % kinds.len()].0)).collect();
    romeo.send_bytes(input.as_bytes());
    for n in 0..700 {
        let answer = romeo.next();
        let expected = kinds[n % kinds.len()].1;
        assert_eq!((answer.attr("id"), answer.attr("type")), (Some(&*n.to_string()), Some(expected)), "{answer:?}");
    }
    romeo.expect_nothing();
}

/// The answer to a ping acknowledges what was sent before it: whatever is wrong with that is said first.
#[test]
fn an_answer_comes_behind_the_errors_of_earlier_messages() {
    let (server, mut romeo, _) = verona();
    let addressees = ["nobody", "juliet@im.example/gone", "unknown", "tybalt@im.example/gone", "x@capulet.example"];
    let accounts: Vec<String> = (0..20).map(|n| format!("never{n}@im.example")).collect();
    let mut input = String::new();
    let mut ids = Vec::new();
    for (n, to) in addressees.iter().copied().chain(accounts.iter().map(String::as_str)).enumerate() {
        let to = if to.contains('@') { to.to_owned() } else { format!("{to}@im.example") };
        input += &format!("<message to='{to}' id='m{n}'><body>hi</body></message>");
        input += &format!("<iq type='get' id='p{n}' to='im.example'>{PING}</iq>");
        ids.extend([format!("m{n}"), format!("p{n}")]);
    }
    romeo.send_bytes(input.as_bytes());
    for id in ids {
        assert_eq!(romeo.next().attr("id"), Some(&*id));
    }
    romeo.expect_nothing();
    drop(server);
}

/// Also for types of messages that nobody keeps.
#[test]
fn an_answer_comes_behind_errors_for_messages_of_every_type() {
    let (_server, mut romeo, _) = verona();
    let kinds = ["normal", "chat", "groupchat", "headline"];
    let mut input = String::new();
    for n in 0..200 {
        let kind = kinds[n % kinds.len()];
        input += &format!("<message to='never{n}@im.example' type='{kind}' id='m{n}'><body>hi</body></message>");
        input += &format!("<iq type='get' id='p{n}' to='im.example'>{PING}</iq>");
    }
    romeo.send_bytes(input.as_bytes());
    for n in 0..200 {
        romeo.expect_stanza_error("message", &format!("m{n}"), "cancel", "service-unavailable");
        romeo.expect(&format!("<iq type='result' id='p{n}' from='im.example' to='{{jid}}'/>"));
    }
    romeo.expect_nothing();
}

/// The same when the message was accepted at first: what the recipient's connection broke off is kept before the ping is
/// answered.
#[test]
fn an_answer_comes_behind_what_is_kept() {
    let (server, mut romeo, juliet) = verona();
    juliet.close();
    for n in 0..50 {
        romeo.send(&format!("<message to='juliet@im.example' id='{n}' type='chat'><body>hi</body></message>"));
    }
    romeo.expect_nothing();
    let storage = &server.server().core().storage;
    let kept = server.runtime().block_on(async {
        let account = storage.account("juliet@im.example").await.unwrap().unwrap().account;
        storage.offline_count(account.id).await.unwrap().count
    });
    assert_eq!(kept, 50);
}

/// RFC 6121 §8.5.3: a request that waits for a client which goes away is answered by the server.
#[test]
fn a_request_to_a_resource_that_has_gone_is_answered() {
    let (_server, mut romeo, mut juliet) = verona();
    juliet.send("<message to='{romeo}' id='bye'/>");
    juliet.close();
    romeo.expect("<message from='juliet@im.example/balcony' to='{jid}' id='bye'/>");
    romeo.send("<iq type='get' id='1' to='juliet@im.example/balcony'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.expect_stanza_error("iq", "1", "cancel", "service-unavailable");
    romeo.expect_nothing();
}
