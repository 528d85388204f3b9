//! In-order processing (RFC 6120 §10.1): between two parties nothing overtakes anything.

use crate::support::xml::El;
use crate::support::{Client, TestServer};

/// `count` messages as one piece of input.
fn burst(to: &str, from: usize, count: usize) -> Vec<u8> {
    let message = |n| format!("<message to='{to}' type='chat' id='{n}'><body>message {n}</body></message>");
    (from..from + count).map(message).collect::<String>().into_bytes()
}

/// The ids of messages, as numbers.
fn numbers(got: &[El]) -> Vec<usize> {
    let messages = got.iter().filter(|el| el.name == "message");
    messages.map(|el| el.attr("id").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{el:?}"))).collect()
}

#[track_caller]
fn expect_numbers(client: &mut Client, count: usize) {
    let got: Vec<El> = (0..count).map(|_| client.next()).collect();
    assert!(numbers(&got).into_iter().eq(0..count), "out of order: {:?}", numbers(&got));
    client.expect_nothing();
}

#[test]
fn thousands_of_messages_each_way_keep_their_order() {
    const COUNT: usize = 3000;
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            juliet.send_bytes(&burst("romeo@im.example", 0, COUNT));
            expect_numbers(&mut juliet, COUNT);
        });
        romeo.send_bytes(&burst("juliet@im.example/balcony", 0, COUNT));
        expect_numbers(&mut romeo, COUNT);
    });
}

/// Bare and full address, with and without a match: one order.
#[test]
fn the_form_of_the_address_does_not_matter() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    let forms = ["juliet@im.example", "juliet@im.example/balcony", "juliet@im.example/gone"];
    let bytes: Vec<u8> = (0..300).flat_map(|n| burst(forms[n % 3], n, 1)).collect();
    romeo.send_bytes(&bytes);
    expect_numbers(&mut juliet, 300);
}

/// To oneself as well, answers of the server in between: an IQ answer comes behind what was sent before it.
#[test]
fn answers_do_not_overtake_messages() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let mut input = Vec::new();
    for n in 0..200 {
        input.extend(burst("romeo@im.example", n, 1));
        input.extend(format!("<iq type='get' id='{n}' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>").bytes());
    }
    romeo.send_bytes(&input);
    for n in 0..200 {
        romeo.expect(&format!("<message to='romeo@im.example' from='{{jid}}' type='chat' id='{n}'><any/></message>"));
        romeo.expect(&format!("<iq type='result' id='{n}' from='im.example' to='{{jid}}'/>"));
    }
    romeo.expect_nothing();
}

/// Available and unavailable by turns: some are delivered, some kept, all arrive in order.
#[test]
fn order_survives_changes_of_presence() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    for round in 0..10 {
        romeo.send_bytes(&burst("juliet@im.example", round * 30, 30));
        juliet.send("<presence type='unavailable'/><presence/>");
    }
    romeo.expect_nothing();
    let mut seen = Vec::new();
    while seen.len() < 300 {
        seen.extend(numbers(&juliet.sync()));
    }
    assert!(seen.iter().copied().eq(0..300), "{seen:?}");
    juliet.send("<presence type='unavailable'/><presence/>");
    assert!(numbers(&juliet.sync()).is_empty());
}
