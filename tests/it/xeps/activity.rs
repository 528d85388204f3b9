//! XEP-0012: how long ago somebody was there, for those who may know.

use super::subscribe;
use crate::support::{Client, TestServer};

const QUERY: &str = "<query xmlns='jabber:iq:last'/>";

/// The seconds and the status.
#[track_caller]
fn ask(client: &mut Client, to: &str) -> (u64, String) {
    client.send(&format!("<iq type='get' id='l' {to}>{QUERY}</iq>"));
    let answer = client.expect("<iq type='result' id='l' any-attrs='true'><one/></iq>");
    let query = answer.find("query", "jabber:iq:last").expect("a query");
    (query.attr("seconds").and_then(|s| s.parse().ok()).expect("seconds"), query.text())
}

#[track_caller]
fn forbidden(client: &mut Client, to: &str) {
    client.send(&format!("<iq type='get' id='l' to='{to}'>{QUERY}</iq>"));
    let error = client.expect_stanza_error("iq", "l", "auth", "forbidden");
    assert_eq!(error.attr("from"), Some(to));
}

/// §5: the uptime. Nobody waits for it to grow here.
#[test]
fn the_server_tells_how_long_it_has_been_up() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    assert!(ask(&mut romeo, "to='im.example'").0 < 3600);
}

/// §3: whoever asks about itself is here.
#[test]
fn the_own_account_is_here() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    assert_eq!(ask(&mut romeo, "").0, 0);
    assert_eq!(ask(&mut romeo, "to='romeo@im.example'").0, 0);
}

/// §3, §4, §8: without a subscription it is forbidden, for a bare and a full address, there or not, existing or not.
#[test]
fn strangers_learn_nothing() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    // The wrong direction is none.
    subscribe(&mut juliet, &mut romeo);
    for to in [
        "juliet@im.example",
        "juliet@im.example/balcony",
        "juliet@im.example/gone",
        "nobody@im.example",
        "nobody@im.example/gone",
    ] {
        forbidden(&mut romeo, to);
    }
    juliet.expect_nothing();
}

/// §3: connected means zero; afterwards the time since, with the last status; never there is not found.
#[test]
fn subscribers_learn_when_somebody_left() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    subscribe(&mut romeo, &mut juliet);
    assert_eq!(ask(&mut romeo, "to='juliet@im.example'"), (0, String::new()));
    juliet.send("<presence type='unavailable'><status>Heading &lt;Home&gt;</status></presence>");
    juliet.sync();
    juliet.close();
    romeo.sync();
    let (seconds, status) = ask(&mut romeo, "to='juliet@im.example'");
    assert!(seconds < 3600);
    assert_eq!(status, "Heading <Home>");
    // A connection that ends without a word has no last words.
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    romeo.sync();
    juliet.close();
    romeo.expect("<presence type='unavailable' from='juliet@im.example/balcony' to='{opt}'><any/></presence>");
    assert_eq!(ask(&mut romeo, "to='juliet@im.example'").1, "");
}

/// §4: to a resource of somebody who allowed it, the client is asked.
#[test]
fn a_full_address_is_asked_itself() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    subscribe(&mut romeo, &mut juliet);
    romeo.send(&format!("<iq type='get' id='l' to='juliet@im.example/balcony'>{QUERY}</iq>"));
    juliet.expect(&format!("<iq type='get' id='l' to='{{jid}}' from='{{romeo}}'>{QUERY}</iq>"));
    juliet.send("<iq type='result' id='l' to='{romeo}'><query xmlns='jabber:iq:last' seconds='123'/></iq>");
    romeo.expect(
        "<iq type='result' id='l' to='{jid}' from='{juliet}'><query xmlns='jabber:iq:last' seconds='123'/></iq>",
    );
}

/// The time of the last logout is kept over a restart.
#[test]
fn the_last_logout_survives_a_restart() {
    let mut server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    subscribe(&mut romeo, &mut juliet);
    juliet.send("<presence type='unavailable'><status>good night</status></presence>");
    juliet.sync();
    juliet.close();
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    assert_eq!(ask(&mut romeo, "to='juliet@im.example'").1, "good night");
}
