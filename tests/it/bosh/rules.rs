//! What a client may not do (XEP-0124 §10 to §16).

use super::*;
use sha1::{Digest, Sha1};
use std::time::Duration;

/// §13.3.
#[test]
fn a_repeated_request_gets_the_same_answer() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let request = romeo.request("", ping);
    post(&mut romeo.http, &request);
    let first = romeo.http.answer();
    assert!(first.text().contains("id='p'"), "{first:?}");
    for _ in 0..3 {
        let mut again = Http::plain(&server);
        post(&mut again, &request);
        assert_eq!(again.answer().body, first.body);
    }
    romeo.sync();
}

/// §13.3: the connection breaks while the request is held; what comes meanwhile waits for the next one.
#[test]
fn what_comes_between_two_connections_is_not_lost() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = Session::online(&server, "romeo");
    drop(romeo.held(&server));
    let request = romeo.numbered(romeo.rid, "", SILENT);
    // That the connection is gone may not even be known yet: then the answer goes there, and is given again.
    tell(&mut juliet, "romeo@im.example/romeo", "hello");
    post(&mut romeo.http, &request);
    let answer = body(&mut romeo.http);
    check(&chat("juliet@im.example/balcony", "romeo@im.example/romeo", "hello"), answer.elements().next().unwrap());
}

/// §13.3: the older one is told to ask again, the newer one gets the answer.
#[test]
fn a_repeated_request_takes_the_place_of_one_that_waits() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    let mut romeo = Session::online(&server, "romeo");
    let request = romeo.request("", "");
    let (mut older, mut newer) = (Http::plain(&server), Http::plain(&server));
    post(&mut older, &request);
    // It is there when a request behind it is answered: two are never held.
    let mut third = Http::plain(&server);
    post(&mut third, &romeo.request("", SILENT));
    expect_nothing(&mut older);
    let request = romeo.numbered(romeo.rid, "", SILENT);
    post(&mut newer, &request);
    assert_eq!(body(&mut third).attr("type"), Some("error"));
    tell(&mut juliet, "romeo@im.example/romeo", "hello");
    assert!(body(&mut newer).raw.contains("hello"));
}

/// §13.2.
#[test]
fn requests_out_of_order_are_heard_in_order() {
    let server = serve(|_| {});
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.available();
    let mut romeo = Session::online(&server, "romeo");
    let message = |text: &str| {
        format!(
            "<message xmlns='jabber:client' to='juliet@im.example' type='chat' id='{text}'><body>{text}</body></message>"
        )
    };
    let (first, second) = (romeo.request("", &message("1")), romeo.request("", &message("2")));
    let mut other = Http::plain(&server);
    post(&mut other, &second);
    post(&mut romeo.http, &first);
    expect_nothing(&mut romeo.http);
    for text in ["1", "2"] {
        let from = "romeo@im.example/romeo";
        juliet.expect(&format!(
            "<message from='{from}' to='juliet@im.example' type='chat' id='{text}' xml:lang='en'><body>{text}</body><any/></message>"
        ));
    }
}

/// §13.2, §13.3: the same for one that is too large and one that is too small.
#[test]
fn a_rid_out_of_the_window_ends_the_session() {
    let server = serve(|_| {});
    for rid in [FIRST + 50, FIRST] {
        let mut romeo = Session::login(&server, "romeo");
        let request = romeo.numbered(rid, "", "");
        post(&mut romeo.http, &request);
        expect_end(&mut romeo.http, "item-not-found");
        romeo.send("", "");
        expect_end(&mut romeo.http, "item-not-found");
    }
}

/// §13.3: the connection may break while the last answer is on its way.
#[test]
fn the_end_can_be_heard_again() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let (said, over) = (romeo.request("", ping), romeo.request("type='terminate'", ""));
    let mut answers = Vec::new();
    for _ in 0..2 {
        for request in [&said, &over] {
            post(&mut romeo.http, request);
            answers.push(body(&mut romeo.http).raw);
        }
    }
    assert!(answers[0].contains("id='p'") && answers[1].contains("type='terminate'"), "{answers:?}");
    assert_eq!(answers[..2], answers[2..]);
    romeo.send("", "");
    expect_end(&mut romeo.http, "item-not-found");
}

