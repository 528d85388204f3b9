//! BOSH (XEP-0124, XEP-0206): streams over requests and answers of HTTP.

mod rules;
mod stream;
mod undelivered;
mod web;

use std::collections::VecDeque;

use crate::http::wire::{Answer, Http};
use crate::support::scram::{Hash, Scram};
use crate::support::xml::{self, El};
use crate::support::{Client, DOMAIN, TestServer, pattern};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use magpie::config::Config;

const BOSH: &str = "http://jabber.org/protocol/httpbind";
const XBOSH: &str = "urn:xmpp:xbosh";
const FIRST: u64 = 1_573_741_820;

/// A server with HTTP in the clear, where tests may log in; nobody has to wait between two requests.
fn serve(adjust: impl FnOnce(&mut Config)) -> TestServer {
    let server = TestServer::with(|config| {
        config.http.listen = vec!["127.0.0.1:0".parse().unwrap()];
        config.http.tls_listen = config.http.listen.clone();
        config.c2s.allow_plaintext_auth = true;
        config.http.bosh_polling_seconds = std::time::Duration::ZERO;
        adjust(config);
    });
    for user in ["romeo", "juliet"] {
        server.account(user, "secret");
    }
    server
}

/// Sends a body; the answer is not awaited.
fn post(http: &mut Http, body: &str) {
    let length = body.len();
    http.send(format!(
        "POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
}

/// What a body is in an answer.
#[track_caller]
fn body_of(answer: &Answer) -> El {
    xml::parse(answer.text(), &Vec::new()).unwrap_or_else(|e| panic!("{e}: {}", answer.text()))
}

/// The next answer of this connection.
#[track_caller]
fn body(http: &mut Http) -> El {
    let answer = http.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = body_of(&answer);
    assert!(body.is("body", BOSH), "{body:?}");
    body
}

/// Nothing but an empty body.
#[track_caller]
fn expect_nothing(http: &mut Http) {
    assert_eq!(body(http).raw, format!("<body xmlns='{BOSH}'/>"));
}

/// The session is over, with this condition.
#[track_caller]
fn expect_end(http: &mut Http, condition: &str) -> El {
    let end = body(http);
    assert_eq!((end.attr("type"), end.attr("condition")), (Some("terminate"), Some(condition)), "{end:?}");
    end
}

/// A session of a client with one connection, that asks again when it has its answer.
struct Session {
    http: Http,
    sid: String,
    rid: u64,
    seen: VecDeque<El>,
}

/// Nobody answers this.
const SILENT: &str = "<iq xmlns='jabber:client' type='result' id='none'/>";

/// The request that begins a session.
fn creation(attributes: &str) -> String {
    format!(
        "<body xmlns='{BOSH}' xmlns:xmpp='{XBOSH}' rid='{FIRST}' to='{DOMAIN}' xml:lang='en' xmpp:version='1.0' {attributes}/>"
    )
}

const USUAL: &str = "ver='1.11' wait='60' hold='1'";

impl Session {
    /// A session, and the answer to its first request.
    #[track_caller]
    fn begin_on(mut http: Http, attributes: &str) -> (Self, El) {
        post(&mut http, &creation(attributes));
        let created = body(&mut http);
        let sid = created.attr("sid").unwrap_or_else(|| panic!("{created:?}")).to_owned();
        (Self { http, sid, rid: FIRST, seen: VecDeque::new() }, created)
    }

    /// A session before authentication.
    #[track_caller]
    fn begin(server: &TestServer) -> Self {
        Self::begin_on(Http::plain(server), USUAL).0
    }

    /// One that is logged in and bound.
    #[track_caller]
    fn login(server: &TestServer, user: &str) -> Self {
        let mut session = Self::begin(server);
        session.authenticate(user);
        session.bind(user);
        session
    }

    /// And available.
    #[track_caller]
    fn online(server: &TestServer, user: &str) -> Self {
        let mut session = Self::login(server, user);
        session.say("<presence xmlns='jabber:client'/>");
        session.sync();
        session
    }

    /// The next request, as text.
    fn request(&mut self, attributes: &str, payload: &str) -> String {
        self.rid += 1;
        self.numbered(self.rid, attributes, payload)
    }

    fn numbered(&self, rid: u64, attributes: &str, payload: &str) -> String {
        let sid = &self.sid;
        format!("<body xmlns='{BOSH}' xmlns:xmpp='{XBOSH}' rid='{rid}' sid='{sid}' {attributes}>{payload}</body>")
    }

    /// Sends the next request; the answer is not awaited.
    fn send(&mut self, attributes: &str, payload: &str) {
        let request = self.request(attributes, payload);
        post(&mut self.http, &request);
    }

    /// The next request, which is held on a connection of its own, for sure.
    #[track_caller]
    fn held(&mut self, server: &TestServer) -> Http {
        self.send("", "");
        let mut other = Http::plain(server);
        // With this one there the first one is answered, and not before.
        let request = self.request("", SILENT);
        post(&mut other, &request);
        expect_nothing(&mut self.http);
        other
    }

    /// Sends the next request and waits for its answer.
    #[track_caller]
    fn ask(&mut self, attributes: &str, payload: &str) -> El {
        self.send(attributes, payload);
        body(&mut self.http)
    }

    /// The same; what the answer has is looked at later.
    #[track_caller]
    fn say(&mut self, payload: &str) {
        // Something that is answered, so that this request is not held.
        let ping = "<iq xmlns='jabber:client' type='get' id='said'><ping xmlns='urn:xmpp:ping'/></iq>";
        self.send("", &[payload, ping].concat());
        loop {
            let answer = body(&mut self.http);
            let mut is_done = false;
            for element in answer.elements() {
                if element.attr("id") == Some("said") {
                    is_done = true;
                } else {
                    self.seen.push_back(element.clone());
                }
            }
            if is_done {
                return;
            }
            self.send("", "");
        }
    }

    /// Everything that has come so far is forgotten.
    #[track_caller]
    fn sync(&mut self) {
        self.say("");
        self.seen.clear();
    }

    /// The next element for the client.
    #[track_caller]
    fn next(&mut self) -> El {
        while self.seen.is_empty() {
            let answer = self.ask("", "");
            assert_eq!(answer.attr("type"), None, "{answer:?}");
            self.seen.extend(answer.elements().cloned());
        }
        self.seen.pop_front().unwrap()
    }

    /// It must be like this.
    #[track_caller]
    fn expect(&mut self, wanted: &str) -> El {
        let element = self.next();
        check(wanted, &element);
        element
    }

    #[track_caller]
    fn authenticate(&mut self, user: &str) {
        let mut exchange = Scram::new(Hash::Sha256, user, "secret");
        let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
        let first = BASE64.encode(exchange.first());
        let answer = self.ask("", &format!("<auth xmlns='{sasl}' mechanism='SCRAM-SHA-256'>{first}</auth>"));
        let challenge = answer.find("challenge", sasl).unwrap_or_else(|| panic!("{answer:?}"));
        let last = exchange.last(&decoded(challenge));
        let answer = self.ask("", &format!("<response xmlns='{sasl}'>{}</response>", BASE64.encode(last)));
        let success = answer.find("success", sasl).unwrap_or_else(|| panic!("{answer:?}"));
        assert!(exchange.verify(&decoded(success)));
        let answer = self.ask(&format!("xmpp:restart='true' to='{DOMAIN}' xml:lang='en'"), "");
        assert!(answer.find("features", xml::STREAMS).is_some(), "{answer:?}");
    }

    #[track_caller]
    fn bind(&mut self, resource: &str) {
        let answer = self.ask("", &binding(resource));
        let iq = answer.find("iq", xml::CLIENT).unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!(iq.attr("type"), Some("result"));
    }
}

fn binding(resource: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    )
}

fn decoded(element: &El) -> String {
    String::from_utf8(BASE64.decode(element.text()).expect("base64")).expect("UTF-8")
}

#[track_caller]
fn check(wanted: &str, element: &El) {
    pattern::matches(wanted, element, &mut pattern::Vars::new()).unwrap_or_else(|e| panic!("{e}: {element:?}"));
}

/// A chat message as it comes out of BOSH or TCP.
fn chat(from: &str, to: &str, text: &str) -> String {
    format!("<message from='{from}' to='{to}' type='chat' id='{{any}}'><body>{text}</body><any/></message>")
}

/// A client on TCP says something.
fn tell(client: &mut Client, to: &str, text: &str) {
    client.send(&format!("<message to='{to}' type='chat' id='{text}'><body>{text}</body></message>"));
}
