//! Presence (RFC 6121 §4).

mod broadcast;
mod content;
mod directed;
mod leaks;
mod leaving;
mod own;
mod probes;
mod storm;

use crate::support::{Client, TestServer};

/// Romeo and Juliet, both interested and available, who stand like this to each other (Appendix A.1).
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

/// The same as friends.
fn friends() -> (TestServer, Client, Client) {
    acquainted("Both", "Both")
}

/// The same as strangers.
fn strangers() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    let romeo = server.present("romeo", "orchard");
    juliet.sync();
    (server, romeo, juliet)
}
