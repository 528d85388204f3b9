//! Retrieving the roster (RFC 6121 §2.1.3, §2.1.4), and that it survives.

use magpie::storage::RosterRow;

use crate::support::TestServer;
use crate::support::contacts::{STATES, item};

/// RFC 6121 §2.1.4: an empty roster is an empty query, not an error.
#[test]
fn an_empty_roster_is_an_empty_query() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    romeo.expect("<iq type='result' id='r' to='{jid}' from='{opt}'><query xmlns='jabber:iq:roster' ver='{opt}'/></iq>");
    romeo.expect_nothing();
}

/// RFC 6120 §10.3.3: a request to the own bare JID is one to the server on behalf of the account.
#[test]
fn the_own_bare_jid_may_be_named() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server.contact("romeo", "juliet", "To");
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send("<iq type='get' id='r' to='Romeo@IM.example'><query xmlns='jabber:iq:roster'/></iq>");
    romeo.expect(
        "<iq type='result' id='r' to='{jid}' from='romeo@im.example'><query xmlns='jabber:iq:roster' ver='{opt}'>\
         <item jid='juliet@im.example' subscription='to'/></query></iq>",
    );
}

/// RFC 6121 §2.1.2: name, groups, `subscription`, `ask`, `approved` of every item.
#[test]
fn items_have_all_their_attributes() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let row = RosterRow {
        contact: "juliet@im.example".into(),
        name: Some("O <\"Juliet\"> & 'co'".into()),
        subscription: 2,
        ask: true,
        in_roster: true,
        groups: vec!["Friends".into(), "<Capulet> & sons".into()],
        ..RosterRow::default()
    };
    server.roster_row("romeo", row);
    let approved =
        RosterRow { contact: "nurse@im.example".into(), approved: true, in_roster: true, ..RosterRow::default() };
    server.roster_row("romeo", approved);
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_roster(&[
        "<item jid='juliet@im.example' name='O &lt;&quot;Juliet&quot;&gt; &amp; &apos;co&apos;' subscription='from' \
         ask='subscribe'><group>Friends</group><group>&lt;Capulet&gt; &amp; sons</group></item>",
        "<item jid='nurse@im.example' subscription='none' approved='true'/>",
    ]);
}

/// RFC 6121 §2.1.2.1, §2.1.2.5, Appendix A.1: what each state looks like; "pending in" is not shown.
#[test]
fn each_state_has_its_look() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut items = Vec::new();
    for state in STATES {
        let contact = format!("{}@im.example", state.to_lowercase().replace('+', "-"));
        server.contact("romeo", &contact, state);
        items.push(item(&contact, state));
    }
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.expect_roster(&items.iter().map(String::as_str).collect::<Vec<_>>());
}

/// RFC 6121 §3.1.3, Appendix A.1: somebody who has only asked is not in the roster.
#[test]
fn a_mere_request_is_not_listed() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.expect_roster(&[]);
}

/// RFC 6121 §2.1.5 (and §2.3.3): nobody else's roster, and no hint whether there is one.
#[test]
fn the_roster_of_somebody_else_is_forbidden() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut romeo = server.present("romeo", "orchard");
    for whose in ["juliet@im.example", "nobody@im.example"] {
        romeo.send(&format!("<iq type='get' id='g' to='{whose}'><query xmlns='jabber:iq:roster'/></iq>"));
        romeo.expect_stanza_error("iq", "g", "auth", "forbidden");
    }
    romeo.expect_nothing();
}

/// RFC 6120 §8.4: the server has no roster of its own.
#[test]
fn the_server_has_no_roster() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.login("romeo", "secret", "orchard");
    for kind in ["get", "set"] {
        romeo.send(&format!("<iq type='{kind}' id='g' to='im.example'><query xmlns='jabber:iq:roster'/></iq>"));
        romeo.expect_stanza_error("iq", "g", "cancel", "service-unavailable");
    }
}

/// RFC 6121 §2.1.1, §2.3.2: what a result has confirmed is there after a restart, for every resource alike.
#[test]
fn the_roster_survives_a_restart() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let juliet = "<item jid='juliet@im.example' name='Juliet 💘' subscription='none'><group>Ｆriends</group></item>";
    let nurse = "<item jid='nurse@im.example' subscription='none'/>";
    let set = "<item jid='juliet@im.example' name='Juliet 💘'><group>Ｆriends</group></item>";
    romeo.change_roster(set, juliet);
    romeo.change_roster("<item jid='nurse@im.example'/>", nurse);
    romeo.change_roster("<item jid='tybalt@im.example'/>", "<item jid='tybalt@im.example' subscription='none'/>");
    romeo.change_roster(
        "<item jid='tybalt@im.example' subscription='remove'/>",
        "<item jid='tybalt@im.example' subscription='remove'/>",
    );
    server.restart();
    for resource in ["orchard", "garden"] {
        let mut romeo = server.login("romeo", "secret", resource);
        romeo.expect_roster(&[juliet, nurse]);
    }
}
