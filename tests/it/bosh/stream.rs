//! The life of a session, from its first request to its end (XEP-0124 §7 to §12, XEP-0206).

use super::*;
use crate::support::sasl2;

/// XEP-0124 §7.2, XEP-0206 §4.
#[test]
fn the_first_answer_says_the_terms_and_has_the_features() {
    let server = serve(|c| c.http.bosh_polling_seconds = std::time::Duration::from_secs(5));
    let (_, created) = Session::begin_on(Http::plain(&server), "ver='1.20' wait='300' hold='5' ack='1'");
    let rid = FIRST.to_string();
    let terms = [
        ("wait", "60"),
        ("hold", "1"),
        ("requests", "2"),
        ("inactivity", "30"),
        ("polling", "5"),
        ("maxpause", "120"),
        ("ver", "1.11"),
        ("from", DOMAIN),
        ("ack", &rid),
    ];
    for (name, value) in terms {
        assert_eq!(created.attr(name), Some(value), "{name} in {created:?}");
    }
    assert!(created.raw.contains("xmpp:restartlogic='true'") && created.raw.contains("xmpp:version='1.0'"));
    assert!(created.attr("authid").is_some() && created.attr("sid").unwrap().len() >= 22);
    assert!(created.raw.contains(&format!("xmlns:stream='{}'", xml::STREAMS)));
    let features = created.find("features", xml::STREAMS).expect("features");
    assert!(features.find("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl").is_some());
    assert!(features.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_none(), "XEP-0206 §2");
    assert!(!features.raw.contains("-PLUS"), "there is no channel to bind to");
    let (_, modest) = Session::begin_on(Http::plain(&server), "ver='1.6' wait='7' hold='1'");
    assert_eq!((modest.attr("wait"), modest.attr("ver"), modest.attr("ack")), (Some("7"), Some("1.6"), None));
    assert_ne!(created.attr("sid"), modest.attr("sid"));
}

#[test]
fn two_people_chat_one_of_them_over_tcp() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    let mut romeo = Session::online(&server, "romeo");
    romeo.say("<message xmlns='jabber:client' to='juliet@im.example' type='chat' id='1'><body>hi</body></message>");
    juliet.expect("<message from='romeo@im.example/romeo' to='juliet@im.example' type='chat' id='1' xml:lang='en'><body>hi</body><any/></message>");
    tell(&mut juliet, "romeo@im.example/romeo", "ho");
    romeo.expect(&chat("juliet@im.example/balcony", "romeo@im.example/romeo", "ho"));
    assert_eq!(server.transports("romeo"), [Some("bosh".to_owned())]);
    assert_eq!(server.transports("juliet"), [Some("tcp".to_owned())]);
}

/// XEP-0206 §2: many clients take stanzas as they are.
#[test]
fn stanzas_without_a_namespace_are_stanzas() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    romeo.send("", "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    let answer = body(&mut romeo.http);
    assert_eq!(answer.find("iq", xml::CLIENT).and_then(|iq| iq.attr("id")), Some("p"), "{answer:?}");
}

/// XEP-0388: one request, and nothing is restarted.
#[test]
fn login_with_sasl2_and_bind2() {
    let server = serve(|_| {});
    let tls = Http::tls(&server, &[b"http/1.1"]);
    let (mut romeo, created) = Session::begin_on(tls, &format!("{USUAL} from='romeo@im.example'"));
    assert!(created.raw.contains("urn:xmpp:sasl:2"));
    let bind = "<bind xmlns='urn:xmpp:bind:0'><tag>web</tag></bind>";
    let answer = romeo.ask("", &sasl2::authenticate("PLAIN", Some(b"\0romeo\0secret"), bind));
    let success = answer.find("success", "urn:xmpp:sasl:2").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(success.raw.contains("romeo@im.example/web"), "{success:?}");
    romeo.say("<presence xmlns='jabber:client'/>");
}

#[test]
fn a_wrong_password_is_told_in_the_stream() {
    let server = serve(|_| {});
    let mut romeo = Session::begin(&server);
    let wrong = BASE64.encode("\0romeo\0wrong");
    let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{wrong}</auth>");
    let answer = romeo.ask("", &auth);
    assert!(answer.raw.contains("<not-authorized"), "{answer:?}");
    romeo.authenticate("romeo");
}

