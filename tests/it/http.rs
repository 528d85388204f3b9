//! The HTTP server, by literal requests over a socket.

mod chat;
pub(crate) mod connections;
mod discovery;
mod greedy;
mod invite;
mod metrics;
mod one_port;
mod operators;
mod smuggling;
pub(crate) mod upload;
mod upload_slots;
pub(crate) mod wire;

use crate::support::TestServer;
use magpie::config::Config;

/// A server with its HTTP listeners.
fn serve(adjust: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        let any_port = vec!["127.0.0.1:0".parse().unwrap()];
        config.http.listen = any_port.clone();
        config.http.tls_listen = any_port;
        // What disk the tests run on is no concern of theirs.
        config.upload.free_mib_min = 0;
        adjust(config);
    })
}
