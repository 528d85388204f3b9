//! Full-text search (XEP-0431).

use super::{form, page, query, say, server};
use crate::support::TestServer;

const FIELD: &str = "{urn:xmpp:fulltext:0}fulltext";

/// All words, in any case and with any accent; what came since the last search, too.
#[test]
fn messages_are_found_by_their_words() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for body in ["Good night, good night!", "Parting is such sweet sorrow", "That I shall say good night", "Café"] {
        romeo.send(&format!("<message to='juliet@im.example' type='chat'><body>{body}</body></message>"));
    }
    romeo.expect_nothing();
    juliet.sync();
    let mut search = |words: &str| query(&mut juliet, &form(&[(FIELD, words)])).bodies();
    assert_eq!(search("NIGHT good"), ["Good night, good night!", "That I shall say good night"]);
    assert_eq!(search("cafe"), ["Café"]);
    assert_eq!(search("good sorrow"), [""; 0]);
    assert_eq!(search("night\" OR \"sorrow"), [""; 0]);
    assert_eq!(search("such*"), ["Parting is such sweet sorrow"]);
    assert_eq!(search("").len(), 4);
    say(&mut romeo, "juliet@im.example", "tomorrow");
    juliet.sync();
    let mut search = |inside: &str| query(&mut juliet, inside).bodies();
    assert_eq!(search(&form(&[(FIELD, "tomorrow")])), ["tomorrow"]);
    let last = form(&[(FIELD, "night"), ("with", "romeo@im.example")]) + &page("<max>1</max><before/>");
    assert_eq!(search(&last), ["That I shall say good night"]);
    assert_eq!(search(&form(&[(FIELD, "night"), ("with", "nurse@im.example")])), [""; 0]);
}

/// What another account's archive contains is not found.
#[test]
fn a_search_ends_at_the_own_archive() {
    let server = server();
    let (mut romeo, mut juliet) = super::conversation(&server, 2);
    let mut nurse = server.online("nurse", "chamber");
    say(&mut nurse, "juliet@im.example", "secret");
    juliet.sync();
    assert_eq!(query(&mut juliet, &form(&[(FIELD, "secret")])).bodies(), ["secret"]);
    assert_eq!(query(&mut romeo, &form(&[(FIELD, "secret")])).bodies(), [""; 0]);
}

/// A long archive is indexed in several attempts.
#[test]
fn a_search_does_no_more_than_its_limit() {
    let server = TestServer::with(|c| {
        c.archive.enabled = true;
        c.limits.archive_indexed_per_search_max = 500;
    });
    let mut romeo = server.online("romeo", "orchard");
    let mut juliet = server.online("juliet", "balcony");
    for n in 0..600 {
        romeo.send(&format!("<message to='juliet@im.example' type='chat'><body>word{n}</body></message>"));
    }
    romeo.expect_nothing();
    juliet.sync();
    let search = form(&[(FIELD, "word599")]);
    juliet.send(&format!("<iq type='set' id='s'><query xmlns='urn:xmpp:mam:2'>{search}</query></iq>"));
    juliet.expect_stanza_error("iq", "s", "wait", "resource-constraint");
    assert_eq!(query(&mut juliet, &search).bodies(), ["word599"]);
}
