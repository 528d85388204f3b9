//! Adding and updating items (RFC 6121 §2.3, §2.4).

use crate::support::TestServer;

/// RFC 6121 §2.3.1: name and groups are optional; a new item has no subscription.
#[test]
fn a_new_item_has_what_was_given_and_no_subscription() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let rows = [
        ("<item jid='a@im.example'/>", "<item jid='a@im.example' subscription='none'/>"),
        ("<item jid='b@im.example' name='B'/>", "<item jid='b@im.example' name='B' subscription='none'/>"),
        (
            "<item jid='c@im.example' name='&lt;C&gt; &amp; &quot;&apos; 💘'><group>Z &lt;</group><group>A</group></item>",
            "<item jid='c@im.example' name='&lt;C&gt; &amp; &quot;&apos; 💘' subscription='none'>\
             <group>Z &lt;</group><group>A</group></item>",
        ),
        ("<item jid='im.example'/>", "<item jid='im.example' subscription='none'/>"),
        ("<item jid='x@elsewhere.example'/>", "<item jid='x@elsewhere.example' subscription='none'/>"),
    ];
    for (set, pushed) in rows {
        romeo.change_roster(set, pushed);
    }
    romeo.expect_roster(&rows.map(|(_, pushed)| pushed));
}

/// RFC 6121 §2.1.2.3: the JID is a bare one, and one address is one item however it is written.
#[test]
fn the_jid_of_an_item_is_bare_and_normalised() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    for (written, meant) in [
        ("Juliet@IM.Example", "juliet@im.example"),
        ("juliet@im.example/balcony", "juliet@im.example"),
        ("JULIET@im.example.", "juliet@im.example"),
        ("ÉMILE@im.example", "émile@im.example"),
        ("d&apos;arc@im.example", "invalid"),
    ] {
        romeo.roster_set("s", &format!("<item jid='{written}' name='{written}'/>"));
        if meant == "invalid" {
            romeo.expect_stanza_error("iq", "s", "modify", "jid-malformed");
            continue;
        }
        romeo.expect_push(&format!("<item jid='{meant}' name='{written}' subscription='none'/>"));
        romeo.expect_result("s");
    }
    romeo.expect_roster(&[
        "<item jid='juliet@im.example' name='JULIET@im.example.' subscription='none'/>",
        "<item jid='émile@im.example' name='ÉMILE@im.example' subscription='none'/>",
    ]);
    romeo.change_roster(
        "<item jid='JULIET@im.example/x' subscription='remove'/>",
        "<item jid='juliet@im.example' subscription='remove'/>",
    );
}

/// RFC 6121 §2.4.1: an update replaces name and groups; what it leaves out is gone.
#[test]
fn an_update_replaces_name_and_groups() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let item = |rest: &str| format!("<item jid='juliet@im.example'{rest}");
    for (set, pushed) in [
        (" name='J'><group>A</group><group>B</group></item>", None),
        (" name='K'><group>B</group><group>C</group></item>", None),
        (" name='K'><group>B</group></item>", None),
        ("><group>B</group></item>", None),
        (" name='L'/>", None),
        ("/>", None),
        (" name='M'/>", None),
        (" name=''/>", Some("/>")),
    ] {
        let pushed = pushed.unwrap_or(set);
        let pushed = item(pushed).replacen("<item ", "<item subscription='none' ", 1);
        romeo.change_roster(&item(set), &pushed);
        romeo.expect_roster(&[&pushed]);
    }
}

/// RFC 6121 §2.1.2.1, §2.1.2.2, §2.1.2.5: of `subscription` only `remove` counts in a set; `ask` and `approved` are the
/// server's to say.
#[test]
fn a_client_cannot_set_the_subscription() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.contact("romeo", "friend", "Both");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    for claim in [
        "subscription='both'",
        "subscription='to'",
        "subscription='from'",
        "subscription='nonsense'",
        "subscription=''",
        "ask='subscribe'",
        "approved='true'",
        "subscription='to' ask='subscribe' approved='1'",
    ] {
        romeo.change_roster(
            &format!("<item jid='juliet@im.example' {claim}/>"),
            "<item jid='juliet@im.example' subscription='none'/>",
        );
        if claim.starts_with("subscription") {
            romeo.change_roster(
                &format!("<item jid='friend@im.example' name='{}' {claim}/>", claim.len()),
                &format!("<item jid='friend@im.example' name='{}' subscription='both'/>", claim.len()),
            );
        }
    }
    romeo.sync();
    juliet.expect_nothing();
    // And it has none of the effects.
    romeo.available();
    juliet.send("<presence><status>secret</status></presence>");
    juliet.sync();
    romeo.expect_nothing();
}

