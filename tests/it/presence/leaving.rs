//! Becoming unavailable (RFC 6121 §4.5): said, or only noticed.

use super::friends;
use crate::support::contacts::presences;
use crate::support::{TestServer, settle};

/// RFC 6121 §4.5.2: the client's own words, status included, once.
#[test]
fn explicit_unavailable_presence_is_broadcast() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<presence type='unavailable' id='u'><status>Parting is such sweet sorrow</status></presence>");
    romeo.sync();
    juliet.expect(
        "<presence type='unavailable' id='u' from='{romeo}' to='juliet@im.example'>\
         <status>Parting is such sweet sorrow</status></presence>",
    );
    romeo.close();
    juliet.sync();
    juliet.expect_nothing();
}

/// RFC 6121 §4.5.1: saying so and closing at once are the usual way out.
#[test]
fn unavailable_and_close_in_one_breath() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<presence type='unavailable'><status>bye</status></presence>");
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'><status>bye</status></presence>");
    juliet.expect_nothing();
}

/// RFC 6121 §4.5.4 (and §4.5.2): the server says it for a client that closed its stream without a word.
#[test]
fn a_closed_stream_makes_unavailable() {
    let (server, romeo, mut juliet) = friends();
    let mut garden = server.present("romeo", "garden");
    juliet.expect("<presence from='{romeo/garden}' to='juliet@im.example'/>");
    romeo.close();
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
    garden.expect("<presence type='unavailable' from='{romeo/orchard}' to='{jid}'/>");
    settle(&mut garden, &mut juliet);
}

/// RFC 6121 §4.5.4: the same when the connection just ends, with a TCP FIN or a reset.
#[test]
fn a_broken_connection_makes_unavailable() {
    for reset in [false, true] {
        let (_server, romeo, mut juliet) = friends();
        if reset {
            romeo.send_and_reset("");
        } else {
            drop(romeo);
        }
        juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
        juliet.expect_nothing();
    }
}

/// RFC 6120 §4.9: a stream error ends presence like any other end.
#[test]
fn a_stream_error_makes_unavailable() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<bogus xmlns='urn:example'/>");
    romeo.expect_stream_error("unsupported-stanza-type");
    juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
    juliet.expect_nothing();
}

/// RFC 6120 §7.7.2.2: a resource that is taken over is unavailable until its new session says otherwise.
#[test]
fn a_replaced_resource_becomes_unavailable() {
    let (server, mut old, mut juliet) = friends();
    let mut new = server.login("romeo", "secret", "orchard");
    old.expect_stream_error("conflict");
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
    settle(&mut new, &mut juliet);
    new.send("<presence/>");
    new.sync();
    juliet.expect("<presence from='{romeo/orchard}' to='juliet@im.example'/>");
    juliet.expect_nothing();
    new.close();
    juliet.expect("<presence type='unavailable' from='{romeo/orchard}' to='juliet@im.example'/>");
}

/// RFC 6121 §4.5.2: whoever is gone gets nothing any more, and a login finds nobody.
#[test]
fn the_unavailable_neither_see_nor_are_seen() {
    let (server, mut romeo, mut juliet) = friends();
    romeo.send("<presence type='unavailable'/>");
    romeo.sync();
    juliet.sync();
    juliet.send("<presence><show>away</show></presence>");
    juliet.sync();
    romeo.expect_nothing();
    let mut chamber = server.login("juliet", "secret", "chamber");
    assert_eq!(presences(&chamber.available(), "").len(), 2, "Juliet's own");
    romeo.expect_nothing();
}

/// RFC 6121 §4.5.2: the session lives on, and may come back.
#[test]
fn an_unavailable_session_may_come_back() {
    let (_server, mut romeo, mut juliet) = friends();
    for _ in 0..3 {
        romeo.send("<presence type='unavailable'/><presence/>");
        romeo.sync();
        juliet.expect("<presence type='unavailable' from='{romeo}' to='juliet@im.example'/>");
        juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    }
}

/// RFC 6121 §4.5: a stop of the server takes everybody offline; nobody is a ghost afterwards.
#[test]
fn nobody_is_online_after_a_restart() {
    let mut server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    drop((server.present("romeo", "orchard"), server.present("juliet", "balcony")));
    server.restart();
    let mut juliet = server.login("juliet", "secret", "balcony");
    assert_eq!(presences(&juliet.available(), "").len(), 1);
}
