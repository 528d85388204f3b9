//! Roster sets that must not succeed (RFC 6121 §2.3.3, §2.5.3), and what they must not leave behind.

use crate::support::contacts::push;
use crate::support::{TestServer, settle};

const MODIFY_BAD: (&str, &str) = ("modify", "bad-request");
const UNACCEPTABLE: (&str, &str) = ("modify", "not-acceptable");
const MALFORMED: (&str, &str) = ("modify", "jid-malformed");

/// Each of these sets is refused with that error, changes nothing and pushes nothing.
#[track_caller]
fn check(sets: &[(&str, String, (&str, &str))]) {
    let server = TestServer::start();
    server.account("romeo", "secret");
    server.contact("romeo", "juliet", "Both");
    let mut romeo = server.present("romeo", "orchard");
    let mut other = server.login("romeo", "secret", "garden");
    other.roster();
    for (what, items, (error_type, condition)) in sets {
        println!("{what}");
        romeo.roster_set("bad", items);
        romeo.expect_stanza_error("iq", "bad", error_type, condition);
    }
    settle(&mut romeo, &mut other);
    romeo.expect_roster(&["<item jid='juliet@im.example' subscription='both'/>"]);
}

/// RFC 6121 §2.3.3: exactly one item with a JID.
#[test]
fn a_set_has_exactly_one_item() {
    check(&[
        ("none", String::new(), MODIFY_BAD),
        ("two", "<item jid='a@im.example'/><item jid='b@im.example'/>".into(), MODIFY_BAD),
        ("the same twice", "<item jid='a@im.example'/><item jid='a@im.example'/>".into(), MODIFY_BAD),
        (
            "two removals",
            "<item jid='juliet@im.example' subscription='remove'/><item jid='b@im.example' subscription='remove'/>"
                .into(),
            MODIFY_BAD,
        ),
        ("no jid", "<item name='Nobody'/>".into(), MODIFY_BAD),
        ("another element", "<contact jid='a@im.example'/>".into(), MODIFY_BAD),
        ("another namespace", "<item xmlns='urn:example' jid='a@im.example'/>".into(), MODIFY_BAD),
    ]);
}

/// RFC 6120 §8.3.3.8.
#[test]
fn the_jid_of_an_item_must_be_one() {
    let long = "a".repeat(1024);
    let jids = ["", "@im.example", "a@", "a@b@im.example", "a b@im.example", "a@im.example/", "&lt;@im.example", &long];
    let sets: Vec<_> = jids
        .iter()
        .flat_map(|jid| {
            let add = format!("<item jid='{jid}'/>");
            let remove = format!("<item jid='{jid}' subscription='remove'/>");
            [(*jid, add, MALFORMED), (*jid, remove, MALFORMED)]
        })
        .collect();
    check(&sets);
}

/// RFC 6121 §2.3.3.
#[test]
fn groups_are_distinct_not_empty_and_of_bounded_length() {
    let item = |groups: &str| format!("<item jid='a@im.example'>{groups}</item>");
    let many: String = (0..33).map(|n| format!("<group>{n}</group>")).collect();
    check(&[
        ("duplicate", item("<group>A</group><group>B</group><group>A</group>"), MODIFY_BAD),
        ("duplicate in disguise", item("<group>A&amp;B</group><group>A&#38;B</group>"), MODIFY_BAD),
        ("empty", item("<group/>"), UNACCEPTABLE),
        ("empty among others", item("<group>A</group><group></group>"), UNACCEPTABLE),
        ("too long", item(&format!("<group>{}</group>", "g".repeat(1024))), UNACCEPTABLE),
        ("too many", item(&many), UNACCEPTABLE),
    ]);
}

/// RFC 6121 §2.3.3: a name beyond the limit, which counts bytes.
#[test]
fn names_have_a_bounded_length() {
    check(&[
        ("long", format!("<item jid='a@im.example' name='{}'/>", "n".repeat(1024)), UNACCEPTABLE),
        ("long in bytes", format!("<item jid='a@im.example' name='{}'/>", "é".repeat(512)), UNACCEPTABLE),
        ("of a contact", format!("<item jid='juliet@im.example' name='{}'/>", "n".repeat(5000)), UNACCEPTABLE),
    ]);
}

/// RFC 6121 §2.3.3: what is just within the limits is taken as it is.
#[test]
fn the_longest_names_and_groups_are_accepted() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let groups: String = (0..31).map(|n| format!("<group>{n}</group>")).collect();
    let groups = format!("{groups}<group>{}</group>", "g".repeat(1023));
    let name = "n".repeat(1023);
    romeo.change_roster(
        &format!("<item jid='a@im.example' name='{name}'>{groups}</item>"),
        &format!("<item jid='a@im.example' name='{name}' subscription='none'>{groups}</item>"),
    );
}

