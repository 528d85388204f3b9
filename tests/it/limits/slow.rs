//! Clients that read too slowly or write too fast.

use std::time::{Duration, Instant};

use crate::support::xml::Event;
use crate::support::{Client, TestServer};

fn headline(to: &str, bytes: usize) -> Vec<u8> {
    format!("<message to='{to}' type='headline'><body>{}</body></message>", "x".repeat(bytes)).into_bytes()
}

/// Whatever was on its way, then this stream error, then the end.
#[track_caller]
fn read_to_stream_error(client: &mut Client, condition: &str) {
    client.may_be_cut = true;
    loop {
        match client.next_event() {
            Some(Event::Element(el)) if el.is("error", "http://etherx.jabber.org/streams") => {
                assert_eq!(el.elements().next().map(|el| &*el.name), Some(condition), "{el:?}");
                return client.expect_closed();
            }
            Some(Event::Element(_)) => {}
            // Where a stanza is under way, or may be (TLS), nothing can be said any more.
            None => return,
            other => client.fail(&format!("wanted the stream error {condition}, got {other:?}")),
        }
    }
}

/// A conversation of two others.
#[track_caller]
fn chat(one: &mut Client, other: &mut Client, count: usize) {
    for n in 0..count {
        for (from, to) in [(0, 1), (1, 0)] {
            let pair = [&mut *one, &mut *other];
            let address = pair[to].jid.clone().unwrap();
            pair[from].send(&format!("<message to='{address}' type='chat' id='{n}'><body>hi</body></message>"));
            pair[to].expect(&format!(
                "<message to='{{jid}}' type='chat' id='{n}' from='{{any}}'><body>hi</body></message>"
            ));
        }
    }
    one.expect_nothing();
    other.expect_nothing();
}

/// RFC 6120 §13.12, §4.9.3.14: above `outbox_bytes_max` the client is cut off and told why; its contacts see it go, the
/// others do not notice.
#[test]
fn a_slow_reader_is_cut_off_by_bytes() {
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 100_000;
        c.limits.close_seconds_max = Duration::from_secs(60);
    });
    let mut watcher = server.online("juliet", "watcher");
    let mut slow = server.login("juliet", "secret", "slow");
    slow.available();
    watcher.sync();
    let (mut romeo, mut nurse, mut tybalt) =
        (server.online("romeo", "orchard"), server.online("nurse", "kitchen"), server.online("tybalt", "street"));
    let text = headline("juliet@im.example/slow", 50_000);
    // Some megabytes fit into the sockets.
    for _ in 0..400 {
        romeo.send_bytes(&text);
    }
    chat(&mut nurse, &mut tybalt, 20);
    watcher.expect("<presence type='unavailable' from='juliet@im.example/slow' to='{jid}'/>");
    romeo.expect_nothing();
    chat(&mut nurse, &mut romeo, 20);
    read_to_stream_error(&mut slow, "policy-violation");
    // It may come again at once.
    let mut slow = server.login("juliet", "secret", "slow");
    slow.available();
    slow.expect_nothing();
}

/// The same by number: many small stanzas.
#[test]
fn a_slow_reader_is_cut_off_by_stanzas() {
    let server = TestServer::with(|c| {
        c.limits.outbox_stanzas_max = 200;
        c.limits.close_seconds_max = Duration::from_secs(60);
    });
    let mut slow = server.online("juliet", "slow");
    let mut romeo = server.online("romeo", "orchard");
    let large = headline("juliet@im.example/slow", 200_000);
    for _ in 0..100 {
        romeo.send_bytes(&large);
    }
    for _ in 0..20 {
        romeo.send_bytes(&headline("juliet@im.example/slow", 1).repeat(100));
    }
    romeo.expect_nothing();
    read_to_stream_error(&mut slow, "policy-violation");
}

/// `write_stall_seconds_max`: within its bounds, but nothing moves (RFC 6120 §4.9.3.4).
#[test]
fn a_client_that_takes_nothing_is_cut_off_after_a_while() {
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 1 << 30;
        c.limits.outbox_stanzas_max = 1_000_000;
        c.limits.write_stall_seconds_max = Duration::from_secs(1);
        c.limits.close_seconds_max = Duration::from_secs(60);
    });
    let mut watcher = server.online("juliet", "watcher");
    let mut slow = server.login("juliet", "secret", "slow");
    slow.available();
    watcher.sync();
    let mut romeo = server.online("romeo", "orchard");
    let text = headline("juliet@im.example/slow", 200_000);
    for _ in 0..100 {
        romeo.send_bytes(&text);
    }
    romeo.expect_nothing();
    watcher.expect("<presence type='unavailable' from='juliet@im.example/slow' to='{jid}'/>");
    read_to_stream_error(&mut slow, "connection-timeout");
}