/// §16.2: who waited hears that it was not he.
#[test]
fn whoever_waits_hears_that_the_session_is_over() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    romeo.send("", "");
    let request = romeo.numbered(romeo.rid + 90, "", "");
    let mut other = Http::plain(&server);
    // In its turn: a session has no two first requests.
    post(&mut other, &romeo.numbered(romeo.rid + 1, "", SILENT));
    expect_nothing(&mut romeo.http);
    post(&mut romeo.http, &request);
    expect_end(&mut romeo.http, "item-not-found");
    expect_end(&mut other, "other-request");
}

/// §16.2.
#[test]
fn a_session_nobody_knows_is_not_found() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    post(&mut http, &format!("<body xmlns='{BOSH}' rid='1' sid='nothing'/>"));
    expect_end(&mut http, "item-not-found");
}

/// §10: an empty request beside one that is held asks for nothing new. §11: so does a second empty one.
#[test]
fn asking_too_often_ends_the_session() {
    let server = serve(|c| c.http.bosh_polling_seconds = Duration::from_secs(3_600));
    let mut romeo = Session::begin(&server);
    let (one, two) = (romeo.request("", ""), romeo.request("", ""));
    post(&mut romeo.http, &one);
    let mut other = Http::plain(&server);
    post(&mut other, &two);
    let ends = [body(&mut romeo.http), body(&mut other)];
    let mut conditions: Vec<_> = ends.iter().filter_map(|end| end.attr("condition")).collect();
    conditions.sort_unstable();
    assert_eq!(conditions, ["other-request", "policy-violation"]);
    let (mut poller, _) = Session::begin_on(Http::plain(&server), "ver='1.11' wait='0' hold='0'");
    poller.send("", "");
    expect_nothing(&mut poller.http);
    poller.send("", "");
    expect_end(&mut poller.http, "policy-violation");
}

/// §9.
#[test]
fn a_pause_that_is_too_long_ends_the_session() {
    let server = serve(|_| {});
    let mut romeo = Session::begin(&server);
    romeo.send("pause='121'", "");
    expect_end(&mut romeo.http, "policy-violation");
}

