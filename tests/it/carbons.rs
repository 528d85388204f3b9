//! Carbon copies (XEP-0280) and what calls need of them (XEP-0353).

use crate::support::{Client, TestServer};

mod calls;
mod copies;
mod lost;
mod requests;
mod rules;

const CARBONS: &str = "urn:xmpp:carbons:2";

/// Turns copies on.
#[track_caller]
fn enable(client: &mut Client) {
    client.send("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    client.expect("<iq type='result' id='carbons' to='{jid}' from='{opt}'/>");
}

/// Another client of somebody who has an account; online, with copies.
#[track_caller]
fn device(server: &TestServer, user: &str, resource: &str) -> Client {
    let mut client = server.login(user, "secret", resource);
    client.available();
    enable(&mut client);
    client
}

/// Romeo with `orchard`, Juliet with `balcony` and `phone`, all with copies; what their presence brought is dropped.
fn three(server: &TestServer) -> (Client, Client, Client) {
    server.accounts(&["romeo", "juliet"]);
    let romeo = device(server, "romeo", "orchard");
    let mut balcony = device(server, "juliet", "balcony");
    let phone = device(server, "juliet", "phone");
    balcony.sync();
    (romeo, balcony, phone)
}

/// A copy for the account of whoever gets it, of this type (an attribute, or nothing) around this message.
fn copy(way: &str, kind: &str, message: &str) -> String {
    let message = message.replacen("<message", "<message xmlns='jabber:client'", 1);
    format!(
        "<message from='{{bare}}' to='{{jid}}' {kind}><{way} xmlns='{CARBONS}'><forwarded xmlns='urn:xmpp:forward:0'>\
         {message}</forwarded></{way}></message>"
    )
}

fn received(message: &str) -> String {
    copy("received", "type='chat'", message)
}

fn sent(message: &str) -> String {
    copy("sent", "type='chat'", message)
}