/// Reading slowly is not reading nothing: as long as something moves, nobody is cut off.
#[test]
fn a_client_that_reads_a_little_at_a_time_stays() {
    let server = TestServer::with(|c| {
        c.limits.outbox_bytes_max = 1 << 30;
        c.limits.outbox_stanzas_max = 1_000_000;
        c.limits.write_stall_seconds_max = Duration::from_secs(2);
    });
    let mut slow = server.online("juliet", "slow");
    let mut romeo = server.online("romeo", "orchard");
    let text = headline("juliet@im.example/slow", 200_000);
    for _ in 0..100 {
        romeo.send_bytes(&text);
    }
    romeo.expect_nothing();
    // Other clients' work is the clock here: in all it takes longer than the limit, between two reads it does not.
    let begin = Instant::now();
    for n in 0..100 {
        slow.expect("<message type='headline' any-attrs='true'><any/></message>");
        while begin.elapsed() < Duration::from_millis(50) * n {
            romeo.expect_nothing();
        }
    }
    slow.expect_nothing();
}

/// `bytes_per_second_max` above `bytes_burst_max`: whoever floods is read more slowly, loses nothing, and is the only one.
#[test]
fn a_flood_slows_its_sender_only() {
    const COUNT: usize = 60;
    let server = TestServer::with(|c| {
        c.limits.bytes_per_second_max = 40_000;
        c.limits.bytes_burst_max = 10_000;
        c.limits.exempt_addresses.clear();
    });
    let (mut romeo, mut juliet, mut nurse, mut tybalt) = (
        server.online("romeo", "orchard"),
        server.online("juliet", "balcony"),
        server.online("nurse", "kitchen"),
        server.online("tybalt", "street"),
    );
    let message = |n| {
        format!("<message to='juliet@im.example' type='chat' id='{n}'><body>{}</body></message>", "x".repeat(1_000))
    };
    let flood: String = (0..COUNT).map(message).collect();
    let begin = Instant::now();
    romeo.send_bytes(flood.as_bytes());
    chat(&mut nurse, &mut tybalt, 5);
    for n in 0..COUNT {
        juliet
            .expect(&format!("<message to='juliet@im.example' type='chat' id='{n}' from='{{romeo}}'><any/></message>"));
    }
    // Not a bound on the server's speed but on its slowness: it cannot have been read in less. One read may be free.
    let least = Duration::from_millis(((flood.len() - 10_000 - 33_000) * 1000 / 40_000) as u64);
    assert!(begin.elapsed() >= least, "{:?} for {} bytes", begin.elapsed(), flood.len());
    romeo.expect_nothing();
    juliet.expect_nothing();
}

/// Loopback is exempt unless told otherwise; zero means no bound.
#[test]
fn the_exempt_are_not_slowed() {
    for exempt in [true, false] {
        let server = TestServer::with(|c| {
            c.limits.bytes_per_second_max = if exempt { 1 } else { 0 };
            c.limits.bytes_burst_max = 1;
            if !exempt {
                c.limits.exempt_addresses.clear();
            }
        });
        let mut juliet = server.online("juliet", "balcony");
        let mut romeo = server.online("romeo", "orchard");
        chat(&mut romeo, &mut juliet, 5);
    }
}

/// RFC 6120 §13.12, §4.9.3.14: of every kind; nothing of it is delivered, what came before is.
#[test]
fn a_stanza_too_large_ends_the_stream() {
    let server = TestServer::with(|c| c.limits.stanza_bytes_max = 10_000);
    let mut juliet = server.online("juliet", "balcony");
    server.account("romeo", "secret");
    let large = "x".repeat(10_000);
    for stanza in [
        format!("<message to='juliet@im.example'><body>{large}</body></message>"),
        format!("<presence to='juliet@im.example'><status>{large}</status></presence>"),
        format!("<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>{large}</FN></vCard></iq>"),
    ] {
        let mut romeo = server.login("romeo", "secret", "orchard");
        romeo.send("<message to='juliet@im.example' id='1'/>");
        romeo.send_bytes_if_open(stanza.as_bytes());
        romeo.send_bytes_if_open(b"<message to='juliet@im.example' id='2'/>");
        romeo.expect_stream_error("policy-violation");
        juliet.expect("<message to='juliet@im.example' id='1' from='romeo@im.example/orchard'/>");
    }
    juliet.expect_nothing();
}