/// Without TLS nobody may log in, unless the switch for tests is on.
#[test]
fn in_the_clear_no_login_is_offered() {
    let server = serve(|c| c.c2s.allow_plaintext_auth = false);
    let (_, created) = Session::begin_on(Http::plain(&server), USUAL);
    assert!(!created.raw.contains("<mechanism>"), "{created:?}");
    let (mut romeo, created) = Session::begin_on(Http::tls(&server, &[b"http/1.1"]), USUAL);
    assert!(created.raw.contains("<mechanism>SCRAM-SHA-256</mechanism>"), "{created:?}");
    romeo.authenticate("romeo");
    // XEP-0124 §18.1: who does not come encrypted is not the client, which suffers nothing.
    let request = romeo.numbered(romeo.rid + 1, "", "");
    let mut stranger = Http::plain(&server);
    post(&mut stranger, &request);
    expect_end(&mut stranger, "item-not-found");
    romeo.bind("x");
}

/// §12.
#[test]
fn the_client_ends_the_session() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    let mut romeo = Session::online(&server, "romeo");
    let mut held = Http::plain(&server);
    post(&mut held, &romeo.request("", ""));
    let farewell = "<message xmlns='jabber:client' to='juliet@im.example' type='chat' id='f'><body>f</body></message>";
    romeo.send("type='terminate'", farewell);
    let end = body(&mut held);
    assert_eq!((end.attr("type"), end.attr("condition")), (Some("terminate"), None), "on the oldest: {end:?}");
    expect_nothing(&mut romeo.http);
    juliet.expect(
        "<message from='{any}' to='juliet@im.example' type='chat' id='f' xml:lang='en'><body>f</body><any/></message>",
    );
    romeo.send("", "");
    expect_end(&mut romeo.http, "item-not-found");
}

/// XEP-0206 §6: with the stream's own words.
#[test]
fn an_error_of_the_stream_ends_the_session() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    romeo.send("", "<nonsense xmlns='urn:nonsense'/>");
    let end = expect_end(&mut romeo.http, "remote-stream-error");
    let error = end.find("error", xml::STREAMS).unwrap_or_else(|| panic!("{end:?}"));
    assert!(error.find("unsupported-stanza-type", "urn:ietf:params:xml:ns:xmpp-streams").is_some(), "{end:?}");
    assert!(end.raw.starts_with("<body") && end.raw.split('>').next().unwrap().contains("xmlns:stream="), "{end:?}");
}

/// §16.2.
#[test]
fn a_stop_is_told() {
    let mut server = serve(|_| {});
    let mut romeo = Session::online(&server, "romeo");
    let sid = romeo.sid.clone();
    let mut held = romeo.held(&server);
    server.stop();
    expect_end(&mut held, "system-shutdown");
    server.restart();
    let mut again = Session { http: Http::plain(&server), sid, rid: romeo.rid, seen: VecDeque::new() };
    again.send("", "");
    expect_end(&mut again.http, "item-not-found");
}

/// XEP-0206 §5: what comes with a restart is ignored.
#[test]
fn a_restart_out_of_place_ends_the_stream() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    romeo.send("xmpp:restart='true'", "<presence xmlns='jabber:client'/>");
    let end = expect_end(&mut romeo.http, "remote-stream-error");
    assert!(end.raw.contains("invalid-xml"), "{end:?}");
}

/// §9.
#[test]
fn a_pause_answers_everything() {
    let server = serve(|_| {});
    let mut romeo = Session::online(&server, "romeo");
    let mut held = Http::plain(&server);
    post(&mut held, &romeo.request("", ""));
    romeo.send("pause='60'", "");
    expect_nothing(&mut held);
    expect_nothing(&mut romeo.http);
    romeo.sync();
}

/// §11.
#[test]
fn a_polling_session_gets_what_there_is() {
    let server = serve(|_| {});
    let (mut romeo, created) = Session::begin_on(Http::plain(&server), "ver='1.11' wait='0' hold='1'");
    assert_eq!((created.attr("requests"), created.attr("hold")), (Some("1"), Some("0")));
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert!(created.raw.contains("<mechanism>"));
    let auth = format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>",
        BASE64.encode("\0romeo\0secret")
    );
    romeo.send("", &auth);
    while !romeo.next_polled().is("success", "urn:ietf:params:xml:ns:xmpp-sasl") {}
    romeo.send("xmpp:restart='true'", "");
    while !romeo.next_polled().is("features", xml::STREAMS) {}
    romeo.send("", &binding("x"));
    assert_eq!(romeo.next_polled().attr("id"), Some("b"));
    romeo.send("", ping);
    assert_eq!(romeo.next_polled().attr("id"), Some("p"));
}

impl Session {
    /// What comes when one asks and asks, a request being under way.
    fn next_polled(&mut self) -> El {
        loop {
            let answer = body(&mut self.http);
            if let Some(element) = answer.elements().next() {
                return element.clone();
            }
            self.send("", "");
        }
    }
}
