//! Large answers, and what is removed.

use super::{page, query, server};
use crate::support::TestServer;

/// Many queries at once, from a client that reads only afterwards: all are answered, no outbox overflows.
#[test]
fn results_wait_for_room() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.limits.outbox_bytes_max = 256 * 1024;
        c.limits.bytes_per_second_max = 0;
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    let body = "x".repeat(10_000);
    for n in 0..20 {
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='{n}'><body>{body}</body></message>"));
        romeo.expect_nothing();
        juliet.sync();
    }
    let one = query(&mut juliet, "");
    assert!((1..20).contains(&one.results.len()) && !one.is_complete(), "a page ends before 64 KiB");
    let ask = |n| format!("<iq type='set' id='q{n}'><query xmlns='urn:xmpp:mam:2'/></iq>");
    let all: String = (0..60).map(ask).collect();
    juliet.send(&all);
    let mut results = 0;
    let mut answered = 0;
    while answered < 60 {
        let el = juliet.next();
        match el.name.as_str() {
            "message" => results += 1,
            "iq" => {
                assert_eq!(el.attr("id"), Some(format!("q{answered}").as_str()), "{el:?}");
                answered += 1;
            }
            _ => panic!("{el:?}"),
        }
    }
    assert_eq!(results, 60 * one.results.len());
}

/// An archive read page by page while messages come in has every message once.
#[test]
fn paging_is_complete_while_messages_come() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for n in 0..300 {
        romeo.send(&format!("<message to='juliet@im.example' type='chat'><body>{n}</body></message>"));
    }
    let mut reader = server.login("juliet", "secret", "reader");
    let mut bodies: Vec<String> = Vec::new();
    let mut after = String::new();
    while bodies.len() < 300 {
        let found = query(&mut reader, &page(&format!("<max>40</max>{after}")));
        if let Some(last) = found.ids().last() {
            after = format!("<after>{last}</after>");
        }
        bodies.extend(found.bodies());
    }
    let expected: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(bodies, expected);
    romeo.expect_nothing();
    juliet.sync();
}

/// An account takes its archive with it; its correspondent keeps the own one.
#[test]
fn an_archive_goes_with_its_account() {
    let server = server();
    let (mut romeo, mut juliet) = super::conversation(&server, 3);
    juliet.send("<iq type='set' id='bye' to='im.example'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    juliet.expect("<iq type='result' id='bye' from='{opt}' to='{opt}'/>");
    assert_eq!(query(&mut romeo, "").results.len(), 3);
    let mut juliet = server.online("juliet", "balcony");
    assert_eq!(query(&mut juliet, "").results.len(), 0);
}
