//! Filters and forms (XEP-0313 §4.1, §7, §8.1).

use super::{conversation, form, numbers, page, query, say, server};
use magpie::clock;
use xep_support::formats::date::{Precision, format};

/// §4.1.1: by correspondent, with or without a resource; oneself means what one wrote to oneself.
#[test]
fn by_correspondent() {
    let server = server();
    let (mut romeo, mut juliet) = conversation(&server, 4);
    let mut nurse = server.online("nurse", "chamber");
    say(&mut nurse, "romeo@im.example", "hey");
    romeo.send("<message to='romeo@im.example' type='chat'><body>x</body></message>");
    romeo.sync();
    let mut with = |jid: &str| query(&mut romeo, &form(&[("with", jid)])).bodies();
    assert_eq!(with("juliet@im.example"), numbers(1..=4));
    assert_eq!(with("Nurse@IM.example"), ["hey"]);
    assert_eq!(with("juliet@im.example/balcony"), ["2", "4"]);
    assert_eq!(with("juliet@im.example/chamber"), [""; 0]);
    assert_eq!(with("romeo@im.example"), ["x"]);
    assert_eq!(with("nobody@im.example"), [""; 0]);
    juliet.sync();
    let last = query(&mut juliet, &(form(&[("with", "romeo@im.example")]) + &page("<max>2</max><before/>")));
    assert_eq!((last.bodies(), last.is_complete()), (numbers(3..=4), false));
}

/// §4.1.2: the moments that results are stamped with can be asked for.
#[test]
fn by_time() {
    let server = server();
    let before = format(clock::now_micros(), Precision::Millis);
    let (mut romeo, _juliet) = conversation(&server, 3);
    let all = query(&mut romeo, "");
    let stamp = |n: usize| {
        let forwarded = all.results[n].find("forwarded", "urn:xmpp:forward:0").unwrap();
        forwarded.find("delay", "urn:xmpp:delay").unwrap().attr("stamp").unwrap().to_owned()
    };
    let between = query(&mut romeo, &form(&[("start", &stamp(0)), ("end", &stamp(2))]));
    assert_eq!(between.bodies(), numbers(1..=3));
    let first = query(&mut romeo, &form(&[("start", &before), ("end", &stamp(0))])).bodies();
    assert_eq!(first.first().map(String::as_str), Some("1"));
    assert_eq!(query(&mut romeo, &form(&[("end", "2010-07-07T13:23:54Z")])).results.len(), 0);
    assert_eq!(query(&mut romeo, &form(&[("start", "2510-07-07T13:23:54+02:00")])).results.len(), 0);
}

/// §4.1.3.
#[test]
fn by_id() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 6);
    let ids = query(&mut romeo, "").ids();
    let between = query(&mut romeo, &form(&[("after-id", &ids[1]), ("before-id", &ids[5])]));
    assert_eq!((between.bodies(), between.is_complete()), (numbers(3..=5), true));
    let page_of = query(&mut romeo, &(form(&[("after-id", &ids[0])]) + &page("<max>2</max><before/>")));
    assert_eq!(page_of.bodies(), numbers(5..=6));
    let two = format!("<field var='ids'><value>{}</value><value>{}</value></field></x>", ids[4], ids[0]);
    let some = query(&mut romeo, &form(&[]).replace("</x>", &two));
    assert_eq!(some.bodies(), ["1", "5"]);
    let missing = format!("<field var='ids'><value>{}</value><value>7</value></field></x>", ids[4]);
    let stamped = clock::now_micros().to_string();
    for wrong in [
        form(&[("after-id", "7")]),
        form(&[("after-id", &stamped)]),
        form(&[("before-id", "x")]),
        form(&[]).replace("</x>", &missing),
    ] {
        romeo.send(&format!("<iq type='set' id='w'><query xmlns='urn:xmpp:mam:2'>{wrong}</query></iq>"));
        romeo.expect_stanza_error("iq", "w", "cancel", "item-not-found");
    }
}

/// §4.1, §4.1.5.
#[test]
fn wrong_forms_are_refused() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let rows = [
        (form(&[("{urn:x}y", "z")]), "cancel", "feature-not-implemented"),
        (form(&[("with", "@")]), "modify", "bad-request"),
        (form(&[("start", "yesterday")]), "modify", "bad-request"),
        (form(&[]).replace("urn:xmpp:mam:2", "urn:xmpp:mam:1"), "modify", "bad-request"),
        ("<x xmlns='jabber:x:data' type='submit'/>".to_owned(), "modify", "bad-request"),
        (form(&[]).replace("'submit'", "'cancel'"), "modify", "bad-request"),
    ];
    for (n, (form, kind, condition)) in rows.iter().enumerate() {
        romeo.send(&format!("<iq type='set' id='{n}'><query xmlns='urn:xmpp:mam:2'>{form}</query></iq>"));
        romeo.expect_stanza_error("iq", &n.to_string(), kind, condition);
    }
}

/// §4.1.5: no field is required, and ids are free.
#[test]
fn the_form_can_be_fetched() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    romeo.send("<iq type='get' id='f'><query xmlns='urn:xmpp:mam:2'/></iq>");
    romeo.expect(
        "<iq type='result' id='f' from='{opt}' to='{opt}'><query xmlns='urn:xmpp:mam:2'>\
         <x xmlns='jabber:x:data' type='form' any-order='true'>\
         <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>\
         <field type='jid-single' var='with'/><field type='text-single' var='start'/>\
         <field type='text-single' var='end'/><field type='text-single' var='before-id'/>\
         <field type='text-single' var='after-id'/><field type='boolean' var='include-groupchat'/>\
         <field type='text-single' var='{urn:xmpp:fulltext:0}fulltext'/>\
         <field type='list-multi' var='ids'><validate xmlns='http://jabber.org/protocol/xdata-validate' \
         datatype='xs:string'><open/></validate></field></x></query></iq>",
    );
}

/// §7: on the account, where the archive is.
#[test]
fn the_account_says_what_it_can() {
    let server = server();
    let mut romeo = server.online("romeo", "orchard");
    let info = |client: &mut crate::support::Client, to: &str| {
        let get = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        client.send(&format!("<iq type='get' id='d' to='{to}'>{get}</iq>"));
        client.next().raw
    };
    let account = info(&mut romeo, "romeo@im.example");
    for feature in [
        "urn:xmpp:mam:2",
        "urn:xmpp:mam:2#extended",
        "urn:xmpp:mam:2#groupchat-field",
        "urn:xmpp:sid:0",
        "urn:xmpp:fulltext:0",
        "urn:xmpp:message-retract:1",
        "urn:xmpp:message-retract:1#tombstone",
        "http://jabber.org/protocol/rsm",
    ] {
        assert!(account.contains(&format!("'{feature}'")), "{feature} in {account}");
    }
    assert!(!info(&mut romeo, "im.example").contains("urn:xmpp:mam:2"));
}

/// §8.1: an archive is its owner's; whether there is one is nobody's business either.
#[test]
fn nobody_reads_another_ones_archive() {
    let server = server();
    let (mut romeo, _juliet) = conversation(&server, 1);
    for to in ["juliet@im.example", "nobody@im.example"] {
        for (kind, payload) in
            [("set", "query"), ("get", "query"), ("get", "metadata"), ("get", "prefs"), ("set", "prefs")]
        {
            romeo.send(&format!("<iq type='{kind}' id='x' to='{to}'><{payload} xmlns='urn:xmpp:mam:2'/></iq>"));
            romeo.expect_stanza_error("iq", "x", "auth", "forbidden");
        }
    }
}
