//! Client State Indication (XEP-0352).
//!
//! A ping brings what waits along, so that these tests ask the other side whether all was said.

use crate::support::xml::El;
use crate::support::{Client, TestServer};
use std::time::Duration;

mod lost;

const CSI: &str = "urn:xmpp:csi:0";

/// Romeo and Juliet, who see each other; Juliet is inactive.
fn friends() -> (TestServer, Client, Client) {
    friends_with(|_| {})
}

fn friends_with(adjust: impl FnOnce(&mut magpie::config::Config)) -> (TestServer, Client, Client) {
    let server = TestServer::with(adjust);
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.sync();
    juliet.sync();
    juliet.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    juliet.sync();
    (server, romeo, juliet)
}

fn show(client: &mut Client, show: &str) {
    client.send(&format!("<presence><show>{show}</show></presence>"));
    client.sync();
}

fn shown(show: &str) -> String {
    format!("<presence from='{{romeo/orchard}}' to='juliet@im.example'><show>{show}</show></presence>")
}

/// What has been held back is told by what is missing: of two presences the later one came, alone.
#[track_caller]
fn expect_held(juliet: &mut Client) {
    juliet.expect(&shown("xa"));
}

fn hold(romeo: &mut Client) {
    show(romeo, "away");
    show(romeo, "xa");
}

/// §4.1: after login.
#[test]
fn the_feature_is_offered_after_login() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut juliet = server.connect_tls();
    assert!(juliet.open_to_features().find("csi", CSI).is_none());
    juliet.authenticate("SCRAM-SHA-256", "juliet", "secret");
    assert!(juliet.open_to_features().find("csi", CSI).is_some());
}

/// §5: "The server MUST assume all clients to be in the 'active' state", and presence has nothing to do with it.
#[test]
fn a_client_is_active_until_it_says_otherwise() {
    let (server, mut romeo, mut juliet) = friends();
    let mut phone = server.present("juliet", "phone");
    show(&mut romeo, "away");
    phone.expect(&shown("away"));
    show(&mut romeo, "dnd");
    phone.expect(&shown("dnd"));
    juliet.send("<active xmlns='urn:xmpp:csi:0'/>");
    assert_eq!(juliet.sync().len(), 2, "romeo's presence and the phone's");
    for word in ["away", "dnd"] {
        show(&mut romeo, word);
        juliet.expect(&shown(word));
    }
}

