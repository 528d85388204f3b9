//! What becomes of messages when requests stop coming, and of sessions that are resumed (XEP-0198).

use super::*;

/// §9: nobody asked for it, so it was not delivered.
#[test]
fn a_message_nobody_fetched_is_kept() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = Session::online(&server, "romeo");
    // He is there for one second more, and no request of his waits.
    romeo.send("pause='1'", "");
    expect_nothing(&mut romeo.http);
    tell(&mut juliet, "romeo@im.example", "later");
    // Acknowledged: by now it is with him, or in the store.
    juliet.sync();
    drop(romeo);
    let mut again = server.login("romeo", "secret", "orchard");
    again.send("<presence/>");
    loop {
        let element = again.next();
        if element.name == "message" {
            check(
                "<message from='juliet@im.example/balcony' to='{any}' type='chat' id='later'><body>later</body><any/></message>",
                &element,
            );
            return;
        }
    }
}

const SM: &str = "urn:xmpp:sm:3";

/// A session begun over TCP goes on over BOSH, and back.
#[test]
fn a_session_goes_on_over_another_link() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut tcp = server.login("romeo", "secret", "orchard");
    tcp.available();
    tcp.send(&format!("<enable xmlns='{SM}' resume='true'/>"));
    tcp.expect(&format!("<enabled xmlns='{SM}' id='{{sm}}' resume='true' max='{{any}}'/>"));
    let id = tcp.var("sm");
    drop(tcp);
    let mut web = Session::begin(&server);
    web.authenticate("romeo");
    let answer = web.ask("", &format!("<resume xmlns='{SM}' previd='{id}' h='0'/>"));
    let resumed = answer.find("resumed", SM).unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(resumed.attr("previd"), Some(id.as_str()));
    tell(&mut juliet, "romeo@im.example/orchard", "one");
    let message = loop {
        let element = web.next();
        if element.name == "message" {
            break element;
        }
    };
    check(&chat("juliet@im.example/balcony", "romeo@im.example/orchard", "one"), &message);
    // Not acknowledged: it comes again.
    let mut tcp = server.connect_tls();
    tcp.open_to_features();
    tcp.authenticate("SCRAM-SHA-256", "romeo", "secret");
    tcp.open_to_features();
    tcp.send(&format!("<resume xmlns='{SM}' previd='{id}' h='0'/>"));
    tcp.expect(&format!("<resumed xmlns='{SM}' previd='{id}' h='{{any}}'/>"));
    tcp.expect(&chat("juliet@im.example/balcony", "romeo@im.example/orchard", "one"));
}

/// The session of BOSH is over, that of XEP-0198 is not.
#[test]
fn what_was_not_acknowledged_survives_the_session() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut web = Session::online(&server, "romeo");
    let answer = web.ask("", &format!("<enable xmlns='{SM}' resume='true'/>"));
    let id = answer
        .find("enabled", SM)
        .and_then(|enabled| enabled.attr("id"))
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    tell(&mut juliet, "romeo@im.example/romeo", "one");
    assert_eq!(web.next().name, "message");
    // A rid out of the window.
    let request = web.numbered(web.rid + 100, "", "");
    post(&mut web.http, &request);
    expect_end(&mut web.http, "item-not-found");
    let mut again = Session::begin(&server);
    again.authenticate("romeo");
    let answer = again.ask("", &format!("<resume xmlns='{SM}' previd='{id}' h='0'/>"));
    again.seen.extend(answer.elements().cloned());
    again.expect(&format!("<resumed xmlns='{SM}' previd='{id}' h='{{any}}'/>"));
    again.expect(&chat("juliet@im.example/balcony", "romeo@im.example/romeo", "one"));
}

/// And a restart of the server: the session of BOSH is gone, that of XEP-0198 goes on.
#[test]
fn a_session_is_resumed_after_a_restart() {
    let mut server = serve(|_| {});
    let mut web = Session::online(&server, "romeo");
    let answer = web.ask("", &format!("<enable xmlns='{SM}' resume='true'/>"));
    let id = answer
        .find("enabled", SM)
        .and_then(|enabled| enabled.attr("id"))
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    server.restart();
    let mut again = Session::begin(&server);
    again.authenticate("romeo");
    let answer = again.ask("", &format!("<resume xmlns='{SM}' previd='{id}' h='0'/>"));
    assert!(answer.find("resumed", SM).is_some(), "{answer:?}");
}
