//! Invitations: made by users (XEP-0401), for accounts (XEP-0445), for contacts (XEP-0379). The pages: `http/invite.rs`.

mod accounts;
mod contacts;
mod making;
mod own;

use crate::support::{Client, TestServer};

/// On an encrypted stream, not logged in.
fn stranger(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.secure();
    client
}

fn show(token: &str) -> String {
    format!("<iq type='set' id='p'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></iq>")
}

#[track_caller]
fn accepted(client: &mut Client, token: &str) {
    client.send(&show(token));
    client.expect("<iq type='result' id='p' from='{opt}' to='{opt}'/>");
}

fn keys(username: &str) -> String {
    format!(
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{username}</username>\
         <password>secret</password></query></iq>"
    )
}

#[track_caller]
fn registered(client: &mut Client, username: &str) {
    client.send(&keys(username));
    client.expect("<iq type='result' id='r' from='{opt}' to='{opt}'/>");
}

#[track_caller]
fn refused(client: &mut Client, username: &str, error_type: &str, condition: &str) {
    client.send(&keys(username));
    client.expect_stanza_error("iq", "r", error_type, condition);
}
