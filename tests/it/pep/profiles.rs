//! Nodes with documents of their own: what they begin with (XEP-0292, 0384, 0402, 0490), and that clients can say it
//! themselves (XEP-0222, 0223).

use super::{event, expect_event, item, items, no_items, options, publish, wanting};
use crate::support::TestServer;

const DEVICES: &str = "eu.siacs.conversations.axolotl.devicelist";
const BUNDLE: &str = "eu.siacs.conversations.axolotl.bundles:31415";
const DEVICES_2: &str = "urn:xmpp:omemo:2:devices";
const BUNDLES_2: &str = "urn:xmpp:omemo:2:bundles";

/// XEP-0384 §5.3: with the options its examples have, and without; for strangers.
#[test]
fn keys_are_for_everybody() {
    for with_options in [true, false] {
        let server = TestServer::start();
        server.account("stranger", "secret");
        let mut juliet = server.online("juliet", "balcony");
        let open = if with_options { options(&[("access_model", "open")]) } else { String::new() };
        let many =
            if with_options { options(&[("max_items", "max"), ("access_model", "open")]) } else { String::new() };
        publish(&mut juliet, DEVICES, &item("current", "eu.siacs.conversations.axolotl", "31415"), &open);
        publish(&mut juliet, BUNDLE, &item("current", "eu.siacs.conversations.axolotl", "key"), &open);
        publish(&mut juliet, DEVICES_2, &item("current", "urn:xmpp:omemo:2", "31415"), &open);
        for device in ["31415", "2718"] {
            publish(&mut juliet, BUNDLES_2, &item(device, "urn:xmpp:omemo:2", device), &many);
        }
        let mut stranger = server.login("stranger", "secret", "x");
        for (node, count) in [(DEVICES, 1), (BUNDLE, 1), (DEVICES_2, 1), (BUNDLES_2, 2)] {
            assert_eq!(items(&mut stranger, "juliet", node).len(), count, "{node}");
        }
    }
}

/// A contact that comes online learns which devices there are, and does not get their keys.
#[test]
fn device_lists_are_sent_and_bundles_are_not() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.login("juliet", "secret", "balcony");
    publish(&mut juliet, BUNDLE, &item("current", "urn:x", "key"), "");
    publish(&mut juliet, BUNDLES_2, &item("1", "urn:x", "key"), "");
    publish(&mut juliet, DEVICES, &item("current", "urn:x", "1"), "");
    publish(&mut juliet, DEVICES_2, &item("current", "urn:x", "1"), "");
    let mut romeo = wanting(&server, "romeo", "orchard", &[BUNDLE, BUNDLES_2, DEVICES, DEVICES_2]);
    for node in [DEVICES, DEVICES_2] {
        expect_event(&mut romeo, &event("juliet", node, &item("current", "urn:x", "1"), true));
    }
    romeo.expect_nothing();
}

/// XEP-0292 §5.2, XEP-0402, XEP-0490: private without a word from the client.
#[test]
fn private_lists() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = server.present("romeo", "orchard");
    for node in ["urn:xmpp:bookmarks:1", "urn:xmpp:mds:displayed:0", "urn:xmpp:contacts"] {
        for id in ["a@im.example", "b@im.example"] {
            publish(&mut juliet, node, &item(id, "urn:x", "1"), "");
        }
        assert_eq!(items(&mut juliet, "juliet", node).len(), 2, "{node}");
        no_items(&mut romeo, "juliet", node, "not-allowed");
    }
}

/// XEP-0292 §4.2.2: "There is no payload, because this is a pure notification".
#[test]
fn a_vcard4_is_fetched() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let mut romeo = wanting(&server, "romeo", "orchard", &["urn:xmpp:vcard4"]);
    let card = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Juliet</text></fn></vcard>";
    publish(&mut juliet, "urn:xmpp:vcard4", &format!("<item id='1'>{card}</item>"), "");
    expect_event(&mut romeo, &event("juliet", "urn:xmpp:vcard4", "<item id='1'/>", false));
    assert!(items(&mut romeo, "juliet", "urn:xmpp:vcard4")[0].raw.contains("Juliet"));
}

/// XEP-0172 §4.3.
#[test]
fn a_nickname() {
    let server = TestServer::start();
    server.accounts(&["romeo", "juliet"]);
    server.friends("romeo", "juliet");
    let mut juliet = server.present("juliet", "balcony");
    let nick = "http://jabber.org/protocol/nick";
    let mut romeo = wanting(&server, "romeo", "orchard", &[nick]);
    let item = format!("<item id='1'><nick xmlns='{nick}'>Jule</nick></item>");
    publish(&mut juliet, nick, &item, "");
    expect_event(&mut romeo, &event("juliet", nick, &item, false));
}

/// XEP-0222 §3, XEP-0223 §3: publish-options are preconditions.
#[test]
fn options_must_be_met() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let private = options(&[("persist_items", "true"), ("access_model", "whitelist")]);
    publish(&mut juliet, "urn:x", &item("1", "urn:x", "1"), &private);
    juliet.send(&format!(
        "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:x'>{}</publish>{}\
         </pubsub></iq>",
        item("2", "urn:x", "2"),
        options(&[("access_model", "open")])
    ));
    juliet.expect_stanza_error("iq", "p", "cancel", "conflict");
    assert_eq!(items(&mut juliet, "juliet", "urn:x")[0].attr("id"), Some("1"));
}
