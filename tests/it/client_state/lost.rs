//! Inactive clients and stream management (§5.2, XEP-0198).

use super::{expect_held, friends, hold, show, shown};
use crate::support::{Client, TestServer};
use std::time::{Duration, Instant};

fn detached(server: &TestServer) {
    let begun = Instant::now();
    let is_detached = || {
        let account = server.server().core().accounts.find("juliet@im.example").expect("in memory");
        account.lock().resources.iter().any(|b| b.is_detached())
    };
    while !is_detached() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn enable(client: &mut Client) {
    client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    client.expect("<enabled xmlns='urn:xmpp:sm:3' id='{sm}' resume='true' max='{any}'/>");
}

fn resume(server: &TestServer, id: &str, h: u32) -> Client {
    let mut client = server.connect_tls();
    client.open_to_features();
    client.authenticate("SCRAM-SHA-256", "juliet", "secret");
    client.open_to_features();
    client.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"));
    client.expect(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{id}' h='{{any}}'/>"));
    client.set_var("jid", "juliet@im.example/balcony");
    client
}

/// What waits was not sent and is not counted.
#[test]
fn what_waits_is_not_counted() {
    let (_server, mut romeo, mut juliet) = friends();
    enable(&mut juliet);
    hold(&mut romeo);
    romeo.send("<message to='{juliet}' type='chat'><body>hi</body></message>");
    expect_held(&mut juliet);
    juliet.expect("<message from='{romeo}' to='{jid}' type='chat'><body>hi</body></message>");
    juliet.expect("<r xmlns='urn:xmpp:sm:3'/>");
    hold(&mut romeo);
    // More than was sent: the presence that waits is not among it.
    juliet.send("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    juliet.expect(
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
         <undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><any/></stream:error>",
    );
}

/// §5.2: a resumed stream is active; what waited, and what came while there was no connection, is there once.
#[test]
fn a_resumed_stream_is_active() {
    for inactive in [true, false] {
        let (server, mut romeo, mut juliet) = friends();
        if !inactive {
            juliet.send("<active xmlns='urn:xmpp:csi:0'/>");
            juliet.expect_nothing();
        }
        enable(&mut juliet);
        if inactive {
            hold(&mut romeo);
        }
        let id = juliet.var("sm");
        drop(juliet);
        detached(&server);
        for word in ["dnd", "away", "xa"] {
            show(&mut romeo, word);
        }
        let mut juliet = resume(&server, &id, 0);
        loop {
            let el = juliet.next();
            if el.name == "presence" {
                assert_eq!(juliet.matches(&shown("xa"), &el), Ok(()));
                break;
            }
            assert_eq!(el.name, "r", "{el:?}");
        }
        for word in ["away", "dnd"] {
            show(&mut romeo, word);
            loop {
                let el = juliet.next();
                if el.name == "presence" {
                    assert_eq!(juliet.matches(&shown(word), &el), Ok(()));
                    break;
                }
                assert_eq!(el.name, "r", "{el:?}");
            }
        }
    }
}
