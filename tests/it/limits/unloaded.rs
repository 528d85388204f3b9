//! Messages to accounts that are not in memory: parked while they are read from disk, bounded, none lost.

use std::collections::BTreeMap;

use crate::support::{Client, TestServer};

/// Accounts nobody can log in to, which is quicker.
fn accounts(server: &TestServer, count: usize) {
    let storage = &server.server().core().storage;
    let now = magpie::clock::now_micros();
    let made: Vec<_> =
        (0..count).map(|n| storage.account_create(&format!("user{n}@im.example"), now, Vec::new())).collect();
    server.runtime().block_on(async {
        for account in made {
            account.await.expect("an account");
        }
    });
}

fn kept(server: &TestServer, user: usize) -> Vec<String> {
    let storage = &server.server().core().storage;
    server.runtime().block_on(async {
        let account = storage.account(&format!("user{user}@im.example")).await.unwrap().unwrap().account;
        let page = storage.offline_page(account.id, 0, 10_000, 1 << 30).await.unwrap();
        page.into_iter().map(|message| message.stanza).collect()
    })
}

fn burst(users: usize, each: usize) -> String {
    let message = |n: usize| {
        let (user, round) = (n % users, n / users);
        format!("<message to='user{user}@im.example' type='chat' id='{user}/{round}'><body>hi</body></message>")
    };
    (0..users * each).map(message).collect()
}

/// What was refused, and that it was refused in order and for this reason.
#[track_caller]
fn refusals(romeo: &mut Client) -> BTreeMap<String, usize> {
    let mut refused = BTreeMap::new();
    for el in romeo.sync() {
        let id = el.attr("id").expect("an id").to_owned();
        let pattern = format!(
            "<message type='error' id='{id}' from='{{any}}' to='{{jid}}'><any/><error type='wait'>\
             <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error></message>"
        );
        romeo.matches(&pattern, &el).unwrap_or_else(|e| romeo.fail(&e));
        *refused.entry(id).or_default() += 1;
    }
    refused
}

/// Every message is either kept or refused, once, and those that are kept are in order.
#[track_caller]
fn check(server: &TestServer, users: usize, each: usize, refused: &BTreeMap<String, usize>) {
    for user in 0..users {
        let kept = kept(server, user);
        let mut next = kept.iter();
        for round in 0..each {
            let id = format!("{user}/{round}");
            match refused.get(&id) {
                Some(&times) => assert_eq!(times, 1, "{id} was refused {times} times"),
                None => {
                    let stanza = next.next().unwrap_or_else(|| panic!("{id} is lost"));
                    assert!(stanza.contains(&format!("id='{id}'")), "{stanza} instead of {id}");
                }
            }
        }
        assert!(next.next().is_none(), "too much is kept for user{user}: {kept:?}");
    }
}

/// Within the limits none is refused.
#[test]
fn thousands_of_messages_to_unloaded_accounts_lose_nothing() {
    let (users, each) = (300, 10);
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    accounts(&server, users);
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(burst(users, each).as_bytes());
    assert_eq!(refusals(&mut romeo), BTreeMap::new());
    check(&server, users, each, &BTreeMap::new());
}

/// Above them the sender learns of each.
#[test]
fn what_does_not_fit_is_refused_and_nothing_is_lost() {
    let (users, each) = (100, 30);
    let mut server = TestServer::with(|c| {
        c.limits.accounts_loading_max = 3;
        c.limits.parked_stanzas_max = 4;
        c.limits.parked_bytes_max = 1_000;
    });
    server.account("romeo", "secret");
    accounts(&server, users);
    server.restart();
    let mut romeo = server.login("romeo", "secret", "orchard");
    romeo.send_bytes(burst(users, each).as_bytes());
    let refused = refusals(&mut romeo);
    check(&server, users, each, &refused);
    // The way is free again.
    romeo.send("<message to='user0@im.example' type='chat' id='last'><body>hi</body></message>");
    assert_eq!(refusals(&mut romeo), BTreeMap::new());
}

/// Many to one account that has to be loaded: the order holds across the moment when it is there.
#[test]
fn order_holds_while_an_account_is_loaded() {
    let mut server = TestServer::start();
    server.account("romeo", "secret");
    accounts(&server, 1);
    for round in 0..5 {
        server.restart();
        let mut romeo = server.login("romeo", "secret", "orchard");
        let burst: String = (0..150)
            .map(|n| {
                format!(
                    "<message to='user0@im.example' type='chat' id='0/{}'><body>hi</body></message>",
                    round * 150 + n
                )
            })
            .collect();
        romeo.send_bytes(burst.as_bytes());
        assert_eq!(refusals(&mut romeo), BTreeMap::new());
    }
    check(&server, 1, 750, &BTreeMap::new());
}

/// Accounts that do not exist cost nothing that lasts, and every message is answered.
#[test]
fn thousands_of_messages_to_nobody_are_answered() {
    let server = TestServer::start();
    let mut romeo = server.online("romeo", "orchard");
    let burst: String = (0..900)
        .map(|n| format!("<message to='nobody{n}@im.example' type='chat' id='{n}'><body>hi</body></message>"))
        .collect();
    romeo.send_bytes(burst.as_bytes());
    let mut answered: Vec<usize> = romeo.sync().iter().map(|el| el.attr("id").unwrap().parse().unwrap()).collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..900));
    assert!(server.server().core().accounts.len() < 10, "{} are remembered", server.server().core().accounts.len());
}

/// An account that left memory comes back with everything: kept messages, their bound, the roster.
#[test]
fn an_account_that_left_memory_is_loaded_again() {
    let server = TestServer::with(|c| c.offline.messages_max = 3);
    let mut juliet = server.online("juliet", "balcony");
    juliet.send(
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='romeo@im.example' name='R'/></query></iq>",
    );
    juliet.expect_in_any_order(&["<iq type='result' id='1' any-attrs='true'/>"]);
    juliet.close();
    let mut romeo = server.online("romeo", "orchard");
    let sweep = || server.server().core().accounts.sweep(u32::MAX, 0);
    for n in 0..4 {
        sweep();
        romeo.send(&format!("<message to='juliet@im.example' type='chat' id='{n}'><body>hi</body></message>"));
        if n == 3 {
            romeo.expect_stanza_error("message", "3", "cancel", "service-unavailable");
        }
        romeo.expect_nothing();
    }
    sweep();
    let mut juliet = server.login("juliet", "secret", "balcony");
    juliet.send("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.expect("<iq type='result' id='2' any-attrs='true'><query xmlns='jabber:iq:roster' ver='{opt}'><item jid='romeo@im.example' name='R' subscription='none'/></query></iq>");
    sweep();
    juliet.send("<presence/>");
    juliet.expect("<presence from='{jid}' to='{jid}'/>");
    for n in 0..3 {
        juliet.expect(&format!("<message id='{n}' any-attrs='true'><any/></message>"));
    }
    // Whoever is here is not forgotten.
    sweep();
    romeo.send("<message to='juliet@im.example' type='chat' id='4'><body>hi</body></message>");
    juliet.expect("<message to='juliet@im.example' type='chat' id='4' from='{romeo}'><body>hi</body></message>");
}
