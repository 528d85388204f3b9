//! What the server keeps for clients: XEP-0049 (private XML), XEP-0054 (vcard-temp).

use crate::support::{Client, TestServer};

#[track_caller]
fn ok(client: &mut Client, request: &str) {
    client.send(request);
    client.expect("<iq type='result' id='{any}' any-attrs='true'/>");
}

fn private(kind: &str, to: &str, inside: &str) -> String {
    format!("<iq type='{kind}' id='p' {to}><query xmlns='jabber:iq:private'>{inside}</query></iq>")
}

#[track_caller]
fn get_private(client: &mut Client, ask: &str, expected: &str) {
    client.send(&private("get", "", ask));
    client.expect(&format!(
        "<iq type='result' id='p' from='{{opt}}' to='{{jid}}'><query xmlns='jabber:iq:private'>{expected}</query></iq>"
    ));
}

/// XEP-0049 §2.3: stored and retrieved as it was; by the element's name and namespace; replaced, not added to.
#[test]
fn private_data_comes_back_as_it_was() {
    let mut server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let prefs = "<exodus xmlns='exodus:prefs'><defaultnick>H &amp; &lt;M&gt;</defaultnick>\
        <x xmlns='urn:x' xmlns:p='urn:p' p:a='&apos;'><p:y/>mixed</x></exodus>";
    get_private(&mut romeo, "<exodus xmlns='exodus:prefs'/>", "<exodus xmlns='exodus:prefs'/>");
    ok(&mut romeo, &private("set", "", prefs));
    ok(
        &mut romeo,
        &private(
            "set",
            "to='romeo@im.example'",
            "<other xmlns='exodus:prefs'>2</other><storage xmlns='storage:bookmarks'/>",
        ),
    );
    get_private(&mut romeo, "<exodus xmlns='exodus:prefs'/>", prefs);
    get_private(&mut romeo, "<other xmlns='exodus:prefs'/>", "<other xmlns='exodus:prefs'>2</other>");
    get_private(&mut romeo, "<exodus xmlns='urn:else'/>", "<exodus xmlns='urn:else'/>");
    ok(&mut romeo, &private("set", "", "<exodus xmlns='exodus:prefs'>new</exodus>"));
    server.restart();
    let mut romeo = server.login("romeo", "secret", "garden");
    get_private(&mut romeo, "<exodus xmlns='exodus:prefs'/>", "<exodus xmlns='exodus:prefs'>new</exodus>");
    get_private(&mut romeo, "<storage xmlns='storage:bookmarks'/>", "<storage xmlns='storage:bookmarks'/>");
}

/// XEP-0049 §3: nothing asked for, several things asked for, reserved namespaces.
#[test]
fn private_requests_that_are_not_acceptable() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for inside in [
        "",
        "<x/>",
        "<x xmlns=''/>",
        "<query xmlns='jabber:iq:roster'/>",
        "<x xmlns='http://jabber.org/protocol/muc'/>",
        "<vCard xmlns='vcard-temp'/>",
    ] {
        for kind in ["get", "set"] {
            romeo.send(&private(kind, "", inside));
            romeo.expect_stanza_error("iq", "p", "modify", "not-acceptable");
        }
    }
    romeo.send(&private("get", "", "<a xmlns='urn:a'/><b xmlns='urn:b'/>"));
    romeo.expect_stanza_error("iq", "p", "modify", "not-acceptable");
    // All or nothing.
    romeo.send(&private("set", "", "<a xmlns='urn:a'>1</a><query xmlns='jabber:iq:roster'/>"));
    romeo.expect_stanza_error("iq", "p", "modify", "not-acceptable");
    get_private(&mut romeo, "<a xmlns='urn:a'/>", "<a xmlns='urn:a'/>");
}

/// XEP-0049 §3: nobody else's, whether the account exists or not.
#[test]
fn private_data_of_others_is_forbidden() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    ok(&mut juliet, &private("set", "", "<a xmlns='urn:a'>mine</a>"));
    for to in ["to='juliet@im.example'", "to='nobody@im.example'"] {
        for (kind, inside) in [("get", "<a xmlns='urn:a'/>"), ("set", "<a xmlns='urn:a'>yours</a>")] {
            romeo.send(&private(kind, to, inside));
            romeo.expect_stanza_error("iq", "p", "auth", "forbidden");
        }
    }
    get_private(&mut romeo, "<a xmlns='urn:a'/>", "<a xmlns='urn:a'/>");
    get_private(&mut juliet, "<a xmlns='urn:a'/>", "<a xmlns='urn:a'>mine</a>");
}

