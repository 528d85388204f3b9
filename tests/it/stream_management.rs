//! XEP-0198: acknowledgements and resumption.

use crate::support::{Client, TestServer};

mod detached;
mod missed;
mod restart;

const SM: &str = "urn:xmpp:sm:3";

/// Enables with resumption; `{sm}` is the SM-ID.
fn enable(client: &mut Client) {
    client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    client.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
}

/// Romeo and Juliet online, Juliet with stream management.
fn pair(server: &TestServer) -> (Client, Client) {
    let romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    enable(&mut juliet);
    (romeo, juliet)
}

/// A new connection of Juliet's, authenticated and not bound.
fn again(server: &TestServer, user: &str) -> Client {
    let mut client = server.connect_tls();
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256", user, "secret");
    client.open_to_features();
    client
}

fn say(from: &mut Client, id: &str) {
    from.send(&format!("<message to='{{juliet}}' type='chat' id='{id}'><body>{id}</body></message>"));
    from.sync();
}

fn expect_said(client: &mut Client, id: &str) {
    client.expect(&format!(
        "<message from='{{romeo}}' to='{{juliet}}' type='chat' id='{id}'><body>{id}</body><any/></message>"
    ));
}

/// §3: only after authentication.
#[test]
fn the_feature_is_offered_after_login() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.connect_tls();
    assert!(romeo.open_to_features().find("sm", SM).is_none());
    romeo.authenticate("SCRAM-SHA-256", "romeo", "secret");
    assert!(romeo.open_to_features().find("sm", SM).is_some());
}

/// §3: without `resume` there is no SM-ID.
#[test]
fn enabling_without_resumption() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<enabled xmlns='urn:xmpp:sm:3'/>");
}

/// §3: "a client SHALL only make at most one attempt".
#[test]
fn enabling_twice_fails() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    enable(&mut romeo);
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    romeo.expect(
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
}

/// §3: not before a resource is bound.
#[test]
fn enabling_before_binding_fails() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = again(&server, "romeo");
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    romeo.expect(
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    romeo.bind("orchard");
}

/// §4: `h` counts stanzas, whatever became of them, and nothing else.
#[test]
fn the_server_counts_what_it_handled() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    enable(&mut romeo);
    romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    romeo.send("<message to='nobody@{domain}' type='error'/><iq type='result' id='x'/><r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

/// §4: the server asks when it has nothing more to send.
#[test]
fn the_server_requests_acknowledgements() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    say(&mut romeo, "one");
    expect_said(&mut juliet, "one");
    juliet.expect("<r xmlns='urn:xmpp:sm:3'/>");
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    say(&mut romeo, "two");
    expect_said(&mut juliet, "two");
    juliet.expect("<r xmlns='urn:xmpp:sm:3'/>");
}

/// §6.
#[test]
fn acknowledging_too_much_ends_the_stream() {
    let server = TestServer::start();
    let (_, mut juliet) = pair(&server);
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='10'/>");
    juliet.expect(
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
         <undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='0'/></stream:error>",
    );
    juliet.expect_closed();
}

#[test]
fn an_acknowledgement_without_a_count_ends_the_stream() {
    let server = TestServer::start();
    let (_, mut juliet) = pair(&server);
    juliet.send("<a xmlns='urn:xmpp:sm:3'/>");
    juliet.expect_stream_error("bad-format");
}

/// §5: what was not acknowledged comes again, what was does not, and what came meanwhile follows.
#[test]
fn a_lost_stream_is_resumed_where_it_was() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    say(&mut romeo, "one");
    say(&mut romeo, "two");
    expect_said(&mut juliet, "one");
    let id = juliet.var("sm");
    drop(juliet);
    say(&mut romeo, "three");

    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>"));
    juliet.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    expect_said(&mut juliet, "two");
    let rest = juliet.next();
    let rest = if rest.is("r", SM) { juliet.next() } else { rest };
    assert_eq!(rest.attr("id"), Some("three"));
}

/// §5: the count of the old stream goes on.
#[test]
fn the_counters_survive_resumption() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    server.account("juliet", "secret");
    enable(&mut romeo);
    romeo.send("<message to='juliet@{domain}' type='error'/><r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    let id = romeo.var("sm");
    drop(romeo);

    let mut romeo = again(&server, "romeo");
    romeo.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    romeo.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>"));
    romeo.send("<message to='juliet@{domain}' type='error'/><r xmlns='urn:xmpp:sm:3'/>");
    romeo.expect("<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

/// §5: "the server SHOULD send a 'conflict' stream error and close that stream".
#[test]
fn a_stream_that_is_still_open_gives_way() {
    let server = TestServer::start();
    let (mut romeo, mut old) = pair(&server);
    let id = old.var("sm");
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    juliet.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    old.expect_stream_error("conflict");
    say(&mut romeo, "one");
    expect_said(&mut juliet, "one");
}

/// §5: the client may bind instead.
#[test]
fn an_unknown_stream_cannot_be_resumed() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = again(&server, "juliet");
    juliet.send("<resume xmlns='urn:xmpp:sm:3' previd='nothing' h='0'/>");
    juliet
        .expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    juliet.bind("balcony");
}

/// §10: only the account it belongs to may resume a session.
#[test]
fn somebody_elses_stream_is_unknown() {
    let server = TestServer::start();
    let (_romeo, juliet) = pair(&server);
    let id = juliet.var("sm");
    let mut romeo = again(&server, "romeo");
    romeo.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    romeo
        .expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
}

/// §5: the count of the resumption is an acknowledgement like any other.
#[test]
fn resuming_with_too_high_a_count_ends_the_stream() {
    let server = TestServer::start();
    let (_romeo, juliet) = pair(&server);
    let id = juliet.var("sm");
    drop(juliet);
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='7'/>"));
    juliet.expect_stream_error("undefined-condition");
}

/// §7: a stream that was closed is over; what was not acknowledged goes on as an offline message (§4).
#[test]
fn an_orderly_end_is_an_end() {
    let server = TestServer::start();
    let (mut romeo, mut juliet) = pair(&server);
    say(&mut romeo, "one");
    expect_said(&mut juliet, "one");
    let id = juliet.var("sm");
    juliet.close();
    let mut juliet = again(&server, "juliet");
    juliet.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    juliet.expect(
        "<failed xmlns='urn:xmpp:sm:3' h='0'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    juliet.bind("balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence from='{juliet}' to='{juliet}'/>");
    expect_said(&mut juliet, "one");
}

/// A client that does not resume but binds its resource anew gets what it had not acknowledged.
#[test]
fn binding_the_same_resource_instead_of_resuming_loses_nothing() {
    let server = TestServer::start();
    let (mut romeo, juliet) = pair(&server);
    say(&mut romeo, "one");
    drop(juliet);
    say(&mut romeo, "two");
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<presence/>");
    juliet.expect("<presence from='{juliet}' to='{juliet}'/>");
    let mut got: Vec<String> = (0..2).map(|_| juliet.next().attr("id").unwrap_or_default().to_owned()).collect();
    got.sort();
    assert_eq!(got, ["one", "two"]);
}