/// §5.1: what waited comes before the answer to what follows. Saying the same twice changes nothing.
#[test]
fn becoming_active_brings_what_waited() {
    let (_server, mut romeo, mut juliet) = friends();
    juliet.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    hold(&mut romeo);
    juliet.send(
        "<active xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>\
         <iq type='get' id='p' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    expect_held(&mut juliet);
    juliet.expect("<iq type='result' id='p' from='im.example' to='{jid}'/>");
    juliet.expect_nothing();
}

/// Each resource has its own latest presence; the end of one is a presence as well.
#[test]
fn the_latest_presence_of_each_resource_is_kept() {
    let (server, mut orchard, mut juliet) = friends();
    let mut garden = server.present("romeo", "garden");
    show(&mut garden, "away");
    hold(&mut orchard);
    garden.send("<presence type='unavailable'/>");
    garden.sync();
    orchard.send("<message to='{juliet}' type='chat'><body>hi</body></message>");
    expect_held(&mut juliet);
    juliet.expect("<presence type='unavailable' from='{romeo/garden}' to='juliet@im.example'/>");
    juliet.expect("<message from='{romeo/orchard}' to='{jid}' type='chat'><body>hi</body></message>");
    juliet.expect_nothing();
}

/// What is important comes at once, and what waits before it.
#[test]
fn important_stanzas_do_not_wait() {
    let (server, mut romeo, mut juliet) = friends();
    server.account("nurse", "secret");
    let mut nurse = server.login("nurse", "secret", "hall");
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let rows = [
        "<message to='{juliet}' type='chat'><body>hi</body></message>".to_owned(),
        "<message to='{juliet}' type='groupchat'><body>hi</body></message>".to_owned(),
        "<message to='{juliet}' type='headline'><body>hi</body></message>".to_owned(),
        "<message to='{juliet}' type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>".to_owned(),
        "<message to='{juliet}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>".to_owned(),
        "<message to='{juliet}'><x xmlns='jabber:x:conference' jid='room@muc.example'/></message>".to_owned(),
        "<message to='{juliet}'><x xmlns='urn:unknown'/></message>".to_owned(),
        format!("<message to='{{juliet}}' type='error'>{error}</message>"),
        // Nobody keeps it.
        "<message to='{juliet}' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>".to_owned(),
        "<iq type='set' id='1' to='{juliet}'><x xmlns='urn:unknown'/></iq>".to_owned(),
        "<presence type='subscribe' to='juliet@im.example'/>".to_owned(),
    ];
    for stanza in rows {
        hold(&mut romeo);
        nurse.send(&stanza);
        expect_held(&mut juliet);
        assert!(stanza.starts_with(&format!("<{} ", juliet.next().name)), "{stanza}");
        juliet.expect_nothing();
        nurse.sync();
    }
}

/// §3.2: nobody sees them, and nobody waits for them.
#[test]
fn chat_states_are_dropped() {
    let (server, mut romeo, mut juliet) = friends();
    juliet.send("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    juliet.expect("<iq type='result' id='1' to='{jid}' from='{opt}'/>");
    let mut phone = server.present("juliet", "phone");
    juliet.sync();
    romeo.sync();
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for to in ["{juliet/balcony}", "{juliet/phone}", "juliet@im.example"] {
        romeo.send(&format!("<message to='{to}' type='chat'>{state}<thread>1</thread></message>"));
        romeo.send(&format!("<message to='{to}' type='chat'>{state}</message>"));
        romeo.expect_nothing();
    }
    phone.send(&format!("<message to='{{romeo}}' type='chat'>{state}</message>"));
    assert_eq!(phone.sync().len(), 4);
    let seen = juliet.sync();
    // Copies whose threads nobody has looked at come later.
    assert!(seen.len() <= 1 && seen.iter().all(|el| el.raw.contains("<thread>")), "{seen:?}");
    juliet.send("<active xmlns='urn:xmpp:csi:0'/>");
    juliet.expect_nothing();
}

/// What the archive has can wait without its sender waiting.
#[test]
fn receipts_that_are_archived_wait() {
    let (_server, mut romeo, mut juliet) = friends_with(|c| c.archive.enabled = true);
    let receipt = |id| format!("<received xmlns='urn:xmpp:receipts' id='{id}'/>");
    for id in ["1", "2"] {
        romeo.send(&format!("<message to='{{juliet}}' type='chat' id='{id}'>{}</message>", receipt(id)));
        romeo.expect_nothing();
    }
    hold(&mut romeo);
    romeo.send("<message to='{juliet}' type='chat' id='3'><body>hi</body></message>");
    for id in ["1", "2"] {
        juliet.expect(&format!(
            "<message from='{{romeo}}' to='{{jid}}' type='chat' id='{id}'>{}<one/></message>",
            receipt(id)
        ));
    }
    expect_held(&mut juliet);
    juliet.expect("<message from='{romeo}' to='{jid}' type='chat' id='3'><body>hi</body><one/></message>");
    juliet.expect_nothing();
}

/// §3.2: of each item the latest, and nothing else is left out.
#[test]
fn notifications_of_nodes_wait() {
    let (_server, mut romeo, mut juliet) = friends();
    let event = |id: &str, inside: &str| {
        format!(
            "<message to='{{juliet}}' type='headline' id='{id}'>\
             <event xmlns='http://jabber.org/protocol/pubsub#event'>{inside}</event></message>"
        )
    };
    let item = |node: &str, item: &str| format!("<items node='{node}'><item id='{item}'/></items>");
    for (id, inside) in [
        ("1", item("mood", "current")),
        ("2", item("tune", "current")),
        ("3", item("mood", "current")),
        ("4", item("mood", "other")),
        ("5", "<items node='mood'><retract id='other'/></items>".to_owned()),
        ("6", item("tune", "current")),
        ("7", "<purge node='mood'/>".to_owned()),
    ] {
        romeo.send(&event(id, &inside));
        romeo.expect_nothing();
    }
    juliet.send("<active xmlns='urn:xmpp:csi:0'/>");
    let ids: Vec<String> = juliet.sync().iter().map(|el| el.attr("id").expect("an id").to_owned()).collect();
    assert_eq!(ids, ["3", "4", "5", "6", "7"]);
}

/// `limits.inactive_stanzas_max`, `inactive_bytes_max`: then it is sent like to an active client; 0 turns it off.
#[test]
fn what_waits_is_bounded() {
    let server = TestServer::with(|c| c.limits.inactive_stanzas_max = 2);
    let mut juliet = server.online("juliet", "balcony");
    let mut romeo = server.online("romeo", "orchard");
    juliet.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    juliet.sync();
    let mut others: Vec<Client> = (0..3).map(|n| server.login("romeo", "secret", &format!("r{n}"))).collect();
    for (n, other) in others.iter_mut().enumerate() {
        other.send("<presence to='{juliet}'><show>away</show></presence>");
        other.send(&format!("<presence to='{{juliet}}'><status>{n}</status></presence>"));
        other.sync();
    }
    for n in 0..3 {
        if n < 2 {
            juliet.expect(&format!("<presence from='{{romeo/r{n}}}' to='{{jid}}'><status>{n}</status></presence>"));
        } else {
            // The one too many was the first presence of the third.
            juliet.expect("<presence from='{romeo/r2}' to='{jid}'><show>away</show></presence>");
        }
    }
    romeo.sync();
    let seen = juliet.sync();
    assert!(seen.len() == 1 && seen[0].raw.contains("<status>2</status>"), "{seen:?}");
    for adjust in [(|c| c.limits.inactive_stanzas_max = 0) as fn(&mut magpie::config::Config), |c| {
        c.limits.inactive_bytes_max = 0
    }] {
        let (_server, mut romeo, mut juliet) = friends_with(adjust);
        for word in ["away", "dnd"] {
            show(&mut romeo, word);
            juliet.expect(&shown(word));
        }
    }
}

/// A client that is asked whether it is still there gets what waits along with that.
#[test]
fn the_servers_own_ping_brings_what_waits() {
    let (_server, mut romeo, mut juliet) = friends_with(|c| c.limits.idle_probe_seconds = Duration::from_secs(1));
    let is_ping = |el: &El| el.name == "iq" && el.raw.contains("urn:xmpp:ping");
    hold(&mut romeo);
    let mut seen = vec![juliet.next()];
    while !is_ping(seen.last().expect("not empty")) {
        seen.push(juliet.next());
    }
    assert!(seen.iter().any(|el| el.name == "presence"), "{seen:?}");
}

/// What is neither.
#[test]
fn other_elements_of_the_namespace_end_the_stream() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    juliet.send("<asleep xmlns='urn:xmpp:csi:0'/>");
    juliet.expect_stream_error("unsupported-stanza-type");
}
