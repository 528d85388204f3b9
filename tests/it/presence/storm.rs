//! Many at once: whatever the interleaving, everybody ends up with the truth (RFC 6121 §4.2, §4.4).

use std::collections::BTreeMap;

use crate::support::xml::El;
use crate::support::{Client, TestServer};

/// What a client believes after these stanzas: who is there, with which status.
fn believe(beliefs: &mut BTreeMap<String, String>, seen: &[El]) {
    for el in seen.iter().filter(|el| el.name == "presence") {
        let from = el.attr("from").unwrap().to_owned();
        match el.attr("type") {
            None => {
                let status = el.find("status", "jabber:client").map(El::text).unwrap_or_default();
                beliefs.insert(from, status);
            }
            Some("unavailable") => drop(beliefs.remove(&from)),
            Some(_) => {}
        }
    }
}

/// Everybody's sessions, friends of each other.
fn crowd(server: &TestServer, size: usize) -> Vec<Client> {
    let names: Vec<String> = (0..size).map(|n| format!("user{n}")).collect();
    for name in &names {
        server.account(name, "secret");
    }
    for (n, one) in names.iter().enumerate() {
        for other in &names[n + 1..] {
            server.friends(one, other);
        }
    }
    names.iter().map(|name| server.login(name, "secret", "desk")).collect()
}

/// RFC 6121 §4.2, §4.3: friends that come at the same moment see each other.
#[test]
fn friends_who_log_in_together_see_each_other() {
    let server = TestServer::start();
    let mut clients = crowd(&server, 8);
    for round in 0..5 {
        let mut beliefs = vec![BTreeMap::new(); clients.len()];
        for client in &mut clients {
            client.send(&format!("<presence><status>{round}</status></presence>"));
        }
        for _ in 0..2 {
            for (client, beliefs) in clients.iter_mut().zip(&mut beliefs) {
                believe(beliefs, &client.sync());
            }
        }
        for beliefs in &beliefs {
            assert_eq!(beliefs.len(), clients.len(), "{beliefs:?}");
            assert!(beliefs.values().all(|status| *status == round.to_string()), "{beliefs:?}");
        }
        for client in &mut clients {
            client.send("<presence type='unavailable'/>");
        }
        for _ in 0..2 {
            clients.iter_mut().for_each(|client| drop(client.sync()));
        }
    }
}

/// RFC 6121 §4.4, §4.5: the last presence of each is what the others have, however fast it changes.
#[test]
fn the_last_presence_wins() {
    let server = TestServer::start();
    let mut clients = crowd(&server, 6);
    let mut beliefs = vec![BTreeMap::new(); clients.len()];
    for turn in 0..30 {
        for (n, client) in clients.iter_mut().enumerate() {
            match (turn + n) % 4 {
                0 => client.send("<presence type='unavailable'/>"),
                _ => client.send(&format!("<presence><status>{turn}</status></presence>")),
            }
        }
    }
    for client in &mut clients {
        client.send("<presence><status>last</status></presence>");
    }
    for _ in 0..2 {
        for (client, beliefs) in clients.iter_mut().zip(&mut beliefs) {
            believe(beliefs, &client.sync());
        }
    }
    for beliefs in &beliefs {
        assert_eq!(beliefs.len(), 6, "{beliefs:?}");
        assert!(beliefs.values().all(|status| status == "last"), "{beliefs:?}");
    }
}

/// RFC 6121 §3.1.5: presence that changes while a subscription is approved arrives in its last state.
#[test]
fn an_approval_does_not_bring_stale_presence() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut balcony = server.present("juliet", "balcony");
    let mut chamber = server.present("juliet", "chamber");
    for round in 0..25 {
        romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
        romeo.sync();
        balcony.send("<presence type='subscribed' to='romeo@im.example'/>");
        for n in 0..20 {
            chamber.send(&format!("<presence><status>{round}.{n}</status></presence>"));
        }
        chamber.sync();
        balcony.sync();
        let mut beliefs = BTreeMap::new();
        believe(&mut beliefs, &romeo.sync());
        assert_eq!(beliefs.get(&chamber.var("jid")), Some(&format!("{round}.19")));
        romeo.send("<presence type='unsubscribe' to='juliet@im.example'/>");
        believe(&mut beliefs, &romeo.sync());
        beliefs.retain(|from, _| from.starts_with("juliet@"));
        assert!(beliefs.is_empty(), "{beliefs:?}");
    }
}

/// RFC 6120 §7.7.2.2, RFC 6121 §4.5.4: a resource that is taken over while it is talking ends as unavailable: nothing it
/// said arrives after that, by broadcast or by hand.
#[test]
fn a_resource_taken_over_leaves_no_ghost() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet", "nurse"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut nurse = server.present("nurse", "hall");
    let chatter = "<presence><status>x</status></presence><presence to='nurse@im.example'/>".repeat(150);
    for round in 0..20 {
        let mut old = server.login("romeo", "secret", "orchard");
        old.available();
        let mut new = server.connect();
        new.secure();
        new.authenticate("SCRAM-SHA-256", "romeo", "secret");
        new.open_to_features();
        old.send_bytes_if_open(chatter.as_bytes());
        new.bind("orchard");
        while old.next_event().is_some() {}
        new.sync();
        for observer in [&mut juliet, &mut nurse] {
            let last = observer.sync().into_iter().rfind(|el| el.name == "presence");
            let kind = last.as_ref().and_then(|el| el.attr("type").map(str::to_owned));
            assert!(last.is_none() || kind.as_deref() == Some("unavailable"), "{round}: {last:?}");
        }
        new.close();
    }
}