/// `limits.private_items_max` and `private_bytes_max`: refused whole, and replacing is possible at the limit.
#[test]
fn private_storage_has_limits() {
    let server = TestServer::with(|c| {
        c.limits.private_items_max = 3;
        c.limits.private_bytes_max = 1_000;
    });
    let mut romeo = server.online("romeo", "orchard");
    for n in 0..3 {
        ok(&mut romeo, &private("set", "", &format!("<a{n} xmlns='urn:a'/>")));
    }
    romeo.send(&private("set", "", "<a3 xmlns='urn:a'/>"));
    romeo.expect_stanza_error("iq", "p", "wait", "resource-constraint");
    ok(&mut romeo, &private("set", "", &format!("<a0 xmlns='urn:a'>{}</a0>", "x".repeat(500))));
    romeo.send(&private("set", "", &format!("<a1 xmlns='urn:a'>{}</a1>", "x".repeat(500))));
    romeo.expect_stanza_error("iq", "p", "wait", "resource-constraint");
    get_private(&mut romeo, "<a1 xmlns='urn:a'/>", "<a1 xmlns='urn:a'/>");
    ok(&mut romeo, &private("set", "", "<a0 xmlns='urn:a'/>"));
    ok(&mut romeo, &private("set", "", &format!("<a1 xmlns='urn:a'>{}</a1>", "x".repeat(500))));
}

const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Juliet C. &amp; Co</FN><N><FAMILY>Capulet</FAMILY><MIDDLE/></N>\
    <PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO><X xmlns='urn:x'>foreign</X></vCard>";

/// XEP-0054 §3.1, §3.2: empty until there is one; set without `to` or to oneself; replaced and removed.
#[test]
fn the_own_card() {
    let mut server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let get = |client: &mut Client, to: &str, expected: &str| {
        client.send(&format!("<iq type='get' id='v' {to}><vCard xmlns='vcard-temp'/></iq>"));
        client.expect(&format!("<iq type='result' id='v' from='{{opt}}' to='{{jid}}'>{expected}</iq>"));
    };
    get(&mut juliet, "", "<vCard xmlns='vcard-temp'/>");
    ok(&mut juliet, &format!("<iq type='set' id='v'>{CARD}</iq>"));
    get(&mut juliet, "", CARD);
    get(&mut juliet, "to='juliet@im.example'", CARD);
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    get(&mut juliet, "", CARD);
    ok(&mut juliet, "<iq type='set' id='v' to='juliet@im.example'><vCard xmlns='vcard-temp'><FN>J</FN></vCard></iq>");
    get(&mut juliet, "", "<vCard xmlns='vcard-temp'><FN>J</FN></vCard>");
    ok(&mut juliet, "<iq type='set' id='v'><vCard xmlns='vcard-temp'/></iq>");
    get(&mut juliet, "", "<vCard xmlns='vcard-temp'/>");
}

/// XEP-0054 §3.3: everybody may read it, there or not; no card and no account look the same.
#[test]
fn cards_of_others() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    server.account("tybalt", "secret");
    let ask = |to: &str| format!("<iq type='get' id='v' to='{to}@im.example'><vCard xmlns='vcard-temp'/></iq>");
    for to in ["nobody", "tybalt", "juliet"] {
        romeo.send(&ask(to));
        romeo.expect_stanza_error("iq", "v", "cancel", "service-unavailable");
    }
    ok(&mut juliet, &format!("<iq type='set' id='v'>{CARD}</iq>"));
    juliet.close();
    romeo.send(&ask("juliet"));
    romeo.expect(&format!("<iq type='result' id='v' from='juliet@im.example' to='{{jid}}'>{CARD}</iq>"));
}

/// XEP-0054 §3.2: `forbidden`, and nothing changes.
#[test]
fn cards_of_others_cannot_be_set() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    ok(&mut juliet, &format!("<iq type='set' id='v'>{CARD}</iq>"));
    for to in ["juliet@im.example", "nobody@im.example"] {
        romeo.send(&format!("<iq type='set' id='v' to='{to}'><vCard xmlns='vcard-temp'><FN>Mallory</FN></vCard></iq>"));
        romeo.expect_stanza_error("iq", "v", "auth", "forbidden");
    }
    romeo.send("<iq type='get' id='v' to='juliet@im.example'><vCard xmlns='vcard-temp'/></iq>");
    romeo.expect(&format!("<iq type='result' id='v' from='juliet@im.example' to='{{jid}}'>{CARD}</iq>"));
}

/// `limits.vcard_bytes_max`.
#[test]
fn a_card_has_a_limit() {
    let server = TestServer::with(|c| c.limits.vcard_bytes_max = 2_000);
    server.account("juliet", "secret");
    let mut juliet = server.login("juliet", "secret", "balcony");
    let card =
        |bytes| format!("<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>{}</FN></vCard></iq>", "x".repeat(bytes));
    ok(&mut juliet, &card(1_900));
    juliet.send(&card(2_000));
    juliet.expect_stanza_error("iq", "v", "modify", "policy-violation");
    juliet.send("<iq type='get' id='v'><vCard xmlns='vcard-temp'/></iq>");
    let kept = juliet.expect("<iq type='result' id='v' any-attrs='true'><vCard xmlns='vcard-temp'><any/></vCard></iq>");
    assert!(kept.raw.contains(&"x".repeat(1_900)), "the old one stays");
}
