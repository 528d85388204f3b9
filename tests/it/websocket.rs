//! XMPP over WebSocket (RFC 7395, RFC 6455), by literal frames.

mod closing;
mod framing;
mod handshake;
mod http2;
mod resumption;
mod session;

use crate::support::{Client, TestServer};
use magpie::config::Config;

/// A server with its HTTP listeners, where passwords may go over loopback in the clear.
fn serve(adjust: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        let any_port = vec!["127.0.0.1:0".parse().unwrap()];
        config.http.listen = any_port.clone();
        config.http.tls_listen = any_port;
        config.c2s.allow_plaintext_auth = true;
        adjust(config);
    })
}

/// Romeo over WebSocket; available.
fn romeo(server: &TestServer) -> Client {
    server.account("romeo", "secret");
    let mut romeo = server.login_by_websocket("romeo", "orchard");
    romeo.available();
    romeo
}

/// A message by WebSocket, which stands alone.
fn say(from: &mut Client, to: &str, id: &str) {
    from.send(&format!(
        "<message xmlns='jabber:client' to='{{{to}}}' type='chat' id='{id}'><body>{id}</body></message>"
    ));
    from.sync();
}

fn expect_said(client: &mut Client, from: &str, to: &str, id: &str) {
    client.expect(&format!(
        "<message from='{{{from}}}' to='{{{to}}}' type='chat' id='{id}'><body>{id}</body><any/></message>"
    ));
}
