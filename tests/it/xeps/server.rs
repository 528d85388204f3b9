//! What the server tells about itself: XEP-0092, 0106, 0157, 0199, 0202.

use crate::support::TestServer;

/// XEP-0092 §2; without the operating system (§5) unless the operator wants it.
#[test]
fn the_version_hides_the_operating_system_unless_told() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let ask = "<iq type='get' id='v' to='im.example'><query xmlns='jabber:iq:version'/></iq>";
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send(ask);
    romeo.expect(
        "<iq type='result' id='v' from='im.example' to='{jid}'><query xmlns='jabber:iq:version'>\
         <name>Magpie</name><version>{any}</version></query></iq>",
    );
    server.restart_with(|c| c.software.show_os = true);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send(ask);
    let os = std::env::consts::OS;
    romeo.expect(&format!(
        "<iq type='result' id='v' from='im.example' to='{{jid}}'><query xmlns='jabber:iq:version'>\
         <name>Magpie</name><version>{{any}}</version><os>{os}</os></query></iq>"
    ));
}

/// XEP-0202 §2: UTC with an offset, both in the formats of XEP-0082.
#[test]
fn the_time_of_the_server() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let before = magpie::clock::now_micros();
    romeo.send("<iq type='get' id='t' to='im.example'><time xmlns='urn:xmpp:time'/></iq>");
    romeo.expect(
        "<iq type='result' id='t' from='im.example' to='{jid}'><time xmlns='urn:xmpp:time'>\
         <tzo>+00:00</tzo><utc>{utc}</utc></time></iq>",
    );
    let utc = romeo.var("utc");
    let told: jiff::Timestamp = utc.parse().expect("a time");
    assert!(utc.ends_with('Z') && utc.len() >= "2006-12-19T17:58:35Z".len(), "{utc}");
    assert!((before - 1_000_000..=magpie::clock::now_micros()).contains(&told.as_microsecond()), "{utc}");
}

/// XEP-0199 §4.2: the server, by name or without, and the own account; nobody answers for others.
#[test]
fn pings_are_answered() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    for (to, from) in
        [("to='im.example'", "from='im.example'"), ("", "from='{opt}'"), ("to='romeo@im.example'", "from='{bare}'")]
    {
        romeo.send(&format!("<iq type='get' id='p' {to}><ping xmlns='urn:xmpp:ping'/></iq>"));
        romeo.expect(&format!("<iq type='result' id='p' {from} to='{{jid}}'/>"));
    }
    romeo.send("<iq type='get' id='p' to='im.example/x'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.expect_stanza_error("iq", "p", "cancel", "service-unavailable");
    romeo.send("<iq type='set' id='p' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    romeo.expect_stanza_error("iq", "p", "cancel", "not-allowed");
    romeo.expect_nothing();
}

/// XEP-0157 §2: only what is set, as a form in the server's disco#info, nowhere else.
#[test]
fn contact_addresses_come_from_the_settings() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let ask = |server: &TestServer, to: &str| {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send(&format!(
            "<iq type='get' id='d' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        ));
        let info = romeo.expect("<iq type='result' id='d' any-attrs='true'><one/></iq>");
        let form = info.elements().next().and_then(|query| query.find("x", "jabber:x:data")).cloned();
        (romeo, form)
    };
    assert!(ask(&server, "im.example").1.is_none(), "nothing is set");
    server.restart_with(|c| {
        c.contact.abuse = vec!["mailto:abuse@im.example".into(), "xmpp:abuse@im.example?a&b".into()];
        c.contact.security = vec!["https://im.example/security".into()];
    });
    let (mut romeo, form) = ask(&server, "im.example");
    let pattern = "<x xmlns='jabber:x:data' type='result' any-order='true'>\
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>\
        <field var='abuse-addresses' type='{opt}'><value>mailto:abuse@im.example</value><value>xmpp:abuse@im.example?a&amp;b</value></field>\
        <field var='security-addresses' type='{opt}'><value>https://im.example/security</value></field></x>";
    romeo.matches(pattern, &form.expect("a form")).unwrap_or_else(|e| romeo.fail(&e));
    assert!(ask(&server, "romeo@im.example").1.is_none(), "an account has none");
}

/// XEP-0106 §4: to the server an escaped name is a name, never the character it stands for.
#[test]
fn escaped_names_are_names() {
    let server = TestServer::start();
    let mut artagnan = server.online("d\\27artagnan", "paris");
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<message to='d\\27artagnan@im.example' id='1'><body>en garde</body></message>");
    artagnan.expect("<message to='d\\27artagnan@im.example' id='1' from='{romeo}'><body>en garde</body></message>");
    artagnan.send("<message to='romeo@im.example' id='2'/>");
    romeo.expect("<message to='romeo@im.example' id='2' from='d\\27artagnan@im.example/paris'/>");
    romeo.send("<message to=\"d'artagnan@im.example\" id='3'/>");
    romeo.expect_stanza_error("message", "3", "modify", "jid-malformed");
    romeo.send("<message to='d\\5c27artagnan@im.example' id='4'/>");
    romeo.expect_stanza_error("message", "4", "cancel", "service-unavailable");
    artagnan.expect_nothing();
}

/// XEP-0478 §3: the limit that is announced is the one that holds, on the stream it is announced on.
#[test]
fn the_announced_limit_is_what_a_stanza_may_have() {
    let server = TestServer::with(|c| c.limits.stanza_bytes_max = 12_000);
    server.account("romeo", "secret");
    let mut romeo = server.connect();
    romeo.secure();
    romeo.authenticate("SCRAM-SHA-1", "romeo", "secret");
    let features = romeo.open_to_features();
    let limits = features.find("limits", "urn:xmpp:stream-limits:0").expect("limits");
    let bytes: usize = limits.find("max-bytes", "urn:xmpp:stream-limits:0").expect("a limit").text().parse().unwrap();
    assert_eq!(bytes, 12_000);
    romeo.bind("orchard");
    let message = |bytes: usize| {
        let empty = "<message to='nobody@im.example' id='1'><body></body></message>";
        empty.replace("<body>", &format!("<body>{}", "x".repeat(bytes - empty.len())))
    };
    romeo.send(&message(bytes));
    romeo.expect_stanza_error("message", "1", "cancel", "service-unavailable");
    romeo.send_bytes_if_open(message(bytes + 1).as_bytes());
    romeo.expect_stream_error("policy-violation");
}
