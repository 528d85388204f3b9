//! Blocking (XEP-0191).

use crate::support::{Client, TestServer};

mod list;
mod presence;
mod reports;
mod stanzas;
mod subscriptions;

fn items(jids: &[&str]) -> String {
    jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect()
}

/// A command that works; what is pushed because of it is not looked at.
#[track_caller]
fn command(client: &mut Client, name: &str, jids: &[&str]) {
    let items = items(jids);
    client.send(&format!("<iq type='set' id='{name}'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>"));
    client.expect(&format!("<iq type='result' id='{name}' to='{{jid}}' from='{{opt}}'/>"));
}

#[track_caller]
fn block(client: &mut Client, jids: &[&str]) {
    command(client, "block", jids);
}

#[track_caller]
fn unblock(client: &mut Client, jids: &[&str]) {
    command(client, "unblock", jids);
}

#[track_caller]
fn expect_list(client: &mut Client, jids: &[&str]) {
    client.send("<iq type='get' id='list'><blocklist xmlns='urn:xmpp:blocking'/></iq>");
    client.expect(&format!(
        "<iq type='result' id='list' to='{{jid}}' from='{{opt}}'>\
         <blocklist xmlns='urn:xmpp:blocking' any-order='true'>{}</blocklist></iq>",
        items(jids)
    ));
}

/// §3.3: what a user is told who sends something to somebody it has blocked.
#[track_caller]
fn expect_blocked(client: &mut Client, kind: &str, id: &str, from: &str) {
    client.expect(&format!(
        "<{kind} type='error' id='{id}' from='{from}' to='{{jid}}'><error type='cancel'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/>\
         </error></{kind}>"
    ));
}

/// Romeo and Juliet, both interested and available, who see each other.
fn friends() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.sync();
    juliet.sync();
    (server, romeo, juliet)
}