/// A user sees its own presence anyway (RFC 6121 §4.2.2): it is no contact of its own, whatever is written behind the
/// slash and in whatever case.
#[test]
fn the_own_address_is_no_contact() {
    let own = |jid: &str| format!("<item jid='{jid}'/>");
    check(&[
        ("bare", own("romeo@im.example"), ("cancel", "not-allowed")),
        ("full", own("romeo@im.example/orchard"), ("cancel", "not-allowed")),
        ("in capitals", own("ROMEO@IM.EXAMPLE"), ("cancel", "not-allowed")),
        ("removed", "<item jid='romeo@im.example' subscription='remove'/>".into(), ("cancel", "item-not-found")),
    ]);
}

/// RFC 6121 §2.5.3.
#[test]
fn what_is_not_there_cannot_be_removed() {
    check(&[
        ("a stranger", "<item jid='tybalt@im.example' subscription='remove'/>".into(), ("cancel", "item-not-found")),
        ("a domain", "<item jid='im.example' subscription='remove'/>".into(), ("cancel", "item-not-found")),
    ]);
}

/// RFC 6121 §2.3.3, §2.5.3: nobody else's roster; whether the account exists or not shows in nothing.
#[test]
fn the_roster_of_somebody_else_is_not_changed() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    juliet.sync();
    let romeo_item = "<item jid='romeo@im.example' subscription='both'/>";
    for whose in ["juliet@im.example", "nobody@im.example"] {
        for item in [
            "<item jid='tybalt@im.example'/>",
            "<item jid='romeo@im.example' subscription='remove'/>",
            "<item jid='romeo@im.example' name='King'/>",
            "",
        ] {
            romeo.send(&format!(
                "<iq type='set' id='s' to='{whose}'><query xmlns='jabber:iq:roster'>{item}</query></iq>"
            ));
            romeo.expect_stanza_error("iq", "s", "auth", "forbidden");
        }
    }
    settle(&mut romeo, &mut juliet);
    juliet.expect_roster(&[romeo_item]);
}

/// A full roster refuses new contacts with resource-constraint (RFC 6120 §8.3.3.18), changes and removals go on.
#[test]
fn a_full_roster_takes_no_more() {
    let server = TestServer::with(|c| c.limits.roster_items_max = 2);
    server.accounts(&["romeo", "juliet"]);
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    romeo.change_roster("<item jid='a@im.example'/>", "<item jid='a@im.example' subscription='none'/>");
    romeo.change_roster("<item jid='b@im.example'/>", "<item jid='b@im.example' subscription='none'/>");
    romeo.roster_set("c", "<item jid='c@im.example'/>");
    romeo.expect_stanza_error("iq", "c", "wait", "resource-constraint");
    romeo.send("<presence type='subscribe' id='d' to='juliet@im.example'/>");
    romeo.expect_stanza_error("presence", "d", "wait", "resource-constraint");
    settle(&mut romeo, &mut juliet);
    romeo.change_roster(
        "<item jid='b@im.example' name='B'/>",
        "<item jid='b@im.example' name='B' subscription='none'/>",
    );
    romeo.change_roster(
        "<item jid='a@im.example' subscription='remove'/>",
        "<item jid='a@im.example' subscription='remove'/>",
    );
    romeo.send("<presence type='subscribe' to='juliet@im.example'/>");
    romeo.expect_push("<item jid='juliet@im.example' subscription='none' ask='subscribe'/>");
    romeo.expect_nothing();
    juliet.expect("<presence type='subscribe' from='romeo@im.example' to='juliet@im.example'/>");
}

/// RFC 6120 §8.3.1: the client gets an error, and its session goes on as before.
#[test]
fn a_refused_set_leaves_the_contact_as_it_was() {
    let server = TestServer::start();
    server.account("romeo", "secret");
    let mut romeo = server.present("romeo", "orchard");
    let good = "<item jid='a@im.example' name='A' subscription='none'><group>G</group></item>";
    romeo.change_roster("<item jid='a@im.example' name='A'><group>G</group></item>", good);
    for bad in [
        "<item jid='a@im.example' name='B'><group/></item>".to_owned(),
        format!("<item jid='a@im.example' name='{}'/>", "n".repeat(2000)),
        "<item jid='a@im.example' name='B'><group>H</group><group>H</group></item>".to_owned(),
    ] {
        romeo.roster_set("bad", &bad);
        let answer = romeo.next();
        assert_eq!(answer.attr("type"), Some("error"), "{answer:?}");
        assert!(romeo.matches(&push(good), &answer).is_err());
    }
    romeo.expect_roster(&[good]);
}
