//! Push notifications (XEP-0357). The push service is a client of the same server: its full JID is where notifications go.

mod enabling;
mod errors;
mod important;
mod rooms;
mod when;

use crate::support::xml::El;
use crate::support::{Client, TestServer};
use magpie::config::Config;
use std::time::Duration;

const PUSH: &str = "urn:xmpp:push:0";
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

/// What is told can be read, and nobody waits longer than a test needs.
fn talkative(config: &mut Config) {
    config.push.include_content = true;
    config.push.retry_seconds = Duration::from_millis(1);
    config.limits.push_pause_seconds = Duration::ZERO;
}

/// A server, the push service, and somebody who writes.
fn with_service(adjust: impl FnOnce(&mut Config)) -> (TestServer, Client, Client) {
    let server = TestServer::with(|config| {
        talkative(config);
        adjust(config);
    });
    server.account("push", "secret");
    let service = server.login("push", "secret", "service");
    server.account("juliet", "secret");
    let romeo = server.online("romeo", "orchard");
    (server, service, romeo)
}

/// A client of juliet that has enabled this node; it is not available.
#[track_caller]
fn enabled(server: &TestServer, resource: &str, node: &str) -> Client {
    let mut juliet = server.login("juliet", "secret", resource);
    enable(&mut juliet, &format!("jid='{{push}}' node='{node}'"), "");
    juliet
}

#[track_caller]
fn enable(client: &mut Client, attrs: &str, inside: &str) {
    client.send(&format!("<iq type='set' id='e'><enable xmlns='{PUSH}' {attrs}>{inside}</enable></iq>"));
    client.expect("<iq type='result' id='e' from='{opt}' to='{jid}'/>");
}

#[track_caller]
fn disable(client: &mut Client, attrs: &str) {
    client.send(&format!("<iq type='set' id='d'><disable xmlns='{PUSH}' {attrs}/></iq>"));
    client.expect("<iq type='result' id='d' from='{opt}' to='{jid}'/>");
}

/// To juliet; it has found its place when this returns.
#[track_caller]
fn say(romeo: &mut Client, text: &str) {
    romeo.send(&format!("<message to='juliet@im.example' type='chat'><body>{text}</body></message>"));
    romeo.sync();
}

/// A notification as the push service gets it.
struct Notified {
    iq: El,
}

impl Notified {
    fn node(&self) -> &str {
        let publish = self.iq.find("pubsub", PUBSUB).and_then(|p| p.find("publish", PUBSUB)).expect("<publish/>");
        publish.attr("node").expect("a node")
    }

    /// A field of the summary.
    fn field(&self, var: &str) -> Option<String> {
        let publish = self.iq.find("pubsub", PUBSUB).and_then(|p| p.find("publish", PUBSUB)).expect("<publish/>");
        let notification = publish.find("item", PUBSUB).and_then(|i| i.find("notification", PUSH)).expect("PUSH");
        let form = notification.find("x", "jabber:x:data").expect("a form");
        let field = form.elements().find(|f| f.attr("var") == Some(var))?;
        field.elements().next().map(El::text)
    }

    fn body(&self) -> String {
        self.field("last-message-body").expect("a body")
    }

    fn count(&self) -> String {
        self.field("message-count").expect("a count")
    }
}

/// The next notification; not answered yet.
#[track_caller]
fn notified(service: &mut Client) -> Notified {
    let iq = service.next();
    assert_eq!((iq.name.as_str(), iq.attr("type")), ("iq", Some("set")), "{iq:?}");
    assert!(iq.find("pubsub", PUBSUB).is_some(), "{iq:?}");
    Notified { iq }
}

fn accept(service: &mut Client, notified: &Notified) {
    let (id, from) = (notified.iq.attr("id").expect("an id"), notified.iq.attr("from").expect("from"));
    service.send(&format!("<iq type='result' id='{id}' to='{from}'/>"));
}

fn refuse(service: &mut Client, notified: &Notified, kind: &str, condition: &str) {
    let (id, from) = (notified.iq.attr("id").expect("an id"), notified.iq.attr("from").expect("from"));
    service.send(&format!(
        "<iq type='error' id='{id}' to='{from}'><error type='{kind}'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
}

/// The next notification says this; it is accepted.
#[track_caller]
fn expect_told(service: &mut Client, node: &str, body: &str) {
    let told = notified(service);
    assert_eq!((told.node(), told.body().as_str()), (node, body));
    accept(service, &told);
}

/// Nodes juliet has registered, as the database has them.
fn registered(server: &TestServer) -> Vec<String> {
    let storage = &server.server().core().storage;
    server.runtime().block_on(async {
        storage.barrier().await.expect("storage");
        let record = storage.account("juliet@im.example").await.expect("storage").expect("juliet");
        record.push.into_iter().map(|row| row.node).collect()
    })
}
