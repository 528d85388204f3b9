//! What presence may contain (RFC 6121 §4.7), and that it is passed on untouched.

use super::{friends, strangers};
use crate::support::settle;

/// RFC 6121 §4.7: every kind of child is passed on as it was written, byte for byte.
#[test]
fn children_are_passed_on_untouched() {
    let (_server, mut romeo, mut juliet) = friends();
    for children in [
        "<show>away</show>",
        "<status>a &lt; b &amp;&#38; &quot;c&quot; 💘</status>",
        "<show>dnd</show><status xml:lang='en'>Wooing</status><status xml:lang='cs'>Ja dvořím</status><priority>1</priority>",
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://x' ver='q='/>",
        "<x xmlns='vcard-temp:x:update'><photo/></x><e:e xmlns:e='urn:e' e:a='1'><e:f><g xmlns=''/></e:f></e:e>",
        "<status><![CDATA[<not/> a tag]]></status>",
        "<show>nonsense</show>",
        "<show>away</show><show>xa</show>",
        "<status/>",
    ] {
        romeo.send(&format!("<presence>{children}</presence>"));
        for (client, name) in [(&mut romeo, "own"), (&mut juliet, "contact")] {
            let mut el = client.next();
            if el.name == "iq" {
                // XEP-0115: who carries capabilities is asked what they are.
                el = client.next();
            }
            assert!(el.raw.ends_with(&format!(">{children}</presence>")), "{name}: {}", el.raw);
        }
    }
    romeo.sync();
    juliet.expect_nothing();
}

/// RFC 6120 §8.1.3, §8.1.5: `id` and `xml:lang` stay.
#[test]
fn id_and_language_are_kept() {
    let (_server, mut romeo, mut juliet) = friends();
    romeo.send("<presence id='p&lt;1' xml:lang='de'><status>weg</status></presence>");
    romeo.sync();
    let el =
        juliet.expect("<presence id='p&lt;1' from='{romeo}' to='juliet@im.example'><status>weg</status></presence>");
    assert_eq!(el.attr("xml:lang"), Some("de"));
}

/// RFC 6121 §4.7.2.3: an integer from -128 to 127.
#[test]
fn valid_priorities_are_accepted() {
    let (_server, mut romeo, mut juliet) = friends();
    for priority in ["-128", "-1", "0", "1", "127", "+5", "007", " 5 ", "-0"] {
        romeo.send(&format!("<presence><priority>{priority}</priority></presence>"));
        romeo.expect(&format!("<presence from='{{jid}}' to='{{jid}}'><priority>{priority}</priority></presence>"));
        juliet.expect(&format!(
            "<presence from='{{romeo}}' to='juliet@im.example'><priority>{priority}</priority></presence>"
        ));
    }
}

/// RFC 6121 §4.7.2.3 with RFC 6120 §8.3.3.1: anything else is refused, and the presence before it stays in force.
#[test]
fn invalid_priorities_are_refused() {
    let (server, mut romeo, mut juliet) = friends();
    for bad in ["-129", "128", "1.5", "high", "", " ", "0x10", "1 2", "٣", "99999999999999999999", "--1", "<b>1</b>"] {
        romeo.send(&format!("<presence id='p'><show>xa</show><priority>{bad}</priority></presence>"));
        romeo.expect_stanza_error("presence", "p", "modify", "bad-request");
    }
    settle(&mut romeo, &mut juliet);
    let mut late = server.login("juliet", "secret", "chamber");
    late.send("<presence/>");
    let seen = late.sync();
    assert!(seen.iter().any(|el| late.matches("<presence from='{romeo}' to='{jid}'/>", el).is_ok()), "{seen:?}");
}

/// RFC 6121 §4.7.2.3: refused as initial presence, it does not make a resource available.
#[test]
fn an_invalid_initial_presence_leaves_the_resource_unavailable() {
    let (server, _romeo, mut juliet) = friends();
    let mut garden = server.login("romeo", "secret", "garden");
    garden.send("<presence id='p'><priority>high</priority></presence>");
    garden.expect_stanza_error("presence", "p", "modify", "bad-request");
    settle(&mut garden, &mut juliet);
}

/// RFC 6121 §4.7.1: the types are these; another one is refused and goes nowhere.
#[test]
fn unknown_types_are_refused() {
    let (_server, mut romeo, mut juliet) = friends();
    for kind in ["available", "invisible", "Subscribe", "", " unavailable", "online", "normal"] {
        for to in ["", "to='juliet@im.example'", "to='{juliet}'", "to='nobody@im.example'"] {
            romeo.send(&format!("<presence type='{kind}' id='p' {to}/>"));
            romeo.expect_stanza_error("presence", "p", "modify", "bad-request");
        }
    }
    settle(&mut romeo, &mut juliet);
}

/// RFC 6120 §8.3.1, RFC 6121 §4.7.1: an error is for whom it names; without an addressee it is nothing, and it is never
/// answered.
#[test]
fn errors_are_passed_on_and_never_answered() {
    let (_server, mut romeo, mut juliet) = strangers();
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    romeo.send(&format!("<presence type='error' id='e' to='{{juliet}}'>{error}</presence>"));
    romeo.sync();
    juliet.expect(&format!("<presence type='error' id='e' from='{{romeo}}' to='{{juliet}}'>{error}</presence>"));
    for to in ["", "to='nobody@im.example'", "to='im.example'", "to='x@elsewhere.example'", "to='juliet@im.example/no'"]
    {
        romeo.send(&format!("<presence type='error' id='e' {to}>{error}</presence>"));
        settle(&mut romeo, &mut juliet);
    }
}

/// RFC 6120 §8.1.2.1: presence in another's name ends the stream and reaches nobody.
#[test]
fn presence_cannot_be_forged() {
    for from in ["juliet@im.example/balcony", "nurse@im.example", "romeo@im.example/other", "im.example"] {
        let (_server, mut romeo, mut juliet) = friends();
        romeo.send(&format!("<presence from='{from}'><status>forged</status></presence>"));
        romeo.expect_stream_error("invalid-from");
        juliet.sync();
        let (_server, mut romeo, mut juliet) = friends();
        romeo.send(&format!("<presence from='{from}' to='juliet@im.example'/>"));
        romeo.expect_stream_error("invalid-from");
        let seen = juliet.sync();
        assert!(seen.iter().all(|el| el.attr("type") == Some("unavailable")), "{seen:?}");
    }
}

/// RFC 6120 §8.1.2.1: the own addresses are allowed and replaced by the full JID.
#[test]
fn the_senders_address_is_the_full_jid() {
    let (_server, mut romeo, mut juliet) = friends();
    for from in ["romeo@im.example", "romeo@im.example/orchard", "ROMEO@im.example"] {
        romeo.send(&format!("<presence from='{from}'/>"));
        romeo.expect("<presence from='{jid}' to='{jid}'/>");
        juliet.expect("<presence from='{romeo}' to='juliet@im.example'/>");
    }
}
