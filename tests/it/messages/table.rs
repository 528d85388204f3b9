//! RFC 6121 §8.5.4, the table, row by row: every type of message, every kind of address, every state of the addressee.

use std::collections::BTreeSet;

use crate::support::xml::El;
use crate::support::{Client, TestServer};

/// The columns.
const TYPES: [&str; 5] = ["normal", "chat", "groupchat", "headline", "error"];

/// A cell.
#[derive(Clone, Copy, Debug)]
enum Cell {
    /// Delivered to these resources, and to no other.
    To(&'static [&'static str]),
    /// Delivered to who logs in next.
    Kept,
    /// `service-unavailable` to the sender.
    Refused,
    /// Neither delivered nor answered.
    Ignored,
}

use Cell::{Ignored, Kept, Refused, To};

/// A row: the address, and a cell for each of [`TYPES`].
type Row = (&'static str, [Cell; 5]);

fn message(kind: &str, to: &str) -> String {
    let error = "<error type='wait'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let error = if kind == "error" { error } else { "" };
    format!("<message type='{kind}' to='{to}' id='{kind} {to}'><body>hi</body>{error}</message>")
}

/// What somebody got: the ids of messages, each of which must come as it was sent.
#[track_caller]
fn delivered(client: &mut Client, got: Vec<El>) -> Vec<String> {
    let ids = got.iter().map(|el| {
        let id = el.attr("id").expect("an id").to_owned();
        let (kind, to) = id.split_once(' ').expect("one of ours");
        let pattern =
            format!("<message type='{kind}' to='{to}' id='{id}' from='{{romeo}}'><body>hi</body><any/></message>");
        client.matches(&pattern, el).unwrap_or_else(|e| client.fail(&e));
        id
    });
    ids.collect()
}

/// Plays all cells of these rows at once and compares who got what. `state` has the addressee's resources.
#[track_caller]
fn check(server: &TestServer, state: &mut [(&str, Client)], rows: &[Row]) {
    let mut romeo = server.online("romeo", "orchard");
    let cells =
        || rows.iter().flat_map(|(to, row)| TYPES.into_iter().zip(row).map(move |(kind, cell)| (kind, *to, *cell)));
    let expected = |wanted: &dyn Fn(Cell) -> bool| -> BTreeSet<String> {
        cells().filter(|(_, _, cell)| wanted(*cell)).map(|(kind, to, _)| format!("{kind} {to}")).collect()
    };
    for (kind, to, _) in cells() {
        romeo.send(&message(kind, to));
    }
    let mut refused = BTreeSet::new();
    for el in romeo.sync() {
        let id = el.attr("id").expect("an id").to_owned();
        let to = id.split_once(' ').expect("one of ours").1;
        let pattern = format!(
            "<message type='error' id='{id}' from='{to}' to='{{jid}}'><any/><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error></message>"
        );
        romeo.matches(&pattern, &el).unwrap_or_else(|e| romeo.fail(&e));
        assert!(refused.insert(id), "answered twice: {el:?}");
    }
    assert_eq!(refused, expected(&|cell| matches!(cell, Refused)), "refused");
    for (resource, client) in state.iter_mut() {
        let got = client.sync();
        let got = delivered(client, got);
        let once: BTreeSet<String> = got.iter().cloned().collect();
        assert_eq!(once.len(), got.len(), "{resource} got something twice: {got:?}");
        assert_eq!(once, expected(&|cell| matches!(cell, To(to) if to.contains(resource))), "to {resource}");
    }
    let kept = expected(&|cell| matches!(cell, Kept));
    if rows.iter().all(|(to, _)| to.starts_with("nobody")) {
        return;
    }
    let mut late = server.login("juliet", "secret", "late");
    let mut seen = late.available();
    let mut got = BTreeSet::new();
    loop {
        for el in seen.into_iter().filter(|el| el.name == "message") {
            let id = el.attr("id").expect("an id").to_owned();
            assert!(el.find("delay", "urn:xmpp:delay").is_some(), "no stamp: {el:?}");
            assert!(kept.contains(&id), "{id} was kept");
            assert!(got.insert(id), "handed out twice: {el:?}");
        }
        if got.len() == kept.len() {
            break;
        }
        seen = late.sync();
    }
    late.expect_nothing();
}

/// A resource of juliet's that has sent this presence.
fn resource(server: &TestServer, resource: &'static str, presence: &str) -> (&'static str, Client) {
    let mut client = server.login("juliet", "secret", resource);
    client.send(presence);
    client.sync();
    (resource, client)
}

/// Nobody looks at the presence the later resources sent to the earlier ones.
fn settle_all(state: &mut [(&str, Client)]) {
    for (_, client) in state {
        client.sync();
    }
}

const NEGATIVE: &str = "<presence><priority>-1</priority></presence>";

/// RFC 6121 §8.5.1. Of the two answers it allows this server gives the one that tells the sender.
#[test]
fn no_such_account() {
    let row = [Refused, Refused, Refused, Refused, Ignored];
    check(&TestServer::start(), &mut [], &[("nobody@im.example", row), ("nobody@im.example/balcony", row)]);
}

/// RFC 6121 §8.5.2.2, §8.5.3.2.
#[test]
fn no_resources() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let rows = [
        ("juliet@im.example", [Kept, Kept, Refused, Ignored, Ignored]),
        ("juliet@im.example/balcony", [Refused, Kept, Refused, Ignored, Ignored]),
    ];
    check(&server, &mut [], &rows);
}