/// RFC 6121 §2.4.2: an update leaves the subscription state alone, the pending ones included.
#[test]
fn an_update_keeps_the_subscription() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    for (n, state) in crate::support::contacts::STATES.into_iter().enumerate() {
        server.contact("romeo", &format!("c{n}"), state);
    }
    let mut romeo = server.present("romeo", "orchard");
    for (n, state) in crate::support::contacts::STATES.into_iter().enumerate() {
        let (subscription, ask) = crate::support::contacts::visible(state);
        let ask = if ask { "ask='subscribe'" } else { "" };
        romeo.change_roster(
            &format!("<item jid='c{n}@im.example' name='{state}'/>"),
            &format!("<item jid='c{n}@im.example' name='{state}' subscription='{subscription}' {ask}/>"),
        );
    }
    let mut again = server.login("romeo", "secret", "garden");
    let asking = crate::support::contacts::presences(&again.available(), "subscribe");
    assert_eq!(asking, ["c2@im.example", "c3@im.example", "c5@im.example"], "requests survive an update");
}

/// RFC 6121 §3.1.3: the user may name somebody who has asked; the request waits on.
#[test]
fn naming_a_requester_does_not_answer_it() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    let mut romeo = server.present("romeo", "orchard");
    let mut juliet = server.present("juliet", "balcony");
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.sync();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
    juliet.change_roster(
        "<item jid='romeo@im.example' name='Romeo'/>",
        "<item jid='romeo@im.example' name='Romeo' subscription='none'/>",
    );
    juliet.sync();
    romeo.expect_nothing();
    juliet.send("<presence type='subscribed' to='romeo@im.example'/>");
    juliet.expect_push("<item jid='romeo@im.example' name='Romeo' subscription='from'/>");
}

/// RFC 6121 §2.3.1: unknown attributes and children of an item are not kept for others to see.
#[test]
fn foreign_parts_of_an_item_are_dropped() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    romeo.change_roster(
        "<item jid='a@im.example' x='1'><note xmlns='urn:example'>n</note><group xmlns='urn:example'/><group>G</group></item>",
        "<item jid='a@im.example' subscription='none'><group>G</group></item>",
    );
}

/// RFC 6121 §2.3.1: the order of sets is the order of effects, even if many arrive at once.
#[test]
fn pipelined_sets_take_effect_in_order() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let mut watcher = server.login("romeo", "secret", "garden");
    watcher.roster();
    let sets: String = (0..20)
        .map(|n| {
            format!(
                "<iq type='set' id='s{n}'><query xmlns='jabber:iq:roster'><item jid='a@im.example' name='{n}'/></query></iq>"
            )
        })
        .collect();
    romeo.send(&sets);
    for n in 0..20 {
        let item = format!("<item jid='a@im.example' name='{n}' subscription='none'/>");
        romeo.expect_push(&item);
        romeo.expect_result(&format!("s{n}"));
        watcher.expect_push(&item);
    }
    watcher.expect_nothing();
}

/// RFC 6121 §2.1.6: two resources that change the same item at once: the last push every resource sees is what is stored.
#[test]
fn concurrent_changes_leave_everybody_with_the_same_item() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut watcher = server.login("romeo", "secret", "watcher");
    watcher.roster();
    let mut setters: Vec<_> = (0..4).map(|n| server.present("romeo", &format!("r{n}"))).collect();
    for round in 0..15 {
        for (n, setter) in setters.iter_mut().enumerate() {
            setter.roster_set("s", &format!("<item jid='a@im.example' name='{round}.{n}'/>"));
        }
        for setter in &mut setters {
            setter.sync();
        }
        let name = |el: &crate::support::xml::El| {
            let query = el.elements().next()?;
            let version: i64 = query.attr("ver")?.parse().ok()?;
            Some((version, query.elements().next()?.attr("name")?.to_owned()))
        };
        let pushed: Vec<(i64, String)> = watcher.sync().iter().filter_map(name).collect();
        assert_eq!(pushed.len(), 4, "{pushed:?}");
        assert!(pushed.is_sorted(), "pushes overtake each other: {pushed:?}");
        let stored = watcher.roster().remove(0);
        assert_eq!(stored.attr("name"), pushed.last().map(|(_, name)| name.as_str()));
    }
}