fn hashed(text: &str) -> String {
    Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// §14.
#[test]
fn keys_keep_strangers_out() {
    let server = serve(|_| {});
    let mut keys = vec![hashed("seed")];
    for n in 0..3 {
        keys.push(hashed(&keys[n]));
    }
    let (mut romeo, _) =
        Session::begin_on(Http::plain(&server), &format!("{USUAL} newkey='{}'", keys[3].to_uppercase()));
    let nonsense = "<x xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>";
    let answer = romeo.ask(&format!("key='{}'", keys[2]), auth);
    assert!(answer.raw.contains("failure"), "{answer:?}");
    let answer = romeo.ask(&format!("key='{}' newkey='{}'", keys[1], hashed("other")), auth);
    assert!(answer.raw.contains("failure"), "{answer:?}");
    let key = hashed(&hashed("no key of it"));
    romeo.send(&format!("key='{key}'"), nonsense);
    expect_end(&mut romeo.http, "item-not-found");
    let (mut romeo, _) = Session::begin_on(Http::plain(&server), &format!("{USUAL} newkey='{}'", keys[3]));
    romeo.send("", auth);
    expect_end(&mut romeo.http, "item-not-found");
}

/// §15: one stream, without a name.
#[test]
fn further_streams_are_none() {
    let server = serve(|_| {});
    let mut romeo = Session::login(&server, "romeo");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    // §15.3: a request for another one is a request for what there is.
    let mut other = Http::plain(&server);
    post(&mut other, &romeo.request("to='other.example' stream='x'", ""));
    romeo.send("", ping);
    assert!(body(&mut other).raw.contains("id='p'"));
    post(&mut other, &romeo.request("stream='x'", "<presence xmlns='jabber:client'/>"));
    expect_end(&mut other, "item-not-found");
    expect_end(&mut romeo.http, "other-request");
}

/// §7, §16.2, and the domain (RFC 6120 §4.9.3.6).
#[test]
fn a_session_that_cannot_begin() {
    let server = serve(|c| c.domains.push("other.example".into()));
    let mut http = Http::plain(&server);
    let begin = |attributes: &str| format!("<body xmlns='{BOSH}' ver='1.11' wait='60' hold='1' {attributes}/>");
    let rows = [
        ("rid='5' to='nowhere.example'", "host-unknown"),
        ("rid='5' to='@'", "host-unknown"),
        ("rid='5'", "improper-addressing"),
        ("rid='5' to=''", "improper-addressing"),
        ("to='im.example'", "bad-request"),
        ("rid='9007199254740992' to='im.example'", "bad-request"),
        ("rid='5' to='im.example' newkey='short'", "bad-request"),
        ("rid='5' to='im.example' content='text/xml&#10;X-Evil: 1'", "bad-request"),
        ("rid='5' to='im.example' from='romeo@nowhere.example'", "remote-stream-error"),
    ];
    for (attributes, condition) in rows {
        post(&mut http, &begin(attributes));
        expect_end(&mut http, condition);
    }
}

/// §6: nothing but whole elements.
#[test]
fn what_is_no_body_is_refused() {
    let server = serve(|_| {});
    let mut http = Http::plain(&server);
    let wrapped = |inside: &str| format!("<body xmlns='{BOSH}' rid='5' to='{DOMAIN}'>{inside}</body>");
    let rows = [
        String::new(),
        "nonsense".into(),
        format!("<html rid='5' to='{DOMAIN}'/>"),
        wrapped("<!-- hello -->"),
        wrapped("text"),
        wrapped("<?php ?>"),
        wrapped("<message>"),
        wrapped("&lol;"),
        format!("<!DOCTYPE body [<!ENTITY lol 'lol'>]>{}", wrapped("")),
        wrapped("<x:y/>"),
    ];
    for row in rows {
        post(&mut http, &row);
        expect_end(&mut http, "bad-request");
    }
    post(&mut http, &wrapped(&("<a>".repeat(200) + &"</a>".repeat(200))));
    expect_end(&mut http, "policy-violation");
}

/// §16.1: a client that says no version knows no conditions.
#[test]
fn an_old_client_gets_errors_of_http() {
    let server = serve(|_| {});
    let (mut romeo, created) = Session::begin_on(Http::plain(&server), "wait='60' hold='1'");
    assert_eq!(created.attr("ver"), None);
    let request = romeo.numbered(FIRST + 9, "", "");
    post(&mut romeo.http, &request);
    assert_eq!(romeo.http.answer().status, 404);
    let (mut romeo, _) = Session::begin_on(Http::plain(&server), "wait='60' hold='1'");
    romeo.send("pause='9999'", "");
    assert_eq!(romeo.http.answer().status, 403);
    post(&mut romeo.http, &format!("<body xmlns='{BOSH}' rid='5' to='{DOMAIN}' newkey='x'/>"));
    assert_eq!(romeo.http.answer().status, 400);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let server = serve(|c| c.http.bosh_body_bytes_max = 300_000);
    let mut http = Http::plain(&server);
    http.send(format!("POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 300001\r\n\r\n"));
    expect_end(&mut http, "policy-violation");
    let mut romeo = Session::begin(&server);
    // As long as it may be, and too long for somebody who is not logged in.
    romeo.send("", &format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>", "x".repeat(20_000)));
    expect_end(&mut romeo.http, "remote-stream-error");
}

/// Sessions of an address are limited like connections; they are many for one HTTP connection.
#[test]
fn sessions_of_an_address_are_limited() {
    let server = serve(|c| {
        c.limits.exempt_addresses.clear();
        c.limits.connections_per_address_max = 3;
    });
    let mut http = Http::plain(&server);
    for _ in 0..2 {
        post(&mut http, &creation(USUAL));
        assert!(body(&mut http).attr("sid").is_some());
    }
    post(&mut http, &creation(USUAL));
    expect_end(&mut http, "policy-violation");
}