/// RFC 6121 §8.5.2.2: a resource that has not sent presence does not count, except when it is named (§8.5.3.1).
#[test]
fn a_connected_resource_without_presence() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut state = [("balcony", server.login("juliet", "secret", "balcony"))];
    let rows = [
        ("juliet@im.example", [Kept, Kept, Refused, Ignored, Ignored]),
        ("juliet@im.example/balcony", [To(&["balcony"]); 5]),
        ("juliet@im.example/gone", [Refused, Kept, Refused, Ignored, Ignored]),
    ];
    check(&server, &mut state, &rows);
}

/// RFC 6121 §8.5.2.2, §8.5.3: negative priority is as good as not there, except when it is named.
#[test]
fn negative_resources_only() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut state = [resource(&server, "cellar", NEGATIVE), resource(&server, "attic", NEGATIVE)];
    settle_all(&mut state);
    let rows = [
        ("juliet@im.example", [Kept, Kept, Refused, Ignored, Ignored]),
        ("juliet@im.example/cellar", [To(&["cellar"]); 5]),
        ("juliet@im.example/gone", [Refused, Kept, Refused, Ignored, Ignored]),
    ];
    check(&server, &mut state, &rows);
}

/// RFC 6121 §8.5.2.1, §8.5.3.
#[test]
fn one_reachable_resource() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut state = [resource(&server, "balcony", "<presence/>"), resource(&server, "cellar", NEGATIVE)];
    settle_all(&mut state);
    let balcony = To(&["balcony"]);
    let rows = [
        ("juliet@im.example", [balcony, balcony, Refused, balcony, Ignored]),
        ("juliet@im.example/balcony", [balcony; 5]),
        ("juliet@im.example/cellar", [To(&["cellar"]); 5]),
        ("juliet@im.example/gone", [Refused, balcony, Refused, Ignored, Ignored]),
    ];
    check(&server, &mut state, &rows);
}

/// RFC 6121 §8.5.2.1.1: of the choices there, this server delivers to all, whatever their priorities and `<show/>`.
#[test]
fn several_reachable_resources() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut state = [
        resource(&server, "balcony", "<presence><priority>0</priority></presence>"),
        resource(&server, "chamber", "<presence><show>dnd</show><priority>127</priority></presence>"),
        resource(&server, "cellar", NEGATIVE),
        ("silent", server.login("juliet", "secret", "silent")),
    ];
    settle_all(&mut state);
    let all = To(&["balcony", "chamber"]);
    let rows = [
        ("juliet@im.example", [all, all, Refused, all, Ignored]),
        ("juliet@im.example/chamber", [To(&["chamber"]); 5]),
        ("juliet@im.example/silent", [To(&["silent"]); 5]),
        ("juliet@im.example/gone", [Refused, all, Refused, Ignored, Ignored]),
    ];
    check(&server, &mut state, &rows);
}

/// RFC 6121 §4.5, §4.7.2.3: the state is that of the last presence.
#[test]
fn resources_change_their_state() {
    let server = TestServer::start();
    server.account("juliet", "secret");
    let mut state = [
        resource(&server, "balcony", "<presence/>"),
        resource(&server, "chamber", NEGATIVE),
        resource(&server, "cellar", "<presence/>"),
    ];
    for (at, presence) in
        [(0, NEGATIVE), (1, "<presence><priority>1</priority></presence>"), (2, "<presence type='unavailable'/>")]
    {
        state[at].1.send(presence);
        state[at].1.sync();
    }
    settle_all(&mut state);
    let chamber = To(&["chamber"]);
    let rows = [
        ("juliet@im.example", [chamber, chamber, Refused, chamber, Ignored]),
        ("juliet@im.example/cellar", [To(&["cellar"]); 5]),
        ("juliet@im.example/balcony", [To(&["balcony"]); 5]),
    ];
    check(&server, &mut state, &rows);
}
