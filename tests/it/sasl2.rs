//! SASL2 (XEP-0388) and what comes with it.

mod authentication;
mod bind2;
mod devices;
mod fast;
mod pipelining;
mod refusals;
mod upgrade;

use crate::support::sasl2::{FAST, SASL2};
use crate::support::{Client, TestServer};

fn server() -> TestServer {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server
}

/// An encrypted stream with its features.
fn secured(server: &TestServer) -> Client {
    let mut client = server.connect_tls();
    client.open_to_features();
    client
}

/// A token for this device, got with the password.
#[track_caller]
fn get_token(server: &TestServer, mechanism: &str, agent: &str) -> String {
    let mut client = secured(server);
    let wish = format!("{agent}<request-token xmlns='{FAST}' mechanism='{mechanism}'/>");
    let success = client.scram2("romeo", "secret", &wish);
    crate::support::sasl2::token(&success).expect("a token")
}

/// Runs to the features behind a success, none of which may be missing.
#[track_caller]
fn in_with(client: &mut Client, password: &str, inside: &str) -> crate::support::xml::El {
    let success = client.scram2("romeo", password, inside);
    assert!(success.is("success", SASL2), "{success:?}");
    client.features();
    success
}
