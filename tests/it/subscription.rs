//! Presence subscriptions (RFC 6121 §3, Appendix A).

mod consistency;
mod ending;
mod handshake;
mod pending;
mod pre_approval;
mod refusals;
mod table;

use crate::support::{Client, TestServer};

/// Romeo in the orchard and Juliet on the balcony, strangers, both interested and available.
fn strangers() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let romeo = server.present("romeo", "orchard");
    let juliet = server.present("juliet", "balcony");
    (server, romeo, juliet)
}

/// The same, as these states of Appendix A.1 say.
fn acquainted(romeo: &str, juliet: &str) -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("romeo", "juliet", romeo);
    server.contact("juliet", "romeo", juliet);
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.sync();
    juliet.sync();
    (server, romeo, juliet)
}
