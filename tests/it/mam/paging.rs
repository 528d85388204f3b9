//! Pages (XEP-0313 §4.3, XEP-0059).

use super::{conversation, form, numbers, page, query, server};
use crate::support::TestServer;

/// §4.3.2: forwards, page by page, until it is complete.
#[test]
fn forwards_page_by_page() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 7);
    let first = query(&mut romeo, &page("<max>3</max>"));
    assert_eq!((first.bodies(), first.is_complete()), (numbers(1..=3), false));
    assert_eq!(first.set("first").as_ref(), first.ids().first());
    assert_eq!(first.set("last").as_ref(), first.ids().last());
    assert_eq!(first.set("count"), None, "counting would cost");
    let second = query(&mut romeo, &page(&format!("<max>3</max><after>{}</after>", first.ids()[2])));
    assert_eq!((second.bodies(), second.is_complete()), (numbers(4..=6), false));
    let third = query(&mut romeo, &page(&format!("<max>3</max><after>{}</after>", second.ids()[2])));
    assert_eq!((third.bodies(), third.is_complete()), (numbers(7..=7), true));
    let end = query(&mut romeo, &page(&format!("<after>{}</after>", third.ids()[0])));
    assert_eq!((end.results.len(), end.is_complete(), end.set("first")), (0, true, None));
    let exact = query(&mut romeo, &page("<max>7</max>"));
    assert_eq!((exact.results.len(), exact.is_complete(), exact.set("count").as_deref()), (7, true, Some("7")));
}

/// §4.3.3: the last page, then those before it; each in the order of time.
#[test]
fn backwards_page_by_page() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 7);
    let last = query(&mut romeo, &page("<max>3</max><before/>"));
    assert_eq!((last.bodies(), last.is_complete()), (numbers(5..=7), false));
    let before = query(&mut romeo, &page(&format!("<max>4</max><before>{}</before>", last.ids()[0])));
    assert_eq!((before.bodies(), before.is_complete()), (numbers(1..=4), true));
}

/// §4.3.4: newest first, with the same ends.
#[test]
fn a_page_can_be_flipped() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 5);
    let flipped = query(&mut romeo, &(page("<max>3</max><before/>") + "<flip-page/>"));
    assert_eq!(flipped.bodies(), ["5", "4", "3"]);
    assert_eq!(flipped.set("first").as_ref(), flipped.ids().last());
    assert_eq!(flipped.set("last").as_ref(), flipped.ids().first());
}

/// XEP-0059 §2.7.
#[test]
fn a_page_of_nothing_counts() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 5);
    let count = query(&mut romeo, &page("<max>0</max>"));
    assert_eq!((count.results.len(), count.set("count").as_deref(), count.is_complete()), (0, Some("5"), false));
    let with = form(&[("with", "nobody@im.example")]) + &page("<max>0</max>");
    assert_eq!(query(&mut romeo, &with).set("count").as_deref(), Some("0"));
}

/// §4.3.1: the server's limits, whatever the client wants.
#[test]
fn a_page_has_limits() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.archive.page_messages = 2;
        c.limits.archive_page_messages_max = 4;
    });
    let (mut romeo, _juliet) = conversation(&server, 6);
    assert_eq!(query(&mut romeo, "").bodies(), numbers(1..=2));
    let most = query(&mut romeo, &page("<max>100</max>"));
    assert_eq!((most.bodies(), most.is_complete()), (numbers(1..=4), false));
}

/// §4.1.3, §4.3.2: what is not there, and what cannot be done.
#[test]
fn wrong_pages_are_refused() {
    let server = server();
    let (mut romeo, mut juliet) = conversation(&server, 2);
    let of_juliet = query(&mut juliet, "").ids()[0].clone();
    let rows = [
        (page("<after>1</after>"), "cancel", "item-not-found"),
        (page(&format!("<after>{of_juliet}</after>")), "cancel", "item-not-found"),
        (page("<before>09af3-cc343-b409f</before>"), "cancel", "item-not-found"),
        (page("<max>many</max>"), "modify", "bad-request"),
        (page("<index>1</index>"), "cancel", "feature-not-implemented"),
    ];
    for (n, (set, kind, condition)) in rows.iter().enumerate() {
        romeo.send(&format!("<iq type='set' id='{n}'><query xmlns='urn:xmpp:mam:2'>{set}</query></iq>"));
        romeo.expect_stanza_error("iq", &n.to_string(), kind, condition);
    }
}

/// §5.
#[test]
fn metadata_tell_the_ends() {
    let server = server();
    let (mut romeo, mut juliet) = conversation(&server, 3);
    let ids = query(&mut romeo, "").ids();
    romeo.set_var("first", &ids[0]);
    romeo.set_var("last", &ids[2]);
    romeo.send("<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
    romeo.expect(
        "<iq type='result' id='m' from='{opt}' to='{opt}'><metadata xmlns='urn:xmpp:mam:2'>\
         <start id='{first}' timestamp='{any}Z'/><end id='{last}' timestamp='{any}Z'/></metadata></iq>",
    );
    juliet.close();
    juliet = server.online("nurse", "chamber");
    juliet.send("<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
    juliet.expect("<iq type='result' id='m' from='{opt}' to='{opt}'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
}
